/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump list: each IOMMU at a glance, and, where it cannot be read, why and what to do. */
#include "config.h"

#include "dump.h"

#include "queue/queue.h"

#include <inttypes.h>
#include <stdlib.h>

#define LABEL    16 /* column of the values */
#define MAX_WAYS 8

static const char *const found_names[] = {
	[RIOMMU_FOUND_DT] = "device_tree", [RIOMMU_FOUND_ACPI] = "acpi",
	[RIOMMU_FOUND_PCI] = "pci",        [RIOMMU_FOUND_NOTE] = "note",
	[RIOMMU_FOUND_OPTION] = "option",  [RIOMMU_FOUND_RECORD] = "record",
};

static const char *const found_words[] = {
	[RIOMMU_FOUND_DT] = "device tree", [RIOMMU_FOUND_ACPI] = "ACPI",
	[RIOMMU_FOUND_PCI] = "PCI bus",    [RIOMMU_FOUND_NOTE] = "capture",
	[RIOMMU_FOUND_OPTION] = "option",  [RIOMMU_FOUND_RECORD] = "handover",
};

static const char *const way_names[] = {
	[RIOMMU_WAY_OPEN] = "open",
	[RIOMMU_WAY_REFUSED] = "refused",
	[RIOMMU_WAY_ABSENT] = "absent",
	[RIOMMU_WAY_UNTRIED] = "untried",
};

static const struct {
	const char *key, *word;
	enum riommu_queue_kind kind;
	uint32_t csr;
} queues[] = {
	{"cq", "command", RIOMMU_CQ, RIOMMU_REG_CQCSR},
	{"fq", "fault", RIOMMU_FQ, RIOMMU_REG_FQCSR},
	{"pq", "page-request", RIOMMU_PQ, RIOMMU_REG_PQCSR},
};

struct dump_ways {
	struct riommu_way way[MAX_WAYS];
	size_t count;
};

/* What is known of one IOMMU. */
struct summary {
	const struct riommu_iommu *iommu;
	size_t index;
	bool has_capabilities, has_ddtp;
	uint64_t capabilities, ddtp;
	bool counted; /* the directory was visited */
	uint64_t valid, not_valid, unreadable;
	int unreadable_error;
	struct dump_ways ways;
};

/* -- finding out --------------------------------------------------------------------------------------------------- */

static int count_context(void *arg, const struct riommu_dc_visit *v)
{
	struct summary *s = arg;

	if (v->dc) {
		if (v->dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_V)
			s->valid++;
		else
			s->not_valid++;
	} else {
		s->unreadable++;
		s->unreadable_error = v->error;
	}
	return 0;
}

static bool has_directory(uint64_t ddtp)
{
	uint64_t mode = riommu_bits(ddtp, 3, 0);

	return mode >= RIOMMU_DDTP_1LVL && mode <= RIOMMU_DDTP_3LVL;
}

static void count_contexts(struct dump *d, struct summary *s)
{
	struct riommu_walker walker;
	const char *missing;
	int err;

	if (!s->has_ddtp || !has_directory(s->ddtp) ||
	    riommu_walker_init(&walker, d->sys, s->index, &missing))
		return;
	if (!d->sys->memory) {
		out_error(&d->out, d->sys->memory_error, "%s: contexts cannot be counted: %s",
			  s->iommu->name, d->sys->memory_reason);
		return;
	}
	err = riommu_visit_dcs(&walker, count_context, s);
	if (err) {
		out_error(&d->out, err, "%s: contexts cannot be counted: %s", s->iommu->name,
			  strerror(-err));
		return;
	}
	s->counted = true;
	if (s->unreadable)
		out_error(&d->out, dump_gap_error(s->unreadable_error),
			  "%s: %" PRIu64 " part%s of the device directory cannot be read",
			  s->iommu->name, s->unreadable, s->unreadable == 1 ? "" : "s");
}

static void summarize(struct dump *d, size_t index, struct summary *s)
{
	memset(s, 0, sizeof(*s));
	s->index = index;
	s->iommu = &d->sys->iommus[index];
	s->has_capabilities =
		!riommu_iommu_reg(s->iommu, RIOMMU_REG_CAPABILITIES, &s->capabilities);
	s->has_ddtp = !riommu_iommu_reg(s->iommu, RIOMMU_REG_DDTP, &s->ddtp);
	if (s->iommu->error)
		out_error(&d->out, s->iommu->error, "%s: registers cannot be read: %s",
			  s->iommu->name, s->iommu->reason);
	count_contexts(d, s);
	if (d->ways)
		s->ways = d->ways[index];
}

static void version_text(uint64_t capabilities, char *text, size_t size)
{
	snprintf(text, size, "%u.%u", (unsigned)riommu_bits(capabilities, 7, 4),
		 (unsigned)riommu_bits(capabilities, 3, 0));
}

/* Error bits of a queue: those that stay set until someone clears them, bits 8 to 11 of each csr. */
static bool is_error(const struct riommu_field *field)
{
	return field->kind == RIOMMU_FIELD_FLAG && field->lo >= 8 && field->lo <= 11 &&
	       strcmp(field->name, "fence_w_ip");
}

static const struct riommu_layout *csr_layout(size_t queue)
{
	return riommu_registers()[riommu_reg_by_offset(queues[queue].csr)].layout;
}

static bool csr_flag(size_t queue, uint32_t csr, const char *suffix)
{
	const struct riommu_layout *layout = csr_layout(queue);
	char name[8];
	const struct riommu_field *field;

	snprintf(name, sizeof(name), "%s%s", queues[queue].key, suffix);
	field = riommu_layout_field(layout, name);
	return field && riommu_field_get(field, csr);
}

/* -- JSON ---------------------------------------------------------------------------------------------------------- */

static struct json_object *error_bits(size_t queue, const struct riommu_queue *q)
{
	const struct riommu_layout *layout = csr_layout(queue);
	struct json_object *errors = json_object_new_array();

	for (size_t i = 0; i < layout->count; i++) {
		if (is_error(&layout->fields[i]) && riommu_field_get(&layout->fields[i], q->csr))
			json_object_array_add(errors, json_text(layout->fields[i].name));
	}
	return errors;
}

static struct json_object *queue_json(struct dump *d, size_t index, size_t queue)
{
	struct json_object *obj;
	struct riommu_queue q;
	int err = riommu_queue_open(d->sys, index, queues[queue].kind, &q);
	bool known = q.indexes_known;

	if (err && err != -EBADMSG)
		return NULL;
	obj = json_object_new_object();
	json_add(obj, "base", json_hex(q.base));
	json_add(obj, "entries", json_object_new_int64(q.entries));
	json_add(obj, "head", known ? json_object_new_int64(q.head) : NULL);
	json_add(obj, "tail", known ? json_object_new_int64(q.tail) : NULL);
	json_add(obj, "pending", known ? json_object_new_int64(riommu_queue_pending(&q)) : NULL);
	json_add(obj, "on", known ? json_object_new_boolean(csr_flag(queue, q.csr, "on")) : NULL);
	json_add(obj, "error_bits", known ? error_bits(queue, &q) : NULL);
	return obj;
}

struct json_object *dump_queues_json(struct dump *d, size_t index)
{
	struct json_object *all = json_object_new_object();

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(queues); i++)
		json_add(all, queues[i].key, queue_json(d, index, i));
	return all;
}

static struct json_object *ways_json(const struct summary *s)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < s->ways.count; i++) {
		struct json_object *way = json_object_new_object();

		json_add(way, "method", json_text(s->ways.way[i].method));
		json_add(way, "state", json_text(way_names[s->ways.way[i].state]));
		json_add(way, "reason",
			 json_text(s->ways.way[i].reason[0] ? s->ways.way[i].reason : NULL));
		json_add(way, "remedy",
			 json_text(s->ways.way[i].remedy[0] ? s->ways.way[i].remedy : NULL));
		json_object_array_add(list, way);
	}
	return list;
}

static struct json_object *iommu_json(struct dump *d, const struct summary *s)
{
	struct json_object *obj = dump_iommu_json(d, s->index);
	const struct riommu_layout *layout =
		riommu_registers()[riommu_reg_by_offset(RIOMMU_REG_CAPABILITIES)].layout;
	char version[16];

	version_text(s->capabilities, version, sizeof(version));
	json_add(obj, "found", json_text(found_names[s->iommu->found]));
	json_add(obj, "where", json_text(s->iommu->where));
	json_add(obj, "method", json_text(s->iommu->method));
	json_add(obj, "reason", json_text(s->iommu->error ? s->iommu->reason : NULL));
	json_add(obj, "version", s->has_capabilities ? json_text(version) : NULL);
	json_add(obj, "capabilities",
		 s->has_capabilities ? json_layout(layout, s->capabilities) : NULL);
	json_add(obj, "contexts",
		 s->counted && !s->unreadable
			 ? json_object_new_int64((int64_t)(s->valid + s->not_valid))
			 : NULL);
	json_add(obj, "queues", dump_queues_json(d, s->index));
	json_add(obj, "ways", ways_json(s));
	return obj;
}

/* -- text ---------------------------------------------------------------------------------------------------------- */

static void print_line(const char *label, const char *words)
{
	print_wrapped(stdout, words, (size_t)printf("  %s", label), LABEL);
}

/* The flags of capabilities whose bits lie in HI..LO, by name, separated by spaces. */
static void add_flags(const struct summary *s, unsigned hi, unsigned lo, char *text, size_t size)
{
	const struct riommu_layout *layout =
		riommu_registers()[riommu_reg_by_offset(RIOMMU_REG_CAPABILITIES)].layout;

	for (size_t i = 0; i < layout->count; i++) {
		const struct riommu_field *f = &layout->fields[i];
		size_t used = strlen(text);

		if (f->kind == RIOMMU_FIELD_FLAG && f->lo >= lo && f->hi <= hi &&
		    riommu_field_get(f, s->capabilities))
			snprintf(text + used, size - used, "%s%s", used ? " " : "", f->name);
	}
}

static void print_flags(const struct summary *s, const char *label, unsigned hi, unsigned lo)
{
	char text[512] = "";

	add_flags(s, hi, lo, text, sizeof(text));
	print_line(label, text[0] ? text : "none");
}

/* Bits 8 to 15 are about the first stage, 16 to 20 about the second; what follows is the rest. */
static void print_capabilities(const struct summary *s)
{
	static const char *const interrupts[] = {"messages (MSI)", "wires (WSI)",
						 "messages (MSI) or wires (WSI)", "reserved"};
	char text[512], version[16];

	version_text(s->capabilities, version, sizeof(version));
	print_line("version", version);
	print_flags(s, "first stage", 15, 8);
	print_flags(s, "second stage", 20, 16);
	snprintf(text, sizeof(text), "%u address bits",
		 (unsigned)riommu_bits(s->capabilities, 37, 32));
	print_line("physical", text);
	print_line("interrupts", interrupts[riommu_bits(s->capabilities, 29, 28)]);
	text[0] = '\0';
	add_flags(s, 27, 21, text, sizeof(text));
	add_flags(s, 31, 30, text, sizeof(text));
	add_flags(s, 55, 38, text, sizeof(text));
	print_line("also", text[0] ? text : "nothing");
}

static void print_mode(const struct summary *s)
{
	static const char *const meaning[] = {
		[RIOMMU_DDTP_OFF] = ": every access by a device is refused",
		[RIOMMU_DDTP_BARE] = ": every access by a device passes, untranslated",
	};
	uint64_t mode = riommu_bits(s->ddtp, 3, 0);
	char name[16], text[128], directory[48] = "";

	mode_text(s->ddtp, name, sizeof(name));
	if (has_directory(s->ddtp))
		snprintf(directory, sizeof(directory), ", device directory at 0x%" PRIx64,
			 (s->ddtp & 0x003ffffffffffc00) << 2);
	else if (mode > RIOMMU_DDTP_3LVL)
		snprintf(directory, sizeof(directory), ": reserved or custom");
	snprintf(text, sizeof(text), "%s%s%s%s", name,
		 mode < RIOMMU_ARRAY_SIZE(meaning) ? meaning[mode] : "", directory,
		 s->ddtp & RIOMMU_DDTP_BUSY ? " (busy: a change is under way)" : "");
	print_line("mode", text);
}

static void print_contexts(struct dump *d, const struct summary *s)
{
	char text[160];

	if (!s->has_ddtp || !has_directory(s->ddtp))
		return;
	if (!s->counted)
		snprintf(text, sizeof(text), "unknown");
	else if (s->unreadable)
		snprintf(text, sizeof(text),
			 "at least %" PRIu64 " valid, %" PRIu64 " not valid; %" PRIu64
			 " part%s of the directory cannot be read",
			 s->valid, s->not_valid, s->unreadable, s->unreadable == 1 ? "" : "s");
	else
		snprintf(text, sizeof(text), "%" PRIu64 " valid, %" PRIu64 " not valid", s->valid,
			 s->not_valid);
	print_line("contexts", text);
	if (s->counted && dump_zero_root(d, s->ddtp))
		print_line("", DUMP_ZERO_ROOT);
}

static void queue_state(size_t queue, const struct riommu_queue *q, char *text, size_t size)
{
	const struct riommu_layout *layout = csr_layout(queue);
	bool error = false;

	for (size_t i = 0; i < layout->count; i++)
		error = error || (is_error(&layout->fields[i]) &&
				  riommu_field_get(&layout->fields[i], q->csr));
	if (!q->indexes_known)
		snprintf(text, size, "unknown");
	else
		snprintf(text, size, "%s%s%s", csr_flag(queue, q->csr, "on") ? "on" : "off",
			 riommu_bit(q->csr, 17) ? ", busy" : "", error ? ", error" : "");
}

/* What each error bit that is set means, below the table. */
static void print_queue_errors(size_t queue, const struct riommu_queue *q)
{
	const struct riommu_layout *layout = csr_layout(queue);
	char words[256];

	for (size_t i = 0; q->indexes_known && i < layout->count; i++) {
		const struct riommu_field *f = &layout->fields[i];

		if (!is_error(f) || !riommu_field_get(f, q->csr))
			continue;
		snprintf(words, sizeof(words), "%s queue: %s", queues[queue].word, f->doc);
		print_line(f->name, words);
	}
}

static void print_queues(struct dump *d, const struct summary *s)
{
	struct riommu_queue q[RIOMMU_ARRAY_SIZE(queues)];
	int err[RIOMMU_ARRAY_SIZE(queues)];
	bool any = false;

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(queues); i++) {
		err[i] = riommu_queue_open(d->sys, s->index, queues[i].kind, &q[i]);
		any = any || !err[i] || err[i] == -EBADMSG;
	}
	if (!any)
		return;
	printf("\n  %-12s  %-12s %7s %7s %7s %7s  STATE\n", "QUEUE", "BASE", "ENTRIES", "HEAD",
	       "TAIL", "PENDING");
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(queues); i++) {
		char base[24], state[32], head[16] = "-", tail[16] = "-", pending[16] = "-";

		if (err[i] && err[i] != -EBADMSG)
			continue;
		snprintf(base, sizeof(base), "0x%" PRIx64, q[i].base);
		if (q[i].indexes_known) {
			snprintf(head, sizeof(head), "%" PRIu32, q[i].head);
			snprintf(tail, sizeof(tail), "%" PRIu32, q[i].tail);
			snprintf(pending, sizeof(pending), "%" PRIu32, riommu_queue_pending(&q[i]));
		}
		queue_state(i, &q[i], state, sizeof(state));
		printf("  %-12s  %-12s %7" PRIu32 " %7s %7s %7s  %s\n", queues[i].word, base,
		       q[i].entries, head, tail, pending, state);
	}
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(queues); i++) {
		if (!err[i] || err[i] == -EBADMSG)
			print_queue_errors(i, &q[i]);
	}
}

static void print_ways(const struct summary *s)
{
	if (s->ways.count)
		printf("\n  %-*s %s\n", LABEL - 3, "WAY IN", "STATE");
	for (size_t i = 0; i < s->ways.count; i++) {
		const struct riommu_way *way = &s->ways.way[i];

		printf("  %-*s %s\n", LABEL - 3, way->method, way_names[way->state]);
		if (way->reason[0])
			print_line("", way->reason);
		if (way->remedy[0]) {
			char words[sizeof(way->remedy) + 4];

			snprintf(words, sizeof(words), "-> %s", way->remedy);
			print_line("", words);
		}
	}
}

static void print_iommu(struct dump *d, const struct summary *s)
{
	char text[sizeof(s->iommu->where) + 32];

	printf("IOMMU %s\n", s->iommu->name);
	snprintf(text, sizeof(text), "0x%" PRIx64, s->iommu->base);
	print_line("base", text);
	snprintf(text, sizeof(text), "%s: %s", found_words[s->iommu->found], s->iommu->where);
	print_line("found by", text);
	print_line("read through", s->iommu->method ? s->iommu->method : "nothing");
	if (s->iommu->error)
		print_line("not read", s->iommu->reason);
	if (s->has_ddtp)
		print_mode(s);
	print_contexts(d, s);
	if (s->has_capabilities)
		print_capabilities(s);
	print_queues(d, s);
	print_ways(s);
}

/* Each way is really tried: files are opened. */
void dump_list_open(struct dump *d, int argc, char **argv)
{
	(void)argv;
	if (argc || !d->sys->live)
		return;
	d->ways = need(calloc(d->sys->iommu_count, sizeof(*d->ways)));
	for (size_t i = 0; dump_next_iommu(d, &i); i++)
		d->ways[i].count =
			riommu_ways(d->ctx, d->sys->iommus[i].base, d->ways[i].way, MAX_WAYS);
}

void dump_list(struct dump *d, int argc, char **argv)
{
	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	if (argc) {
		out_error(&d->out, -EINVAL, "list takes no argument '%s'", argv[0]);
		return;
	}
	out_list_begin(&d->out, "iommus");
	for (size_t i = 0, n = 0; dump_next_iommu(d, &i); i++, n++) {
		struct summary s;

		summarize(d, i, &s);
		if (in_json(&d->out)) {
			out_item(&d->out, iommu_json(d, &s));
			continue;
		}
		if (n)
			putchar('\n');
		print_iommu(d, &s);
	}
	out_list_end(&d->out);
	free(d->ways);
}
