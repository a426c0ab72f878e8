/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source: captures and their damage, registers and memory of a made-up machine, overlays, page slots. */
#include "config.h"

#include "failing.h"
#include "files.h"
#include "memory.h"
#include "source/source.h"
#include "spec/notes.h"
#include "runner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct riommu_ctx *ctx;
static struct riommu_source *src;

static void setup(void)
{
	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
	src = NULL;
	files_begin();
}

static void teardown(void)
{
	riommu_source_close(src);
	riommu_ctx_free(ctx);
	files_end();
}

/* Writes the core as it is and opens it. */
static int core_open_written(void)
{
	write_file("core", core.bytes, core.len);
	riommu_source_close(src);
	src = NULL;
	return riommu_source_open(ctx, riommu_source_by_name("core"), below("core"), &src);
}

static int core_open(void)
{
	core_finish();
	return core_open_written();
}

static void expect_damaged(int err, const char *word)
{
	ck_assert_int_eq(err, -EBADMSG);
	ck_assert_ptr_null(src);
	ck_assert_msg(strstr(riommu_error(ctx), word), "\"%s\" does not say \"%s\"",
		      riommu_error(ctx), word);
}

static void expect_bytes(uint64_t pa, size_t len, int fill)
{
	uint8_t got[2 * PAGE];

	ck_assert_uint_le(len, sizeof(got));
	ck_assert_int_eq(riommu_source_read(src, pa, got, len), 0);
	for (size_t i = 0; i < len; i++)
		ck_assert_msg(got[i] == fill, "byte 0x%llx is 0x%x, not 0x%x",
			      (unsigned long long)pa + i, got[i], fill);
}

static void expect_missing(uint64_t pa, size_t len)
{
	uint8_t got[PAGE];

	ck_assert_int_eq(riommu_source_read(src, pa, got, len), -ENODATA);
}

START_TEST(memory_is_read_where_the_segments_put_it)
{
	core_begin();
	core_load(0x80000000, PAGE, 0xaa);
	core_load(0x90000000, 2 * PAGE, 0xbb);
	ck_assert_int_eq(core_open(), 0);
	expect_bytes(0x80000000, PAGE, 0xaa);
	expect_bytes(0x90000010, PAGE, 0xbb);
	expect_missing(0x7fffffff, 1);
	expect_missing(0x80001000, 1);
	expect_missing(0x80000ff8, 16);
	expect_missing(0, 8);
	expect_missing(UINT64_MAX - 3, 4);
	expect_missing(UINT64_MAX - 3, 8); /* beyond all addresses */
	ck_assert_int_eq(riommu_source_read(src, UINT64_MAX, NULL, 0), 0);
}
END_TEST

START_TEST(segments_need_no_order_and_no_alignment)
{
	core_begin();
	core_bytes("x", 1); /* now nothing is aligned in the file either */
	core_load(0x80000700, 0x500, 3);
	core_load(0x80000123, 0x300, 1);
	core_load(0x80000423, 0x2dd, 2);
	ck_assert_int_eq(core_open(), 0);
	expect_missing(0x80000122, 1);
	expect_bytes(0x80000123, 0x300, 1);
	expect_bytes(0x80000423, 0x2dd, 2);
	expect_bytes(0x80000700, 0x500, 3);
	expect_missing(0x80000c00, 1);
	{
		uint8_t got[0xadd];

		ck_assert_int_eq(riommu_source_read(src, 0x80000123, got, sizeof(got)), 0);
		ck_assert_uint_eq(got[0x2ff], 1);
		ck_assert_uint_eq(got[0x300], 2);
		ck_assert_uint_eq(got[0x5dd], 3);
	}
}
END_TEST

START_TEST(whole_pages_are_not_copied)
{
	const uint8_t *a, *b;
	uint8_t scratch[8];

	core_begin();
	core_load(0x80000000, PAGE, 0x11);
	ck_assert_int_eq(core_open(), 0);
	ck_assert_int_eq(riommu_source_entry(src, 0x80000008, 8, scratch, &a), 0);
	ck_assert_int_eq(riommu_source_entry(src, 0x80000010, 8, scratch, &b), 0);
	ck_assert_ptr_ne(a, scratch);
	ck_assert_ptr_eq(a + 8, b);
	ck_assert_uint_eq(src->pages_read, 1);
}
END_TEST

START_TEST(part_of_a_page_is_read_through_scratch)
{
	const uint8_t *data;
	uint8_t scratch[8];

	core_begin();
	core_load(0x80000100, 0x100, 0x22);
	ck_assert_int_eq(core_open(), 0);
	ck_assert_int_eq(riommu_source_entry(src, 0x80000100, 8, scratch, &data), 0);
	ck_assert_ptr_eq(data, scratch);
	ck_assert_uint_eq(data[7], 0x22);
	ck_assert_int_eq(riommu_source_entry(src, 0x800001fc, 8, scratch, &data), -ENODATA);
	ck_assert_int_eq(riommu_source_entry(src, 0x80000ffc, 8, scratch, &data), -EINVAL);
}
END_TEST

/* Design 3.1: p_memsz > p_filesz is zero only where a register note says who wrote the file. */
START_TEST(the_rest_of_a_segment_is_zero_in_a_capture)
{
	core_of_an_iommu();
	core_load(0x80000000, PAGE / 2, 0x55)->p_memsz = 4 * PAGE;
	ck_assert_int_eq(core_open(), 0);
	expect_bytes(0x80000000, PAGE / 2, 0x55);
	expect_bytes(0x80000800, PAGE, 0);
	expect_bytes(0x80003000, PAGE, 0);
	expect_missing(0x80004000, 1);
	ck_assert_uint_le(src->pages_read, 5);
}
END_TEST

START_TEST(the_rest_of_a_segment_is_missing_in_a_vmcore)
{
	core_begin();
	core_load(0x80000000, PAGE / 2, 0x55)->p_memsz = 4 * PAGE;
	ck_assert_int_eq(core_open(), 0);
	expect_bytes(0x80000000, PAGE / 2, 0x55);
	expect_missing(0x80000800, 1);
	expect_missing(0x800007f8, 16);
	expect_missing(0x80003000, 1);
}
END_TEST

START_TEST(the_rest_of_a_segment_is_zero_in_a_vmcore_on_request)
{
	ck_assert_int_eq(riommu_option_set(ctx, "excluded", "zero"), 0);
	core_begin();
	core_load(0x80000000, PAGE / 2, 0x55)->p_memsz = 4 * PAGE;
	core_load(0x80004000, PAGE, 0x66);
	ck_assert_int_eq(core_open(), 0);
	expect_bytes(0x80000800, PAGE, 0);
	expect_bytes(0x80004000, PAGE, 0x66);
	{
		uint8_t got[16];

		ck_assert_int_eq(riommu_source_read(src, 0x80003ff8, got, 16), 0);
		ck_assert_uint_eq(got[7], 0);
		ck_assert_uint_eq(got[8], 0x66);
	}
}
END_TEST

START_TEST(segments_are_listed_by_address)
{
	uint64_t pa, file_size, mem_size;

	core_begin();
	core_load(0x90000000, PAGE, 1)->p_memsz = 3 * PAGE;
	core_load(0x80000000, PAGE, 1);
	ck_assert_int_eq(core_open(), 0);
	ck_assert(riommu_core_segment_at(src, 0, &pa, &file_size, &mem_size));
	ck_assert_uint_eq(pa, 0x80000000);
	ck_assert(riommu_core_segment_at(src, 1, &pa, &file_size, &mem_size));
	ck_assert_uint_eq(pa, 0x90000000);
	ck_assert_uint_eq(file_size, PAGE);
	ck_assert_uint_eq(mem_size, 3 * PAGE);
	ck_assert(!riommu_core_segment_at(src, 2, &pa, &file_size, &mem_size));
}
END_TEST

START_TEST(overlap_in_a_capture_is_damage_and_names_both)
{
	core_of_an_iommu();
	core_load(0x80000000, 2 * PAGE, 1);
	core_load(0x80001000, PAGE, 1);
	expect_damaged(core_open(), "0x80000000..0x80001fff and 0x80001000..0x80001fff overlap");
}
END_TEST

/* A kdump vmcore describes the kernel's text twice. */
START_TEST(overlap_in_a_vmcore_is_fine_when_the_bytes_agree)
{
	core_begin();
	core_load(0x80000000, 4 * PAGE, 7);
	core_load(0x80001000, PAGE, 7);
	core_load(0x80003000, 2 * PAGE, 7);
	ck_assert_int_eq(core_open(), 0);
	expect_bytes(0x80000800, 2 * PAGE, 7);
	expect_bytes(0x80003800, PAGE, 7);
	expect_missing(0x80005000, 1);
}
END_TEST

/* They are the same bytes: nothing is to be compared. */
START_TEST(overlap_in_a_vmcore_of_one_place_of_the_file_is_fine)
{
	Elf64_Phdr *first;

	core_begin();
	first = core_load(0x80000000, PAGE, 0x11);
	core_header(PT_LOAD, 0x80000000, first->p_offset, PAGE, 2 * PAGE);
	ck_assert_int_eq(core_open(), 0);
	expect_bytes(0x80000000, PAGE, 0x11);
}
END_TEST

/* ... and some say so and pad to 4 bytes all the same, as a capture's notes are. */
START_TEST(an_alignment_of_eight_is_not_believed_where_four_finds_the_notes)
{
	struct riommu_core_registers note;
	size_t at;

	core_begin();
	core_load(0x80000000, PAGE, 0x11);
	at = core.len;
	core_note("CO", 6, "abc", 3); /* 20 bytes */
	core_some_registers();
	core.count -= 2;
	core_header(PT_NOTE, 0, at, core.len - at, 0)->p_align = 8;
	ck_assert_int_eq(core_open(), 0);
	ck_assert(riommu_core_registers_at(src, 0, &note));
	ck_assert_uint_eq(note.base, BASE);
}
END_TEST

START_TEST(a_lying_note_is_damage_in_a_segment_aligned_to_eight_too)
{
	core_begin();
	core_some_registers();
	core.ph[0].p_align = 8;
	core.bytes[core.ph[0].p_offset + offsetof(Elf64_Nhdr, n_descsz) + 2] = 1;
	expect_damaged(core_open(), "longer than its segment");
}
END_TEST

/* ELF counts the NUL behind the name; not everybody who writes notes does. Another name is another's note. */
START_TEST(names_of_notes_may_lack_their_nul)
{
	struct riommu_core_registers note;

	for (unsigned less = 0; less < 3; less++) {
		core_begin();
		core_load(0x80000000, PAGE, 0x11);
		core_some_registers();
		core.bytes[core.ph[1].p_offset] = (uint8_t)(sizeof(RIOMMU_NOTE_NAME) - less);
		ck_assert_int_eq(core_open(), 0);
		ck_assert_int_eq(riommu_core_registers_at(src, 0, &note), less < 2);
		riommu_source_close(src);
		src = NULL;
	}
}
END_TEST

/* Some write notes whose parts are padded to 8 bytes: the header of the segment says so. */
START_TEST(notes_that_are_padded_to_eight_bytes_are_read)
{
	struct riommu_core_registers note;

	core_begin();
	core_load(0x80000000, PAGE, 0x11);
	core_some_registers();
	for (size_t i = 0; i < core.count; i++)
		core.ph[i].p_align = 8;
	ck_assert_int_eq(core_open(), 0);
	ck_assert(riommu_core_registers_at(src, 0, &note));
	ck_assert_uint_eq(note.base, BASE);
	ck_assert_uint_eq(note.count, 3);
}
END_TEST

START_TEST(notes_larger_than_any_are_damage)
{
	const uint64_t size = ((uint64_t)64 << 20) + 1;

	core_begin();
	core_header(PT_NOTE, 0, PAGE, size, 0);
	core_finish();
	write_file("core", core.bytes, core.len);
	ck_assert_int_eq(truncate(below("core"), (off_t)(PAGE + size)), 0);
	expect_damaged(riommu_source_open(ctx, riommu_source_by_name("core"), below("core"), &src),
		       "notes of 67108865 bytes");
}
END_TEST

START_TEST(overlap_in_a_vmcore_is_damage_when_the_bytes_differ)
{
	core_begin();
	core_load(0x80000000, 4 * PAGE, 7);
	core_load(0x80001000, PAGE, 8);
	expect_damaged(core_open(), "contradict");
}
END_TEST

/* makedumpfile leaves pages out of one description of a range that the other has. */
START_TEST(overlap_fills_what_one_segment_leaves_out)
{
	core_begin();
	core_load(0x80000000, PAGE, 7)->p_memsz = 4 * PAGE;
	core_load(0x80002000, PAGE, 9);
	ck_assert_int_eq(core_open(), 0);
	expect_bytes(0x80000000, PAGE, 7);
	expect_missing(0x80001000, 1);
	expect_bytes(0x80002000, PAGE, 9);
	expect_missing(0x80003000, 1);
}
END_TEST

START_TEST(overlap_work_is_bounded_by_the_size_of_the_file)
{
	size_t at;

	core_begin();
	core_load(0x80000000, 16 * PAGE, 0);
	at = core.ph[0].p_offset;
	for (unsigned i = 1; i < 8; i++)
		core_header(PT_LOAD, 0x80000000 + i, at, 16 * PAGE, 16 * PAGE);
	expect_damaged(core_open(), "more of that than the file is long");
}
END_TEST

/* -- damage ---------------------------------------------------------------------------------------------------- */

static void good_core(void)
{
	core_of_an_iommu();
	core_note(RIOMMU_NOTE_NAME, RIOMMU_NOTE_MACHINE, "{}", 2);
	core_load(0x80000000, PAGE, 1);
	core_load(0x90000000, PAGE, 2);
	core_finish();
}

static const struct {
	const char *word; /* in the message */
	size_t offset;    /* in the file */
	uint64_t value;
	size_t size;
} headers[] = {
	{"not an ELF file", 0, 0x7e, 1},
	{"class 1", EI_CLASS, ELFCLASS32, 1},
	{"little-endian", EI_DATA, ELFDATA2MSB, 1},
	{"version", EI_VERSION, 9, 1},
	{"version", offsetof(Elf64_Ehdr, e_version), 0, 4},
	{"not for RISC-V", offsetof(Elf64_Ehdr, e_machine), EM_X86_64, 2},
	{"not a core", offsetof(Elf64_Ehdr, e_type), ET_EXEC, 2},
	{"no program headers", offsetof(Elf64_Ehdr, e_phnum), 0, 2},
	{"instead of 56", offsetof(Elf64_Ehdr, e_phentsize), 32, 2},
	{"impossible offset", offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX - 8, 8},
	{"truncated", offsetof(Elf64_Ehdr, e_phoff), 1 << 30, 8},
	{"no section header", offsetof(Elf64_Ehdr, e_phnum), PN_XNUM, 2},
	/* program header 2 is the first segment */
	{"0x1001 bytes in the file", 64 + 2 * 56 + offsetof(Elf64_Phdr, p_filesz), PAGE + 1, 8},
	{"past the end of addresses", 64 + 2 * 56 + offsetof(Elf64_Phdr, p_memsz), UINT64_MAX, 8},
	{"past the end of addresses", 64 + 2 * 56 + offsetof(Elf64_Phdr, p_paddr), UINT64_MAX - 9,
	 8},
	{"overflow", 64 + 2 * 56 + offsetof(Elf64_Phdr, p_offset), UINT64_MAX - 9, 8},
	{"past the end of the file", 64 + 2 * 56 + offsetof(Elf64_Phdr, p_offset), 1 << 20, 8},
	{"overlap", 64 + 2 * 56 + offsetof(Elf64_Phdr, p_paddr), 0x90000001, 8},
	{"past the end of the file", 64 + offsetof(Elf64_Phdr, p_filesz), 1 << 30, 8},
	{"longer than its segment", 64 + offsetof(Elf64_Phdr, p_filesz), 60, 8},
	{"behind the last note", 64 + offsetof(Elf64_Phdr, p_filesz), 10, 8},
};

/* From 65,535 headers on their number is in a section header, which may be anything, and anywhere. */
static const struct {
	const char *word;
	uint16_t size; /* e_shentsize */
	uint64_t at;   /* e_shoff */
} section_headers[] = {
	{"no section header", 64, 0},
	{"no section header", 63, 64},
	{"truncated: the section header at offset 0x10000000 is missing", 64, 0x10000000},
	{"truncated: the section header at offset 0xffffffffffffffff is missing", 64, UINT64_MAX},
	{"no program headers", 64,
	 0x40 + 1}, /* read from the program headers: sh_info is a part of one */
};

START_TEST(a_lying_section_header_is_damage_and_says_which)
{
	Elf64_Ehdr *head = (Elf64_Ehdr *)(void *)core.bytes;

	good_core();
	head->e_phnum = PN_XNUM;
	head->e_shentsize = section_headers[_i].size;
	head->e_shoff = section_headers[_i].at;
	expect_damaged(core_open_written(), section_headers[_i].word);
}
END_TEST

/* A segment of no bytes is none; notes beyond what anybody writes are not read. */
START_TEST(an_empty_segment_is_none)
{
	core_begin();
	core_load(0x80000000, PAGE, 7);
	core_header(PT_LOAD, 0x80000800, 0, 0, 0);
	ck_assert_int_eq(core_open(), 0);
	expect_bytes(0x80000000, PAGE, 7);
}
END_TEST

START_TEST(segments_at_one_address_are_taken_by_their_size)
{
	core_begin();
	core_load(0x90000000, PAGE, 7);
	core_load(0x80000000, 2 * PAGE, 7);
	core_load(0x80000000, PAGE, 7);
	core_load(0x80000000, 3 * PAGE, 7);
	core_load(0x80000000, PAGE, 7);
	ck_assert_int_eq(core_open(), 0);
	expect_bytes(0x80000000, PAGE, 7);
	expect_bytes(0x80002000, PAGE, 7);
	expect_missing(0x80003000, 1);
}
END_TEST

START_TEST(more_register_notes_than_iommus_are_damage)
{
	static uint8_t file[1 << 20];
	const uint32_t count = RIOMMU_MAX_IOMMUS + 1;
	size_t len, note, desc;

	core_begin();
	desc = core_some_registers() - core.ph[0].p_offset;
	core_finish();
	note = core.ph[0].p_filesz;
	len = core.ph[0].p_offset;
	memcpy(file, core.bytes, len);
	for (uint32_t i = 0; i < count; i++, len += note) {
		memcpy(file + len, core.bytes + core.ph[0].p_offset, note);
		riommu_put64(file + len + desc + 8, BASE + (uint64_t)i * PAGE);
	}
	riommu_put64(file + 64 + offsetof(Elf64_Phdr, p_filesz), count * note);
	write_file("core", file, len);
	expect_damaged(riommu_source_open(ctx, riommu_source_by_name("core"), below("core"), &src),
		       "more than 1024 register notes");
}
END_TEST

START_TEST(a_lying_header_is_damage_and_says_which)
{
	good_core();
	memcpy(core.bytes + headers[_i].offset, &headers[_i].value, headers[_i].size);
	expect_damaged(core_open_written(), headers[_i].word);
}
END_TEST

static const struct {
	const char *word;
	size_t offset; /* in the note's contents */
	uint32_t value;
} notes[] = {
	{"newer tool", 0, 2},
	{"newer tool", 0, 0},
	{"counts 4 registers", 4, 4},
	{"counts 2 registers", 4, 2},
	{"counts 4294967295 registers", 4, UINT32_MAX},
	{"not aligned to 4 KiB", 8, 0x3010008},
	{"impossible offset 0x2", 80, 2},
	{"impossible offset 0x1000", 80, 0x1000},
	{"impossible offset 0xfffffff8", 80, 0xfffffff8},
	{"of 0 bytes", 84, 0},
	{"of 16 bytes", 84, 16},
	{"capabilities has 8 bytes, not 4", 84, 4},
	{"4 bytes at offset 0x8 hold", 80 + 16 + 12, 1},
	{"offset 0x10 is there twice", 80, 0x10},
	{"offset 0x1c is inside cqb", 80 + 16, 0x1c},
};

START_TEST(a_lying_register_note_is_damage_and_says_how)
{
	size_t at;

	core_begin();
	at = core_some_registers();
	core_finish();
	riommu_put32(core.bytes + at + notes[_i].offset, notes[_i].value);

	expect_damaged(core_open_written(), notes[_i].word);
}
END_TEST

START_TEST(two_notes_of_one_iommu_are_damage)
{
	core_of_an_iommu();
	core_some_registers();
	expect_damaged(core_open(), "two register notes");
}
END_TEST

START_TEST(two_machine_notes_are_damage)
{
	core_begin();
	core_note(RIOMMU_NOTE_NAME, RIOMMU_NOTE_MACHINE, "{}", 2);
	core_note(RIOMMU_NOTE_NAME, RIOMMU_NOTE_MACHINE, "{}", 2);
	expect_damaged(core_open(), "two machine notes");
}
END_TEST

START_TEST(every_truncation_is_damage)
{
	size_t whole;

	good_core();
	whole = core.len;
	for (core.len = 0; core.len < whole; core.len += core.len < 1400 ? 1 : 97) {
		int err = core_open_written();

		ck_assert_msg(err == -EBADMSG, "%zu bytes: %d", core.len, err);
		ck_assert_ptr_null(src);
	}
	core.len = whole;
	ck_assert_int_eq(core_open_written(), 0);
}
END_TEST

/* Whatever a byte is changed into: damage, or a file that can be read without harm. */
START_TEST(no_flipped_byte_does_harm)
{
	static const uint8_t flips[] = {0x01, 0x80, 0xff};
	size_t end;

	good_core();
	end = core.ph[2].p_offset;
	for (size_t i = 0; i < end; i++) {
		for (size_t f = 0; f < sizeof(flips); f++) {
			uint64_t pa, file_size, mem_size;
			uint8_t got[16];
			int err;

			core.bytes[i] ^= flips[f];
			err = core_open_written();
			ck_assert_msg(!err || err == -EBADMSG || err == -ENOTSUP, "byte %zu: %d", i,
				      err);
			for (size_t s = 0;
			     !err && riommu_core_segment_at(src, s, &pa, &file_size, &mem_size);
			     s++) {
				riommu_source_read(src, pa, got, sizeof(got));
				riommu_source_read(src, pa + mem_size - 8, got, sizeof(got));
			}
			core.bytes[i] ^= flips[f];
		}
	}
}
END_TEST

START_TEST(registers_and_machine_are_handed_over_as_they_are)
{
	struct riommu_core_registers note;
	const char *text;
	size_t len;

	core_begin();
	core_note("CORE", 1, "abc", 3);
	core_some_registers();
	core_registers(BASE + PAGE, "second", some, 1);
	core_note(RIOMMU_NOTE_NAME, 77, "future", 6);
	core_note(RIOMMU_NOTE_NAME, RIOMMU_NOTE_MACHINE, "{\"a\":1}", 7);
	ck_assert_int_eq(core_open(), 0);
	ck_assert(riommu_core_registers_at(src, 0, &note));
	ck_assert_uint_eq(note.base, BASE);
	ck_assert_str_eq(note.name, "3010000.iommu");
	ck_assert_uint_eq(note.count, 3);
	ck_assert_uint_eq(riommu_get32(note.entries + 32, false), RIOMMU_REG_DDTP);
	ck_assert_uint_eq(riommu_get64(note.entries + 40, false), 0x1234);
	ck_assert(riommu_core_registers_at(src, 1, &note));
	ck_assert_str_eq(note.name, "second");
	ck_assert(!riommu_core_registers_at(src, 2, &note));
	ck_assert(riommu_core_machine(src, &text, &len));
	ck_assert_uint_eq(len, 7);
	ck_assert(!memcmp(text, "{\"a\":1}", 7));
}
END_TEST

START_TEST(a_name_from_a_note_cannot_steer_a_terminal)
{
	struct riommu_core_registers note;

	core_begin();
	core_registers(BASE, "a\033[2Jb", some, 1);
	ck_assert_int_eq(core_open(), 0);
	ck_assert(riommu_core_registers_at(src, 0, &note));
	ck_assert_str_eq(note.name, "a?[2Jb");
}
END_TEST

START_TEST(custom_registers_in_a_note_are_tolerated)
{
	static const struct entry custom[] = {{0x2b0, 8, 1}, {0xc, 4, 1}};

	core_begin();
	core_registers(BASE, "x", custom, 2);
	ck_assert_int_eq(core_open(), 0);
}
END_TEST

/* ELF: from 65,535 program headers on, their number is in the first section header. */
START_TEST(more_segments_than_the_header_can_count_are_read)
{
	const uint32_t count = 70000;
	size_t size = sizeof(Elf64_Ehdr) + sizeof(Elf64_Shdr) + count * sizeof(Elf64_Phdr);
	uint8_t *bytes = calloc(1, size), got[2];
	Elf64_Ehdr *head = (Elf64_Ehdr *)(void *)bytes;
	Elf64_Shdr *section = (Elf64_Shdr *)(void *)(bytes + sizeof(*head));
	Elf64_Phdr *ph = (Elf64_Phdr *)(void *)(bytes + sizeof(*head) + sizeof(*section));

	core_begin();
	core_finish();
	memcpy(head, core.bytes, sizeof(*head));
	head->e_phnum = PN_XNUM;
	head->e_phoff = sizeof(*head) + sizeof(*section);
	head->e_shoff = sizeof(*head);
	head->e_shentsize = sizeof(*section);
	head->e_shnum = 1;
	section->sh_info = count;
	for (uint32_t i = 0; i < count; i++) /* each page holds the first bytes of the file */
		ph[count - 1 - i] = (Elf64_Phdr){.p_type = PT_LOAD,
						 .p_paddr = 0x80000000 + (uint64_t)i * PAGE,
						 .p_filesz = 4,
						 .p_memsz = 4};
	write_file("core", bytes, size);
	ck_assert_int_eq(
		riommu_source_open(ctx, riommu_source_by_name("core"), below("core"), &src), 0);
	ck_assert_int_eq(riommu_source_read(src, 0x80000000 + 69999ull * PAGE + 1, got, 2), 0);
	ck_assert(!memcmp(got, "EL", 2));
	expect_missing(0x80000000 + 70000ull * PAGE, 1);
	section->sh_info = 3; /* fewer than that is odd, and says what there is all the same */
	write_file("core", bytes, size);
	riommu_source_close(src);
	ck_assert_int_eq(
		riommu_source_open(ctx, riommu_source_by_name("core"), below("core"), &src), 0);
	ck_assert_int_eq(riommu_source_read(src, 0x80000000 + 69997ull * PAGE + 1, got, 2), 0);
	expect_missing(0x80000000 + 69996ull * PAGE, 1);
	free(bytes);
}
END_TEST

START_TEST(what_is_not_a_file_has_the_right_class)
{
	const struct riommu_source_ops *ops = riommu_source_by_name("core");

	ck_assert_int_eq(riommu_source_open(ctx, ops, below("nothing"), &src), -ENOENT);
	ck_assert_int_eq(riommu_source_open(ctx, ops, below(""), &src), -EISDIR);
	write_text("empty", "");
	expect_damaged(riommu_source_open(ctx, ops, below("empty"), &src), "empty");
	ck_assert_int_eq(mkfifo(below("fifo"), 0600), 0);
	ck_assert_int_eq(riommu_source_open(ctx, ops, below("fifo"), &src), -EINVAL);
	write_text("text", "hello, this is no capture at all");
	expect_damaged(riommu_source_open(ctx, ops, below("text"), &src), "not an ELF file");
	write_text("packed", "BZh and more");
	ck_assert_int_eq(riommu_source_open(ctx, ops, below("packed"), &src), -ENOTSUP);
	ck_assert_int_eq(riommu_source_open(ctx, ops, NULL, &src), -EINVAL);
}
END_TEST

/* As somebody who is not root, whoever runs the tests. */
static void become_nobody(void)
{
	if (geteuid() == 0) {
		ck_assert_int_eq(chmod(below(""), 0755), 0);
		ck_assert_int_eq(seteuid(65534), 0);
	}
}

START_TEST(a_file_that_may_not_be_read_is_refused)
{
	write_text("secret", "x");
	ck_assert_int_eq(chmod(below("secret"), 0), 0);
	become_nobody();
	ck_assert_int_eq(
		riommu_source_open(ctx, riommu_source_by_name("core"), below("secret"), &src),
		-EACCES);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* -- which source reads a file ---------------------------------------------------------------------------------- */

static const struct {
	const char *bytes, *source;
} beginnings[] = {
	{"\x7f"
	 "ELF",
	 "core"},
	{"KDUMP   ", "kdumpfile"},
	{"makedumpfile\0\0\0\0", "kdumpfile"},
	{"KDUMP", "core"},
	{"DISKDUMP", "core"},
	{"something else", "core"},
	{"", "core"},
};

START_TEST(a_file_is_read_by_what_its_first_bytes_say)
{
	const struct riommu_source_ops *ops;

	write_text("file", beginnings[_i].bytes);
	ck_assert_int_eq(riommu_source_for_file(ctx, below("file"), NULL, &ops), 0);
	ck_assert_str_eq(ops->name, beginnings[_i].source);
}
END_TEST

START_TEST(a_named_method_or_a_base_decides)
{
	const struct riommu_source_ops *ops;

	write_text("file", "\x7f"
			   "ELF");
	ck_assert_int_eq(riommu_source_for_file(ctx, below("file"), "raw", &ops), 0);
	ck_assert_str_eq(ops->name, "raw");
	ck_assert_int_eq(riommu_source_for_file(ctx, below("file"), "devmem", &ops), -EINVAL);
	ck_assert_int_eq(riommu_source_for_file(ctx, below("file"), "nothing", &ops), -EINVAL);
	ck_assert_int_eq(riommu_option_set(ctx, "base", "0x80000000"), 0);
	ck_assert_int_eq(riommu_source_for_file(ctx, below("file"), NULL, &ops), 0);
	ck_assert_str_eq(ops->name, "raw");
	ck_assert_int_eq(riommu_source_for_file(ctx, below("file"), "core", &ops), 0);
	ck_assert_str_eq(ops->name, "core");
}
END_TEST

static int raw_open_at(const char *base)
{
	if (base)
		ck_assert_int_eq(riommu_option_set(ctx, "base", base), 0);
	return riommu_source_open(ctx, riommu_source_by_name("raw"), below("raw"), &src);
}

START_TEST(a_raw_image_is_read_without_a_copy_where_it_begins)
{
	static uint8_t bytes[3 * PAGE];
	const uint8_t *a, *b;
	uint8_t scratch[8];

	memset(bytes, 1, PAGE);
	memset(bytes + PAGE, 2, PAGE);
	memset(bytes + 2 * PAGE, 3, PAGE);
	write_file("raw", bytes, sizeof(bytes) - 5);
	ck_assert_int_eq(raw_open_at("0x80001000"), 0);
	expect_bytes(0x80001000, PAGE, 1);
	expect_bytes(0x80002000, PAGE, 2);
	expect_bytes(0x80003000, PAGE - 5, 3);
	expect_missing(0x80003ff8, 8);
	expect_missing(0x80000ff8, 8);
	expect_missing(0x80000ffc, 8);
	expect_missing(0x80004000, 1);
	expect_missing(0, 1);
	expect_missing(UINT64_MAX, 1);
	ck_assert_int_eq(riommu_source_entry(src, 0x80001000, 8, scratch, &a), 0);
	ck_assert_int_eq(riommu_source_entry(src, 0x80002000, 8, scratch, &b), 0);
	ck_assert(a != scratch && b == a + PAGE);
	{
		uint64_t pa, file_size, mem_size, value;

		/* it has no segments, and no registers */
		ck_assert(!riommu_core_segment_at(src, 0, &pa, &file_size, &mem_size));
		ck_assert_int_eq(riommu_source_reg_read(src, BASE, RIOMMU_REG_DDTP, 8, &value),
				 -ENODATA);
	}
}
END_TEST

START_TEST(a_raw_image_that_begins_within_a_page_has_the_rest_of_it)
{
	static uint8_t bytes[2 * PAGE];

	memset(bytes, 7, sizeof(bytes));
	write_file("raw", bytes, sizeof(bytes));
	ck_assert_int_eq(raw_open_at("0x80000800"), 0);
	expect_missing(0x800007f8, 8);
	expect_bytes(0x80000800, 0x800, 7);
	expect_bytes(0x80002000, 0x800, 7);
	expect_missing(0x80002800, 8);
}
END_TEST

START_TEST(a_raw_image_needs_an_address_for_each_byte)
{
	write_text("raw", "0123456789abcdef");
	ck_assert_int_eq(raw_open_at(NULL), -EINVAL);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "-O base="));
	ck_assert_int_eq(raw_open_at("0xfffffffffffffff1"), -EINVAL);
	ck_assert_int_eq(raw_open_at("0xfffffffffffffff0"), 0);
	expect_bytes(UINT64_MAX, 1, 'f');
}
END_TEST

/* -- compressed dumps --------------------------------------------------------------------------------------------- */

#ifdef HAVE_KDUMPFILE
/* As makedumpfile writes it: header, sub-header, two bitmaps, a list of two pages (not compressed), the pages. */
#define DUMP_SUB     PAGE
#define DUMP_BITMAPS (2 * PAGE)
#define DUMP_LIST    (4 * PAGE)

static uint8_t dump[7 * PAGE];

static void make_dump(void)
{
	memset(dump, 0, sizeof(dump));
	memcpy(dump, "KDUMP   ", 8);
	riommu_put32(dump + 8, 6); /* version */
	memcpy(dump + 272, "riscv64", 7);
	riommu_put32(dump + 428, PAGE);
	riommu_put32(dump + 432, 1); /* pages of the sub-header */
	riommu_put32(dump + 436, 2); /* of bitmaps */
	riommu_put32(dump + 440, 16);
	riommu_put32(dump + 460, 1); /* processors */
	riommu_put64(dump + DUMP_SUB + 96, 16);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *at = dump + DUMP_LIST + (size_t)i * 24;

		dump[DUMP_BITMAPS + i * PAGE] = 3; /* pages 0 and 1 */
		riommu_put64(at, (5 + i) * PAGE);
		riommu_put32(at + 8, PAGE);
		memset(dump + (5 + i) * PAGE, 0x31 + (int)i, PAGE);
	}
}

static int open_dump(void)
{
	const struct riommu_source_ops *ops = riommu_source_by_name("kdumpfile");

	riommu_source_close(src);
	src = NULL;
	write_file("dump", dump, sizeof(dump));
	return riommu_source_open(ctx, ops, below("dump"), &src);
}

START_TEST(a_dump_gives_the_pages_that_it_lists)
{
	make_dump();
	ck_assert_int_eq(open_dump(), 0);
	expect_bytes(0, PAGE, 0x31);
	expect_bytes(PAGE, PAGE, 0x32);
	expect_missing(2 * PAGE, 8);
	expect_missing((uint64_t)1 << 40, 8); /* no bit of a bitmap speaks of it */
}
END_TEST

/* Where there are more pages than half of the bits, the bitmaps are one. */
START_TEST(a_dump_with_one_bitmap_is_read)
{
	make_dump();
	riommu_put64(dump + DUMP_SUB + 96, 40000);
	dump[DUMP_BITMAPS + PAGE] = 0;
	ck_assert_int_eq(open_dump(), 0);
	expect_bytes(0, PAGE, 0x31);
	expect_bytes(PAGE, PAGE, 0x32);
}
END_TEST

/* One of several files: its list speaks of a part, and is left to libkdumpfile. */
START_TEST(a_part_of_a_dump_in_several_files_is_read_or_refused)
{
	uint8_t got[8];

	make_dump();
	riommu_put32(dump + DUMP_SUB + 12, 1);
	riommu_put64(dump + DUMP_SUB + 24, 16);
	riommu_put64(dump + DUMP_SUB + 88, 16);
	if (!open_dump() && !riommu_source_read(src, 0, got, 8))
		ck_assert_int_eq(got[0], 0x31);
}
END_TEST

/* LZO and snappy: what is there is neither, or this libkdumpfile was built without. */
START_TEST(a_page_that_cannot_be_unpacked_says_so)
{
	uint8_t got[8];

	make_dump();
	riommu_put32(dump + DUMP_LIST + 12, _i ? 4 : 2);
	ck_assert_int_eq(open_dump(), 0);
	ck_assert_int_lt(riommu_source_read(src, 0, got, 8), 0);
	expect_bytes(PAGE, PAGE, 0x32);
}
END_TEST

/* What we ask of the system ourselves; libkdumpfile asks for itself. */
START_TEST(a_dump_whose_headers_cannot_be_read_is_refused)
{
	const char *name;
	unsigned n = 0;
	bool hit;

	make_dump();
	write_file("dump", dump, sizeof(dump));
	do {
		int err;

		riommu_source_close(src);
		src = NULL;
		failing_begin(_i ? FAILING_FILES : FAILING_MEMORY, ++n);
		err = riommu_source_open(ctx, riommu_source_by_name("kdumpfile"), below("dump"),
					 &src);
		hit = failing_end(&name);
		ck_assert_msg(err <= 0, "%s number %u", name, n);
		if (!err) /* it was of no use, and what is read is right */
			expect_bytes(PAGE, PAGE, 0x32);
	} while (hit);
	ck_assert_uint_gt(n, 4);
	expect_bytes(0, PAGE, 0x31);
}
END_TEST

START_TEST(a_page_whose_place_cannot_be_read_is_told_or_left_to_libkdumpfile)
{
	const char *name;
	uint8_t got[8];

	make_dump();
	ck_assert_int_eq(open_dump(), 0);
	failing_begin(FAILING_FILES, 1); /* the bitmap: so nothing is known against it */
	ck_assert_int_eq(riommu_source_read(src, 0, got, 8), 0);
	ck_assert(failing_end(&name));
	riommu_source_forget(src);
	failing_always("pread", EIO);
	ck_assert_int_eq(riommu_source_read(src, 0, got, 8), 0);
	failing_begin(FAILING_FILES, 2); /* where it is */
	riommu_source_forget(src);
	ck_assert_int_eq(riommu_source_read(src, PAGE, got, 8), 0); /* the page, then these bytes */
	ck_assert(failing_end(&name));
}
END_TEST

/* libkdumpfile has it mapped: to ask it for what is gone is to end by SIGBUS. */
START_TEST(a_dump_that_became_shorter_lacks_pages)
{
	uint8_t got[8];

	make_dump();
	ck_assert_int_eq(open_dump(), 0);
	ck_assert_int_eq(truncate(below("dump"), DUMP_LIST), 0);
	ck_assert_int_eq(riommu_source_read(src, 0, got, 8), -ENODATA);
}
END_TEST
#endif

/* -- slots and overlay ------------------------------------------------------------------------------------------- */

START_TEST(a_copying_source_copies_each_page_once)
{
	struct memory *m = memory_new();
	const uint8_t *data;
	uint8_t scratch[8];

	memory_put64(m, 0x1008, 42, false);
	src = memory_source_copying(m, ctx);
	for (unsigned i = 0; i < 512; i++)
		ck_assert_int_eq(riommu_source_entry(src, 0x1000 + 8 * i, 8, scratch, &data), 0);
	ck_assert_int_eq(riommu_source_entry(src, 0x1008, 8, scratch, &data), 0);
	ck_assert_uint_eq(riommu_get64(data, false), 42);
	ck_assert_uint_eq(src->pages_read, 1);
	memory_put64(m, 0x1008, 43, false);
	riommu_source_forget(src);
	ck_assert_int_eq(riommu_source_entry(src, 0x1008, 8, scratch, &data), 0);
	ck_assert_uint_eq(riommu_get64(data, false), 43);
	ck_assert_uint_eq(src->pages_read, 2);
	riommu_source_close(src);
	src = NULL;
	memory_free(m);
}
END_TEST

static void count_pages(void *arg, uint64_t pages)
{
	uint64_t *told = arg;

	ck_assert_uint_eq(pages, *told + RIOMMU_PAGES_TOLD);
	*told = pages;
}

/* Two pages that share a slot, so that each reading fetches one. */
START_TEST(pages_that_are_read_are_told_of)
{
	struct memory *m = memory_new();
	uint64_t value, told = 0;

	memory_page(m, 0x1000);
	memory_page(m, 0x1000 + RIOMMU_PAGE_SLOTS * RIOMMU_PAGE_SIZE);
	src = memory_source(m, ctx);
	riommu_ctx_set_pages(ctx, count_pages, &told);
	for (uint64_t i = 0; i < 3 * RIOMMU_PAGES_TOLD - 1; i++)
		riommu_source_read(src, 0x1000 + (i & 1) * RIOMMU_PAGE_SLOTS * RIOMMU_PAGE_SIZE,
				   &value, 8);
	ck_assert_uint_eq(told, 2 * RIOMMU_PAGES_TOLD);
	riommu_ctx_set_pages(ctx, NULL, NULL);
	riommu_source_read(src, 0x1000 + RIOMMU_PAGE_SLOTS * RIOMMU_PAGE_SIZE, &value, 8);
	ck_assert_uint_eq(src->pages_read, 3 * RIOMMU_PAGES_TOLD);
	ck_assert_uint_eq(told, 2 * RIOMMU_PAGES_TOLD);
	riommu_source_close(src);
	src = NULL;
	memory_free(m);
}
END_TEST

START_TEST(a_page_that_there_is_no_memory_for_is_no_page)
{
	struct memory *m = memory_new();
	const uint8_t *data;
	const char *name;
	uint8_t scratch[8];
	int err;

	memory_put64(m, 0x1000, 42, false);
	src = memory_source_copying(m, ctx);
	failing_begin(FAILING_MEMORY, 1);
	err = riommu_source_entry(src, 0x1000, 8, scratch, &data);
	ck_assert(failing_end(&name));
	/* these bytes may be had without the rest */
	ck_assert_int_eq(err, 0);
	ck_assert_ptr_eq(data, scratch);
	ck_assert_uint_eq(riommu_get64(data, false), 42);
	ck_assert_int_eq(riommu_source_entry(src, 0x1000, 8, scratch, &data), 0);
	ck_assert_ptr_ne(data, scratch);
	riommu_source_close(src);
	src = NULL;
	memory_free(m);
}
END_TEST

/* Fails above 1 MiB, after it has written into the buffer. */
static int scribbling_read(struct riommu_source *source, uint64_t pa, void *buf, size_t len)
{
	(void)source;
	memset(buf, pa >> 20 ? 0xee : 0x42, len);
	return pa >> 20 ? -EACCES : 0;
}

static int open_nothing(struct riommu_source *source, const char *path)
{
	(void)source, (void)path;
	return 0;
}

static const struct riommu_source_ops scribbler = {
	.name = "scribbler", .open = open_nothing, .read = scribbling_read};

START_TEST(a_failed_read_spoils_no_page_that_was_held)
{
	ck_assert_int_eq(riommu_source_open(ctx, &scribbler, NULL, &src), 0);
	expect_bytes(0x1000, 8, 0x42);
	{
		uint8_t got[8];
		uint64_t same_slot = 0x1000 + (uint64_t)RIOMMU_PAGE_SLOTS * PAGE;

		ck_assert_int_eq(riommu_source_read(src, same_slot, got, 8), -EACCES);
	}
	expect_bytes(0x1000, 8, 0x42);
}
END_TEST

START_TEST(a_page_that_fails_does_not_answer_with_the_one_before)
{
	struct memory *m = memory_new();
	uint64_t other = 0x1000 + (uint64_t)RIOMMU_PAGE_SLOTS * PAGE; /* the same slot */
	uint8_t got[8];

	memory_put64(m, 0x1000, 42, false);
	src = memory_source_copying(m, ctx);
	ck_assert_int_eq(riommu_source_read(src, 0x1000, got, 8), 0);
	ck_assert_int_eq(riommu_source_read(src, other, got, 8), -ENODATA);
	ck_assert_int_eq(riommu_source_read(src, 0x1000, got, 8), 0);
	ck_assert_uint_eq(riommu_get64(got, false), 42);
	memory_poison(m, 0x5000);
	ck_assert_int_eq(riommu_source_read(src, 0x5000, got, 8), -EHWPOISON);
	riommu_source_close(src);
	src = NULL;
	memory_free(m);
}
END_TEST

static int reg_read(uint32_t offset, unsigned width, uint64_t *value)
{
	return riommu_source_reg_read(src, BASE, offset, width, value);
}

START_TEST(an_overlay_gives_what_it_was_given)
{
	uint64_t value = 0;

	ck_assert_int_eq(riommu_overlay_new(ctx, NULL, &src), 0);
	ck_assert_int_eq(reg_read(RIOMMU_REG_DDTP, 8, &value), -ENODATA);
	ck_assert_int_eq(riommu_overlay_set(src, BASE, RIOMMU_REG_DDTP, 8, 4), 0);
	ck_assert_int_eq(riommu_overlay_set(src, BASE, RIOMMU_REG_DDTP, 8, 5), 0);
	ck_assert_int_eq(riommu_overlay_set(src, BASE - PAGE, RIOMMU_REG_DDTP, 8, 6), 0);
	ck_assert_int_eq(riommu_overlay_set(src, BASE + PAGE, RIOMMU_REG_DDTP, 8, 7), 0);
	ck_assert_int_eq(reg_read(RIOMMU_REG_DDTP, 8, &value), 0);
	ck_assert_uint_eq(value, 5);
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), -ENODATA);
	ck_assert(riommu_overlay_get(src, BASE + PAGE, RIOMMU_REG_DDTP, &value));
	ck_assert_uint_eq(value, 7);
	ck_assert(!riommu_overlay_get(src, BASE + 2 * PAGE, RIOMMU_REG_DDTP, &value));
	ck_assert(!riommu_overlay_get(src, BASE, 3, &value));
}
END_TEST

START_TEST(a_register_that_does_not_exist_is_refused)
{
	uint64_t value;

	ck_assert_int_eq(riommu_overlay_new(ctx, NULL, &src), 0);
	ck_assert_int_eq(riommu_overlay_set(src, BASE, 0x14, 4, 0), -EINVAL);
	ck_assert_int_eq(riommu_overlay_set(src, BASE, RIOMMU_REG_DDTP, 4, 0), -EINVAL);
	ck_assert_int_eq(riommu_overlay_set(src, BASE, RIOMMU_REG_FCTL, 4, 1ull << 32), -EINVAL);
	ck_assert_int_eq(riommu_overlay_set(src, BASE + 8, RIOMMU_REG_FCTL, 4, 0), -EINVAL);
	ck_assert_int_eq(reg_read(0x14, 4, &value), -EINVAL);
	ck_assert_int_eq(reg_read(RIOMMU_REG_DDTP, 4, &value), -EINVAL);
	ck_assert_int_eq(riommu_source_reg_read(src, BASE + 4, RIOMMU_REG_FCTL, 4, &value),
			 -EINVAL);
}
END_TEST

/* -- registers of a made-up machine --------------------------------------------------------------------------------- */

static void make_registers(size_t size)
{
	static uint8_t bytes[BASE + PAGE];

	riommu_put64(bytes + BASE, 0x78e2cf4f10);
	riommu_put32(bytes + BASE + RIOMMU_REG_FCTL, 2);
	riommu_put64(bytes + BASE + RIOMMU_REG_DDTP, 0x20cbd404);
	riommu_put64(bytes + BASE + RIOMMU_REG_IOHPMCYCLES, 0x123456789abcdef0);
	write_file("mem", bytes, size);
	ck_assert_int_eq(riommu_option_set(ctx, "devmem.path", below("mem")), 0);
}

START_TEST(devmem_reads_registers)
{
	uint64_t value = 0;

	make_registers(BASE + PAGE);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("devmem"), NULL, &src), 0);
	ck_assert_int_eq(reg_read(RIOMMU_REG_CAPABILITIES, 8, &value), 0);
	ck_assert_uint_eq(value, 0x78e2cf4f10);
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), 0);
	ck_assert_uint_eq(value, 2);
	ck_assert_int_eq(reg_read(RIOMMU_REG_IOHPMCYCLES, 8, &value), 0);
	ck_assert_uint_eq(value, 0x123456789abcdef0);
	ck_assert_int_eq(riommu_source_read(src, BASE, &value, 8),
			 -ENODATA); /* no memory from here */
}
END_TEST

/* A page past the end of a file answers as an address with nothing behind it: SIGBUS. */
START_TEST(devmem_survives_an_address_with_nothing_behind_it)
{
	uint64_t value;

	make_registers(BASE);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("devmem"), NULL, &src), 0);
	ck_assert_int_eq(reg_read(RIOMMU_REG_CAPABILITIES, 8, &value), -EFAULT);
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), -EFAULT);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "0x3010008"));
}
END_TEST

/* No file has a byte there, and no machine has more IOMMUs than that. */
START_TEST(devmem_maps_no_more_than_there_can_be)
{
	const uint64_t far = (uint64_t)1 << 63;
	uint64_t value;

	make_registers(BASE + PAGE);
	ck_assert_int_eq(truncate(below("mem"), BASE + (off_t)1100 * PAGE), 0);
	ck_assert_int_eq(riommu_source_open_writable(ctx, riommu_source_by_name("devmem"), &src),
			 0);
	ck_assert_int_eq(riommu_source_reg_read(src, far, RIOMMU_REG_FCTL, 4, &value), -EINVAL);
	ck_assert_int_eq(riommu_source_reg_write(src, far, RIOMMU_REG_DDTP, 0), -EINVAL);
	for (uint64_t i = 0; i < 1024; i++)
		ck_assert_int_eq(
			riommu_source_reg_read(src, BASE + i * PAGE, RIOMMU_REG_FCTL, 4, &value),
			0);
	ck_assert_int_eq(
		riommu_source_reg_read(src, BASE + 1024 * PAGE, RIOMMU_REG_FCTL, 4, &value),
		-EINVAL);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "cannot map registers at 0x3410000"));
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), 0);
	ck_assert_uint_eq(value, 2);
}
END_TEST

START_TEST(devmem_tells_a_write_that_nothing_answers)
{
	make_registers(BASE);
	ck_assert_int_eq(riommu_source_open_writable(ctx, riommu_source_by_name("devmem"), &src),
			 0);
	ck_assert_int_eq(riommu_source_reg_write(src, BASE, RIOMMU_REG_DDTP, 0), -EFAULT);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "nothing answers at 0x3010010"));
}
END_TEST

/* What must not be written is refused before anything is mapped, whoever asks. */
START_TEST(devmem_writes_registers_and_nothing_else)
{
	static const struct {
		uint64_t base;
		uint32_t offset;
	} refused[] = {
		{BASE, 0x0c}, /* behind fctl, which has 4 bytes */
		{BASE, 0x12},
		{BASE, RIOMMU_REGS_SIZE},
		{BASE, UINT32_MAX - 3},
		{BASE + 4, RIOMMU_REG_DDTP},
		{BASE + 0x800, RIOMMU_REG_DDTP},
	};
	uint64_t value;

	make_registers(BASE + PAGE);
	ck_assert_int_eq(riommu_source_open_writable(ctx, riommu_source_by_name("devmem"), &src),
			 0);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(refused); i++)
		ck_assert_int_eq(
			riommu_source_reg_write(src, refused[i].base, refused[i].offset, 1),
			-EINVAL);
	ck_assert_int_eq(riommu_source_reg_write(src, BASE, RIOMMU_REG_DDTP, 0x12345678), 0);
	ck_assert_int_eq(riommu_source_reg_write(src, BASE, RIOMMU_REG_DDTP + 4, 0x9abcdef0), 0);
	ck_assert_int_eq(reg_read(RIOMMU_REG_DDTP, 8, &value), 0);
	ck_assert_uint_eq(value, 0x9abcdef012345678);
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), 0);
	ck_assert_uint_eq(value, 2);
}
END_TEST

START_TEST(a_source_that_was_opened_for_reading_writes_nothing)
{
	make_registers(BASE + PAGE);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("devmem"), NULL, &src), 0);
	ck_assert_int_eq(riommu_source_reg_write(src, BASE, RIOMMU_REG_DDTP, 0), -EACCES);
	riommu_source_close(src);
	ck_assert_int_eq(riommu_source_open_writable(ctx, riommu_source_by_name("debugfs"), &src),
			 -EACCES);
	src = NULL;
}
END_TEST

START_TEST(devmem_that_is_not_there_says_so)
{
	ck_assert_int_eq(riommu_option_set(ctx, "devmem.path", below("nothing")), 0);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("devmem"), NULL, &src),
			 -ENOENT);
}
END_TEST

static void make_debugfs(const char *text)
{
	make_dir("debug/riscv-iommu/riscv-iommu@3010000.iommu");
	write_text("debug/riscv-iommu/riscv-iommu@3010000.iommu/registers", text);
	ck_assert_int_eq(riommu_option_set(ctx, "debugfs.path", below("debug")), 0);
}

#define GOOD_DEBUGFS                  \
	"# riscv-iommu registers 1\n" \
	"base 0x3010000\n"            \
	"0x0 8 0x78e2cf4f10\n"        \
	"# a comment\n"               \
	"\n"                          \
	"0x8 4 0x2\n"                 \
	"0xc 4 0x7\n"

START_TEST(debugfs_reads_what_the_module_shows)
{
	uint64_t value = 0;

	make_debugfs(GOOD_DEBUGFS);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("debugfs"), NULL, &src), 0);
	ck_assert_int_eq(reg_read(RIOMMU_REG_CAPABILITIES, 8, &value), 0);
	ck_assert_uint_eq(value, 0x78e2cf4f10);
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), 0);
	ck_assert_uint_eq(value, 2);
	ck_assert_int_eq(reg_read(RIOMMU_REG_DDTP, 8, &value), -ENODATA);
	ck_assert_int_eq(riommu_source_reg_read(src, BASE + PAGE, RIOMMU_REG_FCTL, 4, &value),
			 -ENODATA);
}
END_TEST

START_TEST(debugfs_is_read_again_when_told_to_forget)
{
	uint64_t value = 0;

	make_debugfs(GOOD_DEBUGFS);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("debugfs"), NULL, &src), 0);
	write_text("debug/riscv-iommu/riscv-iommu@3010000.iommu/registers",
		   "# riscv-iommu registers 1\nbase 0x3010000\n0x8 4 0x1\n");
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), 0);
	ck_assert_uint_eq(value, 2);
	riommu_source_forget(src);
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), 0);
	ck_assert_uint_eq(value, 1);
}
END_TEST

/* The module was unloaded: what was read is the best there is. */
START_TEST(debugfs_that_goes_away_leaves_what_was_read)
{
	uint64_t value = 0;

	make_debugfs(GOOD_DEBUGFS);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("debugfs"), NULL, &src), 0);
	riommu_source_forget(src);
	ck_assert_int_eq(rename(below("debug/riscv-iommu"), below("debug/gone")), 0);
	ck_assert_int_eq(riommu_source_reg_read(src, BASE + PAGE, RIOMMU_REG_FCTL, 4, &value),
			 -ENODATA);
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), 0);
	ck_assert_uint_eq(value, 2);
}
END_TEST

START_TEST(debugfs_that_cannot_be_read_again_is_tried_once_more)
{
	const char *name;
	uint64_t value = 0;

	make_debugfs(GOOD_DEBUGFS);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("debugfs"), NULL, &src), 0);
	riommu_source_forget(src);
	failing_always("calloc", ENOMEM);
	ck_assert_int_eq(riommu_source_reg_read(src, BASE + PAGE, RIOMMU_REG_FCTL, 4, &value),
			 -ENOMEM);
	failing_end(&name);
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), 0);
	ck_assert_uint_eq(value, 2);
}
END_TEST

START_TEST(debugfs_with_more_iommus_than_there_can_be_is_read_as_far)
{
	uint64_t value;
	char name[64];

	make_debugfs(GOOD_DEBUGFS);
	for (int i = 0; i < 1100; i++) {
		snprintf(name, sizeof(name), "debug/riscv-iommu/riscv-iommu@%d", i);
		make_dir(name);
	}
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("debugfs"), NULL, &src), 0);
	/* which of them, the directory decides; all those without a file say so */
	ck_assert_int_ne(riommu_source_reg_read(src, BASE + PAGE, RIOMMU_REG_FCTL, 4, &value), 0);
}
END_TEST

static const struct {
	const char *text;
	int err;
	const char *word;
} debugfs_files[] = {
	{"", -EBADMSG, "empty"},
	{"hello\n", -EBADMSG, "not the format"},
	{"# riscv-iommu registers 2\nbase 0x3010000\n", -EBADMSG, "not the format"},
	{"# riscv-iommu registers 1\n0x0 8 0x1\n", -EBADMSG, "before the base"},
	{"# riscv-iommu registers 1\nbase 0x3010004\n", -EBADMSG, "not a base"},
	{"# riscv-iommu registers 1\nbase 0x3010000\nbase 0x3010000\n", -EBADMSG, "not a base"},
	{"# riscv-iommu registers 1\nbase 0x3010000\n0x0 8\n", -EBADMSG, "offset width value"},
	{"# riscv-iommu registers 1\nbase 0x3010000\n0x0 8 x\n", -EBADMSG, "offset width value"},
	{"# riscv-iommu registers 1\nbase 0x3010000\n0x8 4 0x100000000\n", -EBADMSG, "width"},
	{"# riscv-iommu registers 1\nbase 0x3010000\n0x8 8 0x1\n", -EBADMSG, "width"},
	{"# riscv-iommu registers 1\nbase 0x3010000\n0x8 4 1\n0x8 4 1\n", -EBADMSG, "twice"},
	{"# riscv-iommu registers 1\nbase 0x3010000\n0x8 4 0x1", -EBADMSG, "cut short"},
	{"# riscv-iommu registers 1\nbase 0x3010000\n# error: it is asleep\n", -EFAULT,
	 "it is asleep"},
	{"# riscv-iommu registers 1\n# error: memory decoding is off\n", -EFAULT, "decoding"},
	{"# riscv-iommu registers 1\nbase 0x3010000\n0x1000 4 0x1\n", -EBADMSG,
	 "offset width value"},
	{"# riscv-iommu registers 1\nbase 0x3010000\n0x8 5000000000 0x1\n", -EBADMSG, "width"},
};

START_TEST(debugfs_text_that_is_wrong_is_not_believed)
{
	uint64_t value;

	make_debugfs(debugfs_files[_i].text);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("debugfs"), NULL, &src), 0);
	ck_assert_int_eq(reg_read(RIOMMU_REG_CAPABILITIES, 8, &value), debugfs_files[_i].err);
	ck_assert_msg(strstr(riommu_error(ctx), debugfs_files[_i].word), "%s", riommu_error(ctx));
}
END_TEST

/* What is below is asked for what is not above. */
START_TEST(sources_stand_one_on_the_other)
{
	uint64_t value = 0;

	make_registers(BASE + PAGE);
	make_debugfs(GOOD_DEBUGFS);
	ck_assert_int_eq(riommu_overlay_new(ctx, NULL, &src), 0);
	ck_assert_int_eq(
		riommu_source_open(ctx, riommu_source_by_name("debugfs"), NULL, &src->lower), 0);
	ck_assert_int_eq(
		riommu_source_open(ctx, riommu_source_by_name("devmem"), NULL, &src->lower->lower),
		0);
	ck_assert_int_eq(riommu_overlay_set(src, BASE, RIOMMU_REG_FCTL, 4, 77), 0);
	ck_assert_int_eq(reg_read(RIOMMU_REG_FCTL, 4, &value), 0);
	ck_assert_uint_eq(value, 77);
	ck_assert_int_eq(reg_read(RIOMMU_REG_CAPABILITIES, 8, &value), 0);
	ck_assert_int_eq(reg_read(RIOMMU_REG_DDTP, 8, &value), 0);
	ck_assert_uint_eq(value, 0x20cbd404);
}
END_TEST

/* -- kcore ----------------------------------------------------------------------------------------------------- */

START_TEST(kcore_reads_ram_and_nothing_else)
{
	Elf64_Phdr *far;

	core_begin();
	core_load(UINT64_MAX, PAGE, 0xee); /* vmalloc: no physical address */
	core_load(0x80000000, PAGE, 0x77);
	far = core_load(0x90000000, PAGE, 0x88);
	far->p_offset = 0xffc0000000003000; /* no read can reach it */
	core_finish();
	write_file("kcore", core.bytes, core.len);
	ck_assert_int_eq(riommu_option_set(ctx, "kcore.path", below("kcore")), 0);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("kcore"), NULL, &src), 0);
	expect_bytes(0x80000000, PAGE, 0x77);
	expect_bytes(0x80000ff8, 8, 0x77);
	expect_missing(0x80001000, 8);
	expect_missing(0x90000000, 8);
}
END_TEST

/* Damage is what walks say of a table that they have read: here is none. */
START_TEST(kcore_that_ends_within_a_segment_does_not_hold_the_rest)
{
	core_begin();
	core_load(0x80000000, 2 * PAGE, 0x77);
	core_finish();
	write_file("kcore", core.bytes, core.len - PAGE - 8);
	ck_assert_int_eq(riommu_option_set(ctx, "kcore.path", below("kcore")), 0);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("kcore"), NULL, &src), 0);
	expect_bytes(0x80000000, PAGE - 8, 0x77);
	expect_missing(0x80000ff8, 8);
	expect_missing(0x80001000, 8);
}
END_TEST

START_TEST(kcore_that_is_no_core_is_damage)
{
	write_text("kcore",
		   "nonsense that is long enough to hold an ELF header, but is not one...");
	ck_assert_int_eq(riommu_option_set(ctx, "kcore.path", below("kcore")), 0);
	expect_damaged(riommu_source_open(ctx, riommu_source_by_name("kcore"), NULL, &src),
		       "not the ELF core");
}
END_TEST

static void no_program_headers(Elf64_Ehdr *head)
{
	head->e_phnum = 0;
}

static void another_class(Elf64_Ehdr *head)
{
	head->e_ident[EI_CLASS] = ELFCLASS32;
}

static void another_type(Elf64_Ehdr *head)
{
	head->e_type = ET_EXEC;
}

static void another_size(Elf64_Ehdr *head)
{
	head->e_phentsize = sizeof(Elf64_Phdr) - 8;
}

static void headers_behind_the_end(Elf64_Ehdr *head)
{
	head->e_phoff = sizeof(core.bytes);
}

static void headers_beyond_every_file(Elf64_Ehdr *head)
{
	head->e_phoff = INT64_MAX;
	head->e_phnum = 2;
}

static void headers_that_wrap(Elf64_Ehdr *head)
{
	head->e_phoff = UINT64_MAX;
}

static const struct {
	void (*change)(Elf64_Ehdr *head);
	int err;
	const char *words;
} bad_kcores[] = {
	{no_program_headers, -ENODATA, "no RAM"},
	{another_class, -EBADMSG, "not the ELF core"},
	{another_type, -EBADMSG, "not the ELF core"},
	{another_size, -EBADMSG, "not the ELF core"},
	{headers_behind_the_end, -EBADMSG, "ends before"},
	{headers_beyond_every_file, -EBADMSG, "impossible program headers"},
	{headers_that_wrap, -EBADMSG, "impossible program headers"},
};

START_TEST(kcore_with_a_wrong_header_is_refused)
{
	Elf64_Ehdr head;

	core_begin();
	core_load(0x80000000, PAGE, 0x77);
	core_finish();
	memcpy(&head, core.bytes, sizeof(head));
	bad_kcores[_i].change(&head);
	memcpy(core.bytes, &head, sizeof(head));
	write_file("kcore", core.bytes, core.len);
	ck_assert_int_eq(riommu_option_set(ctx, "kcore.path", below("kcore")), 0);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("kcore"), NULL, &src),
			 bad_kcores[_i].err);
	ck_assert_msg(strstr(riommu_error(ctx), bad_kcores[_i].words), "%s", riommu_error(ctx));
}
END_TEST

/* Of vmalloc the address means nothing, and a segment that wraps has no end. */
START_TEST(segments_of_kcore_that_wrap_are_left_out)
{
	core_begin();
	core_load(0x80000000, PAGE, 0x77);
	core_load(0xfffffffffffff000, 2 * PAGE, 0x11);
	core_load(0x90000000, PAGE, 0x88)->p_offset = UINT64_MAX - 7;
	core_finish();
	write_file("kcore", core.bytes, core.len);
	ck_assert_int_eq(riommu_option_set(ctx, "kcore.path", below("kcore")), 0);
	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("kcore"), NULL, &src), 0);
	expect_bytes(0x80000000, PAGE, 0x77);
	expect_missing(0x90000000, 8);
	expect_missing(0x7ffffff8, 8);
}
END_TEST

/* -- why can't I read it? -------------------------------------------------------------------------------------- */

static struct riommu_way ways[8];

static const struct riommu_way *way(const char *method)
{
	size_t count = riommu_ways(ctx, BASE, ways, 8);

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(ways[i].method, method))
			return &ways[i];
	}
	ck_abort_msg("no way %s", method);
	return NULL;
}

static void expect_way(const char *method, enum riommu_way_state state, const char *reason,
		       const char *remedy)
{
	const struct riommu_way *w = way(method);

	ck_assert_int_eq(w->state, state);
	ck_assert_msg(strstr(w->reason, reason), "%s", w->reason);
	ck_assert_msg(strstr(w->remedy, remedy), "%s", w->remedy);
}

/* An empty machine: every path leads below the test's own directory. */
static void make_machine(void)
{
	make_dir("proc");
	make_dir("sys");
	make_dir("dbg");
	ck_assert_int_eq(riommu_option_set(ctx, "proc.path", below("proc")), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "sysfs.path", below("sys")), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "debugfs.path", below("dbg")), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "devmem.path", below("mem")), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "kcore.path", below("kcore")), 0);
}

START_TEST(an_open_way_is_open)
{
	make_machine();
	make_debugfs(GOOD_DEBUGFS);
	make_registers(BASE + PAGE);
	expect_way("debugfs", RIOMMU_WAY_OPEN, "", "");
	expect_way("devmem", RIOMMU_WAY_OPEN, "", "");
	ck_assert_str_eq(way("devmem")->reason, "");
}
END_TEST

START_TEST(debugfs_that_is_not_mounted_is_told_from_a_missing_module)
{
	make_machine();
	write_text("proc/mounts", "proc /proc proc rw 0 0\n");
	expect_way("debugfs", RIOMMU_WAY_ABSENT, "not mounted", "mount -t debugfs");
	write_text("proc/mounts", "none /sys/kernel/debug debugfs rw 0 0\n");
	expect_way("debugfs", RIOMMU_WAY_ABSENT, "not loaded",
		   "load the module riscv_iommu_debugfs");
}
END_TEST

START_TEST(absent_devices_are_absent)
{
	make_machine();
	expect_way("devmem", RIOMMU_WAY_ABSENT, "No such file", "load the module");
	expect_way("kcore", RIOMMU_WAY_ABSENT, "CONFIG_PROC_KCORE", "--input");
}
END_TEST

START_TEST(who_is_not_root_is_told_so)
{
	make_machine();
	write_text("mem", "x");
	write_text("kcore", "x");
	ck_assert_int_eq(chmod(below("mem"), 0), 0);
	ck_assert_int_eq(chmod(below("kcore"), 0), 0);
	become_nobody();
	expect_way("devmem", RIOMMU_WAY_REFUSED, "only root", "run as root");
	expect_way("kcore", RIOMMU_WAY_REFUSED, "only root", "run as root");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(an_address_with_nothing_behind_it_is_not_an_open_way)
{
	make_machine();
	make_registers(BASE);
	expect_way("devmem", RIOMMU_WAY_REFUSED, "nothing answers at 0x3010000", "base address");
}
END_TEST

START_TEST(every_source_can_be_named)
{
	const struct riommu_source_ops *const *ops = riommu_sources();
	size_t n = 0;

	for (; ops[n]; n++) {
		ck_assert_ptr_eq(riommu_source_by_name(ops[n]->name), ops[n]);
		ck_assert_uint_gt(strlen(ops[n]->help), 10);
		ck_assert_uint_ne(ops[n]->provides, 0);
	}
	ck_assert_uint_eq(n, 6);
	ck_assert_ptr_null(riommu_source_by_name("nothing"));
}
END_TEST

static void add_core_tests(TCase *tc)
{
	tcase_add_test(tc, memory_is_read_where_the_segments_put_it);
	tcase_add_test(tc, segments_need_no_order_and_no_alignment);
	tcase_add_test(tc, whole_pages_are_not_copied);
	tcase_add_test(tc, part_of_a_page_is_read_through_scratch);
	tcase_add_test(tc, the_rest_of_a_segment_is_zero_in_a_capture);
	tcase_add_test(tc, the_rest_of_a_segment_is_missing_in_a_vmcore);
	tcase_add_test(tc, the_rest_of_a_segment_is_zero_in_a_vmcore_on_request);
	tcase_add_test(tc, segments_are_listed_by_address);
	tcase_add_test(tc, overlap_in_a_capture_is_damage_and_names_both);
	tcase_add_test(tc, overlap_in_a_vmcore_is_fine_when_the_bytes_agree);
	tcase_add_test(tc, overlap_in_a_vmcore_is_damage_when_the_bytes_differ);
	tcase_add_test(tc, overlap_in_a_vmcore_of_one_place_of_the_file_is_fine);
	tcase_add_test(tc, notes_that_are_padded_to_eight_bytes_are_read);
	tcase_add_test(tc, an_alignment_of_eight_is_not_believed_where_four_finds_the_notes);
	tcase_add_test(tc, a_lying_note_is_damage_in_a_segment_aligned_to_eight_too);
	tcase_add_test(tc, names_of_notes_may_lack_their_nul);
	tcase_add_test(tc, notes_larger_than_any_are_damage);
	tcase_add_test(tc, overlap_fills_what_one_segment_leaves_out);
	tcase_add_test(tc, overlap_work_is_bounded_by_the_size_of_the_file);
	tcase_add_loop_test(tc, a_lying_section_header_is_damage_and_says_which, 0,
			    RIOMMU_ARRAY_SIZE(section_headers));
	tcase_add_test(tc, an_empty_segment_is_none);
	tcase_add_test(tc, segments_at_one_address_are_taken_by_their_size);
	tcase_add_test(tc, more_register_notes_than_iommus_are_damage);
	tcase_add_loop_test(tc, a_lying_header_is_damage_and_says_which, 0,
			    (int)RIOMMU_ARRAY_SIZE(headers));
	tcase_add_loop_test(tc, a_lying_register_note_is_damage_and_says_how, 0,
			    (int)RIOMMU_ARRAY_SIZE(notes));
	tcase_add_test(tc, two_notes_of_one_iommu_are_damage);
	tcase_add_test(tc, two_machine_notes_are_damage);
	tcase_add_test(tc, every_truncation_is_damage);
	tcase_add_test(tc, no_flipped_byte_does_harm);
	tcase_add_test(tc, registers_and_machine_are_handed_over_as_they_are);
	tcase_add_test(tc, a_name_from_a_note_cannot_steer_a_terminal);
	tcase_add_test(tc, custom_registers_in_a_note_are_tolerated);
	tcase_add_test(tc, more_segments_than_the_header_can_count_are_read);
	tcase_add_test(tc, what_is_not_a_file_has_the_right_class);
	tcase_add_test(tc, a_file_that_may_not_be_read_is_refused);
	tcase_add_loop_test(tc, a_file_is_read_by_what_its_first_bytes_say, 0,
			    (int)RIOMMU_ARRAY_SIZE(beginnings));
	tcase_add_test(tc, a_named_method_or_a_base_decides);
	tcase_add_test(tc, a_raw_image_is_read_without_a_copy_where_it_begins);
	tcase_add_test(tc, a_raw_image_that_begins_within_a_page_has_the_rest_of_it);
	tcase_add_test(tc, a_raw_image_needs_an_address_for_each_byte);
}

static void add_live_tests(TCase *tc)
{
#ifdef HAVE_KDUMPFILE
	tcase_add_test(tc, a_dump_gives_the_pages_that_it_lists);
	tcase_add_test(tc, a_dump_with_one_bitmap_is_read);
	tcase_add_test(tc, a_part_of_a_dump_in_several_files_is_read_or_refused);
	tcase_add_loop_test(tc, a_page_that_cannot_be_unpacked_says_so, 0, 2);
	tcase_add_loop_test(tc, a_dump_whose_headers_cannot_be_read_is_refused, 0, 2);
	tcase_add_test(tc, a_page_whose_place_cannot_be_read_is_told_or_left_to_libkdumpfile);
	tcase_add_test(tc, a_dump_that_became_shorter_lacks_pages);
#endif
	tcase_add_test(tc, a_copying_source_copies_each_page_once);
	tcase_add_test(tc, pages_that_are_read_are_told_of);
	tcase_add_test(tc, a_page_that_there_is_no_memory_for_is_no_page);
	tcase_add_test(tc, a_page_that_fails_does_not_answer_with_the_one_before);
	tcase_add_test(tc, a_failed_read_spoils_no_page_that_was_held);
	tcase_add_test(tc, an_overlay_gives_what_it_was_given);
	tcase_add_test(tc, a_register_that_does_not_exist_is_refused);
	tcase_add_test(tc, devmem_reads_registers);
	tcase_add_test(tc, devmem_survives_an_address_with_nothing_behind_it);
	tcase_add_test(tc, devmem_writes_registers_and_nothing_else);
	tcase_add_test(tc, devmem_maps_no_more_than_there_can_be);
	tcase_add_test(tc, devmem_tells_a_write_that_nothing_answers);
	tcase_add_test(tc, a_source_that_was_opened_for_reading_writes_nothing);
	tcase_add_test(tc, devmem_that_is_not_there_says_so);
	tcase_add_test(tc, debugfs_reads_what_the_module_shows);
	tcase_add_test(tc, debugfs_is_read_again_when_told_to_forget);
	tcase_add_test(tc, debugfs_that_goes_away_leaves_what_was_read);
	tcase_add_test(tc, debugfs_that_cannot_be_read_again_is_tried_once_more);
	tcase_add_test(tc, debugfs_with_more_iommus_than_there_can_be_is_read_as_far);
	tcase_add_loop_test(tc, debugfs_text_that_is_wrong_is_not_believed, 0,
			    (int)RIOMMU_ARRAY_SIZE(debugfs_files));
	tcase_add_test(tc, sources_stand_one_on_the_other);
	tcase_add_test(tc, kcore_reads_ram_and_nothing_else);
	tcase_add_test(tc, kcore_that_ends_within_a_segment_does_not_hold_the_rest);
	tcase_add_test(tc, kcore_that_is_no_core_is_damage);
	tcase_add_loop_test(tc, kcore_with_a_wrong_header_is_refused, 0,
			    (int)RIOMMU_ARRAY_SIZE(bad_kcores));
	tcase_add_test(tc, segments_of_kcore_that_wrap_are_left_out);
	tcase_add_test(tc, an_open_way_is_open);
	tcase_add_test(tc, debugfs_that_is_not_mounted_is_told_from_a_missing_module);
	tcase_add_test(tc, absent_devices_are_absent);
	tcase_add_test(tc, who_is_not_root_is_told_so);
	tcase_add_test(tc, an_address_with_nothing_behind_it_is_not_an_open_way);
	tcase_add_test(tc, every_source_can_be_named);
}

int main(void)
{
	Suite *suite = suite_create("source");
	TCase *cores = tcase_create("cores"), *live = tcase_create("live");

	tcase_add_checked_fixture(cores, setup, teardown);
	tcase_add_checked_fixture(live, setup, teardown);
	tcase_set_timeout(cores, 60);
	add_core_tests(cores);
	tcase_set_timeout(live, 60);
	add_live_tests(live);
	suite_add_tcase(suite, cores);
	suite_add_tcase(suite, live);
	return run_suite(suite);
}
