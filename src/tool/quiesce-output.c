/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Output to a file waits until the stages are over, with --hold until they are undone: the file may be on the disk that was cut off,
 * and a write that never ends would be a block that is never taken back. A terminal and a pipe get each line at once.
 */
#include "config.h"

#include "quiesce.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a descriptor led to, and where it leads meanwhile; -1: it was left as it is. */
struct diverted {
	int original, memory;
};
static struct diverted diverted[2] = {{-1, -1}, {-1, -1}}; /* standard output, and error */
static bool one_file;                                      /* both lead to the same */

static bool is_file(int fd, struct stat *st)
{
	return !fstat(fd, st) && S_ISREG(st->st_mode);
}

/* FD leads to MEMORY from now on. Where that cannot be, all is as before. */
static void divert(int fd, int memory)
{
	int original = memory < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (original >= 0 && dup2(memory, fd) == fd) {
		diverted[fd - STDOUT_FILENO] = (struct diverted){original, memory};
		return;
	}
	riommu_close_fd(&original);
	riommu_close_fd(&memory);
}

void keep_output(void)
{
	int first = STDERR_FILENO + 1;
	struct stat out, err;

	out_flush();
	if (atexit(release_output)) /* die() ends in the middle */
		return;
	if (is_file(STDOUT_FILENO, &out))
		divert(STDOUT_FILENO, memfd_create("output", MFD_CLOEXEC));
	if (!is_file(STDERR_FILENO, &err))
		return;
	one_file = diverted[0].memory >= 0 && out.st_dev == err.st_dev && out.st_ino == err.st_ino;
	divert(STDERR_FILENO, one_file ? fcntl(diverted[0].memory, F_DUPFD_CLOEXEC, first)
				       : memfd_create("messages", MFD_CLOEXEC));
}

static void pass_on(int memory, FILE *f)
{
	char bytes[4096];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(memory, bytes, sizeof(bytes), at)) > 0) {
		fwrite(bytes, 1, (size_t)n, f);
		at += n;
	}
	out_flush();
}

void release_output(void)
{
	FILE *const files[2] = {stdout, stderr};

	out_flush();
	for (int i = 0; i < 2; i++) {
		if (diverted[i].original >= 0)
			dup2(diverted[i].original, STDOUT_FILENO + i);
		riommu_close_fd(&diverted[i].original);
	}
	for (int i = 0; i < 2; i++) {
		if (diverted[i].memory >= 0 && !(i && one_file))
			pass_on(diverted[i].memory, files[i]);
		riommu_close_fd(&diverted[i].memory);
	}
}
