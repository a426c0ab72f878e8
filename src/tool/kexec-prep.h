/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-kexec-prep: its commands, one file each (kexec-prep-NAME.c), and what they share. */
#ifndef KEXEC_PREP_H
#define KEXEC_PREP_H

#include "tool.h"
#include "handover/handover.h"

#define PREP_SCHEMA "iommu-kexec-prep/1"

/* --policy: for all IOMMUs, or for one by name. */
struct policy_option {
	char name[64]; /* "": all */
	enum riommu_policy policy;
};

/* What the program kexec said when it was asked. */
struct kexec_tools {
	char program[1024], version[160]; /* where it is, and what it says of itself; "" */
	int error;                        /* why it could not be asked */
};

struct prep {
	struct riommu_ctx *ctx;
	struct options options;
	struct riommu_system *sys; /* NULL for commands that need none (dtb, report) */
	struct out out;

	const char *output;            /* -o */
	const char *tree;              /* --in */
	const char *initrd;            /* --initrd */
	const char *append;            /* --append */
	bool load, panic;              /* -l, -p */
	bool plan;                     /* --plan */
	bool force;                    /* --force */
	enum riommu_severity severity; /* --severity: from here on it is a finding */
	struct policy_option policies[64];
	size_t policy_count;
	struct kexec_tools kexec; /* check */
};

struct prep_command {
	const char *name;
	const char *args; /* for the help */
	const char *help;
	bool offline; /* needs no IOMMU: sys is NULL */
	/* NULL, or what comes before rights are given up, and before the first byte from outside is looked at. */
	void (*before)(struct prep *p);
	/* ARGV holds the arguments behind the command's name. Reports through p->out. */
	void (*run)(struct prep *p, int argc, char **argv);
};

/* Of this machine: asks the program kexec for its version. */
void prep_check_before(struct prep *p);
void prep_check(struct prep *p, int argc, char **argv);
void prep_image(struct prep *p, int argc, char **argv);
void prep_dtb(struct prep *p, int argc, char **argv);
void prep_load(struct prep *p, int argc, char **argv);
void prep_report(struct prep *p, int argc, char **argv);

/* The IOMMUs that -u selects (all without it); false past the last. */
bool prep_next_iommu(const struct prep *p, size_t *index);

/* What --policy says of an IOMMU. */
enum riommu_policy prep_policy(const struct prep *p, const struct riommu_iommu *iommu);

/* It is not done unless it is forced: status 7, and the words. */
void prep_refuse(struct prep *p, const char *fmt, ...) RIOMMU_PRINTF(2, 3);

/* A text from outside: JSON has to stay UTF-8, whatever a path or a command line holds. */
struct json_object *prep_json_text(const char *text);

/* -- what can be known of a kernel before it runs (kexec-prep-kernel.c) --------------------------------------------- */

enum answer { ANSWER_UNKNOWN, ANSWER_YES, ANSWER_NO };
enum driver { DRIVER_PLATFORM, DRIVER_PCI };

struct kernel {
	char release[96];      /* "7.2.12+deb14-riscv64", "" when the Image does not say */
	enum answer driver[2]; /* by enum driver: does it have it? */
	/* what says so: the path of a configuration, or "the texts in the Image" */
	char evidence[256];
};

/* Looks for the driver: in the configuration that belongs to the kernel in the file PATH, else in the texts of BYTES. */
void kernel_learn(struct prep *p, const char *path, const void *bytes, size_t len,
		  struct kernel *k);

/* The initcall that COMMAND_LINE holds back and that DRIVER needs; NULL when none is. */
const char *kernel_driver_disabled(const char *command_line, enum driver driver);

/* Which driver an IOMMU needs. */
enum driver iommu_driver(const struct riommu_iommu *iommu);

/*
 * What the next kernel gets on its command line: --append, else what this kernel has, without BOOT_IMAGE= and, for the crash
 * kernel, without crashkernel=. The caller's to free(); NULL when it cannot be read.
 */
char *next_command_line(struct prep *p);

/* -- the running system (kexec-prep-kernel.c) ------------------------------------------------------------------------ */

/* A small file: the path of a parameter and TAIL, without its last newline. NULL: not to be read. The caller's to free(). */
char *read_text(struct prep *p, const char *key, const char *tail);

/* The file PATH could not be read: what is not there, or not for us, is not told. */
void tell_unread(struct prep *p, const char *path, int err);

/* "integrity", "confidentiality"; NULL: not locked down, or unknown. */
const char *lockdown_level(struct prep *p);

/* /sys/kernel/kexec_loaded, or kexec_crash_loaded. */
enum answer kernel_loaded(struct prep *p, bool crash);

/* -- Images (kexec-prep-image.c) ------------------------------------------------------------------------------------- */

/* A kernel as it was read: unpacked, maybe wrapped already. */
struct prep_kernel {
	const char *path;
	unsigned mode; /* of the file */
	enum riommu_packing packing;
	void *bytes;
	size_t len;
	struct riommu_image image;
	struct kernel known;
};

/* Reads the kernel PATH; false (reported) when it is none. */
bool prep_kernel_open(struct prep *p, const char *path, struct prep_kernel *k);
void prep_kernel_close(struct prep_kernel *k);

/* Why the next kernel must not find an IOMMU Off: it cannot drive it. NULL: nothing is known against it. */
const char *prep_driver_problem(const struct prep_kernel *k, const struct riommu_iommu *iommu,
				const char *command_line, char *words, size_t size);

/*
 * Wraps K in place for the IOMMUs that were found and chosen. COMMAND_LINE (NULL: not known) is what it will get. False
 * (reported, or refused without --force) when it does not go.
 */
bool prep_wrap(struct prep *p, struct prep_kernel *k, const char *command_line);

/* The device tree from PATH (NULL: that of this machine) with an empty record; NULL (reported) when it does not go. To free(). */
void *prep_tree(struct prep *p, const char *path, size_t *len);

/* "iommus" of JSON, or lines of text: what the stub in K does with each. */
void prep_show_table(struct prep *p, const struct riommu_image *image);

/* The name of the IOMMU at BASE, "" when it is not known here. */
const char *prep_name(const struct prep *p, uint64_t base);

/* -- the program kexec (kexec-prep-load.c) ------------------------------------------------------------------------------ */

/* Where it is: -O kexec.path, else PATH, /sbin, /usr/sbin; false when it is nowhere. */
bool kexec_find(const struct prep *p, char *path, size_t size);

#endif
