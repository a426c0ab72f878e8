/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diff of two machines: the second is the first with the things behind the first ones. Against itself nothing differs; both ways the
 * same differs.
 */
#include "capture/compare.h"
#include "machine.h"
#include "say.h"

#include <stdlib.h>

#define ENOUGH 3000

struct changes {
	unsigned contexts, mappings, told;
};

static int context(void *arg, const struct riommu_context_change *c)
{
	struct changes *n = arg;

	MUST(c->error || c->dc[0] || c->dc[1]);
	n->contexts += !c->error;
	return 0;
}

static int mapping(void *arg, const struct riommu_mapping_change *c)
{
	struct changes *n = arg;

	MUST(c->iova <= c->last && (c->error || c->mapping[0] || c->mapping[1]));
	n->mappings += !c->error;
	return ++n->told < ENOUGH ? 0 : 0x7fff;
}

static bool open_walkers(struct riommu_system *const sys[2], struct riommu_walker walkers[2])
{
	const char *missing;

	for (unsigned i = 0; i < 2; i++)
		if (riommu_walker_init(&walkers[i], sys[i], 0, &missing))
			return false;
	return true;
}

static void compare(struct riommu_system *const sys[2], struct changes *n)
{
	struct riommu_comparison *c;
	struct riommu_walker walkers[2];
	int err;

	*n = (struct changes){0};
	if (!sys[0]->iommu_count || !open_walkers(sys, walkers))
		return;
	MUST(!riommu_comparison_open(walkers, &c));
	if (!riommu_comparison_same(c)) {
		MUST(!riommu_compare_contexts(c, context, n));
		err = riommu_compare_mappings(c, mapping, n);
		MUST(!err || err == 0x7fff);
	} else {
		/* then nobody finds a difference */
		MUST(!riommu_compare_contexts(c, context, n) && !n->contexts);
	}
	riommu_comparison_close(c);
}

static void say_it(struct riommu_ctx *ctx, bool same)
{
	struct say what = {.command = dump_diff, .open = dump_diff_open, .ctx = ctx};
	char old[256], new[256], *argv[2] = {old, new};
	int status;

	snprintf(old, sizeof(old), "%s", fuzz_path("old"));
	snprintf(new, sizeof(new), "%s", fuzz_path(same ? "old" : "new"));
	status = say(&what, 2, argv, NULL);
	MUST(!same || status != STATUS_FINDING);
	what.form = SAY_JSON;
	MUST(say(&what, 2, argv, NULL) == status);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct machine m;
	struct feed f = {bytes, len}, first;
	size_t cut = MACHINE_HEAD + (size_t)feed8(&f) * MACHINE_THING;
	struct riommu_ctx *ctx = fuzz_ctx();
	struct riommu_system *sys[2], *turned[2];
	struct changes ways[2];

	MUST(!riommu_option_set(ctx, "max-pages", "512"));
	first = (struct feed){f.at, cut < f.left ? cut : f.left};
	machine_make(&m, &first);
	machine_write(&m, "old");
	f.at += cut < f.left ? cut : f.left;
	f.left -= cut < f.left ? cut : f.left;
	machine_add(&m, &f);
	machine_write(&m, "new");
	sys[0] = turned[1] = fuzz_open(ctx, fuzz_path("old"));
	sys[1] = turned[0] = fuzz_open(ctx, fuzz_path("new"));
	if (sys[0] && sys[1]) {
		compare(sys, &ways[0]);
		compare(turned, &ways[1]);
		MUST(ways[0].contexts == ways[1].contexts);
		MUST(ways[0].mappings == ways[1].mappings);
		say_it(ctx, false);
		say_it(ctx, true);
	}
	riommu_system_close(sys[0]);
	riommu_system_close(sys[1]);
	riommu_ctx_free(ctx);
	return 0;
}
