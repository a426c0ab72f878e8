/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What registers say by themselves: capabilities, fctl, ddtp, reserved bits (specification, chapter 6). */
#include "check/check-internal.h"

#include <inttypes.h>

#define MAX_PAS 56

static struct check_object at(const struct check *c, uint32_t offset)
{
	return (struct check_object){.has_address = true, .address = c->iommu->base + offset};
}

static bool has(uint64_t capabilities, uint64_t bits)
{
	return (capabilities & bits) == bits;
}

static void check_modes(struct check *c, uint64_t cap, const struct check_object *about)
{
	check_judge(c, CHECK_CAPABILITIES_MODES);
	if (has(cap, RIOMMU_CAP_SV48) && !has(cap, RIOMMU_CAP_SV39))
		check_report(c, CHECK_CAPABILITIES_MODES, about, "Sv48 is 1 and Sv39 is 0");
	if (has(cap, RIOMMU_CAP_SV57) && !has(cap, RIOMMU_CAP_SV48))
		check_report(c, CHECK_CAPABILITIES_MODES, about, "Sv57 is 1 and Sv48 is 0");
	if (has(cap, RIOMMU_CAP_MSI_MRIF) && !has(cap, RIOMMU_CAP_MSI_FLAT))
		check_report(c, CHECK_CAPABILITIES_MODES, about, "MSI_MRIF is 1 and MSI_FLAT is 0");
	if (has(cap, RIOMMU_CAP_T2GPA) && !has(cap, RIOMMU_CAP_ATS))
		check_report(c, CHECK_CAPABILITIES_MODES, about, "T2GPA is 1 and ATS is 0");
	if (riommu_bits(cap, 37, 32) > MAX_PAS)
		check_report(c, CHECK_CAPABILITIES_MODES, about, "PAS is %u, more than %u",
			     (unsigned)riommu_bits(cap, 37, 32), MAX_PAS);
}

static void check_capabilities(struct check *c)
{
	struct check_object about = at(c, RIOMMU_REG_CAPABILITIES);
	uint64_t cap;

	if (!check_register(c, CHECK_CAPABILITIES_VERSION, CHECK_CAPABILITIES_MODES,
			    RIOMMU_REG_CAPABILITIES, &cap))
		return;
	check_judge(c, CHECK_CAPABILITIES_VERSION);
	if (riommu_bits(cap, 7, 4) != 1)
		check_report(c, CHECK_CAPABILITIES_VERSION, &about,
			     "capabilities.version is 0x%x, not 1.x (0x1x)",
			     (unsigned)riommu_bits(cap, 7, 0));
	check_judge(c, CHECK_CAPABILITIES_IGS);
	if (riommu_bits(cap, 29, 28) > RIOMMU_IGS_BOTH)
		check_report(c, CHECK_CAPABILITIES_IGS, &about, "capabilities.IGS is 3");
	check_modes(c, cap, &about);
}

static void check_fctl(struct check *c)
{
	struct check_object about = at(c, RIOMMU_REG_FCTL);
	uint64_t cap, fctl;
	bool wires;

	if (!check_register(c, CHECK_FCTL_WSI, CHECK_FCTL_WSI, RIOMMU_REG_CAPABILITIES, &cap) ||
	    !check_register(c, CHECK_FCTL_WSI, CHECK_FCTL_WSI, RIOMMU_REG_FCTL, &fctl))
		return;
	wires = fctl & RIOMMU_FCTL_WSI;
	check_judge(c, CHECK_FCTL_WSI);
	if (wires && riommu_bits(cap, 29, 28) == RIOMMU_IGS_MSI)
		check_report(c, CHECK_FCTL_WSI, &about, "WSI is 1, and IGS offers messages only");
	if (!wires && riommu_bits(cap, 29, 28) == RIOMMU_IGS_WSI)
		check_report(c, CHECK_FCTL_WSI, &about, "WSI is 0, and IGS offers wires only");
}

static void check_reserved(struct check *c)
{
	const struct riommu_reg *regs = riommu_registers();

	for (int i = 0; i < RIOMMU_REG_COUNT; i++) {
		struct check_object about = at(c, regs[i].offset);
		uint64_t v, reserved;

		if (!check_optional(c, CHECK_REGISTER_RESERVED, regs[i].offset, &v))
			continue;
		check_judge(c, CHECK_REGISTER_RESERVED);
		reserved = riommu_layout_reserved(regs[i].layout, v);
		if (reserved)
			check_report(c, CHECK_REGISTER_RESERVED, &about,
				     "%s is 0x%" PRIx64 ", of which 0x%" PRIx64 " is reserved",
				     regs[i].name, v, reserved);
	}
}

/* Bits that say "not yet": still set 20 ms later, or, in a capture, when it was taken. */
static void check_busy(struct check *c)
{
	static const struct {
		uint16_t offset;
		uint32_t bit;
		const char *name;
	} bits[] = {
		{RIOMMU_REG_DDTP, RIOMMU_DDTP_BUSY, "ddtp.busy"},
		{RIOMMU_REG_CQCSR, RIOMMU_QUEUE_BUSY, "cqcsr.busy"},
		{RIOMMU_REG_FQCSR, RIOMMU_QUEUE_BUSY, "fqcsr.busy"},
		{RIOMMU_REG_PQCSR, RIOMMU_QUEUE_BUSY, "pqcsr.busy"},
		{RIOMMU_REG_TR_REQ_CTL, 1, "tr_req_ctl.Go/Busy"},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(bits); i++) {
		struct check_object about = at(c, bits[i].offset);
		uint64_t v, later;

		if (!check_optional(c, CHECK_REGISTER_BUSY, bits[i].offset, &v))
			continue;
		check_judge(c, CHECK_REGISTER_BUSY);
		if (!(v & bits[i].bit))
			continue;
		if (check_later(c, bits[i].offset, &later) && !(later & bits[i].bit))
			continue;
		check_report(c, CHECK_REGISTER_BUSY, &about, "%s is 1%s", bits[i].name,
			     c->sys->live ? ", also 20 ms later" : "");
	}
}

static void check_ddtp(struct check *c)
{
	struct check_object about = at(c, RIOMMU_REG_DDTP);
	uint64_t ddtp;
	unsigned mode;

	if (!check_register(c, CHECK_DDTP_OFF, CHECK_DDTP_ROOT, RIOMMU_REG_DDTP, &ddtp))
		return;
	mode = (unsigned)riommu_bits(ddtp, 3, 0);
	for (unsigned rule = CHECK_DDTP_OFF; rule <= CHECK_DDTP_MODE; rule++)
		check_judge(c, (enum check_rule)rule);
	if (mode == RIOMMU_DDTP_OFF)
		check_report(c, CHECK_DDTP_OFF, &about, "ddtp.iommu_mode is Off");
	else if (mode == RIOMMU_DDTP_BARE)
		check_report(c, CHECK_DDTP_BARE, &about, "ddtp.iommu_mode is Bare");
	else if (mode > RIOMMU_DDTP_3LVL && mode < 14)
		check_report(c, CHECK_DDTP_MODE, &about,
			     "ddtp.iommu_mode is 0x%x, which is reserved", mode);
	if (mode < RIOMMU_DDTP_1LVL || mode > RIOMMU_DDTP_3LVL)
		return;
	check_judge(c, CHECK_DDTP_ROOT);
	if (!riommu_ppn_upper(ddtp))
		check_report(c, CHECK_DDTP_ROOT, &about, "ddtp is 0x%" PRIx64 ": PPN is 0", ddtp);
}

void check_registers(struct check *c)
{
	check_capabilities(c);
	check_fctl(c);
	check_reserved(c);
	check_busy(c);
	check_ddtp(c);
}
