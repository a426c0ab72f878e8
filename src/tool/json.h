/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON for the tools: json-c, and what all of them do with it. Built without json-c no tool writes JSON (-J ends the program), all
 * values are one that is nothing, and what is done with it is nothing: the compiler drops the code that only JSON wants.
 */
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef HAVE_JSON

#include <json-c/json.h>

#define JSON_BUILT_IN true

/*
 * json-c says by NULL or -1 that memory is out, and what was to be there would be missing silently: so these end the program then.
 */
void json_append(struct json_object *list, struct json_object *item);
#define json_object_new_object()   ((struct json_object *)need(json_object_new_object()))
#define json_object_new_array()    ((struct json_object *)need(json_object_new_array()))
#define json_object_new_boolean(v) ((struct json_object *)need(json_object_new_boolean(v)))
#define json_object_new_int(v)     ((struct json_object *)need(json_object_new_int(v)))
#define json_object_new_int64(v)   ((struct json_object *)need(json_object_new_int64(v)))
#define json_object_new_double(v)  ((struct json_object *)need(json_object_new_double(v)))
#define json_object_new_double_s(v, text) \
	((struct json_object *)need(json_object_new_double_s(v, text)))
#define json_object_array_add(list, item) json_append(list, item)

/* Values of one shape: "0x%x" strings, numbers, null for NULL text. */
struct json_object *json_hex(uint64_t v);
struct json_object *json_count(uint64_t n);
struct json_object *json_text(const char *s);

/* JSON that is there as a text. What is in it cannot be asked for. */
struct json_object *json_raw(const char *text);

/* Consumes VALUE, ends the program if memory is out. */
void json_add(struct json_object *obj, const char *key, struct json_object *value);

/* OBJ on one line, without blanks; it is OBJ's. */
const char *json_plain(struct json_object *obj);

#else

#define JSON_BUILT_IN false

/* Stands for every value: no call of memory failed, and nobody looks into it. */
extern struct json_object json_nothing;

static inline struct json_object *json_object_new_object(void)
{
	return &json_nothing;
}

static inline struct json_object *json_object_new_array(void)
{
	return &json_nothing;
}

static inline struct json_object *json_object_new_boolean(int v)
{
	(void)v;
	return &json_nothing;
}

static inline struct json_object *json_object_new_int(int32_t v)
{
	(void)v;
	return &json_nothing;
}

static inline struct json_object *json_object_new_int64(int64_t v)
{
	(void)v;
	return &json_nothing;
}

static inline struct json_object *json_object_new_double(double v)
{
	(void)v;
	return &json_nothing;
}

static inline struct json_object *json_object_new_double_s(double v, const char *text)
{
	(void)v;
	(void)text;
	return &json_nothing;
}

static inline struct json_object *json_object_get(struct json_object *obj)
{
	return obj;
}

static inline int json_object_put(struct json_object *obj)
{
	(void)obj;
	return 1;
}

static inline int json_object_array_add(struct json_object *list, struct json_object *item)
{
	(void)list;
	(void)item;
	return 0;
}

static inline struct json_object *json_hex(uint64_t v)
{
	(void)v;
	return &json_nothing;
}

static inline struct json_object *json_count(uint64_t n)
{
	(void)n;
	return &json_nothing;
}

static inline struct json_object *json_text(const char *s)
{
	(void)s;
	return &json_nothing;
}

static inline struct json_object *json_raw(const char *text)
{
	(void)text;
	return &json_nothing;
}

static inline void json_add(struct json_object *obj, const char *key, struct json_object *value)
{
	(void)obj;
	(void)key;
	(void)value;
}

static inline const char *json_plain(struct json_object *obj)
{
	(void)obj;
	return "";
}

#endif
#endif
