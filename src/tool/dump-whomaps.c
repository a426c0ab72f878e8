/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump whomaps: who reaches a page. */
#include "config.h"

#include "dump.h"

void dump_whomaps(struct dump *d, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	out_error(&d->out, -ENOSYS, "whomaps: not built yet");
}
