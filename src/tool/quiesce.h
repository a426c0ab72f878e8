/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-quiesce: what its parts share. */
#ifndef QUIESCE_H
#define QUIESCE_H

#include "control/control.h"
#include "control/quiesce.h"
#include "tool.h"

enum action {
	ACTION_BLOCK,
	ACTION_HANDOVER, /* block, then the queues: final */
	ACTION_STOP,     /* --device: one function, the IOMMU is not written */
	ACTION_REMOVE,   /* --via remove: the kernel takes the IOMMU out, which is final for us */
	ACTION_UNDO,
};

#define QUIESCE_SCHEMA "iommu-quiesce/1"

#define MAX_KEEP   64
#define MAX_PROBES 16

/* --probe DEVICE:IOVA, and what the IOMMU answered. */
struct question {
	char device[64]; /* as it was given */
	struct riommu_request request;
	size_t iommu;
	bool answered;
	struct riommu_probe probe;
};

/* A stage of an IOMMU, kept for the report: undoing clears the results. */
struct stage_line {
	bool undo;
	enum riommu_stage stage;
	char iommu[64];
	struct riommu_stage_result result;
};

struct quiesce {
	struct riommu_ctx *ctx;
	struct options options;
	struct riommu_system *sys;
	struct riommu_hw *hw;
	struct riommu_quiesce *q; /* NULL until there is a plan */
	struct out out;
	enum action action;
	bool plan, force, json;
	unsigned skip, timeout_ms, hold; /* HOLD: seconds, 0 is none */
	const char *device;              /* --device */
	const char *keep[MAX_KEEP];      /* as given, then as the system calls them */
	size_t keep_count;
	struct question probes[MAX_PROBES];
	size_t probe_count;
	size_t only; /* -u: the one IOMMU, or RIOMMU_NO_IOMMU for all */

	/* the report */
	struct stage_line *lines;
	size_t line_count, line_room;
	struct json_object *users; /* lists; NULL in text mode */
	struct json_object *notes;
	struct json_object *removed;
	enum riommu_verdict verdict;
	bool undone; /* --hold or --undo took it back */
};

/* The IOMMUs that were chosen: 0 and on, skipping the others. */
bool next_iommu(const struct quiesce *t, size_t *index);

/* Of several IOMMUs the worst counts: one that is open is open, whatever the others are. */
enum riommu_verdict worse_verdict(enum riommu_verdict a, enum riommu_verdict b);

/* A device by name or device_id behind the chosen IOMMUs. False: said why. */
bool find_device(struct quiesce *t, const char *option, const char *text,
		 struct riommu_device_ref *ref);

/* quiesce-plan.c */
/* The one thing to do where the system refuses the registers. */
void tell_remedy(struct quiesce *t);
bool make_plan(struct quiesce *t, bool write);
void print_plan(struct quiesce *t);
bool nobody_is_cut_off(struct quiesce *t);

/* quiesce-run.c: stages, --hold; and taking back */
void run_block(struct quiesce *t);
void run_undo(struct quiesce *t);

/* quiesce-probe.c */
void add_probe(struct quiesce *t, const char *arg);
bool probes_can_be_asked(struct quiesce *t);
void ask_probes(struct quiesce *t);

/* quiesce-output.c: from here on output to a file is kept in memory; and all of it to its file. */
void keep_output(void);
void release_output(void);

/* quiesce-remove.c */
void run_remove(struct quiesce *t);

/* quiesce-report.c */
void note(struct quiesce *t, const char *fmt, ...) RIOMMU_PRINTF(2, 3);
/* A line of progress: three columns, then words. */
void print_line(const char *stage, const char *object, enum riommu_outcome outcome,
		const char *words);
void tell_linux_truths(struct quiesce *t);
void keep_room_for_lines(struct quiesce *t, size_t rounds);
void stage_done(struct quiesce *t, const struct riommu_quiesce_iommu *iommu,
		enum riommu_stage stage, bool undo);
void report(struct quiesce *t);

#endif
