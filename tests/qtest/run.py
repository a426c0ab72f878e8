#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The software walk against QEMU's IOMMU, over the qtest socket and without a guest.

    run.py [-v] [-k WORD]... [--save DIR] [--list]

Each set-up is one line. The last line is `N passed, N failed, N skipped`.
Status: 0 all passed, 1 a set-up failed, 77 nothing could be run.
"""
import argparse
import collections
import os
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
import compare  # noqa: E402
import deviations  # noqa: E402
import qemu  # noqa: E402
import rig  # noqa: E402
import setups  # noqa: E402
import software  # noqa: E402

SKIPPED = 77


class Result:
    """Of one set-up: what differed and was not known, what was, and everything else that is wrong."""

    def __init__(self):
        self.unknown, self.known, self.wrong, self.outcomes = [], [], [], 0


def probe(machine, case):
    """Makes every request in every way there is: [(ask, [Seen])], and all fault records, in order."""
    seen, records = [], []
    for ask in case.asks:
        ways = [lambda a=ask: machine.debug(a.did, a.iova, a.access, a.pid)]
        if ask.dma and ask.did in rig.BARS:
            ways.append(lambda a=ask: machine.dma(a.did, a.iova, a.access))
        if ask.msi and ask.access == "w":
            ways.append(lambda a=ask: machine.message(a.did, a.iova))
        here = []
        for way in ways:
            machine.invalidate()
            result = way()
            if result:
                here.append(result)
                records += result.records
        seen.append((ask, here))
    return seen, records


def snapshot(machine, case, path):
    """Writes the capture: memory and registers as QEMU has them now. Complains about tables that changed meanwhile."""
    memory, wrong = rig.capture.Memory(), []
    for at, page in sorted(case.memory.pages.items()):
        now = machine.qemu.get(at, len(page))
        memory.page(at)[:] = now
        if now != bytes(page) and at not in (rig.COMMANDS, rig.FAULTS):
            wrong.append(f"the page at {at:#x} was changed by the IOMMU")
    rig.capture.write(path, memory, machine.registers(), machine.base)
    return wrong


def run(program, tool, setup, core):
    """One set-up, in a QEMU of its own. CORE: where its capture goes."""
    result = Result()
    case = setups.Case(not setup.base)
    setup.build(case, *setup.values)
    with rig.Rig(program, setup.kind, setup.options) as machine:
        machine.start()
        machine.program(case.memory, case.registers)
        if machine.get("ddtp") != case.registers["ddtp"]:
            raise qemu.QemuError(f"ddtp is {machine.get('ddtp'):#x}")
        seen, records = probe(machine, case)
        result.wrong += snapshot(machine, case, core)
        machine.resolve([s for _, here in seen for s in here if s.ok is None])
    answers = software.translate(tool, core, case.asks, setup.holes)
    for (ask, here), answer in zip(seen, answers):
        for one in here:
            result.outcomes += 1
            for difference in compare.outcome(ask, answer, one):
                entry = deviations.explain(program.version, difference, setup)
                (result.known if entry else result.unknown).append((entry, difference))
    try:
        result.wrong += compare.decoded(records, software.faults(tool, core))
    except software.SoftwareError as err:  # the walks were compared all the same
        result.wrong.append(str(err))
    return result


def verdict(result, known_version):
    """True if the set-up passed: what an unknown version does differently is a note."""
    return not result.wrong and not (result.unknown and known_version)


def report(setup, result, seconds, known_version, verbose):
    """Prints the line of a set-up, and what has to be said about it."""
    passed = verdict(result, known_version)
    text = f"{result.outcomes} outcomes"
    if result.known:
        counts = collections.Counter(entry.ident for entry, _ in result.known)
        text += ", known deviations: " + ", ".join(f"{ident} x{n}" for ident, n in sorted(counts.items()))
    print(f"{'ok  ' if passed else 'FAIL'} {setup.name}: {text} ({seconds:.1f} s)", flush=True)
    for line in result.wrong:
        print(f"     {line}")
    for _, difference in result.unknown:
        print(f"     {'difference' if known_version else 'note'}: {difference}")
    if verbose:
        for entry, difference in result.known:
            print(f"     known ({entry.ident}): {difference}")
    return passed


def unseen(program, used):
    """Notes about entries that hold for this version and did not show."""
    for entry in deviations.TABLE:
        if entry.on(program.version) and entry.ident not in used:
            print(f"note: deviation {entry.ident} did not show on QEMU {'.'.join(map(str, program.version))}: was it mended?")


def arguments():
    parser = argparse.ArgumentParser(description="the software walk against QEMU's IOMMU, without a guest")
    parser.add_argument("-k", metavar="WORD", action="append", default=[], help="only set-ups with WORD in their name")
    parser.add_argument("-v", action="store_true", help="show every known deviation")
    parser.add_argument("--save", metavar="DIR", help="keep the captures there (NN.core, by the order of the lines)")
    parser.add_argument("--list", action="store_true", help="name the set-ups, run nothing")
    return parser.parse_args()


def main():
    args = arguments()
    chosen = [s for s in setups.LIST if all(word in s.name for word in args.k)]
    if args.list:
        print("\n".join(s.name for s in chosen))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that QEMU is stopped, too
    tool, (program, where) = software.program(), qemu.find()
    if tool is None or program is None:
        print("SKIPPED: " + ("no iommu-dump to test: set IOMMU_DUMP" if tool is None else "no QEMU with a RISC-V IOMMU: " + where))
        print(f"0 passed, 0 failed, {len(chosen)} skipped")
        return SKIPPED
    known_version = deviations.checked(program.version)
    print(f"{program.text}, from {where}" + ("" if known_version else ": not a version that was checked, differences are notes"))
    passed, failed, skipped, used = 0, 0, 0, set()
    with tempfile.TemporaryDirectory(prefix="qtest-") as directory:
        for n, setup in enumerate(chosen):
            if setup.kind not in program.kinds:
                print(f"SKIPPED {setup.name}: this QEMU has no such IOMMU")
                skipped += 1
                continue
            core = os.path.join(args.save or directory, f"{n:02d}.core")
            start = time.monotonic()
            try:
                result = run(program, tool, setup, core)
            except (qemu.QemuError, software.SoftwareError) as err:
                result = Result()
                result.wrong.append(str(err))
            good = report(setup, result, time.monotonic() - start, known_version, args.v)
            passed, failed = passed + good, failed + (not good)
            used.update(entry.ident for entry, _ in result.known)
    if len(chosen) == len(setups.LIST):
        unseen(program, used)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed + skipped else 0 if passed else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
