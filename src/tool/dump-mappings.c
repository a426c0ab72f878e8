/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump mappings: what the requests of a device reach, an address space after the other. */
#include "config.h"

#include "mapping-words.h"

#include <inttypes.h>
#include <stdlib.h>

#define GAPS_TOLD 32 /* parts of the process directory that cannot be read */

/* What address spaces came to, one after the other: numbers, seven bits a byte, the last byte of each with bit 7 clear. */
struct totals {
	uint8_t *bytes;
	size_t used, size;
};

struct listing {
	struct dump *d;
	struct dump_place place;
	struct riommu_mapping_args args;
	uint64_t max_pages;

	struct mapping_space space; /* the one that is listed now */
	struct mapping_count count;
	bool columns; /* its columns are printed */

	/* In JSON the list "spaces" follows that of the mappings: so much memory grows with the processes, a dozen bytes for each. */
	struct totals totals;
	size_t done_count;
	struct mapping_count all;
	bool met; /* the process that was asked for was found, or cannot be looked for */
	unsigned gaps;
};

/* -- totals ------------------------------------------------------------------------------------- */

#define LONGEST 10 /* bytes of a number */

static void pack(struct totals *t, uint64_t v)
{
	if (t->size - t->used < LONGEST) {
		t->size = t->size ? 2 * t->size : 256;
		t->bytes = need(realloc(t->bytes, t->size));
	}
	for (; v >> 7; v >>= 7)
		t->bytes[t->used++] = (uint8_t)(v | 0x80);
	t->bytes[t->used++] = (uint8_t)v;
}

static uint64_t unpack(const uint8_t **at)
{
	uint64_t v = 0;
	unsigned shift = 0;

	for (; **at & 0x80; shift += 7)
		v |= (uint64_t)(*(*at)++ & 0x7f) << shift;
	return v | (uint64_t) * (*at)++ << shift;
}

/* What mapping_count_json() tells. */
static void pack_count(struct totals *t, const struct mapping_count *c)
{
	pack(t, c->ranges);
	pack(t, c->totals.leaves);
	pack(t, c->totals.bytes);
	pack(t, c->malformed);
	pack(t, c->guest_only);
	pack(t, c->unreadable);
	pack(t, c->totals.pages);
	pack(t, c->totals.loops);
	pack(t, c->totals.truncated);
}

static void unpack_count(const uint8_t **at, struct mapping_count *c)
{
	c->ranges = unpack(at);
	c->totals.leaves = unpack(at);
	c->totals.bytes = unpack(at);
	c->malformed = unpack(at);
	c->guest_only = unpack(at);
	c->unreadable = unpack(at);
	c->totals.pages = unpack(at);
	c->totals.loops = unpack(at);
	c->totals.truncated = unpack(at);
}

/* -- an address space --------------------------------------------------------------------------- */

/* With pdtp Bare a process_id changes nothing. */
static bool ignores_processes(const struct listing *l)
{
	const uint64_t *dw = l->place.dc.dw;

	return (dw[RIOMMU_DC_TC] & RIOMMU_TC_PDTV) && dw[RIOMMU_DC_FSC] >> 60 == RIOMMU_PDTP_BARE;
}

static const char *request_words(const struct listing *l, enum riommu_space_kind kind, char *text,
				 size_t size)
{
	if (l->args.second_stage_only)
		return "guest physical addresses";
	if (kind == RIOMMU_SPACE_TRANSLATED)
		return "translated requests (ATS)";
	if (l->space.has_process) {
		snprintf(text, size, "requests of process 0x%" PRIx32, l->space.process_id);
		return text;
	}
	return ignores_processes(l) ? "requests with and without a process_id"
				    : "requests without a process_id";
}

static void print_heading(const struct listing *l, enum riommu_space_kind kind, const char *stages)
{
	char label[96], words[48], text[300];

	if (l->done_count)
		putchar('\n');
	snprintf(text, sizeof(text), "%s on %s: %s, %s",
		 dump_device_label(l->d, l->place.iommu, l->place.device_id, label, sizeof(label)),
		 l->d->sys->iommus[l->place.iommu].name, stages,
		 request_words(l, kind, words, sizeof(words)));
	print_wrapped(stdout, text, 0, 0);
}

static void list_mapping(struct listing *l, const struct riommu_mapping *m)
{
	mapping_count(&l->count, m);
	if (in_json(&l->d->out)) {
		mapping_item(&l->d->out, &l->space, m);
		return;
	}
	if (!l->columns && !mapping_is_everything(m)) {
		mapping_print_columns(stdout, &l->space);
		l->columns = true;
	}
	mapping_print(stdout, &l->space, m);
}

static int list_mappings(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		list_mapping(arg, &ranges[i]);
	return 0;
}

/* What is known of a space by these alone; all of it is. */
struct space_kind {
	enum riommu_space_kind kind;
	uint32_t process_id;
	bool first, second; /* stages */
};

static struct mapping_space space_of(const struct listing *l, const struct space_kind *k)
{
	const struct riommu_request *asked = &l->d->request;
	bool guest = l->args.second_stage_only, is_process = k->kind == RIOMMU_SPACE_PROCESS;

	return (struct mapping_space){
		.iommu = l->place.iommu,
		.has_device = true,
		.device_id = l->place.device_id,
		.has_process = is_process || asked->has_process_id,
		.process_id = is_process ? k->process_id : asked->process_id,
		.space = guest                   ? "second_stage"
			 : asked->has_process_id ? "process"
						 : mapping_space_name(k->kind),
		.stages = mapping_stages_name(k->first, k->second),
		.has_gpa = k->second,
		.guest = guest,
	};
}

/* Fills `space`. In text a heading says which it is; with ddtp Bare (STAGES without words) that was said. */
static void begin_space(struct listing *l, enum riommu_space_kind kind, uint32_t process_id,
			const struct dump_stages *stages)
{
	struct space_kind k = {kind, process_id, stages->first, stages->second};

	l->space = space_of(l, &k);
	l->count = (struct mapping_count){.any = false};
	l->columns = false;
	if (in_json(&l->d->out)) {
		mapping_space_begin(l->d, &l->space);
		pack(&l->totals, (uint64_t)kind << 2 | (uint64_t)k.first << 1 | k.second);
		pack(&l->totals, process_id);
	} else if (stages->text[0]) {
		print_heading(l, kind, stages->text);
	}
}

static void end_space(struct listing *l)
{
	char label[96], process[40] = "", whose[160];

	mapping_space_end(&l->space);
	mapping_count_add(&l->all, &l->count);
	l->done_count++;
	if (in_json(&l->d->out))
		pack_count(&l->totals, &l->count);
	else
		mapping_print_count(stdout, &l->count, 2);
	if (l->space.has_process)
		snprintf(process, sizeof(process), ", process 0x%" PRIx32, l->space.process_id);
	snprintf(whose, sizeof(whose), "%s%s",
		 dump_device_label(l->d, l->place.iommu, l->place.device_id, label, sizeof(label)),
		 process);
	mapping_report(&l->d->out, &l->count, whose);
}

/* Lists a space; not 0 when that ended early. */
static int list_space(struct listing *l, const struct riommu_space *s)
{
	struct dump_stages stages;
	int err;

	dump_space_stages(&l->place.walker, s, l->args.second_stage_only, &stages);
	begin_space(l, s->kind, s->pc.process_id, &stages);
	err = riommu_visit_mappings(&l->place.walker, s, &l->args, list_mappings, l,
				    &l->count.totals);
	end_space(l);
	if (err && err != -EOVERFLOW)
		out_error(&l->d->out, err, "0x%" PRIx32 ": its tables cannot be walked: %s",
			  l->place.device_id, strerror(-err));
	return err;
}

/* -- all of a device ---------------------------------------------------------------------------- */

static void tell_gap(struct listing *l, const struct riommu_space_visit *v)
{
	const struct riommu_request *asked = &l->d->request;

	if (asked->has_process_id &&
	    (asked->process_id < v->first_id || asked->process_id > v->last_id))
		return;
	l->met = true;
	if (l->gaps++ < GAPS_TOLD)
		out_error(&l->d->out, dump_gap_error(v->error),
			  "0x%" PRIx32 ": process_id 0x%" PRIx32 "..0x%" PRIx32
			  ": the process directory at 0x%" PRIx64 " %s",
			  l->place.device_id, v->first_id, v->last_id, v->address,
			  dump_gap_reason(v->error));
}

static bool is_wanted(const struct listing *l, const struct riommu_space *s)
{
	const struct riommu_request *asked = &l->d->request;

	if (asked->has_process_id && ignores_processes(l))
		return s->kind == RIOMMU_SPACE_DEVICE;
	return !asked->has_process_id ||
	       (s->kind == RIOMMU_SPACE_PROCESS && s->pc.process_id == asked->process_id);
}

/*
 * The limit of table pages holds for each space, and here for all together: a guest may own a million processes, each with tables
 * that lead back to themselves.
 */
static int visit_space(void *arg, const struct riommu_space_visit *v)
{
	struct listing *l = arg;

	if (!v->space) {
		tell_gap(l, v);
		return 0;
	}
	if (!is_wanted(l, v->space))
		return 0;
	l->met = true;
	if (l->all.totals.entered >= l->max_pages) {
		l->all.totals.truncated = true;
		return -EOVERFLOW;
	}
	return list_space(l, v->space);
}

/* Why there is no address space: as a request of the process that was asked for, or of the device, would be answered. */
static void tell_unmet(struct listing *l)
{
	struct riommu_request request = {
		.device_id = l->place.device_id,
		.process_id = l->d->request.process_id,
		.has_process_id = l->d->request.has_process_id,
		.iova = l->args.first,
	};
	struct riommu_translation t;
	char label[96], process[32] = "", text[400];

	riommu_translate(&l->place.walker, &request, &t, NULL);
	dump_device_label(l->d, l->place.iommu, l->place.device_id, label, sizeof(label));
	if (request.has_process_id)
		snprintf(process, sizeof(process), ", process 0x%" PRIx32, request.process_id);
	if (t.result == RIOMMU_UNKNOWN)
		out_error(&l->d->out, dump_gap_error(t.error),
			  "%s%s: the entry at 0x%" PRIx64 " on the way to its context %s", label,
			  process, t.missing, dump_gap_reason(t.error));
	if (t.result != RIOMMU_FAULT || in_json(&l->d->out))
		return;
	snprintf(text, sizeof(text), "%s%s: every request is refused: cause %u, %s: %s", label,
		 process, t.cause, riommu_cause_name(t.cause), t.reason ? t.reason : "");
	print_wrapped(stdout, text, 0, 0);
}

static void list_spaces(struct listing *l)
{
	int err = riommu_visit_spaces(&l->place.walker, &l->place.dc, visit_space, l);

	if (err == -EOVERFLOW && !l->count.totals.truncated)
		mapping_report(&l->d->out, &l->all, "all address spaces together");
	if (err == -ENOMEM)
		out_error(&l->d->out, err, "out of memory: not all processes are shown");
	if (l->gaps > GAPS_TOLD)
		out_error(&l->d->out, -ENODATA,
			  "%u more parts of the process directory cannot be read",
			  l->gaps - GAPS_TOLD);
	if (!l->met)
		tell_unmet(l);
}

/* One for all that the device does, and there whatever becomes of its first stage or of process 0. */
static void list_second_stage(struct listing *l)
{
	const struct riommu_space space = {.kind = RIOMMU_SPACE_DEVICE, .dc = l->place.dc};

	list_space(l, &space);
}

/* Without a context there are no tables, and no space that the library would visit. */
static void list_bare(struct listing *l)
{
	struct dump_stages stages = {.text = ""};
	struct riommu_mapping m = riommu_identity(l->args.first, l->args.last);

	begin_space(l, RIOMMU_SPACE_DEVICE, 0, &stages);
	list_mapping(l, &m);
	end_space(l);
}

static void tell_totals(const struct listing *l, const uint8_t **at)
{
	unsigned what = (unsigned)unpack(at);
	struct space_kind k = {(enum riommu_space_kind)(what >> 2), (uint32_t)unpack(at), what & 2,
			       what & 1};
	struct mapping_space space = space_of(l, &k);
	struct mapping_count count = {.any = false};
	struct json_object *obj = mapping_space_json(l->d, &space);

	unpack_count(at, &count);
	mapping_count_json(obj, &count);
	out_item(&l->d->out, obj);
}

static void show_totals(const struct listing *l)
{
	struct json_object *all = json_object_new_object();
	const uint8_t *at = l->totals.bytes;

	out_list_begin(&l->d->out, "spaces");
	for (size_t i = 0; in_json(&l->d->out) && i < l->done_count; i++)
		tell_totals(l, &at);
	out_list_end(&l->d->out);
	mapping_count_json(all, &l->all);
	out_member(&l->d->out, "totals", all);
	if (!in_json(&l->d->out) && l->done_count > 1) {
		printf("\nall %zu address spaces:\n", l->done_count);
		mapping_print_count(stdout, &l->all, 2);
	}
}

/* -- the command ---------------------------------------------------------------------------------- */

/* Options and arguments; false (reported) when they make no sense. */
static bool parse(struct listing *l, int argc)
{
	struct dump *d = l->d;

	l->args = (struct riommu_mapping_args){.second_stage_only = d->gpa, .last = UINT64_MAX};
	l->max_pages = riommu_option_number(d->ctx, "max-pages");
	if (argc != 1) {
		out_error(
			&d->out, -EINVAL,
			"mappings takes one DEVICE: a device_id or a name ('devices' lists them)");
		return false;
	}
	if (d->gpa && d->request.has_process_id) {
		out_error(&d->out, -EINVAL,
			  "--gpa is the second stage, which all processes share: it goes without "
			  "--process");
		return false;
	}
	return !d->range || dump_range(d, d->range, &l->args.first, &l->args.last);
}

void dump_mappings(struct dump *d, int argc, char **argv)
{
	struct listing l = {.d = d};
	enum dump_place_state state;
	bool second;

	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	if (!parse(&l, argc))
		return;
	state = dump_place(d, argv[0], &l.place);
	second = state == DUMP_PLACE_CONTEXT &&
		 l.place.dc.dw[RIOMMU_DC_IOHGATP] >> 60 != RIOMMU_HGATP_BARE;
	out_list_begin(&d->out, "mappings");
	if (d->gpa && state != DUMP_PLACE_NONE && !second)
		out_error(&d->out, -EINVAL,
			  "%s has no second stage%s: there are no guest physical addresses; leave "
			  "--gpa out",
			  argv[0],
			  state == DUMP_PLACE_BARE ? " (ddtp is Bare)" : " (iohgatp is Bare)");
	else if (state == DUMP_PLACE_BARE)
		list_bare(&l);
	else if (state == DUMP_PLACE_CONTEXT && d->gpa)
		list_second_stage(&l);
	else if (state == DUMP_PLACE_CONTEXT)
		list_spaces(&l);
	out_list_end(&d->out);
	show_totals(&l);
	free(l.totals.bytes);
}
