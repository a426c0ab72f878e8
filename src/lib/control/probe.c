/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The debug translation interface (specification, 6.21 to 6.23 and chapter "Debug support"). */
#include "control/control.h"

#include <inttypes.h>
#include <time.h>

#define TR_REQ_GO   ((uint64_t)1 << 0)
#define TR_REQ_PRIV ((uint64_t)1 << 1)
#define TR_REQ_EXE  ((uint64_t)1 << 2)
#define TR_REQ_NW   ((uint64_t)1 << 3)
#define TR_REQ_PV   ((uint64_t)1 << 32)

int riommu_control_open(struct riommu_system *sys, struct riommu_source **control)
{
	return riommu_source_open_writable(sys->ctx, riommu_source_by_name("devmem"), control);
}

static uint64_t request_control(const struct riommu_request *q)
{
	uint64_t ctl = (uint64_t)q->device_id << 40 | TR_REQ_NW | TR_REQ_GO;

	if (q->has_process_id)
		ctl |= TR_REQ_PV | (uint64_t)q->process_id << 12 |
		       (q->privileged ? TR_REQ_PRIV : 0);
	if (q->access == RIOMMU_EXEC)
		ctl |= TR_REQ_EXE;
	return ctl;
}

/* Both halves, the lower one last: it holds Go/Busy. */
static int write64(struct riommu_source *control, uint64_t base, uint32_t offset, uint64_t value)
{
	int err = riommu_source_reg_write(control, base, offset + 4, (uint32_t)(value >> 32));

	return err ? err : riommu_source_reg_write(control, base, offset, (uint32_t)value);
}

static int busy(struct riommu_source *control, uint64_t base, bool *go)
{
	uint64_t ctl;
	int err = riommu_source_reg_read(control, base, RIOMMU_REG_TR_REQ_CTL, 8, &ctl);

	if (err)
		return err;
	if (ctl == UINT64_MAX)
		return riommu_fail(control->ctx, -EFAULT,
				   "tr_req_ctl reads all ones: the IOMMU does not answer");
	*go = ctl & TR_REQ_GO;
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int wait_done(struct riommu_source *control, uint64_t base, unsigned timeout_ms)
{
	const struct timespec pause = {.tv_nsec = 100000};
	uint64_t end = now_ms() + timeout_ms;
	bool go = true, late = false;
	int err;

	/* looked at once more after the time is up: this process may have slept */
	for (;;) {
		err = busy(control, base, &go);
		if (err || !go)
			return err;
		if (late)
			return riommu_fail(control->ctx, -ETIMEDOUT,
					   "tr_req_ctl.Go/Busy is still set after %u ms; it must "
					   "not be written again",
					   timeout_ms);
		late = now_ms() >= end;
		nanosleep(&pause, NULL);
	}
}

/* Nothing keeps two programs from asking at once: then the answer is to the question that stands in the registers now. */
static int is_ours(struct riommu_source *control, const struct riommu_iommu *iommu, uint64_t iova,
		   uint64_t ctl)
{
	uint64_t iova_now, ctl_now;
	int err =
		riommu_source_reg_read(control, iommu->base, RIOMMU_REG_TR_REQ_IOVA, 8, &iova_now);

	if (!err)
		err = riommu_source_reg_read(control, iommu->base, RIOMMU_REG_TR_REQ_CTL, 8,
					     &ctl_now);
	if (err || (iova_now == iova && (ctl_now | TR_REQ_GO) == ctl))
		return err;
	return riommu_fail(control->ctx, -EBUSY,
			   "%s: tr_req_iova and tr_req_ctl are 0x%" PRIx64 " and 0x%" PRIx64
			   ", not what was written: another program asked meanwhile, or this "
			   "IOMMU cannot be asked so",
			   iommu->name, iova_now, ctl_now);
}

/* Writes the question, waits, and reads the answer. */
static int ask(struct riommu_source *control, uint64_t base, uint64_t iova, uint64_t ctl,
	       unsigned timeout_ms, uint64_t *response)
{
	int err = write64(control, base, RIOMMU_REG_TR_REQ_IOVA, iova);

	if (!err)
		err = write64(control, base, RIOMMU_REG_TR_REQ_CTL, ctl);
	if (!err)
		err = wait_done(control, base, timeout_ms);
	return err ? err
		   : riommu_source_reg_read(control, base, RIOMMU_REG_TR_RESPONSE, 8, response);
}

static int decode(struct riommu_source *control, uint64_t response, uint64_t iova,
		  struct riommu_probe *probe)
{
	uint64_t base;

	*probe = (struct riommu_probe){.fault = response & 1, .response = response};
	if (probe->fault)
		return 0;
	probe->pbmt = (unsigned)riommu_bits(response, 8, 7);
	if (!riommu_tr_response_range(response, &base, &probe->size))
		return riommu_fail(control->ctx, -EBADMSG,
				   "tr_response 0x%" PRIx64 " has S set and no size in its PPN",
				   response);
	probe->page = base | (iova & (probe->size - 1) & ~RIOMMU_PAGE_MASK);
	return 0;
}

int riommu_probe_translate(struct riommu_source *control, const struct riommu_iommu *iommu,
			   const struct riommu_request *request, unsigned timeout_ms,
			   struct riommu_probe *probe)
{
	uint64_t iova = request->iova & ~RIOMMU_PAGE_MASK, ctl = request_control(request);
	uint64_t capabilities, response = 0;
	bool go = false;
	int err;

	err = riommu_iommu_reg(iommu, RIOMMU_REG_CAPABILITIES, &capabilities);
	if (err)
		return riommu_fail(control->ctx, iommu->error ? iommu->error : err,
				   "%s: whether this IOMMU can be asked is not known: %s",
				   iommu->name, iommu->error ? iommu->reason : "no capabilities");
	if (!(capabilities & RIOMMU_CAP_DBG))
		return riommu_fail(control->ctx, -ENOTSUP,
				   "%s: capabilities.DBG is 0: this IOMMU cannot be asked",
				   iommu->name);
	err = busy(control, iommu->base, &go);
	if (err)
		return err;
	if (go)
		return riommu_fail(
			control->ctx, -EBUSY,
			"%s: a debug translation is under way already (tr_req_ctl.Go/Busy)",
			iommu->name);
	riommu_log(control->ctx, RIOMMU_LOG_INFO,
		   "%s: tr_req_iova := 0x%" PRIx64 ", tr_req_ctl := 0x%" PRIx64, iommu->name, iova,
		   ctl);
	err = ask(control, iommu->base, iova, ctl, timeout_ms, &response);
	if (err)
		return err;
	if (response == UINT64_MAX) /* its bit 0 alone would be a fault */
		return riommu_fail(control->ctx, -EFAULT,
				   "%s: tr_response reads all ones: the IOMMU does not answer",
				   iommu->name);
	err = is_ours(control, iommu, iova, ctl);
	return err ? err : decode(control, response, request->iova, probe);
}
