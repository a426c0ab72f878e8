/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump: its commands, one file each (dump-NAME.c). */
#ifndef DUMP_H
#define DUMP_H

#include "tool.h"
#include "translation.h"
#include "control/control.h"
#include "walk/mappings.h"
#include "walk/walk.h"

#define DUMP_SCHEMA "iommu-dump/1"

struct dump {
	struct riommu_ctx *ctx;
	struct options options;
	struct riommu_system *sys; /* NULL for commands that need none (explain) */
	struct out out;

	struct riommu_request request; /* translate: --process, --access, --priv, --type */
	bool request_given;            /* any of these was */
	const char *batch;             /* translate: the file, "-" for stdin */
	FILE *batch_file;              /* open; NULL: there is none, or BATCH_ERROR */
	int batch_error;
	bool steps;           /* translate --batch */
	bool hardware, force; /* translate --hardware: ask the IOMMU too, though a driver owns it */
	bool walk;            /* faults */
	const char *range;    /* mappings: "A-B" */
	bool gpa;             /* mappings: the second stage alone */
	const char *interval; /* counters: seconds between two readings */
	enum riommu_severity severity; /* check: the least that makes the exit status 7 */

	struct dump_ways *ways;        /* list: into each IOMMU of a live machine, else NULL */
	struct riommu_system *diff[2]; /* diff: old and new */
};

struct dump_command {
	const char *name;
	const char *args; /* for the help */
	const char *help;
	bool offline; /* needs no IOMMU: sys is NULL */
	/*
	 * NULL, or opens what the command reads besides sys: RUN can open nothing (sandbox()). What is wrong with the arguments is told
	 * by RUN, which comes all the same.
	 */
	void (*open)(struct dump *d, int argc, char **argv);
	/* ARGV holds the arguments behind the command's name. Reports through d->out. */
	void (*run)(struct dump *d, int argc, char **argv);
};

void dump_list_open(struct dump *d, int argc, char **argv);
void dump_translate_open(struct dump *d, int argc, char **argv);
void dump_diff_open(struct dump *d, int argc, char **argv);
void dump_list(struct dump *d, int argc, char **argv);
void dump_regs(struct dump *d, int argc, char **argv);
void dump_devices(struct dump *d, int argc, char **argv);
void dump_processes(struct dump *d, int argc, char **argv);
void dump_translate(struct dump *d, int argc, char **argv);
void dump_mappings(struct dump *d, int argc, char **argv);
void dump_whomaps(struct dump *d, int argc, char **argv);
void dump_msi(struct dump *d, int argc, char **argv);
void dump_faults(struct dump *d, int argc, char **argv);
void dump_commands(struct dump *d, int argc, char **argv);
void dump_requests(struct dump *d, int argc, char **argv);
void dump_counters(struct dump *d, int argc, char **argv);
void dump_check(struct dump *d, int argc, char **argv);
_Noreturn void dump_check_rules(void); /* check --severity help: lists them, and that is all */
void dump_diff(struct dump *d, int argc, char **argv);
void dump_explain(struct dump *d, int argc, char **argv);

/* The IOMMUs that -u selects (all without it); false past the last. */
bool dump_next_iommu(struct dump *d, size_t *index);

/*
 * DEVICE as the user wrote it: exactly one (IOMMU, device_id), else a usage error that names the candidates, written to
 * MESSAGE. False when there is none.
 */
bool dump_find_device(struct dump *d, const char *text, struct riommu_device_ref *ref,
		      char *message, size_t size);

/* The same, reported to d->out. */
bool dump_device(struct dump *d, const char *text, struct riommu_device_ref *ref);

/* What every command's JSON says of an IOMMU: base, name, mode; and its queues: cq, fq, pq, null where there is none. */
struct json_object *dump_iommu_json(const struct dump *d, size_t index);
struct json_object *dump_queues_json(struct dump *d, size_t index);

/* The "iommus" list of commands that say no more about them than which they are: base, name, mode. */
void dump_iommus(struct dump *d);

/* "A-B" (inclusive), "A+SIZE" or "A" alone. False (reported, a usage error) when it is none of them. */
bool dump_range(struct dump *d, const char *text, uint64_t *first, uint64_t *last);

/*
 * True when the root page of the directory came from /proc/kcore and is all zero: that is an empty directory, or one that the
 * kernel could not read.
 */
bool dump_zero_root(struct dump *d, uint64_t ddtp);
#define DUMP_ZERO_ROOT                                                                           \
	"the directory's root page is all zero: empty, or a page that /proc/kcore cannot read, " \
	"which it shows as zeros without an error"

/* A walker for an IOMMU; false (reported, status 5 with the name of the register) when a register is missing. */
bool dump_walker(struct dump *d, size_t iommu, struct riommu_walker *walker,
		 const char **missing_register);

/* The register whose name is most like NAME, for "did you mean"; NULL when none is alike. */
const char *dump_nearest_register(const char *name);

/* "0000:00:01.0 (0x8)" or "0x8", for text. */
const char *dump_device_label(const struct dump *d, size_t iommu, uint32_t device_id, char *buf,
			      size_t size);

/* -- contexts (dump-contexts.c), for commands about one device ------------------------------------------------ */

enum dump_place_state {
	DUMP_PLACE_NONE, /* every request is refused, or the context is not known: it was said */
	DUMP_PLACE_BARE, /* ddtp is Bare: no context, every request passes; it was said */
	DUMP_PLACE_CONTEXT,
};

struct dump_place {
	size_t iommu;
	uint32_t device_id;
	struct riommu_walker walker;
	struct riommu_dc dc; /* CONTEXT: valid, and not misconfigured */
};

/* Finds the context of a device. Gives the lists "iommus" and "devices" (this one, as `devices` shows it) of the JSON. */
enum dump_place_state dump_place(struct dump *d, const char *text, struct dump_place *place);

/* Which stages the requests of a space go through, and in words: "Sv39", "Sv39 over Sv39x4", "Bare". SECOND_ONLY: without the first. */
struct dump_stages {
	bool first, second;
	char text[48];
};
void dump_space_stages(const struct riommu_walker *w, const struct riommu_space *s,
		       bool second_only, struct dump_stages *stages);

/* False (reported) when ddtp.iommu_mode is reserved or custom. */
bool dump_mode_defined(struct dump *d, size_t iommu, uint64_t ddtp);

/* Why a table or directory page could not be read, as the rest of a sentence; and the error to report it with. */
const char *dump_gap_reason(int error);
int dump_gap_error(int error);

/* -- what other commands show, for `diff` -------------------------------------------------------------------- */

struct riommu_queue;
struct riommu_fault_visit;

/* A register (by its place in the table), a context and a fault record in the JSON of `regs`, `devices`, `processes`, `faults`. */
struct json_object *dump_register_json(const struct riommu_iommu *iommu, size_t r);
struct json_object *dump_dc_json(struct dump *d, size_t iommu, const struct riommu_walker *w,
				 const struct riommu_dc *dc);
struct json_object *dump_pc_json(struct dump *d, size_t iommu, const struct riommu_walker *w,
				 const struct riommu_dc *dc, const struct riommu_pc *pc);
struct json_object *dump_fault_json(struct dump *d, size_t iommu, const struct riommu_queue *queue,
				    const struct riommu_fault_visit *v);

/* "valid, Sv39 over Sv39x4"; and the key of a doubleword of a device context: "tc", "iohgatp", ... */
void dump_dc_words(const struct riommu_walker *w, const struct riommu_dc *dc, char *text,
		   size_t size);
void dump_pc_words(const struct riommu_walker *w, const struct riommu_dc *dc,
		   const struct riommu_pc *pc, char *text, size_t size);
const char *dump_dc_key(unsigned dword);

/* -- translate --hardware (dump-hardware.c) ---------------------------------------------------------------- */
enum agreement { AGREEMENT_UNKNOWN, AGREEMENT_YES, AGREEMENT_NO };
struct hardware_answer {
	struct riommu_probe probe;
	enum agreement agreement;
};

/* Opens the way to ask; false (reported) when the IOMMU must not, or cannot, be asked. */
bool hardware_open(struct dump *d, size_t iommu, struct riommu_source **control);

/* Asks, and compares with the walk of W (NULL: there is none); a difference is a finding. False (reported) without an answer. */
bool hardware_ask(struct dump *d, struct riommu_source *control, size_t iommu,
		  const struct riommu_walker *w, const struct riommu_request *q,
		  struct hardware_answer *answer);
void hardware_json(struct json_object *obj, const struct hardware_answer *answer);
void hardware_print(FILE *f, int indent, const struct hardware_answer *answer);

#endif
