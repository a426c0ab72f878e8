# SPDX-License-Identifier: GPL-2.0-or-later
"""
What was wrong once when memory was out, each by its name: every allocation of one small command fails in turn, and one thing is looked at.
tests/inject does so with all commands, and with the system calls, too.
"""
import gzip
import os

import common
import failing
import recording
import test_kexec_prep as prep


class Memory(common.Case):
    def setUp(self):
        super().setUp()
        failing.shim()

    def tell(self, number, done):
        return f"allocation {number}: {done}"

    def objects(self, tool, *args, **kwargs):
        """(number, Done, object) of each run that printed something."""
        for number, done in failing.each(tool, "-J", *args, **kwargs):
            self.assertIn(done.status, common.STATUSES, self.tell(number, done))
            if done.out:
                yield number, done, self.one_object(done)


class Answers(Memory):
    """What could not be looked at is not told to be otherwise."""

    def test_a_device_whose_context_was_not_read_is_not_without_one(self):
        core = self.machine(note={"devices": [{"device_id": "0x8", "iommu": f"{common.BASE:#x}"}]})
        for number, done, top in self.objects(common.TOOL, "-i", core, "devices"):
            states = {d["device_id"]: d["state"] for d in top.get("devices", [])}
            self.assertNotEqual(states.get("0x8"), "no context", self.tell(number, done))

    def test_contexts_that_were_not_counted_are_not_none(self):
        for number, done, top in self.objects(common.TOOL, "-i", self.machine(), "list"):
            counted = [unit["contexts"] for unit in top.get("iommus", [])]
            self.assertIn(counted, ([3], [None], []), self.tell(number, done))
            self.assertEqual(counted == [3] and not done.err, top["complete"], self.tell(number, done))

    def test_a_process_directory_that_was_not_read_is_not_empty(self):
        for number, done, top in self.objects(common.TOOL, "-i", self.machine(), "processes", "9"):
            self.assertEqual(len(top.get("processes", [])) == 1 and not done.err, top["complete"], self.tell(number, done))
        for number, done in failing.each(common.TOOL, "-i", self.machine(), "processes", "9"):
            self.assertNotIn(b"is empty", done.out, self.tell(number, done))

    def test_what_reaches_the_crash_kernel_is_known_or_told_to_be_not(self):
        note = {"kernel": "7.2", "memory": [{"start": "0xa0100000", "end": "0xa01fffff", "name": "Crash kernel"}]}
        args = "-i", self.machine(note=note), "check"
        good = {f["id"] for f in self.one_object(failing.call(common.KEXEC_PREP, "-J", *args))["findings"]}
        self.assertIn("dma-window", good)
        for number, done, top in self.objects(common.KEXEC_PREP, *args):
            if top["complete"]:
                self.assertEqual({f["id"] for f in top["findings"]}, good, self.tell(number, done))

    def test_json_is_whole_and_says_that_the_answer_is_not(self):
        for number, done, top in self.objects(common.TOOL, "-i", self.machine(), "regs", "ddtp", "fqt"):
            if done.err:
                self.assertIs(top["complete"], False, self.tell(number, done))
                self.assertTrue(top["errors"], self.tell(number, done))

    def test_names_of_devices_are_not_left_out_in_silence(self):
        core = self.machine(note={"devices": [{"device_id": "0x8", "name": "0000:00:01.0", "iommu": f"{common.BASE:#x}"}]})
        for number, done, top in self.objects(common.TOOL, "-i", core, "devices", "8"):
            if top["complete"]:
                self.assertEqual([d["name"] for d in top["devices"]], ["0000:00:01.0"], self.tell(number, done))


class Reasons(Memory):
    def reason_is_told(self, tool, *args, **kwargs):
        for number, done in failing.each(tool, *args, **kwargs):
            if done.status:
                self.assertRegex(done.err, b"out of memory|Cannot allocate memory", self.tell(number, done))

    def test_of_a_recording_that_cannot_be_opened(self):
        path = self.write("x.rec", recording.Recording().state(0).fault(0.5, 1).end(1).bytes)
        self.reason_is_told(common.TOP, "-J", "-i", path)

    def test_of_an_image_that_cannot_be_unpacked(self):
        core = self.machine()
        for name, content in (("plain", prep.image()), ("packed", gzip.compress(prep.image()))):
            with self.subTest(name):
                source = self.write(name, content)
                self.reason_is_told(common.KEXEC_PREP, "-i", core, "image", source, "-o", self.path("out"))


class Files(Memory):
    """What was not written as a whole was not written."""

    def test_a_capture_is_whole_or_what_was_there_before(self):
        core, out = self.machine(), self.path("out/x")
        os.mkdir(self.path("out"))
        for number, done in failing.each(common.TOOL, "-i", core, "--save", out, "regs", "ddtp", before=lambda: self.write("out/x", "before")):
            self.assertIn(done.status, common.STATUSES, self.tell(number, done))
            self.assertEqual(os.listdir(self.path("out")), ["x"], self.tell(number, done))
            with open(out, "rb") as f:
                content = f.read()
            if content == b"before":
                self.assertEqual(done.status, 1, self.tell(number, done))
            else:
                self.assertEqual(content[:4], b"\x7fELF", self.tell(number, done))
        self.assertNotEqual(content, b"before")

    def test_load_leaves_no_files_behind(self):
        root = prep.Load("setUp")
        root.setUp()
        self.addCleanup(root.doCleanups)
        root.kexec()
        for number, done in failing.each(common.KEXEC_PREP, *root.options, "load", "--plan", root.source, env={"TMPDIR": root.path("tmp")}):
            self.assertEqual(os.listdir(root.path("tmp")), [], self.tell(number, done))


class Watching(Memory):
    def test_a_device_that_has_no_room_is_told(self):
        r = recording.Recording().state(0)
        for i in range(300):
            r.fault(0.5 + i * 1e-4, i + 1, did=i + 1)
        path = self.write("many.rec", r.end(2).bytes)
        total = failing.call(common.TOP, "-b", "-i", path).report[0]
        done = failing.call(common.TOP, "-b", "-i", path, alloc=total // 2)  # nearly all are for devices
        self.assertEqual(done.status, 1, str(done))
        self.assertIn(b"faults of new devices are only counted", done.err)
        self.assertIn(b"300 faults", done.out)


class Json(Memory):
    def test_the_machine_note_is_read_or_memory_is_said_to_be_out(self):
        """Not that it is damaged, which json-c says of some."""
        note = {"kernel": "7.2", "devices": [{"device_id": "0x8", "name": "0000:00:01.0"}], "memory": [{"start": "0x0", "end": "0xfff", "name": "x"}]}
        for number, done in failing.each(common.TOOL, "-i", self.machine(note=note), "regs", "ddtp"):
            self.assertNotEqual(done.status, 5, self.tell(number, done))
            self.assertNotIn(b"machine note", done.err, self.tell(number, done))
