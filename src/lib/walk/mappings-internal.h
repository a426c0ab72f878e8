/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an enumeration of an address space holds: tables.c goes over the tables of one stage, mappings.c puts two together, mapping-ranges.c
 * makes ranges of what they lead to.
 */
#ifndef RIOMMU_MAPPINGS_INTERNAL_H
#define RIOMMU_MAPPINGS_INTERNAL_H

#include "walk/mappings.h"
#include "walk/visit-internal.h"

/* What is done for each run of leaves. */
#define INLINE WALK_INLINE

struct list;

/* Entries of one table that follow each other and lead on without a gap. */
struct list_span {
	uint64_t from, last, to; /* TO: where FROM leads */
};
#define LIST_SPANS 32

/* Leaves that differ in where they lie only, or entries, or a table, that lead nowhere. */
struct list_run {
	enum riommu_mapping_kind kind; /* LEAVES, MALFORMED or UNREADABLE */
	size_t spans;                  /* how many of the stage's, ascending: one, but of LEAVES */
	uint64_t pte; /* LEAVES: their bits, less the PPN; 0: no more of them come */
	uint64_t leaf_size;
	bool again;       /* LEAVES: only the spans differ from what was told last */
	bool global;      /* G, also of the entries above */
	bool updatable;   /* the second stage permits setting A and D of these entries */
	uint64_t address; /* MALFORMED, UNREADABLE: of the first entry, or of the table */
	uint64_t count;   /* MALFORMED: entries */
	int error;
	const char *reason;
};

/* The table of a level that the enumeration is in, or was in last. */
struct list_table {
	bool held;
	/* as the entry above has it: a guest's, where the stage lies behind another */
	uint64_t address;
	uint64_t page; /* system physical */
	bool updatable;
	bool global;         /* G of the entries above */
	struct list_run run; /* that goes on, in the next table too */
	const uint8_t *bytes;
	uint8_t copy[RIOMMU_PAGE_SIZE];
};

/* The table that is likely to come next. */
struct list_ahead {
	bool wanted; /* at NEXT, once the one before it is read */
	uint64_t next;
	bool held; /* ADDRESS */
	uint64_t address;
	int error;
	const uint8_t *bytes;
	uint8_t copy[RIOMMU_PAGE_SIZE];
};

/* The tables of one stage. */
struct list_stage {
	struct list *list;
	const struct walk_shape *shape; /* NULL: Bare */
	bool second, big_endian;
	uint64_t root;
	uint64_t first, last; /* what is asked for */
	unsigned free;        /* tables that may be entered uncounted */
	int (*run)(struct list *l, const struct list_run *r);
	struct list_table table[RIOMMU_TWO_STAGE_LEVELS];
	const struct list_run *told; /* last */
	struct list_ahead ahead;
	struct list_span span[LIST_SPANS]; /* of the run that is found, and then told */
};

/* MSI windows: guest physical pages by ascending interrupt file number. */
struct list_msi {
	bool enabled;
	uint64_t index_of,
		index; /* a window and its interrupt file number: the next is often asked for next */
	uint64_t mask, pattern; /* of guest page numbers; PATTERN has no bit of MASK */
	uint64_t known_from,
		next; /* no window lies from KNOWN_FROM up to NEXT; NEXT all ones: none above */
	bool held;
	uint64_t part; /* of the table, in pages: the one that was entered last */
	uint64_t page;
	int error;
	const uint8_t *bytes;
	uint8_t copy[RIOMMU_PAGE_SIZE];
};

/* What requests see of where they go. */
struct list_attributes {
	uint8_t permissions, blocked, memory_type;
	bool global;
};

/* So many ranges are told at once, and no less than a run has spans. */
#define LIST_RANGES (2 * LIST_SPANS)

struct list {
	struct walk k;
	struct list_stage first, second;
	struct list_msi msi;
	uint64_t entered, max;

	/* what of the first stage is looked up in the second */
	struct list_span outer;
	uint64_t outer_leaf_size;
	struct list_attributes outer_attributes;
	uint64_t told; /* guest physical: all below it is told */

	/* a range of LEAVES as runs make it that are alike; the addresses are not filled in. Each has another number, from 1 on. */
	struct riommu_mapping alike;
	uint64_t alike_number;

	/* what goes out: only what leads to PA_FIRST..PA_LAST where REACHED asks for that */
	bool reached;
	uint64_t pa_first, pa_last;
	riommu_mappings_fn visit;
	void *arg;
	bool stopped; /* it said so */
	/* the last one of COUNT is not told: what comes next may lead on where it ends */
	size_t count, told_ranges;
	struct riommu_mapping found[LIST_RANGES];
	/* the number of the ALIKE that each was made of, and that the next one there may be of; 0: none */
	uint64_t made[LIST_RANGES];
	struct riommu_mapping_totals totals;
};

/* One more table is entered: -EOVERFLOW past -O max-pages. */
int list_enter(struct list *l);

/* -- ranges ---------------------------------------------------------------------------------------------- */

/*
 * More was found: L->alike but for the addresses; the COUNT spans of a run with no other stage, none of which goes on where the one before
 * it ends; any range but LEAVES, which is cut to what is asked for; entries of R, or a table, that lead nowhere.
 */
int list_leaves(struct list *l, uint64_t iova, uint64_t last, uint64_t gpa, uint64_t pa);
int list_spans(struct list *l, const struct list_span *s, size_t count);
int list_other(struct list *l, struct riommu_mapping *m);
int list_hole(struct list *l, const struct list_run *r, uint64_t iova, uint64_t last);

/* Tells what was found but for the last range, before memory is read: that may take long, or never end. */
int list_tell_whole(struct list *l);

/* Tells all of it. */
int list_tell_rest(struct list *l);

/* -- tables ---------------------------------------------------------------------------------------------- */

/* Calls S->run for what the tables of S hold for FIRST..LAST, ascending. */
int list_tables(struct list_stage *s, uint64_t first, uint64_t last);

/*
 * The mappings of requests that go through the first stage FSC and then the second stage of DC, to system physical
 * PA_FIRST..PA_LAST only where REACHED: then without what leads nowhere. BUDGET: tables that may be entered; what is left of it.
 */
struct list_request {
	const struct riommu_dc *dc;
	uint64_t fsc; /* 0: Bare */
	bool identity;
	uint64_t first, last;
	bool reached;
	uint64_t pa_first, pa_last;
	uint64_t *budget;
};
int list_mappings(const struct riommu_walker *w, const struct list_request *request,
		  riommu_mappings_fn visit, void *arg, struct riommu_mapping_totals *totals);

/* How SPACE is walked: fills dc, fsc and identity of REQUEST. */
void list_space(const struct riommu_space *space, struct list_request *request);

#endif
