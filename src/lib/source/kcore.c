/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kcore: RAM of the running kernel, by /proc/kcore, which is an ELF core whose PT_LOAD p_paddr is the physical
 * address. It needs CAP_SYS_RAWIO and no special boot option.
 *
 * Two things to know about it. Pages that the kernel cannot read come back as zeros, without an error: an all-zero
 * table deserves suspicion. Segments that are not RAM have p_paddr all ones, and on RISC-V those of vmalloc have
 * offsets of 2^63 and above, which no read can reach: both are left out.
 */
#include "source/source-internal.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct range {
	uint64_t pa, len, offset;
};

struct kcore {
	int fd;
	struct range *ranges;
	size_t count;
};

static int load_headers(struct riommu_source *src, struct kcore *kcore)
{
	Elf64_Ehdr head;
	int err = riommu_source_pread(src, kcore->fd, 0, &head, sizeof(head));

	if (err)
		return err;
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_type != ET_CORE || head.e_phentsize != sizeof(Elf64_Phdr))
		return riommu_fail(src->ctx, -EBADMSG, "%s: not the ELF core of a 64-bit kernel",
				   src->path);
	if (head.e_phoff > INT64_MAX - UINT16_MAX * sizeof(Elf64_Phdr))
		return riommu_fail(src->ctx, -EBADMSG, "%s: impossible program headers", src->path);
	kcore->ranges = calloc((size_t)head.e_phnum + 1, sizeof(struct range));
	if (!kcore->ranges)
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	for (size_t i = 0; i < head.e_phnum; i++) {
		uint64_t end;
		Elf64_Phdr p;

		err = riommu_source_pread(src, kcore->fd, head.e_phoff + i * sizeof(p), &p,
					  sizeof(p));
		if (err)
			return err;
		if (p.p_type != PT_LOAD || p.p_paddr == UINT64_MAX ||
		    !riommu_add(p.p_paddr, p.p_memsz, &end) ||
		    !riommu_add(p.p_offset, p.p_memsz, &end) || end > INT64_MAX)
			continue;
		kcore->ranges[kcore->count++] =
			(struct range){.pa = p.p_paddr, .len = p.p_memsz, .offset = p.p_offset};
	}
	if (!kcore->count)
		return riommu_fail(src->ctx, -ENODATA,
				   "%s: no RAM in it that has a physical address", src->path);
	return 0;
}

static void kcore_close(struct riommu_source *src)
{
	struct kcore *kcore = src->priv;

	if (kcore->fd >= 0)
		close(kcore->fd);
	free(kcore->ranges);
	free(kcore);
}

static int kcore_open(struct riommu_source *src, const char *path)
{
	struct kcore *kcore = calloc(1, sizeof(*kcore));
	int err;

	(void)path;
	free(src->path);
	src->path = strdup(riommu_option(src->ctx, "kcore.path"));
	if (!kcore || !src->path) {
		free(kcore);
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	}
	src->priv = kcore;
	kcore->fd = open(src->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	err = kcore->fd < 0 ? riommu_source_open_failed(src->ctx, src->path, errno)
			    : load_headers(src, kcore);
	if (err)
		kcore_close(src);
	return err;
}

static int kcore_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	struct kcore *kcore = src->priv;
	int err;

	/* Few ranges, one for each bank of RAM. The kernel's text is there twice: either will do. */
	for (size_t i = 0; i < kcore->count; i++) {
		const struct range *r = &kcore->ranges[i];

		if (pa < r->pa || !riommu_inside(pa - r->pa, len, r->len))
			continue;
		err = riommu_source_pread(src, kcore->fd, r->offset + (pa - r->pa), buf, len);
		/* it ends before: to whoever walks -EBADMSG is what a table says */
		return err == -EBADMSG ? -ENODATA : err;
	}
	return -ENODATA;
}

const struct riommu_source_ops riommu_kcore_ops = {
	.name = "kcore",
	.help = "RAM of the running kernel, through /proc/kcore",
	.provides = RIOMMU_PROVIDES_MEMORY,
	.open = kcore_open,
	.close = kcore_close,
	.read = kcore_read,
};
