/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of `translate --batch` on a machine that answers; each line that is no comment has one answer. */
#include "machine.h"
#include "say.h"

#include <stdlib.h>

/* Device 0 through Sv39, device 1 through Sv39 over Sv39x4 (things of machine.c). */
static const uint8_t list[] = {
	2,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0,    0, 0, 0, 0,    0, 5, 0, 0, 0,
	0x02, 0,    0x00, 0x02, 0x01, 0, 0, 0, /* tc, fsc 8 << 21 | page 1 */
	1,    1,    0,    0,    2,    0, 0, 0, 0, 0, 0,    0, 1, 2, 0,    0, 3, 0, 0, 0,
	0,    0,    0,    0,    4,    3, 0, 0, 0, 0, 0x10, 0, 0, 5, 0x20, 0, 5, 0, 1, 0,
	0,    0x80, 0x08, 0,    0,    0, 0, 0, 3, 8, 0,    0, 0, 0, 0,    0, 0, 2, 0, 0,
};

static struct riommu_ctx *ctx;
static struct riommu_system *sys;

static void begin(void)
{
	static struct machine m;
	struct feed f = {list, sizeof(list)};

	ctx = fuzz_ctx();
	machine_make(&m, &f);
	machine_write(&m, "core");
	sys = fuzz_open(ctx, fuzz_path("core"));
	MUST(sys != NULL);
}

static size_t lines_of(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* How many lines ask for something: not blank, no comment; a NUL is never right. */
static size_t requests_in(const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	while (len) {
		const uint8_t *end = memchr(bytes, '\n', len);
		size_t line = end ? (size_t)(end - bytes) : len, i = 0;

		while (i < line && strchr(" \t\r", bytes[i]) && bytes[i])
			i++;
		n += (i < line && bytes[i] != '#') || memchr(bytes, 0, line);
		line += end != NULL;
		bytes += line;
		len -= line;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct say what = {.command = dump_translate, .open = dump_translate_open};
	char *json;
	int status;

	if (!sys)
		begin();
	fuzz_file("batch", bytes, len);
	what.ctx = ctx;
	what.sys = sys;
	what.batch = fuzz_path("batch");
	what.steps = len & 1;
	status = say(&what, 0, NULL, NULL);
	what.form = SAY_LINES;
	MUST(say(&what, 0, NULL, &json) == status);
	MUST_SAY(lines_of(json) == requests_in(bytes, len), json);
	free(json);
	return 0;
}
