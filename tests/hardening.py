#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Is what is installed built the way it should be? By the headers of the ELF files, as readelf shows them.

    hardening.py [FILE...]      default: $PROGRAMS and $LIBRARY, as they were built; of what is installed, see installed.py

* no segment is writable and executable, and no stack is executable;
* nothing is looked for in a folder that the file itself names, unless it is $RUNPATH;
* nothing is setuid or setgid;
* what configure said it would do ($HARDENING: its flags) was done: relocations read-only and done at the start, programs at an address
  that is chosen anew, stack protector, checked copies.

The last line is `N passed, N failed, N skipped`.
"""
import os
import re
import shutil
import subprocess
import sys
import unittest

FLAGS = os.environ.get("HARDENING", "").split()
BUILDER = os.environ.get("BUILDER_FLAGS", "")  # who builds has the last word
READELF = os.environ.get("READELF") or shutil.which("readelf")
FILES = [os.path.abspath(f) for f in (*os.environ.get("PROGRAMS", "").split(), os.environ.get("LIBRARY", "")) if f]


def real(path):
    """What libtool's wrapper script stands for."""
    here, name = os.path.split(path)
    inner = os.path.join(here, ".libs", name)
    return os.path.realpath(inner if os.path.exists(inner) else path)


def readelf(option, path):
    done = subprocess.run([READELF, "-W", option, path], stdout=subprocess.PIPE, check=True, env=dict(os.environ, LC_ALL="C"))
    return done.stdout.decode(errors="replace")


class Built(unittest.TestCase):
    def setUp(self):
        if not READELF:
            self.skipTest("there is no readelf")
        self.assertTrue(FILES, "no file is named")

    def each(self, look):
        for path in map(real, FILES):
            with self.subTest(os.path.basename(path)):
                look(path)

    def test_nothing_is_writable_and_executable(self):
        def look(path):
            segments = re.findall(r"^  (\w+) +(?:0x[0-9a-f]+ +){5}([RWE ]{3})", readelf("-l", path), re.M)
            self.assertIn("LOAD", [kind for kind, _ in segments])
            self.assertEqual([s for s in segments if "W" in s[1] and "E" in s[1]], [])
            self.assertEqual([flags for kind, flags in segments if kind == "GNU_STACK"], ["RW "])
        self.each(look)

    def test_libraries_are_looked_for_where_the_system_has_them(self):
        def look(path):
            folders = re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", readelf("-d", path))
            self.assertEqual([f for f in folders if f != os.environ.get("RUNPATH")], [])
        self.each(look)

    def test_nothing_runs_as_somebody_else(self):
        def look(path):
            self.assertEqual(os.stat(path).st_mode & 0o6000, 0)
        self.each(look)

    def wanted(self, flag, *against):
        if flag not in FLAGS or any(word in BUILDER for word in against):
            self.skipTest(f"not built with {flag}")

    def test_relocations_are_done_at_the_start(self):
        self.wanted("-Wl,-z,now", "-z,lazy", "-z,norelro")

        def look(path):
            self.assertRegex(readelf("-d", path), r"BIND_NOW|\bNOW\b")
            self.assertIn("GNU_RELRO", readelf("-l", path))
        self.each(look)

    def test_programs_can_be_anywhere(self):
        self.wanted("-pie", "-no-pie", "-static")

        def look(path):
            self.assertRegex(readelf("-h", path), r"Type: +DYN")
        self.each(look)

    def test_stacks_are_guarded(self):
        self.wanted("-fstack-protector-strong", "-fno-stack-protector")

        def look(path):
            self.assertIn("__stack_chk_fail", readelf("--dyn-syms", path))
        self.each(look)

    def test_copies_are_checked(self):
        self.wanted("-D_FORTIFY_SOURCE=2", "_FORTIFY_SOURCE", "-O0")

        def look(path):
            self.assertRegex(readelf("--dyn-syms", path), r"__\w+_chk\b")
        self.each(look)


def main():
    if sys.argv[1:]:
        FILES[:] = map(os.path.abspath, sys.argv[1:])
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Built)
    done = unittest.TextTestRunner(stream=sys.stdout).run(suite)
    bad = len({str(getattr(t, "test_case", t)) for t, _ in done.failures + done.errors})
    skipped = len(done.skipped)
    print(f"{done.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
