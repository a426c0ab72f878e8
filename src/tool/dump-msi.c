/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump msi: the MSI page table. */
#include "config.h"

#include "dump.h"

void dump_msi(struct dump *d, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	out_error(&d->out, -ENOSYS, "msi: not built yet");
}
