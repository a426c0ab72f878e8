/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk: what the IOMMU would do with a request, done in software over a source of memory: device directory,
 * process directory, first stage, second stage, MSI page tables (specification, 3.3 "Process to translate an
 * IOVA"; Privileged ISA, chapters on Sv39 and on two-stage translation; AIA, MSI page tables).
 *
 * All memory that is walked is hostile. Levels are bounded by the modes, so a walk reads at most
 * 3 + 3 * 6 + 5 * 6 + 6 entries whatever it finds; addresses are checked against PAS; nothing is allocated.
 */
#ifndef RIOMMU_WALK_H
#define RIOMMU_WALK_H

#include "discover/discover.h"
#include "spec/causes.h"
#include "spec/request.h"
#include "spec/structures.h"

/* One IOMMU as the walk sees it: three registers, two facts that no register shows, and memory. */
struct riommu_walker {
	struct riommu_source *memory; /* NULL: none is to be had; memory_error says why */
	int memory_error;
	uint64_t capabilities;
	uint64_t ddtp;
	uint32_t fctl;
	bool gxl_writable;    /* fctl.GXL can be written: tc.SXL is free where GXL is 0 */
	bool be_writable;     /* fctl.BE can be written: tc.SBE is free */
	bool absent_is_fault; /* memory that the source does not hold is memory that does not exist */
};

/*
 * Fills WALKER from the register snapshot and the parameters of SYS. -ENODATA when capabilities, fctl or ddtp is not known:
 * *MISSING_REGISTER then names it (design 3.2: a walk needs all three).
 */
int riommu_walker_init(struct riommu_walker *walker, const struct riommu_system *sys, size_t iommu,
		       const char **missing_register);

enum riommu_response { RIOMMU_RESPONSE_UR, RIOMMU_RESPONSE_CA, RIOMMU_RESPONSE_SUCCESS };
enum riommu_msi { RIOMMU_MSI_NONE, RIOMMU_MSI_FLAT, RIOMMU_MSI_MRIF };

/* What became of a request. Fields of other results are zero. (In an order without gaps: all of it is cleared for each request.) */
struct riommu_translation {
	enum riommu_result result;

	/* ok */
	enum riommu_memory_type memory_type;
	uint64_t pa;
	uint64_t page_size; /* bytes, a power of two; 0: no stage limits it */
	uint64_t mrif_address;
	uint32_t notice_id;
	enum riommu_msi msi;
	bool has_permissions; /* false: translated requests, ddtp Bare, MRIF other than for ATS */
	uint8_t permissions;  /* RIOMMU_PERM_* that both stages grant */
	bool ats_privileged, ats_global, ats_untranslated_only;

	/* fault */
	bool reported; /* would an enabled, empty fault queue receive it */
	uint16_t cause;
	uint64_t iotval, iotval2;
	enum riommu_response response; /* what the device is told */

	/*
	 * unknown: the entry at MISSING is not held; ERROR says why (-ENODATA, -EACCES, ...). -EBADMSG: nothing is
	 * missing, but ddtp.iommu_mode is an encoding that is not defined, as `reason` says
	 */
	int error;
	uint64_t missing;

	/* fault or unknown: the entry that decided is the last step */
	const char *reason; /* which rule decided, in words; a static string */

	bool changed; /* riommu_translate_live(): tables changed meanwhile */
};

enum riommu_structure {
	RIOMMU_S_DDTE,
	RIOMMU_S_DC,
	RIOMMU_S_PDTE,
	RIOMMU_S_PC,
	RIOMMU_S_PTE,
	RIOMMU_S_GPTE,
	RIOMMU_S_MSI_PTE
};

/* An entry that the walk read (or tried to). */
struct riommu_step {
	enum riommu_structure structure;
	uint8_t level; /* 0 is the leaf level */
	uint8_t size;  /* bytes of the entry */
	uint8_t count; /* of value[]: 0 when the read failed; a 4-byte PTE is one value */
	bool implicit; /* GPTE: read to translate the address of a PDT entry or of a first-stage PTE */
	uint64_t address; /* system physical */
	/* PTE, PDTE, PC under a second stage: the guest physical address; else = address */
	uint64_t guest;
	uint64_t value[8]; /* host order, the endianness of the structure taken off */
};

/* Memory that the IOMMU would change: A and D bits. */
struct riommu_update {
	uint64_t address;
	uint64_t value; /* host order, as the structure's own endianness reads it */
	uint64_t raw;   /* as the bytes in memory read in little-endian order */
	uint8_t size;   /* 4 or 8 */
};

#define RIOMMU_MAX_STEPS   64
#define RIOMMU_MAX_UPDATES 40

/* The steps of one walk. Give NULL where nobody looks at them: it is faster. */
struct riommu_trace {
	size_t step_count;
	size_t update_count;
	struct riommu_step step[RIOMMU_MAX_STEPS];
	struct riommu_update update[RIOMMU_MAX_UPDATES];
};

/* Translates REQUEST. Always gives an outcome in *OUT; TRACE may be NULL. */
void riommu_translate(const struct riommu_walker *walker, const struct riommu_request *request,
		      struct riommu_translation *out, struct riommu_trace *trace);

/*
 * The same on a machine that runs, where an entry read first may no longer lead to one read later: walks anew, past what the source
 * has kept, until two walks in a row read the same, RIOMMU_LIVE_WALKS times at most. OUT and TRACE are those of the last one;
 * out->changed says that it took more than two.
 */
#define RIOMMU_LIVE_WALKS 5
void riommu_translate_live(const struct riommu_walker *walker, const struct riommu_request *request,
			   struct riommu_translation *out, struct riommu_trace *trace);

/* "ddte", "dc", ... as the JSON has them. */
const char *riommu_structure_name(enum riommu_structure structure);

/* The layout that decodes value[I] of a step. TC and FCTL as of the context the walk went through (0 is fine). */
const struct riommu_layout *riommu_step_layout(const struct riommu_step *step, unsigned i,
					       uint64_t tc, uint32_t fctl);

/* -- contexts ------------------------------------------------------------------------------------------------ */

struct riommu_dc {
	uint32_t device_id;
	uint64_t address;
	unsigned dwords; /* 4 base format, 8 extended */
	uint64_t dw[RIOMMU_DC_DWORDS];
};

struct riommu_pc {
	uint32_t process_id;
	uint64_t address; /* system physical */
	uint64_t ta, fsc;
};

/*
 * Why a valid DC (PC) is misconfigured: the first rule of the specification's list ("Device-context configuration
 * checks") that it breaks, in words, or NULL when it breaks none. *RULE gets the number of the rule (facts 2.5; 0 none).
 */
#define RIOMMU_DC_RULES 23
const char *riommu_dc_misconfigured(const struct riommu_walker *walker, const struct riommu_dc *dc,
				    unsigned *rule);
const char *riommu_pc_misconfigured(const struct riommu_walker *walker, const struct riommu_dc *dc,
				    const struct riommu_pc *pc);

/*
 * Locates the device context of DEVICE_ID. RIOMMU_OK with *DC filled (whatever tc.V and its configuration say, as long
 * as it could be read), else RIOMMU_FAULT or RIOMMU_UNKNOWN with the details in *OUT.
 */
enum riommu_result riommu_locate_dc(const struct riommu_walker *walker, uint32_t device_id,
				    struct riommu_dc *dc, struct riommu_translation *out,
				    struct riommu_trace *trace);

/*
 * Visits, in ascending order of device_id, every device context that is not all zero, and every directory page that
 * could not be read (DC NULL, the ids it would hold, the address and the error). A callback that returns non-zero
 * ends the visit with that value. Each directory page is read once.
 */
struct riommu_dc_visit {
	const struct riommu_dc *dc;
	uint32_t first_id, last_id; /* of the unreadable or misconfigured subtree */
	uint64_t address;
	int error; /* -ENODATA, ...; -EBADMSG: reserved bits are set in the entry that leads there; -ELOOP: listed before */
};
int riommu_visit_dcs(const struct riommu_walker *walker,
		     int (*visit)(void *arg, const struct riommu_dc_visit *v), void *arg);

/* Likewise for the process contexts of DC; addresses go through the second stage. */
struct riommu_pc_visit {
	const struct riommu_pc *pc;
	uint32_t first_id, last_id;
	uint64_t address;
	int error;
};
int riommu_visit_pcs(const struct riommu_walker *walker, const struct riommu_dc *dc,
		     int (*visit)(void *arg, const struct riommu_pc_visit *v), void *arg);

/*
 * The same, one after the other, when the caller asks for the next one: for two directories side by side. The device directory of
 * WALKER, which has to stay, or the process directory of DC (NULL: none), which is copied. -ENOMEM; *D is the caller's to close.
 */
struct riommu_directory;
int riommu_directory_open(const struct riommu_walker *walker, const struct riommu_dc *dc,
			  struct riommu_directory **d);
void riommu_directory_close(struct riommu_directory *d);

/* A context, which is good until the next call, or what could not be read (neither DC nor PC). */
struct riommu_context_visit {
	const struct riommu_dc *dc;
	const struct riommu_pc *pc;
	uint32_t first_id, last_id;
	uint64_t address;
	int error;
};

/* 1 with *V filled, 0 behind the last one, or -ENOMEM. */
int riommu_directory_next(struct riommu_directory *d, struct riommu_context_visit *v);

/* What -O max-pages= says: enumerations of tables that may be hostile end there. */
uint64_t riommu_max_pages(const struct riommu_walker *walker);

/* What -O spaces= says, at least 1: whoever gathers the address spaces of all devices gathers so many, looks at them, and goes on. */
uint64_t riommu_spaces_at_once(const struct riommu_walker *walker);

/* -- tables as pages: what a capture holds ------------------------------------------------------------------ */

/* What riommu_visit_pages() visits beyond what walks read whose tables are the host's: any of these together. */
enum riommu_pages_too {
	/* what is behind a second stage: process directories and first-stage tables of a guest */
	RIOMMU_PAGES_OF_GUESTS = 1,
	/* what no walk reads and the listing of contexts does: process directories of misconfigured device contexts */
	RIOMMU_PAGES_LISTED = 2,
};

/*
 * Visits every page of memory that a walk of any request could read: directories, MSI tables, second-stage tables, first-stage tables; and
 * TOO, which is of enum riommu_pages_too. A page is visited once per structure and level; the callback returns 0 to go on, non-zero to end
 * with that value. Pages that cannot be read are visited with ERROR set. -EOVERFLOW when there are more than -O max-pages= of them; -ENOMEM.
 */
struct riommu_page_visit {
	uint64_t page;
	enum riommu_structure structure;
	uint8_t level;
	int error;
};
int riommu_visit_pages(const struct riommu_walker *walker, unsigned too,
		       int (*visit)(void *arg, const struct riommu_page_visit *v), void *arg);

/* -- names --------------------------------------------------------------------------------------------------- */

/* "Bare", "Sv39", "PD8", ...: what fsc (of a DC, or of a PC when PC is true) and iohgatp say; NULL: reserved encoding. */
const char *riommu_fsc_mode_name(uint64_t fsc, uint64_t tc, bool pc);
const char *riommu_hgatp_mode_name(uint64_t iohgatp, uint32_t fctl);
const char *riommu_msiptp_mode_name(uint64_t msiptp);

#endif
