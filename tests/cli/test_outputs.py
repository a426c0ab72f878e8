# SPDX-License-Identifier: GPL-2.0-or-later
"""
Where output goes and cannot: a full disk, a limit on the size of files, a reader that went away, descriptors that were closed before the
start, signals in between. test_output.py has standard output of iommu-dump on a full disk.
"""
import os
import re
import resource
import signal
import subprocess
import time
import unittest

import common
import failing
import recording
import test_kexec_prep as prep
import test_quiesce as quiesce

FULL = b"No space left on device"


def run(tool, *args, **how):
    """Standard input, output and errors by HOW; what a build for coverage writes at its end goes elsewhere."""
    if os.path.isabs(tool):
        common.wanted(tool, args)
    env = dict(os.environ, LC_ALL="C", TERM="dumb", COLUMNS="80", **how.pop("env", {}))
    done = subprocess.run([tool, *args], env=env, timeout=common.TIMEOUT, check=False,
                          **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how})
    return common.Done(done.returncode, done.stdout or b"", done.stderr or b"", (tool, *args))


class Four(quiesce.Machine):
    """A command of each kind of each tool, on one machine: with what it needs, and what it writes."""

    def setUp(self):
        super().setUp()
        self.core = self.machine()
        self.image = self.write("vmlinuz", prep.image())
        r = recording.Recording().state(0).fault(0.5, 1, iova=0x2000)
        self.recording = self.write("x.rec", r.end(2).bytes)
        self.record = self.write("record", prep.record(prep.entry()))
        self.write("root/sys/kernel/kexec_loaded", "0\n")

    def reading(self):
        """What prints and leaves everything as it is."""
        out = [(common.TOOL, "-i", self.core, *args) for args in (
            ["list"], ["regs"], ["devices"], ["devices", "8"], ["processes", "9"], ["translate", "8", "0x1000"], ["mappings", "8"],
            ["whomaps", "0x90000000"], ["msi", "8"], ["faults"], ["commands"], ["requests"], ["counters"], ["check"])]
        out += [(common.TOOL, "diff", self.core, self.machine("other.core", registers={"ipsr": 1})), (common.TOOL, "explain", "cause=13"), (common.TOP, "-b", "-i", self.core),
                (common.TOP, "-b", "-i", self.recording), (common.TOP, "-J", "-i", self.recording), (common.KEXEC_PREP, "-i", self.core, "check"),
                (common.KEXEC_PREP, "-i", self.record, "report"), (quiesce.TOOL, *self.options, "--plan")]
        return out + [(c[0], "-J", *c[1:]) for c in out if c[0] != common.TOP]

    def saving(self):
        """What writes the file "out/x", and what it has to begin with."""
        x = self.path("out/x")
        return [(b"\x7fELF", (common.TOOL, "-i", self.core, "--save", x, "list")),
                (b"\x7fELF", (common.TOP, "-b", "-i", self.core, "--save", x)),
                (b"\x7fELF", (common.KEXEC_PREP, "-i", self.core, "--save", x, "check")),
                (b"\x7fELF", (quiesce.TOOL, "-i", self.core, "--save", x, "--plan")),
                (b"MZ", (common.KEXEC_PREP, "-i", self.core, "image", self.image, "-o", x)),
                (b"\xd0\r\xfe\xed", (common.KEXEC_PREP, *self.options, "dtb", "-o", x))]


class Files(Four):
    """The file is as it was before, and nothing lies beside it."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("out"))
        self.write("out/x", "before")

    def unharmed(self):
        self.assertEqual(os.listdir(self.path("out")), ["x"])
        with open(self.path("out/x"), "rb") as f:
            self.assertEqual(f.read(), b"before")

    def test_without_a_limit_each_writes_it(self):
        for magic, command in self.saving():
            with self.subTest(command=command):
                self.assertIn(run(*command).status, (0, 7))
                with open(self.path("out/x"), "rb") as f:
                    self.assertEqual(f.read(len(magic)), magic)

    def test_a_limit_on_the_size_of_files_is_an_error_and_no_end(self):
        # what a build for coverage writes at its end would be cut, too: elsewhere with that
        env = {"GCOV_PREFIX": self.path("gcov"), "GCOV_ERROR_FILE": os.devnull}
        for _, command in self.saving():
            with self.subTest(command=command):
                done = run(*command, env=env, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)))
                self.assertEqual(done.status, 1, str(done))
                self.assertIn(b"out/x: writing: File too large", done.err)
                self.unharmed()

    def test_standard_output_in_a_file_at_its_limit(self):
        env = {"GCOV_PREFIX": self.path("gcov"), "GCOV_ERROR_FILE": os.devnull}
        for command in self.reading():
            whole = run(*command)
            if len(whole.out) < 200:
                continue
            with self.subTest(command=command), open(self.path("stdout"), "wb") as out:
                done = run(*command, env=env, stdout=out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
                self.assertEqual(done.status, 1, str(done))
                self.assertIn(b"standard output: File too large", done.err)

    def on_a_full_disk(self, *command, mount="out", more=""):
        """Runs it where MOUNT is a disk of two pages of which none is free. The status, and what lies there afterwards."""
        script = f"""mount -t tmpfs -o size=8k none "$0" || exit 99
printf before >"$0/x"; head -c 9000 /dev/zero >"$0/filler" 2>/dev/null
{more}
"$@"; status=$?
cat "$0/x"; ls -A "$0"; exit $status"""
        for unshare in (["unshare", "-m"], ["unshare", "-rm"]):
            try:
                done = run(*unshare, "sh", "-c", script, self.path(mount), *command)
            except OSError:
                break
            if done.status != 99 and b"unshare" not in done.err:
                return done
        self.skipTest("nobody may mount here")

    def test_a_full_disk(self):
        for _, command in self.saving():
            with self.subTest(command=command):
                done = self.on_a_full_disk(*command)
                self.assertEqual(done.status, 1, str(done))
                self.assertIn(FULL, done.err)
                self.assertTrue(done.out.endswith(b"beforefiller\nx\n"), str(done))

    def test_a_full_disk_for_the_state_of_quiesce(self):
        os.makedirs(self.path("run"))
        registers, command = self.page(), self.command(quiesce.EDU)
        done = self.on_a_full_disk(quiesce.TOOL, *self.options, mount="run")
        self.assertEqual(done.status, 1, str(done))
        self.assertIn(FULL, done.err)
        self.assertIn(b"nothing was done", done.err)
        left = set(done.out.split()[-3:]) - {b"x", b"filler"}
        self.assertTrue(all(name.endswith(b"lock") for name in left if b"." in name), str(done))
        self.assertEqual((self.page(), self.command(quiesce.EDU)), (registers, command))

    def test_a_full_disk_for_the_files_that_load_hands_to_kexec(self):
        kexec = self.write("root/kexec", "#!/bin/sh\n>&2 echo started\n")
        os.chmod(kexec, 0o755)
        os.makedirs(self.path("tmp"))
        self.write("root/proc/cmdline", "x\n")
        done = self.on_a_full_disk(common.KEXEC_PREP, *self.options, "-O", f"kexec.path={kexec}", "load", self.image, mount="tmp",
                                   more='export TMPDIR="$0"')
        self.assertEqual(done.status, 1, str(done))
        self.assertIn(FULL, done.err)
        self.assertNotIn(b"started", done.err)
        self.assertTrue(done.out.endswith(b"beforefiller\nx\n"), str(done))


class Devices(Four):
    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_standard_output_on_a_full_device(self):
        for command in self.reading():
            if command[0] == common.TOOL:
                continue  # test_output.py
            with self.subTest(command=command), open("/dev/full", "wb") as full:
                done = run(*command, stdout=full)
                self.assertEqual(done.status, 1, str(done))
                self.assertIn(b"standard output: " + FULL, done.err)


class Pipes(Four):
    """A reader that went away: SIGPIPE ends the tool without a word; where that is ignored it is an error like any other."""

    def gone(self, *command, ignored):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            before = signal.signal(signal.SIGPIPE, signal.SIG_IGN if ignored else signal.SIG_DFL)
            try:
                return run(*command, stdout=pipe, restore_signals=False)
            finally:
                signal.signal(signal.SIGPIPE, before)

    def test_each_command_ends_without_a_word(self):
        for command in self.reading():
            if command[0] == quiesce.TOOL:
                continue
            with self.subTest(command=command):
                done = self.gone(*command, ignored=False)
                self.assertEqual(done.status, -signal.SIGPIPE, str(done))
                self.assertNotIn(b"standard output", done.err)

    def test_each_command_says_so_where_the_signal_is_ignored(self):
        for command in self.reading():
            with self.subTest(command=command):
                done = self.gone(*command, ignored=True)
                self.assertEqual(done.status, 1, str(done))
                self.assertIn(b"standard output: Broken pipe", done.err)

    def test_quiesce_goes_on_to_the_end(self):
        for ignored in (False, True):
            done = self.gone(quiesce.TOOL, *self.options, "--hold", "1", ignored=ignored)
            self.assertEqual(done.status, 1, str(done))
            self.assertEqual((self.reg("ddtp"), self.command(quiesce.EDU)), (quiesce.DDTP, 0x0106))
        done = self.gone(quiesce.TOOL, *self.options, ignored=False)
        self.assertEqual(done.status, 1, str(done))
        self.assertEqual(self.reg("ddtp"), quiesce.DDTP & ~0xf)

    def test_a_file_is_whole_although_nobody_reads_what_is_said_of_it(self):
        os.mkdir(self.path("out"))
        for magic, command in self.saving():
            for ignored in (False, True):
                with self.subTest(command=command, ignored=ignored):
                    self.gone(*command, ignored=ignored)
                    self.assertEqual(os.listdir(self.path("out")), ["x"])
                    with open(self.path("out/x"), "rb") as f:
                        self.assertEqual(f.read(len(magic)), magic)
                    os.unlink(self.path("out/x"))


class Closed(Four):
    """Descriptors 0 to 2 that nobody opened are not given to files, which then would be written into."""

    HOW = ("<&- >&- 2>&-", ">&-", "2>&-", "<&- 2>&-", "<&- >&-")

    def closed(self, how, *command):
        return run("sh", "-c", f'exec "$@" {how}', "sh", *command)

    def test_files_are_what_they_are_otherwise(self):
        os.mkdir(self.path("out"))
        for _, command in self.saving():
            run(*command)
            with open(self.path("out/x"), "rb") as f:
                wanted = f.read()
            for how in self.HOW:
                with self.subTest(command=command, how=how):
                    os.unlink(self.path("out/x"))
                    self.closed(how, *command, "-v", "-v")
                    with open(self.path("out/x"), "rb") as f:
                        got = f.read()
                    self.assertEqual(len(got), len(wanted))
                    if wanted[:4] != b"\x7fELF":  # a capture says when it was taken
                        self.assertEqual(got, wanted)
                    elif command[0] == common.TOOL:
                        self.assertEqual(self.ran("-i", self.path("out/x"), "regs").out, self.ran("-i", self.core, "regs").out)

    def test_nothing_is_written_into_config_space_or_registers(self):
        self.quiesce("--handover")
        wanted = self.page(), self.config_of(quiesce.EDU), self.config_of(quiesce.NVME)
        for how in self.HOW:
            with self.subTest(how=how):
                self.memory(quiesce.LIVE)
                for name, space in ((quiesce.EDU, quiesce.config()), (quiesce.NVME, quiesce.config(0x0506, express=True))):
                    self.write(f"root/sys/devices/pci0000:00/{name}/config", space)
                done = self.closed(how, quiesce.TOOL, *self.options, "-v", "-v", "--handover")
                self.assertEqual((self.page(), self.config_of(quiesce.EDU), self.config_of(quiesce.NVME)), wanted)
                self.assertEqual(done.status, 1 if ">&-" in how.replace("2>&-", "") else 0)

    def test_a_recording_holds_events_alone(self):
        for how in self.HOW:
            with self.subTest(how=how):
                path = self.path("live.rec")
                self.closed(how, common.TOP, *self.options, "-v", "-b", "-n", "2", "-d", "0.01", "--record", path)
                lines = run(common.TOP, "-J", "-i", path)
                self.assertIn(lines.status, (0, 7), str(lines))
                os.unlink(path)

    def test_closed_output_is_an_error_in_each_tool(self):
        for command in self.reading():
            if command[0] != common.TOOL:
                with self.subTest(command=command):
                    common.wanted(command[0], command)
                    done = self.closed(">&-", *command)
                    self.assertEqual(done.status, 1, str(done))
                    self.assertIn(b"standard output: Bad file descriptor", done.err)


class Interrupted(Four):
    """A signal that is handled comes each millisecond, and what it interrupts ends with EINTR: the answer is the same."""

    def test_each_command_gives_the_same(self):
        failing.shim()
        for command in self.reading():
            with self.subTest(command=command):
                got, wanted = failing.call(*command, signal=1000), run(*command)
                self.assertEqual((got.status, self.timeless(got)), (wanted.status, self.timeless(wanted)), str(got))

    @staticmethod
    def timeless(done):
        return re.sub(rb'"time":"[^"]*"|\d+\.\d+ s', b"", done.out)

    def test_a_batch_that_comes_slowly(self):
        lines = b"8 0x1000\n8 0x2000 access=w\n" * 3000
        args = "-i", self.core, "-J", "translate", "--batch", "-"
        wanted = common.call(*args, stdin=lines).out
        program, libraries = common.program_of(common.TOOL)
        env = dict(os.environ, LC_ALL="C", LD_PRELOAD=" ".join([failing.shim(), *libraries]), INJECT_SIGNAL="1000")
        # into a file: stdio begins no write anew, and where one is interrupted tells the error
        with open(self.path("answers"), "wb") as answers:
            process = subprocess.Popen([program, "--no-sandbox", *args], stdin=subprocess.PIPE, stdout=answers, env=env)
        with process:
            for at in range(0, len(lines), 3001):
                process.stdin.write(lines[at:at + 3001])
                process.stdin.flush()
                time.sleep(0.005)
        self.assertEqual(process.returncode, 0)
        with open(self.path("answers"), "rb") as f:
            got = f.read()
        self.assertTrue(got == wanted, f"{len(got)} bytes, not {len(wanted)}")

    def test_quiesce_blocks_and_undoes(self):
        done = failing.call(quiesce.TOOL, *self.options, "-J", signal=1000)
        self.assertEqual(done.status, 0, str(done))
        self.assertEqual(self.reg("ddtp"), quiesce.DDTP & ~0xf)
        self.assertEqual(failing.call(quiesce.TOOL, *self.options, "--undo", signal=1000).status, 0)
        self.assertEqual(self.reg("ddtp"), quiesce.DDTP)

    def test_load_waits_for_kexec(self):
        kexec = self.write("root/kexec", "#!/bin/sh\n[ $1 = --version ] || sleep 0.2\necho 1 >%s\n" % self.path("root/sys/kernel/kexec_loaded"))
        os.chmod(kexec, 0o755)
        self.write("root/proc/cmdline", "x\n")
        done = failing.call(common.KEXEC_PREP, *self.options, "-O", f"kexec.path={kexec}", "load", self.image, signal=1000,
                            env={"TMPDIR": self.dir})
        self.assertEqual(done.status, 0, str(done))

    def test_files_are_whole(self):
        failing.shim()
        os.mkdir(self.path("out"))
        for magic, command in self.saving():
            with self.subTest(command=command):
                self.assertIn(failing.call(*command, signal=1000).status, (0, 7))
                with open(self.path("out/x"), "rb") as f:
                    self.assertEqual(f.read(len(magic)), magic)
                os.unlink(self.path("out/x"))

    def test_a_signal_that_ends_it_leaves_the_file_whole_or_none(self):
        failing.shim()
        os.mkdir(self.path("out"))
        for magic, command in self.saving():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
                with self.subTest(command=command, signal=number):
                    ignored = number == signal.SIGPIPE and command[0] == quiesce.TOOL
                    self.assertEqual(failing.call(*command, halfway=int(number)).status, 0 if ignored else -number)
                    for name in os.listdir(self.path("out")):
                        self.assertEqual(name, "x")
                        with open(self.path("out/x"), "rb") as f:
                            self.assertEqual(f.read(len(magic)), magic)
                        os.unlink(self.path("out/x"))

    def test_stopped_and_continued(self):
        common.wanted(common.TOOL, ["-J"])
        process = subprocess.Popen([common.TOOL, "-i", self.core, "-J", "translate", "--batch", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with process:
            for _ in range(20):
                process.stdin.write(b"8 0x1000\n" * 50)
                process.stdin.flush()
                process.send_signal(signal.SIGSTOP)
                process.send_signal(signal.SIGCONT)
            out, err = process.communicate(timeout=common.TIMEOUT)
        self.assertEqual((process.returncode, len(out.splitlines()), err), (0, 1000, b""))
