#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison must be able to fail: what agrees passes, each thing that differs is seen. Needs no QEMU."""
import struct
import sys
import unittest

sys.dont_write_bytecode = True
import compare  # noqa: E402
import deviations  # noqa: E402
import rig  # noqa: E402
import run  # noqa: E402
import setups  # noqa: E402

NEWEST = deviations.CHECKED[-1]
SETUP = setups.Setup("made up", lambda case: None, "sys", False, False, ())
IOVA, PA = 0x1234560, 0x80801560


def ask(access="r"):
    return setups.Ask(8, IOVA, access, None, False)


def ok(**changes):
    return {"result": "ok", "device_id": "0x8", "process_id": None, "privileged": False, "iova": f"{IOVA:#x}", "pa": f"{PA:#x}",
            "page_size": "0x1000", "msi": "none", **changes}


def fault(**changes):
    return {"result": "fault", "device_id": "0x8", "process_id": None, "privileged": False, "iova": f"{IOVA:#x}", "cause": 13,
            "iotval": f"{IOVA:#x}", "iotval2": "0x0", "reported": True, **changes}


def record(cause=13, ttyp=2, did=8, pv=0, pid=0, priv=0, iotval=IOVA, iotval2=0):
    return rig.Record(struct.pack("<4Q", cause | pid << 12 | pv << 32 | priv << 33 | ttyp << 34 | did << 40, 0, iotval, iotval2))


def differs(answer, seen):
    return [d.field for d in compare.outcome(ask(), answer, seen)]


class Outcomes(unittest.TestCase):
    def test_agreement_is_no_difference(self):
        self.assertEqual(differs(ok(), rig.Seen("edu", True, PA, [])), [])
        self.assertEqual(differs(ok(), rig.Seen("tr_req", True, PA & ~0xfff, [])), [])
        self.assertEqual(differs(fault(), rig.Seen("edu", False, None, [record()])), [])
        self.assertEqual(differs(fault(reported=False), rig.Seen("edu", False, None, [])), [])

    def test_another_address_is_seen(self):
        self.assertEqual(differs(ok(), rig.Seen("edu", True, PA + 4, [])), ["pa"])
        self.assertEqual(differs(ok(), rig.Seen("edu", True, (PA, PA + 4096), [])), ["pa"])
        self.assertEqual(differs(ok(), rig.Seen("tr_req", True, PA + 4096 & ~0xfff, [])), ["pa"])

    def test_another_outcome_is_seen(self):
        self.assertEqual(differs(ok(), rig.Seen("edu", False, None, [record()])), ["result"])
        self.assertEqual(differs(fault(), rig.Seen("edu", True, PA, [])), ["result"])
        self.assertEqual(differs({"result": "unknown", "missing": "0x1000"}, rig.Seen("edu", True, PA, [])), ["result"])

    def test_a_record_too_many_or_too_few_is_seen(self):
        self.assertEqual(differs(fault(), rig.Seen("edu", False, None, [])), ["records"])
        self.assertEqual(differs(fault(reported=False), rig.Seen("edu", False, None, [record()])), ["records"])
        self.assertEqual(differs(ok(), rig.Seen("edu", True, PA, [record()])), ["record"])

    def test_each_field_of_a_record_is_compared(self):
        for field, value in (("cause", 5), ("ttyp", 3), ("did", 9), ("pv", 1), ("pid", 1), ("priv", 1), ("iotval", IOVA + 4),
                             ("iotval2", 1)):
            with self.subTest(field):
                self.assertEqual(differs(fault(), rig.Seen("edu", False, None, [record(**{field: value})])), ["record." + field])


class Lists(unittest.TestCase):
    def test_each_key_of_a_listed_fault_is_compared(self):
        right = compare.listed(record())
        self.assertEqual(compare.decoded([record()], [right]), [])
        self.assertEqual(len(compare.decoded([record()], [])), 1)
        for key in right:
            with self.subTest(key):
                self.assertEqual(len(compare.decoded([record()], [{**right, key: "wrong"}])), 1)


class Table(unittest.TestCase):
    def test_nothing_covers_a_plain_mismatch(self):
        for seen in (rig.Seen("edu", True, PA + 4, []), rig.Seen("tr_req", True, 0x1000, []), rig.Seen("edu", False, None, [])):
            for difference in compare.outcome(ask(), ok(), seen):
                self.assertIsNone(deviations.explain(NEWEST, difference, SETUP))
        for wrong in (record(cause=5), record(did=9), record(iotval=0), record(ttyp=3)):
            for difference in compare.outcome(ask(), fault(), rig.Seen("edu", False, None, [wrong])):
                self.assertIsNone(deviations.explain(NEWEST, difference, SETUP))

    def test_an_entry_holds_for_its_versions_only(self):
        difference, = compare.outcome(ask(), fault(), rig.Seen("edu", False, None, [record(pv=1)]))
        self.assertEqual(deviations.explain((10, 0, 2), difference, SETUP).ident, "pv-always")
        self.assertIsNone(deviations.explain(NEWEST, difference, SETUP))

    def test_entries_have_names_of_their_own_and_hold_somewhere_checked(self):
        idents = [d.ident for d in deviations.TABLE]
        self.assertEqual(len(idents), len(set(idents)))
        for entry in deviations.TABLE:
            self.assertTrue(any(entry.on(v) for v in deviations.CHECKED), entry.ident)

    def test_what_is_not_known_fails_on_checked_versions_only(self):
        result = run.Result()
        result.unknown.append((None, "a difference"))
        self.assertFalse(run.verdict(result, True))
        self.assertTrue(run.verdict(result, False))
        result.wrong.append("the tool crashed")
        self.assertFalse(run.verdict(result, False))


class Setups(unittest.TestCase):
    def test_every_set_up_builds_and_asks(self):
        names = [s.name for s in setups.LIST]
        self.assertEqual(len(names), len(set(names)))
        for setup in setups.LIST:
            with self.subTest(setup.name):
                case = setups.Case(not setup.base)
                setup.build(case, *setup.values)
                self.assertTrue(case.asks)
                self.assertTrue(all(rig.TABLES <= at < rig.TARGETS for at in case.memory.pages))


if __name__ == "__main__":
    program = unittest.main(exit=False)
    bad = len({t.id().split(" ")[0] for t, _ in program.result.failures + program.result.errors})
    print(f"{program.result.testsRun - bad} passed, {bad} failed, {len(program.result.skipped)} skipped")
    sys.exit(not program.result.wasSuccessful())
