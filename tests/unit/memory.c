/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>

struct page {
	uint64_t tag; /* page address | 1; 0: free slot */
	uint8_t *data;
	bool poisoned;
	unsigned reads;
};

/* Open addressing; never more than half full. */
struct memory {
	struct page *slots;
	size_t size, used;
};

static void *must(void *p)
{
	if (!p) {
		perror("memory of the test");
		abort();
	}
	return p;
}

struct memory *memory_new(void)
{
	struct memory *m = must(calloc(1, sizeof(*m)));

	m->size = 64;
	m->slots = must(calloc(m->size, sizeof(*m->slots)));
	return m;
}

void memory_free(struct memory *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->size; i++)
		free(m->slots[i].data);
	free(m->slots);
	free(m);
}

/* The slot of the page, or the free one where it would go. */
static struct page *slot_of(const struct memory *m, uint64_t pa)
{
	uint64_t tag = (pa & ~RIOMMU_PAGE_MASK) | 1;
	size_t i = (size_t)((tag >> RIOMMU_PAGE_SHIFT) * 0x9e3779b97f4a7c15u >> 32) & (m->size - 1);

	while (m->slots[i].tag && m->slots[i].tag != tag)
		i = (i + 1) & (m->size - 1);
	return &m->slots[i];
}

static void grow(struct memory *m)
{
	struct memory old = *m;

	m->size *= 2;
	m->slots = must(calloc(m->size, sizeof(*m->slots)));
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].tag)
			*slot_of(m, old.slots[i].tag) = old.slots[i];
	free(old.slots);
}

static struct page *make_page(struct memory *m, uint64_t pa)
{
	struct page *page;

	if (m->used * 2 >= m->size)
		grow(m);
	page = slot_of(m, pa);
	if (!page->tag) {
		page->tag = (pa & ~RIOMMU_PAGE_MASK) | 1;
		page->data = must(calloc(1, RIOMMU_PAGE_SIZE));
		m->used++;
	}
	return page;
}

uint64_t memory_page(struct memory *m, uint64_t pa)
{
	return make_page(m, pa)->tag & ~RIOMMU_PAGE_MASK;
}

uint8_t *memory_bytes(struct memory *m, uint64_t pa)
{
	return make_page(m, pa)->data;
}

void memory_put64(struct memory *m, uint64_t pa, uint64_t value, bool big_endian)
{
	uint64_t raw = riommu_get64(&value, big_endian);

	memcpy(memory_bytes(m, pa) + (pa & RIOMMU_PAGE_MASK & ~7u), &raw, sizeof(raw));
}

void memory_put32(struct memory *m, uint64_t pa, uint32_t value, bool big_endian)
{
	uint32_t raw = riommu_get32(&value, big_endian);

	memcpy(memory_bytes(m, pa) + (pa & RIOMMU_PAGE_MASK & ~3u), &raw, sizeof(raw));
}

void memory_poison(struct memory *m, uint64_t pa)
{
	make_page(m, pa)->poisoned = true;
}

unsigned memory_reads(const struct memory *m, uint64_t pa)
{
	return slot_of(m, pa)->reads;
}

/* -- as a source ------------------------------------------------------------------------------- */

static int memory_open(struct riommu_source *src, const char *path)
{
	(void)src;
	(void)path;
	return 0;
}

static void memory_close(struct riommu_source *src)
{
	(void)src;
}

static int memory_map(struct riommu_source *src, uint64_t pa, const uint8_t **data)
{
	struct page *page = slot_of(src->priv, pa);

	if (!page->tag)
		return -ENODATA;
	page->reads++;
	if (page->poisoned)
		return -EHWPOISON;
	*data = page->data;
	return 0;
}

static int memory_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		size_t offset = (size_t)(pa & RIOMMU_PAGE_MASK);
		size_t part = RIOMMU_PAGE_SIZE - offset;
		const uint8_t *data;
		int err = memory_map(src, pa, &data);

		if (err)
			return err;
		if (part > len)
			part = len;
		memcpy(to, data + offset, part);
		to += part;
		pa += part;
		len -= part;
	}
	return 0;
}

static const struct riommu_source_ops mapping_ops = {
	.name = "test",
	.help = "memory of a test",
	.provides = RIOMMU_PROVIDES_MEMORY,
	.open = memory_open,
	.close = memory_close,
	.read = memory_read,
	.map = memory_map,
};

static const struct riommu_source_ops copying_ops = {
	.name = "test-copying",
	.help = "memory of a test, copied",
	.provides = RIOMMU_PROVIDES_MEMORY,
	.open = memory_open,
	.close = memory_close,
	.read = memory_read,
};

static struct riommu_source *open_source(struct memory *m, struct riommu_ctx *ctx,
					 const struct riommu_source_ops *ops)
{
	struct riommu_source *src;

	if (riommu_source_open(ctx, ops, NULL, &src)) {
		fprintf(stderr, "memory of the test: %s\n", riommu_error(ctx));
		abort();
	}
	src->priv = m;
	return src;
}

struct riommu_source *memory_source(struct memory *m, struct riommu_ctx *ctx)
{
	return open_source(m, ctx, &mapping_ops);
}

struct riommu_source *memory_source_copying(struct memory *m, struct riommu_ctx *ctx)
{
	return open_source(m, ctx, &copying_ops);
}
