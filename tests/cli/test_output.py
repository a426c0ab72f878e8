# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes out: JSON that is valid whatever happens, text that fits, errors of standard output, speed."""
import os
import re
import resource
import signal
import subprocess
import unittest

import capture
import common

KERNEL_LINE = "riscv-iommu 3010000.iommu: Fault 13 devid: 0x8 iotval: 777000 iotval2: 0"


def all_commands(core):
    return [["-i", core, c] for c in ("list", "regs", "devices", "faults", "commands", "requests", "counters")] + [
        ["-i", core, "devices", "8"], ["-i", core, "processes", "9"], ["-i", core, "faults", "--walk"], ["-i", core, "check"],
        ["-i", core, "translate", "8", "0x1000", "0x777000"], ["-i", core, "translate", "0x10", "0"],
        ["-i", core, "mappings", "8"], ["-i", core, "mappings", "9"], ["-i", core, "mappings", "0x10"],
        ["-i", core, "whomaps", "0x90000000"], ["-i", core, "msi", "8"],
        ["explain", KERNEL_LINE], ["explain", "ddtp=0x20080004"], ["explain", "no such thing"]]


class Json(common.Case):
    def envelope(self, *args):
        done = common.call("-J", *args)
        self.sane(done)
        top = self.one_object(done)
        self.assertEqual(top["schema"], "iommu-dump/1")
        self.assertEqual(top["tool"], "iommu-dump")
        self.assertIn("version", top)
        self.assertIsInstance(top["complete"], bool)
        self.assertIsInstance(top["errors"], list)
        if done.status in (1, 2, 3, 4, 5) and not top["errors"]:
            # what is unknown in a record is said there
            self.assertEqual(done.status, 5, str(done))
        return top

    def test_every_command_gives_one_object_with_the_envelope(self):
        for args in all_commands(self.machine()):
            with self.subTest(args=args):
                self.envelope(*args)

    def test_partial_failure_is_valid_json_that_says_so(self):
        core = self.machine(registers={"fqb": None, "ddtp": None, "cqcsr": None})
        for args in all_commands(core):
            with self.subTest(args=args):
                self.envelope(*args)
        self.assertIs(self.object("-i", core, "regs", status=5)["complete"], False)

    def test_jq_reads_it(self):
        for args in all_commands(self.machine()):
            done = common.call("-J", *args)
            try:
                jq = subprocess.run(["jq", "-e", ".schema"], input=done.out, capture_output=True, check=False)
            except FileNotFoundError:
                self.skipTest("no jq")
            self.assertEqual((jq.returncode, jq.stdout), (0, b'"iommu-dump/1"\n'), str(done))

    def test_names_from_outside_are_cleaned(self):
        evil = "ev\x1b[31mil\n\"}\\\u00e9\u202e"
        note = {"model": evil, "kernel": evil, "devices": [{"device_id": "0x8", "name": evil, "driver": evil,
                                                            "iommu": f"{common.BASE:#x}"}]}
        core = self.machine(iommu_name="n\x1b]0;x\x07", note=note)
        for args in all_commands(core):
            with self.subTest(args=args):
                self.envelope(*args)
                done = common.call(*args)
                self.assertNotIn(b"\x1b", done.out + done.err)

    def test_file_name_that_is_not_utf8_still_gives_utf8(self):
        core = self.machine()
        odd = os.path.join(os.fsencode(self.dir), b"odd-\xff\x1b.core")
        os.rename(core, odd)
        self.envelope("-i", odd, "list")
        self.envelope("-i", odd, "translate", "8", "0x1000")

    def test_words_of_the_user_that_are_not_utf8_still_give_utf8(self):
        self.envelope("explain", b"Fault \xff\xfe 13 \x1b[2J")
        self.envelope("-i", self.machine(), "devices", b"\xff")
        self.envelope("-i", self.machine(), "translate", "8", b"\xff")
        self.envelope("-i", self.machine(), "regs", b"\xff")

    def test_addresses_are_lower_case_hex_and_unpadded(self):
        def check(value, key=None):
            if isinstance(value, dict):
                for k, v in value.items():
                    check(v, k)
            elif isinstance(value, list):
                for v in value:
                    check(v, key)
            elif isinstance(value, str) and value.startswith("0x") and " " not in value:
                number = int(value, 16)
                self.assertEqual(value, f"{number:#x}", key)
        for args in all_commands(self.machine()):
            check(self.object(*args, status=common.call("-J", *args).status))

    def test_keys_are_snake_case(self):
        def check(value):
            if isinstance(value, dict):
                for k, v in value.items():
                    self.assertRegex(k, r"^[a-z0-9_]+$")
                    check(v)
            elif isinstance(value, list):
                for v in value:
                    check(v)
        for args in all_commands(self.machine()):
            check(self.object(*args, status=common.call("-J", *args).status))


class Contents(common.Case):
    def test_faults_shows_pending_and_history_oldest_first(self):
        faults = self.object("-i", self.machine(), "faults")["faults"]
        self.assertEqual([(f["cause"], f["pending"]) for f in faults], [(258, False), (15, True), (13, True)])

    def test_fault_walk_names_the_entry_that_decided(self):
        faults = self.object("-i", self.machine(), "faults", "--walk")["faults"]
        walk = faults[1].get("walk") or faults[1].get("translation")
        self.assertEqual((walk["result"], walk["cause"]), ("fault", 15))
        self.assertEqual(walk["steps"][-1]["address"], f"{common.Machine.L0 + 16:#x}")

    def test_devices_are_listed_by_id(self):
        devices = self.object("-i", self.machine(), "devices")["devices"]
        self.assertEqual([d["device_id"] for d in devices], ["0x8", "0x9", "0x10"])

    def test_the_longest_context_is_whole(self):
        """Every bit set, and names as long as they get (discover.h) of what has to be escaped."""
        names = {"name": '"' * 63, "driver": "\\" * 31, "group": '"' * 15, "domain_type": "\\" * 23}
        m, ones = common.Machine(), 2 ** 64 - 1
        m.memory.put64(m.DDT + 64 * 8, *[ones] * 8)
        note = {"devices": [{"device_id": "0x8", "iommu": f"{common.BASE:#x}", **{k: v + "x" for k, v in names.items()}}]}
        capture.write(self.path("m.core"), m.memory, m.registers, machine=note)
        for args in ([], ["8"]):
            dc = self.object("-i", self.path("m.core"), "devices", *args)["devices"][0]
            dwords = [dc[key] for key in ("tc", "iohgatp", "ta", "fsc", "msiptp", "msi_addr_mask", "msi_addr_pattern", "reserved")]
            self.assertEqual({key: dc[key] for key in names}, names)
            self.assertEqual([dword["raw"] for dword in dwords], [f"{ones:#x}"] * 8)
            self.assertEqual(dwords[0]["reserved_set"], f"{0xffffffff00fff000:#x}")
            self.assertEqual(dwords[6], {"raw": f"{ones:#x}", "pattern": f"{2 ** 52 - 1:#x}",
                                         "pattern_address": f"{2 ** 64 - 2 ** 12:#x}", "reserved_set": f"{0xfff << 52:#x}"})
            self.assertEqual(dwords[7], {"raw": f"{ones:#x}", "reserved_set": f"{ones:#x}"})

    def test_processes_of_a_directory(self):
        processes = self.object("-i", self.machine(), "processes", "9")["processes"]
        self.assertEqual([p["process_id"] for p in processes], ["0x5"])

    def test_explain_a_kernel_line(self):
        out = self.ran("explain", KERNEL_LINE).out
        self.assertIn(b"Read page fault", out)
        self.assertIn(b"0x777000", out)

    def test_advice_is_about_the_cause(self):
        for cause, word in ((4, "multiple"), (5, "PAS"), (6, "multiple"), (7, "PAS"), (13, "not mapped")):
            self.assertIn(word, self.object("explain", f"cause={cause}")["explained"][0]["advice"], cause)

    def test_explain_from_standard_input(self):
        self.assertIn(b"Read page fault", self.ran("explain", "-", stdin=KERNEL_LINE.encode() + b"\n").out)

    def test_steps_at_high_addresses_fit_the_screen(self):
        m = common.Machine()
        top = 0xff_ffff_ffff_f000
        m.memory.put64(m.ROOT + 8 * 3, common.pte(top, 1))
        m.memory.put64(top, common.pte(top, 1))
        m.memory.put64(top + 8, common.pte(top, 1))
        m.memory.put64(top + 8 * 2, common.pte(top & ~0xffff | 0x8000, m.USER | 1 << 63))
        m.memory.put64(m.DDT + 64 * 9, 1, 8 << 60 | 0x80010, 0, 8 << 60 | 3)  # two stages: what is read on behalf is indented
        m.memory.put64(0x80010000, common.pte(top, 1))
        m.registers["capabilities"] |= 1 << 10
        capture.write(self.path("high.core"), m.memory, m.registers)
        for args in (["8", hex(3 << 30 | 2 << 12)], ["8", hex(3 << 30 | 1 << 21 | 2 << 12)], ["9", "0x2000"]):
            done = common.call("-i", self.path("high.core"), "translate", *args)
            lines = done.out.decode().splitlines()
            self.assertIn("0xff", done.out.decode(), str(done))
            self.assertEqual([x for x in lines if len(x) > 80 or x != x.rstrip()], [], str(done))

    def test_explain_a_register_as_it_is_typed_and_printed(self):
        expected = self.object("explain", "ddtp=0x20080004")["explained"]
        line, = (x for x in self.ran("-i", self.machine(registers={"ddtp": 0x20080004}), "regs", "ddtp").out.splitlines() if b"0x010" in x)
        for args in (["ddtp 0x20080004"], ["ddtp", "0x20080004"], ["ddtp: 0x20080004"], ["DDTP", "=", "0x20080004"], [line.decode()]):
            self.assertEqual(self.object("explain", *args)["explained"], expected, args)
        self.assertEqual(self.object("explain", "-", stdin=b"noise 5\n" + line + b"\n")["explained"], expected)
        for text in ("ddtp 0x", "ddtp", "ddtp zero", "pc : 0x80000000", "nobody 5"):
            self.ran("explain", text, status=2)

    def test_explain_a_register(self):
        self.assertIn(b"0x80200000", self.ran("explain", "ddtp=0x20080004").out)
        self.assertIn(b"3LVL", self.ran("explain", "ddtp=0x20080004").out)

    def test_explain_says_what_a_superpage_of_a_debug_translation_is(self):
        self.assertIn(b"(2 MiB at 0x80800000)", self.ran("explain", "tr_response=0x2023fe00").out)
        for value in "0x20200000", "0x2023fe01", "0x3ffffffffffe00":
            self.assertIsNone(self.object("explain", f"tr_response={value}")["explained"][0]["note"], value)

    def test_explain_an_entry_by_the_names_of_the_steps(self):
        for name in "ddte", "dc", "pdte", "pc", "pte", "gpte", "msi_pte":
            self.ran("explain", f"{name}=0x1")

    def test_fault_has_the_same_keys_in_the_queue_and_explained(self):
        core = common.Machine()
        core.memory.put64(core.FQ + 32, *common.fault_record(21, 8, 0x2010, 0x3003, ttyp=3, pid=5))
        core.memory.put64(core.FQ + 64, *common.fault_record(273, 0, 0, ttyp=0))
        capture.write(self.path("f.core"), core.memory, core.registers)
        for record in self.object("-i", self.path("f.core"), "faults")["faults"]:
            explained, = self.object("explain", " ".join(record["raw"]))["explained"]
            common_keys = set(record) - {"iommu", "index", "pending", "device", "raw"}
            self.assertEqual({k: record[k] for k in common_keys}, {k: explained.get(k) for k in common_keys})
            self.assertEqual(set(explained) - common_keys, {"kind", "iommu_name", "meaning", "advice", "walk_command"})
        self.assertIsNone(record["device_id"])

    def test_queue_has_one_shape(self):
        for registers in ({}, {"fqcsr": 0x10303}, {"fqh": None}):
            core = self.machine(registers=registers)
            listed, = self.object("-i", core, "list")["iommus"]
            faults, = self.object("-i", core, "faults", status=common.call("-i", core, "faults").status)["iommus"]
            self.assertEqual(faults["queues"], listed["queues"])
            self.assertEqual(set(faults), {"base", "name", "mode", "queues"})
            if "fqcsr" in registers:
                self.assertEqual(faults["queues"]["fq"]["error_bits"], ["fqmf", "fqof"])

    def test_mode_that_is_not_defined_leaves_devices_unknown(self):
        note = {"devices": [{"device_id": "0x8", "name": "0000:00:01.0", "iommu": f"{common.BASE:#x}"}]}
        core = self.machine(registers={"ddtp": common.UPPER(common.Machine.DDT) | 7}, note=note)
        for args in ([], ["8"]):
            with self.subTest(args=args):
                top = self.object("-i", core, "devices", *args, status=5)
                self.assertEqual([(d["state"], d["valid"]) for d in top["devices"]], [("unknown", None)])
                self.assertIn("ddtp.iommu_mode is 0x7", top["errors"][0])
                self.assertNotIn(b"refused", self.ran("-i", core, "devices", *args, status=5).out)

    def test_usage_error_is_an_object_too(self):
        core = self.machine()
        for args in (["list", "x"], ["faults", "x"], ["regs", "x"], ["processes"], ["translate", "8"]):
            self.assertFalse(self.object("-i", core, *args, status=2)["complete"], args)

    def test_first_stage_of_a_process_is_named_by_the_width_of_its_device(self):
        for sxl, name in ((0, b"Sv39"), (1 << 11, b"Sv32")):
            m = common.Machine()
            m.memory.put64(m.DDT + 64 * 9, 1 | 1 << 5 | sxl)
            capture.write(self.path("sxl.core"), m.memory, {**m.registers, "capabilities": common.CAPABILITIES | 1 << 8})
            out = common.call("-i", self.path("sxl.core"), "translate", "9", "0x1000", "--process", "5").out
            step = next(line for line in out.splitlines() if b" pc " in line)
            self.assertIn(b"first stage " + name, step)

    def test_mode_has_one_word_in_every_command(self):
        for mode, word in ((0, "Off"), (2, "1LVL"), (7, "0x7")):
            core = self.machine(registers={"ddtp": common.UPPER(common.Machine.DDT) | mode})
            for command in (["list"], ["faults"], ["devices"], ["translate", "8", "0x1000"]):
                iommu, = self.object("-i", core, *command, status=common.call("-i", core, *command).status)["iommus"]
                self.assertEqual(iommu["mode"], word, command)

    def test_explain_of_rubbish_says_what_it_takes(self):
        done = common.call("explain", "no such thing")
        self.sane(done)
        self.assertIn(done.status, (2, 5), str(done))

    def test_damaged_capture_says_where(self):
        with open(self.machine(), "rb") as f:
            content = f.read()
        done = self.ran("-i", self.write("cut.core", content[:-5000]), "list", status=5)
        self.assertIn(b"cut.core", done.err)
        self.assertIn(b"truncated", done.err)


class Terminal(common.Case):
    def on_terminal(self, *args, tool=common.TOOL, status=0, rows=False):
        """What standard error, which is a terminal, gets while standard output goes into a file, or with ROWS there, too."""
        common.wanted(tool, args)
        master, slave = os.openpty()
        with open(self.path("out"), "wb") as out:
            process = subprocess.Popen([tool, *args], stdin=slave, stdout=slave if rows else out, stderr=slave)
        os.close(slave)
        text = b""
        try:
            while more := os.read(master, 4096):
                text += more
        except OSError:  # nobody has the other end any more
            pass
        os.close(master)
        process.wait()
        if common.LEFT_OUT in text:
            self.skipTest(text.decode().splitlines()[0])
        self.assertEqual(process.returncode, status, text)
        return text


class LongListing(Terminal):
    """16,384 devices, which is where progress is shown first, and many tables of text one after the other."""
    COUNT = 16384

    def core(self):
        m = common.Machine()
        root, middle, leaves = m.DDT, m.DDT + 0x100000, m.DDT + 0x200000
        m.memory.pages.pop(root, None)
        m.memory.put64(root, common.UPPER(middle) | 1)
        for page in range(self.COUNT // 64):
            m.memory.put64(middle + 8 * page, common.UPPER(leaves + 4096 * page) | 1)
            for i in range(64):
                m.memory.put64(leaves + 4096 * page + 64 * i, 1)
        m.registers["ddtp"] = common.UPPER(root) | 4
        capture.write(self.path("long.core"), m.memory, m.registers)
        return self.path("long.core")

    def test_every_device_has_its_row(self):
        ids = [f"{i:#x}" for i in range(self.COUNT)]
        out = self.ran("-i", self.core(), "devices").out.decode()
        self.assertEqual([line.split()[0] for line in out.splitlines() if " valid " in line], ids)
        self.assertEqual([d["device_id"] for d in self.object("-i", self.core(), "devices")["devices"]], ids)

    def test_a_terminal_shows_how_far_it_is(self):
        core = self.core()
        for args in ([], ["-J"]):
            self.assertEqual(self.on_terminal("-i", core, *args, "devices"), b"\riommu-dump: 16384 devices\r\x1b[K")
        self.assertEqual(self.on_terminal("-i", self.machine(), "devices"), b"")
        self.assertEqual(self.ran("-i", core, "devices").err, b"")

    def test_an_interrupt_ends_it_at_once(self):
        common.wanted(common.TOOL, ["-J"])
        process = subprocess.Popen([common.TOOL, "-J", "-i", self.core(), "devices"], stdout=subprocess.PIPE)
        process.stdout.read(1000)  # it is at work; then it waits for us
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), -signal.SIGINT)
        process.stdout.close()


class LongWalk(Terminal):
    """
    32,768 tables, where two that share a slot of the source come in turns: a few pages, and each is read anew. Behind them
    is what makes a row: a page at PA.
    """
    PAGES = rb"(?:\riommu-(?:dump|kexec-prep): (\d+) pages)"

    def core(self, name, pa, note=None):
        m = common.Machine()
        one, other, last = 0x80400000, 0x80800000, 0x80300000
        m.memory.page(one)
        m.memory.page(other)
        m.memory.put64(m.L1, *[common.pte(one, 1), common.pte(other, 1)] * 256)
        m.memory.put64(m.ROOT, *[common.pte(m.L1, 1)] * 64, common.pte(last, 1))
        m.memory.put64(last, common.pte(m.L0, 1))
        m.memory.put64(m.L0 + 8, common.pte(pa, m.USER))
        m.memory.put64(m.DDT + 64 * 0x10, 0, 0, 0, 0)
        capture.write(self.path(name), m.memory, m.registers, machine=note)
        return self.path(name)

    def commands(self):
        """(program, arguments, status)"""
        core = self.core("long.core", 0x90000000)
        commands = [(common.TOOL, ("-i", core, "check"), 5), (common.TOOL, ("-i", core, "whomaps", "0x90000000"), 0),
                    (common.TOOL, ("diff", core, self.core("new.core", 0x91000000)), 7)]
        if common.features(common.TOOL).get("json", True):  # else the memory of the crash kernel is not known
            note = {"memory": [{"start": "0x90000000", "end": "0x90ffffff", "name": "Crash kernel"}]}
            commands.append((common.KEXEC_PREP, ("-i", self.core("crash.core", 0x90000000, note), "-p", "check"), 7))
        return commands

    def test_a_terminal_shows_how_far_it_is(self):
        for tool, args, status in self.commands():
            for option in ([], ["-J"]):
                with self.subTest(args=args, option=option):
                    text = self.on_terminal(*option, *args, tool=tool, status=status)
                    self.assertRegex(text, rb"^" + self.PAGES + rb"+\r\x1b\[K")
                    counts = [int(n) for n in re.findall(self.PAGES, text)]
                    self.assertEqual(counts, [16384 * (i + 1) for i in range(len(counts))])
                    self.assertGreaterEqual(counts[-1], 32768)

    def test_beside_text_and_never_in_it(self):
        """Each row stands on a line that was cleared; what is seen at last is what a file gets."""
        for tool, args, status in self.commands():
            with self.subTest(args=args):
                text = self.on_terminal(*args, tool=tool, status=status, rows=True)
                self.assertIn(b" pages", text)
                seen = re.sub(self.PAGES + rb"+\r\x1b\[K", b"", text)
                self.assertNotIn(b" pages", seen)
                self.assertEqual(re.sub(rb"\x1b\[\d*m", b"", seen).replace(b"\r\n", b"\n"), self.both(tool, *args))

    def both(self, tool, *args):
        common.wanted(tool, args)
        return subprocess.run([tool, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=common.TIMEOUT).stdout

    def test_nothing_of_it_in_a_pipe_or_in_json_on_a_terminal(self):
        for tool, args, status in self.commands():
            with self.subTest(args=args):
                self.assertNotIn(b" pages", self.both(tool, *args))
                self.assertNotIn(b" pages", self.on_terminal("-J", *args, tool=tool, status=status, rows=True))


class Text(common.Case):
    def test_eighty_columns(self):
        core = self.machine()
        for args in all_commands(core) + [["--help"], ["-i", core, "translate", "9", "0x1000", "--process", "5"],
                                          ["-O", "help"], ["-A", "help"]]:
            with self.subTest(args=args):
                wide = [x for x in common.call(*args).out.decode().splitlines() if len(x) > 80]
                self.assertEqual(wide, [])

    def test_no_colour_where_nobody_wants_it(self):
        core = self.machine()
        for env in ({}, {"NO_COLOR": "1", "TERM": "xterm-256color"}, {"TERM": "dumb"}):
            for args in all_commands(core):
                self.assertNotIn(b"\x1b", common.call(*args, env=env).out)

    def test_no_colour_on_a_terminal_with_no_color_set(self):
        try:
            import pty
        except ImportError:
            self.skipTest("no pty")
        core = self.machine()
        for args in all_commands(core)[:4]:
            master, slave = pty.openpty()
            proc = subprocess.Popen([common.TOOL, *args], stdout=slave, stderr=subprocess.DEVNULL,
                                    env=dict(os.environ, NO_COLOR="1", TERM="xterm-256color"))
            os.close(slave)
            out = b""
            while True:
                try:
                    piece = os.read(master, 65536)
                except OSError:
                    break
                if not piece:
                    break
                out += piece
            os.close(master)
            proc.wait(common.TIMEOUT)
            self.assertNotIn(b"\x1b", out)


class StandardOutput(common.Case):
    def commands(self):
        core = self.machine()
        return all_commands(core) + [["-J", *a] for a in all_commands(core)] + [["--help"], ["--version"], ["-O", "help"]]

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_full_disk_is_status_one(self):
        for args in self.commands():
            with self.subTest(args=args), open("/dev/full", "wb") as full:
                done = common.call(*args, stdout=full)
                quiet = not common.call(*args).out
                # a usage error outranks it, and there may be nothing to print
                self.assertIn(done.status, (1, 2) if not quiet else (1, 2, 5), str(done))
                self.assertTrue(quiet or b"standard output: No space left" in done.err, str(done))

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_full_disk_in_a_batch_is_status_one(self):
        with open("/dev/full", "wb") as full:
            done = common.call("-i", self.machine(), "-J", "translate", "--batch", "-", stdin=b"8 0x1000\n" * 10,
                               stdout=full)
            self.assertEqual(done.status, 1, str(done))
            self.assertIn(b"No space left", done.err)

    def test_closed_output_is_status_one(self):
        for args in self.commands():
            with self.subTest(args=args):
                done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", common.TOOL, *args], capture_output=True,
                                      timeout=common.TIMEOUT, check=False)
                quiet = not common.call(*args).out
                self.assertIn(done.returncode, (1, 2) if not quiet else (1, 2, 5), (args, done))

    def batch_to_nobody(self, restore_signals):
        """A batch into a pipe that has no reader any more; Python ignores SIGPIPE, unless it restores signals."""
        common.wanted(common.TOOL, ["-J"])
        read, write = os.pipe()
        os.close(read)
        try:
            return subprocess.run([common.TOOL, "-i", self.machine(), "-J", "translate", "--batch", "-"],
                                  input=b"8 0x1000\n" * 20000, stdout=write, stderr=subprocess.PIPE,
                                  timeout=common.TIMEOUT, check=False, restore_signals=restore_signals)
        finally:
            os.close(write)

    def test_reader_that_goes_away_is_status_one_or_sigpipe_and_no_hang(self):
        self.assertIn(self.batch_to_nobody(True).returncode, (1, -13))

    def test_ignored_sigpipe_is_status_one(self):
        done = self.batch_to_nobody(False)
        self.assertEqual(done.returncode, 1)
        self.assertNotEqual(done.stderr, b"")


class Speed(common.Case):
    @staticmethod
    def best(*args, count=20):
        return common.processor_time(lambda: common.call(*args), count)

    @unittest.skipIf(common.TOOL and common.slowed(), "sanitizers, and what is not optimized, are slow")
    def test_start_on_a_capture_takes_less_than_ten_milliseconds(self):
        for args in (["-i", common.SAMPLE, "list"], ["-i", common.SAMPLE, "-J", "translate", "0xd14bff", "0x1000"]):
            self.assertLess(self.best(*args), 0.010, args)

    @unittest.skipIf(common.TOOL and common.slowed(), "sanitizers take memory of their own")
    def test_names_of_devices_take_the_memory_of_the_list_alone(self):
        """50,000 are a note of 3 MB and a list of 8; json-c would take 60 for the whole note."""
        core = self.machine(note={"devices": [{"device_id": hex(i), "name": str(i), "iommu": hex(common.BASE)} for i in range(50000)]})
        common.wanted(common.TOOL, [])
        done = subprocess.run([common.TOOL, "-i", core, "regs", "ddtp"], capture_output=True, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (32 << 20, 32 << 20)))
        self.assertEqual(done.returncode, 0, done)

    @unittest.skipIf(common.TOOL and common.slowed(), "sanitizers, and what is not optimized, are slow")
    def test_start_on_a_capture_of_seventy_thousand_segments(self):
        m = common.Machine()
        page = bytes(capture.PAGE)
        segments = m.memory.segments() + [(0x100000000 + i * 2 * capture.PAGE, page) for i in range(70000)]
        self.write("big.core", capture.core(capture.registers_note(m.registers), segments))
        record, = self.object("-i", self.path("big.core"), "translate", "8", "0x1000")["translations"]
        self.assertEqual(record["pa"], "0x90000000")
