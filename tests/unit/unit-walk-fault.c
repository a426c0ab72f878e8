/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk: what of a fault is reported and what the device is told; ATS completions (facts 3.10, 4.2). */
#include "walk-cases.h"

#define VA      0x1234567u
#define GPA     0x5000u
#define PA      0x2000u
#define NOWHERE 0x90000000u

/* -- a set-up for every cause -------------------------------------------------------------------- */

/* A process directory that works; ask with process_id 0. The entry of the context stands at the returned address. */
static uint64_t with_process(uint64_t fsc)
{
	m.q.has_process_id = true;
	return process_context(RIOMMU_PDTP_PD8, 0, RIOMMU_PC_V, fsc);
}

static struct stage guest(void)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV39X4);

	guest_memory(&g);
	return g;
}

static void make_256(void)
{
	m.w.ddtp &= ~(uint64_t)0xf;
}

static void make_257(void)
{
	m.w.ddtp = PTE(BIT(PAS)) | RIOMMU_DDTP_1LVL;
}

static void make_258(void)
{
	m.dw[RIOMMU_DC_TC] &= ~RIOMMU_TC_V;
}

static void make_259(void)
{
	m.dw[RIOMMU_DC_RESERVED] = 1;
}

static void make_260(void)
{
	m.q.has_process_id = true; /* PDTV is 0 */
}

static void make_261(void)
{
	guest();
	msi_table(VA & ~RIOMMU_PAGE_MASK);
	m.dw[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | BIT(PAS - 12);
}

static void make_262(void)
{
	guest();
	msi_table(VA & ~RIOMMU_PAGE_MASK);
}

static void make_263(void)
{
	uint64_t table;

	guest();
	table = msi_table(VA & ~RIOMMU_PAGE_MASK);
	put_msi_pte(table + (VA >> 12 & 0xff) * 16, RIOMMU_PTE_V, 0);
}

static void make_265(void)
{
	with_process(0);
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_PDTP_PD8) | BIT(PAS - 12);
}

static void make_266(void)
{
	put_sbe(with_process(0), 0);
}

static void make_267(void)
{
	with_process(MODE(1));
}

static void make_268(void)
{
	memory_poison(m.memory, NOWHERE);
	m.w.ddtp = PTE(NOWHERE) | RIOMMU_DDTP_1LVL;
}

static void make_269(void)
{
	with_process(0);
	memory_poison(m.memory, NOWHERE);
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_PDTP_PD8) | NOWHERE >> 12;
}

static void make_270(void)
{
	guest();
	msi_table(VA & ~RIOMMU_PAGE_MASK);
	memory_poison(m.memory, NOWHERE);
	m.dw[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | NOWHERE >> 12;
}

static void make_274(void)
{
	memory_poison(m.memory, NOWHERE);
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_FSC_SV39) | NOWHERE >> 12;
}

static void make_page_fault(void)
{
	uint64_t fsc;

	process_stage(RIOMMU_FSC_SV39, &fsc);
	with_process(fsc);
}

static void make_guest_page_fault(void)
{
	guest();
	with_process(0);
}

static void make_access_fault(void)
{
	with_process(MODE(RIOMMU_FSC_SV39) | BIT(PAS - 12));
}

#define UR      RIOMMU_RESPONSE_UR
#define CA      RIOMMU_RESPONSE_CA
#define SUCCESS RIOMMU_RESPONSE_SUCCESS

/* Causes of an untranslated request, what DTF lets through, what ATS answers; the cause under ATS where it differs. */
static const struct {
	void (*make)(void);
	enum riommu_access access;
	unsigned cause, ats_cause;
	bool despite_dtf;
	enum riommu_response ats;
} faults[] = {
	{make_access_fault, RIOMMU_EXEC, 1, 1, false, CA},
	{make_access_fault, RIOMMU_READ, 5, 5, false, CA},
	{make_access_fault, RIOMMU_WRITE, 7, 5, false, CA},
	{make_page_fault, RIOMMU_EXEC, 12, 12, false, SUCCESS},
	{make_page_fault, RIOMMU_READ, 13, 13, false, SUCCESS},
	{make_page_fault, RIOMMU_WRITE, 15, 13, false, SUCCESS},
	{make_guest_page_fault, RIOMMU_EXEC, 20, 20, false, SUCCESS},
	{make_guest_page_fault, RIOMMU_READ, 21, 21, false, SUCCESS},
	{make_guest_page_fault, RIOMMU_WRITE, 23, 21, false, SUCCESS},
	{make_256, RIOMMU_READ, 256, 256, true, UR},
	{make_257, RIOMMU_READ, 257, 257, true, UR},
	{make_258, RIOMMU_READ, 258, 258, true, UR},
	{make_259, RIOMMU_READ, 259, 259, true, UR},
	{make_260, RIOMMU_READ, 260, 260, false, UR},
	{make_261, RIOMMU_READ, 261, 261, false, CA},
	{make_262, RIOMMU_READ, 262, 262, false, SUCCESS},
	{make_263, RIOMMU_READ, 263, 263, false, CA},
	{make_265, RIOMMU_READ, 265, 265, false, CA},
	{make_266, RIOMMU_READ, 266, 266, false, SUCCESS},
	{make_267, RIOMMU_READ, 267, 267, false, CA},
	{make_268, RIOMMU_READ, 268, 268, true, CA},
	{make_269, RIOMMU_READ, 269, 269, false, CA},
	{make_270, RIOMMU_READ, 270, 270, false, CA},
	{make_274, RIOMMU_READ, 274, 274, false, CA},
};
#define FAULTS ((int)RIOMMU_ARRAY_SIZE(faults))

START_TEST(fault_of_an_untranslated_request_is_reported_and_refused)
{
	faults[_i].make();
	ask(faults[_i].access, VA);
	expect_fault(faults[_i].cause);
	ck_assert(m.t.reported);
	ck_assert_int_eq(m.t.response, UR);
}
END_TEST

START_TEST(dtf_suppresses_faults_of_the_translation_only)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_DTF;
	faults[_i].make();
	ask(faults[_i].access, VA);
	expect_fault(faults[_i].cause);
	ck_assert_int_eq(m.t.reported, faults[_i].despite_dtf);
	ck_assert_int_eq(m.t.response, UR);
}
END_TEST

START_TEST(ats_request_gets_its_response_and_success_is_not_reported)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	m.q.type = RIOMMU_ATS;
	faults[_i].make();
	ask(faults[_i].access, VA);
	expect_fault(faults[_i].ats_cause);
	ck_assert_int_eq(m.t.response, faults[_i].ats);
	ck_assert_int_eq(m.t.reported, faults[_i].ats != SUCCESS);
}
END_TEST

START_TEST(dtf_holds_for_ats_too)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS | RIOMMU_TC_DTF;
	m.q.type = RIOMMU_ATS;
	faults[_i].make();
	ask(faults[_i].access, VA);
	expect_fault(faults[_i].ats_cause);
	ck_assert_int_eq(m.t.reported, faults[_i].despite_dtf);
}
END_TEST

START_TEST(fault_is_the_same_with_and_without_a_trace)
{
	struct riommu_translation t;

	faults[_i].make();
	ask(faults[_i].access, VA);
	riommu_translate(&m.w, &m.q, &t, NULL);
	ck_assert_int_eq(t.result, m.t.result);
	ck_assert_uint_eq(t.cause, m.t.cause);
	ck_assert_uint_eq(t.iotval2, m.t.iotval2);
}
END_TEST

START_TEST(fault_leaves_nothing_of_a_translation)
{
	faults[_i].make();
	ask(faults[_i].access, VA);
	ck_assert_uint_eq(m.t.pa, 0);
	ck_assert_uint_eq(m.t.page_size, 0);
	ck_assert(!m.t.has_permissions);
	ck_assert_int_eq(m.t.msi, RIOMMU_MSI_NONE);
	ck_assert_uint_eq(m.t.missing, 0);
}
END_TEST

START_TEST(iotval2_is_zero_unless_a_guest_page_is_missing)
{
	faults[_i].make();
	ask(faults[_i].access, VA);
	if (m.t.cause < 20 || m.t.cause > 23)
		ck_assert_uint_eq(m.t.iotval2, 0);
	else
		ck_assert_uint_eq(m.t.iotval2, VA & ~3u);
}
END_TEST

/* -- ATS completions ----------------------------------------------------------------------------- */

static void ats(enum riommu_access access, uint64_t first_flags, uint64_t second_flags)
{
	struct stage g, s;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	m.q.type = RIOMMU_ATS;
	g = guest();
	s = first_stage(RIOMMU_FSC_SV39);
	map(&s, VA, 0, PTE(GPA) | first_flags);
	map(&g, GPA, 0, PTE(PA) | second_flags);
	ask(access, VA);
}

/* R=1, 2: R and W, 3: R and X, 4: RWX, 5: X: what is granted for a request to read, write, execute. */
static const struct {
	uint64_t flags;
	unsigned read, write, exec;
} granted[] = {
	{RIOMMU_PTE_R, RIOMMU_PERM_R, RIOMMU_PERM_R, RIOMMU_PERM_R},
	{RIOMMU_PTE_R | RIOMMU_PTE_W, PERM_RW, PERM_RW, PERM_RW},
	{RIOMMU_PTE_R | RIOMMU_PTE_X, RIOMMU_PERM_R, RIOMMU_PERM_R, RIOMMU_PERM_R | RIOMMU_PERM_X},
	{RWX, PERM_RW, PERM_RW, PERM_RWX},
	{RIOMMU_PTE_X, 0, 0, 0},
};

START_TEST(completion_has_the_permissions_that_were_found)
{
	const unsigned *want = &granted[_i / 2].read;
	uint64_t flags = (LEAF_FLAGS & ~RWX) | granted[_i / 2].flags;

	for (unsigned a = 0; a < 3; a++) {
		ats(by_access[a].access, _i % 2 ? LEAF_FLAGS : flags, _i % 2 ? flags : LEAF_FLAGS);
		expect_ok(PA | (VA & 0xfff));
		ck_assert(m.t.has_permissions);
		ck_assert_uint_eq(m.t.permissions, want[a]);
	}
}
END_TEST

START_TEST(completion_grants_w_only_where_both_leaves_are_dirty)
{
	ats(RIOMMU_READ, LEAF_FLAGS & ~(_i & 1 ? RIOMMU_PTE_D : 0),
	    LEAF_FLAGS & ~(_i & 2 ? RIOMMU_PTE_D : 0));
	expect_ok(PA | (VA & 0xfff));
	ck_assert_uint_eq(m.t.permissions, _i ? RIOMMU_PERM_R : PERM_RW);
}
END_TEST

START_TEST(completion_with_t2gpa_is_the_guest_address)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_T2GPA;
	ats(RIOMMU_WRITE, LEAF_FLAGS, LEAF_FLAGS & ~RIOMMU_PTE_X);
	expect_ok(GPA | (VA & 0xfff));
	ck_assert_uint_eq(m.t.permissions, PERM_RW);
	/* which a translated request brings back */
	m.q.type = RIOMMU_TRANSLATED;
	ask(RIOMMU_WRITE, m.t.pa);
	expect_ok(PA | (VA & 0xfff));
	ck_assert(!m.t.has_permissions);
	ck_assert_uint_eq(m.t.page_size, RIOMMU_PAGE_SIZE);
}
END_TEST

START_TEST(translated_request_with_t2gpa_is_held_to_the_second_stage)
{
	struct stage g;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_T2GPA | RIOMMU_TC_EN_ATS;
	m.q.type = RIOMMU_TRANSLATED;
	g = guest();
	map(&g, GPA, 0, LEAF(PA) & ~RIOMMU_PTE_W);
	ask(RIOMMU_WRITE, GPA | 8);
	expect_guest_fault(23, GPA | 8);
	ck_assert_int_eq(m.t.response, UR);
}
END_TEST

START_TEST(translated_fetch_needs_r_and_with_a_process_id_x)
{
	struct stage g;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_T2GPA | RIOMMU_TC_EN_ATS | RIOMMU_TC_PDTV;
	m.q.type = RIOMMU_TRANSLATED;
	m.q.has_process_id = _i;
	g = guest();
	map(&g, GPA, 0, LEAF(PA) & ~(RIOMMU_PTE_R | RIOMMU_PTE_W)); /* X alone */
	ask(RIOMMU_EXEC, GPA);
	expect_guest_fault(_i ? 20 : 21, GPA);
	map(&g, GPA, 0, LEAF(PA) & ~RIOMMU_PTE_X);
	ask(RIOMMU_EXEC, GPA);
	if (_i)
		expect_guest_fault(20, GPA);
	else
		expect_ok(PA);
}
END_TEST

/* A process_id, the privilege, and G in a leaf or in a pointer above it. */
START_TEST(completion_tells_privilege_and_global_with_a_process_id_only)
{
	bool pid = _i & 1, global = _i & 2, above = _i & 4;
	uint64_t fsc;
	struct stage s;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS | RIOMMU_TC_DPE;
	s = process_stage(RIOMMU_FSC_SV39, &fsc);
	process_context(RIOMMU_PDTP_PD8, 0, RIOMMU_PC_V | RIOMMU_PC_ENS, fsc);
	map(&s, VA, 0,
	    (LEAF(PA) & ~(pid ? RIOMMU_PTE_U : 0)) | (global && !above ? RIOMMU_PTE_G : 0));
	if (global && above)
		map(&s, VA, 1, POINTER(slot(&s, VA, 0) & ~RIOMMU_PAGE_MASK) | RIOMMU_PTE_G);
	m.q.type = RIOMMU_ATS;
	m.q.has_process_id = pid;
	m.q.privileged = pid;
	ask(RIOMMU_READ, VA);
	expect_ok(PA | (VA & 0xfff));
	ck_assert_int_eq(m.t.ats_privileged, pid);
	ck_assert_int_eq(m.t.ats_global, pid && global);
	ck_assert(!m.t.ats_untranslated_only);
}
END_TEST

START_TEST(privilege_without_a_process_id_is_none)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	m.q.type = RIOMMU_ATS;
	m.q.privileged = true;
	ask(RIOMMU_READ, VA);
	expect_ok(VA);
	ck_assert(!m.t.ats_privileged);
}
END_TEST

/* As the reference model answers: a first stage that is Bare is the same for every process. */
START_TEST(bare_first_stage_is_global)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS | RIOMMU_TC_PDTV;
	m.q.type = RIOMMU_ATS;
	m.q.has_process_id = true;
	ask(RIOMMU_READ, VA);
	expect_ok(VA);
	ck_assert(m.t.ats_global);
}
END_TEST

START_TEST(ats_fetch_without_a_process_id_is_a_read)
{
	struct stage s;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	m.q.type = RIOMMU_ATS;
	s = first_stage(RIOMMU_FSC_SV39);
	ask(RIOMMU_EXEC, VA);
	expect_fault(13);
	ck_assert_uint_eq(s.levels, 3);
}
END_TEST

TCase *walk_fault_case(void)
{
	TCase *tc = tcase_create("fault");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_loop_test(tc, fault_of_an_untranslated_request_is_reported_and_refused, 0,
			    FAULTS);
	tcase_add_loop_test(tc, dtf_suppresses_faults_of_the_translation_only, 0, FAULTS);
	tcase_add_loop_test(tc, ats_request_gets_its_response_and_success_is_not_reported, 0,
			    FAULTS);
	tcase_add_loop_test(tc, dtf_holds_for_ats_too, 0, FAULTS);
	tcase_add_loop_test(tc, fault_is_the_same_with_and_without_a_trace, 0, FAULTS);
	tcase_add_loop_test(tc, fault_leaves_nothing_of_a_translation, 0, FAULTS);
	tcase_add_loop_test(tc, iotval2_is_zero_unless_a_guest_page_is_missing, 0, FAULTS);
	tcase_add_loop_test(tc, completion_has_the_permissions_that_were_found, 0, 10);
	tcase_add_loop_test(tc, completion_grants_w_only_where_both_leaves_are_dirty, 0, 4);
	tcase_add_test(tc, completion_with_t2gpa_is_the_guest_address);
	tcase_add_test(tc, translated_request_with_t2gpa_is_held_to_the_second_stage);
	tcase_add_loop_test(tc, translated_fetch_needs_r_and_with_a_process_id_x, 0, 2);
	tcase_add_loop_test(tc, completion_tells_privilege_and_global_with_a_process_id_only, 0, 8);
	tcase_add_test(tc, privilege_without_a_process_id_is_none);
	tcase_add_test(tc, bare_first_stage_is_global);
	tcase_add_test(tc, ats_fetch_without_a_process_id_is_a_read);
	return tc;
}
