# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands with one allocation failing, by the shim of tests/inject. There each call of each command fails; here is what one test shows."""
import functools
import os
import shutil
import subprocess
import tempfile
import unittest

import common

SHIM = os.path.join(common.HERE, "..", "inject", "shim.c")
DIRECTORY = tempfile.TemporaryDirectory(prefix="cli-shim-")


@functools.lru_cache(maxsize=None)
def program_of(tool):
    """What libtool's wrapper runs, and the library that it would find for it."""
    here, name = os.path.split(tool)
    if os.path.exists(os.path.join(here, ".libs", name)):
        here = os.path.join(here, ".libs")
    library = os.path.join(here, "libriscv-iommu.so.0")
    return os.path.join(here, name), [library] if os.path.exists(library) else []


@functools.lru_cache(maxsize=None)
def shim():
    """The shim, compiled; the test is skipped without a compiler, and where others than the program allocate, too."""
    program, libraries = program_of(common.TOOL)
    for path in (program, *libraries):
        with open(path, "rb") as f:
            content = f.read()
        if common.SANITIZED in content:
            raise unittest.SkipTest("the allocator is a sanitizer's")
        if common.COUNTED in content:
            raise unittest.SkipTest("what writes down the coverage does not bear it when memory is out")
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or "cc"
    path = os.path.join(DIRECTORY.name, "shim.so")
    try:
        done = subprocess.run([*compiler.split(), "-O1", "-fPIC", "-shared", "-fno-builtin", "-o", path, SHIM], capture_output=True, check=False)
    except OSError:
        done = None
    if done is None or done.returncode:
        raise unittest.SkipTest("no compiler for the shim")
    return path


def call(tool, *args, env=None, stdin=b"", **inject):
    """A run with INJECT_...; a Done, with the shim's report: allocations, failed, live, lost."""
    common.wanted(tool, args)
    program, libraries = program_of(tool)
    report = os.path.join(DIRECTORY.name, "report")
    if os.path.exists(report):
        os.unlink(report)
    preload = {"LD_PRELOAD": " ".join([shim(), *libraries]), "INJECT_REPORT": report, "INJECT_NOT": "json_tokener_parse_ex",
               **{"INJECT_" + key.upper(): str(value) for key, value in inject.items()}}
    free = ["--no-sandbox"] if b"--no-sandbox" in common.call("--help").out else []  # the shim opens files when all is over
    done = subprocess.run([program, *free, *args], input=stdin, capture_output=True, timeout=common.TIMEOUT, check=False,
                          env=dict(os.environ, LC_ALL="C", TERM="dumb", COLUMNS="80", **preload, **(env or {})))
    out = common.Done(done.returncode, done.stdout, done.stderr, args)
    out.report = [0] * 4
    if os.path.exists(report):
        with open(report, encoding="ascii") as f:
            out.report = [int(n) for n in f.read().split()]
    return out


def each(tool, *args, before=None, **kwargs):
    """
    (number, Done) of a run for each allocation that the command makes, which fails in it; BEFORE is called before each. A command that
    makes none shows nothing.
    """
    if before:
        before()
    good = call(tool, *args, **kwargs)
    if good.report[0] < 10:
        raise AssertionError(f"only {good.report[0]} allocations: {good}")
    for number in range(1, good.report[0] + 1):
        if before:
            before()
        yield number, call(tool, *args, alloc=number, **kwargs)
