/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device directory and process directory (specification, 3.3.1 and 3.3.2 "Process to locate the Device/Process-context"). */
#include "walk/walk-internal.h"

static enum riommu_result ddt_fault(struct walk *k, int err)
{
	if (err == -EFAULT)
		return walk_fault(k, RIOMMU_CAUSE_DDT_LOAD_ACCESS_FAULT,
				  "the device directory lies where there is no memory");
	if (err == -EHWPOISON)
		return walk_fault(k, RIOMMU_CAUSE_DDT_CORRUPTION,
				  "the device directory's memory answers with data corruption");
	return RIOMMU_UNKNOWN;
}

/* A non-leaf entry of either directory: V, then bits 9:1 and 63:54. */
#define NON_LEAF_RESERVED (riommu_mask(63, 54) | riommu_mask(9, 1))

WALK_RARE int load_ddte(struct walk *k, unsigned level, uint64_t at, uint64_t *ddte)
{
	struct walk_entry e = {RIOMMU_S_DDTE, (uint8_t)level, 8, k->be, false, at, at};

	return walk_load(k, &e, ddte);
}

/* From *TABLE to the table that the entry AT points to. */
WALK_INLINE enum riommu_result non_leaf_ddte(struct walk *k, unsigned level, uint64_t at,
					     uint64_t *table)
{
	uint64_t ddte;

	if (!walk_value_at_hand(k, at, k->be, 8, &ddte)) {
		int err = load_ddte(k, level, at, &ddte);

		if (err)
			return ddt_fault(k, err);
	}
	if (!riommu_bit(ddte, 0))
		return walk_fault(
			k, RIOMMU_CAUSE_DDT_NOT_VALID,
			"the directory entry is not valid (V=0): no context for these device ids");
	if (ddte & NON_LEAF_RESERVED)
		return walk_fault(k, RIOMMU_CAUSE_DDT_MISCONFIGURED,
				  "the directory entry has reserved bits set");
	*table = riommu_ppn_upper(ddte);
	return RIOMMU_OK;
}

WALK_RARE int load_whole_dc(struct walk *k, uint64_t at, bool extended)
{
	struct walk_entry e = {RIOMMU_S_DC, 0, extended ? 64 : 32, k->be, false, at, at};

	return walk_load(k, &e, k->dc.dw);
}

WALK_INLINE int load_dc(struct walk *k, uint64_t at, bool extended)
{
	const uint8_t *data;

	if (!walk_at_hand(k, at, k->be, &data))
		return load_whole_dc(k, at, extended);
	for (unsigned i = 0; i < 4; i++)
		k->dc.dw[i] = riommu_get64(data + 8 * (size_t)i, false);
	for (unsigned i = 4; extended && i < RIOMMU_DC_DWORDS; i++)
		k->dc.dw[i] = riommu_get64(data + 8 * (size_t)i, false);
	return 0;
}

/* EXTENDED: the format of contexts, a constant where this is called. */
WALK_INLINE enum riommu_result through_directory(struct walk *k, uint32_t device_id, bool extended)
{
	unsigned bits0 = extended ? 6 : 7; /* of the leaf page's index; the next level takes 9 */
	unsigned levels = (unsigned)riommu_bits(k->w->ddtp, 3, 0) - RIOMMU_DDTP_1LVL + 1;
	uint64_t table = riommu_ppn_upper(k->w->ddtp);
	int err;

	if (levels < 3 && device_id >> (bits0 + 9 * (levels - 1)))
		return walk_fault(k, RIOMMU_CAUSE_TYPE_DISALLOWED,
				  "the device_id is wider than the directory has levels for");
	for (unsigned level = levels - 1; level > 0; level--) {
		unsigned shift = bits0 + 9 * (level - 1);
		uint64_t at = table + ((device_id >> shift) & 0x1ff) * 8;
		enum riommu_result r = non_leaf_ddte(k, level, at, &table);

		if (r != RIOMMU_OK)
			return r;
	}
	k->dc.device_id = device_id;
	k->dc.dwords = extended ? 8 : 4;
	k->dc.address = table + (device_id & ((1u << bits0) - 1)) * (extended ? 64 : 32);
	err = load_dc(k, k->dc.address, extended);
	return err ? ddt_fault(k, err) : RIOMMU_OK;
}

enum riommu_result walk_directory(struct walk *k, uint32_t device_id, bool *valid)
{
	enum riommu_result r = k->w->capabilities & RIOMMU_CAP_MSI_FLAT
				       ? through_directory(k, device_id, true)
				       : through_directory(k, device_id, false);

	*valid = r == RIOMMU_OK && (k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_V);
	return r;
}

/* -- process directory: its pages are guest physical where there is a second stage --------------------------- */

static enum riommu_result pdt_fault(struct walk *k, enum stage_end end)
{
	if (end == STAGE_ACCESS_FAULT)
		return walk_fault(k, RIOMMU_CAUSE_PDT_LOAD_ACCESS_FAULT,
				  "the process directory lies where there is no memory");
	if (end == STAGE_CORRUPTION)
		return walk_fault(k, RIOMMU_CAUSE_PDT_CORRUPTION,
				  "the process directory's memory answers with data corruption");
	return RIOMMU_UNKNOWN;
}

static enum riommu_result pdt_load(struct walk *k, struct walk_entry *e, uint64_t *value)
{
	struct walk_leaf leaf;
	enum stage_end end = walk_second_stage(k, e->guest, USE_PDT, &leaf);
	int err;

	if (end == STAGE_PAGE_FAULT)
		return walk_guest_page_fault(k, (e->guest & ~(uint64_t)3) | 1, k->reason);
	if (end != STAGE_OK)
		return pdt_fault(k, end);
	e->address = leaf.pa;
	err = walk_load(k, e, value);
	if (!err)
		return RIOMMU_OK;
	return pdt_fault(k, err == -EFAULT      ? STAGE_ACCESS_FAULT
			    : err == -EHWPOISON ? STAGE_CORRUPTION
						: STAGE_UNKNOWN);
}

enum riommu_result walk_process_directory(struct walk *k, uint32_t process_id, struct riommu_pc *pc)
{
	uint64_t fsc = k->dc.dw[RIOMMU_DC_FSC];
	unsigned levels = walk_mode(fsc); /* PD8 1, PD17 2, PD20 3 */
	uint64_t table = riommu_ppn_lower(fsc);
	struct walk_entry e = {RIOMMU_S_PDTE, 0, 8, k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_SBE,
			       false,         0, 0};
	uint64_t dw[2];
	enum riommu_result r;

	for (unsigned level = levels - 1; level > 0; level--) {
		e.level = (uint8_t)level;
		e.guest = table + ((process_id >> (level == 1 ? 8 : 17)) & 0x1ff) * 8;
		r = pdt_load(k, &e, dw);
		if (r != RIOMMU_OK)
			return r;
		if (!riommu_bit(dw[0], 0))
			return walk_fault(k, RIOMMU_CAUSE_PDT_NOT_VALID,
					  "the process directory entry is not valid (V=0)");
		if (dw[0] & NON_LEAF_RESERVED)
			return walk_fault(k, RIOMMU_CAUSE_PDT_MISCONFIGURED,
					  "the process directory entry has reserved bits set");
		table = riommu_ppn_upper(dw[0]);
	}
	e.structure = RIOMMU_S_PC;
	e.level = 0;
	e.size = 16;
	e.guest = table + (process_id & 0xff) * 16;
	r = pdt_load(k, &e, dw);
	if (r != RIOMMU_OK)
		return r;
	*pc = (struct riommu_pc){process_id, e.address, dw[0], dw[1]};
	if (!(pc->ta & RIOMMU_PC_V))
		return walk_fault(k, RIOMMU_CAUSE_PDT_NOT_VALID,
				  "the process context is not valid (V=0)");
	k->reason = riommu_pc_misconfigured(k->w, &k->dc, pc);
	if (k->reason)
		return walk_fault(k, RIOMMU_CAUSE_PDT_MISCONFIGURED, k->reason);
	return RIOMMU_OK;
}
