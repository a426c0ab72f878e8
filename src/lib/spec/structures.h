/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The structures in memory (specification, chapters 3 "Data Structures" and 4.2 "Fault/Event-Queue";
 * AIA for MSI PTEs; Privileged ISA for PTEs), a layout per doubleword. commands.h has the other queues.
 */
#ifndef RIOMMU_SPEC_STRUCTURES_H
#define RIOMMU_SPEC_STRUCTURES_H

#include "spec/field.h"

/* Doublewords of a device context, in order; the base format ends after FSC. */
enum riommu_dc_dword {
	RIOMMU_DC_TC,
	RIOMMU_DC_IOHGATP,
	RIOMMU_DC_TA,
	RIOMMU_DC_FSC,
	RIOMMU_DC_MSIPTP,
	RIOMMU_DC_MSI_ADDR_MASK,
	RIOMMU_DC_MSI_ADDR_PATTERN,
	RIOMMU_DC_RESERVED,
	RIOMMU_DC_DWORDS,
};
#define RIOMMU_DC_DWORDS_BASE 4

#define RIOMMU_TC_V      ((uint64_t)1 << 0)
#define RIOMMU_TC_EN_ATS ((uint64_t)1 << 1)
#define RIOMMU_TC_EN_PRI ((uint64_t)1 << 2)
#define RIOMMU_TC_T2GPA  ((uint64_t)1 << 3)
#define RIOMMU_TC_DTF    ((uint64_t)1 << 4)
#define RIOMMU_TC_PDTV   ((uint64_t)1 << 5)
#define RIOMMU_TC_PRPR   ((uint64_t)1 << 6)
#define RIOMMU_TC_GADE   ((uint64_t)1 << 7)
#define RIOMMU_TC_SADE   ((uint64_t)1 << 8)
#define RIOMMU_TC_DPE    ((uint64_t)1 << 9)
#define RIOMMU_TC_SBE    ((uint64_t)1 << 10)
#define RIOMMU_TC_SXL    ((uint64_t)1 << 11)

#define RIOMMU_PC_V   ((uint64_t)1 << 0)
#define RIOMMU_PC_ENS ((uint64_t)1 << 1)
#define RIOMMU_PC_SUM ((uint64_t)1 << 2)

#define RIOMMU_PTE_V ((uint64_t)1 << 0)
#define RIOMMU_PTE_R ((uint64_t)1 << 1)
#define RIOMMU_PTE_W ((uint64_t)1 << 2)
#define RIOMMU_PTE_X ((uint64_t)1 << 3)
#define RIOMMU_PTE_U ((uint64_t)1 << 4)
#define RIOMMU_PTE_G ((uint64_t)1 << 5)
#define RIOMMU_PTE_A ((uint64_t)1 << 6)
#define RIOMMU_PTE_D ((uint64_t)1 << 7)
#define RIOMMU_PTE_N ((uint64_t)1 << 63)

/* MODE encodings (bits 63:60). 8 is Sv32 or Sv39, Sv32x4 or Sv39x4: tc.SXL and fctl.GXL decide. */
enum riommu_fsc_mode {
	RIOMMU_FSC_BARE = 0,
	RIOMMU_FSC_SV32 = 8,
	RIOMMU_FSC_SV39 = 8,
	RIOMMU_FSC_SV48 = 9,
	RIOMMU_FSC_SV57 = 10
};
enum riommu_hgatp_mode {
	RIOMMU_HGATP_BARE = 0,
	RIOMMU_HGATP_SV32X4 = 8,
	RIOMMU_HGATP_SV39X4 = 8,
	RIOMMU_HGATP_SV48X4 = 9,
	RIOMMU_HGATP_SV57X4 = 10
};
enum riommu_pdtp_mode {
	RIOMMU_PDTP_BARE = 0,
	RIOMMU_PDTP_PD8 = 1,
	RIOMMU_PDTP_PD17 = 2,
	RIOMMU_PDTP_PD20 = 3
};
enum riommu_msiptp_mode { RIOMMU_MSIPTP_OFF = 0, RIOMMU_MSIPTP_FLAT = 1 };

/*
 * Two traps (facts 0): "upper" PPNs sit in bits 53:10 (ddtp, queue bases, non-leaf entries, PTEs, MSI PTEs),
 * "lower" ones in bits 43:0 (iohgatp, fsc, msiptp). Both give the address of the page.
 */
static inline uint64_t riommu_ppn_upper(uint64_t v)
{
	return (v & 0x003ffffffffffc00) << 2;
}

static inline uint64_t riommu_ppn_lower(uint64_t v)
{
	return (v & 0x00000fffffffffff) << 12;
}

/* Address bits 55:9 of an MRIF, from doubleword 0 of an MSI PTE in MRIF mode. */
static inline uint64_t riommu_mrif_address(uint64_t dw0)
{
	return ((dw0 >> 7) & 0x00007fffffffffff) << 9;
}

/*
 * Layouts. The variants are those that the same bits have under another mode: fsc is pdtp with PDTV,
 * MODE has 32-bit names with SXL or GXL, an MSI PTE depends on M, a leaf PTE is not a pointer.
 * NULL for a doubleword that the structure does not have.
 */
const struct riommu_layout *riommu_layout_ddte(void); /* non-leaf device directory entry */
const struct riommu_layout *riommu_layout_pdte(void); /* non-leaf process directory entry */
const struct riommu_layout *riommu_layout_dc(unsigned dword, uint64_t tc,
					     uint32_t fctl); /* enum riommu_dc_dword */
const struct riommu_layout *riommu_layout_pc(unsigned dword, uint64_t tc); /* 0 ta, 1 fsc */
const struct riommu_layout *riommu_layout_pte(bool sv32); /* first and second stage */
const struct riommu_layout *riommu_layout_msi_pte(unsigned dword, uint64_t dw0);
const struct riommu_layout *riommu_layout_fault(unsigned dword); /* fault record: 4 doublewords */

#endif
