/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture: what changed between two systems, each kind of change alone. */
#include "capture/compare.h"
#include "memory.h"
#include "runner.h"

#include <stdio.h>

#define ROOT   0x80000000u
#define RING   0x80100000u
#define TABLES 0x81000000u
#define SV39   ((uint64_t)8 << 60)
#define FLAGS  0xd7u /* V R W U A D */

#define PTE(pa, flags) ((uint64_t)(pa) >> 2 | (flags))

/* One of both systems: an IOMMU with a directory of one level, extended contexts. */
struct side {
	struct memory *memory;
	struct riommu_source *source;
	struct riommu_iommu iommu;
	struct riommu_system sys;
	struct riommu_walker w;
	uint64_t next; /* free page */
};
static struct side side[2];
static struct riommu_ctx *ctx;

static void setup(void)
{
	ctx = riommu_ctx_new();
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = &side[i];

		memset(s, 0, sizeof(*s));
		s->memory = memory_new();
		s->source = memory_source(s->memory, ctx);
		s->next = TABLES;
		s->iommu = (struct riommu_iommu){.base = 0x3010000, .name = "3010000.iommu"};
		s->sys = (struct riommu_system){
			.ctx = ctx, .memory = s->source, .iommus = &s->iommu, .iommu_count = 1};
		s->w = (struct riommu_walker){
			.memory = s->source,
			.capabilities = 0x10 | RIOMMU_CAP_SV39 | RIOMMU_CAP_SV39X4 |
					RIOMMU_CAP_MSI_FLAT | RIOMMU_CAP_PD8 | (uint64_t)46 << 32,
			.ddtp = PTE(ROOT, 0) | RIOMMU_DDTP_1LVL,
		};
		memory_page(s->memory, ROOT);
	}
}

static void teardown(void)
{
	for (unsigned i = 0; i < 2; i++) {
		riommu_source_close(side[i].source);
		memory_free(side[i].memory);
	}
	riommu_ctx_free(ctx);
}

static void put(struct side *s, uint64_t pa, uint64_t value)
{
	memory_put64(s->memory, pa, value, false);
}

static void put_dc(struct side *s, uint32_t id, uint64_t tc, uint64_t fsc)
{
	put(s, ROOT + id * 64, tc);
	put(s, ROOT + id * 64 + 24, fsc);
}

/* -- registers, IOMMUs, the machine --------------------------------------------------------------- */

static void set_register(unsigned i, uint32_t offset, uint64_t value)
{
	int r = riommu_reg_by_offset(offset);

	side[i].iommu.value[r] = value;
	side[i].iommu.state[r] = RIOMMU_REG_KNOWN;
}

struct registers {
	struct riommu_reg_change v[8];
	size_t count;
};

static int see_register(void *arg, const struct riommu_reg_change *change)
{
	struct registers *all = arg;

	ck_assert_uint_lt(all->count, RIOMMU_ARRAY_SIZE(all->v));
	all->v[all->count++] = *change;
	return 0;
}

static struct registers compare_registers(void)
{
	struct registers all = {.count = 0};

	ck_assert_int_eq(
		riommu_compare_registers(
			(const struct riommu_iommu *const[2]){&side[0].iommu, &side[1].iommu},
			see_register, &all),
		0);
	return all;
}

START_TEST(same_registers_are_not_told)
{
	for (unsigned i = 0; i < 2; i++)
		set_register(i, RIOMMU_REG_DDTP, 0x1234);
	ck_assert_uint_eq(compare_registers().count, 0);
}
END_TEST

static const struct {
	uint32_t offset;
	uint64_t old, new;
	bool moves;
} moves[] = {
	{RIOMMU_REG_DDTP, 2, 3, false},
	{RIOMMU_REG_DDTP, 2, 2 | 1 << 4, true}, /* busy */
	{RIOMMU_REG_FCTL, 0, 1, false},
	{RIOMMU_REG_CQH, 1, 2, true},
	{RIOMMU_REG_FQT, 1, 2, true},
	{RIOMMU_REG_PQT, 1, 2, true},
	{RIOMMU_REG_CQB, 1, 2, false},
	{RIOMMU_REG_CQCSR, 1, 1 | 1 << 8, false},
	{RIOMMU_REG_CQCSR, 1, 1 | 1 << 11, true}, /* fence_w_ip */
	{RIOMMU_REG_FQCSR, 1, 1 | 1 << 17, true}, /* busy */
	{RIOMMU_REG_FQCSR, 1, 1 | 1 << 9, false}, /* fqof: records were lost */
	{RIOMMU_REG_IPSR, 0, 2, true},
	{RIOMMU_REG_IOCOUNTINH, 0, 1, false},
	{RIOMMU_REG_IOHPMCYCLES, 5, 6, true},
	{RIOMMU_REG_IOHPMCTR + 8 * 30, 5, 6, true},
	{RIOMMU_REG_IOHPMEVT, 1, 2, false},
	{RIOMMU_REG_IOHPMEVT, 1, 1 | (uint64_t)1 << 63, true}, /* OF */
	{RIOMMU_REG_TR_RESPONSE, 1, 0, true},
	{RIOMMU_REG_ICVEC, 0, 0x3210, false},
};

START_TEST(what_moves_by_itself_is_known)
{
	uint64_t differing = moves[_i].old ^ moves[_i].new;
	struct registers all;

	set_register(0, moves[_i].offset, moves[_i].old);
	set_register(1, moves[_i].offset, moves[_i].new);
	all = compare_registers();
	ck_assert_uint_eq(all.count, 1);
	ck_assert(all.v[0].comparable);
	ck_assert_uint_eq(all.v[0].index, (size_t)riommu_reg_by_offset(moves[_i].offset));
	ck_assert_uint_eq(all.v[0].differing, differing);
	ck_assert_uint_eq(all.v[0].moving, moves[_i].moves ? differing : 0);
}
END_TEST

START_TEST(a_register_known_once_is_not_comparable)
{
	struct registers all;

	set_register(0, RIOMMU_REG_DDTP, 0x1234);
	side[1].iommu.state[riommu_reg_by_offset(RIOMMU_REG_DDTP)] = RIOMMU_REG_MISSING;
	all = compare_registers();
	ck_assert_uint_eq(all.count, 1);
	ck_assert(!all.v[0].comparable);
	ck_assert_uint_eq(all.v[0].differing, 0);
}
END_TEST

static void expect_pairs(const struct riommu_system sys[2], const size_t (*want)[2], size_t len)
{
	struct riommu_iommu_pair *pairs;
	size_t count;

	ck_assert_int_eq(
		riommu_pair_iommus((const struct riommu_system *const[2]){&sys[0], &sys[1]}, &pairs,
				   &count),
		0);
	ck_assert_uint_eq(count, len);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(pairs[i].iommu[0], want[i][0]);
		ck_assert_uint_eq(pairs[i].iommu[1], want[i][1]);
	}
	free(pairs);
}

START_TEST(iommus_are_paired_by_base_then_by_name)
{
	struct riommu_iommu old[] = {{.base = 0x1000, .name = "a"},
				     {.base = 0x2000, .name = "b"},
				     {.base = 0x3000, .name = "c"}};
	struct riommu_iommu new[] = {{.base = 0x9000, .name = "b"},
				     {.base = 0x1000, .name = "other"},
				     {.base = 0x5000, .name = "a"}};
	struct riommu_system sys[2] = {{.iommus = old, .iommu_count = 3},
				       {.iommus = new, .iommu_count = 3}};
	static const size_t want[][2] = {
		{0, 1}, {1, 0}, {2, RIOMMU_NO_IOMMU}, {RIOMMU_NO_IOMMU, 2}};

	expect_pairs(sys, want, RIOMMU_ARRAY_SIZE(want));
}
END_TEST

/* A name that two IOMMUs have makes one pair. */
START_TEST(an_iommu_has_one_partner)
{
	struct riommu_iommu old[] = {{.base = 0x1000, .name = "a"}, {.base = 0x2000, .name = "a"}};
	struct riommu_iommu new[] = {{.base = 0x1000, .name = "a"}, {.base = 0x5000, .name = "a"}};
	struct riommu_system sys[2] = {{.iommus = old, .iommu_count = 2},
				       {.iommus = new, .iommu_count = 2}};
	static const size_t want[][2] = {{0, 0}, {1, 1}};

	expect_pairs(sys, want, RIOMMU_ARRAY_SIZE(want));
}
END_TEST

static char told[512];

static int see_device(void *arg, const struct riommu_device *const d[2])
{
	size_t used = strlen(told);

	(void)arg;
	snprintf(told + used, sizeof(told) - used, "%s/%s ", d[0] ? d[0]->driver : "-",
		 d[1] ? d[1]->driver : "-");
	return 0;
}

START_TEST(devices_come_go_and_change_their_driver)
{
	struct riommu_device old[] = {
		{.device_id = 1, .name = "a", .driver = "same"},
		{.device_id = 2, .name = "b", .driver = "gone"},
		{.device_id = 3, .name = "c", .driver = "before"},
		{.device_id = 3, .name = "d", .driver = "alias"},
		{.iommu = RIOMMU_NO_IOMMU, .name = "z", .driver = "elsewhere"},
	};
	struct riommu_device new[] = {
		{.device_id = 1, .name = "a", .driver = "same"},
		{.device_id = 3, .name = "c", .driver = "after"},
		{.device_id = 3, .name = "d", .driver = "alias"},
		{.device_id = 4, .name = "e", .driver = "come"},
	};
	const struct riommu_iommu_pair pair = {{0, 0}};

	side[0].sys.devices = old;
	side[0].sys.device_count = RIOMMU_ARRAY_SIZE(old);
	side[1].sys.devices = new;
	side[1].sys.device_count = RIOMMU_ARRAY_SIZE(new);
	told[0] = '\0';
	riommu_compare_devices((const struct riommu_system *const[2]){&side[0].sys, &side[1].sys},
			       &pair, see_device, NULL);
	ck_assert_str_eq(told, "gone/- before/after -/come ");
}
END_TEST

/* [1] another group, [2] another domain, [3] the old side has no such IOMMU: what has none at all is not its */
START_TEST(devices_change_by_what_they_are_in)
{
	struct riommu_device old[] = {{.device_id = 1,
				       .name = "a",
				       .driver = "old",
				       .group = "1",
				       .domain_type = "DMA",
				       .iommu = _i == 3 ? RIOMMU_NO_IOMMU : 0}};
	struct riommu_device new[] = {{.device_id = 1, .name = "a", .driver = "old"}};
	const struct riommu_iommu_pair pair = {{_i == 3 ? RIOMMU_NO_IOMMU : 0, 0}};

	strcpy(new[0].group, _i == 1 ? "2" : "1");
	strcpy(new[0].domain_type, _i == 2 ? "identity" : "DMA");
	side[0].sys.devices = old;
	side[1].sys.devices = new;
	side[0].sys.device_count = side[1].sys.device_count = 1;
	told[0] = '\0';
	riommu_compare_devices((const struct riommu_system *const[2]){&side[0].sys, &side[1].sys},
			       &pair, see_device, NULL);
	ck_assert_str_eq(told, _i == 3 ? "-/old " : _i ? "old/old " : "");
}
END_TEST

static int see_region(void *arg, const struct riommu_region *const r[2])
{
	size_t used = strlen(told);

	(void)arg;
	snprintf(told + used, sizeof(told) - used, "%s/%s ", r[0] ? r[0]->name : "-",
		 r[1] ? r[1]->name : "-");
	return 0;
}

START_TEST(regions_come_and_go_in_any_order)
{
	struct riommu_region old[] = {{9, 10, "gone"}, {1, 8, "RAM"}, {2, 3, "Kernel code"}};
	struct riommu_region new[] = {{2, 4, "Kernel code"}, {1, 8, "RAM"}};

	side[0].sys.regions = old;
	side[0].sys.region_count = 3;
	side[1].sys.regions = new;
	side[1].sys.region_count = 2;
	told[0] = '\0';
	riommu_compare_regions((const struct riommu_system *const[2]){&side[0].sys, &side[1].sys},
			       see_region, NULL);
	ck_assert_str_eq(told, "Kernel code/- -/Kernel code gone/- ");
}
END_TEST

/* -- contexts ------------------------------------------------------------------------------------ */

/* "3/3 " for a device in both, "-/3.5 " for a new process, "!0..63 " for what is not known. */
static int see_context(void *arg, const struct riommu_context_change *c)
{
	size_t used = strlen(told);
	char name[2][32] = {"-", "-"};

	(void)arg;
	for (unsigned i = 0; i < 2; i++) {
		if (c->is_process && c->pc[i])
			snprintf(name[i], sizeof(name[i]), "%u.%u", c->dc[i]->device_id,
				 c->pc[i]->process_id);
		else if (!c->is_process && c->dc[i])
			snprintf(name[i], sizeof(name[i]), "%u", c->dc[i]->device_id);
	}
	if (c->error)
		snprintf(told + used, sizeof(told) - used, "!%u:%u..%u ", c->side, c->first_id,
			 c->last_id);
	else
		snprintf(told + used, sizeof(told) - used, "%s/%s ", name[0], name[1]);
	return 0;
}

static struct riommu_comparison *begin(void)
{
	struct riommu_walker walkers[2] = {side[0].w, side[1].w};
	struct riommu_comparison *c;

	ck_assert_int_eq(riommu_comparison_open(walkers, &c), 0);
	return c;
}

static const char *compare_contexts(void)
{
	struct riommu_comparison *c = begin();

	told[0] = '\0';
	ck_assert_int_eq(riommu_compare_contexts(c, see_context, NULL), 0);
	riommu_comparison_close(c);
	return told;
}

START_TEST(device_contexts_come_go_and_change)
{
	for (unsigned i = 0; i < 2; i++)
		put_dc(&side[i], 1, RIOMMU_TC_V, 0);
	put_dc(&side[0], 2, RIOMMU_TC_V, 0);
	put_dc(&side[1], 3, RIOMMU_TC_V, 0);
	put_dc(&side[0], 4, RIOMMU_TC_V, 0);
	put_dc(&side[1], 4, RIOMMU_TC_V | RIOMMU_TC_DTF, 0);
	put_dc(&side[0], 5, 0, 4); /* not valid, and not empty */
	ck_assert_str_eq(compare_contexts(), "2/- -/3 4/4 5/- ");
}
END_TEST

START_TEST(process_contexts_come_go_and_change)
{
	for (unsigned i = 0; i < 2; i++) {
		put_dc(&side[i], 1, RIOMMU_TC_V | RIOMMU_TC_PDTV, (uint64_t)1 << 60 | TABLES >> 12);
		put(&side[i], TABLES + 16, 1);
	}
	put(&side[0], TABLES + 32, 1);
	put(&side[1], TABLES + 48, 1);
	put(&side[0], TABLES + 64, 1);
	put(&side[1], TABLES + 64, 1 | 7 << 12);
	ck_assert_str_eq(compare_contexts(), "1.2/- -/1.3 1.4/1.4 ");
}
END_TEST

/* [0] the new side has a process directory, [1] the old one */
START_TEST(a_process_directory_comes_with_its_processes)
{
	put_dc(&side[_i], 1, RIOMMU_TC_V, 0);
	put_dc(&side[!_i], 1, RIOMMU_TC_V | RIOMMU_TC_PDTV, (uint64_t)1 << 60 | TABLES >> 12);
	put(&side[!_i], TABLES + 3 * 16, 1);
	ck_assert_str_eq(compare_contexts(), _i ? "1/1 1.3/- " : "1/1 -/1.3 ");
}
END_TEST

START_TEST(a_directory_that_is_not_held_is_no_change)
{
	side[1].w.ddtp = PTE(ROOT + 0x5000, 0) | RIOMMU_DDTP_1LVL;
	put_dc(&side[0], 1, RIOMMU_TC_V, 0);
	ck_assert_str_eq(compare_contexts(), "!1:0..63 ");
}
END_TEST

START_TEST(a_process_directory_that_is_not_held_is_no_change)
{
	for (unsigned i = 0; i < 2; i++)
		put_dc(&side[i], 1, RIOMMU_TC_V | RIOMMU_TC_PDTV, (uint64_t)1 << 60 | TABLES >> 12);
	put(&side[1], TABLES + 16, 1);
	ck_assert_str_eq(compare_contexts(), "!0:0..255 ");
}
END_TEST

/* The part that is not held lies between what both have: it hides its own ids, and no others. */
START_TEST(a_part_of_a_process_directory_that_is_not_held_hides_its_ids)
{
	for (unsigned i = 0; i < 2; i++) {
		put_dc(&side[i], 1, RIOMMU_TC_V | RIOMMU_TC_PDTV, (uint64_t)2 << 60 | TABLES >> 12);
		for (uint64_t page = 0; page < 3; page++)
			put(&side[i], TABLES + 8 * page, PTE(TABLES + 0x1000 * (page + 1), 1));
		put(&side[i], TABLES + 0x3000 + 16 * 88, 1 | (uint64_t)i << 12);
	}
	memory_page(side[0].memory, TABLES + 0x1000);
	put(&side[1], TABLES + 0x1000 + 16 * 10, 1);
	put(&side[1], TABLES + 0x2000 + 16 * 44, 1);
	ck_assert_str_eq(compare_contexts(), "-/1.10 1.600/1.600 !0:256..511 ");
}
END_TEST

/* Entries that lead to the page of the first one: gaps that touch are one. */
START_TEST(gaps_that_touch_are_one)
{
	for (unsigned s = 0; s < 2; s++) {
		side[s].w.ddtp = PTE(ROOT + 0x1000, 0) | RIOMMU_DDTP_2LVL;
		for (uint64_t i = 0; i < 6; i++)
			put(&side[s], ROOT + 0x1000 + 8 * i, i == 3 ? 0 : PTE(ROOT, 1));
	}
	ck_assert_str_eq(compare_contexts(), "!0:64..191 !0:256..383 !1:64..191 !1:256..383 ");
}
END_TEST

START_TEST(a_context_of_the_other_format_is_another)
{
	put_dc(&side[0], 2, RIOMMU_TC_V, 0);
	side[1].w.capabilities &= ~RIOMMU_CAP_MSI_FLAT;
	put(&side[1], ROOT + 2 * 32, RIOMMU_TC_V);
	ck_assert_str_eq(compare_contexts(), "2/2 ");
}
END_TEST

START_TEST(off_has_no_contexts)
{
	put_dc(&side[0], 1, RIOMMU_TC_V, 0);
	put_dc(&side[1], 1, RIOMMU_TC_V, 0);
	side[1].w.ddtp = RIOMMU_DDTP_OFF;
	ck_assert_str_eq(compare_contexts(), "1/- ");
}
END_TEST

static bool is_same(void)
{
	struct riommu_comparison *c = begin();
	bool same = riommu_comparison_same(c);

	riommu_comparison_close(c);
	return same;
}

/* -- mappings -------------------------------------------------------------------------------------- */

/* The table below entry INDEX of TABLE, which is made if it is not there. */
static uint64_t below(struct side *s, uint64_t table, uint64_t index)
{
	uint64_t entry, at = table + index * 8;

	ck_assert_int_eq(riommu_source_read(s->source, at, &entry, sizeof(entry)), 0);
	entry = riommu_get64(&entry, false);
	if (entry & RIOMMU_PTE_V)
		return riommu_ppn_upper(entry);
	put(s, at, PTE(s->next, RIOMMU_PTE_V));
	memory_page(s->memory, s->next);
	riommu_source_forget(s->source);
	s->next += 0x1000;
	return s->next - 0x1000;
}

/* A first stage for device ID; its root. */
static uint64_t new_space(struct side *s, uint32_t id)
{
	uint64_t root = s->next;

	memory_page(s->memory, root);
	s->next += 0x1000;
	put_dc(s, id, RIOMMU_TC_V, SV39 | root >> 12);
	return root;
}

static void map(struct side *s, uint64_t root, uint64_t iova, uint64_t pa, unsigned flags)
{
	uint64_t l1 = below(s, root, iova >> 30 & 511), l0 = below(s, l1, iova >> 21 & 511);

	put(s, l0 + (iova >> 12 & 511) * 8, PTE(pa, flags));
}

struct changes {
	struct riommu_mapping_change v[16]; /* the first ones */
	struct riommu_mapping mapping[16][2];
	struct riommu_space_ref refs[16][4];
	size_t count, errors;
};

static int see_mapping(void *arg, const struct riommu_mapping_change *change)
{
	struct changes *all = arg;
	size_t i = all->count;

	if (change->error)
		all->errors++;
	all->count++;
	if (i >= RIOMMU_ARRAY_SIZE(all->v))
		return 0;
	all->v[i] = *change;
	for (unsigned s = 0; s < 2; s++) {
		if (!change->mapping[s])
			continue;
		ck_assert_uint_eq(change->mapping[s]->iova, change->iova);
		ck_assert_uint_eq(change->mapping[s]->last, change->last);
		all->mapping[i][s] = *change->mapping[s];
	}
	for (size_t r = 0; r < change->ref_count && r < 4; r++)
		all->refs[i][r] = change->refs[r];
	return 0;
}

static struct changes *compare_mappings(void)
{
	static struct changes all;
	struct riommu_comparison *c = begin();

	memset(&all, 0, sizeof(all));
	ck_assert_int_eq(riommu_compare_mappings(c, see_mapping, &all), 0);
	riommu_comparison_close(c);
	return &all;
}

/* Change I is of FIRST..LAST, from OLD to NEW; 0: nothing. */
static void expect_change(const struct changes *all, size_t i, uint64_t first, uint64_t last,
			  uint64_t old, uint64_t new)
{
	ck_assert_uint_lt(i, all->count);
	ck_assert_int_eq(all->v[i].error, 0);
	ck_assert_uint_eq(all->v[i].iova, first);
	ck_assert_uint_eq(all->v[i].last, last);
	ck_assert_int_eq(all->v[i].mapping[0] != NULL, old != 0);
	ck_assert_int_eq(all->v[i].mapping[1] != NULL, new != 0);
	ck_assert_uint_eq(all->mapping[i][0].pa, old);
	ck_assert_uint_eq(all->mapping[i][1].pa, new);
}

/* COUNT pages from IOVA on, in both. */
static void map_both(const uint64_t root[2], uint64_t iova, uint64_t pa, uint64_t count)
{
	for (unsigned s = 0; s < 2; s++)
		for (uint64_t i = 0; i < count; i++)
			map(&side[s], root[s], iova + i * 0x1000, pa + i * 0x1000, FLAGS);
}

START_TEST(same_mappings_are_not_told)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};

	map_both(root, 0x1000, 0x90000000, 4);
	ck_assert(is_same());
	ck_assert_uint_eq(compare_mappings()->count, 0);
	/* tables at other places lead there as well */
	side[1].next += 0x5000;
	root[1] = new_space(&side[1], 1);
	for (uint64_t i = 0; i < 4; i++)
		map(&side[1], root[1], 0x1000 + i * 0x1000, 0x90000000 + i * 0x1000, FLAGS);
	ck_assert(!is_same());
	ck_assert_uint_eq(compare_mappings()->count, 0);
}
END_TEST

START_TEST(a_mapping_comes_and_one_goes)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};
	struct changes *all;

	map_both(root, 0x1000, 0x90000000, 1);
	map(&side[0], root[0], 0x5000, 0x91000000, FLAGS);
	map(&side[1], root[1], 0x8000, 0x92000000, FLAGS);
	map(&side[1], root[1], 0x9000, 0x92001000, FLAGS);
	ck_assert(!is_same());
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 2);
	expect_change(all, 0, 0x5000, 0x5fff, 0x91000000, 0);
	expect_change(all, 1, 0x8000, 0x9fff, 0, 0x92000000);
	ck_assert_uint_eq(all->mapping[1][1].leaves, 2);
}
END_TEST

START_TEST(a_range_is_split_where_its_middle_changed)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};
	struct changes *all;

	map_both(root, 0x1000, 0x90000000, 8);
	map(&side[1], root[1], 0x3000, 0xa0000000, FLAGS);
	map(&side[1], root[1], 0x4000, 0xa0001000, FLAGS);
	map(&side[1], root[1], 0x6000, 0x90005000, FLAGS & ~4u); /* not W any more */
	map(&side[1], root[1], 0x7000, 0x90006000, 0);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 3);
	expect_change(all, 0, 0x3000, 0x4fff, 0x90002000, 0xa0000000);
	ck_assert_uint_eq(all->mapping[0][0].leaves, 2);
	expect_change(all, 1, 0x6000, 0x6fff, 0x90005000, 0x90005000);
	ck_assert_uint_eq(all->mapping[1][0].permissions, RIOMMU_PERM_R | RIOMMU_PERM_W);
	ck_assert_uint_eq(all->mapping[1][1].permissions, RIOMMU_PERM_R);
	expect_change(all, 2, 0x7000, 0x7fff, 0x90006000, 0);
}
END_TEST

START_TEST(leaves_of_another_size_lead_to_the_same)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};
	struct changes *all;

	put(&side[0], below(&side[0], root[0], 0) + 8, PTE(0x90000000, FLAGS)); /* 2 MiB */
	for (uint64_t i = 0; i < 512; i++)
		map(&side[1], root[1], 0x200000 + i * 0x1000, 0x90000000 + i * 0x1000, FLAGS);
	ck_assert_uint_eq(compare_mappings()->count, 0);
	map(&side[1], root[1], 0x280000, 0, 0);
	riommu_source_forget(side[1].source);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 1);
	expect_change(all, 0, 0x280000, 0x280fff, 0x90080000, 0);
}
END_TEST

START_TEST(spaces_with_the_same_tables_are_told_once)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};
	struct changes *all;

	for (unsigned s = 0; s < 2; s++) {
		put_dc(&side[s], 7, RIOMMU_TC_V, SV39 | root[s] >> 12);
		put(&side[s], ROOT + 7 * 64 + 16, 5 << 12); /* another PSCID */
	}
	map(&side[1], root[1], 0x1000, 0x90000000, FLAGS);
	put_dc(&side[1], 9, RIOMMU_TC_V, SV39 | root[1] >> 12); /* new: everything is */
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 2);
	expect_change(all, 0, 0x1000, 0x1fff, 0, 0x90000000);
	ck_assert_uint_eq(all->v[0].ref_count, 2);
	ck_assert_uint_eq(all->refs[0][0].device_id, 1);
	ck_assert_uint_eq(all->refs[0][1].device_id, 7);
	ck_assert_ptr_nonnull(all->v[0].space[0]);
	ck_assert_uint_eq(all->v[1].ref_count, 1);
	ck_assert_uint_eq(all->refs[1][0].device_id, 9);
	ck_assert_ptr_null(all->v[1].space[0]);
}
END_TEST

/* What is held at once does not decide what is told. */
START_TEST(spaces_come_in_turns)
{
	struct changes *all;

	for (unsigned s = 0; s < 2; s++)
		for (uint32_t id = 1; id <= 4; id++)
			map(&side[s], new_space(&side[s], id), 0x1000,
			    0x90000000 + (id + s) * 0x1000, FLAGS);
	ck_assert_int_eq(riommu_option_set(ctx, "spaces", "1"), 0);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 4);
	for (size_t i = 0; i < 4; i++) {
		expect_change(all, i, 0x1000, 0x1fff, 0x90001000 + i * 0x1000,
			      0x90002000 + i * 0x1000);
		ck_assert_uint_eq(all->refs[i][0].device_id, i + 1);
	}
}
END_TEST

START_TEST(processes_are_paired_by_their_id)
{
	struct changes *all;

	for (unsigned s = 0; s < 2; s++) {
		uint64_t pdt = side[s].next, root[2];

		side[s].next += 0x1000;
		put_dc(&side[s], 1, RIOMMU_TC_V | RIOMMU_TC_PDTV, (uint64_t)1 << 60 | pdt >> 12);
		for (uint64_t i = 0; i < 2; i++) {
			root[i] = side[s].next;
			side[s].next += 0x1000;
			memory_page(side[s].memory, root[i]);
			put(&side[s], pdt + (3 + i) * 16, 1);
			put(&side[s], pdt + (3 + i) * 16 + 8, SV39 | root[i] >> 12);
			map(&side[s], root[i], 0x1000, 0x90000000 + i * s * 0x1000, FLAGS);
		}
	}
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 1);
	expect_change(all, 0, 0x1000, 0x1fff, 0x90000000, 0x90001000);
	ck_assert_uint_eq(all->refs[0][0].kind, RIOMMU_SPACE_PROCESS);
	ck_assert_uint_eq(all->refs[0][0].process_id, 4);
}
END_TEST

/* Processes FIRST and up, one for each of ROOTS. */
static void put_processes(struct side *s, uint64_t pdt, uint64_t first, const uint64_t *roots,
			  size_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		put(s, pdt + (first + i) * 16, 1);
		put(s, pdt + (first + i) * 16 + 8, SV39 | roots[i] >> 12);
	}
}

/* A device with more processes than are held at once: each is told, once; those with the same tables (3 and 5) apart. */
START_TEST(processes_of_one_device_come_in_turns)
{
	struct changes *all;

	for (unsigned s = 0; s < 2; s++) {
		uint64_t pdt = side[s].next, root[4];

		side[s].next += 0x1000;
		for (uint64_t i = 0; i < 4; i++) {
			root[i] = i == 2 ? root[0] : side[s].next;
			if (i == 2)
				continue;
			side[s].next += 0x1000;
			memory_page(side[s].memory, root[i]);
			map(&side[s], root[i], 0x1000, 0x90000000 + s * 0x1000, FLAGS);
		}
		put_dc(&side[s], 1, RIOMMU_TC_V | RIOMMU_TC_PDTV, (uint64_t)1 << 60 | pdt >> 12);
		put_processes(&side[s], pdt, 3, root, 4);
	}
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 3);
	ck_assert_uint_eq(all->v[0].ref_count, 2);
	ck_assert_int_eq(riommu_option_set(ctx, "spaces", "2"), 0);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 4);
	for (size_t i = 0; i < 4; i++) {
		expect_change(all, i, 0x1000, 0x1fff, 0x90000000, 0x90001000);
		ck_assert_uint_eq(all->v[i].ref_count, 1);
		ck_assert_uint_eq(all->refs[i][0].process_id, 3 + i);
	}
}
END_TEST

START_TEST(processes_that_cannot_be_looked_at_are_no_change)
{
	struct changes *all;
	uint64_t root;

	for (unsigned s = 0; s < 2; s++)
		put_dc(&side[s], 1, RIOMMU_TC_V | RIOMMU_TC_PDTV, (uint64_t)1 << 60 | TABLES >> 12);
	side[1].next += 0x1000;
	root = side[1].next;
	side[1].next += 0x1000;
	memory_page(side[1].memory, root);
	put(&side[1], TABLES + 3 * 16, 1);
	put(&side[1], TABLES + 3 * 16 + 8, SV39 | root >> 12);
	map(&side[1], root, 0x1000, 0x90000000, FLAGS);
	all = compare_mappings(); /* the old process directory is not held */
	ck_assert_uint_eq(all->count, 0);
	memory_page(side[0].memory, TABLES);
	riommu_source_forget(side[0].source);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 1);
	expect_change(all, 0, 0x1000, 0x1fff, 0, 0x90000000);
}
END_TEST

/* Under tc.DPE the device's own requests are those of process 0. Translated requests are of no process. */
START_TEST(what_hangs_on_a_process_that_cannot_be_looked_at_is_no_change)
{
	uint64_t tc = RIOMMU_TC_V | RIOMMU_TC_PDTV | RIOMMU_TC_DPE,
		 pdtp = (uint64_t)1 << 60 | TABLES >> 12, root = TABLES + 0x1000;
	struct changes *all;

	put_dc(&side[0], 1, tc, pdtp);
	put_dc(&side[1], 1, tc | RIOMMU_TC_EN_ATS, pdtp);
	side[1].w.capabilities |= RIOMMU_CAP_ATS;
	side[1].next = TABLES + 0x2000;
	memory_page(side[1].memory, root);
	put_processes(&side[1], TABLES, 0, &root, 1);
	map(&side[1], root, 0x1000, 0x90000000, FLAGS);
	all = compare_mappings(); /* the old process directory is not held */
	ck_assert_uint_eq(all->count, 1);
	ck_assert_int_eq(all->refs[0][0].kind, RIOMMU_SPACE_TRANSLATED);
	memory_page(side[0].memory, TABLES);
	riommu_source_forget(side[0].source);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 2);
	expect_change(all, 0, 0x1000, 0x1fff, 0, 0x90000000);
	ck_assert_int_eq(all->refs[0][0].kind, RIOMMU_SPACE_DEVICE);
}
END_TEST

/* Guest memory is where it is: what is not told of lies between 2 and 3 GiB, and all tables do. */
static uint64_t guest(struct side *s, uint32_t id)
{
	uint64_t root = (s->next + 0x3fff) & ~(uint64_t)0x3fff;

	s->next = root + 0x4000;
	for (uint64_t i = 0; i < 4; i++)
		memory_page(s->memory, root + i * 0x1000);
	put(s, root + 16, PTE(0x80000000, FLAGS));
	put(s, ROOT + id * 64 + 8, SV39 | root >> 12);
	return root;
}

/* An MSI page table with two interrupt files at guest page 0x300; its address. */
static uint64_t interrupt_files(struct side *s, uint32_t id)
{
	uint64_t table = s->next;

	s->next += 0x1000;
	put(s, ROOT + id * 64 + 32, (uint64_t)1 << 60 | table >> 12);
	put(s, ROOT + id * 64 + 40, 1);
	put(s, ROOT + id * 64 + 48, 0x300);
	put(s, table, PTE(0xb0000000, 7));
	put(s, table + 16, PTE(0xb0001000, 7));
	return table;
}

START_TEST(a_part_of_interrupt_files_leads_where_it_led)
{
	struct changes *all;

	for (unsigned s = 0; s < 2; s++) {
		uint64_t table;

		put_dc(&side[s], 1, RIOMMU_TC_V, 0);
		guest(&side[s], 1);
		table = interrupt_files(&side[s], 1);
		if (s)
			put(&side[s], table + 16, 0);
	}
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 1);
	expect_change(all, 0, 0x301000, 0x301fff, 0xb0001000, 0);
	ck_assert_int_eq(all->mapping[0][0].kind, RIOMMU_MAPPING_MSI_FLAT);
}
END_TEST

START_TEST(a_part_of_what_the_guest_alone_has_keeps_its_guest_address)
{
	struct changes *all;

	for (unsigned s = 0; s < 2; s++) {
		uint64_t root = new_space(&side[s], 1);

		guest(&side[s], 1);
		map(&side[s], root, 0x1000, 0x10000, FLAGS);
		if (!s)
			map(&side[s], root, 0x2000, 0x11000, FLAGS);
	}
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 1);
	ck_assert_int_eq(all->mapping[0][0].kind, RIOMMU_MAPPING_GUEST_ONLY);
	ck_assert_uint_eq(all->v[0].iova, 0x2000);
	ck_assert_uint_eq(all->mapping[0][0].gpa, 0x11000);
	ck_assert_ptr_null(all->v[0].mapping[1]);
}
END_TEST

/* How many leaves of what sizes there are in a part is not known. */
START_TEST(a_part_of_leaves_of_several_sizes_has_no_number_of_them)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};
	struct changes *all;

	for (unsigned s = 0; s < 2; s++) {
		uint64_t middle = below(&side[s], root[s], 0);

		put(&side[s], middle + 8, PTE(0x90200000, FLAGS));
	}
	map(&side[0], root[0], 0x1ff000, 0x901ff000, FLAGS);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 1);
	expect_change(all, 0, 0x1ff000, 0x1fffff, 0x901ff000, 0);
	ck_assert_uint_eq(all->mapping[0][0].leaf_sizes, 0x201000);
	ck_assert_uint_eq(all->mapping[0][0].leaves, 0);
}
END_TEST

/* [0] G, [1] the memory type, [2] where a notice goes, [3] its number, [4] where the second stage leads, [5] nothing */
START_TEST(what_a_request_meets_decides)
{
	struct changes *all;

	for (unsigned s = 0; s < 2; s++) {
		bool new = s == 1;
		uint64_t root = new_space(&side[s], 1), second = guest(&side[s], 1);
		uint64_t table = interrupt_files(&side[s], 1);
		uint64_t more = new &&_i == 0 ? RIOMMU_PTE_G : new &&_i == 1 ? 1ull << 61 : 0;

		side[s].w.capabilities |= RIOMMU_CAP_SVPBMT | RIOMMU_CAP_MSI_MRIF;
		map(&side[s], root, 0x1000, 0x300000, FLAGS);
		put(&side[s], table, (uint64_t)0xc0000200 >> 9 << 7 | 3);
		put(&side[s], table + 8,
		    PTE(new &&_i == 2 ? 0xd0001000 : 0xd0000000, new &&_i == 3));
		map(&side[s], root, 0x2000, 0x10000, FLAGS);
		map(&side[s], second, 0x10000, new &&_i == 4 ? 0x91000000 : 0x90000000, FLAGS);
		map(&side[s], root, 0x4000, 0x10000, 0);
		put(&side[s], below(&side[s], below(&side[s], root, 0), 0) + 8 * 4,
		    PTE(0x80000000, FLAGS) | more);
		riommu_source_forget(side[s].source);
	}
	all = compare_mappings();
	ck_assert_uint_eq(all->count, _i == 5 ? 0 : 1);
	ck_assert_uint_eq(all->errors, 0);
	if (all->count)
		ck_assert_uint_eq(all->v[0].iova, _i < 2 ? 0x4000 : _i < 4 ? 0x1000 : 0x2000);
}
END_TEST

/* With ddtp Bare only untranslated requests pass. */
START_TEST(bare_refuses_translated_requests)
{
	struct changes *all;

	side[0].w.ddtp = RIOMMU_DDTP_BARE;
	side[1].w.capabilities |= RIOMMU_CAP_ATS;
	put_dc(&side[1], 1, RIOMMU_TC_V | RIOMMU_TC_EN_ATS, 0);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 1);
	ck_assert_int_eq(all->refs[0][0].kind, RIOMMU_SPACE_TRANSLATED);
	ck_assert_ptr_null(all->v[0].mapping[0]);
	ck_assert_int_eq(all->mapping[0][1].kind, RIOMMU_MAPPING_IDENTITY);
}
END_TEST

START_TEST(bare_is_an_identity)
{
	uint64_t root = new_space(&side[1], 1);
	struct changes *all;

	side[0].w.ddtp = RIOMMU_DDTP_BARE;
	map(&side[1], root, 0x1000, 0x90000000, FLAGS);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 3);
	ck_assert_int_eq(all->mapping[0][0].kind, RIOMMU_MAPPING_IDENTITY);
	ck_assert_uint_eq(all->v[0].last, 0xfff);
	expect_change(all, 1, 0x1000, 0x1fff, 0x1000, 0x90000000);
	ck_assert_uint_eq(all->v[2].iova, 0x2000);
	ck_assert_uint_eq(all->v[2].last, UINT64_MAX);
	ck_assert_ptr_null(all->v[2].mapping[1]);
}
END_TEST

START_TEST(a_table_that_is_not_held_is_no_change)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};
	struct changes *all;

	map_both(root, 0x1000, 0x90000000, 1);
	map(&side[_i], root[_i], 0x40000000, 0x91000000, FLAGS);
	put(&side[!_i], root[!_i] + 8, PTE(0xdead0000, RIOMMU_PTE_V));
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 1);
	ck_assert_uint_eq(all->errors, 1);
	ck_assert_int_eq(all->v[0].error, -ENODATA);
	ck_assert_uint_eq(all->v[0].side, !_i);
	ck_assert_uint_eq(all->v[0].address, 0xdead0000);
	ck_assert_uint_eq(all->v[0].iova, 0x40000000);
	ck_assert_uint_eq(all->v[0].last, 0x7fffffff);
}
END_TEST

START_TEST(the_highest_address_ends_it)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};
	uint64_t top = 0xfffffffffffff000;
	struct changes *all;

	map(&side[0], root[0], top, 0x90000000, FLAGS);
	map(&side[1], root[1], top, 0x91000000, FLAGS);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 1);
	expect_change(all, 0, top, UINT64_MAX, 0x90000000, 0x91000000);
}
END_TEST

/* More old ranges than are kept at once: 70,000 pages with gaps between them, 40,000 further up in one range. */
START_TEST(more_ranges_than_a_window_holds)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};
	struct changes *all;

	for (uint64_t i = 0; i < 70000; i++)
		for (unsigned s = 0; s < 2; s++)
			map(&side[s], root[s], i * 0x2000, 0x100000000 + i * 0x2000, FLAGS);
	ck_assert_uint_eq(compare_mappings()->count, 0);
	map(&side[1], root[1], 69999 * 0x2000, 0x90000000, FLAGS);
	for (uint64_t i = 0; i < 70000; i++)
		map(&side[1], root[1], i * 0x2000 + 0x1000, 0x200000000 + i * 0x1000, FLAGS);
	riommu_source_forget(side[1].source);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 70001);
	ck_assert_uint_eq(all->errors, 0);
	expect_change(all, 0, 0x1000, 0x1fff, 0, 0x200000000);
}
END_TEST

START_TEST(changes_on_both_sides_of_the_end_of_a_window)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};
	struct changes *all;

	for (uint64_t i = 0; i < 65536 + 512; i++) {
		/* every other page read-only: each is a range of its own */
		map(&side[0], root[0], i * 0x1000, 0x100000000 + i * 0x1000,
		    FLAGS & ~(i & 1 ? 4u : 0u));
		map(&side[1], root[1], i * 0x1000, 0x100000000 + i * 0x1000,
		    i < 65530 || i > 65540 ? FLAGS & ~(i & 1 ? 4u : 0u) : 0);
	}
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 11);
	for (size_t i = 0; i < all->count; i++)
		expect_change(all, i, (65530 + i) * 0x1000, (65530 + i) * 0x1000 + 0xfff,
			      0x100000000 + (65530 + i) * 0x1000, 0);
}
END_TEST

START_TEST(max_pages_bounds_it)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};
	struct changes *all;

	map_both(root, 0x1000, 0x90000000, 1);
	map_both(root, 0x40000000, 0x90000000, 1);
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "3"), 0);
	all = compare_mappings();
	ck_assert_uint_eq(all->count, 1);
	ck_assert_int_eq(all->v[0].error, -EOVERFLOW);
}
END_TEST

/* A loop makes one page into hundreds of tables: what counts for a device is how many were entered. */
START_TEST(max_pages_counts_tables_entered)
{
	struct changes *all;

	for (unsigned s = 0; s < 2; s++) {
		uint64_t pdt = side[s].next;

		side[s].next += 0x1000;
		put_dc(&side[s], 1, RIOMMU_TC_V | RIOMMU_TC_PDTV, (uint64_t)1 << 60 | pdt >> 12);
		for (uint64_t i = 0; i < 3; i++) {
			uint64_t root = side[s].next, table = root + 0x1000;

			side[s].next += 0x2000;
			memory_page(side[s].memory, table);
			put(&side[s], pdt + i * 16, 1);
			put(&side[s], pdt + i * 16 + 8, SV39 | root >> 12);
			for (uint64_t e = 0; e < 512; e++)
				put(&side[s], root + 8 * e, PTE(table, RIOMMU_PTE_V));
		}
	}
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "1000"), 0);
	all = compare_mappings();
	/* 513 are below the limit, 1026 are not: the third is not looked at */
	ck_assert_uint_eq(all->count, 1);
	ck_assert_int_eq(all->v[0].error, -EOVERFLOW);
	ck_assert_uint_eq(all->refs[0][0].process_id, 2);
}
END_TEST

static int stop(void *arg, const struct riommu_mapping_change *change)
{
	(void)arg, (void)change;
	return 42;
}

START_TEST(a_visitor_can_end_it)
{
	struct riommu_comparison *c;
	uint64_t root = new_space(&side[1], 1);

	map(&side[1], root, 0x1000, 0x90000000, FLAGS);
	c = begin();
	ck_assert_int_eq(riommu_compare_mappings(c, stop, NULL), 42);
	riommu_comparison_close(c);
}
END_TEST

/* [0] at what is not known, [1] when there is no room for the next device, [2] nor for the next process */
START_TEST(a_visitor_can_end_it_anywhere)
{
	struct riommu_comparison *c;

	for (unsigned s = 0; s < 2; s++) {
		uint64_t pdt = side[s].next, root[2] = {pdt + 0x1000, pdt + 0x2000};

		for (uint64_t i = 0; i < 3; i++)
			memory_page(side[s].memory, pdt + i * 0x1000);
		side[s].next += 0x3000;
		for (unsigned i = 0; i < 2; i++) {
			map(&side[s], root[i], 0x1000, 0x90000000 + s * 0x1000, FLAGS);
			put(&side[s], pdt + 16 * (i + 1), 1);
			put(&side[s], pdt + 16 * (i + 1) + 8, SV39 | root[i] >> 12);
		}
		if (_i == 2)
			put_dc(&side[s], 1, RIOMMU_TC_V | RIOMMU_TC_PDTV,
			       (uint64_t)1 << 60 | pdt >> 12);
		else
			for (unsigned i = 0; i < 2; i++)
				put_dc(&side[s], 1 + i, RIOMMU_TC_V, SV39 | root[i] >> 12);
		if (_i == 0 && s == 0)
			put(&side[s], root[0], PTE(0xdead0000, RIOMMU_PTE_V));
		riommu_source_forget(side[s].source);
	}
	ck_assert_int_eq(riommu_option_set(ctx, "spaces", "1"), 0);
	c = begin();
	ck_assert_int_eq(riommu_compare_mappings(c, stop, NULL), 42);
	riommu_comparison_close(c);
}
END_TEST

/* [0] the old side's, [1] the new one's */
START_TEST(what_no_memory_is_behind_is_not_the_same)
{
	side[0].w.ddtp = side[1].w.ddtp = RIOMMU_DDTP_OFF;
	ck_assert(is_same());
	side[_i].w.memory = NULL;
	ck_assert(!is_same());
}
END_TEST

START_TEST(one_bit_is_enough_not_to_be_the_same)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};

	map_both(root, 0x1000, 0x90000000, 4);
	ck_assert(is_same());
	side[1].w.fctl = 1;
	ck_assert(!is_same());
	side[1].w.fctl = 0;
	side[1].w.ddtp |= RIOMMU_DDTP_BUSY;
	ck_assert(is_same());
	map(&side[1], root[1], 0x4000, 0x90003000, FLAGS | 1 << 8); /* RSW */
	riommu_source_forget(side[1].source);
	ck_assert(!is_same());
}
END_TEST

/* No IOMMU goes behind a misconfigured context; who lists its processes does, and so what differs there is a difference. */
START_TEST(a_process_behind_a_misconfigured_context_is_enough_not_to_be_the_same)
{
	uint64_t tc = RIOMMU_TC_V | RIOMMU_TC_PDTV;

	for (unsigned s = 0; s < 2; s++) {
		put_dc(&side[s], 1, tc, (uint64_t)1 << 60 | TABLES >> 12);
		put(&side[s], ROOT + 64 + 8 * RIOMMU_DC_RESERVED, 1);
		put(&side[s], TABLES + 16, 1);
	}
	ck_assert(is_same());
	put(&side[1], TABLES + 16, 3);
	riommu_source_forget(side[1].source);
	ck_assert_str_eq(compare_contexts(), "1.1/1.1 ");
	ck_assert(!is_same());
}
END_TEST

START_TEST(what_is_not_held_is_not_the_same)
{
	uint64_t root[2] = {new_space(&side[0], 1), new_space(&side[1], 1)};

	for (unsigned s = 0; s < 2; s++)
		put(&side[s], root[s], PTE(0xdead0000, RIOMMU_PTE_V));
	ck_assert(!is_same());
}
END_TEST

/* -- faults ---------------------------------------------------------------------------------------- */

#define ENTRIES 256u /* two pages */

static struct riommu_queue queues[2];

static void record(unsigned s, uint32_t index, uint64_t iotval)
{
	uint64_t at = RING + index * 32;

	put(&side[s], at, 13 | (uint64_t)2 << 34 | (uint64_t)8 << 40);
	put(&side[s], at + 16, iotval);
}

/* A ring with records FIRST..TAIL - 1, counted from the beginning of time. */
static void fill_ring(unsigned s, uint32_t first, uint32_t tail)
{
	for (uint32_t i = 0; i < 2; i++)
		memory_page(side[s].memory, RING + i * 0x1000);
	for (uint32_t i = first; i < tail; i++)
		record(s, i % ENTRIES, 0x1000 + i);
	queues[s] = (struct riommu_queue){.kind = RIOMMU_FQ,
					  .memory = side[s].source,
					  .base = RING,
					  .entries = ENTRIES,
					  .entry_size = 32,
					  .head = tail % ENTRIES,
					  .tail = tail % ENTRIES,
					  .indexes_known = true};
}

struct seen {
	uint64_t first, last, count;
};

static int see_fault(void *arg, const struct riommu_fault_visit *v)
{
	struct seen *seen = arg;

	if (v->error)
		return 0;
	seen->first = seen->count++ ? seen->first : v->fault.iotval - 0x1000;
	seen->last = v->fault.iotval - 0x1000;
	return 0;
}

static void expect_faults(enum riommu_ring_state state, uint64_t first, uint64_t count)
{
	struct riommu_ring_change ring;
	struct seen seen = {0};

	ck_assert_int_eq(riommu_compare_faults(queues, see_fault, &seen, &ring), 0);
	ck_assert_int_eq(ring.state, state);
	ck_assert_uint_eq(ring.added, count);
	ck_assert_uint_eq(seen.count, count);
	if (!count)
		return;
	ck_assert_uint_eq(seen.first, first);
	ck_assert_uint_eq(seen.last, first + count - 1);
}

static const struct {
	uint32_t old_first, old_tail, new_first, new_tail;
	enum riommu_ring_state state;
	uint32_t first, count;
} rings[] = {
	{0, 0, 0, 0, RIOMMU_RING_SAME, 0, 0},
	{0, 5, 0, 5, RIOMMU_RING_SAME, 0, 0},
	{0, 0, 0, 3, RIOMMU_RING_GREW, 0, 3},
	{0, 5, 0, 9, RIOMMU_RING_GREW, 5, 4},
	{0, 250, 4, 260, RIOMMU_RING_GREW, 250, 10},     /* around the end */
	{44, 300, 299, 555, RIOMMU_RING_GREW, 300, 255}, /* all but one */
	{44, 300, 300, 556, RIOMMU_RING_LAPPED, 300,
	 256}, /* exactly round: the tail is where it was */
	{44, 300, 344, 600, RIOMMU_RING_LAPPED, 344, 256}, /* 44 are lost */
	{0, 5, 10, 266, RIOMMU_RING_LAPPED, 10, 256},
	{0, 9, 1000, 1000, RIOMMU_RING_RESET, 0, 0}, /* nothing is left */
	{0, 9, 9, 9, RIOMMU_RING_RESET, 0, 0},       /* nor that, and the tail is where it was */
};

START_TEST(new_records_are_those_between_the_tails)
{
	fill_ring(0, rings[_i].old_first, rings[_i].old_tail);
	fill_ring(1, rings[_i].new_first, rings[_i].new_tail);
	expect_faults(rings[_i].state, rings[_i].first, rings[_i].count);
}
END_TEST

START_TEST(a_ring_that_began_anew_is_told)
{
	fill_ring(0, 0, 9);
	fill_ring(1, 0, 9); /* the old records are still there */
	record(1, 0, 0x1000 + 500);
	record(1, 1, 0x1000 + 501);
	queues[1].tail = queues[1].head = 2;
	expect_faults(RIOMMU_RING_RESET, 500, 2);
}
END_TEST

START_TEST(another_ring_has_only_new_records)
{
	fill_ring(0, 0, 9);
	fill_ring(1, 20, 25);
	queues[0].base += 0x10000;
	expect_faults(RIOMMU_RING_MOVED, 20, 5);
}
END_TEST

START_TEST(without_indexes_the_places_count)
{
	fill_ring(0, 0, 9);
	fill_ring(1, 0, 12);
	queues[1].indexes_known = false;
	expect_faults(RIOMMU_RING_UNKNOWN, 9, 3);
}
END_TEST

START_TEST(without_indexes_a_record_that_is_another_is_new)
{
	fill_ring(0, 0, 9);
	fill_ring(1, 0, 9);
	record(1, 3, 0x1000 + 777);
	queues[0].indexes_known = false;
	expect_faults(RIOMMU_RING_UNKNOWN, 777, 1);
}
END_TEST

START_TEST(a_ring_of_another_size_has_only_new_records)
{
	fill_ring(0, 0, 9);
	fill_ring(1, 20, 25);
	queues[0].entries /= 2;
	expect_faults(RIOMMU_RING_MOVED, 20, 5);
}
END_TEST

START_TEST(an_old_ring_that_is_not_held_leaves_the_tails)
{
	fill_ring(0, 0, 9);
	fill_ring(1, 0, 12);
	queues[0].memory = NULL;
	expect_faults(RIOMMU_RING_UNKNOWN, 9, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compare");
	TCase *tc = tcase_create("compare");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, same_registers_are_not_told);
	tcase_add_loop_test(tc, what_moves_by_itself_is_known, 0, (int)RIOMMU_ARRAY_SIZE(moves));
	tcase_add_test(tc, a_register_known_once_is_not_comparable);
	tcase_add_test(tc, iommus_are_paired_by_base_then_by_name);
	tcase_add_test(tc, an_iommu_has_one_partner);
	tcase_add_test(tc, devices_come_go_and_change_their_driver);
	tcase_add_loop_test(tc, devices_change_by_what_they_are_in, 0, 4);
	tcase_add_test(tc, regions_come_and_go_in_any_order);
	tcase_add_test(tc, device_contexts_come_go_and_change);
	tcase_add_test(tc, process_contexts_come_go_and_change);
	tcase_add_loop_test(tc, a_process_directory_comes_with_its_processes, 0, 2);
	tcase_add_test(tc, a_directory_that_is_not_held_is_no_change);
	tcase_add_test(tc, a_process_directory_that_is_not_held_is_no_change);
	tcase_add_test(tc, a_part_of_a_process_directory_that_is_not_held_hides_its_ids);
	tcase_add_test(tc, gaps_that_touch_are_one);
	tcase_add_test(tc, a_context_of_the_other_format_is_another);
	tcase_add_test(tc, off_has_no_contexts);
	tcase_add_test(tc, same_mappings_are_not_told);
	tcase_add_test(tc, a_mapping_comes_and_one_goes);
	tcase_add_test(tc, a_range_is_split_where_its_middle_changed);
	tcase_add_test(tc, leaves_of_another_size_lead_to_the_same);
	tcase_add_test(tc, spaces_with_the_same_tables_are_told_once);
	tcase_add_test(tc, spaces_come_in_turns);
	tcase_add_test(tc, processes_are_paired_by_their_id);
	tcase_add_test(tc, processes_of_one_device_come_in_turns);
	tcase_add_test(tc, processes_that_cannot_be_looked_at_are_no_change);
	tcase_add_test(tc, what_hangs_on_a_process_that_cannot_be_looked_at_is_no_change);
	tcase_add_test(tc, a_part_of_interrupt_files_leads_where_it_led);
	tcase_add_test(tc, a_part_of_what_the_guest_alone_has_keeps_its_guest_address);
	tcase_add_test(tc, a_part_of_leaves_of_several_sizes_has_no_number_of_them);
	tcase_add_loop_test(tc, what_a_request_meets_decides, 0, 6);
	tcase_add_test(tc, bare_refuses_translated_requests);
	tcase_add_test(tc, bare_is_an_identity);
	tcase_add_loop_test(tc, a_table_that_is_not_held_is_no_change, 0, 2);
	tcase_add_test(tc, the_highest_address_ends_it);
	tcase_add_test(tc, more_ranges_than_a_window_holds);
	tcase_add_test(tc, changes_on_both_sides_of_the_end_of_a_window);
	tcase_add_test(tc, max_pages_bounds_it);
	tcase_add_test(tc, max_pages_counts_tables_entered);
	tcase_add_test(tc, a_visitor_can_end_it);
	tcase_add_loop_test(tc, a_visitor_can_end_it_anywhere, 0, 3);
	tcase_add_loop_test(tc, what_no_memory_is_behind_is_not_the_same, 0, 2);
	tcase_add_test(tc, one_bit_is_enough_not_to_be_the_same);
	tcase_add_test(tc, a_process_behind_a_misconfigured_context_is_enough_not_to_be_the_same);
	tcase_add_test(tc, what_is_not_held_is_not_the_same);
	tcase_add_loop_test(tc, new_records_are_those_between_the_tails, 0,
			    (int)RIOMMU_ARRAY_SIZE(rings));
	tcase_add_test(tc, a_ring_that_began_anew_is_told);
	tcase_add_test(tc, another_ring_has_only_new_records);
	tcase_add_test(tc, without_indexes_the_places_count);
	tcase_add_test(tc, without_indexes_a_record_that_is_another_is_new);
	tcase_add_test(tc, a_ring_of_another_size_has_only_new_records);
	tcase_add_test(tc, an_old_ring_that_is_not_held_leaves_the_tails);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
