/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump counters: the performance counters, what each counts, and with --interval how fast. */
#include "config.h"

#include "dump.h"
#include "spec/counters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define CYCLES       0 /* number of iohpmcycles here; the others have that of their register */
#define COUNTERS     (1 + RIOMMU_COUNTERS)
#define INTERVAL_MAX 86400
#define NS_PER_S     1000000000

/* A counter as its registers show it; what is not known is not looked at. */
struct counter {
	bool known; /* value */
	bool selector_known, inhibit_known;
	bool overflow, inhibited;
	uint64_t value, selector;
};

struct reading {
	struct counter counters[COUNTERS];
	uint64_t time_ns; /* CLOCK_MONOTONIC, in the middle of reading */
	int error;        /* nothing could be read, and why */
};

/* -- reading ------------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void take_cycles(const struct riommu_iommu *iommu, struct counter *c)
{
	uint64_t value;

	if (riommu_iommu_reg(iommu, RIOMMU_REG_IOHPMCYCLES, &value))
		return;
	c->known = c->selector_known = true; /* what it counts needs no selector, OF is in it */
	c->overflow = value & RIOMMU_COUNTER_OF;
	c->value = value & ~RIOMMU_COUNTER_OF;
}

static void take_event(const struct riommu_iommu *iommu, unsigned number, struct counter *c)
{
	uint32_t at = 8 * (number - 1);

	c->known = !riommu_iommu_reg(iommu, RIOMMU_REG_IOHPMCTR + at, &c->value);
	c->selector_known = !riommu_iommu_reg(iommu, RIOMMU_REG_IOHPMEVT + at, &c->selector);
	c->overflow = c->selector_known && (c->selector & RIOMMU_COUNTER_OF);
}

/* From the snapshot of the registers. */
static void take(const struct riommu_iommu *iommu, struct reading *r)
{
	uint64_t inhibit = 0;
	bool known = !riommu_iommu_reg(iommu, RIOMMU_REG_IOCOUNTINH, &inhibit);
	uint64_t unused;

	memset(r->counters, 0, sizeof(r->counters));
	r->error = riommu_iommu_reg(iommu, RIOMMU_REG_IOHPMCYCLES, &unused);
	take_cycles(iommu, &r->counters[CYCLES]);
	for (unsigned i = 0; i < COUNTERS; i++) {
		if (i != CYCLES)
			take_event(iommu, i, &r->counters[i]);
		if (r->counters[i].known)
			r->error = 0;
		r->counters[i].inhibit_known = known;
		r->counters[i].inhibited = known && riommu_bit(inhibit, i);
	}
}

static void read_again(struct dump *d, size_t iommu, struct reading *r)
{
	uint64_t before = now_ns();

	riommu_system_read_registers(d->sys, iommu);
	r->time_ns = before + (now_ns() - before) / 2;
	take(&d->sys->iommus[iommu], r);
}

/* -- one counter --------------------------------------------------------------------------------- */

/* A counter, and what became of it in the meantime. */
struct row {
	unsigned number;
	const struct counter *c;
	const struct counter *before; /* NULL: there was one reading */
	double seconds;
	bool delta_known;
	uint64_t delta;
};

static void compare(struct row *row)
{
	unsigned bits =
		row->number == CYCLES ? RIOMMU_COUNTER_CYCLES_BITS : RIOMMU_COUNTER_EVENT_BITS;
	uint64_t changed;

	if (!row->before || !row->c->known || !row->before->known)
		return;
	/* a selector that was written meanwhile counts something else; OF is no part of what it counts */
	changed = (row->c->selector ^ row->before->selector) & ~RIOMMU_COUNTER_OF;
	if (!changed && row->c->selector_known == row->before->selector_known)
		row->delta_known = riommu_counter_delta(row->before->value, row->c->value,
							row->c->overflow, bits, &row->delta);
}

static const struct riommu_layout *selector_layout(void)
{
	return riommu_registers()[riommu_reg_by_offset(RIOMMU_REG_IOHPMEVT)].layout;
}

static const char *name_of(unsigned number)
{
	uint32_t at =
		number == CYCLES ? RIOMMU_REG_IOHPMCYCLES : RIOMMU_REG_IOHPMCTR + 8 * (number - 1);

	return riommu_registers()[riommu_reg_by_offset(at)].name;
}

/* "TLB miss"; NULL when it is not known, or has no name. */
static const char *event_name(const struct row *row)
{
	if (row->number == CYCLES)
		return "clock cycles";
	if (!row->c->selector_known)
		return NULL;
	return riommu_field_value_name(riommu_layout_field(selector_layout(), "eventID"),
				       row->c->selector);
}

/* "process_id 0x5, device_id 0x100-0x1ff"; "" where nothing is filtered. */
static void filter_words(const struct row *row, char *text, size_t size)
{
	struct riommu_selector s;
	size_t at = 0;

	text[0] = '\0';
	if (row->number == CYCLES || !row->c->selector_known)
		return;
	riommu_selector_decode(row->c->selector, &s);
	if (s.by_process)
		at = (size_t)snprintf(text, size, "%s 0x%x", s.by_soft_id ? "PSCID" : "process_id",
				      s.process);
	if (s.by_device)
		at += (size_t)snprintf(text + at, size - at, "%s%s 0x%x", at ? ", " : "",
				       s.by_soft_id ? "GSCID" : "device_id", s.first);
	if (s.by_device && s.first != s.last)
		snprintf(text + at, size - at, "-0x%x", s.last);
}

static bool never_counts(const struct row *row)
{
	struct riommu_selector s;

	riommu_selector_decode(row->c->selector, &s);
	return row->number != CYCLES && row->c->selector_known && s.never;
}

/* -- JSON ---------------------------------------------------------------------------------------- */

static double rate_of(const struct row *row)
{
	return (double)row->delta / row->seconds;
}

static struct json_object *row_json(uint64_t base, const struct row *row)
{
	struct json_object *obj = json_object_new_object();
	const struct counter *c = row->c;
	char filter[80];

	filter_words(row, filter, sizeof(filter));
	json_add(obj, "iommu", json_hex(base));
	json_add(obj, "name", json_text(name_of(row->number)));
	json_add(obj, "value", c->known ? json_hex(c->value) : NULL);
	json_add(obj, "event", json_text(event_name(row)));
	json_add(obj, "filter", json_text(filter[0] ? filter : NULL));
	json_add(obj, "never_counts", json_object_new_boolean(never_counts(row)));
	json_add(obj, "inhibited", c->inhibit_known ? json_object_new_boolean(c->inhibited) : NULL);
	json_add(obj, "overflow", c->selector_known ? json_object_new_boolean(c->overflow) : NULL);
	json_add(obj, "selector",
		 row->number != CYCLES && c->selector_known
			 ? json_layout(selector_layout(), c->selector)
			 : NULL);
	if (!row->before)
		return obj;
	json_add(obj, "seconds", json_object_new_double(row->seconds));
	json_add(obj, "delta", row->delta_known ? json_hex(row->delta) : NULL);
	json_add(obj, "rate", row->delta_known ? json_object_new_double(rate_of(row)) : NULL);
	return obj;
}

/* -- text ---------------------------------------------------------------------------------------- */

/* A counter that counts nothing and stands at 0: most of them, on most machines. */
static bool is_idle(const struct row *row)
{
	return row->number != CYCLES && row->c->known && row->c->selector_known && !row->c->value &&
	       !riommu_bits(row->c->selector, 14, 0) && !row->c->overflow &&
	       (!row->before || row->delta_known);
}

static void print_note(const char *text)
{
	print_wrapped(stdout, text, 0, 14);
}

static void print_row(const struct row *row)
{
	const char *event = event_name(row);
	char text[120], number[32] = "unknown";

	if (!event && row->c->selector_known)
		snprintf(number, sizeof(number), "event 0x%" PRIx64,
			 riommu_bits(row->c->selector, 14, 0));
	snprintf(text, sizeof(text), "%" PRIu64, row->c->value);
	printf("  %-11s %-29s %20s", name_of(row->number), event ? event : number,
	       row->c->known ? text : "unknown");
	if (row->delta_known)
		printf(" %14.1f", rate_of(row));
	else if (row->before)
		printf(" %14s", "unknown");
	putchar('\n');
	filter_words(row, text + 5, sizeof(text) - 5);
	memcpy(text, "only ", 5);
	if (text[5])
		print_note(text);
	if (never_counts(row))
		print_note("IDT is 1: this event cannot be filtered by GSCID or PSCID, so it is "
			   "never counted");
	if (row->c->overflow)
		print_note("OF is set: it overflowed since software cleared that");
	if (row->c->inhibited)
		print_note("stands still: its bit of iocountinh is set");
	if (row->before && !row->delta_known && row->c->known)
		print_note("written by software in the meantime: there is no rate");
}

static void print_head(const struct riommu_iommu *iommu, const struct row *first)
{
	uint64_t ipsr;

	printf("%s at 0x%" PRIx64 ": performance counters", iommu->name, iommu->base);
	if (first->before)
		printf(", over %.3f s", first->seconds);
	putchar('\n');
	if (!riommu_iommu_reg(iommu, RIOMMU_REG_IPSR, &ipsr) && riommu_bit(ipsr, 2))
		printf("  an interrupt for an overflow is pending (ipsr.pmip)\n");
	printf("  %-11s %-29s %20s%s\n", "COUNTER", "EVENT", "COUNT",
	       first->before ? "     PER SECOND" : "");
}

/* -- all of them --------------------------------------------------------------------------------- */

/* An IOMMU without HPM has no counters: that is an answer, and no error. */
static bool has_counters(struct dump *d, size_t iommu)
{
	const struct riommu_iommu *unit = &d->sys->iommus[iommu];
	uint64_t capabilities;

	if (riommu_iommu_reg(unit, RIOMMU_REG_CAPABILITIES, &capabilities) ||
	    (capabilities & RIOMMU_CAP_HPM))
		return true;
	if (!in_json(&d->out))
		printf("%s at 0x%" PRIx64 ": no performance counters: capabilities.HPM is 0\n",
		       unit->name, unit->base);
	return false;
}

static void show(struct dump *d, size_t iommu, const struct reading *before,
		 const struct reading *after)
{
	const struct riommu_iommu *unit = &d->sys->iommus[iommu];
	size_t idle = 0;

	for (unsigned i = 0; i < COUNTERS; i++) {
		struct row row = {
			.number = i,
			.c = &after->counters[i],
			.before = before ? &before->counters[i] : NULL,
		};

		if (before)
			row.seconds = (double)(after->time_ns - before->time_ns) / NS_PER_S;
		compare(&row);
		if (in_json(&d->out)) {
			out_item(&d->out, row_json(unit->base, &row));
			continue;
		}
		if (i == 0)
			print_head(unit, &row);
		if (is_idle(&row))
			idle++;
		else
			print_row(&row);
	}
	if (idle)
		printf("  %zu more count nothing and are 0\n", idle);
}

static void list_counters(struct dump *d, size_t iommu, const struct reading *before,
			  const struct reading *after)
{
	const struct riommu_iommu *unit = &d->sys->iommus[iommu];
	int err = after->error ? after->error : before ? before->error : 0;

	if (!has_counters(d, iommu))
		return;
	if (err) {
		out_error(&d->out, unit->error ? unit->error : err,
			  "%s: the performance counters are not known%s%s", unit->name,
			  unit->reason[0] ? ": " : "", unit->reason);
		return;
	}
	show(d, iommu, before, after);
}

/* Two readings of every IOMMU, SECONDS apart. */
static void read_twice(struct dump *d, uint64_t interval_ms, struct reading *before,
		       struct reading *after)
{
	uint64_t end = now_ns() + interval_ms * (NS_PER_S / 1000);
	struct timespec until = {.tv_sec = (time_t)(end / NS_PER_S),
				 .tv_nsec = (long)(end % NS_PER_S)};

	for (size_t i = 0; dump_next_iommu(d, &i); i++)
		read_again(d, i, &before[i]);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
	for (size_t i = 0; dump_next_iommu(d, &i); i++)
		read_again(d, i, &after[i]);
}

/* What is wrong with the way the command was called; false, reported. */
static bool check_usage(struct dump *d, int argc, char **argv, uint64_t *interval_ms)
{
	if (argc)
		out_error(&d->out, -EINVAL,
			  "counters takes no argument ('%s'); -u chooses an IOMMU", argv[0]);
	else if (d->interval && !parse_thousandths(d->interval, INTERVAL_MAX, interval_ms))
		out_error(&d->out, -EINVAL,
			  "--interval %s: not a number of seconds from 0.001 to 86400",
			  d->interval);
	else if (d->interval && !d->sys->live)
		out_error(
			&d->out, -EINVAL,
			"--interval: %s is one moment, and a rate takes two: compare the counts of "
			"two captures",
			d->sys->path);
	else
		return true;
	return false;
}

void dump_counters(struct dump *d, int argc, char **argv)
{
	struct reading *readings = calloc(2 * d->sys->iommu_count + 1, sizeof(*readings));
	struct reading *before = readings, *after = readings + d->sys->iommu_count;
	uint64_t interval_ms = 0;
	bool first = true;

	if (!readings)
		die(STATUS_ERROR, "out of memory");
	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	if (!check_usage(d, argc, argv, &interval_ms)) {
		free(readings);
		return;
	}
	if (d->interval)
		read_twice(d, interval_ms, before, after);
	for (size_t i = 0; !d->interval && dump_next_iommu(d, &i); i++)
		take(&d->sys->iommus[i], &after[i]);
	dump_iommus(d);
	out_list_begin(&d->out, "counters");
	for (size_t i = 0; dump_next_iommu(d, &i); i++, first = false) {
		if (!first && !in_json(&d->out))
			putchar('\n');
		list_counters(d, i, d->interval ? &before[i] : NULL, &after[i]);
	}
	out_list_end(&d->out);
	free(readings);
}
