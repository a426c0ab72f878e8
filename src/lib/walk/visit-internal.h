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
 * What to do with a directory on the way. Each may be NULL; a non-zero return ends the visit with that value, except:
 * ENTER is asked before a page is read and returns 1 for yes, 0 to leave the page out (NODE then gets -ELOOP). PAGE tells how its read went.
 */
struct walk_directory_visitor {
	int (*enter)(void *arg, uint64_t page, enum riommu_structure structure, unsigned level);
	int (*page)(void *arg, uint64_t page, enum riommu_structure structure, unsigned level,
		    int error);
	int (*node)(void *arg, const struct walk_node *node);
	void *arg;
};

/* The device directory, or the process directory of DC, by ascending id. */
int walk_visit_devices(const struct riommu_walker *w, const struct walk_directory_visitor *visitor);
int walk_visit_processes(const struct riommu_walker *w, const struct riommu_dc *dc,
			 const struct walk_directory_visitor *visitor);

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
