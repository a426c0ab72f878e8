/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The three queues as their registers show them (specification, chapter 4 "In-memory queue interface", 6.6 to 6.17). */
#include "check/check-internal.h"

#include <inttypes.h>

#define MAX_RING ((uint64_t)1 << 32)

static const struct check_queue {
	enum riommu_queue_kind kind;
	const char *name;
	uint16_t base, head, tail, csr;
	struct {
		uint32_t bit;
		enum check_rule rule;
		const char *words;
	} errors[3]; /* bit 0: no more */
} queues[] = {
	{RIOMMU_CQ,
	 "command queue",
	 RIOMMU_REG_CQB,
	 RIOMMU_REG_CQH,
	 RIOMMU_REG_CQT,
	 RIOMMU_REG_CQCSR,
	 {{1u << 8, CHECK_CQ_MEMORY_FAULT, "cqcsr.cqmf is 1"},
	  {1u << 9, CHECK_CQ_TIMEOUT, "cqcsr.cmd_to is 1"},
	  {1u << 10, CHECK_CQ_ILLEGAL, "cqcsr.cmd_ill is 1"}}},
	{RIOMMU_FQ,
	 "fault queue",
	 RIOMMU_REG_FQB,
	 RIOMMU_REG_FQH,
	 RIOMMU_REG_FQT,
	 RIOMMU_REG_FQCSR,
	 {{RIOMMU_QUEUE_MF, CHECK_FQ_MEMORY_FAULT, "fqcsr.fqmf is 1"},
	  {RIOMMU_QUEUE_OF, CHECK_FQ_OVERFLOW, "fqcsr.fqof is 1"}}},
	{RIOMMU_PQ,
	 "page-request queue",
	 RIOMMU_REG_PQB,
	 RIOMMU_REG_PQH,
	 RIOMMU_REG_PQT,
	 RIOMMU_REG_PQCSR,
	 {{RIOMMU_QUEUE_MF, CHECK_PQ_MEMORY_FAULT, "pqcsr.pqmf is 1"},
	  {RIOMMU_QUEUE_OF, CHECK_PQ_OVERFLOW, "pqcsr.pqof is 1"}}},
};

static struct check_object at(const struct check *c, uint32_t offset)
{
	return (struct check_object){.has_address = true, .address = c->iommu->base + offset};
}

static void check_csr(struct check *c, const struct check_queue *queue, uint32_t csr)
{
	struct check_object about = at(c, queue->csr);
	bool enabled = csr & RIOMMU_QUEUE_EN, on = csr & RIOMMU_QUEUE_ON;
	uint64_t later;

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(queue->errors) && queue->errors[i].bit; i++) {
		check_judge(c, queue->errors[i].rule);
		if (csr & queue->errors[i].bit)
			check_report(c, queue->errors[i].rule, &about, "%s (the register is 0x%x)",
				     queue->errors[i].words, csr);
	}
	check_judge(c, CHECK_QUEUE_NOT_ON);
	if (enabled == on || (csr & RIOMMU_QUEUE_BUSY))
		return; /* busy: the change is going on, which is another rule */
	if (check_later(c, queue->csr, &later) &&
	    (later ^ csr) & (RIOMMU_QUEUE_EN | RIOMMU_QUEUE_ON))
		return;
	check_report(c, CHECK_QUEUE_NOT_ON, &about, "the %s is %s and not %s", queue->name,
		     enabled ? "enabled" : "on", enabled ? "on" : "enabled");
}

/* Alignment and place (facts 1.7): of an entry anywhere else nothing is specified. */
static void check_ring(struct check *c, const struct check_queue *queue,
		       const struct riommu_queue *q)
{
	struct check_object about = at(c, queue->base);
	/* the queue is open: this register is known */
	uint64_t base_register = c->iommu->value[riommu_reg_by_offset(queue->base)];
	uint64_t bytes = ((uint64_t)2 << riommu_bits(base_register, 4, 0)) * q->entry_size;

	check_judge(c, CHECK_QUEUE_BASE);
	if (bytes > MAX_RING)
		check_report(c, CHECK_QUEUE_BASE, &about,
			     "the %s claims 0x%" PRIx64 " bytes, more than an index can reach",
			     queue->name, bytes);
	else if (bytes > RIOMMU_PAGE_SIZE && (q->base & (bytes - 1)))
		check_report(c, CHECK_QUEUE_BASE, &about,
			     "the %s at 0x%" PRIx64 " is not aligned to its size of 0x%" PRIx64
			     " bytes",
			     queue->name, q->base, bytes);
	else if (check_past_pas(c, q->base, bytes))
		check_report(c, CHECK_QUEUE_BASE, &about,
			     "the %s at 0x%" PRIx64
			     " reaches past the physical address space of %u bits",
			     queue->name, q->base, c->pas);
	else if (!q->base)
		check_report(c, CHECK_QUEUE_BASE, &about, "the %s is enabled at address 0",
			     queue->name);
}

static void check_index(struct check *c, const struct check_queue *queue,
			const struct riommu_queue *q, uint16_t offset, const char *name)
{
	struct check_object about = at(c, offset);
	uint64_t index;

	if (!check_register(c, CHECK_QUEUE_INDEX, CHECK_QUEUE_INDEX, offset, &index))
		return;
	check_judge(c, CHECK_QUEUE_INDEX);
	if (index >= q->entries)
		check_report(c, CHECK_QUEUE_INDEX, &about,
			     "the %s of the %s is %" PRIu64 ", and it has %" PRIu32 " entries",
			     name, queue->name, index, q->entries);
}

/* Live: the head does not move. In a capture: it cannot have moved. */
static void check_stuck(struct check *c, const struct riommu_queue *q)
{
	struct check_object about = at(c, RIOMMU_REG_CQH);
	uint32_t stopped = 7u << 8; /* cqmf, cmd_to, cmd_ill */
	uint32_t pending = riommu_queue_pending(q);
	uint64_t later;
	bool stuck;

	check_judge(c, CHECK_CQ_STUCK);
	if (!pending)
		return;
	if (check_later(c, RIOMMU_REG_CQH, &later))
		stuck = later == q->head;
	else
		stuck = !(q->csr & RIOMMU_QUEUE_ON) || (q->csr & stopped);
	about.count = pending;
	if (stuck)
		check_report(c, CHECK_CQ_STUCK, &about,
			     "%" PRIu32 " command%s waiting from index %" PRIu32 " on, and %s",
			     pending, pending == 1 ? " is" : "s are", q->head,
			     !(q->csr & RIOMMU_QUEUE_ON) ? "the queue is off (cqon is 0)"
			     : q->csr & stopped          ? "it stopped with an error"
							 : "cqh has not moved in 20 ms");
}

static bool exists(struct check *c, const struct check_queue *queue)
{
	uint64_t cap;

	if (queue->kind != RIOMMU_PQ)
		return true;
	return check_register(c, CHECK_PQ_MEMORY_FAULT, CHECK_PQ_OVERFLOW, RIOMMU_REG_CAPABILITIES,
			      &cap) &&
	       (cap & RIOMMU_CAP_ATS);
}

static void check_queue(struct check *c, const struct check_queue *queue)
{
	size_t last = 0;
	struct riommu_queue q;
	uint64_t csr;
	int err;

	while (last + 1 < RIOMMU_ARRAY_SIZE(queue->errors) && queue->errors[last + 1].bit)
		last++;
	if (!check_register(c, queue->errors[0].rule, queue->errors[last].rule, queue->csr, &csr)) {
		check_register(c, CHECK_QUEUE_NOT_ON, CHECK_QUEUE_INDEX, queue->csr, &csr);
		if (queue->kind == RIOMMU_CQ)
			check_register(c, CHECK_CQ_STUCK, CHECK_CQ_STUCK, queue->csr, &csr);
		return;
	}
	check_csr(c, queue, (uint32_t)csr);
	err = riommu_queue_open(c->sys, c->index, queue->kind, &q);
	if (err && err != -EBADMSG) {
		check_cannot(c, CHECK_QUEUE_BASE, CHECK_QUEUE_INDEX, err, "%.150s",
			     riommu_error(c->sys->ctx));
		if (queue->kind == RIOMMU_CQ)
			check_cannot(c, CHECK_CQ_STUCK, CHECK_CQ_STUCK, err, "%.150s",
				     riommu_error(c->sys->ctx));
		return;
	}
	if (!(csr & (RIOMMU_QUEUE_EN | RIOMMU_QUEUE_ON)) && !q.base)
		return; /* it was never set up: base and indexes mean nothing after a reset */
	if (csr & (RIOMMU_QUEUE_EN | RIOMMU_QUEUE_ON)) {
		check_ring(c, queue, &q);
		check_index(c, queue, &q, queue->head, "head");
		check_index(c, queue, &q, queue->tail, "tail");
	}
	if (queue->kind != RIOMMU_CQ)
		return;
	if (q.indexes_known)
		check_stuck(c, &q);
	else
		check_cannot(c, CHECK_CQ_STUCK, CHECK_CQ_STUCK, -ENODATA,
			     "register cqh or cqt is not known");
}

/* Faults that nobody records, while there is a directory by which requests are refused. */
static void check_recording(struct check *c)
{
	struct check_object about = at(c, RIOMMU_REG_FQCSR);
	uint64_t ddtp, csr;
	unsigned mode;

	if (!check_register(c, CHECK_FQ_OFF, CHECK_FQ_OFF, RIOMMU_REG_DDTP, &ddtp) ||
	    !check_register(c, CHECK_FQ_OFF, CHECK_FQ_OFF, RIOMMU_REG_FQCSR, &csr))
		return;
	mode = (unsigned)riommu_bits(ddtp, 3, 0);
	if (mode < RIOMMU_DDTP_1LVL || mode > RIOMMU_DDTP_3LVL)
		return;
	check_judge(c, CHECK_FQ_OFF);
	if (!(csr & RIOMMU_QUEUE_ON))
		check_report(c, CHECK_FQ_OFF, &about, "fqcsr.fqon is 0, and ddtp.iommu_mode is %s",
			     riommu_ddtp_mode_name(ddtp));
}

void check_queues(struct check *c)
{
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(queues); i++)
		if (exists(c, &queues[i]))
			check_queue(c, &queues[i]);
	check_recording(c);
}
