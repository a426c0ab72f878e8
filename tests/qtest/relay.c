/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets the room control/ work on registers that somebody else reaches: each access is a line on standard output, answered by one
 * on standard input. tests/qtest/quiesce.py answers with what QEMU's IOMMU says.
 *
 *     relay BASE CAPABILITIES STATE-DIRECTORY block|handover|undo|probe [DEVICE_ID IOVA]
 *
 * Out: `r OFFSET` (answered by a value), `w OFFSET VALUE` (answered by anything), and at the end `= KEY VALUE` lines.
 */
#include "control/control.h"
#include "control/quiesce.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TIMEOUT_MS 2000

static uint64_t answer(void)
{
	char line[64];

	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
	return strtoull(line, NULL, 0);
}

static int reg_read(void *arg, uint64_t base, uint32_t offset, unsigned width, uint64_t *value)
{
	(void)arg;
	(void)base;
	printf("r 0x%" PRIx32 "\n", offset);
	*value = answer();
	if (width == 8) {
		printf("r 0x%" PRIx32 "\n", offset + 4);
		*value |= answer() << 32;
	}
	return 0;
}

static int reg_write(void *arg, uint64_t base, uint32_t offset, uint32_t value)
{
	(void)arg;
	(void)base;
	printf("w 0x%" PRIx32 " 0x%" PRIx32 "\n", offset, value);
	answer();
	return 0;
}

static int config_read(void *arg, const char *function, unsigned offset, unsigned width,
		       uint32_t *value)
{
	(void)arg;
	(void)function;
	(void)offset;
	(void)width;
	(void)value;
	return -ENODATA; /* there are no functions here */
}

static int config_write(void *arg, const char *function, unsigned offset, unsigned width,
			uint32_t value)
{
	(void)arg;
	(void)function;
	(void)offset;
	(void)width;
	(void)value;
	return -EACCES;
}

static uint64_t now_us(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void no_pause(void *arg)
{
	(void)arg; /* an access takes long enough */
}

static int no_lock(void *arg)
{
	(void)arg;
	return 0;
}

static const struct riommu_hw_ops ops = {
	.reg_read = reg_read,
	.reg_write = reg_write,
	.config_read = config_read,
	.config_write = config_write,
	.now_us = now_us,
	.pause = no_pause,
	.lock_memory = no_lock,
};

/* -- as a source, for the debug translation ---------------------------------------------------------------------- */

static int source_open(struct riommu_source *src, const char *path)
{
	(void)src;
	(void)path;
	return 0;
}

static void source_close(struct riommu_source *src)
{
	(void)src;
}

static int source_read(struct riommu_source *src, uint64_t base, uint32_t offset, unsigned width,
		       uint64_t *value)
{
	(void)src;
	return reg_read(NULL, base, offset, width, value);
}

static int source_write(struct riommu_source *src, uint64_t base, uint32_t offset, uint32_t value)
{
	(void)src;
	return reg_write(NULL, base, offset, value);
}

static const struct riommu_source_ops relayed = {
	.name = "relay",
	.help = "",
	.provides = RIOMMU_PROVIDES_REGISTERS,
	.open = source_open,
	.close = source_close,
	.reg_read = source_read,
	.reg_write = source_write,
};

static int probe(struct riommu_system *sys, const char *device, const char *iova)
{
	struct riommu_request request = {0};
	struct riommu_source *control;
	struct riommu_probe found = {0};
	uint64_t id;
	int err = riommu_source_open_writable(sys->ctx, &relayed, &control);

	if (!err)
		err = riommu_parse_u64(device, &id);
	if (!err)
		err = riommu_parse_u64(iova, &request.iova);
	if (err)
		return err;
	request.device_id = (uint32_t)id;
	err = riommu_probe_translate(control, &sys->iommus[0], &request, TIMEOUT_MS, &found);
	if (!err)
		printf("= fault %d\n", found.fault);
	riommu_source_close(control);
	return err;
}

/* -- quiesce ------------------------------------------------------------------------------------------------------- */

static int block(struct riommu_system *sys, struct riommu_hw *hw, bool handover)
{
	struct riommu_quiesce_args args = {.handover = handover, .timeout_ms = TIMEOUT_MS};
	struct riommu_quiesce *q;
	int err = riommu_quiesce_plan(sys, hw, &args, &q);

	if (err)
		return err;
	err = riommu_quiesce_prepare(q);
	for (unsigned s = 0; s < RIOMMU_STAGE_COUNT && !err; s++)
		err = riommu_quiesce_stage(q, (enum riommu_stage)s, NULL, NULL);
	printf("= verdict %s\n", riommu_verdict_name(q->iommus[0].verdict));
	printf("= writes %u\n", q->iommus[0].result[RIOMMU_STAGE_BLOCK].writes);
	riommu_quiesce_close(q);
	return err;
}

static int undo(struct riommu_system *sys, struct riommu_hw *hw)
{
	struct riommu_quiesce_args args = {.timeout_ms = TIMEOUT_MS};
	struct riommu_quiesce *q;
	int err = riommu_quiesce_open_undo(sys, hw, &args, &q);

	if (err)
		return err;
	err = riommu_quiesce_revert(q, NULL, NULL);
	riommu_quiesce_close(q);
	return err;
}

static int run(struct riommu_system *sys, int argc, char **argv)
{
	struct riommu_hw hw = {.ops = &ops};

	if (!strcmp(argv[4], "probe") && argc == 7)
		return probe(sys, argv[5], argv[6]);
	if (!strcmp(argv[4], "undo"))
		return undo(sys, &hw);
	return block(sys, &hw, !strcmp(argv[4], "handover"));
}

/* This machine's own devices are none of our business. */
static int redirect(struct riommu_ctx *ctx, const char *state)
{
	static const char *const keys[] = {"sysfs.path", "debugfs.path", "devmem.path",
					   "kcore.path", "fdt.path",     "dt.path"};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(keys); i++)
		if (riommu_option_set(ctx, keys[i], "/nowhere"))
			return -EINVAL;
	return riommu_option_set(ctx, "state.path", state);
}

int main(int argc, char **argv)
{
	struct riommu_reg_override capabilities = {.offset = RIOMMU_REG_CAPABILITIES, .width = 8};
	struct riommu_ctx *ctx = riommu_ctx_new();
	struct riommu_open_args args = {
		.base_count = 1, .overrides = &capabilities, .override_count = 1};
	struct riommu_system *sys;
	uint64_t base;
	int err;

	if (argc < 5 || !ctx || riommu_parse_u64(argv[1], &base) ||
	    riommu_parse_u64(argv[2], &capabilities.value) || redirect(ctx, argv[3]))
		return 2;
	args.bases = &base;
	err = riommu_system_open(ctx, &args, &sys);
	if (!err) {
		err = run(sys, argc, argv);
		riommu_system_close(sys);
	}
	printf("= error %d\n", -err);
	if (err)
		printf("= words %s\n", riommu_error(ctx));
	riommu_ctx_free(ctx);
	return 0;
}
