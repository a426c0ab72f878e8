/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-top: where events come from, live or from a file, and where they go: statistics, recording, view. */
#include "config.h"

#include "top.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

volatile int top_signal;

#define SYNC_EVERY TOP_SECOND /* the recording is sent to the disk this often */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * TOP_SECOND + (uint64_t)ts.tv_nsec;
}

uint64_t top_clock(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

bool top_selected(const struct top *t, size_t iommu)
{
	return !t->options.iommu || riommu_system_find_iommu(t->sys, t->options.iommu) == iommu;
}

bool top_missing(const struct top *t)
{
	for (size_t i = 0; i < t->stats->iommu_count; i++) {
		const struct riommu_iommu_stats *s = &t->stats->iommus[i];

		if (!top_selected(t, i))
			continue;
		if (riommu_stats_missing(s) || (s->state.ring_known && !s->state.indexes_known))
			return true;
		if (t->polls && t->polls[i].error)
			return true;
	}
	return false;
}

bool top_blind(const struct top *t)
{
	for (size_t i = 0; t->watches && i < t->sys->iommu_count; i++)
		if (t->watches[i] && !t->polls[i].error)
			return false;
	return t->watches != NULL;
}

/* -- opening ------------------------------------------------------------------------------------------------ */

static void open_recording(struct top *t)
{
	int err;

	if (t->options.access || t->options.base_count || t->options.override_count)
		die_usage("-i %s: it is a recording, which -A, --base and --reg cannot add to",
			  t->options.input);
	if (t->record)
		die_usage("--record: -i %s is on record already", t->options.input);
	if (t->options.save)
		die_usage("--save: a recording has no registers and no memory to save");
	err = riommu_recording_open(t->ctx, t->options.input, &t->recording, &t->sys);
	if (err)
		die(status_of(err), "%s", riommu_error(t->ctx));
	if (t->options.iommu &&
	    riommu_system_find_iommu(t->sys, t->options.iommu) == RIOMMU_NO_IOMMU)
		die(STATUS_NO_IOMMU, "%s: no IOMMU of the recording has this name or base",
		    t->options.iommu);
	t->source = TOP_RECORDING;
}

static void open_watches(struct top *t)
{
	t->watches = need(calloc(t->sys->iommu_count + 1, sizeof(*t->watches)));
	t->polls = need(calloc(t->sys->iommu_count + 1, sizeof(*t->polls)));
	for (size_t i = 0; i < t->sys->iommu_count; i++)
		if (top_selected(t, i) && riommu_watch_new(t->sys, i, &t->watches[i]))
			die(STATUS_ERROR, "%s", riommu_error(t->ctx));
}

void top_open(struct top *t)
{
	int err;

	sandbox(&t->options, opening_level(&t->options, t->record), stderr);
	err = t->options.input ? riommu_is_recording(t->ctx, t->options.input) : 0;
	if (err < 0)
		die(status_of(err), "%s", riommu_error(t->ctx));
	if (err) {
		open_recording(t);
	} else {
		t->sys = open_system(&t->out, NULL, &t->options);
		t->source = t->sys->live ? TOP_LIVE : TOP_CAPTURE;
		open_watches(t);
		if (t->options.save) /* the screen opens its terminal then, --record its file */
			save_capture(&t->out, t->sys, &t->options, t->batch && !t->record);
		t->start = top_clock();
	}
	if (!top_column_tells(t, t->sort))
		t->sort = COLUMN_BEFORE;
	t->stats = need(riommu_stats_new(t->sys->iommu_count));
	t->now = t->start;
	if (!t->record)
		return;
	err = riommu_recorder_new(t->ctx, t->record, t->sys, t->start, &t->recorder);
	if (err)
		die(err == -EEXIST ? STATUS_ERROR : status_of(err), "--record: %s",
		    riommu_error(t->ctx));
}

void top_trouble(struct top *t, int err, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printable(text);
	if (t->on_screen) {
		snprintf(t->message, sizeof(t->message), "%s", text);
		out_status(&t->out, status_of(err));
	} else if (err) {
		out_error(&t->out, err, "%s", text);
	} else {
		out_flush();
		print_message(text);
	}
}

static void end_recording(struct top *t, int err)
{
	if (err)
		top_trouble(t, err, "--record: %s", riommu_error(t->ctx));
}

void top_end_recording(struct top *t)
{
	int err = riommu_recorder_end(t->recorder, t->now);

	t->recorder = NULL;
	end_recording(t, err);
}

void top_close(struct top *t)
{
	if (t->recorder)
		top_end_recording(t);
	for (size_t i = 0; t->watches && i < t->sys->iommu_count; i++)
		riommu_watch_free(t->watches[i]);
	free(t->watches);
	free(t->polls);
	t->watches = NULL;
	t->polls = NULL;
	riommu_recording_close(t->recording);
	riommu_stats_free(t->stats);
	riommu_system_close(t->sys);
}

/* -- events ------------------------------------------------------------------------------------------------------ */

/* The first thing that goes wrong ends the recording, and is told; watching goes on. */
static void record(struct top *t, int err)
{
	if (!err)
		return;
	riommu_recorder_end(t->recorder, t->now);
	t->recorder = NULL;
	end_recording(t, err);
}

static void take(void *arg, const struct riommu_watch_event *e)
{
	struct top *t = arg;
	int err;

	if (!top_selected(t, e->iommu))
		return;
	err = riommu_stats_add(t->stats, e);
	if (err && !t->short_of_memory) {
		t->short_of_memory = true;
		top_trouble(t, err, "out of memory: faults of new devices are only counted");
	}
	if (t->recorder)
		record(t, riommu_recorder_add(t->recorder, e));
	if (t->view && t->view->event)
		t->view->event(t, e);
}

void top_note_states(struct top *t)
{
	for (size_t i = 0; t->watches && i < t->sys->iommu_count; i++) {
		struct riommu_watch_event e = {
			.kind = RIOMMU_WATCH_STATE,
			.iommu = (uint32_t)i,
			.time = t->now,
		};

		if (!t->watches[i])
			continue;
		e.state = *riommu_watch_state(t->watches[i]);
		take(t, &e);
	}
}

/* -- live ---------------------------------------------------------------------------------------------------------- */

static void look_at(struct top *t, size_t i)
{
	struct top_poll *p = &t->polls[i];
	uint64_t now = top_clock(), cost = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	const struct riommu_watch_state *state;
	int64_t found;

	t->now = now;
	found = riommu_watch_poll(t->watches[i], now, take, t);
	p->error = found < 0 ? (int)found : 0;
	if (found < 0 && !p->told && !t->on_screen) /* the screen has a line for it */
		out_error(&t->out, p->error, "%s", riommu_watch_trouble(t->watches[i]));
	p->told = found < 0;
	state = riommu_watch_state(t->watches[i]);
	cost = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cost;
	p->due = now + riommu_pace_next(&p->pace, state->entries, riommu_watch_fill(state),
					found > 0 ? (uint64_t)found : 0, now - p->last, cost);
	p->last = now;
}

uint64_t top_poll(struct top *t)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < t->sys->iommu_count; i++) {
		if (!t->watches[i])
			continue;
		if (t->polls[i].due <= top_clock())
			look_at(t, i);
		if (t->polls[i].due < next)
			next = t->polls[i].due;
	}
	t->now = top_clock();
	if (t->recorder) {
		bool sync = t->now - t->synced >= SYNC_EVERY;

		if (sync)
			t->synced = t->now;
		record(t, riommu_recorder_flush(t->recorder, sync));
	}
	return next;
}

bool top_sleep(uint64_t time, int fd)
{
	uint64_t now = top_clock(), left = time > now ? time - now : 0;
	struct pollfd in = {.fd = fd, .events = POLLIN};
	struct timespec ts;

	/* a signal that came just before it does not end the sleep: --delay may be a day */
	if (left > TOP_SECOND)
		left = TOP_SECOND;
	ts = (struct timespec){.tv_sec = (time_t)(left / TOP_SECOND),
			       .tv_nsec = (long)(left % TOP_SECOND)};
	return ppoll(&in, fd >= 0, &ts, NULL) <= 0 ||
	       !(in.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* -- a recording ------------------------------------------------------------------------------------------------------ */

/* The end of it, good or bad. */
static void finish(struct top *t, int item)
{
	t->ended = true;
	if (item == RIOMMU_RECORDING_ENDED) {
		t->now = t->ahead.time;
		return;
	}
	if (item == RIOMMU_RECORDING_BROKEN_OFF)
		top_trouble(
			t, 0,
			"%s: the recording was not ended: its recorder was killed, or is still at "
			"work",
			t->options.input);
	else
		top_trouble(t, item, "%s; what is before that was played", riommu_error(t->ctx));
}

bool top_play(struct top *t, uint64_t until)
{
	while (!t->ended && !top_signal) {
		int item = RIOMMU_RECORDING_EVENT;

		if (!t->has_ahead)
			item = riommu_recording_next(t->recording, &t->ahead);
		t->has_ahead = item == RIOMMU_RECORDING_EVENT;
		if (!t->has_ahead && (item != RIOMMU_RECORDING_ENDED || t->ahead.time <= until)) {
			finish(t, item);
			return false;
		}
		if (t->ahead.time > until) {
			t->now = until;
			return true;
		}
		t->has_ahead = false;
		t->now = t->ahead.time;
		take(t, &t->ahead);
	}
	return false;
}
