/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-kexec-prep: options, the table of commands, and what the commands share. */
#include "config.h"

#include "kexec-prep.h"

#include <getopt.h>
#include <stdlib.h>

static const struct prep_command commands[] = {
	{"check", "[IMAGE]", "will the handover go well? (default)", false,
	 UNLESS_MINIMAL(prep_check_before), UNLESS_MINIMAL(prep_check)},
	{"image", "IN -o OUT", "put the stub into a kernel Image", false, NULL,
	 UNLESS_MINIMAL(prep_image)},
	{"dtb", "-o OUT", "put the empty record into a device tree", true, NULL,
	 UNLESS_MINIMAL(prep_dtb)},
	{"load", "IMAGE", "image, dtb and kexec in one", false, NULL, UNLESS_MINIMAL(prep_load)},
	{"report", "", "what the stub saw and did before this kernel", true, NULL, prep_report},
};

enum {
	OPT_IN = OPT_TOOL,
	OPT_POLICY,
	OPT_INITRD,
	OPT_APPEND,
	OPT_PLAN,
	OPT_FORCE,
	OPT_SEVERITY,
};

static const struct option_owner owners[] = {
	{'o', "--output", "image dtb"},
	{OPT_IN, "--in", "dtb load"},
	{OPT_POLICY, "--policy", "image load"},
	{OPT_INITRD, "--initrd", "load"},
	{OPT_APPEND, "--append", "check image load"},
	{'l', "--load", "check load"},
	{'p', "--load-panic", "check load"},
	{OPT_PLAN, "--plan", "load"},
	{OPT_FORCE, "--force", "image load"},
	{OPT_SEVERITY, "--severity", "check"},
};

static const struct option long_options[] = {
	COMMON_LONG,
	{"output", required_argument, NULL, 'o'},
	{"in", required_argument, NULL, OPT_IN},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"initrd", required_argument, NULL, OPT_INITRD},
	{"append", required_argument, NULL, OPT_APPEND},
	{"load", no_argument, NULL, 'l'},
	{"load-panic", no_argument, NULL, 'p'},
	{"plan", no_argument, NULL, OPT_PLAN},
	{"force", no_argument, NULL, OPT_FORCE},
	{"severity", required_argument, NULL, OPT_SEVERITY},
	{NULL, 0, NULL, 0},
};

static const char own_help[] =
	"\nimage, dtb, load:\n"
	"  -o, --output OUT         write OUT; it is complete or not there\n"
	"      --in DTB             start from this device tree, not this machine's\n"
	"      --policy [NAME=]block|leave\n"
	"                           of all IOMMUs or of one: block its DMA (default), or\n"
	"                           only record its state (repeatable)\n"
	"      --force              although the next kernel cannot drive an IOMMU\n"
	"load, check:\n"
	"  -l, --load               for kexec -e, reboot (default of load)\n"
	"  -p, --load-panic         for a panic: the crash kernel\n"
	"      --initrd FILE        its initrd\n"
	"      --append TEXT        its command line (default: this kernel's)\n"
	"      --plan               only show what would be done\n"
	"      --severity LEVEL     info, warning (default) or error: from this on a\n"
	"                           finding makes the exit status 7\n\n";

static void help(FILE *f)
{
	fprintf(f, "Usage: iommu-kexec-prep [OPTIONS] [COMMAND [ARGS]]\n"
		   "Start the next kernel with DMA blocked by every RISC-V IOMMU, after a panic "
		   "too.\n\n"
		   "Commands:\n");
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(commands); i++) {
		char left[40];

		if (!commands[i].run)
			continue;
		snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].args);
		fprintf(f, "  %-24s %s\n", left, commands[i].help);
	}
	fputs(IS_MINIMAL ? "\n" : own_help, f);
	fputs(common_help, f);
	fprintf(f, "\nExit status: 0 done, 1 error, 2 usage, 3 no IOMMU, 4 refused, 5 data missing "
		   "or\n"
		   "damaged, 7 finding. See iommu-kexec-prep(8).\n");
}

/* -- options ------------------------------------------------------------------------------------------------------ */

static void add_policy(struct prep *p, const char *arg)
{
	struct policy_option *o = &p->policies[p->policy_count];
	const char *equals = strrchr(arg, '='), *word = equals ? equals + 1 : arg;
	size_t len = equals ? (size_t)(equals - arg) : 0;

	if (p->policy_count == RIOMMU_ARRAY_SIZE(p->policies))
		die_usage("--policy %s: more than %zu are given", arg, p->policy_count);
	if (!strcmp(word, "block"))
		o->policy = RIOMMU_POLICY_BLOCK;
	else if (!strcmp(word, "leave"))
		o->policy = RIOMMU_POLICY_LEAVE;
	else
		die_usage("--policy %s: expected block, leave or NAME=block|leave", arg);
	if ((equals && !len) || len >= sizeof(o->name))
		die_usage("--policy %s: this is no name of an IOMMU", arg);
	memcpy(o->name, arg, len);
	o->name[len] = '\0';
	p->policy_count++;
}

static bool own_option(struct prep *p, int c, const char *arg)
{
	switch (c) {
	case 'o':
		p->output = arg;
		return true;
	case OPT_IN:
		p->tree = arg;
		return true;
	case OPT_POLICY:
		add_policy(p, arg);
		return true;
	case OPT_INITRD:
		p->initrd = arg;
		return true;
	case OPT_APPEND:
		p->append = arg;
		return true;
	case 'l':
		p->load = true;
		return true;
	case 'p':
		p->panic = true;
		return true;
	case OPT_PLAN:
		p->plan = true;
		return true;
	case OPT_FORCE:
		p->force = true;
		return true;
	case OPT_SEVERITY:
		p->severity = severity_option(arg);
		return true;
	default:
		return false;
	}
}

/* The options given that do not belong to every command: bit I is owners[I]. */
static unsigned parse_options(struct prep *p, int argc, char **argv)
{
	unsigned used = 0;
	int c;

	while ((c = next_option(argc, argv, COMMON_SHORT "o:lp", long_options)) != -1) {
		if (!own_option(p, c, optarg))
			common_option(p->ctx, &p->options, c, optarg, help);
		used |= option_bits(owners, RIOMMU_ARRAY_SIZE(owners), c);
	}
	return used;
}

static void check_company(const struct prep *p, const struct prep_command *command)
{
	if (p->load && p->panic && !strcmp(command->name, "load"))
		die_usage("-l and -p are two handovers: load one after the other");
	if (p->options.save && command->offline)
		die_usage("--save does not belong to '%s'", command->name);
}

static void check_policies(struct prep *p)
{
	for (size_t i = 0; p->sys && i < p->policy_count; i++) {
		const char *name = p->policies[i].name;

		if (!name[0] || riommu_system_find_iommu(p->sys, name) != RIOMMU_NO_IOMMU)
			continue;
		out_begin(&p->out, PREP_SCHEMA, p->sys);
		out_error(&p->out, -ENODEV, "--policy: no IOMMU is called '%s'", name);
		exit(out_end(&p->out));
	}
}

/* -- what commands share ------------------------------------------------------------------------------------------ */

bool prep_next_iommu(const struct prep *p, size_t *index)
{
	return next_chosen(p->sys, &p->options, index);
}

/* The last that fits counts; one by name outweighs one for all. */
enum riommu_policy prep_policy(const struct prep *p, const struct riommu_iommu *iommu)
{
	enum riommu_policy policy = RIOMMU_POLICY_BLOCK;
	bool named = false;

	for (size_t i = 0; i < p->policy_count; i++) {
		const char *name = p->policies[i].name;

		if (name[0] && &p->sys->iommus[riommu_system_find_iommu(p->sys, name)] != iommu)
			continue;
		if (name[0] || !named)
			policy = p->policies[i].policy;
		named = named || name[0];
	}
	return policy;
}

void prep_refuse(struct prep *p, const char *fmt, ...)
{
	char words[900];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	out_error(&p->out, 0, "%s", words);
	out_status(&p->out, STATUS_FINDING);
}

const char *prep_name(const struct prep *p, uint64_t base)
{
	for (size_t i = 0; p->sys && i < p->sys->iommu_count; i++)
		if (p->sys->iommus[i].base == base)
			return p->sys->iommus[i].name;
	return "";
}

struct json_object *prep_json_text(const char *text)
{
	char *clean = text ? strdup(text) : NULL;
	struct json_object *obj;

	if (text && !clean)
		die(STATUS_ERROR, "out of memory");
	if (clean)
		printable(clean);
	obj = json_text(clean);
	free(clean);
	return obj;
}

/* All commands work without registers, and less well: why they are not there is said where that is no right that is missing. */
static void tell_unread_registers(struct prep *p)
{
	for (size_t i = 0; prep_next_iommu(p, &i); i++) {
		const struct riommu_iommu *iommu = &p->sys->iommus[i];

		if (iommu->error && iommu->error != -EFAULT &&
		    status_of(iommu->error) == STATUS_ERROR)
			out_incomplete(&p->out, "%s: registers cannot be read: %s", iommu->name,
				       iommu->reason);
	}
}

/* What is left until the sources are open. `load` starts kexec, which needs all there is. */
static void begin_sandbox(struct prep *p, const struct prep_command *command)
{
	bool starts = command->run == UNLESS_MINIMAL(prep_load) && !p->plan;

	if (command->before)
		command->before(p);
	if (!starts)
		sandbox(&p->options, opening_level(&p->options, p->output != NULL), stderr);
}

int TOOL_MAIN(kexec_prep_main)(int argc, char **argv)
{
	static struct prep p; /* big: 512 overrides */
	const struct prep_command *command;
	int status, first;
	unsigned used;

	tool_begin("iommu-kexec-prep");
	p.severity = RIOMMU_WARNING;
	p.ctx = tool_ctx(&p.options);
	used = parse_options(&p, argc, argv);
	first = optind;
	command = &commands[first < argc
				    ? find_command(argv[first++], commands,
						   RIOMMU_ARRAY_SIZE(commands), sizeof(commands[0]))
				    : 0];
	if (!command->run)
		die_left_out(command->name);
	check_owners(owners, RIOMMU_ARRAY_SIZE(owners), used, command->name);
	check_company(&p, command);
	out_init(&p.out, p.ctx, p.options.json);
	if (!command->offline) {
		begin_sandbox(&p, command);
		p.sys = open_system(&p.out, PREP_SCHEMA, &p.options);
		tell_unread_registers(&p);
		check_policies(&p);
		if (p.options.save)
			save_capture(&p.out, p.sys, &p.options, false);
	}
	command->run(&p, argc - first, argv + first);
	status = out_end(&p.out);
	riommu_system_close(p.sys);
	riommu_ctx_free(p.ctx);
	return status;
}
