/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic on addresses, bits, bytes, and the bit fields of all registers and structures, against their definitions.
 *
 * Bounds. Sums, products and ranges: all values below 256 with each other, from 0 up and from 2^64 - 256 up, and all combinations of the
 * 64-bit edges (2^n - 1, 2^n, 2^n + 1 for all n), against 128-bit arithmetic. Bits: all 2080 pairs of first and last bit. Extract and
 * deposit: all masks and values of 10 bits at the low end, in the middle and at the high end. Fields: each of each layout, with all its
 * values where it has at most 16 bits, else its edges and 1,000 others, on backgrounds of zeros, ones, and both alternating.
 */
#include "base/base.h"
#include "runner.h"
#include "spec/commands.h"
#include "spec/registers.h"
#include "spec/structures.h"

typedef unsigned __int128 wide;

/* ck_assert() tells its runner of each check that passes; here are billions. */
#define MUST(what)                                 \
	do {                                       \
		if (!(what))                       \
			ck_abort_msg("%s", #what); \
	} while (0)

/* -- edges ------------------------------------------------------------------------------------------------------------ */

static uint64_t edges[256];
static size_t edge_count;

static void add_edge(uint64_t v)
{
	for (size_t i = 0; i < edge_count; i++)
		if (edges[i] == v)
			return;
	edges[edge_count++] = v;
}

static void make_edges(void)
{
	edge_count = 0;
	for (unsigned n = 0; n < 64; n++)
		for (unsigned i = 0; i < 3; i++)
			add_edge(((uint64_t)1 << n) - 1 + i);
	add_edge(UINT64_MAX);
	add_edge(UINT64_MAX - 1);
}

/* -- sums, products, ranges --------------------------------------------------------------------------------------------- */

static bool right_sum_and_product(uint64_t a, uint64_t b)
{
	uint64_t sum, product;
	bool sum_fits = riommu_add(a, b, &sum), product_fits = riommu_mul(a, b, &product);
	wide s = (wide)a + b, p = (wide)a * b;

	return sum_fits == !(s >> 64) && (!sum_fits || sum == (uint64_t)s) &&
	       product_fits == !(p >> 64) && (!product_fits || product == (uint64_t)p);
}

START_TEST(sums_and_products_are_right_or_refused)
{
	for (size_t i = 0; i < edge_count; i++)
		for (size_t j = 0; j < edge_count; j++)
			MUST(right_sum_and_product(edges[i], edges[j]));
	for (uint64_t a = 0; a < 256; a++)
		for (uint64_t b = 0; b < 256; b++)
			MUST(right_sum_and_product(a, b) && right_sum_and_product(~a, b) &&
			     right_sum_and_product(~a, ~b));
}
END_TEST

static bool right_inside(uint64_t offset, uint64_t len, uint64_t size)
{
	return riommu_inside(offset, len, size) == ((wide)offset + len <= size);
}

START_TEST(what_is_inside_ends_inside)
{
	for (size_t i = 0; i < edge_count; i++)
		for (size_t j = 0; j < edge_count; j++)
			for (size_t k = 0; k < edge_count; k++)
				MUST(right_inside(edges[i], edges[j], edges[k]));
	for (uint64_t a = 0; a < 128; a++)
		for (uint64_t b = 0; b < 128; b++)
			for (uint64_t c = 0; c < 128; c++)
				MUST(right_inside(a, b, c) && right_inside(~a, b, ~c) &&
				     right_inside(~a, ~b, ~c) && right_inside(a, ~b, ~c));
}
END_TEST

/* -- bits --------------------------------------------------------------------------------------------------------------- */

START_TEST(bits_are_those_between_the_two)
{
	for (unsigned hi = 0; hi < 64; hi++)
		for (unsigned lo = 0; lo <= hi; lo++) {
			uint64_t mask = 0;

			for (unsigned bit = lo; bit <= hi; bit++)
				mask |= (uint64_t)1 << bit;
			MUST(riommu_mask(hi, lo) == mask);
			for (size_t i = 0; i < edge_count; i++)
				MUST(riommu_bits(edges[i], hi, lo) == (edges[i] & mask) >> lo);
		}
}
END_TEST

/* What the specification calls extract(x, y) (AIA, MSI page tables): bit by bit. */
static uint64_t extract(uint64_t v, uint64_t mask)
{
	uint64_t out = 0;
	unsigned n = 0;

	for (unsigned bit = 0; bit < 64; bit++)
		if (mask >> bit & 1)
			out |= (v >> bit & 1) << n++;
	return out;
}

START_TEST(extract_and_deposit_are_the_definition)
{
	for (unsigned shift = 0; shift <= 54; shift += 27)
		for (uint64_t m = 0; m < 1024; m++) {
			uint64_t mask = m << shift;

			for (uint64_t v = 0; v < 1024; v++) {
				uint64_t value = v << shift, packed = riommu_extract(value, mask);

				/* the definition is slow: it is asked of some, the inverse of all */
				MUST((v * 7 + m) % 16 || packed == extract(value, mask));
				MUST(riommu_deposit(packed, mask) == (value & mask));
			}
		}
}
END_TEST

START_TEST(bytes_have_the_order_that_is_asked_for)
{
	for (unsigned byte = 0; byte < 8; byte++)
		for (unsigned v = 0; v < 256; v++) {
			uint8_t bytes[8] = {0}, back[8];

			bytes[byte] = (uint8_t)v;
			MUST(riommu_get64(bytes, false) == (uint64_t)v << (8 * byte));
			MUST(riommu_get64(bytes, true) == (uint64_t)v << (8 * (7 - byte)));
			riommu_put64(back, (uint64_t)v << (8 * byte));
			MUST(!memcmp(back, bytes, 8));
			if (byte >= 4)
				continue;
			MUST(riommu_get32(bytes, false) == (uint32_t)v << (8 * byte));
			MUST(riommu_get32(bytes, true) == (uint32_t)v << (8 * (3 - byte)));
			riommu_put32(back, (uint32_t)v << (8 * byte));
			MUST(!memcmp(back, bytes, 4));
		}
}
END_TEST

/* -- fields -------------------------------------------------------------------------------------------------------------- */

static uint64_t meaning(const struct riommu_field *f, uint64_t raw)
{
	if (f->kind == RIOMMU_FIELD_PPN)
		return raw << 12;
	if (f->kind == RIOMMU_FIELD_ADDR)
		return raw << f->shift;
	return f->kind == RIOMMU_FIELD_LOG2SZ ? (uint64_t)2 << raw : raw;
}

/* RAW put into the field among the bits of BACKGROUND comes out again, and out of no other field. */
static void check_value(const struct riommu_layout *l, const struct riommu_field *f, uint64_t raw,
			uint64_t background)
{
	unsigned bits = f->hi - f->lo + 1u;
	uint64_t mask = (bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX) << f->lo;
	uint64_t v = (background & ~mask) | raw << f->lo;

	MUST(riommu_field_get(f, v) == raw);
	MUST(riommu_field_value(f, v) == meaning(f, raw));
	for (size_t i = 0; i < l->count; i++)
		if (&l->fields[i] != f)
			MUST(riommu_field_get(&l->fields[i], v) ==
			     riommu_field_get(&l->fields[i], background));
}

static void check_field(const struct riommu_layout *l, const struct riommu_field *f)
{
	static const uint64_t backgrounds[] = {0, UINT64_MAX, 0x5555555555555555,
					       0xaaaaaaaaaaaaaaaa};
	unsigned bits = f->hi - f->lo + 1u;
	uint64_t top = bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX,
		 state = 88172645463325252;

	for (size_t b = 0; b < RIOMMU_ARRAY_SIZE(backgrounds); b++) {
		for (uint64_t raw = 0; bits <= 16 && raw <= top; raw++)
			check_value(l, f, raw, backgrounds[b]);
		for (size_t i = 0; bits > 16 && i < edge_count; i++)
			check_value(l, f, edges[i] & top, backgrounds[b]);
		for (unsigned i = 0; bits > 16 && i < 1000; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			check_value(l, f, state & top, backgrounds[b]);
		}
	}
}

static unsigned checked;

static void check_layout(const struct riommu_layout *l)
{
	unsigned bits = 0;

	if (!l)
		return;
	checked++;
	for (size_t i = 0; i < l->count; i++) {
		const struct riommu_field *f = &l->fields[i];

		MUST(f->lo == bits && f->hi >= f->lo && f->hi < l->width * 8);
		bits = f->hi + 1u;
		check_field(l, f);
	}
	MUST(bits == l->width * 8u);
}

START_TEST(fields_of_registers_are_read_back)
{
	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++)
		if (!i || riommu_registers()[i].layout != riommu_registers()[i - 1].layout)
			check_layout(riommu_registers()[i].layout);
}
END_TEST

START_TEST(fields_of_structures_are_read_back)
{
	static const uint64_t tcs[] = {0, RIOMMU_TC_PDTV, RIOMMU_TC_SXL,
				       RIOMMU_TC_PDTV | RIOMMU_TC_SXL};

	checked = 0;
	check_layout(riommu_layout_ddte());
	check_layout(riommu_layout_pdte());
	check_layout(riommu_layout_pte(false));
	check_layout(riommu_layout_pte(true));
	for (unsigned i = 0; i < RIOMMU_DC_DWORDS; i++)
		for (size_t t = 0; t < RIOMMU_ARRAY_SIZE(tcs); t++)
			for (unsigned gxl = 0; gxl < 2; gxl++)
				check_layout(
					riommu_layout_dc(i, tcs[t], gxl ? RIOMMU_FCTL_GXL : 0));
	for (unsigned i = 0; i < 2; i++) {
		check_layout(riommu_layout_pc(i, 0));
		check_layout(riommu_layout_pc(i, RIOMMU_TC_SXL));
		check_layout(riommu_layout_page_request(i));
		for (uint64_t dw0 = 0; dw0 < 1024; dw0 += dw0 < 8 ? 1 : 127)
			check_layout(riommu_layout_msi_pte(i, dw0));
		/* each opcode and func3 (bits 9:0) */
		for (uint64_t dw0 = 0; dw0 < 1024; dw0++)
			if ((dw0 & 0x7f) < 5 || dw0 == 1023)
				check_layout(riommu_layout_command(i, dw0));
	}
	for (unsigned i = 0; i < 4; i++)
		check_layout(riommu_layout_fault(i));
	ck_assert_uint_gt(checked, 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proof-bits");
	TCase *tc = tcase_create("bits");

	tcase_add_checked_fixture(tc, make_edges, NULL);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, sums_and_products_are_right_or_refused);
	tcase_add_test(tc, what_is_inside_ends_inside);
	tcase_add_test(tc, bits_are_those_between_the_two);
	tcase_add_test(tc, extract_and_deposit_are_the_definition);
	tcase_add_test(tc, bytes_have_the_order_that_is_asked_for);
	tcase_add_test(tc, fields_of_registers_are_read_back);
	tcase_add_test(tc, fields_of_structures_are_read_back);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
