/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of iommu-quiesce, and whether an undo would believe it: what is loaded and saved is the same to the byte. */
#include "control/control-internal.h"
#include "live.h"

#include <stdlib.h>

#define BOOT "b4f2ac9e-75cd-4a5f-8c07-0d6c0fc1b0a2"

static const char *name_of(const struct state *s)
{
	return s->path + strlen(fuzz_path(""));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct state s = {.lock_fd = -1, .fd = -1}, again = s;
	struct riommu_ctx *ctx;

	live_begin();
	fuzz_make_dir("state.path");
	ctx = fuzz_ctx();
	fuzz_file("proc.path/sys/kernel/random/boot_id", BOOT "\n", sizeof(BOOT));
	MUST(!control_state_init(&s, ctx) && !control_state_init(&again, ctx));
	fuzz_file(name_of(&s), bytes, len);
	if (control_state_load(&s)) {
		fuzz_good_words(ctx);
	} else {
		MUST(s.size == len && !memcmp(s.head, bytes, len));
		control_state_idle(&s);
		MUST(!control_state_save(&s) && !control_state_load(&again));
		MUST(again.size == len && !memcmp(again.head, bytes, len));
	}
	control_state_end(&s);
	control_state_end(&again);
	riommu_ctx_free(ctx);
	return 0;
}
