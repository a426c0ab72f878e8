/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a page table entry means, against the rules of the specification stated once more (Privileged ISA, "Virtual Address Translation
 * Process", Svnapot, Svpbmt, Svrsw60t59b; IOMMU, 3.3).
 *
 * Bounds. Kinds: all 1,024 combinations of bits 9:0, with N, all of PBMT, all of bits 60:59, none, each and all of 58:54, 16 page
 * numbers (each with the bits around a size of leaves), with and without Svpbmt and Svrsw60t59b, at each level of Sv32, Sv39, Sv48,
 * Sv57: for which of them the entry is invalid, malformed, a pointer or a leaf, and where that leads.
 * Requests: bits 9:0, N and PBMT of a leaf at each level of Sv39 and Sv39x4, all kinds of access, user, supervisor with and without SUM,
 * SADE and GADE: whether it passes, with which cause it faults, and what the IOMMU would write.
 */
#include "tables.h"
#include "runner.h"
#include "walk/walk-internal.h"

/* ck_assert() tells its runner of each check that passes; here are billions. */
#define MUST(what)                                                                              \
	do {                                                                                    \
		if (!(what))                                                                    \
			ck_abort_msg("%s: pte 0x%llx level %u", #what, (unsigned long long)pte, \
				     level);                                                    \
	} while (0)

/* -- the rules ---------------------------------------------------------------------------------------------------------- */

enum kind { INVALID, MALFORMED, POINTER_TO, LEAF_OF };

struct rules {
	bool sv32, svpbmt, svrsw;
	unsigned levels;
};

/* How many bits of an address an entry of LEVEL leaves as they are. */
static unsigned offset_bits(const struct rules *r, unsigned level)
{
	return 12 + level * (r->sv32 ? 10 : 9);
}

static enum kind kind_of(const struct rules *r, uint64_t pte, unsigned level)
{
	bool v = pte & 1, read = pte & 2, write = pte & 4, exec = pte & 8;
	bool user = pte & 0x10, accessed = pte & 0x40, dirty = pte & 0x80, n = pte >> 63;
	unsigned pbmt = (unsigned)(pte >> 61) & 3;
	uint64_t ppn = (pte >> 10) & 0xfffffffffff;

	if (!v)
		return INVALID;
	if (!read && write)
		return MALFORMED;
	if (pte >> 54 & 0x1f)
		return MALFORMED;
	if (!r->svrsw && (pte >> 59 & 3))
		return MALFORMED;
	if (pbmt == 3 || (pbmt && !r->svpbmt))
		return MALFORMED;
	if (n && level > 0)
		return MALFORMED;
	if (!read && !exec)
		return accessed || dirty || user || pbmt || level == 0 ? MALFORMED : POINTER_TO;
	for (unsigned bit = 12; bit < offset_bits(r, level); bit++)
		if (ppn >> (bit - 12) & 1)
			return MALFORMED;
	if (n && (ppn & 15) != 8)
		return MALFORMED;
	return LEAF_OF;
}

/* -- kinds ---------------------------------------------------------------------------------------------------------------- */

/* Around the sizes of leaves, and around NAPOT. */
static const uint64_t ppns[] = {0,
				1,
				8,
				9,
				0x10,
				0x18,
				(uint64_t)1 << 8,
				(uint64_t)1 << 9,
				(uint64_t)1 << 10,
				(uint64_t)1 << 17,
				(uint64_t)1 << 18,
				(uint64_t)1 << 26,
				(uint64_t)1 << 27,
				(uint64_t)1 << 35,
				(uint64_t)1 << 36,
				0xfffffffffff};

static const uint64_t reserved[] = {0, 1, 2, 4, 8, 16, 31};

static struct walk_shape shape_of(const struct rules *r)
{
	return (struct walk_shape){.levels = (uint8_t)r->levels,
				   .index_bits = r->sv32 ? 10 : 9,
				   .pte_size = r->sv32 ? 4 : 8,
				   .address_bits = (uint8_t)(r->sv32 ? 32 : 12 + 9 * r->levels)};
}

static void check_leaf(const struct rules *r, uint64_t pte, unsigned level, uint64_t address,
		       const struct walk_leaf *leaf)
{
	unsigned bits = pte >> 63 ? 16 : offset_bits(r, level);
	uint64_t low = ((uint64_t)1 << bits) - 1, base = (pte >> 10 & 0xfffffffffff) << 12;

	MUST(leaf->size == low + 1);
	MUST(leaf->pa == ((base & ~low) | (address & low)));
	MUST(leaf->pbmt == (pte >> 61 & 3));
}

static void check_kind(const struct walk *k, const struct rules *r, const struct walk_shape *s,
		       uint64_t pte, unsigned level)
{
	static const enum walk_pte_kind ours[] = {[INVALID] = WALK_PTE_INVALID,
						  [MALFORMED] = WALK_PTE_MALFORMED,
						  [POINTER_TO] = WALK_PTE_POINTER,
						  [LEAF_OF] = WALK_PTE_LEAF};
	const uint64_t address = 0x123456789abcdef;
	enum kind want = kind_of(r, pte, level);
	struct walk_leaf leaf = {0};
	const char *why = NULL;

	if (walk_pte_kind(k, s, pte, level, address, &leaf, &why) != ours[want])
		ck_abort_msg("pte 0x%llx level %u: not %d (%s)", (unsigned long long)pte, level,
			     want, why ? why : "");
	MUST(want != MALFORMED || why);
	if (want == LEAF_OF)
		check_leaf(r, pte, level, address, &leaf);
}

static void check_upper(const struct walk *k, const struct rules *r, const struct walk_shape *s,
			uint64_t upper, unsigned level)
{
	for (size_t p = 0; p < RIOMMU_ARRAY_SIZE(ppns); p++)
		for (uint64_t low = 0; low < 1024; low++)
			check_kind(k, r, s, upper | ppns[p] << 10 | low, level);
}

/* All that bits 63:54 can be, but for the reserved ones, of which none, each and all are tried. */
static void check_rules(const struct rules *r)
{
	struct riommu_walker w = {.capabilities = (r->svpbmt ? RIOMMU_CAP_SVPBMT : 0) |
						  (r->svrsw ? RIOMMU_CAP_SVRSW60T59B : 0)};
	struct walk_shape s = shape_of(r);
	struct walk k;

	walk_begin(&k, &w, NULL);
	for (unsigned level = 0; level < r->levels; level++)
		for (uint64_t top = 0; top < 32; top++)
			for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(reserved); i++)
				check_upper(&k, r, &s, top << 59 | reserved[i] << 54, level);
}

START_TEST(an_entry_is_of_the_kind_that_the_rules_say)
{
	unsigned caps = (unsigned)_i & 3;
	struct rules r = {.svpbmt = caps & 1, .svrsw = caps & 2, .levels = 3 + (unsigned)_i / 4};

	check_rules(&r);
}
END_TEST

START_TEST(a_32_bit_entry_is_of_the_kind_that_the_rules_say)
{
	struct rules r = {.sv32 = true, .levels = 2};
	struct walk_shape s = shape_of(&r);
	struct riommu_walker w = {.capabilities = 0};
	struct walk k;

	walk_begin(&k, &w, NULL);
	for (unsigned level = 0; level < 2; level++)
		for (uint64_t ppn = 0; ppn < (uint64_t)1 << 22; ppn += ppn < 2048 ? 1 : 1021)
			for (uint64_t low = 0; low < 1024; low += ppn < 2048 ? 1 : 31)
				check_kind(&k, &r, &s, ppn << 10 | low, level);
}
END_TEST

/* -- requests ---------------------------------------------------------------------------------------------------------------- */

#define IOVA 0x12345678u

static const uint64_t upper_bits[] = {0, (uint64_t)1 << 61, (uint64_t)2 << 61, (uint64_t)3 << 61,
				      (uint64_t)1 << 63};

struct want {
	bool passes;
	uint64_t writes; /* bits of the leaf that are set */
};

/* Who asks, and the stage that the leaf is in: a second stage knows users only. */
static struct way {
	bool supervisor, sum, updates, second;
} way;

/* Orders 3 to 10 of facts 3.5: does a request to a leaf PTE pass. */
static struct want leaf_wants(uint64_t pte, unsigned level, enum riommu_access access)
{
	static const uint64_t needs[] = {[RIOMMU_READ] = 2, [RIOMMU_WRITE] = 4, [RIOMMU_EXEC] = 8};
	struct rules r = {.svpbmt = true, .svrsw = true, .levels = 3};
	uint64_t bits = access == RIOMMU_WRITE ? 0xc0 : 0x40;
	bool user = pte & 0x10;

	if (kind_of(&r, pte, level) != LEAF_OF || !(pte & needs[access]))
		return (struct want){false, 0};
	if (way.supervisor ? user && (access == RIOMMU_EXEC || !way.sum) : !user)
		return (struct want){false, 0};
	if ((pte & bits) != bits && !way.updates)
		return (struct want){false, 0};
	return (struct want){true, bits & ~pte};
}

static void check_outcome(struct want want, uint64_t pte, unsigned level, enum riommu_access access)
{
	const struct access_causes *c = &by_access[access];
	unsigned shift = pte >> 63 ? 16 : 12 + 9 * level;
	uint64_t low = ((uint64_t)1 << shift) - 1;

	if (!want.passes) {
		MUST(m.t.result == RIOMMU_FAULT);
		MUST(m.t.cause == (way.second ? c->guest_page_fault : c->page_fault));
		MUST(m.t.iotval == IOVA && !m.trace.update_count);
		MUST(m.t.iotval2 == (way.second ? IOVA & ~3u : 0));
		return;
	}
	MUST(m.t.result == RIOMMU_OK);
	MUST(m.t.pa == ((((pte >> 10 & 0xfffffffffff) << 12) & ~low) | (IOVA & low)));
	MUST(m.t.page_size == low + 1);
	MUST(m.trace.update_count == (want.writes != 0));
	MUST(!want.writes || m.trace.update[0].value == (pte | want.writes));
}

static void check_requests(uint64_t pte, unsigned level)
{
	for (unsigned i = 0; i < 3; i++) {
		enum riommu_access access = (enum riommu_access)i;

		ask(access, IOVA);
		check_outcome(leaf_wants(pte, level, access), pte, level, access);
	}
}

/* Pointers to the entry of IOVA at LEVEL, and its address. */
static uint64_t leaf_slot(const struct stage *s, unsigned level)
{
	return slot(s, IOVA, level);
}

static void each_leaf(uint64_t at, unsigned level)
{
	static const uint64_t places[] = {0x40000000, 0x40008000, 0x40001000};

	for (size_t u = 0; u < RIOMMU_ARRAY_SIZE(upper_bits); u++)
		for (size_t p = 0; p < RIOMMU_ARRAY_SIZE(places); p++)
			for (uint64_t low = 0; low < 1024; low++) {
				uint64_t pte = upper_bits[u] | places[p] >> 2 | low;

				/* a pointer leads on to another table: no request of this test */
				if (level && (pte & 0xf) == 1)
					continue;
				memory_put64(m.memory, at, pte, false);
				check_requests(pte, level);
			}
}

START_TEST(a_request_passes_a_first_stage_leaf_by_the_rules)
{
	unsigned level = (unsigned)_i % 3;
	struct stage s;

	way = (struct way){.updates = _i >= 3};
	m.dw[RIOMMU_DC_TC] |= way.updates ? RIOMMU_TC_SADE : 0;
	s = first_stage(RIOMMU_FSC_SV39);
	each_leaf(leaf_slot(&s, level), level);
}
END_TEST

START_TEST(a_supervisor_passes_a_first_stage_leaf_by_the_rules)
{
	uint64_t fsc;
	struct stage s = process_stage(RIOMMU_FSC_SV39, &fsc);

	way = (struct way){.supervisor = true, .sum = _i};
	process_context(RIOMMU_PDTP_PD8, 1, RIOMMU_PC_V | RIOMMU_PC_ENS | (_i ? RIOMMU_PC_SUM : 0),
			fsc);
	m.q.has_process_id = m.q.privileged = true;
	m.q.process_id = 1;
	each_leaf(leaf_slot(&s, 0), 0);
}
END_TEST

START_TEST(a_request_passes_a_second_stage_leaf_by_the_rules)
{
	unsigned level = (unsigned)_i % 3;
	struct stage s;

	way = (struct way){.updates = _i >= 3, .second = true};
	m.dw[RIOMMU_DC_TC] |= way.updates ? RIOMMU_TC_GADE : 0;
	s = second_stage(RIOMMU_HGATP_SV39X4);
	each_leaf(leaf_slot(&s, level), level);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proof-pte");
	TCase *tc = tcase_create("pte");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, an_entry_is_of_the_kind_that_the_rules_say, 0, 12);
	tcase_add_test(tc, a_32_bit_entry_is_of_the_kind_that_the_rules_say);
	tcase_add_loop_test(tc, a_request_passes_a_first_stage_leaf_by_the_rules, 0, 6);
	tcase_add_loop_test(tc, a_supervisor_passes_a_first_stage_leaf_by_the_rules, 0, 2);
	tcase_add_loop_test(tc, a_request_passes_a_second_stage_leaf_by_the_rules, 0, 6);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
