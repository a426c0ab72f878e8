#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Runs the command-line tests on $IOMMU_DUMP (default ./iommu-dump): run.py [unittest options] [NAME...]
NAME is a file (test_batch) or a part of one (test_batch.Lines). The last line is `N passed, N failed, N skipped`.
Status: 0 all passed, 1 not, 77 no program to test.
"""
import glob
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import common  # noqa: E402


class Result(unittest.TextTestResult):
    """Counts tests, not subtests: a test with several subtests that fail is one failure."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.bad = set()

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


def main():
    if common.TOOL is None:
        print("no iommu-dump to test: set IOMMU_DUMP")
        return 77
    options = [a for a in sys.argv[1:] if a.startswith("-")]
    names = [a for a in sys.argv[1:] if not a.startswith("-")] or \
        sorted(os.path.basename(p)[:-3] for p in glob.glob(os.path.join(HERE, "test_*.py")))
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result, verbosity=2 if "-v" in options else 1,
                                     failfast="-f" in options)
    result = runner.run(suite)
    failed = len(result.bad)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed, {len(result.skipped)} skipped")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
