/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "images.h"

#include <check.h>
#include <libfdt.h>
#include <stdlib.h>

#define PE 0x40

uint32_t jal_x0(uint32_t offset)
{
	return 0x6fu | (offset >> 20 & 1) << 31 | (offset >> 1 & 0x3ff) << 21 |
	       (offset >> 11 & 1) << 20 | (offset >> 12 & 0xff) << 12;
}

static uint8_t *make(size_t size, uint64_t image_size)
{
	uint8_t *b = malloc(size);
	uint32_t x = 12345;

	ck_assert_ptr_nonnull(b);
	for (size_t i = 0; i < size; i++) {
		x = x * 1664525 + 1013904223;
		b[i] = (uint8_t)(x >> 24);
	}
	memset(b, 0, 64);
	riommu_put64(b + AT_TEXT_OFFSET, 0x200000);
	riommu_put64(b + AT_IMAGE_SIZE, image_size);
	riommu_put32(b + AT_VERSION, 2);
	memcpy(b + 48, "RISCV\0\0\0RSC\x05", 12);
	return b;
}

uint8_t *image_make(size_t size, uint64_t image_size)
{
	uint8_t *b = make(size, image_size);

	memcpy(b, "MZ", 2);
	riommu_put32(b + 2, jal_x0(MADE_ENTRY - 2));
	memcpy(b + 6, "\1\0", 2);
	riommu_put32(b + AT_PE, PE);
	memset(b + PE, 0, 24 + 40);
	memcpy(b + PE, "PE\0\0\x64\x50\1\0", 8);
	riommu_put32(b + PE + 24 + 16, (uint32_t)size - 0x1000); /* SizeOfRawData */
	riommu_put32(b + PE + 24 + 20, 0x1000);                  /* PointerToRawData */
	return b;
}

uint8_t *image_make_plain(size_t size, uint64_t image_size)
{
	uint8_t *b = make(size, image_size);

	riommu_put32(b, jal_x0(MADE_ENTRY));
	return b;
}

uint8_t *tree_make(size_t *len)
{
	size_t size = 4096;
	uint8_t *b = calloc(1, size);

	ck_assert_ptr_nonnull(b);
	ck_assert(!fdt_create(b, (int)size));
	ck_assert(!fdt_finish_reservemap(b));
	ck_assert(!fdt_begin_node(b, ""));
	ck_assert(!fdt_property_string(b, "model", "made by hand"));
	ck_assert(!fdt_begin_node(b, "chosen"));
	ck_assert(!fdt_property_string(b, "bootargs", "console=ttyS0"));
	ck_assert(!fdt_property_u64(b, "linux,elfcorehdr", 0x12345000));
	ck_assert(!fdt_property_u64(b, "linux,usable-memory-range", 0x90000000));
	ck_assert(!fdt_end_node(b));
	ck_assert(!fdt_begin_node(b, "soc"));
	ck_assert(!fdt_end_node(b));
	ck_assert(!fdt_end_node(b));
	ck_assert(!fdt_finish(b));
	*len = fdt_totalsize(b);
	return b;
}

uint8_t *tree_with_record(uint32_t capacity, size_t *len, size_t *at)
{
	struct riommu_ctx *ctx = riommu_ctx_new();
	uint8_t *plain = tree_make(len);
	void *b;

	ck_assert_int_eq(riommu_record_put(ctx, plain, *len, capacity, &b, len), 0);
	free(plain);
	riommu_ctx_free(ctx);
	*at = 0;
	ck_assert(riommu_record_search(b, *len, at));
	return b;
}
