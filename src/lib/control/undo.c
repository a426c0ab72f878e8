/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way back. No IOMMU is changed unless everything that the state says of it is so, and of an undo none is unless all are so.
 * Whatever was restored is crossed out in the state at once, so that an undo that was killed can be done again.
 */
#include "control/control-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* -- does it fit? ---------------------------------------------------------------------------------------------- */

/* What keeps one IOMMU or function from being undone keeps all of them: said behind the reason. */
static int nothing_changed(struct riommu_quiesce *q, int err)
{
	return err ? riommu_fail(q->ctx, err, "%s; nothing was changed", riommu_error(q->ctx)) : 0;
}

static int read_reg(struct riommu_quiesce *q, const struct state_iommu *r, uint32_t offset,
		    uint64_t *value)
{
	const struct riommu_hw *hw = q->inside->hw;
	int err = hw->ops->reg_read(hw->arg, r->base, offset, 8, value);

	if (err)
		return riommu_fail(q->ctx, err, "%s: %s cannot be read: %s", r->name,
				   control_reg_name(offset), riommu_error(q->ctx));
	if (*value == UINT64_MAX)
		return riommu_fail(q->ctx, -EFAULT, "%s: %s reads as all ones: it does not answer",
				   r->name, control_reg_name(offset));
	return 0;
}

static int expect(struct riommu_quiesce *q, const struct state_iommu *r, uint32_t offset,
		  uint64_t want)
{
	uint64_t value;
	int err = read_reg(q, r, offset, &value);

	if (!err && value != want)
		err = riommu_fail(q->ctx, -ESTALE,
				  "%s: %s is 0x%" PRIx64 ", and was 0x%" PRIx64
				  " before the block: somebody else has set it up",
				  r->name, control_reg_name(offset), value, want);
	return err;
}

/* What we wrote, or what was there before: a kill may have come before the write, or after an undo. */
static int expect_ddtp(struct riommu_quiesce *q, const struct state_iommu *r)
{
	uint64_t value;
	int err = read_reg(q, r, RIOMMU_REG_DDTP, &value);

	value &= ~RIOMMU_DDTP_BUSY;
	if (!err && value != r->ddtp_new && value != r->ddtp_old)
		err = riommu_fail(q->ctx, -ESTALE,
				  "%s: ddtp is 0x%" PRIx64 ", neither what was written (0x%" PRIx64
				  ") nor what was there before (0x%" PRIx64
				  "): somebody else has changed it",
				  r->name, value, r->ddtp_new, r->ddtp_old);
	return err;
}

static int check_final(struct riommu_quiesce *q, const struct state_iommu *r)
{
	if (!r->queues_touched)
		return 0;
	return riommu_fail(q->ctx, -EPERM,
			   "%s: its queues were stopped for a handover, which is final: the "
			   "running driver cannot be given them back",
			   r->name);
}

static int check_one(struct riommu_quiesce *q, const struct state_iommu *r)
{
	int err = check_final(q, r);

	if (err || !r->ddtp_touched)
		return err;
	err = expect(q, r, RIOMMU_REG_CAPABILITIES, r->capabilities);
	if (!err)
		err = expect(q, r, RIOMMU_REG_CQB, r->cqb);
	if (!err)
		err = expect(q, r, RIOMMU_REG_FQB, r->fqb);
	return err ? err : expect_ddtp(q, r);
}

static int check_all(struct riommu_quiesce *q)
{
	int err = 0;

	for (size_t i = 0; i < q->iommu_count && !err; i++)
		err = check_one(q, q->inside->records[i]);
	return nothing_changed(q, err);
}

/* -- ddtp ------------------------------------------------------------------------------------------------------ */

/* An undo has looked at all of them. */
static bool still_fits(struct job *job, const struct state_iommu *r)
{
	int err = job->q->undo ? 0 : check_one(job->q, r);

	if (err)
		control_report_bad(job, job->iommu->name, "", control_outcome_of(err));
	return !err;
}

static void restore_ddtp(struct job *job, const struct state_iommu *r)
{
	const char *name = job->iommu->name;
	uint64_t ddtp;

	if (!r->ddtp_touched) {
		control_report(job, name, "ddtp", RIOMMU_OUTCOME_NOTHING, "was not written by us");
		return;
	}
	if (control_before_ddtp(job, &ddtp) != RIOMMU_OUTCOME_DONE)
		return;
	if (ddtp == r->ddtp_old)
		control_report(job, name, "ddtp", RIOMMU_OUTCOME_NOTHING,
			       "is as it was: 0x%" PRIx64, ddtp);
	else if (ddtp != r->ddtp_new)
		control_report(job, name, "ddtp", RIOMMU_OUTCOME_FAILED,
			       "0x%" PRIx64 " is not what was written: left alone", ddtp);
	else
		control_write_ddtp(job, ddtp, r->ddtp_old);
}

/*
 * The driver goes on giving commands while ddtp is Off, where no mode says how wide the device_id of one may be: an IOMMU that
 * took one for illegal has stopped, and ddtp alone does not make the driver work again.
 */
static void tell_stopped_commands(struct job *job, const struct state_iommu *r)
{
	uint32_t before = r->below[RIOMMU_REG_CQCSR / 4];
	uint64_t csr;

	if (control_read(job, RIOMMU_REG_CQCSR, &csr) == RIOMMU_OUTCOME_DONE &&
	    csr & ~(uint64_t)before & CQCSR_STOPPED)
		riommu_log(job->q->ctx, RIOMMU_LOG_WARNING,
			   "%s: the command queue stopped since the block (cqcsr was 0x%" PRIx32
			   ", and is 0x%" PRIx64
			   "): its driver's commands are not carried out any more",
			   job->iommu->name, before, csr);
}

static void verify_ddtp(struct job *job, struct state_iommu *r)
{
	struct riommu_quiesce_iommu *iommu = job->iommu;
	enum riommu_outcome outcome = control_read(job, RIOMMU_REG_DDTP, &iommu->ddtp_read);

	if (outcome != RIOMMU_OUTCOME_DONE) {
		iommu->verdict = outcome == RIOMMU_OUTCOME_DEAD ? RIOMMU_VERDICT_DEAD
								: RIOMMU_VERDICT_UNKNOWN;
		control_report_bad(job, iommu->name, "ddtp", outcome);
		return;
	}
	iommu->verdict = iommu->ddtp_read & (DDTP_MODE | RIOMMU_DDTP_BUSY) ? RIOMMU_VERDICT_OPEN
									   : RIOMMU_VERDICT_BLOCKED;
	if (!r->ddtp_touched)
		control_report(job, iommu->name, "ddtp", RIOMMU_OUTCOME_NOTHING,
			       "was not written by us");
	else if (iommu->ddtp_read != r->ddtp_old)
		control_report(job, iommu->name, "ddtp", RIOMMU_OUTCOME_NOT_TAKEN,
			       "0x%" PRIx64 ", and was 0x%" PRIx64, iommu->ddtp_read, r->ddtp_old);
	else if (control_state_set(&job->q->inside->state, &r->ddtp_touched, 0))
		control_report_bad(job, iommu->name, "ddtp", RIOMMU_OUTCOME_FAILED);
	else {
		tell_stopped_commands(job, r);
		control_report(job, iommu->name, "ddtp", RIOMMU_OUTCOME_DONE,
			       "restored: 0x%" PRIx64, iommu->ddtp_read);
	}
}

/* -- bus mastering --------------------------------------------------------------------------------------------- */

/* Is the function that we stopped still there? True if there is something to give back. */
static bool same_function(struct job *job, struct state_function *r)
{
	uint32_t id;
	int err = control_function_id(job->q, r->name, &id, &job->reads);

	if (err == -ENODATA || (!err && id != r->id && id != UINT32_MAX)) {
		if (control_state_set(&job->q->inside->state, &r->touched, 0))
			control_report_bad(job, r->name, "COMMAND", RIOMMU_OUTCOME_FAILED);
		else
			control_report(job, r->name, "COMMAND", RIOMMU_OUTCOME_CANNOT_TELL,
				       "%s: there is nothing to give back",
				       err ? "it is gone" : "another device is in its place");
		return false;
	}
	if (!err && id != UINT32_MAX)
		return true;
	control_report_bad(job, r->name, "COMMAND",
			   !err || err == -EFAULT ? RIOMMU_OUTCOME_DEAD : RIOMMU_OUTCOME_FAILED);
	return false;
}

/* Only that bit: the others are whatever the driver has made of them since. */
static enum riommu_outcome set_master(struct job *job, const struct state_function *r,
				      uint32_t *old, uint32_t *new)
{
	enum riommu_outcome outcome = control_config_read(job, r->name, PCI_COMMAND, old);

	*new = *old;
	if (outcome != RIOMMU_OUTCOME_DONE || *old & PCI_COMMAND_MASTER)
		return outcome;
	outcome = control_config_write(job, r->name, PCI_COMMAND, *old, *old | PCI_COMMAND_MASTER);
	if (outcome != RIOMMU_OUTCOME_DONE)
		return outcome;
	outcome = control_config_read(job, r->name, PCI_COMMAND, new);
	if (outcome == RIOMMU_OUTCOME_DONE && !(*new &PCI_COMMAND_MASTER))
		return RIOMMU_OUTCOME_NOT_TAKEN;
	return outcome;
}

static void start_function(struct job *job, struct state_function *r)
{
	enum riommu_outcome outcome;
	uint32_t old, new;

	if (!same_function(job, r))
		return;
	outcome = set_master(job, r, &old, &new);
	if (outcome == RIOMMU_OUTCOME_NOT_TAKEN)
		control_report(job, r->name, "COMMAND", outcome,
			       "bus mastering reads back as off (0x%" PRIx32 ")", new);
	else if (outcome != RIOMMU_OUTCOME_DONE)
		control_report_bad(job, r->name, "COMMAND", outcome);
	else if (control_state_set(&job->q->inside->state, &r->touched, 0))
		control_report_bad(job, r->name, "COMMAND", RIOMMU_OUTCOME_FAILED);
	else if (old == new)
		control_report(job, r->name, "COMMAND", RIOMMU_OUTCOME_NOTHING,
			       "bus mastering is on already (0x%" PRIx32 ")", new);
	else
		control_report(job, r->name, "COMMAND", RIOMMU_OUTCOME_DONE,
			       "bus mastering on: 0x%" PRIx32 " -> 0x%" PRIx32, old, new);
}

static void start_functions(struct job *job, const struct state_iommu *record)
{
	struct state *s = &job->q->inside->state;

	for (uint32_t i = 0; i < s->head->function_count; i++) {
		struct state_function *r = &s->functions[i];

		if (!r->touched || r->base != record->base)
			continue;
		if (record->ddtp_touched || record->queues_touched)
			control_report(job, r->name, "COMMAND", RIOMMU_OUTCOME_LEFT_OUT,
				       "ddtp was not restored: its bus mastering stays off");
		else
			start_function(job, r);
	}
}

/* -- all of it --------------------------------------------------------------------------------------------------- */

static int revert_one(struct riommu_quiesce *q, size_t i, riommu_progress_fn progress, void *arg)
{
	struct state_iommu *r = q->inside->records[i];
	struct riommu_quiesce_iommu *iommu = &q->iommus[i];
	struct job job;
	bool fits;
	int err;

	control_job_begin(&job, q, iommu, RIOMMU_STAGE_BLOCK, progress, arg);
	fits = still_fits(&job, r);
	if (fits)
		restore_ddtp(&job, r);
	control_job_end(&job);
	err = job.result->err;
	if (fits) {
		control_job_begin(&job, q, iommu, RIOMMU_STAGE_VERIFY, progress, arg);
		verify_ddtp(&job, r);
		control_job_end(&job);
		err = control_worse(err, job.result->err);
	}
	control_job_begin(&job, q, iommu, RIOMMU_STAGE_STOP, progress, arg);
	start_functions(&job, r);
	control_job_end(&job);
	return control_worse(err, job.result->err);
}

int riommu_quiesce_revert(struct riommu_quiesce *q, riommu_progress_fn progress, void *arg)
{
	int err;

	if (!q->inside->prepared)
		return riommu_fail(q->ctx, -EINVAL, "undo: not prepared");
	for (size_t i = 0; i < q->iommu_count; i++) {
		memset(q->iommus[i].result, 0, sizeof(q->iommus[i].result));
		q->iommus[i].verdict = RIOMMU_VERDICT_UNKNOWN;
	}
	/* --undo is of all or nothing, and may be given one IOMMU; a block that ends itself (--hold) leaves nobody to ask */
	err = q->undo ? check_all(q) : 0;
	if (err)
		return err;
	for (size_t i = 0; i < q->iommu_count; i++)
		err = control_worse(err, revert_one(q, i, progress, arg));
	if (!err && control_state_idle(&q->inside->state)) {
		err = control_state_remove(&q->inside->state);
		q->inside->prepared = false;
	}
	return err;
}

/* -- from the file ------------------------------------------------------------------------------------------------- */

static size_t index_of(const struct riommu_system *sys, uint64_t base)
{
	for (size_t i = 0; i < sys->iommu_count; i++) {
		if (sys->iommus[i].base == base)
			return i;
	}
	return RIOMMU_NO_IOMMU;
}

static bool is_selected(const struct riommu_quiesce_args *args, size_t index)
{
	for (size_t i = 0; args->iommus && i < args->iommu_count; i++) {
		if (args->iommus[i] == index)
			return true;
	}
	return !args->iommus;
}

static void plan_ddtp(struct riommu_quiesce *q, const struct riommu_quiesce_iommu *iommu)
{
	const struct riommu_quiesce_write w = {
		.stage = RIOMMU_STAGE_BLOCK,
		.object = iommu->name,
		.reg = "ddtp",
		.old = (uint32_t)iommu->ddtp_old,
		.write = {.base = iommu->base,
			  .offset = RIOMMU_REG_DDTP,
			  .width = 4,
			  .value = (uint32_t)iommu->ddtp_new},
	};

	if (iommu->ddtp_old != iommu->ddtp_new)
		control_plan_write(q, &w);
}

/* "old" is what is there, "new" what undo will make of it. */
static int add_iommu(struct riommu_quiesce *q, struct state_iommu *r, size_t index)
{
	struct riommu_quiesce_iommu *iommu = &q->iommus[q->iommu_count];
	int err = 0;

	q->inside->records[q->iommu_count++] = r;
	iommu->index = index;
	iommu->base = r->base;
	iommu->capabilities = r->capabilities;
	memcpy(iommu->name, r->name, sizeof(iommu->name));
	if (!r->ddtp_touched)
		return 0;
	err = check_one(q, r);
	if (!err)
		err = read_reg(q, r, RIOMMU_REG_DDTP, &iommu->ddtp_old);
	iommu->ddtp_old &= ~RIOMMU_DDTP_BUSY;
	iommu->ddtp_new = r->ddtp_old;
	if (!err)
		plan_ddtp(q, iommu);
	return nothing_changed(q, err);
}

/* One that is gone, or does not answer, has nothing to get back. One that cannot be asked would be forgotten: so nothing is undone. */
static int add_function(struct riommu_quiesce *q, const struct state_function *r, size_t iommu)
{
	struct riommu_quiesce_function *f = &q->functions[q->function_count++];
	struct riommu_quiesce_write w = {.stage = RIOMMU_STAGE_STOP,
					 .object = f->name,
					 .reg = "COMMAND",
					 .write = {.offset = PCI_COMMAND, .width = 2}};

	f->iommu = iommu;
	memcpy(f->name, r->name, sizeof(f->name));
	control_look_at_function(q, f);
	if (f->kind == RIOMMU_FUNCTION_UNKNOWN && f->reason[0])
		return nothing_changed(q, riommu_fail(q->ctx, -EIO, "%s", f->reason));
	if (f->kind != RIOMMU_FUNCTION_QUIET)
		return 0;
	f->command_new = (uint16_t)(f->command_old | PCI_COMMAND_MASTER);
	w.old = f->command_old;
	w.write.value = f->command_new;
	memcpy(w.write.function, f->name, sizeof(w.write.function));
	control_plan_write(q, &w);
	return 0;
}

static int add_records(struct riommu_quiesce *q, const struct riommu_quiesce_args *args)
{
	struct state *s = &q->inside->state;
	int err = 0;

	for (uint32_t i = 0; i < s->head->iommu_count && !err; i++) {
		size_t index = index_of(q->inside->sys, s->iommus[i].base);

		if (is_selected(args, index))
			err = add_iommu(q, &s->iommus[i], index);
	}
	if (!err)
		err = check_all(q);
	for (size_t i = 0; i < q->iommu_count && !err; i++) {
		for (uint32_t j = 0; j < s->head->function_count && !err; j++) {
			if (s->functions[j].touched && s->functions[j].base == q->iommus[i].base)
				err = add_function(q, &s->functions[j], i);
		}
	}
	return err;
}

static int nothing_to_undo(struct state *s)
{
	return riommu_fail(s->ctx, -ENOENT, "there is nothing to undo: no block of this boot in %s",
			   s->directory);
}

static int load(struct state *s)
{
	int err = control_state_lock(s, false);

	if (!err)
		err = control_state_load(s);
	if (!err && control_state_idle(s)) {
		err = control_state_remove(s);
		return err ? err : nothing_to_undo(s);
	}
	return err == -ENOENT ? nothing_to_undo(s) : err;
}

static int open_undo(struct riommu_system *sys, struct riommu_hw *hw,
		     const struct riommu_quiesce_args *args, struct state *s,
		     struct riommu_quiesce **out)
{
	struct riommu_quiesce *q;
	int err =
		control_plan_new(sys, hw, args, s->head->iommu_count, s->head->function_count, &q);

	*out = q;
	if (err)
		return err;
	q->inside->state = *s;
	*s = (struct state){.lock_fd = -1, .fd = -1}; /* it is the plan's now */
	q->undo = true;
	q->handover = false;
	err = add_records(q, args);
	if (!err && !q->iommu_count)
		err = nothing_to_undo(&q->inside->state);
	if (!err)
		err = control_state_open(&q->inside->state);
	q->inside->prepared = !err;
	return err;
}

int riommu_quiesce_open_undo(struct riommu_system *sys, struct riommu_hw *hw,
			     const struct riommu_quiesce_args *args, struct riommu_quiesce **out)
{
	struct riommu_quiesce *q = NULL;
	struct state s;
	int err = control_state_init(&s, sys->ctx);

	*out = NULL;
	if (!err)
		err = load(&s);
	if (!err)
		err = open_undo(sys, hw, args, &s, &q);
	control_state_end(&s);
	if (err) {
		riommu_quiesce_close(q);
		return err;
	}
	*out = q;
	return 0;
}
