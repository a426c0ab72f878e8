/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump: options, the table of commands, and what the commands share. */
#include "config.h"

#include "dump.h"

#include <getopt.h>
#include <stdlib.h>

static const struct dump_command commands[] = {
	{"list", "", "each IOMMU at a glance, and how to read it", false, dump_list_open,
	 dump_list},
	{"regs", "[NAME...]", "registers, decoded field by field", false, NULL, dump_regs},
	{"devices", "[DEVICE...]", "device contexts; with DEVICE every field", false, NULL,
	 dump_devices},
	{"processes", "DEVICE", "process contexts", false, NULL, dump_processes},
	{"translate", "DEVICE IOVA...", "each step of the walk, and the outcome", false,
	 dump_translate_open, dump_translate},
	{"mappings", "DEVICE", "what it reaches, as contiguous ranges", false, NULL, dump_mappings},
	{"whomaps", "PA[-PA]", "every device and IOVA that reaches memory", false, NULL,
	 dump_whomaps},
	{"msi", "DEVICE", "its MSI page table", false, NULL, dump_msi},
	{"faults", "", "fault records, pending and consumed", false, NULL, dump_faults},
	{"commands", "", "the command queue, decoded", false, NULL, dump_commands},
	{"requests", "", "page requests, decoded", false, NULL, dump_requests},
	{"counters", "", "performance counters", false, NULL, dump_counters},
	{"check", "", "misconfiguration and danger, by rule", false, NULL, dump_check},
	{"diff", "A B", "what changed between two captures", true, UNLESS_MINIMAL(dump_diff_open),
	 UNLESS_MINIMAL(dump_diff)},
	{"explain", "TEXT|-", "a log line, record, register or entry in words", true, NULL,
	 dump_explain},
};

enum {
	OPT_PROCESS = OPT_TOOL,
	OPT_PRIV,
	OPT_TYPE,
	OPT_BATCH,
	OPT_STEPS,
	OPT_HARDWARE,
	OPT_FORCE,
	OPT_WALK,
	OPT_GUEST_TABLES,
	OPT_RANGE,
	OPT_GPA,
	OPT_INTERVAL,
	OPT_SEVERITY
};

static const struct option_owner owners[] = {
	{OPT_PROCESS, "--process", "translate mappings"},
	{OPT_PRIV, "--priv", "translate"},
	{OPT_TYPE, "--type", "translate"},
	{OPT_BATCH, "--batch", "translate"},
	{OPT_STEPS, "--steps", "translate"},
	{OPT_HARDWARE, "--hardware", "translate"},
	{OPT_FORCE, "--force", "translate"},
	{OPT_WALK, "--walk", "faults"},
	{OPT_RANGE, "--range", "mappings"},
	{OPT_GPA, "--gpa", "mappings"},
	{OPT_INTERVAL, "--interval", "counters"},
	{OPT_SEVERITY, "--severity", "check"},
	{'r', "--access", "translate"}, /* --access r|w|x, as opposed to --access METHOD */
};

static const struct option long_options[] = {
	COMMON_LONG,
	{"process", required_argument, NULL, OPT_PROCESS},
	{"priv", no_argument, NULL, OPT_PRIV},
	{"type", required_argument, NULL, OPT_TYPE},
	{"batch", required_argument, NULL, OPT_BATCH},
	{"steps", no_argument, NULL, OPT_STEPS},
	{"hardware", no_argument, NULL, OPT_HARDWARE},
	{"force", no_argument, NULL, OPT_FORCE},
	{"walk", no_argument, NULL, OPT_WALK},
	{"guest-tables", no_argument, NULL, OPT_GUEST_TABLES},
	{"range", required_argument, NULL, OPT_RANGE},
	{"gpa", no_argument, NULL, OPT_GPA},
	{"interval", required_argument, NULL, OPT_INTERVAL},
	{"severity", required_argument, NULL, OPT_SEVERITY},
	{NULL, 0, NULL, 0},
};

#ifdef MINIMAL
#define HARDWARE_HELP ""
#else
#define HARDWARE_HELP                                                                    \
	"      --hardware           ask the IOMMU too (tr_req) and compare; can add a\n" \
	"                           fault record, set A bits, fill caches\n"             \
	"      --force              with --hardware: although a driver owns the IOMMU\n"
#endif

static void help(FILE *f)
{
	fprintf(f, "Usage: iommu-dump [OPTIONS] [COMMAND [ARGS]]\n"
		   "Look at RISC-V IOMMUs: this machine's, or those of a capture or vmcore.\n\n"
		   "Commands:\n");
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(commands); i++) {
		char left[40];

		if (!commands[i].run)
			continue;
		snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].args);
		fprintf(f, "  %-24s %s%s\n", left, commands[i].help, i ? "" : " (default)");
	}
	fprintf(f, "\ntranslate:\n"
		   "      --process PID        the request has this process_id (PASID)\n"
		   "      --access r|w|x       kind of access (default: r)\n"
		   "      --priv               supervisor privilege is requested\n"
		   "      --type TYPE          untranslated (default), translated or ats\n"
		   "      --batch FILE|-       one request a line: DEVICE IOVA [KEY=VALUE...]\n"
		   "      --steps              with --batch: the steps too\n" HARDWARE_HELP
		   "mappings:\n"
		   "      --process PID        only this process_id\n"
		   "      --range A-B|A+SIZE   only these addresses\n"
		   "      --gpa                the second stage alone\n"
		   "faults:\n"
		   "      --walk               explain each by walking its IOVA\n"
		   "counters:\n"
		   "      --interval SECONDS   rates, from two readings; live only\n"
		   "check:\n"
		   "      --severity LEVEL     info, warning (default) or error: from this on a\n"
		   "                           finding makes the exit status 7; help lists rules\n"
		   "save:\n"
		   "      --guest-tables       save tables behind a second stage too\n\n");
	fputs(common_help, f);
	fprintf(f,
		"\nDEVICE is a device_id (0x10) or a PCI name (0000:00:02.0, 00:02.0).\n"
		"Exit status: 0 done, 1 error, 2 usage, 3 no IOMMU, 4 refused, 5 data missing or\n"
		"damaged, 6 hardware timeout, 7 finding. See iommu-dump(8).\n");
}

/* -- options -------------------------------------------------------------------------------------------------------- */

static void set_type(struct riommu_request *q, const char *arg)
{
	static const char *const types[] = {"untranslated", "translated", "ats"};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(types); i++) {
		if (!strcmp(arg, types[i])) {
			q->type = (enum riommu_request_type)i;
			return;
		}
	}
	die_usage("--type %s: expected untranslated, translated or ats", arg);
}

static void set_process(struct riommu_request *q, const char *arg)
{
	uint64_t pid;

	if (riommu_parse_u64(arg, &pid) || pid > RIOMMU_PROCESS_ID_MAX)
		die_usage("--process %s: not a process_id of 20 bits", arg);
	q->process_id = (uint32_t)pid;
	q->has_process_id = true;
}

/* --access has two meanings that do not meet: no method is called r, w or x. */
static bool set_access(struct riommu_request *q, const char *arg)
{
	const char *at = arg[0] && !arg[1] ? strchr("rwx", arg[0]) : NULL;

	if (!at)
		return false;
	q->access = *at == 'r' ? RIOMMU_READ : *at == 'w' ? RIOMMU_WRITE : RIOMMU_EXEC;
	return true;
}

static bool own_option(struct dump *d, int c, const char *arg)
{
	switch (c) {
	case OPT_PROCESS:
		set_process(&d->request, arg);
		return true;
	case OPT_PRIV:
		d->request.privileged = true;
		return true;
	case OPT_TYPE:
		set_type(&d->request, arg);
		return true;
	case OPT_BATCH:
		d->batch = arg;
		return true;
	case OPT_STEPS:
		d->steps = true;
		return true;
	case OPT_HARDWARE:
		if (IS_MINIMAL)
			die_left_out("--hardware");
		d->hardware = true;
		return true;
	case OPT_FORCE:
		d->force = true;
		return true;
	case OPT_WALK:
		d->walk = true;
		return true;
	case OPT_GUEST_TABLES:
		riommu_option_set(d->ctx, "guest-tables", "1");
		return true;
	case OPT_RANGE:
		d->range = arg;
		return true;
	case OPT_GPA:
		d->gpa = true;
		return true;
	case OPT_INTERVAL:
		d->interval = arg;
		return true;
	case OPT_SEVERITY:
		if (!strcmp(arg, "help"))
			dump_check_rules();
		d->severity = severity_option(arg);
		return true;
	default:
		return false;
	}
}

/* The options given that belong to one command only: bit I is owners[I]. */
static unsigned parse_options(struct dump *d, int argc, char **argv)
{
	unsigned used = 0;
	int c;

	while ((c = next_option(argc, argv, COMMON_SHORT, long_options)) != -1) {
		if (c == 'A' && set_access(&d->request, optarg))
			c = 'r';
		else if (!own_option(d, c, optarg))
			common_option(d->ctx, &d->options, c, optarg, help);
		d->request_given |= c == OPT_PROCESS || c == OPT_PRIV || c == OPT_TYPE || c == 'r';
		used |= option_bits(owners, RIOMMU_ARRAY_SIZE(owners), c);
	}
	return used;
}

/* Options that mean something only with another one. */
static void check_company(const struct dump *d, const struct dump_command *command)
{
	if (!strcmp(command->name, "diff") && (d->options.input || d->options.save))
		die_usage("%s does not belong to 'diff': its arguments are the files",
			  d->options.input ? "-i" : "--save");
	if (d->force && !d->hardware)
		die_usage("--force goes with --hardware");
	if (!d->options.save && riommu_option_is_set(d->ctx, "guest-tables"))
		die_usage("--guest-tables goes with --save");
}

/* -- what commands share ---------------------------------------------------------------------------------------- */

bool dump_next_iommu(struct dump *d, size_t *index)
{
	return next_chosen(d->sys, &d->options, index);
}

const char *dump_device_label(const struct dump *d, size_t iommu, uint32_t device_id, char *buf,
			      size_t size)
{
	const char *name = d->sys ? riommu_system_device_name(d->sys, iommu, device_id) : NULL;

	if (name)
		snprintf(buf, size, "%s (0x%x)", name, device_id);
	else
		snprintf(buf, size, "0x%x", device_id);
	return buf;
}

/* Does IOMMU have a device, or a context, for this id? */
static bool device_exists(const struct dump *d, const struct riommu_device_ref *ref)
{
	struct riommu_translation t;
	struct riommu_walker walker;
	struct riommu_dc dc;
	const char *missing;

	if (riommu_system_device_name(d->sys, ref->iommu, ref->device_id))
		return true;
	if (!d->sys->memory || riommu_walker_init(&walker, d->sys, ref->iommu, &missing))
		return false;
	return riommu_locate_dc(&walker, ref->device_id, &dc, &t, NULL) == RIOMMU_OK &&
	       (dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_V);
}

/* Keeps the refs that -u allows, then, if that leaves several, those that exist. */
static size_t narrow(const struct dump *d, struct riommu_device_ref *refs, size_t n)
{
	size_t only = d->options.iommu ? riommu_system_find_iommu(d->sys, d->options.iommu)
				       : RIOMMU_NO_IOMMU;
	size_t kept = 0, existing = 0;

	for (size_t i = 0; i < n; i++)
		if (only == RIOMMU_NO_IOMMU || refs[i].iommu == only)
			refs[kept++] = refs[i];
	if (kept < 2)
		return kept;
	for (size_t i = 0; i < kept; i++) {
		struct riommu_device_ref ref = refs[i];

		if (!device_exists(d, &ref))
			continue;
		refs[i] = refs[existing]; /* none is lost, lest none exists */
		refs[existing++] = ref;
	}
	return existing ? existing : kept;
}

/* Why TEXT is not one device. */
static void not_one(const struct dump *d, const char *text, const struct riommu_device_ref *refs,
		    size_t n, char *message, size_t size)
{
	bool ids = on_one_iommu(refs, n);
	int at;

	if (ids)
		at = snprintf(message, size,
			      "%.64s has several device_ids; give one of them:", text);
	else if (n)
		at = snprintf(message, size,
			      "%.64s is on several IOMMUs; choose one with -u:", text);
	else
		at = snprintf(message, size,
			      "%.64s: no such device (a device_id of 24 bits, or a name that '%s "
			      "devices' shows)",
			      text, program);
	for (size_t i = 0; i < n && at >= 0 && (size_t)at < size; i++)
		at += ids ? snprintf(message + at, size - (size_t)at, " 0x%x", refs[i].device_id)
			  : snprintf(message + at, size - (size_t)at, " %s",
				     d->sys->iommus[refs[i].iommu].name);
	printable(message);
}

bool dump_find_device(struct dump *d, const char *text, struct riommu_device_ref *ref,
		      char *message, size_t size)
{
	size_t n = riommu_system_find_device(d->sys, text, NULL, 0);
	struct riommu_device_ref *refs = calloc(n + 1, sizeof(*refs));

	if (!refs)
		die(STATUS_ERROR, "out of memory");
	n = narrow(d, refs, riommu_system_find_device(d->sys, text, refs, n));
	if (n == 1)
		*ref = refs[0];
	else
		not_one(d, text, refs, n, message, size);
	free(refs);
	return n == 1;
}

bool dump_device(struct dump *d, const char *text, struct riommu_device_ref *ref)
{
	char message[512];

	if (dump_find_device(d, text, ref, message, sizeof(message)))
		return true;
	out_error(&d->out, -EINVAL, "%s", message);
	return false;
}

bool dump_zero_root(struct dump *d, uint64_t ddtp)
{
	uint64_t mode = riommu_bits(ddtp, 3, 0);
	uint8_t page[RIOMMU_PAGE_SIZE];

	if (!d->sys->memory || strcmp(d->sys->memory->ops->name, "kcore") ||
	    mode < RIOMMU_DDTP_1LVL || mode > RIOMMU_DDTP_3LVL ||
	    riommu_source_read(d->sys->memory, riommu_ppn_upper(ddtp), page, sizeof(page)))
		return false;
	for (size_t i = 0; i < sizeof(page); i++) {
		if (page[i])
			return false;
	}
	return true;
}

bool dump_walker(struct dump *d, size_t iommu, struct riommu_walker *walker,
		 const char **missing_register)
{
	const struct riommu_iommu *unit = &d->sys->iommus[iommu];
	int err = riommu_walker_init(walker, d->sys, iommu, missing_register);

	if (err) {
		if (unit->error == -EACCES)
			out_error(&d->out, unit->error,
				  "%s: the registers are not to be had: %s; '%s list' shows the "
				  "ways to them",
				  unit->name, unit->reason, program);
		else if (unit->error == -ENODATA)
			out_error(&d->out, unit->error, "%s: %s", unit->name, unit->reason);
		else
			out_error(&d->out, unit->error ? unit->error : err,
				  "%s: register %s is not known%s%s; supply it with --reg %s=VALUE",
				  unit->name, *missing_register, unit->reason[0] ? ": " : "",
				  unit->reason, *missing_register);
		return false;
	}
	if (!d->sys->memory) {
		out_error(&d->out, d->sys->memory_error, "%s: memory cannot be read: %s",
			  unit->name, d->sys->memory_reason);
		return false;
	}
	return true;
}

struct json_object *dump_iommu_json(const struct dump *d, size_t index)
{
	const struct riommu_iommu *unit = &d->sys->iommus[index];
	struct json_object *obj = json_object_new_object();
	char mode[16];
	uint64_t ddtp;
	bool known = !riommu_iommu_reg(unit, RIOMMU_REG_DDTP, &ddtp);

	if (known)
		mode_text(ddtp, mode, sizeof(mode));
	json_add(obj, "base", json_hex(unit->base));
	json_add(obj, "name", json_text(unit->name));
	json_add(obj, "mode", known ? json_text(mode) : NULL);
	return obj;
}

bool dump_range(struct dump *d, const char *text, uint64_t *first, uint64_t *last)
{
	size_t len = strcspn(text, "-+");
	char number[32];
	uint64_t second;
	bool good;

	snprintf(number, sizeof(number), "%.*s", len < 31 ? (int)len : 31, text);
	good = len < sizeof(number) && !riommu_parse_u64(number, first);
	*last = *first;
	if (good && text[len]) {
		good = !riommu_parse_u64(text + len + 1, &second);
		if (good && text[len] == '-')
			*last = second;
		else if (good)
			good = second && riommu_add(*first, second - 1, last);
	}
	if (good && *first <= *last)
		return true;
	out_error(&d->out, -EINVAL,
		  "%.64s: not a range of addresses: expected FIRST-LAST (inclusive), FIRST+SIZE or "
		  "one "
		  "address",
		  text);
	return false;
}

void dump_iommus(struct dump *d)
{
	out_list_begin(&d->out, "iommus");
	for (size_t i = 0; in_json(&d->out) && dump_next_iommu(d, &i); i++)
		out_item(&d->out, dump_iommu_json(d, i));
	out_list_end(&d->out);
}

int TOOL_MAIN(dump_main)(int argc, char **argv)
{
	static struct dump d; /* big: 512 overrides */
	const struct dump_command *command;
	int status, first;
	unsigned used;

	tool_begin("iommu-dump");
	d.ctx = tool_ctx(&d.options);
	d.severity = RIOMMU_WARNING;
	used = parse_options(&d, argc, argv);
	first = optind;
	command = &commands[first < argc
				    ? find_command(argv[first++], commands,
						   RIOMMU_ARRAY_SIZE(commands), sizeof(commands[0]))
				    : 0];
	if (!command->run)
		die_left_out(command->name);
	check_owners(owners, RIOMMU_ARRAY_SIZE(owners), used, command->name);
	check_company(&d, command);
	out_init(&d.out, d.ctx, d.options.json);
	d.out.needs_iommus = true;
	if (!command->offline || d.options.save) {
		sandbox(&d.options,
			d.hardware && !d.options.input ? SANDBOX_ASKING
						       : opening_level(&d.options, false),
			stderr);
		/* the lines of --batch have no envelope */
		d.sys = open_system(&d.out, d.batch ? NULL : DUMP_SCHEMA, &d.options);
	}
	if (command->open)
		command->open(&d, argc - first, argv + first);
	if (d.options.save)
		save_capture(&d.out, d.sys, &d.options, !d.hardware);
	if (!d.hardware) /* which is to open more, and closes then (dump-translate.c) */
		sandbox(&d.options, SANDBOX_CLOSED, stderr);
	command->run(&d, argc - first, argv + first);
	status = out_end(&d.out);
	riommu_system_close(d.sys);
	riommu_ctx_free(d.ctx);
	return status;
}
