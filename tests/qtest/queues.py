#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command queue and the counters of QEMU's IOMMU against what iommu-dump says of them, over the qtest socket.

    queues.py

Commands that the IOMMU takes have to be in the history, in order and legal; at one that it refuses or cannot carry out `commands`
has to point, and call it illegal where it is. Counters count requests whose number is known.
The last line is `N passed, N failed, N skipped`. Status: 0 all passed, 1 one failed, 77 nothing could be run.
"""
import os
import signal
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
import deviations  # noqa: E402
import qemu  # noqa: E402
import rig  # noqa: E402
import setups  # noqa: E402
import software  # noqa: E402

SKIPPED = 77
ERRORS = {8: "cqmf", 9: "cmd_to", 10: "cmd_ill"}
NOWHERE = 0x10000000000  # no memory, but within PAS
STORE_AT, STORED = rig.TARGETS + 0x100, 0xc0ffee11
ALWAYS = [  # (dw0, dw1)
    (0x003, 0), (0x0000080200000003, 0), (0x0000080200007083, 0),
    (0x001, 0), (0x0000000100001401, 0x048d1400), (0x0000500200000001, 0), (0x081, 0), (0x0000500200000481, 0x048d1400),
    (0x002, 0), (0x3002, 0), (STORED << 32 | 0x402, STORE_AT >> 2),
]
WITH_ATS = [(0x0001080000000084, 0x0000f00300000000)]
# What no IOMMU takes: opcodes and functions that are reserved, and what the text of a command forbids.
REFUSED = [(0x000, 0), (0x005, 0), (0x03f, 7), (0x101, 0), (0x102, 0), (0x103, 0), (0x184, 0), (0x083, 0), (1 << 32 | 0x081, 0)]
REQUESTS = 7


class Test:
    """One machine; WRONG holds what is."""

    def __init__(self, program, tool, kind, directory):
        self.program, self.tool, self.kind, self.core = program, tool, kind, os.path.join(directory, "queues.core")
        self.wrong = []

    def want(self, what, right, found):
        if right != found:
            self.wrong.append(f"{what}: {found}, and should be {right}")

    def run(self):
        case = setups.Case(True)
        table = case.first("sv39")
        table.map(0x10000, case.target())
        case.context(rig.EDU, fsc=table.pointer(), ta=7 << 12)
        with rig.Rig(self.program, self.kind, []) as machine:
            self.machine, self.memory = machine, case.memory
            machine.start()
            machine.program(case.memory, case.registers)
            self.commands_that_are_taken()
            for dw in REFUSED:
                self.stops(dw, 10)
            self.stops((0x402, NOWHERE >> 2), 8)
            self.counters()

    # -- commands ------------------------------------------------------------------------------------
    def submit(self, commands):
        for dw in commands:
            self.machine.qemu.put(rig.COMMANDS + self.machine.commands * 16, struct.pack("<2Q", *dw))
            self.machine.commands = (self.machine.commands + 1) % 256
        self.machine.set("cqt", self.machine.commands)

    def said(self, command):
        """What the tool says of a capture of the machine as it is now."""
        memory = rig.capture.Memory()
        for at, page in sorted(self.memory.pages.items()):
            memory.page(at)[:] = self.machine.qemu.get(at, len(page))
        rig.capture.write(self.core, memory, self.machine.registers(), self.machine.base)
        return software.listing(self.tool, self.core, command)

    def commands_that_are_taken(self):
        ats = self.machine.get("capabilities") >> 25 & 1
        commands = ALWAYS + (WITH_ATS if ats else [])
        first = self.machine.commands
        self.submit(commands)
        self.want("cqh behind all commands", self.machine.commands, self.machine.get("cqh"))
        self.want("what IOFENCE.C stored", STORED, struct.unpack("<I", self.machine.qemu.get(STORE_AT, 4))[0])
        said = [r for r in self.said("commands") if r["index"] >= first]
        self.want("commands", [list(map(hex, dw)) for dw in commands], [[v["raw"] for v in r["values"]] for r in said])
        for record in said:
            self.want(f"{record['name']} at {record['index']}: pending, illegal, error_bits", (False, [], []),
                      (record["pending"], record["illegal"], record["error_bits"]))

    def stops(self, dw, bit):
        """The queue stands still at a command, with BIT of cqcsr; then it goes on behind it."""
        name = f"command {dw[0]:#x}"
        at = self.machine.commands
        self.submit([dw, (0x003, 0)])
        csr = self.machine.get("cqcsr")
        self.want(f"{name}: cqh, error bit", (at, ERRORS[bit]), (self.machine.get("cqh"), ERRORS.get((csr & 0x700).bit_length() - 1)))
        said = {r["index"]: r for r in self.said("commands") if r["pending"]}
        self.want(f"{name}: pending", [at, at + 1], list(said))
        if list(said) == [at, at + 1]:
            self.want(f"{name}: error_bits", [[ERRORS[bit]], []], [r["error_bits"] for r in said.values()])
            self.want(f"{name}: is called illegal", [bit == 10, False], [bool(r["illegal"]) for r in said.values()])
        self.machine.qemu.put(rig.COMMANDS + at * 16, struct.pack("<2Q", 0x003, 0))  # mended
        self.machine.set("cqcsr", csr)
        self.machine.set("cqt", self.machine.commands)
        self.want(f"{name}: cqh once it was mended", self.machine.commands, self.machine.get("cqh"))

    # -- counters ------------------------------------------------------------------------------------
    def counters(self):
        machine = self.machine
        if not machine.get("capabilities") >> 30 & 1:
            return
        for name, event in (("1", 1), ("2", 1 | 1 << 61 | rig.EDU << 36), ("3", 1 | 1 << 61 | rig.FAR << 36),
                            ("4", 1 | 1 << 15 | 1 << 61 | 0x7f << 36)):
            machine.set("iohpmevt" + name, event)
            machine.set("iohpmctr" + name, 0)
        machine.set("iohpmctr2", (1 << 64) - 3)
        for i in range(REQUESTS):
            machine.debug(rig.EDU, 0x10000 + 0x1000 * i, "r")
        hardware = machine.registers()
        said = {c["name"]: c for c in self.said("counters")}
        for n in range(1, 5):
            self.want(f"iohpmctr{n}", hex(hardware[f"iohpmctr{n}"]), said[f"iohpmctr{n}"]["value"])
        self.want("filters", [None, "device_id 0x8", "device_id 0xf8", "device_id 0x0-0xff"],
                  [said[f"iohpmctr{n}"]["filter"] for n in range(1, 5)])
        self.want("counts", [hex(REQUESTS), hex(REQUESTS - 3), "0x0", hex(REQUESTS)],
                  [said[f"iohpmctr{n}"]["value"] for n in range(1, 5)])
        self.want("overflow", [False, True, False, False], [said[f"iohpmctr{n}"]["overflow"] for n in range(1, 5)])
        machine.records()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that QEMU is stopped, too
    tool, (program, where) = software.program(), qemu.find()
    if tool is None or program is None:
        print("SKIPPED: " + ("no iommu-dump to test: set IOMMU_DUMP" if tool is None else "no QEMU with a RISC-V IOMMU: " + where))
        print("0 passed, 0 failed, 1 skipped")
        return SKIPPED
    known_version = deviations.checked(program.version)
    print(f"{program.text}, from {where}")
    passed = failed = 0
    for kind in sorted(program.kinds):
        with tempfile.TemporaryDirectory(prefix="qtest-") as directory:
            test = Test(program, tool, kind, directory)
            try:
                test.run()
            except (qemu.QemuError, software.SoftwareError) as err:
                test.wrong.append(str(err))
        good = not test.wrong or not known_version
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok  ' if good else 'FAIL'} command queue and counters ({kind})")
        for line in test.wrong:
            print(f"     {'difference' if known_version else 'note'}: {line}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
