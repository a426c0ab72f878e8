/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: what the stub saw and did before this kernel. */
#include "config.h"

#include "kexec-prep.h"

#include <inttypes.h>
#include <libfdt.h>
#include <limits.h>
#include <stdlib.h>

#define MAX_RECORD RIOMMU_FDT_MAX
#define LABEL      16

/* What each status means to the reader; by enum riommu_record_status. */
static const char *const meaning[] = {
	[RIOMMU_RECORD_UNUSED] = "the stub did not come to it",
	[RIOMMU_RECORD_BLOCKED] =
		"ddtp is Off and the queues are off: no device behind it could reach memory",
	[RIOMMU_RECORD_LEFT] = "policy leave: nothing was written",
	[RIOMMU_RECORD_TRAP] =
		"an access to its registers failed (nothing at that address, powered off, not "
		"decoding), and the "
		"stub went on without it: do not take it as blocked; check the address",
	[RIOMMU_RECORD_NOT_IOMMU] =
		"capabilities or ddtp were not those of the IOMMU that was meant, "
		"so nothing was written; run 'image' again, for this machine",
	[RIOMMU_RECORD_BUSY_BEFORE] = "a change or a debug translation was under way and did not "
				      "end: ddtp was not written",
	[RIOMMU_RECORD_BUSY_AFTER] = "Off was written, but ddtp stayed busy",
	[RIOMMU_RECORD_MODE_KEPT] = "Off was written, but the mode is another still",
	[RIOMMU_RECORD_QUEUE_ON] =
		"ddtp is Off, but a queue stayed busy or on: it may still write memory",
};

/* -- finding it --------------------------------------------------------------------------------------------------- */

/* A device tree, or the property itself. */
static int parse(struct prep *p, const char *bytes, size_t len, struct riommu_record *record)
{
	if (len >= 4 && riommu_get32(bytes, true) == FDT_MAGIC)
		return riommu_record_from_fdt(p->ctx, bytes, len, record);
	if (len >= 4 && !memcmp(bytes, "\177ELF", 4))
		return riommu_fail(
			p->ctx, -EINVAL,
			"a dump or capture has no record; it is in the device tree of the "
			"kernel after the handover ('iommu-dump -i' shows what a capture "
			"holds)");
	return riommu_record_parse(p->ctx, bytes, len, record);
}

static int read_record(struct prep *p, const char *path, struct riommu_record *record)
{
	char *bytes;
	size_t len;
	int err = riommu_read_file(path, MAX_RECORD, &bytes, &len);

	if (err)
		return riommu_fail(p->ctx, err, "%s", riommu_read_reason(err));
	err = parse(p, bytes, len, record);
	free(bytes);
	return err;
}

/* Whether this kernel shows a device tree at all. A folder cannot be read as a file; with few rights left it is not looked at otherwise. */
static bool tree_is_there(struct prep *p)
{
	char *text = NULL;
	size_t len;
	int err = riommu_read_file(riommu_option(p->ctx, "dt.path"), 1, &text, &len);

	free(text);
	return err != -ENOENT && err != -ENOTDIR;
}

/* The file that shows the property, else the whole tree. False (reported): none, damaged or refused. */
static bool find_record(struct prep *p, struct riommu_record *record, char *path, size_t size)
{
	int err;

	if (p->options.input) {
		snprintf(path, size, "%s", p->options.input);
		err = read_record(p, path, record);
	} else {
		snprintf(path, size, "%s%s/%s", riommu_option(p->ctx, "dt.path"),
			 RIOMMU_RECORD_NODE, RIOMMU_RECORD_PROPERTY);
		err = read_record(p, path, record);
		if (err == -ENOENT || err == -ENOTDIR) {
			snprintf(path, size, "%s", riommu_option(p->ctx, "fdt.path"));
			err = read_record(p, path, record);
		}
	}
	if (!err)
		return true;
	if (err == -ENOENT && !p->options.input && !tree_is_there(p))
		out_error(&p->out, -ENODATA,
			  "unknown: neither %s nor %s is there (is /proc or /sys not mounted?), so "
			  "what this kernel was started with cannot be seen",
			  riommu_option(p->ctx, "dt.path"), path);
	else if (!p->options.input && (err == -ENODATA || err == -ENOENT))
		out_error(&p->out, -ENODATA,
			  "unknown: this kernel's device tree has no record, so it was not started "
			  "with one (load with --dtb: 'dtb', or 'load')");
	else
		out_error(&p->out, err, "%s: %s", path, riommu_error(p->ctx));
	return false;
}

/* The frequency of the ticks, from the tree that the record was in or this machine's; 0 when it is not known. */
static uint64_t timebase(struct prep *p)
{
	char *text = NULL;
	uint64_t hz = 0;
	size_t len;
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s/cpus/timebase-frequency",
		 riommu_option(p->ctx, "dt.path"));
	if (p->options.input)
		return 0;
	err = riommu_read_file(path, 8, &text, &len);
	if (err) {
		tell_unread(p, path, err);
		return 0;
	}
	if (len == 4)
		hz = riommu_get32(text, true);
	else if (len == 8)
		hz = riommu_get64(text, true);
	free(text);
	return hz <= INT64_MAX
		       ? hz
		       : 0; /* JSON has no larger numbers, and no machine has such a clock */
}

/* -- showing ------------------------------------------------------------------------------------------------------ */

static const struct riommu_layout *layout_of(uint32_t offset)
{
	return riommu_registers()[riommu_reg_by_offset(offset)].layout;
}

static bool was_read(const struct riommu_record_entry *e)
{
	return e->status != RIOMMU_RECORD_UNUSED && e->status != RIOMMU_RECORD_TRAP &&
	       e->status != RIOMMU_RECORD_NOT_IOMMU;
}

static struct json_object *queue_json(uint64_t base, uint32_t head, uint32_t tail, uint32_t csr,
				      uint32_t csr_offset)
{
	struct json_object *obj = json_object_new_object();

	json_add(obj, "base", json_hex((base & riommu_mask(53, 10)) << 2));
	json_add(obj, "entries", json_object_new_int64((int64_t)2 << riommu_bits(base, 4, 0)));
	json_add(obj, "head", json_object_new_int64(head));
	json_add(obj, "tail", json_object_new_int64(tail));
	json_add(obj, "csr", json_layout(layout_of(csr_offset), csr));
	return obj;
}

static struct json_object *entry_json(const struct riommu_record_entry *e, uint64_t hz)
{
	struct json_object *obj = json_object_new_object(), *queues = NULL;
	bool known = was_read(e);

	json_add(obj, "base", json_hex(e->base));
	json_add(obj, "policy", json_text(riommu_policy_name(e->policy)));
	json_add(obj, "status", json_text(riommu_record_status_name(e->status)));
	json_add(obj, "meaning", json_text(meaning[e->status]));
	json_add(obj, "capabilities", known || e->capabilities ? json_hex(e->capabilities) : NULL);
	json_add(obj, "ddtp_old",
		 known ? json_layout(layout_of(RIOMMU_REG_DDTP), e->ddtp_old) : NULL);
	json_add(obj, "ddtp_new",
		 known ? json_layout(layout_of(RIOMMU_REG_DDTP), e->ddtp_new) : NULL);
	json_add(obj, "fctl", known ? json_hex(e->fctl) : NULL);
	json_add(obj, "ipsr", known ? json_layout(layout_of(RIOMMU_REG_IPSR), e->ipsr) : NULL);
	if (known) {
		queues = json_object_new_object();
		json_add(queues, "cq",
			 queue_json(e->cqb, e->cqh, e->cqt, e->cqcsr, RIOMMU_REG_CQCSR));
		json_add(queues, "fq",
			 queue_json(e->fqb, e->fqh, e->fqt, e->fqcsr, RIOMMU_REG_FQCSR));
		json_add(queues, "pq",
			 e->capabilities & RIOMMU_CAP_ATS
				 ? queue_json(e->pqb, e->pqh, e->pqt, e->pqcsr, RIOMMU_REG_PQCSR)
				 : NULL);
	}
	json_add(obj, "queues", queues);
	json_add(obj, "ticks", json_object_new_int64(e->ticks));
	json_add(obj, "microseconds",
		 hz ? json_object_new_double((double)e->ticks * 1e6 / (double)hz) : NULL);
	return obj;
}

static void print_mode(const char *label, uint64_t ddtp)
{
	const char *name = riommu_ddtp_mode_name(ddtp);
	char number[24];

	snprintf(number, sizeof(number), "mode %u", (unsigned)riommu_bits(ddtp, 3, 0));
	printf("  %-*s%s", LABEL, label, name ? name : number);
	if (ddtp & riommu_mask(53, 10))
		printf(", directory at 0x%" PRIx64, (ddtp & riommu_mask(53, 10)) << 2);
	printf("%s (0x%" PRIx64 ")\n", ddtp & RIOMMU_DDTP_BUSY ? ", busy" : "", ddtp);
}

static void print_queue(const char *label, uint64_t base, uint32_t head, uint32_t tail,
			uint32_t csr)
{
	if (!base && !riommu_bit(csr, 16)) {
		printf("  %-*soff, never set up\n", LABEL, label);
		return;
	}
	printf("  %-*sat 0x%" PRIx64 ", %" PRIu64 " entries, head %" PRIu32 ", tail %" PRIu32
	       ", %s (0x%" PRIx32 ")\n",
	       LABEL, label, (base & riommu_mask(53, 10)) << 2,
	       (uint64_t)2 << riommu_bits(base, 4, 0), head, tail,
	       riommu_bit(csr, 16) ? "on" : "off", csr);
}

static void print_time(uint32_t ticks, uint64_t hz)
{
	if (!ticks)
		return;
	printf("  %-*s%" PRIu32 " ticks", LABEL, "took", ticks);
	if (hz)
		printf(" (%.1f us)", (double)ticks * 1e6 / (double)hz);
	putchar('\n');
}

static void print_entry(const struct riommu_record_entry *e, uint64_t hz)
{
	char words[400];

	snprintf(words, sizeof(words), "%s: %s", riommu_record_status_name(e->status),
		 meaning[e->status]);
	print_wrapped(stdout, words, (size_t)printf("  %-*s", LABEL - 1, "status"), LABEL + 2);
	if (e->capabilities)
		printf("  %-*s0x%" PRIx64 "\n", LABEL, "capabilities", e->capabilities);
	if (was_read(e)) {
		print_mode("ddtp before", e->ddtp_old);
		print_mode("ddtp after", e->ddtp_new);
		print_queue("command queue", e->cqb, e->cqh, e->cqt, e->cqcsr);
		print_queue("fault queue", e->fqb, e->fqh, e->fqt, e->fqcsr);
		if (e->capabilities & RIOMMU_CAP_ATS)
			print_queue("page requests", e->pqb, e->pqh, e->pqt, e->pqcsr);
	}
	print_time(e->ticks, hz);
}

/* -u: the entries of that IOMMU only. A record has no names. */
static bool narrow(struct prep *p, struct riommu_record *record)
{
	const char *only = p->options.iommu;
	uint32_t kept = 0;
	uint64_t base;

	if (!only)
		return true;
	if (riommu_parse_u64(only, &base)) {
		out_error(&p->out, -ENODEV,
			  "-u %.64s: a record has no names, only base addresses: choose by one",
			  only);
		return false;
	}
	for (uint32_t i = 0; i < record->used; i++)
		if (record->entry[i].base == base)
			record->entry[kept++] = record->entry[i];
	record->used = kept;
	if (!kept)
		out_error(&p->out, -ENODEV, "-u 0x%" PRIx64 ": the record has no such IOMMU", base);
	return kept;
}

/* A stub calls an IOMMU blocked after it read Off: whoever wrote another ddtp there, it is not to be believed. */
static bool contradicts(const struct riommu_record_entry *e)
{
	return e->status == RIOMMU_RECORD_BLOCKED &&
	       (riommu_bits(e->ddtp_new, 3, 0) != RIOMMU_DDTP_OFF ||
		e->ddtp_new & RIOMMU_DDTP_BUSY);
}

/* What the whole of it says, in a line; the status follows. */
static const char *verdict(struct prep *p, const struct riommu_record *record)
{
	if (record->state == RIOMMU_RECORD_NEVER_RUN) {
		out_status(&p->out, STATUS_FINDING);
		return "did not run: the record is as it was made (was the Image loaded that has "
		       "the stub?)";
	}
	if (record->state == RIOMMU_RECORD_ENTERED) {
		out_status(&p->out, STATUS_FINDING);
		return "began and did not end: what follows is incomplete";
	}
	if (!record->used) {
		out_status(&p->out, STATUS_FINDING);
		return "ran, and says nothing of any IOMMU: it blocked none";
	}
	for (uint32_t i = 0; i < record->used; i++) {
		uint32_t status = record->entry[i].status;

		if (contradicts(&record->entry[i])) {
			out_status(&p->out, STATUS_FINDING);
			return "ran, but an IOMMU that is called blocked has a ddtp that is not "
			       "Off";
		}
		if (status == RIOMMU_RECORD_BLOCKED || status == RIOMMU_RECORD_LEFT)
			continue;
		out_status(&p->out, STATUS_FINDING);
		return "ran, but not every IOMMU was blocked that should have been";
	}
	return "ran";
}

void prep_report(struct prep *p, int argc, char **argv)
{
	static struct riommu_record record;
	char path[PATH_MAX];
	const char *words;
	uint64_t hz;

	if (argc) {
		out_error(&p->out, -EINVAL, "report takes no argument '%s'", argv[0]);
		return;
	}
	sandbox(&p->options, SANDBOX_READING, stderr);
	out_begin(&p->out, PREP_SCHEMA, NULL);
	if (!find_record(p, &record, path, sizeof(path)) || !narrow(p, &record)) {
		out_member(&p->out, "record", NULL);
		return;
	}
	words = verdict(p, &record);
	hz = timebase(p);
	sandbox(&p->options, SANDBOX_CLOSED, stderr);
	if (in_json(&p->out)) {
		struct json_object *obj = json_object_new_object();

		json_add(obj, "path", prep_json_text(path));
		json_add(obj, "state", json_text(riommu_record_state_name(record.state)));
		json_add(obj, "verdict", json_text(words));
		json_add(obj, "capacity", json_object_new_int64(record.capacity));
		json_add(obj, "timebase_frequency", hz ? json_object_new_int64((int64_t)hz) : NULL);
		out_member(&p->out, "record", obj);
	} else {
		printf("The stub %s\n", words);
	}
	out_list_begin(&p->out, "iommus");
	for (uint32_t i = 0; i < record.used; i++) {
		if (in_json(&p->out)) {
			out_item(&p->out, entry_json(&record.entry[i], hz));
			continue;
		}
		printf("\nIOMMU 0x%" PRIx64 "\n", record.entry[i].base);
		print_entry(&record.entry[i], hz);
	}
	out_list_end(&p->out);
}
