/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers and structures through their field tables: as JSON and as text. */
#include "config.h"

#include "line.h"

#include <inttypes.h>

#define KEY_SIZE 48
#define DOC_SIZE 160

#define LINE_SIZE     79
#define FIELD_COLUMNS (11 + 1 + 5 + 2 + 16 + 2) /* name, bits, value and what separates them */

/* A JSON reader in double precision keeps integers of this width. */
#define EXACT_BITS 53

/* -- JSON, by hand: a list of contexts has a dozen layouts in each item ------------------------------------------------ */

/* The key of a field: its name in lower case, '_' for what an identifier cannot hold ("Go/Busy": go_busy). */
static void line_add_key(struct line *l, const char *name)
{
	char key[KEY_SIZE];
	size_t n = 0;

	for (; name[n] && n < sizeof(key); n++) {
		char c = name[n];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		else if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
			c = '_';
		key[n] = c;
	}
	line_add_bytes(l, key, n);
}

static void line_field_key(struct line *l, const struct riommu_field *field, const char *suffix)
{
	line_add(l, ",\"");
	line_add_key(l, field->name);
	line_add(l, suffix);
	line_add(l, "\":");
}

static void line_quoted_hex(struct line *l, uint64_t v)
{
	line_add(l, "\"");
	line_hex(l, v);
	line_add(l, "\"");
}

static void line_number(struct line *l, const struct riommu_field *field, uint64_t raw)
{
	if (field->hi - field->lo >= EXACT_BITS)
		line_quoted_hex(l, raw);
	else
		line_decimal(l, raw);
}

static void line_name(struct line *l, const char *name, uint64_t raw)
{
	if (!name) {
		line_quoted_hex(l, raw);
		return;
	}
	line_add(l, "\"");
	line_add(l, name);
	line_add(l, "\"");
}

static void line_field(struct line *l, const struct riommu_field *field, uint64_t value)
{
	uint64_t raw = riommu_field_get(field, value);

	if (field->kind == RIOMMU_FIELD_RESERVED) /* all of them together: reserved_set */
		return;
	line_field_key(l, field, "");
	switch ((enum riommu_field_kind)field->kind) {
	case RIOMMU_FIELD_FLAG:
		line_add(l, raw ? "true" : "false");
		break;
	case RIOMMU_FIELD_NUMBER:
		line_number(l, field, raw);
		break;
	case RIOMMU_FIELD_ENUM:
		line_name(l, riommu_field_value_name(field, value), raw);
		break;
	case RIOMMU_FIELD_PPN:
		line_quoted_hex(l, raw);
		line_field_key(l, field, "_address");
		line_quoted_hex(l, riommu_field_value(field, value));
		break;
	case RIOMMU_FIELD_ADDR:
		line_quoted_hex(l, riommu_field_value(field, value));
		break;
	case RIOMMU_FIELD_LOG2SZ:
		line_number(l, field, raw);
		line_number_member(l, "entries", riommu_field_value(field, value));
		break;
	case RIOMMU_FIELD_HEX:
	case RIOMMU_FIELD_CUSTOM:
	case RIOMMU_FIELD_RESERVED:
		line_quoted_hex(l, raw);
		break;
	}
}

void line_layout(struct line *l, const struct riommu_layout *layout, uint64_t value)
{
	uint64_t reserved = riommu_layout_reserved(layout, value);

	line_hex_member(l, "raw", true, value);
	for (size_t i = 0; i < layout->count; i++)
		line_field(l, &layout->fields[i], value);
	if (reserved)
		line_hex_member(l, "reserved_set", true, reserved);
}

struct json_object *line_json(struct line *l)
{
	return json_raw(line_text(l));
}

struct json_object *json_layout(const struct riommu_layout *layout, uint64_t value)
{
	struct line l;
	size_t begin;

	line_begin(&l);
	begin = line_object_begin(&l);
	line_layout(&l, layout, value);
	line_object_end(&l, begin);
	return line_json(&l);
}

void line_text_member(struct line *l, const char *key, const char *text)
{
	struct json_object *value = json_text(text);

	line_key(l, key);
	line_add(l, json_plain(value));
	json_object_put(value);
}

void json_field_names(struct json_object *list, const char *prefix,
		      const struct riommu_layout *layout, uint64_t bits)
{
	for (size_t i = 0; i < layout->count; i++) {
		const struct riommu_field *f = &layout->fields[i];
		struct line name;

		if (!riommu_field_get(f, bits))
			continue;
		line_begin(&name);
		line_add(&name, prefix);
		line_add_key(&name, f->kind == RIOMMU_FIELD_RESERVED ? "reserved_set" : f->name);
		json_object_array_add(list, json_text(line_text(&name)));
	}
}

/* -- text --------------------------------------------------------------------------------------------------------- */

void field_text(const struct riommu_field *field, uint64_t value, char text[FIELD_TEXT])
{
	uint64_t raw = riommu_field_get(field, value);
	uint64_t meant = riommu_field_value(field, value);
	const char *name = riommu_field_value_name(field, value);

	switch ((enum riommu_field_kind)field->kind) {
	case RIOMMU_FIELD_FLAG:
	case RIOMMU_FIELD_NUMBER:
		snprintf(text, FIELD_TEXT, "%" PRIu64, raw);
		break;
	case RIOMMU_FIELD_ENUM:
		snprintf(text, FIELD_TEXT, "%" PRIu64 " (%s)", raw, name ? name : "not defined");
		break;
	case RIOMMU_FIELD_PPN:
		snprintf(text, FIELD_TEXT, "0x%" PRIx64 " (0x%" PRIx64 ")", raw, meant);
		break;
	case RIOMMU_FIELD_ADDR:
		snprintf(text, FIELD_TEXT, "0x%" PRIx64, meant);
		break;
	case RIOMMU_FIELD_LOG2SZ:
		snprintf(text, FIELD_TEXT, "%" PRIu64 " (%" PRIu64 " entries)", raw, meant);
		break;
	case RIOMMU_FIELD_HEX:
	case RIOMMU_FIELD_RESERVED:
	case RIOMMU_FIELD_CUSTOM:
		snprintf(text, FIELD_TEXT, "0x%" PRIx64, raw);
		break;
	}
}

static bool is_shown(const struct riommu_field *field, uint64_t value, bool all)
{
	if (riommu_field_get(field, value))
		return true;
	if (field->kind == RIOMMU_FIELD_RESERVED || field->kind == RIOMMU_FIELD_CUSTOM)
		return false;
	return all || field->kind == RIOMMU_FIELD_ENUM || field->kind == RIOMMU_FIELD_LOG2SZ;
}

/* Begins a line, or goes on in one that reaches only to COLUMN. */
static void go_to(FILE *f, size_t column, size_t indent)
{
	if (column && column >= indent) {
		fputc('\n', f);
		column = 0;
	}
	fprintf(f, "%*s", (int)(indent - column), "");
}

void print_wrapped(FILE *f, const char *text, size_t column, size_t indent)
{
	go_to(f, column, indent);
	column = indent;
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > indent && column + 1 + len > LINE_SIZE) {
			go_to(f, column, indent);
			column = indent;
		}
		column += (size_t)fprintf(f, "%s%.*s", column > indent ? " " : "", (int)len, text);
		text += len + strspn(text + len, " ");
	}
	fputc('\n', f);
}

static void print_field(FILE *f, const struct riommu_field *field, uint64_t value, int indent)
{
	char bits[8], text[FIELD_TEXT], doc[DOC_SIZE];
	size_t doc_column = (size_t)indent + FIELD_COLUMNS, at;
	int n;

	if (field->hi == field->lo)
		snprintf(bits, sizeof(bits), "%u", field->lo);
	else
		snprintf(bits, sizeof(bits), "%u:%u", field->hi, field->lo);
	field_text(field, value, text);
	n = fprintf(f, "%*s%-11s %5s  %s", indent, "", field->name, bits, text);
	at = n > 0 ? (size_t)n : 0;
	snprintf(doc, sizeof(doc), "%s%s",
		 field->kind == RIOMMU_FIELD_RESERVED ? "RESERVED BITS ARE SET: " : "", field->doc);
	print_wrapped(f, doc, at, doc_column);
}

void print_layout(FILE *f, const struct riommu_layout *layout, uint64_t value, int indent, bool all)
{
	for (size_t i = 0; i < layout->count; i++)
		if (is_shown(&layout->fields[i], value, all))
			print_field(f, &layout->fields[i], value, indent);
}
