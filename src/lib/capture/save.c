/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes a capture (design 3.1): an ELF core of the pages that walks and queues use, and notes with the registers.
 *
 * The pages are collected first, sorted, and then read and written in one pass. How they fall into segments is known
 * only afterwards, so program headers stand at the end of the file, and the ELF header is written last of all.
 */
#include "base/file.h"
#include "base/set.h"
#include "capture/capture.h"
#include "queue/queue.h"
#include "spec/notes.h"
#include "walk/walk.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PROGRESS_STEP 1024

/* -- which pages ------------------------------------------------------------------------------- */

struct pages {
	uint64_t *v;
	size_t count, size;
	struct base_set seen;
	uint64_t max;
	riommu_capture_progress_fn progress;
	void *arg;
	struct riommu_capture_report *report;
};

/* Tells every PROGRESS_STEP pages how far it is. */
static bool may_go_on(const struct pages *p, uint64_t found, uint64_t written)
{
	uint64_t count = written ? written : found;

	return !p->progress || count % PROGRESS_STEP || p->progress(p->arg, found, written);
}

/* Takes a page up to be written. -EOVERFLOW when there are -O max-pages of them. */
static int add_page(struct pages *p, uint64_t page)
{
	uint64_t *more;
	int err = base_set_add(&p->seen, page | 1, 0, p->max);

	if (err != 1)
		return err;
	if (p->count == p->size) {
		size_t size = p->size ? p->size * 2 : 256;

		more = realloc(p->v, size * sizeof(*more));
		if (!more)
			return -ENOMEM;
		p->v = more;
		p->size = size;
	}
	p->v[p->count++] = page;
	return may_go_on(p, p->count, 0) ? 0 : -EINTR;
}

static int walked_page(void *arg, const struct riommu_page_visit *v)
{
	struct pages *p = arg;

	if (!v->error)
		return add_page(p, v->page);
	if (v->error != -EFAULT) /* that one does not exist, so nothing is missing */
		p->report->missing++;
	return 0;
}

/* The pages of a ring that can be read: what its registers say may be a lie of 4 GiB. */
static int add_ring(struct pages *p, const struct riommu_system *sys, size_t iommu,
		    enum riommu_queue_kind kind)
{
	struct riommu_queue queue;
	uint8_t bytes[RIOMMU_PAGE_SIZE];
	int err = riommu_queue_open(sys, iommu, kind, &queue);

	if ((err && err != -EBADMSG) || !queue.base) /* a base of 0 was never set */
		return 0;
	for (uint64_t at = 0; at < (uint64_t)queue.entries * queue.entry_size;
	     at += RIOMMU_PAGE_SIZE) {
		err = riommu_source_read(sys->memory, queue.base + at, bytes, sizeof(bytes));
		if (!err)
			err = add_page(p, queue.base + at);
		else if (++p->report->missing % PROGRESS_STEP == 0 && p->progress &&
			 !p->progress(p->arg, p->count, 0))
			return -EINTR;
		if (err == -EOVERFLOW || err == -ENOMEM || err == -EINTR)
			return err;
	}
	return 0;
}

/* All pages of one IOMMU: what walks reach, then the rings. */
static int add_iommu(struct pages *p, const struct riommu_system *sys, size_t iommu,
		     bool guest_tables)
{
	struct riommu_walker walker;
	const char *missing_register;
	int err = 0;

	if (!riommu_walker_init(&walker, sys, iommu, &missing_register))
		err = riommu_visit_pages(
			&walker, RIOMMU_PAGES_LISTED | (guest_tables ? RIOMMU_PAGES_OF_GUESTS : 0u),
			walked_page, p);
	for (unsigned kind = RIOMMU_CQ; kind <= RIOMMU_PQ && !err; kind++)
		err = add_ring(p, sys, iommu, (enum riommu_queue_kind)kind);
	return err;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int collect(struct pages *p, const struct riommu_system *sys, bool guest_tables)
{
	int err = 0;

	p->max = riommu_option_number(sys->ctx, "max-pages");
	if (!sys->memory)
		return 0;
	for (size_t i = 0; i < sys->iommu_count && !err; i++)
		err = add_iommu(p, sys, i, guest_tables);
	if (err == -EOVERFLOW) {
		p->report->truncated = true;
		err = 0;
	}
	if (err)
		return riommu_fail(sys->ctx, err, "finding the pages to save: %s", strerror(-err));
	if (p->count)
		qsort(p->v, p->count, sizeof(*p->v), by_address);
	return 0;
}

/* -- the file under its temporary name --------------------------------------------------------- */

struct segment {
	uint64_t pa, offset, file_size, mem_size;
};

struct file {
	struct riommu_file *out;
	struct riommu_ctx *ctx;
	uint64_t offset; /* of the next byte */
	size_t fill;     /* bytes of `buffer` that are not yet written */
	uint8_t *buffer;
	struct segment *segments;
	size_t segment_count, segment_size;
	int err; /* the first; what is put after it is lost, and nobody needs to ask before the end */
};

#define BUFFER_SIZE ((size_t)256 << 10)

static void flush(struct file *f)
{
	if (!f->err)
		f->err = riommu_file_write(f->out, f->buffer, f->fill);
	f->fill = 0;
}

static void put(struct file *f, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	f->offset += len;
	while (len) {
		size_t room = BUFFER_SIZE - f->fill, n = len < room ? len : room;

		memcpy(f->buffer + f->fill, from, n);
		f->fill += n;
		from += n;
		len -= n;
		if (f->fill == BUFFER_SIZE)
			flush(f);
	}
}

/* Zeros up to a multiple of ALIGN, at most a page. */
static void pad_to(struct file *f, uint64_t align)
{
	/* never written; const, it would be a page of the file */
	static uint8_t zeros[RIOMMU_PAGE_SIZE];

	put(f, zeros, (size_t)((align - f->offset % align) % align));
}

static int file_open(struct file *f)
{
	f->buffer = malloc(BUFFER_SIZE);
	return f->buffer ? 0 : riommu_fail(f->ctx, -ENOMEM, "%s: out of memory", f->out->path);
}

static void file_end(struct file *f)
{
	free(f->buffer);
	free(f->segments);
}

/* -- notes ------------------------------------------------------------------------------------- */

static void put_note_head(struct file *f, uint32_t type, uint32_t size)
{
	uint8_t head[12 + sizeof(RIOMMU_NOTE_NAME)] = {0};

	_Static_assert(sizeof(RIOMMU_NOTE_NAME) % 4 == 0, "the name needs padding");
	riommu_put32(head, sizeof(RIOMMU_NOTE_NAME));
	riommu_put32(head + 4, size);
	riommu_put32(head + 8, type);
	memcpy(head + 12, RIOMMU_NOTE_NAME, sizeof(RIOMMU_NOTE_NAME));
	put(f, head, sizeof(head));
}

static uint32_t known_registers(const struct riommu_iommu *iommu)
{
	uint32_t count = 0;

	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++)
		count += iommu->state[i] == RIOMMU_REG_KNOWN;
	return count;
}

/* One IOMMU. Without a register that is known the note still says that the IOMMU is there. */
static void put_registers(struct file *f, const struct riommu_iommu *iommu)
{
	const struct riommu_reg *regs = riommu_registers();
	uint8_t head[RIOMMU_NOTE_REGISTERS_HEAD] = {0};
	uint8_t entry[RIOMMU_NOTE_REGISTERS_ENTRY];
	uint32_t count = known_registers(iommu);

	riommu_put32(head, RIOMMU_NOTE_REGISTERS_VERSION);
	riommu_put32(head + 4, count);
	riommu_put64(head + 8, iommu->base);
	memcpy(head + 16, iommu->name, strnlen(iommu->name, RIOMMU_NOTE_NAME_SIZE - 1));
	put_note_head(f, RIOMMU_NOTE_REGISTERS,
		      RIOMMU_NOTE_REGISTERS_HEAD + count * RIOMMU_NOTE_REGISTERS_ENTRY);
	put(f, head, sizeof(head));
	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++) {
		if (iommu->state[i] != RIOMMU_REG_KNOWN)
			continue;
		riommu_put32(entry, regs[i].offset);
		riommu_put32(entry + 4, regs[i].width);
		riommu_put64(entry + 8, iommu->value[i]);
		put(f, entry, sizeof(entry));
	}
}

static int put_machine(struct file *f, const struct riommu_system *sys, const char *tool_version)
{
	char *text = NULL;
	int err = riommu_machine_json(sys, tool_version, &text);
	size_t len = err ? 0 : strlen(text);

	if (len > UINT32_MAX)
		err = riommu_fail(f->ctx, -EOVERFLOW, "%s: too many devices", f->out->path);
	if (!err) {
		put_note_head(f, RIOMMU_NOTE_MACHINE, (uint32_t)len);
		put(f, text, len);
		pad_to(f, 4);
	}
	free(text);
	return err;
}

static int put_notes(struct file *f, const struct riommu_system *sys, const char *tool_version,
		     struct segment *note)
{
	int err;

	note->offset = f->offset;
	for (size_t i = 0; i < sys->iommu_count; i++)
		put_registers(f, &sys->iommus[i]);
	err = put_machine(f, sys, tool_version);
	note->file_size = f->offset - note->offset;
	return err;
}

/* -- memory ------------------------------------------------------------------------------------ */

static bool all_zero(const uint8_t page[RIOMMU_PAGE_SIZE])
{
	return page[0] == 0 && memcmp(page, page + 1, RIOMMU_PAGE_SIZE - 1) == 0;
}

/* The segment that PAGE continues, or a new one. Zero pages stay out of the file and can only end a segment. */
static struct segment *segment_for(struct file *f, uint64_t page, bool zero)
{
	struct segment *s = f->segment_count ? &f->segments[f->segment_count - 1] : NULL;

	if (s && s->pa + s->mem_size == page && (zero || s->file_size == s->mem_size))
		return s;
	if (f->segment_count == f->segment_size) {
		size_t size = f->segment_size ? f->segment_size * 2 : 64;
		struct segment *more = realloc(f->segments, size * sizeof(*more));

		if (!more)
			return NULL;
		f->segments = more;
		f->segment_size = size;
	}
	s = &f->segments[f->segment_count++];
	*s = (struct segment){.pa = page, .offset = f->offset};
	return s;
}

static void put_page(struct file *f, uint64_t page, const uint8_t *bytes)
{
	bool zero = all_zero(bytes);
	struct segment *s = segment_for(f, page, zero);

	if (!s) {
		f->err = riommu_fail(f->ctx, -ENOMEM, "%s: out of memory", f->out->path);
		return;
	}
	s->mem_size += RIOMMU_PAGE_SIZE;
	if (zero)
		return;
	s->file_size += RIOMMU_PAGE_SIZE;
	put(f, bytes, RIOMMU_PAGE_SIZE);
}

static void put_pages(struct file *f, const struct riommu_system *sys, const struct pages *p)
{
	uint8_t bytes[RIOMMU_PAGE_SIZE];

	pad_to(f, RIOMMU_PAGE_SIZE);
	for (size_t i = 0; i < p->count && !f->err; i++) {
		if (riommu_source_read(sys->memory, p->v[i], bytes, sizeof(bytes))) {
			p->report->missing++; /* it was there a moment ago */
			continue;
		}
		put_page(f, p->v[i], bytes);
		p->report->pages += !f->err;
		if (!f->err && !may_go_on(p, p->count, i + 1))
			f->err = riommu_fail(sys->ctx, -EINTR, "saving was interrupted");
	}
}

/* -- headers ----------------------------------------------------------------------------------- */

#define PUT16(to, type, field, v) put16((to) + offsetof(type, field), v)
#define PUT32(to, type, field, v) riommu_put32((to) + offsetof(type, field), v)
#define PUT64(to, type, field, v) riommu_put64((to) + offsetof(type, field), v)

static void put16(uint8_t *to, unsigned v)
{
	to[0] = (uint8_t)v;
	to[1] = (uint8_t)(v >> 8);
}

static void put_program_header(struct file *f, uint32_t type, uint64_t align,
			       const struct segment *s)
{
	uint8_t h[sizeof(Elf64_Phdr)] = {0};

	PUT32(h, Elf64_Phdr, p_type, type);
	PUT32(h, Elf64_Phdr, p_flags, PF_R);
	PUT64(h, Elf64_Phdr, p_offset, s->offset);
	PUT64(h, Elf64_Phdr, p_vaddr, s->pa);
	PUT64(h, Elf64_Phdr, p_paddr, s->pa);
	PUT64(h, Elf64_Phdr, p_filesz, s->file_size);
	PUT64(h, Elf64_Phdr, p_memsz, s->mem_size);
	PUT64(h, Elf64_Phdr, p_align, align);
	put(f, h, sizeof(h));
}

/* From 65,535 program headers on their number is in the first section header, and only there (ELF, PN_XNUM). */
static void put_section_header(struct file *f, size_t phnum)
{
	uint8_t h[sizeof(Elf64_Shdr)] = {0};

	PUT32(h, Elf64_Shdr, sh_info, (uint32_t)phnum);
	put(f, h, sizeof(h));
}

static void fill_header(uint8_t h[sizeof(Elf64_Ehdr)], size_t phnum, uint64_t phoff, uint64_t shoff)
{
	memset(h, 0, sizeof(Elf64_Ehdr));
	memcpy(h, ELFMAG, SELFMAG);
	h[EI_CLASS] = ELFCLASS64;
	h[EI_DATA] = ELFDATA2LSB;
	h[EI_VERSION] = EV_CURRENT;
	PUT16(h, Elf64_Ehdr, e_type, ET_CORE);
	PUT16(h, Elf64_Ehdr, e_machine, EM_RISCV);
	PUT32(h, Elf64_Ehdr, e_version, EV_CURRENT);
	PUT64(h, Elf64_Ehdr, e_phoff, phoff);
	PUT64(h, Elf64_Ehdr, e_shoff, shoff);
	PUT16(h, Elf64_Ehdr, e_ehsize, sizeof(Elf64_Ehdr));
	PUT16(h, Elf64_Ehdr, e_phentsize, sizeof(Elf64_Phdr));
	PUT16(h, Elf64_Ehdr, e_phnum, phnum < PN_XNUM ? (unsigned)phnum : PN_XNUM);
	PUT16(h, Elf64_Ehdr, e_shentsize, sizeof(Elf64_Shdr));
	PUT16(h, Elf64_Ehdr, e_shnum, shoff ? 1 : 0);
}

/* The tables of headers behind the memory; then all that is buffered, then the ELF header in its place. */
static void put_headers(struct file *f, const struct segment *note)
{
	size_t phnum = f->segment_count + 1;
	uint8_t header[sizeof(Elf64_Ehdr)];
	uint64_t phoff, shoff = 0;

	pad_to(f, 8);
	phoff = f->offset;
	put_program_header(f, PT_NOTE, 4, note);
	for (size_t i = 0; i < f->segment_count; i++)
		put_program_header(f, PT_LOAD, RIOMMU_PAGE_SIZE, &f->segments[i]);
	if (phnum >= PN_XNUM) {
		shoff = f->offset;
		put_section_header(f, phnum);
	}
	flush(f);
	fill_header(header, phnum, phoff, shoff);
	if (!f->err)
		f->err = riommu_file_write_at(f->out, 0, header, sizeof(header));
}

/* -- all of it --------------------------------------------------------------------------------- */

static int write_capture(struct file *f, const struct riommu_system *sys, const struct pages *p,
			 const char *tool_version)
{
	static const uint8_t no_header[sizeof(Elf64_Ehdr)];
	struct segment note = {0};
	int err = file_open(f);

	if (!err) {
		put(f, no_header, sizeof(no_header));
		err = put_notes(f, sys, tool_version, &note);
	}
	if (!err) {
		put_pages(f, sys, p);
		put_headers(f, &note);
		err = f->err ? f->err : riommu_file_commit(f->out, 0600);
	}
	file_end(f);
	return err;
}

static bool has_registers(const struct riommu_system *sys)
{
	for (size_t i = 0; i < sys->iommu_count; i++)
		if (known_registers(&sys->iommus[i]))
			return true;
	return false;
}

int riommu_capture_write(struct riommu_system *sys, struct riommu_file *out, bool guest_tables,
			 const char *tool_version, riommu_capture_progress_fn progress, void *arg,
			 struct riommu_capture_report *report)
{
	struct riommu_capture_report unwanted;
	struct pages p = {.progress = progress, .arg = arg, .report = report ? report : &unwanted};
	struct file f = {.out = out, .ctx = sys->ctx};
	int err;

	*p.report = (struct riommu_capture_report){0};
	err = collect(&p, sys, guest_tables);
	if (err == -ENOMEM)
		riommu_fail(sys->ctx, err, "out of memory");
	if (!err && !p.count && !has_registers(sys))
		err = riommu_fail(
			sys->ctx, -ENODATA,
			"%s: nothing to save: no register could be read, and no page without them",
			out->path);
	if (!err)
		err = write_capture(&f, sys, &p, tool_version);
	base_set_free(&p.seen);
	free(p.v);
	return err;
}

int riommu_capture_save(struct riommu_system *sys, const char *path, bool guest_tables,
			const char *tool_version, riommu_capture_progress_fn progress, void *arg,
			struct riommu_capture_report *report)
{
	struct riommu_file out;
	int err = riommu_file_begin(&out, sys->ctx, path);

	if (!err)
		err = riommu_capture_write(sys, &out, guest_tables, tool_version, progress, arg,
					   report);
	riommu_file_end(&out);
	return err;
}
