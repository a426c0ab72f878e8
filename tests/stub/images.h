/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the handover work on: Images and device trees made by hand, so that no kernel is needed. */
#ifndef TEST_IMAGES_H
#define TEST_IMAGES_H

#include "handover/handover.h"

/* Offsets in the header of an Image. */
enum {
	AT_TEXT_OFFSET = 8,
	AT_IMAGE_SIZE = 16,
	AT_FLAGS = 24,
	AT_VERSION = 32,
	AT_MAGIC2 = 56,
	AT_PE = 60
};

#define MADE_ENTRY 0x1100 /* where the jump of image_make() leads */

/*
 * An Image as Linux makes it with CONFIG_EFI: "MZ", a jump to MADE_ENTRY, a PE header with one section, pseudo-random contents.
 * SIZE (above MADE_ENTRY) bytes of file; the caller frees. Every function here ends the test when the heap is exhausted.
 */
uint8_t *image_make(size_t size, uint64_t image_size);

/* The same without the EFI parts: it begins with a jump. */
uint8_t *image_make_plain(size_t size, uint64_t image_size);

/* Instructions: jal x0, from an address to one OFFSET bytes on. */
uint32_t jal_x0(uint32_t offset);

/* A device tree of the usual kind, with /chosen/bootargs; *LEN is its size. The caller frees. */
uint8_t *tree_make(size_t *len);

/* The same with an empty record, by riommu_record_put(); *AT is where the record is. */
uint8_t *tree_with_record(uint32_t capacity, size_t *len, size_t *at);

#endif
