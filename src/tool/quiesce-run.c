/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stages, one after the other; holding, and taking back. */
#include "config.h"

#include "quiesce.h"

#include <inttypes.h>
#include <signal.h>
#include <time.h>

/* -- signals ------------------------------------------------------------------------------------------------------ */

/* Whoever started us may want it ignored (nohup): blocked, it would be pending all the same. */
static void add_ending(sigset_t *set, int sig)
{
	if (!is_ignored(sig))
		sigaddset(set, sig);
}

/* What would end us half way waits until a stage is over: all that somebody may send, and no crash of our own. */
static void ending_signals(sigset_t *set)
{
	static const int ending[] = {SIGINT,  SIGTERM, SIGHUP,   SIGQUIT, SIGALRM,
				     SIGUSR1, SIGUSR2, SIGXCPU,  SIGPWR,  SIGVTALRM,
				     SIGPROF, SIGIO,   SIGSTKFLT};

	sigemptyset(set);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(ending); i++)
		add_ending(set, ending[i]);
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		add_ending(set, sig);
}

static void hold_back_signals(void)
{
	sigset_t set;

	ending_signals(&set);
	/* in the background of a terminal with "stty tostop" a line of output would stop us, and what is blocked would stay so */
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool told_to_end(void)
{
	sigset_t set, pending;

	ending_signals(&set);
	sigpending(&pending);
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&set, sig) == 1 && sigismember(&pending, sig) == 1)
			return true;
	return false;
}

/* Waits for SECONDS or a signal; true: it was a signal. Stopped and continued meanwhile: the rest is still waited for. */
static bool wait_seconds(unsigned seconds)
{
	struct timespec end, now, left;
	sigset_t set;

	ending_signals(&set);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)seconds;
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = end.tv_sec - now.tv_sec;
		left.tv_nsec = end.tv_nsec - now.tv_nsec;
		if (left.tv_nsec < 0) {
			left.tv_nsec += 1000000000;
			left.tv_sec--;
		}
		if (left.tv_sec < 0)
			return false;
		if (sigtimedwait(&set, NULL, &left) > 0)
			return true;
	}
}

/* -- progress ----------------------------------------------------------------------------------------------------- */

static void tell_object(void *arg, const struct riommu_progress *p)
{
	struct quiesce *t = arg;
	bool of_iommu = !strcmp(p->object, p->iommu);

	if (in_json(&t->out) || of_iommu ||
	    (p->outcome <= RIOMMU_OUTCOME_DONE && !t->options.verbose))
		return;
	print_line("", p->object, p->outcome, p->words);
}

static void stage_over(struct quiesce *t, enum riommu_stage stage, bool undo)
{
	for (size_t i = 0; i < t->q->iommu_count; i++)
		stage_done(t, &t->q->iommus[i], stage, undo);
}

/* -- undo --------------------------------------------------------------------------------------------------------- */

static const enum riommu_stage undo_order[] = {RIOMMU_STAGE_BLOCK, RIOMMU_STAGE_VERIFY,
					       RIOMMU_STAGE_STOP};

static void take_back(struct quiesce *t)
{
	enum status before = t->out.status;
	int err;

	if (!in_json(&t->out))
		puts("taking it back:");
	err = riommu_quiesce_revert(t->q, tell_object, t);

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(undo_order); i++)
		stage_over(t, undo_order[i], true);
	/* a refusal before the first stage has no result to tell */
	if (err && t->out.status == before)
		out_error(&t->out, err, "not undone: %s", riommu_error(t->ctx));
	t->undone = !err;
	if (in_json(&t->out))
		return;
	puts(t->undone ? "undone: the IOMMU is as it was before" : "NOT undone");
	out_flush();
}

static bool open_undo(struct quiesce *t)
{
	struct riommu_quiesce_args args = {.timeout_ms = t->timeout_ms};
	int err = riommu_hw_open(t->sys, !t->plan, &t->hw);

	if (t->only != RIOMMU_NO_IOMMU) {
		args.iommus = &t->only;
		args.iommu_count = 1;
	}
	if (!err)
		err = riommu_quiesce_open_undo(t->sys, t->hw, &args, &t->q);
	if (!err)
		return true;
	if (err == -ESTALE || err == -EPERM) { /* it could, and must not */
		out_error(&t->out, 0, "refused: %s", riommu_error(t->ctx));
		out_status(&t->out, STATUS_FINDING);
	} else {
		out_error(&t->out, err, "%s", riommu_error(t->ctx));
		if (err == -EACCES)
			tell_remedy(t);
	}
	return false;
}

void run_undo(struct quiesce *t)
{
	if (!open_undo(t))
		return;
	keep_room_for_lines(t, 1);
	if (t->plan) {
		print_plan(t);
		return;
	}
	hold_back_signals();
	keep_output();
	take_back(t);
	release_output();
}

/* -- block, handover, stop ---------------------------------------------------------------------------------------- */

static enum riommu_verdict overall(const struct quiesce *t)
{
	enum riommu_verdict verdict = RIOMMU_VERDICT_BLOCKED;

	for (size_t i = 0; i < t->q->iommu_count; i++)
		verdict = worse_verdict(verdict, t->q->iommus[i].verdict);
	return verdict;
}

/* Status 0 needs "blocked"; what kept it from being so was told by the stage that failed, or was asked for. */
static void judge(struct quiesce *t)
{
	bool skipped = t->skip & 1u << RIOMMU_STAGE_BLOCK;

	if (t->action == ACTION_STOP)
		return;
	if (t->verdict != RIOMMU_VERDICT_OPEN) /* a probe may have said so */
		t->verdict = overall(t);
	if (t->skip & 1u << RIOMMU_STAGE_VERIFY)
		note(t, "stage verify was left out: there is no verdict");
	else if (t->verdict != RIOMMU_VERDICT_BLOCKED)
		out_error(&t->out, -ETIMEDOUT, "it is not blocked: %s",
			  skipped ? "stage block was left out, the IOMMU works as before"
				  : riommu_verdict_name(t->verdict));
	if (!in_json(&t->out))
		printf("verdict: %s\n", riommu_verdict_name(t->verdict));
}

static bool run_stages(struct quiesce *t)
{
	bool good = true;

	for (unsigned s = 0; s < RIOMMU_STAGE_COUNT; s++) {
		enum riommu_stage stage = (enum riommu_stage)s;

		if (told_to_end()) {
			out_error(&t->out, -EINTR, "ended by a signal before stage %s%s",
				  riommu_stage_name(stage),
				  t->hold ? "" : "; --undo takes back what was done");
			return false;
		}
		good &= !riommu_quiesce_stage(t->q, stage, tell_object, t);
		stage_over(t, stage, false);
	}
	return good;
}

static void say_what_is_final(const struct quiesce *t)
{
	if (t->action == ACTION_HANDOVER)
		fprintf(stderr,
			"%s: --handover is final: the queues are stopped, and the running driver "
			"cannot be given them back\n",
			program);
}

static void hold(struct quiesce *t, bool good)
{
	if (!good) {
		note(t, "it did not get so far that it could be held: undone at once");
	} else {
		if (!in_json(&t->out)) {
			printf("held for %u s\n", t->hold);
			out_flush();
		}
		if (wait_seconds(t->hold))
			note(t, "held until a signal came");
	}
	take_back(t);
}

/* From the lock to the end. */
static void block(struct quiesce *t)
{
	int err = riommu_quiesce_prepare(t->q);
	bool good;

	if (err) {
		out_error(&t->out, err, "nothing was done: %s", riommu_error(t->ctx));
		return;
	}
	if (!t->q->memory_locked)
		note(t, "this program could not be locked into memory");
	good = run_stages(t);
	if (good)
		ask_probes(t);
	judge(t);
	if (t->hold)
		hold(t, good && t->out.status == STATUS_DONE);
	tell_linux_truths(t);
}

void run_block(struct quiesce *t)
{
	if (!probes_can_be_asked(t) || !make_plan(t, !t->plan))
		return;
	if (t->plan) {
		print_plan(t);
		say_what_is_final(t);
		nobody_is_cut_off(t);
		tell_linux_truths(t);
		return;
	}
	if (!nobody_is_cut_off(t))
		return;
	keep_room_for_lines(t, t->hold ? 2 : 1);
	say_what_is_final(t);
	hold_back_signals();
	keep_output();
	block(t);
	release_output();
}
