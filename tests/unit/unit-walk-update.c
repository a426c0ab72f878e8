/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk: A and D, by hardware or not at all, and what the IOMMU would write (facts 3.5 order 10, 3.6). */
#include "walk-cases.h"

#define VA  0x1234567u
#define GPA 0x5000u
#define PA  0x2000u
#define AD  (RIOMMU_PTE_A | RIOMMU_PTE_D)

/* Both stages over guest memory whose leaf is TABLES (flags); FIRST and SECOND are the leaves of the page. */
static struct {
	struct stage g, s;
	uint64_t first, second, tables; /* where the leaves stand */
} two;

static void two_stages(uint64_t first, uint64_t second, uint64_t tables)
{
	two.g = second_stage(RIOMMU_HGATP_SV39X4);
	two.s = first_stage(RIOMMU_FSC_SV39);
	two.tables = map(&two.g, GUEST(ROOT), 2, PTE(ROOT) | tables);
	two.first = map(&two.s, VA, 0, PTE(GPA) | first);
	two.second = map(&two.g, GPA, 0, PTE(PA) | second);
}

/* What a leaf with these flags needs for the access. */
static const struct {
	enum riommu_access access;
	uint64_t have, want;
} updates[] = {
	{RIOMMU_READ, 0, RIOMMU_PTE_A},
	{RIOMMU_READ, RIOMMU_PTE_D, AD},
	{RIOMMU_READ, RIOMMU_PTE_A, RIOMMU_PTE_A},
	{RIOMMU_EXEC, 0, RIOMMU_PTE_A},
	{RIOMMU_EXEC, RIOMMU_PTE_A, RIOMMU_PTE_A},
	{RIOMMU_WRITE, 0, AD},
	{RIOMMU_WRITE, RIOMMU_PTE_A, AD},
	{RIOMMU_WRITE, RIOMMU_PTE_D, AD},
	{RIOMMU_WRITE, AD, AD},
};
#define UPDATES ((int)RIOMMU_ARRAY_SIZE(updates))

/* Loop over UPDATES and the four combinations of stage and format. */
static struct stage stage_of(int i, bool *second)
{
	bool bits32 = i / UPDATES & 2;

	*second = i / UPDATES & 1;
	m.dw[RIOMMU_DC_TC] |= bits32 ? RIOMMU_TC_SXL : 0;
	m.w.fctl |= bits32 && *second ? RIOMMU_FCTL_GXL : 0;
	return *second ? second_stage(RIOMMU_HGATP_SV39X4) : first_stage(RIOMMU_FSC_SV39);
}

START_TEST(without_hardware_updates_a_clear_bit_faults)
{
	enum riommu_access access = updates[_i % UPDATES].access;
	uint64_t have = updates[_i % UPDATES].have, want = updates[_i % UPDATES].want;
	bool second;
	struct stage s = stage_of(_i, &second);

	m.dw[RIOMMU_DC_TC] |= second ? RIOMMU_TC_SADE : RIOMMU_TC_GADE; /* the other stage's */
	map(&s, VA, 0, (LEAF(PA) & ~AD) | have);
	ask(access, VA);
	if (have == want)
		expect_ok(PA | (VA & 0xfff));
	else
		expect_fault(second ? by_access[access].guest_page_fault
				    : by_access[access].page_fault);
	ck_assert_uint_eq(m.trace.update_count, 0);
}
END_TEST

START_TEST(hardware_sets_what_the_access_needs)
{
	enum riommu_access access = updates[_i % UPDATES].access;
	uint64_t have = updates[_i % UPDATES].have, want = updates[_i % UPDATES].want;
	bool second;
	struct stage s = stage_of(_i, &second);
	uint64_t pte = (LEAF(PA) & ~AD) | have | BIT(8), at;

	m.dw[RIOMMU_DC_TC] |= second ? RIOMMU_TC_GADE : RIOMMU_TC_SADE;
	at = map(&s, VA, 0, pte);
	ask(access, VA);
	expect_ok(PA | (VA & 0xfff));
	ck_assert_uint_eq(m.trace.update_count, have != want);
	if (have != want)
		expect_update(0, at, s.pte_size, pte | want);
}
END_TEST

START_TEST(reading_never_writes)
{
	uint64_t before, after;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SADE;
	two_stages(LEAF_FLAGS & ~AD, LEAF_FLAGS & ~AD, LEAF_FLAGS & ~AD);
	memcpy(&before, memory_bytes(m.memory, two.first) + (two.first & 0xfff), 8);
	ask(RIOMMU_WRITE, VA);
	expect_ok(PA | (VA & 0xfff));
	memcpy(&after, memory_bytes(m.memory, two.first) + (two.first & 0xfff), 8);
	ck_assert_uint_eq(before, after);
}
END_TEST

START_TEST(update_is_told_as_value_and_as_bytes)
{
	bool be = _i & 1, bits32 = _i & 2;
	struct stage s;
	uint64_t want = LEAF(PA), at;

	m.w.fctl = be ? 0 : RIOMMU_FCTL_BE; /* the first stage follows SBE alone */
	m.dw[RIOMMU_DC_TC] |=
		RIOMMU_TC_SADE | (be ? RIOMMU_TC_SBE : 0) | (bits32 ? RIOMMU_TC_SXL : 0);
	s = first_stage(RIOMMU_FSC_SV39);
	at = map(&s, VA, 0, want & ~AD);
	ask(RIOMMU_WRITE, VA);
	expect_update(0, at, s.pte_size, want);
	if (!be)
		ck_assert_uint_eq(m.trace.update[0].raw, want);
	else if (bits32)
		ck_assert_uint_eq(m.trace.update[0].raw, __builtin_bswap32((uint32_t)want));
	else
		ck_assert_uint_eq(m.trace.update[0].raw, __builtin_bswap64(want));
}
END_TEST

START_TEST(second_stage_update_follows_be)
{
	struct stage g;

	m.w.fctl = RIOMMU_FCTL_BE;
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE;
	g = second_stage(RIOMMU_HGATP_SV39X4);
	map(&g, VA, 0, LEAF(PA) & ~AD);
	ask(RIOMMU_READ, VA);
	expect_ok(PA | (VA & 0xfff));
	ck_assert_uint_eq(m.trace.update[0].raw, __builtin_bswap64(LEAF(PA) & ~RIOMMU_PTE_D));
}
END_TEST

START_TEST(every_update_is_listed_once_with_its_last_value)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SADE;
	two_stages(LEAF_FLAGS & ~AD, LEAF_FLAGS & ~AD, LEAF_FLAGS & ~AD);
	ask(RIOMMU_WRITE, VA);
	expect_ok(PA | (VA & 0xfff));
	ck_assert_uint_eq(m.trace.update_count, 3);
	expect_update(0, two.tables, 8, LEAF(ROOT));
	expect_update(1, two.first, 8, LEAF(GPA));
	expect_update(2, two.second, 8, LEAF(PA));
}
END_TEST

START_TEST(updates_before_a_fault_are_listed)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SADE;
	two_stages(LEAF_FLAGS & ~AD, 0, LEAF_FLAGS & ~AD);
	ask(RIOMMU_READ, VA);
	expect_guest_fault(21, GPA | (VA & 0xffc));
	ck_assert_uint_eq(m.trace.update_count, 2);
	expect_update(1, two.first, 8, LEAF(GPA) & ~RIOMMU_PTE_D);
}
END_TEST

/* -- A and D of the page that a first-stage table lies in ---------------------------------------- */

START_TEST(implicit_read_needs_a)
{
	two_stages(LEAF_FLAGS, LEAF_FLAGS, LEAF_FLAGS & ~AD);
	ask(by_access[_i].access, VA);
	expect_guest_fault(by_access[_i].guest_page_fault, GUEST(slot(&two.s, VA, 2)) | 1);
}
END_TEST

START_TEST(implicit_read_needs_no_d)
{
	m.dw[RIOMMU_DC_TC] |= _i & 1 ? RIOMMU_TC_SADE : 0;
	two_stages(LEAF_FLAGS, LEAF_FLAGS, LEAF_FLAGS & ~RIOMMU_PTE_D);
	ask(RIOMMU_WRITE, VA);
	expect_ok(PA | (VA & 0xfff));
	ck_assert_uint_eq(m.trace.update_count, 0);
}
END_TEST

START_TEST(implicit_read_sets_a_alone_while_the_first_stage_is_softwares)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE;
	two_stages(LEAF_FLAGS, LEAF_FLAGS, LEAF_FLAGS & ~AD);
	ask(RIOMMU_WRITE, VA);
	expect_ok(PA | (VA & 0xfff));
	ck_assert_uint_eq(m.trace.update_count, 1);
	expect_update(0, two.tables, 8, LEAF(ROOT) & ~RIOMMU_PTE_D);
}
END_TEST

START_TEST(implicit_read_sets_d_too_where_both_stages_are_hardwares)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SADE;
	two_stages(LEAF_FLAGS, LEAF_FLAGS, LEAF_FLAGS & ~AD);
	ask(RIOMMU_READ, VA);
	expect_ok(PA | (VA & 0xfff));
	expect_update(0, two.tables, 8, LEAF(ROOT));
}
END_TEST

START_TEST(implicit_read_sets_no_d_on_a_read_only_page)
{
	uint64_t flags = LEAF_FLAGS & ~(AD | RIOMMU_PTE_W);

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SADE;
	two_stages(LEAF_FLAGS, LEAF_FLAGS, flags);
	ask(RIOMMU_READ, VA);
	expect_ok(PA | (VA & 0xfff));
	expect_update(0, two.tables, 8, PTE(ROOT) | flags | RIOMMU_PTE_A);
}
END_TEST

START_TEST(update_in_a_read_only_guest_page_is_an_implicit_write_fault)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SADE;
	two_stages(LEAF_FLAGS & ~AD, LEAF_FLAGS, LEAF_FLAGS & ~RIOMMU_PTE_W);
	ask(by_access[_i].access, VA);
	expect_guest_fault(by_access[_i].guest_page_fault, GUEST(two.first & ~(uint64_t)3) | 3);
	ck_assert_uint_eq(m.trace.update_count, 0);
}
END_TEST

START_TEST(update_in_a_clean_guest_page_is_an_implicit_write_fault_without_gade)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_SADE;
	two_stages(LEAF_FLAGS & ~AD, LEAF_FLAGS, LEAF_FLAGS & ~RIOMMU_PTE_D);
	ask(by_access[_i].access, VA);
	expect_guest_fault(by_access[_i].guest_page_fault, GUEST(two.first & ~(uint64_t)3) | 3);
}
END_TEST

START_TEST(implicit_fault_names_the_entry_of_4_bytes)
{
	/* SADE sets A in a page that may not be written, or nothing maps the page at all */
	uint64_t tables = _i ? 0 : LEAF_FLAGS & ~RIOMMU_PTE_W;
	struct stage s;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_SXL | RIOMMU_TC_SADE;
	two.g = second_stage(RIOMMU_HGATP_SV39X4);
	s = first_stage(RIOMMU_FSC_SV32);
	map(&two.g, GUEST(ROOT), 2, PTE(ROOT) | tables);
	two.first = map(&s, 0x401000, 0, (LEAF(GPA) & ~AD));
	ask(RIOMMU_READ, 0x401000);
	ck_assert_uint_eq(two.first & 7, 4);
	expect_guest_fault(21, _i ? GUEST(s.root + 4) | 1 : GUEST(two.first) | 3);
}
END_TEST

START_TEST(permission_comes_before_a_and_d)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SADE;
	two_stages(LEAF_FLAGS & ~(AD | RIOMMU_PTE_W), LEAF_FLAGS, LEAF_FLAGS);
	ask(RIOMMU_WRITE, VA);
	expect_fault(15);
	ck_assert_uint_eq(m.trace.update_count, 0);
}
END_TEST

/* -- a page that is two things ------------------------------------------------------------------- */

/* The page at 0x4000 is the root of both stages, its first entry maps the first GiB or 4 MiB to itself. */
static void shared_root(uint64_t entry)
{
	memory_put64(m.memory, 0x4000, entry, false);
	m.dw[RIOMMU_DC_IOHGATP] = MODE(RIOMMU_HGATP_SV39X4) | 4;
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_FSC_SV39) | 4;
}

START_TEST(entry_that_is_read_again_shows_its_update)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE;
	shared_root(LEAF_FLAGS & ~AD);
	ask(RIOMMU_READ, 0x123);
	expect_ok(0x123); /* SADE is 0: A was set by the second stage, a moment ago */
	ck_assert_uint_eq(m.trace.update_count, 1);
	expect_update(0, 0x4000, 8, LEAF_FLAGS & ~RIOMMU_PTE_D);
}
END_TEST

START_TEST(shared_entry_is_listed_once_for_both_stages)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SADE;
	shared_root(LEAF_FLAGS & ~AD);
	ask(RIOMMU_WRITE, 0x123);
	expect_ok(0x123);
	ck_assert_uint_eq(m.trace.update_count, 1);
	expect_update(0, 0x4000, 8, LEAF_FLAGS);
}
END_TEST

START_TEST(update_shows_through_an_entry_of_another_size)
{
	/* 8 bytes for the second stage, 4 for the first (SXL=1, GXL=0) */
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SXL;
	shared_root(LEAF_FLAGS & ~AD);
	ask(RIOMMU_READ, 0x123);
	expect_ok(0x123);
	ck_assert_int_eq(m.trace.step[2].structure, RIOMMU_S_PTE);
	ck_assert_uint_eq(m.trace.step[2].value[0], LEAF_FLAGS & ~RIOMMU_PTE_D);
}
END_TEST

START_TEST(update_shows_through_a_context_of_16_bytes)
{
	/* The process context at 0x4000 is a big-endian entry of the second stage, too. */
	uint64_t pte = LEAF_FLAGS & ~AD;

	m.w.fctl = RIOMMU_FCTL_BE;
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_PDTV | RIOMMU_TC_DPE;
	memory_put64(m.memory, 0x4000, pte, true);
	m.dw[RIOMMU_DC_IOHGATP] = MODE(RIOMMU_HGATP_SV39X4) | 4;
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_PDTP_PD8) | 4;
	ask(RIOMMU_READ, 0x123);
	ck_assert_int_eq(last_step()->structure, RIOMMU_S_PC);
	ck_assert_uint_eq(last_step()->value[0], __builtin_bswap64(pte | RIOMMU_PTE_A));
}
END_TEST

START_TEST(update_shows_through_the_other_endianness)
{
	/*
	 * A leaf of 4 MiB in either order: 0xdf0000bf for the second stage, which sets A; 0xff0000df then for the first.
	 * It maps guest page 0 to its own page, and IOVA 0 to the guest page 0x3fc000000.
	 */
	const uint64_t root = 0x37c000000;

	m.w.fctl = RIOMMU_FCTL_GXL | RIOMMU_FCTL_BE;
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SXL;
	memory_put32(m.memory, root, 0xdf0000bf, true);
	memory_put32(m.memory, root + 0xff0 * 4, LEAF_FLAGS, true);
	m.dw[RIOMMU_DC_IOHGATP] = MODE(RIOMMU_HGATP_SV32X4) | root >> RIOMMU_PAGE_SHIFT;
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_FSC_SV32);
	ask(RIOMMU_READ, 0x123);
	expect_ok(0x123);
	ck_assert_uint_eq(m.trace.step[2].value[0], 0xff0000df);
	expect_update(0, root, 4, 0xdf0000ff);
}
END_TEST

START_TEST(updates_of_one_address_and_two_sizes_are_two)
{
	/*
	 * The leaf of 2 MiB at 0x7c000000 maps guest page 0 to its own page. Its lower half, in the other order, is a leaf of
	 * 4 bytes in the first stage, whose A and D are bits 30 and 31 of the second's.
	 */
	struct stage g = second_stage(RIOMMU_HGATP_SV39X4);

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SADE | RIOMMU_TC_SXL | RIOMMU_TC_SBE;
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_FSC_SV32) | 1;
	map(&g, 0x37c000000, 2, LEAF(0x340000000));
	memory_put64(m.memory, g.root, POINTER(0x7c000000), false);
	memory_put64(m.memory, 0x7c000000, 0x1f00001f, false);
	memory_put32(m.memory, 0x7c001000, POINTER(0), true);
	ask(RIOMMU_READ, 0x123);
	expect_ok(0x37c000123);
	ck_assert_uint_eq(m.trace.update_count, 2);
	expect_update(0, 0x7c000000, 8, 0x1f0000df);
	expect_update(1, 0x7c000000, 4, 0xdf00005f);
}
END_TEST

/* -- ATS ----------------------------------------------------------------------------------------- */

START_TEST(ats_request_to_write_sets_d_only_where_w_is_granted)
{
	struct stage s;
	uint64_t pte = (LEAF(PA) & ~AD) | RIOMMU_PTE_A, at;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_SADE | RIOMMU_TC_EN_ATS;
	m.q.type = RIOMMU_ATS;
	s = first_stage(RIOMMU_FSC_SV39);
	if (_i)
		pte &= ~RIOMMU_PTE_W;
	at = map(&s, VA, 0, pte);
	ask(RIOMMU_WRITE, VA);
	expect_ok(PA | (VA & 0xfff));
	ck_assert_uint_eq(m.t.permissions, _i ? RIOMMU_PERM_R : PERM_RW);
	ck_assert_uint_eq(m.trace.update_count, !_i);
	if (!_i)
		expect_update(0, at, 8, pte | RIOMMU_PTE_D);
}
END_TEST

TCase *walk_update_case(void)
{
	TCase *tc = tcase_create("update");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_loop_test(tc, without_hardware_updates_a_clear_bit_faults, 0, 4 * UPDATES);
	tcase_add_loop_test(tc, hardware_sets_what_the_access_needs, 0, 4 * UPDATES);
	tcase_add_test(tc, reading_never_writes);
	tcase_add_loop_test(tc, update_is_told_as_value_and_as_bytes, 0, 4);
	tcase_add_test(tc, second_stage_update_follows_be);
	tcase_add_test(tc, every_update_is_listed_once_with_its_last_value);
	tcase_add_test(tc, updates_before_a_fault_are_listed);
	tcase_add_loop_test(tc, implicit_read_needs_a, 0, 3);
	tcase_add_loop_test(tc, implicit_read_needs_no_d, 0, 2);
	tcase_add_test(tc, implicit_read_sets_a_alone_while_the_first_stage_is_softwares);
	tcase_add_test(tc, implicit_read_sets_d_too_where_both_stages_are_hardwares);
	tcase_add_test(tc, implicit_read_sets_no_d_on_a_read_only_page);
	tcase_add_loop_test(tc, update_in_a_read_only_guest_page_is_an_implicit_write_fault, 0, 3);
	tcase_add_loop_test(
		tc, update_in_a_clean_guest_page_is_an_implicit_write_fault_without_gade, 0, 3);
	tcase_add_loop_test(tc, implicit_fault_names_the_entry_of_4_bytes, 0, 2);
	tcase_add_test(tc, permission_comes_before_a_and_d);
	tcase_add_test(tc, entry_that_is_read_again_shows_its_update);
	tcase_add_test(tc, shared_entry_is_listed_once_for_both_stages);
	tcase_add_test(tc, update_shows_through_an_entry_of_another_size);
	tcase_add_test(tc, update_shows_through_a_context_of_16_bytes);
	tcase_add_test(tc, update_shows_through_the_other_endianness);
	tcase_add_test(tc, updates_of_one_address_and_two_sizes_are_two);
	tcase_add_loop_test(tc, ats_request_to_write_sets_d_only_where_w_is_granted, 0, 2);
	return tc;
}
