/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a tool gives up once it holds what it reads: capabilities, supplementary groups, and every system call that does more than
 * read and write what is open. Dumps, page tables and log lines may be the work of whoever brought the machine down.
 */
#include "config.h"

#include "tool.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#ifdef HAVE_CAPNG
#include <cap-ng.h>
#endif
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

static void say(FILE *f, const char *fmt, ...) RIOMMU_PRINTF(2, 3);
static void say(FILE *f, const char *fmt, ...)
{
	va_list args;

	if (!f)
		return;
	fprintf(f, "%s: rights: ", program);
	va_start(args, fmt);
	vfprintf(f, fmt, args);
	va_end(args);
	fputc('\n', f);
}

/* -- capabilities and groups ---------------------------------------------------------------------------------- */

#ifdef HAVE_CAPNG

#define CAP(name) ((uint64_t)1 << CAP_##name)

/*
 * What is still needed: to open files of others; memory, registers and the whole of a PCI config space, which the kernel grants by
 * who opens them; to give a file its name in a directory of others.
 */
#define TO_READ (CAP(DAC_READ_SEARCH))
#define TO_LOOK (TO_READ | CAP(SYS_RAWIO) | CAP(SYS_ADMIN))
#define TO_MAKE (TO_READ | CAP(DAC_OVERRIDE) | CAP(FOWNER))

static const uint64_t needed[] = {
	[SANDBOX_ASKING] = TO_LOOK | TO_MAKE,
	[SANDBOX_MAKING] = TO_LOOK | TO_MAKE,
	[SANDBOX_LOOKING] = TO_LOOK,
	[SANDBOX_CREATING] = TO_MAKE,
	[SANDBOX_READING] = TO_READ,
	[SANDBOX_SAVING] = TO_MAKE,
	[SANDBOX_CLOSED] = 0,
};

/* Before the first capability goes, since it needs some. */
static void drop_groups(FILE *f)
{
	int count = getgroups(0, NULL);

	if (count <= 0)
		return;
	if (!setgroups(0, NULL))
		say(f, "supplementary groups: %d given up", count);
	else
		say(f, "supplementary groups: %d kept: %s", count, strerror(errno));
}

static void drop_capabilities(enum sandbox level, FILE *f)
{
	/* the library keeps what was applied last; to ask the kernel again would take an open() */
	static bool begun;
	capng_select_t what = CAPNG_SELECT_CAPS;
	unsigned had = 0, keep = 0;
	uint64_t kept = 0;

	if (!begun) {
		drop_groups(f);
		if (capng_get_caps_process())
			return say(f, "capabilities are kept: they cannot be read");
	}
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
		if (!capng_have_capability(CAPNG_PERMITTED, i))
			continue;
		had++;
		kept |= needed[level] & (uint64_t)1 << i;
	}
	if (!begun && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		what = CAPNG_SELECT_BOTH;
	capng_clear(CAPNG_SELECT_BOTH);
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
		if (!(kept & (uint64_t)1 << i))
			continue;
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, i);
		keep++;
	}
	begun = true;
	if (had && capng_apply(what))
		say(f, "capabilities are kept: %s", strerror(errno));
	else if (had)
		say(f, "capabilities: %u given up, %u left", had - keep, keep);
	else
		say(f, "capabilities: there are none");
}

#else

static void drop_capabilities(enum sandbox level, FILE *f)
{
	(void)level;
	say(f, "capabilities and groups are kept: built without libcap-ng");
}

#endif

/* -- system calls ------------------------------------------------------------------------------------------------ */

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* There only where the program counts what of it ran, which is written to files at its end. */
extern void __gcov_init(void *) __attribute__((weak));

#ifdef HAVE_SECCOMP

#define ANY  UINT8_MAX /* whatever its arguments are */
#define SELF UINT64_MAX
#define LOW  UINT32_MAX

#define ASKING   (1u << SANDBOX_ASKING)
#define CREATING (1u << SANDBOX_CREATING | 1u << SANDBOX_MAKING | ASKING)
#define LOOKING  (1u << SANDBOX_LOOKING | 1u << SANDBOX_READING | CREATING)
#define SAVING   (1u << SANDBOX_SAVING | CREATING)
#define OPEN     (LOOKING | SAVING) /* what is between them and the end */
#define ALWAYS   (OPEN | 1u << SANDBOX_CLOSED)

/* What is allowed: where argument ARG, of which MASK counts, is VALUE (SELF: the number of this process). */
struct rule {
	unsigned levels;
	const char *calls; /* not every architecture has all of them */
	uint8_t arg;
	uint64_t mask, value;
};

static const struct rule rules[] = {
	/* what is open */
	{ALWAYS, "read readv pread64 preadv write writev pwrite64 pwritev close", ANY, 0, 0},
	{ALWAYS, "lseek _llseek fstat fstat64 ftruncate ftruncate64", ANY, 0, 0},
	{ALWAYS, "fsync fdatasync sync_file_range sync_file_range2", ANY, 0, 0},
	{ALWAYS, "newfstatat fstatat64", 3, AT_EMPTY_PATH, AT_EMPTY_PATH},
	{ALWAYS, "statx", 2, AT_EMPTY_PATH, AT_EMPTY_PATH},
	{ALWAYS, "fcntl fcntl64", 1, LOW, F_GETFL},
	{ALWAYS, "fcntl fcntl64", 1, LOW, F_GETFD},
	{ALWAYS, "fcntl fcntl64", 1, LOW, F_SETFD},
	/* memory */
	{ALWAYS, "brk munmap mremap madvise", ANY, 0, 0},
	{ALWAYS, "mmap mmap2 mprotect", 2, PROT_EXEC, 0},
	/* the terminal; nothing is typed into it (TIOCSTI) */
	{ALWAYS, "ioctl", 1, LOW, TCGETS},
	{ALWAYS, "ioctl", 1, LOW, TCSETS},
	{ALWAYS, "ioctl", 1, LOW, TCSETSW},
	{ALWAYS, "ioctl", 1, LOW, TCSETSF},
	{ALWAYS, "ioctl", 1, LOW, TCFLSH},
	{ALWAYS, "ioctl", 1, LOW, TIOCGWINSZ},
	{ALWAYS, "ioctl", 1, LOW, TIOCGPGRP},
	/* time */
	{ALWAYS, "poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64", ANY, 0, 0},
	{ALWAYS, "nanosleep clock_nanosleep clock_nanosleep_time64", ANY, 0, 0},
	{ALWAYS, "clock_gettime clock_gettime64 clock_getres gettimeofday time times", ANY, 0, 0},
	/* this process */
	{ALWAYS, "rt_sigaction rt_sigprocmask rt_sigreturn sigreturn sigaltstack", ANY, 0, 0},
	{ALWAYS, "rt_sigpending rt_sigtimedwait rt_sigtimedwait_time64", ANY, 0, 0},
	{ALWAYS, "restart_syscall pause exit exit_group", ANY, 0, 0},
	{ALWAYS, "kill tgkill", 0, LOW, SELF},
	{ALWAYS, "getpid gettid getpgrp getpgid getuid geteuid getgid getegid", ANY, 0, 0},
	{ALWAYS, "futex futex_time64 sched_yield getrandom uname sysinfo getrusage", ANY, 0, 0},
	{ALWAYS, "prlimit64", 2, UINT64_MAX, 0}, /* asked, not set */
	/* to open more, to read it */
	{LOOKING, "openat", 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY},
	{LOOKING, "open", 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY},
	{LOOKING, "getdents64 getdents readlink readlinkat getcwd fadvise64", ANY, 0, 0},
	{LOOKING, "stat lstat newfstatat stat64 lstat64 fstatat64 statx", ANY, 0, 0},
	{LOOKING, "access faccessat faccessat2", ANY, 0, 0},
	{LOOKING, "fcntl fcntl64", 1, LOW, F_SETFL},
	/* to make a file that is not there; to give it its name, or to take it away */
	{CREATING, "openat", 2, O_CREAT | O_EXCL, O_CREAT | O_EXCL},
	{CREATING, "open", 1, O_CREAT | O_EXCL, O_CREAT | O_EXCL},
	{SAVING, "rename renameat renameat2 unlink unlinkat fchmod", ANY, 0, 0},
	/* memory, where registers are */
	{ASKING, "openat", 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDWR},
	{ASKING, "open", 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDWR},
	/* to give up more */
	{OPEN, "seccomp capset capget", ANY, 0, 0},
	{OPEN, "prctl", 0, LOW, PR_SET_SECCOMP},
	{OPEN, "prctl", 0, LOW, PR_GET_SECCOMP},
	{OPEN, "prctl", 0, LOW, PR_SET_NO_NEW_PRIVS},
};

static int allow_call(scmp_filter_ctx filter, const struct rule *r, const char *name)
{
	int call = seccomp_syscall_resolve_name(name);
	const struct scmp_arg_cmp cmp = {
		.arg = r->arg,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = r->mask,
		.datum_b = r->value == SELF ? (scmp_datum_t)getpid() : r->value,
	};

	if (call < 0) /* it is another architecture's */
		return 0;
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, r->arg == ANY ? 0 : 1, &cmp);
}

static int allow(scmp_filter_ctx filter, const struct rule *r)
{
	char name[32];
	int err = 0;

	for (const char *at = r->calls; *at && !err;) {
		size_t n = strcspn(at, " ");

		snprintf(name, sizeof(name), "%.*s", (int)n, at);
		err = allow_call(filter, r, name);
		at += n + (at[n] == ' ');
	}
	return err;
}

static int load_filter(enum sandbox level)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < RIOMMU_ARRAY_SIZE(rules); i++)
		if (rules[i].levels & 1u << level)
			err = allow(filter, &rules[i]);
	if (!err)
		err = seccomp_load(filter); /* with no_new_privs */
	if (filter)
		seccomp_release(filter);
	return err;
}

static void forbid_calls(enum sandbox level, FILE *f)
{
	static const char read_only[] = "files can only be opened to be read",
			  or_anew[] = "files can only be opened to be read, or made anew";
	static const char *const words[] = {
		[SANDBOX_ASKING] = "files can only be opened as they are, or made anew",
		[SANDBOX_MAKING] = or_anew,
		[SANDBOX_LOOKING] = read_only,
		[SANDBOX_CREATING] = or_anew,
		[SANDBOX_READING] = read_only,
		[SANDBOX_SAVING] = "no file can be opened; what is saved can be renamed",
		[SANDBOX_CLOSED] = "no file can be opened; what is open can be read and written",
	};
	int err;

	if (SANITIZED || __gcov_init)
		return say(f, "system calls stay allowed: %s",
			   SANITIZED ? "the search for leaks needs them"
				     : "what of the program ran is to be written");
	err = load_filter(level);
	if (err)
		say(f, "system calls stay allowed: the kernel says %s", strerror(-err));
	else
		say(f, "%s; no program is started, nothing is sent, no other process touched",
		    words[level]);
}

#else

static void forbid_calls(enum sandbox level, FILE *f)
{
	(void)level;
	say(f, "system calls stay allowed: built without libseccomp");
}

#endif

void sandbox(const struct options *o, enum sandbox level, FILE *words)
{
	static int in_force = -1; /* the process has one, too */
	FILE *f = o->verbose ? words : NULL;

	if (in_force == (int)level)
		return;
	in_force = (int)level;
	if (o->no_sandbox) {
		if (level == SANDBOX_CLOSED)
			say(f, "all are kept (--no-sandbox)");
		return;
	}
	drop_capabilities(level, f);
	forbid_calls(level, f);
}

enum sandbox opening_level(const struct options *o, bool makes)
{
	if (o->input)
		return makes || o->save ? SANDBOX_CREATING : SANDBOX_READING;
	return makes || o->save ? SANDBOX_MAKING : SANDBOX_LOOKING;
}
