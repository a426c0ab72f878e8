/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON by json-c. */
#include "config.h"

#include "tool.h"

#ifdef HAVE_JSON

#include <inttypes.h>

struct json_object *json_hex(uint64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "0x%" PRIx64, v);

	return need(json_object_new_string_len(text, n));
}

struct json_object *json_count(uint64_t n)
{
	return need(json_object_new_uint64(n));
}

struct json_object *json_text(const char *s)
{
	return s ? need(json_object_new_string(s)) : NULL;
}

/* A number may be written as its maker wants, and json-c does not look at how. */
struct json_object *json_raw(const char *text)
{
	return json_object_new_double_s(0, text);
}

void json_add(struct json_object *obj, const char *key, struct json_object *value)
{
	if (json_object_object_add_ex(obj, key, value, JSON_C_OBJECT_ADD_KEY_IS_NEW))
		die(STATUS_ERROR, "out of memory");
}

void json_append(struct json_object *list, struct json_object *item)
{
	if ((json_object_array_add)(list, item))
		die(STATUS_ERROR, "out of memory");
}

/* A text that json-c could not make longer it gives as if it were whole: only errno tells. */
const char *json_plain(struct json_object *obj)
{
	int before = errno; /* perhaps of a write to standard output that failed */
	const char *text;

	errno = 0;
	text = json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN |
							   JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text || errno == ENOMEM)
		die(STATUS_ERROR, "out of memory");
	errno = before;
	return text;
}

#else

struct json_object {
	char unused;
} json_nothing;

#endif
