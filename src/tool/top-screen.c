/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-top: the screen. */
#include "config.h"

#include "top.h"

#ifndef HAVE_TUI

bool top_screen(struct top *t)
{
	(void)t;
	fprintf(stderr, "%s: built without a screen; this is --batch\n", program);
	return false;
}

#else

bool top_screen(struct top *t)
{
	(void)t;
	return false;
}

#endif
