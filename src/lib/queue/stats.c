/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sums over the events of a watch. */
#include "queue/stats.h"

#include <stdlib.h>

#define SLOT_TIME    ((uint64_t)100 * 1000 * 1000)
#define DEVICE_SLOTS (2 * RIOMMU_STATS_DEVICES)

/* -- rates ------------------------------------------------------------------------------------------------- */

void riommu_rate_add(struct riommu_rate *rate, uint64_t time)
{
	uint64_t slot = time / SLOT_TIME;

	if (slot < rate->slot)
		slot = rate->slot; /* a clock that went back: now is as good as any */
	if (slot - rate->slot >= RIOMMU_RATE_SLOTS)
		memset(rate->count, 0, sizeof(rate->count));
	else
		for (uint64_t i = rate->slot + 1; i <= slot; i++)
			rate->count[i % RIOMMU_RATE_SLOTS] = 0;
	rate->slot = slot;
	rate->count[slot % RIOMMU_RATE_SLOTS]++;
}

uint64_t riommu_rate_tenths(const struct riommu_rate *rate, uint64_t now, unsigned seconds)
{
	uint64_t end = now / SLOT_TIME, sum = 0, slots = (uint64_t)seconds * 10;
	uint64_t first = end > slots ? end - slots : 0;

	/* the slot that goes on is left out; so is what was overwritten and what has not come yet */
	for (uint64_t slot = first; slot < end; slot++)
		if (slot <= rate->slot && rate->slot - slot < RIOMMU_RATE_SLOTS)
			sum += rate->count[slot % RIOMMU_RATE_SLOTS];
	return seconds ? sum * 10 / seconds : 0;
}

/* -- distinct pages -------------------------------------------------------------------------------------- */

/* splitmix64: neighbours become strangers. */
static uint64_t mix(uint64_t v)
{
	v += 0x9e3779b97f4a7c15u;
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
	v = (v ^ v >> 27) * 0x94d049bb133111ebu;
	return v ^ v >> 31;
}

void riommu_distinct_add(struct riommu_distinct *d, uint64_t value)
{
	uint64_t hash = mix(value);
	uint32_t low = 0, high = d->kept, tail;

	if (d->kept == RIOMMU_DISTINCT_KEPT && hash > d->hash[d->kept - 1]) {
		d->full = true;
		return;
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (d->hash[middle] < hash)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < d->kept && d->hash[low] == hash)
		return;
	if (d->kept == RIOMMU_DISTINCT_KEPT) {
		d->full = true; /* the largest goes */
		d->kept--;
	}
	tail = d->kept - low;
	memmove(&d->hash[low + 1], &d->hash[low], tail * sizeof(d->hash[0]));
	d->hash[low] = hash;
	d->kept++;
}

uint64_t riommu_distinct_count(const struct riommu_distinct *d, bool *exact)
{
	double largest;

	*exact = !d->full;
	if (!d->full)
		return d->kept;
	/* hashes are spread evenly: of N, the Kth smallest lies at K/N of the range */
	largest = (double)d->hash[d->kept - 1] / 18446744073709551616.0;
	return (uint64_t)((double)(d->kept - 1) / largest);
}

/* -- devices ------------------------------------------------------------------------------------------------ */

static size_t slot_of(const struct riommu_stats *s, uint32_t iommu, bool has_device, uint32_t id)
{
	size_t slot =
		(size_t)mix((uint64_t)iommu << 32 | (uint64_t)has_device << 24 | id) % DEVICE_SLOTS;

	for (; s->slots[slot]; slot = (slot + 1) % DEVICE_SLOTS) {
		const struct riommu_device_stats *d = s->devices[s->slots[slot] - 1];

		if (d->iommu == iommu && d->has_device == has_device && d->device_id == id)
			break;
	}
	return slot;
}

/* The device of a fault, made when it is new; NULL when there is no room. */
static struct riommu_device_stats *device_of(struct riommu_stats *s, uint32_t iommu,
					     const struct riommu_fault *fault, int *error)
{
	bool has_device = riommu_fault_has_device(fault);
	uint32_t id = has_device ? fault->did : 0;
	size_t slot = slot_of(s, iommu, has_device, id);
	struct riommu_device_stats *d;

	if (s->slots[slot])
		return s->devices[s->slots[slot] - 1];
	if (s->device_count == RIOMMU_STATS_DEVICES)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d) {
		*error = -ENOMEM;
		return NULL;
	}
	d->iommu = iommu;
	d->has_device = has_device;
	d->device_id = id;
	s->devices[s->device_count++] = d;
	s->slots[slot] = (uint16_t)s->device_count;
	return d;
}

static int add_fault(struct riommu_stats *s, const struct riommu_watch_event *e)
{
	struct riommu_iommu_stats *unit = &s->iommus[e->iommu];
	struct riommu_device_stats *d;
	struct riommu_request request;
	struct riommu_fault fault;
	int error = 0;

	riommu_fault_decode(e->dw, &fault);
	if (e->before)
		unit->before++;
	else
		unit->total++;
	if (!e->before)
		riommu_rate_add(&unit->rate, e->time);
	d = device_of(s, e->iommu, &fault, &error);
	if (!d) {
		s->other++;
		return error;
	}
	if (e->before) {
		d->before++;
	} else {
		d->total++;
		d->untimed += !e->ordered;
		riommu_rate_add(&d->rate, e->time);
	}
	if (riommu_fault_request(&fault, &request))
		riommu_distinct_add(&d->pages, fault.iotval >> RIOMMU_PAGE_SHIFT);
	d->last = fault;
	d->last_time = e->time;
	d->last_event = *e;
	return 0;
}

/* -- IOMMUs ------------------------------------------------------------------------------------------------- */

static void set_overflow(struct riommu_iommu_stats *unit, uint64_t csr, uint64_t time)
{
	bool now = csr & (RIOMMU_QUEUE_OF | RIOMMU_QUEUE_MF);

	if (now && !unit->overflowing) {
		unit->overflows++;
		unit->overflow_since = time;
	}
	if (!now && unit->overflowing)
		unit->overflow_time += time - unit->overflow_since;
	unit->overflowing = now;
}

static void set_state(struct riommu_iommu_stats *unit, const struct riommu_watch_event *e)
{
	unit->state = e->state;
	unit->state_time = e->time;
	if (e->state.indexes_known)
		set_overflow(unit, e->state.csr, e->time);
}

/* Counts of a recording are anything: a sum that does not fit stays at the largest, and never comes back to 0. */
static void add_count(uint64_t *sum, uint64_t count)
{
	if (!riommu_add(*sum, count, sum))
		*sum = UINT64_MAX;
}

static void add_lost(struct riommu_iommu_stats *unit, const struct riommu_watch_event *e)
{
	switch (e->why) {
	case RIOMMU_LOST_LAPPED:
		unit->laps++;
		add_count(&unit->lost, e->count);
		return;
	case RIOMMU_LOST_MAY_TIME:
	case RIOMMU_LOST_MAY_IRQ:
		unit->may_laps++;
		return;
	case RIOMMU_LOST_UNREADABLE:
		add_count(&unit->unreadable, e->count);
		return;
	case RIOMMU_LOST_UNWRITTEN:
		add_count(&unit->unwritten, e->count);
		return;
	default:
		unit->blind++;
	}
}

bool riommu_stats_missing(const struct riommu_iommu_stats *s)
{
	return s->lost || s->laps || s->may_laps || s->blind || s->unreadable || s->unwritten ||
	       s->resets || s->overflows || s->overflowing;
}

/* -- all ---------------------------------------------------------------------------------------------------- */

static void log_event(struct riommu_stats *s, const struct riommu_watch_event *e)
{
	s->log[s->logged++ & (RIOMMU_STATS_LOG - 1)] = *e;
}

int riommu_stats_add(struct riommu_stats *s, const struct riommu_watch_event *e)
{
	struct riommu_iommu_stats *unit;

	if (e->iommu >= s->iommu_count)
		return -EINVAL;
	unit = &s->iommus[e->iommu];
	if (e->kind != RIOMMU_WATCH_STATE)
		log_event(s, e);
	switch (e->kind) {
	case RIOMMU_WATCH_FAULT:
		return add_fault(s, e);
	case RIOMMU_WATCH_STATE:
		set_state(unit, e);
		return 0;
	case RIOMMU_WATCH_MODE:
		unit->mode_changes++;
		unit->state.ddtp_known = true;
		unit->state.ddtp = e->to;
		return 0;
	case RIOMMU_WATCH_CSR:
		unit->state.csr = (uint32_t)e->to;
		set_overflow(unit, e->to, e->time);
		return 0;
	case RIOMMU_WATCH_LOST:
		add_lost(unit, e);
		return 0;
	case RIOMMU_WATCH_RESET:
		unit->resets++;
		return 0;
	default:
		return -EINVAL;
	}
}

const struct riommu_watch_event *riommu_stats_log(const struct riommu_stats *s, uint64_t i)
{
	if (i >= s->logged || i >= RIOMMU_STATS_LOG)
		return NULL;
	return &s->log[(s->logged - 1 - i) & (RIOMMU_STATS_LOG - 1)];
}

static void drop_devices(struct riommu_stats *s)
{
	for (uint32_t i = 0; i < s->device_count; i++)
		free(s->devices[i]);
	s->device_count = 0;
	s->other = 0;
	memset(s->slots, 0, DEVICE_SLOTS * sizeof(*s->slots));
}

void riommu_stats_clear(struct riommu_stats *s, uint64_t now)
{
	drop_devices(s);
	s->logged = 0;
	for (uint32_t i = 0; i < s->iommu_count; i++) {
		struct riommu_iommu_stats *unit = &s->iommus[i];

		*unit = (struct riommu_iommu_stats){
			.state = unit->state,
			.state_time = unit->state_time,
			.overflows = unit->overflowing,
			.overflowing = unit->overflowing,
			.overflow_since = now,
		};
	}
}

struct riommu_stats *riommu_stats_new(size_t iommus)
{
	struct riommu_stats *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->iommu_count = (uint32_t)iommus;
	s->iommus = calloc(iommus + 1, sizeof(*s->iommus));
	s->devices = calloc(RIOMMU_STATS_DEVICES, sizeof(struct riommu_device_stats *));
	s->slots = calloc(DEVICE_SLOTS, sizeof(*s->slots));
	s->log = calloc(RIOMMU_STATS_LOG, sizeof(*s->log));
	if (s->iommus && s->devices && s->slots && s->log)
		return s;
	riommu_stats_free(s);
	return NULL;
}

struct riommu_stats *riommu_stats_copy(const struct riommu_stats *from)
{
	struct riommu_stats *to = riommu_stats_new(from->iommu_count);

	if (!to)
		return NULL;
	for (; to->device_count < from->device_count; to->device_count++) {
		struct riommu_device_stats *d = malloc(sizeof(*d));

		if (!d) {
			riommu_stats_free(to);
			return NULL;
		}
		*d = *from->devices[to->device_count];
		to->devices[to->device_count] = d;
	}
	memcpy(to->iommus, from->iommus, from->iommu_count * sizeof(*to->iommus));
	memcpy(to->slots, from->slots, DEVICE_SLOTS * sizeof(*to->slots));
	memcpy(to->log, from->log, RIOMMU_STATS_LOG * sizeof(*to->log));
	to->other = from->other;
	to->logged = from->logged;
	return to;
}

void riommu_stats_free(struct riommu_stats *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->device_count; i++)
		free(s->devices[i]);
	free(s->iommus);
	free(s->devices);
	free(s->slots);
	free(s->log);
	free(s);
}
