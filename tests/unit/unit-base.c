/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base: errors, log, parameters, numbers, bits, files, names. */
#include "base/base-internal.h"
#include "base/set.h"
#include "runner.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct riommu_ctx *ctx;

static void setup(void)
{
	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
}

static void teardown(void)
{
	riommu_ctx_free(ctx);
}

static unsigned heard;
static char last[2048];

static void listen(void *arg, enum riommu_log_level level, const char *message)
{
	(void)level;
	ck_assert_ptr_eq(arg, &heard);
	heard++;
	snprintf(last, sizeof(last), "%s", message);
}

START_TEST(fail_returns_the_error_and_keeps_the_words)
{
	ck_assert_str_eq(riommu_error(ctx), "");
	ck_assert_int_eq(riommu_fail(ctx, -EBADMSG, "note %d: %s", 3, "short"), -EBADMSG);
	ck_assert_str_eq(riommu_error(ctx), "note 3: short");
}
END_TEST

START_TEST(fail_can_quote_the_last_error)
{
	riommu_fail(ctx, -ENODATA, "no page at 0x%x", 0x1000);
	riommu_fail(ctx, -ENODATA, "fault queue: %s", riommu_error(ctx));
	ck_assert_str_eq(riommu_error(ctx), "fault queue: no page at 0x1000");
}
END_TEST

START_TEST(fail_cuts_what_is_too_long)
{
	static char text[10000];

	memset(text, 'a', sizeof(text) - 1);
	riommu_fail(ctx, -EINVAL, "%s", text);
	ck_assert_uint_gt(strlen(riommu_error(ctx)), 500);
	ck_assert_uint_lt(strlen(riommu_error(ctx)), sizeof(text) - 1);
}
END_TEST

START_TEST(messages_cannot_steer_a_terminal)
{
	riommu_fail(ctx, -EINVAL, "name %s", "\033[2J\nx\177");
	ck_assert_str_eq(riommu_error(ctx), "name ?[2J?x?");
}
END_TEST

START_TEST(log_drops_what_is_above_the_level)
{
	heard = 0;
	riommu_ctx_set_log(ctx, listen, &heard, RIOMMU_LOG_INFO);
	riommu_log(ctx, RIOMMU_LOG_DEBUG, "detail");
	ck_assert_uint_eq(heard, 0);
	riommu_log(ctx, RIOMMU_LOG_WARNING, "look %u", 7);
	ck_assert_uint_eq(heard, 1);
	ck_assert_str_eq(last, "look 7");
	riommu_ctx_set_log(ctx, NULL, NULL, RIOMMU_LOG_DEBUG);
	riommu_log(ctx, RIOMMU_LOG_ERROR, "nobody");
	ck_assert_uint_eq(heard, 1);
}
END_TEST

START_TEST(every_parameter_is_listed_with_help_and_a_valid_default)
{
	struct riommu_option o;
	size_t n = 0;

	for (; riommu_option_at(ctx, n, &o); n++) {
		ck_assert_ptr_null(o.value);
		ck_assert_uint_gt(strlen(o.help), 10);
		ck_assert_pstr_eq(riommu_option(ctx, o.key), o.def);
		ck_assert(!riommu_option_is_set(ctx, o.key));
		if (o.def)
			ck_assert_int_eq(riommu_option_set(ctx, o.key, o.def), 0);
	}
	ck_assert_uint_eq(n, RIOMMU_OPTION_COUNT);
}
END_TEST

START_TEST(a_set_parameter_wins_over_its_default)
{
	char value[] = "/tmp/mem";

	ck_assert_str_eq(riommu_option(ctx, "devmem.path"), "/dev/mem");
	ck_assert_int_eq(riommu_option_set(ctx, "devmem.path", value), 0);
	value[0] = 'x'; /* it was copied */
	ck_assert_str_eq(riommu_option(ctx, "devmem.path"), "/tmp/mem");
	ck_assert(riommu_option_is_set(ctx, "devmem.path"));
	ck_assert_int_eq(riommu_option_set(ctx, "devmem.path", "/other"), 0);
	ck_assert_str_eq(riommu_option(ctx, "devmem.path"), "/other");
}
END_TEST

/* Names of sysfs are put behind it: what is too long is refused here, and nowhere else in silence. */
START_TEST(a_path_that_leaves_no_room_for_names_is_refused)
{
	char path[RIOMMU_OPTION_PATH_MAX + 2];

	memset(path, 'x', sizeof(path));
	path[RIOMMU_OPTION_PATH_MAX + 1] = '\0';
	ck_assert_int_eq(riommu_option_set(ctx, "sysfs.path", path), -EINVAL);
	ck_assert_str_eq(riommu_error(ctx),
			 "parameter sysfs.path: the path is longer than 700 bytes");
	ck_assert(!riommu_option_is_set(ctx, "sysfs.path"));
	path[RIOMMU_OPTION_PATH_MAX] = '\0';
	ck_assert_int_eq(riommu_option_set(ctx, "sysfs.path", path), 0);
	ck_assert_str_eq(riommu_option(ctx, "sysfs.path"), path);
}
END_TEST

START_TEST(a_number_is_that_which_was_set_or_the_default)
{
	ck_assert_uint_eq(riommu_option_number(ctx, "max-pages"), 1048576);
	ck_assert_uint_eq(riommu_option_number(ctx, "guest-tables"), 0);
	ck_assert_int_eq(riommu_option_set(ctx, "max-pages", "0x10"), 0);
	ck_assert_uint_eq(riommu_option_number(ctx, "max-pages"), 16);
}
END_TEST

START_TEST(a_parameter_without_default_has_no_value)
{
	ck_assert_ptr_null(riommu_option(ctx, "be_writable"));
	ck_assert_ptr_null(riommu_option(ctx, "excluded"));
}
END_TEST

static const struct {
	const char *key, *value;
} bad_options[] = {
	{"no.such", "1"},      {"", ""},
	{"absent", "zero"},    {"excluded", "one"},
	{"gxl_writable", "2"}, {"be_writable", ""},
	{"be_writable", "01"}, {"max-pages", "0"},
	{"max-pages", "many"}, {"max-pages", "-1"},
	{"kcore.path", ""},    {"guest-tables", "yes"},
	{"absent", "Missing"},
};

START_TEST(a_bad_parameter_is_refused_and_named)
{
	const char *key = bad_options[_i].key;

	ck_assert_int_eq(riommu_option_set(ctx, key, bad_options[_i].value), -EINVAL);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), key));
	ck_assert_str_ne(riommu_error(ctx), "");
	ck_assert(!riommu_option_is_set(ctx, key));
}
END_TEST

static const struct {
	const char *text;
	int err;
	uint64_t value;
} numbers[] = {
	{"0", 0, 0},
	{"010", 0, 10},
	{"4095", 0, 4095},
	{"0x10", 0, 16},
	{"0XfF", 0, 255},
	{"18446744073709551615", 0, UINT64_MAX},
	{"0xffffffffffffffff", 0, UINT64_MAX},
	{"18446744073709551616", -ERANGE, 0},
	{"0x10000000000000000", -ERANGE, 0},
	{"99999999999999999999999999", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"0x", -EINVAL, 0},
	{"-1", -EINVAL, 0},
	{"+1", -EINVAL, 0},
	{" 1", -EINVAL, 0},
	{"1 ", -EINVAL, 0},
	{"ff", -EINVAL, 0},
	{"0x1g", -EINVAL, 0},
	{"99999999999999999999999999z", -EINVAL, 0},
};

START_TEST(numbers_are_read_whole_or_refused)
{
	uint64_t value = 42;

	ck_assert_int_eq(riommu_parse_u64(numbers[_i].text, &value), numbers[_i].err);
	ck_assert_uint_eq(value, numbers[_i].err ? 42 : numbers[_i].value);
}
END_TEST

START_TEST(extract_and_deposit_are_inverse)
{
	ck_assert_uint_eq(riommu_extract(0xabcd, 0xf0f0), 0xac);
	ck_assert_uint_eq(riommu_deposit(0xac, 0xf0f0), 0xa0c0);
	ck_assert_uint_eq(riommu_extract(UINT64_MAX, UINT64_MAX), UINT64_MAX);
	ck_assert_uint_eq(riommu_deposit(UINT64_MAX, UINT64_MAX), UINT64_MAX);
	ck_assert_uint_eq(riommu_extract(UINT64_MAX, 0), 0);
	ck_assert_uint_eq(riommu_deposit(UINT64_MAX, 0), 0);
	ck_assert_uint_eq(riommu_extract((uint64_t)1 << 63, (uint64_t)1 << 63 | 1), 2);
	for (uint64_t i = 0; i < 64; i++)
		ck_assert_uint_eq(
			riommu_extract(riommu_deposit(i, 0x8000000000123001), 0x8000000000123001),
			i);
}
END_TEST

START_TEST(ranges_do_not_wrap)
{
	uint64_t sum;

	ck_assert(riommu_add(UINT64_MAX - 1, 1, &sum));
	ck_assert(!riommu_add(UINT64_MAX, 1, &sum));
	ck_assert(!riommu_mul(UINT64_MAX / 2 + 1, 2, &sum));
	ck_assert(riommu_inside(0, 10, 10));
	ck_assert(riommu_inside(10, 0, 10));
	ck_assert(!riommu_inside(11, 0, 10));
	ck_assert(!riommu_inside(5, UINT64_MAX, 10));
	ck_assert(!riommu_inside(UINT64_MAX, 2, 10));
}
END_TEST

START_TEST(bits_reach_both_ends)
{
	ck_assert_uint_eq(riommu_mask(63, 0), UINT64_MAX);
	ck_assert_uint_eq(riommu_mask(63, 63), (uint64_t)1 << 63);
	ck_assert_uint_eq(riommu_mask(0, 0), 1);
	ck_assert_uint_eq(riommu_bits(0x123456789abcdef0, 15, 8), 0xde);
}
END_TEST

START_TEST(bytes_are_read_in_the_order_asked_for)
{
	static const uint8_t bytes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t back[8];

	ck_assert_uint_eq(riommu_get32(bytes + 1, false), 0x04030201);
	ck_assert_uint_eq(riommu_get32(bytes + 1, true), 0x01020304);
	ck_assert_uint_eq(riommu_get64(bytes + 1, false), 0x0807060504030201);
	ck_assert_uint_eq(riommu_get64(bytes + 1, true), 0x0102030405060708);
	riommu_put64(back, 0x0807060504030201);
	ck_assert_mem_eq(back, bytes + 1, 8);
	riommu_put32(back, 0x04030201);
	ck_assert_mem_eq(back, bytes + 1, 4);
}
END_TEST

static void write_file(char *path, size_t len)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(write(fd, &"abcdefghij"[i % 10], 1), 1);
	close(fd);
}

static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 4097, 10000};

START_TEST(a_file_is_read_whole_and_ended)
{
	char path[] = "unit-base-XXXXXX", *text = NULL;
	size_t len = 0;

	write_file(path, sizes[_i]);
	ck_assert_int_eq(riommu_read_file(path, 10000, &text, &len), 0);
	ck_assert_uint_eq(len, sizes[_i]);
	ck_assert_uint_eq(strlen(text), sizes[_i]);
	free(text);
	ck_assert_int_eq(riommu_read_file(path, sizes[_i], &text, &len), 0);
	free(text);
	if (sizes[_i])
		ck_assert_int_eq(riommu_read_file(path, sizes[_i] - 1, &text, &len), -EFBIG);
	unlink(path);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_says_why)
{
	char *text;
	size_t len;

	ck_assert_int_eq(riommu_read_file("/nonexistent/file", 100, &text, &len), -ENOENT);
	ck_assert_int_eq(riommu_read_file("/", 100, &text, &len), -EISDIR);
	ck_assert_int_eq(riommu_read_file("/dev/zero", 100000, &text, &len), -EFBIG);
}
END_TEST

/* What a FIFO gives whose writer comes late, with WORDS or without any. */
static void read_late(const char *words)
{
	char path[] = "unit-base-XXXXXX", *text = NULL;
	size_t len = 0;
	pid_t child;

	ck_assert_int_ge(close(mkstemp(path)), 0);
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	child = fork();
	if (!child) {
		int fd;

		usleep(200000);
		fd = open(path, O_WRONLY);
		usleep(200000);
		_exit(write(fd, words, strlen(words)) == (ssize_t)strlen(words) ? 0 : 1);
	}
	ck_assert_int_eq(riommu_read_file(path, 100, &text, &len), 0);
	ck_assert_str_eq(text, words);
	ck_assert_uint_eq(len, strlen(words));
	free(text);
	unlink(path);
	waitpid(child, NULL, 0);
}

static void wake(int signal)
{
	(void)signal;
}

/* [1] with a signal every 30 ms */
START_TEST(a_fifo_is_waited_for)
{
	const struct itimerval each = {{0, 30000}, {0, 30000}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = wake};

	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, _i ? &each : &never, NULL), 0);
	read_late("words");
	read_late("");
	setitimer(ITIMER_REAL, &never, NULL);
}
END_TEST

START_TEST(a_pipe_that_is_open_and_silent_is_waited_for)
{
	char path[40], *text = NULL;
	size_t len = 0;
	int ends[2];
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	if (!child) {
		usleep(200000);
		_exit(write(ends[1], "words", 5) == 5 ? 0 : 1);
	}
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	ck_assert_int_eq(riommu_read_file(path, 100, &text, &len), 0);
	ck_assert_str_eq(text, "words");
	free(text);
	close(ends[0]);
	waitpid(child, NULL, 0);
}
END_TEST

START_TEST(names_are_cut_and_cleaned)
{
	char to[8];

	riommu_copy_name(to, sizeof(to), "0000:00:01.0", 12);
	ck_assert_str_eq(to, "0000:00");
	riommu_copy_name(to, sizeof(to), "a\033\xc3\xa4\0b", 6);
	ck_assert_str_eq(to, "a???");
	riommu_copy_name(to, sizeof(to), "abc", 0);
	ck_assert_str_eq(to, "");
	to[0] = 'z';
	riommu_copy_name(to, 0, "abc", 3);
	ck_assert_int_eq(to[0], 'z');
}
END_TEST

/* 100 pairs of one first key, in 256 slots: some want the same one. */
START_TEST(a_set_holds_pairs_once)
{
	struct base_set set = {.size = 0};

	for (uint64_t b = 0; b < 100; b++)
		ck_assert_int_eq(base_set_add(&set, 1, b, 100), 1);
	for (uint64_t b = 0; b < 100; b++)
		ck_assert_int_eq(base_set_add(&set, 1, b, 100), 0);
	ck_assert_int_eq(base_set_add(&set, 1, 100, 100), -EOVERFLOW);
	ck_assert_int_eq(base_set_add(&set, 2, 0, 101), 1);
	base_set_free(&set);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *tc = tcase_create("base");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, fail_returns_the_error_and_keeps_the_words);
	tcase_add_test(tc, fail_can_quote_the_last_error);
	tcase_add_test(tc, fail_cuts_what_is_too_long);
	tcase_add_test(tc, messages_cannot_steer_a_terminal);
	tcase_add_test(tc, log_drops_what_is_above_the_level);
	tcase_add_test(tc, every_parameter_is_listed_with_help_and_a_valid_default);
	tcase_add_test(tc, a_set_parameter_wins_over_its_default);
	tcase_add_test(tc, a_path_that_leaves_no_room_for_names_is_refused);
	tcase_add_test(tc, a_number_is_that_which_was_set_or_the_default);
	tcase_add_test(tc, a_parameter_without_default_has_no_value);
	tcase_add_loop_test(tc, a_bad_parameter_is_refused_and_named, 0,
			    (int)RIOMMU_ARRAY_SIZE(bad_options));
	tcase_add_loop_test(tc, numbers_are_read_whole_or_refused, 0,
			    (int)RIOMMU_ARRAY_SIZE(numbers));
	tcase_add_test(tc, extract_and_deposit_are_inverse);
	tcase_add_test(tc, ranges_do_not_wrap);
	tcase_add_test(tc, bits_reach_both_ends);
	tcase_add_test(tc, bytes_are_read_in_the_order_asked_for);
	tcase_add_loop_test(tc, a_file_is_read_whole_and_ended, 0, (int)RIOMMU_ARRAY_SIZE(sizes));
	tcase_add_test(tc, a_file_that_cannot_be_read_says_why);
	tcase_add_loop_test(tc, a_fifo_is_waited_for, 0, 2);
	tcase_add_test(tc, a_pipe_that_is_open_and_silent_is_waited_for);
	tcase_add_test(tc, names_are_cut_and_cleaned);
	tcase_add_test(tc, a_set_holds_pairs_once);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
