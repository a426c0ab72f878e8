/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules, and going over them. */
#include "walk/mappings.h"
