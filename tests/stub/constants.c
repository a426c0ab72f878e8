/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The numbers of our headers for the assembler, which knows no enum: prints them as #define lines (tests/stub/assemble). */
#include "handover/handover-internal.h"
#include "spec/registers.h"

#include <stdio.h>

#define AS(name, value) printf("#define %s %#llx\n", #name, (unsigned long long)(value))
#define REG(name)       AS(REG_##name, RIOMMU_REG_##name)
#define AT(name)        AS(AT_##name, RIOMMU_RECORD_AT_##name)
#define STATUS(name)    AS(STATUS_##name, RIOMMU_RECORD_##name)
#define STUB(name)      AS(STUB_##name, RIOMMU_STUB_##name)
#define MAGIC(i)        AS(MAGIC_##i, riommu_get32(&RIOMMU_RECORD_MAGIC[4 * (i)], false))

int main(void)
{
	REG(CAPABILITIES);
	REG(FCTL);
	REG(DDTP);
	REG(CQB);
	REG(CQH);
	REG(CQT);
	REG(FQB);
	REG(FQH);
	REG(FQT);
	REG(PQB);
	REG(PQH);
	REG(PQT);
	REG(CQCSR);
	REG(FQCSR);
	REG(PQCSR);
	REG(IPSR);
	REG(TR_REQ_CTL);
	AS(DDTP_BUSY, RIOMMU_DDTP_BUSY);

	MAGIC(0);
	MAGIC(1);
	MAGIC(2);
	MAGIC(3);
	AS(RECORD_VERSION, RIOMMU_RECORD_VERSION);
	AS(RECORD_MAX, RIOMMU_RECORD_MAX);
	AS(RECORD_HEAD, RIOMMU_RECORD_HEAD);
	AS(RECORD_ENTRY, RIOMMU_RECORD_ENTRY);
	AS(RECORD_ENTRY_SHIFT, __builtin_ctz(RIOMMU_RECORD_ENTRY));

	AS(FDT_MAX, RIOMMU_FDT_MAX);
	AS(FDT_MAGIC, (int32_t)RIOMMU_STUB_FDT_MAGIC); /* as lw extends it */
	AS(FDT_VERSION, RIOMMU_STUB_FDT_VERSION);
	AS(FDT_PROP, RIOMMU_STUB_FDT_PROP);
	AT(VERSION);
	AT(SIZE);
	AT(CAPACITY);
	AT(STATE);
	STATUS(ENTERED);
	STATUS(FINISHED);

	AT(BASE);
	AT(POLICY);
	AT(STATUS);
	AT(CAPABILITIES);
	AT(DDTP_OLD);
	AT(DDTP_NEW);
	AT(CQB);
	AT(FQB);
	AT(PQB);
	AT(FCTL);
	AT(CQH);
	AT(CQT);
	AT(FQH);
	AT(FQT);
	AT(PQH);
	AT(PQT);
	AT(CQCSR);
	AT(FQCSR);
	AT(PQCSR);
	AT(IPSR);
	AT(TICKS);
	STATUS(BLOCKED);
	STATUS(LEFT);
	STATUS(TRAP);
	STATUS(NOT_IOMMU);
	STATUS(BUSY_BEFORE);
	STATUS(BUSY_AFTER);
	STATUS(MODE_KEPT);
	STATUS(QUEUE_ON);

	STUB(AT_COUNT);
	STUB(AT_TARGET);
	STUB(AT_TABLE);
	STUB(ENTRY_BASE);
	STUB(ENTRY_CAPABILITIES);
	STUB(ENTRY_POLICY);
	STUB(ENTRY);
	STUB(SSTATUS_SDT);
	STUB(CAPABILITIES_MASK);
	STUB(CAPABILITIES_WANT);
	STUB(DDTP_RESERVED);
	STUB(QUEUE_ON);
	STUB(QUEUE_BUSY);
	STUB(TR_REQ_GO);
	STUB(POLLS);
	return 0;
}
