/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public interface: requests to one IOMMU. */
#include "riscv-iommu.h"

#include "api/api-internal.h"

#include <stdlib.h>

struct riommu_translator {
	struct riommu_walker walker;
	struct riommu_translation last;
};

int riommu_translator_new(struct riommu_system *sys, size_t iommu,
			  struct riommu_translator **translator)
{
	struct riommu_translator *t;
	int err;

	*translator = NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	err = api_walker(sys, iommu, &t->walker);
	if (err) {
		free(t);
		return err;
	}
	*translator = t;
	return 0;
}

void riommu_translator_free(struct riommu_translator *t)
{
	free(t);
}

/* The walk believes its caller; what comes from another program may be anything. */
static bool is_possible(const struct riommu_request *q)
{
	return q->device_id <= RIOMMU_DEVICE_ID_MAX &&
	       (!q->has_process_id || q->process_id <= RIOMMU_PROCESS_ID_MAX) &&
	       (unsigned)q->access <= RIOMMU_EXEC && (unsigned)q->type <= RIOMMU_ATS;
}

enum riommu_result riommu_translator_run(struct riommu_translator *t,
					 const struct riommu_request *request)
{
	if (is_possible(request))
		riommu_translate(&t->walker, request, &t->last, NULL);
	else
		t->last = (struct riommu_translation){
			.result = RIOMMU_UNKNOWN,
			.error = -EINVAL,
			.reason = "no request is like that: device_id has 24 bits, process_id 20",
		};
	return t->last.result;
}

uint64_t riommu_translator_pa(const struct riommu_translator *t)
{
	return t->last.pa;
}

uint64_t riommu_translator_page_size(const struct riommu_translator *t)
{
	return t->last.page_size;
}

int riommu_translator_permissions(const struct riommu_translator *t)
{
	return t->last.has_permissions ? t->last.permissions : -1;
}

enum riommu_memory_type riommu_translator_memory_type(const struct riommu_translator *t)
{
	return t->last.memory_type;
}

unsigned riommu_translator_cause(const struct riommu_translator *t)
{
	return t->last.cause;
}

uint64_t riommu_translator_iotval(const struct riommu_translator *t)
{
	return t->last.iotval;
}

uint64_t riommu_translator_iotval2(const struct riommu_translator *t)
{
	return t->last.iotval2;
}

const char *riommu_translator_reason(const struct riommu_translator *t)
{
	if (t->last.reason)
		return t->last.reason;
	return t->last.result == RIOMMU_UNKNOWN ? "the source does not hold an entry" : "";
}

uint64_t riommu_translator_missing(const struct riommu_translator *t)
{
	return t->last.missing;
}

int riommu_translator_error(const struct riommu_translator *t)
{
	return t->last.error;
}
