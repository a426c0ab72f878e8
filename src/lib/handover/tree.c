/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The empty record in the device tree of the next kernel. */
#include "handover/handover.h"

#include <libfdt.h>
#include <stdlib.h>

/* A node, a property and its name, by far. */
#define ROOM_FOR_NAMES 128

/* What kexec put there for a handover that was: the tree is usually that of the running kernel, which may be a capture kernel. */
static const char *const stale[] = {RIOMMU_RECORD_PROPERTY, "linux,elfcorehdr",
				    "linux,usable-memory-range"};

/* 0, or libfdt's error, which is negative, too. */
static int put(void *tree, uint32_t capacity)
{
	int err, node = fdt_path_offset(tree, RIOMMU_RECORD_NODE);
	void *record;

	if (node == -FDT_ERR_NOTFOUND)
		node = fdt_add_subnode(tree, 0, &RIOMMU_RECORD_NODE[1]);
	if (node < 0)
		return node;
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(stale); i++) {
		do /* a tree that repeats a property is not valid, but then none of them stays */
			err = fdt_delprop(tree, node, stale[i]);
		while (!err);
		if (err != -FDT_ERR_NOTFOUND)
			return err;
	}
	err = fdt_setprop_placeholder(tree, node, RIOMMU_RECORD_PROPERTY,
				      (int)RIOMMU_RECORD_SIZE(capacity), &record);
	if (err)
		return err;
	riommu_record_init(record, capacity);
	return fdt_pack(tree);
}

int riommu_record_put(struct riommu_ctx *ctx, const void *fdt, size_t len, uint32_t capacity,
		      void **out, size_t *out_len)
{
	size_t more = RIOMMU_RECORD_SIZE(capacity) + ROOM_FOR_NAMES, size;
	uint8_t *tree, *copy;
	int err;

	if (!capacity || capacity > RIOMMU_RECORD_MAX)
		return riommu_fail(ctx, -EINVAL, "a record has room for 1 to %d IOMMUs, not %u",
				   RIOMMU_RECORD_MAX, capacity);
	if (len > RIOMMU_FDT_MAX)
		return riommu_fail(ctx, -ENOSPC, "the device tree is larger than %zu bytes",
				   RIOMMU_FDT_MAX);
	copy = malloc(len + 1);
	tree = calloc(1, len + more + RIOMMU_FDT_SLACK);
	if (!copy || !tree) {
		free(copy);
		free(tree);
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	}
	memcpy(copy, fdt, len);
	err = fdt_check_full(copy, len);
	if (!err) /* the slack stays out of its reach: parts that overlap grow when they are put one behind the other */
		err = fdt_open_into(copy, tree, (int)(len + more));
	if (!err)
		err = put(tree, capacity);
	free(copy);
	if (err) {
		free(tree);
		return riommu_fail(ctx, -EBADMSG, "the device tree is damaged: %s",
				   fdt_strerror(err));
	}
	size = fdt_totalsize(tree) + RIOMMU_FDT_SLACK;
	if (size > RIOMMU_FDT_MAX) {
		free(tree);
		return riommu_fail(ctx, -ENOSPC,
				   "the device tree is too large for the record: %zu bytes, of %zu",
				   size, RIOMMU_FDT_MAX);
	}
	memset(tree + size - RIOMMU_FDT_SLACK, 0, RIOMMU_FDT_SLACK);
	fdt_set_totalsize(tree, (uint32_t)size);
	*out = tree;
	*out_len = size;
	return 0;
}
