/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fault causes and transaction types (specification, 4.2 "Fault/Event-Queue"). */
#include "spec/causes.h"
#include "spec/field-internal.h"

#include "base/base.h"

#define CAUSE_CUSTOM_FIRST 2048
#define CAUSE_LAST         4095
#define TTYP_CUSTOM_FIRST  32 /* the specification lists 31 both as reserved and as custom */
#define TTYP_LAST          63

/* By ascending code. The third column: reported even when DC.tc.DTF is 1. */
static const struct riommu_cause causes[] = {
	{1, false, "Instruction access fault",
	 "a page-table entry or the page itself cannot be accessed, or a fetch hit an MSI page"},
	{4, false, "Read address misaligned", "the device read at an address that is not aligned"},
	{5, false, "Read access fault",
	 "a page-table entry needed for a read lies outside physical memory or is protected"},
	{6, false, "Write/AMO address misaligned",
	 "the device wrote at an address that is not aligned"},
	{7, false, "Write/AMO access fault",
	 "a page-table entry needed for a write lies outside physical memory or is protected"},
	{12, false, "Instruction page fault",
	 "the first stage does not let the device execute at this address"},
	{13, false, "Read page fault", "the first stage does not let the device read this address"},
	{15, false, "Write/AMO page fault",
	 "the first stage does not let the device write this address"},
	{20, false, "Instruction guest page fault",
	 "the second stage does not map what a fetch needs; iotval2 has the guest address"},
	{21, false, "Read guest page fault",
	 "the second stage does not map what a read needs; iotval2 has the guest address"},
	{23, false, "Write/AMO guest page fault",
	 "the second stage does not map what a write needs; iotval2 has the guest address"},
	{256, true, "All inbound transactions disallowed",
	 "ddtp.iommu_mode is Off: the IOMMU refuses every device"},
	{257, true, "DDT entry load access fault",
	 "the device directory entry cannot be read: its address is outside memory or protected"},
	{258, true, "DDT entry not valid",
	 "the device has no device context: it is blocked, or the system does not know it"},
	{259, true, "DDT entry misconfigured",
	 "the device context breaks a rule of the specification or uses what is not implemented"},
	{260, false, "Transaction type disallowed",
	 "the device context (or mode Bare) does not allow this kind of request"},
	{261, false, "MSI PTE load access fault",
	 "the MSI page-table entry cannot be read: its address is outside memory or protected"},
	{262, false, "MSI PTE not valid",
	 "the interrupt file that the device writes to is not mapped"},
	{263, false, "MSI PTE misconfigured",
	 "the MSI page-table entry breaks a rule of the specification or uses what is not "
	 "implemented"},
	{264, false, "MRIF access fault", "the memory-resident interrupt file cannot be accessed"},
	{265, false, "PDT entry load access fault",
	 "the process directory entry cannot be read: its address is outside memory or protected"},
	{266, false, "PDT entry not valid", "the process_id has no process context"},
	{267, false, "PDT entry misconfigured",
	 "the process context breaks a rule of the specification or uses what is not implemented"},
	{268, true, "DDT data corruption",
	 "memory reported an error while the device directory was read"},
	{269, false, "PDT data corruption",
	 "memory reported an error while the process directory was read"},
	{270, false, "MSI PT data corruption",
	 "memory reported an error while the MSI page table was read"},
	{271, false, "MSI MRIF data corruption",
	 "memory reported an error in a memory-resident interrupt file"},
	{272, true, "Internal data path error", "the IOMMU found an error inside itself"},
	{273, true, "IOMMU MSI write access fault",
	 "the IOMMU's own interrupt message was refused; iotval is the address it went to"},
	{274, false, "First/second-stage PT data corruption",
	 "memory reported an error while a page table was read"},
};

const struct riommu_value_name riommu_ttyp_names[] = {
	{RIOMMU_TTYP_NONE, "none"},
	{RIOMMU_TTYP_UNTRANSLATED_EXEC, "untranslated read for execute"},
	{RIOMMU_TTYP_UNTRANSLATED_READ, "untranslated read"},
	{RIOMMU_TTYP_UNTRANSLATED_WRITE, "untranslated write/AMO"},
	{RIOMMU_TTYP_TRANSLATED_EXEC, "translated read for execute"},
	{RIOMMU_TTYP_TRANSLATED_READ, "translated read"},
	{RIOMMU_TTYP_TRANSLATED_WRITE, "translated write/AMO"},
	{RIOMMU_TTYP_ATS, "PCIe ATS translation request"},
	{RIOMMU_TTYP_MESSAGE, "PCIe message request"},
	{0, NULL},
};

const struct riommu_cause *riommu_cause(unsigned code)
{
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(causes); i++)
		if (causes[i].code == code)
			return &causes[i];
	return NULL;
}

const char *riommu_cause_name(unsigned code)
{
	const struct riommu_cause *cause = riommu_cause(code);

	if (cause)
		return cause->name;
	return code >= CAUSE_CUSTOM_FIRST && code <= CAUSE_LAST ? "custom" : "reserved";
}

const char *riommu_ttyp_name(unsigned ttyp)
{
	for (const struct riommu_value_name *n = riommu_ttyp_names; n->name; n++)
		if (n->value == ttyp)
			return n->name;
	return ttyp >= TTYP_CUSTOM_FIRST && ttyp <= TTYP_LAST ? "custom" : "reserved";
}
