/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public interface: fault records, and findings of the rules. */
#include "riscv-iommu.h"

#include "api/api-internal.h"
#include "check/check.h"
#include "queue/queue.h"

#include <inttypes.h>

/* -- fault records ------------------------------------------------------------------------------- */

struct riommu_fault_record {
	const struct riommu_fault_visit *visit;
};

struct records {
	riommu_fault_fn fn;
	void *arg;
	int error;        /* of the first entries that could not be read */
	uint64_t skipped; /* how many could not */
};

static int on_fault(void *arg, const struct riommu_fault_visit *visit)
{
	struct records *r = arg;
	struct riommu_fault_record record = {visit};

	if (!visit->error)
		return r->fn(r->arg, &record);
	r->skipped += visit->skipped;
	if (!r->error)
		r->error = visit->error;
	return 0;
}

int riommu_visit_fault_records(struct riommu_system *sys, size_t iommu, riommu_fault_fn visit,
			       void *arg)
{
	struct records r = {.fn = visit, .arg = arg};
	struct riommu_queue queue;
	int opened, err = api_iommu(sys, iommu);

	if (err)
		return err;
	opened = riommu_queue_open(sys, iommu, RIOMMU_FQ, &queue);
	if (opened && opened != -EBADMSG)
		return opened;
	err = riommu_visit_faults(&queue, on_fault, &r);
	if (err)
		return err;
	if (r.error)
		return riommu_fail(sys->ctx, r.error,
				   "%s: %" PRIu64 " entries of the fault queue cannot be read: %s",
				   sys->iommus[iommu].name, r.skipped,
				   r.error == -ENODATA ? "the source does not hold them"
						       : strerror(-r.error));
	return opened;
}

bool riommu_fault_record_pending(const struct riommu_fault_record *record)
{
	return record->visit->pending;
}

unsigned riommu_fault_record_cause(const struct riommu_fault_record *record)
{
	return record->visit->fault.cause;
}

unsigned riommu_fault_record_ttyp(const struct riommu_fault_record *record)
{
	return record->visit->fault.ttyp;
}

bool riommu_fault_record_device(const struct riommu_fault_record *record, uint32_t *device_id)
{
	if (!riommu_fault_has_device(&record->visit->fault))
		return false;
	*device_id = record->visit->fault.did;
	return true;
}

bool riommu_fault_record_process(const struct riommu_fault_record *record, uint32_t *process_id)
{
	if (!riommu_fault_has_device(&record->visit->fault) || !record->visit->fault.pv)
		return false;
	*process_id = record->visit->fault.pid;
	return true;
}

uint64_t riommu_fault_record_iotval(const struct riommu_fault_record *record)
{
	return record->visit->fault.iotval;
}

uint64_t riommu_fault_record_iotval2(const struct riommu_fault_record *record)
{
	return record->visit->fault.iotval2;
}

bool riommu_fault_record_request(const struct riommu_fault_record *record,
				 struct riommu_request *request)
{
	return riommu_fault_request(&record->visit->fault, request);
}

/* -- findings ------------------------------------------------------------------------------------ */

struct findings {
	riommu_finding_fn fn;
	void *arg;
	size_t unjudged;
};

static void on_finding(void *arg, const struct riommu_finding *finding)
{
	const struct findings *f = arg;

	f->fn(f->arg, finding);
}

static void on_outcome(void *arg, const struct riommu_rule_outcome *outcome)
{
	struct findings *f = arg;

	f->unjudged += outcome->reason != NULL;
}

int riommu_check_iommu(struct riommu_system *sys, size_t iommu, riommu_finding_fn found, void *arg,
		       size_t *unjudged)
{
	struct findings f = {.fn = found, .arg = arg};
	struct riommu_check_args args = {.finding = on_finding, .outcome = on_outcome, .arg = &f};
	int err = api_iommu(sys, iommu);

	if (err)
		return err;
	err = riommu_check(sys, iommu, &args);
	if (unjudged)
		*unjudged = f.unjudged;
	return err;
}

const char *riommu_finding_id(const struct riommu_finding *finding)
{
	return finding->rule->id;
}

enum riommu_severity riommu_finding_severity(const struct riommu_finding *finding)
{
	return finding->rule->severity;
}

const char *riommu_finding_message(const struct riommu_finding *finding)
{
	return finding->message;
}

const char *riommu_finding_remedy(const struct riommu_finding *finding)
{
	return finding->rule->remedy;
}

bool riommu_finding_device(const struct riommu_finding *finding, uint32_t *device_id)
{
	if (finding->has_device)
		*device_id = finding->device_id;
	return finding->has_device;
}

bool riommu_finding_process(const struct riommu_finding *finding, uint32_t *process_id)
{
	if (finding->has_process)
		*process_id = finding->process_id;
	return finding->has_process;
}

bool riommu_finding_address(const struct riommu_finding *finding, uint64_t *address)
{
	if (finding->has_address)
		*address = finding->address;
	return finding->has_address;
}
