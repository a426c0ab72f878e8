/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base: what every room needs and that needs no room itself: the context with its log callback,
 * error texts and parameters, checked arithmetic, bytes in either order.
 *
 * Errors. Library functions return 0 or a negative errno. The number says which class of thing
 * went wrong (a tool turns it into its exit status, design 3.4); riommu_error() holds the words:
 * object, address, reason and next step. The classes:
 *
 *   -EINVAL     what the caller asked for makes no sense          (usage)
 *   -ENODEV     no IOMMU, or not the one that was named           (none found)
 *   -EACCES     the system refuses the access                     (refused)
 *   -ENODATA    the source does not hold it                       (missing)
 *   -EBADMSG    the bytes contradict themselves                   (damaged)
 *   -ETIMEDOUT  the hardware did not get there in time            (timeout)
 *   others      as the system call gave them                      (runtime)
 *
 * -EFAULT (memory that does not exist) and -EHWPOISON (memory that answers "data corruption") are
 * answers of memory, not failures of ours: the walk turns them into the causes of the specification.
 */
#ifndef RIOMMU_BASE_H
#define RIOMMU_BASE_H

#include "riscv-iommu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef EHWPOISON
#define EHWPOISON 133
#endif

#define RIOMMU_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define RIOMMU_ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))

#define RIOMMU_PAGE_SHIFT 12
#define RIOMMU_PAGE_SIZE  ((uint64_t)1 << RIOMMU_PAGE_SHIFT)
#define RIOMMU_PAGE_MASK  (RIOMMU_PAGE_SIZE - 1)

void riommu_log(struct riommu_ctx *ctx, enum riommu_log_level level, const char *fmt, ...)
	RIOMMU_PRINTF(3, 4);

/* Enough for the longest path that opens (PATH_MAX), address, reason and next step; longer texts are cut. */
#define RIOMMU_MESSAGE_SIZE (4096 + 1024)

/* Remembers the words of an error and returns ERR unchanged: `return riommu_fail(ctx, -EBADMSG, "...")`. */
int riommu_fail(struct riommu_ctx *ctx, int err, const char *fmt, ...) RIOMMU_PRINTF(3, 4);

/*
 * What could not be read and was left out, in the words of a warning. The first is kept, for whoever says whether an answer is
 * complete; "" when there is none.
 */
void riommu_leave_out(struct riommu_ctx *ctx, const char *fmt, ...) RIOMMU_PRINTF(2, 3);
const char *riommu_omission(const struct riommu_ctx *ctx);

/*
 * Long work is told of by the pages that it reads: FN gets how many there were, from now on and of all sources of CTX, whenever one of them
 * has read RIOMMU_PAGES_TOLD more. FN NULL: nobody asks any more.
 */
#define RIOMMU_PAGES_TOLD 16384
typedef void (*riommu_pages_fn)(void *arg, uint64_t pages);
void riommu_ctx_set_pages(struct riommu_ctx *ctx, riommu_pages_fn fn, void *arg);
void riommu_tell_pages(struct riommu_ctx *ctx);

/*
 * Parameters (-O key=value). Every path the library opens is one, so that tests redirect it, and so is
 * every fact about the hardware that no register shows. base/options.c has the one table.
 */
struct riommu_option {
	const char *key;
	const char *value; /* NULL: not set, `def` holds where there is one */
	const char *def;
	const char *help;
};

#define RIOMMU_OPTION_PATH_MAX 700 /* bytes of a path; names are put behind it */

/* True if the user set KEY. */
bool riommu_option_is_set(const struct riommu_ctx *ctx, const char *key);

/* The number that KEY has, a count, an address or 0|1, by what was set or the default: both were checked. */
uint64_t riommu_option_number(const struct riommu_ctx *ctx, const char *key);

/* The Ith parameter for a listing, false past the end. */
bool riommu_option_at(const struct riommu_ctx *ctx, size_t i, struct riommu_option *out);

/* Reads an unsigned number as our texts write it: 0x hex or decimal, nothing behind it. -EINVAL, -ERANGE. */
int riommu_parse_u64(const char *text, uint64_t *value);

/* -- checked arithmetic: true when the result fits ------------------------------------------- */
static inline bool riommu_add(uint64_t a, uint64_t b, uint64_t *sum)
{
	return !__builtin_add_overflow(a, b, sum);
}

static inline bool riommu_mul(uint64_t a, uint64_t b, uint64_t *product)
{
	return !__builtin_mul_overflow(a, b, product);
}

/* True if [offset, offset + len) lies inside [0, size). */
static inline bool riommu_inside(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

/* Below 0, 0, or above 0, as sorting wants it. */
static inline int riommu_order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* -- bits --------------------------------------------------------------------------------------- */
static inline uint64_t riommu_mask(unsigned hi, unsigned lo)
{
	return (~(uint64_t)0 >> (63 - hi)) & (~(uint64_t)0 << lo);
}

/* Bits HI..LO of V, moved down to bit 0. 63 >= HI >= LO. */
static inline uint64_t riommu_bits(uint64_t v, unsigned hi, unsigned lo)
{
	return (v & riommu_mask(hi, lo)) >> lo;
}

static inline bool riommu_bit(uint64_t v, unsigned bit)
{
	return (v >> bit) & 1;
}

/* The bits of V that MASK selects, packed at the low end, and back (spec: MSI interrupt file number). */
uint64_t riommu_extract(uint64_t v, uint64_t mask);
uint64_t riommu_deposit(uint64_t v, uint64_t mask);

/* -- bytes: structures in memory have an order of their own (fctl.BE, tc.SBE), whatever the host has -- */
static inline uint32_t riommu_get32(const void *p, bool big)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return big ? __builtin_bswap32(v) : v;
#else
	return big ? v : __builtin_bswap32(v);
#endif
}

static inline uint64_t riommu_get64(const void *p, bool big)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return big ? __builtin_bswap64(v) : v;
#else
	return big ? v : __builtin_bswap64(v);
#endif
}

static inline void riommu_put32(void *p, uint32_t v)
{
	v = riommu_get32(&v, false); /* host to little endian is the same swap as back */
	memcpy(p, &v, sizeof(v));
}

static inline void riommu_put64(void *p, uint64_t v)
{
	v = riommu_get64(&v, false);
	memcpy(p, &v, sizeof(v));
}

/* -- text ---------------------------------------------------------------------------------------- */

/* Reads a small file (/proc, /sys) whole: at most MAX bytes, always NUL-terminated, *LEN without it.
 * The buffer is the caller's to free(). -errno of open or read; -EFBIG past MAX; -ETIME from a pipe or terminal that is silent for 5 s,
 * or that drips: 5 s and one for each 4 KiB is what all of it may be waited for. */
int riommu_read_file(const char *path, size_t max, char **text, size_t *len);

/* The same of what is open, and does not wait (O_NONBLOCK); it stays open. */
int riommu_read_fd(int fd, size_t max, char **text, size_t *len);

/*
 * Opens PATH (relative to DIRECTORY, as openat() does; AT_FDCWD) without waiting. Returns the descriptor, -EBADMSG for what is no
 * regular file, as all of sysfs is: a FIFO or a device in its place would make us wait, or do what it does when it is opened.
 */
int riommu_open_regular(int directory, const char *path, int flags);

/* The words for what it returned. */
const char *riommu_read_reason(int err);

/*
 * The same for a file that is read again and again by somebody who may soon be allowed to open nothing: *FD (-1 at first) stays open
 * while PATH is that file. riommu_close_fd() it.
 */
int riommu_read_again(int *fd, const char *path, size_t max, char **text, size_t *len);
void riommu_close_fd(int *fd);

/* Copies TEXT cut to SIZE, control bytes and bytes that are not ASCII replaced by '?': names come from outside. */
void riommu_copy_name(char *to, size_t size, const char *text, size_t len);

#endif
