/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine note of a capture: what was known of the machine besides registers and memory, as JSON. Written here, by
 * hand, so that a build without json-c saves what one with it reads (notes-read.c).
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

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A comma but before the first, which *BEFORE remembers. */
static void separate(FILE *f, const char **before)
{
	fputs(*before, f);
	*before = ",";
}

/* Names are printable already (riommu_copy_name()); what is not would be no UTF-8. */
static void put_string(FILE *f, const char *text)
{
	putc('"', f);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', f);
		putc(*text < ' ' || *text > '~' ? '?' : *text, f);
	}
	putc('"', f);
}

/* Unknown is left out. */
static void text_member(FILE *f, const char **before, const char *key, const char *text)
{
	if (!text[0])
		return;
	separate(f, before);
	fprintf(f, "\"%s\":", key);
	put_string(f, text);
}

static void hex_member(FILE *f, const char **before, const char *key, uint64_t v)
{
	separate(f, before);
	fprintf(f, "\"%s\":\"0x%" PRIx64 "\"", key, v);
}

static void device(FILE *f, const struct riommu_system *sys, const struct riommu_device *d)
{
	const char *before = "";

	putc('{', f);
	hex_member(f, &before, "device_id", d->device_id);
	text_member(f, &before, "name", d->name);
	text_member(f, &before, "driver", d->driver);
	text_member(f, &before, "group", d->group);
	text_member(f, &before, "domain_type", d->domain_type);
	if (d->iommu != RIOMMU_NO_IOMMU)
		hex_member(f, &before, "iommu", sys->iommus[d->iommu].base);
	else
		fputs(",\"iommu\":null", f); /* left out, it would be the only one */
	putc('}', f);
}

static void region(FILE *f, const struct riommu_region *r)
{
	const char *before = "";

	putc('{', f);
	hex_member(f, &before, "start", r->start);
	hex_member(f, &before, "end", r->end);
	text_member(f, &before, "name", r->name);
	putc('}', f);
}

/* Whether an IOMMU before the Ith gave its registers by the same method. */
static bool was_named(const struct riommu_system *sys, size_t i, const char *method)
{
	for (size_t k = 0; k < i; k++)
		if (sys->iommus[k].method && !strcmp(sys->iommus[k].method, method))
			return true;
	return false;
}

/* Those that gave registers, and the one that gives memory: each once. */
static void methods(FILE *f, const struct riommu_system *sys)
{
	const char *before = "", *memory = sys->memory ? sys->memory->ops->name : NULL;

	for (size_t i = 0; i < sys->iommu_count; i++) {
		const char *method = sys->iommus[i].method;

		if (!method || was_named(sys, i, method))
			continue;
		separate(f, &before);
		put_string(f, method);
	}
	if (!memory || was_named(sys, sys->iommu_count, memory))
		return;
	separate(f, &before);
	put_string(f, memory);
}

#define LONGEST_ITEM 2048              /* more than a device or a region takes */
#define REGIONS_ROOM ((size_t)1 << 20) /* is kept for them: /proc/iomem has some hundred */

/* Whether an item fits into the first MAX bytes. What does not is left out, and that is told once. */
static bool has_room(FILE *f, const struct riommu_system *sys, size_t max, const char *what,
		     size_t i, size_t count)
{
	long at = ftell(f);

	if (at >= 0 && (size_t)at + LONGEST_ITEM <= max)
		return true;
	riommu_log(sys->ctx, RIOMMU_LOG_WARNING,
		   "the capture names %zu of %zu %s: it would not be read with more", i, count,
		   what);
	return false;
}

static void machine(FILE *f, const struct riommu_system *sys, const char *tool_version)
{
	const char *before = "";

	putc('{', f);
	text_member(f, &before, "tool_version", tool_version);
	text_member(f, &before, "kernel", sys->kernel);
	text_member(f, &before, "model", sys->model);
	text_member(f, &before, "time", sys->time);
	separate(f, &before);
	fprintf(f, "\"live\":%s,\"methods\":[", sys->live ? "true" : "false");
	methods(f, sys);
	fputs("],\"devices\":[", f);
	for (size_t i = 0; i < sys->device_count; i++) {
		if (!has_room(f, sys, MACHINE_NOTE_MAX - REGIONS_ROOM, "devices", i,
			      sys->device_count))
			break;
		fputs(i ? "," : "", f);
		device(f, sys, &sys->devices[i]);
	}
	fputs("],\"memory\":[", f);
	for (size_t i = 0; i < sys->region_count; i++) {
		if (!has_room(f, sys, MACHINE_NOTE_MAX, "ranges of memory", i, sys->region_count))
			break;
		fputs(i ? "," : "", f);
		region(f, &sys->regions[i]);
	}
	fputs("]}", f);
}

int riommu_machine_json(const struct riommu_system *sys, const char *tool_version, char **text)
{
	size_t len;
	FILE *f;
	bool failed;

	*text = NULL;
	f = open_memstream(text, &len);
	if (!f)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	machine(f, sys, tool_version);
	failed = ferror(f) != 0;
	/* fclose() cuts the text to its size; where that fails glibc says nothing, and there is no text */
	if (!fclose(f) && !failed && *text)
		return 0;
	free(*text);
	*text = NULL;
	return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
}
