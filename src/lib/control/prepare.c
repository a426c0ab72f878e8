/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between the plan and the first write: lock, state, memory. What an earlier run of this boot left behind is taken over: undo
 * restores what was there before the first of them.
 */
#include "control/control-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* -- what is there now ----------------------------------------------------------------------------------------- */

static int read_below(struct riommu_quiesce *q, struct state_iommu *r)
{
	const struct riommu_hw *hw = q->inside->hw;
	const struct riommu_reg *regs = riommu_registers();

	for (int i = 0; i < RIOMMU_REG_COUNT && regs[i].offset < sizeof(r->below); i++) {
		uint64_t value = 0;
		int err;

		if (!riommu_reg_present(&regs[i], r->capabilities))
			continue;
		err = hw->ops->reg_read(hw->arg, r->base, regs[i].offset, regs[i].width, &value);
		if (err)
			return riommu_fail(q->ctx, err, "%s: %s cannot be read: %s", r->name,
					   regs[i].name, riommu_error(q->ctx));
		/* undo would hold it against what is there then, and refuse; counters alone may have all bits set */
		if (regs[i].width == 8 && value == UINT64_MAX)
			return riommu_fail(q->ctx, -EFAULT,
					   "%s: %s reads as all ones: it does not answer", r->name,
					   regs[i].name);
		r->below[regs[i].offset / 4] = (uint32_t)value;
		if (regs[i].width == 8)
			r->below[regs[i].offset / 4 + 1] = (uint32_t)(value >> 32);
	}
	return 0;
}

static uint64_t below64(const struct state_iommu *r, uint32_t offset)
{
	return (uint64_t)r->below[offset / 4 + 1] << 32 | r->below[offset / 4];
}

/* The plan may be minutes old: someone had to agree to it. */
static int record_iommu(struct riommu_quiesce *q, size_t i, struct state_iommu *r)
{
	struct riommu_quiesce_iommu *iommu = &q->iommus[i];
	int err;

	memcpy(r->name, iommu->name, sizeof(r->name));
	r->base = iommu->base;
	r->capabilities = iommu->capabilities;
	err = read_below(q, r);
	if (err)
		return err;
	if (below64(r, RIOMMU_REG_CAPABILITIES) != iommu->capabilities)
		return riommu_fail(q->ctx, -ESTALE,
				   "%s: capabilities are not what they were a moment ago: nothing "
				   "is written",
				   r->name);
	/* busy says nothing of what it is set to; a run that was killed may have left it so */
	iommu->ddtp_old = r->ddtp_old = below64(r, RIOMMU_REG_DDTP) & ~RIOMMU_DDTP_BUSY;
	iommu->ddtp_new = r->ddtp_new = r->ddtp_old & ~DDTP_MODE;
	r->cqb = below64(r, RIOMMU_REG_CQB);
	r->fqb = below64(r, RIOMMU_REG_FQB);
	q->inside->records[i] = r;
	return 0;
}

static bool can_be_written(const struct riommu_quiesce_function *f)
{
	return f->kind == RIOMMU_FUNCTION_MASTER || f->kind == RIOMMU_FUNCTION_QUIET;
}

static int record_function(struct riommu_quiesce *q, size_t i, struct state_function *r)
{
	const struct riommu_quiesce_function *f = &q->functions[i];
	unsigned reads = 0;
	int err;

	memcpy(r->name, f->name, sizeof(r->name));
	r->base = q->iommus[f->iommu].base;
	r->command = f->command_old;
	q->inside->function_records[i] = r;
	err = control_function_id(q, f->name, &r->id, &reads);
	if (err == -ENODATA) /* it went away since the plan: stage stop will say so */
		r->id = UINT32_MAX;
	else if (err)
		return riommu_fail(q->ctx, err, "%s: its config space cannot be read: %s", f->name,
				   riommu_error(q->ctx));
	return 0;
}

/* -- what an earlier run left ------------------------------------------------------------------------------------- */

static struct state_iommu *find_iommu(struct state *s, uint64_t base, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (s->iommus[i].base == base)
			return &s->iommus[i];
	}
	return NULL;
}

static struct state_function *find_function(struct state *s, const char *name, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(s->functions[i].name, name))
			return &s->functions[i];
	}
	return NULL;
}

/* Is what is there what that run left, or what it found? If someone else changed ddtp since, that is to be kept now. */
static void take_over(struct riommu_quiesce *q, struct state_iommu *now,
		      const struct state_iommu *before)
{
	uint64_t ddtp = now->ddtp_old;

	if (before->capabilities != now->capabilities || before->cqb != now->cqb ||
	    before->fqb != now->fqb) {
		riommu_log(q->ctx, RIOMMU_LOG_WARNING,
			   "%s: it was set up anew since an earlier run; what that run saved of it "
			   "is void",
			   now->name);
		return;
	}
	now->queues_touched = before->queues_touched;
	if (!before->ddtp_touched)
		return;
	if (ddtp != before->ddtp_old && ddtp != before->ddtp_new) {
		riommu_log(q->ctx, RIOMMU_LOG_WARNING,
			   "%s: ddtp is 0x%" PRIx64
			   ", neither what an earlier run found (0x%" PRIx64
			   ") nor what it wrote: undo will restore what is there now",
			   now->name, ddtp, before->ddtp_old);
		return;
	}
	*now = *before;
}

static void merge_iommus(struct riommu_quiesce *q, struct state *old)
{
	struct state *s = &q->inside->state;
	size_t used = q->iommu_count;

	for (size_t i = 0; i < old->head->iommu_count; i++) {
		const struct state_iommu *before = &old->iommus[i];
		struct state_iommu *now = find_iommu(s, before->base, q->iommu_count);

		if (now)
			take_over(q, now, before);
		else
			s->iommus[used++] = *before;
	}
	s->head->iommu_count = (uint32_t)used;
}

static void merge_functions(struct state *s, struct state *old, size_t used)
{
	for (size_t i = 0; i < old->head->function_count; i++) {
		const struct state_function *before = &old->functions[i];
		struct state_function *now = find_function(s, before->name, used);

		if (!before->touched)
			continue;
		if (!now)
			s->functions[used++] = *before;
		else if (now->id == before->id)
			*now = *before;
	}
	s->head->function_count = (uint32_t)used;
}

/* -- the new state ------------------------------------------------------------------------------------------------- */

static int fill(struct riommu_quiesce *q, struct state *old)
{
	struct state *s = &q->inside->state;
	size_t functions = 0;
	int err = 0;

	for (size_t i = 0; i < q->iommu_count && !err; i++)
		err = record_iommu(q, i, &s->iommus[i]);
	for (size_t i = 0; i < q->function_count && !err; i++) {
		if (can_be_written(&q->functions[i]))
			err = record_function(q, i, &s->functions[functions++]);
	}
	if (err)
		return err;
	if (!old->head) {
		s->head->iommu_count = (uint32_t)q->iommu_count;
		s->head->function_count = (uint32_t)functions;
		return 0;
	}
	merge_iommus(q, old);
	merge_functions(s, old, functions);
	return 0;
}

/* A state of another boot says nothing; a damaged one may say what nobody can read any more: that is not overwritten. */
static int load_old(struct riommu_quiesce *q, struct state *old)
{
	int err = control_state_init(old, q->ctx);

	if (!err)
		err = control_state_load(old);
	if (!err)
		return 0;
	if (err == -ESTALE)
		riommu_log(q->ctx, RIOMMU_LOG_INFO, "%s", riommu_error(q->ctx));
	free(old->head);
	old->head = NULL;
	return err == -ENOENT || err == -ESTALE ? 0 : err;
}

/*
 * The block was made for the most that there can be, with the functions behind all of those IOMMUs; now that it is known how
 * many there are, they move up.
 */
static void close_gap(struct state *s, struct riommu_quiesce *q)
{
	struct state_function *from = s->functions;
	struct state_function *to = (struct state_function *)(s->iommus + s->head->iommu_count);

	memmove(to, from, s->head->function_count * sizeof(*from));
	s->functions = to;
	s->size = (size_t)((char *)(to + s->head->function_count) - (char *)s->head);
	for (size_t i = 0; i < q->function_count; i++) {
		if (q->inside->function_records[i])
			q->inside->function_records[i] =
				to + (q->inside->function_records[i] - from);
	}
}

static int make_state(struct riommu_quiesce *q)
{
	struct state *s = &q->inside->state, old;
	size_t iommus = q->iommu_count, functions = q->function_count;
	int err = load_old(q, &old);

	if (err)
		return err;
	if (old.head) {
		iommus += old.head->iommu_count;
		functions += old.head->function_count;
	}
	err = control_state_new(s, iommus, functions);
	if (!err)
		err = fill(q, &old);
	control_state_end(&old);
	if (err)
		return err;
	close_gap(s, q);
	return control_state_save(s);
}

/* Of what could not be prepared nothing stays: the next attempt may find other devices. */
static void forget_state(struct riommu_quiesce *q)
{
	free(q->inside->state.head);
	q->inside->state.head = NULL;
	for (size_t i = 0; i < q->function_count; i++)
		q->inside->function_records[i] = NULL;
}

static void lock_memory(struct riommu_quiesce *q)
{
	const struct riommu_hw *hw = q->inside->hw;
	int err = hw->ops->lock_memory(hw->arg);

	q->memory_locked = !err;
	if (err)
		riommu_log(q->ctx, RIOMMU_LOG_WARNING,
			   "memory cannot be locked (%s): if the disk that this program is on is "
			   "cut off, it may not come back by itself",
			   strerror(-err));
}

int riommu_quiesce_prepare(struct riommu_quiesce *q)
{
	int err;

	if (q->inside->prepared)
		return 0;
	if (q->inside->no_registers)
		return riommu_fail(q->ctx, -EINVAL,
				   "a plan that looked at no register cannot be carried out");
	if (q->inside->state.head)
		return riommu_fail(q->ctx, -EINVAL,
				   "a plan that was undone is not carried out again: make a new "
				   "one");
	err = control_state_lock(&q->inside->state, true);
	if (!err)
		err = make_state(q);
	if (err) {
		forget_state(q);
		return err;
	}
	lock_memory(q);
	q->inside->prepared = true;
	return 0;
}
