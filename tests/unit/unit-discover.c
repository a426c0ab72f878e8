/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discover: what a capture, a vmcore, and a made-up machine with a device tree, PCI and sysfs are taken for. */
#include "config.h"

#include "discover/discover-internal.h"
#include "failing.h"
#include "files.h"
#include "spec/notes.h"
#include "spec/record.h"
#include "runner.h"

#include <check.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct riommu_ctx *ctx;
static struct riommu_system *sys;

static void setup(void)
{
	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
	sys = NULL;
	files_begin();
}

static void teardown(void)
{
	riommu_system_close(sys);
	riommu_ctx_free(ctx);
	files_end();
}

static int open_args(const struct riommu_open_args *args)
{
	riommu_system_close(sys);
	return riommu_system_open(ctx, args, &sys);
}

/* Opens the core that was made, with up to one more argument of each kind. */
static int open_core(const uint64_t *base, const struct riommu_reg_override *overrides,
		     size_t override_count)
{
	struct riommu_open_args args = {.input = below("core"),
					.bases = base,
					.base_count = base ? 1 : 0,
					.overrides = overrides,
					.override_count = override_count};

	core_finish();
	write_file("core", core.bytes, core.len);
	return open_args(&args);
}

static void expect_error(int err, int wanted, const char *word)
{
	ck_assert_int_eq(err, wanted);
	ck_assert_ptr_null(sys);
	ck_assert_msg(strstr(riommu_error(ctx), word), "\"%s\" does not say \"%s\"",
		      riommu_error(ctx), word);
}

static void expect_reg(size_t iommu, uint32_t offset, int err, uint64_t value)
{
	uint64_t got = 0;

	ck_assert_int_eq(riommu_iommu_reg(&sys->iommus[iommu], offset, &got), err);
	if (!err)
		ck_assert_uint_eq(got, value);
}

/* -- captures -------------------------------------------------------------------------------------------------- */

START_TEST(a_capture_gives_what_its_notes_say)
{
	core_of_an_iommu();
	ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
	ck_assert(!sys->live);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_str_eq(sys->iommus[0].name, "3010000.iommu");
	ck_assert_uint_eq(sys->iommus[0].base, BASE);
	ck_assert_int_eq(sys->iommus[0].found, RIOMMU_FOUND_NOTE);
	ck_assert_int_eq(sys->iommus[0].error, 0);
	ck_assert_str_eq(sys->iommus[0].method, "core");
	expect_reg(0, RIOMMU_REG_DDTP, 0, 0x1234);
	expect_reg(0, RIOMMU_REG_CQB, -ENODATA, 0);
	expect_reg(0, 0x14, -EINVAL, 0);
	ck_assert_ptr_nonnull(sys->memory);
}
END_TEST

START_TEST(a_register_that_a_walk_needs_is_named_when_missing)
{
	core_begin();
	core_registers(BASE, "x", some, 2);
	ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
	ck_assert_int_eq(sys->iommus[0].error, -ENODATA);
	ck_assert_ptr_nonnull(strstr(sys->iommus[0].reason, "ddtp"));
	expect_reg(0, RIOMMU_REG_FCTL, 0, 2);
}
END_TEST

/* capabilities 0x10: no ATS, so no page-request queue; no HPM, no DBG. */
START_TEST(what_capabilities_exclude_is_not_missing)
{
	core_of_an_iommu();
	ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
	ck_assert_int_eq(sys->iommus[0].state[riommu_reg_by_offset(RIOMMU_REG_PQB)],
			 RIOMMU_REG_UNREAD);
	ck_assert_int_eq(sys->iommus[0].state[riommu_reg_by_offset(RIOMMU_REG_CQB)],
			 RIOMMU_REG_MISSING);
}
END_TEST

START_TEST(a_register_by_hand_wins)
{
	static const struct riommu_reg_override o[] = {
		{.iommu = "", .offset = RIOMMU_REG_DDTP, .width = 8, .value = 0x77},
		{.iommu = "3010000.iommu", .offset = RIOMMU_REG_FCTL, .width = 4, .value = 4},
		{.iommu = "0x3010000", .offset = RIOMMU_REG_CQB, .width = 8, .value = 5},
	};

	core_of_an_iommu();
	ck_assert_int_eq(open_core(NULL, o, 3), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	expect_reg(0, RIOMMU_REG_DDTP, 0, 0x77);
	expect_reg(0, RIOMMU_REG_FCTL, 0, 4);
	expect_reg(0, RIOMMU_REG_CQB, 0, 5);
}
END_TEST

/* What is not there or refused is no news; what failed is, lest a failing disk look like a machine without IOMMUs. */
static const struct {
	int err, result;
	const char *told;
} left_out[] = {
	{-ENOENT, 0, ""},       {-ENOTDIR, 0, ""},
	{-EACCES, 0, ""},       {-EPERM, 0, ""},
	{-ENOMEM, -ENOMEM, ""}, {-EIO, 0, "/x: Input/output error; what it tells is left out"},
};

START_TEST(what_is_left_out_is_told_where_it_failed)
{
	ck_assert_int_eq(riommu_left_out(ctx, "/x", left_out[_i].err), left_out[_i].result);
	ck_assert_str_eq(riommu_omission(ctx), left_out[_i].told);
}
END_TEST

/* A record of COUNT IOMMUs, a page apart, of which the first is at BASE. */
static void write_record(const char *name, uint32_t count, const uint32_t *status,
			 uint64_t capabilities)
{
	static uint8_t bytes[RIOMMU_RECORD_HEAD + 16 * RIOMMU_RECORD_ENTRY];

	memset(bytes, 0, sizeof(bytes));
	riommu_record_init(bytes, 16);
	riommu_put32(bytes + RIOMMU_RECORD_AT_STATE, RIOMMU_RECORD_FINISHED);
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *e = bytes + RIOMMU_RECORD_HEAD + (size_t)i * RIOMMU_RECORD_ENTRY;

		riommu_put64(e + RIOMMU_RECORD_AT_BASE, BASE + i * PAGE);
		riommu_put32(e + RIOMMU_RECORD_AT_STATUS, status[i]);
		riommu_put64(e + RIOMMU_RECORD_AT_CAPABILITIES, capabilities);
		riommu_put64(e + RIOMMU_RECORD_AT_DDTP_OLD, 0x20000003 + i);
	}
	write_file(name, bytes, sizeof(bytes));
}

START_TEST(a_record_gives_only_the_iommus_that_are_asked_for)
{
	static const uint32_t status[] = {RIOMMU_RECORD_BLOCKED, RIOMMU_RECORD_BLOCKED};
	uint64_t base = BASE + PAGE;

	write_record("record", 2, status, 0x10);
	core_begin();
	core_load(0x80000000, PAGE, 0);
	ck_assert_int_eq(riommu_option_set(ctx, "record", below("record")), 0);
	ck_assert_int_eq(open_core(&base, NULL, 0), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_uint_eq(sys->iommus[0].base, base);
	ck_assert_int_eq(sys->iommus[0].found, RIOMMU_FOUND_RECORD);
	base = 0x7010000;
	ck_assert_int_eq(open_core(&base, NULL, 0), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_int_eq(sys->iommus[0].found, RIOMMU_FOUND_OPTION);
}
END_TEST

static int open_with_record(const char *option)
{
	core_begin();
	core_load(0x80000000, PAGE, 0);
	ck_assert_int_eq(riommu_option_set(ctx, "record", option), 0);
	return open_core(NULL, NULL, 0);
}

/* Where the stub did not come to the registers there are none; what has no page-request queue has no registers of it. */
START_TEST(a_record_gives_the_registers_that_the_stub_could_read)
{
	static const uint32_t status[] = {RIOMMU_RECORD_UNUSED,    RIOMMU_RECORD_TRAP,
					  RIOMMU_RECORD_NOT_IOMMU, RIOMMU_RECORD_LEFT,
					  RIOMMU_RECORD_BLOCKED,   RIOMMU_RECORD_MODE_KEPT};

	write_record("record", 6, status, 0x10);
	ck_assert_int_eq(open_with_record(below("record")), 0);
	ck_assert_uint_eq(sys->iommu_count, 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(sys->iommus[i].base, BASE + (3 + i) * PAGE);
		ck_assert_int_eq(sys->iommus[i].found, RIOMMU_FOUND_RECORD);
		expect_reg(i, RIOMMU_REG_DDTP, 0, 0x20000006 + i);
		expect_reg(i, RIOMMU_REG_PQB, -ENODATA, 0);
	}
}
END_TEST

START_TEST(a_record_of_an_iommu_that_is_on_no_page_is_damage)
{
	const uint32_t status[] = {RIOMMU_RECORD_BLOCKED, RIOMMU_RECORD_BLOCKED};
	FILE *f;

	write_record("record", 2, status, 0x10);
	f = fopen(below("record"), "r+");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, RIOMMU_RECORD_HEAD, SEEK_SET), 0);
	ck_assert_int_eq(fputc(4, f), 4);
	ck_assert_int_eq(fclose(f), 0);
	expect_error(open_with_record(below("record")), -EBADMSG, "not aligned");
}
END_TEST

/* The running kernel's: as a file of its device tree; where that has none, in the whole. */
START_TEST(the_record_of_the_running_kernel_is_looked_for_in_both_trees)
{
	const uint32_t status = RIOMMU_RECORD_BLOCKED;

	ck_assert_int_eq(riommu_option_set(ctx, "dt.path", below("dt")), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "fdt.path", below("fdt")), 0);
	make_dir("dt");
	if (_i)
		write_text("dt/chosen", ""); /* no directory */
	expect_error(open_with_record("auto"), -ENOENT, "/fdt: ");
	write_record("fdt", 1, &status, 0x10);
	ck_assert_int_eq(open_with_record("auto"), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
}
END_TEST

START_TEST(bases_leave_other_iommus_out)
{
	const uint64_t second = BASE + PAGE, unknown = BASE + 2 * PAGE;

	core_of_an_iommu();
	core_registers(second, "second", some, 3);
	ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
	ck_assert_uint_eq(sys->iommu_count, 2);
	ck_assert_int_eq(open_core(&second, NULL, 0), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_str_eq(sys->iommus[0].name, "second");
	ck_assert_int_eq(open_core(&unknown, NULL, 0), 0);
	ck_assert_int_eq(sys->iommus[0].error, -ENODATA);
	ck_assert_int_eq(sys->iommus[0].found, RIOMMU_FOUND_OPTION);
}
END_TEST

START_TEST(a_vmcore_without_registers_says_what_is_missing)
{
	core_begin();
	core_load(0x80000000, PAGE, 0);
	expect_error(open_core(NULL, NULL, 0), -ENODEV,
		     "--reg capabilities=VALUE --reg fctl=VALUE --reg ddtp=VALUE");
}
END_TEST

START_TEST(a_vmcore_takes_registers_by_hand)
{
	static const struct riommu_reg_override o[] = {
		{.iommu = "0x3010000", .offset = RIOMMU_REG_CAPABILITIES, .width = 8, .value = 16},
		{.iommu = "0x3010000", .offset = RIOMMU_REG_FCTL, .width = 4, .value = 0},
		{.iommu = "0x3010000", .offset = RIOMMU_REG_DDTP, .width = 8, .value = 1},
	};

	core_begin();
	core_load(0x80000000, PAGE, 0);
	ck_assert_int_eq(open_core(NULL, o, 3), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_int_eq(sys->iommus[0].error, 0);
	ck_assert_str_eq(sys->iommus[0].method, "option");
	expect_reg(0, RIOMMU_REG_DDTP, 0, 1);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
	struct riommu_reg_override o = {.iommu = "nobody", .offset = RIOMMU_REG_FCTL, .width = 4};
	struct riommu_open_args args = {.input = below("core"), .access = "devmem"};
	uint64_t crooked = BASE + 4;

	core_of_an_iommu();
	expect_error(open_core(NULL, &o, 1), -ENODEV, "nobody");
	strcpy(o.iommu, "0x3010001");
	expect_error(open_core(NULL, &o, 1), -EINVAL, "aligned");
	expect_error(open_core(&crooked, NULL, 0), -EINVAL, "aligned");
	o = (struct riommu_reg_override){.offset = RIOMMU_REG_FCTL, .width = 8};
	expect_error(open_core(NULL, &o, 1), -EINVAL, "no 8-byte register");
	expect_error(open_args(&args), -EINVAL, "devmem");
	args = (struct riommu_open_args){.access = "core"};
	expect_error(open_args(&args), -EINVAL, "--input");
	args.access = "nothing";
	expect_error(open_args(&args), -EINVAL, "nothing");
}
END_TEST

/* -- the machine note ---------------------------------------------------------------------------------------------- */

static int open_machine(const char *json)
{
	core_of_an_iommu();
	core_note(RIOMMU_NOTE_NAME, RIOMMU_NOTE_MACHINE, json, (uint32_t)strlen(json));
	return open_core(NULL, NULL, 0);
}

#define MACHINE                                                                                \
	"{\"tool_version\":\"9\",\"kernel\":\"7.2.12\",\"model\":\"board\",\"time\":\"now\","  \
	"\"live\":true,\"methods\":[\"debugfs\"],\"future\":[1,{}],"                           \
	"\"devices\":["                                                                        \
	"{\"device_id\":\"0x10\",\"name\":\"0000:00:02.0\",\"iommu\":\"0x3010000\"},"          \
	"{\"device_id\":\"0x8\",\"name\":\"0000:00:01.0\",\"driver\":\"edu\",\"group\":\"0\"," \
	"\"domain_type\":\"identity\",\"iommu\":\"0x3010000\"},"                               \
	"{\"device_id\":\"0x9\",\"name\":\"lost\",\"iommu\":\"0xdead000\",\"driver\":null}],"  \
	"\"memory\":[{\"start\":\"0x80000000\",\"end\":\"0xbfffffff\","                        \
	"\"name\":\"System RAM\"}]}"

START_TEST(a_machine_note_gives_names_and_memory)
{
	ck_assert_int_eq(open_machine(MACHINE), 0);
	ck_assert_str_eq(sys->kernel, "7.2.12");
	ck_assert_str_eq(sys->model, "board");
	ck_assert_str_eq(sys->time, "now");
	ck_assert_uint_eq(sys->device_count, 3);
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 8), "0000:00:01.0");
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 0x10), "0000:00:02.0");
	ck_assert_ptr_null(riommu_system_device_name(sys, 0, 9));
	ck_assert_ptr_null(riommu_system_device_name(sys, 1, 8));
	ck_assert_str_eq(sys->devices[0].driver, "edu");
	ck_assert_str_eq(sys->devices[0].domain_type, "identity");
	ck_assert_uint_eq(sys->region_count, 1);
	ck_assert_uint_eq(sys->regions[0].end, 0xbfffffff);
	ck_assert_str_eq(sys->regions[0].name, "System RAM");
}
END_TEST

/* The format does not say how each value is written: numbers may be numbers, and an IOMMU may be named. */
START_TEST(a_machine_note_of_another_tool_is_understood)
{
	ck_assert_int_eq(open_machine("{\"kernel\":7.2,\"devices\":["
				      "{\"device_id\":8,\"name\":\"a\",\"group\":3,"
				      "\"iommu\":50397184},"
				      "{\"device_id\":\"9\",\"name\":\"b\",\"group\":true,"
				      "\"iommu\":\"0x3010000\"},"
				      "{\"device_id\":10,\"iommu\":\"elsewhere\"},"
				      "{\"device_id\":11,\"iommu\":\"0x3010000\"}],"
				      "\"memory\":[{\"start\":4096,\"end\":8191}]}"),
			 0);
	ck_assert_str_eq(sys->kernel, "7.2");
	ck_assert_uint_eq(sys->device_count, 4);
	ck_assert_ptr_null(riommu_system_device_name(sys, 0, 11)); /* it has none */
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 8), "a");
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 9), "b");
	ck_assert_ptr_null(riommu_system_device_name(sys, 0, 10));
	ck_assert_str_eq(sys->devices[0].group, "3");
	ck_assert_uint_eq(sys->regions[0].start, 0x1000);
}
END_TEST

/* With one IOMMU there is no question whose a device is; with two there is, and null says that it is not known. */
START_TEST(a_device_of_no_named_iommu_is_of_the_only_one)
{
	static const char *const machines[] = {
		"{\"devices\":[{\"device_id\":8,\"name\":\"a\"}]}",
		"{\"devices\":[{\"device_id\":8,\"name\":\"a\",\"iommu\":null}]}",
	};

	for (size_t i = 0; i < 4; i++) {
		const char *json = machines[i / 2];

		core_of_an_iommu();
		if (i % 2)
			core_registers(BASE + 0x10000, "another", NULL, 0);
		core_note(RIOMMU_NOTE_NAME, RIOMMU_NOTE_MACHINE, json, (uint32_t)strlen(json));
		ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
		ck_assert_uint_eq(sys->device_count, 1);
		ck_assert_uint_eq(sys->devices[0].iommu, i ? RIOMMU_NO_IOMMU : 0);
		riommu_system_close(sys);
		sys = NULL;
	}
}
END_TEST

START_TEST(a_machine_note_survives_the_way_out_and_back)
{
	char *first, *second;

	ck_assert_int_eq(open_machine(MACHINE), 0);
	ck_assert_int_eq(riommu_machine_json(sys, "1.2", &first), 0);
	ck_assert_int_eq(open_machine(first), 0);
	ck_assert_int_eq(riommu_machine_json(sys, "1.2", &second), 0);
	ck_assert_str_eq(first, second);
	ck_assert_ptr_nonnull(strstr(first, "\"tool_version\":\"1.2\""));
	ck_assert_ptr_nonnull(strstr(first, "\"driver\":\"edu\""));
	ck_assert_uint_eq(sys->device_count, 3);
	free(first);
	free(second);
}
END_TEST

START_TEST(a_name_with_quotes_and_slashes_survives)
{
	char *text;

	ck_assert_int_eq(open_machine("{\"model\":\"a \\\"b\\\" \\\\c/\"}"), 0);
	ck_assert_str_eq(sys->model, "a \"b\" \\c/");
	ck_assert_int_eq(riommu_machine_json(sys, "1.2", &text), 0);
	ck_assert_int_eq(open_machine(text), 0);
	ck_assert_str_eq(sys->model, "a \"b\" \\c/");
	free(text);
}
END_TEST

/* As many devices as an IOMMU can have ids would be a note that is not read: some are left out, the memory is not. */
START_TEST(a_machine_note_is_never_too_long_to_be_read)
{
	struct riommu_device device = {.iommu = 0, .driver = "a driver with a long name"};
	struct riommu_system again = {.iommu_count = 0};
	size_t count = 200000;
	char *text;

	core_of_an_iommu();
	ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
	for (size_t i = 0; i < count; i++) {
		device.device_id = (uint32_t)i;
		snprintf(device.name, sizeof(device.name), "0000:%05zx", i);
		ck_assert_int_eq(riommu_list_device(sys, &device), 0);
	}
	ck_assert_int_eq(riommu_list_region(sys, 0x80000000, 0xbfffffff, "System RAM", 10), 0);
	ck_assert_int_eq(riommu_machine_json(sys, "1.2", &text), 0);
	again.ctx = sys->ctx;
	ck_assert_int_eq(riommu_machine_parse(&again, text, strlen(text)), 0);
	ck_assert_uint_gt(again.device_count, 100000);
	ck_assert_uint_lt(again.device_count, count);
	ck_assert_str_eq(again.devices[again.device_count - 1].driver, device.driver);
	ck_assert_uint_eq(again.region_count, 1);
	free(again.devices);
	free(again.regions);
	free(text);
}
END_TEST

START_TEST(more_memory_than_a_machine_note_has_room_for_is_left_out)
{
	struct riommu_system again = {.iommu_count = 0};
	size_t count = 250000;
	char *text;

	core_begin();
	core_some_registers();
	ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
	for (uint64_t i = 0; i < count; i++)
		ck_assert_int_eq(riommu_list_region(sys, i << 20, (i << 20) + 1,
						    "Persistent Memory (legacy)", 26),
				 0);
	ck_assert_int_eq(riommu_machine_json(sys, "1.2", &text), 0);
	again.ctx = sys->ctx;
	ck_assert_int_eq(riommu_machine_parse(&again, text, strlen(text)), 0);
	ck_assert_uint_gt(again.region_count, 100000);
	ck_assert_uint_lt(again.region_count, count);
	free(again.regions);
	free(text);
}
END_TEST

START_TEST(a_machine_note_larger_than_any_is_not_looked_at)
{
	struct riommu_system fake = {.ctx = ctx};

	ck_assert_int_eq(riommu_machine_parse(&fake, "", ((size_t)16 << 20) + 1), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "larger than 16 MiB"));
}
END_TEST

/* As a text of C, and with nothing where a list would be. */
START_TEST(a_machine_note_may_end_as_a_text_and_have_null_for_a_list)
{
	static const char text[] = "{\"model\":\"m\",\"devices\":null,\"memory\":null}";
	struct riommu_system fake = {.ctx = ctx};

	ck_assert_int_eq(riommu_machine_parse(&fake, text, sizeof(text)), 0);
	ck_assert_str_eq(fake.model, "m");
	ck_assert_uint_eq(fake.device_count + fake.region_count, 0);
}
END_TEST

START_TEST(a_machine_note_names_each_way_to_the_registers_once)
{
	char *text;

	core_begin();
	core_some_registers();
	core_registers(BASE + PAGE, "second", some, 3);
	core_registers(BASE + 2 * PAGE, "third", some, 3);
	ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
	sys->iommus[0].method = sys->iommus[2].method = "debugfs";
	ck_assert_int_eq(riommu_machine_json(sys, "1.2", &text), 0);
	ck_assert_ptr_nonnull(strstr(text, "\"methods\":[\"debugfs\",\"core\"]"));
	free(text);
}
END_TEST

/* By hand and not by json-c: so that a build without it writes what one with it reads. */
START_TEST(a_machine_note_is_the_same_in_every_build)
{
	const struct riommu_device device = {
		.iommu = 0, .device_id = 8, .name = "0000:00:01.0", .driver = "edu"};
	char *text;

	core_of_an_iommu();
	ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
	strcpy(sys->kernel, "7.2 \"x\\y\"");
	ck_assert_int_eq(riommu_list_device(sys, &device), 0);
	ck_assert_int_eq(riommu_list_region(sys, 0x80000000, 0xbfffffff, "System RAM", 10), 0);
	ck_assert_int_eq(riommu_machine_json(sys, "1.2", &text), 0);
	ck_assert_str_eq(text, "{\"tool_version\":\"1.2\",\"kernel\":\"7.2 \\\"x\\\\y\\\"\","
			       "\"live\":false,\"methods\":[\"core\"],"
			       "\"devices\":[{\"device_id\":\"0x8\",\"name\":\"0000:00:01.0\","
			       "\"driver\":\"edu\",\"iommu\":\"0x3010000\"}],"
			       "\"memory\":[{\"start\":\"0x80000000\",\"end\":\"0xbfffffff\","
			       "\"name\":\"System RAM\"}]}");
	free(text);
}
END_TEST

static const char *const bad_machines[] = {
	"",
	"x",
	"[]",
	"null",
	"{\"kernel\":\"7",
	"{\"model\":[]}",
	"{\"devices\":{}}",
	"{\"devices\":[1]}",
	"{\"devices\":[{}]}",
	"{\"devices\":[{\"device_id\":-8}]}",
	"{\"devices\":[{\"device_id\":8.5}]}",
	"{\"devices\":[{\"device_id\":\"eight\"}]}",
	"{\"devices\":[{\"device_id\":\"0x1000000\"}]}",
	"{\"devices\":[{\"device_id\":\"0x8\",\"iommu\":{}}]}",
	"{\"devices\":[{\"device_id\":\"0x8\",\"iommu\":\"\"}]}",
	"{\"devices\":[{\"device_id\":\"0x8\\u0000\"}]}",
	"{\"devices\":[{\"device_id\":\"0x8\",\"name\":{}}]}",
	"{\"memory\":[{}]}",
	"{\"memory\":[1]}",
	"{\"memory\":[{\"start\":\"0x1\",\"end\":\"0x2\",\"name\":{}}]}",
	"{\"kernel\":{}}",
	"{\"model\":[]}",
	"{\"devices\":[{\"device_id\":\"0x8\",\"iommu\":\"0x3010000\\u0000\"}]}",
	"{\"memory\":[{\"start\":\"0x2\",\"end\":\"0x1\"}]}",
	"{\"memory\":[{\"start\":\"0x2\",\"end\":\"0x10000000000000000\"}]}",
	"{\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}",
	"{} {}",
	"{\"kernel\":\"\xff\xfe\"}",
};

START_TEST(a_machine_note_that_is_wrong_is_damage)
{
	expect_error(open_machine(bad_machines[_i]), -EBADMSG, "machine note");
}
END_TEST

static const char *const twice[] = {
	"{\"kernel\":\"7.2\",\"kernel\":\"7.2\"}",
	"{\"model\":\"m\",\"kernel\":\"7.2\",\"model\":null}",
	"{\"time\":null,\"time\":\"now\"}",
	"{\"devices\":[{\"device_id\":\"0x8\"}],\"devices\":[{\"device_id\":\"0x9\"}]}",
	"{\"devices\":[],\"devices\":[]}",
	"{\"memory\":null,\"memory\":[{\"start\":\"0x1\",\"end\":\"0x2\"}]}",
};

/* Two lists would add up, and of two names one would be lost. */
START_TEST(a_key_that_stands_twice_in_a_machine_note_is_damage)
{
	expect_error(open_machine(twice[_i]), -EBADMSG, "\" stands twice");
}
END_TEST

/* What tools to come do with their keys is theirs; of one device it is as json-c has it: the last. */
START_TEST(other_keys_of_a_machine_note_may_stand_twice)
{
	ck_assert_int_eq(open_machine("{\"new\":1,\"newer\":2,\"new\":[3],\"devices\":["
				      "{\"device_id\":\"0x8\",\"name\":\"a\",\"name\":\"b\","
				      "\"iommu\":\"0x3010000\"}],\"newer\":{},\"kernel\":\"7\"}"),
			 0);
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 8), "b");
	ck_assert_str_eq(sys->kernel, "7");
}
END_TEST

/* Cut anywhere, or with a byte changed: damage or a system, never harm. */
START_TEST(no_machine_note_does_harm)
{
	static char json[] = MACHINE;
	size_t len = strlen(json);

	for (size_t i = 0; i < len; i += 3) {
		char kept = json[i];
		int err;

		json[i] = (char)(kept ^ 0x15);
		err = open_machine(json);
		ck_assert(!err || err == -EBADMSG);
		json[i] = '\0';
		ck_assert_int_eq(open_machine(json), -EBADMSG);
		json[i] = kept;
	}
}
END_TEST

/* -- names ----------------------------------------------------------------------------------------------------------- */

START_TEST(iommus_are_found_by_name_and_base)
{
	core_of_an_iommu();
	core_registers(BASE + PAGE, "0000:00:02.0", some, 3);
	ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
	ck_assert_uint_eq(riommu_system_find_iommu(sys, "3010000.iommu"), 0);
	ck_assert_uint_eq(riommu_system_find_iommu(sys, "riscv-iommu@0000:00:02.0"), 1);
	ck_assert_uint_eq(riommu_system_find_iommu(sys, "0x3011000"), 1);
	ck_assert_uint_eq(riommu_system_find_iommu(sys, "0x3012000"), RIOMMU_NO_IOMMU);
	ck_assert_uint_eq(riommu_system_find_iommu(sys, "50401280"), 1);
	ck_assert_uint_eq(riommu_system_find_iommu(sys, ""), RIOMMU_NO_IOMMU);
}
END_TEST

START_TEST(devices_are_found_by_name_and_id)
{
	struct riommu_device_ref refs[4];

	ck_assert_int_eq(open_machine(MACHINE), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "0000:00:02.0", refs, 4), 1);
	ck_assert_uint_eq(refs[0].device_id, 0x10);
	ck_assert_uint_eq(riommu_system_find_device(sys, "00:01.0", refs, 4), 1);
	ck_assert_uint_eq(refs[0].device_id, 8);
	ck_assert_uint_eq(riommu_system_find_device(sys, "0x77", refs, 4), 1);
	ck_assert_uint_eq(refs[0].device_id, 0x77);
	ck_assert_uint_eq(riommu_system_find_device(sys, "0xffffff", refs, 4), 1);
	ck_assert_uint_eq(riommu_system_find_device(sys, "0x1000000", refs, 4), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "0:2.0", refs, 4), 1);
	ck_assert_uint_eq(riommu_system_find_device(sys, "00:03.0", refs, 4), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "0001:00:02.0", refs, 4), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "00:20.0", refs, 4), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "lost", refs, 4), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "", refs, 4), 0);
}
END_TEST

START_TEST(pci_names_are_of_either_case)
{
	struct riommu_device_ref refs[4];

	ck_assert_int_eq(open_machine("{\"devices\":[{\"device_id\":\"0xafe\","
				      "\"name\":\"0000:0a:1f.6\",\"iommu\":\"0x3010000\"}]}"),
			 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "0A:1F.6", refs, 4), 1);
	ck_assert_uint_eq(riommu_system_find_device(sys, "0000:0a:1F.6", refs, 4), 1);
	ck_assert_uint_eq(refs[0].device_id, 0xafe);
}
END_TEST

START_TEST(a_bare_number_names_a_device_on_every_iommu)
{
	struct riommu_device_ref refs[4];

	core_of_an_iommu();
	core_registers(BASE + PAGE, "second", some, 3);
	ck_assert_int_eq(open_core(NULL, NULL, 0), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "8", refs, 4), 2);
	ck_assert_uint_eq(refs[1].iommu, 1);
	ck_assert_uint_eq(riommu_system_find_device(sys, "8", refs, 1), 2);
	/* no devices known: a PCI name is its requester ID */
	ck_assert_uint_eq(riommu_system_find_device(sys, "0000:01:02.3", refs, 4), 2);
	ck_assert_uint_eq(refs[0].device_id, 0x113);
	ck_assert_uint_eq(riommu_system_find_device(sys, "0001:01:02.3", refs, 4), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "01:20.0", refs, 4), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "01:02.8", refs, 4), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "01:02.3x", refs, 4), 0);
	ck_assert_uint_eq(riommu_system_find_device(sys, "-1:02.3", refs, 4), 0);
}
END_TEST

/* -- a machine ----------------------------------------------------------------------------------------------------- */

/* Every path leads below the test's own directory, where there is nothing yet. */
static void make_machine(void)
{
	static const char *const paths[][2] = {
		{"proc.path", "proc"},  {"sysfs.path", "sys"},   {"debugfs.path", "dbg"},
		{"devmem.path", "mem"}, {"kcore.path", "kcore"}, {"fdt.path", "fdt"},
		{"dt.path", "dt"},      {"acpi.path", "acpi"},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(paths); i++)
		ck_assert_int_eq(riommu_option_set(ctx, paths[i][0], below(paths[i][1])), 0);
}

static int open_live(void)
{
	return open_args(&(struct riommu_open_args){0});
}

static uint8_t tree[256 << 10];

static void cells(const char *name, size_t count, ...)
{
	uint32_t v[64];
	va_list ap;

	va_start(ap, count);
	for (size_t i = 0; i < count; i++)
		v[i] = cpu_to_fdt32(va_arg(ap, unsigned));
	va_end(ap);
	ck_assert_int_eq(fdt_property(tree, name, v, (int)(4 * count)), 0);
}

static void text(const char *name, const char *value)
{
	ck_assert_int_eq(fdt_property(tree, name, value, (int)strlen(value) + 1), 0);
}

static void node(const char *name, const char *compatible)
{
	ck_assert_int_eq(fdt_begin_node(tree, name), 0);
	if (compatible)
		text("compatible", compatible);
}

static void tree_begin(void)
{
	ck_assert_int_eq(fdt_create(tree, sizeof(tree)), 0);
	ck_assert_int_eq(fdt_finish_reservemap(tree), 0);
	node("", "made-up");
	text("model", "made-up,board");
	cells("#address-cells", 1, 2);
	cells("#size-cells", 1, 2);
}

static void node_end(void)
{
	ck_assert_int_eq(fdt_end_node(tree), 0);
}

static void tree_end(void)
{
	node_end();
	ck_assert_int_eq(fdt_finish(tree), 0);
}

/* As QEMU's board: an IOMMU on a bus, a host bridge with an iommu-map, a platform device with iommus. */
static void make_tree(void)
{
	tree_begin();
	node("soc", "simple-bus");
	cells("#address-cells", 1, 2);
	cells("#size-cells", 1, 2);
	cells("ranges", 0);
	node("iommu@3010000", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	cells("phandle", 1, 5);
	cells("#iommu-cells", 1, 1);
	node_end();
	node("pci@30000000", "pci-host-ecam-generic");
	cells("iommu-map", 8, 0, 5, 0, 0, 0, 5, 0x100, 0x10000);
	node_end();
	node("dma@1000", "made-up,dma");
	cells("iommus", 4, 5, 0x42, 5, 0x43);
	node_end();
	node_end();
	tree_end();
}

static void write_tree(void)
{
	write_file("fdt", tree, fdt_totalsize(tree));
}

static void make_function(const char *name, const char *class, const char *resource)
{
	char path[128];

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", name);
	make_dir(path);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/class", name);
	write_text(path, class);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/resource", name);
	write_text(path, resource);
}

START_TEST(a_platform_iommu_is_found_in_the_device_tree)
{
	make_machine();
	make_tree();
	write_tree();
	ck_assert_int_eq(open_live(), 0);
	ck_assert(sys->live);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_uint_eq(sys->iommus[0].base, BASE);
	ck_assert_str_eq(sys->iommus[0].name, "3010000.iommu");
	ck_assert_str_eq(sys->iommus[0].where, "/soc/iommu@3010000");
	ck_assert_int_eq(sys->iommus[0].found, RIOMMU_FOUND_DT);
	ck_assert_str_eq(sys->model, "made-up,board");
	ck_assert_int_eq(sys->iommus[0].error, -EACCES); /* nothing to read it with */
	ck_assert_ptr_null(sys->iommus[0].method);
	expect_reg(0, RIOMMU_REG_DDTP, -EACCES, 0);
}
END_TEST

/* The flattened tree is for root only; the same as files is for everyone. */
START_TEST(the_device_tree_is_read_as_files_too)
{
	static const uint8_t reg[] = {0, 0, 0, 0, 0x03, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0},
			     two[] = {0, 0, 0, 2};

	make_machine();
	make_dir("dt/soc/iommu@3010000");
	write_text("dt/model", "from files");
	write_file("dt/#address-cells", two, 4);
	write_file("dt/#size-cells", two, 4);
	write_file("dt/soc/#address-cells", two, 4);
	write_file("dt/soc/#size-cells", two, 4);
	write_text("dt/soc/ranges", "");
	write_file("dt/soc/iommu@3010000/compatible", "riscv,iommu", 12);
	write_file("dt/soc/iommu@3010000/reg", reg, sizeof(reg));
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommus[0].base, BASE);
	ck_assert_str_eq(sys->iommus[0].where, "/soc/iommu@3010000");
	ck_assert_str_eq(sys->model, "from files");
}
END_TEST

START_TEST(addresses_are_translated_by_ranges)
{
	make_machine();
	tree_begin();
	node("bus", NULL);
	cells("#address-cells", 1, 1);
	cells("#size-cells", 1, 1);
	cells("ranges", 8, 0x100000, 1, 0, 0x1000, 0x200000, 0x10, 0, 0x100000);
	node("iommu@203000", "riscv,iommu");
	cells("reg", 2, 0x203000, 0x1000);
	node_end();
	node_end();
	tree_end();
	write_tree();
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommus[0].base, 0x1000003000);
	ck_assert_str_eq(sys->iommus[0].name, "1000003000.iommu");
}
END_TEST

START_TEST(nodes_that_make_no_sense_are_left_out)
{
	make_machine();
	tree_begin();
	node("iommu@0", "riscv,iommu"); /* no reg */
	node_end();
	node("iommu@1", "riscv,iommu");
	cells("reg", 3, 0, BASE, 0); /* too short */
	node_end();
	node("iommu@2", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x100); /* smaller than the registers */
	node_end();
	node("iommu@3", "riscv,iommu");
	cells("reg", 4, 0, BASE + 4, 0, 0x1000); /* not aligned */
	node_end();
	node("iommu@4", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	text("status", "disabled");
	node_end();
	node("bus", NULL); /* no ranges: not visible from the CPU */
	cells("#address-cells", 1, 2);
	cells("#size-cells", 1, 2);
	node("iommu@5", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	node_end();
	node_end();
	node("odd", NULL);
	cells("#address-cells", 1, 7);
	cells("ranges", 0);
	node("iommu@6", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	node_end();
	node_end();
	tree_end();
	write_tree();
	expect_error(open_live(), -ENODEV, "no IOMMU found");
}
END_TEST

START_TEST(a_tree_deeper_than_we_follow_is_survived)
{
	make_machine();
	tree_begin();
	for (int i = 0; i < 200; i++)
		node("n", NULL);
	node("iommu@1", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	node_end();
	for (int i = 0; i < 200; i++)
		node_end();
	tree_end();
	write_tree();
	expect_error(open_live(), -ENODEV, "no IOMMU found");
}
END_TEST

/* Every truncation, and every byte changed: an answer, never harm. */
START_TEST(no_device_tree_does_harm)
{
	size_t size;

	make_machine();
	make_tree();
	make_function("0000:00:01.0", "0x00ff00\n", "");
	make_dir("sys/bus/platform/devices/1000.dma");
	make_link("sys/bus/platform/devices/1000.dma/of_node",
		  "../../../firmware/devicetree/base/soc/dma@1000");
	size = fdt_totalsize(tree);
	for (size_t i = 0; i < size; i++) {
		uint8_t kept = tree[i];

		if (i % 16 == 0) {
			write_file("fdt", tree, i);
			ck_assert_int_eq(open_live(), -ENODEV);
		}
		tree[i] ^= i % 2 ? 0xff : 0x04;
		write_file("fdt", tree, size);
		open_live();
		tree[i] = kept;
	}
}
END_TEST

static const char bar[] = "0x0000000400004000 0x0000000400004fff 0x0000000000140204\n"
			  "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";

START_TEST(a_pci_iommu_is_found_by_its_class)
{
	make_machine();
	make_function("0000:00:01.0", "0x00ff00\n", bar);
	make_function("0000:00:02.0", "0x080600\n", bar);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_uint_eq(sys->iommus[0].base, 0x400004000);
	ck_assert_str_eq(sys->iommus[0].name, "0000:00:02.0");
	ck_assert_int_eq(sys->iommus[0].found, RIOMMU_FOUND_PCI);
}
END_TEST

static const char *const bad_bars[] = {
	"",
	"nonsense\n",
	"0x0000000000000000 0x0000000000000fff 0x0000000000140204\n", /* not assigned */
	"0x0000000400004000 0x00000004000040ff 0x0000000000140204\n", /* too small */
	"0x0000000400004000 0x0000000400003fff 0x0000000000140204\n",
	"0x0000000400004010 0x000000040000500f 0x0000000000140204\n", /* not aligned */
	"0x0000000000001000 0x0000000000001fff 0x0000000000040101\n", /* I/O ports */
};

START_TEST(a_bar_that_cannot_be_the_registers_is_left_out)
{
	make_machine();
	make_function("0000:00:02.0", "0x080600\n", bad_bars[_i]);
	expect_error(open_live(), -ENODEV, "no IOMMU found");
}
END_TEST

START_TEST(an_iommu_that_only_the_kernel_names_is_found_by_its_name)
{
	make_machine();
	make_dir("sys/class/iommu/riscv-iommu@3010000.iommu");
	make_dir("sys/class/iommu/riscv-iommu@RSCV0004:00");
	make_dir("sys/class/iommu/riscv-iommu@3020004.iommu"); /* no page begins there */
	make_dir("sys/class/iommu/dmar0");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_uint_eq(sys->iommus[0].base, BASE);
	ck_assert_str_eq(sys->iommus[0].name, "3010000.iommu");
}
END_TEST

/* What may be written to must not depend on how the IOMMU was found: --base gives it no name. */
START_TEST(the_kernel_drives_an_iommu_whatever_it_is_called_here)
{
	static const struct {
		const char *class;
		bool driven;
	} cases[] = {
		{"riscv-iommu@3010000.iommu", true},
		{"riscv-iommu@3020000.iommu", false},
		{"riscv-iommu@0000:00:02.0", true},
		{"riscv-iommu@0000:00:03.0", false},
		{"riscv-iommu@RSCV0004:00", true},  /* where that is cannot be told */
		{"riscv-iommu@0000:00:07.0", true}, /* nor of a function that is gone */
		{"dmar0", false},
		{NULL, false},
	};
	const uint64_t base = BASE;
	struct riommu_open_args args = {.bases = &base, .base_count = 1};
	char path[128];

	make_machine();
	make_function("0000:00:02.0", "0x080600\n", "0x3010000 0x3010fff 0x40200\n");
	make_function("0000:00:03.0", "0x080600\n", "0x3020000 0x3020fff 0x40200\n");
	if (cases[_i].class) {
		snprintf(path, sizeof(path), "sys/class/iommu/%s", cases[_i].class);
		make_dir(path);
	}
	ck_assert_int_eq(open_args(&args), 0);
	ck_assert_str_eq(sys->iommus[0].name, "0x3010000");
	ck_assert_int_eq(riommu_system_driven(sys, 0), cases[_i].driven);
}
END_TEST

START_TEST(a_function_has_the_id_that_the_iommu_map_gives_it)
{
	struct riommu_device_ref ref;

	make_machine();
	make_tree();
	write_tree();
	make_function("0000:00:01.0", "0x00ff00\n", "");
	make_dir("sys/bus/pci/drivers/edu");
	make_dir("sys/kernel/iommu_groups/3");
	write_text("sys/kernel/iommu_groups/3/type", "identity\n");
	make_link("sys/bus/pci/devices/0000:00:01.0/driver", "../../../../bus/pci/drivers/edu");
	make_link("sys/bus/pci/devices/0000:00:01.0/iommu_group",
		  "../../../../kernel/iommu_groups/3");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->device_count, 1);
	ck_assert_uint_eq(sys->devices[0].device_id, 0x108);
	ck_assert_str_eq(sys->devices[0].driver, "edu");
	ck_assert_str_eq(sys->devices[0].group, "3");
	ck_assert_str_eq(sys->devices[0].domain_type, "identity");
	ck_assert_uint_eq(riommu_system_find_device(sys, "00:01.0", &ref, 1), 1);
	ck_assert_uint_eq(ref.device_id, 0x108);
}
END_TEST

START_TEST(without_a_map_a_function_has_its_requester_id)
{
	make_machine();
	make_dir("sys/class/iommu/riscv-iommu@3010000.iommu");
	make_function("0000:00:01.0", "0x00ff00\n", "");
	make_function("0000:00:05.0", "0x00ff00\n", ""); /* behind no IOMMU */
	make_function("no-function", "0x00ff00\n", "");
	make_link("sys/bus/pci/devices/0000:00:01.0/driver", "edu"); /* as no kernel links it */
	make_link("sys/bus/pci/devices/0000:00:01.0/iommu",
		  "../../../virtual/iommu/riscv-iommu@3010000.iommu");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->device_count, 1);
	ck_assert_uint_eq(sys->devices[0].device_id, 8);
	ck_assert_uint_eq(sys->devices[0].iommu, 0);
	ck_assert_str_eq(sys->devices[0].driver, "edu");
}
END_TEST

START_TEST(a_platform_device_has_the_ids_of_its_node)
{
	make_machine();
	make_tree();
	write_tree();
	make_dir("sys/bus/platform/devices/1000.dma");
	make_dir("sys/bus/platform/devices/other");
	make_dir("sys/bus/platform/devices/software"); /* a node that no tree has */
	make_link("sys/bus/platform/devices/software/of_node", "../../../kernel/software_nodes/1");
	make_link("sys/bus/platform/devices/1000.dma/of_node",
		  "../../../firmware/devicetree/base/soc/dma@1000");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->device_count, 2);
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 0x42), "1000.dma");
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 0x43), "1000.dma");
}
END_TEST

START_TEST(a_pci_iommu_is_the_one_that_the_map_means)
{
	make_machine();
	tree_begin();
	node("pci@30000000", "pci-host-ecam-generic");
	cells("#address-cells", 1, 3);
	cells("#size-cells", 1, 2);
	cells("iommu-map", 4, 0, 9, 0, 0x10);
	cells("iommu-map-mask", 1, 0xfff7);
	node("iommu@2", "riscv,pci-iommu");
	cells("reg", 5, 0x1000, 0, 0, 0, 0);
	cells("phandle", 1, 9);
	node_end();
	node_end();
	tree_end();
	write_tree();
	make_function("0000:00:01.0", "0x00ff00\n", "");
	make_function("0000:00:02.0", "0x080600\n", bar);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_uint_eq(sys->device_count, 1); /* not the IOMMU itself */
	ck_assert_uint_eq(sys->devices[0].iommu, 0);
	ck_assert_uint_eq(sys->devices[0].device_id, 0); /* masked */
}
END_TEST

/* "okay" and "ok" are what a node says that is used; a long path is told by the node's own name. */
START_TEST(nodes_that_are_odd_and_right_are_taken)
{
	static const char long_name[] = "iommu-with-a-name-that-is-longer-than-linux-shows@0";
	char name[64];

	make_machine();
	tree_begin();
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "bus-%d-of-a-name-that-makes-a-path-rather-long", i);
		node(name, NULL);
		cells("#address-cells", 1, 2);
		cells("#size-cells", 1, 2);
		cells("ranges", 0);
	}
	node(long_name, "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	text("status", "okay");
	for (int i = 0; i < 4; i++)
		node_end();
	node("iommu@1", "riscv,iommu");
	cells("reg", 4, 0, BASE + 0x1000, 0, 0x1000);
	text("status", "ok");
	node_end();
	node("iommu@2", "riscv,iommu");
	cells("reg", 4, 0, BASE + 0x2000, 0, 0x1000);
	text("status", "ko");
	node_end();
	node("iommu@3", "riscv,iommu");
	cells("reg", 4, 0, BASE + 0x3000, 0, 0x1000);
	text("status", "fail");
	node_end();
	tree_end();
	write_tree();
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 2);
	ck_assert_str_eq(sys->iommus[0].name, "3010000.iommu-with-a-name-that-is-longer-than-li");
	ck_assert_str_eq(sys->iommus[0].where, long_name);
	ck_assert_str_eq(sys->iommus[1].where, "/iommu@1");
}
END_TEST

/* Each of these buses has an IOMMU whose address nobody can calculate. */
START_TEST(buses_that_make_no_sense_hide_what_is_on_them)
{
	make_machine();
	tree_begin();
	for (int i = 0; i < 6; i++) {
		char name[16];

		snprintf(name, sizeof(name), "bus%d", i);
		node(name, NULL);
		cells("#address-cells", i == 0 ? 2 : 1, i == 1 ? 0 : 2, 0);
		cells("#size-cells", i == 2 ? 2 : 1, i == 3 ? 3 : i == 5 ? 0 : 2, 0);
		if (i == 4) /* of another place, too short, and behind it a rest */
			cells("ranges", 8, 9, 0, 0, 0x1000, 0, 0x1000, 0, 0);
		else
			cells("ranges", 0);
		node("iommu@0", "riscv,iommu");
		cells("reg", 4, 0, BASE, 0, 0x1000);
		node_end();
		node_end();
	}
	tree_end();
	write_tree();
	expect_error(open_live(), -ENODEV, "no IOMMU found");
}
END_TEST

START_TEST(a_bus_under_one_that_makes_no_sense_hides_what_is_on_it)
{
	make_machine();
	tree_begin();
	node("odd", NULL);
	cells("#address-cells", 1, 7);
	cells("ranges", _i ? 2 : 0, 0, 0); /* and what it says of them */
	node("bus", NULL);
	cells("#address-cells", 1, 2);
	cells("#size-cells", 1, 2);
	cells("ranges", _i ? 0 : 6, 0, BASE, 0, BASE, 0, 0x1000);
	node("iommu@0", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	node_end();
	node_end();
	node_end();
	tree_end();
	write_tree();
	expect_error(open_live(), -ENODEV, "no IOMMU found");
}
END_TEST

/* The files are deeper than a tree may be: what lies there is left out, the rest is taken. */
START_TEST(files_of_a_tree_deeper_than_we_follow_are_left_out)
{
	static const uint8_t reg[] = {0, 0, 0, 0, 0x03, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0},
			     two[] = {0, 0, 0, 2};
	char deep[128] = "dt";

	make_machine();
	for (int i = 0; i < 40; i++)
		strcat(deep, "/n");
	make_dir(deep);
	write_text("dt/model", "");
	make_dir("dt/iommu@3010000");
	write_file("dt/#address-cells", two, 4);
	write_file("dt/#size-cells", two, 4);
	write_file("dt/iommu@3010000/compatible", "riscv,iommu", 12);
	write_file("dt/iommu@3010000/reg", reg, sizeof(reg));
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_uint_eq(sys->iommus[0].base, BASE);
}
END_TEST

/* Which segment a bridge is: what it says, and the next one where it says nothing. A bridge may stand before the IOMMU. */
START_TEST(host_bridges_are_told_apart_by_their_segment)
{
	size_t first, second;

	make_machine();
	tree_begin();
	node("pci@30000000", "pci-host-ecam-generic");
	cells("linux,pci-domain", 1, 3);
	cells("iommu-map", 4, 0, 9, 0x100, 0x10000);
	node("bridge@1", NULL);
	node("iommu@2", "riscv,pci-iommu");
	cells("reg", 5, 0x1000, 0, 0, 0, 0);
	cells("phandle", 1, 9);
	node_end();
	node("iommu@3", "riscv,pci-iommu"); /* says nowhere which function it is */
	cells("reg", 2, 0x1800, 0);
	node_end();
	node_end();
	node_end();
	node("pci@40000000", "pci-host-ecam-generic");
	cells("iommu-map", 4, 0, 9, 0x200, 0x10000);
	node_end();
	node("pci@50000000", "pci-host-ecam-generic");
	cells("iommu-map", 4, 0, 9, 0x300, 0x10000);
	cells("iommu-map-mask", 2, 0, 0); /* nobody knows what that means */
	node_end();
	node("pci@60000000", "pci-host-ecam-generic");
	cells("iommu-map", 4, 0, 0, 0x400, 0x10000); /* to nobody: no node has this number */
	node_end();
	node("soc", NULL);
	node("pci@70000000", "pci-host-ecam-generic");
	cells("linux,pci-domain", 1, 5);
	cells("iommu-map", 4, 0, 10, 0x500, 0x10000);
	node("iommu@4", "riscv,pci-iommu");
	cells("reg", 5, 0x2000, 0, 0, 0, 0);
	cells("phandle", 1, 10);
	node_end();
	node_end();
	node_end();
	node("bus", NULL);
	node("bridge", NULL);
	/* of no host that has a map: its segment is the next one's */
	node("iommu@3", "riscv,pci-iommu");
	cells("reg", 5, 0x1800, 0, 0, 0, 0);
	node_end();
	node_end();
	node_end();
	tree_end();
	write_tree();
	make_function("0003:00:01.0", "0x00ff00\n", "");
	make_function("0003:00:02.0", "0x080600\n", bar);
	make_function("0000:00:01.0", "0x00ff00\n", "");
	make_function("0001:00:01.0", "0x00ff00\n", "");
	make_function("0002:00:01.0", "0x00ff00\n", "");
	make_function("0005:00:01.0", "0x00ff00\n", "");
	make_function("0005:00:04.0", "0x080600\n",
		      "0x0000004000004000 0x0000004000004fff 0x0000000000140204\n");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 2);
	ck_assert_uint_eq(sys->device_count, 3);
	first = riommu_system_find_iommu(sys, "0003:00:02.0");
	second = riommu_system_find_iommu(sys, "0005:00:04.0");
	ck_assert_str_eq(riommu_system_device_name(sys, first, 0x108), "0003:00:01.0");
	ck_assert_str_eq(riommu_system_device_name(sys, first, 0x208), "0000:00:01.0");
	ck_assert_str_eq(riommu_system_device_name(sys, second, 0x508), "0005:00:01.0");
}
END_TEST

static void host(const char *name, unsigned first_id)
{
	node(name, "pci-host-ecam-generic");
	text("device_type", "pci");
	if (first_id)
		cells("iommu-map", 4, 0, 9, first_id, 0x10000);
}

/* A host bridge without a map has a segment, too; one that is disabled has none, unless it says so; what one says no other gets. */
START_TEST(host_bridges_that_do_not_say_get_the_segments_that_are_left)
{
	make_machine();
	tree_begin();
	node("iommu@3010000", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	cells("phandle", 1, 9);
	node_end();
	host("pci@10000000", 0x100);
	text("status", "disabled");
	node_end();
	host("pci@20000000", 0); /* the first that is free: 1 */
	node_end();
	host("pci@30000000", 0x300); /* 3 */
	host("pci@0", 0);            /* a bridge below it */
	node_end();
	node_end();
	host("pci@40000000", 0x400);
	cells("linux,pci-domain", 1, 0);
	node_end();
	node("soc", "simple-bus");
	text("status", "disabled");
	host("pci@50000000", 0x500);
	node_end();
	host("pci@60000000", 0x600);
	cells("linux,pci-domain", 1, 2);
	node_end();
	node_end();
	tree_end();
	write_tree();
	make_function("0000:00:01.0", "0x00ff00\n", "");
	make_function("0001:00:01.0", "0x00ff00\n", "");
	make_function("0002:00:01.0", "0x00ff00\n", "");
	make_function("0003:00:01.0", "0x00ff00\n", "");
	make_function("0004:00:01.0", "0x00ff00\n", "");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->device_count, 2);
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 0x308), "0003:00:01.0");
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 0x408), "0000:00:01.0");
}
END_TEST

/* Linux makes no device of it: it may have no clock, and a machine may hang that reads its registers. */
START_TEST(an_iommu_on_a_disabled_bus_is_left_out)
{
	make_machine();
	tree_begin();
	node("soc", "simple-bus");
	text("status", "disabled");
	cells("#address-cells", 1, 2);
	cells("#size-cells", 1, 2);
	cells("ranges", 0);
	node("iommu@3010000", "riscv,iommu");
	text("status", "okay");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	node_end();
	node_end();
	node("iommu@3020000", "riscv,iommu");
	cells("reg", 4, 0, BASE + 0x10000, 0, 0x1000);
	node_end();
	tree_end();
	write_tree();
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_uint_eq(sys->iommus[0].base, BASE + 0x10000);
}
END_TEST

/* A reference of another width is stepped over; one that leads nowhere or beyond the end is the last. */
START_TEST(ids_of_a_platform_device_end_where_they_make_no_sense)
{
	make_machine();
	tree_begin();
	node("iommu@3010000", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	cells("phandle", 1, 5);
	cells("#iommu-cells", 1, 1);
	node_end();
	node("other@1", NULL);
	cells("phandle", 1, 6);
	cells("#iommu-cells", 1, 2);
	node_end();
	node("wide@2", NULL);
	cells("phandle", 1, 7);
	cells("#iommu-cells", 1, 9);
	node_end();
	node("odd@3", NULL);
	cells("phandle", 1, 8);
	cells("#iommu-cells", 2, 1, 1);
	node_end();
	node("dma@1000", NULL);
	cells("iommus", 6, 6, 1, 2, 5, 0x42, 5);
	node_end();
	node("dma@2000", NULL);
	cells("iommus", 4, 7, 1, 5, 0x43);
	node_end();
	node("dma@3000", NULL);
	cells("iommus", 4, 8, 1, 5, 0x44);
	node_end();
	tree_end();
	write_tree();
	for (int i = 1; i <= 3; i++) {
		char path[64], target[64];

		snprintf(path, sizeof(path), "sys/bus/platform/devices/%d000.dma", i);
		make_dir(path);
		strcat(path, "/of_node");
		snprintf(target, sizeof(target), "../../../firmware/devicetree/base/dma@%d000", i);
		make_link(path, target);
	}
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->device_count, 1);
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 0x42), "1000.dma");
}
END_TEST

/* Of `iommus` the first 256 cells are looked at. */
START_TEST(a_platform_device_with_more_ids_than_are_looked_at_has_the_first)
{
	uint32_t v[300];

	for (uint32_t i = 0; i < 300; i += 2) {
		v[i] = cpu_to_fdt32(5);
		v[i + 1] = cpu_to_fdt32(0x100 + i / 2);
	}
	make_machine();
	tree_begin();
	node("iommu@3010000", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	cells("phandle", 1, 5);
	node_end();
	node("dma@1000", NULL);
	ck_assert_int_eq(fdt_property(tree, "iommus", v, sizeof(v)), 0);
	node_end();
	tree_end();
	write_tree();
	make_dir("sys/bus/platform/devices/1000.dma");
	make_link("sys/bus/platform/devices/1000.dma/of_node",
		  "../../../firmware/devicetree/base/dma@1000");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->device_count, 128);
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 0x17f), "1000.dma");
}
END_TEST

START_TEST(host_bridges_beyond_those_that_are_remembered_have_no_map)
{
	make_machine();
	tree_begin();
	for (unsigned i = 0; i < 1030; i++) {
		char name[32];

		snprintf(name, sizeof(name), "pci@%x", i);
		node(name, NULL);
		cells("iommu-map", 4, 0, 9, i, 0x10000);
		node_end();
	}
	node("iommu@3010000", "riscv,iommu");
	cells("reg", 4, 0, BASE, 0, 0x1000);
	cells("phandle", 1, 9);
	node_end();
	tree_end();
	write_tree();
	make_function("03ff:00:00.0", "0x00ff00\n", "");
	make_function("0400:00:00.0", "0x00ff00\n", "");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->device_count, 1);
	ck_assert_str_eq(riommu_system_device_name(sys, 0, 0x3ff), "03ff:00:00.0");
}
END_TEST

START_TEST(files_of_a_tree_whose_names_are_too_long_are_left_out)
{
	struct riommu_system fake = {.ctx = ctx};
	char deep[1100] = "dt", first[256];
	struct riommu_dt *dt;

	make_machine();
	memset(first, 'n', 255);
	first[255] = '\0';
	for (int i = 0; i < 4; i++) {
		strcat(deep, "/");
		strcat(deep, first);
	}
	make_dir(deep);
	ck_assert_int_eq(riommu_dt_load(&fake, &dt), 0);
	snprintf(deep, sizeof(deep), "/%s/%s/%s", first, first, first);
	ck_assert_int_ge(fdt_path_offset(riommu_dt_blob(dt), deep), 0);
	strcat(deep, "/");
	strcat(deep, first);
	ck_assert_int_lt(fdt_path_offset(riommu_dt_blob(dt), deep), 0);
	riommu_dt_free(dt);
}
END_TEST

static void make_empty(const char *name, off_t size)
{
	write_text(name, "");
	ck_assert_int_eq(truncate(below(name), size), 0);
}

/* Of a tree of files in which the last property has SIZE bytes. */
static int load_with(off_t size)
{
	struct riommu_system fake = {.ctx = ctx};
	struct riommu_dt *dt;
	int err;

	make_empty("dt/z", size);
	err = riommu_dt_load(&fake, &dt);
	ck_assert(!err || err == -EFBIG);
	ck_assert(!err || !dt);
	riommu_dt_free(dt);
	return err;
}

/* Whatever it is that does not fit any more: a property, the begin of a node, its end, or that of all. */
START_TEST(files_that_do_not_fit_into_the_largest_tree_are_none)
{
	off_t size = (1 << 20) - 640;
	char name[32];

	make_machine();
	make_dir("dt/node");
	for (int i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "dt/%c", 'a' + i);
		make_empty(name, 1 << 20);
	}
	ck_assert_int_eq(load_with(size), 0);
	while (!load_with(size))
		size += 64;
	for (off_t at = size - 64; at <= size + 64; at += 4)
		load_with(at);
	ck_assert_int_eq(load_with(1 << 20), -EFBIG);
}
END_TEST

/* A tree of files that is larger than most: whole, to the byte, or told as what it is when memory ends on the way. */
START_TEST(files_of_a_large_tree_are_put_together_or_memory_is_out)
{
	static char value[100000];
	struct riommu_system fake = {.ctx = ctx};
	struct riommu_dt *dt;
	const char *name = "", *got;
	char node_name[204] = "dt/", file[256];
	int err = -ENOMEM, len;

	memset(node_name + 3, 'n', sizeof(node_name) - 4);
	make_machine();
	make_dir(node_name);
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)(i * 7 + i / 256);
	/* the name of the node is too long for what is left then */
	write_file("dt/nearly", value, 65100);
	snprintf(file, sizeof(file), "%s/large", node_name);
	write_file(file, value, sizeof(value));
	for (unsigned n = 1; err; n++) {
		ck_assert_msg(err == -ENOMEM, "%s number %u: %d", name, n, err);
		failing_begin(FAILING_MEMORY, n);
		err = riommu_dt_load(&fake, &dt);
		failing_end(&name);
	}
	got = fdt_getprop(riommu_dt_blob(dt), fdt_path_offset(riommu_dt_blob(dt), node_name + 2),
			  "large", &len);
	ck_assert_ptr_nonnull(got);
	ck_assert_mem_eq(got, value, sizeof(value));
	got = fdt_getprop(riommu_dt_blob(dt), 0, "nearly", &len);
	ck_assert_ptr_nonnull(got);
	ck_assert_mem_eq(got, value, 65100);
	riommu_dt_free(dt);
}
END_TEST

/* -- what firmware left running -- */

struct firmware {
	size_t count;
	int answer;
	struct riommu_firmware_dma last;
};

static int see_firmware(void *arg, const struct riommu_firmware_dma *dma)
{
	struct firmware *f = arg;

	f->count++;
	f->last = *dma;
	return f->answer;
}

static int look_at_firmware(struct firmware *f)
{
	struct riommu_system fake = {.ctx = ctx};
	struct riommu_dt *dt;
	int err;

	write_tree();
	ck_assert_int_eq(riommu_dt_load(&fake, &dt), 0);
	err = riommu_firmware_dma(dt, see_firmware, f);
	riommu_dt_free(dt);
	return err;
}

START_TEST(reserved_memory_of_a_device_names_it_as_far_as_it_can)
{
	static const uint8_t odd[2] = {0};
	struct firmware f = {0};

	make_machine();
	tree_begin();
	node("gpu@1", NULL);
	cells("phandle", 1, 7);
	node_end();
	node("fb@1", NULL);
	if (_i == 0)
		cells("iommu-addresses", 5, 7, 0, 0, 0, 0x1000);
	else if (_i == 1)
		cells("iommu-addresses", 5, 8, 0, 0, 0, 0x1000); /* nobody's */
	else
		ck_assert_int_eq(fdt_property(tree, "iommu-addresses", odd, sizeof(odd)), 0);
	text("status", "ok");
	node_end();
	tree_end();
	ck_assert_int_eq(look_at_firmware(&f), 0);
	ck_assert_uint_eq(f.count, 1);
	ck_assert(!f.last.framebuffer);
	ck_assert_str_eq(f.last.node, "/fb@1");
	ck_assert_str_eq(f.last.device, _i ? "" : "/gpu@1");
}
END_TEST

START_TEST(framebuffers_are_those_that_are_shown)
{
	static const char *const status[] = {"okay", "ok", "disabled", "", NULL};
	struct firmware f = {0}, once = {.answer = 7};
	char name[64];

	make_machine();
	tree_begin();
	node("a-bus-with-a-rather-long-name-that-fills-the-path-of-what-is-on-it", NULL);
	node("and-one-more-that-fills-what-is-left-of-it-and-then-some-of-the-rest", NULL);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "framebuffer@%d", i);
		node(name, "simple-framebuffer");
		if (status[i])
			text("status", status[i]);
		node_end();
	}
	node_end();
	node_end();
	tree_end();
	ck_assert_int_eq(look_at_firmware(&f), 0);
	ck_assert_uint_eq(f.count, 3);
	ck_assert(f.last.framebuffer);
	ck_assert_str_eq(f.last.node, "framebuffer@4"); /* the path is too long */
	ck_assert_int_eq(look_at_firmware(&once), 7);
	ck_assert_uint_eq(once.count, 1);
}
END_TEST

/* -- what is missing -- */

START_TEST(no_more_registers_are_asked_for_than_fit_a_line)
{
	static const uint32_t offsets[] = {
		RIOMMU_REG_CAPABILITIES, RIOMMU_REG_FCTL, RIOMMU_REG_DDTP, RIOMMU_REG_CQB,
		RIOMMU_REG_CQH,          RIOMMU_REG_CQT,  RIOMMU_REG_FQB,  RIOMMU_REG_FQH,
		RIOMMU_REG_FQT,          RIOMMU_REG_FQCSR};
	struct riommu_iommu unit = {.base = BASE, .found = RIOMMU_FOUND_OPTION};
	struct riommu_system fake = {.ctx = ctx, .iommus = &unit, .iommu_count = 1};
	char words[1024];

	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++)
		unit.state[i] = RIOMMU_REG_MISSING;
	fake.live = _i;
	ck_assert_uint_eq(riommu_system_missing(&fake, 0, offsets, RIOMMU_ARRAY_SIZE(offsets),
						words, sizeof(words)),
			  8);
	ck_assert_ptr_nonnull(strstr(words, "fqh"));
	ck_assert_ptr_null(strstr(words, "fqt"));
	/* a dump may have a record beside it; this machine has none */
	ck_assert_int_eq(!strstr(words, "-O record=FILE"), _i);
}
END_TEST

START_TEST(memory_regions_come_from_iomem)
{
	make_machine();
	make_dir("proc");
	make_dir("sys/class/iommu/riscv-iommu@3010000.iommu");
	write_text("proc/iomem", "03010000-03010fff : 3010000.iommu iommu@3010000\n"
				 "80000000-8007ffff : Reserved\n"
				 "80080000-bfffffff : System RAM\n"
				 "  80200000-815fffff : Kernel code\n"
				 "nonsense\n");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->region_count, 3);
	ck_assert_str_eq(sys->regions[2].name, "Kernel code");
	ck_assert_uint_eq(sys->regions[2].start, 0x80200000);
}
END_TEST

/* Who is not root reads zeros: no region is better than a wrong one. */
START_TEST(hidden_memory_regions_are_dropped)
{
	make_machine();
	make_dir("proc");
	make_dir("sys/class/iommu/riscv-iommu@3010000.iommu");
	write_text("proc/iomem",
		   "00000000-00000000 : System RAM\n  00000000-00000000 : Kernel code\n");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->region_count, 0);
}
END_TEST

/* -- registers of a machine ------------------------------------------------------------------------------------------ */

static void make_registers(uint64_t capabilities, size_t size)
{
	static uint8_t bytes[BASE + PAGE];

	memset(bytes + BASE, 0x11, PAGE);
	riommu_put64(bytes + BASE + RIOMMU_REG_CAPABILITIES, capabilities);
	riommu_put64(bytes + BASE + RIOMMU_REG_DDTP, 0x20cbd404);
	riommu_put64(bytes + BASE + RIOMMU_REG_ICVEC, 0x1021);
	write_file("mem", bytes, size);
	make_dir("sys/class/iommu/riscv-iommu@3010000.iommu");
}

static enum riommu_reg_state state_at(uint32_t offset)
{
	return (enum riommu_reg_state)sys->iommus[0].state[riommu_reg_by_offset(offset)];
}

/* QEMU's: ATS, HPM, DBG, IGS BOTH; no QOSID. */
START_TEST(what_capabilities_offer_is_read_and_nothing_else)
{
	make_machine();
	make_registers(0x78e2cf4f10, BASE + PAGE);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_int_eq(sys->iommus[0].error, 0);
	ck_assert_str_eq(sys->iommus[0].method, "devmem");
	expect_reg(0, RIOMMU_REG_DDTP, 0, 0x20cbd404);
	ck_assert_int_eq(state_at(RIOMMU_REG_PQB), RIOMMU_REG_KNOWN);
	ck_assert_int_eq(state_at(RIOMMU_REG_IOMMU_QOSID), RIOMMU_REG_UNREAD);
	/* icvec names vectors 0 to 2: entry 3 may be a hole */
	ck_assert_int_eq(state_at(RIOMMU_REG_MSI_CFG_TBL + 2 * 16 + 12), RIOMMU_REG_KNOWN);
	ck_assert_int_eq(state_at(RIOMMU_REG_MSI_CFG_TBL + 3 * 16), RIOMMU_REG_UNREAD);
}
END_TEST

START_TEST(without_messages_the_msi_table_is_left_alone)
{
	make_machine();
	make_registers((0x78e2cf4f10 & ~(3ull << 28) & ~(1ull << 25)) | 1ull << 28, BASE + PAGE);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_int_eq(sys->iommus[0].error, 0);
	ck_assert_int_eq(state_at(RIOMMU_REG_MSI_CFG_TBL), RIOMMU_REG_UNREAD);
	ck_assert_int_eq(state_at(RIOMMU_REG_PQB), RIOMMU_REG_UNREAD);
}
END_TEST

START_TEST(all_ones_are_a_device_that_does_not_answer)
{
	make_machine();
	make_registers(UINT64_MAX, BASE + PAGE);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_int_eq(sys->iommus[0].error, -EFAULT);
	ck_assert_ptr_nonnull(strstr(sys->iommus[0].reason, "all ones"));
	expect_reg(0, RIOMMU_REG_CAPABILITIES, -EFAULT, 0);
	ck_assert_int_eq(state_at(RIOMMU_REG_DDTP), RIOMMU_REG_UNREAD);
}
END_TEST

START_TEST(a_bus_that_does_not_answer_is_survived)
{
	make_machine();
	make_registers(0, BASE);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_int_eq(sys->iommus[0].error, -EFAULT);
	ck_assert_ptr_nonnull(strstr(sys->iommus[0].reason, "nothing answers"));
}
END_TEST

START_TEST(implausible_capabilities_stop_the_reading)
{
	make_machine();
	make_registers(0x20, BASE + PAGE);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_int_eq(sys->iommus[0].error, -EBADMSG);
	ck_assert_ptr_nonnull(strstr(sys->iommus[0].reason, "0x20"));
	ck_assert_int_eq(state_at(RIOMMU_REG_DDTP), RIOMMU_REG_UNREAD);
}
END_TEST

START_TEST(registers_by_hand_of_an_iommu_that_does_not_answer_stand_for_themselves)
{
	const struct riommu_reg_override hand[] = {
		{.iommu = "3010000.iommu",
		 .offset = RIOMMU_REG_CAPABILITIES,
		 .width = 8,
		 .value = _i ? 0x20 : 0x10},
		{.iommu = "0x3010000", .offset = RIOMMU_REG_DDTP, .width = 8, .value = 4}};
	const struct riommu_open_args args = {.overrides = hand, .override_count = 2};

	make_machine();
	make_registers(0, BASE);
	ck_assert_int_eq(open_args(&args), 0);
	ck_assert_ptr_null(sys->iommus[0].method);
	expect_reg(0, RIOMMU_REG_DDTP, 0, 4);
	ck_assert_int_eq(sys->iommus[0].error, _i ? -EBADMSG : -EFAULT);
	if (_i) /* whoever gave them knows where it is */
		ck_assert_ptr_null(strstr(sys->iommus[0].reason, "is there an IOMMU"));
}
END_TEST

START_TEST(options_that_there_is_no_memory_for_are_told)
{
	const uint64_t bases[] = {BASE, BASE + PAGE, BASE + 2 * PAGE};
	const struct riommu_reg_override hand[] = {
		{.iommu = "0x5000000", .offset = RIOMMU_REG_DDTP, .width = 8, .value = 1},
		{.iommu = "0x6000000", .offset = RIOMMU_REG_DDTP, .width = 8, .value = 2},
		{.iommu = "", .offset = RIOMMU_REG_FCTL, .width = 4, .value = 3},
		{.iommu = "", .offset = RIOMMU_REG_CQB, .width = 8, .value = 4}};
	const struct riommu_open_args args = {.input = below("core"),
					      .bases = bases,
					      .base_count = 3,
					      .overrides = hand,
					      .override_count = 4};
	const char *name;
	unsigned n = 0;
	bool hit;

	core_begin();
	core_load(0x80000000, PAGE, 0);
	core_finish();
	write_file("core", core.bytes, core.len);
	do {
		int err;

		riommu_system_close(sys);
		sys = NULL;
		failing_begin(FAILING_MEMORY, ++n);
		err = riommu_system_open(ctx, &args, &sys);
		hit = failing_end(&name);
		ck_assert_msg(!err || err == -ENOMEM, "%s number %u: %d", name, n, err);
	} while (hit);
	ck_assert_uint_gt(n, 12);
	ck_assert_uint_eq(sys->iommu_count, 5);
	expect_reg(4, RIOMMU_REG_CQB, 0, 4);
}
END_TEST

START_TEST(a_register_of_an_address_that_is_none_is_refused)
{
	const struct riommu_reg_override hand[] = {
		{.iommu = "0xwhere", .offset = RIOMMU_REG_DDTP, .width = 8},
		{.iommu = "0x3010000", .offset = RIOMMU_REG_DDTP, .width = 8}};
	const struct riommu_open_args args = {.overrides = hand, .override_count = 2};

	make_machine();
	make_registers(0, BASE);
	expect_error(open_args(&args), -ENODEV, "no IOMMU called '0xwhere'");
}
END_TEST

/* -- what is refused -- */

static const char *only_this;

static void on_log(void *arg, enum riommu_log_level level, const char *message)
{
	bool *told = arg;

	*told |= level <= RIOMMU_LOG_WARNING && strstr(message, only_this);
}

/* Whoever is not root is told when nothing else helps, and not each time. */
START_TEST(a_device_tree_that_may_not_be_read_is_no_warning)
{
	const char *name;
	bool told = false;

	make_machine();
	make_registers(0x78e2cf4f10, BASE + PAGE);
	only_this = "device tree";
	riommu_ctx_set_log(ctx, on_log, &told, RIOMMU_LOG_WARNING);
	failing_always("/dt/.", EACCES);
	ck_assert_int_eq(open_live(), 0);
	ck_assert(!told);
	failing_always("/dt/.", EMFILE);
	ck_assert_int_eq(open_live(), 0);
	ck_assert(told);
	failing_end(&name);
	riommu_ctx_set_log(ctx, NULL, NULL, RIOMMU_LOG_WARNING);
}
END_TEST

/* The module is not there, and /dev/mem is refused: that one says more. */
START_TEST(of_two_closed_ways_the_one_that_is_refused_is_told)
{
	const char *name;

	make_machine();
	make_registers(0x78e2cf4f10, BASE + PAGE);
	make_dir("dbg");
	failing_always(_i ? "/dbg/riscv-iommu" : "/mem", EACCES);
	if (_i)
		remove(below("mem"));
	ck_assert_int_eq(open_live(), 0);
	failing_end(&name);
	ck_assert_int_eq(sys->registers_error, -EACCES);
	ck_assert_int_eq(sys->registers_failed, 0);
	ck_assert_ptr_nonnull(strstr(sys->registers_reason, _i ? "riscv-iommu: " : "/mem: "));
}
END_TEST

START_TEST(registers_that_may_not_be_mapped_are_refused_and_not_missing)
{
	const char *name;

	make_machine();
	make_registers(0x78e2cf4f10, BASE + PAGE);
	failing_always("mmap", EACCES);
	ck_assert_int_eq(open_live(), 0);
	failing_end(&name);
	ck_assert_int_eq(sys->iommus[0].error, -EACCES);
	expect_reg(0, RIOMMU_REG_DDTP, -EACCES, 0);
}
END_TEST

/* A directory that ends in an error may have had one more: in doubt a driver has it. */
START_TEST(who_drives_an_iommu_is_in_doubt_where_the_list_breaks_off)
{
	const char *name;

	make_machine();
	make_registers(0x78e2cf4f10, BASE + PAGE);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_int_eq(rmdir(below("sys/class/iommu/riscv-iommu@3010000.iommu")), 0);
	ck_assert(!riommu_system_driven(sys, 0));
	failing_always("readdir", EIO);
	ck_assert(riommu_system_driven(sys, 0));
	failing_end(&name);
}
END_TEST

START_TEST(registers_are_read_again_on_request)
{
	make_machine();
	make_registers(0x78e2cf4f10, BASE + PAGE);
	ck_assert_int_eq(open_live(), 0);
	{
		FILE *f = fopen(below("mem"), "r+");
		const uint8_t one[8] = {1};

		ck_assert_ptr_nonnull(f);
		ck_assert_int_eq(fseek(f, BASE + RIOMMU_REG_DDTP, SEEK_SET), 0);
		ck_assert_uint_eq(fwrite(one, 1, 8, f), 8);
		ck_assert_int_eq(fclose(f), 0);
	}
	expect_reg(0, RIOMMU_REG_DDTP, 0, 0x20cbd404);
	riommu_system_read_registers(sys, 0);
	expect_reg(0, RIOMMU_REG_DDTP, 0, 1);
}
END_TEST

START_TEST(debugfs_comes_before_devmem)
{
	make_machine();
	make_registers(0x78e2cf4f10, BASE + PAGE);
	make_dir("dbg/riscv-iommu/riscv-iommu@3010000.iommu");
	write_text("dbg/riscv-iommu/riscv-iommu@3010000.iommu/registers",
		   RIOMMU_DEBUGFS_HEAD "\nbase 0x3010000\n0x0 8 0x10\n0x10 8 0x1\n");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_str_eq(sys->iommus[0].method, "debugfs");
	expect_reg(0, RIOMMU_REG_DDTP, 0, 1);
	/* fctl is not in the file: the next source has it */
	expect_reg(0, RIOMMU_REG_FCTL, 0, 0x11111111);
	ck_assert_int_eq(open_args(&(struct riommu_open_args){.access = "devmem"}), 0);
	ck_assert_str_eq(sys->iommus[0].method, "devmem");
	expect_reg(0, RIOMMU_REG_DDTP, 0, 0x20cbd404);
}
END_TEST

START_TEST(debugfs_is_read_again_on_request)
{
	static const char file[] = "dbg/riscv-iommu/riscv-iommu@3010000.iommu/registers";

	make_machine();
	make_dir("sys/class/iommu/riscv-iommu@3010000.iommu");
	make_dir("dbg/riscv-iommu/riscv-iommu@3010000.iommu");
	write_text(file,
		   RIOMMU_DEBUGFS_HEAD "\nbase 0x3010000\n0x0 8 0x10\n0x8 4 0x0\n0x10 8 0x1\n");
	ck_assert_int_eq(open_live(), 0);
	write_text(file,
		   RIOMMU_DEBUGFS_HEAD "\nbase 0x3010000\n0x0 8 0x10\n0x8 4 0x0\n0x10 8 0x0\n");
	riommu_system_read_registers(sys, 0);
	expect_reg(0, RIOMMU_REG_DDTP, 0, 0);
	write_text(file, RIOMMU_DEBUGFS_HEAD "\n# error: the device is suspended\n");
	riommu_system_read_registers(sys, 0);
	ck_assert_int_eq(sys->iommus[0].error, -EFAULT);
	ck_assert_ptr_nonnull(strstr(sys->iommus[0].reason, "suspended"));
	expect_reg(0, RIOMMU_REG_CAPABILITIES, -EFAULT, 0);
	write_text(file,
		   RIOMMU_DEBUGFS_HEAD "\nbase 0x3010000\n0x0 8 0x10\n0x8 4 0x0\n0x10 8 0x2\n");
	riommu_system_read_registers(sys, 0);
	expect_reg(0, RIOMMU_REG_DDTP, 0, 2);
}
END_TEST

START_TEST(a_register_that_no_walk_needs_may_be_missing)
{
	make_machine();
	make_dir("sys/class/iommu/riscv-iommu@3010000.iommu");
	make_dir("dbg/riscv-iommu/riscv-iommu@3010000.iommu");
	write_text("dbg/riscv-iommu/riscv-iommu@3010000.iommu/registers",
		   RIOMMU_DEBUGFS_HEAD "\nbase 0x3010000\n0x0 8 0x10\n0x8 4 0x1\n0x10 8 0x1\n");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_int_eq(sys->iommus[0].error, 0);
	ck_assert_int_eq(state_at(RIOMMU_REG_CQB), RIOMMU_REG_MISSING);
	write_text("dbg/riscv-iommu/riscv-iommu@3010000.iommu/registers",
		   RIOMMU_DEBUGFS_HEAD "\nbase 0x3010000\n0x0 8 0x10\n0x8 4 0x1\n");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_int_eq(sys->iommus[0].error, -ENODATA);
	ck_assert_ptr_nonnull(strstr(sys->iommus[0].reason, "ddtp"));
}
END_TEST

START_TEST(base_needs_no_discovery)
{
	const uint64_t base = BASE;

	make_machine();
	ck_assert_int_eq(open_args(&(struct riommu_open_args){.bases = &base, .base_count = 1}), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_str_eq(sys->iommus[0].name, "0x3010000");
	ck_assert_int_eq(sys->iommus[0].error, -EACCES);
}
END_TEST

START_TEST(memory_that_cannot_be_opened_says_why)
{
	make_machine();
	make_registers(0x78e2cf4f10, BASE + PAGE);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_ptr_null(sys->memory);
	ck_assert_int_eq(sys->memory_error, -EACCES);
	ck_assert_ptr_nonnull(strstr(sys->memory_reason, "kcore"));
	core_begin();
	core_load(0x80000000, PAGE, 0x77);
	core_finish();
	write_file("kcore", core.bytes, core.len);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_ptr_nonnull(sys->memory);
}
END_TEST

static void add_note_tests(TCase *tc)
{
	tcase_add_test(tc, a_machine_note_gives_names_and_memory);
	tcase_add_test(tc, a_machine_note_of_another_tool_is_understood);
	tcase_add_test(tc, a_device_of_no_named_iommu_is_of_the_only_one);
	tcase_add_test(tc, a_machine_note_survives_the_way_out_and_back);
	tcase_add_test(tc, a_machine_note_is_never_too_long_to_be_read);
	tcase_add_test(tc, more_memory_than_a_machine_note_has_room_for_is_left_out);
	tcase_add_test(tc, a_machine_note_larger_than_any_is_not_looked_at);
	tcase_add_test(tc, a_machine_note_may_end_as_a_text_and_have_null_for_a_list);
	tcase_add_test(tc, a_machine_note_names_each_way_to_the_registers_once);
	tcase_add_test(tc, a_name_with_quotes_and_slashes_survives);
	tcase_add_loop_test(tc, a_machine_note_that_is_wrong_is_damage, 0,
			    (int)RIOMMU_ARRAY_SIZE(bad_machines));
	tcase_add_loop_test(tc, a_key_that_stands_twice_in_a_machine_note_is_damage, 0,
			    (int)RIOMMU_ARRAY_SIZE(twice));
	tcase_add_test(tc, other_keys_of_a_machine_note_may_stand_twice);
	tcase_add_test(tc, no_machine_note_does_harm);
	tcase_add_test(tc, devices_are_found_by_name_and_id);
	tcase_add_test(tc, pci_names_are_of_either_case);
}

static void add_file_tests(TCase *tc)
{
	tcase_add_test(tc, a_capture_gives_what_its_notes_say);
	tcase_add_test(tc, a_register_that_a_walk_needs_is_named_when_missing);
	tcase_add_test(tc, what_capabilities_exclude_is_not_missing);
	tcase_add_test(tc, a_register_by_hand_wins);
	tcase_add_loop_test(tc, what_is_left_out_is_told_where_it_failed, 0,
			    RIOMMU_ARRAY_SIZE(left_out));
	tcase_add_test(tc, a_record_gives_only_the_iommus_that_are_asked_for);
	tcase_add_test(tc, a_record_gives_the_registers_that_the_stub_could_read);
	tcase_add_test(tc, a_record_of_an_iommu_that_is_on_no_page_is_damage);
	tcase_add_loop_test(tc, the_record_of_the_running_kernel_is_looked_for_in_both_trees, 0, 2);
	tcase_add_test(tc, bases_leave_other_iommus_out);
	tcase_add_test(tc, a_vmcore_without_registers_says_what_is_missing);
	tcase_add_test(tc, a_vmcore_takes_registers_by_hand);
	tcase_add_test(tc, bad_arguments_are_refused);
	tcase_add_test(tc, a_machine_note_is_the_same_in_every_build);
	if (READS_NOTES)
		add_note_tests(tc);
	else
		printf("skipped: what a machine note says: built without JSON\n");
	tcase_add_test(tc, iommus_are_found_by_name_and_base);
	tcase_add_test(tc, a_bare_number_names_a_device_on_every_iommu);
}

static void add_machine_tests(TCase *tc)
{
	tcase_add_test(tc, a_platform_iommu_is_found_in_the_device_tree);
	tcase_add_test(tc, the_device_tree_is_read_as_files_too);
	tcase_add_test(tc, addresses_are_translated_by_ranges);
	tcase_add_test(tc, nodes_that_make_no_sense_are_left_out);
	tcase_add_test(tc, a_tree_deeper_than_we_follow_is_survived);
	tcase_add_test(tc, no_device_tree_does_harm);
	tcase_add_test(tc, a_pci_iommu_is_found_by_its_class);
	tcase_add_loop_test(tc, a_bar_that_cannot_be_the_registers_is_left_out, 0,
			    (int)RIOMMU_ARRAY_SIZE(bad_bars));
	tcase_add_test(tc, an_iommu_that_only_the_kernel_names_is_found_by_its_name);
	tcase_add_loop_test(tc, the_kernel_drives_an_iommu_whatever_it_is_called_here, 0, 8);
	tcase_add_test(tc, a_function_has_the_id_that_the_iommu_map_gives_it);
	tcase_add_test(tc, without_a_map_a_function_has_its_requester_id);
	tcase_add_test(tc, a_platform_device_has_the_ids_of_its_node);
	tcase_add_test(tc, a_pci_iommu_is_the_one_that_the_map_means);
	tcase_add_test(tc, nodes_that_are_odd_and_right_are_taken);
	tcase_add_test(tc, buses_that_make_no_sense_hide_what_is_on_them);
	tcase_add_loop_test(tc, a_bus_under_one_that_makes_no_sense_hides_what_is_on_it, 0, 2);
	tcase_add_test(tc, files_of_a_tree_deeper_than_we_follow_are_left_out);
	tcase_add_test(tc, host_bridges_are_told_apart_by_their_segment);
	tcase_add_test(tc, host_bridges_that_do_not_say_get_the_segments_that_are_left);
	tcase_add_test(tc, an_iommu_on_a_disabled_bus_is_left_out);
	tcase_add_test(tc, ids_of_a_platform_device_end_where_they_make_no_sense);
	tcase_add_test(tc, a_platform_device_with_more_ids_than_are_looked_at_has_the_first);
	tcase_add_test(tc, host_bridges_beyond_those_that_are_remembered_have_no_map);
	tcase_add_test(tc, files_of_a_tree_whose_names_are_too_long_are_left_out);
	tcase_add_test(tc, files_that_do_not_fit_into_the_largest_tree_are_none);
	tcase_add_test(tc, files_of_a_large_tree_are_put_together_or_memory_is_out);
	tcase_add_loop_test(tc, reserved_memory_of_a_device_names_it_as_far_as_it_can, 0, 3);
	tcase_add_test(tc, framebuffers_are_those_that_are_shown);
	tcase_add_loop_test(tc, no_more_registers_are_asked_for_than_fit_a_line, 0, 2);
	tcase_add_test(tc, memory_regions_come_from_iomem);
	tcase_add_test(tc, hidden_memory_regions_are_dropped);
	tcase_add_test(tc, what_capabilities_offer_is_read_and_nothing_else);
	tcase_add_test(tc, without_messages_the_msi_table_is_left_alone);
	tcase_add_test(tc, all_ones_are_a_device_that_does_not_answer);
	tcase_add_test(tc, a_bus_that_does_not_answer_is_survived);
	tcase_add_test(tc, implausible_capabilities_stop_the_reading);
	tcase_add_loop_test(
		tc, registers_by_hand_of_an_iommu_that_does_not_answer_stand_for_themselves, 0, 2);
	tcase_add_test(tc, options_that_there_is_no_memory_for_are_told);
	tcase_add_test(tc, a_register_of_an_address_that_is_none_is_refused);
	tcase_add_test(tc, a_device_tree_that_may_not_be_read_is_no_warning);
	tcase_add_loop_test(tc, of_two_closed_ways_the_one_that_is_refused_is_told, 0, 2);
	tcase_add_test(tc, registers_that_may_not_be_mapped_are_refused_and_not_missing);
	tcase_add_test(tc, who_drives_an_iommu_is_in_doubt_where_the_list_breaks_off);
	tcase_add_test(tc, registers_are_read_again_on_request);
	tcase_add_test(tc, debugfs_comes_before_devmem);
	tcase_add_test(tc, debugfs_is_read_again_on_request);
	tcase_add_test(tc, a_register_that_no_walk_needs_may_be_missing);
	tcase_add_test(tc, base_needs_no_discovery);
	tcase_add_test(tc, memory_that_cannot_be_opened_says_why);
}

int main(void)
{
	Suite *suite = suite_create("discover");
	TCase *files = tcase_create("files"), *machine = tcase_create("machine");

	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_checked_fixture(machine, setup, teardown);
	tcase_set_timeout(files, 60);
	tcase_set_timeout(machine, 60);
	add_file_tests(files);
	add_machine_tests(machine);
	suite_add_tcase(suite, files);
	suite_add_tcase(suite, machine);
	return run_suite(suite);
}
