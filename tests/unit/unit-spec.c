/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec: the tables say what the specification says, completely and without contradiction. */
#include "base/base.h"
#include "spec/causes.h"
#include "spec/commands.h"
#include "spec/counters.h"
#include "spec/field.h"
#include "spec/registers.h"
#include "spec/structures.h"
#include "runner.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* -- golden values: composed from fields, and taken apart again ------------------------------- */

struct part {
	const char *field;
	uint64_t raw;   /* what is in the bits */
	uint64_t value; /* what it stands for; 0: the same */
};

struct golden {
	const char *what;
	const struct riommu_layout *(*layout)(void);
	uint64_t value;
	struct part parts[8]; /* all other fields are zero */
};

static const struct riommu_layout *reg(const char *name)
{
	int i = riommu_reg_by_name(name);

	ck_assert_int_ge(i, 0);
	return riommu_registers()[i].layout;
}

#define LAYOUT(name, expr)                            \
	static const struct riommu_layout *name(void) \
	{                                             \
		return expr;                          \
	}

LAYOUT(ddtp, reg("ddtp"))
LAYOUT(cqb, reg("cqb"))
LAYOUT(iohpmevt, reg("iohpmevt1"))
LAYOUT(tr_req_ctl, reg("tr_req_ctl"))
LAYOUT(tr_response, reg("tr_response"))
LAYOUT(iohgatp, riommu_layout_dc(RIOMMU_DC_IOHGATP, 0, 0))
LAYOUT(dc_ta, riommu_layout_dc(RIOMMU_DC_TA, 0, 0))
LAYOUT(iosatp, riommu_layout_dc(RIOMMU_DC_FSC, 0, 0))
LAYOUT(pdtp, riommu_layout_dc(RIOMMU_DC_FSC, RIOMMU_TC_PDTV, 0))
LAYOUT(msi_basic, riommu_layout_msi_pte(0, 7))
LAYOUT(msi_mrif, riommu_layout_msi_pte(0, 3))
LAYOUT(msi_notice, riommu_layout_msi_pte(1, 3))
LAYOUT(fault, riommu_layout_fault(0))
LAYOUT(vma, riommu_layout_command(0, 0x001))
LAYOUT(vma1, riommu_layout_command(1, 0x001))
LAYOUT(gvma, riommu_layout_command(0, 0x081))
LAYOUT(fence, riommu_layout_command(0, 0x002))
LAYOUT(fence1, riommu_layout_command(1, 0x002))
LAYOUT(inval_ddt, riommu_layout_command(0, 0x003))
LAYOUT(inval_pdt, riommu_layout_command(0, 0x083))
LAYOUT(ats_inval, riommu_layout_command(0, 0x004))
LAYOUT(ats_inval1, riommu_layout_command(1, 0x004))
LAYOUT(ats_prgr, riommu_layout_command(0, 0x084))
LAYOUT(ats_prgr1, riommu_layout_command(1, 0x084))

static const struct golden goldens[] = {
	{"ddtp 3LVL",
	 ddtp,
	 0x0000000020080004,
	 {{"iommu_mode", 4, 0}, {"PPN", 0x80200, 0x80200000}}},
	{"ddtp Off, PPN kept", ddtp, 0x0000000020080000, {{"PPN", 0x80200, 0x80200000}}},
	{"cqb of 256",
	 cqb,
	 0x00000000200c0007,
	 {{"LOG2SZ-1", 7, 256}, {"PPN", 0x80300, 0x80300000}}},
	{"non-leaf DDTE",
	 riommu_layout_ddte,
	 0x0000000020080401,
	 {{"V", 1, 0}, {"PPN", 0x80201, 0x80201000}}},
	{"non-leaf PDTE",
	 riommu_layout_pdte,
	 0x0000000020080401,
	 {{"V", 1, 0}, {"PPN", 0x80201, 0x80201000}}},
	{"iohgatp Sv39x4",
	 iohgatp,
	 0x8000500000080400,
	 {{"MODE", 8, 0}, {"GSCID", 5, 0}, {"PPN", 0x80400, 0x80400000}}},
	{"iosatp Sv48", iosatp, 0x9000000000080500, {{"MODE", 9, 0}, {"PPN", 0x80500, 0x80500000}}},
	{"pdtp PD20", pdtp, 0x3000000000080600, {{"MODE", 3, 0}, {"PPN", 0x80600, 0x80600000}}},
	{"DC.ta", dc_ta, 0x0000000012345000, {{"PSCID", 0x12345, 0}}},
	{"INVAL_DDT all", inval_ddt, 0x0000000000000003, {{"opcode", 3, 0}}},
	{"INVAL_DDT of a device",
	 inval_ddt,
	 0x0000100200000003,
	 {{"opcode", 3, 0}, {"DV", 1, 0}, {"DID", 0x10, 0}}},
	{"INVAL_PDT",
	 inval_pdt,
	 0x0000100200007083,
	 {{"opcode", 3, 0}, {"func3", 1, 0}, {"PID", 7, 0}, {"DV", 1, 0}, {"DID", 0x10, 0}}},
	{"IOTINVAL.VMA all", vma, 0x0000000000000001, {{"opcode", 1, 0}}},
	{"IOTINVAL.VMA of an address",
	 vma,
	 0x0000000100001401,
	 {{"opcode", 1, 0}, {"AV", 1, 0}, {"PSCV", 1, 0}, {"PSCID", 1, 0}}},
	{"IOTINVAL.VMA: the address", vma1, 0x00000000048d1400, {{"ADDR", 0x12345, 0x12345000}}},
	{"IOTINVAL.GVMA all", gvma, 0x0000000000000081, {{"opcode", 1, 0}, {"func3", 1, 0}}},
	{"IOTINVAL.GVMA of a guest",
	 gvma,
	 0x0000500200000081,
	 {{"opcode", 1, 0}, {"func3", 1, 0}, {"GV", 1, 0}, {"GSCID", 5, 0}}},
	{"IOFENCE.C PR PW",
	 fence,
	 0x0000000000003002,
	 {{"opcode", 2, 0}, {"PR", 1, 0}, {"PW", 1, 0}}},
	{"IOFENCE.C with a store",
	 fence,
	 0xdeadbeef00000402,
	 {{"opcode", 2, 0}, {"AV", 1, 0}, {"DATA", 0xdeadbeef, 0}}},
	{"IOFENCE.C: the address", fence1, 0x00000000201c0000, {{"ADDR", 0x201c0000, 0x80700000}}},
	{"ATS.INVAL", ats_inval, 0x0001080000000004, {{"opcode", 4, 0}, {"RID", 0x108, 0}}},
	{"ATS.INVAL: the range",
	 ats_inval1,
	 0x7ffffffffffff800,
	 {{"S", 1, 0}, {"ADDR", 0x7ffffffffffff, 0x7ffffffffffff000}}},
	{"ATS.PRGR",
	 ats_prgr,
	 0x0001080000000084,
	 {{"opcode", 4, 0}, {"func3", 1, 0}, {"RID", 0x108, 0}}},
	{"ATS.PRGR: the answer",
	 ats_prgr1,
	 0x0000f00300000000,
	 {{"PRGI", 3, 0}, {"response_code", 0xf, 0}}},
	{"tr_req_ctl",
	 tr_req_ctl,
	 0x0001080000000009,
	 {{"Go/Busy", 1, 0}, {"NW", 1, 0}, {"DID", 0x108, 0}}},
	{"tr_response 4K", tr_response, 0x0000000020200000, {{"PPN", 0x80800, 0x80800000}}},
	{"tr_response 2M",
	 tr_response,
	 0x000000002023fe00,
	 {{"S", 1, 0}, {"PPN", 0x808ff, 0x808ff000}}},
	{"fault record 13",
	 fault,
	 0x000108080000000d,
	 {{"CAUSE", 13, 0}, {"TTYP", 2, 0}, {"DID", 0x108, 0}}},
	{"fault record 258 with PASID",
	 fault,
	 0x0001080d00005102,
	 {{"CAUSE", 258, 0}, {"PID", 5, 0}, {"PV", 1, 0}, {"TTYP", 3, 0}, {"DID", 0x108, 0}}},
	{"iohpmevt of a bus",
	 iohpmevt,
	 0x200017f000008004,
	 {{"eventID", 4, 0}, {"DMASK", 1, 0}, {"DID_GSCID", 0x17f, 0}, {"DV_GSCV", 1, 0}}},
	{"MSI PTE, basic",
	 msi_basic,
	 0x000000000a000407,
	 {{"V", 1, 0}, {"M", 3, 0}, {"PPN", 0x28001, 0x28001000}}},
	{"MSI PTE, MRIF",
	 msi_mrif,
	 0x0000000020240083,
	 {{"V", 1, 0}, {"M", 1, 0}, {"MRIF_ADDR", 0x404801, 0x80900200}}},
	{"MSI PTE, MRIF: the notice",
	 msi_notice,
	 0x100000000a000005,
	 {{"NID", 5, 0}, {"NID10", 1, 0}, {"NPPN", 0x28000, 0x28000000}}},
};

START_TEST(golden_value_is_composed_of_its_fields)
{
	const struct golden *g = &goldens[_i];
	const struct riommu_layout *layout = g->layout();
	uint64_t composed = 0;

	for (const struct part *p = g->parts; p->field; p++) {
		const struct riommu_field *field = riommu_layout_field(layout, p->field);

		ck_assert_msg(field, "%s: no field %s", g->what, p->field);
		composed |= p->raw << field->lo;
	}
	ck_assert_msg(composed == g->value, "%s: 0x%lx", g->what, (unsigned long)composed);
}
END_TEST

START_TEST(golden_value_is_taken_apart)
{
	const struct golden *g = &goldens[_i];
	const struct riommu_layout *layout = g->layout();

	ck_assert_uint_eq(riommu_layout_reserved(layout, g->value), 0);
	for (size_t i = 0; i < layout->count; i++) {
		const struct riommu_field *field = &layout->fields[i];
		const struct part *p = g->parts;

		while (p->field && strcmp(p->field, field->name) != 0)
			p++;
		ck_assert_uint_eq(riommu_field_get(field, g->value), p->field ? p->raw : 0);
		if (p->field)
			ck_assert_uint_eq(riommu_field_value(field, g->value),
					  p->value ? p->value : p->raw);
	}
}
END_TEST

/* -- every layout ------------------------------------------------------------------------------ */

#define MAX_LAYOUTS 512

static size_t all_layouts(const struct riommu_layout **all)
{
	size_t n = 0;

	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++)
		all[n++] = riommu_registers()[i].layout;
	all[n++] = riommu_layout_ddte();
	all[n++] = riommu_layout_pdte();
	for (unsigned dw = 0; dw < RIOMMU_DC_DWORDS; dw++) {
		all[n++] = riommu_layout_dc(dw, 0, 0);
		all[n++] = riommu_layout_dc(dw, RIOMMU_TC_SXL, RIOMMU_FCTL_GXL);
		all[n++] = riommu_layout_dc(dw, RIOMMU_TC_PDTV, 0);
	}
	for (unsigned dw = 0; dw < 2; dw++) {
		all[n++] = riommu_layout_pc(dw, 0);
		all[n++] = riommu_layout_pc(dw, RIOMMU_TC_SXL);
		all[n++] = riommu_layout_page_request(dw);
		for (uint64_t m = 0; m < 4; m++) {
			all[n++] = riommu_layout_msi_pte(dw, m << 1);
			all[n++] = riommu_layout_msi_pte(dw, (uint64_t)1 << 63 | m << 1);
		}
		for (uint64_t op = 0; op < 6; op++)
			for (uint64_t func3 = 0; func3 < 8; func3++)
				all[n++] = riommu_layout_command(dw, func3 << 7 | op);
		all[n++] = riommu_layout_command(dw, 64);
		all[n++] = riommu_layout_command(dw, 127);
	}
	all[n++] = riommu_layout_pte(false);
	all[n++] = riommu_layout_pte(true);
	for (unsigned dw = 0; dw < 4; dw++)
		all[n++] = riommu_layout_fault(dw);
	ck_assert_uint_le(n, MAX_LAYOUTS);
	return n;
}

static void check_layout(const struct riommu_layout *layout)
{
	uint64_t seen = 0;

	ck_assert_ptr_nonnull(layout);
	ck_assert(layout->width == 4 || layout->width == 8);
	ck_assert_uint_gt(strlen(layout->doc), 0);
	for (size_t i = 0; i < layout->count; i++) {
		const struct riommu_field *field = &layout->fields[i];
		uint64_t mask;

		ck_assert_msg(field->hi >= field->lo && field->hi < 8 * layout->width, "%s.%s",
			      layout->name, field->name);
		mask = riommu_mask(field->hi, field->lo);
		ck_assert_msg(!(seen & mask), "%s.%s overlaps", layout->name, field->name);
		ck_assert_msg(field->kind != RIOMMU_FIELD_FLAG || field->hi == field->lo, "%s.%s",
			      layout->name, field->name);
		ck_assert_msg((field->kind == RIOMMU_FIELD_ENUM) == (field->names != NULL), "%s.%s",
			      layout->name, field->name);
		ck_assert_uint_gt(strlen(field->doc), 0);
		seen |= mask;
	}
	ck_assert_msg(seen == riommu_mask(8u * layout->width - 1, 0), "%s: bits are left over",
		      layout->name);
}

START_TEST(every_bit_belongs_to_exactly_one_field)
{
	const struct riommu_layout *all[MAX_LAYOUTS];
	size_t n = all_layouts(all);

	for (size_t i = 0; i < n; i++)
		check_layout(all[i]);
}
END_TEST

START_TEST(fields_stand_in_ascending_order)
{
	const struct riommu_layout *all[MAX_LAYOUTS];
	size_t n = all_layouts(all);

	for (size_t i = 0; i < n; i++)
		for (size_t f = 1; f < all[i]->count; f++)
			ck_assert_msg(all[i]->fields[f].lo == all[i]->fields[f - 1].hi + 1, "%s.%s",
				      all[i]->name, all[i]->fields[f].name);
}
END_TEST

/* Keys of JSON are names in lower case: they must not meet. */
START_TEST(names_of_fields_are_unique_in_any_case)
{
	const struct riommu_layout *all[MAX_LAYOUTS];
	size_t n = all_layouts(all);

	for (size_t i = 0; i < n; i++)
		for (size_t a = 0; a < all[i]->count; a++)
			for (size_t b = a + 1; b < all[i]->count; b++)
				if (all[i]->fields[a].kind != RIOMMU_FIELD_RESERVED)
					ck_assert_msg(strcasecmp(all[i]->fields[a].name,
								 all[i]->fields[b].name) != 0,
						      "%s.%s", all[i]->name,
						      all[i]->fields[a].name);
}
END_TEST

START_TEST(a_doubleword_that_does_not_exist_has_no_layout)
{
	ck_assert_ptr_null(riommu_layout_dc(RIOMMU_DC_DWORDS, 0, 0));
	ck_assert_ptr_null(riommu_layout_pc(2, 0));
	ck_assert_ptr_null(riommu_layout_msi_pte(2, 7));
	ck_assert_ptr_null(riommu_layout_fault(4));
	ck_assert_ptr_null(riommu_layout_page_request(2));
	ck_assert_ptr_null(riommu_layout_command(2, 1));
}
END_TEST

START_TEST(reserved_bits_are_exactly_those_of_reserved_fields)
{
	ck_assert_uint_eq(riommu_layout_reserved(reg("ddtp"), UINT64_MAX), 0xffc00000000003e0);
	ck_assert_uint_eq(riommu_layout_reserved(reg("capabilities"), UINT64_MAX),
			  0x00fff00000103000);
	ck_assert_uint_eq(riommu_layout_reserved(reg("fqcsr"), UINT64_MAX), 0x0ffcfcfc);
	ck_assert_uint_eq(riommu_layout_reserved(riommu_layout_pte(false), UINT64_MAX),
			  0x07c0000000000000);
	ck_assert_uint_eq(riommu_layout_reserved(riommu_layout_pte(true), 0xffffffff), 0);
	ck_assert_uint_eq(riommu_layout_reserved(riommu_layout_dc(RIOMMU_DC_TC, 0, 0), UINT64_MAX),
			  0xffffffff00fff000);
}
END_TEST

/* -- modes by variant ---------------------------------------------------------------------------- */

static const char *mode_name(const struct riommu_layout *layout, uint64_t mode)
{
	return riommu_field_value_name(riommu_layout_field(layout, "MODE"), mode << 60);
}

START_TEST(mode_8_is_named_by_sxl_and_gxl)
{
	ck_assert_str_eq(mode_name(riommu_layout_dc(RIOMMU_DC_FSC, 0, 0), 8), "Sv39");
	ck_assert_str_eq(mode_name(riommu_layout_dc(RIOMMU_DC_FSC, RIOMMU_TC_SXL, 0), 8), "Sv32");
	ck_assert_str_eq(mode_name(riommu_layout_pc(1, 0), 8), "Sv39");
	ck_assert_str_eq(mode_name(riommu_layout_pc(1, RIOMMU_TC_SXL), 8), "Sv32");
	ck_assert_str_eq(mode_name(riommu_layout_dc(RIOMMU_DC_IOHGATP, 0, 0), 8), "Sv39x4");
	ck_assert_str_eq(mode_name(riommu_layout_dc(RIOMMU_DC_IOHGATP, 0, RIOMMU_FCTL_GXL), 8),
			 "Sv32x4");
}
END_TEST

START_TEST(modes_that_a_variant_lacks_have_no_name)
{
	ck_assert_ptr_null(mode_name(riommu_layout_dc(RIOMMU_DC_FSC, RIOMMU_TC_SXL, 0), 9));
	ck_assert_ptr_null(mode_name(riommu_layout_dc(RIOMMU_DC_FSC, RIOMMU_TC_PDTV, 0), 8));
	ck_assert_ptr_null(mode_name(riommu_layout_dc(RIOMMU_DC_FSC, 0, 0), 3));
	ck_assert_ptr_null(mode_name(riommu_layout_dc(RIOMMU_DC_IOHGATP, 0, RIOMMU_FCTL_GXL), 10));
	ck_assert_ptr_null(mode_name(riommu_layout_dc(RIOMMU_DC_MSIPTP, 0, 0), 2));
}
END_TEST

START_TEST(pdtv_makes_fsc_a_process_directory)
{
	const struct riommu_layout *layout =
		riommu_layout_dc(RIOMMU_DC_FSC, RIOMMU_TC_PDTV | RIOMMU_TC_SXL, 0);

	ck_assert_str_eq(mode_name(layout, 0), "Bare");
	ck_assert_str_eq(mode_name(layout, 1), "PD8");
	ck_assert_str_eq(mode_name(layout, 2), "PD17");
	ck_assert_str_eq(mode_name(layout, 3), "PD20");
}
END_TEST

/* -- registers ---------------------------------------------------------------------------------------- */

/* Facts 1.2, written down a second time: name, offset, width, when. */
static const struct {
	const char *name;
	unsigned offset, width, presence;
} map[] = {
	{"capabilities", 0x000, 8, RIOMMU_PRESENT_ALWAYS},
	{"fctl", 0x008, 4, RIOMMU_PRESENT_ALWAYS},
	{"ddtp", 0x010, 8, RIOMMU_PRESENT_ALWAYS},
	{"cqb", 0x018, 8, RIOMMU_PRESENT_ALWAYS},
	{"cqh", 0x020, 4, RIOMMU_PRESENT_ALWAYS},
	{"cqt", 0x024, 4, RIOMMU_PRESENT_ALWAYS},
	{"fqb", 0x028, 8, RIOMMU_PRESENT_ALWAYS},
	{"fqh", 0x030, 4, RIOMMU_PRESENT_ALWAYS},
	{"fqt", 0x034, 4, RIOMMU_PRESENT_ALWAYS},
	{"pqb", 0x038, 8, RIOMMU_PRESENT_ATS},
	{"pqh", 0x040, 4, RIOMMU_PRESENT_ATS},
	{"pqt", 0x044, 4, RIOMMU_PRESENT_ATS},
	{"cqcsr", 0x048, 4, RIOMMU_PRESENT_ALWAYS},
	{"fqcsr", 0x04c, 4, RIOMMU_PRESENT_ALWAYS},
	{"pqcsr", 0x050, 4, RIOMMU_PRESENT_ATS},
	{"ipsr", 0x054, 4, RIOMMU_PRESENT_ALWAYS},
	{"iocountovf", 0x058, 4, RIOMMU_PRESENT_HPM},
	{"iocountinh", 0x05c, 4, RIOMMU_PRESENT_HPM},
	{"iohpmcycles", 0x060, 8, RIOMMU_PRESENT_HPM},
	{"iohpmctr1", 0x068, 8, RIOMMU_PRESENT_HPM},
	{"iohpmctr31", 0x158, 8, RIOMMU_PRESENT_HPM},
	{"iohpmevt1", 0x160, 8, RIOMMU_PRESENT_HPM},
	{"iohpmevt31", 0x250, 8, RIOMMU_PRESENT_HPM},
	{"tr_req_iova", 0x258, 8, RIOMMU_PRESENT_DBG},
	{"tr_req_ctl", 0x260, 8, RIOMMU_PRESENT_DBG},
	{"tr_response", 0x268, 8, RIOMMU_PRESENT_DBG},
	{"iommu_qosid", 0x270, 4, RIOMMU_PRESENT_QOSID},
	{"icvec", 0x2f8, 8, RIOMMU_PRESENT_ALWAYS},
	{"msi_addr_0", 0x300, 8, RIOMMU_PRESENT_MSI},
	{"msi_data_0", 0x308, 4, RIOMMU_PRESENT_MSI},
	{"msi_vec_ctl_0", 0x30c, 4, RIOMMU_PRESENT_MSI},
	{"msi_addr_15", 0x3f0, 8, RIOMMU_PRESENT_MSI},
	{"msi_data_15", 0x3f8, 4, RIOMMU_PRESENT_MSI},
	{"msi_vec_ctl_15", 0x3fc, 4, RIOMMU_PRESENT_MSI},
};

START_TEST(register_is_where_the_specification_has_it)
{
	int i = riommu_reg_by_name(map[_i].name);
	const struct riommu_reg *r;

	ck_assert_int_ge(i, 0);
	r = &riommu_registers()[i];
	ck_assert_str_eq(r->name, map[_i].name);
	ck_assert_uint_eq(r->offset, map[_i].offset);
	ck_assert_uint_eq(r->width, map[_i].width);
	ck_assert_uint_eq(r->presence, map[_i].presence);
	ck_assert_uint_eq(r->layout->width, map[_i].width);
}
END_TEST

START_TEST(registers_ascend_are_aligned_and_do_not_overlap)
{
	const struct riommu_reg *regs = riommu_registers();

	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++) {
		ck_assert(regs[i].width == 4 || regs[i].width == 8);
		ck_assert_uint_eq(regs[i].offset % regs[i].width, 0);
		ck_assert_uint_le(regs[i].offset + regs[i].width, RIOMMU_REGS_SIZE);
		if (i)
			ck_assert_uint_ge(regs[i].offset, regs[i - 1].offset + regs[i - 1].width);
	}
}
END_TEST

START_TEST(registers_are_found_by_name_and_offset)
{
	const struct riommu_reg *regs = riommu_registers();

	for (int i = 0; i < RIOMMU_REG_COUNT; i++) {
		char upper[sizeof(regs[i].name)];

		for (size_t c = 0; c < sizeof(upper); c++)
			upper[c] = (char)toupper((unsigned char)regs[i].name[c]);
		ck_assert_int_eq(riommu_reg_by_name(regs[i].name), i);
		ck_assert_int_eq(riommu_reg_by_name(upper), i);
		ck_assert_int_eq(riommu_reg_by_offset(regs[i].offset), i);
	}
	ck_assert_int_eq(riommu_reg_by_name(""), -1);
	ck_assert_int_eq(riommu_reg_by_name("iohpmctr0"), -1);
	ck_assert_int_eq(riommu_reg_by_name("iohpmctr32"), -1);
	ck_assert_int_eq(riommu_reg_by_name("msi_addr_16"), -1);
	ck_assert_int_eq(riommu_reg_by_offset(0x00c), -1);
	ck_assert_int_eq(riommu_reg_by_offset(0x014), -1);
	ck_assert_int_eq(riommu_reg_by_offset(0x274), -1);
	ck_assert_int_eq(riommu_reg_by_offset(0x400), -1);
	ck_assert_int_eq(riommu_reg_by_offset(UINT32_MAX), -1);
}
END_TEST

START_TEST(numbered_registers_know_their_number)
{
	const struct riommu_reg *regs = riommu_registers();

	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++) {
		const char *digits = strpbrk(regs[i].name, "0123456789");

		if (digits)
			ck_assert_int_eq(regs[i].index, atoi(digits));
		else
			ck_assert_int_eq(regs[i].index, -1);
	}
	ck_assert_uint_eq(regs[riommu_reg_by_name("iohpmctr17")].offset, 0x068 + 8 * 16);
	ck_assert_uint_eq(regs[riommu_reg_by_name("iohpmevt9")].offset, 0x160 + 8 * 8);
	ck_assert_uint_eq(regs[riommu_reg_by_name("msi_data_7")].offset, 0x378);
}
END_TEST

static size_t present(uint64_t caps)
{
	size_t n = 0;

	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++)
		n += riommu_reg_present(&riommu_registers()[i], caps);
	return n;
}

#define IGS(x) ((uint64_t)(x) << 28)

START_TEST(registers_exist_by_capabilities)
{
	size_t always = present(IGS(RIOMMU_IGS_WSI));

	ck_assert_uint_eq(always, 13);
	ck_assert_uint_eq(present(IGS(RIOMMU_IGS_MSI)), always + 48);
	ck_assert_uint_eq(present(IGS(RIOMMU_IGS_BOTH)), always + 48);
	ck_assert_uint_eq(present(IGS(RIOMMU_IGS_WSI) | RIOMMU_CAP_ATS), always + 4);
	ck_assert_uint_eq(present(IGS(RIOMMU_IGS_WSI) | RIOMMU_CAP_HPM), always + 3 + 62);
	ck_assert_uint_eq(present(IGS(RIOMMU_IGS_WSI) | RIOMMU_CAP_DBG), always + 3);
	ck_assert_uint_eq(present(IGS(RIOMMU_IGS_WSI) | RIOMMU_CAP_QOSID), always + 1);
	ck_assert_uint_eq(present(IGS(RIOMMU_IGS_BOTH) | RIOMMU_CAP_ATS | RIOMMU_CAP_HPM |
				  RIOMMU_CAP_DBG | RIOMMU_CAP_QOSID),
			  RIOMMU_REG_COUNT);
}
END_TEST

/* The golden values of a debug translation, and what has no size. */
START_TEST(a_tr_response_speaks_of_a_range)
{
	static const struct {
		uint64_t value, base, size;
	} answers[] = {
		{0x20200000, 0x80800000, 0x1000},  {0x2023fe00, 0x80800000, 0x200000},
		{0x20202200, 0x80808000, 0x2000},  {0x20200200, 0x80800000, 0x2000},
		{0x20201e00, 0x80800000, 0x10000}, {0x20200200 | 0x7fc00, 0x80800000, 0x400000},
		{0x20201c00, 0x80807000, 0x1000},
	};
	uint64_t base, size;

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(answers); i++) {
		ck_assert(riommu_tr_response_range(answers[i].value, &base, &size));
		ck_assert_uint_eq(base, answers[i].base);
		ck_assert_uint_eq(size, answers[i].size);
	}
	ck_assert(!riommu_tr_response_range(0x3ffffffffffe00, &base, &size));
}
END_TEST

START_TEST(capabilities_of_something_else_are_not_plausible)
{
	ck_assert(riommu_capabilities_plausible(0x10));
	ck_assert(riommu_capabilities_plausible(0x12 | IGS(2) | (uint64_t)0xff << 56));
	ck_assert(!riommu_capabilities_plausible(0));
	ck_assert(!riommu_capabilities_plausible(UINT64_MAX));
	ck_assert(!riommu_capabilities_plausible(0x20));
	ck_assert(!riommu_capabilities_plausible(0x10 | IGS(3)));
	ck_assert(!riommu_capabilities_plausible(0x10 | 1 << 20));
	ck_assert(!riommu_capabilities_plausible(0x10 | (uint64_t)1 << 44));
}
END_TEST

START_TEST(modes_of_ddtp_have_names_unless_reserved)
{
	ck_assert_str_eq(riommu_ddtp_mode_name(RIOMMU_DDTP_OFF), "Off");
	ck_assert_str_eq(riommu_ddtp_mode_name(0x20080001), "Bare");
	ck_assert_str_eq(riommu_ddtp_mode_name(RIOMMU_DDTP_1LVL | RIOMMU_DDTP_BUSY), "1LVL");
	ck_assert_str_eq(riommu_ddtp_mode_name(RIOMMU_DDTP_2LVL), "2LVL");
	ck_assert_str_eq(riommu_ddtp_mode_name(RIOMMU_DDTP_3LVL), "3LVL");
	ck_assert_ptr_null(riommu_ddtp_mode_name(5));
	ck_assert_ptr_null(riommu_ddtp_mode_name(15));
}
END_TEST

/* The constants that code tests with are the bits of the tables. */
START_TEST(capability_constants_are_the_fields_of_the_table)
{
	static const struct {
		const char *name;
		uint64_t bit;
	} caps[] = {
		{"Sv32", RIOMMU_CAP_SV32},
		{"Sv39", RIOMMU_CAP_SV39},
		{"Sv48", RIOMMU_CAP_SV48},
		{"Sv57", RIOMMU_CAP_SV57},
		{"Svrsw60t59b", RIOMMU_CAP_SVRSW60T59B},
		{"Svpbmt", RIOMMU_CAP_SVPBMT},
		{"Sv32x4", RIOMMU_CAP_SV32X4},
		{"Sv39x4", RIOMMU_CAP_SV39X4},
		{"Sv48x4", RIOMMU_CAP_SV48X4},
		{"Sv57x4", RIOMMU_CAP_SV57X4},
		{"AMO_MRIF", RIOMMU_CAP_AMO_MRIF},
		{"MSI_FLAT", RIOMMU_CAP_MSI_FLAT},
		{"MSI_MRIF", RIOMMU_CAP_MSI_MRIF},
		{"AMO_HWAD", RIOMMU_CAP_AMO_HWAD},
		{"ATS", RIOMMU_CAP_ATS},
		{"T2GPA", RIOMMU_CAP_T2GPA},
		{"END", RIOMMU_CAP_END},
		{"HPM", RIOMMU_CAP_HPM},
		{"DBG", RIOMMU_CAP_DBG},
		{"PD8", RIOMMU_CAP_PD8},
		{"PD17", RIOMMU_CAP_PD17},
		{"PD20", RIOMMU_CAP_PD20},
		{"QOSID", RIOMMU_CAP_QOSID},
		{"NL", RIOMMU_CAP_NL},
		{"S", RIOMMU_CAP_S},
	};
	static const struct {
		const char *name;
		uint64_t bit;
	} tc[] = {
		{"V", RIOMMU_TC_V},           {"EN_ATS", RIOMMU_TC_EN_ATS},
		{"EN_PRI", RIOMMU_TC_EN_PRI}, {"T2GPA", RIOMMU_TC_T2GPA},
		{"DTF", RIOMMU_TC_DTF},       {"PDTV", RIOMMU_TC_PDTV},
		{"PRPR", RIOMMU_TC_PRPR},     {"GADE", RIOMMU_TC_GADE},
		{"SADE", RIOMMU_TC_SADE},     {"DPE", RIOMMU_TC_DPE},
		{"SBE", RIOMMU_TC_SBE},       {"SXL", RIOMMU_TC_SXL},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(caps); i++)
		ck_assert_uint_eq(
			(uint64_t)1 << riommu_layout_field(reg("capabilities"), caps[i].name)->lo,
			caps[i].bit);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(tc); i++)
		ck_assert_uint_eq(
			(uint64_t)1 << riommu_layout_field(riommu_layout_dc(RIOMMU_DC_TC, 0, 0),
							   tc[i].name)
					       ->lo,
			tc[i].bit);
}
END_TEST

/* -- commands ------------------------------------------------------------------------------------------- */

START_TEST(commands_are_named_by_opcode_and_func3)
{
	ck_assert_str_eq(riommu_command_name(0x001), "IOTINVAL.VMA");
	ck_assert_str_eq(riommu_command_name(0x081), "IOTINVAL.GVMA");
	ck_assert_str_eq(riommu_command_name(0x3002), "IOFENCE.C");
	ck_assert_str_eq(riommu_command_name(0x003), "IODIR.INVAL_DDT");
	ck_assert_str_eq(riommu_command_name(0x083), "IODIR.INVAL_PDT");
	ck_assert_str_eq(riommu_command_name(0x004), "ATS.INVAL");
	ck_assert_str_eq(riommu_command_name(0x084), "ATS.PRGR");
}
END_TEST

START_TEST(reserved_and_custom_commands_have_no_name)
{
	ck_assert_ptr_null(riommu_command_name(0));
	ck_assert_ptr_null(riommu_command_name(0x101));
	ck_assert_ptr_null(riommu_command_name(0x082));
	ck_assert_ptr_null(riommu_command_name(5));
	ck_assert_ptr_null(riommu_command_name(63));
	ck_assert_ptr_null(riommu_command_name(64));
	ck_assert_ptr_null(riommu_command_name(UINT64_MAX));
}
END_TEST

START_TEST(commands_are_told_apart)
{
	static const struct {
		uint64_t dw0;
		enum riommu_command which;
	} cases[] = {
		{0x001, RIOMMU_COMMAND_IOTINVAL_VMA}, {0x081, RIOMMU_COMMAND_IOTINVAL_GVMA},
		{0x002, RIOMMU_COMMAND_IOFENCE_C},    {0x003, RIOMMU_COMMAND_INVAL_DDT},
		{0x083, RIOMMU_COMMAND_INVAL_PDT},    {0x004, RIOMMU_COMMAND_ATS_INVAL},
		{0x084, RIOMMU_COMMAND_ATS_PRGR},     {0x000, RIOMMU_COMMAND_RESERVED},
		{0x101, RIOMMU_COMMAND_RESERVED},     {0x03f, RIOMMU_COMMAND_RESERVED},
		{0x040, RIOMMU_COMMAND_CUSTOM},       {0x3ff, RIOMMU_COMMAND_CUSTOM},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(cases); i++)
		ck_assert_int_eq(riommu_command(cases[i].dw0), cases[i].which);
}
END_TEST

#define BIT(n)     ((uint64_t)1 << (n))
#define DID(n)     ((uint64_t)(n) << 40)
#define PID(n)     ((uint64_t)(n) << 12)
#define NO_PSCV    "PSCV"
#define TOO_WIDE   "wider"
#define A_RESERVED "reserved bit"

/* The rules of facts 4.6, each broken and just not broken. WRONG: a word of the one reason; NULL: none. */
static const struct {
	uint64_t dw[2];
	uint64_t capabilities, fctl, ddtp;
	const char *wrong;
} refusals[] = {
	{{0x001, 0}, 0, 0, 0, NULL},
	{{0x0000500200001401, 0x48d1400}, 0, 0, 0, NULL},
	{{0x000, 0}, 0, 0, 0, "opcode"},
	{{0x101, 0}, 0, 0, 0, "opcode"},
	{{0x082, 0}, 0, 0, 0, "opcode"},
	{{0x005, 0}, 0, 0, 0, "opcode"},
	{{0x040, ~(uint64_t)0}, 0, 0, 0, NULL},
	{{0x001 | BIT(11), 0}, 0, 0, 0, A_RESERVED},
	{{0x001 | BIT(35), 0}, 0, 0, 0, A_RESERVED},
	{{0x001 | BIT(63), 0}, 0, 0, 0, A_RESERVED},
	{{0x001, 1}, 0, 0, 0, A_RESERVED},
	{{0x001, BIT(62)}, 0, 0, 0, A_RESERVED},
	{{0x001 | BIT(32), 0}, 0, 0, 0, NULL},
	{{0x081 | BIT(32), 0}, 0, 0, 0, NO_PSCV},
	{{0x001 | BIT(34), 0}, 0, 0, 0, "capabilities.NL"},
	{{0x001 | BIT(34), 0}, RIOMMU_CAP_NL, 0, 0, NULL},
	{{0x081, BIT(9)}, 0, 0, 0, "capabilities.S"},
	{{0x081, BIT(9)}, RIOMMU_CAP_S, 0, 0, NULL},
	{{0x002 | BIT(11), 0}, 0, 0, 0, "fctl.WSI"},
	{{0x002 | BIT(11), 0}, 0, RIOMMU_FCTL_WSI, 0, NULL},
	{{0x002 | BIT(14), 0}, 0, 0, 0, A_RESERVED},
	{{0x002, BIT(62)}, 0, 0, 0, A_RESERVED},
	{{0x003, 0}, 0, 0, 0, NULL},
	{{0x003, 1}, 0, 0, 0, A_RESERVED},
	{{0x003 | PID(1), 0}, 0, 0, 0, A_RESERVED},
	{{0x083, 0}, 0, 0, 0, "DV is 0"},
	{{0x083 | BIT(33) | PID(0xff), 0}, 0, 0, 0, NULL},
	{{0x083 | BIT(33) | PID(0x100), 0}, 0, 0, 0, TOO_WIDE},
	{{0x083 | BIT(33) | PID(0x1ffff), 0}, RIOMMU_CAP_PD17, 0, 0, NULL},
	{{0x083 | BIT(33) | PID(0x20000), 0}, RIOMMU_CAP_PD17, 0, 0, TOO_WIDE},
	{{0x083 | BIT(33) | PID(0xfffff), 0}, RIOMMU_CAP_PD20, 0, 0, NULL},
	{{0x003 | BIT(33) | DID(0x7f), 0}, 0, 0, 2, NULL},
	{{0x003 | BIT(33) | DID(0x80), 0}, 0, 0, 2, TOO_WIDE},
	{{0x003 | DID(0x80), 0}, 0, 0, 2, NULL},
	{{0x003 | BIT(33) | DID(0x40), 0}, RIOMMU_CAP_MSI_FLAT, 0, 2, TOO_WIDE},
	{{0x003 | BIT(33) | DID(0xffff), 0}, 0, 0, 3, NULL},
	{{0x083 | BIT(33) | DID(0x10000), 0}, 0, 0, 3, TOO_WIDE},
	{{0x003 | BIT(33) | DID(0x8000), 0}, RIOMMU_CAP_MSI_FLAT, 0, 3, TOO_WIDE},
	{{0x003 | BIT(33) | DID(0xffffff), 0}, RIOMMU_CAP_MSI_FLAT, 0, 4, NULL},
	{{0x003 | BIT(33) | DID(0xffffff), 0}, 0, 0, 0, NULL},
	{{0x003 | BIT(33) | DID(0xffffff), 0}, 0, 0, 5, NULL}, /* a mode that is reserved */
	{{0x004, 0}, 0, 0, 0, "capabilities.ATS"},
	{{0x084, 0}, 0, 0, 0, "capabilities.ATS"},
	{{0x0001080000000004, 0x7ffffffffffff800}, RIOMMU_CAP_ATS, 0, 0, NULL},
	{{0x004, 0x7fe}, RIOMMU_CAP_ATS, 0, 0, NULL},
	{{0x004 | BIT(10), 0}, RIOMMU_CAP_ATS, 0, 0, A_RESERVED},
};

START_TEST(a_command_is_refused_by_the_rules_of_the_specification)
{
	struct riommu_command_limits limits = {
		.known = RIOMMU_LIMIT_CAPABILITIES | RIOMMU_LIMIT_FCTL | RIOMMU_LIMIT_DDTP,
		.capabilities = refusals[_i].capabilities,
		.fctl = refusals[_i].fctl,
		.ddtp = refusals[_i].ddtp,
	};
	const char *words[RIOMMU_COMMAND_RULES];
	size_t n = riommu_command_wrong(refusals[_i].dw, &limits, words);

	ck_assert_uint_eq(n, refusals[_i].wrong ? 1 : 0);
	if (n)
		ck_assert_ptr_nonnull(strstr(words[0], refusals[_i].wrong));
}
END_TEST

START_TEST(what_is_not_known_refuses_no_command)
{
	static const uint64_t unsure[][2] = {
		{0x001 | BIT(34), BIT(9)},
		{0x002 | BIT(11), 0},
		{0x003 | BIT(33) | DID(0xffffff), 0},
		{0x083 | BIT(33) | PID(0xfffff), 0},
		{0x004, 0},
	};
	struct riommu_command_limits limits = {.ddtp = 2};
	const char *words[RIOMMU_COMMAND_RULES];
	const uint64_t sure[2] = {0x083, 0};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(unsure); i++)
		ck_assert_uint_eq(riommu_command_wrong(unsure[i], &limits, words), 0);
	ck_assert_uint_eq(riommu_command_wrong(sure, &limits, words), 1);
	limits.known = RIOMMU_LIMIT_CAPABILITIES; /* without ddtp */
	ck_assert_uint_eq(riommu_command_wrong(unsure[2], &limits, words), 0);
	limits.known |= RIOMMU_LIMIT_DDTP;
	ck_assert_uint_eq(riommu_command_wrong(unsure[2], &limits, words), 1);
}
END_TEST

/* Facts 4.6: the first 0 bit at X from bit 12 on stands for 2^(X+1) * 4 KiB. */
START_TEST(ranges_are_encoded_in_the_lowest_zero_bit)
{
	static const struct {
		uint64_t address, start, last;
		bool defined;
	} cases[] = {
		{0x12344000, 0x12344000, 0x12345fff, true},
		{0x12345000, 0x12344000, 0x12347fff, true},
		{0x7ff000, 0, 0xffffff, true},
		{0x7ffffffffffff000, 0, UINT64_MAX, true},
		{0xfffffffffffff000, 0xfffffffffffff000, UINT64_MAX, false},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(cases); i++) {
		uint64_t start, last;

		ck_assert_int_eq(riommu_napot_range(cases[i].address, &start, &last),
				 cases[i].defined);
		ck_assert_uint_eq(start, cases[i].start);
		ck_assert_uint_eq(last, cases[i].last);
	}
}
END_TEST

/* -- counters (6.19 to 6.23) ----------------------------------------------------------------------------- */

START_TEST(a_counter_wraps_at_its_width)
{
	static const struct {
		uint64_t before, after;
		bool overflowed, known;
		unsigned bits;
		uint64_t delta;
	} cases[] = {
		{10, 30, false, true, 64, 20},
		{10, 10, true, true, 64, 0},
		{0, UINT64_MAX, false, true, 64, UINT64_MAX},
		{UINT64_MAX - 9, 5, true, true, 64, 15},
		{UINT64_MAX / 2 - 9, 5, true, true, 63, 15},
		{0xfffffff6, 5, true, true, 64, 15},
		{0xfffffffff6, 5, true, true, 64, 15}, /* 40 bits */
		{UINT64_MAX - 9, 5, false, false, 64, 0},
		{1000, 5, true, false, 64, 0},
		{0xfffffff6, 5, false, false, 63, 0},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(cases); i++) {
		uint64_t delta = 0;

		ck_assert_int_eq(riommu_counter_delta(cases[i].before, cases[i].after,
						      cases[i].overflowed, cases[i].bits, &delta),
				 cases[i].known);
		if (cases[i].known)
			ck_assert_uint_eq(delta, cases[i].delta);
	}
}
END_TEST

START_TEST(a_selector_is_taken_apart)
{
	struct riommu_selector s;

	riommu_selector_decode(0x200017f000008004, &s); /* facts 12.4 */
	ck_assert_uint_eq(s.event, 4);
	ck_assert(s.by_device && !s.by_process && !s.by_soft_id && !s.never);
	ck_assert_uint_eq(s.first, 0x100);
	ck_assert_uint_eq(s.last, 0x1ff);
	riommu_selector_decode(BIT(62) | BIT(60) | (uint64_t)0xfffff << 16 | 1, &s);
	ck_assert(s.by_process && !s.by_device && s.by_soft_id && s.never);
	ck_assert_uint_eq(s.process, 0xfffff);
	riommu_selector_decode(UINT64_MAX, &s);
	ck_assert_uint_eq(s.first, 0);
	ck_assert_uint_eq(s.last, 0xffffff);
	ck_assert(!s.never); /* a custom event */
	riommu_selector_decode(BIT(62), &s);
	ck_assert(!s.never); /* it counts nothing anyway */
}
END_TEST

/* -- causes (4.2) ------------------------------------------------------------------------------------------ */

static const struct {
	unsigned code;
	bool despite_dtf;
	const char *name;
} causes[] = {
	{1, false, "Instruction access fault"},
	{4, false, "Read address misaligned"},
	{5, false, "Read access fault"},
	{6, false, "Write/AMO address misaligned"},
	{7, false, "Write/AMO access fault"},
	{12, false, "Instruction page fault"},
	{13, false, "Read page fault"},
	{15, false, "Write/AMO page fault"},
	{20, false, "Instruction guest page fault"},
	{21, false, "Read guest page fault"},
	{23, false, "Write/AMO guest page fault"},
	{256, true, "All inbound transactions disallowed"},
	{257, true, "DDT entry load access fault"},
	{258, true, "DDT entry not valid"},
	{259, true, "DDT entry misconfigured"},
	{260, false, "Transaction type disallowed"},
	{261, false, "MSI PTE load access fault"},
	{262, false, "MSI PTE not valid"},
	{263, false, "MSI PTE misconfigured"},
	{264, false, "MRIF access fault"},
	{265, false, "PDT entry load access fault"},
	{266, false, "PDT entry not valid"},
	{267, false, "PDT entry misconfigured"},
	{268, true, "DDT data corruption"},
	{269, false, "PDT data corruption"},
	{270, false, "MSI PT data corruption"},
	{271, false, "MSI MRIF data corruption"},
	{272, true, "Internal data path error"},
	{273, true, "IOMMU MSI write access fault"},
	{274, false, "First/second-stage PT data corruption"},
};

START_TEST(cause_is_that_of_the_specification)
{
	const struct riommu_cause *cause = riommu_cause(causes[_i].code);

	ck_assert_ptr_nonnull(cause);
	ck_assert_uint_eq(cause->code, causes[_i].code);
	ck_assert_str_eq(cause->name, causes[_i].name);
	ck_assert_str_eq(riommu_cause_name(causes[_i].code), causes[_i].name);
	ck_assert_int_eq(cause->despite_dtf, causes[_i].despite_dtf);
	ck_assert_uint_gt(strlen(cause->meaning), 10);
}
END_TEST

START_TEST(no_other_cause_is_defined)
{
	unsigned defined = 0;

	for (unsigned code = 0; code < 4096; code++)
		defined += riommu_cause(code) != NULL;
	ck_assert_uint_eq(defined, RIOMMU_ARRAY_SIZE(causes));
	ck_assert_str_eq(riommu_cause_name(0), "reserved");
	ck_assert_str_eq(riommu_cause_name(275), "reserved");
	ck_assert_str_eq(riommu_cause_name(2047), "reserved");
	ck_assert_str_eq(riommu_cause_name(2048), "custom");
	ck_assert_str_eq(riommu_cause_name(4095), "custom");
	ck_assert_str_eq(riommu_cause_name(4096), "reserved");
}
END_TEST

START_TEST(transaction_types_have_names)
{
	ck_assert_str_eq(riommu_ttyp_name(RIOMMU_TTYP_NONE), "none");
	ck_assert_str_eq(riommu_ttyp_name(RIOMMU_TTYP_UNTRANSLATED_WRITE),
			 "untranslated write/AMO");
	ck_assert_str_eq(riommu_ttyp_name(RIOMMU_TTYP_MESSAGE), "PCIe message request");
	ck_assert_str_eq(riommu_ttyp_name(4), "reserved");
	ck_assert_str_eq(riommu_ttyp_name(10), "reserved");
	ck_assert_str_eq(riommu_ttyp_name(32), "custom");
	ck_assert_str_eq(riommu_ttyp_name(63), "custom");
	ck_assert_str_eq(riommu_ttyp_name(64), "reserved");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("spec");
	TCase *tc = tcase_create("spec");

	tcase_add_loop_test(tc, golden_value_is_composed_of_its_fields, 0,
			    (int)RIOMMU_ARRAY_SIZE(goldens));
	tcase_add_loop_test(tc, golden_value_is_taken_apart, 0, (int)RIOMMU_ARRAY_SIZE(goldens));
	tcase_add_test(tc, every_bit_belongs_to_exactly_one_field);
	tcase_add_test(tc, fields_stand_in_ascending_order);
	tcase_add_test(tc, names_of_fields_are_unique_in_any_case);
	tcase_add_test(tc, a_doubleword_that_does_not_exist_has_no_layout);
	tcase_add_test(tc, reserved_bits_are_exactly_those_of_reserved_fields);
	tcase_add_test(tc, mode_8_is_named_by_sxl_and_gxl);
	tcase_add_test(tc, modes_that_a_variant_lacks_have_no_name);
	tcase_add_test(tc, pdtv_makes_fsc_a_process_directory);
	tcase_add_loop_test(tc, register_is_where_the_specification_has_it, 0,
			    (int)RIOMMU_ARRAY_SIZE(map));
	tcase_add_test(tc, registers_ascend_are_aligned_and_do_not_overlap);
	tcase_add_test(tc, registers_are_found_by_name_and_offset);
	tcase_add_test(tc, numbered_registers_know_their_number);
	tcase_add_test(tc, registers_exist_by_capabilities);
	tcase_add_test(tc, a_tr_response_speaks_of_a_range);
	tcase_add_test(tc, capabilities_of_something_else_are_not_plausible);
	tcase_add_test(tc, modes_of_ddtp_have_names_unless_reserved);
	tcase_add_test(tc, capability_constants_are_the_fields_of_the_table);
	tcase_add_test(tc, commands_are_named_by_opcode_and_func3);
	tcase_add_test(tc, reserved_and_custom_commands_have_no_name);
	tcase_add_test(tc, commands_are_told_apart);
	tcase_add_loop_test(tc, a_command_is_refused_by_the_rules_of_the_specification, 0,
			    (int)RIOMMU_ARRAY_SIZE(refusals));
	tcase_add_test(tc, what_is_not_known_refuses_no_command);
	tcase_add_test(tc, ranges_are_encoded_in_the_lowest_zero_bit);
	tcase_add_test(tc, a_counter_wraps_at_its_width);
	tcase_add_test(tc, a_selector_is_taken_apart);
	tcase_add_loop_test(tc, cause_is_that_of_the_specification, 0,
			    (int)RIOMMU_ARRAY_SIZE(causes));
	tcase_add_test(tc, no_other_cause_is_defined);
	tcase_add_test(tc, transaction_types_have_names);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
