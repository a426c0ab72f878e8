/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All pages of tables that walks can reach. Tables are a graph that others draw: they share, loop and point at
 * themselves. So a page is entered once for each meaning it has, and -O max-pages= bounds how many are remembered.
 */
#include "base/set.h"
#include "walk/visit-internal.h"

#include <stdlib.h>

#define DEFAULT_MAX_PAGES ((uint64_t)1 << 20)
#define DEFAULT_SPACES    262144u

/*
 * One meaning of a page, in 64 bits: where it is, what it holds, at which level, in which format. Beside it in the set
 * is the second stage, for the tables of a guest: the same bytes point elsewhere under another one.
 */
#define KEY_32  (1u << 6) /* entries of 4 bytes, tables of SXL */
#define KEY_BIG (1u << 7)

struct msi_table {
	uint64_t base;
	uint64_t pages;
};

struct pages {
	const struct riommu_walker *w;
	unsigned too; /* enum riommu_pages_too */
	int (*visit)(void *arg, const struct riommu_page_visit *v);
	void *arg;

	struct base_set seen;
	uint64_t max;

	/* MSI tables come last: a lying mask must not eat what the other tables need */
	struct msi_table *msi;
	size_t msi_count, msi_size;
};

/* -- what was seen ----------------------------------------------------------------------------- */

/* 1 for a meaning that is new (now it is not), 0 for one that was seen, -EOVERFLOW past -O max-pages. */
static int enter(struct pages *p, uint64_t page, enum riommu_structure structure, unsigned level,
		 unsigned format, uint64_t space)
{
	uint64_t key = walk_page_key(page, structure, level, format);

	return base_set_add(&p->seen, key, space, p->max);
}

static int tell(const struct pages *p, uint64_t page, enum riommu_structure structure,
		unsigned level, int error)
{
	struct riommu_page_visit v = {
		.page = page, .structure = structure, .level = (uint8_t)level, .error = error};

	return p->visit(p->arg, &v);
}

/* -- first and second stage -------------------------------------------------------------------- */

/* The tables of one stage, all of one format. */
struct stage {
	struct pages *p;
	/* whose second stage translates the addresses; NULL: none does */
	const struct riommu_dc *behind;
	enum riommu_structure structure;
	unsigned levels; /* 0: Bare */
	unsigned pte_size;
	bool big_endian;
	unsigned format;
	uint64_t space;
};

/* Levels of MODE, which is 8, 9, 10 for three, four, five; two in the 32-bit formats. */
static unsigned levels_of(unsigned mode, bool bits32)
{
	if (mode < RIOMMU_FSC_SV39 || mode > RIOMMU_FSC_SV57)
		return 0;
	return bits32 ? 2 : mode - RIOMMU_FSC_SV39 + 3;
}

/* The meaning of tables depends on the second stage that they are seen through: its root and mode, not its GSCID. */
static uint64_t space_of(const struct riommu_dc *dc)
{
	return walk_dc_two_stage(dc) ? dc->dw[RIOMMU_DC_IOHGATP] & ~riommu_mask(59, 44) : 0;
}

static unsigned format_of(bool bits32, bool big_endian)
{
	return (bits32 ? KEY_32 : 0) | (big_endian ? KEY_BIG : 0);
}

/* True if a walk goes on from PTE to another table: valid, no leaf, nothing set that is reserved there. */
static bool points_on(const struct riommu_walker *w, uint64_t pte)
{
	uint64_t zero = RIOMMU_PTE_R | RIOMMU_PTE_W | RIOMMU_PTE_X | RIOMMU_PTE_U | RIOMMU_PTE_A |
			RIOMMU_PTE_D | riommu_mask(63, 54);

	if (w->capabilities & RIOMMU_CAP_SVRSW60T59B)
		zero &= ~riommu_mask(60, 59);
	return (pte & RIOMMU_PTE_V) && !(pte & zero);
}

static int visit_table(const struct stage *s, uint64_t address, unsigned level);

static int visit_children(const struct stage *s, const uint8_t *bytes, unsigned level)
{
	int err = 0;

	for (size_t at = 0; at < RIOMMU_PAGE_SIZE && !err; at += s->pte_size) {
		uint64_t pte = s->pte_size == 4 ? riommu_get32(bytes + at, s->big_endian)
						: riommu_get64(bytes + at, s->big_endian);

		if (points_on(s->p->w, pte))
			err = visit_table(s, riommu_ppn_upper(pte), level - 1);
	}
	return err;
}

static int visit_table(const struct stage *s, uint64_t address, unsigned level)
{
	uint8_t bytes[RIOMMU_PAGE_SIZE];
	uint64_t page = address;
	int err, error;

	/* What keeps a guest's address from being translated is a page of the second stage, which is visited as such. */
	if (s->behind && walk_gpa_page(s->p->w, s->behind, address, &page))
		return 0;
	err = enter(s->p, page, s->structure, level, s->format, s->space);
	if (err != 1)
		return err;
	error = walk_copy_table(s->p->w, page, bytes, sizeof(bytes));
	err = tell(s->p, page, s->structure, level, error);
	if (err || error || !level)
		return err;
	return visit_children(s, bytes, level);
}

static int visit_first_stage(struct pages *p, const struct riommu_dc *dc, uint64_t fsc)
{
	uint64_t tc = dc->dw[RIOMMU_DC_TC];
	bool bits32 = tc & RIOMMU_TC_SXL, big_endian = tc & RIOMMU_TC_SBE;
	struct stage s = {
		.p = p,
		.behind = walk_dc_two_stage(dc) ? dc : NULL,
		.structure = RIOMMU_S_PTE,
		.levels = levels_of(walk_mode(fsc), bits32),
		.pte_size = bits32 ? 4 : 8,
		.big_endian = big_endian,
		.format = format_of(bits32, big_endian),
		.space = space_of(dc),
	};

	return s.levels ? visit_table(&s, riommu_ppn_lower(fsc), s.levels - 1) : 0;
}

/* The root of a second stage is four pages (facts 3.6). */
static int visit_second_stage(struct pages *p, uint64_t iohgatp)
{
	bool bits32 = p->w->fctl & RIOMMU_FCTL_GXL, big_endian = p->w->fctl & RIOMMU_FCTL_BE;
	struct stage s = {
		.p = p,
		.structure = RIOMMU_S_GPTE,
		.levels = levels_of(walk_mode(iohgatp), bits32),
		.pte_size = bits32 ? 4 : 8,
		.big_endian = big_endian,
		.format = format_of(bits32, big_endian),
	};
	int err = 0;

	for (unsigned i = 0; i < 4 && s.levels && !err; i++)
		err = visit_table(&s, riommu_ppn_lower(iohgatp) + i * RIOMMU_PAGE_SIZE,
				  s.levels - 1);
	return err;
}

/* -- process directories ----------------------------------------------------------------------- */

struct processes {
	struct pages *p;
	const struct riommu_dc *dc;
	bool walked; /* not behind a misconfigured context */
};

static int process_enter(void *arg, uint64_t page, enum riommu_structure structure, unsigned level)
{
	const struct processes *in = arg;
	uint64_t tc = in->dc->dw[RIOMMU_DC_TC];

	return enter(in->p, page, structure, level,
		     format_of(tc & RIOMMU_TC_SXL, tc & RIOMMU_TC_SBE), space_of(in->dc));
}

static int process_page(void *arg, uint64_t page, enum riommu_structure structure, unsigned level,
			int error)
{
	return tell(((const struct processes *)arg)->p, page, structure, level, error);
}

static int process_node(const struct processes *in, const struct walk_node *node)
{
	struct riommu_pc pc = {.process_id = node->first_id, .address = node->address};

	if (!node->dw || !in->walked)
		return 0;
	pc.ta = node->dw[0];
	pc.fsc = node->dw[1];
	if (!(pc.ta & RIOMMU_PC_V) || riommu_pc_misconfigured(in->p->w, in->dc, &pc))
		return 0;
	return visit_first_stage(in->p, in->dc, pc.fsc);
}

/* -- MSI tables -------------------------------------------------------------------------------- */

/* Keeps an MSI table for later. The mask makes its size: 2^popcount entries, so up to 2^44 pages if it lies. */
static int keep_msi_table(struct pages *p, const struct riommu_dc *dc)
{
	unsigned bits = (unsigned)__builtin_popcountll(dc->dw[RIOMMU_DC_MSI_ADDR_MASK] &
						       riommu_mask(51, 0));
	struct msi_table table = {
		.base = riommu_ppn_lower(dc->dw[RIOMMU_DC_MSIPTP]),
		.pages = bits <= 8 ? 1 : (uint64_t)1 << (bits - 8),
	};
	struct msi_table *more;

	if (dc->dwords < RIOMMU_DC_DWORDS ||
	    walk_mode(dc->dw[RIOMMU_DC_MSIPTP]) != RIOMMU_MSIPTP_FLAT)
		return 0;
	/* Devices of one guest share a table: most repeats follow each other; the rest costs only time. */
	if (p->msi_count && p->msi[p->msi_count - 1].base == table.base &&
	    p->msi[p->msi_count - 1].pages == table.pages)
		return 0;
	if (p->msi_count >= p->max)
		return -EOVERFLOW;
	if (p->msi_count == p->msi_size) {
		size_t size = p->msi_size ? p->msi_size * 2 : 16;

		more = realloc(p->msi, size * sizeof(*more));
		if (!more)
			return -ENOMEM;
		p->msi = more;
		p->msi_size = size;
	}
	p->msi[p->msi_count++] = table;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	const struct msi_table *x = a, *y = b;

	if (x->pages != y->pages)
		return x->pages < y->pages ? -1 : 1;
	return x->base < y->base ? -1 : x->base > y->base;
}

/*
 * The entry's address is base OR offset, so a misaligned table folds onto itself (facts 9, 23): only the bits that BASE
 * leaves free tell pages apart, and counting in those bits alone gives each page once.
 */
static int visit_msi_table(struct pages *p, const struct msi_table *table, uint64_t *steps)
{
	uint64_t free_bits = ((table->pages - 1) << RIOMMU_PAGE_SHIFT) & ~table->base;
	uint8_t bytes[RIOMMU_PAGE_SIZE];
	uint64_t offset = 0;

	do {
		uint64_t page = table->base | offset;
		int err = enter(p, page, RIOMMU_S_MSI_PTE, 0, 0, 0);

		if (err == 1)
			err = tell(p, page, RIOMMU_S_MSI_PTE, 0,
				   walk_copy_table(p->w, page, bytes, sizeof(bytes)));
		if (err)
			return err;
		/* Tables that lie over each other add no page, but time. */
		if (++*steps / 4 > p->max)
			return -EOVERFLOW;
		offset = (offset - free_bits) & free_bits;
	} while (offset);
	return 0;
}

/* The small ones first: they are whole before a liar's reaches the bound. */
static int visit_msi_tables(struct pages *p)
{
	uint64_t steps = 0;
	int err = 0;

	if (p->msi_count)
		qsort(p->msi, p->msi_count, sizeof(*p->msi), by_size);
	for (size_t i = 0; i < p->msi_count && !err; i++)
		if (!i || by_size(&p->msi[i - 1], &p->msi[i]))
			err = visit_msi_table(p, &p->msi[i], &steps);
	return err;
}

/* -- devices ----------------------------------------------------------------------------------- */

static int device_enter(void *arg, uint64_t page, enum riommu_structure structure, unsigned level)
{
	return enter(arg, page, structure, level, 0, 0);
}

static int device_page(void *arg, uint64_t page, enum riommu_structure structure, unsigned level,
		       int error)
{
	return tell(arg, page, structure, level, error);
}

static int visit_processes(struct pages *p, const struct riommu_dc *dc, bool walked)
{
	struct processes in = {p, dc, walked};
	struct walk_directory_visitor visitor = {process_enter, process_page, &in};
	struct walk_directory directory; /* not cleared: it is large */
	struct walk_node node;
	int err = 0;

	walk_begin_processes(&directory, p->w, dc, &visitor);
	while (!err && walk_next_node(&directory, &node))
		err = process_node(&in, &node);
	return err ? err : directory.err;
}

static int visit_fsc(struct pages *p, const struct riommu_dc *dc, bool walked)
{
	if (walk_dc_two_stage(dc) && !(p->too & RIOMMU_PAGES_OF_GUESTS))
		return 0;
	if (dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_PDTV)
		return visit_processes(p, dc, walked);
	return walked ? visit_first_stage(p, dc, dc->dw[RIOMMU_DC_FSC]) : 0;
}

/*
 * Nothing behind a context that is not valid or misconfigured is ever walked. Its process directory is listed nevertheless,
 * through its second stage: who looks for the mistake wants to see it, in a capture, too.
 */
static int device_node(struct pages *p, const struct walk_node *node)
{
	struct riommu_dc dc = {
		.device_id = node->first_id, .address = node->address, .dwords = node->dwords};
	bool walked;
	int err = 0;

	if (!node->dw)
		return 0;
	memcpy(dc.dw, node->dw, node->dwords * sizeof(dc.dw[0]));
	if (!(dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_V))
		return 0;
	walked = !riommu_dc_misconfigured(p->w, &dc, NULL);
	if (!walked && !(p->too & RIOMMU_PAGES_LISTED))
		return 0;
	if (riommu_hgatp_mode_name(dc.dw[RIOMMU_DC_IOHGATP], p->w->fctl))
		err = visit_second_stage(p, dc.dw[RIOMMU_DC_IOHGATP]);
	if (!err)
		err = visit_fsc(p, &dc, walked);
	return err || !walked ? err : keep_msi_table(p, &dc);
}

/* A walker without memory has no parameters either. */
static uint64_t count_option(const struct riommu_walker *w, const char *key, uint64_t otherwise)
{
	return w->memory ? riommu_option_number(w->memory->ctx, key) : otherwise;
}

uint64_t riommu_max_pages(const struct riommu_walker *w)
{
	return count_option(w, "max-pages", DEFAULT_MAX_PAGES);
}

uint64_t riommu_spaces_at_once(const struct riommu_walker *w)
{
	return count_option(w, "spaces", DEFAULT_SPACES);
}

int riommu_visit_pages(const struct riommu_walker *walker, unsigned too,
		       int (*visit)(void *arg, const struct riommu_page_visit *v), void *arg)
{
	struct pages p = {.w = walker,
			  .too = too,
			  .visit = visit,
			  .arg = arg,
			  .max = riommu_max_pages(walker)};
	struct walk_directory_visitor visitor = {device_enter, device_page, &p};
	struct walk_directory directory;
	struct walk_node node;
	int err = 0;

	walk_begin_devices(&directory, walker, &visitor);
	while (!err && walk_next_node(&directory, &node))
		err = device_node(&p, &node);
	if (!err)
		err = directory.err;
	if (!err)
		err = visit_msi_tables(&p);
	base_set_free(&p.seen);
	free(p.msi);
	return err;
}
