/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small texts of /proc and /sys. Bytes of 0xff separate them; one that is left out is empty. */
#include "live.h"
#include "queue/watch-internal.h"

#include <stdlib.h>

static const char *const files[] = {
	"proc.path/iomem",
	"proc.path/interrupts",
	"proc.path/sys/kernel/osrelease",
	"sysfs.path/kernel/iommu_groups/0/type",
	"sysfs.path/bus/pci/devices/0000:00:02.0/resource",
	"sysfs.path/bus/pci/devices/0000:00:02.0/class",
	"sysfs.path/bus/platform/devices/10000000.dma/firmware_node/path",
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct riommu_open_args args = {.bases = (uint64_t[]){0x3010000}, .base_count = 1};
	struct feed f = {bytes, len};
	struct riommu_system *sys;
	struct riommu_ctx *ctx;
	uint64_t interrupts;
	int fd = -1;

	live_begin();
	ctx = fuzz_ctx();
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(files); i++) {
		char *text = feed_text(&f);

		fuzz_file(files[i], text, strlen(text));
		free(text);
	}
	live_look(ctx);
	MUST(!riommu_system_open(ctx, &args, &sys));
	for (size_t i = 0; i < sys->region_count; i++)
		MUST(sys->regions[i].start <= sys->regions[i].end && sys->regions[i].name[0]);
	queue_interrupts(sys, 0, &fd, &interrupts);
	riommu_close_fd(&fd);
	riommu_system_close(sys);
	riommu_ctx_free(ctx);
	return 0;
}
