/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands and page requests: layouts of their doublewords. */
#include "spec/structures.h"
