/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results on standard output: the JSON envelope as a stream, errors, the exit status. */
#include "config.h"

#include "tool.h"

#include <inttypes.h>
#include <stdlib.h>

/* If several statuses apply, the first of these is the one (design 3.4). */
static const enum status order[] = {
	STATUS_USAGE,   STATUS_ERROR, STATUS_REFUSED, STATUS_NO_IOMMU,
	STATUS_TIMEOUT, STATUS_DATA,  STATUS_FINDING, STATUS_DONE,
};

static size_t rank(enum status status)
{
	size_t i = 0;

	while (order[i] != status)
		i++;
	return i;
}

/* For a command that has none to show, and for one that came to nothing. */
#define NO_IOMMUS ",\"iommus\":[]"

/* The envelope that was begun and has not ended: die() ends it. */
static struct out *envelope;

/* Why standard output takes no more: errno is another's by the time that it is reported. */
static int output_error;

static bool remember_error(bool failed)
{
	if (failed && !output_error)
		output_error = errno;
	return failed;
}

bool out_flush(void)
{
	return !remember_error(fflush(stdout) || ferror(stdout));
}

static void put(struct json_object *obj)
{
	fputs(json_plain(obj), stdout);
	remember_error(ferror(stdout));
	json_object_put(obj);
}

/* A full disk shows only at the end: a truncated answer must not look like success. */
static bool all_is_out(void)
{
	if (out_flush())
		return true;
	fprintf(stderr, "%s: standard output: %s\n", program, strerror(output_error));
	return false;
}

void out_exit(void)
{
	exit(all_is_out() ? STATUS_DONE : STATUS_ERROR);
}

void out_line(struct json_object *obj)
{
	put(obj);
	putchar('\n');
}

void out_init(struct out *out, struct riommu_ctx *ctx, bool json)
{
	*out = (struct out){.json = json, .status = STATUS_DONE, .ctx = ctx};
	out->errors = need(json_object_new_array());
}

struct json_object *source_json(const struct riommu_system *sys)
{
	struct json_object *obj = need(json_object_new_object());

	json_add(obj, "live", json_object_new_boolean(sys->live));
	json_add(obj, "path", json_text(sys->path[0] ? sys->path : NULL));
	json_add(obj, "memory", json_text(sys->memory ? sys->memory->ops->name : NULL));
	json_add(obj, "model", json_text(sys->model[0] ? sys->model : NULL));
	json_add(obj, "kernel", json_text(sys->kernel[0] ? sys->kernel : NULL));
	json_add(obj, "time", json_text(sys->time[0] ? sys->time : NULL));
	return obj;
}

void out_begin(struct out *out, const char *schema, const struct riommu_system *sys)
{
	struct json_object *source = NULL;

	if (!in_json(out))
		return;
	out->opened = true;
	if (sys) {
		source = source_json(sys);
		json_plain(source); /* it keeps the text: nothing fails between here and put() */
	}
	printf("{\"schema\":\"%s\",\"tool\":\"%s\",\"version\":\"%s\",\"source\":", schema, program,
	       PACKAGE_VERSION);
	envelope = out;
	if (source)
		put(source);
	else
		fputs("null", stdout);
}

void out_abort(const char *why)
{
	char text[RIOMMU_MESSAGE_SIZE];

	if (!envelope)
		return;
	snprintf(text, sizeof(text), "%s", why);
	printable(text);
	for (char *at = text; *at; at++)
		if (*at == '"' || *at == '\\')
			*at = '\'';
	printf("%s%s,\"complete\":false,\"errors\":[\"%s\"]}\n", envelope->in_list ? "]" : "",
	       envelope->needs_iommus ? NO_IOMMUS : "", text);
	envelope = NULL;
}

void out_member(struct out *out, const char *key, struct json_object *obj)
{
	if (!in_json(out)) {
		json_object_put(obj);
		return;
	}
	json_plain(obj);
	printf(",\"%s\":", key);
	put(obj);
}

void out_list_begin(struct out *out, const char *key)
{
	if (!in_json(out))
		return;
	printf(",\"%s\":[", key);
	if (!strcmp(key, "iommus"))
		out->needs_iommus = false;
	out->first_item = true;
	out->in_list = true;
}

void out_item_begin(struct out *out)
{
	fputs(out->first_item ? "\n" : ",\n", stdout);
	out->first_item = false;
}

void out_item_text(struct out *out, const char *text, size_t len)
{
	out_item_begin(out);
	remember_error(fwrite(text, 1, len, stdout) < len);
}

void out_item(struct out *out, struct json_object *obj)
{
	if (!in_json(out)) {
		json_object_put(obj);
		return;
	}
	json_plain(obj);
	out_item_begin(out);
	put(obj);
}

void out_list_end(struct out *out)
{
	if (in_json(out))
		putchar(']');
	out->in_list = false;
}

void out_status(struct out *out, enum status status)
{
	if (rank(status) < rank(out->status))
		out->status = status;
}

void printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void tell_error(struct out *out, const char *fmt, va_list args)
{
	char text[RIOMMU_MESSAGE_SIZE];

	vsnprintf(text, sizeof(text), fmt, args);
	printable(text);
	/* what was printed so far comes first also where both go to one place */
	out_flush();
	print_message(text);
	out->error_count++;
	json_object_array_add(out->errors, json_text(text));
}

void out_error(struct out *out, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell_error(out, fmt, args);
	va_end(args);
	out_status(out, status_of(err));
}

void out_incomplete(struct out *out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell_error(out, fmt, args);
	va_end(args);
}

int out_end(struct out *out)
{
	if (in_json(out) && out->opened) {
		json_plain(out->errors);
		printf("%s,\"complete\":%s,\"errors\":", out->needs_iommus ? NO_IOMMUS : "",
		       out->error_count ? "false" : "true");
		put(out->errors);
		fputs("}\n", stdout);
		envelope = NULL;
	} else {
		json_object_put(out->errors);
	}
	out->errors = NULL;
	if (!all_is_out())
		out_status(out, STATUS_ERROR);
	if (out->status == STATUS_USAGE)
		try_help();
	return (int)out->status;
}
