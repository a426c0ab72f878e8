/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device and process contexts by themselves (specification, 2.2.3 and 2.3.1: "configuration checks"). */
#include "check/check-internal.h"

#include <inttypes.h>

struct check_object check_device(const struct riommu_dc *dc)
{
	return (struct check_object){.has_device = true,
				     .device_id = dc->device_id,
				     .has_address = true,
				     .address = dc->address};
}

struct check_object check_process(const struct riommu_dc *dc, const struct riommu_pc *pc)
{
	return (struct check_object){.has_device = true,
				     .device_id = dc->device_id,
				     .has_process = true,
				     .process_id = pc->process_id,
				     .has_address = true,
				     .address = pc->address};
}

/*
 * By the number of the rule in the specification's list. Rule 22 (QoS ids wider than the IOMMU has) is nobody's: no register shows
 * how wide they are.
 */
static const enum check_rule dc_rules[RIOMMU_DC_RULES + 1] = {
	[1] = CHECK_DC_RESERVED,
	[2] = CHECK_DC_ATS,
	[3] = CHECK_DC_T2GPA_ATS,
	[4] = CHECK_DC_PRI_ATS,
	[5] = CHECK_DC_PRPR_PRI,
	[6] = CHECK_DC_T2GPA,
	[7] = CHECK_DC_T2GPA_STAGE,
	[8] = CHECK_DC_PDTP_MODE,
	[9] = CHECK_DC_FSC_MODE,
	[10] = CHECK_DC_FSC_64,
	[11] = CHECK_DC_FSC_32,
	[12] = CHECK_DC_DPE,
	[13] = CHECK_DC_HGATP_MODE,
	[14] = CHECK_DC_HGATP_64,
	[15] = CHECK_DC_HGATP_32,
	[16] = CHECK_DC_MSIPTP_MODE,
	[17] = CHECK_DC_HGATP_ALIGNMENT,
	[18] = CHECK_DC_AD,
	[19] = CHECK_DC_END,
	[20] = CHECK_DC_SXL,
	[21] = CHECK_DC_SBE,
	[22] = CHECK_DC_RESERVED,
	[23] = CHECK_DC_MSIPTP_STAGE,
};

/* Whether MODE is not Bare: then there is a root. */
static bool has_mode(uint64_t v)
{
	return v >> 60;
}

/* Roots are system physical: not those of a first stage behind a second one. */
static void check_roots(struct check *c, const struct riommu_dc *dc)
{
	struct check_object about = check_device(dc);
	bool guest = has_mode(dc->dw[RIOMMU_DC_IOHGATP]);
	const struct {
		const char *name;
		uint64_t value;
	} roots[] = {
		{"iohgatp", dc->dw[RIOMMU_DC_IOHGATP]},
		{"fsc", guest ? 0 : dc->dw[RIOMMU_DC_FSC]},
		{"msiptp", dc->dwords == RIOMMU_DC_DWORDS ? dc->dw[RIOMMU_DC_MSIPTP] : 0},
	};

	check_judge(c, CHECK_DC_ADDRESS);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(roots); i++)
		if (has_mode(roots[i].value) &&
		    check_past_pas(c, riommu_ppn_lower(roots[i].value), RIOMMU_PAGE_SIZE))
			check_report(c, CHECK_DC_ADDRESS, &about,
				     "%s is 0x%" PRIx64 ": address 0x%" PRIx64 " is beyond %u bits",
				     roots[i].name, roots[i].value,
				     riommu_ppn_lower(roots[i].value), c->pas);
}

/* Requests that no table stands in the way of. A process directory has contexts of its own. */
static void check_device_identity(struct check *c, const struct riommu_dc *dc)
{
	struct check_object about = check_device(dc);
	uint64_t tc = dc->dw[RIOMMU_DC_TC];
	bool limited = has_mode(dc->dw[RIOMMU_DC_IOHGATP]);
	bool first = has_mode(dc->dw[RIOMMU_DC_FSC]);

	check_judge(c, CHECK_IDENTITY);
	if (!limited && !first)
		check_report(c, CHECK_IDENTITY, &about, "both stages are Bare");
	else if (!limited && (tc & RIOMMU_TC_PDTV) && !(tc & RIOMMU_TC_DPE))
		check_report(
			c, CHECK_IDENTITY, &about,
			"requests without a process_id pass as they are (PDTV is 1, DPE is 0)");
	else if ((tc & RIOMMU_TC_EN_ATS) && !(tc & RIOMMU_TC_T2GPA))
		check_report(c, CHECK_IDENTITY, &about,
			     "translated requests pass as they are (EN_ATS is 1, T2GPA is 0): the "
			     "device is trusted to use only what ATS gave it");
}

bool check_dc(struct check *c, const struct riommu_dc *dc)
{
	struct check_object about = check_device(dc);
	const char *wrong;
	unsigned rule;

	for (rule = CHECK_DC_RESERVED; rule <= CHECK_DC_MSIPTP_STAGE; rule++)
		check_judge(c, (enum check_rule)rule);
	wrong = riommu_dc_misconfigured(&c->w, dc, &rule);
	if (wrong)
		check_report(c, dc_rules[rule], &about, "%s (rule %u of the specification)", wrong,
			     rule);
	check_judge(c, CHECK_DC_DTF);
	if (dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_DTF)
		check_report(c, CHECK_DC_DTF, &about, "tc.DTF is 1");
	if (wrong)
		return false;
	check_roots(c, dc);
	check_device_identity(c, dc);
	return true;
}

/* Which of the three rules a misconfigured context breaks. */
static enum check_rule pc_rule(const struct riommu_dc *dc, const struct riommu_pc *pc)
{
	uint64_t tc = dc->dw[RIOMMU_DC_TC];

	if (riommu_layout_reserved(riommu_layout_pc(0, tc), pc->ta) ||
	    riommu_layout_reserved(riommu_layout_pc(1, tc), pc->fsc))
		return CHECK_PC_RESERVED;
	return riommu_fsc_mode_name(pc->fsc, tc, true) ? CHECK_PC_UNSUPPORTED : CHECK_PC_MODE;
}

bool check_pc(struct check *c, const struct riommu_dc *dc, const struct riommu_pc *pc)
{
	struct check_object about = check_process(dc, pc);
	bool limited = has_mode(dc->dw[RIOMMU_DC_IOHGATP]);
	const char *wrong = riommu_pc_misconfigured(&c->w, dc, pc);

	check_judge(c, CHECK_PC_RESERVED);
	check_judge(c, CHECK_PC_MODE);
	check_judge(c, CHECK_PC_UNSUPPORTED);
	if (wrong) {
		check_report(c, pc_rule(dc, pc), &about, "%s", wrong);
		return false;
	}
	check_judge(c, CHECK_PC_ADDRESS);
	if (!limited && has_mode(pc->fsc) &&
	    check_past_pas(c, riommu_ppn_lower(pc->fsc), RIOMMU_PAGE_SIZE))
		check_report(c, CHECK_PC_ADDRESS, &about,
			     "fsc is 0x%" PRIx64 ": address 0x%" PRIx64 " is beyond %u bits",
			     pc->fsc, riommu_ppn_lower(pc->fsc), c->pas);
	if (!limited && !has_mode(pc->fsc))
		check_report(c, CHECK_IDENTITY, &about, "both stages are Bare");
	return true;
}
