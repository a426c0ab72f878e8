#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs iommu-dump over vector files and compares every key of every answer.

    run.py [-j N] [--all] [SOURCE]      SOURCE: directory of .vec files, one file, or an archive

$IOMMU_DUMP names the program (default ./iommu-dump). Files with poisoned memory are skipped: a capture cannot say
"data corruption"; the unit test covers them. The last line is `N passed, N failed, N skipped` (requests).
Status: 0 all passed, 1 a mismatch, 77 no program to test.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

import capture
import expect
import vec

BASE = capture.BASE
TIMEOUT = 60


def program():
    """The command, or None. libtool's wrapper script costs a shell a call: what it wraps is run instead."""
    path = os.environ.get("IOMMU_DUMP", "./iommu-dump")
    if not os.path.exists(path):
        return None
    here, name = os.path.split(os.path.abspath(path))
    real = os.path.join(here, ".libs", name)
    if os.path.exists(real):
        old = os.environ.get("LD_LIBRARY_PATH")
        libs = os.path.join(here, ".libs")
        os.environ["LD_LIBRARY_PATH"] = libs + (":" + old if old else "")
        return real
    return os.path.join(here, name)


def ask(tool, case, directory, steps=True):
    """The records that the program gives for a file: ([record], complaint or None)."""
    core = os.path.join(directory, case.name + ".core")
    batch = os.path.join(directory, case.name + ".req")
    capture.write(core, case.memory, case.registers, BASE)
    with open(batch, "w", encoding="ascii") as f:
        f.writelines(r.batch_line() + "\n" for r in case.requests)
    command = [tool, "-i", core] + case.options + ["-J", "translate", "--batch", batch] + ["--steps"] * steps
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return [], f"no end after {TIMEOUT} s"
    records = []
    for n, line in enumerate(done.stdout.splitlines(), 1):
        try:
            records.append(json.loads(line))
        except ValueError as err:
            return records, f"output line {n} is no JSON: {err}"
    if done.returncode != 0:
        return records, f"exit status {done.returncode}: {done.stderr.decode(errors='replace').strip()[:300]}"
    return records, None


def judge(case, records):
    """Compares: ([mismatch text], Counter of the answers that were used per quirk)."""
    bad, used = [], collections.Counter()
    for i, request in enumerate(case.requests):
        if i >= len(records):
            bad.append(f"{case.name}: {request.text}: no answer")
            continue
        first = None
        for outcome, name in request.accepted():
            problems = expect.compare(case, request, outcome, i + 1, BASE, records[i])
            if not problems:
                used.update((q, name) for q in request.quirks)
                break
            first = first or problems
        else:
            bad += [f"{case.name}: {request.text}: {key}: expected {want}, got {got}" for key, want, got in first]
            bad.append(None)  # ends a request
    if len(records) > len(case.requests):
        bad.append(f"{case.name}: {len(records) - len(case.requests)} answers too many")
        bad.append(None)
    return bad, used


def run_case(tool, name, text):
    """(passed, failed, skipped, mismatches, used) of one file."""
    case = vec.Vec(name, text)
    if case.poison:
        return 0, 0, len(case.requests), [], {}
    with tempfile.TemporaryDirectory(prefix="vectors-") as directory:
        records, complaint = ask(tool, case, directory)
    bad, used = judge(case, records)
    failed = sum(1 for b in bad if b is None or b.endswith(": no answer"))
    if complaint:
        bad.insert(0, f"{name}: {complaint}")
        failed = max(failed, 1)
    return max(len(case.requests) - failed, 0), failed, 0, [b for b in bad if b], used


def without_json(tool):
    return " -json" in subprocess.run([tool, "--version"], capture_output=True, text=True, check=False).stdout


def main():
    parser = argparse.ArgumentParser(description="iommu-dump against conformance vectors")
    parser.add_argument("source", nargs="?", default=vec.ARCHIVE)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--all", action="store_true", help="print every mismatch (default: the first 40)")
    args = parser.parse_args()
    tool = program()
    if tool is None:
        print("no iommu-dump to test: set IOMMU_DUMP")
        return 77
    if without_json(tool):
        print("iommu-dump is built without JSON\n0 passed, 0 failed, 1 skipped")
        return 77
    passed = failed = skipped = files = 0
    mismatches, used = [], collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for result in pool.map(lambda c: run_case(tool, *c), vec.load(args.source)):
            files += 1
            passed, failed, skipped = passed + result[0], failed + result[1], skipped + result[2]
            mismatches += result[3]
            used.update(result[4])
    shown = mismatches if args.all else mismatches[:40]
    for line in shown:
        print(line)
    if len(shown) < len(mismatches):
        print(f"... and {len(mismatches) - len(shown)} more mismatches (--all shows them)")
    for quirk in sorted({q for q, _ in used}):
        print(f"quirk {quirk}: corrected answer {used[quirk, 'alt']} times, model's {used[quirk, 'main']} times")
    print(f"{files} files")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
