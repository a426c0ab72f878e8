/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of rules. An id is for ever; texts may get better. HACKING.md, "a rule of check", says how to add one. */
#include "check/check-internal.h"

/* What devices are told, and what the log shows, when the directory is wrong. */
#define DC_REFUSED \
	"The IOMMU refuses every request of this device with cause 259 (DDT entry misconfigured)."
#define PC_REFUSED                                                                   \
	"The IOMMU refuses every request of this process with cause 267 (PDT entry " \
	"misconfigured)."
#define MSI_REFUSED \
	"Messages to this interrupt file are refused with cause 263 (MSI PTE misconfigured)."
#define PAST_PAS                                                                              \
	"No memory has such an address (capabilities.PAS): the entry was never written by a " \
	"driver that knows this IOMMU, or it was overwritten."
#define FIX_DRIVER \
	"Look at who wrote the entry: the driver, the hypervisor, or a stray write into it."
#define FIX_MODE "Use what 'iommu-dump regs capabilities' shows."
#define FIX_MAPPING                                                                       \
	"See what maps it with 'iommu-dump whomaps ADDRESS', and unmap it there; detach " \
	"the device if nobody knows why it is mapped."

static const struct riommu_rule rules[RIOMMU_RULE_COUNT] = {
	/* -- registers ------------------------------------------------------------------------- */
	[CHECK_CAPABILITIES_VERSION] =
		{"capabilities-version", RIOMMU_WARNING,
		 "the IOMMU is of a version that is not known here",
		 "Registers and structures may mean something else: all that is shown of this "
		 "IOMMU is in doubt.",
		 "Use a version of this program that knows it; check that the base address "
		 "is right."},
	[CHECK_CAPABILITIES_IGS] =
		{"capabilities-igs", RIOMMU_WARNING, "capabilities.IGS has a reserved value",
		 "How the IOMMU interrupts is not defined; a driver refuses it or loses "
		 "interrupts.",
		 "Check that the base address is right; else it is a defect of the IOMMU."},
	[CHECK_CAPABILITIES_MODES] =
		{"capabilities-modes", RIOMMU_WARNING, "capabilities contradict themselves",
		 "Sv48 promises Sv39, Sv57 promises Sv48, an MRIF needs MSI page tables, and "
		 "an address has at most 56 bits. Software relies on it.",
		 "Check that the base address is right; else it is a defect of the IOMMU."},
	[CHECK_FCTL_WSI] =
		{"fctl-wsi", RIOMMU_WARNING,
		 "fctl.WSI is a way to interrupt that capabilities.IGS does not have",
		 "Interrupts of the IOMMU do not arrive: faults are not noticed, and whoever "
		 "waits for a command waits for ever.",
		 "Set fctl.WSI to what capabilities.IGS offers, with ddtp Off and the "
		 "queues off."},
	[CHECK_REGISTER_RESERVED] =
		{"register-reserved-bits", RIOMMU_WARNING, "a register has reserved bits set",
		 "These bits read as zero in an IOMMU of this version: it is a newer one, or "
		 "this is not its register page.",
		 "Check that the base address is right; use a newer version of this program."},
	[CHECK_REGISTER_BUSY] =
		{"register-busy", RIOMMU_WARNING, "a change of a register does not come to an end",
		 "While it is busy nothing else may be written there: the driver waits, then "
		 "gives up.",
		 "Look at the bus: a device that does not finish its requests holds the "
		 "IOMMU. Only a reset may help."},
	[CHECK_DDTP_OFF] =
		{"ddtp-off", RIOMMU_INFO, "ddtp is Off: no device reaches memory",
		 "Every request is refused with cause 256. That is right before a handover, "
		 "and after 'iommu-quiesce'; else no device behind it works.",
		 "'iommu-quiesce --undo' restores what iommu-quiesce blocked; else let the "
		 "driver set it up."},
	[CHECK_DDTP_BARE] =
		{"ddtp-bare", RIOMMU_WARNING, "ddtp is Bare: every device reaches all memory",
		 "Nothing is translated and nothing is refused. A driver that gives the IOMMU "
		 "up leaves it like that, and so does some firmware.",
		 "Load a kernel with the driver, or block it with 'iommu-quiesce'. Before a "
		 "kexec use 'iommu-kexec-prep'."},
	[CHECK_DDTP_MODE] = {"ddtp-mode", RIOMMU_ERROR, "ddtp.iommu_mode is a reserved value",
			     "What the IOMMU does with requests is written down nowhere.",
			     "Check that the base address is right; set a mode that is defined."},
	[CHECK_DDTP_ROOT] =
		{"ddtp-root", RIOMMU_ERROR, "the device directory is at address 0",
		 "ddtp.PPN was never set, but the mode says that there is a directory: what "
		 "lies at address 0 decides what devices reach.",
		 "Set ddtp Off, then to the directory's address."},

	/* -- queues ---------------------------------------------------------------------------- */
	[CHECK_CQ_MEMORY_FAULT] =
		{"cq-memory-fault", RIOMMU_ERROR, "cqmf: the command queue met a memory fault",
		 "It stands still: no invalidation completes, so devices go on using mappings "
		 "that were taken away.",
		 "See the command at cqh with 'iommu-dump commands'; set the queue up "
		 "again and repeat all since the last IOFENCE.C."},
	[CHECK_CQ_TIMEOUT] =
		{"cq-timeout", RIOMMU_ERROR, "cmd_to: an ATS invalidation timed out",
		 "The command queue stands still at the IOFENCE.C behind it, and a device may "
		 "still use what it has cached.",
		 "Reset the device that did not answer, then clear cmd_to."},
	[CHECK_CQ_ILLEGAL] =
		{"cq-illegal-command", RIOMMU_ERROR,
		 "cmd_ill: the command queue met an illegal command",
		 "It stands still: no invalidation completes, so devices go on using mappings "
		 "that were taken away.",
		 "See the command at cqh with 'iommu-dump commands': the driver uses what "
		 "this IOMMU does not have, or the queue was overwritten."},
	[CHECK_CQ_STUCK] =
		{"cq-stuck", RIOMMU_ERROR, "commands wait, and the command queue does not move",
		 "No invalidation completes: devices go on using mappings that were taken "
		 "away, and the driver waits.",
		 "See the command at cqh with 'iommu-dump commands', and the error bits of "
		 "cqcsr; set the queue up again."},
	[CHECK_FQ_MEMORY_FAULT] =
		{"fq-memory-fault", RIOMMU_ERROR, "fqmf: fault records cannot be stored",
		 "The fault queue lies where the IOMMU cannot write. Faults are lost until the "
		 "bit is cleared.",
		 "Check fqb; set the queue up again."},
	[CHECK_FQ_OVERFLOW] =
		{"fq-overflow", RIOMMU_WARNING, "fqof: fault records were lost",
		 "The fault queue was full. Which faults are missing is not known, and none is "
		 "recorded until the bit is cleared.",
		 "Stop the device that faults ('iommu-dump faults'), let the driver read "
		 "the queue, clear fqof."},
	[CHECK_FQ_OFF] =
		{"fq-off", RIOMMU_WARNING, "the fault queue is off while devices are translated",
		 "Faults are not recorded: a device that fails shows nothing here, and nobody "
		 "learns of wild requests.",
		 "Enable it (fqcsr.fqen)."},
	[CHECK_PQ_MEMORY_FAULT] =
		{"pq-memory-fault", RIOMMU_ERROR, "pqmf: page requests cannot be stored",
		 "The page-request queue lies where the IOMMU cannot write. Devices are "
		 "refused the pages that they ask for.",
		 "Check pqb; set the queue up again."},
	[CHECK_PQ_OVERFLOW] =
		{"pq-overflow", RIOMMU_WARNING, "pqof: page requests were lost",
		 "The page-request queue was full. Devices ask again, and none is recorded "
		 "until the bit is cleared.",
		 "Let the driver read the queue and clear pqof; give it a larger one."},
	[CHECK_QUEUE_NOT_ON] =
		{"queue-not-on", RIOMMU_WARNING,
		 "a queue is not in the state that it was asked for",
		 "What is enabled should be on, and what is disabled off; until then its base "
		 "must not be changed.",
		 "Wait for busy to clear; if it stays so the IOMMU is stuck."},
	[CHECK_QUEUE_BASE] =
		{"queue-base", RIOMMU_ERROR, "a queue lies where it cannot be",
		 "Its address must be aligned to its size and exist. Where entries of another "
		 "are read or written is not defined: memory may be overwritten.",
		 "Disable the queue and set its base register."},
	[CHECK_QUEUE_INDEX] = {"queue-index", RIOMMU_ERROR,
			       "an index lies past the end of its queue",
			       "Software and IOMMU do not agree on the size of the queue.",
			       "Disable the queue, set its base register and begin at index 0."},

	/* -- interrupts ------------------------------------------------------------------------ */
	[CHECK_INTERRUPT_DISABLED] =
		{"interrupt-disabled", RIOMMU_WARNING,
		 "something waits for the driver, and its interrupt is disabled",
		 "Unless the driver polls it does not learn of it.",
		 "Enable the interrupt (cie, fie, pie); see that the driver is loaded."},
	[CHECK_INTERRUPT_MASKED] =
		{"interrupt-masked", RIOMMU_WARNING,
		 "the message of an enabled interrupt is masked",
		 "The message waits until msi_vec_ctl.M is cleared: the driver does not learn "
		 "of faults or of finished commands.",
		 "Unmask the vector, or give the interrupt another one (icvec)."},
	[CHECK_INTERRUPT_ADDRESS] =
		{"interrupt-address", RIOMMU_WARNING,
		 "the message of an enabled interrupt has no address",
		 "msi_addr is 0: the interrupt is a write to address 0, and reaches nobody.",
		 "Program the vector, or give the interrupt another one (icvec)."},
	[CHECK_INTERRUPT_LOST] =
		{"interrupt-lost", RIOMMU_WARNING, "an interrupt is pending and nobody serves it",
		 "A message is sent only when the bit of ipsr is set anew: if it was lost, no "
		 "other follows.",
		 "See in /proc/interrupts whether the IOMMU's interrupts arrive; clearing "
		 "the bit of ipsr sends them again."},
	[CHECK_INTERRUPT_PENDING] =
		{"interrupt-pending", RIOMMU_INFO,
		 "an interrupt was pending when the capture was taken",
		 "The driver may have been about to serve it, or it was lost: one capture "
		 "cannot tell.",
		 "Take a second capture: if the bit is still set and the index has not "
		 "moved, it was lost."},

	/* -- device directory ------------------------------------------------------------------ */
	[CHECK_DDT_ROOT_ZERO] =
		{"ddt-root-zero", RIOMMU_WARNING, "the root of the device directory is all zero",
		 "No device has a context, so every request is refused with cause 258. Or the "
		 "zeros are not what memory holds: /proc/kcore gives them for pages that it "
		 "cannot read.",
		 "See whether devices work. If they do, read memory another way: a "
		 "dump of the machine, or a vmcore."},
	[CHECK_DDT_RESERVED] = {"ddt-reserved-bits", RIOMMU_ERROR,
				"an entry of the device directory has reserved bits set",
				"Requests of all devices behind it are refused with cause 259.",
				FIX_DRIVER},
	[CHECK_DDT_ADDRESS] = {"ddt-address", RIOMMU_ERROR,
			       "a page of the device directory lies where there is no memory",
			       "Requests of all devices behind it are refused with cause 257.",
			       FIX_DRIVER},
	[CHECK_DDT_LOOP] =
		{"ddt-loop", RIOMMU_ERROR, "a page of the device directory is used more than once",
		 "The directory loops or shares: different device ids have one context, and a "
		 "change for one device changes the other.",
		 FIX_DRIVER},
	[CHECK_MEMORY_CORRUPT] =
		{"memory-corrupt", RIOMMU_ERROR,
		 "the memory of a table answers with data corruption",
		 "Requests that need it are refused (causes 268, 269, 270, 274), and what the "
		 "page held is lost.",
		 "See the kernel's log for memory errors; replace the memory."},

	/* -- device contexts: the specification's list, in its order (2.2.3) ------------- */
	[CHECK_DC_RESERVED] = {"dc-reserved-bits", RIOMMU_ERROR,
			       "a device context has reserved bits set", DC_REFUSED, FIX_DRIVER},
	[CHECK_DC_ATS] = {"dc-ats-unsupported", RIOMMU_ERROR,
			  "a device context enables ATS on an IOMMU without it", DC_REFUSED,
			  "Clear EN_ATS, EN_PRI and PRPR in tc."},
	[CHECK_DC_T2GPA_ATS] = {"dc-t2gpa-without-ats", RIOMMU_ERROR,
				"a device context has T2GPA without EN_ATS", DC_REFUSED,
				"Set EN_ATS, or clear T2GPA."},
	[CHECK_DC_PRI_ATS] = {"dc-pri-without-ats", RIOMMU_ERROR,
			      "a device context has EN_PRI without EN_ATS", DC_REFUSED,
			      "Set EN_ATS, or clear EN_PRI."},
	[CHECK_DC_PRPR_PRI] = {"dc-prpr-without-pri", RIOMMU_ERROR,
			       "a device context has PRPR without EN_PRI", DC_REFUSED,
			       "Set EN_PRI, or clear PRPR."},
	[CHECK_DC_T2GPA] = {"dc-t2gpa-unsupported", RIOMMU_ERROR,
			    "a device context has T2GPA on an IOMMU without it", DC_REFUSED,
			    "Clear T2GPA."},
	[CHECK_DC_T2GPA_STAGE] = {"dc-t2gpa-without-second-stage", RIOMMU_ERROR,
				  "a device context has T2GPA without a second stage", DC_REFUSED,
				  "Set iohgatp, or clear T2GPA."},
	[CHECK_DC_PDTP_MODE] = {"dc-pdtp-mode", RIOMMU_ERROR,
				"a process directory has a mode that the IOMMU does not have",
				DC_REFUSED, FIX_MODE},
	[CHECK_DC_FSC_MODE] = {"dc-first-stage-mode", RIOMMU_ERROR,
			       "a first stage has a mode that is not defined", DC_REFUSED,
			       "Use a mode that goes with tc.SXL."},
	[CHECK_DC_FSC_64] = {"dc-first-stage-unsupported", RIOMMU_ERROR,
			     "a first stage has a mode that the IOMMU does not have", DC_REFUSED,
			     FIX_MODE},
	[CHECK_DC_FSC_32] = {"dc-sv32-unsupported", RIOMMU_ERROR,
			     "a first stage is Sv32 on an IOMMU without it", DC_REFUSED, FIX_MODE},
	[CHECK_DC_DPE] = {"dc-dpe-without-pdtv", RIOMMU_ERROR,
			  "a device context has DPE without PDTV", DC_REFUSED,
			  "Set PDTV, or clear DPE."},
	[CHECK_DC_HGATP_MODE] = {"dc-second-stage-mode", RIOMMU_ERROR,
				 "a second stage has a mode that is not defined", DC_REFUSED,
				 "Use a mode that goes with fctl.GXL."},
	[CHECK_DC_HGATP_64] = {"dc-second-stage-unsupported", RIOMMU_ERROR,
			       "a second stage has a mode that the IOMMU does not have", DC_REFUSED,
			       FIX_MODE},
	[CHECK_DC_HGATP_32] = {"dc-sv32x4-unsupported", RIOMMU_ERROR,
			       "a second stage is Sv32x4 on an IOMMU without it", DC_REFUSED,
			       FIX_MODE},
	[CHECK_DC_MSIPTP_MODE] = {"dc-msiptp-mode", RIOMMU_ERROR,
				  "an MSI page table has a mode that is not defined", DC_REFUSED,
				  "Use Off or Flat."},
	[CHECK_DC_HGATP_ALIGNMENT] = {"dc-second-stage-alignment", RIOMMU_ERROR,
				      "the root of a second stage is not aligned to 16 KiB",
				      DC_REFUSED,
				      "Give it four pages in a row, aligned to 16 KiB."},
	[CHECK_DC_AD] = {"dc-ad-update-unsupported", RIOMMU_ERROR,
			 "a device context has SADE or GADE on an IOMMU without AMO_HWAD",
			 DC_REFUSED, "Clear SADE and GADE, and set A and D in software."},
	[CHECK_DC_END] = {"dc-endianness-unsupported", RIOMMU_ERROR,
			  "a device context has a byte order that the IOMMU does not have",
			  DC_REFUSED, "Set SBE to the value of fctl.BE."},
	[CHECK_DC_SXL] = {"dc-sxl", RIOMMU_ERROR, "tc.SXL does not go with fctl.GXL", DC_REFUSED,
			  "Set SXL where GXL is set, and clear it where GXL cannot be set "
			  "(-O gxl_writable= says whether it can)."},
	[CHECK_DC_SBE] = {"dc-sbe", RIOMMU_ERROR, "tc.SBE differs from a byte order that is fixed",
			  DC_REFUSED,
			  "Set SBE to the value of fctl.BE (-O be_writable= says whether that can "
			  "be written)."},
	[CHECK_DC_MSIPTP_STAGE] =
		{"dc-msiptp-without-second-stage", RIOMMU_ERROR,
		 "a device context has an MSI page table without a second stage",
		 "Since its version of 2026 the specification wants it refused with cause 259; "
		 "what an older IOMMU does is its own.",
		 "Set iohgatp, or set msiptp Off."},
	[CHECK_DC_ADDRESS] = {"dc-address", RIOMMU_ERROR,
			      "a device context points beyond the physical address space", PAST_PAS,
			      FIX_DRIVER},
	[CHECK_DC_DTF] = {"dc-faults-hidden", RIOMMU_WARNING,
			  "faults of a device are not recorded (tc.DTF)",
			  "The device is refused as usual, but the fault queue shows nothing: page "
			  "faults, wild requests and attacks stay unseen.",
			  "Clear DTF, unless the device is known to flood the queue."},
	[CHECK_IDENTITY] =
		{"identity", RIOMMU_INFO, "a device reaches all memory: no table limits it",
		 "It can read and write the kernel, the page tables and every process. Linux "
		 "7.2 on RISC-V gives devices of the host such a context.",
		 "If the device is not trusted give it to VFIO, or let its driver use a "
		 "kernel that translates (iommu group type DMA)."},

	/* -- process directory ----------------------------------------------------------------- */
	[CHECK_PDT_RESERVED] = {"pdt-reserved-bits", RIOMMU_ERROR,
				"an entry of a process directory has reserved bits set",
				"Requests of all processes behind it are refused with cause 267.",
				FIX_DRIVER},
	[CHECK_PDT_ADDRESS] =
		{"pdt-address", RIOMMU_ERROR, "a page of a process directory cannot be reached",
		 "There is no memory, or the second stage does not map it. Requests of all "
		 "processes behind it are refused.",
		 FIX_DRIVER},
	[CHECK_PDT_LOOP] =
		{"pdt-loop", RIOMMU_ERROR, "a page of a process directory is used more than once",
		 "The directory loops or shares: different process ids have one context.",
		 FIX_DRIVER},
	[CHECK_PC_RESERVED] = {"pc-reserved-bits", RIOMMU_ERROR,
			       "a process context has reserved bits set", PC_REFUSED, FIX_DRIVER},
	[CHECK_PC_MODE] = {"pc-first-stage-mode", RIOMMU_ERROR,
			   "a process context has a mode that is not defined", PC_REFUSED,
			   "Use a mode that goes with tc.SXL."},
	[CHECK_PC_UNSUPPORTED] = {"pc-first-stage-unsupported", RIOMMU_ERROR,
				  "a process context has a mode that the IOMMU does not have",
				  PC_REFUSED, FIX_MODE},
	[CHECK_PC_ADDRESS] = {"pc-address", RIOMMU_ERROR,
			      "a process context points beyond the physical address space",
			      PAST_PAS, FIX_DRIVER},

	/* -- MSI page tables ------------------------------------------------------------------- */
	[CHECK_MSI_ALIGNMENT] =
		{"msi-table-alignment", RIOMMU_ERROR,
		 "an MSI page table is not aligned to its size",
		 "The address of an entry is the table's OR'ed with its offset: entries fall "
		 "onto others, and interrupts go to the wrong file.",
		 "Align the table to its size (16 bytes for each interrupt file)."},
	[CHECK_MSI_RESERVED] = {"msi-reserved-bits", RIOMMU_ERROR,
				"an entry of an MSI page table has reserved bits set", MSI_REFUSED,
				FIX_DRIVER},
	[CHECK_MSI_MODE] = {"msi-mode", RIOMMU_ERROR,
			    "an entry of an MSI page table has a reserved mode", MSI_REFUSED,
			    "Use M=3 (flat) or M=1 (MRIF)."},
	[CHECK_MSI_MRIF] = {"msi-mrif-unsupported", RIOMMU_ERROR,
			    "an entry of an MSI page table is an MRIF on an IOMMU without it",
			    MSI_REFUSED, "Use M=3 (flat)."},
	[CHECK_MSI_CUSTOM] =
		{"msi-custom", RIOMMU_WARNING,
		 "an entry of an MSI page table has a custom format (C=1)",
		 "What it does is the implementation's own: where these messages go cannot be "
		 "told.",
		 "See the manual of the IOMMU; without one clear C."},
	[CHECK_MSI_ADDRESS] =
		{"msi-address", RIOMMU_ERROR,
		 "an MSI page table, or an entry of it, points where there is no memory",
		 "Interrupts of the guest are lost (causes 261, 264).", FIX_DRIVER},

	/* -- ids ------------------------------------------------------------------------------- */
	[CHECK_PSCID_CONFLICT] =
		{"pscid-conflict", RIOMMU_ERROR, "one PSCID stands for different first stages",
		 "The IOMMU tags what it caches with this id: a device may be given the "
		 "translation of another.",
		 "Give each first stage a PSCID of its own, and invalidate both."},
	[CHECK_GSCID_CONFLICT] =
		{"gscid-conflict", RIOMMU_ERROR, "one GSCID stands for different second stages",
		 "The IOMMU tags what it caches with this id: a device of one guest may reach "
		 "memory of another.",
		 "Give each guest a GSCID of its own, and invalidate both."},
	[CHECK_TABLES_SEVERAL_IDS] =
		{"tables-several-ids", RIOMMU_INFO, "the same tables have several ids",
		 "It works, but the cache holds them twice, and a change has to be "
		 "invalidated for each id.",
		 "Use one PSCID (GSCID) for one table."},

	/* -- devices --------------------------------------------------------------------------- */
	[CHECK_DEVICE_NO_CONTEXT] =
		{"device-without-context", RIOMMU_WARNING, "a device has no valid context",
		 "The machine has this device behind the IOMMU, and every request of it is "
		 "refused: it was blocked, or nobody set it up.",
		 "See 'iommu-dump devices DEVICE', and the type of its iommu group; bind "
		 "its driver."},
	[CHECK_CONTEXT_NO_DEVICE] =
		{"context-without-device", RIOMMU_INFO,
		 "a valid context belongs to no device that is known",
		 "It may be the alias of a device behind a bridge, or left from one that is "
		 "gone: whoever gets this device_id reaches what it maps.",
		 "If no bridge uses this device_id, clear tc.V and invalidate."},

	/* -- page tables ----------------------------------------------------------------------- */
	[CHECK_PTE_MALFORMED] =
		{"pte-malformed", RIOMMU_WARNING,
		 "a page table has valid entries that can only fault",
		 "Bits are set that are reserved for this IOMMU, or the address does not fit: "
		 "requests end in a page fault though V is 1.",
		 "See an entry with 'iommu-dump translate'. Tables that are shared with "
		 "the CPU must not use more than this IOMMU has."},
	[CHECK_PTE_UNUSABLE] =
		{"pte-unusable", RIOMMU_INFO, "a page table has leaves that no request can use",
		 "A is 0 and the IOMMU does not set it, or U is 0 and the request has no "
		 "process: each ends in a page fault.",
		 "Set A (and D) and U in the leaf, or SADE and GADE in tc."},
	[CHECK_PTE_WX] = {"pte-writable-executable", RIOMMU_INFO,
			  "memory is both writable and executable for a device",
			  "A device that executes can be made to run what it wrote. Linux 7.2 maps "
			  "everything so, and devices that execute are rare.",
			  "Map without X (IOMMU_NOEXEC) where the device does not execute."},
	[CHECK_PTE_ADDRESS] = {"pte-address", RIOMMU_ERROR,
			       "leaves point beyond the physical address space", PAST_PAS,
			       FIX_DRIVER},
	[CHECK_TABLE_ADDRESS] =
		{"table-address", RIOMMU_ERROR, "a page table lies where there is no memory",
		 "Requests that need it are refused with an access fault (causes 1, 5, 7).",
		 FIX_DRIVER},
	[CHECK_TABLE_LOOP] =
		{"table-loop", RIOMMU_WARNING, "a page table leads back to itself",
		 "The IOMMU follows it, so devices read tables as if they were entries of "
		 "another level. No driver does that on purpose.",
		 FIX_DRIVER},

	/* -- what devices reach ---------------------------------------------------------------- */
	[CHECK_REACH_KERNEL] = {"reach-kernel-text", RIOMMU_ERROR,
				"a device reaches the kernel's code or constants",
				"A device that can write them runs what it likes as the kernel.",
				FIX_MAPPING},
	[CHECK_REACH_TABLES] =
		{"reach-iommu-tables", RIOMMU_ERROR, "a device reaches the tables of the IOMMU",
		 "Who can write directories, page tables or MSI tables decides what devices "
		 "reach: there is no isolation.",
		 FIX_MAPPING},
	[CHECK_REACH_QUEUES] =
		{"reach-iommu-queues", RIOMMU_ERROR, "a device reaches a queue of the IOMMU",
		 "Who can write the queues can drop invalidations or forge fault records.",
		 FIX_MAPPING},
	[CHECK_REACH_CRASH] =
		{"reach-crash-kernel", RIOMMU_ERROR,
		 "a device reaches the memory of the crash kernel",
		 "Requests still in flight at a panic overwrite the kernel that shall take the "
		 "dump.",
		 FIX_MAPPING},
	[CHECK_REACH_RESERVED] =
		{"reach-reserved", RIOMMU_WARNING,
		 "a device reaches memory that firmware keeps for itself",
		 "It is reserved beside System RAM: the firmware that runs below the kernel, or "
		 "what "
		 "it shares with a device. A framebuffer that firmware set up is legitimate.",
		 "See in the device tree (reserved-memory, iommu-addresses) whether it is "
		 "meant; else unmap it."},
};

const struct riommu_rule *riommu_rules(void)
{
	return rules;
}

const char *riommu_severity_name(enum riommu_severity severity)
{
	static const char *const names[] = {
		[RIOMMU_INFO] = "info", [RIOMMU_WARNING] = "warning", [RIOMMU_ERROR] = "error"};

	return names[severity];
}
