/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "live.h"

#include <unistd.h>

static void text(const char *name, const char *words)
{
	fuzz_file(name, words, strlen(words));
}

static void make_link(const char *name, const char *target)
{
	MUST(!symlink(target, fuzz_path(name)));
}

#define PCI      "sysfs.path/bus/pci/devices/"
#define PLATFORM "sysfs.path/bus/platform/devices/"

void live_begin(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	fuzz_make_dir("sysfs.path/class/iommu/riscv-iommu@3010000.iommu");
	fuzz_make_dir("sysfs.path/class/iommu/riscv-iommu@RSCV0004:00");
	fuzz_make_dir("sysfs.path/kernel/iommu_groups/0");
	text("sysfs.path/kernel/iommu_groups/0/type", "identity\n");
	fuzz_make_dir(PCI "0000:00:01.0");
	text(PCI "0000:00:01.0/class", "0x020000\n");
	make_link(PCI "0000:00:01.0/iommu_group", "../../../../kernel/iommu_groups/0");
	make_link(PCI "0000:00:01.0/driver", "../../../../bus/pci/drivers/edu");
	fuzz_make_dir(PCI "0000:00:02.0");
	text(PCI "0000:00:02.0/class", "0x080600\n");
	text(PCI "0000:00:02.0/resource",
	     "0x0000000040000000 0x0000000040000fff 0x0000000000140204\n");
	fuzz_make_dir(PCI "0001:00:03.0");
	fuzz_make_dir(PLATFORM "10000000.dma/firmware_node");
	make_link(PLATFORM "10000000.dma/of_node",
		  "../../../firmware/devicetree/base/soc/dma@10000000");
	text(PLATFORM "10000000.dma/firmware_node/path", "\\_SB_.DMA0\n");
	/* damaged: one that is missing would be put together from files each time */
	text("fdt.path", "no tree");
	fuzz_make_dir("acpi.path");
	fuzz_make_dir("dt.path/chosen");
	fuzz_make_dir("debugfs.path/riscv-iommu/riscv-iommu@3010000.iommu");
	fuzz_make_dir("proc.path/sys/kernel/random");
	text("proc.path/sys/kernel/osrelease", "7.2.0\n");
	text("proc.path/iomem",
	     "03010000-03010fff : RSCV0004:00\n80000000-bfffffff : System RAM\n");
}

void live_look(struct riommu_ctx *ctx)
{
	struct riommu_system *sys = fuzz_open(ctx, NULL);
	struct riommu_device_ref refs[8];

	for (size_t i = 0; sys && i < sys->device_count; i++) {
		const struct riommu_device *d = &sys->devices[i];

		MUST(d->device_id < 1 << 24);
		MUST(d->iommu < sys->iommu_count || d->iommu == RIOMMU_NO_IOMMU);
		MUST(!i || sys->devices[i - 1].iommu < d->iommu ||
		     (sys->devices[i - 1].iommu == d->iommu &&
		      sys->devices[i - 1].device_id <= d->device_id));
		MUST(riommu_system_find_device(sys, d->name, refs, 8));
	}
	for (size_t i = 0; sys && i < sys->iommu_count; i++) {
		MUST(!(sys->iommus[i].base & RIOMMU_PAGE_MASK));
		MUST(riommu_system_find_iommu(sys, sys->iommus[i].name) != RIOMMU_NO_IOMMU);
	}
	riommu_system_close(sys);
}
