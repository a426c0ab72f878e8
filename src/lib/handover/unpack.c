/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packed Images: gzip (Image.gz), and EFI zboot, a PE program that unpacks the Image which it holds. Linux
 * Documentation/arch/riscv/boot-image-header.rst, drivers/firmware/efi/libstub/zboot-header.S. What comes out is bounded: a
 * small file may claim anything.
 */
#include "config.h"

#include "handover/handover.h"

#include <stdlib.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#define GZIP_HEAD  10
#define GZIP_MAGIC "\x1f\x8b\x08"

enum zboot_offset {
	ZBOOT_AT_TYPE = 4, /* "zimg" */
	ZBOOT_AT_PAYLOAD = 8,
	ZBOOT_AT_PAYLOAD_SIZE = 12,
	ZBOOT_AT_METHOD = 24, /* "gzip", "zstd", ..., NUL-terminated */
	ZBOOT_HEAD = 64,
};

static const char *const packing_names[] = {
	[RIOMMU_PACKING_NONE] = "raw",
	[RIOMMU_PACKING_GZIP] = "gzip",
	[RIOMMU_PACKING_ZBOOT_GZIP] = "EFI zboot (gzip)",
	[RIOMMU_PACKING_ZBOOT_ZSTD] = "EFI zboot (zstd)",
};

const char *riommu_packing_name(enum riommu_packing packing)
{
	return (size_t)packing < RIOMMU_ARRAY_SIZE(packing_names) ? packing_names[packing] : NULL;
}

/* A buffer that grows as bytes arrive, to RIOMMU_IMAGE_MAX. */
struct growing {
	uint8_t *bytes;
	size_t len, size;
};

#if defined(HAVE_ZLIB) || defined(HAVE_ZSTD)
/* Room for more bytes behind `len`. -EFBIG, -ENOMEM. */
static int grow(struct growing *g)
{
	size_t size = g->size ? 2 * g->size : (size_t)4 << 20;
	uint8_t *bytes;

	if (g->len < g->size)
		return 0;
	if (g->size >= RIOMMU_IMAGE_MAX)
		return -EFBIG;
	bytes = realloc(g->bytes, size);
	if (!bytes)
		return -ENOMEM;
	g->bytes = bytes;
	g->size = size;
	return 0;
}
#endif

#ifdef HAVE_ZLIB
/* gzip puts what was packed in parts one behind the other. Anything else behind a part is no part of it. */
static bool goes_on(const z_stream *z)
{
	size_t len = sizeof(GZIP_MAGIC) - 1;

	return z->avail_in >= len && !memcmp(z->next_in, GZIP_MAGIC, len);
}

static int inflate_all(z_stream *z, struct growing *g)
{
	int err, status = Z_OK;

	while (status == Z_OK) {
		err = grow(g);
		if (err)
			return err;
		z->next_out = g->bytes + g->len;
		z->avail_out = (uInt)(g->size - g->len);
		status = inflate(z, Z_NO_FLUSH);
		g->len = g->size - z->avail_out;
		if (status == Z_STREAM_END && goes_on(z))
			status = inflateReset(z);
	}
	return status == Z_STREAM_END ? 0 : status == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static int unpack_gzip(const uint8_t *bytes, size_t len, struct growing *g)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)len};
	int err;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) /* 16: gzip, and its checksum is checked */
		return -ENOMEM;
	err = inflate_all(&z, g);
	inflateEnd(&z);
	return err;
}
#endif

#ifdef HAVE_ZSTD
static int unpack_zstd(const uint8_t *bytes, size_t len, struct growing *g)
{
	ZSTD_inBuffer in = {bytes, len, 0};
	ZSTD_DStream *z = ZSTD_createDStream();
	size_t more = 1;
	int err = z ? 0 : -ENOMEM;

	while (!err && more) {
		ZSTD_outBuffer o;
		size_t before = in.pos;

		err = grow(g);
		if (err)
			break;
		o = (ZSTD_outBuffer){g->bytes, g->size, g->len};
		more = ZSTD_decompressStream(z, &o, &in);
		/* no step forward: it ends in the middle */
		if (ZSTD_isError(more) || (more && in.pos == before && o.pos == g->len))
			err = -EBADMSG;
		g->len = o.pos;
	}
	ZSTD_freeDStream(z);
	return err;
}
#endif

static int unpack(const uint8_t *bytes, size_t len, bool zstd, struct growing *g)
{
#ifdef HAVE_ZLIB
	if (!zstd)
		return unpack_gzip(bytes, len, g);
#endif
#ifdef HAVE_ZSTD
	if (zstd)
		return unpack_zstd(bytes, len, g);
#endif
	(void)bytes, (void)len, (void)zstd, (void)g;
	return -ENOTSUP;
}

static int failed(struct riommu_ctx *ctx, int err, enum riommu_packing packing)
{
	const char *name = riommu_packing_name(packing);

	switch (err) {
	case -ENOTSUP:
		return riommu_fail(ctx, -ENOTSUP,
				   "the Image is packed (%s) and this program was built without "
				   "that; unpack it first",
				   name);
	case -EFBIG:
		return riommu_fail(ctx, err, "the packed Image (%s) is larger than %llu MiB", name,
				   (unsigned long long)RIOMMU_IMAGE_MAX >> 20);
	case -EBADMSG:
		return riommu_fail(ctx, err, "the packed Image (%s) is damaged or truncated", name);
	default:
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	}
}

/* What BYTES are, and where the packed part is. */
static int find_payload(struct riommu_ctx *ctx, const uint8_t *bytes, size_t len,
			enum riommu_packing *packing, uint32_t *at, uint32_t *size)
{
	const char *method;

	*packing = RIOMMU_PACKING_NONE;
	*at = 0;
	*size = (uint32_t)len;
	if (len >= GZIP_HEAD && !memcmp(bytes, GZIP_MAGIC, sizeof(GZIP_MAGIC) - 1)) {
		*packing = RIOMMU_PACKING_GZIP;
		return 0;
	}
	if (len < ZBOOT_HEAD || memcmp(bytes, "MZ", 2) || memcmp(bytes + ZBOOT_AT_TYPE, "zimg", 4))
		return 0;
	method = (const char *)bytes + ZBOOT_AT_METHOD;
	if (!memcmp(method, "gzip", 5))
		*packing = RIOMMU_PACKING_ZBOOT_GZIP;
	else if (!memcmp(method, "zstd", 5) || !memcmp(method, "zstd22", 7))
		*packing = RIOMMU_PACKING_ZBOOT_ZSTD;
	else
		return riommu_fail(ctx, -ENOTSUP,
				   "the EFI zboot file is packed by a method other than gzip and "
				   "zstd; unpack it first");
	*at = riommu_get32(bytes + ZBOOT_AT_PAYLOAD, false);
	*size = riommu_get32(bytes + ZBOOT_AT_PAYLOAD_SIZE, false);
	if (!riommu_inside(*at, *size, len))
		return riommu_fail(ctx, -EBADMSG,
				   "the EFI zboot file is truncated: its payload ends at %#llx, "
				   "the file at %#zx",
				   (unsigned long long)*at + *size, len);
	return 0;
}

int riommu_image_unpack(struct riommu_ctx *ctx, const void *bytes, size_t len, void **out,
			size_t *out_len, enum riommu_packing *packing)
{
	struct growing g = {0};
	enum riommu_packing how;
	uint32_t at, size;
	int err;

	if (len > RIOMMU_IMAGE_MAX)
		return riommu_fail(ctx, -EFBIG, "the file is larger than %llu MiB",
				   (unsigned long long)RIOMMU_IMAGE_MAX >> 20);
	err = find_payload(ctx, bytes, len, &how, &at, &size);
	if (err)
		return err;
	if (how == RIOMMU_PACKING_NONE) {
		g.bytes = malloc(len + 1);
		g.len = len;
		if (g.bytes)
			memcpy(g.bytes, bytes, len);
		err = g.bytes ? 0 : -ENOMEM;
	} else {
		err = unpack((const uint8_t *)bytes + at, size, how == RIOMMU_PACKING_ZBOOT_ZSTD,
			     &g);
	}
	if (err) {
		free(g.bytes);
		return failed(ctx, err, how);
	}
	*out = g.bytes;
	*out_len = g.len;
	if (packing)
		*packing = how;
	return 0;
}
