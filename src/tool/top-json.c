/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-top --json: one object a line, each an event (schema iommu-top/1). */
#include "config.h"

#include "fault-words.h"
#include "top.h"

#include <inttypes.h>
#include <stdlib.h>

/* Seconds since the start, to the microsecond. */
static struct json_object *json_time(const struct top *t, uint64_t time)
{
	uint64_t since = time > t->start ? time - t->start : 0;
	char text[40];

	snprintf(text, sizeof(text), "%" PRIu64 ".%06" PRIu64, since / TOP_SECOND,
		 since / 1000 % 1000000);
	return need(json_object_new_double_s((double)since / (double)TOP_SECOND, text));
}

static struct json_object *json_tenths(uint64_t tenths)
{
	char text[40];

	snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
	return need(json_object_new_double_s((double)tenths / 10, text));
}

static struct json_object *new_event(const struct top *t, const char *event, uint64_t time)
{
	struct json_object *obj = need(json_object_new_object());

	json_add(obj, "schema", json_text(TOP_SCHEMA));
	json_add(obj, "event", json_text(event));
	json_add(obj, "time", json_time(t, time));
	return obj;
}

static struct json_object *json_iommu(const struct top *t, size_t iommu)
{
	return json_hex(t->sys->iommus[iommu].base);
}

static struct json_object *json_mode(bool known, uint64_t ddtp)
{
	char text[16];

	mode_text(ddtp, text, sizeof(text));
	return known ? json_text(text) : NULL;
}

/* -- start --------------------------------------------------------------------------------------------------- */

static void json_begin(struct top *t)
{
	struct json_object *obj = new_event(t, "start", t->start);
	struct json_object *iommus = need(json_object_new_array());

	json_add(obj, "tool", json_text(program));
	json_add(obj, "version", json_text(PACKAGE_VERSION));
	json_add(obj, "source", source_json(t->sys));
	json_add(obj, "recording", json_object_new_boolean(t->source == TOP_RECORDING));
	for (size_t i = 0; i < t->sys->iommu_count; i++) {
		struct json_object *unit = need(json_object_new_object());

		json_add(unit, "base", json_iommu(t, i));
		json_add(unit, "name", json_text(t->sys->iommus[i].name));
		json_add(unit, "watched", json_object_new_boolean(top_selected(t, i)));
		json_object_array_add(iommus, unit);
	}
	json_add(obj, "iommus", iommus);
	out_line(obj);
}

/* -- what happens ---------------------------------------------------------------------------------------------- */

static void fault_event(struct top *t, const struct riommu_watch_event *e)
{
	struct json_object *obj = new_event(t, "fault", e->time);
	struct json_object *raw = need(json_object_new_array());
	struct known_fault k = {
		.has_header = true, .has_iotval = true, .has_iotval2 = true, .has_dw1 = true};
	const char *name = NULL;

	riommu_fault_decode(e->dw, &k.fault);
	if (riommu_fault_has_device(&k.fault))
		name = riommu_system_device_name(t->sys, e->iommu, k.fault.did);
	json_add(obj, "iommu", json_iommu(t, e->iommu));
	json_add(obj, "number", e->before ? NULL : json_count(e->number));
	json_add(obj, "index", json_object_new_int64(e->index));
	json_add(obj, "pending", e->ordered ? json_object_new_boolean(e->pending) : NULL);
	json_add(obj, "before", json_object_new_boolean(e->before));
	json_add(obj, "ordered", json_object_new_boolean(e->ordered));
	json_add(obj, "device", json_text(name));
	fault_members(obj, &k);
	for (unsigned i = 0; i < 4; i++)
		json_object_array_add(raw, json_hex(e->dw[i]));
	json_add(obj, "raw", raw);
	out_line(obj);
}

static void change_event(struct top *t, const struct riommu_watch_event *e)
{
	bool mode = e->kind == RIOMMU_WATCH_MODE;
	struct json_object *obj = new_event(t, mode ? "mode" : "queue", e->time);

	json_add(obj, "iommu", json_iommu(t, e->iommu));
	json_add(obj, "from", json_hex(e->from));
	json_add(obj, "to", json_hex(e->to));
	if (mode) {
		json_add(obj, "from_mode", json_mode(true, e->from));
		json_add(obj, "to_mode", json_mode(true, e->to));
	} else {
		json_add(obj, "on", json_object_new_boolean((e->to & RIOMMU_QUEUE_ON) != 0));
		json_add(obj, "overflow", json_object_new_boolean((e->to & RIOMMU_QUEUE_OF) != 0));
		json_add(obj, "memory_fault",
			 json_object_new_boolean((e->to & RIOMMU_QUEUE_MF) != 0));
	}
	out_line(obj);
}

static void loss_event(struct top *t, const struct riommu_watch_event *e)
{
	bool lost = e->kind == RIOMMU_WATCH_LOST;
	struct json_object *obj = new_event(t, lost ? "lost" : "reset", e->time);
	char text[300];

	json_add(obj, "iommu", json_iommu(t, e->iommu));
	json_add(obj, "why", json_text(riommu_watch_why_name(e->why)));
	if (lost)
		json_add(obj, "at_least", json_count(e->count));
	top_event_text(t, e, text, sizeof(text));
	json_add(obj, "message", json_text(text));
	out_line(obj);
}

static void json_event(struct top *t, const struct riommu_watch_event *e)
{
	switch (e->kind) {
	case RIOMMU_WATCH_FAULT:
		if (top_event_passes(t, e))
			fault_event(t, e);
		return;
	case RIOMMU_WATCH_MODE:
	case RIOMMU_WATCH_CSR:
		change_event(t, e);
		return;
	case RIOMMU_WATCH_LOST:
	case RIOMMU_WATCH_RESET:
		loss_event(t, e);
		return;
	case RIOMMU_WATCH_STATE:
	case RIOMMU_WATCH_KINDS:
	default:
		return;
	}
}

/* -- sums ------------------------------------------------------------------------------------------------------ */

static struct json_object *queue_json(const struct riommu_watch_state *s)
{
	struct json_object *obj;

	if (!s->ring_known)
		return NULL;
	obj = need(json_object_new_object());
	json_add(obj, "base", json_hex(s->base));
	json_add(obj, "entries", json_object_new_int64(s->entries));
	json_add(obj, "ordered", json_object_new_boolean(s->indexes_known));
	json_add(obj, "head", s->indexes_known ? json_object_new_int64(s->head) : NULL);
	json_add(obj, "tail", s->indexes_known ? json_object_new_int64(s->tail) : NULL);
	json_add(obj, "pending",
		 s->indexes_known ? json_object_new_int64(riommu_watch_fill(s)) : NULL);
	json_add(obj, "on",
		 s->indexes_known ? json_object_new_boolean((s->csr & RIOMMU_QUEUE_ON) != 0)
				  : NULL);
	json_add(obj, "overflow",
		 s->indexes_known ? json_object_new_boolean((s->csr & RIOMMU_QUEUE_OF) != 0)
				  : NULL);
	json_add(obj, "memory_fault",
		 s->indexes_known ? json_object_new_boolean((s->csr & RIOMMU_QUEUE_MF) != 0)
				  : NULL);
	return obj;
}

static void add_rates(struct json_object *obj, const struct top *t, const struct riommu_rate *rate)
{
	json_add(obj, "rate_1s", json_tenths(riommu_rate_tenths(rate, t->now, 1)));
	json_add(obj, "rate_10s", json_tenths(riommu_rate_tenths(rate, t->now, 10)));
}

static struct json_object *iommu_json(const struct top *t, size_t i)
{
	const struct riommu_iommu_stats *s = &t->stats->iommus[i];
	struct json_object *obj = need(json_object_new_object());
	uint64_t over = s->overflow_time + (s->overflowing ? t->now - s->overflow_since : 0);
	const char *trouble = t->watches ? riommu_watch_trouble(t->watches[i]) : "";

	json_add(obj, "base", json_iommu(t, i));
	json_add(obj, "name", json_text(t->sys->iommus[i].name));
	json_add(obj, "mode", json_mode(s->state.ddtp_known, s->state.ddtp));
	json_add(obj, "trouble", json_text(trouble[0] ? trouble : NULL));
	json_add(obj, "queue", queue_json(&s->state));
	json_add(obj, "faults", json_count(s->total));
	json_add(obj, "before", json_count(s->before));
	add_rates(obj, t, &s->rate);
	json_add(obj, "lost_at_least", json_count(s->lost));
	json_add(obj, "lapped", json_count(s->laps));
	json_add(obj, "may_have_lapped", json_count(s->may_laps));
	json_add(obj, "unreadable", json_count(s->unreadable));
	json_add(obj, "unwritten", json_count(s->unwritten));
	json_add(obj, "blind", json_count(s->blind));
	json_add(obj, "resets", json_count(s->resets));
	json_add(obj, "overflows", json_count(s->overflows));
	json_add(obj, "overflow_seconds", json_tenths(over / (TOP_SECOND / 10)));
	json_add(obj, "mode_changes", json_count(s->mode_changes));
	json_add(obj, "missing",
		 json_object_new_boolean(riommu_stats_missing(s) ||
					 (s->state.ring_known && !s->state.indexes_known)));
	return obj;
}

static struct json_object *device_json(const struct top *t, const struct riommu_device_stats *d)
{
	struct json_object *obj = need(json_object_new_object());
	const char *name =
		d->has_device ? riommu_system_device_name(t->sys, d->iommu, d->device_id) : NULL;
	bool exact;

	json_add(obj, "iommu", json_iommu(t, d->iommu));
	json_add(obj, "device_id", d->has_device ? json_hex(d->device_id) : NULL);
	json_add(obj, "device", json_text(name));
	json_add(obj, "faults", json_count(d->total));
	json_add(obj, "before", json_count(d->before));
	add_rates(obj, t, &d->rate);
	json_add(obj, "pages", json_count(riommu_distinct_count(&d->pages, &exact)));
	json_add(obj, "pages_exact", json_object_new_boolean(exact));
	json_add(obj, "last_time", d->total ? json_time(t, d->last_time) : NULL);
	json_add(obj, "last_cause", json_object_new_int(d->last.cause));
	json_add(obj, "last_cause_name", json_text(riommu_cause_name(d->last.cause)));
	json_add(obj, "last_iotval", json_hex(d->last.iotval));
	return obj;
}

static void json_tick(struct top *t)
{
	struct json_object *obj = new_event(t, "status", t->now);
	struct json_object *iommus = need(json_object_new_array());
	struct json_object *devices = need(json_object_new_array());
	size_t count;
	const struct riommu_device_stats **list = top_devices(t, &count);

	for (size_t i = 0; i < t->sys->iommu_count; i++)
		if (top_selected(t, i))
			json_object_array_add(iommus, iommu_json(t, i));
	for (size_t i = 0; i < count; i++)
		json_object_array_add(devices, device_json(t, list[i]));
	free(list);
	json_add(obj, "iommus", iommus);
	json_add(obj, "devices", devices);
	json_add(obj, "other_faults", json_count(t->stats->other));
	out_line(obj);
}

static void json_end(struct top *t, const char *why)
{
	struct json_object *obj = new_event(t, "end", t->now);

	json_add(obj, "why", json_text(why));
	json_add(obj, "missing", json_object_new_boolean(top_missing(t)));
	json_add(obj, "complete", json_object_new_boolean(!t->out.error_count));
	json_add(obj, "errors", json_object_get(t->out.errors));
	out_line(obj);
}

const struct top_view top_json_view = {
	.begin = json_begin,
	.event = json_event,
	.tick = json_tick,
	.end = json_end,
};
