/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iommu-top: the screen. It shows the model and changes nothing in it but the order and the filter; each picture is drawn anew, so
 * that any size will do. Keys are looked up in the table that the help prints.
 */
#include "config.h"

#include "top-terminal.h"
#include "top.h"

#ifndef HAVE_TUI

bool top_screen(struct top *t)
{
	(void)t;
	fprintf(stderr, "%s: built without a screen; this is what --batch prints\n", program);
	return false;
}

#else

#include <curses.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#define ESCAPE       27
#define STATUS_LINES 16
#define LOG_LEAST    3 /* lines of the log, its head among them, below which it is left out */
#define PLAY_STEP    ((uint64_t)20 * 1000 * 1000) /* of a recording, at speed 1 */

enum pair { PAIR_ALARM = 1, PAIR_WARNING, PAIR_TITLE, PAIR_HEAD };
enum focus { FOCUS_TABLE, FOCUS_LOG };

/* A text that fills the screen: help, or a fault in detail. */
struct pager {
	char *text; /* NULL: none is shown */
	size_t first;
};

struct screen {
	struct top *t;
	bool quit, utf8, colour, log;
	enum focus focus;

	struct riommu_stats *frozen; /* paused: what is shown */
	uint64_t frozen_at;

	/* selected in the table: which device, not which line, because lines move */
	bool selected;
	uint32_t iommu, device_id;
	bool has_device;
	size_t table_first, table_lines;

	bool log_held;   /* an entry is selected; else the newest */
	uint64_t log_at; /* its number */
	size_t log_lines;

	struct pager pager;
	bool prompting;
	char prompt[sizeof(((struct top *)0)->filter)];

	uint64_t play_at, play_wall; /* a recording: it was at that time when the clock was there */
};

/* -- colours and lines ----------------------------------------------------------------------------------- */

static attr_t attribute(const struct screen *s, enum top_weight weight)
{
	if (weight == WEIGHT_ALARM)
		return s->colour ? (attr_t)COLOR_PAIR(PAIR_ALARM) | A_BOLD : A_REVERSE | A_BOLD;
	if (weight == WEIGHT_WARNING)
		return s->colour ? (attr_t)COLOR_PAIR(PAIR_WARNING) | A_BOLD : A_BOLD;
	return A_NORMAL;
}

static attr_t title_look(const struct screen *s)
{
	return s->colour ? (attr_t)COLOR_PAIR(PAIR_TITLE) : A_REVERSE;
}

static attr_t head_look(const struct screen *s)
{
	return s->colour ? (attr_t)COLOR_PAIR(PAIR_HEAD) : A_REVERSE;
}

/* TEXT in line Y from column X on, cut at the edge; the rest of the line has the same look. */
static void put_line(int y, int x, attr_t look, const char *text)
{
	if (y < 0 || y >= LINES || x >= COLS)
		return;
	attrset((int)look);
	mvprintw(y, x, "%-*.*s", COLS - x, COLS - x, text);
	attrset(A_NORMAL);
}

static void put_text(int y, int x, attr_t look, const char *text)
{
	if (y < 0 || y >= LINES || x >= COLS)
		return;
	attrset((int)look);
	mvaddnstr(y, x, text, COLS - x);
	attrset(A_NORMAL);
}

/* -- the head -------------------------------------------------------------------------------------------- */

static void draw_title(const struct screen *s)
{
	const struct top *t = s->t;
	uint64_t time = t->now - t->start;
	char text[500], speed[40] = "", filter[96] = "";

	if (t->source == TOP_RECORDING)
		snprintf(speed, sizeof(speed), " x%.*f%s", t->speed % 100 ? 3 : 1,
			 (double)t->speed / 1000, t->ended ? " (end)" : "");
	if (t->filter[0])
		snprintf(filter, sizeof(filter), "  filter: %s", t->filter);
	snprintf(text, sizeof(text), "%s  %s%s  %" PRIu64 " s%s%s%s", program,
		 t->source == TOP_LIVE      ? "live"
		 : t->source == TOP_CAPTURE ? "capture"
					    : "recording",
		 speed, time / TOP_SECOND, s->frozen ? "  PAUSED" : "",
		 t->recorder ? "  recording" : "", filter);
	put_line(0, 0, title_look(s), text);
}

/* How full the queue is, in ten steps, where there is room for it behind TEXT. */
static void draw_bar(const struct screen *s, int y, const char *text, size_t iommu)
{
	const struct riommu_watch_state *state = &s->t->stats->iommus[iommu].state;
	int x = (int)strlen(text) + 1;
	uint64_t fill = riommu_watch_fill(state), steps;

	if (!state->indexes_known || state->entries < 2 || x + 12 > COLS)
		return;
	steps = (fill * 10 + state->entries - 2) / (state->entries - 1);
	mvaddch(y, x, '[');
	for (uint64_t i = 0; i < 10; i++)
		addstr(i >= steps ? s->utf8 ? "\u2591" : "." : s->utf8 ? "\u2588" : "#");
	addch(']');
}

/*
 * Each IOMMU has a line, and behind it its alarms and warnings, as far as there is room; whether alarms are among what is left
 * out is told. Returns the line behind them.
 */
static int draw_status(const struct screen *s, int y, int end)
{
	const struct top *t = s->t;
	struct top_line lines[STATUS_LINES];
	enum top_weight last = WEIGHT_PLAIN;
	int left_out = 0, alarms = 0;

	for (size_t i = 0; i < t->sys->iommu_count; i++) {
		size_t n = top_selected(t, i) ? top_status(t, i, lines, STATUS_LINES) : 0;

		for (size_t j = 0; j < n; j++) {
			if (y >= end) {
				left_out++;
				alarms += lines[j].weight == WEIGHT_ALARM;
				continue;
			}
			last = lines[j].weight;
			put_text(y, j ? 2 : 0, attribute(s, lines[j].weight), lines[j].text);
			if (!j)
				draw_bar(s, y, lines[j].text, i);
			y++;
		}
	}
	if (left_out && y > 1) {
		char text[80], which[32] = "";

		alarms += last == WEIGHT_ALARM; /* the line that makes room for this one */
		if (alarms)
			snprintf(which, sizeof(which), ", ALARMS: %d", alarms);
		snprintf(text, sizeof(text), "... and %d lines more about IOMMUs%s", left_out + 1,
			 which);
		move(y - 1, 0);
		clrtoeol();
		put_text(y - 1, 0, attribute(s, alarms ? WEIGHT_ALARM : WEIGHT_WARNING), text);
	}
	return y;
}

/* -- the table --------------------------------------------------------------------------------------------- */

/* Which columns fit: those of a low rank first. The last one has what is left. */
static void choose_columns(const struct top *t, bool shown[COLUMN_COUNT])
{
	int left = COLS - 1; /* the mark of the selected line */

	memset(shown, 0, COLUMN_COUNT * sizeof(shown[0]));
	for (int rank = 0; rank < COLUMN_COUNT; rank++) {
		for (size_t i = 0; i < COLUMN_COUNT; i++) {
			int width = top_columns[i].width + (rank ? 1 : 0);

			if (top_columns[i].rank != rank || width > left ||
			    !top_column_tells(t, (enum top_column_id)i))
				continue;
			shown[i] = true;
			left -= width;
		}
	}
}

/* The column that has what is left: the cause, or where that does not fit, the device. */
static int width_of(const bool shown[COLUMN_COUNT], size_t column)
{
	size_t wide = shown[COLUMN_CAUSE] ? COLUMN_CAUSE : COLUMN_DEVICE;
	int others = 1;

	if (column != wide)
		return top_columns[column].width;
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (shown[i] && i != wide)
			others += top_columns[i].width + 1;
	return COLS - others > top_columns[wide].width ? COLS - others : top_columns[wide].width;
}

static void add_cell(char *line, size_t size, const char *text, int width, bool right)
{
	size_t used = strlen(line);

	if (used + 1 >= size)
		return;
	snprintf(line + used, size - used, right ? "%s%*.*s" : "%s%-*.*s", used > 1 ? " " : "",
		 width, width, text);
}

static void draw_head(const struct screen *s, int y, const bool shown[COLUMN_COUNT])
{
	char line[1024] = " ", name[32];

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		bool sorted = i == s->t->sort;

		if (!shown[i])
			continue;
		snprintf(name, sizeof(name), "%s%s", top_columns[i].name,
			 !sorted                                      ? ""
			 : top_columns[i].descending != s->t->reverse ? "v"
								      : "^");
		add_cell(line, sizeof(line), name, width_of(shown, i), top_columns[i].right);
	}
	put_line(y, 0, head_look(s), line);
}

static bool is_selected(const struct screen *s, const struct riommu_device_stats *d)
{
	return s->selected && d->iommu == s->iommu && d->device_id == s->device_id &&
	       d->has_device == s->has_device;
}

static void select_device(struct screen *s, const struct riommu_device_stats *d)
{
	s->selected = true;
	s->iommu = d->iommu;
	s->device_id = d->device_id;
	s->has_device = d->has_device;
}

/* The line of the selected device among COUNT; the first when it is gone. */
static size_t selected_line(const struct screen *s, const struct riommu_device_stats *const *list,
			    size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_selected(s, list[i]))
			return i;
	return 0;
}

static void draw_row(const struct screen *s, int y, const bool shown[COLUMN_COUNT],
		     const struct riommu_device_stats *d, bool marked)
{
	char line[1024], cell[128];

	snprintf(line, sizeof(line), "%c", marked ? '>' : ' ');
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (!shown[i])
			continue;
		top_cell(s->t, d, (enum top_column_id)i, cell, sizeof(cell));
		add_cell(line, sizeof(line), cell, width_of(shown, i), top_columns[i].right);
	}
	put_line(y, 0, marked && s->focus == FOCUS_TABLE ? A_REVERSE : A_NORMAL, line);
}

/* Lines Y to END. */
static void draw_table(struct screen *s, int y, int end)
{
	size_t count, at;
	const struct riommu_device_stats **list = top_devices(s->t, &count);
	bool shown[COLUMN_COUNT];

	choose_columns(s->t, shown);
	draw_head(s, y++, shown);
	s->table_lines = end > y ? (size_t)(end - y) : 0;
	at = selected_line(s, list, count);
	if (at < s->table_first)
		s->table_first = at;
	if (s->table_lines && at >= s->table_first + s->table_lines)
		s->table_first = at - s->table_lines + 1;
	if (s->table_first + s->table_lines > count) /* a larger screen, or fewer devices */
		s->table_first = count > s->table_lines ? count - s->table_lines : 0;
	for (size_t i = s->table_first; i < count && y < end; i++)
		draw_row(s, y++, shown, list[i], i == at);
	if (!count && y < end)
		put_text(y, 1, A_NORMAL,
			 s->t->stats->device_count ? "no device passes the filter"
			 : top_missing(s->t) ? "no faults were seen, but records may be missing"
					     : "no faults were seen");
	free(list);
}

/* -- the log ------------------------------------------------------------------------------------------------- */

/* The event of this number; NULL when it is no longer, or not yet, there. */
static const struct riommu_watch_event *event_at(const struct screen *s, uint64_t number)
{
	const struct riommu_stats *stats = s->t->stats;

	return number < stats->logged ? riommu_stats_log(stats, stats->logged - 1 - number) : NULL;
}

/* From NUMBER on upwards (or downwards), the next event that the filter lets through. False when there is none. */
static bool next_event(const struct screen *s, uint64_t *number, bool down)
{
	const struct riommu_watch_event *e;

	while ((e = event_at(s, *number))) {
		if (top_event_passes(s->t, e))
			return true;
		if (!down && !*number)
			return false;
		*number += down ? 1 : (uint64_t)-1;
	}
	return false;
}

static bool newest_event(const struct screen *s, uint64_t *number)
{
	if (!s->t->stats->logged)
		return false;
	*number = s->t->stats->logged - 1;
	return next_event(s, number, false);
}

static void draw_event(const struct screen *s, int y, uint64_t number, bool marked)
{
	const struct riommu_watch_event *e = event_at(s, number);
	uint64_t time = e->time - s->t->start;
	char text[300], line[400];

	top_event_text(s->t, e, text, sizeof(text));
	snprintf(line, sizeof(line), "%c%5" PRIu64 ".%03" PRIu64 " %s", marked ? '>' : ' ',
		 time / TOP_SECOND, time / 1000000 % 1000, text);
	put_line(y, 0,
		 marked && s->focus == FOCUS_LOG ? A_REVERSE : attribute(s, top_event_weight(e)),
		 line);
}

/* Lines Y to END; the newest at the bottom, or the selected one where it was put. */
static void draw_log(struct screen *s, int y, int end)
{
	char text[80];
	uint64_t at, last;
	int line = end - 1;

	snprintf(text, sizeof(text), " LOG: %" PRIu64 " events%s", s->t->stats->logged,
		 s->log_held ? ", held; End: follow" : "");
	put_line(y++, 0, head_look(s), text);
	s->log_lines = end > y ? (size_t)(end - y) : 0;
	if (!newest_event(s, &last))
		return;
	if (s->log_held && !event_at(s, s->log_at)) /* it fell out of the log */
		s->log_at = s->t->stats->logged > RIOMMU_STATS_LOG
				    ? s->t->stats->logged - RIOMMU_STATS_LOG
				    : 0;
	at = s->log_held ? s->log_at : last;
	for (size_t i = 0; s->log_held && i + 1 < s->log_lines / 2; i++) {
		uint64_t below = at + 1;

		if (next_event(s, &below, true))
			at = below;
	}
	for (; line >= y && next_event(s, &at, false); line--) {
		draw_event(s, line, at,
			   s->focus == FOCUS_LOG && at == (s->log_held ? s->log_at : last));
		if (!at--)
			return;
	}
}

/* -- help and details: a text of many lines ---------------------------------------------------------------- */

/* The length of the line at TEXT, broken at the edge of the screen. */
static size_t line_length(const char *text)
{
	size_t len = strcspn(text, "\n");

	return len > (size_t)COLS ? (size_t)COLS : len;
}

static const char *next_line(const char *text)
{
	text += line_length(text);
	return *text == '\n' ? text + 1 : text;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text = next_line(text))
		n++;
	return n;
}

static void draw_pager(struct screen *s)
{
	const char *at = s->pager.text;
	size_t lines = count_lines(at), room = LINES > 1 ? (size_t)LINES - 1 : 1;
	char foot[120];

	if (s->pager.first + room > lines)
		s->pager.first = lines > room ? lines - room : 0;
	for (size_t i = 0; i < s->pager.first; i++)
		at = next_line(at);
	for (int y = 0; y < LINES - 1 && *at; y++, at = next_line(at))
		mvaddnstr(y, 0, at, (int)line_length(at));
	snprintf(foot, sizeof(foot), "Enter or q: back   Up, Down, PgUp, PgDn: line %zu of %zu",
		 s->pager.first + 1, lines);
	put_line(LINES - 1, 0, title_look(s), foot);
}

static void close_pager(struct screen *s)
{
	free(s->pager.text);
	s->pager = (struct pager){0};
}

/* Shows what WRITE prints. */
static void open_pager(struct screen *s, void (*write)(struct screen *s, FILE *f))
{
	size_t size;
	FILE *f;

	close_pager(s);
	f = open_memstream(&s->pager.text, &size);
	if (!f)
		return;
	write(s, f);
	if (fclose(f))
		close_pager(s);
}

static void write_help(struct screen *s, FILE *f)
{
	(void)s;
	fprintf(f, "%s %s: the fault queues of RISC-V IOMMUs. Nothing is written.\n\nKeys\n",
		program, PACKAGE_VERSION);
	for (size_t i = 0; i < ACTION_COUNT; i++)
		fprintf(f, "  %-11s %s\n", top_keys[i].keys, top_keys[i].help);
	fprintf(f, "\nColumns\n");
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		fprintf(f, "  %-11s %s\n", top_columns[i].name, top_columns[i].help);
}

/* -- the whole ------------------------------------------------------------------------------------------------- */

static void draw_foot(const struct screen *s)
{
	char text[400];

	if (s->prompting)
		snprintf(text, sizeof(text), "Filter (Enter: take it, Esc: leave it): %s_",
			 s->prompt);
	else if (s->t->message[0])
		snprintf(text, sizeof(text), "%s", s->t->message);
	else
		snprintf(text, sizeof(text),
			 "h help  q quit  s sort:%s  / filter  p pause  Enter detail  Tab %s  l "
			 "log  r reset",
			 top_columns[s->t->sort].name, s->focus == FOCUS_TABLE ? "log" : "table");
	put_line(LINES - 1, 0, title_look(s), text);
}

static void draw_main(struct screen *s)
{
	int foot = LINES - 1, y, rest, log;

	draw_title(s);
	y = draw_status(s, 1, LINES / 2);
	rest = foot - y;
	log = s->log ? rest * 2 / 5 : 0;
	if (log < LOG_LEAST)
		log = 0;
	s->log_lines = 0;
	if (rest > 0)
		draw_table(s, y, foot - log);
	if (log)
		draw_log(s, foot - log, foot);
	draw_foot(s);
}

/* Paused, the screen is drawn from what was then. */
static void draw(struct screen *s)
{
	struct riommu_stats *stats = s->t->stats;
	uint64_t now = s->t->now;

	if (s->frozen) {
		s->t->stats = s->frozen;
		s->t->now = s->frozen_at;
	}
	erase();
	if (s->pager.text)
		draw_pager(s);
	else
		draw_main(s);
	refresh();
	s->t->stats = stats;
	s->t->now = now;
}

/* -- keys ------------------------------------------------------------------------------------------------------- */

/* The stats that the screen shows. */
static struct riommu_stats *shown_stats(const struct screen *s)
{
	return s->frozen ? s->frozen : s->t->stats;
}

static void on_help(struct screen *s, unsigned which)
{
	(void)which;
	open_pager(s, write_help);
}

static void on_quit(struct screen *s, unsigned which)
{
	(void)which;
	s->quit = true;
}

static void on_sort(struct screen *s, unsigned which)
{
	unsigned step = which == 2 ? COLUMN_COUNT - 1 : 1;

	s->t->sort = (enum top_column_id)((s->t->sort + step) % COLUMN_COUNT);
	s->t->reverse = false;
}

static void on_invert(struct screen *s, unsigned which)
{
	(void)which;
	s->t->reverse = !s->t->reverse;
}

static void on_filter(struct screen *s, unsigned which)
{
	(void)which;
	s->prompting = true;
	snprintf(s->prompt, sizeof(s->prompt), "%s", s->t->filter);
}

static void on_pause(struct screen *s, unsigned which)
{
	(void)which;
	if (s->frozen) {
		riommu_stats_free(s->frozen);
		s->frozen = NULL;
		return;
	}
	s->frozen = riommu_stats_copy(s->t->stats);
	s->frozen_at = s->t->now;
}

/* The fault that is selected: of the log, or the last one of a device. */
static const struct riommu_watch_event *selected_event(struct screen *s)
{
	const struct riommu_watch_event *e = NULL;
	const struct riommu_device_stats **list;
	uint64_t last;
	size_t count;

	if (s->focus == FOCUS_LOG) {
		if (s->log_held)
			return event_at(s, s->log_at);
		return newest_event(s, &last) ? event_at(s, last) : NULL;
	}
	list = top_devices(s->t, &count);
	if (count)
		e = &list[selected_line(s, list, count)]->last_event;
	free(list);
	return e;
}

static void write_detail(struct screen *s, FILE *f)
{
	const struct riommu_watch_event *e = selected_event(s);

	if (e)
		top_detail(s->t, e, f);
	else
		fprintf(f, "No fault is selected.\n");
}

static void on_detail(struct screen *s, unsigned which)
{
	(void)which;
	open_pager(s, write_detail);
}

static void on_focus(struct screen *s, unsigned which)
{
	(void)which;
	s->focus = s->focus == FOCUS_TABLE ? FOCUS_LOG : FOCUS_TABLE;
	if (s->focus == FOCUS_LOG)
		s->log = true;
	else
		s->log_held = false;
}

static void move_in_table(struct screen *s, size_t steps, bool down)
{
	size_t count, at;
	const struct riommu_device_stats **list = top_devices(s->t, &count);

	if (count) {
		at = selected_line(s, list, count);
		if (down)
			at = steps < count - 1 - at ? at + steps : count - 1;
		else
			at = at > steps ? at - steps : 0;
		select_device(s, list[at]);
	}
	free(list);
}

static void move_in_log(struct screen *s, size_t steps, bool down)
{
	uint64_t last, at;

	if (!newest_event(s, &last))
		return;
	at = s->log_held ? s->log_at : last;
	for (; steps; steps--) {
		uint64_t next = at + (down ? 1 : (uint64_t)-1);

		if ((!down && !at) || !next_event(s, &next, down))
			break;
		at = next;
	}
	s->log_at = at;
	s->log_held = at != last;
}

static void move_in_pager(struct screen *s, size_t steps, bool down)
{
	if (down)
		s->pager.first += steps; /* drawing cuts it */
	else
		s->pager.first = s->pager.first > steps ? s->pager.first - steps : 0;
}

static void move_lines(struct screen *s, size_t steps, bool down)
{
	if (s->pager.text)
		move_in_pager(s, steps, down);
	else if (s->focus == FOCUS_LOG)
		move_in_log(s, steps, down);
	else
		move_in_table(s, steps, down);
}

static void on_line(struct screen *s, unsigned which)
{
	move_lines(s, 1, which == 1);
}

static void on_page(struct screen *s, unsigned which)
{
	size_t page = s->pager.text           ? (size_t)LINES
		      : s->focus == FOCUS_LOG ? s->log_lines
					      : s->table_lines;

	move_lines(s, page > 1 ? page - 1 : 1, which == 1);
}

static void on_ends(struct screen *s, unsigned which)
{
	move_lines(s, RIOMMU_STATS_LOG, which == 1);
}

static void on_log(struct screen *s, unsigned which)
{
	(void)which;
	s->log = !s->log;
	if (!s->log)
		s->focus = FOCUS_TABLE;
}

static void on_reset(struct screen *s, unsigned which)
{
	(void)which;
	riommu_stats_clear(s->t->stats, s->t->now);
	s->log_held = false;
	if (s->frozen)
		on_pause(s, 0);
}

static void on_speed(struct screen *s, unsigned which)
{
	uint64_t speed = which ? s->t->speed * 2 : s->t->speed / 2;

	if (s->t->source != TOP_RECORDING || speed < 1 || speed > 1000000)
		return;
	s->play_at = s->t->now;
	s->play_wall = top_clock();
	s->t->speed = speed;
}

static void (*const actions[ACTION_COUNT])(struct screen *s, unsigned which) = {
	[ACTION_HELP] = on_help,     [ACTION_QUIT] = on_quit,     [ACTION_SORT] = on_sort,
	[ACTION_INVERT] = on_invert, [ACTION_FILTER] = on_filter, [ACTION_PAUSE] = on_pause,
	[ACTION_DETAIL] = on_detail, [ACTION_FOCUS] = on_focus,   [ACTION_LINE] = on_line,
	[ACTION_PAGE] = on_page,     [ACTION_ENDS] = on_ends,     [ACTION_LOG] = on_log,
	[ACTION_RESET] = on_reset,   [ACTION_SPEED] = on_speed,
};

/* The name of a key as the table has it; "" for one that has none. */
static void name_of_key(int key, char *name, size_t size)
{
	static const struct {
		int key;
		const char *name;
	} names[] = {
		{' ', "Space"},      {'\n', "Enter"},    {'\r', "Enter"},    {KEY_ENTER, "Enter"},
		{'\t', "Tab"},       {KEY_UP, "Up"},     {KEY_DOWN, "Down"}, {KEY_PPAGE, "PgUp"},
		{KEY_NPAGE, "PgDn"}, {KEY_HOME, "Home"}, {KEY_END, "End"},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(names); i++) {
		if (names[i].key == key) {
			snprintf(name, size, "%s", names[i].name);
			return;
		}
	}
	if (key > KEY_F0 && key <= KEY_F(12))
		snprintf(name, size, "F%d", key - KEY_F0);
	else
		snprintf(name, size, "%c", key > ' ' && key <= '~' ? key : '\0');
}

/* Which of KEYS ("q, F10") NAME is, -1: none. */
static int position_of(const char *keys, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; len; i++) {
		if (!strncmp(keys, name, len) && (!keys[len] || keys[len] == ','))
			return i;
		keys = strstr(keys, ", ");
		if (!keys)
			return -1;
		keys += 2;
	}
	return -1;
}

static void on_prompt(struct screen *s, int key)
{
	size_t len = strlen(s->prompt);

	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		snprintf(s->t->filter, sizeof(s->t->filter), "%s", s->prompt);
		s->prompting = false;
	} else if (key == ESCAPE) {
		s->prompting = false;
	} else if ((key == KEY_BACKSPACE || key == '\b' || key == 127) && len) {
		s->prompt[len - 1] = '\0';
	} else if (key >= ' ' && key <= '~' && len + 1 < sizeof(s->prompt)) {
		s->prompt[len] = (char)key;
		s->prompt[len + 1] = '\0';
	}
}

static void on_key(struct screen *s, int key)
{
	char name[8];

	if (key == KEY_RESIZE)
		return; /* the picture is drawn anew in any case */
	if (s->prompting) {
		on_prompt(s, key);
		return;
	}
	name_of_key(key, name, sizeof(name));
	for (size_t i = 0; i < ACTION_COUNT; i++) {
		int which = position_of(top_keys[i].keys, name);
		bool moves = i == ACTION_LINE || i == ACTION_PAGE || i == ACTION_ENDS;
		struct riommu_stats *stats = s->t->stats;

		if (which < 0)
			continue;
		if (s->pager.text && !moves) {
			close_pager(s);
			return;
		}
		if (i == ACTION_PAUSE || i == ACTION_RESET) {
			actions[i](s, (unsigned)which);
			return;
		}
		s->t->stats = shown_stats(s);
		actions[i](s, (unsigned)which);
		s->t->stats = stats;
		return;
	}
	if (key == ESCAPE)
		close_pager(s);
	s->t->message[0] = '\0';
}

/* -- the terminal ------------------------------------------------------------------------------------------------- */

static void leave(void)
{
	if (!isendwin())
		endwin();
}

static void begin_colours(struct screen *s)
{
	const char *none = getenv("NO_COLOR");

	s->colour = has_colors() && !(none && none[0]) && start_color() == OK;
	if (!s->colour)
		return;
	use_default_colors();
	init_pair(PAIR_ALARM, COLOR_WHITE, COLOR_RED);
	init_pair(PAIR_WARNING, COLOR_YELLOW, -1);
	/* of 256 colours a quieter blue than that of eight */
	init_pair(PAIR_TITLE, COLOR_WHITE, COLORS >= 256 ? 24 : COLOR_BLUE);
	init_pair(PAIR_HEAD, COLOR_BLACK, COLORS >= 256 ? 250 : COLOR_WHITE);
}

static bool begin(struct screen *s)
{
	setlocale(LC_CTYPE, "");
	if (!isatty(STDIN_FILENO) || !terminal_can_place_text()) {
		const char *term = getenv("TERM");

		fprintf(stderr,
			"%s: this terminal (TERM=%s) cannot show a screen; this is what --batch "
			"prints\n",
			program, term ? term : "");
		return false;
	}
	s->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	terminal_catch_signals();
	fflush(stdout);
	if (!initscr())
		return false;
	atexit(leave);
	begin_colours(s);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, true);
	nodelay(stdscr, true);
	set_escdelay(25);
	curs_set(0);
	return true;
}

/* -- the loop ------------------------------------------------------------------------------------------------------- */

/* Takes what has happened since; returns when to look again. */
static uint64_t advance(struct screen *s)
{
	struct top *t = s->t;
	uint64_t wall = top_clock();

	if (t->source == TOP_LIVE)
		return top_poll(t);
	if (t->source == TOP_RECORDING && !t->ended) {
		uint64_t passed = wall - s->play_wall;

		top_play(t, s->play_at + passed / 1000 * t->speed);
		return wall + PLAY_STEP;
	}
	return UINT64_MAX;
}

/* True if there was any; another size of the screen comes as one, too. */
static bool read_keys(struct screen *s)
{
	bool any = false;
	int key;

	while ((key = getch()) != ERR) {
		on_key(s, key);
		any = true;
	}
	return any;
}

/* Why nothing can be looked at: on the terminal as it was. */
static void tell_why(struct top *t)
{
	for (size_t i = 0; i < t->sys->iommu_count; i++)
		if (t->watches[i])
			top_trouble(t, t->polls[i].error, "%s",
				    riommu_watch_trouble(t->watches[i]));
}

static void run(struct screen *s)
{
	struct top *t = s->t;
	uint64_t next = 0, pictures = 0;
	bool there = true;

	if (t->source == TOP_CAPTURE)
		top_poll(t);
	while (!s->quit && !top_signal && there) {
		uint64_t due = advance(s), wall = top_clock();

		if (!pictures && top_blind(t)) {
			tell_why(t);
			return;
		}
		if (wall >= next) {
			top_note_states(t);
			draw(s);
			if (++pictures == t->iterations)
				return;
			next = wall + t->delay;
		}
		there = top_sleep(due < next ? due : next, STDIN_FILENO);
		if (read_keys(s) && !s->quit)
			draw(s);
	}
}

bool top_screen(struct top *t)
{
	struct screen s = {.t = t, .log = true, .play_wall = top_clock()};
	bool drawn = begin(&s); /* reads what is known of the terminal */
	char *rights = NULL;
	size_t len = 0;
	FILE *words;

	if (!drawn)
		return false;
	words = open_memstream(&rights, &len); /* for after the screen */
	sandbox(&t->options, SANDBOX_CLOSED, words);
	if (words)
		fclose(words);
	t->on_screen = true;
	riommu_ctx_set_log(t->ctx, NULL, NULL, RIOMMU_LOG_ERROR);
	run(&s);
	leave();
	t->on_screen = false;
	close_pager(&s);
	riommu_stats_free(s.frozen);
	if (rights)
		fputs(rights, stderr);
	free(rights);
	if (t->message[0])
		print_message(t->message);
	return true;
}

#endif
