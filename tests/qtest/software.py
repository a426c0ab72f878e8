# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks iommu-dump about a capture: the walk of each request, queues and counters decoded."""
import importlib.util
import json
import os
import subprocess

import qemu

TIMEOUT = 30


def program():
    """The command, or None: tests/vectors knows how to find it ($IOMMU_DUMP, libtool's wrapper)."""
    path = os.path.join(os.path.dirname(qemu.HERE), "vectors", "run.py")
    spec = importlib.util.spec_from_file_location("vectors_run", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.program()


class SoftwareError(Exception):
    """iommu-dump did not give what it has to."""


def _run(command, stdin=""):
    try:
        done = subprocess.run(command, input=stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT,
                              check=False)
    except (OSError, subprocess.TimeoutExpired) as err:
        raise SoftwareError(str(err)) from err
    complaint = f"exit status {done.returncode}: {done.stderr.decode(errors='replace').strip()[:300]}"
    return done.returncode, done.stdout.decode(errors="replace"), complaint


def _json(text):
    try:
        return json.loads(text)
    except ValueError as err:
        raise SoftwareError(f"no JSON: {err}: {text[:100]!r}") from err


def translate(tool, core, asks, holes):
    """The translation record of each request."""
    options = ["-O", "absent=fault"] if holes else []
    status, out, complaint = _run([tool, "-i", core] + options + ["-J", "translate", "--batch", "-"],
                                  "".join(ask.batch_line() + "\n" for ask in asks))
    records = [_json(line) for line in out.splitlines()]
    if len(records) != len(asks):
        raise SoftwareError(f"translate: {len(records)} answers to {len(asks)} requests; {complaint}")
    if status != (0 if all(r.get("result") in ("ok", "fault") for r in records) else 5):
        raise SoftwareError("translate: " + complaint)
    return records


def listing(tool, core, command):
    """What a command lists: faults and commands oldest first, counters."""
    status, out, complaint = _run([tool, "-i", core, "-J", command])
    if status:
        raise SoftwareError(f"{command}: {complaint}")
    return _json(out).get(command, [])


def faults(tool, core):
    """The records of the fault queue as the tool decodes them, oldest first."""
    return listing(tool, core, "faults")
