/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The enumeration of a directory of contexts, shared by visit.c (the contexts) and pages.c (the pages). */
#ifndef RIOMMU_VISIT_INTERNAL_H
#define RIOMMU_VISIT_INTERNAL_H

#include "walk/walk-internal.h"

/* A context, or ids FIRST_ID..LAST_ID that could not be looked at (DW NULL, ERROR). */
struct walk_node {
	uint32_t first_id, last_id;
	uint64_t address; /* system physical; guest physical where it could not be translated */
	const uint64_t *dw;
	unsigned dwords;
	int error;
};

/*
 * What to do with a directory on the way. A non-zero return ends the visit with that value, except:
 * ENTER is asked before a page is read and returns 1 for yes, 0 to leave the page out (its ids are a node with -ELOOP). PAGE, which may
 * be NULL, tells how its read went.
 */
struct walk_directory_visitor {
	int (*enter)(void *arg, uint64_t page, enum riommu_structure structure, unsigned level);
	int (*page)(void *arg, uint64_t page, enum riommu_structure structure, unsigned level,
		    int error);
	void *arg;
};

/*
 * A directory under way. Both have the same shape: up to three levels, 512 pointers a page, contexts in the last. It holds one page a
 * level. 12 KiB: not to be cleared, nor copied.
 */
struct walk_directory {
	const struct riommu_walker *w;
	struct riommu_dc behind; /* a process directory: whose; its addresses may be a guest's */
	struct walk_directory_visitor visitor;
	bool is_process;
	bool big_endian;
	uint8_t id_bits;     /* of all levels that the structure knows */
	uint8_t leaf_bits;   /* of the id that select a context within its page */
	uint8_t leaf_dwords; /* of a context */
	uint8_t levels;      /* not yet entered; 0: begun, or nothing to enter */
	uint64_t root;
	int err; /* what ended it */

	unsigned depth; /* of the pages that are open, the root first */
	struct walk_directory_page {
		uint64_t address;
		uint32_t first_id, next; /* entry */
		unsigned level;
		uint8_t bytes[RIOMMU_PAGE_SIZE];
	} page[3];
	uint64_t dw[RIOMMU_DC_DWORDS]; /* of the node */
};

/* The device directory, or the process directory of DC, from its begin. VISITOR and DC are copied. */
void walk_begin_devices(struct walk_directory *d, const struct riommu_walker *w,
			const struct walk_directory_visitor *visitor);
void walk_begin_processes(struct walk_directory *d, const struct riommu_walker *w,
			  const struct riommu_dc *dc, const struct walk_directory_visitor *visitor);

/* The next node, by ascending id. False: there is no other one, or D->err. NODE's words are good until the next call. */
bool walk_next_node(struct walk_directory *d, struct walk_node *node);

/*
 * LEN bytes of a table within one page: in the source's own memory where it lends that until it is closed, else copied to BUF. Either
 * way a visitor may use the source in between. -EFAULT past PAS.
 */
int walk_map_table(const struct riommu_walker *w, uint64_t pa, uint8_t *buf, size_t len,
		   const uint8_t **data);

/* The same, always copied to BUF. */
int walk_copy_table(const struct riommu_walker *w, uint64_t pa, uint8_t *buf, size_t len);

/* A page as one structure of one level, for base_set: 56 address bits leave room for FORMAT (bits 7:6) in the low byte. */
static inline uint64_t walk_page_key(uint64_t page, enum riommu_structure structure, unsigned level,
				     unsigned format)
{
	return (uint64_t)1 << 63 | (page >> RIOMMU_PAGE_SHIFT) << 8 | format |
	       (unsigned)structure << 3 | level;
}

static inline bool walk_dc_two_stage(const struct riommu_dc *dc)
{
	return walk_mode(dc->dw[RIOMMU_DC_IOHGATP]) != RIOMMU_HGATP_BARE;
}

#endif
