/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lists of a system: IOMMUs, devices, regions; filled by discovery, looked up by name, base and device_id. */
#include "discover/discover-internal.h"
#include "spec/request.h"

#include <stdio.h>
#include <stdlib.h>

/* Room for one more behind COUNT: 8, then doubled each time a power of two is full. */
static void *grow(void *list, size_t count, size_t size)
{
	if (count && (count < 8 || count & (count - 1)))
		return list;
	return realloc(list, (count ? count * 2 : 8) * size);
}

int riommu_list_iommu(struct riommu_system *sys, uint64_t base, const char *name,
		      enum riommu_found found, const char *where, size_t *index)
{
	struct riommu_iommu *more, *iommu;

	*index = riommu_list_iommu_at(sys, base);
	if (*index != RIOMMU_NO_IOMMU)
		return 0;
	if (base & (RIOMMU_REGS_SIZE - 1))
		return riommu_fail(sys->ctx, -EINVAL,
				   "0x%llx cannot be the base of an IOMMU: it is not aligned to "
				   "4 KiB",
				   (unsigned long long)base);
	more = grow(sys->iommus, sys->iommu_count, sizeof(*more));
	if (!more)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	sys->iommus = more;
	*index = sys->iommu_count++;
	iommu = &sys->iommus[*index];
	memset(iommu, 0, sizeof(*iommu));
	iommu->base = base;
	iommu->found = found;
	riommu_copy_name(iommu->name, sizeof(iommu->name), name, strlen(name));
	if (!iommu->name[0])
		snprintf(iommu->name, sizeof(iommu->name), "0x%llx", (unsigned long long)base);
	riommu_copy_name(iommu->where, sizeof(iommu->where), where, strlen(where));
	return 0;
}

size_t riommu_list_iommu_at(const struct riommu_system *sys, uint64_t base)
{
	for (size_t i = 0; i < sys->iommu_count; i++) {
		if (sys->iommus[i].base == base)
			return i;
	}
	return RIOMMU_NO_IOMMU;
}

int riommu_list_device(struct riommu_system *sys, const struct riommu_device *device)
{
	struct riommu_device *more = grow(sys->devices, sys->device_count, sizeof(*more));

	if (!more)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	sys->devices = more;
	sys->devices[sys->device_count++] = *device;
	return 0;
}

int riommu_list_region(struct riommu_system *sys, uint64_t start, uint64_t end, const char *name,
		       size_t name_len)
{
	struct riommu_region *more = grow(sys->regions, sys->region_count, sizeof(*more));

	if (!more)
		return riommu_fail(sys->ctx, -ENOMEM, "out of memory");
	sys->regions = more;
	more = &sys->regions[sys->region_count++];
	more->start = start;
	more->end = end;
	riommu_copy_name(more->name, sizeof(more->name), name, name_len);
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct riommu_device *x = a, *y = b;

	if (x->iommu != y->iommu)
		return x->iommu < y->iommu ? -1 : 1;
	if (x->device_id != y->device_id)
		return x->device_id < y->device_id ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* A tree may say the same id of a device twice, as it may be handed in by two ways; it is one device still. */
static void drop_repeated(struct riommu_system *sys)
{
	size_t kept = 0;

	for (size_t i = 0; i < sys->device_count; i++) {
		struct riommu_device *device = &sys->devices[i];

		if (!kept || !device->name[0] || by_id(&sys->devices[kept - 1], device))
			sys->devices[kept++] = *device;
	}
	sys->device_count = kept;
}

void riommu_list_sort(struct riommu_system *sys)
{
	if (sys->device_count)
		qsort(sys->devices, sys->device_count, sizeof(*sys->devices), by_id);
	drop_repeated(sys);
}

/* -- lookup ------------------------------------------------------------------------------------------------ */

size_t riommu_system_find_iommu(const struct riommu_system *sys, const char *text)
{
	static const char prefix[] = "riscv-iommu@";
	uint64_t base;

	if (!strncmp(text, prefix, sizeof(prefix) - 1))
		text += sizeof(prefix) - 1;
	for (size_t i = 0; i < sys->iommu_count; i++) {
		if (!strcmp(sys->iommus[i].name, text))
			return i;
	}
	if (!riommu_parse_u64(text, &base))
		return riommu_list_iommu_at(sys, base);
	return RIOMMU_NO_IOMMU;
}

bool riommu_parse_pci_name(const char *name, uint32_t *segment, uint16_t *rid)
{
	unsigned seg = 0, bus, dev, fn;
	int used = 0;

	if (sscanf(name, "%8x:%2x:%2x.%1x%n", &seg, &bus, &dev, &fn, &used) != 4 || name[used]) {
		seg = 0;
		used = 0;
		if (sscanf(name, "%2x:%2x.%1x%n", &bus, &dev, &fn, &used) != 3 || name[used])
			return false;
	}
	if (bus > 0xff || dev > 0x1f || fn > 7)
		return false;
	*segment = seg;
	*rid = (uint16_t)(bus << 8 | dev << 3 | fn);
	return true;
}

static size_t on_every_iommu(const struct riommu_system *sys, uint32_t device_id,
			     struct riommu_device_ref *refs, size_t max)
{
	for (size_t i = 0; i < sys->iommu_count && i < max; i++)
		refs[i] = (struct riommu_device_ref){.iommu = i, .device_id = device_id};
	return sys->iommu_count;
}

size_t riommu_system_find_device(const struct riommu_system *sys, const char *text,
				 struct riommu_device_ref *refs, size_t max)
{
	char name[32]; /* as Linux writes it: with its segment, and in lower case */
	uint32_t segment;
	size_t found = 0;
	uint64_t number;
	uint16_t rid;
	bool pci;

	if (!text[0]) /* those without a name are not called so */
		return 0;
	if (!riommu_parse_u64(text, &number))
		return number > RIOMMU_DEVICE_ID_MAX
			       ? 0
			       : on_every_iommu(sys, (uint32_t)number, refs, max);
	pci = riommu_parse_pci_name(text, &segment, &rid);
	if (pci)
		snprintf(name, sizeof(name), "%04x:%02x:%02x.%x", segment, rid >> 8,
			 rid >> 3 & 0x1f, rid & 7);
	for (size_t i = 0; i < sys->device_count; i++) {
		const struct riommu_device *device = &sys->devices[i];

		if (device->iommu == RIOMMU_NO_IOMMU ||
		    (strcmp(device->name, text) && !(pci && !strcmp(device->name, name))))
			continue;
		if (found < max)
			refs[found] = (struct riommu_device_ref){.iommu = device->iommu,
								 .device_id = device->device_id};
		found++;
	}
	/* A vmcore knows no devices: there a PCI name of segment 0 stands for its requester ID. */
	if (!sys->device_count && pci && !segment)
		return on_every_iommu(sys, rid, refs, max);
	return found;
}

const struct riommu_device *riommu_system_device(const struct riommu_system *sys, size_t iommu,
						 uint32_t device_id)
{
	size_t lo = 0, hi = sys->device_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct riommu_device *d = &sys->devices[mid];

		if (d->iommu < iommu || (d->iommu == iommu && d->device_id < device_id))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < sys->device_count && sys->devices[lo].iommu == iommu &&
	    sys->devices[lo].device_id == device_id)
		return &sys->devices[lo];
	return NULL;
}

const char *riommu_system_device_name(const struct riommu_system *sys, size_t iommu,
				      uint32_t device_id)
{
	const struct riommu_device *device = riommu_system_device(sys, iommu, device_id);

	return device && device->name[0] ? device->name : NULL;
}
