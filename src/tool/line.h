/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line under way, for what is printed by the million: printf() reads its format each time, json-c allocates for each value. What is put
 * into JSON by hand are numbers and our own words, in which nothing has to be escaped; what is not ours goes through line_text_member().
 */
#ifndef TOOL_LINE_H
#define TOOL_LINE_H

#include "tool.h"

/* A device context needs some 1,700 bytes at most. What is longer is not appended. */
struct line {
	char text[3072];
	size_t len;
};

/* Not an initialiser, which would clear all of it, for each cell of each row. */
static inline void line_begin(struct line *l)
{
	l->len = 0;
}

static inline const char *line_text(struct line *l)
{
	l->text[l->len] = '\0';
	return l->text;
}

static inline void line_add_bytes(struct line *l, const char *text, size_t len)
{
	if (!riommu_inside(l->len, len, sizeof(l->text) - 1))
		return;
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

/* The length of a literal is known to the compiler. */
static inline __attribute__((always_inline)) void line_add(struct line *l, const char *text)
{
	line_add_bytes(l, text, strlen(text));
}

/* Numbers so much faster than printf() that it decides how fast millions are listed. */
static inline void line_decimal(struct line *l, uint64_t v)
{
	char digits[24], *end = digits + sizeof(digits), *p = end;

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	line_add_bytes(l, p, (size_t)(end - p));
}

static inline void line_hex(struct line *l, uint64_t v)
{
	char digits[18], *end = digits + sizeof(digits), *p = end;

	do
		*--p = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	*--p = 'x';
	*--p = '0';
	line_add_bytes(l, p, (size_t)(end - p));
}

static inline void line_permissions(struct line *l, uint8_t permissions)
{
	line_add(l, permissions & RIOMMU_PERM_R ? "r" : "-");
	line_add(l, permissions & RIOMMU_PERM_W ? "w" : "-");
	line_add(l, permissions & RIOMMU_PERM_X ? "x" : "-");
}

/* -- members of a JSON object, each with the comma before it --------------------------------------- */

static inline __attribute__((always_inline)) void line_key(struct line *l, const char *key)
{
	line_add(l, ",\"");
	line_add(l, key);
	line_add(l, "\":");
}

static inline __attribute__((always_inline)) void line_hex_member(struct line *l, const char *key,
								  bool known, uint64_t v)
{
	line_key(l, key);
	if (!known) {
		line_add(l, "null");
		return;
	}
	line_add(l, "\"");
	line_hex(l, v);
	line_add(l, "\"");
}

/* WORD is one of our own, or NULL. */
static inline __attribute__((always_inline)) void line_word_member(struct line *l, const char *key,
								   const char *word)
{
	line_key(l, key);
	line_add(l, word ? "\"" : "null");
	line_add(l, word ? word : "");
	line_add(l, word ? "\"" : "");
}

static inline __attribute__((always_inline)) void line_bool_member(struct line *l, const char *key,
								   bool v)
{
	line_key(l, key);
	line_add(l, v ? "true" : "false");
}

static inline __attribute__((always_inline)) void line_number_member(struct line *l,
								     const char *key, uint64_t v)
{
	line_key(l, key);
	line_decimal(l, v);
}

/* Of any text, or NULL. */
void line_text_member(struct line *l, const char *key, const char *text);

/*
 * An object whose members are all by these functions: it begins where the line ends, and its brace takes the place of the comma before
 * the first.
 */
static inline size_t line_object_begin(const struct line *l)
{
	return l->len;
}

static inline void line_object_end(struct line *l, size_t begin)
{
	l->text[begin] = '{';
	line_add(l, "}");
}

/* What json_layout() has in its braces. */
void line_layout(struct line *l, const struct riommu_layout *layout, uint64_t value);

/* The line, which is JSON, as a value that others can hold. */
struct json_object *line_json(struct line *l);

#endif
