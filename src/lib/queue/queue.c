/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The three rings (specification, chapter 4 "In-memory queue interface") as their registers describe them. Base and size
 * may be wrong or a liar's: the ring is bounded. entries.c reads what is in it.
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

/* What it takes to find a ring: its base register, and fctl for the order of its bytes. */
static int no_place(const struct riommu_system *sys, size_t index, const struct kind *kind, int err)
{
	const uint32_t offsets[] = {kind->base, RIOMMU_REG_FCTL};
	char words[256];

	if (riommu_system_missing(sys, index, offsets, RIOMMU_ARRAY_SIZE(offsets), words,
				  sizeof(words)))
		return riommu_fail(sys->ctx, err, "%s: the %s cannot be found: %s",
				   sys->iommus[index].name, kind->name, words);
	return riommu_fail(sys->ctx, err,
			   "%s: the %s cannot be found without its base register and fctl",
			   sys->iommus[index].name, kind->name);
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
		return no_place(sys, index, kind, err);

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
