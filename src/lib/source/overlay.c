/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay: registers that are not read from hardware but given: by hand (--reg), by the notes of a capture, by a
 * handover record. What it does not know it asks of the source below; memory passes through untouched.
 */
#include "source/source-internal.h"

#include <stdlib.h>

/* The registers given for one IOMMU. */
struct block {
	uint64_t base;
	uint64_t value[RIOMMU_REG_COUNT];
	bool set[RIOMMU_REG_COUNT];
};

struct overlay {
	struct block **blocks; /* by ascending base */
	size_t count, room;
};

/* Where BASE is, or belongs. */
static size_t block_place(const struct overlay *overlay, uint64_t base)
{
	size_t lo = 0, hi = overlay->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (overlay->blocks[mid]->base < base)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct block *block_find(const struct overlay *overlay, uint64_t base)
{
	size_t i = block_place(overlay, base);

	return i < overlay->count && overlay->blocks[i]->base == base ? overlay->blocks[i] : NULL;
}

static struct block *block_add(struct overlay *overlay, uint64_t base)
{
	size_t at = block_place(overlay, base);
	struct block *block;

	if (overlay->count == overlay->room) {
		size_t room = overlay->room ? overlay->room * 2 : 8;
		struct block **more = realloc(overlay->blocks, room * sizeof(struct block *));

		if (!more)
			return NULL;
		overlay->blocks = more;
		overlay->room = room;
	}
	block = calloc(1, sizeof(*block));
	if (!block)
		return NULL;
	block->base = base;
	memmove(overlay->blocks + at + 1, overlay->blocks + at,
		(overlay->count - at) * sizeof(struct block *));
	overlay->blocks[at] = block;
	overlay->count++;
	return block;
}

int riommu_overlay_new(struct riommu_ctx *ctx, struct riommu_source *lower,
		       struct riommu_source **out)
{
	int err = riommu_source_open(ctx, &riommu_overlay_ops, NULL, out);

	if (!err)
		(*out)->lower = lower;
	return err;
}

int riommu_overlay_set(struct riommu_source *src, uint64_t base, uint32_t offset, unsigned width,
		       uint64_t value)
{
	int reg = riommu_reg_by_offset(offset);
	struct overlay *overlay = src->priv;
	struct block *block;

	if (reg < 0 || riommu_registers()[reg].width != width || base & (RIOMMU_REGS_SIZE - 1))
		return riommu_fail(src->ctx, -EINVAL,
				   "no %u-byte register at offset 0x%x of 0x%llx", width, offset,
				   (unsigned long long)base);
	if (width == 4 && value > UINT32_MAX)
		return riommu_fail(src->ctx, -EINVAL, "register %s: 0x%llx does not fit 32 bits",
				   riommu_registers()[reg].name, (unsigned long long)value);
	block = block_find(overlay, base);
	if (!block)
		block = block_add(overlay, base);
	if (!block)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	block->value[reg] = value;
	block->set[reg] = true;
	return 0;
}

static int overlay_open(struct riommu_source *src, const char *path)
{
	(void)path;
	src->priv = calloc(1, sizeof(struct overlay));
	return src->priv ? 0 : riommu_fail(src->ctx, -ENOMEM, "out of memory");
}

static void overlay_close(struct riommu_source *src)
{
	struct overlay *overlay = src->priv;

	for (size_t i = 0; i < overlay->count; i++)
		free(overlay->blocks[i]);
	free(overlay->blocks);
	free(overlay);
}

bool riommu_overlay_get(const struct riommu_source *src, uint64_t base, uint32_t offset,
			uint64_t *value)
{
	const struct block *block = block_find(src->priv, base);
	int reg = riommu_reg_by_offset(offset);

	if (!block || reg < 0 || !block->set[reg])
		return false;
	*value = block->value[reg];
	return true;
}

static int overlay_reg_read(struct riommu_source *src, uint64_t base, uint32_t offset,
			    unsigned width, uint64_t *value)
{
	(void)width;
	return riommu_overlay_get(src, base, offset, value) ? 0 : -ENODATA;
}

const struct riommu_source_ops riommu_overlay_ops = {
	.name = "overlay",
	.help = "registers given by hand or by notes, over another source",
	.provides = RIOMMU_PROVIDES_REGISTERS,
	.open = overlay_open,
	.close = overlay_close,
	.reg_read = overlay_reg_read,
};
