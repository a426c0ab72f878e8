/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulated.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MODE   ((uint32_t)0xf)
#define BUSY   ((uint32_t)0x10)
#define MASTER 4u

struct simulation *sim;

static void wrong(const char *fmt, ...) RIOMMU_PRINTF(1, 2);

static void wrong(const char *fmt, ...)
{
	va_list ap;

	if (sim->wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(sim->wrong, sizeof(sim->wrong), fmt, ap);
	va_end(ap);
}

/* Each access takes a microsecond. */
static void access_made(void)
{
	sim->accesses++;
	sim->time_us++;
}

static void write_begins(void)
{
	if (sim->writes + 1 == sim->kill_before)
		kill(getpid(), SIGKILL);
	access_made();
	if (sim->must_be_locked && !sim->locked)
		wrong("a write before memory was locked");
	if (sim->state_file[0] && access(sim->state_file, F_OK))
		wrong("a write before the state was saved");
}

static void write_ends(void)
{
	if (++sim->writes == sim->kill_after)
		kill(getpid(), SIGKILL);
}

/* -- registers ------------------------------------------------------------------------------------------------- */

static struct sim_iommu *iommu_at(uint64_t base)
{
	for (size_t i = 0; i < 2; i++) {
		if (sim->iommus[i].base == base)
			return &sim->iommus[i];
	}
	ck_abort_msg("no IOMMU at 0x%llx", (unsigned long long)base);
	return NULL;
}

/* -1: no csr */
static int queue_of(uint32_t offset)
{
	return offset >= RIOMMU_REG_CQCSR && offset <= RIOMMU_REG_PQCSR
		       ? (int)(offset - RIOMMU_REG_CQCSR) / 4
		       : -1;
}

static bool count_down(unsigned *left)
{
	if (*left && *left != SIM_FOREVER)
		return (*left)--;
	return *left;
}

static uint32_t read_ddtp(struct sim_iommu *m)
{
	bool busy = count_down(&m->ddtp_busy_before);

	busy |= count_down(&m->busy);
	m->seen_idle = !busy;
	return m->word[RIOMMU_REG_DDTP / 4] | (busy ? BUSY : 0);
}

static uint32_t read_csr(struct sim_iommu *m, int q)
{
	bool busy = count_down(&m->csr_busy_before[q]);
	uint32_t v = m->word[RIOMMU_REG_CQCSR / 4 + q];

	busy |= count_down(&m->csr_busy[q]);
	m->csr_seen_idle[q] = !busy;
	if (!(v & 1) && v & 1u << 16 && !m->on_stays[q] && !count_down(&m->csr_on[q]))
		m->word[RIOMMU_REG_CQCSR / 4 + q] = v &= ~(1u << 16);
	return v | (busy ? 1u << 17 : 0);
}

/* The answer is there when Go is clear, and not before. */
static uint32_t read_tr_req_ctl(struct sim_iommu *m)
{
	bool go = m->go_forever || count_down(&m->probe_left);
	uint32_t *response = &m->word[RIOMMU_REG_TR_RESPONSE / 4];

	m->seen_no_go = !go;
	if (!go && m->word[RIOMMU_REG_TR_REQ_CTL / 4] & 1) {
		m->word[RIOMMU_REG_TR_REQ_CTL / 4] &= ~1u;
		response[0] = (uint32_t)m->probe_response;
		response[1] = (uint32_t)(m->probe_response >> 32);
		if (m->other_asks)
			m->word[m->other_asks / 4] ^= 0x1000;
	}
	return m->word[RIOMMU_REG_TR_REQ_CTL / 4] | go;
}

static uint32_t read_word(struct sim_iommu *m, uint32_t offset)
{
	if (offset == RIOMMU_REG_DDTP)
		return read_ddtp(m);
	if (queue_of(offset) >= 0)
		return read_csr(m, queue_of(offset));
	if (offset == RIOMMU_REG_TR_REQ_CTL)
		return read_tr_req_ctl(m);
	return m->word[offset / 4];
}

static int reg_read(void *arg, uint64_t base, uint32_t offset, unsigned width, uint64_t *value)
{
	struct sim_iommu *m = iommu_at(base);
	int reg = riommu_reg_by_offset(offset);

	(void)arg;
	access_made();
	if (reg < 0 || riommu_registers()[reg].width != width)
		wrong("read of %u bytes at 0x%x", width, offset);
	if (m->refused || (m->refuses_after && m->writes >= m->refuses_after) ||
	    (m->refuses_read && m->refuses_read == offset))
		return -EACCES;
	if (m->bus_error)
		return -EFAULT;
	*value = read_word(m, offset);
	if (width == 8)
		*value |= (uint64_t)m->word[offset / 4 + 1] << 32;
	if (m->dead)
		*value = width == 8 ? UINT64_MAX : UINT32_MAX;
	return 0;
}

/* 6.6: not while busy; nothing but the mode; no level to level, no Bare from a level; not while a debug request runs. */
static void check_ddtp(const struct sim_iommu *m, uint32_t value)
{
	uint32_t old = m->word[RIOMMU_REG_DDTP / 4];

	if (m->busy || m->ddtp_busy_before)
		wrong("ddtp written while it is busy");
	if (!m->seen_idle)
		wrong("ddtp written and not seen idle before");
	if (m->word[RIOMMU_REG_CAPABILITIES / 4] & RIOMMU_CAP_DBG && !m->seen_no_go)
		wrong("ddtp written, and tr_req_ctl.Go not seen clear before");
	if ((value ^ old) & ~(MODE | BUSY))
		wrong("ddtp: more than the mode changed: 0x%x to 0x%x", old, value);
	if (value & BUSY)
		wrong("ddtp: busy written");
	if (old & MODE && value & MODE)
		wrong("ddtp: mode %u to mode %u", old & MODE, value & MODE);
}

static void write_ddtp(struct sim_iommu *m, uint32_t value)
{
	uint32_t *ddtp = &m->word[RIOMMU_REG_DDTP / 4];

	check_ddtp(m, value);
	m->seen_idle = m->seen_no_go = false;
	m->busy = m->ddtp_busy_after;
	if (!m->mode_stays)
		*ddtp = (*ddtp & ~MODE) | (value & MODE);
	if (m->ppn_changes)
		*ddtp ^= 0x400;
}

static void write_csr(struct sim_iommu *m, int q, uint32_t value)
{
	uint32_t *csr = &m->word[RIOMMU_REG_CQCSR / 4 + q];

	if (m->csr_busy[q] || m->csr_busy_before[q])
		wrong("csr %d written while it is busy", q);
	if (!m->csr_seen_idle[q])
		wrong("csr %d written and not seen idle before", q);
	if (value)
		wrong("csr %d: 0x%x written, not 0", q, value);
	if (m->word[RIOMMU_REG_DDTP / 4] & MODE)
		wrong("csr %d written while DMA is not blocked", q);
	m->csr_seen_idle[q] = false;
	m->csr_busy[q] = m->csr_busy_after[q];
	m->csr_on[q] = m->csr_busy_after[q] == SIM_FOREVER ? 0 : 4;
	if (!m->enable_stays[q])
		*csr &= m->interrupt_stays[q] ? ~1u : ~3u;
}

static void write_vector(struct sim_iommu *m, uint32_t offset, uint32_t value)
{
	if ((value ^ m->word[offset / 4]) & ~1u)
		wrong("0x%x: more than the mask changed", offset);
	if (!m->vector_stays)
		m->word[offset / 4] = value;
}

/* 6.24, 6.25: address first, then the upper half of the request, Go last; nothing while Go is set; Exe only with NW. */
static void write_tr_req(struct sim_iommu *m, uint32_t offset, uint32_t value)
{
	unsigned part = (offset - RIOMMU_REG_TR_REQ_IOVA) / 4;

	if (!m->seen_no_go || m->word[RIOMMU_REG_TR_REQ_CTL / 4] & 1)
		wrong("0x%x written, and Go not seen clear before", offset);
	m->word[offset / 4] = value;
	m->probe_parts |= 1u << part;
	if (offset == RIOMMU_REG_TR_REQ_IOVA && value & 0xfff)
		wrong("tr_req_iova: 0x%x is no page", value);
	if (offset != RIOMMU_REG_TR_REQ_CTL)
		return;
	if (m->probe_parts != 0xf)
		wrong("Go set before all of the request was written");
	if (!(value & 8))
		wrong("tr_req_ctl: NW is 0: the request could set D");
	m->word[RIOMMU_REG_TR_RESPONSE / 4] = 0x5a5a5a5a; /* not yet */
	m->probe_left = m->probe_takes;
	m->probe_parts = 0;
	m->probes++;
}

static void write_word(struct sim_iommu *m, uint32_t offset, uint32_t value)
{
	if (offset == RIOMMU_REG_DDTP)
		write_ddtp(m, value);
	else if (queue_of(offset) >= 0)
		write_csr(m, queue_of(offset), value);
	else if (offset == RIOMMU_REG_IPSR)
		m->word[offset / 4] &= m->ipsr_stays ? UINT32_MAX : ~value;
	else if (offset >= RIOMMU_REG_MSI_CFG_TBL && offset % 16 == 12)
		write_vector(m, offset, value);
	else if (offset >= RIOMMU_REG_TR_REQ_IOVA && offset < RIOMMU_REG_TR_RESPONSE)
		write_tr_req(m, offset, value);
	else
		wrong("write to 0x%x", offset);
}

static int reg_write(void *arg, uint64_t base, uint32_t offset, uint32_t value)
{
	struct sim_iommu *m = iommu_at(base);

	(void)arg;
	write_begins();
	if (m->dead)
		wrong("write to a dead IOMMU");
	if (m->writes + 1 == m->refuses_write)
		return -EIO;
	write_word(m, offset, value);
	m->dead |= ++m->writes == m->dies_at_write;
	write_ends();
	return 0;
}

/* -- config space ------------------------------------------------------------------------------------------------ */

struct sim_function *sim_function(const char *name)
{
	for (size_t i = 0; i < sim->function_count; i++) {
		if (!strcmp(sim->functions[i].name, name))
			return &sim->functions[i];
	}
	ck_abort_msg("no function %s", name);
	return NULL;
}

static uint16_t read_half(struct sim_function *f, unsigned offset)
{
	uint16_t v = f->config[offset / 2];

	if (offset == 0x04 && f->comes_back && !--f->comes_back)
		v = f->config[offset / 2] |= MASTER;
	/* Device Status of the capability at 0x80 */
	if (offset == 0x8a && count_down(&f->pending))
		v |= 0x20;
	return v;
}

static int config_read(void *arg, const char *name, unsigned offset, unsigned width,
		       uint32_t *value)
{
	struct sim_function *f = sim_function(name);

	(void)arg;
	access_made();
	if (offset % width || offset + width > 256 || (width != 2 && width != 4))
		wrong("config read of %u bytes at 0x%x", width, offset);
	if (f->gone)
		return -ENODATA;
	if (f->refused >> (offset / 4) & 1)
		return -EACCES;
	*value = read_half(f, offset);
	if (width == 4)
		*value |= (uint32_t)f->config[offset / 2 + 1] << 16;
	if (f->all_ones)
		*value = width == 4 ? UINT32_MAX : UINT16_MAX;
	return 0;
}

static int config_write(void *arg, const char *name, unsigned offset, unsigned width,
			uint32_t value)
{
	struct sim_function *f = sim_function(name);

	(void)arg;
	write_begins();
	if (offset != 0x04 || width != 2)
		wrong("%s: config write of %u bytes at 0x%x", name, width, offset);
	if ((value ^ f->config[2]) & ~MASTER)
		wrong("%s: more than bus mastering changed", name);
	if (f->config[7] & 0x7f || f->config[5] == 0x0806)
		wrong("%s: a bridge or an IOMMU was written", name);
	if (!(f->stays_on && !(value & MASTER)) && !(f->stays_off && value & MASTER))
		f->config[2] = (uint16_t)value;
	write_ends();
	return 0;
}

bool sim_masters(const char *name)
{
	return sim_function(name)->config[2] & MASTER;
}

/* -- the machine --------------------------------------------------------------------------------------------------- */

static uint64_t now_us(void *arg)
{
	(void)arg;
	return sim->time_us;
}

static void pause_a_bit(void *arg)
{
	(void)arg;
	sim->time_us += 50;
}

static int lock_memory(void *arg)
{
	(void)arg;
	sim->locked = !sim->lock_fails;
	return sim->lock_fails ? -ENOMEM : 0;
}

struct riommu_hw *sim_hw(void)
{
	static const struct riommu_hw_ops ops = {
		.reg_read = reg_read,
		.reg_write = reg_write,
		.config_read = config_read,
		.config_write = config_write,
		.now_us = now_us,
		.pause = pause_a_bit,
		.lock_memory = lock_memory,
	};
	static struct riommu_hw hw = {.ops = &ops};

	return &hw;
}

static int source_reg_read(struct riommu_source *src, uint64_t base, uint32_t offset,
			   unsigned width, uint64_t *value)
{
	return reg_read(src->priv, base, offset, width, value);
}

static int source_reg_write(struct riommu_source *src, uint64_t base, uint32_t offset,
			    uint32_t value)
{
	return reg_write(src->priv, base, offset, value);
}

static int source_open(struct riommu_source *src, const char *path)
{
	(void)src;
	(void)path;
	return 0;
}

struct riommu_source *sim_source(struct riommu_ctx *ctx)
{
	static const struct riommu_source_ops ops = {
		.name = "simulated",
		.provides = RIOMMU_PROVIDES_REGISTERS,
		.open = source_open,
		.reg_read = source_reg_read,
		.reg_write = source_reg_write,
	};
	struct riommu_source *src;

	ck_assert_int_eq(riommu_source_open_writable(ctx, &ops, &src), 0);
	return src;
}

void sim_set(size_t iommu, uint32_t offset, unsigned width, uint64_t value)
{
	sim->iommus[iommu].word[offset / 4] = (uint32_t)value;
	if (width == 8)
		sim->iommus[iommu].word[offset / 4 + 1] = (uint32_t)(value >> 32);
}

uint64_t sim_reg(size_t iommu, uint32_t offset, unsigned width)
{
	uint64_t v = sim->iommus[iommu].word[offset / 4];

	return width == 8 ? v | (uint64_t)sim->iommus[iommu].word[offset / 4 + 1] << 32 : v;
}

/* capabilities: 1.0, Sv39, ATS, HPM, DBG, IGS = BOTH, PAS 56 */
static void make_iommu(size_t i, uint64_t base, uint64_t ddtp)
{
	sim->iommus[i].base = base;
	sim_set(i, RIOMMU_REG_CAPABILITIES, 8,
		0x10 | RIOMMU_CAP_SV39 | RIOMMU_CAP_ATS | RIOMMU_CAP_HPM | RIOMMU_CAP_DBG |
			(uint64_t)RIOMMU_IGS_BOTH << 28 | (uint64_t)56 << 32);
	sim_set(i, RIOMMU_REG_DDTP, 8, ddtp);
	sim_set(i, RIOMMU_REG_CQB, 8, 0x20090007 + i);
	sim_set(i, RIOMMU_REG_FQB, 8, 0x200a0006 + i);
	sim_set(i, RIOMMU_REG_CQCSR, 4, 0x10003);
	sim_set(i, RIOMMU_REG_FQCSR, 4, 0x10203); /* an overflow nobody has cleared */
	sim_set(i, RIOMMU_REG_PQCSR, 4, 0x10001);
	sim_set(i, RIOMMU_REG_IPSR, 4, 2);
	sim_set(i, RIOMMU_REG_ICVEC, 8, 0x3210);
	sim->iommus[i].ddtp_busy_after = 3;
	for (int q = 0; q < SIM_QUEUES; q++)
		sim->iommus[i].csr_busy_after[q] = 2;
}

/* A capability list of power management at 0x40 and, with EXPRESS, PCI Express at 0x80. */
static void make_function(const char *name, uint16_t command, uint16_t class, uint16_t header,
			  bool express)
{
	struct sim_function *f = &sim->functions[sim->function_count];

	snprintf(f->name, sizeof(f->name), "%s", name);
	f->config[0] = 0x1b36;
	f->config[1] = (uint16_t)(0x100 + sim->function_count++);
	f->config[0x04 / 2] = command;
	f->config[0x06 / 2] = 0x10;
	f->config[0x0a / 2] = class;
	f->config[0x0e / 2] = header;
	f->config[0x34 / 2] = 0x40;
	f->config[0x40 / 2] = express ? 0x8001 : 0x0001;
	f->config[0x80 / 2] = 0x0010;
}

void sim_begin(void)
{
	sim = mmap(NULL, sizeof(*sim), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(sim != MAP_FAILED);
	make_iommu(0, SIM_BASE0, SIM_DDTP0);
	make_iommu(1, SIM_BASE1, SIM_DDTP1);
	make_function(SIM_NVME, 0x0506, 0x0108, 0x80, true);
	make_function(SIM_EDU, 0x0006, 0x00ff, 0, false);
	make_function(SIM_BRIDGE, 0x0007, 0x0604, 1, true);
	make_function(SIM_IOMMU, 0x0006, 0x0806, 0, true);
	make_function(SIM_NIC, 0x0003, 0x0200, 0, true);
	make_function(SIM_GPU, 0x0407, 0x0300, 0, true);
	sim_function(SIM_NVME)->pending = 3;
}

void sim_end(void)
{
	munmap(sim, sizeof(*sim));
	sim = NULL;
}

struct riommu_system *sim_system(struct riommu_ctx *ctx)
{
	static struct riommu_iommu iommus[2];
	static struct riommu_device devices[] = {
		{.device_id = 0x08, .iommu = 0, .name = SIM_NVME, .driver = "nvme"},
		{.device_id = 0x10, .iommu = 0, .name = SIM_EDU},
		{.device_id = 0x11, .iommu = 0, .name = SIM_EDU}, /* an alias */
		{.device_id = 0x18, .iommu = 0, .name = SIM_BRIDGE, .driver = "pcieport"},
		{.device_id = 0x20, .iommu = 0, .name = SIM_IOMMU},
		{.device_id = 0x30, .iommu = 0, .name = SIM_PLATFORM},
		{.device_id = 0x100, .iommu = 0, .name = SIM_NIC, .driver = "virtio-pci"},
		{.device_id = 0x200, .iommu = 1, .name = SIM_GPU},
	};
	static struct riommu_system sys;

	iommus[0] = (struct riommu_iommu){.base = SIM_BASE0, .name = "3010000.iommu"};
	iommus[1] = (struct riommu_iommu){.base = SIM_BASE1, .name = "3020000.iommu"};
	sys = (struct riommu_system){.ctx = ctx,
				     .live = true,
				     .iommus = iommus,
				     .iommu_count = 2,
				     .devices = devices,
				     .device_count = RIOMMU_ARRAY_SIZE(devices)};
	return &sys;
}
