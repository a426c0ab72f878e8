# SPDX-License-Identifier: GPL-2.0-or-later
"""commands and requests: what is in the command queue and in the page-request queue, and where it stands still."""
import os
import random
import unittest

import capture
import common
import fdt
import schema

SCHEMA = schema.load()
CQ = common.Machine.CQ
PQ = 0x80010000
NOTE = {"devices": [{"device_id": "0x8", "name": "0000:00:01.0", "iommu": f"{common.BASE:#x}"},
                    {"device_id": "0x108", "name": "0000:01:01.0", "iommu": f"{common.BASE:#x}"}]}
ON, CQMF, CMD_TO, CMD_ILL, FENCE = 0x10001, 1 << 8, 1 << 9, 1 << 10, 1 << 11
NL, S = 1 << 42, 1 << 43

# Facts 4.6 and 12.4: (dw0, dw1), the name, words that have to be there.
COMMANDS = [
    ((0x1, 0), "IOTINVAL.VMA", ["first-stage", "all addresses", "the host", "global"]),
    ((0x0000000100001401, 0x048d1400), "IOTINVAL.VMA", ["(leaf)", "0x12345000", "space 0x1", "not global"]),
    ((0x0000500200001001 | 1 << 32, 0), "IOTINVAL.VMA", ["guest 0x5", "space 0x1"]),
    ((0x0000000400000401, 0x048d1000 | 1 << 9), "IOTINVAL.VMA", ["every level", "0x12344000-0x12345fff"]),
    ((0x401, 0x1ffffffffffffe00), "IOTINVAL.VMA", ["all addresses"]),
    ((0x81, 0), "IOTINVAL.GVMA", ["second-stage", "every guest"]),
    ((0x481, 0x048d1400), "IOTINVAL.GVMA", ["all addresses", "every guest"]),
    ((0x0000500200000081, 0), "IOTINVAL.GVMA", ["second-stage", "guest 0x5"]),
    ((0x0000500200000481, 0x048d1400), "IOTINVAL.GVMA", ["(leaf)", "0x12345000", "guest 0x5"]),
    ((0x3002, 0), "IOFENCE.C", ["wait", "reads and writes"]),
    ((0x1002, 0), "IOFENCE.C", ["device reads done"]),
    ((0xdeadbeef00000402, 0x201c0000), "IOFENCE.C", ["store 0xdeadbeef at 0x80700000"]),
    ((0x802, 0), "IOFENCE.C", ["interrupt"]),
    ((0x3, 0), "IODIR.INVAL_DDT", ["all device and process"]),
    ((0x0000080200000003, 0), "IODIR.INVAL_DDT", ["0000:00:01.0 (0x8)"]),
    ((0x0000080200007083, 0), "IODIR.INVAL_PDT", ["process 0x7", "0000:00:01.0 (0x8)"]),
    ((0x0001080000000004, 0x7ffffffffffff800), "ATS.INVAL", ["0000:01:01.0 (0x108)", "all addresses"]),
    ((0x0001080100005004, 0x12345001), "ATS.INVAL", ["0x12345000", "process 0x5", "in every process"]),
    ((0x0201080200000004, 0), "ATS.INVAL", ["0x20108"]),
    ((0x0001080000000084, 0x0000f00300000000), "ATS.PRGR", ["group 3", "Response Failure (0xf)"]),
    ((0x0001080000000084, 0x0000500300000000), "ATS.PRGR", ["not defined (0x5)"]),
    ((0x5, 0x77), "reserved command", ["opcode 5, func3 0", "0x77"]),
    ((0x102, 0), "reserved command", ["opcode 2, func3 2"]),
    ((0x40, 1), "custom command", ["opcode 64"]),
]


class Queues(common.Case):
    def capture(self, commands=(), requests=(), name="queues.core", note=NOTE, **registers):
        """A capture whose command queue holds COMMANDS from index 0 on, all pending, and 16 page requests at most."""
        m = common.Machine()
        for i, dw in enumerate(commands):
            m.memory.put64(CQ + 16 * i, *dw)
        for i, dw in enumerate(requests):
            m.memory.put64(PQ + 16 * i, *dw)
        m.memory.page(PQ)
        m.registers.update(capabilities=common.CAPABILITIES | NL | S, cqt=len(commands), pqb=common.UPPER(PQ) | 3,
                           pqt=len(requests), pqcsr=ON)
        m.registers.update(registers)
        values = {k: v for k, v in m.registers.items() if v is not None}
        capture.write(self.path(name), m.memory, values, machine=note)
        return self.path(name)

    def records(self, command, core, status=0):
        top = self.object("-i", core, command, status=status)
        self.assertEqual(schema.Checker(SCHEMA).errors(top)[:4], [])
        return top[command]

    def text(self, command, core, status=0):
        """Standard output without line breaks, after a look at their width."""
        out = self.ran("-i", core, command, status=status).out.decode()
        self.assertEqual([x for x in out.splitlines() if len(x) > 80], [])
        return " ".join(out.split())


class Commands(Queues):
    def test_every_command_in_words(self):
        core = self.capture([c[0] for c in COMMANDS])
        text = self.text("commands", core)
        records = self.records("commands", core)
        self.assertEqual(len(records), len(COMMANDS))
        for record, (dw, name, words) in zip(records, COMMANDS):
            with self.subTest(dw=[f"{x:#x}" for x in dw]):
                self.assertEqual(record["name"], name)
                self.assertEqual([v["raw"] for v in record["values"]], [f"{x:#x}" for x in dw])
                for word in words:
                    self.assertIn(word, record["words"])
                self.assertIn(record["words"], text)

    def test_operands_are_fields_of_the_specification(self):
        record, = self.records("commands", self.capture([(0xdeadbeef00000402, 0x201c0000)]))
        dw0, dw1 = record["values"]
        self.assertEqual((dw0["av"], dw0["pr"], dw0["data"], dw1["addr"]), (True, False, "0xdeadbeef", "0x80700000"))

    def test_history_and_pending_are_apart_and_in_order(self):
        core = self.capture([(0x3, 0), (0x1, 0), (0x3002, 0), (0x81, 0)], cqh=2, cqt=3)
        self.assertEqual([(r["index"], r["pending"]) for r in self.records("commands", core)],
                         [(3, False), (0, False), (1, False), (2, True)])
        lines = self.ran("-i", core, "commands").out.decode().splitlines()
        heads = [i for i, line in enumerate(lines) if line.startswith(("History", "Pending"))]
        self.assertEqual([lines[i].split()[0].rstrip(",:") for i in heads], ["History", "Pending"])
        self.assertIn("IOFENCE.C", lines[heads[1] + 1])

    def test_the_queue_comes_first(self):
        text = self.text("commands", self.capture([(0x3, 0)]))
        self.assertIn(f"command queue at {CQ:#x} 256 entries, head 0, tail 1, 1 pending", text)
        self.assertIn("no error bit is set", text)

    def test_full_queue_is_called_full(self):
        self.assertIn("3 pending: full", self.text("commands", self.capture([(3, 0)] * 3, cqb=common.UPPER(CQ) | 1)))

    def test_queue_that_is_off_is_said_to_be(self):
        self.assertIn("cqon is 0", self.text("commands", self.capture([(3, 0)], cqcsr=0)))
        self.assertIn("although it was asked for", self.text("commands", self.capture([(3, 0)], cqcsr=1)))

    def test_queue_that_is_changing_is_said_to_be(self):
        for register, command in (("cqcsr", "commands"), ("fqcsr", "faults"), ("pqcsr", "requests")):
            self.assertIn("busy is set", self.text(command, self.capture([(3, 0)], **{register: 0x30001})))
            self.assertNotIn("busy is set", self.text(command, self.capture([(3, 0)], **{register: ON})))

    def test_queue_that_never_was(self):
        core = self.capture(cqb=0, cqcsr=0)
        self.assertIn("no command queue is set up", self.text("commands", core))
        self.assertEqual(self.records("commands", core), [])

    def test_empty_queue(self):
        self.assertIn("no commands in the ring", self.text("commands", self.capture()))

    def test_unused_entries_are_not_shown_but_pending_ones_are(self):
        records = self.records("commands", self.capture([(0x3, 0), (0, 0)], cqh=1))
        self.assertEqual([(r["index"], r["name"]) for r in records], [(0, "IODIR.INVAL_DDT"), (1, "reserved command")])

    def test_indexes_that_are_not_known(self):
        for register in ("cqh", "cqt", "cqcsr"):
            with self.subTest(register=register):
                core = self.capture([(0x3, 0), (0x1, 0)], **{register: None})
                done = common.call("-i", core, "commands")
                self.assertIn(b"is not known", done.out)
                records = self.object("-i", core, "commands", status=done.status)["commands"]
                self.assertEqual([r["pending"] for r in records], [None, None])
                self.assertEqual([r["advice"] for r in records], [None, None])

    def test_ring_that_was_not_captured_is_status_five(self):
        core = self.capture([(3, 0)], cqb=common.UPPER(0xdead0000) | 7)
        self.assertEqual(self.records("commands", core, status=5), [])
        self.assertIn(b"not in this source", self.ran("-i", core, "commands", status=5).err)

    def test_base_that_is_not_known_is_status_five(self):
        self.ran("-i", self.capture(cqb=None), "commands", status=5)

    def test_every_other_status(self):
        root = self.fake_root()
        for command in ("commands", "requests", "counters"):
            with self.subTest(command):
                top = self.object(*root, command, status=4)
                self.assertEqual(schema.Checker(SCHEMA).errors(top)[:4], [])
                self.assertEqual((top[command], top["complete"]), ([], False))
        nobody = self.fake_root(tree=fdt.machine(()))
        for command in ("commands", "requests", "counters"):
            self.ran(*nobody, command, status=3)

    def test_argument_is_usage(self):
        for command in ("commands", "requests"):
            self.ran("-i", self.capture(), command, "x", status=2)


class Recorded(Queues):
    """What Linux 7.2 gave to an emulated IOMMU: the board of the examples."""

    DEMO = os.path.join(common.HERE, "..", "..", "examples", "demo.core")

    @unittest.skipUnless(os.path.exists(DEMO), "no examples/demo.core")
    def test_commands_of_linux_are_legal_and_end_in_a_fence(self):
        records = self.records("commands", self.DEMO)
        self.assertGreater(len(records), 10)
        self.assertEqual({r["name"] for r in records}, {"IODIR.INVAL_DDT", "IOTINVAL.VMA", "IOFENCE.C"})
        self.assertEqual([r for r in records if r["illegal"] or r["pending"] or r["error_bits"]], [])
        self.assertEqual(records[-1]["name"], "IOFENCE.C")
        self.text("commands", self.DEMO)

    @unittest.skipUnless(os.path.exists(DEMO), "no examples/demo.core")
    def test_page_request_queue_that_linux_does_not_use(self):
        self.assertEqual(self.records("requests", self.DEMO), [])
        self.assertIn("no page-request queue is set up", self.text("requests", self.DEMO))


class Illegal(Queues):
    def illegal(self, dw, **registers):
        record, = self.records("commands", self.capture([dw], **registers))
        return record["illegal"]

    def test_legal_commands_are_not_called_illegal(self):
        for (dw, name, _) in COMMANDS:
            if not name.startswith("reserved"):
                self.assertEqual(self.illegal(dw, ddtp=common.UPPER(common.Machine.DDT) | 4), [], f"{name} {dw[0]:#x}")

    def test_by_the_registers_of_this_iommu(self):
        for dw, registers, word in (
                ((1 << 34 | 0x1, 0), {"capabilities": common.CAPABILITIES}, "capabilities.NL"),
                ((0x1, 1 << 9), {"capabilities": common.CAPABILITIES}, "capabilities.S"),
                ((0x4, 0), {"capabilities": common.CAPABILITIES & ~(1 << 25)}, "capabilities.ATS"),
                ((0x802, 0), {"fctl": 0}, "fctl.WSI"),
                ((0x0000400200000003, 0), {}, "ddtp.iommu_mode"),
                ((0x0000080200100083, 0), {}, "PID is wider"),
                ((0x0000080000000083, 0), {}, "DV is 0"),
                ((1 << 32 | 0x81, 0), {}, "PSCV"),
                ((0x803, 0), {}, "reserved bit")):
            with self.subTest(word):
                reasons = self.illegal(dw, **registers)
                self.assertEqual(len(reasons), 1)
                self.assertIn(word, reasons[0])
                self.assertIn(f"ILLEGAL: {reasons[0]}", self.text("commands", self.capture([dw], **registers)))

    def test_registers_that_are_missing_make_nothing_illegal(self):
        core = self.capture([(1 << 34 | 0x1, 0), (0x4, 0)], capabilities=None)
        self.assertEqual([r["illegal"] for r in self.records("commands", core, status=0)], [[], []])


class Stopped(Queues):
    BEFORE = [(0x3002, 0), (0x0001080000000004, 0), (0x0000080000000004, 0), (0x3002, 0), (0x3, 0)]

    def test_each_error_bit_names_its_command(self):
        for bit, name, word in ((CMD_ILL, "cmd_ill", "refused"), (CMD_TO, "cmd_to", "no answer"), (CQMF, "cqmf", "cqb")):
            with self.subTest(name):
                core = self.capture(self.BEFORE, cqh=3, cqcsr=ON | bit)
                records = self.records("commands", core)
                self.assertEqual([r["error_bits"] for r in records], [[], [], [], [name], []])
                self.assertEqual([r["advice"] is None for r in records], [True, True, True, False, True])
                self.assertIn(word, records[3]["advice"])
                self.assertIn("since the last IOFENCE.C", records[3]["advice"])
                text = self.text("commands", core)
                self.assertIn(f"{name} is set", text)
                self.assertIn(f"STOPPED HERE {name}: {records[3]['advice']}", text)
                self.assertEqual(text.count("STOPPED HERE"), 1)
                self.assertNotIn("no error bit is set", text)

    def test_refusal_of_a_command_that_looks_legal_is_said_to_be_odd(self):
        for dw, legal in (((0x3, 0), True), ((0x5, 0), False)):
            record, = self.records("commands", self.capture([dw], cqcsr=ON | CMD_ILL))
            self.assertEqual("it is legal" in record["advice"], legal)

    def test_timeout_names_the_devices_that_were_asked_since_the_fence(self):
        records = self.records("commands", self.capture([(0x0009990000000004, 0)] + self.BEFORE, cqh=4, cqcsr=ON | CMD_TO))
        self.assertIn("0000:01:01.0 (0x108), 0000:00:01.0 (0x8).", records[4]["advice"])
        self.assertNotIn("0x999", records[4]["advice"])

    def test_memory_fault_of_a_fence_that_stores_is_about_its_address_too(self):
        for dw, stores in (((0xdeadbeef00000402, 0x201c0000), True), ((0x3002, 0), False)):
            record, = self.records("commands", self.capture([dw], cqcsr=ON | CQMF))
            self.assertEqual("ADDR" in record["advice"], stores)

    def test_completed_fence_is_no_error(self):
        record, = self.records("commands", self.capture([(0x3, 0)], cqcsr=ON | FENCE))
        self.assertEqual((record["error_bits"], record["advice"]), ([], None))
        text = self.text("commands", self.capture([(0x3, 0)], cqcsr=ON | FENCE))
        self.assertIn("fence_w_ip is set", text)
        self.assertNotIn("STOPPED", text)

    def test_error_bit_of_an_empty_queue_is_said_all_the_same(self):
        text = self.text("commands", self.capture(cqcsr=ON | CMD_ILL))
        self.assertIn("cmd_ill is set", text)
        self.assertNotIn("STOPPED", text)


def request(did, address, flags, group, pid=None, priv=False, execute=False):
    """A page-request record by facts 4.5."""
    dw0 = did << 40 | priv << 33 | execute << 34
    if pid is not None:
        dw0 |= pid << 12 | 1 << 32
    return dw0, address | group << 3 | flags


R, W, L = 1, 2, 4


class Requests(Queues):
    LIST = [request(8, 0x1000, R, 3), request(0x108, 0xfffffffffffff000, R | W | L, 511, pid=5, priv=True, execute=True),
            request(0x777, 0, L, 0, pid=6)]

    def test_record_is_taken_apart(self):
        first, second, third = self.records("requests", self.capture(requests=self.LIST))
        self.assertEqual((first["device_id"], first["device"], first["process_id"], first["address"], first["prgi"]),
                         ("0x8", "0000:00:01.0", None, "0x1000", 3))
        self.assertEqual([first[k] for k in ("read", "write", "execute", "last", "privileged", "stop_marker")],
                         [True, False, False, False, False, False])
        self.assertEqual((second["device_id"], second["process_id"], second["address"], second["prgi"]),
                         ("0x108", "0x5", "0xfffffffffffff000", 511))
        self.assertEqual([second[k] for k in ("read", "write", "execute", "last", "privileged", "stop_marker")],
                         [True, True, True, True, True, False])
        self.assertEqual((third["device"], third["process_id"], third["stop_marker"]), (None, "0x6", True))

    def test_record_in_words(self):
        common.names_wanted()
        text = self.text("requests", self.capture(requests=self.LIST))
        self.assertIn("0000:00:01.0 (0x8) r-- 0x1000, group 3 ", text)
        self.assertIn("0000:01:01.0 (0x108) rwx 0xfffffffffffff000, process 0x5 privileged, group 511, last", text)
        self.assertIn("0x777 stop marker, process 0x6", text)

    def test_reserved_bits_are_pointed_out(self):
        core = self.capture(requests=[(8 << 40 | 1 << 35 | 1, R)])
        self.assertIn("RESERVED BITS ARE SET: 0x800000001", self.text("requests", core))
        record, = self.records("requests", core)
        self.assertEqual(record["values"][0]["reserved_set"], "0x800000001")

    def test_history_and_pending(self):
        core = self.capture(requests=self.LIST, pqh=2)
        self.assertEqual([r["pending"] for r in self.records("requests", core)], [False, False, True])
        self.assertIn("Pending, not yet taken by software", self.text("requests", core))

    def test_overflow_and_memory_fault_are_explained(self):
        self.assertIn("pqof is set: the queue was full", self.text("requests", self.capture(requests=self.LIST, pqcsr=ON | 1 << 9)))
        self.assertIn("pqmf is set: a request could not be stored",
                      self.text("requests", self.capture(requests=self.LIST, pqcsr=ON | 1 << 8)))
        self.assertIn("Response Failure", self.text("requests", self.capture(requests=self.LIST, pqcsr=0)))

    def test_without_ats_there_are_none_and_that_is_no_error(self):
        core = self.capture(requests=self.LIST, capabilities=common.CAPABILITIES & ~(1 << 25))
        self.assertIn("no page-request queue: capabilities.ATS is 0", self.text("requests", core))
        top = self.object("-i", core, "requests")
        self.assertEqual((top["requests"], top["iommus"][0]["queues"]["pq"], top["complete"]), ([], None, True))

    def test_big_endian_queues(self):
        m = common.Machine()
        for i, dw in enumerate(self.LIST[0]):
            m.memory.put64(PQ + 8 * i, int.from_bytes(dw.to_bytes(8, "little"), "big"))
        m.registers.update(fctl=3, capabilities=common.CAPABILITIES | 1 << 27, pqb=common.UPPER(PQ) | 3, pqt=1, pqcsr=ON)
        capture.write(self.path("be.core"), m.memory, m.registers)
        record, = self.records("requests", self.path("be.core"))
        self.assertEqual((record["device_id"], record["address"], record["prgi"]), ("0x8", "0x1000", 3))


class Explain(Queues):
    def explained(self, text):
        top = self.object("explain", text)
        self.assertEqual(schema.Checker(SCHEMA).errors(top)[:4], [])
        value, = top["explained"]
        return value

    def test_command_has_the_same_members_as_in_the_queue(self):
        for dw, _, _ in COMMANDS:
            record, = self.records("commands", self.capture([dw], note=None, ddtp=4))
            value = self.explained(f"command={dw[0]:#x},{dw[1]:#x}")
            same = ("name", "words", "values")
            self.assertEqual({k: value[k] for k in same}, {k: record[k] for k in same})
            self.assertIn(record["words"], " ".join(self.ran("explain", f"command={dw[0]:#x},{dw[1]:#x}").out.decode().split()))

    def test_command_that_no_iommu_takes(self):
        self.assertEqual(len(self.explained("command=0x803,0")["illegal"]), 1)
        self.assertIn(b"ILLEGAL: a reserved bit is set", self.ran("explain", "command=0x803,0").out)

    def test_half_a_command_has_no_words(self):
        value = self.explained("command=0x401")
        self.assertEqual((value["name"], value["words"], len(value["values"])), ("IOTINVAL.VMA", None, 1))

    def test_page_request_has_the_same_members_as_in_the_queue(self):
        for dw in Requests.LIST:
            record, = self.records("requests", self.capture(requests=[dw], note=None))
            value = self.explained(f"page_request={dw[0]:#x},{dw[1]:#x}")
            self.assertEqual({k: v for k, v in value.items() if k not in ("kind", "note")},
                             {k: v for k, v in record.items() if k not in ("iommu", "index", "pending")})
        self.assertIn(b"group 3", self.ran("explain", "page_request=0x80000000000,0x1019").out)

    def test_half_a_page_request_is_a_structure(self):
        value = self.explained("page_request=0x80000000000")
        self.assertEqual((value["kind"], len(value["values"])), ("structure", 1))


class Hostile(Queues):
    """Whatever is in the ring: an answer in words, of 80 columns, that fits the schema."""

    def test_random_entries(self):
        random.seed(4)
        for _ in range(6):
            noise = [(random.getrandbits(64) & ~0x3ff | random.randrange(6) | random.randrange(3) << 7, random.getrandbits(64))
                     for _ in range(100)]
            core = self.capture(noise, noise[:15], cqh=random.randrange(100), cqcsr=ON | random.getrandbits(4) << 8)
            for command in ("commands", "requests"):
                self.text(command, core)
                self.assertEqual(len(self.records(command, core)), {"commands": 100, "requests": 15}[command])

    def test_ring_that_claims_four_gibibytes(self):
        core = self.capture([(3, 0)], cqb=common.UPPER(CQ) | 31)
        self.records("commands", core, status=5)
