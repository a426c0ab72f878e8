/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What test programs share: where the sources are, and what their main() ends with. */
#ifndef TEST_RUNNER_H
#define TEST_RUNNER_H

#include "config.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The machine note of a capture, with names and the map of the memory, is read by json-c. */
#ifdef HAVE_JSON
#define READS_NOTES true
#else
#define READS_NOTES false
#endif

#define ADD_NOTE_TEST(tc, name)                                             \
	do {                                                                \
		if (READS_NOTES)                                            \
			tcase_add_test(tc, name);                           \
		else                                                        \
			printf("skipped: " #name ": built without JSON\n"); \
	} while (0)

/* The path of NAME, a file among the sources. `make check` says where these are; else they are where they were compiled from. */
static inline void source_file(const char *name, char *path, size_t size)
{
	static const char here[] = __FILE__; /* tests/unit/runner.h */
	const char *srcdir = getenv("srcdir");

	if (srcdir)
		snprintf(path, size, "%s/%s", srcdir, name);
	else
		snprintf(path, size, "%.*s../../%s", (int)(strrchr(here, '/') + 1 - here), here,
			 name);
}

/* Runs SUITE, which is freed; the exit status of the program. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
