/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk: MSI page tables, flat and MRIF (AIA; facts 2.8, 3.7). */
#include "walk-cases.h"

#define GPA  0x28000000u /* of the first interrupt file; 256 of them */
#define FILE 0x28005000u /* of the one that is written to */
#define NPPN 0x12345000u
#define FLAT (RIOMMU_PTE_V | BIT(1) | BIT(2) | PTE(NPPN))
#define MRIF (RIOMMU_PTE_V | BIT(1))

static struct stage g;
static uint64_t entry; /* of FILE in the MSI table */

static void setup(void)
{
	g = second_stage(RIOMMU_HGATP_SV39X4);
	entry = msi_table(GPA) + 5 * 16;
	put_msi_pte(entry, FLAT, 0);
}

/* The flat entry is good: what a test changes is what it sees. */
static void expect_file(void)
{
	ask(RIOMMU_WRITE, FILE | 4);
	expect_ok(NPPN | 4);
	ck_assert_int_eq(m.t.msi, RIOMMU_MSI_FLAT);
}

static void expect_second_stage(uint64_t gpa)
{
	ask(RIOMMU_WRITE, gpa);
	expect_guest_fault(23, gpa & ~(uint64_t)3);
}

/* -- which addresses ----------------------------------------------------------------------------- */

START_TEST(write_to_an_interrupt_file_is_redirected)
{
	expect_file();
	ck_assert_uint_eq(m.t.page_size, RIOMMU_PAGE_SIZE);
	ck_assert(m.t.has_permissions);
	ck_assert_uint_eq(m.t.permissions, PERM_RW);
	ck_assert_int_eq(m.t.memory_type, RIOMMU_PMA);
	ck_assert_uint_eq(m.trace.step_count, 2);
	ck_assert_int_eq(last_step()->structure, RIOMMU_S_MSI_PTE);
	ck_assert_uint_eq(last_step()->address, entry);
	ck_assert_uint_eq(last_step()->level, 0);
	ck_assert(!last_step()->implicit);
	ck_assert_uint_eq(last_step()->count, 2);
	ck_assert_uint_eq(last_step()->value[0], FLAT);
}
END_TEST

START_TEST(read_of_an_interrupt_file_is_redirected_too)
{
	ask(RIOMMU_READ, FILE);
	expect_ok(NPPN);
	ck_assert_int_eq(m.t.msi, RIOMMU_MSI_FLAT);
}
END_TEST

START_TEST(other_addresses_go_through_the_second_stage)
{
	expect_second_stage(GPA - 1);
	expect_second_stage(GPA + 256 * 0x1000);
	expect_second_stage(GPA ^ BIT(40));
}
END_TEST

START_TEST(table_that_is_off_is_not_looked_at)
{
	m.dw[RIOMMU_DC_MSIPTP] &= ~MODE(15);
	expect_second_stage(FILE);
}
END_TEST

START_TEST(base_format_has_no_msi_table)
{
	m.w.capabilities &= ~RIOMMU_CAP_MSI_FLAT;
	expect_second_stage(FILE);
}
END_TEST

START_TEST(file_number_packs_the_bits_of_the_mask)
{
	/* mask 1011 0001: address bits 12, 16, 17, 19 become the number */
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 0xb1;
	m.dw[RIOMMU_DC_MSI_ADDR_PATTERN] = (GPA >> 12) | 0x0a;
	put_msi_pte((entry & ~RIOMMU_PAGE_MASK) + 13 * 16, FLAT, 0);
	ask(RIOMMU_WRITE, GPA | 0xa1000 | 0x0a000); /* bits 0, 5, 7 are set of 0, 4, 5, 7: 1101 */
	expect_ok(NPPN);
	ck_assert_uint_eq(last_step()->address, (entry & ~RIOMMU_PAGE_MASK) + 13 * 16);
	expect_second_stage(GPA | 0xa1000); /* the bits outside the mask must match */
}
END_TEST

START_TEST(pattern_bits_under_the_mask_do_not_matter)
{
	m.dw[RIOMMU_DC_MSI_ADDR_PATTERN] |= 0xff;
	expect_file();
}
END_TEST

START_TEST(address_of_the_entry_is_base_or_offset)
{
	/* 512 files need 8 KiB; a table that starts at an odd page aliases onto itself */
	uint64_t table = new_pages(2) + RIOMMU_PAGE_SIZE;

	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 0x1ff;
	m.dw[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | table >> RIOMMU_PAGE_SHIFT;
	put_msi_pte(table + 0x50, FLAT, 0);
	ask(RIOMMU_WRITE, FILE | 0x100000);
	expect_ok(NPPN);
	ck_assert_uint_eq(last_step()->address, table + 0x50);
}
END_TEST

/* MGPAW by the widest second stage that capabilities have; PAS where they have none. */
static const struct {
	uint64_t without;
	unsigned bits;
} mgpaw[] = {
	{0, 59},
	{RIOMMU_CAP_SV57X4, 50},
	{RIOMMU_CAP_SV57X4 | RIOMMU_CAP_SV48X4, 41},
};

START_TEST(guest_address_beyond_mgpaw_is_no_interrupt_file)
{
	m.w.capabilities &= ~mgpaw[_i].without;
	expect_file();
	for (unsigned bit = mgpaw[_i].bits; bit < 64; bit++)
		expect_second_stage(FILE | BIT(bit));
}
END_TEST

START_TEST(interrupt_file_is_found_behind_a_first_stage)
{
	struct stage s = first_stage(RIOMMU_FSC_SV48);

	guest_memory(&g);
	map(&s, 0x777000, 0, LEAF(FILE) | PBMT(RIOMMU_IO));
	ask(RIOMMU_WRITE, 0x777040);
	expect_ok(NPPN | 0x40);
	ck_assert_int_eq(m.t.msi, RIOMMU_MSI_FLAT);
	ck_assert_int_eq(m.t.memory_type, RIOMMU_IO); /* of the first stage; the entry has none */
	map(&s, 0x777000, 0, LEAF(FILE) & ~RIOMMU_PTE_W);
	ask(RIOMMU_WRITE, 0x777040);
	expect_fault(15);
}
END_TEST

START_TEST(table_of_a_big_endian_iommu_is_big_endian)
{
	m.w.fctl = RIOMMU_FCTL_BE;
	put_msi_pte(entry, FLAT, 0);
	expect_file();
}
END_TEST

/* -- entries ------------------------------------------------------------------------------------- */

START_TEST(entry_that_is_not_valid_is_262)
{
	put_msi_pte(entry, ~(uint64_t)1, ~(uint64_t)0);
	ask(RIOMMU_WRITE, FILE);
	expect_fault(262);
}
END_TEST

START_TEST(custom_entry_is_263)
{
	put_msi_pte(entry, FLAT | BIT(63), 0);
	ask(RIOMMU_WRITE, FILE);
	expect_fault(263);
}
END_TEST

START_TEST(reserved_mode_of_an_entry_is_263)
{
	put_msi_pte(entry, RIOMMU_PTE_V | (_i ? BIT(2) : 0), 0);
	ask(RIOMMU_WRITE, FILE);
	expect_fault(263);
}
END_TEST

START_TEST(flat_entry_has_these_reserved_bits)
{
	for (unsigned bit = 3; bit < 63; bit++) {
		bool reserved = bit <= 9 || bit >= 54;

		put_msi_pte(entry, (FLAT & ~PTE(NPPN)) | BIT(bit), 0);
		ask(RIOMMU_WRITE, FILE);
		if (reserved)
			expect_fault(263);
		else
			expect_ok(BIT(bit) << 2);
	}
}
END_TEST

START_TEST(second_doubleword_of_a_flat_entry_is_softwares)
{
	put_msi_pte(entry, FLAT, ~(uint64_t)0);
	expect_file();
}
END_TEST

START_TEST(mrif_entry_has_these_reserved_bits)
{
	for (unsigned bit = 3; bit < 128; bit++) {
		bool reserved =
			bit < 64 ? bit <= 6 || bit >= 54 : (bit >= 64 + 54 && bit != 64 + 60);
		uint64_t dw[2] = {MRIF, 0};

		dw[bit / 64] |= BIT(bit % 64);
		put_msi_pte(entry, dw[0], dw[1]);
		ask(RIOMMU_WRITE, FILE);
		if (reserved)
			expect_fault(263);
		else
			ck_assert_int_eq(m.t.result, RIOMMU_OK);
	}
}
END_TEST

START_TEST(mrif_entry_gives_file_notice_address_and_notice_id)
{
	for (unsigned bit = 9; bit < 56; bit++) {
		put_msi_pte(entry, MRIF | BIT(bit - 2), PTE(NPPN) | BIT(60) | 0x2a5);
		ask(RIOMMU_WRITE, FILE | 4);
		expect_ok(NPPN | 4);
		ck_assert_int_eq(m.t.msi, RIOMMU_MSI_MRIF);
		ck_assert_uint_eq(m.t.mrif_address, BIT(bit));
		ck_assert_uint_eq(m.t.notice_id, 0x6a5);
		ck_assert(!m.t.has_permissions);
		ck_assert_uint_eq(m.t.page_size, RIOMMU_PAGE_SIZE);
	}
}
END_TEST

START_TEST(mrif_entry_needs_the_capability)
{
	m.w.capabilities &= ~RIOMMU_CAP_MSI_MRIF;
	expect_file();
	put_msi_pte(entry, MRIF, PTE(NPPN));
	ask(RIOMMU_WRITE, FILE);
	expect_fault(263);
}
END_TEST

START_TEST(execution_from_an_interrupt_file_is_cause_1)
{
	put_msi_pte(entry, _i ? MRIF : FLAT, 0);
	ask(RIOMMU_EXEC, FILE);
	expect_fault(1);
	put_msi_pte(entry, 0, 0); /* what is wrong with the entry comes first */
	ask(RIOMMU_EXEC, FILE);
	expect_fault(262);
}
END_TEST

START_TEST(translated_request_reaches_interrupt_files_with_t2gpa)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS | RIOMMU_TC_T2GPA;
	m.q.type = RIOMMU_TRANSLATED;
	ask(RIOMMU_WRITE, FILE | 8);
	expect_ok(NPPN | 8);
	ck_assert_int_eq(m.t.msi, RIOMMU_MSI_FLAT);
	ck_assert(!m.t.has_permissions);
}
END_TEST

/* -- tables that cannot be read ------------------------------------------------------------------ */

static void move_table(uint64_t pa)
{
	m.dw[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | pa >> RIOMMU_PAGE_SHIFT;
	ask(RIOMMU_WRITE, FILE);
}

START_TEST(table_that_is_not_held_is_unknown_and_named)
{
	move_table(0x90000000);
	expect_unknown(0x90000050);
}
END_TEST

START_TEST(table_where_there_is_no_memory_is_261)
{
	m.w.absent_is_fault = true;
	move_table(_i ? BIT(PAS) : 0x90000000);
	expect_fault(261);
	ck_assert_uint_eq(m.trace.step_count, _i ? 1 : 2);
}
END_TEST

START_TEST(mask_of_all_ones_makes_an_address_beyond_pas)
{
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = riommu_mask(59 - 13, 0);
	ask(RIOMMU_WRITE, BIT(58));
	expect_fault(261);
}
END_TEST

START_TEST(table_with_data_corruption_is_270)
{
	memory_poison(m.memory, 0x90000000);
	move_table(0x90000000);
	expect_fault(270);
}
END_TEST

/* -- ATS ----------------------------------------------------------------------------------------- */

START_TEST(ats_request_for_an_interrupt_file_is_granted_read_and_write)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	m.q.type = RIOMMU_ATS;
	put_msi_pte(entry, _i / 3 ? MRIF : FLAT, PTE(NPPN));
	ask(by_access[_i % 3].access, FILE);
	expect_ok(NPPN);
	ck_assert(m.t.has_permissions);
	ck_assert_uint_eq(m.t.permissions, PERM_RW);
	ck_assert_int_eq(m.t.ats_untranslated_only, _i / 3);
	ck_assert(!m.t.ats_global);
}
END_TEST

/* To execute is asked for by a process only (PASID); it is not granted, and reading is. */
START_TEST(ats_request_of_a_process_to_execute_an_interrupt_file_is_granted_the_rest)
{
	guest_memory(&g);
	process_context(RIOMMU_PDTP_PD8, 3, RIOMMU_PC_V, 0);
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	m.q.type = RIOMMU_ATS;
	m.q.has_process_id = true;
	m.q.process_id = 3;
	ask(RIOMMU_EXEC, FILE);
	expect_ok(NPPN);
	ck_assert_uint_eq(m.t.permissions, PERM_RW);
	m.q.type = RIOMMU_UNTRANSLATED;
	ask(RIOMMU_EXEC, FILE);
	expect_fault(1);
}
END_TEST

/* -- leaves of the second stage around the window ------------------------------------------------ */

START_TEST(leaf_beside_the_window_shrinks_to_leave_it_out)
{
	map(&g, 0, 2, LEAF(0x40000000));
	ask(RIOMMU_READ, 0x12345678); /* same GiB, other 2 MiB */
	expect_ok(0x52345678);
	ck_assert_uint_eq(m.t.page_size, 0x200000);
	ask(RIOMMU_READ, GPA + 0x100000); /* same 2 MiB: the window is its first half */
	expect_ok(0x40000000 + GPA + 0x100000);
	ck_assert_uint_eq(m.t.page_size, RIOMMU_PAGE_SIZE);
}
END_TEST

START_TEST(leaf_without_a_window_keeps_its_size)
{
	map(&g, 0x40000000, 2, LEAF(0x40000000));
	ask(RIOMMU_READ, 0x40000000 | (GPA & 0x3fffffff));
	ck_assert_uint_eq(m.t.page_size, 0x40000000);
}
END_TEST

START_TEST(napot_leaf_beside_the_window_shrinks_to_a_page)
{
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 1; /* two files, the first of 16 pages */
	map(&g, GPA + 0x2000, 0, LEAF(0x48000) | RIOMMU_PTE_N);
	map(&g, GPA + 0x10000, 0, LEAF(0x58000) | RIOMMU_PTE_N);
	ask(RIOMMU_READ, GPA + 0x2123);
	expect_ok(0x42123);
	ck_assert_uint_eq(m.t.page_size, RIOMMU_PAGE_SIZE);
	ask(RIOMMU_READ, GPA + 0x10000);
	expect_ok(0x50000);
	ck_assert_uint_eq(m.t.page_size, 0x10000);
}
END_TEST

START_TEST(leaf_of_4_mib_beside_the_window_shrinks_to_a_page)
{
	uint64_t msiptp = m.dw[RIOMMU_DC_MSIPTP];

	m.w.fctl = RIOMMU_FCTL_GXL;
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_SXL;
	g = second_stage(RIOMMU_HGATP_SV32X4);
	m.dw[RIOMMU_DC_MSIPTP] = msiptp;
	map(&g, GPA, 1, LEAF(0x400000));
	ask(RIOMMU_READ, GPA + 0x200000);
	expect_ok(0x600000);
	ck_assert_uint_eq(m.t.page_size, RIOMMU_PAGE_SIZE);
}
END_TEST

TCase *walk_msi_case(void)
{
	TCase *tc = tcase_create("msi");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, write_to_an_interrupt_file_is_redirected);
	tcase_add_test(tc, read_of_an_interrupt_file_is_redirected_too);
	tcase_add_test(tc, other_addresses_go_through_the_second_stage);
	tcase_add_test(tc, table_that_is_off_is_not_looked_at);
	tcase_add_test(tc, base_format_has_no_msi_table);
	tcase_add_test(tc, file_number_packs_the_bits_of_the_mask);
	tcase_add_test(tc, pattern_bits_under_the_mask_do_not_matter);
	tcase_add_test(tc, address_of_the_entry_is_base_or_offset);
	tcase_add_loop_test(tc, guest_address_beyond_mgpaw_is_no_interrupt_file, 0,
			    (int)RIOMMU_ARRAY_SIZE(mgpaw));
	tcase_add_test(tc, interrupt_file_is_found_behind_a_first_stage);
	tcase_add_test(tc, table_of_a_big_endian_iommu_is_big_endian);
	tcase_add_test(tc, entry_that_is_not_valid_is_262);
	tcase_add_test(tc, custom_entry_is_263);
	tcase_add_loop_test(tc, reserved_mode_of_an_entry_is_263, 0, 2);
	tcase_add_test(tc, flat_entry_has_these_reserved_bits);
	tcase_add_test(tc, second_doubleword_of_a_flat_entry_is_softwares);
	tcase_add_test(tc, mrif_entry_has_these_reserved_bits);
	tcase_add_test(tc, mrif_entry_gives_file_notice_address_and_notice_id);
	tcase_add_test(tc, mrif_entry_needs_the_capability);
	tcase_add_loop_test(tc, execution_from_an_interrupt_file_is_cause_1, 0, 2);
	tcase_add_test(tc, translated_request_reaches_interrupt_files_with_t2gpa);
	tcase_add_test(tc, table_that_is_not_held_is_unknown_and_named);
	tcase_add_loop_test(tc, table_where_there_is_no_memory_is_261, 0, 2);
	tcase_add_test(tc, mask_of_all_ones_makes_an_address_beyond_pas);
	tcase_add_test(tc, table_with_data_corruption_is_270);
	tcase_add_loop_test(tc, ats_request_for_an_interrupt_file_is_granted_read_and_write, 0, 6);
	tcase_add_test(tc,
		       ats_request_of_a_process_to_execute_an_interrupt_file_is_granted_the_rest);
	tcase_add_test(tc, leaf_beside_the_window_shrinks_to_leave_it_out);
	tcase_add_test(tc, leaf_without_a_window_keeps_its_size);
	tcase_add_test(tc, napot_leaf_beside_the_window_shrinks_to_a_page);
	tcase_add_test(tc, leaf_of_4_mib_beside_the_window_shrinks_to_a_page);
	return tc;
}
