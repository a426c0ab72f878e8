/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * raw: an image of RAM, byte for byte as the memory was, from the physical address that -O base= gives to its first byte: what
 * a debugger, a JTAG probe or QEMU's pmemsave writes. Nothing in the file can be checked, only its length.
 */
#include "source/source-internal.h"

#include <stdlib.h>
#include <sys/mman.h>

struct raw {
	const uint8_t *bytes;
	uint64_t base, size;
};

static void raw_close(struct riommu_source *src)
{
	struct raw *raw = src->priv;

	if (raw->bytes)
		munmap((void *)(uintptr_t)raw->bytes, (size_t)raw->size);
	free(raw);
}

/* Where the image begins. Its last byte has to have an address, too. */
static int get_base(struct riommu_source *src, struct raw *raw)
{
	const char *text = riommu_option(src->ctx, "base");
	uint64_t last;

	if (!text)
		return riommu_fail(src->ctx, -EINVAL,
				   "%s: a raw image does not say where it belongs; give the "
				   "physical address of its first byte with -O base=ADDR",
				   src->path);
	raw->base = riommu_option_number(src->ctx, "base");
	if (!riommu_add(raw->base, raw->size - 1, &last))
		return riommu_fail(src->ctx, -EINVAL,
				   "%s: %llu bytes from -O base=%s go past the end of addresses",
				   src->path, (unsigned long long)raw->size, text);
	return 0;
}

static int raw_open(struct riommu_source *src, const char *path)
{
	struct raw *raw = calloc(1, sizeof(*raw));
	int err;

	if (!raw)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	src->priv = raw;
	err = riommu_source_map_file(src, path, &raw->bytes, &raw->size);
	if (!err)
		err = get_base(src, raw);
	if (err)
		raw_close(src);
	return err;
}

/* The bytes at PA if all LEN of them are in the image. */
static const uint8_t *at(const struct raw *raw, uint64_t pa, uint64_t len)
{
	return pa >= raw->base && riommu_inside(pa - raw->base, len, raw->size)
		       ? raw->bytes + (pa - raw->base)
		       : NULL;
}

static int raw_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	const uint8_t *bytes = at(src->priv, pa, len);

	if (!bytes)
		return -ENODATA;
	memcpy(buf, bytes, len);
	return 0;
}

static int raw_map(struct riommu_source *src, uint64_t page, const uint8_t **data)
{
	*data = at(src->priv, page, RIOMMU_PAGE_SIZE);
	return *data ? 0 : -ENODATA;
}

const struct riommu_source_ops riommu_raw_ops = {
	.name = "raw",
	.help = "an image of RAM that begins at -O base=ADDR (--input FILE)",
	.provides = RIOMMU_PROVIDES_MEMORY,
	.reads_file = true,
	.open = raw_open,
	.close = raw_close,
	.read = raw_read,
	.map = raw_map,
};
