#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds up what the logs of a check run say, and prints `N passed, N failed, N skipped` as the last line.

usage: tally.py LOGS BUILD...
       tally.py --says LOG     what a log says of what failed, 60 lines of it

A log of LOGS that counts (its last line `N passed, N failed, N skipped`, or Check's `Checks: N, Failures: N, Errors: N`)
gives its figures. For `make check` in BUILD the test programs' own .log and .trs files count. A program that ended badly
without a failure in its figures is one failure; one that was skipped without figures is one skip: nothing is left out.
What failed is named before the sum, each with the lines of its log that say it: where only the end of the output is kept, it is there.
"""
import os
import re
import sys

PLAIN = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
CHECK = re.compile(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)")
# unittest's, Check's, the board's, the compilers' and the sanitizers'
SAYS = re.compile(r"^(?:not ok|FAIL|ERROR|BOARD not ok)|:\d+:[FE]:|\b\w*[Ee]rror:")


def figures(text):
    plain = PLAIN.findall(text)
    if plain:
        passed, failed, skipped = plain[-1]
        return [int(passed), int(failed), int(skipped or 0)]
    runs = CHECK.findall(text)
    if not runs:
        return None
    checks = sum(int(r[0]) for r in runs)
    bad = sum(int(r[1]) + int(r[2]) for r in runs)
    return [checks - bad, bad, 0]


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def automake_test(trs):
    """The figures of one test program of `make check`."""
    result = re.search(r"^:test-result: (\S+)", read(trs), re.M)
    result = result.group(1) if result else "ERROR"
    counted = figures(read(trs[:-4] + ".log"))
    if result == "SKIP":
        return counted or [0, 0, 1]
    if result == "PASS":
        return counted or [1, 0, 0]
    if not counted or not counted[1]:
        counted = [counted[0] if counted else 0, 1, counted[2] if counted else 0]
    return counted


def says(path, most=20):
    """What the log of something that failed says of it; its last lines where it says nothing that is known."""
    lines = [line for line in read(path).splitlines() if line.strip()]
    known = [line for line in lines if SAYS.search(line)]
    return [line[:300] for line in (known[:most] or lines[-5:])]


def part(path, ok):
    """The figures of a part that is not `make check`; a part that only builds counts nothing when it went well."""
    counted = figures(read(path))
    if not ok and (not counted or not counted[1]):
        return [counted[0] if counted else 0, 1, counted[2] if counted else 0]
    return counted or [0, 0, 0]


def main():
    if sys.argv[1] == "--says":
        print("\n".join(says(sys.argv[2], 60)))
        return 0
    logs, builds = sys.argv[1], sys.argv[2:]
    failed_parts = set(os.environ.get("FAILED_PARTS", "").split())
    total = [0, 0, 0]
    rows = []
    for name in sorted(os.listdir(logs)):
        if not name.endswith(".log"):
            continue
        base = name[:-4]
        if base.startswith("check-"):
            continue  # its figures are those of the programs below
        rows.append((base, part(os.path.join(logs, name), base not in failed_parts), os.path.join(logs, name)))
    for build in builds:
        programs = []
        for folder, _, files in sorted(os.walk(os.path.join(build, "tests"))):
            for f in sorted(files):
                if f.endswith(".trs"):
                    path = os.path.join(folder, f)
                    programs.append((os.path.relpath(path[:-4], "."), automake_test(path), path[:-4] + ".log"))
        base = "check-" + os.path.basename(build).removeprefix("build-")
        # what kept programs from running, or from being built, is a failure that none of them counts
        if base in failed_parts and not any(counted[1] for _, counted, _ in programs):
            programs.append((base, [0, 1, 0], os.path.join(logs, base + ".log")))
        rows += programs
    for name, counted, _ in rows:
        total = [a + b for a, b in zip(total, counted)]
        if any(counted):
            print(f"{name}: {counted[0]} passed, {counted[1]} failed, {counted[2]} skipped")
    for name, counted, log in rows:
        if counted[1]:
            print("\n".join([f"FAILED {name}:", *(f"  {line}" for line in says(log))]))
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
