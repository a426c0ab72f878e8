#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Runs the command-line tests on $IOMMU_DUMP (default ./iommu-dump): run.py [unittest options] [NAME...]
NAME is a file (test_batch) or a part of one (test_batch.Lines). The last line is `N passed, N failed, N skipped`.
Without a NAME each file is a process of its own, as many at once as there are processors.
Status: 0 all passed, 1 not, 77 no program to test.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import common  # noqa: E402


class Result(unittest.TextTestResult):
    """Counts tests, not subtests: a test with several subtests that fail is one failure, and one with some that are skipped is skipped."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.bad, self.left = set(), {}

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.left[getattr(test, "test_case", test).id()] = reason

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.bad.add(test.id())

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.bad.add(test.id())

    def addError(self, test, err):
        super().addError(test, err)
        self.bad.add(test.id())


def run(options, names):
    """The tests NAMES, here; passed, failed, skipped, and whether all went well."""
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result, verbosity=2 if "-v" in options else 1,
                                     failfast="-f" in options)
    result = runner.run(suite)
    for name in result.bad:
        result.left.pop(name, None)
    for reason in sorted(set(result.left.values())):
        print(f"SKIPPED {list(result.left.values()).count(reason)}: {reason}")
    failed, skipped = len(result.bad), len(result.left)
    return [result.testsRun - failed - skipped, failed, skipped], result.wasSuccessful()


def run_file(options, name):
    """The same for a file, in a process of its own."""
    done = subprocess.run([sys.executable, os.path.abspath(__file__), *options, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)
    counted = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped\s*\Z", done.stdout, re.M)
    print(f"{name}\n{done.stdout}", flush=True)
    return [int(n) for n in counted.groups()] if counted else [0, 1, 0], done.returncode == 0 and counted is not None


def run_files(options):
    # the longest first, lest it is alone at the end
    paths = sorted(glob.glob(os.path.join(HERE, "test_*.py")), key=os.path.getsize, reverse=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda path: run_file(options, os.path.basename(path)[:-3]), paths))
    return [sum(column) for column in zip(*(counts for counts, _ in results))], all(well for _, well in results)


def main():
    if common.TOOL is None:
        print("no iommu-dump to test: set IOMMU_DUMP")
        return 77
    options = [a for a in sys.argv[1:] if a.startswith("-")]
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    (passed, failed, skipped), well = run(options, names) if names else run_files(options)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
