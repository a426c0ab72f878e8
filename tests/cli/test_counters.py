# SPDX-License-Identifier: GPL-2.0-or-later
"""counters: the performance counters, what each counts, and how fast."""
import os
import re
import threading
import time

import common
import schema

SCHEMA = schema.load()
HPM = 1 << 30
OF = 1 << 63
INTERVAL = 0.6


def event(number, process=None, device=None, dmask=False, idt=False, overflow=False):
    """iohpmevt by facts 5."""
    value = number | dmask << 15 | idt << 62 | overflow << 63
    if process is not None:
        value |= process << 16 | 1 << 60
    if device is not None:
        value |= device << 36 | 1 << 61
    return value


# All that an IOMMU with HPM has, at 0.
NONE = {"iocountovf": 0, "iocountinh": 0, "iohpmcycles": 0}
NONE.update({f"iohpm{kind}{i}": 0 for kind in ("ctr", "evt") for i in range(1, 32)})


class Counters(common.Case):
    def capture(self, **registers):
        return self.machine(registers={**NONE, "capabilities": common.CAPABILITIES | HPM, **registers})

    def rows(self, core, *options, status=0):
        top = self.object(*([] if core is None else ["-i", core]), *options, "counters", status=status)
        self.assertEqual(schema.Checker(SCHEMA).errors(top)[:4], [])
        return {c["name"]: c for c in top["counters"]}

    def text(self, core, *options):
        out = self.ran(*([] if core is None else ["-i", core]), *options, "counters").out.decode()
        self.assertEqual([x for x in out.splitlines() if len(x) > 80], [])
        return " ".join(out.split())


class Still(Counters):
    def test_all_are_there_in_order(self):
        names = list(self.rows(self.capture()))
        self.assertEqual(names, ["iohpmcycles"] + [f"iohpmctr{i}" for i in range(1, 32)])

    def test_cycles_without_their_overflow_bit(self):
        row = self.rows(self.capture(iohpmcycles=OF | 1234567))["iohpmcycles"]
        self.assertEqual((row["value"], row["overflow"], row["event"], row["selector"]),
                         ("0x12d687", True, "clock cycles", None))
        self.assertIn("iohpmcycles clock cycles 1234567 OF is set", self.text(self.capture(iohpmcycles=OF | 1234567)))

    def test_value_of_64_bits(self):
        core = self.capture(iohpmctr31=(1 << 64) - 1, iohpmevt31=event(4))
        self.assertEqual(self.rows(core)["iohpmctr31"]["value"], "0xffffffffffffffff")
        self.assertIn("iohpmctr31 TLB miss 18446744073709551615", self.text(core))

    def test_events_have_names(self):
        names = ["do not count", "untranslated requests", "translated requests", "ATS translation requests", "TLB miss",
                 "device directory walks", "process directory walks", "first-stage page table walks",
                 "second-stage page table walks"]
        core = self.capture(**{f"iohpmevt{i + 1}": event(i) for i in range(9)})
        rows = self.rows(core)
        self.assertEqual([rows[f"iohpmctr{i + 1}"]["event"] for i in range(9)], names)

    def test_event_without_a_name_is_a_number(self):
        core = self.capture(iohpmevt1=event(0x4001))
        self.assertIsNone(self.rows(core)["iohpmctr1"]["event"])
        self.assertEqual(self.rows(core)["iohpmctr1"]["selector"]["eventid"], "0x4001")
        self.assertIn("iohpmctr1 event 0x4001 0", self.text(core))

    def test_filters_in_words(self):
        for value, words in ((event(1), None),
                             (event(1, process=5), "process_id 0x5"),
                             (event(1, device=0x108), "device_id 0x108"),
                             (event(1, process=5, device=0x108), "process_id 0x5, device_id 0x108"),
                             (event(4, process=5, idt=True), "PSCID 0x5"),
                             (event(7, process=5, device=0x12, idt=True), "PSCID 0x5, GSCID 0x12"),
                             (0x200017f000008004, "device_id 0x100-0x1ff"),
                             (event(1, device=0x10b, dmask=True), "device_id 0x108-0x10f"),
                             (event(1, device=0x108, dmask=True), "device_id 0x108-0x109"),
                             (event(1, device=0x7fff, dmask=True), "device_id 0x0-0xffff"),
                             (event(1, device=0xffffff, dmask=True), "device_id 0x0-0xffffff")):
            with self.subTest(f"{value:#x}"):
                core = self.capture(iohpmevt3=value)
                self.assertEqual(self.rows(core)["iohpmctr3"]["filter"], words)
                if words:
                    self.assertIn(f"only {words}", self.text(core))
                else:
                    self.assertNotIn("only", self.text(core))

    def test_events_that_cannot_be_filtered_by_soft_ids(self):
        for number in range(9):
            for idt in (False, True):
                core = self.capture(iohpmevt1=event(number, idt=idt))
                never = idt and number in (1, 2, 3, 5, 6)
                self.assertEqual(self.rows(core)["iohpmctr1"]["never_counts"], never, (number, idt))
                self.assertEqual("never counted" in self.text(core), never)

    def test_overflow_and_inhibit_are_of_each_counter(self):
        core = self.capture(iohpmevt2=event(4, overflow=True), iocountinh=1 << 3 | 1)
        rows = self.rows(core)
        self.assertEqual([n for n, r in rows.items() if r["overflow"]], ["iohpmctr2"])
        self.assertEqual([n for n, r in rows.items() if r["inhibited"]], ["iohpmcycles", "iohpmctr3"])
        self.assertIn("iohpmcycles clock cycles 0 stands still", self.text(core))

    def test_idle_counters_are_only_counted(self):
        self.assertIn("31 more count nothing", self.text(self.capture()))
        self.assertIn("30 more count nothing", self.text(self.capture(iohpmctr9=1)))

    def test_pending_interrupt_is_told(self):
        self.assertIn("ipsr.pmip", self.text(self.capture(ipsr=4)))
        self.assertNotIn("ipsr.pmip", self.text(self.capture(ipsr=11)))

    def test_without_hpm_there_are_none_and_that_is_no_error(self):
        core = self.machine()
        self.assertEqual(self.rows(core), {})
        self.assertIn("no performance counters: capabilities.HPM is 0", self.text(core))

    def test_registers_that_were_not_captured_are_status_five(self):
        core = self.machine(registers={"capabilities": common.CAPABILITIES | HPM})
        self.assertEqual(self.rows(core, status=5), {})
        self.assertIn(b"performance counters are not known", self.ran("-i", core, "counters", status=5).err)

    def test_one_register_that_is_missing_is_null(self):
        core = self.capture(iohpmctr1=None, iohpmevt2=None, iocountinh=None)
        rows = self.rows(core)
        self.assertEqual((rows["iohpmctr1"]["value"], rows["iohpmctr1"]["overflow"]), (None, False))
        self.assertEqual([rows["iohpmctr2"][k] for k in ("value", "event", "overflow", "selector", "inhibited")],
                         ["0x0", None, None, None, None])
        self.assertIn("iohpmctr1 do not count unknown", self.text(core))

    def test_usage(self):
        core = self.capture()
        self.ran("-i", core, "counters", "x", status=2)
        for text in ("", "0", "-1", "1e3", "banana", "nan", "inf", "0.0001", "86401", "1.2.3", "0x10"):
            with self.subTest(text):
                self.ran("-i", core, "counters", "--interval", text, status=2)
        self.ran("-i", core, "list", "--interval", "1", status=2)

    def test_interval_of_a_capture_is_usage(self):
        done = self.ran("-i", self.capture(), "counters", "--interval", "0.5", status=2)
        self.assertIn(b"one moment", done.err)


class Live(Counters):
    """A machine whose registers are a file of the kernel module, which changes between two readings."""

    def change(self, before, after, text=False):
        """
        What counters --interval gives when the registers change half way: its rows, or its text. On a busy machine that may be too
        early or too late: iohpmctr31, which goes from 1000 to 2000, tells, and then there is another try that takes its time.
        """
        registers = {**common.Machine().registers, **NONE, "capabilities": common.CAPABILITIES | HPM}
        for interval in (INTERVAL, 3 * INTERVAL, 6 * INTERVAL):
            done = self.between({**registers, "iohpmctr31": 1000, **before},
                                None if after is None else {**registers, "iohpmctr31": 2000, **after}, interval, text)
            if done.status == 1 if after is None else done.status or not self.missed(done, text):
                break
        self.sane(done)
        self.assertEqual(done.status, 0 if after is not None else 1, str(done))
        if text:
            return " ".join(done.out.decode().split())
        top = self.one_object(done)
        self.assertEqual(schema.Checker(SCHEMA).errors(top)[:4], [])
        return {c["name"]: c for c in top["counters"]}

    def missed(self, done, text):
        """Both readings are from the same side of the change."""
        if text:
            return re.search(rb"iohpmctr31 +do not count +\d+ +0\.0", done.out) is not None
        return done.json()["counters"][31]["delta"] == "0x0"

    def between(self, before, after, interval, text):
        """A run during which the registers change."""
        options = self.fake_root() + ["counters", "--interval", str(interval)]
        path = self.debugfs(before, live=True)

        def later():
            time.sleep(interval / 2)
            if after is None:
                os.unlink(path)
            else:
                self.debugfs(after, live=True)
        thread = threading.Thread(target=later)
        thread.start()
        try:
            return common.call(*([] if text else ["-J"]), *options, timeout=60)
        finally:
            thread.join()

    def delta(self, name, before, after):
        row = self.change(before, after)[name]
        return None if row["delta"] is None else int(row["delta"], 16)

    def test_rate_is_what_was_counted_by_the_time(self):
        row = self.change({"iohpmctr1": 1000, "iohpmevt1": event(1)}, {"iohpmctr1": 4000, "iohpmevt1": event(1)})["iohpmctr1"]
        self.assertEqual((row["value"], row["delta"]), ("0xfa0", "0xbb8"))
        self.assertGreaterEqual(row["seconds"], INTERVAL * 0.98)
        self.assertAlmostEqual(row["rate"], 3000 / row["seconds"], places=3)

    def test_text_has_a_column_for_it(self):
        text = self.change({"iohpmctr1": 1000, "iohpmevt1": event(1)}, {"iohpmctr1": 4000, "iohpmevt1": event(1)}, text=True)
        self.assertRegex(text, r"PER SECOND")
        self.assertRegex(text, r"iohpmctr1 untranslated requests 4000 [0-9]+\.[0-9]\b")
        self.assertIn("29 more count nothing", text)

    def test_wrap_of_64_bits(self):
        on, of = event(1), event(1, overflow=True)
        self.assertEqual(self.delta("iohpmctr1", {"iohpmctr1": (1 << 64) - 10, "iohpmevt1": on}, {"iohpmctr1": 5, "iohpmevt1": of}), 15)

    def test_wrap_of_63_bits_of_cycles(self):
        self.assertEqual(self.delta("iohpmcycles", {"iohpmcycles": (1 << 63) - 10}, {"iohpmcycles": OF | 5}), 15)

    def test_wrap_of_a_counter_with_fewer_bits(self):
        of = event(1, overflow=True)
        self.assertEqual(self.delta("iohpmctr1", {"iohpmctr1": (1 << 32) - 10, "iohpmevt1": of}, {"iohpmctr1": 5, "iohpmevt1": of}), 15)

    def test_counter_that_was_written_has_no_rate(self):
        for before, after in (({"iohpmctr1": 1000, "iohpmevt1": event(1)}, {"iohpmctr1": 5, "iohpmevt1": event(1)}),
                              ({"iohpmctr1": 1000, "iohpmevt1": event(1, overflow=True)}, {"iohpmctr1": 5, "iohpmevt1": event(1, overflow=True)}),
                              ({"iohpmctr1": 5, "iohpmevt1": event(1)}, {"iohpmctr1": 1000, "iohpmevt1": event(2)})):
            self.assertIsNone(self.delta("iohpmctr1", before, after))

    def test_registers_that_went_away(self):
        self.assertEqual(self.change({}, None), {})

    def test_without_interval_it_does_not_wait(self):
        options = self.fake_root()
        self.debugfs({**common.Machine().registers, **NONE, "capabilities": common.CAPABILITIES | HPM})
        start = time.monotonic()
        self.assertNotIn("rate", self.rows(None, *options)["iohpmcycles"])
        self.assertLess(time.monotonic() - start, common.TIMEOUT)
