/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk: what becomes of a request, rule by rule of the specification. */
#include "walk-cases.h"
#include "runner.h"

#include <stdlib.h>

int main(void)
{
	TCase *(*const cases[])(void) = {
		walk_directory_case, walk_process_case, walk_stage_case,
		walk_update_case,    walk_msi_case,     walk_rules_case,
		walk_fault_case,     walk_hostile_case, walk_live_case,
	};
	Suite *suite = suite_create("walk");

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(cases); i++)
		suite_add_tcase(suite, cases[i]());
	return run_suite(suite);
}
