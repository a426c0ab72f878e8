/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an entry of a directory or table is: at the index that the specification says, and inside its page.
 *
 * Bounds. Devices: all 2^24 device_ids, base and extended contexts, one, two and three levels. Processes: all 2^20 process_ids, PD8, PD17
 * and PD20. (With sanitizers every 61st of both, or with PROOF_ALL set all.) Tables: of each mode of both stages all values of each
 * index, with 0, 1, the largest and the one before in all others; and of a second stage all four pages of its root. Each table stands
 * alone in memory, so that an entry read anywhere else is one that does not exist.
 */
#include "memory.h"
#include "runner.h"
#include "walk/walk.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* ck_assert() tells its runner of each check that passes; here are billions. */
#define MUST(what, id)                                                               \
	do {                                                                         \
		if (!(what))                                                         \
			ck_abort_msg("%s: 0x%llx", #what, (unsigned long long)(id)); \
	} while (0)

static uint32_t stride(void)
{
	return SANITIZED && !getenv("PROOF_ALL") ? 61 : 1;
}

#define CAPABILITIES                                                                     \
	(0x10 | RIOMMU_CAP_SV32 | RIOMMU_CAP_SV39 | RIOMMU_CAP_SV48 | RIOMMU_CAP_SV57 |  \
	 RIOMMU_CAP_SV32X4 | RIOMMU_CAP_SV39X4 | RIOMMU_CAP_SV48X4 | RIOMMU_CAP_SV57X4 | \
	 RIOMMU_CAP_PD8 | RIOMMU_CAP_PD17 | RIOMMU_CAP_PD20 | (uint64_t)56 << 32)

#define ROOT  ((uint64_t)0x100000000)
#define LEVEL ((uint64_t)0x10000000000) /* how far the tables of two levels lie apart */

static struct riommu_ctx *ctx;
static struct memory *memory;
static struct riommu_walker w;

static void setup(void)
{
	ctx = riommu_ctx_new();
	memory = memory_new();
	ck_assert_ptr_nonnull(ctx);
	w = (struct riommu_walker){.memory = memory_source(memory, ctx),
				   .capabilities = CAPABILITIES,
				   .gxl_writable = true,
				   .be_writable = true};
}

static void teardown(void)
{
	riommu_source_close(w.memory);
	memory_free(memory);
	riommu_ctx_free(ctx);
}

/* The page of LEVEL that holds what INDEX, the indexes of the levels above in a row, leads to. */
static uint64_t table_of(unsigned level, uint64_t index)
{
	return ROOT + level * LEVEL + index * RIOMMU_PAGE_SIZE;
}

/* -- directories ---------------------------------------------------------------------------------------------------------- */

/*
 * A directory whose pages of entries each point on; its last level is the source below, where every page is there and holds VALUE in
 * each doubleword.
 */
static uint64_t leaf_page[RIOMMU_PAGE_SIZE / 8];
static const struct riommu_source_ops *below;

static int map(struct riommu_source *src, uint64_t page, const uint8_t **data)
{
	if (page >= table_of(0, 0) && page < table_of(1, 0)) {
		*data = (const uint8_t *)leaf_page;
		return 0;
	}
	return below->map(src, page, data);
}

/* COUNT entries a page, of levels above 0; IDS bits are what all of LEVEL's indexes and those above make. */
static void point_on(unsigned level, unsigned bits, unsigned bits_above)
{
	for (uint64_t above = 0; above < (uint64_t)1 << bits_above; above++)
		for (uint64_t i = 0; i < (uint64_t)1 << bits; i++)
			memory_put64(memory, table_of(level, above) + 8 * i,
				     table_of(level - 1, above << bits | i) >> 2 | 1, false);
}

static void leaves_are_everywhere(void)
{
	static struct riommu_source_ops ops;

	below = w.memory->ops;
	ops = *below;
	ops.map = map;
	w.memory->ops = &ops;
}

struct split {
	bool extended;
	unsigned levels, bits[3]; /* of device_id, from the leaf up */
};

static const struct split splits[] = {
	{false, 1, {7}}, {false, 2, {7, 9}}, {false, 3, {7, 9, 8}},
	{true, 1, {6}},  {true, 2, {6, 9}},  {true, 3, {6, 9, 9}},
};

START_TEST(a_device_context_is_where_its_device_id_says)
{
	const struct split *s = &splits[_i];
	unsigned width = s->bits[0] + s->bits[1] + s->bits[2], size = s->extended ? 64 : 32;
	struct riommu_translation t;
	struct riommu_dc dc;

	w.capabilities |= s->extended ? RIOMMU_CAP_MSI_FLAT : 0;
	w.ddtp = table_of(s->levels - 1, 0) >> 2 | (RIOMMU_DDTP_1LVL + s->levels - 1);
	for (unsigned level = s->levels - 1, above = 0; level > 0; above += s->bits[level--])
		point_on(level, s->bits[level], above);
	leaves_are_everywhere();
	for (uint32_t id = 0; id < 1u << 24; id += stride()) {
		enum riommu_result r = riommu_locate_dc(&w, id, &dc, &t, NULL);

		if (id >> width) {
			MUST(r == RIOMMU_FAULT && t.cause == 260, id);
			continue;
		}
		MUST(r == RIOMMU_OK && dc.device_id == id, id);
		MUST(dc.address == table_of(0, id >> s->bits[0]) +
					   (uint64_t)(id & ((1u << s->bits[0]) - 1)) * size,
		     id);
		MUST((dc.address & RIOMMU_PAGE_MASK) + size <= RIOMMU_PAGE_SIZE, id);
	}
}
END_TEST

/* The context of device 0 has a process directory of this mode. */
static void put_directory(unsigned mode)
{
	uint64_t ddt = 0x2000, root = table_of(mode - 1, 0);

	w.ddtp = ddt >> 2 | RIOMMU_DDTP_1LVL;
	memory_put64(memory, ddt, RIOMMU_TC_V | RIOMMU_TC_PDTV, false);
	memory_put64(memory, ddt + 24, (uint64_t)mode << 60 | root >> 12, false);
}

START_TEST(a_process_context_is_where_its_process_id_says)
{
	static const unsigned bits[] = {8, 9, 3};
	static struct riommu_trace trace;
	unsigned mode = (unsigned)_i + 1, width = 0;

	put_directory(mode);
	for (unsigned level = 0; level < mode; level++)
		width += bits[level];
	for (unsigned level = mode - 1, above = 0; level > 0; above += bits[level--])
		point_on(level, bits[level], above);
	leaves_are_everywhere();
	/* V, and in the other doubleword Bare: a context that lets all pass, wherever it is read */
	for (unsigned i = 0; i < 512; i += 2)
		leaf_page[i] = RIOMMU_PC_V;
	for (uint32_t id = 0; id < 1u << 20; id += stride()) {
		struct riommu_request q = {
			.process_id = id, .has_process_id = true, .iova = 0x1000};
		struct riommu_translation t;
		const struct riommu_step *last;

		riommu_translate(&w, &q, &t, &trace);
		if (id >> width) {
			MUST(t.result == RIOMMU_FAULT && t.cause == 260, id);
			continue;
		}
		last = &trace.step[trace.step_count - 1];
		MUST(t.result == RIOMMU_OK && t.pa == 0x1000 && last->structure == RIOMMU_S_PC, id);
		MUST(last->address == table_of(0, id >> 8) + (id & 255) * 16, id);
	}
}
END_TEST

/* -- tables ------------------------------------------------------------------------------------------------------------------ */

struct mode {
	const char *name;
	bool second, sv32;
	unsigned mode, levels, bits, root_bits;
};

static const struct mode modes[] = {
	{"Sv32", false, true, 8, 2, 10, 10},  {"Sv39", false, false, 8, 3, 9, 9},
	{"Sv48", false, false, 9, 4, 9, 9},   {"Sv57", false, false, 10, 5, 9, 9},
	{"Sv32x4", true, true, 8, 2, 10, 12}, {"Sv39x4", true, false, 8, 3, 9, 11},
	{"Sv48x4", true, false, 9, 4, 9, 11}, {"Sv57x4", true, false, 10, 5, 9, 11},
};

#define LEAF_BITS 0xd7 /* V R W U A D */

/* 4-byte entries reach 34 bits. */
static uint64_t table(const struct mode *m, unsigned level)
{
	return m->sv32 ? (uint64_t)0x100000000 + level * 0x100000u : table_of(level, 0);
}

static void put_entry(const struct mode *m, uint64_t at, uint64_t pte)
{
	if (m->sv32)
		memory_put32(memory, at, (uint32_t)pte, false);
	else
		memory_put64(memory, at, pte, false);
}

/* One table a level, of which every entry leads to the next, and at last to page INDEX of some memory. */
static void put_tables(const struct mode *m)
{
	unsigned size = m->sv32 ? 4 : 8;

	for (unsigned level = 0; level < m->levels; level++) {
		unsigned bits = level == m->levels - 1 ? m->root_bits : m->bits;

		for (uint64_t i = 0; i < (uint64_t)1 << bits; i++)
			put_entry(m, table(m, level) + i * size,
				  level ? table(m, level - 1) >> 2 | 1
					: (0x80000 + i) << 10 | LEAF_BITS);
	}
}

static void put_context(const struct mode *m)
{
	uint64_t ddt = 0x2000, root = table(m, m->levels - 1) >> 12;

	w.ddtp = ddt >> 2 | RIOMMU_DDTP_1LVL;
	w.fctl = m->sv32 && m->second ? RIOMMU_FCTL_GXL : 0;
	memory_put64(memory, ddt, RIOMMU_TC_V | (m->sv32 ? RIOMMU_TC_SXL : 0), false);
	memory_put64(memory, ddt + (m->second ? 8 : 24), (uint64_t)m->mode << 60 | root, false);
}

static unsigned index_bits(const struct mode *m, unsigned level)
{
	return level == m->levels - 1 ? m->root_bits : m->bits;
}

static void check_walk(const struct mode *m, const uint64_t *index)
{
	static struct riommu_trace trace;
	struct riommu_request q = {.access = RIOMMU_READ};
	struct riommu_translation t;
	unsigned size = m->sv32 ? 4 : 8, step = 1; /* behind the context */

	for (unsigned level = 0; level < m->levels; level++)
		q.iova |= index[level] << (12 + level * m->bits);
	/* the upper half is that of addresses whose upper bits are all ones */
	if (!m->second && !m->sv32 && q.iova >> (11 + 9 * m->levels))
		q.iova |= ~(uint64_t)0 << (12 + 9 * m->levels);
	q.iova |= 0xabc;
	riommu_translate(&w, &q, &t, &trace);
	MUST(t.result == RIOMMU_OK && t.pa == ((0x80000 + index[0]) << 12 | 0xabc), q.iova);
	MUST(trace.step_count == m->levels + 1, q.iova);
	for (unsigned level = m->levels; level-- > 0; step++) {
		uint64_t at = trace.step[step].address, first = table(m, level);

		MUST(at == first + index[level] * size, q.iova);
		MUST(at + size <= first + ((uint64_t)size << index_bits(m, level)), q.iova);
	}
}

/* All that the levels but ONE can be of the four, and with each of them all indexes of ONE. */
static void check_level(const struct mode *m, unsigned one)
{
	for (unsigned combination = 0; combination < 1u << (2 * m->levels); combination++) {
		uint64_t index[5];

		if (combination >> (2 * one) & 3)
			continue;
		for (unsigned level = 0; level < m->levels; level++) {
			uint64_t last = ((uint64_t)1 << index_bits(m, level)) - 1;
			uint64_t often[] = {0, 1, last - 1, last};

			index[level] = often[combination >> (2 * level) & 3];
		}
		for (index[one] = 0; index[one] < (uint64_t)1 << index_bits(m, one); index[one]++)
			check_walk(m, index);
	}
}

START_TEST(an_entry_is_where_its_part_of_the_address_says)
{
	const struct mode *m = &modes[_i];

	put_context(m);
	put_tables(m);
	for (unsigned level = 0; level < m->levels; level++)
		check_level(m, level);
}
END_TEST

/* One bit past what the mode translates is no address. */
START_TEST(an_address_that_is_too_wide_reads_no_entry)
{
	const struct mode *m = &modes[_i];
	unsigned width = 12 + m->bits * (m->levels - 1) + m->root_bits;
	static struct riommu_trace trace;

	put_context(m);
	put_tables(m);
	for (unsigned bit = width; bit < 64; bit++) {
		struct riommu_request q = {.iova = (uint64_t)1 << bit};
		struct riommu_translation t;

		riommu_translate(&w, &q, &t, &trace);
		MUST(t.result == RIOMMU_FAULT && trace.step_count == 1, q.iova);
		MUST(t.cause == (m->second ? 21 : 13), q.iova);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proof-index");
	TCase *tc = tcase_create("index");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 600);
	tcase_add_loop_test(tc, a_device_context_is_where_its_device_id_says, 0,
			    RIOMMU_ARRAY_SIZE(splits));
	tcase_add_loop_test(tc, a_process_context_is_where_its_process_id_says, 0, 3);
	tcase_add_loop_test(tc, an_entry_is_where_its_part_of_the_address_says, 0,
			    RIOMMU_ARRAY_SIZE(modes));
	tcase_add_loop_test(tc, an_address_that_is_too_wide_reads_no_entry, 0,
			    RIOMMU_ARRAY_SIZE(modes));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
