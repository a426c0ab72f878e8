/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue: sums over what a watch saw, and recordings of it: written, read, cut and full. */
#include "files.h"
#include "queue/recording.h"
#include "queue/stats.h"
#include "runner.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS     ((uint64_t)1000000)
#define SECOND (1000 * MS)

static struct riommu_stats *stats;
static struct riommu_ctx *ctx;

static void setup(void)
{
	stats = riommu_stats_new(2);
	ctx = riommu_ctx_new();
	ck_assert(stats && ctx);
	files_begin();
}

static void teardown(void)
{
	files_end();
	riommu_stats_free(stats);
	riommu_ctx_free(ctx);
}

/* A read fault of DID at IOVA (4.2: cause, TTYP 2, DID). */
static struct riommu_watch_event fault(uint64_t time, uint32_t did, uint64_t iova)
{
	return (struct riommu_watch_event){
		.kind = RIOMMU_WATCH_FAULT,
		.time = time,
		.number = 1,
		.ordered = true,
		.dw = {13 | (uint64_t)2 << 34 | (uint64_t)did << 40, 0, iova, 0},
	};
}

static void add(struct riommu_watch_event e)
{
	ck_assert_int_eq(riommu_stats_add(stats, &e), 0);
}

/* -- rates ------------------------------------------------------------------------------------------------ */

START_TEST(a_rate_is_that_of_the_last_full_tenths)
{
	struct riommu_rate rate = {0};

	for (uint64_t i = 0; i < 100; i++)
		riommu_rate_add(&rate, 10 * SECOND + i * 10 * MS);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, 11 * SECOND, 1), 1000);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, 11 * SECOND, 10), 100);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, 11 * SECOND + 500 * MS, 1), 500);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, 12 * SECOND, 1), 0);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, 20 * SECOND, 10), 100);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, 21 * SECOND, 10), 0);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, 10 * SECOND, 1), 0);
}
END_TEST

START_TEST(a_rate_forgets_over_a_long_pause_and_bears_a_clock_that_goes_back)
{
	struct riommu_rate rate = {0};

	riommu_rate_add(&rate, SECOND);
	riommu_rate_add(&rate, UINT64_MAX / 2);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, UINT64_MAX / 2 + SECOND, 10), 1);
	riommu_rate_add(&rate, 0);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, UINT64_MAX / 2 + SECOND, 10), 2);
}
END_TEST

START_TEST(a_rate_of_no_time_or_of_long_ago_is_none)
{
	struct riommu_rate rate = {0};

	riommu_rate_add(&rate, 1000 * SECOND);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, 1001 * SECOND, 1), 10);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, 1001 * SECOND, 0), 0);
	ck_assert_uint_eq(riommu_rate_tenths(&rate, 20 * SECOND, 10), 0); /* written over since */
}
END_TEST

/* -- distinct pages ------------------------------------------------------------------------------------ */

START_TEST(few_pages_are_counted_exactly)
{
	struct riommu_distinct d = {0};
	bool exact;

	for (uint64_t round = 0; round < 3; round++)
		for (uint64_t i = 0; i < RIOMMU_DISTINCT_KEPT; i++)
			riommu_distinct_add(&d, i);
	ck_assert_uint_eq(riommu_distinct_count(&d, &exact), RIOMMU_DISTINCT_KEPT);
	ck_assert(exact);
	riommu_distinct_add(&d, RIOMMU_DISTINCT_KEPT);
	riommu_distinct_count(&d, &exact);
	ck_assert(!exact);
}
END_TEST

START_TEST(many_pages_are_estimated)
{
	static const uint64_t counts[] = {1000, 30000, 1000000};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(counts); i++) {
		struct riommu_distinct d = {0};
		uint64_t n = counts[i], estimate;
		bool exact;

		for (uint64_t v = 0; v < 2 * n; v++)
			riommu_distinct_add(&d, v % n * 7);
		estimate = riommu_distinct_count(&d, &exact);
		ck_assert(!exact);
		/* four times the standard error */
		ck_assert_uint_gt(estimate, n - n / 4);
		ck_assert_uint_lt(estimate, n + n / 4);
	}
}
END_TEST

/* -- devices, the log ----------------------------------------------------------------------------------- */

START_TEST(records_that_name_no_device_are_not_those_of_device_zero)
{
	struct riommu_watch_event none = fault(SECOND, 0, 0);

	none.dw[0] = 273; /* TTYP 0: about no request (facts 4.1) */
	add(fault(SECOND, 0, 0x1000));
	add(none);
	ck_assert_uint_eq(stats->device_count, 2);
	ck_assert(stats->devices[0]->has_device && !stats->devices[1]->has_device);
	ck_assert_uint_eq(stats->devices[1]->pages.kept, 0);
}
END_TEST

/* So many that their places in the table are the same: of two IOMMUs, and records that name none. */
START_TEST(devices_of_one_number_behind_two_iommus_are_two)
{
	const uint32_t each = RIOMMU_STATS_DEVICES / 2 - 1;

	for (uint32_t i = 0; i < 2; i++) {
		struct riommu_watch_event e = fault(SECOND, 0, 0);

		e.iommu = i;
		e.dw[0] = 273;
		add(e);
		for (uint32_t did = 0; did < each; did++) {
			e = fault(SECOND, did, 0x1000);
			e.iommu = i;
			add(e);
			add(e);
		}
	}
	ck_assert_uint_eq(stats->device_count, 2 * each + 2);
	for (uint32_t i = 0; i < stats->device_count; i++)
		ck_assert_uint_eq(stats->devices[i]->total, stats->devices[i]->has_device ? 2 : 1);
	ck_assert_uint_eq(stats->other, 0);
}
END_TEST

START_TEST(records_that_name_no_device_keep_their_place_among_all_devices)
{
	struct riommu_watch_event e;

	riommu_stats_free(stats);
	stats = riommu_stats_new(6);
	for (uint32_t i = 0; i < 6; i++) {
		e = fault(SECOND, 0, 0);
		e.iommu = i;
		e.dw[0] = 273;
		riommu_stats_clear(stats, 0);
		add(e);
		for (uint32_t did = 0; did < RIOMMU_STATS_DEVICES - 1; did++) {
			struct riommu_watch_event f = fault(SECOND, did, 0x1000);

			f.iommu = i;
			add(f);
		}
		add(e);
		ck_assert_uint_eq(stats->device_count, RIOMMU_STATS_DEVICES);
		ck_assert_uint_eq(stats->devices[0]->total, 2);
	}
}
END_TEST

START_TEST(each_thing_that_tells_of_records_that_are_missing_does_so_alone)
{
	const struct riommu_iommu_stats cases[] = {
		{.lost = 1},   {.laps = 1},       {.may_laps = 1},
		{.blind = 1},  {.unreadable = 1}, {.unwritten = 1},
		{.resets = 1}, {.overflows = 1},  {.overflowing = true}};
	const struct riommu_iommu_stats none = {.total = 5, .before = 2, .mode_changes = 1};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(cases); i++)
		ck_assert(riommu_stats_missing(&cases[i]));
	ck_assert(!riommu_stats_missing(&none));
}
END_TEST

START_TEST(devices_beyond_the_limit_are_counted_together)
{
	for (uint32_t did = 0; did < RIOMMU_STATS_DEVICES + 10; did++)
		add(fault(SECOND, did, 0x1000));
	add(fault(SECOND, 5, 0x1000));
	ck_assert_uint_eq(stats->device_count, RIOMMU_STATS_DEVICES);
	ck_assert_uint_eq(stats->other, 10);
	ck_assert_uint_eq(stats->devices[5]->total, 2);
	ck_assert_uint_eq(stats->iommus[0].total, RIOMMU_STATS_DEVICES + 11);
}
END_TEST

START_TEST(the_log_has_the_newest)
{
	for (uint64_t i = 0; i < RIOMMU_STATS_LOG + 5; i++)
		add(fault(SECOND, 1, i << 12));
	ck_assert_uint_eq(riommu_stats_log(stats, 0)->dw[2] >> 12, RIOMMU_STATS_LOG + 4);
	ck_assert_uint_eq(riommu_stats_log(stats, RIOMMU_STATS_LOG - 1)->dw[2] >> 12, 5);
	ck_assert_ptr_null(riommu_stats_log(stats, RIOMMU_STATS_LOG));
}
END_TEST

START_TEST(clearing_forgets_counts_and_not_what_is_so_now)
{
	struct riommu_watch_event e = {
		.kind = RIOMMU_WATCH_CSR, .time = SECOND, .to = 0x10201, .from = 0x10001};

	add(e);
	add(fault(SECOND, 1, 0x1000));
	riommu_stats_clear(stats, 3 * SECOND);
	ck_assert_uint_eq(stats->device_count + stats->logged + stats->iommus[0].total, 0);
	ck_assert(stats->iommus[0].overflowing && riommu_stats_missing(&stats->iommus[0]));
	ck_assert(!riommu_stats_missing(&stats->iommus[1]));
	e.iommu = 2;
	ck_assert_int_eq(riommu_stats_add(stats, &e), -EINVAL);
}
END_TEST

/* Records that were dropped since the clear are missing, though the overflow began before it. */
START_TEST(an_overflow_that_ends_after_counts_were_cleared_is_one_of_theirs)
{
	struct riommu_watch_event e = {
		.kind = RIOMMU_WATCH_CSR, .time = SECOND, .to = 0x10201, .from = 0x10001};

	add(e);
	riommu_stats_clear(stats, 3 * SECOND);
	e.time = 7 * SECOND;
	e.to = 0x10001;
	add(e);
	ck_assert(!stats->iommus[0].overflowing && riommu_stats_missing(&stats->iommus[0]));
	ck_assert_uint_eq(stats->iommus[0].overflows, 1);
	ck_assert_uint_eq(stats->iommus[0].overflow_time, 4 * SECOND);
	riommu_stats_clear(stats, 8 * SECOND);
	ck_assert(!riommu_stats_missing(&stats->iommus[0]));
}
END_TEST

START_TEST(what_no_queue_tells_is_refused)
{
	const struct riommu_watch_event e = {.kind = RIOMMU_WATCH_KINDS};

	ck_assert_int_eq(riommu_stats_add(stats, &e), -EINVAL);
	ck_assert_ptr_null(riommu_stats_log(stats, 5));
}
END_TEST

/* One that stays is one. */
START_TEST(an_overflow_is_counted_when_it_comes)
{
	struct riommu_watch_event e = {
		.kind = RIOMMU_WATCH_CSR, .time = SECOND, .to = 0x10201, .from = 0x10001};

	add(e);
	e.time = 2 * SECOND;
	e.to |= 0x100; /* fqmf, too */
	add(e);
	ck_assert_uint_eq(stats->iommus[0].overflows, 1);
	e.time = 4 * SECOND;
	e.to = 0x10001;
	add(e);
	add(e);
	ck_assert_uint_eq(stats->iommus[0].overflow_time, 3 * SECOND);
	ck_assert(riommu_stats_missing(&stats->iommus[0]));
}
END_TEST

/* Each thing that may have cost records, alone. */
START_TEST(whatever_may_be_missing_is_missing)
{
	static const enum riommu_watch_why whys[] = {
		RIOMMU_LOST_LAPPED,     RIOMMU_LOST_MAY_TIME,  RIOMMU_LOST_MAY_IRQ,
		RIOMMU_LOST_UNREADABLE, RIOMMU_LOST_UNWRITTEN, RIOMMU_LOST_BLIND,
	};
	struct riommu_watch_event e = {.kind = RIOMMU_WATCH_LOST, .time = SECOND, .count = 1};

	ck_assert(!riommu_stats_missing(&stats->iommus[0]));
	if (_i < (int)RIOMMU_ARRAY_SIZE(whys))
		e.why = whys[_i];
	else
		e.kind = RIOMMU_WATCH_RESET;
	add(e);
	ck_assert(riommu_stats_missing(&stats->iommus[0]));
	ck_assert(!riommu_stats_missing(&stats->iommus[1]));
}
END_TEST

/* -- recordings ------------------------------------------------------------------------------------------- */

static struct riommu_iommu iommus[2] = {{.base = 0x3010000, .name = "one"},
					{.base = 0x4010000, .name = "two"}};
static struct riommu_device devices[3] = {{.device_id = 8, .iommu = 0, .name = "0000:00:01.0"},
					  {.device_id = 9, .iommu = 1, .name = "nine"},
					  {.device_id = 1, .iommu = RIOMMU_NO_IOMMU}};
static const struct riommu_system recorded = {
	.model = "board",
	.kernel = "7.2",
	.iommus = iommus,
	.iommu_count = 2,
	.devices = devices,
	.device_count = 3,
};

/* One of each kind; times are those of a clock that started long ago. */
static const struct riommu_watch_event events[] = {
	{.kind = RIOMMU_WATCH_STATE,
	 .time = 100,
	 .state = {true, true, true, 0x1234, 0x80000000, 4096, 7, 9, 0x10001}},
	{.kind = RIOMMU_WATCH_FAULT, .time = 101, .index = 3, .before = true, .dw = {1, 2, 3, 4}},
	{.kind = RIOMMU_WATCH_FAULT,
	 .iommu = 1,
	 .time = 102,
	 .number = 1,
	 .pending = true,
	 .ordered = true,
	 .dw = {~(uint64_t)0, 6, 7, 8}},
	{.kind = RIOMMU_WATCH_MODE, .time = 103, .from = 4, .to = 0},
	{.kind = RIOMMU_WATCH_CSR, .time = 103, .from = 0x10001, .to = 0x10201},
	{.kind = RIOMMU_WATCH_LOST,
	 .time = 104,
	 .why = RIOMMU_LOST_UNREADABLE,
	 .count = 5,
	 .error = -ENODATA},
	{.kind = RIOMMU_WATCH_RESET, .time = 105, .why = RIOMMU_RESET_BASE},
};

static void record_all(const char *path, bool end)
{
	struct riommu_recorder *r;

	ck_assert_int_eq(riommu_recorder_new(ctx, path, &recorded, 90, &r), 0);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(events); i++)
		ck_assert_int_eq(riommu_recorder_add(r, &events[i]), 0);
	ck_assert_int_eq(riommu_recorder_flush(r, true), 0);
	if (end)
		ck_assert_int_eq(riommu_recorder_end(r, 200), 0);
}

START_TEST(what_was_recorded_is_read_back)
{
	struct riommu_recording *r;
	struct riommu_system *sys;
	struct riommu_watch_event e;

	record_all(below("all.rec"), true);
	ck_assert_int_eq(riommu_is_recording(ctx, below("all.rec")), 1);
	ck_assert_int_eq(riommu_is_recording(ctx, below("nothing")), -ENOENT);
	ck_assert_int_eq(riommu_recording_open(ctx, below("all.rec"), &r, &sys), 0);
	ck_assert_uint_eq(sys->iommu_count, 2);
	ck_assert_uint_eq(sys->device_count, 2);
	ck_assert_str_eq(sys->model, "board");
	ck_assert_str_eq(riommu_system_device_name(sys, 1, 9), "nine");
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(events); i++) {
		struct riommu_watch_event want = events[i];

		want.time -= 90;
		ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_EVENT);
		ck_assert_uint_eq(e.kind, want.kind);
		ck_assert_uint_eq(e.iommu, want.iommu);
		ck_assert_uint_eq(e.time, want.time);
		ck_assert_uint_eq(e.number, want.number);
		ck_assert_uint_eq(e.index, want.index);
		ck_assert(e.pending == want.pending && e.before == want.before &&
			  e.ordered == want.ordered);
		ck_assert_mem_eq(e.dw, want.dw, sizeof(e.dw));
		ck_assert(e.from == want.from && e.to == want.to && e.why == want.why &&
			  e.count == want.count && e.error == want.error);
		ck_assert(e.state.ddtp == want.state.ddtp && e.state.base == want.state.base &&
			  e.state.entries == want.state.entries &&
			  e.state.head == want.state.head && e.state.tail == want.state.tail &&
			  e.state.csr == want.state.csr &&
			  e.state.indexes_known == want.state.indexes_known);
	}
	ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_ENDED);
	ck_assert_uint_eq(e.time, 110);
	ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_ENDED);
	riommu_recording_close(r);
	riommu_system_close(sys);
}
END_TEST

START_TEST(a_recording_is_for_its_owner_and_writes_over_nothing)
{
	struct riommu_recorder *r;
	struct stat st;

	umask(0);
	record_all(below("mode.rec"), true);
	ck_assert_int_eq(stat(below("mode.rec"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(riommu_recorder_new(ctx, below("mode.rec"), &recorded, 0, &r), -EEXIST);
	make_link("link.rec", below("mode.rec"));
	ck_assert_int_lt(riommu_recorder_new(ctx, below("link.rec"), &recorded, 0, &r), 0);
}
END_TEST

/* Every length that a file may be cut to: events up to there, then the word for it; never more, never a crash. */
START_TEST(a_recording_that_is_cut_gives_what_is_whole)
{
	struct stat st;

	record_all(below("cut.rec"), true);
	ck_assert_int_eq(stat(below("cut.rec"), &st), 0);
	for (off_t size = st.st_size; size >= 0; size--) {
		struct riommu_recording *r;
		struct riommu_system *sys;
		struct riommu_watch_event e;
		size_t count = 0;
		int item;

		ck_assert_int_eq(truncate(below("cut.rec"), size), 0);
		if (riommu_recording_open(ctx, below("cut.rec"), &r, &sys))
			continue;
		while ((item = riommu_recording_next(r, &e)) == RIOMMU_RECORDING_EVENT)
			count++;
		ck_assert_uint_le(count, RIOMMU_ARRAY_SIZE(events));
		ck_assert(item == RIOMMU_RECORDING_ENDED || item == RIOMMU_RECORDING_BROKEN_OFF ||
			  item == -EBADMSG);
		ck_assert_int_eq(item == RIOMMU_RECORDING_ENDED, size == st.st_size);
		riommu_recording_close(r);
		riommu_system_close(sys);
	}
}
END_TEST

START_TEST(on_a_full_disk_it_ends_behind_a_whole_event)
{
	struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
	struct riommu_recorder *recorder;
	struct riommu_recording *r;
	struct riommu_watch_event e = events[1];
	struct riommu_system *sys;
	int err = 0, item;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(riommu_recorder_new(ctx, below("full.rec"), &recorded, 90, &recorder), 0);
	for (unsigned i = 0; i < 1000 && !err; i++) {
		err = riommu_recorder_add(recorder, &e);
		if (!err)
			err = riommu_recorder_flush(recorder, false);
	}
	ck_assert_int_eq(err, -EFBIG);
	ck_assert_int_eq(riommu_recorder_add(recorder, &e), -EFBIG);
	ck_assert_int_eq(riommu_recorder_end(recorder, 300), -EFBIG);
	limit.rlim_cur =
		RLIM_INFINITY; /* what this program itself writes when it ends is not to be cut */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(riommu_recording_open(ctx, below("full.rec"), &r, &sys), 0);
	while ((item = riommu_recording_next(r, &e)) == RIOMMU_RECORDING_EVENT)
		;
	ck_assert_int_eq(item, RIOMMU_RECORDING_BROKEN_OFF);
	riommu_recording_close(r);
	riommu_system_close(sys);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stats");
	TCase *tc = tcase_create("stats");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_rate_is_that_of_the_last_full_tenths);
	tcase_add_test(tc, a_rate_forgets_over_a_long_pause_and_bears_a_clock_that_goes_back);
	tcase_add_test(tc, a_rate_of_no_time_or_of_long_ago_is_none);
	tcase_add_test(tc, what_no_queue_tells_is_refused);
	tcase_add_test(tc, an_overflow_is_counted_when_it_comes);
	tcase_add_loop_test(tc, whatever_may_be_missing_is_missing, 0, 7);
	tcase_add_test(tc, few_pages_are_counted_exactly);
	tcase_add_test(tc, many_pages_are_estimated);
	tcase_add_test(tc, records_that_name_no_device_are_not_those_of_device_zero);
	tcase_add_test(tc, devices_of_one_number_behind_two_iommus_are_two);
	tcase_add_test(tc, records_that_name_no_device_keep_their_place_among_all_devices);
	tcase_add_test(tc, each_thing_that_tells_of_records_that_are_missing_does_so_alone);
	tcase_add_test(tc, devices_beyond_the_limit_are_counted_together);
	tcase_add_test(tc, the_log_has_the_newest);
	tcase_add_test(tc, clearing_forgets_counts_and_not_what_is_so_now);
	tcase_add_test(tc, an_overflow_that_ends_after_counts_were_cleared_is_one_of_theirs);
	tcase_add_test(tc, what_was_recorded_is_read_back);
	tcase_add_test(tc, a_recording_is_for_its_owner_and_writes_over_nothing);
	tcase_add_test(tc, a_recording_that_is_cut_gives_what_is_whole);
	tcase_add_test(tc, on_a_full_disk_it_ends_behind_a_whole_event);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
