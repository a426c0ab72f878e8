/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump mappings: what a device reaches. */
#include "config.h"

#include "dump.h"

void dump_mappings(struct dump *d, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	out_error(&d->out, -ENOSYS, "mappings: not built yet");
}
