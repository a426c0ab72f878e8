# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tools give up once their sources are open: seen in /proc, and by a program that tries what is forbidden (confined.c)."""
import errno
import os
import re
import subprocess
import tempfile
import time
import unittest

import common
import fdt
import recording
import test_kexec_prep as prep
import test_quiesce as quiesce

CONFINED = os.environ.get("CONFINED") or (
    common.TOOL and os.path.join(os.path.dirname(common.TOOL).removesuffix("/.libs"), "tests", "cli", "confined"))
DEMO = os.path.join(common.HERE, "..", "..", "examples", "demo.core")
NONE = "0" * 16
TO_READ, TO_LOOK, TO_MAKE = 1 << 2, 1 << 2 | 1 << 17 | 1 << 21, 1 << 1 | 1 << 2 | 1 << 3  # by CAP_* of <linux/capability.h>
NEEDED = ("write", "pwrite", "lseek", "read", "pread", "fstat", "fsync", "ftruncate", "mmap", "mmap-file", "mprotect", "brk",
          "nanosleep", "sigaction", "raise", "kill-self")
NEVER = ("open-write", "open-append", "open-truncate", "create-over", "mkdir", "symlink", "chmod", "chdir", "memfd", "kill-child",
         "kill-parent", "ptrace", "process_vm_readv", "socket", "socketpair", "execve", "mmap-exec", "mmap-file-exec", "mprotect-exec",
         "type-into-terminal", "unshare", "setuid", "fork", "dumpable")
FILES = ("open-read", "create", "rename", "unlink")
ALLOWED = {"asking": FILES + ("open-append",), "making": FILES, "looking": ("open-read",), "creating": FILES, "reading": ("open-read",),
           "saving": ("rename", "unlink"), "closed": ()}


def built_with(library):
    """False, too, where sanitizers or coverage keep the filter away."""
    words = common.call("-v", "explain", "ddtp=0x10").err
    return library.encode() not in words and b"system calls stay allowed" not in words


def timeless(text):
    """Without when it was, and for how long."""
    return re.sub(rb'"time": ?"[^"]*"|(?<=^iommu-top: )\d+\.\d s', b"", text)


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in f)}


class Waiting(common.Case):
    """A tool that waits, and what the kernel says of its rights then."""

    def rights(self, tool, *args, ready=None, steps=2, **how):
        """Its status once `ready` stands in its output, or, without that, after STEPS filters, or two seconds."""
        running = subprocess.Popen([tool, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env=dict(os.environ, LC_ALL="C"), **how)
        with running:
            try:
                if ready:
                    running.stdin.write(b"rubbish\n")
                    running.stdin.flush()
                    lines = iter(running.stdout.readline, b"")
                    self.assertTrue(any(ready in line for line in lines))
                end = time.monotonic() + 2
                while not ready and self.filters(running.pid) < steps and time.monotonic() < end:
                    time.sleep(0.05)
                return status(running.pid)
            finally:
                running.kill()

    @staticmethod
    def filters(pid):
        """Those that a process has set itself; kernels before 5.10 do not say."""
        return int(status(pid).get("Seccomp_filters", 0)) - int(status(os.getpid()).get("Seccomp_filters", 0))

    def batch(self, *options, **how):
        return self.rights(common.TOOL, *options, "-i", DEMO, "translate", "--batch", "-", ready=b"line 1", **how)

    def closed(self, rights):
        self.assertEqual((rights["Seccomp"], rights["NoNewPrivs"]), ("2", "1"))
        if os.geteuid() == 0:
            self.assertEqual([rights[c] for c in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")], [NONE] * 5)
            self.assertEqual(rights["Groups"], "")

    def setUp(self):
        super().setUp()
        if not built_with("without"):
            self.skipTest("built without libseccomp or libcap-ng, or with sanitizers")

    def test_of_a_capture(self):
        self.closed(self.batch(**({"extra_groups": [1, 2]} if os.geteuid() == 0 else {})))

    def test_of_a_machine(self):
        root = self.fake_root()
        self.debugfs(common.Machine().registers)
        self.closed(self.rights(common.TOOL, *root, "translate", "--batch", "-", ready=b"line 1"))

    def test_counters_between_two_readings(self):
        root = self.fake_root()
        self.debugfs(common.Machine().registers)
        self.closed(self.rights(common.TOOL, *root, "counters", "--interval", "20"))

    def test_iommu_top_of_a_machine(self):
        root = self.fake_root()
        self.debugfs(common.Machine().registers)
        self.closed(self.rights(common.TOP, *root, "-b", "-d", "5"))

    def test_a_capture_is_saved_and_then_nothing_is_left(self):
        self.closed(self.batch("--save", self.path("saved.core")))
        self.assertEqual(os.listdir(self.dir), ["saved.core"])

    def test_no_sandbox_keeps_all(self):
        rights, mine = self.batch("--no-sandbox"), status(os.getpid())
        for key in ("Seccomp", "NoNewPrivs", "CapEff", "CapPrm", "CapBnd", "Groups"):
            self.assertEqual(rights[key], mine[key], key)

    def opening(self, capabilities, *args, tool=common.TOOL):
        """What is left when the first byte from outside is about to be read: a pipe that nobody writes to stands in its place."""
        root = self.fake_root()
        for path in ("root/sys/class/dmi/id/product_name", "root/dt/chosen/" + prep.PROPERTY):
            if not os.path.exists(self.path(path)):
                os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
                os.mkfifo(self.path(path))
        rights, mine = self.rights(tool, *root, *args, steps=1), status(os.getpid())
        self.assertEqual((rights["Seccomp"], rights["NoNewPrivs"]), ("2", "1"), args)
        for what in ("CapEff", "CapPrm"):
            self.assertEqual(int(rights[what], 16), int(mine[what], 16) & capabilities, args)

    def test_before_the_first_byte_of_a_machine(self):
        new = self.path("new")
        self.opening(TO_LOOK, "list")
        self.opening(TO_LOOK, "translate", "--batch", "-")
        self.opening(TO_LOOK | TO_MAKE, "--save", new, "list")
        self.opening(TO_LOOK | TO_MAKE, "translate", "--hardware", "8", "0x1000")
        self.opening(TO_LOOK, "-b", tool=common.TOP)
        self.opening(TO_LOOK | TO_MAKE, "-b", "--record", new, tool=common.TOP)
        self.opening(TO_LOOK, "--plan", tool=quiesce.TOOL)
        self.opening(TO_LOOK | TO_MAKE, "--plan", "--save", new, tool=quiesce.TOOL)
        self.opening(TO_LOOK, "check", tool=common.KEXEC_PREP)
        self.opening(TO_LOOK | TO_MAKE, "image", DEMO, "-o", new, tool=common.KEXEC_PREP)
        self.opening(TO_LOOK, "load", "--plan", DEMO, tool=common.KEXEC_PREP)
        self.opening(TO_READ, "report", tool=common.KEXEC_PREP)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_who_is_not_root_has_a_filter_too(self):
        plain = common.call("--version", user=65534)
        if plain.status:
            self.skipTest("the program cannot be run by others")
        rights = common.call("-v", "explain", "ddtp=0x10", user=65534)
        self.assertEqual(rights.status, 0)
        self.assertIn(b"capabilities: there are none", rights.err)
        self.assertIn(b"no file can be opened", rights.err)


class Calls(common.Case):
    """System call by system call."""

    def tried(self, *levels):
        if not CONFINED or not os.path.exists(CONFINED):
            self.skipTest("tests/cli/confined was not built")
        done = subprocess.run([os.path.abspath(CONFINED), *levels], cwd=tempfile.mkdtemp(dir=self.dir), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=common.TIMEOUT, check=False)
        self.assertEqual(done.returncode, 0, done)
        if levels != ("none",) and any(why in done.stderr for why in (b"search for leaks", b"what of the", b"without libseccomp")):
            self.skipTest(done.stderr.decode())
        return {call: int(number) for call, number in (line.split() for line in done.stdout.decode().splitlines())}

    def test_without_a_filter_all_go_where_they_go(self):
        tried = self.tried("none")
        self.assertEqual(set(tried), set(NEEDED + NEVER + FILES))
        for call in NEEDED + FILES + ("open-write", "mkdir", "kill-child", "socket", "mmap-exec", "mprotect-exec", "fork"):
            self.assertEqual(tried[call], 0, call)
        self.assertEqual(tried["execve"], errno.ENOENT)
        self.assertEqual(tried["type-into-terminal"], errno.ENOTTY)

    def test_what_is_needed_goes_and_the_rest_is_refused(self):
        for level, allowed in ALLOWED.items():
            with self.subTest(level):
                tried = self.tried(level)
                for call in NEEDED + allowed:
                    # nothing has the name that the one before would have given
                    self.assertIn(tried[call], (0, errno.ENOENT) if call in ("unlink", "rename") else (0,), call)
                for call in set(NEVER + FILES) - set(allowed):
                    self.assertEqual(tried[call], errno.EPERM, call)

    def test_rights_are_given_up_by_steps(self):
        for first in set(ALLOWED) - {"closed"}:
            with self.subTest(first):
                tried = self.tried(first, "closed")
                self.assertEqual([call for call in NEVER + FILES if tried[call] != errno.EPERM], [])
                self.assertEqual([call for call in NEEDED if tried[call]], [])

    def test_nothing_comes_back(self):
        tried = self.tried("closed", "creating")
        self.assertEqual([call for call in NEVER + FILES if tried[call] != errno.EPERM], [])


class Same(common.Case):
    """A command says the same with its rights and without."""

    COMMANDS = (["list"], ["regs"], ["devices"], ["devices", "0x8"], ["processes", "0x8"], ["translate", "0x8", "0x100000000"],
                ["mappings", "0x8"], ["whomaps", "0x84c00000"], ["msi", "0x8"], ["faults", "--walk"], ["commands"], ["requests"],
                ["counters"], ["check"])

    def both(self, *args, tool=None, **how):
        rights, none = (common.call(*more, *args, tool=tool, timeout=60, **how) for more in (["--no-sandbox"], []))
        self.assertEqual((none.status, timeless(none.out), none.err), (rights.status, timeless(rights.out), rights.err), str(none))
        return none

    def test_every_command_of_iommu_dump(self):
        for command in self.COMMANDS:
            for form in ([], ["-J"]):
                with self.subTest(command=command, form=form):
                    self.both(*form, "-i", DEMO, *command)
        self.both("-i", DEMO, "translate", "--batch", "-", stdin=b"8 0x1000\n8 0x100000000\nrubbish\n")
        self.both("-i", DEMO, "translate", "--batch", self.write("requests", "8 0x1000\n8 0x100000000\n"))
        self.both("-J", "diff", DEMO, self.machine())
        self.both("explain", "-", stdin=b"ddtp=0x10\n")

    def test_of_a_machine(self):
        root = self.fake_root()
        self.debugfs(common.Machine().registers)
        for command in self.COMMANDS:
            with self.subTest(command=command):
                self.both(*root, *command)
        self.both(*root, "-b", "-n", "1", tool=common.TOP)
        self.both(*root, "check", tool=common.KEXEC_PREP)
        self.both(*root, "report", tool=common.KEXEC_PREP)

    def test_the_other_tools(self):
        self.both("-b", "-i", DEMO, tool=common.TOP)
        tape = recording.Recording()
        tape.fault(1)
        self.both("-b", "-i", self.write("tape", tape.bytes), tool=common.TOP)
        self.both("-i", DEMO, "check", tool=common.KEXEC_PREP)
        self.both("-J", "-i", DEMO, "report", tool=common.KEXEC_PREP)
        for form in ([], ["-J"]):
            self.both(*form, "-i", DEMO, "--plan", tool=quiesce.TOOL)
            self.both(*form, "-i", DEMO, "--plan", "--handover", tool=quiesce.TOOL)

    def written(self, *args):
        """What iommu-kexec-prep writes with -o, and its mode: the same by both ways."""
        made = []
        for more in (["--no-sandbox"], []):
            out = self.path("out")
            done = common.call(*more, *args, "-o", out, tool=common.KEXEC_PREP)
            with open(out, "rb") as f:
                made.append((timeless(done.out), done.status, done.err, f.read(), os.stat(out).st_mode))
            os.unlink(out)
        self.assertEqual(*made)
        self.assertEqual(made[0][1], 0, str(done))

    def test_files_for_the_next_kernel(self):
        kernel, tree = self.write("vmlinuz", prep.image()), self.write("in.dtb", fdt.blob(fdt.machine()))
        root = self.fake_root()
        self.debugfs(common.Machine().registers)
        for form in ([], ["-J"]):
            self.written(*form, "-i", DEMO, "image", kernel)
            self.written(*form, *root, "image", kernel)
            self.written(*form, "dtb", "--in", tree)
            self.written(*form, *root, "dtb")

    def test_record_of_a_handover(self):
        root = self.fake_root()
        self.write("root/dt/chosen/" + prep.PROPERTY, prep.record(prep.entry(ticks=40, cqcsr=0x10001), prep.entry(base=0x3020000, status=prep.LEFT)))
        for form in ([], ["-J"]):
            self.both(*form, *root, "report", tool=common.KEXEC_PREP)
            self.both(*form, *root, "check", tool=common.KEXEC_PREP)

    def test_captures_are_the_same(self):
        root = self.fake_root()
        self.debugfs(common.Machine().registers)
        for tool, args in ((common.TOOL, ("list",)), (common.TOP, ("-b", "-n", "1")), (common.KEXEC_PREP, ("check",)),
                           (quiesce.TOOL, ("--plan",))):
            for source in (["-i", DEMO], root):
                made = []
                for more in (["--no-sandbox"], []):
                    common.call(*more, *source, *args, "--save", self.path("out"), tool=tool)
                    with open(self.path("out"), "rb") as f:
                        made.append(timeless(f.read()))
                    os.unlink(self.path("out"))
                self.assertEqual(*made, (tool, source))

    def test_what_is_missing_is_said_in_the_same_words(self):
        self.both("-i", self.path("nosuch"), "list")
        self.both("-i", DEMO, "translate", "--batch", self.path("nosuch"))
        self.both("-i", DEMO, "--save", self.path("nosuch/x"), "list")
        self.both("diff", DEMO, self.path("nosuch"))
        self.both("report", "-i", self.path("nosuch"), tool=common.KEXEC_PREP)


class Closed(common.Case):
    """Where tables are walked nothing can be opened any more: each tool comes to say so."""

    def said(self, *args, tool=common.TOOL):
        done = common.call("-v", *args, tool=tool)
        self.assertIn(b"rights: no file can be opened; what is open can be read and written", done.err, str(done))

    def setUp(self):
        super().setUp()
        if not built_with("without libseccomp"):
            self.skipTest("built without libseccomp, or with sanitizers")

    def test_each_tool_of_a_machine(self):
        root = self.fake_root()
        self.debugfs(common.Machine().registers)
        kernel = self.write("vmlinuz", prep.image())
        self.write("root/dt/chosen/" + prep.PROPERTY, prep.record(prep.entry()))
        self.said(*root, "list")
        self.said(*root, "--save", self.path("a"), "list")
        self.said(*root, "-b", "-n", "1", tool=common.TOP)
        self.said(*root, "-b", "-n", "1", "--save", self.path("b"), "--record", self.path("c"), tool=common.TOP)
        self.said(*root, "check", tool=common.KEXEC_PREP)
        self.said(*root, "check", "--save", self.path("d"), kernel, tool=common.KEXEC_PREP)
        self.said(*root, "image", kernel, "-o", self.path("e"), tool=common.KEXEC_PREP)
        self.said(*root, "report", tool=common.KEXEC_PREP)
        self.assertEqual([n for n in "abcde" if not os.path.exists(self.path(n))], [])

    def test_plan_for_the_machine_of_a_capture(self):
        self.said("-i", DEMO, "--plan", tool=quiesce.TOOL)

    def test_iommu_top_saves_with_nothing_to_open(self):
        done = common.call("-v", "-i", DEMO, "-b", "--save", self.path("saved"), tool=common.TOP)
        self.assertIn(b"no file can be opened; what is saved can be renamed", done.err, str(done))


class Words(common.Case):
    def test_verbose_says_what_is_given_up(self):
        words = common.call("-v", "-i", DEMO, "list").err
        self.assertRegex(words, rb"rights: .*(capabilit|libcap-ng)")
        self.assertRegex(words, rb"rights: .*(no file can be opened|stay allowed)")
        self.assertNotIn(b"rights: ", common.call("-i", DEMO, "list").err)

    def test_verbose_says_what_was_kept_on_demand(self):
        self.assertIn(b"rights: all are kept (--no-sandbox)", common.call("-v", "--no-sandbox", "-i", DEMO, "list").err)
