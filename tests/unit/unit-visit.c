/* SPDX-License-Identifier: GPL-2.0-or-later */
/* visit: all contexts of a directory and all pages of tables, drawn by someone honest, careless or hostile. */
#include "memory.h"
#include "walk/walk.h"
#include "runner.h"

#include <check.h>
#include <stdlib.h>

#define ROOT 0x80200000u

#define POINTER(pa) \
	((uint64_t)(pa) >> 2 | RIOMMU_PTE_V) /* non-leaf entry, of a directory or of a table */
#define LEAF(pa) \
	(POINTER(pa) | RIOMMU_PTE_R | RIOMMU_PTE_W | RIOMMU_PTE_U | RIOMMU_PTE_A | RIOMMU_PTE_D)
#define MODE(mode, pa) ((uint64_t)(mode) << 60 | (uint64_t)(pa) >> 12)

static struct riommu_ctx *ctx;
static struct memory *mem;
static struct riommu_walker w;

/* An IOMMU that can do everything, 64-byte contexts, one level of directory at ROOT, 46 address bits. */
static void setup(void)
{
	ctx = riommu_ctx_new();
	mem = memory_new();
	ck_assert_ptr_nonnull(ctx);
	w = (struct riommu_walker){
		.memory = memory_source(mem, ctx),
		.capabilities = 0x10 | RIOMMU_CAP_SV32 | RIOMMU_CAP_SV39 | RIOMMU_CAP_SV48 |
				RIOMMU_CAP_SV57 | RIOMMU_CAP_SV32X4 | RIOMMU_CAP_SV39X4 |
				RIOMMU_CAP_SV48X4 | RIOMMU_CAP_SV57X4 | RIOMMU_CAP_MSI_FLAT |
				RIOMMU_CAP_END | RIOMMU_CAP_PD8 | RIOMMU_CAP_PD17 |
				RIOMMU_CAP_PD20 | (uint64_t)46 << 32,
		.ddtp = ROOT >> 2 | RIOMMU_DDTP_1LVL,
		.gxl_writable = true,
		.be_writable = true,
	};
}

static void teardown(void)
{
	riommu_source_close(w.memory);
	memory_free(mem);
	riommu_ctx_free(ctx);
}

static bool big(void)
{
	return w.fctl & RIOMMU_FCTL_BE;
}

/* A doubleword of the context at index I of the leaf page PAGE. */
static void put_dc(uint64_t page, unsigned i, enum riommu_dc_dword dword, uint64_t value)
{
	unsigned size = w.capabilities & RIOMMU_CAP_MSI_FLAT ? 64 : 32;

	memory_put64(mem, page + i * size + 8u * dword, value, big());
}

/* -- contexts ---------------------------------------------------------------------------------- */

struct contexts {
	uint32_t id[32];
	uint64_t tc[32];
	size_t count;
	struct riommu_dc_visit gap[8];
	size_t gaps;
	int stop_with;
};

static int see_dc(void *arg, const struct riommu_dc_visit *v)
{
	struct contexts *c = arg;

	if (!v->dc) {
		ck_assert_uint_lt(c->gaps, RIOMMU_ARRAY_SIZE(c->gap));
		c->gap[c->gaps++] = *v;
		return c->stop_with;
	}
	ck_assert_uint_lt(c->count, RIOMMU_ARRAY_SIZE(c->id));
	ck_assert_uint_eq(v->dc->device_id, v->first_id);
	ck_assert_uint_eq(v->dc->address, v->address);
	c->id[c->count] = v->dc->device_id;
	c->tc[c->count++] = v->dc->dw[RIOMMU_DC_TC];
	return c->stop_with;
}

START_TEST(contexts_come_in_order_and_empty_ones_do_not)
{
	struct contexts c = {0};

	put_dc(ROOT, 63, RIOMMU_DC_TC, 1);
	put_dc(ROOT, 2, RIOMMU_DC_FSC, 5); /* not valid, not empty */
	put_dc(ROOT, 7, RIOMMU_DC_RESERVED, 9);
	ck_assert_int_eq(riommu_visit_dcs(&w, see_dc, &c), 0);
	ck_assert_uint_eq(c.count, 3);
	ck_assert_uint_eq(c.id[0], 2);
	ck_assert_uint_eq(c.id[1], 7);
	ck_assert_uint_eq(c.id[2], 63);
	ck_assert_uint_eq(c.gaps, 0);
}
END_TEST

/* [0] base format, [1] extended; both byte orders */
START_TEST(three_levels_make_the_device_id)
{
	struct contexts c = {0};
	bool extended = _i & 1;

	w.fctl = _i & 2 ? RIOMMU_FCTL_BE : 0;
	if (!extended)
		w.capabilities &= ~RIOMMU_CAP_MSI_FLAT;
	w.ddtp = ROOT >> 2 | RIOMMU_DDTP_3LVL;
	memory_put64(mem, ROOT + 8 * 255, POINTER(ROOT + 0x1000), big());
	memory_put64(mem, ROOT + 8 * 511, POINTER(ROOT + 0x3000), big());
	memory_put64(mem, ROOT + 0x1000 + 8 * 257, POINTER(ROOT + 0x2000), big());
	memory_put64(mem, ROOT + 0x3000 + 8 * 257, POINTER(ROOT + 0x4000), big());
	put_dc(ROOT + 0x2000, 33, RIOMMU_DC_TC, 1);
	put_dc(ROOT + 0x4000, 33, RIOMMU_DC_TC, 1);
	ck_assert_int_eq(riommu_visit_dcs(&w, see_dc, &c), 0);
	ck_assert_uint_eq(c.count, extended ? 2 : 1); /* the base format has 8 bits for the root */
	ck_assert_uint_eq(c.id[0],
			  extended ? 33 | 257 << 6 | 255 << 15 : 33 | 257 << 7 | 255 << 16);
	ck_assert_uint_eq(c.tc[0], 1);
}
END_TEST

/* Who goes through two directories side by side asks each for its next context when it wants it, and may leave. */
START_TEST(two_visits_under_way_do_not_disturb_each_other)
{
	static const uint32_t ids[] = {2, 7, 63};
	struct riommu_directory *d[2];
	struct riommu_context_visit v[2];

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(ids); i++)
		put_dc(ROOT, ids[i], RIOMMU_DC_TC, 1);
	ck_assert_int_eq(riommu_directory_open(&w, NULL, &d[0]), 0);
	ck_assert_int_eq(riommu_directory_open(&w, NULL, &d[1]), 0);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(ids); i++) {
		for (unsigned k = 0; k < 2; k++)
			ck_assert_int_eq(riommu_directory_next(d[k], &v[k]), 1);
		for (unsigned k = 0; k < 2; k++) {
			ck_assert_uint_eq(v[k].dc->device_id, ids[i]);
			ck_assert_ptr_null(v[k].pc);
		}
	}
	riommu_directory_close(d[1]); /* before its end */
	for (unsigned again = 0; again < 2; again++)
		ck_assert_int_eq(riommu_directory_next(d[0], &v[0]), 0);
	riommu_directory_close(d[0]);
}
END_TEST

START_TEST(off_bare_and_reserved_modes_have_no_directory)
{
	struct contexts c = {0};

	put_dc(ROOT, 0, RIOMMU_DC_TC, 1);
	w.ddtp = ROOT >> 2 | (uint64_t)_i;
	ck_assert_int_eq(riommu_visit_dcs(&w, see_dc, &c), 0);
	ck_assert_uint_eq(c.count + c.gaps, 0);
}
END_TEST

START_TEST(what_cannot_be_read_is_told_with_its_ids)
{
	struct contexts c = {0};

	w.ddtp = ROOT >> 2 | RIOMMU_DDTP_2LVL;
	memory_put64(mem, ROOT + 8 * 1, POINTER(0x90000000), false); /* absent */
	memory_put64(mem, ROOT + 8 * 2, POINTER(0x90001000), false);
	memory_poison(mem, 0x90001000);
	memory_put64(mem, ROOT + 8 * 3, POINTER(0x90001000) | 2, false); /* reserved bit */
	memory_put64(mem, ROOT + 8 * 4, POINTER((uint64_t)1 << 46), false);
	memory_put64(mem, ROOT + 8 * 5, POINTER(0x90002000), false);
	memory_put64(mem, ROOT + 8 * 6, POINTER(0x90002000) | (uint64_t)1 << 63, false);
	put_dc(0x90002000, 0, RIOMMU_DC_TC, 1);
	ck_assert_int_eq(riommu_visit_dcs(&w, see_dc, &c), 0);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_uint_eq(c.id[0], 5 * 64);
	ck_assert_uint_eq(c.gaps, 5);
	ck_assert_uint_eq(c.gap[4].first_id, 6 * 64);
	ck_assert_int_eq(c.gap[4].error, -EBADMSG);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(c.gap[i].first_id, (i + 1) * 64);
		ck_assert_uint_eq(c.gap[i].last_id, (i + 1) * 64 + 63);
	}
	ck_assert_int_eq(c.gap[0].error, -ENODATA);
	ck_assert_int_eq(c.gap[1].error, -EHWPOISON);
	ck_assert_int_eq(c.gap[2].error, -EBADMSG);
	ck_assert_uint_eq(c.gap[2].address, ROOT + 8 * 3);
	ck_assert_int_eq(c.gap[3].error, -EFAULT);
}
END_TEST

START_TEST(an_absent_root_hides_all_ids)
{
	struct contexts c = {0};

	w.ddtp = ROOT >> 2 | RIOMMU_DDTP_3LVL;
	w.absent_is_fault = _i;
	ck_assert_int_eq(riommu_visit_dcs(&w, see_dc, &c), 0);
	ck_assert_uint_eq(c.gaps, 1);
	ck_assert_uint_eq(c.gap[0].first_id, 0);
	ck_assert_uint_eq(c.gap[0].last_id, RIOMMU_DEVICE_ID_MAX);
	ck_assert_int_eq(c.gap[0].error, _i ? -EFAULT : -ENODATA);
}
END_TEST

START_TEST(a_visitor_can_end_the_visit)
{
	struct contexts c = {.stop_with = 7};

	put_dc(ROOT, 0, RIOMMU_DC_TC, 1);
	put_dc(ROOT, 1, RIOMMU_DC_TC, 1);
	ck_assert_int_eq(riommu_visit_dcs(&w, see_dc, &c), 7);
	ck_assert_uint_eq(c.count, 1);
}
END_TEST

/* Ids without a gap between them: contexts, and ranges that were not looked into again. */
struct coverage {
	uint32_t next;
	size_t contexts, repeated;
};

static int cover(void *arg, const struct riommu_dc_visit *v)
{
	struct coverage *c = arg;

	ck_assert_uint_eq(v->first_id, c->next);
	c->next = v->last_id + 1;
	if (v->dc)
		c->contexts++;
	else if (v->error == -ELOOP)
		c->repeated++;
	else
		return -1;
	return 0;
}

START_TEST(a_page_that_points_at_itself_is_listed_once_a_level)
{
	struct coverage c = {0};

	w.ddtp = ROOT >> 2 | RIOMMU_DDTP_3LVL;
	for (unsigned i = 0; i < 512; i++)
		memory_put64(mem, ROOT + 8 * i, POINTER(ROOT), false);
	ck_assert_int_eq(riommu_visit_dcs(&w, cover, &c), 0);
	ck_assert_uint_eq(c.next, RIOMMU_DEVICE_ID_MAX + 1);
	ck_assert_uint_eq(c.contexts, 64);
	ck_assert_uint_eq(c.repeated, 511 + 511);
	ck_assert_uint_eq(memory_reads(mem, ROOT), 1);
}
END_TEST

/* -- processes --------------------------------------------------------------------------------- */

struct processes {
	uint32_t id[16];
	uint64_t address[16];
	size_t count;
	struct riommu_pc_visit gap[8];
	size_t gaps;
};

static int see_pc(void *arg, const struct riommu_pc_visit *v)
{
	struct processes *p = arg;

	if (!v->pc) {
		ck_assert_uint_lt(p->gaps, RIOMMU_ARRAY_SIZE(p->gap));
		p->gap[p->gaps++] = *v;
		return 0;
	}
	ck_assert_uint_lt(p->count, RIOMMU_ARRAY_SIZE(p->id));
	ck_assert_uint_eq(v->pc->process_id, v->first_id);
	p->id[p->count] = v->pc->process_id;
	p->address[p->count++] = v->pc->address;
	return 0;
}

static struct riommu_dc process_dc(unsigned mode, uint64_t root, bool sbe)
{
	struct riommu_dc dc = {.device_id = 1, .dwords = 8};

	dc.dw[RIOMMU_DC_TC] = RIOMMU_TC_V | RIOMMU_TC_PDTV | (sbe ? RIOMMU_TC_SBE : 0);
	dc.dw[RIOMMU_DC_FSC] = MODE(mode, root);
	return dc;
}

/* PD8, PD17, PD20, in both orders of tc.SBE */
START_TEST(levels_make_the_process_id)
{
	static const uint32_t expect[] = {200, 200 | 300 << 8, 200 | 300 << 8 | 7 << 17};
	unsigned mode = (unsigned)_i % 3 + 1;
	bool sbe = _i >= 3;
	struct riommu_dc dc = process_dc(mode, ROOT, sbe);
	uint64_t leaf = ROOT + 0x1000 * (uint64_t)(mode - 1);
	struct processes p = {0};

	if (mode == RIOMMU_PDTP_PD20) {
		memory_put64(mem, ROOT + 8 * 7, POINTER(ROOT + 0x1000), sbe);
		memory_put64(mem, ROOT + 8 * 8, POINTER(ROOT + 0x1000),
			     sbe); /* past the 3 bits of the root */
	}
	if (mode >= RIOMMU_PDTP_PD17)
		memory_put64(mem, leaf - 0x1000 + 8 * 300, POINTER(leaf), sbe);
	memory_put64(mem, leaf + 16 * 200, 1, sbe);
	ck_assert_int_eq(riommu_visit_pcs(&w, &dc, see_pc, &p), 0);
	ck_assert_uint_eq(p.count, 1);
	ck_assert_uint_eq(p.id[0], expect[mode - 1]);
	ck_assert_uint_eq(p.address[0], leaf + 16 * 200);
}
END_TEST

START_TEST(a_device_without_process_directory_has_no_processes)
{
	struct riommu_dc dc = process_dc(RIOMMU_PDTP_PD8, ROOT, false);
	struct processes p = {0};

	memory_put64(mem, ROOT, 1, false);
	dc.dw[RIOMMU_DC_TC] &= ~RIOMMU_TC_PDTV;
	ck_assert_int_eq(riommu_visit_pcs(&w, &dc, see_pc, &p), 0);
	dc = process_dc(RIOMMU_PDTP_BARE, ROOT, false);
	ck_assert_int_eq(riommu_visit_pcs(&w, &dc, see_pc, &p), 0);
	dc = process_dc(4, ROOT, false);
	ck_assert_int_eq(riommu_visit_pcs(&w, &dc, see_pc, &p), 0);
	ck_assert_uint_eq(p.count + p.gaps, 0);
}
END_TEST

/* Sv39x4 at SECOND, of which guest page 0x5000 is mapped to TO. */
static void second_stage(uint64_t second, uint64_t to)
{
	memory_put64(mem, second, POINTER(second + 0x4000), false);
	memory_page(mem, second + 0x1000);
	memory_page(mem, second + 0x2000);
	memory_page(mem, second + 0x3000);
	memory_put64(mem, second + 0x4000, POINTER(second + 0x5000), false);
	memory_put64(mem, second + 0x5000 + 8 * 5, LEAF(to), false);
}

START_TEST(a_guests_process_directory_is_found_through_its_second_stage)
{
	struct riommu_dc dc = process_dc(RIOMMU_PDTP_PD17, 0x5000, false);
	struct processes p = {0};

	dc.dw[RIOMMU_DC_IOHGATP] = MODE(RIOMMU_HGATP_SV39X4, ROOT);
	second_stage(ROOT, 0x90000000);
	memory_put64(mem, 0x90000000 + 8 * 1, POINTER(0x6000), false); /* not mapped */
	memory_put64(mem, 0x90000000 + 8 * 2, POINTER(0x5000), false); /* itself, as a leaf */
	ck_assert_int_eq(riommu_visit_pcs(&w, &dc, see_pc, &p), 0);
	ck_assert_uint_eq(p.gaps, 1);
	ck_assert_int_eq(p.gap[0].error, -EFAULT);
	ck_assert_uint_eq(p.gap[0].address, 0x6000);
	ck_assert_uint_eq(p.gap[0].first_id, 256);
	ck_assert_uint_eq(p.gap[0].last_id, 511);
	ck_assert_uint_eq(p.count, 2); /* the two pointers, read as contexts */
	ck_assert_uint_eq(p.id[0], 512);
	ck_assert_uint_eq(p.id[1], 513);
	ck_assert_uint_eq(p.address[1], 0x90000000 + 16);
}
END_TEST

/* -- pages ------------------------------------------------------------------------------------- */

#define PAGES_MAX 64

struct pages {
	struct riommu_page_visit v[PAGES_MAX];
	size_t count, errors;
	uint64_t total; /* also those that have no room in `v` */
};

static int see_page(void *arg, const struct riommu_page_visit *v)
{
	struct pages *p = arg;

	p->total++;
	p->errors += v->error != 0;
	if (p->count < PAGES_MAX)
		p->v[p->count++] = *v;
	return 0;
}

static bool has_page(const struct pages *p, uint64_t page, enum riommu_structure structure,
		     unsigned level)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->v[i].page == page && p->v[i].structure == structure &&
		    p->v[i].level == level)
			return true;
	return false;
}

/* Sv39 at TABLE: three pages, the leaf in the last. */
static void first_stage(uint64_t table)
{
	memory_put64(mem, table, POINTER(table + 0x1000), false);
	memory_put64(mem, table + 0x1000 + 8 * 3, POINTER(table + 0x2000), false);
	memory_put64(mem, table + 0x2000 + 8 * 9, LEAF(0xa0000000), false);
}

START_TEST(first_stage_tables_are_visited_once_for_all_who_share_them)
{
	struct pages p = {0};

	for (unsigned i = 0; i < 64; i++) {
		put_dc(ROOT, i, RIOMMU_DC_TC, RIOMMU_TC_V);
		put_dc(ROOT, i, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x90000000));
	}
	first_stage(0x90000000);
	memory_put64(mem, 0x90001000, LEAF(0x90003000), false); /* a superpage is no table */
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert_uint_eq(p.count, 4);
	ck_assert(has_page(&p, ROOT, RIOMMU_S_DC, 0));
	ck_assert(has_page(&p, 0x90000000, RIOMMU_S_PTE, 2));
	ck_assert(has_page(&p, 0x90001000, RIOMMU_S_PTE, 1));
	ck_assert(has_page(&p, 0x90002000, RIOMMU_S_PTE, 0));
	for (uint64_t page = 0x90000000; page < 0x90003000; page += 0x1000)
		ck_assert_uint_eq(memory_reads(mem, page), 1);
}
END_TEST

/* One page at the same level of an Sv39 and of an Sv32 table. */
START_TEST(sharing_in_another_format_is_another_meaning)
{
	struct pages p = {0};

	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V);
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x90010000));
	put_dc(ROOT, 1, RIOMMU_DC_TC, RIOMMU_TC_V | RIOMMU_TC_SXL);
	put_dc(ROOT, 1, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV32, 0x90000000));
	memory_put64(mem, 0x90010000, POINTER(0x90000000), false);
	memory_put32(mem, 0x90000000 + 4 * 1023, (uint32_t)POINTER(0x90001000),
		     false); /* Sv32 only */
	memory_page(mem, 0x90001000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert(has_page(&p, 0x90000000, RIOMMU_S_PTE, 1));
	ck_assert(has_page(&p, 0x90001000, RIOMMU_S_PTE, 0));
	ck_assert_uint_eq(p.count, 5);
}
END_TEST

START_TEST(big_endian_tables_are_followed)
{
	struct pages p = {0};

	w.fctl = RIOMMU_FCTL_BE;
	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V | RIOMMU_TC_SBE);
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x90000000));
	memory_put64(mem, 0x90000000, POINTER(0x90001000), true);
	memory_page(mem, 0x90001000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert(has_page(&p, 0x90001000, RIOMMU_S_PTE, 1));
}
END_TEST

START_TEST(nothing_is_followed_behind_a_context_that_is_not_used)
{
	struct pages p = {0};

	put_dc(ROOT, 0, RIOMMU_DC_TC, 0);
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x90000000));
	put_dc(ROOT, 1, RIOMMU_DC_TC, RIOMMU_TC_V | (uint64_t)1 << 40); /* misconfigured */
	put_dc(ROOT, 1, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x90000000));
	first_stage(0x90000000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert_uint_eq(p.count, 1);
}
END_TEST

START_TEST(a_pointer_with_bits_that_must_be_zero_is_not_followed)
{
	static const struct {
		unsigned bit;
		bool followed, with_svrsw60t59b;
	} cases[] = {{4, false, false}, {6, false, false}, {7, false, false},  {54, false, false},
		     {59, false, true}, {60, false, true}, {61, false, false}, {63, false, false},
		     {8, true, true},   {5, true, true}};
	bool svrsw60t59b = _i & 1,
	     expect = svrsw60t59b ? cases[_i / 2].with_svrsw60t59b : cases[_i / 2].followed;
	struct pages p = {0};

	if (svrsw60t59b)
		w.capabilities |= RIOMMU_CAP_SVRSW60T59B;
	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V);
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x90000000));
	memory_put64(mem, 0x90000000, POINTER(0x90001000) | (uint64_t)1 << cases[_i / 2].bit,
		     false);
	memory_page(mem, 0x90001000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert_uint_eq(p.count, expect ? 3 : 2);
}
END_TEST

/*
 * A misconfigured context (reserved bits, rule 1) with a process directory in a guest's memory: [0] no walk gets there, [1] a listing does,
 * but not to the tables of the process, nor to the MSI table; [2] nor to what is the guest's, if that is not asked for.
 */
START_TEST(behind_a_misconfigured_context_is_only_what_is_listed)
{
	static const unsigned too[] = {RIOMMU_PAGES_OF_GUESTS,
				       RIOMMU_PAGES_OF_GUESTS | RIOMMU_PAGES_LISTED,
				       RIOMMU_PAGES_LISTED};
	struct pages p = {0};

	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V | RIOMMU_TC_PDTV);
	put_dc(ROOT, 0, RIOMMU_DC_RESERVED, 1);
	put_dc(ROOT, 0, RIOMMU_DC_IOHGATP, MODE(RIOMMU_HGATP_SV39X4, 0x91000000));
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_PDTP_PD8, 0x5000));
	put_dc(ROOT, 0, RIOMMU_DC_MSIPTP, MODE(RIOMMU_MSIPTP_FLAT, 0x94000000));
	second_stage(0x91000000, 0x90000000);
	memory_put64(mem, 0x90000000, 1, false);
	memory_put64(mem, 0x90000008, MODE(RIOMMU_FSC_SV39, 0x5000), false);
	memory_page(mem, 0x94000000);
	ck_assert_int_eq(riommu_visit_pages(&w, too[_i], see_page, &p), 0);
	ck_assert_uint_eq(p.count, _i == 0 ? 1 : _i == 1 ? 1 + 6 + 1 : 1 + 6);
	ck_assert(has_page(&p, 0x90000000, RIOMMU_S_PC, 0) == (_i == 1));
	ck_assert(has_page(&p, 0x91005000, RIOMMU_S_GPTE, 0) == (_i != 0));
	ck_assert_uint_eq(p.errors, 0);
}
END_TEST

/* A mode of the second stage that there is not leads nowhere. */
START_TEST(behind_a_second_stage_of_no_mode_is_nothing)
{
	struct pages p = {0};

	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V | RIOMMU_TC_PDTV);
	put_dc(ROOT, 0, RIOMMU_DC_IOHGATP, MODE(7, 0x91000000));
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_PDTP_PD8, 0x5000));
	ck_assert_int_eq(
		riommu_visit_pages(&w, RIOMMU_PAGES_OF_GUESTS | RIOMMU_PAGES_LISTED, see_page, &p),
		0);
	ck_assert_uint_eq(p.count, 1);
	ck_assert_uint_eq(p.errors, 0);
}
END_TEST

/* A guest: second stage at 0x91000000, first stage of one page at guest 0x5000. */
START_TEST(a_guests_tables_are_visited_only_on_request)
{
	struct pages p = {0};

	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V);
	put_dc(ROOT, 0, RIOMMU_DC_IOHGATP, MODE(RIOMMU_HGATP_SV39X4, 0x91000000));
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x5000));
	second_stage(0x91000000, 0x90000000);
	memory_put64(mem, 0x90000000, POINTER(0x5000), false);
	memory_put64(mem, 0x90000000 + 8, POINTER(0x7000),
		     false); /* the second stage does not map it */
	ck_assert_int_eq(riommu_visit_pages(&w, _i ? RIOMMU_PAGES_OF_GUESTS : 0, see_page, &p), 0);
	for (unsigned i = 0; i < 4; i++)
		ck_assert(has_page(&p, 0x91000000 + i * 0x1000, RIOMMU_S_GPTE, 2));
	ck_assert(has_page(&p, 0x91004000, RIOMMU_S_GPTE, 1));
	ck_assert(has_page(&p, 0x91005000, RIOMMU_S_GPTE, 0));
	for (unsigned level = 0; level < 3; level++)
		ck_assert(has_page(&p, 0x90000000, RIOMMU_S_PTE, level) == (bool)_i);
	ck_assert_uint_eq(p.count, _i ? 10 : 7);
	ck_assert_uint_eq(p.errors, 0);
}
END_TEST

START_TEST(one_guest_table_under_two_second_stages_has_two_sets_of_children)
{
	struct pages p = {0};

	for (unsigned i = 0; i < 2; i++) {
		uint64_t second = 0x91000000 + i * 0x100000;

		put_dc(ROOT, i, RIOMMU_DC_TC, RIOMMU_TC_V);
		put_dc(ROOT, i, RIOMMU_DC_IOHGATP, MODE(RIOMMU_HGATP_SV39X4, second));
		put_dc(ROOT, i, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x5000));
		second_stage(second, 0x90000000);
		memory_put64(mem, second + 0x5000 + 8 * 6, LEAF(0x92000000 + i * 0x1000), false);
	}
	memory_put64(mem, 0x90000000, POINTER(0x6000), false);
	memory_page(mem, 0x92000000);
	memory_page(mem, 0x92001000);
	ck_assert_int_eq(riommu_visit_pages(&w, RIOMMU_PAGES_OF_GUESTS, see_page, &p), 0);
	ck_assert(has_page(&p, 0x92000000, RIOMMU_S_PTE, 1));
	ck_assert(has_page(&p, 0x92001000, RIOMMU_S_PTE, 1));
}
END_TEST

START_TEST(tables_of_all_processes_are_visited)
{
	struct pages p = {0};

	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V | RIOMMU_TC_PDTV);
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_PDTP_PD17, 0x93000000));
	memory_put64(mem, 0x93000000 + 8 * 4, POINTER(0x93001000), false);
	for (unsigned i = 0; i < 3; i++) {
		memory_put64(mem, 0x93001000 + 16 * i, i < 2, false); /* the third is not valid */
		memory_put64(mem, 0x93001000 + 16 * i + 8,
			     MODE(RIOMMU_FSC_SV39, 0x90000000 + i * 0x10000), false);
		first_stage(0x90000000 + i * 0x10000);
	}
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert(has_page(&p, 0x93000000, RIOMMU_S_PDTE, 1));
	ck_assert(has_page(&p, 0x93001000, RIOMMU_S_PC, 0));
	ck_assert(has_page(&p, 0x90002000, RIOMMU_S_PTE, 0));
	ck_assert(has_page(&p, 0x90012000, RIOMMU_S_PTE, 0));
	ck_assert_uint_eq(p.count, 1 + 2 + 3 + 3);
}
END_TEST

START_TEST(tables_that_cannot_be_read_are_told)
{
	struct pages p = {0};

	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V);
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x90000000));
	memory_put64(mem, 0x90000000, POINTER(0x90001000), false);
	memory_put64(mem, 0x90000008, POINTER((uint64_t)1 << 46), false);
	memory_put64(mem, 0x90000010, POINTER(0x90002000), false);
	memory_poison(mem, 0x90002000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert_uint_eq(p.count, 5);
	ck_assert_int_eq(p.v[2].error, -ENODATA);
	ck_assert_int_eq(p.v[3].error, -EFAULT);
	ck_assert_int_eq(p.v[4].error, -EHWPOISON);
}
END_TEST

/* -- MSI tables -------------------------------------------------------------------------------- */

static void put_msi(unsigned i, uint64_t mask, uint64_t table)
{
	put_dc(ROOT, i, RIOMMU_DC_TC, RIOMMU_TC_V);
	put_dc(ROOT, i, RIOMMU_DC_IOHGATP, MODE(RIOMMU_HGATP_SV57X4, 0x91000000));
	put_dc(ROOT, i, RIOMMU_DC_MSIPTP, MODE(RIOMMU_MSIPTP_FLAT, table));
	put_dc(ROOT, i, RIOMMU_DC_MSI_ADDR_MASK, mask);
	for (unsigned page = 0; page < 4; page++)
		memory_page(mem, 0x91000000 + page * 0x1000);
}

START_TEST(the_mask_makes_the_size_of_an_msi_table)
{
	static const struct {
		uint64_t mask, pages;
	} cases[] = {{0, 1}, {0xff, 1}, {0x1ff, 2}, {0x5555 << 4, 1}, {0x3ff, 4}};
	struct pages p = {0};

	put_msi(0, cases[_i].mask, 0x94000000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert_uint_eq(p.count, 1 + 4 + cases[_i].pages);
	for (uint64_t i = 0; i < cases[_i].pages; i++)
		ck_assert(has_page(&p, 0x94000000 + i * 0x1000, RIOMMU_S_MSI_PTE, 0));
}
END_TEST

START_TEST(a_misaligned_msi_table_folds_onto_itself)
{
	struct pages p = {0};

	put_msi(0, 0x3ff, 0x94001000); /* 4 pages at an odd one: OR leaves two */
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert(has_page(&p, 0x94001000, RIOMMU_S_MSI_PTE, 0));
	ck_assert(has_page(&p, 0x94003000, RIOMMU_S_MSI_PTE, 0));
	ck_assert_uint_eq(p.count, 1 + 4 + 2);
}
END_TEST

START_TEST(a_lying_mask_stops_at_the_bound_after_the_small_tables)
{
	struct pages p = {0};

	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "40"), 0);
	put_msi(0, riommu_mask(46, 0), 0x94000000);
	put_msi(1, 0x1ff, 0x95000000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), -EOVERFLOW);
	ck_assert_uint_eq(p.total, 40);
	ck_assert(has_page(&p, 0x95001000, RIOMMU_S_MSI_PTE, 0));
}
END_TEST

START_TEST(a_mask_and_a_base_of_all_ones_end)
{
	struct pages p = {0};

	put_msi(0, riommu_mask(46, 0), 0x00fffffffffff000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert_uint_eq(p.count, 1 + 4 + 1);
	ck_assert_int_eq(p.v[5].error, -EFAULT);
}
END_TEST

START_TEST(msi_tables_on_top_of_each_other_end)
{
	struct pages p = {0};

	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "300"), 0);
	for (unsigned i = 0; i < 64; i++) /* 256 pages each, mostly the same ones */
		put_msi(i, 0xffff | (uint64_t)i << 20, 0x94000000 + (uint64_t)i * 0x1000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), -EOVERFLOW);
	ck_assert_uint_le(p.total, 300);
}
END_TEST

/* 16 pages, which 19 tables share in part: few pages, but each is gone over again and again. */
START_TEST(msi_tables_that_share_all_their_pages_end)
{
	static const unsigned bases[] = {0, 1, 2, 4, 8, 3, 5, 6, 9, 10, 12};
	struct pages p = {0};
	unsigned id = 0;

	for (unsigned i = 0; i < 16; i++)
		memory_page(mem, 0x94000000 + (uint64_t)i * 0x1000);
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "21"), 0); /* 1 + 4 + 16 */
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(bases); i++)
		put_msi(id++, 0xfff, 0x94000000 + (uint64_t)bases[i] * 0x1000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert_uint_eq(p.total, 21);
	for (unsigned half = 0; half < 2; half++)
		for (unsigned i = 0; i < 4; i++)
			put_msi(id++, 0x7ff, 0x94000000 + half * 0x8000u + (i ? 0x800u << i : 0));
	p = (struct pages){0};
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), -EOVERFLOW);
	ck_assert_uint_le(p.total, 21);
}
END_TEST

/* Tables are remembered until all pages of small ones were seen: that has a bound, too. */
START_TEST(more_msi_tables_than_pages_are_not_remembered)
{
	struct pages p = {0};

	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "9"), 0);
	for (unsigned i = 0; i < 10; i++)
		put_msi(i, 0xff, 0x94000000 + (uint64_t)(i % 2) * 0x1000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), -EOVERFLOW);
	ck_assert_uint_eq(p.total, 5); /* the directory and the root: no MSI table */
}
END_TEST

/* -- without memory ----------------------------------------------------------------------------- */

START_TEST(without_memory_all_is_told_as_unreadable)
{
	struct riommu_source *memory = w.memory;
	struct contexts c = {.count = 0};
	struct pages p = {0};
	int error = _i ? -EACCES : -ENODATA;

	w.memory = NULL;
	w.memory_error = _i ? -EACCES : 0;
	ck_assert_int_eq(riommu_visit_dcs(&w, see_dc, &c), 0);
	ck_assert_uint_eq(c.count, 0);
	ck_assert_uint_eq(c.gaps, 1);
	ck_assert_int_eq(c.gap[0].error, error);
	ck_assert_uint_eq(c.gap[0].address, ROOT);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert_uint_eq(p.count, 1);
	ck_assert_int_eq(p.v[0].error, error);
	w.memory = memory;
}
END_TEST

/* -- what a step decodes by ------------------------------------------------------------------------ */

START_TEST(each_entry_on_the_way_has_its_layout)
{
	struct riommu_step step = {.size = 8, .value = {7, 0}};

	step.structure = RIOMMU_S_DDTE;
	ck_assert_ptr_eq(riommu_step_layout(&step, 0, 0, 0), riommu_layout_ddte());
	step.structure = RIOMMU_S_PDTE;
	ck_assert_ptr_eq(riommu_step_layout(&step, 0, 0, 0), riommu_layout_pdte());
	step.structure = RIOMMU_S_MSI_PTE;
	for (unsigned i = 0; i < 2; i++)
		ck_assert_ptr_eq(riommu_step_layout(&step, i, 0, 0), riommu_layout_msi_pte(i, 7));
	for (unsigned i = 0; i < 2; i++) {
		step.structure = RIOMMU_S_PC;
		ck_assert_ptr_eq(riommu_step_layout(&step, i, RIOMMU_TC_SXL, 0),
				 riommu_layout_pc(i, RIOMMU_TC_SXL));
	}
	step.structure = RIOMMU_S_DC;
	ck_assert_ptr_eq(riommu_step_layout(&step, RIOMMU_DC_FSC, RIOMMU_TC_PDTV, 0),
			 riommu_layout_dc(RIOMMU_DC_FSC, RIOMMU_TC_PDTV, 0));
	for (unsigned size = 4; size <= 8; size += 4) {
		step.structure = RIOMMU_S_GPTE;
		step.size = (uint8_t)size;
		ck_assert_ptr_eq(riommu_step_layout(&step, 0, 0, 0), riommu_layout_pte(size == 4));
	}
}
END_TEST

/* -- loops and noise --------------------------------------------------------------------------- */

START_TEST(a_table_that_points_at_itself_is_visited_once_a_level)
{
	struct pages p = {0};

	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V);
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV57, 0x90000000));
	for (unsigned i = 0; i < 512; i++)
		memory_put64(mem, 0x90000000 + 8 * i, POINTER(0x90000000), false);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert_uint_eq(p.count, 1 + 5);
}
END_TEST

START_TEST(a_directory_that_points_at_itself_is_visited_once_a_level)
{
	struct pages p = {0};

	w.ddtp = ROOT >> 2 | RIOMMU_DDTP_3LVL;
	for (unsigned i = 0; i < 512; i++)
		memory_put64(mem, ROOT + 8 * i, POINTER(ROOT), false);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	ck_assert(has_page(&p, ROOT, RIOMMU_S_DDTE, 2));
	ck_assert(has_page(&p, ROOT, RIOMMU_S_DDTE, 1));
	ck_assert(has_page(&p, ROOT, RIOMMU_S_DC, 0));
	ck_assert_uint_eq(p.count, 3);
}
END_TEST

START_TEST(pages_of_all_ones_lead_nowhere)
{
	struct pages p = {0};

	memset(memory_bytes(mem, ROOT), 0xff, RIOMMU_PAGE_SIZE);
	ck_assert_int_eq(riommu_visit_pages(&w, RIOMMU_PAGES_OF_GUESTS, see_page, &p), 0);
	ck_assert_uint_eq(p.count, 1);
	w.ddtp = ROOT >> 2 | RIOMMU_DDTP_3LVL;
	p = (struct pages){0};
	ck_assert_int_eq(riommu_visit_pages(&w, RIOMMU_PAGES_OF_GUESTS, see_page, &p), 0);
	ck_assert_uint_eq(p.count, 1);
}
END_TEST

START_TEST(the_bound_on_pages_holds)
{
	struct pages p = {0};

	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "100"), 0);
	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V);
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x90000000));
	for (unsigned i = 0; i < 512; i++)
		memory_put64(mem, 0x90000000 + 8 * i, POINTER(0xa0000000 + i * 0x1000ul), false);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), -EOVERFLOW);
	ck_assert_uint_eq(p.total, 100);
}
END_TEST

static uint64_t noise_state;

static uint64_t noise(void)
{
	noise_state ^= noise_state << 13;
	noise_state ^= noise_state >> 7;
	noise_state ^= noise_state << 17;
	return noise_state;
}

/* An entry that is likely to be followed, into one of 32 pages. */
static uint64_t noisy_entry(void)
{
	uint64_t pointer = POINTER(0x90000000 + (noise() % 32) * 0x1000);

	switch (noise() % 4) {
	case 0:
		return noise();
	case 1:
		return pointer | 0xfe;
	default:
		return pointer;
	}
}

START_TEST(noise_ends)
{
	static const uint64_t modes[] = {0, 8, 9, 10};
	struct pages p = {0};

	noise_state = 0x9e3779b97f4a7c15u * (uint64_t)(_i + 1);
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "2000"), 0);
	for (uint64_t page = 0; page < 32; page++)
		for (unsigned i = 0; i < 512; i++)
			memory_put64(mem, 0x90000000 + page * 0x1000 + 8 * i, noisy_entry(),
				     noise() & 1);
	for (unsigned i = 0; i < 64; i++) {
		put_dc(ROOT, i, RIOMMU_DC_TC,
		       RIOMMU_TC_V | (noise() & (RIOMMU_TC_PDTV | RIOMMU_TC_SBE | RIOMMU_TC_SXL)));
		put_dc(ROOT, i, RIOMMU_DC_IOHGATP,
		       MODE(modes[noise() % 4], 0x90000000 + (noise() % 8) * 0x4000));
		put_dc(ROOT, i, RIOMMU_DC_FSC,
		       MODE(noise() % 11, (noise() & 1) ? 0x90000000 : noise() % 32 * 0x1000));
		put_dc(ROOT, i, RIOMMU_DC_MSIPTP, MODE(noise() % 2, 0x90000000));
		put_dc(ROOT, i, RIOMMU_DC_MSI_ADDR_MASK, noise() & riommu_mask(14, 0));
	}
	riommu_visit_pages(&w, RIOMMU_PAGES_OF_GUESTS, see_page, &p);
	ck_assert_uint_le(p.total, 2000);
	ck_assert_uint_ge(p.total, 2);
}
END_TEST

START_TEST(a_copying_source_gives_the_same_pages)
{
	struct pages p = {0}, copied = {0};

	put_dc(ROOT, 0, RIOMMU_DC_TC, RIOMMU_TC_V);
	put_dc(ROOT, 0, RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39, 0x90000000));
	/* 0x90400000 falls into the same slot of a copying source as 0x90000000 */
	memory_put64(mem, 0x90000000, POINTER(0x90400000), false);
	memory_put64(mem, 0x90000008, POINTER(0x90001000), false);
	memory_put64(mem, 0x90400000, POINTER(0x90800000), false);
	memory_page(mem, 0x90800000);
	memory_page(mem, 0x90001000);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &p), 0);
	riommu_source_close(w.memory);
	w.memory = memory_source_copying(mem, ctx);
	ck_assert_int_eq(riommu_visit_pages(&w, 0, see_page, &copied), 0);
	ck_assert_uint_eq(p.count, 5);
	ck_assert_uint_eq(copied.count, 5);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_uint_eq(p.v[i].page, copied.v[i].page);
		ck_assert_int_eq(p.v[i].structure, copied.v[i].structure);
		ck_assert_uint_eq(p.v[i].level, copied.v[i].level);
		ck_assert_int_eq(p.v[i].error, copied.v[i].error);
	}
}
END_TEST

static TCase *contexts_case(void)
{
	TCase *tc = tcase_create("contexts");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, contexts_come_in_order_and_empty_ones_do_not);
	tcase_add_loop_test(tc, three_levels_make_the_device_id, 0, 4);
	tcase_add_test(tc, two_visits_under_way_do_not_disturb_each_other);
	tcase_add_loop_test(tc, off_bare_and_reserved_modes_have_no_directory, 0, 2);
	tcase_add_loop_test(tc, off_bare_and_reserved_modes_have_no_directory, 5, 16);
	tcase_add_test(tc, what_cannot_be_read_is_told_with_its_ids);
	tcase_add_loop_test(tc, an_absent_root_hides_all_ids, 0, 2);
	tcase_add_test(tc, a_visitor_can_end_the_visit);
	tcase_add_test(tc, a_page_that_points_at_itself_is_listed_once_a_level);
	tcase_add_loop_test(tc, levels_make_the_process_id, 0, 6);
	tcase_add_test(tc, a_device_without_process_directory_has_no_processes);
	tcase_add_test(tc, a_guests_process_directory_is_found_through_its_second_stage);
	return tc;
}

static TCase *pages_case(void)
{
	TCase *tc = tcase_create("pages");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, first_stage_tables_are_visited_once_for_all_who_share_them);
	tcase_add_test(tc, sharing_in_another_format_is_another_meaning);
	tcase_add_test(tc, big_endian_tables_are_followed);
	tcase_add_test(tc, nothing_is_followed_behind_a_context_that_is_not_used);
	tcase_add_loop_test(tc, a_pointer_with_bits_that_must_be_zero_is_not_followed, 0, 20);
	tcase_add_loop_test(tc, a_guests_tables_are_visited_only_on_request, 0, 2);
	tcase_add_loop_test(tc, behind_a_misconfigured_context_is_only_what_is_listed, 0, 3);
	tcase_add_test(tc, behind_a_second_stage_of_no_mode_is_nothing);
	tcase_add_test(tc, one_guest_table_under_two_second_stages_has_two_sets_of_children);
	tcase_add_test(tc, tables_of_all_processes_are_visited);
	tcase_add_test(tc, tables_that_cannot_be_read_are_told);
	tcase_add_loop_test(tc, the_mask_makes_the_size_of_an_msi_table, 0, 5);
	tcase_add_test(tc, a_misaligned_msi_table_folds_onto_itself);
	tcase_add_test(tc, a_lying_mask_stops_at_the_bound_after_the_small_tables);
	tcase_add_test(tc, a_mask_and_a_base_of_all_ones_end);
	tcase_add_test(tc, msi_tables_on_top_of_each_other_end);
	tcase_add_test(tc, msi_tables_that_share_all_their_pages_end);
	tcase_add_test(tc, more_msi_tables_than_pages_are_not_remembered);
	tcase_add_loop_test(tc, without_memory_all_is_told_as_unreadable, 0, 2);
	tcase_add_test(tc, each_entry_on_the_way_has_its_layout);
	tcase_add_test(tc, a_table_that_points_at_itself_is_visited_once_a_level);
	tcase_add_test(tc, a_directory_that_points_at_itself_is_visited_once_a_level);
	tcase_add_test(tc, pages_of_all_ones_lead_nowhere);
	tcase_add_test(tc, the_bound_on_pages_holds);
	tcase_add_loop_test(tc, noise_ends, 0, 50);
	tcase_add_test(tc, a_copying_source_gives_the_same_pages);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("visit");

	suite_add_tcase(suite, contexts_case());
	suite_add_tcase(suite, pages_case());
	return run_suite(suite);
}
