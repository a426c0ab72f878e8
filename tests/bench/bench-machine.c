/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes captures for the benchmarks of the programs:
 *
 *     bench-machine devices PAGES FILE     the five devices of machine.h
 *     bench-machine many COUNT FILE        COUNT devices with page tables of their own: 512 pages each, one of which all share
 *     bench-machine requests COUNT PAGES   lines for translate --batch to the first, to standard output
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>

#define OWN_PAGES 512u

static void make_many(struct machine *m, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct machine_stage s = machine_stage(m, 3, false);

		for (size_t page = 0; page < OWN_PAGES; page++)
			machine_map(&s, page * RIOMMU_PAGE_SIZE,
				    MACHINE_DATA +
					    (page ? i * OWN_PAGES + page : 0) * RIOMMU_PAGE_SIZE);
		machine_context(m, (uint32_t)(8 * i), machine_atp(&s), 0);
	}
}

static void print_requests(size_t count, uint64_t pages)
{
	static const unsigned devices[] = {DEVICE_SV39, DEVICE_SV48, DEVICE_SV39X4,
					   DEVICE_SV39_SV39X4};

	for (uint64_t i = 0; i < count; i++)
		printf("0x%x 0x%llx access=%c\n", devices[i % RIOMMU_ARRAY_SIZE(devices)],
		       (unsigned long long)(machine_page(i, pages) * RIOMMU_PAGE_SIZE),
		       "rw"[i & 1]);
}

int main(int argc, char **argv)
{
	size_t count = argc == 4 ? strtoul(argv[2], NULL, 0) : 0;
	struct machine m;

	if (count && !strcmp(argv[1], "requests")) {
		print_requests(count, strtoul(argv[3], NULL, 0));
		return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (!count || (strcmp(argv[1], "devices") && strcmp(argv[1], "many"))) {
		fprintf(stderr, "usage: bench-machine devices|many|requests COUNT FILE|PAGES\n");
		return 2;
	}
	machine_new(&m, 64 + 16 * count);
	if (!strcmp(argv[1], "devices"))
		machine_devices(&m, count);
	else
		make_many(&m, count);
	machine_save(&m, argv[3]);
	machine_free(&m);
	return EXIT_SUCCESS;
}
