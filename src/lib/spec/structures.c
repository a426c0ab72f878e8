/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The structures in memory, doubleword by doubleword (specification, chapters 3 and 4). */
#include "spec/structures.h"
#include "spec/field-internal.h"
#include "spec/registers.h"

#include "base/base.h"

/* -- directories (3.1, 3.2) --------------------------------------------------------------------- */

static const struct riommu_field non_leaf_fields[] = {
	FLAG("V", 0, "the entry is valid"),
	RESERVED(9, 1),
	PPN("PPN", 53, 10, "page of the next table"),
	RESERVED(63, 54),
};

static const struct riommu_field tc_fields[] = {
	FLAG("V", 0, "the device context is valid"),
	FLAG("EN_ATS", 1, "the device may use address translation services"),
	FLAG("EN_PRI", 2, "the device may send page requests"),
	FLAG("T2GPA", 3,
	     "ATS answers are guest addresses; translated requests take the second stage"),
	FLAG("DTF", 4, "translation faults are not reported"),
	FLAG("PDTV", 5, "fsc points at a process directory"),
	FLAG("PRPR", 6, "page-request responses of the IOMMU carry the PASID"),
	FLAG("GADE", 7, "the IOMMU sets A and D in the second stage"),
	FLAG("SADE", 8, "the IOMMU sets A and D in the first stage"),
	FLAG("DPE", 9, "requests without process_id use process_id 0"),
	FLAG("SBE", 10, "process directory and first stage are big-endian"),
	FLAG("SXL", 11, "the first stage has the 32-bit format (Sv32)"),
	RESERVED(23, 12),
	CUSTOM(31, 24),
	RESERVED(63, 32),
};

static const struct riommu_value_name iohgatp_names[] = {
	{RIOMMU_HGATP_BARE, "Bare"},
	{RIOMMU_HGATP_SV39X4, "Sv39x4"},
	{RIOMMU_HGATP_SV48X4, "Sv48x4"},
	{RIOMMU_HGATP_SV57X4, "Sv57x4"},
	{0, NULL},
};

static const struct riommu_value_name iohgatp_gxl_names[] = {
	{RIOMMU_HGATP_BARE, "Bare"},
	{RIOMMU_HGATP_SV32X4, "Sv32x4"},
	{0, NULL},
};

static const struct riommu_value_name iosatp_names[] = {
	{RIOMMU_FSC_BARE, "Bare"},
	{RIOMMU_FSC_SV39, "Sv39"},
	{RIOMMU_FSC_SV48, "Sv48"},
	{RIOMMU_FSC_SV57, "Sv57"},
	{0, NULL},
};

static const struct riommu_value_name iosatp_sxl_names[] = {
	{RIOMMU_FSC_BARE, "Bare"},
	{RIOMMU_FSC_SV32, "Sv32"},
	{0, NULL},
};

static const struct riommu_value_name pdtp_names[] = {
	{RIOMMU_PDTP_BARE, "Bare"},
	{RIOMMU_PDTP_PD8, "PD8"},
	{RIOMMU_PDTP_PD17, "PD17"},
	{RIOMMU_PDTP_PD20, "PD20"},
	{0, NULL},
};

static const struct riommu_value_name msiptp_names[] = {
	{RIOMMU_MSIPTP_OFF, "Off"},
	{RIOMMU_MSIPTP_FLAT, "Flat"},
	{0, NULL},
};

#define ROOT_FIELDS(names, what)                                                                  \
	{                                                                                         \
		PPN("PPN", 43, 0, what), RESERVED(59, 44),                                        \
			ENUM("MODE", 63, 60, names, "format of the table; Bare: no translation"), \
	}

#define IOHGATP_FIELDS(names)                                                                  \
	{                                                                                      \
		PPN("PPN", 43, 0, "root page of the second stage (16 KiB)"),                   \
			HEX("GSCID", 59, 44, "names the guest in invalidations"),              \
			ENUM("MODE", 63, 60, names, "format of the second stage; Bare: none"), \
	}

static const struct riommu_field iohgatp_fields[] = IOHGATP_FIELDS(iohgatp_names);
static const struct riommu_field iohgatp_gxl_fields[] = IOHGATP_FIELDS(iohgatp_gxl_names);
static const struct riommu_field iosatp_fields[] =
	ROOT_FIELDS(iosatp_names, "root page of the first stage");
static const struct riommu_field iosatp_sxl_fields[] =
	ROOT_FIELDS(iosatp_sxl_names, "root page of the first stage");
static const struct riommu_field pdtp_fields[] =
	ROOT_FIELDS(pdtp_names, "root page of the process directory");

static const struct riommu_field msiptp_fields[] = {
	PPN("PPN", 43, 0, "first page of the MSI page table"),
	RESERVED(59, 44),
	ENUM("MODE", 63, 60, msiptp_names, "format of the MSI page table; Off: none"),
};

static const struct riommu_field dc_ta_fields[] = {
	RESERVED(11, 0),
	HEX("PSCID", 31, 12, "names the address space in invalidations"),
	RESERVED(39, 32),
	HEX("RCID", 51, 40, "resource control id of the device's accesses (QOSID)"),
	HEX("MCID", 63, 52, "monitoring counter id of the device's accesses (QOSID)"),
};

static const struct riommu_field msi_addr_mask_fields[] = {
	HEX("mask", 51, 0, "bits of the guest page number that choose the interrupt file"),
	RESERVED(63, 52),
};

static const struct riommu_field msi_addr_pattern_fields[] = {
	PPN("pattern", 51, 0, "guest page numbers that are interrupt files, outside the mask"),
	RESERVED(63, 52),
};

static const struct riommu_field reserved_fields[] = {
	RESERVED(63, 0),
};

static const struct riommu_field pc_ta_fields[] = {
	FLAG("V", 0, "the process context is valid"),
	FLAG("ENS", 1, "requests with supervisor privilege are allowed"),
	FLAG("SUM", 2, "supervisor requests may access user pages"),
	RESERVED(11, 3),
	HEX("PSCID", 31, 12, "names the address space in invalidations"),
	RESERVED(63, 32),
};

static const struct riommu_layout ddte_layout =
	LAYOUT("ddte", 8, non_leaf_fields, "non-leaf device directory entry (3.1)");
static const struct riommu_layout pdte_layout =
	LAYOUT("pdte", 8, non_leaf_fields, "non-leaf process directory entry (3.2)");
static const struct riommu_layout tc_layout =
	LAYOUT("tc", 8, tc_fields, "device context: translation control (3.1)");
static const struct riommu_layout iohgatp_layout =
	LAYOUT("iohgatp", 8, iohgatp_fields, "device context: second stage (3.1)");
static const struct riommu_layout iohgatp_gxl_layout =
	LAYOUT("iohgatp", 8, iohgatp_gxl_fields, "device context: second stage, GXL = 1 (3.1)");
static const struct riommu_layout dc_ta_layout =
	LAYOUT("ta", 8, dc_ta_fields, "device context: translation attributes (3.1)");
static const struct riommu_layout iosatp_layout =
	LAYOUT("fsc", 8, iosatp_fields, "first-stage context: iosatp (3.1, 3.2)");
static const struct riommu_layout iosatp_sxl_layout =
	LAYOUT("fsc", 8, iosatp_sxl_fields, "first-stage context: iosatp, SXL = 1 (3.1, 3.2)");
static const struct riommu_layout pdtp_layout =
	LAYOUT("fsc", 8, pdtp_fields, "first-stage context: pdtp (3.1)");
static const struct riommu_layout msiptp_layout =
	LAYOUT("msiptp", 8, msiptp_fields, "device context: MSI page table pointer (3.1)");
static const struct riommu_layout msi_addr_mask_layout =
	LAYOUT("msi_addr_mask", 8, msi_addr_mask_fields, "device context: MSI address mask (3.1)");
static const struct riommu_layout msi_addr_pattern_layout =
	LAYOUT("msi_addr_pattern", 8, msi_addr_pattern_fields,
	       "device context: MSI address pattern (3.1)");
static const struct riommu_layout dc_reserved_layout =
	LAYOUT("reserved", 8, reserved_fields, "device context: reserved doubleword (3.1)");
static const struct riommu_layout pc_ta_layout =
	LAYOUT("ta", 8, pc_ta_fields, "process context: translation attributes (3.2)");

const struct riommu_layout *riommu_layout_ddte(void)
{
	return &ddte_layout;
}

const struct riommu_layout *riommu_layout_pdte(void)
{
	return &pdte_layout;
}

static const struct riommu_layout *iosatp_by_sxl(uint64_t tc)
{
	return tc & RIOMMU_TC_SXL ? &iosatp_sxl_layout : &iosatp_layout;
}

const struct riommu_layout *riommu_layout_dc(unsigned dword, uint64_t tc, uint32_t fctl)
{
	switch (dword) {
	case RIOMMU_DC_TC:
		return &tc_layout;
	case RIOMMU_DC_IOHGATP:
		return fctl & RIOMMU_FCTL_GXL ? &iohgatp_gxl_layout : &iohgatp_layout;
	case RIOMMU_DC_TA:
		return &dc_ta_layout;
	case RIOMMU_DC_FSC:
		return tc & RIOMMU_TC_PDTV ? &pdtp_layout : iosatp_by_sxl(tc);
	case RIOMMU_DC_MSIPTP:
		return &msiptp_layout;
	case RIOMMU_DC_MSI_ADDR_MASK:
		return &msi_addr_mask_layout;
	case RIOMMU_DC_MSI_ADDR_PATTERN:
		return &msi_addr_pattern_layout;
	case RIOMMU_DC_RESERVED:
		return &dc_reserved_layout;
	default:
		return NULL;
	}
}

const struct riommu_layout *riommu_layout_pc(unsigned dword, uint64_t tc)
{
	if (dword > 1)
		return NULL;
	return dword ? iosatp_by_sxl(tc) : &pc_ta_layout;
}

/* -- page tables (Privileged ISA) ---------------------------------------------------------------- */

#define PTE_LOW_FIELDS                                                                          \
	FLAG("V", 0, "the entry is valid"), FLAG("R", 1, "readable"), FLAG("W", 2, "writable"), \
		FLAG("X", 3, "executable"),                                                     \
		FLAG("U", 4, "accessible without supervisor privilege"),                        \
		FLAG("G", 5, "global: in every address space"), FLAG("A", 6, "was accessed"),   \
		FLAG("D", 7, "was written"), HEX("RSW", 9, 8, "software's")

static const struct riommu_field pte_fields[] = {
	PTE_LOW_FIELDS,
	PPN("PPN", 53, 10, "page, or page of the next table when R, W and X are 0"),
	RESERVED(58, 54),
	HEX("RSW60t59b", 60, 59, "software's with Svrsw60t59b, else must be zero"),
	ENUM("PBMT", 62, 61, riommu_pbmt_names, "memory type"),
	FLAG("N", 63, "64 KiB: one of 16 entries that map it together"),
};

static const struct riommu_field pte_sv32_fields[] = {
	PTE_LOW_FIELDS,
	PPN("PPN", 31, 10, "page, or page of the next table when R, W and X are 0"),
};

static const struct riommu_layout pte_layout =
	LAYOUT("pte", 8, pte_fields, "page-table entry (Privileged ISA)");
static const struct riommu_layout pte_sv32_layout =
	LAYOUT("pte", 4, pte_sv32_fields, "page-table entry, Sv32 (Privileged ISA)");

const struct riommu_layout *riommu_layout_pte(bool sv32)
{
	return sv32 ? &pte_sv32_layout : &pte_layout;
}

/* -- MSI page tables (AIA; 3.3) -------------------------------------------------------------------- */

enum msi_pte_mode { MSI_PTE_MRIF = 1, MSI_PTE_BASIC = 3 };

static const struct riommu_value_name msi_pte_mode_names[] = {
	{MSI_PTE_MRIF, "MRIF"},
	{MSI_PTE_BASIC, "basic"},
	{0, NULL},
};

#define MSI_PTE_V FLAG("V", 0, "the entry is valid")
#define MSI_PTE_M ENUM("M", 2, 1, msi_pte_mode_names, "what the entry points at")
#define MSI_PTE_C FLAG("C", 63, "custom format")

static const struct riommu_field msi_basic_fields[] = {
	MSI_PTE_V,        MSI_PTE_M,
	RESERVED(9, 3),   PPN("PPN", 53, 10, "page of the interrupt file"),
	RESERVED(62, 54), MSI_PTE_C,
};

static const struct riommu_field msi_mrif_fields[] = {
	MSI_PTE_V,        MSI_PTE_M,
	RESERVED(6, 3),   ADDR("MRIF_ADDR", 53, 7, 9, "the memory-resident interrupt file"),
	RESERVED(62, 54), MSI_PTE_C,
};

/* M is reserved, or the format is the implementation's own: nothing to take apart. */
static const struct riommu_field msi_other_fields[] = {
	MSI_PTE_V,
	MSI_PTE_M,
	HEX("other", 62, 3, "no format is defined for this M"),
	MSI_PTE_C,
};

static const struct riommu_field msi_notice_fields[] = {
	HEX("NID", 9, 0, "notice id, low bits"),
	PPN("NPPN", 53, 10, "page that the notice is written to"),
	RESERVED(59, 54),
	HEX("NID10", 60, 60, "notice id, high bit"),
	RESERVED(63, 61),
};

static const struct riommu_field software_fields[] = {
	HEX("software", 63, 0, "software's"),
};

static const struct riommu_layout msi_basic_layout =
	LAYOUT("msi_pte", 8, msi_basic_fields, "MSI page-table entry, basic (AIA)");
static const struct riommu_layout msi_mrif_layout =
	LAYOUT("msi_pte", 8, msi_mrif_fields, "MSI page-table entry, MRIF (AIA)");
static const struct riommu_layout msi_other_layout =
	LAYOUT("msi_pte", 8, msi_other_fields, "MSI page-table entry, M reserved (AIA)");
static const struct riommu_layout msi_notice_layout =
	LAYOUT("msi_pte_dw1", 8, msi_notice_fields, "MSI page-table entry, MRIF: the notice (AIA)");
static const struct riommu_layout msi_ignored_layout =
	LAYOUT("msi_pte_dw1", 8, software_fields, "MSI page-table entry: not looked at (AIA)");

const struct riommu_layout *riommu_layout_msi_pte(unsigned dword, uint64_t dw0)
{
	uint64_t mode = riommu_bits(dw0, 2, 1);
	bool custom = riommu_bit(dw0, 63);

	if (dword > 1)
		return NULL;
	if (mode == MSI_PTE_MRIF && !custom)
		return dword ? &msi_notice_layout : &msi_mrif_layout;
	if (dword)
		return &msi_ignored_layout;
	return mode == MSI_PTE_BASIC && !custom ? &msi_basic_layout : &msi_other_layout;
}

/* -- fault records (4.2) ---------------------------------------------------------------------------- */

static const struct riommu_field fault_fields[] = {
	NUMBER("CAUSE", 11, 0, "what went wrong"),
	HEX("PID", 31, 12, "process_id"),
	FLAG("PV", 32, "PID is valid"),
	FLAG("PRIV", 33, "supervisor privilege"),
	ENUM("TTYP", 39, 34, riommu_ttyp_names, "kind of transaction"),
	HEX("DID", 63, 40, "device_id"),
};

static const struct riommu_field fault_custom_fields[] = {
	CUSTOM(31, 0),
	RESERVED(63, 32),
};

static const struct riommu_field iotval_fields[] = {
	HEX("iotval", 63, 0, "the address of the transaction, or the code of a PCIe message"),
};

static const struct riommu_field iotval2_fields[] = {
	HEX("iotval2", 63, 0,
	    "with guest page faults the guest address, bits 1:0 say which access"),
};

static const struct riommu_layout fault_layouts[] = {
	LAYOUT("fault", 8, fault_fields, "fault record: header (4.2)"),
	LAYOUT("fault_dw1", 8, fault_custom_fields, "fault record: custom (4.2)"),
	LAYOUT("fault_dw2", 8, iotval_fields, "fault record: iotval (4.2)"),
	LAYOUT("fault_dw3", 8, iotval2_fields, "fault record: iotval2 (4.2)"),
};

const struct riommu_layout *riommu_layout_fault(unsigned dword)
{
	return dword < RIOMMU_ARRAY_SIZE(fault_layouts) ? &fault_layouts[dword] : NULL;
}
