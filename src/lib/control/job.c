/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One stage of one IOMMU at work: accesses counted and judged, waits bounded, objects reported. Allocates nothing. */
#include "control/control-internal.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t now(const struct job *job)
{
	const struct riommu_hw *hw = job->q->inside->hw;

	return hw->ops->now_us(hw->arg);
}

void control_job_begin(struct job *job, struct riommu_quiesce *q,
		       struct riommu_quiesce_iommu *iommu, enum riommu_stage stage,
		       riommu_progress_fn progress, void *arg)
{
	*job = (struct job){.q = q,
			    .iommu = iommu,
			    .result = &iommu->result[stage],
			    .stage = stage,
			    .progress = progress,
			    .arg = arg};
	*job->result = (struct riommu_stage_result){.outcome = RIOMMU_OUTCOME_NOT_RUN};
	job->began = job->object_began = now(job);
	control_patience(job, 1);
}

void control_patience(struct job *job, unsigned parts)
{
	job->patience_ms = (job->q->timeout_ms + parts - 1) / parts;
	job->deadline = now(job) + (uint64_t)job->patience_ms * 1000;
}

void control_job_end(struct job *job)
{
	job->result->microseconds = now(job) - job->began;
	/* nothing to look at, so nothing to do */
	if (job->result->outcome == RIOMMU_OUTCOME_NOT_RUN)
		job->result->outcome = RIOMMU_OUTCOME_NOTHING;
}

/* -- accesses ------------------------------------------------------------------------------------------------------ */

enum riommu_outcome control_outcome_of(int err)
{
	switch (err) {
	case 0:
		return RIOMMU_OUTCOME_DONE;
	case -EACCES:
	case -EPERM:
		return RIOMMU_OUTCOME_REFUSED;
	case -EFAULT:
		return RIOMMU_OUTCOME_DEAD;
	default:
		return RIOMMU_OUTCOME_FAILED;
	}
}

enum riommu_outcome control_read(struct job *job, uint32_t offset, uint64_t *value)
{
	const struct riommu_hw *hw = job->q->inside->hw;
	unsigned width = riommu_registers()[riommu_reg_by_offset(offset)].width;
	int err;

	*value = 0;
	job->reads++;
	err = hw->ops->reg_read(hw->arg, job->iommu->base, offset, width, value);
	if (!err && *value == (width == 8 ? UINT64_MAX : UINT32_MAX))
		return RIOMMU_OUTCOME_DEAD; /* no register of ours has this value: reserved bits */
	return control_outcome_of(err);
}

enum riommu_outcome control_write(struct job *job, uint32_t offset, uint32_t old, uint32_t value)
{
	const struct riommu_hw *hw = job->q->inside->hw;

	job->writes++;
	riommu_log(job->q->ctx, RIOMMU_LOG_INFO, "%s: %s: 0x%" PRIx32 " := 0x%" PRIx32,
		   job->iommu->name, control_reg_name(offset), old, value);
	return control_outcome_of(hw->ops->reg_write(hw->arg, job->iommu->base, offset, value));
}

enum riommu_outcome control_config_read(struct job *job, const char *function, unsigned offset,
					uint32_t *value)
{
	const struct riommu_hw *hw = job->q->inside->hw;
	int err;

	*value = 0;
	job->reads++;
	err = hw->ops->config_read(hw->arg, function, offset, 2, value);
	if (err == -ENODATA) /* the function is gone */
		return RIOMMU_OUTCOME_DEAD;
	if (!err && *value == UINT16_MAX)
		return RIOMMU_OUTCOME_DEAD;
	return control_outcome_of(err);
}

enum riommu_outcome control_config_write(struct job *job, const char *function, unsigned offset,
					 uint32_t old, uint32_t value)
{
	const struct riommu_hw *hw = job->q->inside->hw;
	int err;

	job->writes++;
	riommu_log(job->q->ctx, RIOMMU_LOG_INFO, "%s: config 0x%x: 0x%" PRIx32 " := 0x%" PRIx32,
		   function, offset, old, value);
	err = hw->ops->config_write(hw->arg, function, offset, 2, value);
	return err == -ENODATA ? RIOMMU_OUTCOME_DEAD : control_outcome_of(err);
}

bool control_time_is_up(const struct job *job)
{
	return now(job) >= job->deadline;
}

void control_pause(const struct job *job)
{
	const struct riommu_hw *hw = job->q->inside->hw;

	hw->ops->pause(hw->arg);
}

static enum riommu_outcome wait_clear(struct job *job, uint32_t offset, uint64_t mask,
				      uint64_t deadline, uint64_t *value)
{
	bool late = false;

	/* looked at once more after the time is up: this process may have slept */
	for (;;) {
		enum riommu_outcome outcome = control_read(job, offset, value);

		if (outcome != RIOMMU_OUTCOME_DONE || !(*value & mask))
			return outcome;
		if (late)
			return RIOMMU_OUTCOME_TIMEOUT;
		late = now(job) >= deadline;
		control_pause(job);
	}
}

enum riommu_outcome control_wait_before(struct job *job, uint32_t offset, uint64_t mask,
					uint64_t *value)
{
	uint64_t deadline = job->deadline - (uint64_t)control_before_ms(job) * 1000;

	return wait_clear(job, offset, mask, deadline, value);
}

enum riommu_outcome control_wait_after(struct job *job, uint32_t offset, uint64_t mask,
				       uint64_t *value)
{
	return wait_clear(job, offset, mask, job->deadline, value);
}

enum riommu_outcome control_touch(struct job *job, uint32_t *word)
{
	return control_state_set(&job->q->inside->state, word, 1) ? RIOMMU_OUTCOME_FAILED
								  : RIOMMU_OUTCOME_DONE;
}

/* -- reports --------------------------------------------------------------------------------------------------------- */

int control_error_of(enum riommu_outcome outcome)
{
	switch (outcome) {
	case RIOMMU_OUTCOME_LEFT_OUT:
	case RIOMMU_OUTCOME_TIMEOUT:
	case RIOMMU_OUTCOME_NOT_TAKEN:
	case RIOMMU_OUTCOME_DEAD:
		return -ETIMEDOUT;
	case RIOMMU_OUTCOME_REFUSED:
		return -EACCES;
	case RIOMMU_OUTCOME_FAILED:
		return -EIO;
	default:
		return 0;
	}
}

static int weight(int err)
{
	switch (err) {
	case 0:
		return 0;
	case -ETIMEDOUT:
		return 1;
	case -EACCES:
		return 3;
	default:
		return 2;
	}
}

int control_worse(int a, int b)
{
	return weight(b) > weight(a) ? b : a;
}

static void into_result(struct job *job, const struct riommu_progress *p)
{
	struct riommu_stage_result *r = job->result;

	r->reads += job->reads;
	r->writes += job->writes;
	/* of two that are equally bad the first is told */
	if (p->outcome <= r->outcome)
		return;
	r->outcome = p->outcome;
	r->err = control_error_of(p->outcome);
	snprintf(r->object, sizeof(r->object), "%s", p->object);
	snprintf(r->reg, sizeof(r->reg), "%s", p->reg);
	snprintf(r->words, sizeof(r->words), "%s", p->words);
}

enum riommu_outcome control_report(struct job *job, const char *object, const char *reg,
				   enum riommu_outcome outcome, const char *fmt, ...)
{
	uint64_t time = now(job);
	char words[192];
	struct riommu_progress p = {
		.stage = job->stage,
		.iommu = job->iommu->name,
		.object = object,
		.reg = reg,
		.outcome = outcome,
		.words = words,
		.reads = job->reads,
		.writes = job->writes,
		.microseconds = time - job->object_began,
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	into_result(job, &p);
	if (job->progress)
		job->progress(job->arg, &p);
	job->reads = job->writes = 0;
	job->object_began = now(job);
	return outcome;
}

enum riommu_outcome control_report_bad(struct job *job, const char *object, const char *reg,
				       enum riommu_outcome outcome)
{
	const char *words = riommu_error(job->q->ctx);

	if (outcome == RIOMMU_OUTCOME_DEAD)
		words = "does not answer: all ones, a bus error, or gone";
	return control_report(job, object, reg, outcome, "%s", words);
}
