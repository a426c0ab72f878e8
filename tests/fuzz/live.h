/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine below the directory of fuzz_path(): /sys with some devices, /proc, and no way to memory. */
#ifndef FUZZ_LIVE_H
#define FUZZ_LIVE_H

#include "fuzz.h"

/* Makes what stays the same; once. */
void live_begin(void);

/* Opens it as this machine, looks at what was found, and closes it. */
void live_look(struct riommu_ctx *ctx);

#endif
