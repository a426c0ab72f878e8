/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MSI page tables (AIA, "MSI page tables"; specification, 2.2.2 msiptp). Devices of a guest share one: it is looked at once. */
#include "check/check-internal.h"

#include <inttypes.h>

struct entries {
	struct check *c;
	const struct riommu_dc *dc;
};

/* Which rule an entry breaks that can only fault. */
static enum check_rule entry_rule(const struct check *c, uint64_t dw0)
{
	unsigned mode = (unsigned)riommu_bits(dw0, 2, 1);

	if (riommu_bit(dw0, 63))
		return CHECK_MSI_CUSTOM;
	if (mode != 1 && mode != 3)
		return CHECK_MSI_MODE;
	if (mode == 1 && !(c->w.capabilities & RIOMMU_CAP_MSI_MRIF))
		return CHECK_MSI_MRIF;
	return CHECK_MSI_RESERVED;
}

static void check_targets(struct check *c, const struct check_object *about,
			  const struct riommu_msi_entry *e)
{
	bool mrif = e->kind == RIOMMU_MSI_ENTRY_MRIF;

	check_judge(c, CHECK_MSI_ADDRESS);
	if (check_past_pas(c, e->pa, 1))
		check_report(c, CHECK_MSI_ADDRESS, about,
			     "interrupt file 0x%" PRIx64 " is at 0x%" PRIx64 ", beyond %u bits",
			     e->index, e->pa, c->pas);
	if (mrif && check_past_pas(c, e->notice_pa, 1))
		check_report(c, CHECK_MSI_ADDRESS, about,
			     "the notice of interrupt file 0x%" PRIx64 " goes to 0x%" PRIx64
			     ", beyond %u bits",
			     e->index, e->notice_pa, c->pas);
}

static void check_unreadable(struct check *c, struct check_object *about,
			     const struct riommu_msi_entry *e)
{
	about->count = e->count;
	if (e->error == -EFAULT)
		check_report(c, CHECK_MSI_ADDRESS, about,
			     "the table has no memory at 0x%" PRIx64
			     ", for interrupt file 0x%" PRIx64,
			     e->address, e->index);
	else if (e->error == -EHWPOISON)
		check_report(c, CHECK_MEMORY_CORRUPT, about,
			     "the MSI page table at 0x%" PRIx64 " is corrupt", e->address);
	else
		check_cannot(c, CHECK_MSI_RESERVED, CHECK_MSI_ADDRESS, e->error,
			     "the MSI page table at 0x%" PRIx64 ": %s", e->address,
			     check_error_words(e->error));
}

static int visit_entry(void *arg, const struct riommu_msi_entry *e)
{
	const struct entries *in = arg;
	struct check *c = in->c;
	struct check_object about = check_device(in->dc);

	about.address = e->address;
	for (unsigned rule = CHECK_MSI_RESERVED; rule <= CHECK_MSI_CUSTOM; rule++)
		check_judge(c, (enum check_rule)rule);
	switch (e->kind) {
	case RIOMMU_MSI_ENTRY_FLAT:
	case RIOMMU_MSI_ENTRY_MRIF:
		check_targets(c, &about, e);
		break;
	case RIOMMU_MSI_ENTRY_MALFORMED:
		check_report(c, entry_rule(c, e->dw[0]), &about,
			     "interrupt file 0x%" PRIx64 ": %s (0x%" PRIx64 ", 0x%" PRIx64 ")",
			     e->index, e->reason, e->dw[0], e->dw[1]);
		break;
	case RIOMMU_MSI_ENTRY_UNREADABLE:
		check_unreadable(c, &about, e);
		break;
	case RIOMMU_MSI_ENTRY_INVALID:
		break;
	}
	return 0;
}

uint64_t check_msi_pages(const struct riommu_dc *dc)
{
	unsigned bits = (unsigned)__builtin_popcountll(dc->dw[RIOMMU_DC_MSI_ADDR_MASK] &
						       riommu_mask(51, 0));

	if (dc->dwords != RIOMMU_DC_DWORDS || dc->dw[RIOMMU_DC_MSIPTP] >> 60 != RIOMMU_MSIPTP_FLAT)
		return 0;
	return bits > 8 ? (uint64_t)1 << (bits - 8) : 1;
}

void check_msi(struct check *c, struct check_msi *msi, const struct riommu_dc *dc)
{
	uint64_t msiptp = dc->dw[RIOMMU_DC_MSIPTP];
	uint64_t mask = dc->dw[RIOMMU_DC_MSI_ADDR_MASK] & riommu_mask(51, 0);
	unsigned bits = (unsigned)__builtin_popcountll(mask);
	struct check_object about = check_device(dc);
	struct entries in = {c, dc};
	uint64_t base = riommu_ppn_lower(msiptp), size = (uint64_t)16 << bits;
	int is_new, err;

	if (!check_msi_pages(dc))
		return;
	is_new = base_set_add(&msi->seen, msiptp, mask, c->max_pages);
	if (is_new == -ENOMEM)
		c->error = is_new;
	else if (is_new < 0)
		check_cannot(c, CHECK_MSI_ALIGNMENT, CHECK_MSI_ADDRESS, is_new,
			     "the MSI page table of device 0x%" PRIx32 ": %s", dc->device_id,
			     check_error_words(is_new));
	if (is_new != 1)
		return;
	check_judge(c, CHECK_MSI_ALIGNMENT);
	if (size > RIOMMU_PAGE_SIZE && (base & (size - 1)))
		check_report(c, CHECK_MSI_ALIGNMENT, &about,
			     "the MSI page table at 0x%" PRIx64 " has 0x%" PRIx64
			     " bytes, and is not aligned to that",
			     base, size);
	/* what one device claims must not cost more than all tables may */
	msi->pages += check_msi_pages(dc);
	err = msi->pages > c->max_pages ? -EOVERFLOW
					: riommu_visit_msi(&c->w, dc, visit_entry, &in);
	if (err)
		check_cannot(c, CHECK_MSI_RESERVED, CHECK_MSI_ADDRESS, err,
			     "the MSI page table of device 0x%" PRIx32 ": %s", dc->device_id,
			     check_error_words(err));
}
