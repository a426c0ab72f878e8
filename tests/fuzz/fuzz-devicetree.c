/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device tree: finding IOMMUs and devices in it, and the record that is put into it for the next kernel. The first byte says
 * whether the rest is a blob, or a list from which libfdt builds one.
 */
#include "handover/handover.h"
#include "live.h"

#include <libfdt.h>
#include <stdlib.h>

#define MAX_TREE 0x4000

/* -- a tree from a list ------------------------------------------------------------------------------------------- */

static const char *const nodes[] = {
	"soc",    "iommu@3010000",   "pci@30000000", "dma@10000000",
	"chosen", "reserved-memory", "fb@90000000",  "framebuffer@90000000",
	"x"};
static const char *const names[] = {"compatible",       "reg",
				    "ranges",           "#address-cells",
				    "#size-cells",      "#iommu-cells",
				    "phandle",          "iommus",
				    "iommu-map",        "iommu-map-mask",
				    "iommu-addresses",  "linux,pci-domain",
				    "device_type",      "model",
				    "status",           "riscv-iommu-handover",
				    "linux,elfcorehdr", "memory-region",
				    "bus-range"};
static const char *const words[] = {"riscv,iommu",
				    "riscv,pci-iommu",
				    "simple-bus",
				    "pci-host-ecam-generic",
				    "simple-framebuffer",
				    "okay",
				    "disabled",
				    "pci",
				    "pci0806,14\0riscv,pci-iommu"};

static uint32_t number(uint8_t v)
{
	static const uint32_t often[] = {0,          1,          2,       3,
					 0x10,       0xffff,     0x10000, 0x3010000,
					 0x80000000, 0xffffffff, 0x1000,  0xffffff};

	return v < 128 ? often[v % RIOMMU_ARRAY_SIZE(often)] : v & 31;
}

static int put_cells(void *fdt, const char *name, struct feed *f)
{
	uint8_t cells[4 * 16];
	unsigned count = feed8(f) % 17;

	for (unsigned i = 0; i < count; i++) {
		uint32_t v = number(feed8(f));

		v = riommu_get32(&v, true);
		memcpy(cells + 4 * i, &v, 4);
	}
	return fdt_property(fdt, name, cells, (int)(4 * count));
}

static int put_property(void *fdt, struct feed *f)
{
	const char *name = names[feed8(f) % RIOMMU_ARRAY_SIZE(names)], *word;
	uint8_t how = feed8(f);

	if (how & 0x80)
		return put_cells(fdt, name, f);
	word = words[how % RIOMMU_ARRAY_SIZE(words)];
	return fdt_property(fdt, name, word, (int)strlen(word) + 1);
}

/* False when there is no room. Properties come before nodes: a list that says otherwise gives a tree that libfdt refuses. */
static bool build(uint8_t *fdt, struct feed *f)
{
	unsigned depth = 1;
	int err = fdt_create(fdt, MAX_TREE);

	err = err ? err : fdt_finish_reservemap(fdt);
	err = err ? err : fdt_begin_node(fdt, "");
	while (!err && f->left) {
		uint8_t what = feed8(f);

		if (what < 0x30) {
			err = fdt_begin_node(fdt, nodes[what % RIOMMU_ARRAY_SIZE(nodes)]);
			depth++;
		} else if (what < 0x50 && depth > 1) {
			err = fdt_end_node(fdt);
			depth--;
		} else {
			err = put_property(fdt, f);
		}
	}
	while (!err && depth--)
		err = fdt_end_node(fdt);
	return !err && !fdt_finish(fdt);
}

/* -- the record ------------------------------------------------------------------------------------------------------ */

static void put_record(struct riommu_ctx *ctx, const void *fdt, size_t len)
{
	static struct riommu_record record;
	void *once, *twice;
	size_t once_len, twice_len;
	int err = riommu_record_put(ctx, fdt, len, 3, &once, &once_len);

	if (err) {
		MUST(err == -EBADMSG || err == -ENOSPC);
		fuzz_good_words(ctx);
		return;
	}
	MUST(!fdt_check_full(once, once_len));
	MUST_SAY(!riommu_record_from_fdt(ctx, once, once_len, &record), riommu_error(ctx));
	MUST(record.state == RIOMMU_RECORD_NEVER_RUN && record.capacity == 3 && !record.used);
	MUST(fdt_num_mem_rsv(once) == fdt_num_mem_rsv(fdt));
	MUST(!riommu_record_put(ctx, once, once_len, 3, &twice, &twice_len));
	MUST(twice_len == once_len && !memcmp(once, twice, once_len));
	free(once);
	free(twice);
}

static int firmware(void *arg, const struct riommu_firmware_dma *dma)
{
	unsigned *count = arg;

	MUST(dma->node[0]);
	return ++*count < 100 ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t built[MAX_TREE];
	static struct riommu_record record;
	struct feed f = {bytes, len};
	struct riommu_system none = {.live = true};
	struct riommu_dt *dt;
	struct riommu_ctx *ctx;
	unsigned count = 0;

	live_begin();
	if (feed8(&f) & 1) {
		memset(built, 0, sizeof(built));
		if (!build(built, &f))
			return -1;
		f = (struct feed){built, fdt_totalsize(built)};
	}
	ctx = fuzz_ctx();
	fuzz_file("fdt.path", f.at, f.left);
	live_look(ctx);
	none.ctx = ctx;
	if (!riommu_dt_load(&none, &dt))
		riommu_firmware_dma(dt, firmware, &count);
	riommu_dt_free(dt);
	riommu_record_from_fdt(ctx, f.at, f.left, &record);
	put_record(ctx, f.at, f.left);
	riommu_ctx_free(ctx);
	return 0;
}
