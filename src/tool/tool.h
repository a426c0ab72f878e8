/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the four tools share: exit statuses, messages, common options, tables and JSON. A command collects what went
 * wrong in its `struct out` and goes on where it can; the exit status follows from what was collected (design 3.4).
 */
#ifndef TOOL_H
#define TOOL_H

#include "check/check.h"
#include "discover/discover.h"
#include "json.h"

#include <getopt.h>
#include <stdio.h>

enum status {
	STATUS_DONE = 0,
	STATUS_ERROR = 1,
	STATUS_USAGE = 2,
	STATUS_NO_IOMMU = 3,
	STATUS_REFUSED = 4,
	STATUS_DATA = 5,
	STATUS_TIMEOUT = 6,
	STATUS_FINDING = 7,
};

/* The status that a negative errno of the library stands for (base/base.h). */
enum status status_of(int err);

/* Prints "PROGRAM: message" and, after a usage error, where help is; ends the program. For main() only. */
_Noreturn void die(enum status status, const char *fmt, ...) RIOMMU_PRINTF(2, 3);
_Noreturn void die_usage(const char *fmt, ...) RIOMMU_PRINTF(1, 2);

/* "iommu-dump" */
extern const char *program;

/* What the tool NAME does first. */
void tool_begin(const char *name);

/* Whoever started us wants signal SIG ignored (nohup), or there is none of that number. */
bool is_ignored(int sig);

/* Are all N devices (0: false) on the same IOMMU? Platform devices that make requests by several ways have several device_ids there. */
bool on_one_iommu(const struct riommu_device_ref *refs, size_t n);

/*
 * --enable-minimal: a tool's main() is not the program's, which two tools share (src/tool/rescue.c), and commands that are of no
 * use in a kdump initramfs are left out.
 */
#ifdef MINIMAL
#define TOOL_MAIN(name)     name
#define UNLESS_MINIMAL(run) NULL
#define IS_MINIMAL          true
#else
#define TOOL_MAIN(name)     main
#define UNLESS_MINIMAL(run) run
#define IS_MINIMAL          false
#endif
int dump_main(int argc, char **argv);
int kexec_prep_main(int argc, char **argv);
int quiesce_main(int argc, char **argv);
int top_main(int argc, char **argv);

/* For "did you mean": give WORD, try each word there is; BEST is the one most like it, NULL when none is alike. */
struct nearest {
	const char *word;
	const char *best;
	size_t distance;
};
void nearest_try(struct nearest *n, const char *candidate);

/* The index of the command WORD among COUNT of SIZE bytes, which begin with their names. Ends the program when there is none. */
size_t find_command(const char *word, const void *commands, size_t count, size_t size);

/* An option that some commands have: it must not be swallowed silently by another. */
struct option_owner {
	int code;
	const char *name, *commands; /* "image load" */
};

/* Bit I: C is the option of OWNERS[I], of which there are COUNT, 32 at most. Then: ends the program if COMMAND has not all of USED. */
unsigned option_bits(const struct option_owner *owners, size_t count, int c);
void check_owners(const struct option_owner *owners, size_t count, unsigned used,
		  const char *command);

/* Ends the program: COMMAND is left out of it. */
_Noreturn void die_left_out(const char *command);

/* MEMORY, unless it is NULL: then there is none left, and the program ends. */
void *need(void *memory);

/* Says where help is. */
void try_help(void);

/* -- common options (design 3.2) --------------------------------------------------------------------------- */
struct options {
	const char *input;  /* -i */
	const char *access; /* -A */
	const char *iommu;  /* -u */
	uint64_t bases[64];
	size_t base_count;
	struct riommu_reg_override overrides[512];
	size_t override_count;
	bool json;
	const char *save;
	bool no_sandbox;
	int verbose;
};

/* For getopt_long: what every tool takes. */
enum {
	OPT_BASE = 0x100,
	OPT_REG,
	OPT_SAVE,
	OPT_NO_SANDBOX,
	OPT_TOOL /* a tool's own start here */
};
#define COMMON_SHORT "i:A:O:u:JvhV"
#define COMMON_LONG                                                                                \
	{"input", required_argument, NULL, 'i'}, {"access", required_argument, NULL, 'A'},         \
		{"option", required_argument, NULL, 'O'}, {"iommu", required_argument, NULL, 'u'}, \
		{"base", required_argument, NULL, OPT_BASE},                                       \
		{"reg", required_argument, NULL, OPT_REG}, {"json", no_argument, NULL, 'J'},       \
		{"save", required_argument, NULL, OPT_SAVE},                                       \
		{"no-sandbox", no_argument, NULL, OPT_NO_SANDBOX},                                 \
		{"verbose", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'},             \
	{                                                                                          \
		"version", no_argument, NULL, 'V'                                                  \
	}

/* The lines of --help for them. */
extern const char common_help[];

/* getopt_long(), whose '?' ends the program. */
int next_option(int argc, char **argv, const char *letters, const struct option *names);

/* A decimal number from 0.001 to MAX as thousandths, seconds as milliseconds; further places are cut off. */
bool parse_thousandths(const char *text, uint64_t max, uint64_t *value);

/*
 * Takes option C with ARG; false when it is not a common one. Ends the program on -h, -V, -A help, -O help and
 * arguments that make no sense. HELP prints the tool's own.
 */
bool common_option(struct riommu_ctx *ctx, struct options *o, int c, const char *arg,
		   void (*help)(FILE *f));

/* A context whose messages go to stderr as "PROGRAM: message". */
struct riommu_ctx *tool_ctx(const struct options *o);

/*
 * Says on a terminal how many there were up to now, every so often, while standard output goes elsewhere; and takes that away. Messages
 * do that, too.
 */
#define PROGRESS_STEP 16384
void progress(const char *what, uint64_t count);
void progress_end(void);

/*
 * From now on the same of the pages that are read, for commands whose rows are few or come late: on a terminal beside text, too. So who
 * prints a row calls progress_end() first. JSON on a terminal has none.
 */
struct out;
void progress_of_pages(struct out *out);

/* "PROGRAM: MESSAGE" to stderr, unless it is what a context has just logged there. */
void print_message(const char *message);

/*
 * Reads a line without what ends it into LINE, NUL-terminated; of one that is longer than SIZE - 1 bytes only the beginning is
 * kept, so that a line without end needs no memory. *LEN is how long it was. False at the end of F, and after an error (ferror()).
 */
bool read_line(FILE *f, char *line, size_t size, size_t *len);

/* So long is no line: of bytes without end, like those of /dev/zero, one comes back after so many, and who reads gives up. */
#define NO_LINE ((size_t)64 << 20)

/*
 * The lines at PATH (kept), standard input if that is "-"; NULL and errno. Before it is waited for more of them all that was printed is
 * let go. A pipe or a terminal may be silent for ever: after two seconds it is said what is waited for.
 */
FILE *open_lines(const char *path);

/* --severity: from which severity on a finding makes the exit status 7. */
enum riommu_severity severity_option(const char *arg);

/* -- rights (sandbox.c) --------------------------------------------------------------------------------------- */

/* What can still be done, by what is still to do. Of several calls each takes away more. */
enum sandbox {
	SANDBOX_ASKING, /* as MAKING; the registers of this machine are opened to be written, too */
	SANDBOX_MAKING, /* as LOOKING; new files are made */
	SANDBOX_LOOKING, /* files of this machine are opened, to be read: memory and registers, too */
	SANDBOX_CREATING, /* files are opened, to be read; new ones are made */
	SANDBOX_READING,  /* files are opened, to be read */
	SANDBOX_SAVING,   /* the file of --save, which is open, gets its name */
	SANDBOX_CLOSED,   /* what is open is read and written, and that is all */
};

/*
 * Gives up all rights that LEVEL does not need, unless --no-sandbox: capabilities, supplementary groups, system calls. What cannot be
 * given up is kept. WORDS gets what came of it where -v asks for that.
 */
void sandbox(const struct options *o, enum sandbox level, FILE *words);

/* What open_system() needs, before the first byte from outside is looked at. MAKES: new files come besides --save. */
enum sandbox opening_level(const struct options *o, bool makes);

/* -- output ------------------------------------------------------------------------------------------------- */

/*
 * Where a command's results go. JSON is one object, written as it comes: lists stream, one small object at a time.
 * In text mode the json_* calls do nothing.
 */
struct out {
	bool json;
	bool opened;        /* the JSON envelope was begun */
	bool in_list;       /* a list of it is open */
	bool first_item;    /* of the list that is open */
	bool needs_iommus;  /* the schema wants a list of that name, which was not printed yet */
	enum status status; /* the worst so far, by the order of design 3.4 */
	size_t error_count;
	struct json_object *errors; /* their texts */
	struct riommu_ctx *ctx;
};

/* Whether JSON is written, in place of text. */
static inline bool in_json(const struct out *out)
{
	return JSON_BUILT_IN && out->json;
}

void out_init(struct out *out, struct riommu_ctx *ctx, bool json);

/* Begins the envelope: schema, tool, version, source. SYS may be NULL (explain). */
void out_begin(struct out *out, const char *schema, const struct riommu_system *sys);

/* Ends an envelope that was begun, whatever it holds so far: what is there is JSON, and not complete. Needs no memory. */
void out_abort(const char *why);

/* A member of the top object; OBJ is consumed. */
void out_member(struct out *out, const char *key, struct json_object *obj);

/* What an envelope says of where things come from. */
struct json_object *source_json(const struct riommu_system *sys);

/* What was printed goes out. False when that fails, or has failed: out_end() says why. */
bool out_flush(void);

/* Ends a program that has printed what it was asked for before it looked at anything: help, lists of what there is. */
_Noreturn void out_exit(void);

/* An object as a line of its own, for output that is a stream of them; OBJ is consumed. */
void out_line(struct json_object *obj);

/* A list member: begin, items (consumed), end. */
void out_list_begin(struct out *out, const char *key);
void out_item(struct out *out, struct json_object *obj);
void out_list_end(struct out *out);

/* Only where JSON is written: an item comes, which the caller prints itself. For lists of millions. */
void out_item_begin(struct out *out);
void out_item_text(struct out *out, const char *text, size_t len);

/* Replaces what is not printable ASCII by '?': words come from outside, and JSON must stay UTF-8. */
void printable(char *text);

/* Something went wrong: to stderr, into "errors", and into the exit status. ERR is a negative errno. */
void out_error(struct out *out, int err, const char *fmt, ...) RIOMMU_PRINTF(3, 4);

/*
 * Opens what the options name. When it cannot, the program ends with the right status, and, where JSON was asked for, with an
 * envelope of SCHEMA that says why (SCHEMA NULL: what follows has no envelope).
 */
struct riommu_system *open_system(struct out *out, const char *schema, const struct options *o);

/* From *INDEX on the next IOMMU that -u allows; false when there is none. */
bool next_chosen(const struct riommu_system *sys, const struct options *o, size_t *index);

/* Something is missing that changes no status: to stderr and into "errors", so that the output is not "complete". */
void out_incomplete(struct out *out, const char *fmt, ...) RIOMMU_PRINTF(2, 3);

/* A finding (status 7) that is a result and not an error: nothing is printed here. */
void out_status(struct out *out, enum status status);

/* What the envelope says of a source. */
struct json_object *source_json(const struct riommu_system *sys);

/* Ends the envelope ("complete", "errors"), checks that stdout took everything, gives the exit status. */
int out_end(struct out *out);

/* --save: a capture of what was read; what goes wrong is reported to OUT. CONFINED: nothing else will be opened (SANDBOX_SAVING). */
void save_capture(struct out *out, struct riommu_system *sys, const struct options *o,
		  bool confined);

/* While a file is made that goes by a temporary name: a signal that would end us does so when we release it. */
void hold_signals(void);
void release_signals(void);

/* Nobody comes back to finish what is being saved: its temporary file goes. May be called where a signal is handled. */
void save_given_up(void);

/* A layout decoded, in JSON: {"raw":"0x..", FIELD: ..., "reserved_set":"0x.." when not zero}. Flags are booleans, numbers numbers,
 * hex, addresses "0x..", enums their name (or the raw value as "0x.." where it has none). */
struct json_object *json_layout(const struct riommu_layout *layout, uint64_t value);

/* Appends the keys that these BITS have there, those of the fields in which they lie, each behind PREFIX. */
void json_field_names(struct json_object *list, const char *prefix,
		      const struct riommu_layout *layout, uint64_t bits);

/* What a field says, as print_layout() has it: "4 (3LVL)". */
#define FIELD_TEXT 64
void field_text(const struct riommu_field *field, uint64_t value, char text[FIELD_TEXT]);

/* The same as text: one line a field "  name  bits  value  meaning", indented by INDENT; reserved bits that are set are
 * pointed out. `all` false leaves out flags that are clear and numbers that are zero. */
void print_layout(FILE *f, const struct riommu_layout *layout, uint64_t value, int indent,
		  bool all);

/* TEXT as a block that begins at column INDENT and is broken between words so that it ends before column 80. The line is
 * already written up to COLUMN; where that is too far, the block begins on the next one. Ends the line. */
void print_wrapped(FILE *f, const char *text, size_t column, size_t indent);

/* "3LVL"; an encoding of ddtp.iommu_mode that has no name as the number it is. */
void mode_text(uint64_t ddtp, char *text, size_t size);

/* A text table (libsmartcols where it was built in). Columns are named once; cells are copied. */
struct table;
struct table *table_new(const char *const *columns,
			size_t count); /* a name that starts with '>' is right-aligned */
void table_row(struct table *t, const char *const *cells);
void table_print_free(struct table *t, FILE *f);
void table_free(struct table *t);

#endif
