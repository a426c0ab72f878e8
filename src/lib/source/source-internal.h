/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sources as each other sees them: their tables of functions, one file each. */
#ifndef RIOMMU_SOURCE_INTERNAL_H
#define RIOMMU_SOURCE_INTERNAL_H

#include "source/source.h"

extern const struct riommu_source_ops riommu_core_ops;
extern const struct riommu_source_ops riommu_debugfs_ops;
extern const struct riommu_source_ops riommu_devmem_ops;
extern const struct riommu_source_ops riommu_kcore_ops;
extern const struct riommu_source_ops riommu_kdumpfile_ops;
extern const struct riommu_source_ops riommu_overlay_ops;
extern const struct riommu_source_ops riommu_raw_ops;

/* A source without its open() called: slots and path. NULL when memory is short. */
struct riommu_source *riommu_source_alloc(struct riommu_ctx *ctx,
					  const struct riommu_source_ops *ops, const char *path);

/* What open() of a live file gave, as the class of error that it stands for, with words. Returns -errno. */
int riommu_source_open_failed(struct riommu_ctx *ctx, const char *path, int err);

/* -- input.c ------------------------------------------------------------------------------------------------- */

/* Opens the file PATH to read it; what is not a regular file with something in it is an error. *FD is the caller's. */
int riommu_source_open_file(struct riommu_source *src, const char *path, int *fd, uint64_t *size);

/* Reads LEN bytes at OFFSET of FD, which is SRC's; a file that ends before is -EBADMSG. */
int riommu_source_pread(struct riommu_source *src, int fd, uint64_t offset, void *buf, size_t len);

/* The same, mapped as a whole; the caller unmaps. */
int riommu_source_map_file(struct riommu_source *src, const char *path, const uint8_t **bytes,
			   uint64_t *size);

/* The words for a file that begins with HEAD, which no source recognizes. Returns -ENOTSUP for one that is known, else -EBADMSG. */
int riommu_source_unknown_format(struct riommu_ctx *ctx, const char *path, const uint8_t *head,
				 size_t len);

#endif
