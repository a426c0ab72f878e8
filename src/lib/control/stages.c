/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stages. Each write is made once, after what must not be busy was seen not to be, after it was announced in the state; what
 * came of it is read back. What times out is left alone. Nothing is allocated here.
 */
#include "control/control-internal.h"

#include <inttypes.h>

static struct state_iommu *record_of(const struct job *job)
{
	return job->q->inside->records[job->iommu - job->q->iommus];
}

/* Calls DO_IT for each device behind the IOMMU of JOB. */
static void each_function(struct job *job,
			  void (*do_it)(struct job *job, struct riommu_quiesce_function *f,
					struct state_function *record))
{
	struct riommu_quiesce *q = job->q;

	for (size_t i = 0; i < q->function_count; i++) {
		if (&q->iommus[q->functions[i].iommu] == job->iommu)
			do_it(job, &q->functions[i], q->inside->function_records[i]);
	}
}

/* -- stop ------------------------------------------------------------------------------------------------------ */

static enum riommu_outcome stop_unstoppable(struct job *job,
					    const struct riommu_quiesce_function *f)
{
	switch (f->kind) {
	case RIOMMU_FUNCTION_KEPT:
		return control_report(job, f->name, "COMMAND", RIOMMU_OUTCOME_SKIPPED,
				      "kept: its bus mastering is left alone");
	case RIOMMU_FUNCTION_BRIDGE:
		return control_report(job, f->name, "COMMAND", RIOMMU_OUTCOME_SKIPPED,
				      "a bridge: left alone, others live behind it");
	case RIOMMU_FUNCTION_IOMMU:
		return control_report(job, f->name, "COMMAND", RIOMMU_OUTCOME_SKIPPED,
				      "an IOMMU: it needs bus mastering for its own tables");
	case RIOMMU_FUNCTION_PLATFORM:
		return control_report(job, f->name, "", RIOMMU_OUTCOME_CANNOT_TELL,
				      "a platform device: there is no way to stop it from here");
	default:
		return control_report(job, f->name, "COMMAND", RIOMMU_OUTCOME_CANNOT_TELL,
				      "its config space does not answer");
	}
}

/* The word may have changed since the plan: undo gives back what is there now. */
static enum riommu_outcome announce_stop(struct job *job, struct state_function *record,
					 uint32_t command)
{
	struct state *s = &job->q->inside->state;

	if (!record->touched && control_state_set(s, &record->command, command))
		return RIOMMU_OUTCOME_FAILED;
	return control_touch(job, &record->touched);
}

static enum riommu_outcome stop_one(struct job *job, struct riommu_quiesce_function *f,
				    struct state_function *record)
{
	uint32_t command, again;
	enum riommu_outcome outcome = control_config_read(job, f->name, PCI_COMMAND, &command);

	/* it did not answer when the state was made: undo could not tell it from another in its place */
	if (outcome == RIOMMU_OUTCOME_DONE && record->id == UINT32_MAX)
		outcome = RIOMMU_OUTCOME_DEAD;
	if (outcome != RIOMMU_OUTCOME_DONE)
		return control_report_bad(job, f->name, "COMMAND", outcome);
	if (!(command & PCI_COMMAND_MASTER))
		return control_report(job, f->name, "COMMAND", RIOMMU_OUTCOME_NOTHING,
				      "bus mastering is off already");
	f->command_old = (uint16_t)command;
	f->command_new = (uint16_t)(command & ~PCI_COMMAND_MASTER);
	outcome = announce_stop(job, record, command);
	if (outcome == RIOMMU_OUTCOME_DONE)
		outcome = control_config_write(job, f->name, PCI_COMMAND, command, f->command_new);
	if (outcome == RIOMMU_OUTCOME_DONE)
		outcome = control_config_read(job, f->name, PCI_COMMAND, &again);
	if (outcome != RIOMMU_OUTCOME_DONE)
		return control_report_bad(job, f->name, "COMMAND", outcome);
	if (again & PCI_COMMAND_MASTER)
		return control_report(job, f->name, "COMMAND", RIOMMU_OUTCOME_NOT_TAKEN,
				      "bus mastering reads back as on (0x%" PRIx32 ")", again);
	return control_report(job, f->name, "COMMAND", RIOMMU_OUTCOME_DONE,
			      "bus mastering off: 0x%" PRIx32 " -> 0x%" PRIx32, command, again);
}

static void stop_function(struct job *job, struct riommu_quiesce_function *f,
			  struct state_function *record)
{
	f->stop = record ? stop_one(job, f, record) : stop_unstoppable(job, f);
}

static void stop(struct job *job)
{
	each_function(job, stop_function);
}

/* -- drain ----------------------------------------------------------------------------------------------------- */

/* What has no business here, or cannot be asked, is through at once. */
static void drain_begin(struct job *job, struct riommu_quiesce_function *f,
			struct state_function *record)
{
	f->drain = RIOMMU_OUTCOME_NOT_RUN;
	if (!record && f->kind != RIOMMU_FUNCTION_PLATFORM && f->kind != RIOMMU_FUNCTION_UNKNOWN)
		f->drain = control_report(job, f->name, "", RIOMMU_OUTCOME_SKIPPED,
					  "not stopped, so not drained");
	else if (!f->pcie)
		f->drain = control_report(job, f->name, "", RIOMMU_OUTCOME_CANNOT_TELL,
					  "%s: nobody can tell whether transactions are pending",
					  f->reason[0] ? f->reason : "no PCI Express capability");
}

static void drain_look(struct job *job, struct riommu_quiesce_function *f,
		       struct state_function *record)
{
	enum riommu_outcome outcome;
	uint32_t status;

	(void)record;
	if (f->drain != RIOMMU_OUTCOME_NOT_RUN)
		return;
	outcome = control_config_read(job, f->name, f->pcie + PCI_EXP_STATUS, &status);
	if (outcome != RIOMMU_OUTCOME_DONE)
		f->drain = control_report_bad(job, f->name, "Device Status", outcome);
	else if (!(status & PCI_EXP_PENDING))
		f->drain = control_report(job, f->name, "Device Status", RIOMMU_OUTCOME_DONE,
					  "no transactions pending");
}

static void drain_late(struct job *job, struct riommu_quiesce_function *f,
		       struct state_function *record)
{
	(void)record;
	if (f->drain == RIOMMU_OUTCOME_NOT_RUN)
		f->drain =
			control_report(job, f->name, "Device Status", RIOMMU_OUTCOME_TIMEOUT,
				       "transactions still pending after %u ms", job->patience_ms);
}

static bool drain_pending(const struct job *job)
{
	const struct riommu_quiesce *q = job->q;

	for (size_t i = 0; i < q->function_count; i++) {
		if (&q->iommus[q->functions[i].iommu] == job->iommu &&
		    q->functions[i].drain == RIOMMU_OUTCOME_NOT_RUN)
			return true;
	}
	return false;
}

/* All of them are waited for at once: one that never ends takes no time from the others. */
static void drain(struct job *job)
{
	bool late = false;

	each_function(job, drain_begin);
	while (drain_pending(job)) {
		each_function(job, drain_look);
		if (late)
			each_function(job, drain_late);
		late = control_time_is_up(job);
		if (drain_pending(job))
			control_pause(job);
	}
}

/* -- block ----------------------------------------------------------------------------------------------------- */

/* Is it still the IOMMU that the plan was made for, and may ddtp be written? */
enum riommu_outcome control_before_ddtp(struct job *job, uint64_t *ddtp)
{
	const char *name = job->iommu->name;
	uint64_t value;
	enum riommu_outcome outcome = control_read(job, RIOMMU_REG_CAPABILITIES, &value);

	if (outcome != RIOMMU_OUTCOME_DONE)
		return control_report_bad(job, name, "capabilities", outcome);
	if (value != job->iommu->capabilities)
		return control_report(job, name, "capabilities", RIOMMU_OUTCOME_FAILED,
				      "0x%" PRIx64 ", and were 0x%" PRIx64 ": nothing written",
				      value, job->iommu->capabilities);
	/* no change of configuration while a debug request is under way (chapter "Debug support") */
	if (value & RIOMMU_CAP_DBG) {
		outcome = control_wait_before(job, RIOMMU_REG_TR_REQ_CTL, TR_REQ_GO, &value);
		if (outcome == RIOMMU_OUTCOME_TIMEOUT)
			return control_report(job, name, "tr_req_ctl", outcome,
					      "Go/Busy is still set after %u ms: ddtp not written",
					      control_before_ms(job));
		if (outcome != RIOMMU_OUTCOME_DONE)
			return control_report_bad(job, name, "tr_req_ctl", outcome);
	}
	outcome = control_wait_before(job, RIOMMU_REG_DDTP, RIOMMU_DDTP_BUSY, ddtp);
	if (outcome == RIOMMU_OUTCOME_TIMEOUT)
		return control_report(job, name, "ddtp", outcome,
				      "busy before the write, still after %u ms: not written",
				      control_before_ms(job));
	return outcome == RIOMMU_OUTCOME_DONE ? outcome
					      : control_report_bad(job, name, "ddtp", outcome);
}

/* Waits for what was written to ddtp to hold: WANT, all of it. */
static enum riommu_outcome after_write(struct job *job, uint64_t old, uint64_t want)
{
	const char *name = job->iommu->name;
	uint64_t value;
	enum riommu_outcome outcome =
		control_wait_after(job, RIOMMU_REG_DDTP, RIOMMU_DDTP_BUSY, &value);

	if (outcome == RIOMMU_OUTCOME_TIMEOUT)
		return control_report(job, name, "ddtp", outcome,
				      "busy after the write, still after %u ms: it must not be "
				      "written again",
				      job->patience_ms);
	if (outcome != RIOMMU_OUTCOME_DONE)
		return control_report_bad(job, name, "ddtp", outcome);
	if (value != want)
		return control_report(job, name, "ddtp", RIOMMU_OUTCOME_NOT_TAKEN,
				      "0x%" PRIx64 " was to become 0x%" PRIx64
				      ", and reads back as 0x%" PRIx64,
				      old, want, value);
	return control_report(job, name, "ddtp", RIOMMU_OUTCOME_DONE, "0x%" PRIx64 " -> 0x%" PRIx64,
			      old, value);
}

static enum riommu_outcome announce_ddtp(struct job *job, struct state_iommu *r, uint64_t old,
					 uint64_t new)
{
	struct state *s = &job->q->inside->state;

	/* somebody has set it up since an earlier run: of what that one wrote nothing is left to be restored */
	if (r->ddtp_old != old && control_state_set(s, &r->ddtp_touched, 0))
		return RIOMMU_OUTCOME_FAILED;
	if (!r->ddtp_touched && (control_state_set64(s, &r->ddtp_old, old) ||
				 control_state_set64(s, &r->ddtp_new, new)))
		return RIOMMU_OUTCOME_FAILED;
	return control_touch(job, &r->ddtp_touched);
}

enum riommu_outcome control_write_ddtp(struct job *job, uint64_t old, uint64_t new)
{
	/* the lower word alone: it has the mode, and the rest of the PPN must not change (6.6) */
	enum riommu_outcome outcome =
		control_write(job, RIOMMU_REG_DDTP, (uint32_t)old, (uint32_t) new);

	if (outcome != RIOMMU_OUTCOME_DONE)
		return control_report_bad(job, job->iommu->name, "ddtp", outcome);
	return after_write(job, old, new);
}

static void block(struct job *job)
{
	uint64_t ddtp, off;

	if (control_before_ddtp(job, &ddtp) != RIOMMU_OUTCOME_DONE)
		return;
	off = ddtp & ~DDTP_MODE;
	if (off == ddtp) {
		control_report(job, job->iommu->name, "ddtp", RIOMMU_OUTCOME_NOTHING,
			       "Off already: 0x%" PRIx64, ddtp);
		return;
	}
	job->iommu->ddtp_old = ddtp;
	job->iommu->ddtp_new = off;
	if (announce_ddtp(job, record_of(job), ddtp, off) != RIOMMU_OUTCOME_DONE) {
		control_report_bad(job, job->iommu->name, "ddtp", RIOMMU_OUTCOME_FAILED);
		return;
	}
	control_write_ddtp(job, ddtp, off);
}

/* -- queues ---------------------------------------------------------------------------------------------------- */

/* Stopping the queues of an IOMMU that still lets DMA through would make it blind, and could not be undone. */
static bool is_blocked(struct job *job)
{
	const char *name = job->iommu->name;
	uint64_t ddtp;
	enum riommu_outcome outcome = control_read(job, RIOMMU_REG_DDTP, &ddtp);

	if (outcome != RIOMMU_OUTCOME_DONE)
		control_report_bad(job, name, "ddtp", outcome);
	else if (ddtp & (DDTP_MODE | RIOMMU_DDTP_BUSY))
		control_report(job, name, "ddtp", RIOMMU_OUTCOME_LEFT_OUT,
			       "not Off (0x%" PRIx64 "): its queues are left running", ddtp);
	else
		return true;
	return false;
}

static void mask_vector(struct job *job, unsigned vector)
{
	uint32_t offset = vector_ctl(vector);
	const char *reg = control_reg_name(offset), *name = job->iommu->name;
	uint64_t ctl, again;
	enum riommu_outcome outcome = control_read(job, offset, &ctl);

	if (outcome == RIOMMU_OUTCOME_DONE && ctl & VECTOR_MASKED) {
		control_report(job, name, reg, RIOMMU_OUTCOME_NOTHING, "masked already");
		return;
	}
	if (outcome == RIOMMU_OUTCOME_DONE)
		outcome = control_write(job, offset, (uint32_t)ctl, (uint32_t)ctl | VECTOR_MASKED);
	if (outcome == RIOMMU_OUTCOME_DONE)
		outcome = control_read(job, offset, &again);
	if (outcome != RIOMMU_OUTCOME_DONE)
		control_report_bad(job, name, reg, outcome);
	else if (!(again & VECTOR_MASKED))
		control_report(job, name, reg, RIOMMU_OUTCOME_NOT_TAKEN,
			       "cannot be masked: reads back as 0x%" PRIx64, again);
	else
		control_report(job, name, reg, RIOMMU_OUTCOME_DONE, "masked");
}

static void mask_vectors(struct job *job)
{
	uint64_t fctl, icvec;
	enum riommu_outcome outcome = control_read(job, RIOMMU_REG_FCTL, &fctl);
	unsigned vectors;

	if (outcome == RIOMMU_OUTCOME_DONE)
		outcome = control_read(job, RIOMMU_REG_ICVEC, &icvec);
	if (outcome != RIOMMU_OUTCOME_DONE) {
		control_report_bad(job, job->iommu->name, "icvec", outcome);
		return;
	}
	vectors = control_vectors(job->iommu->capabilities, (uint32_t)fctl, icvec);
	for (unsigned v = 0; v < 16; v++) {
		if (vectors & 1u << v)
			mask_vector(job, v);
	}
}

/* Writing 0 clears enable and interrupt enable; the error bits are cleared by writing 1 and stay. */
static void stop_queue(struct job *job, const struct queue_csr *queue)
{
	const char *name = job->iommu->name;
	uint64_t csr, after;
	enum riommu_outcome outcome = control_wait_before(job, queue->offset, CSR_BUSY, &csr);

	if (outcome == RIOMMU_OUTCOME_TIMEOUT) {
		control_report(job, name, queue->reg, outcome,
			       "busy before the write, still after %u ms: not written",
			       control_before_ms(job));
		return;
	}
	if (outcome == RIOMMU_OUTCOME_DONE && !queue_runs((uint32_t)csr)) {
		control_report(job, name, queue->reg, RIOMMU_OUTCOME_NOTHING, "off already");
		return;
	}
	if (outcome == RIOMMU_OUTCOME_DONE)
		outcome = control_write(job, queue->offset, (uint32_t)csr, 0);
	if (outcome == RIOMMU_OUTCOME_DONE)
		outcome = control_wait_after(job, queue->offset, CSR_BUSY | CSR_ON, &after);
	if (outcome == RIOMMU_OUTCOME_TIMEOUT)
		control_report(job, name, queue->reg, outcome,
			       "%s is still set after %u ms (0x%" PRIx64
			       "): it must not be written again",
			       after & CSR_BUSY ? "busy" : "on", job->patience_ms, after);
	else if (outcome != RIOMMU_OUTCOME_DONE)
		control_report_bad(job, name, queue->reg, outcome);
	else if (queue_runs((uint32_t)after))
		control_report(job, name, queue->reg, RIOMMU_OUTCOME_NOT_TAKEN,
			       "0 was written, and it reads back as 0x%" PRIx64, after);
	else
		control_report(job, name, queue->reg, RIOMMU_OUTCOME_DONE,
			       "0x%" PRIx64 " -> 0x%" PRIx64, csr, after);
}

static void clear_pending(struct job *job)
{
	const char *name = job->iommu->name;
	uint64_t ipsr, after;
	enum riommu_outcome outcome = control_read(job, RIOMMU_REG_IPSR, &ipsr);

	if (outcome == RIOMMU_OUTCOME_DONE && !(ipsr & IPSR_OURS)) {
		control_report(job, name, "ipsr", RIOMMU_OUTCOME_NOTHING, "nothing pending");
		return;
	}
	if (outcome == RIOMMU_OUTCOME_DONE)
		outcome = control_write(job, RIOMMU_REG_IPSR, (uint32_t)ipsr,
					(uint32_t)ipsr & IPSR_OURS);
	if (outcome == RIOMMU_OUTCOME_DONE)
		outcome = control_read(job, RIOMMU_REG_IPSR, &after);
	if (outcome != RIOMMU_OUTCOME_DONE)
		control_report_bad(job, name, "ipsr", outcome);
	else if (after & IPSR_OURS)
		control_report(job, name, "ipsr", RIOMMU_OUTCOME_NOT_TAKEN,
			       "still pending: 0x%" PRIx64, after);
	else
		control_report(job, name, "ipsr", RIOMMU_OUTCOME_DONE, "0x%" PRIx64 " -> 0", ipsr);
}

static void queues(struct job *job)
{
	if (!is_blocked(job))
		return;
	if (control_touch(job, &record_of(job)->queues_touched) != RIOMMU_OUTCOME_DONE) {
		control_report_bad(job, job->iommu->name, "", RIOMMU_OUTCOME_FAILED);
		return;
	}
	mask_vectors(job);
	for (size_t i = 0; i < QUEUE_COUNT; i++) {
		/* one that hangs takes no time from the others */
		control_patience(job, QUEUE_COUNT);
		if (!control_queues[i].ats_only || job->iommu->capabilities & RIOMMU_CAP_ATS)
			stop_queue(job, &control_queues[i]);
	}
	clear_pending(job);
}

/* -- verify ---------------------------------------------------------------------------------------------------- */

static bool was_asked(const struct job *job, enum riommu_stage stage)
{
	return !(job->q->skip & 1u << stage);
}

/* Reads REG again; false when that says all there is to say. */
static bool verify_read(struct job *job, uint32_t offset, uint64_t *value)
{
	enum riommu_outcome outcome = control_read(job, offset, value);

	if (outcome == RIOMMU_OUTCOME_DONE)
		return true;
	job->iommu->verdict =
		outcome == RIOMMU_OUTCOME_DEAD ? RIOMMU_VERDICT_DEAD : RIOMMU_VERDICT_UNKNOWN;
	control_report_bad(job, job->iommu->name, control_reg_name(offset), outcome);
	return false;
}

/* True if what was read of ddtp says blocked. */
static bool verify_ddtp(struct job *job)
{
	const char *name = job->iommu->name;
	uint64_t ddtp = job->iommu->ddtp_read;
	bool off = !(ddtp & (DDTP_MODE | RIOMMU_DDTP_BUSY));

	if (!was_asked(job, RIOMMU_STAGE_BLOCK))
		control_report(job, name, "ddtp", RIOMMU_OUTCOME_SKIPPED,
			       "0x%" PRIx64 ": block was left out", ddtp);
	else if (!off)
		control_report(job, name, "ddtp", RIOMMU_OUTCOME_NOT_TAKEN,
			       "0x%" PRIx64 ": not Off, or busy", ddtp);
	else if (ddtp != job->iommu->ddtp_new)
		control_report(job, name, "ddtp", RIOMMU_OUTCOME_NOT_TAKEN,
			       "Off, but 0x%" PRIx64 " instead of 0x%" PRIx64
			       ": undo will not know it",
			       ddtp, job->iommu->ddtp_new);
	else
		control_report(job, name, "ddtp", RIOMMU_OUTCOME_DONE, "Off: 0x%" PRIx64, ddtp);
	return off;
}

static bool verify_off(struct job *job, uint32_t offset, uint32_t mask)
{
	const char *name = job->iommu->name, *reg = control_reg_name(offset);
	uint64_t value;

	if (!verify_read(job, offset, &value))
		return false;
	if (value & mask)
		control_report(job, name, reg, RIOMMU_OUTCOME_NOT_TAKEN, "0x%" PRIx64, value);
	else
		control_report(job, name, reg, RIOMMU_OUTCOME_DONE, "0x%" PRIx64, value);
	return !(value & mask);
}

static bool verify_queues(struct job *job)
{
	bool off = true;

	for (size_t i = 0; i < QUEUE_COUNT; i++) {
		if (!control_queues[i].ats_only || job->iommu->capabilities & RIOMMU_CAP_ATS)
			off &= verify_off(job, control_queues[i].offset,
					  CSR_EN | CSR_IE | CSR_ON | CSR_BUSY);
	}
	return off & verify_off(job, RIOMMU_REG_IPSR, IPSR_OURS);
}

static void verify_function(struct job *job, struct riommu_quiesce_function *f,
			    struct state_function *record)
{
	enum riommu_outcome outcome;
	uint32_t command;

	f->came_back = false;
	if (!record || !was_asked(job, RIOMMU_STAGE_STOP))
		return;
	outcome = control_config_read(job, f->name, PCI_COMMAND, &command);
	if (outcome != RIOMMU_OUTCOME_DONE) {
		control_report_bad(job, f->name, "COMMAND", outcome);
		return;
	}
	f->came_back = command & PCI_COMMAND_MASTER;
	if (f->came_back)
		control_report(job, f->name, "COMMAND", RIOMMU_OUTCOME_NOT_TAKEN,
			       "bus mastering is on again (0x%" PRIx32 ")", command);
	else
		control_report(job, f->name, "COMMAND", RIOMMU_OUTCOME_DONE,
			       "bus mastering is off (0x%" PRIx32 ")", command);
}

static void verify(struct job *job)
{
	struct riommu_quiesce_iommu *iommu = job->iommu;
	uint64_t capabilities;
	bool blocked;

	iommu->verdict = RIOMMU_VERDICT_UNKNOWN;
	if (!verify_read(job, RIOMMU_REG_CAPABILITIES, &capabilities))
		return;
	if (capabilities != iommu->capabilities) {
		control_report(job, iommu->name, "capabilities", RIOMMU_OUTCOME_NOT_TAKEN,
			       "0x%" PRIx64 ", and were 0x%" PRIx64, capabilities,
			       iommu->capabilities);
		return;
	}
	if (!verify_read(job, RIOMMU_REG_DDTP, &iommu->ddtp_read))
		return;
	blocked = verify_ddtp(job);
	iommu->verdict = RIOMMU_VERDICT_OPEN;
	if (job->q->handover && was_asked(job, RIOMMU_STAGE_QUEUES))
		blocked &= verify_queues(job);
	if (iommu->verdict == RIOMMU_VERDICT_OPEN && blocked)
		iommu->verdict = RIOMMU_VERDICT_BLOCKED;
	each_function(job, verify_function);
}

/* -- all of them ----------------------------------------------------------------------------------------------- */

static bool is_left_out(const struct riommu_quiesce *q, enum riommu_stage stage)
{
	return q->skip & 1u << stage || (stage == RIOMMU_STAGE_QUEUES && !q->handover);
}

int riommu_quiesce_stage(struct riommu_quiesce *q, enum riommu_stage stage,
			 riommu_progress_fn progress, void *arg)
{
	static void (*const stages[RIOMMU_STAGE_COUNT])(struct job * job) = {stop, drain, block,
									     queues, verify};
	int err = 0;

	if ((unsigned)stage >= RIOMMU_STAGE_COUNT || !q->inside->prepared || q->undo)
		return riommu_fail(q->ctx, -EINVAL, "stage %s: not prepared",
				   riommu_stage_name(stage));
	for (size_t i = 0; i < q->iommu_count; i++) {
		struct job job;

		control_job_begin(&job, q, &q->iommus[i], stage, progress, arg);
		if (is_left_out(q, stage))
			job.result->outcome = RIOMMU_OUTCOME_SKIPPED;
		else
			stages[stage](&job);
		control_job_end(&job);
		err = control_worse(err, job.result->err);
	}
	return err;
}
