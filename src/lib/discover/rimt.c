/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ACPI RIMT: a parser over bytes. */
#include "discover/discover-internal.h"
