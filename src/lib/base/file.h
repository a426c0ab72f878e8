/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base: a file that appears under its name only when it is complete. It is written under a temporary name in the same
 * directory, synced and renamed; what was there before stays until then, and after an error nothing is left behind.
 */
#ifndef RIOMMU_BASE_FILE_H
#define RIOMMU_BASE_FILE_H

#include "base/base.h"

struct riommu_file {
	struct riommu_ctx *ctx;
	const char *path; /* as it will be called; the caller's, good until riommu_file_end() */
	char *temporary;  /* NULL: there is none (any more) */
	int fd;
	int directory; /* that it is in; -errno: it could not be opened, so it cannot be synced */
};

/*
 * Begins PATH, with mode 0600. A PATH that exists must be a regular file: renaming over a device, a directory or a symbolic
 * link would replace that, not fill it (-EINVAL). Every error names PATH. Call riommu_file_end() in the end, also after an error.
 * Nothing is opened after this.
 */
int riommu_file_begin(struct riommu_file *f, struct riommu_ctx *ctx, const char *path);

/* Writes LEN bytes where the file ends, or at OFFSET. */
int riommu_file_write(struct riommu_file *f, const void *bytes, size_t len);
int riommu_file_write_at(struct riommu_file *f, uint64_t offset, const void *bytes, size_t len);

/* Gives the file its name, and mode MODE. */
int riommu_file_commit(struct riommu_file *f, unsigned mode);

/* Whatever is left of it: a temporary file only where it was not committed. */
void riommu_file_end(struct riommu_file *f);

/* All of it at once: LEN bytes become the file PATH. */
int riommu_write_file(struct riommu_ctx *ctx, const char *path, const void *bytes, size_t len,
		      unsigned mode);

#endif
