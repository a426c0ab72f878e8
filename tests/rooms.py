#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Is the house still in order? The rules are the two tables of HACKING.md; this program only reads them out.

    rooms.py [TOP]          TOP: the source tree (default: where this file lies)

* each room of src/lib includes only what the table lets it use, and the table has no cycle;
* a room's *-internal.h stays in that room, and tools include none;
* only control/ opens what can write hardware, and writes it;
* each file names the licence that the table gives its folder, and debian/copyright says the same;
* no file names a path of one machine or the host of a registry.

Prints a line for each thing that is wrong; the last line is `N passed, N failed, N skipped`. Exit status 1 when something is.
"""
import fnmatch
import os
import re
import subprocess
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]*)"', re.M)
SPDX = re.compile(r"SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+-]+)")
WRITES = re.compile(r"\briommu_source_(?:open_writable|reg_write)\b|\.reg_write\b(?!\s*=)|->reg_write\b")
WRITERS = ("src/lib/source/", "src/lib/control/")  # the first implements it
PUBLIC = "riscv-iommu.h"  # stands above the rooms: all may include it, it includes nothing of ours
DEBIAN_NAMES = {"GPL-2": "GPL-2.0-only", "GPL-2+": "GPL-2.0-or-later", "LGPL-2.1+": "LGPL-2.1-or-later"}
HEAD_LINES = 3  # the identifier is that near to the top: "#!" or "# Title" may come before
LONG = 64 << 10

# Written so that this file does not match them itself.
FOREIGN = [(re.compile(pattern), what) for pattern, what in (
    (r"(?<![\w.}~/-])/(?:wor[k]|roo[t])/", "a path of one machine"),
    (r"(?<![\w.}~/-])/hom[e]/\w", "a path of one machine"),
    (r"\b(?:deb|security|ftp(?:\.\w+)?|snapshot)\.debian\.or[g]\b", "the host of a mirror"),
    (r"\b(?:pypi\.or[g]|files\.pythonhosted\.or[g]|registry\.npmjs\.or[g]|crates\.i[o]|proxy\.golang\.or[g])\b",
     "the host of a registry"),
)]

# What autotools and builds leave in a tree without git, by name or pattern; make distcheck builds in _build.
GENERATED = ("Makefile", "Makefile.in", "_build", "aclocal.m4", "autom4te.cache", "build-*", "config.h", "config.h.in", "config.log",
             "config.status", "configure", "libtool", "m4", "stamp-h1", "iommu-dump", "iommu-kexec-prep", "iommu-quiesce", "iommu-top", "libriscv-iommu.map", "riscv-iommu.pc", ".git", ".deps", ".dirstamp", ".libs", "__pycache__",
             "*.pyc", "*~", "*.o", "*.lo", "*.la", "*.log", "*.trs")


# -- the rules, as HACKING.md has them --------------------------------------------------------------------------

def table(text, *columns):
    """The rows under the heading COLUMNS of a Markdown table, as lists of cells."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if cells(line) == list(columns):
            rows = []
            for row in lines[number + 2:]:
                if not row.startswith("|"):
                    break
                rows.append(cells(row))
            return rows
    raise ValueError("HACKING.md has no table with the columns " + ", ".join(columns))


def cells(line):
    return [c.strip().replace("`", "") for c in line.strip().strip("|").split("|")] if line.startswith("|") else []


def words(cell):
    return [w.strip() for w in cell.split(",") if w.strip()]


def room_rules(text):
    """room -> the rooms that it may use, directly or through those."""
    direct = {row[0].rstrip("/"): [] if row[2] == "nothing" else words(row[2])
              for row in table(text, "room", "holds", "may use")}
    for room, uses in direct.items():
        for used in uses:
            if used not in direct:
                raise ValueError(f"HACKING.md: {room} may use {used}, which is no room")
    return {room: closure(room, direct) for room in direct}


def closure(room, direct):
    reached, todo = set(), list(direct[room])
    while todo:
        used = todo.pop()
        if used not in reached:
            reached.add(used)
            todo += direct[used]
    return reached


def cycles(rules):
    return [f"HACKING.md: {room} may use itself, through others" for room, uses in rules.items() if room in uses]


def licence_rules(text):
    """[(folder or file or pattern, licence)], the one that fits best first: patterns, then what is longest."""
    rules = [(place, row[1]) for row in table(text, "where", "licence") for place in words(row[0])]
    return sorted(rules, key=lambda rule: (rule[0] == "anything else", "*" not in rule[0], -len(rule[0])))


# -- what can be wrong with a file; each gives a list of complaints -------------------------------------------

def wrong_includes(path, text, rules):
    out = []
    parts = path.split("/")
    room = parts[2] if parts[:2] == ["src", "lib"] and len(parts) > 3 else None
    if path == "src/lib/" + PUBLIC:
        return [f'{path}: is installed, and must not include "{name}"' for name in INCLUDE.findall(text)]
    if parts[:2] == ["src", "lib"] and path.endswith((".c", ".h", ".S")) and room not in rules:
        return [f"{path}: not in a room of HACKING.md's table"]
    for name in INCLUDE.findall(text):
        where = name.split("/")[0] if "/" in name else None
        if ".." in name.split("/"):
            out.append(f'{path}: "{name}" leaves its folder; include by room')
        elif room and name in ("config.h", PUBLIC):
            continue
        elif room and where is None:
            out.append(f'{path}: "{name}" names no room; write "{room}/{name}"')
        elif room and where != room and where not in rules[room]:
            out.append(f'{path}: room {room} must not use "{name}" (HACKING.md)')
        elif name.endswith("-internal.h") and where != room and path.startswith("src/"):
            out.append(f'{path}: "{name}" is internal to {where}')
    return out


def wrong_writers(path, text):
    if path.startswith(WRITERS):
        return []
    return [f"{path}: {name}: only control/ writes hardware" for name in sorted(set(WRITES.findall(text)))]


def wrong_licence(path, text, rules):
    for place, licence in rules:
        if place == "anything else" or path == place or (place.endswith("/") and path.startswith(place)) or \
                ("*" in place and fnmatch.fnmatch(path, place)):
            break
    else:
        return [f"{path}: HACKING.md gives no licence for it"]
    if licence == "none":
        return []
    found = SPDX.search("\n".join(text.splitlines()[:HEAD_LINES]))
    if not found:
        return [f"{path}: no SPDX-License-Identifier in the first {HEAD_LINES} lines ({licence})"]
    return [] if found.group(1) == licence else [f"{path}: {found.group(1)}, but {licence} belongs there"]


def debian_rules(text):
    """[(patterns, licence)] of a debian/copyright; the last that fits counts."""
    rules = []
    for paragraph in re.split(r"\n\n+", text):
        files, licence = re.search(r"^Files:((?:.*\n )*.*)", paragraph, re.M), re.search(r"^License: (\S+)", paragraph, re.M)
        if files:
            rules.append((files.group(1).split(), DEBIAN_NAMES.get(licence.group(1), licence.group(1)) if licence else None))
    return rules


def wrong_in_debian(path, text, rules):
    fitting = [licence for patterns, licence in rules if any(fnmatch.fnmatch(path, p) for p in patterns)]
    found = SPDX.search("\n".join(text.splitlines()[:HEAD_LINES]))
    if not found or (fitting and fitting[-1] == found.group(1)):
        return []
    return [f"{path}: {found.group(1)}, but debian/copyright has {fitting[-1] if fitting else 'nothing'}"]


def foreign_names(path, text):
    return [f"{path}:{text.count(chr(10), 0, m.start()) + 1}: {what}: {m.group(0)}"
            for pattern, what in FOREIGN for m in pattern.finditer(text)]


# -- the tree -------------------------------------------------------------------------------------------------------

def git_files(top):
    """What git has or would take, if TOP is a working tree of its own; else None."""
    try:
        root = subprocess.run(["git", "-C", top, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True)
        if os.path.realpath(root.stdout.strip()) != os.path.realpath(top):
            return None
        done = subprocess.run(["git", "-C", top, "ls-files", "-z", "-co", "--exclude-standard"], capture_output=True, text=True,
                              check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return sorted(p for p in set(done.stdout.split("\0")) if p and os.path.isfile(os.path.join(top, p)))


def walked_files(top):
    out = []
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if not generated(f)]
        out += [os.path.relpath(os.path.join(folder, n), top) for n in names if not generated(n) and n + ".c" not in names]
    return sorted(out)


def generated(name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in GENERATED)


def read(path):
    """The text, None for what is not text."""
    with open(path, "rb") as f:
        content = f.read()
    if b"\0" in content[:LONG]:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


# -- does each rule notice what it is there for? --------------------------------------------------------------------

def self_test():
    """Complaints about rules that let something wrong pass, or something right fail."""
    hacking = ("| room | holds | may use |\n|---|---|---|\n| `base/` | x | nothing |\n| `spec/` | x | base |\n"
               "| `walk/` | x | spec |\n\n| where | licence |\n|---|---|\n| `src/lib/` | A |\n| `src/`, `*.core` | none |\n"
               "| anything else | B |\n")
    rules, licences = room_rules(hacking), licence_rules(hacking)
    debian = debian_rules("Files: src/*\nLicense: GPL-2+\n\nFiles: doc/*\n src/lib/*\nLicense: GPL-2\n")
    bad = [
        wrong_includes("src/lib/spec/a.c", '#include "walk/walk.h"\n', rules),
        wrong_includes("src/lib/spec/a.c", ' # include "b.h"\n', rules),
        wrong_includes("src/lib/spec/a.c", '#include "../base/b.h"\n', rules),
        wrong_includes("src/lib/attic/a.c", "", rules),
        wrong_includes("src/lib/spec/a.c", '#include "base/base-internal.h"\n', rules),
        wrong_includes("src/tool/a.c", '#include "walk/walk-internal.h"\n', rules),
        wrong_writers("src/tool/a.c", "err = riommu_source_reg_write(src, 0, 0, 0);"),
        wrong_writers("src/lib/walk/a.c", "src->ops->reg_write(src);"),
        cycles(room_rules(hacking.replace("| x | nothing |", "| x | walk |"))),
        wrong_licence("src/lib/spec/a.c", "/* SPDX-License-Identifier: B */\n", licences),
        wrong_licence("src/lib/spec/a.c", "/* nothing */\n", licences),
        wrong_licence("README.md", "# SPDX-License-Identifier: BB\n", licences),
        wrong_in_debian("src/a.c", "/* SPDX-License-Identifier: GPL-2.0-only */\n", debian),
        wrong_in_debian("b", "# SPDX-License-Identifier: GPL-2.0-only\n", debian),
        foreign_names("a", "x = '/wor" + "k/main'"),
        foreign_names("a", "http://deb.debian.or" + "g/debian"),
    ]
    good = [
        wrong_includes("src/lib/walk/a.c", '#include "base/b.h"\n#include "walk/walk-internal.h"\n#include "config.h"\n', rules),
        wrong_includes("src/tool/a.c", '#include "tool.h"\n#include "walk/walk.h"\n', rules),
        cycles(rules),
        wrong_writers("src/lib/control/a.c", "riommu_source_open_writable(ctx, ops, &src);"),
        wrong_licence("src/lib/spec/a.c", "/* SPDX-License-Identifier: A */\n", licences),
        wrong_licence("src/x", "", licences),
        wrong_licence("tests/a.core", "", licences),
        wrong_licence("README.md", "<!-- SPDX-License-Identifier: B -->\n", licences),
        wrong_in_debian("src/lib/a.c", "/* SPDX-License-Identifier: GPL-2.0-only */\n", debian),
        foreign_names("a", "$x/wor" + "k/boot a/roo" + "t/b"),
    ]
    return [f"self-test: wrong text {i} is not noticed" for i, b in enumerate(bad) if not b] + \
           [f"self-test: right text {i}: {g}" for i, g in enumerate(good) if g]


def check(top):
    """[(name of a test, complaints)]"""
    with open(os.path.join(top, "HACKING.md"), encoding="utf-8") as f:
        hacking = f.read()
    rooms, licences = room_rules(hacking), licence_rules(hacking)
    files = git_files(top)
    if files is None:
        files = walked_files(top)
    lib = os.path.join(top, "src", "lib")
    there = {d for d in os.listdir(lib) if os.path.isdir(os.path.join(lib, d)) and not generated(d)}
    results = [
        ("rules notice what they are for", self_test()),
        ("rooms of the table and folders of src/lib are the same",
         [f"src/lib/{r}: in one only" for r in sorted(there ^ set(rooms))]),
        ("no room uses itself through others", cycles(rooms)),
    ]
    with open(os.path.join(top, "debian", "copyright"), encoding="utf-8") as f:
        debian = debian_rules(f.read())
    for path in files:
        text = read(os.path.join(top, path))
        if text is None:
            results.append((f"{path}: licence", wrong_licence(path, "", licences)))
            continue
        if path.startswith("src/") and path.endswith((".c", ".h")):
            results.append((f"{path}: includes", wrong_includes(path, text, rooms)))
            results.append((f"{path}: writes", wrong_writers(path, text)))
        results.append((f"{path}: licence", wrong_licence(path, text, licences) + wrong_in_debian(path, text, debian)))
        if not path.startswith("LICENSES/"):
            results.append((f"{path}: names", foreign_names(path, text)))
    return results


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    try:
        results = check(top)
    except (OSError, ValueError) as why:
        results = [("the rules can be read", [str(why)])]
    failed = [(name, bad) for name, bad in results if bad]
    for name, bad in failed:
        print(f"FAIL: {name}")
        for complaint in bad:
            print(f"    {complaint}")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
