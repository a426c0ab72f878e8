/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump diff: device and process contexts. */
#include "config.h"

#include "diff.h"

#include <inttypes.h>

/* What is compared of one context: doublewords, with the layouts that each side has for them. */
struct view {
	struct diff *x;
	uint32_t fctl[2];
	const struct riommu_context_change *change;
};

/* -- doublewords ------------------------------------------------------------------------------- */

static unsigned dword_count(const struct riommu_context_change *c)
{
	if (c->is_process)
		return 2;
	return c->dc[0]->dwords < c->dc[1]->dwords ? c->dc[0]->dwords : c->dc[1]->dwords;
}

static uint64_t dword(const struct riommu_context_change *c, unsigned side, unsigned i)
{
	if (c->is_process)
		return i ? c->pc[side]->fsc : c->pc[side]->ta;
	return c->dc[side]->dw[i];
}

static const char *dword_key(const struct riommu_context_change *c, unsigned i)
{
	return c->is_process ? (i ? "fsc" : "ta") : dump_dc_key(i);
}

static const struct riommu_layout *layout(const struct view *v, unsigned side, unsigned i)
{
	uint64_t tc = v->change->dc[side] ? v->change->dc[side]->dw[RIOMMU_DC_TC] : 0;

	return v->change->is_process ? riommu_layout_pc(i, tc)
				     : riommu_layout_dc(i, tc, v->fctl[side]);
}

static void field_lines(struct diff *x, const char *key, const struct riommu_layout *l,
			const uint64_t value[2])
{
	char text[FIELD_TEXT];

	for (size_t i = 0; i < l->count; i++) {
		const struct riommu_field *f = &l->fields[i];

		if (riommu_field_get(f, value[0]) == riommu_field_get(f, value[1]))
			continue;
		for (unsigned side = 0; side < 2; side++) {
			field_text(f, value[side], text);
			diff_line(x, side ? '+' : '-', "%s.%s %s", key, f->name, text);
		}
	}
}

/* Under another mode the same bits are other fields: then the whole is shown. */
static void dword_lines(const struct view *v, unsigned i)
{
	const struct riommu_context_change *c = v->change;
	const uint64_t value[2] = {dword(c, 0, i), dword(c, 1, i)};
	const struct riommu_layout *l = layout(v, 0, i);

	if (value[0] == value[1])
		return;
	if (l == layout(v, 1, i)) {
		field_lines(v->x, dword_key(c, i), l, value);
		return;
	}
	for (unsigned side = 0; side < 2; side++)
		diff_line(v->x, side ? '+' : '-', "%s 0x%" PRIx64 " (%s)", dword_key(c, i),
			  value[side], layout(v, side, i)->name);
}

/* "tc.en_ats", "fsc.ppn"; "fsc" where its fields are others. */
static struct json_object *fields_json(const struct view *v)
{
	const struct riommu_context_change *c = v->change;
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < dword_count(c); i++) {
		const struct riommu_layout *l = layout(v, 0, i);
		uint64_t bits = dword(c, 0, i) ^ dword(c, 1, i);
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "%s.", dword_key(c, i));
		if (l == layout(v, 1, i))
			json_field_names(list, prefix, l, bits);
		else if (bits)
			json_object_array_add(list, json_text(dword_key(c, i)));
	}
	return list;
}

/* -- contexts ---------------------------------------------------------------------------------- */

static bool is_there(const struct riommu_context_change *c, unsigned side)
{
	return c->is_process ? c->pc[side] != NULL : c->dc[side] != NULL;
}

static void context_words(const struct riommu_comparison *c,
			  const struct riommu_context_change *change, unsigned side, char *text,
			  size_t size)
{
	const struct riommu_walker *w = riommu_comparison_walker(c, (enum riommu_side)side);

	if (change->is_process)
		dump_pc_words(w, change->dc[side], change->pc[side], text, size);
	else
		dump_dc_words(w, change->dc[side], text, size);
}

static void print_context(struct view *v, const struct riommu_comparison *c)
{
	const struct riommu_context_change *change = v->change;
	char name[96], process[32] = "", words[80];

	diff_device(v->x, change->device_id, name, sizeof(name));
	if (change->is_process)
		snprintf(process, sizeof(process), ", process 0x%" PRIx32, change->process_id);
	if (is_there(change, 0) && is_there(change, 1)) {
		diff_line(v->x, ' ', "%s%s:", name, process);
		for (unsigned i = 0; i < dword_count(change); i++)
			dword_lines(v, i);
		return;
	}
	for (unsigned side = 0; side < 2; side++) {
		if (!is_there(change, side))
			continue;
		context_words(c, change, side, words, sizeof(words));
		diff_line(v->x, side ? '+' : '-', "%s%s: %s", name, process, words);
	}
}

static struct json_object *context_json(struct diff *x, const struct riommu_comparison *c,
					const struct riommu_context_change *change, unsigned side)
{
	const struct riommu_walker *w = riommu_comparison_walker(c, (enum riommu_side)side);
	size_t iommu = diff_side(x, (enum riommu_side)side);

	if (!is_there(change, side))
		return NULL;
	if (change->is_process)
		return dump_pc_json(x->d, iommu, w, change->dc[side], change->pc[side]);
	return dump_dc_json(x->d, iommu, w, change->dc[side]);
}

static void item(struct view *v, const struct riommu_comparison *c)
{
	const struct riommu_context_change *change = v->change;
	struct diff *x = v->x;
	struct json_object *old = context_json(x, c, change, 0),
			   *new = context_json(x, c, change, 1), *obj = diff_json(old, new);
	size_t iommu = diff_side(x, RIOMMU_NEW);

	json_add(obj, "iommu", json_hex(x->d->sys->iommus[iommu].base));
	json_add(obj, "device_id", json_hex(change->device_id));
	json_add(obj, "process_id", change->is_process ? json_hex(change->process_id) : NULL);
	json_add(obj, "fields", old && new ? fields_json(v) : json_object_new_array());
	diff_item(x, obj, old, new);
}

static void report_gap(struct diff *x, const struct riommu_context_change *change)
{
	char name[96], of[120] = "";

	if (change->is_process)
		snprintf(of, sizeof(of), " of %s",
			 diff_device(x, change->device_id, name, sizeof(name)));
	out_error(&x->d->out, dump_gap_error(change->error),
		  "%s: %s: %s 0x%" PRIx32 "..0x%" PRIx32
		  "%s are not compared: the directory at 0x%" PRIx64 " %s",
		  x->path[change->side], diff_iommu(x),
		  change->is_process ? "process_id" : "device_id", change->first_id,
		  change->last_id, of, change->address, dump_gap_reason(change->error));
}

struct contexts {
	struct view view;
	const struct riommu_comparison *c;
};

static int show(void *arg, const struct riommu_context_change *change)
{
	struct contexts *all = arg;
	struct diff *x = all->view.x;

	if (change->error) {
		report_gap(x, change);
		return 0;
	}
	diff_finding(x);
	all->view.change = change;
	if (in_json(&x->d->out))
		item(&all->view, all->c);
	else
		print_context(&all->view, all->c);
	return 0;
}

void diff_contexts(struct diff *x, const struct riommu_comparison *c)
{
	struct contexts all = {.view.x = x, .c = c};

	for (unsigned side = 0; side < 2; side++)
		all.view.fctl[side] = riommu_comparison_walker(c, (enum riommu_side)side)->fctl;
	diff_section(x, "contexts");
	if (riommu_compare_contexts(c, show, &all))
		die(STATUS_ERROR, "out of memory");
}
