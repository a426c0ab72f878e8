/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hart as kexec leaves it to the next kernel, and IOMMUs that misbehave on request: as much of RV64IC and Zicsr as the stub
 * uses, in S-mode without paging, one instruction after the other. Whatever the stub must never do ends the run with the reason in
 * `wrong`: a store outside the record and the registers, an access of the wrong size or to what is no register, a write to a
 * register that is busy or that may not change, a second trap with sstatus.SDT set, an instruction that is none.
 */
#ifndef TEST_MACHINE_H
#define TEST_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_DEVICES 64
#define FOREVER     UINT32_MAX
#define NOWHERE     UINT32_MAX

enum { CQ, PQ, FQ, QUEUES };

/* What an IOMMU does. Counts are of reads: how many still see the bit. */
struct device {
	uint64_t base;
	bool ram;           /* memory that poses as a register file: takes what is written */
	bool leave_alone;   /* nothing may be written */
	uint32_t trap_load; /* an access to this offset traps; NOWHERE */
	uint32_t trap_store;
	uint32_t ddtp_busy, ddtp_busy_after; /* at first; after it was written */
	uint32_t go;
	bool mode_kept;
	uint32_t busy[QUEUES], busy_after[QUEUES], on_after[QUEUES];
	uint32_t word[0x1000 / 4];
	/* what happened */
	uint32_t ddtp_before;
	unsigned writes[0x1000 / 4];
	unsigned loads, stores;
	uint64_t first, last; /* number of the instruction of the first and of the last access */
};

struct machine {
	uint64_t x[32], pc;
	uint64_t stvec, sstatus, sepc, scause, stval, time;
	bool time_traps;
	/* memory: the Image, which nothing writes, and the device tree, of which the record may be written */
	uint64_t image_base, tree_base;
	const uint8_t *image;
	uint8_t *tree;
	size_t image_size, tree_size;
	size_t record, record_size; /* offset in the tree; size 0: there is none */
	uint64_t record_works;      /* so many stores to it; then they trap. 0: all work */
	struct device *device;
	unsigned devices;
	/* what happened */
	uint64_t instructions, traps, record_stores;
	bool fenced, fenced_i; /* fence since the last store; fence.i */
	char wrong[160];       /* "": nothing */
};

/* Registers full of garbage but a0 and a1; stvec = entry, sstatus.SDT set: a crash that came by a trap. */
void machine_start(struct machine *m, uint64_t entry, uint64_t hart, uint64_t tree);

/* Runs until PC is STOP (true), something was wrong, or LIMIT instructions were executed. */
bool machine_run(struct machine *m, uint64_t stop, uint64_t limit);

/* A well-behaved IOMMU at BASE with its queues on, ddtp 3LVL; busy and Go clear at once. */
void device_init(struct device *d, uint64_t base, uint64_t capabilities);
uint64_t device_get64(const struct device *d, uint32_t offset);
void device_put64(struct device *d, uint32_t offset, uint64_t value);

#endif
