/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _XOPEN_SOURCE 700 /* nftw() */
#include "files.h"
#include "core-bytes.h"
#include "spec/registers.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

void files_begin(void)
{
	strcpy(root, "/tmp/riommu-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void files_end(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *below(const char *name)
{
	static char path[8][1200];
	static unsigned turn;

	turn = (turn + 1) % 8;
	snprintf(path[turn], sizeof(path[turn]), "%s%s%s", root, *name ? "/" : "", name);
	return path[turn];
}

void write_file(const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(below(name), "w");

	ck_assert_msg(f != NULL, "%s", name);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

void make_dir(const char *name)
{
	char path[1201];

	snprintf(path, sizeof(path), "%s/", below(name));
	for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		ck_assert(!mkdir(path, 0755) || errno == EEXIST);
		*at = '/';
	}
}

void make_link(const char *name, const char *target)
{
	ck_assert_int_eq(symlink(target, below(name)), 0);
}

/* -- cores ----------------------------------------------------------------------------------------------------- */

struct core core;

void core_begin(void)
{
	memset(&core, 0, sizeof(core));
	core.len = sizeof(Elf64_Ehdr) + sizeof(core.ph);
}

size_t core_bytes(const void *bytes, size_t len)
{
	size_t at = core.len;

	ck_assert_uint_le(at + len, sizeof(core.bytes));
	memcpy(core.bytes + at, bytes, len);
	core.len += len;
	return at;
}

Elf64_Phdr *core_header(uint32_t type, uint64_t pa, size_t at, uint64_t file_size,
			uint64_t mem_size)
{
	Elf64_Phdr *ph = &core.ph[core.count++];

	*ph = (Elf64_Phdr){.p_type = type,
			   .p_offset = at,
			   .p_paddr = pa,
			   .p_vaddr = pa,
			   .p_filesz = file_size,
			   .p_memsz = mem_size};
	return ph;
}

Elf64_Phdr *core_load(uint64_t pa, size_t len, int fill)
{
	static uint8_t bytes[16 * PAGE];

	memset(bytes, fill, len);
	return core_header(PT_LOAD, pa, core_bytes(bytes, len), len, len);
}

size_t core_note(const char *name, uint32_t type, const void *desc, uint32_t len)
{
	uint32_t head[3] = {(uint32_t)strlen(name) + 1, len, type};
	static const uint8_t zero[4];
	size_t at = core_bytes(head, sizeof(head)), desc_at;

	core_bytes(name, head[0]);
	core_bytes(zero, -head[0] & 3);
	desc_at = core_bytes(desc, len);
	core_bytes(zero, -len & 3);
	core_header(PT_NOTE, 0, at, core.len - at, 0);
	return desc_at;
}

size_t core_registers(uint64_t base, const char *name, const struct entry *entries, uint32_t count)
{
	uint8_t desc[RIOMMU_NOTE_REGISTERS_HEAD + 32 * RIOMMU_NOTE_REGISTERS_ENTRY];
	uint8_t *at = core_registers_head(desc, count, base, name);

	for (uint32_t i = 0; i < count; i++)
		at = core_register(at, entries[i].offset, entries[i].width, entries[i].value);
	return core_note(RIOMMU_NOTE_NAME, RIOMMU_NOTE_REGISTERS, desc, (uint32_t)(at - desc));
}

const struct entry some[3] = {
	{RIOMMU_REG_CAPABILITIES, 8, 0x10}, {RIOMMU_REG_FCTL, 4, 2}, {RIOMMU_REG_DDTP, 8, 0x1234}};

size_t core_some_registers(void)
{
	return core_registers(BASE, "3010000.iommu", some, 3);
}

void core_of_an_iommu(void)
{
	core_begin();
	core_some_registers();
}

void core_finish(void)
{
	Elf64_Ehdr head = core_elf_header(core.count);

	memcpy(core.bytes, &head, sizeof(head));
	memcpy(core.bytes + sizeof(head), core.ph, sizeof(core.ph));
}
