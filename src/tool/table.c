/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text tables: the last column wraps on a terminal, nothing is ever cut in a pipe. On a terminal by libsmartcols, where it was built in;
 * else by hand: a directory has millions of rows, and libsmartcols takes three microseconds for each.
 */
#include "config.h"

#include "tool.h"

#include <stdlib.h>
#include <unistd.h>

/* Cells are kept as texts, each with its NUL, those of a row side by side, the names of the columns first. */
struct table {
	char *cells;
	size_t used, room, rows;
	size_t columns, *widths;
	bool *right;
};

static void keep(struct table *t, size_t column, const char *text)
{
	size_t len = strlen(text);

	if (len >= t->room - t->used) {
		t->room = 2 * t->room + len + 1;
		t->cells = need(realloc(t->cells, t->room));
	}
	memcpy(t->cells + t->used, text, len + 1);
	t->used += len + 1;
	if (len > t->widths[column])
		t->widths[column] = len;
}

struct table *table_new(const char *const *columns, size_t count)
{
	struct table *t = need(calloc(1, sizeof(*t)));

	t->columns = count;
	t->widths = need(calloc(count, sizeof(*t->widths)));
	t->right = need(calloc(count, sizeof(*t->right)));
	for (size_t i = 0; i < count; i++) {
		t->right[i] = columns[i][0] == '>';
		keep(t, i, columns[i] + t->right[i]);
	}
	return t;
}

void table_row(struct table *t, const char *const *cells)
{
	for (size_t i = 0; i < t->columns; i++)
		keep(t, i, cells[i] ? cells[i] : "-");
	t->rows++;
}

void table_free(struct table *t)
{
	free(t->cells);
	free(t->widths);
	free(t->right);
	free(t);
}

/* -- on a terminal ------------------------------------------------------------------------------------------- */

#ifdef HAVE_SMARTCOLS

#include <errno.h>
#include <libsmartcols.h>

static void must(bool ok)
{
	if (!ok)
		die(STATUS_ERROR, "out of memory");
}

static const char *fill(struct libscols_table *cols, const struct table *t, const char *cell)
{
	struct libscols_line *line = scols_table_new_line(cols, NULL);

	must(line);
	for (size_t i = 0; i < t->columns; i++, cell += strlen(cell) + 1)
		must(!scols_line_set_data(line, i, cell));
	return cell;
}

static void print_on_terminal(const struct table *t, FILE *f)
{
	struct libscols_table *cols = scols_new_table();
	const char *cell = t->cells;
	int before = errno;

	must(cols);
	for (size_t i = 0; i < t->columns; i++, cell += strlen(cell) + 1) {
		bool last = i + 1 == t->columns;
		int flags = t->right[i] ? SCOLS_FL_RIGHT : last ? SCOLS_FL_WRAP : 0;

		must(scols_table_new_column(cols, cell, 0, flags));
	}
	for (size_t row = 0; row < t->rows; row++)
		cell = fill(cols, t, cell);
	scols_table_enable_nowrap(cols, 0);
	scols_table_set_stream(cols, f);
	/* without memory it leaves cells out and calls that success */
	errno = 0;
	must(!scols_print_table(cols) && errno != ENOMEM);
	errno = before;
	scols_unref_table(cols);
}

#else

/* The last cell of a row: what is before it reaches up to column AT. */
static void print_last(const struct table *t, const char *cell, size_t at, FILE *f)
{
	size_t last = t->columns - 1;

	if (t->right[last])
		fprintf(f, "%s%*s\n", at ? " " : "", (int)t->widths[last], cell);
	else
		print_wrapped(f, cell, at, at + (at != 0));
}

static void print_on_terminal(const struct table *t, FILE *f)
{
	const char *cell = t->cells;

	for (size_t row = 0; row <= t->rows; row++) {
		size_t at = 0;

		for (size_t i = 0; i + 1 < t->columns; i++, cell += strlen(cell) + 1) {
			int width = (int)t->widths[i];

			at += (size_t)fprintf(f, "%s%*s", i ? " " : "",
					      t->right[i] ? width : -width, cell);
		}
		print_last(t, cell, at, f);
		cell += strlen(cell) + 1;
	}
}

#endif

/* -- in a pipe or a file ------------------------------------------------------------------------------------- */

/* Puts a row together in LINE, which has room for it; gives the first cell of the next one. */
static const char *lay_out(const struct table *t, const char *cell, char *line, size_t *len)
{
	char *at = line;

	for (size_t i = 0; i < t->columns; i++) {
		size_t size = strlen(cell), blanks = t->widths[i] - size;
		bool last = i + 1 == t->columns;

		if (i)
			*at++ = ' ';
		memset(at + (t->right[i] ? 0 : size), ' ', blanks);
		memcpy(at + (t->right[i] ? blanks : 0), cell, size);
		at += last && !t->right[i] ? size : t->widths[i];
		cell += size + 1;
	}
	*at++ = '\n';
	*len = (size_t)(at - line);
	return cell;
}

static void print_plain(const struct table *t, FILE *f)
{
	const char *cell = t->cells;
	size_t width = t->columns, len;
	char *line;

	for (size_t i = 0; i < t->columns; i++)
		width += t->widths[i];
	line = need(malloc(width));
	for (size_t row = 0; row <= t->rows; row++) {
		cell = lay_out(t, cell, line, &len);
		fwrite(line, 1, len, f);
	}
	free(line);
}

void table_print_free(struct table *t, FILE *f)
{
	if (t->rows && isatty(STDOUT_FILENO)) /* the names of columns alone are no table */
		print_on_terminal(t, f);
	else if (t->rows)
		print_plain(t, f);
	table_free(t);
}
