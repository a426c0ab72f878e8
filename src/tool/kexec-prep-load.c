/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load: a wrapped Image and a device tree with a record, in a directory that nobody else can look into, and the program kexec
 * on them. Whatever happens, the directory is gone afterwards: the kernel has its own copy by then.
 */
#include "config.h"

#include "kexec-prep.h"

#include "base/file.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGS 8

/* Linux on RISC-V (arch/riscv/include/uapi/asm/setup.h), with the NUL */
#define COMMAND_LINE_SIZE 1024

struct load {
	struct prep *p;
	struct prep_kernel kernel;
	void *tree;
	size_t tree_len;
	char *command_line;
	char kexec[1024];
	char folder[512], image[512 + 16], dtb[512 + 16]; /* "": not made */
	char *args[MAX_ARGS + 1];
	size_t arg_count;
	sigset_t signals; /* what wait_for() waits for; held while kexec runs */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

/* -- the program kexec -------------------------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
	struct stat st;

	errno = 0;
	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* Root's PATH does not always have the sbin directories. */
bool kexec_find(const struct prep *p, char *path, size_t size)
{
	const char *given = riommu_option(p->ctx, "kexec.path"), *folders = getenv("PATH");
	char all[4096];

	if (given) {
		snprintf(path, size, "%s", given);
		return is_program(path);
	}
	snprintf(all, sizeof(all), "%s:/sbin:/usr/sbin", folders ? folders : "");
	for (const char *at = all; *at;) {
		size_t n = strcspn(at, ":");
		int len = snprintf(path, size, "%.*s/kexec", (int)n, at);

		if (at[0] == '/' && len > 0 && (size_t)len < size && is_program(path))
			return true;
		at += n + (at[n] == ':');
	}
	path[0] = '\0';
	return false;
}

/* -- what it is given ----------------------------------------------------------------------------------------------- */

static void add_arg(struct load *l, const char *head, const char *tail)
{
	if (asprintf(&l->args[l->arg_count++], "%s%s", head, tail) < 0)
		die(STATUS_ERROR, "out of memory");
}

/*
 * -c is the system call kexec_load: with kexec_file_load the kernel makes the next one's device tree from its own, and the
 * record would not be in it.
 */
static void make_args(struct load *l)
{
	add_arg(l, l->kexec, "");
	add_arg(l, "-c", "");
	add_arg(l, l->p->panic ? "-p" : "-l", "");
	add_arg(l, l->image, "");
	add_arg(l, "--dtb=", l->dtb);
	if (l->p->initrd)
		add_arg(l, "--initrd=", l->p->initrd);
	add_arg(l, "--command-line=", l->command_line);
}

/* An argument as a shell would need it. */
static void print_quoted(const char *text)
{
	if (*text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789_./=:,+-@%")]) {
		fputs(text, stdout);
		return;
	}
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

static void print_command(const struct load *l)
{
	for (size_t i = 0; i < l->arg_count; i++) {
		fputs(i ? " " : "  ", stdout);
		print_quoted(l->args[i]);
	}
	putchar('\n');
}

/* -- the private directory ------------------------------------------------------------------------------------------ */

static void set_folder(struct load *l)
{
	const char *top = getenv("TMPDIR");

	snprintf(l->folder, sizeof(l->folder), "%s/iommu-kexec-prep.XXXXXX",
		 top && top[0] == '/' ? top : "/tmp");
}

static void name_files(struct load *l)
{
	snprintf(l->image, sizeof(l->image), "%s/Image", l->folder);
	snprintf(l->dtb, sizeof(l->dtb), "%s/dtb", l->folder);
}

static bool write_files(struct load *l)
{
	struct prep *p = l->p;
	int err = 0;

	if (!mkdtemp(l->folder)) { /* 0700 */
		err = -errno;
		out_error(&p->out, err, "%s: %s", l->folder, strerror(-err));
		l->folder[0] = '\0';
		return false;
	}
	name_files(l);
	err = riommu_write_file(p->ctx, l->image, l->kernel.bytes, l->kernel.len, 0600);
	if (!err)
		err = riommu_write_file(p->ctx, l->dtb, l->tree, l->tree_len, 0600);
	if (err)
		out_error(&p->out, err, "%s", riommu_error(p->ctx));
	return !err;
}

static void remove_file(const char *path, int (*remove)(const char *path))
{
	if (remove(path) < 0 && errno != ENOENT)
		fprintf(stderr, "%s: %s: cannot be removed: %s\n", program, path, strerror(errno));
}

static void remove_files(struct load *l)
{
	if (!l->folder[0])
		return;
	remove_file(l->image, unlink);
	remove_file(l->dtb, unlink);
	remove_file(l->folder, rmdir);
	l->folder[0] = '\0';
}

/* die() is on nobody's way back to prep_load(). */
static struct load *made;

static void remove_at_exit(void)
{
	if (made)
		remove_files(made);
}

/* -- running it ----------------------------------------------------------------------------------------------------- */

/* What ends us; what whoever started us ignores (nohup) is not among it. */
static const int endings[] = {SIGINT, SIGTERM, SIGHUP};

static void catch_signals(struct load *l)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&l->signals);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(endings); i++) {
		if (is_ignored(endings[i]))
			continue;
		sigaction(endings[i], &action, NULL);
		sigaddset(&l->signals, endings[i]);
	}
	signal(SIGCHLD, SIG_DFL); /* who ignores it is not told how a child ended */
	sigaddset(&l->signals, SIGCHLD);
	signal(SIGPIPE,
	       SIG_IGN); /* whoever read our output may be gone: that must not leave files behind */
}

/* kexec's messages go to stderr: with -J standard output is ours alone. */
static _Noreturn void become_kexec(const struct load *l)
{
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(endings); i++)
		if (sigismember(&l->signals, endings[i]))
			signal(endings[i], SIG_DFL); /* one that comes now ends it, too */
	sigprocmask(SIG_UNBLOCK, &l->signals, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execv(l->kexec, l->args);
	fprintf(stderr, "%s: %s: %s\n", program, l->kexec, strerror(errno));
	_exit(127);
}

/* How long kexec may take after a signal that it does not end by. */
#define PATIENCE 3

/* Waits for it, and hands on what we are told to end with. Signals are held: none comes unseen. */
static int wait_for(const struct load *l, pid_t pid)
{
	static const struct timespec patience = {.tv_sec = PATIENCE};
	int status, number;
	pid_t ended;

	while ((ended = waitpid(pid, &status, WNOHANG)) != pid) {
		if (ended < 0 && errno == EINTR)
			continue;
		if (ended < 0)
			return -errno;
		number = sigtimedwait(&l->signals, NULL, interrupted ? &patience : NULL);
		if (number > 0 && number != SIGCHLD)
			kill(pid, interrupted = number);
		else if (number < 0 && errno == EAGAIN)
			kill(pid, SIGKILL);
	}
	return status;
}

/* How it ended, as waitpid() says; -errno. -EINTR: it was not started, since we were told to end before. */
static int start(struct load *l)
{
	sigset_t before;
	pid_t pid = -1;
	int status;

	out_flush();
	sigprocmask(SIG_BLOCK, &l->signals, &before);
	if (!interrupted)
		pid = fork();
	if (!pid)
		become_kexec(l);
	status = interrupted ? -EINTR : pid < 0 ? -errno : wait_for(l, pid);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

static bool run(struct load *l)
{
	struct prep *p = l->p;
	enum answer before = kernel_loaded(p, p->panic);
	int status = start(l);

	if (status == -EINTR)
		return false; /* told by go() */
	if (status < 0)
		out_error(&p->out, status, "%s: %s", l->kexec, strerror(-status));
	else if (WIFSIGNALED(status))
		out_error(&p->out, -EIO, "%s: ended by signal %d", l->kexec, WTERMSIG(status));
	else if (WEXITSTATUS(status) && geteuid())
		out_error(&p->out, -EPERM, "%s: ended with status %d; only root may load a kernel",
			  l->kexec, WEXITSTATUS(status));
	else if (WEXITSTATUS(status))
		out_error(&p->out, -EIO, "%s: ended with status %d; nothing new is loaded",
			  l->kexec, WEXITSTATUS(status));
	else
		return true;
	/* Linux lets go of the old crash kernel before it takes the new one */
	if (before == ANSWER_YES && kernel_loaded(p, p->panic) == ANSWER_NO)
		out_error(
			&p->out, -EIO,
			"the %s that was loaded before is gone: none is loaded now, load one again",
			p->panic ? "crash kernel" : "kernel");
	return false;
}

/* kexec said yes; the kernel has the last word. */
static bool is_loaded(const struct load *l)
{
	struct prep *p = l->p;

	if (kernel_loaded(p, p->panic) != ANSWER_NO)
		return true;
	out_error(&p->out, -EIO, "%s ended well, but the kernel says that nothing is loaded",
		  l->kexec);
	return false;
}

/*
 * A mark for the hook that tells before a kexec what comes (riscv-iommu-hooks(7)): afterwards the kernel does not show which Image
 * is loaded. Without it the hook warns for nothing, so that is said, but the kernel is loaded all the same.
 */
static void leave_mark(const struct load *l)
{
	const struct prep *p = l->p;
	const struct riommu_stub_table *table = &l->kernel.image.table;
	const char *folder = riommu_option(p->ctx, "state.path");
	char path[1024], text[1024];
	int len =
		snprintf(path, sizeof(path), "%s/loaded-%s", folder, p->panic ? "panic" : "kexec");

	if (len < 0 || (size_t)len >= sizeof(path))
		return;
	len = snprintf(text, sizeof(text), "%.512s, kernel %s, stub for %" PRIu32 " IOMMU%s\n",
		       l->kernel.path,
		       l->kernel.known.release[0] ? l->kernel.known.release : "of unknown release",
		       table->count, table->count == 1 ? "" : "s");
	if (mkdir(folder, 0700) && errno != EEXIST)
		riommu_fail(p->ctx, -errno, "%s: %s", folder, strerror(errno));
	else if (!riommu_write_file(p->ctx, path, text, (size_t)len, 0600))
		return;
	fprintf(stderr, "%s: %s: the mark that a kernel is loaded cannot be left (%s)\n", program,
		path, riommu_error(p->ctx));
}

/* -- what may not work ------------------------------------------------------------------------------------------------ */

/* kexec would wait for who writes a FIFO, and load nothing as the initrd where a file has no size. */
static bool initrd_fits(struct prep *p)
{
	struct stat st = {0};

	if (!p->initrd)
		return true;
	if (stat(p->initrd, &st) || access(p->initrd, R_OK))
		out_error(&p->out, -errno, "%s: %s", p->initrd, strerror(errno));
	else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		out_error(&p->out, -EINVAL, "%s: no initrd: it is no regular file", p->initrd);
	else if (S_ISREG(st.st_mode) && !st.st_size)
		out_error(&p->out, -ENODATA, "%s: no initrd: it is empty", p->initrd);
	else
		return true;
	return false;
}

static bool may_load(struct load *l)
{
	struct prep *p = l->p;
	const char *level = lockdown_level(p);
	char *size = NULL;
	bool good = false;

	if (level)
		out_error(&p->out, -EPERM,
			  "the kernel is locked down (%s): it refuses kexec_load, and "
			  "kexec_file_load "
			  "cannot pass a device tree; boot without lockdown (Secure Boot) to use "
			  "this",
			  level);
	else if (!kexec_find(p, l->kexec, sizeof(l->kexec)))
		out_error(&p->out, -ENOENT,
			  "the program kexec is not here%s%s%s%s: install kexec-tools, or -O "
			  "kexec.path=FILE",
			  l->kexec[0] ? ": " : "", l->kexec, errno ? ": " : "",
			  errno ? strerror(errno) : "");
	else if (p->panic && (size = read_text(p, "sysfs.path", "/kernel/kexec_crash_size")) &&
		 !strcmp(size, "0"))
		out_error(&p->out, -ENOMEM,
			  "no memory is reserved for a crash kernel: boot with crashkernel=256M");
	else if (!initrd_fits(p))
		good = false;
	else if (!(l->command_line = next_command_line(p)))
		out_error(&p->out, -ENOENT,
			  "this kernel's command line cannot be read: give the next one's with "
			  "--append");
	else
		good = true;
	free(size);
	return good;
}

/* -- showing ---------------------------------------------------------------------------------------------------------- */

static struct json_object *loaded_json(const struct load *l)
{
	struct json_object *obj = json_object_new_object(), *args = json_object_new_array();

	for (size_t i = 0; i < l->arg_count; i++)
		json_object_array_add(args, prep_json_text(l->args[i]));
	json_add(obj, "handover", json_text(l->p->panic ? "panic" : "kexec"));
	json_add(obj, "plan", json_object_new_boolean(l->p->plan));
	json_add(obj, "kernel", prep_json_text(l->kernel.path));
	json_add(obj, "release",
		 json_text(l->kernel.known.release[0] ? l->kernel.known.release : NULL));
	json_add(obj, "initrd", prep_json_text(l->p->initrd));
	json_add(obj, "command_line", prep_json_text(l->command_line));
	json_add(obj, "command", args);
	return obj;
}

static void show(struct load *l)
{
	struct prep *p = l->p;
	const struct prep_kernel *k = &l->kernel;

	out_member(&p->out, "load", in_json(&p->out) ? loaded_json(l) : NULL);
	if (!in_json(&p->out)) {
		printf("%s for %s: %s, kernel %s, stub by layout %c (%s)\n",
		       p->plan ? "Would load" : "Loaded", p->panic ? "a panic" : "kexec -e",
		       k->path, k->known.release[0] ? k->known.release : "of unknown release",
		       (char)k->image.layout, riommu_layout_name(k->image.layout));
		printf("  %-20s %s\n  %-20s %s\n", "command line", l->command_line, "initrd",
		       p->initrd ? p->initrd : "none");
	}
	prep_show_table(p, &k->image);
	if (!in_json(&p->out) && p->plan) {
		printf("\nwith the Image and the device tree in a directory of their own:\n");
		print_command(l);
	}
}

/* The kernel says nothing of it, and what was added for the crash kernel is what it loses. */
static void tell_long_line(const struct load *l)
{
	size_t len = strlen(l->command_line);

	if (len >= COMMAND_LINE_SIZE)
		fprintf(stderr,
			"%s: note: the command line has %zu bytes: Linux takes the first %d, and "
			"the "
			"end is lost; give a shorter one with --append\n",
			program, len, COMMAND_LINE_SIZE - 1);
}

static void go(struct load *l)
{
	struct prep *p = l->p;

	tell_long_line(l);
	set_folder(l);
	if (p->plan) {
		name_files(l);
		make_args(l);
		show(l);
		l->folder[0] = '\0';
		return;
	}
	catch_signals(l);
	made = l;
	if (atexit(remove_at_exit) || !write_files(l))
		return;
	make_args(l);
	if (run(l) && is_loaded(l)) {
		leave_mark(l);
		show(l);
	}
	if (interrupted)
		out_error(&p->out, -EINTR, "ended by signal %d", (int)interrupted);
}

void prep_load(struct prep *p, int argc, char **argv)
{
	struct load l = {.p = p};

	if (argc != 1) {
		out_error(&p->out, -EINVAL, "load takes one kernel: load [-l|-p] IMAGE");
		return;
	}
	out_begin(&p->out, PREP_SCHEMA, p->sys);
	if (may_load(&l) && prep_kernel_open(p, argv[0], &l.kernel)) {
		if (prep_wrap(p, &l.kernel, l.command_line))
			l.tree = prep_tree(p, p->tree, &l.tree_len);
		if (l.tree)
			go(&l);
	}
	remove_files(&l);
	made = NULL;
	for (size_t i = 0; i < l.arg_count; i++)
		free(l.args[i]);
	free(l.tree);
	free(l.command_line);
	prep_kernel_close(&l.kernel);
}
