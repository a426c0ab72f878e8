/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's Image (Linux, Documentation/arch/riscv/boot-image-header.rst): its header, wrapping it with the stub, and the
 * way back. handover.h has what differs in each layout; handover-internal.h what the stub's page holds.
 */
#include "handover/handover-internal.h"
#include "spec/registers.h"

#include <stdlib.h>

enum image_offset {
	IMAGE_AT_CODE = 0, /* 8 bytes */
	IMAGE_AT_TEXT_OFFSET = 8,
	IMAGE_AT_SIZE = 16,
	IMAGE_AT_FLAGS = 24,
	IMAGE_AT_VERSION = 32,
	IMAGE_AT_MAGIC2 = 56,
	IMAGE_AT_PE = 60, /* where the PE header is, if the code begins with "MZ" */
	IMAGE_HEAD = 64,
};

#define IMAGE_BIG_ENDIAN ((uint64_t)1 << 0)
#define IMAGE_VERSION    2 /* 0.2: the first with magic2; kexec wants it */

/* Where a kernel may lie: the stub's prefix and text_offset have to be a multiple of it. */
#define LARGE_PAGE ((uint64_t)2 << 20)

/* The PE header says how long the file should be. */
enum pe_offset {
	PE_AT_SECTIONS = 6,
	PE_AT_OPTIONAL_SIZE = 20,
	PE_HEAD = 24,
	PE_AT_RAW_SIZE = 16,
	PE_AT_RAW = 20,
	PE_SECTION = 40
};

/* Instructions. */
#define JAL_X0   0x06f /* low 12 bits: jal x0 */
#define AUIPC_T0 0x297 /* low 12 bits */
#define C_JR_T0  0x8282
#define C_NOP    0x0001
#define ENTRY_SKIP \
	2 /* "MZ" or c.nop stand before the auipc, so the stub is entered at this offset */

static const uint8_t stub_code[] = {
#include "handover/stub-code.h"
};

_Static_assert(sizeof(stub_code) < 1024 && sizeof(stub_code) <= RIOMMU_STUB_DATA,
	       "the stub is below 1 KiB (design 3.6)");
_Static_assert((int)RIOMMU_STUB_AT_TABLE + RIOMMU_RECORD_MAX * (int)RIOMMU_STUB_ENTRY <=
		       RIOMMU_STUB_PAGE,
	       "the stub is one page");

static uint64_t get64(const uint8_t *bytes, size_t at)
{
	return riommu_get64(bytes + at, false);
}

static uint32_t get32(const uint8_t *bytes, size_t at)
{
	return riommu_get32(bytes + at, false);
}

static uint32_t get16(const uint8_t *bytes, size_t at)
{
	return bytes[at] | (uint32_t)bytes[at + 1] << 8;
}

static void put16(uint8_t *bytes, size_t at, unsigned v)
{
	bytes[at] = (uint8_t)v;
	bytes[at + 1] = (uint8_t)(v >> 8);
}

static uint64_t page_up(uint64_t v) /* of values up to RIOMMU_IMAGE_MAX */
{
	return (v + RIOMMU_PAGE_MASK) & ~RIOMMU_PAGE_MASK;
}

const char *riommu_layout_name(enum riommu_image_layout layout)
{
	switch (layout) {
	case RIOMMU_LAYOUT_PREFIX:
		return "prefix";
	case RIOMMU_LAYOUT_BSS:
		return "bss tail";
	case RIOMMU_LAYOUT_SLACK:
		return "slack tail";
	case RIOMMU_LAYOUT_AUTO:
		break;
	}
	return NULL;
}

/* -- the header ------------------------------------------------------------------------------------------------- */

static int refuse(struct riommu_ctx *ctx, const char *why)
{
	return riommu_fail(ctx, -EBADMSG, "no Image that can be wrapped: %s", why);
}

/* What has not the magic number may be packed by what is not unpacked here, as `make Image.xz` does. B has the size of a header. */
static const char *other_packing(const uint8_t *b)
{
	static const struct {
		const char *magic, *words;
	} packings[] = {
		{"\xfd\x37zXZ", "packed (xz); unpack it first"},
		{"\x28\xb5\x2f\xfd", "packed (zstd); unpack it first"},
		{"\x04\x22\x4d\x18", "packed (lz4); unpack it first"},
		{"\x02\x21\x4c\x18", "packed (lz4); unpack it first"},
		{"\x89LZO", "packed (lzo); unpack it first"},
		{"BZh", "packed (bzip2); unpack it first"},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(packings); i++)
		if (!memcmp(b, packings[i].magic, strlen(packings[i].magic)))
			return packings[i].words;
	return "not for RISC-V: the magic number of an Image is missing";
}

/* What else it may be: someone gave the wrong file. NULL when it has the magic of a RISC-V Image. */
static const char *other_format(const uint8_t *b, size_t len)
{
	if (len >= 4 && !memcmp(b, "\177ELF", 4))
		return "an ELF file; kexec wants the Image (vmlinuz), not vmlinux";
	if (len >= 4 && riommu_get32(b, true) == 0xd00dfeed)
		return "a device tree";
	if (len >= 2 && b[0] == 0x1f && b[1] == 0x8b)
		return "packed (gzip)";
	if (len < IMAGE_HEAD)
		return "truncated: shorter than the header of an Image";
	if (!memcmp(b + 4, "zimg", 4))
		return "packed (EFI zboot)";
	if (!memcmp(b + IMAGE_AT_MAGIC2, "ARM\x64", 4))
		return "for arm64, not for RISC-V";
	if (memcmp(b + IMAGE_AT_MAGIC2, "RSC\x05", 4))
		return other_packing(b);
	return NULL;
}

/* True if the PE header, or a section that it names, ends behind the file. Without one nobody knows. */
static bool truncated(const uint8_t *b, size_t len)
{
	uint64_t pe = get32(b, IMAGE_AT_PE), sections;

	if (memcmp(b, "MZ", 2))
		return false;
	if (!riommu_inside(pe, PE_HEAD, len))
		return true;
	if (memcmp(b + pe, "PE\0\0", 4))
		return false;
	sections = pe + PE_HEAD + get16(b, pe + PE_AT_OPTIONAL_SIZE);
	for (uint32_t i = 0; i < get16(b, pe + PE_AT_SECTIONS); i++) {
		uint64_t s = sections + i * PE_SECTION;

		if (!riommu_inside(s, PE_SECTION, len) ||
		    !riommu_inside(get32(b, s + PE_AT_RAW), get32(b, s + PE_AT_RAW_SIZE), len))
			return true;
	}
	return false;
}

/* The offset that the jump behind "MZ" leads to: 0 when there is none that can be replaced by one to the stub. */
static uint64_t jump_target(const uint8_t *code, uint64_t size)
{
	uint32_t w = get32(code, ENTRY_SKIP);
	uint64_t offset;

	if (memcmp(code, "MZ", 2) || (w & 0xfff) != JAL_X0)
		return 0;
	offset = ENTRY_SKIP + (riommu_bits(w, 30, 21) << 1 | riommu_bits(w, 20, 20) << 11 |
			       riommu_bits(w, 19, 12) << 12);
	if (riommu_bit(w, 31) || offset % 4 || offset < IMAGE_HEAD ||
	    offset >= size) /* backwards, unfit for stvec, out of the file */
		return 0;
	return offset;
}

static int read_header(struct riommu_ctx *ctx, const uint8_t *b, size_t len,
		       struct riommu_image *image)
{
	const char *other;

	memset(image, 0, sizeof(*image));
	if (len > RIOMMU_IMAGE_MAX)
		return riommu_fail(ctx, -EFBIG, "the Image is larger than %llu MiB",
				   (unsigned long long)RIOMMU_IMAGE_MAX >> 20);
	other = other_format(b, len);
	if (other)
		return refuse(ctx, other);
	image->size = len;
	image->text_offset = get64(b, IMAGE_AT_TEXT_OFFSET);
	image->image_size = get64(b, IMAGE_AT_SIZE);
	image->flags = get64(b, IMAGE_AT_FLAGS);
	image->version = get32(b, IMAGE_AT_VERSION);
	if (image->version < IMAGE_VERSION)
		return refuse(ctx, "its header is older than version 0.2, which kexec wants");
	if (image->flags & IMAGE_BIG_ENDIAN)
		return refuse(ctx, "big-endian");
	if (!image->image_size)
		return refuse(ctx, "image_size is 0");
	if (image->image_size > RIOMMU_IMAGE_MAX)
		return riommu_fail(
			ctx, -EBADMSG,
			"no Image that can be wrapped: image_size is %#llx, more than any kernel",
			(unsigned long long)image->image_size);
	if (len > image->image_size)
		return refuse(ctx, "the file is longer than image_size, so kexec would cut it");
	if (truncated(b, len))
		return refuse(ctx, "truncated: a section of its PE header ends behind the file");
	image->patchable = jump_target(b, len) != 0;
	return 0;
}

/* -- a wrapped one --------------------------------------------------------------------------------------------------- */

/* The offset of the stub's page by the code at the beginning, 0 when that is not of our making. */
static uint64_t find_stub(const uint8_t *b)
{
	uint32_t w = get32(b, ENTRY_SKIP);

	return (w & 0xfff) == AUIPC_T0 && get16(b, ENTRY_SKIP + 4) == C_JR_T0 ? w & ~0xfffu : 0;
}

/* What is wrong with a table, NULL when nothing is. */
static const char *wrong_table(const struct riommu_stub_table *table)
{
	if (!table->count || table->count > RIOMMU_RECORD_MAX)
		return "it has to have 1 to 64 IOMMUs";
	for (uint32_t i = 0; i < table->count; i++) {
		const struct riommu_stub_iommu *m = &table->iommu[i];

		if (!m->base || m->base & RIOMMU_PAGE_MASK)
			return "a base is 0 or no multiple of 4096";
		if (m->capabilities && !riommu_capabilities_plausible(m->capabilities))
			return "capabilities that no IOMMU known here has";
		if (!riommu_policy_name(m->policy))
			return "a policy that is none";
		for (uint32_t j = 0; j < i; j++)
			if (table->iommu[j].base == m->base)
				return "a base is there twice";
	}
	return NULL;
}

static void get_table(const uint8_t *stub, struct riommu_stub_table *table)
{
	table->count = get32(stub, RIOMMU_STUB_AT_COUNT);
	for (uint32_t i = 0; i < table->count && i < RIOMMU_RECORD_MAX; i++) {
		const uint8_t *e = stub + RIOMMU_STUB_AT_TABLE + i * RIOMMU_STUB_ENTRY;

		table->iommu[i] = (struct riommu_stub_iommu){
			.base = get64(e, RIOMMU_STUB_ENTRY_BASE),
			.capabilities = get64(e, RIOMMU_STUB_ENTRY_CAPABILITIES),
			.policy = get32(e, RIOMMU_STUB_ENTRY_POLICY),
		};
	}
}

/* Where each layout has what; all of it follows from the original's header. */
struct plan {
	enum riommu_image_layout layout;
	uint64_t original;   /* offset of the original in the file */
	uint64_t stub;       /* of the stub's page */
	uint64_t entry;      /* of the kernel's own entry */
	uint64_t size;       /* of the file */
	uint64_t image_size; /* for the header */
};

/* The plan for an original of SIZE bytes, IMAGE_SIZE and CODE (8 bytes); false when the layout cannot be. */
static bool make_plan(enum riommu_image_layout layout, uint64_t size, uint64_t image_size,
		      const uint8_t *code, struct plan *plan)
{
	*plan = (struct plan){
		.layout = layout, .image_size = image_size, .entry = jump_target(code, size)};
	switch (layout) {
	case RIOMMU_LAYOUT_PREFIX:
		plan->original = LARGE_PAGE;
		plan->stub = RIOMMU_PAGE_SIZE;
		plan->entry = LARGE_PAGE;
		plan->size = LARGE_PAGE + size;
		plan->image_size = LARGE_PAGE + image_size;
		return true;
	case RIOMMU_LAYOUT_BSS:
		plan->stub = page_up(size);
		plan->size = plan->stub + RIOMMU_STUB_PAGE;
		break;
	case RIOMMU_LAYOUT_SLACK:
		plan->stub = page_up(image_size);
		plan->size = plan->stub + RIOMMU_STUB_PAGE;
		plan->image_size = plan->size;
		break;
	default:
		return false;
	}
	return plan->entry && plan->size <= plan->image_size;
}

/* Whether the stub's page says what the plan for its original would have written. */
static bool fits_plan(const uint8_t *b, const struct riommu_image *image)
{
	const uint8_t *stub = b + image->stub;
	const uint8_t *code = stub + RIOMMU_STUB_AT_ORIGINAL_CODE;
	struct plan plan;

	if (image->original_size < IMAGE_HEAD ||
	    image->original_size > image->original_image_size ||
	    image->original_image_size > RIOMMU_IMAGE_MAX ||
	    !make_plan(image->layout, image->original_size, image->original_image_size, code,
		       &plan))
		return false;
	return plan.stub == image->stub && plan.size == image->size &&
	       plan.image_size == image->image_size &&
	       get64(stub, RIOMMU_STUB_AT_TARGET) == plan.entry - plan.stub &&
	       (image->layout == RIOMMU_LAYOUT_PREFIX
			? !memcmp(b + LARGE_PAGE, code, 8) && get16(b, 0) == C_NOP
			: !memcmp(b, code, 2));
}

static int read_stub(struct riommu_ctx *ctx, const uint8_t *b, struct riommu_image *image)
{
	const uint8_t *stub;
	const char *wrong;

	image->wrapped = true;
	stub = riommu_inside(image->stub, RIOMMU_STUB_PAGE, image->size) ? b + image->stub : NULL;
	if (!stub ||
	    memcmp(stub + RIOMMU_STUB_AT_MAGIC, RIOMMU_STUB_MAGIC, sizeof(RIOMMU_STUB_MAGIC)))
		return refuse(ctx,
			      "it was wrapped, and its stub is missing or cut; take the original");
	if (get32(stub, RIOMMU_STUB_AT_VERSION) != RIOMMU_STUB_VERSION)
		return refuse(
			ctx,
			"it was wrapped by another version of this program; take the original");
	image->layout = (enum riommu_image_layout)get32(stub, RIOMMU_STUB_AT_LAYOUT);
	image->original_size = get64(stub, RIOMMU_STUB_AT_ORIGINAL_SIZE);
	image->original_image_size = get64(stub, RIOMMU_STUB_AT_ORIGINAL_IMAGE);
	image->stub_current = !memcmp(stub, stub_code, sizeof(stub_code));
	if (!fits_plan(b, image))
		return refuse(ctx, "what its stub says of the original does not fit the file; take "
				   "the original");
	get_table(stub, &image->table);
	wrong = wrong_table(&image->table);
	if (wrong)
		return riommu_fail(
			ctx, -EBADMSG,
			"the table of the wrapped Image is damaged: %s; take the original", wrong);
	return 0;
}

int riommu_image_inspect(struct riommu_ctx *ctx, const void *bytes, size_t len,
			 struct riommu_image *image)
{
	int err = read_header(ctx, bytes, len, image);

	if (err)
		return err;
	image->stub = find_stub(bytes);
	return image->stub ? read_stub(ctx, bytes, image) : 0;
}

/* The original's header decides whether it is one: a wrapped Image is not believed further than that. */
static int restore(struct riommu_ctx *ctx, const uint8_t *b, const struct riommu_image *wrapped,
		   uint8_t *original)
{
	const uint8_t *stub = b + wrapped->stub;
	struct riommu_image image;
	int err;

	if (wrapped->layout == RIOMMU_LAYOUT_PREFIX) {
		memcpy(original, b + LARGE_PAGE, wrapped->original_size);
	} else {
		memcpy(original, b, wrapped->original_size);
		memcpy(original + IMAGE_AT_CODE, stub + RIOMMU_STUB_AT_ORIGINAL_CODE, 8);
		riommu_put64(original + IMAGE_AT_SIZE, wrapped->original_image_size);
	}
	err = riommu_image_inspect(ctx, original, wrapped->original_size, &image);
	if (!err && (image.wrapped || image.image_size != wrapped->original_image_size))
		err = refuse(ctx, "wrapped twice, or damaged; take the original");
	return err;
}

int riommu_image_unwrap(struct riommu_ctx *ctx, const void *bytes, size_t len, void **out,
			size_t *out_len)
{
	struct riommu_image image;
	int err = riommu_image_inspect(ctx, bytes, len, &image);
	size_t size = image.wrapped ? image.original_size : len;
	uint8_t *original;

	if (err)
		return err;
	original = malloc(size);
	if (!original)
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	if (image.wrapped)
		err = restore(ctx, bytes, &image, original);
	else
		memcpy(original, bytes, size);
	if (err) {
		free(original);
		return err;
	}
	*out = original;
	*out_len = size;
	return 0;
}

/* -- wrapping ----------------------------------------------------------------------------------------------------------- */

/* Why an Image that is not wrapped cannot have LAYOUT, 0 when it can. */
static int try_layout(struct riommu_ctx *ctx, const uint8_t *b, const struct riommu_image *image,
		      enum riommu_image_layout layout, struct plan *plan)
{
	if (layout == RIOMMU_LAYOUT_PREFIX && image->text_offset != LARGE_PAGE)
		return riommu_fail(
			ctx, -EINVAL,
			"layout A (prefix) needs a text_offset of %#llx, and this Image has %#llx",
			(unsigned long long)LARGE_PAGE, (unsigned long long)image->text_offset);
	if (layout != RIOMMU_LAYOUT_PREFIX && !image->patchable)
		return riommu_fail(ctx, -EINVAL,
				   "layout %c (%s) needs an Image that begins with \"MZ\" and a "
				   "jump; A (prefix) does not",
				   (char)layout, riommu_layout_name(layout));
	if (!make_plan(layout, image->size, image->image_size, b, plan))
		return riommu_fail(ctx, -ENOSPC,
				   "no room for the stub between the end of the file and "
				   "image_size; layout A (prefix) has");
	if (plan->image_size > RIOMMU_IMAGE_MAX)
		return riommu_fail(ctx, -ENOSPC, "no room for the stub: image_size would be %#llx",
				   (unsigned long long)plan->image_size);
	return 0;
}

static int choose_layout(struct riommu_ctx *ctx, const uint8_t *b, const struct riommu_image *image,
			 enum riommu_image_layout layout, struct plan *plan)
{
	static const enum riommu_image_layout order[] = {RIOMMU_LAYOUT_BSS, RIOMMU_LAYOUT_PREFIX,
							 RIOMMU_LAYOUT_SLACK};
	int err = -EINVAL;

	if (layout != RIOMMU_LAYOUT_AUTO && !riommu_layout_name(layout))
		return riommu_fail(ctx, -EINVAL, "there is no layout %d: A, C or D", (int)layout);
	if (layout != RIOMMU_LAYOUT_AUTO)
		return try_layout(ctx, b, image, layout, plan);
	for (size_t i = 0; err && i < RIOMMU_ARRAY_SIZE(order); i++)
		err = try_layout(ctx, b, image, order[i], plan);
	if (err)
		return riommu_fail(ctx, -ENOSPC,
				   "no layout is possible for this Image: no \"MZ\" and jump, "
				   "text_offset %#llx, image_size %#llx",
				   (unsigned long long)image->text_offset,
				   (unsigned long long)image->image_size);
	return 0;
}

/* The code that leads to the stub instead of to the kernel: "MZ" or c.nop; auipc t0; c.jr t0. */
static void put_jump(uint8_t *b, uint64_t stub)
{
	riommu_put32(b + ENTRY_SKIP, AUIPC_T0 | (uint32_t)stub);
	put16(b, ENTRY_SKIP + 4, C_JR_T0);
}

static void put_stub(uint8_t *b, const struct plan *plan, const uint8_t *original,
		     const struct riommu_image *image, const struct riommu_stub_table *table)
{
	uint8_t *stub = b + plan->stub;

	memcpy(stub, stub_code, sizeof(stub_code));
	memcpy(stub + RIOMMU_STUB_AT_MAGIC, RIOMMU_STUB_MAGIC, sizeof(RIOMMU_STUB_MAGIC));
	riommu_put32(stub + RIOMMU_STUB_AT_VERSION, RIOMMU_STUB_VERSION);
	riommu_put32(stub + RIOMMU_STUB_AT_LAYOUT, (uint32_t)plan->layout);
	riommu_put32(stub + RIOMMU_STUB_AT_COUNT, table->count);
	riommu_put64(stub + RIOMMU_STUB_AT_TARGET, plan->entry - plan->stub);
	riommu_put64(stub + RIOMMU_STUB_AT_ORIGINAL_SIZE, image->size);
	riommu_put64(stub + RIOMMU_STUB_AT_ORIGINAL_IMAGE, image->image_size);
	memcpy(stub + RIOMMU_STUB_AT_ORIGINAL_CODE, original, 8);
	for (uint32_t i = 0; i < table->count; i++) {
		uint8_t *e = stub + RIOMMU_STUB_AT_TABLE + i * RIOMMU_STUB_ENTRY;

		riommu_put64(e + RIOMMU_STUB_ENTRY_BASE, table->iommu[i].base);
		riommu_put64(e + RIOMMU_STUB_ENTRY_CAPABILITIES, table->iommu[i].capabilities);
		riommu_put32(e + RIOMMU_STUB_ENTRY_POLICY, table->iommu[i].policy);
	}
}

static uint8_t *build(const uint8_t *original, const struct riommu_image *image,
		      const struct plan *plan, const struct riommu_stub_table *table)
{
	uint8_t *b = calloc(1, plan->size);

	if (!b)
		return NULL;
	memcpy(b + plan->original, original, image->size);
	if (plan->layout == RIOMMU_LAYOUT_PREFIX) {
		memcpy(b, original, IMAGE_HEAD);
		put16(b, IMAGE_AT_CODE,
		      C_NOP); /* not "MZ": firmware has to refuse it rather than start it past the stub */
		riommu_put32(b + IMAGE_AT_PE, 0);
	}
	put_jump(b, plan->stub);
	riommu_put64(b + IMAGE_AT_SIZE, plan->image_size);
	put_stub(b, plan, original, image, table);
	return b;
}

static int wrap(struct riommu_ctx *ctx, const uint8_t *original, size_t len,
		const struct riommu_stub_table *table, enum riommu_image_layout layout, void **out,
		size_t *out_len, struct riommu_image *image)
{
	struct plan plan;
	uint8_t *b;
	int err = riommu_image_inspect(ctx, original, len, image);

	if (!err)
		err = choose_layout(ctx, original, image, layout, &plan);
	if (err)
		return err;
	b = build(original, image, &plan, table);
	if (!b)
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	err = riommu_image_inspect(ctx, b, plan.size, image);
	if (err) {
		free(b);
		return err;
	}
	*out = b;
	*out_len = plan.size;
	return 0;
}

int riommu_image_wrap(struct riommu_ctx *ctx, const void *bytes, size_t len,
		      const struct riommu_stub_table *table, enum riommu_image_layout layout,
		      void **out, size_t *out_len, struct riommu_image *image)
{
	const char *wrong = wrong_table(table);
	struct riommu_image unused;
	size_t original_len;
	void *original;
	int err;

	if (wrong)
		return riommu_fail(ctx, -EINVAL, "the table of IOMMUs: %s", wrong);
	err = riommu_image_unwrap(ctx, bytes, len, &original, &original_len);
	if (err)
		return err;
	err = wrap(ctx, original, original_len, table, layout, out, out_len,
		   image ? image : &unused);
	free(original);
	return err;
}
