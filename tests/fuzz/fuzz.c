/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _XOPEN_SOURCE 700 /* nftw() */
#include "fuzz.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void fuzz_broken(const char *file, int line, const char *what, const char *words)
{
	dprintf(STDERR_FILENO, "%s:%d: does not hold: %s%s%s\n", file, line, what,
		words ? ": " : "", words ? words : "");
	abort();
}

/* -- the input ------------------------------------------------------------------------------------------------- */

static uint64_t feed_bytes(struct feed *f, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n && f->left; i++, f->left--)
		v |= (uint64_t)*f->at++ << (8 * i);
	return v;
}

uint8_t feed8(struct feed *f)
{
	return (uint8_t)feed_bytes(f, 1);
}

uint16_t feed16(struct feed *f)
{
	return (uint16_t)feed_bytes(f, 2);
}

uint32_t feed32(struct feed *f)
{
	return (uint32_t)feed_bytes(f, 4);
}

uint64_t feed64(struct feed *f)
{
	return feed_bytes(f, 8);
}

uint64_t feed_below(struct feed *f, uint64_t below)
{
	return below > 256 ? feed32(f) % below : feed8(f) % below;
}

char *feed_text(struct feed *f)
{
	const uint8_t *end = f->left ? memchr(f->at, 0xff, f->left) : NULL;
	size_t len = end ? (size_t)(end - f->at) : f->left;
	char *text = malloc(len + 1);

	MUST(text != NULL);
	if (len)
		memcpy(text, f->at, len);
	text[len] = '\0';
	len += end != NULL;
	f->at += len;
	f->left -= len;
	return text;
}

/* -- files ------------------------------------------------------------------------------------------------------- */

static char directory[128];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void remove_all(void)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* In memory where there is such a place: nothing here is for a disk. */
static void make_directory(void)
{
	const char *where = getenv("FUZZ_TMP");

	if (!where)
		where = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	snprintf(directory, sizeof(directory), "%.100s/riommu-fuzz.XXXXXX", where);
	MUST(mkdtemp(directory));
	atexit(remove_all);
}

const char *fuzz_path(const char *name)
{
	static char path[8][256];
	static unsigned turn;

	if (!directory[0])
		make_directory();
	turn = (turn + 1) % 8;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", directory, name);
	return path[turn];
}

void fuzz_file(const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(fuzz_path(name), "we");

	MUST_SAY(f != NULL, name);
	MUST(fwrite(bytes, 1, len, f) == len);
	MUST(!fclose(f));
}

void fuzz_make_dir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/", fuzz_path(name));
	for (char *at = path + strlen(directory) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		MUST(!mkdir(path, 0755) || errno == EEXIST);
		*at = '/';
	}
}

/* -- contexts and systems ------------------------------------------------------------------------------------------ */

/* Users write their paths as they like; control characters are replaced. */
static bool is_line(const char *text)
{
	for (; *text; text++)
		if ((uint8_t)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void listen(void *arg, enum riommu_log_level level, const char *message)
{
	(void)arg, (void)level;
	MUST_SAY(message[0] && is_line(message), message);
}

struct riommu_ctx *fuzz_ctx(void)
{
	struct riommu_ctx *ctx = riommu_ctx_new();
	struct riommu_option option;

	MUST(ctx != NULL);
	for (size_t i = 0; riommu_option_at(ctx, i, &option); i++)
		if (strstr(option.key, ".path"))
			MUST(!riommu_option_set(ctx, option.key, fuzz_path(option.key)));
	MUST(!riommu_option_set(ctx, "max-pages", "4096"));
	riommu_ctx_set_log(ctx, listen, NULL, RIOMMU_LOG_DEBUG);
	return ctx;
}

void fuzz_good_words(const struct riommu_ctx *ctx)
{
	const char *words = riommu_error(ctx);

	MUST_SAY(words[0] && is_line(words), words);
}

static bool documented(int err)
{
	return err == -EINVAL || err == -ENODEV || err == -EBADMSG || err == -EACCES ||
	       err == -ENOTSUP || err == -EFBIG || err == -EIO;
}

struct riommu_system *fuzz_open(struct riommu_ctx *ctx, const char *input)
{
	struct riommu_open_args args = {.input = input};
	struct riommu_system *sys = NULL;
	int err = riommu_system_open(ctx, &args, &sys);

	if (!err) {
		MUST(sys != NULL);
		return sys;
	}
	MUST_SAY(documented(err), strerror(-err));
	MUST(!sys);
	fuzz_good_words(ctx);
	return NULL;
}

static void same_iommu(const struct riommu_iommu *a, const struct riommu_iommu *b)
{
	MUST(a->base == b->base && !strcmp(a->name, b->name));
	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++) {
		MUST((a->state[i] == RIOMMU_REG_KNOWN) == (b->state[i] == RIOMMU_REG_KNOWN));
		MUST(a->state[i] != RIOMMU_REG_KNOWN || a->value[i] == b->value[i]);
	}
}

static void same_device(const struct riommu_device *a, const struct riommu_device *b)
{
	MUST(a->device_id == b->device_id && a->iommu == b->iommu && !strcmp(a->name, b->name));
	MUST(!strcmp(a->driver, b->driver) && !strcmp(a->group, b->group));
	MUST(!strcmp(a->domain_type, b->domain_type));
}

void fuzz_same(const struct riommu_system *a, const struct riommu_system *b)
{
	MUST(a->iommu_count == b->iommu_count);
	MUST(a->device_count == b->device_count);
	MUST(a->region_count == b->region_count);
	for (size_t i = 0; i < a->iommu_count; i++)
		same_iommu(&a->iommus[i], &b->iommus[i]);
	for (size_t i = 0; i < a->device_count; i++)
		same_device(&a->devices[i], &b->devices[i]);
	for (size_t i = 0; i < a->region_count; i++)
		MUST(a->regions[i].start == b->regions[i].start &&
		     a->regions[i].end == b->regions[i].end &&
		     !strcmp(a->regions[i].name, b->regions[i].name));
	MUST(!strcmp(a->model, b->model) && !strcmp(a->kernel, b->kernel));
}
