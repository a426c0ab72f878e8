/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk: what becomes of a request, rule by rule of the specification. */
#include "walk-cases.h"

#include <stdlib.h>

int main(void)
{
	TCase *(*const cases[])(void) = {
		walk_directory_case, walk_process_case, walk_stage_case, walk_update_case,
		walk_msi_case,       walk_rules_case,   walk_fault_case, walk_hostile_case,
	};
	Suite *suite = suite_create("walk");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(cases); i++)
		suite_add_tcase(suite, cases[i]());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
