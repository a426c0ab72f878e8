#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison must be able to fail: right answers pass, each wrong key of an answer is seen."""
import copy
import sys
import unittest

import capture
import expect
import run
import vec

TEXT = """riscv-iommu-vector 1
# a device with Sv39x4 alone, then one whose context is absent
reg capabilities 0x{caps:x}
reg fctl 0x0
reg ddtp 0x402
pas 56
param gxl_writable 0
param be_writable 0
mem 0x1020 0x1
mem 0x1028 0x8000000000000010
mem 0x10000 0x4401
mem 0x11000 0x4801
mem 0x12008 0x800d7
mem 0x12010 0x8000000000082097
req did=0x1 pid=- priv=u type=r at=untranslated iova=0x1234 => ok pa=0x200234 page_size=0x1000 perm=rw- pbmt=pma msi=none nread=4 last=0x12008
req did=0x1 pid=- priv=u type=w at=untranslated iova=0x2234 => ok pa=0x202234 page_size=0x1000 perm=rw- pbmt=pma msi=none nread=4 last=0x12010 wr=0x12010/8:0x80000000000820d7
req did=0x2 pid=- priv=u type=r at=untranslated iova=0x1 => fault cause=258 iotval=0x1 iotval2=0x0 reported=yes resp=ur ttyp=2 nread=1 last=0x1040
req did=0xff pid=- priv=u type=r at=untranslated iova=0x1 => ok pa=0x1 page_size=0x1000 perm=rwx pbmt=pma msi=none nread=1 last=0x1fe0
alt quirk=did-width => fault cause=260 iotval=0x1 iotval2=0x0 reported=yes resp=ur ttyp=2 nread=0
""".format(caps=56 << 32 | 1 << 17 | 0x10)


def steps(*rows):
    return [{"structure": s, "level": lv, "address": f"{a:#x}", "value": [f"{v:#x}" for v in values]}
            for s, lv, a, values in rows]


WALK = [("dc", 0, 0x1020, [1, 0x8000000000000010, 0, 0]), ("gpte", 2, 0x10000, [0x4401]),
        ("gpte", 1, 0x11000, [0x4801])]


def common(line, did, iova, access, result):
    return {"line": line, "iommu": f"{capture.BASE:#x}", "device_id": f"{did:#x}", "process_id": None,
            "iova": f"{iova:#x}", "access": access, "privileged": False, "type": "untranslated", "result": result,
            "writes": []}


ANSWERS = [
    dict(common(1, 1, 0x1234, "r", "ok"), pa="0x200234", page_size="0x1000", permissions="rw-", memory_type="pma",
         msi="none", steps=steps(*WALK, ("gpte", 0, 0x12008, [0x800d7]))),
    dict(common(2, 1, 0x2234, "w", "ok"), pa="0x202234", page_size="0x10000", permissions="rw-", memory_type="pma",
         msi="none", steps=steps(*WALK, ("gpte", 0, 0x12010, [0x8000000000082097])),
         writes=[{"address": "0x12010", "size": 8, "value": "0x80000000000820d7"}]),
    dict(common(3, 2, 1, "r", "fault"), cause=258, cause_name="DDT entry not valid", iotval="0x1", iotval2="0x0",
         reported=True, response="ur", steps=steps(("dc", 0, 0x1040, [0, 0, 0, 0]))),
    dict(common(4, 0xff, 1, "r", "fault"), cause=260, cause_name="Transaction type disallowed", iotval="0x1",
         iotval2="0x0", reported=True, response="ur", steps=[]),
]


class Comparison(unittest.TestCase):
    def setUp(self):
        self.case = vec.Vec("self.vec", TEXT)
        self.answers = copy.deepcopy(ANSWERS)

    def bad(self):
        return [b for b in run.judge(self.case, self.answers)[0] if b]

    def test_right_answers_pass(self):
        self.assertEqual(self.bad(), [])

    def test_each_key_that_is_wrong_is_seen(self):
        for i, answer in enumerate(ANSWERS):
            for key in answer:
                wrong = not answer[key] if isinstance(answer[key], bool) else "wrong"
                self.answers = copy.deepcopy(ANSWERS)
                self.answers[i][key] = wrong
                with self.subTest(answer=i, key=key, value=wrong):
                    self.assertNotEqual(self.bad(), [])

    def test_a_missing_key_is_seen(self):
        for i, answer in enumerate(ANSWERS):
            for key in answer:
                self.answers = copy.deepcopy(ANSWERS)
                del self.answers[i][key]
                with self.subTest(answer=i, key=key):
                    self.assertNotEqual(self.bad(), [])

    def test_a_key_of_another_outcome_is_seen(self):
        self.answers[2]["pa"] = "0x0"
        self.assertEqual(len(self.bad()), 1)

    def test_padded_and_upper_case_numbers_are_seen(self):
        self.answers[0]["page_size"] = "0x01000"
        self.answers[1]["writes"][0]["value"] = "0x80000000000820D7"
        self.assertEqual(len(self.bad()), 2)

    def test_true_is_not_one(self):
        self.answers[0]["line"] = True
        self.assertEqual(len(self.bad()), 1)

    def test_an_entry_that_memory_does_not_hold_is_seen(self):
        self.answers[0]["steps"][1]["value"] = ["0x4402"]
        self.assertIn("gpte at 0x10000", self.bad()[0])

    def test_page_size_that_the_steps_do_not_show_is_seen(self):
        self.answers[1]["page_size"] = "0x1000"
        self.assertIn("page_size", self.bad()[0])

    def test_missing_and_surplus_answers_are_seen(self):
        self.answers.append(self.answers[0])
        self.assertEqual(len(self.bad()), 1)
        self.answers = self.answers[:3]
        self.assertEqual(len(self.bad()), 1)

    def test_model_answer_of_a_strict_quirk_is_refused_and_of_a_free_one_taken(self):
        request = self.case.requests[3]
        self.assertEqual([n for _, n in request.accepted()], ["alt"])
        request.quirks = ("ats-stale-d",)
        self.assertEqual([n for _, n in request.accepted()], ["alt", "main"])

    def test_archive_holds_three_hundred_files(self):
        cases = [vec.Vec(n, t) for n, t in vec.load()]
        self.assertEqual(len(cases), 300)
        self.assertEqual(sum(1 for c in cases if c.poison), 24)
        self.assertEqual(sum(len(c.requests) for c in cases), 13595)


if __name__ == "__main__":
    program = unittest.main(exit=False)
    bad = len({t.id().split(" ")[0] for t, _ in program.result.failures + program.result.errors})
    print(f"{program.result.testsRun - bad} passed, {bad} failed, {len(program.result.skipped)} skipped")
    sys.exit(not program.result.wasSuccessful())
