/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A capture or vmcore, byte for byte: what opens is looked at, saved, and reads back the same. */
#include "look.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct riommu_ctx *ctx = fuzz_ctx();
	struct riommu_system *sys;

	if (len && bytes[len - 1] & 1)
		MUST(!riommu_option_set(ctx, "excluded", "zero"));
	fuzz_file("core", bytes, len);
	sys = fuzz_open(ctx, fuzz_path("core"));
	if (sys) {
		look_at(sys);
		look_saved(sys);
	}
	riommu_system_close(sys);
	riommu_ctx_free(ctx);
	return 0;
}
