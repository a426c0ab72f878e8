/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The offsets in a kernel's Image: whatever its header says, nothing outside the bytes is read or written, nothing overflows, and what
 * can be wrapped unwraps to the byte.
 *
 * Bounds. All combinations of edges: of file and image_size, of the PE header's place and what it says (sections, their table, a
 * section's place and size), of the jump's target; of what the stub's page of a wrapped Image says (sizes, layout, target, count); of
 * an EFI zboot file's payload. The bytes end where a page begins that cannot be touched, so that one byte too far is a crash, with
 * sanitizers and without; results are allocated, and watched by the sanitizers.
 */
#define _DEFAULT_SOURCE
#include "handover/handover-internal.h"
#include "runner.h"

#include <stdlib.h>
#include <sys/mman.h>

/* ck_assert() tells its runner of each check that passes; here are billions. */
#define MUST(what)                                 \
	do {                                       \
		if (!(what))                       \
			ck_abort_msg("%s", #what); \
	} while (0)

#define ROOM ((size_t)4 << 20)

static uint8_t *room; /* behind its ROOM bytes nothing can be read */
static struct riommu_ctx *ctx;

static void setup(void)
{
	room = mmap(NULL, ROOM + RIOMMU_PAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(room != MAP_FAILED && !mprotect(room + ROOM, RIOMMU_PAGE_SIZE, PROT_NONE));
	ctx = riommu_ctx_new();
	MUST(ctx != NULL);
}

static void teardown(void)
{
	munmap(room, ROOM + RIOMMU_PAGE_SIZE);
	riommu_ctx_free(ctx);
}

/* LEN bytes that end where nothing is. */
static uint8_t *bytes_at_the_end(size_t len)
{
	return room + ROOM - len;
}

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
}

/* At AT if it is inside. */
static void put32_inside(uint8_t *b, size_t len, uint64_t at, uint32_t v)
{
	if (riommu_inside(at, 4, len))
		riommu_put32(b + at, v);
}

static uint32_t jump_to(uint32_t target)
{
	uint32_t v = target - 2;

	return 0x6f | (v >> 1 & 0x3ff) << 21 | (v >> 11 & 1) << 20 | (v >> 12 & 0xff) << 12 |
	       v >> 20 << 31;
}

static void put_header(uint8_t *b, size_t len, uint64_t image_size)
{
	memset(b, 0x5a, len);
	memcpy(b, "MZ", 2);
	riommu_put32(b + 2, jump_to(0x100));
	put16(b + 6, 1);
	riommu_put64(b + 8, 0x200000);
	riommu_put64(b + 16, image_size);
	riommu_put64(b + 24, 0);
	riommu_put32(b + 32, 2);
	memcpy(b + 48, "RISCV\0\0\0RSC\x05", 12);
	riommu_put32(b + 60, 0x40);
}

static bool documented(int err)
{
	return err == -EINVAL || err == -EBADMSG || err == -ENOSPC || err == -ENOTSUP ||
	       err == -EFBIG;
}

/* Everything that is done with an Image; large ones are not made. */
static void try_all(const uint8_t *b, size_t len, uint64_t image_size, unsigned *wrapped)
{
	static const struct riommu_stub_table table = {1, {{0x3010000, 0, 0}}};
	static const enum riommu_image_layout layouts[] = {RIOMMU_LAYOUT_AUTO, RIOMMU_LAYOUT_PREFIX,
							   RIOMMU_LAYOUT_BSS, RIOMMU_LAYOUT_SLACK};
	struct riommu_image image;
	int err = riommu_image_inspect(ctx, b, len, &image);

	MUST(!err || documented(err));
	if (err || image_size > 0x300000)
		return;
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(layouts); i++) {
		void *out, *back;
		size_t out_len, back_len;

		err = riommu_image_wrap(ctx, b, len, &table, layouts[i], &out, &out_len, &image);
		MUST(!err || documented(err));
		if (err)
			continue;
		MUST(image.original_size <= image.original_image_size &&
		     image.stub + RIOMMU_STUB_PAGE <= out_len);
		MUST(!riommu_image_unwrap(ctx, out, out_len, &back, &back_len));
		MUST(back_len == len && !memcmp(back, b, len));
		free(out);
		free(back);
		++*wrapped;
	}
}

/* -- sizes ------------------------------------------------------------------------------------------------------------- */

START_TEST(sizes_and_targets_stay_inside)
{
	static const size_t lens[] = {0,    1,     2,     7,    8,    63,   64,   65,
				      0xff, 0x104, 0x105, 4095, 4096, 4097, 8191, 8192};
	static const uint32_t targets[] = {0,     2,      4,      0x3c,   0x40,    0x42,      0x100,
					   0xffc, 0x1000, 0x1ffc, 0x2000, 0xffffc, 0xfffffffe};
	uint64_t sizes[] = {0,          1,          64,         4095,
			    4096,       4097,       8192,       8193,
			    0x2000,     0x3000,     0x200000,   0x0fffffff,
			    0x10000000, 0x10000001, UINT64_MAX, (uint64_t)1 << 63};
	unsigned wrapped = 0;

	for (size_t l = 0; l < RIOMMU_ARRAY_SIZE(lens); l++)
		for (size_t s = 0; s < 3 * RIOMMU_ARRAY_SIZE(sizes); s++)
			for (size_t t = 0; t < RIOMMU_ARRAY_SIZE(targets); t++) {
				uint8_t whole[64], *b = bytes_at_the_end(lens[l]);
				/* each size, and as far from the file's */
				uint64_t size = sizes[s / 3] +
						(s % 3 == 1   ? lens[l]
						 : s % 3 == 2 ? (lens[l] + 4095) & ~(size_t)4095
							      : 0);

				put_header(whole, sizeof(whole), size);
				riommu_put32(whole + 2, jump_to(targets[t]));
				memset(b, 0, lens[l]);
				memcpy(b, whole, lens[l] < 64 ? lens[l] : 64);
				try_all(b, lens[l], size, &wrapped);
			}
	ck_assert_uint_gt(wrapped, 100);
}
END_TEST

/* -- the PE header --------------------------------------------------------------------------------------------------------- */

START_TEST(the_pe_header_stays_inside)
{
	static const size_t lens[] = {0x180, 0x1000};
	static const uint16_t sections[] = {0, 1, 2, 0xffff}, optional[] = {0, 0xa0, 0x100, 0xffff};
	unsigned wrapped = 0;

	for (size_t l = 0; l < RIOMMU_ARRAY_SIZE(lens); l++) {
		uint32_t n = (uint32_t)lens[l];
		uint32_t places[] = {0,      64,     0x7c,      n - 65,          n - 64,
				     n - 63, n - 48, n - 46,    n - 44,          n - 40,
				     n - 28, n - 25, n - 24,    n - 23,          n - 1,
				     n,      n + 1,  INT32_MAX, UINT32_MAX - 23, UINT32_MAX};
		uint32_t raws[] = {0, 1, n - 1, n, n + 1, INT32_MAX, UINT32_MAX - 1, UINT32_MAX};
		uint8_t *b = bytes_at_the_end(n);

		for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(places) * 16; i++)
			for (size_t j = 0; j < RIOMMU_ARRAY_SIZE(raws) * RIOMMU_ARRAY_SIZE(raws);
			     j++) {
				uint64_t pe = places[i / 16], first = pe + 24 + optional[i % 4];

				put_header(b, n, n + 0x2000);
				riommu_put32(b + 60, (uint32_t)pe);
				if (riommu_inside(pe, 24, n)) {
					memcpy(b + pe, "PE\0\0", 4);
					put16(b + pe + 6, sections[i / 4 % 4]);
					put16(b + pe + 20, optional[i % 4]);
				}
				for (unsigned s = 0; s < 2; s++) {
					put32_inside(b, n, first + 40 * s + 16, raws[j % 8]);
					put32_inside(b, n, first + 40 * s + 20, raws[j / 8]);
				}
				/* the sections, or the header, may lie over the jump: it is no Image then */
				try_all(b, n, j % 16 ? UINT64_MAX : n + 0x2000, &wrapped);
			}
	}
	ck_assert_uint_gt(wrapped, 100);
}
END_TEST

/* -- what a wrapped one says of its original -------------------------------------------------------------------------------- */

static void *wrap_one(enum riommu_image_layout layout, size_t *len)
{
	static const struct riommu_stub_table table = {2, {{0x3010000, 0, 0}, {0x3011000, 0, 1}}};
	uint8_t *b = bytes_at_the_end(0x1800);
	void *out;

	put_header(b, 0x1800, 0x4000);
	MUST(!riommu_image_wrap(ctx, b, 0x1800, &table, layout, &out, len, NULL));
	return out;
}

static void unwrap(const uint8_t *b, size_t len)
{
	size_t back_len;
	void *back;
	int err = riommu_image_unwrap(ctx, b, len, &back, &back_len);

	MUST(!err || documented(err));
	if (!err)
		free(back);
}

START_TEST(a_wrapped_image_is_believed_only_inside)
{
	static const enum riommu_image_layout layouts[] = {RIOMMU_LAYOUT_PREFIX, RIOMMU_LAYOUT_BSS,
							   RIOMMU_LAYOUT_SLACK};
	static const uint32_t counts[] = {0, 1, 2, 64, 65, UINT32_MAX};
	static const uint64_t numbers[] = {0,         63,         64,         0x17ff,
					   0x1800,    0x1801,     0x3fff,     0x4000,
					   0x4001,    0x10000000, 0x10000001, UINT64_MAX - 4095,
					   UINT64_MAX};
	static const uint32_t jumps[] = {0x297,  0x1297,     0x2297,     0x4297,
					 0x5297, 0x7ffff297, 0x80000297, 0xfffff297};
	size_t len, n = RIOMMU_ARRAY_SIZE(numbers);
	uint8_t *wrapped = wrap_one(layouts[_i], &len), *b = bytes_at_the_end(len), *stub;
	struct riommu_image image;

	MUST(!riommu_image_inspect(ctx, wrapped, len, &image));
	memcpy(b, wrapped, len);
	stub = b + image.stub;
	for (size_t i = 0; i < n * n * RIOMMU_ARRAY_SIZE(counts) * 3; i++) {
		riommu_put64(stub + RIOMMU_STUB_AT_ORIGINAL_SIZE, numbers[i % n]);
		riommu_put64(stub + RIOMMU_STUB_AT_ORIGINAL_IMAGE, numbers[i / n % n]);
		riommu_put32(stub + RIOMMU_STUB_AT_COUNT, counts[i / n / n % 6]);
		riommu_put32(stub + RIOMMU_STUB_AT_LAYOUT, (uint32_t)layouts[i / n / n / 6]);
		unwrap(b, len);
	}
	/* a jump to a page that may not be there, in a file that may be cut */
	for (size_t j = 0; j < RIOMMU_ARRAY_SIZE(jumps); j++)
		for (size_t cut = 0; cut < len; cut += cut < 128 ? 1 : 509) {
			uint8_t *shorter = bytes_at_the_end(len - cut);

			memcpy(shorter, wrapped, len - cut);
			if (len - cut >= 8)
				riommu_put32(shorter + 2, jumps[j]);
			unwrap(shorter, len - cut);
		}
	free(wrapped);
}
END_TEST

/* -- packed ------------------------------------------------------------------------------------------------------------------- */

START_TEST(a_payload_stays_inside)
{
	static const size_t lens[] = {0, 1, 3, 8, 16, 31, 32, 63, 64, 65, 256};
	static const char *const kinds[] = {"gzip", "zstd", "lz4", ""};

	for (size_t l = 0; l < RIOMMU_ARRAY_SIZE(lens); l++) {
		uint32_t n = (uint32_t)lens[l];
		uint32_t numbers[] = {
			0, 1, 32, 63, 64, n - 1, n, n + 1, INT32_MAX, UINT32_MAX - n, UINT32_MAX};
		size_t count = RIOMMU_ARRAY_SIZE(numbers);

		for (size_t i = 0; i < count * count * 4; i++) {
			uint8_t head[64] = "MZ\0\0zimg", *b = bytes_at_the_end(n);
			size_t out_len;
			void *out;
			int err;

			riommu_put32(head + 8, numbers[i % count]);
			riommu_put32(head + 12, numbers[i / count % count]);
			memcpy(head + 24, kinds[i / count / count],
			       strlen(kinds[i / count / count]));
			memset(b, 0x1f, n);
			memcpy(b, head, n < 64 ? n : 64);
			err = riommu_image_unpack(ctx, b, n, &out, &out_len, NULL);
			MUST(!err || documented(err));
			if (!err)
				free(out);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proof-image");
	TCase *tc = tcase_create("image");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, sizes_and_targets_stay_inside);
	tcase_add_test(tc, the_pe_header_stays_inside);
	tcase_add_loop_test(tc, a_wrapped_image_is_believed_only_inside, 0, 3);
	tcase_add_test(tc, a_payload_stays_inside);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
