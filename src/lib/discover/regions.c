/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What memory is where, from /proc/iomem. Who is not root reads zeros for every address there: then nothing is known, and
 * nothing is said.
 */
#include "discover/discover-internal.h"

#include <stdlib.h>

#define MAX_IOMEM (4u << 20)

/* Memory, not the registers of devices. */
static bool is_memory(const char *name)
{
	static const char *const kinds[] = {"System RAM", "Kernel ",  "Crash kernel",
					    "Reserved",   "reserved", "Persistent Memory"};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(kinds); i++) {
		if (!strncmp(name, kinds[i], strlen(kinds[i])))
			return true;
	}
	return false;
}

/* "  80000000-bfffffff : System RAM" */
static bool parse_line(char *line, uint64_t *start, uint64_t *end, const char **name)
{
	char *at = line + strspn(line, " ");

	*start = strtoull(at, &at, 16);
	if (*at++ != '-')
		return false;
	*end = strtoull(at, &at, 16);
	if (strncmp(at, " : ", 3))
		return false;
	*name = at + 3;
	return *start <= *end && *end;
}

int riommu_discover_regions(struct riommu_system *sys)
{
	char path[RIOMMU_PATH_MAX], *text, *next = NULL;
	size_t len;
	int err;

	riommu_path(sys->ctx, path, "proc.path", "/iomem");
	err = riommu_read_file(path, MAX_IOMEM, &text, &len);
	if (err)
		return riommu_left_out(sys->ctx, path, err);
	for (char *line = strtok_r(text, "\n", &next); line && !err;
	     line = strtok_r(NULL, "\n", &next)) {
		uint64_t start, end;
		const char *name;

		if (parse_line(line, &start, &end, &name) && is_memory(name))
			err = riommu_list_region(sys, start, end, name, strlen(name));
	}
	free(text);
	return err;
}
