/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --probe: the IOMMU itself is asked whether it still translates. Registers say what it should do; an answer from its caches
 * says what it does.
 */
#include "config.h"

#include "quiesce.h"

#include <inttypes.h>

/* DEVICE:IOVA; a PCI name has colons itself, so the last one counts. */
void add_probe(struct quiesce *t, const char *arg)
{
	struct question *p = &t->probes[t->probe_count];
	const char *colon = strrchr(arg, ':');
	size_t len = colon ? (size_t)(colon - arg) : 0;

	if (t->probe_count == MAX_PROBES)
		die_usage("--probe %s: more than %d are given", arg, MAX_PROBES);
	if (!len || len >= sizeof(p->device) || riommu_parse_u64(colon + 1, &p->request.iova))
		die_usage("--probe %s: expected DEVICE:IOVA", arg);
	memcpy(p->device, arg, len);
	t->probe_count++;
}

/* Before anything is done: an IOMMU that cannot be asked gives no proof. */
bool probes_can_be_asked(struct quiesce *t)
{
	for (size_t i = 0; i < t->probe_count; i++) {
		struct question *p = &t->probes[i];
		struct riommu_device_ref ref;
		uint64_t capabilities;

		if (!find_device(t, "--probe", p->device, &ref))
			return false;
		p->iommu = ref.iommu;
		p->request.device_id = ref.device_id;
		if (!riommu_iommu_reg(&t->sys->iommus[ref.iommu], RIOMMU_REG_CAPABILITIES,
				      &capabilities) &&
		    !(capabilities & RIOMMU_CAP_DBG)) {
			out_error(
				&t->out, -ENOTSUP,
				"--probe: %s cannot be asked (capabilities.DBG is 0); nothing was "
				"done",
				t->sys->iommus[ref.iommu].name);
			return false;
		}
	}
	return true;
}

static void tell(struct quiesce *t, const struct question *p)
{
	char answer[128];

	if (p->probe.fault)
		snprintf(answer, sizeof(answer),
			 "0x%" PRIx64 " is refused (tr_response 0x%" PRIx64 ")", p->request.iova,
			 p->probe.response);
	else
		snprintf(answer, sizeof(answer), "0x%" PRIx64 " goes to page 0x%" PRIx64,
			 p->request.iova, p->probe.page);
	if (!in_json(&t->out))
		print_line("probe", p->device,
			   p->probe.fault ? RIOMMU_OUTCOME_DONE : RIOMMU_OUTCOME_NOT_TAKEN, answer);
	if (p->probe.fault)
		return;
	t->verdict = RIOMMU_VERDICT_OPEN;
	out_error(&t->out, -ETIMEDOUT,
		  "probe: ddtp of %s says Off, but it still translates 0x%" PRIx64
		  " for %s: it is NOT blocked (tr_response 0x%" PRIx64 ")",
		  t->sys->iommus[p->iommu].name, p->request.iova, p->device, p->probe.response);
}

/* After all stages went well: each IOMMU is Off by then, so an answer other than a fault is one too many. */
void ask_probes(struct quiesce *t)
{
	struct riommu_source *control;
	int err;

	if (!t->probe_count)
		return;
	err = riommu_control_open(t->sys, &control);
	if (err) {
		out_error(&t->out, err, "probe: %s", riommu_error(t->ctx));
		return;
	}
	for (size_t i = 0; i < t->probe_count; i++) {
		struct question *p = &t->probes[i];

		err = riommu_probe_translate(control, &t->sys->iommus[p->iommu], &p->request,
					     t->timeout_ms, &p->probe);
		if (err) {
			out_error(&t->out, err, "probe: %s", riommu_error(t->ctx));
			continue;
		}
		p->answered = true;
		tell(t, p);
	}
	riommu_source_close(control);
}
