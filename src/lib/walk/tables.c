/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of one stage, table by table in ascending order (Privileged ISA, "Virtual Address Translation Process"). What the
 * entries mean is said by stage.c; here they are found fast: runs of leaves by comparing with what the next would be.
 */
#include "walk/mappings-internal.h"

#define PPN riommu_mask(53, 10)

/* -- entries --------------------------------------------------------------------------------------------- */

INLINE uint64_t entry(const uint8_t *bytes, size_t i, unsigned size, bool big)
{
	return size == 4 ? riommu_get32(bytes + 4 * i, big) : riommu_get64(bytes + 8 * i, big);
}

typedef uint64_t pair __attribute__((vector_size(16)));

INLINE pair two_entries(const uint8_t *bytes, size_t i, unsigned size, bool big)
{
	return (pair){entry(bytes, i, size, big), entry(bytes, i + 1, size, big)};
}

/* Entries are compared so many at once. */
#define BLOCK 16

/*
 * So far ahead memory is asked for. The processor does that too, but not far enough where there is much to do for each line, and it does
 * not know which table comes next.
 */
#define AHEAD 2048u

/* What follows a table in memory, and by how much further on the next table lies. Where that is not known it is this one: no other memory is touched. */
struct behind {
	uintptr_t end, gap;
};

/* Of a block that is looked at. One line after the other: many at once would keep others waiting. */
INLINE void fetch_ahead(const uint8_t *bytes, const struct behind *behind)
{
	uintptr_t to = (uintptr_t)bytes + AHEAD;

	if (to >= behind->end)
		to += behind->gap;
	__builtin_prefetch((const void *)to);
	__builtin_prefetch((const void *)(to + 64));
}

/*
 * BLOCK entries are PTE, PTE + STEP, ... The first one is. The last one is looked at before the others, which mostly is the answer when
 * it is no; these have no exit among them, so that they are a handful of vector instructions.
 */
INLINE bool block_follows(const uint8_t *bytes, uint64_t pte, uint64_t step, unsigned size,
			  bool big, const struct behind *behind)
{
	pair want = {pte, pte}, ahead = {step, 2 * step}, differs = {0, 0};

	fetch_ahead(bytes, behind);
	if (entry(bytes, BLOCK - 1, size, big) != pte + (BLOCK - 1) * step)
		return false;
#pragma GCC unroll 7
	for (unsigned i = 1; i < BLOCK - 1; i += 2) {
		differs |= (two_entries(bytes, i, size, big) - ahead) ^ want;
		ahead += 2 * step;
	}
	return !(differs[0] | differs[1]);
}

/* The end of the entries from AT on, before END, that are PTE, PTE + STEP, PTE + 2 * STEP ... The first one is. */
INLINE const uint8_t *follow(const uint8_t *at, const uint8_t *end, uint64_t pte, uint64_t step,
			     unsigned size, bool big, const struct behind *behind)
{
	while ((size_t)(end - at) >= BLOCK * size &&
	       block_follows(at, pte, step, size, big, behind)) {
		at += BLOCK * size;
		pte += BLOCK * step;
		if (at == end || entry(at, 0, size, big) != pte)
			return at;
	}
	do {
		at += size;
		pte += step;
	} while (at < end && entry(at, 0, size, big) == pte);
	return at;
}

/* The first byte from AT on that belongs to an entry that is not zero; END when there is none. Entries are of SIZE bytes. */
static size_t skip_zeros(const uint8_t *bytes, size_t at, size_t end, unsigned size)
{
	while (at + 64 <= end) {
		uint64_t any = 0;

		for (size_t i = 0; i < 8; i++)
			any |= riommu_get64(bytes + at + 8 * i, false);
		if (any)
			break;
		at += 64;
	}
	while (at < end && !entry(bytes + at, 0, size, false))
		at += size;
	return at;
}

/* Where entries lead, as PPNs stand in them: FROM, and so much from there on. */
struct wanted {
	uint64_t from, size;
};

/* The highest bit of a lane is set where an entry leads into WANTED: not before FROM, but before the end. Differences of PPNs have a sign there. */
INLINE pair lead_into(pair entries, const struct wanted *wanted)
{
	pair at = (entries & PPN) - wanted->from;

	return ~at & (at - wanted->size);
}

/* From I on, where the first BLOCK of entries begins of which one leads into WANTED, or less than a block is left before END. */
INLINE size_t skip_unwanted(const uint8_t *bytes, size_t i, size_t end, const struct wanted *wanted,
			    unsigned size, bool big, const struct behind *behind)
{
	while (i + BLOCK <= end) {
		pair any = {0, 0};

		fetch_ahead(bytes + i * size, behind);
#pragma GCC unroll 8
		for (unsigned n = 0; n < BLOCK; n += 2)
			any |= lead_into(two_entries(bytes, i + n, size, big), wanted);
		if ((any[0] | any[1]) >> 63)
			break;
		i += BLOCK;
	}
	return i;
}

/* -- tables ---------------------------------------------------------------------------------------------- */

/* A table that cannot be read, at ADDRESS. */
static struct list_run nowhere(uint64_t address)
{
	return (struct list_run){.kind = RIOMMU_MAPPING_UNREADABLE, .address = address, .count = 1};
}

/* A first-stage table behind a second stage: where it is. False with R when it cannot be reached. */
static bool guest_table(struct list *l, struct list_table *t, struct list_run *r)
{
	struct walk_leaf leaf;
	enum stage_end end;

	walk_forget_updates(&l->k);
	l->k.error = 0;
	end = walk_second_stage(&l->k, t->address, USE_FIRST_STAGE_PTE, &leaf);
	if (end == STAGE_OK) {
		t->page = leaf.pa;
		t->updatable = (leaf.pte & RIOMMU_PTE_W) && (leaf.pte & RIOMMU_PTE_D);
		return true;
	}
	*r = nowhere(t->address);
	switch (end) {
	case STAGE_PAGE_FAULT:
		r->kind = RIOMMU_MAPPING_MALFORMED;
		r->reason = "the second stage does not let the first-stage table be read";
		return false;
	case STAGE_ACCESS_FAULT:
		r->error = -EFAULT;
		return false;
	case STAGE_CORRUPTION:
		r->error = -EHWPOISON;
		return false;
	default:
		r->address = l->k.missing;
		r->error = l->k.error;
		return false;
	}
}

/*
 * Looks up the table that comes next, so that its lines are on the way while the one before it is gone over. Only where the source
 * lends its memory, and the address needs no translation.
 */
static void look_ahead(struct list_stage *s, struct behind *behind)
{
	const struct list *l = s->list;
	struct list_ahead *ahead = &s->ahead;

	if (!ahead->wanted)
		return;
	ahead->wanted = false;
	ahead->address = ahead->next;
	/* a table was read: there is memory */
	if (!l->k.w->memory->ops->map || (!s->second && l->second.shape))
		return;
	ahead->held = true;
	ahead->error = walk_map_table(l->k.w, ahead->address, ahead->copy, RIOMMU_PAGE_SIZE,
				      &ahead->bytes);
	if (!ahead->error)
		behind->gap = (uintptr_t)ahead->bytes - behind->end;
}

static int map_table(struct list_stage *s, struct list_table *t)
{
	struct list_ahead *ahead = &s->ahead;

	if (ahead->held && ahead->address == t->page && ahead->bytes != ahead->copy) {
		t->bytes = ahead->bytes;
		return ahead->error;
	}
	return walk_map_table(s->list->k.w, t->page, t->copy, RIOMMU_PAGE_SIZE, &t->bytes);
}

static bool is_held(const struct list_table *t, uint64_t address)
{
	return t->held && t->address == address;
}

/* The table at ADDRESS for LEVEL; the one that was there last is not read again. False: R says why not. */
static bool load_table(struct list_stage *s, unsigned level, uint64_t address, struct list_run *r)
{
	struct list *l = s->list;
	struct list_table *t = &s->table[level];
	int err;

	if (is_held(t, address))
		return true;
	t->held = false;
	t->address = t->page = address;
	t->updatable = true;
	if (!s->second && l->second.shape && !guest_table(l, t, r))
		return false;
	err = map_table(s, t);
	if (err) {
		*r = nowhere(t->page);
		r->error = err;
		return false;
	}
	l->totals.pages++;
	t->held = true;
	return true;
}

static int enter(struct list_stage *s)
{
	if (s->free) {
		s->free--;
		return 0;
	}
	return list_enter(s->list);
}

static void count_loop(struct list_stage *s, unsigned level)
{
	for (unsigned above = level + 1; above < s->shape->levels; above++)
		if (s->table[above].page == s->table[level].page) {
			s->list->totals.loops++;
			return;
		}
}

/* Where the enumeration is. */
struct place {
	struct list_stage *s;
	struct list_table *t;
	unsigned level, shift; /* an entry maps 2 to the power of SHIFT */
	uint64_t base;         /* what the first entry maps */
	size_t end;            /* the last entry that is asked for */
	struct behind behind;
};

/* Tells what was found, as far as it was asked for. */
static int tell(struct place *p)
{
	struct list_stage *s = p->s;
	struct list_run *r = &p->t->run;
	struct list_span *first = s->span, *last = first + r->spans - 1;
	int err;

	if (!r->spans)
		return 0;
	if (first->from < s->first) {
		first->to += s->first - first->from;
		first->from = s->first;
	}
	if (last->last > s->last)
		last->last = s->last;
	r->again &= s->told == r;
	err = s->run(s->list, r);
	r->again = true;
	r->spans = 0;
	s->told = r;
	return err;
}

/* The same of entry I and those behind it, N in all, which lead to TO. */
static int tell_span(struct place *p, size_t i, size_t n, uint64_t to)
{
	uint64_t from = p->base + ((uint64_t)i << p->shift);

	p->s->span[0] = (struct list_span){from, from + (((uint64_t)n << p->shift) - 1), to};
	p->t->run.spans = 1;
	return tell(p);
}

/* The end of a run that begins AT and leads to TO: past the widest address it would run into other bits, or start again at 0. */
INLINE const uint8_t *end_of_addresses(const uint8_t *at, const uint8_t *end, uint64_t to,
				       unsigned size, unsigned shift)
{
	uint64_t limit = size == 4 ? (uint64_t)1 << 34 : (uint64_t)1 << 56, left = limit - to;

	if (left >= (uint64_t)RIOMMU_PAGE_SIZE / size << shift ||
	    left >> shift >= (size_t)(end - at) / size)
		return end;
	return at + (left >> shift) * size;
}

/*
 * Leaves that are as the run of P says, from entry I on: told later, with those that follow. The entry behind them, or the first that there is
 * no room for. SHIFT is that of P.
 */
INLINE size_t find_leaves(struct place *p, size_t i, unsigned size, bool big, unsigned shift)
{
	uint64_t step = (uint64_t)1 << (shift - RIOMMU_PAGE_SHIFT + 10);
	uint64_t bits = p->t->run.pte, misaligned = (step - 1) & PPN;
	uint64_t from = p->base + ((uint64_t)i << shift);
	struct list_span *span = p->s->span + p->t->run.spans, *full = p->s->span + LIST_SPANS;
	const uint8_t *at = p->t->bytes + i * size, *end = p->t->bytes + (p->end + 1) * size;

	if (!bits)
		return i;
	while (at < end && span < full) {
		uint64_t pte = entry(at, 0, size, big);
		const uint8_t *first = at;

		if ((pte & ~PPN) != bits || (pte & misaligned))
			break;
		span->from = from;
		span->to = riommu_ppn_upper(pte);
		at = follow(at, end_of_addresses(at, end, span->to, size, shift), pte, step, size,
			    big, &p->behind);
		from += (uint64_t)(at - first) * (((uint64_t)1 << shift) / size);
		span->last = from - 1;
		span++;
	}
	p->t->run.spans = (size_t)(span - p->s->span);
	return (size_t)(at - p->t->bytes) / size;
}

/* Svnapot: the 16 entries of a leaf are equal, and each leads to its own part, the first to TO. */
static int tell_napot(struct place *p, size_t *i, uint64_t pte, uint64_t to)
{
	size_t first = *i, end = *i | 15;
	int err;

	while (*i <= p->end && *i <= end && entry(p->t->bytes, *i, 8, p->s->big_endian) == pte)
		++*i;
	err = tell_span(p, first, *i - first, to);
	p->t->run.pte = 0;
	return err;
}

/*
 * Entries that can only fault, from I on. What is wrong with one that is no leaf does not lie in its PPN: those alike go on. (A table
 * that is all pointers to itself ends in millions of them.)
 */
static int tell_malformed(struct place *p, size_t *i, uint64_t pte, const char *reason)
{
	uint64_t same = pte & (RIOMMU_PTE_R | RIOMMU_PTE_X) ? ~(uint64_t)0 : ~PPN;
	unsigned size = p->s->shape->pte_size;
	size_t first = *i;

	while (*i <= p->end && !((entry(p->t->bytes, *i, size, p->s->big_endian) ^ pte) & same))
		++*i;
	p->t->run = (struct list_run){
		.kind = RIOMMU_MAPPING_MALFORMED,
		.address = p->t->page + first * size,
		.count = *i - first,
		.reason = reason,
	};
	return tell_span(p, first, *i - first, 0);
}

static int visit_table(struct list_stage *s, unsigned level, uint64_t address, uint64_t base,
		       bool global);

/* The table that entry I leads to. */
static int descend(struct place *p, size_t i, uint64_t pte)
{
	struct list_stage *s = p->s;
	unsigned size = s->shape->pte_size;

	if (p->level == 1 && i < p->end) {
		uint64_t next = entry(p->t->bytes, i + 1, size, s->big_endian);

		s->ahead.next = riommu_ppn_upper(next);
		s->ahead.wanted = next & RIOMMU_PTE_V && !(next & (RIOMMU_PTE_R | RIOMMU_PTE_X));
	}
	return visit_table(s, p->level - 1, riommu_ppn_upper(pte),
			   p->base + ((uint64_t)i << p->shift),
			   p->t->global || (pte & RIOMMU_PTE_G));
}

/* What stands at entry I; *I is then the entry behind it. Leaves without N begin a run. */
static int visit_entry(struct place *p, size_t *i, uint64_t pte)
{
	const struct list_stage *s = p->s;
	struct list_run *r = &p->t->run;
	struct walk_leaf leaf;
	const char *why;
	enum walk_pte_kind kind = walk_pte_kind(&s->list->k, s->shape, pte, p->level,
						(uint64_t)*i << p->shift, &leaf, &why);

	if (kind == WALK_PTE_LEAF && s->second && !(pte & RIOMMU_PTE_U)) {
		kind = WALK_PTE_MALFORMED;
		why = walk_second_stage_not_user;
	}
	switch (kind) {
	case WALK_PTE_POINTER:
		return descend(p, (*i)++, pte);
	case WALK_PTE_LEAF:
		*r = (struct list_run){
			.kind = RIOMMU_MAPPING_LEAVES,
			.pte = pte & ~PPN,
			.leaf_size = leaf.size,
			.global = p->t->global || (pte & RIOMMU_PTE_G),
			.updatable = p->t->updatable,
		};
		return pte & RIOMMU_PTE_N ? tell_napot(p, i, pte, leaf.pa) : 0;
	case WALK_PTE_MALFORMED:
		return tell_malformed(p, i, pte, why);
	default:
		++*i;
		return 0;
	}
}

/*
 * Behind the entries from I on that nobody asks for: only some memory is of interest, this is the last level of the last stage, and they
 * lead elsewhere. In steps of 64 KiB, for the sake of Svnapot; those that are left are looked at closely.
 */
INLINE size_t pass_over(struct place *p, size_t i, unsigned size, bool big)
{
	const struct list *l = p->s->list;
	uint64_t first = l->pa_first & ~(uint64_t)0xffff, last = l->pa_last | 0xffff;
	struct wanted wanted = {first >> 2, ((last - first) >> 2) + 1};

	if (!l->reached || p->level || (!p->s->second && l->second.shape))
		return i;
	return skip_unwanted(p->t->bytes, i, p->end + 1, &wanted, size, big, &p->behind);
}

/* The entries of the table from I on. */
INLINE int scan(struct place *p, size_t i, unsigned size, bool big, unsigned shift)
{
	int err = 0;

	while (!err) {
		uint64_t pte;

		i = find_leaves(p, pass_over(p, i, size, big), size, big, shift);
		if (i > p->end)
			return tell(p);
		pte = entry(p->t->bytes, i, size, big);
		if (!pte)
			i = skip_zeros(p->t->bytes, i * size, (p->end + 1) * size, size) / size;
		else if (p->t->run.spans)
			err = tell(p);
		else
			err = visit_entry(p, &i, pte);
	}
	return err;
}

/* The table at ADDRESS, whose first entry maps BASE. */
static int visit_table(struct list_stage *s, unsigned level, uint64_t address, uint64_t base,
		       bool global)
{
	unsigned shift = walk_leaf_shift(s->shape, level);
	uint64_t span_minus_1 = ((uint64_t)1 << (shift + s->shape->index_bits)) - 1;
	uint64_t from = s->first > base ? s->first - base : 0;
	uint64_t to = s->last - base < span_minus_1 ? s->last - base : span_minus_1;
	struct list_table *t = &s->table[level];
	struct place p = {.s = s,
			  .t = t,
			  .level = level,
			  .shift = shift,
			  .base = base,
			  .end = (size_t)(to >> shift)};
	size_t first = (size_t)(from >> shift);
	int err = enter(s);

	if (!err && !is_held(t, address))
		err = list_tell_whole(s->list);
	if (err)
		return err;
	if (!load_table(s, level, address, &t->run))
		return tell_span(&p, 0, (size_t)1 << s->shape->index_bits, 0);
	if (t->global != global || t->run.updatable != t->updatable)
		t->run.pte = 0;
	t->global = global;
	count_loop(s, level);
	p.behind.end = (uintptr_t)(t->bytes + RIOMMU_PAGE_SIZE);
	p.behind.gap = -(uintptr_t)RIOMMU_PAGE_SIZE;
	look_ahead(s, &p.behind);
	if (s->shape->pte_size == 4)
		return s->big_endian ? scan(&p, first, 4, true, shift)
				     : scan(&p, first, 4, false, shift);
	if (s->big_endian)
		return scan(&p, first, 8, true, shift);
	/* almost all entries of almost all machines are those of the last level */
	return level ? scan(&p, first, 8, false, shift)
		     : scan(&p, first, 8, false, RIOMMU_PAGE_SHIFT);
}

/* The part of FIRST..LAST that the root maps from BASE on, PAGES pages of it. */
static int visit_root(struct list_stage *s, uint64_t first, uint64_t last, uint64_t base,
		      uint64_t lowest, uint64_t highest, unsigned pages)
{
	unsigned level = s->shape->levels - 1u;
	unsigned bits = walk_leaf_shift(s->shape, level) + s->shape->index_bits;
	int err = 0;

	s->first = first > lowest ? first : lowest;
	s->last = last < highest ? last : highest;
	for (unsigned page = 0; page < pages && !err; page++) {
		uint64_t page_base = base + ((uint64_t)page << bits);

		if (s->first <= s->last && s->last >= page_base &&
		    s->first <= page_base + (((uint64_t)1 << bits) - 1))
			err = visit_table(s, level, s->root + page * RIOMMU_PAGE_SIZE, page_base,
					  false);
	}
	return err;
}

int list_tables(struct list_stage *s, uint64_t first, uint64_t last)
{
	unsigned bits = s->shape->address_bits;
	bool both;
	int err;

	if (s->second)
		return visit_root(s, first, last, 0, 0,
				  ((uint64_t)1 << walk_gpa_bits(&s->list->k)) - 1, 4);
	if (s->shape->pte_size == 4)
		return visit_root(s, first, last, 0, 0, UINT32_MAX, 1);
	/* Addresses are sign-extended: the upper half of the root is the top of the address space. */
	err = visit_root(s, first, last, 0, 0, riommu_mask(bits - 2, 0), 1);
	if (err)
		return err;
	both = first <= riommu_mask(bits - 2, 0);
	s->free = both ? 1 : 0;
	return visit_root(s, first, last, ~(uint64_t)0 << bits, ~(uint64_t)0 << (bits - 1),
			  ~(uint64_t)0, 1);
}
