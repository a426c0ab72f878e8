/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mappings: address spaces as ranges. */
#include "mappings-cases.h"
#include "runner.h"

static int keep(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	struct listing *l = arg;

	ck_assert_uint_ne(count, 0);
	for (size_t i = 0; i < count; i++) {
		if (l->count == RIOMMU_ARRAY_SIZE(l->v))
			return -ENOSPC;
		l->v[l->count++] = ranges[i];
	}
	return 0;
}

int list(struct listing *l, const struct riommu_space *space,
	 const struct riommu_mapping_args *args)
{
	l->count = 0;
	return riommu_visit_mappings(&m.w, space, args, keep, l, &l->totals);
}

struct riommu_space device_space(void)
{
	struct riommu_space space = {.kind = RIOMMU_SPACE_DEVICE};

	memcpy(space.dc.dw, m.dw, sizeof(m.dw));
	space.dc.device_id = DEVICE;
	space.dc.dwords = RIOMMU_DC_DWORDS;
	return space;
}

int main(void)
{
	Suite *suite = suite_create("mappings");

	suite_add_tcase(suite, list_case());
	suite_add_tcase(suite, hostile_case());
	suite_add_tcase(suite, reached_case());
	suite_add_tcase(suite, agree_case());
	return run_suite(suite);
}
