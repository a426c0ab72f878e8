/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue: fault, page-request and command queues, read without disturbing them: the ring's memory and the index
 * registers are read, no index is ever moved (specification, chapter 4 "In-memory queue interface").
 */
#ifndef RIOMMU_QUEUE_H
#define RIOMMU_QUEUE_H

#include "discover/discover.h"
#include "spec/causes.h"
#include "spec/request.h"

enum riommu_queue_kind { RIOMMU_CQ, RIOMMU_FQ, RIOMMU_PQ };

/* Bits of cqcsr, fqcsr, pqcsr at the same place in all; OF in fqcsr and pqcsr only. */
#define RIOMMU_QUEUE_EN   ((uint32_t)1 << 0)
#define RIOMMU_QUEUE_IE   ((uint32_t)1 << 1)
#define RIOMMU_QUEUE_MF   ((uint32_t)1 << 8)
#define RIOMMU_QUEUE_OF   ((uint32_t)1 << 9)
#define RIOMMU_QUEUE_ON   ((uint32_t)1 << 16)
#define RIOMMU_QUEUE_BUSY ((uint32_t)1 << 17)

struct riommu_queue {
	enum riommu_queue_kind kind;
	struct riommu_source *memory;
	bool big_endian;     /* fctl.BE */
	uint64_t base;       /* physical address */
	uint32_t entries;    /* 2 .. 2^32 / size, a power of two */
	uint32_t entry_size; /* 16 or 32 bytes */
	uint32_t head, tail; /* entry indexes */
	uint32_t csr;
	bool indexes_known; /* false: head, tail or csr could not be read; only the ring is there */
};

/*
 * Describes queue KIND of an IOMMU from its register snapshot. -ENODATA when the queue does not exist (PQ without ATS)
 * or the base register or fctl is not known (-EACCES, -EFAULT: as its read went). -EBADMSG when the registers contradict
 * themselves: an index past the end (it is masked), a size past 4 GiB (it is cut), a base that is not aligned or past PAS;
 * *QUEUE is filled all the same and can be read.
 */
int riommu_queue_open(const struct riommu_system *sys, size_t iommu, enum riommu_queue_kind kind,
		      struct riommu_queue *queue);

/* Entries between head and tail: not yet consumed. 0 when the indexes are not known. */
uint32_t riommu_queue_pending(const struct riommu_queue *queue);

/* True if the record at INDEX lies between head and tail. */
bool riommu_queue_is_pending(const struct riommu_queue *queue, uint32_t index);

/* Reads entry INDEX: entry_size/8 doublewords in host order. Errors as riommu_source_read(); -EINVAL past the end. */
int riommu_queue_read(const struct riommu_queue *queue, uint32_t index, uint64_t *dw);

#define RIOMMU_ENTRY_DWORDS 4 /* of the largest entry, a fault record; the others have 2 */

struct riommu_entry_visit {
	uint32_t index;
	bool pending;
	uint64_t dw[RIOMMU_ENTRY_DWORDS]; /* those that the entry has, then zeros */
	int error; /* entries could not be read: one visit stands for `skipped` of them, from `index` on, wrapping */
	uint32_t skipped;
};
typedef int (*riommu_entry_fn)(void *arg, const struct riommu_entry_visit *v);

/*
 * Visits what is in the ring of any queue, oldest first: history (consumed, still in memory), then what is pending. Where the
 * indexes are not known the order is the ring's and `pending` is false. History that is all zero was never used and is passed
 * over; a pending entry never is. A non-zero return of VISIT ends it.
 */
int riommu_visit_entries(const struct riommu_queue *queue, riommu_entry_fn visit, void *arg);

struct riommu_fault {
	uint16_t cause;
	uint8_t ttyp;
	bool pv, priv;
	uint32_t pid, did;
	uint32_t custom, reserved; /* doubleword 1 */
	uint64_t iotval, iotval2;
};

/* A fault record of four doublewords, taken apart. */
void riommu_fault_decode(const uint64_t dw[4], struct riommu_fault *fault);

/*
 * The access of a request that only its cause tells about (a log line, an ATS record): instruction, read and write faults
 * have causes of their own. OTHERWISE for a cause that does not depend on the access.
 */
enum riommu_access riommu_cause_access(unsigned cause, enum riommu_access otherwise);

/* True for guest page faults: only with them iotval2 means something (GPA in bits 63:2, implicit access, and a write). */
bool riommu_cause_has_gpa(unsigned cause);

/* False for TTYP 0, no inbound request: DID, PID and PRIV of such a record say nothing. */
bool riommu_fault_has_device(const struct riommu_fault *fault);

/* True if a record can be one: not all zero. Unused ring memory is zero. */
bool riommu_fault_present(const uint64_t dw[4]);

/* As riommu_visit_entries() for the fault queue; records that are all zero are passed over, pending ones too. */
struct riommu_fault_visit {
	uint32_t index;
	bool pending;
	uint64_t dw[4];
	struct riommu_fault fault;
	int error; /* as in struct riommu_entry_visit */
	uint32_t skipped;
};
int riommu_visit_faults(const struct riommu_queue *queue,
			int (*visit)(void *arg, const struct riommu_fault_visit *v), void *arg);

/* The request that a fault record reports, for walking it: type, access, process_id, privilege. False when the record
 * is not about an inbound request (TTYP none, message, reserved). */
bool riommu_fault_request(const struct riommu_fault *fault, struct riommu_request *request);

#endif
