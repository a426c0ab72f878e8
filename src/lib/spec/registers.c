/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The register map (specification, chapter 6), by ascending offset. */
#include "spec/registers.h"
#include "spec/field-internal.h"

#include "base/base.h"

#include <strings.h>

static const struct riommu_value_name igs_names[] = {
	{RIOMMU_IGS_MSI, "MSI"},
	{RIOMMU_IGS_WSI, "WSI"},
	{RIOMMU_IGS_BOTH, "BOTH"},
	{0, NULL},
};

static const struct riommu_field capabilities_fields[] = {
	HEX("version", 7, 0,
	    "version of the specification: major in the high digit, minor in the low one"),
	FLAG("Sv32", 8, "first stage, 32-bit virtual addresses"),
	FLAG("Sv39", 9, "first stage, 39-bit virtual addresses"),
	FLAG("Sv48", 10, "first stage, 48-bit virtual addresses"),
	FLAG("Sv57", 11, "first stage, 57-bit virtual addresses"),
	RESERVED(13, 12),
	FLAG("Svrsw60t59b", 14, "PTE bits 60:59 are left to software"),
	FLAG("Svpbmt", 15, "PTEs can choose the memory type"),
	FLAG("Sv32x4", 16, "second stage, 34-bit guest addresses"),
	FLAG("Sv39x4", 17, "second stage, 41-bit guest addresses"),
	FLAG("Sv48x4", 18, "second stage, 50-bit guest addresses"),
	FLAG("Sv57x4", 19, "second stage, 59-bit guest addresses"),
	RESERVED(20, 20),
	FLAG("AMO_MRIF", 21, "updates memory-resident interrupt files atomically"),
	FLAG("MSI_FLAT", 22,
	     "MSI page tables; device contexts have the extended format (64 bytes)"),
	FLAG("MSI_MRIF", 23, "MSI page tables can point at memory-resident interrupt files"),
	FLAG("AMO_HWAD", 24, "can set the A and D bits of PTEs"),
	FLAG("ATS", 25, "PCIe address translation service and page requests"),
	FLAG("T2GPA", 26, "can answer ATS with guest physical addresses"),
	FLAG("END", 27, "structures can have either byte order (fctl.BE)"),
	ENUM("IGS", 29, 28, igs_names, "how it can interrupt: messages, wires or both"),
	FLAG("HPM", 30, "performance counters"),
	FLAG("DBG", 31, "debug translation (tr_req_*)"),
	NUMBER("PAS", 37, 32, "bits of a physical address"),
	FLAG("PD8", 38, "process directories with 8-bit process_id"),
	FLAG("PD17", 39, "process directories with 17-bit process_id"),
	FLAG("PD20", 40, "process directories with 20-bit process_id"),
	FLAG("QOSID", 41, "quality-of-service ids (iommu_qosid, DC.ta)"),
	FLAG("NL", 42, "invalidation of non-leaf entries (IOTINVAL.NL)"),
	FLAG("S", 43, "invalidation of address ranges (IOTINVAL.S)"),
	RESERVED(55, 44),
	CUSTOM(63, 56),
};

static const struct riommu_field fctl_fields[] = {
	FLAG("BE", 0, "directories, second stage, MSI tables and queues are big-endian"),
	FLAG("WSI", 1, "interrupts are wires, not messages"),
	FLAG("GXL", 2, "the second stage has the 32-bit format (Sv32x4)"),
	RESERVED(15, 3),
	CUSTOM(31, 16),
};

static const struct riommu_value_name iommu_mode_names[] = {
	{RIOMMU_DDTP_OFF, "Off"},   {RIOMMU_DDTP_BARE, "Bare"}, {RIOMMU_DDTP_1LVL, "1LVL"},
	{RIOMMU_DDTP_2LVL, "2LVL"}, {RIOMMU_DDTP_3LVL, "3LVL"}, {0, NULL},
};

static const struct riommu_field ddtp_fields[] = {
	ENUM("iommu_mode", 3, 0, iommu_mode_names,
	     "Off refuses every device, Bare lets everything through, else levels of the "
	     "directory"),
	FLAG("busy", 4, "a change of iommu_mode is still going on"),
	RESERVED(9, 5),
	PPN("PPN", 53, 10, "root page of the device directory"),
	RESERVED(63, 54),
};

static const struct riommu_field queue_base_fields[] = {
	LOG2SZ(),
	RESERVED(9, 5),
	PPN("PPN", 53, 10, "first page of the queue"),
	RESERVED(63, 54),
};

static const struct riommu_field index_fields[] = {
	NUMBER("index", 31, 0, "entry of the queue, not bytes"),
};

static const struct riommu_field cqcsr_fields[] = {
	FLAG("cqen", 0, "software asks for the queue"),
	FLAG("cie", 1, "the command queue may interrupt"),
	RESERVED(7, 2),
	FLAG("cqmf", 8, "memory fault on a command or on what it accesses; the queue stands still"),
	FLAG("cmd_to", 9, "an ATS invalidation timed out; the queue stands still"),
	FLAG("cmd_ill", 10, "illegal or unsupported command; the queue stands still"),
	FLAG("fence_w_ip", 11, "an IOFENCE.C with WSI is complete"),
	RESERVED(15, 12),
	FLAG("cqon", 16, "the queue is on"),
	FLAG("busy", 17, "a write of this register is still going on"),
	RESERVED(27, 18),
	CUSTOM(31, 28),
};

static const struct riommu_field fqcsr_fields[] = {
	FLAG("fqen", 0, "software asks for the queue"),
	FLAG("fie", 1, "the fault queue may interrupt"),
	RESERVED(7, 2),
	FLAG("fqmf", 8, "a record could not be stored; records are lost until this is cleared"),
	FLAG("fqof", 9, "the queue was full; records are lost until this is cleared"),
	RESERVED(15, 10),
	FLAG("fqon", 16, "the queue is on"),
	FLAG("busy", 17, "a write of this register is still going on"),
	RESERVED(27, 18),
	CUSTOM(31, 28),
};

static const struct riommu_field pqcsr_fields[] = {
	FLAG("pqen", 0, "software asks for the queue"),
	FLAG("pie", 1, "the page-request queue may interrupt"),
	RESERVED(7, 2),
	FLAG("pqmf", 8, "a request could not be stored; requests are lost until this is cleared"),
	FLAG("pqof", 9, "the queue was full; requests are lost until this is cleared"),
	RESERVED(15, 10),
	FLAG("pqon", 16, "the queue is on"),
	FLAG("busy", 17, "a write of this register is still going on"),
	RESERVED(27, 18),
	CUSTOM(31, 28),
};

static const struct riommu_field ipsr_fields[] = {
	FLAG("cip", 0, "interrupt of the command queue is pending"),
	FLAG("fip", 1, "interrupt of the fault queue is pending"),
	FLAG("pmip", 2, "interrupt of the performance counters is pending"),
	FLAG("pip", 3, "interrupt of the page-request queue is pending"),
	RESERVED(7, 4),
	CUSTOM(15, 8),
	RESERVED(31, 16),
};

static const struct riommu_field iocountovf_fields[] = {
	FLAG("CY", 0, "iohpmcycles overflowed"),
	HEX("HPM", 31, 1, "counters that overflowed: lowest bit for iohpmctr1"),
};

static const struct riommu_field iocountinh_fields[] = {
	FLAG("CY", 0, "iohpmcycles stands still"),
	HEX("HPM", 31, 1, "counters that stand still: lowest bit for iohpmctr1"),
};

static const struct riommu_field iohpmcycles_fields[] = {
	NUMBER("counter", 62, 0, "clock cycles"),
	FLAG("OF", 63, "the counter overflowed since software cleared this"),
};

static const struct riommu_field iohpmctr_fields[] = {
	NUMBER("counter", 63, 0, "events counted"),
};

static const struct riommu_value_name event_names[] = {
	{0, "do not count"},
	{1, "untranslated requests"},
	{2, "translated requests"},
	{3, "ATS translation requests"},
	{4, "TLB miss"},
	{5, "device directory walks"},
	{6, "process directory walks"},
	{7, "first-stage page table walks"},
	{8, "second-stage page table walks"},
	{0, NULL},
};

static const struct riommu_field iohpmevt_fields[] = {
	ENUM("eventID", 14, 0, event_names, "what the counter counts"),
	FLAG("DMASK", 15, "DID_GSCID matches a range: bits up to its lowest 0 are ignored"),
	HEX("PID_PSCID", 35, 16, "only this process_id, or PSCID with IDT"),
	HEX("DID_GSCID", 59, 36, "only this device_id, or GSCID with IDT"),
	FLAG("PV_PSCV", 60, "PID_PSCID filters"),
	FLAG("DV_GSCV", 61, "DID_GSCID filters"),
	FLAG("IDT", 62, "filters are PSCID and GSCID, not process_id and device_id"),
	FLAG("OF", 63, "the counter overflowed since software cleared this"),
};

static const struct riommu_field tr_req_iova_fields[] = {
	RESERVED(11, 0),
	PPN("vpn", 63, 12, "page of the IOVA to translate"),
};

static const struct riommu_field tr_req_ctl_fields[] = {
	FLAG("Go/Busy", 0, "a debug translation is going on"),
	FLAG("Priv", 1, "supervisor privilege; ignored without PV"),
	FLAG("Exe", 2, "translate for execute"),
	FLAG("NW", 3, "translate for reading only"),
	RESERVED(11, 4),
	HEX("PID", 31, 12, "process_id"),
	FLAG("PV", 32, "PID is valid"),
	RESERVED(35, 33),
	CUSTOM(39, 36),
	HEX("DID", 63, 40, "device_id"),
};

static const struct riommu_field tr_response_fields[] = {
	FLAG("fault", 0, "the translation faulted; PBMT, S and PPN then mean nothing"),
	RESERVED(6, 1),
	ENUM("PBMT", 8, 7, riommu_pbmt_names, "memory type"),
	FLAG("S", 9, "superpage: the lowest 0 bit of PPN encodes the size"),
	PPN("PPN", 53, 10, "page that the IOVA translates to"),
	RESERVED(59, 54),
	CUSTOM(63, 60),
};

static const struct riommu_field iommu_qosid_fields[] = {
	HEX("RCID", 11, 0, "resource control id of the IOMMU's own accesses"),
	RESERVED(15, 12),
	HEX("MCID", 27, 16, "monitoring counter id of the IOMMU's own accesses"),
	RESERVED(31, 28),
};

static const struct riommu_field icvec_fields[] = {
	NUMBER("civ", 3, 0, "vector of the command queue"),
	NUMBER("fiv", 7, 4, "vector of the fault queue"),
	NUMBER("pmiv", 11, 8, "vector of the performance counters"),
	NUMBER("piv", 15, 12, "vector of the page-request queue"),
	RESERVED(31, 16),
	CUSTOM(63, 32),
};

static const struct riommu_field msi_addr_fields[] = {
	RESERVED(1, 0),
	ADDR("ADDR", 55, 2, 2, "where the message is written"),
	RESERVED(63, 56),
};

static const struct riommu_field msi_data_fields[] = {
	HEX("data", 31, 0, "what is written"),
};

static const struct riommu_field msi_vec_ctl_fields[] = {
	FLAG("M", 0, "masked: the message waits"),
	RESERVED(31, 1),
};

static const struct riommu_layout capabilities_layout =
	LAYOUT("capabilities", 8, capabilities_fields, "what this IOMMU can do (6.3)");
static const struct riommu_layout fctl_layout =
	LAYOUT("fctl", 4, fctl_fields, "features control (6.4)");
static const struct riommu_layout ddtp_layout =
	LAYOUT("ddtp", 8, ddtp_fields, "device directory table pointer and mode (6.5)");
static const struct riommu_layout cqb_layout =
	LAYOUT("cqb", 8, queue_base_fields, "command queue base (6.6)");
static const struct riommu_layout cqh_layout =
	LAYOUT("cqh", 4, index_fields, "command queue head: next to be fetched (6.7)");
static const struct riommu_layout cqt_layout =
	LAYOUT("cqt", 4, index_fields, "command queue tail: next to be written (6.8)");
static const struct riommu_layout fqb_layout =
	LAYOUT("fqb", 8, queue_base_fields, "fault queue base (6.9)");
static const struct riommu_layout fqh_layout =
	LAYOUT("fqh", 4, index_fields, "fault queue head: next to be read by software (6.10)");
static const struct riommu_layout fqt_layout =
	LAYOUT("fqt", 4, index_fields, "fault queue tail: next to be written (6.11)");
static const struct riommu_layout pqb_layout =
	LAYOUT("pqb", 8, queue_base_fields, "page-request queue base (6.12)");
static const struct riommu_layout pqh_layout = LAYOUT(
	"pqh", 4, index_fields, "page-request queue head: next to be read by software (6.13)");
static const struct riommu_layout pqt_layout =
	LAYOUT("pqt", 4, index_fields, "page-request queue tail: next to be written (6.14)");
static const struct riommu_layout cqcsr_layout =
	LAYOUT("cqcsr", 4, cqcsr_fields, "command queue control and status (6.15)");
static const struct riommu_layout fqcsr_layout =
	LAYOUT("fqcsr", 4, fqcsr_fields, "fault queue control and status (6.16)");
static const struct riommu_layout pqcsr_layout =
	LAYOUT("pqcsr", 4, pqcsr_fields, "page-request queue control and status (6.17)");
static const struct riommu_layout ipsr_layout =
	LAYOUT("ipsr", 4, ipsr_fields, "pending interrupts (6.18)");
static const struct riommu_layout iocountovf_layout =
	LAYOUT("iocountovf", 4, iocountovf_fields, "counters that overflowed (6.19)");
static const struct riommu_layout iocountinh_layout =
	LAYOUT("iocountinh", 4, iocountinh_fields, "counters that stand still (6.20)");
static const struct riommu_layout iohpmcycles_layout =
	LAYOUT("iohpmcycles", 8, iohpmcycles_fields, "cycles counter (6.21)");
static const struct riommu_layout iohpmctr_layout =
	LAYOUT("iohpmctr", 8, iohpmctr_fields, "event counter (6.22)");
static const struct riommu_layout iohpmevt_layout =
	LAYOUT("iohpmevt", 8, iohpmevt_fields, "event selector (6.23)");
static const struct riommu_layout tr_req_iova_layout =
	LAYOUT("tr_req_iova", 8, tr_req_iova_fields, "debug translation: address (6.24)");
static const struct riommu_layout tr_req_ctl_layout =
	LAYOUT("tr_req_ctl", 8, tr_req_ctl_fields, "debug translation: request (6.25)");
static const struct riommu_layout tr_response_layout =
	LAYOUT("tr_response", 8, tr_response_fields, "debug translation: answer (6.26)");
static const struct riommu_layout iommu_qosid_layout =
	LAYOUT("iommu_qosid", 4, iommu_qosid_fields, "quality of service of own accesses (6.27)");
static const struct riommu_layout icvec_layout =
	LAYOUT("icvec", 8, icvec_fields, "interrupt cause to vector (6.28)");
static const struct riommu_layout msi_addr_layout =
	LAYOUT("msi_addr", 8, msi_addr_fields, "address of an interrupt message (6.29)");
static const struct riommu_layout msi_data_layout =
	LAYOUT("msi_data", 4, msi_data_fields, "data of an interrupt message (6.29)");
static const struct riommu_layout msi_vec_ctl_layout = LAYOUT(
	"msi_vec_ctl", 4, msi_vec_ctl_fields, "vector control of an interrupt message (6.29)");

#define REG(n, at, bytes, when)                                       \
	{                                                             \
#n, at, bytes, RIOMMU_PRESENT_##when, -1, &n##_layout \
	}
#define NUMBERED(n, sep, i, at, bytes, when)                                \
	{                                                                   \
#n sep #i, at, bytes, RIOMMU_PRESENT_##when, i, &n##_layout \
	}

#define CTR(i) NUMBERED(iohpmctr, "", i, RIOMMU_REG_IOHPMCTR + 8 * ((i)-1), 8, HPM)
#define EVT(i) NUMBERED(iohpmevt, "", i, RIOMMU_REG_IOHPMEVT + 8 * ((i)-1), 8, HPM)
#define MSI(i)                                                                             \
	NUMBERED(msi_addr, "_", i, RIOMMU_REG_MSI_CFG_TBL + 16 * (i), 8, MSI),             \
		NUMBERED(msi_data, "_", i, RIOMMU_REG_MSI_CFG_TBL + 16 * (i) + 8, 4, MSI), \
		NUMBERED(msi_vec_ctl, "_", i, RIOMMU_REG_MSI_CFG_TBL + 16 * (i) + 12, 4, MSI)

static const struct riommu_reg registers[] = {
	REG(capabilities, RIOMMU_REG_CAPABILITIES, 8, ALWAYS),
	REG(fctl, RIOMMU_REG_FCTL, 4, ALWAYS), REG(ddtp, RIOMMU_REG_DDTP, 8, ALWAYS),
	REG(cqb, RIOMMU_REG_CQB, 8, ALWAYS), REG(cqh, RIOMMU_REG_CQH, 4, ALWAYS),
	REG(cqt, RIOMMU_REG_CQT, 4, ALWAYS), REG(fqb, RIOMMU_REG_FQB, 8, ALWAYS),
	REG(fqh, RIOMMU_REG_FQH, 4, ALWAYS), REG(fqt, RIOMMU_REG_FQT, 4, ALWAYS),
	REG(pqb, RIOMMU_REG_PQB, 8, ATS), REG(pqh, RIOMMU_REG_PQH, 4, ATS),
	REG(pqt, RIOMMU_REG_PQT, 4, ATS), REG(cqcsr, RIOMMU_REG_CQCSR, 4, ALWAYS),
	REG(fqcsr, RIOMMU_REG_FQCSR, 4, ALWAYS), REG(pqcsr, RIOMMU_REG_PQCSR, 4, ATS),
	REG(ipsr, RIOMMU_REG_IPSR, 4, ALWAYS), REG(iocountovf, RIOMMU_REG_IOCOUNTOVF, 4, HPM),
	REG(iocountinh, RIOMMU_REG_IOCOUNTINH, 4, HPM),
	REG(iohpmcycles, RIOMMU_REG_IOHPMCYCLES, 8, HPM),
	/* clang-format off */
	CTR(1), CTR(2), CTR(3), CTR(4), CTR(5), CTR(6), CTR(7), CTR(8), CTR(9), CTR(10), CTR(11),
	CTR(12), CTR(13), CTR(14), CTR(15), CTR(16), CTR(17), CTR(18), CTR(19), CTR(20), CTR(21),
	CTR(22), CTR(23), CTR(24), CTR(25), CTR(26), CTR(27), CTR(28), CTR(29), CTR(30), CTR(31),
	EVT(1), EVT(2), EVT(3), EVT(4), EVT(5), EVT(6), EVT(7), EVT(8), EVT(9), EVT(10), EVT(11),
	EVT(12), EVT(13), EVT(14), EVT(15), EVT(16), EVT(17), EVT(18), EVT(19), EVT(20), EVT(21),
	EVT(22), EVT(23), EVT(24), EVT(25), EVT(26), EVT(27), EVT(28), EVT(29), EVT(30), EVT(31),
	/* clang-format on */
	REG(tr_req_iova, RIOMMU_REG_TR_REQ_IOVA, 8, DBG),
	REG(tr_req_ctl, RIOMMU_REG_TR_REQ_CTL, 8, DBG),
	REG(tr_response, RIOMMU_REG_TR_RESPONSE, 8, DBG),
	REG(iommu_qosid, RIOMMU_REG_IOMMU_QOSID, 4, QOSID), REG(icvec, RIOMMU_REG_ICVEC, 8, ALWAYS),
	/* clang-format off */
	MSI(0), MSI(1), MSI(2), MSI(3), MSI(4), MSI(5), MSI(6), MSI(7),
	MSI(8), MSI(9), MSI(10), MSI(11), MSI(12), MSI(13), MSI(14), MSI(15),
	/* clang-format on */
};

_Static_assert(RIOMMU_ARRAY_SIZE(registers) == RIOMMU_REG_COUNT, "a register is missing");

const struct riommu_reg *riommu_registers(void)
{
	return registers;
}

int riommu_reg_by_offset(uint32_t offset)
{
	int low = 0, high = RIOMMU_REG_COUNT - 1;

	while (low <= high) {
		int middle = low + (high - low) / 2;

		if (registers[middle].offset == offset)
			return middle;
		if (registers[middle].offset < offset)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

int riommu_reg_by_name(const char *name)
{
	for (int i = 0; i < RIOMMU_REG_COUNT; i++)
		if (strcasecmp(registers[i].name, name) == 0)
			return i;
	return -1;
}

static unsigned igs_of(uint64_t capabilities)
{
	return (unsigned)riommu_bits(capabilities, 29, 28);
}

bool riommu_reg_present(const struct riommu_reg *reg, uint64_t capabilities)
{
	switch ((enum riommu_reg_presence)reg->presence) {
	case RIOMMU_PRESENT_ALWAYS:
		return true;
	case RIOMMU_PRESENT_ATS:
		return capabilities & RIOMMU_CAP_ATS;
	case RIOMMU_PRESENT_HPM:
		return capabilities & RIOMMU_CAP_HPM;
	case RIOMMU_PRESENT_DBG:
		return capabilities & RIOMMU_CAP_DBG;
	case RIOMMU_PRESENT_QOSID:
		return capabilities & RIOMMU_CAP_QOSID;
	case RIOMMU_PRESENT_MSI:
		return igs_of(capabilities) == RIOMMU_IGS_MSI ||
		       igs_of(capabilities) == RIOMMU_IGS_BOTH;
	}
	return false;
}

bool riommu_capabilities_plausible(uint64_t capabilities)
{
	return riommu_bits(capabilities, 7, 4) == 1 && igs_of(capabilities) <= RIOMMU_IGS_BOTH &&
	       !riommu_layout_reserved(&capabilities_layout, capabilities);
}

bool riommu_tr_response_range(uint64_t response, uint64_t *base, uint64_t *size)
{
	uint64_t ppn = riommu_bits(response, 53, 10);
	unsigned lowest_zero = (unsigned)__builtin_ctzll(~ppn);

	*size = RIOMMU_PAGE_SIZE;
	if (riommu_bit(response, 9)) {
		if (lowest_zero >= 44)
			return false;
		*size <<= lowest_zero + 1;
	}
	*base = (ppn << RIOMMU_PAGE_SHIFT) & ~(*size - 1);
	return true;
}

const char *riommu_ddtp_mode_name(uint64_t ddtp)
{
	return riommu_field_value_name(&ddtp_fields[0], ddtp);
}
