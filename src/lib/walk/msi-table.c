/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entries of an MSI page table. */
#include "walk/mappings.h"
