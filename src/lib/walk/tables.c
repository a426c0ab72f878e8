/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of one stage, table by table in ascending order (Privileged ISA, "Virtual Address Translation Process"). What the
 * entries mean is said by stage.c; here they are found fast: runs of leaves by comparing with what the next would be.
 */
#include "walk/mappings-internal.h"

/* -- entries --------------------------------------------------------------------------------------------- */

INLINE uint64_t entry(const uint8_t *bytes, size_t i, unsigned size, bool big)
{
	return size == 4 ? riommu_get32(bytes + 4 * i, big) : riommu_get64(bytes + 8 * i, big);
}

/*
 * COUNT entries are PTE, PTE + STEP, ... The last one is looked at first, which mostly is the answer when it is no; the others have no
 * exit among them, so that they are a handful of vector instructions.
 */
INLINE bool block_follows(const uint8_t *bytes, unsigned count, uint64_t pte, uint64_t step,
			  unsigned size, bool big)
{
	typedef uint64_t pair __attribute__((vector_size(16)));
	pair want = {pte, pte + step}, differs = {0, 0};

	if (entry(bytes, count - 1, size, big) != pte + (count - 1) * step)
		return false;
	step *= 2;
#pragma GCC unroll 8
	for (unsigned i = 0; i < count; i += 2) {
		pair have = {entry(bytes, i, size, big), entry(bytes, i + 1, size, big)};

		differs |= have ^ want;
		want += step;
	}
	return !(differs[0] | differs[1]);
}

/* How many of the entries from BYTES on, MAX at most, are PTE, PTE + STEP, PTE + 2 * STEP ... The first one is. */
INLINE size_t follow(const uint8_t *bytes, size_t max, uint64_t pte, uint64_t step, unsigned size,
		     bool big)
{
	size_t n = 0;

	while (n + 16 <= max && block_follows(bytes + n * size, 16, pte, step, size, big)) {
		n += 16;
		pte += 16 * step;
	}
	for (; n < max && entry(bytes, n, size, big) == pte; n++)
		pte += step;
	return n;
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

/* -- tables ---------------------------------------------------------------------------------------------- */

/* A first-stage table behind a second stage: where it is. False with R when it cannot be reached. */
static bool guest_table(struct list *l, struct list_table *t, struct list_run *r)
{
	struct walk_leaf leaf;

	walk_forget_updates(&l->k);
	l->k.error = 0;
	switch (walk_second_stage(&l->k, t->address, USE_FIRST_STAGE_PTE, &leaf)) {
	case STAGE_OK:
		t->page = leaf.pa;
		t->updatable = (leaf.pte & RIOMMU_PTE_W) && (leaf.pte & RIOMMU_PTE_D);
		return true;
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

/* So much of a table is asked for: what follows the processor fetches by itself. */
#define AHEAD ((size_t)1024)

/*
 * Looks up the table that comes next while the one before it is gone over: its lines are on the way then. Only where the source
 * lends its memory, and the address needs no translation.
 */
static void look_ahead(struct list_stage *s)
{
	const struct list *l = s->list;
	struct list_ahead *ahead = &s->ahead;

	if (!ahead->wanted)
		return;
	ahead->wanted = false;
	ahead->address = ahead->next;
	if (!l->k.w->memory || !l->k.w->memory->ops->map || (!s->second && l->second.shape))
		return;
	ahead->held = true;
	ahead->error = walk_map_table(l->k.w, ahead->address, ahead->copy, RIOMMU_PAGE_SIZE,
				      &ahead->bytes);
	for (size_t at = 0; at < AHEAD && !ahead->error; at += 64)
		__builtin_prefetch(ahead->bytes + at);
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

/* The table at ADDRESS for LEVEL; the one that was there last is not read again. False: R says why not. */
static bool load_table(struct list_stage *s, unsigned level, uint64_t address, struct list_run *r)
{
	struct list *l = s->list;
	struct list_table *t = &s->table[level];

	if (t->held && t->address == address)
		return true;
	t->held = false;
	t->address = t->page = address;
	t->updatable = true;
	r->kind = RIOMMU_MAPPING_UNREADABLE;
	r->address = address;
	if (!s->second && l->second.shape && !guest_table(l, t, r))
		return false;
	r->error = map_table(s, t);
	if (r->error) {
		r->address = t->page;
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
	const struct list_table *t;
	unsigned level, shift; /* an entry maps 2 to the power of SHIFT */
	uint64_t base;         /* what the first entry maps */
	bool global;
	size_t end;     /* the last entry that is asked for */
	uint64_t plain; /* bits, less the PPN, of the leaves that RUN is filled in for; 0: none */
	struct list_run run;
};

#define PPN riommu_mask(53, 10)

/* Tells P->run, of entry I and those behind it, N in all, as far as it was asked for. */
INLINE int tell(struct place *p, size_t i, size_t n)
{
	const struct list_stage *s = p->s;
	struct list_run *r = &p->run;

	r->from = p->base + ((uint64_t)i << p->shift);
	r->last = r->from + (((uint64_t)n << p->shift) - 1);
	if (r->from < s->first) {
		r->to += s->first - r->from;
		r->from = s->first;
	}
	if (r->last > s->last)
		r->last = s->last;
	return s->run(s->list, r);
}

/* Leaves from entry I on that lead on without a gap, the first to PA; *I is then the entry behind them. */
INLINE int tell_leaves(struct place *p, size_t *i, uint64_t pte, unsigned size, bool big)
{
	uint64_t limit = size == 4 ? (uint64_t)1 << 34 : (uint64_t)1 << 56;
	const uint8_t *at = p->t->bytes + *i * size;
	size_t max = p->end - *i + 1, first = *i;

	p->run.to = riommu_ppn_upper(pte);
	/* Past the widest address the sum would run into other bits, or start again at 0. */
	if (max > (limit - p->run.to) >> p->shift)
		max = (size_t)((limit - p->run.to) >> p->shift);
	*i += follow(at, max, pte, (uint64_t)1 << (p->shift - RIOMMU_PAGE_SHIFT + 10), size, big);
	p->run.address = p->t->page + first * size;
	return tell(p, first, *i - first);
}

/* Svnapot: the 16 entries of a leaf are equal, and each leads to its own part. */
static int tell_napot(struct place *p, size_t *i, uint64_t pte)
{
	size_t first = *i, end = *i | 15;

	while (*i <= p->end && *i <= end && entry(p->t->bytes, *i, 8, p->s->big_endian) == pte)
		++*i;
	return tell(p, first, *i - first);
}

/*
 * Entries that can only fault, from I on. What is wrong with one that is no leaf does not lie in its PPN: those alike go on. (A table
 * that is all pointers to itself ends in millions of them.)
 */
static int tell_malformed(struct place *p, size_t *i, uint64_t pte)
{
	uint64_t same = pte & (RIOMMU_PTE_R | RIOMMU_PTE_X) ? ~(uint64_t)0 : ~PPN;
	unsigned size = p->s->shape->pte_size;
	size_t first = *i;

	p->run.kind = RIOMMU_MAPPING_MALFORMED;
	p->run.to = 0;
	while (*i <= p->end && !((entry(p->t->bytes, *i, size, p->s->big_endian) ^ pte) & same))
		++*i;
	p->run.count = *i - first;
	return tell(p, first, *i - first);
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
			   p->base + ((uint64_t)i << p->shift), p->global || (pte & RIOMMU_PTE_G));
}

/* What stands at entry I; *I is then the entry behind it. Leaves without N fill in P->run for those that follow. */
static int visit_entry(struct place *p, size_t *i, uint64_t pte)
{
	struct list_run *r = &p->run;
	struct walk_leaf leaf;
	enum walk_pte_kind kind = walk_pte_kind(&p->s->list->k, p->s->shape, pte, p->level,
						(uint64_t)*i << p->shift, &leaf, &r->reason);

	p->plain = 0;
	r->again = false;
	r->error = 0;
	r->address = p->t->page + *i * p->s->shape->pte_size;
	switch (kind) {
	case WALK_PTE_POINTER:
		return descend(p, (*i)++, pte);
	case WALK_PTE_LEAF:
		r->kind = RIOMMU_MAPPING_LEAVES;
		r->pte = pte;
		r->to = leaf.pa;
		r->leaf_size = leaf.size;
		r->global = p->global || (pte & RIOMMU_PTE_G);
		r->updatable = p->t->updatable;
		if (pte & RIOMMU_PTE_N)
			return tell_napot(p, i, pte);
		p->plain = pte & ~PPN;
		return 0;
	case WALK_PTE_MALFORMED:
		return tell_malformed(p, i, pte);
	default:
		++*i;
		return 0;
	}
}

/* The entries of the table from I on. */
INLINE int scan(struct place *p, size_t i, unsigned size, bool big)
{
	uint64_t misaligned = (((uint64_t)1 << p->shift) - 1) >> 2 & PPN;
	int err = 0;

	while (i <= p->end && !err) {
		uint64_t pte = entry(p->t->bytes, i, size, big);

		if (!pte) {
			i = skip_zeros(p->t->bytes, i * size, (p->end + 1) * size, size) / size;
		} else if (p->plain && (pte & ~PPN) == p->plain && !(pte & misaligned)) {
			err = tell_leaves(p, &i, pte, size, big);
			p->run.again = true;
		} else {
			err = visit_entry(p, &i, pte);
		}
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
	struct place p = {.s = s,
			  .t = &s->table[level],
			  .level = level,
			  .shift = shift,
			  .base = base,
			  .global = global,
			  .end = (size_t)(to >> shift)};
	size_t first = (size_t)(from >> shift);
	int err = enter(s);

	if (err)
		return err;
	p.run.count = 1;
	if (!load_table(s, level, address, &p.run))
		return tell(&p, 0, (size_t)1 << s->shape->index_bits);
	count_loop(s, level);
	look_ahead(s);
	if (s->shape->pte_size == 4)
		return s->big_endian ? scan(&p, first, 4, true) : scan(&p, first, 4, false);
	return s->big_endian ? scan(&p, first, 8, true) : scan(&p, first, 8, false);
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
