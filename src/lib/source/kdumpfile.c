/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compressed and flattened dumps, through libkdumpfile where it is built in. */
#include "source/source-internal.h"
