# SPDX-License-Identifier: GPL-2.0-or-later
"""The translation process a second time: from the specification's text, plainly and slowly, without a look at src/lib/walk.

Chapter 3 of the IOMMU specification; Privileged ISA, "Virtual Address Translation Process" and "Two-Stage Address
Translation", Svnapot, Svpbmt, Svrsw60t59b. Where the text leaves room, what README.md says of the vectors decides: the
model gives their answer (the corrected one, where there are two) to every request of theirs.
"""
CAPABILITIES = {
    "Sv32": 8, "Sv39": 9, "Sv48": 10, "Sv57": 11, "Svrsw60t59b": 14, "Svpbmt": 15, "Sv32x4": 16, "Sv39x4": 17,
    "Sv48x4": 18, "Sv57x4": 19, "AMO_MRIF": 21, "MSI_FLAT": 22, "MSI_MRIF": 23, "AMO_HWAD": 24, "ATS": 25, "T2GPA": 26,
    "END": 27, "PD8": 38, "PD17": 39, "PD20": 40, "QOSID": 41,
}
TC = ("V", "EN_ATS", "EN_PRI", "T2GPA", "DTF", "PDTV", "PRPR", "GADE", "SADE", "DPE", "SBE", "SXL")
OFF, BARE = 0, 1
PDT_MODES = {1: "PD8", 2: "PD17", 3: "PD20"}
FIRST_MODES = {8: "Sv39", 9: "Sv48", 10: "Sv57"}
SECOND_MODES = {8: "Sv39x4", 9: "Sv48x4", 10: "Sv57x4"}
PAGE = 4096
# The causes that DTF does not keep out of the queue, and the responses to ATS requests.
DESPITE_DTF = (256, 257, 258, 259, 268, 272, 273)
ATS_UNSUPPORTED = (256, 257, 258, 259, 260)
ATS_SUCCESS = (12, 13, 15, 20, 21, 23, 262, 266)


def bits(value, high, low):
    return value >> low & (1 << (high - low + 1)) - 1


class Fault(Exception):
    def __init__(self, cause, iotval2=0):
        super().__init__(cause)
        self.cause, self.iotval2 = cause, iotval2


class GuestPageFault(Exception):
    """Of the second stage; who asked knows the cause and bits 1:0 of iotval2."""

    def __init__(self, address):
        super().__init__(address)
        self.address = address


class AccessFault(Exception):
    pass


class Poisoned(Exception):
    pass


class World:
    """Registers, parameters and memory of one IOMMU."""

    def __init__(self, capabilities=0, fctl=0, ddtp=0, gxl_writable=1, be_writable=0, pages=None, poison=()):
        self.capabilities, self.fctl, self.ddtp = capabilities, fctl, ddtp
        self.gxl_writable, self.be_writable = gxl_writable, be_writable
        self.pages = {} if pages is None else pages
        self.poison = set(poison)

    def has(self, capability):
        return self.capabilities >> CAPABILITIES[capability] & 1

    pas = property(lambda self: bits(self.capabilities, 37, 32))
    big_endian = property(lambda self: self.fctl & 1)
    gxl = property(lambda self: self.fctl >> 2 & 1)

    def device_indexes(self, device_id):
        low = 6 if self.has("MSI_FLAT") else 7
        return [bits(device_id, low - 1, 0), bits(device_id, low + 8, low), device_id >> (low + 9)]


class Leaf:
    """A leaf PTE, and where it leads."""

    def __init__(self, pte, shift, ppn, address, pbmt):
        self.R, self.W, self.X, self.U, self.G, self.A, self.D = (pte >> i & 1 for i in range(1, 8))
        within = (1 << shift) - 1
        self.pa = ((ppn & ~within | address >> 12 & within) << 12) | address & PAGE - 1
        self.size = PAGE << shift
        self.pbmt = pbmt


class Walk:
    """One request: priv u|s, access r|w|x, kind untranslated|translated|ats."""

    def __init__(self, world, device_id, process_id, priv, access, kind, iova):
        self.w, self.device_id, self.process_id = world, device_id, process_id
        self.access, self.kind, self.iova = access, kind, iova
        self.ats = kind == "ats"
        self.supervisor = priv == "s" and process_id is not None
        # Execute is asked for in PCIe's PASID prefix: without one, what is not untranslated is a read.
        self.execute = access == "x" and (kind == "untranslated" or process_id is not None)
        self.write = access == "w"
        self.needed = "X" if self.execute else "W" if self.write else "R"
        # By which cause: an ATS request is a read to begin with.
        self.reported_as = 0 if self.execute else 2 if self.write and not self.ats else 1
        self.steps, self.stored, self.bytes = [], {}, {}
        self.tc, self.dc, self.why = dict.fromkeys(TC, 0), None, None

    # -- memory: entries that were read, and A/D updates

    def read(self, structure, level, address, size, unit, big_endian):
        if address >> self.w.pas:
            raise AccessFault
        values = []
        self.steps.append((structure, level, address, values))
        page = address & -PAGE
        if page not in self.w.pages:
            raise AccessFault
        if page in self.w.poison:
            raise Poisoned
        raw = self.content(address, size)
        values += [int.from_bytes(raw[i:i + unit], "big" if big_endian else "little") for i in range(0, size, unit)]
        return values

    def content(self, address, size):
        page = self.w.pages[address & -PAGE]
        return bytes(self.bytes.get(address + i, page[address % PAGE + i]) for i in range(size))

    def store(self, address, value, size, big_endian):
        self.stored[address, size] = True
        for i, byte in enumerate(value.to_bytes(size, "big" if big_endian else "little")):
            self.bytes[address + i] = byte

    def writes(self):
        return [(a, size, int.from_bytes(self.content(a, size), "little")) for a, size in self.stored]

    def access_fault(self):
        return Fault((1, 5, 7)[self.reported_as])

    def page_fault(self):
        return Fault((12, 13, 15)[self.reported_as])

    def guest_page_fault(self, address, implicit):
        return Fault((20, 21, 23)[self.reported_as], address & ~3 | implicit)

    # -- device directory, and what makes a device context a misconfigured one

    def locate_dc(self):
        w = self.w
        levels = bits(w.ddtp, 3, 0) - 1
        indexes = w.device_indexes(self.device_id)
        if any(indexes[levels:]):
            raise Fault(260)
        table = bits(w.ddtp, 53, 10) << 12
        size = 64 if w.has("MSI_FLAT") else 32
        try:
            for level in range(levels - 1, 0, -1):
                entry, = self.read("ddte", level, table + indexes[level] * 8, 8, 8, w.big_endian)
                if not entry & 1:
                    raise Fault(258)
                if bits(entry, 9, 1) or bits(entry, 63, 54):
                    raise Fault(259)
                table = bits(entry, 53, 10) << 12
            dc = self.read("dc", 0, table + indexes[0] * size, size, 8, w.big_endian)
        except AccessFault:
            raise Fault(257) from None
        except Poisoned:
            raise Fault(268) from None
        if not dc[0] & 1:
            raise Fault(258)
        tc = {name: dc[0] >> i & 1 for i, name in enumerate(TC)}
        self.why = self.reserved(dc) or self.combination(dc, tc) or self.modes(dc, tc)
        if self.why:
            raise Fault(259)
        self.dc, self.tc = dc, tc

    def reserved(self, dc):
        if bits(dc[0], 23, 12) or bits(dc[0], 63, 32):
            return "tc"
        if bits(dc[2], 11, 0) or bits(dc[2], 39, 32):
            return "ta"
        if bits(dc[2], 63, 40) and not self.w.has("QOSID"):
            return "RCID, MCID"
        if bits(dc[3], 59, 44):
            return "fsc"
        if len(dc) == 4:
            return None
        if bits(dc[4], 59, 44):
            return "msiptp"
        if (dc[5] | dc[6]) >> max(self.guest_address_bits() - 12, 0):
            return "mask, pattern"
        return "last doubleword" if dc[7] else None

    def guest_address_bits(self):
        """MGPAW."""
        for capability, width in (("Sv57x4", 59), ("Sv48x4", 50), ("Sv39x4", 41), ("Sv32x4", 34)):
            if self.w.has(capability):
                return width
        return self.w.pas

    def combination(self, dc, tc):
        w = self.w
        if not w.has("ATS") and (tc["EN_ATS"] or tc["EN_PRI"] or tc["PRPR"]):
            return "ATS"
        if not tc["EN_ATS"] and (tc["T2GPA"] or tc["EN_PRI"]):
            return "EN_ATS"
        if not tc["EN_PRI"] and tc["PRPR"]:
            return "PRPR"
        if tc["T2GPA"] and not (w.has("T2GPA") and dc[1] >> 60):
            return "T2GPA"
        if tc["DPE"] and not tc["PDTV"]:
            return "DPE"
        if (tc["SADE"] or tc["GADE"]) and not w.has("AMO_HWAD"):
            return "AMO_HWAD"
        if tc["SBE"] != w.big_endian and not (w.has("END") and w.be_writable):
            return "SBE"
        if w.gxl != tc["SXL"] and not (tc["SXL"] and w.gxl_writable):
            return "SXL"
        return None

    def modes(self, dc, tc):
        w, second = self.w, dc[1] >> 60
        if tc["PDTV"]:
            mode = dc[3] >> 60
            if mode and not (mode in PDT_MODES and w.has(PDT_MODES[mode])):
                return "pdtp"
        elif not self.first_stage_is_there(dc[3] >> 60, tc):
            return "iosatp"
        offered = {8: "Sv32x4"} if w.gxl else SECOND_MODES
        if second and not (second in offered and w.has(offered[second])):
            return "iohgatp"
        if second and dc[1] & 3:
            return "alignment"
        if len(dc) == 8 and (dc[4] >> 60 > 1 or dc[4] >> 60 and not second):
            return "msiptp"
        return None

    def first_stage_is_there(self, mode, tc):
        offered = {8: "Sv32"} if tc["SXL"] else FIRST_MODES
        return mode == 0 or mode in offered and self.w.has(offered[mode])

    # -- process directory

    def locate_pc(self, process_id):
        indexes = [bits(process_id, 7, 0), bits(process_id, 16, 8), bits(process_id, 19, 17)]
        table = bits(self.dc[3], 43, 0) << 12
        for level in range((self.dc[3] >> 60) - 1, -1, -1):
            size = 8 if level else 16
            address = table + indexes[level] * size
            try:
                address, _ = self.second_stage(address, "R", "pdt")
                entry = self.read("pdte" if level else "pc", level, address, size, 8, self.tc["SBE"])
            except GuestPageFault as fault:
                raise self.guest_page_fault(fault.address, 1) from None
            except AccessFault:
                raise Fault(265) from None
            except Poisoned:
                raise Fault(269) from None
            if not entry[0] & 1:
                raise Fault(266)
            if level and (bits(entry[0], 9, 1) or bits(entry[0], 63, 54)):
                raise Fault(267)
            table = bits(entry[0], 53, 10) << 12
        ta, fsc = entry
        if bits(ta, 11, 3) or ta >> 32 or bits(fsc, 59, 44) or not self.first_stage_is_there(fsc >> 60, self.tc):
            raise Fault(267)
        return ta, fsc

    # -- page tables

    def judge_pte(self, pte, level, size, address):
        """None: a fault; a number: the next table; else the Leaf."""
        v, r, w, x = (pte >> i & 1 for i in range(4))
        ppn, n, pbmt = bits(pte, 53, 10), pte >> 63, bits(pte, 62, 61)
        if not v or w and not r or bits(pte, 58, 54):
            return None
        if bits(pte, 60, 59) and not self.w.has("Svrsw60t59b") or pbmt and not self.w.has("Svpbmt") or pbmt == 3:
            return None
        if not r and not x:
            return None if bits(pte, 7, 6) or pte >> 4 & 1 or n or pbmt or level == 0 else ppn << 12
        shift = (10 if size == 4 else 9) * level
        if ppn & (1 << shift) - 1 or n and (level or ppn & 15 != 8):
            return None
        return Leaf(pte, 4 if n else shift, ppn, address, pbmt)

    def second_stage(self, address, needed, implicit=None):
        """(system physical address, Leaf or None). IMPLICIT: ADDRESS is that of a "pdt" entry or of a first-stage "pte"."""
        w, mode = self.w, self.dc[1] >> 60
        if not mode:
            return address, None
        levels, size, step = (2, 4, 10) if w.gxl else (mode - 5, 8, 9)
        width = 12 + step * levels + 2
        if address >> (min(width, 34) if self.tc["SXL"] else width):
            raise GuestPageFault(address)
        table = bits(self.dc[1], 43, 0) << 12
        for level in range(levels - 1, -1, -1):
            index = bits(address, 11 + step * (level + 1) + 2 * (level == levels - 1), 12 + step * level)
            place = table + index * size
            pte, = self.read("gpte", level, place, size, size, w.big_endian)
            found = self.judge_pte(pte, level, size, address)
            if found is None:
                raise GuestPageFault(address)
            if isinstance(found, Leaf):
                break
            table = found
        if not found.U or not self.second_stage_permits(found, needed, implicit):
            raise GuestPageFault(address)
        dirty = found.W and (needed == "W" or implicit == "pte" and self.tc["SADE"] and self.tc["GADE"])
        if pte | 0x40 | dirty << 7 != pte:
            if not self.tc["GADE"]:
                raise GuestPageFault(address)
            self.store(place, pte | 0x40 | dirty << 7, size, w.big_endian)
            found.D |= dirty
        return found.pa, found

    def second_stage_permits(self, leaf, needed, implicit):
        if self.ats and not implicit:
            return True
        # PCIe lets nobody execute what cannot be read.
        if self.kind == "translated" and needed == "X" and not leaf.R:
            return False
        return getattr(leaf, needed)

    def first_stage(self, fsc, sum_):
        """The Leaf for the IOVA. SUM_: of the process context."""
        levels, size, step = (2, 4, 10) if self.tc["SXL"] else ((fsc >> 60) - 5, 8, 9)
        top = self.iova >> 32 if size == 4 else self.iova >> (11 + step * levels)
        if top and (size == 4 or top != (1 << (53 - step * levels)) - 1):
            raise self.page_fault()
        table, everywhere = bits(fsc, 43, 0) << 12, 0
        for level in range(levels - 1, -1, -1):
            guest = table + bits(self.iova, 11 + step * (level + 1), 12 + step * level) * size
            try:
                place, under = self.second_stage(guest, "R", "pte")
                pte, = self.read("pte", level, place, size, size, self.tc["SBE"])
            except GuestPageFault as fault:
                raise self.guest_page_fault(fault.address, 1) from None
            except AccessFault:
                raise self.access_fault() from None
            except Poisoned:
                raise Fault(274) from None
            found = self.judge_pte(pte, level, size, self.iova)
            if found is None:
                raise self.page_fault()
            everywhere |= pte >> 5 & 1
            if isinstance(found, Leaf):
                break
            table = found
        found.G = everywhere
        self.first_stage_permits(found, sum_)
        dirty = self.write and found.W
        if pte | 0x40 | dirty << 7 != pte:
            if not self.tc["SADE"]:
                raise self.page_fault()
            # The store is an implicit write to the second stage, which has set D by now if it may (GADE).
            if under and not (under.W and under.D):
                raise self.guest_page_fault(guest, 3)
            self.store(place, pte | 0x40 | dirty << 7, size, self.tc["SBE"])
            found.D |= dirty
        return found

    def first_stage_permits(self, leaf, sum_):
        if not leaf.U if not self.supervisor else leaf.U and (self.execute or not sum_):
            raise self.page_fault()
        if not self.ats and not getattr(leaf, self.needed):
            raise self.page_fault()

    # -- MSI page table

    def msi(self, guest):
        """None where GUEST is no virtual interrupt file."""
        if len(self.dc) == 4 or not self.dc[4] >> 60:
            return None
        mask, pattern, page = self.dc[5], self.dc[6], guest >> 12
        if page & ~mask != pattern & ~mask:
            return None
        chosen = [page >> i & 1 for i in range(52) if mask >> i & 1]
        number = sum(bit << i for i, bit in enumerate(chosen))
        place = bits(self.dc[4], 43, 0) << 12 | number * 16
        try:
            low, high = self.read("msi_pte", 0, place, 16, 8, self.w.big_endian)
        except AccessFault:
            raise Fault(261) from None
        except Poisoned:
            raise Fault(270) from None
        if not low & 1:
            raise Fault(262)
        answer = self.msi_entry(low, high)
        answer["pa"] |= guest & PAGE - 1
        if self.execute and not self.ats:
            raise Fault(1)
        return answer

    def msi_entry(self, low, high):
        mode, custom = bits(low, 2, 1), low >> 63
        if not custom and mode == 3 and not bits(low, 9, 3) and not bits(low, 62, 54):
            return {"msi": "flat", "pa": bits(low, 53, 10) << 12}
        if custom or mode != 1 or not self.w.has("MSI_MRIF") or bits(low, 6, 3) or bits(low, 62, 54) or \
                bits(high, 59, 54) or bits(high, 63, 61):
            raise Fault(263)
        return {"msi": "mrif", "pa": bits(high, 53, 10) << 12, "mrif_address": bits(low, 53, 7) << 9,
                "notice_id": bits(high, 60, 60) << 10 | bits(high, 9, 0)}

    def clear_of_msi(self, guest, size):
        """A leaf in which a virtual interrupt file lies holds for less around GUEST: by whole levels."""
        if len(self.dc) == 4 or not self.dc[4] >> 60:
            return size
        step = 10 if self.w.gxl else 9
        smaller = [PAGE << step * i for i in range(5)]
        for candidate in [size] + [s for s in reversed(smaller) if s < size]:
            if (guest >> 12 ^ self.dc[6]) & ~self.dc[5] & ~((candidate >> 12) - 1):
                return candidate
        return PAGE

    # -- all of it

    def run(self):
        """A dict: result, then what the record of a translation has; numbers as numbers; steps, writes."""
        try:
            answer = dict(self.translate(), result="ok")
        except Fault as fault:
            answer = self.faulted(fault)
        answer.update(steps=self.steps, writes=self.writes())
        return answer

    def faulted(self, fault):
        success = self.ats and fault.cause in ATS_SUCCESS
        abort = self.ats and fault.cause not in ATS_UNSUPPORTED
        return {"result": "fault", "cause": fault.cause, "iotval": self.iova, "iotval2": fault.iotval2,
                "reported": not success and not (self.tc["DTF"] and fault.cause not in DESPITE_DTF),
                "response": "success" if success else "ca" if abort else "ur"}

    def translate(self):
        mode = bits(self.w.ddtp, 3, 0)
        same = {"pa": self.iova, "page_size": None, "permissions": None, "memory_type": "pma", "msi": "none"}
        if mode == OFF:
            raise Fault(256)
        if mode == BARE:
            if self.kind != "untranslated":
                raise Fault(260)
            return same
        self.locate_dc()
        if self.kind != "untranslated" and not self.tc["EN_ATS"]:
            raise Fault(260)
        if self.process_id is not None:
            width = {1: 8, 2: 17}.get(self.dc[3] >> 60, 20)
            if not self.tc["PDTV"] or self.process_id >> width:
                raise Fault(260)
        if self.kind == "translated" and not self.tc["T2GPA"]:
            return same
        return self.through_stages(*self.first_stage_context())

    def first_stage_context(self):
        """(fsc, SUM); fsc is 0 for Bare."""
        if self.kind == "translated":
            return 0, 0
        if not self.tc["PDTV"]:
            return self.dc[3], 0
        if not self.dc[3] >> 60 or self.process_id is None and not self.tc["DPE"]:
            return 0, 0
        ta, fsc = self.locate_pc(self.process_id or 0)
        if self.supervisor and not ta >> 1 & 1:
            raise Fault(260)
        return fsc, ta >> 2 & 1

    def through_stages(self, fsc, sum_):
        first = self.first_stage(fsc, sum_) if fsc >> 60 else None
        guest = first.pa if first else self.iova
        answer = self.msi(guest)
        second = None
        if not answer:
            try:
                pa, second = self.second_stage(guest, self.needed)
            except GuestPageFault:
                raise self.guest_page_fault(guest, 0) from None
            except AccessFault:
                raise self.access_fault() from None
            except Poisoned:
                raise Fault(274) from None
            answer = {"msi": "none", "pa": pa}
        return self.complete(answer, guest, first, second)

    def complete(self, answer, guest, first, second):
        stages = [stage for stage in (first, second) if stage]
        sizes = [first.size] if first else []
        if second:
            sizes.append(self.clear_of_msi(guest, second.size))
        granted = {bit: all(getattr(stage, bit) for stage in stages) for bit in "RWXD"}
        if answer["msi"] != "none":
            sizes.append(PAGE)
            granted["X"] = False
        if self.ats:
            granted["W"] &= granted["D"]
            granted["X"] &= granted["R"] and self.access == "x"
            # A first stage that is Bare counts as global: the vectors say so.
            everywhere = answer["msi"] == "none" and (not first or first.G)
            answer["ats"] = {"privileged": self.supervisor, "global": bool(self.process_id is not None and everywhere),
                             "untranslated_only": answer["msi"] == "mrif"}
            if self.tc["T2GPA"]:
                answer["pa"] = guest
        hidden = self.kind == "translated" or answer["msi"] == "mrif" and not self.ats
        memory = next((stage.pbmt for stage in stages if stage.pbmt), 0)
        answer.update(page_size=min(sizes) if sizes else None, memory_type=("pma", "nc", "io")[memory],
                      permissions=None if hidden else "".join(b.lower() if granted[b] else "-" for b in "RWX"))
        return answer
