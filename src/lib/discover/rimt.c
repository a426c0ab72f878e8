/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ACPI's RIMT (RISC-V IO Mapping Table, revision 1): where IOMMUs are, and which device_id a PCI function or a platform device
 * has on which of them. It comes from firmware and is not believed: each offset, length and count is checked against what
 * it has to lie in, and a node or map that does not fit is left out with a word about it.
 *
 * A wrong checksum is only told: the kernel uses such a table, too.
 */
#include "discover/discover-internal.h"
#include "spec/request.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_TABLE (4u << 20)
#define MAX_IDS   256 /* of one platform device that are looked at */

enum {
	/* the table */
	AT_LENGTH = 4,
	AT_REVISION = 8,
	AT_NODE_COUNT = 36,
	AT_NODES = 40,
	TABLE_HEAD = 48,
	/* every node */
	NODE_HEAD = 8,
	/* an IOMMU */
	AT_HARDWARE_ID = 8,
	HARDWARE_ID_SIZE = 8,
	AT_BASE = 16,
	AT_IOMMU_FLAGS = 24,
	AT_IOMMU_SEGMENT = 32,
	AT_IOMMU_BDF = 34,
	IOMMU_SIZE = 40,
	/* a PCIe root complex */
	AT_ROOT_SEGMENT = 14,
	AT_ROOT_MAPS = 16,
	ROOT_SIZE = 20,
	/* a platform device */
	AT_DEVICE_MAPS = 8,
	AT_DEVICE_PATH = 12,
	/* an id map */
	MAP_SIZE = 20,
};

enum { NODE_IOMMU, NODE_ROOT, NODE_DEVICE };

#define IOMMU_IS_PCI 1u /* of an IOMMU's flags */

struct unit {
	uint32_t node; /* offset of its node, by which maps name it */
	size_t iommu;
};

struct map {
	const char *path; /* of a platform device; NULL: of a PCI segment */
	uint16_t segment;
	uint32_t first, count, device_id; /* source ids, and what the first becomes */
	uint32_t unit;                    /* offset of the IOMMU's node */
};

struct riommu_rimt {
	uint8_t *bytes;
	uint32_t len;
	struct unit units[RIOMMU_MAX_IOMMUS];
	size_t unit_count;
	struct map *maps;
	size_t map_count;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/* -- nodes -------------------------------------------------------------------------------------------------- */

/* A node, while going over all of them. Begin with zeros. */
struct node {
	const uint8_t *bytes;
	uint32_t offset, len;
	uint32_t number; /* how many came before */
};

/* The next node; false past the last one, and where one does not fit into the table: what is behind it cannot be found. */
static bool next_node(const struct riommu_rimt *rimt, struct node *node)
{
	if (node->bytes) {
		node->offset += node->len;
		node->number++;
	} else {
		node->offset = riommu_get32(rimt->bytes + AT_NODES, false);
	}
	node->len = 0;
	if (node->number >= riommu_get32(rimt->bytes + AT_NODE_COUNT, false) ||
	    !riommu_inside(node->offset, NODE_HEAD, rimt->len))
		return false;
	node->bytes = rimt->bytes + node->offset;
	node->len = get16(node->bytes + 2);
	return node->len >= NODE_HEAD && riommu_inside(node->offset, node->len, rimt->len);
}

static void left_out(struct riommu_ctx *ctx, const struct node *node, const char *why)
{
	riommu_log(ctx, RIOMMU_LOG_WARNING, "RIMT: node at 0x%x left out: %s", node->offset, why);
}

/* The id maps of a node, whose offset and number are at AT. They all look like LIKE but for the ids. */
static void take_maps(struct riommu_ctx *ctx, struct riommu_rimt *rimt, const struct node *node,
		      uint32_t at, const struct map *like)
{
	uint32_t count = get16(node->bytes + at + 2), first = get16(node->bytes + at);

	if (!riommu_inside(first, (uint64_t)count * MAP_SIZE, node->len)) {
		left_out(ctx, node, "its id maps are longer than itself");
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *bytes = node->bytes + first + (size_t)i * MAP_SIZE;
		struct map map = *like;

		map.first = riommu_get32(bytes, false);
		map.count = riommu_get32(bytes + 4, false);
		map.device_id = riommu_get32(bytes + 8, false);
		map.unit = riommu_get32(bytes + 12, false);
		rimt->maps[rimt->map_count++] = map;
	}
}

static void take_root(struct riommu_ctx *ctx, struct riommu_rimt *rimt, const struct node *node)
{
	struct map like = {.path = NULL};

	if (node->len < ROOT_SIZE) {
		left_out(ctx, node, "too short for a root complex");
		return;
	}
	like.segment = get16(node->bytes + AT_ROOT_SEGMENT);
	take_maps(ctx, rimt, node, AT_ROOT_MAPS, &like);
}

static void take_device(struct riommu_ctx *ctx, struct riommu_rimt *rimt, const struct node *node)
{
	struct map like = {.path = (const char *)node->bytes + AT_DEVICE_PATH};

	if (node->len <= AT_DEVICE_PATH || !memchr(like.path, '\0', node->len - AT_DEVICE_PATH)) {
		left_out(ctx, node, "a platform device whose path does not end");
		return;
	}
	take_maps(ctx, rimt, node, AT_DEVICE_MAPS, &like);
}

/* All nodes but IOMMUs, whose turn comes in riommu_rimt_iommus(). */
static void take_nodes(struct riommu_ctx *ctx, struct riommu_rimt *rimt)
{
	struct node node = {.bytes = NULL};

	while (next_node(rimt, &node)) {
		if (node.bytes[0] == NODE_ROOT)
			take_root(ctx, rimt, &node);
		else if (node.bytes[0] == NODE_DEVICE)
			take_device(ctx, rimt, &node);
		else if (node.bytes[0] != NODE_IOMMU)
			left_out(ctx, &node, "its type is unknown");
	}
	if (node.number < riommu_get32(rimt->bytes + AT_NODE_COUNT, false))
		left_out(ctx, &node,
			 "it does not fit into the table; nor is what follows to be found");
}

/* -- the table ---------------------------------------------------------------------------------------------- */

static int check_table(struct riommu_ctx *ctx, const uint8_t *bytes, size_t len)
{
	uint8_t sum = 0;
	uint32_t said;

	if (len < TABLE_HEAD || memcmp(bytes, "RIMT", 4))
		return riommu_fail(ctx, -EBADMSG, "RIMT: %zu bytes that are no such table", len);
	said = riommu_get32(bytes + AT_LENGTH, false);
	if (said < TABLE_HEAD || said > len)
		return riommu_fail(ctx, -EBADMSG,
				   "RIMT: says that it has %u bytes, and %zu are there", said, len);
	if (bytes[AT_REVISION] != 1)
		return riommu_fail(ctx, -EBADMSG, "RIMT: revision %u; this program knows 1",
				   bytes[AT_REVISION]);
	for (uint32_t i = 0; i < said; i++)
		sum = (uint8_t)(sum + bytes[i]);
	if (sum)
		riommu_log(ctx, RIOMMU_LOG_WARNING,
			   "RIMT: the checksum is wrong; used as it is, as the kernel does");
	return 0;
}

int riommu_rimt_parse(struct riommu_ctx *ctx, const void *bytes, size_t len,
		      struct riommu_rimt **out)
{
	struct riommu_rimt *rimt;
	int err = check_table(ctx, bytes, len);

	*out = NULL;
	if (err)
		return err;
	rimt = calloc(1, sizeof(*rimt));
	if (!rimt)
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	rimt->len = riommu_get32((const uint8_t *)bytes + AT_LENGTH, false);
	rimt->bytes = malloc(rimt->len);
	/* Nodes lie side by side and the maps of each within it: there are no more than that. */
	rimt->maps = calloc((size_t)rimt->len / MAP_SIZE + 1, sizeof(*rimt->maps));
	if (!rimt->bytes || !rimt->maps) {
		riommu_rimt_free(rimt);
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	}
	memcpy(rimt->bytes, bytes, rimt->len);
	take_nodes(ctx, rimt);
	*out = rimt;
	return 0;
}

void riommu_rimt_free(struct riommu_rimt *rimt)
{
	if (!rimt)
		return;
	free(rimt->bytes);
	free(rimt->maps);
	free(rimt);
}

int riommu_rimt_load(struct riommu_system *sys, struct riommu_rimt **rimt)
{
	char path[RIOMMU_PATH_MAX], *bytes;
	size_t len;
	int err;

	*rimt = NULL;
	riommu_path(sys->ctx, path, "acpi.path", "/RIMT");
	err = riommu_read_file(path, MAX_TABLE, &bytes, &len);
	if (err)
		return riommu_fail(sys->ctx, err, "%s: %s", path, riommu_read_reason(err));
	err = riommu_rimt_parse(sys->ctx, bytes, len, rimt);
	free(bytes);
	return err;
}

/* -- IOMMUs -------------------------------------------------------------------------------------------------- */

/*
 * What Linux calls the platform IOMMU at BASE: "RSCV0004:00", which does not say where it is. /proc/iomem does, for root.
 * A line is "  03010000-03010fff : RSCV0004:00".
 */
static void name_by_iomem(struct riommu_system *sys, uint64_t base, const char *id, char *name,
			  size_t size)
{
	char path[RIOMMU_PATH_MAX], *text, *next = NULL;
	size_t len;

	riommu_path(sys->ctx, path, "proc.path", "/iomem");
	if (riommu_read_file(path, MAX_TABLE, &text, &len))
		return;
	for (char *line = strtok_r(text, "\n", &next); line && !name[0];
	     line = strtok_r(NULL, "\n", &next)) {
		unsigned long long start, end;
		int used = 0;

		if (sscanf(line, " %llx-%llx : %n", &start, &end, &used) == 2 && used &&
		    start == base && !strncmp(line + used, id, strlen(id)) &&
		    line[(size_t)used + strlen(id)] == ':')
			riommu_copy_name(name, size, line + used, strcspn(line + used, " "));
	}
	free(text);
}

static int add_platform(struct riommu_system *sys, const struct node *node, size_t *index)
{
	uint64_t base = riommu_get64(node->bytes + AT_BASE, false);
	char id[HARDWARE_ID_SIZE + 1], name[64] = "", where[64];

	*index = RIOMMU_NO_IOMMU;
	if (!base || base & (RIOMMU_REGS_SIZE - 1)) {
		left_out(sys->ctx, node, "an IOMMU without a usable address");
		return 0;
	}
	riommu_copy_name(id, sizeof(id), (const char *)node->bytes + AT_HARDWARE_ID,
			 strnlen((const char *)node->bytes + AT_HARDWARE_ID, HARDWARE_ID_SIZE));
	if (id[0])
		name_by_iomem(sys, base, id, name, sizeof(name));
	snprintf(where, sizeof(where), "RIMT, node at 0x%x%s%s", node->offset, id[0] ? ", " : "",
		 id);
	return riommu_list_iommu(sys, base, name, RIOMMU_FOUND_ACPI, where, index);
}

/* The bus has found it by its class already; the table says which function it is. */
static size_t find_pci(const struct riommu_system *sys, const struct node *node)
{
	unsigned rid = get16(node->bytes + AT_IOMMU_BDF);
	char name[32];

	snprintf(name, sizeof(name), "%04x:%02x:%02x.%x", get16(node->bytes + AT_IOMMU_SEGMENT),
		 rid >> 8, rid >> 3 & 0x1f, rid & 7);
	return riommu_system_find_iommu(sys, name);
}

int riommu_rimt_iommus(struct riommu_rimt *rimt, struct riommu_system *sys)
{
	struct node node = {.bytes = NULL};
	int err = 0;

	while (!err && next_node(rimt, &node)) {
		size_t index = RIOMMU_NO_IOMMU;

		if (node.bytes[0] != NODE_IOMMU || rimt->unit_count == RIOMMU_MAX_IOMMUS)
			continue;
		if (node.len < IOMMU_SIZE)
			left_out(sys->ctx, &node, "too short for an IOMMU");
		else if (riommu_get32(node.bytes + AT_IOMMU_FLAGS, false) & IOMMU_IS_PCI)
			index = find_pci(sys, &node);
		else
			err = add_platform(sys, &node, &index);
		if (index != RIOMMU_NO_IOMMU)
			rimt->units[rimt->unit_count++] =
				(struct unit){.node = node.offset, .iommu = index};
	}
	return err;
}

/* -- device_ids ---------------------------------------------------------------------------------------------- */

static size_t unit_iommu(const struct riommu_rimt *rimt, uint32_t node)
{
	for (size_t i = 0; i < rimt->unit_count; i++) {
		if (rimt->units[i].node == node)
			return rimt->units[i].iommu;
	}
	return RIOMMU_NO_IOMMU;
}

/* The id that MAP makes of its source id number I, which it has. */
static int map_id(const struct riommu_rimt *rimt, const struct map *map, uint32_t i, size_t *iommu,
		  uint32_t *device_id)
{
	uint64_t id = (uint64_t)map->device_id + i;

	if (id > RIOMMU_DEVICE_ID_MAX)
		return -ENOENT;
	*iommu = unit_iommu(rimt, map->unit);
	*device_id = (uint32_t)id;
	return 0;
}

int riommu_rimt_pci_device(const struct riommu_rimt *rimt, uint32_t segment, uint16_t rid,
			   size_t *iommu, uint32_t *device_id)
{
	for (size_t i = 0; i < rimt->map_count; i++) {
		const struct map *map = &rimt->maps[i];

		if (!map->path && map->segment == segment && rid >= map->first &&
		    rid - map->first < map->count)
			return map_id(rimt, map, rid - map->first, iommu, device_id);
	}
	return -ENOENT;
}

int riommu_rimt_platform_device(const struct riommu_rimt *rimt, const char *path, size_t i,
				size_t *iommu, uint32_t *device_id)
{
	if (i >= MAX_IDS)
		return -ENOENT;
	for (size_t m = 0; m < rimt->map_count; m++) {
		const struct map *map = &rimt->maps[m];

		if (!map->path || strcmp(map->path, path))
			continue;
		if (i < map->count)
			return map_id(rimt, map, (uint32_t)i, iommu, device_id);
		i -= map->count;
	}
	return -ENOENT;
}
