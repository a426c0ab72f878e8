/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of the debugfs module: what it gives is the same when it is read again. */
#include "live.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct riommu_open_args args = {.bases = (uint64_t[]){0x3010000}, .base_count = 1};
	struct riommu_system *sys, *again;
	struct riommu_ctx *ctx;

	live_begin();
	ctx = fuzz_ctx();
	fuzz_file("debugfs.path/riscv-iommu/riscv-iommu@3010000.iommu/registers", bytes, len);
	MUST(!riommu_system_open(ctx, &args, &sys));
	MUST(!riommu_system_open(ctx, &args, &again));
	riommu_system_read_registers(again, 0);
	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++) {
		MUST(sys->iommus[0].state[i] == again->iommus[0].state[i]);
		MUST(sys->iommus[0].value[i] == again->iommus[0].value[i]);
		MUST(riommu_registers()[i].width == 8 || sys->iommus[0].value[i] <= UINT32_MAX);
	}
	riommu_system_close(sys);
	riommu_system_close(again);
	riommu_ctx_free(ctx);
	return 0;
}
