/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump diff: what changed between two captures. */
#include "config.h"

#include "dump.h"

void dump_diff(struct dump *d, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	out_error(&d->out, -ENOSYS, "diff: not built yet");
}
