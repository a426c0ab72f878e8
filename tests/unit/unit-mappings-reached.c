/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all devices reach, the address spaces of one, and its MSI page table. */
#include "mappings-cases.h"

static void put_dc(unsigned device, enum riommu_dc_dword dword, uint64_t value)
{
	memory_put64(m.memory, ROOT + 64 * device + 8 * dword, value, m.w.fctl & RIOMMU_FCTL_BE);
}

/* The context of the machine, for another device too. */
static void put_context(unsigned device)
{
	for (unsigned i = 0; i < RIOMMU_DC_DWORDS; i++)
		put_dc(device, i, m.dw[i]);
}

/* -- what is reached ----------------------------------------------------------------------------- */

struct seen {
	struct riommu_mapping mapping;
	struct riommu_space_ref refs[4];
	size_t ref_count;
};

static struct {
	struct seen v[32];
	size_t count;
	struct riommu_mapping_totals totals;
} all;

static int keep(void *arg, const struct riommu_reached *r)
{
	struct seen *s = &all.v[all.count];

	(void)arg;
	ck_assert_uint_lt(all.count, RIOMMU_ARRAY_SIZE(all.v));
	ck_assert_uint_le(r->ref_count, RIOMMU_ARRAY_SIZE(s->refs));
	s->mapping = *r->mapping;
	s->ref_count = r->ref_count;
	for (size_t i = 0; i < r->ref_count; i++)
		s->refs[i] = r->refs[i];
	all.count++;
	return 0;
}

static int reach(uint64_t first, uint64_t last)
{
	all.count = 0;
	return riommu_visit_reached(&m.w, first, last, keep, NULL, &all.totals);
}

static void expect_ref(size_t i, size_t ref, uint32_t device_id, enum riommu_space_kind kind,
		       uint32_t process_id)
{
	ck_assert_uint_gt(all.count, i);
	ck_assert_uint_gt(all.v[i].ref_count, ref);
	ck_assert_uint_eq(all.v[i].refs[ref].device_id, device_id);
	ck_assert_int_eq(all.v[i].refs[ref].kind, kind);
	ck_assert_uint_eq(all.v[i].refs[ref].process_id, process_id);
}

START_TEST(devices_with_the_same_tables_are_told_together)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);
	uint64_t at = map(&s, 0x1000, 0, LEAF(0x90001000));

	put_context(7);
	m.dw[RIOMMU_DC_TA] = (uint64_t)9 << 12; /* another PSCID, the same tables */
	put_context(2);
	ck_assert_int_eq(reach(0, UINT64_MAX), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_uint_eq(all.v[0].ref_count, 2);
	expect_ref(0, 0, 2, RIOMMU_SPACE_DEVICE, 0);
	expect_ref(0, 1, 7, RIOMMU_SPACE_DEVICE, 0);
	ck_assert_uint_eq(all.v[0].mapping.iova, 0x1000);
	ck_assert_uint_eq(memory_reads(m.memory, at), 1);
}
END_TEST

/* Whatever decides where a request goes tells two devices apart. */
START_TEST(devices_that_differ_are_told_apart)
{
	static const struct {
		enum riommu_dc_dword dword;
		uint64_t flip;
		size_t count;
	} cases[] = {
		{RIOMMU_DC_TC, RIOMMU_TC_SADE, 2},
		{RIOMMU_DC_TC, RIOMMU_TC_GADE, 2},
		{RIOMMU_DC_TC, RIOMMU_TC_DTF, 1},
		{RIOMMU_DC_IOHGATP, (uint64_t)1 << 44, 1}, /* GSCID */
		{RIOMMU_DC_MSI_ADDR_PATTERN, 0x4000, 2},
		{RIOMMU_DC_MSI_ADDR_MASK, 1, 2},
	};
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), first;

	guest_memory(&second);
	map(&second, 0x90000000, 0, LEAF(0x90000000));
	msi_table(0x20000000);
	first = first_stage(RIOMMU_FSC_SV39);
	map(&first, 0x1000, 0, LEAF(0x90000000));
	put_context(3);
	m.dw[cases[_i].dword] ^= cases[_i].flip;
	put_context(4);
	ck_assert_int_eq(reach(0x90000000, 0x90000fff), 0);
	ck_assert_uint_eq(all.count, cases[_i].count);
	expect_ref(0, 0, 3, RIOMMU_SPACE_DEVICE, 0);
	expect_ref(all.count - 1, 2 - all.count, 4, RIOMMU_SPACE_DEVICE, 0);
}
END_TEST

START_TEST(ranges_are_clipped_to_the_memory_that_is_asked_for)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	map(&s, 0x200000, 1, LEAF(0x90200000));
	map(&s, 0x400000, 1, LEAF(0x90400000));
	map(&s, 0x800000, 1, LEAF(0x90600000));
	map(&s, 0xa00000, 1, LEAF(0x90200000));
	put_context(1);
	ck_assert_int_eq(reach(0x903ffff0, 0x9040000f), 0);
	ck_assert_uint_eq(all.count, 2);
	ck_assert_uint_eq(all.v[0].mapping.iova, 0x3ffff0);
	ck_assert_uint_eq(all.v[0].mapping.last, 0x40000f);
	ck_assert_uint_eq(all.v[0].mapping.pa, 0x903ffff0);
	ck_assert_uint_eq(all.v[0].mapping.leaves, 2);
	ck_assert_uint_eq(all.v[1].mapping.iova, 0xbffff0);
	ck_assert_uint_eq(all.v[1].mapping.last, 0xbfffff);
}
END_TEST

/* Pages in no order, some above all that is asked for, some below; leaves of 64 KiB between them. */
START_TEST(a_page_is_found_wherever_its_entry_stands)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	for (unsigned i = 0; i < 512; i++) {
		uint64_t pa = 0x100000000 + (uint64_t)(i * 77 % 512) * 0x10000000;
		bool napot = i / 16 % 4 == 1;

		map(&s, i * 0x1000, 0,
		    napot ? LEAF(0x38000 + i / 16 * 0x10000) | RIOMMU_PTE_N : LEAF(pa));
	}
	put_context(1);
	for (unsigned i = 0; i < 512; i++) {
		bool napot = i / 16 % 4 == 1;
		uint64_t pa = napot ? 0x30000 + (uint64_t)i * 0x1000
				    : 0x100000000 + (uint64_t)(i * 77 % 512) * 0x10000000;

		ck_assert_int_eq(reach(pa, pa + 0xfff), 0);
		ck_assert_uint_eq(all.count, 1);
		ck_assert_uint_eq(all.v[0].mapping.iova, i * 0x1000);
		ck_assert_uint_eq(all.v[0].mapping.pa, pa);
		ck_assert_int_eq(reach(pa + 0xfff, pa + 0xfff), 0);
		ck_assert_uint_eq(all.count, 1);
		ck_assert_int_eq(reach(pa + 0x20000, pa + 0x20fff), 0);
		ck_assert_uint_eq(all.count, 0);
	}
}
END_TEST

/* 64 pages in no order. Entries: [+0] of 8 bytes, [+1] big endian, [+2] of 4 bytes, [+3] both; [0] first stage, [4] second, [8] both */
START_TEST(a_page_is_found_in_entries_of_any_format)
{
	bool be = _i & 1, bits32 = _i & 2, has_first = _i / 4 != 1, has_second = _i >= 4;
	struct stage first = {0}, second = {0};

	m.dw[RIOMMU_DC_TC] |= (be ? RIOMMU_TC_SBE : 0) | (bits32 ? RIOMMU_TC_SXL : 0);
	m.w.fctl = (be ? RIOMMU_FCTL_BE : 0) | (bits32 ? RIOMMU_FCTL_GXL : 0);
	if (has_second) {
		second = second_stage(RIOMMU_HGATP_SV39X4);
		guest_memory(&second);
	}
	if (has_first)
		first = first_stage(RIOMMU_FSC_SV39);
	for (uint64_t i = 0; i < 64; i++) {
		uint64_t pa = 0x100000000 + i * 29 % 64 * 0x100000, at = 0x10000 + i * 0x1000;

		if (has_second)
			map(&second, at, 0, LEAF(pa));
		if (has_first)
			map(&first, at, 0, LEAF(has_second ? at : pa));
	}
	put_context(1);
	for (uint64_t i = 0; i < 64; i++) {
		uint64_t pa = 0x100000000 + i * 29 % 64 * 0x100000;

		ck_assert_int_eq(reach(pa + 0x10, pa + 0x1f), 0);
		ck_assert_uint_eq(all.count, 1);
		ck_assert_uint_eq(all.v[0].mapping.iova, 0x10010 + i * 0x1000);
		ck_assert_uint_eq(all.v[0].mapping.last, 0x1001f + i * 0x1000);
		ck_assert_uint_eq(all.v[0].mapping.pa, pa + 0x10);
	}
	ck_assert_int_eq(reach(0x200000000, UINT64_MAX), 0);
	ck_assert_uint_eq(all.count, 0);
}
END_TEST

START_TEST(ddtp_bare_lets_everybody_everywhere)
{
	m.w.ddtp = RIOMMU_DDTP_BARE;
	ck_assert_int_eq(reach(0x1000, 0x2fff), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_uint_eq(all.v[0].ref_count, 0);
	ck_assert_int_eq(all.v[0].mapping.kind, RIOMMU_MAPPING_IDENTITY);
	ck_assert_uint_eq(all.v[0].mapping.iova, 0x1000);
	ck_assert_uint_eq(all.v[0].mapping.last, 0x2fff);
}
END_TEST

START_TEST(ddtp_off_lets_nobody_anywhere)
{
	m.w.ddtp = RIOMMU_DDTP_OFF;
	ck_assert_int_eq(reach(0, UINT64_MAX), 0);
	ck_assert_uint_eq(all.count, 0);
}
END_TEST

START_TEST(a_reserved_ddtp_mode_is_not_known)
{
	m.w.ddtp = PTE(ROOT) | 7;
	ck_assert_int_eq(reach(0, UINT64_MAX), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_int_eq(all.v[0].mapping.kind, RIOMMU_MAPPING_UNREADABLE);
	ck_assert_int_eq(all.v[0].mapping.error, -EBADMSG);
}
END_TEST

START_TEST(a_directory_that_cannot_be_read_is_told_with_no_device)
{
	m.w.ddtp = PTE(0x66666000) | RIOMMU_DDTP_1LVL;
	ck_assert_int_eq(reach(0, UINT64_MAX), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_uint_eq(all.v[0].ref_count, 0);
	ck_assert_int_eq(all.v[0].mapping.kind, RIOMMU_MAPPING_UNREADABLE);
	ck_assert_int_eq(all.v[0].mapping.error, -ENODATA);
	ck_assert_uint_eq(all.v[0].mapping.address, 0x66666000);
}
END_TEST

START_TEST(no_stage_reaches_all_that_is_asked_for)
{
	put_context(1);
	ck_assert_int_eq(reach(0x5000, 0x5fff), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_int_eq(all.v[0].mapping.kind, RIOMMU_MAPPING_IDENTITY);
	ck_assert_uint_eq(all.v[0].mapping.iova, 0x5000);
	ck_assert_uint_eq(all.v[0].mapping.last, 0x5fff);
	expect_ref(0, 0, 1, RIOMMU_SPACE_DEVICE, 0);
}
END_TEST

/* ATS: [0] translated requests are believed; [1] with T2GPA they go through the second stage */
START_TEST(translated_requests_are_a_space_of_their_own)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), first;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS | (_i ? RIOMMU_TC_T2GPA : 0);
	guest_memory(&second);
	map(&second, 0x3000, 0, LEAF(0x190003000));
	first = first_stage(RIOMMU_FSC_SV39);
	map(&first, 0x7000, 0, LEAF(0x3000));
	put_context(1);
	ck_assert_int_eq(reach(0x190003000, 0x190003fff), 0);
	ck_assert_uint_eq(all.count, 2);
	expect_ref(0, 0, 1, RIOMMU_SPACE_DEVICE, 0);
	ck_assert_uint_eq(all.v[0].mapping.iova, 0x7000);
	expect_ref(1, 0, 1, RIOMMU_SPACE_TRANSLATED, 0);
	ck_assert_uint_eq(all.v[1].mapping.iova, _i ? 0x3000 : 0x190003000);
	ck_assert_int_eq(all.v[1].mapping.kind,
			 _i ? RIOMMU_MAPPING_LEAVES : RIOMMU_MAPPING_IDENTITY);
}
END_TEST

START_TEST(each_process_reaches_by_its_own_tables)
{
	uint64_t fsc, other;
	struct stage s = process_stage(RIOMMU_FSC_SV39, &fsc);
	struct stage t = process_stage(RIOMMU_FSC_SV48, &other);
	uint64_t at = process_context(RIOMMU_PDTP_PD8, 3, RIOMMU_PC_V, fsc);

	map(&s, 0x1000, 0, LEAF(0x90000000));
	map(&t, 0x2000, 0, LEAF(0x90000000));
	put_sbe(at + 16, RIOMMU_PC_V);
	put_sbe(at + 24, other);
	put_sbe(at + 32, RIOMMU_PC_V);
	put_sbe(at + 40, fsc);
	put_sbe(at + 48, 0); /* not valid */
	put_sbe(at + 56, other);
	put_context(6);
	ck_assert_int_eq(reach(0x90000000, 0x90000fff), 0);
	/* requests without a process_id pass as they are */
	ck_assert_uint_eq(all.count, 3);
	expect_ref(0, 0, 6, RIOMMU_SPACE_DEVICE, 0);
	ck_assert_int_eq(all.v[0].mapping.kind, RIOMMU_MAPPING_IDENTITY);
	ck_assert_uint_eq(all.v[1].mapping.iova, 0x1000);
	expect_ref(1, 0, 6, RIOMMU_SPACE_PROCESS, 3);
	expect_ref(1, 1, 6, RIOMMU_SPACE_PROCESS, 5);
	ck_assert_uint_eq(all.v[2].mapping.iova, 0x2000);
	expect_ref(2, 0, 6, RIOMMU_SPACE_PROCESS, 4);
}
END_TEST

START_TEST(an_mrif_is_reached_by_its_own_address)
{
	uint64_t table = msi_table(0x300000);

	second_stage(RIOMMU_HGATP_SV39X4);
	put_msi_pte(table, (uint64_t)0xc0000200 >> 9 << 7 | 3, PTE(0xd0000000));
	put_context(1);
	ck_assert_int_eq(reach(0xc0000300, 0xc0000300), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_int_eq(all.v[0].mapping.kind, RIOMMU_MAPPING_MSI_MRIF);
	ck_assert_uint_eq(all.v[0].mapping.iova, 0x300000);
	ck_assert_int_eq(reach(0xc0000400, 0xc00007ff), 0);
	ck_assert_uint_eq(all.count, 0);
	ck_assert_int_eq(reach(0xc0000000, 0xc00001ff), 0);
	ck_assert_uint_eq(all.count, 0);
	/* and by that of the notice, which has 4 bytes */
	ck_assert_int_eq(reach(0xd0000003, 0xd0000fff), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_int_eq(reach(0xd0000004, 0xd0000fff), 0);
	ck_assert_uint_eq(all.count, 0);
}
END_TEST

START_TEST(an_interrupt_file_is_reached_where_it_is)
{
	second_stage(RIOMMU_HGATP_SV39X4);
	put_msi_pte(msi_table(0x300000), PTE(0xb0000000) | 7, 0);
	put_context(1);
	ck_assert_int_eq(reach(0xb0000ffc, 0xb0001fff), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_int_eq(all.v[0].mapping.kind, RIOMMU_MAPPING_MSI_FLAT);
	ck_assert_uint_eq(all.v[0].mapping.iova, 0x300ffc);
	ck_assert_uint_eq(all.v[0].mapping.last, 0x300fff);
	ck_assert_int_eq(reach(0xaffff000, 0xafffffff), 0);
	ck_assert_uint_eq(all.count, 0);
	ck_assert_int_eq(reach(0xb0001000, 0xb0001fff), 0);
	ck_assert_uint_eq(all.count, 0);
}
END_TEST

/* [0] X alone meets R and W, for a page and an interrupt file; [1] with R too */
START_TEST(what_no_access_is_permitted_to_is_not_reached)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), s;
	uint64_t denied = RIOMMU_PTE_W | (_i ? 0 : RIOMMU_PTE_R);

	guest_memory(&second);
	put_msi_pte(msi_table(0x300000), PTE(0x90000000) | 7, 0);
	map(&second, 0x5000, 0, LEAF(0x90001000) & ~RIOMMU_PTE_X);
	s = first_stage(RIOMMU_FSC_SV39);
	map(&s, 0x1000, 0, LEAF(0x300000) & ~denied);
	map(&s, 0x2000, 0, LEAF(0x5000) & ~denied);
	put_context(1);
	ck_assert_int_eq(reach(0x90000000, 0x90001fff), 0);
	ck_assert_uint_eq(all.count, _i ? 2 : 0);
}
END_TEST

/* Without MSI page tables a context has 32 bytes. */
START_TEST(guests_with_contexts_of_the_base_format_are_told)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4);

	m.w.capabilities &= ~(RIOMMU_CAP_MSI_FLAT | RIOMMU_CAP_MSI_MRIF);
	map(&second, 0x1000, 0, LEAF(0x90000000));
	for (unsigned device = 3; device <= 4; device++)
		for (unsigned i = 0; i < RIOMMU_DC_DWORDS_BASE; i++)
			memory_put64(m.memory, ROOT + 32 * device + 8 * i, m.dw[i], false);
	ck_assert_int_eq(reach(0x90000000, 0x90000fff), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_uint_eq(all.v[0].ref_count, 2);
	expect_ref(0, 0, 3, RIOMMU_SPACE_DEVICE, 0);
	expect_ref(0, 1, 4, RIOMMU_SPACE_DEVICE, 0);
}
END_TEST

static int pass(void *arg, const struct riommu_reached *r)
{
	(void)arg, (void)r;
	return 0;
}

/* 32 guests with 2 to the power of 59 bytes each. */
START_TEST(more_bytes_than_can_be_counted_are_as_many_as_can)
{
	struct riommu_mapping_totals totals;

	for (unsigned device = 0; device < 32; device++) {
		struct stage second = second_stage(RIOMMU_HGATP_SV57X4);

		for (uint64_t i = 0; i < 2048; i++)
			map(&second, i << 48, 4, LEAF(0));
		put_context(device);
		if (device == 30) {
			ck_assert_int_eq(
				riommu_visit_reached(&m.w, 0, UINT64_MAX, pass, NULL, &totals), 0);
			ck_assert_uint_eq(totals.bytes, (uint64_t)31 << 59);
		}
	}
	ck_assert_int_eq(riommu_visit_reached(&m.w, 0, UINT64_MAX, pass, NULL, &totals), 0);
	ck_assert_uint_eq(totals.bytes, UINT64_MAX);
	ck_assert_uint_eq(totals.leaves, 32 * 2048);
}
END_TEST

/* A guest whose tables never end takes only its own device's share. */
START_TEST(a_hostile_device_does_not_hide_the_next)
{
	struct stage s = first_stage(RIOMMU_FSC_SV57), t;

	ck_assert_int_eq(riommu_option_set(m.ctx, "max-pages", "1000"), 0);
	for (unsigned i = 0; i < 512; i++)
		memory_put64(m.memory, s.root + 8 * i, POINTER(s.root), false);
	put_context(1);
	t = first_stage(RIOMMU_FSC_SV39);
	map(&t, 0x1000, 0, LEAF(0x90000000));
	put_context(2);
	ck_assert_int_eq(reach(0x90000000, 0x90000fff), -EOVERFLOW);
	ck_assert(all.totals.truncated);
	ck_assert_uint_eq(all.count, 2);
	ck_assert_int_eq(all.v[0].mapping.kind, RIOMMU_MAPPING_UNREADABLE);
	ck_assert_int_eq(all.v[0].mapping.error, -EOVERFLOW);
	expect_ref(0, 0, 1, RIOMMU_SPACE_DEVICE, 0);
	expect_ref(1, 0, 2, RIOMMU_SPACE_DEVICE, 0);
	ck_assert_uint_eq(all.v[1].mapping.iova, 0x1000);
}
END_TEST

/* What is held at once does not decide what is told; only who shares tables is told by turns. */
START_TEST(spaces_come_in_turns)
{
	for (unsigned device = 1; device <= 5; device++) {
		struct stage s = first_stage(RIOMMU_FSC_SV39);

		map(&s, device * 0x1000, 0, LEAF(0x90000000));
		put_context(device);
	}
	put_context(6); /* the same tables as 5 */
	ck_assert_int_eq(riommu_option_set(m.ctx, "spaces", "2"), 0);
	ck_assert_int_eq(reach(0x90000000, 0x90000fff), 0);
	ck_assert_uint_eq(all.count, 5);
	ck_assert_uint_eq(all.totals.ranges, 5);
	for (unsigned i = 0; i < 5; i++) {
		expect_ref(i, 0, i + 1, RIOMMU_SPACE_DEVICE, 0);
		ck_assert_uint_eq(all.v[i].mapping.iova, (i + 1) * 0x1000);
	}
	expect_ref(4, 1, 6, RIOMMU_SPACE_DEVICE, 0);
	ck_assert_int_eq(riommu_option_set(m.ctx, "spaces", "1"), 0);
	ck_assert_int_eq(reach(0x90000000, 0x90000fff), 0);
	ck_assert_uint_eq(all.count, 6);
	expect_ref(5, 0, 6, RIOMMU_SPACE_DEVICE, 0);
}
END_TEST

/* A device's limit of tables is that of all its processes, in whatever turns they come. */
START_TEST(turns_share_the_limit_of_their_device)
{
	uint64_t fsc, at = 0;

	for (uint32_t process = 0; process < 3; process++) {
		struct stage s = process_stage(RIOMMU_FSC_SV39, &fsc);
		uint64_t table = new_pages(1);

		for (unsigned i = 0; i < 512; i++)
			memory_put64(m.memory, s.root + 8 * i, POINTER(table), false);
		if (!at)
			at = process_context(RIOMMU_PDTP_PD8, 0, RIOMMU_PC_V, fsc);
		put_sbe(at + 16 * process, RIOMMU_PC_V);
		put_sbe(at + 16 * process + 8, fsc);
	}
	put_context(1);
	ck_assert_int_eq(riommu_option_set(m.ctx, "max-pages", "1200"), 0);
	ck_assert_int_eq(riommu_option_set(m.ctx, "spaces", "1"), 0);
	ck_assert_int_eq(reach(0x90000000, 0x90000fff), -EOVERFLOW);
	ck_assert_uint_eq(all.count, 2);
	expect_ref(0, 0, 1, RIOMMU_SPACE_DEVICE, 0); /* passes as it is */
	expect_ref(1, 0, 1, RIOMMU_SPACE_PROCESS, 2);
	ck_assert_int_eq(all.v[1].mapping.error, -EOVERFLOW);
}
END_TEST

/* A guest may write other tables a moment later, and often they are not held: here they are not. */
START_TEST(whatever_a_guest_writes_the_second_stage_is_the_limit)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4);

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS | RIOMMU_TC_T2GPA;
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_FSC_SV39) | 0x66666;
	map(&second, 0x200000, 1, LEAF(0x90200000));
	put_context(1);
	all.count = 0;
	ck_assert_int_eq(riommu_visit_reachable(&m.w, 0, UINT64_MAX, keep, NULL, NULL), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_int_eq(all.v[0].mapping.kind, RIOMMU_MAPPING_LEAVES);
	ck_assert_uint_eq(all.v[0].mapping.pa, 0x90200000);
	ck_assert_uint_eq(all.v[0].ref_count, 2);
	expect_ref(0, 0, 1, RIOMMU_SPACE_DEVICE, 0);
	expect_ref(0, 1, 1, RIOMMU_SPACE_TRANSLATED, 0);
}
END_TEST

/* Without a second stage the first one is. */
START_TEST(the_first_stage_is_the_limit_of_what_is_no_guest)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	map(&s, 0x1000, 0, LEAF(0x90000000));
	put_context(1);
	all.count = 0;
	ck_assert_int_eq(riommu_visit_reachable(&m.w, 0, UINT64_MAX, keep, NULL, NULL), 0);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_uint_eq(all.v[0].mapping.iova, 0x1000);
}
END_TEST

/* -- address spaces ------------------------------------------------------------------------------ */

static struct {
	enum riommu_space_kind kind[8];
	bool has_pc[8];
	size_t count, errors;
} spaces;

static int keep_space(void *arg, const struct riommu_space_visit *v)
{
	(void)arg;
	if (!v->space) {
		spaces.errors++;
		return 0;
	}
	ck_assert_uint_lt(spaces.count, RIOMMU_ARRAY_SIZE(spaces.kind));
	spaces.kind[spaces.count] = v->space->kind;
	spaces.has_pc[spaces.count++] = v->space->has_pc;
	return 0;
}

static void visit_spaces(void)
{
	struct riommu_space space = device_space();

	spaces.count = spaces.errors = 0;
	ck_assert_int_eq(riommu_visit_spaces(&m.w, &space.dc, keep_space, NULL), 0);
}

START_TEST(a_context_that_is_not_used_has_no_space)
{
	m.dw[RIOMMU_DC_TC] = _i ? RIOMMU_TC_V | BIT(40) : 0;
	visit_spaces();
	ck_assert_uint_eq(spaces.count, 0);
}
END_TEST

/* tc and fsc make the spaces: DPE gives requests without a process_id process 0, if there is one */
START_TEST(spaces_follow_from_the_context)
{
	static const struct {
		uint64_t tc;
		uint32_t process_id;
		size_t count;
		bool has_pc;
	} cases[] = {
		{0, 3, 2, false},
		{RIOMMU_TC_DPE, 0, 2, true},
		{RIOMMU_TC_DPE, 3, 1, true}, /* no process 0: the device's own requests fault */
		{RIOMMU_TC_EN_ATS, 3, 3, false},
	};

	process_context(RIOMMU_PDTP_PD8, cases[_i].process_id, RIOMMU_PC_V, 0);
	m.dw[RIOMMU_DC_TC] |= cases[_i].tc;
	visit_spaces();
	ck_assert_uint_eq(spaces.count, cases[_i].count);
	ck_assert_int_eq(spaces.kind[0], _i == 2 ? RIOMMU_SPACE_PROCESS : RIOMMU_SPACE_DEVICE);
	ck_assert_int_eq(spaces.has_pc[0], cases[_i].has_pc);
	if (_i == 3)
		ck_assert_int_eq(spaces.kind[2], RIOMMU_SPACE_TRANSLATED);
	ck_assert_uint_eq(spaces.errors, 0);
}
END_TEST

/* pdtp Bare: no process has tables, and requests without a process_id are not process 0's */
START_TEST(a_process_directory_that_is_bare_has_no_processes)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_PDTV | RIOMMU_TC_DPE;
	visit_spaces();
	ck_assert_uint_eq(spaces.count, 1);
	ck_assert_int_eq(spaces.kind[0], RIOMMU_SPACE_DEVICE);
	ck_assert(!spaces.has_pc[0]);
	ck_assert_uint_eq(spaces.errors, 0);
}
END_TEST

START_TEST(processes_that_cannot_be_looked_at_are_told)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_PDTV;
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_PDTP_PD8) | 0x66666;
	visit_spaces();
	ck_assert_uint_eq(spaces.count, 1);
	ck_assert_uint_eq(spaces.errors, 1);
}
END_TEST

/* -- the MSI page table -------------------------------------------------------------------------- */

static struct {
	struct riommu_msi_entry v[16];
	size_t count;
} files;

static int keep_entry(void *arg, const struct riommu_msi_entry *e)
{
	(void)arg;
	ck_assert_uint_lt(files.count, RIOMMU_ARRAY_SIZE(files.v));
	files.v[files.count++] = *e;
	return 0;
}

static int visit_msi(void)
{
	struct riommu_space space = device_space();

	files.count = 0;
	return riommu_visit_msi(&m.w, &space.dc, keep_entry, NULL);
}

/* Bits of the mask in two places: the file number's bits are spread over the guest page number. [1] big endian */
START_TEST(entries_come_with_the_page_that_they_are_for)
{
	uint64_t table;

	m.w.fctl = _i ? RIOMMU_FCTL_BE : 0;
	table = msi_table(0x30000000);
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 0x103;
	put_msi_pte(table, PTE(0xb0000000) | 7, 0);
	put_msi_pte(table + 16 * 2, 0, 5);
	put_msi_pte(table + 16 * 3, PTE(0xb0000000) | 6, 0);
	put_msi_pte(table + 16 * 5, (uint64_t)0xc0000200 >> 9 << 7 | 3,
		    PTE(0xd0000000) | BIT(60) | 5);
	put_msi_pte(table + 16 * 6, PTE(0xb0000000) | 5, 0);
	put_msi_pte(table + 16 * 8, PTE(0xb0000000) | 7, 0); /* behind the last one */
	ck_assert_int_eq(visit_msi(), 0);
	ck_assert_uint_eq(files.count, 5);
	ck_assert_int_eq(files.v[0].kind, RIOMMU_MSI_ENTRY_FLAT);
	ck_assert_uint_eq(files.v[0].pa, 0xb0000000);
	ck_assert_uint_eq(files.v[0].gpa, 0x30000000);
	ck_assert_int_eq(files.v[1].kind, RIOMMU_MSI_ENTRY_INVALID);
	ck_assert_uint_eq(files.v[1].index, 2);
	ck_assert_int_eq(files.v[2].kind, RIOMMU_MSI_ENTRY_INVALID);
	ck_assert_int_eq(files.v[3].kind, RIOMMU_MSI_ENTRY_MRIF);
	ck_assert_uint_eq(files.v[3].index, 5);
	ck_assert_uint_eq(files.v[3].gpa, 0x30101000);
	ck_assert_uint_eq(files.v[3].address, table + 16 * 5);
	ck_assert_uint_eq(files.v[3].pa, 0xc0000200);
	ck_assert_uint_eq(files.v[3].notice_pa, 0xd0000000);
	ck_assert_uint_eq(files.v[3].notice_id, 0x405);
	ck_assert_int_eq(files.v[4].kind, RIOMMU_MSI_ENTRY_MALFORMED);
	ck_assert_uint_eq(files.v[4].cause, RIOMMU_CAUSE_MSI_PTE_MISCONFIGURED);
	ck_assert_ptr_nonnull(files.v[4].reason);
}
END_TEST

/* 1024 files, of which the first 256 are held: the other three pages are one line. */
START_TEST(pages_that_are_missing_are_one_entry)
{
	uint64_t table = msi_table(0x30000000);

	m.dw[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | 0x66664;
	memory_page(m.memory, 0x66664000);
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 0x3ff;
	put_msi_pte(0x66664000 + 16 * 255, PTE(table) | 7, 0);
	ck_assert_int_eq(visit_msi(), 0);
	ck_assert_uint_eq(files.count, 2);
	ck_assert_uint_eq(files.v[0].index, 255);
	ck_assert_int_eq(files.v[1].kind, RIOMMU_MSI_ENTRY_UNREADABLE);
	ck_assert_uint_eq(files.v[1].index, 256);
	ck_assert_uint_eq(files.v[1].count, 768);
	ck_assert_uint_eq(files.v[1].gpa, 0x30100000);
	ck_assert_int_eq(files.v[1].error, -ENODATA);
}
END_TEST

START_TEST(pages_that_are_missing_for_different_reasons_are_not)
{
	static const struct {
		uint64_t index, count;
		int error;
	} want[] = {{0, 256, -ENODATA}, {256, 256, -EHWPOISON}, {512, 512, -ENODATA}};

	msi_table(0x30000000);
	m.dw[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | 0x66664;
	memory_page(m.memory, 0x66665000);
	memory_poison(m.memory, 0x66665000);
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 0x3ff;
	ck_assert_int_eq(visit_msi(), 0);
	ck_assert_uint_eq(files.count, RIOMMU_ARRAY_SIZE(want));
	for (size_t i = 0; i < files.count; i++) {
		ck_assert_int_eq(files.v[i].kind, RIOMMU_MSI_ENTRY_UNREADABLE);
		ck_assert_uint_eq(files.v[i].index, want[i].index);
		ck_assert_uint_eq(files.v[i].count, want[i].count);
		ck_assert_int_eq(files.v[i].error, want[i].error);
	}
}
END_TEST

START_TEST(there_may_be_no_msi_table)
{
	if (_i)
		m.dw[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_OFF) | 0x80000;
	ck_assert_int_eq(visit_msi(), -ENODATA);
	ck_assert_uint_eq(files.count, 0);
}
END_TEST

START_TEST(a_mask_that_lies_ends_at_the_bound)
{
	msi_table(0);
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = riommu_mask(46, 0);
	ck_assert_int_eq(visit_msi(), -EOVERFLOW);
	ck_assert_uint_le(files.count, 2);
}
END_TEST

START_TEST(a_range_that_ends_before_it_starts_is_refused)
{
	struct riommu_mapping_totals totals;

	put_context(1);
	all.count = 0;
	ck_assert_int_eq(riommu_visit_reached(&m.w, 1, 0, keep, NULL, &totals), -EINVAL);
	ck_assert_int_eq(riommu_visit_reachable(&m.w, UINT64_MAX, 0, keep, NULL, NULL), -EINVAL);
	ck_assert_uint_eq(all.count, 0);
	ck_assert_uint_eq(totals.pages, 0);
}
END_TEST

TCase *reached_case(void)
{
	TCase *tc = tcase_create("reached");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, devices_with_the_same_tables_are_told_together);
	tcase_add_loop_test(tc, devices_that_differ_are_told_apart, 0, 6);
	tcase_add_test(tc, ranges_are_clipped_to_the_memory_that_is_asked_for);
	tcase_add_test(tc, a_page_is_found_wherever_its_entry_stands);
	tcase_add_loop_test(tc, a_page_is_found_in_entries_of_any_format, 0, 12);
	tcase_add_test(tc, ddtp_bare_lets_everybody_everywhere);
	tcase_add_test(tc, ddtp_off_lets_nobody_anywhere);
	tcase_add_test(tc, a_reserved_ddtp_mode_is_not_known);
	tcase_add_test(tc, a_directory_that_cannot_be_read_is_told_with_no_device);
	tcase_add_test(tc, no_stage_reaches_all_that_is_asked_for);
	tcase_add_loop_test(tc, translated_requests_are_a_space_of_their_own, 0, 2);
	tcase_add_test(tc, each_process_reaches_by_its_own_tables);
	tcase_add_test(tc, an_mrif_is_reached_by_its_own_address);
	tcase_add_test(tc, an_interrupt_file_is_reached_where_it_is);
	tcase_add_loop_test(tc, what_no_access_is_permitted_to_is_not_reached, 0, 2);
	tcase_add_test(tc, guests_with_contexts_of_the_base_format_are_told);
	tcase_add_test(tc, more_bytes_than_can_be_counted_are_as_many_as_can);
	tcase_add_test(tc, a_hostile_device_does_not_hide_the_next);
	tcase_add_test(tc, spaces_come_in_turns);
	tcase_add_test(tc, turns_share_the_limit_of_their_device);
	tcase_add_test(tc, whatever_a_guest_writes_the_second_stage_is_the_limit);
	tcase_add_test(tc, the_first_stage_is_the_limit_of_what_is_no_guest);
	tcase_add_loop_test(tc, a_context_that_is_not_used_has_no_space, 0, 2);
	tcase_add_loop_test(tc, spaces_follow_from_the_context, 0, 4);
	tcase_add_test(tc, a_process_directory_that_is_bare_has_no_processes);
	tcase_add_test(tc, processes_that_cannot_be_looked_at_are_told);
	tcase_add_loop_test(tc, entries_come_with_the_page_that_they_are_for, 0, 2);
	tcase_add_test(tc, pages_that_are_missing_are_one_entry);
	tcase_add_test(tc, pages_that_are_missing_for_different_reasons_are_not);
	tcase_add_loop_test(tc, there_may_be_no_msi_table, 0, 2);
	tcase_add_test(tc, a_mask_that_lies_ends_at_the_bound);
	tcase_add_test(tc, a_range_that_ends_before_it_starts_is_refused);
	return tc;
}
