/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devmem: registers of the running machine through /dev/mem.
 *
 * The page is mapped for reading only and read 4 bytes at a time: other sizes, and holes in the page, answer with a bus
 * error on some implementations, and nothing promises that an 8-byte access works (specification, "Memory-mapped register
 * interface"). O_SYNC asks for an uncached mapping. Neither file nor mapping can write unless control/ asked for a writable source.
 *
 * An address with no device behind it kills a process that reads it. So each access is made with handlers of SIGBUS and
 * SIGSEGV in place, which jump back; they are installed around the access and put back after it. This is the one place in
 * the library that touches signals: while it reads a register, other threads must not install handlers of these two.
 */
#include "source/source-internal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct page {
	uint64_t base;
	volatile uint32_t *regs; /* mapped without PROT_WRITE unless the source is writable */
};

struct devmem {
	int fd;
	size_t count;
	struct page pages[RIOMMU_MAX_IOMMUS];
};

static _Thread_local sigjmp_buf *guard;

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(*guard, 1);
}

/* One 4-byte access with the handlers in place. -EFAULT when the bus did not answer. */
static int access32(volatile uint32_t *reg, uint32_t *value, bool store)
{
	struct sigaction act = {.sa_handler = on_fault}, old_bus, old_segv;
	sigjmp_buf here;
	int err;

	sigemptyset(&act.sa_mask);
	if (sigaction(SIGBUS, &act, &old_bus))
		return -errno;
	if (sigaction(SIGSEGV, &act, &old_segv)) {
		err = -errno;
		sigaction(SIGBUS, &old_bus, NULL);
		return err;
	}
	guard = &here;
	if (sigsetjmp(here, 1)) {
		err = -EFAULT;
	} else {
		if (store)
			*reg = *value;
		else
			*value = *reg;
		err = 0;
	}
	guard = NULL;
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return err;
}

/* Registers are little-endian, whatever the host. */
static int read32(volatile uint32_t *reg, uint32_t *value)
{
	uint32_t raw = 0;
	int err = access32(reg, &raw, false);

	*value = riommu_get32(&raw, false);
	return err;
}

/* Counters run on between the two halves: the upper one is read until it stands still. */
static int read64(volatile uint32_t *reg, bool counts, uint64_t *value)
{
	uint32_t hi = 0, again = 0, lo = 0;
	int tries = 4;
	int err = read32(reg + 1, &again);

	do {
		hi = again;
		if (!err)
			err = read32(reg, &lo);
		if (!err && counts)
			err = read32(reg + 1, &again);
	} while (!err && hi != again && --tries);
	*value = (uint64_t)again << 32 | lo;
	return err;
}

static int map_page(struct riommu_source *src, uint64_t base, volatile uint32_t **regs)
{
	struct devmem *devmem = src->priv;
	void *map;

	for (size_t i = 0; i < devmem->count; i++) {
		if (devmem->pages[i].base == base) {
			*regs = devmem->pages[i].regs;
			return 0;
		}
	}
	if (devmem->count == RIOMMU_MAX_IOMMUS || base > INT64_MAX)
		return riommu_fail(src->ctx, -EINVAL, "%s: cannot map registers at 0x%llx",
				   src->path, (unsigned long long)base);
	map = mmap(NULL, RIOMMU_REGS_SIZE, PROT_READ | (src->writable ? PROT_WRITE : 0), MAP_SHARED,
		   devmem->fd, (off_t)base);
	if (map == MAP_FAILED) {
		if (errno == EPERM || errno == EACCES)
			return riommu_fail(src->ctx, -EACCES,
					   "%s: the kernel refuses the registers at 0x%llx "
					   "(STRICT_DEVMEM, or a driver has claimed them)",
					   src->path, (unsigned long long)base);
		/* ENODEV says that this is nothing to map, not that there is no IOMMU */
		return riommu_fail(src->ctx, errno == ENODEV ? -ENOTSUP : -errno,
				   "%s: mapping 0x%llx: %s", src->path, (unsigned long long)base,
				   errno == ENODEV ? "this is no memory" : strerror(errno));
	}
	devmem->pages[devmem->count++] = (struct page){.base = base, .regs = map};
	*regs = map;
	return 0;
}

static int devmem_reg_read(struct riommu_source *src, uint64_t base, uint32_t offset,
			   unsigned width, uint64_t *value)
{
	bool counts = offset >= RIOMMU_REG_IOHPMCYCLES && offset < RIOMMU_REG_IOHPMEVT;
	volatile uint32_t *regs = NULL;
	uint32_t low = 0;
	int err = map_page(src, base, &regs);

	if (err)
		return err;
	if (width == 8) {
		err = read64(regs + offset / 4, counts, value);
	} else {
		err = read32(regs + offset / 4, &low);
		*value = low;
	}
	if (err == -EFAULT)
		return riommu_fail(src->ctx, err, "%s: nothing answers at 0x%llx", src->path,
				   (unsigned long long)base + offset);
	return err;
}

static int devmem_reg_write(struct riommu_source *src, uint64_t base, uint32_t offset,
			    uint32_t value)
{
	volatile uint32_t *regs = NULL;
	uint32_t raw;
	int err = map_page(src, base, &regs);

	if (err)
		return err;
	riommu_put32(&raw, value);
	err = access32(regs + offset / 4, &raw, true);
	if (err == -EFAULT)
		return riommu_fail(src->ctx, err, "%s: nothing answers at 0x%llx", src->path,
				   (unsigned long long)base + offset);
	return err;
}

static int devmem_open(struct riommu_source *src, const char *path)
{
	struct devmem *devmem = calloc(1, sizeof(*devmem));
	int err;

	(void)path;
	free(src->path);
	src->path = strdup(riommu_option(src->ctx, "devmem.path"));
	if (!devmem || !src->path) {
		free(devmem);
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	}
	devmem->fd = open(src->path,
			  (src->writable ? O_RDWR : O_RDONLY) | O_SYNC | O_CLOEXEC | O_NONBLOCK);
	if (devmem->fd < 0) {
		err = riommu_source_open_failed(src->ctx, src->path, errno);
		free(devmem);
		return err;
	}
	src->priv = devmem;
	return 0;
}

static void devmem_close(struct riommu_source *src)
{
	struct devmem *devmem = src->priv;

	for (size_t i = 0; i < devmem->count; i++)
		munmap((void *)(uintptr_t)devmem->pages[i].regs, RIOMMU_REGS_SIZE);
	close(devmem->fd);
	free(devmem);
}

const struct riommu_source_ops riommu_devmem_ops = {
	.name = "devmem",
	.help = "registers through /dev/mem (root, and usually iomem=relaxed)",
	.provides = RIOMMU_PROVIDES_REGISTERS,
	.open = devmem_open,
	.close = devmem_close,
	.reg_read = devmem_reg_read,
	.reg_write = devmem_reg_write,
};
