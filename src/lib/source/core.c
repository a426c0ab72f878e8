/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * core: captures, kdump vmcores and QEMU memory dumps, all ELF64 cores (design 3.1).
 *
 * Read by <elf.h> over one read-only mapping. libelf would be in the way here: it quietly lowers the number of
 * program headers to what a truncated file still holds, and this reader has to say what is missing.
 *
 * Nothing in the file is believed: headers, segments and notes are checked at open, and what was checked once is
 * used without looking again. A file that someone truncates while it is open answers with SIGBUS: whoever opens one
 * handles that, as src/tool/tool.c does. (Copying would cost every walk what hardly ever happens.)
 */
#include "source/source-internal.h"
#include "spec/notes.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MAX_SEGMENTS  (1u << 24) /* 64 GiB in single pages */
#define MAX_NOTE_SIZE (64u << 20)

struct segment {
	uint64_t pa, file_size, mem_size, offset;
};

/* Bytes at an address; for those that the file holds also where. */
struct extent {
	uint64_t pa, len, offset;
};

struct extents {
	struct extent *v;
	size_t count, last; /* last: where the latest lookup ended */
};

struct core {
	const uint8_t *file;
	uint64_t size;
	struct segment *segments; /* PT_LOADs by ascending address */
	size_t count;
	struct extents held; /* what the file holds: disjoint, ascending */
	/* held, and zero or excluded by whoever wrote it: disjoint, ascending */
	struct extents covered;
	bool rest_is_zero; /* p_memsz > p_filesz means zero */
	struct riommu_core_registers *notes;
	size_t note_count;
	const char *machine;
	size_t machine_len;
};

#define HALF(core, at, type, field) get16((core)->file + (at) + offsetof(type, field))
#define WORD(core, at, type, field) riommu_get32((core)->file + (at) + offsetof(type, field), false)
#define XWORD(core, at, type, field) \
	riommu_get64((core)->file + (at) + offsetof(type, field), false)

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static int damaged(struct riommu_source *src, const char *fmt, ...) RIOMMU_PRINTF(2, 3);

static int damaged(struct riommu_source *src, const char *fmt, ...)
{
	char words[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return riommu_fail(src->ctx, -EBADMSG, "%s: %s", src->path, words);
}

/* -- lookup ------------------------------------------------------------------------------------------------ */

/* The extent that holds PA, or NULL; *NEXT is then where the one above begins (all ones when there is none). */
static const struct extent *extent_find(struct extents *set, uint64_t pa, uint64_t *next)
{
	const struct extent *e;
	size_t lo = 0, hi = set->count;

	if (set->last < set->count) {
		e = &set->v[set->last];
		if (pa - e->pa < e->len)
			return e;
	}
	while (lo < hi) { /* the first that begins above PA */
		size_t mid = lo + (hi - lo) / 2;

		if (set->v[mid].pa <= pa)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (next)
		*next = lo < set->count ? set->v[lo].pa : UINT64_MAX;
	if (!lo)
		return NULL;
	e = &set->v[lo - 1];
	if (pa - e->pa >= e->len)
		return NULL;
	set->last = lo - 1;
	return e;
}

/* How many bytes at PA, at most LEN, are zero without being in the file. */
static uint64_t zero_run(struct core *core, uint64_t pa, uint64_t len, uint64_t next_held)
{
	const struct extent *e = core->rest_is_zero ? extent_find(&core->covered, pa, NULL) : NULL;
	uint64_t run;

	if (!e)
		return 0;
	run = e->len - (pa - e->pa);
	if (run > next_held - pa)
		run = next_held - pa;
	return run < len ? run : len;
}

static int core_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	struct core *core = src->priv;
	uint8_t *to = buf;

	while (len) {
		uint64_t next = UINT64_MAX, n;
		const struct extent *e = extent_find(&core->held, pa, &next);

		if (e) {
			n = e->len - (pa - e->pa);
			n = n < len ? n : len;
			memcpy(to, core->file + e->offset + (pa - e->pa), n);
		} else {
			n = zero_run(core, pa, len, next);
			if (!n)
				return -ENODATA;
			memset(to, 0, n);
		}
		to += n;
		pa += n;
		len -= n;
	}
	return 0;
}

static int core_map(struct riommu_source *src, uint64_t page, const uint8_t **data)
{
	/* never written; const, it would be a page of the file */
	static uint8_t zeros[RIOMMU_PAGE_SIZE];
	struct core *core = src->priv;
	uint64_t next = UINT64_MAX;
	const struct extent *e = extent_find(&core->held, page, &next);

	if (e) {
		if (e->len - (page - e->pa) < RIOMMU_PAGE_SIZE)
			return -ENODATA;
		*data = core->file + e->offset + (page - e->pa);
		return 0;
	}
	if (zero_run(core, page, RIOMMU_PAGE_SIZE, next) < RIOMMU_PAGE_SIZE)
		return -ENODATA;
	*data = zeros;
	return 0;
}

/* -- headers ----------------------------------------------------------------------------------------------- */

static bool is_elf(const uint8_t *head, size_t len)
{
	return len >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG);
}

/* The machines whose dumps lie around where somebody looks for one of RISC-V. */
static const char *machine_name(uint16_t machine)
{
	switch (machine) {
	case EM_386:
		return " (x86)";
	case EM_X86_64:
		return " (x86-64)";
	case EM_ARM:
		return " (ARM)";
	case EM_AARCH64:
		return " (AArch64)";
	default:
		return "";
	}
}

static int check_kind(struct riommu_source *src, const struct core *core)
{
	uint16_t machine = HALF(core, 0, Elf64_Ehdr, e_machine);
	uint16_t type = HALF(core, 0, Elf64_Ehdr, e_type);

	if (machine != EM_RISCV)
		return damaged(src, "an ELF file for machine %u%s, not for RISC-V (%u)", machine,
			       machine_name(machine), EM_RISCV);
	if (type != ET_CORE)
		return damaged(src, "an ELF file of type %u (%s), not a core (%u)", type,
			       type == ET_EXEC || type == ET_DYN ? "a program, such as vmlinux"
			       : type == ET_REL ? "an object file, such as a kernel module"
						: "unknown",
			       ET_CORE);
	return 0;
}

static int check_ident(struct riommu_source *src, const struct core *core)
{
	const uint8_t *ident = core->file;

	if (!is_elf(ident, core->size))
		return riommu_source_unknown_format(src->ctx, src->path, ident, core->size);
	if (core->size < sizeof(Elf64_Ehdr))
		return damaged(src, "truncated: %llu bytes, an ELF header has %zu",
			       (unsigned long long)core->size, sizeof(Elf64_Ehdr));
	if (ident[EI_CLASS] != ELFCLASS64)
		return damaged(src, "an ELF file of class %u (%s), not the 64-bit one of a capture",
			       ident[EI_CLASS],
			       ident[EI_CLASS] == ELFCLASS32 ? "32-bit" : "unknown");
	if (ident[EI_DATA] != ELFDATA2LSB)
		return damaged(src, "an ELF file that is not little-endian, as RISC-V's are");
	if (ident[EI_VERSION] != EV_CURRENT || WORD(core, 0, Elf64_Ehdr, e_version) != EV_CURRENT)
		return damaged(src, "an unknown version of ELF");
	return check_kind(src, core);
}

/*
 * Number of program headers; from 65,535 on it is in the first section header (ELF, PN_XNUM). A smaller one there
 * is taken as it is: binutils does, too.
 */
static int header_count(struct riommu_source *src, const struct core *core, uint64_t *count)
{
	uint64_t shoff = XWORD(core, 0, Elf64_Ehdr, e_shoff);

	*count = HALF(core, 0, Elf64_Ehdr, e_phnum);
	if (*count != PN_XNUM)
		return 0;
	if (!shoff || HALF(core, 0, Elf64_Ehdr, e_shentsize) != sizeof(Elf64_Shdr))
		return damaged(src, "more than 65534 program headers, but no section header says "
				    "how many");
	if (!riommu_inside(shoff, sizeof(Elf64_Shdr), core->size))
		return damaged(src, "truncated: the section header at offset 0x%llx is missing",
			       (unsigned long long)shoff);
	*count = WORD(core, shoff, Elf64_Shdr, sh_info);
	return 0;
}

/* Where program header I is, and how many there are. */
static int program_headers(struct riommu_source *src, const struct core *core, uint64_t *at,
			   uint64_t *count)
{
	uint64_t bytes, end;
	int err = header_count(src, core, count);

	if (err)
		return err;
	if (!*count)
		return damaged(src, "no program headers: nothing is captured");
	if (*count > MAX_SEGMENTS)
		return damaged(src, "%llu program headers are more than any capture has",
			       (unsigned long long)*count);
	if (HALF(core, 0, Elf64_Ehdr, e_phentsize) != sizeof(Elf64_Phdr))
		return damaged(src, "program headers of %u bytes instead of %zu",
			       HALF(core, 0, Elf64_Ehdr, e_phentsize), sizeof(Elf64_Phdr));
	*at = XWORD(core, 0, Elf64_Ehdr, e_phoff);
	bytes = *count * sizeof(Elf64_Phdr);
	if (!riommu_add(*at, bytes, &end))
		return damaged(src, "program headers at an impossible offset 0x%llx",
			       (unsigned long long)*at);
	if (end > core->size)
		return damaged(src, "truncated: %llu bytes of program headers are missing",
			       (unsigned long long)(end - core->size));
	return 0;
}

/* -- segments ---------------------------------------------------------------------------------------------- */

static int check_in_file(struct riommu_source *src, const struct core *core, uint64_t i,
			 uint64_t offset, uint64_t len)
{
	uint64_t end;

	if (!riommu_add(offset, len, &end))
		return damaged(src, "program header %llu: offset 0x%llx and size 0x%llx overflow",
			       (unsigned long long)i, (unsigned long long)offset,
			       (unsigned long long)len);
	if (end > core->size)
		return damaged(src,
			       "truncated: program header %llu reaches %llu bytes past the end "
			       "of the file",
			       (unsigned long long)i, (unsigned long long)(end - core->size));
	return 0;
}

static int load_segment(struct riommu_source *src, struct core *core, uint64_t i, uint64_t at)
{
	struct segment s = {
		.pa = XWORD(core, at, Elf64_Phdr, p_paddr),
		.file_size = XWORD(core, at, Elf64_Phdr, p_filesz),
		.mem_size = XWORD(core, at, Elf64_Phdr, p_memsz),
		.offset = XWORD(core, at, Elf64_Phdr, p_offset),
	};
	uint64_t end;
	int err;

	if (s.file_size > s.mem_size)
		return damaged(src,
			       "segment at 0x%llx: 0x%llx bytes in the file for 0x%llx in memory",
			       (unsigned long long)s.pa, (unsigned long long)s.file_size,
			       (unsigned long long)s.mem_size);
	if (!riommu_add(s.pa, s.mem_size, &end))
		return damaged(src,
			       "segment at 0x%llx: its size 0x%llx goes past the end of addresses",
			       (unsigned long long)s.pa, (unsigned long long)s.mem_size);
	err = check_in_file(src, core, i, s.offset, s.file_size);
	if (!err && s.mem_size)
		core->segments[core->count++] = s;
	return err;
}

static int by_address(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	if (x->pa != y->pa)
		return x->pa < y->pa ? -1 : 1;
	return x->mem_size < y->mem_size ? -1 : x->mem_size > y->mem_size;
}

static void sort_segments(struct core *core)
{
	for (size_t i = 1; i < core->count; i++) {
		if (core->segments[i].pa < core->segments[i - 1].pa) {
			qsort(core->segments, core->count, sizeof(struct segment), by_address);
			return;
		}
	}
}

/* True if the bytes of S in the file say what HELD already has for [PA, PA + LEN), all of which it holds. */
static bool same_bytes(struct core *core, const struct segment *s, uint64_t pa, uint64_t len)
{
	while (len) {
		const struct extent *e = extent_find(&core->held, pa, NULL);
		uint64_t n, old, new = s->offset + (pa - s->pa);

		if (!e)
			return false;
		n = e->len - (pa - e->pa);
		n = n < len ? n : len;
		old = e->offset + (pa - e->pa);
		if (old != new &&memcmp(core->file + old, core->file + new, n))
			return false;
		pa += n;
		len -= n;
	}
	return true;
}

static int overlap(struct riommu_source *src, const struct segment *a, const struct segment *b,
		   const char *more)
{
	return damaged(src, "segments 0x%llx..0x%llx and 0x%llx..0x%llx overlap%s",
		       (unsigned long long)a->pa, (unsigned long long)(a->pa + a->mem_size - 1),
		       (unsigned long long)b->pa, (unsigned long long)(b->pa + b->mem_size - 1),
		       more);
}

/*
 * Adds what the file holds of segment I to HELD, which covers everything from the segment's address to END already
 * if END lies above it. A kdump vmcore has the kernel's text twice, once by itself and once as part of its memory: two
 * descriptions of the same bytes. Comparing is bounded by the size of the file.
 */
static int hold_segment(struct riommu_source *src, struct core *core, const struct segment *s,
			const struct segment *before, uint64_t *end, uint64_t *budget)
{
	uint64_t twice = *end > s->pa ? *end - s->pa : 0;
	struct extent *last;

	if (twice > s->file_size)
		twice = s->file_size;
	if (twice > *budget)
		return overlap(src, before, s, ", and there is more of that than the file is long");
	*budget -= twice;
	if (!same_bytes(core, s, s->pa, twice))
		return overlap(src, before, s, " and contradict each other");
	if (twice == s->file_size)
		return 0;

	last = core->held.count ? &core->held.v[core->held.count - 1] : NULL;
	if (last && last->pa + last->len == s->pa && last->offset + last->len == s->offset) {
		last->len +=
			s->file_size; /* neighbours in memory and in the file: pages map across */
	} else {
		core->held.v[core->held.count++] = (struct extent){
			.pa = s->pa + twice,
			.len = s->file_size - twice,
			.offset = s->offset + twice,
		};
	}
	*end = s->pa + s->file_size;
	return 0;
}

static void cover_segment(struct core *core, const struct segment *s)
{
	struct extent *last =
		core->covered.count ? &core->covered.v[core->covered.count - 1] : NULL;

	if (last && s->pa <= last->pa + last->len) {
		if (s->pa + s->mem_size > last->pa + last->len)
			last->len = s->pa + s->mem_size - last->pa;
	} else {
		core->covered.v[core->covered.count++] =
			(struct extent){.pa = s->pa, .len = s->mem_size};
	}
}

/* From sorted segments to what is held and what is covered. Our own captures (notes) never overlap. */
static int lay_out(struct riommu_source *src, struct core *core)
{
	uint64_t end = 0, budget = core->size;
	const struct segment *widest = NULL; /* the one that reaches furthest so far */

	core->held.v = calloc(core->count + 1, sizeof(struct extent));
	core->covered.v = calloc(core->count + 1, sizeof(struct extent));
	if (!core->held.v || !core->covered.v)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	for (size_t i = 0; i < core->count; i++) {
		const struct segment *s = &core->segments[i];
		bool over = widest && s->pa < widest->pa + widest->mem_size;
		int err;

		if (over && core->note_count)
			return overlap(src, widest, s, "");
		err = hold_segment(src, core, s, widest ? widest : s, &end, &budget);
		if (err)
			return err;
		cover_segment(core, s);
		if (!widest || s->pa + s->mem_size > widest->pa + widest->mem_size)
			widest = s;
	}
	return 0;
}

/* -- notes ------------------------------------------------------------------------------------------------- */

/* Where in the register file, and marked as seen. Unknown offsets may be custom registers: they are left out later. */
static int check_register(struct riommu_source *src, uint64_t base, const uint8_t *entry,
			  uint8_t seen[RIOMMU_REGS_SIZE / 4])
{
	uint32_t offset = riommu_get32(entry, false), width = riommu_get32(entry + 4, false);
	uint64_t value = riommu_get64(entry + 8, false);
	unsigned long long where = base;
	int reg;

	if (width != 4 && width != 8)
		return damaged(src, "note of IOMMU 0x%llx: a register of %u bytes", where, width);
	if (offset % width || !riommu_inside(offset, width, RIOMMU_REGS_SIZE))
		return damaged(src, "note of IOMMU 0x%llx: a register at impossible offset 0x%x",
			       where, offset);
	reg = riommu_reg_by_offset(offset);
	if (reg >= 0 && riommu_registers()[reg].width != width)
		return damaged(src, "note of IOMMU 0x%llx: %s has %u bytes, not %u", where,
			       riommu_registers()[reg].name, riommu_registers()[reg].width, width);
	if (reg < 0) { /* the upper half of one that is named? There is one at 0 */
		reg = riommu_reg_by_offset(offset - 4);
		if (reg >= 0 && riommu_registers()[reg].width == 8)
			return damaged(src, "note of IOMMU 0x%llx: offset 0x%x is inside %s", where,
				       offset, riommu_registers()[reg].name);
	}
	if (width == 4 && value > UINT32_MAX)
		return damaged(src, "note of IOMMU 0x%llx: 4 bytes at offset 0x%x hold 0x%llx",
			       where, offset, (unsigned long long)value);
	for (uint32_t i = offset / 4; i < (offset + width) / 4; i++) {
		if (seen[i]++)
			return damaged(src, "note of IOMMU 0x%llx: offset 0x%x is there twice",
				       where, offset);
	}
	return 0;
}

static int check_registers(struct riommu_source *src, const struct riommu_core_registers *note)
{
	uint8_t seen[RIOMMU_REGS_SIZE / 4] = {0};

	if (note->base & (RIOMMU_REGS_SIZE - 1))
		return damaged(src, "note of an IOMMU at 0x%llx, which is not aligned to 4 KiB",
			       (unsigned long long)note->base);
	for (uint32_t i = 0; i < note->count; i++) {
		int err = check_register(src, note->base,
					 note->entries + (size_t)i * RIOMMU_NOTE_REGISTERS_ENTRY,
					 seen);

		if (err)
			return err;
	}
	return 0;
}

static int add_registers(struct riommu_source *src, struct core *core, const uint8_t *desc,
			 uint64_t size)
{
	struct riommu_core_registers note = {0}, *more;
	uint32_t version;

	if (size < 4)
		return damaged(src, "a register note of %llu bytes", (unsigned long long)size);
	version = riommu_get32(desc, false);
	if (version != RIOMMU_NOTE_REGISTERS_VERSION)
		return damaged(src,
			       "register note version %u; this program knows version %u: a newer "
			       "tool wrote the file",
			       version, RIOMMU_NOTE_REGISTERS_VERSION);
	if (size < RIOMMU_NOTE_REGISTERS_HEAD)
		return damaged(src, "a register note of %llu bytes", (unsigned long long)size);
	note.count = riommu_get32(desc + 4, false);
	note.base = riommu_get64(desc + 8, false);
	note.entries = desc + RIOMMU_NOTE_REGISTERS_HEAD;
	if ((size - RIOMMU_NOTE_REGISTERS_HEAD) % RIOMMU_NOTE_REGISTERS_ENTRY ||
	    (size - RIOMMU_NOTE_REGISTERS_HEAD) / RIOMMU_NOTE_REGISTERS_ENTRY != note.count)
		return damaged(src, "a register note of %llu bytes that counts %u registers",
			       (unsigned long long)size, note.count);
	riommu_copy_name(note.name, sizeof(note.name), (const char *)desc + 16,
			 strnlen((const char *)desc + 16, RIOMMU_NOTE_NAME_SIZE));

	for (size_t i = 0; i < core->note_count; i++) {
		if (core->notes[i].base == note.base)
			return damaged(src, "two register notes of the IOMMU at 0x%llx",
				       (unsigned long long)note.base);
	}
	if (core->note_count == RIOMMU_MAX_IOMMUS)
		return damaged(src, "more than %u register notes", RIOMMU_MAX_IOMMUS);
	more = realloc(core->notes, (core->note_count + 1) * sizeof(note));
	if (!more)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	core->notes = more;
	core->notes[core->note_count++] = note;
	return check_registers(src, &note);
}

static int add_note(struct riommu_source *src, struct core *core, uint32_t type,
		    const uint8_t *desc, uint64_t size)
{
	if (type == RIOMMU_NOTE_REGISTERS)
		return add_registers(src, core, desc, size);
	if (type != RIOMMU_NOTE_MACHINE) {
		riommu_log(src->ctx, RIOMMU_LOG_INFO, "%s: note of unknown type %u left out",
			   src->path, type);
		return 0;
	}
	if (core->machine)
		return damaged(src, "two machine notes");
	core->machine = (const char *)desc;
	core->machine_len = size;
	return 0;
}

static uint64_t pad(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

/* ELF counts the NUL behind the name; there are writers that leave it out. */
static bool is_ours(const char *name, uint64_t size)
{
	const uint64_t with_nul = sizeof(RIOMMU_NOTE_NAME);

	return (size == with_nul || size == with_nul - 1) && !memcmp(name, RIOMMU_NOTE_NAME, size);
}

struct elf_note {
	uint64_t name, name_size, desc, desc_size, next; /* offsets in the segment */
	uint32_t type;
};

/* The note at AT, where a header fits; false when it is longer than its segment. The last one may not be padded. */
static bool read_note(const uint8_t *base, uint64_t size, uint64_t at, uint64_t align,
		      struct elf_note *n)
{
	n->name_size = riommu_get32(base + at + offsetof(Elf64_Nhdr, n_namesz), false);
	n->desc_size = riommu_get32(base + at + offsetof(Elf64_Nhdr, n_descsz), false);
	n->type = riommu_get32(base + at + offsetof(Elf64_Nhdr, n_type), false);
	n->name = at + sizeof(Elf64_Nhdr);
	n->desc = pad(n->name + n->name_size, align);
	n->next = pad(n->desc + n->desc_size, align);
	return riommu_inside(n->name, n->name_size, size) &&
	       (!n->desc_size || riommu_inside(n->desc, n->desc_size, size));
}

static unsigned count_ours(const uint8_t *base, uint64_t size, uint64_t align)
{
	unsigned count = 0;
	struct elf_note n;

	for (uint64_t at = 0; riommu_inside(at, sizeof(Elf64_Nhdr), size); at = n.next) {
		if (!read_note(base, size, at, align, &n))
			break;
		count += is_ours((const char *)base + n.name, n.name_size);
	}
	return count;
}

/* Segments that claim an alignment of 8 have their parts padded to 8 bytes or, all the same, to 4: only one finds ours. */
static uint64_t note_padding(const uint8_t *base, uint64_t size, uint64_t align)
{
	return align == 8 && count_ours(base, size, 8) >= count_ours(base, size, 4) ? 8 : 4;
}

/* The notes of one PT_NOTE segment. */
static int load_notes(struct riommu_source *src, struct core *core, uint64_t offset, uint64_t size,
		      uint64_t align)
{
	const uint8_t *base = core->file + offset;
	struct elf_note n;
	uint64_t at;

	align = note_padding(base, size, align);
	for (at = 0; riommu_inside(at, sizeof(Elf64_Nhdr), size); at = n.next) {
		int err = 0;

		if (!read_note(base, size, at, align, &n))
			return damaged(src,
				       "a note at offset 0x%llx that is longer than its segment",
				       (unsigned long long)(offset + at));
		if (is_ours((const char *)base + n.name, n.name_size))
			err = add_note(src, core, n.type, base + n.desc, n.desc_size);
		if (err)
			return err;
	}
	for (; at < size; at++) {
		if (base[at])
			return damaged(src, "%llu bytes behind the last note",
				       (unsigned long long)(size - at));
	}
	return 0;
}

/* -- open -------------------------------------------------------------------------------------------------- */

static int load_headers(struct riommu_source *src, struct core *core)
{
	uint64_t at = 0, count = 0;
	int err = program_headers(src, core, &at, &count);

	if (err)
		return err;
	core->segments = calloc(count, sizeof(struct segment));
	if (!core->segments)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	for (uint64_t i = 0; i < count; i++, at += sizeof(Elf64_Phdr)) {
		uint32_t type = WORD(core, at, Elf64_Phdr, p_type);
		uint64_t offset = XWORD(core, at, Elf64_Phdr, p_offset);
		uint64_t size = XWORD(core, at, Elf64_Phdr, p_filesz);

		if (type == PT_LOAD) {
			err = load_segment(src, core, i, at);
		} else if (type == PT_NOTE) {
			err = check_in_file(src, core, i, offset, size);
			if (!err && size > MAX_NOTE_SIZE)
				err = damaged(src, "notes of %llu bytes", (unsigned long long)size);
			if (!err)
				err = load_notes(src, core, offset, size,
						 XWORD(core, at, Elf64_Phdr, p_align));
		}
		if (err)
			return err;
	}
	return 0;
}

static void core_close(struct riommu_source *src)
{
	struct core *core = src->priv;

	if (core->file)
		munmap((void *)(uintptr_t)core->file, (size_t)core->size);
	free(core->segments);
	free(core->held.v);
	free(core->covered.v);
	free(core->notes);
	free(core);
}

static int core_open(struct riommu_source *src, const char *path)
{
	struct core *core;
	int err;

	core = calloc(1, sizeof(*core));
	if (!core)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	src->priv = core;
	err = riommu_source_map_file(src, path, &core->file, &core->size);
	if (!err)
		err = check_ident(src, core);
	if (!err)
		err = load_headers(src, core);
	if (!err) {
		sort_segments(core);
		core->rest_is_zero = core->note_count || riommu_option_is_set(src->ctx, "excluded");
		err = lay_out(src, core);
	}
	if (err)
		core_close(src);
	return err;
}

bool riommu_core_registers_at(const struct riommu_source *src, size_t i,
			      struct riommu_core_registers *out)
{
	const struct core *core = src->priv;

	if (src->ops != &riommu_core_ops || i >= core->note_count)
		return false;
	*out = core->notes[i];
	return true;
}

bool riommu_core_machine(const struct riommu_source *src, const char **text, size_t *len)
{
	const struct core *core = src->priv;

	if (src->ops != &riommu_core_ops || !core->machine)
		return false;
	*text = core->machine;
	*len = core->machine_len;
	return true;
}

bool riommu_core_segment_at(const struct riommu_source *src, size_t i, uint64_t *pa,
			    uint64_t *file_size, uint64_t *mem_size)
{
	const struct core *core = src->priv;

	if (src->ops != &riommu_core_ops || i >= core->count)
		return false;
	*pa = core->segments[i].pa;
	*file_size = core->segments[i].file_size;
	*mem_size = core->segments[i].mem_size;
	return true;
}

const struct riommu_source_ops riommu_core_ops = {
	.name = "core",
	.help = "a capture, a kdump vmcore or a QEMU memory dump (--input FILE)",
	.provides = RIOMMU_PROVIDES_MEMORY,
	.reads_file = true,
	.recognizes = is_elf,
	.open = core_open,
	.close = core_close,
	.read = core_read,
	.map = core_map,
};
