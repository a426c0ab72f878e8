# SPDX-License-Identifier: GPL-2.0-or-later
"""What `verify` and `verify-*` share: NAME DIR NATIVE-IOMMU-DUMP [FOLDER] of the command line, results as lines
(`BOARD ok|not ok|skip - text`), and the files that a boot brought back (in FOLDER, for a job that was not its first)."""

import glob
import json
import os
import re
import sys

NAME, DIR = sys.argv[1:3]
NATIVE = sys.argv[3] if len(sys.argv) > 3 else ""
RESULTS = os.path.join(DIR, "results", *sys.argv[4:5])


def say(good, text, why=""):
    print(f"BOARD {'ok' if good else 'not ok'} - {NAME}: {text}")
    if not good and why:
        for line in str(why).splitlines()[:12]:
            print("#", line[:300])


def skip(text):
    print(f"BOARD skip - {NAME}: {text}")


def path(name):
    return os.path.join(RESULTS, name)


def text(name):
    try:
        with open(path(name), encoding="utf-8", errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def have(name):
    return os.path.exists(path(name))


# -- the kernel and QEMU ------------------------------------------------------------------------------

def kernel_is_content(name="dmesg"):
    """NAME, and what a job cleared away before its end: NAME.WHEN."""
    bad = [line for file in glob.glob(path(name + "*")) for line in text(file).splitlines()
           if re.search(r"\bBUG\b|Oops|WARNING:|Call Trace|Unable to handle|lockup|unexpected device state", line)]
    say(have(name) and not bad, name.replace("dmesg", "the kernel had nothing to complain about"),
        "\n".join(bad) or "no dmesg")


def trace_faults():
    """What QEMU itself saw: (cause, ttyp, device_id, iova)."""
    with open(os.path.join(DIR, "trace"), encoding="utf-8") as f:
        found = re.findall(r"riscv_iommu_flt .*reason: 0x([0-9a-f]+) iova: 0x([0-9a-f]+)", f.read())
    return [(int(r, 16) & 0xfff, int(r, 16) >> 34 & 0x3f, int(r, 16) >> 40, int(i, 16)) for r, i in found]


def trace_commands():
    """What QEMU was given: the doublewords of each command."""
    with open(os.path.join(DIR, "trace"), encoding="utf-8") as f:
        found = re.findall(r"riscv_iommu_cmd .*command (0x[0-9a-f]+) (0x[0-9a-f]+)", f.read())
    return [(int(a, 16), int(b, 16)) for a, b in found]


# -- JSON ---------------------------------------------------------------------------------------------

def dicts(tree):
    """Every object in a JSON tree: an answer's place may move, its keys are the contract."""
    if isinstance(tree, dict):
        yield tree
        for v in tree.values():
            yield from dicts(v)
    elif isinstance(tree, list):
        for v in tree:
            yield from dicts(v)


def load(name):
    try:
        return json.loads(text(name))
    except json.JSONDecodeError as e:
        return {"broken": str(e)}
