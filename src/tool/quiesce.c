/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-quiesce: options, and which way they lead. */
#include "config.h"

#include "quiesce.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>

#define DEFAULT_TIMEOUT_MS 10000
#define MAX_SECONDS        (365u * 24 * 3600)

enum {
	OPT_HANDOVER = OPT_TOOL,
	OPT_SKIP,
	OPT_PLAN,
	OPT_UNDO,
	OPT_HOLD,
	OPT_PROBE,
	OPT_DEVICE,
	OPT_KEEP,
	OPT_TIMEOUT,
	OPT_FORCE,
	OPT_VIA,
};

static const struct option long_options[] = {
	COMMON_LONG,
	{"handover", no_argument, NULL, OPT_HANDOVER},
	{"skip", required_argument, NULL, OPT_SKIP},
	{"plan", no_argument, NULL, OPT_PLAN},
	{"undo", no_argument, NULL, OPT_UNDO},
	{"hold", required_argument, NULL, OPT_HOLD},
	{"probe", required_argument, NULL, OPT_PROBE},
	{"device", required_argument, NULL, OPT_DEVICE},
	{"keep", required_argument, NULL, OPT_KEEP},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"force", no_argument, NULL, OPT_FORCE},
	{"via", required_argument, NULL, OPT_VIA},
	{NULL, 0, NULL, 0},
};

static void help(FILE *f)
{
	fprintf(f,
		"Usage: iommu-quiesce [OPTIONS]\n"
		"Block the DMA behind RISC-V IOMMUs, prove it, and take it back.\n\n"
		"      --plan               show what would be done, and do nothing\n"
		"      --undo               take it back: ddtp, then bus mastering\n"
		"      --hold SECONDS       block, wait, undo; also on SIGINT, SIGTERM, SIGHUP\n"
		"      --handover           stop the queues, too: final, it cannot be undone\n"
		"      --skip STAGE[,STAGE] leave out: stop, drain, block, queues, verify\n"
		"      --device DEVICE      stop and drain only this function; the IOMMU is not\n"
		"                           written\n"
		"      --keep DEVICE        leave this function's bus mastering (repeatable)\n"
		"      --probe DEVICE:IOVA  ask the IOMMU whether it still translates it\n"
		"                           (repeatable)\n"
		"      --timeout SECONDS    for each stage of each IOMMU (default: 10)\n"
		"      --force              although it cuts off a mounted filesystem, swap or an\n"
		"                           interface that is up\n"
		"      --via remove         PCI IOMMU: have the kernel remove it; final, and it\n"
		"                           stays blocked over a planned kexec\n\n");
	fputs(common_help, f);
	fprintf(f, "\nDEVICE is a device_id (0x10) or a PCI name (0000:00:02.0, 00:02.0).\n"
		   "Exit status: 0 done (and what was read back says so), 1 error, 2 usage, 3 no\n"
		   "IOMMU, 4 access refused, 5 data damaged, 6 the hardware did not get there, 7\n"
		   "refused by this program. See iommu-quiesce(8).\n");
}

/* -- options ------------------------------------------------------------------------------------------------------ */

static unsigned skip_list(const char *arg)
{
	unsigned skip = 0;

	for (const char *at = arg, *end;; at = end + 1) {
		unsigned stage = 0;
		size_t len;

		end = strchr(at, ',');
		len = end ? (size_t)(end - at) : strlen(at);
		while (stage < RIOMMU_STAGE_COUNT &&
		       (strncmp(at, riommu_stage_name((enum riommu_stage)stage), len) ||
			strlen(riommu_stage_name((enum riommu_stage)stage)) != len))
			stage++;
		if (stage == RIOMMU_STAGE_COUNT)
			die_usage("--skip %s: the stages are stop, drain, block, queues and verify",
				  arg);
		skip |= 1u << stage;
		if (!end)
			return skip;
	}
}

static unsigned seconds(const char *option, const char *arg)
{
	uint64_t n;

	if (riommu_parse_u64(arg, &n) || !n || n > MAX_SECONDS)
		die_usage("%s %s: expected a number of seconds, at least 1", option, arg);
	return (unsigned)n;
}

static void add_keep(struct quiesce *t, const char *arg)
{
	if (t->keep_count == MAX_KEEP)
		die_usage("--keep %s: more than %d are given", arg, MAX_KEEP);
	t->keep[t->keep_count++] = arg;
}

static void set_timeout(struct quiesce *t, const char *arg)
{
	unsigned n = seconds("--timeout", arg);

	if (n > 3600)
		die_usage("--timeout %s: at most an hour", arg);
	t->timeout_ms = n * 1000;
}

/* One of these actions; a second one contradicts it. */
static void set_action(struct quiesce *t, enum action action, const char *option)
{
	if (t->action != ACTION_BLOCK && t->action != action)
		die_usage("%s does not go with --handover, --device, --via and --undo", option);
	t->action = action;
}

static bool own_option(struct quiesce *t, int c, const char *arg)
{
	switch (c) {
	case OPT_HANDOVER:
		set_action(t, ACTION_HANDOVER, "--handover");
		return true;
	case OPT_SKIP:
		t->skip |= skip_list(arg);
		return true;
	case OPT_PLAN:
		t->plan = true;
		return true;
	case OPT_UNDO:
		set_action(t, ACTION_UNDO, "--undo");
		return true;
	case OPT_HOLD:
		t->hold = seconds("--hold", arg);
		return true;
	case OPT_PROBE:
		add_probe(t, arg);
		return true;
	case OPT_DEVICE:
		set_action(t, ACTION_STOP, "--device");
		t->device = arg;
		return true;
	case OPT_KEEP:
		add_keep(t, arg);
		return true;
	case OPT_TIMEOUT:
		set_timeout(t, arg);
		return true;
	case OPT_FORCE:
		t->force = true;
		return true;
	case OPT_VIA:
		if (strcmp(arg, "remove"))
			die_usage("--via %s: expected remove", arg);
		set_action(t, ACTION_REMOVE, "--via");
		return true;
	default:
		return false;
	}
}

static void parse_options(struct quiesce *t, int argc, char **argv)
{
	int c;

	while ((c = next_option(argc, argv, COMMON_SHORT, long_options)) != -1) {
		if (!own_option(t, c, optarg))
			common_option(t->ctx, &t->options, c, optarg, help);
	}
	if (optind < argc)
		die_usage("'%s': there are no arguments besides options", argv[optind]);
}

/* What contradicts itself, or would be swallowed without effect. */
static void check_company(const struct quiesce *t)
{
	bool blocks = t->action == ACTION_BLOCK || t->action == ACTION_HANDOVER;

	if (t->options.input && !(t->plan && blocks))
		die_usage("-i %s: a file has no DMA that could be blocked (with --plan: what "
			  "would be written to that machine)",
			  t->options.input);
	if (t->options.override_count)
		die_usage("--reg: what is written follows from what the hardware says");
	if (t->hold && t->action != ACTION_BLOCK && t->action != ACTION_STOP)
		die_usage("--hold undoes, which is not possible with --handover and --via, and "
			  "done already with --undo");
	if (t->skip && !blocks && t->action != ACTION_STOP)
		die_usage("--skip does not go with --undo and --via");
	if (t->keep_count && !blocks)
		die_usage("--keep does not go with --undo, --device and --via");
	if (t->probe_count && (!blocks || t->skip & 1u << RIOMMU_STAGE_BLOCK))
		die_usage("--probe goes with blocking an IOMMU");
	if (t->hold && t->plan)
		die_usage("--hold does not go with --plan");
}

/* -- what the parts share ----------------------------------------------------------------------------------------- */

bool next_iommu(const struct quiesce *t, size_t *index)
{
	while (*index < t->sys->iommu_count) {
		if (t->only == RIOMMU_NO_IOMMU || *index == t->only)
			return true;
		++*index;
	}
	return false;
}

enum riommu_verdict worse_verdict(enum riommu_verdict a, enum riommu_verdict b)
{
	static const unsigned weights[] = {[RIOMMU_VERDICT_BLOCKED] = 0,
					   [RIOMMU_VERDICT_UNKNOWN] = 1,
					   [RIOMMU_VERDICT_DEAD] = 2,
					   [RIOMMU_VERDICT_OPEN] = 3};

	return weights[b] > weights[a] ? b : a;
}

bool find_device(struct quiesce *t, const char *option, const char *text,
		 struct riommu_device_ref *ref)
{
	struct riommu_device_ref refs[64];
	size_t n = riommu_system_find_device(t->sys, text, refs, RIOMMU_ARRAY_SIZE(refs)), kept = 0;

	for (size_t i = 0; i < n && i < RIOMMU_ARRAY_SIZE(refs); i++)
		if (t->only == RIOMMU_NO_IOMMU || refs[i].iommu == t->only)
			refs[kept++] = refs[i];
	if (kept == 1) {
		*ref = refs[0];
		return true;
	}
	if (on_one_iommu(refs, kept))
		out_error(&t->out, -EINVAL,
			  "%s %.64s: it has several device_ids; give one of them "
			  "('iommu-dump devices' shows them)",
			  option, text);
	else if (kept)
		out_error(&t->out, -EINVAL, "%s %.64s: it is behind several IOMMUs; choose with -u",
			  option, text);
	else
		out_error(&t->out, -EINVAL,
			  "%s %.64s: no such device ('iommu-dump devices' shows them)", option,
			  text);
	return false;
}

static void run(struct quiesce *t)
{
	if (t->action == ACTION_UNDO)
		run_undo(t);
	else if (t->action == ACTION_REMOVE)
		run_remove(t);
	else
		run_block(t);
}

int TOOL_MAIN(quiesce_main)(int argc, char **argv)
{
	static struct quiesce t; /* big: 512 overrides */
	bool reads;
	int status;

	tool_begin("iommu-quiesce");
	t.timeout_ms = DEFAULT_TIMEOUT_MS;
	t.only = RIOMMU_NO_IOMMU;
	t.ctx = tool_ctx(&t.options);
	parse_options(&t, argc, argv);
	check_company(&t);
	/* a reader that goes away must not end us half way */
	signal(SIGPIPE, SIG_IGN);
	out_init(&t.out, t.ctx, t.options.json);
	reads = t.plan && t.action != ACTION_UNDO; /* which takes the lock */
	if (reads)
		sandbox(&t.options, opening_level(&t.options, false), stderr);
	t.sys = open_system(&t.out, QUIESCE_SCHEMA, &t.options);
	if (t.options.iommu)
		t.only = riommu_system_find_iommu(t.sys, t.options.iommu);
	if (t.options.save)
		save_capture(&t.out, t.sys, &t.options, t.options.input);
	if (reads) /* of this machine the plan asks sysfs as it is made */
		sandbox(&t.options, t.sys->live ? SANDBOX_LOOKING : SANDBOX_CLOSED, stderr);
	run(&t);
	report(&t);
	status = out_end(&t.out);
	riommu_quiesce_close(t.q);
	riommu_hw_close(t.hw);
	riommu_system_close(t.sys);
	riommu_ctx_free(t.ctx);
	free(t.lines);
	return status;
}
