/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine.h"

#include "spec/structures.h"
#include "../unit/core-bytes.h"

/* An IOMMU that has all there is. */
#define CAPABILITIES                                                                           \
	(0x10 | RIOMMU_CAP_SV32 | RIOMMU_CAP_SV39 | RIOMMU_CAP_SV48 | RIOMMU_CAP_SV57 |        \
	 RIOMMU_CAP_SVRSW60T59B | RIOMMU_CAP_SVPBMT | RIOMMU_CAP_SV32X4 | RIOMMU_CAP_SV39X4 |  \
	 RIOMMU_CAP_SV48X4 | RIOMMU_CAP_SV57X4 | RIOMMU_CAP_AMO_MRIF | RIOMMU_CAP_MSI_FLAT |   \
	 RIOMMU_CAP_MSI_MRIF | RIOMMU_CAP_AMO_HWAD | RIOMMU_CAP_ATS | RIOMMU_CAP_T2GPA |       \
	 RIOMMU_CAP_END | RIOMMU_CAP_HPM | RIOMMU_CAP_DBG | RIOMMU_CAP_PD8 | RIOMMU_CAP_PD17 | \
	 RIOMMU_CAP_PD20 | RIOMMU_CAP_QOSID | (uint64_t)2 << 28 /* IGS */ | (uint64_t)46 << 32)

#define LEAF_FLAGS                                                                                 \
	(RIOMMU_PTE_V | RIOMMU_PTE_R | RIOMMU_PTE_W | RIOMMU_PTE_X | RIOMMU_PTE_U | RIOMMU_PTE_A | \
	 RIOMMU_PTE_D)

/* -- registers -------------------------------------------------------------------------------------------------- */

static void set_reg(struct machine *m, uint32_t offset, uint64_t value)
{
	int i = riommu_reg_by_offset(offset);

	m->reg[i] = value;
	m->known[i] = true;
}

static uint64_t get_reg(const struct machine *m, uint32_t offset)
{
	return m->reg[riommu_reg_by_offset(offset)];
}

static bool big_endian(const struct machine *m)
{
	return get_reg(m, RIOMMU_REG_FCTL) & RIOMMU_FCTL_BE;
}

static uint64_t page_at(unsigned i)
{
	return MACHINE_RAM + (uint64_t)(i % MACHINE_PAGES) * RIOMMU_PAGE_SIZE;
}

static void make_queue(struct machine *m, uint32_t base, uint32_t csr, unsigned entry_size,
		       uint8_t what)
{
	unsigned log = (what >> 5) +
		       (entry_size == 32 ? 1 : 2); /* up to the 8 pages of the machine's end */

	set_reg(m, base, page_at(what & 31) >> 2 | (log - 1));
	set_reg(m, base + 8, 0);
	set_reg(m, base + 12, 1);
	set_reg(m, csr, 0x10001);
}

static void make_registers(struct machine *m, struct feed *f)
{
	uint8_t shape = feed8(f), root = feed8(f);

	set_reg(m, RIOMMU_REG_CAPABILITIES, CAPABILITIES ^ feed64(f));
	set_reg(m, RIOMMU_REG_FCTL, (shape >> 4) & 7);
	set_reg(m, RIOMMU_REG_DDTP, page_at(root) >> 2 | (shape & 15));
	make_queue(m, RIOMMU_REG_CQB, RIOMMU_REG_CQCSR, 16, feed8(f));
	make_queue(m, RIOMMU_REG_FQB, RIOMMU_REG_FQCSR, 32, feed8(f));
	make_queue(m, RIOMMU_REG_PQB, RIOMMU_REG_PQCSR, 16, feed8(f));
	set_reg(m, RIOMMU_REG_FQH, feed8(f));
	set_reg(m, RIOMMU_REG_FQT, feed8(f));
	set_reg(m, RIOMMU_REG_IPSR, feed8(f));
}

/* -- things ------------------------------------------------------------------------------------------------------- */

static void put64(struct machine *m, unsigned page, uint64_t index, uint64_t value)
{
	uint64_t raw = riommu_get64(&value, big_endian(m));

	page = (page + (unsigned)(index / 512)) % MACHINE_PAGES;
	memcpy(m->page[page] + 8 * (index % 512), &raw, sizeof(raw));
	m->present[page] = true;
}

static void put32(struct machine *m, unsigned page, uint64_t index, uint32_t value)
{
	uint32_t raw = riommu_get32(&value, big_endian(m));

	page = (page + (unsigned)(index / 1024)) % MACHINE_PAGES;
	memcpy(m->page[page] + 4 * (index % 1024), &raw, sizeof(raw));
	m->present[page] = true;
}

/* MODE and PPN in a nibble and a byte of V. */
static uint64_t pointer_of(uint64_t v, unsigned shift)
{
	uint64_t mode = v >> shift & 15, page = v >> (shift + 4) & 31;

	return mode ? mode << 60 | page_at((unsigned)page) >> 12 : 0;
}

/* Bits of V: tc 0..11, iohgatp 12, fsc 21, msiptp 30, GSCID 39, PSCID 41, mask 43, pattern 47, bits that ought not to be 62.. */
static void put_dc(struct machine *m, unsigned page, unsigned index, uint64_t v)
{
	bool extended = get_reg(m, RIOMMU_REG_CAPABILITIES) & RIOMMU_CAP_MSI_FLAT;
	unsigned dwords = extended ? 8 : 4;
	uint64_t dw[8] = {
		(v & 0xfff) | RIOMMU_TC_V, pointer_of(v, 12) | (v >> 39 & 3) << 44,
		(v >> 41 & 3) << 12,       pointer_of(v, 21),
		pointer_of(v, 30),         v >> 43 & 15,
		v >> 47 & 0x7fff,          0,
	};

	if ((v >> 62) == 3)
		dw[index >> 8 & 7] ^= (uint64_t)1 << (v >> 52 & 63);
	for (unsigned i = 0; i < dwords; i++)
		put64(m, page, (uint64_t)(index & 0x7f) * dwords + i, dw[i]);
}

/* A leaf with FLAGS flipped; its address from V, of a size that fits a level. */
static uint64_t leaf(uint64_t v)
{
	uint64_t flags = LEAF_FLAGS ^ (v & 0xff), pa = (v >> 8 & 0xffffffff) << 12;

	switch (v >> 40 & 7) {
	case 0:
		pa = MACHINE_RAM + (pa & 0x1f000);
		break;
	case 1:
		pa &= ~(uint64_t)0x1fffff;
		break;
	case 2:
		pa &= ~(uint64_t)0x3fffffff;
		break;
	case 3:
		pa = (pa & ~(uint64_t)0xffff) | 0x8000;
		flags |= RIOMMU_PTE_N;
		break;
	case 4:
		pa = MACHINE_RAM & ~(uint64_t)0x3fffffff;
		break;
	default:
		break;
	}
	return pa >> 2 | flags | (v >> 43 & 0x1f) << 59;
}

static void put_run(struct machine *m, unsigned page, uint64_t index, uint64_t v)
{
	static const uint64_t steps[] = {0x1000, 0x10000, 0x200000, 0x40000000};
	uint64_t count = v >> 48 & 0x1ff, step = v >> 57 & 3;

	for (uint64_t i = 0; i <= count && index + i < 512; i++)
		put64(m, page, index + i, leaf(v & 0xffffffffffff) + (i * steps[step] >> 2));
}

static void put_garbage(struct machine *m, unsigned page, uint64_t state)
{
	state |= 1;
	for (uint64_t i = 0; i < 512; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		put64(m, page, i, state);
	}
}

static void put_thing(struct machine *m, uint8_t what, unsigned page, unsigned index, uint64_t v)
{
	uint64_t i = index & 0x7ff; /* a second stage's root has four pages */

	switch (what & 15) {
	case 0:
		put64(m, page, i, v);
		break;
	case 1: /* a pointer, of page tables and directories */
	case 2:
		put64(m, page, i,
		      page_at((unsigned)v & 31) >> 2 | ((v >> 8 & 0xff) ^ RIOMMU_PTE_V));
		break;
	case 3:
		put64(m, page, i, leaf(v));
		break;
	case 4:
		put_run(m, page, i & 511, v);
		break;
	case 5:
	case 6:
		put_dc(m, page, index, v);
		break;
	case 7: /* a process context */
		put64(m, page, (i & 255) * 2, (v & 7) ^ RIOMMU_PC_V);
		put64(m, page, (i & 255) * 2 + 1, pointer_of(v, 8));
		break;
	case 8: /* an MSI PTE */
		put64(m, page, (i & 255) * 2,
		      (v & 7) ^ 7 ? (v & 7) | v >> 8 << 10 : 7 | page_at(index) >> 2);
		put64(m, page, (i & 255) * 2 + 1, v >> 40);
		break;
	case 9: /* a fault record; a command or page request */
		put64(m, page, (i & 127) * 4, v);
		put64(m, page, (i & 127) * 4 + 2, v << 3);
		break;
	case 10:
		put64(m, page, (i & 255) * 2, v);
		put64(m, page, (i & 255) * 2 + 1, v >> 20);
		break;
	case 11:
		m->reg[index % RIOMMU_REG_COUNT] =
			riommu_registers()[index % RIOMMU_REG_COUNT].width == 4 ? (uint32_t)v : v;
		m->known[index % RIOMMU_REG_COUNT] = !(what & 0x80);
		break;
	case 12:
		put32(m, page, index & 0xfff, (uint32_t)leaf(v));
		break;
	case 13:
		put32(m, page, index & 0xfff,
		      (uint32_t)(page_at((unsigned)v & 31) >> 2) | RIOMMU_PTE_V);
		break;
	case 14:
		put_garbage(m, page, v);
		break;
	default:
		m->present[page] = !m->present[page];
		break;
	}
}

void machine_add(struct machine *m, struct feed *f)
{
	while (f->left >= MACHINE_THING) {
		uint8_t what = feed8(f);
		unsigned page = feed8(f) % MACHINE_PAGES, index = feed16(f);

		put_thing(m, what, page, index, feed64(f));
	}
}

void machine_make(struct machine *m, struct feed *f)
{
	memset(m, 0, sizeof(*m));
	for (unsigned i = 0; i < MACHINE_PAGES; i++)
		m->present[i] = true;
	make_registers(m, f);
	machine_add(m, f);
}

/* -- as a capture ---------------------------------------------------------------------------------------------------- */

#define DATA 0x2000u

static uint32_t put_note(uint8_t *at, const struct machine *m)
{
	uint8_t *desc = core_note_head(at, RIOMMU_NOTE_REGISTERS, 0);
	uint8_t *first = core_registers_head(desc, 0, MACHINE_BASE, "3010000.iommu"), *end = first;
	uint32_t count;

	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++)
		if (m->known[i])
			end = core_register(end, riommu_registers()[i].offset,
					    riommu_registers()[i].width, m->reg[i]);
	count = (uint32_t)(end - first) / RIOMMU_NOTE_REGISTERS_ENTRY;
	core_registers_head(desc, count, MACHINE_BASE, "3010000.iommu");
	core_note_head(at, RIOMMU_NOTE_REGISTERS, (uint32_t)(end - desc));
	return (uint32_t)(end - at);
}

static unsigned put_loads(const struct machine *m, Elf64_Phdr *ph)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MACHINE_PAGES; i++)
		if (m->present[i])
			ph[count++] = core_segment(page_at(i), DATA + i * RIOMMU_PAGE_SIZE,
						   RIOMMU_PAGE_SIZE);
	return count;
}

void machine_write(const struct machine *m, const char *name)
{
	static uint8_t bytes[DATA + sizeof(m->page)];
	Elf64_Ehdr head;
	Elf64_Phdr ph[MACHINE_PAGES + 1] = {0};
	size_t note = sizeof(head) + sizeof(ph);

	ph[0] = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = note, .p_filesz = put_note(bytes + note, m)};
	MUST(note + ph[0].p_filesz <= DATA);
	head = core_elf_header(1 + put_loads(m, ph + 1));
	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), ph, sizeof(ph));
	memcpy(bytes + DATA, m->page, sizeof(m->page));
	fuzz_file(name, bytes, sizeof(bytes));
}
