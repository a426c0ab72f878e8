/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control, inside: the state that outlives a run, and one stage of one IOMMU while it is at work. */
#ifndef RIOMMU_CONTROL_INTERNAL_H
#define RIOMMU_CONTROL_INTERNAL_H

#include "control/quiesce.h"

/* Bits that are the same in cqcsr, fqcsr and pqcsr (specification, 6.10 to 6.12). */
#define CSR_EN   ((uint32_t)1 << 0)
#define CSR_IE   ((uint32_t)1 << 1)
#define CSR_ON   ((uint32_t)1 << 16)
#define CSR_BUSY ((uint32_t)1 << 17)

/* Of cqcsr: cqmf, cmd_to, cmd_ill. With one of them set no command is carried out any more. */
#define CQCSR_STOPPED ((uint32_t)0x700)

#define DDTP_MODE     ((uint64_t)0xf)
#define TR_REQ_GO     ((uint64_t)1 << 0)
#define IPSR_OURS     ((uint32_t)0xf) /* cip, fip, pmip, pip */
#define VECTOR_MASKED ((uint32_t)1)

/* PCI config space. */
#define PCI_VENDOR         0x00
#define PCI_COMMAND        0x04
#define PCI_COMMAND_MASTER ((uint32_t)1 << 2)
#define PCI_STATUS         0x06
#define PCI_STATUS_CAPS    ((uint32_t)1 << 4)
#define PCI_CLASS          0x0a
#define PCI_CLASS_IOMMU    0x0806
#define PCI_HEADER         0x0e
#define PCI_SUBSYSTEM      0x2c
#define PCI_CAPABILITIES   0x34
#define PCI_CAP_EXPRESS    0x10
#define PCI_EXP_STATUS     0x0a
#define PCI_EXP_PENDING    ((uint32_t)1 << 5)

/* -- state.c: what outlives a run ------------------------------------------------------------------------------ */

/*
 * The file is for this boot of this machine only, so it is these structs as they are. Each hardware write is announced in it
 * before it is made ("touched"), by storing one aligned word: whenever the process is killed, the file names everything that
 * may have been written, and what was there before. Whether it really was is read from the hardware.
 */
struct state_head {
	char magic[16];
	uint32_t version, iommu_count, function_count, zero;
	char boot_id[48];
};

struct state_iommu {
	char name[64];
	uint64_t base, capabilities, ddtp_old, ddtp_new, cqb, fqb;
	/* the registers below 0x60, word by word; those that do not exist are 0 */
	uint32_t below[24];
	uint32_t ddtp_touched;   /* to be restored by undo */
	uint32_t queues_touched; /* final */
};

struct state_function {
	char name[64];
	uint64_t base; /* of its IOMMU */
	uint32_t id;   /* control_function_id(): another one in this slot is none of our business */
	uint32_t command; /* before we cleared bus mastering */
	uint32_t touched;
	uint32_t zero;
};

struct state {
	struct riommu_ctx *ctx;
	char directory[200], path[256];
	int lock_fd, fd;
	size_t size;
	struct state_head *head; /* one block of SIZE bytes: head, IOMMUs, functions */
	struct state_iommu *iommus;
	struct state_function *functions;
};

/* Where it is, by the parameters; nothing is opened. */
int control_state_init(struct state *s, struct riommu_ctx *ctx);
/* -EBUSY when another process has it. With CREATE the directory is made, else -ENOENT when it is not there. */
int control_state_lock(struct state *s, bool create);
/* An empty one for this boot, in memory. */
int control_state_new(struct state *s, size_t iommus, size_t functions);
/* The one on disk, checked. -ENOENT, -EBADMSG, -ESTALE (of another boot). */
int control_state_load(struct state *s);
/* Writes all of it, under its name only when complete, and opens it for control_state_set(). */
int control_state_save(struct state *s);
int control_state_open(struct state *s);
/* Sets one word of it, in memory and on disk, and waits until it is there. Allocates nothing. */
int control_state_set(struct state *s, uint32_t *word, uint32_t value);
/* The same for 8 bytes, which a kill may tear: only for what means nothing yet. */
int control_state_set64(struct state *s, uint64_t *number, uint64_t value);
/* True when nothing in it is touched. */
bool control_state_idle(const struct state *s);
int control_state_remove(struct state *s);
void control_state_end(struct state *s);

struct riommu_quiesce_inside {
	struct riommu_system *sys;
	struct riommu_hw *hw;
	struct state state;
	struct state_iommu **records;             /* of each of q->iommus; once prepared */
	struct state_function **function_records; /* of each of q->functions; NULL: never written */
	uint32_t *slots;   /* indexes plus 1 into q->functions, by their names' hash; 0: free */
	size_t slot_count; /* a power of two */
	bool prepared, no_registers;
};

/* -- job.c: one stage of one IOMMU ----------------------------------------------------------------------------- */

struct job {
	struct riommu_quiesce *q;
	struct riommu_quiesce_iommu *iommu;
	struct riommu_stage_result *result;
	enum riommu_stage stage;
	uint64_t deadline, began, object_began;
	/* between the last control_patience(), or the beginning, and the deadline */
	unsigned patience_ms;
	unsigned reads, writes; /* of the object so far */
	riommu_progress_fn progress;
	void *arg;
};

void control_job_begin(struct job *job, struct riommu_quiesce *q,
		       struct riommu_quiesce_iommu *iommu, enum riommu_stage stage,
		       riommu_progress_fn progress, void *arg);
void control_job_end(struct job *job);

/* What an access that ended with ERR (0, -errno) comes to: DONE, REFUSED, DEAD or FAILED. */
enum riommu_outcome control_outcome_of(int err);

/* All answer with an outcome: DONE, or why not (DEAD for all ones, too). */
enum riommu_outcome control_read(struct job *job, uint32_t offset, uint64_t *value);
enum riommu_outcome control_write(struct job *job, uint32_t offset, uint32_t old, uint32_t value);
enum riommu_outcome control_config_read(struct job *job, const char *function, unsigned offset,
					uint32_t *value);
enum riommu_outcome control_config_write(struct job *job, const char *function, unsigned offset,
					 uint32_t old, uint32_t value);
/*
 * Reads until none of MASK is set: DONE, TIMEOUT, or as control_read(). Before a write for control_before_ms() at the most, so that
 * what is begun has as long to end: what times out is not written again.
 */
enum riommu_outcome control_wait_before(struct job *job, uint32_t offset, uint64_t mask,
					uint64_t *value);
enum riommu_outcome control_wait_after(struct job *job, uint32_t offset, uint64_t mask,
				       uint64_t *value);

static inline unsigned control_before_ms(const struct job *job)
{
	return job->patience_ms / 2;
}

/* Announces a write in the state. FAILED: then it must not be made. */
enum riommu_outcome control_touch(struct job *job, uint32_t *word);

/* The object is through: to the caller, and into the result of the stage. Returns OUTCOME. */
enum riommu_outcome control_report(struct job *job, const char *object, const char *reg,
				   enum riommu_outcome outcome, const char *fmt, ...)
	RIOMMU_PRINTF(5, 6);
/* The words for an outcome of control_read() and its like that needs no more said. */
enum riommu_outcome control_report_bad(struct job *job, const char *object, const char *reg,
				       enum riommu_outcome outcome);

/* Gives what comes next one of PARTS of the stage's time, from now: what came before cannot have used it up. */
void control_patience(struct job *job, unsigned parts);

bool control_time_is_up(const struct job *job);
void control_pause(const struct job *job);

/* The error that a result of OUTCOME counts as, and the worse of two of them. */
int control_error_of(enum riommu_outcome outcome);
int control_worse(int a, int b);

/* -- plan.c ------------------------------------------------------------------------------------------------------ */

/* What the queues stage writes: the one list that plan and stage both go by. */
struct queue_csr {
	uint32_t offset;
	const char *reg;
	bool ats_only;
};
#define QUEUE_COUNT 3
extern const struct queue_csr control_queues[QUEUE_COUNT]; /* in the order of stopping: FQ last */

static inline bool queue_runs(uint32_t csr)
{
	return csr & (CSR_EN | CSR_IE | CSR_ON);
}

/* The message vectors that this IOMMU uses, one bit each; 0 when it has wires. */
unsigned control_vectors(uint64_t capabilities, uint32_t fctl, uint64_t icvec);

static inline uint32_t vector_ctl(unsigned vector)
{
	return RIOMMU_REG_MSI_CFG_TBL + 16 * vector + 12;
}

/* "COMMAND", "ddtp", ...: as the register table has it. */
const char *control_reg_name(uint32_t offset);

/* An empty plan for COUNT IOMMUs and FUNCTIONS devices; riommu_quiesce_close() frees it. */
int control_plan_new(struct riommu_system *sys, struct riommu_hw *hw,
		     const struct riommu_quiesce_args *args, size_t count, size_t functions,
		     struct riommu_quiesce **q);
/* Looks at a function: kind, COMMAND, capability. */
void control_look_at_function(struct riommu_quiesce *q, struct riommu_quiesce_function *f);
/*
 * What tells one function in a slot from another: device and vendor; of a virtual function, where both are all ones (SR-IOV),
 * those of its subsystem. All ones: it does not answer. *READS grows by what was read. 0, or as config_read() answers.
 */
int control_function_id(struct riommu_quiesce *q, const char *function, uint32_t *id,
			unsigned *reads);
void control_plan_write(struct riommu_quiesce *q, const struct riommu_quiesce_write *w);

/* -- stages.c: ddtp, for both directions --------------------------------------------------------------------------- */

/* Waits until ddtp may be written; *DDTP is what it is then. Anything but DONE has been reported. */
enum riommu_outcome control_before_ddtp(struct job *job, uint64_t *ddtp);
/* Writes its lower word, waits, reads back, reports. OLD and NEW differ in the lower word only. */
enum riommu_outcome control_write_ddtp(struct job *job, uint64_t old, uint64_t new);

#endif
