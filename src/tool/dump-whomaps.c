/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump whomaps: who reaches a physical address. */
#include "config.h"

#include "mapping-words.h"

#include <inttypes.h>
#include <stdlib.h>

#define REFS_NAMED 8 /* in text, of those that share their tables; the JSON has all */

struct search {
	struct dump *d;
	uint64_t first, last;

	/* the IOMMU that is looked at */
	size_t iommu;
	struct riommu_walker walker;
	struct mapping_count count;

	/* the requests that share the tables which are walked now: a space each in JSON, one for all in text */
	const struct riommu_space_ref *refs;
	size_t ref_count;
	struct riommu_space_ref first_ref;
	struct mapping_space *spaces;
	size_t space_count;
	bool group;   /* there is one */
	bool columns; /* of it are printed */

	bool reached; /* by somebody behind this IOMMU */

	struct mapping_count all;
};

/* -- who ------------------------------------------------------------------------------------------ */

/* Which stages such a request goes through, as its walk shows them. A message to an interrupt file passes the second stage by. */
static void find_stages(const struct search *s, const struct riommu_space_ref *ref, uint64_t iova,
			struct mapping_space *space)
{
	struct riommu_request request = {
		.device_id = ref->device_id,
		.process_id = ref->process_id,
		.has_process_id = ref->kind == RIOMMU_SPACE_PROCESS,
		.type = ref->kind == RIOMMU_SPACE_TRANSLATED ? RIOMMU_TRANSLATED
							     : RIOMMU_UNTRANSLATED,
		.iova = iova,
	};
	struct riommu_translation t;
	struct riommu_trace trace;
	struct riommu_dc dc;
	bool first = false;

	if (riommu_locate_dc(&s->walker, ref->device_id, &dc, &t, NULL) != RIOMMU_OK)
		return;
	riommu_translate(&s->walker, &request, &t, &trace);
	for (size_t i = 0; i < trace.step_count; i++)
		first |= trace.step[i].structure == RIOMMU_S_PTE;
	space->has_gpa =
		dc.dw[RIOMMU_DC_IOHGATP] >> 60 != RIOMMU_HGATP_BARE &&
		(ref->kind != RIOMMU_SPACE_TRANSLATED || (dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_T2GPA));
	space->stages = mapping_stages_name(first, space->has_gpa);
}

static void end_group(struct search *s)
{
	for (size_t i = 0; i < s->space_count; i++)
		mapping_space_end(&s->spaces[i]);
	free(s->spaces);
	s->spaces = NULL;
	s->space_count = 0;
	s->group = false;
}

static struct mapping_space ref_space(const struct search *s, const struct riommu_space_ref *ref)
{
	return (struct mapping_space){
		.iommu = s->iommu,
		.has_device = true,
		.device_id = ref->device_id,
		.has_process = ref->kind == RIOMMU_SPACE_PROCESS,
		.process_id = ref->process_id,
		.space = mapping_space_name(ref->kind),
	};
}

/* In text one space is enough: those who share their tables have the same stages. */
static void begin_group(struct search *s, const struct riommu_reached *r)
{
	struct mapping_space shared = {.iommu = s->iommu};

	end_group(s);
	s->group = true;
	s->columns = false;
	s->refs = r->refs;
	s->ref_count = r->ref_count;
	s->space_count = in_json(&s->d->out) && r->ref_count ? r->ref_count : 1;
	s->spaces = need(calloc(s->space_count, sizeof(*s->spaces)));
	if (r->ref_count) {
		s->first_ref = r->refs[0];
		find_stages(s, &r->refs[0], r->mapping->iova, &shared);
	} else if (r->mapping->kind == RIOMMU_MAPPING_IDENTITY) {
		shared.stages = mapping_stages_name(false, false);
	}
	for (size_t i = 0; i < s->space_count; i++) {
		s->spaces[i] = r->ref_count ? ref_space(s, &r->refs[i]) : shared;
		s->spaces[i].has_gpa = shared.has_gpa;
		s->spaces[i].stages = shared.stages;
		if (in_json(&s->d->out))
			mapping_space_begin(s->d, &s->spaces[i]);
	}
}

/* A space is in one group only, so that the first tells groups apart. */
static bool is_same_group(const struct search *s, const struct riommu_reached *r)
{
	return s->group && r->refs == s->refs && r->ref_count == s->ref_count &&
	       (!r->ref_count || (r->refs[0].device_id == s->first_ref.device_id &&
				  r->refs[0].kind == s->first_ref.kind &&
				  r->refs[0].process_id == s->first_ref.process_id));
}

/* -- text ------------------------------------------------------------------------------------------ */

static int ref_words(const struct search *s, const struct riommu_space_ref *ref, char *text,
		     size_t size)
{
	char label[96];

	dump_device_label(s->d, s->iommu, ref->device_id, label, sizeof(label));
	if (ref->kind == RIOMMU_SPACE_PROCESS)
		return snprintf(text, size, "%s process 0x%" PRIx32, label, ref->process_id);
	return snprintf(text, size, "%s%s", label,
			ref->kind == RIOMMU_SPACE_TRANSLATED ? " translated requests (ATS)" : "");
}

/* Who it is that the next rows are about, or all there is to say. */
static void print_group(const struct search *s, const struct riommu_reached *r)
{
	static const char *const through[][2] = {{"first", ", through the first stage:"},
						 {"second", ", through the second stage:"},
						 {"both", ", through both stages:"}};
	const struct riommu_mapping *m = r->mapping;
	char text[REFS_NAMED * 140 + 200];
	size_t used = 0;

	progress_end();
	for (size_t i = 0; i < r->ref_count && i < REFS_NAMED; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", i ? ", " : "");
		used += (size_t)ref_words(s, &r->refs[i], text + used, sizeof(text) - used);
	}
	if (r->ref_count > REFS_NAMED)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " and %zu more",
					 r->ref_count - REFS_NAMED);
	if (!r->ref_count)
		used = (size_t)snprintf(text, sizeof(text), "%s",
					m->kind == RIOMMU_MAPPING_IDENTITY
						? "every device (ddtp is Bare)"
						: "devices of a part of the directory");
	if (m->kind == RIOMMU_MAPPING_IDENTITY)
		snprintf(text + used, sizeof(text) - used, ": identity, reaches everything");
	for (size_t i = 0; s->spaces[0].stages && i < RIOMMU_ARRAY_SIZE(through); i++)
		if (!strcmp(s->spaces[0].stages, through[i][0]))
			snprintf(text + used, sizeof(text) - used, "%s", through[i][1]);
	print_wrapped(stdout, text, 0, 0);
}

static void print_reached(struct search *s, const struct riommu_reached *r)
{
	const struct riommu_mapping *m = r->mapping;
	char text[160];

	if (m->kind == RIOMMU_MAPPING_IDENTITY)
		return; /* its heading says it */
	progress_end();
	if (!r->ref_count) {
		snprintf(text, sizeof(text), "the page at 0x%" PRIx64 " %s", m->address,
			 dump_gap_reason(m->error));
		print_wrapped(stdout, text, (size_t)printf("  not known:"), 13);
		return;
	}
	if (!s->columns)
		mapping_print_columns(stdout, &s->spaces[0]);
	s->columns = true;
	mapping_print(stdout, &s->spaces[0], m);
}

/* -- an IOMMU ----------------------------------------------------------------------------------- */

static int reached(void *arg, const struct riommu_reached *r)
{
	struct search *s = arg;

	mapping_count(&s->count, r->mapping);
	s->reached |= r->mapping->kind != RIOMMU_MAPPING_UNREADABLE;
	if (!is_same_group(s, r)) {
		begin_group(s, r);
		if (!in_json(&s->d->out))
			print_group(s, r);
	}
	for (size_t i = 0; in_json(&s->d->out) && i < s->space_count; i++)
		mapping_item(&s->d->out, &s->spaces[i], r->mapping);
	if (!in_json(&s->d->out))
		print_reached(s, r);
	return 0;
}

static void print_iommu(const struct search *s)
{
	const struct riommu_iommu *iommu = &s->d->sys->iommus[s->iommu];
	char mode[16], text[160];

	mode_text(s->walker.ddtp, mode, sizeof(mode));
	snprintf(text, sizeof(text), "%s at 0x%" PRIx64 ", mode %s", iommu->name, iommu->base,
		 mode);
	putchar('\n');
	print_wrapped(stdout, text, 0, 0);
}

static void print_end(const struct search *s)
{
	if (!s->reached && riommu_bits(s->walker.ddtp, 3, 0) == RIOMMU_DDTP_OFF)
		printf("nobody: ddtp is Off, every request is refused\n");
	else if (!s->reached && !s->count.unreadable && !s->count.totals.truncated)
		printf("nobody reaches it\n");
	else if (!s->reached)
		printf("nobody was found, but not all tables could be looked at\n");
}

static void search_iommu(struct search *s)
{
	struct dump *d = s->d;
	const char *missing, *name = d->sys->iommus[s->iommu].name;
	int err;

	s->count = (struct mapping_count){.any = false};
	s->reached = false;
	if (!dump_walker(d, s->iommu, &s->walker, &missing) ||
	    !dump_mode_defined(d, s->iommu, s->walker.ddtp))
		return;
	if (!in_json(&d->out))
		print_iommu(s);
	err = riommu_visit_reached(&s->walker, s->first, s->last, reached, s, &s->count.totals);
	end_group(s);
	progress_end();
	if (!in_json(&d->out)) {
		if (!err || err == -EOVERFLOW) /* else it is no answer */
			print_end(s);
		mapping_print_warnings(stdout, &s->count, 0);
	}
	mapping_count_add(&s->all, &s->count);
	mapping_report(&d->out, &s->count, name);
	if (err && err != -EOVERFLOW)
		out_error(&d->out, err, "%s: its tables cannot be walked: %s", name,
			  strerror(-err));
}

/* -- the command ---------------------------------------------------------------------------------- */

/* What lies there, by the memory map: "System RAM", and within it "Kernel code". */
static void show_regions(struct search *s)
{
	const struct riommu_system *sys = s->d->sys;
	char size[32], text[80];
	bool any = false;

	if (s->first == s->last)
		snprintf(text, sizeof(text), "0x%" PRIx64, s->first);
	else
		snprintf(text, sizeof(text), "0x%" PRIx64 "-0x%" PRIx64 ", %s", s->first, s->last,
			 s->last - s->first == UINT64_MAX
				 ? "everything"
				 : amount_words(s->last - s->first + 1, size, sizeof(size)));
	if (!in_json(&s->d->out))
		printf("%s\n", text);
	out_list_begin(&s->d->out, "regions");
	for (size_t i = 0; i < sys->region_count; i++) {
		const struct riommu_region *r = &sys->regions[i];
		struct json_object *obj;

		if (r->end < s->first || r->start > s->last)
			continue;
		any = true;
		if (!in_json(&s->d->out)) {
			printf("  in 0x%" PRIx64 "-0x%" PRIx64 " %s\n", r->start, r->end, r->name);
			continue;
		}
		obj = json_object_new_object();
		json_add(obj, "start", json_hex(r->start));
		json_add(obj, "end", json_hex(r->end));
		json_add(obj, "name", json_text(r->name));
		out_item(&s->d->out, obj);
	}
	out_list_end(&s->d->out);
	if (!any && !in_json(&s->d->out))
		printf("  %s\n", sys->region_count ? "in no region of the memory map"
						   : "the memory map is not known");
}

void dump_whomaps(struct dump *d, int argc, char **argv)
{
	struct search s = {.d = d};
	struct json_object *totals;

	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	if (argc != 1) {
		out_error(&d->out, -EINVAL,
			  "whomaps takes one physical address or range: PA, FIRST-LAST or PA+SIZE");
		return;
	}
	if (!dump_range(d, argv[0], &s.first, &s.last))
		return;
	dump_iommus(d);
	show_regions(&s);
	out_list_begin(&d->out, "mappings");
	progress_of_pages(&d->out);
	for (; dump_next_iommu(d, &s.iommu); s.iommu++)
		search_iommu(&s);
	out_list_end(&d->out);
	totals = json_object_new_object();
	mapping_count_json(totals, &s.all);
	out_member(&d->out, "totals", totals);
}
