/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover: the next kernel starts with DMA blocked (design 3.6). A stub that runs first is put into its Image, and an empty record
 * for the stub to fill into its device tree. Everything here works on bytes in memory: no file, no hardware, no system call.
 *
 * Every byte that comes in is hostile. Errors, with the words in riommu_error():
 *
 *   -EINVAL   what the caller asked for makes no sense: a bad table, a layout that this Image does not allow
 *   -EBADMSG  the bytes are not what they should be: truncated, not RISC-V, big-endian, ELF, image_size 0 or too large, ...
 *   -ENOSPC   no room: for the stub, or for the record in a tree that may not grow so large
 *   -ENOTSUP  packed by a method that this build cannot unpack
 *   -EFBIG    larger than RIOMMU_IMAGE_MAX, packed or unpacked
 *   -ENOMEM
 *
 * Buffers that a function returns are the caller's to free(); nothing is returned together with an error.
 */
#ifndef RIOMMU_HANDOVER_H
#define RIOMMU_HANDOVER_H

#include "base/base.h"
#include "spec/record.h"

/* -- the record: its layout, reading it and making an empty one are in spec/record.h ------------------------------ */

/*
 * A copy of the device tree FDT with an empty record of CAPACITY entries in /chosen (which is made if it is missing). An older
 * record is replaced; linux,elfcorehdr and linux,usable-memory-range, which describe another handover, are dropped. *OUT is the
 * caller's to free(); it is packed but for RIOMMU_FDT_SLACK bytes for who adds bootargs (kexec makes its own room, too).
 * -EBADMSG for a damaged tree, -ENOSPC when it would be larger than RIOMMU_FDT_MAX, -EINVAL for CAPACITY.
 */
#define RIOMMU_FDT_SLACK 1024
int riommu_record_put(struct riommu_ctx *ctx, const void *fdt, size_t len, uint32_t capacity,
		      void **out, size_t *out_len);

/* -- the Image -------------------------------------------------------------------------------------------------- */

#define RIOMMU_IMAGE_MAX ((uint64_t)256 << 20) /* of a file, packed or not, and of image_size */

/* Where the stub is (facts and drawings: iommu-kexec-prep(8)). The values are what the wrapped Image holds. */
enum riommu_image_layout {
	/* C, where the Image allows it, else A, else D */
	RIOMMU_LAYOUT_AUTO = 0,
	/* in 2 MiB of its own before the Image, which stays untouched */
	RIOMMU_LAYOUT_PREFIX = 'A',
	/* behind the file's end, in memory that the kernel clears later; takes no memory */
	RIOMMU_LAYOUT_BSS = 'C',
	/* behind image_size, which grows by a page; the file grows by the bss */
	RIOMMU_LAYOUT_SLACK = 'D',
};

/* One IOMMU of the stub's table. */
struct riommu_stub_iommu {
	/* physical address of its registers: a multiple of 4096, not 0 */
	uint64_t base;
	/* what it has to read there for anything to be written; 0: not known, any plausible value */
	uint64_t capabilities;
	uint32_t policy; /* enum riommu_policy */
};

struct riommu_stub_table {
	uint32_t count; /* 1 to RIOMMU_RECORD_MAX; no base twice */
	struct riommu_stub_iommu iommu[RIOMMU_RECORD_MAX];
};

/* An Image, by its header and, when it is wrapped, by what the stub carries. */
struct riommu_image {
	uint64_t size; /* of the file */
	uint64_t text_offset, image_size, flags;
	uint32_t version; /* of the header: major << 16 | minor */
	bool patchable;   /* begins with "MZ" and a jump: layouts C and D are possible */
	bool wrapped;
	/* only when wrapped: */
	enum riommu_image_layout layout;
	uint64_t stub;     /* offset of the stub's page in the file */
	bool stub_current; /* its code is the one of this library */
	uint64_t original_size, original_image_size;
	struct riommu_stub_table table;
};

/* Looks at a raw (unpacked) Image and checks its header, and all that a wrapped one carries. -EBADMSG, -EFBIG. */
int riommu_image_inspect(struct riommu_ctx *ctx, const void *bytes, size_t len,
			 struct riommu_image *image);

/*
 * Wraps a raw Image with the stub and TABLE: *OUT. An Image that is wrapped already is unwrapped first ("refresh"), so the result is
 * the same as from the original. IMAGE (may be NULL) is the result as riommu_image_inspect() sees it; image->layout is the layout
 * that was chosen. -EINVAL for TABLE or LAYOUT, -ENOSPC, and what riommu_image_inspect() answers.
 *
 * What differs from the original, byte for byte:
 *   A  [0, 2 MiB) is new: a header (that of the original but for its code, image_size + 2 MiB, and no PE header), the stub's
 *      page at 4096, zeros. The original follows.
 *   C  bytes 2 to 7; behind the end zeros to a multiple of 4096, then the stub's page.
 *   D  bytes 2 to 7, image_size (16 to 23); behind the end zeros to the next multiple of 4096 from image_size, then the page.
 */
int riommu_image_wrap(struct riommu_ctx *ctx, const void *bytes, size_t len,
		      const struct riommu_stub_table *table, enum riommu_image_layout layout,
		      void **out, size_t *out_len, struct riommu_image *image);

/* The original of a wrapped Image, to the byte; of one that is not wrapped, a copy. */
int riommu_image_unwrap(struct riommu_ctx *ctx, const void *bytes, size_t len, void **out,
			size_t *out_len);

/* "prefix", "bss tail", "slack tail"; NULL for anything else. */
const char *riommu_layout_name(enum riommu_image_layout layout);

/* How an Image may be packed. */
enum riommu_packing {
	RIOMMU_PACKING_NONE,
	RIOMMU_PACKING_GZIP,
	RIOMMU_PACKING_ZBOOT_GZIP,
	RIOMMU_PACKING_ZBOOT_ZSTD
};

/*
 * The raw Image of a file that may be packed: gzip, or an EFI zboot file with gzip or zstd inside. *OUT is always a new buffer (a copy,
 * when nothing was packed) of at most RIOMMU_IMAGE_MAX bytes; *PACKING (may be NULL) says what it was. Nothing says yet that
 * it is an Image. -EBADMSG damaged or truncated, -ENOTSUP, -EFBIG.
 */
int riommu_image_unpack(struct riommu_ctx *ctx, const void *bytes, size_t len, void **out,
			size_t *out_len, enum riommu_packing *packing);

/* "raw", "gzip", "EFI zboot (gzip)", ... */
const char *riommu_packing_name(enum riommu_packing packing);

/* -- the stub ---------------------------------------------------------------------------------------------------- */

/* How often a bit that should clear is read before the stub gives up on it. */
#define RIOMMU_STUB_POLLS 0x40000u

#endif
