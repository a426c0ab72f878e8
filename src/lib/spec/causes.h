/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of fault causes and transaction types (specification, 4.2 "Fault/Event-Queue"). */
#ifndef RIOMMU_SPEC_CAUSES_H
#define RIOMMU_SPEC_CAUSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct riommu_cause {
	uint16_t code;
	bool despite_dtf;    /* reported even when DC.tc.DTF is 1 */
	const char *name;    /* the specification's words */
	const char *meaning; /* what it means to the person who reads it */
};

enum riommu_cause_code {
	RIOMMU_CAUSE_INSTRUCTION_ACCESS_FAULT = 1,
	RIOMMU_CAUSE_READ_ACCESS_FAULT = 5,
	RIOMMU_CAUSE_WRITE_ACCESS_FAULT = 7,
	RIOMMU_CAUSE_INSTRUCTION_PAGE_FAULT = 12,
	RIOMMU_CAUSE_READ_PAGE_FAULT = 13,
	RIOMMU_CAUSE_WRITE_PAGE_FAULT = 15,
	RIOMMU_CAUSE_INSTRUCTION_GUEST_PAGE_FAULT = 20,
	RIOMMU_CAUSE_READ_GUEST_PAGE_FAULT = 21,
	RIOMMU_CAUSE_WRITE_GUEST_PAGE_FAULT = 23,
	RIOMMU_CAUSE_ALL_INBOUND_DISALLOWED = 256,
	RIOMMU_CAUSE_DDT_LOAD_ACCESS_FAULT = 257,
	RIOMMU_CAUSE_DDT_NOT_VALID = 258,
	RIOMMU_CAUSE_DDT_MISCONFIGURED = 259,
	RIOMMU_CAUSE_TYPE_DISALLOWED = 260,
	RIOMMU_CAUSE_MSI_PTE_LOAD_ACCESS_FAULT = 261,
	RIOMMU_CAUSE_MSI_PTE_NOT_VALID = 262,
	RIOMMU_CAUSE_MSI_PTE_MISCONFIGURED = 263,
	RIOMMU_CAUSE_MRIF_ACCESS_FAULT = 264,
	RIOMMU_CAUSE_PDT_LOAD_ACCESS_FAULT = 265,
	RIOMMU_CAUSE_PDT_NOT_VALID = 266,
	RIOMMU_CAUSE_PDT_MISCONFIGURED = 267,
	RIOMMU_CAUSE_DDT_CORRUPTION = 268,
	RIOMMU_CAUSE_PDT_CORRUPTION = 269,
	RIOMMU_CAUSE_MSI_PT_CORRUPTION = 270,
	RIOMMU_CAUSE_MRIF_CORRUPTION = 271,
	RIOMMU_CAUSE_INTERNAL_DATA_PATH = 272,
	RIOMMU_CAUSE_MSI_WRITE_ACCESS_FAULT = 273,
	RIOMMU_CAUSE_PT_CORRUPTION = 274,
};

/* NULL for a reserved or custom code. */
const struct riommu_cause *riommu_cause(unsigned code);

/* The name, or "reserved" / "custom": never NULL. */
const char *riommu_cause_name(unsigned code);

enum riommu_ttyp {
	RIOMMU_TTYP_NONE = 0,
	RIOMMU_TTYP_UNTRANSLATED_EXEC = 1,
	RIOMMU_TTYP_UNTRANSLATED_READ = 2,
	RIOMMU_TTYP_UNTRANSLATED_WRITE = 3,
	RIOMMU_TTYP_TRANSLATED_EXEC = 5,
	RIOMMU_TTYP_TRANSLATED_READ = 6,
	RIOMMU_TTYP_TRANSLATED_WRITE = 7,
	RIOMMU_TTYP_ATS = 8,
	RIOMMU_TTYP_MESSAGE = 9,
};

/* The name, or "reserved" / "custom": never NULL. */
const char *riommu_ttyp_name(unsigned ttyp);

#endif
