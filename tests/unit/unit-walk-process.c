/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk: process directory and process contexts (specification 3.3, steps 10 to 16; facts 2.6, 2.7, 3.4). */
#include "walk-cases.h"

static void with_process_id(uint32_t process_id)
{
	m.q.has_process_id = true;
	m.q.process_id = process_id;
}

/* -- which first stage --------------------------------------------------------------------------- */

START_TEST(bare_process_directory_means_a_bare_first_stage)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_PDTV | RIOMMU_TC_DPE;
	with_process_id(0xfffff);
	ask(RIOMMU_READ, 0x1234);
	expect_ok(0x1234);
	ck_assert_uint_eq(m.trace.step_count, 1);
}
END_TEST

START_TEST(no_process_id_without_dpe_means_a_bare_first_stage)
{
	process_context(RIOMMU_PDTP_PD8, 0, 0, 0); /* not valid: must not be looked at */
	ask(RIOMMU_READ, 0x1234);
	expect_ok(0x1234);
	ck_assert_uint_eq(m.trace.step_count, 1);
}
END_TEST

START_TEST(dpe_takes_process_0_for_a_request_without_process_id)
{
	uint64_t fsc, at;
	struct stage s = process_stage(RIOMMU_FSC_SV39, &fsc);

	at = process_context(RIOMMU_PDTP_PD20, 0, RIOMMU_PC_V, fsc);
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_DPE;
	map(&s, 0x1000, 0, LEAF(0x12345000));
	ask(RIOMMU_READ, 0x1678);
	expect_ok(0x12345678);
	ck_assert_uint_eq(m.trace.step[3].address, at);
}
END_TEST

START_TEST(dpe_request_has_user_privilege_even_if_supervisor_was_asked)
{
	uint64_t fsc;
	struct stage s = process_stage(RIOMMU_FSC_SV39, &fsc);

	process_context(RIOMMU_PDTP_PD8, 0, RIOMMU_PC_V | RIOMMU_PC_ENS, fsc);
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_DPE;
	m.q.privileged = true;
	map(&s, 0x1000, 0, LEAF(0x12345000) & ~RIOMMU_PTE_U);
	ask(RIOMMU_READ, 0x1000);
	expect_fault(13);
}
END_TEST

/* -- width and index ----------------------------------------------------------------------------- */

static const struct {
	unsigned mode;
	uint32_t widest;
} widths[] = {{RIOMMU_PDTP_PD8, 0xff}, {RIOMMU_PDTP_PD17, 0x1ffff}, {RIOMMU_PDTP_PD20, 0xfffff}};

START_TEST(widest_process_id_reaches_the_last_context)
{
	uint64_t at = process_context(widths[_i].mode, widths[_i].widest, RIOMMU_PC_V, 0);
	unsigned levels = widths[_i].mode;

	with_process_id(widths[_i].widest);
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
	ck_assert_uint_eq(m.trace.step_count, 1 + levels);
	ck_assert_uint_eq(last_step()->address, at);
	ck_assert_uint_eq(at & RIOMMU_PAGE_MASK, 0xff0);
	for (unsigned i = 1; i <= levels; i++) {
		const struct riommu_step *step = &m.trace.step[i];

		ck_assert_int_eq(step->structure, i == levels ? RIOMMU_S_PC : RIOMMU_S_PDTE);
		ck_assert_uint_eq(step->level, levels - i);
		ck_assert_uint_eq(step->size, i == levels ? 16 : 8);
		ck_assert_uint_eq(step->guest, step->address);
	}
}
END_TEST

START_TEST(process_id_wider_than_the_mode_is_disallowed)
{
	for (unsigned bit = 0; bit < 20; bit++) {
		if (widths[_i].widest >> bit & 1)
			continue;
		process_context(widths[_i].mode, 0, RIOMMU_PC_V, 0);
		with_process_id(1u << bit);
		ask(RIOMMU_READ, 0x1000);
		expect_fault(260);
		ck_assert_uint_eq(m.trace.step_count, 1);
	}
}
END_TEST

START_TEST(translated_requests_too_are_held_to_the_width)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	process_context(RIOMMU_PDTP_PD8, 0, RIOMMU_PC_V, 0);
	m.q.type = RIOMMU_TRANSLATED;
	with_process_id(0x100);
	ask(RIOMMU_READ, 0x1000);
	expect_fault(260);
	with_process_id(0xff); /* its context is never looked for */
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
}
END_TEST

START_TEST(every_bit_of_the_process_id_counts)
{
	for (unsigned bit = 0; bit < 20; bit++) {
		uint64_t at = process_context(RIOMMU_PDTP_PD20, 1u << bit, RIOMMU_PC_V, 0);

		with_process_id(1u << bit);
		ask(RIOMMU_READ, 0x1000);
		expect_ok(0x1000);
		ck_assert_uint_eq(last_step()->address, at);
	}
}
END_TEST

/* -- entries: loop over levels 0 (the context), 1, 2 of PD20 ------------------------------------- */

#define PROCESS 0x54321u

static uint64_t entry_of(int level)
{
	process_context(RIOMMU_PDTP_PD20, PROCESS, RIOMMU_PC_V, 0);
	with_process_id(PROCESS);
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
	return m.trace.step[3 - level].address;
}

static uint64_t value_of(int level)
{
	return m.trace.step[3 - level].value[0];
}

START_TEST(process_directory_entry_that_is_not_valid_is_266)
{
	uint64_t at = entry_of(_i);

	put_sbe(at, ~(uint64_t)1);
	ask(RIOMMU_READ, 0x1000);
	expect_fault(266);
	ck_assert_uint_eq(last_step()->address, at);
}
END_TEST

START_TEST(reserved_bit_in_a_process_directory_entry_is_267)
{
	uint64_t at = entry_of(_i), good = value_of(_i);

	for (unsigned bit = 1; bit < 64; bit++) {
		if (bit > 9 && bit < 54)
			continue;
		put_sbe(at, good | BIT(bit));
		ask(RIOMMU_READ, 0x1000);
		expect_fault(267);
	}
}
END_TEST

/* Sends the walk to PA at LEVEL. */
static void redirect(int level, uint64_t pa)
{
	uint64_t above = entry_of(level == 2 ? 2 : level + 1);

	if (level == 2)
		m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_PDTP_PD20) | pa >> RIOMMU_PAGE_SHIFT;
	else
		put_sbe(above, POINTER(pa));
	ask(RIOMMU_READ, 0x1000);
}

START_TEST(process_directory_that_is_not_held_is_unknown_and_named)
{
	static const unsigned offset[] = {(PROCESS & 0xff) * 16, (PROCESS >> 8 & 0x1ff) * 8,
					  (PROCESS >> 17) * 8};

	redirect(_i, 0x90000000);
	expect_unknown(0x90000000u + offset[_i]);
}
END_TEST

START_TEST(process_directory_in_memory_that_does_not_exist_is_265)
{
	m.w.absent_is_fault = true;
	redirect(_i, 0x90000000);
	expect_fault(265);
}
END_TEST

START_TEST(process_directory_beyond_pas_is_265)
{
	redirect(_i, BIT(PAS));
	expect_fault(265);
	ck_assert_uint_eq(m.trace.step_count, 3u - (unsigned)_i);
}
END_TEST

START_TEST(process_directory_with_data_corruption_is_269)
{
	memory_poison(m.memory, 0x90000000);
	redirect(_i, 0x90000000);
	expect_fault(269);
}
END_TEST

/* -- the context --------------------------------------------------------------------------------- */

START_TEST(reserved_bit_in_a_process_context_is_267)
{
	uint64_t at = entry_of(0);

	for (unsigned bit = 0; bit < 128; bit++) {
		uint64_t dw[2] = {RIOMMU_PC_V, 0};
		bool reserved = (bit >= 3 && bit <= 11) || (bit >= 32 && bit <= 63) ||
				(bit >= 64 + 44 && bit <= 64 + 59);

		if (bit >= 64 + 60) /* MODE */
			break;
		dw[bit / 64] |= BIT(bit % 64);
		put_sbe(at, dw[0]);
		put_sbe(at + 8, dw[1]);
		ask(RIOMMU_READ, 0x1000);
		if (reserved)
			expect_fault(267);
		else
			expect_ok(0x1000);
	}
}
END_TEST

static const struct {
	unsigned mode;
	bool sxl;
	uint64_t capability; /* 0: a reserved encoding */
} modes[] = {
	{1, false, 0},
	{7, false, 0},
	{8, false, RIOMMU_CAP_SV39},
	{9, false, RIOMMU_CAP_SV48},
	{10, false, RIOMMU_CAP_SV57},
	{11, false, 0},
	{13, false, 0},
	{14, false, 0},
	{15, false, 0},
	{1, true, 0},
	{8, true, RIOMMU_CAP_SV32},
	{9, true, 0},
	{10, true, 0},
	{15, true, 0},
};

START_TEST(mode_of_a_process_context_needs_encoding_and_capability)
{
	uint64_t fsc = MODE(modes[_i].mode) | new_pages(1) >> RIOMMU_PAGE_SHIFT;

	if (modes[_i].sxl)
		m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_SXL;
	process_context(RIOMMU_PDTP_PD8, 3, RIOMMU_PC_V, fsc);
	with_process_id(3);
	ask(RIOMMU_READ, 0x1000);
	expect_fault(modes[_i].capability ? 13 : 267);
	m.w.capabilities &= ~modes[_i].capability;
	ask(RIOMMU_READ, 0x1000);
	expect_fault(267);
}
END_TEST

START_TEST(rules_hold_only_for_a_context_that_is_valid)
{
	struct riommu_dc dc = {.dwords = RIOMMU_DC_DWORDS};
	struct riommu_pc pc = {.ta = ~(uint64_t)RIOMMU_PC_V, .fsc = ~(uint64_t)0};

	ck_assert_ptr_null(riommu_pc_misconfigured(&m.w, &dc, &pc));
	pc.ta |= RIOMMU_PC_V;
	ck_assert_ptr_nonnull(riommu_pc_misconfigured(&m.w, &dc, &pc));
}
END_TEST

START_TEST(supervisor_needs_ens)
{
	process_context(RIOMMU_PDTP_PD8, 3, RIOMMU_PC_V | RIOMMU_PC_SUM, 0);
	with_process_id(3);
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
	m.q.privileged = true;
	ask(RIOMMU_READ, 0x1000);
	expect_fault(260);
	process_context(RIOMMU_PDTP_PD8, 3, RIOMMU_PC_V | RIOMMU_PC_ENS, 0);
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
}
END_TEST

/* U, SUM and the privilege of the request; SUPERVISOR implies ENS=1. */
static const struct {
	bool supervisor, sum, user_page, exec, allowed;
} privileges[] = {
	{false, false, true, false, true},  {false, false, true, true, true},
	{false, true, false, false, false}, {false, true, false, true, false},
	{true, false, false, false, true},  {true, false, false, true, true},
	{true, false, true, false, false},  {true, true, true, false, true},
	{true, false, true, true, false},   {true, true, true, true, false},
};

START_TEST(privilege_decides_about_user_pages)
{
	uint64_t fsc;
	struct stage s = process_stage(RIOMMU_FSC_SV48, &fsc);
	uint64_t ta = RIOMMU_PC_V | RIOMMU_PC_ENS | (privileges[_i].sum ? RIOMMU_PC_SUM : 0);

	process_context(RIOMMU_PDTP_PD17, 0x1abcd, ta, fsc);
	with_process_id(0x1abcd);
	m.q.privileged = privileges[_i].supervisor;
	map(&s, 0x1000, 0, privileges[_i].user_page ? LEAF(0x2000) : LEAF(0x2000) & ~RIOMMU_PTE_U);
	ask(privileges[_i].exec ? RIOMMU_EXEC : RIOMMU_READ, 0x1000);
	if (privileges[_i].allowed)
		expect_ok(0x2000);
	else
		expect_fault(privileges[_i].exec ? 12 : 13);
}
END_TEST

/* -- behind a second stage ----------------------------------------------------------------------- */

START_TEST(process_directory_lies_in_guest_memory)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV48X4);
	unsigned levels = widths[_i].mode;
	uint64_t at;

	guest_memory(&g);
	map(&g, 0x1000, 0, LEAF(0x77777000));
	at = process_context(widths[_i].mode, widths[_i].widest, RIOMMU_PC_V, 0);
	with_process_id(widths[_i].widest);
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x77777000);
	/* DC; two implicit reads (the leaf is at level 2) and the entry, for each level; four explicit ones */
	ck_assert_uint_eq(m.trace.step_count, 1 + 3 * levels + 4);
	for (unsigned i = 0; i < levels; i++) {
		const struct riommu_step *step = &m.trace.step[1 + 3 * i];

		ck_assert_int_eq(step[0].structure, RIOMMU_S_GPTE);
		ck_assert(step[0].implicit && step[1].implicit && !step[2].implicit);
		ck_assert_uint_eq(step[2].guest, GUEST(step[2].address));
	}
	ck_assert_uint_eq(m.trace.step[3 * levels].address, at);
}
END_TEST

/* A PD8 in guest memory that lies at GUEST(context); the second stage is Sv39x4. */
static uint64_t guest_context(struct stage *g)
{
	uint64_t at;

	*g = second_stage(RIOMMU_HGATP_SV39X4);
	at = process_context(RIOMMU_PDTP_PD8, 0x7b, RIOMMU_PC_V, 0);
	with_process_id(0x7b);
	return at;
}

START_TEST(unmapped_process_directory_is_a_guest_page_fault_of_the_request)
{
	struct stage g;
	uint64_t at = guest_context(&g);

	ask(by_access[_i].access, 0x1000);
	expect_guest_fault(by_access[_i].guest_page_fault, GUEST(at) | 1);
}
END_TEST

START_TEST(process_directory_is_read_whatever_the_request_is)
{
	struct stage g;

	guest_context(&g);
	map(&g, GUEST(ROOT), 2, LEAF(ROOT) & ~(RIOMMU_PTE_W | RIOMMU_PTE_X));
	map(&g, 0x1000, 0, LEAF(0x2000));
	ask(by_access[_i].access, 0x1000);
	expect_ok(0x2000);
}
END_TEST

START_TEST(process_directory_on_an_execute_only_page_faults)
{
	struct stage g;
	uint64_t at = guest_context(&g);

	map(&g, GUEST(ROOT), 2, LEAF(ROOT) & ~(RIOMMU_PTE_R | RIOMMU_PTE_W));
	ask(RIOMMU_EXEC, 0x1000);
	expect_guest_fault(20, GUEST(at) | 1);
}
END_TEST

START_TEST(second_stage_table_of_a_process_directory_that_is_absent_is_265)
{
	struct stage g;

	guest_context(&g);
	map(&g, GUEST(ROOT), 2, POINTER(0x90000000));
	ask(RIOMMU_READ, 0x1000);
	ck_assert_int_eq(m.t.result, RIOMMU_UNKNOWN);
	m.w.absent_is_fault = true;
	ask(RIOMMU_READ, 0x1000);
	expect_fault(265);
	map(&g, GUEST(ROOT), 2, POINTER(BIT(PAS)));
	ask(RIOMMU_READ, 0x1000);
	expect_fault(265);
}
END_TEST

START_TEST(second_stage_table_of_a_process_directory_with_corruption_is_269)
{
	struct stage g;

	guest_context(&g);
	memory_poison(m.memory, 0x90000000);
	map(&g, GUEST(ROOT), 2, POINTER(0x90000000));
	ask(RIOMMU_READ, 0x1000);
	expect_fault(269);
}
END_TEST

START_TEST(reading_a_process_directory_sets_only_a_in_the_second_stage)
{
	struct stage g;
	uint64_t at = guest_context(&g), pte = LEAF(ROOT) & ~(RIOMMU_PTE_A | RIOMMU_PTE_D), leaf;

	leaf = map(&g, GUEST(ROOT), 2, pte);
	map(&g, 0x1000, 0, LEAF(0x2000));
	ask(RIOMMU_WRITE, 0x1000);
	expect_guest_fault(23, GUEST(at) | 1);
	ck_assert_uint_eq(m.trace.update_count, 0);
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_GADE | RIOMMU_TC_SADE;
	ask(RIOMMU_WRITE, 0x1000);
	expect_ok(0x2000);
	ck_assert_uint_eq(m.trace.update_count, 1);
	expect_update(0, leaf, 8, pte | RIOMMU_PTE_A);
}
END_TEST

START_TEST(process_directory_follows_sbe_not_be)
{
	bool be = _i & 1, sbe = _i & 2;
	struct stage s;
	uint64_t fsc;

	m.w.fctl = be ? RIOMMU_FCTL_BE : 0;
	m.dw[RIOMMU_DC_TC] |= sbe ? RIOMMU_TC_SBE : 0;
	s = process_stage(RIOMMU_FSC_SV57, &fsc);
	process_context(RIOMMU_PDTP_PD20, 0xabcde, RIOMMU_PC_V, fsc);
	map(&s, 0x7654321000, 0, LEAF(0x2000));
	with_process_id(0xabcde);
	ask(RIOMMU_READ, 0x7654321abc);
	expect_ok(0x2abc);
	ck_assert_uint_eq(m.trace.step_count, 1 + 3 + 5);
}
END_TEST

TCase *walk_process_case(void)
{
	TCase *tc = tcase_create("process");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_test(tc, bare_process_directory_means_a_bare_first_stage);
	tcase_add_test(tc, no_process_id_without_dpe_means_a_bare_first_stage);
	tcase_add_test(tc, dpe_takes_process_0_for_a_request_without_process_id);
	tcase_add_test(tc, dpe_request_has_user_privilege_even_if_supervisor_was_asked);
	tcase_add_loop_test(tc, widest_process_id_reaches_the_last_context, 0, 3);
	tcase_add_loop_test(tc, process_id_wider_than_the_mode_is_disallowed, 0, 3);
	tcase_add_test(tc, translated_requests_too_are_held_to_the_width);
	tcase_add_test(tc, every_bit_of_the_process_id_counts);
	tcase_add_loop_test(tc, process_directory_entry_that_is_not_valid_is_266, 0, 3);
	tcase_add_loop_test(tc, reserved_bit_in_a_process_directory_entry_is_267, 1, 3);
	tcase_add_loop_test(tc, process_directory_that_is_not_held_is_unknown_and_named, 0, 3);
	tcase_add_loop_test(tc, process_directory_in_memory_that_does_not_exist_is_265, 0, 3);
	tcase_add_loop_test(tc, process_directory_beyond_pas_is_265, 0, 3);
	tcase_add_loop_test(tc, process_directory_with_data_corruption_is_269, 0, 3);
	tcase_add_test(tc, reserved_bit_in_a_process_context_is_267);
	tcase_add_loop_test(tc, mode_of_a_process_context_needs_encoding_and_capability, 0,
			    (int)RIOMMU_ARRAY_SIZE(modes));
	tcase_add_test(tc, rules_hold_only_for_a_context_that_is_valid);
	tcase_add_test(tc, supervisor_needs_ens);
	tcase_add_loop_test(tc, privilege_decides_about_user_pages, 0,
			    (int)RIOMMU_ARRAY_SIZE(privileges));
	tcase_add_loop_test(tc, process_directory_lies_in_guest_memory, 0, 3);
	tcase_add_loop_test(tc, unmapped_process_directory_is_a_guest_page_fault_of_the_request, 0,
			    3);
	tcase_add_loop_test(tc, process_directory_is_read_whatever_the_request_is, 0, 3);
	tcase_add_test(tc, process_directory_on_an_execute_only_page_faults);
	tcase_add_test(tc, second_stage_table_of_a_process_directory_that_is_absent_is_265);
	tcase_add_test(tc, second_stage_table_of_a_process_directory_with_corruption_is_269);
	tcase_add_test(tc, reading_a_process_directory_sets_only_a_in_the_second_stage);
	tcase_add_loop_test(tc, process_directory_follows_sbe_not_be, 0, 4);
	return tc;
}
