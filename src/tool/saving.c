/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --save, which every tool has: a capture of what was read, before the command. */
#include "config.h"

#include "tool.h"

#include "capture/capture.h"

#include <inttypes.h>
#include <unistd.h>

static void progress(void *arg, uint64_t pages)
{
	(void)arg;
	fprintf(stderr, "\r%s: %" PRIu64 " pages", program, pages);
}

void save_capture(struct out *out, struct riommu_system *sys, const char *path)
{
	bool guest = !strcmp(riommu_option(out->ctx, "guest-tables"), "1"),
	     tty = isatty(STDERR_FILENO);
	struct riommu_capture_report report;
	int err = riommu_capture_save(sys, path, guest, PACKAGE_VERSION, tty ? progress : NULL,
				      NULL, &report);

	if (tty)
		fprintf(stderr, "\r\033[K");
	if (err) {
		out_error(out, err, "%s", riommu_error(out->ctx)); /* which names the file */
		return;
	}
	fprintf(stderr, "%s: %s: %" PRIu64 " pages saved", program, path, report.pages);
	if (report.missing)
		fprintf(stderr, ", %" PRIu64 " could not be read", report.missing);
	fputc('\n', stderr);
	if (report.truncated)
		out_error(out, -ENODATA,
			  "%s: stopped at -O max-pages=%s; the capture is not complete", path,
			  riommu_option(out->ctx, "max-pages"));
}
