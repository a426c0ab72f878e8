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

/* KEY as a text, which is a part of OBJ, and its length. -ENOENT when it is missing. */
static int scalar(struct riommu_system *sys, struct json_object *obj, const char *key,
		  const char **text, size_t *len)
{
	struct json_object *value = member(obj, key);

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

static int get_text(struct riommu_system *sys, struct json_object *obj, const char *key, char *to,
		    size_t size)
{
	const char *text;
	size_t len;
	int err = scalar(sys, obj, key, &text, &len);

	if (!err)
		riommu_copy_name(to, size, text, len);
	return err == -ENOENT ? 0 : err;
}

/* A number of at most MAX, as users write them: hex with 0x, or decimal. -ENOENT when it is missing. */
static int get_number(struct riommu_system *sys, struct json_object *obj, const char *key,
		      uint64_t max, uint64_t *to)
{
	const char *text;
	size_t len;
	int err = scalar(sys, obj, key, &text, &len);

	if (err)
		return err;
	if (strlen(text) != len || riommu_parse_u64(text, to) || *to > max)
		return bad_value(sys, key);
	return 0;
}

/* The IOMMU of a device, by its base or its name; none when it is no IOMMU of this capture. */
static int get_iommu(struct riommu_system *sys, struct json_object *obj, size_t *iommu)
{
	const char *text;
	size_t len;
	int err = scalar(sys, obj, "iommu", &text, &len);

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

static int parse_list(struct riommu_system *sys, struct json_object *obj, const char *key,
		      int (*parse)(struct riommu_system *sys, struct json_object *item))
{
	struct json_object *list = member(obj, key);
	int err = 0;

	if (!list)
		return 0;
	if (!json_object_is_type(list, json_type_array))
		return bad_value(sys, key);
	for (size_t i = 0; i < json_object_array_length(list) && !err; i++)
		err = parse(sys, json_object_array_get_idx(list, i));
	return err;
}

static int parse_object(struct riommu_system *sys, struct json_object *obj)
{
	int err;

	if (!json_object_is_type(obj, json_type_object))
		return damaged(sys, "not an object");
	err = get_text(sys, obj, "kernel", sys->kernel, sizeof(sys->kernel));
	if (!err)
		err = get_text(sys, obj, "model", sys->model, sizeof(sys->model));
	if (!err)
		err = get_text(sys, obj, "time", sys->time, sizeof(sys->time));
	if (!err)
		err = parse_list(sys, obj, "devices", parse_device);
	if (!err)
		err = parse_list(sys, obj, "memory", parse_region);
	return err;
}

int riommu_machine_parse(struct riommu_system *sys, const char *text, size_t len)
{
	struct json_tokener *tok;
	struct json_object *obj;
	int err;

	if (!len || len > MACHINE_NOTE_MAX)
		return damaged(sys, len ? "larger than 16 MiB" : "empty");
	tok = json_tokener_new_ex(MAX_DEPTH);
	if (!tok)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	errno = 0;
	obj = json_tokener_parse_ex(tok, text, (int)len);
	if (errno == ENOMEM) /* json-c calls that success, or damage */
		err = riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	else if (obj)
		err = parse_object(sys, obj);
	else if (json_tokener_get_error(tok) == json_tokener_continue)
		err = damaged(sys, "the JSON is cut short");
	else
		err = damaged(sys, json_tokener_error_desc(json_tokener_get_error(tok)));
	json_object_put(obj);
	json_tokener_free(tok);
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
