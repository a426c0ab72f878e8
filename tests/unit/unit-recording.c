/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue: recordings that are wrong in one way each, by the format in recording.h: where the damage is, and which it is, is said; what
 * comes before is read. And recordings whose disk fails them while they are written or read.
 */
#include "files.h"
#include "queue/recording.h"
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct riommu_ctx *ctx;
static char logged[512];

static void on_log(void *arg, enum riommu_log_level level, const char *message)
{
	(void)arg, (void)level;
	snprintf(logged, sizeof(logged), "%s", message);
}

static void setup(void)
{
	files_begin();
	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
	logged[0] = '\0';
	riommu_ctx_set_log(ctx, on_log, NULL, RIOMMU_LOG_WARNING);
}

static void teardown(void)
{
	riommu_ctx_free(ctx);
	files_end();
}

/* -- a recording by hand ------------------------------------------------------------------------------------------ */

enum { SOURCE = 1, IOMMU, DEVICE, EVENT, END };
enum { AT_KIND = 0, AT_IOMMU = 4, AT_TIME = 8, AT_EVENT = 16 };

static uint8_t bytes[1 << 17];
static size_t len;

static uint8_t *block(uint32_t type, uint32_t length)
{
	uint8_t *at = bytes + len;

	memset(at, 0, 8 + (size_t)length);
	riommu_put32(at, type);
	riommu_put32(at + 4, length);
	len += 8 + (size_t)length;
	return at + 8;
}

static uint8_t *event(uint32_t kind, uint32_t length, uint64_t time)
{
	uint8_t *at = block(EVENT, AT_EVENT + length);

	riommu_put32(at + AT_KIND, kind);
	riommu_put64(at + AT_TIME, time);
	return at + AT_EVENT;
}

static void header(void)
{
	memset(bytes, 0, 32);
	memcpy(bytes, "RVIOMMU-TOP\n", 12);
	riommu_put32(bytes + 16, 1);
	len = 32;
}

static void iommu(uint32_t index)
{
	uint8_t *at = block(IOMMU, 80);

	riommu_put32(at, index);
	memcpy(at + 16, "one", 3);
}

static void device(uint32_t of, uint32_t id)
{
	uint8_t *at = block(DEVICE, 72);

	riommu_put32(at, of);
	riommu_put32(at + 4, id);
}

/* A header, a source, one IOMMU, and an event at time 100. */
static void begin(void)
{
	header();
	block(SOURCE, 296);
	iommu(0);
	riommu_put64(event(RIOMMU_WATCH_MODE, 16, 100) + 8, 4);
}

static uint8_t *state(uint32_t flags, uint32_t entries, uint32_t head, uint32_t tail)
{
	uint8_t *at = event(RIOMMU_WATCH_STATE, 40, 100);

	riommu_put32(at, flags);
	riommu_put32(at + 4, entries);
	riommu_put32(at + 24, head);
	riommu_put32(at + 28, tail);
	return at;
}

static void lost(uint32_t kind, uint32_t why, uint32_t error)
{
	uint8_t *at = event(kind, 16, 100);

	riommu_put32(at, why);
	riommu_put32(at + 4, error);
}

/* -- damage in what comes before the events ------------------------------------------------------------------------ */

static void nothing(void)
{
	len = 0;
}

static void half_a_header(void)
{
	header();
	len = 31;
}

static void another_magic(void)
{
	begin();
	bytes[11] = '\r';
}

static void another_version(void)
{
	begin();
	riommu_put32(bytes + 16, 2);
}

static void no_iommu(void)
{
	header();
	block(SOURCE, 296);
}

static void short_source(void)
{
	header();
	block(SOURCE, 288);
}

static void short_iommu(void)
{
	header();
	block(IOMMU, 72);
}

static void second_iommu_first(void)
{
	header();
	iommu(1);
}

static void one_iommu_more_than_any_machine_has(void)
{
	header();
	for (uint32_t i = 0; i <= 1024; i++)
		iommu(i);
}

static void short_device(void)
{
	header();
	iommu(0);
	block(DEVICE, 64);
}

static void device_of_no_iommu(void)
{
	header();
	iommu(0);
	device(1, 5);
}

static void device_twice(void)
{
	header();
	iommu(0);
	device(0, 5);
	device(0, 5);
}

static void device_of_an_iommu_before(void)
{
	header();
	iommu(0);
	iommu(1);
	device(1, 5);
	device(0, 6);
}

static void odd_length(void)
{
	riommu_put32(block(9, 8) - 4, 9);
}

static void long_length(void)
{
	header();
	riommu_put32(block(9, 8) - 4, 65544);
}

static const struct {
	void (*make)(void);
	const char *words;
} bad_lists[] = {
	{nothing, "at offset 0: not a recording"},
	{half_a_header, "at offset 0: not a recording"},
	{another_magic, "at offset 0: not a recording"},
	{another_version, "a recording of version 2; this program reads version 1"},
	{no_iommu, "at offset 336: it names no IOMMU"},
	{short_source, "at offset 32: a source block of another length"},
	{short_iommu, "at offset 32: an IOMMU that does not follow"},
	{second_iommu_first, "at offset 32: an IOMMU that does not follow"},
	{one_iommu_more_than_any_machine_has, "at offset 90144: an IOMMU that does not follow"},
	{short_device, "at offset 120: a device that does not follow"},
	{device_of_no_iommu, "at offset 120: a device that does not follow"},
	{device_twice, "at offset 200: a device that does not follow"},
	{device_of_an_iommu_before, "at offset 288: a device that does not follow"},
	{long_length, "at offset 32: a block of an impossible length"},
};

static void expect_words(const char *words)
{
	ck_assert_msg(strstr(riommu_error(ctx), words), "\"%s\" and not \"%s\"", riommu_error(ctx),
		      words);
	ck_assert_msg(strstr(riommu_error(ctx), "/rec: "), "\"%s\" does not name the file",
		      riommu_error(ctx));
}

START_TEST(lists_that_are_damaged_are_not_opened)
{
	struct riommu_recording *r;
	struct riommu_system *sys;

	bad_lists[_i].make();
	write_file("rec", bytes, len);
	ck_assert_int_eq(riommu_recording_open(ctx, below("rec"), &r, &sys), -EBADMSG);
	ck_assert_ptr_null(r);
	ck_assert_ptr_null(sys);
	expect_words(bad_lists[_i].words);
}
END_TEST

/* -- damage in events ------------------------------------------------------------------------------------------------ */

static void no_head(void)
{
	block(EVENT, 8);
}

static void short_fault(void)
{
	event(RIOMMU_WATCH_FAULT, 40, 100);
}

static void of_no_iommu(void)
{
	riommu_put32(event(RIOMMU_WATCH_MODE, 16, 100) - AT_EVENT + AT_IOMMU, 1);
}

static void before_the_one_before(void)
{
	event(RIOMMU_WATCH_MODE, 16, 99);
}

static void after_all_time(void)
{
	event(RIOMMU_WATCH_MODE, 16, (uint64_t)INT64_MAX + 1);
}

static void ring_of_one(void)
{
	state(2, 1, 0, 0);
}

static void ring_of_no_power(void)
{
	state(2, 24, 0, 0);
}

static void head_past_the_end(void)
{
	state(2, 16, 16, 0);
}

static void tail_past_the_end(void)
{
	state(2, 16, 0, 16);
}

static void for_no_reason(void)
{
	lost(RIOMMU_WATCH_LOST, 0, 0);
}

static void for_an_unknown_reason(void)
{
	lost(RIOMMU_WATCH_LOST, RIOMMU_WATCH_WHYS, 0);
}

static void with_success(void)
{
	lost(RIOMMU_WATCH_LOST, RIOMMU_LOST_UNREADABLE, 1);
}

static void with_no_errno(void)
{
	lost(RIOMMU_WATCH_LOST, RIOMMU_LOST_UNREADABLE, (uint32_t)-4096);
}

static void lost_by_a_reset(void)
{
	lost(RIOMMU_WATCH_LOST, RIOMMU_RESET_OFF, 0);
}

static void reset_by_a_loss(void)
{
	lost(RIOMMU_WATCH_RESET, RIOMMU_LOST_BLIND, 0);
}

static void end_before_the_last_event(void)
{
	riommu_put64(block(END, 8), 99);
}

static void end_after_all_time(void)
{
	riommu_put64(block(END, 8), UINT64_MAX);
}

static void cut_within_a_head(void)
{
	block(9, 0);
	len--;
}

static void cut_within_a_block(void)
{
	block(9, 8);
	len--;
}

static const struct {
	void (*make)(void);
	const char *words;
} bad_events[] = {
	{no_head, "an event without a head"},
	{short_fault, "an event of another length"},
	{of_no_iommu, "an event of another length, or of no IOMMU"},
	{before_the_one_before, "an event of before the one before"},
	{after_all_time, "an event of before the one before"},
	{ring_of_one, "an event that contradicts itself"},
	{ring_of_no_power, "an event that contradicts itself"},
	{head_past_the_end, "an event that contradicts itself"},
	{tail_past_the_end, "an event that contradicts itself"},
	{for_no_reason, "an event that contradicts itself"},
	{for_an_unknown_reason, "an event that contradicts itself"},
	{with_success, "an event that contradicts itself"},
	{with_no_errno, "an event that contradicts itself"},
	{lost_by_a_reset, "an event that contradicts itself"},
	{reset_by_a_loss, "an event that contradicts itself"},
	{end_before_the_last_event, "an end before the last event"},
	{end_after_all_time, "an end before the last event"},
	{odd_length, "a block of an impossible length"},
	{cut_within_a_head, "it is cut off within a block"},
	{cut_within_a_block, "it is cut off within a block"},
};

static void open_recording(struct riommu_recording **r, struct riommu_system **sys)
{
	write_file("rec", bytes, len);
	ck_assert_msg(!riommu_recording_open(ctx, below("rec"), r, sys), "%s", riommu_error(ctx));
}

/* The event before it is read, then the offset and the damage are told, again and again. */
START_TEST(events_that_are_damaged_end_the_recording)
{
	struct riommu_recording *r;
	struct riommu_watch_event e;
	struct riommu_system *sys;
	char words[100];

	begin();
	snprintf(words, sizeof(words), "at offset %zu: %s", len, bad_events[_i].words);
	bad_events[_i].make();
	open_recording(&r, &sys);
	ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_EVENT);
	ck_assert_uint_eq(e.to, 4);
	ck_assert_int_eq(riommu_recording_next(r, &e), -EBADMSG);
	expect_words(words);
	riommu_recording_close(r);
	riommu_system_close(sys);
}
END_TEST

/* Of a later version: blocks and events of kinds that are not known here. An "end" of another length is one. */
START_TEST(what_is_not_known_is_passed_over)
{
	struct riommu_recording *r;
	struct riommu_watch_event e;
	struct riommu_system *sys;

	begin();
	block(77, 65536 - 8);
	event(RIOMMU_WATCH_KINDS, 16, 50);
	event(0, 0, 60);
	block(END, 16);
	state(0, 1, 7, 7); /* no ring is known: nothing to contradict */
	lost(RIOMMU_WATCH_LOST, RIOMMU_LOST_BLIND, (uint32_t)-4095);
	open_recording(&r, &sys);
	ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_EVENT);
	ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_EVENT);
	ck_assert_uint_eq(e.kind, RIOMMU_WATCH_STATE);
	ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_EVENT);
	ck_assert_int_eq(e.error, -4095);
	ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_BROKEN_OFF);
	riommu_recording_close(r);
	riommu_system_close(sys);
}
END_TEST

START_TEST(devices_without_number_are_read)
{
	struct riommu_recording *r;
	struct riommu_system *sys;

	ck_assert_int_eq(riommu_recording_open(ctx, below("nothing"), &r, &sys), -ENOENT);
	ck_assert_ptr_null(sys);
	header();
	iommu(0);
	for (uint32_t id = 0; id < 300; id++)
		device(0, 2 * id);
	open_recording(&r, &sys);
	ck_assert_uint_eq(sys->device_count, 300);
	for (uint32_t id = 0; id < 300; id++)
		ck_assert_uint_eq(sys->devices[id].device_id, 2 * id);
	riommu_recording_close(r);
	riommu_system_close(sys);
}
END_TEST

START_TEST(a_reason_that_there_is_none_of_has_a_word)
{
	ck_assert_str_eq(riommu_watch_why_name(RIOMMU_WATCH_WHYS), "none");
}
END_TEST

/* -- a disk that fails ----------------------------------------------------------------------------------------------- */

static struct {
	unsigned reads; /* the N-th fails; 0: none does */
	bool read_failed, writes, truncates;
	int sync, range; /* errno; 0: it succeeds */
} disk;

size_t __real_fread(void *to, size_t size, size_t count, FILE *f);
size_t __wrap_fread(void *to, size_t size, size_t count, FILE *f);
size_t __wrap___fread_chk(void *to, size_t space, size_t size, size_t count, FILE *f);
int __real_ferror(FILE *f);
int __wrap_ferror(FILE *f);
ssize_t __real_write(int fd, const void *from, size_t size);
ssize_t __wrap_write(int fd, const void *from, size_t size);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_fdatasync(int fd);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);

static int fails(int error)
{
	errno = error;
	return error ? -1 : 0;
}

size_t __wrap_fread(void *to, size_t size, size_t count, FILE *f)
{
	if (!disk.reads || --disk.reads)
		return __real_fread(to, size, count, f);
	disk.read_failed = true;
	errno = EIO;
	return 0;
}

size_t __wrap___fread_chk(void *to, size_t space, size_t size, size_t count, FILE *f)
{
	ck_assert_uint_le(size * count, space);
	return __wrap_fread(to, size, count, f);
}

int __wrap_ferror(FILE *f)
{
	return disk.read_failed || __real_ferror(f);
}

ssize_t __wrap_write(int fd, const void *from, size_t size)
{
	return disk.writes ? fails(ENOSPC) : __real_write(fd, from, size);
}

int __wrap_ftruncate(int fd, off_t size)
{
	return disk.truncates ? fails(EIO) : __real_ftruncate(fd, size);
}

int __wrap_fdatasync(int fd)
{
	(void)fd;
	return fails(disk.sync);
}

int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
	(void)fd, (void)offset, (void)size, (void)flags;
	return fails(disk.range);
}

START_TEST(what_cannot_be_read_is_no_damage)
{
	struct riommu_recording *r;
	struct riommu_watch_event e;
	struct riommu_system *sys;

	begin();
	write_file("rec", bytes, len);
	for (unsigned n = 1; n <= 7; n++) { /* header; head and rest of three blocks */
		disk.reads = n;
		disk.read_failed = false;
		ck_assert_int_eq(riommu_recording_open(ctx, below("rec"), &r, &sys), -EIO);
		ck_assert_str_eq(strrchr(riommu_error(ctx), ':'), ": Input/output error");
	}
	disk.reads = 8;
	disk.read_failed = false;
	ck_assert_int_eq(riommu_recording_open(ctx, below("rec"), &r, &sys), 0);
	ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_EVENT);
	ck_assert_int_eq(riommu_recording_next(r, &e), -EIO);
	riommu_recording_close(r);
	riommu_system_close(sys);
}
END_TEST

START_TEST(what_cannot_be_read_is_not_judged)
{
	begin();
	write_file("rec", bytes, len);
	ck_assert_int_eq(riommu_is_recording(ctx, below("rec")), 1);
	make_dir("folder");
	ck_assert_int_eq(riommu_is_recording(ctx, below("folder")), 0);
	bytes[0] = 'X';
	write_file("other", bytes, len);
	ck_assert_int_eq(riommu_is_recording(ctx, below("other")), 0);
	disk.reads = 1;
	ck_assert_int_eq(riommu_is_recording(ctx, below("rec")), -EIO);
	expect_words("Input/output error");
}
END_TEST

static struct riommu_iommu iommus[1024] = {{.name = "one"}};
static struct riommu_device devices[4000];
static const struct riommu_watch_event mode = {.kind = RIOMMU_WATCH_MODE, .time = 100, .to = 4};

static struct riommu_recorder *new_recorder(void)
{
	const struct riommu_system sys = {.iommus = iommus, .iommu_count = 1};
	struct riommu_recorder *r;

	ck_assert_int_eq(riommu_recorder_new(ctx, below("rec"), &sys, 0, &r), 0);
	return r;
}

static off_t size_of(const char *name)
{
	return (off_t)lseek(open(below(name), O_RDONLY), 0, SEEK_END);
}

START_TEST(a_write_that_fails_ends_a_recording_and_is_told_each_time)
{
	struct riommu_recorder *r = new_recorder();
	off_t size = size_of("rec");

	ck_assert_int_eq(riommu_recorder_add(r, &mode), 0);
	disk.writes = true;
	ck_assert_int_eq(riommu_recorder_flush(r, true), -ENOSPC);
	expect_words("No space left on device; the recording ends here");
	ck_assert_str_eq(logged, "");
	disk.writes = false; /* room comes too late: an event between would be missing */
	ck_assert_int_eq(riommu_recorder_add(r, &mode), -ENOSPC);
	ck_assert_int_eq(riommu_recorder_flush(r, false), -ENOSPC);
	ck_assert_int_eq(riommu_recorder_end(r, 200), -ENOSPC);
	ck_assert_int_eq(size_of("rec"), size);
}
END_TEST

START_TEST(a_recording_that_cannot_be_cut_back_says_where_it_ends)
{
	struct riommu_recorder *r = new_recorder();

	ck_assert_int_eq(riommu_recorder_add(r, &mode), 0);
	disk.writes = disk.truncates = true;
	ck_assert_int_eq(riommu_recorder_flush(r, false), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(logged, "/rec: it ends within a block"));
	ck_assert_int_eq(riommu_recorder_end(r, 200), -ENOSPC);
}
END_TEST

/* A full buffer is written out where an event is added; that fails, too. */
START_TEST(a_full_buffer_that_cannot_be_written_ends_a_recording)
{
	struct riommu_recorder *r = new_recorder();
	unsigned events = 0;
	int err;

	disk.writes = true;
	while (!(err = riommu_recorder_add(r, &mode)))
		events++;
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_uint_eq(events, 256 * 1024 / 40);
	ck_assert_int_eq(riommu_recorder_end(r, 200), -ENOSPC);
}
END_TEST

START_TEST(a_recording_of_nothing_ends_at_once)
{
	struct riommu_recorder *w = new_recorder();
	struct riommu_recording *r;
	struct riommu_watch_event e;
	struct riommu_system *sys;

	ck_assert_int_eq(riommu_recorder_end(w, 200), 0);
	ck_assert_int_eq(riommu_recording_open(ctx, below("rec"), &r, &sys), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_ENDED);
	riommu_recording_close(r);
	riommu_system_close(sys);
}
END_TEST

START_TEST(a_full_buffer_is_written_and_the_next_event_goes_on)
{
	struct riommu_recorder *w = new_recorder();
	unsigned events = 256 * 1024 / 40 + 10;
	struct riommu_recording *r;
	struct riommu_watch_event e;
	struct riommu_system *sys;

	for (unsigned i = 0; i < events; i++)
		ck_assert_int_eq(riommu_recorder_add(w, &mode), 0);
	ck_assert_int_eq(riommu_recorder_end(w, 200), 0);
	ck_assert_int_eq(riommu_recording_open(ctx, below("rec"), &r, &sys), 0);
	while (riommu_recording_next(r, &e) == RIOMMU_RECORDING_EVENT)
		events--;
	ck_assert_uint_eq(events, 0);
	riommu_recording_close(r);
	riommu_system_close(sys);
}
END_TEST

/* Lists that fill the buffer: whichever it is where that is written, there is no recorder. */
START_TEST(lists_that_cannot_be_written_make_no_recording)
{
	struct riommu_system sys = {
		.iommus = iommus, .iommu_count = 1, .devices = devices, .device_count = 4000};
	struct riommu_recorder *r;

	disk.writes = true;
	ck_assert_int_eq(riommu_recorder_new(ctx, below("rec"), &sys, 0, &r), -ENOSPC);
	ck_assert_ptr_null(r);
	unlink(below("rec"));
	sys.device_count = 0;
	sys.iommus = calloc(4096, sizeof(*sys.iommus));
	ck_assert_ptr_nonnull(sys.iommus);
	sys.iommu_count = 4096;
	ck_assert_int_eq(riommu_recorder_new(ctx, below("rec"), &sys, 0, &r), -ENOSPC);
	ck_assert_ptr_null(r);
	free(sys.iommus);
}
END_TEST

/* Each of the three, alone. */
START_TEST(what_is_not_known_of_a_state_is_not_known_of_the_recording)
{
	struct riommu_watch_event e = {.kind = RIOMMU_WATCH_STATE, .state = {.entries = 16}};
	struct riommu_recorder *recorder = new_recorder();
	struct riommu_recording *r;
	struct riommu_system *sys;

	e.state.ddtp_known = _i == 0;
	e.state.ring_known = _i == 1;
	e.state.indexes_known = _i == 2;
	ck_assert_int_eq(riommu_recorder_add(recorder, &e), 0);
	ck_assert_int_eq(riommu_recorder_end(recorder, 200), 0);
	ck_assert_int_eq(riommu_recording_open(ctx, below("rec"), &r, &sys), 0);
	ck_assert_int_eq(riommu_recording_next(r, &e), RIOMMU_RECORDING_EVENT);
	ck_assert_int_eq(e.state.ddtp_known, _i == 0);
	ck_assert_int_eq(e.state.ring_known, _i == 1);
	ck_assert_int_eq(e.state.indexes_known, _i == 2);
	riommu_recording_close(r);
	riommu_system_close(sys);
}
END_TEST

START_TEST(an_event_of_no_kind_is_refused_and_not_written)
{
	const struct riommu_watch_event e = {.kind = RIOMMU_WATCH_KINDS};
	struct riommu_recorder *r = new_recorder();
	off_t size = size_of("rec");

	ck_assert_int_eq(riommu_recorder_add(r, &e), -EINVAL);
	ck_assert_int_eq(riommu_recorder_flush(r, false), 0);
	ck_assert_int_eq(size_of("rec"), size);
	ck_assert_int_eq(riommu_recorder_end(r, 200), 0);
}
END_TEST

/* What a pipe or a read-only remount answers is no failure of the disk; EIO is. */
static const struct {
	int sync, range, end, flush;
} disks[] = {
	{0, EIO, -EIO, -EIO}, {0, ESPIPE, 0, 0}, {EIO, 0, -EIO, 0},    {ENOSPC, 0, -ENOSPC, 0},
	{EINVAL, 0, 0, 0},    {EROFS, 0, 0, 0},  {0, EIO, -EIO, -EIO},
};

START_TEST(a_disk_that_lost_what_it_took_is_told)
{
	struct riommu_recorder *r = new_recorder();

	ck_assert_int_eq(riommu_recorder_add(r, &mode), 0);
	disk.sync = disks[_i].sync;
	disk.range = disks[_i].range;
	ck_assert_int_eq(riommu_recorder_flush(r, false), 0); /* nobody asked for the disk */
	ck_assert_int_eq(riommu_recorder_flush(r, true), disks[_i].flush);
	ck_assert_int_eq(riommu_recorder_end(r, 200), disks[_i].end);
	if (disks[_i].end)
		expect_words(strerror(-disks[_i].end));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recording");
	TCase *tc = tcase_create("recording");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, lists_that_are_damaged_are_not_opened, 0,
			    RIOMMU_ARRAY_SIZE(bad_lists));
	tcase_add_loop_test(tc, events_that_are_damaged_end_the_recording, 0,
			    RIOMMU_ARRAY_SIZE(bad_events));
	tcase_add_test(tc, what_is_not_known_is_passed_over);
	tcase_add_test(tc, devices_without_number_are_read);
	tcase_add_test(tc, a_reason_that_there_is_none_of_has_a_word);
	tcase_add_loop_test(tc, what_is_not_known_of_a_state_is_not_known_of_the_recording, 0, 3);
	tcase_add_test(tc, what_cannot_be_read_is_no_damage);
	tcase_add_test(tc, what_cannot_be_read_is_not_judged);
	tcase_add_test(tc, a_write_that_fails_ends_a_recording_and_is_told_each_time);
	tcase_add_test(tc, a_recording_that_cannot_be_cut_back_says_where_it_ends);
	tcase_add_test(tc, a_full_buffer_that_cannot_be_written_ends_a_recording);
	tcase_add_test(tc, a_recording_of_nothing_ends_at_once);
	tcase_add_test(tc, a_full_buffer_is_written_and_the_next_event_goes_on);
	tcase_add_test(tc, lists_that_cannot_be_written_make_no_recording);
	tcase_add_test(tc, an_event_of_no_kind_is_refused_and_not_written);
	tcase_add_loop_test(tc, a_disk_that_lost_what_it_took_is_told, 0, RIOMMU_ARRAY_SIZE(disks));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
