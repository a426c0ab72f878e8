/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of sources, and what they share: opening, pages in slots, checks before a register is read. */
#include "source/source-internal.h"

#include <stdlib.h>

static const struct riommu_source_ops *const all[] = {
	&riommu_core_ops,
	&riommu_kdumpfile_ops,
	&riommu_raw_ops,
	&riommu_debugfs_ops,
	&riommu_devmem_ops,
	&riommu_kcore_ops,
	NULL,
};

const struct riommu_source_ops *const *riommu_sources(void)
{
	return all;
}

const struct riommu_source_ops *riommu_source_by_name(const char *name)
{
	for (size_t i = 0; all[i]; i++) {
		if (!strcmp(all[i]->name, name))
			return all[i];
	}
	return NULL;
}

struct riommu_source *riommu_source_alloc(struct riommu_ctx *ctx,
					  const struct riommu_source_ops *ops, const char *path)
{
	struct riommu_source *src = calloc(1, sizeof(*src));

	if (!src)
		return NULL;
	src->ops = ops;
	src->ctx = ctx;
	src->slots = calloc(RIOMMU_PAGE_SLOTS, sizeof(*src->slots));
	src->path = path ? strdup(path) : NULL;
	if (!src->slots || (path && !src->path)) {
		free(src->slots);
		free(src->path);
		free(src);
		return NULL;
	}
	return src;
}

static void source_free(struct riommu_source *src)
{
	for (size_t i = 0; i < RIOMMU_PAGE_SLOTS; i++)
		free(src->slots[i].own);
	free(src->slots);
	free(src->path);
	free(src);
}

static int source_open(struct riommu_ctx *ctx, const struct riommu_source_ops *ops,
		       const char *path, bool writable, struct riommu_source **out)
{
	struct riommu_source *src = riommu_source_alloc(ctx, ops, path);
	int err;

	*out = NULL;
	if (!src)
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	src->writable = writable;
	err = ops->open(src, path);
	if (err) {
		source_free(src);
		return err;
	}
	*out = src;
	return 0;
}

int riommu_source_open(struct riommu_ctx *ctx, const struct riommu_source_ops *ops,
		       const char *path, struct riommu_source **out)
{
	return source_open(ctx, ops, path, false, out);
}

int riommu_source_open_writable(struct riommu_ctx *ctx, const struct riommu_source_ops *ops,
				struct riommu_source **out)
{
	if (!ops->reg_write)
		return riommu_fail(ctx, -EACCES, "%s: this method cannot write registers",
				   ops->name);
	return source_open(ctx, ops, NULL, true, out);
}

void riommu_source_close(struct riommu_source *src)
{
	if (!src)
		return;
	riommu_source_close(src->lower);
	if (src->ops->close)
		src->ops->close(src);
	source_free(src);
}

int riommu_source_open_failed(struct riommu_ctx *ctx, const char *path, int err)
{
	if (err == EACCES || err == EPERM)
		return riommu_fail(ctx, -EACCES, "%s: %s", path, strerror(err));
	return riommu_fail(ctx, -err, "%s: %s", path, strerror(err));
}

/*
 * A page of a copying source, into the buffer of its slot. The buffer is allocated once and reused, so a
 * walk over any number of pages allocates at most RIOMMU_PAGE_SLOTS times.
 */
static int slot_copy(struct riommu_source *src, struct riommu_page_slot *slot, uint64_t page)
{
	int err;

	slot->tag = 0; /* whatever was there is about to be overwritten */
	if (!slot->own)
		slot->own = malloc(RIOMMU_PAGE_SIZE);
	if (!slot->own)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	err = src->ops->read(src, page, slot->own, RIOMMU_PAGE_SIZE);
	slot->data = slot->own;
	return err;
}

int riommu_source_fetch(struct riommu_source *src, uint64_t pa, size_t len, uint8_t *scratch,
			const uint8_t **data)
{
	struct riommu_page_slot *slot = &src->slots[riommu_page_tag(pa) % RIOMMU_PAGE_SLOTS];
	uint64_t offset = pa & RIOMMU_PAGE_MASK, page = pa - offset;
	const uint8_t *mapped;
	int err;

	if (!riommu_inside(offset, len, RIOMMU_PAGE_SIZE))
		return -EINVAL;
	if (!src->ops->read)
		return -ENODATA;
	if (++src->pages_read % RIOMMU_PAGES_TOLD == 0)
		riommu_tell_pages(src->ctx);
	if (src->ops->map) {
		err = src->ops->map(src, page, &mapped);
		if (!err)
			slot->data = mapped;
	} else {
		err = slot_copy(src, slot, page);
	}
	if (!err) {
		slot->tag = riommu_page_tag(page);
		*data = slot->data + offset;
		return 0;
	}
	/* The page is not there as a whole: these bytes may be. */
	err = src->ops->read(src, pa, scratch, len);
	*data = scratch;
	return err;
}

int riommu_source_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	uint8_t *to = buf;
	uint64_t end;

	if (len && !riommu_add(pa, len - 1, &end))
		return -ENODATA;
	while (len) {
		size_t n = RIOMMU_PAGE_SIZE - (pa & RIOMMU_PAGE_MASK);
		const uint8_t *data;
		int err;

		if (n > len)
			n = len;
		err = riommu_source_entry(src, pa, n, to, &data);
		if (err)
			return err;
		if (data != to)
			memcpy(to, data, n);
		to += n;
		pa += n;
		len -= n;
	}
	return 0;
}

int riommu_source_reg_read(struct riommu_source *top, uint64_t base, uint32_t offset,
			   unsigned width, uint64_t *value)
{
	int reg = riommu_reg_by_offset(offset);
	int err = -ENODATA;

	if (reg < 0 || riommu_registers()[reg].width != width || base & (RIOMMU_REGS_SIZE - 1))
		return riommu_fail(top->ctx, -EINVAL,
				   "no %u-byte register at offset 0x%x of 0x%llx", width, offset,
				   (unsigned long long)base);
	/* Not held or refused here: the next one may have it. "Refused" outlives "not held". */
	for (struct riommu_source *src = top; src; src = src->lower) {
		int this = src->ops->reg_read ? src->ops->reg_read(src, base, offset, width, value)
					      : -ENODATA;

		if (this != -ENODATA && this != -EACCES)
			return this;
		if (this == -EACCES)
			err = this;
	}
	if (err == -ENODATA)
		riommu_fail(top->ctx, err, "register %s of the IOMMU at 0x%llx is not held",
			    riommu_registers()[reg].name, (unsigned long long)base);
	return err;
}

void riommu_source_forget(struct riommu_source *src)
{
	if (!src)
		return;
	for (size_t i = 0; i < RIOMMU_PAGE_SLOTS; i++)
		src->slots[i].tag = 0;
	if (src->ops->forget)
		src->ops->forget(src);
	riommu_source_forget(src->lower);
}

/* Where a register begins, or the upper half of one of 8 bytes, which is not in the table by itself. */
static bool is_writable_place(uint32_t offset)
{
	int reg = riommu_reg_by_offset(offset);

	if (reg < 0 && offset % 8 == 4) {
		reg = riommu_reg_by_offset(offset - 4);
		return reg >= 0 && riommu_registers()[reg].width == 8;
	}
	return reg >= 0;
}

int riommu_source_reg_write(struct riommu_source *src, uint64_t base, uint32_t offset,
			    uint32_t value)
{
	if (!is_writable_place(offset) || base & (RIOMMU_REGS_SIZE - 1))
		return riommu_fail(src->ctx, -EINVAL, "no register at offset 0x%x of 0x%llx",
				   offset, (unsigned long long)base);
	if (!src->writable)
		return riommu_fail(src->ctx, -EACCES, "%s was not opened for writing",
				   src->ops->name);
	riommu_log(src->ctx, RIOMMU_LOG_DEBUG, "write 0x%llx+0x%x := 0x%x",
		   (unsigned long long)base, offset, value);
	return src->ops->reg_write(src, base, offset, value);
}
