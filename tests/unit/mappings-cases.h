/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of unit-mappings, and a listing that they keep. */
#ifndef TEST_MAPPINGS_CASES_H
#define TEST_MAPPINGS_CASES_H

#include "tables.h"
#include "walk/mappings.h"

#include <stdio.h>
#include <stdlib.h>

struct listing {
	struct riommu_mapping v[20000];
	size_t count;
	struct riommu_mapping_totals totals;
};

/* The mappings of SPACE; -ENOSPC when there is no room for more. */
int list(struct listing *l, const struct riommu_space *space,
	 const struct riommu_mapping_args *args);

/* The context of the machine as a space of requests without a process_id. */
struct riommu_space device_space(void);

TCase *agree_case(void);
TCase *list_case(void);
TCase *hostile_case(void);
TCase *reached_case(void);

#endif
