# SPDX-License-Identifier: GPL-2.0-or-later
"""Where QEMU's IOMMU is known to differ from the specification, by version: the one table for tests/qtest.

A difference that an entry covers on the version at hand is counted as known. One that no entry covers is a failure on a
version in CHECKED, and a note on any other: QEMU moves, and a version nobody has looked at says nothing about our walk.
An entry that holds for the version but never showed in a full run is a note, too: perhaps it was mended.
"""

# The versions whose behaviour the table was checked against.
CHECKED = ((10, 0, 2), (10, 0, 13), (11, 1, 2))
FOREVER = (1 << 30,)


class Difference:
    """FIELD of a request's outcome on CHANNEL: OURS is the software's walk, THEIRS the emulator."""

    def __init__(self, channel, field, ours, theirs, ask, answer, record=None):
        self.channel, self.field, self.ours, self.theirs = channel, field, ours, theirs
        self.ask, self.answer, self.record = ask, answer, record

    def __str__(self):
        shown = [f"{v:#x}" if isinstance(v, int) and not isinstance(v, bool) else str(v) for v in (self.ours, self.theirs)]
        return f"{self.ask}: {self.channel}: {self.field}: iommu-dump {shown[0]}, QEMU {shown[1]}"


class Deviation:
    """HOLDS: [(first version, first version without it)]. COVERS: does it explain this Difference, in this Setup?"""

    def __init__(self, ident, holds, differs, specification, covers):
        self.ident, self.holds, self.differs, self.specification, self.covers = ident, holds, differs, specification, covers

    def on(self, version):
        return any(first <= version < end for first, end in self.holds)


def checked(version):
    return version in CHECKED


def explain(version, difference, setup):
    """The entry that covers a difference, or None."""
    return next((d for d in TABLE if d.on(version) and d.covers(difference, setup)), None)


def explain_quiesce(version, ident):
    """The entry of QUIESCE with this name, if it holds for the version."""
    return next((d for d in QUIESCE if d.ident == ident and d.on(version)), None)


def _hex(answer, key):
    return int(answer.get(key) or "0", 16)


def _in(*names):
    """Covers in the set-ups with these functions only."""
    return lambda setup: setup.build.__name__ in names


def _refused(d, *causes):
    return d.field == "result" and d.ours == "ok" and any(d.theirs == f"refused, cause {c}" for c in causes)


def _let_through(d, *causes):
    return d.field == "result" and d.ours in causes and d.theirs == "ok"


def _superpage_base(d, _):
    size = _hex(d.answer, "page_size")
    return d.channel == "tr_req" and d.field == "pa" and size > 4096 and d.theirs == d.ours & -size


def _shifted(d, _):
    size = max(_hex(d.answer, "page_size"), 4096)
    return d.channel == "tr_req" and d.field == "pa" and d.theirs in (d.ours >> 22 << 12, (d.ours & -size) >> 22 << 12)


def _msi(d):
    """Is the request one that the MSI page table decides?"""
    return d.answer.get("msi") == "flat" or d.answer.get("cause") in (261, 262, 263)


def _msi_page(d):
    """The GPA that the requests of the MSI set-ups end at: both ranges they use differ in the page only."""
    return 0x280000000 | d.ask.iova & 0xf000


def _nested(setup):
    return _in("nested", "nested_mixed", "nested_unreached", "base_two_stages", "msi_nested", "process_nested")(setup)


def _pbmt(d, setup):
    page = d.ask.iova >> 12
    return _in("reserved_entries")(setup) and (
        page in (0x105, 0x106) and (d.field == "records" and d.theirs == 0 or _let_through(d, 13, 15)) or
        d.ask.iova == 6 << 30 and d.field == "record.cause" and (d.ours, d.theirs) in ((13, 5), (15, 7)))


CONTEXT = range(256, 269)  # causes from directories
ALL = [((10, 0, 0), FOREVER)]
OLD = [((10, 0, 0), (11, 0, 0))]
NEW = [((11, 0, 0), FOREVER)]
# The stable branch's 10.0.12 took fixes that 10.1 and 10.2 do not have.
BEFORE_FIXES = [((10, 0, 0), (10, 0, 12)), ((10, 1, 0), (11, 0, 0))]
SINCE_FIXES = [((10, 0, 12), (10, 1, 0)), ((11, 0, 0), FOREVER)]

TABLE = [
    # -- the debug registers
    Deviation("tr-superpage-base", ALL, "tr_response gives a superpage's (or 64 KiB page's) base with S=0",
              "the 4 KiB page of the request, or S=1 with the size in the PPN (6.3 tr_response)", _superpage_base),
    Deviation("tr-ppn-shifted", OLD, "tr_response.PPN is ten bits too far down", "PPN is in bits 53:10", _shifted),
    Deviation("tr-context-ttyp", ALL, "a directory fault of a debug request for writing is recorded as a read (TTYP 2)",
              "TTYP 3: NW=0 asks for a write",
              lambda d, s: d.channel == "tr_req" and d.field == "record.ttyp" and (d.ours, d.theirs) == (3, 2) and
              d.record.cause in CONTEXT),
    Deviation("pid-truncated", ALL, "a process_id beyond PD8 is cut to 8 bits", "cause 260 (process_id wider than pdtp.MODE)",
              lambda d, s: _let_through(d, 260) and (d.ask.pid or 0) > 0xff),

    # -- fault records
    Deviation("iotval2-is-iova", SINCE_FIXES, "iotval2 of a first-stage page fault repeats the IOVA", "0",
              lambda d, s: d.field == "record.iotval2" and d.ours == 0 and d.theirs == d.record.iotval and
              d.record.cause in (12, 13, 15)),
    Deviation("iotval2-implicit", SINCE_FIXES, "iotval2 of a guest page fault on a first-stage table lacks bit 0 and the entry's offset",
              "GPA of the access, bit 0 set: an implicit access",
              lambda d, s: d.field == "record.iotval2" and d.ours & 3 == 1 and d.theirs == d.ours & ~0xfff),
    Deviation("iotval2-too-wide", ALL, "iotval2 is 0 for a guest physical address that is wider than the second stage", "the GPA",
              lambda d, s: d.field == "record.iotval2" and d.theirs == 0 and d.ours == _hex(d.answer, "iova") and
              d.record.cause in (20, 21, 23) and _in("second_stage")(s)),
    Deviation("pv-always", OLD, "records have PV=1 although there was no process_id", "PV=0",
              lambda d, s: d.field == "record.pv" and (d.ours, d.theirs) == (0, 1) and d.record.pid == 0),
    Deviation("context-iotval", BEFORE_FIXES, "iotval of a directory fault is 0", "the IOVA",
              lambda d, s: d.field == "record.iotval" and d.theirs == 0 and d.record.cause in CONTEXT and d.channel != "msi"),
    Deviation("context-ttyp", BEFORE_FIXES, "a directory fault of a write is recorded as one of a read (TTYP 2)", "TTYP 3",
              lambda d, s: d.channel != "tr_req" and d.field == "record.ttyp" and (d.ours, d.theirs) == (3, 2) and
              d.record.cause in CONTEXT),
    Deviation("fault-ttyp", BEFORE_FIXES, "a page or access fault of a read is recorded as one of a write (TTYP 3)", "TTYP 2",
              lambda d, s: d.field == "record.ttyp" and (d.ours, d.theirs) == (2, 3) and
              (d.record.cause not in CONTEXT or _in("dc_modes")(s))),  # modes are looked at on the way, there
    Deviation("iotval2-missing", BEFORE_FIXES, "iotval2 of a guest page fault is 0", "the GPA of the access",
              lambda d, s: d.field == "record.iotval2" and d.theirs == 0 and d.answer.get("cause") in (20, 21, 23) and
              not _in("second_stage")(s)),
    Deviation("nested-reads-write", BEFORE_FIXES, "a read through two stages is taken for a write in the second one", "a read",
              lambda d, s: d.ask.access == "r" and _nested(s) and
              (_refused(d, 23) or d.field == "record.cause" and (d.ours, d.theirs) == (21, 23))),
    Deviation("dpe-pv", NEW, "a request without process_id that got the default one (DPE) is recorded with PV=1", "PV=0",
              lambda d, s: d.field == "record.pv" and (d.ours, d.theirs) == (0, 1) and d.record.pid == 0 and
              _in("process_default", "process_nested", "process_faults")(s)),
    Deviation("pdt-guest-fault", [((10, 0, 6), FOREVER)], "a process directory out of the second stage's reach is cause 265",
              "a guest page fault, iotval2 with bit 0 set",
              lambda d, s: _in("process_nested")(s) and d.record and d.record.cause == 265 and
              (d.field == "record.cause" and d.ours in (21, 23) or d.field == "record.iotval2" and d.theirs == 0)),

    Deviation("pdt-nested", [((10, 0, 0), (10, 0, 6))], "a process directory under a second stage is cause 267, whatever it says",
              "its walk",
              lambda d, s: _in("process_nested")(s) and (_refused(d, 267) or d.field == "record.cause" and d.theirs == 267)),

    # -- configurations that are not checked, or checked for something else
    Deviation("dc-reserved-ignored", ALL, "reserved bits of ta, fsc, msiptp, msi_addr_mask and msi_addr_pattern are not looked at",
              "cause 259", lambda d, s: _in("dc_reserved")(s) and _let_through(d, 259) and d.ask.did >= 0x15),
    Deviation("tc-reserved-ignored", OLD, "reserved bits of tc are not looked at", "cause 259",
              lambda d, s: _in("dc_reserved", "dtf")(s) and _let_through(d, 259) and (d.ask.did < 0x15 or d.ask.did == 0x18)),
    Deviation("iohgatp-misaligned", BEFORE_FIXES, "an iohgatp.PPN that is not aligned to 16 KiB is not looked at", "cause 259",
              lambda d, s: _in("dc_modes")(s) and d.ask.did == 0x16 and d.field == "record.cause" and d.ours == 259),
    Deviation("adu-idle-stage", ALL, "SADE or GADE without AMO_HWAD passes where that stage is Bare", "cause 259",
              lambda d, s: _in("dc_flags")(s) and _let_through(d, 259) and d.ask.did in (0x15, 0x16)),
    Deviation("iosatp-mode-258", ALL, "iosatp.MODE beyond Sv57 is cause 258", "cause 259",
              lambda d, s: _in("dc_modes")(s) and d.field == "record.cause" and (d.ours, d.theirs) == (259, 258)),
    Deviation("pdtp-mode-unused", ALL, "a reserved pdtp.MODE passes as long as no process_id is used", "cause 259",
              lambda d, s: _in("dc_modes")(s) and _let_through(d, 259) and d.ask.did == 0x18),
    Deviation("pc-reserved-low", ALL, "reserved bits 11:3 of a process context's ta are not looked at", "cause 267",
              lambda d, s: _in("process_faults")(s) and d.ask.did == 0x10 and d.field == "record.cause" and d.ours == 267 and
              d.theirs in (13, 15)),
    Deviation("gxl-ignored", NEW, "fctl.GXL can be set but has no effect: MODE 8 is always Sv39x4", "Sv32x4",
              lambda d, s: _in("sv32x4")(s)),

    # -- page tables
    Deviation("pbmt-ignored", ALL, "PBMT without Svpbmt is no fault; its bits end up in the physical address",
              "a page fault", _pbmt),
    Deviation("pte-reserved-ignored", BEFORE_FIXES, "reserved bits of PTEs are no fault, they end up in the physical address",
              "a page fault", lambda d, s: _in("reserved_entries", "second_permissions")(s) and
              d.ask.iova >> 12 in (0x103, 0x104, 0x106, 0x107, 0x109) + ((0x80000,) if s.build.__name__ == "reserved_entries" else ()) and
              (d.field == "records" and d.theirs == 0 or _let_through(d, 13, 15, 21, 23))),
    Deviation("u-ignored", BEFORE_FIXES, "pages with U=0 can be reached", "a page fault",
              lambda d, s: _let_through(d, 13, 15, 21, 23) and (s.build.__name__, d.ask.iova >> 12) in
              (("permissions", 0x104), ("second_permissions", 0x102))),
    Deviation("a-ignored", BEFORE_FIXES, "a DMA write to a page with A=0 goes through", "a page fault",
              lambda d, s: _in("permissions")(s) and d.channel == "edu" and d.ask.iova >> 12 == 0x105 and _let_through(d, 15)),
    Deviation("napot-ignored", [((10, 0, 0), (10, 0, 11)), ((10, 1, 0), (11, 0, 2))],
              "Svnapot: the PPN of the PTE is taken as it is", "its low four bits come from the IOVA",
              lambda d, s: _in("napot", "second_napot")(s) and d.field == "pa" and d.theirs & 0xf000 == 0x8000),
    Deviation("svrsw-faults", [((10, 2, 0), FOREVER)], "PTE bits 60:59 fault although capabilities.Svrsw60t59b is set", "ignored",
              lambda d, s: _in("reserved_entries")(s) and d.ask.iova >> 12 == 0x109 and _refused(d, 13, 15)),
    Deviation("sv32-high", ALL, "an IOVA beyond 32 bits under Sv32 is a guest page fault", "a page fault",
              lambda d, s: _in("sv32")(s) and d.ask.iova >> 32 and d.field == "record.cause" and
              (d.ours, d.theirs) in ((13, 21), (15, 23))),

    # -- MSI pages
    Deviation("msi-reads", ALL, "reads of an MSI page go through the second stage", "through the MSI page table, as writes do",
              lambda d, s: d.ask.access == "r" and _msi(d) and d.channel in ("tr_req", "edu") and
              (d.field == "pa" or _let_through(d, 261, 262, 263))),
    Deviation("msi-debug", ALL, "a debug request for writing to an MSI page gives the untranslated GPA", "the MSI PTE's answer",
              lambda d, s: d.ask.access == "w" and _msi(d) and d.channel == "tr_req" and
              (d.field == "pa" and d.theirs in (_msi_page(d), _msi_page(d) >> 22 << 12) or _let_through(d, 261, 262, 263))),
    Deviation("msi-sender-lost", ALL, "a DMA write to an MSI page forgets its sender: dropped without a record, or recorded for device 0",
              "as an MSI to that page",
              lambda d, s: d.ask.access == "w" and _msi(d) and d.channel in ("edu", "testdev") and
              (d.field == "result" and d.theirs in ("refused, no record", "refused, cause 258") or
               d.field == "records" and d.theirs == 0)),
    Deviation("msi-nested-reads", BEFORE_FIXES, "reads of an MSI page through two stages go nowhere", "to what the MSI PTE says",
              lambda d, s: _in("msi_nested")(s) and d.ask.access == "r" and d.theirs == "refused, no record"),
    Deviation("msi-reserved-ignored", BEFORE_FIXES, "reserved bits of MSI PTEs are not looked at", "cause 263",
              lambda d, s: _in("msi_faults")(s) and d.channel == "msi" and _let_through(d, 263)),
    Deviation("msi-iotval", ALL, "faults of MSIs have iotval 0", "the IOVA",
              lambda d, s: d.channel == "msi" and d.field == "record.iotval" and d.theirs == 0),
    Deviation("msi-table-hole", ALL, "an MSI page table where there is no memory is cause 270", "cause 261",
              lambda d, s: d.channel == "msi" and d.field == "record.cause" and (d.ours, d.theirs) == (261, 270)),
]

# What quiesce.py knows: it is not about a walk, and compares by itself.
QUIESCE = [
    Deviation("off-cached", BEFORE_FIXES, "a device whose context is cached goes on with its DMA in mode Off", "cause 256", None),
]
