/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bit fields as data. One table per register and structure drives the text, the JSON, the check for
 * reserved bits and the documentation; nothing else in the project prints a bit.
 */
#ifndef RIOMMU_SPEC_FIELD_H
#define RIOMMU_SPEC_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum riommu_field_kind {
	RIOMMU_FIELD_FLAG,     /* one bit, true or false */
	RIOMMU_FIELD_NUMBER,   /* a count or index: decimal */
	RIOMMU_FIELD_HEX,      /* an identifier, data or raw bits */
	RIOMMU_FIELD_ENUM,     /* one of `names` */
	RIOMMU_FIELD_PPN,      /* page number: shown as the address it stands for, value << 12 */
	RIOMMU_FIELD_ADDR,     /* address bits: shown as value << shift */
	RIOMMU_FIELD_LOG2SZ,   /* LOG2SZ-1: shown as 2 << value entries */
	RIOMMU_FIELD_RESERVED, /* must be zero; pointed out when it is not */
	RIOMMU_FIELD_CUSTOM,   /* the implementation's own; shown when not zero, never an error */
};

struct riommu_value_name {
	uint64_t value;
	const char *name;
};

struct riommu_field {
	const char *name; /* the specification's, e.g. "iommu_mode" */
	uint8_t hi, lo;
	uint8_t kind;  /* enum riommu_field_kind */
	uint8_t shift; /* RIOMMU_FIELD_ADDR: value << shift is the address */
	const struct riommu_value_name *names; /* RIOMMU_FIELD_ENUM: ended by a NULL name */
	const char *doc;                       /* one line, present tense */
};

/* A register or a doubleword of a structure in memory. Every bit belongs to exactly one field. */
struct riommu_layout {
	const char *name;
	uint8_t width; /* bytes: 4 or 8 */
	const struct riommu_field *fields;
	size_t count;
	const char *doc; /* what it is, with the section of the specification */
};

/* The raw value of FIELD inside V. */
uint64_t riommu_field_get(const struct riommu_field *field, uint64_t v);

/* What the field stands for: an address for PPN and ADDR, entries for LOG2SZ, else the raw value. */
uint64_t riommu_field_value(const struct riommu_field *field, uint64_t v);

/* The name of the value of an ENUM field; NULL when it has none (reserved or custom encoding). */
const char *riommu_field_value_name(const struct riommu_field *field, uint64_t v);

/* The field called NAME, NULL when there is none. */
const struct riommu_field *riommu_layout_field(const struct riommu_layout *layout,
					       const char *name);

/* The bits of V that lie in reserved fields and are set. */
uint64_t riommu_layout_reserved(const struct riommu_layout *layout, uint64_t v);

#endif
