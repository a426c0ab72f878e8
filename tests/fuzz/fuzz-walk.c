/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk over memory and registers that the input makes: everything that goes over tables, and that all of it agrees. */
#include "look.h"
#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct machine m;
	struct feed f = {bytes, len};
	struct riommu_ctx *ctx = fuzz_ctx();
	struct riommu_system *sys;

	machine_make(&m, &f);
	if (f.left & 1)
		MUST(!riommu_option_set(ctx, "absent", "fault"));
	machine_write(&m, "core");
	sys = fuzz_open(ctx, fuzz_path("core"));
	if (sys) {
		look_at(sys);
		if (f.left & 2)
			look_saved(sys);
	}
	riommu_system_close(sys);
	riommu_ctx_free(ctx);
	return 0;
}
