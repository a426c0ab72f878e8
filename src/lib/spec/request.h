/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request as it reaches the IOMMU (specification, 3.3 "Process to translate an IOVA"). */
#ifndef RIOMMU_SPEC_REQUEST_H
#define RIOMMU_SPEC_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#define RIOMMU_DEVICE_ID_MAX  0xffffffu
#define RIOMMU_PROCESS_ID_MAX 0xfffffu

enum riommu_access { RIOMMU_READ, RIOMMU_WRITE, RIOMMU_EXEC };
enum riommu_request_type { RIOMMU_UNTRANSLATED, RIOMMU_TRANSLATED, RIOMMU_ATS };

struct riommu_request {
	uint32_t device_id;  /* 24 bits */
	uint32_t process_id; /* 20 bits; looked at only when has_process_id */
	bool has_process_id;
	bool privileged; /* supervisor privilege was requested; means nothing without a process_id */
	enum riommu_access access;
	enum riommu_request_type type;
	uint64_t iova;
};

#endif
