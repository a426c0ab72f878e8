/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input: the file of --input. Which source reads it is told by its first bytes; a raw image has none that could tell, so
 * -O base= does. What somebody may take for a dump by mistake is named, with what to do instead.
 */
#include "source/source-internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- opening ------------------------------------------------------------------------------------------------ */

int riommu_source_open_file(struct riommu_source *src, const char *path, int *fd, uint64_t *size)
{
	struct stat st;
	int err = 0;

	if (!path)
		return riommu_fail(src->ctx, -EINVAL, "%s reads a file: name one with --input",
				   src->ops->name);
	/* Without waiting, lest a FIFO in its place makes us hang. */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return riommu_source_open_failed(src->ctx, path, errno);
	if (fstat(*fd, &st))
		err = riommu_source_open_failed(src->ctx, path, errno);
	else if (S_ISDIR(st.st_mode))
		err = riommu_fail(src->ctx, -EISDIR, "%s: a directory, not a capture", path);
	else if (!S_ISREG(st.st_mode))
		err = riommu_fail(src->ctx, -EINVAL, "%s: not a regular file; save it to one first",
				  path);
	else if (st.st_size <= 0)
		err = riommu_fail(src->ctx, -EBADMSG, "%s: the file is empty", path);
	else if ((uint64_t)st.st_size > SIZE_MAX)
		err = riommu_source_open_failed(src->ctx, path, EFBIG);
	*size = err ? 0 : (uint64_t)st.st_size;
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

int riommu_source_pread(struct riommu_source *src, int fd, uint64_t offset, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return riommu_source_open_failed(src->ctx, src->path, errno);
		if (!n)
			return riommu_fail(src->ctx, -EBADMSG, "%s: ends before offset 0x%llx",
					   src->path, (unsigned long long)offset);
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int riommu_source_map_file(struct riommu_source *src, const char *path, const uint8_t **bytes,
			   uint64_t *size)
{
	int fd, err = riommu_source_open_file(src, path, &fd, size);
	void *map;

	if (err)
		return err;
	map = mmap(NULL, (size_t)*size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		err = riommu_source_open_failed(src->ctx, path, errno);
	else
		*bytes = src->map = map;
	src->map_size = src->map ? *size : 0;
	close(fd);
	return err;
}

/* -- what it is ---------------------------------------------------------------------------------------------- */

/* What people try that holds no memory by address, or not as it is. */
static const struct {
	uint32_t at;
	const char *magic;
	uint8_t len;
	const char *words;
} strangers[] = {
	{0, "\x1f\x8b", 2, "packed by gzip; unpack it first: gzip -dc FILE > CORE"},
	{0,
	 "\xfd"
	 "7zXZ",
	 6, "packed by xz; unpack it first: xz -dc FILE > CORE"},
	{0, "\x28\xb5\x2f\xfd", 4, "packed by zstd; unpack it first: zstd -dc FILE > CORE"},
	{0, "\x04\x22\x4d\x18", 4, "packed by lz4; unpack it first: lz4 -dc FILE > CORE"},
	{0, "BZh", 3, "packed by bzip2; unpack it first: bzip2 -dc FILE > CORE"},
	{0, "PK\3\4", 4, "a zip archive: unpack it first"},
	{0x101, "ustar", 5, "a tar archive: unpack it first"},
	{0, "DISKDUMP", 8, "a dump of a kernel older than RISC-V"},
	{0, "QFI\xfb", 4,
	 "a disk image of QEMU (qcow2); its monitor's dump-guest-memory writes memory"},
	{0, "QEVM", 4, "a migration stream of QEMU; its monitor's dump-guest-memory writes memory"},
	{0x38, "RSC\5", 4, "a kernel Image, not the memory of a machine"},
	{0, "\xd0\x0d\xfe\xed", 4, "a device tree, not the memory of a machine"},
	{(uint32_t)RIOMMU_PAGE_SIZE - 10, "SWAP-SPACE", 10,
	 "a swap area, which has no physical addresses"},
	{(uint32_t)RIOMMU_PAGE_SIZE - 10, "SWAPSPACE2", 10,
	 "a swap area, which has no physical addresses"},
	{(uint32_t)RIOMMU_PAGE_SIZE - 10, "S1SUSPEND", 9,
	 "an image of hibernation, which keeps pages by no address that this program knows"},
	{(uint32_t)RIOMMU_PAGE_SIZE - 10, "ULSUSPEND", 9,
	 "an image of hibernation, which keeps pages by no address that this program knows"},
};

int riommu_source_unknown_format(struct riommu_ctx *ctx, const char *path, const uint8_t *head,
				 size_t len)
{
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(strangers); i++) {
		if (riommu_inside(strangers[i].at, strangers[i].len, len) &&
		    !memcmp(head + strangers[i].at, strangers[i].magic, strangers[i].len))
			return riommu_fail(ctx, -ENOTSUP, "%s: %s", path, strangers[i].words);
	}
	return riommu_fail(ctx, -EBADMSG,
			   "%s: not an ELF file and no compressed dump: neither a capture nor a "
			   "vmcore; if it is a raw image of RAM, say with -O base=ADDR at which "
			   "physical address it begins",
			   path);
}

/* The first bytes of a file; none of one that is not regular, which whoever opens it will find out. */
static int read_head(struct riommu_ctx *ctx, const char *path, uint8_t *head, size_t size,
		     size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat st;
	ssize_t n = 0;

	*len = 0;
	if (fd < 0)
		return riommu_source_open_failed(ctx, path, errno);
	if (fstat(fd, &st)) {
		n = -1;
	} else if (S_ISREG(st.st_mode)) {
		do
			n = pread(fd, head + *len, size - *len, (off_t)*len);
		while (n > 0 ? (*len += (size_t)n) < size : n < 0 && errno == EINTR);
	}
	if (n < 0)
		err = riommu_source_open_failed(ctx, path, errno);
	close(fd);
	return err;
}

/* The source of --access, which has to be one for files. */
static int named_source(struct riommu_ctx *ctx, const char *access,
			const struct riommu_source_ops **ops)
{
	*ops = riommu_source_by_name(access);
	if (!*ops)
		return riommu_fail(ctx, -EINVAL,
				   "unknown access method '%s'; --access help lists them", access);
	if (!(*ops)->reads_file)
		return riommu_fail(ctx, -EINVAL, "--access %s does not read files", access);
	return 0;
}

int riommu_source_for_file(struct riommu_ctx *ctx, const char *path, const char *access,
			   const struct riommu_source_ops **ops)
{
	const struct riommu_source_ops *const *all = riommu_sources();
	uint8_t head[RIOMMU_PAGE_SIZE];
	size_t len;
	int err;

	if (access)
		return named_source(ctx, access, ops);
	*ops = &riommu_raw_ops;
	if (riommu_option_is_set(ctx, "base"))
		return 0;
	err = read_head(ctx, path, head, sizeof(head), &len);
	if (err)
		return err;
	for (; *all; all++) {
		*ops = *all;
		if ((*all)->recognizes && (*all)->recognizes(head, len))
			return 0;
	}
	*ops = &riommu_core_ops; /* it says what is wrong with the file */
	return 0;
}
