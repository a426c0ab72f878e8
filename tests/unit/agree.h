/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether what `mappings` lists is what a translation gives, for one request. */
#ifndef TEST_AGREE_H
#define TEST_AGREE_H

#include "walk/mappings.h"

/*
 * NULL when T, the outcome of Q, is what RANGE says of Q->iova: RANGE is what was listed there for SPACE, whose requests Q is one
 * of, NULL for nothing. Else what is wrong.
 */
const char *disagreement(const struct riommu_space *space, const struct riommu_mapping *range,
			 const struct riommu_request *q, const struct riommu_translation *t);

/* True if RANGE, which may be NULL, lets Q pass. */
bool range_passes(const struct riommu_space *space, const struct riommu_mapping *range,
		  const struct riommu_request *q);

#endif
