/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control: the IOMMU is asked for a translation, and one that is a PCI function is removed. */
#include "control/control.h"
#include "files.h"
#include "runner.h"
#include "simulated.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIMEOUT_MS 30000 /* real time: on a busy machine a pause may last */
#define SHORT_MS   20

static struct riommu_ctx *ctx;
static struct riommu_system *sys;
static struct riommu_source *control;
static struct riommu_probe probe;

static void setup(void)
{
	int reg = riommu_reg_by_offset(RIOMMU_REG_CAPABILITIES);

	files_begin();
	sim_begin();
	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
	ck_assert_int_eq(riommu_option_set(ctx, "sysfs.path", below("sys")), 0);
	sys = sim_system(ctx);
	control = sim_source(ctx);
	sys->iommus[0].value[reg] = sim_reg(0, RIOMMU_REG_CAPABILITIES, 8);
	sys->iommus[0].state[reg] = RIOMMU_REG_KNOWN;
	sim->iommus[0].probe_takes = 3;
	memset(&probe, 0x5a, sizeof(probe));
}

static void teardown(void)
{
	riommu_source_close(control);
	riommu_ctx_free(ctx);
	ck_assert_str_eq(sim->wrong, "");
	sim_end();
	files_end();
}

static int ask_within(uint64_t iova, unsigned timeout_ms)
{
	const struct riommu_request q = {.device_id = 0x108, .iova = iova};

	return riommu_probe_translate(control, &sys->iommus[0], &q, timeout_ms, &probe);
}

static int ask(uint64_t iova)
{
	return ask_within(iova, TIMEOUT_MS);
}

/* -- the request --------------------------------------------------------------------------------- */

START_TEST(a_request_is_written_as_the_specification_has_it)
{
	static const struct {
		struct riommu_request q;
		uint64_t ctl; /* facts 6; the golden one of 12.4 first, Go clear again */
	} cases[] = {
		{{.device_id = 0x108}, 0x0001080000000008},
		{{.device_id = 0xffffff}, 0xffffff0000000008},
		{{.device_id = 8, .access = RIOMMU_EXEC}, 0x000008000000000c},
		{{.device_id = 8, .access = RIOMMU_WRITE}, 0x0000080000000008},
		{{.device_id = 8, .process_id = 5, .has_process_id = true}, 0x0000080100005008},
		{{.device_id = 8,
		  .process_id = 0xfffff,
		  .has_process_id = true,
		  .privileged = true},
		 0x00000801fffff00a},
		{{.device_id = 8, .process_id = 5, .privileged = true}, 0x0000080000000008},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(cases); i++) {
		struct riommu_request q = cases[i].q;

		q.iova = 0xfedcba9876543210;
		ck_assert_int_eq(
			riommu_probe_translate(control, &sys->iommus[0], &q, TIMEOUT_MS, &probe),
			0);
		ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_TR_REQ_CTL, 8), cases[i].ctl);
		ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_TR_REQ_IOVA, 8), 0xfedcba9876543000);
	}
	ck_assert_uint_eq(sim->iommus[0].probes, RIOMMU_ARRAY_SIZE(cases));
}
END_TEST

START_TEST(an_iommu_without_dbg_is_not_asked)
{
	sys->iommus[0].value[riommu_reg_by_offset(RIOMMU_REG_CAPABILITIES)] &= ~RIOMMU_CAP_DBG;
	ck_assert_int_eq(ask(0), -ENOTSUP);
	ck_assert_uint_eq(sim->accesses, 0);
}
END_TEST

START_TEST(a_request_of_somebody_else_is_left_alone)
{
	sim->iommus[0].go_forever = true;
	ck_assert_int_eq(ask(0), -EBUSY);
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

/* The registers are anybody's: what is in them when the answer was read is what was answered. */
static const uint32_t asked[] = {RIOMMU_REG_TR_REQ_IOVA, RIOMMU_REG_TR_REQ_IOVA + 4,
				 RIOMMU_REG_TR_REQ_CTL, RIOMMU_REG_TR_REQ_CTL + 4};

START_TEST(an_answer_to_somebody_else_is_not_ours)
{
	sim->iommus[0].other_asks = asked[_i];
	ck_assert_int_eq(ask(0x1000), -EBUSY);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "3010000.iommu"));
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "another"));
}
END_TEST

START_TEST(an_answer_whose_question_cannot_be_read_is_none)
{
	sim->iommus[0].refuses_read = RIOMMU_REG_TR_REQ_IOVA;
	ck_assert_int_eq(ask(0x1000), -EACCES);
	ck_assert_uint_eq(sim->iommus[0].probes, 1);
}
END_TEST

/* Facts 6: changing tr_req_* while Go is set is unspecified. */
START_TEST(an_answer_that_does_not_come_is_a_timeout_and_nothing_more_is_written)
{
	sim->iommus[0].probe_takes = SIM_FOREVER;
	ck_assert_int_eq(ask_within(0, SHORT_MS), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "20 ms"));
	ck_assert_uint_eq(sim->writes, 4);
	ck_assert_uint_eq(sim->iommus[0].probes, 1);
	ck_assert_int_eq(ask(0), -EBUSY);
	ck_assert_uint_eq(sim->writes, 4);
}
END_TEST

/* A process that slept through its time looks once more before it gives up. */
START_TEST(an_answer_is_taken_also_when_the_time_is_up)
{
	sim->iommus[0].probe_takes = 1;
	ck_assert_int_eq(ask_within(0, 0), 0);
}
END_TEST

START_TEST(an_iommu_that_went_away_does_not_answer)
{
	sim->iommus[0].dead = true;
	ck_assert_int_eq(ask(0), -EFAULT);
	sim->iommus[0].dead = false;
	sim->iommus[0].bus_error = true;
	ck_assert_int_eq(ask(0), -EFAULT);
	sim->iommus[0].bus_error = false;
	sim->iommus[0].refused = true;
	ck_assert_int_eq(ask(0), -EACCES);
	ck_assert_uint_eq(sim->writes, 0);
}
END_TEST

/* The address, then the request, upper halves first: the first that is not taken ends it, and Go is never set. */
START_TEST(a_request_that_cannot_be_written_is_not_asked)
{
	sim->iommus[0].refuses_write = (unsigned)_i;
	ck_assert_int_eq(ask(0), -EIO);
	ck_assert_uint_eq(sim->iommus[0].writes, (unsigned)_i - 1);
	ck_assert_uint_eq(sim->iommus[0].probes, 0);
}
END_TEST

START_TEST(an_iommu_that_goes_away_during_a_request_does_not_answer)
{
	sim->iommus[0].refuses_after = 4;
	ck_assert_int_eq(ask(0), -EACCES);
	ck_assert_uint_eq(sim->iommus[0].probes, 1);
}
END_TEST

START_TEST(an_iommu_whose_capabilities_are_not_known_is_not_asked)
{
	sys->iommus[0].state[riommu_reg_by_offset(RIOMMU_REG_CAPABILITIES)] = RIOMMU_REG_MISSING;
	ck_assert_int_eq(ask(0), -ENODATA);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "not known"));
	sys->iommus[0].error = -EACCES;
	snprintf(sys->iommus[0].reason, sizeof(sys->iommus[0].reason), "lockdown");
	ck_assert_int_eq(ask(0), -EACCES);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "lockdown"));
	ck_assert_uint_eq(sim->accesses, 0);
}
END_TEST

START_TEST(an_answer_of_all_ones_is_none)
{
	sim->iommus[0].probe_response = UINT64_MAX;
	ck_assert_int_eq(ask(0), -EFAULT);
}
END_TEST

/* -- the answer ---------------------------------------------------------------------------------- */

/* Facts 6 and 12.4: X is the lowest 0 bit of PPN, the size 2^(X+1) * 4 KiB. */
static const struct {
	uint64_t response, iova;
	uint64_t page, size;
	unsigned pbmt;
} answers[] = {
	{0x0000000020200000, 0, 0x80800000, 0x1000, 0},
	{0x0000000020200000, 0xfff, 0x80800000, 0x1000, 0},
	{0x000000002023fe00, 0x40000000, 0x80800000, 0x200000, 0},
	{0x000000002023fe00, 0x401234567, 0x80834000, 0x200000, 0},
	{0x0000000020200200 | 0x7 << 10, 0, 0x80800000, 0x10000, 0},
	{0x0000000020200200 | 0x7 << 10, 0x12345, 0x80802000, 0x10000, 0},
	{0x0000000020200200, 0x1fff, 0x80801000, 0x2000, 0},
	{0x0000000020200000 | 0x1ff << 10, 0, 0x809ff000, 0x1000, 0}, /* S is 0: no size in it */
	{0x0000000020200080, 0, 0x80800000, 0x1000, 1},
	{0x0000000020200100, 0, 0x80800000, 0x1000, 2},
	{0x003ffffffffffc00, 0, 0x00fffffffffff000, 0x1000, 0},
	{0x001ffffffffffe00, 0x123456789abcdef0, 0x003456789abcd000, (uint64_t)1 << 56, 0},
};

START_TEST(an_answer_is_a_page_and_its_size)
{
	sim->iommus[0].probe_response = answers[_i].response;
	ck_assert_int_eq(ask(answers[_i].iova), 0);
	ck_assert(!probe.fault);
	ck_assert_uint_eq(probe.size, answers[_i].size);
	ck_assert_uint_eq(probe.page, answers[_i].page);
	ck_assert_uint_eq(probe.pbmt, answers[_i].pbmt);
	ck_assert_uint_eq(probe.response, answers[_i].response);
}
END_TEST

/* PBMT, S and PPN of a fault are unspecified: QEMU has a cause there. */
START_TEST(a_fault_says_nothing_else)
{
	sim->iommus[0].probe_response = 0x003ffffffffffdff;
	ck_assert_int_eq(ask(0x1000), 0);
	ck_assert(probe.fault);
	ck_assert_uint_eq(probe.page, 0);
	ck_assert_uint_eq(probe.size, 0);
	ck_assert_uint_eq(probe.pbmt, 0);
}
END_TEST

START_TEST(a_superpage_without_a_size_is_damaged)
{
	sim->iommus[0].probe_response = 0x003ffffffffffe00;
	ck_assert_int_eq(ask(0), -EBADMSG);
}
END_TEST

START_TEST(reserved_and_custom_bits_of_an_answer_are_no_address)
{
	sim->iommus[0].probe_response = 0xffc0000020200000;
	ck_assert_int_eq(ask(0), 0);
	ck_assert_uint_eq(probe.page, 0x80800000);
}
END_TEST

/* -- removal ------------------------------------------------------------------------------------- */

static void a_function_called(const char *name)
{
	snprintf(sys->iommus[0].name, sizeof(sys->iommus[0].name), "%s", name);
}

START_TEST(a_pci_function_is_removed_by_the_kernel)
{
	char text[8] = "";
	FILE *f;

	a_function_called(SIM_IOMMU);
	make_dir("sys/bus/pci/devices/" SIM_IOMMU);
	write_text("sys/bus/pci/devices/" SIM_IOMMU "/remove", "");
	ck_assert_int_eq(riommu_iommu_remove(sys, 0), 0);
	f = fopen(below("sys/bus/pci/devices/" SIM_IOMMU "/remove"), "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(text, 1, sizeof(text) - 1, f), 1);
	fclose(f);
	ck_assert_str_eq(text, "1");
	ck_assert_uint_eq(sim->accesses, 0); /* no register is touched by us */
}
END_TEST

START_TEST(what_is_no_pci_function_cannot_be_removed)
{
	static const char *const names[] = {"3010000.iommu", "0x3010000", "", "0000:00:04.0/../x",
					    "../0000:00:04.0"};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(names); i++) {
		a_function_called(names[i]);
		ck_assert_int_eq(riommu_iommu_remove(sys, 0), -EINVAL);
	}
}
END_TEST

START_TEST(a_function_that_is_gone_is_an_error_with_its_path)
{
	a_function_called(SIM_IOMMU);
	ck_assert_int_eq(riommu_iommu_remove(sys, 0), -ENOENT);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), SIM_IOMMU "/remove"));
}
END_TEST

START_TEST(a_removal_that_is_not_allowed_is_refused)
{
	a_function_called(SIM_IOMMU);
	make_dir("sys/bus/pci/devices/" SIM_IOMMU "/remove"); /* what root cannot write either */
	ck_assert_int_eq(riommu_iommu_remove(sys, 0), -EISDIR);
	ck_assert_int_eq(rmdir(below("sys/bus/pci/devices/" SIM_IOMMU "/remove")), 0);
	if (geteuid() == 0)
		return; /* modes do not hold for root */
	write_text("sys/bus/pci/devices/" SIM_IOMMU "/remove", "");
	chmod(below("sys/bus/pci/devices/" SIM_IOMMU "/remove"), 0400);
	ck_assert_int_eq(riommu_iommu_remove(sys, 0), -EACCES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe");
	TCase *tc = tcase_create("probe");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_request_is_written_as_the_specification_has_it);
	tcase_add_test(tc, an_iommu_without_dbg_is_not_asked);
	tcase_add_test(tc, a_request_of_somebody_else_is_left_alone);
	tcase_add_loop_test(tc, an_answer_to_somebody_else_is_not_ours, 0, 4);
	tcase_add_test(tc, an_answer_whose_question_cannot_be_read_is_none);
	tcase_add_test(tc, an_answer_that_does_not_come_is_a_timeout_and_nothing_more_is_written);
	tcase_add_test(tc, an_answer_is_taken_also_when_the_time_is_up);
	tcase_add_test(tc, an_iommu_that_went_away_does_not_answer);
	tcase_add_loop_test(tc, a_request_that_cannot_be_written_is_not_asked, 1, 5);
	tcase_add_test(tc, an_iommu_that_goes_away_during_a_request_does_not_answer);
	tcase_add_test(tc, an_iommu_whose_capabilities_are_not_known_is_not_asked);
	tcase_add_test(tc, an_answer_of_all_ones_is_none);
	tcase_add_loop_test(tc, an_answer_is_a_page_and_its_size, 0,
			    (int)RIOMMU_ARRAY_SIZE(answers));
	tcase_add_test(tc, a_fault_says_nothing_else);
	tcase_add_test(tc, a_superpage_without_a_size_is_damaged);
	tcase_add_test(tc, reserved_and_custom_bits_of_an_answer_are_no_address);
	tcase_add_test(tc, a_pci_function_is_removed_by_the_kernel);
	tcase_add_test(tc, what_is_no_pci_function_cannot_be_removed);
	tcase_add_test(tc, a_function_that_is_gone_is_an_error_with_its_path);
	tcase_add_test(tc, a_removal_that_is_not_allowed_is_refused);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
