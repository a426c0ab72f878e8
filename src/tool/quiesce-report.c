/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said: a line a stage, notes, and all of it as JSON at the end. */
#include "config.h"

#include "quiesce.h"

#include <inttypes.h>
#include <stdlib.h>

#define LINE_INDENT 37 /* stage, object, outcome */

void note(struct quiesce *t, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printable(text);
	if (!in_json(&t->out)) {
		printf("note:");
		print_wrapped(stdout, text, 5, 6);
		out_flush();
	}
	if (!t->notes)
		t->notes = json_object_new_array();
	json_object_array_add(t->notes, json_text(text));
}

/* -- stages ------------------------------------------------------------------------------------------------------- */

/* Room for all lines before the first write: nothing is allocated while disks may be cut off. */
void keep_room_for_lines(struct quiesce *t, size_t rounds)
{
	t->line_room = rounds * RIOMMU_STAGE_COUNT * t->q->iommu_count;
	t->lines = need(calloc(t->line_room ? t->line_room : 1, sizeof(*t->lines)));
}

static void outcome_words(enum riommu_outcome outcome, char words[24])
{
	snprintf(words, 24, "%s", riommu_outcome_name(outcome));
	for (char *c = words; *c; c++)
		if (*c == '_')
			*c = ' ';
}

void print_line(const char *stage, const char *object, enum riommu_outcome outcome,
		const char *words)
{
	char name[24];
	int column;

	outcome_words(outcome, name);
	column = printf("%-7s %-14s %s", stage, object, name);
	if (words[0])
		print_wrapped(stdout, words, (size_t)column, LINE_INDENT);
	else
		putchar('\n');
	out_flush();
}

/* stop and drain are about functions: how many of them, by outcome. */
static void count_functions(const struct quiesce *t, const struct riommu_quiesce_iommu *u,
			    enum riommu_stage stage, char *words, size_t size)
{
	size_t index = (size_t)(u - t->q->iommus), used = 0;

	words[0] = '\0';
	for (unsigned o = RIOMMU_OUTCOME_NOTHING; o <= RIOMMU_OUTCOME_FAILED; o++) {
		size_t n = 0;
		char name[24];
		int len;

		for (size_t i = 0; i < t->q->function_count; i++) {
			const struct riommu_quiesce_function *f = &t->q->functions[i];

			n += f->iommu == index &&
			     (stage == RIOMMU_STAGE_STOP ? f->stop : f->drain) == o;
		}
		if (!n || used >= size)
			continue;
		outcome_words((enum riommu_outcome)o, name);
		len = snprintf(words + used, size - used, "%s%zu %s", used ? ", " : "", n, name);
		used += len > 0 ? (size_t)len : 0;
	}
	if (!words[0])
		snprintf(words, size, "no function to do it with");
}

/* What was done with each function while taking back is not counted, only what was worst. */
static void print_stage(const struct quiesce *t, const struct riommu_quiesce_iommu *u,
			enum riommu_stage stage, bool undo)
{
	const struct riommu_stage_result *r = &u->result[stage];
	bool functions = stage == RIOMMU_STAGE_STOP || stage == RIOMMU_STAGE_DRAIN;
	char words[320], text[448];

	if (r->outcome == RIOMMU_OUTCOME_SKIPPED) {
		print_line(riommu_stage_name(stage), u->name, r->outcome, "");
		return;
	}
	if (functions && !undo)
		count_functions(t, u, stage, words, sizeof(words));
	else
		snprintf(words, sizeof(words), "%s%s%s", r->reg, r->reg[0] ? ": " : "", r->words);
	snprintf(text, sizeof(text), "%s (%u reads, %u writes, %" PRIu64 " us)", words, r->reads,
		 r->writes, r->microseconds);
	print_line(riommu_stage_name(stage), u->name, r->outcome, text);
}

void stage_done(struct quiesce *t, const struct riommu_quiesce_iommu *u, enum riommu_stage stage,
		bool undo)
{
	const struct riommu_stage_result *r = &u->result[stage];

	if (r->outcome == RIOMMU_OUTCOME_NOT_RUN)
		return;
	if (t->line_count < t->line_room) {
		struct stage_line *line = &t->lines[t->line_count++];

		*line = (struct stage_line){.undo = undo, .stage = stage, .result = *r};
		snprintf(line->iommu, sizeof(line->iommu), "%s", u->name);
	}
	if (!in_json(&t->out))
		print_stage(t, u, stage, undo);
	if (r->err)
		out_error(&t->out, r->err, "%s%s: %s%s%s: %s: %s", undo ? "undo " : "",
			  riommu_stage_name(stage), r->object, r->reg[0] ? ": " : "", r->reg,
			  riommu_outcome_name(r->outcome), r->words);
}

/* -- what Linux does ---------------------------------------------------------------------------------------------- */

void tell_linux_truths(struct quiesce *t)
{
	for (size_t i = 0; next_iommu(t, &i); i++) {
		const struct riommu_iommu *u = &t->sys->iommus[i];

		if (t->action == ACTION_STOP || !riommu_system_driven(t->sys, i) || t->undone)
			continue;
		note(t,
		     "%s: on a planned kexec the driver's shutdown undoes this Off (it writes "
		     "Bare, "
		     "wide open). To start the next kernel blocked use iommu-kexec-prep%s; after a "
		     "panic this Off stays",
		     u->name, u->found == RIOMMU_FOUND_PCI ? ", or --via remove" : "");
	}
	for (size_t i = 0; t->q && i < t->q->function_count; i++)
		if (t->q->functions[i].kind == RIOMMU_FUNCTION_PLATFORM)
			note(t,
			     "%s is no PCI function: it is not stopped, only refused by an IOMMU "
			     "that is Off",
			     t->q->functions[i].name);
}

/* -- JSON --------------------------------------------------------------------------------------------------------- */

static struct json_object *words_or_null(const char *text)
{
	char copy[256];

	if (!text[0])
		return NULL;
	snprintf(copy, sizeof(copy), "%s", text);
	printable(copy);
	return json_text(copy);
}

static void report_iommus(struct quiesce *t)
{
	out_list_begin(&t->out, "iommus");
	/* with --via remove no register was looked at: "removed" has what is known */
	for (size_t i = 0; t->q && t->action != ACTION_REMOVE && i < t->q->iommu_count; i++) {
		const struct riommu_quiesce_iommu *u = &t->q->iommus[i];
		bool read =
			u->verdict == RIOMMU_VERDICT_BLOCKED || u->verdict == RIOMMU_VERDICT_OPEN;
		struct json_object *o = json_object_new_object();

		json_add(o, "base", json_hex(u->base));
		json_add(o, "name", json_text(u->name));
		json_add(o, "capabilities", json_hex(u->capabilities));
		json_add(o, "mode_before", json_text(riommu_ddtp_mode_name(u->ddtp_old)));
		json_add(o, "ddtp_before", json_hex(u->ddtp_old));
		json_add(o, "ddtp_planned", json_hex(u->ddtp_new));
		json_add(o, "ddtp_read", read ? json_hex(u->ddtp_read) : NULL);
		json_add(o, "verdict", json_text(riommu_verdict_name(u->verdict)));
		out_item(&t->out, o);
	}
	out_list_end(&t->out);
}

static void report_functions(struct quiesce *t)
{
	out_list_begin(&t->out, "functions");
	for (size_t i = 0; t->q && i < t->q->function_count; i++) {
		const struct riommu_quiesce_function *f = &t->q->functions[i];
		bool pci =
			f->kind != RIOMMU_FUNCTION_PLATFORM && f->kind != RIOMMU_FUNCTION_UNKNOWN;
		struct json_object *o = json_object_new_object();

		json_add(o, "name", json_text(f->name));
		json_add(o, "driver", words_or_null(f->driver));
		json_add(o, "iommu", json_text(t->q->iommus[f->iommu].name));
		json_add(o, "kind", json_text(riommu_function_kind_name(f->kind)));
		json_add(o, "command_before", pci ? json_hex(f->command_old) : NULL);
		json_add(o, "command_after", pci ? json_hex(f->command_new) : NULL);
		json_add(o, "stop", json_text(riommu_outcome_name(f->stop)));
		json_add(o, "drain", json_text(riommu_outcome_name(f->drain)));
		json_add(o, "came_back", json_object_new_boolean(f->came_back));
		out_item(&t->out, o);
	}
	out_list_end(&t->out);
}

static void report_writes(struct quiesce *t)
{
	out_list_begin(&t->out, "writes");
	for (size_t i = 0; t->q && i < t->q->write_count; i++) {
		const struct riommu_quiesce_write *w = &t->q->writes[i];
		struct json_object *o = json_object_new_object();

		json_add(o, "stage", json_text(riommu_stage_name(w->stage)));
		json_add(o, "object", json_text(w->object));
		json_add(o, "register", json_text(w->reg));
		json_add(o, "offset", json_hex(w->write.offset));
		json_add(o, "width", json_count(w->write.width));
		json_add(o, "old", json_hex(w->old));
		json_add(o, "value", json_hex(w->write.value));
		out_item(&t->out, o);
	}
	out_list_end(&t->out);
}

static void report_stages(struct quiesce *t)
{
	out_list_begin(&t->out, "stages");
	for (size_t i = 0; i < t->line_count; i++) {
		const struct stage_line *line = &t->lines[i];
		const struct riommu_stage_result *r = &line->result;
		struct json_object *o = json_object_new_object();

		json_add(o, "stage", json_text(riommu_stage_name(line->stage)));
		json_add(o, "undo", json_object_new_boolean(line->undo));
		json_add(o, "iommu", json_text(line->iommu));
		json_add(o, "outcome", json_text(riommu_outcome_name(r->outcome)));
		json_add(o, "object", words_or_null(r->object));
		json_add(o, "register", words_or_null(r->reg));
		json_add(o, "words", words_or_null(r->words));
		json_add(o, "reads", json_count(r->reads));
		json_add(o, "writes", json_count(r->writes));
		json_add(o, "microseconds", json_count(r->microseconds));
		out_item(&t->out, o);
	}
	out_list_end(&t->out);
}

static void report_probes(struct quiesce *t)
{
	out_list_begin(&t->out, "probes");
	for (size_t i = 0; i < t->probe_count; i++) {
		const struct question *p = &t->probes[i];
		bool page = p->answered && !p->probe.fault;
		struct json_object *o;

		if (!p->answered)
			continue;
		o = json_object_new_object();
		json_add(o, "iommu", json_text(t->sys->iommus[p->iommu].name));
		json_add(o, "device_id", json_hex(p->request.device_id));
		json_add(o, "iova", json_hex(p->request.iova));
		json_add(o, "fault", json_object_new_boolean(p->probe.fault));
		json_add(o, "page", page ? json_hex(p->probe.page) : NULL);
		json_add(o, "response", json_hex(p->probe.response));
		out_item(&t->out, o);
	}
	out_list_end(&t->out);
}

static struct json_object *list(struct json_object **made)
{
	struct json_object *o = *made ? *made : json_object_new_array();

	*made = NULL;
	return o;
}

void report(struct quiesce *t)
{
	static const char *const actions[] = {"block", "handover", "stop", "remove", "undo"};
	bool final = t->action == ACTION_HANDOVER || t->action == ACTION_REMOVE;

	if (!in_json(&t->out)) {
		json_object_put(t->notes);
		return;
	}
	out_begin(&t->out, QUIESCE_SCHEMA, t->sys);
	out_member(&t->out, "action", json_text(actions[t->action]));
	out_member(&t->out, "plan", json_object_new_boolean(t->plan));
	out_member(&t->out, "final", json_object_new_boolean(final));
	report_iommus(t);
	report_functions(t);
	report_writes(t);
	out_member(&t->out, "users", list(&t->users));
	report_stages(t);
	report_probes(t);
	out_member(&t->out, "removed", list(&t->removed));
	out_member(&t->out, "notes", list(&t->notes));
	out_member(&t->out, "undone", json_object_new_boolean(t->undone));
	out_member(&t->out, "verdict", json_text(riommu_verdict_name(t->verdict)));
}
