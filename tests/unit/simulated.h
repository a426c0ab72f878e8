/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A simulated machine: register files of two IOMMUs and the config space of a few PCI functions, with faults to choose from. It
 * knows the rules of the specification, and remembers the first write that breaks one. It lies in shared memory, so that it
 * outlives a process that is killed in the middle, as hardware does.
 */
#ifndef TEST_SIMULATED_H
#define TEST_SIMULATED_H

#include "control/quiesce.h"

#define SIM_BASE0 ((uint64_t)0x3010000)
#define SIM_BASE1 ((uint64_t)0x3020000)
#define SIM_DDTP0 ((uint64_t)0x0012345678abc404) /* 3LVL, PPN bits in both halves */
#define SIM_DDTP1 ((uint64_t)0x0000000020080003) /* 2LVL */

#define SIM_NVME     "0000:00:01.0" /* PCI Express, masters */
#define SIM_EDU      "0000:00:02.0" /* no PCI Express capability, masters */
#define SIM_BRIDGE   "0000:00:03.0"
#define SIM_IOMMU    "0000:00:04.0"
#define SIM_NIC      "0000:01:00.0" /* PCI Express, does not master */
#define SIM_GPU      "0000:02:00.0" /* behind the second IOMMU; PCI Express, masters */
#define SIM_PLATFORM "10000000.dma"

enum { SIM_CQ, SIM_FQ, SIM_PQ, SIM_QUEUES }; /* as their csr lie */

#define SIM_FOREVER 0xffffffffu

struct sim_iommu {
	uint64_t base;
	uint32_t word[0x400 / 4];
	unsigned busy; /* reads for which ddtp is still busy */
	unsigned csr_busy[SIM_QUEUES];
	unsigned csr_on[SIM_QUEUES]; /* reads for which it is still on after it was disabled */
	bool seen_idle, seen_no_go, csr_seen_idle[SIM_QUEUES]; /* since the last write */

	/* what may be wrong with it */
	bool dead; /* all ones */
	bool refused;
	uint32_t refuses_read; /* of this register; 0: of none */
	bool bus_error;
	bool go_forever;
	unsigned
		probe_takes; /* reads of tr_req_ctl until a debug translation is done; SIM_FOREVER */
	uint64_t probe_response;
	uint32_t
		other_asks; /* register that another program writes before the answer is read; 0: none */
	unsigned ddtp_busy_before, ddtp_busy_after; /* reads; SIM_FOREVER */
	bool mode_stays, ppn_changes;
	unsigned csr_busy_before[SIM_QUEUES], csr_busy_after[SIM_QUEUES];
	bool on_stays[SIM_QUEUES], enable_stays[SIM_QUEUES];
	bool interrupt_stays[SIM_QUEUES]; /* its enable */
	bool ipsr_stays, vector_stays;
	unsigned dies_at_write; /* number of the write to it after which it is dead; 0: never */
	unsigned refuses_write; /* number of the write that is refused with EIO; 0: none */
	unsigned refuses_after; /* likewise, all reads after that many writes; 0: none */
	unsigned writes;

	/* the debug translation that was asked for */
	unsigned probes, probe_left;
	unsigned probe_parts; /* of the registers that were written for the next one */
};

struct sim_function {
	char name[32];
	uint16_t config[128];
	unsigned pending; /* reads of Device Status for which transactions are pending */
	bool gone;        /* no such function */
	bool all_ones;
	uint64_t refused;    /* config reads of these words of 4 bytes, a bit each */
	bool stays_on;       /* bus mastering cannot be cleared */
	bool stays_off;      /* nor set */
	unsigned comes_back; /* reads of COMMAND after which bus mastering is on again; 0: never */
};

struct simulation {
	struct sim_iommu iommus[2];
	struct sim_function functions[8];
	size_t function_count;
	uint64_t time_us;
	unsigned accesses, writes;
	unsigned
		kill_after; /* the process that makes this write is killed right after it; 0: none */
	unsigned kill_before; /* likewise, but the write is not made any more */
	bool locked;          /* lock_memory() was called */
	bool lock_fails;
	bool must_be_locked;  /* a write before that is wrong */
	char state_file[256]; /* a write while this is not there is wrong; "": whatever */
	char wrong[256];      /* the first rule that was broken */
};

extern struct simulation *sim;

/* A machine in working order, and its end. */
void sim_begin(void);
void sim_end(void);

struct riommu_hw *sim_hw(void);

/* The registers as a source that can write; the caller's to close. */
struct riommu_source *sim_source(struct riommu_ctx *ctx);

/* What discover would have found: CTX is the caller's. */
struct riommu_system *sim_system(struct riommu_ctx *ctx);

uint64_t sim_reg(size_t iommu, uint32_t offset, unsigned width);
void sim_set(size_t iommu, uint32_t offset, unsigned width, uint64_t value);
struct sim_function *sim_function(const char *name);
bool sim_masters(const char *name);

#endif
