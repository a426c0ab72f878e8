/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check: a machine on which no rule finds anything, and for each rule what has to be wrong with it. Values are the specification's;
 * "facts" are where a rule of it is numbered.
 */
#include "check/check-internal.h"
#include "queue/queue.h"
#include "runner.h"
#include "tables.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

/* Three devices: a first stage, a guest with an MSI table, and a process directory. */
#define HOST      5u
#define GUEST_DEV 6u
#define PROCESSES 7u
#define OTHER     8u /* has no context until a case makes one */

#define DATA          0x100000000u /* what devices may reach */
#define KERNEL        0x90000000u
#define CRASH         0xa0000000u
#define FIRMWARE      0xb0000000u
#define BEYOND        BIT(PAS)
#define CQ            0x81000000u
#define FQ            0x81010000u
#define PQ            0x81020000u
#define RW_LEAF(pa)   (LEAF(pa) & ~RIOMMU_PTE_X)
#define IOVA          0x1000u  /* mapped in each first stage; 0x2000 is free */
#define ON            0x10003u /* en, ie, on */
#define MSI_MODE_FLAT ((uint64_t)3 << 1)
#define MSI_MODE_MRIF ((uint64_t)1 << 1)
#define VECTOR(i)     (RIOMMU_REG_MSI_CFG_TBL + 16 * (i))

static struct riommu_system sys;
static struct riommu_iommu *iommu;
static struct riommu_device devices[8];
static struct riommu_region regions[8];

/* The three contexts, and where their tables are. */
static uint64_t host[RIOMMU_DC_DWORDS], guest[RIOMMU_DC_DWORDS], processes[RIOMMU_DC_DWORDS];
static struct stage host_stage, guest_stage, process_tables;
static uint64_t msi, pc;

struct found {
	char id[40], message[400];
	uint32_t device_id, process_id;
	bool has_device, has_process;
	uint64_t address, count;
};
static struct found found[400];
static size_t found_count;
static struct riommu_rule_outcome outcomes[RIOMMU_RULE_COUNT];
static char reasons[RIOMMU_RULE_COUNT][200];
static size_t outcome_count;

/* -- the machine -------------------------------------------------------------------------------- */

static void set(uint32_t offset, uint64_t value)
{
	int i = riommu_reg_by_offset(offset);

	ck_assert_int_ge(i, 0);
	iommu->value[i] = value;
	iommu->state[i] = RIOMMU_REG_KNOWN;
}

static uint64_t get(uint32_t offset)
{
	return iommu->value[riommu_reg_by_offset(offset)];
}

static void forget(uint32_t offset, enum riommu_reg_state state)
{
	iommu->state[riommu_reg_by_offset(offset)] = (uint8_t)state;
}

static void capabilities(uint64_t on, uint64_t off)
{
	set(RIOMMU_REG_CAPABILITIES, (get(RIOMMU_REG_CAPABILITIES) & ~off) | on);
}

static void put_dc(uint32_t device_id, const uint64_t *dw)
{
	for (unsigned i = 0; i < RIOMMU_DC_DWORDS; i++)
		memory_put64(m.memory, ROOT + 64 * (uint64_t)device_id + 8 * (uint64_t)i, dw[i],
			     false);
}

static void add_device(uint32_t device_id)
{
	struct riommu_device *d = &devices[sys.device_count++];

	*d = (struct riommu_device){.device_id = device_id};
	snprintf(d->name, sizeof(d->name), "0000:00:%02x.0", device_id);
}

static void add_region(uint64_t start, uint64_t end, const char *name)
{
	struct riommu_region *r = &regions[sys.region_count++];

	r->start = start;
	r->end = end;
	snprintf(r->name, sizeof(r->name), "%s", name);
}

static void begin_context(uint64_t tc)
{
	memset(m.dw, 0, sizeof(m.dw));
	m.dw[RIOMMU_DC_TC] = tc;
}

static void build_host(void)
{
	begin_context(RIOMMU_TC_V);
	host_stage = first_stage(RIOMMU_FSC_SV39);
	map(&host_stage, IOVA, 0, RW_LEAF(DATA));
	m.dw[RIOMMU_DC_TA] = 1 << 12;
	memcpy(host, m.dw, sizeof(host));
	put_dc(HOST, host);
}

static void build_guest(void)
{
	begin_context(RIOMMU_TC_V);
	guest_stage = second_stage(RIOMMU_HGATP_SV39X4);
	m.dw[RIOMMU_DC_IOHGATP] |= (uint64_t)3 << 44;
	map(&guest_stage, 0, 1, RW_LEAF(DATA + 0x200000));
	msi = msi_table(0x28000000);
	put_msi_pte(msi, PTE(0x24000000) | MSI_MODE_FLAT | 1, 0);
	put_msi_pte(msi + 16, (DATA >> 2) | MSI_MODE_MRIF | 1, PTE(0x24001000) | 5);
	memcpy(guest, m.dw, sizeof(guest));
	put_dc(GUEST_DEV, guest);
}

/* Requests without a process_id are those of process 0, or they would pass untranslated. */
static void build_processes(void)
{
	uint64_t fsc;

	begin_context(RIOMMU_TC_V);
	process_tables = process_stage(RIOMMU_FSC_SV48, &fsc);
	map(&process_tables, IOVA, 0, RW_LEAF(DATA + 0x10000));
	pc = process_context(RIOMMU_PDTP_PD8, 0, RIOMMU_PC_V | 2 << 12, fsc);
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_DPE;
	memcpy(processes, m.dw, sizeof(processes));
	put_dc(PROCESSES, processes);
}

static void build_registers(void)
{
	set(RIOMMU_REG_CAPABILITIES,
	    m.w.capabilities | RIOMMU_CAP_DBG | (uint64_t)RIOMMU_IGS_BOTH << 28);
	set(RIOMMU_REG_FCTL, 0);
	set(RIOMMU_REG_DDTP, m.w.ddtp);
	set(RIOMMU_REG_CQB, PTE(CQ) | 7);
	set(RIOMMU_REG_FQB, PTE(FQ) | 6);
	set(RIOMMU_REG_PQB, PTE(PQ) | 7);
	for (uint32_t i = RIOMMU_REG_CQH; i <= RIOMMU_REG_CQT; i += 4)
		set(i, 0);
	for (uint32_t i = RIOMMU_REG_FQH; i <= RIOMMU_REG_FQT; i += 4)
		set(i, 0);
	for (uint32_t i = RIOMMU_REG_PQH; i <= RIOMMU_REG_PQT; i += 4)
		set(i, 0);
	for (uint32_t i = RIOMMU_REG_CQCSR; i <= RIOMMU_REG_PQCSR; i += 4)
		set(i, ON);
	set(RIOMMU_REG_IPSR, 0);
	set(RIOMMU_REG_TR_REQ_IOVA, 0);
	set(RIOMMU_REG_TR_REQ_CTL, 0);
	set(RIOMMU_REG_TR_RESPONSE, 0);
	set(RIOMMU_REG_IOMMU_QOSID, 0);
	set(RIOMMU_REG_ICVEC, 0x2010); /* civ 0, fiv 1, pmiv 0, piv 2 */
	for (uint32_t i = 0; i < 3; i++) {
		set(VECTOR(i), 0x24000000 + i * 0x1000);
		set(VECTOR(i) + 8, i);
		set(VECTOR(i) + 12, 0);
	}
}

static void setup(void)
{
	machine_setup();
	iommu = calloc(1, sizeof(*iommu));
	ck_assert_ptr_nonnull(iommu);
	iommu->base = 0x3010000;
	strcpy(iommu->name, "test");
	sys = (struct riommu_system){.ctx = m.ctx,
				     .memory = m.w.memory,
				     .iommus = iommu,
				     .iommu_count = 1,
				     .devices = devices,
				     .regions = regions};
	build_registers();
	build_host();
	build_guest();
	build_processes();
	add_device(HOST);
	add_device(GUEST_DEV);
	add_device(PROCESSES);
	add_region(0x80000000, FIRMWARE - 1, "System RAM");
	add_region(KERNEL, KERNEL + 0xffffff, "Kernel code");
	add_region(CRASH, CRASH + 0xfffffff, "Crash kernel");
	add_region(FIRMWARE, FIRMWARE + 0xfffff, "Reserved");
	add_region(FIRMWARE + 0x1000000, 0x17fffffff, "System RAM");
}

static void teardown(void)
{
	free(iommu);
	machine_teardown();
}

/* -- the check ---------------------------------------------------------------------------------- */

static void take_finding(void *arg, const struct riommu_finding *f)
{
	struct found *to = &found[found_count];

	(void)arg;
	ck_assert_uint_lt(found_count++, RIOMMU_ARRAY_SIZE(found));
	snprintf(to->id, sizeof(to->id), "%s", f->rule->id);
	snprintf(to->message, sizeof(to->message), "%s", f->message);
	to->device_id = f->device_id;
	to->process_id = f->process_id;
	to->has_device = f->has_device;
	to->has_process = f->has_process;
	to->address = f->address;
	to->count = f->count;
}

static void take_outcome(void *arg, const struct riommu_rule_outcome *o)
{
	(void)arg;
	ck_assert_uint_lt(outcome_count, RIOMMU_RULE_COUNT);
	outcomes[outcome_count] = *o;
	snprintf(reasons[outcome_count], sizeof(reasons[0]), "%s", o->reason ? o->reason : "");
	outcome_count++;
}

static void check_bounded(uint64_t max)
{
	const struct riommu_check_args args = {
		.finding = take_finding, .outcome = take_outcome, .max_findings = max};

	found_count = outcome_count = 0;
	ck_assert_int_eq(riommu_check(&sys, 0, &args), 0);
	ck_assert_uint_eq(outcome_count, RIOMMU_RULE_COUNT);
}

static void check(void)
{
	check_bounded(0);
}

/* The first finding of a rule; NULL: none. */
static const struct found *finding(const char *id)
{
	for (size_t i = 0; i < found_count; i++)
		if (!strcmp(found[i].id, id))
			return &found[i];
	return NULL;
}

static const struct riommu_rule_outcome *outcome(const char *id)
{
	for (size_t i = 0; i < outcome_count; i++)
		if (!strcmp(outcomes[i].rule->id, id))
			return &outcomes[i];
	ck_abort_msg("no rule %s", id);
	return NULL;
}

static const char *reason(const char *id)
{
	return reasons[outcome(id) - outcomes];
}

#define expect_not_judged(id) ck_assert_int_eq(outcome(id)->verdict, RIOMMU_RULE_NOT_JUDGED)

/* -- a live machine: what registers say when they are read again ------------------------------------- */

static uint32_t moved_offset;
static uint64_t moved_value;

static int later_open(struct riommu_source *src, const char *path)
{
	(void)src;
	(void)path;
	return 0;
}

static int later_read(struct riommu_source *src, uint64_t base, uint32_t offset, unsigned width,
		      uint64_t *value)
{
	(void)src;
	(void)base;
	(void)width;
	*value = offset == moved_offset ? moved_value : get(offset);
	return 0;
}

static const struct riommu_source_ops later_ops = {
	.name = "later",
	.help = "registers of a test",
	.provides = RIOMMU_PROVIDES_REGISTERS,
	.open = later_open,
	.reg_read = later_read,
};

/* From now on the machine is live, and register OFFSET has VALUE when it is read again. */
static void live(uint32_t offset, uint64_t value)
{
	struct riommu_source *later;

	ck_assert_int_eq(riommu_source_open(m.ctx, &later_ops, NULL, &later), 0);
	ck_assert_int_eq(riommu_overlay_new(m.ctx, later, &sys.registers), 0);
	sys.live = true;
	moved_offset = offset;
	moved_value = value;
}

static void stays_live(void)
{
	live(0xfff, 0);
}

/* -- what has to be wrong: registers ------------------------------------------------------------------- */

static void version_2(void)
{
	capabilities(0x20, 0xff);
}

static void igs_3(void)
{
	capabilities((uint64_t)3 << 28, 0);
}

static void sv57_without_sv48(void)
{
	capabilities(0, RIOMMU_CAP_SV48);
}

static void wires_without_wires(void)
{
	capabilities(0, (uint64_t)3 << 28);
	set(RIOMMU_REG_FCTL, RIOMMU_FCTL_WSI);
}

static void reserved_bit_of_ipsr(void)
{
	set(RIOMMU_REG_IPSR, 1 << 5);
}

static void busy_stays(void)
{
	stays_live();
	set(RIOMMU_REG_CQCSR, ON | RIOMMU_QUEUE_BUSY);
}

static void ddtp_off(void)
{
	set(RIOMMU_REG_DDTP, PTE(ROOT) | RIOMMU_DDTP_OFF);
}

static void ddtp_bare(void)
{
	set(RIOMMU_REG_DDTP, PTE(ROOT) | RIOMMU_DDTP_BARE);
}

static void ddtp_mode_7(void)
{
	set(RIOMMU_REG_DDTP, PTE(ROOT) | 7);
}

static void ddtp_root_0(void)
{
	set(RIOMMU_REG_DDTP, RIOMMU_DDTP_1LVL);
}

/* -- queues ---------------------------------------------------------------------------------------------- */

static void cqmf(void)
{
	set(RIOMMU_REG_CQCSR, ON | BIT(8));
}

static void cmd_to(void)
{
	set(RIOMMU_REG_CQCSR, ON | BIT(9));
}

static void cmd_ill(void)
{
	set(RIOMMU_REG_CQCSR, ON | BIT(10));
}

static void commands_wait_while_off(void)
{
	set(RIOMMU_REG_CQT, 3);
	set(RIOMMU_REG_CQCSR, 0);
}

static void fqmf(void)
{
	set(RIOMMU_REG_FQCSR, ON | BIT(8));
}

static void fqof(void)
{
	set(RIOMMU_REG_FQCSR, ON | BIT(9));
}

static void fq_off(void)
{
	set(RIOMMU_REG_FQCSR, 0);
}

static void pqmf(void)
{
	set(RIOMMU_REG_PQCSR, ON | BIT(8));
}

static void pqof(void)
{
	set(RIOMMU_REG_PQCSR, ON | BIT(9));
}

static void enabled_and_not_on(void)
{
	set(RIOMMU_REG_PQCSR, RIOMMU_QUEUE_EN);
}

static void misaligned_ring(void)
{
	set(RIOMMU_REG_CQB, PTE(CQ + 0x1000) | 12); /* 8192 entries of 16 bytes */
}

static void index_past_the_end(void)
{
	set(RIOMMU_REG_FQH, 128);
}

/* -- interrupts ------------------------------------------------------------------------------------------- */

static void records_without_fie(void)
{
	set(RIOMMU_REG_FQT, 3);
	set(RIOMMU_REG_FQCSR, 0x10001);
}

static void masked_vector(void)
{
	set(VECTOR(1) + 12, 1);
}

static void vector_without_address(void)
{
	set(VECTOR(2), 0);
}

static void pending_for_long(void)
{
	stays_live();
	set(RIOMMU_REG_IPSR, 2);
}

static void pending_when_captured(void)
{
	set(RIOMMU_REG_IPSR, 2);
}

/* -- device directory --------------------------------------------------------------------------------------- */

static void empty_root(void)
{
	memset(memory_bytes(m.memory, ROOT), 0, RIOMMU_PAGE_SIZE);
}

/* A root above what is there, with ENTRY for device ids 0x40 to 0x7f. */
static void second_level(uint64_t entry)
{
	uint64_t root = new_pages(1);

	memory_put64(m.memory, root, POINTER(ROOT), false);
	memory_put64(m.memory, root + 8, entry, false);
	set(RIOMMU_REG_DDTP, PTE(root) | RIOMMU_DDTP_2LVL);
}

static void reserved_bit_of_ddte(void)
{
	second_level(POINTER(ROOT) | BIT(1));
}

static void ddte_beyond_pas(void)
{
	second_level(POINTER(BEYOND));
}

static void ddte_twice(void)
{
	second_level(POINTER(ROOT));
}

static void poisoned_directory(void)
{
	uint64_t page = new_pages(1);

	memory_poison(m.memory, page);
	second_level(POINTER(page));
}

/* -- device contexts: by the number of the rule (facts 2.5) --------------------------------------------------- */

static void host_tc(uint64_t bits)
{
	host[RIOMMU_DC_TC] |= bits;
	put_dc(HOST, host);
}

static void host_dw(enum riommu_dc_dword dword, uint64_t value)
{
	host[dword] = value;
	put_dc(HOST, host);
}

static void rule_1(void)
{
	host_tc(BIT(12));
}

static void rule_2(void)
{
	capabilities(0, RIOMMU_CAP_ATS | RIOMMU_CAP_T2GPA);
	host_tc(RIOMMU_TC_EN_ATS);
}

static void rule_3(void)
{
	host_tc(RIOMMU_TC_T2GPA);
}

static void rule_4(void)
{
	host_tc(RIOMMU_TC_EN_PRI);
}

static void rule_5(void)
{
	host_tc(RIOMMU_TC_EN_ATS | RIOMMU_TC_PRPR);
}

static void rule_6(void)
{
	capabilities(0, RIOMMU_CAP_T2GPA);
	host_tc(RIOMMU_TC_EN_ATS | RIOMMU_TC_T2GPA);
}

static void rule_7(void)
{
	host_tc(RIOMMU_TC_EN_ATS | RIOMMU_TC_T2GPA);
}

static void rule_8(void)
{
	processes[RIOMMU_DC_FSC] |= MODE(5);
	put_dc(PROCESSES, processes);
}

static void rule_9(void)
{
	host_dw(RIOMMU_DC_FSC, MODE(7));
}

static void rule_10(void)
{
	capabilities(0, RIOMMU_CAP_SV57);
	host_dw(RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV57));
}

static void rule_11(void)
{
	capabilities(0, RIOMMU_CAP_SV32);
	host_tc(RIOMMU_TC_SXL);
}

static void rule_12(void)
{
	host_tc(RIOMMU_TC_DPE);
}

static void rule_13(void)
{
	host_dw(RIOMMU_DC_IOHGATP, MODE(5));
}

static void rule_14(void)
{
	capabilities(0, RIOMMU_CAP_SV57X4);
	host_dw(RIOMMU_DC_IOHGATP, MODE(RIOMMU_HGATP_SV57X4));
}

static void rule_15(void)
{
	capabilities(0, RIOMMU_CAP_SV32X4);
	set(RIOMMU_REG_FCTL, RIOMMU_FCTL_GXL);
	host_tc(RIOMMU_TC_SXL);
	host_dw(RIOMMU_DC_IOHGATP, MODE(RIOMMU_HGATP_SV32X4));
}

static void rule_16(void)
{
	guest[RIOMMU_DC_MSIPTP] |= MODE(2);
	put_dc(GUEST_DEV, guest);
}

static void rule_17(void)
{
	guest[RIOMMU_DC_IOHGATP] |= 1;
	put_dc(GUEST_DEV, guest);
}

static void rule_18(void)
{
	capabilities(0, RIOMMU_CAP_AMO_HWAD);
	host_tc(RIOMMU_TC_SADE);
}

static void rule_19(void)
{
	capabilities(0, RIOMMU_CAP_END);
	host_tc(RIOMMU_TC_SBE);
}

static void rule_20(void)
{
	set(RIOMMU_REG_FCTL, RIOMMU_FCTL_GXL); /* and SXL is 0 */
}

static void rule_21(void)
{
	ck_assert_int_eq(riommu_option_set(m.ctx, "be_writable", "0"), 0);
	host_tc(RIOMMU_TC_SBE);
}

static void rule_23(void)
{
	host_dw(RIOMMU_DC_MSIPTP, guest[RIOMMU_DC_MSIPTP]);
}

static void context_beyond_pas(void)
{
	host_dw(RIOMMU_DC_FSC, MODE(RIOMMU_FSC_SV39) | BEYOND >> RIOMMU_PAGE_SHIFT);
}

static void hides_faults(void)
{
	host_tc(RIOMMU_TC_DTF);
}

static void both_stages_bare(void)
{
	host_dw(RIOMMU_DC_FSC, 0);
}

/* -- process directory ------------------------------------------------------------------------------------------ */

/* A directory of two levels whose second entry, for process ids 0x100 to 0x1ff, is ENTRY. */
static void second_pdt_level(uint64_t entry)
{
	uint64_t root = new_pages(1);

	memory_put64(m.memory, root, POINTER(pc), false);
	memory_put64(m.memory, root + 8, entry, false);
	processes[RIOMMU_DC_FSC] = MODE(RIOMMU_PDTP_PD17) | root >> RIOMMU_PAGE_SHIFT;
	put_dc(PROCESSES, processes);
}

static void reserved_bit_of_pdte(void)
{
	second_pdt_level(POINTER(pc) | BIT(9));
}

static void pdte_beyond_pas(void)
{
	second_pdt_level(POINTER(BEYOND));
}

static void pdte_twice(void)
{
	second_pdt_level(POINTER(pc));
}

static void put_process(uint64_t ta, uint64_t fsc)
{
	memory_put64(m.memory, pc + 16, ta, false);
	memory_put64(m.memory, pc + 24, fsc, false);
}

static void reserved_bit_of_pc(void)
{
	put_process(RIOMMU_PC_V | BIT(3), MODE(RIOMMU_FSC_SV39));
}

static void pc_mode_7(void)
{
	put_process(RIOMMU_PC_V, MODE(7));
}

static void pc_unsupported(void)
{
	capabilities(0, RIOMMU_CAP_SV57);
	put_process(RIOMMU_PC_V, MODE(RIOMMU_FSC_SV57));
}

static void pc_beyond_pas(void)
{
	put_process(RIOMMU_PC_V, MODE(RIOMMU_FSC_SV39) | BEYOND >> RIOMMU_PAGE_SHIFT);
}

/* -- MSI page tables --------------------------------------------------------------------------------------------- */

static void msi_table_misaligned(void)
{
	uint64_t pair = new_pages(2);

	new_pages(1);
	guest[RIOMMU_DC_MSI_ADDR_MASK] = 0x1ff; /* 512 entries of 16 bytes: 8 KiB */
	guest[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | (pair + 0x1000) >> RIOMMU_PAGE_SHIFT;
	put_dc(GUEST_DEV, guest);
}

static void msi_pte(uint64_t dw0, uint64_t dw1)
{
	put_msi_pte(msi + 32, dw0, dw1);
}

static void reserved_bit_of_msi_pte(void)
{
	msi_pte(PTE(0x24002000) | MSI_MODE_FLAT | 1 | BIT(54), 0);
}

static void msi_mode_2(void)
{
	msi_pte(PTE(0x24002000) | 2 << 1 | 1, 0);
}

static void mrif_without_mrif(void)
{
	capabilities(0, RIOMMU_CAP_MSI_MRIF);
}

static void custom_msi_pte(void)
{
	msi_pte(BIT(63) | MSI_MODE_FLAT | 1, 0);
}

static void msi_pte_beyond_pas(void)
{
	msi_pte(PTE(BEYOND) | MSI_MODE_FLAT | 1, 0);
}

/* -- ids ------------------------------------------------------------------------------------------------------------ */

static void same_pscid_other_table(void)
{
	begin_context(RIOMMU_TC_V);
	first_stage(RIOMMU_FSC_SV39);
	m.dw[RIOMMU_DC_TA] = host[RIOMMU_DC_TA];
	put_dc(OTHER, m.dw);
}

static void same_gscid_other_table(void)
{
	begin_context(RIOMMU_TC_V);
	second_stage(RIOMMU_HGATP_SV39X4);
	m.dw[RIOMMU_DC_IOHGATP] |= guest[RIOMMU_DC_IOHGATP] & riommu_mask(59, 44);
	put_dc(OTHER, m.dw);
}

static void same_table_other_pscid(void)
{
	uint64_t dw[RIOMMU_DC_DWORDS];

	memcpy(dw, host, sizeof(dw));
	dw[RIOMMU_DC_TA] = 77 << 12;
	put_dc(OTHER, dw);
}

/* -- devices -------------------------------------------------------------------------------------------------------- */

static void device_that_nobody_set_up(void)
{
	add_device(OTHER);
}

static void context_of_nobody(void)
{
	put_dc(OTHER, host);
}

/* -- page tables ------------------------------------------------------------------------------------------------------ */

static void leaf(uint64_t pte)
{
	map(&host_stage, 0x2000, 0, pte);
}

static void write_only_leaf(void)
{
	leaf(RW_LEAF(DATA) & ~RIOMMU_PTE_R);
}

static void leaf_without_u(void)
{
	leaf(RW_LEAF(DATA) & ~RIOMMU_PTE_U);
}

static void leaf_with_wx(void)
{
	leaf(LEAF(DATA));
}

static void leaf_beyond_pas(void)
{
	leaf(RW_LEAF(BEYOND));
}

static void pointer_beyond_pas(void)
{
	map(&host_stage, 0x40000000, 2, POINTER(BEYOND));
}

static void pointer_to_itself(void)
{
	map(&host_stage, 0x40000000, 2, POINTER(host_stage.root));
}

static void leaf_to_kernel(void)
{
	leaf(RW_LEAF(KERNEL + 0x5000));
}

static void leaf_to_tables(void)
{
	leaf(RW_LEAF(guest_stage.root + 0x1000));
}

static void leaf_to_queue(void)
{
	leaf(RW_LEAF(FQ));
}

static void leaf_to_crash_kernel(void)
{
	leaf(RW_LEAF(CRASH));
}

static void leaf_to_firmware(void)
{
	leaf(RW_LEAF(FIRMWARE + 0xff000));
}

static const struct {
	const char *id;
	void (*goes_wrong)(void);
} cases[] = {
	{"capabilities-version", version_2},
	{"capabilities-igs", igs_3},
	{"capabilities-modes", sv57_without_sv48},
	{"fctl-wsi", wires_without_wires},
	{"register-reserved-bits", reserved_bit_of_ipsr},
	{"register-busy", busy_stays},
	{"ddtp-off", ddtp_off},
	{"ddtp-bare", ddtp_bare},
	{"ddtp-mode", ddtp_mode_7},
	{"ddtp-root", ddtp_root_0},
	{"cq-memory-fault", cqmf},
	{"cq-timeout", cmd_to},
	{"cq-illegal-command", cmd_ill},
	{"cq-stuck", commands_wait_while_off},
	{"fq-memory-fault", fqmf},
	{"fq-overflow", fqof},
	{"fq-off", fq_off},
	{"pq-memory-fault", pqmf},
	{"pq-overflow", pqof},
	{"queue-not-on", enabled_and_not_on},
	{"queue-base", misaligned_ring},
	{"queue-index", index_past_the_end},
	{"interrupt-disabled", records_without_fie},
	{"interrupt-masked", masked_vector},
	{"interrupt-address", vector_without_address},
	{"interrupt-lost", pending_for_long},
	{"interrupt-pending", pending_when_captured},
	{"ddt-root-zero", empty_root},
	{"ddt-reserved-bits", reserved_bit_of_ddte},
	{"ddt-address", ddte_beyond_pas},
	{"ddt-loop", ddte_twice},
	{"memory-corrupt", poisoned_directory},
	{"dc-reserved-bits", rule_1},
	{"dc-ats-unsupported", rule_2},
	{"dc-t2gpa-without-ats", rule_3},
	{"dc-pri-without-ats", rule_4},
	{"dc-prpr-without-pri", rule_5},
	{"dc-t2gpa-unsupported", rule_6},
	{"dc-t2gpa-without-second-stage", rule_7},
	{"dc-pdtp-mode", rule_8},
	{"dc-first-stage-mode", rule_9},
	{"dc-first-stage-unsupported", rule_10},
	{"dc-sv32-unsupported", rule_11},
	{"dc-dpe-without-pdtv", rule_12},
	{"dc-second-stage-mode", rule_13},
	{"dc-second-stage-unsupported", rule_14},
	{"dc-sv32x4-unsupported", rule_15},
	{"dc-msiptp-mode", rule_16},
	{"dc-second-stage-alignment", rule_17},
	{"dc-ad-update-unsupported", rule_18},
	{"dc-endianness-unsupported", rule_19},
	{"dc-sxl", rule_20},
	{"dc-sbe", rule_21},
	{"dc-msiptp-without-second-stage", rule_23},
	{"dc-address", context_beyond_pas},
	{"dc-faults-hidden", hides_faults},
	{"identity", both_stages_bare},
	{"pdt-reserved-bits", reserved_bit_of_pdte},
	{"pdt-address", pdte_beyond_pas},
	{"pdt-loop", pdte_twice},
	{"pc-reserved-bits", reserved_bit_of_pc},
	{"pc-first-stage-mode", pc_mode_7},
	{"pc-first-stage-unsupported", pc_unsupported},
	{"pc-address", pc_beyond_pas},
	{"msi-table-alignment", msi_table_misaligned},
	{"msi-reserved-bits", reserved_bit_of_msi_pte},
	{"msi-mode", msi_mode_2},
	{"msi-mrif-unsupported", mrif_without_mrif},
	{"msi-custom", custom_msi_pte},
	{"msi-address", msi_pte_beyond_pas},
	{"pscid-conflict", same_pscid_other_table},
	{"gscid-conflict", same_gscid_other_table},
	{"tables-several-ids", same_table_other_pscid},
	{"device-without-context", device_that_nobody_set_up},
	{"context-without-device", context_of_nobody},
	{"pte-malformed", write_only_leaf},
	{"pte-unusable", leaf_without_u},
	{"pte-writable-executable", leaf_with_wx},
	{"pte-address", leaf_beyond_pas},
	{"table-address", pointer_beyond_pas},
	{"table-loop", pointer_to_itself},
	{"reach-kernel-text", leaf_to_kernel},
	{"reach-iommu-tables", leaf_to_tables},
	{"reach-iommu-queues", leaf_to_queue},
	{"reach-crash-kernel", leaf_to_crash_kernel},
	{"reach-reserved", leaf_to_firmware},
};

START_TEST(a_machine_with_nothing_wrong_gives_no_finding)
{
	check();
	for (size_t i = 0; i < found_count; i++)
		ck_abort_msg("%s: %s", found[i].id, found[i].message);
	for (size_t i = 0; i < outcome_count; i++) {
		/* a capture cannot lose an interrupt: it only has it pending */
		if (!strcmp(outcomes[i].rule->id, "interrupt-lost"))
			continue;
		ck_assert_msg(outcomes[i].verdict == RIOMMU_RULE_PASSED, "%s: verdict %d: %s",
			      outcomes[i].rule->id, outcomes[i].verdict, reasons[i]);
	}
}
END_TEST

START_TEST(a_rule_finds_what_it_is_for)
{
	const char *id = cases[_i].id;

	cases[_i].goes_wrong();
	check();
	ck_assert_msg(finding(id) != NULL, "%s finds nothing", id);
	ck_assert_int_eq(outcome(id)->verdict, RIOMMU_RULE_FOUND);
	ck_assert_uint_ge(outcome(id)->found, 1);
	riommu_source_close(sys.registers);
}
END_TEST

/* -- a rule that has several ways to be broken -------------------------------------------------------------- */

static void sv48_without_sv39(void)
{
	capabilities(0, RIOMMU_CAP_SV39);
}

static void mrif_without_flat(void)
{
	capabilities(RIOMMU_CAP_MSI_MRIF, RIOMMU_CAP_MSI_FLAT);
}

static void t2gpa_without_ats(void)
{
	capabilities(RIOMMU_CAP_T2GPA, RIOMMU_CAP_ATS);
}

static void pas_57(void)
{
	capabilities((uint64_t)57 << 32, (uint64_t)0x3f << 32);
}

static void messages_without_messages(void)
{
	capabilities((uint64_t)RIOMMU_IGS_WSI << 28, (uint64_t)3 << 28);
}

static void on_and_not_enabled(void)
{
	set(RIOMMU_REG_FQCSR, RIOMMU_QUEUE_ON);
}

static void ring_too_large(void)
{
	set(RIOMMU_REG_CQB, PTE(CQ) | 31);
}

static void ring_beyond_pas(void)
{
	set(RIOMMU_REG_FQB, PTE(BEYOND) | 6);
}

static void ring_at_0(void)
{
	set(RIOMMU_REG_PQB, 7);
}

static void stopped_by_an_error(void)
{
	set(RIOMMU_REG_CQCSR, ON | BIT(9));
	set(RIOMMU_REG_CQT, 1);
}

static void notice_beyond_pas(void)
{
	put_msi_pte(msi + 16, (DATA >> 2) | MSI_MODE_MRIF | 1, PTE(BEYOND) | 5);
}

static void poisoned_msi_table(void)
{
	memory_poison(m.memory, msi);
}

static void root_beyond_pas(void)
{
	set(RIOMMU_REG_DDTP, PTE(BEYOND) | RIOMMU_DDTP_1LVL);
}

static void busy_when_captured(void)
{
	set(RIOMMU_REG_DDTP, get(RIOMMU_REG_DDTP) | RIOMMU_DDTP_BUSY);
}

static void reserved_bit_of_fsc(void)
{
	put_process(RIOMMU_PC_V, MODE(RIOMMU_FSC_SV39) | BIT(50));
}

static void reserved_bit_of_mrif(void)
{
	put_msi_pte(msi + 16, (DATA >> 2) | MSI_MODE_MRIF | 1 | BIT(54), PTE(0x24001000) | 5);
}

static void msi_table_beyond_pas(void)
{
	guest[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | BEYOND >> RIOMMU_PAGE_SHIFT;
	put_dc(GUEST_DEV, guest);
}

static void second_stage_beyond_pas(void)
{
	guest[RIOMMU_DC_IOHGATP] = MODE(RIOMMU_HGATP_SV39X4) | BEYOND >> RIOMMU_PAGE_SHIFT;
	put_dc(GUEST_DEV, guest);
}

static void one_record_without_fie(void)
{
	set(RIOMMU_REG_FQT, 1);
	set(RIOMMU_REG_FQCSR, 0x10001);
}

static void an_index_past_the_end_without_fie(void)
{
	set(RIOMMU_REG_FQT, 0x2002);
	set(RIOMMU_REG_FQCSR, 0x10001);
}

static void same_second_stage_other_gscid(void)
{
	uint64_t dw[RIOMMU_DC_DWORDS];

	memcpy(dw, guest, sizeof(dw));
	dw[RIOMMU_DC_IOHGATP] ^= (uint64_t)1 << 44;
	put_dc(OTHER, dw);
}

static void fetches_from_kernel(void)
{
	leaf(LEAF(KERNEL) & ~(RIOMMU_PTE_R | RIOMMU_PTE_W));
}

/* The page below entry 0 is this very page: one entry leads to a table that leads to it. */
static void one_pointer_to_its_own_table(void)
{
	uint64_t at = slot(&host_stage, 0x40000000, 1);

	memory_put64(m.memory, at, POINTER(at & ~RIOMMU_PAGE_MASK), false);
}

static const struct {
	const char *id, *words;
	void (*goes_wrong)(void);
} more_cases[] = {
	{"capabilities-modes", "Sv48 is 1 and Sv39 is 0", sv48_without_sv39},
	{"capabilities-modes", "MSI_MRIF is 1 and MSI_FLAT is 0", mrif_without_flat},
	{"capabilities-modes", "T2GPA is 1 and ATS is 0", t2gpa_without_ats},
	{"capabilities-modes", "PAS is 57, more than 56", pas_57},
	{"fctl-wsi", "wires only", messages_without_messages},
	{"queue-not-on", "is on and not enabled", on_and_not_enabled},
	{"queue-base", "more than an index can reach", ring_too_large},
	{"queue-base", "past the physical address space", ring_beyond_pas},
	{"queue-base", "enabled at address 0", ring_at_0},
	{"cq-stuck", "1 command is waiting from index 0 on, and it stopped with an error",
	 stopped_by_an_error},
	{"msi-address", "the notice of interrupt file", notice_beyond_pas},
	{"memory-corrupt", "the MSI page table", poisoned_msi_table},
	{"register-busy", "ddtp.busy is 1", busy_when_captured},
	{"ddt-address", "is beyond the physical address space", root_beyond_pas},
	{"pc-reserved-bits", "reserved", reserved_bit_of_fsc},
	{"msi-reserved-bits", "interrupt file 0x1", reserved_bit_of_mrif},
	{"msi-address", "the table has no memory", msi_table_beyond_pas},
	{"dc-address", "iohgatp is", second_stage_beyond_pas},
	{"interrupt-disabled", "1 record waits", one_record_without_fie},
	{"interrupt-disabled", "2 records wait", an_index_past_the_end_without_fie},
	{"tables-several-ids", "has GSCID 0x3 here and 0x2", same_second_stage_other_gscid},
	{"reach-kernel-text", "(--x)", fetches_from_kernel},
	{"table-loop", "1 entry leads", one_pointer_to_its_own_table},
};

START_TEST(a_rule_finds_what_else_it_is_for)
{
	const char *id = more_cases[_i].id;

	more_cases[_i].goes_wrong();
	check();
	for (size_t i = 0; i < found_count; i++)
		if (!strcmp(found[i].id, id) && strstr(found[i].message, more_cases[_i].words))
			return;
	ck_abort_msg("%s does not say \"%s\"", id, more_cases[_i].words);
}
END_TEST

START_TEST(a_queue_that_comes_to_be_on_is_none_that_is_not)
{
	set(RIOMMU_REG_FQCSR, RIOMMU_QUEUE_EN);
	live(RIOMMU_REG_FQCSR, RIOMMU_QUEUE_EN | RIOMMU_QUEUE_ON);
	check();
	ck_assert_ptr_null(finding("queue-not-on"));
	moved_value = RIOMMU_QUEUE_EN;
	check();
	ck_assert_ptr_nonnull(finding("queue-not-on"));
	riommu_source_close(sys.registers);
}
END_TEST

START_TEST(a_queue_that_is_about_to_be_on_is_none_that_is_not)
{
	set(RIOMMU_REG_FQCSR, RIOMMU_QUEUE_EN | RIOMMU_QUEUE_BUSY);
	check();
	ck_assert_ptr_null(finding("queue-not-on"));
	ck_assert_ptr_nonnull(finding("register-busy"));
}
END_TEST

/* What is held at once decides nothing. */
START_TEST(a_rule_finds_the_same_by_turns)
{
	struct riommu_rule_outcome before[RIOMMU_RULE_COUNT];

	cases[_i].goes_wrong();
	for (uint32_t id = 16; id < 20; id++)
		put_dc(id, id & 1 ? host : guest);
	check();
	for (size_t i = 0; i < RIOMMU_RULE_COUNT; i++)
		before[i] = *outcome(cases[i].id);
	ck_assert_int_eq(riommu_option_set(m.ctx, "spaces", "1"), 0);
	check();
	for (size_t i = 0; i < RIOMMU_RULE_COUNT; i++) {
		ck_assert_int_eq(outcome(cases[i].id)->verdict, before[i].verdict);
		ck_assert_uint_eq(outcome(cases[i].id)->found, before[i].found);
	}
	riommu_source_close(sys.registers);
}
END_TEST

START_TEST(every_rule_has_a_case)
{
	ck_assert_uint_eq(RIOMMU_ARRAY_SIZE(cases), RIOMMU_RULE_COUNT);
	for (size_t i = 0; i < RIOMMU_RULE_COUNT; i++)
		ck_assert_msg(!strcmp(riommu_rules()[i].id, cases[i].id),
			      "rule %s has no case, or not in its place (%s is there)",
			      riommu_rules()[i].id, cases[i].id);
}
END_TEST

START_TEST(every_rule_says_why_and_what_to_do)
{
	for (size_t i = 0; i < RIOMMU_RULE_COUNT; i++) {
		const struct riommu_rule *r = &riommu_rules()[i];

		ck_assert_msg(r->id && r->title && r->why && r->remedy, "rule %zu", i);
		ck_assert_msg(strspn(r->id, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
				      strlen(r->id),
			      "%s", r->id);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(r->id, riommu_rules()[k].id);
	}
}
END_TEST

/* -- what a finding says ---------------------------------------------------------------------------------- */

START_TEST(a_finding_names_the_device_and_the_entry)
{
	const struct found *f;

	rule_1();
	check();
	f = finding("dc-reserved-bits");
	ck_assert_ptr_nonnull(f);
	ck_assert(f->has_device && !f->has_process);
	ck_assert_uint_eq(f->device_id, HOST);
	ck_assert_uint_eq(f->address, ROOT + 64 * HOST);
}
END_TEST

START_TEST(a_finding_names_the_process)
{
	const struct found *f;

	pc_mode_7();
	check();
	f = finding("pc-first-stage-mode");
	ck_assert_ptr_nonnull(f);
	ck_assert(f->has_device && f->has_process);
	ck_assert_uint_eq(f->device_id, PROCESSES);
	ck_assert_uint_eq(f->process_id, 1);
	ck_assert_uint_eq(f->address, pc + 16);
}
END_TEST

START_TEST(many_ranges_of_one_region_are_one_finding)
{
	for (uint64_t i = 0; i < 50; i++) /* every other page, so that no two are one range */
		map(&host_stage, 0x100000 + i * 0x2000, 0, RW_LEAF(KERNEL + i * 0x2000));
	check();
	ck_assert_uint_eq(outcome("reach-kernel-text")->found, 1);
	ck_assert_uint_eq(finding("reach-kernel-text")->count, 50);
	ck_assert_uint_eq(finding("reach-kernel-text")->address, KERNEL);
	ck_assert_ptr_nonnull(strstr(finding("reach-kernel-text")->message, "0x100000 "));
	ck_assert_ptr_nonnull(strstr(finding("reach-kernel-text")->message, "(rw-)"));
}
END_TEST

START_TEST(the_last_byte_of_a_region_is_in_it_and_the_next_is_not)
{
	leaf(RW_LEAF(CRASH + 0x10000000));
	map(&host_stage, 0x3000, 0, RW_LEAF(CRASH - 0x1000));
	check();
	ck_assert_ptr_null(finding("reach-crash-kernel"));
	map(&host_stage, 0x4000, 0, RW_LEAF(CRASH + 0x0ffff000));
	check();
	ck_assert_ptr_nonnull(finding("reach-crash-kernel"));
}
END_TEST

/* Linux frees the memory of an initrd, which stays "Reserved". */
START_TEST(reserved_memory_inside_system_ram_is_memory_like_any_other)
{
	add_region(FIRMWARE + 0x2000000, FIRMWARE + 0x20fffff, "Reserved");
	leaf(RW_LEAF(FIRMWARE + 0x2000000));
	check();
	ck_assert_ptr_null(finding("reach-reserved"));
	ck_assert_int_eq(outcome("reach-reserved")->verdict, RIOMMU_RULE_PASSED);
}
END_TEST

START_TEST(a_large_leaf_over_a_small_region_reaches_it)
{
	map(&host_stage, 0x40000000, 2, RW_LEAF(0x80000000));
	check();
	ck_assert_ptr_nonnull(finding("reach-kernel-text"));
	ck_assert_ptr_nonnull(finding("reach-crash-kernel"));
	ck_assert_ptr_nonnull(finding("reach-reserved"));
	ck_assert_uint_eq(outcome("reach-iommu-queues")->found, 3);
	ck_assert_uint_ge(outcome("reach-iommu-tables")->found, 2);
}
END_TEST

START_TEST(each_device_with_the_same_tables_is_told_and_they_are_walked_once)
{
	unsigned reads;

	riommu_source_close(sys.memory);
	sys.memory = m.w.memory = memory_source_copying(m.memory, m.ctx);
	leaf_to_kernel();
	check();
	reads = memory_reads(m.memory, host_stage.root);
	riommu_source_forget(sys.memory);
	for (uint32_t id = 16; id < 48; id++)
		put_dc(id, host);
	check();
	ck_assert_uint_eq(outcome("reach-kernel-text")->found, 33);
	ck_assert_uint_le(memory_reads(m.memory, host_stage.root), 2 * reads);
}
END_TEST

/* By ascending id, and both by the tag and by the tables that are theirs alike. */
START_TEST(each_process_with_the_same_tables_is_told)
{
	size_t next = 0;

	put_process(RIOMMU_PC_V | 2 << 12,
		    MODE(RIOMMU_FSC_SV48) | process_tables.root >> RIOMMU_PAGE_SHIFT);
	map(&process_tables, 0x2000, 0, RW_LEAF(KERNEL));
	check();
	ck_assert_ptr_null(finding("pscid-conflict"));
	ck_assert_ptr_null(finding("tables-several-ids"));
	for (size_t i = 0; i < found_count; i++)
		if (!strcmp(found[i].id, "reach-kernel-text") && found[i].has_process)
			ck_assert_uint_eq(found[i].process_id, next++);
	ck_assert_uint_eq(next, 2);
}
END_TEST

START_TEST(a_leaf_that_no_request_can_use_reaches_nothing)
{
	leaf(RW_LEAF(KERNEL) & ~RIOMMU_PTE_A);
	check();
	ck_assert_ptr_null(finding("reach-kernel-text"));
	ck_assert_ptr_nonnull(finding("pte-unusable"));
}
END_TEST

/* Privileged requests of a process use pages with U=0. */
START_TEST(a_leaf_without_u_is_of_use_to_a_process)
{
	uint64_t fsc;
	struct stage s;

	begin_context(RIOMMU_TC_V);
	s = process_stage(RIOMMU_FSC_SV39, &fsc);
	map(&s, IOVA, 0, RW_LEAF(KERNEL) & ~RIOMMU_PTE_U);
	put_process(RIOMMU_PC_V | RIOMMU_PC_ENS | 9 << 12, fsc);
	check();
	ck_assert_ptr_nonnull(finding("reach-kernel-text"));
	ck_assert_uint_eq(finding("reach-kernel-text")->process_id, 1);
	ck_assert_ptr_null(finding("pte-unusable"));
}
END_TEST

/* A guest may change its first stage any time: what counts is what its second stage lets it reach. */
START_TEST(a_guest_is_judged_by_its_second_stage)
{
	struct stage s;

	memcpy(m.dw, guest, sizeof(m.dw));
	s = first_stage(RIOMMU_FSC_SV39);
	map(&guest_stage, 0x40000000, 2, RW_LEAF(ROOT)); /* GUEST() of the first stage's pages */
	map(&s, IOVA, 0, RW_LEAF(0));
	m.dw[RIOMMU_DC_TA] = 1 << 12;
	memcpy(guest, m.dw, sizeof(guest));
	put_dc(GUEST_DEV, guest);
	check();
	ck_assert_ptr_nonnull(finding("reach-kernel-text"));
	ck_assert_uint_eq(finding("reach-kernel-text")->device_id, GUEST_DEV);
	ck_assert_ptr_nonnull(strstr(finding("reach-kernel-text")->message, "guest physical"));
	ck_assert_ptr_null(finding("pscid-conflict")); /* another guest's PSCID 1 is another */
}
END_TEST

START_TEST(an_interrupt_file_in_kernel_code_is_reached)
{
	msi_pte(PTE(KERNEL) | MSI_MODE_FLAT | 1, 0);
	check();
	ck_assert_ptr_nonnull(finding("reach-kernel-text"));
}
END_TEST

START_TEST(translated_requests_that_pass_are_identity)
{
	host_tc(RIOMMU_TC_EN_ATS);
	check();
	ck_assert_ptr_nonnull(finding("identity"));
	ck_assert_ptr_nonnull(strstr(finding("identity")->message, "EN_ATS"));
}
END_TEST

START_TEST(translated_requests_behind_a_second_stage_are_none)
{
	guest[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS | RIOMMU_TC_T2GPA;
	put_dc(GUEST_DEV, guest);
	check();
	ck_assert_ptr_null(finding("identity"));
}
END_TEST

START_TEST(requests_without_a_process_that_pass_are_identity)
{
	processes[RIOMMU_DC_TC] &= ~RIOMMU_TC_DPE;
	put_dc(PROCESSES, processes);
	check();
	ck_assert_ptr_nonnull(finding("identity"));
	ck_assert_uint_eq(finding("identity")->device_id, PROCESSES);
}
END_TEST

START_TEST(a_process_that_is_bare_is_identity)
{
	put_process(RIOMMU_PC_V, 0);
	check();
	ck_assert_ptr_nonnull(finding("identity"));
	ck_assert(finding("identity")->has_process);
}
END_TEST

START_TEST(an_identity_is_one_finding_and_not_one_for_each_region)
{
	both_stages_bare();
	check();
	ck_assert_uint_eq(outcome("identity")->found, 1);
	ck_assert_ptr_null(finding("reach-kernel-text"));
}
END_TEST

START_TEST(the_same_table_in_another_format_is_another)
{
	uint64_t dw[RIOMMU_DC_DWORDS];

	memcpy(dw, host, sizeof(dw));
	dw[RIOMMU_DC_TC] |= RIOMMU_TC_SBE;
	put_dc(OTHER, dw);
	check();
	ck_assert_ptr_nonnull(finding("pscid-conflict"));
}
END_TEST

START_TEST(a_blocked_device_needs_no_context)
{
	add_device(OTHER);
	strcpy(devices[3].domain_type, "blocked");
	check();
	ck_assert_ptr_null(finding("device-without-context"));
}
END_TEST

START_TEST(a_device_id_that_is_too_wide_is_told)
{
	add_device(0x1000); /* 1LVL of 64-byte contexts: 6 bits */
	check();
	ck_assert_ptr_nonnull(finding("device-without-context"));
	ck_assert_ptr_nonnull(strstr(finding("device-without-context")->message, "wider"));
}
END_TEST

START_TEST(an_msi_mask_that_lies_is_bounded)
{
	guest[RIOMMU_DC_MSI_ADDR_MASK] = riommu_mask(39, 0); /* 2^32 pages of entries */
	guest[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT);
	put_dc(GUEST_DEV, guest);
	check();
	expect_not_judged("msi-mode");
	ck_assert_int_eq(outcome("msi-mode")->error, -EOVERFLOW);
	expect_not_judged("reach-kernel-text");
}
END_TEST

START_TEST(an_msi_table_that_devices_share_is_told_once)
{
	msi_mode_2();
	put_dc(OTHER, guest);
	check();
	ck_assert_uint_eq(outcome("msi-mode")->found, 1);
}
END_TEST

START_TEST(without_ats_there_is_no_page_request_queue)
{
	capabilities(0, RIOMMU_CAP_ATS | RIOMMU_CAP_T2GPA);
	for (uint32_t i = RIOMMU_REG_PQB; i <= RIOMMU_REG_PQT; i += i == RIOMMU_REG_PQB ? 8 : 4)
		forget(i, RIOMMU_REG_UNREAD);
	forget(RIOMMU_REG_PQCSR, RIOMMU_REG_UNREAD);
	check();
	ck_assert_uint_eq(found_count, 0);
	ck_assert_int_eq(outcome("pq-overflow")->verdict, RIOMMU_RULE_NOT_APPLICABLE);
	ck_assert_int_eq(outcome("cq-stuck")->verdict, RIOMMU_RULE_PASSED);
	for (size_t i = 0; i < outcome_count; i++)
		ck_assert_int_ne(outcomes[i].verdict, RIOMMU_RULE_NOT_JUDGED);
}
END_TEST

START_TEST(an_error_whose_interrupt_is_disabled_is_told)
{
	set(RIOMMU_REG_CQCSR, 0x10001 | BIT(8));
	check();
	ck_assert_ptr_nonnull(finding("interrupt-disabled"));
	ck_assert_ptr_nonnull(strstr(finding("interrupt-disabled")->message, "cqcsr.cie is 0"));
	ck_assert_ptr_nonnull(strstr(finding("interrupt-disabled")->message, "error"));
	set(RIOMMU_REG_CQCSR, 0x10001);
	check();
	ck_assert_ptr_null(finding("interrupt-disabled"));
}
END_TEST

START_TEST(lost_records_whose_interrupt_is_disabled_are_told)
{
	set(RIOMMU_REG_PQCSR, 0x10001 | RIOMMU_QUEUE_OF);
	check();
	ck_assert_ptr_nonnull(finding("interrupt-disabled"));
	ck_assert_ptr_nonnull(strstr(finding("interrupt-disabled")->message, "lost records"));
	set(RIOMMU_REG_PQCSR, 0x10001);
	check();
	ck_assert_ptr_null(finding("interrupt-disabled"));
}
END_TEST

START_TEST(a_pending_bit_whose_interrupt_is_disabled_is_told)
{
	set(RIOMMU_REG_FQCSR, 0x10001);
	set(RIOMMU_REG_IPSR, 2);
	check();
	ck_assert_ptr_nonnull(finding("interrupt-disabled"));
	ck_assert_ptr_null(finding("interrupt-pending"));
}
END_TEST

START_TEST(an_overflow_of_a_counter_that_nobody_serves_is_told)
{
	set(RIOMMU_REG_IPSR, 4);
	check();
	ck_assert_ptr_nonnull(finding("interrupt-pending"));
	ck_assert_ptr_nonnull(strstr(finding("interrupt-pending")->message, "pmip"));
}
END_TEST

START_TEST(a_conflict_of_ids_names_both_sides)
{
	const struct found *f;
	uint64_t fsc;

	begin_context(RIOMMU_TC_V);
	process_stage(RIOMMU_FSC_SV39, &fsc);
	put_process(RIOMMU_PC_V | 1 << 12, fsc); /* the PSCID of HOST */
	check();
	f = finding("pscid-conflict");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(outcome("pscid-conflict")->found, 1);
	ck_assert_uint_eq(f->device_id, PROCESSES);
	ck_assert(f->has_process);
	ck_assert_ptr_nonnull(strstr(f->message, "for device 0x5"));
	put_dc(OTHER, host);
	put_process(RIOMMU_PC_V | 2 << 12, fsc); /* that of process 0 */
	check();
	f = finding("pscid-conflict");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(strstr(f->message, "for process 0x1 of device 0x7"));
}
END_TEST

START_TEST(an_mrif_in_kernel_code_is_reached)
{
	msi_pte((uint64_t)(KERNEL + 0x200) >> 2 | MSI_MODE_MRIF | 1, PTE(0x24001000));
	check();
	ck_assert_ptr_nonnull(finding("reach-kernel-text"));
	ck_assert_uint_eq(finding("reach-kernel-text")->address, KERNEL + 0x200);
}
END_TEST

/* A memory map need not be sorted, and regions lie in each other. */
START_TEST(regions_in_any_order_are_found)
{
	static const struct {
		uint64_t start, end;
	} pieces[] = {{0xb4000000, 0xb4000fff},
		      {0xb2000000, 0xb2ffffff},
		      {0xb2001000, 0xb2001fff},
		      {0xb1000000, 0xb2000fff},
		      {0xb3000000, 0xb3000fff}};
	static const uint64_t inside[] = {0xb1000000, 0xb2001000, 0xb2fff000, 0xb3000000,
					  0xb4000000};
	static const uint64_t outside[] = {0xb0fff000, 0xb3001000, 0xb3fff000, 0xb4001000};

	sys.region_count = 3;
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(pieces); i++)
		add_region(pieces[i].start, pieces[i].end, "Reserved");
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(outside); i++)
		map(&host_stage, 0x100000 + i * 0x2000, 0, RW_LEAF(outside[i]));
	check();
	ck_assert_ptr_null(finding("reach-reserved"));
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(inside); i++) {
		leaf(RW_LEAF(inside[i]));
		check();
		ck_assert_msg(finding("reach-reserved") != NULL, "0x%llx",
			      (unsigned long long)inside[i]);
	}
}
END_TEST

/* What a guest's tables say of its interrupt files its second stage has said already. */
START_TEST(an_interrupt_file_is_reached_once_however_it_is_reached)
{
	struct stage s;
	size_t count = 0;

	put_msi_pte(msi, PTE(KERNEL) | MSI_MODE_FLAT | 1, 0);
	put_msi_pte(msi + 16, (KERNEL >> 2) | MSI_MODE_MRIF | 1, PTE(0x24001000) | 5);
	memcpy(m.dw, guest, sizeof(guest));
	guest_memory(&guest_stage);
	s = first_stage(RIOMMU_FSC_SV39);
	map(&s, IOVA, 0, RW_LEAF(0x28000000));
	map(&s, IOVA + 0x1000, 0, RW_LEAF(0x28001000));
	put_dc(GUEST_DEV, m.dw);
	check();
	for (size_t i = 0; i < found_count; i++)
		count += !strcmp(found[i].id, "reach-kernel-text");
	ck_assert_uint_eq(count, 1);
}
END_TEST

/* Contexts that are not valid and not empty either are nobody's. */
START_TEST(what_is_not_valid_is_not_judged)
{
	uint64_t dw[RIOMMU_DC_DWORDS] = {[RIOMMU_DC_FSC] = MODE(7)};

	put_dc(OTHER, dw);
	put_process(0, MODE(7));
	check();
	ck_assert_uint_eq(found_count, 0);
}
END_TEST

/* Of two IOMMUs each has its own devices: those of the first are no devices of the second. */
START_TEST(devices_of_another_iommu_are_not_this_ones)
{
	const struct riommu_check_args args = {.finding = take_finding, .outcome = take_outcome};
	struct riommu_iommu two[2] = {*iommu, *iommu};

	sys.iommus = two;
	sys.iommu_count = 2;
	devices[1].iommu = devices[2].iommu = 1;
	found_count = outcome_count = 0;
	ck_assert_int_eq(riommu_check(&sys, 1, &args), 0);
	ck_assert_uint_eq(found_count, 1);
	ck_assert_str_eq(found[0].id, "context-without-device");
	ck_assert_uint_eq(found[0].device_id, HOST);
}
END_TEST

/* -- a second look ------------------------------------------------------------------------------------------- */

START_TEST(a_head_that_moves_is_not_stuck)
{
	set(RIOMMU_REG_CQT, 3);
	live(RIOMMU_REG_CQH, 3);
	check();
	ck_assert_ptr_null(finding("cq-stuck"));
	riommu_source_close(sys.registers);
}
END_TEST

START_TEST(a_head_that_does_not_move_is_stuck)
{
	set(RIOMMU_REG_CQT, 3);
	stays_live();
	check();
	ck_assert_ptr_nonnull(finding("cq-stuck"));
	ck_assert_uint_eq(finding("cq-stuck")->count, 3);
	riommu_source_close(sys.registers);
}
END_TEST

START_TEST(commands_that_wait_in_a_capture_of_a_queue_that_is_on_are_work)
{
	set(RIOMMU_REG_CQT, 3);
	check();
	ck_assert_uint_eq(found_count, 0);
}
END_TEST

START_TEST(a_register_that_was_given_by_hand_cannot_be_looked_at_again)
{
	set(RIOMMU_REG_CQT, 3);
	stays_live();
	ck_assert_int_eq(riommu_overlay_set(sys.registers, iommu->base, RIOMMU_REG_CQH, 4, 0), 0);
	check();
	ck_assert_ptr_null(finding("cq-stuck"));
	riommu_source_close(sys.registers);
}
END_TEST

/* [0] software took them meanwhile, [1] it did not */
START_TEST(records_that_are_taken_meanwhile_do_not_wait)
{
	records_without_fie();
	live(RIOMMU_REG_FQH, _i ? 0 : 3);
	check();
	ck_assert_int_eq(finding("interrupt-disabled") != NULL, _i);
	riommu_source_close(sys.registers);
}
END_TEST

static void wake(int signal)
{
	(void)signal;
}

/* Head 3 is what is there 20 ms later; a signal comes 2 ms after the first reading, and more each 2 ms. */
START_TEST(signals_do_not_make_a_second_look_early)
{
	const struct itimerval each = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = wake};
	struct timespec before, after;

	set(RIOMMU_REG_CQT, 3);
	live(RIOMMU_REG_CQH, 3);
	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &each, NULL), 0);
	check();
	setitimer(ITIMER_REAL, &never, NULL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_ptr_null(finding("cq-stuck"));
	ck_assert_int_ge((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec -
				 before.tv_nsec,
			 20000000);
	riommu_source_close(sys.registers);
}
END_TEST

START_TEST(an_interrupt_that_is_served_is_not_lost)
{
	set(RIOMMU_REG_IPSR, 2);
	live(RIOMMU_REG_IPSR, 0);
	check();
	ck_assert_uint_eq(found_count, 0);
	riommu_source_close(sys.registers);
}
END_TEST

START_TEST(busy_that_passes_is_none)
{
	set(RIOMMU_REG_DDTP, get(RIOMMU_REG_DDTP) | RIOMMU_DDTP_BUSY);
	live(RIOMMU_REG_DDTP, get(RIOMMU_REG_DDTP) & ~RIOMMU_DDTP_BUSY);
	check();
	ck_assert_ptr_null(finding("register-busy"));
	riommu_source_close(sys.registers);
}
END_TEST

START_TEST(records_that_wait_with_their_interrupt_enabled_are_work)
{
	set(RIOMMU_REG_FQT, 3);
	check();
	ck_assert_uint_eq(found_count, 0);
}
END_TEST

START_TEST(wires_have_no_vectors)
{
	set(RIOMMU_REG_FCTL, RIOMMU_FCTL_WSI);
	masked_vector();
	vector_without_address();
	check();
	ck_assert_uint_eq(found_count, 0);
	ck_assert_int_eq(outcome("interrupt-masked")->verdict, RIOMMU_RULE_NOT_APPLICABLE);
}
END_TEST

START_TEST(a_queue_that_was_never_set_up_is_not_judged_by_its_base)
{
	set(RIOMMU_REG_PQB, 0);
	set(RIOMMU_REG_PQH, 12345); /* after a reset these are anything */
	set(RIOMMU_REG_PQCSR, 0);
	check();
	ck_assert_uint_eq(found_count, 0);
}
END_TEST

/* -- what is missing is not judged -------------------------------------------------------------------------------- */

START_TEST(a_register_that_is_missing_leaves_its_rules_not_judged)
{
	static const struct {
		uint32_t offset;
		const char *id;
	} needs[] = {
		{RIOMMU_REG_CAPABILITIES, "capabilities-version"},
		{RIOMMU_REG_FCTL, "fctl-wsi"},
		{RIOMMU_REG_DDTP, "ddtp-bare"},
		{RIOMMU_REG_DDTP, "dc-reserved-bits"},
		{RIOMMU_REG_CQCSR, "cq-memory-fault"},
		{RIOMMU_REG_CQCSR, "cq-stuck"},
		{RIOMMU_REG_CQH, "cq-stuck"},
		{RIOMMU_REG_CQB, "cq-stuck"},
		{RIOMMU_REG_FQB, "queue-base"},
		{RIOMMU_REG_FQT, "queue-index"},
		{RIOMMU_REG_FQCSR, "fq-overflow"},
		{RIOMMU_REG_PQCSR, "pq-overflow"},
		{RIOMMU_REG_IPSR, "interrupt-pending"},
		{RIOMMU_REG_ICVEC, "interrupt-masked"},
		{RIOMMU_REG_TR_REQ_CTL, "register-busy"},
		{RIOMMU_REG_TR_RESPONSE, "register-reserved-bits"},
		{VECTOR(1) + 12, "interrupt-masked"},
		{VECTOR(1), "interrupt-address"},
		{RIOMMU_REG_FQB, "reach-iommu-queues"},
	};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(needs); i++) {
		forget(needs[i].offset, RIOMMU_REG_MISSING);
		check();
		ck_assert_msg(outcome(needs[i].id)->verdict == RIOMMU_RULE_NOT_JUDGED,
			      "%s without register 0x%x: verdict %d", needs[i].id, needs[i].offset,
			      outcome(needs[i].id)->verdict);
		ck_assert_int_eq(outcome(needs[i].id)->error, -ENODATA);
		forget(needs[i].offset, RIOMMU_REG_KNOWN);
	}
}
END_TEST

START_TEST(a_refused_register_is_refused)
{
	forget(RIOMMU_REG_CQCSR, RIOMMU_REG_REFUSED);
	check();
	expect_not_judged("cq-memory-fault");
	ck_assert_int_eq(outcome("cq-memory-fault")->error, -EACCES);
	ck_assert_str_eq(reason("cq-memory-fault"), "register cqcsr may not be read");
}
END_TEST

START_TEST(a_register_that_does_not_answer_does_not_answer)
{
	forget(RIOMMU_REG_CQCSR, RIOMMU_REG_DEAD);
	check();
	expect_not_judged("cq-memory-fault");
	ck_assert_int_eq(outcome("cq-memory-fault")->error, -EFAULT);
	ck_assert_str_eq(reason("cq-memory-fault"), "register cqcsr does not answer");
}
END_TEST

/* The same for who asks the library: riommu_iommu_register(), riommu_iommu_mode(). */
START_TEST(who_asks_for_a_register_is_told_why_there_is_none)
{
	static const struct {
		enum riommu_reg_state state;
		int error;
		const char *words;
	} states[] = {
		{RIOMMU_REG_MISSING, -ENODATA,
		 "this IOMMU has none, or the source does not hold it"},
		{RIOMMU_REG_REFUSED, -EACCES, "the system refuses to read it"},
		{RIOMMU_REG_DEAD, -EFAULT, "the bus did not answer"},
	};
	uint64_t value;

	ck_assert_str_eq(riommu_iommu_mode(&sys, 0), "1LVL");
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(states); i++) {
		forget(RIOMMU_REG_DDTP, states[i].state);
		ck_assert_int_eq(riommu_iommu_register(&sys, 0, "ddtp", &value), states[i].error);
		ck_assert_ptr_nonnull(strstr(riommu_error(m.ctx), states[i].words));
		ck_assert_ptr_null(riommu_iommu_mode(&sys, 0));
	}
}
END_TEST

/* [0] it may not be read, [1] there is none */
START_TEST(without_memory_the_tables_are_not_judged)
{
	sys.memory = NULL;
	sys.memory_error = _i ? 0 : -EACCES;
	strcpy(sys.memory_reason, "not root");
	check();
	for (size_t i = 0; i < outcome_count; i++)
		ck_assert_int_ne(outcomes[i].verdict, RIOMMU_RULE_FOUND);
	expect_not_judged("dc-reserved-bits");
	expect_not_judged("reach-kernel-text");
	expect_not_judged("identity");
	ck_assert_int_eq(outcome("identity")->error, _i ? -ENODATA : -EACCES);
	ck_assert_int_eq(outcome("capabilities-version")->verdict, RIOMMU_RULE_PASSED);
}
END_TEST

START_TEST(a_page_of_the_directory_that_is_missing_is_told_and_the_rest_is_judged)
{
	rule_1();
	second_level(POINTER(0xdead0000));
	check();
	ck_assert_ptr_nonnull(finding("dc-reserved-bits"));
	ck_assert_ptr_nonnull(outcome("dc-reserved-bits")->reason);
	expect_not_judged("dc-dpe-without-pdtv");
	expect_not_judged("identity");
	ck_assert_ptr_nonnull(strstr(reason("identity"), "0xdead0000"));
}
END_TEST

START_TEST(a_page_table_that_is_missing_leaves_what_lies_behind_it_not_judged)
{
	map(&host_stage, 0x40000000, 2, POINTER(0xdead0000));
	check();
	expect_not_judged("pte-malformed");
	expect_not_judged("reach-kernel-text");
	expect_not_judged("reach-iommu-tables");
	ck_assert_int_eq(outcome("dc-reserved-bits")->verdict, RIOMMU_RULE_PASSED);
}
END_TEST

START_TEST(a_guests_table_that_is_missing_does_not_hide_what_it_reaches)
{
	memcpy(m.dw, guest, sizeof(m.dw));
	m.dw[RIOMMU_DC_FSC] = MODE(RIOMMU_FSC_SV39) | 0x80000; /* guest physical, mapped below */
	map(&guest_stage, 0x80000000, 1, RW_LEAF(0x300000000));
	put_dc(GUEST_DEV, m.dw);
	check();
	expect_not_judged("pte-malformed");
	ck_assert_int_eq(outcome("reach-kernel-text")->verdict, RIOMMU_RULE_PASSED);
}
END_TEST

START_TEST(a_process_directory_that_is_missing_is_not_judged)
{
	second_pdt_level(POINTER(0xdead0000));
	check();
	expect_not_judged("pc-reserved-bits");
	expect_not_judged("reach-kernel-text");
	ck_assert_int_eq(outcome("dc-reserved-bits")->verdict, RIOMMU_RULE_PASSED);
}
END_TEST

START_TEST(an_msi_table_that_is_missing_is_not_judged)
{
	guest[RIOMMU_DC_MSIPTP] = MODE(RIOMMU_MSIPTP_FLAT) | 0xdead0;
	put_dc(GUEST_DEV, guest);
	check();
	expect_not_judged("msi-mode");
}
END_TEST

START_TEST(without_a_memory_map_regions_are_not_judged)
{
	sys.region_count = 0;
	check();
	expect_not_judged("reach-kernel-text");
	expect_not_judged("reach-crash-kernel");
	expect_not_judged("reach-reserved");
	ck_assert_int_eq(outcome("reach-iommu-tables")->verdict, RIOMMU_RULE_PASSED);
}
END_TEST

START_TEST(a_memory_map_without_a_kernel_does_not_acquit)
{
	strcpy(regions[1].name, "Persistent Memory");
	check();
	expect_not_judged("reach-kernel-text");
	ck_assert_int_eq(outcome("reach-crash-kernel")->verdict, RIOMMU_RULE_PASSED);
}
END_TEST

START_TEST(without_a_list_of_devices_contexts_are_not_compared)
{
	sys.device_count = 0;
	check();
	expect_not_judged("device-without-context");
	expect_not_judged("context-without-device");
}
END_TEST

START_TEST(more_table_pages_than_allowed_are_not_judged)
{
	ck_assert_int_eq(riommu_option_set(m.ctx, "max-pages", "2"), 0);
	check();
	expect_not_judged("reach-kernel-text");
	expect_not_judged("reach-iommu-tables");
	ck_assert_int_eq(outcome("reach-kernel-text")->error, -EOVERFLOW);
}
END_TEST

START_TEST(the_zeros_of_kcore_acquit_nobody)
{
	static struct riommu_source_ops kcore;

	kcore = *sys.memory->ops;
	kcore.name = "kcore";
	sys.memory->ops = &kcore;
	empty_root();
	check();
	ck_assert_ptr_nonnull(strstr(finding("ddt-root-zero")->message, "/proc/kcore"));
	expect_not_judged("dc-reserved-bits");
	expect_not_judged("reach-kernel-text");
}
END_TEST

START_TEST(an_empty_directory_elsewhere_is_empty)
{
	sys.device_count = 0;
	empty_root();
	check();
	ck_assert_ptr_nonnull(finding("ddt-root-zero"));
	ck_assert_int_eq(outcome("dc-reserved-bits")->verdict, RIOMMU_RULE_NOT_APPLICABLE);
}
END_TEST

START_TEST(records_of_a_queue_without_a_place_do_not_wait)
{
	records_without_fie();
	forget(RIOMMU_REG_FQB, RIOMMU_REG_MISSING);
	check();
	ck_assert_ptr_null(finding("interrupt-disabled"));
}
END_TEST

/* Its base is 0 and its indexes are not known: whether it is in use is not, either. */
START_TEST(a_queue_at_0_without_indexes_may_be_in_use)
{
	set(RIOMMU_REG_CQB, 7);
	forget(RIOMMU_REG_CQT, RIOMMU_REG_MISSING);
	leaf(RW_LEAF(0));
	check();
	ck_assert_ptr_nonnull(finding("reach-iommu-queues"));
}
END_TEST

/* Adds the tags of COUNT processes, with a table each. */
static void add_tags(struct check *c, struct check_ids *ids, uint64_t count)
{
	const struct riommu_dc dc = {.dwords = RIOMMU_DC_DWORDS, .dw = {RIOMMU_TC_V}};

	for (uint64_t i = 0; i < count; i++) {
		const struct riommu_pc process = {.process_id = (uint32_t)i,
						  .fsc = MODE(RIOMMU_FSC_SV39) | i};

		check_ids_add(c, ids, &dc, &process);
	}
}

/* 1,048,576 contexts are remembered, or as many as -O spaces= says if that is more. */
START_TEST(more_contexts_than_are_remembered_leave_ids_not_judged)
{
	const struct riommu_check_args args = {.max_findings = 1};
	struct check c = {.sys = &sys, .iommu = iommu, .args = &args, .w = m.w};
	struct check_ids ids = {.count = 0};

	add_tags(&c, &ids, 1048576);
	ck_assert(!ids.full);
	ck_assert_int_eq(riommu_option_set(m.ctx, "spaces", "1048577"), 0);
	add_tags(&c, &ids, 1);
	ck_assert(!ids.full);
	add_tags(&c, &ids, 1);
	ck_assert(ids.full);
	ck_assert_uint_eq(ids.count, 1048577);
	ids.count = 0; /* what comparing them costs is not the question */
	check_ids_compare(&c, &ids);
	for (unsigned rule = CHECK_PSCID_CONFLICT; rule <= CHECK_TABLES_SEVERAL_IDS; rule++) {
		ck_assert_int_eq(c.tally[rule].error, -EOVERFLOW);
		ck_assert_ptr_nonnull(strstr(c.tally[rule].reason, "more than 1048577 contexts"));
	}
	free(ids.tags);
}
END_TEST

START_TEST(a_mode_that_is_custom_leaves_the_tables_not_judged)
{
	set(RIOMMU_REG_DDTP, PTE(ROOT) | 14);
	check();
	ck_assert_ptr_null(finding("ddtp-mode"));
	expect_not_judged("dc-reserved-bits");
}
END_TEST

START_TEST(with_ddtp_off_there_is_nothing_to_judge_behind_it)
{
	ddtp_off();
	rule_1();
	check();
	ck_assert_uint_eq(found_count, 1);
	ck_assert_int_eq(outcome("dc-reserved-bits")->verdict, RIOMMU_RULE_NOT_APPLICABLE);
	ck_assert_int_eq(outcome("device-without-context")->verdict, RIOMMU_RULE_NOT_APPLICABLE);
}
END_TEST

/* -- bounds -------------------------------------------------------------------------------------------------------- */

START_TEST(findings_beyond_the_bound_are_counted)
{
	begin_context(RIOMMU_TC_V);
	for (uint32_t id = 10; id < 30; id++)
		put_dc(id, m.dw);
	check_bounded(5);
	ck_assert_uint_eq(outcome("identity")->found, 20);
	ck_assert_uint_eq(outcome("identity")->omitted, 15);
	for (size_t i = 0, n = 0; i < found_count; i++) {
		n += !strcmp(found[i].id, "identity");
		ck_assert_uint_le(n, 5);
	}
}
END_TEST

START_TEST(regions_of_many_names_are_bounded)
{
	static struct riommu_region many[2000];

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(many); i++) {
		many[i].start = FIRMWARE + i * 0x2000;
		many[i].end = many[i].start + 0xfff;
		snprintf(many[i].name, sizeof(many[i].name), "reserved %zu", i);
	}
	sys.regions = many;
	sys.region_count = RIOMMU_ARRAY_SIZE(many);
	leaf(RW_LEAF(many[1999].start));
	check();
	ck_assert_uint_eq(outcome("reach-reserved")->found, 1);
	map(&host_stage, 0x40000000, 2, RW_LEAF(0x80000000)); /* all of them */
	check();
	ck_assert_uint_eq(outcome("reach-reserved")->found, 1);
}
END_TEST

/* Each page of the directory is the same: 2^24 ids, and a walk of each would be one too many. */
START_TEST(a_directory_that_loops_ends)
{
	uint64_t root = new_pages(1);

	for (unsigned i = 0; i < 512; i++)
		memory_put64(m.memory, root + 8 * (uint64_t)i, POINTER(root), false);
	set(RIOMMU_REG_DDTP, PTE(root) | RIOMMU_DDTP_3LVL);
	check_bounded(10);
	ck_assert_ptr_nonnull(finding("ddt-loop"));
}
END_TEST

/* Whoever only wants to know one of both need not listen to the other. */
START_TEST(nobody_needs_to_listen)
{
	struct riommu_check_args listens = {.outcome = take_outcome};

	set(RIOMMU_REG_CQB, PTE(BEYOND) | 7);
	check();
	ck_assert_uint_gt(found_count, 0);
	outcome_count = found_count = 0;
	ck_assert_int_eq(riommu_check(&sys, 0, &listens), 0);
	ck_assert_uint_eq(outcome_count, RIOMMU_RULE_COUNT);
	ck_assert_uint_eq(found_count, 0);
	listens = (struct riommu_check_args){.finding = take_finding};
	ck_assert_int_eq(riommu_check(&sys, 0, &listens), 0);
	ck_assert_uint_gt(found_count, 0);
	ck_assert_uint_eq(outcome_count, RIOMMU_RULE_COUNT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *tc = tcase_create("check");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_machine_with_nothing_wrong_gives_no_finding);
	tcase_add_loop_test(tc, a_rule_finds_what_it_is_for, 0, RIOMMU_ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, a_rule_finds_what_else_it_is_for, 0, RIOMMU_ARRAY_SIZE(more_cases));
	tcase_add_test(tc, a_queue_that_comes_to_be_on_is_none_that_is_not);
	tcase_add_test(tc, a_queue_that_is_about_to_be_on_is_none_that_is_not);
	tcase_add_loop_test(tc, a_rule_finds_the_same_by_turns, 0, RIOMMU_ARRAY_SIZE(cases));
	tcase_add_test(tc, nobody_needs_to_listen);
	tcase_add_test(tc, every_rule_has_a_case);
	tcase_add_test(tc, every_rule_says_why_and_what_to_do);
	tcase_add_test(tc, a_finding_names_the_device_and_the_entry);
	tcase_add_test(tc, a_finding_names_the_process);
	tcase_add_test(tc, many_ranges_of_one_region_are_one_finding);
	tcase_add_test(tc, the_last_byte_of_a_region_is_in_it_and_the_next_is_not);
	tcase_add_test(tc, reserved_memory_inside_system_ram_is_memory_like_any_other);
	tcase_add_test(tc, a_large_leaf_over_a_small_region_reaches_it);
	tcase_add_test(tc, each_device_with_the_same_tables_is_told_and_they_are_walked_once);
	tcase_add_test(tc, each_process_with_the_same_tables_is_told);
	tcase_add_test(tc, a_leaf_that_no_request_can_use_reaches_nothing);
	tcase_add_test(tc, a_leaf_without_u_is_of_use_to_a_process);
	tcase_add_test(tc, a_guest_is_judged_by_its_second_stage);
	tcase_add_test(tc, an_interrupt_file_in_kernel_code_is_reached);
	tcase_add_test(tc, an_interrupt_file_is_reached_once_however_it_is_reached);
	tcase_add_test(tc, what_is_not_valid_is_not_judged);
	tcase_add_test(tc, devices_of_another_iommu_are_not_this_ones);
	tcase_add_test(tc, translated_requests_that_pass_are_identity);
	tcase_add_test(tc, translated_requests_behind_a_second_stage_are_none);
	tcase_add_test(tc, requests_without_a_process_that_pass_are_identity);
	tcase_add_test(tc, a_process_that_is_bare_is_identity);
	tcase_add_test(tc, an_identity_is_one_finding_and_not_one_for_each_region);
	tcase_add_test(tc, the_same_table_in_another_format_is_another);
	tcase_add_test(tc, a_blocked_device_needs_no_context);
	tcase_add_test(tc, a_device_id_that_is_too_wide_is_told);
	tcase_add_test(tc, a_head_that_moves_is_not_stuck);
	tcase_add_test(tc, a_head_that_does_not_move_is_stuck);
	tcase_add_test(tc, commands_that_wait_in_a_capture_of_a_queue_that_is_on_are_work);
	tcase_add_test(tc, a_register_that_was_given_by_hand_cannot_be_looked_at_again);
	tcase_add_loop_test(tc, records_that_are_taken_meanwhile_do_not_wait, 0, 2);
	tcase_add_test(tc, signals_do_not_make_a_second_look_early);
	tcase_add_test(tc, an_interrupt_that_is_served_is_not_lost);
	tcase_add_test(tc, busy_that_passes_is_none);
	tcase_add_test(tc, records_that_wait_with_their_interrupt_enabled_are_work);
	tcase_add_test(tc, wires_have_no_vectors);
	tcase_add_test(tc, a_queue_that_was_never_set_up_is_not_judged_by_its_base);
	tcase_add_test(tc, a_register_that_is_missing_leaves_its_rules_not_judged);
	tcase_add_test(tc, a_refused_register_is_refused);
	tcase_add_test(tc, a_register_that_does_not_answer_does_not_answer);
	tcase_add_test(tc, who_asks_for_a_register_is_told_why_there_is_none);
	tcase_add_loop_test(tc, without_memory_the_tables_are_not_judged, 0, 2);
	tcase_add_test(tc, a_page_of_the_directory_that_is_missing_is_told_and_the_rest_is_judged);
	tcase_add_test(tc, a_page_table_that_is_missing_leaves_what_lies_behind_it_not_judged);
	tcase_add_test(tc, a_guests_table_that_is_missing_does_not_hide_what_it_reaches);
	tcase_add_test(tc, a_process_directory_that_is_missing_is_not_judged);
	tcase_add_test(tc, an_msi_table_that_is_missing_is_not_judged);
	tcase_add_test(tc, without_a_memory_map_regions_are_not_judged);
	tcase_add_test(tc, a_memory_map_without_a_kernel_does_not_acquit);
	tcase_add_test(tc, without_a_list_of_devices_contexts_are_not_compared);
	tcase_add_test(tc, more_table_pages_than_allowed_are_not_judged);
	tcase_add_test(tc, the_zeros_of_kcore_acquit_nobody);
	tcase_add_test(tc, an_empty_directory_elsewhere_is_empty);
	tcase_add_test(tc, records_of_a_queue_without_a_place_do_not_wait);
	tcase_add_test(tc, a_queue_at_0_without_indexes_may_be_in_use);
	tcase_add_test(tc, more_contexts_than_are_remembered_leave_ids_not_judged);
	tcase_add_test(tc, a_mode_that_is_custom_leaves_the_tables_not_judged);
	tcase_add_test(tc, with_ddtp_off_there_is_nothing_to_judge_behind_it);
	tcase_add_test(tc, findings_beyond_the_bound_are_counted);
	tcase_add_test(tc, regions_of_many_names_are_bounded);
	tcase_add_test(tc, a_directory_that_loops_ends);
	tcase_add_test(tc, an_msi_mask_that_lies_is_bounded);
	tcase_add_test(tc, an_msi_table_that_devices_share_is_told_once);
	tcase_add_test(tc, without_ats_there_is_no_page_request_queue);
	tcase_add_test(tc, an_error_whose_interrupt_is_disabled_is_told);
	tcase_add_test(tc, lost_records_whose_interrupt_is_disabled_are_told);
	tcase_add_test(tc, a_pending_bit_whose_interrupt_is_disabled_is_told);
	tcase_add_test(tc, an_overflow_of_a_counter_that_nobody_serves_is_told);
	tcase_add_test(tc, a_conflict_of_ids_names_both_sides);
	tcase_add_test(tc, an_mrif_in_kernel_code_is_reached);
	tcase_add_test(tc, regions_in_any_order_are_found);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
