/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump commands, requests: two queues decoded. */
#include "config.h"

#include "dump.h"

void dump_commands(struct dump *d, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	out_error(&d->out, -ENOSYS, "commands: not built yet");
}

void dump_requests(struct dump *d, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	out_error(&d->out, -ENOSYS, "requests: not built yet");
}
