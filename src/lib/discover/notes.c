/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine note of a capture, both ways: what was known of the machine besides registers and memory, as JSON.
 *
 *	{"tool_version":"0.1.0", "kernel":"7.2.12", "model":"riscv-virtio,qemu", "time":"2026-09-01T12:00:00Z",
 *	 "live":true, "methods":["debugfs","kcore"],
 *	 "devices":[{"device_id":"0x8", "name":"0000:00:01.0", "driver":"edu", "group":"0", "domain_type":"identity",
 *		     "iommu":"0x3010000"}],
 *	 "memory":[{"start":"0x80000000", "end":"0xbfffffff", "name":"System RAM"}]}
 *
 * Any key may be missing or null; unknown ones are for tools to come. A key of another type, or an address that is not a
 * "0x" string, is damage.
 */
#include "discover/discover-internal.h"
#include "spec/request.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_NOTE  (16u << 20)
#define MAX_DEPTH 8

/* -- reading ----------------------------------------------------------------------------------------------- */

static int damaged(struct riommu_system *sys, const char *what)
{
	return riommu_fail(sys->ctx, -EBADMSG, "%s: machine note: %s", sys->path, what);
}

/* The member KEY if it is there and not null; -EBADMSG when it is not of TYPE. */
static int member(struct riommu_system *sys, struct json_object *obj, const char *key,
		  enum json_type type, struct json_object **value)
{
	*value = NULL;
	if (!json_object_object_get_ex(obj, key, value) || !*value)
		return 0;
	return json_object_is_type(*value, type) ? 0 : damaged(sys, key);
}

static int get_text(struct riommu_system *sys, struct json_object *obj, const char *key, char *to,
		    size_t size)
{
	struct json_object *value;
	int err = member(sys, obj, key, json_type_string, &value);

	if (!err && value)
		riommu_copy_name(to, size, json_object_get_string(value),
				 (size_t)json_object_get_string_len(value));
	return err;
}

/* "0x.." at most MAX. -ENOENT when it is missing. */
static int get_hex(struct riommu_system *sys, struct json_object *obj, const char *key,
		   uint64_t max, uint64_t *to)
{
	struct json_object *value;
	int err = member(sys, obj, key, json_type_string, &value);
	const char *text;

	if (err || !value)
		return err ? err : -ENOENT;
	text = json_object_get_string(value);
	if (strncmp(text, "0x", 2) || strlen(text) != (size_t)json_object_get_string_len(value) ||
	    riommu_parse_u64(text, to) || *to > max)
		return damaged(sys, key);
	return 0;
}

static int parse_device(struct riommu_system *sys, struct json_object *obj)
{
	struct riommu_device device = {.iommu = RIOMMU_NO_IOMMU};
	uint64_t id, base;
	int err;

	if (!json_object_is_type(obj, json_type_object))
		return damaged(sys, "devices");
	err = get_hex(sys, obj, "device_id", RIOMMU_DEVICE_ID_MAX, &id);
	if (err)
		return err == -ENOENT ? damaged(sys, "a device without device_id") : err;
	device.device_id = (uint32_t)id;
	err = get_hex(sys, obj, "iommu", UINT64_MAX, &base);
	if (!err)
		device.iommu = riommu_list_iommu_at(sys, base);
	else if (err != -ENOENT)
		return err;
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
		return damaged(sys, "memory");
	err = get_hex(sys, obj, "start", UINT64_MAX, &start);
	if (!err)
		err = get_hex(sys, obj, "end", UINT64_MAX, &end);
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
	struct json_object *list;
	int err = member(sys, obj, key, json_type_array, &list);

	if (err || !list)
		return err;
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

	if (!len || len > MAX_NOTE)
		return damaged(sys, len ? "larger than 16 MiB" : "empty");
	tok = json_tokener_new_ex(MAX_DEPTH);
	if (!tok)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	obj = json_tokener_parse_ex(tok, text, (int)len);
	if (obj)
		err = parse_object(sys, obj);
	else if (json_tokener_get_error(tok) == json_tokener_continue)
		err = damaged(sys, "the JSON is cut short");
	else
		err = damaged(sys, json_tokener_error_desc(json_tokener_get_error(tok)));
	json_object_put(obj);
	json_tokener_free(tok);
	return err;
}

/* -- writing ----------------------------------------------------------------------------------------------- */

/* Adds VALUE, which is consumed; false when memory is short, here or where VALUE was made. */
static bool add(struct json_object *obj, const char *key, struct json_object *value)
{
	if (value && !json_object_object_add(obj, key, value))
		return true;
	json_object_put(value);
	return false;
}

static bool add_hex(struct json_object *obj, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v);
	return add(obj, key, json_object_new_string(text));
}

/* Unknown is left out. */
static bool add_text(struct json_object *obj, const char *key, const char *text)
{
	return !text[0] || add(obj, key, json_object_new_string(text));
}

/* Appends ITEM, which is consumed, to the array LIST. */
static bool append(struct json_object *list, struct json_object *item)
{
	if (item && !json_object_array_add(list, item))
		return true;
	json_object_put(item);
	return false;
}

static bool append_device(const struct riommu_system *sys, struct json_object *list,
			  const struct riommu_device *device)
{
	struct json_object *obj = json_object_new_object();
	bool ok = obj && add_hex(obj, "device_id", device->device_id) &&
		  add_text(obj, "name", device->name) && add_text(obj, "driver", device->driver) &&
		  add_text(obj, "group", device->group) &&
		  add_text(obj, "domain_type", device->domain_type) &&
		  (device->iommu == RIOMMU_NO_IOMMU ||
		   add_hex(obj, "iommu", sys->iommus[device->iommu].base));

	if (ok)
		return append(list, obj);
	json_object_put(obj);
	return false;
}

static bool append_region(struct json_object *list, const struct riommu_region *region)
{
	struct json_object *obj = json_object_new_object();
	bool ok = obj && add_hex(obj, "start", region->start) && add_hex(obj, "end", region->end) &&
		  add_text(obj, "name", region->name);

	if (ok)
		return append(list, obj);
	json_object_put(obj);
	return false;
}

/* METHOD unless it is there already. */
static bool append_method(struct json_object *list, const char *method)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		if (!strcmp(json_object_get_string(json_object_array_get_idx(list, i)), method))
			return true;
	}
	return append(list, json_object_new_string(method));
}

/* Those that gave registers, and the one that gives memory. */
static bool fill_methods(const struct riommu_system *sys, struct json_object *list)
{
	bool ok = true;

	for (size_t i = 0; i < sys->iommu_count && ok; i++) {
		if (sys->iommus[i].method)
			ok = append_method(list, sys->iommus[i].method);
	}
	if (ok && sys->memory)
		ok = append_method(list, sys->memory->ops->name);
	return ok;
}

static bool fill(const struct riommu_system *sys, struct json_object *obj)
{
	struct json_object *methods = json_object_new_array(), *devices = json_object_new_array(),
			   *memory = json_object_new_array();
	bool ok = add(obj, "methods", methods);

	ok = add(obj, "devices", devices) && ok;
	ok = add(obj, "memory", memory) && ok;
	ok = ok && fill_methods(sys, methods);
	for (size_t i = 0; i < sys->device_count && ok; i++)
		ok = append_device(sys, devices, &sys->devices[i]);
	for (size_t i = 0; i < sys->region_count && ok; i++)
		ok = append_region(memory, &sys->regions[i]);
	return ok;
}

int riommu_machine_json(const struct riommu_system *sys, const char *tool_version, char **text)
{
	struct json_object *obj = json_object_new_object();
	bool ok = obj && add_text(obj, "tool_version", tool_version) &&
		  add_text(obj, "kernel", sys->kernel) && add_text(obj, "model", sys->model) &&
		  add_text(obj, "time", sys->time) &&
		  add(obj, "live", json_object_new_boolean(sys->live)) && fill(sys, obj);
	const char *plain = ok ? json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN) : NULL;

	*text = plain ? strdup(plain) : NULL;
	json_object_put(obj);
	return *text ? 0 : riommu_fail(sys->ctx, -ENOMEM, "out of memory");
}
