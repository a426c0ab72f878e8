/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded by tests/inject/run.py. It makes one allocation fail, cuts reads and writes short, and when the program ends it looks
 * for memory that is lost: allocated, and no pointer to it in what a program can still see. All by the environment:
 *
 *   INJECT_ALLOC=N      the Nth allocation returns NULL; each one after it, too, with INJECT_ALLOC_ON=1
 *   INJECT_NOT=NAME     a strdup() by the function of this name is not counted
 *   INJECT_SPARE=NAMES  what libraries of these names (separated by blanks) allocate themselves is not counted
 *   INJECT_KEEP=NAME    what kdump_free() of the library of this name frees keeps its content until kdump_free() returns
 *   INJECT_END=1        who waits for a signal (sigtimedwait()) has SIGTERM at once
 *   INJECT_SHORT=N      a read or write of the program itself moves N bytes at most
 *   INJECT_SHRINK=PATH  this file is cut to half as soon as some of it was read or it was mapped
 *   INJECT_LATE=N       not before it is mapped (1), a temporary file is made, in which the program saves what it reads (2)
 *   INJECT_SIGNAL=USEC  so often a signal comes, which is handled, and what it interrupts is not begun again (no SA_RESTART)
 *   INJECT_HALFWAY=N    signal N comes when a temporary file has been made
 *   INJECT_REPORT=FILE  "allocations failed live lost bytes", when the program ends by exit()
 *
 * The system calls are failed by strace, which also sees what libc does inside. access() of MARK tells it where the program begins,
 * behind what the dynamic linker does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MARK  "/inject/begins/here"
#define MAGIC 0x524f57534e454b54u

void *__libc_malloc(size_t size);
void __libc_free(void *p);
ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
ssize_t __pread_chk(int fd, void *buf, size_t len, off_t at, size_t room);
ssize_t __pread64_chk(int fd, void *buf, size_t len, off_t at, size_t room);

/* Before each block. The magic is right before what the program gets: where libc keeps the size of a block that is not ours. */
struct head {
	struct head *prev, *next;
	size_t size;
	uint64_t magic;
};

static struct head *live;
static unsigned long counted, failed, live_count, fail_at, cut, late, halfway;
static bool fail_on, begun, ends;
static char report[4096];
static const char *spared; /* NULL: nobody */
static const char *keeper; /* NULL: none */
static bool keeping;
static struct head *kept;   /* freed, but for their content */
static const char *shrinks; /* NULL: none, or it is done */

static unsigned long number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : 0;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void signal_often(unsigned long interval)
{
	/* a signal that ends nothing by itself: iommu-quiesce takes all others for the wish to end */
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG};
	struct timespec each = {.tv_nsec = (long)interval * 1000};
	struct itimerspec often = {each, each};
	struct sigaction act = {.sa_handler = on_signal};
	timer_t timer;

	sigaction(SIGURG, &act, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &often, NULL))
		abort();
}

/* Where the code of libraries is that are spared. */
static struct range {
	uintptr_t begin, end;
} spares[16];

static size_t spare_count;

/* Whether the name of a library has one of NAMES in it. */
static bool is_named(const char *library, const char *names)
{
	while (*names) {
		size_t len = strcspn(names, " ");

		if (len && memmem(library, strlen(library), names, len))
			return true;
		names += len + (names[len] == ' ');
	}
	return false;
}

static int find_spared(struct dl_phdr_info *info, size_t size, void *names)
{
	(void)size;
	if (!is_named(info->dlpi_name, names))
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		if (spare_count == sizeof(spares) / sizeof(spares[0]))
			abort();
		spares[spare_count++] = (struct range){at, at + segment->p_memsz};
	}
	return 0;
}

/* Whether the code that called, at CALLER, is of such a library. What libc does for it is not. */
static bool is_spared_library(const void *caller)
{
	for (size_t i = 0; i < spare_count; i++)
		if ((uintptr_t)caller - spares[i].begin < spares[i].end - spares[i].begin)
			return true;
	return false;
}

__attribute__((constructor)) static void begin(void)
{
	const char *file = getenv("INJECT_REPORT");

	mallopt(M_MMAP_MAX,
		0); /* all blocks in the heap: what is mapped besides is looked through for pointers */
	fail_at = number("INJECT_ALLOC");
	fail_on = number("INJECT_ALLOC_ON");
	cut = number("INJECT_SHORT");
	snprintf(report, sizeof(report), "%s", file ? file : "");
	/* what it starts runs undisturbed */
	unsetenv("LD_PRELOAD");
	unsetenv("INJECT_ALLOC");
	unsetenv("INJECT_SHORT");
	unsetenv("INJECT_REPORT");
	spared = getenv("INJECT_NOT");
	keeper = getenv("INJECT_KEEP");
	if (getenv("INJECT_SPARE"))
		dl_iterate_phdr(find_spared, getenv("INJECT_SPARE"));
	ends = getenv("INJECT_END");
	shrinks = getenv("INJECT_SHRINK");
	late = number("INJECT_LATE");
	halfway = number("INJECT_HALFWAY");
	if (getenv("INJECT_SIGNAL"))
		signal_often(number("INJECT_SIGNAL"));
	begun = true;
	(void)!access(MARK, F_OK);
}

static bool fails(const void *caller)
{
	if (!begun || is_spared_library(caller))
		return false;
	counted++;
	if (!fail_at || (fail_on ? counted < fail_at : counted != fail_at))
		return false;
	failed++;
	errno = ENOMEM;
	return true;
}

static void *take(size_t size)
{
	struct head *h;

	if (size > PTRDIFF_MAX - sizeof(*h)) {
		errno = ENOMEM;
		return NULL;
	}
	h = __libc_malloc(sizeof(*h) + size);
	if (!h)
		return NULL;
	*h = (struct head){.next = live, .size = size, .magic = MAGIC ^ (uintptr_t)h};
	if (live)
		live->prev = h;
	live = h;
	live_count++;
	return h + 1;
}

static struct head *head_of(void *p)
{
	struct head *h = (struct head *)p - 1;

	return h->magic == (MAGIC ^ (uintptr_t)h) ? h : NULL;
}

void *malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : take(size);
}

void *calloc(size_t count, size_t size)
{
	size_t all;
	void *p;

	if (__builtin_mul_overflow(count, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	p = fails(__builtin_return_address(0)) ? NULL : take(all);
	return p ? memset(p, 0, all) : NULL;
}

/* True if CALLER is in the library that uses what it has freed, while it does. */
static bool keeps(const void *caller)
{
	Dl_info info;

	return keeping && dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, keeper);
}

static void release(struct head *h)
{
	memset(h + 1, 0xa5, h->size); /* who still uses it sees that */
	__libc_free(h);
}

void free(void *p)
{
	struct head *h;
	int err = errno;

	if (!p)
		return;
	h = head_of(p);
	if (!h) {
		__libc_free(p);
	} else {
		*(h->prev ? &h->prev->next : &live) = h->next;
		if (h->next)
			h->next->prev = h->prev;
		live_count--;
		h->magic = 0;
		if (keeps(__builtin_return_address(0))) {
			h->next = kept;
			kept = h;
		} else {
			release(h);
		}
	}
	errno = err;
}

/* It reads blocks that it has freed; what we do with them afterwards is no business of its. */
void kdump_free(void *ctx)
{
	void (*next)(void *);

	*(void **)&next = dlsym(RTLD_NEXT, "kdump_free");
	keeping = keeper != NULL;
	next(ctx);
	keeping = false;
	while (kept) {
		struct head *h = kept;

		kept = h->next;
		release(h);
	}
}

static void *again(void *p, size_t size, const void *caller)
{
	struct head *h = p ? head_of(p) : NULL;
	void *q;

	if (p && !h)
		abort(); /* of before the program began: not seen to happen */
	q = fails(caller) ? NULL : take(size);
	if (q && h) {
		memcpy(q, p, size < h->size ? size : h->size);
		free(p);
	}
	return q;
}

void *realloc(void *p, size_t size)
{
	return again(p, size, __builtin_return_address(0));
}

void *reallocarray(void *p, size_t count, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(count, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return again(p, all, __builtin_return_address(0));
}

static bool is_spared(const void *caller)
{
	Dl_info info;

	return spared && dladdr(caller, &info) && info.dli_sname && !strcmp(info.dli_sname, spared);
}

/* libc's own would hide who calls. */
char *strdup(const char *text)
{
	size_t len = strlen(text) + 1;
	const void *caller = __builtin_return_address(0);
	char *copy = !is_spared(caller) && fails(caller) ? NULL : take(len);

	return copy ? memcpy(copy, text, len) : NULL;
}

/* -- short reads and writes --------------------------------------------------------------------- */

static size_t most(size_t len)
{
	return cut && len > cut ? cut : len;
}

static void shrink_now(void)
{
	struct stat st;

	if (shrinks && !stat(shrinks, &st) && !truncate(shrinks, st.st_size / 2))
		shrinks = NULL;
}

static void shrink(int fd, bool mapped)
{
	char link[64], path[4096];
	int before = errno;
	ssize_t len;

	if (!shrinks || late > mapped || fd < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path));
	if (len > 0 && (size_t)len == strlen(shrinks) && !memcmp(path, shrinks, (size_t)len))
		shrink_now();
	errno = before;
}

int mkostemp64(char *name, int flags)
{
	int (*make)(char *, int), fd;

	*(void **)&make = dlsym(RTLD_NEXT, "mkostemp64");
	if (late > 1)
		shrink_now();
	fd = make(name, flags);
	if (halfway)
		raise((int)halfway);
	return fd;
}

int mkostemp(char *name, int flags)
{
	return mkostemp64(name, flags);
}

ssize_t read(int fd, void *buf, size_t len)
{
	ssize_t n = syscall(SYS_read, fd, buf, most(len));

	shrink(fd, false);
	return n;
}

ssize_t pread(int fd, void *buf, size_t len, off_t at)
{
	ssize_t n = syscall(SYS_pread64, fd, buf, most(len), at);

	shrink(fd, false);
	return n;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t at)
{
	void *p = (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, at);

	if (p != MAP_FAILED)
		shrink(fd, true);
	return p;
}

void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t at)
{
	return mmap(addr, len, prot, flags, fd, at);
}

ssize_t pread64(int fd, void *buf, size_t len, off_t at)
{
	return pread(fd, buf, len, at);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	return syscall(SYS_write, fd, buf, most(len));
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
	return syscall(SYS_pwrite64, fd, buf, most(len), at);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off_t at)
{
	return pwrite(fd, buf, len, at);
}

/* These are called by what was compiled with _FORTIFY_SOURCE. */
static void room_for(size_t len, size_t room)
{
	if (len > room)
		abort();
}

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	room_for(len, room);
	return read(fd, buf, len);
}

ssize_t __pread_chk(int fd, void *buf, size_t len, off_t at, size_t room)
{
	room_for(len, room);
	return pread(fd, buf, len, at);
}

ssize_t __pread64_chk(int fd, void *buf, size_t len, off_t at, size_t room)
{
	room_for(len, room);
	return pread(fd, buf, len, at);
}

int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	if (ends)
		return SIGTERM;
	return (int)syscall(SYS_rt_sigtimedwait, set, info, timeout, (size_t)8);
}

/* -- what is lost ------------------------------------------------------------------------------- */

/* A live block, sorted by address; `next` is the chain of those whose content is still to be looked through. */
struct block {
	uintptr_t begin, end;
	struct block *next;
	bool seen;
};

static struct block *blocks, *todo;
static size_t block_count;

static int by_address(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static void look_up(uintptr_t v)
{
	size_t low = 0, high = block_count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (blocks[mid].begin > v)
			high = mid;
		else
			low = mid + 1;
	}
	/* a pointer right behind the end counts: of a list that was gone through */
	if (!low || v > blocks[low - 1].end || blocks[low - 1].seen)
		return;
	blocks[low - 1].seen = true;
	blocks[low - 1].next = todo;
	todo = &blocks[low - 1];
}

static void look_through(uintptr_t begin, uintptr_t end)
{
	for (uintptr_t at = (begin + 7) & ~(uintptr_t)7; at + sizeof(uintptr_t) <= end;
	     at += sizeof(uintptr_t))
		look_up(*(const volatile uintptr_t *)at);
}

/* Writable memory that is neither the heap nor the dead end of the stack. */
static void look_through_memory(const char *maps, uintptr_t stack)
{
	while (*maps) {
		const char *end = strchr(maps, '\n');
		unsigned long first, last;
		char rights[8];

		if (!end)
			break;
		if (sscanf(maps, "%lx-%lx %7s", &first, &last, rights) == 3 && rights[0] == 'r' &&
		    rights[1] == 'w' && rights[3] == 'p' &&
		    !memmem(maps, (size_t)(end - maps), "[heap]", 6))
			look_through(stack >= first && stack < last ? stack : first, last);
		maps = end + 1;
	}
}

static char maps[1 << 18];

static bool read_maps(void)
{
	size_t got = 0;
	ssize_t n = 1;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && n > 0 && got < sizeof(maps) - 1) {
		n = syscall(SYS_read, fd, maps + got, sizeof(maps) - 1 - got);
		got += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		close(fd);
	return got > 0;
}

static void write_report(unsigned long lost, unsigned long bytes)
{
	int fd = open(report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	dprintf(fd, "%lu %lu %lu %lu %lu\n", counted, failed, live_count, lost, bytes);
	close(fd);
}

__attribute__((destructor)) static void end(void)
{
	unsigned long lost = 0, bytes = 0;

	if (!report[0])
		return;
	fail_at = 0;
	begun = false;
	__builtin_unwind_init(); /* registers to the stack */
	/* what is mapped from here on is not looked through */
	if (!read_maps())
		return;
	blocks = mmap(NULL, (live_count + 1) * sizeof(*blocks), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (blocks == MAP_FAILED)
		return;
	for (const struct head *h = live; h; h = h->next)
		blocks[block_count++] = (struct block){.begin = (uintptr_t)(h + 1),
						       .end = (uintptr_t)(h + 1) + h->size};
	qsort(blocks, block_count, sizeof(*blocks), by_address);
	look_through_memory(maps, (uintptr_t)__builtin_frame_address(0));
	while (todo) {
		const struct block *b = todo;

		todo = b->next;
		look_through(b->begin, b->end);
	}
	for (size_t i = 0; i < block_count; i++) {
		lost += !blocks[i].seen;
		bytes += blocks[i].seen ? 0 : blocks[i].end - blocks[i].begin;
	}
	write_report(lost, bytes);
}
