/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base: a set of pairs of numbers, for "was here before" over hostile graphs. Zeroed memory is an empty one. */
#ifndef RIOMMU_BASE_SET_H
#define RIOMMU_BASE_SET_H

#include <stddef.h>
#include <stdint.h>

struct base_set_item {
	uint64_t a, b;
};

struct base_set {
	struct base_set_item *slots; /* open addressing, at most half full; a is 0 in a free one */
	size_t size, used;
};

/* 1 if (A, B) is new and now in, 0 if it was in, -EOVERFLOW if it is new and the set already has MAX, -ENOMEM. A is not 0. */
int base_set_add(struct base_set *set, uint64_t a, uint64_t b, uint64_t max);

void base_set_free(struct base_set *set);

#endif
