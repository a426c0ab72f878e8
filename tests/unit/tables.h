/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for the tests of the walk: an IOMMU that can do everything, one device with a context that is written anew
 * before every request, and page tables of any mode. Pages of tables come one after the other from 0x80000000.
 */
#ifndef TEST_TABLES_H
#define TEST_TABLES_H

#include "memory.h"
#include "walk/walk.h"

#include <check.h>

#define DEVICE 5u
#define PAS    46u
#define ROOT   0x80000000u

/* Under a second stage made by guest_memory(), the page at PA is at this guest physical address. */
#define GUEST(pa) ((uint64_t)(pa)-0x40000000u)

#define PTE(pa)     ((uint64_t)(pa) >> 2)
#define POINTER(pa) (PTE(pa) | RIOMMU_PTE_V)
#define RWX         (RIOMMU_PTE_R | RIOMMU_PTE_W | RIOMMU_PTE_X)
#define LEAF_FLAGS  (RIOMMU_PTE_V | RWX | RIOMMU_PTE_U | RIOMMU_PTE_A | RIOMMU_PTE_D)
#define LEAF(pa)    (PTE(pa) | LEAF_FLAGS)
#define MODE(mode)  ((uint64_t)(mode) << 60)
#define PBMT(type)  ((uint64_t)(type) << 61)
#define BIT(n)      ((uint64_t)1 << (n))
#define PERM_RW     (RIOMMU_PERM_R | RIOMMU_PERM_W)
#define PERM_RWX    (PERM_RW | RIOMMU_PERM_X)

struct machine {
	struct riommu_ctx *ctx;
	struct memory *memory;
	uint64_t next_page;
	struct riommu_walker w;
	uint64_t dc;                   /* where the context of DEVICE is written */
	uint64_t dw[RIOMMU_DC_DWORDS]; /* the context; ask() writes it */
	struct riommu_request q;
	struct riommu_translation t; /* the last answer */
	struct riommu_trace trace;
};
extern struct machine m;

/* Fixture. ddtp is 1LVL at ROOT, the context valid, both stages Bare, the request untranslated without process_id. */
void machine_setup(void);
void machine_teardown(void);

/* COUNT new zero pages in a row, aligned to their size (a power of two). */
uint64_t new_pages(unsigned count);

/* Translates: m.t and m.trace have the answer. */
void ask(enum riommu_access access, uint64_t iova);

/* The kinds of access with the causes that belong to them, for loop tests. */
struct access_causes {
	enum riommu_access access;
	unsigned access_fault, page_fault, guest_page_fault;
};
extern const struct access_causes by_access[3];

/* -- page tables ------------------------------------------------------------------------------- */

struct stage {
	uint64_t root;
	unsigned levels, index_bits, root_bits, pte_size;
	bool big_endian;
	bool guest; /* pointers hold guest physical addresses */
};

/* An empty first (second) stage of MODE for the context as it is now: tc.SXL and SBE, fctl.GXL and BE count. */
struct stage first_stage(unsigned mode);
struct stage second_stage(unsigned mode);

/* An empty first stage for process context contents; *FSC points at it. */
struct stage process_stage(unsigned mode, uint64_t *fsc);

/* Maps where GUEST() says that the pages of tables are, with the largest leaf there is below 512 GiB. */
void guest_memory(const struct stage *second);

/* The size of a leaf at LEVEL. */
uint64_t leaf_size(const struct stage *s, unsigned level);

/* Where the entry of ADDRESS at LEVEL stands; tables on the way are made. */
uint64_t slot(const struct stage *s, uint64_t address, unsigned level);

/* Writes PTE there, in the stage's size and endianness. Returns where. */
uint64_t map(const struct stage *s, uint64_t address, unsigned level, uint64_t pte);

/* -- process directory ------------------------------------------------------------------------- */

/* A process directory PD8, PD17 or PD20 (tc.PDTV is set) with a context for PROCESS_ID. Returns where it stands. */
uint64_t process_context(unsigned mode, uint32_t process_id, uint64_t ta, uint64_t fsc);

/* Stores a doubleword of a structure that tc.SBE governs. */
void put_sbe(uint64_t pa, uint64_t value);

/* -- MSI page table ---------------------------------------------------------------------------- */

/* A flat table for 256 interrupt files at guest physical address GPA. Returns its address. */
uint64_t msi_table(uint64_t gpa);
void put_msi_pte(uint64_t at, uint64_t dw0, uint64_t dw1);

/* -- what is expected -------------------------------------------------------------------------- */

#define expect_ok(want_pa)                               \
	do {                                             \
		ck_assert_int_eq(m.t.result, RIOMMU_OK); \
		ck_assert_uint_eq(m.t.pa, (want_pa));    \
	} while (0)

#define expect_fault(want_cause)                            \
	do {                                                \
		ck_assert_int_eq(m.t.result, RIOMMU_FAULT); \
		ck_assert_uint_eq(m.t.cause, (want_cause)); \
		ck_assert_uint_eq(m.t.iotval, m.q.iova);    \
		ck_assert_ptr_nonnull(m.t.reason);          \
	} while (0)

#define expect_guest_fault(want_cause, want_iotval2)            \
	do {                                                    \
		expect_fault(want_cause);                       \
		ck_assert_uint_eq(m.t.iotval2, (want_iotval2)); \
	} while (0)

#define expect_unknown(want_missing)                            \
	do {                                                    \
		ck_assert_int_eq(m.t.result, RIOMMU_UNKNOWN);   \
		ck_assert_int_eq(m.t.error, -ENODATA);          \
		ck_assert_uint_eq(m.t.missing, (want_missing)); \
	} while (0)

#define expect_update(i, want_address, want_size, want_value)                 \
	do {                                                                  \
		ck_assert_uint_gt(m.trace.update_count, (size_t)(i));         \
		ck_assert_uint_eq(m.trace.update[i].address, (want_address)); \
		ck_assert_uint_eq(m.trace.update[i].size, (want_size));       \
		ck_assert_uint_eq(m.trace.update[i].value, (want_value));     \
	} while (0)

/* The last entry that was looked at: the one that decided. */
const struct riommu_step *last_step(void);

#endif
