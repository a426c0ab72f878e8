/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel Image, packed or not. What can be wrapped is the same to the byte when it is unwrapped, and the same when it is wrapped
 * again. The first byte says how the input is to be taken: as a file, or as the body of an Image, with a header made of what
 * follows.
 */
#include "fuzz.h"
#include "handover/handover.h"

#include <stdlib.h>

#define HEAD          64u
#define SIZE_MAX_HERE ((uint64_t)8 << 20) /* larger ones take longer, and nothing else */

static void good_error(struct riommu_ctx *ctx, int err)
{
	MUST(err == -EINVAL || err == -EBADMSG || err == -ENOSPC || err == -ENOTSUP ||
	     err == -EFBIG);
	fuzz_good_words(ctx);
}

/* Wrapped by LAYOUT and TABLE; unwrapped; wrapped again. */
static void wrap(struct riommu_ctx *ctx, const void *bytes, size_t len,
		 enum riommu_image_layout layout, const struct riommu_stub_table *table,
		 const void *original, size_t original_len)
{
	void *wrapped, *twice, *back;
	size_t wrapped_len, twice_len, back_len;
	struct riommu_image image;
	int err = riommu_image_wrap(ctx, bytes, len, table, layout, &wrapped, &wrapped_len, &image);

	if (err) {
		good_error(ctx, err);
		return;
	}
	MUST(image.wrapped && image.stub_current && image.size == wrapped_len);
	MUST(image.original_size == original_len && image.table.count == table->count);
	MUST(!memcmp(image.table.iommu, table->iommu, table->count * sizeof(*table->iommu)));
	MUST(layout == RIOMMU_LAYOUT_AUTO || image.layout == layout);
	MUST(!riommu_image_unwrap(ctx, wrapped, wrapped_len, &back, &back_len));
	MUST(back_len == original_len && !memcmp(back, original, back_len));
	MUST(!riommu_image_wrap(ctx, wrapped, wrapped_len, table, layout, &twice, &twice_len,
				NULL));
	MUST(twice_len == wrapped_len && !memcmp(twice, wrapped, twice_len));
	free(wrapped);
	free(twice);
	free(back);
}

static void try_image(struct riommu_ctx *ctx, const void *bytes, size_t len)
{
	static const enum riommu_image_layout layouts[] = {RIOMMU_LAYOUT_AUTO, RIOMMU_LAYOUT_PREFIX,
							   RIOMMU_LAYOUT_BSS, RIOMMU_LAYOUT_SLACK};
	static const struct riommu_stub_table table = {2,
						       {{0x3010000, 0, 0}, {0x3011000, 0x10, 1}}};
	struct riommu_image image;
	void *original;
	size_t original_len;
	int err = riommu_image_inspect(ctx, bytes, len, &image);

	if (!err && image.image_size > SIZE_MAX_HERE)
		return;
	if (!err)
		err = riommu_image_unwrap(ctx, bytes, len, &original, &original_len);
	if (err) {
		good_error(ctx, err);
		return;
	}
	MUST(image.wrapped || (original_len == len && !memcmp(original, bytes, len)));
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(layouts); i++)
		wrap(ctx, bytes, len, layouts[i], &table, original, original_len);
	free(original);
}

static void try_file(struct riommu_ctx *ctx, const void *bytes, size_t len)
{
	enum riommu_packing packing;
	size_t raw_len;
	void *raw;
	int err = riommu_image_unpack(ctx, bytes, len, &raw, &raw_len, &packing);

	if (err) {
		good_error(ctx, err);
		return;
	}
	MUST(riommu_packing_name(packing));
	MUST(packing != RIOMMU_PACKING_NONE || (raw_len == len && !memcmp(raw, bytes, len)));
	try_image(ctx, raw, raw_len);
	free(raw);
}

/* A header that says what the input wants, of a file as long as what is left. */
static void try_header(struct riommu_ctx *ctx, struct feed *f)
{
	static const uint64_t sizes[] = {0x1000, 0x2000, 0x10000, 0x100000, 0x200000, 0x210000};
	uint8_t how = feed8(f);
	uint64_t grows = sizes[how % 6] + feed16(f), target = feed16(f) & 0xfffe;
	uint64_t text_offset = how & 0x40 ? feed64(f) : 0x200000;
	size_t len = HEAD + feed16(f) + f->left;
	uint8_t *b = calloc(1, len);

	MUST(b != NULL);
	if (f->left)
		memcpy(b + HEAD, f->at, f->left);
	memcpy(b, how & 0x80 ? "\x01\x00" : "MZ", 2);
	riommu_put32(b + 2, 0x6f | (uint32_t)(riommu_bits(target, 10, 1) << 21 |
					      riommu_bits(target, 11, 11) << 20 |
					      riommu_bits(target, 15, 12) << 12));
	riommu_put64(b + 8, text_offset);
	riommu_put64(b + 16, len + grows);
	riommu_put32(b + 32, 2);
	memcpy(b + 48, "RISCV\0\0\0RSC\x05", 12);
	riommu_put32(b + 60, 0x40);
	try_image(ctx, b, len);
	free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct riommu_ctx *ctx = fuzz_ctx();
	struct feed f = {bytes, len};
	uint8_t how = feed8(&f);

	if (how & 1)
		try_header(ctx, &f);
	else
		try_file(ctx, f.at, f.left);
	riommu_ctx_free(ctx);
	return 0;
}
