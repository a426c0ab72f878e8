/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "failing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#ifdef HAVE_JSON
#include <json-c/json.h>
#endif
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	bool armed;
	enum failing_kind kind;
	unsigned seen, n;
	const char *name;
	const char *always; /* NULL: the N-th */
	int error;
} failing = {.name = ""};

void failing_begin(enum failing_kind kind, unsigned n)
{
	failing.kind = kind;
	failing.n = n;
	failing.always = NULL;
	failing.seen = 0;
	failing.name = "";
	failing.armed = true;
}

void failing_always(const char *what, int error)
{
	failing_begin(FAILING_FILES, 0);
	failing.always = what;
	failing.error = error;
}

bool failing_end(const char **name)
{
	failing.armed = false;
	*name = failing.name;
	return failing.name[0];
}

static bool fails(enum failing_kind kind, int error, const char *name)
{
	if (!failing.armed || (!failing.always && failing.kind != kind))
		return false;
	if (failing.always && strcmp(failing.always, name) != 0)
		return false;
	if (!failing.always && ++failing.seen != failing.n)
		return false;
	failing.name = name;
	errno = failing.always ? failing.error : error;
	return true;
}

static bool path_fails(const char *path, const char *name)
{
	size_t len = strlen(path), end = failing.always ? strlen(failing.always) : 0;

	if (failing.armed && end && end <= len && !strcmp(path + len - end, failing.always)) {
		errno = failing.error;
		return true;
	}
	return fails(FAILING_FILES, EIO, name);
}

/* A function of fixed arguments: what it gives when it fails, or what the real one gives. */
#define WRAP(kind, error, bad, type, name, parameters, ...) \
	type __real_##name parameters;                      \
	type __wrap_##name parameters;                      \
	type __wrap_##name parameters                       \
	{                                                   \
		if (fails(kind, error, #name))              \
			return bad;                         \
		return __real_##name(__VA_ARGS__);          \
	}

#define MEMORY(type, name, parameters, ...) \
	WRAP(FAILING_MEMORY, ENOMEM, NULL, type, name, parameters, __VA_ARGS__)
#define FILES(bad, type, name, parameters, ...) \
	WRAP(FAILING_FILES, EIO, bad, type, name, parameters, __VA_ARGS__)

MEMORY(void *, malloc, (size_t size), size)
MEMORY(void *, calloc, (size_t count, size_t size), count, size)
MEMORY(void *, realloc, (void *old, size_t size), old, size)
MEMORY(void *, reallocarray, (void *old, size_t count, size_t size), old, count, size)
MEMORY(char *, strdup, (const char *text), text)
MEMORY(char *, strndup, (const char *text, size_t size), text, size)
MEMORY(FILE *, open_memstream, (char **text, size_t *size), text, size)
#ifdef HAVE_JSON
MEMORY(struct json_tokener *, json_tokener_new_ex, (int depth), depth)
#endif

FILES(MAP_FAILED, void *, mmap,
      (void *at, size_t size, int protection, int flags, int fd, off_t offset), at, size,
      protection, flags, fd, offset)
FILES(-1, int, fstat, (int fd, struct stat *st), fd, st)
FILES(-1, int, lstat, (const char *path, struct stat *st), path, st)
FILES(-1, off_t, lseek, (int fd, off_t offset, int whence), fd, offset, whence)
FILES(-1, int, ftruncate, (int fd, off_t size), fd, size)
FILES(-1, int, fchmod, (int fd, mode_t mode), fd, mode)
FILES(-1, int, rename, (const char *from, const char *to), from, to)
FILES(-1, int, mkostemp, (char *path, int flags), path, flags)
FILES(-1, int, mkdir, (const char *path, mode_t mode), path, mode)
FILES(-1, int, unlink, (const char *path), path)
FILES(-1, int, mlockall, (int flags), flags)
FILES(-1, int, flock, (int fd, int operation), fd, operation)
FILES(-1, int, sigaction, (int sig, const struct sigaction *act, struct sigaction *old), sig, act,
      old)

/* Nothing here has to outlive a power cut. */
#define SYNC(name)                                                \
	int __wrap_##name(int fd);                                \
	int __wrap_##name(int fd)                                 \
	{                                                         \
		(void)fd;                                         \
		return fails(FAILING_FILES, EIO, #name) ? -1 : 0; \
	}

SYNC(fsync)
SYNC(fdatasync)

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
	return path_fails(path, "opendir") ? NULL : __real_opendir(path);
}

FILES(NULL, struct dirent *, readdir, (DIR * dir), dir)

/* These can be interrupted, too. */
#define TRANSFER(name, buffer, parameters, ...)                                                   \
	ssize_t __real_##name(int fd, buffer bytes, size_t size parameters);                      \
	ssize_t __wrap_##name(int fd, buffer bytes, size_t size parameters);                      \
	ssize_t __wrap_##name(int fd, buffer bytes, size_t size parameters)                       \
	{                                                                                         \
		if (fails(FAILING_FILES, EIO, #name) || fails(FAILING_INTERRUPTED, EINTR, #name)) \
			return -1;                                                                \
		return __real_##name(fd, bytes, size __VA_ARGS__);                                \
	}
#define WITH_OFFSET , off_t offset

TRANSFER(read, void *, , )
TRANSFER(write, const void *, , )
TRANSFER(pread, void *, WITH_OFFSET, , offset)
TRANSFER(pwrite, const void *, WITH_OFFSET, , offset)

/* It is closed all the same, as by Linux. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	bool failed = fails(FAILING_FILES, EIO, "close");
	int error = errno, result = __real_close(fd);

	if (!failed)
		return result;
	errno = error;
	return -1;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return path_fails(path, "open") ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return path_fails(path, "openat") ? -1 : __real_openat(directory, path, flags, mode);
}

/*
 * What they are where the library was compiled with _FORTIFY_SOURCE, which only glibc knows.
 * The first two are open() and openat() with flags that are no constant.
 */
int __wrap___open_2(const char *path, int flags);
int __wrap___open_2(const char *path, int flags)
{
	return __wrap_open(path, flags);
}

int __wrap___openat_2(int directory, const char *path, int flags);
int __wrap___openat_2(int directory, const char *path, int flags)
{
	return __wrap_openat(directory, path, flags);
}

ssize_t __wrap___read_chk(int fd, void *bytes, size_t size, size_t space);
ssize_t __wrap___read_chk(int fd, void *bytes, size_t size, size_t space)
{
	if (size > space)
		abort();
	return __wrap_read(fd, bytes, size);
}

ssize_t __wrap___pread_chk(int fd, void *bytes, size_t size, off_t offset, size_t space);
ssize_t __wrap___pread_chk(int fd, void *bytes, size_t size, off_t offset, size_t space)
{
	if (size > space)
		abort();
	return __wrap_pread(fd, bytes, size, offset);
}

static int __attribute__((format(printf, 2, 0))) print(char **text, const char *format, va_list ap)
{
	return fails(FAILING_MEMORY, ENOMEM, "asprintf") ? -1 : vasprintf(text, format, ap);
}

int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list ap;
	int len;

	va_start(ap, format);
	len = print(text, format, ap);
	va_end(ap);
	return len;
}

int __wrap___asprintf_chk(char **text, int flag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int __wrap___asprintf_chk(char **text, int flag, const char *format, ...)
{
	va_list ap;
	int len;

	(void)flag;
	va_start(ap, format);
	len = print(text, format, ap);
	va_end(ap);
	return len;
}
