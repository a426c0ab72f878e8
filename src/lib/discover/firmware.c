/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What firmware left running and the device tree tells of: framebuffers that are shown (simple-framebuffer), and reserved
 * memory that a device uses at addresses of its own (iommu-addresses). Such a device does DMA before it has a driver.
 */
#include "discover/discover-internal.h"

#include <libfdt.h>
#include <stdio.h>

static void path_of(const void *blob, int node, char *path, size_t size)
{
	if (fdt_get_path(blob, node, path, (int)size)) /* it is too long */
		snprintf(path, size, "%s", fdt_get_name(blob, node, NULL));
}

/* The first cell of iommu-addresses is the device. */
static void user_of(const void *blob, int node, struct riommu_firmware_dma *dma)
{
	int len, device;
	const void *cells = fdt_getprop(blob, node, "iommu-addresses", &len);

	if (len < 4)
		return;
	device = fdt_node_offset_by_phandle(blob, riommu_get32(cells, true));
	if (device >= 0)
		path_of(blob, device, dma->device, sizeof(dma->device));
}

static bool is_enabled(const void *blob, int node)
{
	int len;
	const char *status = fdt_getprop(blob, node, "status", &len);

	return !status || (len >= 2 && !memcmp(status, "ok", 2));
}

static bool look_at(const void *blob, int node, struct riommu_firmware_dma *dma)
{
	bool framebuffer = !fdt_node_check_compatible(blob, node, "simple-framebuffer");

	*dma = (struct riommu_firmware_dma){.framebuffer = framebuffer};
	if ((!framebuffer && !fdt_getprop(blob, node, "iommu-addresses", NULL)) ||
	    !is_enabled(blob, node))
		return false;
	path_of(blob, node, dma->node, sizeof(dma->node));
	riommu_copy_name(dma->node, sizeof(dma->node), dma->node, sizeof(dma->node));
	if (!framebuffer)
		user_of(blob, node, dma);
	riommu_copy_name(dma->device, sizeof(dma->device), dma->device, sizeof(dma->device));
	return true;
}

int riommu_firmware_dma(const struct riommu_dt *dt,
			int (*found)(void *arg, const struct riommu_firmware_dma *dma), void *arg)
{
	const void *blob = riommu_dt_blob(dt);
	struct riommu_firmware_dma dma;
	int err = 0, depth = 0;

	for (int node = fdt_next_node(blob, 0, &depth); node >= 0 && depth > 0 && !err;
	     node = fdt_next_node(blob, node, &depth)) {
		if (look_at(blob, node, &dma))
			err = found(arg, &dma);
	}
	return err;
}
