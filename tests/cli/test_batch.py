# SPDX-License-Identifier: GPL-2.0-or-later
"""translate --batch: one request a line, one record a line."""
import json
import subprocess
import time

import common
import expect
import vec
import run as vectors


class Sample(common.Case):
    """A capture that a program of somebody else wrote."""

    def test_sample_capture_gives_the_answers_of_its_vector_file(self):
        case = next(vec.Vec(n, t) for n, t in vec.load() if n == "v0002.vec")
        with open(common.SAMPLE_REQUESTS, encoding="ascii") as f:
            self.assertEqual([r.batch_line() for r in case.requests], f.read().splitlines())
        done = self.ran("-i", common.SAMPLE, *common.SAMPLE_OPTIONS, "-J", "translate", "--batch",
                        common.SAMPLE_REQUESTS, "--steps")
        records = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual({r["iommu"] for r in records}, {"0x10000000"})
        for record in records:
            record["iommu"] = f"{vectors.BASE:#x}"
        bad, _ = vectors.judge(case, records)
        self.assertEqual([b for b in bad if b], [])

    def test_options_may_stand_behind_the_command(self):
        done = self.ran("translate", "--batch", common.SAMPLE_REQUESTS, "-J", "-i", common.SAMPLE,
                        *common.SAMPLE_OPTIONS)
        self.assertEqual(len(done.out.splitlines()), 40)


class Lines(common.Case):
    def test_record_has_the_keys_of_the_design_and_no_others(self):
        always = {"line", "iommu", "device_id", "process_id", "iova", "access", "privileged", "type", "result"}
        ok, fault = self.batch("8 0x1000\n8 0x3000\n")
        self.assertEqual(set(ok), always | {"pa", "page_size", "permissions", "memory_type", "msi"})
        self.assertEqual(set(fault), always | {"cause", "cause_name", "iotval", "iotval2", "reported", "response"})

    def test_defaults_are_no_process_user_read_untranslated(self):
        record, = self.batch("8 0x1000\n")
        self.assertEqual([record[k] for k in ("process_id", "privileged", "access", "type")],
                         [None, False, "r", "untranslated"])
        self.assertEqual(record["pa"], "0x90000000")

    def test_hex_and_decimal_numbers_mean_the_same(self):
        a, b, c = self.batch("0x8 0x1010\n8 4112\n0x08 0x00001010\n")
        for record in (a, b, c):
            record.pop("line")
        self.assertEqual(a, b)
        self.assertEqual(a, c)

    def test_leading_zeros_are_decimal_not_octal(self):
        record, = self.batch("010 0x1000\n", status=0)
        self.assertEqual(record["device_id"], "0xa")

    def test_blank_and_comment_lines_give_nothing_but_count(self):
        records = self.batch("\n# a comment\n8 0x1000\n   \n\t\n#8 0x1000\n8 0x2000\n")
        self.assertEqual([r["line"] for r in records], [3, 7])

    def test_long_comment_is_a_comment(self):
        self.assertEqual([r["line"] for r in self.batch("#" + "x" * 300000 + "\n8 0x1000\n")], [2])

    def test_words_may_be_separated_by_any_blanks(self):
        record, = self.batch("  8 \t 0x1000\taccess=w  \n")
        self.assertEqual((record["access"], record["pa"]), ("w", "0x90000000"))

    def test_last_line_without_newline_counts(self):
        self.assertEqual(len(self.batch("8 0x1000\n8 0x2000")), 2)

    def test_lines_that_end_in_carriage_return_are_read(self):
        records = self.batch(b"8 0x1000\r\n\r\n# c\r\n8 0x2000\r\n")
        self.assertEqual([r["result"] for r in records], ["ok", "ok"])

    def test_empty_input_is_no_error(self):
        self.assertEqual(self.batch(""), [])

    def test_keys_may_come_in_any_order(self):
        record, = self.batch("9 0x1000 type=untranslated priv=u access=w pid=5\n")
        self.assertEqual((record["process_id"], record["access"], record["pa"]), ("0x5", "w", "0x90000000"))

    def test_process_id_is_null_where_none_was_asked(self):
        self.assertIsNone(self.batch("9 0x1000\n")[0]["process_id"])

    def test_steps_only_with_the_option(self):
        self.assertNotIn("steps", self.batch("8 0x1000\n")[0])
        done = self.ran("-i", self.machine(), "-J", "translate", "--steps", "--batch", "-", stdin=b"8 0x1000\n")
        record = json.loads(done.out)
        self.assertEqual([s["structure"] for s in record["steps"]], ["dc", "pte", "pte", "pte"])
        self.assertEqual([s["level"] for s in record["steps"]], [0, 2, 1, 0])
        self.assertEqual(record["writes"], [])

    def test_text_mode_answers_too(self):
        done = self.ran("-i", self.machine(), "translate", "--batch", "-", stdin=b"8 0x1000\n8 0x5000\n")
        self.assertIn(b"0x90000000", done.out)

    def test_file_and_standard_input_give_the_same(self):
        requests = self.write("r", "8 0x1000\n8 0x3000\n")
        done = self.ran("-i", self.machine(), "-J", "translate", "--batch", requests)
        self.assertEqual([json.loads(x) for x in done.out.splitlines()], self.batch("8 0x1000\n8 0x3000\n"))

    def test_pci_name_from_the_notes_is_a_device(self):
        note = {"devices": [{"device_id": "0x8", "name": "0000:00:01.0", "iommu": f"{common.BASE:#x}"}]}
        core = self.machine(note=note)
        records = self.batch("0000:00:01.0 0x1000\n00:01.0 0x1000\n", capture_file=core)
        self.assertEqual([r["device_id"] for r in records], ["0x8", "0x8"])


class Live(common.Case):
    def test_registers_are_read_again_after_a_pause(self):
        root = self.fake_root()
        registers = dict(common.Machine().registers)
        self.debugfs(registers, live=True)
        common.wanted(common.TOOL, ["-J"])
        process = subprocess.Popen([common.TOOL, *root, "-J", "translate", "--batch", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with process:
            process.stdin.write(b"8 0x1000\nrubbish\n")
            process.stdin.flush()
            while b"line 2" not in process.stderr.readline():  # so the first is answered by now
                pass
            self.debugfs({**registers, "ddtp": 0}, live=True)
            time.sleep(3)
            out, _ = process.communicate(b"8 0x1000\n")
        first, _, second = (json.loads(line) for line in out.splitlines())
        self.assertNotEqual(first.get("cause"), 256)
        self.assertEqual(second.get("cause"), 256)


class BadLines(common.Case):
    BAD = {
        "unknown key": "8 0x1000 colour=red", "repeated key": "8 0x1000 access=r access=r",
        "no IOVA": "8", "no device": "nosuch.device 0x1000", "word without value": "8 0x1000 access",
        "bad access": "8 0x1000 access=rw", "bad priv": "8 0x1000 priv=x", "bad type": "8 0x1000 type=dma",
        "device_id too wide": "0x1000000 0x1000", "process_id too wide": "9 0x1000 pid=0x100000",
        "IOVA too wide": "8 0x10000000000000000", "negative": "8 -1", "no digits": "8 0x", "rubbish": "8 12abc",
        "upper case key": "8 0x1000 ACCESS=r", "empty value": "8 0x1000 access=", "hex without 0x": "8 fff",
        "octal prefix": "8 0o17", "sign": "8 +4096", "underscore": "8 4_096",
        "decimal too wide": "8 18446744073709551616", "empty pid": "9 0x1000 pid=",
    }

    def test_each_bad_line_gives_an_error_record_and_work_goes_on(self):
        for name, line in self.BAD.items():
            with self.subTest(name):
                records = self.batch(f"8 0x1000\n{line}\n8 0x2000\n", status=2)
                self.assertEqual([r["line"] for r in records], [1, 2, 3])
                self.assertEqual([r["result"] for r in records], ["ok", "error", "ok"])
                self.assertEqual(set(records[1]), {"line", "result", "message"})
                self.assertTrue(records[1]["message"].strip())

    def test_message_names_what_is_wrong(self):
        record, = self.batch("8 0x1000 colour=red\n", status=2)
        self.assertIn("colour", record["message"])

    def test_bytes_that_are_not_text_are_an_error_record_in_valid_json(self):
        for line in (b"8 0x1000 \xff\xfe=1", b"8 0x1000\0 access=r", b"\x1b[31m 1", b"8 \"0x1\"", b"8 0x1 a\\=\\"):
            with self.subTest(line=line):
                record, = self.batch(line + b"\n", status=2)
                self.assertEqual((record["line"], record["result"]), (1, "error"))

    def test_very_long_line_is_an_error_record(self):
        records = self.batch("8 0x1000 " + "x" * 300000 + "\n8 0x1000\n", status=2)
        self.assertEqual([r["result"] for r in records], ["error", "ok"])

    def test_longest_line_is_read_and_the_next_longer_one_refused(self):
        fits = "8 0x1000" + " " * (4096 - 8)
        self.assertEqual([r["result"] for r in self.batch(f"{fits}\n{fits} \n8 0x1000\n", status=2)], ["ok", "error", "ok"])

    def test_long_line_of_blanks_is_no_blank_line(self):
        records = self.batch(" " * 5000 + "8 0x1000\n" + "#" + " " * 5000 + "\n", status=2)
        self.assertEqual([(r["line"], r["result"]) for r in records], [(1, "error")])

    def test_line_without_end_needs_no_memory(self):
        common.wanted(common.TOOL, ["-J"])
        process = subprocess.Popen([common.TOOL, "-i", self.machine(), "-J", "translate", "--batch", "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

        def peak():
            with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
                return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))

        with process:
            process.stdin.write(b"x" * (1 << 20))
            before = peak()
            for _ in range(32):
                process.stdin.write(b"x" * (1 << 20))
            grown = peak() - before
            out = process.communicate(b"\n8 0x1000\n")[0]
        self.assertLess(grown, 4096)
        self.assertEqual([json.loads(line)["result"] for line in out.splitlines()], ["error", "ok"])

    def test_usage_is_said_once_on_stderr(self):
        done = self.ran("-i", self.machine(), "-J", "translate", "--batch", "-", stdin=b"x\n" * 3, status=2)
        self.assertLessEqual(done.err.count(b"Try 'iommu-dump --help'"), 1)


class Outcome(common.Case):
    def test_faults_are_results(self):
        self.assertEqual(self.batch("8 0x777000\n", status=0)[0]["cause"], 13)

    def test_memory_that_is_missing_is_unknown_and_five(self):
        record, = self.batch("0x10 0x1000\n", status=5)
        self.assertEqual((record["result"], record["missing"]), ("unknown", "0xdead0000"))
        self.assertNotIn("cause", record)

    def test_absent_as_fault_is_an_access_fault_and_zero(self):
        record, = self.batch("0x10 0x1000\n", "-O", "absent=fault", status=0)
        self.assertEqual((record["result"], record["cause"]), ("fault", 5))

    def test_bad_line_outranks_missing_memory(self):
        self.batch("0x10 0x1000\nrubbish\n", status=2)

    def test_missing_register_is_named(self):
        for name in ("capabilities", "fctl", "ddtp"):
            with self.subTest(name):
                core = self.machine(registers={name: None})
                record, = self.batch("8 0x1000\n", status=5, capture_file=core)
                self.assertEqual((record["result"], record["missing_register"]), ("unknown", name))
                self.assertNotIn("missing", record)

    def test_register_given_by_hand_fills_the_gap(self):
        core = self.machine(registers={"fctl": None})
        record, = self.batch("8 0x1000\n", "--reg", "fctl=2", capture_file=core)
        self.assertEqual(record["pa"], "0x90000000")

    def test_register_given_by_hand_overrides(self):
        record, = self.batch("8 0x1000\n", "--reg", "ddtp=0")
        self.assertEqual(record["cause"], 256)

    def test_many_lines_are_answered_in_order(self):
        records = self.batch("".join(f"8 {0x1000 + i % 0x2000:#x}\n" for i in range(20000)))
        self.assertEqual([r["line"] for r in records], list(range(1, 20001)))

    def test_causes_have_the_names_of_the_specification(self):
        for record in self.batch("8 0x777000\n8 0x2000 access=w\n0x33 0\n0x4000 0\n"):
            self.assertEqual(record["cause_name"], expect.CAUSES[record["cause"]])
