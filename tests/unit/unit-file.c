/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/file: files that are complete or not there. */
#include "base/file.h"
#include "files.h"
#include "runner.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct riommu_ctx *ctx;

static void setup(void)
{
	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
	files_begin();
}

static void teardown(void)
{
	files_end();
	riommu_ctx_free(ctx);
}

/* How many files there are, hidden ones too. */
static unsigned files(void)
{
	DIR *dir = opendir(below(""));
	struct dirent *entry;
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return n;
}

static void has_text(const char *name, const char *text)
{
	char *found;
	size_t len;

	ck_assert_int_eq(riommu_read_file(below(name), 4096, &found, &len), 0);
	ck_assert_str_eq(found, text);
	free(found);
}

START_TEST(a_file_is_there_whole_with_its_mode)
{
	struct stat st;

	umask(077);
	ck_assert_int_eq(riommu_write_file(ctx, below("a"), "hello", 5, 0644), 0);
	has_text("a", "hello");
	ck_assert_int_eq(stat(below("a"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_uint_eq(files(), 1);
}
END_TEST

START_TEST(until_it_is_complete_the_old_one_stays)
{
	struct riommu_file f;

	write_text("a", "before");
	ck_assert_int_eq(riommu_file_begin(&f, ctx, below("a")), 0);
	ck_assert_int_eq(riommu_file_write(&f, "xxxxx", 5), 0);
	ck_assert_int_eq(riommu_file_write_at(&f, 0, "after", 5), 0);
	has_text("a", "before");
	ck_assert_int_eq(riommu_file_commit(&f, 0600), 0);
	riommu_file_end(&f);
	has_text("a", "after");
	ck_assert_uint_eq(files(), 1);
}
END_TEST

START_TEST(what_is_not_committed_leaves_nothing)
{
	struct riommu_file f;

	ck_assert_int_eq(riommu_file_begin(&f, ctx, below("a")), 0);
	ck_assert_int_eq(riommu_file_write(&f, "hello", 5), 0);
	ck_assert_uint_eq(files(), 1);
	riommu_file_end(&f);
	ck_assert_uint_eq(files(), 0);
}
END_TEST

START_TEST(what_is_no_file_is_not_replaced)
{
	struct stat st;

	write_text("a", "before");
	make_link("link", "a");
	make_dir("dir");
	ck_assert_int_eq(riommu_write_file(ctx, below("link"), "x", 1, 0600), -EINVAL);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "link"));
	ck_assert_int_eq(riommu_write_file(ctx, below("dir"), "x", 1, 0600), -EINVAL);
	has_text("a", "before");
	ck_assert(!lstat(below("link"), &st) && S_ISLNK(st.st_mode));
	ck_assert_uint_eq(files(), 3);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_named)
{
	ck_assert_int_eq(riommu_write_file(ctx, below("no/where"), "x", 1, 0600), -ENOENT);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "no/where"));
}
END_TEST

/* A full disk: /dev/full is no regular file, so the descriptor is put in place by hand. */
static void reads(int *fd, const char *expected)
{
	char *text;
	size_t len;

	ck_assert_int_eq(riommu_read_again(fd, below("a"), 100, &text, &len), 0);
	ck_assert_str_eq(text, expected);
	free(text);
}

/* Descriptors are few: one far up is given back after each reading. */
START_TEST(a_descriptor_far_up_is_not_kept)
{
	size_t len;
	char *text;
	int fd;

	write_text("a", "one");
	fd = open(below("a"), O_RDONLY);
	ck_assert_int_eq(dup2(fd, 700), 700);
	close(fd);
	fd = 700;
	ck_assert_int_eq(riommu_read_again(&fd, below("a"), 100, &text, &len), 0);
	ck_assert_str_eq(text, "one");
	free(text);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(close(700), -1);
}
END_TEST

START_TEST(a_file_that_is_read_again_stays_open_while_it_is_that_file)
{
	int fd = -1, first;
	char *text;
	size_t len;

	ck_assert_int_eq(riommu_read_again(&fd, below("a"), 100, &text, &len), -ENOENT);
	write_text("a", "one");
	reads(&fd, "one");
	first = fd;
	ck_assert_int_ge(first, 0);
	write_text("a", "two"); /* in its place */
	reads(&fd, "two");
	ck_assert_int_eq(fd, first);
	write_text("b", "three");
	ck_assert_int_eq(rename(below("b"), below("a")), 0); /* another one of this name */
	reads(&fd, "three");
	unlink(below("a"));
	ck_assert_int_eq(riommu_read_again(&fd, below("a"), 100, &text, &len), -ENOENT);
	ck_assert_int_eq(fd, -1);
}
END_TEST

/* [0] nothing is open there any more, [1] what is cannot be read from its start: then the path is opened */
START_TEST(a_descriptor_that_does_not_do_is_replaced)
{
	int ends[2], fd;
	char *text;
	size_t len;

	write_text("a", "one");
	ck_assert_int_eq(pipe(ends), 0);
	fd = _i ? ends[0] : 700;
	reads(&fd, "one");
	riommu_close_fd(&fd);
	if (_i)
		ck_assert_int_eq(pipe(ends), 0);
	fd = ends[0];
	ck_assert_int_eq(riommu_read_again(&fd, below("b"), 100, &text, &len), -ENOENT);
	ck_assert_int_eq(fd, -1);
	close(ends[1]);
}
END_TEST

/* What went wrong first is told. */
START_TEST(a_file_that_is_gone_is_not_committed)
{
	struct riommu_file f;

	ck_assert_int_eq(riommu_file_begin(&f, ctx, below("a")), 0);
	ck_assert_int_eq(close(f.fd), 0);
	ck_assert_int_eq(riommu_file_commit(&f, 0600), -EBADF);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "setting its mode"));
	riommu_file_end(&f);
	ck_assert_uint_eq(files(), 0);
}
END_TEST

START_TEST(a_write_that_fails_leaves_nothing)
{
	struct riommu_file f;
	FILE *full = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(full);
	ck_assert_int_eq(riommu_file_begin(&f, ctx, below("a")), 0);
	ck_assert_int_ge(dup2(fileno(full), f.fd), 0);
	fclose(full);
	ck_assert_int_eq(riommu_file_write(&f, "hello", 5), -ENOSPC);
	riommu_file_end(&f);
	ck_assert_uint_eq(files(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("file");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_file_is_there_whole_with_its_mode);
	tcase_add_test(tc, until_it_is_complete_the_old_one_stays);
	tcase_add_test(tc, what_is_not_committed_leaves_nothing);
	tcase_add_test(tc, what_is_no_file_is_not_replaced);
	tcase_add_test(tc, a_directory_that_is_not_there_is_named);
	tcase_add_test(tc, a_write_that_fails_leaves_nothing);
	tcase_add_loop_test(tc, a_descriptor_that_does_not_do_is_replaced, 0, 2);
	tcase_add_test(tc, a_file_that_is_gone_is_not_committed);
	tcase_add_test(tc, a_descriptor_far_up_is_not_kept);
	tcase_add_test(tc, a_file_that_is_read_again_stays_open_while_it_is_that_file);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
