/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * First and second stage: Sv32/39/48/57 and Sv32x4/39x4/48x4/57x4 (Privileged ISA, "Virtual Address Translation
 * Process" and "Two-Stage Address Translation"; Svnapot, Svpbmt, Svrsw60t59b; IOMMU specification 3.3 for A and D).
 */
#include "walk/walk-internal.h"

/* By MODE - 8; [0] is the 64-bit one. */
static const struct walk_shape shapes[] = {
	{3, 9, 8, 39},
	{4, 9, 8, 48},
	{5, 9, 8, 57},
};
static const struct walk_shape shape32 = {2, 10, 4, 32};

static const struct walk_leaf bare_leaf = {
	.pte = RIOMMU_PTE_V | RIOMMU_PTE_R | RIOMMU_PTE_W | RIOMMU_PTE_X | RIOMMU_PTE_U |
	       RIOMMU_PTE_A | RIOMMU_PTE_D,
	/* The reference model answers ATS requests with Global set when the first stage is Bare. */
	.global = true,
};

/* Bits that must be zero in an 8-byte PTE, by capabilities. */
static uint64_t reserved_bits(const struct walk *k)
{
	uint64_t caps = k->w->capabilities;

	return riommu_mask(58, 54) | (caps & RIOMMU_CAP_SVRSW60T59B ? 0 : riommu_mask(60, 59)) |
	       (caps & RIOMMU_CAP_SVPBMT ? 0 : riommu_mask(62, 61));
}

static const char *strange_pte(const struct walk *k, uint64_t pte, unsigned level)
{
	if (!(pte & RIOMMU_PTE_V))
		return "the entry is not valid (V=0)";
	if ((pte & (RIOMMU_PTE_R | RIOMMU_PTE_W)) == RIOMMU_PTE_W)
		return "the entry has W=1 with R=0, a reserved encoding";
	if (pte & reserved_bits(k))
		return "the entry has a bit set that is reserved for this IOMMU (bits 60:54, or "
		       "PBMT without Svpbmt)";
	if (riommu_bits(pte, 62, 61) == 3)
		return "the entry has PBMT=3, a reserved encoding";
	if (level > 0 && (pte & RIOMMU_PTE_N))
		return "the entry has N=1 above the last level";
	return NULL;
}

/* What the bits of a PTE alone say; NULL when nothing is wrong with them. Most have none of 63:54. */
WALK_INLINE const char *pte_malformed(const struct walk *k, uint64_t pte, unsigned level)
{
	if ((pte & (riommu_mask(63, 54) | RIOMMU_PTE_V)) == RIOMMU_PTE_V &&
	    (pte & (RIOMMU_PTE_R | RIOMMU_PTE_W)) != RIOMMU_PTE_W)
		return NULL;
	return strange_pte(k, pte, level);
}

/* A pointer with which nothing is wrong, as almost all are: V, a PPN, G and the bits that are software's. */
static bool is_plain_pointer(uint64_t pte, unsigned level)
{
	uint64_t clear = riommu_mask(63, 54) | RIOMMU_PTE_R | RIOMMU_PTE_W | RIOMMU_PTE_X |
			 RIOMMU_PTE_U | RIOMMU_PTE_A | RIOMMU_PTE_D;

	return level > 0 && (pte & (clear | RIOMMU_PTE_V)) == RIOMMU_PTE_V;
}

static bool is_leaf(uint64_t pte)
{
	return pte & (RIOMMU_PTE_R | RIOMMU_PTE_X);
}

/* Non-leaf entries: what must be zero there. */
WALK_INLINE const char *pointer_malformed(uint64_t pte, unsigned level)
{
	if (riommu_bits(pte, 62, 61))
		return "a non-leaf entry has PBMT set";
	if (pte & (RIOMMU_PTE_A | RIOMMU_PTE_D | RIOMMU_PTE_U))
		return "a non-leaf entry has A, D or U set";
	if (level == 0)
		return "the entry of the last level is not a leaf (R=W=X=0)";
	return NULL;
}

/* A leaf's address must fit its size, 2 to the power of SHIFT; N asks for 64 KiB. Fills size and address of LEAF. */
WALK_INLINE const char *leaf_place(uint64_t pte, unsigned shift, uint64_t address,
				   struct walk_leaf *leaf)
{
	uint64_t base = riommu_ppn_upper(pte);
	uint64_t size = (uint64_t)1 << shift;

	if (base & (size - 1))
		return "the leaf is a misaligned superpage";
	if (pte & RIOMMU_PTE_N) {
		if (riommu_bits(pte, 13, 10) != 8)
			return "the leaf has N=1 with a PPN that is not a 64 KiB NAPOT encoding";
		size = 0x10000;
		base &= ~(size - 1);
	}
	leaf->size = size;
	leaf->pa = base | (address & (size - 1));
	leaf->pte = pte;
	leaf->pbmt = (uint8_t)riommu_bits(pte, 62, 61);
	return NULL;
}

/* NEEDED: R, W, X. */
static const char *permission_missing(uint64_t pte, uint64_t needed)
{
	uint64_t missing = needed & ~pte;

	if (!missing)
		return NULL;
	if (missing & RIOMMU_PTE_X)
		return "the leaf does not permit execution (X=0)";
	if (missing & RIOMMU_PTE_R)
		return "the leaf does not permit reading (R=0)";
	return "the leaf does not permit writing (W=0)";
}

static enum stage_end load_end(int err)
{
	return err == -EFAULT      ? STAGE_ACCESS_FAULT
	       : err == -EHWPOISON ? STAGE_CORRUPTION
				   : STAGE_UNKNOWN;
}

static enum stage_end page_fault(struct walk *k, const char *reason)
{
	k->reason = reason;
	return STAGE_PAGE_FAULT;
}

/* -- second stage ---------------------------------------------------------------------------------------------- */

const struct walk_shape *walk_second_stage_shape(const struct walk *k)
{
	/* GXL=1 has one mode; the context was checked, so MODE is 8..10 here (rule 13). */
	if (k->w->fctl & RIOMMU_FCTL_GXL)
		return &shape32;
	return &shapes[walk_mode(k->dc.dw[RIOMMU_DC_IOHGATP]) - RIOMMU_HGATP_SV39X4];
}

unsigned walk_gpa_bits(const struct walk *k)
{
	/* SXL=1 narrows guest physical addresses to 34 bits whatever the mode (2.2.3, tc.SXL). */
	if (k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_SXL)
		return 34;
	return walk_second_stage_shape(k)->address_bits + 2u;
}

const char walk_gpa_too_wide[] = "the guest physical address is wider than the second stage";
const char walk_second_stage_not_user[] = "the second-stage leaf has U=0";

/*
 * A and D of a second-stage leaf. An implicit access to a first-stage PTE may set D at once where both stages update
 * in hardware ("may" in the specification; the reference model does); where GADE is 0 only what is needed faults.
 */
static enum stage_end second_stage_dirty(struct walk *k, const struct walk_entry *e,
					 enum stage_use use, struct walk_leaf *leaf)
{
	bool hardware = k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_GADE;
	bool write = use == USE_EXPLICIT ? k->is_write
					 : use == USE_FIRST_STAGE_PTE && hardware &&
						   (k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_SADE);
	uint64_t want = RIOMMU_PTE_A;

	if (write && (leaf->pte & RIOMMU_PTE_W))
		want |= RIOMMU_PTE_D;
	if ((leaf->pte & want) == want)
		return STAGE_OK;
	if (!hardware)
		return page_fault(k, !(leaf->pte & RIOMMU_PTE_A)
					     ? "the second-stage leaf has A=0 and GADE is 0"
					     : "the second-stage leaf has D=0 and GADE is 0");
	leaf->pte |= want;
	walk_store(k, e, leaf->pte);
	return STAGE_OK;
}

/* The leaf PTE, which stands at E. */
WALK_INLINE enum stage_end second_stage_leaf(struct walk *k, const struct walk_entry *e,
					     uint64_t pte, unsigned shift, uint64_t gpa,
					     enum stage_use use, struct walk_leaf *leaf)
{
	const char *wrong = permission_missing(pte, use == USE_EXPLICIT ? k->needed : RIOMMU_PTE_R);

	/* every access is treated as one of a user */
	if (!wrong && !(pte & RIOMMU_PTE_U))
		wrong = walk_second_stage_not_user;
	if (!wrong)
		wrong = leaf_place(pte, shift, gpa, leaf);
	if (wrong)
		return page_fault(k, wrong);
	return second_stage_dirty(k, e, use, leaf);
}

static struct walk_entry second_stage_entry(const struct walk *k, enum stage_use use,
					    unsigned level, uint8_t size, uint64_t at)
{
	return (struct walk_entry){
		RIOMMU_S_GPTE, (uint8_t)level, size, k->be, use != USE_EXPLICIT, at, at};
}

WALK_RARE int load_gpte(struct walk *k, enum stage_use use, unsigned level, uint8_t size,
			uint64_t at, uint64_t *pte)
{
	struct walk_entry e = second_stage_entry(k, use, level, size, at);

	return walk_load(k, &e, pte);
}

/* INDEX_BITS and SIZE (of an entry) are those of S: they are constants where this is called. */
WALK_INLINE enum stage_end through_tables(struct walk *k, const struct walk_shape *s, uint64_t gpa,
					  enum stage_use use, struct walk_leaf *leaf,
					  unsigned index_bits, uint8_t size)
{
	uint64_t table = riommu_ppn_lower(k->dc.dw[RIOMMU_DC_IOHGATP]);
	uint64_t mask = riommu_mask(index_bits + 1, 0); /* the root has two bits more */
	unsigned level = s->levels - 1u;

	for (unsigned shift = RIOMMU_PAGE_SHIFT + index_bits * level;; shift -= index_bits) {
		uint64_t at = table + (gpa >> shift & mask) * size, pte;
		const char *wrong = NULL;
		int err = 0;

		if (!walk_value_at_hand(k, at, k->be, size, &pte))
			err = load_gpte(k, use, level, size, at, &pte);
		if (err)
			return load_end(err);
		if (!is_plain_pointer(pte, level)) {
			wrong = pte_malformed(k, pte, level);
			if (!wrong && is_leaf(pte)) {
				struct walk_entry e = second_stage_entry(k, use, level, size, at);

				return second_stage_leaf(k, &e, pte, shift, gpa, use, leaf);
			}
			if (!wrong)
				wrong = pointer_malformed(pte, level);
		}
		if (wrong)
			return page_fault(k, wrong);
		table = riommu_ppn_upper(pte);
		mask = riommu_mask(index_bits - 1, 0);
		level--;
	}
}

/* Of a stage that is not Bare: on its own, so that one that is costs next to nothing. */
static __attribute__((noinline)) enum stage_end
through_second(struct walk *k, uint64_t gpa, enum stage_use use, struct walk_leaf *leaf)
{
	const struct walk_shape *s = walk_second_stage_shape(k);

	if (gpa >> walk_gpa_bits(k))
		return page_fault(k, walk_gpa_too_wide);
	if (s->pte_size == 4)
		return through_tables(k, s, gpa, use, leaf, 10, 4);
	return through_tables(k, s, gpa, use, leaf, 9, 8);
}

enum stage_end walk_second_stage(struct walk *k, uint64_t gpa, enum stage_use use,
				 struct walk_leaf *leaf)
{
	*leaf = bare_leaf;
	leaf->pa = gpa;
	return walk_two_stage(k) ? through_second(k, gpa, use, leaf) : STAGE_OK;
}

/* -- first stage ----------------------------------------------------------------------------------------------- */

static enum riommu_result first_stage_fault(struct walk *k, const char *reason)
{
	return walk_fault(k,
			  walk_cause(k, RIOMMU_CAUSE_INSTRUCTION_PAGE_FAULT,
				     RIOMMU_CAUSE_READ_PAGE_FAULT, RIOMMU_CAUSE_WRITE_PAGE_FAULT),
			  reason);
}

enum riommu_result walk_guest_page_fault(struct walk *k, uint64_t iotval2, const char *reason)
{
	k->iotval2 = iotval2;
	return walk_fault(k,
			  walk_cause(k, RIOMMU_CAUSE_INSTRUCTION_GUEST_PAGE_FAULT,
				     RIOMMU_CAUSE_READ_GUEST_PAGE_FAULT,
				     RIOMMU_CAUSE_WRITE_GUEST_PAGE_FAULT),
			  reason);
}

/* A page table entry could not be reached; which cause that is, for both stages' tables alike (3.8). */
static enum riommu_result table_fault(struct walk *k, enum stage_end end)
{
	switch (end) {
	case STAGE_ACCESS_FAULT:
		return walk_fault(k,
				  walk_cause(k, RIOMMU_CAUSE_INSTRUCTION_ACCESS_FAULT,
					     RIOMMU_CAUSE_READ_ACCESS_FAULT,
					     RIOMMU_CAUSE_WRITE_ACCESS_FAULT),
				  "a page table lies where there is no memory");
	case STAGE_CORRUPTION:
		return walk_fault(k, RIOMMU_CAUSE_PT_CORRUPTION,
				  "the page table's memory answers with data corruption");
	default:
		return RIOMMU_UNKNOWN;
	}
}

/* Privilege: U pages and supervisor (facts 3.5 order 8). */
WALK_INLINE const char *privilege_missing(const struct walk *k, uint64_t pte)
{
	bool user_page = pte & RIOMMU_PTE_U;

	if (!k->supervisor)
		return user_page ? NULL
				 : "the leaf is for supervisor privilege (U=0) and the request has "
				   "user privilege";
	if (!user_page)
		return NULL;
	if (k->is_exec)
		return "supervisor privilege must not execute from a user page (U=1)";
	return k->sum ? NULL
		      : "supervisor privilege must not access a user page (U=1) while SUM is 0";
}

/*
 * A and D of a first-stage leaf. E is where it stands, UNDER the bits of the second-stage leaf that translates that address: it
 * must permit the store.
 */
static enum riommu_result first_stage_dirty(struct walk *k, const struct walk_entry *e,
					    uint64_t under, struct walk_leaf *leaf)
{
	uint64_t want = RIOMMU_PTE_A;

	if (k->is_write && (leaf->pte & RIOMMU_PTE_W))
		want |= RIOMMU_PTE_D;
	if ((leaf->pte & want) == want)
		return RIOMMU_OK;
	if (!(k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_SADE))
		return first_stage_fault(k, !(leaf->pte & RIOMMU_PTE_A)
						    ? "the leaf has A=0 and SADE is 0"
						    : "the leaf has D=0 and SADE is 0");
	if (!(under & RIOMMU_PTE_W))
		return walk_guest_page_fault(
			k, (e->guest & ~(uint64_t)3) | 3,
			"the second stage does not permit writing the first-stage "
			"entry, whose A or D bit must be set");
	if (!(under & RIOMMU_PTE_D))
		return walk_guest_page_fault(
			k, (e->guest & ~(uint64_t)3) | 3,
			"the second-stage leaf of the first-stage table has D=0 "
			"and GADE is 0, and A or D must be set there");
	leaf->pte |= want;
	walk_store(k, e, leaf->pte);
	return RIOMMU_OK;
}

/* As second_stage_leaf(). UNDER: as first_stage_dirty() has it. */
WALK_INLINE enum riommu_result first_stage_leaf(struct walk *k, const struct walk_entry *e,
						uint64_t under, uint64_t pte, unsigned shift,
						uint64_t iova, struct walk_leaf *leaf)
{
	const char *wrong = permission_missing(pte, k->needed);

	if (!wrong)
		wrong = privilege_missing(k, pte);
	if (!wrong)
		wrong = leaf_place(pte, shift, iova, leaf);
	if (wrong)
		return first_stage_fault(k, wrong);
	leaf->global |= (pte & RIOMMU_PTE_G) != 0;
	return first_stage_dirty(k, e, under, leaf);
}

/* Where the PTE at guest physical address GUEST lies. UNDER gets the bits of the second-stage leaf. */
static enum riommu_result find_guest_pte(struct walk *k, uint64_t guest, uint64_t *address,
					 uint64_t *under)
{
	struct walk_leaf leaf;
	enum stage_end end = walk_second_stage(k, guest, USE_FIRST_STAGE_PTE, &leaf);

	if (end == STAGE_PAGE_FAULT)
		return walk_guest_page_fault(k, (guest & ~(uint64_t)3) | 1, k->reason);
	if (end != STAGE_OK)
		return table_fault(k, end);
	*address = leaf.pa;
	*under = leaf.pte;
	return RIOMMU_OK;
}

static bool canonical(const struct walk_shape *s, uint64_t iova)
{
	uint64_t upper;

	if (s->pte_size == 4)
		return iova >> 32 == 0;
	upper = riommu_mask(63, s->address_bits - 1u);
	return (iova & upper) == 0 || (iova & upper) == upper;
}

const struct walk_shape *walk_first_stage_shape(const struct walk *k, uint64_t fsc)
{
	/* The context was checked: MODE is 8 with SXL, 8..10 without (rules 9 to 11). */
	if (k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_SXL)
		return &shape32;
	return &shapes[walk_mode(fsc) - RIOMMU_FSC_SV39];
}

static struct walk_entry first_stage_entry(unsigned level, uint8_t size, bool big, uint64_t address,
					   uint64_t guest)
{
	return (struct walk_entry){RIOMMU_S_PTE, (uint8_t)level, size, big, false, address, guest};
}

WALK_RARE int load_pte(struct walk *k, unsigned level, uint8_t size, bool big, uint64_t address,
		       uint64_t guest, uint64_t *pte)
{
	struct walk_entry e = first_stage_entry(level, size, big, address, guest);

	return walk_load(k, &e, pte);
}

/* As through_tables(). */
WALK_INLINE enum riommu_result through_first(struct walk *k, const struct walk_shape *s,
					     uint64_t table, uint64_t iova, struct walk_leaf *leaf,
					     bool guest, unsigned index_bits, uint8_t size)
{
	bool big = k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_SBE;
	uint64_t mask = riommu_mask(index_bits - 1, 0), under = bare_leaf.pte;
	unsigned level = s->levels - 1u;

	for (unsigned shift = RIOMMU_PAGE_SHIFT + index_bits * level;; shift -= index_bits) {
		uint64_t at = table + (iova >> shift & mask) * size, address = at, pte;
		enum riommu_result r = RIOMMU_OK;
		const char *wrong = NULL;
		int err = 0;

		if (guest)
			r = find_guest_pte(k, at, &address, &under);
		if (r != RIOMMU_OK)
			return r;
		if (!walk_value_at_hand(k, address, big, size, &pte))
			err = load_pte(k, level, size, big, address, at, &pte);
		if (err)
			return table_fault(k, load_end(err));
		if (!is_plain_pointer(pte, level)) {
			wrong = pte_malformed(k, pte, level);
			if (!wrong && is_leaf(pte)) {
				struct walk_entry e =
					first_stage_entry(level, size, big, address, at);

				return first_stage_leaf(k, &e, under, pte, shift, iova, leaf);
			}
			if (!wrong)
				wrong = pointer_malformed(pte, level);
		}
		if (wrong)
			return first_stage_fault(k, wrong);
		leaf->global |= (pte & RIOMMU_PTE_G) != 0;
		table = riommu_ppn_upper(pte);
		level--;
	}
}

enum riommu_result walk_first_stage(struct walk *k, uint64_t fsc, uint64_t iova,
				    struct walk_leaf *leaf)
{
	const struct walk_shape *s;
	uint64_t table;

	*leaf = bare_leaf;
	leaf->pa = iova;
	if (walk_mode(fsc) == RIOMMU_FSC_BARE)
		return RIOMMU_OK;
	leaf->global = false;
	s = walk_first_stage_shape(k, fsc);
	if (!canonical(s, iova))
		return first_stage_fault(k, s->pte_size == 4
						    ? "the IOVA is wider than 32 bits"
						    : "the IOVA is not canonical for the mode");
	table = riommu_ppn_lower(fsc);
	if (s->pte_size == 4)
		return through_first(k, s, table, iova, leaf, walk_two_stage(k), 10, 4);
	return walk_two_stage(k) ? through_first(k, s, table, iova, leaf, true, 9, 8)
				 : through_first(k, s, table, iova, leaf, false, 9, 8);
}

enum walk_pte_kind walk_pte_kind(const struct walk *k, const struct walk_shape *s, uint64_t pte,
				 unsigned level, uint64_t address, struct walk_leaf *leaf,
				 const char **why)
{
	if (!(pte & RIOMMU_PTE_V))
		return WALK_PTE_INVALID;
	*why = pte_malformed(k, pte, level);
	if (*why)
		return WALK_PTE_MALFORMED;
	if (is_leaf(pte)) {
		*why = leaf_place(pte, walk_leaf_shift(s, level), address, leaf);
		return *why ? WALK_PTE_MALFORMED : WALK_PTE_LEAF;
	}
	*why = pointer_malformed(pte, level);
	return *why ? WALK_PTE_MALFORMED : WALK_PTE_POINTER;
}

int walk_gpa_page(const struct riommu_walker *w, const struct riommu_dc *dc, uint64_t gpa,
		  uint64_t *spa)
{
	struct walk k;
	struct walk_leaf leaf;

	/* Walks check the context first; whoever lists processes may come with any. */
	if (!riommu_hgatp_mode_name(dc->dw[RIOMMU_DC_IOHGATP], w->fctl))
		return -EBADMSG;
	walk_begin(&k, w, NULL);
	k.dc = *dc;
	switch (walk_second_stage(&k, gpa, USE_PDT, &leaf)) {
	case STAGE_OK:
		*spa = leaf.pa;
		return 0;
	case STAGE_UNKNOWN:
		return k.error;
	case STAGE_CORRUPTION:
		return -EHWPOISON;
	default:
		return -EFAULT;
	}
}
