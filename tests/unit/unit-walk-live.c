/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk: tables that change while they are walked. The memory is a mock: a source that answers each reading of one entry anew, as
 * a kernel that maps and unmaps meanwhile would.
 */
#include "walk-cases.h"

#define IOVA      0x123456000u
#define PAGE      0x80000000u
#define MAPPED    (LEAF_FLAGS | PTE(PAGE))
#define ELSEWHERE (LEAF_FLAGS | PTE(PAGE + 0x1000))

static struct riommu_source *still; /* the memory of tables.h */
static uint64_t entry;              /* where the entry stands that changes */
static uint64_t values[8];          /* what its readings answer, the last of them from then on */
static size_t readings, answers;
static size_t corrupt; /* so many readings answer with data corruption first */

static int changing_open(struct riommu_source *src, const char *unused)
{
	(void)src, (void)unused;
	return 0;
}

static int changing_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	size_t i = readings < answers ? readings : answers - 1;

	(void)src;
	if (pa <= entry && entry + 8 <= pa + len) {
		memory_put64(m.memory, entry, values[i], false);
		if (readings++ < corrupt)
			return -EHWPOISON;
	}
	return still->ops->read(still, pa, buf, len);
}

static const struct riommu_source_ops changing_ops = {
	.name = "changing",
	.open = changing_open,
	.read = changing_read,
};

/* IOVA is mapped to PAGE; readings of its leaf answer COUNT values, the last of them for ever. */
static void leaf_reads_as(size_t count, const uint64_t *answer)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	entry = map(&s, IOVA, 0, MAPPED);
	values[0] = MAPPED;
	ask(RIOMMU_READ, IOVA); /* writes the context */
	expect_ok(PAGE);
	memcpy(values, answer, count * sizeof(values[0]));
	answers = count;
	readings = 0;
	riommu_translate_live(&m.w, &m.q, &m.t, &m.trace);
}

static void live_setup(void)
{
	machine_setup();
	still = memory_source_copying(m.memory, m.ctx);
	riommu_source_close(m.w.memory);
	answers = 1;
	entry = UINT64_MAX - 8;
	corrupt = 0;
	ck_assert_int_eq(riommu_source_open(m.ctx, &changing_ops, NULL, &m.w.memory), 0);
}

static void live_teardown(void)
{
	riommu_source_close(still);
	machine_teardown();
}

START_TEST(tables_that_hold_still_are_walked_twice_and_nothing_is_said)
{
	leaf_reads_as(1, (const uint64_t[]){MAPPED});
	expect_ok(PAGE);
	ck_assert(!m.t.changed);
	ck_assert_uint_eq(readings, 2);
}
END_TEST

START_TEST(an_entry_that_appears_meanwhile_is_the_answer_and_the_change_is_told)
{
	leaf_reads_as(2, (const uint64_t[]){0, MAPPED});
	expect_ok(PAGE);
	ck_assert(m.t.changed);
	ck_assert_uint_eq(readings, 3);
	ck_assert_uint_eq(m.trace.step[m.trace.step_count - 1].value[0], MAPPED);
}
END_TEST

START_TEST(an_entry_that_goes_meanwhile_is_a_fault_and_the_change_is_told)
{
	leaf_reads_as(2, (const uint64_t[]){MAPPED, 0});
	expect_fault(13);
	ck_assert(m.t.changed);
}
END_TEST

START_TEST(a_page_that_moves_is_seen_where_it_is_now)
{
	leaf_reads_as(3, (const uint64_t[]){MAPPED, MAPPED ^ RIOMMU_PTE_D, ELSEWHERE});
	expect_ok(PAGE + 0x1000);
	ck_assert(m.t.changed);
}
END_TEST

START_TEST(tables_that_never_hold_still_are_given_up_on_after_a_few_walks)
{
	leaf_reads_as(8, (const uint64_t[]){MAPPED, 0, MAPPED, 0, MAPPED, 0, MAPPED, 0});
	ck_assert(m.t.changed);
	ck_assert_uint_eq(readings, RIOMMU_LIVE_WALKS);
	ck_assert_uint_eq(m.t.result, RIOMMU_OK); /* the fifth */
}
END_TEST

/* The way ends earlier, or at an entry that cannot be read any more: that is another walk, too. */
START_TEST(a_way_of_another_length_is_another_walk)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	map(&s, IOVA, 0, MAPPED);
	entry = slot(&s, IOVA, 1);
	values[0] = riommu_get64(memory_bytes(m.memory, entry) + (entry & RIOMMU_PAGE_MASK), false);
	ask(RIOMMU_READ, IOVA);
	expect_ok(PAGE);
	values[1] = 0;
	answers = 2;
	readings = 0;
	riommu_translate_live(&m.w, &m.q, &m.t, &m.trace);
	expect_fault(13);
	ck_assert(m.t.changed);
	ck_assert_uint_eq(readings, 3);
}
END_TEST

/* It stands where it stood, and the walk before had as many steps. */
START_TEST(an_entry_that_could_not_be_read_is_another_walk)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	entry = map(&s, IOVA, 0, MAPPED);
	values[0] = MAPPED;
	ask(RIOMMU_READ, IOVA);
	readings = 0;
	corrupt = 2; /* as a page, and alone */
	riommu_translate_live(&m.w, &m.q, &m.t, &m.trace);
	expect_ok(PAGE);
	ck_assert(m.t.changed);
	ck_assert_uint_eq(readings, 4);
}
END_TEST

START_TEST(without_a_trace_it_is_the_same)
{
	leaf_reads_as(1, (const uint64_t[]){MAPPED});
	readings = 0;
	values[0] = 0;
	values[1] = MAPPED;
	answers = 2;
	riommu_translate_live(&m.w, &m.q, &m.t, NULL);
	expect_ok(PAGE);
	ck_assert(m.t.changed);
}
END_TEST

TCase *walk_live_case(void)
{
	TCase *tc = tcase_create("live");

	tcase_add_checked_fixture(tc, live_setup, live_teardown);
	tcase_add_test(tc, tables_that_hold_still_are_walked_twice_and_nothing_is_said);
	tcase_add_test(tc, an_entry_that_appears_meanwhile_is_the_answer_and_the_change_is_told);
	tcase_add_test(tc, an_entry_that_goes_meanwhile_is_a_fault_and_the_change_is_told);
	tcase_add_test(tc, a_page_that_moves_is_seen_where_it_is_now);
	tcase_add_test(tc, tables_that_never_hold_still_are_given_up_on_after_a_few_walks);
	tcase_add_test(tc, a_way_of_another_length_is_another_walk);
	tcase_add_test(tc, an_entry_that_could_not_be_read_is_another_walk);
	tcase_add_test(tc, without_a_trace_it_is_the_same);
	return tc;
}
