/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The record of a handover (design 3.6): what the stub, which runs before the next kernel, saw and did. It is the property
 * `riscv-iommu-handover` of /chosen in the device tree that the next kernel is given. All of it is little-endian, whatever
 * the tree is; properties are 4-byte aligned and so is the record: the stub stores 32 bits at a time.
 */
#ifndef RIOMMU_SPEC_RECORD_H
#define RIOMMU_SPEC_RECORD_H

#include "base/base.h"

#define RIOMMU_RECORD_NODE     "/chosen"
#define RIOMMU_RECORD_PROPERTY "riscv-iommu-handover"

#define RIOMMU_RECORD_MAGIC      "RVIOMMU-HANDOVER" /* 16 bytes, the NUL not among them */
#define RIOMMU_RECORD_MAGIC_SIZE 16
#define RIOMMU_RECORD_VERSION    1

/* The largest device tree: the kernel maps no more, and the stub does not look at larger ones. */
#define RIOMMU_FDT_MAX ((size_t)2 << 20)

/* As many IOMMUs as a stub handles, and as a record has room for. */
#define RIOMMU_RECORD_MAX 64

/* Header, 32 bytes. `size` is that of the whole record: header and `capacity` entries. */
enum riommu_record_offset {
	RIOMMU_RECORD_AT_MAGIC = 0,
	RIOMMU_RECORD_AT_VERSION = 16,
	RIOMMU_RECORD_AT_SIZE = 20,
	RIOMMU_RECORD_AT_CAPACITY = 24,
	RIOMMU_RECORD_AT_STATE = 28,
	RIOMMU_RECORD_HEAD = 32,
};

enum riommu_record_state {
	RIOMMU_RECORD_NEVER_RUN = 0, /* as it was made: no stub has seen it */
	/* a stub began and did not come to its end: what follows is incomplete */
	RIOMMU_RECORD_ENTERED = 1,
	RIOMMU_RECORD_FINISHED = 2,
};

/* Entry I of the record is entry I of the stub's table, 128 bytes; 64-bit values are two words, low one first. */
enum riommu_record_entry_offset {
	RIOMMU_RECORD_AT_BASE = 0,          /* u64 */
	RIOMMU_RECORD_AT_POLICY = 8,        /* u32, enum riommu_policy */
	RIOMMU_RECORD_AT_STATUS = 12,       /* u32, enum riommu_record_status */
	RIOMMU_RECORD_AT_CAPABILITIES = 16, /* u64, as read; from here on 0 where it was not read */
	RIOMMU_RECORD_AT_DDTP_OLD = 24,     /* u64, before anything was written */
	/* u64, read back after it was written; a copy of the old one where nothing was, or where a trap came in between */
	RIOMMU_RECORD_AT_DDTP_NEW = 32,
	/* u64; all registers from here to ipsr as they were before anything was written */
	RIOMMU_RECORD_AT_CQB = 40,
	RIOMMU_RECORD_AT_FQB = 48,  /* u64 */
	RIOMMU_RECORD_AT_PQB = 56,  /* u64; PQ registers only with capabilities.ATS */
	RIOMMU_RECORD_AT_FCTL = 64, /* u32, like all that follow */
	RIOMMU_RECORD_AT_CQH = 68,
	RIOMMU_RECORD_AT_CQT = 72,
	RIOMMU_RECORD_AT_FQH = 76,
	RIOMMU_RECORD_AT_FQT = 80,
	RIOMMU_RECORD_AT_PQH = 84,
	RIOMMU_RECORD_AT_PQT = 88,
	RIOMMU_RECORD_AT_CQCSR = 92,
	RIOMMU_RECORD_AT_FQCSR = 96,
	RIOMMU_RECORD_AT_PQCSR = 100,
	RIOMMU_RECORD_AT_IPSR = 104,
	/* how long it took, in ticks of the time CSR; 0 where that cannot be read */
	RIOMMU_RECORD_AT_TICKS = 108,
	RIOMMU_RECORD_AT_PADDING = 112,
	RIOMMU_RECORD_ENTRY = 128,
};

enum riommu_policy {
	RIOMMU_POLICY_BLOCK = 0,
	RIOMMU_POLICY_LEAVE = 1, /* look and record; write nothing */
};

/* What became of an IOMMU. Where several failures apply, the first in time. */
enum riommu_record_status {
	/* the stub did not come to it, or it has none */
	RIOMMU_RECORD_UNUSED = 0,
	/* ddtp reads Off, and all queues are off */
	RIOMMU_RECORD_BLOCKED = 1,
	/* policy leave */
	RIOMMU_RECORD_LEFT = 2,
	/* an access ended in a trap (nothing at that address, ...); what came before it was done */
	RIOMMU_RECORD_TRAP = 3,
	/* capabilities or ddtp cannot be those of the IOMMU that was meant: nothing was written */
	RIOMMU_RECORD_NOT_IOMMU = 4,
	/* ddtp.busy or tr_req_ctl.Go stayed set: ddtp was not written. In 5 to 7 the queues were stopped all the same */
	RIOMMU_RECORD_BUSY_BEFORE = 5,
	/* ddtp.busy stayed set after the write */
	RIOMMU_RECORD_BUSY_AFTER = 6,
	/* ddtp.iommu_mode does not read Off after the write */
	RIOMMU_RECORD_MODE_KEPT = 7,
	/* Off, but a queue stayed busy or on */
	RIOMMU_RECORD_QUEUE_ON = 8,
	RIOMMU_RECORD_STATUS_COUNT = 9,
};

/* The size of a record with room for COUNT IOMMUs. */
#define RIOMMU_RECORD_SIZE(count) (RIOMMU_RECORD_HEAD + (size_t)(count)*RIOMMU_RECORD_ENTRY)

/* -- reading and making one: pure functions on bytes ----------------------------------------------------------------- */

struct riommu_record_entry {
	uint64_t base;
	uint32_t policy, status; /* enum riommu_policy, enum riommu_record_status */
	uint64_t capabilities, ddtp_old, ddtp_new, cqb, fqb, pqb;
	uint32_t fctl, cqh, cqt, fqh, fqt, pqh, pqt, cqcsr, fqcsr, pqcsr, ipsr, ticks;
};

struct riommu_record {
	uint32_t state;    /* enum riommu_record_state */
	uint32_t capacity; /* entries there is room for: 1 to RIOMMU_RECORD_MAX */
	uint32_t used;     /* entries up to the last whose status is not RIOMMU_RECORD_UNUSED */
	struct riommu_record_entry entry[RIOMMU_RECORD_MAX];
};

/*
 * Reads a record that begins at BYTES: the contents of /proc/device-tree/chosen/riscv-iommu-handover, or a place that
 * riommu_record_search() found. LEN may be larger than the record. Magic, version, size, capacity, state, and status and policy
 * of each entry are checked. -EBADMSG.
 */
int riommu_record_parse(struct riommu_ctx *ctx, const void *bytes, size_t len,
			struct riommu_record *record);

/* The same for a device tree blob: the property RIOMMU_RECORD_PROPERTY of /chosen. -ENODATA when there is none, -EBADMSG. */
int riommu_record_from_fdt(struct riommu_ctx *ctx, const void *fdt, size_t len,
			   struct riommu_record *record);

/*
 * The first place at or after *AT, at a multiple of 4, where LEN bytes of memory hold a record (magic, version, and size that fits
 * capacity and LEN). True with its offset in *AT. For memory of which one does not know where the tree is.
 */
bool riommu_record_search(const void *bytes, size_t len, size_t *at);

/* Writes a record that never ran, RIOMMU_RECORD_SIZE(CAPACITY) bytes, to BYTES. CAPACITY is 1 to RIOMMU_RECORD_MAX. */
void riommu_record_init(void *bytes, uint32_t capacity);

/* "blocked", "not an IOMMU", ...; NULL for a number that is none. Likewise "never run", "entered", "finished"; "block", "leave". */
const char *riommu_record_status_name(uint32_t status);
const char *riommu_record_state_name(uint32_t state);
const char *riommu_policy_name(uint32_t policy);

#endif
