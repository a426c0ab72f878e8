/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What base.c and options.c share: the inside of a context. */
#ifndef RIOMMU_BASE_INTERNAL_H
#define RIOMMU_BASE_INTERNAL_H

#include "base/base.h"

#define RIOMMU_OPTION_COUNT 21

struct riommu_ctx {
	riommu_log_fn log;
	void *log_arg;
	enum riommu_log_level level;
	riommu_pages_fn pages;
	void *pages_arg;
	uint64_t pages_read; /* told of */
	char error[RIOMMU_MESSAGE_SIZE];
	char left_out[RIOMMU_MESSAGE_SIZE];
	/* NULL: not set; in the order of the table in options.c */
	char *options[RIOMMU_OPTION_COUNT];
};

#endif
