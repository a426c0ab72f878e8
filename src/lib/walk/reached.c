/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All that devices reach. Contexts are collected first; those that lead through the same tables are one group, whose
 * tables are walked once.
 */
#include "walk/mappings-internal.h"

#include <stdlib.h>

/* What of a context decides where requests go: equal keys, equal mappings. Zero: no stage at all. */
struct tables_key {
	uint64_t tc, fsc, iohgatp;
	uint64_t msiptp, msi_addr_mask, msi_addr_pattern;
};

struct context {
	struct tables_key key;
	struct riommu_space_ref ref;
};

struct group {
	size_t first, count;         /* in contexts and refs */
	struct riommu_space_ref ref; /* the first */
};

struct reaching {
	const struct riommu_walker *w;
	uint64_t first, last;
	bool any_guest; /* a second stage alone is the limit */
	int (*visit)(void *arg, const struct riommu_reached *r);
	void *arg;

	uint32_t device_id; /* while contexts are collected */
	struct context *contexts;
	size_t count, size;
	uint64_t at_once;              /* so many contexts at most are held */
	struct riommu_space_ref *refs; /* once they are sorted */

	/* the device of the last group that was walked, and what is left of its tables */
	uint32_t budget_of;
	uint64_t budget;
	bool truncated;
	struct riommu_mapping_totals *totals;
};

static int tell(const struct reaching *in, const struct riommu_space_ref *refs, size_t count,
		const struct riommu_mapping *m)
{
	struct riommu_reached r = {.refs = refs, .ref_count = count, .mapping = m};

	return in->visit(in->arg, &r);
}

static int tell_unreadable(const struct reaching *in, const struct riommu_space_ref *ref,
			   uint64_t address, int error)
{
	struct riommu_mapping m = {
		.kind = RIOMMU_MAPPING_UNREADABLE,
		.last = UINT64_MAX,
		.leaves = 1,
		.address = address,
		.error = error,
	};

	return tell(in, ref, ref ? 1 : 0, &m);
}

/* -- contexts -------------------------------------------------------------------------------------------- */

#define ROOT (riommu_mask(63, 60) | riommu_mask(43, 0)) /* mode and PPN */

static struct tables_key key_of(const struct riommu_space *space)
{
	const uint64_t *dw = space->dc.dw;
	struct list_request request = {.first = 0};
	struct tables_key key = {.tc = 0};
	bool guest, flat;

	list_space(space, &request);
	if (request.identity)
		return key;
	guest = walk_dc_two_stage(&space->dc);
	flat = guest && space->dc.dwords == RIOMMU_DC_DWORDS &&
	       walk_mode(dw[RIOMMU_DC_MSIPTP]) == RIOMMU_MSIPTP_FLAT;
	if (walk_mode(request.fsc) != RIOMMU_FSC_BARE) {
		key.fsc = request.fsc & ROOT;
		key.tc |= dw[RIOMMU_DC_TC] & (RIOMMU_TC_SXL | RIOMMU_TC_SBE | RIOMMU_TC_SADE);
	}
	if (guest) {
		key.iohgatp = dw[RIOMMU_DC_IOHGATP] & ROOT;
		key.tc |= dw[RIOMMU_DC_TC] & (RIOMMU_TC_SXL | RIOMMU_TC_GADE);
	}
	if (flat) {
		key.msiptp = dw[RIOMMU_DC_MSIPTP];
		key.msi_addr_mask = dw[RIOMMU_DC_MSI_ADDR_MASK];
		key.msi_addr_pattern = dw[RIOMMU_DC_MSI_ADDR_PATTERN];
	}
	return key;
}

int riommu_space_order(const struct riommu_space *a, const struct riommu_space *b)
{
	struct tables_key x = key_of(a), y = key_of(b);

	return memcmp(&x, &y, sizeof(x));
}

static int walk_collected(struct reaching *in);

/* All that is held at once is walked before there is more, so that memory does not grow with what guests write. */
static int collect(void *arg, const struct riommu_space_visit *v)
{
	struct reaching *in = arg;
	struct riommu_space_ref ref = {.device_id = in->device_id, .kind = RIOMMU_SPACE_PROCESS};
	struct tables_key key;
	struct context *more;

	if (!v->space) {
		ref.process_id = v->first_id;
		return v->error == -EBADMSG ? 0 : tell_unreadable(in, &ref, v->address, v->error);
	}
	if (in->count >= in->at_once) {
		int err = walk_collected(in);

		if (err)
			return err;
	}
	if (in->count == in->size) {
		size_t size = in->size ? in->size * 2 : 64;

		more = realloc(in->contexts, size * sizeof(*more));
		if (!more)
			return -ENOMEM;
		in->contexts = more;
		in->size = size;
	}
	key = key_of(v->space);
	if (in->any_guest && key.iohgatp) {
		key.fsc = 0;
		key.tc &= ~(RIOMMU_TC_SBE | RIOMMU_TC_SADE);
	}
	ref.kind = v->space->kind;
	if (ref.kind == RIOMMU_SPACE_PROCESS)
		ref.process_id = v->space->pc.process_id;
	in->contexts[in->count++] = (struct context){.key = key, .ref = ref};
	return 0;
}

/* What is misconfigured (-EBADMSG) lets no request pass; all else that is not seen is said. */
static int see_device(void *arg, const struct riommu_dc_visit *v)
{
	struct reaching *in = arg;

	if (v->dc) {
		in->device_id = v->dc->device_id;
		return riommu_visit_spaces(in->w, v->dc, collect, in);
	}
	return v->error == -EBADMSG ? 0 : tell_unreadable(in, NULL, v->address, v->error);
}

/* -- groups ---------------------------------------------------------------------------------------------- */

static int by_ref(const struct riommu_space_ref *x, const struct riommu_space_ref *y)
{
	if (x->device_id != y->device_id)
		return x->device_id < y->device_id ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->process_id > y->process_id) - (x->process_id < y->process_id);
}

static int by_key(const void *a, const void *b)
{
	const struct context *x = a, *y = b;
	int order = memcmp(&x->key, &y->key, sizeof(x->key));

	return order ? order : by_ref(&x->ref, &y->ref);
}

static int by_first_ref(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return by_ref(&x->ref, &y->ref);
}

static bool begins_group(const struct reaching *in, size_t i)
{
	const struct context *c = &in->contexts[i];

	return !i || memcmp(&c[-1].key, &c->key, sizeof(c->key)) != 0;
}

/* Sorts the contexts into groups, those of the lowest device first. NULL: out of memory. */
static struct group *make_groups(struct reaching *in, size_t *count)
{
	struct group *groups;
	size_t g = 0;

	qsort(in->contexts, in->count, sizeof(*in->contexts), by_key);
	for (size_t i = 0; i < in->count; i++)
		g += begins_group(in, i);
	*count = g;
	groups = calloc(g, sizeof(*groups));
	in->refs = calloc(in->count, sizeof(*in->refs));
	if (!groups || !in->refs) {
		free(groups);
		return NULL;
	}
	g = 0;
	for (size_t i = 0; i < in->count; i++) {
		in->refs[i] = in->contexts[i].ref;
		if (begins_group(in, i))
			groups[g++] = (struct group){.first = i, .ref = in->refs[i]};
		groups[g - 1].count++;
	}
	qsort(groups, *count, sizeof(*groups), by_first_ref);
	return groups;
}

/* -- mappings -------------------------------------------------------------------------------------------- */

struct telling {
	const struct reaching *in;
	const struct group *group;
};

static int tell_mappings(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	const struct telling *t = arg;
	const struct riommu_space_ref *refs = t->in->refs + t->group->first;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = tell(t->in, refs, t->group->count, &ranges[i]);
	return err;
}

static int walk_group(struct reaching *in, const struct group *group)
{
	const struct tables_key *key = &in->contexts[group->first].key;
	struct riommu_dc dc = {.device_id = group->ref.device_id, .dwords = RIOMMU_DC_DWORDS};
	struct list_request request = {
		.dc = &dc,
		.fsc = key->fsc,
		.last = UINT64_MAX,
		.reached = true,
		.pa_first = in->first,
		.pa_last = in->last,
		.budget = &in->budget,
	};
	struct telling telling = {in, group};

	dc.dw[RIOMMU_DC_TC] = key->tc;
	dc.dw[RIOMMU_DC_IOHGATP] = key->iohgatp;
	dc.dw[RIOMMU_DC_MSIPTP] = key->msiptp;
	dc.dw[RIOMMU_DC_MSI_ADDR_MASK] = key->msi_addr_mask;
	dc.dw[RIOMMU_DC_MSI_ADDR_PATTERN] = key->msi_addr_pattern;
	return list_mappings(in->w, &request, tell_mappings, &telling, in->totals);
}

/*
 * A device's tables may be those of a guest: past -O max-pages what is left of that device is given up, and the next one
 * is looked at all the same, or a guest could hide what others do.
 */
static int walk_groups(struct reaching *in, const struct group *groups, size_t count)
{
	struct riommu_mapping given_up = {.kind = RIOMMU_MAPPING_UNREADABLE,
					  .last = UINT64_MAX,
					  .leaves = 1,
					  .error = -EOVERFLOW};
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		struct telling telling = {in, &groups[i]};

		if (in->budget_of != groups[i].ref.device_id)
			in->budget = riommu_max_pages(in->w);
		in->budget_of = groups[i].ref.device_id;
		in->totals->truncated = false;
		err = walk_group(in, &groups[i]);
		if (in->totals->truncated) {
			in->truncated = true;
			err = err == -EOVERFLOW ? tell_mappings(&telling, &given_up, 1) : err;
		}
	}
	return err;
}

/* Tells what those that are held reach; then none is. */
static int walk_collected(struct reaching *in)
{
	struct group *groups;
	size_t count;
	int err;

	if (!in->count)
		return 0;
	groups = make_groups(in, &count);
	if (!groups)
		return -ENOMEM;
	err = walk_groups(in, groups, count);
	free(groups);
	free(in->refs);
	in->refs = NULL;
	in->count = 0;
	return err;
}

static int all_pass(const struct reaching *in)
{
	struct riommu_mapping m = riommu_identity(in->first, in->last);

	in->totals->ranges++;
	return tell(in, NULL, 0, &m);
}

static int visit_reached(struct reaching *in, struct riommu_mapping_totals *totals)
{
	struct riommu_mapping_totals unused;
	unsigned mode = (unsigned)riommu_bits(in->w->ddtp, 3, 0);
	int err;

	if (!totals)
		totals = &unused;
	*totals = (struct riommu_mapping_totals){0};
	in->totals = totals;
	in->at_once = riommu_spaces_at_once(in->w);
	in->budget = riommu_max_pages(in->w);
	if (in->first > in->last)
		return -EINVAL;
	if (mode == RIOMMU_DDTP_BARE)
		return all_pass(in);
	/* what such a mode does is not written down */
	if (mode > RIOMMU_DDTP_3LVL)
		return tell_unreadable(in, NULL, 0, -EBADMSG);
	err = riommu_visit_dcs(in->w, see_device, in);
	if (!err)
		err = walk_collected(in);
	totals->truncated = in->truncated;
	free(in->contexts);
	free(in->refs);
	return !err && in->truncated ? -EOVERFLOW : err;
}

int riommu_visit_reached(const struct riommu_walker *walker, uint64_t first, uint64_t last,
			 int (*visit)(void *arg, const struct riommu_reached *r), void *arg,
			 struct riommu_mapping_totals *totals)
{
	struct reaching in = {
		.w = walker, .first = first, .last = last, .visit = visit, .arg = arg};

	return visit_reached(&in, totals);
}

int riommu_visit_reachable(const struct riommu_walker *walker, uint64_t first, uint64_t last,
			   int (*visit)(void *arg, const struct riommu_reached *r), void *arg,
			   struct riommu_mapping_totals *totals)
{
	struct reaching in = {.w = walker,
			      .first = first,
			      .last = last,
			      .any_guest = true,
			      .visit = visit,
			      .arg = arg};

	return visit_reached(&in, totals);
}
