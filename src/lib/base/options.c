/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parameters (-O key=value): one table for setting, listing and checking. */
#include "base/base-internal.h"

#include <stdlib.h>

enum option_kind { OPTION_PATH, OPTION_COUNT, OPTION_ADDRESS, OPTION_CHOICE };

struct option_entry {
	const char *key;
	const char *def; /* NULL: none */
	enum option_kind kind;
	const char *const *choices; /* OPTION_CHOICE: ended by NULL */
	const char *help;
};

static const char *const zero_only[] = {"zero", NULL};
static const char *const boolean[] = {"0", "1", NULL};
static const char *const missing_or_fault[] = {"missing", "fault", NULL};

static const struct option_entry table[RIOMMU_OPTION_COUNT] = {
	{"devmem.path", "/dev/mem", OPTION_PATH, NULL, "registers: the memory device"},
	{"kcore.path", "/proc/kcore", OPTION_PATH, NULL, "RAM: the running kernel as an ELF core"},
	{"debugfs.path", "/sys/kernel/debug", OPTION_PATH, NULL,
	 "registers: where debugfs is mounted (module riscv_iommu_debugfs)"},
	{"sysfs.path", "/sys", OPTION_PATH, NULL, "names, drivers, groups: where sysfs is mounted"},
	{"proc.path", "/proc", OPTION_PATH, NULL, "memory map, kernel: where procfs is mounted"},
	{"state.path", "/run/riscv-iommu", OPTION_PATH, NULL,
	 "quiesce: its state and its lock; load: the mark of what is loaded"},
	{"fdt.path", "/sys/firmware/fdt", OPTION_PATH, NULL,
	 "discovery: the flattened device tree"},
	{"dt.path", "/proc/device-tree", OPTION_PATH, NULL, "discovery: the device tree as files"},
	{"acpi.path", "/sys/firmware/acpi/tables", OPTION_PATH, NULL,
	 "discovery: the tables of ACPI"},
	{"boot.path", "/boot", OPTION_PATH, NULL, "kernels: where config-RELEASE is"},
	{"modules.path", "/lib/modules", OPTION_PATH, NULL, "kernels: where RELEASE/config is"},
	{"kexec.path", NULL, OPTION_PATH, NULL,
	 "the program kexec (default: from PATH, /sbin, /usr/sbin)"},
	{"record", NULL, OPTION_PATH, NULL,
	 "FILE|auto|none: the handover record with a vmcore's registers"},
	{"base", NULL, OPTION_ADDRESS, NULL,
	 "ADDR: --input is a raw image of RAM that begins at this address"},
	{"excluded", NULL, OPTION_CHOICE, zero_only,
	 "zero: pages that a vmcore leaves out are zero (else not captured)"},
	{"max-pages", "1048576", OPTION_COUNT, NULL,
	 "the most pages to save, and the most table pages to walk for a list"},
	{"spaces", "262144", OPTION_COUNT, NULL,
	 "address spaces held at once for all devices; more come in turns"},
	{"guest-tables", "0", OPTION_CHOICE, boolean,
	 "0|1: --save: also tables that are behind a guest's second stage"},
	{"gxl_writable", "1", OPTION_CHOICE, boolean,
	 "0|1: whether fctl.GXL can be written; decides which tc.SXL is legal"},
	{"be_writable", NULL, OPTION_CHOICE, boolean,
	 "0|1: whether fctl.BE can be written (default: capabilities.END)"},
	{"absent", "missing", OPTION_CHOICE, missing_or_fault,
	 "missing|fault: what a walk makes of memory that is not in the source"},
};

static const struct option_entry *find(const char *key, size_t *index)
{
	for (size_t i = 0; i < RIOMMU_OPTION_COUNT; i++) {
		if (strcmp(table[i].key, key) == 0) {
			*index = i;
			return &table[i];
		}
	}
	return NULL;
}

static bool is_choice(const struct option_entry *entry, const char *value)
{
	for (const char *const *choice = entry->choices; *choice; choice++)
		if (strcmp(*choice, value) == 0)
			return true;
	return false;
}

static int check_value(struct riommu_ctx *ctx, const struct option_entry *entry, const char *value)
{
	uint64_t number;

	switch (entry->kind) {
	case OPTION_PATH:
		if (!*value)
			return riommu_fail(ctx, -EINVAL, "parameter %s: the path is empty",
					   entry->key);
		if (strlen(value) > RIOMMU_OPTION_PATH_MAX)
			return riommu_fail(ctx, -EINVAL,
					   "parameter %s: the path is longer than %d bytes",
					   entry->key, RIOMMU_OPTION_PATH_MAX);
		break;
	case OPTION_COUNT:
		if (riommu_parse_u64(value, &number) || !number)
			return riommu_fail(ctx, -EINVAL,
					   "parameter %s: '%s' is not a positive number",
					   entry->key, value);
		break;
	case OPTION_ADDRESS:
		if (riommu_parse_u64(value, &number))
			return riommu_fail(ctx, -EINVAL, "parameter %s: '%s' is not an address",
					   entry->key, value);
		break;
	case OPTION_CHOICE:
		if (!is_choice(entry, value))
			return riommu_fail(ctx, -EINVAL,
					   "parameter %s: '%s' is not a value of it (%s)",
					   entry->key, value, entry->help);
		break;
	}
	return 0;
}

int riommu_option_set(struct riommu_ctx *ctx, const char *key, const char *value)
{
	const struct option_entry *entry;
	size_t index;
	char *copy;
	int err;

	entry = find(key, &index);
	if (!entry)
		return riommu_fail(ctx, -EINVAL,
				   "'%s' is no parameter; '-O help' lists the parameters", key);
	err = check_value(ctx, entry, value);
	if (err)
		return err;
	copy = strdup(value);
	if (!copy)
		return riommu_fail(ctx, -ENOMEM, "parameter %s: out of memory", key);
	free(ctx->options[index]);
	ctx->options[index] = copy;
	return 0;
}

const char *riommu_option(const struct riommu_ctx *ctx, const char *key)
{
	const struct option_entry *entry;
	size_t index;

	entry = find(key, &index);
	if (!entry)
		return NULL;
	return ctx->options[index] ? ctx->options[index] : entry->def;
}

uint64_t riommu_option_number(const struct riommu_ctx *ctx, const char *key)
{
	uint64_t number = 0;

	riommu_parse_u64(riommu_option(ctx, key), &number);
	return number;
}

bool riommu_option_is_set(const struct riommu_ctx *ctx, const char *key)
{
	size_t index;

	return find(key, &index) && ctx->options[index];
}

bool riommu_option_at(const struct riommu_ctx *ctx, size_t i, struct riommu_option *out)
{
	if (i >= RIOMMU_OPTION_COUNT)
		return false;
	*out = (struct riommu_option){
		.key = table[i].key,
		.value = ctx->options[i],
		.def = table[i].def,
		.help = table[i].help,
	};
	return true;
}
