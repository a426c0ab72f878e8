#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does Tab offer what the programs take? The files are sourced by bash and, where it is installed, by zsh.

IOMMU_DUMP, ... name the programs, which are in one directory; COMPLETIONS is where the built files are (default: they are put
together here). The last line is `N passed, N failed, N skipped`. Exit status: 0 all passed, 1 not, 77 no program to test.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TOP, "tests", "cli"), os.path.join(TOP, "tests", "vectors")]

import common  # noqa: E402

PARTS = os.path.join(TOP, "contrib", "completions")
DEMO = os.path.join(TOP, "examples", "demo.core")
DUMP = os.path.abspath(os.environ.get("IOMMU_DUMP", "./iommu-dump"))
TOOLS = {name: os.path.join(os.path.dirname(DUMP), name) for name in ("iommu-dump", "iommu-kexec-prep", "iommu-quiesce", "iommu-top")}
BUILT = os.environ.get("COMPLETIONS")
# What the shells have only while they complete is played here: a line for each thing that is offered.
BASH = r"""
. "$1"; shift
files= space=
compopt() { case $2 in default) files=yes ;; nospace) space=no ;; esac; }
COMP_LINE=$1 COMP_POINT=${#1}
_iommu_tools
for word in "${COMPREPLY[@]}"; do printf '%s\n' "$word"; done
[ -z "$files" ] || echo FILES
[ -z "$space" ] || echo NOSPACE
"""
ZSH = r"""
_describe() { local name=$4 item; for item in "${(@P)name}"; do print -r -- "$item"; done; [[ $5 != -S ]] || print NOSPACE }
compset() { : }
_files() { print FILES }
file=$1; shift
words=(${(z)1}); [[ $1 != *' ' ]] || words+=('')
CURRENT=$#words PREFIX=$words[-1]
. $file
"""


def run(*command, timeout=60, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL, **more)


def asked(tool):
    """(commands, {command or "": its long options}) as --help has them; "" is what all have."""
    commands, options, section = [], {"": set()}, ""
    for line in run(TOOLS[tool], "--help").stdout.splitlines():
        head = re.match(r"([A-Za-z][A-Za-z, ]*):$", line)
        if head:
            section = head.group(1)
        elif not line:
            section = ""
        elif section == "Commands":
            commands.append(line.split()[0])
        option = re.match(r" +(?:-\w, )?(--[a-z-]+)", line)
        if option:
            names = section.split(", ")
            for name in names if set(names) <= set(commands) else [""]:
                options.setdefault(name, set()).add(option.group(1))
    return commands, options


class Shell:
    """What is the same in both; offers(LINE) is the set of what is offered."""

    def offers(self, line, timeout=60, **more):
        done = self.source(line, timeout, **more)
        self.assertEqual((done.returncode, done.stderr), (0, ""), line)
        return self.meant(done.stdout.splitlines())

    def at(self, tool, rest):
        return self.offers(f"{TOOLS[tool]} {rest}")

    def test_commands_are_those_of_help(self):
        for tool in ("iommu-dump", "iommu-kexec-prep"):
            commands, _ = asked(tool)
            self.assertGreater(len(commands), 4)
            self.assertEqual(self.at(tool, ""), set(commands))

    def test_each_command_has_its_options_and_no_other(self):
        for tool in TOOLS:
            commands, options = asked(tool)
            self.assertGreater(len(options[""]), 8)
            for command in commands or [""]:
                own = options.get(command, set())
                self.assertEqual(self.at(tool, f"{command} --".lstrip()), options[""] | own, f"{tool} {command}")

    def test_methods_and_parameters_are_those_that_the_program_lists(self):
        methods = {line.split()[0] for line in run(DUMP, "-A", "help").stdout.splitlines()}
        self.assertEqual(self.at("iommu-dump", "-A "), methods | {"help"})
        names = {line.split("=")[0] + "=" for line in run(DUMP, "-O", "help").stdout.splitlines() if line[0] != " "}
        self.assertGreater(len(names), 10)
        self.assertEqual(self.at("iommu-top", "-O "), names | {"help", "NOSPACE"})

    def test_values_of_a_parameter(self):
        self.assertEqual({w.split("=")[-1] for w in self.at("iommu-dump", "-O absent=")}, {"missing", "fault"})
        self.assertEqual(self.at("iommu-dump", "-O fdt.path="), {"FILES"})

    def test_devices_iommus_and_registers_of_a_capture(self):
        common.names_wanted()
        self.assertEqual(self.at("iommu-dump", f"-i {DEMO} translate "), {"0000:00:00.0", "0000:00:01.0"})
        self.assertEqual(self.at("iommu-quiesce", f"-i {DEMO} --device "), {"0000:00:00.0", "0000:00:01.0"})
        self.assertEqual(self.at("iommu-quiesce", f"--input={DEMO} --probe "), {"0000:00:00.0:", "0000:00:01.0:", "NOSPACE"})
        self.assertEqual(self.at("iommu-top", f"-i {DEMO} -u "), {"3010000.iommu"})
        self.assertEqual(self.at("iommu-dump", f"-i {DEMO} regs cq"), {"cqb", "cqh", "cqt", "cqcsr"})
        self.assertEqual(self.at("iommu-dump", f"-i {DEMO} --reg cqc"), {"cqcsr=", "NOSPACE"})

    def test_words_that_help_lists(self):
        self.assertEqual(self.at("iommu-dump", "check --severity "), {"info", "warning", "error", "help"})
        self.assertEqual(self.at("iommu-quiesce", "--skip "), {"stop", "drain", "block", "queues", "verify"})
        self.assertEqual(self.at("iommu-quiesce", "--skip drain,v"), {"drain,verify"})
        self.assertEqual(self.at("iommu-quiesce", "--via "), {"remove"})
        self.assertEqual(self.at("iommu-dump", "translate --type "), {"untranslated", "translated", "ats"})
        self.assertEqual(self.at("iommu-kexec-prep", "image --policy bl"), {"block"})
        self.assertIn("RATE10", self.at("iommu-top", "--sort "))
        self.assertIn("-RATE10", self.at("iommu-top", "--sort -"))
        self.assertLessEqual({"r", "w", "x"}, self.at("iommu-dump", "translate --access "))

    def test_files(self):
        for tool, rest in (("iommu-dump", "-i "), ("iommu-dump", "--save "), ("iommu-dump", "diff "), ("iommu-dump", "diff a.core "),
                           ("iommu-kexec-prep", "image "), ("iommu-kexec-prep", "image -o "), ("iommu-top", "--record ")):
            self.assertEqual(self.at(tool, rest), {"FILES"}, rest)

    def test_nothing_where_only_the_user_knows(self):
        for tool, rest in (("iommu-dump", "explain "), ("iommu-top", "-d "), ("iommu-dump", "diff a b "), ("iommu-dump", "nonsense "),
                           ("iommu-dump", f"-i {TOP}/configure.ac devices ")):
            self.assertEqual(self.at(tool, rest), set(), rest)

    def test_a_program_that_is_not_there(self):
        self.assertEqual(self.offers("/nonexistent/iommu-dump "), set())

    def test_nothing_is_written(self):
        with tempfile.TemporaryDirectory(prefix="completions-") as directory:
            self.at("iommu-dump", f"-i {DEMO} --save {directory}/out.core devices ")
            self.at("iommu-top", f"-i {DEMO} --record {directory}/out.rec -u ")
            self.assertEqual(os.listdir(directory), [])

    def test_an_input_that_blocks_is_not_opened(self):
        with tempfile.TemporaryDirectory(prefix="completions-") as directory:
            path = self.fake(directory, f'[ "$1" != --help ] || exec {DUMP} --help\necho "$*" >>{directory}/asked\n')
            os.mkfifo(os.path.join(directory, "fifo"))
            self.offers(f"{path} -i {directory}/fifo devices ")
            self.assertFalse(os.path.exists(os.path.join(directory, "asked")))
            self.offers(f"{path} -i {DEMO} devices ")
            self.assertTrue(os.path.exists(os.path.join(directory, "asked")))

    def fake(self, directory, text):
        path = os.path.join(directory, "iommu-dump")
        with open(path, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def test_a_program_that_hangs_is_ended(self):
        with tempfile.TemporaryDirectory(prefix="completions-") as directory:
            self.assertEqual(self.offers(self.fake(directory, "exec sleep 30\n") + " ", timeout=20), set())

    def test_a_name_is_never_run(self):
        with tempfile.TemporaryDirectory(prefix="completions-") as directory:
            names = ("$(touch${IFS}ran)", "`touch ran`", "a;b", "0000:00:02.0")
            lines = "".join('{"iommu":"0x0","device_id":"0x%x","name":"%s","driver":null},\n' % (n, name) for n, name in enumerate(names))
            path = self.fake(directory, f'[ "$1" != --help ] || exec {DUMP} --help\ncat <<\'END\'\n{lines}END\n')
            self.assertEqual(self.offers(path + " devices ", cwd=directory), {"0000:00:02.0"})
            self.assertEqual(os.listdir(directory), ["iommu-dump"])


class Bash(Shell, unittest.TestCase):
    def setUp(self):
        if not shutil.which("bash"):
            self.skipTest("bash is not here: its completions are not tested")

    def source(self, line, timeout, **more):
        return run("bash", "--norc", "-c", BASH, "bash", FILES["bash"], line, timeout=timeout, **more)

    def meant(self, lines):
        return set(lines)

    def test_only_what_is_behind_a_colon_is_replaced(self):
        common.names_wanted()
        self.assertEqual(self.at("iommu-dump", f"-i {DEMO} devices 0000:00:0"), {"00.0", "01.0"})
        self.assertEqual(self.at("iommu-dump", f"-i {DEMO} devices '0000:00:01.0' 0000:"), {"00:00.0", "00:01.0"})
        self.assertEqual(self.at("iommu-dump", "check --severity=e"), {"error"})

    def test_words_whatever_ifs_is(self):
        done = run("bash", "--norc", "-c", "IFS=:e\n" + BASH, "bash", FILES["bash"], f"{TOOLS['iommu-dump']} check --sev")
        self.assertEqual((done.stdout, done.stderr), ("--severity\n", ""))

    def test_shellcheck(self):
        if not shutil.which("shellcheck"):
            self.skipTest("shellcheck is not here")
        for path in (FILES["bash"], os.path.join(PARTS, "engine.sh")):
            done = run("shellcheck", "-s", "bash" if path == FILES["bash"] else "dash", path)
            self.assertEqual(done.stdout, "")


class Zsh(Shell, unittest.TestCase):
    def setUp(self):
        if not shutil.which("zsh"):
            self.skipTest("zsh is not here: its completions are NOT tested")

    def source(self, line, timeout, **more):
        return run("zsh", "-f", "-c", ZSH, "zsh", FILES["zsh"], line, timeout=timeout, **more)

    def meant(self, lines):
        """Words without what they mean."""
        return {re.sub(r"(?<!\\):.*", "", line).replace("\\:", ":") for line in lines}


def put_together(directory):
    for name, parts in (("iommu-dump", ("engine.sh", "bash.sh")), ("_iommu-tools", ("engine.sh", "zsh.zsh"))):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as out:
            for part in parts:
                with open(os.path.join(PARTS, part), encoding="utf-8") as f:
                    out.write(f.read())


FILES = {}


def main():
    with tempfile.TemporaryDirectory(prefix="completions-") as directory:
        if not BUILT:
            put_together(directory)
        FILES.update(bash=os.path.join(BUILT or directory, "iommu-dump"), zsh=os.path.join(BUILT or directory, "_iommu-tools"))
        return common.main(TOOLS.values())


if __name__ == "__main__":
    sys.exit(main())
