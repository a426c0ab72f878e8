/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* capture: write what was read into a file that another machine can read again (design 3.1). */
#ifndef RIOMMU_CAPTURE_H
#define RIOMMU_CAPTURE_H

#include "base/file.h"
#include "discover/discover.h"

struct riommu_capture_report {
	uint64_t pages;   /* written */
	uint64_t missing; /* wanted, but not to be read */
	bool truncated;   /* -O max-pages= was hit */
};

/*
 * Called now and then: while pages are looked for (WRITTEN is 0), then while they are written. False ends it there, with -EINTR.
 */
typedef bool (*riommu_capture_progress_fn)(void *arg, uint64_t found, uint64_t written);

/*
 * Saves registers, the pages that walks reach, queues and notes to PATH: written under a temporary name in the same
 * directory, mode 0600, fsynced, renamed; on error nothing is left behind. GUEST_TABLES follows first-stage tables
 * through a second stage. PROGRESS may be NULL. -errno of the file; -ENODATA when there is neither a register nor a page to save.
 */
int riommu_capture_save(struct riommu_system *sys, const char *path, bool guest_tables,
			const char *tool_version, riommu_capture_progress_fn progress, void *arg,
			struct riommu_capture_report *report);

/* The same into OUT, which was begun, and is committed where all went well; the caller ends it. */
int riommu_capture_write(struct riommu_system *sys, struct riommu_file *out, bool guest_tables,
			 const char *tool_version, riommu_capture_progress_fn progress, void *arg,
			 struct riommu_capture_report *report);

#endif
