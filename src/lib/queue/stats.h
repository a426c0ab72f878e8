/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue: what a watch has seen, summed up: for each IOMMU and each device how many faults, how fast, the last of them, and how
 * many pages. Memory is bounded whatever a device does: what does not fit is counted, not remembered.
 */
#ifndef RIOMMU_QUEUE_STATS_H
#define RIOMMU_QUEUE_STATS_H

#include "queue/watch.h"

/* -- rates ------------------------------------------------------------------------------------------- */

#define RIOMMU_RATE_SLOTS 101 /* of 100 ms: ten seconds and the one that goes on */

struct riommu_rate {
	uint64_t slot; /* number of the newest slot, counted from time 0 */
	uint32_t count[RIOMMU_RATE_SLOTS];
};

void riommu_rate_add(struct riommu_rate *rate, uint64_t time);

/* Events a second over the last SECONDS (1 or 10) full seconds before NOW, in tenths. */
uint64_t riommu_rate_tenths(const struct riommu_rate *rate, uint64_t now, unsigned seconds);

/* -- distinct pages ------------------------------------------------------------------------------------ */

#define RIOMMU_DISTINCT_KEPT 256

/*
 * How many different values were seen: exact up to RIOMMU_DISTINCT_KEPT, beyond that estimated from the smallest hashes
 * (standard error 6 %).
 */
struct riommu_distinct {
	uint32_t kept;
	bool full;                           /* hashes were dropped: the count is an estimate */
	uint64_t hash[RIOMMU_DISTINCT_KEPT]; /* the smallest, ascending */
};

void riommu_distinct_add(struct riommu_distinct *d, uint64_t value);
uint64_t riommu_distinct_count(const struct riommu_distinct *d, bool *exact);

/* -- all of it ------------------------------------------------------------------------------------------ */

#define RIOMMU_STATS_DEVICES 4096
#define RIOMMU_STATS_LOG     8192 /* a power of two */

struct riommu_device_stats {
	uint32_t iommu;
	bool has_device; /* false: records that name none (TTYP "none") */
	uint32_t device_id;
	uint64_t total;  /* seen since watching began, or since the last clear */
	uint64_t before; /* in the ring when watching began */
	/* of `total`: found by comparing the ring, more may have been written over */
	uint64_t untimed;
	struct riommu_rate rate;
	struct riommu_distinct pages; /* of IOVAs, 4 KiB */
	struct riommu_fault last;
	uint64_t last_time;
	struct riommu_watch_event last_event;
};

struct riommu_iommu_stats {
	struct riommu_watch_state state; /* the last that was told */
	uint64_t state_time;
	uint64_t total, before;
	struct riommu_rate rate;
	uint64_t lost;                  /* records known to be missing: at least so many */
	uint64_t laps, may_laps;        /* how often the ring was, or may have been, written over */
	uint64_t blind;                 /* how often registers could not be read for a while */
	uint64_t unreadable, unwritten; /* records that memory did not give */
	uint64_t resets, mode_changes;
	uint64_t overflows; /* how often fqof or fqmf was seen to come up */
	bool overflowing;   /* it is set now: nothing is recorded */
	uint64_t overflow_since,
		overflow_time; /* when it came, and how long it was in all before, ns */
};

struct riommu_stats {
	uint32_t iommu_count;
	struct riommu_iommu_stats *iommus;

	struct riommu_device_stats **devices; /* in the order of their first fault */
	uint32_t device_count;
	uint64_t other;  /* faults of devices beyond RIOMMU_STATS_DEVICES */
	uint16_t *slots; /* open addressing: index into `devices` plus 1 */

	struct riommu_watch_event *log; /* the last RIOMMU_STATS_LOG events but for states */
	uint64_t logged;                /* how many there ever were */
};

/* NULL when memory is short. */
struct riommu_stats *riommu_stats_new(size_t iommus);
void riommu_stats_free(struct riommu_stats *stats);

/* A copy that stays as it is; NULL when memory is short. */
struct riommu_stats *riommu_stats_copy(const struct riommu_stats *stats);

/* Takes one event in. -ENOMEM when a new device does not fit into memory (it then counts as `other`). */
int riommu_stats_add(struct riommu_stats *stats, const struct riommu_watch_event *event);

/* Forgets all counts; what IOMMUs are like NOW stays, and an overflow that goes on is the first of the new counts. */
void riommu_stats_clear(struct riommu_stats *stats, uint64_t now);

/* The Ith event from the end, 0 being the newest; NULL when there is none so far back. */
const struct riommu_watch_event *riommu_stats_log(const struct riommu_stats *stats, uint64_t i);

/* Whether records of this IOMMU are, or may be, missing. Silence is no proof of no faults then. */
bool riommu_stats_missing(const struct riommu_iommu_stats *s);

#endif
