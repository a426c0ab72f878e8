/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump diff: mappings. There may be millions: the lines of one group of spaces share what is said of it. */
#include "config.h"

#include "diff.h"
#include "mapping-words.h"

#include <inttypes.h>

#define SPACES_LISTED 16 /* of those that share their tables; the rest as a number */
#define UNKNOWN_TOLD  32 /* ranges, one by one; the rest as a number */

struct mappings {
	struct diff *x;
	const struct riommu_comparison *c;
	bool in_group; /* `space` and `spaces` are those of the group at work */
	struct mapping_space space[2];
	struct riommu_space_ref ref; /* its first */
	size_t ref_count;
	struct json_object *spaces;
	unsigned unknown;
};

/* -- whose ------------------------------------------------------------------------------------- */

static struct mapping_space space_of(const struct riommu_space_ref *ref)
{
	return (struct mapping_space){
		.has_device = true,
		.device_id = ref->device_id,
		.has_process = ref->kind == RIOMMU_SPACE_PROCESS,
		.process_id = ref->process_id,
		.space = mapping_space_name(ref->kind),
	};
}

/* The space of one side, as `mappings` has it. */
static struct mapping_space
side_space(struct mappings *all, const struct riommu_mapping_change *change, enum riommu_side side)
{
	struct mapping_space s = space_of(change->refs);
	struct dump_stages stages;

	s.iommu = diff_side(all->x, side);
	s.mark = side == RIOMMU_OLD ? '-' : '+';
	s.stages = mapping_stages_name(false, false);
	if (!change->space[side])
		return s;
	dump_space_stages(riommu_comparison_walker(all->c, side), change->space[side], false,
			  &stages);
	s.stages = mapping_stages_name(stages.first, stages.second);
	s.has_gpa = stages.second;
	return s;
}

static struct json_object *ref_json(const struct riommu_space_ref *ref)
{
	struct json_object *obj = json_object_new_object();

	json_add(obj, "device_id", json_hex(ref->device_id));
	json_add(obj, "process_id",
		 ref->kind == RIOMMU_SPACE_PROCESS ? json_hex(ref->process_id) : NULL);
	json_add(obj, "space", json_text(mapping_space_name(ref->kind)));
	return obj;
}

static void end_group(struct mappings *all)
{
	for (unsigned i = 0; i < 2 && all->in_group; i++)
		mapping_space_end(&all->space[i]);
	if (all->in_group)
		json_object_put(all->spaces);
	all->in_group = false;
}

/* "0000:00:01.0 (0x8), process 0x5 and 3 more" */
static const char *whose(struct mappings *all, const struct riommu_mapping_change *change,
			 char *text, size_t size)
{
	const struct riommu_space_ref *ref = change->refs;
	char name[96], process[32] = "", more[48] = "";

	if (ref->kind == RIOMMU_SPACE_PROCESS)
		snprintf(process, sizeof(process), ", process 0x%" PRIx32, ref->process_id);
	if (change->ref_count > 1)
		snprintf(more, sizeof(more), " and %zu more", change->ref_count - 1);
	snprintf(text, size, "%s%s%s%s", diff_device(all->x, ref->device_id, name, sizeof(name)),
		 process, ref->kind == RIOMMU_SPACE_TRANSLATED ? ", translated requests" : "",
		 more);
	return text;
}

static void begin_group(struct mappings *all, const struct riommu_mapping_change *change)
{
	const struct riommu_space_ref *ref = change->refs;
	char what[240], name[220];

	if (all->in_group && all->ref.device_id == ref->device_id && all->ref.kind == ref->kind &&
	    all->ref.process_id == ref->process_id)
		return;
	end_group(all);
	all->in_group = true;
	all->ref = *ref;
	all->ref_count = change->ref_count;
	all->spaces = json_object_new_array();
	for (size_t i = 0; i < change->ref_count && i < SPACES_LISTED; i++)
		json_object_array_add(all->spaces, ref_json(&ref[i]));
	for (unsigned i = 0; i < 2; i++) {
		all->space[i] = side_space(all, change, (enum riommu_side)i);
		mapping_space_begin(all->x->d, &all->space[i]);
	}
	snprintf(what, sizeof(what), "mappings of %s", whose(all, change, name, sizeof(name)));
	diff_section(all->x, what);
}

/* -- changes ----------------------------------------------------------------------------------- */

static void print_end(const struct mapping_space *s, const struct riommu_mapping *m)
{
	if (m)
		mapping_print_json(s, m);
	else
		fputs("null", stdout);
}

static void item(const struct mappings *all, const struct riommu_mapping_change *change)
{
	out_item_begin(&all->x->d->out);
	printf("{\"change\":\"%s\",\"spaces\":%s,\"space_count\":%zu,\"old\":",
	       diff_word(change->mapping[0], change->mapping[1]), json_plain(all->spaces),
	       all->ref_count);
	print_end(&all->space[0], change->mapping[0]);
	fputs(",\"new\":", stdout);
	print_end(&all->space[1], change->mapping[1]);
	putchar('}');
}

static void report_unknown(struct mappings *all, const struct riommu_mapping_change *change)
{
	struct diff *x = all->x;
	char text[200], table[40];

	if (all->unknown++ >= UNKNOWN_TOLD)
		return;
	whose(all, change, text, sizeof(text));
	if (change->error == -EOVERFLOW) {
		out_error(&x->d->out, -ENODATA,
			  "%s: %s: mappings of %s from 0x%" PRIx64
			  " on are not compared: stopped at -O max-pages=%s",
			  x->path[change->side], diff_iommu(x), text, change->iova,
			  riommu_option(x->d->ctx, "max-pages"));
		return;
	}
	snprintf(table, sizeof(table), "0x%" PRIx64, change->address);
	out_error(&x->d->out, dump_gap_error(change->error),
		  "%s: %s: mappings 0x%" PRIx64 "-0x%" PRIx64
		  " of %s are not compared: the table at %s %s",
		  x->path[change->side], diff_iommu(x), change->iova, change->last, text, table,
		  dump_gap_reason(change->error));
}

static int show(void *arg, const struct riommu_mapping_change *change)
{
	struct mappings *all = arg;
	struct diff *x = all->x;

	if (change->error) {
		report_unknown(all, change);
		return 0;
	}
	diff_finding(x);
	begin_group(all, change);
	if (in_json(&x->d->out)) {
		item(all, change);
		return 0;
	}
	diff_heading(x);
	for (unsigned i = 0; i < 2; i++)
		if (change->mapping[i])
			mapping_print(stdout, &all->space[i], change->mapping[i]);
	return 0;
}

void diff_mappings(struct diff *x, const struct riommu_comparison *c)
{
	struct mappings all = {.x = x, .c = c};

	if (riommu_compare_mappings(c, show, &all))
		die(STATUS_ERROR, "out of memory");
	end_group(&all);
	if (all.unknown > UNKNOWN_TOLD)
		out_error(&x->d->out, -ENODATA, "%s: %u more ranges are not compared",
			  diff_iommu(x), all.unknown - UNKNOWN_TOLD);
}
