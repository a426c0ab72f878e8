/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recordings, written and read. */
#include "queue/recording.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEADER_SIZE 32u
#define BLOCK_MAX   65536u
#define BUFFER_SIZE ((size_t)256 << 10)
#define SECOND      ((uint64_t)1000000000)
#define ERRNO_MAX   4095 /* what Linux has room for */

enum block { BLOCK_SOURCE = 1, BLOCK_IOMMU, BLOCK_DEVICE, BLOCK_EVENT, BLOCK_END };

#define SOURCE_SIZE 296u
#define IOMMU_SIZE  80u
#define DEVICE_SIZE 72u
#define EVENT_HEAD  16u
#define FAULT_SIZE  (EVENT_HEAD + 48)
#define STATE_SIZE  (EVENT_HEAD + 40)
#define CHANGE_SIZE (EVENT_HEAD + 16)
#define END_SIZE    8u

enum { FLAG_PENDING = 1, FLAG_BEFORE = 2, FLAG_ORDERED = 4 };
enum { FLAG_DDTP = 1, FLAG_RING = 2, FLAG_INDEXES = 4 };

/* -- writing ------------------------------------------------------------------------------------------------- */

struct riommu_recorder {
	struct riommu_ctx *ctx;
	char *path;
	int fd;
	int error; /* the first; it ends the recording */
	uint64_t start;
	uint64_t whole; /* bytes in the file: whole blocks only */
	size_t used;    /* of the buffer */
	uint8_t *buffer;
};

static int stop(struct riommu_recorder *r, int err)
{
	r->error = err;
	/* half a block at the end would be read as damage */
	if (ftruncate(r->fd, (off_t)r->whole))
		riommu_log(r->ctx, RIOMMU_LOG_WARNING, "%s: it ends within a block", r->path);
	return riommu_fail(r->ctx, err, "%s: %s; the recording ends here", r->path, strerror(-err));
}

static int write_out(struct riommu_recorder *r)
{
	size_t done = 0;

	while (done < r->used) {
		ssize_t n = write(r->fd, r->buffer + done, r->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return stop(r, -errno);
		done += (size_t)n;
	}
	r->whole += r->used;
	r->used = 0;
	return 0;
}

/* Room for a block of LENGTH bytes, zeroed, its head in place; NULL: the recording has ended. */
static uint8_t *new_block(struct riommu_recorder *r, enum block type, uint32_t length)
{
	uint8_t *at;

	if (r->error || (r->used + 8 + length > BUFFER_SIZE && write_out(r)))
		return NULL;
	at = r->buffer + r->used;
	memset(at, 0, 8 + (size_t)length);
	riommu_put32(at, type);
	riommu_put32(at + 4, length);
	r->used += 8 + (size_t)length;
	return at + 8;
}

static void put_text(uint8_t *at, const char *text, size_t size)
{
	memcpy(at, text, strnlen(text, size - 1));
}

static void put_header(struct riommu_recorder *r)
{
	struct timespec now = {0};
	uint8_t *at = r->buffer;

	clock_gettime(CLOCK_REALTIME, &now);
	memset(at, 0, HEADER_SIZE);
	memcpy(at, RIOMMU_RECORDING_MAGIC, 16);
	riommu_put32(at + 16, RIOMMU_RECORDING_VERSION);
	riommu_put64(at + 24, (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec);
	r->used = HEADER_SIZE;
}

static void put_lists(struct riommu_recorder *r, const struct riommu_system *sys)
{
	uint8_t *at = new_block(r, BLOCK_SOURCE, SOURCE_SIZE);

	if (at) {
		put_text(at, sys->model, 128);
		put_text(at + 128, sys->kernel, 128);
		put_text(at + 256, sys->time, 40);
	}
	for (size_t i = 0; i < sys->iommu_count; i++) {
		at = new_block(r, BLOCK_IOMMU, IOMMU_SIZE);
		if (!at)
			return;
		riommu_put32(at, (uint32_t)i);
		riommu_put64(at + 8, sys->iommus[i].base);
		put_text(at + 16, sys->iommus[i].name, 64);
	}
	for (size_t i = 0; i < sys->device_count; i++) {
		const struct riommu_device *d = &sys->devices[i];

		if (d->iommu == RIOMMU_NO_IOMMU)
			continue;
		at = new_block(r, BLOCK_DEVICE, DEVICE_SIZE);
		if (!at)
			return;
		riommu_put32(at, (uint32_t)d->iommu);
		riommu_put32(at + 4, d->device_id);
		put_text(at + 8, d->name, 64);
	}
}

static void recorder_free(struct riommu_recorder *r)
{
	if (r->fd >= 0)
		close(r->fd);
	free(r->buffer);
	free(r->path);
	free(r);
}

int riommu_recorder_new(struct riommu_ctx *ctx, const char *path, const struct riommu_system *sys,
			uint64_t start, struct riommu_recorder **out)
{
	struct riommu_recorder *r = calloc(1, sizeof(*r));
	int err;

	*out = NULL;
	if (!r)
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	r->ctx = ctx;
	r->start = start;
	r->fd = -1;
	r->path = strdup(path);
	r->buffer = malloc(BUFFER_SIZE);
	if (!r->path || !r->buffer) {
		recorder_free(r);
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	}
	r->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd < 0) {
		err = -errno;
		recorder_free(r);
		return riommu_fail(ctx, err, "%s: %s%s", path, strerror(-err),
				   err == -EEXIST ? "; a recording writes over nothing" : "");
	}
	put_header(r);
	put_lists(r, sys);
	err = riommu_recorder_flush(r, true);
	if (err) {
		recorder_free(r);
		return err;
	}
	*out = r;
	return 0;
}

static uint32_t event_size(enum riommu_watch_kind kind)
{
	switch (kind) {
	case RIOMMU_WATCH_FAULT:
		return FAULT_SIZE;
	case RIOMMU_WATCH_STATE:
		return STATE_SIZE;
	case RIOMMU_WATCH_MODE:
	case RIOMMU_WATCH_CSR:
	case RIOMMU_WATCH_LOST:
	case RIOMMU_WATCH_RESET:
		return CHANGE_SIZE;
	default:
		return 0;
	}
}

static void put_fault(uint8_t *at, const struct riommu_watch_event *e)
{
	riommu_put64(at, e->number);
	riommu_put32(at + 8, e->index);
	riommu_put32(at + 12, (e->pending ? FLAG_PENDING : 0u) | (e->before ? FLAG_BEFORE : 0u) |
				      (e->ordered ? FLAG_ORDERED : 0u));
	for (size_t i = 0; i < 4; i++)
		riommu_put64(at + 16 + 8 * i, e->dw[i]);
}

static void put_state(uint8_t *at, const struct riommu_watch_state *s)
{
	riommu_put32(at, (s->ddtp_known ? FLAG_DDTP : 0u) | (s->ring_known ? FLAG_RING : 0u) |
				 (s->indexes_known ? FLAG_INDEXES : 0u));
	riommu_put32(at + 4, s->entries);
	riommu_put64(at + 8, s->ddtp);
	riommu_put64(at + 16, s->base);
	riommu_put32(at + 24, s->head);
	riommu_put32(at + 28, s->tail);
	riommu_put32(at + 32, s->csr);
}

static void put_change(uint8_t *at, const struct riommu_watch_event *e)
{
	if (e->kind == RIOMMU_WATCH_MODE || e->kind == RIOMMU_WATCH_CSR) {
		riommu_put64(at, e->from);
		riommu_put64(at + 8, e->to);
		return;
	}
	riommu_put32(at, e->why);
	riommu_put32(at + 4, (uint32_t)e->error);
	riommu_put64(at + 8, e->count);
}

int riommu_recorder_add(struct riommu_recorder *r, const struct riommu_watch_event *e)
{
	uint32_t size = event_size(e->kind);
	uint8_t *at = size ? new_block(r, BLOCK_EVENT, size) : NULL;

	if (!at)
		return r->error ? r->error : -EINVAL;
	riommu_put32(at, e->kind);
	riommu_put32(at + 4, e->iommu);
	riommu_put64(at + 8, e->time - r->start);
	at += EVENT_HEAD;
	if (e->kind == RIOMMU_WATCH_FAULT)
		put_fault(at, e);
	else if (e->kind == RIOMMU_WATCH_STATE)
		put_state(at, &e->state);
	else
		put_change(at, e);
	return 0;
}

int riommu_recorder_flush(struct riommu_recorder *r, bool sync)
{
	int err = r->error ? r->error : write_out(r);

	/* only started: waiting for a disk here would be time in which nobody looks at the queue */
	if (!err && sync && sync_file_range(r->fd, 0, 0, SYNC_FILE_RANGE_WRITE) && errno == EIO)
		err = stop(r, -errno);
	return err;
}

int riommu_recorder_end(struct riommu_recorder *r, uint64_t time)
{
	uint8_t *at = new_block(r, BLOCK_END, END_SIZE);
	int err = r->error;

	if (at)
		riommu_put64(at, time - r->start);
	if (!err)
		err = write_out(r);
	if (!err && fdatasync(r->fd) && errno != EINVAL && errno != EROFS)
		err = riommu_fail(r->ctx, -errno, "%s: %s", r->path, strerror(errno));
	recorder_free(r);
	return err;
}

/* -- reading --------------------------------------------------------------------------------------------------- */

struct riommu_recording {
	struct riommu_ctx *ctx;
	char *path;
	FILE *file;
	uint64_t at;   /* of the block that is next */
	uint64_t time; /* of the last event: they do not go back */
	size_t iommus;
	bool ended, peeked; /* the block below was read, and not yet taken */
	uint32_t type, length;
	uint8_t block[BLOCK_MAX];
};

/* NULL, and errno: EBADMSG for what is no regular file. */
static FILE *open_stream(const char *path)
{
	int fd = riommu_open_regular(AT_FDCWD, path, O_RDONLY);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
	int err = fd < 0 ? -fd : errno;

	if (!f)
		riommu_close_fd(&fd);
	errno = err;
	return f;
}

int riommu_is_recording(struct riommu_ctx *ctx, const char *path)
{
	FILE *f = open_stream(path);
	char magic[16];
	int is;

	if (!f && errno == EBADMSG)
		return 0;
	if (!f)
		return riommu_fail(ctx, -errno, "%s: %s", path, strerror(errno));
	is = fread(magic, 1, sizeof(magic), f) == sizeof(magic) &&
	     !memcmp(magic, RIOMMU_RECORDING_MAGIC, sizeof(magic));
	if (ferror(f))
		is = riommu_fail(ctx, -errno, "%s: %s", path, strerror(errno));
	fclose(f);
	return is;
}

static int damaged(const struct riommu_recording *r, const char *why)
{
	return riommu_fail(r->ctx, -EBADMSG, "%s: at offset %" PRIu64 ": %s", r->path, r->at, why);
}

/* 1: there is a block, 0: the end of the file, -errno. */
static int read_block(struct riommu_recording *r)
{
	uint8_t head[8];
	size_t n;

	if (r->peeked)
		return 1;
	n = fread(head, 1, sizeof(head), r->file);
	if (!n && !ferror(r->file))
		return 0;
	if (n < sizeof(head))
		return ferror(r->file)
			       ? riommu_fail(r->ctx, -EIO, "%s: %s", r->path, strerror(errno))
			       : damaged(r, "it is cut off within a block");
	r->type = riommu_get32(head, false);
	r->length = riommu_get32(head + 4, false);
	if (r->length > BLOCK_MAX || r->length % 8)
		return damaged(r, "a block of an impossible length");
	if (fread(r->block, 1, r->length, r->file) < r->length)
		return ferror(r->file)
			       ? riommu_fail(r->ctx, -EIO, "%s: %s", r->path, strerror(errno))
			       : damaged(r, "it is cut off within a block");
	r->peeked = true;
	return 1;
}

static void take_block(struct riommu_recording *r)
{
	r->peeked = false;
	r->at += 8 + (uint64_t)r->length;
}

static void get_text(char *to, size_t size, const uint8_t *from, size_t len)
{
	riommu_copy_name(to, size, (const char *)from, strnlen((const char *)from, len));
}

static int add_iommu(struct riommu_recording *r, struct riommu_system *sys)
{
	struct riommu_iommu *grown;

	if (r->length != IOMMU_SIZE || riommu_get32(r->block, false) != sys->iommu_count ||
	    sys->iommu_count == RIOMMU_MAX_IOMMUS)
		return damaged(r, "an IOMMU that does not follow the one before");
	grown = realloc(sys->iommus, (sys->iommu_count + 1) * sizeof(*grown));
	if (!grown)
		return riommu_fail(r->ctx, -ENOMEM, "out of memory");
	sys->iommus = grown;
	grown += sys->iommu_count++;
	memset(grown, 0, sizeof(*grown));
	grown->found = RIOMMU_FOUND_NOTE;
	grown->base = riommu_get64(r->block + 8, false);
	get_text(grown->name, sizeof(grown->name), r->block + 16, 64);
	return 0;
}

/* Whether (IOMMU, ID) comes behind the last device of the list: the lookup relies on it. */
static bool is_behind(const struct riommu_system *sys, uint32_t iommu, uint32_t id)
{
	const struct riommu_device *last;

	if (!sys->device_count)
		return true;
	last = &sys->devices[sys->device_count - 1];
	return last->iommu < iommu || (last->iommu == iommu && last->device_id < id);
}

static int add_device(struct riommu_recording *r, struct riommu_system *sys)
{
	uint32_t iommu = riommu_get32(r->block, false), id = riommu_get32(r->block + 4, false);
	struct riommu_device *grown;

	if (r->length != DEVICE_SIZE || iommu >= sys->iommu_count || !is_behind(sys, iommu, id))
		return damaged(r, "a device that does not follow the one before");
	if (!(sys->device_count & (sys->device_count - 1))) { /* room for the next power of two */
		grown = realloc(sys->devices,
				(sys->device_count ? 2 * sys->device_count : 1) * sizeof(*grown));
		if (!grown)
			return riommu_fail(r->ctx, -ENOMEM, "out of memory");
		sys->devices = grown;
	}
	grown = &sys->devices[sys->device_count++];
	memset(grown, 0, sizeof(*grown));
	grown->iommu = iommu;
	grown->device_id = id;
	get_text(grown->name, sizeof(grown->name), r->block + 8, 64);
	return 0;
}

static int add_source(struct riommu_recording *r, struct riommu_system *sys)
{
	if (r->length != SOURCE_SIZE)
		return damaged(r, "a source block of another length");
	get_text(sys->model, sizeof(sys->model), r->block, 128);
	get_text(sys->kernel, sizeof(sys->kernel), r->block + 128, 128);
	get_text(sys->time, sizeof(sys->time), r->block + 256, 40);
	return 0;
}

/* Everything before the first event. */
static int read_lists(struct riommu_recording *r, struct riommu_system *sys)
{
	int err;

	while ((err = read_block(r)) > 0 && r->type != BLOCK_EVENT && r->type != BLOCK_END) {
		err = r->type == BLOCK_SOURCE   ? add_source(r, sys)
		      : r->type == BLOCK_IOMMU  ? add_iommu(r, sys)
		      : r->type == BLOCK_DEVICE ? add_device(r, sys)
						: 0;
		if (err)
			return err;
		take_block(r);
	}
	if (err < 0)
		return err;
	r->iommus = sys->iommu_count;
	return r->iommus ? 0 : damaged(r, "it names no IOMMU");
}

static int read_header(struct riommu_recording *r)
{
	uint8_t head[HEADER_SIZE];
	size_t got = fread(head, 1, sizeof(head), r->file);

	if (ferror(r->file))
		return riommu_fail(r->ctx, -errno, "%s: %s", r->path, strerror(errno));
	if (got < sizeof(head) || memcmp(head, RIOMMU_RECORDING_MAGIC, 16))
		return damaged(r, "not a recording");
	if (riommu_get32(head + 16, false) != RIOMMU_RECORDING_VERSION)
		return riommu_fail(
			r->ctx, -EBADMSG,
			"%s: a recording of version %" PRIu32 "; this program reads version %d",
			r->path, riommu_get32(head + 16, false), RIOMMU_RECORDING_VERSION);
	r->at = HEADER_SIZE;
	return 0;
}

int riommu_recording_open(struct riommu_ctx *ctx, const char *path, struct riommu_recording **out,
			  struct riommu_system **sys)
{
	struct riommu_recording *r = calloc(1, sizeof(*r));
	int err;

	*out = NULL;
	*sys = calloc(1, sizeof(**sys));
	if (!r || !*sys) {
		free(r);
		free(*sys);
		*sys = NULL;
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	}
	r->ctx = ctx;
	(*sys)->ctx = ctx;
	(*sys)->registers_error = -ENODATA;
	(*sys)->memory_error = -ENODATA;
	strcpy((*sys)->memory_reason, "a recording holds no memory");
	riommu_copy_name((*sys)->path, sizeof((*sys)->path), path, strlen(path));
	r->path = strdup(path);
	r->file = r->path ? open_stream(path) : NULL;
	if (!r->path)
		err = riommu_fail(ctx, -ENOMEM, "out of memory");
	else
		err = r->file ? read_header(r)
			      : riommu_fail(ctx, -errno, "%s: %s", path, strerror(errno));
	if (!err)
		err = read_lists(r, *sys);
	if (!err) {
		*out = r;
		return 0;
	}
	riommu_recording_close(r);
	riommu_system_close(*sys);
	*sys = NULL;
	return err;
}

void riommu_recording_close(struct riommu_recording *r)
{
	if (!r)
		return;
	if (r->file)
		fclose(r->file);
	free(r->path);
	free(r);
}

static void get_fault(const uint8_t *at, struct riommu_watch_event *e)
{
	uint32_t flags = riommu_get32(at + 12, false);

	e->number = riommu_get64(at, false);
	e->index = riommu_get32(at + 8, false);
	e->pending = flags & FLAG_PENDING;
	e->before = flags & FLAG_BEFORE;
	e->ordered = flags & FLAG_ORDERED;
	for (size_t i = 0; i < 4; i++)
		e->dw[i] = riommu_get64(at + 16 + 8 * i, false);
}

/* False when it contradicts itself. */
static bool get_state(const uint8_t *at, struct riommu_watch_state *s)
{
	uint32_t flags = riommu_get32(at, false);

	*s = (struct riommu_watch_state){
		.ddtp_known = flags & FLAG_DDTP,
		.ring_known = flags & FLAG_RING,
		.indexes_known = flags & FLAG_INDEXES,
		.entries = riommu_get32(at + 4, false),
		.ddtp = riommu_get64(at + 8, false),
		.base = riommu_get64(at + 16, false),
		.head = riommu_get32(at + 24, false),
		.tail = riommu_get32(at + 28, false),
		.csr = riommu_get32(at + 32, false),
	};
	if (!s->ring_known)
		return true;
	return s->entries >= 2 && !(s->entries & (s->entries - 1)) && s->head < s->entries &&
	       s->tail < s->entries;
}

static bool get_change(const uint8_t *at, struct riommu_watch_event *e)
{
	uint32_t why = riommu_get32(at, false);

	if (e->kind == RIOMMU_WATCH_MODE || e->kind == RIOMMU_WATCH_CSR) {
		e->from = riommu_get64(at, false);
		e->to = riommu_get64(at + 8, false);
		return true;
	}
	e->why = (enum riommu_watch_why)why;
	e->error = (int32_t)riommu_get32(at + 4, false);
	e->count = riommu_get64(at + 8, false);
	return why > RIOMMU_WHY_NONE && why < RIOMMU_WATCH_WHYS && e->error <= 0 &&
	       e->error >= -ERRNO_MAX &&
	       (why >= RIOMMU_RESET_OFF) == (e->kind == RIOMMU_WATCH_RESET);
}

/* 1: *EVENT is one, 0: of a kind that is not known here, -errno. */
static int get_event(const struct riommu_recording *r, struct riommu_watch_event *e)
{
	const uint8_t *at = r->block + EVENT_HEAD;
	uint32_t kind, size;

	if (r->length < EVENT_HEAD)
		return damaged(r, "an event without a head");
	kind = riommu_get32(r->block, false);
	size = kind < RIOMMU_WATCH_KINDS ? event_size((enum riommu_watch_kind)kind) : 0;
	if (!size)
		return 0;
	*e = (struct riommu_watch_event){
		.kind = (enum riommu_watch_kind)kind,
		.iommu = riommu_get32(r->block + 4, false),
		.time = riommu_get64(r->block + 8, false),
	};
	if (r->length != size || e->iommu >= r->iommus)
		return damaged(r, "an event of another length, or of no IOMMU");
	if (e->time < r->time || e->time > INT64_MAX)
		return damaged(r, "an event of before the one before");
	if (kind == RIOMMU_WATCH_FAULT)
		get_fault(at, e);
	else if (!(kind == RIOMMU_WATCH_STATE ? get_state(at, &e->state) : get_change(at, e)))
		return damaged(r, "an event that contradicts itself");
	return 1;
}

int riommu_recording_next(struct riommu_recording *r, struct riommu_watch_event *e)
{
	int got;

	while ((got = read_block(r)) > 0) {
		if (r->type == BLOCK_END && r->length == END_SIZE) {
			*e = (struct riommu_watch_event){.time = riommu_get64(r->block, false)};
			if (e->time < r->time || e->time > INT64_MAX)
				return damaged(r, "an end before the last event");
			return RIOMMU_RECORDING_ENDED;
		}
		got = r->type == BLOCK_EVENT ? get_event(r, e) : 0;
		if (got < 0)
			return got;
		take_block(r);
		if (got) {
			r->time = e->time;
			return RIOMMU_RECORDING_EVENT;
		}
	}
	return got < 0 ? got : RIOMMU_RECORDING_BROKEN_OFF;
}
