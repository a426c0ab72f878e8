/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All that devices reach; spaces with the same tables are walked once. */
#include "walk/mappings.h"
