/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The address spaces of a device, one after the other. */
#include "walk/mappings.h"
#include "walk/walk-internal.h"

#include <stdlib.h>

/* What comes next. */
enum turn { TURN_DEVICE, TURN_PROCESSES, TURN_TRANSLATED, TURN_END };

struct riommu_spaces {
	const struct riommu_walker *w;
	enum turn turn;
	struct riommu_space space;
	struct riommu_directory *processes; /* while it is their turn */
};

static void tell(struct riommu_spaces *s, enum riommu_space_kind kind, struct riommu_space_visit *v)
{
	s->space.kind = kind;
	*v = (struct riommu_space_visit){.space = &s->space};
}

/*
 * Requests without a process_id: a first stage of the device's own, none, or that of process 0 (3.3, steps 10 to 14). False: that is not
 * to be had; the visit of the processes says why.
 */
static bool device_space(struct riommu_spaces *s)
{
	uint64_t tc = s->space.dc.dw[RIOMMU_DC_TC];
	struct walk k;

	if ((tc & RIOMMU_TC_PDTV) && (tc & RIOMMU_TC_DPE) &&
	    walk_mode(s->space.dc.dw[RIOMMU_DC_FSC]) != RIOMMU_PDTP_BARE) {
		walk_begin(&k, s->w, NULL);
		k.dc = s->space.dc;
		if (walk_process_directory(&k, 0, &s->space.pc) != RIOMMU_OK)
			return false;
		s->space.has_pc = true;
	}
	return true;
}

/* A process with an address space, or a gap: 1. 0: there is none any more. */
static int next_process(struct riommu_spaces *s, struct riommu_space_visit *v)
{
	struct riommu_context_visit c;
	int err;

	while ((err = riommu_directory_next(s->processes, &c)) == 1) {
		*v = (struct riommu_space_visit){
			.first_id = c.first_id,
			.last_id = c.last_id,
			.address = c.address,
			.error = c.error,
		};
		if (!c.pc)
			return 1;
		if (!(c.pc->ta & RIOMMU_PC_V) || riommu_pc_misconfigured(s->w, &s->space.dc, c.pc))
			continue;
		s->space.pc = *c.pc;
		s->space.has_pc = true;
		tell(s, RIOMMU_SPACE_PROCESS, v);
		return 1;
	}
	return err;
}

static int processes(struct riommu_spaces *s, struct riommu_space_visit *v)
{
	int err = 0;

	if (!(s->space.dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_PDTV))
		return 0;
	if (!s->processes)
		err = riommu_directory_open(s->w, &s->space.dc, &s->processes);
	return err ? err : next_process(s, v);
}

static void begin(struct riommu_spaces *s, const struct riommu_walker *w,
		  const struct riommu_dc *dc)
{
	bool has_spaces =
		(dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_V) && !riommu_dc_misconfigured(w, dc, NULL);

	*s = (struct riommu_spaces){
		.w = w, .space.dc = *dc, .turn = has_spaces ? TURN_DEVICE : TURN_END};
}

int riommu_spaces_next(struct riommu_spaces *s, struct riommu_space_visit *v)
{
	int found;

	if (s->turn == TURN_DEVICE) {
		s->turn = TURN_PROCESSES;
		if (device_space(s)) {
			tell(s, RIOMMU_SPACE_DEVICE, v);
			return 1;
		}
	}
	if (s->turn == TURN_PROCESSES) {
		found = processes(s, v);
		if (found)
			return found;
		s->turn = TURN_TRANSLATED;
	}
	if (s->turn == TURN_END)
		return 0;
	s->turn = TURN_END;
	s->space.has_pc = false;
	if (!(s->space.dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_EN_ATS))
		return 0;
	tell(s, RIOMMU_SPACE_TRANSLATED, v);
	return 1;
}

int riommu_spaces_open(const struct riommu_walker *walker, const struct riommu_dc *dc,
		       struct riommu_spaces **s)
{
	*s = malloc(sizeof(**s));
	if (!*s)
		return -ENOMEM;
	begin(*s, walker, dc);
	return 0;
}

void riommu_spaces_close(struct riommu_spaces *s)
{
	if (s)
		riommu_directory_close(s->processes);
	free(s);
}

int riommu_visit_spaces(const struct riommu_walker *walker, const struct riommu_dc *dc,
			int (*visit)(void *arg, const struct riommu_space_visit *v), void *arg)
{
	struct riommu_spaces s;
	struct riommu_space_visit v;
	int err = 0;

	begin(&s, walker, dc);
	while (!err && (err = riommu_spaces_next(&s, &v)) == 1)
		err = visit(arg, &v);
	riommu_directory_close(s.processes);
	return err;
}
