/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Performance counters (specification, 6.19 to 6.23): what a selector counts, and how far a counter went. */
#ifndef RIOMMU_SPEC_COUNTERS_H
#define RIOMMU_SPEC_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#define RIOMMU_COUNTERS 31 /* iohpmctr1 .. iohpmctr31 */

#define RIOMMU_COUNTER_CYCLES_BITS 63 /* iohpmcycles; bit 63 is OF */
#define RIOMMU_COUNTER_EVENT_BITS  64
#define RIOMMU_COUNTER_OF          ((uint64_t)1 << 63) /* of iohpmcycles and of iohpmevt */

/* iohpmevt taken apart. */
struct riommu_selector {
	unsigned event;  /* 0: counts nothing */
	bool by_soft_id; /* IDT: filters are PSCID and GSCID, else process_id and device_id */
	bool by_process; /* only PROCESS, a process_id or PSCID */
	bool by_device;  /* only FIRST to LAST, device_ids or GSCIDs */
	uint32_t process;
	uint32_t first, last;
	bool never; /* an event that cannot be filtered by soft id, with IDT 1: it never counts */
};

void riommu_selector_decode(uint64_t iohpmevt, struct riommu_selector *s);

/*
 * How far a counter of BITS bits at most went from BEFORE to AFTER. One that has fewer bits (32 at least; no register says how
 * many) wraps earlier: the width is the least that holds BEFORE. False when it cannot be told: the counter fell back although
 * OVERFLOWED (its OF bit, at AFTER) is clear, or by more than half its width: software wrote it.
 */
bool riommu_counter_delta(uint64_t before, uint64_t after, bool overflowed, unsigned bits,
			  uint64_t *delta);

#endif
