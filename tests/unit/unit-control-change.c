/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control: what changes between plan, run and undo, by someone else's hand; what is asked for that makes no sense; what the system
 * refuses with EPERM in place of EACCES. Nothing is written where it does not fit, and what is said names it.
 */
#include "control/control-internal.h"
#include "failing.h"
#include "files.h"
#include "runner.h"
#include "simulated.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct riommu_ctx *ctx;
static struct riommu_system *sys;
static struct riommu_quiesce *q;
static struct riommu_quiesce_args args;
static char logged[1024];

static void on_log(void *arg, enum riommu_log_level level, const char *message)
{
	(void)arg, (void)level;
	snprintf(logged, sizeof(logged), "%s", message);
}

static void setup(void)
{
	files_begin();
	make_dir("proc/sys/kernel/random");
	write_text("proc/sys/kernel/random/boot_id", "0ac5b1a2-5f3c-4a8e-9d63-0123456789ab\n");
	make_dir("sys/bus/pci/devices/0000:00:04.0");
	sim_begin();
	args = (struct riommu_quiesce_args){.timeout_ms = 10};
	q = NULL;
	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
	ck_assert_int_eq(riommu_option_set(ctx, "proc.path", below("proc")), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "sysfs.path", below("sys")), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "state.path", below("run")), 0);
	riommu_ctx_set_log(ctx, on_log, NULL, RIOMMU_LOG_WARNING);
	logged[0] = '\0';
	sys = sim_system(ctx);
}

static void teardown(void)
{
	const char *name;

	failing_end(&name);
	riommu_quiesce_close(q);
	riommu_ctx_free(ctx);
	ck_assert_str_eq(sim->wrong, "");
	sim_end();
	files_end();
}

static void plan(void)
{
	riommu_quiesce_close(q);
	ck_assert_msg(!riommu_quiesce_plan(sys, sim_hw(), &args, &q), "%s", riommu_error(ctx));
}

static int block(void)
{
	int err = 0;

	plan();
	ck_assert_msg(!riommu_quiesce_prepare(q), "%s", riommu_error(ctx));
	for (int s = 0; s < RIOMMU_STAGE_COUNT && !err; s++)
		err = riommu_quiesce_stage(q, (enum riommu_stage)s, NULL, NULL);
	riommu_quiesce_close(q);
	q = NULL;
	return err;
}

static int open_undo(void)
{
	riommu_quiesce_close(q);
	return riommu_quiesce_open_undo(sys, sim_hw(), &args, &q);
}

static void expect_words(const char *text, const char *word)
{
	ck_assert_msg(strstr(text, word), "\"%s\" and not \"%s\"", text, word);
}

/* -- what makes no sense ---------------------------------------------------------------------------------------- */

START_TEST(what_no_table_has_has_a_word)
{
	ck_assert_str_eq(riommu_stage_name(RIOMMU_STAGE_COUNT), "?");
	ck_assert_str_eq(riommu_outcome_name((enum riommu_outcome)99), "?");
	ck_assert_str_eq(riommu_verdict_name((enum riommu_verdict)99), "?");
	ck_assert_str_eq(riommu_function_kind_name((enum riommu_function_kind)99), "?");
	ck_assert_str_eq(control_reg_name(3), "?");
}
END_TEST

START_TEST(an_iommu_that_there_is_none_of_is_not_planned)
{
	const size_t index = 2;

	args.iommus = &index;
	args.iommu_count = 1;
	ck_assert_int_eq(riommu_quiesce_plan(sys, sim_hw(), &args, &q), -EINVAL);
	ck_assert_ptr_null(q);
	ck_assert_str_eq(riommu_error(ctx), "there is no IOMMU number 2");
	ck_assert_uint_eq(sim->accesses, 0);
}
END_TEST

START_TEST(an_iommu_that_is_named_twice_is_one)
{
	const size_t twice[] = {1, 1};

	args.iommus = twice;
	args.iommu_count = 2;
	plan();
	ck_assert_uint_eq(q->iommu_count, 1);
	ck_assert_uint_eq(q->iommus[0].base, SIM_BASE1);
}
END_TEST

START_TEST(a_plan_that_looked_at_no_register_is_not_carried_out)
{
	args.no_registers = true;
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), -EINVAL);
	expect_words(riommu_error(ctx), "cannot be carried out");
	ck_assert_int_eq(access(below("run"), F_OK), -1);
	for (int s = 0; s <= RIOMMU_STAGE_COUNT; s++) {
		ck_assert_int_eq(riommu_quiesce_stage(q, (enum riommu_stage)s, NULL, NULL),
				 -EINVAL);
		expect_words(riommu_error(ctx), "not prepared");
	}
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

START_TEST(a_stage_that_does_not_exist_is_not_run)
{
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0); /* once is enough */
	ck_assert_int_eq(riommu_quiesce_stage(q, RIOMMU_STAGE_COUNT, NULL, NULL), -EINVAL);
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

START_TEST(an_undo_has_no_stages)
{
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_stage(q, RIOMMU_STAGE_STOP, NULL, NULL), -EINVAL);
}
END_TEST

START_TEST(what_could_not_be_prepared_may_be_prepared_again)
{
	plan();
	write_text("proc/sys/kernel/random/boot_id", "\n");
	ck_assert_int_eq(riommu_quiesce_prepare(q), -EBADMSG);
	expect_words(riommu_error(ctx), "boot_id is empty");
	write_text("proc/sys/kernel/random/boot_id", "0ac5b1a2-5f3c-4a8e-9d63-0123456789ab\n");
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
}
END_TEST

/* -- what changes meanwhile ------------------------------------------------------------------------------------- */

static void change(uint32_t offset, uint64_t bits)
{
	sim_set(0, offset, 8, sim_reg(0, offset, 8) ^ bits);
}

START_TEST(another_iommu_after_the_plan_is_not_prepared)
{
	plan();
	change(RIOMMU_REG_CAPABILITIES, RIOMMU_CAP_SV57);
	ck_assert_int_eq(riommu_quiesce_prepare(q), -ESTALE);
	expect_words(riommu_error(ctx), "capabilities are not what they were");
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

/* What an earlier run saved is void where the driver set the IOMMU up anew: undo restores what is there now. */
static const uint32_t anew[] = {RIOMMU_REG_CAPABILITIES, RIOMMU_REG_CQB, RIOMMU_REG_FQB};

START_TEST(an_iommu_that_was_set_up_anew_is_blocked_anew)
{
	const uint64_t ddtp = 0x20090003;

	ck_assert_int_eq(block(), 0);
	change(anew[_i], anew[_i] == RIOMMU_REG_CAPABILITIES ? RIOMMU_CAP_SV57 : 0x400000);
	sim_set(0, RIOMMU_REG_DDTP, 8, ddtp);
	ck_assert_int_eq(block(), 0);
	expect_words(logged, "it was set up anew since an earlier run");
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8) & 0xf, 0);
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), ddtp);
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1);
}
END_TEST

START_TEST(a_directory_that_is_neither_old_nor_ours_is_kept)
{
	const uint64_t ddtp = 0x20090003;

	ck_assert_int_eq(block(), 0);
	sim_set(0, RIOMMU_REG_DDTP, 8, ddtp);
	ck_assert_int_eq(block(), 0);
	expect_words(logged, "ddtp is 0x20090003, neither what an earlier run found");
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), ddtp);
}
END_TEST

/* Between the look at all and the write to the first: what is not ours by then is left alone. */
START_TEST(a_directory_that_changes_during_the_undo_is_left_alone)
{
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(open_undo(), 0);
	sim_set(0, RIOMMU_REG_DDTP, 8, 0x20090003);
	ck_assert_int_lt(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), 0x20090003);
}
END_TEST

static void ddtp_changes(void *arg, const struct riommu_progress *p)
{
	(void)arg;
	if (p->stage == RIOMMU_STAGE_BLOCK)
		sim_set(1, RIOMMU_REG_DDTP, 8, 0x20090003);
}

/* All were looked at; while the first is undone, somebody sets the second up. */
START_TEST(a_directory_that_changes_after_the_look_at_all_is_left_alone)
{
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, ddtp_changes, NULL), -EIO);
	expect_words(q->iommus[1].result[RIOMMU_STAGE_BLOCK].words, "left alone");
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0);
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), 0x20090003);
	ck_assert(!sim_masters(SIM_GPU));
}
END_TEST

/* cqmf, cmd_to, cmd_ill: the driver gave a command that the IOMMU, being Off, did not take. fence_w_ip stops nothing. */
START_TEST(a_command_queue_that_stopped_meanwhile_is_told)
{
	static const struct {
		uint64_t before, after;
		bool stopped;
	} cases[] = {{0, 0x100, true},
		     {0, 0x200, true},
		     {0, 0x400, true},
		     {0x400, 0x400, false},
		     {0, 0x800, false}};
	uint64_t csr = sim_reg(0, RIOMMU_REG_CQCSR, 4);

	sim_set(0, RIOMMU_REG_CQCSR, 4, csr | cases[_i].before);
	ck_assert_int_eq(block(), 0);
	sim_set(0, RIOMMU_REG_CQCSR, 4, csr | cases[_i].after);
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	if (cases[_i].stopped)
		expect_words(logged, "3010000.iommu: the command queue stopped since the block");
	else
		ck_assert_str_eq(logged, "");
}
END_TEST

START_TEST(an_iommu_that_nothing_tells_of_any_more_is_undone_by_its_base)
{
	ck_assert_int_eq(block(), 0);
	sys->iommu_count =
		1; /* its driver is gone, and its name with it; its registers are where they were */
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_uint_eq(q->iommu_count, 2);
	ck_assert_uint_eq(q->iommus[1].index, RIOMMU_NO_IOMMU);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0);
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1);
}
END_TEST

START_TEST(another_device_in_a_slot_is_stopped_for_itself)
{
	ck_assert_int_eq(block(), 0);
	sim_function(SIM_NVME)->config[0] ^= 0xff;
	sim_function(SIM_NVME)->config[2] |= 4; /* it masters */
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert(sim_masters(SIM_NVME) && sim_masters(SIM_EDU));
}
END_TEST

/* Vendor and device of a virtual function are all ones (SR-IOV): it answers all the same, and masters. */
static void make_virtual(const char *name, uint16_t subsystem)
{
	struct sim_function *f = sim_function(name);

	f->config[0] = f->config[1] = 0xffff;
	f->config[0x2c / 2] = 0x1af4;
	f->config[0x2e / 2] = subsystem;
}

START_TEST(a_virtual_function_is_stopped_and_given_back)
{
	make_virtual(SIM_NVME, 0x1100);
	ck_assert_int_eq(block(), 0);
	ck_assert(!sim_masters(SIM_NVME));
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert(sim_masters(SIM_NVME));
}
END_TEST

START_TEST(another_virtual_function_in_a_slot_is_left_alone)
{
	make_virtual(SIM_NVME, 0x1100);
	ck_assert_int_eq(block(), 0);
	make_virtual(SIM_NVME, 0x1101);
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert(!sim_masters(SIM_NVME));
	ck_assert_int_eq(access(below("run/quiesce.state"), F_OK), -1);
}
END_TEST

/* Somebody pulls a card, or it dies, while the plan is read: all others are blocked all the same, and it is not called stopped. */
START_TEST(a_function_that_goes_away_after_the_plan_keeps_nothing_from_being_blocked)
{
	struct sim_function *f = sim_function(SIM_NVME);

	plan();
	*(_i ? &f->all_ones : &f->gone) = true;
	ck_assert_msg(!riommu_quiesce_prepare(q), "%s", riommu_error(ctx));
	ck_assert_int_eq(riommu_quiesce_stage(q, RIOMMU_STAGE_STOP, NULL, NULL), -ETIMEDOUT);
	ck_assert_int_eq(riommu_quiesce_stage(q, RIOMMU_STAGE_BLOCK, NULL, NULL), 0);
	riommu_quiesce_stage(q, RIOMMU_STAGE_VERIFY, NULL, NULL);
	ck_assert_int_eq(q->functions[0].stop, RIOMMU_OUTCOME_DEAD);
	ck_assert(!sim_masters(SIM_EDU));
	ck_assert_int_eq(q->iommus[0].verdict, RIOMMU_VERDICT_BLOCKED);
}
END_TEST

/* Undo could not tell it from another in its place. */
START_TEST(a_function_that_may_not_be_asked_who_it_is_stops_all_of_it)
{
	if (_i)
		make_virtual(SIM_NVME, 0x1100);
	plan();
	sim_function(SIM_NVME)->refused = (uint64_t)1 << (_i ? 0x2c / 4 : 0);
	ck_assert_int_eq(riommu_quiesce_prepare(q), -EACCES);
	expect_words(riommu_error(ctx), SIM_NVME ": its config space cannot be read");
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

START_TEST(a_function_that_is_dead_at_the_undo_is_given_back_later)
{
	ck_assert_int_eq(block(), 0);
	sim_function(SIM_NVME)->all_ones = true;
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), -ETIMEDOUT);
	ck_assert_str_eq(q->iommus[0].result[RIOMMU_STAGE_STOP].object, SIM_NVME);
	ck_assert_int_eq(q->iommus[0].result[RIOMMU_STAGE_STOP].outcome, RIOMMU_OUTCOME_DEAD);
	ck_assert(sim_masters(SIM_EDU) && !sim_masters(SIM_NVME));
	sim_function(SIM_NVME)->all_ones = false;
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert(sim_masters(SIM_NVME));
}
END_TEST

/* What an earlier run left was there when this one was prepared; then the driver set ddtp up, and that is what undo gives back. */
START_TEST(a_directory_that_changes_before_the_second_write_is_kept)
{
	const uint64_t ddtp = 0x20090003;

	ck_assert_int_eq(block(), 0);
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	sim_set(0, RIOMMU_REG_DDTP, 8, ddtp);
	ck_assert_int_eq(riommu_quiesce_stage(q, RIOMMU_STAGE_BLOCK, NULL, NULL), 0);
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), ddtp);
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1);
}
END_TEST

START_TEST(what_an_earlier_run_announced_and_cannot_be_crossed_out_is_not_written_over)
{
	unsigned writes;
	const char *name;

	ck_assert_int_eq(block(), 0);
	args.iommus = (const size_t[]){0};
	args.iommu_count = 1;
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	sim_set(0, RIOMMU_REG_DDTP, 8, 0x20090003);
	writes = sim->writes;
	failing_begin(FAILING_FILES, 1);
	ck_assert_int_eq(riommu_quiesce_stage(q, RIOMMU_STAGE_BLOCK, NULL, NULL), -EIO);
	ck_assert(failing_end(&name));
	ck_assert_str_eq(name, "pwrite");
	ck_assert_uint_eq(sim->writes, writes);
}
END_TEST

/* -- what the system refuses ------------------------------------------------------------------------------------ */

START_TEST(a_state_of_another_user_is_not_ours)
{
	ck_assert_int_eq(block(), 0);
	if (geteuid() != 0 || chown(below("run/quiesce.state"), 1, (gid_t)-1))
		return; /* only root can make one */
	ck_assert_int_lt(open_undo(), 0);
	expect_words(riommu_error(ctx), "quiesce.state");
	ck_assert_int_eq(chown(below("run/quiesce.state"), 0, (gid_t)-1), 0);
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
}
END_TEST

START_TEST(a_state_that_may_not_be_kept_is_refused)
{
	plan();
	failing_always("mkdir", _i ? EPERM : EACCES);
	ck_assert_int_eq(riommu_quiesce_prepare(q), -EACCES);
	expect_words(riommu_error(ctx), "making the directory for the state: ");
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

/* What cannot be announced is not written: a kill in between would leave what nobody can undo. */
START_TEST(what_cannot_be_announced_is_not_written)
{
	static const struct {
		enum riommu_stage stage;
		unsigned call; /* of those that write: each is followed by one that syncs */
	} cases[] = {{RIOMMU_STAGE_STOP, 1},  {RIOMMU_STAGE_STOP, 3},  {RIOMMU_STAGE_BLOCK, 1},
		     {RIOMMU_STAGE_BLOCK, 3}, {RIOMMU_STAGE_BLOCK, 5}, {RIOMMU_STAGE_BLOCK, 6}};
	enum riommu_stage stage = cases[_i].stage;
	const char *name;

	args.iommus = (const size_t[]){1};
	args.iommu_count = 1;
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	/* both were changed since: so what undo gives back is to be changed in the state, too */
	sim_function(SIM_GPU)->config[2] ^= 0x400;
	sim_set(1, RIOMMU_REG_DDTP, 8, 0x20090003);
	failing_begin(FAILING_FILES, cases[_i].call);
	ck_assert_int_eq(riommu_quiesce_stage(q, stage, NULL, NULL), -EIO);
	ck_assert(failing_end(&name));
	ck_assert_str_eq(name, cases[_i].call % 2 ? "pwrite" : "fsync");
	expect_words(q->iommus[0].result[stage].words, "quiesce.state: ");
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

START_TEST(what_cannot_be_crossed_out_stays_to_be_undone)
{
	const char *name;

	ck_assert_int_eq(block(), 0);
	sim_function(SIM_EDU)->config[1] =
		0x7777; /* another device: there is nothing to give back */
	ck_assert_int_eq(open_undo(), 0);
	failing_begin(FAILING_FILES, 5); /* after those of ddtp and of the disk, each with a sync */
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), -EIO);
	ck_assert(failing_end(&name));
	ck_assert_str_eq(q->iommus[0].result[RIOMMU_STAGE_STOP].object, SIM_EDU);
	expect_words(q->iommus[0].result[RIOMMU_STAGE_STOP].words, "writing the state");
	ck_assert_int_eq(access(below("run/quiesce.state"), F_OK), 0);
	ck_assert_int_eq(open_undo(), 0);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert_int_eq(access(below("run/quiesce.state"), F_OK), -1);
}
END_TEST

/* A state with nothing in it is what a kill between its making and the first write leaves. */
START_TEST(a_state_without_anything_to_undo_that_cannot_be_removed_is_told)
{
	const char *name;

	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	failing_always("unlink", EROFS);
	riommu_quiesce_close(q);
	q = NULL;
	ck_assert_int_eq(open_undo(), -EROFS);
	expect_words(riommu_error(ctx), "removing the state");
	failing_end(&name);
	ck_assert_int_eq(open_undo(), -ENOENT);
	expect_words(riommu_error(ctx), "nothing to undo");
	ck_assert_int_eq(access(below("run/quiesce.state"), F_OK), -1);
}
END_TEST

START_TEST(an_iommu_that_may_not_be_removed_says_so)
{
	static const struct {
		const char *what;
		int error, err;
	} cases[] = {{"openat", EPERM, -EACCES},
		     {"openat", EACCES, -EACCES},
		     {"write", EPERM, -EACCES},
		     {"write", EIO, -EIO}};

	snprintf(sys->iommus[0].name, sizeof(sys->iommus[0].name), "%s", SIM_IOMMU);
	write_text("sys/bus/pci/devices/0000:00:04.0/remove", "");
	failing_always(cases[_i].what, cases[_i].error);
	ck_assert_int_eq(riommu_iommu_remove(sys, 0), cases[_i].err);
	expect_words(riommu_error(ctx), "0000:00:04.0/remove: ");
}
END_TEST

static struct riommu_hw *open_hw(void)
{
	struct riommu_hw *hw = NULL;

	sys->live = true;
	ck_assert_int_eq(riommu_hw_open(sys, false, &hw), 0);
	return hw;
}

START_TEST(hardware_that_was_opened_to_look_writes_nothing)
{
	struct riommu_hw *hw = open_hw();

	ck_assert_int_eq(hw->ops->reg_write(hw->arg, SIM_BASE0, RIOMMU_REG_DDTP, 0), -EACCES);
	expect_words(riommu_error(ctx), "not opened for writing");
	ck_assert_uint_eq(sim->writes, 0);
	riommu_hw_close(hw);
}
END_TEST

START_TEST(config_space_that_may_not_be_read_is_refused)
{
	struct riommu_hw *hw = open_hw();
	const char *name;
	uint32_t v;

	failing_always("openat", EACCES);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_IOMMU, 4, 2, &v), -EACCES);
	failing_end(&name);
	write_text("sys/bus/pci/devices/0000:00:04.0/config", "01234567890123456789");
	failing_always("pread", EACCES);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_IOMMU, 4, 2, &v), -EACCES);
	expect_words(riommu_error(ctx), "lockdown?");
	failing_end(&name);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, "10000000.dma", 4, 2, &v), -EINVAL);
	riommu_hw_close(hw);
}
END_TEST

/* The kernel answers ENODEV for a function that is taken out between its being found, opened and read. */
START_TEST(a_function_that_is_taken_out_meanwhile_is_gone)
{
	struct riommu_hw *hw = open_hw();
	const char *name;
	uint32_t v;

	write_text("sys/bus/pci/devices/0000:00:04.0/config", "01234567890123456789");
	failing_always(_i ? "pread" : "openat", ENODEV);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_IOMMU, 4, 2, &v), -ENODATA);
	failing_end(&name);
	expect_words(riommu_error(ctx), "No such device");
	riommu_hw_close(hw);
}
END_TEST

START_TEST(memory_that_may_not_be_locked_is_an_error_of_its_own)
{
	struct riommu_hw *hw = open_hw();

	failing_always("mlockall", EPERM);
	ck_assert_int_eq(hw->ops->lock_memory(hw->arg), -EPERM);
	riommu_hw_close(hw);
}
END_TEST

/* Whatever errno was before. */
START_TEST(without_pci_no_function_is_there)
{
	struct riommu_hw *hw;
	uint32_t v;

	ck_assert_int_eq(riommu_option_set(ctx, "sysfs.path", below("no-sysfs")), 0);
	hw = open_hw();
	errno = EACCES;
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_NVME, 4, 2, &v), -ENODATA);
	expect_words(riommu_error(ctx), "no PCI in sysfs");
	riommu_hw_close(hw);
}
END_TEST

START_TEST(pci_that_may_not_be_looked_at_is_no_machine_without)
{
	struct riommu_hw *hw;

	sys->live = true;
	failing_always("/bus/pci/devices", EACCES);
	ck_assert_int_eq(riommu_hw_open(sys, false, &hw), -EACCES);
	ck_assert_ptr_null(hw);
	expect_words(riommu_error(ctx), "/bus/pci/devices: Permission denied");
}
END_TEST

START_TEST(hardware_without_memory_is_not_opened)
{
	struct riommu_hw *hw;
	const char *name;

	for (unsigned n = 1; n <= 2; n++) {
		failing_begin(FAILING_MEMORY, n);
		ck_assert_int_eq(_i ? riommu_hw_trace(sim_hw(), NULL, NULL, &hw)
				    : riommu_hw_open(sys, false, &hw),
				 -ENOMEM);
		failing_end(&name);
		ck_assert_str_eq(name, "calloc");
		ck_assert_ptr_null(hw);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control-change");
	TCase *tc = tcase_create("control-change");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_no_table_has_has_a_word);
	tcase_add_test(tc, an_iommu_that_there_is_none_of_is_not_planned);
	tcase_add_test(tc, an_iommu_that_is_named_twice_is_one);
	tcase_add_test(tc, a_plan_that_looked_at_no_register_is_not_carried_out);
	tcase_add_test(tc, a_stage_that_does_not_exist_is_not_run);
	tcase_add_test(tc, an_undo_has_no_stages);
	tcase_add_test(tc, what_could_not_be_prepared_may_be_prepared_again);
	tcase_add_test(tc, another_iommu_after_the_plan_is_not_prepared);
	tcase_add_loop_test(tc, an_iommu_that_was_set_up_anew_is_blocked_anew, 0, 3);
	tcase_add_test(tc, a_directory_that_is_neither_old_nor_ours_is_kept);
	tcase_add_test(tc, a_directory_that_changes_during_the_undo_is_left_alone);
	tcase_add_test(tc, a_directory_that_changes_after_the_look_at_all_is_left_alone);
	tcase_add_loop_test(tc, a_command_queue_that_stopped_meanwhile_is_told, 0, 5);
	tcase_add_test(tc, an_iommu_that_nothing_tells_of_any_more_is_undone_by_its_base);
	tcase_add_test(tc, another_device_in_a_slot_is_stopped_for_itself);
	tcase_add_test(tc, a_virtual_function_is_stopped_and_given_back);
	tcase_add_test(tc, another_virtual_function_in_a_slot_is_left_alone);
	tcase_add_loop_test(
		tc, a_function_that_goes_away_after_the_plan_keeps_nothing_from_being_blocked, 0,
		2);
	tcase_add_loop_test(tc, a_function_that_may_not_be_asked_who_it_is_stops_all_of_it, 0, 2);
	tcase_add_test(tc, a_function_that_is_dead_at_the_undo_is_given_back_later);
	tcase_add_test(tc, a_directory_that_changes_before_the_second_write_is_kept);
	tcase_add_test(tc,
		       what_an_earlier_run_announced_and_cannot_be_crossed_out_is_not_written_over);
	tcase_add_test(tc, a_state_of_another_user_is_not_ours);
	tcase_add_loop_test(tc, a_state_that_may_not_be_kept_is_refused, 0, 2);
	tcase_add_loop_test(tc, what_cannot_be_announced_is_not_written, 0, 6);
	tcase_add_test(tc, what_cannot_be_crossed_out_stays_to_be_undone);
	tcase_add_test(tc, a_state_without_anything_to_undo_that_cannot_be_removed_is_told);
	tcase_add_loop_test(tc, an_iommu_that_may_not_be_removed_says_so, 0, 4);
	tcase_add_test(tc, hardware_that_was_opened_to_look_writes_nothing);
	tcase_add_test(tc, config_space_that_may_not_be_read_is_refused);
	tcase_add_loop_test(tc, a_function_that_is_taken_out_meanwhile_is_gone, 0, 2);
	tcase_add_test(tc, memory_that_may_not_be_locked_is_an_error_of_its_own);
	tcase_add_test(tc, without_pci_no_function_is_there);
	tcase_add_test(tc, pci_that_may_not_be_looked_at_is_no_machine_without);
	tcase_add_loop_test(tc, hardware_without_memory_is_not_opened, 0, 2);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
