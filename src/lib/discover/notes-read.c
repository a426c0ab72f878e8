/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine note of a capture (notes.c), read by json-c. When memory is out, json-c before 0.17 ends the program: the state for a
 * member's name in json_tokener_parse_ex() copies it by strdup() and hands what comes of it to json_object_object_add() without a
 * look, whose hash reads NULL. No other call parses an object. All its other allocations may fail: see errno below.
 */
#include "config.h"

#include "discover/discover-internal.h"
#include "spec/request.h"

#ifdef HAVE_JSON

#include <json-c/json.h>
#include <stdio.h>

#define MAX_DEPTH 8

static int damaged(struct riommu_system *sys, const char *what)
{
	return riommu_fail(sys->ctx, -EBADMSG, "%s: machine note: %s", sys->path, what);
}

static int bad_value(struct riommu_system *sys, const char *key)
{
	char words[96];

	snprintf(words, sizeof(words), "the value of \"%s\" makes no sense", key);
	return damaged(sys, words);
}

static int second(struct riommu_system *sys, const char *key)
{
	char words[96];

	snprintf(words, sizeof(words), "\"%s\" stands twice", key);
	return damaged(sys, words);
}

/* The member KEY; NULL when it is not there, or null. */
static struct json_object *member(struct json_object *obj, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(obj, key, &value) ? value : NULL;
}

/* Other tools write captures, too: what reads as a text, a number ("group": 3) does as well. */
static bool is_scalar(struct json_object *value)
{
	return !json_object_is_type(value, json_type_object) &&
	       !json_object_is_type(value, json_type_array);
}

/* VALUE of KEY as a text, which is a part of it, and its length. -ENOENT when it is missing. */
static int scalar(struct riommu_system *sys, struct json_object *value, const char *key,
		  const char **text, size_t *len)
{
	if (!value)
		return -ENOENT;
	if (!is_scalar(value))
		return bad_value(sys, key);
	*text = json_object_get_string(value);
	if (!*text)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	*len = json_object_is_type(value, json_type_string)
		       ? (size_t)json_object_get_string_len(value)
		       : strlen(*text);
	return 0;
}

static int set_text(struct riommu_system *sys, struct json_object *value, const char *key, char *to,
		    size_t size)
{
	const char *text;
	size_t len;
	int err = scalar(sys, value, key, &text, &len);

	if (!err)
		riommu_copy_name(to, size, text, len);
	return err == -ENOENT ? 0 : err;
}

static int get_text(struct riommu_system *sys, struct json_object *obj, const char *key, char *to,
		    size_t size)
{
	return set_text(sys, member(obj, key), key, to, size);
}

/* A number of at most MAX, as users write them: hex with 0x, or decimal. -ENOENT when it is missing. */
static int get_number(struct riommu_system *sys, struct json_object *obj, const char *key,
		      uint64_t max, uint64_t *to)
{
	const char *text;
	size_t len;
	int err = scalar(sys, member(obj, key), key, &text, &len);

	if (err)
		return err;
	if (strlen(text) != len || riommu_parse_u64(text, to) || *to > max)
		return bad_value(sys, key);
	return 0;
}

/*
 * The IOMMU of a device, by its base or its name; none when it is no IOMMU of this capture. Who does not
 * say which means the only one; null says that it is not known.
 */
static int get_iommu(struct riommu_system *sys, struct json_object *obj, size_t *iommu)
{
	const char *text;
	size_t len;
	int err = scalar(sys, member(obj, "iommu"), "iommu", &text, &len);

	if (sys->iommu_count == 1 && !json_object_object_get_ex(obj, "iommu", NULL))
		*iommu = 0;
	if (err)
		return err == -ENOENT ? 0 : err;
	if (!len || strlen(text) != len)
		return bad_value(sys, "iommu");
	*iommu = riommu_system_find_iommu(sys, text);
	return 0;
}

static int parse_device(struct riommu_system *sys, struct json_object *obj)
{
	struct riommu_device device = {.iommu = RIOMMU_NO_IOMMU};
	uint64_t id;
	int err;

	if (!json_object_is_type(obj, json_type_object))
		return bad_value(sys, "devices");
	err = get_number(sys, obj, "device_id", RIOMMU_DEVICE_ID_MAX, &id);
	if (err)
		return err == -ENOENT ? damaged(sys, "a device without device_id") : err;
	device.device_id = (uint32_t)id;
	err = get_iommu(sys, obj, &device.iommu);
	if (!err)
		err = get_text(sys, obj, "name", device.name, sizeof(device.name));
	if (!err)
		err = get_text(sys, obj, "driver", device.driver, sizeof(device.driver));
	if (!err)
		err = get_text(sys, obj, "group", device.group, sizeof(device.group));
	if (!err)
		err = get_text(sys, obj, "domain_type", device.domain_type,
			       sizeof(device.domain_type));
	return err ? err : riommu_list_device(sys, &device);
}

static int parse_region(struct riommu_system *sys, struct json_object *obj)
{
	uint64_t start, end;
	char name[sizeof(sys->regions->name)] = "";
	int err;

	if (!json_object_is_type(obj, json_type_object))
		return bad_value(sys, "memory");
	err = get_number(sys, obj, "start", UINT64_MAX, &start);
	if (!err)
		err = get_number(sys, obj, "end", UINT64_MAX, &end);
	if (!err && end < start)
		err = -ENOENT;
	if (err)
		return err == -ENOENT ? damaged(sys, "a range of memory without start and end")
				      : err;
	err = get_text(sys, obj, "name", name, sizeof(name));
	return err ? err : riommu_list_region(sys, start, end, name, strlen(name));
}

/* -- the note ------------------------------------------------------------------------------------------------------ */

/*
 * A machine has so many devices that json-c would take twenty times the note for all of it: it gets one value of a list at a time, and what
 * lies around them is read here.
 */
struct note {
	struct riommu_system *sys;
	struct json_tokener *tok;
	const char *text;
	size_t len, at;
	unsigned seen; /* bit I: the key members[I] of take_member() */
};

static void skip_blanks(struct note *n)
{
	static const char blanks[] = {' ', '\t', '\r', '\n'};

	while (n->at < n->len && memchr(blanks, n->text[n->at], sizeof(blanks)))
		n->at++;
}

/* Goes past C, if that is what comes next. */
static bool take(struct note *n, char c)
{
	skip_blanks(n);
	if (n->at == n->len || n->text[n->at] != c)
		return false;
	n->at++;
	return true;
}

/* What is not as JSON has it. */
static int broken(struct note *n)
{
	return damaged(n->sys, n->at == n->len ? "the JSON is cut short" : "no JSON");
}

/* *VALUE is the caller's to put. NULL: null. */
static int take_value(struct note *n, struct json_object **value)
{
	enum json_tokener_error error;

	json_tokener_reset(n->tok);
	errno = 0;
	*value = json_tokener_parse_ex(n->tok, n->text + n->at, (int)(n->len - n->at));
	error = json_tokener_get_error(n->tok);
	if (errno == ENOMEM) /* json-c calls that success, or damage */
		return riommu_fail(n->sys->ctx, -ENOMEM, "out of memory");
	if (error == json_tokener_continue)
		return damaged(n->sys, "the JSON is cut short");
	if (error != json_tokener_success)
		return damaged(n->sys, json_tokener_error_desc(error));
	n->at += json_tokener_get_parse_end(n->tok);
	return 0;
}

/* Behind its bracket. */
static int take_list(struct note *n,
		     int (*parse)(struct riommu_system *sys, struct json_object *item))
{
	int err;

	if (take(n, ']'))
		return 0;
	do {
		struct json_object *item;

		err = take_value(n, &item);
		if (!err)
			err = parse(n->sys, item);
		json_object_put(item);
	} while (!err && take(n, ','));
	return err || take(n, ']') ? err : broken(n);
}

static int take_member(struct note *n, const char *key)
{
	struct riommu_system *sys = n->sys;
	const struct {
		const char *key;
		int (*parse)(struct riommu_system *sys, struct json_object *item);
		char *to;
		size_t size;
	} members[] = {
		{"kernel", NULL, sys->kernel, sizeof(sys->kernel)},
		{"model", NULL, sys->model, sizeof(sys->model)},
		{"time", NULL, sys->time, sizeof(sys->time)},
		{"devices", parse_device, NULL, 0},
		{"memory", parse_region, NULL, 0},
	};
	struct json_object *value;
	size_t i = 0;
	int err;

	while (i < RIOMMU_ARRAY_SIZE(members) && strcmp(members[i].key, key) != 0)
		i++;
	/* lists would add up, and which of two texts is true nobody knows */
	if (i < RIOMMU_ARRAY_SIZE(members) && n->seen & 1u << i)
		return second(sys, key);
	n->seen |= 1u << i;
	if (i < RIOMMU_ARRAY_SIZE(members) && members[i].parse && take(n, '['))
		return take_list(n, members[i].parse);
	err = take_value(n, &value);
	if (!err && i < RIOMMU_ARRAY_SIZE(members) && members[i].to)
		err = set_text(sys, value, key, members[i].to, members[i].size);
	else if (!err && i < RIOMMU_ARRAY_SIZE(members) && value)
		err = bad_value(sys, key);
	json_object_put(value);
	return err;
}

/* Behind its brace. */
static int take_object(struct note *n)
{
	int err;

	if (take(n, '}'))
		return 0;
	do {
		struct json_object *key;

		err = take_value(n, &key);
		if (!err && (!json_object_is_type(key, json_type_string) || !take(n, ':')))
			err = broken(n);
		if (!err)
			err = take_member(n, json_object_get_string(key));
		json_object_put(key);
	} while (!err && take(n, ','));
	return err || take(n, '}') ? err : broken(n);
}

int riommu_machine_parse(struct riommu_system *sys, const char *text, size_t len)
{
	struct note n = {.sys = sys, .text = text, .len = len};
	int err;

	if (!len || len > MACHINE_NOTE_MAX)
		return damaged(sys, len ? "larger than 16 MiB" : "empty");
	n.tok = json_tokener_new_ex(MAX_DEPTH);
	if (!n.tok)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	json_tokener_set_flags(n.tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 |
					      JSON_TOKENER_ALLOW_TRAILING_CHARS);
	err = take(&n, '{') ? take_object(&n) : damaged(sys, "not an object");
	skip_blanks(&n);
	if (!err && n.at < n.len && text[n.at]) /* a text of C may come with its end */
		err = broken(&n);
	json_tokener_free(n.tok);
	return err;
}

#else

int riommu_machine_parse(struct riommu_system *sys, const char *text, size_t len)
{
	(void)text;
	(void)len;
	riommu_log(
		sys->ctx, RIOMMU_LOG_WARNING,
		"%s: names of devices and the map of the memory are not read: built without JSON",
		sys->path);
	return 0;
}

#endif
