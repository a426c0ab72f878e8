/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All contexts of a directory (specification, 3.1 "Device Directory", 3.2 "Process Directory"). Both directories have
 * the same shape: up to three levels, 512 pointers a page, contexts in the last. The visit streams: it holds one page
 * a level, and remembers which pages it has been in.
 */
#include "base/set.h"
#include "walk/visit-internal.h"

struct directory {
	const struct riommu_walker *w;
	const struct riommu_dc
		*behind; /* a process directory: whose; its addresses may be a guest's */
	const struct walk_directory_visitor *visitor;
	bool big_endian;
	uint8_t levels;
	uint8_t id_bits;     /* of all levels that the structure knows */
	uint8_t leaf_bits;   /* of the id that select a context within its page */
	uint8_t leaf_dwords; /* of a context */
};

int walk_map_table(const struct riommu_walker *w, uint64_t pa, uint8_t *buf, size_t len,
		   const uint8_t **data)
{
	int err;

	if (pa >> riommu_bits(w->capabilities, 37, 32))
		return -EFAULT;
	if (w->memory)
		err = riommu_source_entry(w->memory, pa, len, buf, data);
	else
		err = w->memory_error ? w->memory_error : -ENODATA;
	if (err == -ENODATA && w->absent_is_fault)
		return -EFAULT;
	/* What map() gave is good until close; a copying source uses its buffers again. */
	if (!err && *data != buf && !w->memory->ops->map) {
		memcpy(buf, *data, len);
		*data = buf;
	}
	return err;
}

int walk_copy_table(const struct riommu_walker *w, uint64_t pa, uint8_t *buf, size_t len)
{
	const uint8_t *data;
	int err = walk_map_table(w, pa, buf, len, &data);

	if (!err && data != buf)
		memcpy(buf, data, len);
	return err;
}

/* The lowest bit of the id that LEVEL decodes. */
static unsigned id_shift(const struct directory *d, unsigned level)
{
	return level ? d->leaf_bits + 9 * (level - 1) : 0;
}

/* Entries of a page of LEVEL: fewer than 512 where the id has no more bits (PD20, 3LVL of the base format). */
static unsigned entry_count(const struct directory *d, unsigned level)
{
	unsigned bits = d->id_bits - id_shift(d, level);
	unsigned most = level ? 9 : d->leaf_bits;

	return 1u << (bits < most ? bits : most);
}

static unsigned entry_size(const struct directory *d, unsigned level)
{
	return level ? 8 : d->leaf_dwords * 8u;
}

static enum riommu_structure structure_of(const struct directory *d, unsigned level)
{
	if (d->behind)
		return level ? RIOMMU_S_PDTE : RIOMMU_S_PC;
	return level ? RIOMMU_S_DDTE : RIOMMU_S_DC;
}

static int unreadable(const struct directory *d, uint32_t first_id, unsigned level,
		      uint64_t address, int error)
{
	uint32_t span = (uint32_t)entry_count(d, level) << id_shift(d, level);
	struct walk_node node = {.first_id = first_id,
				 .last_id = first_id + span - 1,
				 .address = address,
				 .error = error};

	return d->visitor->node ? d->visitor->node(d->visitor->arg, &node) : 0;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static int visit_contexts(const struct directory *d, uint64_t page, uint32_t first_id,
			  const uint8_t *bytes)
{
	size_t size = entry_size(d, 0);
	uint64_t dw[RIOMMU_DC_DWORDS];
	int err = 0;

	for (uint32_t i = 0; i < entry_count(d, 0) && !err; i++) {
		struct walk_node node = {
			.first_id = first_id + i,
			.last_id = first_id + i,
			.address = page + i * size,
			.dw = dw,
			.dwords = d->leaf_dwords,
		};

		if (all_zero(bytes + i * size, size))
			continue;
		for (unsigned k = 0; k < d->leaf_dwords; k++)
			dw[k] = riommu_get64(bytes + i * size + 8 * (size_t)k, d->big_endian);
		err = d->visitor->node(d->visitor->arg, &node);
	}
	return err;
}

static int visit_table(const struct directory *d, uint64_t address, unsigned level,
		       uint32_t first_id);

static int visit_pointers(const struct directory *d, uint64_t page, unsigned level,
			  uint32_t first_id, const uint8_t *bytes)
{
	int err = 0;

	for (uint32_t i = 0; i < entry_count(d, level) && !err; i++) {
		uint64_t entry = riommu_get64(bytes + 8 * (size_t)i, d->big_endian);
		uint32_t id = first_id + (i << id_shift(d, level));

		if (!riommu_bit(entry, 0)) /* V=0: the rest is software's */
			continue;
		if (riommu_bits(entry, 9, 1) || riommu_bits(entry, 63, 54))
			err = unreadable(d, id, level - 1, page + 8 * (uint64_t)i, -EBADMSG);
		else
			err = visit_table(d, riommu_ppn_upper(entry), level - 1, id);
	}
	return err;
}

static int visit_page(const struct directory *d, uint64_t page, unsigned level, uint32_t first_id)
{
	const struct walk_directory_visitor *v = d->visitor;
	uint8_t bytes[RIOMMU_PAGE_SIZE];
	int error, err = 0;

	error = walk_copy_table(d->w, page, bytes,
				(size_t)entry_count(d, level) * entry_size(d, level));
	if (v->page)
		err = v->page(v->arg, page, structure_of(d, level), level, error);
	if (err)
		return err;
	if (error)
		return unreadable(d, first_id, level, page, error);
	if (level)
		return visit_pointers(d, page, level, first_id, bytes);
	return v->node ? visit_contexts(d, page, first_id, bytes) : 0;
}

/* A table at ADDRESS, which is a guest's for a process directory under a second stage (facts 2.6). */
static int visit_table(const struct directory *d, uint64_t address, unsigned level,
		       uint32_t first_id)
{
	const struct walk_directory_visitor *v = d->visitor;
	uint64_t page = address;
	int err;

	if (d->behind && walk_dc_two_stage(d->behind)) {
		err = walk_gpa_page(d->w, d->behind, address, &page);
		if (err)
			return unreadable(d, first_id, level, address, err);
	}
	if (v->enter) {
		err = v->enter(v->arg, page, structure_of(d, level), level);
		if (err != 1)
			return err ? err : unreadable(d, first_id, level, page, -ELOOP);
	}
	return visit_page(d, page, level, first_id);
}

int walk_visit_devices(const struct riommu_walker *w, const struct walk_directory_visitor *visitor)
{
	bool extended = w->capabilities & RIOMMU_CAP_MSI_FLAT;
	struct directory d = {
		.w = w,
		.visitor = visitor,
		.big_endian = w->fctl & RIOMMU_FCTL_BE,
		.id_bits = 24,
		.leaf_bits = extended ? 6 : 7,
		.leaf_dwords = extended ? RIOMMU_DC_DWORDS : RIOMMU_DC_DWORDS_BASE,
	};
	unsigned mode = (unsigned)riommu_bits(w->ddtp, 3, 0);

	if (mode < RIOMMU_DDTP_1LVL || mode > RIOMMU_DDTP_3LVL)
		return 0; /* Off and Bare have no directory, other modes no meaning */
	d.levels = (uint8_t)(mode - RIOMMU_DDTP_1LVL + 1);
	return visit_table(&d, riommu_ppn_upper(w->ddtp), d.levels - 1u, 0);
}

int walk_visit_processes(const struct riommu_walker *w, const struct riommu_dc *dc,
			 const struct walk_directory_visitor *visitor)
{
	struct directory d = {
		.w = w,
		.behind = dc,
		.visitor = visitor,
		.big_endian = dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_SBE,
		.id_bits = 20,
		.leaf_bits = 8,
		.leaf_dwords = 2,
	};
	unsigned mode = walk_mode(dc->dw[RIOMMU_DC_FSC]);

	if (!(dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_PDTV) || mode < RIOMMU_PDTP_PD8 ||
	    mode > RIOMMU_PDTP_PD20)
		return 0;
	d.levels = (uint8_t)(mode - RIOMMU_PDTP_PD8 + 1);
	return visit_table(&d, riommu_ppn_lower(dc->dw[RIOMMU_DC_FSC]), d.levels - 1u, 0);
}

/* -- contexts for callers of the library ------------------------------------------------------- */

/*
 * Where the contexts go. A page that several entries lead to is listed once (design, "visited (page, structure, level)
 * counted"): a directory that points at itself would otherwise be as many contexts as there are ids.
 */
struct listing {
	struct base_set seen;
	int (*dc)(void *arg, const struct riommu_dc_visit *v);
	int (*pc)(void *arg, const struct riommu_pc_visit *v);
	void *arg;
};

/* More pages than either directory can have. */
#define MAX_DIRECTORY_PAGES ((uint64_t)1 << 20)

static int enter_once(void *arg, uint64_t page, enum riommu_structure structure, unsigned level)
{
	struct listing *l = arg;

	return base_set_add(&l->seen, walk_page_key(page, structure, level, 0), 0,
			    MAX_DIRECTORY_PAGES);
}

static int dc_node(void *arg, const struct walk_node *node)
{
	const struct listing *l = arg;
	struct riommu_dc dc = {
		.device_id = node->first_id, .address = node->address, .dwords = node->dwords};
	struct riommu_dc_visit v = {
		.dc = node->dw ? &dc : NULL,
		.first_id = node->first_id,
		.last_id = node->last_id,
		.address = node->address,
		.error = node->error,
	};

	if (node->dw)
		memcpy(dc.dw, node->dw, node->dwords * sizeof(dc.dw[0]));
	return l->dc(l->arg, &v);
}

int riommu_visit_dcs(const struct riommu_walker *walker,
		     int (*visit)(void *arg, const struct riommu_dc_visit *v), void *arg)
{
	struct listing l = {.dc = visit, .arg = arg};
	struct walk_directory_visitor visitor = {.enter = enter_once, .node = dc_node, .arg = &l};
	int err = walk_visit_devices(walker, &visitor);

	base_set_free(&l.seen);
	return err;
}

static int pc_node(void *arg, const struct walk_node *node)
{
	const struct listing *l = arg;
	struct riommu_pc pc = {.process_id = node->first_id, .address = node->address};
	struct riommu_pc_visit v = {
		.pc = node->dw ? &pc : NULL,
		.first_id = node->first_id,
		.last_id = node->last_id,
		.address = node->address,
		.error = node->error,
	};

	if (node->dw) {
		pc.ta = node->dw[0];
		pc.fsc = node->dw[1];
	}
	return l->pc(l->arg, &v);
}

int riommu_visit_pcs(const struct riommu_walker *walker, const struct riommu_dc *dc,
		     int (*visit)(void *arg, const struct riommu_pc_visit *v), void *arg)
{
	struct listing l = {.pc = visit, .arg = arg};
	struct walk_directory_visitor visitor = {.enter = enter_once, .node = pc_node, .arg = &l};
	int err = walk_visit_processes(walker, dc, &visitor);

	base_set_free(&l.seen);
	return err;
}
