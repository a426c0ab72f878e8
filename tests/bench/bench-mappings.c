/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long listing 16 million leaves of 4 KiB takes, beside reading every word of the same table pages once, in the order in which
 * they come, through the same mapping of the file; processor time, in one run, best of several. "reverse" is who reaches one page in the
 * middle; "memory" by how much the process grew that is no page of the file, in a run of its own. A ratio above LIMIT is a failure.
 *
 *     bench-mappings [LIMIT [ROUNDS]]
 */
#include "machine.h"
#include "walk/mappings.h"
#include "../unit/core-bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TABLES  32768u /* of the last level: 512 leaves each */
#define LEAVES  ((uint64_t)TABLES * 512)
#define MIDDLES (TABLES / 512)
#define BASE    0x80000000u /* directory, root, middles, tables */
#define ROOT    (BASE + 0x1000u)
#define MIDDLE  (ROOT + 0x1000u)
#define TABLE   (MIDDLE + MIDDLES * 0x1000u)
#define PAGES   (2 + MIDDLES + TABLES)
#define DATA    0x1000000000u /* where the leaves lead */

/* -- a capture file --------------------------------------------------------------------------------- */

struct layout {
	const char *name;
	unsigned run;  /* leaves that lead on without a gap; 0: all do */
	bool shuffled; /* tables lie in memory in no order */
};

/* The table that maps the Ith 2 MiB. An odd factor goes once through all numbers below a power of two. */
static uint64_t table_of(const struct layout *layout, uint64_t i)
{
	return TABLE + (layout->shuffled ? i * 20509 % TABLES : i) * RIOMMU_PAGE_SIZE;
}

static void fill(const struct layout *layout, uint8_t *memory)
{
	uint8_t *dc = memory;

	riommu_put64(dc + 8 * RIOMMU_DC_TC, RIOMMU_TC_V);
	riommu_put64(dc + 8 * RIOMMU_DC_FSC, (uint64_t)RIOMMU_FSC_SV39 << 60 | ROOT >> 12);
	for (uint64_t i = 0; i < MIDDLES; i++)
		riommu_put64(memory + (ROOT - BASE) + 8 * i, POINTER(MIDDLE + i * 0x1000));
	for (uint64_t i = 0; i < TABLES; i++)
		riommu_put64(memory + (MIDDLE - BASE) + 8 * i, POINTER(table_of(layout, i)));
	for (uint64_t i = 0; i < LEAVES; i++) {
		uint64_t gap = layout->run ? i / layout->run : 0;

		riommu_put64(memory + (table_of(layout, i / 512) - BASE) + 8 * (i % 512),
			     LEAF(DATA + (i + gap) * RIOMMU_PAGE_SIZE));
	}
}

/* An ELF core with one segment. */
static void write_capture(const struct layout *layout, int fd)
{
	size_t size = PAGES * RIOMMU_PAGE_SIZE;
	uint8_t *memory = calloc(1, size);
	char head[RIOMMU_PAGE_SIZE] = {0};
	Elf64_Ehdr elf = core_elf_header(1);
	Elf64_Phdr segment = core_segment(BASE, RIOMMU_PAGE_SIZE, size);

	if (!memory)
		die("memory");
	fill(layout, memory);
	memcpy(head, &elf, sizeof(elf));
	memcpy(head + sizeof(elf), &segment, sizeof(segment));
	write_all(fd, head, sizeof(head));
	write_all(fd, memory, size);
	free(memory);
}

/* -- measuring -------------------------------------------------------------------------------------- */

struct bench {
	struct riommu_walker w;
	riommu_mappings_fn visit;
	uint64_t ranges, bytes;
	uint64_t look;  /* at memory, when there are so many */
	long anonymous; /* KiB, the most that was seen while ranges came */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Memory of the process that is no page of the file. */
static long anonymous_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %ld kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static int see_mappings(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	struct bench *b = arg;
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += ranges[i].last - ranges[i].iova + 1;
	b->bytes += bytes;
	b->ranges += count;
	return 0;
}

/* The same, with a look at memory now and then, which takes time. */
static int see_memory(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	struct bench *b = arg;

	if (b->ranges >= b->look) {
		long kib = anonymous_kib();

		if (kib > b->anonymous)
			b->anonymous = kib;
		b->look += 1u << 18;
	}
	return see_mappings(arg, ranges, count);
}

static int see_reached(void *arg, const struct riommu_reached *r)
{
	struct bench *b = arg;

	return b->visit(b, r->mapping, 1);
}

static uint64_t read_page(struct bench *b, uint64_t pa)
{
	uint8_t scratch[RIOMMU_PAGE_SIZE];
	const uint8_t *data;
	uint64_t sum = 0;

	if (riommu_source_entry(b->w.memory, pa, RIOMMU_PAGE_SIZE, scratch, &data))
		die("the capture");
		/* a loop of four instructions takes twice as long where it lies across two lines of the cache */
#pragma GCC unroll 8
	for (size_t i = 0; i < RIOMMU_PAGE_SIZE / 8; i++)
		sum += riommu_get64(data + 8 * i, false);
	return sum;
}

/* In the order in which the tables come: memory is much slower where they are scattered. */
static uint64_t read_words(struct bench *b, const struct layout *layout)
{
	uint64_t sum = read_page(b, ROOT);

	for (uint64_t i = 0; i < TABLES; i++) {
		if (i % 512 == 0)
			sum += read_page(b, MIDDLE + i / 512 * RIOMMU_PAGE_SIZE);
		sum += read_page(b, table_of(layout, i));
	}
	return sum;
}

static int list_all(struct bench *b)
{
	struct riommu_space space = {.kind = RIOMMU_SPACE_DEVICE};
	struct riommu_mapping_args args = {.last = UINT64_MAX};

	space.dc.dwords = RIOMMU_DC_DWORDS;
	space.dc.dw[RIOMMU_DC_TC] = RIOMMU_TC_V;
	space.dc.dw[RIOMMU_DC_FSC] = (uint64_t)RIOMMU_FSC_SV39 << 60 | ROOT >> 12;
	return riommu_visit_mappings(&b->w, &space, &args, b->visit, b, NULL);
}

/* Who reaches one page in the middle. */
static int reach_page(struct bench *b)
{
	uint64_t pa = DATA + LEAVES / 2 * RIOMMU_PAGE_SIZE;

	return riommu_visit_reached(&b->w, pa, pa + RIOMMU_PAGE_SIZE - 1, see_reached, b, NULL);
}

static double timed(struct bench *b, int (*work)(struct bench *b), uint64_t ranges, uint64_t bytes)
{
	double from = now(), to;

	b->ranges = b->bytes = b->look = 0;
	if (work(b))
		die("the listing");
	to = now();
	if (b->ranges != ranges || b->bytes != bytes) {
		fprintf(stderr, "%llu ranges of %llu bytes: the listing is wrong\n",
			(unsigned long long)b->ranges, (unsigned long long)b->bytes);
		exit(2);
	}
	return to - from;
}

static double least(double a, double b)
{
	return a == 0 || b < a ? b : a;
}

/* False: a ratio is above LIMIT. */
static bool measure(const struct layout *layout, struct bench *b, unsigned rounds, double limit)
{
	uint64_t ranges = layout->run ? LEAVES / layout->run : 1;
	double read = 0, list = 0, reached = 0;
	static volatile uint64_t sink;
	long before = anonymous_kib();

	sink = read_words(b, layout); /* what is read first has to be mapped */
	b->anonymous = 0;
	b->visit = see_memory;
	list_all(b);
	reach_page(b);
	b->visit = see_mappings;
	for (unsigned i = 0; i < rounds; i++) {
		double from = now();

		sink = read_words(b, layout);
		read = least(read, now() - from);
		list = least(list, timed(b, list_all, ranges, LEAVES * RIOMMU_PAGE_SIZE));
		reached = least(reached, timed(b, reach_page, 1, RIOMMU_PAGE_SIZE));
	}
	(void)sink;
	printf("%-28s %8.1f %8.1f %6.2f %8.1f %6.2f %8ld\n", layout->name, read * 1e3, list * 1e3,
	       list / read, reached * 1e3, reached / read, b->anonymous - before);
	return list <= limit * read && reached <= limit * read;
}

static bool bench(const struct layout *layout, struct riommu_ctx *ctx, unsigned rounds,
		  double limit)
{
	char path[] = "bench-mappings-XXXXXX";
	int fd = mkstemp(path);
	struct bench b = {
		.w = {.capabilities =
			      0x10 | RIOMMU_CAP_SV39 | RIOMMU_CAP_MSI_FLAT | (uint64_t)46 << 32,
		      .ddtp = (uint64_t)BASE >> 2 | RIOMMU_DDTP_1LVL},
	};
	bool fine;

	if (fd < 0)
		die(path);
	write_capture(layout, fd);
	close(fd);
	if (riommu_source_open(ctx, riommu_source_by_name("core"), path, &b.w.memory)) {
		fprintf(stderr, "%s\n", riommu_error(ctx));
		exit(2);
	}
	unlink(path);
	fine = measure(layout, &b, rounds, limit);
	riommu_source_close(b.w.memory);
	return fine;
}

int main(int argc, char **argv)
{
	static const struct layout layouts[] = {
		{"one range", 0, false},
		{"one range, tables scattered", 0, true},
		{"runs of 16", 16, false},
		{"runs of 16, tables scattered", 16, true},
	};
	double limit = argc > 1 ? atof(argv[1]) : 1.5;
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 7;
	struct riommu_ctx *ctx = riommu_ctx_new();
	bool fine = ctx != NULL;

	printf("16 million leaves of 4 KiB in 32,768 tables; times in ms, memory in KiB\n");
	printf("%-28s %8s %8s %6s %8s %6s %8s\n", "", "read", "list", "ratio", "reverse", "ratio",
	       "memory");
	for (size_t i = 0; ctx && i < RIOMMU_ARRAY_SIZE(layouts); i++)
		fine &= bench(&layouts[i], ctx, rounds, limit);
	riommu_ctx_free(ctx);
	if (!fine)
		printf("a ratio is above %.1f\n", limit);
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
