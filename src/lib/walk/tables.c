/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of one stage, table by table in ascending order (Privileged ISA, "Virtual Address Translation Process"). What the
 * entries mean is said by stage.c; here they are found fast: runs of leaves by comparing with what the next would be.
 */
#include "walk/mappings-internal.h"

#define INLINE static inline __attribute__((always_inline))

/* -- entries --------------------------------------------------------------------------------------------- */

INLINE uint64_t entry(const uint8_t *bytes, size_t i, unsigned size, bool big)
{
	return size == 4 ? riommu_get32(bytes + 4 * i, big) : riommu_get64(bytes + 8 * i, big);
}

/*
 * How many of the entries from BYTES on, MAX at most, are PTE, PTE + STEP, PTE + 2 * STEP ... The blocks have no exit within:
 * compilers make vectors of them.
 */
INLINE size_t follow(const uint8_t *bytes, size_t max, uint64_t pte, uint64_t step, unsigned size,
		     bool big)
{
	enum { BLOCK = 8 };
	size_t n = 1;

	while (n + BLOCK <= max) {
		uint64_t differs = 0;

		for (size_t b = 0; b < BLOCK; b++)
			differs |= entry(bytes, n + b, size, big) ^ (pte + (n + b) * step);
		if (differs)
			break;
		n += BLOCK;
	}
	while (n < max && entry(bytes, n, size, big) == pte + n * step)
		n++;
	return n;
}

static size_t run_length(const struct list_stage *s, const uint8_t *bytes, size_t max, uint64_t pte,
			 uint64_t step)
{
	if (s->shape->pte_size == 4)
		return s->big_endian ? follow(bytes, max, pte, step, 4, true)
				     : follow(bytes, max, pte, step, 4, false);
	return s->big_endian ? follow(bytes, max, pte, step, 8, true)
			     : follow(bytes, max, pte, step, 8, false);
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

	l->k.update_count = 0;
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
	r->error = walk_map_table(l->k.w, t->page, t->copy, RIOMMU_PAGE_SIZE, &t->bytes);
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

/* Entries I.. of the table at LEVEL, as many as belong together, at most to END. R has FROM; returns how many. */
static size_t leaves(const struct list_stage *s, unsigned level, size_t i, size_t end, uint64_t pte,
		     const struct walk_leaf *leaf, struct list_run *r)
{
	const uint8_t *at = s->table[level].bytes + i * s->shape->pte_size;
	uint64_t span = (uint64_t)1 << walk_leaf_shift(s->shape, level);
	uint64_t limit = s->shape->pte_size == 4 ? (uint64_t)1 << 34 : (uint64_t)1 << 56;
	size_t max = end - i + 1;

	r->kind = RIOMMU_MAPPING_LEAVES;
	r->pte = pte;
	r->to = leaf->pa;
	r->leaf_size = leaf->size;
	r->reason = NULL;
	r->error = 0;
	if (pte & RIOMMU_PTE_N) {
		/* Svnapot: the 16 entries of a leaf are equal, and each leads to its own part. */
		if (max > 16 - i % 16)
			max = 16 - i % 16;
		return run_length(s, at, max, pte, 0);
	}
	/* Past the widest address the sum would run into other bits, or start again at 0. */
	if (max > (limit - leaf->pa) / span)
		max = (size_t)((limit - leaf->pa) / span);
	return run_length(s, at, max, pte, span >> RIOMMU_PAGE_SHIFT << 10);
}

/* Tells R, of COUNT entries from BASE on, so far as it was asked for. */
static int tell(struct list_stage *s, struct list_run *r, uint64_t base, uint64_t size_minus_1)
{
	r->from = base;
	r->last = base + size_minus_1;
	if (r->from < s->first) {
		r->to += s->first - r->from;
		r->from = s->first;
	}
	if (r->last > s->last)
		r->last = s->last;
	return s->run(s->list, r);
}

static int visit_table(struct list_stage *s, unsigned level, uint64_t address, uint64_t base,
		       bool global);

/* What stands at entry I and goes on at most to END; *I is then the entry behind it. */
static int visit_entry(struct list_stage *s, unsigned level, uint64_t base, bool global, size_t *i,
		       size_t end)
{
	const struct list_table *t = &s->table[level];
	unsigned size = s->shape->pte_size, shift = walk_leaf_shift(s->shape, level);
	uint64_t pte = entry(t->bytes, *i, size, s->big_endian);
	uint64_t at = base + ((uint64_t)*i << shift);
	struct list_run r;
	struct walk_leaf leaf;
	size_t n = 1;

	r.address = t->page + *i * size;
	switch (walk_pte_kind(&s->list->k, s->shape, pte, level, at, &leaf, &r.reason)) {
	case WALK_PTE_LEAF:
		n = leaves(s, level, *i, end, pte, &leaf, &r);
		r.global = global || (pte & RIOMMU_PTE_G);
		r.updatable = t->updatable;
		break;
	case WALK_PTE_POINTER:
		++*i;
		return visit_table(s, level - 1, riommu_ppn_upper(pte), at,
				   global || (pte & RIOMMU_PTE_G));
	case WALK_PTE_MALFORMED:
		r.kind = RIOMMU_MAPPING_MALFORMED;
		r.to = 0;
		r.error = 0;
		break;
	default:
		++*i;
		return 0;
	}
	*i += n;
	return tell(s, &r, at, ((uint64_t)n << shift) - 1);
}

/* The table at ADDRESS, whose first entry maps BASE. */
static int visit_table(struct list_stage *s, unsigned level, uint64_t address, uint64_t base,
		       bool global)
{
	unsigned size = s->shape->pte_size, shift = walk_leaf_shift(s->shape, level);
	uint64_t span_minus_1 = ((uint64_t)1 << (shift + s->shape->index_bits)) - 1;
	uint64_t from = s->first > base ? s->first - base : 0;
	uint64_t to = s->last - base < span_minus_1 ? s->last - base : span_minus_1;
	size_t i = (size_t)(from >> shift), end = (size_t)(to >> shift);
	struct list_run r = {.to = 0};
	int err = enter(s);

	if (err)
		return err;
	if (!load_table(s, level, address, &r))
		return tell(s, &r, base, span_minus_1);
	count_loop(s, level);
	while (!err) {
		i = skip_zeros(s->table[level].bytes, i * size, (end + 1) * size, size) / size;
		if (i > end)
			return 0;
		err = visit_entry(s, level, base, global, &i, end);
	}
	return err;
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
