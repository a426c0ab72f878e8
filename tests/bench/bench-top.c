/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What watching a fault queue costs, on a ring of 4,096 entries in our own memory, as Linux makes it: the library's part of
 * iommu-top, that is, polls, sums and the recording.
 *
 *   capacity   processor time for a record when all are there at once: how many a second one core takes
 *   paced      a second thread writes so many a second, and the watcher sleeps as iommu-top does: what it lost, what it took.
 *              On a busy machine the watcher does not run for longer than the ring lasts; then records are lost, and told
 *   idle       the same without a record
 *
 *     bench-top [SECONDS]
 *
 * Fails below a million records a second on one core, above 1 % idle, and when a loss was not told.
 */
#include "queue/recording.h"
#include "queue/stats.h"
#include "ring.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES 4096u
#define SECOND  ((uint64_t)1000000000)
#define BATCH   512u
#define AIM     1000000u

static uint64_t now_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND)};

	nanosleep(&ts, NULL);
}

/* -- the watcher -------------------------------------------------------------------------------------- */

static struct ring *ring;
static struct riommu_watch *watch;
static struct riommu_stats *stats;
static struct riommu_recorder *recorder; /* NULL: none */
static char path[] = "/tmp/bench-top-XXXXXX";

static struct {
	uint64_t seen, next; /* the record that is due */
	uint64_t lost, silent;
	bool told;
} result;

/* Each record carries its number: a hole without a word before it is silent. */
static void take(void *arg, const struct riommu_watch_event *e)
{
	(void)arg;
	riommu_stats_add(stats, e);
	if (recorder && riommu_recorder_add(recorder, e))
		abort();
	if (e->kind == RIOMMU_WATCH_LOST)
		result.told = true;
	if (e->kind != RIOMMU_WATCH_FAULT)
		return;
	result.seen++;
	if (e->dw[2] >> 12 != result.next) {
		result.lost += (e->dw[2] >> 12) - result.next;
		result.silent += !result.told;
	}
	result.told = false;
	result.next = (e->dw[2] >> 12) + 1;
}

static void begin(void)
{
	ring = ring_new(ENTRIES, "/nonexistent");
	stats = riommu_stats_new(1);
	if (!stats || riommu_watch_new(&ring->sys, 0, &watch))
		abort();
	memset(&result, 0, sizeof(result));
	riommu_watch_poll(watch, now_of(CLOCK_MONOTONIC), take, NULL);
}

static void end(void)
{
	riommu_watch_free(watch);
	riommu_stats_free(stats);
	ring_free(ring);
}

/* -- how much one core takes ----------------------------------------------------------------------- */

/* Sixteen devices, as a machine might have. */
static void write_record(uint64_t number)
{
	ring_fault(ring, (uint32_t)(number & 15), number << 12);
}

static double capacity(bool record)
{
	uint64_t used = 0, number = 0;

	begin();
	if (record) {
		int fd = mkstemp(path);

		if (fd < 0 || close(fd) || unlink(path) ||
		    riommu_recorder_new(ring->ctx, path, &ring->sys, 0, &recorder))
			abort();
	}
	for (unsigned round = 0; round < 8000; round++) {
		uint64_t before;

		for (unsigned i = 0; i < BATCH; i++)
			write_record(number++);
		ring_consume(ring);
		before = now_of(CLOCK_THREAD_CPUTIME_ID);
		riommu_watch_poll(watch, now_of(CLOCK_MONOTONIC), take, NULL);
		if (recorder)
			riommu_recorder_flush(recorder, false);
		used += now_of(CLOCK_THREAD_CPUTIME_ID) - before;
	}
	if (recorder)
		riommu_recorder_end(recorder, now_of(CLOCK_MONOTONIC));
	recorder = NULL;
	unlink(path);
	if (result.seen != number)
		printf("FAIL: %" PRIu64 " of %" PRIu64 " records were seen\n", result.seen, number);
	end();
	return (double)number / ((double)used / (double)SECOND);
}

/* -- a storm of a given rate -------------------------------------------------------------------------- */

static struct {
	uint64_t rate, until; /* records a second; when it ends */
	_Atomic uint64_t written;
	_Atomic bool over;
} storm;

static void *write_storm(void *arg)
{
	uint64_t start = now_of(CLOCK_MONOTONIC), now;

	while ((now = now_of(CLOCK_MONOTONIC)) < storm.until) {
		uint64_t due =
			(uint64_t)((double)(now - start) / (double)SECOND * (double)storm.rate);
		uint64_t written = atomic_load(&storm.written);

		/* a writer that did not run does not make up for it at once: no device does */
		if (due > written + ENTRIES / 4) {
			start += (uint64_t)((double)(due - written) / (double)storm.rate *
					    (double)SECOND);
			continue;
		}
		for (; written < due; written++) {
			write_record(written);
			ring_consume(ring);
		}
		atomic_store(&storm.written, written);
		if (!storm.rate)
			sleep_ns(SECOND / 100);
	}
	atomic_store(&storm.over, true);
	return arg;
}

/* The share of a core that the watcher took. */
static double paced(uint64_t rate, uint64_t seconds)
{
	uint64_t start, last, used = now_of(CLOCK_THREAD_CPUTIME_ID);
	struct riommu_pace pace = {0};
	pthread_t thread;
	bool over;

	begin();
	start = last = now_of(CLOCK_MONOTONIC);
	storm.rate = rate;
	storm.until = start + seconds * SECOND;
	atomic_store(&storm.written, 0);
	atomic_store(&storm.over, false);
	if (pthread_create(&thread, NULL, write_storm, NULL))
		abort();
	do {
		uint64_t now = now_of(CLOCK_MONOTONIC), cost = now_of(CLOCK_THREAD_CPUTIME_ID);
		int64_t found;

		over = atomic_load(&storm.over);
		found = riommu_watch_poll(watch, now, take, NULL);
		cost = now_of(CLOCK_THREAD_CPUTIME_ID) - cost;
		sleep_ns(riommu_pace_next(&pace, ENTRIES,
					  riommu_watch_fill(riommu_watch_state(watch)),
					  found > 0 ? (uint64_t)found : 0, now - last, cost));
		last = now;
	} while (!over);
	pthread_join(thread, NULL);
	used = now_of(CLOCK_THREAD_CPUTIME_ID) - used;
	return (double)used / (double)(now_of(CLOCK_MONOTONIC) - start);
}

int main(int argc, char **argv)
{
	static const uint64_t rates[] = {10000, 100000, 500000, AIM, 2 * AIM};
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 3;
	double each = capacity(false), recorded = capacity(true), idle;
	bool failed = each < AIM;

	printf("capacity: %.2f M records a second on one core, %.0f ns each; recorded %.2f M\n",
	       each / 1e6, 1e9 / each, recorded / 1e6);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(rates); i++) {
		double share = paced(rates[i], seconds);

		printf("paced: %" PRIu64 " a second for %" PRIu64 " s: %" PRIu64
		       " written, %" PRIu64 " seen, %" PRIu64 " lost, %" PRIu64
		       " of that silently; %.1f %% of a core\n",
		       rates[i], seconds, atomic_load(&storm.written), result.seen,
		       atomic_load(&storm.written) - result.seen, result.silent, 100 * share);
		failed |= result.silent != 0;
		end();
	}
	idle = paced(0, seconds);
	end();
	printf("idle: %.3f %% of a core\n", 100 * idle);
	failed |= idle > 0.01;
	printf("%s\n", failed ? "FAIL" : "ok");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
