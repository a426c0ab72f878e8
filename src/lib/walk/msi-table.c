/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The MSI page table of a device as a list (AIA, "IOMMU Support for MSIs to Virtual Machines"). */
#include "walk/mappings.h"
#include "walk/visit-internal.h"

#define ENTRIES_PER_PAGE (RIOMMU_PAGE_SIZE / 16)

struct msi_listing {
	struct walk k;
	uint64_t next_gpn;
	struct riommu_msi_entry unreadable; /* COUNT 0: none */
	int (*visit)(void *arg, const struct riommu_msi_entry *e);
	void *arg;
};

static int tell_unreadable(struct msi_listing *l)
{
	struct riommu_msi_entry e = l->unreadable;

	l->unreadable.count = 0;
	return e.count ? l->visit(l->arg, &e) : 0;
}

/* Tables that are missing as a whole are one line, not one for each page. */
static int add_unreadable(struct msi_listing *l, const struct riommu_msi_entry *e, int error)
{
	struct riommu_msi_entry *u = &l->unreadable;
	int err = 0;

	if (u->count && u->error == error) {
		u->count += e->count;
		return 0;
	}
	err = tell_unreadable(l);
	*u = *e;
	u->kind = RIOMMU_MSI_ENTRY_UNREADABLE;
	u->error = error;
	return err;
}

static void decode(struct msi_listing *l, struct riommu_msi_entry *e)
{
	struct riommu_translation t = {.msi = RIOMMU_MSI_NONE};

	if (!riommu_bit(e->dw[0], 0)) {
		e->kind = RIOMMU_MSI_ENTRY_INVALID;
	} else if (walk_msi_entry(&l->k, e->dw, e->gpa, &t) != RIOMMU_OK) {
		e->kind = RIOMMU_MSI_ENTRY_MALFORMED;
		e->cause = l->k.cause;
		e->reason = l->k.reason;
	} else if (t.msi == RIOMMU_MSI_MRIF) {
		e->kind = RIOMMU_MSI_ENTRY_MRIF;
		e->pa = t.mrif_address;
		e->notice_pa = t.pa;
		e->notice_id = t.notice_id;
	} else {
		e->kind = RIOMMU_MSI_ENTRY_FLAT;
		e->pa = t.pa;
	}
}

/* The guest pages of a table: the bits of the mask count up, the others are the pattern's. */
static uint64_t gpn_after(const struct msi_listing *l, uint64_t gpn)
{
	uint64_t mask = walk_msi_mask(&l->k);

	return (((gpn | ~mask) + 1) & mask) | (gpn & ~mask);
}

static int visit_page(struct msi_listing *l, uint64_t page, uint64_t index, uint64_t count)
{
	struct riommu_msi_entry e = {
		.index = index, .gpa = l->next_gpn << RIOMMU_PAGE_SHIFT, .address = page};
	uint8_t copy[RIOMMU_PAGE_SIZE];
	const uint8_t *bytes;
	int err = walk_map_table(l->k.w, page, copy, count * 16, &bytes);

	e.count = count;
	if (err) {
		/* the windows of a page are its low mask bits: the next page's count up above them */
		for (uint64_t i = 0; i < count; i++)
			l->next_gpn = gpn_after(l, l->next_gpn);
		return add_unreadable(l, &e, err);
	}
	err = tell_unreadable(l);
	e.count = 1;
	for (uint64_t i = 0; i < count && !err; i++) {
		e.index = index + i;
		e.gpa = l->next_gpn << RIOMMU_PAGE_SHIFT;
		e.address = page + i * 16;
		e.dw[0] = riommu_get64(bytes + i * 16, l->k.be);
		e.dw[1] = riommu_get64(bytes + i * 16 + 8, l->k.be);
		l->next_gpn = gpn_after(l, l->next_gpn);
		if (!e.dw[0] && !e.dw[1])
			continue;
		e.pa = e.notice_pa = 0;
		e.notice_id = 0;
		e.cause = 0;
		e.reason = NULL;
		decode(l, &e);
		err = l->visit(l->arg, &e);
	}
	return err;
}

int riommu_visit_msi(const struct riommu_walker *walker, const struct riommu_dc *dc,
		     int (*visit)(void *arg, const struct riommu_msi_entry *e), void *arg)
{
	struct msi_listing l = {.visit = visit, .arg = arg};
	uint64_t max = riommu_max_pages(walker), base, entries, pages;
	int err = 0;

	walk_begin(&l.k, walker, NULL);
	l.k.dc = *dc;
	if (!walk_msi_enabled(&l.k))
		return -ENODATA;
	base = riommu_ppn_lower(dc->dw[RIOMMU_DC_MSIPTP]);
	entries = (uint64_t)1 << __builtin_popcountll(walk_msi_mask(&l.k));
	pages = (entries + ENTRIES_PER_PAGE - 1) / ENTRIES_PER_PAGE;
	l.next_gpn = dc->dw[RIOMMU_DC_MSI_ADDR_PATTERN] & walk_msi_compared(&l.k);
	for (uint64_t page = 0; page < pages && page < max && !err; page++)
		/* OR, not add: a table that is not aligned to its size aliases (AIA) */
		err = visit_page(&l, base | page << RIOMMU_PAGE_SHIFT, page * ENTRIES_PER_PAGE,
				 entries < ENTRIES_PER_PAGE ? entries : ENTRIES_PER_PAGE);
	if (!err)
		err = tell_unreadable(&l);
	return !err && pages > max ? -EOVERFLOW : err;
}
