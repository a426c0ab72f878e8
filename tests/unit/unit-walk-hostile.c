/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk: memory drawn by dice. Entries point at the same few pages, so that every structure is read as every other one,
 * loops and points at itself; registers are random, too. Whatever comes, a walk ends within its bounds and says so.
 */
#include "walk-cases.h"

#define PAGES 24u
#define CONTEXTS \
	(ROOT +  \
	 PAGES * RIOMMU_PAGE_SIZE) /* a page of its own: else contexts stand in every table's way */
#define WALKS 20000u               /* a seed */
#define SEEDS 20

/* The longest walk: three device levels, then 3 process levels, 5 first-stage levels, the page itself behind 5 each. */
#define MOST_STEPS (3 + 3 * 6 + 5 * 6 + 5)
/* A leaf of the second stage for each of those nine, and one of the first. */
#define MOST_UPDATES 10

static uint64_t state;

/* splitmix64 */
static uint64_t dice(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static bool one_in(unsigned n)
{
	return dice() % n == 0;
}

static uint64_t page_address(void)
{
	if (one_in(64))
		return dice() & riommu_mask(55, 12); /* most likely not there */
	return ROOT + dice() % PAGES * RIOMMU_PAGE_SIZE;
}

/* A leaf that fits several levels: all of memory to itself, the pages here to themselves, or one page. */
static uint64_t leaf(void)
{
	const uint64_t pa[] = {0, ROOT, page_address()};
	uint64_t flags = LEAF_FLAGS & ~(RIOMMU_PTE_A | RIOMMU_PTE_D);

	return flags | (dice() & (RIOMMU_PTE_A | RIOMMU_PTE_D | RIOMMU_PTE_G)) |
	       PTE(pa[dice() % 3]);
}

/* What a doubleword of memory may be; each kind makes some structure go on. */
static uint64_t doubleword(void)
{
	switch (dice() % 16) {
	case 0:
		return dice();
	case 1:
		return one_in(2) ? 0 : MODE(8 + dice() % 3) | page_address() >> RIOMMU_PAGE_SHIFT;
	case 2: /* ta of a process */
		return RIOMMU_PC_V | (dice() & 0xfffff007);
	case 3:
	case 4:
	case 5:
	case 6:
		return leaf();
	default: /* pointer of any table */
		return POINTER(page_address());
	}
}

static void draw_memory(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		uint8_t *page = memory_bytes(m.memory, ROOT + i * RIOMMU_PAGE_SIZE);

		for (size_t at = 0; at < RIOMMU_PAGE_SIZE; at += 8) {
			uint64_t v = doubleword();

			riommu_put64(page + at, one_in(16) ? __builtin_bswap64(v) : v);
		}
	}
	memory_poison(m.memory, ROOT + (PAGES - 1) * RIOMMU_PAGE_SIZE);
}

static void draw_registers(void)
{
	uint64_t all = m.w.capabilities | 0x1ffef00ff10;

	m.w.capabilities = one_in(16) ? dice() : (all & ~riommu_mask(37, 32)) | (uint64_t)PAS << 32;
	m.w.fctl =
		(uint32_t)dice() & (one_in(8) ? UINT32_MAX : ~(RIOMMU_FCTL_BE | RIOMMU_FCTL_GXL));
	m.w.ddtp = one_in(8) ? PTE(page_address()) | (one_in(4) ? dice() % 16 : 2 + dice() % 3)
			     : PTE(CONTEXTS) | RIOMMU_DDTP_1LVL;
	m.w.gxl_writable = !one_in(4);
	m.w.be_writable = !one_in(4);
	m.w.absent_is_fault = one_in(2);
}

static uint64_t root(uint64_t mode)
{
	return MODE(mode) | page_address() >> RIOMMU_PAGE_SHIFT;
}

static void draw_dc(struct riommu_dc *dc)
{
	bool extended = m.w.capabilities & RIOMMU_CAP_MSI_FLAT;

	dc->dwords = extended ? RIOMMU_DC_DWORDS : RIOMMU_DC_DWORDS_BASE;
	dc->dw[RIOMMU_DC_TC] =
		RIOMMU_TC_V | (dice() & (one_in(8) ? 0xfff : 0x3bf)); /* SBE, SXL, PRPR */
	dc->dw[RIOMMU_DC_IOHGATP] = one_in(4) ? 0 : root(8 + dice() % 3) & ~(uint64_t)3;
	dc->dw[RIOMMU_DC_FSC] =
		root(dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_PDTV ? dice() % 4 : 8 + dice() % 3);
	dc->dw[RIOMMU_DC_MSIPTP] = root(one_in(2));
	dc->dw[RIOMMU_DC_MSI_ADDR_MASK] = dice() & 0xff0ff;
	dc->dw[RIOMMU_DC_MSI_ADDR_PATTERN] = dice() & 0x8ffff;
}

/* A context that obeys the rules (where dice find one soon), for device 0. */
static void draw_context(void)
{
	struct riommu_dc dc = {0};

	for (unsigned tries = 0; tries < 200; tries++) {
		draw_dc(&dc);
		if (!riommu_dc_misconfigured(&m.w, &dc, NULL))
			break;
	}
	for (unsigned i = 0; i < dc.dwords; i++)
		memory_put64(m.memory, CONTEXTS + 8 * i, dc.dw[i], m.w.fctl & RIOMMU_FCTL_BE);
}

static void draw_request(void)
{
	m.q = (struct riommu_request){
		.device_id = one_in(16) ? (uint32_t)dice() & RIOMMU_DEVICE_ID_MAX : 0,
		.process_id = (uint32_t)(dice() >> dice() % 20) & RIOMMU_PROCESS_ID_MAX,
		.has_process_id = one_in(3),
		.privileged = one_in(3),
		.access = (enum riommu_access)(dice() % 3),
		.type = one_in(4) ? (enum riommu_request_type)(dice() % 3) : RIOMMU_UNTRANSLATED,
		.iova = dice() >> (one_in(8) ? 0 : 24 + dice() % 40),
	};
}

/* What cannot be, or NULL. (No ck_assert here: each of them costs a system call.) */
static const char *wrong_outcome(const struct riommu_translation *t)
{
	switch (t->result) {
	case RIOMMU_OK:
		if (t->page_size & (t->page_size - 1))
			return "a size that is no power of two";
		if (t->permissions > PERM_RWX || t->memory_type > RIOMMU_IO)
			return "permissions or memory type that do not exist";
		return (t->pa ^ m.q.iova) & RIOMMU_PAGE_MASK ? "another page offset" : NULL;
	case RIOMMU_FAULT:
		if (!riommu_cause(t->cause) || !t->reason)
			return "a cause that does not exist";
		return t->iotval != m.q.iova ? "another iotval" : NULL;
	default:
		if (!t->error || (m.w.absent_is_fault && t->error != -EBADMSG))
			return "unknown without an error";
		return t->error == -ENODATA && last_step()->address != t->missing
			       ? "missing is not the last address"
			       : NULL;
	}
}

static const char *wrong_trace(const struct riommu_trace *trace)
{
	uint64_t pas = riommu_bits(m.w.capabilities, 37, 32);

	if (trace->step_count > MOST_STEPS || trace->update_count > MOST_UPDATES)
		return "more steps or updates than there can be";
	for (size_t i = 0; i < trace->step_count; i++) {
		const struct riommu_step *step = &trace->step[i];

		if (step->address >> pas)
			return "a read beyond PAS";
		if (step->address % step->size || step->count > 8)
			return "an entry of an odd shape";
		if (!step->count && i != trace->step_count - 1)
			return "a walk that goes on behind an entry it could not read";
	}
	for (size_t i = 0; i < trace->update_count; i++)
		if (!(trace->update[i].value & RIOMMU_PTE_A))
			return "an update that does not set A";
	return NULL;
}

static bool same(const struct riommu_translation *a, const struct riommu_translation *b)
{
	return a->result == b->result && a->cause == b->cause && a->pa == b->pa &&
	       a->page_size == b->page_size && a->missing == b->missing;
}

START_TEST(walk_through_random_memory_ends_within_its_bounds)
{
	state = (uint64_t)_i * 0x1234567;
	draw_memory();
	for (unsigned i = 0; i < WALKS; i++) {
		struct riommu_translation silent;
		const char *wrong;

		if (i % 16 == 0) {
			draw_registers();
			draw_context();
		}
		draw_request();
		riommu_translate(&m.w, &m.q, &m.t, &m.trace);
		riommu_translate(&m.w, &m.q, &silent, NULL);
		wrong = wrong_outcome(&m.t);
		if (!wrong)
			wrong = wrong_trace(&m.trace);
		if (!wrong && !same(&m.t, &silent))
			wrong = "another answer without a trace";
		if (wrong)
			ck_abort_msg("seed %d, walk %u: %s", _i, i, wrong);
	}
}
END_TEST

START_TEST(walk_through_an_entry_that_points_at_itself_ends)
{
	/* one page is everything: both roots and each of their tables */
	m.dw[RIOMMU_DC_IOHGATP] = MODE(RIOMMU_HGATP_SV57X4) | 4;
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_FSC_SV57) | 4;
	for (unsigned i = 0; i < 512; i++)
		memory_put64(m.memory, 0x4000 + 8 * i, POINTER(0x4000), false);
	ask(RIOMMU_READ, 0);
	expect_guest_fault(21, 0x4000 | 1);
	ck_assert_uint_eq(m.trace.step_count, 1 + 5);
}
END_TEST

TCase *walk_hostile_case(void)
{
	TCase *tc = tcase_create("hostile");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, walk_through_random_memory_ends_within_its_bounds, 0, SEEDS);
	tcase_add_test(tc, walk_through_an_entry_that_points_at_itself_ends);
	return tc;
}
