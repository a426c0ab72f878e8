# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit statuses and common options. Status 6 (the hardware was not in time) needs hardware: the board tests reach it."""
import os
import subprocess
import unittest

import capture
import common


class Statuses(common.Case):
    def test_zero_done(self):
        for command in (["list"], ["regs"], ["devices"], ["devices", "8"], ["processes", "9"], ["faults"], [],
                        ["translate", "8", "0x1000"]):
            with self.subTest(command=command):
                self.ran("-i", self.machine(), *command)

    def test_one_file_that_is_not_there(self):
        done = self.ran("-i", self.path("nothing"), "list", status=1)
        self.assertIn(b"nothing", done.err)

    def test_one_directory_as_capture(self):
        self.ran("-i", self.dir, "list", status=1)

    def test_one_batch_file_that_is_not_there(self):
        self.ran("-i", self.machine(), "translate", "--batch", self.path("nothing"), status=1)

    def test_one_save_into_a_directory_that_is_not_there(self):
        self.ran("-i", self.machine(), "--save", self.path("no/where"), "list", status=1)

    def test_two_usage(self):
        core = self.machine()
        wrong = (["--nonsense"], ["nonsense"], ["translate"], ["translate", "8"], ["processes"], ["-O", "x"],
                 ["-O", "nonsense=1"], ["-O", "absent=maybe"], ["-O", "gxl_writable=2"], ["--reg", "ddtp"],
                 ["--reg", "nonsense=1"], ["--reg", "fctl=0x100000000"], ["--reg", "ddtp=banana"], ["--base", "0x123"],
                 ["--base", "x"], ["-A", "nonsense"], ["-i"], ["translate", "8", "x"], ["translate", "8", "0x1000", "-1"],
                 ["translate", "8", "0x1000", "--access", "q"], ["translate", "8", "0x1000", "--type", "q"],
                 ["translate", "8", "0x1000", "--process", "q"], ["translate", "9", "0", "--process", "0x100000"],
                 ["translate", "0x1000000", "0"], ["translate", "nosuch.device", "0"], ["devices", "0000:77:00.9"],
                 ["list", "surplus"], ["explain"], ["translate", "--batch", "-", "8"], ["list", "--batch", "-"],
                 ["faults", "--steps"], ["processes", "8", "9"], ["regs", "nonsense"])
        for args in wrong:
            with self.subTest(args=args):
                done = self.ran("-i", core, *args, status=2)
                self.assertIn(b"Try 'iommu-dump --help'", done.err)

    def test_three_no_iommu(self):
        root = self.fake_root(bases=())
        done = self.ran(*root, "list", status=3)
        self.assertNotIn(b"Try", done.err)

    def test_three_iommu_that_was_named_is_not_there(self):
        self.ran("-i", self.machine(), "-u", "0x7000", "list", status=3)

    def test_three_core_without_an_iommu(self):
        self.write("vmcore", capture.core(capture.note(7, b"x", b"CORE\0"), [(0x80000000, bytes(4096))]))
        self.ran("-i", self.path("vmcore"), "list", status=3)

    @unittest.skipIf(os.geteuid() != 0 and not os.access("/dev/null", os.R_OK), "needs to lose a right")
    def test_four_refused(self):
        root = self.fake_root()
        path = self.write("root/mem", bytes(4096))
        os.chmod(path, 0)
        os.chmod(self.dir, 0o755)
        user = 65534 if os.geteuid() == 0 else None
        try:
            done = common.call(*root, "list", user=user)
        except PermissionError as err:
            self.skipTest(f"the program cannot be run as nobody: {err}")
        if done.status in (126, 127):
            self.skipTest("the program is out of nobody's reach")
        self.sane(done)
        self.assertEqual(done.status, 4, str(done))
        self.assertIn(b"3010000", done.out)  # what is known is shown all the same

    def test_four_registers_refused_in_json_is_one_object(self):
        root = self.fake_root()
        path = self.write("root/mem", bytes(4096))
        os.chmod(path, 0)
        os.chmod(self.dir, 0o755)
        try:
            done = common.call("-J", *root, "list", user=65534 if os.geteuid() == 0 else None)
        except PermissionError as err:
            self.skipTest(f"the program cannot be run as nobody: {err}")
        self.assertEqual(done.status, 4, str(done))
        top = self.one_object(done)
        self.assertIs(top["complete"], False)
        self.assertTrue(top["errors"])
        self.assertEqual(top["iommus"][0]["base"], f"{common.BASE:#x}")

    def test_five_damaged(self):
        with open(self.machine(), "rb") as f:
            content = f.read()
        done = self.ran("-i", self.write("cut", content[:200]), "list", status=5)
        self.assertIn(b"cut", done.err)
        self.ran("-i", self.write("empty", b""), "list", status=5)
        self.ran("-i", self.write("text", b"hello, world\n" * 100), "list", status=5)

    def test_five_missing_register_is_named(self):
        core = self.machine(registers={"ddtp": None})
        done = self.ran("-i", core, "translate", "8", "0x1000", status=5)
        self.assertIn(b"ddtp", done.out + done.err)
        record, = self.object("-i", core, "translate", "8", "0x1000", status=5)["translations"]
        self.assertEqual((record["result"], record["missing_register"]), ("unknown", "ddtp"))

    def test_five_missing_memory(self):
        record, = self.object("-i", self.machine(), "translate", "0x10", "0x1000", status=5)["translations"]
        self.assertEqual((record["result"], record["missing"]), ("unknown", "0xdead0000"))

    def test_seven_fault(self):
        record, = self.object("-i", self.machine(), "translate", "8", "0x777000", status=7)["translations"]
        self.assertEqual((record["result"], record["cause"]), ("fault", 13))

    def test_seven_is_not_given_where_one_of_many_is_unknown(self):
        self.ran("-i", self.machine(), "-O", "absent=missing", "translate", "0x10", "0x1000", "0x2000", status=5)


class OneShot(common.Case):
    def records(self, *args, status=0):
        return self.object("-i", self.machine(), "translate", *args, status=status)["translations"]

    def test_several_addresses_give_several_records(self):
        records = self.records("8", "0x1000", "0x2000", "0x200000")
        self.assertEqual([r["pa"] for r in records], ["0x90000000", "0x90001000", "0xa0000000"])
        self.assertEqual([r["page_size"] for r in records], ["0x1000", "0x1000", "0x200000"])
        self.assertEqual([r["permissions"] for r in records], ["rw-", "r--", "rw-"])

    def test_steps_are_there_by_themselves(self):
        self.assertEqual(len(self.records("8", "0x1000")[0]["steps"]), 4)

    def test_options_of_the_request(self):
        self.assertEqual(self.records("8", "0x2000", "--access", "w", status=7)[0]["cause"], 15)
        self.assertEqual(self.records("8", "0x2000", "--access", "x", status=7)[0]["cause"], 12)
        self.assertEqual(self.records("9", "0x1000", "--process", "5")[0]["pa"], "0x90000000")
        self.assertEqual(self.records("9", "0x1000", "--process", "0x5", "--priv", status=7)[0]["privileged"], True)
        self.assertEqual(self.records("8", "0x1000", "--type", "ats", status=7)[0]["cause"], 260)

    def test_text_shows_steps_and_outcome(self):
        out = self.ran("-i", self.machine(), "translate", "8", "0x2010", "--access", "w", status=7).out.decode()
        for word in ("dc", "pte", f"{common.Machine.L0 + 16:#x}", "15", "Write/AMO page fault"):
            self.assertIn(word, out)


class Options(common.Case):
    def test_options_stand_behind_the_command_under_posixly_correct_too(self):
        core = self.machine()
        done = self.ran("translate", "8", "0x1000", "--access", "w", "-i", core, env={"POSIXLY_CORRECT": "1"})
        self.assertEqual(done.out, self.ran("-i", core, "--access", "w", "translate", "8", "0x1000").out)

    def test_help_lists_every_command_and_option(self):
        out = self.ran("--help").out.decode()
        for command in common.COMMANDS:
            self.assertRegex(out, rf"(?m)^\s+{command}\b")
        for option in ("-i, --input", "-A, --access", "-O, --option", "-u, --iommu", "--base", "--reg",
                       "--save", "-v, --verbose", "-h, --help", "-V, --version", "--process", "--priv", "--type",
                       "--batch", "--steps", "--walk"):
            self.assertIn(option, out)
        self.assertEqual("-J, --json" in out, common.features(common.TOOL)["json"])
        self.assertEqual(out, self.ran("-h").out.decode())

    def test_version(self):
        out = self.ran("--version").out.decode()
        self.assertRegex(out, r"^iommu-dump \S+.* \d+\.\d+")
        self.assertRegex(out, r"(?m)^Features: [+-]json [+-]smartcols [+-]tui [+-]kdumpfile\b")
        self.assertEqual(out, self.ran("-V").out.decode())

    def test_methods_and_parameters_are_listed(self):
        out = self.ran("-A", "help").out.decode()
        for method in ("core", "devmem", "kcore", "debugfs"):
            self.assertIn(method, out)
        out = self.ran("-O", "help").out.decode()
        for key in ("gxl_writable", "be_writable", "absent", "max-pages", "excluded", "fdt.path"):
            self.assertIn(key, out)

    def test_list_is_the_default_command(self):
        core = self.machine()
        self.assertEqual(self.ran("-i", core).out, self.ran("-i", core, "list").out)

    def test_long_and_short_options_mean_the_same(self):
        core = self.machine()
        a = self.ran("-J", "-i", core, "-O", "absent=fault", "-u", f"{common.BASE:#x}", "translate", "0x10", "0x0", status=7)
        b = self.ran("--json", "--input", core, "--option", "absent=fault", "--iommu", f"{common.BASE:#x}", "translate",
                     "0x10", "0x0", status=7)
        self.assertEqual(a.out, b.out)

    def test_double_dash_ends_options(self):
        self.ran("-i", self.machine(), "--", "translate", "8", "0x1000")

    def test_verbose_talks_on_stderr_only(self):
        core = self.machine()
        self.assertEqual(self.ran("-v", "-v", "-i", core, "list").out, self.ran("-i", core, "list").out)

    def test_save_of_a_capture_answers_the_same(self):
        core, copy = self.machine(), self.path("copy")
        self.ran("-i", core, "--save", copy, "list", status=common.call("-i", core, "list").status)
        self.assertEqual(os.stat(copy).st_mode & 0o777, 0o600)
        requests = b"8 0x1000\n8 0x777000\n8 0x200000\n9 0x1000 pid=5\n0x33 0\n0x10 0x1000\n"
        a = common.call("-i", core, "-J", "translate", "--batch", "-", "--steps", stdin=requests)
        b = common.call("-i", copy, "-J", "translate", "--batch", "-", "--steps", stdin=requests)
        self.assertEqual((a.status, a.out), (b.status, b.out))
        a = self.object("-i", core, "regs")["iommus"]
        self.assertEqual(a, self.object("-i", copy, "regs")["iommus"])
        a = self.object("-i", core, "faults")
        b = self.object("-i", copy, "faults")
        self.assertEqual({k: v for k, v in a.items() if k != "source"}, {k: v for k, v in b.items() if k != "source"})

    def test_saved_capture_is_an_elf_core_that_readelf_reads(self):
        copy = self.path("copy")
        common.call("-i", self.machine(), "--save", copy, "list")
        try:
            done = subprocess.run(["readelf", "-hlnW", copy], capture_output=True, check=False)
        except FileNotFoundError:
            self.skipTest("no readelf")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr, b"")
        self.assertIn(b"CORE (Core file)", done.stdout)

    def test_iommu_may_be_named(self):
        core = self.machine(iommu_name="3010000.iommu")
        self.ran("-i", core, "-u", "3010000.iommu", "translate", "8", "0x1000")


class SeveralIommus(common.Case):
    OTHER, DDT2 = 0x20000000, 0x80100000

    def two(self):
        m = common.Machine()
        m.memory.put64(self.DDT2 + 64 * 8, 1, 0, 0, 0, 0, 0, 0, 0)  # the same device_id, no translation
        notes = capture.registers_note(m.registers, common.BASE, "first") + \
            capture.registers_note({**m.registers, "ddtp": common.UPPER(self.DDT2) | 2}, self.OTHER, "second")
        return self.write("two.core", capture.core(notes, m.memory.segments()))

    def test_device_on_several_iommus_is_usage_and_names_them(self):
        done = self.ran("-i", self.two(), "translate", "8", "0x1000", status=2)
        for name in (b"first", b"second"):
            self.assertIn(name, done.err)

    def test_device_on_several_iommus_in_a_batch_is_a_bad_line(self):
        record, = self.batch("8 0x1000\n", capture_file=self.two(), status=2)
        self.assertIn("second", record["message"])

    def test_each_of_many_iommus_can_be_chosen(self):
        m = common.Machine()
        notes = b"".join(capture.registers_note(m.registers, common.BASE + i * 0x1000, f"unit{i}") for i in range(100))
        core = self.write("many.core", capture.core(notes, m.memory.segments()))
        for unit in ("unit0", "unit99"):
            record, = self.object("-i", core, "-u", unit, "translate", "8", "0x1000")["translations"]
            self.assertEqual(record["pa"], "0x90000000")

    def test_iommu_option_decides(self):
        for name, pa in (("first", "0x90000000"), (f"{self.OTHER:#x}", "0x1000"), ("second", "0x1000")):
            with self.subTest(name):
                record, = self.object("-i", self.two(), "-u", name, "translate", "8", "0x1000")["translations"]
                self.assertEqual(record["pa"], pa)

    def test_every_iommu_is_listed_without_the_option_and_one_with_it(self):
        self.assertEqual([i["base"] for i in self.object("-i", self.two(), "list")["iommus"]],
                         [f"{common.BASE:#x}", f"{self.OTHER:#x}"])
        self.assertEqual(len(self.object("-i", self.two(), "-u", "first", "list")["iommus"]), 1)

    def test_register_by_hand_goes_to_the_iommu_that_is_named(self):
        args = ["-i", self.two(), "--reg", f"{self.OTHER:#x}:ddtp=0", "regs", "ddtp"]
        modes = [i["registers"]["ddtp"]["iommu_mode"] for i in self.object(*args)["iommus"]]
        self.assertEqual(modes, ["1LVL", "Off"])


class FakeMachine(common.Case):
    """This machine replaced by files: discovery from a device tree, registers as the kernel module shows them."""

    def test_registers_of_the_module_are_read(self):
        root = self.fake_root()
        self.debugfs(common.Machine().registers)
        top = self.object(*root, "regs", "ddtp")
        self.assertEqual(top["iommus"][0]["registers"]["ddtp"]["iommu_mode"], "1LVL")
        self.assertIs(top["source"]["live"], True)

    def test_registers_through_the_memory_device(self):
        root = self.fake_root()
        m = common.Machine()
        with open(self.path("root/mem"), "wb") as f:
            for name, value in m.registers.items():
                offset, width = capture.REGISTERS[name]
                f.seek(common.BASE + offset)
                f.write(value.to_bytes(width, "little"))
            f.truncate(common.BASE + 0x1000)
        top = self.object(*root, "regs", "capabilities", "ddtp")
        self.assertEqual(top["iommus"][0]["registers"]["capabilities"]["raw"], f"{common.CAPABILITIES:#x}")

    def kcore(self, zeroed):
        """/proc/kcore with the machine's pages, where that of the directory may be one that the kernel cannot read."""
        m = common.Machine()
        if zeroed:
            m.memory.pages[m.DDT] = bytearray(capture.PAGE)
        self.debugfs(m.registers)
        self.write("root/kcore", capture.core(b"", m.memory.segments()))

    def test_directory_that_kcore_shows_as_zeros_is_suspect(self):
        for zeroed in (True, False):
            root = self.fake_root()
            self.kcore(zeroed)
            for command in ("list", "devices"):
                text = b" ".join(common.call(*root, command).out.split())
                self.assertEqual(b"a page that /proc/kcore cannot read" in text, zeroed, command)

    def test_directory_of_zeros_in_a_capture_is_empty(self):
        m = common.Machine()
        m.memory.pages[m.DDT] = bytearray(capture.PAGE)
        capture.write(self.path("zero.core"), m.memory, m.registers)
        for command in ("list", "devices"):
            self.assertNotIn(b"kcore", self.ran("-i", self.path("zero.core"), command).out)

    def test_directory_where_there_is_no_memory_is_damaged_data(self):
        core = self.machine(registers={"ddtp": 0xffffffffff000 >> 12 << 10 | 2})
        for command in (["list"], ["devices"], ["whomaps", "0x90000000"], ["check"]):
            with self.subTest(command=command):
                self.object("-i", core, "-O", "absent=fault", *command, status=7 if command == ["check"] else 5)

    def test_list_says_why_not_and_what_to_do(self):
        root = self.fake_root()
        done = common.call(*root, "list")
        self.sane(done)
        self.assertIn(done.status, (1, 4, 5), str(done))
        text = (done.out + done.err).lower()
        for word in (b"debugfs", b"mem"):
            self.assertIn(word, text)

    def test_base_by_hand_needs_no_discovery(self):
        root = self.fake_root(bases=())
        self.debugfs(common.Machine().registers)
        top = self.object(*root, "--base", f"{common.BASE:#x}", "regs", "fctl")
        self.assertEqual(top["iommus"][0]["base"], f"{common.BASE:#x}")
