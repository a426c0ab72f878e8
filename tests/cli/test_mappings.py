# SPDX-License-Identifier: GPL-2.0-or-later
"""mappings, whomaps and msi: what devices reach, who reaches memory, and the MSI page table."""
import json
import os
import re
import subprocess
import time
import unittest

import capture
import common
import schema
import vec

SCHEMA = schema.load()
PAGE = capture.PAGE
V, R, W, X, U, G, A, D = (1 << i for i in range(8))
RW = V | R | W | U | A | D
RO, RWX = RW & ~W, RW | X
NAPOT, NC, IO = 1 << 63, 1 << 61, 2 << 61
EN_ATS, T2GPA, PDTV, DPE = 1 << 1, 1 << 3, 1 << 5, 1 << 9
SV39, SV48, SV57, FLAT = 8 << 60, 9 << 60, 10 << 60, 1 << 60
PD8 = 1 << 60
# common's, and Sv48, Sv57, the second stages, Svpbmt, MSI_MRIF, T2GPA
CAPABILITIES = common.CAPABILITIES | 1 << 10 | 1 << 11 | 1 << 15 | 1 << 18 | 1 << 19 | 1 << 23 | 1 << 26
LEVELS = {SV39: 3, SV48: 4, SV57: 5}


class Board:
    """One IOMMU with a directory of one level, and tables that are put together entry by entry."""
    DDT, FREE = 0x80000000, 0x80010000

    def __init__(self, capabilities=CAPABILITIES, mode=2):
        self.memory, self.free = capture.Memory(), self.FREE
        self.memory.page(self.DDT)
        self.registers = {"capabilities": capabilities, "fctl": 2, "ddtp": common.UPPER(self.DDT) | mode}

    def table(self, pages=1):
        at = self.free
        self.free += pages * PAGE
        for i in range(pages):
            self.memory.page(at + i * PAGE)
        return at

    def entry(self, root, mode, iova, level=0, wide=False):
        """The address of the entry for IOVA; tables on the way are made. WIDE: a second stage's root of 16 KiB."""
        at = root
        for this in range(LEVELS[mode] - 1, level - 1, -1):
            top = wide and this == LEVELS[mode] - 1
            slot = at + (iova >> 12 + 9 * this & (0x7ff if top else 0x1ff)) * 8
            if this == level:
                return slot
            value = int.from_bytes(self.memory.get(slot, 8) or bytes(8), "little")
            if not value & V:
                value = common.UPPER(self.table()) | V
                self.memory.put64(slot, value)
            at = (value & 0x003ffffffffffc00) << 2
        raise AssertionError("no such level")

    def map(self, root, mode, iova, pa, flags=RW, level=0, wide=False):
        self.memory.put64(self.entry(root, mode, iova, level, wide), common.UPPER(pa) | flags)

    def second_stage(self):
        self.free += -self.free % 0x4000
        return self.table(4)

    def guest_tables(self, second, mode, pages=16):
        """A first stage's root; it and the tables that are made from now on are where the second stage maps them, 1 to 1."""
        root = self.table(pages)
        for page in range(root, root + pages * PAGE, PAGE):
            self.map(second, mode, page, page, wide=True)
        self.free = root + PAGE
        return root

    def context(self, device, tc=0, iohgatp=0, fsc=0, msiptp=0, mask=0, pattern=0, ta=0):
        self.memory.put64(self.DDT + 64 * device, tc | V, iohgatp, ta, fsc, msiptp, mask, pattern, 0)

    def first_stage(self, device, mode=SV39, tc=0, iohgatp=0, **more):
        root = self.table()
        self.context(device, tc, iohgatp, mode | root >> 12, **more)
        return root


def ranges(items, *keys):
    keys = keys or ("iova", "pa", "size", "permissions")
    return [tuple(int(m[k], 16) if isinstance(m[k], str) and m[k].startswith("0x") else m[k] for k in keys) for m in items]


class Case(common.Case):
    """A capture of a Board, and JSON that is checked against the schema wherever a test asks for it."""

    def setUp(self):
        super().setUp()
        self.board = Board()

    def core(self, note=None, name=""):
        capture.write(self.path("board.core"), self.board.memory, self.board.registers, name=name, machine=note)
        return self.path("board.core")

    def show(self, *args, status=0, core=None, **kwargs):
        top = self.object("-i", core or self.core(**kwargs), *args, status=status)
        self.assertEqual(schema.Checker(SCHEMA).errors(top)[:6], [], json.dumps(top)[:3000])
        self.assertIs(top["complete"], status != 5)
        return top

    def text(self, *args, status=0, core=None, **kwargs):
        done = self.ran("-i", core or self.core(**kwargs), *args, status=status)
        self.assertEqual([x for x in done.out.decode().splitlines() if len(x) > 80], [])
        return done.out.decode()

    def items(self, *args, **kwargs):
        return self.show(*args, **kwargs)["mappings"]


class Saved(Case):
    def test_capture_of_a_misconfigured_context_shows_its_processes(self):
        """No walk gets behind it, and who looks for the mistake does."""
        board = self.board
        pdt = board.table()
        board.context(8, tc=PDTV, fsc=PD8 | pdt >> 12)
        board.memory.put64(board.DDT + 64 * 8 + 56, 1)  # reserved: rule 1
        board.memory.put64(pdt + 16 * 5, V | 7 << 12, 0)
        core, copy = self.core(), self.path("copy")
        self.ran("-i", core, "--save", copy, "list")
        first = self.show("processes", "8", core=core)["processes"]
        self.assertEqual([p["process_id"] for p in first], ["0x5"])
        self.assertEqual(self.show("processes", "8", core=copy)["processes"], first)


class FirstStage(Case):
    def setUp(self):
        super().setUp()
        self.root = self.board.first_stage(8)

    def map(self, *args, **kwargs):
        self.board.map(self.root, SV39, *args, **kwargs)

    def test_each_range_is_listed_in_ascending_order(self):
        self.map(0x400000, 0x90002000, RO)
        self.map(0x1000, 0x90000000)
        self.map(0x40000000, 0xc0000000, RWX, level=2)
        self.assertEqual(ranges(self.items("mappings", "8")), [
            (0x1000, 0x90000000, PAGE, "rw-"), (0x400000, 0x90002000, PAGE, "r--"), (0x40000000, 0xc0000000, 1 << 30, "rwx")])

    def test_neighbours_that_lead_on_are_one_range_whatever_their_leaves(self):
        for i in range(512):
            self.map(0x1ff000 - i * PAGE, 0x901ff000 - i * PAGE)
        self.map(0x200000, 0x90200000, level=1)
        m, = self.items("mappings", "8")
        self.assertEqual((m["iova"], m["pa"], m["size"], m["leaves"]), ("0x0", "0x90000000", "0x400000", 513))
        self.assertEqual(m["leaf_sizes"], ["0x1000", "0x200000"])

    def test_neighbours_that_differ_are_two_ranges(self):
        for flags in (RO, RW & ~A, RW & ~D, RW & ~U, RW | G, RW | NC):
            with self.subTest(flags=hex(flags)):
                self.map(0x1000, 0x90000000)
                self.map(0x2000, 0x90001000, flags)
                self.assertEqual(len(self.items("mappings", "8")), 2)

    def test_gap_in_iova_or_in_pa_ends_a_range(self):
        for iova, pa in ((0x3000, 0x90001000), (0x2000, 0x90002000)):
            board = self.board = Board()
            root = board.first_stage(8)
            board.map(root, SV39, 0x1000, 0x90000000)
            board.map(root, SV39, iova, pa)
            self.assertEqual(len(self.items("mappings", "8")), 2)

    def test_memory_type_and_global(self):
        self.map(0x1000, 0x90000000, RW | NC)
        self.map(0x2000, 0xa0001000, RW | IO)
        self.map(0x3000, 0xb0000000, RW | G)
        self.assertEqual(ranges(self.items("mappings", "8"), "memory_type", "global"), [
            ("nc", False), ("io", False), ("pma", True)])

    def test_what_blocks_requests_is_named(self):
        self.map(0x1000, 0x90000000, RW & ~A)
        self.map(0x2000, 0xa0000000, RW & ~D)
        self.map(0x3000, 0xb0000000, RW & ~U)
        self.assertEqual([m["blocked_by"] for m in self.items("mappings", "8")], [["A"], ["D"], ["U"]])
        text = self.text("mappings", "8")
        for word in ("A=0: requests fault", "D=0: writes fault", "U=0: requests without"):
            self.assertIn(word, text)

    def test_napot_leaf_is_64_kib(self):
        for i in range(16):
            self.map(0x10000 + i * PAGE, 0x90008000, RW | NAPOT)
        m, = self.items("mappings", "8")
        self.assertEqual((m["iova"], m["pa"], m["size"], m["leaf_sizes"]), ("0x10000", "0x90000000", "0x10000", ["0x10000"]))
        self.assertIn(" 64K", self.text("mappings", "8"))

    def test_upper_half_of_addresses_comes_last_and_is_sign_extended(self):
        self.map(0xffffffffffffe000, 0x90000000)
        self.map(0x1000, 0x91000000)
        self.assertEqual([m["iova"] for m in self.items("mappings", "8")], ["0x1000", "0xffffffffffffe000"])

    def test_malformed_entry_is_told_with_its_address_and_the_rest_is_shown(self):
        slot = self.board.entry(self.root, SV39, 0x2000)
        self.map(0x1000, 0x90000000)
        self.board.memory.put64(slot, V | W)  # writable and not readable: reserved
        good, bad = self.items("mappings", "8")
        self.assertEqual((bad["kind"], bad["iova"], bad["address"], bad["pa"]), ("malformed", "0x2000", f"{slot:#x}", None))
        self.assertTrue(bad["reason"])
        self.assertEqual(good["kind"], "leaves")
        top = self.show("mappings", "8")
        self.assertEqual((top["totals"]["malformed"], top["totals"]["ranges"]), (1, 1))
        text = self.text("mappings", "8")
        self.assertIn("malformed, can only fault", text)
        self.assertIn("warning: 1 malformed range", text)

    def test_table_that_cannot_be_read_is_told_with_its_address_and_status_five(self):
        self.map(0x1000, 0x90000000)
        self.board.memory.put64(self.root + 8, common.UPPER(0xdead0000) | V)
        top = self.show("mappings", "8", status=5)
        good, bad = top["mappings"]
        self.assertEqual((bad["kind"], bad["missing"], bad["iova"], bad["size"]),
                         ("unreadable", "0xdead0000", "0x40000000", "0x40000000"))
        self.assertEqual(good["pa"], "0x90000000")
        self.assertIn("0xdead0000", top["errors"][0])
        self.assertEqual(top["totals"]["unreadable"], 1)
        self.assertIn("not known: the table at 0xdead0000", self.text("mappings", "8", status=5))

    def test_table_that_leads_to_itself_is_bounded_and_told(self):
        self.board.memory.put64(self.root, common.UPPER(self.root) | V)
        top = self.show("mappings", "8", status=0)
        self.assertGreater(top["totals"]["loops"], 0)
        self.assertIn("warning: tables lead back to themselves", self.text("mappings", "8"))

    def test_limit_of_table_pages_is_named_and_status_five(self):
        for i in range(512):
            self.board.memory.put64(self.root + 8 * i, common.UPPER(self.root) | V)
        start = time.monotonic()
        done = self.ran("-i", self.core(), "-O", "max-pages=1000", "mappings", "8", status=5)
        self.assertLess(time.monotonic() - start, common.TIMEOUT)
        self.assertIn(b"-O max-pages", done.err)
        top = self.show("-O", "max-pages=1000", "mappings", "8", status=5)
        self.assertIs(top["totals"]["truncated"], True)
        self.assertLessEqual(top["totals"]["table_pages"], 1000)

    def test_range_clips_to_the_page_and_to_the_byte(self):
        self.map(0x200000, 0x90200000, level=1)
        self.map(0x400000, 0xa0000000)
        for words, expected in (
                ("0x201000-0x201fff", [(0x201000, 0x90201000, PAGE, "rw-")]), ("0x201000+0x1000", [(0x201000, 0x90201000, PAGE, "rw-")]),
                ("2101248-2101248", [(0x201000, 0x90201000, 1, "rw-")]), ("0x201000", [(0x201000, 0x90201000, 1, "rw-")]),
                ("0x3ff000-0x400000", [(0x3ff000, 0x903ff000, PAGE, "rw-"), (0x400000, 0xa0000000, 1, "rw-")]), ("0x500000-0x600000", [])):
            with self.subTest(words):
                self.assertEqual(ranges(self.items("mappings", "8", "--range", words)), expected)

    def test_totals_are_those_of_the_list(self):
        for i in range(100):
            self.map(i * 2 * PAGE, 0x90000000 + i * PAGE)
        top = self.show("mappings", "8")
        totals = top["totals"]
        self.assertEqual((totals["ranges"], totals["leaves"], totals["bytes"]), (100, 100, f"{100 * PAGE:#x}"))
        self.assertEqual(totals["table_pages"], 3)
        space, = top["spaces"]
        self.assertEqual({k: space[k] for k in totals}, totals)
        self.assertIn("100 ranges, 100 leaves, 400 KiB; 3 table pages", self.text("mappings", "8"))

    def test_empty_table_maps_nothing(self):
        self.assertEqual(self.items("mappings", "8"), [])
        self.assertIn("nothing is mapped", self.text("mappings", "8"))

    def test_name_of_the_device_does_as_well_as_its_id(self):
        self.map(0x1000, 0x90000000)
        note = {"devices": [{"device_id": "0x8", "name": "0000:00:01.0", "iommu": f"{common.BASE:#x}"}]}
        core = self.core(note=note)
        m, = self.items("mappings", "00:01.0", core=core)
        self.assertEqual((m["device_id"], m["device"]), ("0x8", "0000:00:01.0"))
        self.assertIn("0000:00:01.0 (0x8)", self.text("mappings", "8", core=core))


class TwoStages(Case):
    """Device 8: IOVA 0x1000 -> GPA 0x10000 -> PA 0x90000000; 0x2000 -> 0x11000 read-only; 0x3000 -> a GPA that leads nowhere."""

    def setUp(self):
        super().setUp()
        board = self.board
        self.second = board.second_stage()
        hgatp = SV39 | self.second >> 12
        for gpa, pa, flags in ((0x10000, 0x90000000, RW), (0x11000, 0x91000000, RO)):
            board.map(self.second, SV39, gpa, pa, flags, wide=True)
        root = board.guest_tables(self.second, SV39)
        board.context(8, iohgatp=hgatp, fsc=SV39 | root >> 12)
        for iova, gpa in ((0x1000, 0x10000), (0x2000, 0x11000), (0x3000, 0x5000000)):
            board.map(root, SV39, iova, gpa)

    def test_both_stages_together(self):
        found = self.items("mappings", "8")
        self.assertEqual(ranges(found, "kind", "iova", "gpa", "pa", "permissions"), [
            ("leaves", 0x1000, 0x10000, 0x90000000, "rw-"), ("leaves", 0x2000, 0x11000, 0x91000000, "r--"),
            ("guest_only", 0x3000, 0x5000000, None, None)])
        self.assertEqual({m["stages"] for m in found}, {"both"})

    def test_text_has_a_column_for_guest_addresses_and_says_what_leads_nowhere(self):
        text = self.text("mappings", "8")
        self.assertIn("GPA", text)
        self.assertRegex(text, r"0x1000-0x1fff +0x10000 +0x90000000 +4 KiB rw-")
        self.assertIn("0x5000000", text)
        self.assertIn("1 range that only the first stage maps", text)

    def test_gpa_shows_the_second_stage_alone(self):
        found = self.items("mappings", "8", "--gpa", "--range", "0-0x7fffffff")
        self.assertEqual(ranges(found, "iova", "gpa", "pa", "permissions", "space"), [
            (None, 0x10000, 0x90000000, "rw-", "second_stage"), (None, 0x11000, 0x91000000, "r--", "second_stage")])
        text = self.text("mappings", "8", "--gpa")
        self.assertIn("GUEST PHYSICAL", text)
        self.assertIn(": Sv39x4, guest physical addresses", text)

    def test_gpa_shows_the_second_stage_of_a_device_whose_requests_are_refused(self):
        board = self.board  # DPE makes it process 0, which has no context
        board.map(self.second, SV39, 0x12000, board.table(), RW, wide=True)
        board.context(9, tc=PDTV | DPE, iohgatp=SV39 | self.second >> 12, fsc=PD8 | 0x12)
        found = self.items("mappings", "9", "--gpa", "--range", "0-0x11fff")
        self.assertEqual(ranges(found, "gpa", "pa"), [(0x10000, 0x90000000), (0x11000, 0x91000000)])
        self.assertEqual(self.items("mappings", "9"), [])
        self.assertIn("0x9: every request is refused: cause 266", self.text("mappings", "9"))

    def test_gpa_without_a_second_stage_is_a_usage_error(self):
        self.board.context(9, fsc=0)
        done = self.ran("-i", self.core(), "mappings", "9", "--gpa", status=2)
        self.assertIn(b"no second stage", done.err)
        done = self.ran("-i", self.core(), "--reg", "ddtp=1", "mappings", "9", "--gpa", status=2)
        self.assertIn(b"ddtp is Bare", done.err)

    def test_translated_requests_of_ats_are_a_space_of_their_own(self):
        self.board.context(9, tc=EN_ATS | T2GPA, iohgatp=SV39 | self.second >> 12)
        spaces = {m["space"] for m in self.items("mappings", "9")}
        self.assertEqual(spaces, {"device", "translated"})
        self.assertIn("translated requests (ATS)", self.text("mappings", "9"))

    def test_translated_requests_without_t2gpa_reach_everything(self):
        self.board.context(9, tc=EN_ATS, iohgatp=SV39 | self.second >> 12)
        m, = [m for m in self.items("mappings", "9") if m["space"] == "translated"]
        self.assertEqual((m["kind"], m["stages"], m["gpa"], m["size"]), ("identity", "none", None, None))

    def test_whomaps_finds_the_iova_and_says_both_stages(self):
        m, = self.items("whomaps", "0x91000800")
        self.assertEqual((m["iova"], m["gpa"], m["stages"], m["permissions"]), ("0x2800", "0x11800", "both", "r--"))
        self.assertIn("through both stages", self.text("whomaps", "0x91000800"))


class Processes(Case):
    """Device 9: a process directory; 5 has 0x1000 -> 0x90000000, 6 has 0x1000 -> 0x91000000, 7 is misconfigured."""

    def setUp(self):
        super().setUp()
        board = self.board
        self.pdt = board.table()
        board.context(9, tc=PDTV, fsc=PD8 | self.pdt >> 12)
        for process, pa in ((5, 0x90000000), (6, 0x91000000)):
            root = board.table()
            board.map(root, SV39, 0x1000, pa)
            board.memory.put64(self.pdt + 16 * process, V, SV39 | root >> 12)
        board.memory.put64(self.pdt + 16 * 7, V, 13 << 60)

    def test_every_space_is_listed(self):
        top = self.show("mappings", "9")
        self.assertEqual(ranges(top["mappings"], "space", "process_id", "kind", "pa"), [
            ("device", None, "identity", 0), ("process", 5, "leaves", 0x90000000), ("process", 6, "leaves", 0x91000000)])
        self.assertEqual([s["process_id"] for s in top["spaces"]], [None, "0x5", "0x6"])
        self.assertEqual(top["totals"]["ranges"], 2)
        text = self.text("mappings", "9")
        for words in ("requests without a process_id", "reaches everything", "requests of process 0x5", "all 3 address spaces"):
            self.assertIn(words, text)

    def test_one_process(self):
        m, = self.items("mappings", "9", "--process", "6")
        self.assertEqual((m["process_id"], m["space"], m["pa"]), ("0x6", "process", "0x91000000"))

    def test_process_that_is_refused_is_an_answer_with_its_cause(self):
        for process, cause in (("8", "cause 266"), ("7", "cause 267"), ("0x100", "cause 260")):
            with self.subTest(process):
                self.assertIn(cause, self.text("mappings", "9", "--process", process))
                self.assertEqual(self.items("mappings", "9", "--process", process), [])

    def test_process_of_a_device_without_processes_is_refused(self):
        self.board.first_stage(8)
        self.assertIn("cause 260", self.text("mappings", "8", "--process", "5"))

    def test_process_id_means_nothing_where_the_directory_is_bare(self):
        self.board.context(10, tc=PDTV, fsc=0)
        m, = self.items("mappings", "10", "--process", "5")
        self.assertEqual((m["kind"], m["process_id"], m["space"]), ("identity", "0x5", "process"))
        self.assertIn("with and without a process_id", self.text("mappings", "10"))

    def test_default_process_is_what_requests_without_one_see(self):
        board = self.board
        root = board.table()
        board.map(root, SV39, 0x4000, 0x94000000)
        board.memory.put64(self.pdt, V, SV39 | root >> 12)
        board.context(9, tc=PDTV | DPE, fsc=PD8 | self.pdt >> 12)
        found = [m for m in self.items("mappings", "9") if m["space"] == "device"]
        self.assertEqual(ranges(found, "iova", "pa", "stages"), [(0x4000, 0x94000000, "first")])

    def test_directory_that_cannot_be_read_is_status_five(self):
        self.board.context(9, tc=PDTV, fsc=PD8 | 0xdead0)
        top = self.show("mappings", "9", status=5)
        self.assertIn("0xdead0000", " ".join(top["errors"]))
        self.assertEqual([m["space"] for m in top["mappings"]], ["device"])
        self.ran("-i", self.core(), "mappings", "9", "--process", "5", status=5)

    def test_part_of_the_directory_that_cannot_be_read_matters_to_its_processes_only(self):
        self.board.registers["capabilities"] |= 1 << 39  # PD17
        top = self.board.table()
        self.board.memory.put64(top, common.UPPER(0xdead0000) | V, common.UPPER(self.pdt) | V, common.UPPER(0xbeef0000) | V)
        self.board.context(9, tc=PDTV, fsc=2 << 60 | top >> 12)
        m, = self.items("mappings", "9", "--process", "0x105")
        self.assertEqual((m["process_id"], m["pa"]), ("0x105", "0x90000000"))
        for process, missing in (("5", "0xdead0000"), ("0x205", "0xbeef0000")):
            error, = self.show("mappings", "9", "--process", process, status=5)["errors"]
            self.assertIn(missing, error)
        everything = self.show("mappings", "9", status=5)
        self.assertEqual(len(everything["errors"]), 2)
        self.assertEqual([s["process_id"] for s in everything["spaces"]], [None, "0x105", "0x106"])

    def test_gpa_and_process_do_not_go_together(self):
        done = self.ran("-i", self.core(), "mappings", "9", "--gpa", "--process", "5", status=2)
        self.assertIn(b"--process", done.err)

    def test_many_hostile_processes_end_at_the_limit(self):
        """Each enters 1 + 10 + 100 tables, all the same page, which is below the limit; together they are not."""
        board = self.board
        root = board.table()
        for i in range(10):
            board.memory.put64(root + 8 * i, common.UPPER(root) | V)
        for process in range(256):
            board.memory.put64(self.pdt + 16 * process, V, SV39 | root >> 12)
        done = self.ran("-i", self.core(), "-O", "max-pages=1000", "mappings", "9", status=5)
        self.assertIn(b"-O max-pages", done.err)
        top = self.show("-O", "max-pages=1000", "mappings", "9", status=5)
        self.assertEqual(len([s for s in top["spaces"] if s["space"] == "process"]), 10)  # 9 * 111 < 1000 <= 10 * 111
        self.assertIs(top["totals"]["truncated"], True)
        self.show("-O", "max-pages=30000", "mappings", "9")

    def test_whomaps_names_the_process(self):
        found = [m for m in self.items("whomaps", "0x91000000") if m["kind"] == "leaves"]
        self.assertEqual(ranges(found, "device_id", "process_id", "iova", "stages"), [(9, 6, 0x1000, "first")])
        self.assertIn("0x9 process 0x6, through the first stage", self.text("whomaps", "0x91000000"))


class NoContext(Case):
    def test_identity_says_that_it_reaches_everything(self):
        self.board.context(8)
        m, = self.items("mappings", "8")
        self.assertEqual((m["kind"], m["iova"], m["pa"], m["size"], m["stages"], m["permissions"]),
                         ("identity", "0x0", "0x0", None, "none", "rwx"))
        self.assertIn("reaches everything", self.text("mappings", "8"))

    def test_identity_within_a_range(self):
        self.board.context(8)
        m, = self.items("mappings", "8", "--range", "0x1000-0x1fff")
        self.assertEqual((m["iova"], m["pa"], m["size"]), ("0x1000", "0x1000", "0x1000"))
        self.assertIn("identity", self.text("mappings", "8", "--range", "0x1000-0x1fff"))

    def test_ddtp_off_and_bare_are_said(self):
        self.board.context(8)
        core = self.core()
        self.assertIn("ddtp is Off: every request is refused", " ".join(self.text("--reg", "ddtp=0", "mappings", "8", core=core).split()))
        self.assertEqual(self.items("--reg", "ddtp=0", "mappings", "8", core=core), [])
        text = self.text("--reg", "ddtp=1", "mappings", "8", core=core)
        self.assertIn("ddtp is Bare", text)
        self.assertIn("reaches everything", text)
        m, = self.items("--reg", "ddtp=1", "mappings", "8", core=core)
        self.assertEqual((m["kind"], m["stages"]), ("identity", "none"))

    def test_state_of_a_context_that_is_not_valid(self):
        self.board.memory.put64(self.board.DDT + 64 * 3, 2)  # EN_ATS, but not V
        self.board.context(4, tc=1 << 20)  # a reserved bit
        core = self.core()
        for device, state, words in (("3", "not valid", "cause 258"), ("4", "misconfigured", "rule 1"), ("5", "no context", "cause 258")):
            with self.subTest(state):
                for command in ("mappings", "msi"):
                    top = self.show(command, device, core=core)
                    self.assertEqual([d["state"] for d in top["devices"]], [state])
                    text = self.text(command, device, core=core)
                    self.assertIn(state, text)
                    self.assertIn(words, text)
                self.assertEqual(self.items("mappings", device, core=core), [])

    def test_device_object_is_that_of_devices(self):
        self.board.first_stage(8)
        core = self.core()
        expected = self.show("devices", "8", core=core)["devices"]
        for command in ("mappings", "msi"):
            self.assertEqual(self.show(command, "8", core=core)["devices"], expected)


class Statuses(Case):
    def setUp(self):
        super().setUp()
        self.board.map(self.board.first_stage(8), SV39, 0x1000, 0x90000000)

    def test_zero_done(self):
        for args in (["mappings", "8"], ["whomaps", "0x90000000"], ["whomaps", "0x1000"], ["msi", "8"]):
            self.text(*args)

    def test_one_disk_is_full(self):
        core = self.core()
        for args in (["mappings", "8"], ["whomaps", "0x90000000"], ["msi", "8"]):
            for more in ([], ["-J"]):
                with open("/dev/full", "wb") as full:
                    done = common.call("-i", core, *more, *args, stdout=full)
                self.assertEqual(done.status, 1, str(done))

    def test_two_usage(self):
        core = self.core()
        for args in (["mappings"], ["mappings", "8", "9"], ["mappings", "nosuch"], ["mappings", "0x1000000"],
                     ["mappings", "8", "--range", "5-4"], ["mappings", "8", "--range", "x"], ["mappings", "8", "--range", "1+0"],
                     ["mappings", "8", "--range", "1-"], ["mappings", "8", "--range", "-1"], ["mappings", "8", "--range", "1-2-3"],
                     ["mappings", "8", "--range", ""], ["mappings", "8", "--range", "0xffffffffffffffff+2"],
                     ["mappings", "8", "--range", "0x10000000000000000"], ["mappings", "8", "--process", "0x100000"],
                     ["whomaps"], ["whomaps", "1", "2"], ["whomaps", "x"], ["whomaps", "2-1"], ["whomaps", "1+0"],
                     ["whomaps", "1", "--range", "1-2"], ["whomaps", "1", "--process", "1"], ["devices", "--gpa"],
                     ["msi"], ["msi", "8", "9"], ["msi", "nosuch"], ["msi", "8", "--gpa"]):
            with self.subTest(args):
                done = self.ran("-i", core, *args, status=2)
                self.assertIn(b"Try 'iommu-dump --help'", done.err)

    def test_three_no_iommu(self):
        for args in (["mappings", "8"], ["whomaps", "1"], ["msi", "8"]):
            self.ran(*self.fake_root(bases=()), *args, status=3)

    def test_four_registers_are_refused(self):
        root = self.fake_root()
        os.chmod(self.write("root/mem", bytes(PAGE)), 0)
        os.chmod(self.dir, 0o755)
        for args in (["mappings", "8"], ["whomaps", "1"], ["msi", "8"]):
            try:
                done = common.call(*root, *args, user=65534 if os.geteuid() == 0 else None)
            except PermissionError as err:
                self.skipTest(f"the program cannot be run as nobody: {err}")
            if done.status in (126, 127):
                self.skipTest("the program is out of nobody's reach")
            self.sane(done)
            self.assertEqual(done.status, 4, str(done))

    def test_five_register_that_is_missing_is_named(self):
        for name in ("capabilities", "fctl", "ddtp"):
            self.board.registers = {k: v for k, v in self.board.registers.items() if k != name}
            for args in (["mappings", "8"], ["whomaps", "0x90000000"], ["msi", "8"]):
                self.assertIn(name, self.show(*args, status=5)["errors"][0])
            self.board.registers = Board().registers

    def test_five_mode_that_is_not_defined(self):
        for args in (["mappings", "8"], ["whomaps", "0x90000000"], ["msi", "8"]):
            self.assertIn("ddtp.iommu_mode is 0x9", self.show("--reg", "ddtp=9", *args, status=5)["errors"][0])

    def test_reader_that_goes_away_is_no_hang(self):
        root = self.board.first_stage(9)
        for i in range(0, 5120, 2):
            self.board.map(root, SV39, i * PAGE, 0x90000000 + i * PAGE)
        for more in ([], ["-J"]):
            common.wanted(common.TOOL, more)
            proc = subprocess.Popen([common.TOOL, "-i", self.core(), *more, "mappings", "9"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            proc.stdout.read(10)
            proc.stdout.close()
            proc.stderr.close()
            self.assertIn(proc.wait(common.TIMEOUT), (1, -13))


class Text(Case):
    def wide(self):
        """The widest addresses there are: Sv57 over Sv57x4, upper half, 56 bits of PA, every note."""
        board = self.board
        second = board.second_stage()
        gpas = [0xc0000000000000 + (i << 40) for i in range(3)]
        for i, gpa in enumerate(gpas):
            board.map(second, SV57, gpa, 0xffffff00000000 - (i << 36), RWX & ~D & ~A, level=i, wide=True)
        root = board.guest_tables(second, SV57)
        board.context(8, iohgatp=SV57 | second >> 12, fsc=SV57 | root >> 12)
        for i, gpa in enumerate(gpas):
            board.map(root, SV57, 0xffffff8000000000 + (i << 30), gpa, RWX & ~U & ~A | G | NC, level=i)
        board.memory.put64(board.entry(root, SV57, 0xfffffff000001000), V | W)
        return self.core(note={"devices": [{"device_id": "0x8", "name": "a" * 60, "iommu": f"{common.BASE:#x}"}]}, name="i" * 60)

    def test_widest_addresses_fit_eighty_columns(self):
        core = self.wide()
        self.assertEqual([m["kind"] for m in self.items("mappings", "8", core=core)], ["leaves"] * 3 + ["malformed"])
        for args in (["mappings", "8"], ["mappings", "8", "--gpa"], ["whomaps", "0-0xffffffffffffff"], ["msi", "8"],
                     ["mappings", "8", "--process", "5"], ["--reg", "ddtp=0", "mappings", "8"]):
            with self.subTest(args):
                self.text(*args, core=core)
        self.assertIn(" 4 KiB\n      rwx nc 4K A=0 D=0 U=0 G\n", self.text("mappings", "8", core=core))

    def test_columns_are_aligned_for_usual_addresses(self):
        root = self.board.first_stage(8)
        for i, (iova, level) in enumerate(((0x1000, 0), (0x3f00000000, 2), (0x200000, 1))):
            self.board.map(root, SV39, iova, 0x1000000000 + (i << 30), RO | (IO if i else 0), level=level)
        rows = self.text("mappings", "8").splitlines()[1:-1]
        self.assertEqual(len({re.search(r"0x1[0-9a-f]{9}\b", row).start() for row in rows[1:]}), 1, rows)
        self.assertEqual(len({re.search(r"\b(r--|PERM)", row).start() for row in rows}), 1, rows)

    def test_no_colour_and_the_same_in_a_pipe_and_with_no_color(self):
        core = self.wide()
        plain = self.text("mappings", "8", core=core)
        self.assertNotIn("\x1b", plain)
        for env in ({"NO_COLOR": "1", "TERM": "xterm-256color"}, {"TERM": "xterm-256color"}, {"COLUMNS": "40"}):
            self.assertEqual(self.text("mappings", "8", core=core, **{}), plain)
            self.assertEqual(common.call("-i", core, "mappings", "8", env=env).out.decode(), plain)

    def test_sizes_are_in_words(self):
        root = self.board.first_stage(8)
        for i in range(3):
            self.board.map(root, SV39, i * PAGE, 0x90000000 + i * PAGE)
        self.board.map(root, SV39, 0x40000000, 0x100000000, level=2)
        self.board.map(root, SV39, 0x80000000, 0x140000000)
        text = self.text("mappings", "8")
        self.assertIn(" 12 KiB", text)
        self.assertIn(" 1.0 GiB", text)  # and 4 KiB: rounded
        self.assertIn("4K+1G", text)


class Whomaps(Case):
    def setUp(self):
        super().setUp()
        for device, iova, flags in ((8, 0x1000, RW), (9, 0x7000, RO)):
            self.board.map(self.board.first_stage(device), SV39, iova, 0x90000000, flags)

    def test_every_device_that_reaches_it_with_its_iova(self):
        found = self.items("whomaps", "0x90000010-0x9000001f")
        self.assertEqual(ranges(found, "device_id", "iova", "pa", "size", "permissions", "stages"), [
            (8, 0x1010, 0x90000010, 16, "rw-", "first"), (9, 0x7010, 0x90000010, 16, "r--", "first")])

    def test_what_it_finds_translates_to_it(self):
        core = self.core()
        for m in self.items("whomaps", "0x90000abc", core=core):
            done = self.object("-i", core, "translate", m["device_id"], m["iova"])
            self.assertEqual(done["translations"][0]["pa"], "0x90000abc")

    def test_number_that_is_too_long_is_refused_not_cut(self):
        self.ran("-i", self.core(), "whomaps", "0x" + 30 * "0" + "90000000", status=2)

    def test_nobody_is_an_answer(self):
        self.assertEqual(self.items("whomaps", "0x90001000"), [])
        self.assertIn("nobody reaches it", self.text("whomaps", "0x90001000"))
        self.assertIn("every request is refused", self.text("--reg", "ddtp=0", "whomaps", "0x90000000"))

    def test_range_is_inclusive_at_both_ends(self):
        for words, found in (("0x8fffffff", 0), ("0x8fffffff-0x90000000", 2), ("0x90000fff", 2), ("0x90000fff+1", 2),
                             ("0x90001000", 0), ("0x8ffff000+0x1000", 0), ("0x8ffff000+0x1001", 2)):
            with self.subTest(words):
                self.assertEqual(len(self.items("whomaps", words)), found)

    def test_leaf_without_any_permission_reaches_nothing(self):
        self.board.map(self.board.first_stage(10), SV39, 0x1000, 0x95000000, V | X | U | A | D)
        self.assertEqual([m["permissions"] for m in self.items("whomaps", "0x95000000")], ["--x"])

    def test_identity_reaches_everything_and_is_listed(self):
        for device in range(20, 40):
            self.board.context(device)
        found = [m for m in self.items("whomaps", "0x90001000") if m["kind"] == "identity"]
        self.assertEqual(sorted(int(m["device_id"], 16) for m in found), list(range(20, 40)))
        self.assertEqual({(m["iova"], m["pa"], m["stages"]) for m in found}, {("0x90001000", "0x90001000", "none")})
        text = self.text("whomaps", "0x90001000")
        self.assertIn("and 12 more: identity, reaches everything", " ".join(text.split()))
        self.assertNotIn("0x27", text)

    def test_bare_is_every_device(self):
        m, = self.items("--reg", "ddtp=1", "whomaps", "0x1234")
        self.assertEqual((m["kind"], m["device_id"], m["pa"], m["stages"]), ("identity", None, "0x1234", "none"))
        self.assertIn("every device (ddtp is Bare): identity, reaches everything", self.text("--reg", "ddtp=1", "whomaps", "0x1234"))

    def test_devices_that_share_tables_are_each_listed(self):
        fsc = int.from_bytes(self.board.memory.get(self.board.DDT + 64 * 8 + 24, 8), "little")
        self.board.context(20, fsc=fsc)
        found = self.items("whomaps", "0x90000000")
        self.assertEqual(sorted(int(m["device_id"], 16) for m in found), [8, 9, 20])
        self.assertIn("0x8, 0x14, through the first stage", self.text("whomaps", "0x90000000"))

    def test_those_who_share_are_named_once_for_all_their_ranges(self):
        root = self.board.first_stage(10)
        for i in range(4):
            self.board.map(root, SV39, i * 2 * PAGE, 0x95000000 + i * PAGE)
        self.board.context(20, fsc=SV39 | root >> 12)
        text = self.text("whomaps", "0x95000000+0x4000")
        self.assertEqual(text.count("0xa, 0x14, through the first stage"), 1)
        self.assertEqual(text.count("IOVA"), 1)
        self.assertEqual(text.count("4 KiB rw-"), 4)

    def test_translated_requests_under_ats(self):
        self.board.first_stage(10, tc=EN_ATS)
        m, = [m for m in self.items("whomaps", "0x92000000") if m["device_id"] == "0xa"]
        self.assertEqual((m["space"], m["kind"]), ("translated", "identity"))
        self.assertIn("0xa translated requests (ATS): identity, reaches everything", self.text("whomaps", "0x92000000"))

    def test_names_of_devices_and_regions(self):
        note = {"devices": [{"device_id": "0x8", "name": "0000:00:01.0", "iommu": f"{common.BASE:#x}"}],
                "memory": [{"start": "0x80000000", "end": "0x9fffffff", "name": "System RAM"},
                           {"start": "0x90000000", "end": "0x90ffffff", "name": "Kernel code"},
                           {"start": "0xa0000000", "end": "0xa0ffffff", "name": "Reserved"}]}
        top = self.show("whomaps", "0x90000000", note=note)
        self.assertEqual([r["name"] for r in top["regions"]], ["System RAM", "Kernel code"])
        self.assertEqual([m["device"] for m in top["mappings"]], ["0000:00:01.0", None])
        text = self.text("whomaps", "0x90000000", note=note)
        self.assertIn("Kernel code", text)
        self.assertIn("0000:00:01.0 (0x8), through the first stage", text)
        self.assertIn("in no region", self.text("whomaps", "0x1000", note=note))
        self.assertIn("memory map is not known", self.text("whomaps", "0x1000"))

    def test_table_that_cannot_be_read_makes_the_answer_incomplete(self):
        root = self.board.first_stage(10)
        self.board.memory.put64(root, common.UPPER(0xdead0000) | V)
        top = self.show("whomaps", "0x90000000", status=5)
        self.assertIn("0xdead0000", top["errors"][0])
        self.assertEqual(top["totals"]["unreadable"], 1)
        self.assertEqual(len([m for m in top["mappings"] if m["kind"] == "leaves"]), 2)
        self.assertIn("not known: the table at 0xdead0000", self.text("whomaps", "0x90000000", status=5))
        self.assertIn("nobody was found, but not all", self.text("whomaps", "0x94000000", status=5))

    def test_directory_that_cannot_be_read_makes_the_answer_incomplete(self):
        self.board.registers["ddtp"] = common.UPPER(0xdead0000) | 2
        top = self.show("whomaps", "0x90000000", status=5)
        m, = top["mappings"]
        self.assertEqual((m["kind"], m["device_id"], m["missing"]), ("unreadable", None, "0xdead0000"))
        self.assertIn("0xdead0000", self.text("whomaps", "0x90000000", status=5))

    def test_limit_of_table_pages_makes_the_answer_incomplete(self):
        root = self.board.first_stage(10)
        for i in range(512):
            self.board.memory.put64(root + 8 * i, common.UPPER(root) | V)
        top = self.show("-O", "max-pages=1000", "whomaps", "0x90000000", status=5)
        self.assertIs(top["totals"]["truncated"], True)
        self.assertIn("-O max-pages", top["errors"][0])
        self.assertEqual([m["device_id"] for m in top["mappings"] if m["kind"] == "leaves"], ["0x8", "0x9"])
        bad, = [m for m in top["mappings"] if m["kind"] == "unreadable"]
        self.assertEqual((bad["device_id"], bad["missing"]), ("0xa", None))
        self.text("-O", "max-pages=1000", "whomaps", "0x90000000", status=5)

    def test_every_iommu_is_asked_and_one_with_the_option(self):
        notes = b"".join(capture.registers_note(self.board.registers, base, name) for base, name in ((0x1000, "first"), (0x2000, "second")))
        core = self.write("two.core", capture.core(notes, self.board.memory.segments()))
        found = self.items("whomaps", "0x90000000", core=core)
        self.assertEqual(ranges(found, "iommu", "device_id"), [(0x1000, 8), (0x1000, 9), (0x2000, 8), (0x2000, 9)])
        self.assertEqual(len(self.items("-u", "second", "whomaps", "0x90000000", core=core)), 2)
        text = self.text("whomaps", "0x90000000", core=core)
        for name in ("first at 0x1000", "second at 0x2000"):
            self.assertIn(name, text)


class Msi(Case):
    """Device 8: interrupt files at GPA 0x28000000..0x28003fff: flat, MRIF, a reserved mode, one that is not empty with V=0."""
    PATTERN, MASK = 0x28000, 3

    def setUp(self):
        super().setUp()
        board = self.board
        self.second, self.msis = board.second_stage(), board.table()
        board.map(self.second, SV39, 0x10000, 0x90000000, wide=True)
        board.map(self.second, SV39, 0x28000000, 0x94000000, wide=True)  # hidden by the interrupt file
        self.context()
        board.memory.put64(self.msis, common.UPPER(0x24001000) | 7, 0)
        board.memory.put64(self.msis + 16, 0x80001200 >> 9 << 7 | 3, common.UPPER(0x24002000) | 5 | 1 << 60)
        board.memory.put64(self.msis + 32, common.UPPER(0x24003000) | 5, 0)
        board.memory.put64(self.msis + 48, common.UPPER(0x24004000), 0)

    def context(self, msis=None, mask=MASK, pattern=PATTERN):
        self.board.context(8, iohgatp=SV39 | self.second >> 12, msiptp=FLAT | (msis or self.msis) >> 12, mask=mask, pattern=pattern)

    def test_each_entry_is_decoded(self):
        top = self.show("msi", "8")
        self.assertEqual(ranges(top["msi"], "index", "kind", "gpa", "address"), [
            (0, "flat", 0x28000000, self.msis), (1, "mrif", 0x28001000, self.msis + 16),
            (2, "malformed", 0x28002000, self.msis + 32), (3, "invalid", 0x28003000, self.msis + 48)])
        flat, mrif, bad, _ = top["msi"]
        self.assertEqual(flat["pa"], "0x24001000")
        self.assertEqual((mrif["pa"], mrif["notice_pa"], mrif["notice_id"]), ("0x80001200", "0x24002000", 5 | 1 << 10))
        self.assertEqual((bad["cause"], bad["cause_name"]), (263, "MSI PTE misconfigured"))
        self.assertTrue(bad["reason"])

    def test_window(self):
        table = self.show("msi", "8")["msi_table"]
        self.assertEqual(table, {"address": f"{self.msis:#x}", "first_gpa": "0x28000000", "last_gpa": "0x28003000",
                                 "contiguous": True, "files": 4})
        self.context(mask=5)
        table = self.show("msi", "8")["msi_table"]
        self.assertEqual((table["contiguous"], table["files"], table["last_gpa"]), (False, 4, "0x28005000"))
        self.assertIn("not all pages of it", self.text("msi", "8"))
        self.board.registers["capabilities"] |= 1 << 19  # Sv57x4: 59 bits
        self.context(mask=5, pattern=0x7fffffffffff)
        self.assertIn("0x7fffffffffffff", self.text("msi", "8"))

    def test_text(self):
        text = self.text("msi", "8")
        for words in ("mask 0x3, pattern 0x28000", "0x28000000..0x28003fff", "4 entries", "0x24001000", "0x80001200",
                      "notice: 1029 written to 0x24002000", "cause 263", "1 flat, 1 mrif, 1 invalid, 1 malformed"):
            self.assertIn(words, " ".join(text.split()))

    def test_no_table_says_why(self):
        self.board.context(9)
        self.assertIn("msiptp is Off", " ".join(self.text("msi", "9").split()))
        top = self.show("msi", "9")
        self.assertEqual((top["msi_table"], top["msi"]), (None, []))
        board = self.board = Board(capabilities=CAPABILITIES & ~(3 << 22))  # base format
        board.memory.put64(board.DDT + 32 * 9, V, 0, 0, 0)
        self.assertIn("capabilities.MSI_FLAT is 0", " ".join(self.text("msi", "9").split()))
        self.assertIs(self.show("msi", "9")["msi_table"], None)

    def test_table_that_cannot_be_read_is_status_five(self):
        self.context(msis=0xdead0000)
        top = self.show("msi", "8", status=5)
        entry, = top["msi"]
        self.assertEqual((entry["kind"], entry["missing"], entry["index"], entry["count"]), ("unreadable", "0xdead0000", 0, 4))
        self.assertIn("0xdead0000", top["errors"][0])
        self.assertIn("not known", self.text("msi", "8", status=5))

    def test_mask_that_lies_is_bounded(self):
        self.context(mask=(1 << 29) - 1, pattern=0)
        done = self.ran("-i", self.core(), "-O", "max-pages=100", "msi", "8", status=5)
        self.assertIn(b"-O max-pages", done.err)
        self.show("-O", "max-pages=100", "msi", "8", status=5)

    def test_of_a_table_that_was_cut_nothing_is_said_about_the_rest(self):
        self.context(msis=self.board.table(), mask=(1 << 29) - 1, pattern=0)
        text = self.text("-O", "max-pages=100", "msi", "8", status=5)
        self.assertNotIn("every entry is zero", text)
        self.assertIn("the rest is not known", text)

    def test_mask_that_lies_is_bounded_also_where_all_parts_of_the_table_are_one_page(self):
        # OR, not add: with all address bits set each of the 2^47 files has its entry in the same page
        self.context(msis=(1 << 56) - PAGE, mask=(1 << 47) - 1, pattern=0)
        for command in (("mappings", "8"), ("whomaps", "0x90000000")):
            self.show("-O", "max-pages=100", *command, status=5)
        self.ran("-i", self.core(), "-O", "max-pages=100", "check", status=7)

    def test_table_of_zeros(self):
        self.context(msis=self.board.table())
        self.assertEqual(self.show("msi", "8")["msi"], [])
        self.assertIn("every entry is zero", self.text("msi", "8"))

    def test_mappings_show_the_files_in_place_of_the_second_stage(self):
        found = self.items("mappings", "8")
        self.assertEqual(ranges(found, "kind", "iova", "pa"), [
            ("leaves", 0x10000, 0x90000000), ("msi_flat", 0x28000000, 0x24001000), ("msi_mrif", 0x28001000, 0x80001200),
            ("malformed", 0x28002000, None)], "the files hide what the second stage has there")

    def test_whomaps_shows_the_files(self):
        m, = self.items("whomaps", "0x24001000")
        self.assertEqual((m["kind"], m["device_id"], m["iova"]), ("msi_flat", "0x8", "0x28000000"))
        m, = self.items("whomaps", "0x80001280")
        self.assertEqual((m["kind"], m["notice_id"]), ("msi_mrif", 1029))
        self.assertEqual(self.items("whomaps", "0x94000000"), [])
        m, = self.items("whomaps", "0x24002000-0x24002fff")
        self.assertEqual((m["kind"], m["pa"], m["notice_pa"]), ("msi_mrif", "0x80001200", "0x24002000"),
                         "a message to this file makes the IOMMU write the notice there")
        self.assertEqual(self.items("whomaps", "0x24002004-0x24002fff"), [])
        self.assertIn("MRIF, notice 1029", self.text("whomaps", "0x80001280"))


class AgainstTranslate(common.Case):
    """On recorded set-ups: where a range begins and ends, and before and behind it, `translate` says the same."""

    def requests(self, items):
        for m in items:
            if m["kind"] != "leaves" or m["space"] == "translated" or m["blocked_by"] or m["permissions"] == "---":
                continue
            first, size = int(m["iova"], 16), int(m["size"], 16)
            pid = f" pid={m['process_id']}" if m["process_id"] else ""
            access = next(c for c in "rwx" if c in m["permissions"])
            for offset in (0, size - 1):
                yield (m, offset, f"{m['device_id']} {first + offset:#x} access={access}{pid}")

    def test_ends_of_every_range(self):
        checked = 0
        for number, (name, text) in enumerate(vec.load()):
            case = vec.Vec(name, text)
            if number % 11 or case.poison:
                continue
            capture.write(self.path(name), case.memory, case.registers)
            for device in sorted({r.did for r in case.requests})[:3]:
                done = self.sane(common.call("-i", self.path(name), *case.options, "-J", "mappings", f"{device:#x}"))
                items = self.one_object(done).get("mappings", [])[:200]
                asked = list(self.requests(items))
                answers = common.call("-i", self.path(name), *case.options, "-J", "translate", "--batch", "-",
                                      stdin="".join(a[2] + "\n" for a in asked).encode())
                for (m, offset, line), answer in zip(asked, answers.out.splitlines()):
                    answer = json.loads(answer)
                    with self.subTest(name=name, line=line):
                        self.assertEqual((answer["result"], answer.get("pa"), answer.get("permissions"), answer.get("memory_type")),
                                         ("ok", f"{int(m['pa'], 16) + offset:#x}", m["permissions"], m["memory_type"]))
                    checked += 1
        self.assertGreater(checked, 50)


if __name__ == "__main__":
    unittest.main()
