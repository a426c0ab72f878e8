/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk: first stage, second stage and both together (Privileged ISA; facts 3.5, 3.6). */
#include "walk-cases.h"
#include "walk/walk-internal.h"

#define VA 0x1234567u /* fits every mode; not aligned to any leaf */

/* Every mode: 32-bit, then three to five levels. */
static const struct {
	unsigned mode, levels, width;
	bool bits32;
} modes[] = {
	{RIOMMU_FSC_SV32, 2, 32, true},
	{RIOMMU_FSC_SV39, 3, 39, false},
	{RIOMMU_FSC_SV48, 4, 48, false},
	{RIOMMU_FSC_SV57, 5, 57, false},
};
#define MODES ((int)RIOMMU_ARRAY_SIZE(modes))

static struct stage make(int mode, bool second)
{
	if (modes[mode].bits32) {
		m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_SXL;
		if (second)
			m.w.fctl |= RIOMMU_FCTL_GXL;
	}
	return second ? second_stage(modes[mode].mode) : first_stage(modes[mode].mode);
}

/* Every mode of either stage: loop over 2 * MODES. */
static struct stage make_any(int i)
{
	return make(i / 2, i % 2);
}

#define PAGE_FAULT(i) ((i) % 2 ? 21u : 13u)

static unsigned offset_in(uint64_t address, uint64_t size)
{
	return (unsigned)(address & (size - 1));
}

/* -- leaves -------------------------------------------------------------------------------------- */

START_TEST(leaf_of_every_level_gives_its_page)
{
	struct stage s = make_any(_i);

	for (unsigned level = 0; level < s.levels; level++) {
		uint64_t size = leaf_size(&s, level);
		uint64_t pa = s.pte_size == 4 ? 3 * (uint64_t)0x100000000 : 5 * leaf_size(&s, 4);

		if (s.pte_size == 8 && level < 4)
			pa = 3 * size;
		map(&s, VA, level, LEAF(pa));
		ask(RIOMMU_READ, VA);
		expect_ok(pa | offset_in(VA, size));
		ck_assert_uint_eq(m.t.page_size, size);
		ck_assert_uint_eq(m.t.permissions, PERM_RWX);
		ck_assert_uint_eq(m.trace.step_count, 1 + s.levels - level);
		ck_assert_int_eq(last_step()->structure, _i % 2 ? RIOMMU_S_GPTE : RIOMMU_S_PTE);
		ck_assert_uint_eq(last_step()->level, level);
		ck_assert_uint_eq(last_step()->size, s.pte_size);
		ck_assert_uint_eq(last_step()->count, 1);
		map(&s, VA, level, 0);
	}
}
END_TEST

START_TEST(every_bit_of_the_page_number_selects_another_entry)
{
	struct stage s = make_any(_i);
	unsigned width = modes[_i / 2].width + (_i % 2 ? 2 : -1u);

	if (s.pte_size == 4 && !(_i % 2))
		width = 32;
	for (unsigned bit = 12; bit < width; bit++)
		map(&s, BIT(bit), 0, LEAF((uint64_t)bit << 12));
	for (unsigned bit = 12; bit < width; bit++) {
		ask(RIOMMU_READ, BIT(bit) | 0xabc);
		expect_ok((uint64_t)bit << 12 | 0xabc);
	}
}
END_TEST

START_TEST(misaligned_superpage_faults)
{
	struct stage s = make_any(_i);

	for (unsigned level = 1; level < s.levels; level++) {
		for (unsigned bit = 10; bit < 10 + s.index_bits * level; bit++) {
			map(&s, VA, level, LEAF_FLAGS | BIT(bit));
			ask(RIOMMU_READ, VA);
			expect_fault(PAGE_FAULT(_i));
		}
		map(&s, VA, level, 0);
	}
}
END_TEST

START_TEST(translated_address_may_lie_beyond_pas)
{
	struct stage s = make_any(_i);

	m.w.capabilities = (m.w.capabilities & ~riommu_mask(37, 32)) | (uint64_t)32 << 32;
	map(&s, VA, 0, LEAF(0x3fffff000));
	ask(RIOMMU_READ, VA);
	expect_ok(0x3fffff000 | (VA & 0xfff));
}
END_TEST

/* -- addresses ----------------------------------------------------------------------------------- */

START_TEST(iova_must_be_canonical)
{
	struct stage s = make(_i, false);
	unsigned width = modes[_i].width;
	uint64_t top = BIT(width - 1);

	/* sign extension; 32 bits are zero-extended */
	map(&s, modes[_i].bits32 ? top : -top, 0, LEAF(0x2000));
	ask(RIOMMU_READ, modes[_i].bits32 ? top : -top);
	expect_ok(0x2000);
	map(&s, (top - 1) & ~(uint64_t)0xfff, 0, LEAF(0x3000));
	ask(RIOMMU_READ, top - 1);
	expect_ok(0x3fff);
	for (unsigned bit = width; bit < 64; bit++) {
		ask(RIOMMU_READ, top ^ BIT(bit));
		expect_fault(13);
		ask(RIOMMU_WRITE, (top - 1) | BIT(bit));
		expect_fault(15);
		ck_assert_uint_eq(m.trace.step_count, 1);
	}
	if (!modes[_i].bits32) {
		ask(RIOMMU_EXEC, top);
		expect_fault(12);
	}
}
END_TEST

START_TEST(guest_address_must_not_be_wider_than_the_second_stage)
{
	struct stage s = make(_i, true);
	unsigned width = modes[_i].width + 2;
	uint64_t last = BIT(width) - RIOMMU_PAGE_SIZE;

	map(&s, last, 0, LEAF(0x2000));
	ask(RIOMMU_READ, last | 0xffe);
	expect_ok(0x2ffe);
	for (unsigned bit = width; bit < 64; bit++) {
		ask(RIOMMU_READ, last | BIT(bit) | 0xfff);
		expect_guest_fault(21, last | BIT(bit) | 0xffc);
		ck_assert_uint_eq(m.trace.step_count, 1);
	}
}
END_TEST

START_TEST(sxl_narrows_guest_addresses_to_34_bits)
{
	struct stage g;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_SXL;
	g = second_stage(modes[_i].mode);
	map(&g, BIT(34) - RIOMMU_PAGE_SIZE, 0, LEAF(0x2000));
	map(&g, BIT(34), 0, LEAF(0x3000));
	ask(RIOMMU_READ, BIT(34) - 1);
	expect_ok(0x2fff);
	ask(RIOMMU_READ, BIT(34));
	expect_guest_fault(21, BIT(34));
	ck_assert_uint_eq(m.trace.step_count, 1);
}
END_TEST

START_TEST(sxl_narrows_nothing_while_both_stages_are_bare)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_SXL;
	ask(RIOMMU_READ, 0xfedcba9876543210);
	expect_ok(0xfedcba9876543210);
	ck_assert_uint_eq(m.t.page_size, 0);
	ck_assert_uint_eq(m.t.permissions, PERM_RWX);
}
END_TEST

START_TEST(sv32_reaches_34_bit_guest_addresses)
{
	struct stage g = make(0, true), s = make(0, false);

	guest_memory(&g);
	map(&s, 0xfffff000, 0, LEAF(0x3fffff000));
	map(&g, 0x3fffff000, 0, LEAF(0x2ffffe000));
	ask(RIOMMU_WRITE, 0xfffffabc);
	expect_ok(0x2ffffeabc);
}
END_TEST

/* -- entries ------------------------------------------------------------------------------------- */

static const struct {
	const char *what;
	uint64_t set, clear;
	bool only64;
} malformed[] = {
	{"V=0", 0, RIOMMU_PTE_V, false},
	{"W without R", 0, RIOMMU_PTE_R, false},
	{"shadow stack", 0, RIOMMU_PTE_R | RIOMMU_PTE_X, false},
	{"bit 54", BIT(54), 0, true},
	{"bit 55", BIT(55), 0, true},
	{"bit 56", BIT(56), 0, true},
	{"bit 57", BIT(57), 0, true},
	{"bit 58", BIT(58), 0, true},
	{"PBMT 3", PBMT(3), 0, true},
	{"pointer in the last level", 0, RWX, false},
	{"pointer as it is above it", 0, LEAF_FLAGS & ~RIOMMU_PTE_V, false},
};

START_TEST(malformed_leaf_faults)
{
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(malformed); i++) {
		struct stage s = make_any(_i);

		if (malformed[i].only64 && s.pte_size == 4)
			continue;
		map(&s, VA, 0, (LEAF(0x2000) | malformed[i].set) & ~malformed[i].clear);
		ask(RIOMMU_READ, VA);
		expect_fault(PAGE_FAULT(_i));
		ck_assert_uint_eq(m.trace.step_count, 1 + s.levels);
	}
}
END_TEST

START_TEST(malformed_pointer_faults)
{
	static const uint64_t bits[] = {
		RIOMMU_PTE_A, RIOMMU_PTE_D, RIOMMU_PTE_U, PBMT(1), PBMT(2), PBMT(3),
		BIT(54),      BIT(55),      BIT(56),      BIT(57), BIT(58), RIOMMU_PTE_N,
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(bits); i++) {
		struct stage s = make_any(_i);
		uint64_t table = new_pages(1);

		if (bits[i] > UINT32_MAX && s.pte_size == 4)
			continue;
		map(&s, VA, 1, POINTER(table) | bits[i]);
		ask(RIOMMU_READ, VA);
		expect_fault(PAGE_FAULT(_i));
		ck_assert_uint_eq(m.trace.step_count, s.levels);
	}
}
END_TEST

START_TEST(bits_of_software_are_ignored)
{
	struct stage s = make_any(_i);

	map(&s, VA, 0, LEAF(0x2000) | BIT(8) | BIT(9));
	map(&s, VA, 1, POINTER(slot(&s, VA, 0) & ~RIOMMU_PAGE_MASK) | BIT(8) | BIT(9));
	ask(RIOMMU_READ, VA);
	expect_ok(0x2000 | (VA & 0xfff));
}
END_TEST

/* Loop: 64-bit modes of both stages. */
START_TEST(bits_60_and_59_are_softwares_with_svrsw60t59b_only)
{
	struct stage s = make_any(_i);
	uint64_t table;

	map(&s, VA, 0, LEAF(0x2000) | BIT(59) | BIT(60));
	table = slot(&s, VA, 0) & ~RIOMMU_PAGE_MASK;
	map(&s, VA, 1, POINTER(table) | BIT(60));
	ask(RIOMMU_READ, VA);
	expect_ok(0x2000 | (VA & 0xfff));
	m.w.capabilities &= ~RIOMMU_CAP_SVRSW60T59B;
	ask(RIOMMU_READ, VA);
	expect_fault(PAGE_FAULT(_i));
	ck_assert_uint_eq(last_step()->level, 1);
	map(&s, VA, 1, POINTER(table));
	for (unsigned bit = 59; bit <= 60; bit++) {
		map(&s, VA, 0, LEAF(0x2000) | BIT(bit));
		ask(RIOMMU_READ, VA);
		expect_fault(PAGE_FAULT(_i));
	}
}
END_TEST

START_TEST(pbmt_is_the_memory_type_with_svpbmt_only)
{
	struct stage s = make_any(_i);

	for (unsigned type = 0; type < 3; type++) {
		map(&s, VA, 0, LEAF(0x2000) | PBMT(type));
		m.w.capabilities |= RIOMMU_CAP_SVPBMT;
		ask(RIOMMU_READ, VA);
		expect_ok(0x2000 | (VA & 0xfff));
		ck_assert_uint_eq(m.t.memory_type, type);
		m.w.capabilities &= ~RIOMMU_CAP_SVPBMT;
		ask(RIOMMU_READ, VA);
		if (type)
			expect_fault(PAGE_FAULT(_i));
		else
			expect_ok(0x2000 | (VA & 0xfff));
	}
}
END_TEST

START_TEST(napot_leaf_maps_64_kib)
{
	struct stage s = make_any(_i);

	for (unsigned page = 0; page < 16; page++) {
		uint64_t va = 0x560000 + page * RIOMMU_PAGE_SIZE;

		map(&s, va, 0, LEAF(0x7778000) | RIOMMU_PTE_N);
		ask(RIOMMU_READ, va | 0x123);
		expect_ok(0x7770123 + page * RIOMMU_PAGE_SIZE);
		ck_assert_uint_eq(m.t.page_size, 0x10000);
	}
}
END_TEST

START_TEST(other_napot_encodings_fault)
{
	struct stage s = make_any(_i);

	for (uint64_t low = 0; low < 16; low++) {
		map(&s, VA, 0, LEAF(0x7770000 | low << 12) | RIOMMU_PTE_N);
		ask(RIOMMU_READ, VA);
		if (low == 8)
			expect_ok(0x7770000 | (VA & 0xffff));
		else
			expect_fault(PAGE_FAULT(_i));
	}
}
END_TEST

START_TEST(napot_needs_no_svpbmt_and_excuses_no_pbmt)
{
	struct stage s = make_any(_i);

	map(&s, VA, 0, LEAF(0x7778000) | RIOMMU_PTE_N | PBMT(3));
	ask(RIOMMU_READ, VA);
	expect_fault(PAGE_FAULT(_i));
	m.w.capabilities &= ~RIOMMU_CAP_SVPBMT;
	map(&s, VA, 0, LEAF(0x7778000) | RIOMMU_PTE_N);
	ask(RIOMMU_READ, VA);
	expect_ok(0x7770000 | (VA & 0xffff));
}
END_TEST

START_TEST(napot_superpage_faults)
{
	struct stage s = make_any(_i);

	for (unsigned level = 1; level < s.levels; level++) {
		map(&s, VA, level, LEAF(0) | RIOMMU_PTE_N);
		ask(RIOMMU_READ, VA);
		expect_fault(PAGE_FAULT(_i));
		map(&s, VA, level, 0);
	}
}
END_TEST

/* -- permissions --------------------------------------------------------------------------------- */

static const uint64_t permitted[] = {
	RIOMMU_PTE_R, RIOMMU_PTE_X, RIOMMU_PTE_R | RIOMMU_PTE_X, RIOMMU_PTE_R | RIOMMU_PTE_W, RWX,
};

START_TEST(access_needs_its_permission_and_no_other)
{
	static const uint64_t needs[] = {RIOMMU_PTE_R, RIOMMU_PTE_W, RIOMMU_PTE_X};
	struct stage s = make_any(_i);

	for (size_t p = 0; p < RIOMMU_ARRAY_SIZE(permitted); p++) {
		map(&s, VA, 0, (LEAF(0x2000) & ~RWX) | permitted[p]);
		for (size_t a = 0; a < 3; a++) {
			ask(by_access[a].access, VA);
			if (permitted[p] & needs[a]) {
				expect_ok(0x2000 | (VA & 0xfff));
				ck_assert_uint_eq(m.t.permissions, permitted[p] >> 1);
			} else {
				expect_fault(_i % 2 ? by_access[a].guest_page_fault
						    : by_access[a].page_fault);
			}
		}
	}
}
END_TEST

START_TEST(permissions_are_those_that_both_stages_give)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV39X4), s = first_stage(RIOMMU_FSC_SV39);
	uint64_t a = permitted[_i / 5], b = permitted[_i % 5];

	guest_memory(&g);
	map(&s, VA, 0, (LEAF(0x5000) & ~RWX) | a);
	map(&g, 0x5000, 0, (LEAF(0x2000) & ~RWX) | b);
	ask(RIOMMU_READ, VA);
	if (!(a & RIOMMU_PTE_R)) {
		expect_fault(13);
	} else if (!(b & RIOMMU_PTE_R)) {
		expect_guest_fault(21, 0x5000 | (VA & 0xffc));
	} else {
		expect_ok(0x2000 | (VA & 0xfff));
		ck_assert_uint_eq(m.t.permissions, (a & b) >> 1);
	}
}
END_TEST

START_TEST(request_without_process_id_is_one_of_a_user)
{
	struct stage s = make(_i, false);

	m.q.privileged = true; /* means nothing without a process_id */
	map(&s, VA, 0, LEAF(0x2000) & ~RIOMMU_PTE_U);
	for (size_t a = 0; a < 3; a++) {
		ask(by_access[a].access, VA);
		expect_fault(by_access[a].page_fault);
	}
}
END_TEST

START_TEST(second_stage_leaf_must_be_a_user_page)
{
	struct stage s = make(_i, true);

	map(&s, VA, 0, LEAF(0x2000) & ~RIOMMU_PTE_U);
	for (size_t a = 0; a < 3; a++) {
		ask(by_access[a].access, VA);
		expect_guest_fault(by_access[a].guest_page_fault, VA & ~3u);
	}
}
END_TEST

/* -- tables that cannot be read ------------------------------------------------------------------ */

START_TEST(table_that_is_not_held_is_unknown_and_named)
{
	struct stage s = make_any(_i);

	map(&s, VA, 1, POINTER(0x90000000));
	ask(RIOMMU_READ, VA);
	expect_unknown(0x90000000 + (VA >> 12 & ((1u << s.index_bits) - 1)) * (uint64_t)s.pte_size);
	ck_assert_uint_eq(last_step()->address, m.t.missing);
}
END_TEST

START_TEST(table_in_memory_that_does_not_exist_is_an_access_fault)
{
	struct stage s = make_any(_i);

	m.w.absent_is_fault = true;
	map(&s, VA, 1, POINTER(0x90000000));
	for (size_t a = 0; a < 3; a++) {
		ask(by_access[a].access, VA);
		expect_fault(by_access[a].access_fault);
		ck_assert_uint_eq(m.t.iotval2, 0);
	}
}
END_TEST

START_TEST(table_beyond_pas_is_an_access_fault)
{
	/* the last page below 2^PAS may be memory, the next one is not */
	static const unsigned widths[] = {32, 33, 44, 46, 52, 55, 56, 63};
	struct stage s = make_any(_i);

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(widths); i++) {
		m.w.capabilities = (m.w.capabilities & ~riommu_mask(37, 32)) | (uint64_t)widths[i]
										       << 32;
		if (widths[i] >= 56 || (s.pte_size == 4 && widths[i] > 33))
			continue; /* no entry can point there */
		map(&s, VA, 1, POINTER(BIT(widths[i]) - RIOMMU_PAGE_SIZE));
		ask(RIOMMU_READ, VA);
		ck_assert_int_eq(m.t.result, RIOMMU_UNKNOWN);
		map(&s, VA, 1, POINTER(BIT(widths[i])));
		ask(RIOMMU_READ, VA);
		expect_fault(5);
		ck_assert_uint_eq(last_step()->level, 1);
		riommu_translate(&m.w, &m.q, &m.t, NULL); /* by the short way, too */
		expect_fault(5);
	}
}
END_TEST

START_TEST(root_beyond_pas_is_an_access_fault)
{
	struct stage s = make_any(_i);
	enum riommu_dc_dword dword = _i % 2 ? RIOMMU_DC_IOHGATP : RIOMMU_DC_FSC;

	m.dw[dword] = MODE(modes[_i / 2].mode) | BIT(PAS - 12);
	ask(RIOMMU_WRITE, VA);
	expect_fault(7);
	ck_assert_uint_eq(m.trace.step_count, 1);
	ck_assert_uint_eq(s.levels, modes[_i / 2].levels);
}
END_TEST

START_TEST(pas_of_zero_leaves_no_memory_but_address_zero)
{
	m.w.capabilities &= ~riommu_mask(37, 32);
	ask(RIOMMU_READ, VA);
	expect_fault(257);
	ck_assert_uint_eq(m.trace.step_count, 0);
}
END_TEST

START_TEST(table_with_data_corruption_is_274)
{
	struct stage s = make_any(_i);

	memory_poison(m.memory, 0x90000000);
	map(&s, VA, 1, POINTER(0x90000000));
	ask(RIOMMU_READ, VA);
	expect_fault(274);
	ck_assert_uint_eq(m.t.iotval2, 0);
	ck_assert_uint_eq(last_step()->count, 0);
}
END_TEST

/* -- both stages --------------------------------------------------------------------------------- */

START_TEST(every_pair_of_modes_works)
{
	int first = _i / MODES, second = _i % MODES;
	struct stage g, s;

	if (modes[second].bits32 && !modes[first].bits32)
		return; /* GXL=1 requires SXL=1 */
	g = make(second, true);
	s = make(first, false);
	guest_memory(&g);
	map(&s, VA, 0, LEAF(0x5000));
	map(&g, 0x5000, 0, LEAF(0x2000));
	ask(RIOMMU_READ, VA);
	expect_ok(0x2000 | (VA & 0xfff));
	ck_assert_uint_eq(m.t.page_size, RIOMMU_PAGE_SIZE);
}
END_TEST

START_TEST(two_stage_trace_tells_guest_from_system_addresses)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV39X4), s = first_stage(RIOMMU_FSC_SV39);
	const struct riommu_step *step = m.trace.step;

	guest_memory(&g);
	map(&s, VA, 0, LEAF(0x5000));
	map(&g, 0x5000, 0, LEAF(0x2000));
	ask(RIOMMU_READ, VA);
	expect_ok(0x2000 | (VA & 0xfff));
	ck_assert_uint_eq(m.trace.step_count, 1 + 3 * 2 + 3);
	ck_assert_int_eq(step[0].structure, RIOMMU_S_DC);
	for (unsigned i = 0; i < 3; i++) {
		const struct riommu_step *gpte = &step[1 + 2 * i], *pte = gpte + 1;

		ck_assert_int_eq(gpte->structure, RIOMMU_S_GPTE);
		ck_assert(gpte->implicit);
		ck_assert_uint_eq(gpte->level, 2);
		ck_assert_uint_eq(gpte->guest, gpte->address);
		ck_assert_int_eq(pte->structure, RIOMMU_S_PTE);
		ck_assert(!pte->implicit);
		ck_assert_uint_eq(pte->level, 2 - i);
		ck_assert_uint_eq(pte->address, slot(&s, VA, 2 - i));
		ck_assert_uint_eq(pte->guest, GUEST(pte->address));
	}
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(step[7 + i].structure, RIOMMU_S_GPTE);
		ck_assert(!step[7 + i].implicit);
		ck_assert_uint_eq(step[7 + i].level, 2 - i);
		ck_assert_uint_eq(step[7 + i].address, slot(&g, 0x5000, 2 - i));
	}
}
END_TEST

START_TEST(longest_walk_has_56_steps_and_fits)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV57X4), s;
	uint64_t fsc, ddt = new_pages(2);

	s = process_stage(RIOMMU_FSC_SV57, &fsc);
	process_context(RIOMMU_PDTP_PD20, 0xfffff, RIOMMU_PC_V, fsc);
	map(&s, VA, 0, LEAF(0x5000));
	map(&g, 0x5000, 0, LEAF(0x2000));
	for (uint64_t pa = ROOT; pa < m.next_page; pa += RIOMMU_PAGE_SIZE)
		map(&g, GUEST(pa), 0, LEAF(pa)); /* each page of its own: five levels every time */
	memory_put64(m.memory, ddt, POINTER(ddt + RIOMMU_PAGE_SIZE), false);
	memory_put64(m.memory, ddt + RIOMMU_PAGE_SIZE, POINTER(ROOT), false);
	m.w.ddtp = PTE(ddt) | RIOMMU_DDTP_3LVL;
	m.q.has_process_id = true;
	m.q.process_id = 0xfffff;
	ask(RIOMMU_READ, VA);
	expect_ok(0x2000 | (VA & 0xfff));
	ck_assert_uint_eq(m.trace.step_count, 3 + 3 * 6 + 5 * 6 + 5);
	ck_assert_uint_le(m.trace.step_count, RIOMMU_MAX_STEPS);
}
END_TEST

START_TEST(page_size_is_that_of_the_smaller_stage)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV48X4), s = first_stage(RIOMMU_FSC_SV48);
	unsigned first = (unsigned)_i / 4, second = (unsigned)_i % 4;
	uint64_t size = leaf_size(&s, first < second ? first : second);
	uint64_t gpa = 0x4000000000000 / 2, pa = 0x3000000000000;

	guest_memory(&g);
	map(&s, VA, first, LEAF(gpa));
	map(&g, gpa | (VA & (leaf_size(&s, first) - 1)), second, LEAF(pa));
	ask(RIOMMU_READ, VA);
	ck_assert_int_eq(m.t.result, RIOMMU_OK);
	ck_assert_uint_eq(m.t.page_size, size);
	ck_assert_uint_eq(m.t.pa & (size - 1), VA & (size - 1));
}
END_TEST

START_TEST(napot_of_one_stage_limits_the_other)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV39X4), s = first_stage(RIOMMU_FSC_SV39);

	guest_memory(&g);
	map(&s, 0x230000, _i ? 1 : 0, LEAF(_i ? 0x400000 : 0x408000) | (_i ? 0 : RIOMMU_PTE_N));
	map(&g, _i ? 0x430000 : 0x400000, _i ? 0 : 1,
	    LEAF(_i ? 0x608000 : 0x600000) | (_i ? RIOMMU_PTE_N : 0));
	ask(RIOMMU_READ, 0x230123);
	expect_ok(0x600123);
	ck_assert_uint_eq(m.t.page_size, 0x10000);
}
END_TEST

START_TEST(memory_type_of_the_first_stage_wins_unless_it_is_pma)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV39X4), s = first_stage(RIOMMU_FSC_SV39);
	unsigned first = (unsigned)_i / 3, second = (unsigned)_i % 3;

	guest_memory(&g);
	map(&s, VA, 0, LEAF(0x5000) | PBMT(first));
	map(&g, 0x5000, 0, LEAF(0x2000) | PBMT(second));
	ask(RIOMMU_READ, VA);
	expect_ok(0x2000 | (VA & 0xfff));
	ck_assert_uint_eq(m.t.memory_type, first ? first : second);
}
END_TEST

/* The first-stage table at LEVEL is not mapped by the second stage. */
START_TEST(unmapped_first_stage_table_is_an_implicit_guest_page_fault)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV39X4), s = first_stage(RIOMMU_FSC_SV39);
	unsigned level = (unsigned)_i % 3;
	const struct access_causes *a = &by_access[_i / 3];
	uint64_t at;

	map(&s, VA, 0, LEAF(0x5000));
	at = slot(&s, VA, level);
	for (uint64_t pa = ROOT; pa < m.next_page; pa += RIOMMU_PAGE_SIZE)
		if (pa != (at & ~RIOMMU_PAGE_MASK))
			map(&g, GUEST(pa), 0, LEAF(pa));
	ask(a->access, VA);
	expect_guest_fault(a->guest_page_fault, GUEST(at & ~(uint64_t)3) | 1);
	ck_assert(last_step()->implicit);
}
END_TEST

START_TEST(unmapped_guest_page_is_an_explicit_guest_page_fault)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV39X4), s = first_stage(RIOMMU_FSC_SV39);

	guest_memory(&g);
	map(&s, VA, 0, LEAF(0x5000));
	ask(by_access[_i].access, VA);
	expect_guest_fault(by_access[_i].guest_page_fault, 0x5000 | (VA & 0xffc));
	ck_assert(!last_step()->implicit);
}
END_TEST

START_TEST(first_stage_table_is_read_with_read_permission)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV39X4), s = first_stage(RIOMMU_FSC_SV39);
	uint64_t flags = LEAF_FLAGS & ~RWX;

	map(&s, VA, 0, LEAF(0x5000));
	map(&g, 0x5000, 0, LEAF(0x2000));
	map(&g, GUEST(ROOT), 2, PTE(ROOT) | flags | RIOMMU_PTE_R);
	ask(by_access[_i].access, VA); /* W and X are not asked of the table's page */
	expect_ok(0x2000 | (VA & 0xfff));
	map(&g, GUEST(ROOT), 2, PTE(ROOT) | flags | RIOMMU_PTE_X);
	ask(by_access[_i].access, VA);
	expect_guest_fault(by_access[_i].guest_page_fault, GUEST(slot(&s, VA, 2)) | 1);
}
END_TEST

START_TEST(first_stage_table_where_there_is_no_memory_is_an_access_fault)
{
	struct stage g = second_stage(RIOMMU_HGATP_SV39X4), s = first_stage(RIOMMU_FSC_SV39);

	m.w.absent_is_fault = true;
	map(&g, GUEST(s.root), 0, LEAF(_i % 2 ? BIT(PAS) : 0x90000000));
	ask(by_access[_i / 2].access, VA);
	expect_fault(by_access[_i / 2].access_fault);
	ck_assert_uint_eq(m.t.iotval2, 0);
}
END_TEST

START_TEST(endianness_of_the_stages_is_independent)
{
	bool be = _i & 1, sbe = _i & 2, gxl = _i & 4;
	struct stage g, s;

	m.w.fctl = (be ? RIOMMU_FCTL_BE : 0) | (gxl ? RIOMMU_FCTL_GXL : 0);
	m.dw[RIOMMU_DC_TC] |= (sbe ? RIOMMU_TC_SBE : 0) | (gxl ? RIOMMU_TC_SXL : 0);
	g = second_stage(RIOMMU_HGATP_SV39X4);
	s = first_stage(RIOMMU_FSC_SV39);
	ck_assert(g.big_endian == be && s.big_endian == sbe);
	guest_memory(&g);
	map(&s, VA, 0, LEAF(0x5000));
	map(&g, 0x5000, 0, LEAF(0x2000));
	ask(RIOMMU_READ, VA);
	expect_ok(0x2000 | (VA & 0xfff));
	ck_assert_uint_eq(last_step()->value[0], LEAF(0x2000));
}
END_TEST

/* A public entry point takes any context, also one that the walk would refuse as misconfigured. */
START_TEST(process_directory_behind_a_reserved_mode_is_not_translated)
{
	struct riommu_dc dc = {.dwords = RIOMMU_DC_DWORDS};
	uint64_t spa = 0;

	dc.dw[RIOMMU_DC_IOHGATP] = MODE(_i);
	ck_assert_int_eq(walk_gpa_page(&m.w, &dc, 0x1000, &spa), -EBADMSG);
}
END_TEST

TCase *walk_stage_case(void)
{
	TCase *tc = tcase_create("stage");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_loop_test(tc, leaf_of_every_level_gives_its_page, 0, 2 * MODES);
	tcase_add_loop_test(tc, every_bit_of_the_page_number_selects_another_entry, 0, 2 * MODES);
	tcase_add_loop_test(tc, misaligned_superpage_faults, 0, 2 * MODES);
	tcase_add_loop_test(tc, translated_address_may_lie_beyond_pas, 0, 2 * MODES);
	tcase_add_loop_test(tc, iova_must_be_canonical, 0, MODES);
	tcase_add_loop_test(tc, guest_address_must_not_be_wider_than_the_second_stage, 0, MODES);
	tcase_add_loop_test(tc, sxl_narrows_guest_addresses_to_34_bits, 1, MODES);
	tcase_add_test(tc, sxl_narrows_nothing_while_both_stages_are_bare);
	tcase_add_test(tc, sv32_reaches_34_bit_guest_addresses);
	tcase_add_loop_test(tc, malformed_leaf_faults, 0, 2 * MODES);
	tcase_add_loop_test(tc, malformed_pointer_faults, 0, 2 * MODES);
	tcase_add_loop_test(tc, bits_of_software_are_ignored, 0, 2 * MODES);
	tcase_add_loop_test(tc, bits_60_and_59_are_softwares_with_svrsw60t59b_only, 2, 2 * MODES);
	tcase_add_loop_test(tc, pbmt_is_the_memory_type_with_svpbmt_only, 2, 2 * MODES);
	tcase_add_loop_test(tc, napot_leaf_maps_64_kib, 2, 2 * MODES);
	tcase_add_loop_test(tc, other_napot_encodings_fault, 2, 2 * MODES);
	tcase_add_loop_test(tc, napot_needs_no_svpbmt_and_excuses_no_pbmt, 2, 2 * MODES);
	tcase_add_loop_test(tc, napot_superpage_faults, 2, 2 * MODES);
	tcase_add_loop_test(tc, access_needs_its_permission_and_no_other, 0, 2 * MODES);
	tcase_add_loop_test(tc, permissions_are_those_that_both_stages_give, 0, 25);
	tcase_add_loop_test(tc, request_without_process_id_is_one_of_a_user, 0, MODES);
	tcase_add_loop_test(tc, second_stage_leaf_must_be_a_user_page, 0, MODES);
	tcase_add_loop_test(tc, table_that_is_not_held_is_unknown_and_named, 0, 2 * MODES);
	tcase_add_loop_test(tc, table_in_memory_that_does_not_exist_is_an_access_fault, 0,
			    2 * MODES);
	tcase_add_loop_test(tc, table_beyond_pas_is_an_access_fault, 0, 2 * MODES);
	tcase_add_loop_test(tc, root_beyond_pas_is_an_access_fault, 0, 2 * MODES);
	tcase_add_test(tc, pas_of_zero_leaves_no_memory_but_address_zero);
	tcase_add_loop_test(tc, table_with_data_corruption_is_274, 0, 2 * MODES);
	tcase_add_loop_test(tc, every_pair_of_modes_works, 0, MODES * MODES);
	tcase_add_test(tc, two_stage_trace_tells_guest_from_system_addresses);
	tcase_add_test(tc, longest_walk_has_56_steps_and_fits);
	tcase_add_loop_test(tc, page_size_is_that_of_the_smaller_stage, 0, 16);
	tcase_add_loop_test(tc, napot_of_one_stage_limits_the_other, 0, 2);
	tcase_add_loop_test(tc, memory_type_of_the_first_stage_wins_unless_it_is_pma, 0, 9);
	tcase_add_loop_test(tc, unmapped_first_stage_table_is_an_implicit_guest_page_fault, 0, 9);
	tcase_add_loop_test(tc, unmapped_guest_page_is_an_explicit_guest_page_fault, 0, 3);
	tcase_add_loop_test(tc, first_stage_table_is_read_with_read_permission, 0, 3);
	tcase_add_loop_test(tc, first_stage_table_where_there_is_no_memory_is_an_access_fault, 0,
			    6);
	tcase_add_loop_test(tc, endianness_of_the_stages_is_independent, 0, 8);
	tcase_add_loop_test(tc, process_directory_behind_a_reserved_mode_is_not_translated, 1, 8);
	tcase_add_loop_test(tc, process_directory_behind_a_reserved_mode_is_not_translated, 11, 16);
	return tc;
}
