/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture: what was saved reads back as it was; nothing is left behind when saving fails. */
#include "capture/capture.h"
#include "memory.h"
#include "walk/walk.h"
#include "runner.h"

#include <check.h>
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT  0x80200000u
#define TABLE 0x80210000u
#define RING  0x80300000u

static struct riommu_ctx *ctx;
static struct memory *mem;
static struct riommu_iommu iommu;
static struct riommu_device device = {
	.device_id = 8, .name = "0000:00:01.0", .driver = "edu", .group = "3"};
static struct riommu_system sys;
static char dir[64], path[96];

static void set_register(uint32_t offset, uint64_t value)
{
	int i = riommu_reg_by_offset(offset);

	ck_assert_int_ge(i, 0);
	iommu.value[i] = value;
	iommu.state[i] = RIOMMU_REG_KNOWN;
}

/* A machine with one device, an Sv39 table of three pages, and a fault queue with one record. */
static void setup(void)
{
	ctx = riommu_ctx_new();
	mem = memory_new();
	iommu = (struct riommu_iommu){.base = 0x3010000, .name = "3010000.iommu", .method = "test"};
	sys = (struct riommu_system){
		.ctx = ctx,
		.memory = memory_source(mem, ctx),
		.iommus = &iommu,
		.iommu_count = 1,
		.devices = &device,
		.device_count = 1,
		.model = "test machine",
	};
	set_register(RIOMMU_REG_CAPABILITIES, 0x10 | RIOMMU_CAP_SV39 | RIOMMU_CAP_SV39X4 |
						      RIOMMU_CAP_MSI_FLAT | (uint64_t)46 << 32);
	set_register(RIOMMU_REG_FCTL, 0);
	set_register(RIOMMU_REG_DDTP, ROOT >> 2 | RIOMMU_DDTP_1LVL);
	set_register(RIOMMU_REG_FQB, RING >> 2 | 6);
	memory_put64(mem, ROOT + 8 * 64, RIOMMU_TC_V, false);
	memory_put64(mem, ROOT + 8 * 64 + 24, (uint64_t)8 << 60 | TABLE >> 12, false);
	memory_put64(mem, TABLE, (TABLE + 0x1000) >> 2 | RIOMMU_PTE_V, false);
	memory_put64(mem, TABLE + 0x1000, (TABLE + 0x2000) >> 2 | RIOMMU_PTE_V, false);
	memory_page(mem, TABLE + 0x2000); /* all zero */
	memory_put64(mem, RING, 0x000008080000000d, false);
	strcpy(dir, "/tmp/unit-capture.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/capture", dir);
}

static size_t files_in_dir(void)
{
	DIR *d = opendir(dir);
	size_t count = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count - 2;
}

static void teardown(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0); /* empty, so nothing was left behind */
	riommu_source_close(sys.memory);
	memory_free(mem);
	riommu_ctx_free(ctx);
}

static int save(struct riommu_capture_report *report)
{
	return riommu_capture_save(&sys, path, false, "0.0", NULL, NULL, report);
}

static struct riommu_source *reopen(void)
{
	struct riommu_source *core = NULL;

	ck_assert_int_eq(riommu_source_open(ctx, riommu_source_by_name("core"), path, &core), 0);
	return core;
}

static void same_page(struct riommu_source *core, uint64_t page)
{
	uint8_t bytes[RIOMMU_PAGE_SIZE];

	ck_assert_int_eq(riommu_source_read(core, page, bytes, sizeof(bytes)), 0);
	ck_assert_mem_eq(bytes, memory_bytes(mem, page), sizeof(bytes));
}

START_TEST(pages_read_back_as_they_were)
{
	struct riommu_capture_report report;
	struct riommu_source *core;
	uint8_t byte;

	ck_assert_int_eq(save(&report), 0);
	ck_assert_uint_eq(report.pages, 5);
	ck_assert_uint_eq(report.missing, 0);
	ck_assert(!report.truncated);
	core = reopen();
	same_page(core, ROOT);
	for (unsigned i = 0; i < 3; i++)
		same_page(core, TABLE + i * 0x1000);
	same_page(core, RING);
	ck_assert_int_eq(riommu_source_read(core, TABLE + 0x3000, &byte, 1), -ENODATA);
	riommu_source_close(core);
}
END_TEST

START_TEST(neighbours_are_one_segment_and_zero_pages_stay_out_of_the_file)
{
	uint64_t pa, file_size, mem_size;
	struct riommu_source *core;

	ck_assert_int_eq(save(NULL), 0);
	core = reopen();
	ck_assert(riommu_core_segment_at(core, 1, &pa, &file_size, &mem_size));
	ck_assert_uint_eq(pa, TABLE);
	ck_assert_uint_eq(file_size, 0x2000);
	ck_assert_uint_eq(mem_size, 0x3000);
	ck_assert(riommu_core_segment_at(core, 2, &pa, &file_size, &mem_size));
	ck_assert(!riommu_core_segment_at(core, 3, &pa, &file_size, &mem_size));
	riommu_source_close(core);
}
END_TEST

START_TEST(a_page_behind_a_zero_page_has_a_segment_of_its_own)
{
	struct riommu_source *core;

	memory_put64(mem, ROOT + 64 * 9, RIOMMU_TC_V, false);
	memory_put64(mem, ROOT + 64 * 9 + 24, (uint64_t)8 << 60 | (TABLE + 0x3000) >> 12, false);
	memory_put64(mem, TABLE + 0x3000, 2, false);
	ck_assert_int_eq(save(NULL), 0);
	core = reopen();
	for (unsigned i = 0; i < 4; i++)
		same_page(core, TABLE + i * 0x1000);
	riommu_source_close(core);
}
END_TEST

/* Through the front door: registers, devices and walk are those of the machine. */
START_TEST(a_capture_opens_as_a_system)
{
	struct riommu_open_args args = {.input = path};
	struct riommu_system *back;
	struct riommu_walker walker;
	struct riommu_dc dc;
	struct riommu_translation t;
	const char *missing;
	uint64_t value;

	ck_assert_int_eq(save(NULL), 0);
	ck_assert_msg(!riommu_system_open(ctx, &args, &back), "%s", riommu_error(ctx));
	ck_assert_uint_eq(back->iommu_count, 1);
	ck_assert_uint_eq(back->iommus[0].base, iommu.base);
	ck_assert_str_eq(back->iommus[0].name, iommu.name);
	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++) {
		ck_assert((back->iommus[0].state[i] == RIOMMU_REG_KNOWN) ==
			  (iommu.state[i] == RIOMMU_REG_KNOWN));
		ck_assert_uint_eq(back->iommus[0].value[i], iommu.value[i]);
	}
	ck_assert_int_eq(riommu_iommu_reg(&back->iommus[0], RIOMMU_REG_FQH, &value), -ENODATA);
	ck_assert_str_eq(back->model, sys.model);
	ck_assert_str_eq(riommu_system_device_name(back, 0, 8), device.name);
	ck_assert_int_eq(riommu_walker_init(&walker, back, 0, &missing), 0);
	ck_assert_int_eq(riommu_locate_dc(&walker, 8, &dc, &t, NULL), RIOMMU_OK);
	ck_assert_uint_eq(riommu_ppn_lower(dc.dw[RIOMMU_DC_FSC]), TABLE);
	riommu_system_close(back);
}
END_TEST

START_TEST(the_file_is_the_owners_and_replaces_an_older_one)
{
	struct stat st;
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(save(NULL), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_gt((uint64_t)st.st_size, 4096);
	ck_assert_uint_eq(files_in_dir(), 1);
}
END_TEST

START_TEST(what_cannot_be_read_is_counted)
{
	struct riommu_capture_report report;

	memory_put64(mem, TABLE + 8, 0x90000000 >> 2 | RIOMMU_PTE_V, false); /* absent */
	memory_put64(mem, TABLE + 16, (uint64_t)1 << 46 >> 2 | RIOMMU_PTE_V,
		     false);                         /* past PAS: there is none */
	set_register(RIOMMU_REG_FQB, RING >> 2 | 7); /* two pages, one is held */
	ck_assert_int_eq(save(&report), 0);
	ck_assert_uint_eq(report.pages, 5);
	ck_assert_uint_eq(report.missing, 2);
}
END_TEST

START_TEST(max_pages_bounds_a_capture)
{
	struct riommu_capture_report report;
	struct riommu_source *core;

	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "2"), 0);
	ck_assert_int_eq(save(&report), 0);
	ck_assert_uint_eq(report.pages, 2);
	ck_assert(report.truncated);
	core = reopen();
	same_page(core, ROOT); /* what is reached first is kept */
	riommu_source_close(core);
}
END_TEST

START_TEST(registers_alone_are_worth_saving)
{
	struct riommu_source *memory = sys.memory;
	struct riommu_core_registers note;
	struct riommu_source *core;
	int err;

	sys.memory = NULL;
	err = save(NULL);
	sys.memory = memory;
	ck_assert_int_eq(err, 0);
	core = reopen();
	ck_assert(riommu_core_registers_at(core, 0, &note));
	ck_assert_uint_eq(note.count, 4);
	riommu_source_close(core);
}
END_TEST

START_TEST(nothing_is_not_saved)
{
	memset(iommu.state, RIOMMU_REG_REFUSED, sizeof(iommu.state));
	ck_assert_int_eq(save(NULL), -ENODATA);
	ck_assert_uint_eq(files_in_dir(), 0);
}
END_TEST

/* -- failures ---------------------------------------------------------------------------------- */

START_TEST(a_full_disk_leaves_nothing)
{
	struct rlimit limit = {.rlim_cur = 8192, .rlim_max = RLIM_INFINITY};
	int err;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	err = save(NULL);
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(err, -EFBIG);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), path));
	ck_assert_uint_eq(files_in_dir(), 0);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_told)
{
	int err;

	strcat(path, "/nowhere");
	err = save(NULL);
	path[strlen(path) - strlen("/nowhere")] = '\0';
	ck_assert_int_eq(err, -ENOENT);
}
END_TEST

START_TEST(only_a_regular_file_is_replaced)
{
	struct stat st;

	ck_assert_int_eq(symlink("/dev/null", path), 0);
	ck_assert_int_eq(save(NULL), -EINVAL);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_uint_eq(files_in_dir(), 1);
}
END_TEST

START_TEST(a_queue_that_claims_four_gibibytes_takes_only_what_is_there)
{
	struct riommu_capture_report report;

	set_register(RIOMMU_REG_FQB, 0x100000000 >> 2 | 31);
	memory_put64(mem, 0x100005000, 1, false);
	ck_assert_int_eq(save(&report), 0);
	ck_assert_uint_eq(report.pages, 5);
	ck_assert_uint_eq(report.missing, (1u << 20) - 1);
}
END_TEST

/* -- more segments than an ELF header counts --------------------------------------------------- */

#define SPARSE \
	0x100001000ull /* an MSI table whose base has bit 12 set: every other page of 512 MiB */
#define SPARSE_PAGES 65536u

static struct riommu_source *dense;

static int sparse_map(struct riommu_source *src, uint64_t page, const uint8_t **data)
{
	static const uint8_t zeros[RIOMMU_PAGE_SIZE];

	(void)src;
	if (page >= SPARSE && page < SPARSE + 2ull * SPARSE_PAGES * RIOMMU_PAGE_SIZE) {
		*data = zeros;
		return 0;
	}
	return dense->ops->map(dense, page, data);
}

static int sparse_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	(void)src;
	return dense->ops->read(dense, pa, buf, len);
}

static int sparse_open(struct riommu_source *src, const char *unused)
{
	(void)src;
	(void)unused;
	return 0;
}

static const struct riommu_source_ops sparse_ops = {
	.name = "sparse",
	.open = sparse_open,
	.read = sparse_read,
	.map = sparse_map,
};

static unsigned progress_calls;

static bool progress(void *arg, uint64_t found, uint64_t written)
{
	ck_assert_ptr_eq(arg, &progress_calls);
	ck_assert_uint_gt(found, 0);
	ck_assert_uint_le(written, found);
	progress_calls++;
	return true;
}

static bool stop_writing(void *arg, uint64_t found, uint64_t written)
{
	(void)arg, (void)found;
	return !written;
}

static bool stop_at_once(void *arg, uint64_t found, uint64_t written)
{
	(void)arg, (void)found, (void)written;
	return false;
}

/* Two thousand tables of the last level: enough to be asked on the way. */
static void big_tables(void)
{
	for (uint64_t i = 0; i < 4 * 512; i++) {
		uint64_t middle = 0x91000000 + i / 512 * 0x1000, last = 0x92000000 + i * 0x1000;

		memory_put64(mem, TABLE + 8 + i / 512 * 8, middle >> 2 | RIOMMU_PTE_V, false);
		memory_put64(mem, middle + i % 512 * 8, last >> 2 | RIOMMU_PTE_V, false);
		memory_page(mem, last);
	}
}

START_TEST(who_says_stop_gets_no_file)
{
	static const riommu_capture_progress_fn stops[] = {stop_writing, stop_at_once};
	struct riommu_capture_report report;

	big_tables();
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(stops); i++) {
		ck_assert_int_eq(
			riommu_capture_save(&sys, path, false, "0.0", stops[i], NULL, &report),
			-EINTR);
		ck_assert_int_lt(access(path, F_OK), 0);
	}
	ck_assert_uint_eq(files_in_dir(), 0);
}
END_TEST

START_TEST(a_ring_that_is_not_there_can_be_interrupted)
{
	struct riommu_capture_report report;

	set_register(RIOMMU_REG_FQB, 0x100000000 >> 2 | 31);
	ck_assert_int_eq(riommu_capture_save(&sys, path, false, "0.0", stop_at_once, NULL, &report),
			 -EINTR);
	ck_assert_uint_eq(files_in_dir(), 0);
}
END_TEST

START_TEST(more_than_65534_segments_are_counted_in_a_section_header)
{
	struct riommu_capture_report report;
	struct riommu_source *core;
	uint64_t pa, file_size, mem_size;
	uint8_t header[sizeof(Elf64_Ehdr)];
	size_t count = 0;
	FILE *f;

	dense = sys.memory;
	ck_assert_int_eq(riommu_source_open(ctx, &sparse_ops, NULL, &sys.memory), 0);
	memory_put64(mem, ROOT + 8, (uint64_t)8 << 60 | 0x91000000 >> 12,
		     false); /* iohgatp of device 0 */
	memory_put64(mem, ROOT, RIOMMU_TC_V, false);
	memory_put64(mem, ROOT + 32, (uint64_t)1 << 60 | SPARSE >> 12, false);
	memory_put64(mem, ROOT + 40, riommu_mask(24, 0),
		     false); /* 2^17 pages, half of them by the OR */
	for (unsigned i = 0; i < 4; i++)
		memory_page(mem, 0x91000000 + i * 0x1000);
	ck_assert_int_eq(
		riommu_capture_save(&sys, path, false, "0.0", progress, &progress_calls, &report),
		0);
	riommu_source_close(sys.memory);
	sys.memory = dense;
	ck_assert_uint_eq(report.pages, 5 + 4 + SPARSE_PAGES);
	/* each 1024 that are found, and each 1024 that are written */
	ck_assert_uint_eq(progress_calls, report.pages / 1024 * 2);

	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(header, 1, sizeof(header), f), sizeof(header));
	fclose(f);
	ck_assert_uint_eq(riommu_get32(header + offsetof(Elf64_Ehdr, e_phentsize), false) >> 16,
			  PN_XNUM);
	core = reopen();
	while (riommu_core_segment_at(core, count, &pa, &file_size, &mem_size))
		count++;
	ck_assert_uint_eq(count, 4 + SPARSE_PAGES); /* directory, table, ring, second stage */
	riommu_source_close(core);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("capture");
	TCase *tc = tcase_create("capture");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, pages_read_back_as_they_were);
	tcase_add_test(tc, neighbours_are_one_segment_and_zero_pages_stay_out_of_the_file);
	tcase_add_test(tc, a_page_behind_a_zero_page_has_a_segment_of_its_own);
	ADD_NOTE_TEST(tc, a_capture_opens_as_a_system);
	tcase_add_test(tc, the_file_is_the_owners_and_replaces_an_older_one);
	tcase_add_test(tc, what_cannot_be_read_is_counted);
	tcase_add_test(tc, max_pages_bounds_a_capture);
	tcase_add_test(tc, registers_alone_are_worth_saving);
	tcase_add_test(tc, nothing_is_not_saved);
	tcase_add_test(tc, a_full_disk_leaves_nothing);
	tcase_add_test(tc, a_directory_that_is_not_there_is_told);
	tcase_add_test(tc, only_a_regular_file_is_replaced);
	tcase_add_test(tc, a_queue_that_claims_four_gibibytes_takes_only_what_is_there);
	tcase_add_test(tc, who_says_stop_gets_no_file);
	tcase_add_test(tc, a_ring_that_is_not_there_can_be_interrupted);
	tcase_add_test(tc, more_than_65534_segments_are_counted_in_a_section_header);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
