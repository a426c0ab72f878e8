/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An IOMMU of which only the fault queue works, and the driver that consumes it: registers and ring in our own memory, as a
 * source gives them. It follows 4.2 of the specification: full is tail + 1 == head, fqof drops records until it is cleared,
 * fqen from 0 to 1 sets the tail to 0.
 */
#ifndef TEST_RING_H
#define TEST_RING_H

#include "discover/discover.h"

#include <stdatomic.h>

#define RING_BASE 0x80000000u /* of the ring, unless it was moved */
#define RING_REGS 0x3010000u  /* of the registers */

struct ring {
	uint32_t entries;
	_Atomic uint32_t head, tail, csr;
	uint64_t base, ddtp;
	uint64_t (*record)[4];
	bool dead;          /* registers read as all ones */
	bool unreadable;    /* memory answers "not held" */
	bool no_tail;       /* fqt cannot be read */
	uint32_t absent;    /* another register that cannot be read, by its offset; 0: none */
	uint64_t fetched;   /* the page that is asked for, when on_fetch() is called */
	int register_error; /* what registers answer, 0: their values */
	unsigned register_reads;
	/* called before ddtp (the first of a state) or the tail is read, and before memory is fetched: to do something in between */
	void (*on_ddtp)(struct ring *ring);
	void (*on_tail)(struct ring *ring);
	void (*on_fetch)(struct ring *ring);
	void *arg;

	struct riommu_ctx *ctx;
	struct riommu_iommu *iommu;
	struct riommu_system sys; /* live, with one IOMMU called "test" */
};

/* Ends the test when there is no memory. ENTRIES is a power of two. PROC is where /proc is. */
struct ring *ring_new(uint32_t entries, const char *proc);
void ring_free(struct ring *ring);

/* The IOMMU has a fault to report: true if it went into the queue. */
bool ring_write(struct ring *ring, const uint64_t dw[4]);

/* A read fault of device DID at IOVA. */
bool ring_fault(struct ring *ring, uint32_t did, uint64_t iova);

/* The driver takes all there is, and clears fqof and fqmf. */
void ring_consume(struct ring *ring);

/* The driver sets the queue up anew in cleared memory. */
void ring_enable(struct ring *ring, uint64_t base);

/* Replaces a register: for what was never known. STATE as in the snapshot. */
void ring_forget_register(struct ring *ring, uint32_t offset);

#endif
