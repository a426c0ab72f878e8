/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why can't I read it? Each live way is really tried, read-only; where it is refused, the reason is worked out from what
 * the system shows: who owns the region, whether the kernel is locked down, whether we are root.
 */
#include "source/source-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MODULE "riscv_iommu_debugfs"

static void say(struct riommu_way *way, enum riommu_way_state state, const char *reason,
		const char *remedy)
{
	way->state = state;
	snprintf(way->reason, sizeof(way->reason), "%s", reason);
	snprintf(way->remedy, sizeof(way->remedy), "%s", remedy);
}

/* Reads the file FILE below the directory that the parameter KEY names; NULL when it cannot be read. */
static char *read_below(struct riommu_ctx *ctx, const char *key, const char *file, size_t max)
{
	char path[RIOMMU_OPTION_PATH_MAX + 64], *text;
	size_t len;

	snprintf(path, sizeof(path), "%s%s", riommu_option(ctx, key), file);
	return riommu_read_file(path, max, &text, &len) ? NULL : text;
}

/* "none [integrity] confidentiality": true with the word in brackets when it is not "none". */
static bool locked_down(struct riommu_ctx *ctx, char *level, size_t size)
{
	char *text = read_below(ctx, "sysfs.path", "/kernel/security/lockdown", 256);
	char *open = text ? strchr(text, '[') : NULL, *end = open ? strchr(open, ']') : NULL;

	level[0] = '\0';
	if (end)
		riommu_copy_name(level, size, open + 1, (size_t)(end - open - 1));
	free(text);
	return level[0] && strcmp(level, "none");
}

/*
 * Who owns the page at BASE, as /proc/iomem names it: the innermost region, which is the last line that holds it. False
 * when nobody does, or when we may not know.
 */
static bool owner_of(struct riommu_ctx *ctx, uint64_t base, char *name, size_t size)
{
	char *text = read_below(ctx, "proc.path", "/iomem", 4u << 20), *next = NULL;

	name[0] = '\0';
	for (char *line = text ? strtok_r(text, "\n", &next) : NULL; line;
	     line = strtok_r(NULL, "\n", &next)) {
		unsigned long long start, end;
		int used = 0;

		if (sscanf(line, " %llx-%llx : %n", &start, &end, &used) == 2 && used && end &&
		    base >= start && base <= end)
			riommu_copy_name(name, size, line + used, strlen(line + used));
	}
	free(text);
	return name[0];
}

/* What stops someone whom the system does not let open PATH. */
static void explain_refusal(struct riommu_ctx *ctx, struct riommu_way *way, const char *instead)
{
	char level[32], reason[128];

	if (geteuid() != 0) {
		say(way, RIOMMU_WAY_REFUSED, "only root may", "run as root");
	} else if (locked_down(ctx, level, sizeof(level))) {
		snprintf(reason, sizeof(reason), "the kernel is locked down (lockdown=%s)", level);
		say(way, RIOMMU_WAY_REFUSED, reason, instead);
	} else {
		say(way, RIOMMU_WAY_REFUSED,
		    "refused even to this root (a container, or no CAP_SYS_RAWIO)",
		    "run as root of the machine itself");
	}
}

/* -- debugfs ----------------------------------------------------------------------------------------------- */

static bool debugfs_mounted(struct riommu_ctx *ctx)
{
	char *text = read_below(ctx, "proc.path", "/mounts", 1u << 20);
	bool mounted = !text || strstr(text, " debugfs ");

	free(text);
	return mounted;
}

static void explain_no_debugfs(struct riommu_ctx *ctx, struct riommu_way *way, int err)
{
	if (err == -EACCES)
		explain_refusal(ctx, way, "boot without lockdown=confidentiality");
	else if (!debugfs_mounted(ctx))
		say(way, RIOMMU_WAY_ABSENT, "debugfs is not mounted",
		    "mount -t debugfs none /sys/kernel/debug");
	else if (err == -ENOENT)
		say(way, RIOMMU_WAY_ABSENT, "the module " MODULE " is not loaded",
		    "load the module " MODULE " (contrib/kmod)");
	else
		say(way, RIOMMU_WAY_REFUSED, riommu_error(ctx), "see the kernel log");
}

static void try_debugfs(struct riommu_ctx *ctx, uint64_t base, struct riommu_way *way)
{
	struct riommu_source *src;
	uint64_t value;
	int err = riommu_source_open(ctx, &riommu_debugfs_ops, NULL, &src);

	if (err) {
		explain_no_debugfs(ctx, way, err);
		return;
	}
	err = riommu_source_reg_read(src, base, RIOMMU_REG_CAPABILITIES, 8, &value);
	if (!err)
		say(way, RIOMMU_WAY_OPEN, "", "");
	else if (err == -ENODATA)
		say(way, RIOMMU_WAY_ABSENT, "the module is loaded, but does not show this IOMMU",
		    "compare --base with /sys/kernel/debug/riscv-iommu");
	else if (err == -EACCES)
		explain_no_debugfs(ctx, way, err);
	else
		say(way, RIOMMU_WAY_REFUSED, riommu_error(ctx),
		    "power the IOMMU up, or see the kernel log");
	riommu_source_close(src);
}

/* -- devmem ------------------------------------------------------------------------------------------------ */

static void explain_mapping(struct riommu_ctx *ctx, uint64_t base, struct riommu_way *way)
{
	char owner[64], reason[192];

	if (!owner_of(ctx, base, owner, sizeof(owner))) {
		say(way, RIOMMU_WAY_REFUSED, "the kernel refuses this page (STRICT_DEVMEM)",
		    "load the module " MODULE " (contrib/kmod)");
	} else if (!strcmp(owner, "System RAM")) {
		say(way, RIOMMU_WAY_REFUSED, "this is System RAM, not registers (STRICT_DEVMEM)",
		    "check the base address");
	} else {
		snprintf(reason, sizeof(reason),
			 "IO_STRICT_DEVMEM: the registers belong to a driver (%s)", owner);
		say(way, RIOMMU_WAY_REFUSED, reason,
		    "load the module " MODULE " (contrib/kmod), or boot with iomem=relaxed");
	}
}

static void try_devmem(struct riommu_ctx *ctx, uint64_t base, struct riommu_way *way)
{
	struct riommu_source *src;
	uint64_t value;
	int err = riommu_source_open(ctx, &riommu_devmem_ops, NULL, &src);

	if (err == -EACCES) {
		explain_refusal(ctx, way, "load the module " MODULE " (contrib/kmod)");
		return;
	}
	if (err) {
		say(way, RIOMMU_WAY_ABSENT, riommu_error(ctx),
		    "load the module " MODULE " (contrib/kmod)");
		return;
	}
	err = riommu_source_reg_read(src, base, RIOMMU_REG_CAPABILITIES, 8, &value);
	if (!err)
		say(way, RIOMMU_WAY_OPEN, "", "");
	else if (err == -EACCES)
		explain_mapping(ctx, base, way);
	else
		say(way, RIOMMU_WAY_REFUSED, riommu_error(ctx),
		    "check the base address; power the IOMMU up");
	riommu_source_close(src);
}

/* -- kcore ------------------------------------------------------------------------------------------------- */

void riommu_explain_memory(struct riommu_ctx *ctx, int err, struct riommu_way *way)
{
	memset(way, 0, sizeof(*way));
	way->method = riommu_kcore_ops.name;
	if (!err)
		say(way, RIOMMU_WAY_OPEN, "", "");
	else if (err == -EACCES)
		explain_refusal(ctx, way, "boot without lockdown=confidentiality");
	else if (err == -ENOENT)
		say(way, RIOMMU_WAY_ABSENT, "the kernel has no /proc/kcore (CONFIG_PROC_KCORE)",
		    "take a vmcore and read it with --input");
	else
		say(way, RIOMMU_WAY_REFUSED, riommu_error(ctx),
		    "take a vmcore and read it with --input");
}

void riommu_way_to_memory(struct riommu_ctx *ctx, struct riommu_way *way)
{
	struct riommu_source *src;
	int err = riommu_source_open(ctx, &riommu_kcore_ops, NULL, &src);

	riommu_explain_memory(ctx, err, way);
	riommu_source_close(src);
}

size_t riommu_ways(struct riommu_ctx *ctx, uint64_t base, struct riommu_way *ways, size_t max)
{
	size_t count = 0;

	memset(ways, 0, max * sizeof(*ways));
	if (count < max) {
		ways[count].method = riommu_debugfs_ops.name;
		try_debugfs(ctx, base, &ways[count++]);
	}
	if (count < max) {
		ways[count].method = riommu_devmem_ops.name;
		try_devmem(ctx, base, &ways[count++]);
	}
	if (count < max)
		riommu_way_to_memory(ctx, &ways[count++]);
	return count;
}
