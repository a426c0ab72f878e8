/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of `explain`, log lines of the kernel among them: as arguments (the first byte is even), or from standard input. */
#include "say.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct riommu_ctx *ctx = fuzz_ctx();
	struct say what = {.command = dump_explain, .ctx = ctx};
	struct feed f = {bytes, len};
	uint8_t how = feed8(&f);
	char *text = feed_text(&f), dash[] = "-", *args[4] = {text};
	int argc = 1, json, plain;

	if (how & 1) {
		what.input = text;
		args[0] = dash;
	} else {
		for (unsigned i = 0; i < (how >> 1) % 4u && f.left; i++)
			args[argc++] = feed_text(&f);
	}
	plain = say(&what, argc, args, NULL);
	what.form = SAY_JSON;
	json = say(&what, argc, args, NULL);
	MUST(json == plain);
	for (int i = 1; i < argc; i++)
		free(args[i]);
	free(text);
	riommu_ctx_free(ctx);
	return 0;
}
