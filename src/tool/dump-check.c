/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump check: findings. */
#include "config.h"

#include "dump.h"

void dump_check(struct dump *d, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	out_error(&d->out, -ENOSYS, "check: not built yet");
}
