/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue: a fault queue watched while it lives. The ring's memory and the registers are polled; nothing is written, no
 * index is moved, so the driver that consumes the queue does not notice.
 *
 * The IOMMU writes a record at fqt and then moves fqt on (specification, 4.2). So with fqt each record is seen exactly
 * once and in order: the new ones lie between the index where the last poll ended and fqt. What can be missed is told:
 *
 *   overflow   fqof (or fqmf) is set: the IOMMU drops records until software clears it (event CSR)
 *   lapped     the IOMMU wrote the whole ring between two polls. For certain when the record before the first new one is
 *              another than it was; possible when the time between two polls, at the highest rate seen so far, or the
 *              interrupts of the queue leave room for it (event LOST). A queue that repeats one record for ever hides a lap
 *              from the first of these, so the others are asked always.
 *   reset      the queue was set up anew (fqt starts again at 0): what lay between is unknown (event RESET)
 *
 * Without fqt the ring is compared with what it was: a snapshot. Order and loss are then unknown, and the state says so.
 */
#ifndef RIOMMU_QUEUE_WATCH_H
#define RIOMMU_QUEUE_WATCH_H

#include "queue/queue.h"

/* What is known of an IOMMU and its fault queue at one moment. */
struct riommu_watch_state {
	bool ddtp_known, ring_known, indexes_known;
	uint64_t ddtp;
	uint64_t base;    /* of the ring */
	uint32_t entries; /* of the ring */
	uint32_t head, tail, csr;
};

enum riommu_watch_kind {
	RIOMMU_WATCH_FAULT = 1, /* a record */
	RIOMMU_WATCH_STATE,     /* `state` as it is now */
	RIOMMU_WATCH_MODE,      /* ddtp is `to`, it was `from` */
	RIOMMU_WATCH_CSR,       /* fqcsr is `to`, it was `from`: bits EN, MF, OF, ON */
	RIOMMU_WATCH_LOST,      /* records are, or may be, missing: `why`, at least `count` */
	RIOMMU_WATCH_RESET,     /* the queue was set up anew: `why` */
	RIOMMU_WATCH_KINDS
};

enum riommu_watch_why {
	RIOMMU_WHY_NONE,
	RIOMMU_LOST_LAPPED,     /* the ring was written over: for certain */
	RIOMMU_LOST_MAY_TIME,   /* it may have been: time between polls, at the highest rate */
	RIOMMU_LOST_MAY_IRQ,    /* it may have been: more interrupts than records */
	RIOMMU_LOST_UNREADABLE, /* memory could not be read: `error` */
	RIOMMU_LOST_UNWRITTEN,  /* entries before fqt are all zero */
	RIOMMU_LOST_BLIND,      /* registers could not be read for a while: `error` */
	RIOMMU_RESET_OFF,       /* fqon was seen to be 0 */
	RIOMMU_RESET_BASE,      /* fqb is another */
	RIOMMU_RESET_CONTENT,   /* fqt went back over entries that nobody had written */
	RIOMMU_WATCH_WHYS
};

/* A word for it: "lapped", "may_have_lapped_time", ...; "none" for one that does not exist. */
const char *riommu_watch_why_name(enum riommu_watch_why why);

struct riommu_watch_event {
	enum riommu_watch_kind kind;
	uint32_t iommu; /* index in the system */
	uint64_t time;  /* ns, as the poll was told */

	/* FAULT */
	uint64_t number; /* counts the records seen since watching began; 0 for one from before */
	uint32_t index;  /* in the ring */
	bool pending;    /* not yet consumed by software; false when that is not known */
	bool before;     /* it was in the ring when watching began */
	bool ordered;    /* false: found by comparing the ring, its place in the order is unknown */
	uint64_t dw[4];

	uint64_t from, to;         /* MODE, CSR */
	enum riommu_watch_why why; /* LOST, RESET */
	uint64_t count;            /* LOST: at least so many */
	int error;                 /* LOST: -errno */
	struct riommu_watch_state state;
};

/* Gets the events of a poll, in order. EVENT lives until it returns. */
typedef void (*riommu_watch_fn)(void *arg, const struct riommu_watch_event *event);

struct riommu_watch;

/*
 * Begins to watch the fault queue of an IOMMU of SYS, which has to outlive the watch. Without the ring (fqb or fctl not to be
 * had) it still watches the mode. -ENOMEM, -EINVAL. *WATCH is the caller's to riommu_watch_free().
 */
int riommu_watch_new(struct riommu_system *sys, size_t iommu, struct riommu_watch **watch);
void riommu_watch_free(struct riommu_watch *watch);

/*
 * Looks once. NOW is the time in ns, by a clock that does not go back. The first poll gives a STATE and what is in the ring as
 * `before`, oldest first. Returns how many new records there were, or -errno when neither registers nor memory could be read
 * (riommu_error() has the words); a later poll may succeed, and tells that records may be missing.
 */
int64_t riommu_watch_poll(struct riommu_watch *watch, uint64_t now, riommu_watch_fn fn, void *arg);

const struct riommu_watch_state *riommu_watch_state(const struct riommu_watch *watch);

/* Records between head and tail; 0 when the indexes are not known. */
uint32_t riommu_watch_fill(const struct riommu_watch_state *state);

/* Why the last poll could not read registers or memory, or how the registers contradict themselves; "" when all is well. */
const char *riommu_watch_trouble(const struct riommu_watch *watch);

/* -- how often to look ----------------------------------------------------------------------------- */

/* Fast while faults come, slow when none do, and never dear: see riommu_pace_next(). */
struct riommu_pace {
	uint64_t interval; /* ns; 0 at first */
	uint64_t quiet;    /* ns since the last fault */
	bool stormy;       /* there was one, not long ago */
};

#define RIOMMU_PACE_MIN      ((uint64_t)500 * 1000)
#define RIOMMU_PACE_BUSY     ((uint64_t)5 * 1000 * 1000)
#define RIOMMU_PACE_HOLD     ((uint64_t)1000 * 1000 * 1000)
#define RIOMMU_PACE_IDLE_MIN ((uint64_t)20 * 1000 * 1000)
#define RIOMMU_PACE_IDLE_MAX ((uint64_t)500 * 1000 * 1000)

/*
 * The time to sleep, in ns, after a poll that took COST ns of CPU time, GAP ns after the one before, and found FOUND new
 * records; FILL of ENTRIES are pending. While faults come, and a second longer (they come in bursts), the ring fills by at most
 * an eighth between two polls; idle, all polls together take less than a third of a percent of a core.
 */
uint64_t riommu_pace_next(struct riommu_pace *pace, uint32_t entries, uint32_t fill, uint64_t found,
			  uint64_t gap, uint64_t cost);

#endif
