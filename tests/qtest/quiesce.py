#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a device really blocked? The room control/ against QEMU's IOMMU, over the qtest socket and without a guest.

    quiesce.py

A device whose translations the IOMMU has cached does DMA; then the IOMMU is set to Off by the library (relay.c), and the device
tries again: what counts is whether memory changes. RELAY names the program (make tests/qtest/relay).
The last line is `N passed, N failed, N skipped`. Status: 0 all passed, 1 one failed, 77 nothing could be run.
"""
import os
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
import deviations  # noqa: E402
import qemu  # noqa: E402
import rig  # noqa: E402
import setups  # noqa: E402
import tables  # noqa: E402

SKIPPED = 77
IOVA, UNSEEN = 0x10000, 0x20000  # mapped both; no device has used the second
OFF_FAULT = 256


class Relay:
    """Runs relay.c on the registers of a machine; what it said is in KEYS."""

    def __init__(self, machine, state):
        self.machine, self.state = machine, state
        self.capabilities = machine.get("capabilities")
        self.stores = []

    def __call__(self, verb, *args):
        keys, self.stores = {}, []
        command = [os.environ["RELAY"], hex(self.machine.base), hex(self.capabilities), self.state, verb, *map(hex, args)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                word, *rest = line.split(None, 2)
                if word == "=":
                    keys[rest[0]] = rest[1].strip() if len(rest) > 1 else ""
                    continue
                process.stdin.write(self.access(word, [int(n, 16) for n in rest]) + "\n")
                process.stdin.flush()
        return keys

    def access(self, word, numbers):
        at = self.machine.base + numbers[0]
        if word == "r":
            return hex(self.machine.qemu.read(at, 4))
        self.stores.append(tuple(numbers))
        self.machine.qemu.write(at, 4, numbers[1])
        return "done"


class Test:
    """One machine: edu with two pages mapped, the first of which it has written to."""

    def __init__(self, program, kind, state):
        self.program, self.kind, self.state = program, kind, state
        self.wrong, self.known = [], []

    def want(self, what, ours, theirs, deviation=None):
        if ours == theirs:
            return
        entry = deviations.explain_quiesce(self.program.version, deviation)
        (self.known if entry else self.wrong).append(f"{what}: {theirs}, and should be {ours}")

    def dma(self, machine, what, through, iova=IOVA, deviation=None):
        seen = machine.dma(rig.EDU, iova, "w")
        causes = [r.cause for r in seen.records]
        self.want(f"{what}: DMA got through", through, seen.ok, deviation)
        if not through and not seen.ok:
            self.want(f"{what}: causes", [OFF_FAULT], causes)

    def run(self):
        case = setups.Case(True)
        table = case.first("sv39")
        for iova in (IOVA, UNSEEN):
            table.map(iova, case.target())
        case.context(rig.EDU, fsc=table.pointer(), ta=7 << 12)
        with rig.Rig(self.program, self.kind, []) as machine:
            machine.start()
            machine.program(case.memory, case.registers)
            self.blocked(machine, Relay(machine, self.state), case.registers["ddtp"])

    def blocked(self, machine, relay, ddtp):
        self.dma(machine, "before", True)  # and now it is cached
        said = relay("block")
        self.want("block: error", "0", said.get("error"))
        self.want("block: verdict", "blocked", said.get("verdict"))
        self.want("block: stores", [(0x10, ddtp & 0xfffffff0)], relay.stores)
        self.want("block: ddtp", ddtp & ~0xf, machine.get("ddtp"))
        self.dma(machine, "blocked, cached", False, deviation="off-cached")
        self.dma(machine, "blocked, not cached", False, UNSEEN, "off-cached")
        self.want("probe of a cached address: fault", "1", relay("probe", rig.EDU, IOVA).get("fault"), "off-cached")
        machine.records()
        self.want("undo: error", "0", relay("undo").get("error"))
        self.want("undo: ddtp", ddtp, machine.get("ddtp"))
        self.dma(machine, "undone", True)
        self.dma(machine, "undone, not cached", True, UNSEEN)
        machine.invalidate()  # the command queue kept its place
        self.dma(machine, "undone, invalidated", True)
        said = relay("handover")
        self.want("handover: verdict", "blocked", said.get("verdict"))
        self.want("handover: cqcsr and fqcsr", (0, 0), tuple(machine.get(r) & 0x30003 for r in ("cqcsr", "fqcsr")))
        self.want("undo of a handover: error", "1", relay("undo").get("error"))  # EPERM
        self.want("undo of a handover: ddtp", ddtp & ~0xf, machine.get("ddtp"))
        seen = machine.dma(rig.EDU, IOVA, "w")
        self.want("handed over: DMA got through", False, seen.ok, "off-cached")
        self.want("handed over: records", 0, len(seen.records))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that QEMU is stopped, too
    program, where = qemu.find()
    if program is None or not os.path.exists(os.environ.get("RELAY", "")):
        print("SKIPPED: " + ("no QEMU with a RISC-V IOMMU: " + where if program is None else "no relay: set RELAY"))
        print("0 passed, 0 failed, 1 skipped")
        return SKIPPED
    known_version = deviations.checked(program.version)
    print(f"{program.text}, from {where}")
    passed = failed = 0
    for kind in sorted(program.kinds):
        with tempfile.TemporaryDirectory(prefix="qtest-") as directory:
            test = Test(program, kind, os.path.join(directory, "state"))
            try:
                test.run()
            except qemu.QemuError as err:
                test.wrong.append(str(err))
        good = not test.wrong or not known_version
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok  ' if good else 'FAIL'} cached translations and Off ({kind})")
        for line in test.wrong:
            print(f"     {'difference' if known_version else 'note'}: {line}")
        for line in test.known:
            print(f"     known (off-cached): {line}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
