/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control: the only room that writes hardware. Each write is logged with old and new value; what the specification
 * calls busy is polled, within a bound, before and after; nothing that timed out is written again.
 */
#ifndef RIOMMU_CONTROL_H
#define RIOMMU_CONTROL_H

#include "discover/discover.h"
#include "spec/request.h"

/*
 * Opens a source that can write registers (`devmem`), whatever SYS was opened with. -EACCES when the system refuses.
 * *CONTROL is the caller's to riommu_source_close().
 */
int riommu_control_open(struct riommu_system *sys, struct riommu_source **control);

/* What the IOMMU answered to a debug translation request. */
struct riommu_probe {
	bool fault;    /* it would refuse; nothing else is defined then */
	uint64_t page; /* physical address of the page that holds the IOVA */
	uint64_t size; /* of that page: 4 KiB, or what S and the PPN say */
	unsigned pbmt;
	uint64_t response; /* tr_response as read */
};

/*
 * Asks the IOMMU itself where REQUEST goes (specification, chapter "Debug support": tr_req_iova, tr_req_ctl, tr_response). The
 * request is made with NW=1: a read, or an execute where REQUEST asks for one; never a write, which could set D.
 * Side effects: a fault is recorded in the fault queue as that of a device is, A bits may be set, caches filled, counters moved.
 * -ENOTSUP when capabilities.DBG is 0, -EBUSY when a request of somebody else is under way, or came between, -ETIMEDOUT when
 * Go/Busy stays set for TIMEOUT_MS (the registers must then be left alone).
 */
int riommu_probe_translate(struct riommu_source *control, const struct riommu_iommu *iommu,
			   const struct riommu_request *request, unsigned timeout_ms,
			   struct riommu_probe *probe);

#endif
