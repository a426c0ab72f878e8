/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-top: columns and keys, each in one table; devices in order. */
#include "config.h"

#include "fault-words.h"
#include "top.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

const struct top_column top_columns[COLUMN_COUNT] = {
	[COLUMN_DEVICE] = {"DEVICE", "name of the device, or its device_id", 12, false, false, 0},
	[COLUMN_ID] = {"ID", "its device_id", 8, false, false, 8},
	[COLUMN_IOMMU] = {"IOMMU", "the IOMMU that reported it", 13, false, false, 9},
	[COLUMN_RATE] = {"RATE", "faults a second, over the last second", 7, true, true, 1},
	[COLUMN_RATE10] = {"RATE10", "faults a second, over the last ten seconds", 7, true, true,
			   4},
	[COLUMN_FAULTS] = {"FAULTS", "faults seen since watching began", 8, true, true, 2},
	[COLUMN_BEFORE] = {"BEFORE", "faults that were in the ring before that", 7, true, true, 10},
	[COLUMN_PAGES] = {"PAGES", "different 4 KiB pages; with ~ an estimate", 7, true, true, 6},
	[COLUMN_IOVA] = {"IOVA", "address of the last fault (iotval)", 18, false, false, 3},
	[COLUMN_TYPE] = {"TYPE", "what the last one wanted: read, write, exec, ATS", 7, false,
			 false, 7},
	[COLUMN_AGE] = {"AGE", "how long ago the last one was seen", 6, true, false, 11},
	[COLUMN_CAUSE] = {"CAUSE", "cause of the last fault", 12, false, false, 5},
};

const struct top_key top_keys[ACTION_COUNT] = {
	[ACTION_HELP] = {"h, ?, F1", "help: keys and columns"},
	[ACTION_QUIT] = {"q, F10", "quit"},
	[ACTION_SORT] = {"s, >, <", "sort by the next column; < by the one before"},
	[ACTION_INVERT] = {"i", "turn the order round"},
	[ACTION_FILTER] = {"/, F4", "filter: show what contains a text; empty for all"},
	[ACTION_PAUSE] = {"p, Space", "pause what is shown; watching goes on"},
	[ACTION_DETAIL] = {"Enter", "the selected fault, with the walk of its address; back"},
	[ACTION_FOCUS] = {"Tab", "select in the table, or in the log"},
	[ACTION_LINE] = {"Up, Down", "select the line above, below"},
	[ACTION_PAGE] = {"PgUp, PgDn", "a screenful of it"},
	[ACTION_ENDS] = {"Home, End", "the first line, the last"},
	[ACTION_LOG] = {"l", "log on or off"},
	[ACTION_RESET] = {"r", "reset: forget all counts"},
	[ACTION_SPEED] = {"[, ]", "a recording: half, or double speed"},
};

bool top_column_tells(const struct top *t, enum top_column_id column)
{
	return t->source != TOP_CAPTURE || (column != COLUMN_RATE && column != COLUMN_RATE10 &&
					    column != COLUMN_FAULTS && column != COLUMN_AGE);
}

bool top_column_by_name(const char *name, enum top_column_id *column)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (!strcasecmp(name, top_columns[i].name)) {
			*column = (enum top_column_id)i;
			return true;
		}
	}
	return false;
}

/* -- cells --------------------------------------------------------------------------------------------- */

static void pages_text(const struct riommu_device_stats *d, char *text, size_t size)
{
	bool exact;
	uint64_t pages = riommu_distinct_count(&d->pages, &exact);

	snprintf(text, size, "%s%" PRIu64, exact ? "" : "~", pages);
}

static void age_text(const struct top *t, const struct riommu_device_stats *d, char *text,
		     size_t size)
{
	uint64_t seconds = t->now > d->last_time ? (t->now - d->last_time) / TOP_SECOND : 0;

	if (!d->total)
		snprintf(text, size, "-"); /* when it happened is known to nobody */
	else if (seconds < 600)
		snprintf(text, size, "%" PRIu64 "s", seconds);
	else if (seconds < 36000)
		snprintf(text, size, "%" PRIu64 "m", seconds / 60);
	else
		snprintf(text, size, "%" PRIu64 "h", seconds / 3600);
}

static const char *short_type(const struct riommu_fault *f)
{
	switch (f->ttyp) {
	case RIOMMU_TTYP_UNTRANSLATED_EXEC:
	case RIOMMU_TTYP_TRANSLATED_EXEC:
		return "exec";
	case RIOMMU_TTYP_UNTRANSLATED_READ:
	case RIOMMU_TTYP_TRANSLATED_READ:
		return "read";
	case RIOMMU_TTYP_UNTRANSLATED_WRITE:
	case RIOMMU_TTYP_TRANSLATED_WRITE:
		return "write";
	default:
		return fault_type_word(f); /* those of one word */
	}
}

void top_cell(const struct top *t, const struct riommu_device_stats *d, enum top_column_id column,
	      char *text, size_t size)
{
	switch (column) {
	case COLUMN_DEVICE:
		top_device_text(t, d->iommu, d->has_device, d->device_id, text, size);
		return;
	case COLUMN_ID:
		snprintf(text, size, d->has_device ? "0x%" PRIx32 : "-", d->device_id);
		return;
	case COLUMN_IOMMU:
		snprintf(text, size, "%s", t->sys->iommus[d->iommu].name);
		return;
	case COLUMN_RATE:
		top_rate_text(riommu_rate_tenths(&d->rate, t->now, 1), text, size);
		return;
	case COLUMN_RATE10:
		top_rate_text(riommu_rate_tenths(&d->rate, t->now, 10), text, size);
		return;
	case COLUMN_FAULTS:
		/* found by comparing the ring: more may have been written over */
		snprintf(text, size, "%s%" PRIu64, d->untimed ? ">=" : "", d->total);
		return;
	case COLUMN_BEFORE:
		snprintf(text, size, "%" PRIu64, d->before);
		return;
	case COLUMN_PAGES:
		pages_text(d, text, size);
		return;
	case COLUMN_IOVA:
		snprintf(text, size, "0x%" PRIx64, d->last.iotval);
		return;
	case COLUMN_TYPE:
		snprintf(text, size, "%s", short_type(&d->last));
		return;
	case COLUMN_AGE:
		age_text(t, d, text, size);
		return;
	case COLUMN_CAUSE:
		snprintf(text, size, "%u %s", d->last.cause, riommu_cause_name(d->last.cause));
		return;
	case COLUMN_COUNT:
	default:
		text[0] = '\0';
	}
}

/* -- filter ------------------------------------------------------------------------------------------------ */

static bool contains(const char *text, const char *part)
{
	size_t len = strlen(part);

	for (; *text; text++)
		if (!strncasecmp(text, part, len))
			return true;
	return !len;
}

static bool device_passes(const struct top *t, const struct riommu_device_stats *d)
{
	static const enum top_column_id looked_at[] = {COLUMN_DEVICE, COLUMN_ID,   COLUMN_IOMMU,
						       COLUMN_IOVA,   COLUMN_TYPE, COLUMN_CAUSE};
	char text[128];

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(looked_at); i++) {
		top_cell(t, d, looked_at[i], text, sizeof(text));
		if (contains(text, t->filter))
			return true;
	}
	return false;
}

bool top_event_passes(const struct top *t, const struct riommu_watch_event *e)
{
	char text[300];

	if (!t->filter[0] || e->kind != RIOMMU_WATCH_FAULT)
		return true;
	top_event_text(t, e, text, sizeof(text));
	return contains(text, t->filter);
}

/* -- order ------------------------------------------------------------------------------------------------- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* qsort_r() gives the model along. Ascending; equal ones by what they are, so that lines do not jump. */
static int compare(const struct top *t, const struct riommu_device_stats *a,
		   const struct riommu_device_stats *b)
{
	char left[128], right[128];
	bool exact;

	switch (t->sort) {
	case COLUMN_RATE:
		return compare_numbers(riommu_rate_tenths(&a->rate, t->now, 1),
				       riommu_rate_tenths(&b->rate, t->now, 1));
	case COLUMN_RATE10:
		return compare_numbers(riommu_rate_tenths(&a->rate, t->now, 10),
				       riommu_rate_tenths(&b->rate, t->now, 10));
	case COLUMN_FAULTS:
		return compare_numbers(a->total, b->total);
	case COLUMN_BEFORE:
		return compare_numbers(a->before, b->before);
	case COLUMN_PAGES:
		return compare_numbers(riommu_distinct_count(&a->pages, &exact),
				       riommu_distinct_count(&b->pages, &exact));
	case COLUMN_ID:
		return compare_numbers(a->device_id, b->device_id);
	case COLUMN_IOMMU:
		return compare_numbers(a->iommu, b->iommu);
	case COLUMN_IOVA:
		return compare_numbers(a->last.iotval, b->last.iotval);
	case COLUMN_CAUSE:
		return compare_numbers(a->last.cause, b->last.cause);
	case COLUMN_AGE:
		return compare_numbers(b->last_time, a->last_time);
	case COLUMN_DEVICE:
	case COLUMN_TYPE:
	case COLUMN_COUNT:
	default:
		top_cell(t, a, t->sort, left, sizeof(left));
		top_cell(t, b, t->sort, right, sizeof(right));
		return strcmp(left, right);
	}
}

static int by_order(const void *a, const void *b, void *arg)
{
	const struct riommu_device_stats *x = *(const struct riommu_device_stats *const *)a;
	const struct riommu_device_stats *y = *(const struct riommu_device_stats *const *)b;
	const struct top *t = arg;
	int order = compare(t, x, y);

	if (top_columns[t->sort].descending != t->reverse)
		order = -order;
	if (!order)
		order = -compare_numbers(x->total + x->before, y->total + y->before);
	if (!order)
		order = compare_numbers(x->iommu, y->iommu);
	return order ? order : compare_numbers(x->device_id, y->device_id);
}

const struct riommu_device_stats **top_devices(const struct top *t, size_t *count)
{
	const struct riommu_device_stats **list = calloc(t->stats->device_count + 1, sizeof(*list));

	if (!list)
		die(STATUS_ERROR, "out of memory");
	*count = 0;
	for (size_t i = 0; i < t->stats->device_count; i++)
		if (device_passes(t, t->stats->devices[i]))
			list[(*count)++] = t->stats->devices[i];
	qsort_r(list, *count, sizeof(*list), by_order, (void *)(uintptr_t)t);
	return list;
}
