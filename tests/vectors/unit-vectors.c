/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every request of every vector file through riommu_translate(), poisoned memory included (README.md). The files are
 * those of the directory or packed archive given as the argument or by $VECTORS; by default of the archive next to
 * this file. Prints a line for each key that differs and, last, `N passed, N failed, N skipped`. Status 0: all passed.
 */
#include "../unit/memory.h"
#include "../unit/runner.h"
#include "walk/walk.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_WRITES RIOMMU_MAX_UPDATES
#define MAX_SHOWN  60

struct outcome {
	bool ok;
	struct riommu_translation want;
	uint64_t nread, last;
	bool has_last;
	size_t write_count;
	struct riommu_update write[MAX_WRITES];
};

struct quirk {
	char name[32];
	unsigned corrected, model;
};

struct run {
	const char *file;
	unsigned long line;
	struct memory *memory;
	struct riommu_walker walker;
	struct riommu_request request;
	bool pending; /* a request waits for its alt line */
	char text[512];
	struct outcome main;
	unsigned long passed, failed, shown, files;
	struct quirk quirks[16];
};

/* -- parsing ------------------------------------------------------------------------------------ */

_Noreturn static void malformed(const struct run *r, const char *what)
{
	fprintf(stderr, "%s:%lu: malformed vector file: %s\n", r->file, r->line, what);
	exit(1);
}

/* The value of KEY=VALUE among the words of TEXT, in a static buffer; NULL when there is none. */
static const char *word(const char *text, const char *key)
{
	static char value[128];
	size_t len = strlen(key);

	for (const char *p = text; p; p = strchr(p, ' ')) {
		p += *p == ' ';
		if (strncmp(p, key, len) == 0 && p[len] == '=') {
			size_t n = strcspn(p + len + 1, " \n");

			if (n >= sizeof(value))
				n = sizeof(value) - 1;
			memcpy(value, p + len + 1, n);
			value[n] = '\0';
			return value;
		}
	}
	return NULL;
}

static const char *need(const struct run *r, const char *text, const char *key)
{
	const char *value = word(text, key);

	if (!value)
		malformed(r, key);
	return value;
}

static uint64_t number(const struct run *r, const char *text, const char *key)
{
	uint64_t value;

	if (riommu_parse_u64(need(r, text, key), &value))
		malformed(r, key);
	return value;
}

static bool is(const struct run *r, const char *text, const char *key, const char *value)
{
	return strcmp(need(r, text, key), value) == 0;
}

static void parse_writes(const struct run *r, const char *text, struct outcome *o)
{
	const char *p = text;

	while ((p = strstr(p, " wr="))) {
		struct riommu_update *w = &o->write[o->write_count];
		unsigned size;

		if (o->write_count == MAX_WRITES ||
		    sscanf(p, " wr=%" SCNx64 "/%u:%" SCNx64, &w->address, &size, &w->raw) != 3)
			malformed(r, "wr");
		w->size = (uint8_t)size;
		o->write_count++;
		p += 4;
	}
}

static uint8_t permissions(const char *text)
{
	return (uint8_t)((strchr(text, 'r') ? RIOMMU_PERM_R : 0) |
			 (strchr(text, 'w') ? RIOMMU_PERM_W : 0) |
			 (strchr(text, 'x') ? RIOMMU_PERM_X : 0));
}

static void parse_ok(const struct run *r, const char *text, struct riommu_translation *t)
{
	t->result = RIOMMU_OK;
	t->pa = number(r, text, "pa");
	t->page_size = number(r, text, "page_size");
	t->memory_type = is(r, text, "pbmt", "pma")  ? RIOMMU_PMA
			 : is(r, text, "pbmt", "nc") ? RIOMMU_NC
						     : RIOMMU_IO;
	t->msi = is(r, text, "msi", "none")   ? RIOMMU_MSI_NONE
		 : is(r, text, "msi", "flat") ? RIOMMU_MSI_FLAT
					      : RIOMMU_MSI_MRIF;
	if (t->msi == RIOMMU_MSI_MRIF) {
		t->mrif_address = number(r, text, "mrif");
		t->notice_id = (uint32_t)number(r, text, "nid");
	}
	t->has_permissions = r->request.type != RIOMMU_TRANSLATED &&
			     (r->walker.ddtp & 15) != RIOMMU_DDTP_BARE &&
			     (t->msi != RIOMMU_MSI_MRIF || r->request.type == RIOMMU_ATS);
	if (t->has_permissions)
		t->permissions = permissions(need(r, text, "perm"));
	if (r->request.type == RIOMMU_ATS) {
		t->ats_privileged = is(r, text, "priv", "s");
		t->ats_global = is(r, text, "global", "1");
		t->ats_untranslated_only = is(r, text, "uonly", "1");
	}
}

static void parse_fault(const struct run *r, const char *text, struct riommu_translation *t)
{
	t->result = RIOMMU_FAULT;
	t->cause = (uint16_t)number(r, text, "cause");
	t->iotval = number(r, text, "iotval");
	t->iotval2 = number(r, text, "iotval2");
	t->reported = is(r, text, "reported", "yes");
	t->response = is(r, text, "resp", "ur")   ? RIOMMU_RESPONSE_UR
		      : is(r, text, "resp", "ca") ? RIOMMU_RESPONSE_CA
						  : RIOMMU_RESPONSE_SUCCESS;
}

static void parse_outcome(const struct run *r, const char *text, struct outcome *o)
{
	memset(o, 0, sizeof(*o));
	o->ok = strncmp(text, "ok ", 3) == 0;
	if (o->ok)
		parse_ok(r, text, &o->want);
	else if (strncmp(text, "fault ", 6) == 0)
		parse_fault(r, text, &o->want);
	else
		malformed(r, "neither ok nor fault");
	o->nread = number(r, text, "nread");
	o->has_last = word(text, "last") != NULL;
	if (o->has_last)
		o->last = number(r, text, "last");
	parse_writes(r, text, o);
}

static void parse_request(struct run *r, const char *text)
{
	struct riommu_request *q = &r->request;

	memset(q, 0, sizeof(*q));
	q->device_id = (uint32_t)number(r, text, "did");
	q->has_process_id = !is(r, text, "pid", "-");
	if (q->has_process_id)
		q->process_id = (uint32_t)number(r, text, "pid");
	q->privileged = is(r, text, "priv", "s");
	q->access = is(r, text, "type", "r")   ? RIOMMU_READ
		    : is(r, text, "type", "w") ? RIOMMU_WRITE
					       : RIOMMU_EXEC;
	q->type = is(r, text, "at", "untranslated") ? RIOMMU_UNTRANSLATED
		  : is(r, text, "at", "translated") ? RIOMMU_TRANSLATED
						    : RIOMMU_ATS;
	q->iova = number(r, text, "iova");
}

/* -- comparing ---------------------------------------------------------------------------------- */

/* What differs, as text; said only when no accepted answer fits. */
struct report {
	char text[2048];
	size_t len;
	bool bad;
};

RIOMMU_PRINTF(2, 3) static void wrong(struct report *report, const char *fmt, ...)
{
	va_list args;
	int n;

	report->bad = true;
	if (report->len >= sizeof(report->text) - 1)
		return;
	va_start(args, fmt);
	n = vsnprintf(report->text + report->len, sizeof(report->text) - report->len, fmt, args);
	va_end(args);
	report->len += n > 0 ? (size_t)n : 0;
}

static void same(struct report *report, const char *key, uint64_t want, uint64_t got)
{
	if (want != got)
		wrong(report, "    %s: expected 0x%" PRIx64 ", got 0x%" PRIx64 "\n", key, want,
		      got);
}

static const struct riommu_step *find_dc(const struct riommu_trace *trace)
{
	for (size_t i = 0; i < trace->step_count; i++)
		if (trace->step[i].structure == RIOMMU_S_DC && trace->step[i].count)
			return &trace->step[i];
	return NULL;
}

/* The size that a leaf stands for; UINT64_MAX when nothing was translated by it. */
static uint64_t leaf_size(const struct riommu_step *leaf)
{
	if (!leaf || !leaf->count)
		return UINT64_MAX;
	if (leaf->size == 4)
		return (uint64_t)1 << (12 + 10 * leaf->level);
	if (!leaf->level)
		return leaf->value[0] & RIOMMU_PTE_N ? 0x10000 : 0x1000;
	return (uint64_t)1 << (12 + 9 * leaf->level);
}

/* The smaller stage, from the leaf entries among the steps; 0: no stage limits it. */
static uint64_t true_size(const struct riommu_trace *trace)
{
	const struct riommu_step *last =
		trace->step_count ? &trace->step[trace->step_count - 1] : NULL;
	const struct riommu_step *first = NULL;
	uint64_t size, second = UINT64_MAX;

	for (size_t i = 0; i < trace->step_count; i++)
		if (trace->step[i].structure == RIOMMU_S_PTE)
			first = &trace->step[i];
	if (last && last->structure == RIOMMU_S_GPTE)
		second = leaf_size(last);
	else if (last && last->structure == RIOMMU_S_MSI_PTE)
		second = RIOMMU_PAGE_SIZE;
	size = leaf_size(first);
	if (second < size)
		size = second;
	return size == UINT64_MAX ? 0 : size;
}

/* README.md, "How page_size is judged". */
static void compare_size(struct report *report, uint64_t model, uint64_t got,
			 const struct riommu_trace *trace)
{
	const struct riommu_step *dc = find_dc(trace);
	const struct riommu_step *last =
		trace->step_count ? &trace->step[trace->step_count - 1] : NULL;
	uint64_t want = true_size(trace);
	bool msi = dc && dc->count == RIOMMU_DC_DWORDS && dc->value[RIOMMU_DC_MSIPTP] >> 60;
	bool bare = dc && !(dc->value[RIOMMU_DC_IOHGATP] >> 60);

	if (msi && want && model < want && last->structure == RIOMMU_S_GPTE && got >= model &&
	    got <= want)
		return;
	same(report, "page_size", want, got);
	if (model != want && !(model >= (uint64_t)1 << 62 && !want) &&
	    !(model == RIOMMU_PAGE_SIZE && (!want || want == 0x10000 || bare)))
		wrong(report,
		      "    page_size: 0x%" PRIx64 " does not fit the model's 0x%" PRIx64 "\n", got,
		      model);
}

static void compare_trace(struct report *report, const struct outcome *o,
			  const struct riommu_trace *trace)
{
	same(report, "steps", o->nread, trace->step_count);
	if (o->has_last && trace->step_count)
		same(report, "last step's address", o->last,
		     trace->step[trace->step_count - 1].address);
	same(report, "writes", o->write_count, trace->update_count);
	for (size_t i = 0; i < o->write_count; i++) {
		const struct riommu_update *w = &o->write[i];
		bool found = false;

		for (size_t k = 0; k < trace->update_count; k++)
			found |= trace->update[k].address == w->address &&
				 trace->update[k].size == w->size && trace->update[k].raw == w->raw;
		if (!found)
			wrong(report, "    no write 0x%" PRIx64 "/%u:0x%" PRIx64 "\n", w->address,
			      w->size, w->raw);
	}
}

static void compare(struct report *report, const struct outcome *o,
		    const struct riommu_translation *t, const struct riommu_trace *trace)
{
	const struct riommu_translation *w = &o->want;

	memset(report, 0, sizeof(*report));
	same(report, "result", w->result, t->result);
	if (t->result == RIOMMU_UNKNOWN)
		wrong(report, "    missing 0x%" PRIx64 ", error %d\n", t->missing, t->error);
	same(report, "pa", w->pa, t->pa);
	same(report, "has_permissions", w->has_permissions, t->has_permissions);
	same(report, "permissions", w->permissions, t->permissions);
	same(report, "memory_type", w->memory_type, t->memory_type);
	same(report, "msi", w->msi, t->msi);
	same(report, "mrif_address", w->mrif_address, t->mrif_address);
	same(report, "notice_id", w->notice_id, t->notice_id);
	same(report, "ats_privileged", w->ats_privileged, t->ats_privileged);
	same(report, "ats_global", w->ats_global, t->ats_global);
	same(report, "ats_untranslated_only", w->ats_untranslated_only, t->ats_untranslated_only);
	same(report, "cause", w->cause, t->cause);
	same(report, "iotval", w->iotval, t->iotval);
	same(report, "iotval2", w->iotval2, t->iotval2);
	same(report, "reported", w->reported, t->reported);
	same(report, "response", w->response, t->response);
	if (w->result == RIOMMU_FAULT && t->result == RIOMMU_FAULT && !(t->reason && *t->reason))
		wrong(report, "    reason: a fault without words\n");
	compare_trace(report, o, trace);
	if (w->result == RIOMMU_OK && t->result == RIOMMU_OK && !report->bad)
		compare_size(report, w->page_size, t->page_size, trace);
	else if (t->result != RIOMMU_OK)
		same(report, "page_size", 0, t->page_size);
}

/* -- running ------------------------------------------------------------------------------------ */

static const char *const either[] = {"iotval2-exact", "t2gpa-resp", "implicit-d", "implicit-d-wr",
				     "ats-stale-d"};

/* Calls for each quirk of a comma-separated list; true when the specification leaves room for all of them. */
static bool all_free(const char *list)
{
	char copy[128], *save, *name;
	bool all = true;

	snprintf(copy, sizeof(copy), "%s", list);
	for (name = strtok_r(copy, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		bool one = false;

		for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(either); i++)
			one |= strcmp(either[i], name) == 0;
		all &= one;
	}
	return all;
}

static void count_quirks(struct run *r, const char *list, bool corrected)
{
	char copy[128], *save, *name;

	snprintf(copy, sizeof(copy), "%s", list);
	for (name = strtok_r(copy, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(r->quirks); i++) {
			struct quirk *q = &r->quirks[i];

			if (q->name[0] && strcmp(q->name, name) != 0)
				continue;
			snprintf(q->name, sizeof(q->name), "%s", name);
			if (corrected)
				q->corrected++;
			else
				q->model++;
			break;
		}
	}
}

/* Asks and judges the pending request; ALT and QUIRKS NULL when no alt line follows it. */
static void judge(struct run *r, const struct outcome *alt, const char *quirks)
{
	struct riommu_translation t;
	struct riommu_trace trace;
	struct report report, second;

	if (!r->pending)
		return;
	r->pending = false;
	memset(&trace, 0, sizeof(trace));
	riommu_translate(&r->walker, &r->request, &t, &trace);
	compare(&report, alt ? alt : &r->main, &t, &trace);
	if (alt && !report.bad)
		count_quirks(r, quirks, true);
	if (alt && report.bad && all_free(quirks)) {
		compare(&second, &r->main, &t, &trace);
		report.bad = second.bad;
		if (!second.bad)
			count_quirks(r, quirks, false);
	}
	if (!report.bad) {
		r->passed++;
		return;
	}
	r->failed++;
	if (r->shown++ < MAX_SHOWN)
		printf("%s: %s\n%s    (%s)\n", r->file, r->text, report.text,
		       t.reason ? t.reason : "no reason");
}

static void take_line(struct run *r, const char *line)
{
	const char *arrow = strstr(line, " => ");
	uint64_t a = 0, b = 0;
	char name[64];
	unsigned flag;

	if (strncmp(line, "req ", 4) == 0 && arrow) {
		judge(r, NULL, NULL);
		parse_request(r, line);
		parse_outcome(r, arrow + 4, &r->main);
		snprintf(r->text, sizeof(r->text), "%.*s", (int)(arrow - line), line);
		r->pending = true;
	} else if (strncmp(line, "alt quirk=", 10) == 0 && arrow) {
		struct outcome alt;
		char quirks[128];

		snprintf(quirks, sizeof(quirks), "%s", need(r, line, "quirk"));
		parse_outcome(r, arrow + 4, &alt);
		judge(r, &alt, quirks);
	} else if (sscanf(line, "mem %" SCNx64 " %" SCNx64, &a, &b) == 2) {
		memory_put64(r->memory, a, b, false);
	} else if (sscanf(line, "page %" SCNx64, &a) == 1) {
		memory_page(r->memory, a);
	} else if (sscanf(line, "poison %" SCNx64, &a) == 1) {
		memory_poison(r->memory, a);
	} else if (sscanf(line, "reg %63s %" SCNx64, name, &a) == 2) {
		if (strcmp(name, "capabilities") == 0)
			r->walker.capabilities = a;
		else if (strcmp(name, "fctl") == 0)
			r->walker.fctl = (uint32_t)a;
		else if (strcmp(name, "ddtp") == 0)
			r->walker.ddtp = a;
		else
			malformed(r, "register");
	} else if (sscanf(line, "param %63s %u", name, &flag) == 2) {
		if (strcmp(name, "gxl_writable") == 0)
			r->walker.gxl_writable = flag;
		else
			r->walker.be_writable = flag;
	} else if (line[0] != '#' && line[0] != '\n' && strncmp(line, "pas ", 4) != 0 &&
		   strcmp(line, "riscv-iommu-vector 1\n") != 0) {
		malformed(r, "unknown line");
	}
}

static void run_file(struct run *r, struct riommu_ctx *ctx, const char *name, FILE *f)
{
	char *line = NULL;
	size_t size = 0;

	r->file = name;
	r->line = 0;
	r->files++;
	r->memory = memory_new();
	memset(&r->walker, 0, sizeof(r->walker));
	r->walker.memory = memory_source(r->memory, ctx);
	r->walker.absent_is_fault = true;
	while (getline(&line, &size, f) > 0) {
		r->line++;
		take_line(r, line);
	}
	judge(r, NULL, NULL);
	free(line);
	riommu_source_close(r->walker.memory);
	memory_free(r->memory);
}

static bool is_vector_name(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".vec") == 0;
}

static int is_vector(const struct dirent *entry)
{
	return is_vector_name(entry->d_name);
}

/* False when DIRECTORY is none. */
static bool run_directory(struct run *r, struct riommu_ctx *ctx, const char *directory)
{
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, is_vector, alphasort);

	for (int i = 0; i < n; i++) {
		char path[8192];
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		f = fopen(path, "r");
		if (!f) {
			perror(path);
			exit(1);
		}
		run_file(r, ctx, path, f);
		fclose(f);
		free(entries[i]);
	}
	free(entries);
	return n >= 0;
}

/* -- the archive: a ustar file of blocks of 512 bytes, a header before each member --------------------- */

#define BLOCK      512
#define NAME_SIZE  100
#define SIZE_AT    124 /* octal, 12 characters */
#define MAX_MEMBER (64ul << 20)

static bool run_member(struct run *r, struct riommu_ctx *ctx, const char *header, FILE *tar)
{
	unsigned long size = strtoul(header + SIZE_AT, NULL, 8);
	unsigned long padded = (size + BLOCK - 1) / BLOCK * BLOCK;
	char name[NAME_SIZE + 1], *text;
	FILE *f;

	if (size > MAX_MEMBER)
		return false;
	text = malloc(padded + 1);
	if (!text || fread(text, 1, padded, tar) != padded) {
		free(text);
		return false;
	}
	memcpy(name, header, NAME_SIZE);
	name[NAME_SIZE] = '\0';
	f = size && is_vector_name(name) ? fmemopen(text, size, "r") : NULL;
	if (f) {
		run_file(r, ctx, name, f);
		fclose(f);
	}
	free(text);
	return true;
}

static bool run_archive(struct run *r, struct riommu_ctx *ctx, const char *archive)
{
	char header[BLOCK];
	bool good = true;
	FILE *tar;

	if (setenv("VECTOR_ARCHIVE", archive, 1))
		return false;
	tar = popen("exec xz -dc <\"$VECTOR_ARCHIVE\"", "r");
	if (!tar)
		return false;
	while (good && fread(header, 1, BLOCK, tar) == BLOCK)
		good = !header[0] || run_member(r, ctx, header, tar);
	return pclose(tar) == 0 && good;
}

/* What to run where nobody says it: the archive among the sources. */
static const char *default_source(char *path, size_t size)
{
	source_file("tests/vectors/cases.tar.xz", path, size);
	return path;
}

int main(int argc, char **argv)
{
	struct riommu_ctx *ctx = riommu_ctx_new();
	struct run *r = calloc(1, sizeof(*r));
	char path[4096];
	const char *source = argc > 1            ? argv[1]
			     : getenv("VECTORS") ? getenv("VECTORS")
						 : default_source(path, sizeof(path));
	bool good;

	if (!ctx || !r) {
		perror("out of memory");
		return 1;
	}
	good = run_directory(r, ctx, source) || run_archive(r, ctx, source);
	if (r->shown > MAX_SHOWN)
		printf("... and %lu more requests that failed\n", r->shown - MAX_SHOWN);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(r->quirks) && r->quirks[i].name[0]; i++)
		printf("quirk %s: corrected answer %u times, model's %u times\n", r->quirks[i].name,
		       r->quirks[i].corrected, r->quirks[i].model);
	if (!good)
		printf("%s: neither a directory of vector files nor an archive of them\n", source);
	printf("%lu files\n%lu passed, %lu failed, 0 skipped\n", r->files, r->passed,
	       r->failed + (good && r->passed ? 0 : 1));
	good = good && r->passed && !r->failed;
	riommu_ctx_free(ctx);
	free(r);
	return good ? 0 : 1;
}
