/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What changed in the directories. Of each only the ids are kept, and a context is located when it is its turn: a directory may
 * hold 2^24 of them. A process directory is kept while its device is looked at.
 */
#include "capture/compare-internal.h"

#include <stdlib.h>

/* -- device contexts ------------------------------------------------------------------------------------------ */

struct collecting {
	struct compare_list *ids, *gaps;
	size_t len;
};

int compare_add_gap(struct compare_list *gaps, uint32_t first_id, uint32_t last_id,
		    uint64_t address, int error)
{
	struct compare_gap gap = {first_id, last_id, address, error};
	struct compare_gap *last =
		gaps->count ? (struct compare_gap *)gaps->v + gaps->count - 1 : NULL;

	if (last && last->error == error && last->address == address &&
	    last->last_id + 1 == first_id) {
		last->last_id = last_id;
		return 0;
	}
	return compare_add(gaps, &gap, sizeof(gap));
}

static int collect_dc(void *arg, const struct riommu_dc_visit *v)
{
	const struct collecting *c = arg;

	if (!v->dc)
		return compare_add_gap(c->gaps, v->first_id, v->last_id, v->address, v->error);
	return compare_add(c->ids, &v->dc->device_id, sizeof(v->dc->device_id));
}

int riommu_comparison_open(const struct riommu_walker walkers[2], struct riommu_comparison **out)
{
	struct riommu_comparison *c = calloc(1, sizeof(*c));
	int err = 0;

	*out = c;
	if (!c)
		return -ENOMEM;
	for (unsigned i = 0; i < 2 && !err; i++) {
		struct collecting collecting = {.ids = &c->ids[i], .gaps = &c->gaps[i]};

		c->walker[i] = walkers[i];
		err = riommu_visit_dcs(&c->walker[i], collect_dc, &collecting);
	}
	return err;
}

void riommu_comparison_close(struct riommu_comparison *c)
{
	for (unsigned i = 0; c && i < 2; i++) {
		free(c->ids[i].v);
		free(c->gaps[i].v);
	}
	free(c);
}

const struct riommu_walker *riommu_comparison_walker(const struct riommu_comparison *c,
						     enum riommu_side side)
{
	return &c->walker[side];
}

static int compare_gap_with_id(const void *key, const void *element)
{
	const struct compare_gap *gap = element;
	uint32_t id = *(const uint32_t *)key;

	return id < gap->first_id ? -1 : id > gap->last_id;
}

/* Gaps are found in ascending order, and a hostile directory has as many as entries. */
bool compare_in_gap(const struct compare_list *gaps, uint32_t id)
{
	return gaps->count &&
	       bsearch(&id, gaps->v, gaps->count, sizeof(struct compare_gap), compare_gap_with_id);
}

bool compare_find(const struct riommu_walker *w, uint32_t device_id, struct riommu_dc *dc)
{
	struct riommu_translation t;
	uint64_t any = 0;

	if (riommu_locate_dc(w, device_id, dc, &t, NULL) != RIOMMU_OK)
		return false;
	for (unsigned i = 0; i < dc->dwords; i++)
		any |= dc->dw[i];
	return any;
}

/* -- the same pages ------------------------------------------------------------------------------------------- */

struct pages {
	struct riommu_source *memory[2];
};

static int same_page(void *arg, const struct riommu_page_visit *v)
{
	const struct pages *p = arg;
	uint8_t bytes[2][RIOMMU_PAGE_SIZE];

	return riommu_source_read(p->memory[0], v->page, bytes[0], sizeof(bytes[0])) ||
	       riommu_source_read(p->memory[1], v->page, bytes[1], sizeof(bytes[1])) ||
	       memcmp(bytes[0], bytes[1], sizeof(bytes[0])) != 0;
}

bool riommu_comparison_same(const struct riommu_comparison *c)
{
	const struct riommu_walker *a = &c->walker[0], *b = &c->walker[1];
	struct pages pages = {{a->memory, b->memory}};

	if (a->capabilities != b->capabilities || a->fctl != b->fctl ||
	    ((a->ddtp ^ b->ddtp) & ~RIOMMU_DDTP_BUSY) || !a->memory || !b->memory)
		return false;
	return !c->gaps[0].count && !c->gaps[1].count &&
	       !riommu_visit_pages(a, true, same_page, &pages);
}

/* -- comparing ------------------------------------------------------------------------------------------------ */

struct contexts {
	const struct riommu_comparison *c;
	int (*visit)(void *arg, const struct riommu_context_change *change);
	void *arg;
	struct riommu_context_change change; /* the device at work */
	struct compare_list gaps[2];         /* of its process directories */
};

static int tell_gaps(struct contexts *x, const struct compare_list gaps[2], bool is_process)
{
	int err = 0;

	for (unsigned side = 0; side < 2; side++)
		for (size_t i = 0; i < gaps[side].count && !err; i++) {
			const struct compare_gap *gap = (struct compare_gap *)gaps[side].v + i;
			struct riommu_context_change change = {
				.is_process = is_process,
				.device_id = is_process ? x->change.device_id : gap->first_id,
				.error = gap->error,
				.side = (enum riommu_side)side,
				.first_id = gap->first_id,
				.last_id = gap->last_id,
				.address = gap->address,
			};

			err = x->visit(x->arg, &change);
		}
	return err;
}

static int collect_pc(void *arg, const struct riommu_pc_visit *v)
{
	const struct collecting *c = arg;

	if (!v->pc)
		return compare_add_gap(c->gaps, v->first_id, v->last_id, v->address, v->error);
	return compare_add(c->ids, v->pc, sizeof(*v->pc));
}

static int by_process(const void *a, const void *b)
{
	const struct riommu_pc *x = a, *y = b;

	return compare_numbers(x->process_id, y->process_id);
}

static int pc_pair(void *arg, const void *const element[2])
{
	struct contexts *x = arg;
	const struct riommu_pc *a = element[0], *b = element[1];
	struct riommu_context_change change = x->change;

	if (a && b && a->ta == b->ta && a->fsc == b->fsc)
		return 0;
	change.is_process = true;
	change.process_id = a ? a->process_id : b->process_id;
	if ((!a && compare_in_gap(&x->gaps[0], change.process_id)) ||
	    (!b && compare_in_gap(&x->gaps[1], change.process_id)))
		return 0;
	change.pc[0] = a;
	change.pc[1] = b;
	return x->visit(x->arg, &change);
}

/* A context that has processes: valid, with a process directory. */
static bool has_processes(const struct riommu_dc *dc)
{
	uint64_t flags = RIOMMU_TC_V | RIOMMU_TC_PDTV;

	return dc && (dc->dw[RIOMMU_DC_TC] & flags) == flags &&
	       dc->dw[RIOMMU_DC_FSC] >> 60 != RIOMMU_PDTP_BARE;
}

static int compare_processes(struct contexts *x)
{
	struct compare_list pcs[2] = {{0}};
	int err = 0;

	memset(x->gaps, 0, sizeof(x->gaps));
	for (unsigned i = 0; i < 2 && !err; i++) {
		struct collecting collecting = {.ids = &pcs[i], .gaps = &x->gaps[i]};

		if (has_processes(x->change.dc[i]))
			err = riommu_visit_pcs(&x->c->walker[i], x->change.dc[i], collect_pc,
					       &collecting);
	}
	if (!err)
		err = compare_merge(pcs, sizeof(struct riommu_pc), by_process, pc_pair, x);
	if (!err)
		err = tell_gaps(x, x->gaps, true);
	for (unsigned i = 0; i < 2; i++) {
		free(pcs[i].v);
		free(x->gaps[i].v);
	}
	return err;
}

static bool same_dc(const struct riommu_dc *a, const struct riommu_dc *b)
{
	return a->dwords == b->dwords && !memcmp(a->dw, b->dw, a->dwords * sizeof(a->dw[0]));
}

static int dc_pair(void *arg, const void *const element[2])
{
	struct contexts *x = arg;
	struct riommu_context_change *change = &x->change;
	struct riommu_dc dc[2];
	uint32_t id = *(const uint32_t *)(element[0] ? element[0] : element[1]);
	int err = 0;

	*change = (struct riommu_context_change){.device_id = id};
	for (unsigned i = 0; i < 2; i++) {
		if (!element[i] && compare_in_gap(&x->c->gaps[i], id))
			return 0; /* the gap is told itself */
		if (element[i] && compare_find(&x->c->walker[i], id, &dc[i]))
			change->dc[i] = &dc[i];
	}
	if (!change->dc[0] && !change->dc[1])
		return 0;
	if (!change->dc[0] || !change->dc[1] || !same_dc(&dc[0], &dc[1]))
		err = x->visit(x->arg, change);
	return err ? err : compare_processes(x);
}

int riommu_compare_contexts(const struct riommu_comparison *c,
			    int (*visit)(void *arg, const struct riommu_context_change *change),
			    void *arg)
{
	struct contexts x = {.c = c, .visit = visit, .arg = arg};
	int err = compare_merge(c->ids, sizeof(uint32_t), compare_ids, dc_pair, &x);

	return err ? err : tell_gaps(&x, c->gaps, false);
}
