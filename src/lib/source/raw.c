/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A raw image of memory: bytes from -O base= on. */
#include "source/source-internal.h"
