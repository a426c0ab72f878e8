/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context, its log and error texts; small helpers on numbers, files and names. */
#include "base/base-internal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct riommu_ctx *riommu_ctx_new(void)
{
	return calloc(1, sizeof(struct riommu_ctx));
}

void riommu_ctx_free(struct riommu_ctx *ctx)
{
	if (!ctx)
		return;
	for (size_t i = 0; i < RIOMMU_OPTION_COUNT; i++)
		free(ctx->options[i]);
	free(ctx);
}

void riommu_ctx_set_log(struct riommu_ctx *ctx, riommu_log_fn fn, void *arg,
			enum riommu_log_level level)
{
	ctx->log = fn;
	ctx->log_arg = arg;
	ctx->level = level;
}

/* Messages quote names from files and the command line: nothing in them may steer a terminal. */
static void format_message(char *message, const char *fmt, va_list ap)
{
	if (vsnprintf(message, RIOMMU_MESSAGE_SIZE, fmt, ap) < 0)
		message[0] = '\0';
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

static void emit(struct riommu_ctx *ctx, enum riommu_log_level level, const char *message)
{
	if (ctx->log && level <= ctx->level)
		ctx->log(ctx->log_arg, level, message);
}

void riommu_log(struct riommu_ctx *ctx, enum riommu_log_level level, const char *fmt, ...)
{
	char message[RIOMMU_MESSAGE_SIZE];
	va_list ap;

	if (!ctx->log || level > ctx->level)
		return;
	va_start(ap, fmt);
	format_message(message, fmt, ap);
	va_end(ap);
	emit(ctx, level, message);
}

int riommu_fail(struct riommu_ctx *ctx, int err, const char *fmt, ...)
{
	char message[RIOMMU_MESSAGE_SIZE]; /* the arguments may quote the last error */
	va_list ap;

	va_start(ap, fmt);
	format_message(message, fmt, ap);
	va_end(ap);
	memcpy(ctx->error, message, sizeof(ctx->error));
	emit(ctx, RIOMMU_LOG_DEBUG, message);
	return err;
}

const char *riommu_error(const struct riommu_ctx *ctx)
{
	return ctx->error;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

void riommu_leave_out(struct riommu_ctx *ctx, const char *fmt, ...)
{
	char words[RIOMMU_MESSAGE_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	riommu_log(ctx, RIOMMU_LOG_WARNING, "%s", words);
	if (!ctx->left_out[0])
		memcpy(ctx->left_out, words, sizeof(words));
}

const char *riommu_omission(const struct riommu_ctx *ctx)
{
	return ctx->left_out;
}

void riommu_ctx_set_pages(struct riommu_ctx *ctx, riommu_pages_fn fn, void *arg)
{
	ctx->pages = fn;
	ctx->pages_arg = arg;
	ctx->pages_read = 0;
}

void riommu_tell_pages(struct riommu_ctx *ctx)
{
	ctx->pages_read += RIOMMU_PAGES_TOLD;
	if (ctx->pages)
		ctx->pages(ctx->pages_arg, ctx->pages_read);
}

int riommu_parse_u64(const char *text, uint64_t *value)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	uint64_t base = hex ? 16 : 10, v = 0;
	bool fits = true;

	if (hex)
		text += 2;
	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		uint64_t digit = (uint64_t)digit_of(*text);

		if (digit >= base)
			return -EINVAL;
		fits = fits && riommu_mul(v, base, &v) && riommu_add(v, digit, &v);
	}
	if (!fits)
		return -ERANGE;
	*value = v;
	return 0;
}

uint64_t riommu_extract(uint64_t v, uint64_t mask)
{
	uint64_t packed = 0;

	for (unsigned out = 0; mask; mask &= mask - 1, out++)
		packed |= (uint64_t)riommu_bit(v, (unsigned)__builtin_ctzll(mask)) << out;
	return packed;
}

uint64_t riommu_deposit(uint64_t v, uint64_t mask)
{
	uint64_t spread = 0;

	for (; mask; mask &= mask - 1, v >>= 1)
		spread |= (v & 1) << __builtin_ctzll(mask);
	return spread;
}

/* Makes room for at least one more byte and the NUL; at most MAX + 1 bytes of text, to see that it is too long. */
static int grow(char **text, size_t *size, size_t max)
{
	size_t limit = max < SIZE_MAX - 2 ? max + 2 : max;
	size_t want = *size ? *size : 2048;
	char *bigger;

	want = want > limit / 2 ? limit : want * 2;
	bigger = realloc(*text, want);
	if (!bigger)
		return -ENOMEM;
	*text = bigger;
	*size = want;
	return 0;
}

/*
 * What is no file may be silent for ever: a FIFO that nobody opens or writes to, a terminal; or drip. All is opened without waiting;
 * here it is waited, not longer than this for a byte, and for all of them as long again as a slow line needs.
 */
#define SILENCE_MS   5000
#define BYTES_PER_MS 4

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* *SINCE: when it was waited first, 0: not yet. LEN bytes have come. */
static int wait_for_bytes(int fd, int64_t *since, size_t len)
{
	struct pollfd wanted = {.fd = fd, .events = POLLIN};
	int64_t now = now_ms(), end;
	int n;

	if (!*since)
		*since = now;
	end = *since + SILENCE_MS + (int64_t)(len / BYTES_PER_MS);
	if (end > now + SILENCE_MS)
		end = now + SILENCE_MS;
	do {
		now = now_ms();
		n = now < end ? poll(&wanted, 1, (int)(end - now)) : 0;
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIME;
}

static bool is_fifo(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISFIFO(st.st_mode);
}

static int read_all(int fd, size_t max, char **text, size_t *len)
{
	int64_t waited = 0; /* the end of a FIFO that nobody had opened is none */
	size_t size = 0;

	for (;;) {
		ssize_t n;

		if (size < *len + 2) {
			int err = grow(text, &size, max);

			if (err)
				return err;
		}
		n = read(fd, *text + *len, size - *len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if ((n < 0 && errno == EAGAIN) || (!n && !*len && !waited && is_fifo(fd))) {
			int err = wait_for_bytes(fd, &waited, *len);

			if (err)
				return err;
			continue;
		}
		if (n < 0)
			return -errno;
		*len += (size_t)n;
		if (*len > max)
			return -EFBIG;
		if (!n)
			break;
	}
	(*text)[*len] = '\0';
	return 0;
}

int riommu_read_fd(int fd, size_t max, char **text, size_t *len)
{
	char *buffer = NULL;
	size_t got = 0;
	int err = read_all(fd, max, &buffer, &got);

	if (err) {
		free(buffer);
		return err;
	}
	*text = buffer;
	*len = got;
	return 0;
}

int riommu_open_regular(int directory, const char *path, int flags)
{
	struct stat st;
	int fd, err = 0;

	/* looked at first: to open a device may do something, and a FIFO's other end goes on */
	if (!fstatat(directory, path, &st, 0) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -EBADMSG;
	fd = openat(directory, path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EBADMSG;
	if (err)
		close(fd);
	return err ? err : fd;
}

int riommu_read_file(const char *path, size_t max, char **text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;

	if (fd < 0)
		return -errno;
	err = riommu_read_fd(fd, max, text, len);
	close(fd);
	return err;
}

#define KEEP_BELOW 512 /* of usually 1,024 descriptors: those beyond are opened each time */

const char *riommu_read_reason(int err)
{
	if (err == -ETIME)
		return "for 5 seconds nothing came, or less than 4 KiB a second; what is slow is "
		       "saved to a file first";
	return strerror(-err);
}

int riommu_read_again(int *fd, const char *path, size_t max, char **text, size_t *len)
{
	struct stat st;
	bool gone = *fd >= 0 && (fstat(*fd, &st) || !st.st_nlink || lseek(*fd, 0, SEEK_SET));
	int err;

	if (gone)
		riommu_close_fd(fd);
	if (*fd < 0)
		*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd < 0) /* what says more than that we may not look for another */
		return gone && errno == EPERM ? -ENOENT : -errno;
	err = riommu_read_fd(*fd, max, text, len);
	if (*fd >= KEEP_BELOW)
		riommu_close_fd(fd);
	return err;
}

void riommu_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void riommu_copy_name(char *to, size_t size, const char *text, size_t len)
{
	size_t n = 0;

	if (!size)
		return;
	for (; n < len && n < size - 1 && text[n]; n++)
		to[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
	to[n] = '\0';
}
