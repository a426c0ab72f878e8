/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When a context is misconfigured: the specification's lists "Device-context configuration checks" and
 * "Process-context configuration checks" (2.2.3 and 2.3.1), rule by rule. The numbers are the list's own.
 */
#include "walk/walk-internal.h"

static bool cap(const struct riommu_walker *w, uint64_t bit)
{
	return w->capabilities & bit;
}

/* iosatp MODE of a DC or PC: encoding, then capability. */
static const char *iosatp_encoding(uint64_t fsc, bool sxl)
{
	unsigned mode = walk_mode(fsc);

	if (mode == RIOMMU_FSC_BARE)
		return NULL;
	if (sxl)
		return mode == RIOMMU_FSC_SV32 ? NULL : "fsc.MODE is not Bare or Sv32 and SXL is 1";
	return mode >= RIOMMU_FSC_SV39 && mode <= RIOMMU_FSC_SV57
		       ? NULL
		       : "fsc.MODE is not Bare, Sv39, Sv48 or Sv57";
}

static const char *iosatp_unsupported(const struct riommu_walker *w, uint64_t fsc, bool sxl)
{
	switch (walk_mode(fsc)) {
	case RIOMMU_FSC_SV39:
		if (sxl)
			return cap(w, RIOMMU_CAP_SV32)
				       ? NULL
				       : "fsc.MODE is Sv32 and capabilities.Sv32 is 0";
		return cap(w, RIOMMU_CAP_SV39) ? NULL
					       : "fsc.MODE is Sv39 and capabilities.Sv39 is 0";
	case RIOMMU_FSC_SV48:
		return cap(w, RIOMMU_CAP_SV48) ? NULL
					       : "fsc.MODE is Sv48 and capabilities.Sv48 is 0";
	case RIOMMU_FSC_SV57:
		return cap(w, RIOMMU_CAP_SV57) ? NULL
					       : "fsc.MODE is Sv57 and capabilities.Sv57 is 0";
	default:
		return NULL;
	}
}

static const char *reserved_bits(const struct riommu_walker *w, const struct riommu_dc *dc)
{
	uint64_t above_mgpaw;

	if (riommu_bits(dc->dw[RIOMMU_DC_TC], 23, 12) || riommu_bits(dc->dw[RIOMMU_DC_TC], 63, 32))
		return "reserved bits are set in tc";
	if (riommu_bits(dc->dw[RIOMMU_DC_TA], 11, 0) || riommu_bits(dc->dw[RIOMMU_DC_TA], 39, 32))
		return "reserved bits are set in ta";
	if (!cap(w, RIOMMU_CAP_QOSID) && riommu_bits(dc->dw[RIOMMU_DC_TA], 63, 40))
		return "RCID or MCID is set in ta and capabilities.QOSID is 0";
	if (riommu_bits(dc->dw[RIOMMU_DC_FSC], 59, 44))
		return "reserved bits are set in fsc";
	if (dc->dwords != RIOMMU_DC_DWORDS)
		return NULL;
	if (riommu_bits(dc->dw[RIOMMU_DC_MSIPTP], 59, 44))
		return "reserved bits are set in msiptp";
	/* 20250828: bits of mask and pattern beyond the widest guest physical address are reserved too */
	above_mgpaw = ~(uint64_t)0 << (walk_mgpaw(w) > 12 ? walk_mgpaw(w) - 12 : 0);
	if ((dc->dw[RIOMMU_DC_MSI_ADDR_MASK] | dc->dw[RIOMMU_DC_MSI_ADDR_PATTERN]) & above_mgpaw)
		return "reserved bits are set in msi_addr_mask or msi_addr_pattern";
	return dc->dw[RIOMMU_DC_RESERVED] ? "the reserved last doubleword is not zero" : NULL;
}

static const char *pdtp_unsupported(const struct riommu_walker *w, uint64_t fsc)
{
	switch (walk_mode(fsc)) {
	case RIOMMU_PDTP_BARE:
		return NULL;
	case RIOMMU_PDTP_PD8:
		return cap(w, RIOMMU_CAP_PD8) ? NULL : "pdtp.MODE is PD8 and capabilities.PD8 is 0";
	case RIOMMU_PDTP_PD17:
		return cap(w, RIOMMU_CAP_PD17) ? NULL
					       : "pdtp.MODE is PD17 and capabilities.PD17 is 0";
	case RIOMMU_PDTP_PD20:
		return cap(w, RIOMMU_CAP_PD20) ? NULL
					       : "pdtp.MODE is PD20 and capabilities.PD20 is 0";
	default:
		return "pdtp.MODE is not Bare, PD8, PD17 or PD20";
	}
}

static const char *hgatp_encoding(const struct riommu_walker *w, unsigned mode)
{
	if (mode == RIOMMU_HGATP_BARE)
		return NULL;
	if (w->fctl & RIOMMU_FCTL_GXL)
		return mode == RIOMMU_HGATP_SV32X4
			       ? NULL
			       : "iohgatp.MODE is not Bare or Sv32x4 and fctl.GXL is 1";
	return mode >= RIOMMU_HGATP_SV39X4 && mode <= RIOMMU_HGATP_SV57X4
		       ? NULL
		       : "iohgatp.MODE is not Bare, Sv39x4, Sv48x4 or Sv57x4";
}

static const char *hgatp_unsupported(const struct riommu_walker *w, unsigned mode)
{
	static const uint64_t bits[] = {RIOMMU_CAP_SV39X4, RIOMMU_CAP_SV48X4, RIOMMU_CAP_SV57X4};

	if (mode == RIOMMU_HGATP_BARE || (w->fctl & RIOMMU_FCTL_GXL))
		return NULL;
	return cap(w, bits[mode - RIOMMU_HGATP_SV39X4])
		       ? NULL
		       : "iohgatp.MODE is a mode that capabilities do not have";
}

/* Rules 2 to 7: ATS, PRI and what hangs on them. */
static const char *ats_rules(const struct riommu_walker *w, uint64_t tc, unsigned hgatp_mode,
			     unsigned *rule)
{
	*rule = 2;
	if (!cap(w, RIOMMU_CAP_ATS) &&
	    (tc & (RIOMMU_TC_EN_ATS | RIOMMU_TC_EN_PRI | RIOMMU_TC_PRPR)))
		return "EN_ATS, EN_PRI or PRPR is 1 and capabilities.ATS is 0";
	*rule = 3;
	if (!(tc & RIOMMU_TC_EN_ATS) && (tc & RIOMMU_TC_T2GPA))
		return "T2GPA is 1 and EN_ATS is 0";
	*rule = 4;
	if (!(tc & RIOMMU_TC_EN_ATS) && (tc & RIOMMU_TC_EN_PRI))
		return "EN_PRI is 1 and EN_ATS is 0";
	*rule = 5;
	if (!(tc & RIOMMU_TC_EN_PRI) && (tc & RIOMMU_TC_PRPR))
		return "PRPR is 1 and EN_PRI is 0";
	*rule = 6;
	if (!cap(w, RIOMMU_CAP_T2GPA) && (tc & RIOMMU_TC_T2GPA))
		return "T2GPA is 1 and capabilities.T2GPA is 0";
	*rule = 7;
	if ((tc & RIOMMU_TC_T2GPA) && hgatp_mode == RIOMMU_HGATP_BARE)
		return "T2GPA is 1 and iohgatp.MODE is Bare";
	return NULL;
}

/* Rules 8 to 12: the first stage or the process directory. */
static const char *first_stage_rules(const struct riommu_walker *w, uint64_t tc, uint64_t fsc,
				     unsigned *rule)
{
	bool sxl = tc & RIOMMU_TC_SXL;
	const char *wrong;

	*rule = 8;
	if (tc & RIOMMU_TC_PDTV)
		return pdtp_unsupported(w, fsc);
	*rule = 9;
	wrong = iosatp_encoding(fsc, sxl);
	if (wrong)
		return wrong;
	*rule = sxl ? 11 : 10;
	wrong = iosatp_unsupported(w, fsc, sxl);
	if (wrong)
		return wrong;
	*rule = 12;
	return tc & RIOMMU_TC_DPE ? "DPE is 1 and PDTV is 0" : NULL;
}

/* Rules 13 to 17, and 23: the second stage and the MSI table. */
static const char *second_stage_rules(const struct riommu_walker *w, const struct riommu_dc *dc,
				      unsigned *rule)
{
	uint64_t iohgatp = dc->dw[RIOMMU_DC_IOHGATP];
	unsigned mode = walk_mode(iohgatp);
	bool extended = dc->dwords == RIOMMU_DC_DWORDS;
	unsigned msi = extended ? walk_mode(dc->dw[RIOMMU_DC_MSIPTP]) : RIOMMU_MSIPTP_OFF;
	const char *wrong;

	*rule = 13;
	wrong = hgatp_encoding(w, mode);
	if (wrong)
		return wrong;
	*rule = 14;
	wrong = hgatp_unsupported(w, mode);
	if (wrong)
		return wrong;
	*rule = 15;
	if ((w->fctl & RIOMMU_FCTL_GXL) && mode == RIOMMU_HGATP_SV32X4 &&
	    !cap(w, RIOMMU_CAP_SV32X4))
		return "iohgatp.MODE is Sv32x4 and capabilities.Sv32x4 is 0";
	*rule = 16;
	if (msi != RIOMMU_MSIPTP_OFF && msi != RIOMMU_MSIPTP_FLAT)
		return "msiptp.MODE is not Off or Flat";
	*rule = 17;
	if (mode != RIOMMU_HGATP_BARE && (iohgatp & 3))
		return "the second stage's root is not aligned to 16 KiB";
	*rule = 23;
	if (mode == RIOMMU_HGATP_BARE && msi != RIOMMU_MSIPTP_OFF)
		return "msiptp.MODE is not Off and iohgatp.MODE is Bare";
	return NULL;
}

/* Rules 18 to 21: A/D updates, endianness, width. */
static const char *width_rules(const struct riommu_walker *w, uint64_t tc, unsigned *rule)
{
	bool sbe = tc & RIOMMU_TC_SBE, be = w->fctl & RIOMMU_FCTL_BE;
	bool sxl = tc & RIOMMU_TC_SXL, gxl = w->fctl & RIOMMU_FCTL_GXL;

	*rule = 18;
	if (!cap(w, RIOMMU_CAP_AMO_HWAD) && (tc & (RIOMMU_TC_SADE | RIOMMU_TC_GADE)))
		return "SADE or GADE is 1 and capabilities.AMO_HWAD is 0";
	*rule = 19;
	if (!cap(w, RIOMMU_CAP_END) && sbe != be)
		return "SBE differs from fctl.BE and capabilities.END is 0";
	*rule = 20;
	if (gxl && !sxl)
		return "SXL is 0 and fctl.GXL is 1";
	if (!gxl && sxl && !w->gxl_writable)
		return "SXL is 1, fctl.GXL is 0 and cannot be written";
	*rule = 21;
	if (!w->be_writable && sbe != be)
		return "SBE differs from fctl.BE, which cannot be written";
	return NULL;
}

#define ANY_SV    (RIOMMU_CAP_SV39 | RIOMMU_CAP_SV48 | RIOMMU_CAP_SV57)
#define ANY_SV_X4 (RIOMMU_CAP_SV39X4 | RIOMMU_CAP_SV48X4 | RIOMMU_CAP_SV57X4)

/*
 * True of most contexts, for the walk of each request: neither tc nor fctl has a bit that a rule is about (V and DTF are in none), no
 * reserved bit is set, MSI tables are off, and the modes are some that CAPABILITIES has.
 */
static bool is_plain(const struct riommu_walker *w, const struct riommu_dc *dc)
{
	const uint64_t *dw = dc->dw, bits = w->capabilities;
	uint64_t first = dw[RIOMMU_DC_FSC], second = dw[RIOMMU_DC_IOHGATP], extended = 0;
	/* by MODE: 0 is Bare, 8 to 10 are Sv39, Sv48, Sv57 (and x4), which stand in a row in capabilities too */
	uint64_t firsts = (bits & ANY_SV) >> 1 | 1, seconds = (bits & ANY_SV_X4) >> 9 | 1;

	_Static_assert(RIOMMU_CAP_SV39 >> 1 == 1 << RIOMMU_FSC_SV39 &&
			       RIOMMU_CAP_SV57X4 >> 9 == 1 << RIOMMU_HGATP_SV57X4,
		       "bits and modes");
	if (dc->dwords == RIOMMU_DC_DWORDS)
		extended = dw[RIOMMU_DC_MSIPTP] | dw[RIOMMU_DC_MSI_ADDR_MASK] |
			   dw[RIOMMU_DC_MSI_ADDR_PATTERN] | dw[RIOMMU_DC_RESERVED];
	return !((dw[RIOMMU_DC_TC] & ~(uint64_t)(RIOMMU_TC_V | RIOMMU_TC_DTF)) |
		 (w->fctl & (RIOMMU_FCTL_GXL | RIOMMU_FCTL_BE)) |
		 (dw[RIOMMU_DC_TA] & ~riommu_mask(31, 12)) | (first & riommu_mask(59, 44)) |
		 extended) &&
	       firsts >> walk_mode(first) & 1 && seconds >> walk_mode(second) & 1 &&
	       (walk_mode(second) == RIOMMU_HGATP_BARE || !(second & 3));
}

/* Of a context that is not plain: on its own, so that most walks need not even make room for it. */
WALK_RARE const char *broken_rule(const struct riommu_walker *w, const struct riommu_dc *dc,
				  unsigned *rule)
{
	uint64_t tc = dc->dw[RIOMMU_DC_TC];
	unsigned ignored;
	const char *wrong;

	if (!rule)
		rule = &ignored;
	*rule = 1;
	wrong = reserved_bits(w, dc);
	if (!wrong)
		wrong = ats_rules(w, tc, walk_mode(dc->dw[RIOMMU_DC_IOHGATP]), rule);
	if (!wrong)
		wrong = first_stage_rules(w, tc, dc->dw[RIOMMU_DC_FSC], rule);
	if (!wrong)
		wrong = second_stage_rules(w, dc, rule);
	if (!wrong)
		wrong = width_rules(w, tc, rule);
	if (!wrong)
		*rule = 0;
	return wrong;
}

const char *riommu_dc_misconfigured(const struct riommu_walker *w, const struct riommu_dc *dc,
				    unsigned *rule)
{
	if ((dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_V) && !is_plain(w, dc))
		return broken_rule(w, dc, rule);
	if (rule)
		*rule = 0;
	return NULL;
}

const char *riommu_pc_misconfigured(const struct riommu_walker *w, const struct riommu_dc *dc,
				    const struct riommu_pc *pc)
{
	bool sxl = dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_SXL;
	const char *wrong;

	if (!(pc->ta & RIOMMU_PC_V))
		return NULL;
	if (riommu_bits(pc->ta, 11, 3) || riommu_bits(pc->ta, 63, 32))
		return "reserved bits are set in ta";
	if (riommu_bits(pc->fsc, 59, 44))
		return "reserved bits are set in fsc";
	wrong = iosatp_encoding(pc->fsc, sxl);
	return wrong ? wrong : iosatp_unsupported(w, pc->fsc, sxl);
}

const char *riommu_fsc_mode_name(uint64_t fsc, uint64_t tc, bool pc)
{
	static const char *const satp[16] = {
		[0] = "Bare", [8] = "Sv39", [9] = "Sv48", [10] = "Sv57"};
	static const char *const satp32[16] = {[0] = "Bare", [8] = "Sv32"};
	static const char *const pdtp[16] = {[0] = "Bare", [1] = "PD8", [2] = "PD17", [3] = "PD20"};

	if (!pc && (tc & RIOMMU_TC_PDTV))
		return pdtp[walk_mode(fsc)];
	return tc & RIOMMU_TC_SXL ? satp32[walk_mode(fsc)] : satp[walk_mode(fsc)];
}

const char *riommu_hgatp_mode_name(uint64_t iohgatp, uint32_t fctl)
{
	static const char *const hgatp[16] = {
		[0] = "Bare", [8] = "Sv39x4", [9] = "Sv48x4", [10] = "Sv57x4"};
	static const char *const hgatp32[16] = {[0] = "Bare", [8] = "Sv32x4"};

	return fctl & RIOMMU_FCTL_GXL ? hgatp32[walk_mode(iohgatp)] : hgatp[walk_mode(iohgatp)];
}

const char *riommu_msiptp_mode_name(uint64_t msiptp)
{
	switch (walk_mode(msiptp)) {
	case RIOMMU_MSIPTP_OFF:
		return "Off";
	case RIOMMU_MSIPTP_FLAT:
		return "Flat";
	default:
		return NULL;
	}
}
