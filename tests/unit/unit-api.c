/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The public interface, by the public header and what the library exports: each function, on a machine that is a capture made
 * here and on the recorded board. Numbers are the specification's.
 */
#include "riscv-iommu.h"

#include "files.h"
#include "runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAM       0x80000000u
#define DDT       RAM
#define ROOT8     (RAM + 1 * PAGE) /* device 8: three levels */
#define MIDDLE8   (RAM + 2 * PAGE)
#define LEAVES8   (RAM + 3 * PAGE)
#define RING      (RAM + 4 * PAGE)
#define PROCESSES (RAM + 5 * PAGE)
#define ROOT10    (RAM + 6 * PAGE)
#define ROOT14    (RAM + 8 * PAGE) /* four pages */
#define MSI14     (RAM + 12 * PAGE)
#define PAGES     13
#define ABSENT    0x8f000000u

#define V          0x1u
#define RWUAD      0xd7u
#define RXUAD      0xdbu
#define RAD        0xc3u /* without U */
#define W          0x5u  /* V and W without R: reserved */
#define MODE(mode) ((uint64_t)(mode) << 60)

/* version 1.0, Sv39, Sv39x4, MSI_FLAT, ATS, PAS of 46 bits, PD8 */
#define CAPABILITIES \
	(0x10 | 1 << 9 | 1 << 17 | 1 << 22 | 1 << 25 | (uint64_t)46 << 32 | (uint64_t)1 << 38)

static struct riommu_ctx *ctx;
static struct riommu_system *sys;
static uint8_t ram[PAGES * PAGE];
static int end_with;    /* what visitors return */
static uint64_t end_at; /* from here on */

/* -- the machine --------------------------------------------------------------------------------- */

static void put(uint64_t pa, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		ram[pa - RAM + i] = (uint8_t)(value >> 8 * i);
}

static uint64_t entry(uint64_t pa, unsigned flags)
{
	return pa >> 2 | flags;
}

static void context(unsigned device_id, uint64_t tc, uint64_t iohgatp, uint64_t fsc)
{
	put(DDT + device_id * 64, tc);
	put(DDT + device_id * 64 + 8, iohgatp);
	put(DDT + device_id * 64 + 24, fsc);
}

static void make_contexts(void)
{
	context(8, V, 0, MODE(8) | ROOT8 >> 12);
	context(9, V | 1 << 1, 0, 0);                          /* EN_ATS; no stage */
	context(10, V | 1 << 5, 0, MODE(1) | PROCESSES >> 12); /* PDTV, PD8 */
	context(11, V | 1 << 5, 0, MODE(1) | ABSENT >> 12);
	/* 12 is not valid */
	context(13, V | (uint64_t)1 << 40, 0, 0); /* a reserved bit */
	context(14, V, MODE(8) | ROOT14 >> 12, 0);
	put(DDT + 14 * 64 + 32, MODE(1) | MSI14 >> 12); /* msiptp: Flat */
	put(DDT + 14 * 64 + 48, 0x10);                  /* the interrupt file is at 0x10000 */

	put(PROCESSES + 16, V);
	put(PROCESSES + 24, MODE(8) | ROOT10 >> 12);
	put(PROCESSES + 32, V);
	put(PROCESSES + 40, MODE(15)); /* process 2: no such mode */
}

static void make_tables(void)
{
	put(ROOT8, entry(MIDDLE8, V));
	put(MIDDLE8, entry(LEAVES8, V));
	put(MIDDLE8 + 8, entry(ABSENT, V));
	put(MIDDLE8 + 16, entry(0xa0000000, RXUAD));
	put(LEAVES8 + 8, entry(0x90000000, RWUAD));
	put(LEAVES8 + 16, entry(0x90001000, RWUAD));
	put(LEAVES8 + 32, entry(0x90005000, RAD));
	put(LEAVES8 + 48, entry(0x90006000, W));
	put(ROOT10, entry(0x40000000, RWUAD));
	put(ROOT14, entry(0x40000000, RWUAD));
	put(MSI14, entry(0x28000000, 7)); /* V, M=3 */
}

/* CAUSE, PV and PID, TTYP, DID (4.2); two that software has consumed, one that it has not. */
static void make_records(void)
{
	put(RING, 13 | (uint64_t)2 << 34 | (uint64_t)8 << 40);
	put(RING + 16, 0x8000);
	put(RING + 32, 21 | 1u << 12 | (uint64_t)1 << 32 | (uint64_t)3 << 34 | (uint64_t)10 << 40);
	put(RING + 48, 0x5000);
	put(RING + 56, 0x6001);
	put(RING + 64, 274); /* about no request */
}

static void write_capture(uint64_t ddtp, uint64_t fqt)
{
	static const char machine[] =
		"{\"devices\":["
		"{\"device_id\":\"0x8\",\"name\":\"0000:00:01.0\",\"driver\":\"edu\",\"iommu\":"
		"\"0x3010000\"},"
		"{\"device_id\":\"0x9\",\"name\":\"0000:00:02.0\",\"iommu\":\"0x3010000\"},"
		"{\"device_id\":\"0xa\",\"name\":\"0000:00:02.0\",\"iommu\":\"0x3010000\"},"
		"{\"device_id\":\"0x1\",\"name\":\"lost\",\"iommu\":null}]}";
	const struct entry registers[] = {{0, 8, CAPABILITIES},   {8, 4, 0},  {16, 8, ddtp},
					  {40, 8, RING >> 2 | 6}, {48, 4, 2}, {52, 4, fqt},
					  {76, 4, 0x10001}};

	core_begin();
	core_registers(BASE, "3010000.iommu", registers, 7);
	core_note("RISCV-IOMMU", 2, machine, sizeof(machine) - 1);
	core_header(PT_LOAD, RAM, core_bytes(ram, sizeof(ram)), sizeof(ram), sizeof(ram));
	core_finish();
	write_file("capture", core.bytes, core.len);
}

static void open_capture(uint64_t ddtp, uint64_t fqt)
{
	riommu_close(sys);
	write_capture(ddtp, fqt);
	ck_assert_msg(!riommu_open(ctx, below("capture"), NULL, &sys), "%s", riommu_error(ctx));
}

static void setup(void)
{
	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
	sys = NULL;
	files_begin();
	end_with = 0;
	end_at = 0;
	memset(ram, 0, sizeof(ram));
	make_contexts();
	make_tables();
	make_records();
	open_capture(DDT >> 2 | 2, 3); /* 1LVL */
}

static void teardown(void)
{
	riommu_close(sys);
	riommu_ctx_free(ctx);
	files_end();
}

/* The call failed so, and said why. */
#define FAILS(error, call)                                                                   \
	do {                                                                                 \
		ck_assert_int_eq(riommu_option_set(ctx, "", ""), -EINVAL); /* other words */ \
		char before[512];                                                            \
		snprintf(before, sizeof(before), "%s", riommu_error(ctx));                   \
		ck_assert_int_eq(call, error);                                               \
		ck_assert_str_ne(riommu_error(ctx), before);                                 \
		ck_assert_str_ne(riommu_error(ctx), "");                                     \
	} while (0)

/* -- context ------------------------------------------------------------------------------------- */

START_TEST(version_is_that_of_the_header)
{
	char text[32];

	snprintf(text, sizeof(text), "%d.%d.%d", RISCV_IOMMU_VERSION_MAJOR,
		 RISCV_IOMMU_VERSION_MINOR, RISCV_IOMMU_VERSION_PATCH);
	ck_assert_str_eq(riommu_version(), text);
	ck_assert_int_eq(RISCV_IOMMU_VERSION, 100 * RISCV_IOMMU_VERSION_MINOR +
						      10000 * RISCV_IOMMU_VERSION_MAJOR +
						      RISCV_IOMMU_VERSION_PATCH);
}
END_TEST

START_TEST(parameters_are_set_and_refused)
{
	ck_assert_str_eq(riommu_option(ctx, "max-pages"), "1048576");
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "7"), 0);
	ck_assert_str_eq(riommu_option(ctx, "max-pages"), "7");
	FAILS(-EINVAL, riommu_option_set(ctx, "max-pages", "many"));
	ck_assert_str_eq(riommu_option(ctx, "max-pages"), "7");
	FAILS(-EINVAL, riommu_option_set(ctx, "no-such", "1"));
	ck_assert_ptr_null(riommu_option(ctx, "no-such"));
	ck_assert_ptr_null(riommu_option(ctx, "record")); /* has no default */
}
END_TEST

static void count_message(void *arg, enum riommu_log_level level, const char *message)
{
	ck_assert_int_le(level, RIOMMU_LOG_DEBUG);
	ck_assert_ptr_null(strchr(message, '\n'));
	++*(unsigned *)arg;
}

START_TEST(messages_go_to_who_wants_them)
{
	unsigned count = 0;

	riommu_ctx_set_log(ctx, count_message, &count, RIOMMU_LOG_DEBUG);
	riommu_option_set(ctx, "no-such", "1");
	ck_assert_uint_eq(count, 1);
	riommu_ctx_set_log(ctx, count_message, &count, RIOMMU_LOG_ERROR);
	riommu_option_set(ctx, "no-such", "1");
	riommu_ctx_set_log(ctx, NULL, NULL, RIOMMU_LOG_DEBUG);
	riommu_option_set(ctx, "no-such", "1");
	ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(a_new_context_has_no_error_and_null_is_freed)
{
	struct riommu_ctx *other = riommu_ctx_new();

	ck_assert_str_eq(riommu_error(other), "");
	riommu_ctx_free(other);
	riommu_ctx_free(NULL);
	riommu_close(NULL);
	riommu_translator_free(NULL);
}
END_TEST

/* -- opening ------------------------------------------------------------------------------------- */

START_TEST(what_cannot_be_opened_says_why)
{
	struct riommu_system *none = sys;

	FAILS(-ENOENT, riommu_open(ctx, below("nothing"), NULL, &none));
	ck_assert_ptr_null(none);
	FAILS(-EINVAL, riommu_open(ctx, below("capture"), "telepathy", &none));
	write_file("damaged", core.bytes, 100);
	FAILS(-EBADMSG, riommu_open(ctx, below("damaged"), NULL, &none));
	core_begin();
	core_load(RAM, PAGE, 0);
	core_finish();
	write_file("empty", core.bytes, core.len);
	FAILS(-ENODEV, riommu_open(ctx, below("empty"), NULL, &none));
	ck_assert_ptr_null(none);
}
END_TEST

START_TEST(refreshing_a_file_changes_nothing)
{
	uint64_t before, after;

	ck_assert_int_eq(riommu_iommu_register(sys, 0, "ddtp", &before), 0);
	riommu_refresh(sys);
	ck_assert_int_eq(riommu_iommu_register(sys, 0, "ddtp", &after), 0);
	ck_assert_uint_eq(before, after);
}
END_TEST

/* A machine whose IOMMU is gone since: what is said of it is of now. */
START_TEST(refreshing_a_machine_reads_the_registers_again)
{
	static const char *const paths[] = {"proc.path", "sysfs.path", "fdt.path",   "dt.path",
					    "acpi.path", "kcore.path", "devmem.path"};
	const char *file = "debugfs/riscv-iommu/riscv-iommu@3010000.iommu/registers";
	const char *reason = NULL;
	uint64_t value;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		ck_assert_int_eq(riommu_option_set(ctx, paths[i], below("nothing")), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "debugfs.path", below("debugfs")), 0);
	make_dir("sys/class/iommu/riscv-iommu@3010000.iommu");
	ck_assert_int_eq(riommu_option_set(ctx, "sysfs.path", below("sys")), 0);
	make_dir("debugfs/riscv-iommu/riscv-iommu@3010000.iommu");
	write_text(file, "# riscv-iommu registers 1\nbase 0x3010000\n0x0 8 0x10\n0x8 4 0\n"
			 "0x10 8 0\n");
	riommu_close(sys);
	sys = NULL;
	ck_assert_msg(!riommu_open(ctx, NULL, "debugfs", &sys), "%s", riommu_error(ctx));
	ck_assert_str_eq(riommu_iommu_mode(sys, 0), "Off");
	write_text(file, "# riscv-iommu registers 1\nbase 0x3010000\n0x0 8 0x10\n0x8 4 0\n"
			 "0x10 8 1\n");
	riommu_refresh(sys);
	ck_assert_int_eq(riommu_iommu_register(sys, 0, "ddtp", &value), 0);
	ck_assert_uint_eq(value, 1);
	ck_assert_str_eq(riommu_iommu_mode(sys, 0), "Bare");
	ck_assert_int_eq(unlink(below(file)), 0);
	riommu_refresh(sys);
	ck_assert_int_lt(riommu_iommu_status(sys, 0, &reason), 0);
	ck_assert_str_ne(reason, "");
	ck_assert_int_lt(riommu_iommu_status(sys, 0, NULL), 0);
	ck_assert_ptr_null(riommu_iommu_mode(sys, 0));
}
END_TEST

/* -- IOMMUs and devices -------------------------------------------------------------------------- */

START_TEST(iommu_is_described)
{
	const char *reason = NULL;

	ck_assert_uint_eq(riommu_iommu_count(sys), 1);
	ck_assert_uint_eq(riommu_iommu_base(sys, 0), BASE);
	ck_assert_str_eq(riommu_iommu_name(sys, 0), "3010000.iommu");
	ck_assert_str_ne(riommu_iommu_where(sys, 0), "");
	ck_assert_int_eq(riommu_iommu_status(sys, 0, &reason), 0);
	ck_assert_str_eq(reason, "");
	ck_assert_int_eq(riommu_iommu_status(sys, 0, NULL), 0);
	ck_assert_str_eq(riommu_iommu_mode(sys, 0), "1LVL");
}
END_TEST

START_TEST(registers_have_values_or_a_reason)
{
	uint64_t value = 42;

	ck_assert_int_eq(riommu_iommu_register(sys, 0, "capabilities", &value), 0);
	ck_assert_uint_eq(value, CAPABILITIES);
	value = 42;
	FAILS(-ENODATA, riommu_iommu_register(sys, 0, "cqb", &value));
	FAILS(-EINVAL, riommu_iommu_register(sys, 0, "ddtq", &value));
	FAILS(-EINVAL, riommu_iommu_register(sys, 1, "ddtp", &value));
	ck_assert_uint_eq(value, 42);
}
END_TEST

START_TEST(mode_is_null_where_it_is_not_defined)
{
	open_capture(DDT >> 2 | 15, 3);
	ck_assert_ptr_null(riommu_iommu_mode(sys, 0));
}
END_TEST

START_TEST(there_is_nothing_past_the_last)
{
	struct riommu_translator *translator;
	const char *reason = NULL;

	ck_assert_uint_eq(riommu_iommu_base(sys, 1), 0);
	ck_assert_str_eq(riommu_iommu_name(sys, 1), "");
	ck_assert_str_eq(riommu_iommu_where(sys, 1), "");
	ck_assert_ptr_null(riommu_iommu_mode(sys, 1));
	FAILS(-EINVAL, riommu_iommu_status(sys, 1, &reason));
	ck_assert_ptr_nonnull(reason);
	FAILS(-EINVAL, riommu_iommu_status(sys, 1, NULL));
	ck_assert_uint_eq(riommu_device_id(sys, 4), 0);
	ck_assert_uint_eq(riommu_device_iommu(sys, 4), RIOMMU_NO_IOMMU);
	ck_assert_str_eq(riommu_device_name(sys, 4), "");
	ck_assert_str_eq(riommu_device_driver(sys, 4), "");
	FAILS(-EINVAL, riommu_translator_new(sys, 1, &translator));
	ck_assert_ptr_null(translator);
	FAILS(-EINVAL, riommu_visit_device(sys, 1, 8, NULL, NULL));
	FAILS(-EINVAL, riommu_visit_who_maps(sys, 1, 0, 1, NULL, NULL));
	FAILS(-EINVAL, riommu_visit_fault_records(sys, 1, NULL, NULL));
	FAILS(-EINVAL, riommu_check_iommu(sys, 1, NULL, NULL, NULL));
}
END_TEST

static size_t device_named(const char *name)
{
	for (size_t i = 0; i < riommu_device_count(sys); i++)
		if (!strcmp(riommu_device_name(sys, i), name))
			return i;
	ck_abort_msg("no device %s", name);
}

START_TEST(devices_are_described)
{
	size_t edu = device_named("0000:00:01.0");

	ck_assert_uint_eq(riommu_device_count(sys), 4);
	ck_assert_uint_eq(riommu_device_id(sys, edu), 8);
	ck_assert_uint_eq(riommu_device_iommu(sys, edu), 0);
	ck_assert_str_eq(riommu_device_driver(sys, edu), "edu");
	ck_assert_str_eq(riommu_device_driver(sys, device_named("0000:00:02.0")), "");
	ck_assert_uint_eq(riommu_device_iommu(sys, device_named("lost")), RIOMMU_NO_IOMMU);
}
END_TEST

START_TEST(devices_are_found_by_name_and_number)
{
	static const char *const names[] = {"0000:00:01.0", "00:01.0", "8", "0x8"};
	size_t iommu;
	uint32_t id;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		iommu = 7;
		id = 0;
		ck_assert_int_eq(riommu_device_find(sys, names[i], &iommu, &id), 0);
		ck_assert_uint_eq(iommu, 0);
		ck_assert_uint_eq(id, 8);
	}
	FAILS(-ENODEV, riommu_device_find(sys, "0000:00:1f.0", &iommu, &id));
	ck_assert_uint_eq(iommu, RIOMMU_NO_IOMMU);
	FAILS(-ENODEV, riommu_device_find(sys, "0x1000000", &iommu, &id));
	FAILS(-ENOTUNIQ, riommu_device_find(sys, "0000:00:02.0", &iommu, &id));
	ck_assert_uint_eq(iommu, 0);
	ck_assert_uint_eq(id, 9);
}
END_TEST

/* -- translating --------------------------------------------------------------------------------- */

static struct riommu_translator *translator(void)
{
	struct riommu_translator *t;

	ck_assert_int_eq(riommu_translator_new(sys, 0, &t), 0);
	return t;
}

static enum riommu_result run(struct riommu_translator *t, uint32_t device_id, uint64_t iova,
			      enum riommu_access access)
{
	struct riommu_request q = {.device_id = device_id, .iova = iova, .access = access};

	return riommu_translator_run(t, &q);
}

START_TEST(a_request_is_translated)
{
	struct riommu_translator *t = translator();

	ck_assert_int_eq(run(t, 8, 0x1234, RIOMMU_WRITE), RIOMMU_OK);
	ck_assert_uint_eq(riommu_translator_pa(t), 0x90000234);
	ck_assert_uint_eq(riommu_translator_page_size(t), 0x1000);
	ck_assert_int_eq(riommu_translator_permissions(t), RIOMMU_PERM_R | RIOMMU_PERM_W);
	ck_assert_int_eq(riommu_translator_memory_type(t), RIOMMU_PMA);
	ck_assert_uint_eq(riommu_translator_cause(t), 0);
	ck_assert_str_eq(riommu_translator_reason(t), "");
	ck_assert_int_eq(riommu_translator_error(t), 0);
	ck_assert_int_eq(run(t, 8, 0x400123, RIOMMU_EXEC), RIOMMU_OK);
	ck_assert_uint_eq(riommu_translator_pa(t), 0xa0000123);
	ck_assert_uint_eq(riommu_translator_page_size(t), 0x200000);
	riommu_translator_free(t);
}
END_TEST

START_TEST(a_translated_request_has_no_permissions)
{
	struct riommu_request q = {.device_id = 9, .iova = 0x123456000, .type = RIOMMU_TRANSLATED};
	struct riommu_translator *t = translator();

	ck_assert_int_eq(riommu_translator_run(t, &q), RIOMMU_OK);
	ck_assert_uint_eq(riommu_translator_pa(t), 0x123456000);
	ck_assert_uint_eq(riommu_translator_page_size(t), 0);
	ck_assert_int_eq(riommu_translator_permissions(t), -1);
	riommu_translator_free(t);
}
END_TEST

START_TEST(a_request_of_a_process_is_translated_by_its_table)
{
	struct riommu_request q = {
		.device_id = 10, .process_id = 1, .has_process_id = true, .iova = 0x123};
	struct riommu_translator *t = translator();

	ck_assert_int_eq(riommu_translator_run(t, &q), RIOMMU_OK);
	ck_assert_uint_eq(riommu_translator_pa(t), 0x40000123);
	riommu_translator_free(t);
}
END_TEST

START_TEST(a_fault_has_a_cause)
{
	struct riommu_translator *t = translator();

	ck_assert_int_eq(run(t, 8, 0x8000, RIOMMU_READ), RIOMMU_FAULT);
	ck_assert_uint_eq(riommu_translator_cause(t), 13);
	ck_assert_uint_eq(riommu_translator_iotval(t), 0x8000);
	ck_assert_uint_eq(riommu_translator_iotval2(t), 0);
	ck_assert_str_ne(riommu_translator_reason(t), "");
	ck_assert_uint_eq(riommu_translator_pa(t), 0);
	ck_assert_int_eq(run(t, 12, 0x8000, RIOMMU_READ), RIOMMU_FAULT);
	ck_assert_uint_eq(riommu_translator_cause(t), 258);
	riommu_translator_free(t);
}
END_TEST

START_TEST(what_is_not_held_is_unknown)
{
	struct riommu_translator *t = translator();

	ck_assert_int_eq(run(t, 8, 0x201000, RIOMMU_READ), RIOMMU_UNKNOWN);
	ck_assert_uint_eq(riommu_translator_missing(t), ABSENT + 8);
	ck_assert_int_eq(riommu_translator_error(t), -ENODATA);
	ck_assert_str_ne(riommu_translator_reason(t), "");
	riommu_translator_free(t);
}
END_TEST

START_TEST(requests_that_cannot_be_are_told)
{
	struct riommu_request q = {.device_id = 0x1000008};
	struct riommu_translator *t = translator();

	ck_assert_int_eq(riommu_translator_run(t, &q), RIOMMU_UNKNOWN);
	ck_assert_int_eq(riommu_translator_error(t), -EINVAL);
	q = (struct riommu_request){
		.device_id = 10, .process_id = 0x100000, .has_process_id = true};
	ck_assert_int_eq(riommu_translator_run(t, &q), RIOMMU_UNKNOWN);
	q = (struct riommu_request){.device_id = 8, .access = (enum riommu_access)3};
	ck_assert_int_eq(riommu_translator_run(t, &q), RIOMMU_UNKNOWN);
	q = (struct riommu_request){.device_id = 8, .type = (enum riommu_request_type)3};
	ck_assert_int_eq(riommu_translator_run(t, &q), RIOMMU_UNKNOWN);
	ck_assert_int_eq(riommu_translator_error(t), -EINVAL);
	riommu_translator_free(t);
}
END_TEST

START_TEST(a_translator_needs_three_registers)
{
	static const struct entry two[] = {{0, 8, CAPABILITIES}, {8, 4, 0}};
	struct riommu_translator *t;

	core_begin();
	core_registers(BASE, "3010000.iommu", two, 2);
	core_finish();
	write_file("two", core.bytes, core.len);
	riommu_close(sys);
	sys = NULL;
	ck_assert_int_eq(riommu_open(ctx, below("two"), NULL, &sys), 0);
	FAILS(-ENODATA, riommu_translator_new(sys, 0, &t));
	ck_assert_ptr_null(t);
	FAILS(-ENODATA, riommu_visit_device(sys, 0, 8, NULL, NULL));
	FAILS(-ENODATA, riommu_visit_who_maps(sys, 0, 0, 1, NULL, NULL));
	FAILS(-ENODATA, riommu_visit_fault_records(sys, 0, NULL, NULL));
}
END_TEST

START_TEST(causes_have_the_names_of_the_specification)
{
	ck_assert_str_eq(riommu_cause_name(13), "Read page fault");
	ck_assert_str_eq(riommu_cause_name(256), "All inbound transactions disallowed");
	ck_assert_str_eq(riommu_cause_name(3), "reserved");
	ck_assert_str_eq(riommu_cause_name(2048), "custom");
	ck_assert_ptr_nonnull(riommu_cause_name(~0u));
}
END_TEST

/* -- ranges -------------------------------------------------------------------------------------- */

struct seen {
	enum riommu_range_kind kind;
	bool has_device, has_process, translated;
	uint32_t device, process;
	uint64_t iova, last, pa, gpa, sizes, address;
	unsigned permissions, blocked;
	int error;
	bool reason;
};

static struct seen seen[32];
static size_t seen_count;

static int see(void *arg, const struct riommu_range *r)
{
	struct seen *s = &seen[seen_count++];

	ck_assert_ptr_eq(arg, seen);
	ck_assert_uint_lt(seen_count, sizeof(seen) / sizeof(seen[0]));
	memset(s, 0, sizeof(*s));
	s->kind = riommu_range_kind(r);
	s->has_device = riommu_range_device(r, &s->device);
	s->has_process = riommu_range_process(r, &s->process);
	s->translated = riommu_range_translated(r);
	s->iova = riommu_range_iova(r);
	s->last = riommu_range_last(r);
	s->pa = riommu_range_pa(r);
	s->gpa = riommu_range_gpa(r);
	s->sizes = riommu_range_leaf_sizes(r);
	s->address = riommu_range_address(r);
	s->permissions = riommu_range_permissions(r);
	s->blocked = riommu_range_blocked(r);
	s->error = riommu_range_error(r);
	s->reason = *riommu_range_reason(r);
	ck_assert_int_eq(riommu_range_memory_type(r), RIOMMU_PMA);
	return s->iova >= end_at ? end_with : 0;
}

static int visit(uint32_t device_id)
{
	seen_count = 0;
	return riommu_visit_device(sys, 0, device_id, see, seen);
}

static void is(const struct seen *s, enum riommu_range_kind kind, uint64_t iova, uint64_t last,
	       uint64_t pa)
{
	ck_assert_int_eq(s->kind, kind);
	ck_assert_uint_eq(s->iova, iova);
	ck_assert_uint_eq(s->last, last);
	ck_assert_uint_eq(s->pa, pa);
	ck_assert_int_eq(s->error != 0, kind == RIOMMU_RANGE_UNREADABLE);
	ck_assert_int_eq(s->reason, kind == RIOMMU_RANGE_FAULTS);
}

START_TEST(a_device_reaches_its_leaves)
{
	ck_assert_int_eq(visit(8), 0);
	ck_assert_uint_eq(seen_count, 5);
	is(&seen[0], RIOMMU_RANGE_LEAVES, 0x1000, 0x2fff, 0x90000000);
	ck_assert_uint_eq(seen[0].permissions, RIOMMU_PERM_R | RIOMMU_PERM_W);
	ck_assert_uint_eq(seen[0].sizes, 0x1000);
	ck_assert_uint_eq(seen[0].blocked, 0);
	ck_assert_uint_eq(seen[0].gpa, 0x90000000);
	ck_assert(seen[0].has_device && seen[0].device == 8 && !seen[0].has_process);
	is(&seen[1], RIOMMU_RANGE_LEAVES, 0x4000, 0x4fff, 0x90005000);
	ck_assert_uint_eq(seen[1].permissions, RIOMMU_PERM_R);
	ck_assert_uint_eq(seen[1].blocked, RIOMMU_BLOCKED_U);
	is(&seen[2], RIOMMU_RANGE_FAULTS, 0x6000, 0x6fff, 0);
	ck_assert_uint_eq(seen[2].address, LEAVES8 + 48);
	is(&seen[3], RIOMMU_RANGE_UNREADABLE, 0x200000, 0x3fffff, 0);
	ck_assert_uint_eq(seen[3].address, ABSENT);
	ck_assert_int_eq(seen[3].error, -ENODATA);
	is(&seen[4], RIOMMU_RANGE_LEAVES, 0x400000, 0x5fffff, 0xa0000000);
	ck_assert_uint_eq(seen[4].permissions, RIOMMU_PERM_R | RIOMMU_PERM_X);
	ck_assert_uint_eq(seen[4].sizes, 0x200000);
}
END_TEST

START_TEST(a_device_without_stages_reaches_everything_by_translated_requests_too)
{
	ck_assert_int_eq(visit(9), 0);
	ck_assert_uint_eq(seen_count, 2);
	is(&seen[0], RIOMMU_RANGE_IDENTITY, 0, UINT64_MAX, 0);
	ck_assert(!seen[0].translated);
	is(&seen[1], RIOMMU_RANGE_IDENTITY, 0, UINT64_MAX, 0);
	ck_assert(seen[1].translated && !seen[1].has_process);
	ck_assert_uint_eq(seen[1].sizes, 0);
}
END_TEST

START_TEST(each_process_has_ranges_of_its_own)
{
	ck_assert_int_eq(visit(10), 0);
	ck_assert_uint_eq(seen_count, 2);
	is(&seen[0], RIOMMU_RANGE_IDENTITY, 0, UINT64_MAX, 0);
	ck_assert(!seen[0].has_process);
	is(&seen[1], RIOMMU_RANGE_LEAVES, 0, 0x3fffffff, 0x40000000);
	ck_assert(seen[1].has_process);
	ck_assert_uint_eq(seen[1].process, 1);
}
END_TEST

START_TEST(a_process_directory_that_cannot_be_read_is_a_range)
{
	ck_assert_int_eq(visit(11), 0);
	ck_assert_uint_eq(seen_count, 2);
	is(&seen[1], RIOMMU_RANGE_UNREADABLE, 0, UINT64_MAX, 0);
	ck_assert(seen[1].has_process);
	ck_assert_uint_eq(seen[1].process, 0);
	ck_assert_uint_eq(seen[1].address, ABSENT);
	ck_assert_int_eq(seen[1].error, -ENODATA);
}
END_TEST

START_TEST(an_interrupt_file_cuts_the_leaf_around_it)
{
	ck_assert_int_eq(visit(14), 0);
	ck_assert_uint_eq(seen_count, 3);
	is(&seen[0], RIOMMU_RANGE_LEAVES, 0, 0xffff, 0x40000000);
	ck_assert_uint_eq(seen[0].gpa, 0);
	is(&seen[1], RIOMMU_RANGE_MSI, 0x10000, 0x10fff, 0x28000000);
	ck_assert_uint_eq(seen[1].address, MSI14);
	is(&seen[2], RIOMMU_RANGE_LEAVES, 0x11000, 0x3fffffff, 0x40011000);
	ck_assert_uint_eq(seen[2].gpa, 0x11000);
}
END_TEST

START_TEST(devices_without_a_valid_context_reach_nothing)
{
	ck_assert_int_eq(visit(12), 0);
	ck_assert_int_eq(visit(13), 0);
	ck_assert_int_eq(visit(64), 0); /* wider than the directory */
	ck_assert_uint_eq(seen_count, 0);
	FAILS(-EINVAL, visit(0x1000008));
}
END_TEST

START_TEST(with_ddtp_bare_each_device_reaches_everything)
{
	open_capture(1, 3);
	ck_assert_int_eq(visit(8), 0);
	ck_assert_uint_eq(seen_count, 1);
	is(&seen[0], RIOMMU_RANGE_IDENTITY, 0, UINT64_MAX, 0);
	ck_assert(seen[0].has_device && seen[0].device == 8);
	seen_count = 0;
	ck_assert_int_eq(riommu_visit_who_maps(sys, 0, 0x1000, 0x1fff, see, seen), 0);
	ck_assert_uint_eq(seen_count, 1);
	is(&seen[0], RIOMMU_RANGE_IDENTITY, 0x1000, 0x1fff, 0x1000);
	ck_assert(!seen[0].has_device && !seen[0].has_process && !seen[0].translated);
}
END_TEST

START_TEST(with_ddtp_off_none_reaches_anything)
{
	open_capture(0, 3);
	ck_assert_int_eq(visit(8), 0);
	ck_assert_int_eq(riommu_visit_who_maps(sys, 0, 0, UINT64_MAX, see, seen), 0);
	ck_assert_uint_eq(seen_count, 0);
}
END_TEST

START_TEST(an_undefined_ddtp_and_an_absent_directory_are_errors)
{
	open_capture(DDT >> 2 | 15, 3);
	FAILS(-EBADMSG, visit(8));
	ck_assert_int_eq(riommu_visit_who_maps(sys, 0, 0, UINT64_MAX, see, seen), 0);
	ck_assert_uint_eq(seen_count, 1);
	is(&seen[0], RIOMMU_RANGE_UNREADABLE, 0, UINT64_MAX, 0);
	ck_assert_int_eq(seen[0].error, -EBADMSG);
	open_capture(ABSENT >> 2 | 2, 3);
	FAILS(-ENODATA, visit(8));
	ck_assert_uint_eq(seen_count, 0);
}
END_TEST

START_TEST(a_visit_ends_with_what_the_visitor_returns)
{
	end_with = 7;
	ck_assert_int_eq(visit(8), 7);
	ck_assert_uint_eq(seen_count, 1);
	ck_assert_int_eq(riommu_visit_who_maps(sys, 0, 0, UINT64_MAX, see, seen), 7);
	ck_assert_uint_eq(seen_count, 2);
	open_capture(1, 3);
	ck_assert_int_eq(visit(8), 7);
}
END_TEST

/* The last range before the limit is hit ends the visit; the visitor's word is that of the limit. */
START_TEST(what_the_visitor_returns_is_no_limit)
{
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "3"), 0);
	FAILS(-EOVERFLOW, visit(8));
	ck_assert_uint_eq(seen_count, 3);
	end_at = seen[2].iova;
	end_with = 7;
	ck_assert_int_eq(visit(8), 7);
	ck_assert_uint_eq(seen_count, 3);
	end_with = -EOVERFLOW;
	end_at = 0;
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "1000"), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "", ""), -EINVAL); /* other words */
	seen_count = 0;
	ck_assert_int_eq(riommu_visit_who_maps(sys, 0, 0, UINT64_MAX, see, seen), -EOVERFLOW);
	ck_assert_ptr_null(strstr(riommu_error(ctx), "max-pages"));
}
END_TEST

START_TEST(the_limit_of_table_pages_is_told)
{
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "2"), 0);
	FAILS(-EOVERFLOW, visit(8));
	seen_count = 0;
	FAILS(-EOVERFLOW, riommu_visit_who_maps(sys, 0, 0, UINT64_MAX, see, seen));
}
END_TEST

/* Two processes with a table each: together they are past the limit, alone not. */
START_TEST(the_limit_of_table_pages_holds_for_all_processes_together)
{
	put(PROCESSES + 40, MODE(8) | ROOT10 >> 12);
	open_capture(DDT >> 2 | 2, 3);
	ck_assert_int_eq(visit(10), 0);
	ck_assert_uint_eq(seen_count, 3);
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "1"), 0);
	FAILS(-EOVERFLOW, visit(10));
	ck_assert_uint_eq(seen_count, 2);
}
END_TEST

static const struct seen *reaches(uint32_t device, enum riommu_range_kind kind)
{
	for (size_t i = 0; i < seen_count; i++)
		if (seen[i].has_device && seen[i].device == device && seen[i].kind == kind)
			return &seen[i];
	return NULL;
}

START_TEST(who_maps_finds_each_that_reaches_the_memory)
{
	const struct seen *s;

	seen_count = 0;
	ck_assert_int_eq(riommu_visit_who_maps(sys, 0, 0x90000800, 0x90000fff, see, seen), 0);
	s = reaches(8, RIOMMU_RANGE_LEAVES);
	ck_assert_ptr_nonnull(s);
	is(s, RIOMMU_RANGE_LEAVES, 0x1800, 0x1fff, 0x90000800);
	ck_assert_ptr_nonnull(reaches(8, RIOMMU_RANGE_UNREADABLE));
	s = reaches(9, RIOMMU_RANGE_IDENTITY);
	ck_assert_ptr_nonnull(s);
	is(s, RIOMMU_RANGE_IDENTITY, 0x90000800, 0x90000fff, 0x90000800);
	ck_assert_ptr_nonnull(reaches(11, RIOMMU_RANGE_UNREADABLE));
	ck_assert_ptr_null(reaches(14, RIOMMU_RANGE_LEAVES));
	FAILS(-EINVAL, riommu_visit_who_maps(sys, 0, 2, 1, see, seen));
}
END_TEST

static int translate_range(void *arg, const struct riommu_range *r)
{
	uint64_t ends[2] = {riommu_range_iova(r), riommu_range_last(r)};

	if (riommu_range_kind(r) != RIOMMU_RANGE_LEAVES || riommu_range_blocked(r))
		return 0;
	seen_count++;
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(run(arg, 8, ends[i], RIOMMU_READ), RIOMMU_OK);
		ck_assert_uint_eq(riommu_translator_pa(arg),
				  riommu_range_pa(r) + (ends[i] - ends[0]));
	}
	return 0;
}

START_TEST(what_is_reached_is_where_requests_go_also_while_it_is_visited)
{
	struct riommu_translator *t = translator();

	seen_count = 0;
	ck_assert_int_eq(riommu_visit_device(sys, 0, 8, translate_range, t), 0);
	ck_assert_uint_eq(seen_count, 2);
	riommu_translator_free(t);
}
END_TEST

/* -- fault records ------------------------------------------------------------------------------- */

struct record {
	bool pending, has_device, has_process, has_request;
	unsigned cause, ttyp;
	uint32_t device, process;
	uint64_t iotval, iotval2;
	struct riommu_request request;
};

static struct record records[4];
static size_t record_count;

static int see_record(void *arg, const struct riommu_fault_record *record)
{
	struct record *r = &records[record_count++];

	ck_assert_ptr_eq(arg, records);
	ck_assert_uint_le(record_count, 4);
	memset(r, 0, sizeof(*r));
	r->pending = riommu_fault_record_pending(record);
	r->cause = riommu_fault_record_cause(record);
	r->ttyp = riommu_fault_record_ttyp(record);
	r->has_device = riommu_fault_record_device(record, &r->device);
	r->has_process = riommu_fault_record_process(record, &r->process);
	r->iotval = riommu_fault_record_iotval(record);
	r->iotval2 = riommu_fault_record_iotval2(record);
	r->has_request = riommu_fault_record_request(record, &r->request);
	return end_with;
}

static int visit_records(void)
{
	record_count = 0;
	return riommu_visit_fault_records(sys, 0, see_record, records);
}

START_TEST(fault_records_are_taken_apart)
{
	ck_assert_int_eq(visit_records(), 0);
	ck_assert_uint_eq(record_count, 3);
	ck_assert(!records[0].pending && !records[1].pending && records[2].pending);
	ck_assert_uint_eq(records[0].cause, 13);
	ck_assert_uint_eq(records[0].ttyp, 2);
	ck_assert(records[0].has_device && !records[0].has_process);
	ck_assert_uint_eq(records[0].device, 8);
	ck_assert_uint_eq(records[0].iotval, 0x8000);
	ck_assert(records[1].has_process);
	ck_assert_uint_eq(records[1].process, 1);
	ck_assert_uint_eq(records[1].device, 10);
	ck_assert_uint_eq(records[1].iotval2, 0x6001);
	ck_assert_uint_eq(records[2].cause, 274);
	ck_assert(!records[2].has_device && !records[2].has_process && !records[2].has_request);
}
END_TEST

START_TEST(a_record_can_be_translated_again)
{
	struct riommu_translator *t = translator();

	ck_assert_int_eq(visit_records(), 0);
	ck_assert(records[0].has_request && records[1].has_request);
	ck_assert_int_eq(records[1].request.access, RIOMMU_WRITE);
	ck_assert(records[1].request.has_process_id);
	ck_assert_int_eq(riommu_translator_run(t, &records[0].request), RIOMMU_FAULT);
	ck_assert_uint_eq(riommu_translator_cause(t), records[0].cause);
	ck_assert_uint_eq(riommu_translator_iotval(t), records[0].iotval);
	riommu_translator_free(t);
}
END_TEST

START_TEST(registers_that_contradict_themselves_hide_no_record)
{
	open_capture(DDT >> 2 | 2, 128 + 3);
	FAILS(-EBADMSG, visit_records());
	ck_assert_uint_eq(record_count, 3);
	end_with = 7;
	ck_assert_int_eq(visit_records(), 7);
	ck_assert_uint_eq(record_count, 1);
}
END_TEST

/* -- findings ------------------------------------------------------------------------------------ */

struct findings {
	size_t count, of_device_13, of_process, with_address, of_no_device;
};

static void see_finding(void *arg, const struct riommu_finding *finding)
{
	struct findings *f = arg;
	uint32_t device = 0, process = 0;
	uint64_t address;

	f->count++;
	ck_assert_str_ne(riommu_finding_id(finding), "");
	ck_assert_str_ne(riommu_finding_message(finding), "");
	ck_assert_str_ne(riommu_finding_remedy(finding), "");
	ck_assert_int_le(riommu_finding_severity(finding), RIOMMU_ERROR);
	f->of_no_device += !riommu_finding_device(finding, &device);
	if (riommu_finding_device(finding, &device) && device == 13 &&
	    riommu_finding_severity(finding) == RIOMMU_ERROR)
		f->of_device_13++;
	f->of_process += riommu_finding_process(finding, &process) && process == 2 && device == 10;
	f->with_address += riommu_finding_address(finding, &address);
}

START_TEST(rules_find_what_is_wrong_and_tell_what_they_did_not_see)
{
	struct findings f = {.count = 0};
	size_t unjudged = 0;

	ck_assert_int_eq(riommu_check_iommu(sys, 0, see_finding, &f, &unjudged), 0);
	ck_assert_uint_ge(f.of_device_13, 1);
	ck_assert_uint_ge(f.of_process, 1);
	ck_assert_uint_ge(f.with_address, 1);
	ck_assert_uint_gt(unjudged, 0); /* tables are missing */
	ck_assert_int_eq(riommu_check_iommu(sys, 0, see_finding, &f, NULL), 0);
	f.of_no_device = 0;
	open_capture(0, 3); /* ddtp is Off, which is no device's fault */
	ck_assert_int_eq(riommu_check_iommu(sys, 0, see_finding, &f, NULL), 0);
	ck_assert_uint_ge(f.of_no_device, 1);
}
END_TEST

/* -- captures ------------------------------------------------------------------------------------ */

START_TEST(what_was_saved_answers_alike)
{
	struct riommu_translator *t;
	struct stat st;

	ck_assert_int_eq(riommu_save(sys, below("saved")), 0);
	ck_assert_int_eq(stat(below("saved"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	riommu_close(sys);
	sys = NULL;
	ck_assert_int_eq(riommu_open(ctx, below("saved"), NULL, &sys), 0);
	t = translator();
	ck_assert_int_eq(run(t, 8, 0x1234, RIOMMU_WRITE), RIOMMU_OK);
	ck_assert_uint_eq(riommu_translator_pa(t), 0x90000234);
	riommu_translator_free(t);
	ck_assert_uint_eq(riommu_device_count(sys), 4);
	ck_assert_int_eq(visit_records(), 0);
	ck_assert_uint_eq(record_count, 3);
}
END_TEST

START_TEST(saving_fails_with_words)
{
	FAILS(-ENOENT, riommu_save(sys, below("no/such/directory")));
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "1"), 0);
	FAILS(-EOVERFLOW, riommu_save(sys, below("saved")));
}
END_TEST

/* The recorded board: edu at 0000:00:01.0 wrote to a page that it may only read. */
START_TEST(the_recorded_board_is_read)
{
	struct riommu_translator *t;
	char path[512];

	source_file("examples/demo.core", path, sizeof(path));
	riommu_close(sys);
	sys = NULL;
	ck_assert_msg(!riommu_open(ctx, path, NULL, &sys), "%s", riommu_error(ctx));
	ck_assert_str_eq(riommu_iommu_mode(sys, 0), "3LVL");
	ck_assert_int_eq(visit(8), 0);
	ck_assert_uint_eq(seen_count, 4);
	is(&seen[0], RIOMMU_RANGE_LEAVES, 0x100000000, 0x1003fffff, 0x84c00000);
	ck_assert_int_eq(visit_records(), 0);
	ck_assert_uint_eq(record_count, 2);
	t = translator();
	for (size_t i = 0; i < record_count; i++) {
		ck_assert_int_eq(riommu_translator_run(t, &records[i].request), RIOMMU_FAULT);
		ck_assert_uint_eq(riommu_translator_cause(t), records[i].cause);
	}
	riommu_translator_free(t);
}
END_TEST

static void add_ranges(TCase *tc)
{
	tcase_add_test(tc, a_device_reaches_its_leaves);
	tcase_add_test(tc, a_device_without_stages_reaches_everything_by_translated_requests_too);
	tcase_add_test(tc, each_process_has_ranges_of_its_own);
	tcase_add_test(tc, a_process_directory_that_cannot_be_read_is_a_range);
	tcase_add_test(tc, an_interrupt_file_cuts_the_leaf_around_it);
	tcase_add_test(tc, devices_without_a_valid_context_reach_nothing);
	tcase_add_test(tc, with_ddtp_bare_each_device_reaches_everything);
	tcase_add_test(tc, with_ddtp_off_none_reaches_anything);
	tcase_add_test(tc, an_undefined_ddtp_and_an_absent_directory_are_errors);
	tcase_add_test(tc, a_visit_ends_with_what_the_visitor_returns);
	tcase_add_test(tc, what_the_visitor_returns_is_no_limit);
	tcase_add_test(tc, the_limit_of_table_pages_is_told);
	tcase_add_test(tc, the_limit_of_table_pages_holds_for_all_processes_together);
	tcase_add_test(tc, what_is_reached_is_where_requests_go_also_while_it_is_visited);
	tcase_add_test(tc, who_maps_finds_each_that_reaches_the_memory);
}

int main(void)
{
	Suite *suite = suite_create("api");
	TCase *tc = tcase_create("api");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, version_is_that_of_the_header);
	tcase_add_test(tc, parameters_are_set_and_refused);
	tcase_add_test(tc, messages_go_to_who_wants_them);
	tcase_add_test(tc, a_new_context_has_no_error_and_null_is_freed);
	tcase_add_test(tc, what_cannot_be_opened_says_why);
	tcase_add_test(tc, refreshing_a_file_changes_nothing);
	tcase_add_test(tc, refreshing_a_machine_reads_the_registers_again);
	tcase_add_test(tc, iommu_is_described);
	tcase_add_test(tc, registers_have_values_or_a_reason);
	tcase_add_test(tc, mode_is_null_where_it_is_not_defined);
	tcase_add_test(tc, there_is_nothing_past_the_last);
	ADD_NOTE_TEST(tc, devices_are_described);
	ADD_NOTE_TEST(tc, devices_are_found_by_name_and_number);
	tcase_add_test(tc, a_request_is_translated);
	tcase_add_test(tc, a_translated_request_has_no_permissions);
	tcase_add_test(tc, a_request_of_a_process_is_translated_by_its_table);
	tcase_add_test(tc, a_fault_has_a_cause);
	tcase_add_test(tc, what_is_not_held_is_unknown);
	tcase_add_test(tc, requests_that_cannot_be_are_told);
	tcase_add_test(tc, a_translator_needs_three_registers);
	tcase_add_test(tc, causes_have_the_names_of_the_specification);
	add_ranges(tc);
	tcase_add_test(tc, fault_records_are_taken_apart);
	tcase_add_test(tc, a_record_can_be_translated_again);
	tcase_add_test(tc, registers_that_contradict_themselves_hide_no_record);
	tcase_add_test(tc, rules_find_what_is_wrong_and_tell_what_they_did_not_see);
	ADD_NOTE_TEST(tc, what_was_saved_answers_alike);
	tcase_add_test(tc, saving_fails_with_words);
	tcase_add_test(tc, the_recorded_board_is_read);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
