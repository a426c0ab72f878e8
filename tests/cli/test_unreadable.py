# SPDX-License-Identifier: GPL-2.0-or-later
"""
Files of the system that are there and cannot be read: a failing disk, a kernel that answers with an error. A link that leads to itself
does so for root, too (ELOOP), and is neither "not there" nor "refused". What they would have told is missing, and that is said.
"""
import os

import common
import test_kexec_prep as prep
import test_quiesce as quiesce

LOOP = b"Too many levels of symbolic links"


def broken(path):
    """PATH, in whose place there is a link to itself."""
    if os.path.lexists(path):
        os.rename(path, path + ".before")
    os.symlink(os.path.basename(path), path)
    return path


def mended(path):
    os.unlink(path)
    os.rename(path + ".before", path)


class Discovery(common.Case):
    def setUp(self):
        super().setUp()
        self.options = self.fake_root()
        self.debugfs(common.Machine().registers)
        at = "root/sys/devices/pci0000:00/0000:00:01.0"
        self.write(f"{at}/class", "0xff0000\n")
        os.symlink("../../../devices/pci0000:00/0000:00:01.0", self.path("root/sys/bus/pci/devices/0000:00:01.0"))
        self.ran(*self.options, "regs", "ddtp")

    def told(self, name, *args):
        path = broken(self.path(name))
        top = self.object(*self.options, *args)
        self.assertIs(top["complete"], False)
        self.assertTrue(any(path in error and LOOP.decode() in error for error in top["errors"]), top["errors"])

    def test_map_of_the_memory(self):
        self.told("root/proc/iomem", "regs", "ddtp")

    def test_devices_of_a_bus(self):
        self.told("root/sys/bus/pci/devices", "regs", "ddtp")

    def test_iommus_of_the_kernel(self):
        self.told("root/sys/class/iommu", "regs", "ddtp")

    def test_registers(self):
        done = self.ran("-J", *self.options, "regs", status=0)
        self.assertTrue(self.one_object(done)["complete"])
        path = broken(self.path("root/debugfs/riscv-iommu/riscv-iommu@3010000.iommu/registers"))
        done = common.call("-J", *self.options, "regs")
        self.sane(done)
        self.assertNotEqual(done.status, 0)
        self.assertIn(path.encode(), done.err)
        self.assertIn(LOOP, done.err)
        self.assertIs(self.one_object(done)["complete"], False)


class Quiesce(quiesce.Machine):
    def config_path(self, name):
        return self.path(f"root/sys/devices/pci0000:00/{name}/config")

    def test_a_function_that_cannot_be_asked_does_not_drop_out_of_the_plan_in_silence(self):
        broken(self.config_path(quiesce.EDU))
        top = self.report("--plan")
        self.assertIs(top["complete"], False)
        self.assertTrue(any(quiesce.EDU in error and LOOP.decode() in error for error in top["errors"]), top["errors"])

    def test_a_function_that_is_gone_is_no_error(self):
        os.unlink(self.config_path(quiesce.EDU))
        self.quiesce("--plan")

    def test_undo_of_a_function_that_cannot_be_asked_says_that_nothing_was_undone(self):
        self.quiesce()
        left = self.reg("ddtp"), self.command(quiesce.NVME)
        path = broken(self.config_path(quiesce.EDU))
        done = self.quiesce("--undo", status=1)
        self.assertIn(b"nothing was changed", done.err)
        self.assertNotIn(b"undone: the IOMMU is as it was", done.out)
        self.assertEqual((self.reg("ddtp"), self.command(quiesce.NVME)), left)
        mended(path)
        self.quiesce("--undo")
        self.assertEqual((self.reg("ddtp"), self.command(quiesce.EDU)), (quiesce.DDTP, 0x0106))

    def test_without_the_list_of_functions_nothing_is_done(self):
        before = self.reg("ddtp"), self.command(quiesce.EDU)
        broken(self.path("root/sys/bus/pci/devices"))
        done = self.quiesce(status=1)
        self.assertIn(LOOP, done.err)
        mended(self.path("root/sys/bus/pci/devices"))
        self.assertEqual((self.reg("ddtp"), self.command(quiesce.EDU)), before)

    def test_who_is_cut_off_is_not_known_where_a_disk_cannot_be_looked_at(self):
        for name in ("root/proc/swaps", "root/proc/self/mountinfo", "root/sys/class/net"):
            with self.subTest(name):
                path = broken(self.path(name))
                done = self.quiesce(status=1)
                self.assertIn(b"who would be cut off is not known", done.err)
                self.assertEqual(self.reg("ddtp"), quiesce.DDTP)
                mended(path)

    def test_an_interface_of_which_nothing_can_be_read_is_taken_for_one_that_is_up(self):
        self.interface(0)
        self.quiesce("--plan")
        broken(self.path(f"root/sys/devices/pci0000:00/{quiesce.EDU}/net/eth7/flags"))
        self.assertIn(b"eth7", self.quiesce(status=7).err)

    def test_a_state_that_cannot_be_read_is_no_state_that_is_not_there(self):
        self.quiesce()
        name, = (n for n in os.listdir(self.path("run")) if not n.endswith("lock"))
        path = broken(os.path.join(self.path("run"), name))
        self.assertIn(LOOP, self.quiesce("--undo", status=1).err)
        self.assertEqual(self.reg("ddtp"), quiesce.DDTP & ~0xf)
        mended(path)
        self.quiesce("--undo")


class KexecPrep(prep.Prep):
    def setUp(self):
        super().setUp()
        self.options = self.root(registers=common.Machine().registers)
        self.source = self.write("vmlinuz", prep.image())
        os.makedirs(self.path("tmp"))

    def load(self, *args, status=0):
        return self.prep(*self.options, "load", self.source, *args, status=status, env={"TMPDIR": self.path("tmp")})

    def told(self, name, *args):
        path = broken(self.path(name))
        done = common.call("-J", *self.options, *args, tool=prep.TOOL)
        self.sane(done)
        self.assertIn(path.encode() + b": " + LOOP, done.err)
        self.assertIs(self.one_object(done)["complete"], False)
        mended(path)

    def test_what_the_kernel_says_of_itself(self):
        self.kexec()
        self.told("root/proc/cmdline", "load", "--plan", self.source)
        for name in ("kexec_loaded", "security/lockdown"):
            with self.subTest(name):
                self.told("root/sys/kernel/" + name, "check", self.source)

    def test_the_configuration_of_the_next_kernel(self):
        self.write(f"root/boot/config-{prep.RELEASE}", "CONFIG_RISCV_IOMMU=y\n")
        self.told(f"root/boot/config-{prep.RELEASE}", "check", self.source)

    def test_a_mark_that_cannot_be_left_says_why(self):
        self.kexec()
        self.write("state", "a file")
        done = self.load("-O", f"state.path={self.path('state')}/x")
        self.assertRegex(done.err, b"the mark that a kernel is loaded cannot be left .*Not a directory")

    def test_a_kexec_that_cannot_be_looked_at_says_why(self):
        self.kexec()
        broken(self.path("root/kexec"))
        self.assertIn(LOOP, self.load(status=1).err)
