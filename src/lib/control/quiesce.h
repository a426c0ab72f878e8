/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control: blocks the DMA of an IOMMU, proves it, and takes it back (design 3.5; specification, 6.6 "ddtp" and the chapter of
 * software guidelines).
 *
 *     riommu_hw_open()          the way to the hardware; without WRITE nothing can be written through it
 *     riommu_quiesce_plan()     looks, writes nothing: what would be done, register by register
 *     riommu_quiesce_users()    who would lose a filesystem, swap or the network
 *     riommu_quiesce_prepare()  takes the lock, saves the state, locks the memory; writes no hardware
 *     riommu_quiesce_stage()    one stage over all IOMMUs, in the order of the enum
 *     riommu_quiesce_revert()   takes it back, in this process (--hold); nothing is allocated any more
 *     riommu_quiesce_close()
 *
 * and in another process: riommu_quiesce_open_undo(), riommu_quiesce_revert(), riommu_quiesce_close().
 *
 * No result is made up: a stage says what was read back, and the verdict comes from stage "verify" alone. What stays busy is
 * never written, and a stage that failed for one IOMMU does not keep the others from being blocked.
 */
#ifndef RIOMMU_QUIESCE_H
#define RIOMMU_QUIESCE_H

#include "discover/discover.h"

/* -- the way to the hardware -------------------------------------------------------------------------------------- */

/*
 * Everything that touches the machine goes through here, so that a simulation or a tracer can stand in. 0 or -errno: -EACCES
 * refused, -EFAULT the bus did not answer, -ENODATA (config space) that part of it cannot be read.
 */
struct riommu_hw_ops {
	/* A register; WIDTH 4 or 8 as the register table has it, 8 is two accesses. */
	int (*reg_read)(void *arg, uint64_t base, uint32_t offset, unsigned width, uint64_t *value);
	/* 4 bytes: a register, or one half of an 8-byte one. */
	int (*reg_write)(void *arg, uint64_t base, uint32_t offset, uint32_t value);
	/* The config space of a PCI function ("0000:00:01.0"); WIDTH 2 or 4. */
	int (*config_read)(void *arg, const char *function, unsigned offset, unsigned width,
			   uint32_t *value);
	int (*config_write)(void *arg, const char *function, unsigned offset, unsigned width,
			    uint32_t value);
	/* A clock, and a short wait between two polls. */
	uint64_t (*now_us)(void *arg);
	void (*pause)(void *arg);
	/* Keeps this process in memory: the disk that its program is on may be about to be cut off. */
	int (*lock_memory)(void *arg);
};

struct riommu_hw {
	const struct riommu_hw_ops *ops;
	void *arg;
	void (*close)(struct riommu_hw *hw); /* NULL: nothing to free */
};

/*
 * This machine: registers through a source, config space through sysfs. WRITE false: registers are read as SYS reads them, and
 * every write is refused with -EACCES. WRITE true: /dev/mem opened for writing; -EACCES when the system does not allow it.
 */
int riommu_hw_open(struct riommu_system *sys, bool write, struct riommu_hw **hw);
void riommu_hw_close(struct riommu_hw *hw); /* NULL is fine */

/* One write, as a tracer sees it and as a plan announces it. */
struct riommu_hw_write {
	char function[64]; /* config space of this function; "": a register */
	uint64_t base;     /* of the IOMMU, for a register */
	uint32_t offset;
	unsigned width; /* bytes: 2 or 4 */
	uint32_t value;
};

/* Tells WROTE of each write before it goes on to LOWER. LOWER stays the caller's; close the tracer first. */
int riommu_hw_trace(struct riommu_hw *lower,
		    void (*wrote)(void *arg, const struct riommu_hw_write *w), void *arg,
		    struct riommu_hw **trace);

/* -- what is asked for -------------------------------------------------------------------------------------------- */

enum riommu_stage {
	RIOMMU_STAGE_STOP,   /* PCI bus mastering off */
	RIOMMU_STAGE_DRAIN,  /* PCIe Transactions Pending is 0 */
	RIOMMU_STAGE_BLOCK,  /* ddtp -> Off */
	RIOMMU_STAGE_QUEUES, /* handover only */
	RIOMMU_STAGE_VERIFY, /* registers read back */
	RIOMMU_STAGE_COUNT
};

/* "stop", "drain", "block", "queues", "verify" */
const char *riommu_stage_name(enum riommu_stage stage);

struct riommu_quiesce_args {
	const size_t *iommus; /* indexes into sys->iommus; NULL: all of them */
	size_t iommu_count;
	unsigned skip; /* 1 << enum riommu_stage */
	bool handover; /* also stage queues, which is final */
	/* PCI functions whose bus mastering is left alone, as sysfs calls them */
	const char *const *keep;
	size_t keep_count;
	/* for each stage of each IOMMU; of stage queues, a third for each queue */
	unsigned timeout_ms;
	/* Only the functions are looked at, no register: enough for riommu_quiesce_users(). Such a plan cannot be prepared. */
	bool no_registers;
};

/* -- what came of it ---------------------------------------------------------------------------------------------- */

/* How it ended for one object: the greater the worse. */
enum riommu_outcome {
	RIOMMU_OUTCOME_NOT_RUN,
	RIOMMU_OUTCOME_SKIPPED,     /* by args.skip, or queues without handover */
	RIOMMU_OUTCOME_NOTHING,     /* there was nothing to do: it is so already */
	RIOMMU_OUTCOME_DONE,        /* read back */
	RIOMMU_OUTCOME_CANNOT_TELL, /* drain: no PCIe capability, so nobody knows */
	RIOMMU_OUTCOME_LEFT_OUT,    /* not tried because an earlier stage failed */
	RIOMMU_OUTCOME_TIMEOUT,     /* still busy, or still pending, when the time was up */
	RIOMMU_OUTCOME_NOT_TAKEN,   /* reads back as something else, or came back */
	RIOMMU_OUTCOME_DEAD,        /* all ones, or the bus did not answer */
	RIOMMU_OUTCOME_REFUSED,     /* by the system */
	RIOMMU_OUTCOME_FAILED,      /* any other error: the state could not be saved, ... */
};

/* "done", "timed_out", ...: as in JSON */
const char *riommu_outcome_name(enum riommu_outcome outcome);

/* One stage of one IOMMU. OUTCOME is that of the worst object, which OBJECT, REG and WORDS are about. */
struct riommu_stage_result {
	enum riommu_outcome outcome;
	int err; /* 0; -ETIMEDOUT (TIMEOUT, NOT_TAKEN, DEAD, LEFT_OUT), -EACCES (REFUSED), other -errno (FAILED) */
	char object[64];        /* the IOMMU or the function */
	char reg[24];           /* "ddtp", "cqcsr", "COMMAND", ... ; "" when it is not about one */
	char words[192];        /* what happened */
	unsigned reads, writes; /* register and config accesses; an 8-byte register is one */
	uint64_t microseconds;
};

enum riommu_verdict {
	RIOMMU_VERDICT_UNKNOWN, /* verify did not run */
	RIOMMU_VERDICT_BLOCKED, /* ddtp Off and not busy; with handover, the queues off, too */
	RIOMMU_VERDICT_OPEN,    /* not so */
	RIOMMU_VERDICT_DEAD,    /* no answer: never "blocked" */
};
const char *riommu_verdict_name(enum riommu_verdict verdict);

enum riommu_function_kind {
	RIOMMU_FUNCTION_MASTER, /* bus mastering is on: stop will clear it */
	RIOMMU_FUNCTION_QUIET,  /* it is off already */
	RIOMMU_FUNCTION_KEPT,   /* args.keep */
	RIOMMU_FUNCTION_BRIDGE, /* header type is not 0: others live behind it */
	RIOMMU_FUNCTION_IOMMU,  /* an IOMMU itself: it reads its tables by mastering */
	RIOMMU_FUNCTION_PLATFORM, /* not PCI: nothing to stop it with; block refuses its DMA all the same */
	RIOMMU_FUNCTION_UNKNOWN, /* config space does not answer, or all ones */
};
const char *riommu_function_kind_name(enum riommu_function_kind kind);

struct riommu_quiesce_function {
	char name[64];
	char driver[32];
	size_t iommu; /* index into riommu_quiesce.iommus */
	enum riommu_function_kind kind;
	uint16_t command_old, command_new; /* COMMAND; the same where nothing is to be done */
	uint16_t pcie; /* config offset of its PCIe capability, 0: none, or it cannot be read */
	enum riommu_outcome stop, drain; /* of this function */
	bool came_back;                  /* bus mastering was on again at verify */
	/* why its config space could not be read, or not all of it; "": it was, or it does not answer */
	char reason[128];
};

struct riommu_quiesce_iommu {
	size_t index; /* into sys->iommus; RIOMMU_NO_IOMMU when undo found it only in the state file */
	char name[64];
	uint64_t base;
	uint64_t capabilities;
	uint64_t ddtp_old, ddtp_new;        /* the same when it is Off already */
	uint32_t cqcsr, fqcsr, pqcsr, ipsr; /* as found */
	struct riommu_stage_result result[RIOMMU_STAGE_COUNT];
	enum riommu_verdict verdict;
	uint64_t ddtp_read; /* by verify */
};

/* A write that is going to be made, in order. */
struct riommu_quiesce_write {
	enum riommu_stage stage;
	const char *object; /* name of the IOMMU or function */
	const char *reg;    /* "COMMAND", "ddtp", "cqcsr", "msi_vec_ctl_0", "ipsr", ... */
	uint32_t old;       /* of the word that is written */
	struct riommu_hw_write write;
};

/* Fields are read-only for callers. */
struct riommu_quiesce {
	struct riommu_ctx *ctx;
	bool undo; /* opened by riommu_quiesce_open_undo() */
	bool handover;
	bool memory_locked; /* after prepare; false: the caller may not want to cut off the disk it runs from */
	unsigned skip;
	unsigned timeout_ms;
	struct riommu_quiesce_iommu *iommus;
	size_t iommu_count;
	/* all devices behind the IOMMUs, platform ones and bridges too */
	struct riommu_quiesce_function *functions;
	size_t function_count;
	struct riommu_quiesce_write *writes; /* in order; for undo: what it will restore */
	size_t write_count;
	char state_file[256]; /* where it is kept */
	struct riommu_quiesce_inside *inside;
};

/* Told once for each object of each stage, when it is through with it. */
struct riommu_progress {
	enum riommu_stage stage;
	const char *iommu;  /* its name */
	const char *object; /* the IOMMU or the function */
	const char *reg;    /* "" when it is not about one */
	enum riommu_outcome outcome;
	const char *words; /* "0x60cbd404 -> 0x60cbd400", "bus mastering 0x506 -> 0x502", ... */
	unsigned reads, writes;
	uint64_t microseconds;
};
typedef void (*riommu_progress_fn)(void *arg, const struct riommu_progress *p);

/* -- doing it ----------------------------------------------------------------------------------------------------- */

/*
 * Reads what is there and works out what to do. Writes nothing: neither hardware nor a file. -EACCES when registers cannot be
 * read, -EFAULT when an IOMMU does not answer or answers all ones, -EBADMSG when capabilities are not those of an IOMMU,
 * -EINVAL when args.keep names no device. *Q is the caller's to close.
 */
int riommu_quiesce_plan(struct riommu_system *sys, struct riommu_hw *hw,
			const struct riommu_quiesce_args *args, struct riommu_quiesce **q);

/*
 * Before the first write: the lock (-EBUSY: another run has it), the state saved and synced, memory locked. An earlier state of
 * this boot is taken over: what is restored in the end is what was there before the first run. Writes no hardware.
 */
int riommu_quiesce_prepare(struct riommu_quiesce *q);

/*
 * Runs STAGE. Returns 0 or the error of the worst result (riommu_stage_result.err, in the order -EACCES, other, -ETIMEDOUT);
 * the caller goes on with the next stage either way. -EINVAL before prepare.
 */
int riommu_quiesce_stage(struct riommu_quiesce *q, enum riommu_stage stage,
			 riommu_progress_fn progress, void *arg);

/*
 * Opens the state of an earlier run for undo. Checks boot_id, and for each IOMMU (args: iommus, timeout_ms; others are ignored)
 * base, capabilities, cqb, fqb and ddtp, and takes the lock. -ENOENT: nothing to undo; -EBUSY: locked; -ESTALE: something is not
 * as we left it, nothing will be changed; -EPERM: handover was done: its queues cannot be given back; -EBADMSG: damaged file.
 */
int riommu_quiesce_open_undo(struct riommu_system *sys, struct riommu_hw *hw,
			     const struct riommu_quiesce_args *args, struct riommu_quiesce **q);

/*
 * Takes back what was done: ddtp (stage block), read back (verify), then bus mastering of what we cleared (stop). Results are in
 * riommu_quiesce_iommu.result, which is cleared first. The state is removed only when all of it worked. After open_undo() it
 * checks as that does, and changes nothing when one IOMMU does not fit; after stages of this process it leaves out the one.
 */
int riommu_quiesce_revert(struct riommu_quiesce *q, riommu_progress_fn progress, void *arg);

/* Gives up the lock; the state file stays. NULL is fine. */
void riommu_quiesce_close(struct riommu_quiesce *q);

/* -- who would be cut off ----------------------------------------------------------------------------------------- */

enum riommu_user_kind { RIOMMU_USER_MOUNT, RIOMMU_USER_SWAP, RIOMMU_USER_NETWORK };

struct riommu_user {
	enum riommu_user_kind kind;
	const char *function; /* the device, as in riommu_quiesce.functions */
	char name[64];        /* "nvme0n1p1", "eth0" */
	char where[128];      /* where it is mounted; "" for others */
};

/*
 * Calls FOUND for each mounted filesystem, swap area and interface that is up whose device the plan would cut off; non-zero from
 * it ends the search and is returned. Reads /proc/self/mountinfo, /proc/swaps, /sys/dev/block, /sys/class/block and /sys/class/net
 * (parameters proc.path and sysfs.path). A list that cannot be read is an error: silence must not mean "nobody".
 */
int riommu_quiesce_users(const struct riommu_quiesce *q,
			 int (*found)(void *arg, const struct riommu_user *user), void *arg);

/* -- the other way, for an IOMMU that is a PCI function ---------------------------------------------------------- */

/* Removes it from the running kernel (/sys/bus/pci/devices/NAME/remove): the driver itself then writes Off, and it stays Off over
 * a kexec. Cannot be taken back by us. -EINVAL when it is no PCI function. */
int riommu_iommu_remove(struct riommu_system *sys, size_t iommu);

#endif
