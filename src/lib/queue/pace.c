/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often a queue is looked at. */
#include "queue/watch.h"

#define IDLE_SHARE 300 /* of the CPU time of a poll: idle, polls take 1/300 of a core */
#define FILL_SHARE 8   /* of the ring that may be new at a poll */

static uint64_t within(uint64_t v, uint64_t low, uint64_t high)
{
	return v < low ? low : v > high ? high : v;
}

/* The time in which an eighth of the ring fills, at the rate of the last poll. */
static uint64_t time_to_fill(uint32_t entries, uint64_t found, uint64_t gap)
{
	return (uint64_t)((double)gap * ((double)entries / FILL_SHARE) / (double)found);
}

uint64_t riommu_pace_next(struct riommu_pace *pace, uint32_t entries, uint32_t fill, uint64_t found,
			  uint64_t gap, uint64_t cost)
{
	uint64_t idle = within(cost * IDLE_SHARE, RIOMMU_PACE_IDLE_MIN, RIOMMU_PACE_IDLE_MAX);
	uint64_t least = within(cost, RIOMMU_PACE_MIN, RIOMMU_PACE_BUSY);
	uint64_t next = pace->interval ? pace->interval : idle;

	pace->quiet = found ? 0 : pace->quiet + gap;
	if (found)
		next = within(time_to_fill(entries, found, gap), least, RIOMMU_PACE_BUSY);
	else if (pace->stormy && pace->quiet < RIOMMU_PACE_HOLD)
		next = within(next + next / 4, least, RIOMMU_PACE_BUSY);
	else
		next = within(next + next / 4, least, idle);
	pace->stormy = found || (pace->stormy && pace->quiet < RIOMMU_PACE_HOLD);
	/* who consumes is behind: the queue may be about to overflow, and that shows only for a moment */
	if (entries && fill > entries / 2)
		next = least;
	pace->interval = next;
	return next;
}
