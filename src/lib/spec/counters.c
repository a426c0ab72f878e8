/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Performance counters (specification, 6.19 to 6.23). */
#include "spec/counters.h"
#include "base/base.h"

#define COUNTER_BITS_MIN 32

/* Events that the specification lets IDT 1 filter: TLB misses and page table walks; custom ones may. */
static bool knows_soft_ids(unsigned event)
{
	return event == 4 || event == 7 || event == 8 || event > 8;
}

void riommu_selector_decode(uint64_t iohpmevt, struct riommu_selector *s)
{
	bool partial = riommu_bit(iohpmevt, 15);
	uint32_t device = (uint32_t)riommu_bits(iohpmevt, 59, 36), ignored;

	*s = (struct riommu_selector){
		.event = (unsigned)riommu_bits(iohpmevt, 14, 0),
		.by_soft_id = riommu_bit(iohpmevt, 62),
		.by_process = riommu_bit(iohpmevt, 60),
		.by_device = riommu_bit(iohpmevt, 61),
		.process = (uint32_t)riommu_bits(iohpmevt, 35, 16),
	};
	/* DMASK: bits up to the lowest 0, that one too, are ignored */
	ignored = partial ? (device ^ (device + 1)) & 0xffffff : 0;
	s->first = device & ~ignored;
	s->last = device | ignored;
	s->never = s->by_soft_id && s->event && !knows_soft_ids(s->event);
}

bool riommu_counter_delta(uint64_t before, uint64_t after, bool overflowed, unsigned bits,
			  uint64_t *delta)
{
	unsigned width = COUNTER_BITS_MIN;

	if (after >= before) {
		*delta = after - before;
		return true;
	}
	if (!overflowed)
		return false;
	while (width < bits && before >> width)
		width++;
	*delta = (after - before) & riommu_mask(width - 1, 0);
	return !riommu_bit(*delta, width - 1);
}
