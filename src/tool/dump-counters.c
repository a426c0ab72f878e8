/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump counters: the performance counters. */
#include "config.h"

#include "dump.h"

void dump_counters(struct dump *d, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	out_error(&d->out, -ENOSYS, "counters: not built yet");
}
