/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a capture that is made by hand is put together from: bytes, wherever they go. */
#ifndef TEST_CORE_BYTES_H
#define TEST_CORE_BYTES_H

#include "base/base.h"
#include "spec/notes.h"

#include <elf.h>

/* The header of a core of RISC-V; COUNT program headers follow it. */
static inline Elf64_Ehdr core_elf_header(size_t count)
{
	return (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = EM_RISCV,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)count,
	};
}

/* LEN bytes at PA, which are all in the file, from OFFSET on. */
static inline Elf64_Phdr core_segment(uint64_t pa, uint64_t offset, uint64_t len)
{
	return (Elf64_Phdr){.p_type = PT_LOAD,
			    .p_offset = offset,
			    .p_paddr = pa,
			    .p_vaddr = pa,
			    .p_filesz = len,
			    .p_memsz = len};
}

/* The head of a note of ours, whose contents are LEN bytes; where they go. */
static inline uint8_t *core_note_head(uint8_t *at, uint32_t type, uint32_t len)
{
	riommu_put32(at, sizeof(RIOMMU_NOTE_NAME));
	riommu_put32(at + 4, len);
	riommu_put32(at + 8, type);
	memcpy(at + 12, RIOMMU_NOTE_NAME, sizeof(RIOMMU_NOTE_NAME));
	return at + 12 + sizeof(RIOMMU_NOTE_NAME);
}

/* Of the contents of a register note the head, and a register; where the next one goes. */
static inline uint8_t *core_registers_head(uint8_t *at, uint32_t count, uint64_t base,
					   const char *name)
{
	riommu_put32(at, RIOMMU_NOTE_REGISTERS_VERSION);
	riommu_put32(at + 4, count);
	riommu_put64(at + 8, base);
	memset(at + 16, 0, RIOMMU_NOTE_NAME_SIZE);
	memcpy(at + 16, name, strlen(name));
	return at + RIOMMU_NOTE_REGISTERS_HEAD;
}

static inline uint8_t *core_register(uint8_t *at, uint32_t offset, uint32_t width, uint64_t value)
{
	riommu_put32(at, offset);
	riommu_put32(at + 4, width);
	riommu_put64(at + 8, value);
	return at + RIOMMU_NOTE_REGISTERS_ENTRY;
}

#endif
