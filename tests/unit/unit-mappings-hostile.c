/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables that somebody drew to keep us busy: loops, lies, noise. Each test has a time limit. */
#include "mappings-cases.h"

static int count_only(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	(void)ranges;
	*(uint64_t *)arg += count;
	return 0;
}

static int count_ranges(struct riommu_mapping_totals *totals, uint64_t *ranges)
{
	struct riommu_space space = device_space();
	struct riommu_mapping_args args = {.last = UINT64_MAX};

	*ranges = 0;
	return riommu_visit_mappings(&m.w, &space, &args, count_only, ranges, totals);
}

static void point_all_at(const struct stage *s, uint64_t table, uint64_t target)
{
	for (unsigned i = 0; i < 512; i++)
		memory_put64(m.memory, table + 8 * i, POINTER(target), s->big_endian);
}

/* 512^5 entries behind one page. */
START_TEST(a_table_that_is_all_pointers_to_itself_ends_at_the_bound)
{
	struct stage s = first_stage(RIOMMU_FSC_SV57);
	struct riommu_mapping_totals totals;
	uint64_t ranges;

	point_all_at(&s, s.root, s.root);
	ck_assert_int_eq(count_ranges(&totals, &ranges), -EOVERFLOW);
	ck_assert(totals.truncated);
	ck_assert_uint_ge(totals.loops, 1000000);
	ck_assert_uint_eq(ranges, 1); /* what was found is told: entries that can only fault */
}
END_TEST

/* The same in the second stage, which a first-stage leaf of 512 GiB leads through. */
START_TEST(loops_of_the_second_stage_end_too)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV57X4), first;
	struct riommu_mapping_totals totals;
	uint64_t ranges, loop = new_pages(1);

	guest_memory(&second);
	first = first_stage(RIOMMU_FSC_SV57);
	for (unsigned i = 0; i < 512; i++)
		map(&first, (uint64_t)i << 39, 3, LEAF((uint64_t)1 << 48));
	memory_put64(m.memory, second.root + 8, POINTER(loop), false);
	point_all_at(&second, loop, loop);
	ck_assert_int_eq(count_ranges(&totals, &ranges), -EOVERFLOW);
	ck_assert(totals.truncated);
}
END_TEST

/* As Linux of old mapped its own tables: the last entry of the root is the root. */
START_TEST(a_self_map_is_followed_and_counted)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	struct riommu_mapping_totals totals;
	uint64_t ranges;

	map(&s, 0, 0, LEAF(0x90000000));
	memory_put64(m.memory, s.root + 8 * 511, POINTER(s.root), false);
	ck_assert_int_eq(count_ranges(&totals, &ranges), 0);
	ck_assert_uint_eq(totals.loops, 2); /* the root as a middle table, and that as a last one */
	ck_assert(!totals.truncated);
}
END_TEST

START_TEST(the_bound_can_be_set_and_what_comes_before_it_is_told)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	struct riommu_mapping_totals totals;
	uint64_t ranges;

	ck_assert_int_eq(riommu_option_set(m.ctx, "max-pages", _i ? "10" : "9"), 0);
	for (unsigned i = 0; i < 8; i++)
		map(&s, i * 0x200000, 0, LEAF(0x90000000));
	ck_assert_int_eq(count_ranges(&totals, &ranges), _i ? 0 : -EOVERFLOW);
	ck_assert_int_eq(totals.truncated, !_i);
	ck_assert_uint_eq(ranges, 7 + (unsigned)_i);
}
END_TEST

/* A mask of all bits has 2^47 entries; [0] the table is not held, [1] it is, all zero */
START_TEST(a_lying_msi_mask_ends_at_the_bound)
{
	struct riommu_mapping_totals totals;
	uint64_t ranges;

	second_stage(RIOMMU_HGATP_SV57X4);
	m.dw[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | (_i ? 0x80000 : 0x66666);
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = riommu_mask(46, 0);
	ck_assert_int_eq(riommu_option_set(m.ctx, "max-pages", "8000"), 0);
	if (_i)
		for (unsigned i = 0; i < 8192; i++)
			memory_page(m.memory, 0x80000000 + i * 0x1000);
	ck_assert_int_eq(count_ranges(&totals, &ranges), -EOVERFLOW);
	ck_assert(totals.truncated);
}
END_TEST

/* Windows at every other page: between two of them the second stage is looked at, which must not cost a page each. */
START_TEST(a_mask_of_every_other_page_ends)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV57X4);
	struct riommu_mapping_totals totals;
	uint64_t ranges;

	map(&second, 0, 2, LEAF(0x1000000000));
	msi_table(0x1000);
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = riommu_mask(46, 0) & ~(uint64_t)1;
	ck_assert_int_eq(riommu_option_set(m.ctx, "max-pages", "10000"), 0);
	ck_assert_int_eq(count_ranges(&totals, &ranges), -EOVERFLOW);
	ck_assert_uint_gt(ranges, 131072); /* half of the pages of 1 GiB */
}
END_TEST

/* A first stage of 512 tables, all one, with leaves all over a second stage of small leaves. */
START_TEST(shared_tables_over_scattered_memory_end)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV57X4), first;
	struct riommu_mapping_totals totals;
	uint64_t ranges, table;

	guest_memory(&second);
	for (unsigned i = 0; i < 512; i++)
		map(&second, (uint64_t)i << 30, 0, LEAF(0x90000000 + i * 0x1000));
	first = first_stage(RIOMMU_FSC_SV39);
	table = slot(&first, 0, 0);
	for (unsigned i = 0; i < 512; i++)
		memory_put64(m.memory, table + 8 * i, LEAF((uint64_t)(i * 77 % 512) << 30), false);
	for (unsigned i = 0; i < 512; i++)
		map(&first, i * 0x200000, 1, POINTER(GUEST(table)));
	ck_assert_int_eq(count_ranges(&totals, &ranges), 0);
	ck_assert_uint_eq(ranges, 512 * 512);
}
END_TEST

START_TEST(noise_ends)
{
	struct stage second = {0}, s;
	struct riommu_mapping_totals totals;
	uint64_t ranges, x = 0x9e3779b97f4a7c15u * (uint64_t)(_i + 1);
	int err;

	if (_i & 1) {
		second = second_stage(RIOMMU_HGATP_SV57X4);
		guest_memory(&second);
	}
	s = first_stage(RIOMMU_FSC_SV57);
	for (unsigned p = 0; p < 8; p++)
		new_pages(1);
	for (unsigned p = 0; p < 9; p++)
		for (unsigned i = 0; i < 512; i++) {
			uint64_t to = s.root + (x >> 20) % 9 * 0x1000;

			x = x * 6364136223846793005u + 1442695040888963407u;
			memory_put64(m.memory, s.root + p * 0x1000 + 8 * i,
				     x >> 60 < 4 ? x : POINTER(_i & 1 ? GUEST(to) : to), false);
		}
	ck_assert_int_eq(riommu_option_set(m.ctx, "max-pages", "5000"), 0);
	err = count_ranges(&totals, &ranges);
	ck_assert(err == 0 || err == -EOVERFLOW);
	ck_assert_int_eq(totals.truncated, err != 0);
}
END_TEST

/* A first-stage table is a guest's address: what keeps the second stage from leading there is what is told. */
static const struct {
	uint64_t
		target; /* of the second stage's pointer to where the first-stage root is looked for */
	bool poisoned;
	int error;
} ways_there[] = {
	{0x8f000000, false, -ENODATA},
	{0x8f000000, true, -EHWPOISON},
	{BIT(PAS), false, -EFAULT},
};

START_TEST(a_first_stage_behind_a_second_that_fails_is_unreadable_for_its_reason)
{
	const struct riommu_mapping_args args = {.last = UINT64_MAX};
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4);
	static struct listing l;
	struct riommu_space space;

	if (ways_there[_i].poisoned)
		memory_poison(m.memory, ways_there[_i].target);
	map(&second, 0x40000000, 2, POINTER(ways_there[_i].target));
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_FSC_SV39) | 0x40000;
	space = device_space();
	ck_assert_int_eq(list(&l, &space, &args), 0);
	ck_assert_uint_ge(l.count, 1);
	ck_assert_int_eq(l.v[0].kind, RIOMMU_MAPPING_UNREADABLE);
	ck_assert_int_eq(l.v[0].error, ways_there[_i].error);
	if (ways_there[_i].error ==
	    -ENODATA) /* the table that is not there, not the one behind it */
		ck_assert_uint_eq(l.v[0].address, ways_there[_i].target);
}
END_TEST

TCase *hostile_case(void)
{
	TCase *tc = tcase_create("hostile");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_table_that_is_all_pointers_to_itself_ends_at_the_bound);
	tcase_add_test(tc, loops_of_the_second_stage_end_too);
	tcase_add_test(tc, a_self_map_is_followed_and_counted);
	tcase_add_loop_test(tc, the_bound_can_be_set_and_what_comes_before_it_is_told, 0, 2);
	tcase_add_loop_test(tc, a_lying_msi_mask_ends_at_the_bound, 0, 2);
	tcase_add_test(tc, a_mask_of_every_other_page_ends);
	tcase_add_test(tc, shared_tables_over_scattered_memory_end);
	tcase_add_loop_test(tc, noise_ends, 0, 20);
	tcase_add_loop_test(tc,
			    a_first_stage_behind_a_second_that_fails_is_unreadable_for_its_reason,
			    0, RIOMMU_ARRAY_SIZE(ways_there));
	return tc;
}
