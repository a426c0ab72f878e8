# SPDX-License-Identifier: GPL-2.0-or-later
"""Sources that never answer, and such without end: each run ends by itself, or says what it waits for."""
import os
import subprocess

import common

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

    def test_in_the_place_of_each_file(self):
        quiesce = os.path.join(os.path.dirname(common.TOOL), "iommu-quiesce")
        options = self.fake_root()
        self.debugfs(common.Machine().registers)
        os.makedirs(self.path("run"), mode=0o700)
        os.mkfifo(self.path("run/quiesce.state"))
        with open(self.path("root/mem"), "wb") as f:
            f.truncate(common.BASE + 0x1000)
        for tool, *args in ((common.TOOL, "list"), (common.TOP, "-b", "-n", "1"), (quiesce, "--plan"), (common.KEXEC_PREP, "check")):
            self.start(tool, *options, "-O", f"fdt.path={self.fifo}", *args)
        for args in (["-O", f"kcore.path={self.fifo}", "faults"], ["-A", "devmem", "-O", f"devmem.path={self.fifo}", "list"], ["-i", self.fifo, "list"],
                     ["-A", "core", "-i", self.fifo, "list"], ["-A", "kdumpfile", "-i", self.fifo, "list"], ["-i", self.fifo, "-O", "base=0", "list"]):
            self.start(common.TOOL, *options, *args)
        self.start(common.TOOL, "diff", self.machine(), self.fifo)
        self.start(common.TOP, "-b", "-i", self.fifo)
        for args in (["check", self.fifo], ["image", self.fifo, "-o", self.path("out")], ["dtb", "--in", self.fifo, "-o", self.path("out")]):
            self.start(common.KEXEC_PREP, *options, *args)
        self.start(quiesce, *options, "-O", f"state.path={self.path('run')}", "--undo")
        self.all_end()


    def test_the_words_say_how_long_and_what_to_do(self):
        self.start(common.KEXEC_PREP, *self.fake_root(), "dtb", "--in", self.fifo, "-o", self.path("out"))
        for process, _ in self.started:
            err = process.communicate(timeout=common.TIMEOUT + SILENCE)[1]
            if common.LEFT_OUT not in err:
                self.assertIn(f"nothing came for {SILENCE} seconds; what is slow is saved to a file first".encode(), err)


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
