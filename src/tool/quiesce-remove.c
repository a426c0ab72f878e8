/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --via remove: an IOMMU that is a PCI function is taken out of the running kernel. Its driver then writes Off and stops the
 * queues itself, and no shutdown handler is left that could open it again on a planned kexec.
 */
#include "config.h"

#include "quiesce.h"

#include <inttypes.h>

static bool all_are_pci(struct quiesce *t)
{
	for (size_t i = 0; next_iommu(t, &i); i++) {
		if (t->sys->iommus[i].found == RIOMMU_FOUND_PCI)
			continue;
		out_error(&t->out, -EINVAL,
			  "--via remove: %s is no PCI function (choose one with -u); nothing was "
			  "done",
			  t->sys->iommus[i].name);
		return false;
	}
	return true;
}

/* Waits, for as long as --timeout says, until ddtp is no longer busy: the driver does not. False when it cannot be read. */
static bool read_ddtp(struct quiesce *t, size_t i, uint64_t *ddtp)
{
	const struct riommu_hw *hw = t->hw;
	uint64_t end = hw->ops->now_us(hw->arg) + (uint64_t)t->timeout_ms * 1000;

	for (bool late = false;; late = hw->ops->now_us(hw->arg) >= end) {
		riommu_system_read_registers(t->sys, i);
		if (riommu_iommu_reg(&t->sys->iommus[i], RIOMMU_REG_DDTP, ddtp))
			return false;
		if (*ddtp == UINT64_MAX || !(*ddtp & RIOMMU_DDTP_BUSY) || late)
			return true;
		hw->ops->pause(hw->arg);
	}
}

/* The registers after it, where they can be read at all: memory decoding may be off, and then nothing answers. */
static enum riommu_verdict read_back(struct quiesce *t, size_t i, uint64_t *ddtp, bool *known)
{
	*known = read_ddtp(t, i, ddtp);
	if (!*known)
		return RIOMMU_VERDICT_UNKNOWN;
	if (*ddtp == UINT64_MAX)
		return RIOMMU_VERDICT_DEAD;
	return riommu_bits(*ddtp, 3, 0) || *ddtp & RIOMMU_DDTP_BUSY ? RIOMMU_VERDICT_OPEN
								    : RIOMMU_VERDICT_BLOCKED;
}

static void remove_one(struct quiesce *t, size_t i)
{
	const struct riommu_iommu *u = &t->sys->iommus[i];
	enum riommu_verdict verdict = RIOMMU_VERDICT_UNKNOWN;
	struct json_object *o;
	uint64_t ddtp = 0;
	bool known = false;
	int err = riommu_iommu_remove(t->sys, i);

	if (err)
		out_error(&t->out, err, "%s: %s", u->name, riommu_error(t->ctx));
	else
		verdict = read_back(t, i, &ddtp, &known);
	if (!err && verdict != RIOMMU_VERDICT_BLOCKED && known)
		out_error(&t->out, -ETIMEDOUT,
			  "%s: removed, but ddtp reads 0x%" PRIx64 ": it is NOT blocked", u->name,
			  ddtp);
	else if (!err && !known)
		note(t,
		     "%s was removed; its registers cannot be read back (%s), so there is no "
		     "verdict",
		     u->name, u->reason[0] ? u->reason : "no way to them");
	t->verdict = worse_verdict(t->verdict, verdict);
	if (!in_json(&t->out)) {
		print_line("remove", u->name, err ? RIOMMU_OUTCOME_FAILED : RIOMMU_OUTCOME_DONE,
			   riommu_verdict_name(verdict));
		return;
	}
	o = json_object_new_object();
	json_add(o, "iommu", json_text(u->name));
	json_add(o, "removed", json_object_new_boolean(!err));
	json_add(o, "ddtp", known ? json_hex(ddtp) : NULL);
	json_add(o, "verdict", json_text(riommu_verdict_name(verdict)));
	if (!t->removed)
		t->removed = json_object_new_array();
	json_object_array_add(t->removed, o);
}

void run_remove(struct quiesce *t)
{
	if (!all_are_pci(t) || !make_plan(t, false))
		return;
	if (t->plan) {
		for (size_t i = 0; !in_json(&t->out) && next_iommu(t, &i); i++)
			printf("It would remove %s from the running kernel.\nNothing was "
			       "written.\n",
			       t->sys->iommus[i].name);
		nobody_is_cut_off(t);
		return;
	}
	if (!nobody_is_cut_off(t))
		return;
	fprintf(stderr,
		"%s: --via remove is final: --undo cannot take it back, a rescan of the bus can\n",
		program);
	t->verdict = RIOMMU_VERDICT_BLOCKED;
	for (size_t i = 0; next_iommu(t, &i); i++)
		remove_one(t, i);
}
