/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON of a capture's machine note, in a core that is right otherwise: what is taken reads back the same when it is saved. */
#include "look.h"
#include "../unit/core-bytes.h"

#include <stdlib.h>

#define DATA 0x1000u
#define MAX  0x4000u

/* How many bytes a note takes. */
static uint32_t put_note(uint8_t *at, uint32_t type, const void *desc, uint32_t len)
{
	uint8_t *contents = core_note_head(at, type, len);

	memcpy(contents, desc, len);
	return (uint32_t)(contents - at) + ((len + 3) & ~3u);
}

/* One IOMMU of which only ddtp is known, Off. */
static uint32_t put_registers(uint8_t *at)
{
	uint8_t desc[RIOMMU_NOTE_REGISTERS_HEAD + RIOMMU_NOTE_REGISTERS_ENTRY];

	core_register(core_registers_head(desc, 1, 0x3010000, "3010000.iommu"), RIOMMU_REG_DDTP, 8,
		      0);
	return put_note(at, RIOMMU_NOTE_REGISTERS, desc, sizeof(desc));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t core[DATA + MAX + 64];
	Elf64_Phdr ph = {.p_type = PT_NOTE, .p_offset = DATA};
	Elf64_Ehdr head = core_elf_header(1);
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
