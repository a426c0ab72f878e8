# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine around a set-up: QEMU's virt board with one IOMMU, two edu devices and, where QEMU has it, iommu-testdev."""
import os
import struct
import sys
import time

import qemu
import tables

sys.path.append(os.path.join(os.path.dirname(qemu.HERE), "vectors"))
import capture  # noqa: E402

ECAM = 0x30000000
IOMMU_SYS, IOMMU_PCI = 0x3010000, 0x41000000
IOMMU_SLOT = 3
# device_id: (device, BAR0). Bus 0, so the device_id is slot << 3.
EDU, FAR, TESTDEV = 0x08, 0xf8, 0x10
BARS = {EDU: 0x40000000, FAR: 0x40100000, TESTDEV: 0x40200000}

# Where things are in RAM: the queues and the directories below, what devices may reach above, and one page
# through which edu's own buffer is filled and looked at.
COMMANDS, FAULTS, TABLES, TARGETS, STAGING = 0x80010000, 0x80011000, 0x80100000, 0x80800000, 0x80fff000
FAULT_SLOTS = 128
CQ_ON = FQ_ON = 1 << 16

EDU_BUFFER, TOKEN_AT, SLOTS_AT = 0x40000, 0x40000, 0x40100
SENTINEL = 0x0badf00d
TESTDEV_TOKEN = 0x12345678
MSI_TOKEN = 0xc0de   # an MSI carries 16 bits
TESTDEV_REFUSED = 0xdead0002

NAMES = {n: r for n, r in capture.REGISTERS.items() if not n.startswith("msi_") or int(n.rsplit("_", 1)[1]) < 5}


class Record:
    """A fault record, taken apart here and not by the code under test."""

    def __init__(self, raw):
        self.raw = struct.unpack("<4Q", raw)
        head = self.raw[0]
        self.cause, self.pid, self.pv, self.priv = head & 0xfff, head >> 12 & 0xfffff, head >> 32 & 1, head >> 33 & 1
        self.ttyp, self.did = head >> 34 & 0x3f, head >> 40
        self.iotval, self.iotval2 = self.raw[2:]


class Seen:
    """What the hardware did with one request: let through or not, where to (None: it does not say), fault records."""

    def __init__(self, channel, ok, pa, records):
        self.channel, self.ok, self.pa, self.records = channel, ok, pa, records


class Rig:
    """KIND: sys or pci. OPTIONS: properties of the IOMMU, such as intremap=off."""

    def __init__(self, program, kind, options):
        self.base = IOMMU_SYS if kind == "sys" else IOMMU_PCI
        self.testdev = "iommu-testdev" in program.devices
        arguments = []
        if kind == "pci":
            arguments += ["-device", ",".join([f"riscv-iommu-pci,addr={IOMMU_SLOT}.0"] + options)]
        else:
            for option in options:
                arguments += ["-global", "riscv-iommu." + option]
        for did in (EDU, FAR):
            arguments += ["-device", f"edu,addr={did >> 3:x}.0,dma_mask=0xffffffffffffffff"]
        if self.testdev:
            arguments += ["-device", f"iommu-testdev,addr={TESTDEV >> 3:x}.0"]
        self.qemu = qemu.Qemu(program, arguments, ",iommu-sys=on" if kind == "sys" else "")
        self.commands = self.head = 0
        self.token = 0x7e57c0de
        self.slots = {EDU: 0, FAR: 0}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.qemu.stop()

    # -- registers and PCI ------------------------------------------------------------------------------
    def get(self, name):
        offset, width = NAMES[name]
        return self.qemu.read(self.base + offset, width)

    def set(self, name, value):
        offset, width = NAMES[name]
        self.qemu.write(self.base + offset, width, value)

    def registers(self):
        return {name: self.get(name) for name in NAMES}

    def _pci(self, slot, bar):
        config = ECAM + (slot << 15)
        self.qemu.write(config + 0x10, 4, bar)
        self.qemu.write(config + 0x04, 4, 6)  # memory space and bus master

    def start(self):
        """Gives addresses to the PCI functions and fills edu's buffers, with the IOMMU out of the way."""
        if self.base == IOMMU_PCI:
            self._pci(IOMMU_SLOT, IOMMU_PCI)
        for did in (EDU, FAR) + ((TESTDEV,) if self.testdev else ()):
            self._pci(did >> 3, BARS[did])
        if not self.get("capabilities"):
            raise qemu.QemuError("no IOMMU at its address")
        self.set("ddtp", tables.BARE)
        page = bytearray(struct.pack("<I", SENTINEL) * (tables.PAGE // 4))
        page[0:4] = struct.pack("<I", self.token)
        self.qemu.put(STAGING, page)
        for did in (EDU, FAR):
            self._edu(did, 1, STAGING, EDU_BUFFER, tables.PAGE)
        self.qemu.put(STAGING, bytes(tables.PAGE))
        self.set("ddtp", tables.OFF)

    def program(self, memory, registers):
        """Loads the tables and starts the queues; REGISTERS as the set-up wants them, ddtp last."""
        for page in (COMMANDS, FAULTS):
            memory.page(page)
        for at, page in memory.pages.items():
            if qemu.RAM_BASE <= at < qemu.RAM_BASE + qemu.RAM_SIZE:
                self.qemu.put(at, page)
        for name, value in registers.items():
            if name != "ddtp":
                self.set(name, value)
        self.set("cqb", COMMANDS >> 12 << 10 | 7)
        self.set("fqb", FAULTS >> 12 << 10 | FAULT_SLOTS.bit_length() - 2)
        self.set("cqcsr", 1)
        self.set("fqcsr", 1)
        if not self.get("cqcsr") & CQ_ON or not self.get("fqcsr") & FQ_ON:
            raise qemu.QemuError("a queue does not start")
        self.set("ddtp", registers["ddtp"])
        self.invalidate()

    def invalidate(self):
        """Empties every cache: a probe shows what the tables say, not what was said before."""
        for command in (0x003, 0x001, 0x081):  # IODIR.INVAL_DDT, IOTINVAL.VMA, IOTINVAL.GVMA, of everything
            self.qemu.put(COMMANDS + self.commands * 16, struct.pack("<2Q", command, 0))
            self.commands = (self.commands + 1) % 256
        self.set("cqt", self.commands)
        if self.get("cqh") != self.commands:
            raise qemu.QemuError(f"the command queue stands still, cqcsr {self.get('cqcsr'):#x}")

    # -- requests ---------------------------------------------------------------------------------------
    def records(self):
        """The fault records since the last call. They are consumed, and stay in the ring."""
        tail, found = self.get("fqt"), []
        if self.get("fqcsr") & 0x300:
            raise qemu.QemuError(f"the fault queue lost records, fqcsr {self.get('fqcsr'):#x}")
        while self.head != tail:
            found.append(Record(self.qemu.get(FAULTS + self.head * 32, 32)))
            self.head += 1
            if self.head == FAULT_SLOTS:
                raise qemu.QemuError("more faults than fit the queue: make two set-ups of this one")
        self.set("fqh", self.head)
        return found

    def debug(self, did, iova, access, pid=None):
        """Asks the debug translation registers; page-granular."""
        self.set("tr_req_iova", iova & ~0xfff)
        self.set("tr_req_ctl", did << 40 | (0 if pid is None else 1 << 32 | pid << 12) | (8 if access == "r" else 0) | 1)
        if self.get("tr_req_ctl") & 1:
            raise qemu.QemuError("tr_req_ctl.Go stays set")
        answer = self.get("tr_response")
        ok = not answer & 1
        return Seen("tr_req", ok, (answer >> 10 & (1 << 44) - 1) << 12 if ok else None, self.records())

    def dma(self, did, iova, access):
        """Four bytes, by the device that DID belongs to; None if it cannot do that."""
        if did == TESTDEV:
            return self._testdev_write(iova) if self.testdev and access == "w" else None
        return self._edu_write(did, iova) if access == "w" else self._edu_read(did, iova)

    def _edu(self, did, command, source, target, count):
        for offset, value in ((0x80, source), (0x88, target), (0x90, count), (0x98, command)):
            self.qemu.write(BARS[did] + offset, 8, value)
        for _ in range(20):  # edu takes 100 ms of its own time
            if self.qemu.steps:
                self.qemu.command("clock_step 100000001")
            else:
                time.sleep(0.11)
            if not self.qemu.read(BARS[did] + 0x98, 8) & 1:
                return
        raise qemu.QemuError("edu does not finish")

    def _landed(self, token):
        """Where TOKEN is in RAM, from all of it, and put right again."""
        found = self.qemu.find(struct.pack("<I", token))
        for at in found:
            self.qemu.put(at, struct.pack("<I", at & ~3))
        return found

    def _edu_write(self, did, iova):
        self._edu(did, 3, TOKEN_AT, iova, 4)
        found = self._landed(self.token)
        return Seen("edu", bool(found), found[0] if len(found) == 1 else tuple(found) or None, self.records())

    def _edu_read(self, did, iova):
        """The words of RAM hold their own addresses, so what edu read is where it read; slots() tells it in the end."""
        self.slots[did] += 1
        self._edu(did, 1, iova, SLOTS_AT + 4 * self.slots[did], 4)
        seen = Seen("edu", None, None, self.records())
        seen.slot = (did, self.slots[did])
        return seen

    def message(self, did, iova):
        """An MSI of edu's to IOVA. QEMU knows the sender of a plain DMA write to an MSI page no more; of an MSI it does."""
        if did not in (EDU, FAR):
            return None
        config = ECAM + (did >> 3 << 15)
        at = config + (self.qemu.read(config + 0x34, 4) & 0xff)
        while self.qemu.read(at, 4) & 0xff != 5:  # the MSI capability
            at = config + (self.qemu.read(at, 4) >> 8 & 0xff)
            if at == config:
                raise qemu.QemuError("edu has no MSI")
        for offset, value in ((4, iova & 0xffffffff), (8, iova >> 32), (12, MSI_TOKEN)):
            self.qemu.write(at + offset, 4, value)
        self.qemu.write(at, 4, self.qemu.read(at, 4) | 1 << 16)
        self.qemu.write(BARS[did] + 0x60, 4, 1)  # raise
        self.qemu.write(BARS[did] + 0x64, 4, 1)  # acknowledge
        self.qemu.write(at, 4, self.qemu.read(at, 4) & ~(1 << 16))
        found = self._landed(MSI_TOKEN)
        return Seen("msi", bool(found), found[0] if len(found) == 1 else tuple(found) or None, self.records())

    def _testdev_write(self, iova):
        bar = BARS[TESTDEV]
        for offset, value in ((0x04, iova & 0xffffffff), (0x08, iova >> 32), (0x1c, TARGETS & 0xffffffff), (0x20, TARGETS >> 32),
                              (0x0c, 4), (0x14, 1)):
            self.qemu.write(bar + offset, 4, value)
        self.qemu.read(bar, 4)
        refused = self.qemu.read(bar + 0x10, 4) == TESTDEV_REFUSED
        found = self._landed(TESTDEV_TOKEN)
        if refused == bool(found):
            raise qemu.QemuError(f"iommu-testdev says {'refused' if refused else 'done'}, memory says otherwise")
        return Seen("testdev", bool(found), found[0] if len(found) == 1 else tuple(found) or None, self.records())

    def resolve(self, seen):
        """Completes what _edu_read could not know yet: empties edu's buffers through a Bare IOMMU."""
        self.set("ddtp", tables.OFF)
        self.set("ddtp", tables.BARE)
        self.invalidate()
        for did in {s.slot[0] for s in seen}:
            self._edu(did, 3, EDU_BUFFER, STAGING, tables.PAGE)
            page = struct.unpack("<1024I", self.qemu.get(STAGING, tables.PAGE))
            for s in seen:
                if s.slot[0] == did:
                    value = page[(SLOTS_AT - EDU_BUFFER) // 4 + s.slot[1]]
                    s.ok = qemu.RAM_BASE <= value < qemu.RAM_BASE + qemu.RAM_SIZE
                    s.pa = value if s.ok else None
