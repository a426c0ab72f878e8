/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The check of one IOMMU, shared by the files of this room: one file for each thing that is looked at. */
#ifndef RIOMMU_CHECK_INTERNAL_H
#define RIOMMU_CHECK_INTERNAL_H

#include "base/set.h"
#include "check/check.h"
#include "queue/queue.h"
#include "walk/mappings.h"

/* The rules, in the order of the table. */
enum check_rule {
	CHECK_CAPABILITIES_VERSION,
	CHECK_CAPABILITIES_IGS,
	CHECK_CAPABILITIES_MODES,
	CHECK_FCTL_WSI,
	CHECK_REGISTER_RESERVED,
	CHECK_REGISTER_BUSY,
	CHECK_DDTP_OFF,
	CHECK_DDTP_BARE,
	CHECK_DDTP_MODE,
	CHECK_DDTP_ROOT,
	CHECK_CQ_MEMORY_FAULT,
	CHECK_CQ_TIMEOUT,
	CHECK_CQ_ILLEGAL,
	CHECK_CQ_STUCK,
	CHECK_FQ_MEMORY_FAULT,
	CHECK_FQ_OVERFLOW,
	CHECK_FQ_OFF,
	CHECK_PQ_MEMORY_FAULT,
	CHECK_PQ_OVERFLOW,
	CHECK_QUEUE_NOT_ON,
	CHECK_QUEUE_BASE,
	CHECK_QUEUE_INDEX,
	CHECK_INTERRUPT_DISABLED,
	CHECK_INTERRUPT_MASKED,
	CHECK_INTERRUPT_ADDRESS,
	CHECK_INTERRUPT_LOST,
	CHECK_INTERRUPT_PENDING,
	CHECK_DDT_ROOT_ZERO,
	CHECK_DDT_RESERVED,
	CHECK_DDT_ADDRESS,
	CHECK_DDT_LOOP,
	CHECK_MEMORY_CORRUPT,
	CHECK_DC_RESERVED,
	CHECK_DC_ATS,
	CHECK_DC_T2GPA_ATS,
	CHECK_DC_PRI_ATS,
	CHECK_DC_PRPR_PRI,
	CHECK_DC_T2GPA,
	CHECK_DC_T2GPA_STAGE,
	CHECK_DC_PDTP_MODE,
	CHECK_DC_FSC_MODE,
	CHECK_DC_FSC_64,
	CHECK_DC_FSC_32,
	CHECK_DC_DPE,
	CHECK_DC_HGATP_MODE,
	CHECK_DC_HGATP_64,
	CHECK_DC_HGATP_32,
	CHECK_DC_MSIPTP_MODE,
	CHECK_DC_HGATP_ALIGNMENT,
	CHECK_DC_AD,
	CHECK_DC_END,
	CHECK_DC_SXL,
	CHECK_DC_SBE,
	CHECK_DC_MSIPTP_STAGE,
	CHECK_DC_ADDRESS,
	CHECK_DC_DTF,
	CHECK_IDENTITY,
	CHECK_PDT_RESERVED,
	CHECK_PDT_ADDRESS,
	CHECK_PDT_LOOP,
	CHECK_PC_RESERVED,
	CHECK_PC_MODE,
	CHECK_PC_UNSUPPORTED,
	CHECK_PC_ADDRESS,
	CHECK_MSI_ALIGNMENT,
	CHECK_MSI_RESERVED,
	CHECK_MSI_MODE,
	CHECK_MSI_MRIF,
	CHECK_MSI_CUSTOM,
	CHECK_MSI_ADDRESS,
	CHECK_PSCID_CONFLICT,
	CHECK_GSCID_CONFLICT,
	CHECK_TABLES_SEVERAL_IDS,
	CHECK_DEVICE_NO_CONTEXT,
	CHECK_CONTEXT_NO_DEVICE,
	CHECK_PTE_MALFORMED,
	CHECK_PTE_UNUSABLE,
	CHECK_PTE_WX,
	CHECK_PTE_ADDRESS,
	CHECK_TABLE_ADDRESS,
	CHECK_TABLE_LOOP,
	CHECK_REACH_KERNEL,
	CHECK_REACH_TABLES,
	CHECK_REACH_QUEUES,
	CHECK_REACH_CRASH,
	CHECK_REACH_RESERVED,
	CHECK_RULES,
};
_Static_assert(CHECK_RULES == RIOMMU_RULE_COUNT, "each rule has a name");

/* How far a rule has got. */
struct check_tally {
	bool judged; /* there was something to look at */
	int error;   /* something could not be looked at, and why */
	char reason[200];
	uint64_t found, told;
};

struct check {
	const struct riommu_system *sys;
	size_t index; /* of the IOMMU */
	const struct riommu_iommu *iommu;
	const struct riommu_check_args *args;
	struct riommu_walker w;
	unsigned pas;       /* bits of a physical address */
	uint64_t max_pages; /* -O max-pages */
	int error;          /* -ENOMEM: the check ends with it */
	struct check_tally tally[CHECK_RULES];
};

/* What a finding is about. */
struct check_object {
	bool has_device, has_process, has_address;
	uint32_t device_id, process_id;
	uint64_t address;
	uint64_t count; /* 0 is 1 */
};

/* There is something that RULE can look at: it passes unless it finds something. */
void check_judge(struct check *c, enum check_rule rule);

/* RULE found something. ABOUT may be NULL: the IOMMU itself. */
void check_report(struct check *c, enum check_rule rule, const struct check_object *about,
		  const char *fmt, ...) RIOMMU_PRINTF(4, 5);

/* RULES FIRST to LAST cannot look at (all of) what they should; ERR is a negative errno. The first reason is kept. */
void check_cannot(struct check *c, enum check_rule first, enum check_rule last, int err,
		  const char *fmt, ...) RIOMMU_PRINTF(5, 6);

/* The value of a register; when it is not known, rules FIRST to LAST cannot do without it. */
bool check_register(struct check *c, enum check_rule first, enum check_rule last, uint32_t offset,
		    uint64_t *value);

/* The same for a register that an IOMMU need not have: false without a word where it does not. */
bool check_optional(struct check *c, enum check_rule rule, uint32_t offset, uint64_t *value);

/*
 * A second look at a register of a live machine, 20 ms later: true with the value that it has now. False where there is none: a
 * capture does not change, and neither does what was given by hand.
 */
bool check_later(const struct check *c, uint32_t offset, uint64_t *value);

/* ADDRESS (of SIZE bytes) reaches past the physical address space. */
bool check_past_pas(const struct check *c, uint64_t address, uint64_t size);

/* "cannot be read: ..." in words, for a read that ended with ERR. */
const char *check_error_words(int err);

/* LIST with room for one more behind COUNT, maybe elsewhere. NULL: memory is out, the check ends; LIST is as it was. */
void *check_grow(struct check *c, void *list, size_t count, size_t *room, size_t size);

/* -- what is looked at, a function each ------------------------------------------------------------------------- */

void check_registers(struct check *c);  /* registers.c: capabilities, fctl, ddtp, reserved bits */
void check_queues(struct check *c);     /* queues.c: the three queues */
void check_interrupts(struct check *c); /* interrupts.c */

/* These need the walker. */
void check_directory(
	struct check *c);            /* directory.c: both kinds, and all that hangs on a context */
void check_devices(struct check *c); /* devices.c: devices against contexts */
void check_spaces(struct check *c);  /* spaces.c: page tables, and what devices reach */

/* contexts.c: what a context says by itself. False: it is misconfigured, so nothing behind it counts. */
bool check_dc(struct check *c, const struct riommu_dc *dc);
bool check_pc(struct check *c, const struct riommu_dc *dc, const struct riommu_pc *pc);

/* msi.c: MSI page tables; each is looked at once. */
struct check_msi {
	struct base_set seen;
	uint64_t pages; /* of tables so far */
};
void check_msi(struct check *c, struct check_msi *msi, const struct riommu_dc *dc);

/* How many pages the MSI page table of a context has, as its mask claims: masks can lie. 0: there is none. */
uint64_t check_msi_pages(const struct riommu_dc *dc);

/* ids.c: tags of the caches, gathered context by context and compared at the end. PC NULL: the context of the device itself. */
struct check_tag;
struct check_ids {
	struct check_tag *tags;
	size_t count, room;
	bool full;
};
void check_ids_add(struct check *c, struct check_ids *ids, const struct riommu_dc *dc,
		   const struct riommu_pc *pc);
void check_ids_compare(struct check *c, struct check_ids *ids);

/* ranges.c: memory that devices must not reach. */
struct check_range {
	uint64_t start, last; /* inclusive */
};

struct check_target {
	enum check_rule rule;
	const char *name;           /* "Kernel code", "page tables" */
	struct check_range *ranges; /* sorted and merged */
	size_t count, room;
};

/* The IOMMU's own, and regions of the machine's memory map. */
enum {
	CHECK_DIRECTORIES,
	CHECK_PAGE_TABLES,
	CHECK_MSI_TABLES,
	CHECK_COMMAND_QUEUE,
	CHECK_FAULT_QUEUE,
	CHECK_REQUEST_QUEUE,
	CHECK_KERNEL_CODE,
	CHECK_KERNEL_RODATA,
	CHECK_CRASH_KERNEL,
	CHECK_RESERVED,
	CHECK_TARGETS,
};

struct check_ranges {
	struct check_target targets[CHECK_TARGETS];
	struct check_target any; /* all of them: most mappings are in none */
};
void check_ranges_build(struct check *c, struct check_ranges *r);
void check_ranges_free(struct check_ranges *r);

/* The first range of T that does not end before START; T->count when all do. */
size_t check_target_find(const struct check_target *t, uint64_t start);

/* True if START..LAST touches a range of T. */
bool check_target_hit(const struct check_target *t, uint64_t start, uint64_t last);

/* An object: a device, or one of its processes. */
struct check_object check_device(const struct riommu_dc *dc);
struct check_object check_process(const struct riommu_dc *dc, const struct riommu_pc *pc);

#endif
