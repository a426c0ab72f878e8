# SPDX-License-Identifier: GPL-2.0-or-later
"""Sources that never answer, and such without end: each run ends by itself, or says what it waits for."""
import os
import re
import select
import subprocess
import time

import common
import test_quiesce as quiesce

SILENCE = 5  # seconds that a file is waited for (src/lib/base/base.c)


class Fifos(common.Case):
    """A FIFO that nobody opens, in the place of each file; all at once, because each waits."""

    def setUp(self):
        super().setUp()
        self.fifo = self.path("fifo")
        os.mkfifo(self.fifo)
        self.started = []

    def start(self, tool, *args, stdin=subprocess.DEVNULL):
        self.assertIsNotNone(tool)
        if not os.path.exists(tool):
            return None
        process = subprocess.Popen([tool, *args], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, LC_ALL="C"))
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.started.append((process, args))
        return process

    def all_end(self):
        for process, args in self.started:
            with self.subTest(args=args):
                out, err = process.communicate(timeout=common.TIMEOUT + SILENCE)
                done = common.Done(process.returncode, out, err, args)
                if common.LEFT_OUT not in err:
                    self.sane(done)
                    self.assertNotEqual(done.status, 0, str(done))
                    self.assertRegex(err, b"/fifo|/quiesce.state|queue .* not in this source")
                if "--in" in args and common.LEFT_OUT not in err:
                    self.assertIn(f"for {SILENCE} seconds nothing came, or less than 4 KiB a second; what is slow is saved to a file first".encode(), err)

    def test_in_the_place_of_each_file(self):
        options = self.fake_root()
        self.debugfs(common.Machine().registers)
        os.makedirs(self.path("run"), mode=0o700)
        os.mkfifo(self.path("run/quiesce.state"))
        with open(self.path("root/mem"), "wb") as f:
            f.truncate(common.BASE + 0x1000)
        for tool, *args in ((common.TOOL, "list"), (common.TOP, "-b", "-n", "1"), (quiesce.TOOL, "--plan"), (common.KEXEC_PREP, "check")):
            self.start(tool, *options, "-O", f"fdt.path={self.fifo}", *args)
        for args in (["-O", f"kcore.path={self.fifo}", "faults"], ["-A", "devmem", "-O", f"devmem.path={self.fifo}", "list"], ["-i", self.fifo, "list"],
                     ["-A", "core", "-i", self.fifo, "list"], ["-A", "kdumpfile", "-i", self.fifo, "list"], ["-i", self.fifo, "-O", "base=0", "list"]):
            self.start(common.TOOL, *options, *args)
        self.start(common.TOOL, "diff", self.machine(), self.fifo)
        self.start(common.TOP, "-b", "-i", self.fifo)
        for args in (["check", self.fifo], ["image", self.fifo, "-o", self.path("out")], ["dtb", "--in", self.fifo, "-o", self.path("out")]):
            self.start(common.KEXEC_PREP, *options, *args)
        self.start(quiesce.TOOL, *options, "-O", f"state.path={self.path('run')}", "--undo")
        self.all_end()


class Each(common.Case):
    """A FIFO that nobody opens, in the place of each file of a live machine in turn."""

    TOOLS = {"list": [common.TOOL, "list"], "prep": [common.KEXEC_PREP, "check"], "plan": [quiesce.TOOL, "--plan"], "block": [quiesce.TOOL],
             "remove": [quiesce.TOOL, "--via", "remove"]}
    FUNCTIONS = "root/sys/devices/pci0000:00"

    def made(self, kind):
        """A machine of its own, whose tools write: all of KIND's files are there."""
        place = kind("setUp")
        place.setUp()
        self.addCleanup(place.doCleanups)
        return place

    @staticmethod
    def files(place):
        """The files that stand for those of a live machine, and what they are called below it."""
        found = [os.path.join(d, f) for d, _, files in os.walk(place.path("root")) for f in files]
        return sorted(os.path.relpath(path, place.dir) for path in found if not os.path.islink(path))

    def run_all(self, kind, tools):
        """Runs each of TOOLS with each file of KIND in turn being a FIFO, all at once, because each waits. {(tool, file): Done}"""
        tools = {name: args for name, args in tools.items() if os.path.exists(args[0])}
        running = {}
        for file in self.files(self.made(kind)):
            for name, args in tools.items():
                place = self.made(kind)
                os.unlink(place.path(file))
                os.mkfifo(place.path(file))
                running[name, file] = subprocess.Popen([args[0], *place.options, *args[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                       stderr=subprocess.PIPE, env=dict(os.environ, LC_ALL="C"))
                self.addCleanup(running[name, file].communicate)
                self.addCleanup(running[name, file].kill)
        end = time.monotonic() + 3 * common.TIMEOUT
        return {key: self.ended(process, key, end) for key, process in running.items()}

    @staticmethod
    def ended(process, key, end):
        try:
            out, err = process.communicate(timeout=max(end - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            return common.Done(None, b"", b"", key)
        return common.Done(process.returncode, out, err, key)

    def test_a_fifo_in_its_place(self):
        for (tool, file), ran in self.run_all(quiesce.Remove, self.TOOLS).items():
            if common.LEFT_OUT not in ran.err:
                with self.subTest(tool=tool, file=file):
                    self.assertIn(ran.status, common.STATUSES | {6}, str(ran))
                    self.assertFalse([w for w in common.SANITIZER if w.encode() in ran.err], str(ran))
                    self.told(tool, file, ran)

    def told(self, tool, file, ran):
        """What only iommu-quiesce opens, and nobody may wait for: config spaces, and what tells the kernel to remove a function."""
        if (tool, file) == ("remove", f"{self.FUNCTIONS}/{quiesce.IOMMU}/remove"):
            self.assertEqual(ran.status, 5, str(ran))
            self.assertIn(b"/remove: not a regular file", ran.err)
        elif tool in ("plan", "block", "remove") and file == f"{self.FUNCTIONS}/{quiesce.NVME}/config":
            self.assertIn(b"config space of 0000:00:02.0: not a regular file", ran.out + ran.err)


class Lines(common.Case):
    """Lines may come from a pipe that waits for hours: then it is said that they are waited for."""

    def started(self, *args):
        process = subprocess.Popen([common.TOOL, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=dict(os.environ, LC_ALL="C"))
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_silent_pipes_are_told_and_waited_for(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        batch = ["-i", self.machine(), "translate", "--batch"]
        named, given, explain = self.started(*batch, fifo), self.started(*batch, "-"), self.started("explain", "-")
        for process, name in ((named, fifo.encode()), (given, b"standard input"), (explain, b"standard input")):
            self.assertEqual(process.stderr.readline(), b"iommu-dump: " + name + b" is silent: waiting for its lines\n")
        with open(fifo, "wb") as f:
            f.write(b"8 0x1000\n")
        for process, line, word in ((named, b"", b"0x90000000"), (given, b"8 0x1000\n", b"0x90000000"), (explain, b"cause=13\n", b"Read")):
            out, err = process.communicate(line, timeout=common.TIMEOUT)
            self.assertEqual((process.returncode, err), (0, b""))
            self.assertIn(word, out)

    def test_each_is_answered_before_the_next_is_waited_for(self):
        """Somebody who asks, and goes on when the answer is there; or a log that is followed."""
        for args, words, line in ((["-i", self.machine(), "translate", "--batch", "-"], (b"8 0x1000\n", b"8 0x2000\n"), b"0x1000|0x2000"),
                                  (["-i", self.machine(), "-J", "translate", "--batch", "-"], (b"8 0x1000\n", b"8 0x2000\n"), b'"line":'),
                                  (["explain", "-"], (b"cause=13\n", b"cause=15\n"), b"Cause")):
            if "-J" in args:
                common.wanted(common.TOOL, args)
            process = self.started(*args)
            for word in words:
                process.stdin.write(word)
                process.stdin.flush()
                self.assertRegex(self.first(process.stdout, line), line)
            self.assertEqual(process.communicate(timeout=common.TIMEOUT)[1], b"")

    def first(self, stream, wanted):
        """The first line with WANTED that comes in time; what came, if there is none."""
        got, end = b"", time.monotonic() + common.TIMEOUT
        while time.monotonic() < end:
            if select.select([stream], [], [], 1)[0]:
                got += os.read(stream.fileno(), 1)
                if got.endswith(b"\n") and re.search(wanted, got):
                    break
        return got

    def test_a_descriptor_that_does_not_wait_is_waited_for(self):
        """Whoever has the other end of a terminal or socket may have made it so (O_NONBLOCK), for all who share it."""
        for args, word, answer in ((["-i", self.machine(), "translate", "--batch", "-"], b"8 0x1000\n", b"0x90000000"), (["explain", "-"], b"cause=13\n", b"Read")):
            ends = os.pipe()
            os.set_blocking(ends[0], False)
            with subprocess.Popen([common.TOOL, *args], stdin=ends[0], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                for _ in range(2):
                    os.write(ends[1], word)
                    self.assertRegex(self.first(process.stdout, answer), answer)
                os.close(ends[1])
                os.close(ends[0])
                self.assertEqual((process.communicate(timeout=common.TIMEOUT)[1], process.returncode), (b"", 0))

    def test_who_answers_at_once_hears_nothing(self):
        done = self.ran("-i", self.machine(), "translate", "--batch", "-", stdin=b"8 0x1000\n")
        self.assertEqual(done.err, b"")

    def test_a_line_without_end_is_no_text(self):
        for args in (["-i", self.machine(), "translate", "--batch", "/dev/zero"], ["-i", self.machine(), "translate", "--batch", "-"], ["explain", "-"]):
            with self.subTest(args=args), open("/dev/zero", "rb") as zero:
                done = subprocess.run([common.TOOL, *args], stdin=zero, capture_output=True, timeout=common.TIMEOUT, check=False)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn(b"this is no text", done.stderr)
                self.assertEqual(done.stdout, b"")


class Drops(common.Case):
    """A source that gives a little now and then: never silent, and never done."""

    def dripped(self, words, pause, size, *args):
        """A run of iommu-kexec-prep that reads a FIFO, which somebody fills; the Done and the seconds that it took."""
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        script = "exec 3>$0; while head -c $1 /dev/zero >&3; do sleep $2; done"
        with subprocess.Popen(["sh", "-c", script, fifo, str(size), str(pause)], stderr=subprocess.DEVNULL) as writer:
            start = time.monotonic()
            done = common.call(*args, fifo, *words, tool=common.KEXEC_PREP)
            took = time.monotonic() - start
            writer.kill()
        return done, took

    def test_a_drip_ends(self):
        done, took = self.dripped(["-o", self.path("out")], 1, 1, *self.fake_root(), "dtb", "--in")
        self.assertEqual(done.status, 1, str(done))
        self.assertIn(b"less than 4 KiB a second", done.err)
        self.assertLess(took, common.TIMEOUT)
        self.assertFalse(os.path.exists(self.path("out")))
