/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a wrapped Image holds besides the original: one page, the stub. Its code is at the beginning (entered at offset 2, see
 * stub.S), its data at RIOMMU_STUB_DATA. All little-endian. riommu_image_inspect() believes a wrapped Image only when all of
 * it fits together; the original can be restored from it to the byte.
 */
#ifndef RIOMMU_HANDOVER_INTERNAL_H
#define RIOMMU_HANDOVER_INTERNAL_H

#include "handover/handover.h"

#define RIOMMU_STUB_PAGE    0x1000
#define RIOMMU_STUB_DATA    0x400             /* so the code is below 1 KiB */
#define RIOMMU_STUB_MAGIC   "RVIOMMU-WRAPPER" /* 16 bytes with the NUL */
#define RIOMMU_STUB_VERSION 1

/* Offsets in the stub's page. */
enum riommu_stub_offset {
	RIOMMU_STUB_AT_MAGIC = RIOMMU_STUB_DATA,
	RIOMMU_STUB_AT_VERSION = RIOMMU_STUB_DATA + 16,        /* u32 */
	RIOMMU_STUB_AT_LAYOUT = RIOMMU_STUB_DATA + 20,         /* u32, enum riommu_image_layout */
	RIOMMU_STUB_AT_COUNT = RIOMMU_STUB_DATA + 24,          /* u32, IOMMUs in the table */
	RIOMMU_STUB_AT_RESERVED = RIOMMU_STUB_DATA + 28,       /* u32, 0 */
	RIOMMU_STUB_AT_TARGET = RIOMMU_STUB_DATA + 32,         /* s64, to the kernel's entry */
	RIOMMU_STUB_AT_ORIGINAL_SIZE = RIOMMU_STUB_DATA + 40,  /* u64, of the file */
	RIOMMU_STUB_AT_ORIGINAL_IMAGE = RIOMMU_STUB_DATA + 48, /* u64, its image_size */
	RIOMMU_STUB_AT_ORIGINAL_CODE = RIOMMU_STUB_DATA + 56,  /* its bytes 0 to 7 */
	RIOMMU_STUB_AT_TABLE = RIOMMU_STUB_DATA + 64,
};

/* An entry of the table. */
enum riommu_stub_entry_offset {
	RIOMMU_STUB_ENTRY_BASE = 0,         /* u64 */
	RIOMMU_STUB_ENTRY_CAPABILITIES = 8, /* u64, 0: not known */
	RIOMMU_STUB_ENTRY_POLICY = 16,      /* u32, enum riommu_policy */
	RIOMMU_STUB_ENTRY_RESERVED = 20,    /* u32, 0 */
	RIOMMU_STUB_ENTRY = 24,
};

/* What only the stub tests. */
#define RIOMMU_STUB_SSTATUS_SDT 0x1000000 /* Ssdbltrp: a trap while it is set is the hart's last */
#define RIOMMU_STUB_CAPABILITIES_MASK \
	0x00fff000001030f0 /* reserved 55:44, 20, 13:12; major version 7:4 */
#define RIOMMU_STUB_CAPABILITIES_WANT 0x10
#define RIOMMU_STUB_DDTP_RESERVED     0xffc00000000003e0 /* 63:54, 9:5 */
#define RIOMMU_STUB_QUEUE_ON          0x10000            /* cqcsr.cqon, fqcsr.fqon, pqcsr.pqon */
#define RIOMMU_STUB_QUEUE_BUSY        0x20000
#define RIOMMU_STUB_TR_REQ_GO         0x1

/* Of a device tree, as a little-endian machine reads it. */
#define RIOMMU_STUB_FDT_MAGIC   0xedfe0dd0
#define RIOMMU_STUB_FDT_VERSION 0x11000000 /* 17, the only one that Linux knows */
#define RIOMMU_STUB_FDT_PROP    0x03000000

#endif
