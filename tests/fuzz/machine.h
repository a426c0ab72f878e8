/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine made of the input, as a capture: 32 pages of memory from 0x80000000 on and the registers of an IOMMU. Random bytes would
 * be refused at the first entry; so the input is a list of things to put there, 12 bytes each: contexts, pointers to other
 * pages, leaves, records. What a thing holds is still the input's.
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include "fuzz.h"

#define MACHINE_PAGES 32u
#define MACHINE_RAM   0x80000000u
#define MACHINE_BASE  0x3010000u
#define MACHINE_HEAD  16u /* bytes of input before the list */
#define MACHINE_THING 12u

struct machine {
	uint8_t page[MACHINE_PAGES][4096];
	bool present[MACHINE_PAGES];
	uint64_t reg[RIOMMU_REG_COUNT];
	bool known[RIOMMU_REG_COUNT];
};

/* Head and list; what is left of it is less than a thing. */
void machine_make(struct machine *m, struct feed *f);

/* Adds the things of the list. */
void machine_add(struct machine *m, struct feed *f);

/* As the file NAME in the directory of fuzz_path(). */
void machine_write(const struct machine *m, const char *name);

#endif
