/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is listed is what a translation gives, for every address: tables at random, honest ones beside garbage and loops, in all
 * formats, asked at the edges of what was listed, in between, and anywhere.
 */
#include "agree.h"
#include "mappings-cases.h"

/* -- chance -------------------------------------------------------------------------------------- */

static uint64_t state;

static uint64_t chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

/* -- tables at random ---------------------------------------------------------------------------- */

#define POOL 6

struct pool {
	struct stage s;
	uint64_t page[POOL];
	bool second;
};

/* Few indices, so that the stages meet. */
static uint64_t digit(unsigned bits)
{
	static const unsigned often[] = {0, 1, 2, 3, 8, 16, 100, 255, 256, 511};
	uint64_t index =
		chance(8) ? often[chance(RIOMMU_ARRAY_SIZE(often))] : chance((uint64_t)1 << bits);

	return (index + chance(3)) & (((uint64_t)1 << bits) - 1);
}

static uint64_t address_of_digits(const struct stage *s)
{
	uint64_t address = 0;

	for (unsigned level = 0; level < s->levels; level++)
		address |= digit(level == s->levels - 1 ? s->root_bits : s->index_bits)
			   << (12 + s->index_bits * level);
	if (s->root_bits == s->index_bits && s->pte_size == 8 &&
	    address >> (12 + 9 * s->levels - 1))
		address |= ~(uint64_t)0 << (12 + 9 * s->levels);
	return address;
}

static uint64_t leaf_flags(const struct stage *s)
{
	uint64_t flags = LEAF_FLAGS;

	if (!chance(3))
		flags &= ~(chance(256) & chance(256)) | RIOMMU_PTE_V;
	if (!chance(6))
		flags |= RIOMMU_PTE_G;
	if (!chance(6))
		flags |= chance(4) << 8;
	if (s->pte_size == 8 && !chance(6))
		flags |= PBMT(chance(4));
	if (s->pte_size == 8 && !chance(30))
		flags |= BIT(54 + chance(7));
	return flags;
}

/* Where leaves lead: under a second stage where that may have leaves; else anywhere, and to the end of what fits. */
static uint64_t target(const struct pool *p, const struct pool *under)
{
	uint64_t top = p->s.pte_size == 4 ? (uint64_t)1 << 34 : (uint64_t)1 << 56;

	if (under && chance(8))
		return address_of_digits(&under->s) & (top - 1);
	switch (chance(3)) {
	case 0:
		return (top - (chance(8) + 1) * leaf_size(&p->s, (unsigned)chance(3))) & (top - 1);
	case 1:
		return chance(512) << 21;
	default:
		return (chance(1 << 20) << 12) & (top - 1);
	}
}

static void put(const struct stage *s, uint64_t page, uint64_t i, uint64_t pte)
{
	uint64_t in_page = RIOMMU_PAGE_SIZE / s->pte_size;

	if (i >= in_page)
		return;
	if (s->pte_size == 4)
		memory_put32(m.memory, page + 4 * i, (uint32_t)pte, s->big_endian);
	else
		memory_put64(m.memory, page + 8 * i, pte, s->big_endian);
}

static void put_leaves(const struct pool *p, const struct pool *under, uint64_t page)
{
	uint64_t size = leaf_size(&p->s, chance(2) ? 0 : (unsigned)chance(p->s.levels));
	uint64_t pa = target(p, under), flags = leaf_flags(&p->s), first = digit(9);
	uint64_t count = chance(3) ? 1 + chance(40) : 1;

	if (chance(6))
		pa &= ~(size - 1);
	for (uint64_t i = 0; i < count; i++)
		put(&p->s, page, first + i, (PTE(pa + i * size) & riommu_mask(53, 10)) | flags);
}

static void put_napot(const struct pool *p, const struct pool *under, uint64_t page)
{
	uint64_t pa = (target(p, under) & ~(uint64_t)0xffff) | (chance(8) ? 0x8000 : 0x4000);
	uint64_t first = digit(9), count = 1 + chance(40), flags = leaf_flags(&p->s) | RIOMMU_PTE_N;

	if (chance(4))
		first &= ~(uint64_t)15;
	for (uint64_t i = 0; i < count; i++)
		put(&p->s, page, first + i, (PTE(pa) & riommu_mask(53, 10)) | flags);
}

static void put_pointer(const struct pool *p, uint64_t page)
{
	uint64_t to = chance(12) ? p->page[chance(POOL)] : chance(2) ? p->s.root : 0x66666000;
	uint64_t pte = POINTER(p->s.guest ? GUEST(to) : to);

	if (!chance(6))
		pte |= RIOMMU_PTE_G;
	if (!chance(20))
		pte |= BIT(4 + chance(4));
	put(&p->s, page, digit(9), pte);
}

static void fill(const struct pool *p, const struct pool *under, uint64_t page)
{
	uint64_t count = 2 + chance(7);

	put_pointer(p, page);
	for (uint64_t i = 0; i < count; i++)
		switch (chance(9)) {
		case 0:
		case 1:
			put_pointer(p, page);
			break;
		case 2:
			put_napot(p, under, page);
			break;
		case 3:
			put(&p->s, page, digit(9), state);
			break;
		case 4:
			put(&p->s, page, digit(9),
			    state & (chance(2) ? ~RIOMMU_PTE_V : riommu_mask(53, 10)));
			break;
		default:
			put_leaves(p, under, page);
		}
}

static struct pool make_pool(struct stage s, bool second, const struct pool *under)
{
	struct pool p = {.s = s, .second = second};

	for (unsigned i = 0; i < POOL; i++)
		p.page[i] = new_pages(1);
	for (unsigned i = 0; i < POOL; i++)
		fill(&p, under, p.page[i]);
	for (unsigned i = 0; i < (second ? 4u : 1u); i++)
		for (unsigned n = 0; n < 2; n++)
			fill(&p, under, p.s.root + i * RIOMMU_PAGE_SIZE);
	return p;
}

/* The first stage's tables can be found, most of the time with all that updates of A and D want. */
static void map_tables(const struct pool *second)
{
	unsigned level = second->s.pte_size == 4 ? 1 : 2;
	uint64_t flags = chance(3) ? LEAF_FLAGS : LEAF_FLAGS & ~(chance(256) & 0xec);

	if (!chance(30))
		return;
	for (unsigned i = second->s.levels - 1; i > level; i--)
		put(&second->s, i == second->s.levels - 1 ? second->s.root : second->page[i], 0,
		    POINTER(second->page[i - 1]));
	put(&second->s, level == second->s.levels - 1 ? second->s.root : second->page[level],
	    GUEST(ROOT) / leaf_size(&second->s, level), PTE(ROOT) | flags);
}

static void put_msi_table(const struct pool *second)
{
	static const uint64_t masks[] = {0, 1, 3, 0xff, 0x11, 0x100, 0x201, 0x1ff, 0x3ff, 0x40007};
	uint64_t mask = masks[chance(RIOMMU_ARRAY_SIZE(masks))];
	uint64_t table = new_pages(chance(2) ? 4 : 1), gpa = address_of_digits(&second->s);

	if (!chance(4))
		table += 0x1000;
	m.dw[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | table >> RIOMMU_PAGE_SHIFT;
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = mask;
	m.dw[RIOMMU_DC_MSI_ADDR_PATTERN] = gpa >> RIOMMU_PAGE_SHIFT;
	for (unsigned i = 0; i < 256; i++) {
		uint64_t at = (table & ~RIOMMU_PAGE_MASK) + 16 * i;

		switch (chance(8)) {
		case 0:
			break;
		case 1:
			put_msi_pte(at, state & ~(uint64_t)1, state);
			break;
		case 2:
			put_msi_pte(at, state, state);
			break;
		case 3:
			put_msi_pte(at, 3 | (uint64_t)(0x1000 + i) << 7,
				    PTE(0x70000000 + i * 0x1000) | chance(1024));
			break;
		default:
			put_msi_pte(at, 7 | PTE(0x70000000 + i * 0x1000), chance(2) ? 0 : state);
		}
	}
}

/* -- a machine at random ------------------------------------------------------------------------- */

struct world {
	struct pool first, second;
	bool has_first, has_second;
	struct riommu_space space;
	struct riommu_mapping_args args;
};

static unsigned random_mode(bool bits32)
{
	return bits32 ? RIOMMU_FSC_SV32 : RIOMMU_FSC_SV39 + (unsigned)chance(3);
}

static uint64_t random_tc(void)
{
	uint64_t tc = RIOMMU_TC_V | RIOMMU_TC_EN_ATS;

	if (chance(2))
		m.w.fctl |= RIOMMU_FCTL_BE;
	if (!chance(5))
		m.w.fctl |= RIOMMU_FCTL_GXL;
	tc |= chance(2) ? RIOMMU_TC_SBE : 0;
	tc |= (m.w.fctl & RIOMMU_FCTL_GXL) || !chance(5) ? RIOMMU_TC_SXL : 0;
	tc |= chance(2) ? RIOMMU_TC_SADE : 0;
	tc |= chance(2) ? RIOMMU_TC_GADE : 0;
	if (!chance(4))
		m.w.capabilities &= ~RIOMMU_CAP_SVPBMT;
	if (!chance(4))
		m.w.capabilities &= ~RIOMMU_CAP_SVRSW60T59B;
	m.w.absent_is_fault = !chance(4);
	return tc;
}

/* The requests whose space it is. */
static void random_requests(struct world *x)
{
	uint64_t fsc = m.dw[RIOMMU_DC_FSC];

	switch (chance(4)) {
	case 0:
		x->space.kind = RIOMMU_SPACE_TRANSLATED;
		m.q.type = RIOMMU_TRANSLATED;
		m.dw[RIOMMU_DC_TC] |= x->has_second && chance(2) ? RIOMMU_TC_T2GPA : 0;
		x->args.second_stage_only = (m.dw[RIOMMU_DC_TC] & RIOMMU_TC_T2GPA) && chance(2);
		x->has_first = false;
		break;
	case 1:
		x->space.kind = RIOMMU_SPACE_PROCESS;
		x->space.has_pc = true;
		x->space.pc = (struct riommu_pc){.process_id = 3, .ta = RIOMMU_PC_V, .fsc = fsc};
		x->space.pc.ta |= RIOMMU_PC_ENS | (chance(2) ? RIOMMU_PC_SUM : 0);
		process_context(RIOMMU_PDTP_PD8, 3, x->space.pc.ta, fsc);
		m.q.has_process_id = true;
		m.q.process_id = 3;
		m.q.privileged = chance(2);
		break;
	default:
		x->space.kind = RIOMMU_SPACE_DEVICE;
	}
	memcpy(x->space.dc.dw, m.dw, sizeof(m.dw));
	x->space.dc.dwords = RIOMMU_DC_DWORDS;
}

static void make_world(struct world *x, unsigned seed)
{
	state = 0x9e3779b97f4a7c15u * (seed + 1);
	*x = (struct world){.args.last = UINT64_MAX};
	m.dw[RIOMMU_DC_TC] = random_tc();
	x->has_second = chance(3);
	x->has_first = chance(4);
	if (x->has_second)
		x->second = make_pool(second_stage(random_mode(m.w.fctl & RIOMMU_FCTL_GXL)), true,
				      NULL);
	if (x->has_first)
		x->first = make_pool(first_stage(random_mode(m.dw[RIOMMU_DC_TC] & RIOMMU_TC_SXL)),
				     false, x->has_second ? &x->second : NULL);
	if (x->has_second)
		map_tables(&x->second);
	if (x->has_second && chance(2))
		put_msi_table(&x->second);
	random_requests(x);
	if (!chance(3)) {
		uint64_t a = x->has_first ? address_of_digits(&x->first.s) : chance(1 << 30) << 8;
		uint64_t b = a + (chance(1 << 20) << chance(40)) + chance(4096);

		x->args.first = a + chance(2) * chance(4096);
		x->args.last = b < x->args.first ? UINT64_MAX : b;
	}
}

/* -- what is listed against what is translated --------------------------------------------------- */

static const struct riommu_mapping *find(const struct listing *l, uint64_t iova)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->v[i].iova <= iova && iova <= l->v[i].last)
			return &l->v[i];
	return NULL;
}

static unsigned compared, passed;

static void compare(const struct world *x, const struct listing *l, uint64_t iova)
{
	const struct riommu_mapping *r = find(l, iova);

	if (iova < x->args.first || iova > x->args.last)
		return;
	for (enum riommu_access access = RIOMMU_READ; access <= RIOMMU_EXEC; access++) {
		const char *wrong;

		ask(access, iova);
		compared++;
		passed += range_passes(&x->space, r, &m.q);
		wrong = disagreement(&x->space, r, &m.q, &m.t);
		ck_assert_msg(!wrong, "0x%llx access %d: %s (%s)", (unsigned long long)iova, access,
			      wrong, m.t.reason ? m.t.reason : "");
	}
}

static void check_order(const struct world *x, const struct listing *l)
{
	for (size_t i = 0; i < l->count; i++) {
		ck_assert_uint_le(l->v[i].iova, l->v[i].last);
		ck_assert_uint_ge(l->v[i].iova, i ? l->v[i - 1].last + 1 : x->args.first);
		ck_assert_uint_le(l->v[i].last, x->args.last);
	}
}

START_TEST(what_is_listed_is_what_is_translated)
{
	static struct listing l;
	struct world x;
	int err;

	make_world(&x, (unsigned)_i);
	ask(RIOMMU_READ, 0); /* writes the context */
	ck_assert_ptr_null(riommu_dc_misconfigured(&m.w, &x.space.dc, NULL));
	err = list(&l, &x.space, &x.args);
	if (err) { /* loops, which took more than the list has room for */
		ck_assert_int_eq(err, -ENOSPC);
		x.args.last = l.v[l.count - 1].last;
	}
	check_order(&x, &l);
	for (size_t i = 0; i < l.count; i += 1 + l.count / 400) {
		uint64_t edges[] = {l.v[i].iova, l.v[i].last, l.v[i].iova - 1, l.v[i].last + 1,
				    l.v[i].iova + chance((l.v[i].last - l.v[i].iova) / 2 + 1) * 2};

		for (unsigned e = 0; e < RIOMMU_ARRAY_SIZE(edges); e++)
			compare(&x, &l, edges[e]);
	}
	for (unsigned i = 0; i < 200; i++)
		compare(&x, &l,
			(x.has_first    ? address_of_digits(&x.first.s)
			 : x.has_second ? address_of_digits(&x.second.s)
					: state) |
				chance(4096));
	if (getenv("TEST_VERBOSE"))
		printf("%u: %zu ranges, %u compared, %u passed, err %d\n", (unsigned)_i, l.count,
		       compared, passed, err);
}
END_TEST

TCase *agree_case(void)
{
	TCase *tc = tcase_create("agree");

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, what_is_listed_is_what_is_translated, 0, 400);
	return tc;
}
