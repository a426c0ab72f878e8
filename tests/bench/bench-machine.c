/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes captures for the benchmarks of the programs:
 *
 *     bench-machine devices PAGES FILE     the five devices of machine.h
 *     bench-machine many COUNT FILE        COUNT devices with page tables of their own: 512 pages each, one of which all share
 *     bench-machine runs COUNT FILE        one device with COUNT leaves, a gap behind each 16
 *     bench-machine ids COUNT FILE         device ids 0 to COUNT - 1, each 4,096 of which share their tables
 *     bench-machine processes COUNT FILE   one device with so many processes, each 1,024 of which share their tables
 *     bench-machine leaves COUNT FILE      one device with so many leaves that lead on
 *     bench-machine new-... COUNT FILE     the same, but the last leaf of each table leads elsewhere
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

/* -- machines of any size --------------------------------------------------------------------------------------- */

static uint64_t elsewhere; /* what the last leaves of tables lead to, less what they would */

/* Leaves 0 to COUNT - 1, those of a table at a time: a walk from the root for each would take longer than what is measured. */
static uint64_t leaves(struct machine *m, uint64_t count, uint64_t run)
{
	struct machine_stage s = machine_stage(m, 3, false);

	for (uint64_t i = 0; i < count; i += 512) {
		uint64_t at = machine_slot(&s, i * RIOMMU_PAGE_SIZE);

		for (uint64_t j = 0; j < 512 && i + j < count; j++) {
			uint64_t gap = run ? (i + j) / run : 0;
			uint64_t last = j == 511 || i + j + 1 == count ? elsewhere : 0;

			riommu_put64(machine_at(m, at + 8 * j),
				     LEAF(MACHINE_DATA + (i + j + gap) * RIOMMU_PAGE_SIZE + last));
		}
	}
	return machine_atp(&s);
}

static void make_ids(struct machine *m, uint64_t count)
{
	uint64_t fsc = 0;

	for (uint64_t id = 0; id < count; id++) {
		if (id % 4096 == 0)
			fsc = leaves(m, 4, 0);
		machine_context(m, (uint32_t)id, fsc, 0);
	}
}

static void make_processes(struct machine *m, uint64_t count)
{
	uint64_t root = machine_pages(m, 1), fsc = 0;

	machine_process_directory(m, DEVICE_SV39, root);
	for (uint64_t id = 0; id < count; id++) {
		if (id % 1024 == 0)
			fsc = leaves(m, 4, 0);
		machine_process(m, root, (uint32_t)id, fsc);
	}
}

static const struct {
	const char *name;
	uint64_t pages_each, pages; /* room */
} kinds[] = {
	{"devices", 1, 128}, {"many", 16, 64},     {"runs", 1, 64},
	{"ids", 1, 1024},    {"processes", 1, 64}, {"leaves", 1, 64},
};

static void make(struct machine *m, const char *kind, uint64_t count)
{
	if (!strcmp(kind, "devices"))
		machine_devices(m, count);
	else if (!strcmp(kind, "many"))
		make_many(m, count);
	else if (!strcmp(kind, "ids"))
		make_ids(m, count);
	else if (!strcmp(kind, "processes"))
		make_processes(m, count);
	else
		machine_context(m, DEVICE_SV39, leaves(m, count, strcmp(kind, "runs") ? 0 : 16), 0);
}

static bool is_kind(const char *kind, uint64_t *room, uint64_t count)
{
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(kinds); i++)
		if (!strcmp(kind, kinds[i].name)) {
			*room = kinds[i].pages + kinds[i].pages_each * count;
			return true;
		}
	return false;
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
	uint64_t count = argc == 4 ? strtoul(argv[2], NULL, 0) : 0, room;
	const char *kind = argc == 4 ? argv[1] : "";
	struct machine m;

	if (count && !strcmp(kind, "requests")) {
		print_requests(count, strtoul(argv[3], NULL, 0));
		return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (!strncmp(kind, "new-", 4)) {
		elsewhere = (uint64_t)1 << 40;
		kind += 4;
	}
	if (!count || !is_kind(kind, &room, count)) {
		fprintf(stderr, "usage: bench-machine KIND COUNT FILE, or requests COUNT PAGES\n");
		return 2;
	}
	machine_new(&m, room);
	make(&m, kind, count);
	machine_save(&m, argv[3]);
	machine_free(&m);
	return EXIT_SUCCESS;
}
