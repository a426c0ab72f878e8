/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue: a fault queue watched: each record once and in order, and nothing missing without a word. */
#include "failing.h"
#include "files.h"
#include "queue/watch-internal.h"
#include "ring.h"
#include "runner.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#define MS      ((uint64_t)1000000)
#define ENTRIES 256u
#define SEEN    (1u << 16)

static struct ring *ring;
static struct riommu_watch *watch;
static uint64_t now;

/* What a poll told. */
static struct {
	uint64_t iova[SEEN];
	size_t faults, before, unordered, pending;
	size_t kinds[RIOMMU_WATCH_KINDS], whys[RIOMMU_WATCH_WHYS];
	uint64_t lost, from, to;
} seen;

static void see(void *arg, const struct riommu_watch_event *e)
{
	(void)arg;
	ck_assert_uint_lt(e->kind, RIOMMU_WATCH_KINDS);
	ck_assert_uint_eq(e->time, now);
	seen.kinds[e->kind]++;
	seen.from = e->from;
	seen.to = e->to;
	if (e->kind == RIOMMU_WATCH_LOST || e->kind == RIOMMU_WATCH_RESET)
		seen.whys[e->why]++;
	if (e->kind == RIOMMU_WATCH_LOST)
		seen.lost += e->count;
	if (e->kind != RIOMMU_WATCH_FAULT)
		return;
	ck_assert_uint_lt(seen.faults, SEEN);
	seen.iova[seen.faults++] = e->dw[2];
	seen.before += e->before;
	seen.unordered += !e->ordered;
	seen.pending += e->pending;
	ck_assert_int_eq(e->before, e->number == 0);
}

static int64_t poll_after(uint64_t gap)
{
	memset(&seen, 0, sizeof(seen));
	now += gap;
	return riommu_watch_poll(watch, now, see, NULL);
}

static void begin(uint32_t entries, const char *proc)
{
	ring = ring_new(entries, proc);
	ck_assert_int_eq(riommu_watch_new(&ring->sys, 0, &watch), 0);
	now = 1000 * MS;
}

static void setup(void)
{
	begin(ENTRIES, "/nonexistent");
}

static void teardown(void)
{
	riommu_watch_free(watch);
	ring_free(ring);
}

static uint64_t next_iova = 0x1000;

/* COUNT faults, each at its own address, of which the driver has taken all. */
static void faults(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		ck_assert(ring_fault(ring, 8, next_iova));
		next_iova += 0x1000;
		ring_consume(ring);
	}
}

/* What was seen are the last COUNT faults, in order. */
static void saw_the_last(size_t count)
{
	ck_assert_uint_eq(seen.faults, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(seen.iova[i], next_iova - 0x1000 * (uint64_t)(count - i));
}

/* -- each record once, in order ------------------------------------------------------------------------ */

START_TEST(what_was_there_before_is_told_as_history)
{
	faults(3);
	ring_fault(ring, 8, 0xabc000);
	ck_assert_int_eq(poll_after(0), 0);
	ck_assert_uint_eq(seen.faults, 4);
	ck_assert_uint_eq(seen.before, 4);
	ck_assert_uint_eq(seen.pending, 1);
	ck_assert_uint_eq(seen.iova[3], 0xabc000);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_STATE], 1);
}
END_TEST

START_TEST(history_of_a_ring_that_went_round_is_oldest_first)
{
	faults(ENTRIES + 20);
	poll_after(0);
	saw_the_last(ENTRIES - 1); /* the oldest may be about to be written over */
}
END_TEST

START_TEST(new_records_are_seen_once_and_in_order_over_the_end)
{
	poll_after(0);
	for (unsigned round = 0; round < 100; round++) {
		unsigned count = round * 7 % (ENTRIES - 2);

		faults(count);
		ck_assert_int_eq(poll_after(100 * MS), count);
		saw_the_last(count);
		ck_assert_uint_eq(seen.before, 0);
		ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_RESET], 0);
		ck_assert_uint_eq(seen.whys[RIOMMU_LOST_LAPPED], 0);
		ck_assert_int_eq(poll_after(MS), 0);
	}
}
END_TEST

START_TEST(a_storm_of_one_record_is_counted)
{
	poll_after(0);
	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < 100; i++) {
			ring_fault(ring, 8, 0x5000);
			ring_consume(ring);
		}
		ck_assert_int_eq(poll_after(1000 * MS), 100);
		ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_RESET], 0);
	}
}
END_TEST

/* 512 descriptors, and a ring of 256: each time round, the ring is what it was. */
START_TEST(faults_that_come_round_with_the_ring_are_counted)
{
	unsigned at = 0;

	poll_after(0);
	for (unsigned round = 0; round < 60; round++) {
		for (unsigned i = 0; i < 100; i++) {
			ring_fault(ring, 8, 0x1000 * (uint64_t)(1 + at++ % ENTRIES));
			ring_consume(ring);
		}
		ck_assert_int_eq(poll_after(1000 * MS), 100);
		ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_RESET], 0);
	}
}
END_TEST

START_TEST(a_ring_of_two_entries_gives_one_record)
{
	teardown();
	begin(2, "/nonexistent");
	poll_after(0);
	for (unsigned i = 0; i < 5; i++) {
		faults(1);
		ck_assert_int_eq(poll_after(1000 * MS), 1);
		saw_the_last(1);
	}
}
END_TEST

static void write_more(struct ring *r)
{
	r->on_tail = NULL;
	faults(5);
}

static void write_after_the_first(struct ring *r)
{
	r->on_tail = write_more;
}

/* Records that come between the first reading of fqt and the ring's are new, not history: they must not be told twice. */
START_TEST(records_that_come_while_history_is_read_are_told_once)
{
	faults(ENTRIES);
	ring->on_tail = write_after_the_first;
	poll_after(0);
	ck_assert_uint_eq(seen.faults, ENTRIES - 6);
	ck_assert_int_eq(poll_after(MS), 5);
	saw_the_last(5);
}
END_TEST

static void fetch_works(struct ring *r)
{
	r->on_fetch = NULL;
	r->unreadable = false;
}

static void fetch_fails_still(struct ring *r)
{
	r->on_fetch = fetch_works;
}

/* The page, and then the record alone. */
static void fetch_fails_once(struct ring *r)
{
	r->on_fetch = fetch_fails_still;
	r->unreadable = true;
}

START_TEST(history_is_told_also_where_its_last_record_could_not_be_read_twice)
{
	faults(5);
	ring->on_fetch = fetch_fails_once;
	ck_assert_int_eq(poll_after(0), 0);
	ck_assert_uint_eq(seen.before, 5);
	saw_the_last(5);
}
END_TEST

START_TEST(a_dump_that_is_looked_at_twice_has_no_interrupts)
{
	ring->sys.live = false;
	poll_after(0);
	faults(3);
	ck_assert_int_eq(poll_after(2000 * MS), 3);
	saw_the_last(3);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
}
END_TEST

/* Where it has never been set up the base is 0, too; but that one is off. */
START_TEST(a_ring_at_address_0_is_followed_once_it_is_on)
{
	ring_enable(ring, 0);
	faults(2);
	ring->no_tail = _i;
	poll_after(0);
	ck_assert_uint_eq(seen.before, 2);
	faults(3);
	ck_assert_int_eq(poll_after(MS), 3);
	saw_the_last(3);
}
END_TEST

START_TEST(an_index_past_the_end_is_followed_by_its_low_bits_and_told)
{
	poll_after(0);
	faults(2);
	ring->tail |= ENTRIES;
	ck_assert_int_eq(poll_after(MS), 2);
	ck_assert_ptr_nonnull(strstr(riommu_watch_trouble(watch), "lies past its end"));
	saw_the_last(2);
}
END_TEST

/* -- what is missing ------------------------------------------------------------------------------------ */

START_TEST(a_ring_written_over_is_told_and_what_is_left_is_seen)
{
	poll_after(0);
	faults(10);
	poll_after(100 * MS);
	faults(ENTRIES + 50);
	poll_after(100 * MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_LAPPED], 1);
	saw_the_last(ENTRIES - ENTRIES / 8 - 1);
	ck_assert_uint_eq(seen.lost, ENTRIES + 50 - seen.faults);
	faults(3);
	ck_assert_int_eq(poll_after(100 * MS), 3);
	saw_the_last(3);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
}
END_TEST

START_TEST(a_lap_of_exactly_one_ring_is_noticed)
{
	poll_after(0);
	faults(10);
	poll_after(100 * MS);
	faults(ENTRIES);
	poll_after(100 * MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_LAPPED], 1);
	ck_assert_uint_eq(seen.lost + seen.faults, ENTRIES);
}
END_TEST

static void lap_once(struct ring *r)
{
	r->on_fetch = NULL;
	faults(ENTRIES + 1);
}

/* The copy would hold records of two rounds. */
START_TEST(a_lap_while_records_are_copied_is_noticed)
{
	poll_after(0);
	faults(20);
	poll_after(100 * MS);
	faults(20);
	ring->on_fetch = lap_once;
	poll_after(100 * MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_LAPPED], 1);
	for (size_t i = 1; i < seen.faults; i++)
		ck_assert_uint_eq(seen.iova[i], seen.iova[i - 1] + 0x1000);
}
END_TEST

static void lap_always(struct ring *r)
{
	(void)r;
	faults(ENTRIES + 1);
}

START_TEST(an_iommu_that_is_always_faster_ends_the_poll)
{
	poll_after(0);
	faults(20);
	ring->on_fetch = lap_always;
	poll_after(100 * MS);
	ck_assert_uint_gt(seen.whys[RIOMMU_LOST_LAPPED], 0);
}
END_TEST

START_TEST(overflow_is_told_when_it_comes_and_when_it_goes)
{
	poll_after(0);
	for (unsigned i = 0; i < ENTRIES - 1; i++)
		ck_assert(ring_fault(ring, 8, 0x1000 * (uint64_t)i));
	ck_assert(!ring_fault(ring, 8, 0xfff000));
	ck_assert_int_eq(poll_after(MS), ENTRIES - 1);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_CSR], 1);
	ck_assert_uint_eq(riommu_watch_fill(riommu_watch_state(watch)), ENTRIES - 1);
	ck_assert(riommu_watch_state(watch)->csr & RIOMMU_QUEUE_OF);
	ring_consume(ring);
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_CSR], 1);
	ck_assert(seen.from & RIOMMU_QUEUE_OF);
	ck_assert(!(seen.to & RIOMMU_QUEUE_OF));
}
END_TEST

START_TEST(a_gap_with_room_for_a_lap_at_the_highest_rate_is_told)
{
	poll_after(0);
	faults(100);
	poll_after(10 * MS); /* 10,000 a second: 256 in 25.6 ms */
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_MAY_TIME], 0);
	faults(1);
	poll_after(20 * MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_MAY_TIME], 0);
	faults(1);
	poll_after(30 * MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_MAY_TIME], 1);
	/* nothing came, and the ring is what it was */
	poll_after(1000 * MS);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
}
END_TEST

static void write_interrupts(unsigned fault_queue)
{
	char text[400];

	snprintf(text, sizeof(text),
		 "           CPU0       CPU1\n"
		 " 10:          7          0  APLIC  33 Level  ttyS0\n"
		 " 11:         %u          1  APLIC  36 Level  test\n"
		 " 12:        900        900  APLIC  37 Level  test\n"
		 " 13:        900        900  APLIC  38 Level  testing\n",
		 fault_queue);
	write_text("interrupts", text);
}

static void with_interrupts(void)
{
	teardown();
	files_begin();
	write_interrupts(10);
	begin(ENTRIES, below(""));
}

/* The lines of the IOMMU by its name as a word, the one of fault_queue's vector (icvec.fiv) where there are several. */
static const struct {
	const char *text, *name;
	int vector, err; /* vector -1: icvec is not known */
	uint64_t count;
} interrupts[] = {
	{"", "test", 0, -ENODATA, 0},
	{" 10: 5 1 APLIC tester\n 11: 5 1 APLIC atest\n", "test", 0, -ENODATA, 0},
	{" 10: 5 1 APLIC test\n", "", 0, -ENODATA, 0},
	{" 10: 5 1 APLIC test\n", "test", 0, 0, 6},
	{" 10: 5 1 APLIC test", "test", 0, 0, 6},
	{" 10: 5 1 APLIC eth0,test,eth1\n", "test", 0, 0, 6},
	{" 10: 5 1 APLIC a\ttest\n", "test", 0, 0, 6},
	{" 10: 5 1x APLIC test\n", "test", 0, 0, 5},
	{"test\n", "test", 0, 0, 0},
	{" test: 5\n", "test: 5", 0, 0, 5},
	{"test", "test", 0, 0, 0},
	{" 10: test\n", "test", 0, 0, 0},
	{" 10: 1 test\n 11: 7 test\n 12: 9 test\n", "test", 1, 0, 7},
	{" 10: 1 test\n 11: 7 test\n 12: 9 test\n", "test", -1, 0, 1},
	{" 10: 1 test\n 11: 7 test\n", "test", 2, 0, 8}, /* they share fewer: any may be it */
};

START_TEST(interrupts_are_those_of_its_own_line)
{
	uint64_t count = 0;
	int fd = -1;

	teardown();
	files_begin();
	write_text("interrupts", interrupts[_i].text);
	begin(ENTRIES, below(""));
	snprintf(ring->iommu->name, sizeof(ring->iommu->name), "%s", interrupts[_i].name);
	ring_forget_register(ring, RIOMMU_REG_ICVEC);
	if (interrupts[_i].vector >= 0) {
		int reg = riommu_reg_by_offset(RIOMMU_REG_ICVEC);

		ring->iommu->value[reg] = (uint64_t)interrupts[_i].vector << 4;
		ring->iommu->state[reg] = RIOMMU_REG_KNOWN;
	}
	ck_assert_int_eq(queue_interrupts(&ring->sys, 0, &fd, &count), interrupts[_i].err);
	if (!interrupts[_i].err)
		ck_assert_uint_eq(count, interrupts[_i].count);
	riommu_close_fd(&fd);
	files_end();
}
END_TEST

START_TEST(more_interrupts_than_records_are_told)
{
	with_interrupts();
	poll_after(0);
	poll_after(1000 * MS);
	poll_after(1000 * MS);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0); /* none came since */
	faults(5);
	write_interrupts(15);
	poll_after(1000 * MS);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
	faults(5);
	write_interrupts(100);
	poll_after(1000 * MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_MAY_IRQ], 1);
	files_end();
}
END_TEST

START_TEST(without_an_interrupt_nobody_consumed_and_there_is_no_room_for_a_lap)
{
	with_interrupts();
	poll_after(0);
	faults(200);
	poll_after(MS);
	faults(1);
	poll_after(500 * MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_MAY_TIME], 0);
	write_interrupts(11);
	faults(1);
	poll_after(500 * MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_MAY_TIME], 1);
	files_end();
}
END_TEST

START_TEST(interrupts_that_cannot_be_counted_any_more_say_nothing_of_who_consumed)
{
	with_interrupts();
	poll_after(0);
	faults(200);
	poll_after(MS);
	write_text("interrupts", "");
	faults(1);
	poll_after(500 * MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_MAY_TIME], 1);
	files_end();
}
END_TEST

START_TEST(entries_that_nobody_wrote_are_told)
{
	poll_after(0);
	faults(2);
	memset(ring->record[0], 0, sizeof(ring->record[0]));
	ck_assert_int_eq(poll_after(MS), 1);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_UNWRITTEN], 1);
	ck_assert_uint_eq(seen.lost, 1);
}
END_TEST

START_TEST(memory_that_cannot_be_read_is_told)
{
	poll_after(0);
	faults(4);
	ring->unreadable = true;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_UNREADABLE], 1);
	ck_assert_uint_eq(seen.lost, 4);
	ring->unreadable = false;
	faults(2);
	poll_after(MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_UNREADABLE], 0);
}
END_TEST

/* What was not to be read says nothing of a lap: neither the last record of those that were missed, nor history. */
START_TEST(memory_that_is_there_again_is_no_lap)
{
	faults(3);
	ring->unreadable = true;
	poll_after(0);
	ring->unreadable = false;
	faults(2);
	ck_assert_int_eq(poll_after(MS), 2);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
	faults(4);
	ring->unreadable = true;
	poll_after(MS);
	ck_assert_uint_eq(seen.lost, 4);
	poll_after(MS); /* and nothing new meanwhile */
	ring->unreadable = false;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
	faults(2);
	ck_assert_int_eq(poll_after(MS), 2);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
	saw_the_last(2);
	faults(ENTRIES); /* a lap is one all the same */
	poll_after(MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_LAPPED], 1);
}
END_TEST

START_TEST(a_queue_set_up_anew_in_memory_that_comes_later_is_no_lap)
{
	faults(ENTRIES + 20); /* the memory is not cleared: its last entry has a record */
	poll_after(0);
	ring->csr = 0;
	poll_after(MS);
	ring->head = ring->tail = 0;
	ring->csr = RIOMMU_QUEUE_EN | RIOMMU_QUEUE_ON;
	ring->unreadable = true;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.whys[RIOMMU_RESET_OFF], 1);
	ring->unreadable = false;
	faults(2);
	ck_assert_int_eq(poll_after(MS), 2);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
	saw_the_last(2);
}
END_TEST

START_TEST(memory_that_cannot_be_read_hides_nothing_where_nothing_came)
{
	faults(4);
	poll_after(0);
	ring->unreadable = true;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
	ring->unreadable = false;
	faults(2);
	ck_assert_int_eq(poll_after(MS), 2);
}
END_TEST

/* Whether the index went back, or round, nobody can tell then: that records are missing is told in any case. */
START_TEST(an_index_that_went_back_in_memory_that_cannot_be_read_is_told)
{
	faults(20);
	poll_after(0);
	ring_enable(ring, RING_BASE);
	faults(3);
	ring->unreadable = true;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_RESET], 0);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_UNREADABLE], 1);
}
END_TEST

static void first_page_fails(struct ring *r)
{
	r->unreadable = r->fetched == RING_BASE;
}

START_TEST(an_index_that_went_back_where_the_new_records_cannot_be_read_is_told)
{
	faults(ENTRIES + 150);
	poll_after(0);
	ring->head = ring->tail = 0;
	faults(3);
	ring->on_fetch = first_page_fails;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.whys[RIOMMU_RESET_CONTENT], 1);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_UNREADABLE], 1);
	ck_assert_uint_eq(seen.lost, 3);
}
END_TEST

START_TEST(a_mode_that_cannot_be_read_for_a_while_has_not_changed)
{
	poll_after(0);
	ring->absent = RIOMMU_REG_DDTP;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert(!riommu_watch_state(watch)->ddtp_known);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_MODE], 0);
	ring->absent = RIOMMU_REG_FQB; /* the mode is to be had again, the queue is not */
	ck_assert_int_eq(poll_after(MS), -ENODATA);
	ck_assert_int_eq(poll_after(MS), -ENODATA);
	ck_assert(riommu_watch_state(watch)->ddtp_known);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_MODE], 0);
	ring->ddtp ^= 0x400;
	ck_assert_int_eq(poll_after(MS), -ENODATA);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_MODE], 1);
}
END_TEST

START_TEST(registers_that_are_gone_for_a_while_leave_a_word)
{
	poll_after(0);
	ring->dead = true;
	ck_assert_int_lt(poll_after(MS), 0);
	ck_assert_ptr_nonnull(strstr(riommu_watch_trouble(watch), "all ones"));
	ring->dead = false;
	faults(2);
	ck_assert_int_eq(poll_after(MS), 2);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_BLIND], 1);
	ring->register_error = -EACCES;
	ck_assert_int_eq(poll_after(MS), -EACCES);
	ring->register_error = 0;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_BLIND], 1);
	ck_assert_str_eq(riommu_watch_trouble(watch), "");
}
END_TEST

/* -- a queue that is set up anew ------------------------------------------------------------------------- */

/* The queue moved, which was seen, and faults go on there. */
static void goes_on_elsewhere(void)
{
	ck_assert_uint_eq(seen.whys[RIOMMU_RESET_BASE], 1);
	faults(3);
	poll_after(MS);
	ck_assert_uint_eq(seen.iova[seen.faults - 1], next_iova - 0x1000);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
}

/* The queue is another one, because of WHY: COUNT faults are what it holds. */
static void new_records_are_all(uint32_t count, enum riommu_watch_why why)
{
	faults(count);
	ck_assert_int_eq(poll_after(MS), (int)count);
	ck_assert_uint_eq(seen.whys[why], 1);
	saw_the_last(count);
}

START_TEST(a_queue_that_was_off_begins_at_zero)
{
	faults(20);
	poll_after(0);
	ring->csr = 0;
	poll_after(MS);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_CSR], 1);
	poll_after(MS); /* and stays so */
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_RESET], 0);
	ring_enable(ring, RING_BASE);
	new_records_are_all(3, RIOMMU_RESET_OFF);
}
END_TEST

START_TEST(a_queue_that_moved_begins_at_zero)
{
	faults(20);
	poll_after(0);
	ring_enable(ring, RING_BASE + 0x100000);
	new_records_are_all(30, RIOMMU_RESET_BASE);
}
END_TEST

START_TEST(a_queue_set_up_anew_between_two_polls_is_noticed)
{
	faults(20);
	poll_after(0);
	ring_enable(ring, RING_BASE);
	new_records_are_all(3, RIOMMU_RESET_CONTENT);
}
END_TEST

/* The last record seen is gone, and none took its place: no lap does that. */
START_TEST(a_full_ring_that_was_cleared_is_set_up_anew)
{
	faults(ENTRIES + 20);
	poll_after(0);
	ring_enable(ring, RING_BASE);
	new_records_are_all(3, RIOMMU_RESET_CONTENT);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
}
END_TEST

START_TEST(a_queue_set_up_anew_without_clearing_it_is_noticed)
{
	faults(ENTRIES + 20);
	poll_after(0);
	ring->head = 0;
	ring->tail = 0;
	new_records_are_all(3, RIOMMU_RESET_CONTENT);
}
END_TEST

START_TEST(a_queue_that_went_further_than_before_is_noticed)
{
	faults(20);
	poll_after(0);
	ring_enable(ring, RING_BASE);
	faults(ENTRIES - 1);
	poll_after(1000 * MS);
	/* the old end lies within the new records: that looks like a lap, and is told as one */
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_RESET] + seen.kinds[RIOMMU_WATCH_LOST], 1);
	for (size_t i = 1; i < seen.faults; i++)
		ck_assert_uint_eq(seen.iova[i], seen.iova[i - 1] + 0x1000);
}
END_TEST

START_TEST(a_queue_that_comes_to_be_later_is_new_from_its_first_record)
{
	ring->csr = 0;
	ring->base = 0;
	ck_assert_int_eq(poll_after(0), 0);
	ck_assert_uint_eq(seen.faults, 0);
	ring_enable(ring, RING_BASE);
	faults(7);
	ck_assert_int_eq(poll_after(MS), 7);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_RESET], 1);
	saw_the_last(7);
}
END_TEST

START_TEST(a_change_of_the_mode_is_told)
{
	poll_after(0);
	ring->ddtp = 0x1230000;
	poll_after(MS);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_MODE], 1);
	ck_assert_uint_eq(seen.from, 4);
	ck_assert_uint_eq(seen.to, 0x1230000);
	poll_after(MS);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_MODE], 0);
}
END_TEST

/* ddtp.busy is set while a write of ddtp goes on. */
START_TEST(a_mode_that_is_being_written_is_no_other)
{
	poll_after(0);
	ring->ddtp |= RIOMMU_DDTP_BUSY;
	poll_after(MS);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_MODE], 0);
	ring->ddtp = 3 | RIOMMU_DDTP_BUSY;
	poll_after(MS);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_MODE], 1);
	ring->ddtp = 3;
	poll_after(MS);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_MODE], 0);
	ck_assert_uint_eq(riommu_watch_state(watch)->ddtp, 3);
}
END_TEST

/* -- without the index ---------------------------------------------------------------------------------- */

START_TEST(without_fqt_changed_entries_are_new_and_their_order_unknown)
{
	faults(20);
	/* given by hand on a live machine, it stands still */
	ck_assert_int_eq(riommu_overlay_set(ring->sys.registers, RING_REGS, RIOMMU_REG_FQT, 4, 20),
			 0);
	poll_after(0);
	ck_assert(!riommu_watch_state(watch)->indexes_known);
	ck_assert_uint_eq(seen.before, 20);
	ck_assert_uint_eq(seen.unordered, 20);
	faults(3);
	ck_assert_int_eq(poll_after(MS), 3);
	ck_assert_uint_eq(seen.unordered, 3);
	ck_assert_int_eq(poll_after(MS), 0);
	memset(ring->record[2], 0, sizeof(ring->record[2])); /* who sets it up clears it */
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.faults, 0);
}
END_TEST

START_TEST(nothing_is_touched_while_capabilities_are_not_known)
{
	ring_forget_register(ring, RIOMMU_REG_CAPABILITIES);
	ck_assert_int_lt(poll_after(0), 0);
	ck_assert_uint_eq(ring->register_reads, 0);
}
END_TEST

START_TEST(an_index_that_comes_back_is_followed_again)
{
	faults(5);
	poll_after(0);
	ring->no_tail = true;
	faults(2);
	ck_assert_int_eq(poll_after(MS), 2);
	ck_assert_uint_eq(seen.unordered, 2);
	ring->no_tail = false;
	faults(1);
	ck_assert_int_eq(poll_after(MS), 1);
	ck_assert_uint_eq(seen.unordered, 1);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_BLIND], 1);
	faults(3);
	ck_assert_int_eq(poll_after(MS), 3);
	ck_assert_uint_eq(seen.unordered, 0);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
	saw_the_last(3);
}
END_TEST

START_TEST(a_queue_that_moves_while_its_index_is_unknown_begins_anew)
{
	ring->no_tail = true;
	faults(5);
	poll_after(0);
	ring_enable(ring, RING_BASE + 0x100000);
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.whys[RIOMMU_RESET_BASE], 1);
	faults(3);
	ck_assert_int_eq(poll_after(MS), 3);
}
END_TEST

START_TEST(a_ring_of_which_nothing_can_be_read_is_an_error_without_its_index_too)
{
	ring->no_tail = true;
	poll_after(0);
	ring->unreadable = true;
	ck_assert_int_eq(poll_after(MS), -ENODATA);
	ck_assert_ptr_nonnull(strstr(riommu_watch_trouble(watch), "not in this source"));
	ring->unreadable = false;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_BLIND], 1);
}
END_TEST

START_TEST(a_source_without_memory_says_so)
{
	struct riommu_source *memory = ring->sys.memory;

	ring->sys.memory = NULL;
	ck_assert_int_eq(poll_after(0), -ENODATA);
	ring->sys.memory_error = -EACCES;
	strcpy(ring->sys.memory_reason, "only root may");
	ck_assert_int_eq(poll_after(MS), -EACCES);
	ck_assert_ptr_nonnull(strstr(riommu_watch_trouble(watch), "only root may"));
	ring->sys.memory = memory;
	ck_assert_int_eq(poll_after(MS), 0);
}
END_TEST

START_TEST(an_iommu_that_is_not_there_is_not_watched)
{
	struct riommu_watch *other;

	ck_assert_int_eq(riommu_watch_new(&ring->sys, 1, &other), -EINVAL);
	ck_assert_ptr_null(other);
	riommu_watch_free(other);
}
END_TEST

START_TEST(a_queue_that_was_taken_down_is_new_when_it_is_there_again)
{
	faults(20);
	poll_after(0);
	ring->csr = 0;
	ring->base = 0;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.faults, 0);
	ring_enable(ring, RING_BASE);
	faults(3);
	ck_assert_int_eq(poll_after(MS), 3);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_RESET], 1);
	saw_the_last(3);
}
END_TEST

/* -- what changes in the middle of a poll ---------------------------------------------------------------------- */

static struct {
	unsigned reads, at; /* of a register; at which of them it happens */
	void (*what)(void);
} then;

static void then_on_read(struct ring *r)
{
	(void)r;
	if (++then.reads == then.at)
		then.what();
}

/* WHAT happens at the Nth time that the tail is read from now on. */
static void at_tail(unsigned n, void (*what)(void))
{
	then.reads = 0;
	then.at = n;
	then.what = what;
	ring->on_tail = then_on_read;
}

static void registers_go(void)
{
	ring->register_error = -EIO;
}

static void tail_goes(void)
{
	ring->no_tail = true;
}

static void memory_goes(void)
{
	ring->unreadable = true;
}

static void queue_moves(void)
{
	ring_enable(ring, RING_BASE + 0x100000);
	faults(2);
}

/* A lap, which is found in the middle of a poll: the next reading of registers looks for a place to go on from. */
static void lap(void)
{
	poll_after(0);
	faults(ENTRIES + 20);
}

static const struct {
	unsigned at;
	void (*what)(void);
	int64_t result;
} in_between[] = {
	{1, registers_go, -EAGAIN}, {2, registers_go, -EAGAIN}, {2, tail_goes, -EAGAIN},
	{3, tail_goes, -EAGAIN},    {2, memory_goes, -ENODATA},
};

START_TEST(what_goes_while_a_lap_is_dealt_with_ends_the_poll_and_not_the_watch)
{
	lap();
	at_tail(in_between[_i].at, in_between[_i].what);
	ck_assert_int_eq(poll_after(MS), in_between[_i].result);
	ck_assert_uint_eq(seen.faults, 0);
	ring->on_tail = NULL;
	ring->register_error = 0;
	ring->no_tail = ring->unreadable = false;
	ck_assert_int_ge(poll_after(MS), 0);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_BLIND], 1);
	faults(3);
	ck_assert_int_eq(poll_after(MS), 3);
	saw_the_last(3);
}
END_TEST

/* The registers are read once more where the index came back: only then is it followed. */
START_TEST(an_index_that_comes_back_for_a_moment_is_not_followed)
{
	ring->no_tail = true;
	poll_after(0);
	ring->no_tail = false;
	faults(2);
	at_tail(2, _i ? tail_goes : registers_go);
	ring->on_ddtp = ring->on_tail;
	ring->on_tail = NULL;
	ck_assert_int_eq(poll_after(MS), 2);
	ck_assert_uint_eq(seen.unordered, 2);
	ck_assert_uint_eq(seen.kinds[RIOMMU_WATCH_LOST], 0);
	ring->on_ddtp = NULL;
	ring->register_error = 0;
	ring->no_tail = false;
	faults(1);
	ck_assert_int_eq(poll_after(MS), 1);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_BLIND], 1);
}
END_TEST

static void ring_goes_round(void)
{
	faults(ENTRIES);
}

START_TEST(history_that_is_written_over_while_it_is_read_is_none)
{
	faults(3);
	at_tail(2, _i ? memory_goes : ring_goes_round);
	poll_after(0);
	ck_assert_uint_eq(seen.before, 0);
	ring->on_tail = NULL;
	ring->unreadable = false;
	faults(2);
	poll_after(MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_LAPPED], 1);
	saw_the_last(_i ? 5 : ENTRIES - ENTRIES / 8 - 1);
}
END_TEST

START_TEST(a_ring_that_was_written_over_exactly_and_is_gone_is_an_error)
{
	faults(10);
	poll_after(0);
	faults(ENTRIES);
	at_tail(2, registers_go);
	ck_assert_int_eq(poll_after(MS), -EAGAIN);
	ck_assert_uint_eq(seen.faults, 0);
}
END_TEST

static void an_eighth(void)
{
	faults(ENTRIES / 8);
}

/* The record that was to be the sentinel may be written over already: another is looked for. */
START_TEST(a_place_to_go_on_from_that_is_overtaken_is_not_used)
{
	lap();
	at_tail(3, an_eighth);
	poll_after(MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_LAPPED], 1);
	saw_the_last(ENTRIES - ENTRIES / 8 - 1);
}
END_TEST

static struct {
	unsigned states, fetches;
} between;

static void state_is_read(struct ring *r)
{
	(void)r;
	between.states++;
	between.fetches = 0;
}

/* Once the poll has its state, and each time when a place to go on from was found: while the records are copied. */
static void lap_while_copying(struct ring *r)
{
	unsigned first = between.states == 1 ? 1 : 2;

	if (++between.fetches == first && between.states % 2) {
		r->on_fetch = NULL;
		faults(ENTRIES + 20);
		r->on_fetch = lap_while_copying;
	}
}

START_TEST(a_poll_that_is_overtaken_again_and_again_leaves_the_rest_to_the_next)
{
	poll_after(0);
	faults(20);
	memset(&between, 0, sizeof(between));
	ring->on_ddtp = state_is_read;
	ring->on_fetch = lap_while_copying;
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_LAPPED], 3);
	ring->on_ddtp = NULL;
	ring->on_fetch = NULL;
	poll_after(MS);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_LAPPED], 1);
	saw_the_last(ENTRIES - ENTRIES / 8 - 1);
}
END_TEST

static void count_faults(void *arg, const struct riommu_watch_event *e)
{
	size_t *count = arg;

	count[e->kind]++;
}

#define LARGE (1u << 21) /* entries; the newer half of them is remembered */

static void a_half_and_more(void)
{
	faults(LARGE / 2 + 5);
}

START_TEST(of_a_ring_larger_than_what_is_remembered_no_record_is_missing)
{
	size_t count[RIOMMU_WATCH_KINDS] = {0};

	teardown();
	begin(LARGE, "/nonexistent");
	at_tail(2, a_half_and_more); /* the ring is read in between */
	ck_assert_int_eq(riommu_watch_poll(watch, now, count_faults, count), 0);
	ck_assert_uint_eq(count[RIOMMU_WATCH_FAULT], 0);
	ck_assert_int_eq(riommu_watch_poll(watch, now + MS, count_faults, count), LARGE / 2 + 5);
	/* and where the index went back, that is seen by its last record alone */
	now += MS;
	ring_enable(ring, RING_BASE);
	faults(3);
	ck_assert_int_eq(poll_after(MS), 3);
	ck_assert_uint_eq(seen.whys[RIOMMU_RESET_CONTENT], 1);
	saw_the_last(3);
}
END_TEST

START_TEST(of_a_ring_larger_than_what_is_remembered_a_snapshot_changes_with_its_entries_alone)
{
	teardown();
	begin(LARGE, "/nonexistent");
	faults(5);
	ring->no_tail = true;
	poll_after(0);
	ck_assert_uint_eq(seen.before, 5);
	ck_assert_int_eq(poll_after(MS), 0);
	faults(2);
	ck_assert_int_eq(poll_after(MS), 2);
	saw_the_last(2);
}
END_TEST

/* -- without memory -- */

static void ring_grows(void)
{
	ring->entries = 2 * ENTRIES;
	ring_enable(ring, RING_BASE);
	faults(2);
}

static int64_t poll_without_memory(void)
{
	const char *name;
	int64_t result;

	failing_always("calloc", ENOMEM);
	result = poll_after(MS);
	ck_assert(failing_end(&name));
	return result;
}

static void begin_small(void)
{
	teardown();
	begin(2 * ENTRIES, "/nonexistent");
	ring->entries = ENTRIES;
	ring_enable(ring, RING_BASE);
	faults(20);
}

START_TEST(a_ring_that_nobody_can_remember_is_looked_at_by_the_next_poll)
{
	begin_small();
	ring->no_tail = _i;
	ck_assert_int_eq(poll_without_memory(), -ENOMEM);
	ck_assert_uint_eq(seen.faults, 0);
	ck_assert_int_eq(poll_after(MS), 0);
	ck_assert_uint_eq(seen.before, 20);
}
END_TEST

START_TEST(a_larger_ring_that_nobody_can_remember_begins_anew_with_the_next_poll)
{
	begin_small();
	ring->no_tail = _i;
	poll_after(0);
	ring_grows();
	ck_assert_int_eq(poll_without_memory(), -ENOMEM);
	faults(1);
	ck_assert_int_eq(poll_after(MS), _i ? 0 : 3);
	ck_assert_uint_eq(seen.whys[RIOMMU_RESET_BASE], 1);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_BLIND], 1);
	faults(2);
	ck_assert_int_eq(poll_after(MS), 2);
}
END_TEST

START_TEST(a_ring_that_grows_while_a_lap_is_dealt_with_begins_at_zero)
{
	begin_small();
	lap();
	at_tail(2, ring_grows);
	ring->on_ddtp = ring->on_tail;
	ring->on_tail = NULL;
	if (_i) {
		ck_assert_int_eq(poll_without_memory(), -ENOMEM);
		ck_assert_int_eq(poll_after(MS), 2);
	} else {
		poll_after(MS);
	}
	goes_on_elsewhere();
}
END_TEST

START_TEST(how_full_a_ring_of_unknown_size_is_nobody_knows)
{
	const struct riommu_watch_state s = {.indexes_known = true, .tail = 5};

	ck_assert_uint_eq(riommu_watch_fill(&s), 0);
}
END_TEST

START_TEST(a_queue_that_moves_while_a_lap_is_dealt_with_begins_at_zero)
{
	lap();
	at_tail(2, queue_moves); /* once the poll has its state and the records */
	ring->on_ddtp = ring->on_tail;
	ring->on_tail = NULL;
	poll_after(MS);
	goes_on_elsewhere();
}
END_TEST

START_TEST(registers_that_go_while_history_is_read_leave_no_history)
{
	faults(3);
	at_tail(1, _i ? tail_goes : registers_go);
	then.at = _i ? 2 : 1;
	poll_after(0);
	ck_assert_uint_eq(seen.before, 0);
	ring->on_tail = NULL;
	ring->register_error = 0;
	ring->no_tail = false;
	ck_assert_int_ge(poll_after(MS), 0);
	faults(2);
	ck_assert_int_eq(poll_after(MS), 2);
	saw_the_last(2);
}
END_TEST

/* -- a producer that does not wait ------------------------------------------------------------------- */

#define STORM 300000u

static _Atomic uint64_t taken; /* the last number that the watcher has seen */
static _Atomic bool storm_over;

/* Stays within half a ring of the watcher; the driver consumes at once. */
static void *paced_storm(void *arg)
{
	for (uint64_t i = 1; i <= STORM; i++) {
		while (i - atomic_load(&taken) > ENTRIES / 2)
			sched_yield(); /* who waits in turns on a busy machine waits for whole turns */
		ring_fault(ring, 8, i);
		ring_consume(ring);
	}
	atomic_store(&storm_over, true);
	return arg;
}

static void *free_storm(void *arg)
{
	for (uint64_t i = 1; i <= 20 * STORM; i++) {
		ring_fault(ring, 8, i);
		ring_consume(ring);
	}
	atomic_store(&storm_over, true);
	return arg;
}

struct follower {
	uint64_t last, seen, lost, breaks;
	bool told; /* a loss was told since the last record */
};

static void follow(void *arg, const struct riommu_watch_event *e)
{
	struct follower *f = arg;

	if (e->kind == RIOMMU_WATCH_LOST && e->why == RIOMMU_LOST_LAPPED) {
		f->lost += e->count;
		f->told = true;
	}
	ck_assert_uint_ne(e->kind, RIOMMU_WATCH_RESET);
	if (e->kind != RIOMMU_WATCH_FAULT)
		return;
	if (!f->told)
		ck_assert_uint_eq(e->dw[2], f->last + 1);
	else
		ck_assert_uint_gt(e->dw[2], f->last);
	f->told = false;
	f->last = e->dw[2];
	f->seen++;
	atomic_store(&taken, f->last);
}

static struct follower run_storm(void *(*storm)(void *))
{
	struct follower f = {0};
	pthread_t thread;
	bool over;

	atomic_store(&taken, 0);
	atomic_store(&storm_over, false);
	ck_assert_int_eq(riommu_watch_poll(watch, now, follow, &f), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, storm, NULL), 0);
	do {
		uint64_t before = f.last;

		over = atomic_load(&storm_over);
		now += MS;
		ck_assert_int_ge(riommu_watch_poll(watch, now, follow, &f), 0);
		if (f.last == before)
			sched_yield();
	} while (!over);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	return f;
}

START_TEST(a_concurrent_storm_is_seen_exactly_once_and_in_order)
{
	struct follower f = run_storm(paced_storm);

	ck_assert_uint_eq(f.seen, STORM);
	ck_assert_uint_eq(f.lost, 0);
}
END_TEST

/* Faster than anybody can look: what is seen is in order, and no hole comes without a word. */
START_TEST(a_storm_that_does_not_wait_leaves_no_silent_hole)
{
	struct follower f = run_storm(free_storm);

	ck_assert_uint_le(f.seen + f.lost, 20 * (uint64_t)STORM);
	ck_assert(f.told || f.last == 20 * (uint64_t)STORM);
	ck_assert_uint_gt(f.lost, 0);
}
END_TEST

/* -- how often ------------------------------------------------------------------------------------------- */

START_TEST(idle_polls_take_less_than_a_hundredth_of_a_core)
{
	for (uint64_t cost = 1000; cost <= 500000; cost *= 5) {
		struct riommu_pace pace = {0};
		uint64_t sleep = 0;

		for (int i = 0; i < 100; i++)
			sleep = riommu_pace_next(&pace, 4096, 0, 0, sleep, cost);
		ck_assert_uint_gt(sleep, cost * 100);
		ck_assert_uint_le(sleep, RIOMMU_PACE_IDLE_MAX);
	}
}
END_TEST

/* Between two bursts, 100 ms apart, the next one must not find nobody looking. */
START_TEST(between_bursts_it_looks_as_often_and_a_while_later_rarely)
{
	struct riommu_pace pace = {0};
	uint64_t sleep = riommu_pace_next(&pace, 4096, 0, 1000, 2 * MS, 10000), quiet = 0;

	while (quiet < 900 * MS) {
		ck_assert_uint_le(sleep, RIOMMU_PACE_BUSY);
		quiet += sleep;
		sleep = riommu_pace_next(&pace, 4096, 0, 0, sleep, 10000);
	}
	while (quiet < 2000 * MS) {
		quiet += sleep;
		sleep = riommu_pace_next(&pace, 4096, 0, 0, sleep, 10000);
	}
	ck_assert_uint_ge(sleep, RIOMMU_PACE_IDLE_MIN);
}
END_TEST

START_TEST(a_ring_that_was_filled_at_once_may_have_overflowed)
{
	poll_after(0);
	for (unsigned i = 0; i < ENTRIES - 1; i++)
		ck_assert(ring_fault(ring, 8, 0x1000 * (uint64_t)i));
	ck_assert(!ring_fault(ring, 8, 0xfff000));
	ring_consume(ring); /* fqof was there, and is gone */
	ck_assert_int_eq(poll_after(MS), ENTRIES - 1);
	ck_assert_uint_eq(seen.whys[RIOMMU_LOST_MAY_TIME], 1);
}
END_TEST

START_TEST(a_storm_is_polled_before_an_eighth_of_the_ring_is_new)
{
	struct riommu_pace pace = {0};

	riommu_pace_next(&pace, 4096, 0, 0, 0, 10000);
	/* 1,000 in 20 ms: 50,000 a second fill 512 entries in 10 ms */
	ck_assert_uint_le(riommu_pace_next(&pace, 4096, 0, 1000, 20 * MS, 10000), 10 * MS);
	/* a million a second */
	ck_assert_uint_le(riommu_pace_next(&pace, 4096, 0, 5000, 5 * MS, 10000), MS);
	/* who consumes is behind */
	riommu_pace_next(&pace, 4096, 0, 0, 0, 10000);
	ck_assert_uint_eq(riommu_pace_next(&pace, 4096, 3000, 0, MS, 10000), RIOMMU_PACE_MIN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watch");
	TCase *tc = tcase_create("watch");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_was_there_before_is_told_as_history);
	tcase_add_test(tc, history_of_a_ring_that_went_round_is_oldest_first);
	tcase_add_test(tc, new_records_are_seen_once_and_in_order_over_the_end);
	tcase_add_test(tc, a_storm_of_one_record_is_counted);
	tcase_add_test(tc, faults_that_come_round_with_the_ring_are_counted);
	tcase_add_test(tc, a_ring_of_two_entries_gives_one_record);
	tcase_add_test(tc, records_that_come_while_history_is_read_are_told_once);
	tcase_add_test(tc, a_ring_written_over_is_told_and_what_is_left_is_seen);
	tcase_add_test(tc, a_lap_of_exactly_one_ring_is_noticed);
	tcase_add_test(tc, a_lap_while_records_are_copied_is_noticed);
	tcase_add_test(tc, an_iommu_that_is_always_faster_ends_the_poll);
	tcase_add_test(tc, overflow_is_told_when_it_comes_and_when_it_goes);
	tcase_add_test(tc, a_gap_with_room_for_a_lap_at_the_highest_rate_is_told);
	tcase_add_loop_test(tc, interrupts_are_those_of_its_own_line, 0,
			    RIOMMU_ARRAY_SIZE(interrupts));
	tcase_add_test(tc, more_interrupts_than_records_are_told);
	tcase_add_test(tc, without_an_interrupt_nobody_consumed_and_there_is_no_room_for_a_lap);
	tcase_add_test(tc, entries_that_nobody_wrote_are_told);
	tcase_add_test(tc, memory_that_cannot_be_read_is_told);
	tcase_add_test(tc, memory_that_is_there_again_is_no_lap);
	tcase_add_test(tc, a_queue_set_up_anew_in_memory_that_comes_later_is_no_lap);
	tcase_add_test(tc, registers_that_are_gone_for_a_while_leave_a_word);
	tcase_add_test(tc, a_queue_that_was_off_begins_at_zero);
	tcase_add_test(tc, a_queue_that_moved_begins_at_zero);
	tcase_add_test(tc, a_queue_set_up_anew_between_two_polls_is_noticed);
	tcase_add_test(tc, a_full_ring_that_was_cleared_is_set_up_anew);
	tcase_add_test(tc, a_queue_set_up_anew_without_clearing_it_is_noticed);
	tcase_add_test(tc, a_queue_that_went_further_than_before_is_noticed);
	tcase_add_test(tc, a_queue_that_comes_to_be_later_is_new_from_its_first_record);
	tcase_add_test(tc, a_change_of_the_mode_is_told);
	tcase_add_test(tc, a_mode_that_is_being_written_is_no_other);
	tcase_add_test(tc, without_fqt_changed_entries_are_new_and_their_order_unknown);
	tcase_add_test(tc, nothing_is_touched_while_capabilities_are_not_known);
	tcase_add_test(tc, an_index_that_comes_back_is_followed_again);
	tcase_add_test(tc, a_queue_that_moves_while_its_index_is_unknown_begins_anew);
	tcase_add_test(tc, a_ring_of_which_nothing_can_be_read_is_an_error_without_its_index_too);
	tcase_add_test(tc, a_source_without_memory_says_so);
	tcase_add_test(tc, an_iommu_that_is_not_there_is_not_watched);
	tcase_add_test(tc, a_queue_that_was_taken_down_is_new_when_it_is_there_again);
	tcase_add_loop_test(tc, what_goes_while_a_lap_is_dealt_with_ends_the_poll_and_not_the_watch,
			    0, (int)RIOMMU_ARRAY_SIZE(in_between));
	tcase_add_test(tc, a_queue_that_moves_while_a_lap_is_dealt_with_begins_at_zero);
	tcase_add_loop_test(tc, registers_that_go_while_history_is_read_leave_no_history, 0, 2);
	tcase_add_test(tc, history_is_told_also_where_its_last_record_could_not_be_read_twice);
	tcase_add_test(tc, a_dump_that_is_looked_at_twice_has_no_interrupts);
	tcase_add_loop_test(tc, a_ring_at_address_0_is_followed_once_it_is_on, 0, 2);
	tcase_add_test(tc, an_index_past_the_end_is_followed_by_its_low_bits_and_told);
	tcase_add_test(tc, of_a_ring_larger_than_what_is_remembered_no_record_is_missing);
	tcase_add_test(
		tc,
		of_a_ring_larger_than_what_is_remembered_a_snapshot_changes_with_its_entries_alone);
	tcase_add_test(tc, interrupts_that_cannot_be_counted_any_more_say_nothing_of_who_consumed);
	tcase_add_test(tc, memory_that_cannot_be_read_hides_nothing_where_nothing_came);
	tcase_add_test(tc, an_index_that_went_back_in_memory_that_cannot_be_read_is_told);
	tcase_add_test(tc, an_index_that_went_back_where_the_new_records_cannot_be_read_is_told);
	tcase_add_test(tc, a_mode_that_cannot_be_read_for_a_while_has_not_changed);
	tcase_add_loop_test(tc, an_index_that_comes_back_for_a_moment_is_not_followed, 0, 2);
	tcase_add_loop_test(tc, history_that_is_written_over_while_it_is_read_is_none, 0, 2);
	tcase_add_test(tc, a_ring_that_was_written_over_exactly_and_is_gone_is_an_error);
	tcase_add_test(tc, a_place_to_go_on_from_that_is_overtaken_is_not_used);
	tcase_add_test(tc, a_poll_that_is_overtaken_again_and_again_leaves_the_rest_to_the_next);
	tcase_add_loop_test(tc, a_ring_that_nobody_can_remember_is_looked_at_by_the_next_poll, 0,
			    2);
	tcase_add_loop_test(
		tc, a_larger_ring_that_nobody_can_remember_begins_anew_with_the_next_poll, 0, 2);
	tcase_add_loop_test(tc, a_ring_that_grows_while_a_lap_is_dealt_with_begins_at_zero, 0, 2);
	tcase_add_test(tc, how_full_a_ring_of_unknown_size_is_nobody_knows);
	tcase_add_test(tc, a_concurrent_storm_is_seen_exactly_once_and_in_order);
	tcase_add_test(tc, a_storm_that_does_not_wait_leaves_no_silent_hole);
	tcase_add_test(tc, idle_polls_take_less_than_a_hundredth_of_a_core);
	tcase_add_test(tc, between_bursts_it_looks_as_often_and_a_while_later_rarely);
	tcase_add_test(tc, a_ring_that_was_filled_at_once_may_have_overflowed);
	tcase_add_test(tc, a_storm_is_polled_before_an_eighth_of_the_ring_is_new);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
