/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The entries of the command queue and of the page-request queue (specification, 4.1 and 4.3): two doublewords each,
 * with a layout per doubleword; and which commands an IOMMU refuses.
 */
#ifndef RIOMMU_SPEC_COMMANDS_H
#define RIOMMU_SPEC_COMMANDS_H

#include "spec/field.h"

enum riommu_command {
	RIOMMU_COMMAND_RESERVED, /* no command of the specification */
	RIOMMU_COMMAND_CUSTOM,
	RIOMMU_COMMAND_IOTINVAL_VMA,
	RIOMMU_COMMAND_IOTINVAL_GVMA,
	RIOMMU_COMMAND_IOFENCE_C,
	RIOMMU_COMMAND_INVAL_DDT,
	RIOMMU_COMMAND_INVAL_PDT,
	RIOMMU_COMMAND_ATS_INVAL,
	RIOMMU_COMMAND_ATS_PRGR,
};

/* Which command it is, by opcode and func3. */
enum riommu_command riommu_command(uint64_t dw0);

/* "IOTINVAL.VMA", ...; NULL when the opcode and func3 of DW0 are reserved or custom. */
const char *riommu_command_name(uint64_t dw0);

/* NULL for a doubleword that the entry does not have. */
const struct riommu_layout *riommu_layout_command(unsigned dword, uint64_t dw0);
const struct riommu_layout *riommu_layout_page_request(unsigned dword);

/* The reserved bits of a command that are set, of its first doubleword and, in *RESERVED1, of its second. */
uint64_t riommu_command_reserved(const uint64_t dw[2], uint64_t *reserved1);

/* What decides which commands an IOMMU takes; what is not known decides nothing. */
enum {
	RIOMMU_LIMIT_CAPABILITIES = 1 << 0,
	RIOMMU_LIMIT_FCTL = 1 << 1,
	RIOMMU_LIMIT_DDTP = 1 << 2,
};
struct riommu_command_limits {
	unsigned known; /* of RIOMMU_LIMIT_* */
	uint64_t capabilities, fctl, ddtp;
};

/*
 * Why an IOMMU takes a command for illegal or unsupported (cqcsr.cmd_ill), in words that are constants. Returns how many reasons
 * there are. A custom command is the implementation's business: none.
 */
#define RIOMMU_COMMAND_RULES 10
size_t riommu_command_wrong(const uint64_t dw[2], const struct riommu_command_limits *limits,
			    const char *words[RIOMMU_COMMAND_RULES]);

/*
 * The range of addresses that ADDRESS stands for where S is 1 (IOTINVAL, and the payload of ATS.INVAL): the lowest 0 bit from
 * bit 12 on encodes the size. False when all are ones, which means nothing; *START and *LAST are then those of the page.
 */
bool riommu_napot_range(uint64_t address, uint64_t *start, uint64_t *last);

#endif
