/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The handover record: as bytes, found in memory, and as what gives a vmcore its registers. */
#include "fuzz.h"
#include "machine.h"
#include "spec/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct riommu_record record, found;
	static struct machine m;
	struct riommu_ctx *ctx = fuzz_ctx();
	struct riommu_system *sys;
	struct feed none = {NULL, 0};
	size_t at = 0;
	int err = riommu_record_parse(ctx, bytes, len, &record);

	if (err) {
		MUST(err == -EBADMSG);
		fuzz_good_words(ctx);
	} else {
		MUST(record.capacity && record.used <= record.capacity &&
		     record.capacity <= RIOMMU_RECORD_MAX);
		MUST(RIOMMU_RECORD_SIZE(record.capacity) <= len);
		MUST(riommu_record_state_name(record.state));
		MUST(riommu_record_search(bytes, len, &at) && !at);
	}
	for (at = 0; riommu_record_search(bytes, len, &at); at += 4) {
		MUST(at % 4 == 0 && at < len);
		riommu_record_parse(ctx, bytes + at, len - at, &found);
	}
	/* a core that has no register note */
	machine_make(&m, &none);
	memset(m.known, 0, sizeof(m.known));
	machine_write(&m, "core");
	fuzz_file("record", bytes, len);
	MUST(!riommu_option_set(ctx, "record", fuzz_path("record")));
	sys = fuzz_open(ctx, fuzz_path("core"));
	riommu_system_close(sys);
	riommu_ctx_free(ctx);
	return 0;
}
