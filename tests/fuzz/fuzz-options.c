/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What users write: --reg, -O, --base, -A, --range, names of devices. What is taken has one meaning; what is not ends with status 2. */
#include "discover/paths.h"
#include "machine.h"
#include "say.h"

#include <inttypes.h>
#include <stdlib.h>

struct option_text {
	struct riommu_ctx *ctx;
	struct options *o;
	int code;
	const char *text;
};

static void no_help(FILE *f)
{
	(void)f;
}

static void take(void *arg)
{
	const struct option_text *t = arg;

	MUST(common_option(t->ctx, t->o, t->code, t->text, no_help));
}

/* A register that was taken exists, its value fits, and written out it means the same. */
static void check_register(struct riommu_ctx *ctx, const struct riommu_reg_override *r)
{
	static struct options again;
	int index = riommu_reg_by_offset(r->offset);
	char text[160];
	struct option_text t = {ctx, &again, OPT_REG, text};

	MUST(index >= 0 && riommu_registers()[index].width == r->width);
	MUST(r->width == 8 || r->value <= UINT32_MAX);
	again = (struct options){0};
	snprintf(text, sizeof(text), "%s%s%s=0x%" PRIx64, r->iommu, r->iommu[0] ? ":" : "",
		 riommu_registers()[index].name, r->value);
	MUST_SAY(say_exits(take, &t) < 0, text);
	MUST(!memcmp(&again.overrides[0], r, sizeof(*r)));
}

static void check_number(const char *text)
{
	char written[24];
	uint64_t v, again;

	if (riommu_parse_u64(text, &v))
		return;
	snprintf(written, sizeof(written), "%" PRIu64, v);
	MUST(!riommu_parse_u64(written, &again) && again == v);
	snprintf(written, sizeof(written), "0x%" PRIx64, v);
	MUST(!riommu_parse_u64(written, &again) && again == v);
}

static void check_names(struct riommu_ctx *ctx, const char *text)
{
	struct riommu_device_ref refs[4];
	struct riommu_system *sys;
	struct dump d = {.ctx = ctx};
	uint64_t first, last;
	uint32_t segment;
	uint16_t rid;

	if (riommu_parse_pci_name(text, &segment, &rid))
		MUST(segment <= 0xffff || strlen(text) > 4);
	sys = fuzz_open(ctx, fuzz_path("core"));
	MUST(sys != NULL);
	riommu_system_find_iommu(sys, text);
	riommu_system_find_device(sys, text, refs, 4);
	out_init(&d.out, ctx, false);
	if (dump_range(&d, text, &first, &last))
		MUST(first <= last);
	json_object_put(d.out.errors);
	riommu_system_close(sys);
}

static void names(void *arg)
{
	const struct option_text *t = arg;

	check_names(t->ctx, t->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const int codes[] = {OPT_REG, 'O', OPT_BASE, 'A', 'u', OPT_SAVE};
	static struct options o;
	static struct machine m;
	static bool made;
	struct feed f = {bytes, len}, none = {NULL, 0};
	struct option_text t = {.ctx = fuzz_ctx(), .o = &o, .code = codes[feed8(&f) % 6]};
	char *text = feed_text(&f);
	int status;

	if (!made) {
		machine_make(&m, &none);
		machine_write(&m, "core");
		made = true;
	}
	t.text = text;
	o = (struct options){0};
	check_number(text);
	say_exits(names, &t);
	status = say_exits(take, &t);
	MUST(status == STATUS_USAGE || status < 1);
	if (status < 0 && t.code == OPT_REG)
		check_register(t.ctx, &o.overrides[0]);
	if (status < 0 && t.code == OPT_BASE)
		MUST(o.base_count == 1 && !(o.bases[0] & RIOMMU_PAGE_MASK));
	free(text);
	riommu_ctx_free(t.ctx);
	return 0;
}
