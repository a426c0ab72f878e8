/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-top: the terminal. */
#ifndef TOP_TERMINAL_H
#define TOP_TERMINAL_H

#include <stdbool.h>

/* False for a terminal that has no way to say where text goes, or that nobody knows. */
bool terminal_can_place_text(void);

/* SIGINT, SIGTERM and SIGHUP set top_signal; a crash gives the terminal back before it is one. */
void terminal_catch_signals(void);

#endif
