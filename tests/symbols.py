#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Is the public interface one thing? The header, the list of versions, the library and the manual name the same functions.

* each function of src/lib/riscv-iommu.h is in a public node of libriscv-iommu.map, and the other way round;
* the library exports it with that version; what else it exports is in the node of this very release, and nothing has no version;
* a page of section 3 has it in NAME, in SYNOPSIS as it is declared, and in the text, with the errors of the header; each function says since when it is there;
* tests/unit/unit-api.c calls it; the pages of sections 3, 5 and 7 pass mandoc -Tlint;
* the header stands alone as C99, C11 and C++; its numbers are the release's;
* examples/reach prints what the recorded board holds.

LIBRARY and REACH name what was built, CC and NM the tools. The last line is `N passed, N failed, N skipped`.
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

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(TOP, "tests", "cli"), os.path.join(TOP, "tests", "vectors")]

import common  # noqa: E402

HEADER = os.path.join(TOP, "src", "lib", "riscv-iommu.h")
MAP = os.path.join(TOP, "src", "lib", "libriscv-iommu.map.in")
LIBRARY = os.environ.get("LIBRARY", ".libs/libriscv-iommu.so")
REACH = os.environ.get("REACH", "examples/reach")
CODE = r"^(?![ \t]*/?\*)[^\n]*"  # the line is none of a comment, and then
PRIVATE = "RISCV_IOMMU_PRIVATE_"
# What the board's device reaches: two 2 MiB leaves in a row, one of 64 KiB that may not be written, two of 4 KiB.
REACHED = """\
0000:00:01.0 (0x8) behind 3010000.iommu:
0x100000000-0x1003fffff -> 0x84c00000 rwx
0x200000000-0x20000ffff -> 0x846f0000 r-x
0x300001000-0x300001fff -> 0x845f8000 rwx
0x300003000-0x300003fff -> 0x8343d000 rw-
"""


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as f:
        return f.read()


def release():
    return re.search(r"^AC_INIT\(\[[^]]*\], \[([^]]*)\]", read("configure.ac"), re.M).group(1)


def declarations():
    """name -> declaration on one line, of the functions in the header."""
    text = re.sub(r"/\*.*?\*/", "", read("src", "lib", "riscv-iommu.h"), flags=re.S)
    text = re.sub(r"^#.*?(?<!\\)$", "", text, flags=re.M | re.S)
    text = text.replace('extern "C" {', "")
    out = {}
    for statement in text.split(";"):
        statement = " ".join(statement.split())
        found = re.search(r"\b(riommu_\w+)\(", statement)
        if found and not re.match(r"typedef\b", statement):
            out[found.group(1)] = statement
    return out


def nodes(text):
    """node -> names that it lists as global."""
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    out = {}
    for node, body in re.findall(r"(\S+)\s*\{(.*?)\}", text, re.S):
        out[node] = re.findall(r"([\w*]+);", body.split("local:")[0])
    return out


def public_nodes():
    return {node: names for node, names in nodes(read("src", "lib", "libriscv-iommu.map.in")).items() if not node.startswith(PRIVATE)}


def exported():
    """symbol -> version ("" for none), of what the library defines."""
    if not os.path.exists(LIBRARY):
        raise unittest.SkipTest(f"{LIBRARY}: there is no shared library")
    nm = shlex.split(os.environ.get("NM", "")) or ["nm"]
    nm = ["nm"] if not shutil.which(nm[0]) else nm[:1]
    done = subprocess.run([*nm, "-D", "--defined-only", "--with-symbol-versions", LIBRARY], capture_output=True, text=True, check=True)
    out = {}
    for line in done.stdout.splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":  # the nodes themselves
            symbol, _, version = name.partition("@")
            out[symbol] = version.lstrip("@")
    return out


def compile_alone(compiler, *options, text="#include <riscv-iommu.h>\n#include <riscv-iommu.h>\n"):
    with tempfile.TemporaryDirectory(prefix="symbols-") as directory:
        source = os.path.join(directory, "alone.c")
        with open(source, "w", encoding="utf-8") as f:
            f.write(text)
        return subprocess.run([*compiler, *options, "-Wall", "-Wextra", "-Werror", "-I", os.path.dirname(HEADER), "-c", source, "-o",
                               os.path.join(directory, "alone.o")], capture_output=True, text=True, check=False)


def section(page, name):
    return re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", page, re.M | re.S).group(1)


def unquoted(line):
    """The arguments of a macro."""
    return [a.strip('"') for a in re.findall(r'"[^"]*"|\S+', line)]


def prototypes(page):
    """name -> declaration, of the SYNOPSIS."""
    out, result, name, arguments = {}, "", "", []
    for line in section(page, "SYNOPSIS").splitlines():
        macro, *rest = unquoted(line)
        if macro == ".Ft":
            result = " ".join(rest)
        elif macro == ".Fn":
            name, arguments = rest[0], rest[1:]
        elif macro == ".Fo":
            name, arguments = rest[0], []
        elif macro == ".Fa":
            arguments += rest
        if macro in (".Fn", ".Fc") and name.startswith("riommu_"):
            out[name] = f"{result} {name}({', '.join(arguments)})".replace("* ", "*")
    return out


def pages(sections):
    found = sorted(glob.glob(os.path.join(TOP, "man", f"*.[{sections}]")))
    return {os.path.basename(path): read("man", os.path.basename(path)) for path in found}


class Pages(unittest.TestCase):
    maxDiff = None

    def test_each_function_is_in_the_synopsis_of_one_page_as_it_is_declared(self):
        found = [item for page in pages("3").values() for item in prototypes(page).items()]
        self.assertEqual(sorted(found), sorted((n, d.replace("* ", "*")) for n, d in declarations().items()))

    def test_each_function_is_in_the_name_and_the_text_of_its_page(self):
        for file, page in pages("3").items():
            named = re.findall(r"^\.Nm (\S+)", section(page, "NAME"), re.M)
            text = page.split(".Sh DESCRIPTION")[1]
            if prototypes(page):
                self.assertEqual(named, list(prototypes(page)), file)
                self.assertEqual(named[0] + ".3", file)
                self.assertEqual([n for n in named if not re.search(rf"\.Fn {n}\b", text)], [], file)

    def test_each_errno_of_the_header_is_in_the_page(self):
        """What a comment promises, the page of the function tells, too."""
        blocks = re.split(r"\n\s*\n(?=/\*|#|enum|struct|typedef)", read("src", "lib", "riscv-iommu.h"))
        for file, page in pages("3").items():
            for name in prototypes(page):
                block = next(b for b in blocks if re.search(rf"{CODE}\b{name}\(", b, re.M))
                missing = [e for e in set(re.findall(r"-E[A-Z]+", block)) if e not in page]
                self.assertEqual(missing, [], f"{name} in {file}")

    def test_our_pages_refer_to_pages_that_there_are(self):
        ours = set(pages("3578"))
        for file, page in pages("3578").items():
            told = {f"{n}.{s}" for n, s in re.findall(r"\.?Xr (\S+) (\d)", page) if re.match(r"(riommu_|riscv-iommu|iommu-)", n)}
            self.assertEqual(sorted(told - ours), [], file)

    def test_lint_has_nothing_to_say(self):
        mandoc = os.environ.get("MANDOC") or "mandoc"
        if mandoc == ":" or not shutil.which(mandoc):
            self.skipTest("mandoc is not here")
        for file in pages("357"):
            done = subprocess.run([mandoc, "-Tlint", "-Wwarning", os.path.join(TOP, "man", file)], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, ""), file)

    def test_record_has_the_offsets_of_the_code(self):
        header = read("src", "lib", "spec", "record.h")
        code = {int(n) for n in re.findall(r"RIOMMU_RECORD_AT_\w+ = (\d+)", header.split("enum riommu_record_entry_offset")[1])}
        text = section(read("man", "riscv-iommu-record.5"), "DESCRIPTION").split(".Ss Entries")[1].split(".El")[0]
        self.assertEqual({int(n) for n in re.findall(r"^\.It (\d+) Ta", text, re.M)}, code)


class Interface(unittest.TestCase):
    maxDiff = None

    def test_header_and_map_have_the_same_functions(self):
        listed = sorted(name for names in public_nodes().values() for name in names)
        self.assertEqual(sorted(declarations()), listed)
        self.assertGreater(len(listed), 50, "this test looks at the wrong place")

    def test_public_nodes_list_names_and_no_patterns(self):
        for names in public_nodes().values():
            self.assertEqual([n for n in names if "*" in n], [])
            self.assertEqual(names, sorted(names), "not in order")

    def test_private_node_is_of_this_release(self):
        self.assertIn(PRIVATE + "@VERSION@", nodes(read("src", "lib", "libriscv-iommu.map.in")))
        self.assertIn(PRIVATE + release(), set(exported().values()))

    def test_library_exports_the_public_functions_by_their_version(self):
        found = exported()
        for node, names in public_nodes().items():
            self.assertEqual(sorted(n for n, version in found.items() if version == node), names)

    def test_all_else_that_is_exported_is_private_and_ours(self):
        public = public_nodes()
        rest = {name: version for name, version in exported().items() if version not in public}
        self.assertEqual({n: v for n, v in rest.items() if v != PRIVATE + release() or not n.startswith("riommu_")}, {})

    def test_each_function_says_since_when(self):
        """A comment with `Since:` stands before it, or before one that it follows without a gap."""
        text = read("src", "lib", "riscv-iommu.h")
        missing = []
        for block in re.split(r"\n\s*\n", text):
            names = [n for n in declarations() if re.search(rf"{CODE}\b{n}\(", block, re.M)]
            if names and not re.search(r"Since: \d+\.\d+", block):
                missing += names
        self.assertEqual(missing, [])

    def test_each_function_is_tested(self):
        text = read("tests", "unit", "unit-api.c")
        self.assertEqual([n for n in declarations() if not re.search(rf"\b{n}\(", text)], [])

    def test_version_is_the_release(self):
        text = read("src", "lib", "riscv-iommu.h")
        numbers = [re.search(rf"RISCV_IOMMU_VERSION_{part} (\d+)", text).group(1) for part in ("MAJOR", "MINOR", "PATCH")]
        self.assertEqual(".".join(numbers), release())

    def test_header_stands_alone_in_c(self):
        compiler = shlex.split(os.environ.get("CC", "cc"))
        if not shutil.which(compiler[0]):
            self.skipTest(f"{compiler[0]} is not here")
        for standard in ("c99", "c11"):
            done = compile_alone(compiler, "-std=" + standard, "-pedantic")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_header_stands_alone_in_cxx(self):
        compiler = next((c for c in ("c++", "g++", "clang++") if shutil.which(c)), None)
        if not compiler:
            self.skipTest("no C++ compiler is here")
        done = compile_alone([compiler, "-x", "c++"], "-std=c++11", "-pedantic")
        if "stddef.h" in done.stderr or "cannot execute" in done.stderr:
            self.skipTest(f"{compiler} has no headers of its own")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_example_of_the_manual_compiles(self):
        compiler = shlex.split(os.environ.get("CC", "cc"))
        if not shutil.which(compiler[0]):
            self.skipTest(f"{compiler[0]} is not here")
        blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", read("man", "riscv-iommu.3"), re.M | re.S)
        code = [b.replace("\\e", "\\") for b in blocks if "#include" in b]
        self.assertEqual(len(code), 1)
        done = compile_alone(compiler, "-std=c99", text=code[0])
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_example_prints_what_the_recorded_board_holds(self):
        if not os.path.exists(REACH):
            self.skipTest(f"{REACH}: not built")
        done = subprocess.run([REACH, "0000:00:01.0", os.path.join(TOP, "examples", "demo.core")], capture_output=True, text=True,
                              check=False, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, REACHED, ""))

    def test_example_says_why_it_fails(self):
        if not os.path.exists(REACH):
            self.skipTest(f"{REACH}: not built")
        if not common.features(common.TOOL).get("json", True):
            self.skipTest("built without JSON: a capture has no names, and so no device that it lacks")
        for arguments in (["0000:00:1f.0", os.path.join(TOP, "examples", "demo.core")], ["8", os.path.join(TOP, "configure.ac")]):
            done = subprocess.run([REACH, *arguments], capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, r"^reach: \S.*\n$")


def main():
    return common.main(())


if __name__ == "__main__":
    sys.exit(main())
