/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine.h"

#include "spec/registers.h"
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

#define SDT ((uint64_t)1 << 24)

enum { CAUSE_ILLEGAL = 2, CAUSE_LOAD = 5, CAUSE_STORE = 7 };
enum { CSR_SSTATUS = 0x100, CSR_STVEC = 0x105, CSR_TIME = 0xc01 };

__attribute__((format(printf, 2, 3))) static void wrong(struct machine *m, const char *fmt, ...)
{
	va_list args;
	int n;

	if (m->wrong[0])
		return;
	n = snprintf(m->wrong, sizeof(m->wrong),
		     "instruction %llu at image + %#llx: ", (unsigned long long)m->instructions,
		     (unsigned long long)(m->pc - m->image_base));
	va_start(args, fmt);
	vsnprintf(m->wrong + n, sizeof(m->wrong) - (size_t)n, fmt, args);
	va_end(args);
}

/* Supervisor traps, with Ssdbltrp: one more before software has cleared SDT is the end of the hart. */
static void trap(struct machine *m, uint64_t cause, uint64_t value)
{
	m->traps++;
	if (m->sstatus & SDT)
		wrong(m, "a double trap, cause %llu, at %#llx", (unsigned long long)cause,
		      (unsigned long long)value);
	if (m->stvec & 3)
		wrong(m, "stvec %#llx is vectored", (unsigned long long)m->stvec);
	m->sstatus |= SDT;
	m->sepc = m->pc;
	m->scause = cause;
	m->stval = value;
	m->pc = m->stvec;
}

/* -- IOMMUs ---------------------------------------------------------------------------------------------------- */

static const uint32_t csr_of[QUEUES] = {
	[CQ] = RIOMMU_REG_CQCSR, [PQ] = RIOMMU_REG_PQCSR, [FQ] = RIOMMU_REG_FQCSR};

uint64_t device_get64(const struct device *d, uint32_t offset)
{
	return d->word[offset / 4] | (uint64_t)d->word[offset / 4 + 1] << 32;
}

void device_put64(struct device *d, uint32_t offset, uint64_t value)
{
	d->word[offset / 4] = (uint32_t)value;
	d->word[offset / 4 + 1] = (uint32_t)(value >> 32);
}

void device_init(struct device *d, uint64_t base, uint64_t capabilities)
{
	memset(d, 0, sizeof(*d));
	d->base = base;
	d->trap_load = d->trap_store = NOWHERE;
	for (uint32_t at = 0x18; at < 0x58; at += 4) /* cqb to ipsr: each a value of its own */
		d->word[at / 4] = 0x5a000000 + at;
	device_put64(d, RIOMMU_REG_CAPABILITIES, capabilities);
	d->word[RIOMMU_REG_FCTL / 4] = 2;
	device_put64(d, RIOMMU_REG_DDTP, 0x003f00123456bc04);
	for (int q = 0; q < QUEUES; q++)
		d->word[csr_of[q] / 4] =
			0x10003 + ((uint32_t)q << 8); /* on, ie, en, and perhaps an error */
	d->word[RIOMMU_REG_IPSR / 4] = 0xb;
	d->ddtp_before = d->word[RIOMMU_REG_DDTP / 4];
}

static bool counts_down(uint32_t *reads)
{
	if (*reads && *reads != FOREVER)
		return (*reads)--;
	return *reads;
}

static bool is_register(const struct device *d, uint32_t offset)
{
	int i = riommu_reg_by_offset(offset);

	if (i < 0)
		i = riommu_reg_by_offset(offset & ~7u); /* the other half of 64 bits */
	if (i < 0 || (offset != riommu_registers()[i].offset && riommu_registers()[i].width != 8))
		return false;
	return riommu_reg_present(&riommu_registers()[i], device_get64(d, RIOMMU_REG_CAPABILITIES));
}

static uint32_t device_load(struct machine *m, struct device *d, uint32_t offset)
{
	uint32_t v = d->word[offset / 4];

	if (d->ram)
		return v;
	if (!is_register(d, offset))
		wrong(m, "read of %#x, which is no register here", offset);
	if (offset == RIOMMU_REG_DDTP && counts_down(&d->ddtp_busy))
		v |= (uint32_t)RIOMMU_DDTP_BUSY;
	if (offset == RIOMMU_REG_TR_REQ_CTL && counts_down(&d->go))
		v |= 1;
	for (int q = 0; q < QUEUES; q++) {
		if (offset != csr_of[q])
			continue;
		if (counts_down(&d->busy[q]))
			v |= 1 << 17;
		else if (d->writes[offset / 4] && counts_down(&d->on_after[q]))
			v |= 1 << 16;
	}
	return v;
}

static void store_ddtp(struct machine *m, struct device *d, uint32_t v)
{
	if (d->ddtp_busy)
		wrong(m, "ddtp is busy");
	if (d->go)
		wrong(m, "a debug translation is under way");
	if (v != (d->ddtp_before & ~0xfu))
		wrong(m, "ddtp was %#x, becomes %#x", d->ddtp_before, v);
	if (!d->mode_kept)
		d->word[RIOMMU_REG_DDTP / 4] = v;
	d->ddtp_busy = d->ddtp_busy_after;
}

static void store_csr(struct machine *m, struct device *d, int q, uint32_t v)
{
	if (d->busy[q])
		wrong(m, "queue %d is busy", q);
	if (v)
		wrong(m, "csr of queue %d becomes %#x", q, v);
	d->word[csr_of[q] / 4] &= 0x700;
	d->busy[q] = d->busy_after[q];
}

static void device_store(struct machine *m, struct device *d, uint32_t offset, uint32_t v)
{
	bool ats = device_get64(d, RIOMMU_REG_CAPABILITIES) & RIOMMU_CAP_ATS;

	if (d->leave_alone)
		wrong(m, "%#x of an IOMMU to be left alone is written", offset);
	if (d->writes[offset / 4]++)
		wrong(m, "%#x is written again", offset);
	if (d->ram)
		d->word[offset / 4] = v;
	else if (offset == RIOMMU_REG_DDTP)
		store_ddtp(m, d, v);
	else if (offset == RIOMMU_REG_CQCSR)
		store_csr(m, d, CQ, v);
	else if (offset == RIOMMU_REG_PQCSR && ats)
		store_csr(m, d, PQ, v);
	else if (offset == RIOMMU_REG_FQCSR)
		store_csr(m, d, FQ, v);
	else if (offset == RIOMMU_REG_IPSR && v == 15)
		d->word[offset / 4] &= ~v;
	else
		wrong(m, "%#x is written to register %#x", v, offset);
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

static struct device *find_device(struct machine *m, uint64_t address, unsigned size,
				  uint32_t *offset)
{
	for (unsigned i = 0; i < m->devices; i++) {
		struct device *d = &m->device[i];

		if (address < d->base || address - d->base >= sizeof(d->word))
			continue;
		*offset = (uint32_t)(address - d->base);
		if (size != 4 || *offset % 4)
			wrong(m, "access of %u bytes to a register", size);
		if (!d->first)
			d->first = m->instructions;
		d->last = m->instructions;
		return d;
	}
	return NULL;
}

static uint64_t bytes_at(const uint8_t *b, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = size; i--;)
		v = v << 8 | b[i];
	return v;
}

/* False: it trapped. */
static bool load(struct machine *m, uint64_t address, unsigned size, uint64_t *v)
{
	uint64_t in_image = address - m->image_base, in_tree = address - m->tree_base;
	struct device *d;
	uint32_t offset;

	if (address % size)
		wrong(m, "misaligned load from %#llx", (unsigned long long)address);
	d = find_device(m, address, size, &offset);
	if (d && d->trap_load != offset) {
		d->loads++;
		*v = device_load(m, d, offset & ~3u);
		return true;
	}
	if (!d && riommu_inside(in_image, size, m->image_size)) {
		*v = bytes_at(m->image + in_image, size);
		return true;
	}
	if (!d && riommu_inside(in_tree, size, m->tree_size)) {
		*v = bytes_at(m->tree + in_tree, size);
		return true;
	}
	trap(m, CAUSE_LOAD, address);
	return false;
}

static bool store(struct machine *m, uint64_t address, unsigned size, uint64_t v)
{
	uint64_t in_record = address - m->tree_base - m->record;
	struct device *d;
	uint32_t offset;

	if (address % size)
		wrong(m, "misaligned store to %#llx", (unsigned long long)address);
	m->fenced = m->fenced_i = false;
	d = find_device(m, address, size, &offset);
	if (d && d->trap_store == offset) {
		trap(m, CAUSE_STORE, address);
		return false;
	}
	if (d) {
		d->stores++;
		device_store(m, d, offset & ~3u, (uint32_t)v);
	} else if (size == 4 && riommu_inside(in_record, size, m->record_size)) {
		if (m->record_works && m->record_stores >= m->record_works) {
			trap(m, CAUSE_STORE, address);
			return false;
		}
		m->record_stores++;
		riommu_put32(m->tree + m->record + in_record, (uint32_t)v);
	} else {
		wrong(m, "store of %u bytes to %#llx: neither record nor register", size,
		      (unsigned long long)address);
	}
	return true;
}

/* -- instructions ------------------------------------------------------------------------------------------------------ */

static uint64_t sext(uint64_t v, unsigned bits)
{
	return (uint64_t)((int64_t)(v << (64 - bits)) >> (64 - bits));
}

static void set(struct machine *m, unsigned rd, uint64_t v)
{
	if (rd)
		m->x[rd] = v;
}

static void op_load(struct machine *m, uint32_t w, unsigned rd, uint64_t rs1)
{
	static const unsigned sizes[] = {1, 2, 4, 8, 1, 2, 4};
	unsigned funct3 = w >> 12 & 7;
	uint64_t v;

	if (funct3 == 7) {
		wrong(m, "no such load");
	} else if (load(m, rs1 + sext(w >> 20, 12), sizes[funct3], &v)) {
		set(m, rd, funct3 < 3 ? sext(v, 8 * sizes[funct3]) : v);
		m->pc += 4;
	}
}

static void op_store(struct machine *m, uint32_t w, uint64_t rs1, uint64_t rs2)
{
	unsigned funct3 = w >> 12 & 7;

	if (funct3 > 3)
		wrong(m, "no such store");
	else if (store(m, rs1 + sext((w >> 25) << 5 | (w >> 7 & 31), 12), 1u << funct3, rs2))
		m->pc += 4;
}

static void op_branch(struct machine *m, uint32_t w, uint64_t a, uint64_t b)
{
	uint64_t offset = sext((w >> 31) << 12 | (w >> 7 & 1) << 11 | (w >> 25 & 0x3f) << 5 |
				       (w >> 8 & 15) << 1,
			       13);
	bool taken = false;

	switch (w >> 12 & 7) {
	case 0:
	case 1:
		taken = a == b;
		break;
	case 4:
	case 5:
		taken = (int64_t)a < (int64_t)b;
		break;
	case 6:
	case 7:
		taken = a < b;
		break;
	default:
		wrong(m, "no such branch");
	}
	if (w >> 12 & 1)
		taken = !taken;
	m->pc += taken ? offset : 4;
}

/* Register with register or immediate B; ALT is bit 30 where that has a meaning. */
static void op_alu(struct machine *m, unsigned funct3, bool alt, unsigned rd, uint64_t a,
		   uint64_t b)
{
	uint64_t v = 0;

	switch (funct3) {
	case 0:
		v = alt ? a - b : a + b;
		break;
	case 1:
		v = a << (b & 63);
		break;
	case 2:
		v = (int64_t)a < (int64_t)b;
		break;
	case 3:
		v = a < b;
		break;
	case 4:
		v = a ^ b;
		break;
	case 5:
		v = alt ? (uint64_t)((int64_t)a >> (b & 63)) : a >> (b & 63);
		break;
	case 6:
		v = a | b;
		break;
	case 7:
		v = a & b;
		break;
	}
	set(m, rd, v);
	m->pc += 4;
}

static void op_csr(struct machine *m, uint32_t w, unsigned rd, unsigned rs1)
{
	uint64_t *csr = NULL, old;

	switch (w >> 20) {
	case CSR_SSTATUS:
		csr = &m->sstatus;
		break;
	case CSR_STVEC:
		csr = &m->stvec;
		break;
	case CSR_TIME:
		csr = &m->time;
		break;
	}
	if (!csr) {
		wrong(m, "CSR %#x", w >> 20);
		return;
	}
	if (csr == &m->time && m->time_traps) {
		trap(m, CAUSE_ILLEGAL, w);
		return;
	}
	old = *csr;
	if (csr == &m->time && rs1)
		wrong(m, "time is written");
	switch (w >> 12 & 7) {
	case 1:
		*csr = m->x[rs1];
		break;
	case 2:
		*csr |= m->x[rs1];
		break;
	case 3:
		*csr &= ~m->x[rs1];
		break;
	default:
		wrong(m, "no such instruction %#x", w);
	}
	set(m, rd, old);
	m->pc += 4;
}

static void execute(struct machine *m, uint32_t w)
{
	unsigned rd = w >> 7 & 31, rs1 = w >> 15 & 31;
	uint64_t a = m->x[rs1], b = m->x[w >> 20 & 31], immediate = sext(w >> 20, 12);
	unsigned funct3 = w >> 12 & 7;

	switch (w & 0x7f) {
	case 0x37: /* lui */
		set(m, rd, sext(w & ~0xfffu, 32));
		m->pc += 4;
		return;
	case 0x17: /* auipc */
		set(m, rd, m->pc + sext(w & ~0xfffu, 32));
		m->pc += 4;
		return;
	case 0x6f: /* jal */
		set(m, rd, m->pc + 4);
		m->pc += sext((w >> 31) << 20 | (w >> 12 & 0xff) << 12 | (w >> 20 & 1) << 11 |
				      (w >> 21 & 0x3ff) << 1,
			      21);
		return;
	case 0x67: /* jalr */
		set(m, rd, m->pc + 4);
		m->pc = (a + immediate) & ~(uint64_t)1;
		return;
	case 0x63:
		op_branch(m, w, a, b);
		return;
	case 0x03:
		op_load(m, w, rd, a);
		return;
	case 0x23:
		op_store(m, w, a, b);
		return;
	case 0x13:
		op_alu(m, funct3, funct3 == 5 && w >> 30 & 1, rd, a,
		       funct3 == 1 || funct3 == 5 ? immediate & 63 : immediate);
		return;
	case 0x33:
		if (w >> 25 & 0x5f)
			break;
		op_alu(m, funct3, w >> 30 & 1, rd, a, b);
		return;
	case 0x1b: /* addiw */
		if (funct3)
			break;
		set(m, rd, sext(a + immediate, 32));
		m->pc += 4;
		return;
	case 0x0f: /* fence, fence.i */
		m->fenced |= !funct3;
		m->fenced_i |= funct3 == 1;
		m->pc += 4;
		return;
	case 0x73:
		op_csr(m, w, rd, rs1);
		return;
	}
	wrong(m, "no such instruction %#x", w);
}

/* The few of 16 bits: c.nop, c.li, c.jr. */
static void execute_compressed(struct machine *m, uint32_t w)
{
	unsigned rd = w >> 7 & 31;

	if ((w & 0xe003) == 0x4001) { /* c.li */
		set(m, rd, sext((w >> 12 & 1) << 5 | (w >> 2 & 31), 6));
		m->pc += 2;
	} else if (w == 0x0001) {
		m->pc += 2;
	} else if ((w & 0xf07f) == 0x8002 && rd) { /* c.jr */
		m->pc = m->x[rd] & ~(uint64_t)1;
	} else {
		wrong(m, "no such instruction %#x", w);
	}
}

void machine_start(struct machine *m, uint64_t entry, uint64_t hart, uint64_t tree)
{
	for (unsigned i = 1; i < 32; i++)
		m->x[i] = 0xdeadbeef00000001 * i;
	m->x[10] = hart;
	m->x[11] = tree;
	m->pc = m->stvec = entry;
	m->sstatus = SDT;
	m->time = 1000000;
}

bool machine_run(struct machine *m, uint64_t stop, uint64_t limit)
{
	while (m->pc != stop && !m->wrong[0]) {
		uint64_t at = m->pc - m->image_base;
		uint32_t w;

		if (m->instructions++ >= limit)
			wrong(m, "it does not end");
		else if (m->pc & 1 || !riommu_inside(at, 4, m->image_size))
			wrong(m, "jump to %#llx", (unsigned long long)m->pc);
		if (m->wrong[0])
			break;
		m->time += m->instructions % 4 == 0;
		w = riommu_get32(m->image + at, false);
		if ((w & 3) == 3)
			execute(m, w);
		else
			execute_compressed(m, w & 0xffff);
	}
	return !m->wrong[0];
}
