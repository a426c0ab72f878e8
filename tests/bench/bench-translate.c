/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translations a second on one core, without steps, each from the root of a device directory of three levels: processor time, best of
 * several. Addresses come in no order out of SMALL and out of LARGE pages of 4 KiB: the tables of the first stay near the processor.
 * Beside them, where it is there, libaddrxlat over the same tree with entries as x86-64 has them, since 0.5.1 knows no RISC-V: it has
 * no directory to walk, and stops at an address where we also have permissions, memory type and page size.
 *
 *     bench-translate [REQUESTS [ROUNDS]]     `-c DEVICE`: only that many requests of one device, to count instructions
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_ADDRXLAT
#include <libkdumpfile/addrxlat.h>
#endif

#define SMALL 512u
#define LARGE 65536u

struct bench {
	struct machine m, twin; /* twin: the same tables in x86-64's format */
	struct riommu_walker w;
	size_t requests;
	unsigned rounds;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wrong(const char *who)
{
	fprintf(stderr, "%s: an answer is wrong\n", who);
	exit(2);
}

/* The sum of all answers shows that they are right. */
static uint64_t expected(size_t count, uint64_t pages)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += MACHINE_DATA + machine_page(i, pages) * RIOMMU_PAGE_SIZE + (i & 0xff8);
	return sum;
}

static void translate(const struct bench *b, uint32_t device_id, uint64_t pages)
{
	struct riommu_request q = {.device_id = device_id, .access = RIOMMU_READ};
	struct riommu_translation t;
	uint64_t sum = 0;

	for (size_t i = 0; i < b->requests; i++) {
		q.iova = machine_page(i, pages) * RIOMMU_PAGE_SIZE + (i & 0xff8);
		riommu_translate(&b->w, &q, &t, NULL);
		if (t.result != RIOMMU_OK)
			wrong("translate");
		sum += t.pa;
	}
	if (sum != expected(b->requests, pages))
		wrong("translate");
}

/* -- libaddrxlat ------------------------------------------------------------------------------------------------ */

#ifdef HAVE_ADDRXLAT
#define X86_PRESENT_WRITABLE_USER 7u

static void keep_page(const addrxlat_buffer_t *buf)
{
	(void)buf;
}

static addrxlat_status get_page(const addrxlat_cb_t *cb, addrxlat_buffer_t *buf)
{
	const struct machine *m = cb->priv;
	uint64_t page = buf->addr.addr & ~RIOMMU_PAGE_MASK;

	if (page < MACHINE_BASE || page - MACHINE_BASE >= m->pages * RIOMMU_PAGE_SIZE)
		return ADDRXLAT_ERR_NODATA;
	buf->addr.addr = page;
	buf->ptr = machine_at(m, page);
	buf->size = RIOMMU_PAGE_SIZE;
	buf->byte_order = ADDRXLAT_LITTLE_ENDIAN;
	buf->put_page = keep_page;
	return ADDRXLAT_OK;
}

static unsigned long read_caps(const addrxlat_cb_t *cb)
{
	(void)cb;
	return ADDRXLAT_CAPS(ADDRXLAT_MACHPHYSADDR);
}

/* The tables below TABLE, entry by entry. */
static void make_twin(const struct bench *b, uint64_t table, unsigned level)
{
	for (unsigned i = 0; i < 512; i++) {
		uint64_t at = table + 8 * (uint64_t)i;
		uint64_t pte = riommu_get64(machine_at(&b->m, at), false);

		if (!pte)
			continue;
		riommu_put64(machine_at(&b->twin, at),
			     riommu_ppn_upper(pte) | X86_PRESENT_WRITABLE_USER);
		if (level)
			make_twin(b, riommu_ppn_upper(pte), level - 1);
	}
}

static uint64_t root_of(const struct bench *b, uint32_t device_id)
{
	struct riommu_translation t;
	struct riommu_dc dc;

	if (riommu_locate_dc(&b->w, device_id, &dc, &t, NULL) != RIOMMU_OK)
		wrong("libaddrxlat");
	return riommu_ppn_lower(dc.dw[RIOMMU_DC_FSC]);
}

static void run_addrxlat(const struct bench *b, addrxlat_ctx_t *ctx, const addrxlat_meth_t *meth,
			 uint64_t pages)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < b->requests; i++) {
		addrxlat_step_t step = {
			.ctx = ctx,
			.meth = meth,
			.base.addr = machine_page(i, pages) * RIOMMU_PAGE_SIZE + (i & 0xff8),
		};

		if (addrxlat_walk(&step) != ADDRXLAT_OK)
			wrong("libaddrxlat");
		sum += step.base.addr;
	}
	if (sum != expected(b->requests, pages))
		wrong("libaddrxlat");
}

static double addrxlat(const struct bench *b, uint32_t device_id, unsigned levels, uint64_t pages)
{
	addrxlat_ctx_t *ctx = addrxlat_ctx_new();
	addrxlat_meth_t meth = {
		.kind = ADDRXLAT_PGT,
		.target_as = ADDRXLAT_MACHPHYSADDR,
		.param.pgt = {.root = {root_of(b, device_id), ADDRXLAT_MACHPHYSADDR},
			      .pf = {.pte_format = ADDRXLAT_PTE_X86_64,
				     .nfields = (unsigned short)(levels + 1),
				     .fieldsz = {12, 9, 9, 9, 9}}},
	};
	addrxlat_cb_t *cb = ctx ? addrxlat_ctx_add_cb(ctx) : NULL;
	double best = 0;

	if (!cb)
		die("libaddrxlat");
	cb->priv = (void *)(uintptr_t)&b->twin;
	cb->get_page = get_page;
	cb->read_caps = read_caps;
	for (unsigned round = 0; round < b->rounds; round++) {
		double from = now(), took;

		run_addrxlat(b, ctx, &meth, pages);
		took = now() - from;
		best = !round || took < best ? took : best;
	}
	addrxlat_ctx_decref(ctx);
	return best;
}

static void prepare_addrxlat(struct bench *b)
{
	machine_new(&b->twin, b->m.room);
	b->twin.pages = b->m.pages;
	make_twin(b, root_of(b, DEVICE_SV39), 2);
	make_twin(b, root_of(b, DEVICE_SV48), 3);
}

static void free_addrxlat(struct bench *b)
{
	machine_free(&b->twin);
}
#else
static double addrxlat(const struct bench *b, uint32_t device_id, unsigned levels, uint64_t pages)
{
	(void)b, (void)device_id, (void)levels, (void)pages;
	return 0;
}

static void prepare_addrxlat(struct bench *b)
{
	(void)b;
	printf("SKIPPED: libaddrxlat: libkdumpfile's header is not there\n");
}

static void free_addrxlat(struct bench *b)
{
	(void)b;
}
#endif

/* -- measuring -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t device_id;
	unsigned levels; /* of a first stage alone, which libaddrxlat can walk; else 0 */
} kinds[] = {
	{"Sv39", DEVICE_SV39, 3},
	{"Sv48", DEVICE_SV48, 4},
	{"Sv39x4", DEVICE_SV39X4, 0},
	{"Sv39 behind Sv39x4", DEVICE_SV39_SV39X4, 0},
	{"Sv48 behind Sv48x4", DEVICE_SV48_SV48X4, 0},
};

static void measure(const struct bench *b, size_t kind, uint64_t pages)
{
	double best = 0, other = 0;

	for (unsigned round = 0; round < b->rounds; round++) {
		double from = now(), took;

		translate(b, kinds[kind].device_id, pages);
		took = now() - from;
		best = !round || took < best ? took : best;
	}
	if (kinds[kind].levels)
		other = addrxlat(b, kinds[kind].device_id, kinds[kind].levels, pages);
	printf("%-20s %6llu %8.2f %8.1f", kinds[kind].name, (unsigned long long)pages,
	       (double)b->requests / best / 1e6, best / (double)b->requests * 1e9);
	if (other > 0)
		printf(" %8.2f %6.1f", (double)b->requests / other / 1e6, other / best);
	putchar('\n');
}

int main(int argc, char **argv)
{
	struct bench b = {.requests = 1000000, .rounds = 5};
	bool count = argc == 4 && !strcmp(argv[1], "-c");
	struct riommu_ctx *ctx = riommu_ctx_new();

	machine_new(&b.m, count ? 64 : 8192);
	machine_devices(&b.m, count ? SMALL : LARGE);
	b.w = machine_walker(&b.m, machine_open(&b.m, ctx));
	if (count) {
		b.requests = strtoul(argv[3], NULL, 0);
		translate(&b, (uint32_t)strtoul(argv[2], NULL, 0), SMALL);
	} else {
		b.requests = argc > 1 ? strtoul(argv[1], NULL, 0) : b.requests;
		b.rounds = argc > 2 ? (unsigned)atoi(argv[2]) : b.rounds;
		prepare_addrxlat(&b);
		printf("%-20s %6s %8s %8s %8s %6s\n", "translate", "pages", "M/s", "ns", "libaddrx",
		       "times");
		for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(kinds); i++) {
			measure(&b, i, SMALL);
			measure(&b, i, LARGE);
		}
		free_addrxlat(&b);
	}
	riommu_source_close(b.w.memory);
	machine_free(&b.m);
	riommu_ctx_free(ctx);
	return EXIT_SUCCESS;
}
