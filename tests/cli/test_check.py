# SPDX-License-Identifier: GPL-2.0-or-later
"""iommu-dump check: what it says of machines with something wrong, in text and JSON, and its exit statuses."""
import json
import re
import subprocess

import capture
import common
import schema

SCHEMA = schema.Checker(schema.load())
PAGE = common.PAGE
KERNEL, DATA = 0x90000000, 0xa0000000
RW = 0xd7  # V R W U A D
MEMORY = [{"start": "0x80000000", "end": "0xbfefffff", "name": "System RAM"},
          {"start": f"{KERNEL:#x}", "end": f"{KERNEL + 0xffffff:#x}", "name": "Kernel code"},
          {"start": "0x98000000", "end": "0x9bffffff", "name": "Crash kernel"},
          {"start": "0xbff00000", "end": "0xbfffffff", "name": "Reserved"}]
INFO, WARNING, ERROR = "info", "warning", "error"


class Board(common.Machine):
    """A machine on which nothing is wrong: device 0x8 has a first stage, and everything is known."""

    def __init__(self):
        super().__init__()
        m = self.memory
        m.put64(self.DDT + 64 * 8 + 16, 1 << 12)  # PSCID 1
        m.put64(self.DDT + 64 * 9, *[0] * 8)
        m.put64(self.DDT + 64 * 0x10, *[0] * 8)
        m.put64(self.L0 + 8, common.pte(DATA, RW), common.pte(DATA + PAGE, RW))
        m.put64(self.L1 + 8, 0)
        self.registers["fqh"] = self.registers["fqt"]
        for name in ("cqcsr", "fqcsr"):
            self.registers[name] = 0x10003
        self.note = {"devices": [{"device_id": "0x8", "name": "0000:00:01.0", "driver": "edu", "group": "0",
                                  "domain_type": "DMA", "iommu": f"{common.BASE:#x}"}], "memory": MEMORY}

    def map(self, page, pte):
        """IOVA 0x1000 * PAGE, for 0 and from 3 on nothing is there."""
        self.memory.put64(self.L0 + 8 * page, pte)


class Case(common.Case):
    def setUp(self):
        super().setUp()
        self.board = Board()

    def core(self, name="check.core"):
        registers = {k: v for k, v in self.board.registers.items() if v is not None}
        capture.write(self.path(name), self.board.memory, registers, common.BASE, "3010000.iommu", self.board.note)
        return self.path(name)

    def check(self, *options, status=0):
        """The object of -J check, which fits the schema."""
        top = self.object("-i", self.core(), *options, "check", status=status)
        self.assertEqual(SCHEMA.errors(top)[:4], [])
        return top

    def text(self, *options, status=0):
        out = self.ran("-i", self.core(), *options, "check", status=status).out.decode()
        self.assertEqual([line for line in out.splitlines() if len(line) > 80], [])
        return out

    def make(self, *severities):
        """Something wrong of each severity."""
        if INFO in severities:
            self.board.map(4, common.pte(DATA, RW | 8))  # writable and executable
        if WARNING in severities:
            self.board.memory.put64(self.board.DDT + 64 * 8, 1 | 1 << 4)  # DTF
        if ERROR in severities:
            self.board.map(5, common.pte(KERNEL + 0x3000, RW))


class Statuses(Case):
    def test_zero_when_nothing_is_wrong(self):
        top = self.check()
        self.assertEqual((top["findings"], top["not_judged"]), ([], []))
        self.assertIs(top["complete"], True)

    def test_zero_when_all_is_info(self):
        self.make(INFO)
        self.assertEqual([f["severity"] for f in self.check()["findings"]], [INFO])

    def test_seven_from_warning_on(self):
        self.make(WARNING)
        self.check(status=7)

    def test_severity_moves_the_line(self):
        for level, made, status in ((INFO, INFO, 7), (WARNING, INFO, 0), (ERROR, WARNING, 0), (WARNING, ERROR, 7),
                                    (ERROR, ERROR, 7), (INFO, WARNING, 7)):
            with self.subTest(level=level, made=made):
                self.board = Board()
                self.make(made)
                top = self.check("--severity", level, status=status)
                self.assertEqual([f["severity"] for f in top["findings"]], [made])

    def test_five_when_a_rule_could_not_be_judged_and_nothing_was_found(self):
        self.board.registers["icvec"] = self.board.registers["ipsr"] = None
        top = self.check(status=5)
        self.assertIs(top["complete"], False)
        self.assertIn("ipsr", top["errors"][0])
        self.assertIn("interrupt-pending", [r["id"] for r in top["not_judged"]])

    def test_seven_when_something_was_found_whatever_could_not_be_judged(self):
        self.board.registers["ipsr"] = None
        self.make(ERROR)
        top = self.check(status=7)
        self.assertIs(top["complete"], False)
        self.assertEqual(len(top["errors"]), 1)

    def test_five_when_only_info_was_found_and_a_rule_could_not_be_judged(self):
        self.board.registers["ipsr"] = None
        self.make(INFO)
        self.check(status=5)

    def test_four_when_registers_are_refused(self):
        root = self.fake_root()
        done = common.call(*root, "-J", "check")
        self.sane(done)
        self.assertIn(done.status, (4, 5), str(done))
        self.assertEqual(self.one_object(done)["findings"], [])

    def test_two_for_what_makes_no_sense(self):
        core = self.core()
        for args in (["check", "x"], ["check", "--severity", "fatal"], ["check", "--severity"], ["list", "--severity", "info"]):
            with self.subTest(args=args):
                self.ran("-i", core, *args, status=2)

    def test_three_when_there_is_no_such_iommu(self):
        self.ran("-i", self.core(), "-u", "0x5000000", "check", status=3)


class Findings(Case):
    def test_a_finding_says_what_where_why_and_what_to_do(self):
        self.make(ERROR)
        finding, = self.check(status=7)["findings"]
        self.assertEqual({k: finding[k] for k in ("id", "severity", "iommu", "device_id", "device", "process_id", "address",
                                                  "count")},
                         {"id": "reach-kernel-text", "severity": ERROR, "iommu": f"{common.BASE:#x}", "device_id": "0x8",
                          "device": "0000:00:01.0", "process_id": None, "address": f"{KERNEL + 0x3000:#x}", "count": 1})
        self.assertIn("0x5000", finding["message"])
        self.assertIn("Kernel code", finding["message"])
        for key in ("title", "reason", "remedy"):
            self.assertGreater(len(finding[key]), 10, key)

    def test_text_has_the_same_and_the_worst_first(self):
        common.names_wanted()
        self.make(INFO, WARNING, ERROR)
        out = self.text(status=7)
        places = [out.index(word) for word in ("ERRORS", "reach-kernel-text", "WARNINGS", "dc-faults-hidden", "INFO",
                                               "pte-writable-executable")]
        self.assertEqual(places, sorted(places))
        self.assertIn("0000:00:01.0 (0x8)", out)
        for finding in self.check(status=7)["findings"]:
            for key in ("title", "message", "reason", "remedy"):
                self.assertIn(" ".join(finding[key].split()), " ".join(out.split()))

    def test_counts_add_up(self):
        self.make(INFO, WARNING, ERROR)
        top = self.check(status=7)
        summary = top["summary"]
        self.assertEqual([summary[s] for s in (INFO, WARNING, ERROR)], [1, 1, 1])
        self.assertEqual(summary["rules"], summary["judged"] + summary["not_judged"] + summary["not_applicable"])
        self.assertGreater(summary["judged"], 40)
        self.assertIn(f"{summary['rules']} rules: {summary['judged']} judged", " ".join(self.text(status=7).split()))

    def test_each_process_is_told(self):
        m = self.board.memory
        m.put64(self.board.DDT + 64 * 9, 1 | 1 << 5 | 1 << 9, 0, 0, 1 << 60 | self.board.PDT >> 12)
        for pid in (0, 7):
            m.put64(self.board.PDT + 16 * pid, 1 | 1 << 12, 8 << 60 | self.board.ROOT >> 12)
        m.put64(self.board.PDT + 16 * 5, 0, 0)
        self.board.map(5, common.pte(KERNEL, RW))
        told = [(f["device_id"], f["process_id"]) for f in self.check(status=7)["findings"] if f["id"] == "reach-kernel-text"]
        self.assertEqual(sorted(told, key=str), [("0x8", None), ("0x9", "0x0"), ("0x9", "0x7"), ("0x9", None)])
        self.assertIn("process 0x7", self.text(status=7))

    def test_what_is_missing_is_told_with_its_reason(self):
        self.board.note["memory"] = []
        self.board.note["devices"] = []
        top = self.check(status=5)
        reasons = {r["id"]: r["reason"] for r in top["not_judged"]}
        self.assertEqual(set(reasons), {"reach-kernel-text", "reach-crash-kernel", "reach-reserved",
                                        "device-without-context", "context-without-device"})
        out = " ".join(self.text(status=5).split())
        self.assertIn("NOT JUDGED", out)
        for rule, reason in reasons.items():
            self.assertIn(rule, out)
            self.assertIn(reason, out)

    def test_a_registers_only_dump_passes_nothing_that_needs_memory(self):
        m = self.board.memory
        m.pages.clear()
        top = self.check(status=5)
        told = {r["id"] for r in top["not_judged"]}
        for rule in ("dc-reserved-bits", "identity", "ddt-loop", "reach-kernel-text", "pte-malformed", "pscid-conflict"):
            self.assertIn(rule, told)

    def test_processes_that_are_missing_may_have_any_id(self):
        m = self.board.memory
        m.put64(self.board.DDT + 64 * 9, 1 | 1 << 5, 0, 0, 1 << 60 | 0xdead0)
        told = {r["id"] for r in self.check("--severity=error", status=5)["not_judged"]}
        for rule in ("pscid-conflict", "tables-several-ids", "identity", "pc-reserved-bits", "reach-kernel-text"):
            self.assertIn(rule, told)
        self.assertNotIn("gscid-conflict", told)

    def test_msi_table_past_the_limit_is_not_passed(self):
        b = self.board
        second, tables = 0x80040000, (0x80050000, 0x80051000)
        for page in (*range(second, second + 4 * PAGE, PAGE), *tables):
            b.memory.page(page)
        for device, table in zip((9, 10), tables):
            b.memory.put64(b.DDT + 64 * device, 1, 8 << 60 | second >> 12, 0, 0, 1 << 60 | table >> 12, 0, 0x28000, 0)
        b.memory.put64(tables[1], 1)  # M=0
        top = self.check("-O", "max-pages=1", "--severity=error", status=5)
        self.assertIn("msi-mode", {r["id"] for r in top["not_judged"]})

    def test_region_up_to_the_last_address_does_not_hide_one_at_zero_nor_itself(self):
        regions = [m for m in MEMORY if m["name"] != "Reserved"]
        regions += [{"start": "0xbff00000", "end": "0xffffffffffffffff", "name": "Reserved"},
                    {"start": "0x0", "end": "0xfff", "name": "Reserved"}]
        self.board.note["memory"] = regions
        for pa in (0, 0xc0000000):
            self.board.map(5, common.pte(pa, RW))
            with self.subTest(pa=pa):
                self.assertIn("reach-reserved", {f["id"] for f in self.check(status=7)["findings"]})

    def test_notice_of_an_mrif_is_written_by_the_iommu(self):
        b, second, table = self.board, 0x80040000, 0x80050000
        for page in (*range(second, second + 4 * PAGE, PAGE), table):
            b.memory.page(page)
        b.registers["capabilities"] |= 1 << 23 | 1 << 17  # MSI_MRIF, Sv39x4
        b.memory.put64(b.DDT + 64 * 9, 1, 8 << 60 | second >> 12, 0, 0, 1 << 60 | table >> 12, 0, 0x28000, 0)
        b.memory.put64(table, (DATA + 0x200) >> 9 << 7 | 3, common.UPPER(KERNEL + PAGE) | 5)
        found = {f["id"]: f for f in self.check(status=7)["findings"]}
        self.assertIn(f"{KERNEL + PAGE:#x}", found["reach-kernel-text"]["message"])

    def test_many_of_a_kind_are_bounded_in_text_and_counted(self):
        common.names_wanted()
        for device in range(16, 56):
            self.board.memory.put64(self.board.DDT + 64 * device, 1)
        out = self.text()
        self.assertEqual(len(re.findall("both stages are Bare", out)), 20)
        self.assertIn("and 20 more", out)
        top = self.check()
        self.assertEqual(sum(f["id"] == "identity" for f in top["findings"]), 40)
        self.assertEqual(top["summary"]["omitted"], 0)

    def test_two_iommus_are_told_apart(self):
        notes = b""
        for base, name, ddtp in ((0x3010000, "a.iommu", 1), (0x3020000, "b.iommu", 0)):
            notes += capture.registers_note({**self.board.registers, "ddtp": ddtp}, base, name)
        self.write("two.core", capture.core(notes, self.board.memory.segments()))
        top = self.object("-i", self.path("two.core"), "check", status=7)
        self.assertEqual({(f["id"], f["iommu"]) for f in top["findings"]},
                         {("ddtp-bare", "0x3010000"), ("ddtp-off", "0x3020000")})
        out = self.ran("-i", self.path("two.core"), "check", status=7).out
        self.assertIn(b"a.iommu", out)
        self.assertIn(b"b.iommu", out)
        self.assertEqual(len(self.object("-i", self.path("two.core"), "-u", "b.iommu", "check")["findings"]), 1)

    def test_the_spoken_rule_list(self):
        out = self.ran("--severity", "help").out.decode()
        rules = re.findall(r"^([a-z0-9-]+) +(info|warning|error) ", out, re.M)
        self.assertEqual(len(rules), self.check()["summary"]["rules"])
        self.assertEqual(len(set(r for r, _ in rules)), len(rules))
        self.assertEqual([x for x in out.splitlines() if len(x) > 80], [])
        self.assertEqual(dict(rules)["identity"], INFO)  # normal on Linux 7.2

    def test_names_from_outside_are_cleaned(self):
        common.names_wanted()
        self.board.note["memory"] = MEMORY + [{"start": f"{DATA:#x}", "end": f"{DATA + 0xfff:#x}", "name": "reserved \x1b[31m\u00e9"}]
        self.board.note["memory"][0] = {**MEMORY[0], "end": "0x9fffffff"}
        done = common.call("-i", self.core(), "check")
        self.assertEqual(done.status, 7)
        self.assertNotIn(b"\x1b", done.out + done.err)
        self.assertTrue(done.out.isascii())
        self.check(status=7)


class Cost(Case):
    """What a hostile table costs."""

    def test_a_table_that_points_at_itself_everywhere_ends(self):
        m = self.board.memory
        for i in range(512):
            m.put64(self.board.ROOT + 8 * i, common.pte(self.board.ROOT, 1))
        done = common.call("-i", self.core(), "-O", "max-pages=5000", "-J", "check", timeout=10)
        self.sane(done)
        top = self.one_object(done)
        told = {f["id"] for f in top["findings"]} | {r["id"] for r in top["not_judged"]}
        self.assertTrue(told & {"table-loop", "pte-malformed"}, told)

    def test_jq_finds_the_errors(self):
        self.make(ERROR)
        done = common.call("-i", self.core(), "-J", "check")
        try:
            jq = subprocess.run(["jq", "-r", ".findings[] | select(.severity == \"error\") | .id"], input=done.out,
                                capture_output=True, check=False)
        except FileNotFoundError:
            self.skipTest("no jq")
        self.assertEqual(jq.stdout, b"reach-kernel-text\n")
        self.assertEqual(json.loads(done.out)["tool"], "iommu-dump")
