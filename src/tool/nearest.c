/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": of several words, the one that takes the fewest changes of letters. */
#include "tool.h"

#include <strings.h>

#define LETTERS_COMPARED 64

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* How many letters have to change to make B of A: Levenshtein, a row at a time. What is too long is like nothing. */
static size_t distance(const char *a, const char *b)
{
	size_t row[LETTERS_COMPARED + 1], len = strnlen(b, LETTERS_COMPARED + 1);

	if (len > LETTERS_COMPARED || strnlen(a, LETTERS_COMPARED + 1) > LETTERS_COMPARED)
		return SIZE_MAX;

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t above = row[j + 1];
			bool same = strncasecmp(&a[i], &b[j], 1) == 0;

			row[j + 1] = min3(row[j] + 1, above + 1, diagonal + !same);
			diagonal = above;
		}
	}
	return row[len];
}

void nearest_try(struct nearest *n, const char *candidate)
{
	size_t d = distance(n->word, candidate);

	if (d > strlen(n->word) / 2 || (n->best && d >= n->distance))
		return;
	n->best = candidate;
	n->distance = d;
}

size_t find_command(const char *word, const void *commands, size_t count, size_t size)
{
	struct nearest nearest = {.word = word};

	for (size_t i = 0; i < count; i++) {
		const char *name;

		memcpy(&name, (const char *)commands + i * size, sizeof(name));
		if (!strcmp(word, name))
			return i;
		nearest_try(&nearest, name);
	}
	if (nearest.best)
		die_usage("there is no command '%s'; did you mean '%s'?", word, nearest.best);
	die_usage("there is no command '%s'", word);
}

unsigned option_bits(const struct option_owner *owners, size_t count, int c)
{
	unsigned bits = 0;

	for (size_t i = 0; i < count; i++)
		bits |= owners[i].code == c ? 1u << i : 0;
	return bits;
}

static bool is_word_of(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

void check_owners(const struct option_owner *owners, size_t count, unsigned used,
		  const char *command)
{
	for (size_t i = 0; i < count; i++)
		if ((used & 1u << i) && !is_word_of(owners[i].commands, command))
			die_usage("%s does not belong to '%s', but to: %s", owners[i].name, command,
				  owners[i].commands);
}

void die_left_out(const char *command)
{
	die_usage("'%s' is left out of this program (it was built with --enable-minimal)", command);
}
