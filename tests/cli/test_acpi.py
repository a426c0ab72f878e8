# SPDX-License-Identifier: GPL-2.0-or-later
"""
A machine that boots by ACPI: RIMT says where IOMMUs are and which device_id a device has. The two tables are real: what
Linux shows as /sys/firmware/acpi/tables/RIMT on QEMU 11.1's virt board with EDK2, the first with iommu-sys=on, the second with
riscv-iommu-pci as function 00:01.0. What is around them is laid out as sysfs was there.
"""
import os

import common

PLATFORM = bytes.fromhex("""
    52494d548000000001de424f43485320 42585043202020200100000042585043
    01000000020000003000000000000000 00012800000000005253435630303034
    00000103000000000000000000000000 00000000000028000101280000000100
    00000000000000001400010000000000 00000100000000003000000000000000""")
PCI = bytes.fromhex("""
    52494d5480000000014e424f43485320 42585043202020200100000042585043
    01000000020000003000000000000000 00012800000000003030313030303134
    00000000000000000100000000000000 00000800000028000101280000000100
    00000000000000001400010009000000 f7ff0000090000003000000000000000""")


class Acpi(common.Case):
    def function(self, name, kind="0x00ff00", iommu=None):
        self.write(f"root/sys/bus/pci/devices/{name}/class", kind + "\n")
        if iommu:
            os.symlink(f"../../../../virtual/iommu/riscv-iommu@{iommu}", self.path(f"root/sys/bus/pci/devices/{name}/iommu"))

    def acpi(self, table, iomem=""):
        """Options for a machine without a device tree; root/fdt, which Linux makes of /chosen alone, has no devices."""
        options = self.fake_root(bases=())
        os.unlink(self.path("root/fdt"))
        self.write("root/acpi/RIMT", table)
        self.write("root/proc/iomem", iomem + "80060000-bf90bfff : System RAM\n")
        return options

    def platform(self, **kwargs):
        options = self.acpi(PLATFORM, **kwargs)
        os.makedirs(self.path("root/sys/class/iommu/riscv-iommu@RSCV0004:00"))
        self.function("0000:00:00.0", iommu="RSCV0004:00")
        self.function("0000:00:01.0", iommu="RSCV0004:00")
        self.write("root/sys/class/dmi/id/product_name", "KVM Virtual Machine\n")
        return options

    IOMEM = "03010000-03010fff : RSCV0004:00\n  03010000-03010fff : RSCV0004:00 RSCV0004:00\n"

    def test_platform_iommu_is_found_and_has_the_kernels_name(self):
        options = self.platform(iomem=self.IOMEM)
        self.debugfs(common.Machine().registers, name="RSCV0004:00")
        top = self.object(*options, "list", status=common.call("-J", *options, "list").status)
        iommu, = top["iommus"]
        self.assertEqual((iommu["name"], iommu["base"], iommu["found"], iommu["method"]),
                         ("RSCV0004:00", f"{common.BASE:#x}", "acpi", "debugfs"))
        self.assertEqual(top["source"]["model"], "KVM Virtual Machine")
        text = common.call(*options, "list").out
        self.assertIn(b"ACPI: RIMT, node at 0x30, RSCV0004", text)

    def test_who_is_not_root_has_the_base_for_a_name(self):
        options = self.platform(iomem="00000000-00000000 : RSCV0004:00\n")
        self.debugfs(common.Machine().registers)
        iommu, = self.object(*options, "regs", "fctl")["iommus"]
        self.assertEqual(iommu["name"], f"{common.BASE:#x}")

    def devices(self, options):
        top = self.object(*options, "devices", status=common.call("-J", *options, "devices").status)
        return {d["name"]: d["device_id"] for d in top["devices"] if d["name"]}

    def test_devices_have_the_ids_of_the_table(self):
        options = self.platform(iomem=self.IOMEM)
        self.debugfs(common.Machine().registers, name="RSCV0004:00")
        self.write("root/kcore", self.kcore())
        self.assertEqual(self.devices(options), {"0000:00:00.0": "0x0", "0000:00:01.0": "0x8"})

    def kcore(self):
        with open(self.machine(), "rb") as f:
            return f.read()

    def test_iommu_on_pci_is_the_function_that_the_table_names(self):
        options = self.acpi(PCI)
        base = 0x400000000
        self.function("0000:00:00.0")
        self.function("0000:00:01.0", kind="0x080600")
        self.write("root/sys/bus/pci/devices/0000:00:01.0/resource",
                   f"{base:#018x} {base + 0xfff:#018x} 0x0000000000140204\n")
        self.function("0000:00:02.0")
        self.debugfs(common.Machine().registers, base=base, name="0000:00:01.0")
        self.write("root/kcore", self.kcore())
        iommu, = self.object(*options, "regs", "fctl")["iommus"]
        self.assertEqual((iommu["name"], iommu["base"]), ("0000:00:01.0", f"{base:#x}"))
        # the map begins behind the IOMMU itself: 00:00.0 is behind none
        self.assertEqual(self.devices(options), {"0000:00:02.0": "0x10"})

    def test_device_tree_that_has_iommus_comes_first(self):
        options = self.fake_root()
        self.write("root/acpi/RIMT", PLATFORM)
        self.debugfs(common.Machine().registers)
        iommu, = self.object(*options, "list", status=common.call("-J", *options, "list").status)["iommus"]
        self.assertEqual(iommu["found"], "device_tree")

    def test_damaged_table_is_told(self):
        for table, word in ((PLATFORM[:100], b"says that it has 128 bytes, and 100 are there"), (b"", b"no such table"),
                            (b"X" * 200, b"no such table"), (PLATFORM[:8] + b"\2" + PLATFORM[9:], b"revision 2")):
            done = self.ran(*self.acpi(table), "list", status=3)
            self.assertIn(word, done.err)

    def test_wrong_checksum_is_told_and_the_table_used(self):
        options = self.acpi(PLATFORM[:9] + b"\0" + PLATFORM[10:])
        done = self.sane(common.call("-J", *options, "list"))
        self.assertIn(b"checksum", done.err)
        self.assertEqual(len(self.one_object(done)["iommus"]), 1)
