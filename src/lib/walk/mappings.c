/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole address spaces as ranges. */
#include "walk/mappings.h"
