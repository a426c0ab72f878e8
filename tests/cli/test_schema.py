# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that the program prints as JSON fits the schema that ships with it."""
import copy
import json
import unittest

import capture
import common
import schema
import test_output
import test_regs
import vec

try:
    import jsonschema
except ImportError:
    jsonschema = None

SCHEMA = schema.load()
BATCH = {"$ref": "#/definitions/batch_record"}
EXPLAINED = ("cause=13", "13", "ddtp=0x20080004", "fqcsr=0xffffffff", "capabilities=0x10", "dc.tc=0x1", "pte=0xd7",
             "msi_pte=0x7,0", "command=0x3,0", "command=0x401", "command=0x803,1", "page_request=0x80000000000,0x1019", "page_request=1", "fault=0x000108080000000d,0,0x1000,0", "0x000108080000000d",
             "fault=0x000108080000f015,0xffffffff00000001,0x1000,0x2003",
             test_output.KERNEL_LINE, "riscv_iommu_fault: 12 callbacks suppressed", "no such thing", "ddtp=banana")


class Fits(common.Case):
    def fits(self, value, where=None, what=""):
        top = SCHEMA if where is None else {**where, "definitions": SCHEMA["definitions"]}
        checker = schema.Checker(SCHEMA)
        self.assertEqual(checker.errors(value, top)[:6], [], f"{what}: {json.dumps(value)[:3000]}")
        if jsonschema:
            jsonschema.Draft7Validator(top).validate(value)

    def command(self, *args):
        done = self.sane(common.call("-J", *args))
        self.fits(self.one_object(done), what=f"{args}")

    def on_capture(self, core):
        for args in test_output.all_commands(core):
            with self.subTest(args=args):
                self.command(*args)

    def test_every_command_on_the_small_machine(self):
        self.on_capture(self.machine())

    def test_commands_that_come_to_nothing(self):
        core, missing = self.machine(), self.path("missing")
        for args in (["-i", missing, "list"], ["-i", core, "-u", "nobody", "list"], ["-i", core, "list", "x"], ["-i", core, "mappings"],
                     ["-i", core, "whomaps", "x"], ["-i", core, "msi"], ["-i", core, "processes"], ["-i", core, "translate"], ["-i", core, "regs", "x"],
                     ["-i", core, "check", "x"], ["-i", core, "faults", "x"], ["-i", core, "counters", "--interval", "1"], ["diff", core], ["diff", core, missing],
                     ["explain"], *(["-i", missing, command] for command in common.COMMANDS)):
            with self.subTest(args=args):
                self.command(*args)

    def test_every_command_with_names_from_notes(self):
        note = {"model": "board", "kernel": "7.2", "time": "2026-11-01T00:00:00Z", "devices": [
            {"device_id": "0x8", "name": "0000:00:01.0", "driver": "x", "group": "3", "domain_type": "DMA",
             "iommu": f"{common.BASE:#x}"}, {"device_id": "0x44", "name": "0000:00:08.4", "iommu": f"{common.BASE:#x}"}]}
        self.on_capture(self.machine(iommu_name="3010000.iommu", note=note))

    def test_every_command_with_registers_missing(self):
        for name in ("capabilities", "fctl", "ddtp", "fqb", "fqh", "fqcsr", "cqb"):
            with self.subTest(missing=name):
                self.on_capture(self.machine(registers={name: None}))

    def test_every_command_in_each_mode(self):
        for mode in (0, 1, 3, 4, 5, 15):
            with self.subTest(mode=mode):
                self.on_capture(self.machine(registers={"ddtp": common.UPPER(common.Machine.DDT) | mode}))

    def test_every_command_on_the_sample(self):
        for args in (["list"], ["regs"], ["devices"], ["devices", "0xd14b18"], ["processes", "0xd14b18"], ["faults"],
                     ["translate", "0xd14bff", "0x1afeaa9e", "0x754bdcb1"],
                     ["translate", "0xd14b18", "0x3c54c48b07", "--process", "0x26", "--access", "w"]):
            with self.subTest(args=args):
                self.command("-i", common.SAMPLE, *common.SAMPLE_OPTIONS, *args)

    def test_every_command_on_vector_setups(self):
        for number, (name, text) in enumerate(vec.load()):
            case = vec.Vec(name, text)
            if number % 23 or case.poison:
                continue
            capture.write(self.path(name), case.memory, case.registers)
            device = f"{case.requests[0].did:#x}"
            for args in (["devices"], ["devices", device], ["processes", device], ["list"],
                         ["translate", device, "0x1000", "--type", "ats"]):
                with self.subTest(name=name, args=args):
                    self.command("-i", self.path(name), *case.options, *args)

    def test_every_outcome_of_a_batch(self):
        for number, (name, text) in enumerate(vec.load()):
            case = vec.Vec(name, text)
            if number % 10 or case.poison:
                continue
            capture.write(self.path(name), case.memory, case.registers)
            requests = "".join(r.batch_line() + "\n" for r in case.requests) + "rubbish\n"
            outputs = []
            for more in ([], ["--steps"]):
                done = self.ran("-i", self.path(name), *case.options, "-J", "translate", "--batch", "-", *more,
                                stdin=requests.encode(), status=2)
                for line in done.out.splitlines():
                    self.fits(json.loads(line), BATCH, name)
                outputs.append(done.out.decode().splitlines())
            # without steps the program makes the text itself, with them json-c does
            self.assertEqual(len(outputs[0]), len(outputs[1]))
            for by_hand, by_library in zip(*outputs):
                record = json.loads(by_library)
                record.pop("steps", None)
                record.pop("writes", None)
                self.assertEqual(by_hand, json.dumps(record, separators=(",", ":"), ensure_ascii=False), name)

    def test_unknown_records_of_a_batch(self):
        for core, text in ((self.machine("a"), "0x10 0\n"), (self.machine("b", registers={"fctl": None}), "8 0\n")):
            for more in ([], ["--steps"]):
                done = common.call("-i", core, "-J", "translate", "--batch", "-", *more, stdin=text.encode())
                record = json.loads(done.out)
                self.assertEqual(record["result"], "unknown")
                self.fits(record, BATCH)

    def test_registers_with_every_bit(self):
        ones = {n: (1 << 8 * w) - 1 for n, (_, w) in capture.REGISTERS.items()}
        ones["capabilities"] = test_regs.ALL_CAPS
        for values in (test_regs.full_values(), ones, {n: 0 for n in ones}):
            capture.write(self.path("r.core"), capture.Memory(), values)
            for args in (["regs"], ["list"], ["regs", "iohpmevt1", "iommu_qosid"], ["regs", "nonsense"]):
                with self.subTest(args=args):
                    self.command("-i", self.path("r.core"), *args)

    def test_explained(self):
        for text in EXPLAINED:
            with self.subTest(text):
                self.command("explain", text)

    def test_machine_without_a_way_to_its_registers(self):
        self.command(*self.fake_root(), "list")
        self.command(*self.fake_root(), "regs")
        self.command(*self.fake_root(), "devices")

    def test_machine_with_registers_but_no_memory(self):
        root = self.fake_root()
        self.debugfs(common.Machine().registers)
        for args in (["list"], ["regs"], ["devices"], ["translate", "8", "0x1000"], ["faults"], ["processes", "9"]):
            with self.subTest(args=args):
                self.command(*root, *args)


class Schema(unittest.TestCase):
    """The schema and the check can fail."""

    RECORD = {"line": 1, "iommu": "0x1000", "device_id": "0x8", "process_id": None, "iova": "0x0", "access": "r",
              "privileged": False, "type": "untranslated", "result": "ok", "pa": "0x0", "page_size": None,
              "permissions": "rw-", "memory_type": "pma", "msi": "none"}

    def errors(self, value):
        own = schema.Checker(SCHEMA).errors(value, BATCH)
        if jsonschema:
            theirs = list(jsonschema.Draft7Validator({**BATCH, "definitions": SCHEMA["definitions"]}).iter_errors(value))
            self.assertEqual(bool(own), bool(theirs), (value, own, theirs))
        return own

    def test_good_record_passes(self):
        self.assertEqual(self.errors(self.RECORD), [])

    def test_each_missing_key_is_seen(self):
        for key in self.RECORD:
            bad = copy.copy(self.RECORD)
            del bad[key]
            self.assertNotEqual(self.errors(bad), [], key)

    def test_each_wrong_value_is_seen(self):
        for key in self.RECORD:
            for value in (5.5, "0X1", "0x01", [], "yes"):
                self.assertNotEqual(self.errors({**self.RECORD, key: value}), [], (key, value))

    def test_keys_of_other_outcomes_are_seen(self):
        for key, value in (("cause", 1), ("missing", "0x0"), ("mrif_address", "0x0"), ("ats", {}), ("message", "x")):
            self.assertNotEqual(self.errors({**self.RECORD, key: value}), [], key)

    def test_schema_is_a_schema(self):
        self.assertIn("SPDX-License-Identifier: GPL-2.0-or-later", SCHEMA["$comment"])
        if jsonschema is None:
            self.skipTest("no jsonschema module")
        jsonschema.Draft7Validator.check_schema(SCHEMA)
