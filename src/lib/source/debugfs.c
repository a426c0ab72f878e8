/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * debugfs: registers as the module contrib/kmod shows them, one text file an IOMMU. It works where the kernel refuses
 * /dev/mem. The format is in spec/notes.h. What a file said is kept, so that one snapshot is one reading; riommu_source_forget()
 * drops that. The file itself stays open: when it is to be read again, nothing may be left to open it with.
 */
#include "source/source-internal.h"
#include "spec/notes.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_FILE   (64u << 10) /* 135 registers of at most 40 bytes each: 6 KiB */
#define DIR_PREFIX "riscv-iommu@"

struct file {
	char *path;
	int fd;     /* -1: not open */
	bool stale; /* to be read again before it is looked at */
	uint64_t base;
	bool has_base;
	int error;        /* of reading or parsing it */
	char reason[192]; /* the words, or the module's own "# error:" */
	bool cut_short;   /* the module could not read on: what is there is right */
	uint64_t value[RIOMMU_REG_COUNT];
	bool set[RIOMMU_REG_COUNT];
};

struct debugfs {
	bool loaded;
	bool stale; /* told to forget since */
	size_t count;
	struct file *files[RIOMMU_MAX_IOMMUS];
};

static int bad(struct file *file, unsigned line, const char *why)
{
	snprintf(file->reason, sizeof(file->reason), "line %u: %s", line, why);
	return -EBADMSG;
}

/* "OFFSET WIDTH VALUE" */
static int parse_register(struct file *file, unsigned line, char *text)
{
	char *width_text = strchr(text, ' '), *value_text;
	uint64_t offset, width, value;
	int reg;

	value_text = width_text ? strchr(width_text + 1, ' ') : NULL;
	if (!value_text)
		return bad(file, line, "not \"offset width value\"");
	*width_text++ = '\0';
	*value_text++ = '\0';
	if (riommu_parse_u64(text, &offset) || riommu_parse_u64(width_text, &width) ||
	    riommu_parse_u64(value_text, &value) || offset >= RIOMMU_REGS_SIZE)
		return bad(file, line, "not \"offset width value\"");
	reg = riommu_reg_by_offset((uint32_t)offset);
	if (reg < 0)
		return 0; /* a newer module may know more */
	if (riommu_registers()[reg].width != width || (width == 4 && value > UINT32_MAX))
		return bad(file, line, "a register of another width");
	if (file->set[reg])
		return bad(file, line, "a register that is there twice");
	file->set[reg] = true;
	file->value[reg] = value;
	return 0;
}

static int parse_line(struct file *file, unsigned line, char *text)
{
	static const char error[] = "# error: ", base[] = "base ";

	if (line == 1)
		return strcmp(text, RIOMMU_DEBUGFS_HEAD)
			       ? bad(file, line, "not the format of this version")
			       : 0;
	if (!strncmp(text, error, sizeof(error) - 1)) {
		file->cut_short = true;
		riommu_copy_name(file->reason, sizeof(file->reason), text + sizeof(error) - 1,
				 strlen(text + sizeof(error) - 1));
		return 0;
	}
	if (text[0] == '#' || !text[0])
		return 0;
	if (strncmp(text, base, sizeof(base) - 1))
		return file->has_base ? parse_register(file, line, text)
				      : bad(file, line, "a register before the base");
	if (file->has_base || riommu_parse_u64(text + sizeof(base) - 1, &file->base) ||
	    file->base & (RIOMMU_REGS_SIZE - 1))
		return bad(file, line, "not a base address");
	file->has_base = true;
	return 0;
}

static int parse_text(struct file *file, char *text, size_t len)
{
	unsigned line = 0;

	if (strlen(text) != len)
		return bad(file, 1, "a NUL in a text");
	while (*text) {
		char *end = strchr(text, '\n');
		int err;

		if (!end)
			return bad(file, line + 1, "cut short");
		*end = '\0';
		err = parse_line(file, ++line, text);
		if (err)
			return err;
		text = end + 1;
	}
	return line ? 0 : bad(file, 1, "empty");
}

static void read_file(struct file *file)
{
	char *text;
	size_t len;

	*file = (struct file){.path = file->path, .fd = file->fd};
	file->error = riommu_read_again(&file->fd, file->path, MAX_FILE, &text, &len);
	if (file->error == -EPERM)
		file->error = -EACCES;
	if (file->error) {
		snprintf(file->reason, sizeof(file->reason), "%s", riommu_read_reason(file->error));
		return;
	}
	file->error = parse_text(file, text, len);
	free(text);
}

static void unload(struct debugfs *debugfs)
{
	for (size_t i = 0; i < debugfs->count; i++) {
		riommu_close_fd(&debugfs->files[i]->fd);
		free(debugfs->files[i]->path);
		free(debugfs->files[i]);
	}
	memset(debugfs, 0, sizeof(*debugfs));
}

static int add_file(struct debugfs *debugfs, const char *dir, const char *name)
{
	struct file *file = calloc(1, sizeof(*file));
	size_t size = strlen(dir) + strlen(name) + sizeof("//registers");

	if (file)
		file->path = malloc(size);
	if (!file || !file->path) {
		free(file);
		return -ENOMEM;
	}
	snprintf(file->path, size, "%s/%s/registers", dir, name);
	file->fd = -1;
	read_file(file);
	debugfs->files[debugfs->count++] = file;
	return 0;
}

/* Where the module puts its directories. NULL when memory is short; free() it. */
static char *debugfs_dir(struct riommu_ctx *ctx)
{
	const char *mount = riommu_option(ctx, "debugfs.path");
	size_t size = strlen(mount) + sizeof("/riscv-iommu");
	char *dir = malloc(size);

	if (dir)
		snprintf(dir, size, "%s/riscv-iommu", mount);
	return dir;
}

/* Reads every file once. Which belongs to which IOMMU only their base lines say. */
static int load(struct riommu_source *src)
{
	struct debugfs *debugfs = src->priv;
	DIR *dir = opendir(src->path);
	struct dirent *entry;
	int err = 0;

	if (!dir) /* what is there is the best there is */
		return debugfs->loaded ? 0 : riommu_source_open_failed(src->ctx, src->path, errno);
	unload(debugfs);
	errno = 0;
	while (!err && debugfs->count < RIOMMU_MAX_IOMMUS && (entry = readdir(dir))) {
		if (!strncmp(entry->d_name, DIR_PREFIX, sizeof(DIR_PREFIX) - 1))
			err = add_file(debugfs, src->path, entry->d_name);
		errno = 0;
	}
	if (!err && errno)
		err = -errno;
	closedir(dir);
	debugfs->loaded = !err;
	return err ? riommu_source_open_failed(src->ctx, src->path, -err) : 0;
}

/* The file of the IOMMU at BASE; *BROKEN is one that does not say whose it is. */
static struct file *find(struct debugfs *debugfs, uint64_t base, struct file **broken)
{
	*broken = NULL;
	for (size_t i = 0; i < debugfs->count; i++) {
		if (debugfs->files[i]->has_base && debugfs->files[i]->base == base)
			return debugfs->files[i];
		if (!debugfs->files[i]->has_base)
			*broken = debugfs->files[i];
	}
	return NULL;
}

/* The same, read now if it was to be forgotten: one file where it still is whose it was, else all of them. */
static int find_fresh(struct riommu_source *src, uint64_t base, struct file **file)
{
	struct debugfs *debugfs = src->priv;
	struct file *broken;
	int err = 0;

	*file = find(debugfs, base, &broken);
	if (*file && (*file)->stale) {
		read_file(*file);
		*file = find(debugfs, base, &broken);
	}
	if (!*file && (!debugfs->loaded || debugfs->stale)) {
		err = load(src);
		*file = find(debugfs, base, &broken);
	}
	if (!*file)
		*file = broken;
	return err;
}

static int debugfs_reg_read(struct riommu_source *src, uint64_t base, uint32_t offset,
			    unsigned width, uint64_t *value)
{
	int reg = riommu_reg_by_offset(offset);
	struct file *file;
	int err = find_fresh(src, base, &file);

	(void)width;
	if (err)
		return err;
	if (!file)
		return riommu_fail(src->ctx, -ENODATA, "%s: no IOMMU at 0x%llx", src->path,
				   (unsigned long long)base);
	if (!file->error && file->base == base && file->set[reg]) {
		*value = file->value[reg];
		return 0;
	}
	if (file->error || file->cut_short)
		return riommu_fail(src->ctx, file->error ? file->error : -EFAULT, "%s: %s",
				   file->path, file->reason);
	return -ENODATA;
}

static void debugfs_forget(struct riommu_source *src)
{
	struct debugfs *debugfs = src->priv;

	debugfs->stale = true;
	for (size_t i = 0; i < debugfs->count; i++)
		debugfs->files[i]->stale = true;
}

static void debugfs_close(struct riommu_source *src)
{
	unload(src->priv);
	free(src->priv);
}

static int debugfs_open(struct riommu_source *src, const char *path)
{
	int err;

	(void)path;
	free(src->path);
	src->path = debugfs_dir(src->ctx);
	src->priv = calloc(1, sizeof(struct debugfs));
	if (!src->path || !src->priv) {
		free(src->priv);
		return riommu_fail(src->ctx, -ENOMEM, "out of memory");
	}
	err = load(src);
	if (err)
		debugfs_close(src);
	return err;
}

const struct riommu_source_ops riommu_debugfs_ops = {
	.name = "debugfs",
	.help = "registers through the module riscv_iommu_debugfs",
	.provides = RIOMMU_PROVIDES_REGISTERS,
	.open = debugfs_open,
	.close = debugfs_close,
	.reg_read = debugfs_reg_read,
	.forget = debugfs_forget,
};
