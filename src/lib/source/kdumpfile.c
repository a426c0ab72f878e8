/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kdumpfile: dumps that makedumpfile or QEMU have compressed, and flattened ones, through libkdumpfile where it is built in.
 *
 * Only reading by physical address is asked of it, which needs nothing of the dumped kernel: it does for machines that it
 * does not know, too (RISC-V before 0.5.4, and QEMU, which leaves the machine's name out). It opens flattened dumps from
 * 0.5.3 on.
 *
 * libkdumpfile believes more of a file than we do (0.5.1 reads past the end of a truncated header), so what it would believe of
 * the headers is checked here first.
 *
 * Pages that were left out are "not held". With -O excluded=zero they are zero where the dump's own map says that there
 * was RAM; libkdumpfile's attribute for that would make holes between the banks of RAM zero, too.
 */
#include "config.h"

#include "source/source-internal.h"

#define MAGIC      "KDUMP   "
#define MAGIC_SIZE 8
#define FLAT       "makedumpfile"
#define FLAT_SIZE  12

/* A compressed dump, or any dump in pieces that each say where they belong. */
static bool is_dump(const uint8_t *head, size_t len)
{
	return (len >= MAGIC_SIZE && !memcmp(head, MAGIC, MAGIC_SIZE)) ||
	       (len >= FLAT_SIZE && !memcmp(head, FLAT, FLAT_SIZE));
}

#ifdef HAVE_KDUMPFILE

#define HELP "a dump that was compressed or flattened (--input FILE)"

#include <libkdumpfile/kdumpfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct kdump {
	int fd;
	uint64_t size; /* of the file */
	kdump_ctx_t *dump;
	bool rest_is_zero;
	kdump_bmp_t *ram; /* what was RAM, one bit a page; NULL when the dump does not say */

	/* where the file has its pages; `before` is NULL where that is not checked */
	uint64_t bitmap, descriptors, blocks;
	uint64_t *before; /* how many pages the blocks of the bitmap before this one have */
};

static void kdumpfile_close(struct riommu_source *src)
{
	struct kdump *kdump = src->priv;

	if (kdump->ram)
		kdump_bmp_decref(kdump->ram);
	if (kdump->dump)
		kdump_free(kdump->dump);
	if (kdump->fd >= 0)
		close(kdump->fd);
	free(kdump->before);
	free(kdump);
}

/* What libkdumpfile says of a failure, as the class that it stands for. */
static int failed(struct riommu_source *src, kdump_status status, const char *doing)
{
	struct kdump *kdump = src->priv;
	/* why, where libkdumpfile says no more than what it did */
	int system = errno ? errno : EIO;
	int err = status == KDUMP_ERR_NOTIMPL ? -ENOTSUP : -EBADMSG;

	if (status == KDUMP_ERR_SYSTEM)
		return riommu_fail(src->ctx, -system, "%s: %s: %s (%s)", src->path, doing,
				   kdump_get_err(kdump->dump), strerror(system));
	return riommu_fail(src->ctx, err, "%s: %s: %s", src->path, doing,
			   kdump_get_err(kdump->dump));
}

/* -- headers ------------------------------------------------------------------------------------------------ */

/* Where things are in the header and, a page further on, in the sub-header of a 64-bit dump. */
enum {
	AT_VERSION = 8,
	AT_MACHINE = 272, /* the fifth of the words of uname(2), 65 bytes each */
	AT_BLOCK_SIZE = 428,
	AT_SUB_HEADER_BLOCKS = 432,
	AT_BITMAP_BLOCKS = 436,
	AT_MAX_MAPNR_32 = 440,
	HEADER_SIZE = 464,
	AT_SPLIT = 12,      /* of the sub-header: one of several files */
	AT_VMCOREINFO = 32, /* of the sub-header: offset, then size; two more such pairs follow */
	AT_MAX_MAPNR = 96,
	SUB_HEADER_SIZE = 104,
};

#define UTS_WORD 65

static int damaged(struct riommu_source *src, const char *what)
{
	return riommu_fail(src->ctx, -EBADMSG, "%s: %s", src->path, what);
}

/* TRUNCATED: what it is when the file ends before. */
static int read_at(struct riommu_source *src, uint64_t offset, void *buf, size_t len,
		   const char *truncated)
{
	const struct kdump *kdump = src->priv;

	if (!riommu_inside(offset, len, kdump->size))
		return damaged(src, truncated);
	return riommu_source_pread(src, kdump->fd, offset, buf, len);
}

/*
 * A flattened dump: after a page, pieces of (offset, size, bytes), both numbers big-endian; -1 ends it. *WHERE is where the
 * file has the piece that begins a dump, the last one if it was written again; *END how long the dump is when put together.
 */
static int find_pieces(struct riommu_source *src, uint64_t *where, uint64_t *end)
{
	const struct kdump *kdump = src->priv;
	uint64_t at = RIOMMU_PAGE_SIZE, offset, size;
	uint8_t piece[16];
	int err;

	for (*end = 0, *where = 0;; at += size) {
		err = read_at(src, at, piece, sizeof(piece), "a flattened dump that is truncated");
		if (err)
			return err;
		offset = riommu_get64(piece, true);
		size = riommu_get64(piece + 8, true);
		if (offset == UINT64_MAX)
			return *where ? 0 : damaged(src, "a flattened dump without a header");
		at += sizeof(piece);
		if (!riommu_inside(at, size, kdump->size) || offset > INT64_MAX - size)
			return damaged(src, "a flattened dump that is truncated");
		if (!offset)
			*where = at;
		*end = offset + size > *end ? offset + size : *end;
	}
}

/* The same kind of dump is made on other machines. QEMU writes "Unknown" for RISC-V; a missing name says nothing. */
static int check_machine(struct riommu_source *src, const uint8_t *header)
{
	char machine[UTS_WORD];

	riommu_copy_name(machine, sizeof(machine), (const char *)header + AT_MACHINE,
			 strnlen((const char *)header + AT_MACHINE, UTS_WORD));
	if (!machine[0] || !strcmp(machine, "riscv64") || !strcmp(machine, "Unknown"))
		return 0;
	return riommu_fail(src->ctx, -EBADMSG,
			   "%s: the dump of a machine of another kind (%s), not of riscv64",
			   src->path, machine);
}

/* What the header says of the dump's length, of which END bytes are there. */
static int check_header(struct riommu_source *src, const uint8_t *header, uint64_t end)
{
	uint64_t sub = riommu_get32(header + AT_SUB_HEADER_BLOCKS, false);
	uint64_t bitmaps = riommu_get32(header + AT_BITMAP_BLOCKS, false);

	if (memcmp(header, MAGIC, MAGIC_SIZE))
		return damaged(src, "a flattened file that is no compressed dump; put it together "
				    "with makedumpfile -R");
	if (riommu_get32(header + AT_VERSION, false) - 1 >= UINT16_MAX ||
	    riommu_get32(header + AT_BLOCK_SIZE, false) != RIOMMU_PAGE_SIZE)
		return damaged(src, "not the dump of a little-endian machine with pages of 4 KiB");
	if (riommu_get32(header + AT_MAX_MAPNR_32, false) > bitmaps * RIOMMU_PAGE_SIZE * 8)
		return damaged(src, "its header has more pages than its bitmaps");
	if (!sub || sub > UINT16_MAX || !bitmaps ||
	    !riommu_inside((1 + sub) * RIOMMU_PAGE_SIZE, bitmaps * RIOMMU_PAGE_SIZE, end))
		return damaged(src, "truncated, or its header lies about its length");
	return check_machine(src, header);
}

/* What the sub-header points to, and how many pages it speaks of. */
static int check_sub_header(struct riommu_source *src, const uint8_t *header, const uint8_t *sub,
			    uint64_t end)
{
	uint64_t bitmaps = riommu_get32(header + AT_BITMAP_BLOCKS, false);

	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *at = sub + AT_VMCOREINFO + (size_t)i * 16;

		if (!riommu_inside(riommu_get64(at, false), riommu_get64(at + 8, false), end))
			return damaged(src, "truncated, or its sub-header lies about its notes");
	}
	if (riommu_get32(header + AT_VERSION, false) >= 6 &&
	    riommu_get64(sub + AT_MAX_MAPNR, false) > bitmaps * RIOMMU_PAGE_SIZE * 8)
		return damaged(src, "its sub-header has more pages than its bitmaps");
	return 0;
}

/*
 * Pages: libkdumpfile reads where a page's descriptor says, past the end of the file, too, which is a SIGBUS. Descriptors stand in the
 * order of the pages that the file has, one for each bit of the second bitmap (the only one, where there is no room for two).
 */
#define DESCRIPTOR_SIZE 24
#define BLOCK_PAGES     (RIOMMU_PAGE_SIZE * 8)

/* How many of the first N bits are set. */
static uint64_t count_bits(const uint8_t *bits, size_t n)
{
	uint64_t count = 0;

	for (size_t i = 0; i < n / 8; i++)
		count += (unsigned)__builtin_popcount(bits[i]);
	return n % 8 ? count + (unsigned)__builtin_popcount(bits[n / 8] & ((1u << n % 8) - 1))
		     : count;
}

static int find_pages(struct riommu_source *src, const uint8_t *header, const uint8_t *sub)
{
	struct kdump *kdump = src->priv;
	uint64_t blocks = riommu_get32(header + AT_BITMAP_BLOCKS, false), count = 0;
	uint64_t pages = riommu_get32(header + AT_VERSION, false) >= 6
				 ? riommu_get64(sub + AT_MAX_MAPNR, false)
				 : riommu_get32(header + AT_MAX_MAPNR_32, false);
	uint8_t block[RIOMMU_PAGE_SIZE];
	int err;

	if (riommu_get32(sub + AT_SPLIT, false))
		return 0;
	kdump->bitmap = (1 + (uint64_t)riommu_get32(header + AT_SUB_HEADER_BLOCKS, false)) *
			RIOMMU_PAGE_SIZE;
	kdump->descriptors = kdump->bitmap + blocks * RIOMMU_PAGE_SIZE;
	kdump->blocks = pages <= blocks * BLOCK_PAGES / 2 ? blocks / 2 : blocks;
	kdump->bitmap = kdump->descriptors - kdump->blocks * RIOMMU_PAGE_SIZE;
	kdump->before = calloc(kdump->blocks + 1, sizeof(*kdump->before));
	if (!kdump->before)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	for (uint64_t i = 0; i < kdump->blocks; i++) {
		kdump->before[i] = count;
		err = read_at(src, kdump->bitmap + i * RIOMMU_PAGE_SIZE, block, sizeof(block),
			      "truncated: its bitmaps are not all there");
		if (err)
			return err;
		count += count_bits(block, BLOCK_PAGES);
	}
	if (!riommu_inside(kdump->descriptors, count * DESCRIPTOR_SIZE, kdump->size))
		return damaged(src, "truncated: the list of its pages is not all there");
	return 0;
}

/*
 * A page that the file ought to have is not to be had. That is no -EBADMSG: to whoever walks, that is what a table says. -v tells why.
 */
static int lost(struct riommu_source *src, uint64_t pa, const char *why)
{
	riommu_log(src->ctx, RIOMMU_LOG_INFO, "%s: the page at 0x%llx: %s", src->path,
		   (unsigned long long)(pa & ~RIOMMU_PAGE_MASK), why);
	return -ENODATA;
}

/* Whether the page that holds PA, if the file has it, is all there. */
static int check_page(struct riommu_source *src, uint64_t pa)
{
	struct kdump *kdump = src->priv;
	uint64_t page = pa >> RIOMMU_PAGE_SHIFT, block = page / BLOCK_PAGES, index;
	uint8_t bits[RIOMMU_PAGE_SIZE], descriptor[DESCRIPTOR_SIZE];
	size_t bit = (size_t)(page % BLOCK_PAGES);
	int err;

	if (!kdump->before || block >= kdump->blocks)
		return 0;
	err = read_at(src, kdump->bitmap + block * RIOMMU_PAGE_SIZE, bits, sizeof(bits),
		      "truncated: its bitmaps are not all there");
	if (err || !(bits[bit / 8] >> bit % 8 & 1))
		return 0; /* it was there when the dump was opened: libkdumpfile will find out */
	index = kdump->before[block] + count_bits(bits, bit);
	err = read_at(src, kdump->descriptors + index * DESCRIPTOR_SIZE, descriptor,
		      sizeof(descriptor), "truncated: the list of its pages is not all there");
	if (err && err != -EBADMSG)
		return err;
	if (!err && riommu_inside(riommu_get64(descriptor, false),
				  riommu_get32(descriptor + 8, false), kdump->size))
		return 0;
	return lost(src, pa, "truncated, or its list of pages lies: it ends behind the file");
}

/* A flattened dump's sub-header may be anywhere: QEMU has it in one piece with the header, makedumpfile mostly not. */
static int check_headers(struct riommu_source *src)
{
	const struct kdump *kdump = src->priv;
	uint8_t header[HEADER_SIZE], sub[SUB_HEADER_SIZE];
	uint64_t where = 0, end = kdump->size;
	const char *no_header = "truncated: a dump without a whole header";
	int err = read_at(src, 0, header, FLAT_SIZE, no_header);
	bool flat = !err && !memcmp(header, FLAT, FLAT_SIZE);

	if (flat)
		err = find_pieces(src, &where, &end);
	if (!err)
		err = read_at(src, where, header, sizeof(header), no_header);
	if (!err)
		err = check_header(src, header, end);
	if (err || flat)
		return err;
	err = read_at(src, RIOMMU_PAGE_SIZE, sub, sizeof(sub),
		      "truncated: a dump without a sub-header");
	if (err)
		return err;
	err = check_sub_header(src, header, sub, end);
	return err ? err : find_pages(src, header, sub);
}

/* -- opening and reading ------------------------------------------------------------------------------------- */

/* Which pages were RAM. A dump may lack it; then nothing of what it leaves out is zero. */
static int find_ram(struct riommu_source *src)
{
	struct kdump *kdump = src->priv;
	kdump_status status;
	kdump_attr_t attr;

	errno = 0;
	status = kdump_get_attr(kdump->dump, KDUMP_ATTR_MEMORY_PAGEMAP, &attr);
	if (status == KDUMP_ERR_SYSTEM)
		return failed(src, status, "which pages were RAM");
	if (status == KDUMP_OK && attr.type == KDUMP_BITMAP) {
		kdump->ram = attr.val.bitmap;
		kdump_bmp_incref(kdump->ram);
	} else {
		riommu_log(src->ctx, RIOMMU_LOG_WARNING,
			   "%s does not say which pages were RAM: excluded=zero has no effect",
			   src->path);
	}
	return 0;
}

static int open_dump(struct riommu_source *src, struct kdump *kdump)
{
	kdump_status status;

	kdump->dump = kdump_new();
	if (!kdump->dump)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	errno = 0;
	status = kdump_open_fd(kdump->dump, kdump->fd);
	if (status == KDUMP_ERR_NOTIMPL)
		return riommu_fail(src->ctx, -ENOTSUP,
				   "%s: libkdumpfile cannot read it: %s; if it is a flattened "
				   "dump, put it together with makedumpfile -R",
				   src->path, kdump_get_err(kdump->dump));
	if (status != KDUMP_OK) {
		int err = failed(src, status,
				 status == KDUMP_ERR_SYSTEM ? "opening it"
							    : "not a dump that can be read");

		/* After a dump that turned out damaged half way, kdump_free() crashes (0.5.1 and 0.5.6): a leak is less. */
		kdump->dump = NULL;
		return err;
	}
	kdump->rest_is_zero = riommu_option_is_set(src->ctx, "excluded");
	return kdump->rest_is_zero ? find_ram(src) : 0;
}

static int kdumpfile_open(struct riommu_source *src, const char *path)
{
	struct kdump *kdump = calloc(1, sizeof(*kdump));
	int err;

	if (!kdump)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	src->priv = kdump;
	kdump->fd = -1;
	err = riommu_source_open_file(src, path, &kdump->fd, &kdump->size);
	if (!err)
		err = check_headers(src);
	if (!err)
		err = open_dump(src, kdump);
	if (err)
		kdumpfile_close(src);
	return err;
}

/* True if the page that holds PA was RAM. */
static bool was_ram(const struct kdump *kdump, uint64_t pa)
{
	uint64_t page = pa >> RIOMMU_PAGE_SHIFT;
	unsigned char bits = 0;

	return kdump->ram && kdump_bmp_get_bits(kdump->ram, page, page, &bits) == KDUMP_OK &&
	       (bits & 1);
}

/* Bytes that lie within one page. */
static int read_in_page(struct riommu_source *src, uint64_t pa, uint8_t *to, size_t len)
{
	struct kdump *kdump = src->priv;
	size_t got = len;
	kdump_status status;
	char doing[48];
	int err = check_page(src, pa);

	if (err)
		return err;
	errno = 0;
	status = kdump_read(kdump->dump, KDUMP_MACHPHYSADDR, pa, to, &got);
	if (status == KDUMP_OK && got == len)
		return 0;
	if (status == KDUMP_OK || status == KDUMP_ERR_NODATA) {
		if (!kdump->rest_is_zero || !was_ram(kdump, pa))
			return -ENODATA;
		memset(to, 0, len);
		return 0;
	}
	snprintf(doing, sizeof(doing), "memory at 0x%llx", (unsigned long long)pa);
	err = failed(src, status, doing);
	return err == -EBADMSG ? lost(src, pa, riommu_error(src->ctx)) : err;
}

static int kdumpfile_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		size_t n = RIOMMU_PAGE_SIZE - (pa & RIOMMU_PAGE_MASK);
		int err;

		n = n < len ? n : len;
		err = read_in_page(src, pa, to, n);
		if (err)
			return err;
		to += n;
		pa += n;
		len -= n;
	}
	return 0;
}

#else

#define HELP "compressed and flattened dumps: not in this build (libkdumpfile)"

static int kdumpfile_open(struct riommu_source *src, const char *path)
{
	return riommu_fail(
		src->ctx, -ENOTSUP,
		"%s: a dump that makedumpfile or QEMU has compressed or flattened, and this "
		"build has no libkdumpfile to read it: configure --with-kdumpfile (Debian: "
		"libkdumpfile-dev), or put a flattened one together with makedumpfile -R; "
		"makedumpfile -E saves ELF cores, which need neither",
		path ? path : "--access kdumpfile");
}

static void kdumpfile_close(struct riommu_source *src)
{
	(void)src;
}

static int kdumpfile_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	(void)src, (void)pa, (void)buf, (void)len;
	return -ENODATA;
}

#endif

const struct riommu_source_ops riommu_kdumpfile_ops = {
	.name = "kdumpfile",
	.help = HELP,
	.provides = RIOMMU_PROVIDES_MEMORY,
	.reads_file = true,
	.recognizes = is_dump,
	.open = kdumpfile_open,
	.close = kdumpfile_close,
	.read = kdumpfile_read,
};
