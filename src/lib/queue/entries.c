/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is in a ring, entry by entry, oldest first: history (consumed, still in memory), then what is pending. Memory is read a
 * page at a time and without moving an index.
 */
#include "queue/queue.h"

/* COUNT entries from INDEX that lie within one page, copied to BUF: a visitor may use the source in between. */
static int read_entries(const struct riommu_queue *queue, uint32_t index, uint32_t count,
			uint8_t *buf)
{
	size_t len = (size_t)count * queue->entry_size;
	const uint8_t *data;
	uint64_t pa;
	int err;

	if (!queue->memory)
		return -ENODATA;
	if (!riommu_add(queue->base, (uint64_t)index * queue->entry_size, &pa))
		return -EFAULT;
	err = riommu_source_entry(queue->memory, pa, len, buf, &data);
	if (!err && data != buf)
		memcpy(buf, data, len);
	return err;
}

static void to_host(const struct riommu_queue *queue, const uint8_t *entry, uint64_t *dw)
{
	for (uint32_t i = 0; i < queue->entry_size / 8; i++)
		dw[i] = riommu_get64(entry + 8 * (size_t)i, queue->big_endian);
}

int riommu_queue_read(const struct riommu_queue *queue, uint32_t index, uint64_t *dw)
{
	uint8_t entry[8 * RIOMMU_ENTRY_DWORDS];
	int err;

	if (index >= queue->entries || queue->entry_size > sizeof(entry))
		return -EINVAL;
	err = read_entries(queue, index, 1, entry);
	if (!err)
		to_host(queue, entry, dw);
	return err;
}

/* -- visits ------------------------------------------------------------------------------------ */

struct entries {
	const struct riommu_queue *queue;
	riommu_entry_fn visit;
	void *arg;
	bool zeros;                    /* tell of entries that are all zero, too */
	struct riommu_entry_visit gap; /* unreadable entries, not yet told; skipped 0: none */
};

static int tell_gap(struct entries *e)
{
	struct riommu_entry_visit gap = e->gap;

	e->gap.skipped = 0;
	return gap.skipped ? e->visit(e->arg, &gap) : 0;
}

/* Unreadable neighbours are one gap: a ring of 4 GiB that is nowhere gives one visit. */
static int add_gap(struct entries *e, uint32_t index, uint32_t count, bool pending, int error)
{
	int err;

	if (e->gap.skipped && e->gap.error == error && e->gap.pending == pending) {
		e->gap.skipped += count;
		return 0;
	}
	err = tell_gap(e);
	e->gap = (struct riommu_entry_visit){
		.index = index, .pending = pending, .error = error, .skipped = count};
	return err;
}

static bool all_zero(const uint64_t dw[RIOMMU_ENTRY_DWORDS])
{
	return !dw[0] && !dw[1] && !dw[2] && !dw[3];
}

static int tell_entries(struct entries *e, uint32_t index, uint32_t count, bool pending,
			const uint8_t *bytes)
{
	int err = tell_gap(e);

	for (uint32_t i = 0; i < count && !err; i++) {
		struct riommu_entry_visit v = {.index = index + i, .pending = pending};

		to_host(e->queue, bytes + (size_t)i * e->queue->entry_size, v.dw);
		if (e->zeros || !all_zero(v.dw))
			err = e->visit(e->arg, &v);
	}
	return err;
}

/* COUNT entries from INDEX on, wrapping. */
static int visit_part(struct entries *e, uint32_t index, uint32_t count, bool pending)
{
	const struct riommu_queue *queue = e->queue;
	uint32_t per_page = (uint32_t)(RIOMMU_PAGE_SIZE / queue->entry_size);
	uint8_t buf[RIOMMU_PAGE_SIZE];
	int err = 0;

	while (count && !err) {
		uint32_t here = per_page - index % per_page;

		if (here > queue->entries - index)
			here = queue->entries - index;
		if (here > count)
			here = count;
		err = read_entries(queue, index, here, buf);
		err = err ? add_gap(e, index, here, pending, err)
			  : tell_entries(e, index, here, pending, buf);
		index = (index + here) & (queue->entries - 1);
		count -= here;
	}
	return err;
}

int riommu_visit_entries(const struct riommu_queue *queue, riommu_entry_fn visit, void *arg)
{
	struct entries e = {.queue = queue, .visit = visit, .arg = arg};
	uint32_t pending = riommu_queue_pending(queue);
	int err;

	/* The entry at tail is the next to be overwritten, so it is the oldest that is left. */
	err = visit_part(&e, queue->indexes_known ? queue->tail : 0, queue->entries - pending,
			 false);
	e.zeros = true;
	if (!err)
		err = visit_part(&e, queue->head, pending, true);
	return err ? err : tell_gap(&e);
}

/* -- fault records ----------------------------------------------------------------------------- */

struct faults {
	int (*visit)(void *arg, const struct riommu_fault_visit *v);
	void *arg;
};

/* A record that is pending and all zero is not written yet: no cause is 0. */
static int tell_fault(void *arg, const struct riommu_entry_visit *entry)
{
	const struct faults *f = arg;
	struct riommu_fault_visit v = {
		.index = entry->index,
		.pending = entry->pending,
		.error = entry->error,
		.skipped = entry->skipped,
	};

	if (!v.error && !riommu_fault_present(entry->dw))
		return 0;
	memcpy(v.dw, entry->dw, sizeof(v.dw));
	if (!v.error)
		riommu_fault_decode(v.dw, &v.fault);
	return f->visit(f->arg, &v);
}

int riommu_visit_faults(const struct riommu_queue *queue,
			int (*visit)(void *arg, const struct riommu_fault_visit *v), void *arg)
{
	struct faults f = {.visit = visit, .arg = arg};

	if (queue->kind != RIOMMU_FQ || queue->entry_size != 32)
		return -EINVAL;
	return riommu_visit_entries(queue, tell_fault, &f);
}
