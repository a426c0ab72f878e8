/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tables.h"

#include <stdlib.h>

struct machine m;

const struct access_causes by_access[3] = {
	{RIOMMU_READ, 5, 13, 21},
	{RIOMMU_WRITE, 7, 15, 23},
	{RIOMMU_EXEC, 1, 12, 20},
};

void machine_setup(void)
{
	m = (struct machine){.ctx = riommu_ctx_new(), .memory = memory_new(), .next_page = ROOT};
	ck_assert_ptr_nonnull(m.ctx);
	new_pages(1);
	m.w = (struct riommu_walker){
		.memory = memory_source(m.memory, m.ctx),
		.capabilities = 0x10 | RIOMMU_CAP_SV32 | RIOMMU_CAP_SV39 | RIOMMU_CAP_SV48 |
				RIOMMU_CAP_SV57 | RIOMMU_CAP_SVRSW60T59B | RIOMMU_CAP_SVPBMT |
				RIOMMU_CAP_SV32X4 | RIOMMU_CAP_SV39X4 | RIOMMU_CAP_SV48X4 |
				RIOMMU_CAP_SV57X4 | RIOMMU_CAP_AMO_MRIF | RIOMMU_CAP_MSI_FLAT |
				RIOMMU_CAP_MSI_MRIF | RIOMMU_CAP_AMO_HWAD | RIOMMU_CAP_ATS |
				RIOMMU_CAP_T2GPA | RIOMMU_CAP_END | RIOMMU_CAP_PD8 |
				RIOMMU_CAP_PD17 | RIOMMU_CAP_PD20 | RIOMMU_CAP_QOSID |
				(uint64_t)PAS << 32,
		.ddtp = PTE(ROOT) | RIOMMU_DDTP_1LVL,
		.gxl_writable = true,
		.be_writable = true,
	};
	m.dw[RIOMMU_DC_TC] = RIOMMU_TC_V;
	m.q.device_id = DEVICE;
}

void machine_teardown(void)
{
	riommu_source_close(m.w.memory);
	memory_free(m.memory);
	riommu_ctx_free(m.ctx);
}

uint64_t new_pages(unsigned count)
{
	uint64_t size = count * RIOMMU_PAGE_SIZE;
	uint64_t first = (m.next_page + size - 1) & ~(size - 1);

	for (unsigned i = 0; i < count; i++)
		memory_page(m.memory, first + i * RIOMMU_PAGE_SIZE);
	m.next_page = first + size;
	return first;
}

static bool big_endian(void)
{
	return m.w.fctl & RIOMMU_FCTL_BE;
}

static bool sbe(void)
{
	return m.dw[RIOMMU_DC_TC] & RIOMMU_TC_SBE;
}

static bool two_stage(void)
{
	return m.dw[RIOMMU_DC_IOHGATP] >> 60 != RIOMMU_HGATP_BARE;
}

void ask(enum riommu_access access, uint64_t iova)
{
	unsigned dwords =
		m.w.capabilities & RIOMMU_CAP_MSI_FLAT ? RIOMMU_DC_DWORDS : RIOMMU_DC_DWORDS_BASE;
	uint64_t at = m.dc ? m.dc : ROOT + (uint64_t)DEVICE * 8 * dwords;

	for (unsigned i = 0; i < dwords; i++)
		memory_put64(m.memory, at + 8 * (uint64_t)i, m.dw[i], big_endian());
	m.q.access = access;
	m.q.iova = iova;
	riommu_translate(&m.w, &m.q, &m.t, &m.trace);
}

const struct riommu_step *last_step(void)
{
	ck_assert_uint_gt(m.trace.step_count, 0);
	return &m.trace.step[m.trace.step_count - 1];
}

/* -- page tables ------------------------------------------------------------------------------- */

static struct stage new_stage(unsigned mode, bool bits32, bool big, bool second)
{
	return (struct stage){
		.root = new_pages(second ? 4 : 1),
		.levels = bits32 ? 2u : mode - RIOMMU_FSC_SV39 + 3,
		.index_bits = bits32 ? 10 : 9,
		.root_bits = (bits32 ? 10u : 9u) + (second ? 2 : 0),
		.pte_size = bits32 ? 4 : 8,
		.big_endian = big,
		.guest = !second && two_stage(),
	};
}

struct stage process_stage(unsigned mode, uint64_t *fsc)
{
	struct stage s = new_stage(mode, m.dw[RIOMMU_DC_TC] & RIOMMU_TC_SXL, sbe(), false);

	*fsc = MODE(mode) | (s.guest ? GUEST(s.root) : s.root) >> RIOMMU_PAGE_SHIFT;
	return s;
}

struct stage first_stage(unsigned mode)
{
	return process_stage(mode, &m.dw[RIOMMU_DC_FSC]);
}

struct stage second_stage(unsigned mode)
{
	struct stage s = new_stage(mode, m.w.fctl & RIOMMU_FCTL_GXL, big_endian(), true);

	m.dw[RIOMMU_DC_IOHGATP] = MODE(mode) | s.root >> RIOMMU_PAGE_SHIFT;
	return s;
}

void guest_memory(const struct stage *second)
{
	map(second, GUEST(ROOT), second->pte_size == 4 ? 1 : 2, LEAF(ROOT));
}

uint64_t leaf_size(const struct stage *s, unsigned level)
{
	return RIOMMU_PAGE_SIZE << (s->index_bits * level);
}

static uint64_t entry_at(const struct stage *s, uint64_t table, uint64_t address, unsigned level)
{
	unsigned bits = level == s->levels - 1 ? s->root_bits : s->index_bits;
	uint64_t index = address / leaf_size(s, level) & ((1u << bits) - 1);

	return table + index * s->pte_size;
}

static void put_pte(const struct stage *s, uint64_t at, uint64_t pte)
{
	if (s->pte_size == 4)
		memory_put32(m.memory, at, (uint32_t)pte, s->big_endian);
	else
		memory_put64(m.memory, at, pte, s->big_endian);
}

static uint64_t get_pte(const struct stage *s, uint64_t at)
{
	const uint8_t *p = memory_bytes(m.memory, at) + (at & RIOMMU_PAGE_MASK);

	return s->pte_size == 4 ? riommu_get32(p, s->big_endian) : riommu_get64(p, s->big_endian);
}

uint64_t slot(const struct stage *s, uint64_t address, unsigned level)
{
	uint64_t table = s->root;

	for (unsigned i = s->levels - 1; i > level; i--) {
		uint64_t at = entry_at(s, table, address, i), pte = get_pte(s, at);

		if (pte & RIOMMU_PTE_V) {
			table = riommu_ppn_upper(pte) + (s->guest ? ROOT - GUEST(ROOT) : 0);
			continue;
		}
		table = new_pages(1);
		put_pte(s, at, POINTER(s->guest ? GUEST(table) : table));
	}
	return entry_at(s, table, address, level);
}

uint64_t map(const struct stage *s, uint64_t address, unsigned level, uint64_t pte)
{
	uint64_t at = slot(s, address, level);

	put_pte(s, at, pte);
	return at;
}

/* -- process directory ------------------------------------------------------------------------- */

void put_sbe(uint64_t pa, uint64_t value)
{
	memory_put64(m.memory, pa, value, sbe());
}

uint64_t process_context(unsigned mode, uint32_t process_id, uint64_t ta, uint64_t fsc)
{
	static const unsigned shift[] = {0, 8, 17};
	uint64_t table = new_pages(1), at;

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_PDTV;
	m.dw[RIOMMU_DC_FSC] =
		MODE(mode) | (two_stage() ? GUEST(table) : table) >> RIOMMU_PAGE_SHIFT;
	for (unsigned level = mode - RIOMMU_PDTP_PD8; level > 0; level--) {
		at = table + (process_id >> shift[level] & (level == 2 ? 7 : 0x1ff)) * 8;
		table = new_pages(1);
		put_sbe(at, POINTER(two_stage() ? GUEST(table) : table));
	}
	at = table + (process_id & 0xff) * 16;
	put_sbe(at, ta);
	put_sbe(at + 8, fsc);
	return at;
}

/* -- MSI page table ---------------------------------------------------------------------------- */

uint64_t msi_table(uint64_t gpa)
{
	uint64_t table = new_pages(1);

	m.dw[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | table >> RIOMMU_PAGE_SHIFT;
	m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 0xff;
	m.dw[RIOMMU_DC_MSI_ADDR_PATTERN] = gpa >> RIOMMU_PAGE_SHIFT;
	return table;
}

void put_msi_pte(uint64_t at, uint64_t dw0, uint64_t dw1)
{
	memory_put64(m.memory, at, dw0, big_endian());
	memory_put64(m.memory, at + 8, dw1, big_endian());
}
