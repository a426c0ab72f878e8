/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wrapping Images, and what comes back; the record in bytes and in device trees. Images and trees are made by hand (images.h). */
#include "config.h"
#include "runner.h"

#include "failing.h"
#include "images.h"

#include <check.h>
#include <fcntl.h>
#include <glob.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#define SIZE   0x12345u  /* of the file: no multiple of anything */
#define MEMORY 0x20000u  /* image_size */
#define PREFIX 0x200000u /* layout A */

#define CAPS 0x0000043803c74f10u

static struct riommu_ctx *ctx;
static struct riommu_image image;
static uint8_t *original, *wrapped, *back;
static size_t wrapped_len, back_len;

static const struct riommu_stub_table two = {
	2, {{0x3010000, CAPS, RIOMMU_POLICY_BLOCK}, {0x3ffff000, 0, RIOMMU_POLICY_LEAVE}}};
static const struct riommu_stub_table one = {1, {{0x3010000, 0, RIOMMU_POLICY_BLOCK}}};

static void setup(void)
{
	ctx = riommu_ctx_new();
	original = image_make(SIZE, MEMORY);
	wrapped = back = NULL;
}

static void teardown(void)
{
	free(original);
	free(wrapped);
	free(back);
	riommu_ctx_free(ctx);
}

static int wrap(const struct riommu_stub_table *table, enum riommu_image_layout layout)
{
	free(wrapped);
	wrapped = NULL;
	return riommu_image_wrap(ctx, original, SIZE, table, layout, (void **)&wrapped,
				 &wrapped_len, &image);
}

static void assert_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;

	while (i < len && a[i] == b[i])
		i++;
	ck_assert_msg(i == len, "byte %#zx differs", i);
}

static void assert_zero(const uint8_t *b, size_t from, size_t to)
{
	while (from < to && !b[from])
		from++;
	ck_assert_msg(from >= to, "byte %#zx is not 0", from);
}

/* Where the first instructions lead: c.nop or "MZ"; auipc t0, N; c.jr t0. */
static uint64_t jump(const uint8_t *b)
{
	ck_assert_uint_eq(b[2] | (b[3] & 15u) << 8, 0x297);
	ck_assert_uint_eq(b[6] | b[7] << 8, 0x8282);
	return 2 + (riommu_get32(b + 2, false) & ~0xfffu);
}

static void assert_refused(int err, const char *word)
{
	void *out = NULL;
	size_t len = 0;

	ck_assert_int_eq(
		riommu_image_wrap(ctx, original, SIZE, &one, RIOMMU_LAYOUT_AUTO, &out, &len, NULL),
		err);
	ck_assert_msg(strstr(riommu_error(ctx), word), "\"%s\" says nothing of \"%s\"",
		      riommu_error(ctx), word);
	ck_assert_ptr_null(out);
}

/* -- layouts: what differs, byte for byte ------------------------------------------------------------------------ */

START_TEST(layout_a_has_the_original_untouched_behind_two_mebibytes)
{
	ck_assert_int_eq(wrap(&two, RIOMMU_LAYOUT_PREFIX), 0);
	ck_assert_uint_eq(wrapped_len, PREFIX + SIZE);
	assert_bytes(wrapped + PREFIX, original, SIZE);
	ck_assert_uint_eq(jump(wrapped), 0x1002);
	ck_assert(!memcmp(wrapped, "\1\0", 2)); /* c.nop: no PE program */
	assert_bytes(wrapped + 8, original + 8, 8);
	ck_assert_uint_eq(riommu_get64(wrapped + AT_IMAGE_SIZE, false), PREFIX + MEMORY);
	assert_bytes(wrapped + AT_FLAGS, original + AT_FLAGS, AT_PE - AT_FLAGS);
	assert_zero(wrapped, AT_PE, 0x1000);
	assert_zero(wrapped, 0x2000, PREFIX);
	ck_assert_int_eq(image.layout, RIOMMU_LAYOUT_PREFIX);
	ck_assert_uint_eq(image.stub, 0x1000);
}
END_TEST

START_TEST(layout_c_changes_six_bytes_and_adds_a_page_in_the_bss)
{
	ck_assert_int_eq(wrap(&two, RIOMMU_LAYOUT_BSS), 0);
	ck_assert_uint_eq(wrapped_len, 0x14000);
	ck_assert_uint_eq(jump(wrapped), 0x13002);
	assert_bytes(wrapped, original, 2);
	assert_bytes(wrapped + 8, original + 8, SIZE - 8);
	assert_zero(wrapped, SIZE, 0x13000);
	ck_assert_int_eq(image.layout, RIOMMU_LAYOUT_BSS);
	ck_assert_uint_eq(image.image_size, MEMORY);
}
END_TEST

START_TEST(layout_d_changes_six_bytes_and_image_size_and_adds_a_page_behind)
{
	riommu_put64(original + AT_IMAGE_SIZE, MEMORY - 5);
	ck_assert_int_eq(wrap(&two, RIOMMU_LAYOUT_SLACK), 0);
	ck_assert_uint_eq(wrapped_len, MEMORY + 0x1000);
	ck_assert_uint_eq(jump(wrapped), MEMORY + 2);
	assert_bytes(wrapped, original, 2);
	assert_bytes(wrapped + 8, original + 8, 8);
	ck_assert_uint_eq(riommu_get64(wrapped + AT_IMAGE_SIZE, false), MEMORY + 0x1000);
	assert_bytes(wrapped + 24, original + 24, SIZE - 24);
	assert_zero(wrapped, SIZE, MEMORY);
	ck_assert_int_eq(image.layout, RIOMMU_LAYOUT_SLACK);
	ck_assert_uint_eq(image.original_image_size, MEMORY - 5);
}
END_TEST

static const enum riommu_image_layout layouts[] = {RIOMMU_LAYOUT_PREFIX, RIOMMU_LAYOUT_BSS,
						   RIOMMU_LAYOUT_SLACK};

START_TEST(inspect_tells_the_table_and_the_original)
{
	ck_assert_int_eq(wrap(&two, layouts[_i]), 0);
	memset(&image, 0xff, sizeof(image));
	ck_assert_int_eq(riommu_image_inspect(ctx, wrapped, wrapped_len, &image), 0);
	ck_assert(image.wrapped);
	ck_assert(image.stub_current);
	ck_assert_int_eq(image.layout, layouts[_i]);
	ck_assert_uint_eq(image.original_size, SIZE);
	ck_assert_uint_eq(image.original_image_size, MEMORY);
	ck_assert_uint_eq(image.text_offset, 0x200000);
	ck_assert_uint_eq(image.table.count, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(image.table.iommu[i].base, two.iommu[i].base);
		ck_assert_uint_eq(image.table.iommu[i].capabilities, two.iommu[i].capabilities);
		ck_assert_uint_eq(image.table.iommu[i].policy, two.iommu[i].policy);
	}
}
END_TEST

START_TEST(unwrapping_gives_the_original_back_to_the_byte)
{
	ck_assert_int_eq(wrap(&two, layouts[_i]), 0);
	ck_assert_int_eq(riommu_image_unwrap(ctx, wrapped, wrapped_len, (void **)&back, &back_len),
			 0);
	ck_assert_uint_eq(back_len, SIZE);
	assert_bytes(back, original, SIZE);
}
END_TEST

START_TEST(what_is_not_wrapped_is_copied_by_unwrap)
{
	ck_assert_int_eq(riommu_image_unwrap(ctx, original, SIZE, (void **)&back, &back_len), 0);
	ck_assert_uint_eq(back_len, SIZE);
	assert_bytes(back, original, SIZE);
}
END_TEST

/* Any layout over any other: the same as from the original. */
START_TEST(wrapping_again_is_the_same_as_wrapping_the_original)
{
	enum riommu_image_layout first = layouts[_i % 3], second = layouts[_i / 3];
	struct riommu_image again;

	ck_assert_int_eq(wrap(&two, first), 0);
	ck_assert_int_eq(riommu_image_wrap(ctx, wrapped, wrapped_len, &one, second, (void **)&back,
					   &back_len, &again),
			 0);
	ck_assert_int_eq(wrap(&one, second), 0);
	ck_assert_uint_eq(back_len, wrapped_len);
	assert_bytes(back, wrapped, wrapped_len);
	ck_assert_uint_eq(again.table.count, 1);
}
END_TEST

START_TEST(an_older_stub_is_seen_and_refreshed)
{
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_AUTO), 0);
	wrapped[image.stub + 100] ^= 1;
	ck_assert_int_eq(riommu_image_inspect(ctx, wrapped, wrapped_len, &image), 0);
	ck_assert(!image.stub_current);
	ck_assert_int_eq(riommu_image_wrap(ctx, wrapped, wrapped_len, &one, RIOMMU_LAYOUT_AUTO,
					   (void **)&back, &back_len, &image),
			 0);
	ck_assert(image.stub_current);
}
END_TEST

/* -- which layout ---------------------------------------------------------------------------------------------------- */

START_TEST(auto_is_the_bss_tail_where_there_is_room)
{
	riommu_put64(original + AT_IMAGE_SIZE, 0x14000);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_AUTO), 0);
	ck_assert_int_eq(image.layout, RIOMMU_LAYOUT_BSS);
}
END_TEST

START_TEST(auto_is_the_prefix_where_the_bss_is_too_small)
{
	riommu_put64(original + AT_IMAGE_SIZE, 0x13fff);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_AUTO), 0);
	ck_assert_int_eq(image.layout, RIOMMU_LAYOUT_PREFIX);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_BSS), -ENOSPC);
}
END_TEST

START_TEST(auto_is_the_prefix_without_mz_and_jump)
{
	free(original);
	original = image_make_plain(SIZE, MEMORY);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_AUTO), 0);
	ck_assert_int_eq(image.layout, RIOMMU_LAYOUT_PREFIX);
	assert_bytes(wrapped + PREFIX, original, SIZE);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_BSS), -EINVAL);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_SLACK), -EINVAL);
}
END_TEST

/* Jumps that the stub cannot stand in for: backwards, into the header, out of the file, to what stvec cannot hold, with a link. */
START_TEST(an_unusual_jump_makes_it_the_prefix)
{
	const uint32_t jumps[] = {jal_x0((uint32_t)-0x102),     jal_x0(0x20 - 2),
				  jal_x0(0x12400 - 2),          jal_x0(0x1102 - 2),
				  jal_x0(0x1100 - 2) | 1 << 7,  0x0000006b,
				  jal_x0(0x1100 - 2) | 1u << 31};

	riommu_put32(original + 2, jumps[_i]);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_AUTO), 0);
	ck_assert_int_eq(image.layout, RIOMMU_LAYOUT_PREFIX);
}
END_TEST

START_TEST(auto_is_the_slack_tail_where_nothing_else_is_possible)
{
	riommu_put64(original + AT_IMAGE_SIZE, 0x13000);
	riommu_put64(original + AT_TEXT_OFFSET, 0x400000);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_AUTO), 0);
	ck_assert_int_eq(image.layout, RIOMMU_LAYOUT_SLACK);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_PREFIX), -EINVAL);
}
END_TEST

START_TEST(no_layout_at_all_is_no_room)
{
	free(original);
	original = image_make_plain(SIZE, MEMORY);
	riommu_put64(original + AT_TEXT_OFFSET, 0);
	assert_refused(-ENOSPC, "no layout is possible");
}
END_TEST

START_TEST(no_room_below_the_largest_image_size)
{
	riommu_put64(original + AT_IMAGE_SIZE, RIOMMU_IMAGE_MAX);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_PREFIX), -ENOSPC);
	ck_assert(strstr(riommu_error(ctx), "no room"));
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_BSS), 0);
}
END_TEST

START_TEST(there_is_no_layout_b)
{
	ck_assert_int_eq(wrap(&one, (enum riommu_image_layout)'B'), -EINVAL);
	ck_assert_ptr_null(riommu_layout_name((enum riommu_image_layout)'B'));
	ck_assert_ptr_null(
		riommu_layout_name(RIOMMU_LAYOUT_AUTO)); /* it asks for one, and is none */
	ck_assert_ptr_null(riommu_packing_name((enum riommu_packing)99));
}
END_TEST

/* -- what is refused ------------------------------------------------------------------------------------------------ */

START_TEST(a_file_shorter_than_the_header_is_truncated)
{
	for (size_t len = 0; len < 64; len++) {
		uint8_t *cut = malloc(len + 1); /* the exact size, for the sanitizer */

		memcpy(cut, original, len);
		cut = realloc(cut, len ? len : 1);
		ck_assert_int_eq(riommu_image_inspect(ctx, cut, len, &image), -EBADMSG);
		ck_assert(strstr(riommu_error(ctx), "truncated"));
		free(cut);
	}
}
END_TEST

START_TEST(a_file_that_its_pe_header_says_is_longer_is_truncated)
{
	static const size_t lens[] = {64, 65, 0x50, 0x7f, 0x1000, SIZE / 2, SIZE - 1};

	ck_assert_int_eq(riommu_image_inspect(ctx, original, lens[_i], &image), -EBADMSG);
	ck_assert_msg(strstr(riommu_error(ctx), "truncated"), "%s", riommu_error(ctx));
}
END_TEST

START_TEST(an_elf_file_is_refused)
{
	memcpy(original, "\177ELF", 4);
	assert_refused(-EBADMSG, "ELF");
}
END_TEST

START_TEST(a_device_tree_is_refused)
{
	memcpy(original, "\xd0\x0d\xfe\xed", 4);
	assert_refused(-EBADMSG, "device tree");
}
END_TEST

START_TEST(another_architecture_is_refused)
{
	memcpy(original + AT_MAGIC2, "ARM\x64", 4);
	assert_refused(-EBADMSG, "arm64");
	memset(original + AT_MAGIC2, 0, 4);
	assert_refused(-EBADMSG, "not for RISC-V");
}
END_TEST

START_TEST(big_endian_is_refused)
{
	original[AT_FLAGS] = 1;
	assert_refused(-EBADMSG, "big-endian");
}
END_TEST

START_TEST(an_old_header_is_refused)
{
	riommu_put32(original + AT_VERSION, 1);
	assert_refused(-EBADMSG, "0.2");
}
END_TEST

START_TEST(an_image_size_of_zero_is_refused)
{
	riommu_put64(original + AT_IMAGE_SIZE, 0);
	assert_refused(-EBADMSG, "image_size is 0");
}
END_TEST

START_TEST(a_huge_or_overflowing_image_size_is_refused)
{
	static const uint64_t sizes[] = {RIOMMU_IMAGE_MAX + 1, (uint64_t)1 << 32, INT64_MAX,
					 UINT64_MAX - 0x1fffff, UINT64_MAX};

	riommu_put64(original + AT_IMAGE_SIZE, sizes[_i]);
	assert_refused(-EBADMSG, "image_size");
}
END_TEST

START_TEST(a_file_longer_than_image_size_is_refused)
{
	riommu_put64(original + AT_IMAGE_SIZE, SIZE - 1);
	assert_refused(-EBADMSG, "longer than image_size");
}
END_TEST

START_TEST(half_of_a_magic_number_is_none)
{
	original[0] = 0x1f; /* gzip has 0x8b behind it */
	original[1] = 0;
	memset(original + 0x38, 0, 4);
	assert_refused(-EBADMSG, "not for RISC-V");
}
END_TEST

START_TEST(packed_files_have_to_be_unpacked_first)
{
	memcpy(original + 4, "zimg", 4);
	assert_refused(-EBADMSG, "zboot");
	memcpy(original, "\x1f\x8b\x08", 3);
	assert_refused(-EBADMSG, "gzip");
}
END_TEST

START_TEST(what_is_packed_by_another_method_is_named)
{
	static const char *const packed[][2] = {
		{"\xfd\x37zXZ", "xz"},       {"\x28\xb5\x2f\xfd", "zstd"},
		{"\x04\x22\x4d\x18", "lz4"}, {"\x02\x21\x4c\x18", "lz4"},
		{"\x89LZO", "lzo"},          {"BZh9", "bzip2"}};

	memset(original + 0x38, 0, 4);
	memcpy(original, packed[_i][0], strlen(packed[_i][0]));
	assert_refused(-EBADMSG, packed[_i][1]);
	assert_refused(-EBADMSG, "unpack it first");
}
END_TEST

START_TEST(a_wrong_table_is_refused)
{
	struct riommu_stub_table t = two;
	static const char *const words[] = {"1 to 64", "1 to 64", "4096",         "4096",
					    "twice",   "policy",  "capabilities", "capabilities"};

	switch (_i) {
	case 0:
		t.count = 0;
		break;
	case 1:
		t.count = 65;
		break;
	case 2:
		t.iommu[1].base = 0;
		break;
	case 3:
		t.iommu[1].base = 0x3010800;
		break;
	case 4:
		t.iommu[1].base = t.iommu[0].base;
		break;
	case 5:
		t.iommu[1].policy = 2;
		break;
	case 6:
		t.iommu[1].capabilities = UINT64_MAX;
		break;
	case 7:
		t.iommu[1].capabilities = CAPS + 0x10; /* version 2.0 */
		break;
	}
	ck_assert_int_eq(wrap(&t, RIOMMU_LAYOUT_AUTO), -EINVAL);
	ck_assert_msg(strstr(riommu_error(ctx), words[_i]), "%s", riommu_error(ctx));
	ck_assert_ptr_null(wrapped);
}
END_TEST

START_TEST(sixty_four_iommus_fit)
{
	struct riommu_stub_table t = {.count = 64};

	for (unsigned i = 0; i < 64; i++)
		t.iommu[i].base = 0x10000000 + i * 0x1000;
	ck_assert_int_eq(wrap(&t, RIOMMU_LAYOUT_AUTO), 0);
	ck_assert_uint_eq(image.table.iommu[63].base, 0x1003f000);
}
END_TEST

/* -- hostile wrapped Images ----------------------------------------------------------------------------------------- */

/* Every single bit of the stub's page and the header: an error, or an original that is one; never an access outside. */
START_TEST(any_flipped_bit_is_refused_or_harmless)
{
	uint8_t *copy;

	ck_assert_int_eq(wrap(&two, layouts[_i]), 0);
	copy = malloc(wrapped_len);
	for (size_t i = 0; i < 8 * (64 + 0x1000); i++) {
		size_t at = i < 8 * 64 ? i / 8 : image.stub + i / 8 - 64;
		struct riommu_image seen;

		memcpy(copy, wrapped, wrapped_len);
		copy[at] ^= (uint8_t)(1u << i % 8);
		if (riommu_image_inspect(ctx, copy, wrapped_len, &seen))
			continue;
		ck_assert(seen.table.count <= RIOMMU_RECORD_MAX);
		if (!riommu_image_unwrap(ctx, copy, wrapped_len, (void **)&back, &back_len)) {
			ck_assert_uint_le(back_len, wrapped_len);
			free(back);
		}
		back = NULL;
	}
	free(copy);
}
END_TEST

/* Fields of the stub's page, by the offsets of handover-internal.h, written down once more on purpose. */
START_TEST(a_wrapper_that_contradicts_itself_is_refused)
{
	static const struct {
		size_t at;
		uint64_t v;
	} cases[] = {
		{16, 2 | (uint64_t)'C' << 32}, /* version */
		{16, 1 | (uint64_t)'B' << 32}, /* layout */
		{16, 1 | (uint64_t)'A' << 32},
		{16, 1 | (uint64_t)'D' << 32},
		{24, 0}, /* count */
		{24, 65},
		{24, UINT32_MAX},
		{32, 0}, /* target */
		{32, (uint64_t)MADE_ENTRY - 0x13000 + 4},
		{40, 0}, /* size of the original */
		{40, SIZE + 0x1000},
		{40, UINT64_MAX},
		{48, 0}, /* its image_size */
		{48, UINT64_MAX},
		{56, 0},          /* its code */
		{64, 0},          /* base */
		{72, UINT64_MAX}, /* capabilities */
		{80, 7},          /* policy */
	};

	ck_assert_int_lt(_i, (int)RIOMMU_ARRAY_SIZE(cases));
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_BSS), 0);
	riommu_put64(wrapped + image.stub + 0x400 + cases[_i].at, cases[_i].v);
	ck_assert_int_eq(riommu_image_inspect(ctx, wrapped, wrapped_len, &image), -EBADMSG);
	ck_assert_msg(strstr(riommu_error(ctx), "original"), "%s", riommu_error(ctx));
}
END_TEST

START_TEST(a_header_that_does_not_fit_the_wrapper_is_refused)
{
	ck_assert_int_eq(wrap(&one, _i == 1 || _i == 4 ? RIOMMU_LAYOUT_PREFIX : RIOMMU_LAYOUT_BSS),
			 0);
	switch (_i) {
	case 0: /* more memory than the original has */
		riommu_put64(wrapped + AT_IMAGE_SIZE, MEMORY + 0x1000);
		break;
	case 1: /* a prefix that firmware would start */
		memcpy(wrapped, "MZ", 2);
		break;
	case 4: /* another original than the one whose first instructions the stub has */
		wrapped[PREFIX] ^= 1;
		break;
	case 2: /* another stub than the one behind the file */
		memcpy(wrapped + 0x10000, wrapped + 0x13000, 0x1000);
		riommu_put32(wrapped + 2, 0x10297);
		riommu_put64(wrapped + 0x10000 + 0x400 + 32, (uint64_t)MADE_ENTRY - 0x10000);
		break;
	case 3: /* no jump in the original, so an entry that leads to the stub again */
		memset(wrapped + 0x13000 + 0x400 + 58, 0, 6);
		riommu_put64(wrapped + 0x13000 + 0x400 + 32, -(uint64_t)0x13000);
		break;
	}
	ck_assert_int_eq(riommu_image_inspect(ctx, wrapped, wrapped_len, &image), -EBADMSG);
}
END_TEST

START_TEST(a_file_that_is_too_large_is_not_even_looked_at)
{
	ck_assert_int_eq(riommu_image_inspect(ctx, original, RIOMMU_IMAGE_MAX + 1, &image), -EFBIG);
	ck_assert_int_eq(riommu_image_unpack(ctx, original, RIOMMU_IMAGE_MAX + 1, (void **)&back,
					     &back_len, NULL),
			 -EFBIG);
}
END_TEST

START_TEST(a_cut_wrapped_image_is_refused)
{
	ck_assert_int_eq(wrap(&one, layouts[_i]), 0);
	ck_assert_int_eq(riommu_image_inspect(ctx, wrapped, wrapped_len - 1, &image), -EBADMSG);
	ck_assert_int_eq(riommu_image_inspect(ctx, wrapped, wrapped_len - 0x1000, &image),
			 -EBADMSG);
}
END_TEST

START_TEST(a_wrapped_image_in_a_wrapped_image_is_refused)
{
	uint8_t *outer = calloc(1, PREFIX + 0x40000);
	size_t inner_len;

	/* The inner one is no original: only a hand that builds the outer one can get it there. */
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_BSS), 0);
	inner_len = wrapped_len;
	memcpy(outer + PREFIX, wrapped, inner_len);
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_PREFIX), 0);
	memcpy(outer, wrapped, PREFIX);
	riommu_put64(outer + 0x1000 + 0x400 + 40, inner_len);
	memcpy(outer + 0x1000 + 0x400 + 56, outer + PREFIX, 8);
	ck_assert_int_eq(riommu_image_inspect(ctx, outer, PREFIX + inner_len, &image), 0);
	ck_assert_int_eq(
		riommu_image_unwrap(ctx, outer, PREFIX + inner_len, (void **)&back, &back_len),
		-EBADMSG);
	ck_assert(strstr(riommu_error(ctx), "twice"));
	free(outer);
}
END_TEST

/* What the stub and the header of the prefix say agrees; the original says otherwise. */
START_TEST(an_original_that_is_another_than_the_wrapper_says_is_refused)
{
	ck_assert_int_eq(wrap(&one, RIOMMU_LAYOUT_PREFIX), 0);
	riommu_put64(wrapped + AT_IMAGE_SIZE, PREFIX + MEMORY + 0x1000);
	riommu_put64(wrapped + 0x1000 + 0x400 + 48, MEMORY + 0x1000);
	ck_assert_int_eq(riommu_image_inspect(ctx, wrapped, wrapped_len, &image), 0);
	ck_assert_int_eq(riommu_image_unwrap(ctx, wrapped, wrapped_len, (void **)&back, &back_len),
			 -EBADMSG);
	ck_assert(strstr(riommu_error(ctx), "damaged"));
}
END_TEST

/* -- packed ----------------------------------------------------------------------------------------------------------- */

static int unpack(const void *bytes, size_t len, enum riommu_packing *packing)
{
	free(back);
	back = NULL;
	return riommu_image_unpack(ctx, bytes, len, (void **)&back, &back_len, packing);
}

START_TEST(what_is_not_packed_is_copied)
{
	enum riommu_packing packing;

	ck_assert_int_eq(unpack(original, SIZE, &packing), 0);
	ck_assert_int_eq(packing, RIOMMU_PACKING_NONE);
	ck_assert_uint_eq(back_len, SIZE);
	assert_bytes(back, original, SIZE);
	ck_assert_int_eq(unpack("", 0, NULL), 0);
	ck_assert_uint_eq(back_len, 0);
}
END_TEST

/* An EFI zboot file around a payload; the caller frees. */
static uint8_t *zboot(const char *method, const uint8_t *payload, size_t len, size_t *out_len)
{
	uint8_t *b = calloc(1, 0x300 + len);

	memcpy(b, "MZ\0\0zimg", 8);
	riommu_put32(b + 8, 0x240);
	riommu_put32(b + 12, (uint32_t)len);
	memcpy(b + 24, method, strlen(method));
	memcpy(b + 0x240, payload, len);
	*out_len = 0x300 + len;
	return b;
}

START_TEST(zboot_with_another_method_is_not_supported)
{
	uint8_t *z = zboot("lzma", original, SIZE, &wrapped_len);

	ck_assert_int_eq(unpack(z, wrapped_len, NULL), -ENOTSUP);
	free(z);
}
END_TEST

START_TEST(zboot_with_a_payload_outside_is_refused)
{
	static const uint32_t places[][2] = {{UINT32_MAX, 1},
					     {0x240, SIZE + 0xc1},
					     {0x240, UINT32_MAX},
					     {UINT32_MAX, UINT32_MAX}};
	uint8_t *z = zboot("gzip", original, SIZE, &wrapped_len);

	riommu_put32(z + 8, places[_i][0]);
	riommu_put32(z + 12, places[_i][1]);
	ck_assert_int_eq(unpack(z, wrapped_len, NULL), -EBADMSG);
	ck_assert(strstr(riommu_error(ctx), "truncated"));
	free(z);
}
END_TEST

#ifdef HAVE_ZLIB
static uint8_t *gzip(const void *bytes, size_t len, size_t *out_len)
{
	uint8_t *b = malloc(len + 1000);
	z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes,
		      .avail_in = (uInt)len,
		      .next_out = b,
		      .avail_out = (uInt)len + 1000};

	ck_assert_int_eq(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	*out_len = z.total_out;
	deflateEnd(&z);
	return b;
}

START_TEST(gzip_is_unpacked)
{
	size_t len;
	uint8_t *packed = gzip(original, SIZE, &len);
	enum riommu_packing packing;

	ck_assert_int_eq(unpack(packed, len, &packing), 0);
	ck_assert_int_eq(packing, RIOMMU_PACKING_GZIP);
	ck_assert_uint_eq(back_len, SIZE);
	assert_bytes(back, original, SIZE);
	free(packed);
}
END_TEST

/* As by `cat a.gz b.gz`, which every gzip unpacks as one; what is no gzip behind it is left, as by the kernel's own tools. */
START_TEST(gzip_of_several_parts_is_unpacked_whole)
{
	size_t first, second, len;
	uint8_t *a = gzip(original, 5000, &first), *b = gzip(original + 5000, SIZE - 5000, &second);
	uint8_t *all = malloc(first + second + 16);

	memcpy(all, a, first);
	memcpy(all + first, b, second);
	memset(all + first + second, 0, 16);
	for (len = first + second; len <= first + second + 16; len += 16) {
		ck_assert_int_eq(unpack(all, len, NULL), 0);
		ck_assert_uint_eq(back_len, SIZE);
		assert_bytes(back, original, SIZE);
	}
	for (len = first + 3; len < first + second; len += 5)
		ck_assert_int_eq(unpack(all, len, NULL), -EBADMSG);
	free(a);
	free(b);
	free(all);
}
END_TEST

START_TEST(zboot_with_gzip_is_unpacked)
{
	size_t len;
	uint8_t *packed = gzip(original, SIZE, &len), *z = zboot("gzip", packed, len, &wrapped_len);
	enum riommu_packing packing;

	ck_assert_int_eq(unpack(z, wrapped_len, &packing), 0);
	ck_assert_int_eq(packing, RIOMMU_PACKING_ZBOOT_GZIP);
	ck_assert_uint_eq(back_len, SIZE);
	assert_bytes(back, original, SIZE);
	free(packed);
	free(z);
}
END_TEST

START_TEST(gzip_without_memory_for_what_is_in_it_is_told)
{
	size_t len;
	uint8_t *packed = gzip(original, SIZE, &len);
	const char *name;

	failing_always("realloc", ENOMEM);
	ck_assert_int_eq(unpack(packed, len, NULL), -ENOMEM);
	failing_end(&name);
	ck_assert_str_eq(riommu_error(ctx), "out of memory");
	free(packed);
}
END_TEST

START_TEST(cut_gzip_is_refused)
{
	size_t len;
	uint8_t *packed = gzip(original, SIZE, &len);

	for (size_t cut = 10; cut < len; cut += 997)
		ck_assert_int_eq(unpack(packed, cut, NULL), -EBADMSG);
	ck_assert_int_eq(unpack(packed, len - 1, NULL), -EBADMSG);
	ck_assert(strstr(riommu_error(ctx), "truncated"));
	free(packed);
}
END_TEST

START_TEST(gzip_with_a_wrong_checksum_is_refused)
{
	size_t len;
	uint8_t *packed = gzip(original, SIZE, &len);

	packed[len - 8] ^= 1;
	ck_assert_int_eq(unpack(packed, len, NULL), -EBADMSG);
	free(packed);
}
END_TEST

/* Zeros pack a thousand to one: what claims to be endless ends. */
START_TEST(gzip_of_too_much_is_refused)
{
	size_t len = (size_t)16 << 20, out = 0, packed_len = RIOMMU_IMAGE_MAX / 100;
	uint8_t *zeros = calloc(1, len), *packed = malloc(packed_len);
	z_stream z = {.next_out = packed, .avail_out = (uInt)packed_len};

	ck_assert_int_eq(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	for (; out <= RIOMMU_IMAGE_MAX; out += len) {
		z.next_in = zeros;
		z.avail_in = (uInt)len;
		ck_assert_int_eq(deflate(&z, out + len > RIOMMU_IMAGE_MAX ? Z_FINISH : Z_NO_FLUSH),
				 out + len > RIOMMU_IMAGE_MAX);
	}
	ck_assert_int_eq(unpack(packed, z.total_out, NULL), -EFBIG);
	deflateEnd(&z);
	free(packed);
	free(zeros);
}
END_TEST
#endif

#ifdef HAVE_ZSTD
/* More than fits into the first piece of memory, some of which comes after all that is packed was read. */
START_TEST(zstd_of_a_large_image_is_unpacked_in_pieces)
{
	size_t len = (size_t)9 << 20, size = ZSTD_compressBound(len);
	uint8_t *bytes = calloc(1, len), *packed = malloc(size), *z;
	enum riommu_packing packing;
	const char *name;

	for (size_t i = 0; i < (size_t)5 << 20; i++) /* this does not pack, the rest does */
		bytes[i] = (uint8_t)((i * 2654435761u) >> 13 ^ i >> 7);
	size = ZSTD_compress(packed, size, bytes, len, 1);
	z = zboot("zstd22", packed, size, &wrapped_len);
	ck_assert_int_eq(unpack(z, wrapped_len, &packing), 0);
	ck_assert_int_eq(packing, RIOMMU_PACKING_ZBOOT_ZSTD);
	ck_assert_uint_eq(back_len, len);
	assert_bytes(back, bytes, len);
	failing_always("realloc", ENOMEM);
	ck_assert_int_eq(unpack(z, wrapped_len, NULL), -ENOMEM);
	failing_end(&name);
	free(bytes);
	free(packed);
	free(z);
}
END_TEST

/* The last block reaches over the end of the first piece of memory: all is read by then, and not all is out. */
START_TEST(zstd_that_is_read_and_not_yet_written_is_unpacked)
{
	size_t len = ((size_t)4 << 20) + 500, size = ZSTD_compressBound(len) + 100;
	uint8_t *bytes = calloc(1, len), *packed = malloc(size), *z;
	ZSTD_inBuffer in = {bytes, 1000, 0}; /* so that no block ends where memory does */
	ZSTD_outBuffer o = {packed, size, 0};
	ZSTD_CCtx *c = ZSTD_createCCtx();

	memset(bytes, 0x42, len);
	ck_assert_uint_eq(ZSTD_compressStream2(c, &o, &in, ZSTD_e_flush), 0);
	in.size = len;
	ck_assert_uint_eq(ZSTD_compressStream2(c, &o, &in, ZSTD_e_end), 0);
	z = zboot("zstd", packed, o.pos, &wrapped_len);
	ck_assert_int_eq(unpack(z, wrapped_len, NULL), 0);
	ck_assert_uint_eq(back_len, len);
	assert_bytes(back, bytes, len);
	z[0x240] ^= 1; /* no zstd any more */
	ck_assert_int_eq(unpack(z, wrapped_len, NULL), -EBADMSG);
	ZSTD_freeCCtx(c);
	free(bytes);
	free(packed);
	free(z);
}
END_TEST

START_TEST(zboot_with_zstd_is_unpacked)
{
	size_t size = ZSTD_compressBound(SIZE);
	uint8_t *packed = malloc(size), *z;
	enum riommu_packing packing;

	size = ZSTD_compress(packed, size, original, SIZE, 1);
	z = zboot("zstd", packed, size, &wrapped_len);
	ck_assert_int_eq(unpack(z, wrapped_len, &packing), 0);
	ck_assert_int_eq(packing, RIOMMU_PACKING_ZBOOT_ZSTD);
	ck_assert_uint_eq(back_len, SIZE);
	assert_bytes(back, original, SIZE);
	riommu_put32(z + 12, (uint32_t)size - 1);
	ck_assert_int_eq(unpack(z, wrapped_len, NULL), -EBADMSG);
	riommu_put32(z + 12, 0);
	ck_assert_int_eq(unpack(z, wrapped_len, NULL), -EBADMSG);
	z[0x240 + 30] ^= 0xff;
	riommu_put32(z + 12, (uint32_t)size);
	ck_assert_int_ne(unpack(z, wrapped_len, NULL) || memcmp(back, original, SIZE), 0);
	free(packed);
	free(z);
}
END_TEST
#endif

/* -- a real kernel, where the board's is on this machine ----------------------------------------------------------------- */

/* The Image that tests/board unpacked, NULL without one. */
static uint8_t *real_image(size_t *len)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char pattern[512];
	struct stat st;
	uint8_t *b = NULL;
	glob_t found;
	int fd;

	snprintf(pattern, sizeof(pattern),
		 "%s%s/riscv-iommu-tools/board/guest/usr/lib/modules/*/vmlinuz",
		 cache && *cache ? cache
		 : home          ? home
				 : "",
		 cache && *cache ? "" : "/.cache");
	if (glob(pattern, 0, NULL, &found))
		return NULL;
	fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	globfree(&found);
	if (fd >= 0 && !fstat(fd, &st)) {
		*len = (size_t)st.st_size;
		b = malloc(*len);
		if (b && read(fd, b, *len) != (ssize_t)*len) {
			free(b);
			b = NULL;
		}
	}
	close(fd);
	return b;
}

START_TEST(a_real_kernel_is_wrapped_and_restored)
{
	size_t len, differ = 0;
	uint8_t *real = real_image(&len);

	if (!real)
		return; /* main() said so */
	ck_assert_int_eq(riommu_image_wrap(ctx, real, len, &two, layouts[_i], (void **)&wrapped,
					   &wrapped_len, &image),
			 0);
	for (size_t i = 0; image.layout != RIOMMU_LAYOUT_PREFIX && i < len; i++)
		differ += wrapped[i] != real[i] && (i < 2 || i >= 8) &&
			  (i < 16 || i >= 24 || image.layout == RIOMMU_LAYOUT_BSS);
	ck_assert_uint_eq(differ, 0);
	ck_assert_int_eq(riommu_image_unwrap(ctx, wrapped, wrapped_len, (void **)&back, &back_len),
			 0);
	ck_assert_uint_eq(back_len, len);
	ck_assert(!memcmp(back, real, len));
	ck_assert_int_eq(riommu_image_inspect(ctx, real, len - 1, &image), -EBADMSG);
	free(real);
}
END_TEST

/* -- the record ------------------------------------------------------------------------------------------------------- */

static uint8_t record_bytes[RIOMMU_RECORD_SIZE(RIOMMU_RECORD_MAX)];
static struct riommu_record record;

static void put_record(size_t at, uint32_t v)
{
	riommu_put32(record_bytes + at, v);
}

START_TEST(a_record_that_never_ran_is_empty)
{
	riommu_record_init(record_bytes, 3);
	ck_assert_int_eq(riommu_record_parse(ctx, record_bytes, 32 + 3 * 128, &record), 0);
	ck_assert_uint_eq(record.state, RIOMMU_RECORD_NEVER_RUN);
	ck_assert_uint_eq(record.capacity, 3);
	ck_assert_uint_eq(record.used, 0);
	ck_assert_str_eq(riommu_record_state_name(record.state), "never run");
}
END_TEST

/* By the layout of the design, in numbers. */
START_TEST(each_number_is_where_the_layout_says)
{
	struct riommu_record_entry *e = &record.entry[1];

	riommu_record_init(record_bytes, 2);
	ck_assert(!memcmp(record_bytes, "RVIOMMU-HANDOVER\1\0\0\0\x20\1\0\0\2\0\0\0\0\0\0\0", 32));
	put_record(28, 2);
	for (uint32_t at = 0; at < 112; at += 4)
		put_record(32 + 128 + at, at == 8 ? 1 : at == 12 ? 8 : 0xa0000000 + at);
	ck_assert_int_eq(riommu_record_parse(ctx, record_bytes, sizeof(record_bytes), &record), 0);
	ck_assert_uint_eq(record.state, RIOMMU_RECORD_FINISHED);
	ck_assert_uint_eq(record.used, 2);
	ck_assert_uint_eq(e->base, 0xa0000004a0000000);
	ck_assert_uint_eq(e->policy, RIOMMU_POLICY_LEAVE);
	ck_assert_uint_eq(e->status, RIOMMU_RECORD_QUEUE_ON);
	ck_assert_uint_eq(e->capabilities, 0xa0000014a0000010);
	ck_assert_uint_eq(e->ddtp_old, 0xa000001ca0000018);
	ck_assert_uint_eq(e->ddtp_new, 0xa0000024a0000020);
	ck_assert_uint_eq(e->cqb, 0xa000002ca0000028);
	ck_assert_uint_eq(e->fqb, 0xa0000034a0000030);
	ck_assert_uint_eq(e->pqb, 0xa000003ca0000038);
	ck_assert_uint_eq(e->fctl, 0xa0000040);
	ck_assert_uint_eq(e->cqh, 0xa0000044);
	ck_assert_uint_eq(e->cqt, 0xa0000048);
	ck_assert_uint_eq(e->fqh, 0xa000004c);
	ck_assert_uint_eq(e->fqt, 0xa0000050);
	ck_assert_uint_eq(e->pqh, 0xa0000054);
	ck_assert_uint_eq(e->pqt, 0xa0000058);
	ck_assert_uint_eq(e->cqcsr, 0xa000005c);
	ck_assert_uint_eq(e->fqcsr, 0xa0000060);
	ck_assert_uint_eq(e->pqcsr, 0xa0000064);
	ck_assert_uint_eq(e->ipsr, 0xa0000068);
	ck_assert_uint_eq(e->ticks, 0xa000006c);
}
END_TEST

START_TEST(a_record_that_is_cut_is_refused)
{
	riommu_record_init(record_bytes, 2);
	for (size_t len = 0; len < RIOMMU_RECORD_SIZE(2); len++) {
		uint8_t *cut = malloc(len + 1);

		memcpy(cut, record_bytes, len);
		ck_assert_int_eq(riommu_record_parse(ctx, cut, len, &record), -EBADMSG);
		free(cut);
	}
}
END_TEST

START_TEST(a_record_with_wrong_numbers_is_refused)
{
	static const struct {
		size_t at;
		uint32_t v;
	} cases[] = {
		{0, 0},  {12, 0},     {16, 0},      {16, 2},
		{20, 0}, {20, 32},    {20, 161},    {20, UINT32_MAX},
		{24, 0}, {24, 3},     {24, 65},     {24, UINT32_MAX},
		{28, 3}, {32 + 8, 2}, {32 + 12, 9}, {160 + 12, UINT32_MAX},
	};

	ck_assert_int_lt(_i, (int)RIOMMU_ARRAY_SIZE(cases));
	riommu_record_init(record_bytes, 2);
	put_record(cases[_i].at, cases[_i].v);
	ck_assert_int_eq(riommu_record_parse(ctx, record_bytes, sizeof(record_bytes), &record),
			 -EBADMSG);
	ck_assert(strstr(riommu_error(ctx), "record is damaged"));
}
END_TEST

START_TEST(a_record_is_found_in_memory)
{
	uint8_t memory[1024 + 4] = {0};
	size_t len = 1024, at = 0;

	ck_assert(!riommu_record_search(memory, len, &at));
	memcpy(memory + 8, RIOMMU_RECORD_MAGIC, 16); /* only the magic */
	riommu_record_init(memory + 102, 1);         /* not at a multiple of 4 */
	riommu_record_init(memory + 400, 1);
	riommu_record_init(memory + 1024 - 156, 1); /* cut off: it needs 160 */
	ck_assert(riommu_record_search(memory, len, &at));
	ck_assert_uint_eq(at, 400);
	at++;
	ck_assert(!riommu_record_search(memory, len, &at));
	at = SIZE_MAX;
	ck_assert(!riommu_record_search(memory, len, &at));
}
END_TEST

START_TEST(every_status_has_a_name)
{
	for (uint32_t i = 0; i < RIOMMU_RECORD_STATUS_COUNT; i++)
		ck_assert_ptr_nonnull(riommu_record_status_name(i));
	ck_assert_ptr_null(riommu_record_status_name(RIOMMU_RECORD_STATUS_COUNT));
	ck_assert_ptr_null(riommu_record_status_name(UINT32_MAX));
	ck_assert_ptr_null(riommu_record_state_name(3));
	ck_assert_ptr_null(riommu_policy_name(2));
}
END_TEST

/* -- the record in a tree ---------------------------------------------------------------------------------------------- */

START_TEST(a_record_is_put_into_a_tree_and_found_there)
{
	size_t len, at;
	uint8_t *tree = tree_with_record(5, &len, &at);
	int chosen = fdt_path_offset(tree, "/chosen");

	ck_assert_uint_eq(at % 4, 0);
	ck_assert_int_eq(riommu_record_from_fdt(ctx, tree, len, &record), 0);
	ck_assert_uint_eq(record.capacity, 5);
	ck_assert_uint_eq(record.state, RIOMMU_RECORD_NEVER_RUN);
	ck_assert_ptr_null(fdt_getprop(tree, chosen, "linux,elfcorehdr", NULL));
	ck_assert_ptr_null(fdt_getprop(tree, chosen, "linux,usable-memory-range", NULL));
	ck_assert_str_eq(fdt_getprop(tree, chosen, "bootargs", NULL), "console=ttyS0");
	ck_assert_int_ge(fdt_path_offset(tree, "/soc"), 0);
	ck_assert_uint_eq(fdt_totalsize(tree), len);
	ck_assert_int_eq(fdt_check_full(tree, len), 0);
	free(tree);
}
END_TEST

START_TEST(an_older_record_is_replaced)
{
	size_t len, at, again_len;
	uint8_t *tree = tree_with_record(5, &len, &at), *again;

	riommu_put32(tree + at + RIOMMU_RECORD_AT_STATE, RIOMMU_RECORD_FINISHED);
	ck_assert_int_eq(riommu_record_put(ctx, tree, len, 2, (void **)&again, &again_len), 0);
	ck_assert_int_eq(riommu_record_from_fdt(ctx, again, again_len, &record), 0);
	ck_assert_uint_eq(record.capacity, 2);
	ck_assert_uint_eq(record.state, RIOMMU_RECORD_NEVER_RUN);
	at = 0;
	ck_assert(riommu_record_search(again, again_len, &at));
	at += 4;
	ck_assert(!riommu_record_search(again, again_len, &at));
	ck_assert_uint_lt(again_len, len); /* it does not grow each time */
	free(again);
	free(tree);
}
END_TEST

/* It is not looked at: no byte behind the first is there. */
START_TEST(a_record_is_not_searched_in_a_tree_that_is_too_large)
{
	const uint8_t first = 0;

	ck_assert_int_eq(riommu_record_from_fdt(ctx, &first, RIOMMU_FDT_MAX + 1, &record),
			 -EBADMSG);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "larger than"));
}
END_TEST

START_TEST(chosen_is_made_where_it_is_missing)
{
	uint8_t empty[256];
	size_t len;

	ck_assert_int_eq(fdt_create_empty_tree(empty, sizeof(empty)), 0);
	ck_assert_int_eq(riommu_record_from_fdt(ctx, empty, sizeof(empty), &record), -ENODATA);
	ck_assert_int_eq(riommu_record_put(ctx, empty, sizeof(empty), 64, (void **)&back, &len), 0);
	ck_assert_int_eq(riommu_record_from_fdt(ctx, back, len, &record), 0);
	ck_assert_uint_eq(record.capacity, 64);
}
END_TEST

START_TEST(a_record_has_room_for_one_to_sixty_four)
{
	size_t len, out;
	uint8_t *tree = tree_make(&len);

	ck_assert_int_eq(riommu_record_put(ctx, tree, len, 0, (void **)&back, &out), -EINVAL);
	ck_assert_int_eq(riommu_record_put(ctx, tree, len, 65, (void **)&back, &out), -EINVAL);
	ck_assert_int_eq(riommu_record_put(ctx, tree, len, UINT32_MAX, (void **)&back, &out),
			 -EINVAL);
	ck_assert_ptr_null(back);
	free(tree);
}
END_TEST

START_TEST(a_tree_that_would_grow_too_large_is_refused)
{
	static uint8_t big[RIOMMU_FDT_MAX] __attribute__((aligned(8)));
	void *place;
	size_t len;

	ck_assert_int_eq(fdt_create_empty_tree(big, sizeof(big)), 0);
	ck_assert_int_eq(fdt_setprop_placeholder(big, 0, "big", (int)sizeof(big) - 5000, &place),
			 0);
	ck_assert_int_eq(riommu_record_put(ctx, big, sizeof(big), 64, (void **)&back, &len),
			 -ENOSPC);
	ck_assert_ptr_null(back);
	ck_assert_int_eq(riommu_record_put(ctx, big, sizeof(big), 8, (void **)&back, &len), 0);
	ck_assert_int_eq(riommu_record_put(ctx, big, sizeof(big) + 1, 8, (void **)&wrapped, &len),
			 -ENOSPC);
}
END_TEST

START_TEST(a_damaged_tree_is_refused)
{
	size_t len, at, out;
	uint8_t *tree = tree_with_record(2, &len, &at);

	for (size_t cut = 0; cut < len; cut += cut < 100 ? 1 : 37) {
		uint8_t *short_tree = malloc(cut + 1);

		memcpy(short_tree, tree, cut);
		ck_assert_int_eq(riommu_record_from_fdt(ctx, short_tree, cut, &record), -EBADMSG);
		ck_assert_int_eq(riommu_record_put(ctx, short_tree, cut, 2, (void **)&back, &out),
				 -EBADMSG);
		ck_assert_ptr_null(back);
		free(short_tree);
	}
	free(tree);
}
END_TEST

/*
 * The list of reserved memory does not end where it should, and goes on in the nodes: libfdt copies both, so that the tree grows by
 * what they share.
 */
START_TEST(a_tree_whose_parts_overlap_does_not_grow_past_its_place)
{
	static uint8_t overlapping[12288] __attribute__((aligned(8)));
	uint8_t filled[8192];
	unsigned answered = 0, refused = 0;

	for (size_t shared = 64; shared <= sizeof(filled); shared += 16) {
		size_t len, out = 0;
		int err;

		memset(filled, 0x11, sizeof(filled));
		memset(filled + shared - 32, 0, 32); /* there the list ends */
		ck_assert(!fdt_create_empty_tree(overlapping, sizeof(overlapping)));
		ck_assert(!fdt_setprop(overlapping, 0, "filled", filled, (int)shared));
		ck_assert(!fdt_pack(overlapping));
		len = fdt_totalsize(overlapping);
		memset(overlapping + fdt_off_mem_rsvmap(overlapping), 0x11, 16);
		err = riommu_record_put(ctx, overlapping, len, 2, (void **)&back, &out);
		ck_assert(err == 0 || err == -EBADMSG);
		answered += !err;
		refused += err != 0;
		ck_assert_uint_le(out, len + RIOMMU_RECORD_SIZE(2) + 128 + RIOMMU_FDT_SLACK);
		free(back);
		back = NULL;
	}
	ck_assert_uint_gt(answered, 0);
	ck_assert_uint_gt(refused, 0);
}
END_TEST

/* Random damage: an error or an answer, nothing outside the bytes. */
START_TEST(a_tree_with_flipped_bits_is_survived)
{
	size_t len, at, out;
	uint8_t *tree = tree_with_record(2, &len, &at), *copy = malloc(len);

	for (size_t i = 0; i < 8 * len; i += i < 8 * 400 ? 1 : 11) {
		memcpy(copy, tree, len);
		copy[i / 8] ^= (uint8_t)(1u << i % 8);
		riommu_record_from_fdt(ctx, copy, len, &record);
		if (!riommu_record_put(ctx, copy, len, 3, (void **)&back, &out)) {
			ck_assert_int_eq(riommu_record_from_fdt(ctx, back, out, &record), 0);
			ck_assert_uint_eq(record.capacity, 3);
			free(back);
			back = NULL;
		}
	}
	free(copy);
	free(tree);
}
END_TEST

START_TEST(a_misaligned_tree_is_read)
{
	size_t len, at;
	uint8_t *tree = tree_with_record(2, &len, &at), *copy = malloc(len + 1);

	memcpy(copy + 1, tree, len);
	ck_assert_int_eq(riommu_record_from_fdt(ctx, copy + 1, len, &record), 0);
	free(copy);
	free(tree);
}
END_TEST

static void add_images(Suite *s)
{
	TCase *t = tcase_create("layouts");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, layout_a_has_the_original_untouched_behind_two_mebibytes);
	tcase_add_test(t, layout_c_changes_six_bytes_and_adds_a_page_in_the_bss);
	tcase_add_test(t, layout_d_changes_six_bytes_and_image_size_and_adds_a_page_behind);
	tcase_add_loop_test(t, inspect_tells_the_table_and_the_original, 0, 3);
	tcase_add_loop_test(t, unwrapping_gives_the_original_back_to_the_byte, 0, 3);
	tcase_add_test(t, what_is_not_wrapped_is_copied_by_unwrap);
	tcase_add_loop_test(t, wrapping_again_is_the_same_as_wrapping_the_original, 0, 9);
	tcase_add_test(t, an_older_stub_is_seen_and_refreshed);
	tcase_add_test(t, auto_is_the_bss_tail_where_there_is_room);
	tcase_add_test(t, auto_is_the_prefix_where_the_bss_is_too_small);
	tcase_add_test(t, auto_is_the_prefix_without_mz_and_jump);
	tcase_add_loop_test(t, an_unusual_jump_makes_it_the_prefix, 0, 7);
	tcase_add_test(t, auto_is_the_slack_tail_where_nothing_else_is_possible);
	tcase_add_test(t, no_layout_at_all_is_no_room);
	tcase_add_test(t, no_room_below_the_largest_image_size);
	tcase_add_test(t, there_is_no_layout_b);
	tcase_add_loop_test(t, a_real_kernel_is_wrapped_and_restored, 0, 3);
	suite_add_tcase(s, t);

	t = tcase_create("refused");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_file_shorter_than_the_header_is_truncated);
	tcase_add_loop_test(t, a_file_that_its_pe_header_says_is_longer_is_truncated, 0, 7);
	tcase_add_test(t, an_elf_file_is_refused);
	tcase_add_test(t, a_device_tree_is_refused);
	tcase_add_test(t, another_architecture_is_refused);
	tcase_add_test(t, big_endian_is_refused);
	tcase_add_test(t, an_old_header_is_refused);
	tcase_add_test(t, an_image_size_of_zero_is_refused);
	tcase_add_loop_test(t, a_huge_or_overflowing_image_size_is_refused, 0, 5);
	tcase_add_test(t, a_file_longer_than_image_size_is_refused);
	tcase_add_test(t, packed_files_have_to_be_unpacked_first);
	tcase_add_loop_test(t, what_is_packed_by_another_method_is_named, 0, 6);
	tcase_add_test(t, half_of_a_magic_number_is_none);
	tcase_add_loop_test(t, a_wrong_table_is_refused, 0, 8);
	tcase_add_test(t, sixty_four_iommus_fit);
	tcase_add_loop_test(t, any_flipped_bit_is_refused_or_harmless, 1, 2);
	tcase_add_loop_test(t, a_wrapper_that_contradicts_itself_is_refused, 0, 18);
	tcase_add_loop_test(t, a_header_that_does_not_fit_the_wrapper_is_refused, 0, 5);
	tcase_add_test(t, a_file_that_is_too_large_is_not_even_looked_at);
	tcase_add_loop_test(t, a_cut_wrapped_image_is_refused, 0, 3);
	tcase_add_test(t, a_wrapped_image_in_a_wrapped_image_is_refused);
	tcase_add_test(t, an_original_that_is_another_than_the_wrapper_says_is_refused);
	suite_add_tcase(s, t);
}

static void add_packed(Suite *s)
{
	TCase *t = tcase_create("packed");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_is_not_packed_is_copied);
	tcase_add_test(t, zboot_with_another_method_is_not_supported);
	tcase_add_loop_test(t, zboot_with_a_payload_outside_is_refused, 0, 4);
#ifdef HAVE_ZLIB
	tcase_add_test(t, gzip_is_unpacked);
	tcase_add_test(t, gzip_of_several_parts_is_unpacked_whole);
	tcase_add_test(t, zboot_with_gzip_is_unpacked);
	tcase_add_test(t, cut_gzip_is_refused);
	tcase_add_test(t, gzip_without_memory_for_what_is_in_it_is_told);
	tcase_add_test(t, gzip_with_a_wrong_checksum_is_refused);
	tcase_add_test(t, gzip_of_too_much_is_refused);
#endif
#ifdef HAVE_ZSTD
	tcase_add_test(t, zboot_with_zstd_is_unpacked);
	tcase_add_test(t, zstd_that_is_read_and_not_yet_written_is_unpacked);
	tcase_add_test(t, zstd_of_a_large_image_is_unpacked_in_pieces);
#endif
	suite_add_tcase(s, t);
}

static void add_records(Suite *s)
{
	TCase *t = tcase_create("record");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_record_that_never_ran_is_empty);
	tcase_add_test(t, each_number_is_where_the_layout_says);
	tcase_add_test(t, a_record_that_is_cut_is_refused);
	tcase_add_loop_test(t, a_record_with_wrong_numbers_is_refused, 0, 16);
	tcase_add_test(t, a_record_is_found_in_memory);
	tcase_add_test(t, every_status_has_a_name);
	tcase_add_test(t, a_record_is_put_into_a_tree_and_found_there);
	tcase_add_test(t, an_older_record_is_replaced);
	tcase_add_test(t, a_record_is_not_searched_in_a_tree_that_is_too_large);
	tcase_add_test(t, chosen_is_made_where_it_is_missing);
	tcase_add_test(t, a_record_has_room_for_one_to_sixty_four);
	tcase_add_test(t, a_tree_that_would_grow_too_large_is_refused);
	tcase_add_test(t, a_damaged_tree_is_refused);
	tcase_add_test(t, a_tree_whose_parts_overlap_does_not_grow_past_its_place);
	tcase_add_test(t, a_tree_with_flipped_bits_is_survived);
	tcase_add_test(t, a_misaligned_tree_is_read);
	suite_add_tcase(s, t);
}

int main(void)
{
	Suite *s = suite_create("handover");
	size_t len;
	uint8_t *real = real_image(&len);

	if (!real)
		fprintf(stderr,
			"unit-handover: no kernel of tests/board here: only Images made by hand\n");
	free(real);
	add_images(s);
	add_packed(s);
	add_records(s);
	return run_suite(s);
}
