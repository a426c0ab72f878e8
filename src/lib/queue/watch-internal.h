/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue: what the files of the watch share. */
#ifndef RIOMMU_QUEUE_WATCH_INTERNAL_H
#define RIOMMU_QUEUE_WATCH_INTERNAL_H

#include "queue/watch.h"

/*
 * How many interrupts of the fault queue of IOMMU the kernel has counted (/proc/interrupts). Linux gives all its vectors the
 * name of the device; icvec.fiv says which of them it is, and where that does not fit, all are counted. -ENODATA when none
 * has that name. *FD: see riommu_read_again().
 */
int queue_interrupts(const struct riommu_system *sys, size_t iommu, int *fd, uint64_t *count);

#endif
