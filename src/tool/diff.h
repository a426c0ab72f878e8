/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump diff: what its files share. */
#ifndef DIFF_H
#define DIFF_H

#include "dump.h"
#include "capture/compare.h"

struct diff {
	struct dump *d;
	struct riommu_system *sys[2];
	const char *path[2];
	struct riommu_iommu_pair *pairs;
	size_t pair_count;
	bool any; /* something was printed */

	const struct riommu_iommu_pair *pair; /* at work; NULL: the machine */
	const char *section;                  /* printed with the first line of it; NULL: it was */
	char title[320];
};

/* What follows is about WHAT of the pair at work (NULL: of the machine): text has a heading for it when there is a line. */
void diff_section(struct diff *x, const char *what);

/* The heading that is due, if any; diff_line() gives it by itself. */
void diff_heading(struct diff *x);

/* A line of text: MARK is '-' (old), '+' (new), '~' (moves by itself) or ' '. */
void diff_line(struct diff *x, char mark, const char *fmt, ...) RIOMMU_PRINTF(3, 4);

/* Something differs, so that the exit status is 7. */
void diff_finding(struct diff *x);

/* "added", "removed", "changed". */
const char *diff_word(bool has_old, bool has_new);

/* {"change": ...}, to which its keys are added; and then the ends: OLD and NEW, NULL where it is not. */
struct json_object *diff_json(bool has_old, bool has_new);
void diff_item(struct diff *x, struct json_object *obj, struct json_object *old,
	       struct json_object *new);

/* The helpers of other commands are about d->sys: makes it that of SIDE; gives the index of the IOMMU at work. */
size_t diff_side(struct diff *x, enum riommu_side side);

/* The name, in the new system or else the old one, of the IOMMU at work, and of a device. */
const char *diff_iommu(const struct diff *x);
const char *diff_device(struct diff *x, uint32_t device_id, char *buf, size_t size);

void diff_contexts(struct diff *x, const struct riommu_comparison *c);
void diff_mappings(struct diff *x, const struct riommu_comparison *c);

#endif
