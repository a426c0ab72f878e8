/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discover: which IOMMUs and devices exist, where System RAM is, what things are called; and the one call
 * that opens everything a tool needs: registers and memory, live or from a file.
 */
#ifndef RIOMMU_DISCOVER_H
#define RIOMMU_DISCOVER_H

#include "source/source.h"

enum riommu_found {
	RIOMMU_FOUND_DT,
	RIOMMU_FOUND_ACPI,
	RIOMMU_FOUND_PCI,
	RIOMMU_FOUND_NOTE,
	RIOMMU_FOUND_OPTION,
	RIOMMU_FOUND_RECORD
};

/* State of one register in a snapshot. */
enum riommu_reg_state {
	RIOMMU_REG_UNREAD, /* not asked for, or not there by capabilities */
	RIOMMU_REG_KNOWN,
	RIOMMU_REG_MISSING, /* the source does not hold it */
	RIOMMU_REG_REFUSED,
	RIOMMU_REG_DEAD, /* the bus did not answer */
};

struct riommu_iommu {
	uint64_t base;
	/* as /sys/class/iommu has it without "riscv-iommu@": "3010000.iommu", "0000:00:02.0"; else "0x.." */
	char name[64];
	enum riommu_found found;
	char where[128]; /* the device tree node, the PCI function, the note, ... that said so */
	uint64_t value[RIOMMU_REG_COUNT];
	uint8_t state[RIOMMU_REG_COUNT]; /* enum riommu_reg_state */
	int error; /* first error of reading its registers, 0 when none; the words are in `reason` */
	char reason[320];
	const char *method; /* how the registers were read; NULL when they were not */
};

struct riommu_device {
	uint32_t device_id;
	size_t iommu;         /* index, or RIOMMU_NO_IOMMU */
	char name[64];        /* "0000:00:01.0", or the platform device's name */
	char driver[32];      /* "" when no driver is bound */
	char group[16];       /* number of the iommu group, "" when unknown */
	char domain_type[24]; /* /sys/kernel/iommu_groups/N/type: "identity", "DMA", ... */
};

struct riommu_region {
	uint64_t start, end; /* inclusive, as /proc/iomem writes it */
	char name[48];       /* "System RAM", "Crash kernel", "Kernel code", "Reserved", ... */
};

/* Everything that was opened and found. Fields are read-only for callers. */
struct riommu_system {
	struct riommu_ctx *ctx;
	/* physical memory; NULL when there is no way to it (memory_error) */
	struct riommu_source *memory;
	struct riommu_source *registers; /* the overlay on top of whatever gives registers */
	int memory_error;
	char memory_reason[256];
	int registers_error; /* live: no way to any register could be opened, and why */
	char registers_reason[256];
	int registers_failed; /* live: a way to them that failed by itself, by registers_reason; another one may be open */
	bool live;
	char model[128], kernel[128], time[40]; /* "" when unknown */
	char path[256];                         /* the file given with -i */
	struct riommu_iommu *iommus;
	size_t iommu_count;
	struct riommu_device *devices;
	size_t device_count;
	struct riommu_region *regions;
	size_t region_count;
};

struct riommu_reg_override {
	char iommu[64]; /* name or base of which one; "" for all */
	uint32_t offset;
	unsigned width;
	uint64_t value;
};

struct riommu_open_args {
	const char *input;     /* -i; NULL: this machine */
	const char *access;    /* -A; NULL: choose */
	const uint64_t *bases; /* --base, no discovery */
	size_t base_count;
	const struct riommu_reg_override *overrides; /* --reg */
	size_t override_count;
};

/*
 * Opens and discovers. Success does not mean that registers could be read: see riommu_iommu.error. -ENODEV when
 * there is no IOMMU at all, -EBADMSG for a damaged file, -EINVAL for arguments. *SYS is the caller's to close.
 */
int riommu_system_open(struct riommu_ctx *ctx, const struct riommu_open_args *args,
		       struct riommu_system **sys);
void riommu_system_close(struct riommu_system *sys);

/* Reads all registers that capabilities say exist (or again); fills value[], state[], error, reason. */
void riommu_system_read_registers(struct riommu_system *sys, size_t iommu);

/*
 * Reads COUNT registers again, in the order of OFFSETS, into the snapshot: for what looks often at few of them. Nothing is
 * touched while `capabilities` is not known: nobody knows then what may be.
 */
void riommu_system_refresh(struct riommu_system *sys, size_t iommu, const uint32_t *offsets,
			   size_t count);

/* The value of a register in the snapshot: 0 with *VALUE, or -ENODATA, -EACCES, -EFAULT by its state. */
int riommu_iommu_reg(const struct riommu_iommu *iommu, uint32_t offset, uint64_t *value);

/*
 * Says which of the COUNT registers at OFFSETS the source does not hold, with the options that give them: "register ddtp was
 * not captured; give --reg ddtp=VALUE". Returns how many those are; TEXT is "" when there are none.
 */
size_t riommu_system_missing(const struct riommu_system *sys, size_t iommu, const uint32_t *offsets,
			     size_t count, char *text, size_t size);

/*
 * True when the running kernel's driver has registered this IOMMU (/sys/class/iommu), whatever it is called here, or one of
 * which cannot be told where it is: who writes registers has to assume that it is this one.
 */
bool riommu_system_driven(const struct riommu_system *sys, size_t iommu);

/* What firmware may have left running: a device that reads or writes memory by itself, from before there was a driver. */
struct riommu_firmware_dma {
	bool framebuffer; /* a simple-framebuffer; else reserved memory with iommu-addresses */
	char node[128];   /* of the device tree */
	char device[128]; /* the node of the device that uses it, "" when the tree does not say */
};

/* This machine's device tree, as it is or made of /proc/device-tree. */
struct riommu_dt;
int riommu_dt_load(struct riommu_system *sys, struct riommu_dt **dt);
void riommu_dt_free(struct riommu_dt *dt);

/* Calls FOUND for each that DT tells of; non-zero from it ends the search. */
int riommu_firmware_dma(const struct riommu_dt *dt,
			int (*found)(void *arg, const struct riommu_firmware_dma *dma), void *arg);

/* By name, "riscv-iommu@NAME", or base in hex. RIOMMU_NO_IOMMU when there is none. */
size_t riommu_system_find_iommu(const struct riommu_system *sys, const char *text);

/* "0000:00:02.0", "00:02.0", a platform device's name, or a device_id. Fills at most MAX (iommu, device_id) pairs and
 * returns how many there are. A bare number names that device_id on every IOMMU. */
struct riommu_device_ref {
	size_t iommu;
	uint32_t device_id;
};
size_t riommu_system_find_device(const struct riommu_system *sys, const char *text,
				 struct riommu_device_ref *refs, size_t max);

/* The first device, by name, with this id behind an IOMMU; NULL: none is known. The next ones of the list may have the same. */
const struct riommu_device *riommu_system_device(const struct riommu_system *sys, size_t iommu,
						 uint32_t device_id);

/* The name of a device, NULL when none is known. */
const char *riommu_system_device_name(const struct riommu_system *sys, size_t iommu,
				      uint32_t device_id);

/*
 * The machine note of a capture (design 3.1): what SYS knows besides registers and memory, as JSON. *TEXT is the
 * caller's to free(). Opening such a capture reads it back. -ENOMEM.
 */
int riommu_machine_json(const struct riommu_system *sys, const char *tool_version, char **text);

#endif
