/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control: block and undo on a simulated machine: each stage, each fault, and a kill after each single write. */
#include "control/control-internal.h"
#include "discover/paths.h"
#include "files.h"
#include "simulated.h"
#include "runner.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOOT_ID "0ac5b1a2-5f3c-4a8e-9d63-0123456789ab\n"
#define STATE   "run/quiesce.state"

/* where its parts begin, with two IOMMUs */
#define HEAD      sizeof(struct state_head)
#define FUNCTIONS (HEAD + 2 * sizeof(struct state_iommu))

static struct riommu_ctx *ctx;
static struct riommu_system *sys;
static struct riommu_quiesce *q;
static struct riommu_quiesce_args args;

/* -- allocations between the first and the last write ---------------------------------------------------------- */

static unsigned allocations; /* since the last time somebody looked */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	allocations++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	allocations++;
	return __real_realloc(p, size);
}

/* -- harness ------------------------------------------------------------------------------------------------------- */

static void new_context(void)
{
	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
	ck_assert_int_eq(riommu_option_set(ctx, "proc.path", below("proc")), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "sysfs.path", below("sys")), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "state.path", below("run")), 0);
	sys = sim_system(ctx);
}

static void setup(void)
{
	files_begin();
	make_dir("proc/sys/kernel/random");
	write_text("proc/sys/kernel/random/boot_id", BOOT_ID);
	sim_begin();
	sim->must_be_locked = true;
	snprintf(sim->state_file, sizeof(sim->state_file), "%s", below(STATE));
	args = (struct riommu_quiesce_args){.timeout_ms = 10};
	q = NULL;
	new_context();
}

static void close_plan(void)
{
	riommu_quiesce_close(q);
	q = NULL;
}

static void teardown(void)
{
	close_plan();
	riommu_ctx_free(ctx);
	ck_assert_str_eq(sim->wrong, "");
	sim_end();
	files_end();
}

static void plan(void)
{
	close_plan();
	ck_assert_msg(!riommu_quiesce_plan(sys, sim_hw(), &args, &q), "%s", riommu_error(ctx));
}

static int stages(void)
{
	int err = 0;

	for (int s = 0; s < RIOMMU_STAGE_COUNT; s++) {
		int this = riommu_quiesce_stage(q, (enum riommu_stage)s, NULL, NULL);

		err = err ? err : this;
	}
	return err;
}

/* All of it. The plan stays open. */
static int block(void)
{
	plan();
	ck_assert_msg(!riommu_quiesce_prepare(q), "%s", riommu_error(ctx));
	return stages();
}

/* As another process would. */
static int undo(void)
{
	int err;

	close_plan();
	sim->must_be_locked = false;
	err = riommu_quiesce_open_undo(sys, sim_hw(), &args, &q);
	if (!err)
		err = riommu_quiesce_revert(q, NULL, NULL);
	close_plan();
	return err;
}

static const struct riommu_stage_result *result(size_t iommu, enum riommu_stage stage)
{
	return &q->iommus[iommu].result[stage];
}

static void expect_result(size_t iommu, enum riommu_stage stage, enum riommu_outcome outcome,
			  const char *reg)
{
	const struct riommu_stage_result *r = result(iommu, stage);

	ck_assert_msg(r->outcome == outcome && (!reg || !strcmp(r->reg, reg)),
		      "%s of IOMMU %zu: %s %s %s (%s)", riommu_stage_name(stage), iommu,
		      riommu_outcome_name(r->outcome), r->object, r->reg, r->words);
}

static void expect_verdict(size_t iommu, enum riommu_verdict verdict)
{
	ck_assert_str_eq(riommu_verdict_name(q->iommus[iommu].verdict),
			 riommu_verdict_name(verdict));
}

static void expect_original(void)
{
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0);
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1);
	ck_assert_uint_eq(sim_function(SIM_NVME)->config[2], 0x0506);
	ck_assert_uint_eq(sim_function(SIM_EDU)->config[2], 0x0006);
	ck_assert_uint_eq(sim_function(SIM_NIC)->config[2], 0x0003);
	ck_assert_uint_eq(sim_function(SIM_GPU)->config[2], 0x0407);
}

static void expect_blocked(void)
{
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0 & ~(uint64_t)0xf);
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1 & ~(uint64_t)0xf);
	ck_assert(!sim_masters(SIM_NVME) && !sim_masters(SIM_EDU) && !sim_masters(SIM_GPU));
}

static void expect_queues_off(void)
{
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(sim_reg(i, RIOMMU_REG_CQCSR, 4), 0);
		ck_assert_uint_eq(sim_reg(i, RIOMMU_REG_FQCSR, 4), 0x200); /* W1C, not written */
		ck_assert_uint_eq(sim_reg(i, RIOMMU_REG_PQCSR, 4), 0);
		ck_assert_uint_eq(sim_reg(i, RIOMMU_REG_IPSR, 4), 0);
	}
}

static bool has_state(void)
{
	return !access(below(STATE), F_OK);
}

static void expect_error(const char *word)
{
	ck_assert_msg(strstr(riommu_error(ctx), word), "\"%s\" does not say \"%s\"",
		      riommu_error(ctx), word);
}

/* -- the plan ------------------------------------------------------------------------------------------------------ */

struct traced {
	struct riommu_hw_write writes[128];
	size_t count;
};

static void trace_write(void *arg, const struct riommu_hw_write *w)
{
	struct traced *t = arg;

	ck_assert_uint_lt(t->count, 128);
	t->writes[t->count++] = *w;
}

START_TEST(a_plan_writes_nothing)
{
	struct traced traced = {.count = 0};
	struct riommu_hw *trace;

	args.handover = true;
	ck_assert_int_eq(riommu_hw_trace(sim_hw(), trace_write, &traced, &trace), 0);
	ck_assert_int_eq(riommu_quiesce_plan(sys, trace, &args, &q), 0);
	ck_assert_uint_gt(q->write_count, 10);
	close_plan();
	riommu_hw_close(trace);
	ck_assert_uint_eq(traced.count, 0);
	ck_assert_uint_eq(sim->writes, 0);
	ck_assert(!sim->locked);
	ck_assert_int_ne(access(below("run"), F_OK), 0);
	expect_original();
}
END_TEST

/* The announced writes are the writes that are made: those, in this order, with these values. */
static void expect_as_planned(void)
{
	struct traced traced = {.count = 0};
	struct riommu_hw *trace;

	ck_assert_int_eq(riommu_hw_trace(sim_hw(), trace_write, &traced, &trace), 0);
	ck_assert_int_eq(riommu_quiesce_plan(sys, trace, &args, &q), 0);
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	ck_assert_uint_eq(traced.count, 0);
	ck_assert_int_eq(stages(), 0);
	ck_assert_uint_eq(traced.count, q->write_count);
	for (size_t i = 0; i < traced.count; i++) {
		const struct riommu_hw_write *a = &traced.writes[i], *b = &q->writes[i].write;

		ck_assert_msg(!strcmp(a->function, b->function) && a->base == b->base &&
				      a->offset == b->offset && a->width == b->width &&
				      a->value == b->value,
			      "write %zu: %s 0x%x := 0x%x, planned %s 0x%x := 0x%x", i, a->function,
			      a->offset, a->value, b->function, b->offset, b->value);
	}
	close_plan();
	riommu_hw_close(trace);
}

START_TEST(what_is_planned_is_what_is_written)
{
	expect_as_planned();
	expect_blocked();
}
END_TEST

START_TEST(what_is_planned_for_a_handover_is_what_is_written)
{
	args.handover = true;
	expect_as_planned();
	expect_blocked();
	expect_queues_off();
}
END_TEST

START_TEST(the_plan_says_what_every_device_is)
{
	static const enum riommu_function_kind kinds[] = {
		RIOMMU_FUNCTION_MASTER, RIOMMU_FUNCTION_MASTER,   RIOMMU_FUNCTION_BRIDGE,
		RIOMMU_FUNCTION_IOMMU,  RIOMMU_FUNCTION_PLATFORM, RIOMMU_FUNCTION_QUIET,
		RIOMMU_FUNCTION_MASTER};

	plan();
	ck_assert_uint_eq(q->function_count, 7); /* the alias is not another one */
	for (size_t i = 0; i < 7; i++)
		ck_assert_str_eq(riommu_function_kind_name(q->functions[i].kind),
				 riommu_function_kind_name(kinds[i]));
	ck_assert_uint_eq(q->functions[0].pcie, 0x80);
	ck_assert_uint_eq(q->functions[1].pcie, 0);
	ck_assert_uint_eq(q->functions[0].command_new, 0x0502);
	ck_assert_uint_eq(q->functions[6].iommu, 1);
	ck_assert_uint_eq(q->iommus[0].ddtp_new, 0x0012345678abc400);
}
END_TEST

START_TEST(a_capability_list_in_a_circle_ends)
{
	sim_function(SIM_EDU)->config[0x40 / 2] = 0x4001;
	plan();
	ck_assert_uint_eq(q->functions[1].pcie, 0);
	ck_assert_uint_lt(sim->accesses, 300);
}
END_TEST

/* More than the first table of names has room for, without a name, and one of another IOMMU. */
START_TEST(each_of_many_devices_is_planned_once)
{
	struct riommu_device devices[40] = {{.device_id = 1}};
	char last[64];

	for (unsigned i = 1; i < 40; i++) {
		devices[i] = (struct riommu_device){.device_id = i, .iommu = i / 38};
		snprintf(devices[i].name, sizeof(devices[i].name), "%x0000000.dma", i);
	}
	snprintf(last, sizeof(last), "%s", devices[39].name);
	sys->devices = devices;
	sys->device_count = 40;
	args.keep = (const char *const[]){last};
	args.keep_count = 1;
	plan();
	ck_assert_uint_eq(q->function_count, 39);
	ck_assert_str_eq(q->functions[38].name, last);
	ck_assert_uint_eq(q->functions[38].iommu, 1);
	/* nothing of it is written: it is what it was */
	ck_assert_int_eq(q->functions[38].kind, RIOMMU_FUNCTION_PLATFORM);
}
END_TEST

/* 6.28: fields of icvec that capabilities have no use for are 0, and mean nothing. */
START_TEST(vectors_are_those_of_what_the_iommu_can_do)
{
	const uint64_t icvec = 0x4321, wires = (uint64_t)RIOMMU_IGS_WSI << 28;

	ck_assert_uint_eq(control_vectors(0, 0, icvec), 1u << 1 | 1u << 2);
	ck_assert_uint_eq(control_vectors(RIOMMU_CAP_HPM, 0, icvec), 1u << 1 | 1u << 2 | 1u << 3);
	ck_assert_uint_eq(control_vectors(RIOMMU_CAP_ATS, 0, icvec), 1u << 1 | 1u << 2 | 1u << 4);
	ck_assert_uint_eq(control_vectors(wires, 0, icvec), 0);
	ck_assert_uint_eq(control_vectors(0, RIOMMU_FCTL_WSI, icvec), 0);
}
END_TEST

START_TEST(only_the_selected_iommu_is_touched)
{
	static const size_t second[] = {1};

	args.iommus = second;
	args.iommu_count = 1;
	ck_assert_int_eq(block(), 0);
	ck_assert_uint_eq(q->iommu_count, 1);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0);
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1 & ~(uint64_t)0xf);
	ck_assert(sim_masters(SIM_NVME) && !sim_masters(SIM_GPU));
}
END_TEST

static void expect_no_plan(int err, const char *word)
{
	ck_assert_int_eq(riommu_quiesce_plan(sys, sim_hw(), &args, &q), err);
	ck_assert_ptr_null(q);
	expect_error(word);
}

START_TEST(no_plan_for_what_does_not_answer)
{
	sim->iommus[0].dead = true;
	expect_no_plan(-EFAULT, "all ones");
	sim->iommus[0].dead = false;
	sim->iommus[0].refused = true;
	expect_no_plan(-EACCES, "3010000.iommu");
	sim->iommus[0].refused = false;
	sim->iommus[0].bus_error = true;
	expect_no_plan(-EFAULT, "capabilities");
	sim->iommus[0].bus_error = false;
	sim_set(0, RIOMMU_REG_CAPABILITIES, 8, 0x20);
	expect_no_plan(-EBADMSG, "not those of an IOMMU");
}
END_TEST

START_TEST(what_is_to_be_kept_must_exist)
{
	static const char *const keep[] = {"0000:7f:00.0"};

	args.keep = keep;
	args.keep_count = 1;
	expect_no_plan(-EINVAL, "0000:7f:00.0");
}
END_TEST

START_TEST(no_stage_without_preparing)
{
	plan();
	ck_assert_int_eq(riommu_quiesce_stage(q, RIOMMU_STAGE_BLOCK, NULL, NULL), -EINVAL);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), -EINVAL);
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

/* -- block, and its faults ------------------------------------------------------------------------------------------- */

START_TEST(a_block_is_one_write_and_keeps_the_ppn)
{
	args.skip = 1u << RIOMMU_STAGE_STOP | 1u << RIOMMU_STAGE_DRAIN;
	ck_assert_int_eq(block(), 0);
	for (size_t i = 0; i < 2; i++) {
		expect_result(i, RIOMMU_STAGE_STOP, RIOMMU_OUTCOME_SKIPPED, NULL);
		expect_result(i, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_DONE, "ddtp");
		expect_result(i, RIOMMU_STAGE_QUEUES, RIOMMU_OUTCOME_SKIPPED, NULL);
		expect_result(i, RIOMMU_STAGE_VERIFY, RIOMMU_OUTCOME_DONE, NULL);
		ck_assert_uint_le(result(i, RIOMMU_STAGE_BLOCK)->writes, 2);
		ck_assert_uint_eq(sim->iommus[i].writes, 1);
		expect_verdict(i, RIOMMU_VERDICT_BLOCKED);
	}
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0 & ~(uint64_t)0xf);
	ck_assert(sim_masters(SIM_NVME));
}
END_TEST

START_TEST(what_is_off_already_is_not_written)
{
	sim_set(0, RIOMMU_REG_DDTP, 8, SIM_DDTP0 & ~(uint64_t)0xf);
	ck_assert_int_eq(block(), 0);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_NOTHING, "ddtp");
	ck_assert_uint_eq(sim->iommus[0].writes, 0);
	expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
}
END_TEST

START_TEST(bare_becomes_off_and_bare_again)
{
	sim_set(0, RIOMMU_REG_DDTP, 8, 1);
	ck_assert_int_eq(block(), 0);
	expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), 0);
	ck_assert_int_eq(undo(), 0);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), 1);
}
END_TEST

START_TEST(a_short_busy_is_waited_for)
{
	sim->iommus[0].ddtp_busy_before = 5;
	sim->iommus[0].ddtp_busy_after = 20;
	ck_assert_int_eq(block(), 0);
	expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
}
END_TEST

/* Without capabilities.DBG there is no tr_req_ctl to look at. */
START_TEST(an_iommu_without_a_debug_interface_is_blocked)
{
	sim_set(0, RIOMMU_REG_CAPABILITIES, 8,
		sim_reg(0, RIOMMU_REG_CAPABILITIES, 8) & ~RIOMMU_CAP_DBG);
	sim->iommus[0].go_forever = true;
	ck_assert_int_eq(block(), 0);
	expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
}
END_TEST

/* One IOMMU that fails keeps no other from being blocked. */
static void expect_second_blocked(void)
{
	expect_result(1, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_DONE, "ddtp");
	expect_verdict(1, RIOMMU_VERDICT_BLOCKED);
}

START_TEST(busy_before_that_never_clears)
{
	uint64_t before = sim->time_us;

	sim->iommus[0].ddtp_busy_before = SIM_FOREVER;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_TIMEOUT, "ddtp");
	ck_assert_uint_eq(sim->iommus[0].writes, 0);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0);
	expect_verdict(0, RIOMMU_VERDICT_OPEN);
	expect_second_blocked();
	ck_assert_uint_lt(sim->time_us - before, 3 * 10 * 1000);
}
END_TEST

/* What is begun has half of the time to end: nothing is written so late that it must seem to hang. */
START_TEST(what_was_busy_before_takes_no_time_from_what_comes_after)
{
	sim->iommus[0].ddtp_busy_before = (unsigned)_i * 10;
	sim->iommus[0].ddtp_busy_after = 90; /* some 50 us each, of 10 ms */
	sim->iommus[0].csr_busy_before[SIM_CQ] = (unsigned)_i * 4;
	sim->iommus[0].csr_busy_after[SIM_CQ] = 28; /* each queue has a third */
	args.handover = true;
	block();
	if (result(0, RIOMMU_STAGE_BLOCK)->outcome == RIOMMU_OUTCOME_TIMEOUT)
		ck_assert_uint_eq(result(0, RIOMMU_STAGE_BLOCK)->writes, 0);
	else
		expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_DONE, "ddtp");
	if (sim_reg(0, RIOMMU_REG_CQCSR, 4) & 1)
		ck_assert_int_ne(result(0, RIOMMU_STAGE_QUEUES)->outcome, RIOMMU_OUTCOME_DONE);
	else
		expect_result(0, RIOMMU_STAGE_QUEUES, RIOMMU_OUTCOME_DONE, NULL);
}
END_TEST

START_TEST(busy_after_that_never_clears)
{
	sim->iommus[0].ddtp_busy_after = SIM_FOREVER;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_TIMEOUT, "ddtp");
	expect_verdict(0, RIOMMU_VERDICT_OPEN);
	expect_second_blocked();
	/* once more, and undo: still busy, so still not written again */
	ck_assert_int_eq(block(), -ETIMEDOUT);
	ck_assert_uint_eq(sim->iommus[0].writes, 1);
	ck_assert_int_eq(undo(), -ETIMEDOUT);
	ck_assert_uint_eq(sim->iommus[0].writes, 1);
	ck_assert(has_state());
	/* what was not opened again stays stopped; the other one is as it was */
	ck_assert(!sim_masters(SIM_NVME) && sim_masters(SIM_GPU));
	sim->iommus[0].busy = 0;
	ck_assert_int_eq(undo(), -ETIMEDOUT);
	sim->iommus[0].busy = 0;
	ck_assert_int_eq(undo(), 0);
	expect_original();
	ck_assert(!has_state());
}
END_TEST

START_TEST(a_debug_request_that_never_ends)
{
	sim->iommus[0].go_forever = true;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_TIMEOUT, "tr_req_ctl");
	ck_assert_uint_eq(sim->iommus[0].writes, 0);
	expect_verdict(0, RIOMMU_VERDICT_OPEN);
	expect_second_blocked();
}
END_TEST

START_TEST(a_mode_that_does_not_take)
{
	sim->iommus[0].mode_stays = true;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_NOT_TAKEN, "ddtp");
	ck_assert_uint_eq(sim->iommus[0].writes, 1);
	expect_verdict(0, RIOMMU_VERDICT_OPEN);
	expect_second_blocked();
	ck_assert_int_eq(undo(), 0);
	expect_original();
}
END_TEST

START_TEST(a_ppn_that_is_not_kept)
{
	sim->iommus[0].ppn_changes = true;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_NOT_TAKEN, "ddtp");
	expect_result(0, RIOMMU_STAGE_VERIFY, RIOMMU_OUTCOME_NOT_TAKEN, "ddtp");
}
END_TEST

START_TEST(an_iommu_that_dies_is_never_blocked)
{
	sim->iommus[0].dies_at_write = 1;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_DEAD, "ddtp");
	expect_result(0, RIOMMU_STAGE_VERIFY, RIOMMU_OUTCOME_DEAD, "capabilities");
	expect_verdict(0, RIOMMU_VERDICT_DEAD);
	expect_second_blocked();
	ck_assert_int_eq(undo(), -EFAULT);
	ck_assert(!sim_masters(SIM_GPU)); /* nothing was changed */
}
END_TEST

START_TEST(an_iommu_that_is_dead_before_is_not_written)
{
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	sim->iommus[0].dead = true;
	ck_assert_int_eq(stages(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_DEAD, "capabilities");
	ck_assert_uint_eq(sim->iommus[0].writes, 0);
	expect_verdict(0, RIOMMU_VERDICT_DEAD);
	expect_second_blocked();
}
END_TEST

START_TEST(a_bus_error_is_death_and_a_refusal_is_none)
{
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	sim->iommus[0].bus_error = true;
	sim->iommus[1].refused = true;
	ck_assert_int_eq(riommu_quiesce_stage(q, RIOMMU_STAGE_BLOCK, NULL, NULL), -EACCES);
	ck_assert_int_eq(riommu_quiesce_stage(q, RIOMMU_STAGE_VERIFY, NULL, NULL), -EACCES);
	expect_verdict(0, RIOMMU_VERDICT_DEAD);
	expect_verdict(1, RIOMMU_VERDICT_UNKNOWN);
	expect_result(1, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_REFUSED, "capabilities");
}
END_TEST

START_TEST(another_device_in_its_place_is_not_written)
{
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	sim_set(0, RIOMMU_REG_CAPABILITIES, 8, 0x10);
	ck_assert_int_ne(stages(), 0);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_FAILED, "capabilities");
	ck_assert_uint_eq(sim->iommus[0].writes, 0);
	ck_assert_int_ne(q->iommus[0].verdict, RIOMMU_VERDICT_BLOCKED);
}
END_TEST

START_TEST(no_verdict_without_verify)
{
	args.skip = 1u << RIOMMU_STAGE_VERIFY;
	ck_assert_int_eq(block(), 0);
	expect_verdict(0, RIOMMU_VERDICT_UNKNOWN);
}
END_TEST

START_TEST(a_block_that_was_left_out_is_open)
{
	args.skip = 1u << RIOMMU_STAGE_BLOCK;
	ck_assert_int_eq(block(), 0);
	expect_verdict(0, RIOMMU_VERDICT_OPEN);
	ck_assert(!sim_masters(SIM_NVME));
	ck_assert_uint_eq(sim->iommus[0].writes, 0);
}
END_TEST

/* -- stop and drain ---------------------------------------------------------------------------------------------------- */

START_TEST(who_masters_is_stopped_and_nobody_else)
{
	ck_assert_int_eq(block(), 0);
	ck_assert_uint_eq(sim_function(SIM_NVME)->config[2], 0x0502);
	ck_assert_uint_eq(sim_function(SIM_EDU)->config[2], 0x0002);
	ck_assert_uint_eq(sim_function(SIM_GPU)->config[2], 0x0403);
	ck_assert(sim_masters(SIM_BRIDGE) && sim_masters(SIM_IOMMU));
	ck_assert_uint_eq(result(0, RIOMMU_STAGE_STOP)->writes, 2);
	/* the platform device: there is no way to stop it */
	expect_result(0, RIOMMU_STAGE_STOP, RIOMMU_OUTCOME_CANNOT_TELL, "");
	ck_assert_str_eq(result(0, RIOMMU_STAGE_STOP)->object, SIM_PLATFORM);
	ck_assert_int_eq(q->functions[0].stop, RIOMMU_OUTCOME_DONE);
	ck_assert_int_eq(q->functions[5].stop, RIOMMU_OUTCOME_NOTHING);
}
END_TEST

START_TEST(what_is_kept_masters_on)
{
	static const char *const keep[] = {SIM_NVME};

	args.keep = keep;
	args.keep_count = 1;
	ck_assert_int_eq(block(), 0);
	ck_assert(sim_masters(SIM_NVME) && !sim_masters(SIM_EDU));
	ck_assert_int_eq(q->functions[0].stop, RIOMMU_OUTCOME_SKIPPED);
	ck_assert_int_eq(q->functions[0].drain, RIOMMU_OUTCOME_SKIPPED);
}
END_TEST

START_TEST(what_would_not_be_stopped_anyway_may_be_kept)
{
	static const char *const keep[] = {SIM_BRIDGE, SIM_PLATFORM, SIM_NIC};

	args.keep = keep;
	args.keep_count = 3;
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(q->functions[2].kind, RIOMMU_FUNCTION_BRIDGE);
	ck_assert_int_eq(q->functions[4].kind, RIOMMU_FUNCTION_PLATFORM);
	ck_assert_int_eq(q->functions[5].kind, RIOMMU_FUNCTION_KEPT);
	ck_assert(!sim_masters(SIM_NVME));
}
END_TEST

START_TEST(bus_mastering_that_cannot_be_cleared)
{
	sim_function(SIM_NVME)->stays_on = true;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_STOP, RIOMMU_OUTCOME_NOT_TAKEN, "COMMAND");
	ck_assert_str_eq(result(0, RIOMMU_STAGE_STOP)->object, SIM_NVME);
	ck_assert(q->functions[0].came_back);
	/* it is blocked all the same: by the IOMMU */
	expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
}
END_TEST

START_TEST(bus_mastering_that_comes_back)
{
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	sim_function(SIM_NVME)->comes_back = 3;
	ck_assert_int_eq(stages(), -ETIMEDOUT);
	ck_assert_int_eq(q->functions[0].stop, RIOMMU_OUTCOME_DONE);
	ck_assert(q->functions[0].came_back);
	expect_result(0, RIOMMU_STAGE_VERIFY, RIOMMU_OUTCOME_NOT_TAKEN, "COMMAND");
	expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
	ck_assert_int_eq(undo(), 0);
	expect_original();
}
END_TEST

START_TEST(transactions_pending_are_waited_for)
{
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(q->functions[0].drain, RIOMMU_OUTCOME_DONE);
	ck_assert_uint_eq(sim_function(SIM_NVME)->pending, 0);
}
END_TEST

START_TEST(no_express_capability_is_never_drained)
{
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(q->functions[1].drain, RIOMMU_OUTCOME_CANNOT_TELL);
	ck_assert_int_eq(q->functions[4].drain, RIOMMU_OUTCOME_CANNOT_TELL); /* platform */
	expect_result(0, RIOMMU_STAGE_DRAIN, RIOMMU_OUTCOME_CANNOT_TELL, "");
	expect_result(1, RIOMMU_STAGE_DRAIN, RIOMMU_OUTCOME_DONE, NULL);
}
END_TEST

START_TEST(transactions_pending_forever)
{
	uint64_t before = sim->time_us;

	sim_function(SIM_NVME)->pending = SIM_FOREVER;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_DRAIN, RIOMMU_OUTCOME_TIMEOUT, "Device Status");
	ck_assert_str_eq(result(0, RIOMMU_STAGE_DRAIN)->object, SIM_NVME);
	ck_assert_int_eq(q->functions[5].drain, RIOMMU_OUTCOME_DONE);
	ck_assert_uint_lt(sim->time_us - before, 2 * 10 * 1000);
	expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
}
END_TEST

START_TEST(a_function_that_dies_is_not_stopped_nor_drained)
{
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	sim_function(SIM_NVME)->all_ones = true;
	ck_assert_int_eq(stages(), -ETIMEDOUT);
	ck_assert_int_eq(q->functions[0].stop, RIOMMU_OUTCOME_DEAD);
	ck_assert_int_eq(q->functions[0].drain, RIOMMU_OUTCOME_DEAD);
}
END_TEST

START_TEST(a_function_without_config_space_is_unknown)
{
	sim_function(SIM_NVME)->gone = true;
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(q->functions[0].kind, RIOMMU_FUNCTION_UNKNOWN);
	ck_assert_int_eq(q->functions[0].stop, RIOMMU_OUTCOME_CANNOT_TELL);
	ck_assert_int_eq(q->functions[0].drain, RIOMMU_OUTCOME_CANNOT_TELL);
}
END_TEST

/* -- queues ------------------------------------------------------------------------------------------------------------ */

START_TEST(a_handover_stops_the_queues)
{
	args.handover = true;
	ck_assert_int_eq(block(), 0);
	expect_blocked();
	expect_queues_off();
	for (size_t i = 0; i < 2; i++) {
		expect_result(i, RIOMMU_STAGE_QUEUES, RIOMMU_OUTCOME_DONE, NULL);
		expect_verdict(i, RIOMMU_VERDICT_BLOCKED);
		for (uint32_t v = 0; v < 4; v++)
			ck_assert_uint_eq(sim_reg(i, 0x30c + 16 * v, 4), 1);
		ck_assert_uint_eq(sim_reg(i, 0x30c + 16 * 4, 4), 0); /* not one that it uses */
	}
}
END_TEST

START_TEST(wires_have_no_vectors_to_mask)
{
	args.handover = true;
	sim_set(0, RIOMMU_REG_FCTL, 4, RIOMMU_FCTL_WSI);
	ck_assert_int_eq(block(), 0);
	ck_assert_uint_eq(sim_reg(0, 0x30c, 4), 0);
	ck_assert_uint_eq(sim_reg(1, 0x30c, 4), 1);
}
END_TEST

START_TEST(without_ats_there_is_no_page_request_queue)
{
	args.handover = true;
	sim_set(0, RIOMMU_REG_CAPABILITIES, 8,
		sim_reg(0, RIOMMU_REG_CAPABILITIES, 8) & ~RIOMMU_CAP_ATS);
	ck_assert_int_eq(block(), 0);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_PQCSR, 4), 0x10001);
	expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
}
END_TEST

START_TEST(queues_that_are_off_are_not_written)
{
	args.handover = true;
	for (uint32_t csr = RIOMMU_REG_CQCSR; csr <= RIOMMU_REG_PQCSR; csr += 4)
		sim_set(0, csr, 4, 0x100);
	sim_set(0, RIOMMU_REG_IPSR, 4, 0);
	sim_set(0, RIOMMU_REG_FCTL, 4, RIOMMU_FCTL_WSI);
	ck_assert_int_eq(block(), 0);
	ck_assert_uint_eq(sim->iommus[0].writes, 1); /* ddtp */
	expect_result(0, RIOMMU_STAGE_QUEUES, RIOMMU_OUTCOME_NOTHING, NULL);
}
END_TEST

static const char *const csr_names[] = {"cqcsr", "fqcsr", "pqcsr"};

/* The fault is in one queue: that one is named, the others are off. */
static void expect_one_queue_bad(int bad, enum riommu_outcome outcome)
{
	args.handover = true;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_QUEUES, outcome, csr_names[bad]);
	expect_result(0, RIOMMU_STAGE_VERIFY, RIOMMU_OUTCOME_NOT_TAKEN, csr_names[bad]);
	expect_verdict(0, RIOMMU_VERDICT_OPEN);
	expect_verdict(1, RIOMMU_VERDICT_BLOCKED);
	for (int i = 0; i < SIM_QUEUES; i++) {
		if (i != bad)
			ck_assert_uint_eq(
				sim_reg(0, RIOMMU_REG_CQCSR + 4 * (uint32_t)i, 4) & 0x10003, 0);
	}
}

START_TEST(a_queue_that_is_busy_before)
{
	sim->iommus[0].csr_busy_before[_i] = SIM_FOREVER;
	expect_one_queue_bad(_i, RIOMMU_OUTCOME_TIMEOUT);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_CQCSR + 4 * (uint32_t)_i, 4) & 1, 1);
}
END_TEST

START_TEST(a_queue_that_stays_busy)
{
	sim->iommus[0].csr_busy_after[_i] = SIM_FOREVER;
	expect_one_queue_bad(_i, RIOMMU_OUTCOME_TIMEOUT);
}
END_TEST

START_TEST(a_queue_that_stays_on)
{
	sim->iommus[0].on_stays[_i] = true;
	expect_one_queue_bad(_i, RIOMMU_OUTCOME_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(result(0, RIOMMU_STAGE_QUEUES)->words, "on is still set"));
}
END_TEST

START_TEST(a_queue_that_stays_enabled)
{
	sim->iommus[0].enable_stays[_i] = true;
	args.handover = true;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_verdict(0, RIOMMU_VERDICT_OPEN);
	expect_verdict(1, RIOMMU_VERDICT_BLOCKED);
}
END_TEST

START_TEST(a_queue_whose_interrupt_stays_enabled)
{
	sim->iommus[0].interrupt_stays[_i] = true;
	sim_set(0, RIOMMU_REG_CQCSR + 4 * (uint32_t)_i, 4, 0x10003);
	expect_one_queue_bad(_i, RIOMMU_OUTCOME_NOT_TAKEN);
	ck_assert_ptr_nonnull(strstr(result(0, RIOMMU_STAGE_QUEUES)->words, "0 was written"));
}
END_TEST

START_TEST(a_handover_without_its_queues_leaves_them_running)
{
	args.handover = true;
	args.skip = 1u << RIOMMU_STAGE_QUEUES;
	ck_assert_int_eq(block(), 0);
	expect_result(0, RIOMMU_STAGE_QUEUES, RIOMMU_OUTCOME_SKIPPED, NULL);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_CQCSR, 4), 0x10003);
	for (size_t i = 0; i < q->write_count; i++)
		ck_assert_int_ne(q->writes[i].stage, RIOMMU_STAGE_QUEUES);
	expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
	ck_assert_int_eq(undo(), 0);
	expect_original();
}
END_TEST

START_TEST(interrupts_that_stay)
{
	args.handover = true;
	sim->iommus[0].ipsr_stays = true;
	sim->iommus[1].vector_stays = true;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_QUEUES, RIOMMU_OUTCOME_NOT_TAKEN, "ipsr");
	expect_verdict(0, RIOMMU_VERDICT_OPEN);
	expect_result(1, RIOMMU_STAGE_QUEUES, RIOMMU_OUTCOME_NOT_TAKEN, "msi_vec_ctl_0");
}
END_TEST

START_TEST(what_is_not_blocked_keeps_its_queues)
{
	args.handover = true;
	sim->iommus[0].ddtp_busy_before = SIM_FOREVER;
	ck_assert_int_eq(block(), -ETIMEDOUT);
	expect_result(0, RIOMMU_STAGE_QUEUES, RIOMMU_OUTCOME_LEFT_OUT, "ddtp");
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_CQCSR, 4), 0x10003);
	expect_verdict(1, RIOMMU_VERDICT_BLOCKED);
}
END_TEST

/* -- state ------------------------------------------------------------------------------------------------------------- */

START_TEST(the_state_is_there_before_the_first_write)
{
	struct stat st;

	plan();
	ck_assert(!has_state());
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	ck_assert_int_eq(stat(below(STATE), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_str_eq(q->state_file, below(STATE));
	ck_assert(sim->locked && q->memory_locked);
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

START_TEST(prepared_and_not_done_leaves_nothing)
{
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	close_plan();
	ck_assert(!has_state());
}
END_TEST

START_TEST(memory_that_cannot_be_locked_is_told)
{
	sim->lock_fails = true;
	sim->must_be_locked = false;
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	ck_assert(!q->memory_locked);
}
END_TEST

START_TEST(nothing_is_allocated_between_the_writes)
{
	unsigned made;
	int err;

	args.handover = true;
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	allocations = 0;
	err = stages();
	made = allocations; /* Check allocates, too */
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(made, 0);
}
END_TEST

START_TEST(nothing_is_allocated_on_the_way_back)
{
	unsigned made;
	int err;

	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	ck_assert_int_eq(stages(), 0);
	allocations = 0;
	err = riommu_quiesce_revert(q, NULL, NULL);
	made = allocations;
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(made, 0);
	expect_original();
	ck_assert(!has_state());
	/* and that is the end of this plan */
	ck_assert_int_eq(riommu_quiesce_stage(q, RIOMMU_STAGE_BLOCK, NULL, NULL), -EINVAL);
	ck_assert_int_eq(riommu_quiesce_prepare(q), -EINVAL);
	expect_error("make a new one");
	ck_assert(!has_state());
}
END_TEST

START_TEST(two_runs_exclude_each_other)
{
	struct riommu_quiesce *other;

	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(riommu_quiesce_plan(sys, sim_hw(), &args, &other), 0);
	ck_assert_int_eq(riommu_quiesce_prepare(other), -EBUSY);
	expect_error("another run");
	riommu_quiesce_close(other);
	ck_assert_int_eq(riommu_quiesce_open_undo(sys, sim_hw(), &args, &other), -EBUSY);
	ck_assert_ptr_null(other);
	ck_assert(has_state());
}
END_TEST

START_TEST(without_a_boot_id_nothing_begins)
{
	ck_assert_int_eq(unlink(below("proc/sys/kernel/random/boot_id")), 0);
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), -ENOENT);
	expect_error("boot_id");
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

START_TEST(a_state_that_cannot_be_kept_stops_before_the_first_write)
{
	write_text("run", "no directory");
	plan();
	ck_assert_int_ne(riommu_quiesce_prepare(q), 0);
	ck_assert_int_eq(stages(), -EINVAL);
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

START_TEST(a_damaged_state_is_neither_used_nor_overwritten)
{
	make_dir("run/x");
	write_text(STATE, "this is no state");
	ck_assert_int_eq(chmod(below(STATE), 0600), 0);
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), -EBADMSG);
	ck_assert_int_eq(undo(), -EBADMSG);
	ck_assert(has_state());
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

START_TEST(a_state_that_others_may_write_is_not_ours)
{
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(chmod(below(STATE), 0666), 0);
	ck_assert_int_eq(undo(), -EBADMSG);
	expect_blocked();
}
END_TEST

#define STATE_MAX ((size_t)64 << 10)

/* The state of a machine that is blocked, as it is in its file; its length. */
static size_t blocked_state(uint8_t bytes[STATE_MAX])
{
	size_t len;
	FILE *f;

	ck_assert_int_eq(block(), 0);
	close_plan();
	f = fopen(below(STATE), "r");
	ck_assert_ptr_nonnull(f);
	len = fread(bytes, 1, STATE_MAX, f);
	fclose(f);
	return len;
}

static void expect_damage(const uint8_t *bytes, size_t len)
{
	write_file(STATE, bytes, len);
	ck_assert_int_eq(chmod(below(STATE), 0600), 0);
	ck_assert_int_eq(undo(), -EBADMSG);
}

/* Cut at any length, or with any byte of its heads changed: damage, or the same answer, but no crash. */
START_TEST(a_truncated_state_is_damage)
{
	static uint8_t bytes[STATE_MAX];
	size_t len = blocked_state(bytes);

	ck_assert_uint_gt(len, 200);
	for (size_t i = 0; i < len; i += 7)
		expect_damage(bytes, i);
	for (size_t i = 0; i < 32; i++) {
		bytes[i] ^= 0x55;
		write_file(STATE, bytes, len);
		ck_assert_int_eq(chmod(below(STATE), 0600), 0);
		ck_assert_int_ne(undo(), 0);
		bytes[i] ^= 0x55;
	}
	expect_blocked();
}
END_TEST

/* Each word of it that cannot be what was written. */
START_TEST(a_state_that_makes_no_sense_is_damage)
{
	static const struct {
		size_t at;
		uint8_t byte;
	} lies[] = {
		{offsetof(struct state_head, zero), 1},
		{offsetof(struct state_head, boot_id), 0},
		{offsetof(struct state_head, boot_id), ' '},
		{offsetof(struct state_head, boot_id) + 1, 0x7f},
		{HEAD + offsetof(struct state_iommu, name), '\n'},
		{HEAD + offsetof(struct state_iommu, base), 1},
		{HEAD + offsetof(struct state_iommu, base) + 2, 0x77}, /* that of no function's */
		{HEAD + offsetof(struct state_iommu, ddtp_old) + 1, 0xff}, /* more than the mode */
		{HEAD + offsetof(struct state_iommu, ddtp_new), 4},        /* not Off */
		{HEAD + offsetof(struct state_iommu, ddtp_touched), 2},
		{HEAD + offsetof(struct state_iommu, queues_touched), 2},
		{FUNCTIONS + offsetof(struct state_function, name), 0},
		{FUNCTIONS + offsetof(struct state_function, touched), 2},
		{FUNCTIONS + offsetof(struct state_function, command) + 2, 1},
		{FUNCTIONS + offsetof(struct state_function, base) + 7, 1},
	};
	static uint8_t bytes[STATE_MAX];
	size_t len = blocked_state(bytes), at = lies[_i].at;

	ck_assert_uint_lt(at, len);
	bytes[at] = lies[_i].byte;
	expect_damage(bytes, len);
	expect_error("damaged");
	expect_blocked();
}
END_TEST

/* A name without an end would be read on into what lies behind it. */
START_TEST(a_name_without_an_end_is_damage)
{
	static uint8_t bytes[STATE_MAX];
	size_t len = blocked_state(bytes);

	memset(bytes + HEAD + offsetof(struct state_iommu, name), 'x',
	       sizeof(((struct state_iommu *)0)->name));
	expect_damage(bytes, len);
	expect_error("damaged");
}
END_TEST

START_TEST(more_than_a_state_file_has_room_for_is_refused)
{
	static const struct {
		size_t iommus, functions;
	} cases[] = {{65536, 0}, {0, 65536}, {65535, 65535}};
	struct state s;

	ck_assert_int_eq(control_state_init(&s, ctx), 0);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(control_state_new(&s, cases[i].iommus, cases[i].functions),
				 -EFBIG);
		expect_error("too many devices");
		ck_assert_ptr_null(s.head);
	}
}
END_TEST

START_TEST(a_state_that_is_no_file_or_too_large_is_not_ours)
{
	make_dir(STATE);
	ck_assert_int_eq(undo(), -EBADMSG);
	ck_assert_int_eq(rmdir(below(STATE)), 0);
	write_text(STATE, "");
	ck_assert_int_eq(chmod(below(STATE), 0600), 0);
	ck_assert_int_eq(truncate(below(STATE), (off_t)17 << 20), 0);
	ck_assert_int_eq(undo(), -EBADMSG);
	expect_error("its size");
}
END_TEST

START_TEST(a_folder_for_the_state_that_is_too_long_is_refused)
{
	char path[300];

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(riommu_option_set(ctx, "state.path", path), 0);
	ck_assert_int_lt(riommu_quiesce_plan(sys, sim_hw(), &args, &q), 0);
	ck_assert_ptr_null(q);
	expect_error("state.path");
	expect_error("too long");
	ck_assert_int_eq(undo(), -ENAMETOOLONG);
	ck_assert_uint_eq(sim->writes, 0);
	/* nor may it become so after the plan */
	ck_assert_int_eq(riommu_option_set(ctx, "state.path", below("run")), 0);
	plan();
	ck_assert_int_eq(riommu_option_set(ctx, "state.path", path), 0);
	ck_assert_int_eq(riommu_quiesce_prepare(q), -ENAMETOOLONG);
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

START_TEST(a_state_of_another_boot_is_replaced_and_not_undone)
{
	ck_assert_int_eq(block(), 0);
	close_plan();
	write_text("proc/sys/kernel/random/boot_id", "11111111-5f3c-4a8e-9d63-0123456789ab\n");
	ck_assert_int_eq(undo(), -ESTALE);
	expect_error("another boot");
	expect_blocked();
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(undo(), -ENOENT); /* it was all off: nothing was done */
}
END_TEST

/* -- undo -------------------------------------------------------------------------------------------------------------- */

START_TEST(undo_restores_all_of_it)
{
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(undo(), 0);
	expect_original();
	ck_assert(!has_state());
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_CQCSR, 4), 0x10003);
}
END_TEST

START_TEST(undo_says_beforehand_what_it_will_write)
{
	struct traced traced = {.count = 0};
	struct riommu_hw *trace;

	ck_assert_int_eq(block(), 0);
	close_plan();
	ck_assert_int_eq(riommu_hw_trace(sim_hw(), trace_write, &traced, &trace), 0);
	ck_assert_int_eq(riommu_quiesce_open_undo(sys, trace, &args, &q), 0);
	ck_assert(q->undo);
	ck_assert_uint_eq(traced.count, 0);
	ck_assert_uint_eq(q->write_count, 5);
	ck_assert_str_eq(q->writes[0].reg, "ddtp");
	ck_assert_uint_eq(q->writes[0].write.value, (uint32_t)SIM_DDTP0);
	ck_assert_str_eq(q->writes[2].object, SIM_NVME);
	ck_assert_uint_eq(q->writes[2].write.value, 0x506);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), 0);
	ck_assert_uint_eq(traced.count, 5);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_DONE, "ddtp");
	expect_result(0, RIOMMU_STAGE_VERIFY, RIOMMU_OUTCOME_DONE, "ddtp");
	expect_result(0, RIOMMU_STAGE_STOP, RIOMMU_OUTCOME_DONE, "COMMAND");
	close_plan();
	riommu_hw_close(trace);
}
END_TEST

START_TEST(undo_of_one_leaves_the_other)
{
	static const size_t second[] = {1};

	ck_assert_int_eq(block(), 0);
	args.iommus = second;
	args.iommu_count = 1;
	ck_assert_int_eq(undo(), 0);
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0 & ~(uint64_t)0xf);
	ck_assert(sim_masters(SIM_GPU) && !sim_masters(SIM_NVME));
	ck_assert(has_state());
	args.iommus = NULL;
	ck_assert_int_eq(undo(), 0);
	expect_original();
	ck_assert(!has_state());
}
END_TEST

START_TEST(an_iommu_that_was_not_blocked_has_nothing_to_undo)
{
	static const size_t first[] = {0}, second[] = {1};

	args.iommu_count = 1;
	args.iommus = first;
	ck_assert_int_eq(block(), 0);
	args.iommus = second;
	ck_assert_int_eq(undo(), -ENOENT);
	expect_error("nothing to undo");
	ck_assert(has_state());
	ck_assert(!sim_masters(SIM_NVME));
}
END_TEST

START_TEST(two_blocks_one_after_the_other_are_undone_together)
{
	static const size_t first[] = {0}, second[] = {1};

	args.iommu_count = 1;
	args.iommus = first;
	ck_assert_int_eq(block(), 0);
	args.iommus = second;
	ck_assert_int_eq(block(), 0);
	expect_blocked();
	args.iommus = NULL;
	ck_assert_int_eq(block(), 0); /* and once more */
	ck_assert_int_eq(undo(), 0);
	expect_original();
}
END_TEST

START_TEST(undo_gives_back_only_what_was_cleared)
{
	ck_assert_int_eq(block(), 0);
	sim_function(SIM_EDU)->config[2] = 0x0402; /* by its driver, since */
	ck_assert_int_eq(undo(), 0);
	ck_assert_uint_eq(sim_function(SIM_EDU)->config[2], 0x0406);
	ck_assert(!sim_masters(SIM_NIC));
}
END_TEST

START_TEST(undo_leaves_another_device_alone)
{
	ck_assert_int_eq(block(), 0);
	sim_function(SIM_EDU)->config[1] = 0x7777;
	sim_function(SIM_GPU)->gone = true;
	ck_assert_int_eq(undo(), 0);
	ck_assert(!sim_masters(SIM_EDU) && sim_masters(SIM_NVME));
	ck_assert(!has_state());
}
END_TEST

START_TEST(undo_of_bus_mastering_that_does_not_take)
{
	ck_assert_int_eq(block(), 0);
	sim_function(SIM_EDU)->stays_off = true;
	ck_assert_int_eq(undo(), -ETIMEDOUT);
	ck_assert(has_state());
	sim_function(SIM_EDU)->stays_off = false;
	ck_assert_int_eq(undo(), 0);
	expect_original();
}
END_TEST

START_TEST(undo_of_a_mode_that_does_not_take)
{
	ck_assert_int_eq(block(), 0);
	sim->iommus[0].mode_stays = true;
	ck_assert_int_eq(undo(), -ETIMEDOUT);
	/* its devices stay stopped, those of the other one run */
	ck_assert(!sim_masters(SIM_NVME) && sim_masters(SIM_GPU));
	ck_assert(has_state());
}
END_TEST

START_TEST(nothing_to_undo)
{
	ck_assert_int_eq(undo(), -ENOENT);
	expect_error("nothing to undo");
}
END_TEST

static const struct {
	uint32_t offset;
	uint64_t value;
} mismatches[] = {
	{RIOMMU_REG_CAPABILITIES, 0x10},      {RIOMMU_REG_CQB, 0x20990007},
	{RIOMMU_REG_FQB, 0x20aa0006},         {RIOMMU_REG_DDTP, 0},
	{RIOMMU_REG_DDTP, SIM_DDTP1 ^ 0x400}, {RIOMMU_REG_DDTP, 1},
};

/* The last IOMMU does not fit: the first, which does, is not changed either. */
START_TEST(undo_changes_nothing_when_one_thing_does_not_fit)
{
	unsigned writes;

	ck_assert_int_eq(block(), 0);
	writes = sim->writes;
	sim_set(1, mismatches[_i].offset, 8, mismatches[_i].value);
	ck_assert_int_eq(undo(), -ESTALE);
	expect_error("3020000.iommu");
	ck_assert_uint_eq(sim->writes, writes);
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0 & ~(uint64_t)0xf);
	ck_assert(has_state());
}
END_TEST

START_TEST(revert_checks_again)
{
	ck_assert_int_eq(block(), 0);
	close_plan();
	ck_assert_int_eq(riommu_quiesce_open_undo(sys, sim_hw(), &args, &q), 0);
	sim_set(0, RIOMMU_REG_CQB, 8, 0x77770007);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), -ESTALE);
	expect_blocked();
}
END_TEST

/* Taken back by who blocked it (--hold), there is nobody to choose: what still fits gets its DMA, a disk perhaps, back. */
START_TEST(what_does_not_fit_keeps_the_others_from_nothing)
{
	ck_assert_int_eq(block(), 0);
	if (_i)
		sim->iommus[0].dead = true;
	else
		sim_set(0, RIOMMU_REG_CQB, 8, 0x77770007);
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), _i ? -ETIMEDOUT : -EIO);
	expect_result(0, RIOMMU_STAGE_BLOCK, _i ? RIOMMU_OUTCOME_DEAD : RIOMMU_OUTCOME_FAILED, "");
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0 & ~(uint64_t)0xf);
	ck_assert(!sim_masters(SIM_NVME) && !sim_masters(SIM_EDU));
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1);
	ck_assert(sim_masters(SIM_GPU));
	ck_assert(has_state());
}
END_TEST

START_TEST(a_handover_is_not_undone)
{
	unsigned writes;

	args.handover = true;
	ck_assert_int_eq(block(), 0);
	writes = sim->writes;
	ck_assert_int_eq(riommu_quiesce_revert(q, NULL, NULL), -EACCES);
	ck_assert_int_eq(undo(), -EPERM);
	expect_error("final");
	ck_assert_uint_eq(sim->writes, writes);
	/* a plain block afterwards makes it no less final */
	args.handover = false;
	ck_assert_int_eq(block(), 0);
	ck_assert_int_eq(undo(), -EPERM);
}
END_TEST

/* --hold after it: what can be given back is, and what is final is told. [1] ddtp was Off already. */
START_TEST(a_handover_before_keeps_no_other_iommu_blocked)
{
	if (_i)
		sim_set(0, RIOMMU_REG_DDTP, 8, 0);
	args.handover = true;
	args.iommus = (const size_t[]){0};
	args.iommu_count = 1;
	ck_assert_int_eq(block(), 0);
	args.handover = false;
	args.iommus = NULL;
	args.iommu_count = 0;
	ck_assert_int_eq(block(), 0);
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1 & ~(uint64_t)0xf);
	ck_assert_int_lt(riommu_quiesce_revert(q, NULL, NULL), 0);
	expect_result(0, RIOMMU_STAGE_BLOCK, RIOMMU_OUTCOME_REFUSED, "");
	ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_CQCSR, 4), 0);
	ck_assert(!sim_masters(SIM_NVME) && !sim_masters(SIM_EDU));
	ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1);
	ck_assert(sim_masters(SIM_GPU));
	ck_assert(has_state());
}
END_TEST

/* Off when the handover came: then the queues are all that was touched. */
START_TEST(a_handover_of_what_was_off_is_final_too)
{
	sim_set(0, RIOMMU_REG_DDTP, 8, 0);
	args.handover = true;
	ck_assert_int_eq(block(), 0);
	args.handover = false;
	ck_assert_int_eq(block(), 0);
	args.iommus = (const size_t[]){0};
	args.iommu_count = 1;
	ck_assert_int_eq(undo(), -EPERM);
	expect_queues_off();
}
END_TEST

/* -- killed ------------------------------------------------------------------------------------------------------------ */

/*
 * Runs WHAT in a process that is killed after its Nth write, or right BEFORE it, when it is announced and not made. False when
 * there is no Nth write.
 */
static bool killed(bool before, unsigned n, int (*what)(void))
{
	int status;
	pid_t pid;

	sim->writes = 0;
	sim->kill_after = before ? 0 : n;
	sim->kill_before = before ? n : 0;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		alarm(20);
		_exit(what() ? 1 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	sim->kill_after = sim->kill_before = 0;
	if (WIFSIGNALED(status)) {
		ck_assert_int_eq(WTERMSIG(status), SIGKILL);
		ck_assert_uint_eq(sim->writes, before ? n - 1 : n);
		return true;
	}
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_uint_lt(sim->writes, n);
	return false;
}

static void again(void)
{
	close_plan();
	sim_end();
	unlink(below(STATE));
	sim_begin();
	snprintf(sim->state_file, sizeof(sim->state_file), "%s", below(STATE));
}

/* How many writes a whole run makes: the loops below must have seen as many kills. */
static unsigned writes_of_a_run(void)
{
	plan();
	return (unsigned)q->write_count;
}

START_TEST(killed_at_each_write_then_undone)
{
	unsigned n = 1, all = writes_of_a_run();

	for (again(); killed(_i, n, block); n++, again()) {
		ck_assert(has_state());
		ck_assert_int_eq(undo(), 0);
		expect_original();
		ck_assert(!has_state());
		ck_assert_str_eq(sim->wrong, "");
	}
	ck_assert_uint_eq(n - 1, all);
	ck_assert_uint_eq(all, 5);
}
END_TEST

START_TEST(killed_at_each_write_then_run_again)
{
	unsigned n = 1, all = writes_of_a_run();

	for (again(); killed(_i, n, block); n++, again()) {
		ck_assert_int_eq(block(), 0);
		expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
		expect_verdict(1, RIOMMU_VERDICT_BLOCKED);
		expect_blocked();
		/* and what is restored is what was there before the first of the two */
		ck_assert_int_eq(undo(), 0);
		expect_original();
		ck_assert_str_eq(sim->wrong, "");
	}
	ck_assert_uint_eq(n - 1, all);
}
END_TEST

/* Before the first write to a queue it can be undone, after it not any more: and undo says which. */
START_TEST(killed_in_a_handover_at_each_write)
{
	unsigned n = 1, all, undone = 0, final = 0;

	args.handover = true;
	all = writes_of_a_run();
	for (again(); killed(_i, n, block); n++, again()) {
		int err = undo();

		ck_assert_msg(err == 0 || err == -EPERM, "%d: %s", err, riommu_error(ctx));
		if (!err) {
			expect_original();
			undone++;
		} else {
			expect_blocked();
			final++;
		}
		ck_assert_int_eq(block(), 0);
		expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
		expect_queues_off();
		ck_assert_int_eq(undo(), -EPERM);
		ck_assert_str_eq(sim->wrong, "");
	}
	ck_assert_uint_eq(n - 1, all);
	ck_assert_uint_eq(undone, 5);
	ck_assert_uint_eq(final, all - 5);
}
END_TEST

START_TEST(an_undo_that_was_killed_is_undone_again)
{
	unsigned n = 1;

	for (;; n++) {
		again();
		ck_assert_int_eq(block(), 0);
		close_plan();
		if (!killed(_i, n, undo))
			break;
		ck_assert(has_state());
		ck_assert_int_eq(undo(), 0);
		expect_original();
		ck_assert(!has_state());
		ck_assert_str_eq(sim->wrong, "");
	}
	ck_assert_uint_eq(n - 1, 5);
}
END_TEST

START_TEST(an_undo_that_was_killed_is_blocked_again)
{
	for (unsigned n = 1;; n++) {
		again();
		ck_assert_int_eq(block(), 0);
		close_plan();
		if (!killed(_i, n, undo))
			break;
		ck_assert_int_eq(block(), 0);
		expect_blocked();
		expect_verdict(0, RIOMMU_VERDICT_BLOCKED);
		ck_assert_int_eq(undo(), 0);
		expect_original();
		ck_assert_str_eq(sim->wrong, "");
	}
}
END_TEST

/* Killed while a fault is about: the second run and undo end where they say they do. */
START_TEST(killed_where_a_mode_does_not_take)
{
	for (unsigned n = 1;; n++) {
		again();
		sim->iommus[0].mode_stays = true;
		sim->writes = 0;
		sim->kill_after = n;
		if (!fork())
			_exit(block() != -ETIMEDOUT);
		ck_assert_int_gt(wait(NULL), 0);
		sim->kill_after = 0;
		if (sim->writes < n)
			break;
		ck_assert_int_eq(block(), -ETIMEDOUT);
		expect_verdict(0, RIOMMU_VERDICT_OPEN);
		expect_verdict(1, RIOMMU_VERDICT_BLOCKED);
		ck_assert_int_eq(undo(), 0);
		expect_original();
		ck_assert_str_eq(sim->wrong, "");
	}
}
END_TEST

/* -- progress ------------------------------------------------------------------------------------------------------------ */

struct told {
	unsigned reads, writes, objects;
	bool about_edu;
};

static void progress(void *arg, const struct riommu_progress *p)
{
	struct told *told = arg;

	told->objects++;
	told->reads += p->reads;
	told->writes += p->writes;
	told->about_edu |= !strcmp(p->object, SIM_EDU);
	ck_assert(p->words[0]);
	ck_assert(p->outcome != RIOMMU_OUTCOME_NOT_RUN);
}

START_TEST(every_access_is_counted)
{
	struct told told = {.objects = 0};
	unsigned before, writes, reads = 0;

	args.handover = true;
	plan();
	ck_assert_int_eq(riommu_quiesce_prepare(q), 0);
	before = sim->accesses;
	writes = sim->writes;
	for (int s = 0; s < RIOMMU_STAGE_COUNT; s++)
		ck_assert_int_eq(riommu_quiesce_stage(q, (enum riommu_stage)s, progress, &told), 0);
	ck_assert_uint_eq(told.writes, sim->writes - writes);
	ck_assert_uint_eq(told.reads + told.writes, sim->accesses - before);
	for (size_t i = 0; i < 2; i++) {
		for (int s = 0; s < RIOMMU_STAGE_COUNT; s++)
			reads += q->iommus[i].result[s].reads;
	}
	ck_assert_uint_eq(reads, told.reads);
	ck_assert(told.about_edu);
	ck_assert_uint_gt(result(0, RIOMMU_STAGE_BLOCK)->microseconds, 0);
}
END_TEST

/* -- who would be cut off -------------------------------------------------------------------------------------------------- */

struct seen {
	char text[512];
};

static int see(void *arg, const struct riommu_user *user)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%d %s %s %s\n", (int)user->kind,
		 user->function, user->name, user->where);
	return 0;
}

static void users_begin(void)
{
	make_dir("proc/self");
	write_text("proc/self/mountinfo", "");
	write_text("proc/swaps", "Filename Type Size Used Priority\n");
	make_dir("sys/dev/block");
	make_dir("sys/class/block");
	make_dir("sys/class/net");
}

static void expect_users(const char *want)
{
	struct seen seen = {.text = ""};

	plan();
	ck_assert_msg(!riommu_quiesce_users(q, see, &seen), "%s", riommu_error(ctx));
	ck_assert_str_eq(seen.text, want);
}

#define DEVICES "../../devices/pci0000:00/"

START_TEST(a_mounted_disk_is_named)
{
	users_begin();
	make_link("sys/dev/block/259:1", DEVICES "0000:00:01.0/nvme/nvme0/nvme0n1/nvme0n1p1");
	write_text("proc/self/mountinfo",
		   "1 0 0:20 / /proc rw - proc proc rw\n"
		   "36 35 259:1 / /mnt/a\\040b rw,noatime shared:1 - ext4 /dev/nvme0n1p1 rw\n");
	expect_users("0 0000:00:01.0 nvme0n1p1 /mnt/a b\n");
}
END_TEST

START_TEST(a_disk_behind_a_bridge_is_not_the_bridge)
{
	users_begin();
	make_link("sys/dev/block/8:1",
		  DEVICES "0000:00:03.0/0000:01:00.0/ata1/host0/target0/0:0:0:0/block/sda/sda1");
	write_text("proc/self/mountinfo", "36 35 8:1 / / rw - ext4 /dev/sda1 rw\n");
	expect_users("0 0000:01:00.0 sda1 /\n");
}
END_TEST

START_TEST(a_disk_behind_no_iommu_of_ours_is_nobodys_business)
{
	users_begin();
	make_link("sys/dev/block/8:1", DEVICES "0000:00:1f.0/ata1/block/sda/sda1");
	write_text("proc/self/mountinfo", "36 35 8:1 / / rw - ext4 /dev/sda1 rw\n");
	expect_users("");
}
END_TEST

START_TEST(a_volume_is_followed_to_all_its_disks)
{
	users_begin();
	make_dir("sys/devices/virtual/block/dm-0/slaves");
	make_link("sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
	make_dir("sys/devices/pci0000:00/0000:00:01.0/nvme0n1p3");
	make_dir("sys/devices/pci0000:00/0000:02:00.0/sdb");
	make_link("sys/devices/virtual/block/dm-0/slaves/nvme0n1p3",
		  "../../../../pci0000:00/0000:00:01.0/nvme0n1p3");
	write_text("proc/self/mountinfo", "36 35 253:0 / / rw - xfs /dev/mapper/root rw\n");
	expect_users("0 0000:00:01.0 root /\n");
	make_link("sys/devices/virtual/block/dm-0/slaves/sdb",
		  "../../../../pci0000:00/0000:02:00.0/sdb");
	{
		struct seen seen = {.text = ""};

		ck_assert_int_eq(riommu_quiesce_users(q, see, &seen), 0);
		ck_assert_ptr_nonnull(strstr(seen.text, "0000:00:01.0"));
		ck_assert_ptr_nonnull(strstr(seen.text, "0000:02:00.0"));
	}
}
END_TEST

START_TEST(a_multipath_nvme_disk_is_followed_to_its_controllers)
{
	users_begin();
	make_dir("sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1");
	make_link("sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0",
		  "../../../pci0000:00/0000:00:01.0/nvme/nvme0");
	write_text("sys/devices/virtual/nvme-subsystem/nvme-subsys0/model", "QEMU NVMe Ctrl\n");
	make_link("sys/dev/block/259:1",
		  "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1");
	write_text("proc/self/mountinfo", "36 35 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n");
	expect_users("0 0000:00:01.0 nvme0n1p1 /\n");
}
END_TEST

START_TEST(a_filesystem_with_a_number_of_its_own_is_found_by_its_source)
{
	users_begin();
	make_link("sys/class/block/nvme0n1p9", DEVICES "0000:00:01.0/nvme/nvme0/nvme0n1p9");
	write_text("proc/self/mountinfo", "36 35 0:31 /@ / rw - btrfs /dev/nvme0n1p9 rw\n");
	expect_users("0 0000:00:01.0 nvme0n1p9 /\n");
}
END_TEST

START_TEST(swap_is_named)
{
	users_begin();
	make_link("sys/class/block/nvme0n1p2", DEVICES "0000:00:01.0/nvme/nvme0/nvme0n1p2");
	write_text("proc/swaps", "Filename\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
				 "/dev/nvme0n1p2  partition\t1\t0\t-2\n");
	expect_users("1 0000:00:01.0 nvme0n1p2 \n");
}
END_TEST

START_TEST(a_swap_that_is_named_by_a_link_is_that_of_its_disk)
{
	char text[600];

	users_begin();
	make_dir("dev/mapper");
	write_text("dev/nvme0n1p2", "");
	make_link("dev/mapper/swap", "../nvme0n1p2");
	make_link("sys/class/block/nvme0n1p2", DEVICES "0000:00:01.0/nvme/nvme0/nvme0n1p2");
	snprintf(text, sizeof(text), "Filename Type\n\n%s partition 1 0 -2\n",
		 below("dev/mapper/swap"));
	write_text("proc/swaps", text);
	expect_users("1 0000:00:01.0 nvme0n1p2 \n");
}
END_TEST

START_TEST(an_interface_that_is_up_is_named)
{
	users_begin();
	make_dir("sys/devices/pci0000:00/0000:01:00.0/virtio0/net/eth0");
	make_dir("sys/devices/pci0000:00/0000:02:00.0/net/eth1");
	make_dir("sys/devices/virtual/net/lo");
	write_text("sys/devices/pci0000:00/0000:01:00.0/virtio0/net/eth0/flags", "0x1003\n");
	write_text("sys/devices/pci0000:00/0000:02:00.0/net/eth1/flags", "0x1002\n");
	write_text("sys/devices/virtual/net/lo/flags", "0x9\n");
	make_link("sys/class/net/eth0", DEVICES "0000:01:00.0/virtio0/net/eth0");
	make_link("sys/class/net/eth1", DEVICES "0000:02:00.0/net/eth1");
	make_link("sys/class/net/lo", "../../devices/virtual/net/lo");
	expect_users("2 0000:01:00.0 eth0 \n");
}
END_TEST

START_TEST(a_platform_device_has_users_too)
{
	users_begin();
	make_link("sys/dev/block/179:1",
		  "../../devices/platform/soc/10000000.dma/mmc_host/mmc0/block/mmcblk0");
	write_text("proc/self/mountinfo", "36 35 179:1 / / rw - ext4 /dev/mmcblk0 rw\n");
	expect_users("0 10000000.dma mmcblk0 /\n");
}
END_TEST

/* Without block nobody loses anything but those whose bus mastering goes. */
START_TEST(who_is_kept_and_not_blocked_is_not_cut_off)
{
	static const char *const keep[] = {SIM_NVME};

	users_begin();
	make_link("sys/dev/block/259:1", DEVICES "0000:00:01.0/nvme/nvme0/nvme0n1");
	write_text("proc/self/mountinfo", "36 35 259:1 / / rw - ext4 /dev/nvme0n1 rw\n");
	args.keep = keep;
	args.keep_count = 1;
	expect_users("0 0000:00:01.0 nvme0n1 /\n");
	args.skip = 1u << RIOMMU_STAGE_BLOCK;
	expect_users("");
}
END_TEST

START_TEST(lists_that_cannot_be_read_are_not_empty)
{
	struct seen seen = {.text = ""};

	plan();
	ck_assert_int_eq(riommu_quiesce_users(q, see, &seen), -ENOENT);
	expect_error("mountinfo");
}
END_TEST

START_TEST(a_volume_that_lies_on_itself_ends_and_is_told)
{
	struct seen seen = {.text = ""};

	users_begin();
	make_dir("sys/devices/virtual/block/dm-0/slaves");
	make_link("sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
	make_link("sys/devices/virtual/block/dm-0/slaves/dm-0", "../../dm-0");
	write_text("proc/self/mountinfo", "36 35 253:0 / / rw - xfs /dev/mapper/root rw\n");
	plan();
	ck_assert_int_eq(riommu_quiesce_users(q, see, &seen), -ELOOP);
	expect_error("who would be cut off is not known");
	ck_assert_str_eq(seen.text, "");
}
END_TEST

static int see_one(void *arg, const struct riommu_user *user)
{
	see(arg, user);
	return 7;
}

START_TEST(who_asks_may_stop_at_the_first)
{
	struct seen seen = {.text = ""};

	users_begin();
	make_link("sys/dev/block/8:1", DEVICES "0000:01:00.0/sda/sda1");
	write_text("proc/self/mountinfo", "36 35 8:1 / / rw - ext4 /dev/sda1 rw\n"
					  "37 35 8:1 / /b rw - ext4 /dev/sda1 rw\n");
	plan();
	ck_assert_int_eq(riommu_quiesce_users(q, see_one, &seen), 7);
	ck_assert_str_eq(seen.text, "0 0000:01:00.0 sda1 /\n");
}
END_TEST

/* Of a volume on two disks, and of two interfaces, the second is not looked for. */
START_TEST(who_stops_at_the_first_is_told_no_other_of_the_same_list)
{
	struct seen seen = {.text = ""};

	users_begin();
	make_dir("sys/devices/virtual/block/dm-0/slaves");
	make_link("sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
	make_link("sys/devices/virtual/block/dm-0/slaves/sda", DEVICES "0000:01:00.0/sda");
	make_link("sys/devices/virtual/block/dm-0/slaves/sdb", DEVICES "0000:01:00.0/sda");
	write_text("proc/self/mountinfo", "36 35 253:0 / / rw - xfs /dev/mapper/root rw\n");
	plan();
	ck_assert_int_eq(riommu_quiesce_users(q, see_one, &seen), 7);
	ck_assert_str_eq(seen.text, "0 0000:01:00.0 root /\n");
	write_text("proc/self/mountinfo", "");
	for (int i = 0; i < 2; i++) {
		make_dir(i ? "sys/devices/eth1" : "sys/devices/eth0");
		make_link(i ? "sys/class/net/eth1" : "sys/class/net/eth0",
			  DEVICES "0000:01:00.0/net/eth");
	}
	make_dir("sys/devices/pci0000:00/0000:01:00.0/net/eth");
	write_text("sys/devices/pci0000:00/0000:01:00.0/net/eth/flags", "0x1003\n");
	seen.text[0] = '\0';
	ck_assert_int_eq(riommu_quiesce_users(q, see_one, &seen), 7);
	ck_assert_uint_eq(strlen(seen.text), strlen("2 0000:01:00.0 eth0 \n"));
}
END_TEST

/* What lies where a list of disks would be is no list: then there are none. */
START_TEST(a_device_without_a_list_of_disks_lies_on_none)
{
	users_begin();
	make_dir("sys/devices/virtual/block/loop0");
	write_text("sys/devices/virtual/block/loop0/slaves", "");
	make_link("sys/dev/block/7:0", "../../devices/virtual/block/loop0");
	write_text("proc/self/mountinfo", "36 35 7:0 / / rw - xfs /dev/loop0 rw\n");
	expect_users("");
}
END_TEST

/* A device that does not say on what it lies may lie on one that is cut off. */
START_TEST(a_volume_whose_disks_cannot_be_listed_is_not_one_without_disks)
{
	struct seen seen = {.text = ""};

	users_begin();
	make_dir("sys/devices/virtual/block/dm-0");
	make_link("sys/devices/virtual/block/dm-0/slaves", "slaves");
	make_link("sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
	make_link("sys/dev/block/8:1", DEVICES "0000:01:00.0/sda/sda1");
	write_text("proc/self/mountinfo", "36 35 253:0 / / rw - xfs /dev/mapper/root rw\n"
					  "37 35 253:0 / /b rw - xfs /dev/mapper/root rw\n"
					  "38 35 8:1 / /c rw - ext4 /dev/sda1 rw\n");
	plan();
	ck_assert_int_eq(riommu_quiesce_users(q, see, &seen), -ELOOP);
	expect_error("253:0/slaves: ");
	expect_error("who would be cut off is not known");
	ck_assert_str_eq(seen.text, "0 0000:01:00.0 sda1 /c\n"); /* the rest is told all the same */
}
END_TEST

START_TEST(mounts_that_are_written_otherwise_are_left_out_or_named_as_far_as_they_go)
{
	users_begin();
	make_link("sys/dev/block/8:1", DEVICES "0000:01:00.0/sda/sda1");
	write_text("proc/self/mountinfo", "no separator at all\n"
					  " - \n"
					  "36 35 - ext4\n"
					  "36 35 what / /a rw - ext4 /dev/sda1 rw\n"
					  "36 35 0:5 / /b rw - tmpfs\n"
					  "36 35 0:5 / /c rw - tmpfs tmpfs rw\n"
					  "36 35 8:1 / /d rw - ext4\n"
					  "36 35 8:1 / /e\\9\\777\\04x\\040 rw - ext4 root rw");
	expect_users("0 0000:01:00.0  /d\n"
		     "0 0000:01:00.0 root /e\\9\\777\\04x \n");
}
END_TEST

START_TEST(a_kernel_without_swap_and_networks_has_none)
{
	users_begin();
	ck_assert_int_eq(remove(below("proc/swaps")), 0);
	ck_assert_int_eq(remove(below("sys/class/net")), 0);
	expect_users("");
}
END_TEST

START_TEST(interfaces_that_cannot_be_listed_are_not_none)
{
	struct seen seen = {.text = ""};

	users_begin();
	ck_assert_int_eq(remove(below("sys/class/net")), 0);
	write_text("sys/class/net", "");
	plan();
	ck_assert_int_eq(riommu_quiesce_users(q, see, &seen), -ENOTDIR);
	expect_error("class/net");
}
END_TEST

START_TEST(an_interface_in_doubt_is_named)
{
	users_begin();
	make_dir("sys/devices/pci0000:00/0000:01:00.0/net/eth0");
	write_text("sys/devices/pci0000:00/0000:01:00.0/net/eth0/flags", "no number\n");
	make_link("sys/class/net/eth0", DEVICES "0000:01:00.0/net/eth0");
	write_text("sys/class/net/bonding_masters", "");
	make_dir("sys/class/net/no-flags");
	make_dir("sys/class/net/no-link");
	write_text("sys/class/net/no-link/flags", "0x1\n");
	expect_users("2 0000:01:00.0 eth0 \n");
	ck_assert_int_eq(remove(below("sys/devices/pci0000:00/0000:01:00.0/net/eth0/flags")), 0);
	make_link("sys/devices/pci0000:00/0000:01:00.0/net/eth0/flags", "flags");
	{
		struct seen seen = {.text = ""};

		ck_assert_int_eq(riommu_quiesce_users(q, see, &seen), 0);
		ck_assert_str_eq(seen.text, "2 0000:01:00.0 eth0 \n");
	}
}
END_TEST

/* A mount is called what who mounts likes. */
START_TEST(a_mount_with_a_name_that_no_device_has_is_on_none)
{
	char line[600], name[301];

	users_begin();
	make_link("sys/dev/block/8:1", DEVICES "0000:01:00.0/sda/sda1");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(line, sizeof(line),
		 "36 35 0:9 / /a rw - fuse /dev/%s rw\n"
		 "37 35 8:1 / /b rw - ext4 /dev/sda1 rw\n",
		 name);
	write_text("proc/self/mountinfo", line);
	expect_users("0 0000:01:00.0 sda1 /b\n");
}
END_TEST

/* Where a path to what a volume lies on is too long to follow, that is told: nothing may be missing in silence. */
START_TEST(volumes_that_lie_too_deep_to_follow_are_told)
{
	char deep[700] = "sys", link[1100];
	struct seen seen = {.text = ""};
	int name = _i == 2 ? 150 : 250, rest;

	users_begin();
	for (unsigned i = 0; i < (_i ? 3 : 2); i++)
		snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "/%0200u", i);
	make_dir(deep);
	ck_assert_int_eq(riommu_option_set(ctx, "sysfs.path", below(deep)), 0);
	snprintf(link, sizeof(link), "%s/dev/block", deep);
	make_dir(link);
	snprintf(link, sizeof(link), "%s/dev/block/253:0", deep);
	make_link(link, "../../dm");
	snprintf(link, sizeof(link), "%s/dm/slaves", deep);
	make_dir(link);
	snprintf(link, sizeof(link), "%s/dm/slaves/%0*d", deep, name, 1);
	make_link(link, _i == 2 ? "../../dn" : "../../dm");
	snprintf(link, sizeof(link), "%s/dn/slaves", deep);
	make_dir(link);
	rest = RIOMMU_PATH_MAX - 1 - (int)strlen(below(deep)) - name -
	       (int)strlen("/dev/block/253:0/slaves//slaves/");
	snprintf(link, sizeof(link), "%s/dn/slaves/%0*d", deep, rest, 1);
	if (_i == 2) /* it fits to the last byte, and nothing behind it does */
		make_link(link, "../../dm");
	snprintf(link, sizeof(link), "%s/class/net", deep);
	make_dir(link);
	write_text("proc/self/mountinfo", "36 35 253:0 / / rw - xfs /dev/mapper/root rw\n");
	plan();
	ck_assert_int_eq(riommu_quiesce_users(q, see, &seen), -ENAMETOOLONG);
	if (_i < 2) /* a path as long as can be leaves no room for words */
		expect_error("who would be cut off is not known");
	ck_assert_str_eq(seen.text, "");
}
END_TEST

/* -- this machine's config space, made of files -------------------------------------------------------------------------------- */

START_TEST(config_space_is_read_and_written_through_sysfs)
{
	uint8_t bytes[64] = {0x36, 0x1b, 0x01, 0x00, 0x06, 0x05};
	struct riommu_hw *hw;
	uint32_t v = 0;

	make_dir("sys/bus/pci/devices/0000:00:01.0");
	write_file("sys/bus/pci/devices/0000:00:01.0/config", bytes, sizeof(bytes));
	write_file("mem", bytes, sizeof(bytes));
	ck_assert_int_eq(riommu_option_set(ctx, "devmem.path", below("mem")), 0);
	ck_assert_int_eq(riommu_hw_open(sys, true, &hw), 0);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_NVME, 4, 2, &v), 0);
	ck_assert_uint_eq(v, 0x0506);
	ck_assert_int_eq(hw->ops->config_write(hw->arg, SIM_NVME, 4, 2, 0x0502), 0);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_NVME, 4, 4, &v), 0);
	ck_assert_uint_eq(v, 0x0502);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_NVME, 64, 2, &v), -ENODATA);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_EDU, 4, 2, &v), -ENODATA);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, "../../etc", 4, 2, &v), -EINVAL);
	riommu_hw_close(hw);
	ck_assert_int_eq(riommu_hw_open(sys, false, &hw), 0);
	ck_assert_int_eq(hw->ops->config_write(hw->arg, SIM_NVME, 4, 2, 0), -EACCES);
	riommu_hw_close(hw);
}
END_TEST

/* -- main ---------------------------------------------------------------------------------------------------------------------- */

static void add_block_tests(TCase *tc)
{
	tcase_add_test(tc, a_plan_writes_nothing);
	tcase_add_test(tc, what_is_planned_is_what_is_written);
	tcase_add_test(tc, what_is_planned_for_a_handover_is_what_is_written);
	tcase_add_test(tc, the_plan_says_what_every_device_is);
	tcase_add_test(tc, a_capability_list_in_a_circle_ends);
	tcase_add_test(tc, vectors_are_those_of_what_the_iommu_can_do);
	tcase_add_test(tc, each_of_many_devices_is_planned_once);
	tcase_add_test(tc, only_the_selected_iommu_is_touched);
	tcase_add_test(tc, no_plan_for_what_does_not_answer);
	tcase_add_test(tc, what_is_to_be_kept_must_exist);
	tcase_add_test(tc, no_stage_without_preparing);
	tcase_add_test(tc, a_block_is_one_write_and_keeps_the_ppn);
	tcase_add_test(tc, what_is_off_already_is_not_written);
	tcase_add_test(tc, bare_becomes_off_and_bare_again);
	tcase_add_test(tc, an_iommu_without_a_debug_interface_is_blocked);
	tcase_add_test(tc, a_short_busy_is_waited_for);
	tcase_add_test(tc, busy_before_that_never_clears);
	tcase_add_loop_test(tc, what_was_busy_before_takes_no_time_from_what_comes_after, 0, 21);
	tcase_add_test(tc, busy_after_that_never_clears);
	tcase_add_test(tc, a_debug_request_that_never_ends);
	tcase_add_test(tc, a_mode_that_does_not_take);
	tcase_add_test(tc, a_ppn_that_is_not_kept);
	tcase_add_test(tc, an_iommu_that_dies_is_never_blocked);
	tcase_add_test(tc, an_iommu_that_is_dead_before_is_not_written);
	tcase_add_test(tc, a_bus_error_is_death_and_a_refusal_is_none);
	tcase_add_test(tc, another_device_in_its_place_is_not_written);
	tcase_add_test(tc, no_verdict_without_verify);
	tcase_add_test(tc, a_block_that_was_left_out_is_open);
}

static void add_stop_tests(TCase *tc)
{
	tcase_add_test(tc, who_masters_is_stopped_and_nobody_else);
	tcase_add_test(tc, what_is_kept_masters_on);
	tcase_add_test(tc, what_would_not_be_stopped_anyway_may_be_kept);
	tcase_add_test(tc, bus_mastering_that_cannot_be_cleared);
	tcase_add_test(tc, bus_mastering_that_comes_back);
	tcase_add_test(tc, transactions_pending_are_waited_for);
	tcase_add_test(tc, no_express_capability_is_never_drained);
	tcase_add_test(tc, transactions_pending_forever);
	tcase_add_test(tc, a_function_that_dies_is_not_stopped_nor_drained);
	tcase_add_test(tc, a_function_without_config_space_is_unknown);
	tcase_add_test(tc, a_handover_stops_the_queues);
	tcase_add_test(tc, wires_have_no_vectors_to_mask);
	tcase_add_test(tc, without_ats_there_is_no_page_request_queue);
	tcase_add_test(tc, queues_that_are_off_are_not_written);
	tcase_add_loop_test(tc, a_queue_that_is_busy_before, 0, SIM_QUEUES);
	tcase_add_loop_test(tc, a_queue_that_stays_busy, 0, SIM_QUEUES);
	tcase_add_loop_test(tc, a_queue_that_stays_on, 0, SIM_QUEUES);
	tcase_add_loop_test(tc, a_queue_that_stays_enabled, 0, SIM_QUEUES);
	tcase_add_loop_test(tc, a_queue_whose_interrupt_stays_enabled, 0, SIM_QUEUES);
	tcase_add_test(tc, interrupts_that_stay);
	tcase_add_test(tc, a_handover_without_its_queues_leaves_them_running);
	tcase_add_test(tc, what_is_not_blocked_keeps_its_queues);
	tcase_add_test(tc, every_access_is_counted);
	tcase_add_test(tc, config_space_is_read_and_written_through_sysfs);
}

static void add_state_tests(TCase *tc)
{
	tcase_add_test(tc, the_state_is_there_before_the_first_write);
	tcase_add_test(tc, prepared_and_not_done_leaves_nothing);
	tcase_add_test(tc, memory_that_cannot_be_locked_is_told);
	tcase_add_test(tc, nothing_is_allocated_between_the_writes);
	tcase_add_test(tc, nothing_is_allocated_on_the_way_back);
	tcase_add_test(tc, two_runs_exclude_each_other);
	tcase_add_test(tc, without_a_boot_id_nothing_begins);
	tcase_add_test(tc, a_state_that_cannot_be_kept_stops_before_the_first_write);
	tcase_add_test(tc, a_damaged_state_is_neither_used_nor_overwritten);
	tcase_add_test(tc, a_state_that_others_may_write_is_not_ours);
	tcase_add_loop_test(tc, a_state_that_makes_no_sense_is_damage, 0, 15);
	tcase_add_test(tc, a_state_that_is_no_file_or_too_large_is_not_ours);
	tcase_add_test(tc, more_than_a_state_file_has_room_for_is_refused);
	tcase_add_test(tc, a_name_without_an_end_is_damage);
	tcase_add_test(tc, a_folder_for_the_state_that_is_too_long_is_refused);
	tcase_add_test(tc, a_truncated_state_is_damage);
	tcase_add_test(tc, a_state_of_another_boot_is_replaced_and_not_undone);
	tcase_add_test(tc, undo_restores_all_of_it);
	tcase_add_test(tc, undo_says_beforehand_what_it_will_write);
	tcase_add_test(tc, undo_of_one_leaves_the_other);
	tcase_add_test(tc, an_iommu_that_was_not_blocked_has_nothing_to_undo);
	tcase_add_test(tc, two_blocks_one_after_the_other_are_undone_together);
	tcase_add_test(tc, undo_gives_back_only_what_was_cleared);
	tcase_add_test(tc, undo_leaves_another_device_alone);
	tcase_add_test(tc, undo_of_bus_mastering_that_does_not_take);
	tcase_add_test(tc, undo_of_a_mode_that_does_not_take);
	tcase_add_test(tc, nothing_to_undo);
	tcase_add_loop_test(tc, undo_changes_nothing_when_one_thing_does_not_fit, 0,
			    (int)RIOMMU_ARRAY_SIZE(mismatches));
	tcase_add_test(tc, revert_checks_again);
	tcase_add_loop_test(tc, what_does_not_fit_keeps_the_others_from_nothing, 0, 2);
	tcase_add_test(tc, a_handover_is_not_undone);
	tcase_add_loop_test(tc, a_handover_before_keeps_no_other_iommu_blocked, 0, 2);
	tcase_add_test(tc, a_handover_of_what_was_off_is_final_too);
}

static void add_kill_tests(TCase *tc)
{
	tcase_add_loop_test(tc, killed_at_each_write_then_undone, 0, 2);
	tcase_add_loop_test(tc, killed_at_each_write_then_run_again, 0, 2);
	tcase_add_loop_test(tc, killed_in_a_handover_at_each_write, 0, 2);
	tcase_add_loop_test(tc, an_undo_that_was_killed_is_undone_again, 0, 2);
	tcase_add_loop_test(tc, an_undo_that_was_killed_is_blocked_again, 0, 2);
	tcase_add_test(tc, killed_where_a_mode_does_not_take);
}

static void add_user_tests(TCase *tc)
{
	tcase_add_test(tc, a_mounted_disk_is_named);
	tcase_add_test(tc, a_disk_behind_a_bridge_is_not_the_bridge);
	tcase_add_test(tc, a_disk_behind_no_iommu_of_ours_is_nobodys_business);
	tcase_add_test(tc, a_volume_is_followed_to_all_its_disks);
	tcase_add_test(tc, a_multipath_nvme_disk_is_followed_to_its_controllers);
	tcase_add_test(tc, a_filesystem_with_a_number_of_its_own_is_found_by_its_source);
	tcase_add_test(tc, swap_is_named);
	tcase_add_test(tc, a_swap_that_is_named_by_a_link_is_that_of_its_disk);
	tcase_add_test(tc, an_interface_that_is_up_is_named);
	tcase_add_test(tc, a_platform_device_has_users_too);
	tcase_add_test(tc, who_is_kept_and_not_blocked_is_not_cut_off);
	tcase_add_test(tc, lists_that_cannot_be_read_are_not_empty);
	tcase_add_test(tc, a_volume_that_lies_on_itself_ends_and_is_told);
	tcase_add_test(tc, who_asks_may_stop_at_the_first);
	tcase_add_test(tc, a_device_without_a_list_of_disks_lies_on_none);
	tcase_add_test(tc, who_stops_at_the_first_is_told_no_other_of_the_same_list);
	tcase_add_test(tc, a_volume_whose_disks_cannot_be_listed_is_not_one_without_disks);
	tcase_add_test(tc,
		       mounts_that_are_written_otherwise_are_left_out_or_named_as_far_as_they_go);
	tcase_add_test(tc, a_kernel_without_swap_and_networks_has_none);
	tcase_add_test(tc, interfaces_that_cannot_be_listed_are_not_none);
	tcase_add_test(tc, an_interface_in_doubt_is_named);
	tcase_add_test(tc, a_mount_with_a_name_that_no_device_has_is_on_none);
	tcase_add_loop_test(tc, volumes_that_lie_too_deep_to_follow_are_told, 0, 3);
}

int main(void)
{
	static void (*const add[])(TCase * tc) = {add_block_tests, add_stop_tests, add_state_tests,
						  add_kill_tests, add_user_tests};
	static const char *const names[] = {"block", "stop, drain, queues", "state, undo", "killed",
					    "users"};
	Suite *suite = suite_create("control");

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(add); i++) {
		TCase *tc = tcase_create(names[i]);

		tcase_add_checked_fixture(tc, setup, teardown);
		tcase_set_timeout(tc, 60);
		add[i](tc);
		suite_add_tcase(suite, tc);
	}
	return run_suite(suite);
}
