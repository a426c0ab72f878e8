/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All commands of iommu-dump over a machine that the input makes: their text is printable, their JSON is JSON, both end with the same
 * status. The first byte says which.
 */
#include "machine.h"
#include "say.h"

static char device[] = "0x0", other[] = "0x3", iova[] = "0x200000", all[] = "0-0xffffffffffffffff",
	    ram[] = "0x80000000-0x8001ffff";

static const struct command {
	struct say say;
	int argc;
	char *argv[3];
} commands[] = {
	{{.command = dump_list, .open = dump_list_open}, 0, {NULL}},
	{{.command = dump_regs}, 0, {NULL}},
	{{.command = dump_devices}, 0, {NULL}},
	{{.command = dump_devices}, 2, {device, other}},
	{{.command = dump_processes}, 1, {device}},
	{{.command = dump_translate, .open = dump_translate_open}, 3, {device, iova, ram}},
	{{.command = dump_mappings}, 1, {device}},
	{{.command = dump_mappings, .gpa = true}, 1, {other}},
	{{.command = dump_mappings, .range = ram}, 1, {other}},
	{{.command = dump_whomaps}, 1, {all}},
	{{.command = dump_whomaps}, 1, {ram}},
	{{.command = dump_msi}, 1, {device}},
	{{.command = dump_faults, .walk = true}, 0, {NULL}},
	{{.command = dump_commands}, 0, {NULL}},
	{{.command = dump_requests}, 0, {NULL}},
	{{.command = dump_counters}, 0, {NULL}},
	{{.command = dump_check}, 0, {NULL}},
};

static void run(const struct command *c, struct riommu_ctx *ctx, struct riommu_system *sys)
{
	struct say what = c->say;
	char *argv[3];
	int status;

	what.ctx = ctx;
	what.sys = sys;
	memcpy(argv, c->argv, sizeof(argv));
	status = say(&what, c->argc, argv, NULL);
	what.form = SAY_JSON;
	memcpy(argv, c->argv, sizeof(argv));
	MUST(say(&what, c->argc, argv, NULL) == status);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct machine m;
	struct feed f = {bytes, len};
	uint8_t which = feed8(&f);
	struct riommu_ctx *ctx = fuzz_ctx();
	struct riommu_system *sys;

	MUST(!riommu_option_set(ctx, "max-pages", "256"));
	machine_make(&m, &f);
	machine_write(&m, "core");
	sys = fuzz_open(ctx, fuzz_path("core"));
	if (sys)
		run(&commands[which % RIOMMU_ARRAY_SIZE(commands)], ctx, sys);
	riommu_system_close(sys);
	riommu_ctx_free(ctx);
	return 0;
}
