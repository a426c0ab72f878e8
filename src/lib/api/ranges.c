/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public interface: what devices reach, and who reaches memory. */
#include "riscv-iommu.h"

#include "api/api-internal.h"
#include "walk/mappings.h"

#include <inttypes.h>

struct riommu_range {
	const struct riommu_mapping *mapping;
	const struct riommu_space_ref *ref; /* NULL: all devices, or nobody knows whose */
};

struct visit {
	riommu_range_fn fn;
	void *arg;
	struct riommu_ctx *ctx;
	struct riommu_walker walker;
	struct riommu_mapping_totals totals; /* of the address space that was visited last */

	/* of the device that is visited */
	struct riommu_space_ref ref;
	uint64_t entered, max_pages;
};

static int begin(struct visit *v, struct riommu_system *sys, size_t iommu)
{
	v->ctx = sys->ctx;
	v->max_pages = riommu_option_number(v->ctx, "max-pages");
	return api_walker(sys, iommu, &v->walker);
}

static int too_many(const struct visit *v)
{
	return riommu_fail(v->ctx, -EOVERFLOW,
			   "more table pages than max-pages allows (%s); the list is not complete",
			   riommu_option(v->ctx, "max-pages"));
}

static int tell(const struct visit *v, const struct riommu_mapping *mapping,
		const struct riommu_space_ref *ref)
{
	struct riommu_range range = {mapping, ref};

	return v->fn(v->arg, &range);
}

/* -- one device ---------------------------------------------------------------------------------- */

static int on_mappings(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	const struct visit *v = arg;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = tell(v, &ranges[i], &v->ref);
	return err;
}

/* Processes that cannot be looked at, or, where the entry above them is misconfigured, need not. */
static int tell_gap(struct visit *v, const struct riommu_space_visit *gap)
{
	bool malformed = gap->error == -EBADMSG;
	struct riommu_mapping m = {
		.kind = malformed ? RIOMMU_MAPPING_MALFORMED : RIOMMU_MAPPING_UNREADABLE,
		.last = UINT64_MAX,
		.address = gap->address,
		.error = malformed ? 0 : gap->error,
		.reason = malformed ? "reserved bits are set in the process directory entry" : NULL,
	};

	v->ref.kind = RIOMMU_SPACE_PROCESS;
	v->ref.process_id = gap->first_id;
	return tell(v, &m, &v->ref);
}

/* The limit of table pages holds for the device: a guest may own a million processes, with tables that lead back to themselves. */
static int on_space(void *arg, const struct riommu_space_visit *space)
{
	static const struct riommu_mapping_args all = {.last = UINT64_MAX};
	struct visit *v = arg;
	int err;

	if (!space->space)
		return tell_gap(v, space);
	if (v->entered >= v->max_pages)
		return too_many(v);
	v->ref.kind = space->space->kind;
	v->ref.process_id = space->space->pc.process_id;
	err = riommu_visit_mappings(&v->walker, space->space, &all, on_mappings, v, &v->totals);
	v->entered += v->totals.entered;
	return v->totals.truncated && err == -EOVERFLOW ? too_many(v) : err;
}

/* With ddtp Bare there is no context, and no table that limits anything. */
static int tell_everything(struct visit *v)
{
	struct riommu_mapping m = riommu_identity(0, UINT64_MAX);

	v->ref.kind = RIOMMU_SPACE_DEVICE;
	return tell(v, &m, &v->ref);
}

static int no_context(const struct visit *v, const struct riommu_translation *t)
{
	if (t->reason)
		return riommu_fail(v->ctx, t->error, "device 0x%" PRIx32 ": %s", v->ref.device_id,
				   t->reason);
	return riommu_fail(v->ctx, t->error,
			   "device 0x%" PRIx32 ": the entry at 0x%" PRIx64
			   " on the way to its context cannot be read: %s",
			   v->ref.device_id, t->missing,
			   t->error == -ENODATA ? "the source does not hold it"
						: strerror(-t->error));
}

int riommu_visit_device(struct riommu_system *sys, size_t iommu, uint32_t device_id,
			riommu_range_fn visit, void *arg)
{
	struct visit v = {.fn = visit, .arg = arg, .ref = {.device_id = device_id}};
	struct riommu_translation t;
	struct riommu_dc dc;
	int err = begin(&v, sys, iommu);

	if (err)
		return err;
	if (device_id > RIOMMU_DEVICE_ID_MAX)
		return riommu_fail(v.ctx, -EINVAL, "0x%" PRIx32 " is wider than 24 bits",
				   device_id);
	if (riommu_bits(v.walker.ddtp, 3, 0) == RIOMMU_DDTP_BARE)
		return tell_everything(&v);
	switch (riommu_locate_dc(&v.walker, device_id, &dc, &t, NULL)) {
	case RIOMMU_OK:
		return riommu_visit_spaces(&v.walker, &dc, on_space, &v);
	case RIOMMU_UNKNOWN:
		return no_context(&v, &t);
	default:
		return 0; /* its requests fault: it reaches nothing */
	}
}

/* -- all devices --------------------------------------------------------------------------------- */

static int on_reached(void *arg, const struct riommu_reached *r)
{
	const struct visit *v = arg;
	int err = 0;

	if (!r->ref_count)
		return tell(v, r->mapping, NULL);
	for (size_t i = 0; i < r->ref_count && !err; i++)
		err = tell(v, r->mapping, &r->refs[i]);
	return err;
}

int riommu_visit_who_maps(struct riommu_system *sys, size_t iommu, uint64_t first, uint64_t last,
			  riommu_range_fn visit, void *arg)
{
	struct visit v = {.fn = visit, .arg = arg};
	int err = begin(&v, sys, iommu);

	if (err)
		return err;
	if (first > last)
		return riommu_fail(v.ctx, -EINVAL,
				   "the range 0x%" PRIx64 "-0x%" PRIx64 " ends before it starts",
				   first, last);
	err = riommu_visit_reached(&v.walker, first, last, on_reached, &v, &v.totals);
	if (err == -EOVERFLOW && v.totals.truncated)
		return too_many(&v);
	return err;
}

/* -- a range ------------------------------------------------------------------------------------- */

enum riommu_range_kind riommu_range_kind(const struct riommu_range *range)
{
	switch (range->mapping->kind) {
	case RIOMMU_MAPPING_LEAVES:
		return RIOMMU_RANGE_LEAVES;
	case RIOMMU_MAPPING_IDENTITY:
		return RIOMMU_RANGE_IDENTITY;
	case RIOMMU_MAPPING_MSI_FLAT:
	case RIOMMU_MAPPING_MSI_MRIF:
		return RIOMMU_RANGE_MSI;
	case RIOMMU_MAPPING_GUEST_ONLY:
	case RIOMMU_MAPPING_MALFORMED:
		return RIOMMU_RANGE_FAULTS;
	default:
		return RIOMMU_RANGE_UNREADABLE;
	}
}

bool riommu_range_device(const struct riommu_range *range, uint32_t *device_id)
{
	if (range->ref)
		*device_id = range->ref->device_id;
	return range->ref;
}

bool riommu_range_process(const struct riommu_range *range, uint32_t *process_id)
{
	if (!range->ref || range->ref->kind != RIOMMU_SPACE_PROCESS)
		return false;
	*process_id = range->ref->process_id;
	return true;
}

bool riommu_range_translated(const struct riommu_range *range)
{
	return range->ref && range->ref->kind == RIOMMU_SPACE_TRANSLATED;
}

uint64_t riommu_range_iova(const struct riommu_range *range)
{
	return range->mapping->iova;
}

uint64_t riommu_range_last(const struct riommu_range *range)
{
	return range->mapping->last;
}

uint64_t riommu_range_pa(const struct riommu_range *range)
{
	return range->mapping->pa;
}

uint64_t riommu_range_gpa(const struct riommu_range *range)
{
	return range->mapping->gpa;
}

unsigned riommu_range_permissions(const struct riommu_range *range)
{
	return range->mapping->permissions;
}

unsigned riommu_range_blocked(const struct riommu_range *range)
{
	return range->mapping->blocked;
}

enum riommu_memory_type riommu_range_memory_type(const struct riommu_range *range)
{
	return (enum riommu_memory_type)range->mapping->memory_type;
}

uint64_t riommu_range_leaf_sizes(const struct riommu_range *range)
{
	return range->mapping->leaf_sizes;
}

int riommu_range_error(const struct riommu_range *range)
{
	return range->mapping->error;
}

const char *riommu_range_reason(const struct riommu_range *range)
{
	return range->mapping->reason ? range->mapping->reason : "";
}

uint64_t riommu_range_address(const struct riommu_range *range)
{
	return range->mapping->address;
}
