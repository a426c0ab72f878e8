/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sources as each other sees them: their tables of functions, one file each. */
#ifndef RIOMMU_SOURCE_INTERNAL_H
#define RIOMMU_SOURCE_INTERNAL_H

#include "source/source.h"

extern const struct riommu_source_ops riommu_core_ops;
extern const struct riommu_source_ops riommu_debugfs_ops;
extern const struct riommu_source_ops riommu_devmem_ops;
extern const struct riommu_source_ops riommu_kcore_ops;
extern const struct riommu_source_ops riommu_overlay_ops;

/* A source without its open() called: slots and path. NULL when memory is short. */
struct riommu_source *riommu_source_alloc(struct riommu_ctx *ctx,
					  const struct riommu_source_ops *ops, const char *path);

/* What open() of a live file gave, as the class of error that it stands for, with words. Returns -errno. */
int riommu_source_open_failed(struct riommu_ctx *ctx, const char *path, int err);

#endif
