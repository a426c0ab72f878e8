/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for the benchmarks: one IOMMU, devices with page tables of the usual modes, as a capture. Pages come one after the other
 * from MACHINE_BASE on; what is made is the same on every run, so that instructions can be counted.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include "source/source.h"
#include "walk/walk.h"

#define MACHINE_BASE 0x80000000u
#define MACHINE_DATA 0x1000000000u /* where leaves lead */
#define MACHINE_MMIO 0x3010000u    /* the registers */

#define POINTER(pa) ((uint64_t)(pa) >> 2 | RIOMMU_PTE_V)
#define LEAF(pa) \
	(POINTER(pa) | RIOMMU_PTE_R | RIOMMU_PTE_W | RIOMMU_PTE_U | RIOMMU_PTE_A | RIOMMU_PTE_D)

/* Ends the program with what PERROR says; the same where a result is not what it has to be. */
void die(const char *what) __attribute__((noreturn));

/* All of it, however many calls that takes; ends the program where it cannot be. */
void write_all(int fd, const void *data, size_t len);

struct machine {
	uint8_t *bytes; /* of all pages from MACHINE_BASE on */
	size_t pages, room;
	uint64_t capabilities, ddtp;
};

/* Room for so many pages, of which only those that are used cost memory. The directory has three levels and is empty. */
void machine_new(struct machine *m, size_t room);
void machine_free(struct machine *m);

/* COUNT zero pages in a row, aligned to their size; and the bytes at PA. */
uint64_t machine_pages(struct machine *m, size_t count);
uint8_t *machine_at(const struct machine *m, uint64_t pa);

/* Writes the context of DEVICE_ID. The directory is made as far as needed. */
void machine_context(struct machine *m, uint32_t device_id, uint64_t fsc, uint64_t iohgatp);

/* The tables of a stage: LEVELS of them; SECOND has a root of four pages. */
struct machine_stage {
	struct machine *m;
	unsigned levels;
	uint64_t root;
	bool second;
};
struct machine_stage machine_stage(struct machine *m, unsigned levels, bool second);

/* Maps the 4 KiB page at ADDRESS to PA. */
void machine_map(const struct machine_stage *s, uint64_t address, uint64_t pa);

/* Where the leaf of ADDRESS stands; those of the same table are next to it. */
uint64_t machine_slot(const struct machine_stage *s, uint64_t address);

/* fsc, or iohgatp, of such a stage. */
uint64_t machine_atp(const struct machine_stage *s);

/* A process directory of three levels (PD20) for DEVICE_ID, whose root is at ROOT; and a process of it. */
void machine_process_directory(struct machine *m, uint32_t device_id, uint64_t root);
void machine_process(struct machine *m, uint64_t root, uint32_t process_id, uint64_t fsc);

/* Writes the capture. */
void machine_save(const struct machine *m, const char *path);

/* Writes it to a file without a name, and opens it. */
struct riommu_source *machine_open(const struct machine *m, struct riommu_ctx *ctx);
struct riommu_walker machine_walker(const struct machine *m, struct riommu_source *memory);

/* -- the devices of the benchmarks ------------------------------------------------------------------------------ */

enum machine_device {
	DEVICE_SV39 = 0x8,
	DEVICE_SV48 = 0x10,
	DEVICE_SV39X4 = 0x18,      /* a second stage alone */
	DEVICE_SV39_SV39X4 = 0x20, /* both */
	DEVICE_SV48_SV48X4 = 0x28,
};

/* The Ith of PAGES pages in no order; a power of two. */
uint64_t machine_page(uint64_t i, uint64_t pages);

/* All of them; each maps PAGES pages of 4 KiB from IOVA 0 on. */
void machine_devices(struct machine *m, size_t pages);

#endif
