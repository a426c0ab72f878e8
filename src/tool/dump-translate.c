/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump translate: one-shot and batch. */
#include "config.h"

#include "dump.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/* One request's answer: from the walk, from the register that is missing for it, from the hardware where it was asked. */
struct answer {
	struct riommu_translation t;
	const struct riommu_trace *trace;
	const char *missing_register;
	const struct hardware_answer *hardware;
	uint32_t fctl;
};

static void report(struct dump *d, size_t line, size_t iommu, const struct riommu_request *q,
		   const struct answer *a)
{
	char label[96];

	if (in_json(&d->out)) {
		struct json_object *obj = translation_json(line, d->sys->iommus[iommu].base, q,
							   &a->t, a->trace, a->missing_register);

		if (a->hardware)
			hardware_json(obj, a->hardware);
		out_item(&d->out, obj);
		return;
	}
	printf("%s iova 0x%" PRIx64,
	       dump_device_label(d, iommu, q->device_id, label, sizeof(label)), q->iova);
	if (q->has_process_id)
		printf(" process 0x%x%s", q->process_id, q->privileged ? " (supervisor)" : "");
	printf("\n");
	if (a->missing_register)
		translation_print_missing(stdout, 2, a->missing_register);
	else
		translation_print(stdout, 2, a->fctl, q, &a->t, a->trace);
	if (a->hardware)
		hardware_print(stdout, 2, a->hardware);
}

/* What one answer means for the exit status; a register that is missing was reported by dump_walker(). */
static void account(struct dump *d, const struct riommu_request *q, const struct answer *a)
{
	const struct riommu_translation *t = &a->t;

	if (a->missing_register)
		return;
	if (t->result == RIOMMU_FAULT)
		out_status(&d->out, STATUS_FINDING);
	else if (t->result == RIOMMU_UNKNOWN && t->error == -EBADMSG)
		out_error(&d->out, t->error, "iova 0x%" PRIx64 ": %s", q->iova, t->reason);
	else if (t->result == RIOMMU_UNKNOWN)
		out_error(&d->out, t->error,
			  "iova 0x%" PRIx64 ": the entry at 0x%" PRIx64 " is not to be had: %s",
			  q->iova, t->missing,
			  t->error == -ENODATA ? "this source does not hold it"
					       : strerror(-t->error));
}

/* The kernel prints addresses in hex without 0x; whoever types one off the log means that. */
static void note_decimal(const char *text, uint64_t value)
{
	if (value > 9 && strncmp(text, "0x", 2) && strncmp(text, "0X", 2))
		fprintf(stderr,
			"%s: %s is read as decimal (0x%" PRIx64
			"); an address from the kernel's log needs 0x: 0x%s\n",
			program, text, value, text);
}

/* The requests of one device, IOVA by IOVA. CONTROL is NULL when the hardware is not asked. */
static void translate_iovas(struct dump *d, const struct riommu_device_ref *ref,
			    struct riommu_source *control, int count, char **iovas)
{
	static struct riommu_trace trace;
	struct riommu_request q = d->request;
	struct hardware_answer hardware;
	struct riommu_walker walker;
	struct answer a = {.trace = &trace};

	q.device_id = ref->device_id;
	dump_walker(d, ref->iommu, &walker, &a.missing_register);
	a.fctl = a.missing_register ? 0 : walker.fctl;
	for (int i = 0; i < count; i++) {
		if (riommu_parse_u64(iovas[i], &q.iova)) {
			out_error(&d->out, -EINVAL,
				  "translate: '%s' is not an address (0x hex, or decimal)",
				  iovas[i]);
			return;
		}
		note_decimal(iovas[i], q.iova);
		if (!a.missing_register)
			translation_walk(d->sys, &walker, &q, &a.t, &trace);
		if (!IS_MINIMAL && control &&
		    hardware_ask(d, control, ref->iommu, a.missing_register ? NULL : &walker, &q,
				 &hardware))
			a.hardware = &hardware;
		report(d, (size_t)i + 1, ref->iommu, &q, &a);
		account(d, &q, &a);
		a.hardware = NULL;
	}
}

static void one_shot(struct dump *d, int argc, char **argv)
{
	struct riommu_source *control = NULL;
	struct riommu_device_ref ref;

	if (argc < 2) {
		out_error(&d->out, -EINVAL, "translate: expected DEVICE and at least one IOVA");
		return;
	}
	if (!dump_device(d, argv[0], &ref))
		return;
	if (!IS_MINIMAL && d->hardware && !hardware_open(d, ref.iommu, &control))
		return;
	if (d->hardware)
		sandbox(&d->options, SANDBOX_CLOSED, stderr);
	translate_iovas(d, &ref, control, argc - 1, argv + 1);
	riommu_source_close(control);
}

/* -- batch ------------------------------------------------------------------------------------------------------ */

#define LINE_MAX_BYTES 4096

struct batch {
	struct dump *d;
	size_t line;
	char message[256]; /* what is wrong with the line */
	/* per IOMMU, made at first use */
	struct riommu_walker *walkers;
	const char **missing;
	bool *ready;
	time_t looked; /* when the registers were read, CLOCK_MONOTONIC */
	size_t unknown, bad;
	int error; /* why the first unknown one is */
};

static bool bad(struct batch *b, const char *fmt, ...) RIOMMU_PRINTF(2, 3);
static bool bad(struct batch *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(b->message, sizeof(b->message), fmt, args);
	va_end(args);
	printable(b->message);
	return false;
}

static int choice(const char *value, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(value, names[i]))
			return (int)i;
	return -1;
}

enum { KEY_PID = 1, KEY_PRIV = 2, KEY_ACCESS = 4, KEY_TYPE = 8 };

static bool parse_pid(struct batch *b, const char *value, struct riommu_request *q)
{
	uint64_t pid;

	if (riommu_parse_u64(value, &pid) || pid > RIOMMU_PROCESS_ID_MAX)
		return bad(b, "pid=%.40s: not a process_id of 20 bits", value);
	q->process_id = (uint32_t)pid;
	q->has_process_id = true;
	return true;
}

static bool parse_word(struct batch *b, char *word, unsigned *seen, struct riommu_request *q)
{
	static const char *const keys[] = {"pid", "priv", "access", "type"};
	static const char *const privs[] = {"u", "s"}, *const accesses[] = {"r", "w", "x"};
	static const char *const types[] = {"untranslated", "translated", "ats"};
	char *equals = strchr(word, '=');
	const char *value;
	int key, n = -1;

	if (!equals)
		return bad(b, "'%.40s': expected KEY=VALUE", word);
	*equals = '\0';
	value = equals + 1;
	key = choice(word, keys, RIOMMU_ARRAY_SIZE(keys));
	if (key < 0)
		return bad(b, "'%.40s': unknown key (pid, priv, access, type)", word);
	if (*seen & (1u << key))
		return bad(b, "'%s' is given twice", word);
	*seen |= 1u << key;
	switch (1u << key) {
	case KEY_PID:
		return parse_pid(b, value, q);
	case KEY_PRIV:
		n = choice(value, privs, RIOMMU_ARRAY_SIZE(privs));
		q->privileged = n == 1;
		break;
	case KEY_ACCESS:
		n = choice(value, accesses, RIOMMU_ARRAY_SIZE(accesses));
		q->access = n < 0 ? RIOMMU_READ : (enum riommu_access)n;
		break;
	default:
		n = choice(value, types, RIOMMU_ARRAY_SIZE(types));
		q->type = n < 0 ? RIOMMU_UNTRANSLATED : (enum riommu_request_type)n;
		break;
	}
	return n >= 0 || bad(b, "%s=%.40s: no such value", word, value);
}

/* DEVICE IOVA [KEY=VALUE ...] */
static bool parse_line(struct batch *b, char *text, struct riommu_request *q, size_t *iommu)
{
	char *save, *device = strtok_r(text, " \t\r\n", &save),
		    *iova = strtok_r(NULL, " \t\r\n", &save);
	struct riommu_device_ref ref;
	unsigned seen = 0;

	*q = (struct riommu_request){.access = RIOMMU_READ};
	if (!iova)
		return bad(b, "expected DEVICE IOVA [pid=N] [priv=u|s] [access=r|w|x] [type=...]");
	if (!dump_find_device(b->d, device, &ref, b->message, sizeof(b->message)))
		return false;
	q->device_id = ref.device_id;
	*iommu = ref.iommu;
	if (riommu_parse_u64(iova, &q->iova))
		return bad(b, "'%.40s' is not an address (0x hex, or decimal)", iova);
	for (char *word; (word = strtok_r(NULL, " \t\r\n", &save));)
		if (!parse_word(b, word, &seen, q))
			return false;
	return true;
}

static void bad_line(struct batch *b)
{
	struct json_object *obj;

	b->bad++;
	out_flush();
	fprintf(stderr, "%s: line %zu: %s\n", program, b->line, b->message);
	if (!in_json(&b->d->out))
		return;
	obj = json_object_new_object();
	json_add(obj, "line", json_object_new_int64((int64_t)b->line));
	json_add(obj, "result", json_text("error"));
	json_add(obj, "message", json_text(b->message));
	out_line(obj);
}

static void batch_json(const struct batch *b, size_t iommu, const struct riommu_request *q,
		       const struct riommu_translation *t, const struct riommu_trace *trace,
		       const char *missing)
{
	uint64_t base = b->d->sys->iommus[iommu].base;

	if (trace || missing)
		out_line(translation_json(b->line, base, q, t, trace, missing));
	else
		translation_print_json(b->line, base, q, t);
}

static void batch_text(const struct batch *b, uint32_t fctl, const struct riommu_request *q,
		       const struct riommu_translation *t, const struct riommu_trace *trace,
		       const char *missing)
{
	printf("%zu: 0x%x 0x%" PRIx64 "\n", b->line, q->device_id, q->iova);
	if (missing)
		translation_print_missing(stdout, 2, missing);
	else
		translation_print(stdout, 2, fctl, q, t, trace);
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Live registers change while a batch that is piped in waits for its next line; tables are read anew for each request anyway. */
static void refresh(struct batch *b)
{
	struct riommu_system *sys = b->d->sys;

	if (!sys->live || seconds() - b->looked < 2)
		return;
	for (size_t i = 0; i < sys->iommu_count; i++) {
		riommu_system_read_registers(sys, i);
		b->ready[i] = false;
	}
	b->looked = seconds();
}

static void good_line(struct batch *b, size_t iommu, const struct riommu_request *q)
{
	static struct riommu_trace trace;
	struct riommu_trace *steps = b->d->steps ? &trace : NULL;
	struct riommu_translation t = {0};
	const char *missing;

	refresh(b);
	if (!b->ready[iommu]) {
		dump_walker(b->d, iommu, &b->walkers[iommu], &b->missing[iommu]);
		b->ready[iommu] = true;
	}
	missing = b->missing[iommu];
	if (!missing)
		translation_walk(b->d->sys, &b->walkers[iommu], q, &t, steps);
	if (in_json(&b->d->out))
		batch_json(b, iommu, q, &t, steps, missing);
	else
		batch_text(b, missing ? 0 : b->walkers[iommu].fctl, q, &t, steps, missing);
	if (!missing && t.result == RIOMMU_UNKNOWN && !b->unknown++)
		b->error = t.error;
}

/* CUT: more follows, so blanks alone do not make it empty. */
static bool is_comment(const char *text, bool cut)
{
	text += strspn(text, " \t\r");
	return *text == '#' || (!*text && !cut);
}

/* TEXT holds what fits of a line of LEN bytes. */
static void batch_line(struct batch *b, char *text, size_t len)
{
	bool cut = len > LINE_MAX_BYTES;
	struct riommu_request q;
	size_t iommu = 0;
	bool ok;

	b->line++;
	if (strlen(text) != (cut ? LINE_MAX_BYTES : len))
		ok = bad(b, "the line holds a NUL byte");
	else if (is_comment(text, cut))
		return;
	else if (cut)
		ok = bad(b, "the line is longer than %d bytes", LINE_MAX_BYTES);
	else
		ok = parse_line(b, text, &q, &iommu);
	if (ok)
		good_line(b, iommu, &q);
	else
		bad_line(b);
}

static void batch(struct dump *d, FILE *f)
{
	size_t n = d->sys->iommu_count;
	struct batch b = {
		.d = d,
		.looked = seconds(),
		.walkers = calloc(n, sizeof(*b.walkers)),
		.missing = calloc(n, sizeof(*b.missing)),
		.ready = calloc(n, sizeof(*b.ready)),
	};
	char text[LINE_MAX_BYTES + 1];
	size_t len = 0;

	if (!b.walkers || !b.missing || !b.ready)
		die(STATUS_ERROR, "out of memory");
	while (read_line(f, text, sizeof(text), &len) && len < NO_LINE)
		batch_line(&b, text, len);
	if (len >= NO_LINE)
		out_error(&d->out, -EINVAL, "%s: a line of more than 64 MiB: this is no text",
			  d->batch);
	if (ferror(f))
		out_error(&d->out, -errno, "%s: %s", d->batch, strerror(errno));
	if (b.bad)
		out_status(&d->out, STATUS_USAGE);
	if (b.unknown)
		out_error(&d->out, b.error,
			  "%zu requests have no answer: an entry on the way is not to be had",
			  b.unknown);
	free(b.walkers);
	free(b.missing);
	free(b.ready);
}

void dump_translate_open(struct dump *d, int argc, char **argv)
{
	(void)argv;
	if (!d->batch || argc || d->hardware) /* what is wrong with it is said when it runs */
		return;
	d->batch_file = open_lines(d->batch);
	d->batch_error = d->batch_file ? 0 : -errno;
}

void dump_translate(struct dump *d, int argc, char **argv)
{
	if (!d->batch) {
		out_begin(&d->out, DUMP_SCHEMA, d->sys);
		dump_iommus(d);
		out_list_begin(&d->out, "translations");
		one_shot(d, argc, argv);
		out_list_end(&d->out);
		return;
	}
	if (argc) {
		out_error(&d->out, -EINVAL,
			  "translate: --batch takes its requests from %s, not from '%s'", d->batch,
			  argv[0]);
		return;
	}
	if (d->hardware) {
		out_error(
			&d->out, -EINVAL,
			"translate: --hardware asks about one request at a time, not with --batch");
		return;
	}
	if (!d->batch_file) {
		out_error(&d->out, d->batch_error, "%s: %s", d->batch, strerror(-d->batch_error));
		return;
	}
	batch(d, d->batch_file);
	fclose(d->batch_file);
}
