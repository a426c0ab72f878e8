/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What would be done: looked up register by register, function by function. Reads only. */
#include "control/control-internal.h"
#include "discover/paths.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* -- words ----------------------------------------------------------------------------------------------------- */

const char *riommu_stage_name(enum riommu_stage stage)
{
	static const char *const names[] = {"stop", "drain", "block", "queues", "verify"};

	return (unsigned)stage < RIOMMU_STAGE_COUNT ? names[stage] : "?";
}

const char *riommu_outcome_name(enum riommu_outcome outcome)
{
	static const char *const names[] = {"not_run",     "skipped",  "nothing_to_do", "done",
					    "cannot_tell", "left_out", "timed_out",     "not_taken",
					    "dead",        "refused",  "failed"};

	return (unsigned)outcome < RIOMMU_ARRAY_SIZE(names) ? names[outcome] : "?";
}

const char *riommu_verdict_name(enum riommu_verdict verdict)
{
	static const char *const names[] = {"unknown", "blocked", "open", "dead"};

	return (unsigned)verdict < RIOMMU_ARRAY_SIZE(names) ? names[verdict] : "?";
}

const char *riommu_function_kind_name(enum riommu_function_kind kind)
{
	static const char *const names[] = {"master", "quiet",    "kept",   "bridge",
					    "iommu",  "platform", "unknown"};

	return (unsigned)kind < RIOMMU_ARRAY_SIZE(names) ? names[kind] : "?";
}

const char *control_reg_name(uint32_t offset)
{
	int reg = riommu_reg_by_offset(offset);

	return reg < 0 ? "?" : riommu_registers()[reg].name;
}

/* -- queues ---------------------------------------------------------------------------------------------------- */

/* FQ last: faults of the transition are still seen. */
const struct queue_csr control_queues[QUEUE_COUNT] = {
	{RIOMMU_REG_CQCSR, "cqcsr", false},
	{RIOMMU_REG_PQCSR, "pqcsr", true},
	{RIOMMU_REG_FQCSR, "fqcsr", false},
};

unsigned control_vectors(uint64_t capabilities, uint32_t fctl, uint64_t icvec)
{
	unsigned vectors;

	if (riommu_bits(capabilities, 29, 28) == RIOMMU_IGS_WSI || fctl & RIOMMU_FCTL_WSI)
		return 0;
	vectors = 1u << riommu_bits(icvec, 3, 0) | 1u << riommu_bits(icvec, 7, 4);
	if (capabilities & RIOMMU_CAP_HPM)
		vectors |= 1u << riommu_bits(icvec, 11, 8);
	if (capabilities & RIOMMU_CAP_ATS)
		vectors |= 1u << riommu_bits(icvec, 15, 12);
	return vectors;
}

/* -- making one -------------------------------------------------------------------------------------------------- */

int control_plan_new(struct riommu_system *sys, struct riommu_hw *hw,
		     const struct riommu_quiesce_args *args, size_t count, size_t functions,
		     struct riommu_quiesce **out)
{
	struct riommu_quiesce *q = calloc(1, sizeof(*q));
	struct riommu_quiesce_inside *inside = calloc(1, sizeof(*inside));

	*out = q;
	if (!q || !inside) {
		free(inside);
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	}
	*q = (struct riommu_quiesce){.ctx = sys->ctx,
				     .handover = args->handover,
				     .skip = args->skip,
				     .timeout_ms = args->timeout_ms,
				     .inside = inside};
	*inside = (struct riommu_quiesce_inside){.sys = sys,
						 .hw = hw,
						 .no_registers = args->no_registers,
						 .state = {.lock_fd = -1, .fd = -1}};
	q->iommus = calloc(count + 1, sizeof(*q->iommus));
	q->functions = calloc(functions + 1, sizeof(*q->functions));
	/* a function, or of an IOMMU: ddtp, 16 vectors, three queues, ipsr */
	q->writes = calloc(functions + 21 * count + 1, sizeof(*q->writes));
	inside->records = calloc(count + 1, sizeof(struct state_iommu *));
	inside->function_records = calloc(functions + 1, sizeof(struct state_function *));
	inside->slot_count = 16;
	while (inside->slot_count < 2 * functions)
		inside->slot_count *= 2;
	inside->slots = calloc(inside->slot_count, sizeof(*inside->slots));
	if (!q->iommus || !q->functions || !q->writes || !inside->records ||
	    !inside->function_records || !inside->slots)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	if (control_state_init(&inside->state, sys->ctx))
		return -EINVAL;
	snprintf(q->state_file, sizeof(q->state_file), "%s", inside->state.path);
	return 0;
}

void riommu_quiesce_close(struct riommu_quiesce *q)
{
	if (!q)
		return;
	if (q->inside) {
		/* prepared, but nothing was done, or all of it taken back */
		if (q->inside->state.fd >= 0 && control_state_idle(&q->inside->state))
			control_state_remove(&q->inside->state);
		control_state_end(&q->inside->state);
		free(q->inside->records);
		free(q->inside->slots);
		free(q->inside->function_records);
	}
	free(q->inside);
	free(q->iommus);
	free(q->functions);
	free(q->writes);
	free(q);
}

/* -- IOMMUs ------------------------------------------------------------------------------------------------------ */

static int read_reg(struct riommu_quiesce *q, const struct riommu_quiesce_iommu *iommu,
		    uint32_t offset, uint64_t *value)
{
	const struct riommu_hw *hw = q->inside->hw;
	int reg = riommu_reg_by_offset(offset), err;
	unsigned width = riommu_registers()[reg].width;

	*value = 0;
	err = hw->ops->reg_read(hw->arg, iommu->base, offset, width, value);
	if (!err && *value == (width == 8 ? UINT64_MAX : UINT32_MAX))
		err = riommu_fail(q->ctx, -EFAULT, "reads as all ones: the device does not answer");
	if (!err)
		return 0;
	return riommu_fail(q->ctx, err, "%s: %s: %s", iommu->name, control_reg_name(offset),
			   riommu_error(q->ctx));
}

static int read_word(struct riommu_quiesce *q, const struct riommu_quiesce_iommu *iommu,
		     uint32_t offset, uint32_t *value)
{
	uint64_t v;
	int err = read_reg(q, iommu, offset, &v);

	*value = (uint32_t)v;
	return err;
}

static int look_at_iommu(struct riommu_quiesce *q, struct riommu_quiesce_iommu *iommu)
{
	int err = read_reg(q, iommu, RIOMMU_REG_CAPABILITIES, &iommu->capabilities);

	if (err)
		return err;
	if (!riommu_capabilities_plausible(iommu->capabilities))
		return riommu_fail(q->ctx, -EBADMSG,
				   "%s: capabilities 0x%" PRIx64
				   " are not those of an IOMMU of version 1: nothing is written to "
				   "it",
				   iommu->name, iommu->capabilities);
	err = read_reg(q, iommu, RIOMMU_REG_DDTP, &iommu->ddtp_old);
	iommu->ddtp_old &= ~RIOMMU_DDTP_BUSY;
	iommu->ddtp_new = iommu->ddtp_old & ~DDTP_MODE;
	if (!err)
		err = read_word(q, iommu, RIOMMU_REG_CQCSR, &iommu->cqcsr);
	if (!err)
		err = read_word(q, iommu, RIOMMU_REG_FQCSR, &iommu->fqcsr);
	if (!err && iommu->capabilities & RIOMMU_CAP_ATS)
		err = read_word(q, iommu, RIOMMU_REG_PQCSR, &iommu->pqcsr);
	if (!err)
		err = read_word(q, iommu, RIOMMU_REG_IPSR, &iommu->ipsr);
	return err;
}

static int add_iommu(struct riommu_quiesce *q, size_t index, bool look)
{
	const struct riommu_system *sys = q->inside->sys;
	struct riommu_quiesce_iommu *iommu;

	if (index >= sys->iommu_count)
		return riommu_fail(q->ctx, -EINVAL, "there is no IOMMU number %zu", index);
	for (size_t i = 0; i < q->iommu_count; i++) {
		if (q->iommus[i].index == index)
			return 0;
	}
	iommu = &q->iommus[q->iommu_count++];
	iommu->index = index;
	iommu->base = sys->iommus[index].base;
	memcpy(iommu->name, sys->iommus[index].name, sizeof(iommu->name));
	return look ? look_at_iommu(q, iommu) : 0;
}

/* -- functions ----------------------------------------------------------------------------------------------------- */

static int config(struct riommu_quiesce *q, const char *function, unsigned offset, uint32_t *value)
{
	const struct riommu_hw *hw = q->inside->hw;
	int err;

	*value = 0;
	err = hw->ops->config_read(hw->arg, function, offset, 2, value);
	return !err && *value == UINT16_MAX ? -EFAULT : err;
}

/* The PCI Express capability; 0 when there is none. A list that runs in a circle is left after as many as can be. */
static uint16_t find_express(struct riommu_quiesce *q, const char *function, int *err)
{
	uint32_t value;
	unsigned at;

	*err = config(q, function, PCI_STATUS, &value);
	if (*err || !(value & PCI_STATUS_CAPS))
		return 0;
	*err = config(q, function, PCI_CAPABILITIES, &value);
	at = value & 0xfc;
	for (unsigned left = (256 - 64) / 4; !*err && left && at >= 64; left--) {
		*err = config(q, function, at, &value);
		if (*err)
			return 0;
		if ((value & 0xff) == PCI_CAP_EXPRESS)
			return (uint16_t)at;
		at = value >> 8 & 0xfc;
	}
	return 0;
}

/* A function that does not answer, or is gone, is known to be so; one that could not be asked is not. */
static void keep_reason(struct riommu_quiesce *q, struct riommu_quiesce_function *f, int err)
{
	if (err && err != -EFAULT && err != -ENODATA)
		snprintf(f->reason, sizeof(f->reason), "%s", riommu_error(q->ctx));
}

void control_look_at_function(struct riommu_quiesce *q, struct riommu_quiesce_function *f)
{
	uint32_t class, header, command;
	uint32_t segment;
	uint16_t rid;
	int err;

	if (!riommu_parse_pci_name(f->name, &segment, &rid)) {
		f->kind = RIOMMU_FUNCTION_PLATFORM;
		return;
	}
	err = config(q, f->name, PCI_COMMAND, &command);
	if (!err)
		err = config(q, f->name, PCI_CLASS, &class);
	if (!err)
		err = config(q, f->name, PCI_HEADER, &header);
	keep_reason(q, f, err);
	if (err) {
		f->kind = RIOMMU_FUNCTION_UNKNOWN;
		return;
	}
	f->command_old = f->command_new = (uint16_t)command;
	if (class == PCI_CLASS_IOMMU) {
		f->kind = RIOMMU_FUNCTION_IOMMU;
		return;
	}
	if (header & 0x7f) {
		f->kind = RIOMMU_FUNCTION_BRIDGE;
		return;
	}
	f->pcie = find_express(q, f->name, &err);
	keep_reason(q, f, err);
	f->kind = command & PCI_COMMAND_MASTER ? RIOMMU_FUNCTION_MASTER : RIOMMU_FUNCTION_QUIET;
}

static int read_id(struct riommu_quiesce *q, const char *function, unsigned offset, uint32_t *id,
		   unsigned *reads)
{
	const struct riommu_hw *hw = q->inside->hw;

	++*reads;
	*id = UINT32_MAX;
	return hw->ops->config_read(hw->arg, function, offset, 4, id);
}

int control_function_id(struct riommu_quiesce *q, const char *function, uint32_t *id,
			unsigned *reads)
{
	uint32_t subsystem;
	int err = read_id(q, function, PCI_VENDOR, id, reads);

	if (err || *id != UINT32_MAX)
		return err;
	err = read_id(q, function, PCI_SUBSYSTEM, &subsystem, reads);
	if (err || subsystem == UINT32_MAX)
		return err;
	/* once more: a single answer that was lost must not make a function look like another */
	err = read_id(q, function, PCI_VENDOR, id, reads);
	if (*id == UINT32_MAX)
		*id = subsystem;
	return err;
}

/* The slot of a function: that is 0 where the plan has none called NAME. */
static uint32_t *slot_of(const struct riommu_quiesce *q, const char *name)
{
	const struct riommu_quiesce_inside *in = q->inside;
	uint64_t hash = 0;
	size_t i;

	for (const char *p = name; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 0x9e3779b97f4a7c15u;
	for (i = (size_t)(hash >> 32) & (in->slot_count - 1); in->slots[i];
	     i = (i + 1) & (in->slot_count - 1))
		if (!strcmp(q->functions[in->slots[i] - 1].name, name))
			break;
	return &in->slots[i];
}

/* One that has several device_ids (aliases) is still one. */
static void add_function(struct riommu_quiesce *q, const struct riommu_device *device, size_t iommu)
{
	struct riommu_quiesce_function *f = &q->functions[q->function_count];
	uint32_t *slot = slot_of(q, device->name);

	if (*slot)
		return;
	*f = (struct riommu_quiesce_function){.iommu = iommu};
	memcpy(f->name, device->name, sizeof(f->name));
	memcpy(f->driver, device->driver, sizeof(f->driver));
	control_look_at_function(q, f);
	if (f->kind == RIOMMU_FUNCTION_MASTER && !(q->skip & 1u << RIOMMU_STAGE_STOP))
		f->command_new = (uint16_t)(f->command_old & ~PCI_COMMAND_MASTER);
	*slot = (uint32_t)++q->function_count;
}

static void add_functions(struct riommu_quiesce *q)
{
	const struct riommu_system *sys = q->inside->sys;

	for (size_t i = 0; i < q->iommu_count; i++) {
		for (size_t j = 0; j < sys->device_count; j++) {
			if (sys->devices[j].iommu == q->iommus[i].index && sys->devices[j].name[0])
				add_function(q, &sys->devices[j], i);
		}
	}
}

static int keep_functions(struct riommu_quiesce *q, const struct riommu_quiesce_args *args)
{
	for (size_t i = 0; i < args->keep_count; i++) {
		uint32_t index = *slot_of(q, args->keep[i]);
		struct riommu_quiesce_function *f;

		if (!index)
			return riommu_fail(q->ctx, -EINVAL,
					   "%s, which is to be kept, is no device behind the "
					   "IOMMUs that are to be blocked",
					   args->keep[i]);
		f = &q->functions[index - 1];
		if (f->kind != RIOMMU_FUNCTION_MASTER && f->kind != RIOMMU_FUNCTION_QUIET)
			continue;
		f->kind = RIOMMU_FUNCTION_KEPT;
		f->command_new = f->command_old;
	}
	return 0;
}

/* -- writes -------------------------------------------------------------------------------------------------------- */

void control_plan_write(struct riommu_quiesce *q, const struct riommu_quiesce_write *w)
{
	q->writes[q->write_count++] = *w;
}

static void plan_reg(struct riommu_quiesce *q, const struct riommu_quiesce_iommu *iommu,
		     enum riommu_stage stage, uint32_t offset, uint32_t old, uint32_t value)
{
	const struct riommu_quiesce_write w = {
		.stage = stage,
		.object = iommu->name,
		.reg = control_reg_name(offset),
		.old = old,
		.write = {.base = iommu->base, .offset = offset, .width = 4, .value = value},
	};

	control_plan_write(q, &w);
}

static void plan_stop(struct riommu_quiesce *q)
{
	for (size_t i = 0; i < q->function_count; i++) {
		struct riommu_quiesce_function *f = &q->functions[i];
		struct riommu_quiesce_write w = {
			.stage = RIOMMU_STAGE_STOP,
			.object = f->name,
			.reg = "COMMAND",
			.old = f->command_old,
			.write = {.offset = PCI_COMMAND, .width = 2, .value = f->command_new},
		};

		if (f->command_new == f->command_old)
			continue;
		memcpy(w.write.function, f->name, sizeof(w.write.function));
		control_plan_write(q, &w);
	}
}

static uint32_t csr_of(const struct riommu_quiesce_iommu *iommu, uint32_t offset)
{
	return offset == RIOMMU_REG_CQCSR   ? iommu->cqcsr
	       : offset == RIOMMU_REG_PQCSR ? iommu->pqcsr
					    : iommu->fqcsr;
}

static int plan_vectors(struct riommu_quiesce *q, const struct riommu_quiesce_iommu *iommu)
{
	uint32_t fctl, ctl;
	uint64_t icvec;
	unsigned vectors;
	int err = read_word(q, iommu, RIOMMU_REG_FCTL, &fctl);

	if (!err)
		err = read_reg(q, iommu, RIOMMU_REG_ICVEC, &icvec);
	if (err)
		return err;
	vectors = control_vectors(iommu->capabilities, fctl, icvec);
	for (unsigned v = 0; v < 16 && !err; v++) {
		if (!(vectors & 1u << v))
			continue;
		err = read_word(q, iommu, vector_ctl(v), &ctl);
		if (!err && !(ctl & VECTOR_MASKED))
			plan_reg(q, iommu, RIOMMU_STAGE_QUEUES, vector_ctl(v), ctl,
				 ctl | VECTOR_MASKED);
	}
	return err;
}

static int plan_queues(struct riommu_quiesce *q, const struct riommu_quiesce_iommu *iommu)
{
	int err = plan_vectors(q, iommu);

	if (err)
		return err;
	for (size_t i = 0; i < QUEUE_COUNT; i++) {
		const struct queue_csr *queue = &control_queues[i];
		uint32_t csr = csr_of(iommu, queue->offset);

		if (queue->ats_only && !(iommu->capabilities & RIOMMU_CAP_ATS))
			continue;
		if (queue_runs(csr))
			plan_reg(q, iommu, RIOMMU_STAGE_QUEUES, queue->offset, csr, 0);
	}
	if (iommu->ipsr & IPSR_OURS)
		plan_reg(q, iommu, RIOMMU_STAGE_QUEUES, RIOMMU_REG_IPSR, iommu->ipsr,
			 iommu->ipsr & IPSR_OURS);
	return 0;
}

static int plan_writes(struct riommu_quiesce *q)
{
	int err = 0;

	plan_stop(q);
	for (size_t i = 0; i < q->iommu_count; i++) {
		const struct riommu_quiesce_iommu *iommu = &q->iommus[i];

		if (!(q->skip & 1u << RIOMMU_STAGE_BLOCK) && iommu->ddtp_old & DDTP_MODE)
			plan_reg(q, iommu, RIOMMU_STAGE_BLOCK, RIOMMU_REG_DDTP,
				 (uint32_t)iommu->ddtp_old, (uint32_t)iommu->ddtp_new);
	}
	for (size_t i = 0; i < q->iommu_count && q->handover && !err; i++) {
		if (!(q->skip & 1u << RIOMMU_STAGE_QUEUES))
			err = plan_queues(q, &q->iommus[i]);
	}
	return err;
}

/* -- all of it ------------------------------------------------------------------------------------------------------- */

static int make_plan(struct riommu_quiesce *q, const struct riommu_quiesce_args *args)
{
	size_t count = args->iommus ? args->iommu_count : q->inside->sys->iommu_count;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = add_iommu(q, args->iommus ? args->iommus[i] : i, !args->no_registers);
	if (err)
		return err;
	add_functions(q);
	err = keep_functions(q, args);
	return err || args->no_registers ? err : plan_writes(q);
}

int riommu_quiesce_plan(struct riommu_system *sys, struct riommu_hw *hw,
			const struct riommu_quiesce_args *args, struct riommu_quiesce **out)
{
	size_t count = args->iommus ? args->iommu_count : sys->iommu_count;
	struct riommu_quiesce *q;
	int err = control_plan_new(sys, hw, args, count, sys->device_count, &q);

	*out = NULL;
	if (!err)
		err = make_plan(q, args);
	if (err) {
		riommu_quiesce_close(q);
		return err;
	}
	*out = q;
	return 0;
}
