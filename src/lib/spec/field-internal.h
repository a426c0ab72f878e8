/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the tables of registers.c and structures.c are written; value names that both use. */
#ifndef RIOMMU_SPEC_FIELD_INTERNAL_H
#define RIOMMU_SPEC_FIELD_INTERNAL_H

#include "spec/field.h"

#define FIELD(n, h, l, k, d)                                                            \
	{                                                                               \
		.name = (n), .hi = (h), .lo = (l), .kind = RIOMMU_FIELD_##k, .doc = (d) \
	}
#define FLAG(n, bit, d)    FIELD(n, bit, bit, FLAG, d)
#define NUMBER(n, h, l, d) FIELD(n, h, l, NUMBER, d)
#define HEX(n, h, l, d)    FIELD(n, h, l, HEX, d)
#define PPN(n, h, l, d)    FIELD(n, h, l, PPN, d)
#define RESERVED(h, l)     FIELD("reserved", h, l, RESERVED, "must be zero")
#define CUSTOM(h, l)       FIELD("custom", h, l, CUSTOM, "the implementation's own")
#define LOG2SZ()           FIELD("LOG2SZ-1", 4, 0, LOG2SZ, "the queue holds 2^(this + 1) entries")

#define ADDR(n, h, l, s, d)                                                                 \
	{                                                                                   \
		.name = (n), .hi = (h), .lo = (l), .kind = RIOMMU_FIELD_ADDR, .shift = (s), \
		.doc = (d)                                                                  \
	}
#define ENUM(n, h, l, v, d)                                                                 \
	{                                                                                   \
		.name = (n), .hi = (h), .lo = (l), .kind = RIOMMU_FIELD_ENUM, .names = (v), \
		.doc = (d)                                                                  \
	}

#define LAYOUT(n, bytes, f, d)                                                                     \
	{                                                                                          \
		.name = (n), .width = (bytes), .fields = (f), .count = sizeof(f) / sizeof((f)[0]), \
		.doc = (d)                                                                         \
	}

/* Page-based memory types, in PTEs and in tr_response; 3 is reserved. */
extern const struct riommu_value_name riommu_pbmt_names[];

/* Transaction types of fault records (4.2). */
extern const struct riommu_value_name riommu_ttyp_names[];

#endif
