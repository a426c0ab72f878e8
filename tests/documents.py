#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
README.md and TUTORIAL.md tell the truth: each command in them that begins with "$" is run, in the top of the source tree, and prints
what stands below it. A line "..." stands for any lines. Links lead to files that are there, and `man -k iommu` to each page of man/.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(TOP, "tests", "cli"), os.path.join(TOP, "tests", "vectors")]

import common  # noqa: E402

TOOLS = [os.environ[name] for name in ("IOMMU_DUMP", "IOMMU_KEXEC_PREP", "IOMMU_QUIESCE", "IOMMU_TOP") if os.environ.get(name)]
DOCUMENTS = ("README.md", "TUTORIAL.md")
TIMEOUT = 60
DONE, FINDING = 0, 7
ANY = "..."


def blocks(text):
    """(command, lines it prints) for each "    $ command"; lines of a block are indented, or empty between such."""
    found, current = [], None
    for line in text.splitlines():
        if line.startswith("    $ "):
            current = (line[6:], [])
            found.append(current)
        elif line.startswith("    ") and not line.startswith("    # ") or not line:
            if current:
                current[1].append(line[4:])
        else:
            current = None
    return [(command, "\n".join(lines).rstrip().splitlines()) for command, lines in found]


def same(printed, written):
    """Whether PRINTED is what is WRITTEN, where "..." stands for any lines."""
    pattern = "".join(r"(?:.*\n)*" if line.strip() == ANY else re.escape(line.rstrip()) + r" *\n" for line in written)
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in printed)) is not None


def run(command):
    functions = "".join(f"{os.path.basename(tool)}() {{ '{tool}' \"$@\"; }}\n" for tool in TOOLS)
    return subprocess.run(["bash", "-c", functions + command], cwd=TOP, capture_output=True, text=True, timeout=TIMEOUT, check=False,
                          stdin=subprocess.DEVNULL)


def left_out(command):
    """Is what it runs no part of a minimal build?"""
    word = command.split()[0]
    there = {os.path.basename(tool): tool for tool in TOOLS}
    return word in there and (not os.path.exists(there[word]) or common.LEFT_OUT.decode() in run(command).stderr)


def wrong_command(command, written):
    done = run(command)
    if done.returncode not in (DONE, FINDING):
        return f"ends with {done.returncode}: {done.stderr.strip()}"
    if not done.stdout.strip():
        return "prints nothing"
    if not same(done.stdout.splitlines(), written):
        return "prints something else:\n" + "".join(f"#    {line}\n" for line in done.stdout.splitlines())
    return None


def wrong_links(text):
    return [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not os.path.exists(os.path.join(TOP, link))]


def pages_not_found():
    """Those of man/ that `man -k iommu` does not show once they are installed; "" where mandoc's index cannot be made here."""
    make, look = (shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") for name in ("makewhatis", "mapropos"))
    if not make or not look:
        return ""
    pages = sorted(os.listdir(os.path.join(TOP, "man")))
    with tempfile.TemporaryDirectory(prefix="man-") as root:
        for page in pages:
            section = os.path.join(root, "man" + page[-1])
            os.makedirs(section, exist_ok=True)
            shutil.copy(os.path.join(TOP, "man", page), section)
        subprocess.run([make, root], check=True, capture_output=True, timeout=TIMEOUT)
        found = subprocess.run([look, "-M", root, "iommu"], check=False, capture_output=True, text=True, timeout=TIMEOUT).stdout
    named = set()
    for line in found.splitlines():  # "one, two(3) - what"
        names, _, rest = line.partition("(")
        named |= {f"{name.strip()}.{rest[:1]}" for name in names.split(",")}
    return [page for page in pages if page not in named]


def selftest():
    """The comparison can fail: (what is printed, what is written, whether they agree)."""
    cases = ((["a", "b"], ["a", "b"], True), (["a", "b"], ["a", "c"], False), (["a", "b", "c"], ["a", ANY], True),
             (["a", "b", "c"], [ANY, "c"], True), (["a", "b", "c"], ["a"], False), (["a"], ["a", "b"], False), (["a  "], ["a"], True))
    return [case for case in cases if same(case[0], case[1]) != case[2]]


def main():
    results, skipped = [("the comparison tells what differs", selftest() or None)], 0
    lost = pages_not_found()
    if lost == "":
        skipped += 1
        print("skip: man -k iommu: there is no makewhatis")
    else:
        results.append(("man -k iommu finds every page", lost or None))
    for name in DOCUMENTS:
        with open(os.path.join(TOP, name), encoding="utf-8") as f:
            text = f.read()
        results.append((f"{name}: links", wrong_links(text) or None))
        for command, lines in blocks(text) if TOOLS else ():
            if left_out(command):
                skipped += 1
                print(f"skip: {name}: $ {command}: left out of this build")
            elif "demo.core" in command and not common.features(common.TOOL).get("json", True):
                skipped += 1
                print(f"skip: {name}: $ {command}: built without JSON: a capture has no names")
            else:
                results.append((f"{name}: $ {command}", wrong_command(command, lines)))
    failed = [r for r in results if r[1]]
    for what, wrong in results:
        print(f"FAIL: {what}: {wrong}" if wrong else f"ok: {what}")
    skipped += 0 if TOOLS else 1
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
