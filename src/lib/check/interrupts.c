/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interrupts that nobody receives (specification, 6.18 ipsr, 6.28 icvec, 6.29 MSI configuration table). A message is sent when a bit
 * of ipsr goes from 0 to 1, never again while it stays 1.
 */
#include "check/check-internal.h"

#include <inttypes.h>
#include <stdio.h>

#define CQ_WAITS ((uint32_t)7 << 8) /* cqmf, cmd_to, cmd_ill; who waits for a fence knows of it */

/* By the bit of ipsr, which is the place of the vector in icvec, too. */
static const struct cause {
	const char *name, *enable; /* the bit of ipsr, and the one that enables it */
	enum riommu_queue_kind queue;
	uint16_t csr, head; /* csr 0: the counters, which are no queue */
} causes[] = {
	{"cip", "cqcsr.cie", RIOMMU_CQ, RIOMMU_REG_CQCSR, RIOMMU_REG_CQH},
	{"fip", "fqcsr.fie", RIOMMU_FQ, RIOMMU_REG_FQCSR, RIOMMU_REG_FQH},
	{"pmip", NULL, RIOMMU_CQ, 0, 0},
	{"pip", "pqcsr.pie", RIOMMU_PQ, RIOMMU_REG_PQCSR, RIOMMU_REG_PQH},
};

/* What a person calls the thing that waits; NULL: nothing does. */
static const char *what_waits(const struct check *c, const struct cause *cause, uint32_t csr,
			      bool pending_interrupt, char *words, size_t size)
{
	struct riommu_queue q;
	uint64_t later;
	uint32_t waiting = 0;
	int err = riommu_queue_open(c->sys, c->index, cause->queue, &q);

	if (cause->queue == RIOMMU_CQ && (csr & CQ_WAITS))
		return "the command queue has stopped with an error";
	if (cause->queue != RIOMMU_CQ && (csr & (RIOMMU_QUEUE_MF | RIOMMU_QUEUE_OF)))
		return "the queue has lost records";
	if (cause->queue != RIOMMU_CQ && (!err || err == -EBADMSG))
		waiting = riommu_queue_pending(&q);
	if (waiting && (!check_later(c, cause->head, &later) || later == q.head)) {
		snprintf(words, size, "%" PRIu32 " record%s in the queue", waiting,
			 waiting == 1 ? " waits" : "s wait");
		return words;
	}
	return pending_interrupt ? "the interrupt is pending" : NULL;
}

/* One cause that is enabled: can its message be sent? */
static void check_vector(struct check *c, const struct cause *cause, unsigned vector)
{
	uint32_t entry = RIOMMU_REG_MSI_CFG_TBL + 16 * vector;
	struct check_object about = {.has_address = true, .address = c->iommu->base + entry};
	uint64_t address, control;

	if (check_register(c, CHECK_INTERRUPT_ADDRESS, CHECK_INTERRUPT_ADDRESS, entry, &address)) {
		check_judge(c, CHECK_INTERRUPT_ADDRESS);
		if (!address)
			check_report(c, CHECK_INTERRUPT_ADDRESS, &about,
				     "%s is 1, its vector is %u, and msi_addr_%u is 0",
				     cause->enable, vector, vector);
	}
	if (check_register(c, CHECK_INTERRUPT_MASKED, CHECK_INTERRUPT_MASKED, entry + 12,
			   &control)) {
		check_judge(c, CHECK_INTERRUPT_MASKED);
		if (control & 1)
			check_report(c, CHECK_INTERRUPT_MASKED, &about,
				     "%s is 1, its vector is %u, and msi_vec_ctl_%u.M is 1",
				     cause->enable, vector, vector);
	}
}

static void check_message(struct check *c, unsigned i)
{
	uint64_t fctl, icvec;

	if (!check_register(c, CHECK_INTERRUPT_MASKED, CHECK_INTERRUPT_ADDRESS, RIOMMU_REG_FCTL,
			    &fctl) ||
	    (fctl & RIOMMU_FCTL_WSI) ||
	    !check_register(c, CHECK_INTERRUPT_MASKED, CHECK_INTERRUPT_ADDRESS, RIOMMU_REG_ICVEC,
			    &icvec))
		return;
	check_vector(c, &causes[i], (unsigned)riommu_bits(icvec, 4 * i + 3, 4 * i));
}

/* An enabled interrupt whose bit is set, and stays so. */
static void check_pending(struct check *c, unsigned i)
{
	struct check_object about = {.has_address = true,
				     .address = c->iommu->base + RIOMMU_REG_IPSR};
	uint64_t later;

	if (check_later(c, RIOMMU_REG_IPSR, &later)) {
		if (riommu_bit(later, i))
			check_report(c, CHECK_INTERRUPT_LOST, &about,
				     "ipsr.%s is 1, also 20 ms later", causes[i].name);
	} else {
		check_report(c, CHECK_INTERRUPT_PENDING, &about, "ipsr.%s is 1", causes[i].name);
	}
}

static void check_cause(struct check *c, unsigned i, uint64_t ipsr)
{
	const struct cause *cause = &causes[i];
	struct check_object about = {.has_address = true, .address = c->iommu->base + cause->csr};
	char words[64];
	const char *waits;
	uint64_t csr;

	if (!cause->csr) {
		if (riommu_bit(ipsr, i))
			check_pending(c, i);
		return;
	}
	if (!check_register(c, CHECK_INTERRUPT_DISABLED, CHECK_INTERRUPT_PENDING, cause->csr, &csr))
		return;
	if (!(csr & RIOMMU_QUEUE_ON))
		return; /* its state is of no use to anybody */
	check_judge(c, CHECK_INTERRUPT_DISABLED);
	if (csr & RIOMMU_QUEUE_IE) {
		check_message(c, i);
		if (riommu_bit(ipsr, i))
			check_pending(c, i);
		return;
	}
	waits = what_waits(c, cause, (uint32_t)csr, riommu_bit(ipsr, i), words, sizeof(words));
	if (waits)
		check_report(c, CHECK_INTERRUPT_DISABLED, &about, "%s is 0, and %s", cause->enable,
			     waits);
}

void check_interrupts(struct check *c)
{
	uint64_t cap, ipsr;

	if (!check_register(c, CHECK_INTERRUPT_DISABLED, CHECK_INTERRUPT_PENDING,
			    RIOMMU_REG_CAPABILITIES, &cap) ||
	    !check_register(c, CHECK_INTERRUPT_DISABLED, CHECK_INTERRUPT_PENDING, RIOMMU_REG_IPSR,
			    &ipsr))
		return;
	check_judge(c, c->sys->live ? CHECK_INTERRUPT_LOST : CHECK_INTERRUPT_PENDING);
	for (unsigned i = 0; i < RIOMMU_ARRAY_SIZE(causes); i++)
		if (causes[i].queue != RIOMMU_PQ || (cap & RIOMMU_CAP_ATS))
			check_cause(c, i, ipsr);
}
