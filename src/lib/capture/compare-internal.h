/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the comparison share. */
#ifndef RIOMMU_COMPARE_INTERNAL_H
#define RIOMMU_COMPARE_INTERNAL_H

#include "capture/compare.h"

/* COUNT elements in ascending order. */
struct compare_list {
	void *v;
	size_t count, size; /* used, and room */
};

/* Appends the LEN bytes of an element. -ENOMEM. */
int compare_add(struct compare_list *list, const void *element, size_t len);

/*
 * Goes through two lists of elements of LEN bytes side by side: PAIR gets one of each that ORDER says are the same, or one and
 * NULL. A non-zero return ends it, and is returned.
 */
int compare_merge(const struct compare_list lists[2], size_t len,
		  int (*order)(const void *a, const void *b),
		  int (*pair)(void *arg, const void *const element[2]), void *arg);

int compare_numbers(uint64_t a, uint64_t b);

struct compare_gap {
	uint32_t first_id, last_id;
	uint64_t address;
	int error;
};

struct riommu_comparison {
	struct riommu_walker walker[2];
	struct compare_list gaps[2]; /* of the device directories: struct compare_gap */
};

/*
 * Goes through both device directories side by side: PAIR gets the contexts of a device, NULL where it has none. What a gap of one side
 * may hold is passed over. A non-zero return ends it, and is returned.
 */
int compare_devices(const struct riommu_comparison *c,
		    int (*pair)(void *arg, const struct riommu_dc *const dc[2]), void *arg);

/* True if the words of two contexts are the same. */
bool compare_same_dc(const struct riommu_dc *a, const struct riommu_dc *b);

/* Adds ids that could not be looked at; neighbours are one gap. */
int compare_add_gap(struct compare_list *gaps, uint32_t first_id, uint32_t last_id,
		    uint64_t address, int error);

/* True if ID lies in one of the gaps of a list. */
bool compare_in_gap(const struct compare_list *gaps, uint32_t id);

#endif
