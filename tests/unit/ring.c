/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ring.h"
#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>

static void *must(void *p)
{
	if (!p) {
		perror("ring of the test");
		abort();
	}
	return p;
}

/* -- the hardware, and its driver ------------------------------------------------------------------ */

bool ring_write(struct ring *ring, const uint64_t dw[4])
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint32_t next = (tail + 1) & (ring->entries - 1);
	uint32_t csr = atomic_load(&ring->csr);

	if (!(csr & RIOMMU_QUEUE_ON) || csr & (RIOMMU_QUEUE_OF | RIOMMU_QUEUE_MF))
		return false;
	if (next == atomic_load(&ring->head)) {
		atomic_fetch_or(&ring->csr, RIOMMU_QUEUE_OF);
		return false;
	}
	memcpy(ring->record[tail], dw, sizeof(ring->record[tail]));
	atomic_store_explicit(&ring->tail, next, memory_order_release);
	return true;
}

bool ring_fault(struct ring *ring, uint32_t did, uint64_t iova)
{
	return ring_write(ring, (const uint64_t[4]){RIOMMU_CAUSE_READ_PAGE_FAULT |
							    (uint64_t)2 << 34 | (uint64_t)did << 40,
						    0, iova, 0});
}

void ring_consume(struct ring *ring)
{
	atomic_store(&ring->head, atomic_load(&ring->tail));
	atomic_fetch_and(&ring->csr, ~(RIOMMU_QUEUE_OF | RIOMMU_QUEUE_MF));
}

void ring_enable(struct ring *ring, uint64_t base)
{
	memset(ring->record, 0, ring->entries * sizeof(ring->record[0]));
	ring->base = base;
	atomic_store(&ring->head, 0);
	atomic_store(&ring->tail, 0);
	atomic_store(&ring->csr, RIOMMU_QUEUE_EN | RIOMMU_QUEUE_ON);
}

/* -- as a source ----------------------------------------------------------------------------------- */

static int ring_open(struct riommu_source *src, const char *path)
{
	(void)src;
	(void)path;
	return 0;
}

static int ring_map(struct riommu_source *src, uint64_t page, const uint8_t **data)
{
	struct ring *ring = src->priv;
	uint64_t size = (uint64_t)ring->entries * 32;

	ring->fetched = page;
	if (ring->on_fetch)
		ring->on_fetch(ring);
	if (ring->unreadable || page < ring->base || page - ring->base >= size)
		return -ENODATA;
	*data = (const uint8_t *)ring->record + (page - ring->base);
	return 0;
}

static int ring_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	const uint8_t *data;
	int err = ring_map(src, pa & ~RIOMMU_PAGE_MASK, &data);

	if (!err)
		memcpy(buf, data + (pa & RIOMMU_PAGE_MASK), len);
	return err;
}

static int ring_reg_read(struct riommu_source *src, uint64_t base, uint32_t offset, unsigned width,
			 uint64_t *value)
{
	struct ring *ring = src->priv;

	(void)base;
	ring->register_reads++;
	if (ring->register_error)
		return ring->register_error;
	if (ring->absent && offset == ring->absent)
		return -ENODATA;
	switch (offset) {
	case RIOMMU_REG_DDTP:
		if (ring->on_ddtp)
			ring->on_ddtp(ring);
		*value = ring->ddtp;
		break;
	case RIOMMU_REG_FQB:
		*value = ring->base >> 2 | (uint64_t)(__builtin_ctz(ring->entries) - 1);
		break;
	case RIOMMU_REG_FQH:
		*value = atomic_load(&ring->head);
		break;
	case RIOMMU_REG_FQT:
		if (ring->on_tail)
			ring->on_tail(ring);
		if (ring->no_tail)
			return -ENODATA;
		*value = atomic_load(&ring->tail);
		break;
	case RIOMMU_REG_FQCSR:
		*value = atomic_load(&ring->csr);
		break;
	default:
		return -ENODATA;
	}
	if (ring->dead)
		*value = width == 4 ? UINT32_MAX : UINT64_MAX;
	return 0;
}

static const struct riommu_source_ops ring_ops = {
	.name = "test-ring",
	.help = "a fault queue of a test",
	.provides = RIOMMU_PROVIDES_MEMORY | RIOMMU_PROVIDES_REGISTERS,
	.open = ring_open,
	.read = ring_read,
	.map = ring_map,
	.reg_read = ring_reg_read,
};

static struct riommu_source *open_source(struct ring *ring)
{
	struct riommu_source *src;

	if (riommu_source_open(ring->ctx, &ring_ops, NULL, &src))
		abort();
	src->priv = ring;
	return src;
}

static void set_register(struct ring *ring, uint32_t offset, uint64_t value)
{
	int i = riommu_reg_by_offset(offset);

	ring->iommu->value[i] = value;
	ring->iommu->state[i] = RIOMMU_REG_KNOWN;
}

void ring_forget_register(struct ring *ring, uint32_t offset)
{
	ring->iommu->state[riommu_reg_by_offset(offset)] = RIOMMU_REG_MISSING;
}

struct ring *ring_new(uint32_t entries, const char *proc)
{
	struct ring *ring = must(calloc(1, sizeof(*ring)));

	ring->entries = entries;
	/* whole pages: a source gives no less */
	ring->record = must(aligned_alloc(RIOMMU_PAGE_SIZE, (entries * 32 + RIOMMU_PAGE_MASK) &
								    ~(size_t)RIOMMU_PAGE_MASK));
	ring_enable(ring, RING_BASE);
	ring->ddtp = 4;
	ring->ctx = must(riommu_ctx_new());
	if (riommu_option_set(ring->ctx, "proc.path", proc))
		abort();
	ring->iommu = must(calloc(1, sizeof(*ring->iommu)));
	strcpy(ring->iommu->name, "test");
	ring->iommu->base = RING_REGS;
	ring->sys = (struct riommu_system){
		.ctx = ring->ctx,
		.memory = open_source(ring),
		.live = true,
		.iommus = ring->iommu,
		.iommu_count = 1,
	};
	if (riommu_overlay_new(ring->ctx, open_source(ring), &ring->sys.registers))
		abort();
	set_register(ring, RIOMMU_REG_CAPABILITIES, (uint64_t)46 << 32 | 0x10);
	set_register(ring, RIOMMU_REG_FCTL, 0);
	set_register(ring, RIOMMU_REG_ICVEC, 0);
	return ring;
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	riommu_source_close(ring->sys.registers);
	riommu_source_close(ring->sys.memory);
	riommu_ctx_free(ring->ctx);
	free(ring->iommu);
	free(ring->record);
	free(ring);
}
