/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options and messages that the tools share. */
#include "config.h"

#include "tool.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

const char *program;

enum status status_of(int err)
{
	switch (err) {
	case 0:
		return STATUS_DONE;
	case -EINVAL:
	case -ERANGE:
		return STATUS_USAGE;
	case -ENODEV:
		return STATUS_NO_IOMMU;
	case -EACCES:
	case -EPERM:
		return STATUS_REFUSED;
	case -ENODATA:
	case -EBADMSG:
		return STATUS_DATA;
	case -ETIMEDOUT:
		return STATUS_TIMEOUT;
	default:
		return STATUS_ERROR;
	}
}

void try_help(void)
{
	fprintf(stderr, "Try '%s --help' for more information.\n", program);
}

static bool progress_shown;

static void show_progress(const char *what, uint64_t count)
{
	fprintf(stderr, "\r%s: %" PRIu64 " %s", program, count, what);
	progress_shown = true;
}

void progress(const char *what, uint64_t count)
{
	/* rows on a terminal show it by themselves */
	if (count % PROGRESS_STEP == 0 && isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO))
		show_progress(what, count);
}

static void pages_read(void *arg, uint64_t count)
{
	const struct out *out = arg;
	bool beside_rows = isatty(STDOUT_FILENO);

	if (!isatty(STDERR_FILENO) || (beside_rows && out->json))
		return;
	if (beside_rows)
		fflush(stdout); /* an empty line is ours */
	show_progress("pages", count);
}

void progress_of_pages(struct out *out)
{
	riommu_ctx_set_pages(out->ctx, pages_read, out);
}

void progress_end(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

static _Noreturn void die_va(enum status status, const char *fmt, va_list args)
{
	char text[8192];

	vsnprintf(text, sizeof(text), fmt, args);
	out_abort(text);
	fflush(stdout);
	progress_end();
	fprintf(stderr, "%s: %s\n", program, text);
	if (status == STATUS_USAGE)
		try_help();
	exit((int)status);
}

void die(enum status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	die_va(status, fmt, args);
}

void die_usage(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	die_va(STATUS_USAGE, fmt, args);
}

const char common_help[] =
	"Common options:\n"
	"  -i, --input FILE         read a capture or vmcore, not this machine\n"
	"  -A, --access METHOD      way to the registers; 'help' lists them\n"
	"  -O, --option KEY=VALUE   set a parameter; 'help' lists them\n"
	"  -u, --iommu NAME|BASE    only this IOMMU (default: all)\n"
	"      --base ADDR          an IOMMU's registers are here; no discovery\n"
	"      --reg [IOMMU:]NAME=VALUE\n"
	"                           supply or override a register (repeatable)\n"
#ifdef HAVE_JSON
	"  -J, --json               one JSON object on standard output\n"
#endif
	"      --save FILE          save a capture of what was read\n"
	"      --no-sandbox         keep all rights (see SECURITY CONSIDERATIONS)\n"
	"  -v, --verbose            say what is done; twice: more\n"
	"  -h, --help               this help\n"
	"  -V, --version            version and licence\n";

enum riommu_severity severity_option(const char *arg)
{
	for (unsigned i = RIOMMU_INFO; i <= RIOMMU_ERROR; i++)
		if (!strcmp(arg, riommu_severity_name((enum riommu_severity)i)))
			return (enum riommu_severity)i;
	die_usage("--severity %s: expected info, warning or error", arg);
}

static _Noreturn void version(void)
{
	printf("%s (%s) %s\n"
	       "Features:%s\n"
	       "License GPL-2.0-or-later. There is NO WARRANTY, to the extent permitted by law.\n",
	       program, PACKAGE_NAME, PACKAGE_VERSION, FEATURES);
	out_exit();
}

static _Noreturn void list_methods(void)
{
	for (const struct riommu_source_ops *const *s = riommu_sources(); *s; s++)
		printf("%-10s %s\n", (*s)->name, (*s)->help);
	out_exit();
}

static _Noreturn void list_parameters(const struct riommu_ctx *ctx)
{
	struct riommu_option o;

	for (size_t i = 0; riommu_option_at(ctx, i, &o); i++)
		printf("%s=%s\n        %s\n", o.key, o.def ? o.def : "", o.help);
	out_exit();
}

static void set_parameter(struct riommu_ctx *ctx, const char *arg)
{
	const char *equals = strchr(arg, '=');
	char key[64];

	if (!strcmp(arg, "help"))
		list_parameters(ctx);
	if (!equals || equals == arg || (size_t)(equals - arg) >= sizeof(key))
		die_usage("-O %s: expected KEY=VALUE ('-O help' lists them)", arg);
	memcpy(key, arg, (size_t)(equals - arg));
	key[equals - arg] = '\0';
	if (riommu_option_set(ctx, key, equals + 1))
		die_usage("-O %s: %s", arg, riommu_error(ctx));
}

/* [IOMMU:]NAME=VALUE; a PCI name has colons itself, so the last one counts. */
static void add_register(struct options *o, const char *arg)
{
	struct riommu_reg_override *r = &o->overrides[o->override_count];
	const char *equals = strchr(arg, '='), *name = arg, *colon;
	char text[128];
	int index;

	if (o->override_count == RIOMMU_ARRAY_SIZE(o->overrides))
		die_usage("--reg %s: more than %zu registers are given", arg, o->override_count);
	if (!equals || (size_t)(equals - arg) >= sizeof(text))
		die_usage("--reg %s: expected [IOMMU:]NAME=VALUE", arg);
	memcpy(text, arg, (size_t)(equals - arg));
	text[equals - arg] = '\0';
	colon = strrchr(text, ':');
	if (colon) {
		size_t len = (size_t)(colon - text);

		if (len >= sizeof(r->iommu))
			die_usage("--reg %s: the name of the IOMMU is too long", arg);
		memcpy(r->iommu, text, len);
		r->iommu[len] = '\0';
		name = colon + 1;
	} else {
		name = text;
	}
	index = riommu_reg_by_name(name);
	if (index < 0)
		die_usage("--reg %s: there is no register '%s'", arg, name);
	r->offset = riommu_registers()[index].offset;
	r->width = riommu_registers()[index].width;
	if (riommu_parse_u64(equals + 1, &r->value) || (r->width == 4 && r->value >> 32))
		die_usage("--reg %s: '%s' is not a value of %u bits", arg, equals + 1,
			  r->width * 8);
	o->override_count++;
}

static void add_base(struct options *o, const char *arg)
{
	uint64_t base;

	if (riommu_parse_u64(arg, &base) || (base & RIOMMU_PAGE_MASK))
		die_usage("--base %s: not the address of a page (a multiple of 0x1000)", arg);
	if (o->base_count == RIOMMU_ARRAY_SIZE(o->bases))
		die_usage("--base %s: more than %zu bases are given", arg, o->base_count);
	o->bases[o->base_count++] = base;
}

static const char *method(const char *arg)
{
	if (!strcmp(arg, "help"))
		list_methods();
	if (!riommu_source_by_name(arg))
		die_usage("-A %s: there is no such method ('-A help' lists them)", arg);
	return arg;
}

int next_option(int argc, char **argv, const char *letters, const struct option *names)
{
	int c;

	argv[0] = (char *)(uintptr_t)program; /* getopt's messages begin as ours do */
	unsetenv("POSIXLY_CORRECT"); /* options may stand behind the command: image IN -o OUT */
	c = getopt_long(argc, argv, letters, names, NULL);
	if (c == '?') {
		try_help();
		exit(STATUS_USAGE);
	}
	return c;
}

bool parse_thousandths(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t whole = 0, part = 0, scale = 100;
	const char *at = text;

	for (; *at >= '0' && *at <= '9' && whole <= max; at++)
		whole = whole * 10 + (uint64_t)(*at - '0');
	if (*at == '.' && at[1])
		for (at++; *at >= '0' && *at <= '9'; at++, scale /= 10)
			part += (uint64_t)(*at - '0') * scale;
	*value = whole * 1000 + part;
	return *text && !*at && *value && *value <= max * 1000;
}

bool common_option(struct riommu_ctx *ctx, struct options *o, int c, const char *arg,
		   void (*help)(FILE *f))
{
	switch (c) {
	case 'i':
		o->input = arg;
		return true;
	case 'A':
		o->access = method(arg);
		return true;
	case 'O':
		set_parameter(ctx, arg);
		return true;
	case 'u':
		o->iommu = arg;
		return true;
	case OPT_BASE:
		add_base(o, arg);
		return true;
	case OPT_REG:
		add_register(o, arg);
		return true;
	case OPT_SAVE:
		o->save = arg;
		return true;
	case OPT_NO_SANDBOX:
		o->no_sandbox = true;
		return true;
	case 'J':
		if (!JSON_BUILT_IN)
			die_usage("--json: this program was built without JSON");
		o->json = true;
		return true;
	case 'v':
		o->verbose++;
		return true;
	case 'h':
		help(stdout);
		out_exit();
	case 'V':
		version();
	default:
		return false;
	}
}

/* EOF at the end, and after an error; a signal that was handled is none. */
static int next_byte(FILE *f)
{
	int c;

	while ((c = getc_unlocked(f)) == EOF && ferror(f) && errno == EINTR)
		clearerr(f);
	return c;
}

/* Where lines come from. Only a regular file never is silent: of a pipe or a terminal it is said, once, that it is waited for. */
struct lines {
	int fd;
	const char *name;
	bool heard;
};

static bool wait_for_lines(struct lines *l)
{
	struct pollfd wanted = {.fd = l->fd, .events = POLLIN};
	int n = poll(&wanted, 1, l->heard ? -1 : 2000);

	if (!n)
		fprintf(stderr, "%s: %s is silent: waiting for its lines\n", program, l->name);
	while (!n || (n < 0 && errno == EINTR))
		n = poll(&wanted, 1, -1);
	return n > 0;
}

/* Who gives lines may wait for the answer before the next one, or follow a log: nothing is kept back while it is waited. */
static ssize_t read_lines(void *cookie, char *to, size_t size)
{
	struct lines *l = cookie;
	ssize_t n = -1;

	out_flush();
	if (!l->heard && !wait_for_lines(l))
		return -1;
	l->heard = true;
	do /* whoever shares it with us may have made it one that does not wait */
		n = read(l->fd, to, size);
	while (n < 0 && errno == EAGAIN && wait_for_lines(l));
	return n;
}

static int close_lines(void *cookie)
{
	struct lines *l = cookie;

	if (l->fd != fileno(stdin))
		close(l->fd);
	free(l);
	return 0;
}

FILE *open_lines(const char *path)
{
	const cookie_io_functions_t functions = {.read = read_lines, .close = close_lines};
	struct lines *l = malloc(sizeof(*l));
	bool given = !strcmp(path, "-");
	FILE *f = NULL;
	int error;

	if (!l)
		return NULL;
	*l = (struct lines){.fd = fileno(stdin), .name = given ? "standard input" : path};
	/* without waiting for somebody who opens the other end of a FIFO */
	if (!given)
		l->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (l->fd >= 0)
		f = fopencookie(l, "r", functions);
	if (f)
		return f;
	error = errno;
	if (l->fd >= 0)
		close_lines(l);
	else
		free(l);
	errno = error;
	return NULL;
}

bool read_line(FILE *f, char *line, size_t size, size_t *len)
{
	size_t n = 0;
	int c = 0;

	while (n < NO_LINE && (c = next_byte(f)) != EOF && c != '\n') {
		if (n < size - 1)
			line[n] = (char)c;
		n++;
	}
	line[n < size ? n : size - 1] = '\0';
	*len = n;
	/* the beginning of a line that cannot be read to its end would be another line */
	return c != EOF || (n && !ferror(f));
}

/*
 * With -vv the library logs an error where it arises; who reports it has the same words. They are printed once. What was logged
 * last is kept here; "" when something else was printed since.
 */
static char logged[RIOMMU_MESSAGE_SIZE];

static void log_to_stderr(void *arg, enum riommu_log_level level, const char *message)
{
	const struct options *o = arg;

	if ((int)level > (int)RIOMMU_LOG_WARNING + o->verbose || !strcmp(message, logged))
		return;
	progress_end();
	fprintf(stderr, "%s: %s\n", program, message);
	snprintf(logged, sizeof(logged), "%s", message);
}

void print_message(const char *message)
{
	progress_end();
	if (strcmp(message, logged) != 0)
		fprintf(stderr, "%s: %s\n", program, message);
	logged[0] = '\0';
}

void *need(void *memory)
{
	if (!memory)
		die(STATUS_ERROR, "out of memory");
	return memory;
}

/*
 * Whoever starts us may have closed one of the three: the next file opened would have its number, and be written into by what is meant
 * for a reader. What takes their place can neither be read nor written (EBADF), as if it were closed.
 */
static void keep_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/", O_PATH) != fd)
			die(STATUS_ERROR, "descriptor %d is closed and cannot be taken: %s", fd,
			    strerror(errno));
}

void tool_begin(const char *name)
{
	program = name;
	keep_standard_files();
	signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error (EFBIG), and no end */
}

bool is_ignored(int sig)
{
	struct sigaction action;

	return sigaction(sig, NULL, &action) || action.sa_handler == SIG_IGN;
}

bool on_one_iommu(const struct riommu_device_ref *refs, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (refs[i].iommu != refs[0].iommu)
			return false;
	}
	return n;
}

struct riommu_ctx *tool_ctx(const struct options *o)
{
	struct riommu_ctx *ctx = riommu_ctx_new();

	if (!ctx)
		die(STATUS_ERROR, "out of memory");
	riommu_ctx_set_log(ctx, log_to_stderr, (void *)(uintptr_t)o, RIOMMU_LOG_DEBUG);
	return ctx;
}

/*
 * A file that somebody truncates while it is mapped answers with SIGBUS, wherever it is read. What was printed so far may
 * still be in a buffer and is lost: half an answer is none.
 */
static struct guarded {
	const char *path;
	uintptr_t begin; /* where it is mapped */
	uint64_t size;   /* 0: not known (yet) */
} guarded[2];            /* diff has two */

static size_t guarded_count;

/* What write() and unlink() do may be done here; printf() may not. */
static bool tell(const char *words)
{
	return write(STDERR_FILENO, words, strlen(words)) >= 0;
}

static bool tell_hex(uint64_t number)
{
	char digits[17], *at = &digits[16];

	*at = '\0';
	do
		*--at = "0123456789abcdef"[number & 15];
	while (number >>= 4);
	return tell("0x") && tell(at);
}

static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	const struct guarded *file = NULL;
	uint64_t offset = 0;
	bool told;

	(void)sig, (void)context;
	for (size_t i = 0; i < guarded_count && !file; i++) {
		offset = (uintptr_t)info->si_addr - guarded[i].begin;
		if (offset < guarded[i].size)
			file = &guarded[i];
	}
	told = tell(program) && tell(": ") && tell(file ? file->path : guarded[0].path);
	if (file)
		told = told && tell(": byte ") && tell_hex(offset) && tell(" is gone: it");
	else
		told = told && tell(guarded_count > 1 ? " or the other file:" : ":");
	told = told && tell(" became shorter while it was read; look at a copy of it\n");
	save_given_up();
	_exit(told ? STATUS_DATA : STATUS_ERROR);
}

static void guard(const char *input)
{
	struct sigaction act = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

	if (guarded_count < RIOMMU_ARRAY_SIZE(guarded))
		guarded[guarded_count++].path = input;
	sigemptyset(&act.sa_mask);
	sigaction(SIGBUS, &act, NULL);
}

/* Where the file lies of which guard() was told last. */
static void guard_mapping(const struct riommu_source *source)
{
	guarded[guarded_count - 1].begin = (uintptr_t)source->map;
	guarded[guarded_count - 1].size = source->map_size;
}

static _Noreturn void no_system(struct out *out, const char *schema, int err, const char *words)
{
	if (schema)
		out_begin(out, schema, NULL);
	out_error(out, err, "%s", words);
	exit(out_end(out));
}

/* What discovery left out: a warning has told of it already, and it is not all there. */
static void tell_omission(struct out *out)
{
	const char *words = riommu_omission(out->ctx);

	if (!words[0])
		return;
	out->error_count++;
	json_object_array_add(out->errors, json_text(words));
}

struct riommu_system *open_system(struct out *out, const char *schema, const struct options *o)
{
	struct riommu_open_args args = {
		.input = o->input,
		.access = o->access,
		.bases = o->bases,
		.base_count = o->base_count,
		.overrides = o->overrides,
		.override_count = o->override_count,
	};
	struct riommu_system *sys;
	char words[300];
	int err;

	if (o->input)
		guard(o->input);
	err = riommu_system_open(out->ctx, &args, &sys);
	if (err)
		no_system(out, schema, err, riommu_error(out->ctx));
	if (o->input && sys->memory)
		guard_mapping(sys->memory);
	if (o->iommu && riommu_system_find_iommu(sys, o->iommu) == RIOMMU_NO_IOMMU) {
		snprintf(words, sizeof(words),
			 "%.200s: no IOMMU has this name or base ('iommu-dump list' shows them)",
			 o->iommu);
		no_system(out, schema, -ENODEV, words);
	}
	tell_omission(out);
	return sys;
}

bool next_chosen(const struct riommu_system *sys, const struct options *o, size_t *index)
{
	size_t only = o->iommu ? riommu_system_find_iommu(sys, o->iommu) : RIOMMU_NO_IOMMU;

	if (only != RIOMMU_NO_IOMMU && *index <= only)
		*index = only;
	else if (only != RIOMMU_NO_IOMMU)
		*index = sys->iommu_count;
	return *index < sys->iommu_count;
}

void mode_text(uint64_t ddtp, char *text, size_t size)
{
	const char *name = riommu_ddtp_mode_name(ddtp);

	if (name)
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "0x%x", (unsigned)riommu_bits(ddtp, 3, 0));
}
