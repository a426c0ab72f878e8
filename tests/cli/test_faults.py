# SPDX-License-Identifier: GPL-2.0-or-later
"""faults --walk: what the tables make of a fault now, and what has changed since it was recorded."""
import capture
import common
import schema

SCHEMA = schema.load()
GONE = {"device_context": "context of the device no longer exists", "process_context": "context of the process no longer exists",
        "iommu": "has been blocked since"}


class Verdicts(common.Case):
    def walked(self, cause, did=8, iova=0x777000, ttyp=2, pid=None, change=None, **registers):
        """What is said of one recorded fault after CHANGE of the tables: its JSON, the text without line breaks."""
        core = common.Machine()
        for offset in (0, 32, 64):
            core.memory.put64(core.FQ + offset, 0, 0, 0, 0)
        core.memory.put64(core.FQ + 32, *common.fault_record(cause, did, iova, ttyp=ttyp, pid=pid))
        if change:
            change(core)
        core.registers.update(registers)
        capture.write(self.path("f.core"), core.memory, core.registers)
        top = self.object("-i", self.path("f.core"), "faults", "--walk")
        self.assertEqual(schema.Checker(SCHEMA).errors(top)[:4], [])
        out = self.ran("-i", self.path("f.core"), "faults", "--walk").out.decode()
        self.assertEqual([x for x in out.splitlines() if len(x) > 80], [])
        record, = top["faults"]
        return record, " ".join(out.split())

    def expect(self, verdict, gone, words, *args, **kwargs):
        record, text = self.walked(*args, **kwargs)
        self.assertEqual((record["walk_verdict"], record["walk_gone"]), (verdict, gone), record["walk_words"])
        self.assertIn(words, record["walk_words"])
        self.assertIn(record["walk_words"], text)
        for name, said in GONE.items():
            self.assertEqual(said in text, name == gone)

    def test_tables_that_still_say_so(self):
        self.expect("same", None, "the tables still say so", 13)
        self.expect("same", None, "the tables still say so", 258, did=0x20)
        self.expect("same", None, "the tables still say so", 266, did=9, pid=6)

    def test_address_that_is_mapped_now(self):
        self.expect("succeeds", None, "changed since the fault", 13, iova=0x1000)
        self.expect("succeeds", None, "changed since the fault", 258, iova=0x1000)

    def test_device_that_was_detached(self):
        def detach(core):
            core.memory.put64(core.DDT + 64 * 8, 0)
        self.expect("other_cause", "device_context", "detached", 13, change=detach)

    def test_process_that_ended(self):
        def end(core):
            core.memory.put64(core.PDT + 16 * 5, 0)
        self.expect("other_cause", "process_context", "has ended", 13, did=9, pid=5, change=end)

    def test_device_of_a_process_that_was_detached(self):
        def detach(core):
            core.memory.put64(core.DDT + 64 * 9, 0)
        self.expect("other_cause", "device_context", "detached", 266, did=9, pid=6, change=detach)

    def test_iommu_that_was_blocked(self):
        self.expect("other_cause", "iommu", "Off", 13, ddtp=common.UPPER(common.Machine.DDT))

    def test_iommu_that_is_not_blocked_any_more(self):
        self.expect("succeeds", None, "was blocked then", 256, iova=0x1000)
        self.expect("other_cause", None, "have changed", 256)

    def test_context_that_nobody_saw_is_not_gone(self):
        """Off hides whether there was a context, and a device without one whether there was a process."""
        self.expect("other_cause", None, "have changed", 256, did=0x20)
        self.expect("other_cause", None, "have changed", 258, did=9, pid=6)

    def test_other_cause_with_everything_in_place(self):
        self.expect("other_cause", None, "have changed", 15)

    def test_cause_that_is_not_the_tables(self):
        for cause in (4, 5, 7, 268, 272):
            self.expect("succeeds", None, "do not decide this cause", cause, iova=0x1000)

    def test_tables_that_were_not_captured(self):
        record, text = self.walked(13, did=0x10)
        self.assertEqual((record["walk_verdict"], record["walk_gone"]), ("unknown", None))
        self.assertIn("cannot be told", text)

    def test_record_that_is_no_request_has_no_verdict(self):
        record, text = self.walked(273, did=0, ttyp=0)
        self.assertEqual([record[k] for k in ("walk", "walk_verdict", "walk_gone", "walk_words")], [None] * 4)
        self.assertIn("nothing to walk", text)

    def test_without_walk_there_is_no_verdict(self):
        top = self.object("-i", self.machine(), "faults")
        self.assertEqual([k for f in top["faults"] for k in f if k.startswith("walk")], [])
