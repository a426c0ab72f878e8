/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump commands, requests: the command queue and the page-request queue, entry by entry. */
#include "config.h"

#include "queue-words.h"

#include <inttypes.h>

#define WORDS_COLUMN 28
#define ATS_MAX      8 /* devices of ATS.INVAL that are remembered until a fence */

/* One of the two queues of one IOMMU. */
struct listing {
	struct dump *d;
	size_t iommu;
	struct riommu_queue queue;
	struct riommu_command_limits limits;
	size_t pending, history;
	const char *heading; /* the one that was printed last */

	/* ATS.INVAL since the last IOFENCE.C: one of these is what timed out */
	uint64_t ats[ATS_MAX];
	size_t ats_count;
};

/* -- the command at which the queue stands still ------------------------------------------------- */

/* True if V is where an error of cqcsr stopped the queue: cqh stays on that command (4.1, facts 1.9). */
static bool stands_here(const struct listing *l, const struct riommu_entry_visit *v)
{
	const char *bits[4];

	return l->queue.kind == RIOMMU_CQ && v->pending && v->index == l->queue.head &&
	       queue_error_bits(&l->queue, bits);
}

static void remember_ats(struct listing *l, uint64_t dw0)
{
	if (riommu_command(dw0) == RIOMMU_COMMAND_IOFENCE_C)
		l->ats_count = 0;
	if (riommu_command(dw0) != RIOMMU_COMMAND_ATS_INVAL)
		return;
	dw0 &= riommu_mask(63, 40) | (uint64_t)1 << 33 | 0x7f; /* RID, DSEG, DSV */
	for (size_t i = 0; i < l->ats_count; i++)
		if (l->ats[i] == dw0)
			return;
	if (l->ats_count < ATS_MAX)
		l->ats[l->ats_count++] = dw0;
}

/* "; sent to 0000:01:00.0 (0x100), ..." */
static void ats_words(const struct listing *l, char *text, size_t size)
{
	char device[96];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < l->ats_count && at < size; i++)
		at += (size_t)snprintf(
			text + at, size - at, "%s%s",
			i ? ", " : ": sent since the fence before to ",
			ats_device(l->d, l->iommu, l->ats[i], device, sizeof(device)));
}

/* What the error bit means for this command, and what to do. */
static void stop_advice(const struct listing *l, const uint64_t dw[2], char *text, size_t size)
{
	static const char again[] = "Then write 1 to the bit, and give again everything since the "
				    "last IOFENCE.C that completed";
	bool stores = riommu_command(dw[0]) == RIOMMU_COMMAND_IOFENCE_C && riommu_bit(dw[0], 10);
	const char *bits[4], *wrong[RIOMMU_COMMAND_RULES];
	char ats[400];

	ats_words(l, ats, sizeof(ats));
	queue_error_bits(&l->queue, bits); /* in the order of cqmf, cmd_to, cmd_ill */
	if (!strcmp(bits[0], "cqmf"))
		snprintf(text, size,
			 "reading the command%s met a memory fault: check cqb%s against "
			 "capabilities.PAS and the memory map. %s",
			 stores ? " or storing its DATA" : "", stores ? " and ADDR" : "", again);
	else if (!strcmp(bits[0], "cmd_to"))
		snprintf(text, size,
			 "an ATS.INVAL before this fence got no answer%s. Reset the device, or "
			 "disable "
			 "its ATS, and block it. %s, each ATS.INVAL with a fence of its own to "
			 "find out "
			 "whose",
			 ats, again);
	else
		snprintf(text, size, "the IOMMU refused this command: %s. %s",
			 riommu_command_wrong(dw, &l->limits, wrong)
				 ? "the driver that wrote it is wrong, or the ring was overwritten"
				 : "by the specification and these registers it is legal, so "
				   "either memory has changed since, or the IOMMU takes less than "
				   "it should",
			 again);
}

/* -- JSON ---------------------------------------------------------------------------------------- */

static struct json_object *entry_json(const struct listing *l, const struct riommu_entry_visit *v)
{
	struct json_object *obj = json_object_new_object(), *bits = json_object_new_array();
	const char *names[4];
	bool here = stands_here(l, v);
	size_t n = here ? queue_error_bits(&l->queue, names) : 0;
	char advice[900];

	json_add(obj, "iommu", json_hex(l->d->sys->iommus[l->iommu].base));
	json_add(obj, "index", json_object_new_int64(v->index));
	json_add(obj, "pending",
		 l->queue.indexes_known ? json_object_new_boolean(v->pending) : NULL);
	if (l->queue.kind == RIOMMU_PQ) {
		json_object_put(bits);
		request_members(obj, l->d, l->iommu, v->dw);
		return obj;
	}
	for (size_t i = 0; i < n; i++)
		json_object_array_add(bits, json_text(names[i]));
	if (here)
		stop_advice(l, v->dw, advice, sizeof(advice));
	command_members(obj, l->d, l->iommu, v->dw, 2);
	json_add(obj, "error_bits", bits);
	json_add(obj, "advice", here ? json_text(advice) : NULL);
	return obj;
}

/* -- text ---------------------------------------------------------------------------------------- */

static void print_heading(struct listing *l, bool pending)
{
	const char *heading = "Entries, in the order of memory:";

	if (l->queue.indexes_known && pending)
		heading = l->queue.kind == RIOMMU_CQ ? "Pending, not yet taken by the IOMMU:"
						     : "Pending, not yet taken by software:";
	else if (l->queue.indexes_known)
		heading = "History, taken but still in memory, oldest first:";
	if (heading != l->heading)
		printf("%s\n", heading);
	l->heading = heading;
}

static void print_command(const struct listing *l, const struct riommu_entry_visit *v)
{
	const char *wrong[RIOMMU_COMMAND_RULES], *bits[4];
	size_t n = riommu_command_wrong(v->dw, &l->limits, wrong);
	char text[1000], advice[900];
	int at;

	command_words(l->d, l->iommu, v->dw, text, sizeof(text));
	at = printf("%7" PRIu32 "  %s", v->index, command_label(v->dw[0]));
	print_wrapped(stdout, text, (size_t)at, WORDS_COLUMN);
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "ILLEGAL: %s", wrong[i]);
		print_wrapped(stdout, text, 0, WORDS_COLUMN);
	}
	if (!stands_here(l, v))
		return;
	n = queue_error_bits(&l->queue, bits);
	stop_advice(l, v->dw, advice, sizeof(advice));
	snprintf(text, sizeof(text), "%s%s%s: %s", bits[0], n > 1 ? " and " : "",
		 n > 1 ? bits[1] : "", advice);
	print_wrapped(stdout, text, (size_t)printf("  -->    STOPPED HERE"), WORDS_COLUMN);
}

static void print_request(const struct listing *l, const struct riommu_entry_visit *v)
{
	char words[200], device[96];
	int at;

	request_words(v->dw, words, sizeof(words));
	at = printf(
		"%7" PRIu32 "  %s", v->index,
		dump_device_label(l->d, l->iommu, request_device(v->dw), device, sizeof(device)));
	print_wrapped(stdout, words, (size_t)at, WORDS_COLUMN + 4);
}

static int list_entry(void *arg, const struct riommu_entry_visit *v)
{
	struct listing *l = arg;

	if (v->error) {
		queue_unreadable(l->d, l->iommu, &l->queue, v->index, v->skipped, v->error);
		return 0;
	}
	*(v->pending ? &l->pending : &l->history) += 1;
	if (in_json(&l->d->out)) {
		out_item(&l->d->out, entry_json(l, v));
	} else {
		print_heading(l, v->pending);
		if (l->queue.kind == RIOMMU_CQ)
			print_command(l, v);
		else
			print_request(l, v);
	}
	if (l->queue.kind == RIOMMU_CQ)
		remember_ats(l, v->dw[0]);
	return 0;
}

static void print_summary(const struct listing *l)
{
	const char *bits[4];

	if (!l->pending && !l->history)
		printf("  no %s in the ring\n",
		       l->queue.kind == RIOMMU_CQ ? "commands" : "page requests");
	if (l->queue.kind == RIOMMU_CQ && l->pending && (l->queue.csr & RIOMMU_QUEUE_ON) &&
	    !queue_error_bits(&l->queue, bits))
		print_wrapped(
			stdout,
			"no error bit is set: the IOMMU has not come to the pending ones yet. "
			"If head is the same in another run it waits, for a device's answer to "
			"an ATS.INVAL perhaps, or it is stuck",
			0, 2);
}

/* -- all of them --------------------------------------------------------------------------------- */

/* An IOMMU without ATS has no page-request queue: that is an answer, and no error. */
static bool has_no_requests(const struct dump *d, size_t iommu)
{
	const struct riommu_iommu *unit = &d->sys->iommus[iommu];
	uint64_t capabilities;

	if (riommu_iommu_reg(unit, RIOMMU_REG_CAPABILITIES, &capabilities) ||
	    (capabilities & RIOMMU_CAP_ATS))
		return false;
	if (!in_json(&d->out))
		printf("%s at 0x%" PRIx64 ": no page-request queue: capabilities.ATS is 0\n",
		       unit->name, unit->base);
	return true;
}

static void list_queue(struct dump *d, size_t iommu, enum riommu_queue_kind kind)
{
	struct listing l = {.d = d, .iommu = iommu, .limits = command_limits(d, iommu)};

	if (kind == RIOMMU_PQ && has_no_requests(d, iommu))
		return;
	if (!queue_begin(d, iommu, kind, &l.queue))
		return;
	riommu_visit_entries(&l.queue, list_entry, &l);
	if (!in_json(&d->out))
		print_summary(&l);
}

static void list_queues(struct dump *d, const char *name, enum riommu_queue_kind kind, int argc,
			char **argv)
{
	size_t index = 0;

	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	if (argc) {
		out_error(&d->out, -EINVAL, "%s takes no argument ('%s'); -u chooses an IOMMU",
			  name, argv[0]);
		return;
	}
	queue_iommus(d);
	out_list_begin(&d->out, name);
	for (bool first = true; dump_next_iommu(d, &index); index++, first = false) {
		if (!first && !in_json(&d->out))
			putchar('\n');
		list_queue(d, index, kind);
	}
	out_list_end(&d->out);
}

void dump_commands(struct dump *d, int argc, char **argv)
{
	list_queues(d, "commands", RIOMMU_CQ, argc, argv);
}

void dump_requests(struct dump *d, int argc, char **argv)
{
	list_queues(d, "requests", RIOMMU_PQ, argc, argv);
}
