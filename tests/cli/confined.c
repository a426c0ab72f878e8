/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For test_sandbox.py: gives up its rights as the tools do (`confined LEVEL`), tries one system call after the other, and prints
 * what came of each: "NAME 0", or "NAME ERRNO". LEVEL none keeps them all. No call does any harm where it is allowed.
 */
#include "config.h"

#include "tool.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

const char *program = "confined";

static int file, terminal, gate[2];
static pid_t child;
static char name[] = "confined.XXXXXX";

static void result(const char *call, bool good)
{
	printf("%s %d\n", call, good ? 0 : errno);
}

static bool map(int fd, int prot)
{
	void *at =
		mmap(NULL, 4096, prot, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE, fd, 0);

	return at != MAP_FAILED && !munmap(at, 4096);
}

static bool protect(int prot)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool good = !mprotect(at, 4096, prot);
	int why = errno;

	munmap(at, 4096);
	errno = why;
	return good;
}

static void try_what_is_needed(void)
{
	const struct timespec moment = {.tv_nsec = 1};
	struct stat st;
	char byte = 'x';

	result("write", write(file, &byte, 1) == 1);
	result("pwrite", pwrite(file, &byte, 1, 0) == 1);
	result("lseek", !lseek(file, 0, SEEK_SET));
	result("read", read(file, &byte, 1) == 1);
	result("pread", pread(file, &byte, 1, 0) == 1);
	result("fstat", !fstat(file, &st));
	result("fsync", !fsync(file));
	result("ftruncate", !ftruncate(file, 1));
	result("mmap", map(-1, PROT_READ | PROT_WRITE));
	result("mmap-file", map(file, PROT_READ));
	result("mprotect", protect(PROT_READ | PROT_WRITE));
	result("brk", sbrk(4096) != (void *)-1);
	result("nanosleep", !nanosleep(&moment, NULL));
	result("sigaction", signal(SIGURG, SIG_IGN) != SIG_ERR);
	result("raise", !raise(SIGURG));
	result("kill-self", !kill(getpid(), SIGURG));
}

static bool opened(int fd)
{
	return fd >= 0 && !close(fd);
}

static bool opens(const char *path, int flags)
{
	return opened(open(path, flags, 0600));
}

static void try_files(void)
{
	result("open-read", opens("/proc/self/status", O_RDONLY));
	result("open-write", opens(name, O_WRONLY));
	result("open-append", opens(name, O_RDWR | O_APPEND));
	result("open-truncate", opens(name, O_RDONLY | O_TRUNC));
	result("create", opens("confined.new", O_WRONLY | O_CREAT | O_EXCL));
	result("create-over", opens("confined.new", O_WRONLY | O_CREAT));
	result("rename", !rename(name, "confined.moved"));
	result("unlink", !unlink("confined.moved"));
	result("mkdir", !mkdir("confined.folder", 0700));
	result("symlink", !symlink("x", "confined.link"));
	result("chmod", !chmod(".", 0700));
	result("chdir", !chdir("."));
	result("memfd", opened((int)syscall(SYS_memfd_create, "x", 0)));
}

static void try_others(void)
{
	int ends[2];

	result("kill-child", !kill(child, SIGURG));
	result("kill-parent", !kill(getppid(), 0));
	result("ptrace", !ptrace(PTRACE_SEIZE, child, NULL, NULL));
	result("process_vm_readv", syscall(SYS_process_vm_readv, child, NULL, 0, NULL, 0, 0) == 0);
	result("socket", opened(socket(AF_UNIX, SOCK_STREAM, 0)));
	result("socketpair", !socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	result("execve", !execl("/nowhere/confined", "confined", (char *)NULL));
	result("mmap-exec", map(-1, PROT_READ | PROT_EXEC));
	result("mmap-file-exec", map(file, PROT_READ | PROT_EXEC));
	result("mprotect-exec", protect(PROT_READ | PROT_EXEC));
	result("type-into-terminal", !ioctl(terminal, TIOCSTI, ""));
	result("dumpable", !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	result("unshare", !unshare(0));
	result("setuid", !setuid(getuid()));
}

/* The last: with it there are two of us. */
static void try_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	result("fork", pid > 0);
}

static int level_of(const char *word)
{
	static const char *const levels[] = {
		[SANDBOX_ASKING] = "asking",   [SANDBOX_MAKING] = "making",
		[SANDBOX_LOOKING] = "looking", [SANDBOX_CREATING] = "creating",
		[SANDBOX_READING] = "reading", [SANDBOX_SAVING] = "saving",
		[SANDBOX_CLOSED] = "closed",
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(levels); i++)
		if (!strcmp(word, levels[i]))
			return (int)i;
	return -1;
}

int main(int argc, char **argv)
{
	const struct options o = {.verbose = 1};
	char byte;

	setvbuf(stdout, NULL, _IOLBF, 0);
	file = mkostemp(name, O_CLOEXEC);
	terminal = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (argc < 2 || file < 0 || terminal < 0 || pipe(gate))
		return 1;
	child = fork();
	if (!child) { /* until our end of the pipe goes with us */
		close(gate[1]);
		_exit(read(gate[0], &byte, 1) != 0);
	}
	for (int i = 1; i < argc; i++)
		if (level_of(argv[i]) >= 0)
			sandbox(&o, (enum sandbox)level_of(argv[i]), stderr);
	try_what_is_needed();
	try_files();
	try_others();
	try_fork();
	return 0;
}
