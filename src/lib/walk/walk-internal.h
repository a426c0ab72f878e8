/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One walk in progress, shared by the files of this room. A function of the walk says how it ended: RIOMMU_OK to go
 * on, RIOMMU_FAULT with cause and reason set, RIOMMU_UNKNOWN with the address that is missing.
 */
#ifndef RIOMMU_WALK_INTERNAL_H
#define RIOMMU_WALK_INTERNAL_H

#include "walk/walk.h"

#define RIOMMU_TWO_STAGE_LEVELS 5

struct walk {
	const struct riommu_walker *w;
	struct riommu_trace *trace; /* NULL: nobody looks */
	uint64_t beyond_pas;        /* address bits that no memory of this machine has */
	bool be;                    /* fctl.BE: directory, second stage, MSI tables */

	/*
	 * The pages that the source holds ready, as long as nobody looks at steps and nothing was updated; else NULL, and each entry
	 * goes through walk_load().
	 */
	const struct riommu_page_slot *slots;

	/* the request, as the permission checks see it (3.2) */
	bool is_read, is_write, is_exec;
	bool check_permissions; /* not for ATS: what is denied shows in the completion */
	uint64_t needed;        /* then: R, W, X of the leaves; else 0 */
	bool supervisor, sum;

	struct riommu_dc dc;

	/* A and D updates so far: what is read again must show them */
	size_t update_count;
	struct riommu_update update[RIOMMU_MAX_UPDATES];

	/* how it ended */
	uint16_t cause;
	uint64_t iotval2;
	const char *reason;
	uint64_t missing;
	int error;
};

/* A leaf that a stage found. */
struct walk_leaf {
	uint64_t pa;   /* translated address */
	uint64_t size; /* of the leaf; 0: a Bare stage, which limits nothing */
	uint64_t pte;  /* its bits, A/D updates included; R W X U A D set for a Bare stage */
	uint8_t pbmt;  /* enum riommu_memory_type */
	bool global;
};

/* How a stage ended; the caller knows which cause that is. */
enum stage_end { STAGE_OK, STAGE_PAGE_FAULT, STAGE_ACCESS_FAULT, STAGE_CORRUPTION, STAGE_UNKNOWN };

/* What a second-stage translation is for: permission and A/D rules differ (facts 3.6). */
enum stage_use { USE_EXPLICIT, USE_PDT, USE_FIRST_STAGE_PTE };

/* The tables of a stage, by its mode. */
struct walk_shape {
	uint8_t levels;
	uint8_t index_bits; /* of each level; the second stage's root has two more */
	uint8_t pte_size;
	uint8_t address_bits; /* without those two */
};

/* What one entry of LEVEL maps is 2 to the power of this. */
static inline unsigned walk_leaf_shift(const struct walk_shape *s, unsigned level)
{
	return RIOMMU_PAGE_SHIFT + s->index_bits * level;
}

/* Of a context that was checked, and whose stage is not Bare. */
const struct walk_shape *walk_first_stage_shape(const struct walk *k, uint64_t fsc);
const struct walk_shape *walk_second_stage_shape(const struct walk *k);

/* Bits of a guest physical address that the second stage can translate. */
unsigned walk_gpa_bits(const struct walk *k);
extern const char walk_gpa_too_wide[], walk_second_stage_not_user[];

/* What an entry says by its bits alone. A LEAF has where ADDRESS leads, its size and bits; WHY a MALFORMED one (V=1) can only fault. */
enum walk_pte_kind { WALK_PTE_INVALID, WALK_PTE_MALFORMED, WALK_PTE_LEAF, WALK_PTE_POINTER };
enum walk_pte_kind walk_pte_kind(const struct walk *k, const struct walk_shape *s, uint64_t pte,
				 unsigned level, uint64_t address, struct walk_leaf *leaf,
				 const char **why);

/* Ends a walk with a fault. (A missing entry ends it with RIOMMU_UNKNOWN; walk_load() noted which.) */
enum riommu_result walk_fault(struct walk *k, unsigned cause, const char *reason);

/* The same for a guest page fault, whose cause goes with the kind of access. IOTVAL2: the guest address, and bits 1:0. */
enum riommu_result walk_guest_page_fault(struct walk *k, uint64_t iotval2, const char *reason);

/* The cause that goes with the kind of access: exec, else read, else write. */
unsigned walk_cause(const struct walk *k, unsigned exec, unsigned read, unsigned write);

/*
 * Reads an entry of SIZE bytes (4, or 8 and more) at PA into VALUE, in host order; keeps the step. 0, -EFAULT for an
 * access fault (beyond PAS: no step, nothing was read), -EHWPOISON; other errors: the entry is not to be had, K says which.
 */
struct walk_entry {
	enum riommu_structure structure;
	uint8_t level, size;
	bool big_endian, implicit;
	uint64_t address, guest;
};
int walk_load(struct walk *k, const struct walk_entry *e, uint64_t *value);

/* What is done for each entry of each walk, and what is done for few: that keeps its registers to itself. */
#define WALK_RARE static __attribute__((noinline, cold))
#ifdef __OPTIMIZE_SIZE__ /* the minimal build: 8 KB less, and some per cent slower */
#define WALK_INLINE static inline
#else
#define WALK_INLINE static inline __attribute__((always_inline))
#endif

/* The bytes at ADDRESS where they are at hand and there is no more to it than to read them. False: walk_load() knows. */
WALK_INLINE bool walk_at_hand(const struct walk *k, uint64_t address, bool big_endian,
			      const uint8_t **data)
{
	uint64_t tag = riommu_page_tag(address);
	const struct riommu_page_slot *slot;

	if (!k->slots || big_endian || (address & k->beyond_pas))
		return false;
	slot = &k->slots[tag % RIOMMU_PAGE_SLOTS];
	if (slot->tag != tag)
		return false;
	*data = slot->data + (address & RIOMMU_PAGE_MASK);
	return true;
}

/* The same as a value of 4 or 8 bytes. */
WALK_INLINE bool walk_value_at_hand(const struct walk *k, uint64_t address, bool big_endian,
				    unsigned size, uint64_t *value)
{
	const uint8_t *data;

	if (!walk_at_hand(k, address, big_endian, &data))
		return false;
	*value = size == 4 ? riommu_get32(data, false) : riommu_get64(data, false);
	return true;
}

/* Updates of an earlier walk are over. */
static inline void walk_forget_updates(struct walk *k)
{
	k->update_count = 0;
	k->slots = k->w->memory && !k->trace ? k->w->memory->slots : NULL;
}

/* Prepares K for one walk; capabilities decide masks. */
static inline void walk_begin(struct walk *k, const struct riommu_walker *w,
			      struct riommu_trace *trace)
{
	unsigned pas = (unsigned)riommu_bits(w->capabilities, 37, 32);

	k->w = w;
	k->trace = trace;
	k->beyond_pas = pas ? ~riommu_mask(pas - 1, 0) : ~(uint64_t)0;
	k->be = w->fctl & RIOMMU_FCTL_BE;
	k->is_read = true;
	k->is_write = k->is_exec = false;
	k->check_permissions = true;
	k->needed = RIOMMU_PTE_R;
	k->supervisor = k->sum = false;
	walk_forget_updates(k);
	k->cause = 0;
	k->iotval2 = 0;
	k->reason = NULL;
	k->missing = 0;
	k->error = 0;
	if (trace)
		trace->step_count = trace->update_count = 0;
}

/* The IOMMU would store VALUE (host order) at the entry E. */
void walk_store(struct walk *k, const struct walk_entry *e, uint64_t value);

/* Locates and checks contexts (directory.c). */
enum riommu_result walk_directory(struct walk *k, uint32_t device_id, bool *valid);
enum riommu_result walk_process_directory(struct walk *k, uint32_t process_id,
					  struct riommu_pc *pc);

/* The two stages (stage.c). FSC and the DC's iohgatp hold mode and root. */
enum riommu_result walk_first_stage(struct walk *k, uint64_t fsc, uint64_t iova,
				    struct walk_leaf *leaf);
enum stage_end walk_second_stage(struct walk *k, uint64_t gpa, enum stage_use use,
				 struct walk_leaf *leaf);

/* MSI page table (msi.c) of a context that has one: *OUT->msi stays NONE when GPA is not that of a virtual interrupt file. */
enum riommu_result walk_msi(struct walk *k, uint64_t gpa, struct walk_leaf *leaf,
			    struct riommu_translation *out);

/* What the MSI PTE DW makes of GPA: *OUT as in a translation, or a fault with cause and reason in K. */
enum riommu_result walk_msi_entry(struct walk *k, const uint64_t dw[2], uint64_t gpa,
				  struct riommu_translation *out);

/* The DC has an MSI page table; its mask, and the bits of a guest page number that the pattern compares. */
static inline bool walk_msi_enabled(const struct walk *k)
{
	return k->dc.dwords == RIOMMU_DC_DWORDS &&
	       k->dc.dw[RIOMMU_DC_MSIPTP] >> 60 == RIOMMU_MSIPTP_FLAT;
}
uint64_t walk_msi_mask(const struct walk *k);
uint64_t walk_msi_compared(const struct walk *k);

/* Likewise: the largest part of a leaf of SIZE around GPA that no virtual interrupt file lies in. */
uint64_t walk_msi_limit(const struct walk *k, uint64_t gpa, uint64_t size);

/* Widest guest physical address, for MSI matching (MGPAW). */
unsigned walk_mgpaw(const struct riommu_walker *w);

/*
 * The system physical page of a guest physical address, for enumerating tables that sit behind a second stage of DC (an
 * implicit read). 0, -EFAULT when the second stage does not map it, -ENODATA when a table on the way is not held.
 */
int walk_gpa_page(const struct riommu_walker *w, const struct riommu_dc *dc, uint64_t gpa,
		  uint64_t *spa);

/* RIOMMU_PERM_* of R, W and X, which stand in a row in a PTE too. */
static inline uint8_t walk_permissions(uint64_t pte)
{
	_Static_assert(RIOMMU_PTE_R == 2 * RIOMMU_PERM_R && RIOMMU_PTE_W == 2 * RIOMMU_PERM_W &&
			       RIOMMU_PTE_X == 2 * RIOMMU_PERM_X,
		       "bits of a PTE and permissions");
	return (pte & (RIOMMU_PTE_R | RIOMMU_PTE_W | RIOMMU_PTE_X)) >> 1;
}

/* The smaller of two sizes of leaves; 0 is none. */
static inline uint64_t walk_smaller(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a | b;
	return a < b ? a : b;
}

static inline unsigned walk_mode(uint64_t v)
{
	return (unsigned)(v >> 60);
}

static inline bool walk_two_stage(const struct walk *k)
{
	return walk_mode(k->dc.dw[RIOMMU_DC_IOHGATP]) != RIOMMU_HGATP_BARE;
}

#endif
