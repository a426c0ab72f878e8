/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk: when a device context is misconfigured (specification 2.2.3; the numbers are those of facts 2.5). */
#include "walk-cases.h"

#define EN_ATS RIOMMU_TC_EN_ATS
#define EN_PRI RIOMMU_TC_EN_PRI
#define HGATP  MODE(8)
#define FLAT   MODE(RIOMMU_MSIPTP_FLAT)

/* A context that breaks RULE and no other one; 0: it breaks none. */
static const struct {
	unsigned rule;
	uint64_t without; /* capabilities */
	uint32_t fctl;
	uint64_t tc, iohgatp, fsc, msiptp;
	bool gxl_fixed, be_fixed;
} rules[] = {
	/* 2: ATS, PRI, PRPR need the capability (then EN_ATS=1 EN_PRI=1 keep 4 and 5 satisfied) */
	{.rule = 2, .without = RIOMMU_CAP_ATS, .tc = EN_ATS},
	{.rule = 2, .without = RIOMMU_CAP_ATS, .tc = EN_PRI | EN_ATS},
	{.rule = 2, .without = RIOMMU_CAP_ATS, .tc = RIOMMU_TC_PRPR | EN_PRI | EN_ATS},
	{.rule = 2, .without = RIOMMU_CAP_ATS, .tc = EN_PRI},
	{.rule = 2, .without = RIOMMU_CAP_ATS, .tc = RIOMMU_TC_PRPR},
	{.rule = 0, .tc = RIOMMU_TC_PRPR | EN_PRI | EN_ATS},
	{.rule = 0, .without = RIOMMU_CAP_ATS | RIOMMU_CAP_T2GPA | RIOMMU_CAP_AMO_HWAD},
	{.rule = 3, .tc = RIOMMU_TC_T2GPA, .iohgatp = HGATP},
	{.rule = 0, .tc = RIOMMU_TC_T2GPA | EN_ATS, .iohgatp = HGATP},
	{.rule = 4, .tc = EN_PRI},
	{.rule = 5, .tc = RIOMMU_TC_PRPR | EN_ATS},
	{.rule = 6, .without = RIOMMU_CAP_T2GPA, .tc = RIOMMU_TC_T2GPA | EN_ATS, .iohgatp = HGATP},
	{.rule = 7, .tc = RIOMMU_TC_T2GPA | EN_ATS},
	/* 8: pdtp.MODE */
	{.rule = 0, .tc = RIOMMU_TC_PDTV},
	{.rule = 0, .tc = RIOMMU_TC_PDTV, .fsc = MODE(1)},
	{.rule = 0, .tc = RIOMMU_TC_PDTV, .fsc = MODE(2)},
	{.rule = 0, .tc = RIOMMU_TC_PDTV, .fsc = MODE(3)},
	{.rule = 8, .tc = RIOMMU_TC_PDTV, .fsc = MODE(1), .without = RIOMMU_CAP_PD8},
	{.rule = 8, .tc = RIOMMU_TC_PDTV, .fsc = MODE(2), .without = RIOMMU_CAP_PD17},
	{.rule = 8, .tc = RIOMMU_TC_PDTV, .fsc = MODE(3), .without = RIOMMU_CAP_PD20},
	{.rule = 8, .tc = RIOMMU_TC_PDTV, .fsc = MODE(4)},
	{.rule = 8, .tc = RIOMMU_TC_PDTV, .fsc = MODE(8)},
	{.rule = 8, .tc = RIOMMU_TC_PDTV, .fsc = MODE(14)},
	{.rule = 8, .tc = RIOMMU_TC_PDTV | RIOMMU_TC_SXL, .fsc = MODE(15)},
	/* 9: encoding of iosatp.MODE */
	{.rule = 9, .fsc = MODE(1)},
	{.rule = 9, .fsc = MODE(7)},
	{.rule = 9, .fsc = MODE(11)},
	{.rule = 9, .fsc = MODE(13)},
	{.rule = 9, .fsc = MODE(14)},
	{.rule = 9, .fsc = MODE(15)},
	{.rule = 9, .tc = RIOMMU_TC_SXL, .fsc = MODE(9)},
	{.rule = 9, .tc = RIOMMU_TC_SXL, .fsc = MODE(10)},
	{.rule = 9, .tc = RIOMMU_TC_SXL, .fsc = MODE(1)},
	/* 10, 11: capability of iosatp.MODE */
	{.rule = 0, .fsc = MODE(8), .without = RIOMMU_CAP_SV32},
	{.rule = 0, .fsc = MODE(9)},
	{.rule = 0, .fsc = MODE(10)},
	{.rule = 10, .fsc = MODE(8), .without = RIOMMU_CAP_SV39},
	{.rule = 10, .fsc = MODE(9), .without = RIOMMU_CAP_SV48},
	{.rule = 10, .fsc = MODE(10), .without = RIOMMU_CAP_SV57},
	{.rule = 0, .tc = RIOMMU_TC_SXL, .fsc = MODE(8), .without = RIOMMU_CAP_SV39},
	{.rule = 11, .tc = RIOMMU_TC_SXL, .fsc = MODE(8), .without = RIOMMU_CAP_SV32},
	{.rule = 12, .tc = RIOMMU_TC_DPE},
	{.rule = 0, .tc = RIOMMU_TC_DPE | RIOMMU_TC_PDTV},
	/* 13: encoding of iohgatp.MODE */
	{.rule = 13, .iohgatp = MODE(1)},
	{.rule = 13, .iohgatp = MODE(7)},
	{.rule = 13, .iohgatp = MODE(11)},
	{.rule = 13, .iohgatp = MODE(14)},
	{.rule = 13, .iohgatp = MODE(15)},
	{.rule = 13, .iohgatp = MODE(9), .fctl = RIOMMU_FCTL_GXL, .tc = RIOMMU_TC_SXL},
	{.rule = 13, .iohgatp = MODE(10), .fctl = RIOMMU_FCTL_GXL, .tc = RIOMMU_TC_SXL},
	{.rule = 13, .iohgatp = MODE(1), .fctl = RIOMMU_FCTL_GXL, .tc = RIOMMU_TC_SXL},
	/* 14, 15: capability of iohgatp.MODE */
	{.rule = 0, .iohgatp = MODE(8), .without = RIOMMU_CAP_SV32X4},
	{.rule = 14, .iohgatp = MODE(8), .without = RIOMMU_CAP_SV39X4},
	{.rule = 14, .iohgatp = MODE(9), .without = RIOMMU_CAP_SV48X4},
	{.rule = 14, .iohgatp = MODE(10), .without = RIOMMU_CAP_SV57X4},
	{.rule = 0,
	 .iohgatp = MODE(8),
	 .fctl = RIOMMU_FCTL_GXL,
	 .tc = RIOMMU_TC_SXL,
	 .without = RIOMMU_CAP_SV39X4},
	{.rule = 15,
	 .iohgatp = MODE(8),
	 .fctl = RIOMMU_FCTL_GXL,
	 .tc = RIOMMU_TC_SXL,
	 .without = RIOMMU_CAP_SV32X4},
	{.rule = 0, .iohgatp = HGATP, .msiptp = FLAT},
	{.rule = 16, .iohgatp = HGATP, .msiptp = MODE(2)},
	{.rule = 16, .iohgatp = HGATP, .msiptp = MODE(14)},
	{.rule = 16, .iohgatp = HGATP, .msiptp = MODE(15)},
	{.rule = 17, .iohgatp = HGATP | 1},
	{.rule = 17, .iohgatp = HGATP | 2},
	{.rule = 0, .iohgatp = HGATP | 4},
	{.rule = 0, .iohgatp = 3}, /* Bare: the rest is not looked at */
	{.rule = 0, .iohgatp = 0x0fffffffffffffff},
	{.rule = 18, .tc = RIOMMU_TC_SADE, .without = RIOMMU_CAP_AMO_HWAD},
	{.rule = 18, .tc = RIOMMU_TC_GADE, .without = RIOMMU_CAP_AMO_HWAD},
	{.rule = 0, .tc = RIOMMU_TC_SADE | RIOMMU_TC_GADE},
	/* 19, 21: SBE. END=0 with BE=1 is a big-endian IOMMU that can be nothing else. */
	{.rule = 19, .tc = RIOMMU_TC_SBE, .without = RIOMMU_CAP_END},
	{.rule = 19, .fctl = RIOMMU_FCTL_BE, .without = RIOMMU_CAP_END, .be_fixed = true},
	{.rule = 0,
	 .fctl = RIOMMU_FCTL_BE,
	 .tc = RIOMMU_TC_SBE,
	 .without = RIOMMU_CAP_END,
	 .be_fixed = true},
	{.rule = 0, .tc = RIOMMU_TC_SBE},
	{.rule = 0, .fctl = RIOMMU_FCTL_BE},
	{.rule = 21, .tc = RIOMMU_TC_SBE, .be_fixed = true},
	{.rule = 21, .fctl = RIOMMU_FCTL_BE, .be_fixed = true},
	/* 20: SXL */
	{.rule = 20, .fctl = RIOMMU_FCTL_GXL},
	{.rule = 0, .fctl = RIOMMU_FCTL_GXL, .tc = RIOMMU_TC_SXL, .gxl_fixed = true},
	{.rule = 0, .tc = RIOMMU_TC_SXL},
	{.rule = 20, .tc = RIOMMU_TC_SXL, .gxl_fixed = true},
	{.rule = 23, .msiptp = FLAT},
	{.rule = 0, .msiptp = 5},
};

START_TEST(rule_is_found_and_numbered)
{
	struct riommu_dc dc = {.dwords = RIOMMU_DC_DWORDS};
	unsigned rule = 99;
	const char *reason;

	m.w.capabilities &= ~rules[_i].without;
	m.w.fctl = rules[_i].fctl;
	m.w.gxl_writable = !rules[_i].gxl_fixed;
	m.w.be_writable = !rules[_i].be_fixed;
	m.dw[RIOMMU_DC_TC] = RIOMMU_TC_V | rules[_i].tc;
	m.dw[RIOMMU_DC_IOHGATP] = rules[_i].iohgatp;
	m.dw[RIOMMU_DC_FSC] = rules[_i].fsc;
	m.dw[RIOMMU_DC_MSIPTP] = rules[_i].msiptp;
	memcpy(dc.dw, m.dw, sizeof(dc.dw));
	reason = riommu_dc_misconfigured(&m.w, &dc, &rule);
	ck_assert_uint_eq(rule, rules[_i].rule);
	ck_assert_int_eq(reason != NULL, rules[_i].rule != 0);
	ck_assert_int_eq(riommu_dc_misconfigured(&m.w, &dc, NULL) != NULL, rules[_i].rule != 0);
	ask(RIOMMU_READ, 0x1000);
	if (rules[_i].rule) {
		expect_fault(259);
		ck_assert_str_eq(m.t.reason, reason);
		ck_assert(m.t.reported);
	} else {
		ck_assert(m.t.result != RIOMMU_FAULT || m.t.cause != 259);
	}
}
END_TEST

START_TEST(context_that_is_not_valid_breaks_no_rule)
{
	struct riommu_dc dc = {.dwords = RIOMMU_DC_DWORDS};
	unsigned rule = 99;

	memset(dc.dw, 0xff, sizeof(dc.dw));
	dc.dw[RIOMMU_DC_TC] &= ~RIOMMU_TC_V;
	ck_assert_ptr_null(riommu_dc_misconfigured(&m.w, &dc, &rule));
	ck_assert_uint_eq(rule, 0);
}
END_TEST

/* Rule 1. The bits that are reserved in each doubleword; MODE has rules of its own. */
static const struct {
	enum riommu_dc_dword dword;
	uint64_t reserved, other_rules;
} reserved[] = {
	{RIOMMU_DC_TC, 0xffffffff00fff000,
	 RIOMMU_TC_V | EN_PRI | RIOMMU_TC_T2GPA | RIOMMU_TC_PRPR | RIOMMU_TC_DPE},
	{RIOMMU_DC_IOHGATP, 0, 0xf000000000000000},
	{RIOMMU_DC_TA, 0x000000ff00000fff, 0},
	{RIOMMU_DC_FSC, 0x0ffff00000000000, 0xf000000000000000},
	{RIOMMU_DC_MSIPTP, 0x0ffff00000000000, 0xf000000000000000},
	{RIOMMU_DC_MSI_ADDR_MASK, 0xffff800000000000, 0}, /* MGPAW is 59 */
	{RIOMMU_DC_MSI_ADDR_PATTERN, 0xffff800000000000, 0},
	{RIOMMU_DC_RESERVED, 0xffffffffffffffff, 0},
};

START_TEST(rule_1_holds_for_exactly_the_reserved_bits)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		struct riommu_dc dc = {.dwords = RIOMMU_DC_DWORDS};
		unsigned rule;

		if (reserved[_i].other_rules & BIT(bit))
			continue;
		dc.dw[RIOMMU_DC_TC] = RIOMMU_TC_V;
		dc.dw[reserved[_i].dword] |= BIT(bit);
		riommu_dc_misconfigured(&m.w, &dc, &rule);
		ck_assert_uint_eq(rule, reserved[_i].reserved & BIT(bit) ? 1 : 0);
		if (rule == 0)
			continue;
		dc.dw[RIOMMU_DC_TC] |= RIOMMU_TC_PDTV; /* the same as pdtp */
		riommu_dc_misconfigured(&m.w, &dc, &rule);
		ck_assert_uint_eq(rule, 1);
	}
}
END_TEST

START_TEST(rcid_and_mcid_are_reserved_without_qosid)
{
	for (unsigned bit = 40; bit < 64; bit++) {
		m.dw[RIOMMU_DC_TA] = BIT(bit);
		m.w.capabilities |= RIOMMU_CAP_QOSID;
		ask(RIOMMU_READ, 0x1000);
		expect_ok(0x1000);
		m.w.capabilities &= ~RIOMMU_CAP_QOSID;
		ask(RIOMMU_READ, 0x1000);
		expect_fault(259);
	}
}
END_TEST

START_TEST(custom_bits_of_tc_break_no_rule)
{
	m.dw[RIOMMU_DC_TC] |= 0xff000000;
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
}
END_TEST

START_TEST(base_format_ends_after_fsc)
{
	struct riommu_dc dc = {.dwords = RIOMMU_DC_DWORDS_BASE};
	unsigned rule;

	dc.dw[RIOMMU_DC_TC] = RIOMMU_TC_V;
	for (unsigned i = RIOMMU_DC_DWORDS_BASE; i < RIOMMU_DC_DWORDS; i++)
		dc.dw[i] = ~(uint64_t)0;
	ck_assert_ptr_null(riommu_dc_misconfigured(&m.w, &dc, &rule));
}
END_TEST

/* MGPAW: bits of mask and pattern from there on are reserved. */
static const struct {
	uint64_t without;
	unsigned pas, first_reserved;
} mgpaw[] = {
	{0, 46, 59 - 12},
	{RIOMMU_CAP_SV57X4, 46, 50 - 12},
	{RIOMMU_CAP_SV57X4 | RIOMMU_CAP_SV48X4, 46, 41 - 12},
	{RIOMMU_CAP_SV57X4 | RIOMMU_CAP_SV48X4 | RIOMMU_CAP_SV39X4, 46, 34 - 12},
	{RIOMMU_CAP_SV57X4 | RIOMMU_CAP_SV48X4 | RIOMMU_CAP_SV39X4 | RIOMMU_CAP_SV32X4, 46,
	 46 - 12},
	{RIOMMU_CAP_SV57X4 | RIOMMU_CAP_SV48X4 | RIOMMU_CAP_SV39X4 | RIOMMU_CAP_SV32X4, 56,
	 56 - 12},
	{RIOMMU_CAP_SV57X4 | RIOMMU_CAP_SV48X4 | RIOMMU_CAP_SV39X4 | RIOMMU_CAP_SV32X4, 63,
	 63 - 12},
	{RIOMMU_CAP_SV57X4 | RIOMMU_CAP_SV48X4 | RIOMMU_CAP_SV39X4 | RIOMMU_CAP_SV32X4, 12, 0},
	{RIOMMU_CAP_SV57X4 | RIOMMU_CAP_SV48X4 | RIOMMU_CAP_SV39X4 | RIOMMU_CAP_SV32X4, 0, 0},
};

START_TEST(mask_and_pattern_are_as_wide_as_guest_addresses)
{
	m.w.capabilities &= ~(mgpaw[_i].without | riommu_mask(37, 32));
	m.w.capabilities |= (uint64_t)mgpaw[_i].pas << 32;
	for (unsigned bit = 0; bit < 128; bit++) {
		struct riommu_dc dc = {.dwords = RIOMMU_DC_DWORDS};
		unsigned rule;

		dc.dw[RIOMMU_DC_TC] = RIOMMU_TC_V;
		dc.dw[RIOMMU_DC_MSI_ADDR_MASK + bit / 64] = BIT(bit % 64);
		riommu_dc_misconfigured(&m.w, &dc, &rule);
		ck_assert_uint_eq(rule, bit % 64 >= mgpaw[_i].first_reserved);
	}
}
END_TEST

START_TEST(names_of_modes_follow_the_format)
{
	ck_assert_str_eq(riommu_fsc_mode_name(0, 0, false), "Bare");
	ck_assert_str_eq(riommu_hgatp_mode_name(0, 0), "Bare");
	ck_assert_str_eq(riommu_msiptp_mode_name(0), "Off");
	ck_assert_str_eq(riommu_fsc_mode_name(MODE(8), 0, false), "Sv39");
	ck_assert_str_eq(riommu_fsc_mode_name(MODE(8), RIOMMU_TC_SXL, false), "Sv32");
	ck_assert_str_eq(riommu_fsc_mode_name(MODE(3), RIOMMU_TC_PDTV, false), "PD20");
	ck_assert_str_eq(riommu_fsc_mode_name(MODE(10), RIOMMU_TC_PDTV, true), "Sv57");
	ck_assert_ptr_null(riommu_fsc_mode_name(MODE(9), RIOMMU_TC_SXL, false));
	ck_assert_ptr_null(riommu_fsc_mode_name(MODE(8), RIOMMU_TC_PDTV, false));
	ck_assert_str_eq(riommu_hgatp_mode_name(MODE(8), 0), "Sv39x4");
	ck_assert_str_eq(riommu_hgatp_mode_name(MODE(8), RIOMMU_FCTL_GXL), "Sv32x4");
	ck_assert_ptr_null(riommu_hgatp_mode_name(MODE(1), 0));
	ck_assert_str_eq(riommu_msiptp_mode_name(MODE(1)), "Flat");
	ck_assert_ptr_null(riommu_msiptp_mode_name(MODE(2)));
}
END_TEST

TCase *walk_rules_case(void)
{
	TCase *tc = tcase_create("rules");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_loop_test(tc, rule_is_found_and_numbered, 0, (int)RIOMMU_ARRAY_SIZE(rules));
	tcase_add_test(tc, context_that_is_not_valid_breaks_no_rule);
	tcase_add_loop_test(tc, rule_1_holds_for_exactly_the_reserved_bits, 0,
			    (int)RIOMMU_ARRAY_SIZE(reserved));
	tcase_add_test(tc, rcid_and_mcid_are_reserved_without_qosid);
	tcase_add_test(tc, custom_bits_of_tc_break_no_rule);
	tcase_add_test(tc, base_format_ends_after_fsc);
	tcase_add_loop_test(tc, mask_and_pattern_are_as_wide_as_guest_addresses, 0,
			    (int)RIOMMU_ARRAY_SIZE(mgpaw));
	tcase_add_test(tc, names_of_modes_follow_the_format);
	return tc;
}
