/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vmcore holds memory and no registers. If the crash kernel was started through our stub (design 3.6), the device tree of the
 * kernel that now shows /proc/vmcore has a record of what they were: old ddtp, queue pointers, control and status.
 */
#include "discover/discover-internal.h"
#include "spec/record.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_RECORD (16u << 20) /* or a whole device tree */

/* -- finding it -------------------------------------------------------------------------------------------- */

/* Whether the input is the dump that the running kernel was started to take: then its record belongs to it. */
static bool is_live_vmcore(const struct riommu_system *sys, const char *input)
{
	char path[RIOMMU_PATH_MAX], *there, *here;
	bool same;

	riommu_path(sys->ctx, path, "proc.path", "/vmcore");
	there = realpath(path, NULL);
	here = realpath(input, NULL);
	same = there && here && !strcmp(there, here);
	free(there);
	free(here);
	return same;
}

/* The property by itself, or in a device tree. */
static int parse(struct riommu_system *sys, const char *bytes, size_t len,
		 struct riommu_record *record)
{
	if (len >= 4 && riommu_get32(bytes, true) == FDT_MAGIC)
		return riommu_record_from_fdt(sys->ctx, bytes, len, record);
	return riommu_record_parse(sys->ctx, bytes, len, record);
}

static int read_record(struct riommu_system *sys, const char *path, struct riommu_record *record)
{
	char *bytes;
	size_t len;
	int err = riommu_read_file(path, MAX_RECORD, &bytes, &len);

	if (err)
		return riommu_fail(sys->ctx, err, "%s: %s", path, riommu_read_reason(err));
	err = parse(sys, bytes, len, record);
	free(bytes);
	if (err) {
		char words[512];

		snprintf(words, sizeof(words), "%s", riommu_error(sys->ctx));
		return riommu_fail(sys->ctx, err, "%s: %s", path, words);
	}
	return 0;
}

/* In the running kernel's device tree: as a file, else in the whole. */
static int read_live(struct riommu_system *sys, struct riommu_record *record)
{
	char path[RIOMMU_PATH_MAX];
	int err;

	riommu_path(sys->ctx, path, "dt.path", RIOMMU_RECORD_NODE "/" RIOMMU_RECORD_PROPERTY);
	err = read_record(sys, path, record);
	if (err != -ENOENT && err != -ENOTDIR)
		return err;
	return read_record(sys, riommu_option(sys->ctx, "fdt.path"), record);
}

/* -- taking it ---------------------------------------------------------------------------------------------- */

/* Whether the stub came as far as the registers. */
static bool was_read(const struct riommu_record_entry *e)
{
	return e->status != RIOMMU_RECORD_UNUSED && e->status != RIOMMU_RECORD_TRAP &&
	       e->status != RIOMMU_RECORD_NOT_IOMMU;
}

static bool is_wanted(const struct riommu_open_args *args, uint64_t base)
{
	for (size_t i = 0; i < args->base_count; i++)
		if (args->bases[i] == base)
			return true;
	return !args->base_count;
}

/* The registers as they were before the stub wrote any. Those of the page-request queue exist only with ATS. */
static int set_registers(struct riommu_system *sys, const struct riommu_record_entry *e)
{
	const struct {
		uint32_t offset;
		uint64_t value;
	} values[] = {
		{RIOMMU_REG_CAPABILITIES, e->capabilities},
		{RIOMMU_REG_FCTL, e->fctl},
		{RIOMMU_REG_DDTP, e->ddtp_old},
		{RIOMMU_REG_CQB, e->cqb},
		{RIOMMU_REG_CQH, e->cqh},
		{RIOMMU_REG_CQT, e->cqt},
		{RIOMMU_REG_FQB, e->fqb},
		{RIOMMU_REG_FQH, e->fqh},
		{RIOMMU_REG_FQT, e->fqt},
		{RIOMMU_REG_PQB, e->pqb},
		{RIOMMU_REG_PQH, e->pqh},
		{RIOMMU_REG_PQT, e->pqt},
		{RIOMMU_REG_CQCSR, e->cqcsr},
		{RIOMMU_REG_FQCSR, e->fqcsr},
		{RIOMMU_REG_PQCSR, e->pqcsr},
		{RIOMMU_REG_IPSR, e->ipsr},
	};
	int err = 0;

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(values) && !err; i++) {
		const struct riommu_reg *reg =
			&riommu_registers()[riommu_reg_by_offset(values[i].offset)];

		if (riommu_reg_present(reg, e->capabilities))
			err = riommu_overlay_set(sys->registers, e->base, reg->offset, reg->width,
						 values[i].value);
	}
	return err;
}

static int take_entry(struct riommu_system *sys, const struct riommu_record_entry *e)
{
	size_t index;
	int err;

	if (!was_read(e)) {
		riommu_log(sys->ctx, RIOMMU_LOG_WARNING,
			   "handover record: nothing is known of the IOMMU at 0x%llx (%s)",
			   (unsigned long long)e->base, riommu_record_status_name(e->status));
		return 0;
	}
	if (e->base & (RIOMMU_REGS_SIZE - 1))
		return riommu_fail(sys->ctx, -EBADMSG,
				   "handover record: an IOMMU at 0x%llx, which is not aligned to "
				   "4 KiB",
				   (unsigned long long)e->base);
	err = riommu_list_iommu(sys, e->base, "", RIOMMU_FOUND_RECORD, "handover record", &index);
	return err ? err : set_registers(sys, e);
}

int riommu_discover_record(struct riommu_system *sys, const struct riommu_open_args *args)
{
	const char *option = riommu_option(sys->ctx, "record");
	bool automatic = option && !strcmp(option, "auto"),
	     given = option && !automatic && strcmp(option, "none");
	struct riommu_record *record;
	int err;

	if (!given && !automatic && (option || !is_live_vmcore(sys, args->input)))
		return 0;
	record = calloc(1, sizeof(*record));
	if (!record)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	err = given ? read_record(sys, option, record) : read_live(sys, record);
	if (err && !option) { /* nobody asked for it, and registers may be given by hand */
		riommu_log(sys->ctx, RIOMMU_LOG_WARNING, "no handover record: %s",
			   riommu_error(sys->ctx));
		err = 0;
	} else if (!err && record->state == RIOMMU_RECORD_NEVER_RUN) {
		riommu_log(sys->ctx, RIOMMU_LOG_WARNING,
			   "the handover record is empty: the stub did not run");
	}
	for (uint32_t i = 0; i < record->used && !err; i++)
		if (is_wanted(args, record->entry[i].base))
			err = take_entry(sys, &record->entry[i]);
	free(record);
	return err;
}
