/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IOMMUs that are PCI functions: class 08, subclass 06, interface 00, registers behind BAR 0. */
#include "discover/discover-internal.h"

#include <stdio.h>
#include <stdlib.h>

#define PCI_CLASS_IOMMU 0x080600
#define RESOURCE_MEM    0x200 /* as the kernel's IORESOURCE_MEM */

/* The number in a small file of the function NAME. */
static int read_number(struct riommu_system *sys, const char *name, const char *file, uint64_t *v)
{
	char path[RIOMMU_PATH_MAX], *text;
	size_t len;
	int err;

	riommu_path(sys->ctx, path, "sysfs.path", "/bus/pci/devices/%s/%s", name, file);
	err = riommu_read_file(path, 64, &text, &len);
	if (err)
		return riommu_left_out(sys->ctx, path, err) ? -ENOMEM : -ENODATA;
	text[strcspn(text, "\n")] = '\0';
	err = riommu_parse_u64(text, v);
	free(text);
	return err;
}

/* BAR 0 as the first line of `resource` has it: start, end, flags. The CPU's addresses, readable by everyone. */
int riommu_pci_base(const struct riommu_system *sys, const char *name, uint64_t *base)
{
	unsigned long long start, end, flags;
	char path[RIOMMU_PATH_MAX], *text;
	size_t len;
	int err;

	riommu_path(sys->ctx, path, "sysfs.path", "/bus/pci/devices/%s/resource", name);
	err = riommu_read_file(path, 64u << 10, &text, &len);
	if (err)
		return riommu_left_out(sys->ctx, path, err) ? -ENOMEM : -ENODATA;
	if (sscanf(text, "%llx %llx %llx", &start, &end, &flags) != 3 || !start || end < start ||
	    end - start < RIOMMU_REGS_SIZE - 1 || !(flags & RESOURCE_MEM) ||
	    start & (RIOMMU_REGS_SIZE - 1))
		err = -ENODATA;
	free(text);
	*base = start;
	return err;
}

static int add_function(struct riommu_system *sys, const void *arg, const char *name)
{
	uint64_t class, base = 0;
	uint32_t segment;
	char where[128];
	uint16_t rid;
	size_t index;
	int err;

	(void)arg;
	if (!riommu_parse_pci_name(name, &segment, &rid))
		return 0;
	err = read_number(sys, name, "class", &class);
	if (err || class != PCI_CLASS_IOMMU)
		return err == -ENOMEM ? err : 0;
	err = riommu_pci_base(sys, name, &base);
	if (err == -ENOMEM)
		return riommu_fail(sys->ctx, err, "%s: out of memory", name);
	if (err) {
		riommu_log(sys->ctx, RIOMMU_LOG_WARNING,
			   "%s is an IOMMU, but its BAR 0 gives no register page", name);
		return 0;
	}
	snprintf(where, sizeof(where), "PCI function %.64s", name);
	return riommu_list_iommu(sys, base, name, RIOMMU_FOUND_PCI, where, &index);
}

/* Mostly there is no such directory, where there is no PCI. */
int riommu_discover_pci(struct riommu_system *sys)
{
	return riommu_each_name(sys, "/bus/pci/devices", add_function, NULL);
}
