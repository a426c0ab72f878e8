/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump faults: the records of the fault queue, and with --walk which entry decided each. */
#include "config.h"

#include "fault-words.h"
#include "queue-words.h"

#include <inttypes.h>
#include <stdlib.h>

#define ROWS_AT_ONCE 1024 /* of a text table; the next ones come in a table of their own */
#define WALKS_MAX    4096 /* distinct faults that are walked in text mode */
#define WALK_SLOTS   (2 * WALKS_MAX)

/* Records of the same request and cause are one fault that happened several times. */
struct distinct {
	struct riommu_fault fault;
	uint32_t index; /* of the first record */
	size_t count;
};

struct walks {
	struct distinct v[WALKS_MAX];
	size_t count;
	uint16_t slots[WALK_SLOTS]; /* open addressing; index into `v` plus 1, 0: free */
	bool full;
};

/* The faults of one IOMMU. */
struct listing {
	struct dump *d;
	size_t iommu;
	struct riommu_queue queue;

	bool walkable;
	struct riommu_walker walker;
	const char *missing_register; /* why not walkable; NULL: no memory */

	struct table *table;
	size_t rows, columns;
	size_t pending, history;
	uint64_t unread_pending;
	struct walks *walks; /* text only */
};

/* -- records in words -------------------------------------------------------------------------- */

/* The name where there is one, else the device_id. */
static const char *device_text(const struct listing *l, const struct riommu_fault *f, char *text,
			       size_t size)
{
	const char *name = riommu_system_device_name(l->d->sys, l->iommu, f->did);

	if (!riommu_fault_has_device(f))
		return NULL;
	if (name)
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "0x%" PRIx32, f->did);
	return text;
}

static const char *state_text(const struct listing *l, bool pending)
{
	return pending ? "pending" : l->queue.indexes_known ? "history" : "unknown";
}

static void flush_table(struct listing *l)
{
	if (l->table)
		table_print_free(l->table, stdout);
	l->table = NULL;
	l->rows = 0;
}

/* Columns that most queues leave empty are only there when a record needs them: the table then fits a screen. */
static void add_row(struct listing *l, const struct riommu_fault_visit *v)
{
	static const char *const columns[] = {">INDEX", "STATE",  "CAUSE",   "DEVICE",
					      "TYPE",   "IOTVAL", "PROCESS", "GPA"};
	const struct riommu_fault *f = &v->fault;
	size_t wanted = riommu_cause_has_gpa(f->cause) ? 8 : f->pv ? 7 : 6;
	char index[16], cause[80], device[96], process[40], iotval[24], gpa[80];

	if (l->rows++ == ROWS_AT_ONCE || wanted > l->columns) {
		flush_table(l);
		l->rows = 1;
	}
	if (!l->table) {
		l->columns = wanted;
		l->table = table_new(columns, wanted);
	}
	snprintf(index, sizeof(index), "%" PRIu32, v->index);
	snprintf(cause, sizeof(cause), "%u %s", f->cause, riommu_cause_name(f->cause));
	snprintf(iotval, sizeof(iotval), "0x%" PRIx64, f->iotval);
	table_row(l->table, (const char *const[]){index, state_text(l, v->pending), cause,
						  device_text(l, f, device, sizeof(device)),
						  fault_type_word(f), iotval,
						  fault_process_text(f, process, sizeof(process)),
						  fault_gpa_text(f, gpa, sizeof(gpa))});
}

/* -- walking ----------------------------------------------------------------------------------- */

enum verdict { VERDICT_SAME, VERDICT_OTHER_CAUSE, VERDICT_SUCCEEDS, VERDICT_UNKNOWN };

static const char *const verdict_names[] = {
	[VERDICT_SAME] = "same",
	[VERDICT_OTHER_CAUSE] = "other_cause",
	[VERDICT_SUCCEEDS] = "succeeds",
	[VERDICT_UNKNOWN] = "unknown",
};

static enum verdict judge(const struct riommu_fault *f, const struct riommu_translation *t)
{
	switch (t->result) {
	case RIOMMU_OK:
		return VERDICT_SUCCEEDS;
	case RIOMMU_FAULT:
		return t->cause == f->cause ? VERDICT_SAME : VERDICT_OTHER_CAUSE;
	case RIOMMU_UNKNOWN:
	default:
		return VERDICT_UNKNOWN;
	}
}

/* Causes of which the tables know nothing, or not all: memory and the device decide, too. */
static bool is_beyond_tables(unsigned cause)
{
	switch (cause) {
	case RIOMMU_CAUSE_INSTRUCTION_ACCESS_FAULT:
	case RIOMMU_CAUSE_READ_MISALIGNED:
	case RIOMMU_CAUSE_READ_ACCESS_FAULT:
	case RIOMMU_CAUSE_WRITE_MISALIGNED:
	case RIOMMU_CAUSE_WRITE_ACCESS_FAULT:
	case RIOMMU_CAUSE_DDT_LOAD_ACCESS_FAULT:
	case RIOMMU_CAUSE_MSI_PTE_LOAD_ACCESS_FAULT:
	case RIOMMU_CAUSE_MRIF_ACCESS_FAULT:
	case RIOMMU_CAUSE_PDT_LOAD_ACCESS_FAULT:
	case RIOMMU_CAUSE_DDT_CORRUPTION:
	case RIOMMU_CAUSE_PDT_CORRUPTION:
	case RIOMMU_CAUSE_MSI_PT_CORRUPTION:
	case RIOMMU_CAUSE_MRIF_CORRUPTION:
	case RIOMMU_CAUSE_INTERNAL_DATA_PATH:
	case RIOMMU_CAUSE_PT_CORRUPTION:
		return true;
	default:
		return false;
	}
}

/* What was there when the fault happened and is not any more, as far as the walk's cause tells; NULL: nothing. */
static const char *what_is_gone(const struct riommu_fault *f, const struct riommu_translation *t)
{
	if (judge(f, t) != VERDICT_OTHER_CAUSE)
		return NULL;
	switch (t->cause) {
	case RIOMMU_CAUSE_ALL_INBOUND_DISALLOWED:
		return "iommu";
	case RIOMMU_CAUSE_DDT_NOT_VALID:
		/* 256 and 257 come before the entry of the device is looked at */
		return f->cause == RIOMMU_CAUSE_ALL_INBOUND_DISALLOWED ||
				       f->cause == RIOMMU_CAUSE_DDT_LOAD_ACCESS_FAULT
			       ? NULL
			       : "device_context";
	case RIOMMU_CAUSE_PDT_NOT_VALID:
		/* so do those that the device context decides */
		return f->cause >= RIOMMU_CAUSE_ALL_INBOUND_DISALLOWED &&
				       f->cause <= RIOMMU_CAUSE_TYPE_DISALLOWED
			       ? NULL
			       : "process_context";
	default:
		return NULL;
	}
}

static const char *other_cause_words(const struct riommu_fault *f,
				     const struct riommu_translation *t)
{
	const char *gone = what_is_gone(f, t);

	if (!gone)
		return "the walk ends with another cause now: the tables or ddtp have changed "
		       "since";
	if (!strcmp(gone, "iommu"))
		return "the IOMMU has been blocked since (ddtp.iommu_mode is Off): it refuses "
		       "every request now";
	return !strcmp(gone, "device_context")
		       ? "the context of the device no longer exists: it was detached or blocked "
			 "since"
		       : "the context of the process no longer exists: it was unbound or has ended "
			 "since";
}

/* What it means for the fault that the walk ends as it does. */
static const char *verdict_words(const struct riommu_fault *f, const struct riommu_translation *t)
{
	switch (judge(f, t)) {
	case VERDICT_SAME:
		return "the walk ends with the same cause: the tables still say so";
	case VERDICT_OTHER_CAUSE:
		return other_cause_words(f, t);
	case VERDICT_SUCCEEDS:
		if (f->cause == RIOMMU_CAUSE_ALL_INBOUND_DISALLOWED)
			return "the walk succeeds now: the IOMMU was blocked then (ddtp.iommu_mode "
			       "was Off), and is not any more";
		return is_beyond_tables(f->cause)
			       ? "the walk succeeds, but the tables alone do not decide this "
				 "cause: "
				 "look at the device, and at the memory behind the address"
			       : "the walk succeeds now: the tables have changed since the fault, "
				 "or the IOMMU used a stale cache entry (an invalidation is "
				 "missing)";
	case VERDICT_UNKNOWN:
	default:
		return "whether the tables still say so cannot be told";
	}
}

static void add_walk(const struct listing *l, size_t line, const struct riommu_fault *f,
		     struct json_object *obj)
{
	struct riommu_request request;
	struct riommu_translation t = {.result = RIOMMU_UNKNOWN};
	struct riommu_trace trace;
	uint64_t base = l->d->sys->iommus[l->iommu].base;

	if (!riommu_fault_request(f, &request) || (!l->walkable && !l->missing_register)) {
		json_add(obj, "walk", NULL);
		json_add(obj, "walk_verdict", NULL);
		json_add(obj, "walk_gone", NULL);
		json_add(obj, "walk_words", NULL);
		return;
	}
	if (l->walkable)
		translation_walk(l->d->sys, &l->walker, &request, &t, &trace);
	json_add(obj, "walk",
		 translation_json(line, base, &request, &t, &trace, l->missing_register));
	json_add(obj, "walk_verdict", json_text(verdict_names[judge(f, &t)]));
	json_add(obj, "walk_gone", json_text(what_is_gone(f, &t)));
	json_add(obj, "walk_words", json_text(verdict_words(f, &t)));
}

static bool same_fault(const struct riommu_fault *a, const struct riommu_fault *b)
{
	return a->cause == b->cause && a->did == b->did && a->ttyp == b->ttyp && a->pv == b->pv &&
	       a->pid == b->pid && a->priv == b->priv && a->iotval == b->iotval;
}

/* Counts a fault for the walks that follow the table. */
static void remember(struct walks *w, const struct riommu_fault_visit *v)
{
	const struct riommu_fault *f = &v->fault;
	uint64_t hash = (f->iotval ^ (uint64_t)f->did << 40 ^ (uint64_t)f->pid << 12 ^ f->cause) *
			0x9e3779b97f4a7c15u;
	size_t slot = (size_t)(hash >> 32) % WALK_SLOTS;

	while (w->slots[slot] && !same_fault(&w->v[w->slots[slot] - 1].fault, f))
		slot = (slot + 1) % WALK_SLOTS;
	if (w->slots[slot]) {
		w->v[w->slots[slot] - 1].count++;
	} else if (w->count == WALKS_MAX) {
		w->full = true;
	} else {
		w->v[w->count++] = (struct distinct){.fault = *f, .index = v->index, .count = 1};
		w->slots[slot] = (uint16_t)w->count;
	}
}

/* The entry that decided, field by field; of a context only what is not zero. */
static void print_decider(const struct listing *l, const struct riommu_trace *trace)
{
	const struct riommu_step *step =
		trace->step_count ? &trace->step[trace->step_count - 1] : NULL;
	char words[96], text[200];

	if (!step)
		return;
	step_words(step, trace_tc(trace), l->walker.fctl, words, sizeof(words));
	snprintf(text, sizeof(text), "the %s of level %u at 0x%" PRIx64 ": %s",
		 riommu_structure_name(step->structure), step->level, step->address, words);
	print_wrapped(stdout, text,
		      (size_t)printf("    %s", step->count ? "decided by" : "the walk ends at"),
		      step->count ? 15 : 21);
	for (unsigned i = 0; i < step->count; i++) {
		const struct riommu_layout *layout =
			riommu_step_layout(step, i, trace_tc(trace), l->walker.fctl);

		if (!layout || !step->value[i])
			continue;
		printf("      %s = 0x%" PRIx64 "\n", layout->name, step->value[i]);
		print_layout(stdout, layout, step->value[i], 8, false);
	}
}

static void print_walk(const struct listing *l, const struct distinct *w)
{
	const struct riommu_fault *f = &w->fault;
	struct riommu_request request;
	struct riommu_translation t;
	struct riommu_trace trace;
	char label[96], process[64] = " by process ", more[48], text[400];
	int n;

	fault_process_text(f, process + strlen(process), sizeof(process) - strlen(process));
	n = printf("\nrecord %" PRIu32 ":", w->index);
	snprintf(more, sizeof(more), " and %zu more like it", w->count - 1);
	snprintf(text, sizeof(text), "%u %s, %s%s%s%s of 0x%" PRIx64 "%s", f->cause,
		 riommu_cause_name(f->cause),
		 riommu_fault_has_device(f)
			 ? dump_device_label(l->d, l->iommu, f->did, label, sizeof(label))
			 : "no device",
		 ", ", riommu_ttyp_name(f->ttyp), f->pv ? process : "", f->iotval,
		 w->count > 1 ? more : "");
	/* the newline is not on this line */
	print_wrapped(stdout, text, (size_t)n - 1, (size_t)n);
	if (!riommu_fault_request(f, &request)) {
		printf("    it is not about a request for an address: there is nothing to walk\n");
		return;
	}
	translation_walk(l->d->sys, &l->walker, &request, &t, &trace);
	translation_print(stdout, 4, l->walker.fctl, &request, &t, &trace);
	if (t.result != RIOMMU_OK)
		print_decider(l, &trace);
	print_wrapped(stdout, verdict_words(f, &t), 0, 4);
}

static void print_walks(const struct listing *l)
{
	if (!l->walks || !l->walkable)
		return;
	for (size_t i = 0; i < l->walks->count; i++)
		print_walk(l, &l->walks->v[i]);
	if (l->walks->full)
		printf("\nonly the first %d different faults were walked\n", WALKS_MAX);
}

/* -- all of them ------------------------------------------------------------------------------- */

static struct json_object *record_json(const struct listing *l, const struct riommu_fault_visit *v)
{
	struct json_object *obj = json_object_new_object(), *raw = json_object_new_array();
	struct known_fault k = {
		.fault = v->fault,
		.has_header = true,
		.has_iotval = true,
		.has_iotval2 = true,
		.has_dw1 = true,
	};
	const char *name = riommu_fault_has_device(&k.fault)
				   ? riommu_system_device_name(l->d->sys, l->iommu, v->fault.did)
				   : NULL;

	json_add(obj, "iommu", json_hex(l->d->sys->iommus[l->iommu].base));
	json_add(obj, "index", json_object_new_int64(v->index));
	json_add(obj, "pending",
		 l->queue.indexes_known ? json_object_new_boolean(v->pending) : NULL);
	json_add(obj, "device", json_text(name));
	fault_members(obj, &k);
	for (unsigned i = 0; i < 4; i++)
		json_object_array_add(raw, json_hex(v->dw[i]));
	json_add(obj, "raw", raw);
	if (l->d->walk)
		add_walk(l, l->pending + l->history, &v->fault, obj);
	return obj;
}

static int list_fault(void *arg, const struct riommu_fault_visit *v)
{
	struct listing *l = arg;

	if (v->error) {
		if (v->pending)
			l->unread_pending += v->skipped;
		queue_unreadable(l->d, l->iommu, &l->queue, v->index, v->skipped, v->error);
		return 0;
	}
	*(v->pending ? &l->pending : &l->history) += 1;
	if (in_json(&l->d->out)) {
		out_item(&l->d->out, record_json(l, v));
		return 0;
	}
	add_row(l, v);
	if (l->walks)
		remember(l->walks, v);
	return 0;
}

/* Says what the list does not show. */
static void print_summary(const struct listing *l)
{
	uint64_t seen = l->pending + l->unread_pending, all = riommu_queue_pending(&l->queue);

	if (!l->pending && !l->history)
		printf("  no fault records in the ring\n");
	if (all > seen)
		printf("  %" PRIu64
		       " pending entries are all zero: not written yet, or registers and\n"
		       "  memory are of different moments\n",
		       all - seen);
}

static void list_faults(struct dump *d, size_t iommu)
{
	struct listing l = {.d = d, .iommu = iommu};

	if (!queue_begin(d, iommu, RIOMMU_FQ, &l.queue))
		return;
	if (d->walk)
		l.walkable = dump_walker(d, iommu, &l.walker, &l.missing_register);
	if (d->walk && !in_json(&d->out)) {
		l.walks = need(calloc(1, sizeof(*l.walks)));
	}
	riommu_visit_faults(&l.queue, list_fault, &l);
	flush_table(&l);
	if (!in_json(&d->out))
		print_summary(&l);
	print_walks(&l);
	free(l.walks);
}

void dump_faults(struct dump *d, int argc, char **argv)
{
	size_t index = 0;

	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	if (argc) {
		out_error(&d->out, -EINVAL, "faults takes no argument ('%s'); -u chooses an IOMMU",
			  argv[0]);
		return;
	}
	queue_iommus(d);
	out_list_begin(&d->out, "faults");
	for (bool first = true; dump_next_iommu(d, &index); index++, first = false) {
		if (!first && !in_json(&d->out))
			putchar('\n');
		list_faults(d, index);
	}
	out_list_end(&d->out);
}

struct json_object *dump_fault_json(struct dump *d, size_t iommu, const struct riommu_queue *queue,
				    const struct riommu_fault_visit *v)
{
	struct listing l = {.d = d, .iommu = iommu, .queue = *queue};

	return record_json(&l, v);
}
