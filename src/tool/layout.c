/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers and structures through their field tables: as JSON and as text. */
#include "tool.h"

#include <inttypes.h>

#define KEY_SIZE 48
#define DOC_SIZE 160

#define LINE_SIZE     79
#define FIELD_COLUMNS (11 + 1 + 5 + 2 + 16 + 2) /* name, bits, value and what separates them */

/* A JSON reader in double precision keeps integers of this width. */
#define EXACT_BITS 53

/* The key of a field: its name in lower case, '_' for what an identifier cannot hold ("Go/Busy": go_busy). */
static void key_of(const char *name, const char *suffix, char *key)
{
	int n = snprintf(key, KEY_SIZE, "%s%s", name, suffix);

	for (int i = 0; i < n && i < KEY_SIZE - 1; i++) {
		char c = key[i];

		if (c >= 'A' && c <= 'Z')
			key[i] = (char)(c - 'A' + 'a');
		else if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
			key[i] = '_';
	}
}

static struct json_object *json_number(const struct riommu_field *field, uint64_t raw)
{
	if (field->hi - field->lo >= EXACT_BITS)
		return json_hex(raw);
	return json_object_new_int64((int64_t)raw);
}

static void add_field(struct json_object *obj, const struct riommu_field *field, uint64_t value)
{
	uint64_t raw = riommu_field_get(field, value);
	const char *name = riommu_field_value_name(field, value);
	char key[KEY_SIZE], extra[KEY_SIZE];

	key_of(field->name, "", key);
	switch ((enum riommu_field_kind)field->kind) {
	case RIOMMU_FIELD_FLAG:
		json_add(obj, key, json_object_new_boolean(raw != 0));
		break;
	case RIOMMU_FIELD_NUMBER:
		json_add(obj, key, json_number(field, raw));
		break;
	case RIOMMU_FIELD_ENUM:
		json_add(obj, key, name ? json_text(name) : json_hex(raw));
		break;
	case RIOMMU_FIELD_PPN:
		key_of(field->name, "_address", extra);
		json_add(obj, key, json_hex(raw));
		json_add(obj, extra, json_hex(riommu_field_value(field, value)));
		break;
	case RIOMMU_FIELD_ADDR:
		json_add(obj, key, json_hex(riommu_field_value(field, value)));
		break;
	case RIOMMU_FIELD_LOG2SZ:
		json_add(obj, key, json_number(field, raw));
		json_add(obj, "entries",
			 json_object_new_int64((int64_t)riommu_field_value(field, value)));
		break;
	case RIOMMU_FIELD_HEX:
	case RIOMMU_FIELD_CUSTOM:
		json_add(obj, key, json_hex(raw));
		break;
	case RIOMMU_FIELD_RESERVED: /* all of them together: reserved_set */
		break;
	}
}

struct json_object *json_layout(const struct riommu_layout *layout, uint64_t value)
{
	struct json_object *obj = json_object_new_object();
	uint64_t reserved = riommu_layout_reserved(layout, value);

	json_add(obj, "raw", json_hex(value));
	for (size_t i = 0; i < layout->count; i++)
		add_field(obj, &layout->fields[i], value);
	if (reserved)
		json_add(obj, "reserved_set", json_hex(reserved));
	return obj;
}

void json_field_names(struct json_object *list, const char *prefix,
		      const struct riommu_layout *layout, uint64_t bits)
{
	char key[KEY_SIZE], name[2 * KEY_SIZE];

	for (size_t i = 0; i < layout->count; i++) {
		const struct riommu_field *f = &layout->fields[i];

		if (!riommu_field_get(f, bits))
			continue;
		key_of(f->kind == RIOMMU_FIELD_RESERVED ? "reserved_set" : f->name, "", key);
		snprintf(name, sizeof(name), "%s%s", prefix, key);
		json_object_array_add(list, json_text(name));
	}
}

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
