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

/* Ids that could not be looked at, and why. */
struct compare_gap {
	uint32_t first_id, last_id;
	uint64_t address;
	int error;
};

/* Adds a gap; neighbours are one. */
int compare_add_gap(struct compare_list *gaps, const struct compare_gap *gap);

/* One of two lists that are gone through side by side: contexts of a directory, or the address spaces of a device. */
struct compare_side {
	void *list; /* struct riommu_directory or riommu_spaces; NULL: there is none */

	/* Asks LIST for what comes next: 1, 0 behind the last one, or -ENOMEM. An element, and where it stands; or a gap. */
	int (*next)(struct compare_side *s);
	union {
		struct riommu_context_visit context;
		struct riommu_space_visit space;
	} v;
	uint64_t order, id;     /* ascending; the id that a gap of the other side may hold */
	struct compare_gap gap; /* its error is 0: an element */

	struct compare_list *gaps;
	bool collects; /* GAPS gets those that come; else all of them are known */
	bool more;     /* there is an element */
};

/*
 * Goes through both: PAIR gets the sides that have the next element, NULL where one has it not. What a gap of one side may hold is
 * passed over. A non-zero return ends it, and is returned.
 */
int compare_side_by_side(struct compare_side side[2],
			 int (*pair)(void *arg, const struct compare_side *const in[2]), void *arg);

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

#endif
