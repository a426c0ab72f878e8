/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-top: what happens, in words; the same for the screen and for text. */
#include "config.h"

#include "fault-words.h"
#include "top.h"
#include "translation.h"

#include <inttypes.h>
#include <stdlib.h>

void top_device_text(const struct top *t, uint32_t iommu, bool has_device, uint32_t device_id,
		     char *text, size_t size)
{
	const char *name =
		has_device ? riommu_system_device_name(t->sys, iommu, device_id) : "(none)";

	if (name)
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "0x%" PRIx32, device_id);
}

void top_rate_text(uint64_t tenths, char *text, size_t size)
{
	if (tenths < 100000)
		snprintf(text, size, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
	else if (tenths < 10000000)
		snprintf(text, size, "%" PRIu64, tenths / 10);
	else
		snprintf(text, size, "%" PRIu64 ".%" PRIu64 " M", tenths / 10000000,
			 tenths / 1000000 % 10);
}

/* -- events ------------------------------------------------------------------------------------------------ */

static void fault_text(const struct top *t, const struct riommu_watch_event *e, char *text,
		       size_t size)
{
	struct riommu_fault f;
	char device[96], process[64] = "", gpa[80] = "", words[64];

	riommu_fault_decode(e->dw, &f);
	top_device_text(t, e->iommu, riommu_fault_has_device(&f), f.did, device, sizeof(device));
	if (fault_process_text(&f, words, sizeof(words)))
		snprintf(process, sizeof(process), " process %.48s", words);
	if (fault_gpa_text(&f, words, sizeof(words)))
		snprintf(gpa, sizeof(gpa), " GPA %s", words);
	snprintf(text, size, "%-12s %-5s 0x%-14" PRIx64 " %u %s%s%s%s%s", device,
		 fault_type_word(&f), f.iotval, f.cause, riommu_cause_name(f.cause), process, gpa,
		 e->before    ? " (before)"
		 : e->ordered ? ""
			      : " (order unknown)",
		 e->pending ? " pending" : "");
}

/* What happened to the queue: the bits that changed. Records come again when it is on, and neither fqof nor fqmf is set (4.2). */
static void csr_text(const struct riommu_watch_event *e, char *text, size_t size)
{
	const uint64_t errors = RIOMMU_QUEUE_OF | RIOMMU_QUEUE_MF;
	uint64_t up = e->to & ~e->from, down = e->from & ~e->to, stay = e->to & e->from;
	bool cleared = down & errors, on = e->to & RIOMMU_QUEUE_ON;
	char words[300] = "";
	size_t n = 0;
	const struct {
		bool so;
		const char *words;
	} all[] = {
		{up & RIOMMU_QUEUE_OF,
		 "; OVERFLOW: the queue was full, faults are lost until software clears fqof"},
		{up & RIOMMU_QUEUE_MF,
		 "; fqmf: a record could not be stored, faults are lost until it is cleared"},
		{down & RIOMMU_QUEUE_OF, "; the overflow was cleared"},
		{down & RIOMMU_QUEUE_MF, "; fqmf was cleared"},
		{cleared && on && !(e->to & errors), ": faults are recorded again"},
		{cleared && stay & RIOMMU_QUEUE_OF, "; fqof is still set: faults are lost"},
		{cleared && stay & RIOMMU_QUEUE_MF, "; fqmf is still set: faults are lost"},
		{cleared && !on && !(down & RIOMMU_QUEUE_ON), "; the fault queue is off"},
		{up & RIOMMU_QUEUE_ON, "; the fault queue was switched on"},
		{down & RIOMMU_QUEUE_ON,
		 "; the fault queue was switched off: faults are not recorded"},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(all) && n < sizeof(words); i++)
		if (all[i].so)
			n += (size_t)snprintf(words + n, sizeof(words) - n, "%s", all[i].words);
	snprintf(text, size, "%s", words[0] ? words + 2 : "fqen changed");
}

static void lost_text(const struct riommu_watch_event *e, char *text, size_t size)
{
	switch (e->why) {
	case RIOMMU_LOST_LAPPED:
		snprintf(text, size,
			 "LOST: the ring was written over between two looks; at least %" PRIu64
			 " records are missing",
			 e->count);
		return;
	case RIOMMU_LOST_MAY_TIME:
		snprintf(text, size,
			 "may have lapped: at the highest rate seen, the ring could have "
			 "been written over between two looks");
		return;
	case RIOMMU_LOST_MAY_IRQ:
		snprintf(text, size,
			 "may have lapped: the kernel counted more interrupts of the "
			 "queue than there were records");
		return;
	case RIOMMU_LOST_UNREADABLE:
		snprintf(text, size, "%" PRIu64 " entries of the ring cannot be read: %s", e->count,
			 e->error == -ENODATA ? "not in this source" : strerror(-e->error));
		return;
	case RIOMMU_LOST_UNWRITTEN:
		snprintf(text, size, "%" PRIu64 " entries before fqt are all zero: no records",
			 e->count);
		return;
	default:
		snprintf(text, size,
			 "registers could not be followed for a while: records may be "
			 "missing");
	}
}

static const char *reset_words(enum riommu_watch_why why)
{
	switch (why) {
	case RIOMMU_RESET_OFF:
		return "it was off";
	case RIOMMU_RESET_BASE:
		return "it is at another address";
	default:
		return "its index went back";
	}
}

void top_event_text(const struct top *t, const struct riommu_watch_event *e, char *text,
		    size_t size)
{
	const char *name = t->sys->iommus[e->iommu].name;
	char words[300] = "", from[16], to[16];

	switch (e->kind) {
	case RIOMMU_WATCH_FAULT:
		fault_text(t, e, text, size);
		return;
	case RIOMMU_WATCH_MODE:
		mode_text(e->from, from, sizeof(from));
		mode_text(e->to, to, sizeof(to));
		snprintf(words, sizeof(words), "ddtp changed, mode %s -> %s%s", from, to,
			 riommu_bits(e->to, 3, 0) ? ""
						  : ": BLOCKED, every device's DMA is refused");
		break;
	case RIOMMU_WATCH_CSR:
		csr_text(e, words, sizeof(words));
		break;
	case RIOMMU_WATCH_LOST:
		lost_text(e, words, sizeof(words));
		break;
	case RIOMMU_WATCH_RESET:
		snprintf(words, sizeof(words),
			 "the fault queue was set up anew (%s): records of before may be missing",
			 reset_words(e->why));
		break;
	case RIOMMU_WATCH_STATE:
	case RIOMMU_WATCH_KINDS:
	default:
		break;
	}
	snprintf(text, size, "%s: %s", name, words);
}

enum top_weight top_event_weight(const struct riommu_watch_event *e)
{
	switch (e->kind) {
	case RIOMMU_WATCH_MODE:
		return riommu_bits(e->to, 3, 0) ? WEIGHT_WARNING : WEIGHT_ALARM;
	case RIOMMU_WATCH_CSR:
		return e->to & (RIOMMU_QUEUE_OF | RIOMMU_QUEUE_MF) || !(e->to & RIOMMU_QUEUE_ON)
			       ? WEIGHT_ALARM
			       : WEIGHT_WARNING;
	case RIOMMU_WATCH_LOST:
		return e->why == RIOMMU_LOST_LAPPED ? WEIGHT_ALARM : WEIGHT_WARNING;
	case RIOMMU_WATCH_RESET:
		return WEIGHT_WARNING;
	case RIOMMU_WATCH_FAULT:
	case RIOMMU_WATCH_STATE:
	case RIOMMU_WATCH_KINDS:
	default:
		return WEIGHT_PLAIN;
	}
}

/* -- an IOMMU ------------------------------------------------------------------------------------------------ */

struct lines {
	struct top_line *line;
	size_t count, max;
};

static void add(struct lines *l, enum top_weight weight, const char *fmt, ...) RIOMMU_PRINTF(3, 4);
static void add(struct lines *l, enum top_weight weight, const char *fmt, ...)
{
	va_list args;

	if (l->count == l->max)
		return;
	va_start(args, fmt);
	vsnprintf(l->line[l->count].text, sizeof(l->line[0].text), fmt, args);
	va_end(args);
	l->line[l->count++].weight = weight;
}

static void first_line(const struct top *t, size_t iommu, struct lines *l)
{
	const struct riommu_iommu_stats *s = &t->stats->iommus[iommu];
	char mode[16] = "mode unknown", rate[16], rate10[16], queue[64] = "fault queue unknown";
	uint32_t fill = riommu_watch_fill(&s->state);

	if (s->state.ddtp_known)
		mode_text(s->state.ddtp, mode, sizeof(mode));
	top_rate_text(riommu_rate_tenths(&s->rate, t->now, 1), rate, sizeof(rate));
	top_rate_text(riommu_rate_tenths(&s->rate, t->now, 10), rate10, sizeof(rate10));
	if (s->state.ring_known && s->state.indexes_known)
		snprintf(queue, sizeof(queue), "queue %" PRIu32 "/%" PRIu32, fill,
			 s->state.entries);
	else if (s->state.ring_known)
		snprintf(queue, sizeof(queue), "queue ?/%" PRIu32, s->state.entries);
	add(l, WEIGHT_PLAIN,
	    "%s: %s, %s/s (10 s: %s/s), %" PRIu64 " faults, %" PRIu64 " before, %s",
	    t->sys->iommus[iommu].name, mode, rate, rate10, s->total, s->before, queue);
}

/* What the queue does at this moment that it should not. */
static void queue_lines(const struct riommu_iommu_stats *s, struct lines *l)
{
	const struct riommu_watch_state *state = &s->state;

	if (state->ring_known && !state->indexes_known)
		add(l, WEIGHT_WARNING,
		    "fqt is not known: a snapshot of the ring; order and loss of records are "
		    "unknown");
	if (state->indexes_known && !(state->csr & RIOMMU_QUEUE_ON))
		add(l, WEIGHT_ALARM,
		    "the fault queue is off (fqon is 0): faults happen unrecorded");
	if (s->overflowing)
		add(l, WEIGHT_ALARM, "OVERFLOW (%s set): faults are lost at this moment",
		    !(state->csr & RIOMMU_QUEUE_MF)   ? "fqof is"
		    : !(state->csr & RIOMMU_QUEUE_OF) ? "fqmf is"
						      : "fqof and fqmf are");
}

/* What is missing of the past. */
static void loss_lines(const struct top *t, const struct riommu_iommu_stats *s, struct lines *l)
{
	uint64_t over = s->overflow_time + (s->overflowing ? t->now - s->overflow_since : 0);

	if (s->overflows)
		add(l, WEIGHT_WARNING,
		    "%" PRIu64 " overflows seen, %" PRIu64 ".%03" PRIu64
		    " s in all: what happened meanwhile is lost",
		    s->overflows, over / TOP_SECOND, over / 1000000 % 1000);
	if (s->laps)
		add(l, WEIGHT_WARNING,
		    "LOST: the ring was written over %" PRIu64 " times; at least %" PRIu64
		    " records are missing",
		    s->laps, s->lost);
	if (s->may_laps)
		add(l, WEIGHT_WARNING,
		    "may have lapped %" PRIu64 " times: whether records are missing is unknown",
		    s->may_laps);
	if (s->unreadable || s->unwritten)
		add(l, WEIGHT_WARNING,
		    "%" PRIu64 " entries could not be read, %" PRIu64 " held no record",
		    s->unreadable, s->unwritten);
	if (s->resets || s->blind)
		add(l, WEIGHT_WARNING,
		    "set up anew %" PRIu64 " times, out of sight %" PRIu64
		    " times: records may be missing",
		    s->resets, s->blind);
}

size_t top_status(const struct top *t, size_t iommu, struct top_line *lines, size_t max)
{
	const struct riommu_iommu_stats *s = &t->stats->iommus[iommu];
	struct lines l = {.line = lines, .max = max};

	first_line(t, iommu, &l);
	if (t->polls && t->polls[iommu].error)
		add(&l, WEIGHT_ALARM, "CANNOT LOOK: %s", riommu_watch_trouble(t->watches[iommu]));
	else if (t->watches && riommu_watch_trouble(t->watches[iommu])[0])
		add(&l, WEIGHT_WARNING, "%s", riommu_watch_trouble(t->watches[iommu]));
	if (s->state.ddtp_known && !riommu_bits(s->state.ddtp, 3, 0))
		add(&l, WEIGHT_ALARM, "BLOCKED: ddtp is Off, every device's DMA is refused");
	if (s->state.ddtp_known && riommu_bits(s->state.ddtp, 3, 0) == 1)
		add(&l, WEIGHT_WARNING,
		    "OPEN: ddtp is Bare, nothing is translated and nothing is checked");
	queue_lines(s, &l);
	loss_lines(t, s, &l);
	if (s->mode_changes)
		add(&l, WEIGHT_WARNING, "the mode was changed %" PRIu64 " times", s->mode_changes);
	return l.count;
}

/* -- one fault ------------------------------------------------------------------------------------------------- */

static void print_walk(struct top *t, size_t iommu, const struct riommu_fault *fault, FILE *f)
{
	struct riommu_request request;
	struct riommu_translation result;
	struct riommu_trace trace;
	struct riommu_walker walker;
	const char *missing;

	if (!riommu_fault_request(fault, &request)) {
		fprintf(f, "  not about a request for an address: there is nothing to walk\n");
		return;
	}
	if (!t->sys->memory) {
		fprintf(f, "  no walk: %s\n", t->sys->memory_reason);
		return;
	}
	if (t->source == TOP_LIVE)
		riommu_system_read_registers(t->sys, iommu);
	if (riommu_walker_init(&walker, t->sys, iommu, &missing)) {
		translation_print_missing(f, 2, missing);
		return;
	}
	translation_walk(t->sys, &walker, &request, &result, &trace);
	translation_print(f, 2, walker.fctl, &request, &result, &trace);
	if (result.result == RIOMMU_FAULT && result.cause == fault->cause)
		fprintf(f, "  the walk ends with the same cause: the tables still say so\n");
	else if (result.result != RIOMMU_UNKNOWN)
		fprintf(f, "  the tables have changed since the fault, or the IOMMU used a stale "
			   "entry\n");
}

void top_detail(struct top *t, const struct riommu_watch_event *e, FILE *f)
{
	struct known_fault k = {
		.has_header = true,
		.has_iotval = true,
		.has_iotval2 = true,
		.has_dw1 = true,
	};
	char text[300];

	if (e->kind != RIOMMU_WATCH_FAULT) {
		top_event_text(t, e, text, sizeof(text));
		print_wrapped(f, text, 0, 2);
		return;
	}
	riommu_fault_decode(e->dw, &k.fault);
	top_device_text(t, e->iommu, riommu_fault_has_device(&k.fault), k.fault.did, text,
			sizeof(text));
	fprintf(f, "%s on %s, entry %" PRIu32 " of the ring%s\n", text,
		t->sys->iommus[e->iommu].name, e->index,
		e->before ? ", from before watching began" : "");
	fault_print(f, &k);
	fprintf(f, "\nThe walk of its address, through the tables as they are now:\n");
	print_walk(t, e->iommu, &k.fault, f);
}
