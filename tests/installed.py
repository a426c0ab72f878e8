#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What was installed, as a stranger uses it: pkg-config, a compiler, examples/reach.c. `make installcheck` runs this.

PKG_CONFIG, CC, CFLAGS, VERSION, and where things are: LIBDIR, INCLUDEDIR, MANDIR, SBINDIR; what hardening.py takes; PKG_CONFIG_PATH
and PKG_CONFIG_SYSROOT_DIR are pkg-config's own. The last line is `N passed, N failed, N skipped`.
"""
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import symbols  # noqa: E402
from hardening import Built as Hardened  # noqa: E402,F401  what hardening.py looks at, of the files that were installed

ENV = os.environ
LIBDIR, INCLUDEDIR, MANDIR, SBINDIR = (ENV.get(name, "") for name in ("LIBDIR", "INCLUDEDIR", "MANDIR", "SBINDIR"))


def run(*command, **more):
    more.setdefault("env", dict(ENV, LD_LIBRARY_PATH=LIBDIR))
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **more)


class Installed(unittest.TestCase):
    def package(self, *options):
        tool = ENV.get("PKG_CONFIG") or "pkg-config"
        if not shutil.which(tool):
            self.skipTest(f"{tool} is not here")
        done = run(tool, *options, "riscv-iommu")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_package_has_the_version(self):
        self.assertEqual(self.package("--modversion"), ENV["VERSION"])

    def test_package_links_this_library_only(self):
        self.assertEqual([f for f in self.package("--libs").split() if f.startswith("-l")], ["-lriscv-iommu"])

    def test_one_header_is_installed(self):
        found = [os.path.basename(p) for p in glob.glob(os.path.join(INCLUDEDIR, "**", "*iommu*"), recursive=True)]
        self.assertEqual(found, ["riscv-iommu.h"])

    def test_example_compiles_and_runs(self):
        flags = shlex.split(self.package("--cflags", "--libs"))
        demo = os.path.join(symbols.TOP, "examples", "demo.core")
        with tempfile.TemporaryDirectory(prefix="installed-") as directory:
            program = os.path.join(directory, "reach")
            done = run(*shlex.split(ENV.get("CC") or "cc"), *shlex.split(ENV.get("CFLAGS", "")), "-Wall", "-Wextra", "-Werror",
                       os.path.join(symbols.TOP, "examples", "reach.c"), *flags, "-o", program)
            self.assertEqual(done.returncode, 0, done.stderr)
            done = run(program, "0000:00:01.0", demo)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, symbols.REACHED, ""))

    def test_tools_run_from_where_they_are(self):
        for name in ("iommu-dump", "iommu-kexec-prep", "iommu-quiesce", "iommu-top"):
            done = run(os.path.join(SBINDIR, name), "--version")
            self.assertEqual((name, done.returncode), (name, 0), done.stderr)
            self.assertIn(ENV["VERSION"], done.stdout)

    def test_pages_are_installed(self):
        for page in glob.glob(os.path.join(symbols.TOP, "man", "*.[1-9]")):
            name, section = os.path.basename(page).rsplit(".", 1)
            self.assertTrue(os.path.exists(os.path.join(MANDIR, "man" + section, f"{name}.{section}")), page)

    def test_pages_are_found_by_keyword(self):
        """As `man -k iommu` does, with mandoc's own index."""
        path = os.pathsep.join((ENV.get("PATH", ""), "/usr/sbin"))
        index, search = shutil.which("makewhatis", path=path), shutil.which("mapropos") or shutil.which("apropos")
        if not index or not search or "mandoc" not in os.path.realpath(search):
            self.skipTest("mandoc's makewhatis and apropos are not here")
        with tempfile.TemporaryDirectory(prefix="installed-") as directory:
            names = []
            for page in glob.glob(os.path.join(symbols.TOP, "man", "*.[1-9]")):
                name, section = os.path.basename(page).rsplit(".", 1)
                os.makedirs(os.path.join(directory, "man" + section), exist_ok=True)
                shutil.copy(os.path.join(MANDIR, "man" + section, f"{name}.{section}"), os.path.join(directory, "man" + section))
                names.append((name, section))
            self.assertEqual(run(index, directory).returncode, 0)
            done = run(search, "-M", directory, "iommu")
        self.assertEqual([n for n in names if not re.search(rf"^{n[0]}\b.*\({n[1]}\)", done.stdout, re.M)], [], done.stdout)


if __name__ == "__main__":
    sys.exit(symbols.main())
