/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A compressed or flattened dump: our checks of its headers, and what libkdumpfile makes of one that passes them. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct riommu_ctx *ctx = fuzz_ctx();
	struct riommu_open_args args = {
		.input = fuzz_path("dump"), .bases = (uint64_t[]){0x3010000}, .base_count = 1};
	struct riommu_system *sys = NULL;
	uint8_t first[16], again[16];
	int err;

	if (len && bytes[len - 1] & 1)
		MUST(!riommu_option_set(ctx, "excluded", "zero"));
	fuzz_file("dump", bytes, len);
	err = riommu_system_open(ctx, &args, &sys);
	if (err)
		fuzz_good_words(ctx);
	for (unsigned i = 0; !err && i < 16; i++) {
		uint64_t pa = (i & 8 ? 0x80000000 : 0) + (i & 7) * RIOMMU_PAGE_SIZE;
		int got = riommu_source_read(sys->memory, pa + 0xff8, first, sizeof(first));

		MUST(riommu_source_read(sys->memory, pa + 0xff8, again, sizeof(again)) == got);
		MUST(got || !memcmp(first, again, sizeof(first)));
	}
	riommu_system_close(sys);
	riommu_ctx_free(ctx);
	return 0;
}
