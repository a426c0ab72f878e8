/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fault records (specification, 4.2 "Fault/Event-Queue"): taken apart, and turned back into a request. */
#include "queue/queue.h"

void riommu_fault_decode(const uint64_t dw[4], struct riommu_fault *fault)
{
	*fault = (struct riommu_fault){
		.cause = (uint16_t)riommu_bits(dw[0], 11, 0),
		.pid = (uint32_t)riommu_bits(dw[0], 31, 12),
		.pv = riommu_bit(dw[0], 32),
		.priv = riommu_bit(dw[0], 33),
		.ttyp = (uint8_t)riommu_bits(dw[0], 39, 34),
		.did = (uint32_t)riommu_bits(dw[0], 63, 40),
		.custom = (uint32_t)riommu_bits(dw[1], 31, 0),
		.reserved = (uint32_t)riommu_bits(dw[1], 63, 32),
		.iotval = dw[2],
		.iotval2 = dw[3],
	};
}

bool riommu_fault_present(const uint64_t dw[4])
{
	return dw[0] || dw[1] || dw[2] || dw[3];
}

/* Transaction types that are requests for an address; messages and "none" are not. */
static const struct {
	enum riommu_ttyp ttyp;
	enum riommu_request_type type;
	enum riommu_access access;
} requests[] = {
	{RIOMMU_TTYP_UNTRANSLATED_EXEC, RIOMMU_UNTRANSLATED, RIOMMU_EXEC},
	{RIOMMU_TTYP_UNTRANSLATED_READ, RIOMMU_UNTRANSLATED, RIOMMU_READ},
	{RIOMMU_TTYP_UNTRANSLATED_WRITE, RIOMMU_UNTRANSLATED, RIOMMU_WRITE},
	{RIOMMU_TTYP_TRANSLATED_EXEC, RIOMMU_TRANSLATED, RIOMMU_EXEC},
	{RIOMMU_TTYP_TRANSLATED_READ, RIOMMU_TRANSLATED, RIOMMU_READ},
	{RIOMMU_TTYP_TRANSLATED_WRITE, RIOMMU_TRANSLATED, RIOMMU_WRITE},
	{RIOMMU_TTYP_ATS, RIOMMU_ATS, RIOMMU_READ},
};

enum riommu_access riommu_cause_access(unsigned cause, enum riommu_access otherwise)
{
	switch (cause) {
	case RIOMMU_CAUSE_INSTRUCTION_ACCESS_FAULT:
	case RIOMMU_CAUSE_INSTRUCTION_PAGE_FAULT:
	case RIOMMU_CAUSE_INSTRUCTION_GUEST_PAGE_FAULT:
		return RIOMMU_EXEC;
	case RIOMMU_CAUSE_WRITE_MISALIGNED:
	case RIOMMU_CAUSE_WRITE_ACCESS_FAULT:
	case RIOMMU_CAUSE_WRITE_PAGE_FAULT:
	case RIOMMU_CAUSE_WRITE_GUEST_PAGE_FAULT:
		return RIOMMU_WRITE;
	default:
		return otherwise;
	}
}

bool riommu_cause_has_gpa(unsigned cause)
{
	return cause == RIOMMU_CAUSE_INSTRUCTION_GUEST_PAGE_FAULT ||
	       cause == RIOMMU_CAUSE_READ_GUEST_PAGE_FAULT ||
	       cause == RIOMMU_CAUSE_WRITE_GUEST_PAGE_FAULT;
}

bool riommu_fault_has_device(const struct riommu_fault *fault)
{
	return fault->ttyp != RIOMMU_TTYP_NONE;
}

bool riommu_fault_request(const struct riommu_fault *fault, struct riommu_request *request)
{
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(requests); i++) {
		if (requests[i].ttyp != (enum riommu_ttyp)fault->ttyp)
			continue;
		*request = (struct riommu_request){
			.device_id = fault->did,
			/* PID and PRIV are 0 where PV is (facts 4.1); what a record says there anyway means nothing */
			.process_id = fault->pv ? fault->pid : 0,
			.has_process_id = fault->pv,
			.privileged = fault->pv && fault->priv,
			.access = requests[i].access,
			.type = requests[i].type,
			.iova = fault->iotval,
		};
		if (request->type == RIOMMU_ATS)
			request->access = riommu_cause_access(fault->cause, requests[i].access);
		return true;
	}
	return false;
}
