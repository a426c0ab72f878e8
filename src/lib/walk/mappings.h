/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk: whole address spaces. What a device's requests reach, as contiguous ranges in ascending order, streamed: each table
 * page is read once, nothing is allocated for a range, memory does not grow with the number of leaves.
 *
 * Tables are hostile (a guest owns its first stage): they share, loop and point at themselves, and the hardware follows them all
 * the same. So does the visit, up to -O max-pages table pages entered (each time counts); then it ends with -EOVERFLOW.
 */
#ifndef RIOMMU_MAPPINGS_H
#define RIOMMU_MAPPINGS_H

#include "walk/walk.h"

/* -- address spaces -------------------------------------------------------------------------------------------- */

enum riommu_space_kind {
	RIOMMU_SPACE_DEVICE,  /* untranslated requests without a process_id */
	RIOMMU_SPACE_PROCESS, /* untranslated requests with one */
	RIOMMU_SPACE_TRANSLATED, /* translated requests (EN_ATS): guest physical with T2GPA, else system physical */
};

/* What requests of one kind see. A space of kind PROCESS has a process context. */
struct riommu_space {
	enum riommu_space_kind kind;
	struct riommu_dc dc;
	struct riommu_pc pc; /* PROCESS, and DEVICE under tc.DPE: process 0 */
	bool has_pc;
};

/*
 * Visits the address spaces of the device of DC: requests without a process_id, each process, translated requests where EN_ATS
 * lets them in. None for a DC that is not valid or misconfigured; misconfigured process contexts are passed over. A part of the
 * process directory that cannot be read is told with ERROR (and ADDRESS); a non-zero return of VISIT ends it with that value.
 */
struct riommu_space_visit {
	const struct riommu_space *space; /* NULL: ERROR */
	uint32_t first_id, last_id;       /* processes that could not be looked at */
	uint64_t address;
	int error;
};
int riommu_visit_spaces(const struct riommu_walker *walker, const struct riommu_dc *dc,
			int (*visit)(void *arg, const struct riommu_space_visit *v), void *arg);

/*
 * The same, one after the other, when the caller asks for the next one. WALKER has to stay, DC is copied. -ENOMEM; *S is the caller's to
 * close. Next: 1 with *V filled, which is good until the next call, 0 behind the last one, or -ENOMEM.
 */
struct riommu_spaces;
int riommu_spaces_open(const struct riommu_walker *walker, const struct riommu_dc *dc,
		       struct riommu_spaces **s);
void riommu_spaces_close(struct riommu_spaces *s);
int riommu_spaces_next(struct riommu_spaces *s, struct riommu_space_visit *v);

/* An order of spaces of one IOMMU, 0 where requests of both go through the same tables in the same way. */
int riommu_space_order(const struct riommu_space *a, const struct riommu_space *b);

/* -- mappings --------------------------------------------------------------------------------------------------- */

enum riommu_mapping_kind {
	RIOMMU_MAPPING_LEAVES,   /* page table leaves lead to PA */
	RIOMMU_MAPPING_IDENTITY, /* no stage limits it: every address passes as it is */
	RIOMMU_MAPPING_MSI_FLAT, /* a virtual interrupt file; its MSI PTE leads to PA */
	RIOMMU_MAPPING_MSI_MRIF, /* a virtual interrupt file; PA is that of the MRIF, 512 bytes */
	RIOMMU_MAPPING_GUEST_ONLY, /* the first stage leads to GPA, and there is no second stage leaf for it */
	RIOMMU_MAPPING_MALFORMED, /* an entry with V=1 that can only fault: ADDRESS, REASON */
	RIOMMU_MAPPING_UNREADABLE, /* the table at ADDRESS cannot be read: what it maps is not known */
};

struct riommu_mapping {
	enum riommu_mapping_kind kind;
	uint64_t iova,
		last; /* inclusive; guest physical where only the second stage was asked for */
	uint64_t gpa; /* under a second stage: where IOVA leads in the first stage; else = pa */
	uint64_t pa;  /* where IOVA leads */
	uint8_t permissions; /* RIOMMU_PERM_* that both stages grant, as `translate` has them */
	uint8_t blocked;     /* RIOMMU_BLOCKED_* */
	bool global;         /* first stage G */
	uint8_t memory_type; /* enum riommu_memory_type */
	/*
	 * Sizes, each a power of two, or'ed; the smaller of two stages; 0: no leaf limits it. They are those of the tables: where an MSI
	 * window lies in a leaf, `page_size` of a translation beside it is less.
	 */
	uint64_t leaf_sizes;
	uint64_t leaves; /* how many leaves, of the smaller size, or entries of a MALFORMED range */
	/* MSI_MRIF: what the IOMMU writes to NOTICE_PA when a message arrives */
	uint32_t notice_id;
	uint64_t notice_pa;
	/* MALFORMED, UNREADABLE, MSI_*: the first entry or table, system physical */
	uint64_t address;
	int error; /* UNREADABLE: -ENODATA, -EACCES, -EFAULT, -EHWPOISON ...; -EOVERFLOW: given up, see below */
	const char *reason; /* MALFORMED, GUEST_ONLY: a static string */
};

/* FIRST..LAST (inclusive) where nothing limits it: what a Bare ddtp lets every device behind the IOMMU reach, too. */
struct riommu_mapping riommu_identity(uint64_t first, uint64_t last);

struct riommu_mapping_totals {
	uint64_t ranges, leaves, bytes; /* LEAVES only; bytes saturates */
	uint64_t pages;                 /* table pages read */
	uint64_t entered;               /* times a table was entered: what -O max-pages= bounds */
	/* times a table was entered from below itself: hardware follows that, nobody sane does it */
	uint64_t loops;
	bool truncated; /* -O max-pages= was hit */
};

struct riommu_mapping_args {
	bool second_stage_only; /* --gpa: guest physical to system physical */
	uint64_t first, last;   /* inclusive; 0 and ~0 for all */
};

/*
 * The next COUNT ranges, one at least: good until it returns. What a table leads to is told before memory is asked for another one, all but the
 * last range, which may go on there. Anything but 0 ends the visit with that value.
 */
typedef int (*riommu_mappings_fn)(void *arg, const struct riommu_mapping *ranges, size_t count);

/*
 * Visits the mappings of SPACE that lie in ARGS->first..last, clipped to it, in ascending order of IOVA as unsigned numbers. Neighbours that lead on
 * without a gap and are alike in kind, permissions, memory type, blocked and global are one range, whatever their leaf sizes. 0; -EOVERFLOW past
 * -O max-pages (TOTALS, which may be NULL, then says truncated; what was found before is told); -EINVAL when there is no second stage to look at
 * alone; or what VISIT returned (TOTALS then has what was found).
 */
int riommu_visit_mappings(const struct riommu_walker *walker, const struct riommu_space *space,
			  const struct riommu_mapping_args *args, riommu_mappings_fn visit,
			  void *arg, struct riommu_mapping_totals *totals);

/* -- all devices -------------------------------------------------------------------------------------------------- */

struct riommu_space_ref {
	uint32_t device_id, process_id; /* process_id: of kind PROCESS */
	enum riommu_space_kind kind;
};

/* A range, and all whose requests see it: spaces with the same tables are walked once. */
struct riommu_reached {
	const struct riommu_space_ref *refs; /* by device_id, kind, process_id */
	size_t ref_count;                    /* 0: every device behind this IOMMU (ddtp is Bare) */
	const struct riommu_mapping *mapping;
};

/*
 * Visits all that every device behind the IOMMU reaches, of which the system physical addresses FIRST..LAST (inclusive) only, each mapping
 * clipped to them: LEAVES that permit anything, MSI_*, and IDENTITY (then iova..last is FIRST..LAST). An MSI_MRIF leads to
 * its MRIF and to where its notice goes. What cannot be read (of
 * directories too: no refs tell whose, error and address do) is told as UNREADABLE. -O max-pages is a device's: where its tables take more,
 * that is told as UNREADABLE with -EOVERFLOW, the next device is looked at, and the end is -EOVERFLOW. Returns as riommu_visit_mappings(); -ENOMEM. Memory grows with the contexts, not with the leaves.
 */
int riommu_visit_reached(const struct riommu_walker *walker, uint64_t first, uint64_t last,
			 int (*visit)(void *arg, const struct riommu_reached *r), void *arg,
			 struct riommu_mapping_totals *totals);

/*
 * The same, whatever guests write into their tables from now on: a second stage alone is the limit where there is one, and no table
 * behind it is read.
 */
int riommu_visit_reachable(const struct riommu_walker *walker, uint64_t first, uint64_t last,
			   int (*visit)(void *arg, const struct riommu_reached *r), void *arg,
			   struct riommu_mapping_totals *totals);

/* -- MSI page tables ---------------------------------------------------------------------------------------------- */

enum riommu_msi_entry_kind {
	RIOMMU_MSI_ENTRY_FLAT,
	RIOMMU_MSI_ENTRY_MRIF,
	RIOMMU_MSI_ENTRY_INVALID,   /* V=0, other bits set */
	RIOMMU_MSI_ENTRY_MALFORMED, /* can only fault: CAUSE, REASON */
	RIOMMU_MSI_ENTRY_UNREADABLE,
};

struct riommu_msi_entry {
	enum riommu_msi_entry_kind kind;
	uint64_t index;     /* interrupt file number */
	uint64_t gpa;       /* the guest physical page of this file */
	uint64_t address;   /* of the entry, system physical */
	uint64_t dw[2];     /* host order; not for UNREADABLE */
	uint64_t pa;        /* FLAT: the page; MRIF: the MRIF */
	uint64_t notice_pa; /* MRIF: where the notice MSI goes, and with which data */
	uint32_t notice_id;
	uint16_t cause; /* MALFORMED */
	const char *reason;
	int error;      /* UNREADABLE: COUNT entries from INDEX on */
	uint64_t count; /* else 1 */
};

/*
 * Visits the MSI page table of DC by ascending index; entries that are all zero are passed over. -ENODATA when DC has none (base format,
 * msiptp Off), -EOVERFLOW past -O max-pages table pages: a mask can lie.
 */
int riommu_visit_msi(const struct riommu_walker *walker, const struct riommu_dc *dc,
		     int (*visit)(void *arg, const struct riommu_msi_entry *e), void *arg);

#endif
