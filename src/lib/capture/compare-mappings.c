/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What changed in address spaces. Those with the same tables in both systems are a group, which is looked at once. Of the old ranges
 * of a group a window is kept, the new ones pass by it: memory does not grow with their number.
 */
#include "capture/compare-internal.h"

#include <stdlib.h>

#define WINDOW 65536 /* ranges */

/* -- spaces --------------------------------------------------------------------------------------------------- */

/* A space in one of both systems. */
struct half {
	uint32_t dc; /* index plus 1 of its device context; 0: there is no such space */
	bool has_pc;
	uint64_t address, ta, fsc; /* of the process context */
};

struct member {
	struct half half[2];
	struct riommu_space_ref ref;
};

struct groups {
	const struct riommu_comparison *c;
	int (*visit)(void *arg, const struct riommu_mapping_change *change);
	void *arg;
	struct compare_list dcs;     /* struct riommu_dc */
	struct compare_list members; /* struct member */
	struct riommu_space_ref *refs;

	uint64_t at_once;    /* when so many members are held, they are compared */
	uint32_t entered_by; /* the device whose spaces entered so many tables */
	uint64_t entered[2];

	/* of the device at work: */
	uint32_t device_id;
	const struct riommu_dc *dc[2];
	uint32_t dc_index[2];        /* in `dcs`, plus 1 */
	uint64_t held;               /* members */
	struct compare_list gaps[2]; /* processes that could not be looked at */
};

/* False: there is no such space. */
static bool space_of(const struct groups *g, const struct member *m, unsigned side,
		     struct riommu_space *space)
{
	const struct half *half = &m->half[side];

	if (!half->dc)
		return false;
	*space = (struct riommu_space){
		.kind = m->ref.kind,
		.dc = ((const struct riommu_dc *)g->dcs.v)[half->dc - 1],
		.has_pc = half->has_pc,
		.pc = {.process_id = m->ref.process_id, /* under tc.DPE that of the device is 0 */
		       .address = half->address,
		       .ta = half->ta,
		       .fsc = half->fsc},
	};
	return true;
}

static int ref_order(const struct riommu_space_ref *a, const struct riommu_space_ref *b)
{
	int order = riommu_order(a->device_id, b->device_id);

	if (!order)
		order = riommu_order((uint64_t)a->kind, (uint64_t)b->kind);
	return order ? order : riommu_order(a->process_id, b->process_id);
}

static int by_ref(const void *a, const void *b)
{
	return ref_order(&((const struct member *)a)->ref, &((const struct member *)b)->ref);
}

/* With ddtp Bare there are no spaces, and no request is refused but those that are translated. */
static bool passes_bare(const struct groups *g, unsigned side, const struct riommu_space_ref *ref)
{
	return riommu_bits(g->c->walker[side].ddtp, 3, 0) == RIOMMU_DDTP_BARE &&
	       ref->kind != RIOMMU_SPACE_TRANSLATED;
}

/* 0: both have the same tables in both systems. */
static int order_by_tables(const struct groups *g, const struct member *x, const struct member *y)
{
	int order = 0;

	for (unsigned side = 0; side < 2 && !order; side++) {
		struct riommu_space a, b;
		bool has_a = space_of(g, x, side, &a), has_b = space_of(g, y, side, &b);

		order = has_a && has_b ? riommu_space_order(&a, &b) : riommu_order(has_a, has_b);
		if (!order && !has_a)
			order = riommu_order(passes_bare(g, side, &x->ref),
					     passes_bare(g, side, &y->ref));
	}
	return order;
}

static int by_tables(const void *a, const void *b, void *arg)
{
	int order = order_by_tables(arg, a, b);

	return order ? order : by_ref(a, b);
}

/* -- the spaces of a device ------------------------------------------------------------------------------------ */

static int compare_groups(struct groups *g);

/* Most contexts are the same in both: then they are held once. */
static int hold_dcs(struct groups *g)
{
	int err = 0;

	for (unsigned i = 0; i < 2 && !err; i++) {
		g->dc_index[i] = 0;
		if (!g->dc[i])
			continue;
		if (!i || !g->dc[0] || g->dc[0]->address != g->dc[1]->address ||
		    !compare_same_dc(g->dc[0], g->dc[1]))
			err = compare_add(&g->dcs, g->dc[i], sizeof(*g->dc[i]));
		g->dc_index[i] = (uint32_t)g->dcs.count;
	}
	return err;
}

/* By kind and process. A device's own requests are those of process 0 under tc.DPE: where that is in a gap, they are not known. */
static int next_space(struct compare_side *s)
{
	struct riommu_space_visit *v = &s->v.space;
	const struct riommu_space *space;
	int found = riommu_spaces_next(s->list, v);

	s->gap = (struct compare_gap){v->first_id, v->last_id, v->address, v->error};
	space = found == 1 ? v->space : NULL;
	if (!space)
		return found;
	s->id = space->kind == RIOMMU_SPACE_PROCESS ? space->pc.process_id : 0;
	s->order = (uint64_t)space->kind << 32 | s->id;
	if (space->kind == RIOMMU_SPACE_TRANSLATED)
		s->id = UINT64_MAX; /* of no process */
	return found;
}

static void fill_half(const struct groups *g, struct member *m, unsigned i,
		      const struct riommu_space *space)
{
	m->half[i] = (struct half){.dc = g->dc_index[i], .has_pc = space->has_pc};
	if (!space->has_pc)
		return;
	m->half[i].address = space->pc.address;
	m->half[i].ta = space->pc.ta;
	m->half[i].fsc = space->pc.fsc;
}

/* Spaces of one device are looked at together, unless it alone has too many. */
static int hold(void *arg, const struct compare_side *const in[2])
{
	struct groups *g = arg;
	struct member m = {.ref.device_id = g->device_id};
	int err = 0;

	if (g->held >= g->at_once) {
		err = compare_groups(g);
		if (!err)
			err = hold_dcs(g);
		g->held = 0;
	}
	for (unsigned i = 0; i < 2; i++) {
		const struct riommu_space *space = in[i] ? in[i]->v.space.space : NULL;

		if (!space)
			continue;
		fill_half(g, &m, i, space);
		m.ref.kind = space->kind;
		if (space->kind == RIOMMU_SPACE_PROCESS)
			m.ref.process_id = space->pc.process_id;
	}
	g->held++;
	return err ? err : compare_add(&g->members, &m, sizeof(m));
}

/* The comparison of contexts tells of gaps. */
static int add_spaces(struct groups *g)
{
	struct riommu_spaces *spaces[2] = {NULL, NULL};
	struct compare_side side[2];
	int err = hold_dcs(g);

	for (unsigned i = 0; i < 2; i++) {
		g->gaps[i].count = 0;
		if (!err && g->dc[i])
			err = riommu_spaces_open(&g->c->walker[i], g->dc[i], &spaces[i]);
		side[i] = (struct compare_side){.list = spaces[i],
						.next = next_space,
						.gaps = &g->gaps[i],
						.collects = true};
	}
	if (!err)
		err = compare_side_by_side(side, hold, g);
	for (unsigned i = 0; i < 2; i++)
		riommu_spaces_close(spaces[i]);
	return err;
}

static int add_device(void *arg, const struct riommu_dc *const dc[2])
{
	struct groups *g = arg;
	int err = g->members.count >= g->at_once ? compare_groups(g) : 0;

	g->device_id = dc[0] ? dc[0]->device_id : dc[1]->device_id;
	g->held = 0;
	for (unsigned i = 0; i < 2; i++)
		g->dc[i] = dc[i];
	return err ? err : add_spaces(g);
}

/* -- ranges --------------------------------------------------------------------------------------------------- */

/* The ranges of one group. */
struct ranges {
	struct groups *g;
	struct riommu_mapping_change change; /* what all of them have in common */

	enum riommu_side side;      /* whose ranges are looked at */
	struct compare_list window; /* the old ones: struct riommu_mapping */
	bool full;
	size_t next;       /* the first in the window that does not end before `at` */
	uint64_t at, last; /* not told yet; the end of the window */
	bool done;         /* `at` went past the last address */
};

static bool leads_on(const struct riommu_mapping *m)
{
	return m->kind == RIOMMU_MAPPING_LEAVES || m->kind == RIOMMU_MAPPING_IDENTITY ||
	       m->kind == RIOMMU_MAPPING_MSI_FLAT;
}

/* The part of M in FIRST..LAST. Where leaves have several sizes their number there is not known: 0. */
static struct riommu_mapping clip(const struct riommu_mapping *m, uint64_t first, uint64_t last)
{
	struct riommu_mapping part = *m;
	uint64_t offset = first - m->iova;

	if (first == m->iova && last == m->last)
		return part;
	part.iova = first;
	part.last = last;
	part.pa += leads_on(m) ? offset : 0;
	part.gpa += leads_on(m) || m->kind == RIOMMU_MAPPING_GUEST_ONLY ? offset : 0;
	part.leaves = 0;
	if (m->leaf_sizes && !(m->leaf_sizes & (m->leaf_sizes - 1)))
		part.leaves = last / m->leaf_sizes - first / m->leaf_sizes + 1;
	return part;
}

/* True if requests of A and B, which are of the same addresses, go the same way. */
static bool is_like(const struct riommu_mapping *a, const struct riommu_mapping *b)
{
	return a->kind == b->kind && a->permissions == b->permissions && a->blocked == b->blocked &&
	       a->global == b->global && a->memory_type == b->memory_type &&
	       a->notice_id == b->notice_id && a->notice_pa == b->notice_pa &&
	       a->reason == b->reason && a->gpa == b->gpa && a->pa == b->pa;
}

/* FIRST..LAST in both; NULL where it is not mapped. */
static int settle(const struct ranges *r, const struct riommu_mapping *const m[2], uint64_t first,
		  uint64_t last)
{
	struct riommu_mapping_change change = r->change;
	struct riommu_mapping part[2];

	change.iova = first;
	change.last = last;
	for (unsigned i = 0; i < 2; i++) {
		if (!m[i])
			continue;
		if (m[i]->kind == RIOMMU_MAPPING_UNREADABLE)
			return 0; /* told when it was met */
		part[i] = clip(m[i], first, last);
		change.mapping[i] = &part[i];
	}
	if (m[0] && m[1] && is_like(&part[0], &part[1]))
		return 0;
	return r->g->visit(r->g->arg, &change);
}

static void go_past(struct ranges *r, uint64_t last)
{
	r->done = last == UINT64_MAX;
	r->at = last + 1;
}

/* All up to LAST, where the new side has NEW throughout (NULL: nothing), against the window. */
static int pass(struct ranges *r, const struct riommu_mapping *new, uint64_t last)
{
	const struct riommu_mapping *window = r->window.v;
	int err = 0;

	while (!err && !r->done && r->at <= last) {
		const struct riommu_mapping *old = NULL;
		uint64_t end = last;

		while (r->next < r->window.count && window[r->next].last < r->at)
			r->next++;
		if (r->next < r->window.count) {
			const struct riommu_mapping *w = &window[r->next];

			old = w->iova <= r->at ? w : NULL;
			if (old && w->last < end)
				end = w->last;
			else if (!old && w->iova <= end)
				end = w->iova - 1;
		}
		if (old || new)
			err = settle(r, (const struct riommu_mapping *const[2]){old, new}, r->at,
				     end);
		go_past(r, end);
	}
	return err;
}

/* A range of SIDE that is not known. */
static int tell_unknown(struct ranges *r, enum riommu_side side, const struct riommu_mapping *m)
{
	struct riommu_mapping_change change = r->change;

	change.iova = m->iova;
	change.last = m->last;
	change.error = m->error;
	change.side = side;
	change.address = m->address;
	return r->g->visit(r->g->arg, &change);
}

static int keep_old(struct ranges *r, const struct riommu_mapping *m)
{
	int err = 0;

	if (r->window.count == WINDOW) {
		r->full = true;
		return 1;
	}
	if (m->kind == RIOMMU_MAPPING_UNREADABLE)
		err = tell_unknown(r, RIOMMU_OLD, m);
	return err ? err : compare_add(&r->window, m, sizeof(*m));
}

static int pass_new(struct ranges *r, const struct riommu_mapping *m)
{
	int err = 0;

	if (m->kind == RIOMMU_MAPPING_UNREADABLE)
		err = tell_unknown(r, RIOMMU_NEW, m);
	if (!err && m->iova > r->at)
		err = pass(r, NULL, m->iova - 1);
	return err ? err : pass(r, m, m->last);
}

static int see_ranges(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	struct ranges *r = arg;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = r->side == RIOMMU_OLD ? keep_old(r, &ranges[i]) : pass_new(r, &ranges[i]);
	return err;
}

/* The ranges of one side in FIRST..LAST. What a Bare IOMMU lets through has an identity. */
static int visit_side(struct ranges *r, enum riommu_side side, uint64_t first, uint64_t last)
{
	const struct riommu_walker *w = &r->g->c->walker[side];
	const struct riommu_space *space = r->change.space[side];
	struct riommu_mapping_args args = {.first = first, .last = last};
	struct riommu_mapping_totals totals = {0};
	struct riommu_mapping identity = riommu_identity(first, last);

	r->side = side;
	if (space && r->g->entered[side] >= riommu_max_pages(w))
		return -EOVERFLOW;
	if (space) {
		int err = riommu_visit_mappings(w, space, &args, see_ranges, r, &totals);

		r->g->entered[side] += totals.entered;
		return err;
	}
	if (passes_bare(r->g, side, r->change.refs))
		return see_ranges(r, &identity, 1);
	return 0;
}

/* Walking SIDE ended with ERR: what is beyond is not known. */
static int end_early(struct ranges *r, enum riommu_side side, int err)
{
	struct riommu_mapping rest = {.iova = r->at, .last = UINT64_MAX, .error = err};

	r->done = true;
	return err == -EOVERFLOW ? tell_unknown(r, side, &rest) : err;
}

/* One window: old ranges from `at` on, as many as fit, and the new ones that lie in it. */
static int compare_window(struct ranges *r)
{
	const struct riommu_mapping *window;
	int err;

	r->window.count = r->next = 0;
	r->full = false;
	err = visit_side(r, RIOMMU_OLD, r->at, UINT64_MAX);
	if (err && !r->full)
		return end_early(r, RIOMMU_OLD, err);
	window = r->window.v;
	r->last = r->full ? window[r->window.count - 1].last : UINT64_MAX;
	err = visit_side(r, RIOMMU_NEW, r->at, r->last);
	if (err)
		return end_early(r, RIOMMU_NEW, err);
	return pass(r, NULL, r->last);
}

static int compare_group(struct ranges *r)
{
	struct groups *g = r->g;
	int err = 0;

	if (g->entered_by != r->change.refs->device_id) /* a guest limits its own device only */
		memset(g->entered, 0, sizeof(g->entered));
	g->entered_by = r->change.refs->device_id;

	r->at = 0;
	r->done = false;
	while (!err && !r->done)
		err = compare_window(r);
	return err;
}

/* -- all of them ---------------------------------------------------------------------------------------------- */

/* Members from FIRST on, sorted by their tables. */
struct group {
	size_t first, count;
	struct riommu_space_ref ref; /* the lowest */
};

static int by_lowest_ref(const void *a, const void *b)
{
	return ref_order(&((const struct group *)a)->ref, &((const struct group *)b)->ref);
}

/* The members with the same tables, those of the lowest device first. */
static int make_groups(struct groups *g, struct compare_list *groups)
{
	struct member *m = g->members.v;
	int err = 0;

	if (g->members.count)
		qsort_r(m, g->members.count, sizeof(*m), by_tables, g);
	for (size_t i = 0, n; i < g->members.count && !err; i += n) {
		struct group group = {.first = i, .ref = m[i].ref};

		for (n = 1; i + n < g->members.count && !order_by_tables(g, &m[i], &m[i + n]);)
			n++;
		group.count = n;
		err = compare_add(groups, &group, sizeof(group));
	}
	if (groups->count)
		qsort(groups->v, groups->count, sizeof(struct group), by_lowest_ref);
	return err;
}

static int compare_members(struct groups *g, struct ranges *r, const struct group *group)
{
	const struct member *m = (const struct member *)g->members.v + group->first;
	struct riommu_space spaces[2];

	for (size_t i = 0; i < group->count; i++)
		g->refs[i] = m[i].ref;
	r->change = (struct riommu_mapping_change){.refs = g->refs, .ref_count = group->count};
	for (unsigned side = 0; side < 2; side++)
		if (space_of(g, m, side, &spaces[side]))
			r->change.space[side] = &spaces[side];
	return compare_group(r);
}

/* Those that are held; then none is. */
static int compare_groups(struct groups *g)
{
	struct ranges r = {.g = g};
	struct compare_list groups = {0};
	int err = make_groups(g, &groups);

	g->refs = calloc(g->members.count + 1, sizeof(*g->refs));
	if (!err && !g->refs)
		err = -ENOMEM;
	for (size_t i = 0; i < groups.count && !err; i++)
		err = compare_members(g, &r, (const struct group *)groups.v + i);
	free(r.window.v);
	free(groups.v);
	free(g->refs);
	g->refs = NULL;
	g->members.count = g->dcs.count = 0;
	return err;
}

int riommu_compare_mappings(const struct riommu_comparison *c,
			    int (*visit)(void *arg, const struct riommu_mapping_change *change),
			    void *arg)
{
	struct groups g = {.c = c,
			   .visit = visit,
			   .arg = arg,
			   .at_once = riommu_spaces_at_once(&c->walker[RIOMMU_NEW])};
	int err = compare_devices(c, add_device, &g);

	if (!err)
		err = compare_groups(&g);
	free(g.dcs.v);
	free(g.members.v);
	for (unsigned side = 0; side < 2; side++)
		free(g.gaps[side].v);
	return err;
}
