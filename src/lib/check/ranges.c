/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that devices must not reach, as sorted ranges: the IOMMU's own tables and queues, and regions of the machine's memory map.
 * Whether a mapping touches any is a binary search.
 */
#include "check/check-internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

/* What must not be reached, and the rule that says so. */
static const struct {
	enum check_rule rule;
	const char *name;
} targets[CHECK_TARGETS] = {
	[CHECK_DIRECTORIES] = {CHECK_REACH_TABLES, "the directories"},
	[CHECK_PAGE_TABLES] = {CHECK_REACH_TABLES, "page tables"},
	[CHECK_MSI_TABLES] = {CHECK_REACH_TABLES, "MSI page tables"},
	[CHECK_COMMAND_QUEUE] = {CHECK_REACH_QUEUES, "the command queue"},
	[CHECK_FAULT_QUEUE] = {CHECK_REACH_QUEUES, "the fault queue"},
	[CHECK_REQUEST_QUEUE] = {CHECK_REACH_QUEUES, "the page-request queue"},
	[CHECK_KERNEL_CODE] = {CHECK_REACH_KERNEL, "Kernel code"},
	[CHECK_KERNEL_RODATA] = {CHECK_REACH_KERNEL, "Kernel rodata"},
	[CHECK_CRASH_KERNEL] = {CHECK_REACH_CRASH, "Crash kernel"},
	[CHECK_RESERVED] = {CHECK_REACH_RESERVED, "reserved memory"},
};

static void add(struct check *c, struct check_target *t, uint64_t start, uint64_t last)
{
	struct check_range *more;

	/* pages come mostly in a row; nothing follows the last address */
	if (t->count && start && t->ranges[t->count - 1].last + 1 == start) {
		t->ranges[t->count - 1].last = last;
		return;
	}
	more = check_grow(c, t->ranges, t->count, &t->room, sizeof(*more));
	if (!more)
		return;
	t->ranges = more;
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

size_t check_target_find(const struct check_target *t, uint64_t start)
{
	size_t lo = 0, hi = t->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->ranges[mid].last < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool check_target_hit(const struct check_target *t, uint64_t start, uint64_t last)
{
	size_t i = check_target_find(t, start);

	return i < t->count && t->ranges[i].start <= last;
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
		target = CHECK_PAGE_TABLES;
		break;
	case RIOMMU_S_MSI_PTE:
		target = CHECK_MSI_TABLES;
		break;
	default:
		target = CHECK_DIRECTORIES;
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
	int err = riommu_visit_pages(&c->w, 0, visit_page, &in);

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
			add(c, &r->targets[CHECK_COMMAND_QUEUE + i], q.base,
			    q.base + (uint64_t)q.entries * q.entry_size - 1);
	}
}

/* -- regions of the machine's memory map -------------------------------------------------------------------------- */

/*
 * The target of a region; CHECK_TARGETS: devices may reach it. Linux calls "Reserved" what firmware keeps, beside System RAM, and what it
 * reserved itself while it started, within System RAM: there are CMA, from which buffers for DMA are taken, and the initrd, whose
 * memory is free again. Only the first is forbidden.
 */
static unsigned region_target(const struct check_target *ram, const struct riommu_region *region)
{
	for (unsigned i = CHECK_KERNEL_CODE; i <= CHECK_CRASH_KERNEL; i++)
		if (!strcmp(region->name, targets[i].name))
			return i;
	if (!strncasecmp(region->name, "reserved", 8) &&
	    !check_target_hit(ram, region->start, region->start))
		return CHECK_RESERVED;
	return CHECK_TARGETS;
}

static void add_regions(struct check *c, struct check_ranges *r)
{
	struct check_target ram = {0};
	bool kernel = false;

	for (size_t i = 0; i < c->sys->region_count; i++)
		if (!strcmp(c->sys->regions[i].name, "System RAM"))
			add(c, &ram, c->sys->regions[i].start, c->sys->regions[i].end);
	merge(&ram);
	for (size_t i = 0; i < c->sys->region_count; i++) {
		const struct riommu_region *region = &c->sys->regions[i];
		unsigned target = region_target(&ram, region);

		if (target == CHECK_TARGETS)
			continue;
		kernel = kernel || targets[target].rule == CHECK_REACH_KERNEL;
		add(c, &r->targets[target], region->start, region->end);
	}
	free(ram.ranges);
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
	for (unsigned i = 0; i < CHECK_TARGETS; i++) {
		r->targets[i].rule = targets[i].rule;
		r->targets[i].name = targets[i].name;
	}
	add_tables(c, r);
	add_queues(c, r);
	add_regions(c, r);
	for (size_t i = 0; i < CHECK_TARGETS && !c->error; i++) {
		merge(&r->targets[i]);
		for (size_t k = 0; k < r->targets[i].count; k++)
			add(c, &r->any, r->targets[i].ranges[k].start,
			    r->targets[i].ranges[k].last);
	}
	merge(&r->any);
}

void check_ranges_free(struct check_ranges *r)
{
	for (size_t i = 0; i < CHECK_TARGETS; i++)
		free(r->targets[i].ranges);
	free(r->any.ranges);
}
