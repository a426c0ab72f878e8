/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of unit-walk: each file has a case, all use the machine of tables.h. */
#ifndef WALK_CASES_H
#define WALK_CASES_H

#include "tables.h"

TCase *walk_directory_case(void);
TCase *walk_process_case(void);
TCase *walk_stage_case(void);
TCase *walk_update_case(void);
TCase *walk_msi_case(void);
TCase *walk_rules_case(void);
TCase *walk_fault_case(void);
TCase *walk_hostile_case(void);
TCase *walk_live_case(void);

#endif
