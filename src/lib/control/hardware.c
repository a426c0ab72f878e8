/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to the hardware of this machine, and a tracer that can be laid over any way. */
#include "control/control.h"
#include "control/quiesce.h"
#include "discover/paths.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define POLL_PAUSE_NS 20000 /* polls are few, and what is waited for takes microseconds */

/* -- this machine -------------------------------------------------------------------------------------------- */

struct live {
	struct riommu_ctx *ctx;
	struct riommu_source *registers; /* what is read */
	struct riommu_source *writable;  /* NULL: nothing is written */
	int functions;                   /* the directory /sys/bus/pci/devices, -1: there is none */
};

static int live_reg_read(void *arg, uint64_t base, uint32_t offset, unsigned width, uint64_t *value)
{
	struct live *live = arg;

	return riommu_source_reg_read(live->registers, base, offset, width, value);
}

static int live_reg_write(void *arg, uint64_t base, uint32_t offset, uint32_t value)
{
	struct live *live = arg;

	if (!live->writable)
		return riommu_fail(live->ctx, -EACCES, "not opened for writing");
	return riommu_source_reg_write(live->writable, base, offset, value);
}

/*
 * What the kernel answers for a function that is not there, or was taken out since it was found or opened. That is the end of it
 * for an undo: no descriptor left, or a failing system, is another thing.
 */
static bool gone(int error)
{
	return error == ENOENT || error == ENODEV;
}

static const char no_file[] = "not a regular file: this is no sysfs";

/* Opened for each access: there may be more functions than file descriptors, and sysfs needs no disk. */
static int open_config(const struct live *live, const char *function, int flags)
{
	uint32_t segment;
	uint16_t rid;
	char path[64];
	int fd;

	if (!riommu_parse_pci_name(function, &segment, &rid))
		return riommu_fail(live->ctx, -EINVAL, "%s is no name of a PCI function", function);
	snprintf(path, sizeof(path), "%.32s/config", function);
	if (live->functions < 0)
		return riommu_fail(live->ctx, -ENODATA, "config space of %s: no PCI in sysfs",
				   function);
	fd = riommu_open_regular(live->functions, path, flags);
	if (fd >= 0)
		return fd;
	if (fd == -EBADMSG)
		return riommu_fail(live->ctx, fd, "config space of %s: %s", function, no_file);
	if (fd == -EACCES || fd == -EPERM)
		return riommu_fail(live->ctx, -EACCES, "config space of %s: %s", function,
				   strerror(-fd));
	return riommu_fail(live->ctx, gone(-fd) ? -ENODATA : fd, "config space of %s: %s", function,
			   strerror(-fd));
}

static int config_failed(const struct live *live, const char *function, ssize_t done, int error)
{
	if (done >= 0)
		return riommu_fail(live->ctx, -ENODATA, "config space of %s ends early (not root?)",
				   function);
	if (error == EACCES || error == EPERM)
		return riommu_fail(live->ctx, -EACCES, "config space of %s: %s (lockdown?)",
				   function, strerror(error));
	return riommu_fail(live->ctx, gone(error) ? -ENODATA : -error, "config space of %s: %s",
			   function, strerror(error));
}

static int live_config_read(void *arg, const char *function, unsigned offset, unsigned width,
			    uint32_t *value)
{
	struct live *live = arg;
	int fd = open_config(live, function, O_RDONLY), error;
	uint8_t bytes[4] = {0};
	ssize_t done;

	if (fd < 0)
		return fd;
	done = pread(fd, bytes, width, offset);
	error = errno;
	close(fd);
	if (done != (ssize_t)width)
		return config_failed(live, function, done, error);
	*value = riommu_get32(bytes, false);
	return 0;
}

static int live_config_write(void *arg, const char *function, unsigned offset, unsigned width,
			     uint32_t value)
{
	struct live *live = arg;
	uint8_t bytes[4];
	ssize_t done;
	int fd, error;

	if (!live->writable)
		return riommu_fail(live->ctx, -EACCES, "not opened for writing");
	fd = open_config(live, function, O_WRONLY);
	if (fd < 0)
		return fd;
	riommu_put32(bytes, value);
	done = pwrite(fd, bytes, width, offset);
	error = errno;
	close(fd);
	return done == (ssize_t)width ? 0 : config_failed(live, function, done, error);
}

static uint64_t live_now_us(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void live_pause(void *arg)
{
	const struct timespec t = {.tv_nsec = POLL_PAUSE_NS};

	(void)arg;
	nanosleep(&t, NULL);
}

static int live_lock_memory(void *arg)
{
	(void)arg;
	return mlockall(MCL_CURRENT | MCL_FUTURE) ? -errno : 0;
}

static const struct riommu_hw_ops live_ops = {
	.reg_read = live_reg_read,
	.reg_write = live_reg_write,
	.config_read = live_config_read,
	.config_write = live_config_write,
	.now_us = live_now_us,
	.pause = live_pause,
	.lock_memory = live_lock_memory,
};

static void live_close(struct riommu_hw *hw)
{
	struct live *live = hw->arg;

	riommu_source_close(live->writable);
	if (live->functions >= 0)
		close(live->functions);
	free(live);
}

int riommu_hw_open(struct riommu_system *sys, bool write, struct riommu_hw **out)
{
	struct riommu_hw *hw = calloc(1, sizeof(*hw));
	struct live *live = calloc(1, sizeof(*live));
	char path[RIOMMU_PATH_MAX];
	int err = 0;

	*out = NULL;
	if (!hw || !live)
		err = riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	else if (write)
		err = riommu_control_open(sys, &live->writable);
	if (err) {
		free(hw);
		free(live);
		return err;
	}
	live->ctx = sys->ctx;
	/* what decides about a write is read where the write goes, not from --reg */
	live->registers = write ? live->writable : sys->registers;
	/* the functions of this machine are not those of a recorded one */
	live->functions = -1;
	riommu_path(sys->ctx, path, "sysfs.path", "/bus/pci/devices");
	if (sys->live)
		live->functions = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (live->functions < 0)
		err = errno;
	*hw = (struct riommu_hw){.ops = &live_ops, .arg = live, .close = live_close};
	if (live->functions < 0 && sys->live && err != ENOENT) {
		riommu_fail(sys->ctx, -err, "%s: %s", path, strerror(err));
		riommu_hw_close(hw);
		return -err;
	}
	*out = hw;
	return 0;
}

void riommu_hw_close(struct riommu_hw *hw)
{
	if (!hw)
		return;
	hw->close(hw);
	free(hw);
}

/* -- the tracer ------------------------------------------------------------------------------------------------ */

struct trace {
	struct riommu_hw *lower;
	void (*wrote)(void *arg, const struct riommu_hw_write *w);
	void *arg;
};

static int trace_reg_read(void *arg, uint64_t base, uint32_t offset, unsigned width,
			  uint64_t *value)
{
	struct trace *t = arg;

	return t->lower->ops->reg_read(t->lower->arg, base, offset, width, value);
}

static int trace_reg_write(void *arg, uint64_t base, uint32_t offset, uint32_t value)
{
	struct riommu_hw_write w = {.base = base, .offset = offset, .width = 4, .value = value};
	struct trace *t = arg;

	t->wrote(t->arg, &w);
	return t->lower->ops->reg_write(t->lower->arg, base, offset, value);
}

static int trace_config_read(void *arg, const char *function, unsigned offset, unsigned width,
			     uint32_t *value)
{
	struct trace *t = arg;

	return t->lower->ops->config_read(t->lower->arg, function, offset, width, value);
}

static int trace_config_write(void *arg, const char *function, unsigned offset, unsigned width,
			      uint32_t value)
{
	struct riommu_hw_write w = {.offset = offset, .width = width, .value = value};
	struct trace *t = arg;

	snprintf(w.function, sizeof(w.function), "%s", function);
	t->wrote(t->arg, &w);
	return t->lower->ops->config_write(t->lower->arg, function, offset, width, value);
}

static uint64_t trace_now_us(void *arg)
{
	struct trace *t = arg;

	return t->lower->ops->now_us(t->lower->arg);
}

static void trace_pause(void *arg)
{
	struct trace *t = arg;

	t->lower->ops->pause(t->lower->arg);
}

static int trace_lock_memory(void *arg)
{
	struct trace *t = arg;

	return t->lower->ops->lock_memory(t->lower->arg);
}

static const struct riommu_hw_ops trace_ops = {
	.reg_read = trace_reg_read,
	.reg_write = trace_reg_write,
	.config_read = trace_config_read,
	.config_write = trace_config_write,
	.now_us = trace_now_us,
	.pause = trace_pause,
	.lock_memory = trace_lock_memory,
};

static void trace_close(struct riommu_hw *hw)
{
	free(hw->arg);
}

int riommu_hw_trace(struct riommu_hw *lower,
		    void (*wrote)(void *arg, const struct riommu_hw_write *w), void *arg,
		    struct riommu_hw **out)
{
	struct riommu_hw *hw = calloc(1, sizeof(*hw));
	struct trace *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (!hw || !t) {
		free(hw);
		free(t);
		return -ENOMEM;
	}
	*t = (struct trace){.lower = lower, .wrote = wrote, .arg = arg};
	*hw = (struct riommu_hw){.ops = &trace_ops, .arg = t, .close = trace_close};
	*out = hw;
	return 0;
}

/* -- the kernel does it ------------------------------------------------------------------------------------------ */

int riommu_iommu_remove(struct riommu_system *sys, size_t iommu)
{
	const char *name = sys->iommus[iommu].name;
	char path[RIOMMU_PATH_MAX];
	uint32_t segment;
	uint16_t rid;
	int fd, err = 0;

	if (!riommu_parse_pci_name(name, &segment, &rid))
		return riommu_fail(sys->ctx, -EINVAL, "%s is no PCI function: it cannot be removed",
				   name);
	riommu_path(sys->ctx, path, "sysfs.path", "/bus/pci/devices/%s/remove", name);
	riommu_log(sys->ctx, RIOMMU_LOG_INFO, "%s := 1", path);
	fd = riommu_open_regular(AT_FDCWD, path, O_WRONLY);
	if (fd < 0)
		err = fd;
	else if (write(fd, "1", 1) != 1)
		err = -errno;
	riommu_close_fd(&fd);
	if (!err)
		return 0;
	return riommu_fail(sys->ctx, err == -EPERM ? -EACCES : err, "%s: %s", path,
			   err == -EBADMSG ? no_file : strerror(-err));
}
