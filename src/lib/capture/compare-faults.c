/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which records of a fault queue are new. Two pictures of one ring: what was written in between lies from the old tail to the new
 * one, and all else has to be as it was. Where it is not, the ring went round at least once more, or somebody cleared it.
 */
#include "capture/compare-internal.h"

struct rings {
	const struct riommu_queue *queue; /* [2] */
	bool indexes;                     /* both tails are known */
	bool cleared, lapped, unreadable;

	int (*visit)(void *arg, const struct riommu_fault_visit *v);
	void *arg;
	struct riommu_ring_change *ring;
};

/* True if the entry lies where the tail went by. */
static bool is_written(const struct rings *r, uint32_t index)
{
	const struct riommu_queue *old = &r->queue[0], *new = &r->queue[1];
	uint32_t mask = old->entries - 1;

	return r->indexes && ((index - old->tail) & mask) < ((new->tail - old->tail) & mask);
}

enum likeness { ALIKE, DIFFERENT, UNREADABLE };

/* The entry at the place of V in the other ring. */
static enum likeness compare_with(const struct riommu_queue *other,
				  const struct riommu_fault_visit *v, bool *present)
{
	uint64_t dw[4];

	if (riommu_queue_read(other, v->index, dw))
		return UNREADABLE;
	*present = riommu_fault_present(dw);
	return memcmp(dw, v->dw, sizeof(dw)) ? DIFFERENT : ALIKE;
}

static int look_at_old(void *arg, const struct riommu_fault_visit *v)
{
	struct rings *r = arg;
	bool present = true;
	enum likeness likeness =
		v->error ? UNREADABLE : compare_with(&r->queue[RIOMMU_NEW], v, &present);

	r->unreadable |= likeness == UNREADABLE;
	r->cleared |= !present;
	r->lapped |= likeness == DIFFERENT && r->indexes && !is_written(r, v->index);
	return 0;
}

static int look_at_new(void *arg, const struct riommu_fault_visit *v)
{
	struct rings *r = arg;
	bool present;
	enum likeness likeness =
		v->error ? UNREADABLE : compare_with(&r->queue[RIOMMU_OLD], v, &present);

	r->unreadable |= likeness == UNREADABLE;
	r->lapped |= likeness == DIFFERENT && r->indexes && !is_written(r, v->index);
	return 0;
}

/* The tail went by, but its first step left nothing: it did not go forward, it began anew. */
static bool begins_anew(const struct rings *r)
{
	uint64_t dw[4];

	return r->indexes && r->queue[0].tail != r->queue[1].tail &&
	       !riommu_queue_read(&r->queue[RIOMMU_NEW], r->queue[0].tail, dw) &&
	       !riommu_fault_present(dw);
}

static enum riommu_ring_state judge(struct rings *r)
{
	const struct riommu_queue *old = &r->queue[0], *new = &r->queue[1];

	if (old->base != new->base || old->entries != new->entries)
		return RIOMMU_RING_MOVED;
	r->indexes = old->indexes_known && new->indexes_known;
	riommu_visit_faults(old, look_at_old, r);
	riommu_visit_faults(new, look_at_new, r);
	if (r->cleared || begins_anew(r))
		return RIOMMU_RING_RESET;
	if (r->lapped)
		return RIOMMU_RING_LAPPED;
	if (!r->indexes || r->unreadable)
		return RIOMMU_RING_UNKNOWN;
	return old->tail == new->tail ? RIOMMU_RING_SAME : RIOMMU_RING_GREW;
}

static bool is_new(const struct rings *r, const struct riommu_fault_visit *v)
{
	bool present;

	switch (r->ring->state) {
	case RIOMMU_RING_MOVED:
		return true;
	case RIOMMU_RING_SAME:
		return false;
	case RIOMMU_RING_GREW:
		return is_written(r, v->index);
	case RIOMMU_RING_UNKNOWN:
		if (is_written(r, v->index))
			return true;
		/* fall through */
	case RIOMMU_RING_LAPPED:
	case RIOMMU_RING_RESET:
		return compare_with(&r->queue[RIOMMU_OLD], v, &present) == DIFFERENT;
	}
	return false;
}

static int tell_new(void *arg, const struct riommu_fault_visit *v)
{
	struct rings *r = arg;

	if (!v->error && !is_new(r, v))
		return 0;
	r->ring->added += !v->error;
	return r->visit(r->arg, v);
}

int riommu_compare_faults(const struct riommu_queue queue[2],
			  int (*visit)(void *arg, const struct riommu_fault_visit *v), void *arg,
			  struct riommu_ring_change *ring)
{
	struct rings r = {.queue = queue, .visit = visit, .arg = arg, .ring = ring};

	*ring = (struct riommu_ring_change){.state = judge(&r)};
	return riommu_visit_faults(&queue[RIOMMU_NEW], tell_new, &r);
}
