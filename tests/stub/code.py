#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Is src/lib/handover/stub-code.h what stub.S assembles to? Prints what differs; the last line is `N passed, N failed, N skipped`.

Wants what tests/stub/assemble wants; exit status 77 where that is missing.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKED_IN = os.path.join(HERE, "..", "..", "src", "lib", "handover", "stub-code.h")


def code(text):
    return [int(b, 16) for b in re.findall(r"0x([0-9a-f]{2}),", text)]


def main():
    done = subprocess.run([os.path.join(HERE, "assemble")], capture_output=True, text=True)
    sys.stdout.write(done.stderr)
    if done.returncode == 77:
        print("THE MACHINE CODE OF THE STUB WAS NOT COMPARED WITH ITS SOURCE\n0 passed, 0 failed, 1 skipped")
        return 77
    with open(CHECKED_IN, encoding="ascii") as f:
        have = code(f.read())
    want = code(done.stdout)
    results = {
        "the stub assembles, into one section, without relocations": done.returncode == 0 and bool(want),
        "the machine code is what its source assembles to": have == want,
        "the code is below 1 KiB": 0 < len(have) < 1024,
    }
    for name, good in results.items():
        if not good:
            print("FAIL:", name)
    if have != want:
        at = next((i for i, (a, b) in enumerate(zip(have, want)) if a != b), min(len(have), len(want)))
        print(f"    first difference at {at:#x}; of {len(have)} and {len(want)} bytes. Run tests/stub/assemble (HACKING.md)")
    failed = sum(not good for good in results.values())
    print(f"{len(results) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
