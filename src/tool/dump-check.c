/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iommu-dump check: the rules applied, findings by severity. JSON streams them; text keeps them to print the worst first, so of each
 * rule only so many are told.
 */
#include "config.h"

#include "dump.h"

#include <inttypes.h>
#include <stdlib.h>

#define FINDINGS_TEXT 20   /* of a rule on an IOMMU */
#define FINDINGS_JSON 1000 /* in JSON nobody has to read them */

/* A finding for the text. */
struct kept {
	struct riommu_finding finding;
	char *message;
};

/* Why a rule was not judged. */
struct gap {
	struct riommu_rule_outcome outcome;
	char *reason;
};

struct checking {
	struct dump *d;
	struct kept *kept;
	size_t kept_count;
	struct gap *gaps;
	size_t gap_count;
	uint64_t omitted[RIOMMU_RULE_COUNT];
	uint64_t found[RIOMMU_ERROR + 1]; /* by severity, with those that were omitted */
	bool not_judged[RIOMMU_RULE_COUNT], judged[RIOMMU_RULE_COUNT];
};

static size_t rule_index(const struct riommu_rule *rule)
{
	return (size_t)(rule - riommu_rules());
}

/* Room for one more behind COUNT. */
static void *more(void *list, size_t count, size_t size)
{
	if (count & (count - 1))
		return list;
	list = need(realloc(list, (count ? count * 2 : 1) * size));
	return list;
}

static char *copy(const char *text)
{
	char *own = strdup(text);

	if (!own)
		die(STATUS_ERROR, "out of memory");
	printable(own);
	return own;
}

/* -- JSON ------------------------------------------------------------------------------------------------------- */

static struct json_object *finding_json(const struct dump *d, const struct riommu_finding *f)
{
	struct json_object *obj = json_object_new_object();
	const char *name =
		f->has_device ? riommu_system_device_name(d->sys, f->iommu, f->device_id) : NULL;
	char *message = copy(f->message);

	json_add(obj, "id", json_text(f->rule->id));
	json_add(obj, "severity", json_text(riommu_severity_name(f->rule->severity)));
	json_add(obj, "iommu", json_hex(d->sys->iommus[f->iommu].base));
	json_add(obj, "device_id", f->has_device ? json_hex(f->device_id) : NULL);
	json_add(obj, "device", json_text(name));
	json_add(obj, "process_id", f->has_process ? json_hex(f->process_id) : NULL);
	json_add(obj, "address", f->has_address ? json_hex(f->address) : NULL);
	json_add(obj, "count", json_object_new_int64((int64_t)(f->count & INT64_MAX)));
	json_add(obj, "title", json_text(f->rule->title));
	json_add(obj, "message", json_text(message));
	json_add(obj, "reason", json_text(f->rule->why));
	json_add(obj, "remedy", json_text(f->rule->remedy));
	free(message);
	return obj;
}

static struct json_object *gap_json(const struct dump *d, const struct gap *g)
{
	struct json_object *obj = json_object_new_object();

	json_add(obj, "id", json_text(g->outcome.rule->id));
	json_add(obj, "severity", json_text(riommu_severity_name(g->outcome.rule->severity)));
	json_add(obj, "iommu", json_hex(d->sys->iommus[g->outcome.iommu].base));
	json_add(obj, "reason", json_text(g->reason));
	return obj;
}

static size_t count_true(const bool *flags)
{
	size_t n = 0;

	for (size_t i = 0; i < RIOMMU_RULE_COUNT; i++)
		n += flags[i];
	return n;
}

/* Rules that had something to look at, and could look at all of it. */
static size_t count_judged(const struct checking *k)
{
	size_t n = 0;

	for (size_t i = 0; i < RIOMMU_RULE_COUNT; i++)
		n += k->judged[i] && !k->not_judged[i];
	return n;
}

static uint64_t count_omitted(const struct checking *k)
{
	uint64_t n = 0;

	for (size_t i = 0; i < RIOMMU_RULE_COUNT; i++)
		n += k->omitted[i];
	return n;
}

static struct json_object *summary_json(const struct checking *k)
{
	struct json_object *obj = json_object_new_object();
	size_t judged = count_judged(k), not_judged = count_true(k->not_judged);

	json_add(obj, "rules", json_object_new_int64(RIOMMU_RULE_COUNT));
	json_add(obj, "judged", json_object_new_int64((int64_t)judged));
	json_add(obj, "not_judged", json_object_new_int64((int64_t)not_judged));
	json_add(obj, "not_applicable",
		 json_object_new_int64((int64_t)(RIOMMU_RULE_COUNT - judged - not_judged)));
	for (unsigned i = RIOMMU_INFO; i <= RIOMMU_ERROR; i++)
		json_add(obj, riommu_severity_name((enum riommu_severity)i),
			 json_object_new_int64((int64_t)k->found[i]));
	json_add(obj, "omitted", json_object_new_int64((int64_t)count_omitted(k)));
	return obj;
}

/* -- what the library tells --------------------------------------------------------------------------------------- */

static void take_finding(void *arg, const struct riommu_finding *f)
{
	struct checking *k = arg;

	if (in_json(&k->d->out)) {
		out_item(&k->d->out, finding_json(k->d, f));
		return;
	}
	k->kept = more(k->kept, k->kept_count, sizeof(*k->kept));
	k->kept[k->kept_count].finding = *f;
	k->kept[k->kept_count++].message = copy(f->message);
}

static void take_outcome(void *arg, const struct riommu_rule_outcome *o)
{
	struct checking *k = arg;
	size_t rule = rule_index(o->rule);

	k->omitted[rule] += o->omitted;
	k->found[o->rule->severity] += o->found;
	k->judged[rule] |= o->verdict == RIOMMU_RULE_FOUND || o->verdict == RIOMMU_RULE_PASSED;
	if (o->found && o->rule->severity >= k->d->severity)
		out_status(&k->d->out, STATUS_FINDING);
	if (!o->reason)
		return;
	k->not_judged[rule] = true;
	k->gaps = more(k->gaps, k->gap_count, sizeof(*k->gaps));
	k->gaps[k->gap_count].outcome = *o;
	k->gaps[k->gap_count++].reason = copy(o->reason);
}

/* -- text --------------------------------------------------------------------------------------------------------- */

/* "0000:00:01.0 (0x8), process 0x5, at 0x80200000": what a finding is about. */
static void object_words(const struct checking *k, const struct riommu_finding *f, char *text,
			 size_t size)
{
	char device[96] = "", iommu[80] = "", process[32] = "", address[32] = "";

	if (k->d->sys->iommu_count > 1 || !(f->has_device || f->has_address))
		snprintf(iommu, sizeof(iommu), "%s", k->d->sys->iommus[f->iommu].name);
	if (f->has_device)
		dump_device_label(k->d, f->iommu, f->device_id, device, sizeof(device));
	if (f->has_process)
		snprintf(process, sizeof(process), ", process 0x%" PRIx32, f->process_id);
	if (f->has_address)
		snprintf(address, sizeof(address), "%sat 0x%" PRIx64,
			 iommu[0] || device[0] ? ", " : "", f->address);
	snprintf(text, size, "%s%s%s%s%s", iommu, iommu[0] && device[0] ? ", " : "", device,
		 process, address);
}

static void print_labelled(const char *label, const char *text)
{
	print_wrapped(stdout, text, (size_t)printf("  %s", label), 8);
}

/* All findings of one rule; why and what to do once. */
static bool print_rule(const struct checking *k, size_t rule)
{
	const struct riommu_rule *r = &riommu_rules()[rule];
	bool any = false;

	for (size_t i = 0; i < k->kept_count; i++) {
		const struct riommu_finding *f = &k->kept[i].finding;
		char object[256], text[1024];

		if (f->rule != r)
			continue;
		if (!any)
			print_wrapped(stdout, r->title, (size_t)printf("\n%s:", r->id) - 1,
				      strlen(r->id) + 2);
		any = true;
		object_words(k, f, object, sizeof(object));
		snprintf(text, sizeof(text), "%s: %s", object, k->kept[i].message);
		print_wrapped(stdout, text, (size_t)printf("  -"), 4);
	}
	if (!any)
		return false;
	if (k->omitted[rule])
		printf("  - and %" PRIu64 " more\n", k->omitted[rule]);
	print_labelled("why:", r->why);
	print_labelled("do:", r->remedy);
	return true;
}

static void print_severity(const struct checking *k, enum riommu_severity severity)
{
	static const char *const headings[] = {
		[RIOMMU_INFO] = "INFO", [RIOMMU_WARNING] = "WARNINGS", [RIOMMU_ERROR] = "ERRORS"};

	if (!k->found[severity])
		return;
	printf("%s\n", headings[severity]);
	for (size_t rule = 0; rule < RIOMMU_RULE_COUNT; rule++)
		if (riommu_rules()[rule].severity == severity)
			print_rule(k, rule);
	putchar('\n');
}

/* Rules with one reason in one place: GAPS[FROM] and those after it that are like it. */
static void print_gap(const struct checking *k, size_t from, bool *done)
{
	const struct gap *first = &k->gaps[from];
	size_t size = 8192, at;
	char *text = malloc(size);

	if (!text)
		die(STATUS_ERROR, "out of memory");
	at = (size_t)snprintf(
		text, size, "%s%s%s:",
		k->d->sys->iommu_count > 1 ? k->d->sys->iommus[first->outcome.iommu].name : "",
		k->d->sys->iommu_count > 1 ? ": " : "", first->reason);
	for (size_t i = from; i < k->gap_count; i++) {
		const struct gap *g = &k->gaps[i];

		if (g->outcome.iommu != first->outcome.iommu || strcmp(g->reason, first->reason))
			continue;
		done[i] = true;
		at += (size_t)snprintf(text + at, size - at, " %s", g->outcome.rule->id);
	}
	print_wrapped(stdout, text, (size_t)printf("  -"), 4);
	free(text);
}

static void print_gaps(const struct checking *k)
{
	bool *done = calloc(k->gap_count + 1, sizeof(*done));

	if (!done)
		die(STATUS_ERROR, "out of memory");
	if (k->gap_count)
		printf("NOT JUDGED, or not wholly\n\n");
	for (size_t i = 0; i < k->gap_count; i++)
		if (!done[i])
			print_gap(k, i, done);
	if (k->gap_count)
		putchar('\n');
	free(done);
}

static void print_all(const struct checking *k)
{
	size_t judged = count_judged(k), not_judged = count_true(k->not_judged);
	char text[256];

	print_severity(k, RIOMMU_ERROR);
	print_severity(k, RIOMMU_WARNING);
	print_severity(k, RIOMMU_INFO);
	print_gaps(k);
	snprintf(text, sizeof(text),
		 "%zu judged, %zu not judged, %zu about what is not here; findings: %" PRIu64
		 " error, %" PRIu64 " warning, %" PRIu64 " info",
		 judged, not_judged, RIOMMU_RULE_COUNT - judged - not_judged,
		 k->found[RIOMMU_ERROR], k->found[RIOMMU_WARNING], k->found[RIOMMU_INFO]);
	print_wrapped(stdout, text, (size_t)printf("%d rules:", RIOMMU_RULE_COUNT), 10);
}

_Noreturn void dump_check_rules(void)
{
	for (size_t i = 0; i < RIOMMU_RULE_COUNT; i++) {
		const struct riommu_rule *r = &riommu_rules()[i];
		int n = printf("%-30s %-8s", r->id, riommu_severity_name(r->severity));

		print_wrapped(stdout, r->title, (size_t)n - 1, 39);
	}
	out_exit();
}

/* -- the whole ------------------------------------------------------------------------------------------------------ */

/* What could not be judged is worth a status only where nothing was found: a finding is the answer to the question. */
static void report_gaps(struct checking *k)
{
	const struct riommu_iommu *iommu;
	const struct gap *worst = k->gaps;
	size_t n = count_true(k->not_judged);

	for (size_t i = 0; i < k->gap_count; i++)
		if (k->gaps[i].outcome.error == -EACCES && worst->outcome.error != -EACCES)
			worst = &k->gaps[i];
	if (!worst)
		return;
	iommu = &k->d->sys->iommus[worst->outcome.iommu];
	if (k->d->out.status == STATUS_FINDING)
		out_incomplete(&k->d->out, "%zu rules could not be judged, or not wholly", n);
	else
		out_error(&k->d->out, worst->outcome.error == -EACCES ? -EACCES : -ENODATA,
			  "%zu rules could not be judged; %s: %s: %s%s%s", n, iommu->name,
			  worst->outcome.rule->id, worst->reason, iommu->reason[0] ? ": " : "",
			  iommu->reason);
}

void dump_check(struct dump *d, int argc, char **argv)
{
	struct checking k = {.d = d};
	const struct riommu_check_args args = {
		.finding = take_finding,
		.outcome = take_outcome,
		.arg = &k,
		.max_findings = in_json(&d->out) ? FINDINGS_JSON : FINDINGS_TEXT,
	};

	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	if (argc) {
		out_error(&d->out, -EINVAL, "check takes no argument, and here is '%s'", argv[0]);
		return;
	}
	dump_iommus(d);
	out_list_begin(&d->out, "findings");
	progress_of_pages(&d->out);
	for (size_t i = 0; dump_next_iommu(d, &i); i++) {
		int err = riommu_check(d->sys, i, &args);

		if (err)
			out_error(&d->out, err, "%s", riommu_error(d->ctx));
	}
	progress_end();
	out_list_end(&d->out);
	out_list_begin(&d->out, "not_judged");
	for (size_t i = 0; in_json(&d->out) && i < k.gap_count; i++)
		out_item(&d->out, gap_json(d, &k.gaps[i]));
	out_list_end(&d->out);
	out_member(&d->out, "summary", summary_json(&k));
	if (!in_json(&d->out))
		print_all(&k);
	report_gaps(&k);
	for (size_t i = 0; i < k.kept_count; i++)
		free(k.kept[i].message);
	for (size_t i = 0; i < k.gap_count; i++)
		free(k.gaps[i].reason);
	free(k.kept);
	free(k.gaps);
}
