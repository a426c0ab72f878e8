/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any queue, entry by entry, oldest first. */
#include "queue/queue.h"
