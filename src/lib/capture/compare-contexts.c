/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What changed in the directories. Both are gone through side by side, and no context is kept: there may be 2^24 of them. */
#include "capture/compare-internal.h"

#include <stdlib.h>

/* -- device contexts ------------------------------------------------------------------------------------------ */

static int add_gap(void *arg, const struct riommu_dc_visit *v)
{
	struct compare_gap gap = {v->first_id, v->last_id, v->address, v->error};

	return v->dc ? 0 : compare_add_gap(arg, &gap);
}

int riommu_comparison_open(const struct riommu_walker walkers[2], struct riommu_comparison **out)
{
	struct riommu_comparison *c = calloc(1, sizeof(*c));
	int err = 0;

	*out = c;
	if (!c)
		return -ENOMEM;
	for (unsigned i = 0; i < 2 && !err; i++) {
		c->walker[i] = walkers[i];
		err = riommu_visit_dcs(&c->walker[i], add_gap, &c->gaps[i]);
	}
	return err;
}

void riommu_comparison_close(struct riommu_comparison *c)
{
	for (unsigned i = 0; c && i < 2; i++)
		free(c->gaps[i].v);
	free(c);
}

const struct riommu_walker *riommu_comparison_walker(const struct riommu_comparison *c,
						     enum riommu_side side)
{
	return &c->walker[side];
}

/* -- two directories side by side ----------------------------------------------------------------------------- */

static int next_context(struct compare_side *s)
{
	struct riommu_context_visit *v = &s->v.context;
	int found = riommu_directory_next(s->list, v);

	s->order = s->id = v->first_id;
	s->gap = (struct compare_gap){v->first_id, v->last_id, v->address, v->error};
	return found;
}

/* The device directories, or the process directories of DC. */
static int directories(const struct riommu_walker walkers[2], const struct riommu_dc *const dc[2],
		       struct compare_side side[2],
		       int (*pair)(void *arg, const struct compare_side *const in[2]), void *arg)
{
	struct riommu_directory *directory[2] = {NULL, NULL};
	int err = 0;

	for (unsigned i = 0; i < 2 && !err; i++) {
		if (!dc || dc[i])
			err = riommu_directory_open(&walkers[i], dc ? dc[i] : NULL, &directory[i]);
		side[i].next = next_context;
		side[i].list = directory[i];
	}
	if (!err)
		err = compare_side_by_side(side, pair, arg);
	for (unsigned i = 0; i < 2; i++)
		riommu_directory_close(directory[i]);
	return err;
}

struct devices {
	int (*pair)(void *arg, const struct riommu_dc *const dc[2]);
	void *arg;
};

static int device_pair(void *arg, const struct compare_side *const in[2])
{
	const struct devices *d = arg;

	return d->pair(d->arg, (const struct riommu_dc *const[2]){
				       in[0] ? in[0]->v.context.dc : NULL,
				       in[1] ? in[1]->v.context.dc : NULL,
			       });
}

int compare_devices(const struct riommu_comparison *c,
		    int (*pair)(void *arg, const struct riommu_dc *const dc[2]), void *arg)
{
	struct devices d = {pair, arg};
	struct compare_list gaps[2] = {c->gaps[0], c->gaps[1]};
	struct compare_side side[2] = {{.gaps = &gaps[0]}, {.gaps = &gaps[1]}};

	return directories(c->walker, NULL, side, device_pair, &d);
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
	       !riommu_visit_pages(a, RIOMMU_PAGES_OF_GUESTS | RIOMMU_PAGES_LISTED, same_page,
				   &pages);
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

static int pc_pair(void *arg, const struct compare_side *const in[2])
{
	struct contexts *x = arg;
	const struct riommu_pc *a = in[0] ? in[0]->v.context.pc : NULL;
	const struct riommu_pc *b = in[1] ? in[1]->v.context.pc : NULL;
	struct riommu_context_change change = x->change;

	if (a && b && a->ta == b->ta && a->fsc == b->fsc)
		return 0;
	change.is_process = true;
	change.process_id = a ? a->process_id : b->process_id;
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
	const struct riommu_dc *dc[2] = {NULL, NULL};
	struct compare_side side[2];
	int err = 0;

	memset(x->gaps, 0, sizeof(x->gaps));
	for (unsigned i = 0; i < 2; i++) {
		side[i] = (struct compare_side){.gaps = &x->gaps[i], .collects = true};
		if (has_processes(x->change.dc[i]))
			dc[i] = x->change.dc[i];
	}
	if (dc[0] || dc[1])
		err = directories(x->c->walker, dc, side, pc_pair, x);
	if (!err)
		err = tell_gaps(x, x->gaps, true);
	for (unsigned i = 0; i < 2; i++)
		free(x->gaps[i].v);
	return err;
}

bool compare_same_dc(const struct riommu_dc *a, const struct riommu_dc *b)
{
	return a->dwords == b->dwords && !memcmp(a->dw, b->dw, a->dwords * sizeof(a->dw[0]));
}

static int dc_pair(void *arg, const struct riommu_dc *const dc[2])
{
	struct contexts *x = arg;
	struct riommu_context_change *change = &x->change;
	int err = 0;

	*change = (struct riommu_context_change){
		.device_id = dc[0] ? dc[0]->device_id : dc[1]->device_id,
		.dc = {dc[0], dc[1]},
	};
	if (!dc[0] || !dc[1] || !compare_same_dc(dc[0], dc[1]))
		err = x->visit(x->arg, change);
	return err ? err : compare_processes(x);
}

int riommu_compare_contexts(const struct riommu_comparison *c,
			    int (*visit)(void *arg, const struct riommu_context_change *change),
			    void *arg)
{
	struct contexts x = {.c = c, .visit = visit, .arg = arg};
	int err = compare_devices(c, dc_pair, &x);

	return err ? err : tell_gaps(&x, c->gaps, false);
}
