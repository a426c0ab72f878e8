/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are complete or not there. */
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(const struct riommu_file *f, const char *what)
{
	int err = errno ? -errno : -EIO;

	return riommu_fail(f->ctx, err, "%s: %s: %s", f->path, what, strerror(-err));
}

/* Renaming over a device, a directory or a symbolic link would replace that, not fill it. */
static int check_target(const struct riommu_file *f)
{
	struct stat st;

	if (lstat(f->path, &st) < 0)
		return errno == ENOENT ? 0 : failed(f, "looking at it");
	if (!S_ISREG(st.st_mode))
		return riommu_fail(f->ctx, -EINVAL,
				   "%s: is there and no regular file; choose another name",
				   f->path);
	return 0;
}

/* Opened in the beginning: in the end there may be no right to. -errno in its place is told then. */
static int open_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = name ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0)
		fd = -errno;
	free(name);
	return fd;
}

int riommu_file_begin(struct riommu_file *f, struct riommu_ctx *ctx, const char *path)
{
	int err;

	*f = (struct riommu_file){.ctx = ctx, .path = path, .fd = -1, .directory = -EBADF};
	err = check_target(f);
	if (err)
		return err;
	f->directory = open_directory(path);
	if (asprintf(&f->temporary, "%s.XXXXXX", path) < 0) {
		f->temporary = NULL;
		return riommu_fail(ctx, -ENOMEM, "%s: out of memory", path);
	}
	f->fd = mkostemp(f->temporary, O_CLOEXEC); /* O_EXCL, 0600 */
	if (f->fd < 0) {
		err = failed(f, "creating a temporary file beside it");
		free(f->temporary);
		f->temporary = NULL;
	}
	return err;
}

int riommu_file_write(struct riommu_file *f, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len) {
		ssize_t n = write(f->fd, from, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return failed(f, "writing");
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

int riommu_file_write_at(struct riommu_file *f, uint64_t offset, const void *bytes, size_t len)
{
	if (lseek(f->fd, (off_t)offset, SEEK_SET) < 0)
		return failed(f, "seeking");
	return riommu_file_write(f, bytes, len);
}

/* The new name has to last, too; a file system that cannot promise that keeps the file all the same. */
static void sync_directory(const struct riommu_file *f)
{
	int err = f->directory < 0 ? f->directory : fsync(f->directory) < 0 ? -errno : 0;

	if (err)
		riommu_log(f->ctx, RIOMMU_LOG_WARNING, "%s: the directory cannot be synced: %s",
			   f->path, strerror(-err));
}

int riommu_file_commit(struct riommu_file *f, unsigned mode)
{
	int err = fchmod(f->fd, (mode_t)mode) < 0 ? failed(f, "setting its mode") : 0;

	if (!err && fsync(f->fd) < 0)
		err = failed(f, "syncing");
	if (close(f->fd) < 0 && !err)
		err = failed(f, "closing");
	f->fd = -1;
	if (!err && rename(f->temporary, f->path) < 0)
		err = failed(f, "renaming the temporary file");
	if (err)
		return err;
	free(f->temporary);
	f->temporary = NULL;
	sync_directory(f);
	return 0;
}

void riommu_file_end(struct riommu_file *f)
{
	riommu_close_fd(&f->fd);
	riommu_close_fd(&f->directory);
	if (f->temporary)
		unlink(f->temporary);
	free(f->temporary);
	f->temporary = NULL;
}

int riommu_write_file(struct riommu_ctx *ctx, const char *path, const void *bytes, size_t len,
		      unsigned mode)
{
	struct riommu_file f;
	int err = riommu_file_begin(&f, ctx, path);

	if (!err)
		err = riommu_file_write(&f, bytes, len);
	if (!err)
		err = riommu_file_commit(&f, mode);
	riommu_file_end(&f);
	return err;
}
