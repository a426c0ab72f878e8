/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel calls things: IOMMUs in /sys/class/iommu, devices with their drivers, groups and domain types. Labels
 * only: nothing here decides what the hardware does, and whatever is missing stays empty.
 */
#include "discover/discover-internal.h"
#include "spec/request.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLASS_PREFIX "riscv-iommu@"

void riommu_path(const struct riommu_ctx *ctx, char path[RIOMMU_PATH_MAX], const char *key,
		 const char *fmt, ...)
{
	int head = snprintf(path, RIOMMU_PATH_MAX, "%s", riommu_option(ctx, key));
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path + head, (size_t)(RIOMMU_PATH_MAX - head), fmt, ap);
	va_end(ap);
}

int riommu_left_out(struct riommu_ctx *ctx, const char *path, int err)
{
	if (err == -ENOMEM)
		return riommu_fail(ctx, err, "%s: out of memory", path);
	if (err != -ENOENT && err != -ENOTDIR && err != -EACCES && err != -EPERM)
		riommu_leave_out(ctx, "%s: %s; what it tells is left out", path,
				 riommu_read_reason(err));
	return 0;
}

/* -- IOMMUs ------------------------------------------------------------------------------------------------ */

/* A platform device is called after its address: "3010000.iommu". One from ACPI ("RSCV0004:00") does not say where it is. */
static bool platform_base(const char *name, uint64_t *base)
{
	unsigned long long address;
	int used = 0;

	if (sscanf(name, "%16llx.%n", &address, &used) != 1 || !used ||
	    address & (RIOMMU_REGS_SIZE - 1))
		return false;
	*base = address;
	return true;
}

int riommu_each_name(struct riommu_system *sys, const char *directory,
		     int (*visit)(struct riommu_system *sys, const void *arg, const char *name),
		     const void *arg)
{
	char path[RIOMMU_PATH_MAX];
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	riommu_path(sys->ctx, path, "sysfs.path", "%s", directory);
	dir = opendir(path);
	if (!dir)
		return riommu_left_out(sys->ctx, path, -errno);
	errno = 0;
	while (!err && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			err = visit(sys, arg, entry->d_name);
		errno = 0;
	}
	if (!err && errno)
		err = riommu_left_out(sys->ctx, path, -errno);
	closedir(dir);
	return err;
}

/* A PCI function was found on its bus already. */
static int add_class_entry(struct riommu_system *sys, const void *arg, const char *entry)
{
	const char *name = entry + sizeof(CLASS_PREFIX) - 1;
	char where[128];
	uint64_t base;
	size_t index;

	(void)arg;
	if (strncmp(entry, CLASS_PREFIX, sizeof(CLASS_PREFIX) - 1) != 0)
		return 0;
	if (riommu_system_find_iommu(sys, name) != RIOMMU_NO_IOMMU)
		return 0;
	if (!platform_base(name, &base)) {
		riommu_log(sys->ctx, RIOMMU_LOG_INFO,
			   "the kernel has an IOMMU %s, but not where it is", name);
		return 0;
	}
	snprintf(where, sizeof(where), "/sys/class/iommu/" CLASS_PREFIX "%.64s", name);
	return riommu_list_iommu(sys, base, name, RIOMMU_FOUND_DT, where, &index);
}

/* With --base an IOMMU has no name but its address: so the kernel's name is asked for its address. */
static bool may_be(const struct riommu_system *sys, const struct riommu_iommu *iommu,
		   const char *name)
{
	size_t named = riommu_system_find_iommu(sys, name);
	uint32_t segment;
	uint16_t rid;
	uint64_t base;

	if (named != RIOMMU_NO_IOMMU)
		return iommu == &sys->iommus[named];
	if (platform_base(name, &base))
		return base == iommu->base;
	if (riommu_parse_pci_name(name, &segment, &rid) && !riommu_pci_base(sys, name, &base))
		return base == iommu->base;
	return true;
}

bool riommu_system_driven(const struct riommu_system *sys, size_t iommu)
{
	char path[RIOMMU_PATH_MAX];
	struct dirent *entry;
	bool driven = false;
	DIR *dir;

	if (!sys->live)
		return false;
	riommu_path(sys->ctx, path, "sysfs.path", "/class/iommu");
	dir = opendir(path);
	if (!dir)
		return errno != ENOENT; /* a kernel without IOMMUs has no such directory */
	errno = 0;
	while (!driven && (entry = readdir(dir))) {
		if (!strncmp(entry->d_name, CLASS_PREFIX, sizeof(CLASS_PREFIX) - 1))
			driven = may_be(sys, &sys->iommus[iommu],
					entry->d_name + sizeof(CLASS_PREFIX) - 1);
		errno = 0;
	}
	if (!driven && errno) /* in doubt it is */
		driven = true;
	closedir(dir);
	return driven;
}

int riommu_discover_class(struct riommu_system *sys)
{
	return riommu_each_name(sys, "/class/iommu", add_class_entry, NULL);
}

/* -- devices ----------------------------------------------------------------------------------------------- */

/* Where the symbolic link FILE of a device points to; false when there is none. */
static bool read_link(const struct riommu_system *sys, const char *bus, const char *name,
		      const char *file, char *to, size_t size)
{
	char path[RIOMMU_PATH_MAX];
	ssize_t len;

	riommu_path(sys->ctx, path, "sysfs.path", "/bus/%s/devices/%s/%s", bus, name, file);
	len = readlink(path, to, size - 1);
	if (len < 0) {
		riommu_left_out(sys->ctx, path, -errno);
		return false;
	}
	to[len] = '\0';
	return true;
}

/* The last part of where the link points to, "" when there is none: drivers and groups are named by it. */
static void read_link_name(const struct riommu_system *sys, const char *bus, const char *name,
			   const char *file, char *to, size_t size)
{
	char target[RIOMMU_PATH_MAX];
	const char *last;

	to[0] = '\0';
	if (!read_link(sys, bus, name, file, target, sizeof(target)))
		return;
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	riommu_copy_name(to, size, last, strlen(last));
}

static int read_domain_type(const struct riommu_system *sys, const char *group, char *to,
			    size_t size)
{
	char path[RIOMMU_PATH_MAX], *text;
	size_t len;
	int err;

	if (!group[0])
		return 0;
	riommu_path(sys->ctx, path, "sysfs.path", "/kernel/iommu_groups/%s/type", group);
	err = riommu_read_file(path, 64, &text, &len);
	if (err)
		return riommu_left_out(sys->ctx, path, err);
	riommu_copy_name(to, size, text, strcspn(text, "\n"));
	free(text);
	return 0;
}

/* Which IOMMU the kernel says a device is behind. */
static size_t linked_iommu(const struct riommu_system *sys, const char *bus, const char *name)
{
	char iommu[96];

	read_link_name(sys, bus, name, "iommu", iommu, sizeof(iommu));
	return iommu[0] ? riommu_system_find_iommu(sys, iommu) : RIOMMU_NO_IOMMU;
}

static int add_device(struct riommu_system *sys, const char *bus, const char *name, size_t iommu,
		      uint32_t device_id)
{
	struct riommu_device device = {.iommu = iommu, .device_id = device_id};
	int err;

	riommu_copy_name(device.name, sizeof(device.name), name, strlen(name));
	read_link_name(sys, bus, name, "driver", device.driver, sizeof(device.driver));
	read_link_name(sys, bus, name, "iommu_group", device.group, sizeof(device.group));
	err = read_domain_type(sys, device.group, device.domain_type, sizeof(device.domain_type));
	return err ? err : riommu_list_device(sys, &device);
}

/* Who knows device_ids; either may be NULL. */
struct ids {
	const struct riommu_dt *dt;
	const struct riommu_rimt *rimt;
};

static bool pci_id(const struct ids *ids, uint32_t segment, uint16_t rid, size_t *iommu,
		   uint32_t *device_id)
{
	if (ids->dt && !riommu_dt_pci_device(ids->dt, segment, rid, iommu, device_id))
		return true;
	return ids->rimt && !riommu_rimt_pci_device(ids->rimt, segment, rid, iommu, device_id);
}

/* Firmware knows the device_id. Where it says nothing, a function of segment 0 has its requester ID. */
static int add_pci(struct riommu_system *sys, const void *arg, const char *name)
{
	const struct ids *ids = arg;
	uint32_t segment, device_id;
	size_t iommu;
	uint16_t rid;

	if (!riommu_parse_pci_name(name, &segment, &rid) ||
	    riommu_system_find_iommu(sys, name) != RIOMMU_NO_IOMMU) /* an IOMMU itself */
		return 0;
	if (!pci_id(ids, segment, rid, &iommu, &device_id)) {
		iommu = segment ? RIOMMU_NO_IOMMU : linked_iommu(sys, "pci", name);
		device_id = rid;
	}
	return iommu == RIOMMU_NO_IOMMU ? 0 : add_device(sys, "pci", name, iommu, device_id);
}

static int add_by_rimt(struct riommu_system *sys, const struct riommu_rimt *rimt, const char *name)
{
	char path[RIOMMU_PATH_MAX], *object;
	uint32_t device_id;
	size_t iommu, len;
	int err;

	riommu_path(sys->ctx, path, "sysfs.path", "/bus/platform/devices/%s/firmware_node/path",
		    name);
	err = riommu_read_file(path, RIOMMU_PATH_MAX, &object, &len);
	if (err)
		return riommu_left_out(sys->ctx, path, err);
	object[strcspn(object, "\n")] = '\0';
	for (size_t i = 0;
	     !err && !riommu_rimt_platform_device(rimt, object, i, &iommu, &device_id); i++) {
		if (iommu != RIOMMU_NO_IOMMU)
			err = add_device(sys, "platform", name, iommu, device_id);
	}
	free(object);
	return err;
}

static int add_by_dt(struct riommu_system *sys, const struct riommu_dt *dt, const char *name)
{
	static const char root[] = "/devicetree/base";
	char node[RIOMMU_PATH_MAX];
	uint32_t device_id;
	const char *path;
	size_t iommu;
	int err = 0;

	if (!read_link(sys, "platform", name, "of_node", node, sizeof(node)))
		return 0;
	path = strstr(node, root);
	if (!path)
		return 0;
	path += sizeof(root) - 1;
	for (size_t i = 0; !err && !riommu_dt_platform_device(dt, path, i, &iommu, &device_id);
	     i++) {
		if (iommu != RIOMMU_NO_IOMMU)
			err = add_device(sys, "platform", name, iommu, device_id);
	}
	return err;
}

static int add_platform(struct riommu_system *sys, const void *arg, const char *name)
{
	const struct ids *ids = arg;
	int err = ids->dt ? add_by_dt(sys, ids->dt, name) : 0;

	return err || !ids->rimt ? err : add_by_rimt(sys, ids->rimt, name);
}

int riommu_discover_devices(struct riommu_system *sys, const struct riommu_dt *dt,
			    const struct riommu_rimt *rimt)
{
	const struct ids ids = {.dt = dt, .rimt = rimt};
	int err = riommu_each_name(sys, "/bus/pci/devices", add_pci, &ids);

	return err ? err : riommu_each_name(sys, "/bus/platform/devices", add_platform, &ids);
}
