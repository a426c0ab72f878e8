/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* discover: paths below a parameter, and names of PCI functions; for all rooms that look into /proc and /sys. */
#ifndef RIOMMU_DISCOVER_PATHS_H
#define RIOMMU_DISCOVER_PATHS_H

#include "base/base.h"

#define RIOMMU_PATH_MAX (RIOMMU_OPTION_PATH_MAX + 324)

/*
 * The parameter KEY and what follows it, as one path. There is room for any parameter and any name that a directory may hold
 * (NAME_MAX); a longer one, which is no name of a file, is cut, and names none then either.
 */
void riommu_path(const struct riommu_ctx *ctx, char path[RIOMMU_PATH_MAX], const char *key,
		 const char *fmt, ...) RIOMMU_PRINTF(4, 5);

/*
 * The file or directory PATH could not be read (ERR), and what it would have told is left out: 0. Where it is not there or refused
 * nothing is said; of anything else a warning tells, lest a machine with a failing disk looks like one without an IOMMU. -ENOMEM
 * is what it was.
 */
int riommu_left_out(struct riommu_ctx *ctx, const char *path, int err);

/* "0000:00:02.0": segment and bus, device, function as a requester ID. */
bool riommu_parse_pci_name(const char *name, uint32_t *segment, uint16_t *rid);

#endif
