# SPDX-License-Identifier: GPL-2.0-or-later
"""The set-ups: each builds tables in an empty memory and says which requests to make.

To add one: write a function that takes a Case, and put @setup("its name") above it. `case.ask(iova, "rw")` makes a
read and a write, by the debug registers and, for the devices that exist (EDU, FAR, TESTDEV), by real DMA.
"""
import rig
import tables
from rig import EDU, FAR, TESTDEV, capture
from tables import (A, D, GIB1, KIB64, MIB2, N, PAGE, R, RO, RW, U, V, W, X, Directory, Pages, PageTable)

HOLE = 0x90000000      # between RAM and nothing
LIST = []              # the table of set-ups, in order


class Setup:
    """One line of the table. BASE: 32-byte device contexts; HOLES: memory that the capture lacks does not exist."""

    def __init__(self, name, build, kind, base, holes, values):
        self.name, self.build, self.kind, self.holes, self.values = name, build, kind, holes, values
        self.base = base
        self.options = ["intremap=off"] if base else []


def setup(name, on=("sys",), base=False, holes=False, each=((),)):
    """Adds a function to the table: once for each IOMMU in ON and each tuple of further arguments in EACH."""
    def add(build):
        for values in each:
            for kind in on:
                LIST.append(Setup(f"{name.format(*values)} ({kind})", build, kind, base, holes, values))
        return build
    return add


class Ask:
    """One request. DMA: also by a device, if there is one. MSI: writes also as MSIs."""

    def __init__(self, did, iova, access, pid, msi):
        self.did, self.iova, self.access, self.pid = did, iova, access, pid
        self.dma, self.msi = pid is None, msi  # no device of QEMU's sends a process_id

    def batch_line(self):
        return f"{self.did:#x} {self.iova:#x} access={self.access}" + ("" if self.pid is None else f" pid={self.pid}")

    def __str__(self):
        return self.batch_line()


class Case:
    """What a set-up fills in."""

    def __init__(self, extended):
        self.extended = extended
        self.memory = capture.Memory()
        self.pages = Pages(self.memory, rig.TABLES)
        self.registers = {"ddtp": tables.OFF}
        self.directory = None
        self.asks = []
        self._target = rig.TARGETS

    def target(self, size=PAGE):
        """Physical memory for a leaf. A 1 GiB leaf starts where RAM does."""
        if size == GIB1:
            return 0x80000000
        self._target += -self._target % size
        self._target += size
        return self._target - size

    def levels(self, count):
        self.directory = Directory(self.pages, count, self.extended)
        self.registers["ddtp"] = tables.ddtp(count, self.directory.root)

    def context(self, did=EDU, tc=0, iohgatp=0, ta=0, fsc=0, msiptp=0, mask=0, pattern=0, valid=V):
        if self.directory is None:
            self.levels(2)
        self.directory.put(did, (tc | valid, iohgatp, ta, fsc, msiptp, mask, pattern, 0))

    def first(self, mode="sv39", second=None):
        return PageTable(self.pages, mode, second)

    def second(self, mode="sv39x4"):
        return PageTable(self.pages, mode)

    def processes(self, contexts, second=None):
        """A PD8 process directory of {process_id: (ta, fsc)}; the pdtp value."""
        root = self.pages.take()
        for pid, words in contexts.items():
            self.memory.put64(root + 16 * pid, *words)
        if second:
            second.map(root - PageTable.GUEST, root)
            root -= PageTable.GUEST
        return tables.PD8 << 60 | root >> 12

    def ask(self, iova, accesses="rw", did=EDU, pid=None, msi=False):
        for access in accesses:
            self.asks.append(Ask(did, iova, access, pid, msi))


BOTH = ("sys", "pci")
FIRST_MODES = (("sv39",), ("sv48",), ("sv57",))
SECOND_MODES = (("sv39x4",), ("sv48x4",), ("sv57x4",))
HIGH = {"sv39": 0x3f_c000_0000, "sv48": 0x7fff_c000_0000, "sv57": 0xff_ffff_c000_0000,
        "sv39x4": 0x1ff_c000_0000, "sv48x4": 0x3_ffff_c000_0000, "sv57x4": 0x7ff_ffff_c000_0000}


# -- modes and directories -------------------------------------------------------------------------------

@setup("ddtp Off", on=BOTH)
def off(case):
    for did in (EDU, FAR, TESTDEV):
        case.ask(rig.TARGETS + 0x10, did=did)


@setup("ddtp Bare", on=BOTH)
def bare(case):
    case.registers["ddtp"] = tables.BARE
    for did in (EDU, FAR, TESTDEV):
        case.ask(rig.TARGETS + 0x10, did=did)


def directory(case, count):
    case.levels(count)
    for did in (EDU, TESTDEV):
        case.context(did)
        case.ask(case.target() + 0x20, did=did)
    case.ask(rig.TARGETS, did=EDU + 1)      # a neighbour without a context
    width = case.directory.shifts[count]
    wide = FAR if FAR >> width else 1 << width
    if width < 24:
        case.ask(rig.TARGETS, did=wide)     # device_id too wide for the directory
    else:
        case.context(0xffffff)
        case.ask(rig.TARGETS, did=0xffffff)


@setup("{0}-level directory, 64-byte contexts, Bare", on=BOTH, each=((1,), (2,), (3,)))
def directory_extended(case, count):
    directory(case, count)


@setup("{0}-level directory, 32-byte contexts, Bare", base=True, each=((1,), (2,), (3,)))
def directory_base(case, count):
    directory(case, count)


@setup("3-level directory, 32-byte contexts, Bare", on=("pci",), base=True)
def directory_base_pci(case):
    directory(case, 3)


@setup("32-byte contexts, Sv39 over Sv39x4", base=True)
def base_two_stages(case):
    two_stages(case, "sv39", "sv39x4")


@setup("device_id beyond a directory of {0} level(s)", each=((1,), (2,)))
def too_wide(case, count):
    case.levels(count)
    case.context(EDU)
    for did in (1 << case.directory.shifts[count], 0x800008, 0xffffff) + ((FAR,) if count == 1 else ()):
        case.ask(rig.TARGETS, did=did)


@setup("directory entries not valid", on=BOTH)
def ddt_invalid(case):
    case.levels(3)
    case.context(EDU, valid=0)
    case.context(FAR)
    case.memory.put64(case.directory.entry(FAR, 1), 0)           # ends at a middle entry
    case.ask(rig.TARGETS)
    case.ask(rig.TARGETS, did=FAR)
    case.ask(rig.TARGETS, did=0x800000)                          # ends at the root
    case.ask(rig.TARGETS, did=TESTDEV)


@setup("directory entries misconfigured")
def ddt_reserved(case):
    case.levels(3)
    for bit, did in ((1, 0x008000), (9, 0x018000), (54, 0x028000), (63, 0x038000)):
        at = case.directory.entry(did, 1)
        case.context(did)
        case.memory.put64(at, int.from_bytes(case.memory.get(at, 8), "little") | 1 << bit)
        case.ask(rig.TARGETS, "r", did=did)
    at = case.directory.entry(EDU, 2)
    case.context(EDU)
    case.memory.put64(at, int.from_bytes(case.memory.get(at, 8), "little") | 2)
    case.ask(rig.TARGETS)


@setup("directory in a hole", holes=True)
def ddt_hole(case):
    case.levels(2)
    case.memory.put64(case.directory.entry(EDU, 1), HOLE >> 12 << 10 | V)
    case.ask(rig.TARGETS)


@setup("directory root in a hole", holes=True)
def ddt_root_hole(case):
    case.registers["ddtp"] = tables.ddtp(2, HOLE)
    case.ask(rig.TARGETS)


def contexts(case, variants):
    """One device context each, on device_ids from 1 on; the first is edu's, too, for a real DMA."""
    case.levels(1)
    for did, fields in enumerate(variants, 0x10):
        case.context(did, **fields)
        case.ask(rig.TARGETS, "r", did=did)
    case.context(EDU, **variants[0])
    case.ask(rig.TARGETS)


@setup("device contexts with reserved bits")
def dc_reserved(case):
    contexts(case, [{"tc": 1 << 12}, {"tc": 1 << 20}, {"tc": 1 << 23}, {"tc": 1 << 32}, {"tc": 1 << 63}, {"ta": 1}, {"ta": 1 << 32},
                    {"ta": 1 << 40}, {"fsc": 1 << 44}, {"msiptp": 1 << 44}, {"mask": 1 << 52}, {"pattern": 1 << 52}])


@setup("device contexts with flags that do not go together")
def dc_flags(case):
    contexts(case, [{"tc": tables.EN_PRI}, {"tc": tables.T2GPA}, {"tc": tables.EN_ATS | tables.T2GPA},
                    {"tc": tables.EN_ATS | tables.PRPR}, {"tc": tables.DPE}, {"tc": tables.SADE}, {"tc": tables.GADE},
                    {"tc": tables.SBE}])


@setup("device contexts with modes that do not exist")
def dc_modes(case):
    root = case.pages.take(4) >> 12
    contexts(case, [{"fsc": 1 << 60 | root}, {"fsc": 7 << 60 | root}, {"fsc": 11 << 60 | root}, {"fsc": 15 << 60 | root},
                    {"iohgatp": 1 << 60 | root}, {"iohgatp": 11 << 60 | root}, {"iohgatp": 8 << 60 | root | 1},
                    {"tc": tables.PDTV, "fsc": 2 << 60 | root}, {"tc": tables.PDTV, "fsc": 4 << 60 | root},
                    {"iohgatp": 8 << 60 | root, "msiptp": 2 << 60 | root}, {"tc": tables.SXL, "fsc": 9 << 60 | root}])


@setup("DTF: page faults not reported, directory faults reported")
def dtf(case):
    table = case.first()
    table.map(0x10000, case.target(), flags=RO)
    case.context(EDU, tc=tables.DTF, fsc=table.pointer())
    case.context(TESTDEV, tc=tables.DTF, fsc=table.pointer())
    case.context(FAR, tc=tables.DTF, valid=0)
    case.ask(0x10000)
    case.ask(0x20000)
    case.ask(0x20000, did=TESTDEV)
    case.ask(0x10000, did=FAR)
    case.context(0x18, tc=tables.DTF | 1 << 20)
    case.ask(0x10000, did=0x18)


# -- first stage -----------------------------------------------------------------------------------------

def leaves(case, table, mode):
    """Leaves of all sizes, low and high, and the pages beside them."""
    for i, size in enumerate((PAGE, MIB2, GIB1)):
        low, high = (i + 1) << 34, HIGH[mode] - (i << 31)
        inside = 0x801238 if size == GIB1 else size // 2 + 0x238  # in RAM
        for va in (low, high):
            table.map(va, case.target(size), size)
            case.ask(va + inside)
        case.ask(low + size, "r")


@setup("{0}, leaves of 4 KiB, 2 MiB and 1 GiB", on=BOTH, each=FIRST_MODES)
def first_stage(case, mode):
    table = case.first(mode)
    leaves(case, table, mode)
    case.context(EDU, fsc=table.pointer(), ta=7 << 12)


@setup("{0}, a superpage of {1:#x} bytes", each=(("sv48", 1 << 39), ("sv57", 1 << 39), ("sv57", 1 << 48)))
def huge_leaf(case, mode, size):
    table = case.first(mode)
    table.map(size, 0, size)
    case.context(EDU, fsc=table.pointer())
    case.ask(size + rig.TARGETS + 0x44)


@setup("first stage: Svnapot 64 KiB", on=BOTH)
def napot(case):
    table = case.first("sv48")
    table.map(0x1230000, case.target(KIB64), KIB64)
    table.map(0x1250000, case.target(KIB64), KIB64, RO)
    case.context(EDU, fsc=table.pointer())
    for iova in (0x1230010, 0x123f0f0, 0x1238004, 0x1257008):
        case.ask(iova)
    case.ask(0x1240000)


@setup("first stage: permissions", on=BOTH)
def permissions(case):
    table = case.first()
    flags = [RO, V | X | U | A | D, V | R | X | U | A | D, RW | X, V | R | W | A | D, V | R | W | U | D, V | R | W | U | A, RO | A]
    for i, f in enumerate(flags):
        table.map(0x100000 + i * PAGE, case.target(), flags=f)
        case.ask(0x100000 + i * PAGE + 0x10)
    case.context(EDU, fsc=table.pointer())


@setup("first stage: entries that are page faults")
def reserved_entries(case):
    table = case.first()
    leaf = lambda: case.target() >> 12 << 10 | RW  # noqa: E731
    for i, value in enumerate((leaf() & ~V, leaf() & ~R, leaf() & ~R | X, leaf() | 1 << 54, leaf() | 1 << 58, leaf() | 3 << 61,
                               leaf() | 1 << 61, leaf() | N, leaf() & ~(R | W), leaf() | 1 << 59)):
        table.put(table.entry(0x100000 + i * PAGE), value)
        case.ask(0x100000 + i * PAGE)
    for i, value in enumerate((0x80001 << 10 | RW, 0x80000 << 10 | N | RW, 0x80800 << 10 | V | D, 0x80800 << 10 | V | U,
                               0x80800 << 10 | V | A, 0x80800 << 10 | V | 1 << 61)):
        table.put(table.entry((i + 1) << 30, 1), value)
        case.ask((i + 1) << 30)
    case.context(EDU, fsc=table.pointer())


@setup("first stage: addresses that are not canonical, {0}", each=(("sv39", 38), ("sv48", 47), ("sv57", 56)))
def canonical(case, mode, bit):
    table = case.first(mode)
    table.map(0, case.target())
    case.context(EDU, fsc=table.pointer())
    for iova in (1 << bit + 1, 1 << 63, (1 << 64) - (1 << bit + 1) - PAGE, 1 << bit, 0):
        case.ask(iova)


@setup("first stage: page table in a hole", holes=True)
def table_hole(case):
    table = case.first()
    table.put(table.entry(0x10000, 1), HOLE >> 12 << 10 | V)
    case.context(EDU, fsc=table.pointer())
    case.context(TESTDEV, fsc=tables.FIRST["sv39"][0] << 60 | HOLE >> 12)  # the root
    case.ask(0x10000)
    case.ask(0x10000, did=TESTDEV)


@setup("first stage: Sv32")
def sv32(case):
    table = case.first("sv32")
    table.map(0x10000, case.target())
    table.map(0x12000, case.target(), flags=RO)
    table.map(0xffc00000, 0x80800000, 4 << 20)
    case.context(EDU, tc=tables.SXL, fsc=table.pointer())
    for iova in (0x10010, 0x12010, 0x14000, 0xffd23450, 0x100010000):
        case.ask(iova)


@setup("Sv32x4 and Sv32 over it")
def sv32x4(case):
    second = case.second("sv32x4")
    second.map(0x3_0001_0000, case.target())
    second.map(0x3_0040_0000, 0x80800000, 4 << 20)
    second.map(0x12000, case.target(), flags=RO)
    table = case.first("sv32", second)
    table.map(0x10000, 0x3_0001_0000)
    table.map(0x12000, 0x12000)
    case.registers["fctl"] = 4  # GXL
    case.context(EDU, tc=tables.SXL, iohgatp=second.pointer(1), fsc=table.pointer())
    case.context(TESTDEV, tc=tables.SXL, iohgatp=second.pointer(1))
    for iova in (0x10010, 0x12010, 0x14000):
        case.ask(iova)
    for iova in (0x3_0001_0010, 0x3_0055_0000, 0x4_0000_0000):
        case.ask(iova, did=TESTDEV)


# -- second stage ----------------------------------------------------------------------------------------

@setup("{0}, leaves of 4 KiB, 2 MiB and 1 GiB", on=BOTH, each=SECOND_MODES)
def second_stage(case, mode):
    table = case.second(mode)
    leaves(case, table, mode)
    width = HIGH[mode].bit_length()
    case.context(EDU, iohgatp=table.pointer(3))
    case.ask(1 << width)                                     # one bit too many
    case.ask(1 << 63)


@setup("second stage: permissions and reserved entries")
def second_permissions(case):
    table = case.second()
    for i, f in enumerate((RO, V | X | U | A | D, V | R | W | A | D, V | R | W | U, V | R | W | U | A, V | W | U | A | D, RW | 1 << 54)):
        table.map(0x100000 + i * PAGE, case.target(), flags=f)
        case.ask(0x100000 + i * PAGE + 0x10)
    case.context(EDU, iohgatp=table.pointer(3))


@setup("second stage: Svnapot 64 KiB")
def second_napot(case):
    table = case.second("sv48x4")
    table.map(0x1230000, case.target(KIB64), KIB64)
    case.context(EDU, iohgatp=table.pointer(3))
    for iova in (0x1230010, 0x123f0f0, 0x1240000):
        case.ask(iova)


@setup("second stage: page table in a hole", holes=True)
def second_hole(case):
    table = case.second()
    table.put(table.entry(0x10000, 1), HOLE >> 12 << 10 | V)
    case.context(EDU, iohgatp=table.pointer(3))
    case.ask(0x10000)


def two_stages(case, first, second):
    outer = case.second(second)
    inner = case.first(first, outer)
    gpa, ro, lost, big = 0x2_0000_0000, 0x2_0000_1000, 0x2_0000_2000, 0x2_4000_0000
    outer.map(gpa, case.target())
    outer.map(ro, case.target(), flags=RO)
    outer.map(big, case.target(MIB2), MIB2)
    high = HIGH[first]
    inner.map(high, gpa)
    inner.map(high + PAGE, ro)
    inner.map(high + 2 * PAGE, lost)                          # the second stage has no page there
    inner.map(high + 3 * PAGE, gpa, flags=RO)
    inner.map(high + 4 * PAGE, big + 0x1000)                  # 4 KiB out of 2 MiB
    inner.map(0x4000_0000, big, MIB2)                         # 2 MiB onto 2 MiB
    inner.map(0x8000_0000, 0x2_0000_0000, MIB2)               # 2 MiB onto single pages
    case.context(EDU, iohgatp=outer.pointer(2), fsc=inner.pointer(), ta=5 << 12)
    for iova in (high + 0x10, high + PAGE, high + 2 * PAGE + 0x20, high + 3 * PAGE, high + 4 * PAGE + 8, 0x4012_3450, 0x8000_0020,
                 0x8000_1020, 0x8000_2020, high - PAGE):
        case.ask(iova)


@setup("{0} over {1}", on=BOTH, each=(("sv39", "sv39x4"), ("sv48", "sv48x4"), ("sv57", "sv57x4")))
def nested(case, first, second):
    two_stages(case, first, second)


@setup("{0} over {1}", each=(("sv39", "sv57x4"), ("sv57", "sv39x4")))
def nested_mixed(case, first, second):
    two_stages(case, first, second)


@setup("two stages: guest's tables out of reach")
def nested_unreached(case):
    outer = case.second()
    inner = case.first("sv39", outer)
    inner.map(0x10000, 0x2_0000_0000)
    outer.map(0x2_0000_0000, case.target())
    leaf = inner.entry(0x10000)
    outer.put(outer.entry(inner.outside(leaf)), 0)            # the last table is gone
    case.context(EDU, iohgatp=outer.pointer(2), fsc=inner.pointer())
    case.context(TESTDEV, iohgatp=outer.pointer(2), fsc=8 << 60 | 0x7_0000_0000 >> 12)  # and here the root
    case.ask(0x10010)
    case.ask(0x10010, did=TESTDEV)


# -- process directories ---------------------------------------------------------------------------------

@setup("process directory: default process 0")
def process_default(case):
    table = case.first("sv48")
    table.map(0x10000, case.target())
    table.map(0x12000, case.target(), flags=RO)
    pdtp = case.processes({0: (V | 9 << 12, table.pointer())})
    case.context(EDU, tc=tables.PDTV | tables.DPE, fsc=pdtp)
    for iova in (0x10010, 0x12010, 0x14000):
        case.ask(iova)


@setup("process directory: no process_id and no default")
def process_none(case):
    pdtp = case.processes({0: (V, case.first().pointer())})
    case.context(EDU, tc=tables.PDTV, fsc=pdtp)
    case.context(TESTDEV, tc=tables.PDTV | tables.DPE)        # pdtp.MODE Bare
    case.ask(case.target() + 0x10)
    case.ask(case.target() + 0x10, did=TESTDEV)


@setup("process directory: entries not valid and misconfigured")
def process_faults(case):
    root = case.first().pointer()
    for did, words in ((EDU, (0, root)), (TESTDEV, (V | 8, root)), (0x18, (V | 1 << 32, root)), (0x20, (V, 7 << 60)),
                       (0x28, (V, root | 1 << 44)), (0x30, (V, 11 << 60))):
        case.context(did, tc=tables.PDTV | tables.DPE, fsc=case.processes({0: words}))
        case.ask(0x10000, did=did)


@setup("process directory in a hole", holes=True)
def process_hole(case):
    case.context(EDU, tc=tables.PDTV | tables.DPE, fsc=tables.PD8 << 60 | HOLE >> 12)
    case.ask(0x10000)


@setup("process directory under a second stage", on=BOTH)
def process_nested(case):
    outer = case.second()
    inner = case.first("sv39", outer)
    inner.map(0x10000, 0x2_0000_0000)
    outer.map(0x2_0000_0000, case.target())
    pdtp = case.processes({0: (V, inner.pointer())}, outer)
    case.context(EDU, tc=tables.PDTV | tables.DPE, iohgatp=outer.pointer(2), fsc=pdtp)
    case.context(TESTDEV, tc=tables.PDTV | tables.DPE, iohgatp=outer.pointer(2), fsc=tables.PD8 << 60 | 0x7_0000_0000 >> 12)
    case.ask(0x10010)
    case.ask(0x12010)
    case.ask(0x10010, did=TESTDEV)                            # the directory itself is out of reach


@setup("process directory: a process_id asked for")
def process_asked(case):
    tops = [case.first() for _ in range(2)]
    for table in tops:
        table.map(0x10000, case.target())
    pdtp = case.processes({pid: (V, table.pointer()) for pid, table in enumerate(tops)})
    case.context(EDU, tc=tables.PDTV | tables.DPE, fsc=pdtp)
    case.context(TESTDEV)
    case.ask(0x10000, pid=0)
    case.ask(0x10000, pid=1)
    case.ask(0x10000, pid=2)                                  # not valid
    case.ask(0x10000, pid=0x100)                              # too wide for PD8
    case.ask(0x10000, did=TESTDEV, pid=1)                     # no process directory


# -- MSI -------------------------------------------------------------------------------------------------

MSI_GPA, MSI_MASK = 0x2_8000_0000, 0b101  # interrupt files: pages 0, 1, 4 and 5 from there
MSI_PAGES = (0, 1, 4, 5)


def msi(case, entries, first=False, table=None):
    """A second stage with an MSI table of ENTRIES, [(dw0, dw1)]."""
    outer = case.second()
    for page in (2, 3):                                       # these two are none of its pages
        outer.map(MSI_GPA + page * PAGE, case.target())
    for page in MSI_PAGES:                                    # and these must not be what counts
        outer.map(MSI_GPA + page * PAGE, case.target())
    if table is None:
        table = case.pages.take()
        for i, words in enumerate(entries):
            case.memory.put64(table + 16 * i, *words)
    fsc = 0
    if first:
        inner = case.first("sv39", outer)
        for page in range(6):
            inner.map(0x5000_0000 + page * PAGE, MSI_GPA + page * PAGE)
        fsc = inner.pointer()
    for did in (EDU, TESTDEV):
        case.context(did, iohgatp=outer.pointer(2), fsc=fsc, msiptp=tables.FLAT << 60 | table >> 12, mask=MSI_MASK,
                     pattern=MSI_GPA >> 12)


def msi_asks(case, start, did=EDU):
    for page in range(6):
        case.ask(start + page * PAGE, did=did, msi=True)


def basic(case):
    return case.target() >> 12 << 10 | 3 << 1 | V, 0


@setup("MSI table, Bare over Sv39x4", on=BOTH)
def msi_flat(case):
    msi(case, [basic(case) for _ in MSI_PAGES])
    msi_asks(case, MSI_GPA)
    msi_asks(case, MSI_GPA, TESTDEV)


@setup("MSI table, Sv39 over Sv39x4")
def msi_nested(case):
    msi(case, [basic(case) for _ in MSI_PAGES], first=True)
    msi_asks(case, 0x5000_0000)


@setup("MSI table: entries not valid and misconfigured")
def msi_faults(case):
    good = basic(case)
    msi(case, [(good[0] & ~V, 0), (good[0] & ~6, 0), (good[0] & ~6 | 4, 0), (good[0] | 1 << 3, 0)])
    msi_asks(case, MSI_GPA)


@setup("MSI table in a hole", holes=True)
def msi_hole(case):
    msi(case, [], table=HOLE)
    msi_asks(case, MSI_GPA)
