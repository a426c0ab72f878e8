/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agree.h"

/* True if the requests of the space go through a first stage. */
static bool has_first_stage(const struct riommu_space *s)
{
	if (s->kind == RIOMMU_SPACE_TRANSLATED)
		return false;
	return (s->has_pc ? s->pc.fsc : s->dc.dw[RIOMMU_DC_FSC]) >> 60;
}

bool range_passes(const struct riommu_space *space, const struct riommu_mapping *range,
		  const struct riommu_request *q)
{
	static const uint8_t wants[] = {RIOMMU_PERM_R, RIOMMU_PERM_W, RIOMMU_PERM_X};
	enum riommu_access access = q->access;
	bool exec = access == RIOMMU_EXEC;

	if (!range || range->kind == RIOMMU_MAPPING_MALFORMED ||
	    range->kind == RIOMMU_MAPPING_GUEST_ONLY || range->kind == RIOMMU_MAPPING_UNREADABLE)
		return false;
	/* translated requests count as reads */
	if (exec && q->type == RIOMMU_TRANSLATED)
		access = RIOMMU_READ;
	if (!(range->permissions & wants[access]) || (range->blocked & RIOMMU_BLOCKED_A))
		return false;
	if (access == RIOMMU_WRITE && (range->blocked & RIOMMU_BLOCKED_D))
		return false;
	if (!q->privileged || !has_first_stage(space))
		return !(range->blocked & RIOMMU_BLOCKED_U);
	return (range->blocked & RIOMMU_BLOCKED_U) || (!exec && (space->pc.ta & RIOMMU_PC_SUM));
}

/* A leaf that MSI windows lie in translates as smaller ones. */
static bool same_page_size(const struct riommu_space *space, const struct riommu_mapping *r,
			   const struct riommu_translation *t)
{
	return (r->leaf_sizes & t->page_size) || r->leaf_sizes == t->page_size ||
	       (space->dc.dw[RIOMMU_DC_MSIPTP] && t->page_size < r->leaf_sizes);
}

static const char *wrong_target(const struct riommu_space *space, const struct riommu_mapping *r,
				const struct riommu_request *q, const struct riommu_translation *t)
{
	static const enum riommu_msi msi[] = {[RIOMMU_MAPPING_MSI_FLAT] = RIOMMU_MSI_FLAT,
					      [RIOMMU_MAPPING_MSI_MRIF] = RIOMMU_MSI_MRIF};

	if (t->msi != (r->kind == RIOMMU_MAPPING_IDENTITY ? RIOMMU_MSI_NONE : msi[r->kind]))
		return "an MSI page only by one of them";
	if (r->kind == RIOMMU_MAPPING_MSI_MRIF &&
	    (t->mrif_address != r->pa || t->notice_id != r->notice_id))
		return "another MRIF";
	if (r->kind != RIOMMU_MAPPING_MSI_MRIF && t->pa != r->pa + (q->iova - r->iova))
		return "another physical address";
	if (t->memory_type != r->memory_type)
		return "another memory type";
	if (t->has_permissions && t->permissions != r->permissions)
		return "other permissions";
	return same_page_size(space, r, t) ? NULL : "another page size";
}

const char *disagreement(const struct riommu_space *space, const struct riommu_mapping *range,
			 const struct riommu_request *q, const struct riommu_translation *t)
{
	if (range_passes(space, range, q))
		return t->result == RIOMMU_OK ? wrong_target(space, range, q, t)
					      : "listed, but it does not pass";
	if (t->result == RIOMMU_OK)
		return "it passes, but is not listed";
	if (t->result == RIOMMU_UNKNOWN &&
	    !(range && range->kind == RIOMMU_MAPPING_UNREADABLE && range->error == t->error))
		return "not known, but not listed as unreadable";
	return NULL;
}
