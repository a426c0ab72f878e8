# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tools give up once their sources are open: seen in /proc, and by a program that tries what is forbidden (confined.c)."""
import errno
import os
import subprocess
import time
import unittest

import common
import recording

CONFINED = os.environ.get("CONFINED") or (
    common.TOOL and os.path.join(os.path.dirname(common.TOOL).removesuffix("/.libs"), "tests", "cli", "confined"))
DEMO = os.path.join(common.HERE, "..", "..", "examples", "demo.core")
NONE = "0" * 16
NEEDED = ("write", "pwrite", "lseek", "read", "pread", "fstat", "fsync", "ftruncate", "mmap", "mmap-file", "mprotect", "brk",
          "nanosleep", "sigaction", "raise", "kill-self")
NEVER = ("open-write", "open-append", "open-truncate", "create-over", "mkdir", "symlink", "chmod", "chdir", "memfd", "kill-child",
         "kill-parent", "ptrace", "process_vm_readv", "socket", "socketpair", "execve", "mmap-exec", "mmap-file-exec", "mprotect-exec",
         "type-into-terminal", "unshare", "setuid", "fork", "dumpable")
FILES = ("open-read", "create", "rename", "unlink")
ALLOWED = {"looking": ("open-read",), "reading": ("open-read",), "saving": ("rename", "unlink"), "creating": FILES, "closed": ()}


def built_with(library):
    """False, too, where sanitizers or coverage keep the filter away."""
    words = common.call("-v", "explain", "ddtp=0x10").err
    return library.encode() not in words and b"system calls stay allowed" not in words


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in f)}


class Waiting(common.Case):
    """A tool that waits, and what the kernel says of its rights then."""

    def rights(self, tool, *args, ready=None, **how):
        """Its status once `ready` stands in its output, or, without that, once it is filtered or two seconds are over."""
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
                while not ready and status(running.pid)["Seccomp"] == "0" and time.monotonic() < end:
                    time.sleep(0.05)
                return status(running.pid)
            finally:
                running.kill()

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
        done = subprocess.run([os.path.abspath(CONFINED), *levels], cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
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
                for call in NEVER:
                    self.assertEqual(tried[call], errno.EPERM, call)
                for call in set(FILES) - set(allowed):
                    self.assertEqual(tried[call], errno.EPERM, call)

    def test_rights_are_given_up_by_steps(self):
        for first in ("looking", "reading", "saving", "creating"):
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
        self.assertEqual((none.status, none.out, none.err), (rights.status, rights.out, rights.err), str(none))
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

    def test_what_is_missing_is_said_in_the_same_words(self):
        self.both("-i", self.path("nosuch"), "list")
        self.both("-i", DEMO, "translate", "--batch", self.path("nosuch"))
        self.both("-i", DEMO, "--save", self.path("nosuch/x"), "list")
        self.both("diff", DEMO, self.path("nosuch"))
        self.both("report", "-i", self.path("nosuch"), tool=common.KEXEC_PREP)


class Words(common.Case):
    def test_verbose_says_what_is_given_up(self):
        words = common.call("-v", "-i", DEMO, "list").err
        self.assertRegex(words, rb"rights: .*(capabilit|libcap-ng)")
        self.assertRegex(words, rb"rights: .*(no file can be opened|stay allowed)")
        self.assertNotIn(b"rights", common.call("-i", DEMO, "list").err)

    def test_verbose_says_what_was_kept_on_demand(self):
        self.assertIn(b"rights: all are kept (--no-sandbox)", common.call("-v", "--no-sandbox", "-i", DEMO, "list").err)
