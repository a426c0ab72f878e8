/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests read: files in a directory of their own, and ELF cores made by hand, right or wrong. */
#ifndef TEST_FILES_H
#define TEST_FILES_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 0x1000u
#define BASE 0x3010000u

/* An empty directory, and its end. Everything below ends the test when it fails. */
void files_begin(void);
void files_end(void);

/* The path of NAME in that directory; good for the next seven calls. "": the directory itself. */
const char *below(const char *name);

void write_file(const char *name, const void *bytes, size_t len);
void write_text(const char *name, const char *text);

/* With those above it that are missing. */
void make_dir(const char *name);
void make_link(const char *name, const char *target);

/* A core under construction: header, room for program headers, then data. */
#define MAX_HEADERS 16

struct core {
	uint8_t bytes[256 << 10];
	size_t len;
	Elf64_Phdr ph[MAX_HEADERS];
	size_t count;
};

extern struct core core;

void core_begin(void);

/* Appends bytes to the file, or a program header; core_finish() puts headers in place. */
size_t core_bytes(const void *bytes, size_t len);
Elf64_Phdr *core_header(uint32_t type, uint64_t pa, size_t at, uint64_t file_size,
			uint64_t mem_size);
void core_finish(void);

/* LEN bytes of FILL at PA, of which all are in the file. */
Elf64_Phdr *core_load(uint64_t pa, size_t len, int fill);

/* A note; returns where its contents begin in the file. */
size_t core_note(const char *name, uint32_t type, const void *desc, uint32_t len);

struct entry {
	uint32_t offset, width;
	uint64_t value;
};

/* A register note, likewise; core_some_registers() is one of capabilities, fctl and ddtp at BASE. */
size_t core_registers(uint64_t base, const char *name, const struct entry *entries, uint32_t count);
size_t core_some_registers(void);

/* core_begin(), and that note. */
void core_of_an_iommu(void);

extern const struct entry some[3];

#endif
