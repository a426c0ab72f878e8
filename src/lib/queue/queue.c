/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The three rings (specification, chapter 4 "In-memory queue interface"), read without moving an index. Base and
 * size come from registers that may be wrong or a liar's: the ring is bounded, its memory is read a page at a time.
 */
#include "queue/queue.h"
#include "spec/structures.h"

#include <inttypes.h>

/* More than this no ring has: 2^32 bytes. LOG2SZ-1 could say sixteen times as much. */
#define RING_MAX ((uint64_t)1 << 32)

static const struct kind {
	const char *name;
	uint16_t base, head, tail, csr;
	uint8_t entry_size;
} kinds[] = {
	[RIOMMU_CQ] = {"command queue", RIOMMU_REG_CQB, RIOMMU_REG_CQH, RIOMMU_REG_CQT,
		       RIOMMU_REG_CQCSR, 16},
	[RIOMMU_FQ] = {"fault queue", RIOMMU_REG_FQB, RIOMMU_REG_FQH, RIOMMU_REG_FQT,
		       RIOMMU_REG_FQCSR, 32},
	[RIOMMU_PQ] = {"page-request queue", RIOMMU_REG_PQB, RIOMMU_REG_PQH, RIOMMU_REG_PQT,
		       RIOMMU_REG_PQCSR, 16},
};

static void read_indexes(const struct riommu_iommu *iommu, const struct kind *kind,
			 struct riommu_queue *queue)
{
	uint64_t head, tail, csr;

	if (riommu_iommu_reg(iommu, kind->head, &head) ||
	    riommu_iommu_reg(iommu, kind->tail, &tail) || riommu_iommu_reg(iommu, kind->csr, &csr))
		return;
	queue->head = (uint32_t)head;
	queue->tail = (uint32_t)tail;
	queue->csr = (uint32_t)csr;
	queue->indexes_known = true;
}

/* Base, size and indexes against each other and against the physical address space; what is too large is cut. */
static int check_ring(struct riommu_ctx *ctx, const struct riommu_iommu *iommu,
		      const struct kind *kind, uint64_t entries, struct riommu_queue *queue)
{
	uint64_t bytes = (uint64_t)queue->entries * queue->entry_size;
	uint64_t capabilities;
	uint32_t mask = queue->entries - 1;
	bool past = queue->head > mask || queue->tail > mask;

	queue->head &= mask;
	queue->tail &= mask;
	if (entries != queue->entries)
		return riommu_fail(ctx, -EBADMSG,
				   "%s: the %s claims %" PRIu64
				   " entries of %u bytes; looking at the first %" PRIu32,
				   iommu->name, kind->name, entries, queue->entry_size,
				   queue->entries);
	if (past)
		return riommu_fail(ctx, -EBADMSG,
				   "%s: an index of the %s lies past its end of %" PRIu32
				   " entries; its low bits are used",
				   iommu->name, kind->name, queue->entries);
	/* 1.7: 4 KiB, or the size of a ring that is larger; entries of any other are unspecified */
	if (bytes > RIOMMU_PAGE_SIZE && (queue->base & (bytes - 1)))
		return riommu_fail(ctx, -EBADMSG,
				   "%s: the %s at 0x%" PRIx64
				   " is not aligned to its size of 0x%" PRIx64 " bytes",
				   iommu->name, kind->name, queue->base, bytes);
	if (!riommu_iommu_reg(iommu, RIOMMU_REG_CAPABILITIES, &capabilities) &&
	    !riommu_inside(queue->base, bytes, (uint64_t)1 << riommu_bits(capabilities, 37, 32)))
		return riommu_fail(ctx, -EBADMSG,
				   "%s: the %s at 0x%" PRIx64
				   " reaches past the physical address space of %u bits",
				   iommu->name, kind->name, queue->base,
				   (unsigned)riommu_bits(capabilities, 37, 32));
	return 0;
}

int riommu_queue_open(const struct riommu_system *sys, size_t index, enum riommu_queue_kind which,
		      struct riommu_queue *queue)
{
	const struct riommu_iommu *iommu;
	const struct kind *kind;
	uint64_t base, fctl, capabilities, entries;
	int err;

	memset(queue, 0, sizeof(*queue));
	if (index >= sys->iommu_count || (size_t)which >= RIOMMU_ARRAY_SIZE(kinds))
		return riommu_fail(sys->ctx, -EINVAL, "there is no such queue");
	iommu = &sys->iommus[index];
	kind = &kinds[which];
	if (which == RIOMMU_PQ &&
	    !riommu_iommu_reg(iommu, RIOMMU_REG_CAPABILITIES, &capabilities) &&
	    !(capabilities & RIOMMU_CAP_ATS))
		return riommu_fail(sys->ctx, -ENODATA,
				   "%s: there is no page-request queue: capabilities.ATS is 0",
				   iommu->name);
	err = riommu_iommu_reg(iommu, kind->base, &base);
	if (!err)
		err = riommu_iommu_reg(iommu, RIOMMU_REG_FCTL, &fctl);
	if (err)
		return riommu_fail(sys->ctx, err,
				   "%s: the %s cannot be found without its base register and fctl; "
				   "give them with --reg",
				   iommu->name, kind->name);

	entries = (uint64_t)2 << riommu_bits(base, 4, 0);
	*queue = (struct riommu_queue){
		.kind = which,
		.memory = sys->memory,
		.big_endian = fctl & RIOMMU_FCTL_BE,
		.base = riommu_ppn_upper(base),
		.entries = (uint32_t)(entries > RING_MAX / kind->entry_size
					      ? RING_MAX / kind->entry_size
					      : entries),
		.entry_size = kind->entry_size,
	};
	read_indexes(iommu, kind, queue);
	return check_ring(sys->ctx, iommu, kind, entries, queue);
}

uint32_t riommu_queue_pending(const struct riommu_queue *queue)
{
	return queue->indexes_known ? (queue->tail - queue->head) & (queue->entries - 1) : 0;
}

bool riommu_queue_is_pending(const struct riommu_queue *queue, uint32_t index)
{
	return index < queue->entries &&
	       ((index - queue->head) & (queue->entries - 1)) < riommu_queue_pending(queue);
}

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
	uint8_t entry[32];
	int err;

	if (index >= queue->entries || queue->entry_size > sizeof(entry))
		return -EINVAL;
	err = read_entries(queue, index, 1, entry);
	if (!err)
		to_host(queue, entry, dw);
	return err;
}

/* -- all fault records ------------------------------------------------------------------------- */

struct faults {
	const struct riommu_queue *queue;
	int (*visit)(void *arg, const struct riommu_fault_visit *v);
	void *arg;
	struct riommu_fault_visit
		gap; /* entries that could not be read, not yet told; skipped 0: none */
};

static int tell_gap(struct faults *f)
{
	struct riommu_fault_visit gap = f->gap;

	f->gap.skipped = 0;
	return gap.skipped ? f->visit(f->arg, &gap) : 0;
}

/* Unreadable neighbours are one gap: a ring of 4 GiB that is nowhere gives one visit. */
static int add_gap(struct faults *f, uint32_t index, uint32_t count, bool pending, int error)
{
	int err;

	if (f->gap.skipped && f->gap.error == error && f->gap.pending == pending) {
		f->gap.skipped += count;
		return 0;
	}
	err = tell_gap(f);
	f->gap = (struct riommu_fault_visit){
		.index = index, .pending = pending, .error = error, .skipped = count};
	return err;
}

static int visit_records(struct faults *f, uint32_t index, uint32_t count, bool pending,
			 const uint8_t *bytes)
{
	int err = tell_gap(f);

	for (uint32_t i = 0; i < count && !err; i++) {
		struct riommu_fault_visit v = {.index = index + i, .pending = pending};

		to_host(f->queue, bytes + (size_t)i * f->queue->entry_size, v.dw);
		if (!riommu_fault_present(v.dw))
			continue;
		riommu_fault_decode(v.dw, &v.fault);
		err = f->visit(f->arg, &v);
	}
	return err;
}

/* COUNT entries from INDEX on, wrapping. */
static int visit_part(struct faults *f, uint32_t index, uint32_t count, bool pending)
{
	const struct riommu_queue *queue = f->queue;
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
		err = err ? add_gap(f, index, here, pending, err)
			  : visit_records(f, index, here, pending, buf);
		index = (index + here) & (queue->entries - 1);
		count -= here;
	}
	return err;
}

int riommu_visit_faults(const struct riommu_queue *queue,
			int (*visit)(void *arg, const struct riommu_fault_visit *v), void *arg)
{
	struct faults f = {.queue = queue, .visit = visit, .arg = arg};
	uint32_t pending = riommu_queue_pending(queue);
	int err;

	if (queue->kind != RIOMMU_FQ || queue->entry_size != 32)
		return -EINVAL;
	/* The entry at tail is the next to be overwritten, so it is the oldest that is left. */
	err = visit_part(&f, queue->indexes_known ? queue->tail : 0, queue->entries - pending,
			 false);
	if (!err)
		err = visit_part(&f, queue->head, pending, true);
	return err ? err : tell_gap(&f);
}
