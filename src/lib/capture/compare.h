/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture: what changed between two systems, an old and a new one: captures, as a rule. Each thing is told as it is in both, NULL
 * where it is not; what is alike is not told. What could not be compared is told, too: it is neither changed nor the same.
 *
 * Every visit ends with a non-zero return of VISIT, and returns that; else 0, or -ENOMEM.
 */
#ifndef RIOMMU_COMPARE_H
#define RIOMMU_COMPARE_H

#include "queue/queue.h"
#include "walk/mappings.h"

enum riommu_side { RIOMMU_OLD, RIOMMU_NEW };

/* -- IOMMUs and the machine ------------------------------------------------------------------------------------- */

/* An IOMMU: its index in both systems, RIOMMU_NO_IOMMU where it is not. */
struct riommu_iommu_pair {
	size_t iommu[2];
};

/* All of them, by base, then by name: a PCI IOMMU moves when its BAR does. *PAIRS is the caller's to free(). */
int riommu_pair_iommus(const struct riommu_system *const sys[2], struct riommu_iommu_pair **pairs,
		       size_t *count);

/* Devices that the machine knows, by device_id and name: came, went, or have another driver, group or domain type. */
int riommu_compare_devices(const struct riommu_system *const sys[2],
			   const struct riommu_iommu_pair *pair,
			   int (*visit)(void *arg, const struct riommu_device *const device[2]),
			   void *arg);

/* Regions of the memory map that came or went. */
int riommu_compare_regions(const struct riommu_system *const sys[2],
			   int (*visit)(void *arg, const struct riommu_region *const region[2]),
			   void *arg);

/* -- registers ------------------------------------------------------------------------------------------------- */

/*
 * A register that differs: which bits, and which of these change by themselves while an IOMMU works (counters, indexes of queues,
 * pending interrupts, busy). COMPARABLE false: it is known in one only.
 */
struct riommu_reg_change {
	size_t index; /* into riommu_registers() */
	bool comparable;
	uint64_t differing, moving;
};
int riommu_compare_registers(const struct riommu_iommu *const iommu[2],
			     int (*visit)(void *arg, const struct riommu_reg_change *change),
			     void *arg);

/* -- contexts --------------------------------------------------------------------------------------------------- */

/* What is compared of an IOMMU that is in both. Memory does not grow with the number of contexts. */
struct riommu_comparison;

/* WALKERS are copied. *C is the caller's to close, also after an error. */
int riommu_comparison_open(const struct riommu_walker walkers[2], struct riommu_comparison **c);
void riommu_comparison_close(struct riommu_comparison *c);
const struct riommu_walker *riommu_comparison_walker(const struct riommu_comparison *c,
						     enum riommu_side side);

/*
 * True if capabilities, fctl and ddtp are the same and so is every page that a walk could read: then so are contexts and mappings.
 * Each page is read once, and no table is expanded. False also where that cannot be told.
 */
bool riommu_comparison_same(const struct riommu_comparison *c);

/* A context that came, went or changed; or ids of SIDE that could not be looked at (ERROR not 0), of the device or its processes. */
struct riommu_context_change {
	bool is_process; /* else the device context */
	uint32_t device_id, process_id;
	const struct riommu_dc *dc[2]; /* of a process: those of its device */
	const struct riommu_pc *pc[2];

	int error;
	enum riommu_side side;
	uint32_t first_id, last_id;
	uint64_t address;
};
int riommu_compare_contexts(const struct riommu_comparison *c,
			    int (*visit)(void *arg, const struct riommu_context_change *change),
			    void *arg);

/* -- mappings --------------------------------------------------------------------------------------------------- */

/*
 * A range of addresses that leads elsewhere, or as otherwise, or nowhere in one of both: it has one old and one new state.
 * Spaces with the same tables in both are walked once: REFS are all of them, by device_id, kind and process_id.
 * ERROR: what SIDE has in this range is not known (ADDRESS: the table); -EOVERFLOW: it ended there, past -O max-pages, which
 * the spaces of a device share.
 */
struct riommu_mapping_change {
	const struct riommu_space_ref *refs;
	size_t ref_count;
	const struct riommu_space *space[2]; /* NULL: there is no such space */
	uint64_t iova, last;
	const struct riommu_mapping *mapping[2];

	int error;
	enum riommu_side side;
	uint64_t address;
};

/*
 * Mappings of leaves of another size that lead to the same place are alike. Where ddtp is Bare, every device is taken to have an
 * identity. Memory: some 16 MiB, and 150 bytes for each of -O spaces= spaces; none for a mapping.
 */
int riommu_compare_mappings(const struct riommu_comparison *c,
			    int (*visit)(void *arg, const struct riommu_mapping_change *change),
			    void *arg);

/* -- faults ----------------------------------------------------------------------------------------------------- */

enum riommu_ring_state {
	RIOMMU_RING_SAME, /* nothing was written */
	RIOMMU_RING_GREW, /* the records that were added are all there */
	RIOMMU_RING_LAPPED, /* what was to be kept was written over: records are lost, how many is not known */
	RIOMMU_RING_RESET, /* records are gone that nothing was written over */
	RIOMMU_RING_MOVED, /* another ring: base or size differ */
	RIOMMU_RING_UNKNOWN, /* an index, or part of the ring, is not known: records at another place are told */
};

struct riommu_ring_change {
	enum riommu_ring_state state;
	uint64_t added; /* records told */
};

/* Visits the records of the new fault queue that are not in the old one, oldest first; and gaps, as riommu_visit_faults() does. */
int riommu_compare_faults(const struct riommu_queue queue[2],
			  int (*visit)(void *arg, const struct riommu_fault_visit *v), void *arg,
			  struct riommu_ring_change *ring);

#endif
