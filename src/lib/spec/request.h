/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bounds of a request (specification, 3.3 "Process to translate an IOVA"); its struct is part of the public header. */
#ifndef RIOMMU_SPEC_REQUEST_H
#define RIOMMU_SPEC_REQUEST_H

#include "riscv-iommu.h"

#define RIOMMU_DEVICE_ID_MAX  0xffffffu
#define RIOMMU_PROCESS_ID_MAX 0xfffffu

#endif
