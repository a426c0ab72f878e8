/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON of a capture's machine note, in a core that is right otherwise: what is taken reads back the same when it is saved. */
#include "look.h"
#include "spec/notes.h"

#include <elf.h>
#include <stdlib.h>

#define DATA 0x1000u
#define MAX  0x4000u
#define NAME sizeof(RIOMMU_NOTE_NAME)
#define HEAD (12 + NAME)

static uint32_t put_note(uint8_t *at, uint32_t type, const void *desc, uint32_t len)
{
	riommu_put32(at, NAME);
	riommu_put32(at + 4, len);
	riommu_put32(at + 8, type);
	memcpy(at + 12, RIOMMU_NOTE_NAME, NAME);
	memcpy(at + HEAD, desc, len);
	return (uint32_t)HEAD + ((len + 3) & ~3u);
}

/* One IOMMU of which only ddtp is known, Off. */
static uint32_t put_registers(uint8_t *at)
{
	uint8_t desc[RIOMMU_NOTE_REGISTERS_HEAD + RIOMMU_NOTE_REGISTERS_ENTRY] = {0};

	riommu_put32(desc, RIOMMU_NOTE_REGISTERS_VERSION);
	riommu_put32(desc + 4, 1);
	riommu_put64(desc + 8, 0x3010000);
	strcpy((char *)desc + 16, "3010000.iommu");
	riommu_put32(desc + RIOMMU_NOTE_REGISTERS_HEAD, RIOMMU_REG_DDTP);
	riommu_put32(desc + RIOMMU_NOTE_REGISTERS_HEAD + 4, 8);
	return put_note(at, RIOMMU_NOTE_REGISTERS, desc, sizeof(desc));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t core[DATA + MAX + 64];
	Elf64_Phdr ph = {.p_type = PT_NOTE, .p_offset = DATA};
	Elf64_Ehdr head = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = EM_RISCV,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	struct riommu_ctx *ctx;
	struct riommu_system *sys;
	uint32_t size;

	if (len > MAX - 0x200)
		return -1;
	ctx = fuzz_ctx();
	memset(core, 0, sizeof(core));
	size = put_registers(core + DATA);
	size += put_note(core + DATA + size, RIOMMU_NOTE_MACHINE, bytes, (uint32_t)len);
	ph.p_filesz = size;
	memcpy(core, &head, sizeof(head));
	memcpy(core + sizeof(head), &ph, sizeof(ph));
	fuzz_file("core", core, DATA + size);
	sys = fuzz_open(ctx, fuzz_path("core"));
	if (sys)
		look_saved(sys);
	riommu_system_close(sys);
	riommu_ctx_free(ctx);
	return 0;
}
