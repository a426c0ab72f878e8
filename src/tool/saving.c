/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are made: signals meanwhile, and --save, which every tool has: a capture of what was read, before the command. */
#include "config.h"

#include "tool.h"

#include "capture/capture.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

/* A signal that would end us waits, so that no temporary file stays; --save stops for it. Then it does end us. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
#define SIGNALS RIOMMU_ARRAY_SIZE(numbers)

static struct sigaction before[SIGNALS];

/* Whoever ignores one (nohup) goes on doing so. */
void hold_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < SIGNALS; i++)
		if (!sigaction(numbers[i], NULL, &before[i]) && before[i].sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
}

void release_signals(void)
{
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(numbers[i], &before[i], NULL);
	if (interrupted)
		raise(interrupted);
}

static const struct riommu_file *unfinished;

void save_given_up(void)
{
	if (unfinished && unfinished->temporary)
		unlink(unfinished->temporary);
}

static bool pages_done(void *arg, uint64_t found, uint64_t written)
{
	const bool *tty = arg;

	if (*tty && written)
		fprintf(stderr, "\r%s: %" PRIu64 " of %" PRIu64 " pages", program, written, found);
	else if (*tty)
		fprintf(stderr, "\r%s: %" PRIu64 " pages", program, found);
	return !interrupted;
}

static int save(struct out *out, struct riommu_system *sys, const struct options *o, bool confined,
		struct riommu_capture_report *report)
{
	bool guest = !strcmp(riommu_option(out->ctx, "guest-tables"), "1"),
	     tty = isatty(STDERR_FILENO);
	struct riommu_file file;
	int err;

	hold_signals();
	err = riommu_file_begin(&file, out->ctx, o->save);
	unfinished = &file;
	if (!err && confined)
		sandbox(o, SANDBOX_SAVING, stderr);
	if (!err)
		err = riommu_capture_write(sys, &file, guest, PACKAGE_VERSION, pages_done, &tty,
					   report);
	unfinished = NULL;
	riommu_file_end(&file);
	if (tty)
		fprintf(stderr, "\r\033[K");
	release_signals();
	return err;
}

void save_capture(struct out *out, struct riommu_system *sys, const struct options *o,
		  bool confined)
{
	struct riommu_capture_report report;
	int err = save(out, sys, o, confined, &report);

	if (err) {
		out_error(out, err, "%s", riommu_error(out->ctx)); /* which names the file */
		return;
	}
	fprintf(stderr, "%s: %s: %" PRIu64 " pages saved", program, o->save, report.pages);
	if (report.missing)
		fprintf(stderr, ", %" PRIu64 " could not be read", report.missing);
	fputc('\n', stderr);
	if (report.truncated)
		out_error(out, -ENODATA,
			  "%s: stopped at -O max-pages=%s; the capture is not complete", o->save,
			  riommu_option(out->ctx, "max-pages"));
}
