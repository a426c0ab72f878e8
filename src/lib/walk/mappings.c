/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Address spaces as ranges (specification, 3.3 "Process to translate an IOVA", steps 17 to 20, for all addresses at once).
 * Runs of the first stage are looked up in the second, less the MSI windows.
 */
#include "walk/mappings-internal.h"

#include <stdlib.h>

#define ENTRIES_PER_PAGE (RIOMMU_PAGE_SIZE / 16) /* of an MSI page table */
#define ALL_PERMISSIONS  (RIOMMU_PERM_R | RIOMMU_PERM_W | RIOMMU_PERM_X)

int list_enter(struct list *l)
{
	if (l->entered >= l->max) {
		l->totals.truncated = true;
		return -EOVERFLOW;
	}
	l->entered++;
	return 0;
}

/* -- attributes ------------------------------------------------------------------------------------------ */

/* What the leaf PTE grants; HARDWARE sets A and D. */
static struct list_attributes attributes(const struct list_run *r, bool hardware)
{
	uint64_t pte = r->pte;
	struct list_attributes a = {
		.permissions = walk_permissions(pte),
		.memory_type = (uint8_t)riommu_bits(pte, 62, 61),
		.blocked = pte & RIOMMU_PTE_U ? 0 : RIOMMU_BLOCKED_U,
		.global = r->global,
	};

	if (!hardware && !(pte & RIOMMU_PTE_A))
		a.blocked |= RIOMMU_BLOCKED_A;
	if (!hardware && !(pte & RIOMMU_PTE_D))
		a.blocked |= RIOMMU_BLOCKED_D;
	return a;
}

/* M gets what both stages say. */
static void combine(struct riommu_mapping *m, const struct list_attributes *first,
		    const struct list_attributes *second)
{
	m->permissions = first->permissions & second->permissions;
	m->blocked = first->blocked | second->blocked;
	m->memory_type =
		first->memory_type != RIOMMU_PMA ? first->memory_type : second->memory_type;
	m->global = first->global;
	/* what is not permitted is not blocked */
	if (!(m->permissions & RIOMMU_PERM_W))
		m->blocked &= (uint8_t)~RIOMMU_BLOCKED_D;
	if (!m->permissions)
		m->blocked = 0;
}

static const struct list_attributes no_limits = {.permissions = ALL_PERMISSIONS};

/* The leaves that come are of LEAF_SIZE, and lead on as L->outer_attributes and SECOND say. */
static void set_alike(struct list *l, uint64_t leaf_size, const struct list_attributes *second)
{
	l->alike.leaf_sizes = leaf_size;
	combine(&l->alike, &l->outer_attributes, second);
	l->alike_number++;
}

/* -- second stage ---------------------------------------------------------------------------------------- */

static uint64_t iova_of(const struct list *l, uint64_t gpa)
{
	return l->outer.from + (gpa - l->outer.to);
}

/* Guest physical L->told..LAST has no leaf in the second stage. Without a first stage that is nothing. */
static int tell_gap(struct list *l, uint64_t last, const char *reason)
{
	struct riommu_mapping m = {
		.kind = RIOMMU_MAPPING_GUEST_ONLY,
		.iova = iova_of(l, l->told),
		.last = iova_of(l, last),
		.gpa = l->told,
		.leaf_sizes = l->outer_leaf_size,
		.leaves = 1,
		.reason = reason,
	};

	l->told = last + 1;
	if (!l->first.shape)
		return 0;
	combine(&m, &l->outer_attributes, &no_limits);
	return list_other(l, &m);
}

static const char no_leaf[] = "the second stage has no leaf for it";

/* Guest physical addresses are told up to LAST, those below FROM as leading nowhere. */
static int tell_up_to(struct list *l, uint64_t from, uint64_t last)
{
	int err = from > l->told ? tell_gap(l, from - 1, no_leaf) : 0;

	l->told = last + 1;
	return err;
}

/* What the second stage has. */
static int second_stage_run(struct list *l, const struct list_run *r)
{
	const struct list_span *s = l->second.span, *end = s + r->spans;
	int err = 0;

	if (r->kind == RIOMMU_MAPPING_LEAVES && !r->again) {
		bool hardware = l->k.dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_GADE;
		struct list_attributes second = attributes(r, hardware);

		set_alike(l, walk_smaller(l->outer_leaf_size, r->leaf_size), &second);
	}
	for (; s < end && !err; s++) {
		uint64_t iova = iova_of(l, s->from), last = iova_of(l, s->last);

		err = tell_up_to(l, s->from, s->last);
		if (!err)
			err = r->kind == RIOMMU_MAPPING_LEAVES
				      ? list_leaves(l, iova, last, s->from, s->to)
				      : list_hole(l, r, iova, last);
	}
	return err;
}

/* Guest physical FROM..LAST, in which no MSI window lies. */
static int through_tables(struct list *l, uint64_t from, uint64_t last)
{
	uint64_t highest = ((uint64_t)1 << walk_gpa_bits(&l->k)) - 1;
	int err = 0;

	l->told = from;
	if (from <= highest) {
		uint64_t end = last < highest ? last : highest;

		err = list_tables(&l->second, from, end);
		if (!err && l->told <= end)
			err = tell_gap(l, end, no_leaf);
		l->told = end + 1;
	}
	if (!err && last > highest)
		err = tell_gap(l, last, walk_gpa_too_wide);
	/* the next one begins in tables that this one was in */
	l->second.free = l->second.shape->levels;
	return err;
}

/* -- MSI windows ----------------------------------------------------------------------------------------- */

/* The first window at or above guest page GPN; all ones when there is none. Free bits of a window are those of the mask. */
static uint64_t find_window(const struct list_msi *msi, uint64_t gpn)
{
	uint64_t pages = riommu_mask(51, 0), fixed = pages & ~msi->mask;
	uint64_t differs = (gpn ^ msi->pattern) & fixed, below;

	if (!differs)
		return gpn;
	below = riommu_mask((unsigned)(63 - __builtin_clzll(differs)), 0);
	if (msi->pattern & differs & (below ^ below >> 1))
		return (gpn & msi->mask & ~below) | msi->pattern;
	/* above that bit the free bits count up */
	if ((gpn | fixed | below) == pages)
		return UINT64_MAX;
	return (((gpn | fixed | below) + 1) & msi->mask & ~below) | msi->pattern;
}

/* The same, remembered: runs of a first stage mostly lie between two windows. */
static uint64_t next_window(struct list_msi *msi, uint64_t gpn)
{
	if (!msi->enabled)
		return UINT64_MAX;
	if (gpn < msi->known_from || gpn > msi->next) {
		msi->next = find_window(msi, gpn);
		msi->known_from = gpn;
	}
	return msi->next;
}

/* Taking the bits of a mask together is slow; files that follow each other have numbers that do. */
static uint64_t file_number(struct list_msi *msi, uint64_t gpn)
{
	uint64_t after = ((msi->index_of | ~msi->mask) + 1) & msi->mask;

	if (msi->index_of != UINT64_MAX && after && after == (gpn & msi->mask))
		msi->index++;
	else
		msi->index = riommu_extract(gpn, msi->mask);
	msi->index_of = gpn;
	return msi->index;
}

/* The MSI PTE of interrupt file INDEX. */
static int load_msi_pte(struct list *l, uint64_t index, uint64_t *address, uint64_t dw[2])
{
	struct list_msi *msi = &l->msi;
	uint64_t page;

	*address = riommu_ppn_lower(l->k.dc.dw[RIOMMU_DC_MSIPTP]) | index * 16;
	page = *address & ~RIOMMU_PAGE_MASK;
	/* What is counted is the part of the table: where its address is not aligned all parts may be one page (AIA: OR, not add). */
	if (!msi->held || msi->part != index / ENTRIES_PER_PAGE) {
		int err = list_enter(l);

		if (err)
			return err;
		msi->part = index / ENTRIES_PER_PAGE;
	}
	if (!msi->held || msi->page != page) {
		int err = list_tell_whole(l);

		if (err)
			return err;
		msi->held = true;
		msi->page = page;
		msi->error = walk_map_table(l->k.w, page, msi->copy, RIOMMU_PAGE_SIZE, &msi->bytes);
		l->totals.pages += !msi->error;
	}
	for (unsigned i = 0; i < 2 && !msi->error; i++)
		dw[i] = riommu_get64(msi->bytes + (*address & RIOMMU_PAGE_MASK) + 8 * (size_t)i,
				     l->k.be);
	return 0;
}

/* As of a second-stage leaf with R=W=U=1, X=0 (3.3 step 18). */
static const struct list_attributes msi_attributes = {.permissions = RIOMMU_PERM_R | RIOMMU_PERM_W};

static int emit_window(struct list *l, uint64_t from, uint64_t last, uint64_t address,
		       const uint64_t dw[2])
{
	struct riommu_translation t = {.msi = RIOMMU_MSI_NONE};
	struct list_run bad = {.kind = RIOMMU_MAPPING_MALFORMED, .address = address, .count = 1};
	struct riommu_mapping m;

	if (!riommu_bit(dw[0], 0)) {
		l->told = from;
		return tell_gap(l, last, "the MSI entry is not valid (V=0)");
	}
	if (walk_msi_entry(&l->k, dw, from, &t) != RIOMMU_OK) {
		bad.reason = l->k.reason;
		return list_hole(l, &bad, iova_of(l, from), iova_of(l, last));
	}
	m = (struct riommu_mapping){
		.kind = t.msi == RIOMMU_MSI_MRIF ? RIOMMU_MAPPING_MSI_MRIF
						 : RIOMMU_MAPPING_MSI_FLAT,
		.iova = iova_of(l, from),
		.last = iova_of(l, last),
		.gpa = from,
		.pa = t.msi == RIOMMU_MSI_MRIF ? t.mrif_address : t.pa,
		.notice_id = t.notice_id,
		.notice_pa = t.msi == RIOMMU_MSI_MRIF ? t.pa & ~RIOMMU_PAGE_MASK : 0,
		.leaf_sizes = RIOMMU_PAGE_SIZE,
		.leaves = 1,
		.address = address,
	};
	combine(&m, &l->outer_attributes, &msi_attributes);
	return list_other(l, &m);
}

/* The part FROM..LAST of the window at guest page GPN. */
static int through_msi(struct list *l, uint64_t gpn, uint64_t from, uint64_t last)
{
	struct list_run bad = {.kind = RIOMMU_MAPPING_UNREADABLE, .count = 1};
	uint64_t address, dw[2];
	int err = load_msi_pte(l, file_number(&l->msi, gpn), &address, dw);

	if (err)
		return err;
	if (!l->msi.error)
		return emit_window(l, from, last, address, dw);
	bad.address = address;
	bad.error = l->msi.error;
	return list_hole(l, &bad, iova_of(l, from), iova_of(l, last));
}

/* Guest physical FROM..LAST, which L->outer leads to. */
static int through_second_stage(struct list *l, uint64_t from, uint64_t last)
{
	for (;;) {
		uint64_t gpn = next_window(&l->msi, from >> RIOMMU_PAGE_SHIFT);
		uint64_t window = gpn << RIOMMU_PAGE_SHIFT, end = window | RIOMMU_PAGE_MASK;
		int err = 0;

		if (gpn == UINT64_MAX || window > last)
			return through_tables(l, from, last);
		if (window > from) {
			err = through_tables(l, from, window - 1);
			from = window;
		}
		if (!err)
			err = through_msi(l, gpn, from, end < last ? end : last);
		if (err || end >= last)
			return err;
		from = end + 1;
	}
}

/* -- first stage ----------------------------------------------------------------------------------------- */

/* Leaves of the first stage, where there is a second. */
static int through_both(struct list *l, const struct list_run *r)
{
	const struct list_span *s = l->first.span, *end = s + r->spans;
	int err = 0;

	if (!r->again) {
		l->outer_leaf_size = r->leaf_size;
		l->second.told = NULL;
	}
	for (; s < end && !err; s++) {
		l->outer = *s;
		l->second.free = l->second.shape->levels;
		err = through_second_stage(l, s->to, s->to + (s->last - s->from));
	}
	return err;
}

static int first_stage_run(struct list *l, const struct list_run *r)
{
	const struct list_span *s = l->first.span;

	if (r->kind != RIOMMU_MAPPING_LEAVES)
		return list_hole(l, r, s->from, s->last);
	if (!r->again) {
		bool hardware = l->k.dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_SADE;

		l->outer_attributes = attributes(r, hardware && r->updatable);
	}
	if (l->second.shape)
		return through_both(l, r);
	if (!r->again)
		set_alike(l, r->leaf_size, &no_limits);
	return list_spans(l, s, r->spans);
}

struct riommu_mapping riommu_identity(uint64_t first, uint64_t last)
{
	return (struct riommu_mapping){
		.kind = RIOMMU_MAPPING_IDENTITY,
		.iova = first,
		.last = last,
		.gpa = first,
		.pa = first,
		.permissions = ALL_PERMISSIONS,
	};
}

static int identity(struct list *l, uint64_t first, uint64_t last)
{
	struct riommu_mapping m = riommu_identity(first, last);

	return list_other(l, &m);
}

/* -- the whole ------------------------------------------------------------------------------------------- */

static void prepare_stage(struct list *l, struct list_stage *s, const struct walk_shape *shape,
			  uint64_t atp, int (*run)(struct list *l, const struct list_run *r))
{
	s->list = l;
	s->shape = shape;
	s->root = riommu_ppn_lower(atp);
	s->run = run;
	s->free = 0;
	s->told = NULL;
	s->ahead.wanted = s->ahead.held = false;
	for (unsigned i = 0; i < RIOMMU_TWO_STAGE_LEVELS; i++) {
		s->table[i].held = s->table[i].global = false;
		s->table[i].run = (struct list_run){0};
	}
}

static void prepare(struct list *l, const struct riommu_walker *w,
		    const struct list_request *request)
{
	bool guest = !request->identity && walk_dc_two_stage(request->dc);
	bool first = !request->identity && walk_mode(request->fsc) != RIOMMU_FSC_BARE;

	walk_begin(&l->k, w, NULL);
	l->k.dc = *request->dc;
	prepare_stage(l, &l->first, first ? walk_first_stage_shape(&l->k, request->fsc) : NULL,
		      request->fsc, first_stage_run);
	l->first.second = false;
	l->first.big_endian = l->k.dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_SBE;
	prepare_stage(l, &l->second, guest ? walk_second_stage_shape(&l->k) : NULL,
		      l->k.dc.dw[RIOMMU_DC_IOHGATP], second_stage_run);
	l->second.second = true;
	l->second.big_endian = l->k.be;
	l->msi.enabled = guest && walk_msi_enabled(&l->k);
	l->msi.mask = walk_msi_mask(&l->k);
	l->msi.pattern = l->k.dc.dw[RIOMMU_DC_MSI_ADDR_PATTERN] & walk_msi_compared(&l->k);
	l->msi.index_of = UINT64_MAX;
	l->msi.known_from = 1;
	l->msi.next = 0;
	l->msi.held = false;
	l->reached = request->reached;
	l->pa_first = request->pa_first;
	l->pa_last = request->pa_last;
	l->entered = 0;
	l->stopped = false;
	l->count = l->told_ranges = 0;
	memset(l->made, 0, sizeof(l->made));
	l->alike_number = 1;
	l->outer = (struct list_span){.last = UINT64_MAX};
	l->outer_leaf_size = 0;
	l->outer_attributes = no_limits;
	l->alike = (struct riommu_mapping){.kind = RIOMMU_MAPPING_LEAVES};
	l->totals = (struct riommu_mapping_totals){0};
}

static int enumerate(struct list *l, const struct list_request *request)
{
	if (l->first.shape)
		return list_tables(&l->first, request->first, request->last);
	if (l->second.shape)
		return through_second_stage(l, request->first, request->last);
	return identity(l, request->first, request->last);
}

static void add_totals(struct riommu_mapping_totals *to, const struct riommu_mapping_totals *more)
{
	to->ranges += more->ranges;
	to->leaves += more->leaves;
	if (!riommu_add(to->bytes, more->bytes, &to->bytes))
		to->bytes = UINT64_MAX;
	to->pages += more->pages;
	to->entered += more->entered;
	to->loops += more->loops;
	to->truncated |= more->truncated;
}

int list_mappings(const struct riommu_walker *w, const struct list_request *request,
		  riommu_mappings_fn visit, void *arg, struct riommu_mapping_totals *totals)
{
	/* the copies of tables in it are too much for a stack */
	struct list *l = malloc(sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	prepare(l, w, request);
	l->visit = visit;
	l->arg = arg;
	l->max = *request->budget;
	err = enumerate(l, request);
	/* what was found before the bound was hit is told */
	if (!l->stopped) {
		int last = list_tell_rest(l);

		err = last ? last : err;
	}
	*request->budget -= l->entered;
	l->totals.entered = l->entered;
	add_totals(totals, &l->totals);
	free(l);
	return err;
}

void list_space(const struct riommu_space *space, struct list_request *request)
{
	uint64_t tc = space->dc.dw[RIOMMU_DC_TC];

	request->dc = &space->dc;
	request->fsc = 0;
	request->identity = false;
	if (space->kind == RIOMMU_SPACE_TRANSLATED)
		request->identity = !(tc & RIOMMU_TC_T2GPA);
	else if (space->has_pc)
		request->fsc = space->pc.fsc;
	else if (!(tc & RIOMMU_TC_PDTV))
		request->fsc = space->dc.dw[RIOMMU_DC_FSC];
}

int riommu_visit_mappings(const struct riommu_walker *walker, const struct riommu_space *space,
			  const struct riommu_mapping_args *args, riommu_mappings_fn visit,
			  void *arg, struct riommu_mapping_totals *totals)
{
	struct riommu_mapping_totals unused;
	uint64_t budget = riommu_max_pages(walker);
	struct list_request request = {.first = args->first, .last = args->last, .budget = &budget};

	if (!totals)
		totals = &unused;
	*totals = (struct riommu_mapping_totals){0};
	if (args->first > args->last)
		return -EINVAL;
	list_space(space, &request);
	if (args->second_stage_only) {
		if (!walk_dc_two_stage(&space->dc))
			return -EINVAL;
		request.fsc = 0;
		request.identity = false;
	}
	return list_mappings(walker, &request, visit, arg, totals);
}
