# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said where a source cannot be opened or a word is mistyped; a capture that is interrupted; devices with one id, and with several."""
import bz2
import gzip
import lzma
import os
import shutil
import signal
import struct
import subprocess
import time
import unittest

import capture
import common
import fdt
import schema

QUIESCE = os.environ.get("IOMMU_QUIESCE")


def quiesce():
    tool = QUIESCE or os.path.join(os.path.dirname(common.TOOL), "iommu-quiesce")
    if not os.path.exists(tool):
        raise unittest.SkipTest("no iommu-quiesce")
    return tool


class Unopened(common.Case):
    """With -J standard output is one object whatever happens to the source."""

    def refused(self, *args, status, words, tool=None):
        done = self.ran("-J", *args, status=status, tool=tool)
        top = self.one_object(done)
        self.assertIs(top["complete"], False, str(done))
        self.assertIsNone(top["source"])
        self.assertEqual(len(top["errors"]), 1, str(done))
        self.assertIn(words, top["errors"][0])
        self.assertEqual(done.err.count(words.encode()), 1, str(done))
        name = top["schema"].split("/")[0]
        shape = schema.load(os.path.join(os.path.dirname(schema.PATH), name + "-1.schema.json"))
        self.assertEqual(schema.Checker(shape).errors(top)[:4], [], str(done))
        return top

    def test_dump_of_a_file_that_is_not_there(self):
        for command in ("list", "devices", "faults"):
            self.refused("-i", self.path("nothing"), command, status=1, words="nothing")

    def test_dump_of_a_damaged_file(self):
        self.refused("-i", self.write("text", b"hello\n" * 100), "list", status=5, words="not an ELF file")

    def test_dump_of_an_iommu_that_is_not_there(self):
        self.refused("-i", self.machine(), "-u", "0x7000", "list", status=3, words="0x7000")

    def test_dump_of_a_machine_without_one(self):
        self.refused(*self.fake_root(bases=()), "list", status=3, words="no IOMMU found on this machine")

    def test_dump_where_sysfs_is_not_mounted(self):
        options = self.fake_root(bases=())
        shutil.rmtree(self.path("root/sys"))
        self.refused(*options, "list", status=3, words="root/sys/class: No such file or directory; mount it")

    def test_batch_has_no_envelope_here_either(self):
        done = self.ran("-J", "-i", self.path("nothing"), "translate", "--batch", "-", status=1)
        self.assertEqual(done.out, b"")

    def test_text_prints_nothing(self):
        self.assertEqual(self.ran("-i", self.path("nothing"), "list", status=1).out, b"")

    def test_kexec_prep_of_a_machine_without_one(self):
        if not common.KEXEC_PREP or not os.path.exists(common.KEXEC_PREP):
            self.skipTest("no iommu-kexec-prep")
        self.refused(*self.fake_root(bases=()), "check", status=3, words="no IOMMU", tool=common.KEXEC_PREP)

    def test_kexec_prep_of_a_policy_for_nobody(self):
        if not common.KEXEC_PREP or not os.path.exists(common.KEXEC_PREP):
            self.skipTest("no iommu-kexec-prep")
        done = self.ran("-J", *self.fake_root(), "--policy", "nobody=leave", "load", "x", status=3, tool=common.KEXEC_PREP)
        self.assertIn("nobody", self.one_object(done)["errors"][0])

    def test_quiesce_of_a_machine_without_one(self):
        self.refused(*self.fake_root(bases=()), "--plan", status=3, words="no IOMMU", tool=quiesce())


class Packed(common.Case):
    def test_packed_capture_is_named_with_what_unpacks_it(self):
        with open(self.machine(), "rb") as f:
            content = f.read()
        for program, packed in (("gzip", gzip.compress(content)), ("xz", lzma.compress(content)),
                                ("bzip2", bz2.compress(content)), ("zstd", b"\x28\xb5\x2f\xfd" + content),
                                ("lz4", b"\x04\x22\x4d\x18" + content)):
            with self.subTest(program):
                done = self.ran("-i", self.write("packed", packed), "list", status=1)
                self.assertIn(f"{program} -dc".encode(), done.err)

    def test_beginning_of_a_packed_file_is_not_read_past(self):
        for content in (b"\x1f", b"\xfd7zX", b"B"):
            self.assertIn(b"not an ELF file", self.ran("-i", self.write("short", content), "list", status=5).err)


class Words(common.Case):
    def test_mistyped_command_gets_the_nearest(self):
        for word, meant in (("lits", "list"), ("device", "devices"), ("fautls", "faults"), ("mapings", "mappings")):
            self.assertIn(f"did you mean '{meant}'?".encode(), self.ran(word, status=2).err)

    def test_word_like_none_gets_none(self):
        for word in ("zzzzzzzz", "", "x" * 5000):
            self.assertNotIn(b"did you mean", self.ran(word, status=2).err)

    def test_mistyped_command_of_kexec_prep(self):
        if not common.KEXEC_PREP or not os.path.exists(common.KEXEC_PREP):
            self.skipTest("no iommu-kexec-prep")
        self.assertIn(b"did you mean 'report'?", self.ran("reprot", status=2, tool=common.KEXEC_PREP).err)

    def test_very_verbose_says_nothing_twice_in_a_row(self):
        for args in (["-i", self.write("text", b"hello\n" * 100), "list"], [*self.fake_root(bases=()), "list"],
                     [*self.fake_root(), "list"], ["-i", self.machine(registers={"fqb": None}), "faults"]):
            lines = self.sane(common.call("-vv", *args)).err.splitlines()
            self.assertTrue(lines)
            self.assertEqual([a for a, b in zip(lines, lines[1:]) if a == b], [], args)


class Interrupted(common.Case):
    """--save and a signal: the file is complete or not there, and nothing else is."""

    L1S = 256

    def large(self):
        """A first stage with 2^17 tables of the last level, which are zero pages that the file need not hold."""
        m = common.Machine()
        tables, leaves = 0x100000000, 0x140000000
        for i in range(self.L1S):
            m.memory.put64(m.ROOT + 8 * i, common.pte(tables + i * capture.PAGE, 1))
            m.memory.put64(tables + i * capture.PAGE,
                           *(common.pte(leaves + (512 * i + j) * capture.PAGE, 1) for j in range(512)))
        segments = m.memory.segments() + [(leaves, b"", 512 * self.L1S * capture.PAGE)]
        return self.write("large.core", capture.core(capture.registers_note(m.registers), segments))

    def test_signal_leaves_no_temporary_file(self):
        core = self.large()
        os.mkdir(self.path("out"))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            for delay in (0.02, 0.1, 0.2, 0.4):
                process = subprocess.Popen([common.TOOL, "-i", core, "--save", self.path("out/x"), "regs", "fctl"],
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                time.sleep(delay)
                process.send_signal(number)
                process.communicate(timeout=30)
                left = set(os.listdir(self.path("out")))
                self.assertLessEqual(left, {"x"}, (number, delay))
                if "x" in left:
                    os.unlink(self.path("out/x"))
                    self.assertIn(process.returncode, (0, -number))
                else:
                    self.assertEqual(process.returncode, -number)

    def test_ignored_signal_does_not_stop_it(self):
        process = subprocess.Popen(["sh", "-c", 'trap "" HUP; exec "$@"', "sh", common.TOOL, "-i", self.large(), "--save",
                                    self.path("x"), "regs", "fctl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.1)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0)
        with open(self.path("x"), "rb") as f:
            self.assertEqual(struct.unpack("<4s", f.read(4)), (b"\x7fELF",))


class SeveralIds(common.Case):
    """A platform device may make requests by several ways, each with an id; its node may say one twice."""

    def options(self, *ids):
        tree = fdt.machine()
        tree.children[1].children[1].props["iommus"] = b"".join(fdt.cells(1, number) for number in ids)
        options = self.fake_root(tree=tree)
        self.debugfs(common.Machine().registers)
        os.makedirs(self.path("root/sys/bus/platform/devices/4000000.dma"))
        os.symlink("../../../firmware/devicetree/base/soc/dma@4000000",
                   self.path("root/sys/bus/platform/devices/4000000.dma/of_node"))
        with open(self.machine(), "rb") as f:
            self.write("root/kcore", f.read())
        return options

    def test_they_are_named_and_one_of_them_is_enough(self):
        options = self.options(8, 9)
        for command in (("mappings", "4000000.dma"), ("translate", "4000000.dma", "0x1000")):
            done = self.ran(*options, *command, status=2)
            self.assertIn(b"4000000.dma has several device_ids; give one of them: 0x8 0x9\n", done.err)
            self.assertNotIn(b"-u", done.err)
        self.ran(*options, "translate", "0x8", "0x1000")

    def test_quiesce_does_not_send_for_another_iommu(self):
        done = common.call(*self.options(8, 9), "--plan", "--device", "4000000.dma", tool=quiesce())
        self.assertEqual(done.status, 2, str(done))
        self.assertIn(b"it has several device_ids; give one of them", done.err)

    def test_one_that_is_said_twice_is_one(self):
        options = self.options(8, 8)
        self.ran(*options, "translate", "4000000.dma", "0x1000")
        self.assertEqual(self.ran(*options, "devices").out.count(b"4000000.dma"), 1)

    def test_device_without_a_name_is_not_called_nothing(self):
        note = {"devices": [{"device_id": "0x8"}, {"device_id": "0x9"}]}
        common.names_wanted()
        self.assertIn(b"no such device", self.ran("-i", self.machine(note=note), "devices", "", status=2).err)


class Aliases(common.Case):
    """Behind a bridge that takes requests over, several devices have one device_id."""

    def core(self):
        device = {"iommu": f"{common.BASE:#x}"}
        return self.machine(note={"devices": [
            {**device, "device_id": "0x8", "name": "0000:01:00.0", "driver": "first"},
            {**device, "device_id": "0x8", "name": "0000:01:01.0", "driver": "second"},
            {**device, "device_id": "0x9", "name": "0000:01:02.0"}]})

    def test_list_has_each(self):
        devices = self.object("-i", self.core(), "devices")["devices"]
        self.assertEqual([(d["device_id"], d["name"], d["driver"]) for d in devices][:3],
                         [("0x8", "0000:01:00.0", "first"), ("0x8", "0000:01:01.0", "second"), ("0x9", "0000:01:02.0", None)])
        self.assertEqual({d["address"] for d in devices[:2]}, {f"{common.Machine.DDT + 64 * 8:#x}"})
        text = self.ran("-i", self.core(), "devices").out
        self.assertIn(b"0000:01:00.0", text)
        self.assertIn(b"0000:01:01.0", text)

    def test_one_in_full_names_the_others(self):
        common.names_wanted()
        for name in ("0x8", "0000:01:00.0", "01:01.0"):
            text = self.ran("-i", self.core(), "devices", name).out
            self.assertIn(b"0000:01:00.0", text)
            self.assertIn(b"also the device_id of 0000:01:01.0, driver second", text)
            self.assertEqual([d["driver"] for d in self.object("-i", self.core(), "devices", name)["devices"]],
                             ["first", "second"])

    def test_a_device_alone_names_none(self):
        self.assertNotIn(b"also", self.ran("-i", self.core(), "devices", "9").out)
