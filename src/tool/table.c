/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text tables: the last column wraps on a terminal, nothing is ever cut in a pipe. By libsmartcols, or without it by hand. */
#include "config.h"

#include "tool.h"

#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_SMARTCOLS

#include <libsmartcols.h>

struct table {
	struct libscols_table *cols;
	size_t count;
};

static void must(bool ok)
{
	if (!ok)
		die(STATUS_ERROR, "out of memory");
}

struct table *table_new(const char *const *columns, size_t count)
{
	struct table *t = need(calloc(1, sizeof(*t)));

	t->cols = scols_new_table();
	must(t->cols);
	t->count = count;
	for (size_t i = 0; i < count; i++) {
		const char *name = columns[i];
		bool right = name[0] == '>', last = i + 1 == count;
		int flags = right ? SCOLS_FL_RIGHT : last ? SCOLS_FL_WRAP : 0;

		must(scols_table_new_column(t->cols, name + right, 0, flags));
	}
	if (isatty(STDOUT_FILENO))
		scols_table_enable_nowrap(t->cols, 0);
	else
		scols_table_set_termforce(t->cols, SCOLS_TERMFORCE_NEVER);
	return t;
}

void table_row(struct table *t, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(t->cols, NULL);

	must(line);
	for (size_t i = 0; i < t->count; i++)
		must(!scols_line_set_data(line, i, cells[i] ? cells[i] : "-"));
}

void table_free(struct table *t)
{
	scols_unref_table(t->cols);
	free(t);
}

void table_print_free(struct table *t, FILE *f)
{
	scols_table_set_stream(t->cols, f);
	must(!scols_print_table(t->cols));
	table_free(t);
}

#else

/* Cells are kept, those of a row side by side, the names of the columns first. */
struct table {
	char **cells;
	size_t columns, count, room;
	bool *right;
};

static void keep(struct table *t, const char *text)
{
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 8 * t->columns;
		t->cells = need(reallocarray(t->cells, t->room, sizeof(*t->cells)));
	}
	t->cells[t->count++] = need(strdup(text));
}

struct table *table_new(const char *const *columns, size_t count)
{
	struct table *t = need(calloc(1, sizeof(*t)));

	t->columns = count;
	t->right = need(calloc(count, sizeof(*t->right)));
	for (size_t i = 0; i < count; i++) {
		t->right[i] = columns[i][0] == '>';
		keep(t, columns[i] + t->right[i]);
	}
	return t;
}

void table_row(struct table *t, const char *const *cells)
{
	for (size_t i = 0; i < t->columns; i++)
		keep(t, cells[i] ? cells[i] : "-");
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->right);
	free(t);
}

static int width_of(const struct table *t, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < t->count; i += t->columns)
		if (strlen(t->cells[i]) > width)
			width = strlen(t->cells[i]);
	return (int)width;
}

/* The cell that begins at column AT, and the blank before it. */
static void print_cell(const struct table *t, size_t cell, int width, size_t at, FILE *f)
{
	size_t column = cell % t->columns;
	bool last = column + 1 == t->columns, right = t->right[column];

	if (last && !right && isatty(STDOUT_FILENO)) {
		print_wrapped(f, t->cells[cell], at ? at - 1 : 0, at);
		return;
	}
	fprintf(f, "%s%*s%s", at ? " " : "",
		right  ? width
		: last ? 0
		       : -width,
		t->cells[cell], last ? "\n" : "");
}

void table_print_free(struct table *t, FILE *f)
{
	int *widths = need(calloc(t->columns, sizeof(*widths)));

	for (size_t i = 0; i < t->columns; i++)
		widths[i] = width_of(t, i);
	/* the names of columns alone are no table */
	for (size_t row = 0; row < t->count && t->count > t->columns; row += t->columns)
		for (size_t i = 0, at = 0; i < t->columns; at += (size_t)widths[i++] + 1)
			print_cell(t, row + i, widths[i], at, f);
	free(widths);
	table_free(t);
}

#endif
