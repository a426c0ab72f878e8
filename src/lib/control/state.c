/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What outlives a run: the state file and the lock beside it (control-internal.h says how it survives a kill). */
#include "base/file.h"
#include "control/control-internal.h"
#include "discover/paths.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC    "riommu-quiesce\n"
#define VERSION  1
#define MAX_FILE ((size_t)16 << 20)

static int failed(const struct state *s, const char *path, const char *what)
{
	int err = errno ? -errno : -EIO;

	return riommu_fail(s->ctx, err == -EPERM ? -EACCES : err, "%s: %s: %s", path, what,
			   strerror(-err));
}

int control_state_init(struct state *s, struct riommu_ctx *ctx)
{
	const char *directory = riommu_option(ctx, "state.path");

	*s = (struct state){.ctx = ctx, .lock_fd = -1, .fd = -1};
	if (strlen(directory) >= sizeof(s->directory))
		return riommu_fail(ctx, -ENAMETOOLONG, "parameter state.path: '%s' is too long",
				   directory);
	snprintf(s->directory, sizeof(s->directory), "%s", directory);
	snprintf(s->path, sizeof(s->path), "%s/quiesce.state", directory);
	return 0;
}

int control_state_lock(struct state *s, bool create)
{
	char path[sizeof(s->path)];

	if (s->lock_fd >= 0)
		return 0;
	snprintf(path, sizeof(path), "%s/quiesce.lock", s->directory);
	if (create && mkdir(s->directory, 0700) && errno != EEXIST)
		return failed(s, s->directory, "making the directory for the state");
	s->lock_fd =
		open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (s->lock_fd < 0)
		return failed(s, path, "opening the lock");
	if (!flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return 0;
	close(s->lock_fd);
	s->lock_fd = -1;
	if (errno == EWOULDBLOCK)
		return riommu_fail(s->ctx, -EBUSY,
				   "%s: another run is at work, or is holding its block; end that "
				   "one first",
				   path);
	return failed(s, path, "locking");
}

static int read_boot_id(const struct state *s, char boot_id[48])
{
	char path[RIOMMU_PATH_MAX], *text;
	size_t len;
	int err;

	riommu_path(s->ctx, path, "proc.path", "/sys/kernel/random/boot_id");
	err = riommu_read_file(path, 256, &text, &len);
	if (err)
		return riommu_fail(s->ctx, err, "%s: %s; without it a state cannot be kept", path,
				   riommu_read_reason(err));
	memset(boot_id, 0, 48);
	riommu_copy_name(boot_id, 48, text, strcspn(text, "\n"));
	free(text);
	return boot_id[0] ? 0 : riommu_fail(s->ctx, -EBADMSG, "%s is empty", path);
}

/* Points into the block, by the counts in its head. */
static void point(struct state *s)
{
	s->iommus = (struct state_iommu *)(s->head + 1);
	s->functions = (struct state_function *)(s->iommus + s->head->iommu_count);
}

int control_state_new(struct state *s, size_t iommus, size_t functions)
{
	size_t size =
		sizeof(*s->head) + iommus * sizeof(*s->iommus) + functions * sizeof(*s->functions);

	if (iommus > UINT16_MAX || functions > UINT16_MAX || size > MAX_FILE)
		return riommu_fail(s->ctx, -EFBIG, "too many devices for a state file");
	s->head = calloc(1, size);
	if (!s->head)
		return riommu_fail(s->ctx, -ENOMEM, "out of memory");
	s->size = size;
	memcpy(s->head->magic, MAGIC, sizeof(MAGIC));
	s->head->version = VERSION;
	s->head->iommu_count = (uint32_t)iommus;
	s->head->function_count = (uint32_t)functions;
	point(s);
	return read_boot_id(s, s->head->boot_id);
}

/* -- reading it ------------------------------------------------------------------------------------------------- */

static bool is_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return len && len < size;
}

static bool has_iommu(const struct state *s, uint64_t base)
{
	for (uint32_t i = 0; i < s->head->iommu_count; i++) {
		if (s->iommus[i].base == base)
			return true;
	}
	return false;
}

/* What is restored differs from what was written by the mode alone; before it is announced it means nothing. */
static bool is_sane_iommu(const struct state_iommu *r)
{
	return is_text(r->name, sizeof(r->name)) && !(r->base & (RIOMMU_REGS_SIZE - 1)) &&
	       r->ddtp_touched <= 1 && r->queues_touched <= 1 &&
	       (!r->ddtp_touched || r->ddtp_new == (r->ddtp_old & ~DDTP_MODE));
}

static bool is_sane(struct state *s)
{
	const struct state_head *h = s->head;

	if (s->size < sizeof(*h) || memcmp(h->magic, MAGIC, sizeof(MAGIC)) ||
	    h->version != VERSION || h->zero || !is_text(h->boot_id, sizeof(h->boot_id)) ||
	    h->iommu_count > UINT16_MAX || h->function_count > UINT16_MAX ||
	    s->size != sizeof(*h) + h->iommu_count * sizeof(*s->iommus) +
			       h->function_count * sizeof(*s->functions))
		return false;
	point(s);
	for (uint32_t i = 0; i < h->iommu_count; i++) {
		if (!is_sane_iommu(&s->iommus[i]))
			return false;
	}
	for (uint32_t i = 0; i < h->function_count; i++) {
		const struct state_function *r = &s->functions[i];

		if (!is_text(r->name, sizeof(r->name)) || r->touched > 1 ||
		    r->command > UINT16_MAX || !has_iommu(s, r->base))
			return false;
	}
	return true;
}

/* Ours is a regular file that only its owner may write: anything else there was not written by us. */
static int check_file(const struct state *s, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return failed(s, s->path, "looking at it");
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return riommu_fail(s->ctx, -EBADMSG,
				   "%s is no file of ours (owner, mode); look at it, and remove it",
				   s->path);
	if (st.st_size < 0 || (uint64_t)st.st_size > MAX_FILE)
		return riommu_fail(s->ctx, -EBADMSG, "%s is damaged: its size", s->path);
	return 0;
}

static int read_all(struct state *s, int fd)
{
	struct stat st;
	size_t have = 0;

	if (fstat(fd, &st))
		return failed(s, s->path, "looking at it");
	s->size = (size_t)st.st_size;
	s->head = calloc(1, s->size + sizeof(*s->head));
	if (!s->head)
		return riommu_fail(s->ctx, -ENOMEM, "out of memory");
	while (have < s->size) {
		ssize_t n = pread(fd, (char *)s->head + have, s->size - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(s, s->path, "reading");
		if (!n)
			break;
		have += (size_t)n;
	}
	if (have != s->size || !is_sane(s))
		return riommu_fail(s->ctx, -EBADMSG,
				   "%s is damaged, or of another version of this program; remove "
				   "it when nothing is blocked any more",
				   s->path);
	return 0;
}

int control_state_load(struct state *s)
{
	int fd = open(s->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), err;
	char boot_id[48];

	if (fd < 0)
		return failed(s, s->path, "opening the state");
	err = check_file(s, fd);
	if (!err)
		err = read_all(s, fd);
	close(fd);
	if (!err)
		err = read_boot_id(s, boot_id);
	if (!err && strcmp(boot_id, s->head->boot_id))
		err = riommu_fail(s->ctx, -ESTALE,
				  "%s is of another boot: what it says of the hardware is not true "
				  "any more",
				  s->path);
	return err;
}

/* -- writing it -------------------------------------------------------------------------------------------------- */

int control_state_open(struct state *s)
{
	s->fd = open(s->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return s->fd < 0 ? failed(s, s->path, "opening the state") : 0;
}

int control_state_save(struct state *s)
{
	int err = riommu_write_file(s->ctx, s->path, s->head, s->size, 0600);

	return err ? err : control_state_open(s);
}

static int store(struct state *s, void *field, const void *value, size_t size)
{
	off_t at = (off_t)((char *)field - (char *)s->head);
	ssize_t n;

	if (!memcmp(field, value, size))
		return 0;
	do
		n = pwrite(s->fd, value, size, at);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)size)
		return failed(s, s->path, "writing the state");
	if (fsync(s->fd))
		return failed(s, s->path, "syncing the state");
	memcpy(field, value, size);
	return 0;
}

int control_state_set(struct state *s, uint32_t *word, uint32_t value)
{
	return store(s, word, &value, sizeof(value));
}

int control_state_set64(struct state *s, uint64_t *number, uint64_t value)
{
	return store(s, number, &value, sizeof(value));
}

bool control_state_idle(const struct state *s)
{
	for (uint32_t i = 0; i < s->head->iommu_count; i++) {
		if (s->iommus[i].ddtp_touched || s->iommus[i].queues_touched)
			return false;
	}
	for (uint32_t i = 0; i < s->head->function_count; i++) {
		if (s->functions[i].touched)
			return false;
	}
	return true;
}

int control_state_remove(struct state *s)
{
	return unlink(s->path) && errno != ENOENT ? failed(s, s->path, "removing the state") : 0;
}

void control_state_end(struct state *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd); /* and the lock is free */
	free(s->head);
	s->head = NULL;
	s->fd = s->lock_fd = -1;
}
