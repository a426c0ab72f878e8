/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an enumeration finds becomes ranges: what leads on without a gap is one, and many are told at once. There may be 32 in a page that
 * takes 160 ns to read, so a nanosecond for each counts.
 */
#include "walk/mappings-internal.h"

/* -- telling --------------------------------------------------------------------------------------------- */

/* Tells those before END that are not told. */
static int tell(struct list *l, size_t end)
{
	int err = l->visit(l->arg, l->found + l->told_ranges, end - l->told_ranges);

	l->told_ranges = end;
	l->stopped = err != 0;
	return err;
}

int list_tell_whole(struct list *l)
{
	return l->count > l->told_ranges + 1 ? tell(l, l->count - 1) : 0;
}

int list_tell_rest(struct list *l)
{
	return l->count ? tell(l, l->count) : 0;
}

/* COUNT ranges begin where the last one ends: it is whole, too. */
INLINE int make_room(struct list *l, size_t count)
{
	int err;

	if (l->count + count <= LIST_RANGES)
		return 0;
	err = tell(l, l->count);
	l->count = l->told_ranges = 0;
	return err;
}

INLINE struct riommu_mapping *last_range(struct list *l)
{
	return l->count ? &l->found[l->count - 1] : NULL;
}

/* -- what leads on --------------------------------------------------------------------------------------- */

INLINE bool alike(const struct riommu_mapping *a, const struct riommu_mapping *b)
{
	return a->permissions == b->permissions && a->memory_type == b->memory_type &&
	       a->blocked == b->blocked && a->global == b->global;
}

/* True if B goes on where A ends, so that both are one range. */
static bool continues(const struct riommu_mapping *a, const struct riommu_mapping *b)
{
	uint64_t size = b->iova - a->iova;

	if (a->last + 1 != b->iova || a->kind != b->kind)
		return false;
	switch (a->kind) {
	case RIOMMU_MAPPING_LEAVES:
	case RIOMMU_MAPPING_MSI_FLAT:
		return a->pa + size == b->pa && a->gpa + size == b->gpa && alike(a, b);
	case RIOMMU_MAPPING_GUEST_ONLY:
		return a->gpa + size == b->gpa && a->reason == b->reason && alike(a, b);
	case RIOMMU_MAPPING_MALFORMED:
		return a->reason == b->reason;
	case RIOMMU_MAPPING_UNREADABLE:
		return a->error == b->error;
	default:
		return false;
	}
}

/* M is the next range, or makes the last one longer. */
static int put(struct list *l, const struct riommu_mapping *m)
{
	struct riommu_mapping *last = last_range(l);
	int err;

	if (last && continues(last, m)) {
		last->last = m->last;
		last->leaf_sizes |= m->leaf_sizes;
		last->leaves += m->leaves;
		return 0;
	}
	err = make_room(l, 1);
	l->made[l->count] = 0;
	l->found[l->count++] = *m;
	l->totals.ranges++;
	return err;
}

/* -- what is asked for ----------------------------------------------------------------------------------- */

/* Addresses that lead on without a gap. */
struct span {
	uint64_t iova, last, gpa, pa;
};

/* Cuts S down to what leads to the memory that is asked for. False: nothing does. */
INLINE bool cut(const struct list *l, struct span *s)
{
	uint64_t end = s->pa + (s->last - s->iova), from, to;

	if (end < l->pa_first || s->pa > l->pa_last)
		return false;
	from = s->pa > l->pa_first ? s->pa : l->pa_first;
	to = end < l->pa_last ? end : l->pa_last;
	s->last = s->iova + (to - s->pa);
	s->iova += from - s->pa;
	s->gpa += from - s->pa;
	s->pa = from;
	return true;
}

/* The same for one range, and no for what leads nowhere. */
static bool cut_mapping(const struct list *l, struct riommu_mapping *m)
{
	struct span s = {m->iova, m->last, m->gpa, m->pa};

	switch (m->kind) {
	case RIOMMU_MAPPING_MSI_MRIF:
		return (m->pa + 511 >= l->pa_first && m->pa <= l->pa_last) ||
		       (m->notice_pa + 3 >= l->pa_first && m->notice_pa <= l->pa_last);
	case RIOMMU_MAPPING_UNREADABLE:
		return true;
	case RIOMMU_MAPPING_MSI_FLAT:
	case RIOMMU_MAPPING_IDENTITY:
		if (!m->permissions || !cut(l, &s))
			return false;
		m->iova = s.iova;
		m->last = s.last;
		m->gpa = s.gpa;
		m->pa = s.pa;
		return true;
	default:
		return false;
	}
}

/* -- leaves ---------------------------------------------------------------------------------------------- */

INLINE bool last_is_alike(const struct list *l)
{
	return l->count && l->made[l->count - 1] == l->alike_number;
}

INLINE uint64_t leaves_of(const struct list *l, uint64_t iova, uint64_t last)
{
	unsigned shift = (unsigned)__builtin_ctzll(l->alike.leaf_sizes);

	return (last >> shift) - (iova >> shift) + 1;
}

/* Where the last range may be anything. */
static int put_leaves(struct list *l, uint64_t iova, uint64_t last, uint64_t gpa, uint64_t pa)
{
	struct riommu_mapping m = l->alike;
	int err;

	m.iova = iova;
	m.last = last;
	m.gpa = gpa;
	m.pa = pa;
	m.leaves = leaves_of(l, iova, last);
	l->totals.leaves += m.leaves;
	/* no mode has as many as 2 to the power of 64 */
	l->totals.bytes += last - iova + 1;
	err = put(l, &m);
	/* one of other leaves may have become longer */
	l->made[l->count - 1] =
		l->found[l->count - 1].leaf_sizes == m.leaf_sizes ? l->alike_number : 0;
	return err;
}

/* The same, of what is asked for. */
static int put_reached(struct list *l, uint64_t iova, uint64_t last, uint64_t gpa, uint64_t pa)
{
	struct span s = {iova, last, gpa, pa};

	if (!l->alike.permissions || !cut(l, &s))
		return 0;
	return put_leaves(l, s.iova, s.last, s.gpa, s.pa);
}

/* A place for a new range. What all that are alike have in common was mostly left there by one before. */
INLINE struct riommu_mapping *place(struct list *l, size_t at, uint64_t number)
{
	struct riommu_mapping *m = &l->found[at];

	if (l->made[at] != number) {
		*m = l->alike;
		l->made[at] = number;
	}
	return m;
}

/* Where the last range is alike, and ends elsewhere. */
static int begin_range(struct list *l, uint64_t iova, uint64_t last, uint64_t gpa, uint64_t pa)
{
	int err = make_room(l, 1);
	struct riommu_mapping *m = place(l, l->count++, l->alike_number);

	m->iova = iova;
	m->last = last;
	m->gpa = gpa;
	m->pa = pa;
	m->leaves = leaves_of(l, iova, last);
	l->totals.leaves += m->leaves;
	l->totals.bytes += last - iova + 1;
	l->totals.ranges++;
	return err;
}

/* The same of COUNT spans that begin where a leaf does, and none of which goes on where one ends. Of most machines this is done for each run. */
static int begin_ranges(struct list *l, const struct list_span *s, size_t count)
{
	int err = make_room(l, count);
	unsigned shift = (unsigned)__builtin_ctzll(l->alike.leaf_sizes);
	uint64_t number = l->alike_number, more_leaves = 0, more_bytes = 0;

	for (size_t i = 0; i < count; i++) {
		struct riommu_mapping *m = place(l, l->count + i, number);
		uint64_t size_minus_1 = s[i].last - s[i].from;

		m->iova = s[i].from;
		m->last = s[i].last;
		m->gpa = m->pa = s[i].to;
		m->leaves = (size_minus_1 >> shift) + 1;
		more_leaves += size_minus_1 >> shift;
		more_bytes += size_minus_1;
	}
	l->totals.leaves += more_leaves + count;
	l->totals.bytes += more_bytes + count;
	l->totals.ranges += count;
	l->count += count;
	return err;
}

int list_leaves(struct list *l, uint64_t iova, uint64_t last, uint64_t gpa, uint64_t pa)
{
	const struct riommu_mapping *p = last_range(l);

	if (l->reached)
		return put_reached(l, iova, last, gpa, pa);
	if (!last_is_alike(l) || (p->last + 1 == iova && p->pa + (iova - p->iova) == pa))
		return put_leaves(l, iova, last, gpa, pa);
	return begin_range(l, iova, last, gpa, pa);
}

int list_spans(struct list *l, const struct list_span *s, size_t count)
{
	const struct list_span *end = s + count;
	int err = list_leaves(l, s->from, s->last, s->to, s->to);

	for (s++; s < end && !err && (l->reached || !last_is_alike(l)); s++)
		err = list_leaves(l, s->from, s->last, s->to, s->to);
	return err || s == end ? err : begin_ranges(l, s, (size_t)(end - s));
}

/* -- others ---------------------------------------------------------------------------------------------- */

int list_other(struct list *l, struct riommu_mapping *m)
{
	return l->reached && !cut_mapping(l, m) ? 0 : put(l, m);
}

int list_hole(struct list *l, const struct list_run *r, uint64_t iova, uint64_t last)
{
	struct riommu_mapping m = {
		.kind = r->kind,
		.iova = iova,
		.last = last,
		.leaves = r->count,
		.address = r->address,
		.error = r->error,
		.reason = r->reason,
	};

	return list_other(l, &m);
}
