/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A recording of iommu-top: its events go into the statistics, and, recorded anew, they read back the same. */
#include "fuzz.h"
#include "queue/recording.h"
#include "queue/stats.h"

#include <unistd.h>

#define MAX_EVENTS 256

static void same_event(const struct riommu_watch_event *a, const struct riommu_watch_event *b)
{
	MUST(a->kind == b->kind && a->iommu == b->iommu && a->time == b->time);
	MUST(a->number == b->number && a->index == b->index && a->pending == b->pending);
	MUST(a->before == b->before && a->ordered == b->ordered &&
	     !memcmp(a->dw, b->dw, sizeof(a->dw)));
	MUST(a->from == b->from && a->to == b->to && a->why == b->why);
	MUST(a->count == b->count && a->error == b->error);
	MUST(!memcmp(&a->state, &b->state, sizeof(a->state)));
}

/* Records EVENTS, and reads that. */
static void record_again(struct riommu_ctx *ctx, const struct riommu_system *sys,
			 const struct riommu_watch_event *events, size_t count, uint64_t end)
{
	struct riommu_recorder *recorder;
	struct riommu_recording *recording;
	struct riommu_system *other;
	struct riommu_watch_event e;

	unlink(fuzz_path("again"));
	MUST(!riommu_recorder_new(ctx, fuzz_path("again"), sys, 0, &recorder));
	for (size_t i = 0; i < count; i++)
		MUST(!riommu_recorder_add(recorder, &events[i]));
	MUST(!riommu_recorder_end(recorder, end));
	MUST_SAY(!riommu_recording_open(ctx, fuzz_path("again"), &recording, &other),
		 riommu_error(ctx));
	MUST(other->iommu_count == sys->iommu_count && other->device_count == sys->device_count);
	for (size_t i = 0; i < count; i++) {
		MUST_SAY(riommu_recording_next(recording, &e) == RIOMMU_RECORDING_EVENT,
			 riommu_error(ctx));
		same_event(&events[i], &e);
	}
	MUST(riommu_recording_next(recording, &e) == RIOMMU_RECORDING_ENDED && e.time == end);
	riommu_recording_close(recording);
	riommu_system_close(other);
}

static void play(struct riommu_ctx *ctx, struct riommu_recording *recording,
		 const struct riommu_system *sys)
{
	static struct riommu_watch_event events[MAX_EVENTS];
	struct riommu_stats *stats = riommu_stats_new(sys->iommu_count);
	struct riommu_watch_event e;
	uint64_t end = 0;
	size_t count = 0;
	int got;

	MUST(stats != NULL);
	while ((got = riommu_recording_next(recording, &e)) == RIOMMU_RECORDING_EVENT) {
		MUST(e.iommu < sys->iommu_count && e.time >= end);
		end = e.time;
		if (count < MAX_EVENTS)
			events[count++] = e;
		MUST(!riommu_stats_add(stats, &e));
	}
	MUST(got == RIOMMU_RECORDING_ENDED || got == RIOMMU_RECORDING_BROKEN_OFF ||
	     got == -EBADMSG);
	if (got < 0)
		fuzz_good_words(ctx);
	record_again(ctx, sys, events, count, end);
	riommu_stats_free(stats);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct riommu_ctx *ctx = fuzz_ctx();
	struct riommu_recording *recording;
	struct riommu_system *sys;
	int err;

	fuzz_file("recording", bytes, len);
	err = riommu_recording_open(ctx, fuzz_path("recording"), &recording, &sys);
	if (err) {
		MUST(err == -EBADMSG || err == -ENOTSUP);
		fuzz_good_words(ctx);
	} else {
		play(ctx, recording, sys);
		riommu_recording_close(recording);
		riommu_system_close(sys);
	}
	riommu_ctx_free(ctx);
	return 0;
}
