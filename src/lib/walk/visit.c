/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All contexts of a directory (specification, 3.1 "Device Directory", 3.2 "Process Directory"), one after the other: whoever asks for
 * the next one says when, so that two directories can be gone through side by side.
 */
#include "base/set.h"
#include "walk/visit-internal.h"

#include <stdlib.h>

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
static unsigned id_shift(const struct walk_directory *d, unsigned level)
{
	return level ? d->leaf_bits + 9 * (level - 1) : 0;
}

/* Entries of a page of LEVEL: fewer than 512 where the id has no more bits (PD20, 3LVL of the base format). */
static unsigned entry_count(const struct walk_directory *d, unsigned level)
{
	unsigned bits = d->id_bits - id_shift(d, level);
	unsigned most = level ? 9 : d->leaf_bits;

	return 1u << (bits < most ? bits : most);
}

static unsigned entry_size(const struct walk_directory *d, unsigned level)
{
	return level ? 8 : d->leaf_dwords * 8u;
}

static enum riommu_structure structure_of(const struct walk_directory *d, unsigned level)
{
	if (d->is_process)
		return level ? RIOMMU_S_PDTE : RIOMMU_S_PC;
	return level ? RIOMMU_S_DDTE : RIOMMU_S_DC;
}

/* What a table of LEVEL would hold is not known. */
static bool unreadable(const struct walk_directory *d, uint32_t first_id, unsigned level,
		       uint64_t address, int error, struct walk_node *node)
{
	uint32_t span = (uint32_t)entry_count(d, level) << id_shift(d, level);

	*node = (struct walk_node){.first_id = first_id,
				   .last_id = first_id + span - 1,
				   .address = address,
				   .error = error};
	return true;
}

/* Reads the page of a table. True: NODE says why that is not possible. */
static bool open_page(struct walk_directory *d, uint64_t address, unsigned level, uint32_t first_id,
		      struct walk_node *node)
{
	struct walk_directory_page *page = &d->page[d->depth];
	const struct walk_directory_visitor *v = &d->visitor;
	int error = walk_copy_table(d->w, address, page->bytes,
				    (size_t)entry_count(d, level) * entry_size(d, level));

	if (v->page)
		d->err = v->page(v->arg, address, structure_of(d, level), level, error);
	if (d->err)
		return false;
	if (error)
		return unreadable(d, first_id, level, address, error, node);
	page->address = address;
	page->first_id = first_id;
	page->next = 0;
	page->level = level;
	d->depth++;
	return false;
}

/* A table at ADDRESS, which is a guest's for a process directory under a second stage (facts 2.6). */
static bool open_table(struct walk_directory *d, uint64_t address, unsigned level,
		       uint32_t first_id, struct walk_node *node)
{
	const struct walk_directory_visitor *v = &d->visitor;
	uint64_t page = address;
	int enter;

	if (d->is_process && walk_dc_two_stage(&d->behind)) {
		int error = walk_gpa_page(d->w, &d->behind, address, &page);

		if (error)
			return unreadable(d, first_id, level, address, error, node);
	}
	enter = v->enter(v->arg, page, structure_of(d, level), level);
	if (!enter)
		return unreadable(d, first_id, level, page, -ELOOP, node);
	if (enter != 1) {
		d->err = enter;
		return false;
	}
	return open_page(d, page, level, first_id, node);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* The next context of the page, if there is one. */
static bool next_context(struct walk_directory *d, struct walk_directory_page *page,
			 struct walk_node *node)
{
	size_t size = entry_size(d, 0);

	while (page->next < entry_count(d, 0)) {
		uint32_t i = page->next++;
		const uint8_t *bytes = page->bytes + i * size;

		if (all_zero(bytes, size))
			continue;
		for (unsigned k = 0; k < d->leaf_dwords; k++)
			d->dw[k] = riommu_get64(bytes + 8 * (size_t)k, d->big_endian);
		*node = (struct walk_node){
			.first_id = page->first_id + i,
			.last_id = page->first_id + i,
			.address = page->address + i * size,
			.dw = d->dw,
			.dwords = d->leaf_dwords,
		};
		return true;
	}
	return false;
}

/* Follows the next pointer of the page. True: NODE says why that is not possible. */
static bool follow(struct walk_directory *d, struct walk_directory_page *page,
		   struct walk_node *node)
{
	uint32_t i = page->next++;
	uint64_t entry = riommu_get64(page->bytes + 8 * (size_t)i, d->big_endian);
	uint32_t id = page->first_id + (i << id_shift(d, page->level));

	if (!riommu_bit(entry, 0)) /* V=0: the rest is software's */
		return false;
	if (riommu_bits(entry, 9, 1) || riommu_bits(entry, 63, 54))
		return unreadable(d, id, page->level - 1, page->address + 8 * (uint64_t)i, -EBADMSG,
				  node);
	return open_table(d, riommu_ppn_upper(entry), page->level - 1, id, node);
}

bool walk_next_node(struct walk_directory *d, struct walk_node *node)
{
	bool found = false;

	if (d->levels) {
		unsigned level = d->levels - 1u;

		d->levels = 0;
		found = open_table(d, d->root, level, 0, node);
	}
	while (!found && !d->err && d->depth) {
		struct walk_directory_page *page = &d->page[d->depth - 1];

		if (page->next == entry_count(d, page->level))
			d->depth--;
		else
			found = page->level ? follow(d, page, node) : next_context(d, page, node);
	}
	return found;
}

void walk_begin_devices(struct walk_directory *d, const struct riommu_walker *w,
			const struct walk_directory_visitor *visitor)
{
	bool extended = w->capabilities & RIOMMU_CAP_MSI_FLAT;
	unsigned mode = (unsigned)riommu_bits(w->ddtp, 3, 0);

	d->w = w;
	d->visitor = *visitor;
	d->is_process = false;
	d->big_endian = w->fctl & RIOMMU_FCTL_BE;
	d->id_bits = 24;
	d->leaf_bits = extended ? 6 : 7;
	d->leaf_dwords = extended ? RIOMMU_DC_DWORDS : RIOMMU_DC_DWORDS_BASE;
	d->root = riommu_ppn_upper(w->ddtp);
	d->err = 0;
	d->depth = 0;
	d->levels = 0; /* Off and Bare have no directory, other modes no meaning */
	if (mode >= RIOMMU_DDTP_1LVL && mode <= RIOMMU_DDTP_3LVL)
		d->levels = (uint8_t)(mode - RIOMMU_DDTP_1LVL + 1);
}

void walk_begin_processes(struct walk_directory *d, const struct riommu_walker *w,
			  const struct riommu_dc *dc, const struct walk_directory_visitor *visitor)
{
	unsigned mode = walk_mode(dc->dw[RIOMMU_DC_FSC]);

	d->w = w;
	d->behind = *dc;
	d->visitor = *visitor;
	d->is_process = true;
	d->big_endian = dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_SBE;
	d->id_bits = 20;
	d->leaf_bits = 8;
	d->leaf_dwords = 2;
	d->root = riommu_ppn_lower(dc->dw[RIOMMU_DC_FSC]);
	d->err = 0;
	d->depth = 0;
	d->levels = 0;
	if ((dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_PDTV) && mode >= RIOMMU_PDTP_PD8 &&
	    mode <= RIOMMU_PDTP_PD20)
		d->levels = (uint8_t)(mode - RIOMMU_PDTP_PD8 + 1);
}

/* -- contexts for callers of the library ------------------------------------------------------- */

/*
 * A page that several entries lead to is listed once (design, "visited (page, structure, level) counted"): a directory that points at
 * itself would otherwise be as many contexts as there are ids.
 */
struct riommu_directory {
	struct walk_directory walk;
	struct base_set seen;
	struct riommu_dc dc;
	struct riommu_pc pc;
};

/* More pages than either directory can have. */
#define MAX_DIRECTORY_PAGES ((uint64_t)1 << 20)

static int enter_once(void *arg, uint64_t page, enum riommu_structure structure, unsigned level)
{
	return base_set_add(arg, walk_page_key(page, structure, level, 0), 0, MAX_DIRECTORY_PAGES);
}

static void begin(struct riommu_directory *d, const struct riommu_walker *w,
		  const struct riommu_dc *dc)
{
	struct walk_directory_visitor visitor = {.enter = enter_once, .arg = &d->seen};

	d->seen = (struct base_set){0};
	if (dc)
		walk_begin_processes(&d->walk, w, dc, &visitor);
	else
		walk_begin_devices(&d->walk, w, &visitor);
}

int riommu_directory_open(const struct riommu_walker *walker, const struct riommu_dc *dc,
			  struct riommu_directory **d)
{
	*d = malloc(sizeof(**d));
	if (!*d)
		return -ENOMEM;
	begin(*d, walker, dc);
	return 0;
}

void riommu_directory_close(struct riommu_directory *d)
{
	if (d)
		base_set_free(&d->seen);
	free(d);
}

static void set_dc(struct riommu_dc *dc, const struct walk_node *node)
{
	*dc = (struct riommu_dc){
		.device_id = node->first_id, .address = node->address, .dwords = node->dwords};
	memcpy(dc->dw, node->dw, node->dwords * sizeof(dc->dw[0]));
}

int riommu_directory_next(struct riommu_directory *d, struct riommu_context_visit *v)
{
	struct walk_node node;

	if (!walk_next_node(&d->walk, &node))
		return d->walk.err;
	*v = (struct riommu_context_visit){
		.first_id = node.first_id,
		.last_id = node.last_id,
		.address = node.address,
		.error = node.error,
	};
	if (node.dw && d->walk.is_process) {
		d->pc = (struct riommu_pc){node.first_id, node.address, node.dw[0], node.dw[1]};
		v->pc = &d->pc;
	} else if (node.dw) {
		set_dc(&d->dc, &node);
		v->dc = &d->dc;
	}
	return 1;
}

int riommu_visit_dcs(const struct riommu_walker *walker,
		     int (*visit)(void *arg, const struct riommu_dc_visit *v), void *arg)
{
	struct riommu_directory d; /* not cleared: it is large */
	struct riommu_context_visit c;
	int err = 0;

	begin(&d, walker, NULL);
	while (!err && (err = riommu_directory_next(&d, &c)) == 1) {
		struct riommu_dc_visit v = {c.dc, c.first_id, c.last_id, c.address, c.error};

		err = visit(arg, &v);
	}
	base_set_free(&d.seen);
	return err;
}

int riommu_visit_pcs(const struct riommu_walker *walker, const struct riommu_dc *dc,
		     int (*visit)(void *arg, const struct riommu_pc_visit *v), void *arg)
{
	struct riommu_directory d; /* not cleared: it is large */
	struct riommu_context_visit c;
	int err = 0;

	begin(&d, walker, dc);
	while (!err && (err = riommu_directory_next(&d, &c)) == 1) {
		struct riommu_pc_visit v = {c.pc, c.first_id, c.last_id, c.address, c.error};

		err = visit(arg, &v);
	}
	base_set_free(&d.seen);
	return err;
}
