/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "look.h"

#include "../unit/agree.h"
#include "capture/capture.h"
#include "check/check.h"
#include "queue/queue.h"

#include <stdlib.h>

#define FEW        4    /* IOMMUs that are looked at: a file may have a thousand */
#define MAX_RANGES 1500 /* of an address space: tables that lead back to themselves have millions */
#define ASKED      24   /* of them, against translations */
#define ENOUGH     0x7fff

static bool documented(int err)
{
	switch (err) {
	case 0:
	case ENOUGH:
	case -EOVERFLOW:
	case -ENODATA:
	case -EACCES:
	case -EBADMSG:
	case -EFAULT:
	case -EHWPOISON:
	case -ELOOP:
		return true;
	default:
		return false;
	}
}

/* -- mappings against translations -------------------------------------------------------------------------------- */

struct ranges {
	const struct riommu_walker *w;
	const struct riommu_space *space;
	size_t count;
	struct riommu_mapping last;
};

/*
 * Not where the IOMMU sets A and D: a page that is a table of both stages, which only the hostile make, changes under the walk then,
 * and that is not modelled (HACKING.md).
 */
static bool comparable(const struct riommu_space *s)
{
	return !(s->dc.dw[RIOMMU_DC_TC] & (RIOMMU_TC_GADE | RIOMMU_TC_SADE));
}

static void ask(const struct ranges *r, const struct riommu_mapping *m, uint64_t iova)
{
	const struct riommu_space *s = r->space;
	struct riommu_request q = {
		.device_id = s->dc.device_id,
		.has_process_id = s->kind == RIOMMU_SPACE_PROCESS,
		.process_id = s->kind == RIOMMU_SPACE_PROCESS ? s->pc.process_id : 0,
		.type = s->kind == RIOMMU_SPACE_TRANSLATED ? RIOMMU_TRANSLATED
							   : RIOMMU_UNTRANSLATED,
		.iova = iova,
	};

	for (unsigned i = RIOMMU_READ; i <= RIOMMU_EXEC; i++) {
		struct riommu_translation t, again;
		struct riommu_trace trace;
		const char *wrong;

		q.access = (enum riommu_access)i;
		riommu_translate(r->w, &q, &t, &trace);
		riommu_translate(r->w, &q, &again, NULL);
		MUST(t.result == again.result && t.pa == again.pa && t.cause == again.cause &&
		     t.iotval2 == again.iotval2 && t.missing == again.missing);
		MUST(trace.step_count <= RIOMMU_MAX_STEPS &&
		     trace.update_count <= RIOMMU_MAX_UPDATES);
		wrong = disagreement(s, m, &q, &t);
		MUST_SAY(!wrong, wrong);
	}
}

static int range(struct ranges *r, const struct riommu_mapping *m)
{
	MUST(m->iova <= m->last);
	MUST(!r->count || m->iova > r->last.last);
	if (r->count < ASKED && comparable(r->space)) {
		ask(r, m, m->iova);
		ask(r, m, m->last);
		ask(r, m, m->iova + (m->last - m->iova) / 3);
		/* the gap before it is one */
		if (r->count ? r->last.last + 1 < m->iova : m->iova)
			ask(r, NULL, m->iova - 1);
	}
	r->last = *m;
	return ++r->count < MAX_RANGES ? 0 : ENOUGH;
}

static int ranges(void *arg, const struct riommu_mapping *v, size_t count)
{
	int err = 0;

	MUST(count);
	for (size_t i = 0; i < count && !err; i++)
		err = range(arg, &v[i]);
	return err;
}

static int space(void *arg, const struct riommu_space_visit *v)
{
	struct ranges r = {.w = arg, .space = v->space};
	struct riommu_mapping_args all = {.last = UINT64_MAX};
	struct riommu_mapping_totals totals;

	if (v->space)
		MUST(documented(riommu_visit_mappings(arg, v->space, &all, ranges, &r, &totals)));
	return 0;
}

/* -- contexts ------------------------------------------------------------------------------------------------------- */

struct contexts {
	const struct riommu_walker *w;
	unsigned count;
	int64_t last;
};

static int process(void *arg, const struct riommu_pc_visit *v)
{
	int64_t *last = arg;
	uint32_t id = v->pc ? v->pc->process_id : v->first_id;

	MUST(id < 1 << 20 && id > *last);
	MUST(v->pc || (v->first_id <= v->last_id && v->error && documented(v->error)));
	*last = v->pc ? id : v->last_id;
	return 0;
}

static int msi(void *arg, const struct riommu_msi_entry *e)
{
	uint64_t *next = arg;

	MUST(e->index >= *next && e->count);
	*next = e->index + e->count;
	return 0;
}

static int context(void *arg, const struct riommu_dc_visit *v)
{
	struct contexts *c = arg;
	uint32_t id = v->dc ? v->dc->device_id : v->first_id;
	struct riommu_translation t;
	struct riommu_dc dc;
	uint64_t entries = 0;
	int64_t processes = -1;

	MUST(id < 1 << 24 && id > c->last);
	c->last = v->dc ? id : v->last_id;
	if (!v->dc) {
		MUST(v->first_id <= v->last_id && v->error && documented(v->error));
		return 0;
	}
	MUST(riommu_locate_dc(c->w, id, &dc, &t, NULL) == RIOMMU_OK);
	MUST(dc.address == v->dc->address && dc.dwords == v->dc->dwords);
	MUST(!memcmp(dc.dw, v->dc->dw, sizeof(dc.dw)));
	if (++c->count > 16) /* and the same pages under many ids */
		return 0;
	MUST(documented(riommu_visit_pcs(c->w, &dc, process, &processes)));
	MUST(documented(riommu_visit_msi(c->w, &dc, msi, &entries)));
	MUST(documented(riommu_visit_spaces(c->w, &dc, space, (void *)(uintptr_t)c->w)));
	return 0;
}

static int reached(void *arg, const struct riommu_reached *r)
{
	unsigned *count = arg;

	MUST(r->mapping->kind == RIOMMU_MAPPING_UNREADABLE || r->mapping->pa <= UINT64_MAX - 4095);
	return ++*count < 4 * MAX_RANGES ? 0 : ENOUGH;
}

/* -- rules and queues ------------------------------------------------------------------------------------------------ */

static void finding(void *arg, const struct riommu_finding *f)
{
	(void)arg;
	MUST(f->rule && f->message && f->message[0] && f->count);
}

static void outcome(void *arg, const struct riommu_rule_outcome *o)
{
	unsigned *outcomes = arg;

	MUST(o->found >= o->omitted);
	MUST((o->verdict == RIOMMU_RULE_FOUND) == (o->found != 0));
	MUST(o->verdict != RIOMMU_RULE_NOT_JUDGED || o->reason);
	++*outcomes;
}

static int entry(void *arg, const struct riommu_entry_visit *v)
{
	unsigned *count = arg;

	MUST(!v->error || v->skipped);
	return ++*count < 5000 ? 0 : ENOUGH;
}

static void look_at_queue(const struct riommu_system *sys, size_t iommu,
			  enum riommu_queue_kind kind)
{
	struct riommu_queue queue;
	int err = riommu_queue_open(sys, iommu, kind, &queue);
	unsigned count = 0;

	MUST(documented(err));
	if (!err || err == -EBADMSG)
		MUST(documented(riommu_visit_entries(&queue, entry, &count)));
}

static void look_at_iommu(struct riommu_system *sys, size_t iommu)
{
	unsigned outcomes = 0, count = 0;
	struct riommu_check_args check = {
		.finding = finding, .outcome = outcome, .arg = &outcomes, .max_findings = 20};
	struct riommu_walker walker;
	struct contexts c = {.w = &walker, .last = -1};
	const char *missing;

	for (unsigned kind = RIOMMU_CQ; kind <= RIOMMU_PQ; kind++)
		look_at_queue(sys, iommu, (enum riommu_queue_kind)kind);
	if (!riommu_walker_init(&walker, sys, iommu, &missing)) {
		MUST(documented(riommu_visit_dcs(&walker, context, &c)));
		MUST(documented(
			riommu_visit_reached(&walker, 0, UINT64_MAX, reached, &count, NULL)));
	}
	MUST(!riommu_check(sys, iommu, &check));
	MUST(outcomes == RIOMMU_RULE_COUNT);
}

void look_at(struct riommu_system *sys)
{
	for (size_t i = 0; i < sys->iommu_count && i < FEW; i++)
		look_at_iommu(sys, i);
}

/* -- saving ------------------------------------------------------------------------------------------------------------ */

static int same_page(void *arg, const struct riommu_page_visit *v)
{
	struct riommu_system **both = arg;
	uint8_t a[RIOMMU_PAGE_SIZE], b[RIOMMU_PAGE_SIZE];

	if (v->error)
		return 0;
	MUST(!riommu_source_read(both[0]->memory, v->page, a, sizeof(a)));
	MUST(!riommu_source_read(both[1]->memory, v->page, b, sizeof(b)));
	MUST(!memcmp(a, b, sizeof(a)));
	return 0;
}

void look_saved(struct riommu_system *sys)
{
	struct riommu_capture_report report;
	struct riommu_system *both[2] = {sys};
	struct riommu_walker walker;
	const char *missing;
	int err = riommu_capture_save(sys, fuzz_path("saved"), true, "fuzz", NULL, NULL, &report);

	MUST_SAY(!err || err == -ENODATA, strerror(-err));
	if (err)
		return;
	both[1] = fuzz_open(sys->ctx, fuzz_path("saved"));
	MUST_SAY(both[1] != NULL, riommu_error(sys->ctx));
	fuzz_same(sys, both[1]);
	for (size_t i = 0; i < sys->iommu_count && i < FEW && !report.truncated; i++)
		if (!riommu_walker_init(&walker, sys, i, &missing))
			MUST(documented(riommu_visit_pages(
				&walker, RIOMMU_PAGES_OF_GUESTS | RIOMMU_PAGES_LISTED, same_page,
				both)));
	riommu_system_close(both[1]);
}
