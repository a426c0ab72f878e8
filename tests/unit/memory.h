/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A physical memory built by a test: sparse pages, some of them poisoned; what was not made is absent. */
#ifndef TEST_MEMORY_H
#define TEST_MEMORY_H

#include "source/source.h"

struct memory;

/* Memory without a page. Every function here ends the test when the heap is exhausted. */
struct memory *memory_new(void);
void memory_free(struct memory *m);

/* Makes the page that holds PA exist; it is zero. Returns the address of the page. Nothing happens to one that exists. */
uint64_t memory_page(struct memory *m, uint64_t pa);

/* Stores a value; the page comes into being when it has to. PA is aligned to the value. */
void memory_put64(struct memory *m, uint64_t pa, uint64_t value, bool big_endian);
void memory_put32(struct memory *m, uint64_t pa, uint32_t value, bool big_endian);

/* The bytes of the page that holds PA, to fill as one likes; the page comes into being. */
uint8_t *memory_bytes(struct memory *m, uint64_t pa);

/* Every read of the page that holds PA answers "data corruption". */
void memory_poison(struct memory *m, uint64_t pa);

/* How often the page that holds PA was fetched from the memory. */
unsigned memory_reads(const struct memory *m, uint64_t pa);

/*
 * A source that reads M: zero-copy, -ENODATA for a page that does not exist. M has to live longer than the source, which
 * riommu_source_close() closes. memory_source_copying() gives one that has no map().
 */
struct riommu_source *memory_source(struct memory *m, struct riommu_ctx *ctx);
struct riommu_source *memory_source_copying(struct memory *m, struct riommu_ctx *ctx);

#endif
