/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check: rules that find misconfiguration and danger. Each rule is a line of one table (rules.c): a stable id, how bad it is, why
 * it matters and what to do. A rule that could not look at all it has to judge says so; it never passes for that.
 */
#ifndef RIOMMU_CHECK_H
#define RIOMMU_CHECK_H

#include "discover/discover.h"

struct riommu_rule {
	const char *id; /* stable: scripts name it */
	enum riommu_severity severity;
	const char *title;  /* what is wrong, in a line */
	const char *why;    /* why that matters */
	const char *remedy; /* what to do */
};

#define RIOMMU_RULE_COUNT 86

/* All rules, in the order in which they are applied; RIOMMU_RULE_COUNT of them. */
const struct riommu_rule *riommu_rules(void);

/* "info", "warning", "error". */
const char *riommu_severity_name(enum riommu_severity severity);

struct riommu_finding {
	const struct riommu_rule *rule;
	size_t iommu;
	bool has_device, has_process, has_address;
	uint32_t device_id, process_id;
	uint64_t address; /* system physical: the register, entry or memory that it is about */
	/* how many things of this object are like that: entries, ranges, ids; else 1 */
	uint64_t count;
	const char *message; /* what was seen; gone after the call */
};

enum riommu_rule_verdict {
	RIOMMU_RULE_PASSED,
	RIOMMU_RULE_FOUND,
	RIOMMU_RULE_NOT_JUDGED, /* what it needs could not be read, wholly or in part, and nothing was found in the rest */
	RIOMMU_RULE_NOT_APPLICABLE, /* this IOMMU has nothing of the kind */
};

/* What became of a rule on one IOMMU. */
struct riommu_rule_outcome {
	const struct riommu_rule *rule;
	size_t iommu;
	enum riommu_rule_verdict verdict;
	uint64_t found, omitted; /* findings, and of these how many were not told */
	const char *
		reason; /* what could not be looked at, also when something was found; NULL: all was */
	int error;      /* -ENODATA, -EACCES, -EOVERFLOW, ... with REASON */
};

/* Who is told: each finding as it is found, then the outcome of each rule. */
struct riommu_check_args {
	void (*finding)(void *arg, const struct riommu_finding *finding);
	void (*outcome)(void *arg, const struct riommu_rule_outcome *outcome);
	void *arg;
	uint64_t max_findings; /* of a rule on this IOMMU; the rest is only counted. 0: no bound */
};

/* Applies all rules to an IOMMU. On a live machine a suspicious register is read again, 20 ms later. 0, or -ENOMEM. */
int riommu_check(const struct riommu_system *sys, size_t iommu,
		 const struct riommu_check_args *args);

#endif
