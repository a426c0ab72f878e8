/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fault queue polled. All that a poll believes is checked against the ring after it was copied: the record before the
 * first new one is the last that the IOMMU overwrites on its way round, so while that one is what it was, no copy was torn.
 */
#include "queue/watch-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SHADOW_MAX \
	((uint32_t)1 << 20) /* records that are remembered: 32 MiB; rings of Linux have 4,096 */
#define CHUNK       1024u   /* records that are copied before the copy is checked */
#define RESYNCS     3u      /* laps in one poll before it gives up on the rest */
#define SECOND      ((uint64_t)1000000000)
#define IRQ_READING SECOND /* how often interrupts are counted */

typedef uint64_t record_t[4];

struct riommu_watch {
	struct riommu_system *sys;
	size_t iommu;
	struct riommu_queue queue;
	struct riommu_watch_state state;
	char trouble[400];

	bool started, ordered, troubled, was_off;
	bool adrift; /* the IOMMU got round too fast: `seen` and the shadow are of an earlier round */
	bool gap;    /* memory could not be read: the shadow may lack the record before `seen` */
	uint32_t seen;   /* index behind the last record seen, while `ordered` */
	uint64_t number; /* records seen since the first poll */
	uint64_t last;   /* when the last poll was that could read */
	uint64_t peak;   /* highest rate so far, records a second */

	record_t *shadow; /* the ring as it was when last looked at, by the low bits of the index */
	uint32_t shadow_size;
	record_t chunk[CHUNK];

	int irq_fd; /* /proc/interrupts, read again and again */
	bool irq_known;
	uint64_t irq_count, irq_time;
	uint64_t irq_number; /* `number` at that time, and how many records were on their way */
	uint32_t irq_pending;

	/* of the poll that goes on */
	uint64_t now;
	riommu_watch_fn fn;
	void *arg;
};

/* -- telling --------------------------------------------------------------------------------------- */

const char *riommu_watch_why_name(enum riommu_watch_why why)
{
	static const char *const names[] = {
		[RIOMMU_WHY_NONE] = "none",
		[RIOMMU_LOST_LAPPED] = "lapped",
		[RIOMMU_LOST_MAY_TIME] = "may_have_lapped_time",
		[RIOMMU_LOST_MAY_IRQ] = "may_have_lapped_interrupts",
		[RIOMMU_LOST_UNREADABLE] = "unreadable",
		[RIOMMU_LOST_UNWRITTEN] = "unwritten",
		[RIOMMU_LOST_BLIND] = "blind",
		[RIOMMU_RESET_OFF] = "queue_was_off",
		[RIOMMU_RESET_BASE] = "queue_moved",
		[RIOMMU_RESET_CONTENT] = "index_went_back",
	};

	return (size_t)why < RIOMMU_ARRAY_SIZE(names) ? names[why] : "none";
}

static struct riommu_watch_event event_of(const struct riommu_watch *w, enum riommu_watch_kind kind)
{
	return (struct riommu_watch_event){
		.kind = kind, .iommu = (uint32_t)w->iommu, .time = w->now, .state = w->state};
}

static void tell_state(struct riommu_watch *w)
{
	struct riommu_watch_event e = event_of(w, RIOMMU_WATCH_STATE);

	w->fn(w->arg, &e);
}

static void tell_change(struct riommu_watch *w, enum riommu_watch_kind kind, uint64_t from,
			uint64_t to)
{
	struct riommu_watch_event e = event_of(w, kind);

	e.from = from;
	e.to = to;
	w->fn(w->arg, &e);
}

static void tell_lost(struct riommu_watch *w, enum riommu_watch_why why, uint64_t count, int error)
{
	struct riommu_watch_event e = event_of(w, RIOMMU_WATCH_LOST);

	e.why = why;
	e.count = count;
	e.error = error;
	w->fn(w->arg, &e);
}

static void tell_fault(struct riommu_watch *w, uint32_t index, const record_t dw, bool before)
{
	struct riommu_watch_event e = event_of(w, RIOMMU_WATCH_FAULT);

	e.number = before ? 0 : ++w->number;
	e.index = index;
	e.pending = riommu_queue_is_pending(&w->queue, index);
	e.before = before;
	e.ordered = w->ordered;
	memcpy(e.dw, dw, sizeof(e.dw));
	w->fn(w->arg, &e);
}

/* -- the ring ---------------------------------------------------------------------------------------- */

static uint32_t mask(const struct riommu_watch *w)
{
	return w->queue.entries - 1;
}

static record_t *shadow_of(struct riommu_watch *w, uint32_t index)
{
	return &w->shadow[index & (w->shadow_size - 1)];
}

static bool same(const record_t a, const record_t b)
{
	return !memcmp(a, b, sizeof(record_t));
}

/* COUNT records from INDEX on, wrapping. What a source remembers of the ring is dropped first: it changes all the time. */
static int copy_ring(struct riommu_watch *w, uint32_t index, uint32_t count, record_t *to)
{
	int err = 0;

	riommu_source_forget(w->queue.memory);
	for (uint32_t i = 0; i < count && !err; i++)
		err = riommu_queue_read(&w->queue, (index + i) & mask(w), to[i]);
	return err;
}

/* One entry again, fresh. */
static int copy_entry(struct riommu_watch *w, uint32_t index, record_t to)
{
	riommu_source_forget(w->queue.memory);
	return riommu_queue_read(&w->queue, index & mask(w), to);
}

/* -- registers ----------------------------------------------------------------------------------------- */

/* fqh before fqt: the head never gets ahead of the tail then. */
static const uint32_t registers[] = {RIOMMU_REG_DDTP, RIOMMU_REG_FQCSR, RIOMMU_REG_FQB,
				     RIOMMU_REG_FQH, RIOMMU_REG_FQT};

/* True if fqt was given by hand on a live machine: it stands still then, and following it would see nothing for ever. */
static bool index_given(const struct riommu_watch *w)
{
	uint64_t value;

	return w->sys->live && riommu_overlay_get(w->sys->registers, w->sys->iommus[w->iommu].base,
						  RIOMMU_REG_FQT, &value);
}

/* Reads the registers again. False when the queue cannot be found. */
static bool read_state(struct riommu_watch *w, struct riommu_watch_state *state)
{
	const struct riommu_iommu *unit = &w->sys->iommus[w->iommu];
	struct riommu_queue queue;
	int err;

	memset(state, 0, sizeof(*state));
	riommu_system_refresh(w->sys, w->iommu, registers, RIOMMU_ARRAY_SIZE(registers));
	state->ddtp_known = !riommu_iommu_reg(unit, RIOMMU_REG_DDTP, &state->ddtp);
	err = riommu_queue_open(w->sys, w->iommu, RIOMMU_FQ, &queue);
	if (err && err != -EBADMSG) {
		if (unit->error)
			snprintf(w->trouble, sizeof(w->trouble), "%s: %s", unit->name,
				 unit->reason);
		else
			snprintf(w->trouble, sizeof(w->trouble), "%s", riommu_error(w->sys->ctx));
		return false;
	}
	/* a device that is gone answers all ones, and so would its index */
	if (queue.indexes_known && queue.csr == UINT32_MAX) {
		snprintf(w->trouble, sizeof(w->trouble),
			 "%s: its registers read as all ones: the device does not answer",
			 unit->name);
		return false;
	}
	if (err) /* it contradicts itself, but can be read */
		snprintf(w->trouble, sizeof(w->trouble), "%s", riommu_error(w->sys->ctx));
	if (index_given(w))
		queue.indexes_known = false;
	w->queue = queue;
	state->ring_known = true;
	state->base = queue.base;
	state->entries = queue.entries;
	state->indexes_known = queue.indexes_known;
	state->head = queue.head;
	state->tail = queue.tail;
	state->csr = queue.csr;
	return true;
}

#define CSR_SHOWN (RIOMMU_QUEUE_EN | RIOMMU_QUEUE_MF | RIOMMU_QUEUE_OF | RIOMMU_QUEUE_ON)

/* A write of ddtp that goes on (busy) is no other mode. */
static void compare_mode(struct riommu_watch *w, const struct riommu_watch_state *old)
{
	if (w->state.ddtp_known && old->ddtp_known &&
	    (w->state.ddtp ^ old->ddtp) & ~RIOMMU_DDTP_BUSY)
		tell_change(w, RIOMMU_WATCH_MODE, old->ddtp, w->state.ddtp);
}

/* Tells what changed besides the indexes. */
static void compare_state(struct riommu_watch *w, const struct riommu_watch_state *old)
{
	compare_mode(w, old);
	if (w->state.indexes_known && old->indexes_known && (w->state.csr ^ old->csr) & CSR_SHOWN)
		tell_change(w, RIOMMU_WATCH_CSR, old->csr, w->state.csr);
}

/* -- interrupts, and the room for a lap ------------------------------------------------------------- */

static void note_interrupts(struct riommu_watch *w, uint64_t count)
{
	w->irq_known = true;
	w->irq_count = count;
	w->irq_time = w->now;
	w->irq_number = w->number;
	w->irq_pending = riommu_queue_pending(&w->queue);
}

/*
 * An interrupt is raised for at least one record (or for an error bit), so more interrupts than records were seen since the
 * last count tell of records that nobody saw. One may have been on its way, one is for an error, and records that were
 * pending then may have been announced since.
 */
static void count_interrupts(struct riommu_watch *w)
{
	uint64_t count, raised, seen;

	if (queue_interrupts(w->sys, w->iommu, &w->irq_fd, &count)) {
		w->irq_known = false;
		w->irq_time = w->now;
		return;
	}
	raised = count - w->irq_count;
	seen = w->number - w->irq_number + w->irq_pending + 2;
	if (w->irq_known && count > w->irq_count && raised > seen)
		tell_lost(w, RIOMMU_LOST_MAY_IRQ, 0, 0);
	note_interrupts(w, count);
}

/* No interrupt, no consumer, no room: then the IOMMU cannot have got round. */
static bool nobody_consumed(struct riommu_watch *w)
{
	uint64_t count;

	return w->irq_known && !queue_interrupts(w->sys, w->iommu, &w->irq_fd, &count) &&
	       count == w->irq_count;
}

/* After a poll that found FOUND records, GAP after the last one. */
static void judge_gap(struct riommu_watch *w, uint64_t found, uint64_t gap)
{
	uint64_t span = gap > RIOMMU_PACE_MIN ? gap : RIOMMU_PACE_MIN;
	/* in double: a gap of days times a high rate does not fit otherwise */
	double room = (double)span / (double)SECOND * (double)w->peak;
	uint64_t rate = (uint64_t)((double)found * (double)SECOND / (double)span);

	/* a ring that was filled to the last entry at once may have been written over, or have overflowed, as well */
	if (found && (room >= (double)w->queue.entries || found >= mask(w)) && !nobody_consumed(w))
		tell_lost(w, RIOMMU_LOST_MAY_TIME, 0, 0);
	if (rate > w->peak)
		w->peak = rate;
	if (w->sys->live && (!w->irq_time || w->now - w->irq_time >= IRQ_READING))
		count_interrupts(w);
}

/* -- starting, and starting anew --------------------------------------------------------------------- */

/* Remembers the whole ring as it is now; what cannot be read is remembered as empty. Returns how many these are. */
static uint32_t fill_shadow(struct riommu_watch *w, uint32_t from, int *error)
{
	uint32_t failed = 0;

	riommu_source_forget(w->queue.memory);
	for (uint32_t i = 0; i < w->shadow_size; i++) {
		uint32_t index = (from + i) & mask(w);
		int err = riommu_queue_read(&w->queue, index, *shadow_of(w, index));

		if (!err)
			continue;
		memset(shadow_of(w, index), 0, sizeof(record_t));
		*error = err;
		failed++;
	}
	return failed;
}

/* Of the entries that are remembered FAILED could not be read: the one before `seen` may be among them. */
static void note_gap(struct riommu_watch *w, uint32_t failed)
{
	w->gap = failed && !riommu_fault_present(*shadow_of(w, w->seen - 1));
}

/* What may have been written while the ring was read is not what was seen: nothing is known of it. */
static void forget_shadow(struct riommu_watch *w, uint32_t from, uint32_t count)
{
	for (uint32_t i = 0; i < count && i < w->shadow_size; i++)
		memset(*shadow_of(w, from + i), 0, sizeof(record_t));
}

static int make_shadow(struct riommu_watch *w)
{
	uint32_t size = w->queue.entries < SHADOW_MAX ? w->queue.entries : SHADOW_MAX;

	if (size == w->shadow_size)
		return 0;
	free(w->shadow);
	w->shadow_size = 0; /* should there be no memory: has_moved() sees it with the next poll */
	w->shadow = calloc(size, sizeof(record_t));
	if (!w->shadow)
		return riommu_fail(w->sys->ctx, -ENOMEM, "out of memory");
	w->shadow_size = size;
	return 0;
}

/* A base of 0 while the queue is off was never set: there is no ring at address 0. */
static bool never_set_up(const struct riommu_queue *q)
{
	return !q->base && q->indexes_known && !(q->csr & RIOMMU_QUEUE_ON);
}

/*
 * Reads the ring, with the tail read before and after: the entries in between are new, not history. *NEWER of the oldest were,
 * or are being, written over. False when the IOMMU got round meanwhile: the copy is of several rounds.
 */
static bool read_history(struct riommu_watch *w, uint32_t from, uint32_t *failed, int *error,
			 uint32_t *newer)
{
	struct riommu_watch_state state;
	struct riommu_queue queue = w->queue;
	record_t first, last;
	bool known;

	*newer = 0;
	if (!w->ordered || !w->sys->live) {
		*failed = fill_shadow(w, from, error);
		return true;
	}
	known = !copy_entry(w, w->seen - 1, first);
	*failed = fill_shadow(w, from, error);
	if (!read_state(w, &state) || !state.indexes_known)
		return false;
	*newer = ((w->queue.tail - queue.tail) & mask(w)) + 1;
	w->queue = queue; /* the next poll takes what is new */
	forget_shadow(w, w->seen, *newer - 1);
	return !known || (!copy_entry(w, w->seen - 1, last) && same(first, last));
}

/* What is in the ring already: history, then what is pending. The entry at the tail is the oldest that is left. */
static int start(struct riommu_watch *w)
{
	uint32_t from, failed, newer;
	int error = 0, err;

	w->ordered = w->queue.indexes_known;
	w->was_off = w->ordered && !(w->queue.csr & RIOMMU_QUEUE_ON);
	w->started = never_set_up(&w->queue);
	if (w->started)
		return 0;
	err = make_shadow(w);
	if (err)
		return err;
	w->started = true;
	w->seen = w->ordered ? w->queue.tail : 0;
	from = w->ordered ? (w->seen - w->shadow_size) & mask(w) : 0; /* as compare_ring() has it */
	w->adrift = !read_history(w, from, &failed, &error, &newer);
	for (uint32_t i = newer; !w->adrift && i < w->shadow_size; i++) {
		uint32_t index = (from + i) & mask(w);

		if (riommu_fault_present(*shadow_of(w, index)))
			tell_fault(w, index, *shadow_of(w, index), true);
	}
	note_gap(w, failed);
	if (failed)
		tell_lost(w, RIOMMU_LOST_UNREADABLE, failed, error);
	return 0;
}

/* The queue begins again at 0; what it has written since are new records. */
static int start_anew(struct riommu_watch *w, enum riommu_watch_why why)
{
	struct riommu_watch_event e = event_of(w, RIOMMU_WATCH_RESET);
	int error = 0, err = make_shadow(w);

	if (err)
		return err;
	e.why = why;
	w->fn(w->arg, &e);
	w->seen = 0;
	note_gap(w, fill_shadow(w, 0, &error));
	w->adrift = false;
	return 0;
}

/*
 * Has fqt gone back to 0 though nobody saw the queue off? It is less than `seen`, and where the IOMMU would have had to write
 * on its way over the end, all is as it was. A storm of one record looks like that, too: then the record before is the same.
 */
static bool went_back(struct riommu_watch *w)
{
	uint32_t at = w->seen, tail = w->queue.tail;
	record_t now;

	if (w->adrift || tail >= at || w->shadow_size != w->queue.entries)
		return false;
	for (; at < w->queue.entries; at++)
		if (copy_entry(w, at, now) || !same(now, *shadow_of(w, at)))
			return false;
	if (!riommu_fault_present(*shadow_of(w, w->seen)))
		return true;
	for (at = w->seen; at < w->queue.entries; at++)
		if (!same(*shadow_of(w, at), *shadow_of(w, w->seen - 1)))
			break;
	if (at == w->queue.entries)
		return false;
	for (at = 0; at < tail; at++)
		if (copy_entry(w, at, now) || !same(now, *shadow_of(w, at)))
			return true;
	/* everything is as it was: faults that come round with the ring, or nothing at all since */
	return !tail;
}

/* -- new records --------------------------------------------------------------------------------------- */

/* Takes over COUNT checked records of the chunk. */
static void deliver(struct riommu_watch *w, uint32_t count)
{
	uint32_t unwritten = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t index = (w->seen + i) & mask(w);

		memcpy(shadow_of(w, index), w->chunk[i], sizeof(record_t));
		if (riommu_fault_present(w->chunk[i]))
			tell_fault(w, index, w->chunk[i], false);
		else
			unwritten++;
	}
	w->seen = (w->seen + count) & mask(w);
	if (unwritten)
		tell_lost(w, RIOMMU_LOST_UNWRITTEN, unwritten, 0);
}

/* True if the IOMMU has got round since the record before `seen` was read. The first of a new ring has none before it. */
static bool lapped(struct riommu_watch *w, const record_t sentinel)
{
	return !same(sentinel, *shadow_of(w, (w->seen - 1) & mask(w)));
}

/* The older eighth of a ring may be written over while the rest is read. */
static uint32_t margin_of(const struct riommu_watch *w)
{
	return w->queue.entries / 8 + 1;
}

/*
 * Finds a place to go on from where the IOMMU has got round: the tail, read before and after the record that lies before it,
 * which must not change meanwhile. Then no round ended in between, and the entry MARGIN ahead, read in between too, is the
 * last that will be written over: the new sentinel. 1: found, 0: the IOMMU was too fast, -errno.
 */
static int anchor(struct riommu_watch *w)
{
	struct riommu_watch_state first, second;
	record_t before, after, sentinel;
	uint64_t base = w->queue.base;
	int err;

	if (!read_state(w, &first) || !first.indexes_known)
		return -EAGAIN;
	if (first.base != base || first.entries != w->state.entries) {
		w->state = first;
		err = start_anew(w, RIOMMU_RESET_BASE);
		return err ? err : 1;
	}
	err = copy_entry(w, first.tail - 1, before);
	if (!err)
		err = copy_entry(w, first.tail + margin_of(w) - 1, sentinel);
	if (!err && (!read_state(w, &second) || !second.indexes_known))
		return -EAGAIN;
	if (!err)
		err = copy_entry(w, first.tail - 1, after);
	if (err)
		return err;
	w->state = second;
	if (!same(before, after) || ((second.tail - first.tail) & mask(w)) >= margin_of(w) - 1)
		return 0;
	tell_lost(w, RIOMMU_LOST_LAPPED,
		  (uint64_t)((first.tail - w->seen) & mask(w)) + margin_of(w), 0);
	forget_shadow(w, first.tail, margin_of(w) - 1);
	w->seen = (first.tail + margin_of(w)) & mask(w);
	memcpy(*shadow_of(w, w->seen - 1), sentinel, sizeof(sentinel));
	return 1;
}

/*
 * The ring was written over: every entry is newer than what was last seen, and most of it can still be had. At least what lies
 * between the last record seen and that is lost. Where even this is too slow, the next poll tries again.
 */
static int resync(struct riommu_watch *w)
{
	for (unsigned i = 0; i < RESYNCS; i++) {
		int found = anchor(w);

		if (found < 0)
			return found;
		w->adrift = !found;
		if (found)
			return 0;
	}
	tell_lost(w, RIOMMU_LOST_LAPPED, 0, 0);
	return 0;
}

/*
 * What to do about a sentinel that is not what it was. Where the record is gone and none took its place no IOMMU did that, but who
 * sets up a queue clears its memory.
 */
static int recover(struct riommu_watch *w, const record_t sentinel)
{
	return riommu_fault_present(sentinel) ? resync(w) : start_anew(w, RIOMMU_RESET_CONTENT);
}

/* Copies and checks what lies between `seen` and the tail, in pieces. */
static int follow(struct riommu_watch *w)
{
	unsigned laps = 0;
	uint32_t todo;
	int err = 0;

	while (!err && !w->adrift && (todo = (w->queue.tail - w->seen) & mask(w)) != 0) {
		uint32_t count = todo < CHUNK ? todo : CHUNK;
		record_t sentinel;

		err = copy_ring(w, w->seen, count, w->chunk);
		if (!err)
			err = copy_entry(w, w->seen - 1, sentinel);
		if (err) {
			w->seen = w->queue.tail;
			w->gap = true;
			tell_lost(w, RIOMMU_LOST_UNREADABLE, todo, err);
			return 0;
		}
		if (!lapped(w, sentinel))
			deliver(w, count);
		else if (laps++ < RESYNCS)
			err = recover(w, sentinel);
		else
			w->adrift = true; /* faster than this program: on with the next poll */
	}
	return err;
}

/* Nothing new by the indexes. A ring that was written over exactly shows in its last record. */
static int follow_nothing(struct riommu_watch *w)
{
	record_t sentinel;
	int err;

	if (copy_entry(w, w->seen - 1, sentinel) || !lapped(w, sentinel))
		return 0;
	err = recover(w, sentinel);
	return err ? err : follow(w);
}

/* Without indexes: each entry that is another than it was is new. How often it was written, and when, nobody knows. */
static int compare_ring(struct riommu_watch *w)
{
	uint32_t failed = 0;
	int error = 0;

	riommu_source_forget(w->queue.memory);
	for (uint32_t i = 0; i < w->shadow_size; i++) {
		record_t now;
		int err = riommu_queue_read(&w->queue, i, now);

		if (err) {
			error = err;
			failed++;
		} else if (!same(now, w->shadow[i])) {
			memcpy(w->shadow[i], now, sizeof(now));
			if (riommu_fault_present(now))
				tell_fault(w, i, now, false);
		}
	}
	return failed == w->shadow_size ? error : 0;
}

/* The record before `seen` is remembered as it is now: that records before it could not be read was told. */
static void close_gap(struct riommu_watch *w)
{
	if (w->gap && !w->adrift)
		w->gap = copy_entry(w, w->seen - 1, *shadow_of(w, w->seen - 1)) != 0;
}

/* -- one poll ----------------------------------------------------------------------------------------------- */

/* Is the ring another than that of the last poll, or has none been remembered yet? */
static bool has_moved(const struct riommu_watch *w, const struct riommu_watch_state *old)
{
	return w->state.base != old->base || w->state.entries != old->entries || !w->shadow;
}

/* The ring of before is not the one of now. */
static int check_resets(struct riommu_watch *w, const struct riommu_watch_state *old)
{
	bool off = !(w->queue.csr & RIOMMU_QUEUE_ON);
	int err = 0;

	if (has_moved(w, old))
		err = start_anew(w, RIOMMU_RESET_BASE);
	else if (w->was_off && !off)
		err = start_anew(w, RIOMMU_RESET_OFF);
	else if (!off && went_back(w)) /* never seen while it was off */
		err = start_anew(w, RIOMMU_RESET_CONTENT);
	w->was_off = off;
	return err;
}

static int look_without_order(struct riommu_watch *w, const struct riommu_watch_state *old)
{
	struct riommu_watch_state state;
	int err;

	w->ordered = false;
	if (has_moved(w, old))
		err = start_anew(w, RIOMMU_RESET_BASE);
	else
		err = compare_ring(w);
	if (err || !w->state.indexes_known || !read_state(w, &state) || !state.indexes_known)
		return err;
	/* The indexes came (back), and are followed from here on. What was written during the comparison may be missing. */
	w->state = state;
	w->seen = w->queue.tail;
	w->ordered = true;
	w->adrift = false;
	tell_lost(w, RIOMMU_LOST_BLIND, 0, 0);
	return copy_entry(w, w->seen - 1, *shadow_of(w, w->seen - 1));
}

static int look(struct riommu_watch *w, const struct riommu_watch_state *old)
{
	int err;

	if (!w->started)
		return start(w);
	if (never_set_up(&w->queue)) {
		w->was_off = true;
		return 0;
	}
	if (w->troubled)
		tell_lost(w, RIOMMU_LOST_BLIND, 0, 0);
	if (!w->state.indexes_known || !w->ordered)
		return look_without_order(w, old);
	err = check_resets(w, old);
	if (!err)
		close_gap(w);
	if (!err && w->adrift)
		err = resync(w);
	if (err)
		return err;
	return w->seen == w->queue.tail ? follow_nothing(w) : follow(w);
}

static int fail(struct riommu_watch *w, int err)
{
	if (!w->trouble[0])
		snprintf(w->trouble, sizeof(w->trouble), "%s: the fault queue cannot be read: %s",
			 w->sys->iommus[w->iommu].name,
			 err == -ENODATA ? "not in this source" : strerror(-err));
	w->troubled = w->started;
	return riommu_fail(w->sys->ctx, err, "%s", w->trouble);
}

/* Why the ring is not to be had: what its registers say, or that they are all ones. */
static int why_not(const struct riommu_watch *w)
{
	const struct riommu_iommu *unit = &w->sys->iommus[w->iommu];
	uint64_t value;
	int err = riommu_iommu_reg(unit, RIOMMU_REG_FQB, &value);

	if (!err)
		err = riommu_iommu_reg(unit, RIOMMU_REG_FCTL, &value);
	return err ? err : -EFAULT;
}

int64_t riommu_watch_poll(struct riommu_watch *w, uint64_t now, riommu_watch_fn fn, void *arg)
{
	struct riommu_watch_state old = w->state, state;
	uint64_t before = w->number;
	int err = 0;

	w->now = now;
	w->fn = fn;
	w->arg = arg;
	w->trouble[0] = '\0';
	if (!read_state(w, &state)) {
		w->state.ddtp_known = state.ddtp_known;
		w->state.ddtp = state.ddtp;
		compare_mode(w, &old);
		return fail(w, why_not(w));
	}
	w->state = state;
	if (!w->queue.memory) {
		snprintf(w->trouble, sizeof(w->trouble), "memory cannot be read: %s",
			 w->sys->memory_reason);
		return fail(w, w->sys->memory_error ? w->sys->memory_error : -ENODATA);
	}
	if (!w->started)
		tell_state(w);
	else
		compare_state(w, &old);
	err = look(w, &old);
	if (err)
		return fail(w, err);
	if (w->last && w->ordered)
		judge_gap(w, w->number - before, now - w->last);
	w->troubled = false;
	w->last = now;
	return (int64_t)(w->number - before);
}

/* -- making one ------------------------------------------------------------------------------------------- */

int riommu_watch_new(struct riommu_system *sys, size_t iommu, struct riommu_watch **watch)
{
	uint64_t ignored;

	*watch = NULL;
	if (iommu >= sys->iommu_count)
		return riommu_fail(sys->ctx, -EINVAL, "there is no such IOMMU");
	*watch = calloc(1, sizeof(**watch));
	if (!*watch)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	(*watch)->sys = sys;
	(*watch)->iommu = iommu;
	(*watch)->irq_fd = -1;
	/* for its file to be open: later there may be no right to */
	(void)queue_interrupts(sys, iommu, &(*watch)->irq_fd, &ignored);
	return 0;
}

void riommu_watch_free(struct riommu_watch *w)
{
	if (!w)
		return;
	riommu_close_fd(&w->irq_fd);
	free(w->shadow);
	free(w);
}

const struct riommu_watch_state *riommu_watch_state(const struct riommu_watch *w)
{
	return &w->state;
}

uint32_t riommu_watch_fill(const struct riommu_watch_state *s)
{
	return s->indexes_known && s->entries ? (s->tail - s->head) & (s->entries - 1) : 0;
}

const char *riommu_watch_trouble(const struct riommu_watch *w)
{
	return w->trouble;
}
