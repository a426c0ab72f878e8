/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device tree: where IOMMUs are (riscv,iommu and riscv,pci-iommu), and which device_id a device has (iommu-map,
 * iommus). It comes from firmware and is not believed: fdt_check_full() vouches for its structure, the length of every
 * property is checked here, and nodes deeper than MAX_DEPTH are left out.
 *
 * /sys/firmware/fdt is for root only. /proc/device-tree holds the same as files that everyone may read; from those a
 * tree is put together, so that one parser does for both.
 */
#include "discover/discover-internal.h"
#include "spec/request.h"

#include <dirent.h>
#include <libfdt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_TREE   (16u << 20)
#define USUAL_TREE (64u << 10)
#define MAX_DEPTH  32
#define MAX_HOSTS  1024
#define MAX_CELLS  256 /* cells of one `iommus` that are looked at */

/* A node that IOMMU'd devices refer to. */
struct provider {
	uint32_t phandle;
	size_t iommu;
};

/* A PCI host bridge. */
struct host {
	uint32_t segment;
	int node; /* -1: it is not used, but its segment is nobody else's */
};

#define NO_SEGMENT UINT32_MAX /* segments have 16 bits */

struct riommu_dt {
	char *blob;
	size_t provider_count, host_count;
	struct provider providers[RIOMMU_MAX_IOMMUS];
	struct host hosts[MAX_HOSTS];
};

/* -- cells ------------------------------------------------------------------------------------------------- */

/* A property as 32-bit cells; 0 when it is missing or not a whole number of them. */
static size_t get_cells(const void *blob, int node, const char *name, const uint8_t **cells)
{
	int len;

	*cells = fdt_getprop(blob, node, name, &len);
	return *cells && len > 0 && len % 4 == 0 ? (size_t)len / 4 : 0;
}

static uint32_t cell(const uint8_t *cells, size_t i)
{
	return riommu_get32(cells + 4 * i, true);
}

/* One or two cells as a number. */
static uint64_t cell_number(const uint8_t *cells, size_t i, uint32_t count)
{
	return count == 1 ? cell(cells, i) : (uint64_t)cell(cells, i) << 32 | cell(cells, i + 1);
}

/* A property of one cell, DEF when it is missing; false when it is something else. */
static bool get_u32(const void *blob, int node, const char *name, uint32_t def, uint32_t *v)
{
	const uint8_t *cells;

	*v = def;
	if (!fdt_getprop(blob, node, name, NULL))
		return true;
	if (get_cells(blob, node, name, &cells) != 1)
		return false;
	*v = cell(cells, 0);
	return true;
}

/* #address-cells and #size-cells, which hold for the children of NODE. Other numbers than these we cannot calculate with. */
static bool get_bus(const void *blob, int node, uint32_t *address, uint32_t *size)
{
	return get_u32(blob, node, "#address-cells", 2, address) &&
	       get_u32(blob, node, "#size-cells", 1, size) && *address >= 1 && *address <= 2 &&
	       *size >= 1 && *size <= 2;
}

/* ADDRESS as the parent of BUS sees it. No `ranges` at all: not visible from there. */
static bool translate(const void *blob, int bus, int parent, uint64_t *address)
{
	uint32_t child_cells, size_cells, parent_cells, unused;
	const uint8_t *cells;
	size_t count, entry;
	int len;

	if (!fdt_getprop(blob, bus, "ranges", &len))
		return false;
	if (!len)
		return true;
	count = get_cells(blob, bus, "ranges", &cells);
	if (!get_bus(blob, bus, &child_cells, &size_cells) ||
	    !get_bus(blob, parent, &parent_cells, &unused))
		return false;
	entry = child_cells + parent_cells + size_cells;
	for (size_t i = 0; i + entry <= count; i += entry) {
		uint64_t from = cell_number(cells, i, child_cells);
		uint64_t to = cell_number(cells, i + child_cells, parent_cells);
		uint64_t size = cell_number(cells, i + child_cells + parent_cells, size_cells);

		if (*address >= from && *address - from < size)
			return riommu_add(to, *address - from, address);
	}
	return false;
}

/* -- loading ----------------------------------------------------------------------------------------------- */

/* A tree that is being put together. */
struct copy {
	struct riommu_ctx *ctx;
	void *blob;
	size_t size; /* of the blob; MAX_TREE: it does not grow any more, and libfdt says what does not fit */
	size_t used; /* at most */
};

/* Makes room for a property or a node with its end, LEN bytes of name and value. */
static int make_room(struct copy *copy, size_t len)
{
	size_t size = copy->size;
	void *blob;

	copy->used += len + 32; /* tokens, lengths, padding */
	while (size < copy->used && size < MAX_TREE)
		size *= 2;
	if (size == copy->size)
		return 0;
	blob = malloc(size);
	if (!blob)
		return -ENOMEM;
	fdt_resize(copy->blob, blob, (int)size); /* into more room: nothing can go wrong */
	free(copy->blob);
	copy->blob = blob;
	copy->size = size;
	return 0;
}

static int copy_property(struct copy *copy, const char *path, const char *name)
{
	char *data;
	size_t len;
	int err = riommu_read_file(path, 1u << 20, &data, &len);

	if (err)
		return riommu_left_out(copy->ctx, path, err); /* one property less */
	err = make_room(copy, strlen(name) + len);
	if (!err && fdt_property(copy->blob, name, data, (int)len))
		err = -EFBIG;
	free(data);
	return err;
}

static int copy_node(struct copy *copy, const char *path, const char *name, unsigned depth);

static int copy_entry(struct copy *copy, const char *path, const char *name, bool nodes,
		      unsigned depth)
{
	struct stat st;

	if (lstat(path, &st))
		return riommu_left_out(copy->ctx, path, -errno);
	if (nodes && S_ISDIR(st.st_mode))
		return copy_node(copy, path, name, depth + 1);
	return !nodes && S_ISREG(st.st_mode) ? copy_property(copy, path, name) : 0;
}

/* What is in the directory PATH: properties, which come first in a tree, or nodes. */
static int copy_entries(struct copy *copy, const char *path, bool nodes, unsigned depth)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return depth ? riommu_left_out(copy->ctx, path, -errno) : -errno;
	while (!err && (errno = 0, entry = readdir(dir))) {
		char below[RIOMMU_PATH_MAX];

		if (entry->d_name[0] != '.' && snprintf(below, sizeof(below), "%s/%s", path,
							entry->d_name) < (int)sizeof(below))
			err = copy_entry(copy, below, entry->d_name, nodes, depth);
	}
	if (!err && errno)
		err = riommu_left_out(copy->ctx, path, -errno);
	closedir(dir);
	return err;
}

static int copy_node(struct copy *copy, const char *path, const char *name, unsigned depth)
{
	int err;

	if (depth > MAX_DEPTH)
		return 0;
	err = make_room(copy, strlen(name));
	if (err)
		return err;
	if (fdt_begin_node(copy->blob, name))
		return -EFBIG;
	err = copy_entries(copy, path, false, depth);
	if (!err)
		err = copy_entries(copy, path, true, depth);
	if (!err && fdt_end_node(copy->blob))
		err = -EFBIG;
	return err;
}

/* Puts a tree together from the files of /proc/device-tree. */
static int load_files(struct riommu_system *sys, char **blob)
{
	struct copy copy = {
		.ctx = sys->ctx, .size = USUAL_TREE, .used = 256}; /* what surrounds all */
	char path[RIOMMU_PATH_MAX];
	int err;

	riommu_path(sys->ctx, path, "dt.path", "/.");
	copy.blob = malloc(copy.size);
	if (!copy.blob)
		return -ENOMEM;
	err = fdt_create(copy.blob, (int)copy.size) || fdt_finish_reservemap(copy.blob)
		      ? -EFBIG
		      : copy_node(&copy, path, "", 0);
	if (!err && fdt_finish(copy.blob))
		err = -EFBIG;
	if (!err) {
		*blob = copy.blob;
		return 0;
	}
	free(copy.blob);
	*blob = NULL;
	return err;
}

static int load_blob(struct riommu_system *sys, char **blob)
{
	char path[RIOMMU_PATH_MAX];
	size_t len;
	int err;

	riommu_path(sys->ctx, path, "fdt.path", "%s", "");
	err = riommu_read_file(path, MAX_TREE, blob, &len);
	if (err) {
		riommu_left_out(sys->ctx, path, err); /* the files may do */
		return err;
	}
	err = fdt_check_full(*blob, len);
	if (!err)
		return 0;
	free(*blob);
	*blob = NULL;
	return riommu_fail(sys->ctx, -EBADMSG, "%s: damaged device tree: %s", path,
			   fdt_strerror(err));
}

int riommu_dt_load(struct riommu_system *sys, struct riommu_dt **out)
{
	struct riommu_dt *dt = calloc(1, sizeof(*dt));
	const char *model;
	int err, len;

	*out = NULL;
	if (!dt)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	err = load_blob(sys, &dt->blob);
	if (err && err != -EBADMSG && err != -ENOMEM)
		err = load_files(sys, &dt->blob);
	if (err) {
		free(dt);
		if (err == -EBADMSG)
			return err;
		return riommu_fail(sys->ctx, err, "no device tree: %s", strerror(-err));
	}
	model = fdt_getprop(dt->blob, 0, "model", &len);
	if (model && len > 0)
		riommu_copy_name(sys->model, sizeof(sys->model), model,
				 strnlen(model, (size_t)len));
	*out = dt;
	return 0;
}

const void *riommu_dt_blob(const struct riommu_dt *dt)
{
	return dt->blob;
}

void riommu_dt_free(struct riommu_dt *dt)
{
	if (!dt)
		return;
	free(dt->blob);
	free(dt);
}

static bool is_enabled(const void *blob, int node)
{
	int len;
	const char *status = fdt_getprop(blob, node, "status", &len);

	return !status || (len == 5 && !memcmp(status, "okay", 5)) ||
	       (len == 3 && !memcmp(status, "ok", 3));
}

/* NODE at DEPTH, in the order of the tree: what is disabled is so with all below. OFF is the depth of what is; INT_MAX at first. */
static bool is_off(const void *blob, int node, int depth, int *off)
{
	if (depth <= *off)
		*off = is_enabled(blob, node) ? INT_MAX : depth;
	return *off != INT_MAX;
}

/* -- PCI host bridges ---------------------------------------------------------------------------------------- */

static bool is_host(const void *blob, int node)
{
	int len;
	const char *type = fdt_getprop(blob, node, "device_type", &len);

	if (type)
		return len == 4 && !memcmp(type, "pci", 4);
	return fdt_getprop(blob, node, "iommu-map", NULL);
}

static void take_host(struct riommu_dt *dt, int node, bool enabled)
{
	const uint8_t *cells;
	bool said = get_cells(dt->blob, node, "linux,pci-domain", &cells) == 1;

	if (dt->host_count == MAX_HOSTS || !(said || enabled))
		return;
	dt->hosts[dt->host_count++] = (struct host){
		.segment = said ? cell(cells, 0) & UINT16_MAX : NO_SEGMENT,
		.node = enabled ? node : -1,
	};
}

static bool is_taken(const struct riommu_dt *dt, uint32_t segment)
{
	for (size_t i = 0; i < dt->host_count; i++) {
		if (dt->hosts[i].segment == segment)
			return true;
	}
	return false;
}

/*
 * All host bridges and their segments. As Linux has it, one that does not say its own gets the next that none says, whether it has an
 * iommu-map or not; what is disabled gets none, with all below. A bridge within a host bridge may have the same type.
 */
static void find_hosts(struct riommu_dt *dt)
{
	int depth = 0, host = INT_MAX, off = INT_MAX;
	uint32_t next = 0;

	for (int node = fdt_next_node(dt->blob, 0, &depth); node >= 0 && depth > 0;
	     node = fdt_next_node(dt->blob, node, &depth)) {
		bool enabled;

		if (depth > host)
			continue;
		enabled = !is_off(dt->blob, node, depth, &off);
		host = is_host(dt->blob, node) ? depth : INT_MAX;
		if (host == depth)
			take_host(dt, node, enabled);
	}
	for (size_t i = 0; i < dt->host_count; i++) {
		while (dt->hosts[i].segment == NO_SEGMENT && is_taken(dt, next))
			next++;
		if (dt->hosts[i].segment == NO_SEGMENT)
			dt->hosts[i].segment = next;
	}
}

/* NO_SEGMENT: NODE is no host bridge. */
static uint32_t host_segment(const struct riommu_dt *dt, int node)
{
	for (size_t i = 0; i < dt->host_count; i++) {
		if (dt->hosts[i].node == node)
			return dt->hosts[i].segment;
	}
	return NO_SEGMENT;
}

/* -- IOMMUs ------------------------------------------------------------------------------------------------ */

/* The address of the node at STACK[DEPTH], as the CPU sees it. */
static bool node_base(const void *blob, const int *stack, int depth, uint64_t *base)
{
	uint32_t address, size;
	const uint8_t *cells;
	size_t count = get_cells(blob, stack[depth], "reg", &cells);

	if (!get_bus(blob, stack[depth - 1], &address, &size) || count < address + size)
		return false;
	*base = cell_number(cells, 0, address);
	if (cell_number(cells, address, size) < RIOMMU_REGS_SIZE)
		return false;
	for (int i = depth - 1; i > 0; i--) {
		if (!translate(blob, stack[i], stack[i - 1], base))
			return false;
	}
	return !(*base & (RIOMMU_REGS_SIZE - 1));
}

/* Linux calls a platform device after its address and its node: "3010000.iommu". */
static int add_platform(struct riommu_system *sys, const struct riommu_dt *dt, const int *stack,
			int depth, size_t *index)
{
	const char *node = fdt_get_name(dt->blob, stack[depth], NULL);
	char name[64], where[128];
	uint64_t base;

	*index = RIOMMU_NO_IOMMU;
	if (fdt_get_path(dt->blob, stack[depth], where, sizeof(where)))
		snprintf(where, sizeof(where), "%.100s", node ? node : "?");
	if (!node || !node_base(dt->blob, stack, depth, &base)) {
		riommu_log(sys->ctx, RIOMMU_LOG_WARNING,
			   "device tree: %s is an IOMMU without a usable address", where);
		return 0;
	}
	snprintf(name, sizeof(name), "%llx.%.*s", (unsigned long long)base,
		 (int)strcspn(node, "@") > 40 ? 40 : (int)strcspn(node, "@"), node);
	return riommu_list_iommu(sys, base, name, RIOMMU_FOUND_DT, where, index);
}

/* A PCI IOMMU: the bus has found it by its class already; its node says which function it is. */
static size_t find_pci(const struct riommu_system *sys, const struct riommu_dt *dt,
		       const int *stack, int depth)
{
	const uint8_t *cells;
	char name[32];
	uint32_t rid;
	int host = depth - 1;

	if (get_cells(dt->blob, stack[depth], "reg", &cells) < 3)
		return RIOMMU_NO_IOMMU;
	while (host > 0 && host_segment(dt, stack[host]) == NO_SEGMENT)
		host--; /* bridges may lie between */
	rid = cell(cells, 0) >> 8 & 0xffff;
	snprintf(name, sizeof(name), "%04x:%02x:%02x.%x", host ? host_segment(dt, stack[host]) : 0,
		 rid >> 8, rid >> 3 & 0x1f, rid & 7);
	return riommu_system_find_iommu(sys, name);
}

static int take_node(struct riommu_dt *dt, struct riommu_system *sys, const int *stack, int depth)
{
	int node = stack[depth], err = 0;
	size_t index = RIOMMU_NO_IOMMU;

	if (!fdt_node_check_compatible(dt->blob, node, "riscv,iommu"))
		err = add_platform(sys, dt, stack, depth, &index);
	else if (!fdt_node_check_compatible(dt->blob, node, "riscv,pci-iommu"))
		index = find_pci(sys, dt, stack, depth);
	if (index != RIOMMU_NO_IOMMU && dt->provider_count < RIOMMU_MAX_IOMMUS)
		dt->providers[dt->provider_count++] = (struct provider){
			.phandle = fdt_get_phandle(dt->blob, node), .iommu = index};
	return err;
}

int riommu_dt_iommus(struct riommu_dt *dt, struct riommu_system *sys)
{
	int stack[MAX_DEPTH + 1] = {0}, depth = 0, err = 0, off = INT_MAX;

	find_hosts(dt);
	for (int node = fdt_next_node(dt->blob, 0, &depth); node >= 0 && depth > 0 && !err;
	     node = fdt_next_node(dt->blob, node, &depth)) {
		if (is_off(dt->blob, node, depth, &off) || depth > MAX_DEPTH)
			continue;
		stack[depth] = node;
		err = take_node(dt, sys, stack, depth);
	}
	return err;
}

bool riommu_dt_has_iommus(const struct riommu_dt *dt)
{
	return dt->provider_count;
}

/* -- device_ids -------------------------------------------------------------------------------------------- */

static size_t provider_iommu(const struct riommu_dt *dt, uint32_t phandle)
{
	for (size_t i = 0; phandle && i < dt->provider_count; i++) {
		if (dt->providers[i].phandle == phandle)
			return dt->providers[i].iommu;
	}
	return RIOMMU_NO_IOMMU;
}

int riommu_dt_pci_device(const struct riommu_dt *dt, uint32_t segment, uint16_t rid, size_t *iommu,
			 uint32_t *device_id)
{
	const uint8_t *cells;
	uint32_t mask;
	size_t count, h = 0;

	while (h < dt->host_count && (dt->hosts[h].segment != segment || dt->hosts[h].node < 0))
		h++;
	if (h == dt->host_count ||
	    !get_u32(dt->blob, dt->hosts[h].node, "iommu-map-mask", UINT32_MAX, &mask))
		return -ENOENT;
	count = get_cells(dt->blob, dt->hosts[h].node, "iommu-map", &cells);
	for (size_t i = 0; i + 4 <= count; i += 4) {
		uint32_t first = cell(cells, i), len = cell(cells, i + 3);
		uint64_t id = (uint64_t)cell(cells, i + 2) + ((rid & mask) - first);

		if ((rid & mask) < first || (rid & mask) - first >= len)
			continue;
		if (id > RIOMMU_DEVICE_ID_MAX)
			return -ENOENT;
		*iommu = provider_iommu(dt, cell(cells, i + 1));
		*device_id = (uint32_t)id;
		return 0;
	}
	return -ENOENT;
}

int riommu_dt_platform_device(const struct riommu_dt *dt, const char *path, size_t i, size_t *iommu,
			      uint32_t *device_id)
{
	int node = fdt_path_offset(dt->blob, path);
	const uint8_t *cells;
	size_t count = node < 0 ? 0 : get_cells(dt->blob, node, "iommus", &cells), at = 0;

	while (at < count && at < MAX_CELLS) {
		uint32_t phandle = cell(cells, at), width;
		int provider = fdt_node_offset_by_phandle(dt->blob, phandle);

		if (provider < 0 || !get_u32(dt->blob, provider, "#iommu-cells", 1, &width) ||
		    width > 4 || count - at - 1 < width)
			return -ENOENT;
		if (width == 1 && !i--) {
			*iommu = provider_iommu(dt, phandle);
			*device_id = cell(cells, at + 1);
			if (*device_id > RIOMMU_DEVICE_ID_MAX)
				*iommu = RIOMMU_NO_IOMMU;
			return 0;
		}
		at += 1 + width;
	}
	return -ENOENT;
}
