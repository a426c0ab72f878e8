/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* discover, inside: the lists of a system while they are being filled, and who fills them. */
#ifndef RIOMMU_DISCOVER_INTERNAL_H
#define RIOMMU_DISCOVER_INTERNAL_H

#include "discover/discover.h"
#include "discover/paths.h"

/* -- lists.c: all of them return 0 or -ENOMEM (-EINVAL: a base that is not aligned), or an index or NULL -------- */

/* The IOMMU at BASE, made if it is new (then NAME, FOUND, WHERE are what is known of it; NAME "" is the base). */
int riommu_list_iommu(struct riommu_system *sys, uint64_t base, const char *name,
		      enum riommu_found found, const char *where, size_t *index);
size_t riommu_list_iommu_at(const struct riommu_system *sys, uint64_t base);

/* A device, which is copied; riommu_list_sort() drops one that is there already (IOMMU, device_id, name). */
int riommu_list_device(struct riommu_system *sys, const struct riommu_device *device);
int riommu_list_region(struct riommu_system *sys, uint64_t start, uint64_t end, const char *name,
		       size_t name_len);

/* After the last device: sorted by IOMMU, device_id and name, which lookup relies on. */
void riommu_list_sort(struct riommu_system *sys);

/* -- who fills them ------------------------------------------------------------------------------------------------ */

/* notes-read.c: a capture's machine note. A longer one is not read, so none is written. */
#define MACHINE_NOTE_MAX ((size_t)16 << 20)
int riommu_machine_parse(struct riommu_system *sys, const char *text, size_t len);

/* pci.c: IOMMUs by class 0806, from the PCI bus in sysfs. */
int riommu_discover_pci(struct riommu_system *sys);
/* Where the registers of the PCI function NAME are. -ENODATA when its BAR 0 cannot be them; others: its file cannot be read. */
int riommu_pci_base(const struct riommu_system *sys, const char *name, uint64_t *base);

/* sysfs.c: names of IOMMUs from /sys/class/iommu; then devices with their drivers, groups, and IOMMU as the kernel says. */
int riommu_discover_class(struct riommu_system *sys);
/* Calls VISIT with each name in a directory below /sys. What cannot be read is left out; a non-zero return ends it, and is returned. */
int riommu_each_name(struct riommu_system *sys, const char *directory,
		     int (*visit)(struct riommu_system *sys, const void *arg, const char *name),
		     const void *arg);

/* devicetree.c: IOMMUs, the model, and which device_id a function or platform device has on which IOMMU. */
/* The tree itself, checked by fdt_check_full(). */
const void *riommu_dt_blob(const struct riommu_dt *dt);
int riommu_dt_iommus(struct riommu_dt *dt, struct riommu_system *sys);
/* iommu-map of the host bridge of PCI segment SEGMENT. -ENOENT when the tree does not say. */
int riommu_dt_pci_device(const struct riommu_dt *dt, uint32_t segment, uint16_t rid, size_t *iommu,
			 uint32_t *device_id);
/* The Ith (IOMMU, device_id) that the node at PATH has by its `iommus`. -ENOENT past the end. */
int riommu_dt_platform_device(const struct riommu_dt *dt, const char *path, size_t i, size_t *iommu,
			      uint32_t *device_id);

/* Whether riommu_dt_iommus() has met any IOMMU. */
bool riommu_dt_has_iommus(const struct riommu_dt *dt);

/* rimt.c: the same from ACPI. LEN bytes are a table, which is copied; -EBADMSG when they are none. */
struct riommu_rimt;
int riommu_rimt_parse(struct riommu_ctx *ctx, const void *bytes, size_t len,
		      struct riommu_rimt **rimt);
int riommu_rimt_load(struct riommu_system *sys, struct riommu_rimt **rimt);
void riommu_rimt_free(struct riommu_rimt *rimt);
int riommu_rimt_iommus(struct riommu_rimt *rimt, struct riommu_system *sys);
/* -ENOENT when the table has no map for it; *IOMMU is RIOMMU_NO_IOMMU when the map leads to none that is known. */
int riommu_rimt_pci_device(const struct riommu_rimt *rimt, uint32_t segment, uint16_t rid,
			   size_t *iommu, uint32_t *device_id);
/* PATH is the full path of ACPI's object, as firmware_node/path has it. */
int riommu_rimt_platform_device(const struct riommu_rimt *rimt, const char *path, size_t i,
				size_t *iommu, uint32_t *device_id);

/* sysfs.c: the devices behind them; who knows their ids, DT or RIMT, may be NULL. */
int riommu_discover_devices(struct riommu_system *sys, const struct riommu_dt *dt,
			    const struct riommu_rimt *rimt);

/* regions.c: /proc/iomem. */
int riommu_discover_regions(struct riommu_system *sys);

/* record.c: registers from the handover record that goes with a vmcore. */
int riommu_discover_record(struct riommu_system *sys, const struct riommu_open_args *args);

#endif
