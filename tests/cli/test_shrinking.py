# SPDX-License-Identifier: GPL-2.0-or-later
"""
A file that somebody cuts while it is read: no death by SIGBUS, and no answer from half of it. The shim of tests/inject cuts it to half when
some of it was read or it was mapped; where that is too early, the test does it while the tool waits for its next line.
"""
import os
import subprocess

import capture
import common
import failing
import fdt
import kdump
import recording
import test_inputs as inputs
import test_kexec_prep as prep
import test_quiesce as quiesce


class Mapped(common.Case):
    """Captures and images are mapped: what is gone is found by touching it."""

    def while_it_waits(self, path, *args, size=0):
        """Cuts the file when the tool has opened it and waits for a line."""
        process = subprocess.Popen([common.TOOL, "-i", path, *args, "translate", "--batch", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, LC_ALL="C"))
        with process:
            process.stdin.write(b"rubbish\n")
            process.stdin.flush()
            self.assertIn(b"line 1", process.stderr.readline())
            os.truncate(path, size)
            out, err = process.communicate(b"8 0x1000\n", timeout=common.TIMEOUT)
        return common.Done(process.returncode, out, err, args)

    def is_told(self, done, path):
        """Which file, which byte of it, why, and what to do."""
        self.assertEqual(done.status, 5, str(done))
        self.assertRegex(done.err, f"iommu-[a-z-]+: {path}: (byte 0x[0-9a-f]+ is gone: it)? ?became shorter while it was read; "
                                   "look at a copy of it\n$".encode())
        self.assertEqual(done.out, b"")

    def test_capture(self):
        path = self.machine()
        done = self.while_it_waits(path)
        self.is_told(done, path)
        at = int(done.err.split(b"byte ")[1].split()[0], 16)
        with open(self.machine(), "rb") as f:  # written anew: what was asked first is the device context, or its page
            content = f.read()
        self.assertEqual(content[at:at + 8], (1).to_bytes(8, "little"))

    def padded(self):
        """A capture whose first half no table is in. Its path, its content."""
        m = common.Machine()
        for i in range(40):
            m.memory.page(0x70000000 + i * capture.PAGE)
        path = self.path("padded.core")
        note = {"memory": [{"start": "0xa0100000", "end": "0xa01fffff", "name": "Crash kernel"}]}
        capture.write(path, m.memory, m.registers, machine=note)
        with open(path, "rb") as f:
            return path, f.read()

    def test_capture_in_each_command_and_tool(self):
        failing.shim()
        path, content = self.padded()
        for tool, *args in ((common.TOOL, "list"), (common.TOOL, "devices"), (common.TOOL, "processes", "9"), (common.TOOL, "mappings", "8"),
                            (common.TOOL, "whomaps", "0x90000000"), (common.TOOL, "faults"), (common.TOOL, "check"), (common.TOP, "-b"),
                            (common.KEXEC_PREP, "check")):
            for json in ([], ["-J"]):
                with self.subTest(args=args, json=json):
                    if tool == common.KEXEC_PREP:
                        common.names_wanted()  # it looks for more in the capture only then
                    self.write("padded.core", content)
                    done = failing.call(tool, "-i", path, *(x for x in args if not json or x != "-b"), *json, shrink=path, late=1)
                    self.assertEqual(os.path.getsize(path), len(content) // 2)
                    self.is_told(done, path)

    def test_either_of_two_captures(self):
        for which in (0, 1):
            paths = [self.machine("old.core"), self.machine("new.core")]
            done = failing.call(common.TOOL, "diff", *paths, shrink=paths[which], late=1)
            self.assertEqual(done.status, 5, str(done))
            self.assertIn(b"became shorter", done.err)
            self.assertIn(os.path.basename(paths[which]).encode(), done.err)

    def test_capture_that_is_saved_from_leaves_no_temporary_file_and_the_old_file(self):
        path = self.machine()
        os.mkdir(self.path("out"))
        before = self.write("out/x", "before")
        done = failing.call(common.TOOL, "-i", path, "--save", before, "list", shrink=path, late=1)
        self.is_told(done, path)
        m = common.Machine()  # and when it was open already, and there is a temporary file
        capture.write(path, m.memory, m.registers)
        self.is_told(failing.call(common.TOOL, "-i", path, "--save", before, "list", shrink=path, late=2), path)
        self.assertEqual(os.listdir(self.path("out")), ["x"])
        with open(before, "rb") as f:
            self.assertEqual(f.read(), b"before")


class Images(inputs.Registers):
    START, image = inputs.Raw.START, inputs.Raw.image

    def test_image_of_memory(self):
        path = self.image()
        done = Mapped.while_it_waits(self, path, "-O", f"base={self.START:#x}", *self.by_hand())
        Mapped.is_told(self, done, path)
        self.assertIn(f"byte {64 * 8:#x} ".encode(), done.err)  # of the device context


class Dumps(inputs.Registers):
    def setUp(self):
        super().setUp()
        if b"not in this build" in common.call("-A", "help").out:
            self.skipTest("built without libkdumpfile")
        self.pages = common.Machine().memory.pages

    def test_compressed_and_flattened_dumps(self):
        """libkdumpfile maps what it likes of it. What is gone is told, as damage or as missing."""
        for name, content in (("dump", kdump.dump(self.pages, compress=False)), ("flat", kdump.flattened(kdump.dump(self.pages)))):
            with self.subTest(name):
                path = self.write(name, content)
                if common.call("-i", path, *self.by_hand(), "regs", "ddtp").status == 1:
                    continue  # this libkdumpfile opens no flattened dumps
                done = Mapped.while_it_waits(self, path, *self.by_hand())
                self.assertEqual(done.status, 5, str(done))
                self.assertNotEqual(done.err, b"")
                done = failing.call(common.TOOL, "-i", path, *self.by_hand(), "devices", shrink=path)
                self.assertEqual(done.status, 5, str(done))
                self.assertIn(name.encode(), done.err)


class Read(common.Case):
    """What is read and not mapped is shorter then, and that is damage: nothing of it is used."""

    def halved(self, path, tool, *args, short=4096, status=5, **kwargs):
        size = os.path.getsize(path)
        done = failing.call(tool, *args, shrink=path, short=short, **kwargs)
        self.assertEqual(os.path.getsize(path), size // 2, "the file was not read")
        self.assertEqual(done.status, status, str(done))
        self.assertIn(os.path.basename(path).encode(), done.err)
        return done

    def test_kernel_image(self):
        source = self.write("vmlinuz", prep.image(size=16 * 4096, image_size=0x20000))
        before = self.write("out", "before")
        self.halved(source, common.KEXEC_PREP, "-i", self.machine(), "image", source, "-o", before)
        with open(before, "rb") as f:
            self.assertEqual(f.read(), b"before")

    def test_device_tree(self):
        tree = fdt.machine()
        tree.children.append(fdt.Node("x", {"filler": bytes(16 * 4096)}))
        source = self.write("in.dtb", fdt.blob(tree))
        before = self.write("out", "before")
        self.halved(source, common.KEXEC_PREP, *self.fake_root(), "dtb", "--in", source, "-o", before)
        with open(before, "rb") as f:
            self.assertEqual(f.read(), b"before")

    def test_handover_record(self):
        path = self.write("record", prep.record(prep.entry()))
        self.halved(path, common.KEXEC_PREP, "-i", path, "report", short=1024)

    def test_recording(self):
        r = recording.Recording().state(0)
        for i in range(5000):
            r.fault(0.5 + i * 1e-5, i + 1)
        path = self.write("x.rec", r.end(2).bytes)
        common.wanted(common.TOP, ["-J"])
        process = subprocess.Popen([common.TOP, "-J", "-i", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, LC_ALL="C"))
        with process:
            first = process.stdout.readline()  # more than a pipe holds comes after this
            os.truncate(path, os.path.getsize(path) // 2)
            out, err = process.communicate(timeout=common.TIMEOUT)
        self.assertIn(b'"fault"', first + out[:500])
        self.assertEqual(process.returncode, 5, err)
        self.assertIn(b"x.rec: ", err)
        self.assertIn(b"what is before that was played", err)


class State(quiesce.Machine):
    def test_state_file(self):
        self.quiesce()
        name, = (n for n in os.listdir(self.path("run")) if not n.endswith("lock"))
        path, registers = os.path.join(self.path("run"), name), self.page()
        done = failing.call(quiesce.TOOL, *self.options, "--undo", shrink=path, short=64)
        self.assertEqual(done.status, 5, str(done))
        self.assertIn(name.encode(), done.err)
        self.assertEqual(self.page(), registers)
