/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-top --batch: what the screen shows, as text, again and again. */
#include "config.h"

#include "top.h"

#include <inttypes.h>
#include <stdlib.h>

#define LOG_LINES 24 /* of one picture; how many more there were is told */

/* Ends a line that is written up to COLUMN with TEXT, broken once it passes column 79; columns in it stay where it fits. */
static void end_line(const char *text, size_t column, size_t indent)
{
	size_t at = column < 79 ? 79 - column : 0;

	if (strlen(text) <= at) {
		puts(text);
		return;
	}
	while (at && text[at] != ' ')
		at--;
	printf("%.*s\n", (int)at, text);
	print_wrapped(stdout, text + at + (text[at] == ' '), 0, indent);
}

static void print_status(const struct top *t)
{
	struct top_line lines[16];

	for (size_t i = 0; i < t->sys->iommu_count; i++) {
		size_t n =
			top_selected(t, i) ? top_status(t, i, lines, RIOMMU_ARRAY_SIZE(lines)) : 0;

		for (size_t j = 0; j < n; j++)
			end_line(lines[j].text, (size_t)printf("%s", j ? "  " : ""), 4);
	}
}

/* These fit 80 columns, but for a long cause; ages and ids are in the JSON. */
static const enum top_column_id shown[] = {COLUMN_DEVICE, COLUMN_RATE,   COLUMN_RATE10,
					   COLUMN_FAULTS, COLUMN_BEFORE, COLUMN_PAGES,
					   COLUMN_IOVA,   COLUMN_TYPE,   COLUMN_CAUSE};
#define SHOWN RIOMMU_ARRAY_SIZE(shown)

/* Which of these there are: a capture has what was before, and nothing else. Returns how many. */
static size_t choose_columns(const struct top *t, enum top_column_id columns[SHOWN])
{
	size_t n = 0;

	for (size_t i = 0; i < SHOWN; i++)
		if (shown[i] == COLUMN_BEFORE ? t->source == TOP_CAPTURE
					      : top_column_tells(t, shown[i]))
			columns[n++] = shown[i];
	return n;
}

static struct table *new_table(const enum top_column_id *columns, size_t n)
{
	char names[SHOWN][16];
	const char *at[SHOWN];

	for (size_t i = 0; i < n; i++) {
		const struct top_column *c = &top_columns[columns[i]];

		snprintf(names[i], sizeof(names[i]), "%s%s", c->right ? ">" : "", c->name);
		at[i] = names[i];
	}
	return table_new(at, n);
}

static void print_devices(const struct top *t)
{
	size_t count, n;
	const struct riommu_device_stats **list = top_devices(t, &count);
	enum top_column_id columns[SHOWN];
	char cells[SHOWN][128];
	const char *at[SHOWN];
	struct table *table;

	n = choose_columns(t, columns);
	table = new_table(columns, n);
	for (size_t row = 0; row < count; row++) {
		for (size_t i = 0; i < n; i++) {
			top_cell(t, list[row], columns[i], cells[i], sizeof(cells[i]));
			at[i] = cells[i];
		}
		table_row(table, at);
	}
	if (count)
		table_print_free(table, stdout);
	else
		table_free(table);
	free(list);
	if (t->stats->other)
		printf("%" PRIu64 " faults of devices beyond the first %d\n", t->stats->other,
		       RIOMMU_STATS_DEVICES);
	/* silence is said to be what it is */
	if (!t->stats->device_count)
		printf("%s\n", top_missing(t) ? "no faults were seen, but records may be missing"
					      : "no faults were seen");
}

/* How far back the last LOG_LINES of FRESH events begin that the filter lets through; *BEFORE: how many more it let through. */
static uint64_t log_begins(const struct top *t, uint64_t fresh, uint64_t *before)
{
	const struct riommu_watch_event *e;
	uint64_t first = 0, lines = 0;

	*before = 0;
	for (uint64_t i = 0; i < fresh && (e = riommu_stats_log(t->stats, i)); i++) {
		if (!top_event_passes(t, e))
			continue;
		if (lines++ < LOG_LINES)
			first = i + 1;
		else
			++*before;
	}
	/* what is no longer there cannot be asked */
	if (!t->filter[0] && lines > LOG_LINES)
		*before = fresh - LOG_LINES;
	return first;
}

static void print_log(struct top *t)
{
	uint64_t fresh = t->stats->logged - t->told, before;
	uint64_t first = log_begins(t, fresh, &before);
	bool unknown = t->filter[0] && fresh > RIOMMU_STATS_LOG;

	if (before || unknown)
		printf("... %s%" PRIu64 " events before these\n", unknown ? "at least " : "",
		       before);
	for (uint64_t i = first; i > 0; i--) {
		const struct riommu_watch_event *e = riommu_stats_log(t->stats, i - 1);
		uint64_t time = e->time - t->start;
		char text[300];

		if (!top_event_passes(t, e))
			continue;
		top_event_text(t, e, text, sizeof(text));
		end_line(text,
			 (size_t)printf("%6" PRIu64 ".%03" PRIu64 " ", time / TOP_SECOND,
					time / 1000000 % 1000),
			 13);
	}
	t->told = t->stats->logged;
}

static void text_tick(struct top *t)
{
	uint64_t time = t->now - t->start;

	printf("%s: %" PRIu64 ".%" PRIu64 " s, %s%s\n", program, time / TOP_SECOND,
	       time / (TOP_SECOND / 10) % 10,
	       t->source == TOP_LIVE      ? "live"
	       : t->source == TOP_CAPTURE ? "a capture: "
					  : "a recording: ",
	       t->sys->path);
	print_status(t);
	print_devices(t);
	print_log(t);
	putchar('\n');
}

const struct top_view top_text_view = {.tick = text_tick};
