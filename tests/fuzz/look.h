/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done with a system, whatever file it came from: look at all of it, and save it. */
#ifndef FUZZ_LOOK_H
#define FUZZ_LOOK_H

#include "fuzz.h"

/*
 * Contexts, mappings, MSI tables, queues and rules of each IOMMU. Must hold: contexts ascend and are found again one by one; mappings
 * ascend, do not overlap, and are what a translation gives at their edges.
 */
void look_at(struct riommu_system *sys);

/* Saves SYS as a capture, which then says the same, memory included. */
void look_saved(struct riommu_system *sys);

#endif
