/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text tables, by libsmartcols: wraps on a terminal, never cuts in a pipe. */
#include "config.h"

#include "tool.h"

#include <libsmartcols.h>
#include <stdlib.h>
#include <unistd.h>

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
