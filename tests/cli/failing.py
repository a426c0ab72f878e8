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


def compiled(directory):
    """The shim, compiled into DIRECTORY; None without a compiler."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or "cc"
    path = os.path.join(directory, "shim.so")
    try:
        done = subprocess.run([*compiler.split(), "-O1", "-fPIC", "-shared", "-fno-builtin", "-o", path, SHIM], capture_output=True, check=False)
    except OSError:
        return None
    return None if done.returncode else path


@functools.lru_cache(maxsize=None)
def shim():
    """The shim; the test is skipped where it cannot be had, and where others than the program allocate, too."""
    if common.built_with(common.SANITIZED):
        raise unittest.SkipTest("the allocator is a sanitizer's")
    if common.built_with(common.COUNTED):
        raise unittest.SkipTest("what writes down the coverage does not bear it when memory is out")
    path = compiled(DIRECTORY.name)
    if not path:
        raise unittest.SkipTest("no compiler for the shim")
    return path


def call(tool, *args, env=None, stdin=b"", **inject):
    """A run with INJECT_...; a Done, with the shim's report: allocations, failed, live, lost."""
    common.wanted(tool, args)
    program, libraries = common.program_of(tool)
    report = os.path.join(DIRECTORY.name, "report")
    if os.path.exists(report):
        os.unlink(report)
    preload = {"LD_PRELOAD": " ".join([shim(), *libraries]), "INJECT_REPORT": report, "INJECT_NOT": "json_tokener_parse_ex",
               **{"INJECT_" + key.upper(): str(value) for key, value in inject.items()}}
    free = ["--no-sandbox"] if b"--no-sandbox" in common.call("--help").out else []  # the shim opens files when all is over
    done = subprocess.run([program, *free, *args], input=stdin, capture_output=True, timeout=common.TIMEOUT, check=False,
                          env=dict(os.environ, LC_ALL="C", TERM="dumb", COLUMNS="80", **preload, **(env or {})))
    if common.LEFT_OUT in done.stderr:
        raise unittest.SkipTest(done.stderr.decode().splitlines()[0])
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
