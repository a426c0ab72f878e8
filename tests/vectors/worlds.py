# SPDX-License-Identifier: GPL-2.0-or-later
"""Worlds at random for model.py: devices whose structures are right, requests to them, then deviations, each aimed at an entry that
a request reads. The same seed gives the same world."""
import itertools
import random

from model import CAPABILITIES, FIRST_MODES, Leaf, PAGE, PDT_MODES, SECOND_MODES, Walk, World, bits

FIRST_WIDTH = {8: 39, 9: 48, 10: 57}
SECOND_WIDTH = {0: 56, 8: 41, 9: 50, 10: 59}
# Leaves: all, some, or none of what is to be had; A and D set.
RIGHTS = (0xdf, 0xdf, 0xd7, 0xd3, 0xdb, 0xd9, 0xd9)
# How often an entry of each structure is what deviates.
AIM = {"ddte": 1, "dc": 16, "pdte": 6, "pc": 6, "pte": 16, "gpte": 12, "msi_pte": 24}
NON_LEAF_BITS = (0, *range(1, 10), *range(10, 64, 4))
DC_BITS = (
    (*range(12), *range(12), 12, 23, 24, 31, 32, 63), (0, 1, 0, 1, 44, 60, 61, 62, 63), (0, 11, 12, 31, 32, 39, 40, 51, 52, 63),
    (0, 20, 43, 44, 59, 60, 61, 62, 63), (0, 20, 43, 44, 59, 60, 61, 63), (0, 1, 21, 22, 28, 29, 37, 38, 46, 47, 51, 52, 63),
    (0, 1, 21, 22, 28, 29, 37, 38, 46, 47, 51, 52, 63), (0, 31, 63),
)
PC_BITS = ((0, 1, 2, 3, 11, 12, 32, 63), (0, 20, 43, 44, 59, 60, 61, 62, 63))
MSI_BITS = ((0, 1, 2, 3, 6, 7, 9, 10, 53, 54, 62, 63), (0, 9, 10, 53, 54, 59, 60, 61, 63))


class Cornered(Exception):
    """One leaf of the second stage holds all guest pages, and leads nowhere."""


class Device:
    """What of a device context the tables below it depend on."""

    def __init__(self, builder):
        w, chance, pick = builder.world, builder.chance, builder.pick
        hardware = w.has("AMO_HWAD")
        self.second = pick([8] * w.has("Sv32x4") if w.gxl else builder.offered(SECOND_MODES)) if chance(.7) else 0
        self.guest_width = 34 if w.gxl else SECOND_WIDTH[self.second]
        self.sxl = int(w.gxl or w.gxl_writable and w.has("Sv32") and chance(.25))
        self.sbe = int(chance(.5)) if w.be_writable else w.big_endian
        self.sade, self.gade = hardware and int(chance(.5)), hardware and int(chance(.5))
        self.pdt = pick(builder.offered(PDT_MODES)) if chance(.45) else 0
        self.pdtv = int(bool(self.pdt) or chance(.03))
        self.dpe = self.pdtv and int(chance(.4))
        self.ats = w.has("ATS") and int(chance(.75))
        self.t2gpa = self.ats and w.has("T2GPA") and self.second and int(chance(.4))
        self.root = builder.new_page(4) if self.second else 0
        self.msi_root = self.mask = self.pattern = 0
        self.files = ()
        self.targets = []  # (process_id, address) of requests
        self.translated = []  # addresses of Translated requests

    def tc(self, builder):
        pri = self.ats and int(builder.chance(.4))
        flags = (1, self.ats, pri, int(bool(self.t2gpa)), int(builder.chance(.1)), self.pdtv, pri and int(builder.chance(.4)),
                 self.gade, self.sade, self.dpe, self.sbe, self.sxl)
        custom = builder.random.randrange(256) if builder.chance(.2) else 0
        return sum(flag << i for i, flag in enumerate(flags)) | custom << 24


class Builder:
    def __init__(self, seed, devices=8):
        self.random = random.Random(seed)
        self.world = World()
        self.taken = set()
        self.registers()
        self.devices = {}
        self.device = None
        while len(self.devices) < devices:
            self.add_device()
        if self.chance(.04):
            self.world.ddtp = self.world.ddtp & ~15 | self.pick((0, 1))  # Off, Bare

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, values, otherwise=0):
        return self.random.choice(values) if values else otherwise

    def offered(self, modes):
        return [mode for mode, name in modes.items() if self.world.has(name)]

    def registers(self):
        w = self.world
        names = {name for name in CAPABILITIES if self.chance(.65)}
        for modes in ("Sv39", "Sv48", "Sv57"), ("Sv39x4", "Sv48x4", "Sv57x4"):
            names -= set(modes[self.pick((0, 1, 2, 3, 3)):])
        names -= {"MSI_MRIF"} if "MSI_FLAT" not in names else set()
        names -= {"T2GPA"} if "ATS" not in names else set()
        w.capabilities = sum(1 << CAPABILITIES[name] for name in names) | 0x10 | self.pick((34, 36, 40, 44, 48, 52, 56)) << 32
        w.fctl = int(self.chance(.3)) | 4 * int(w.has("Sv32x4") and self.chance(.3))
        w.gxl_writable, w.be_writable = int(w.gxl or self.chance(.7)), w.has("END")
        self.levels = self.pick((1, 2, 3, 3))
        w.ddtp = self.levels + 1 | self.new_page() >> 2

    def new_page(self, count=1):
        """COUNT pages of memory, aligned to their size; below 2^34, where an Sv32 entry can point."""
        while True:
            page = self.random.randrange(1 << 34 - 12) & -count
            if self.taken.isdisjoint(range(page, page + count)):
                break
        self.taken.update(range(page, page + count))
        for i in range(count):
            self.world.pages[(page + i) * PAGE] = bytearray(PAGE)
        return page * PAGE

    def get(self, address, size, big_endian):
        page = self.world.pages[address & -PAGE]
        return int.from_bytes(page[address % PAGE:address % PAGE + size], "big" if big_endian else "little")

    def put(self, address, value, size, big_endian):
        page = self.world.pages[address & -PAGE]
        page[address % PAGE:address % PAGE + size] = value.to_bytes(size, "big" if big_endian else "little")

    # -- page tables

    def through(self, pte, level, size, address):
        return Walk(self.world, 0, None, "u", "r", "untranslated", 0).judge_pte(pte, level, size, address)

    def decoration(self):
        w = self.world
        pbmt = self.pick((1, 2)) if w.has("Svpbmt") and self.chance(.3) else 0
        return pbmt << 61 | (self.random.randrange(4) << 59 if w.has("Svrsw60t59b") and self.chance(.2) else 0)

    def leaf(self, level, size, step, width, address, flags):
        """(PTE, page that ADDRESS leads to) of a leaf somewhere."""
        napot = level == 0 and size == 8 and self.chance(.2)
        shift = 4 if napot else step * level
        base = self.random.randrange(1 << max(width - 12, shift + 1)) >> shift << shift
        extra = (self.decoration() if size == 8 else 0) | (1 << 63 if napot else 0)
        return (base | 8 * napot) << 10 | flags | extra, (base | address >> 12 & (1 << shift) - 1) * PAGE

    def guest_flags(self, table):
        flags = 0xd7 if table else self.pick(RIGHTS)
        if table and self.device.sade and self.chance(.2):
            flags = self.pick((0xd3, 0x57, 0x53, 0x17))
        if self.device.gade and self.chance(.4):
            flags &= self.pick((~0x80, ~0xc0))
        return flags | self.pick((0x20, 0x100)) * int(self.chance(.1))

    def map_guest(self, guest, table=False):
        """Where the guest page leads, mapped if it was not; None where a leaf is in the way that leads nowhere."""
        w, device = self.world, self.device
        if not device.second:
            return guest & -PAGE
        levels, size, step = (2, 4, 10) if w.gxl else (device.second - 5, 8, 9)
        place = device.root
        for level in range(levels - 1, -1, -1):
            place += bits(guest, 11 + step * (level + 1) + 2 * (level == levels - 1), 12 + step * level) * size
            pte = self.get(place, size, w.big_endian)
            if not pte & 1 and (level == 0 or self.chance(.1)):
                pte, page = self.leaf(level, size, step, min(w.pas, 34), guest, self.guest_flags(table))
                self.put(place, pte, size, w.big_endian)
                return page
            if not pte & 1:
                pte = self.new_page() >> 2 | 1
                self.put(place, pte, size, w.big_endian)
            found = self.through(pte, level, size, guest)
            if isinstance(found, Leaf):
                return found.pa & -PAGE
            place = found
        return None

    def table_page(self):
        """A page for a table that the second stage translates."""
        if not self.device.second:
            return self.new_page()
        for _ in range(50):
            width = min(self.device.guest_width, 34 if self.device.sxl else 56)
            guest = self.random.randrange(1 << width - 12) * PAGE
            page = self.map_guest(guest, table=True)
            if page is not None and not page >> self.world.pas and page not in self.world.pages:
                self.world.pages[page] = bytearray(PAGE)
                return guest
        raise Cornered

    def map_first(self, fsc, address, target):
        """Maps ADDRESS in the first stage, to the guest page TARGET or, None, anywhere."""
        device = self.device
        levels, size, step = (2, 4, 10) if device.sxl else ((fsc >> 60) - 5, 8, 9)
        table = bits(fsc, 43, 0) * PAGE
        for level in range(levels - 1, -1, -1):
            guest = table + bits(address, 11 + step * (level + 1), 12 + step * level) * size
            place = self.map_guest(guest) | guest % PAGE
            pte = self.get(place, size, device.sbe)
            if not pte & 1 and (level == 0 or target is None and self.chance(.12)):
                self.put_first_leaf(place, level, size, step, address, target)
                return
            if not pte & 1:
                pte = self.table_page() >> 2 | 1 | 0x20 * int(self.chance(.05))
                self.put(place, pte, size, device.sbe)
            table = self.through(pte, level, size, address)
            if isinstance(table, Leaf):
                return

    def put_first_leaf(self, place, level, size, step, address, target):
        device = self.device
        flags = self.pick((*RIGHTS, 0xcf, 0xc7, 0xc9, 0xff)) | (0 if device.pdtv else 0x10)
        if device.sade and self.chance(.5):
            flags &= self.pick((~0x80, ~0xc0))
        width = min(device.guest_width if device.second else self.world.pas, 34 if size == 4 else 56)
        pte, page = self.leaf(level, size, step, width, address, flags)
        if target is not None:
            pte, page = target >> 2 | flags, target
        self.put(place, pte, size, device.sbe)
        if self.chance(.9):
            self.map_guest(page)

    # -- contexts

    def address(self, mode):
        if mode:
            width = 32 if self.device.sxl else FIRST_WIDTH[mode]
            value = self.random.randrange(1 << width)
            return value | (-1 << width) % (1 << 64) if value >> (width - 1) and width > 32 else value
        width = self.device.guest_width if self.device.second else self.pick((self.world.pas, 56, 64))
        return self.random.randrange(1 << (min(width, 34) if self.device.sxl and self.device.second else width))

    def first_stage(self, process_ids):
        """A first-stage context; adds what requests may ask for."""
        device = self.device
        modes = [8] * self.world.has("Sv32") if device.sxl else self.offered(FIRST_MODES)
        mode = self.pick(modes) if self.chance(.85) else 0
        fsc = mode << 60 | (self.table_page() >> 12 if mode else 0)
        for _ in range(3):
            address, target = self.address(mode), None
            if device.files and self.chance(.35):
                target = self.file_page()
            if mode:
                self.map_first(fsc, address, target)
            elif target is not None:
                address = target | address % PAGE
            elif self.chance(.9):
                self.map_guest(address)
            device.targets += [(process_id, address) for process_id in process_ids]
        return fsc

    def process_directory(self):
        device = self.device
        root = self.table_page()
        # One process has the largest number; process 0 is what DPE means.
        for process_id in {0, self.random.randrange(1 << (8, 17, 20)[device.pdt - 1]), (1 << (8, 17, 20)[device.pdt - 1]) - 1}:
            table = root
            for level in range(device.pdt - 1, 0, -1):
                place = self.map_guest(table) + bits(process_id, 16 if level == 1 else 19, 8 if level == 1 else 17) * 8
                entry = self.get(place, 8, device.sbe)
                if not entry:
                    entry = self.table_page() >> 2 | 1
                    self.put(place, entry, 8, device.sbe)
                table = bits(entry, 53, 10) * PAGE
            place = self.map_guest(table) + process_id % 256 * 16
            ids = (process_id, None) if device.dpe and not process_id else (process_id,)
            self.put(place, self.pick((1, 3, 3, 7, 7, 5)) | self.random.randrange(1 << 20) << 12, 8, device.sbe)
            self.put(place + 8, self.first_stage(ids), 8, device.sbe)
        return root

    def msi_table(self):
        """The virtual interrupt files of a device, and the pages that they are."""
        w, device = self.world, self.device
        width = min(device.guest_width, 34 if device.sxl else 56) - 12
        count = self.pick((0, 1, 3, 5, 8))
        device.mask = sum(1 << i for i in self.random.sample(range(min(width, 24)), count))
        device.pattern = self.random.randrange(1 << width)
        device.msi_root = self.new_page()
        device.files = tuple(self.random.randrange(1 << count) for _ in range(3))
        for number in device.files:
            low, high = 7 | self.random.randrange(1 << 44) << 10, self.pick((0, (1 << 64) - 1))
            if w.has("MSI_MRIF") and self.chance(.4):
                low = 3 | self.random.randrange(1 << 47) << 7
                high = self.random.randrange(1 << 44) << 10 | self.random.randrange(1 << 10) | int(self.chance(.5)) << 60
            self.put(device.msi_root + 16 * number, low, 8, w.big_endian)
            self.put(device.msi_root + 16 * number + 8, high, 8, w.big_endian)

    def file_page(self):
        device = self.device
        places = [i for i in range(52) if device.mask >> i & 1]
        number = self.pick(device.files)
        chosen = sum(1 << place for i, place in enumerate(places) if number >> i & 1)
        return (device.pattern & ~device.mask | chosen) * PAGE

    def add_device(self):
        w = self.world
        low = 6 if w.has("MSI_FLAT") else 7
        device_id = self.random.randrange(1 << (low, low + 9, 24)[self.levels - 1])
        device = self.device = Device(self)
        if w.has("MSI_FLAT") and device.second and self.chance(.6):
            self.msi_table()
        if device.pdt:
            fsc = device.pdt << 60 | self.process_directory() >> 12
        else:
            fsc = self.random.randrange(1 << 44) if device.pdtv else self.first_stage((None,))
        if device.pdtv and not device.dpe or not device.targets:
            device.targets += [(None, self.address(0)), (5 if device.pdtv else None, self.address(0))]
        device.translated = [self.file_page() if device.files and self.chance(.4) else self.random.randrange(1 << device.guest_width)
                             for _ in range(2)]
        for guest in device.translated + [address for process_id, address in device.targets if process_id is None]:
            self.map_guest(guest % (1 << device.guest_width))
        iohgatp = device.second << 60 | self.random.randrange(1 << 16) << 44 | device.root >> 12
        ta = self.random.randrange(1 << 20) << 12 | (self.random.randrange(1 << 24) << 40 if w.has("QOSID") else 0)
        self.place_context(device_id, (device.tc(self), iohgatp, ta, fsc, int(bool(device.msi_root)) << 60 | device.msi_root >> 12,
                                       device.mask, device.pattern, 0))
        self.devices[device_id] = device

    def place_context(self, device_id, dc):
        w = self.world
        indexes, table = w.device_indexes(device_id), bits(w.ddtp, 53, 10) * PAGE
        for level in range(self.levels - 1, 0, -1):
            place = table + indexes[level] * 8
            if not self.get(place, 8, w.big_endian):
                self.put(place, self.new_page() >> 2 | 1, 8, w.big_endian)
            table = bits(self.get(place, 8, w.big_endian), 53, 10) * PAGE
        count = 8 if w.has("MSI_FLAT") else 4
        for i in range(count):
            self.put(table + (indexes[0] * count + i) * 8, dc[i], 8, w.big_endian)

    # -- requests: as Walk takes them

    def requests(self, each=5):
        return [self.stray(self.request(device_id, device)) for device_id, device in self.devices.items() for _ in range(each)]

    def request(self, device_id, device):
        kind = self.random.choices(("untranslated", "translated", "ats"), (6, 1, 3) if device.ats else (12, 1, 1))[0]
        process_id, address = self.pick(device.targets)
        if kind == "translated" and self.chance(.8):
            address = self.pick(device.translated)
        if self.chance(.8):
            address = address & -PAGE | self.random.randrange(PAGE)
        priv = "s" if process_id is not None and self.chance(.4) else "u"
        return [device_id, process_id, priv, self.pick("rwx"), kind, address]

    def stray(self, request):
        """A request that asks for something else, now and then."""
        if self.chance(.9):
            return tuple(request)
        edges = (31, 32, 33, 34, 38, 39, 40, 41, 47, 48, 49, 50, 56, 57, 58, 59, 63)
        what = self.random.randrange(5)
        if what == 0:
            request[0] ^= 1 << self.random.randrange(24)
        elif what == 1:
            request[1] = self.pick((None, 0, 255, 256, (1 << 17) - 1, 1 << 17, (1 << 20) - 1))
        else:
            request[5] ^= 1 << (self.pick(edges) if what < 4 else self.random.randrange(64))
        if request[1] is None:
            request[2] = "u"
        return tuple(request)

    # -- deviations

    def deviate(self, requests):
        """One change, of a register or of an entry that one of some requests reads."""
        if self.chance(.02):
            self.deviate_register()
            return
        steps = {}
        for request in self.random.sample(requests, min(4, len(requests))):
            walk = Walk(self.world, *request)
            walk.run()
            for step in walk.steps:
                if step[3]:
                    steps.setdefault(step[0], []).append((step, walk))
        if steps:
            kinds = sorted(steps)
            kind = self.random.choices(kinds, [AIM[k] for k in kinds])[0]
            step, walk = self.pick(steps[kind])
            self.deviate_entry(step, bool(walk.tc["SBE"]))

    def deviate_register(self):
        w, what = self.world, self.random.randrange(6)
        if what == 0:
            w.capabilities ^= 1 << self.pick(list(CAPABILITIES.values()))
        elif what == 1:
            w.capabilities = w.capabilities & ~(63 << 32) | self.pick((30, 33, 36, 56)) << 32
        elif what == 2:
            w.fctl ^= self.pick((1, 4))
        elif what == 3:
            w.ddtp = w.ddtp & ~15 | self.pick((0, 1, 1, 2, 3, 4))
        elif what == 4:
            w.be_writable ^= 1
        else:
            w.gxl_writable ^= 1

    def deviate_entry(self, step, sbe):
        structure, _, address, values = step
        big_endian = sbe if structure in ("pdte", "pc", "pte") else self.world.big_endian
        if structure in ("pte", "gpte"):
            size = 4 if self.is_short(structure, step) else 8
            self.put(address, self.other_pte(self.get(address, size, big_endian), size), size, big_endian)
            return
        choices = {"dc": DC_BITS, "pc": PC_BITS, "msi_pte": MSI_BITS}.get(structure, (NON_LEAF_BITS,))
        i = self.random.choices(range(len(values)), [6] + [1] * (len(values) - 1))[0]
        self.put(address + 8 * i, values[i] ^ 1 << self.pick(choices[i]), 8, big_endian)

    def is_short(self, structure, step):
        return self.world.gxl if structure == "gpte" else step[3][0] >> 32 == 0 and self.world.has("Sv32") and self.chance(.5)

    def other_pte(self, pte, size):
        what, top = self.random.randrange(9), 8 * size
        if what < 3:
            pte ^= 1 << self.random.randrange(8)
        elif what == 3:
            pte = pte & ~0xff | self.random.randrange(256)
        elif what == 4:
            pte ^= self.pick((2, 4, 8, 0xa, 0xc, 6))
        elif what == 5:
            pte &= ~self.pick((0x40, 0x80, 0xc0))
        elif what == 6 and size == 8:
            pte ^= self.pick((1 << 54, 1 << 58, 1 << 59, 1 << 60, 1 << 61, 2 << 61, 3 << 61, 1 << 63))
        elif what == 7 and size == 8:
            pte = pte & ~(15 << 10) | self.pick((8, 0, 4, 9)) << 10 | 1 << 63
        else:
            pte ^= 1 << self.random.randrange(10, min(top, 54))
        return pte


def world(seed):
    """(World, requests)"""
    for attempt in itertools.count():
        try:
            builder = Builder(f"{seed}.{attempt}")
            break
        except Cornered:
            pass
    requests = builder.requests()
    for _ in range(builder.pick((0, 4, 8, 8))):
        builder.deviate(requests)
    return builder.world, requests
