/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MSI page tables: flat and MRIF (AIA, "IOMMU Support for MSIs to Virtual Machines"; IOMMU specification 3.4). */
#include "walk/walk-internal.h"

unsigned walk_mgpaw(const struct riommu_walker *w)
{
	if (w->capabilities & RIOMMU_CAP_SV57X4)
		return 59;
	if (w->capabilities & RIOMMU_CAP_SV48X4)
		return 50;
	if (w->capabilities & RIOMMU_CAP_SV39X4)
		return 41;
	if (w->capabilities & RIOMMU_CAP_SV32X4)
		return 34;
	return (unsigned)riommu_bits(w->capabilities, 37, 32);
}

/* Bits of a guest page number that the pattern compares. Bits beyond MGPAW stay in: no interrupt file lies there. */
uint64_t walk_msi_compared(const struct walk *k)
{
	return ~k->dc.dw[RIOMMU_DC_MSI_ADDR_MASK] & riommu_mask(51, 0);
}

uint64_t walk_msi_mask(const struct walk *k)
{
	return k->dc.dw[RIOMMU_DC_MSI_ADDR_MASK] & riommu_mask(51, 0);
}

uint64_t walk_msi_limit(const struct walk *k, uint64_t gpa, uint64_t size)
{
	unsigned step = k->w->fctl & RIOMMU_FCTL_GXL ? 10 : 9;

	/* NAPOT leaves shrink to single pages, superpages by whole levels. */
	while (size > RIOMMU_PAGE_SIZE) {
		uint64_t differs =
			((gpa >> RIOMMU_PAGE_SHIFT) ^ k->dc.dw[RIOMMU_DC_MSI_ADDR_PATTERN]) &
			walk_msi_compared(k);

		if (differs & ~((size >> RIOMMU_PAGE_SHIFT) - 1))
			break;
		size = size >> step < RIOMMU_PAGE_SIZE ? RIOMMU_PAGE_SIZE : size >> step;
	}
	return size;
}

static enum riommu_result misconfigured(struct walk *k, const char *reason)
{
	return walk_fault(k, RIOMMU_CAUSE_MSI_PTE_MISCONFIGURED, reason);
}

static enum riommu_result msi_flat(struct walk *k, const uint64_t dw[2], uint64_t gpa,
				   struct riommu_translation *out)
{
	if (riommu_bits(dw[0], 9, 3) || riommu_bits(dw[0], 62, 54))
		return misconfigured(k, "the MSI entry (M=3) has reserved bits set");
	out->msi = RIOMMU_MSI_FLAT;
	out->pa = riommu_ppn_upper(dw[0]) | (gpa & RIOMMU_PAGE_MASK);
	return RIOMMU_OK;
}

static enum riommu_result msi_mrif(struct walk *k, const uint64_t dw[2], uint64_t gpa,
				   struct riommu_translation *out)
{
	if (!(k->w->capabilities & RIOMMU_CAP_MSI_MRIF))
		return misconfigured(
			k, "the MSI entry is in MRIF mode (M=1) and capabilities.MSI_MRIF is 0");
	if (riommu_bits(dw[0], 6, 3) || riommu_bits(dw[0], 62, 54) || riommu_bits(dw[1], 59, 54) ||
	    riommu_bits(dw[1], 63, 61))
		return misconfigured(k, "the MSI entry (M=1) has reserved bits set");
	out->msi = RIOMMU_MSI_MRIF;
	out->mrif_address = riommu_mrif_address(dw[0]);
	out->notice_id = (uint32_t)(riommu_bits(dw[1], 60, 60) << 10 | riommu_bits(dw[1], 9, 0));
	out->pa = riommu_ppn_upper(dw[1]) | (gpa & RIOMMU_PAGE_MASK);
	return RIOMMU_OK;
}

enum riommu_result walk_msi_entry(struct walk *k, const uint64_t dw[2], uint64_t gpa,
				  struct riommu_translation *out)
{
	if (!riommu_bit(dw[0], 0))
		return walk_fault(k, RIOMMU_CAUSE_MSI_PTE_NOT_VALID,
				  "the MSI entry is not valid (V=0)");
	/* What C=1 means is the implementation's; to us it is an entry that we cannot read. */
	if (riommu_bit(dw[0], 63))
		return misconfigured(k, "the MSI entry has C=1, a custom format");
	switch (riommu_bits(dw[0], 2, 1)) {
	case 3:
		return msi_flat(k, dw, gpa, out);
	case 1:
		return msi_mrif(k, dw, gpa, out);
	default:
		return misconfigured(k, "the MSI entry has a reserved M (0 or 2)");
	}
}

enum riommu_result walk_msi(struct walk *k, uint64_t gpa, struct walk_leaf *leaf,
			    struct riommu_translation *out)
{
	struct walk_entry e = {RIOMMU_S_MSI_PTE, 0, 16, k->be, false, 0, 0};
	uint64_t gpn = gpa >> RIOMMU_PAGE_SHIFT;
	uint64_t file, dw[2];
	enum riommu_result r;
	int err;

	if ((gpn ^ k->dc.dw[RIOMMU_DC_MSI_ADDR_PATTERN]) & walk_msi_compared(k))
		return RIOMMU_OK;
	file = riommu_extract(gpn, walk_msi_mask(k));
	/* OR, not add: a table that is not aligned to its size aliases (AIA) */
	e.address = riommu_ppn_lower(k->dc.dw[RIOMMU_DC_MSIPTP]) | (file * 16);
	e.guest = e.address;
	err = walk_load(k, &e, dw);
	if (err == -EFAULT)
		return walk_fault(k, RIOMMU_CAUSE_MSI_PTE_LOAD_ACCESS_FAULT,
				  "the MSI page table lies where there is no memory");
	if (err == -EHWPOISON)
		return walk_fault(k, RIOMMU_CAUSE_MSI_PT_CORRUPTION,
				  "the MSI page table's memory answers with data corruption");
	if (err)
		return RIOMMU_UNKNOWN;
	r = walk_msi_entry(k, dw, gpa, out);
	if (r != RIOMMU_OK)
		return r;
	/* Permissions are those of a second-stage leaf with R=W=U=1, X=0. */
	if (k->is_exec && k->check_permissions)
		return walk_fault(k, RIOMMU_CAUSE_INSTRUCTION_ACCESS_FAULT,
				  "an interrupt file must not be executed from");
	*leaf = (struct walk_leaf){
		.pa = out->pa,
		.size = RIOMMU_PAGE_SIZE,
		.pte = RIOMMU_PTE_V | RIOMMU_PTE_R | RIOMMU_PTE_W | RIOMMU_PTE_U | RIOMMU_PTE_A |
		       RIOMMU_PTE_D,
	};
	return RIOMMU_OK;
}
