/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each function of the public interface begins with. */
#ifndef RIOMMU_API_INTERNAL_H
#define RIOMMU_API_INTERNAL_H

#include "walk/walk.h"

/* 0, or -EINVAL with its words where there is no IOMMU of that number. */
int api_iommu(const struct riommu_system *sys, size_t iommu);

/* A walker for it; else also -ENODATA, naming the register that is not known. */
int api_walker(const struct riommu_system *sys, size_t iommu, struct riommu_walker *walker);

#endif
