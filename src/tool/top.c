/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-top: options, and the run without a screen. */
#include "config.h"

#include "top.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define DELAY_MAX 86400 /* seconds */

#define SAME_PICTURES 1000 /* of a recording, in a row */

enum { OPT_RECORD = OPT_TOOL, OPT_SPEED };

static const struct option long_options[] = {
	COMMON_LONG,
	{"batch", no_argument, NULL, 'b'},
	{"iterations", required_argument, NULL, 'n'},
	{"delay", required_argument, NULL, 'd'},
	{"sort", required_argument, NULL, 's'},
	{"filter", required_argument, NULL, 'f'},
	{"record", required_argument, NULL, OPT_RECORD},
	{"speed", required_argument, NULL, OPT_SPEED},
	{NULL, 0, NULL, 0},
};

static void help(FILE *f)
{
	fprintf(f,
		"Usage: iommu-top [OPTIONS]\n"
		"Watch the fault queues of RISC-V IOMMUs: which device, which address, how fast.\n"
		"Nothing is written, and what could not be seen is said.\n\n"
		"  -b, --batch              text, again and again, instead of a screen\n"
		"  -n, --iterations COUNT   end after so many pictures\n"
		"  -d, --delay SECONDS      between two pictures (default: 1)\n"
		"  -s, --sort COLUMN        sort by it; with a '-' before it, the other way round\n"
		"  -f, --filter TEXT        only devices and faults whose line contains it\n"
		"      --record FILE        record what is seen; -i FILE plays it back\n"
		"      --speed FACTOR       play a recording back faster or slower (default: "
		"1)\n\n");
	fputs(common_help, f);
	fprintf(f, "\nWith -J, one JSON object a line: each fault, and the sums at each picture.\n"
		   "\nColumns:\n");
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		fprintf(f, "  %-8s %s\n", top_columns[i].name, top_columns[i].help);
	fprintf(f, "\nKeys:\n");
	for (size_t i = 0; i < ACTION_COUNT; i++)
		fprintf(f, "  %-11s %s\n", top_keys[i].keys, top_keys[i].help);
	fprintf(f,
		"\nExit status: 0 done, 1 error, 2 usage, 3 no IOMMU, 4 refused, 5 data missing "
		"or\n"
		"damaged, 7 records are, or may be, missing (with -b and -J). See iommu-top(8).\n");
}

/* -- options ------------------------------------------------------------------------------------------------ */

static uint64_t thousandths(const char *option, const char *arg, uint64_t max)
{
	uint64_t value;

	if (!parse_thousandths(arg, max, &value))
		die_usage("%s %s: expected a number from 0.001 to %" PRIu64, option, arg, max);
	return value;
}

static void set_sort(struct top *t, const char *arg)
{
	t->reverse = arg[0] == '-';
	if (!top_column_by_name(arg + t->reverse, &t->sort))
		die_usage("--sort %s: there is no such column ('%s --help' lists them)", arg,
			  program);
}

static bool own_option(struct top *t, int c, const char *arg)
{
	switch (c) {
	case 'b':
		t->batch = true;
		return true;
	case 'n':
		if (riommu_parse_u64(arg, &t->iterations) || !t->iterations)
			die_usage("--iterations %s: expected a number, at least 1", arg);
		return true;
	case 'd':
		t->delay = thousandths("--delay", arg, DELAY_MAX) * (TOP_SECOND / 1000);
		t->delay_given = true;
		return true;
	case 's':
		set_sort(t, arg);
		return true;
	case 'f':
		if (strlen(arg) >= sizeof(t->filter))
			die_usage("--filter %s: more than %zu characters", arg,
				  sizeof(t->filter) - 1);
		snprintf(t->filter, sizeof(t->filter), "%s", arg);
		return true;
	case OPT_RECORD:
		t->record = arg;
		return true;
	case OPT_SPEED:
		t->speed = thousandths("--speed", arg, 1000);
		return true;
	default:
		return false;
	}
}

static void parse_options(struct top *t, int argc, char **argv)
{
	int c;

	while ((c = next_option(argc, argv, COMMON_SHORT "bn:d:s:f:", long_options)) != -1) {
		if (!own_option(t, c, optarg))
			common_option(t->ctx, &t->options, c, optarg, help);
	}
	if (optind < argc)
		die_usage("'%s': there are no arguments besides options", argv[optind]);
	t->batch |= t->options.json;
}

/* -- without a screen ---------------------------------------------------------------------------------------- */

static void on_signal(int sig)
{
	top_signal = sig;
}

/*
 * The first one ends the run in good order; the second one, where output is stuck, the program. Who started it by nohup(1) wants
 * it to live on when the terminal goes.
 */
static void catch_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal,
				.sa_flags = SA_RESTART | (int)SA_RESETHAND};
	const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(signals); i++) {
		if (signals[i] == SIGHUP && is_ignored(SIGHUP))
			continue;
		sigaction(signals[i], &act, NULL);
	}
}

static void tick(struct top *t)
{
	top_note_states(t);
	t->view->tick(t);
}

static bool flush(void)
{
	return out_flush();
}

/* Looks, and prints at each tick, until a signal or the last tick. Returns why it ended. */
static const char *run_live(struct top *t)
{
	uint64_t next = t->start, ticks = 0;

	while (!top_signal) {
		uint64_t due = top_poll(t);

		if (t->now >= next) {
			tick(t);
			if (++ticks == t->iterations)
				return "iterations";
			if (ticks == 1 && top_blind(t))
				return "blind";
			/* a delay that was missed is not made up for */
			next += t->delay * ((t->now - next) / t->delay + 1);
		}
		if (!flush())
			return "output";
		top_sleep(due < next ? due : next, -1);
	}
	return "signal";
}

/* As fast as it can be read: the times are those of the recording. */
static const char *run_recording(struct top *t)
{
	uint64_t ticks = 0;

	for (uint64_t next = t->delay; t->delay_given; next += t->delay) {
		if (!top_play(t, next))
			break;
		t->view->tick(t);
		if (++ticks == t->iterations || top_signal)
			return top_signal ? "signal" : "iterations";
		if (!flush())
			return "output";
		/* nothing happens for long: pictures of it would all be the same */
		if ((t->ahead.time - next) / t->delay > SAME_PICTURES)
			next += (t->ahead.time - next) / t->delay * t->delay;
	}
	top_play(t, UINT64_MAX);
	t->view->tick(t);
	return top_signal ? "signal" : "end";
}

static void run(struct top *t)
{
	const char *why = "end";

	sandbox(&t->options, SANDBOX_CLOSED, stderr);
	catch_signals();
	t->view = in_json(&t->out) ? &top_json_view : &top_text_view;
	if (t->view->begin)
		t->view->begin(t);
	if (t->source == TOP_RECORDING) {
		why = run_recording(t);
	} else if (t->source == TOP_CAPTURE) {
		t->start = top_clock(); /* there is nothing of before this */
		top_poll(t);
		tick(t);
	} else {
		why = run_live(t);
	}
	if (t->recorder)
		top_end_recording(t);
	if (t->view->end)
		t->view->end(t, why);
	if (top_missing(t))
		out_status(&t->out, STATUS_FINDING);
}

int TOOL_MAIN(top_main)(int argc, char **argv)
{
	static struct top t; /* big: 512 overrides */
	int status;

	tool_begin("iommu-top");
	t.ctx = tool_ctx(&t.options);
	t.delay = TOP_SECOND;
	t.speed = 1000;
	t.sort = COLUMN_RATE;
	parse_options(&t, argc, argv);
	out_init(&t.out, t.ctx, t.options.json);
	if (!t.batch && !isatty(STDOUT_FILENO))
		die(STATUS_ERROR,
		    "standard output is no terminal; --batch prints text, --json JSON");
	top_open(&t);
	if (t.batch || !top_screen(&t))
		run(&t);
	top_close(&t);
	status = out_end(&t.out);
	riommu_ctx_free(t.ctx);
	return status;
}
