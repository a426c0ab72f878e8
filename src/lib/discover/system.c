/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One call opens what a tool needs: registers and memory of this machine or of a file, and the lists of what is there.
 */
#include "discover/discover-internal.h"
#include "spec/notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* -- registers --------------------------------------------------------------------------------------------- */

static uint8_t state_of(int err)
{
	switch (err) {
	case 0:
		return RIOMMU_REG_KNOWN;
	case -EACCES:
		return RIOMMU_REG_REFUSED;
	case -EFAULT:
		return RIOMMU_REG_DEAD;
	default:
		return RIOMMU_REG_MISSING;
	}
}

static void set_error(struct riommu_iommu *iommu, int err, const char *reason)
{
	if (iommu->error)
		return;
	iommu->error = err;
	snprintf(iommu->reason, sizeof(iommu->reason), "%s", reason);
}

/* What a walk cannot do without (design 3.2). Any other register may be missing: that is no error of its IOMMU. */
static const uint32_t needed[] = {RIOMMU_REG_CAPABILITIES, RIOMMU_REG_FCTL, RIOMMU_REG_DDTP};

static bool is_needed(uint32_t offset)
{
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(needed); i++) {
		if (needed[i] == offset)
			return true;
	}
	return false;
}

/* One register from the hardware, unless it was given. */
static int read_one(struct riommu_system *sys, struct riommu_iommu *iommu, int reg)
{
	const struct riommu_reg *r = &riommu_registers()[reg];
	int err;

	if (iommu->state[reg] == RIOMMU_REG_KNOWN)
		return 0;
	err = riommu_source_reg_read(sys->registers, iommu->base, r->offset, r->width,
				     &iommu->value[reg]);
	iommu->state[reg] = state_of(err);
	if (err == -ENODATA && sys->registers_failed)
		set_error(iommu, sys->registers_failed, sys->registers_reason);
	if (err && (err != -ENODATA || is_needed(r->offset)))
		set_error(iommu, err, riommu_error(sys->ctx));
	return err;
}

/* What was given by hand or by notes. Returns how many registers that are. */
static size_t read_given(struct riommu_system *sys, struct riommu_iommu *iommu)
{
	const struct riommu_reg *regs = riommu_registers();
	size_t given = 0;

	for (int i = 0; i < RIOMMU_REG_COUNT; i++) {
		iommu->state[i] = RIOMMU_REG_UNREAD;
		iommu->value[i] = 0;
		if (riommu_overlay_get(sys->registers, iommu->base, regs[i].offset,
				       &iommu->value[i])) {
			iommu->state[i] = RIOMMU_REG_KNOWN;
			given++;
		}
	}
	return given;
}

/*
 * Message vectors go as far as icvec can name: an implementation may have fewer than 16, and a hole may fault (specification,
 * "MSI configuration table"). True for the registers of those beyond.
 */
static bool beyond_vectors(const struct riommu_iommu *iommu, const struct riommu_reg *reg)
{
	int icvec = riommu_reg_by_offset(RIOMMU_REG_ICVEC), last = -1;

	if (reg->presence != RIOMMU_PRESENT_MSI)
		return false;
	for (unsigned i = 0; i < 16 && iommu->state[icvec] == RIOMMU_REG_KNOWN; i += 4) {
		int vector = (int)riommu_bits(iommu->value[icvec], i + 3, i);

		last = vector > last ? vector : last;
	}
	return reg->index > last;
}

/* No hardware to ask: what was not given is missing or refused, if it exists at all. */
static void finish_recorded(struct riommu_system *sys, struct riommu_iommu *iommu, size_t given)
{
	const struct riommu_reg *regs = riommu_registers();
	int cap = riommu_reg_by_offset(RIOMMU_REG_CAPABILITIES);
	bool cap_known = iommu->state[cap] == RIOMMU_REG_KNOWN;
	char words[sizeof(iommu->reason)];

	for (int i = 0; i < RIOMMU_REG_COUNT; i++) {
		if (iommu->state[i] == RIOMMU_REG_UNREAD && !beyond_vectors(iommu, &regs[i]) &&
		    (!cap_known || riommu_reg_present(&regs[i], iommu->value[cap])))
			iommu->state[i] = sys->registers_error == -EACCES ? RIOMMU_REG_REFUSED
									  : RIOMMU_REG_MISSING;
	}
	if (riommu_system_missing(sys, (size_t)(iommu - sys->iommus), needed,
				  RIOMMU_ARRAY_SIZE(needed), words, sizeof(words)))
		set_error(iommu, -ENODATA, words);
	if (given && iommu->found == RIOMMU_FOUND_RECORD)
		iommu->method = "record";
	else if (given)
		iommu->method =
			iommu->found == RIOMMU_FOUND_NOTE ? sys->memory->ops->name : "option";
}

/* Capabilities decide what else may be touched. False: nothing. */
static bool read_capabilities(struct riommu_system *sys, struct riommu_iommu *iommu)
{
	int reg = riommu_reg_by_offset(RIOMMU_REG_CAPABILITIES);
	bool given = iommu->state[reg] == RIOMMU_REG_KNOWN;
	uint64_t v;
	char words[160];

	if (read_one(sys, iommu, reg))
		return false;
	v = iommu->value[reg];
	if (v == UINT64_MAX) {
		iommu->state[reg] = RIOMMU_REG_DEAD;
		iommu->value[reg] = 0;
		set_error(iommu, -EFAULT,
			  "capabilities read as all ones: the device does not answer (powered off, "
			  "or not decoding its registers)");
		return false;
	}
	if (!riommu_capabilities_plausible(v)) {
		snprintf(words, sizeof(words),
			 "capabilities 0x%llx are not those of an IOMMU of version 1: nothing else "
			 "was read%s",
			 (unsigned long long)v,
			 given ? "" : "; is there an IOMMU at this address?");
		set_error(iommu, -EBADMSG, words);
		return false;
	}
	return true;
}

/* Which of the sources below the overlay answers for this IOMMU. */
static const char *method_of(struct riommu_system *sys, const struct riommu_iommu *iommu)
{
	uint64_t value;

	for (struct riommu_source *src = sys->registers->lower; src; src = src->lower) {
		if (!src->ops->reg_read(src, iommu->base, RIOMMU_REG_CAPABILITIES, 8, &value))
			return src->ops->name;
	}
	return NULL;
}

static void read_hardware(struct riommu_system *sys, struct riommu_iommu *iommu)
{
	const struct riommu_reg *regs = riommu_registers();
	uint64_t capabilities;

	if (!read_capabilities(sys, iommu)) {
		for (int i = 0; i < RIOMMU_REG_COUNT; i++) {
			if (iommu->error == -EACCES && iommu->state[i] == RIOMMU_REG_UNREAD)
				iommu->state[i] = RIOMMU_REG_REFUSED;
		}
		return;
	}
	iommu->method = method_of(sys, iommu);
	capabilities = iommu->value[riommu_reg_by_offset(RIOMMU_REG_CAPABILITIES)];
	for (int i = 0; i < RIOMMU_REG_COUNT; i++) {
		if (regs[i].presence != RIOMMU_PRESENT_MSI &&
		    riommu_reg_present(&regs[i], capabilities))
			read_one(sys, iommu, i);
	}
	for (int i = 0; i < RIOMMU_REG_COUNT; i++) {
		if (regs[i].presence == RIOMMU_PRESENT_MSI && !beyond_vectors(iommu, &regs[i]) &&
		    riommu_reg_present(&regs[i], capabilities))
			read_one(sys, iommu, i);
	}
}

void riommu_system_read_registers(struct riommu_system *sys, size_t index)
{
	struct riommu_iommu *iommu = &sys->iommus[index];
	size_t given;

	if (iommu->method ||
	    iommu->error) /* again: what a source remembers of the first time is old */
		riommu_source_forget(sys->registers);
	iommu->error = 0;
	iommu->reason[0] = '\0';
	iommu->method = NULL;
	given = read_given(sys, iommu);
	if (sys->registers->lower) {
		read_hardware(sys, iommu);
		return;
	}
	if (sys->registers_error)
		set_error(iommu, sys->registers_error, sys->registers_reason);
	finish_recorded(sys, iommu, given);
}

void riommu_system_refresh(struct riommu_system *sys, size_t index, const uint32_t *offsets,
			   size_t count)
{
	struct riommu_iommu *iommu = &sys->iommus[index];

	if (iommu->state[riommu_reg_by_offset(RIOMMU_REG_CAPABILITIES)] != RIOMMU_REG_KNOWN)
		return;
	riommu_source_forget(sys->registers);
	for (size_t i = 0; i < count; i++) {
		int reg = riommu_reg_by_offset(offsets[i]);
		const struct riommu_reg *r = &riommu_registers()[reg];

		iommu->state[reg] = state_of(riommu_source_reg_read(
			sys->registers, iommu->base, r->offset, r->width, &iommu->value[reg]));
	}
}

int riommu_iommu_reg(const struct riommu_iommu *iommu, uint32_t offset, uint64_t *value)
{
	int reg = riommu_reg_by_offset(offset);

	if (reg < 0)
		return -EINVAL;
	switch (iommu->state[reg]) {
	case RIOMMU_REG_KNOWN:
		*value = iommu->value[reg];
		return 0;
	case RIOMMU_REG_REFUSED:
		return -EACCES;
	case RIOMMU_REG_DEAD:
		return -EFAULT;
	default:
		return -ENODATA;
	}
}

static int add_bases(struct riommu_system *sys, const struct riommu_open_args *args)
{
	size_t index;
	int err = 0;

	for (size_t i = 0; i < args->base_count && !err; i++)
		err = riommu_list_iommu(sys, args->bases[i], "", RIOMMU_FOUND_OPTION, "--base",
					&index);
	return err;
}

/* -- a file ------------------------------------------------------------------------------------------------ */

static bool base_wanted(const struct riommu_open_args *args, uint64_t base)
{
	for (size_t i = 0; i < args->base_count; i++) {
		if (args->bases[i] == base)
			return true;
	}
	return !args->base_count;
}

static int take_note(struct riommu_system *sys, const struct riommu_core_registers *note)
{
	size_t index;
	int err = riommu_list_iommu(sys, note->base, note->name, RIOMMU_FOUND_NOTE, "register note",
				    &index);

	for (uint32_t i = 0; i < note->count && !err; i++) {
		const uint8_t *entry = note->entries + (size_t)i * RIOMMU_NOTE_REGISTERS_ENTRY;
		uint32_t offset = riommu_get32(entry, false);

		if (riommu_reg_by_offset(offset) < 0) {
			riommu_log(sys->ctx, RIOMMU_LOG_INFO,
				   "%s: register at offset 0x%x of %s is not one we know",
				   sys->path, offset, note->name);
			continue;
		}
		err = riommu_overlay_set(sys->registers, note->base, offset,
					 riommu_get32(entry + 4, false),
					 riommu_get64(entry + 8, false));
	}
	return err;
}

static int open_file(struct riommu_system *sys, const struct riommu_open_args *args)
{
	const struct riommu_source_ops *ops;
	struct riommu_core_registers note;
	const char *text;
	size_t len;
	int err;

	riommu_copy_name(sys->path, sizeof(sys->path), args->input, strlen(args->input));
	err = riommu_source_for_file(sys->ctx, args->input, args->access, &ops);
	if (!err)
		err = riommu_source_open(sys->ctx, ops, args->input, &sys->memory);
	for (size_t i = 0; !err && riommu_core_registers_at(sys->memory, i, &note); i++) {
		if (base_wanted(args, note.base))
			err = take_note(sys, &note);
	}
	if (!err && !riommu_core_registers_at(sys->memory, 0, &note))
		err = riommu_discover_record(sys, args);
	if (!err)
		err = add_bases(sys, args);
	if (!err && riommu_core_machine(sys->memory, &text, &len))
		err = riommu_machine_parse(sys, text, len);
	return err;
}

/* How loud it is that there is no such thing: a machine is as it is, and need not be read by root. */
static enum riommu_log_level log_level(int err)
{
	return err == -ENOENT || err == -EACCES ? RIOMMU_LOG_INFO : RIOMMU_LOG_WARNING;
}

/* -- this machine ------------------------------------------------------------------------------------------ */

/* True if METHOD may be used for what WHAT stands for: -A names one; it speaks only of what it provides. */
static bool method_wanted(const struct riommu_open_args *args,
			  const struct riommu_source_ops *method, unsigned what)
{
	const struct riommu_source_ops *only =
		args->access ? riommu_source_by_name(args->access) : NULL;

	if (!(method->provides & what) || method->reads_file)
		return false;
	return !only || !(only->provides & what) || only == method;
}

/* What is not there is refused; what failed by itself is what it is. */
static int refusal_of(int err)
{
	switch (err) {
	case -EACCES:
	case -ENOENT:
	case -ENOTDIR:
	case -ENXIO:
	case -ENODEV:
	case -ENODATA:
	case -EBADMSG:
		return -EACCES;
	default:
		return err;
	}
}

/* How much it says why a way to the machine is closed: that it is refused before that it fails before that it is not there. */
static int weight_of(int err)
{
	return err == -EACCES ? 3 : refusal_of(err) == -EACCES ? 1 : 2;
}

/*
 * Every source that gives registers, one below the other: what one does not have the next is asked for. If none opens that is a
 * refusal, unless one of them failed otherwise; riommu_ways() tells them apart. Likewise for memory. -ENOMEM ends it all.
 */
static int open_registers(struct riommu_system *sys, const struct riommu_open_args *args)
{
	struct riommu_source **below = &sys->registers->lower;
	int weight = 0, worst = 0;

	for (const struct riommu_source_ops *const *ops = riommu_sources(); *ops; ops++) {
		int err;

		if (!method_wanted(args, *ops, RIOMMU_PROVIDES_REGISTERS))
			continue;
		err = riommu_source_open(sys->ctx, *ops, NULL, below);
		if (err == -ENOMEM)
			return err;
		if (err)
			riommu_log(sys->ctx, log_level(err), "%s", riommu_error(sys->ctx));
		if (!err) {
			below = &(*below)->lower;
		} else if (weight_of(err) >= weight) {
			snprintf(sys->registers_reason, sizeof(sys->registers_reason), "%s",
				 riommu_error(sys->ctx));
			weight = weight_of(err);
			worst = refusal_of(err);
		}
	}
	sys->registers_error = sys->registers->lower ? 0 : worst;
	sys->registers_failed = worst == -EACCES ? 0 : worst;
	return 0;
}

static int open_memory(struct riommu_system *sys, const struct riommu_open_args *args)
{
	struct riommu_way way;
	int err;

	for (const struct riommu_source_ops *const *ops = riommu_sources(); *ops; ops++) {
		if (!method_wanted(args, *ops, RIOMMU_PROVIDES_MEMORY))
			continue;
		err = riommu_source_open(sys->ctx, *ops, NULL, &sys->memory);
		if (!err || err == -ENOMEM)
			return err;
		sys->memory_error = refusal_of(err);
		riommu_explain_memory(sys->ctx, err, &way);
		snprintf(sys->memory_reason, sizeof(sys->memory_reason), "%s: %.100s; %.100s",
			 way.method, way.reason, way.remedy);
	}
	return 0;
}

/* A machine that boots by ACPI has a device tree without devices, or none. */
static int discover_acpi(struct riommu_system *sys, const struct riommu_dt *dt,
			 struct riommu_rimt **rimt)
{
	int err;

	if (dt && riommu_dt_has_iommus(dt))
		return 0;
	err = riommu_rimt_load(sys, rimt);
	if (err) {
		riommu_log(sys->ctx, log_level(err), "no IOMMUs by ACPI: %s",
			   riommu_error(sys->ctx));
		return err == -ENOMEM ? err : 0;
	}
	return riommu_rimt_iommus(*rimt, sys);
}

/* Where the bus says they are first, then the device tree or ACPI, then what the kernel calls them. */
static int discover(struct riommu_system *sys, const struct riommu_open_args *args)
{
	struct riommu_rimt *rimt = NULL;
	struct riommu_dt *dt = NULL;
	int err = riommu_dt_load(sys, &dt);

	if (err &&
	    err != -ENOMEM) { /* not there, refused or damaged: there are other ways to find them */
		riommu_log(sys->ctx, log_level(err), "%s", riommu_error(sys->ctx));
		err = 0;
	}
	if (!args->base_count) {
		if (!err)
			err = riommu_discover_pci(sys);
		if (!err && dt)
			err = riommu_dt_iommus(dt, sys);
		if (!err)
			err = discover_acpi(sys, dt, &rimt);
		if (!err)
			err = riommu_discover_class(sys);
	}
	if (!err)
		err = riommu_discover_devices(sys, args->base_count ? NULL : dt, rimt);
	if (!err)
		err = riommu_discover_regions(sys);
	riommu_rimt_free(rimt);
	riommu_dt_free(dt);
	return err;
}

/* The first line of a file, which may be missing. */
static int read_line(struct riommu_system *sys, const char *key, const char *file, char *to,
		     size_t size)
{
	char path[RIOMMU_PATH_MAX], *text;
	size_t len;
	int err;

	riommu_path(sys->ctx, path, key, "%s", file);
	err = riommu_read_file(path, size, &text, &len);
	if (err)
		return riommu_left_out(sys->ctx, path, err);
	riommu_copy_name(to, size, text, strcspn(text, "\n"));
	free(text);
	return 0;
}

static int describe_machine(struct riommu_system *sys)
{
	time_t now = time(NULL);
	struct tm tm;
	int err;

	if (gmtime_r(&now, &tm))
		strftime(sys->time, sizeof(sys->time), "%Y-%m-%dT%H:%M:%SZ", &tm);
	err = read_line(sys, "sysfs.path", "/class/dmi/id/product_name", sys->model,
			sizeof(sys->model));
	if (!err)
		err = read_line(sys, "proc.path", "/sys/kernel/osrelease", sys->kernel,
				sizeof(sys->kernel));
	return err;
}

static int open_live(struct riommu_system *sys, const struct riommu_open_args *args)
{
	const struct riommu_source_ops *only =
		args->access ? riommu_source_by_name(args->access) : NULL;
	int err;

	if (args->access && !only)
		return riommu_fail(sys->ctx, -EINVAL,
				   "unknown access method '%s'; --access help lists them",
				   args->access);
	if (only && only->reads_file)
		return riommu_fail(sys->ctx, -EINVAL, "--access %s reads a file: --input FILE",
				   args->access);
	sys->live = true;
	err = describe_machine(sys);
	if (!err)
		err = open_registers(sys, args);
	if (!err)
		err = open_memory(sys, args);
	if (!err)
		err = add_bases(sys, args);
	return err ? err : discover(sys, args);
}

/* -- open -------------------------------------------------------------------------------------------------- */

/* An IOMMU that --reg names and nobody else does exists by that, if what it names is a base. */
static int add_override_target(struct riommu_system *sys, const char *name)
{
	uint64_t base;
	size_t index;

	if (!name[0] || riommu_system_find_iommu(sys, name) != RIOMMU_NO_IOMMU)
		return 0;
	if (strncmp(name, "0x", 2) || riommu_parse_u64(name, &base))
		return riommu_fail(sys->ctx, -ENODEV, "--reg: there is no IOMMU called '%s'", name);
	return riommu_list_iommu(sys, base, "", RIOMMU_FOUND_OPTION, "--reg", &index);
}

static int apply_override(struct riommu_system *sys, const struct riommu_reg_override *o)
{
	size_t only = o->iommu[0] ? riommu_system_find_iommu(sys, o->iommu) : RIOMMU_NO_IOMMU;
	int err = 0;

	for (size_t i = 0; i < sys->iommu_count && !err; i++) {
		if (only == RIOMMU_NO_IOMMU || only == i)
			err = riommu_overlay_set(sys->registers, sys->iommus[i].base, o->offset,
						 o->width, o->value);
	}
	return err;
}

static int apply_overrides(struct riommu_system *sys, const struct riommu_open_args *args)
{
	int err = 0;

	for (size_t i = 0; i < args->override_count && !err; i++)
		err = add_override_target(sys, args->overrides[i].iommu);
	for (size_t i = 0; i < args->override_count && !err; i++)
		err = apply_override(sys, &args->overrides[i]);
	return err;
}

static int no_iommu(struct riommu_system *sys)
{
	char path[RIOMMU_PATH_MAX];

	riommu_path(sys->ctx, path, "sysfs.path", "/class");
	if (sys->live && access(path, F_OK)) /* of what could not be looked at nothing is known */
		return riommu_fail(
			sys->ctx, -ENODEV,
			"no IOMMU found, but where they are looked for nothing can be "
			"seen: %s: %s; mount it (mount -t sysfs sysfs /sys), or name one "
			"with --base ADDR",
			path, strerror(errno));
	if (sys->live)
		return riommu_fail(
			sys->ctx, -ENODEV,
			"no IOMMU found on this machine: none in the device tree or ACPI, none "
			"on PCI (class 0806), none in /sys/class/iommu; --base ADDR names "
			"one");
	return riommu_fail(sys->ctx, -ENODEV,
			   "%s holds memory but no registers, so no IOMMU: name one with --base "
			   "ADDR and give --reg capabilities=VALUE --reg fctl=VALUE --reg "
			   "ddtp=VALUE (the fault queue needs fqb, too), or after a handover by "
			   "iommu-kexec-prep its record, -O record=FILE, or -O record=auto in the "
			   "kernel that took the dump",
			   sys->path);
}

static int open_all(struct riommu_system *sys, const struct riommu_open_args *args)
{
	int err = riommu_overlay_new(sys->ctx, NULL, &sys->registers);

	if (!err)
		err = args->input ? open_file(sys, args) : open_live(sys, args);
	if (!err)
		err = apply_overrides(sys, args);
	if (!err && !sys->iommu_count)
		err = no_iommu(sys);
	if (err)
		return err;
	riommu_list_sort(sys);
	for (size_t i = 0; i < sys->iommu_count; i++)
		riommu_system_read_registers(sys, i);
	return 0;
}

int riommu_system_open(struct riommu_ctx *ctx, const struct riommu_open_args *args,
		       struct riommu_system **out)
{
	struct riommu_system *sys = calloc(1, sizeof(*sys));
	int err;

	*out = NULL;
	if (!sys)
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	sys->ctx = ctx;
	err = open_all(sys, args);
	if (err) {
		riommu_system_close(sys);
		return err;
	}
	*out = sys;
	return 0;
}

void riommu_system_close(struct riommu_system *sys)
{
	if (!sys)
		return;
	riommu_source_close(sys->registers);
	riommu_source_close(sys->memory);
	free(sys->iommus);
	free(sys->devices);
	free(sys->regions);
	free(sys);
}
