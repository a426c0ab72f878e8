/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What devices reach through their page tables, and the tables themselves. Devices that share tables share one walk: all address
 * spaces are gathered and sorted by what decides them, then each different one is walked once.
 *
 * Under a second stage it alone says what a device can reach: the first stage is the guest's, which may change it any time. The
 * guest's tables are looked at for entries that can only fault.
 */
#include "check/check-internal.h"

#include <inttypes.h>
#include <stdlib.h>

/* What decides the mappings of a space, ids of caches left out. */
struct tables {
	uint64_t dw[RIOMMU_DC_DWORDS];
	uint64_t fsc;  /* of the process context */
	uint32_t kind; /* enum riommu_space_kind */
	uint16_t dwords;
	bool has_pc;
	bool host; /* the second stage alone, or the only stage: what the host grants */
};

struct user {
	struct tables tables;
	uint32_t device_id, process_id;
};

struct users {
	struct check *c;
	struct user *list;
	size_t count, room;
	const struct riommu_dc *dc; /* whose spaces are visited */
	bool host_added;            /* its second stage was in the list */
	uint64_t at_once;           /* so many are held at most */
	struct check_ranges ranges; /* what must not be reached; built when it is needed */
	bool has_ranges;
	uint64_t pages; /* that all walks have read */
};

/* A kind of thing that was seen in a walk: how many times, and where first. */
struct seen {
	uint64_t count, bytes;
	uint64_t iova, pa;
	uint8_t permissions;
	const char *reason;
};

enum { MALFORMED, UNUSABLE, WRITABLE_EXECUTABLE, LEAF_ADDRESS, TABLE_ADDRESS, CORRUPT, KINDS };

struct walk_result {
	struct check *c;
	const struct check_ranges *ranges;
	bool host;
	enum riommu_space_kind kind;
	struct seen seen[KINDS];
	struct seen reached[CHECK_TARGETS];
	uint64_t gap_start,
		gap_last; /* memory without a target around the last mapping; start > last: none known */
};

/* -- gathering ------------------------------------------------------------------------------------------------------ */

static bool past_pas(const struct check *c, uint64_t root)
{
	return root >> 60 && check_past_pas(c, riommu_ppn_lower(root), RIOMMU_PAGE_SIZE);
}

static void check_users(struct users *u);

/* All that are held are walked before there are more: memory does not grow with what guests write. */
static void add_user(struct users *u, const struct user *user)
{
	struct user *more;

	if (u->count >= u->at_once)
		check_users(u);
	more = check_grow(u->c, u->list, u->count, &u->room, sizeof(*more));
	if (!more)
		return;
	u->list = more;
	u->list[u->count++] = *user;
}

/* The first stage, 0 for none: a process directory has stages of its own, and other requests pass it by. */
static uint64_t first_stage(const struct tables *t)
{
	if (t->has_pc)
		return t->fsc;
	return t->dw[RIOMMU_DC_TC] & RIOMMU_TC_PDTV ? 0 : t->dw[RIOMMU_DC_FSC];
}

static bool has_second_stage(const struct tables *t)
{
	return t->dw[RIOMMU_DC_IOHGATP] >> 60;
}

/* The tables of SPACE without what only tags caches. */
static struct tables tables_of(const struct riommu_space *space)
{
	struct tables t;

	memset(&t, 0, sizeof(t)); /* it is compared as bytes */
	memcpy(t.dw, space->dc.dw, space->dc.dwords * sizeof(t.dw[0]));
	t.dw[RIOMMU_DC_IOHGATP] &= ~riommu_mask(59, 44);
	t.dw[RIOMMU_DC_TA] = 0;
	t.dwords = (uint16_t)space->dc.dwords;
	t.kind = space->kind;
	t.has_pc = space->has_pc;
	t.fsc = space->has_pc ? space->pc.fsc : 0;
	t.host = !has_second_stage(&t);
	return t;
}

/* The second stage of a device is one thing to walk, whatever processes there are. */
static void add_second_stage(struct users *u, const struct tables *t)
{
	struct user user = {.device_id = u->dc->device_id};

	if (u->host_added)
		return;
	memcpy(&user.tables, t, sizeof(*t));
	user.tables.kind = RIOMMU_SPACE_DEVICE;
	user.tables.has_pc = false;
	user.tables.fsc = user.tables.dw[RIOMMU_DC_FSC] = 0;
	user.tables.dw[RIOMMU_DC_TC] &= ~RIOMMU_TC_PDTV;
	user.tables.host = u->host_added = true;
	add_user(u, &user);
}

static int visit_space(void *arg, const struct riommu_space_visit *v)
{
	struct users *u = arg;
	const struct riommu_space *space = v->space;
	struct user user;
	bool guest;

	if (!space) {
		check_cannot(u->c, CHECK_PTE_MALFORMED, CHECK_REACH_RESERVED, v->error,
			     "the process directory of device 0x%" PRIx32 " at 0x%" PRIx64 ": %s",
			     u->dc->device_id, v->address, check_error_words(v->error));
		return 0;
	}
	memset(&user, 0, sizeof(user));
	user.device_id = u->dc->device_id;
	user.tables = tables_of(space);
	user.process_id = space->kind == RIOMMU_SPACE_PROCESS ? space->pc.process_id : 0;
	guest = has_second_stage(&user.tables);
	if (past_pas(u->c, user.tables.dw[RIOMMU_DC_IOHGATP]) ||
	    (!guest && past_pas(u->c, first_stage(&user.tables))))
		return 0; /* told by the context's own rule */
	if (space->kind != RIOMMU_SPACE_TRANSLATED && first_stage(&user.tables) >> 60)
		add_user(u, &user);
	if (guest)
		add_second_stage(u, &user.tables);
	return u->c->error;
}

static int visit_dc(void *arg, const struct riommu_dc_visit *v)
{
	struct users *u = arg;
	int err;

	if (!v->dc)
		return 0;
	u->dc = v->dc;
	u->host_added = false;
	err = riommu_visit_spaces(&u->c->w, v->dc, visit_space, u);
	if (err && !u->c->error)
		check_cannot(u->c, CHECK_PTE_MALFORMED, CHECK_REACH_RESERVED, err,
			     "the processes of device 0x%" PRIx32 ": %s", v->dc->device_id,
			     check_error_words(err));
	return u->c->error;
}

static int by_tables(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	int order = memcmp(&x->tables, &y->tables, sizeof(x->tables));

	if (order)
		return order;
	order = riommu_order(x->device_id, y->device_id);
	return order ? order : riommu_order(x->process_id, y->process_id);
}

/* -- one walk ------------------------------------------------------------------------------------------------------- */

static void see(struct seen *s, const struct riommu_mapping *m, uint64_t pa, uint64_t count)
{
	if (!s->count) {
		s->iova = m->iova;
		s->pa = pa;
		s->reason = m->reason;
	}
	s->permissions |= m->permissions;
	s->count += count;
	s->bytes += m->last - m->iova + 1;
}

/* Most mappings are in no target, and near the one before: they cost two comparisons. */
static void reach(struct walk_result *r, const struct riommu_mapping *m, uint64_t start,
		  uint64_t last)
{
	const struct check_target *any = &r->ranges->any;
	size_t next;

	if (start >= r->gap_start && last <= r->gap_last)
		return;
	next = check_target_find(any, start);
	if (next == any->count || any->ranges[next].start > last) {
		r->gap_start = next ? any->ranges[next - 1].last + 1 : 0;
		r->gap_last = next < any->count ? any->ranges[next].start - 1 : UINT64_MAX;
		return;
	}
	for (size_t i = 0; i < CHECK_TARGETS; i++)
		if (check_target_hit(&r->ranges->targets[i], start, last))
			see(&r->reached[i], m, start, 1);
}

/* No request that comes this way gets through. */
static bool unusable(const struct walk_result *r, const struct riommu_mapping *m)
{
	return (m->blocked & RIOMMU_BLOCKED_A) ||
	       ((m->blocked & RIOMMU_BLOCKED_U) && r->kind != RIOMMU_SPACE_PROCESS);
}

static void visit_leaves(struct walk_result *r, const struct riommu_mapping *m)
{
	uint64_t size = m->last - m->iova;

	if (unusable(r, m)) {
		see(&r->seen[UNUSABLE], m, m->pa, m->leaves);
		return;
	}
	if (!r->host)
		return;
	/* whole pages: what ends inside but for its last byte ends inside */
	if (check_past_pas(r->c, m->pa, size))
		see(&r->seen[LEAF_ADDRESS], m, m->pa, m->leaves);
	if ((m->permissions & RIOMMU_PERM_W) && (m->permissions & RIOMMU_PERM_X))
		see(&r->seen[WRITABLE_EXECUTABLE], m, m->pa, 1);
	reach(r, m, m->pa, m->pa + size);
}

static void visit_unreadable(struct walk_result *r, const struct riommu_mapping *m)
{
	if (m->error == -EFAULT)
		see(&r->seen[TABLE_ADDRESS], m, m->address, 1);
	else if (m->error == -EHWPOISON)
		see(&r->seen[CORRUPT], m, m->address, 1);
	else
		check_cannot(r->c, CHECK_PTE_MALFORMED,
			     r->host ? CHECK_REACH_RESERVED : CHECK_TABLE_LOOP, m->error,
			     "the page table at 0x%" PRIx64 ": %s%s", m->address,
			     check_error_words(m->error),
			     r->host ? "" : " (a guest's: --guest-tables saves them)");
}

static void visit_mapping(struct walk_result *r, const struct riommu_mapping *m)
{
	switch (m->kind) {
	case RIOMMU_MAPPING_LEAVES:
		visit_leaves(r, m);
		break;
	case RIOMMU_MAPPING_MSI_FLAT:
		if (r->host)
			reach(r, m, m->pa, m->pa + (m->last - m->iova));
		break;
	case RIOMMU_MAPPING_MSI_MRIF:
		if (r->host) {
			reach(r, m, m->pa, m->pa + 511);
			reach(r, m, m->notice_pa, m->notice_pa + 3); /* the IOMMU writes there */
		}
		break;
	case RIOMMU_MAPPING_MALFORMED:
		see(&r->seen[MALFORMED], m, m->address, m->leaves);
		break;
	case RIOMMU_MAPPING_UNREADABLE:
		visit_unreadable(r, m);
		break;
	case RIOMMU_MAPPING_IDENTITY:   /* the rule `identity` is about it */
	case RIOMMU_MAPPING_GUEST_ONLY: /* how much memory a guest has is its host's business */
		break;
	}
}

static int visit_mappings(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		visit_mapping(arg, &ranges[i]);
	return 0;
}

/* -- what was found ------------------------------------------------------------------------------------------------- */

static const char *permission_words(uint8_t p, char words[4])
{
	words[0] = p & RIOMMU_PERM_R ? 'r' : '-';
	words[1] = p & RIOMMU_PERM_W ? 'w' : '-';
	words[2] = p & RIOMMU_PERM_X ? 'x' : '-';
	words[3] = 0;
	return words;
}

static const char *address_words(const struct tables *t)
{
	return t->host && has_second_stage(t) ? "guest physical address" : "IOVA";
}

static struct check_object about_user(const struct user *u, uint64_t address, uint64_t count)
{
	return (struct check_object){.has_device = true,
				     .device_id = u->device_id,
				     .has_process = u->tables.kind == RIOMMU_SPACE_PROCESS,
				     .process_id = u->process_id,
				     .has_address = true,
				     .address = address,
				     .count = count};
}

static void report_tables(struct check *c, const struct user *u, const struct walk_result *r,
			  uint64_t loops)
{
	static const struct {
		enum check_rule rule;
		const char *one, *many;
	} kinds[KINDS] = {
		[MALFORMED] = {CHECK_PTE_MALFORMED, "entry", "entries, the first"},
		[UNUSABLE] = {CHECK_PTE_UNUSABLE, "leaf", "leaves, the first"},
		[WRITABLE_EXECUTABLE] = {CHECK_PTE_WX, "range", "ranges, the first"},
		[LEAF_ADDRESS] = {CHECK_PTE_ADDRESS, "leaf", "leaves, the first"},
		[TABLE_ADDRESS] = {CHECK_TABLE_ADDRESS, "table", "tables, the first"},
		[CORRUPT] = {CHECK_MEMORY_CORRUPT, "page table", "page tables, the first"},
	};

	for (unsigned i = 0; i < KINDS; i++) {
		const struct seen *s = &r->seen[i];
		struct check_object about = about_user(u, s->pa, s->count);

		if (s->count)
			check_report(c, kinds[i].rule, &about,
				     "%" PRIu64 " %s for %s 0x%" PRIx64 "%s%s", s->count,
				     s->count == 1 ? kinds[i].one : kinds[i].many,
				     address_words(&u->tables), s->iova, s->reason ? ": " : "",
				     s->reason ? s->reason : "");
	}
	if (loops) {
		struct check_object about = about_user(u, 0, loops);

		about.has_address = false;
		check_report(c, CHECK_TABLE_LOOP, &about,
			     "%" PRIu64 " entr%s to a table that leads to it", loops,
			     loops == 1 ? "y leads" : "ies lead");
	}
}

static void report_reached(struct check *c, const struct user *u, const struct walk_result *r)
{
	for (size_t i = 0; i < CHECK_TARGETS; i++) {
		const struct check_target *t = &r->ranges->targets[i];
		const struct seen *s = &r->reached[i];
		struct check_object about = about_user(u, s->pa, s->count);
		char words[4];

		if (s->count)
			check_report(c, t->rule, &about,
				     "%s: %s 0x%" PRIx64 " leads to 0x%" PRIx64 " (%s); %" PRIu64
				     " range%s in all",
				     t->name, address_words(&u->tables), s->iova, s->pa,
				     permission_words(s->permissions, words), s->count,
				     s->count == 1 ? "" : "s");
	}
}

static void judge(struct check *c, bool host)
{
	unsigned last = host ? CHECK_REACH_RESERVED : CHECK_TABLE_LOOP;

	for (unsigned rule = CHECK_PTE_MALFORMED; rule <= last; rule++)
		check_judge(c, (enum check_rule)rule);
}

/* -- all of them ---------------------------------------------------------------------------------------------------- */

/* As riommu_visit_spaces() had it, less the ids. */
static struct riommu_space space_of(const struct user *u)
{
	struct riommu_space space = {
		.kind = (enum riommu_space_kind)u->tables.kind,
		.dc = {.device_id = u->device_id, .dwords = u->tables.dwords},
		.has_pc = u->tables.has_pc,
		.pc = {.process_id = u->process_id, .ta = RIOMMU_PC_V, .fsc = u->tables.fsc},
	};

	memcpy(space.dc.dw, u->tables.dw, sizeof(space.dc.dw));
	return space;
}

/* Walks the tables of USERS[0], which the others of COUNT share. *PAGES is what all walks have read so far. */
static void check_tables(struct check *c, const struct user *users, size_t count,
			 struct walk_result *r, uint64_t *pages)
{
	const struct tables *t = &users->tables;
	struct riommu_space space = space_of(users);
	struct riommu_mapping_args args = {.last = UINT64_MAX};
	struct riommu_mapping_totals totals = {0};
	int err;

	args.second_stage_only = t->host && has_second_stage(t);
	memset(r->seen, 0, sizeof(r->seen));
	memset(r->reached, 0, sizeof(r->reached));
	r->host = t->host;
	r->kind = space.kind;
	/* a lying mask costs its own device the verdict, not the others */
	if (*pages > c->max_pages || check_msi_pages(&space.dc) > c->max_pages - *pages)
		err = -EOVERFLOW;
	else
		err = riommu_visit_mappings(&c->w, &space, &args, visit_mappings, r, &totals);
	*pages += totals.pages;
	if (err)
		check_cannot(c, CHECK_PTE_MALFORMED,
			     t->host ? CHECK_REACH_RESERVED : CHECK_TABLE_LOOP, err,
			     "the page tables of device 0x%" PRIx32 ": %s", users->device_id,
			     check_error_words(err));
	judge(c, t->host);
	for (size_t i = 0; i < count; i++) {
		report_tables(c, &users[i], r, totals.loops);
		report_reached(c, &users[i], r);
	}
}

/* Walks what is held; then nothing is. */
static void check_users(struct users *u)
{
	struct check *c = u->c;
	struct walk_result *r = calloc(1, sizeof(*r));

	if (!r)
		c->error = -ENOMEM;
	else if (!u->has_ranges && u->count) /* identity alone needs no walk */
		check_ranges_build(c, &u->ranges);
	u->has_ranges |= u->count != 0;
	if (u->count)
		qsort(u->list, u->count, sizeof(*u->list), by_tables);
	for (size_t i = 0, next; i < u->count && !c->error; i = next) {
		for (next = i + 1; next < u->count; next++)
			if (memcmp(&u->list[next].tables, &u->list[i].tables,
				   sizeof(u->list[i].tables)) != 0)
				break;
		*r = (struct walk_result){.c = c, .ranges = &u->ranges, .gap_start = 1};
		check_tables(c, &u->list[i], next - i, r, &u->pages);
	}
	u->count = 0;
	free(r);
}

void check_spaces(struct check *c)
{
	struct users u = {.c = c, .at_once = riommu_spaces_at_once(&c->w)};
	int err = riommu_visit_dcs(&c->w, visit_dc, &u);

	if (err && !c->error)
		check_cannot(c, CHECK_PTE_MALFORMED, CHECK_REACH_RESERVED, err,
			     "the device directory: %s", check_error_words(err));
	if (!c->error)
		check_users(&u);
	check_ranges_free(&u.ranges);
	free(u.list);
}
