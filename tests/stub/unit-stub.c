/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub, instruction by instruction, from the first byte of a wrapped Image to the kernel's entry, on the machine of
 * machine.h. What must never happen is watched there in every test; here is what has to come of it.
 */
#include "images.h"
#include "machine.h"
#include "spec/registers.h"
#include "runner.h"

#include <check.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>

#define IMAGE_BASE 0x90200000u
#define TREE_BASE  0x9f000008u
#define FIRST      0x3010000u
#define HART       3
#define CAPS       0x0000043803c74f10u /* 1.0, ATS, IGS MSI, no DBG, PAS 56 */
#define DDTP_OLD   0x003f00123456bc04u
#define DDTP_OFF   0x003f00123456bc00u
#define IMAGE_SIZE 0x10000u
#define LIMIT      1000000

static struct riommu_ctx *ctx;
static struct machine machine, *const m = &machine;
static struct device devices[MAX_DEVICES];
static struct riommu_stub_table table;
static struct riommu_image image;
static struct riommu_record record;

/* -- the machine of a test ------------------------------------------------------------------------------------- */

/* COUNT well-behaved IOMMUs, all in the table, their capabilities known; a tree with a record for CAPACITY (0: no record). */
static void begin_with(unsigned count, uint32_t capacity, enum riommu_image_layout layout)
{
	uint8_t *original = image_make(IMAGE_SIZE, 4 * IMAGE_SIZE);
	void *wrapped;

	ctx = riommu_ctx_new();
	memset(m, 0, sizeof(*m));
	memset(&table, 0, sizeof(table));
	table.count = count;
	for (unsigned i = 0; i < count; i++) {
		device_init(&devices[i], FIRST + (uint64_t)i * 0x4000, CAPS);
		table.iommu[i] =
			(struct riommu_stub_iommu){devices[i].base, CAPS, RIOMMU_POLICY_BLOCK};
	}
	m->device = devices;
	m->devices = count;
	ck_assert_int_eq(riommu_image_wrap(ctx, original, IMAGE_SIZE, &table, layout, &wrapped,
					   &m->image_size, &image),
			 0);
	free(original);
	m->image = wrapped;
	m->image_base = IMAGE_BASE;
	m->tree_base = TREE_BASE;
	if (capacity) {
		m->tree = tree_with_record(capacity, &m->tree_size, &m->record);
		m->record_size = RIOMMU_RECORD_SIZE(capacity);
	} else {
		m->tree = tree_make(&m->tree_size);
	}
}

static void begin(unsigned count)
{
	begin_with(count, count, RIOMMU_LAYOUT_BSS);
}

/* The table in the Image says something else: for what riommu_image_wrap() refuses to write. */
static void patch(size_t at, uint64_t v)
{
	riommu_put64((uint8_t *)(uintptr_t)m->image + image.stub + at, v);
}

/* 64 bytes in: the table; the offsets of handover-internal.h, written down once more on purpose. */
#define TABLE_AT(i) (0x400 + 64 + 24 * (size_t)(i))
#define TARGET_AT   (0x400 + 32)

/* What holds at the end of every run: the kernel gets what kexec gave. */
static void run_limited(uint64_t limit)
{
	uint64_t entry =
		IMAGE_BASE + (image.layout == RIOMMU_LAYOUT_PREFIX ? 0x200000 : MADE_ENTRY);
	bool there;

	machine_start(m, IMAGE_BASE, HART, TREE_BASE);
	there = machine_run(m, entry, limit);
	ck_assert_msg(there, "%s", m->wrong);
	ck_assert_uint_eq(m->x[10], HART);
	ck_assert_uint_eq(m->x[11], TREE_BASE);
	ck_assert_uint_eq(m->stvec, entry);
	ck_assert(m->fenced && m->fenced_i);
	ck_assert_uint_eq(m->sstatus & 1 << 24, 0);
	if (m->record_size)
		ck_assert_int_eq(
			riommu_record_parse(ctx, m->tree + m->record, m->record_size, &record), 0);
}

static void run(void)
{
	run_limited(LIMIT);
}

static void end(void)
{
	free((void *)(uintptr_t)m->image);
	free(m->tree);
	riommu_ctx_free(ctx);
}

static bool is_off(const struct device *d)
{
	return device_get64(d, RIOMMU_REG_DDTP) == DDTP_OFF;
}

/* -- what it is for ------------------------------------------------------------------------------------------------ */

START_TEST(an_iommu_is_blocked_and_its_queues_are_stopped)
{
	static const enum riommu_image_layout layouts[] = {RIOMMU_LAYOUT_PREFIX, RIOMMU_LAYOUT_BSS,
							   RIOMMU_LAYOUT_SLACK};
	struct device *d = &devices[0];

	begin_with(1, 1, layouts[_i]);
	run();
	ck_assert(is_off(d));
	ck_assert_uint_eq(d->word[RIOMMU_REG_CQCSR / 4], 0);
	ck_assert_uint_eq(d->word[RIOMMU_REG_FQCSR / 4],
			  0x200); /* an error stays: writing 0 does not clear it */
	ck_assert_uint_eq(d->word[RIOMMU_REG_PQCSR / 4], 0x100);
	ck_assert_uint_eq(d->word[RIOMMU_REG_IPSR / 4], 0);
	ck_assert_uint_eq(record.state, RIOMMU_RECORD_FINISHED);
	ck_assert_uint_eq(record.entry[0].status, RIOMMU_RECORD_BLOCKED);
	end();
}
END_TEST

START_TEST(the_record_has_each_register_as_it_was)
{
	const struct riommu_record_entry *e = &record.entry[0];

	begin(1);
	run();
	ck_assert_uint_eq(e->base, FIRST);
	ck_assert_uint_eq(e->policy, RIOMMU_POLICY_BLOCK);
	ck_assert_uint_eq(e->capabilities, CAPS);
	ck_assert_uint_eq(e->ddtp_old, DDTP_OLD);
	ck_assert_uint_eq(e->ddtp_new, DDTP_OFF);
	ck_assert_uint_eq(e->cqb, 0x5a00001c5a000018);
	ck_assert_uint_eq(e->fqb, 0x5a00002c5a000028);
	ck_assert_uint_eq(e->pqb, 0x5a00003c5a000038);
	ck_assert_uint_eq(e->fctl, 2);
	ck_assert_uint_eq(e->cqh, 0x5a000020);
	ck_assert_uint_eq(e->cqt, 0x5a000024);
	ck_assert_uint_eq(e->fqh, 0x5a000030);
	ck_assert_uint_eq(e->fqt, 0x5a000034);
	ck_assert_uint_eq(e->pqh, 0x5a000040);
	ck_assert_uint_eq(e->pqt, 0x5a000044);
	ck_assert_uint_eq(e->cqcsr, 0x10003);
	ck_assert_uint_eq(e->pqcsr, 0x10103);
	ck_assert_uint_eq(e->fqcsr, 0x10203);
	ck_assert_uint_eq(e->ipsr, 0xb);
	ck_assert_uint_gt(e->ticks, 0);
	ck_assert_uint_lt(e->ticks, 200);
	for (size_t i = RIOMMU_RECORD_AT_PADDING; i < RIOMMU_RECORD_ENTRY; i++)
		ck_assert_uint_eq(m->tree[m->record + RIOMMU_RECORD_HEAD + i], 0);
	end();
}
END_TEST

START_TEST(without_ats_there_is_no_page_request_queue)
{
	begin(1);
	device_init(&devices[0], FIRST, CAPS & ~RIOMMU_CAP_ATS);
	patch(TABLE_AT(0) + 8, 0);
	run(); /* an access to pqb, pqh, pqt, pqcsr would end it */
	ck_assert_uint_eq(record.entry[0].status, RIOMMU_RECORD_BLOCKED);
	ck_assert_uint_eq(record.entry[0].pqb, 0);
	ck_assert_uint_eq(record.entry[0].pqcsr, 0);
	ck_assert_uint_eq(record.entry[0].fqcsr, 0x10203);
	ck_assert_uint_eq(record.entry[0].ipsr, 0xb);
	end();
}
END_TEST

START_TEST(it_runs_at_any_address)
{
	static const uint64_t bases[] = {0x80200000,   0x7fe00000,     0x100000000,
					 0x4000200000, 0xffffffe00000, 0x200000};

	begin(2);
	m->image_base = bases[_i];
	machine_start(m, m->image_base, HART, TREE_BASE);
	ck_assert_msg(machine_run(m, m->image_base + MADE_ENTRY, LIMIT), "%s", m->wrong);
	ck_assert(is_off(&devices[0]));
	ck_assert(is_off(&devices[1]));
	end();
}
END_TEST

START_TEST(registers_may_be_above_four_gibibytes)
{
	begin(1);
	devices[0].base = 0xfedcba98765000;
	patch(TABLE_AT(0), devices[0].base);
	run();
	ck_assert(is_off(&devices[0]));
	ck_assert_uint_eq(record.entry[0].base, 0xfedcba98765000);
	end();
}
END_TEST

START_TEST(sixty_four_iommus_are_blocked_and_recorded)
{
	begin(64);
	run();
	for (unsigned i = 0; i < 64; i++) {
		ck_assert(is_off(&devices[i]));
		ck_assert_uint_eq(record.entry[i].base, devices[i].base);
		ck_assert_uint_eq(record.entry[i].status, RIOMMU_RECORD_BLOCKED);
	}
	ck_assert_uint_eq(record.used, 64);
	end();
}
END_TEST

START_TEST(an_iommu_by_policy_leave_is_recorded_and_not_written)
{
	begin(3);
	devices[1].leave_alone = true;
	patch(TABLE_AT(1) + 16, RIOMMU_POLICY_LEAVE);
	run();
	ck_assert(is_off(&devices[0]) && is_off(&devices[2]));
	ck_assert_uint_eq(device_get64(&devices[1], RIOMMU_REG_DDTP), DDTP_OLD);
	ck_assert_uint_eq(record.entry[1].status, RIOMMU_RECORD_LEFT);
	ck_assert_uint_eq(record.entry[1].policy, RIOMMU_POLICY_LEAVE);
	ck_assert_uint_eq(record.entry[1].ddtp_old, DDTP_OLD);
	ck_assert_uint_eq(record.entry[1].ddtp_new, DDTP_OLD);
	ck_assert_uint_eq(record.entry[1].fqb, 0x5a00002c5a000028);
	end();
}
END_TEST

/* -- hardware that does not do as it should -------------------------------------------------------------------------- */

/* In each of these the second of three IOMMUs is the odd one: the others are blocked as if nothing were. */
static void run_odd(uint32_t status)
{
	run_limited(20 * (uint64_t)RIOMMU_STUB_POLLS * 10);
	ck_assert(is_off(&devices[0]) && is_off(&devices[2]));
	ck_assert_uint_eq(record.entry[0].status, RIOMMU_RECORD_BLOCKED);
	ck_assert_uint_eq(record.entry[1].status, status);
	ck_assert_uint_eq(record.entry[2].status, RIOMMU_RECORD_BLOCKED);
	ck_assert_uint_eq(record.entry[1].base, devices[1].base);
	ck_assert_uint_eq(record.state, RIOMMU_RECORD_FINISHED);
	end();
}

START_TEST(nothing_at_the_address_is_skipped)
{
	begin(3);
	m->devices = 1;
	devices[1] = devices[2];
	m->devices = 2; /* of table entries 0, 1, 2 there is nobody at 1 */
	run();
	ck_assert(is_off(&devices[0]) && is_off(&devices[1]));
	ck_assert_uint_eq(record.entry[0].status, RIOMMU_RECORD_BLOCKED);
	ck_assert_uint_eq(record.entry[1].status, RIOMMU_RECORD_TRAP);
	ck_assert_uint_eq(record.entry[1].base, FIRST + 0x4000);
	ck_assert_uint_eq(record.entry[1].capabilities, 0);
	ck_assert_uint_eq(record.entry[1].ddtp_old, 0);
	ck_assert_uint_eq(record.entry[1].ddtp_new, 0);
	ck_assert_uint_eq(record.entry[2].status, RIOMMU_RECORD_BLOCKED);
	end();
}
END_TEST

START_TEST(a_trap_at_any_register_is_survived)
{
	begin(3);
	devices[1].trap_load = (uint32_t)_i * 4;
	if (_i * 4 == RIOMMU_REG_TR_REQ_CTL || _i * 4 == RIOMMU_REG_CAPABILITIES + 0xc)
		devices[1].trap_load = 0; /* not read */
	run_odd(RIOMMU_RECORD_TRAP);
}
END_TEST

START_TEST(a_trap_at_any_write_is_survived)
{
	static const uint32_t written[] = {RIOMMU_REG_DDTP, RIOMMU_REG_CQCSR, RIOMMU_REG_PQCSR,
					   RIOMMU_REG_FQCSR, RIOMMU_REG_IPSR};

	begin(3);
	devices[1].trap_store = written[_i];
	run_odd(RIOMMU_RECORD_TRAP);
}
END_TEST

START_TEST(a_debug_register_that_traps_is_survived)
{
	begin(3);
	device_init(&devices[1], devices[1].base, CAPS | RIOMMU_CAP_DBG);
	patch(TABLE_AT(1) + 8, 0);
	devices[1].trap_load = RIOMMU_REG_TR_REQ_CTL;
	devices[1].leave_alone = true;
	run_odd(RIOMMU_RECORD_TRAP);
}
END_TEST

START_TEST(other_capabilities_than_expected_are_not_written)
{
	begin(3);
	devices[1].leave_alone = true;
	patch(TABLE_AT(1) + 8, CAPS ^ (uint64_t)1 << (uint64_t)_i);
	run_odd(RIOMMU_RECORD_NOT_IOMMU);
}
END_TEST

START_TEST(a_newer_major_version_is_not_written)
{
	begin(3);
	device_init(&devices[1], devices[1].base, (CAPS & ~(uint64_t)0xff) | 0x20);
	devices[1].leave_alone = true;
	patch(TABLE_AT(1) + 8, 0);
	run_odd(RIOMMU_RECORD_NOT_IOMMU);
}
END_TEST

START_TEST(what_it_takes_for_an_iommu_is_what_the_library_does)
{
	uint64_t x = 88172645463325252;

	for (int round = 0; round < 40; round++) {
		begin(64);
		for (unsigned i = 0; i < 64; i++) {
			uint64_t caps;

			x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* xorshift */
			caps = round % 2 ? CAPS ^ (uint64_t)1 << i ^
						   (round > 1 ? (uint64_t)1 << x % 64 : 0)
					 : (x & 0xff000ffffe0fcf00) | 0x10 |
						   (x & 3 ? 0 : x & 0x00fff000001030f0);
			device_init(&devices[i], devices[i].base, caps);
			devices[i].leave_alone = !riommu_capabilities_plausible(caps);
			patch(TABLE_AT(i) + 8, 0);
		}
		run();
		for (unsigned i = 0; i < 64; i++)
			ck_assert_uint_eq(record.entry[i].status, devices[i].leave_alone
									  ? RIOMMU_RECORD_NOT_IOMMU
									  : RIOMMU_RECORD_BLOCKED);
		end();
	}
}
END_TEST

START_TEST(a_ddtp_that_cannot_be_is_not_written)
{
	bool mode_exists = _i < 5 || _i > 13;
	uint64_t ddtp = _i < 16 ? (DDTP_OLD & ~(uint64_t)15) + (uint64_t)_i
				: DDTP_OLD | (uint64_t)1 << (_i < 21 ? _i - 16 + 5 : _i - 21 + 54);

	begin(3);
	device_put64(&devices[1], RIOMMU_REG_DDTP, ddtp);
	devices[1].ddtp_before = (uint32_t)ddtp;
	devices[1].leave_alone = !mode_exists || _i >= 16;
	run_odd(devices[1].leave_alone ? RIOMMU_RECORD_NOT_IOMMU : RIOMMU_RECORD_BLOCKED);
}
END_TEST

START_TEST(busy_bits_that_clear_in_time_do_no_harm)
{
	struct device *d = &devices[1];

	begin(3);
	device_init(d, d->base, CAPS | RIOMMU_CAP_DBG);
	patch(TABLE_AT(1) + 8, 0);
	d->ddtp_busy = d->ddtp_busy_after = d->go = 1000;
	for (int q = 0; q < QUEUES; q++)
		d->busy[q] = d->busy_after[q] = d->on_after[q] = 1000;
	run_odd(RIOMMU_RECORD_BLOCKED);
	ck_assert(is_off(d));
}
END_TEST

START_TEST(a_ddtp_that_stays_busy_is_not_written_but_the_queues_stop)
{
	struct device *d = &devices[1];

	begin(3);
	d->ddtp_busy = FOREVER;
	run_odd(RIOMMU_RECORD_BUSY_BEFORE);
	ck_assert_uint_eq(d->writes[RIOMMU_REG_DDTP / 4], 0);
	ck_assert_uint_eq(d->writes[RIOMMU_REG_CQCSR / 4] + d->writes[RIOMMU_REG_FQCSR / 4] +
				  d->writes[RIOMMU_REG_PQCSR / 4],
			  3);
}
END_TEST

START_TEST(a_debug_translation_that_does_not_end_keeps_ddtp_from_being_written)
{
	struct device *d = &devices[1];

	begin(3);
	device_init(d, d->base, CAPS | RIOMMU_CAP_DBG);
	patch(TABLE_AT(1) + 8, 0);
	d->go = FOREVER;
	run_odd(RIOMMU_RECORD_BUSY_BEFORE);
	ck_assert_uint_eq(d->writes[RIOMMU_REG_DDTP / 4], 0);
	ck_assert_uint_eq(record.entry[1].ddtp_new, DDTP_OLD);
}
END_TEST

START_TEST(without_dbg_the_debug_register_is_not_looked_at)
{
	begin(1);
	devices[0].go = FOREVER; /* and the machine ends the run at a read of what is no register */
	devices[0].go = 0;
	devices[0].trap_load = RIOMMU_REG_TR_REQ_CTL;
	run();
	ck_assert_uint_eq(record.entry[0].status, RIOMMU_RECORD_BLOCKED);
	end();
}
END_TEST

START_TEST(a_ddtp_that_is_busy_for_ever_after_the_write_is_recorded)
{
	begin(3);
	devices[1].ddtp_busy_after = FOREVER;
	run_odd(RIOMMU_RECORD_BUSY_AFTER);
	ck_assert_uint_eq(devices[1].writes[RIOMMU_REG_CQCSR / 4], 1);
	ck_assert_uint_eq(record.entry[1].ddtp_new, DDTP_OFF | RIOMMU_DDTP_BUSY);
}
END_TEST

START_TEST(a_mode_that_does_not_take_is_recorded)
{
	begin(3);
	devices[1].mode_kept = true;
	run_odd(RIOMMU_RECORD_MODE_KEPT);
	ck_assert_uint_eq(record.entry[1].ddtp_new, DDTP_OLD);
	ck_assert_uint_eq(devices[1].writes[RIOMMU_REG_FQCSR / 4], 1);
}
END_TEST

START_TEST(a_queue_that_is_busy_is_not_written_the_others_stop)
{
	begin(3);
	devices[1].busy[_i] = FOREVER;
	run_odd(RIOMMU_RECORD_QUEUE_ON);
	ck_assert(is_off(&devices[1]));
	ck_assert_uint_eq(devices[1].writes[RIOMMU_REG_CQCSR / 4], _i != CQ);
	ck_assert_uint_eq(devices[1].writes[RIOMMU_REG_PQCSR / 4], _i != PQ);
	ck_assert_uint_eq(devices[1].writes[RIOMMU_REG_FQCSR / 4], _i != FQ);
}
END_TEST

START_TEST(a_queue_that_stays_on_is_recorded)
{
	begin(3);
	if (_i < QUEUES)
		devices[1].on_after[_i] = FOREVER;
	else
		devices[1].busy_after[_i - QUEUES] = FOREVER;
	run_odd(RIOMMU_RECORD_QUEUE_ON);
	ck_assert(is_off(&devices[1]));
}
END_TEST

START_TEST(the_first_of_several_failures_is_the_status)
{
	begin(3);
	devices[1].mode_kept = true;
	devices[1].on_after[CQ] = FOREVER;
	run_odd(RIOMMU_RECORD_MODE_KEPT);
}
END_TEST

START_TEST(memory_that_poses_as_an_iommu_is_survived)
{
	begin(3);
	devices[1].ram = true;
	devices[1].word[RIOMMU_REG_DDTP / 4] |= (uint32_t)RIOMMU_DDTP_BUSY;
	run_odd(RIOMMU_RECORD_BUSY_BEFORE);
}
END_TEST

START_TEST(a_time_csr_that_traps_gives_no_ticks)
{
	begin(2);
	m->time_traps = true;
	run();
	ck_assert(is_off(&devices[0]) && is_off(&devices[1]));
	ck_assert_uint_eq(record.entry[0].status, RIOMMU_RECORD_BLOCKED);
	ck_assert_uint_eq(record.entry[0].ticks, 0);
	ck_assert_uint_eq(record.entry[1].ticks, 0);
	end();
}
END_TEST

/* -- the tree ------------------------------------------------------------------------------------------------------------ */

/* Blocked all the same, and not a byte of the tree was written (the machine would say so). */
static void run_without_record(void)
{
	m->record_size = 0;
	run();
	for (unsigned i = 0; i < m->devices; i++)
		ck_assert(is_off(&devices[i]));
	end();
}

START_TEST(without_a_record_it_blocks)
{
	begin_with(2, 0, RIOMMU_LAYOUT_BSS);
	run_without_record();
}
END_TEST

START_TEST(without_a_tree_it_blocks)
{
	begin(2);
	m->tree_size = 0;
	run_without_record();
}
END_TEST

START_TEST(a_misaligned_tree_is_left_alone)
{
	begin(2);
	m->record_size = 0;
	machine_start(m, IMAGE_BASE, HART, TREE_BASE + 2);
	ck_assert_msg(machine_run(m, IMAGE_BASE + MADE_ENTRY, LIMIT), "%s", m->wrong);
	ck_assert(is_off(&devices[0]));
	end();
}
END_TEST

START_TEST(a_record_for_fewer_takes_the_first)
{
	begin_with(3, 1, RIOMMU_LAYOUT_BSS);
	run();
	for (unsigned i = 0; i < 3; i++)
		ck_assert(is_off(&devices[i]));
	ck_assert_uint_eq(record.used, 1);
	ck_assert_uint_eq(record.entry[0].base, devices[0].base);
	ck_assert_uint_eq(record.state, RIOMMU_RECORD_FINISHED);
	end();
}
END_TEST

START_TEST(an_old_record_is_cleared_first)
{
	begin_with(1, 4, RIOMMU_LAYOUT_BSS);
	memset(m->tree + m->record + RIOMMU_RECORD_HEAD, 0xff, 4 * RIOMMU_RECORD_ENTRY);
	run();
	ck_assert_uint_eq(record.used, 1);
	for (size_t i = RIOMMU_RECORD_SIZE(1); i < RIOMMU_RECORD_SIZE(4); i++)
		ck_assert_uint_eq(m->tree[m->record + i], 0);
	end();
}
END_TEST

/* Nobody expects it of memory, but the kernel has to boot. The first stores, to all of it, show whether it is there at all. */
START_TEST(a_record_that_traps_is_done_without)
{
	uint64_t stores;

	begin(2);
	run();
	stores = m->record_stores;
	end();
	ck_assert_uint_gt(stores, 70);
	for (uint64_t works = 1; works <= stores; works++) {
		begin(2);
		m->record_works = works;
		run();
		ck_assert((is_off(&devices[0]) && is_off(&devices[1])) ||
			  works > 2 * RIOMMU_RECORD_ENTRY / 4);
		ck_assert_uint_eq(record.state == RIOMMU_RECORD_FINISHED, works == stores);
		end();
	}
}
END_TEST

/* A word of the record's header, or around it (big-endian), that makes it none. */
START_TEST(a_record_that_contradicts_itself_is_not_written)
{
	static const struct {
		int at;
		uint32_t v;
	} cases[] = {
		{0, 0},
		{4, 0},
		{8, 0},
		{12, 0x52455645},
		{RIOMMU_RECORD_AT_VERSION, 2},
		{RIOMMU_RECORD_AT_VERSION, 0},
		{RIOMMU_RECORD_AT_SIZE, 0},
		{RIOMMU_RECORD_AT_SIZE, 32 + 127},
		{RIOMMU_RECORD_AT_SIZE, 32 + 3 * 128},
		{RIOMMU_RECORD_AT_SIZE, UINT32_MAX},
		{RIOMMU_RECORD_AT_CAPACITY, 0},
		{RIOMMU_RECORD_AT_CAPACITY, 1},
		{RIOMMU_RECORD_AT_CAPACITY, 3},
		{RIOMMU_RECORD_AT_CAPACITY, 65},
		{RIOMMU_RECORD_AT_CAPACITY, UINT32_MAX},
		{RIOMMU_RECORD_AT_CAPACITY, 0x2000002},
		{-12, 0x01000000},
		{-12, 0},
		{-8, 0},
		{-8, 0x24010000},
		{-8, 0x20010001},
	};

	ck_assert_int_lt(_i, (int)RIOMMU_ARRAY_SIZE(cases));
	begin(2);
	riommu_put32(m->tree + (int)m->record + cases[_i].at, cases[_i].v);
	run_without_record();
}
END_TEST

START_TEST(a_record_that_is_consistent_but_too_large_for_the_tree_is_not_written)
{
	begin(2);
	riommu_put32(m->tree + m->record + RIOMMU_RECORD_AT_CAPACITY, 64);
	riommu_put32(m->tree + m->record + RIOMMU_RECORD_AT_SIZE, (uint32_t)RIOMMU_RECORD_SIZE(64));
	riommu_put32(m->tree + m->record - 8, __builtin_bswap32((uint32_t)RIOMMU_RECORD_SIZE(64)));
	run_without_record();
}
END_TEST

/* All of it fits together, but for a capacity that is none. */
START_TEST(a_record_for_none_or_too_many_is_not_written)
{
	static const uint32_t capacities[] = {0, 65, 1000};
	uint32_t capacity = capacities[_i], size = (uint32_t)RIOMMU_RECORD_SIZE(capacity);
	size_t len;
	void *tree, *place;

	begin_with(2, 0, RIOMMU_LAYOUT_BSS);
	len = m->tree_size + size + 1024;
	tree = calloc(1, len);
	ck_assert_ptr_nonnull(tree);
	ck_assert(!fdt_open_into(m->tree, tree, (int)len));
	ck_assert(!fdt_setprop_placeholder(tree, fdt_path_offset(tree, "/chosen"),
					   RIOMMU_RECORD_PROPERTY, (int)size, &place));
	memset(place, 0, size);
	memcpy(place, RIOMMU_RECORD_MAGIC, RIOMMU_RECORD_MAGIC_SIZE);
	riommu_put32((uint8_t *)place + RIOMMU_RECORD_AT_VERSION, RIOMMU_RECORD_VERSION);
	riommu_put32((uint8_t *)place + RIOMMU_RECORD_AT_SIZE, size);
	riommu_put32((uint8_t *)place + RIOMMU_RECORD_AT_CAPACITY, capacity);
	free(m->tree);
	m->tree = tree;
	m->tree_size = len;
	run_without_record();
}
END_TEST

/* A field of the tree's header (big-endian) that lies. */
START_TEST(a_tree_that_lies_about_itself_is_left_alone)
{
	static const struct {
		size_t at;
		uint32_t v;
	} cases[] = {
		{0, 0},           {0, 0xedfe0dd0}, {4, 0},   {4, 40},
		{4, 0x200001},    {4, UINT32_MAX}, {8, 0},   {8, 2},
		{8, 0x7ffffffc},  {8, 0xfffffffc}, {20, 0},  {20, 16},
		{20, 0x1000000},  {36, 0},         {36, 16}, {36, 0x7fffffff},
		{36, UINT32_MAX},
	};

	ck_assert_int_lt(_i, (int)RIOMMU_ARRAY_SIZE(cases));
	begin(2);
	riommu_put32(m->tree + cases[_i].at, __builtin_bswap32(cases[_i].v));
	if (cases[_i].at == 8 &&
	    !cases[_i]
		     .v) { /* then the struct block begins at the header, and the record may be in it */
		run();
		end();
		return;
	}
	run_without_record();
}
END_TEST

/* A tree that claims more than there is: the scan runs into the end of memory, which traps. */
START_TEST(a_tree_that_ends_too_early_is_survived)
{
	begin(2);
	m->tree_size = m->record - 100;
	riommu_put32(m->tree + 4, __builtin_bswap32(0x200000));
	riommu_put32(m->tree + 36, __builtin_bswap32(0x100000));
	run_without_record();
}
END_TEST

START_TEST(the_magic_elsewhere_is_passed_over)
{
	uint8_t decoy[4 + 160 + 128] = {0};
	void *tree;
	size_t len;

	begin_with(1, 0, RIOMMU_LAYOUT_BSS);
	riommu_record_init(decoy + 4, 1); /* inside of a property: its length does not fit */
	len = m->tree_size + 1024;
	tree = calloc(1, len);
	ck_assert_ptr_nonnull(tree);
	ck_assert(!fdt_open_into(m->tree, tree, (int)len));
	ck_assert(!fdt_setprop(tree, fdt_path_offset(tree, "/chosen"), "bootargs",
			       "xxxRVIOMMU-HANDOVER", 20));
	ck_assert(!fdt_setprop(tree, 0, "decoy", decoy, sizeof(decoy)));
	ck_assert(!fdt_setprop(tree, 0, "text", RIOMMU_RECORD_MAGIC RIOMMU_RECORD_MAGIC, 33));
	free(m->tree);
	ck_assert_int_eq(riommu_record_put(ctx, tree, len, 1, (void **)&m->tree, &m->tree_size), 0);
	free(tree);
	for (m->record = 0; riommu_record_search(m->tree, m->tree_size, &m->record); m->record += 4)
		if (fdt32_ld((void *)(m->tree + m->record - 8)) == RIOMMU_RECORD_SIZE(1))
			break;
	ck_assert_uint_lt(m->record, m->tree_size);
	m->record_size = RIOMMU_RECORD_SIZE(1);
	run();
	ck_assert_uint_eq(record.state, RIOMMU_RECORD_FINISHED);
	ck_assert_uint_eq(record.entry[0].status, RIOMMU_RECORD_BLOCKED);
	end();
}
END_TEST

/* Random damage: it boots, it blocks, it stores nowhere but where the record was. */
START_TEST(a_damaged_tree_never_does_harm)
{
	uint32_t x = 2463534242;

	for (int round = 0; round < 3000; round++) {
		begin(2);
		for (int i = 0; i < 1 + round % 8; i++) {
			size_t at;

			x ^= x << 13, x ^= x >> 17, x ^= x << 5;
			at = round % 3 ? m->record - 16 + x % 64 : x % m->tree_size;
			m->tree[round % 5 ? at : x % 40] ^= (uint8_t)(1u << (x >> 24 & 7));
		}
		machine_start(m, IMAGE_BASE, HART, TREE_BASE);
		ck_assert_msg(machine_run(m, IMAGE_BASE + MADE_ENTRY, 20 * LIMIT), "round %d: %s",
			      round, m->wrong);
		ck_assert(is_off(&devices[0]) && is_off(&devices[1]));
		end();
	}
}
END_TEST

/* -- cost ------------------------------------------------------------------------------------------------------------------ */

START_TEST(an_iommu_costs_few_instructions)
{
	uint64_t one, many;

	begin(1);
	run();
	one = m->instructions;
	end();
	begin(64);
	run();
	many = (m->instructions - one) / 63 -
	       3 * RIOMMU_RECORD_ENTRY / 4; /* without clearing its entry */
	printf("unit-stub: one IOMMU: %llu instructions in all; each further one: %llu, with %u "
	       "loads and %u stores of registers\n",
	       (unsigned long long)one, (unsigned long long)many, devices[0].loads,
	       devices[0].stores);
	ck_assert_uint_lt(many, 400);
	ck_assert_uint_lt(devices[0].loads, 40);
	ck_assert_uint_eq(devices[0].stores, 5);
	end();
}
END_TEST

START_TEST(the_worst_iommu_is_bounded)
{
	struct device *d = &devices[0];

	begin(1);
	device_init(d, d->base, CAPS | RIOMMU_CAP_DBG);
	patch(TABLE_AT(0) + 8, 0);
	d->ddtp_busy = d->go = RIOMMU_STUB_POLLS - 1;
	d->ddtp_busy_after = FOREVER;
	for (int q = 0; q < QUEUES; q++) {
		d->busy[q] = RIOMMU_STUB_POLLS - 1;
		d->busy_after[q] = FOREVER;
	}
	run_limited(100 * (uint64_t)RIOMMU_STUB_POLLS);
	ck_assert_uint_eq(record.entry[0].status, RIOMMU_RECORD_BUSY_AFTER);
	ck_assert_uint_le(d->loads, 9 * RIOMMU_STUB_POLLS + 40);
	printf("unit-stub: worst IOMMU: %u loads, %llu instructions\n", d->loads,
	       (unsigned long long)m->instructions);
	end();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("stub");
	TCase *t = tcase_create("blocks");

	tcase_add_loop_test(t, an_iommu_is_blocked_and_its_queues_are_stopped, 0, 3);
	tcase_add_test(t, the_record_has_each_register_as_it_was);
	tcase_add_test(t, without_ats_there_is_no_page_request_queue);
	tcase_add_loop_test(t, it_runs_at_any_address, 0, 6);
	tcase_add_test(t, registers_may_be_above_four_gibibytes);
	tcase_add_test(t, sixty_four_iommus_are_blocked_and_recorded);
	tcase_add_test(t, an_iommu_by_policy_leave_is_recorded_and_not_written);
	suite_add_tcase(s, t);

	t = tcase_create("hardware");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, nothing_at_the_address_is_skipped);
	tcase_add_loop_test(t, a_trap_at_any_register_is_survived, 0, 22);
	tcase_add_loop_test(t, a_trap_at_any_write_is_survived, 0, 5);
	tcase_add_test(t, a_debug_register_that_traps_is_survived);
	tcase_add_loop_test(t, other_capabilities_than_expected_are_not_written, 0, 64);
	tcase_add_test(t, a_newer_major_version_is_not_written);
	tcase_add_test(t, what_it_takes_for_an_iommu_is_what_the_library_does);
	tcase_add_loop_test(t, a_ddtp_that_cannot_be_is_not_written, 0, 16 + 5 + 10);
	tcase_add_test(t, busy_bits_that_clear_in_time_do_no_harm);
	tcase_add_test(t, a_ddtp_that_stays_busy_is_not_written_but_the_queues_stop);
	tcase_add_test(t, a_debug_translation_that_does_not_end_keeps_ddtp_from_being_written);
	tcase_add_test(t, without_dbg_the_debug_register_is_not_looked_at);
	tcase_add_test(t, a_ddtp_that_is_busy_for_ever_after_the_write_is_recorded);
	tcase_add_test(t, a_mode_that_does_not_take_is_recorded);
	tcase_add_loop_test(t, a_queue_that_is_busy_is_not_written_the_others_stop, 0, QUEUES);
	tcase_add_loop_test(t, a_queue_that_stays_on_is_recorded, 0, 2 * QUEUES);
	tcase_add_test(t, the_first_of_several_failures_is_the_status);
	tcase_add_test(t, memory_that_poses_as_an_iommu_is_survived);
	tcase_add_test(t, a_time_csr_that_traps_gives_no_ticks);
	suite_add_tcase(s, t);

	t = tcase_create("tree");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, without_a_record_it_blocks);
	tcase_add_test(t, without_a_tree_it_blocks);
	tcase_add_test(t, a_misaligned_tree_is_left_alone);
	tcase_add_test(t, a_record_for_fewer_takes_the_first);
	tcase_add_test(t, an_old_record_is_cleared_first);
	tcase_add_test(t, a_record_that_traps_is_done_without);
	tcase_add_loop_test(t, a_record_that_contradicts_itself_is_not_written, 0, 21);
	tcase_add_test(t, a_record_that_is_consistent_but_too_large_for_the_tree_is_not_written);
	tcase_add_loop_test(t, a_record_for_none_or_too_many_is_not_written, 0, 3);
	tcase_add_loop_test(t, a_tree_that_lies_about_itself_is_left_alone, 0, 17);
	tcase_add_test(t, a_tree_that_ends_too_early_is_survived);
	tcase_add_test(t, the_magic_elsewhere_is_passed_over);
	tcase_add_test(t, a_damaged_tree_never_does_harm);
	suite_add_tcase(s, t);

	t = tcase_create("cost");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, an_iommu_costs_few_instructions);
	tcase_add_test(t, the_worst_iommu_is_bounded);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
