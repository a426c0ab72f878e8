/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that devices must not reach, as sorted ranges: the IOMMU's own tables and queues, and regions of the machine's memory map.
 * Whether a mapping touches any is a binary search.
 */
#include "check/check-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* The first targets; regions of the memory map follow. */
enum { DIRECTORIES, PAGE_TABLES, MSI_TABLES, COMMAND_QUEUE, FAULT_QUEUE, PAGE_REQUEST_QUEUE, OWN };

static const struct {
	enum check_rule rule;
	const char *name;
} own[OWN] = {
	[DIRECTORIES] = {CHECK_REACH_TABLES, "the directories"},
	[PAGE_TABLES] = {CHECK_REACH_TABLES, "page tables"},
	[MSI_TABLES] = {CHECK_REACH_TABLES, "MSI page tables"},
	[COMMAND_QUEUE] = {CHECK_REACH_QUEUES, "the command queue"},
	[FAULT_QUEUE] = {CHECK_REACH_QUEUES, "the fault queue"},
	[PAGE_REQUEST_QUEUE] = {CHECK_REACH_QUEUES, "the page-request queue"},
};

static void add(struct check *c, struct check_target *t, uint64_t start, uint64_t last)
{
	struct check_range *more;

	/* pages come mostly in a row */
	if (t->count && t->ranges[t->count - 1].last + 1 == start) {
		t->ranges[t->count - 1].last = last;
		return;
	}
	if (t->count == t->room) {
		size_t room = t->room ? t->room * 2 : 16;

		more = realloc(t->ranges, room * sizeof(*more));
		if (!more) {
			c->error = -ENOMEM;
			return;
		}
		t->ranges = more;
		t->room = room;
	}
	t->ranges[t->count++] = (struct check_range){start, last};
}

static int by_start(const void *a, const void *b)
{
	const struct check_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sorted, and without overlaps. */
static void merge(struct check_target *t)
{
	size_t kept = 0;

	if (!t->count)
		return;
	qsort(t->ranges, t->count, sizeof(*t->ranges), by_start);
	for (size_t i = 1; i < t->count; i++) {
		struct check_range *before = &t->ranges[kept];

		if (t->ranges[i].start > before->last)
			t->ranges[++kept] = t->ranges[i];
		else if (t->ranges[i].last > before->last)
			before->last = t->ranges[i].last;
	}
	t->count = kept + 1;
}

bool check_target_hit(const struct check_target *t, uint64_t start, uint64_t last)
{
	size_t lo = 0, hi = t->count;

	/* the first range that does not end before START */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->ranges[mid].last < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->count && t->ranges[lo].start <= last;
}

/* -- what the IOMMU itself uses ----------------------------------------------------------------------------------- */

struct pages {
	struct check *c;
	struct check_ranges *r;
};

static int visit_page(void *arg, const struct riommu_page_visit *v)
{
	const struct pages *in = arg;
	size_t target;

	switch (v->structure) {
	case RIOMMU_S_PTE:
	case RIOMMU_S_GPTE:
		target = PAGE_TABLES;
		break;
	case RIOMMU_S_MSI_PTE:
		target = MSI_TABLES;
		break;
	default:
		target = DIRECTORIES;
	}
	if (v->error == -EFAULT)
		return 0; /* nobody reaches what is not there */
	if (v->error)
		check_cannot(in->c, CHECK_REACH_TABLES, CHECK_REACH_TABLES, v->error,
			     "the table at 0x%" PRIx64 ", and so those behind it: %s", v->page,
			     check_error_words(v->error));
	add(in->c, &in->r->targets[target], v->page, v->page + RIOMMU_PAGE_SIZE - 1);
	return in->c->error;
}

/* The tables of a guest, behind its second stage, are the guest's own: its devices may well reach them. */
static void add_tables(struct check *c, struct check_ranges *r)
{
	struct pages in = {c, r};
	int err = riommu_visit_pages(&c->w, false, visit_page, &in);

	if (err && !c->error)
		check_cannot(c, CHECK_REACH_TABLES, CHECK_REACH_TABLES, err, "tables: %s",
			     check_error_words(err));
}

static void add_queues(struct check *c, struct check_ranges *r)
{
	static const enum riommu_queue_kind kinds[] = {RIOMMU_CQ, RIOMMU_FQ, RIOMMU_PQ};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(kinds); i++) {
		struct riommu_queue q;
		int err = riommu_queue_open(c->sys, c->index, kinds[i], &q);

		if (kinds[i] == RIOMMU_PQ && !(c->w.capabilities & RIOMMU_CAP_ATS))
			continue;
		if (err && err != -EBADMSG)
			check_cannot(c, CHECK_REACH_QUEUES, CHECK_REACH_QUEUES, err, "%.150s",
				     riommu_error(c->sys->ctx));
		else if (q.base || !q.indexes_known || (q.csr & RIOMMU_QUEUE_ON))
			add(c, &r->targets[COMMAND_QUEUE + i], q.base,
			    q.base + (uint64_t)q.entries * q.entry_size - 1);
	}
}

/* -- regions of the machine's memory map -------------------------------------------------------------------------- */

static bool region_rule(const char *name, enum check_rule *rule)
{
	if (!strcmp(name, "Kernel code") || !strcmp(name, "Kernel rodata"))
		*rule = CHECK_REACH_KERNEL;
	else if (!strcmp(name, "Crash kernel"))
		*rule = CHECK_REACH_CRASH;
	else if (!strncasecmp(name, "reserved", 8))
		*rule = CHECK_REACH_RESERVED;
	else
		return false;
	return true;
}

/* Regions of one name are one thing to a person, however many pieces it has. */
static struct check_target *target_of(struct check_ranges *r, enum check_rule rule,
				      const char *name)
{
	struct check_target *t;

	for (size_t i = OWN; i < r->target_count; i++)
		if (r->targets[i].rule == rule && !strcmp(r->targets[i].name, name))
			return &r->targets[i];
	if (r->target_count == CHECK_TARGETS_MAX)
		return &r->targets[CHECK_TARGETS_MAX - 1];
	t = &r->targets[r->target_count++];
	t->rule = rule;
	snprintf(t->name, sizeof(t->name), "%s", name);
	return t;
}

/*
 * What Linux must not touch is in no System RAM. What is "Reserved" within was set aside at boot, and part of that has been given back since:
 * the memory of an initrd, for one, becomes buffers like any other, and /proc/iomem still says Reserved. RAM comes before its parts there.
 */
static void add_regions(struct check *c, struct check_ranges *r)
{
	const struct riommu_region *ram = NULL;
	bool kernel = false;

	for (size_t i = 0; i < c->sys->region_count; i++) {
		const struct riommu_region *region = &c->sys->regions[i];
		enum check_rule rule;

		if (!strcmp(region->name, "System RAM"))
			ram = region;
		if (!region_rule(region->name, &rule))
			continue;
		if (rule == CHECK_REACH_RESERVED && ram && ram->start <= region->start &&
		    region->end <= ram->end)
			continue;
		kernel = kernel || rule == CHECK_REACH_KERNEL;
		add(c, target_of(r, rule, region->name), region->start, region->end);
	}
	if (!c->sys->region_count) {
		check_cannot(c, CHECK_REACH_CRASH, CHECK_REACH_RESERVED, -ENODATA,
			     "the source has no memory map");
		check_cannot(c, CHECK_REACH_KERNEL, CHECK_REACH_KERNEL, -ENODATA,
			     "the source has no memory map");
	} else if (!kernel) {
		check_cannot(c, CHECK_REACH_KERNEL, CHECK_REACH_KERNEL, -ENODATA,
			     "the memory map does not say where the kernel's code is");
	}
}

void check_ranges_build(struct check *c, struct check_ranges *r)
{
	for (size_t i = 0; i < OWN; i++) {
		r->targets[i].rule = own[i].rule;
		snprintf(r->targets[i].name, sizeof(r->targets[i].name), "%s", own[i].name);
	}
	r->target_count = OWN;
	add_tables(c, r);
	add_queues(c, r);
	add_regions(c, r);
	for (size_t i = 0; i < r->target_count && !c->error; i++) {
		merge(&r->targets[i]);
		for (size_t k = 0; k < r->targets[i].count; k++)
			add(c, &r->any, r->targets[i].ranges[k].start,
			    r->targets[i].ranges[k].last);
	}
	merge(&r->any);
}

void check_ranges_free(struct check_ranges *r)
{
	for (size_t i = 0; i < r->target_count; i++)
		free(r->targets[i].ranges);
	free(r->any.ranges);
}
