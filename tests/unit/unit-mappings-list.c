/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges: what is one and what is not, what leads nowhere, and how often memory is read. */
#include "mappings-cases.h"

static struct listing l;

static void list_device(void)
{
	struct riommu_space space = device_space();
	struct riommu_mapping_args args = {.last = UINT64_MAX};

	ck_assert_int_eq(list(&l, &space, &args), 0);
}

#define expect_range(i, want_kind, want_iova, want_last)               \
	do {                                                           \
		ck_assert_uint_gt(l.count, (i));                       \
		ck_assert_int_eq(l.v[i].kind, (want_kind));            \
		ck_assert_uint_eq(l.v[i].iova, (uint64_t)(want_iova)); \
		ck_assert_uint_eq(l.v[i].last, (uint64_t)(want_last)); \
	} while (0)

/* -- one stage ----------------------------------------------------------------------------------- */

START_TEST(leaves_that_lead_on_are_one_range_whatever_their_size)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	map(&s, 0x1ff000, 0, LEAF(0x901ff000));
	map(&s, 0x200000, 1, LEAF(0x90200000));
	map(&s, 0x400000, 1, LEAF(0x90400000));
	map(&s, 0x600000, 0, LEAF(0x90600000));
	list_device();
	ck_assert_uint_eq(l.count, 1);
	expect_range(0, RIOMMU_MAPPING_LEAVES, 0x1ff000, 0x600fff);
	ck_assert_uint_eq(l.v[0].pa, 0x901ff000);
	ck_assert_uint_eq(l.v[0].gpa, 0x901ff000);
	ck_assert_uint_eq(l.v[0].leaf_sizes, 0x201000);
	ck_assert_uint_eq(l.v[0].leaves, 4);
	ck_assert_uint_eq(l.v[0].permissions, PERM_RWX);
	ck_assert_uint_eq(l.totals.ranges, 1);
	ck_assert_uint_eq(l.totals.leaves, 4);
	ck_assert_uint_eq(l.totals.bytes, 0x402000);
	ck_assert_uint_eq(l.totals.pages, 4); /* root, middle, one below 2 MiB, one above 6 */
	ck_assert_uint_eq(l.totals.loops, 0);
}
END_TEST

/* The bits of the second leaf, and whether it is a range of its own: permissions, type, G, A, D, U count, RSW does not. */
START_TEST(neighbours_that_differ_are_two_ranges)
{
	static const struct {
		uint64_t clear, set;
		size_t ranges;
	} cases[] = {
		{RIOMMU_PTE_W, 0, 2}, {RIOMMU_PTE_X, 0, 2}, {0, PBMT(1), 2},
		{0, RIOMMU_PTE_G, 2}, {RIOMMU_PTE_A, 0, 2}, {RIOMMU_PTE_D, 0, 2},
		{RIOMMU_PTE_U, 0, 2}, {0, 3u << 8, 1},      {0, 0, 1},
	};
	struct stage s = first_stage(RIOMMU_FSC_SV48);

	map(&s, 0x5000, 0, LEAF(0x90005000));
	map(&s, 0x6000, 0, (LEAF(0x90006000) & ~cases[_i].clear) | cases[_i].set);
	list_device();
	ck_assert_uint_eq(l.count, cases[_i].ranges);
}
END_TEST

/* The same for what the second stage has no leaf for. */
START_TEST(neighbours_that_differ_are_two_ranges_of_guest_addresses)
{
	static const struct {
		uint64_t clear, set;
		size_t ranges;
	} cases[] = {
		{RIOMMU_PTE_W, 0, 2}, {0, PBMT(1), 2}, {0, RIOMMU_PTE_G, 2},
		{RIOMMU_PTE_A, 0, 2}, {0, 3u << 8, 1},
	};
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), s;

	guest_memory(&second);
	s = first_stage(RIOMMU_FSC_SV39);
	map(&s, 0x5000, 0, LEAF(0x5000));
	map(&s, 0x6000, 0, (LEAF(0x6000) & ~cases[_i].clear) | cases[_i].set);
	list_device();
	ck_assert_uint_eq(l.count, cases[_i].ranges);
	expect_range(0, RIOMMU_MAPPING_GUEST_ONLY, 0x5000, l.count == 2 ? 0x5fff : 0x6fff);
}
END_TEST

START_TEST(a_gap_in_either_address_ends_a_range)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	map(&s, 0x1000, 0, LEAF(0x90001000));
	map(&s, 0x3000, 0, LEAF(0x90002000));
	map(&s, 0x4000, 0, LEAF(0x90004000));
	list_device();
	ck_assert_uint_eq(l.count, 3);
}
END_TEST

START_TEST(a_gap_in_guest_addresses_alone_ends_a_range)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), s;

	guest_memory(&second);
	s = first_stage(RIOMMU_FSC_SV39);
	map(&s, 0x5000, 0, LEAF(0x5000));
	map(&s, 0x6000, 0, LEAF(0x9000));
	map(&second, 0x5000, 0, LEAF(0x90005000));
	map(&second, 0x9000, 0, LEAF(0x90006000));
	list_device();
	ck_assert_uint_eq(l.count, 2);
	ck_assert_uint_eq(l.v[1].gpa, 0x9000);
	ck_assert_uint_eq(l.v[1].pa, 0x90006000);
}
END_TEST

/* Formats of entries: of 4 bytes or 8, in either order. */
static struct stage first_stage_in_format(int format)
{
	m.dw[RIOMMU_DC_TC] |= (format & 1 ? RIOMMU_TC_SBE : 0) | (format & 2 ? RIOMMU_TC_SXL : 0);
	return first_stage(RIOMMU_FSC_SV39);
}

/* [4..7] on the level above the last */
START_TEST(a_table_of_one_run_is_one_range)
{
	struct stage s = first_stage_in_format(_i);
	unsigned level = (unsigned)_i / 4;
	uint64_t size = leaf_size(&s, level), entries = RIOMMU_PAGE_SIZE / s.pte_size;

	for (uint64_t i = 0; i < entries; i++)
		map(&s, i * size, level, LEAF(0x100000000 + i * size));
	list_device();
	ck_assert_uint_eq(l.count, 1);
	expect_range(0, RIOMMU_MAPPING_LEAVES, 0, entries * size - 1);
	ck_assert_uint_eq(l.v[0].pa, 0x100000000);
	ck_assert_uint_eq(l.v[0].leaves, entries);
}
END_TEST

/* [0] nothing updates A and D; [1] the hardware does */
/* A table of runs of LENGTH leaves, from its second entry on; the last leads elsewhere too. */
START_TEST(runs_of_any_length_are_found_whole)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	unsigned length = (unsigned)_i;
	size_t i = 0;

	for (unsigned e = 1; e < 512; e++)
		map(&s, e * 0x1000, 0, LEAF(0x90000000 + (e + (uint64_t)(e / length)) * 0x1000));
	list_device();
	ck_assert_uint_eq(l.count, 511 / length + (length > 1));
	for (unsigned e = 1; e < 512; i++) {
		unsigned end = (e / length + 1) * length < 512 ? (e / length + 1) * length : 512;

		expect_range(i, RIOMMU_MAPPING_LEAVES, e * 0x1000, end * 0x1000 - 1);
		ck_assert_uint_eq(l.v[i].pa, 0x90000000 + (e + (uint64_t)(e / length)) * 0x1000);
		ck_assert_uint_eq(l.v[i].leaves, end - e);
		e = end;
	}
	ck_assert_uint_eq(l.totals.ranges, l.count);
	ck_assert_uint_eq(l.totals.leaves, 511);
	ck_assert_uint_eq(l.totals.bytes, 511 * 0x1000);
}
END_TEST

/* What a pointer says of the leaves below it does not hold in the table beside. */
START_TEST(leaves_alike_in_tables_that_are_not_are_two_ranges)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	map(&s, 0x1ff000, 0, LEAF(0x901ff000));
	map(&s, 0x200000, 0, LEAF(0x90200000));
	map(&s, 0x400000, 0, LEAF(0x90400000));
	memory_put64(m.memory, slot(&s, 0x200000, 1), POINTER(slot(&s, 0x200000, 0)) | RIOMMU_PTE_G,
		     false);
	list_device();
	ck_assert_uint_eq(l.count, 3);
	ck_assert(!l.v[0].global && l.v[1].global && !l.v[2].global);
}
END_TEST

START_TEST(clear_bits_block_unless_hardware_sets_them)
{
	struct stage s;

	m.dw[RIOMMU_DC_TC] |= _i ? RIOMMU_TC_SADE : 0;
	s = first_stage(RIOMMU_FSC_SV39);
	map(&s, 0x1000, 0, LEAF(0x90001000) & ~RIOMMU_PTE_A);
	map(&s, 0x3000, 0, LEAF(0x90003000) & ~RIOMMU_PTE_D);
	map(&s, 0x5000, 0, LEAF(0x90005000) & ~(RIOMMU_PTE_D | RIOMMU_PTE_W));
	map(&s, 0x7000, 0, LEAF(0x90007000) & ~RIOMMU_PTE_U);
	list_device();
	ck_assert_uint_eq(l.v[0].blocked, _i ? 0 : RIOMMU_BLOCKED_A);
	ck_assert_uint_eq(l.v[1].blocked, _i ? 0 : RIOMMU_BLOCKED_D);
	ck_assert_uint_eq(l.v[2].blocked, 0); /* it may not be written anyway */
	ck_assert_uint_eq(l.v[3].blocked, RIOMMU_BLOCKED_U);
}
END_TEST

START_TEST(the_upper_half_comes_last_and_sign_extended)
{
	static const unsigned bits[] = {39, 48, 57};
	struct stage s = first_stage(RIOMMU_FSC_SV39 + (unsigned)_i);
	uint64_t upper = ~(uint64_t)0 << (bits[_i] - 1);

	map(&s, upper, 0, LEAF(0x90000000));
	map(&s, ~(uint64_t)0 & ~RIOMMU_PAGE_MASK, 0, LEAF(0x90001000));
	map(&s, ~upper & ~RIOMMU_PAGE_MASK, 0, LEAF(0x90002000));
	list_device();
	ck_assert_uint_eq(l.count, 3);
	expect_range(0, RIOMMU_MAPPING_LEAVES, ~upper - 0xfff, ~upper);
	expect_range(1, RIOMMU_MAPPING_LEAVES, upper, upper + 0xfff);
	expect_range(2, RIOMMU_MAPPING_LEAVES, UINT64_MAX - 0xfff, UINT64_MAX);
}
END_TEST

START_TEST(a_napot_leaf_counts_once)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	for (unsigned i = 0; i < 32; i++)
		map(&s, 0x20000 + i * 0x1000, 0,
		    LEAF(i < 16 ? 0x90008000 : 0x90018000) | RIOMMU_PTE_N);
	list_device();
	ck_assert_uint_eq(l.count, 1);
	expect_range(0, RIOMMU_MAPPING_LEAVES, 0x20000, 0x3ffff);
	ck_assert_uint_eq(l.v[0].pa, 0x90000000);
	ck_assert_uint_eq(l.v[0].leaf_sizes, 0x10000);
	ck_assert_uint_eq(l.v[0].leaves, 2);
}
END_TEST

START_TEST(only_what_was_asked_for_is_listed)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	struct riommu_mapping_args args = {.first = 0x212345, .last = 0x300000};
	struct riommu_space space;

	map(&s, 0x200000, 1, LEAF(0x90200000));
	map(&s, 0x400000, 0, LEAF(0x90400000));
	space = device_space();
	ck_assert_int_eq(list(&l, &space, &args), 0);
	ck_assert_uint_eq(l.count, 1);
	expect_range(0, RIOMMU_MAPPING_LEAVES, 0x212345, 0x300000);
	ck_assert_uint_eq(l.v[0].pa, 0x90212345);
	ck_assert_uint_eq(l.v[0].leaves, 1);
}
END_TEST

/* Entries past the widest address that a PTE can hold do not run on into other bits, or around. */
START_TEST(a_run_ends_where_addresses_end)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	map(&s, 0x1000, 0, LEAF(0xfffffffffff000));
	map(&s, 0x2000, 0, LEAF_FLAGS | BIT(54)); /* what the sum would be */
	map(&s, 0x3000, 0, LEAF(0));
	list_device();
	ck_assert_uint_eq(l.count, 3);
	expect_range(1, RIOMMU_MAPPING_MALFORMED, 0x2000, 0x2fff);
	ck_assert_ptr_nonnull(strstr(l.v[1].reason, "reserved"));
	ck_assert_uint_eq(l.v[2].pa, 0);
}
END_TEST

START_TEST(malformed_entries_are_told_with_where_they_are)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	uint64_t at = map(&s, 0x200000, 1, LEAF(0x90001000)); /* misaligned */

	map(&s, 0x400000, 1, LEAF(0x90001000));
	map(&s, 0x600000, 0, PTE(0x90000000) | RIOMMU_PTE_V | RIOMMU_PTE_W);
	map(&s, 0x601000, 0, LEAF(0x90000000) & ~RIOMMU_PTE_V);
	list_device();
	ck_assert_uint_eq(l.count, 2);
	expect_range(0, RIOMMU_MAPPING_MALFORMED, 0x200000, 0x5fffff);
	ck_assert_uint_eq(l.v[0].address, at);
	ck_assert_uint_eq(l.v[0].leaves, 2);
	expect_range(1, RIOMMU_MAPPING_MALFORMED, 0x600000, 0x600fff);
	ck_assert_uint_eq(l.totals.leaves, 0);
}
END_TEST

/* Bits that are not V, alone and before and behind leaves: none is taken for one. */
START_TEST(what_is_not_valid_is_not_there)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	map(&s, 0x1000, 0, PTE(0x90001000));
	map(&s, 0x2000, 0, LEAF(0x90002000));
	map(&s, 0x3000, 0, PTE(0x90003000));
	map(&s, 0x4000, 0, LEAF(0x90004000) & ~RIOMMU_PTE_V);
	map(&s, 0x200000, 1, PTE(0x90200000));
	list_device();
	ck_assert_uint_eq(l.count, 1);
	expect_range(0, RIOMMU_MAPPING_LEAVES, 0x2000, 0x2fff);
}
END_TEST

/* [0] not held, [1] data corruption, [2] wider than PAS */
START_TEST(a_table_that_cannot_be_read_hides_its_part)
{
	static const struct {
		uint64_t table;
		int error;
	} cases[] = {{0x66666000, -ENODATA}, {0x77777000, -EHWPOISON}, {BIT(PAS), -EFAULT}};
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	memory_poison(m.memory, 0x77777000);
	map(&s, 0x200000, 1, LEAF(0x90200000));
	map(&s, 0x400000, 1, POINTER(cases[_i].table));
	list_device();
	ck_assert_uint_eq(l.count, 2);
	expect_range(1, RIOMMU_MAPPING_UNREADABLE, 0x400000, 0x5fffff);
	ck_assert_int_eq(l.v[1].error, cases[_i].error);
	ck_assert_uint_eq(l.v[1].address, cases[_i].table);
}
END_TEST

START_TEST(no_stage_is_an_identity)
{
	struct riommu_space space = device_space();
	struct riommu_mapping_args args = {.first = 5, .last = UINT64_MAX - 1};

	ck_assert_int_eq(list(&l, &space, &args), 0);
	ck_assert_uint_eq(l.count, 1);
	expect_range(0, RIOMMU_MAPPING_IDENTITY, 5, UINT64_MAX - 1);
	ck_assert_uint_eq(l.v[0].pa, 5);
	ck_assert_uint_eq(l.v[0].leaf_sizes, 0);
	ck_assert_uint_eq(l.v[0].permissions, PERM_RWX);
}
END_TEST

static int stop(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	(void)ranges;
	(void)count;
	return --*(int *)arg ? 0 : 42;
}

START_TEST(a_visitor_can_end_the_listing)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	struct riommu_mapping_args args = {.last = UINT64_MAX};
	struct riommu_space space;
	int calls = _i;

	/* two ranges in each of four tables */
	for (unsigned i = 0; i < 8; i++)
		map(&s, i / 2 * 0x200000 + i % 2 * 0x2000, 0, LEAF(0x90000000));
	space = device_space();
	ck_assert_int_eq(riommu_visit_mappings(&m.w, &space, &args, stop, &calls, NULL), 42);
	ck_assert_int_eq(calls, 0);
}
END_TEST

/* Enough when a range is told that begins at FROM or above; then nothing more may be. */
struct end_at {
	uint64_t from;
	bool ended;
};

static int stop_at(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	struct end_at *e = arg;

	ck_assert(!e->ended);
	e->ended = ranges[count - 1].iova >= e->from;
	return e->ended ? 42 : 0;
}

/* Neighbours that differ: a run each. So many ranges come before them that room for more ends at each of them in turn. */
START_TEST(a_visitor_can_end_the_listing_in_any_format)
{
	struct stage s = first_stage_in_format(_i);
	struct riommu_mapping_args args = {.last = UINT64_MAX};
	struct riommu_space space;

	for (unsigned i = 0; i < 4; i++)
		map(&s, 0x400000 + i * 0x1000, 0, LEAF(0x90000000) & ~(i % 2 ? RIOMMU_PTE_W : 0ul));
	space = device_space();
	for (unsigned before = 1; before <= 130; before++) {
		struct end_at end = {.from = 0x400000};

		map(&s, before * 0x1000, 0, LEAF(0xa0000000 + before * 0x2000));
		ck_assert_int_eq(riommu_visit_mappings(&m.w, &space, &args, stop_at, &end, NULL),
				 42);
		ck_assert(end.ended);
	}
}
END_TEST

/* [1] all but the first: the others come so many at a time, and room for more ends elsewhere then */
START_TEST(a_visitor_can_end_it_among_ranges_that_are_alike)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	struct riommu_mapping_args args = {.last = UINT64_MAX};
	struct riommu_space space;

	map(&s, 0, 0, LEAF(0x90000000) & ~(_i ? RIOMMU_PTE_W : 0ul));
	for (unsigned i = 1; i < 500; i++)
		map(&s, i * 0x1000, 0, LEAF(0x90000000 + i * 0x2000));
	space = device_space();
	for (unsigned i = 0; i < 500; i += 7) {
		struct end_at end = {.from = i * 0x1000};

		ck_assert_int_eq(riommu_visit_mappings(&m.w, &space, &args, stop_at, &end, NULL),
				 42);
		ck_assert(end.ended);
	}
}
END_TEST

/* One leaf over two pages that lead elsewhere each, a gap, another page, a gap, an interrupt file, and a gap; before them another one, as above. */
START_TEST(a_visitor_can_end_it_behind_a_second_stage)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), s;
	struct riommu_mapping_args args = {.last = UINT64_MAX};
	struct end_at end = {.from = 0x200000};
	struct riommu_space space;

	guest_memory(&second);
	put_msi_pte(msi_table(0x300000), PTE(0xb0000000) | 7, 0);
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 0;
	s = first_stage(RIOMMU_FSC_SV39);
	map(&s, 0, 1, LEAF(0x400000));
	for (unsigned i = 0; i < (unsigned)_i; i++)
		map(&second, 0x400000 + i * 0x1000, 0, LEAF(0xa0000000 + i * 0x2000));
	map(&s, 0x200000, 1, LEAF(0x200000));
	map(&second, 0x200000, 0, LEAF(0x90000000));
	map(&second, 0x201000, 0, LEAF(0x90010000));
	map(&second, 0x203000, 0, LEAF(0x90020000));
	space = device_space();
	ck_assert_int_eq(riommu_visit_mappings(&m.w, &space, &args, stop_at, &end, NULL), 42);
	ck_assert(end.ended);
}
END_TEST

/* The Ith page: what it holds differs from the ones beside it, and each third in more than where it leads. */
static uint64_t mixed(unsigned i)
{
	uint64_t leaf = LEAF(0x90000000 + i * 0x2000);

	if (i % 11 == 5)
		return RIOMMU_PTE_V | RIOMMU_PTE_W;
	return i % 3 ? leaf : leaf & ~RIOMMU_PTE_W;
}

/* The loop variable is how many there are: some are told at once, and none is like one that was in its place before. */
START_TEST(each_of_many_ranges_is_told_as_it_is)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	unsigned leaves = 0;

	for (unsigned i = 0; i < (unsigned)_i; i++)
		map(&s, i * 0x1000, 0, mixed(i));
	list_device();
	ck_assert_uint_eq(l.count, (unsigned)_i);
	for (unsigned i = 0; i < l.count; i++) {
		bool leaf = mixed(i) & RIOMMU_PTE_R;

		expect_range(i, leaf ? RIOMMU_MAPPING_LEAVES : RIOMMU_MAPPING_MALFORMED, i * 0x1000,
			     i * 0x1000 + 0xfff);
		ck_assert_uint_eq(l.v[i].pa, leaf ? 0x90000000 + i * 0x2000 : 0);
		ck_assert_uint_eq(l.v[i].gpa, l.v[i].pa);
		ck_assert_uint_eq(l.v[i].leaves, 1);
		ck_assert_uint_eq(l.v[i].leaf_sizes, leaf ? 0x1000 : 0);
		ck_assert_uint_eq(!!(l.v[i].permissions & RIOMMU_PERM_W), leaf && i % 3);
		ck_assert_int_eq(l.v[i].reason != NULL, !leaf);
		leaves += leaf;
	}
	ck_assert_uint_eq(l.totals.ranges, (unsigned)_i);
	ck_assert_uint_eq(l.totals.leaves, leaves);
	ck_assert_uint_eq(l.totals.bytes, leaves * 0x1000);
}
END_TEST

/* Only the first one leads on from a leaf of another size; all others are alike, more than are told at once. */
START_TEST(a_range_of_two_sizes_is_alone_with_them)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	map(&s, 0, 1, LEAF(0x90000000));
	for (unsigned i = 0; i < 300; i++)
		map(&s, 0x200000 + i * 0x1000, 0, LEAF(0x90200000 + i * 0x2000));
	list_device();
	ck_assert_uint_eq(l.count, 300);
	expect_range(0, RIOMMU_MAPPING_LEAVES, 0, 0x200fff);
	ck_assert_uint_eq(l.v[0].leaf_sizes, 0x201000);
	ck_assert_uint_eq(l.v[0].leaves, 2);
	for (unsigned i = 1; i < l.count; i++) {
		expect_range(i, RIOMMU_MAPPING_LEAVES, 0x200000 + i * 0x1000,
			     0x200fff + i * 0x1000);
		ck_assert_uint_eq(l.v[i].leaf_sizes, 0x1000);
		ck_assert_uint_eq(l.v[i].leaves, 1);
	}
}
END_TEST

/* Runs of three pages; a call may tell of many, and does. */
struct calls {
	unsigned count;
	uint64_t ranges, bytes, next;
};

static int sum(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	struct calls *c = arg;

	c->count++;
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(ranges[i].iova, c->next);
		c->next = ranges[i].last + 1;
		c->bytes += ranges[i].leaves * 0x1000;
	}
	c->ranges += count;
	return 0;
}

START_TEST(many_ranges_are_told_at_once)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	struct riommu_mapping_args args = {.last = UINT64_MAX};
	struct riommu_space space;
	struct calls c = {0};

	for (uint64_t i = 0; i < 2048; i++)
		map(&s, i * 0x1000, 0, LEAF(0x90000000 + (i + i / 3) * 0x1000));
	space = device_space();
	ck_assert_int_eq(riommu_visit_mappings(&m.w, &space, &args, sum, &c, &l.totals), 0);
	ck_assert_uint_eq(c.ranges, 683);
	ck_assert_uint_eq(l.totals.ranges, 683);
	ck_assert_uint_eq(l.totals.leaves, 2048);
	ck_assert_uint_eq(l.totals.bytes, 2048 * 0x1000);
	ck_assert_uint_eq(c.bytes, 2048 * 0x1000);
	ck_assert_uint_eq(c.next, 2048 * 0x1000);
	ck_assert_uint_le(c.count, 683 / 10);
}
END_TEST

/* The pages of the last level, and how far each was told when the next one was read. */
struct progress {
	uint64_t table[3];
	unsigned told;
};

static int see_progress(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	struct progress *p = arg;

	for (size_t i = 0; i < count; i++, p->told++) {
		ck_assert_uint_eq(ranges[i].iova / 0x200000, p->told / 3);
		/* all but the last range of a table, which may lead on in the next one */
		if (p->told % 3 < 2 && p->told < 6)
			ck_assert_uint_eq(memory_reads(m.memory, p->table[p->told / 3 + 1]), 0);
	}
	return 0;
}

/* Memory may be slow, or never answer, and somebody may be waiting at a screen. */
START_TEST(what_a_table_leads_to_is_told_before_the_next_one_is_read)
{
	struct riommu_mapping_args args = {.last = UINT64_MAX};
	struct progress p = {.told = 0};
	struct riommu_space space;
	struct stage s;

	riommu_source_close(m.w.memory);
	m.w.memory = memory_source_copying(m.memory, m.ctx);
	s = first_stage(RIOMMU_FSC_SV39);
	for (unsigned i = 0; i < 9; i++)
		p.table[i / 3] = map(&s, i / 3 * 0x200000 + i % 3 * 0x2000, 0, LEAF(0x90000000));
	space = device_space();
	ck_assert_int_eq(riommu_visit_mappings(&m.w, &space, &args, see_progress, &p, NULL), 0);
	ck_assert_uint_eq(p.told, 9);
}
END_TEST

/* [0] three tables may be entered: none of the last level but one; [1] four */
START_TEST(what_was_found_before_the_bound_is_told)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	struct riommu_mapping_args args = {.last = UINT64_MAX};
	struct riommu_space space;

	ck_assert_int_eq(riommu_option_set(m.ctx, "max-pages", _i ? "4" : "3"), 0);
	for (unsigned i = 0; i < 9; i++)
		map(&s, i / 3 * 0x200000 + i % 3 * 0x2000, 0, LEAF(0x90000000));
	space = device_space();
	ck_assert_int_eq(list(&l, &space, &args), -EOVERFLOW);
	ck_assert(l.totals.truncated);
	ck_assert_uint_eq(l.count, _i ? 6 : 3);
	ck_assert_uint_eq(l.totals.ranges, l.count);
}
END_TEST

/* [1] the source only copies */
START_TEST(each_table_page_is_read_once)
{
	uint64_t tables[64], before;
	struct stage s;

	if (_i) {
		riommu_source_close(m.w.memory);
		m.w.memory = memory_source_copying(m.memory, m.ctx);
	}
	s = first_stage(RIOMMU_FSC_SV39);
	for (unsigned i = 0; i < RIOMMU_ARRAY_SIZE(tables); i++) {
		uint64_t iova = (i < 32 ? 0 : ~(uint64_t)0 << 38) + i * 0x200000;

		/* all in one slot of the source: who asks for one loses the one before */
		m.next_page = ROOT + (i + 1) * 0x400000;
		tables[i] = map(&s, iova, 0, LEAF(0x90000000 + i * 0x10000));
	}
	before = m.w.memory->pages_read;
	list_device();
	ck_assert_uint_eq(l.count, 64);
	ck_assert_uint_eq(m.w.memory->pages_read - before, 64 + 3);
	ck_assert_uint_eq(l.totals.pages, 64 + 3);
	if (!_i)
		for (unsigned i = 0; i < RIOMMU_ARRAY_SIZE(tables); i++)
			ck_assert_uint_eq(memory_reads(m.memory, tables[i]), 1);
}
END_TEST

/* -- two stages ---------------------------------------------------------------------------------- */

START_TEST(a_large_first_stage_leaf_over_small_second_stage_ones)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), first;

	guest_memory(&second);
	for (unsigned i = 0; i < 512; i++)
		map(&second, 0x80000000 + i * 0x1000, 0, LEAF(0x700000000 + i * 0x1000));
	map(&second, 0x80200000, 0, LEAF(0xa0000000) & ~RIOMMU_PTE_W);
	first = first_stage(RIOMMU_FSC_SV39);
	map(&first, 0xc0000000, 2, LEAF(0x80000000) & ~RIOMMU_PTE_X);
	list_device();
	ck_assert_uint_eq(l.count, 3);
	expect_range(0, RIOMMU_MAPPING_LEAVES, 0xc0000000, 0xc01fffff);
	ck_assert_uint_eq(l.v[0].gpa, 0x80000000);
	ck_assert_uint_eq(l.v[0].pa, 0x700000000);
	ck_assert_uint_eq(l.v[0].leaf_sizes, 0x1000);
	ck_assert_uint_eq(l.v[0].leaves, 512);
	ck_assert_uint_eq(l.v[0].permissions, PERM_RW);
	expect_range(1, RIOMMU_MAPPING_LEAVES, 0xc0200000, 0xc0200fff);
	ck_assert_uint_eq(l.v[1].permissions, RIOMMU_PERM_R);
	expect_range(2, RIOMMU_MAPPING_GUEST_ONLY, 0xc0201000, 0xffffffff);
	ck_assert_uint_eq(l.v[2].gpa, 0x80201000);
	ck_assert_ptr_nonnull(l.v[2].reason);
}
END_TEST

/* Of three pages two are there, and lie apart: what is told at once is no multiple of three. */
START_TEST(gaps_among_leaves_that_are_alike)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), first;

	guest_memory(&second);
	first = first_stage(RIOMMU_FSC_SV39);
	map(&first, 0x200000, 1, LEAF(0x80000000));
	for (unsigned i = 0; i < 512; i++)
		if (i % 3 < 2)
			map(&second, 0x80000000 + i * 0x1000, 0, LEAF(0x90000000 + i * 0x2000));
	list_device();
	ck_assert_uint_eq(l.count, 512);
	for (unsigned i = 0; i < l.count; i++) {
		bool leaf = i % 3 < 2;

		expect_range(i, leaf ? RIOMMU_MAPPING_LEAVES : RIOMMU_MAPPING_GUEST_ONLY,
			     0x200000 + i * 0x1000, 0x200fff + i * 0x1000);
		ck_assert_uint_eq(l.v[i].gpa, 0x80000000 + i * 0x1000);
		ck_assert_uint_eq(l.v[i].pa, leaf ? 0x90000000 + i * 0x2000 : 0);
		ck_assert_uint_eq(l.v[i].leaf_sizes, leaf ? 0x1000 : 0x200000);
		ck_assert_int_eq(l.v[i].reason != NULL, !leaf);
	}
}
END_TEST

START_TEST(small_first_stage_leaves_over_a_large_second_stage_one)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV48X4), first;

	guest_memory(&second);
	map(&second, 0x80000000, 2, LEAF(0x1000000000));
	first = first_stage(RIOMMU_FSC_SV39);
	for (unsigned i = 0; i < 1024; i++)
		map(&first, 0x40000000 + i * 0x1000, 0, LEAF(0x80000000 + i * 0x1000));
	list_device();
	ck_assert_uint_eq(l.count, 1);
	expect_range(0, RIOMMU_MAPPING_LEAVES, 0x40000000, 0x403fffff);
	ck_assert_uint_eq(l.v[0].pa, 0x1000000000);
	ck_assert_uint_eq(l.v[0].leaf_sizes, 0x1000);
	ck_assert_uint_eq(l.v[0].leaves, 1024);
}
END_TEST

/* The second stage by itself, which has four pages of root: [1] with a first stage that is not looked at */
/* They lie in one second-stage table, where they are alike. */
START_TEST(each_first_stage_leaf_limits_what_its_pages_permit)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), first;

	guest_memory(&second);
	first = first_stage(RIOMMU_FSC_SV39);
	for (unsigned i = 1; i < 4; i++) {
		uint64_t pte = LEAF(0x90000000 + i * 0x1000);

		map(&second, 0x90000000 + i * 0x1000, 0, LEAF(0x80000000 + i * 0x1000));
		map(&first, i * 0x1000, 0, i == 2 ? pte & ~(uint64_t)RIOMMU_PTE_W : pte);
	}
	list_device();
	ck_assert_uint_eq(l.count, 3);
	ck_assert_uint_eq(l.v[0].permissions, PERM_RWX);
	ck_assert_uint_eq(l.v[1].permissions, RIOMMU_PERM_R | RIOMMU_PERM_X);
	ck_assert_uint_eq(l.v[2].permissions, PERM_RWX);
	ck_assert_uint_eq(l.v[2].pa, 0x80003000);
}
END_TEST

START_TEST(guest_physical_addresses_alone)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4);
	struct riommu_mapping_args args = {.second_stage_only = true, .last = UINT64_MAX};
	struct riommu_space space;

	map(&second, 0x1ffffe00000, 1, LEAF(0x90000000));
	map(&second, 0x8000000000, 0, LEAF(0x90001000) & ~RIOMMU_PTE_U);
	map(&second, 0, 2, LEAF(0x40000000));
	if (_i)
		first_stage(RIOMMU_FSC_SV39);
	space = device_space();
	ck_assert_int_eq(list(&l, &space, &args), 0);
	ck_assert_uint_eq(l.count, 3);
	expect_range(0, RIOMMU_MAPPING_LEAVES, 0, 0x3fffffff);
	expect_range(1, RIOMMU_MAPPING_MALFORMED, 0x8000000000, 0x8000000fff);
	expect_range(2, RIOMMU_MAPPING_LEAVES, 0x1ffffe00000, 0x1ffffffffff);
	ck_assert_uint_eq(l.v[2].pa, 0x90000000);
	ck_assert_uint_eq(l.v[2].gpa, 0x1ffffe00000);
}
END_TEST

START_TEST(there_is_no_second_stage_to_list)
{
	struct riommu_space space = device_space();
	struct riommu_mapping_args args = {.second_stage_only = true, .last = UINT64_MAX};

	ck_assert_int_eq(list(&l, &space, &args), -EINVAL);
	args = (struct riommu_mapping_args){.first = 1};
	ck_assert_int_eq(list(&l, &space, &args), -EINVAL);
}
END_TEST

START_TEST(a_first_stage_table_that_is_not_mapped_leads_nowhere)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), first;

	guest_memory(&second);
	first = first_stage(RIOMMU_FSC_SV39);
	map(&first, 0x400000, 1, POINTER(0x20000000));
	list_device();
	ck_assert_uint_eq(l.count, 1);
	expect_range(0, RIOMMU_MAPPING_MALFORMED, 0x400000, 0x5fffff);
	ck_assert_ptr_nonnull(strstr(l.v[0].reason, "second stage"));
}
END_TEST

/* The hardware cannot set A and D of first-stage leaves where the second stage does not let it write. [1] D=0 there does the same */
START_TEST(a_table_that_cannot_be_written_keeps_its_bits)
{
	struct stage second, first;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_SADE;
	second = second_stage(RIOMMU_HGATP_SV39X4);
	map(&second, GUEST(ROOT), 2, LEAF(ROOT) & ~(_i ? RIOMMU_PTE_D : RIOMMU_PTE_W));
	map(&second, 0x90000000, 1, LEAF(0x90000000));
	first = first_stage(RIOMMU_FSC_SV39);
	map(&first, 0x1000, 0, LEAF(0x90001000) & ~RIOMMU_PTE_A);
	map(&first, 0x3000, 0, LEAF(0x90003000) & ~RIOMMU_PTE_D);
	map(&first, 0x5000, 0, LEAF(0x90005000));
	list_device();
	ck_assert_uint_eq(l.count, 3);
	ck_assert_uint_eq(l.v[0].blocked, RIOMMU_BLOCKED_A);
	ck_assert_uint_eq(l.v[1].blocked, RIOMMU_BLOCKED_D);
	ck_assert_uint_eq(l.v[2].blocked, 0);
}
END_TEST

/* Windows in the middle of a leaf: flat ones that lead on, an MRIF, one that is not valid, one that is malformed. */
START_TEST(msi_windows_are_cut_out)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4);
	uint64_t table = msi_table(0x300000);

	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 7;
	map(&second, 0x200000, 1, LEAF(0x90000000));
	put_msi_pte(table + 16 * 0, PTE(0xb0000000) | 7, 0);
	put_msi_pte(table + 16 * 1, PTE(0xb0001000) | 7, 0);
	put_msi_pte(table + 16 * 2, (uint64_t)0xc0000200 >> 9 << 7 | 3, PTE(0xd0000000) | 0x123);
	put_msi_pte(table + 16 * 3, PTE(0xb0001000) | 1, 0);
	put_msi_pte(table + 16 * 7, PTE(0xb0007000) | 6, 0);
	list_device();
	ck_assert_uint_eq(l.count, 5);
	expect_range(0, RIOMMU_MAPPING_LEAVES, 0x200000, 0x2fffff);
	expect_range(1, RIOMMU_MAPPING_MSI_FLAT, 0x300000, 0x301fff);
	ck_assert_uint_eq(l.v[1].pa, 0xb0000000);
	ck_assert_uint_eq(l.v[1].permissions, PERM_RW);
	expect_range(2, RIOMMU_MAPPING_MSI_MRIF, 0x302000, 0x302fff);
	ck_assert_uint_eq(l.v[2].pa, 0xc0000200);
	ck_assert_uint_eq(l.v[2].notice_id, 0x123);
	ck_assert_uint_eq(l.v[2].address, table + 32);
	expect_range(3, RIOMMU_MAPPING_MALFORMED, 0x303000, 0x303fff);
	expect_range(4, RIOMMU_MAPPING_LEAVES, 0x308000, 0x3fffff);
	ck_assert_uint_eq(l.v[4].pa, 0x90108000);
}
END_TEST

/* Which interrupt file a page is for does not follow from the one before. */
START_TEST(interrupt_files_come_in_any_order)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), s;
	static const unsigned order[] = {0, 2, 1, 3, 3};
	uint64_t table = msi_table(0x300000);

	guest_memory(&second);
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 3;
	s = first_stage(RIOMMU_FSC_SV39);
	for (uint64_t i = 0; i < 4; i++)
		put_msi_pte(table + 16 * i, PTE(0xb0000000 + i * 0x10000) | 7, 0);
	for (uint64_t i = 0; i < 5; i++)
		map(&s, i * 0x1000, 0, LEAF(0x300000 + order[i] * 0x1000));
	list_device();
	ck_assert_uint_eq(l.count, 5);
	for (uint64_t i = 0; i < 5; i++) {
		expect_range(i, RIOMMU_MAPPING_MSI_FLAT, i * 0x1000, i * 0x1000 + 0xfff);
		ck_assert_uint_eq(l.v[i].pa, 0xb0000000 + order[i] * 0x10000);
	}
}
END_TEST

TCase *list_case(void)
{
	TCase *tc = tcase_create("list");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_test(tc, leaves_that_lead_on_are_one_range_whatever_their_size);
	tcase_add_loop_test(tc, neighbours_that_differ_are_two_ranges, 0, 9);
	tcase_add_loop_test(tc, neighbours_that_differ_are_two_ranges_of_guest_addresses, 0, 5);
	tcase_add_test(tc, a_gap_in_either_address_ends_a_range);
	tcase_add_test(tc, a_gap_in_guest_addresses_alone_ends_a_range);
	tcase_add_loop_test(tc, a_table_of_one_run_is_one_range, 0, 8);
	tcase_add_loop_test(tc, runs_of_any_length_are_found_whole, 1, 50);
	tcase_add_test(tc, leaves_alike_in_tables_that_are_not_are_two_ranges);
	tcase_add_loop_test(tc, clear_bits_block_unless_hardware_sets_them, 0, 2);
	tcase_add_loop_test(tc, the_upper_half_comes_last_and_sign_extended, 0, 3);
	tcase_add_test(tc, a_napot_leaf_counts_once);
	tcase_add_test(tc, only_what_was_asked_for_is_listed);
	tcase_add_test(tc, a_run_ends_where_addresses_end);
	tcase_add_test(tc, malformed_entries_are_told_with_where_they_are);
	tcase_add_test(tc, what_is_not_valid_is_not_there);
	tcase_add_loop_test(tc, a_table_that_cannot_be_read_hides_its_part, 0, 3);
	tcase_add_test(tc, no_stage_is_an_identity);
	tcase_add_loop_test(tc, a_visitor_can_end_the_listing, 1, 5);
	tcase_add_loop_test(tc, a_visitor_can_end_the_listing_in_any_format, 0, 4);
	tcase_add_loop_test(tc, a_visitor_can_end_it_among_ranges_that_are_alike, 0, 2);
	tcase_add_loop_test(tc, a_visitor_can_end_it_behind_a_second_stage, 50, 66);
	tcase_add_loop_test(tc, each_of_many_ranges_is_told_as_it_is, 60, 70);
	tcase_add_loop_test(tc, each_of_many_ranges_is_told_as_it_is, 125, 131);
	tcase_add_loop_test(tc, each_of_many_ranges_is_told_as_it_is, 700, 701);
	tcase_add_test(tc, a_range_of_two_sizes_is_alone_with_them);
	tcase_add_test(tc, many_ranges_are_told_at_once);
	tcase_add_test(tc, what_a_table_leads_to_is_told_before_the_next_one_is_read);
	tcase_add_loop_test(tc, what_was_found_before_the_bound_is_told, 0, 2);
	tcase_add_loop_test(tc, each_table_page_is_read_once, 0, 2);
	tcase_add_test(tc, a_large_first_stage_leaf_over_small_second_stage_ones);
	tcase_add_test(tc, gaps_among_leaves_that_are_alike);
	tcase_add_test(tc, small_first_stage_leaves_over_a_large_second_stage_one);
	tcase_add_test(tc, each_first_stage_leaf_limits_what_its_pages_permit);
	tcase_add_loop_test(tc, guest_physical_addresses_alone, 0, 2);
	tcase_add_test(tc, there_is_no_second_stage_to_list);
	tcase_add_test(tc, a_first_stage_table_that_is_not_mapped_leads_nowhere);
	tcase_add_loop_test(tc, a_table_that_cannot_be_written_keeps_its_bits, 0, 2);
	tcase_add_test(tc, msi_windows_are_cut_out);
	tcase_add_test(tc, interrupt_files_come_in_any_order);
	return tc;
}
