/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine.h"

#include "../unit/core-bytes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define VALID_DIRECTORY_ENTRY 1u

void die(const char *what)
{
	perror(what);
	exit(2);
}

/* -- pages ------------------------------------------------------------------------------------------------------ */

void machine_new(struct machine *m, size_t room)
{
	uint64_t root;

	*m = (struct machine){
		.room = room,
		.capabilities = 0x10 | RIOMMU_CAP_SV39 | RIOMMU_CAP_SV48 | RIOMMU_CAP_SV39X4 |
				RIOMMU_CAP_SV48X4 | RIOMMU_CAP_MSI_FLAT | RIOMMU_CAP_PD8 |
				RIOMMU_CAP_PD17 | RIOMMU_CAP_PD20 | (uint64_t)46 << 32,
	};
	m->bytes = mmap(NULL, room * RIOMMU_PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->bytes == MAP_FAILED)
		die("memory");
	root = machine_pages(m, 1);
	m->ddtp = root >> 2 | RIOMMU_DDTP_3LVL;
}

void machine_free(struct machine *m)
{
	munmap(m->bytes, m->room * RIOMMU_PAGE_SIZE);
	m->bytes = NULL;
}

uint64_t machine_pages(struct machine *m, size_t count)
{
	size_t at = (m->pages + count - 1) / count * count;

	if (at + count > m->room) {
		errno = ENOSPC;
		die("the machine");
	}
	m->pages = at + count;
	return MACHINE_BASE + at * RIOMMU_PAGE_SIZE;
}

uint8_t *machine_at(const struct machine *m, uint64_t pa)
{
	return m->bytes + (pa - MACHINE_BASE);
}

/* -- tables ----------------------------------------------------------------------------------------------------- */

/* The table that the entry at AT points to; made when there is none. */
static uint64_t next_table(struct machine *m, uint64_t at)
{
	uint64_t entry = riommu_get64(machine_at(m, at), false);

	if (!entry) {
		entry = machine_pages(m, 1) >> 2 | VALID_DIRECTORY_ENTRY;
		riommu_put64(machine_at(m, at), entry);
	}
	return riommu_ppn_upper(entry);
}

static uint8_t *context(struct machine *m, uint32_t device_id)
{
	uint64_t table = riommu_ppn_upper(m->ddtp);

	table = next_table(m, table + (device_id >> 15) * 8);
	table = next_table(m, table + (device_id >> 6 & 0x1ff) * 8);
	return machine_at(m, table + (device_id & 0x3f) * 64);
}

void machine_context(struct machine *m, uint32_t device_id, uint64_t fsc, uint64_t iohgatp)
{
	uint8_t *dc = context(m, device_id);

	riommu_put64(dc + 8 * RIOMMU_DC_TC, RIOMMU_TC_V);
	riommu_put64(dc + 8 * RIOMMU_DC_IOHGATP, iohgatp);
	riommu_put64(dc + 8 * RIOMMU_DC_FSC, fsc);
}

void machine_process_directory(struct machine *m, uint32_t device_id, uint64_t root)
{
	uint8_t *dc = context(m, device_id);

	riommu_put64(dc + 8 * RIOMMU_DC_TC, RIOMMU_TC_V | RIOMMU_TC_PDTV);
	riommu_put64(dc + 8 * RIOMMU_DC_FSC,
		     (uint64_t)RIOMMU_PDTP_PD20 << 60 | root >> RIOMMU_PAGE_SHIFT);
}

void machine_process(struct machine *m, uint64_t root, uint32_t process_id, uint64_t fsc)
{
	uint64_t table = next_table(m, root + (process_id >> 17) * 8);
	uint8_t *pc;

	table = next_table(m, table + (process_id >> 8 & 0x1ff) * 8);
	pc = machine_at(m, table + (process_id & 0xff) * 16);
	riommu_put64(pc, RIOMMU_PC_V);
	riommu_put64(pc + 8, fsc);
}

struct machine_stage machine_stage(struct machine *m, unsigned levels, bool second)
{
	return (struct machine_stage){
		.m = m,
		.levels = levels,
		.second = second,
		.root = machine_pages(m, second ? 4 : 1),
	};
}

uint64_t machine_slot(const struct machine_stage *s, uint64_t address)
{
	uint64_t table = s->root;

	for (unsigned level = s->levels - 1; level; level--) {
		uint64_t mask = s->second && level == s->levels - 1 ? 0x7ff : 0x1ff;

		table = next_table(s->m, table + (address >> (12 + 9 * level) & mask) * 8);
	}
	return table + (address >> 12 & 0x1ff) * 8;
}

void machine_map(const struct machine_stage *s, uint64_t address, uint64_t pa)
{
	riommu_put64(machine_at(s->m, machine_slot(s, address)), LEAF(pa));
}

uint64_t machine_atp(const struct machine_stage *s)
{
	/* Sv39 and Sv39x4 are 8, Sv48 and Sv48x4 are 9 */
	return (uint64_t)(s->levels + 5) << 60 | s->root >> RIOMMU_PAGE_SHIFT;
}

/* -- a capture -------------------------------------------------------------------------------------------------- */

void write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n <= 0)
			die("write");
		p += n;
		len -= (size_t)n;
	}
}

#define REGISTERS 3

struct head {
	Elf64_Ehdr elf;
	Elf64_Phdr note, memory;
	uint8_t note_bytes[sizeof(Elf64_Nhdr) + sizeof(RIOMMU_NOTE_NAME)];
	uint8_t registers[RIOMMU_NOTE_REGISTERS_HEAD + REGISTERS * RIOMMU_NOTE_REGISTERS_ENTRY];
};

static void fill_head(const struct machine *m, struct head *head)
{
	uint8_t *at;

	_Static_assert(offsetof(struct head, note) == sizeof(Elf64_Ehdr), "no gap");
	head->elf = core_elf_header(2);
	head->note = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = offsetof(struct head, note_bytes),
		.p_filesz = sizeof(*head) - offsetof(struct head, note_bytes),
		.p_align = 4,
	};
	head->memory = core_segment(MACHINE_BASE, RIOMMU_PAGE_SIZE, m->pages * RIOMMU_PAGE_SIZE);
	core_note_head(head->note_bytes, RIOMMU_NOTE_REGISTERS, sizeof(head->registers));
	at = core_registers_head(head->registers, REGISTERS, MACHINE_MMIO, "");
	at = core_register(at, RIOMMU_REG_CAPABILITIES, 8, m->capabilities);
	at = core_register(at, RIOMMU_REG_FCTL, 4, 0);
	core_register(at, RIOMMU_REG_DDTP, 8, m->ddtp);
}

static void save(const struct machine *m, int fd)
{
	union {
		struct head head;
		uint8_t bytes[RIOMMU_PAGE_SIZE];
	} first = {.bytes = {0}};

	_Static_assert(sizeof(struct head) <= RIOMMU_PAGE_SIZE, "one page");
	fill_head(m, &first.head);
	write_all(fd, first.bytes, sizeof(first.bytes));
	write_all(fd, m->bytes, m->pages * RIOMMU_PAGE_SIZE);
	if (close(fd))
		die("close");
}

void machine_save(const struct machine *m, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		die(path);
	save(m, fd);
}

struct riommu_source *machine_open(const struct machine *m, struct riommu_ctx *ctx)
{
	char path[] = "bench-machine-XXXXXX";
	struct riommu_source *source;
	int fd = mkstemp(path);

	if (fd < 0)
		die(path);
	save(m, fd);
	if (riommu_source_open(ctx, riommu_source_by_name("core"), path, &source)) {
		fprintf(stderr, "%s\n", riommu_error(ctx));
		exit(2);
	}
	unlink(path);
	return source;
}

struct riommu_walker machine_walker(const struct machine *m, struct riommu_source *memory)
{
	return (struct riommu_walker){
		.memory = memory,
		.capabilities = m->capabilities,
		.ddtp = m->ddtp,
	};
}

/* -- the devices of the benchmarks ------------------------------------------------------------------------------ */

/* The pages of guest tables are where they are: the second stage maps them one to one. */
static void map_tables(const struct machine_stage *second, uint64_t first_page, uint64_t end)
{
	for (uint64_t pa = first_page; pa < end; pa += RIOMMU_PAGE_SIZE)
		machine_map(second, pa, pa);
}

/* Levels of the first and of the second stage; 0: none. */
static void make_device(struct machine *m, uint32_t id, unsigned first_levels,
			unsigned second_levels, size_t pages)
{
	uint64_t fsc = 0, iohgatp = 0, from, end;
	struct machine_stage first, second;

	from = MACHINE_BASE + m->pages * RIOMMU_PAGE_SIZE;
	if (first_levels) {
		first = machine_stage(m, first_levels, false);
		for (size_t i = 0; i < pages; i++)
			machine_map(&first, i * RIOMMU_PAGE_SIZE,
				    (second_levels ? 0 : MACHINE_DATA) + i * RIOMMU_PAGE_SIZE);
		fsc = machine_atp(&first);
	}
	end = MACHINE_BASE + m->pages * RIOMMU_PAGE_SIZE;
	if (second_levels) {
		second = machine_stage(m, second_levels, true);
		for (size_t i = 0; i < pages; i++)
			machine_map(&second, i * RIOMMU_PAGE_SIZE,
				    MACHINE_DATA + i * RIOMMU_PAGE_SIZE);
		map_tables(&second, from, end);
		iohgatp = machine_atp(&second);
	}
	machine_context(m, id, fsc, iohgatp);
}

void machine_devices(struct machine *m, size_t pages)
{
	make_device(m, DEVICE_SV39, 3, 0, pages);
	make_device(m, DEVICE_SV48, 4, 0, pages);
	make_device(m, DEVICE_SV39X4, 0, 3, pages);
	make_device(m, DEVICE_SV39_SV39X4, 3, 3, pages);
	make_device(m, DEVICE_SV48_SV48X4, 4, 4, pages);
}

uint64_t machine_page(uint64_t i, uint64_t pages)
{
	return i * 0x9e3779b97f4a7c15 >> 32 & (pages - 1);
}
