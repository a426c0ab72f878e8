/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The register file of the IOMMU: a naturally aligned 4 KiB page (specification, chapter 6
 * "Memory-mapped register interface"). All registers are little-endian.
 */
#ifndef RIOMMU_SPEC_REGISTERS_H
#define RIOMMU_SPEC_REGISTERS_H

#include "spec/field.h"

#define RIOMMU_REGS_SIZE 0x1000

/* Offsets that code names. The table has all of them. */
enum riommu_reg_offset {
	RIOMMU_REG_CAPABILITIES = 0x000,
	RIOMMU_REG_FCTL = 0x008,
	RIOMMU_REG_DDTP = 0x010,
	RIOMMU_REG_CQB = 0x018,
	RIOMMU_REG_CQH = 0x020,
	RIOMMU_REG_CQT = 0x024,
	RIOMMU_REG_FQB = 0x028,
	RIOMMU_REG_FQH = 0x030,
	RIOMMU_REG_FQT = 0x034,
	RIOMMU_REG_PQB = 0x038,
	RIOMMU_REG_PQH = 0x040,
	RIOMMU_REG_PQT = 0x044,
	RIOMMU_REG_CQCSR = 0x048,
	RIOMMU_REG_FQCSR = 0x04c,
	RIOMMU_REG_PQCSR = 0x050,
	RIOMMU_REG_IPSR = 0x054,
	RIOMMU_REG_IOCOUNTOVF = 0x058,
	RIOMMU_REG_IOCOUNTINH = 0x05c,
	RIOMMU_REG_IOHPMCYCLES = 0x060,
	RIOMMU_REG_IOHPMCTR = 0x068, /* 31 of them, 8 bytes apart, numbered from 1 */
	RIOMMU_REG_IOHPMEVT = 0x160, /* likewise */
	RIOMMU_REG_TR_REQ_IOVA = 0x258,
	RIOMMU_REG_TR_REQ_CTL = 0x260,
	RIOMMU_REG_TR_RESPONSE = 0x268,
	RIOMMU_REG_IOMMU_QOSID = 0x270,
	RIOMMU_REG_ICVEC = 0x2f8,
	RIOMMU_REG_MSI_CFG_TBL = 0x300, /* 16 of 16 bytes: msi_addr, msi_data, msi_vec_ctl */
};

/* Fields that code tests, by bit. The layouts have all of them. */
#define RIOMMU_CAP_SV32        ((uint64_t)1 << 8)
#define RIOMMU_CAP_SV39        ((uint64_t)1 << 9)
#define RIOMMU_CAP_SV48        ((uint64_t)1 << 10)
#define RIOMMU_CAP_SV57        ((uint64_t)1 << 11)
#define RIOMMU_CAP_SVRSW60T59B ((uint64_t)1 << 14)
#define RIOMMU_CAP_SVPBMT      ((uint64_t)1 << 15)
#define RIOMMU_CAP_SV32X4      ((uint64_t)1 << 16)
#define RIOMMU_CAP_SV39X4      ((uint64_t)1 << 17)
#define RIOMMU_CAP_SV48X4      ((uint64_t)1 << 18)
#define RIOMMU_CAP_SV57X4      ((uint64_t)1 << 19)
#define RIOMMU_CAP_AMO_MRIF    ((uint64_t)1 << 21)
#define RIOMMU_CAP_MSI_FLAT    ((uint64_t)1 << 22)
#define RIOMMU_CAP_MSI_MRIF    ((uint64_t)1 << 23)
#define RIOMMU_CAP_AMO_HWAD    ((uint64_t)1 << 24)
#define RIOMMU_CAP_ATS         ((uint64_t)1 << 25)
#define RIOMMU_CAP_T2GPA       ((uint64_t)1 << 26)
#define RIOMMU_CAP_END         ((uint64_t)1 << 27)
#define RIOMMU_CAP_HPM         ((uint64_t)1 << 30)
#define RIOMMU_CAP_DBG         ((uint64_t)1 << 31)
#define RIOMMU_CAP_PD8         ((uint64_t)1 << 38)
#define RIOMMU_CAP_PD17        ((uint64_t)1 << 39)
#define RIOMMU_CAP_PD20        ((uint64_t)1 << 40)
#define RIOMMU_CAP_QOSID       ((uint64_t)1 << 41)
#define RIOMMU_CAP_NL          ((uint64_t)1 << 42)
#define RIOMMU_CAP_S           ((uint64_t)1 << 43)

#define RIOMMU_FCTL_BE  ((uint32_t)1 << 0)
#define RIOMMU_FCTL_WSI ((uint32_t)1 << 1)
#define RIOMMU_FCTL_GXL ((uint32_t)1 << 2)

#define RIOMMU_DDTP_BUSY ((uint64_t)1 << 4)

enum riommu_ddtp_mode {
	RIOMMU_DDTP_OFF = 0,
	RIOMMU_DDTP_BARE = 1,
	RIOMMU_DDTP_1LVL = 2,
	RIOMMU_DDTP_2LVL = 3,
	RIOMMU_DDTP_3LVL = 4,
};

enum riommu_igs { RIOMMU_IGS_MSI = 0, RIOMMU_IGS_WSI = 1, RIOMMU_IGS_BOTH = 2 };

/* When a register exists; otherwise it reads zero and a careful reader leaves it alone. */
enum riommu_reg_presence {
	RIOMMU_PRESENT_ALWAYS,
	RIOMMU_PRESENT_ATS,
	RIOMMU_PRESENT_HPM,
	RIOMMU_PRESENT_DBG,
	RIOMMU_PRESENT_QOSID,
	RIOMMU_PRESENT_MSI, /* IGS is MSI or BOTH */
};

struct riommu_reg {
	char name[24];
	uint16_t offset;
	uint8_t width; /* 4 or 8 */
	uint8_t presence;
	int8_t index; /* iohpmctr, iohpmevt, msi_*: which one; else -1 */
	const struct riommu_layout *layout;
};

#define RIOMMU_REG_COUNT (24 + 31 + 31 + 3 * 16)

/* All registers by ascending offset; RIOMMU_REG_COUNT of them. */
const struct riommu_reg *riommu_registers(void);

/* By offset or by name (any case): the index into the table, or -1. */
int riommu_reg_by_offset(uint32_t offset);
int riommu_reg_by_name(const char *name);

/* Whether CAPABILITIES say that the register is there. */
bool riommu_reg_present(const struct riommu_reg *reg, uint64_t capabilities);

/* Whether CAPABILITIES can be those of an IOMMU that we know: version 1.x, reserved bits zero, IGS not 3. */
bool riommu_capabilities_plausible(uint64_t capabilities);

/*
 * The range of physical addresses that a tr_response without a fault speaks of. S=1: its size is in the PPN, above the
 * lowest zero bit (6.26); false where there is none.
 */
bool riommu_tr_response_range(uint64_t response, uint64_t *base, uint64_t *size);

/* "Off", "Bare", "1LVL", ... ; NULL for a reserved or custom encoding. */
const char *riommu_ddtp_mode_name(uint64_t ddtp);

#endif
