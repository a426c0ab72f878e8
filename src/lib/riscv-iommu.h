/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libriscv-iommu: look at the IOMMUs of a RISC-V machine: this one's, or those of a capture or
 * vmcore.
 *
 * What the IOMMU would do with a request is worked out in software from its registers and the
 * tables in memory, as the RISC-V IOMMU Architecture Specification has it. Reading never writes:
 * nothing here touches hardware but to read it. (What blocks an IOMMU or hands it over is in the
 * tools of the same release and not part of this interface.)
 *
 * Errors. A function that can fail returns 0 or a negative errno; riommu_error() holds the words:
 * object, address, reason and next step. The numbers are classes:
 *
 *   -EINVAL     the argument makes no sense           -ENODEV    no IOMMU, or not the one that was named
 *   -EACCES     the system refuses the access         -ENODATA   the source does not hold it
 *   -EBADMSG    the bytes contradict themselves       -ENOMEM    out of memory
 *   others      as the system call gave them
 *
 * Ownership. What a function makes is the caller's to free, with the function named beside it; what
 * a getter returns belongs to the object and lives as long as it does. A context and all that was
 * made with it is used by one thread at a time; contexts are independent. No pointer may be NULL
 * but where it says so; an index past the count gives 0, "", NULL or -EINVAL.
 *
 * Addresses and sizes are in bytes, ranges inclusive. A fault that a walk finds is a result and no
 * error.
 *
 * Signals. While the registers of this machine are read through a memory device, SIGBUS and SIGSEGV
 * have handlers of the library; they are put back after each read. Handlers are of the whole
 * program: riommu_open() and riommu_refresh() of this machine are called by one thread at a time,
 * whatever the context. A file that somebody truncates while it is open ends the program with
 * SIGBUS, unless it handles that.
 */
#ifndef RISCV_IOMMU_H
#define RISCV_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The release that this header is of. RISCV_IOMMU_VERSION grows with each: for #if. */
#define RISCV_IOMMU_VERSION_MAJOR 0
#define RISCV_IOMMU_VERSION_MINOR 1
#define RISCV_IOMMU_VERSION_PATCH 0
#define RISCV_IOMMU_VERSION                                                    \
	(RISCV_IOMMU_VERSION_MAJOR * 10000 + RISCV_IOMMU_VERSION_MINOR * 100 + \
	 RISCV_IOMMU_VERSION_PATCH)

/* The release of the library that runs, such as "0.1.0". A static string. Since: 0.1 */
const char *riommu_version(void);

/* -- context ----------------------------------------------------------------------------------- */

/* Messages, the words of the last error, and parameters. Opaque. */
struct riommu_ctx;

enum riommu_log_level { RIOMMU_LOG_ERROR, RIOMMU_LOG_WARNING, RIOMMU_LOG_INFO, RIOMMU_LOG_DEBUG };

/*
 * Called for each message of the library. MESSAGE has no newline and lives until the call returns.
 */
typedef void (*riommu_log_fn)(void *arg, enum riommu_log_level level, const char *message);

/* Makes a context, to be freed by riommu_ctx_free(). NULL when memory is short. Since: 0.1 */
struct riommu_ctx *riommu_ctx_new(void);

/* Frees a context, after all that was opened with it was closed. NULL is fine. Since: 0.1 */
void riommu_ctx_free(struct riommu_ctx *ctx);

/*
 * Sets who gets the messages up to LEVEL; ARG, which may be NULL, is handed to FN. FN NULL, as it
 * is at first, silences them. Since: 0.1
 */
void riommu_ctx_set_log(struct riommu_ctx *ctx, riommu_log_fn fn, void *arg,
			enum riommu_log_level level);

/*
 * The words of the last error, one line without a newline, control characters replaced by '?'; ""
 * when there was none. They live until the next one. Since: 0.1
 */
const char *riommu_error(const struct riommu_ctx *ctx);

/*
 * Sets the parameter KEY to VALUE, which is copied: what iommu-dump(8) takes with -O, such as
 * "max-pages" or "absent". Paths count when riommu_open() is called, the others whenever they are
 * looked at. -EINVAL: there is no such parameter, or VALUE is none for it; -ENOMEM. Since: 0.1
 */
int riommu_option_set(struct riommu_ctx *ctx, const char *key, const char *value);

/*
 * The value of the parameter KEY or its default; NULL when it has neither, or there is no such one.
 * It lives until KEY is set again. Since: 0.1
 */
const char *riommu_option(const struct riommu_ctx *ctx, const char *key);

/* -- opening ----------------------------------------------------------------------------------- */

/*
 * All that was opened and found: IOMMUs with a snapshot of their registers, devices, memory.
 * Opaque.
 */
struct riommu_system;

/*
 * Opens the capture, vmcore or memory image INPUT, or this machine when it is NULL. METHOD names
 * the way to the registers or the memory ("debugfs", "devmem", ...; `iommu-dump -A help` lists
 * them), NULL to choose. *SYS is for riommu_close().
 *
 * CTX has to live longer than *SYS, which is NULL after an error. Success does not mean that
 * registers could be read: riommu_iommu_status() tells. -ENODEV: no IOMMU was found; -EBADMSG: the
 * file is damaged; -EINVAL: there is no such method, or it is none for such a file; -EACCES;
 * -ENOMEM; -errno of opening INPUT. Since: 0.1
 */
int riommu_open(struct riommu_ctx *ctx, const char *input, const char *method,
		struct riommu_system **sys);

/* Closes SYS, after its translators were freed. NULL is fine. Since: 0.1 */
void riommu_close(struct riommu_system *sys);

/*
 * Reads the registers again and forgets pages of memory, on a live machine; nothing happens to a
 * file. riommu_iommu_status() tells how it went. Translators go on with the registers as they were.
 * Since: 0.1
 */
void riommu_refresh(struct riommu_system *sys);

/* -- IOMMUs ------------------------------------------------------------------------------------ */

/* How many there are; IOMMU below is 0 to one less. Since: 0.1 */
size_t riommu_iommu_count(const struct riommu_system *sys);

/* The physical address of its registers. Since: 0.1 */
uint64_t riommu_iommu_base(const struct riommu_system *sys, size_t iommu);

/*
 * What the kernel calls it, "3010000.iommu" or "0000:00:02.0", else its address in hex. Since: 0.1
 */
const char *riommu_iommu_name(const struct riommu_system *sys, size_t iommu);

/*
 * Where it was found: the device tree node, the PCI function, the note of the capture, ... in
 * words. Since: 0.1
 */
const char *riommu_iommu_where(const struct riommu_system *sys, size_t iommu);

/*
 * 0, or the error that reading its registers gave first; *REASON, if not NULL, gets the words (""
 * for 0). Since: 0.1
 */
int riommu_iommu_status(const struct riommu_system *sys, size_t iommu, const char **reason);

/*
 * The value of the register NAME ("capabilities", "ddtp", "fqcsr", ... specification, chapter 6;
 * case does not matter) when it was read. *VALUE is set for 0 only. -EINVAL: there is no such
 * register; -ENODATA: not held, or this IOMMU has none; -EACCES: refused; -EFAULT: the bus did not
 * answer. Since: 0.1
 */
int riommu_iommu_register(const struct riommu_system *sys, size_t iommu, const char *name,
			  uint64_t *value);

/*
 * ddtp.iommu_mode (6.4): "Off", "Bare", "1LVL", "2LVL", "3LVL"; NULL when it is not known or not
 * defined. Since: 0.1
 */
const char *riommu_iommu_mode(const struct riommu_system *sys, size_t iommu);

/* -- devices ----------------------------------------------------------------------------------- */

/* No IOMMU: a device that none is known for. */
#define RIOMMU_NO_IOMMU ((size_t)-1)

/*
 * How many devices are known by name: those that the kernel or the capture tells of; DEVICE below
 * is 0 to one less. One with several ids counts for each. Others may have a context all the same.
 * Since: 0.1
 */
size_t riommu_device_count(const struct riommu_system *sys);

/* The device_id (24 bits) by which its IOMMU knows it. Since: 0.1 */
uint32_t riommu_device_id(const struct riommu_system *sys, size_t device);

/* Which IOMMU, or RIOMMU_NO_IOMMU. Since: 0.1 */
size_t riommu_device_iommu(const struct riommu_system *sys, size_t device);

/* "0000:00:01.0", or the name of a platform device. Since: 0.1 */
const char *riommu_device_name(const struct riommu_system *sys, size_t device);

/* The driver that is bound to it; "" when none is, or it is not known. Since: 0.1 */
const char *riommu_device_driver(const struct riommu_system *sys, size_t device);

/*
 * The device that TEXT names: a PCI name ("0000:00:01.0", "00:01.0"), a platform device, or a
 * device_id ("0x8"; known or not). -ENODEV: there is none, *IOMMU is RIOMMU_NO_IOMMU; -ENOTUNIQ:
 * there are several, on one IOMMU or on more, of which *IOMMU and *DEVICE_ID get the first.
 * Since: 0.1
 */
int riommu_device_find(const struct riommu_system *sys, const char *text, size_t *iommu,
		       uint32_t *device_id);

/* -- translating (specification, 3.3 "Process to translate an IOVA") ----------------------------- */

enum riommu_access { RIOMMU_READ, RIOMMU_WRITE, RIOMMU_EXEC };
enum riommu_request_type { RIOMMU_UNTRANSLATED, RIOMMU_TRANSLATED, RIOMMU_ATS };

/* A request as it reaches the IOMMU. Zero what you do not set. This struct never grows. */
struct riommu_request {
	uint32_t device_id;  /* 24 bits */
	uint32_t process_id; /* 20 bits; looked at only when has_process_id */
	bool has_process_id;
	bool privileged; /* supervisor privilege was requested; means nothing without a process_id */
	enum riommu_access access;
	enum riommu_request_type type;
	uint64_t iova;
};

enum riommu_result {
	RIOMMU_OK,      /* it is translated */
	RIOMMU_FAULT,   /* it is refused: a cause of the specification */
	RIOMMU_UNKNOWN, /* something that decides is not held by the source */
};

enum riommu_memory_type { RIOMMU_PMA, RIOMMU_NC, RIOMMU_IO };

#define RIOMMU_PERM_R 1
#define RIOMMU_PERM_W 2
#define RIOMMU_PERM_X 4

/*
 * Translates requests to one IOMMU and keeps the last outcome. Nothing is allocated for a request.
 * Opaque.
 */
struct riommu_translator;

/*
 * Makes a translator. *TRANSLATOR is for riommu_translator_free(), before SYS is closed; it goes by
 * the registers as they are now. NULL after an error. -ENODATA: capabilities, fctl or ddtp is not
 * known; -EINVAL: no such IOMMU; -ENOMEM. Since: 0.1
 */
int riommu_translator_new(struct riommu_system *sys, size_t iommu,
			  struct riommu_translator **translator);

/* Frees a translator. NULL is fine. Since: 0.1 */
void riommu_translator_free(struct riommu_translator *translator);

/*
 * Translates a request; the getters below then tell the outcome. A request that cannot be (a
 * device_id of more than 24 bits, a process_id of more than 20, no such access or type) is
 * RIOMMU_UNKNOWN with riommu_translator_error() -EINVAL. Since: 0.1
 */
enum riommu_result riommu_translator_run(struct riommu_translator *translator,
					 const struct riommu_request *request);

/* RIOMMU_OK: the system physical address; else 0. Since: 0.1 */
uint64_t riommu_translator_pa(const struct riommu_translator *translator);

/*
 * RIOMMU_OK: the size of the page in bytes, the smaller of the stages; 0 where no stage limits it.
 * Since: 0.1
 */
uint64_t riommu_translator_page_size(const struct riommu_translator *translator);

/*
 * RIOMMU_OK: the RIOMMU_PERM_* that both stages grant, or -1 where no table says so: translated
 * requests, ddtp Bare, MRIF. Since: 0.1
 */
int riommu_translator_permissions(const struct riommu_translator *translator);

/* RIOMMU_OK: the memory type of Svpbmt; RIOMMU_PMA where there is none. Since: 0.1 */
enum riommu_memory_type riommu_translator_memory_type(const struct riommu_translator *translator);

/* RIOMMU_FAULT: the cause (specification, 4.2), else 0. Since: 0.1 */
unsigned riommu_translator_cause(const struct riommu_translator *translator);

/* RIOMMU_FAULT: iotval and iotval2 of the fault record (4.2), else 0. Since: 0.1 */
uint64_t riommu_translator_iotval(const struct riommu_translator *translator);
uint64_t riommu_translator_iotval2(const struct riommu_translator *translator);

/*
 * RIOMMU_FAULT: which rule decided, in words; RIOMMU_UNKNOWN: what is not held. "" for RIOMMU_OK.
 * Since: 0.1
 */
const char *riommu_translator_reason(const struct riommu_translator *translator);

/*
 * RIOMMU_UNKNOWN: why: -ENODATA, -EACCES, ... and the system physical address of the entry that is
 * not held, 0 where it is none: -EBADMSG, ddtp.iommu_mode is not defined; -EINVAL, the request
 * cannot be. 0 for other results. Since: 0.1
 */
uint64_t riommu_translator_missing(const struct riommu_translator *translator);
int riommu_translator_error(const struct riommu_translator *translator);

/*
 * The name that the specification (4.2) gives a cause; "reserved" or "custom" for others. A static
 * string. Since: 0.1
 */
const char *riommu_cause_name(unsigned cause);

/* -- what devices reach -------------------------------------------------------------------------- */

/*
 * A contiguous range of addresses of one device. Opaque; lives until the call that gave it returns.
 */
struct riommu_range;

enum riommu_range_kind {
	RIOMMU_RANGE_LEAVES,   /* page tables lead to physical memory */
	RIOMMU_RANGE_IDENTITY, /* no table limits it: each address passes as it is */
	RIOMMU_RANGE_MSI,      /* a virtual interrupt file: an MSI page table decides */
	RIOMMU_RANGE_FAULTS, /* something is there, but each request faults: entries that are malformed, or no second stage */
	RIOMMU_RANGE_UNREADABLE, /* the table that decides cannot be read: what is mapped is not known */
};

/*
 * Bits that are 0 in a leaf of either stage and make requests fault that its permissions would let
 * pass.
 */
#define RIOMMU_BLOCKED_A 1 /* A=0 and no hardware update: all requests */
#define RIOMMU_BLOCKED_D 2 /* D=0 and no hardware update: writes */
#define RIOMMU_BLOCKED_U 4 /* U=0: requests of user privilege; all are that have no process_id */

/*
 * Returns 0 to go on; another value ends the visit, which returns it. It may use the system, but
 * neither refresh nor close it.
 */
typedef int (*riommu_range_fn)(void *arg, const struct riommu_range *range);

/*
 * Visits all that the device DEVICE_ID reaches behind IOMMU, address space by address space
 * (without a process_id, each process, translated requests), in ascending order of IOVA. Neighbours
 * that lead on without a gap and are alike are one range, whatever the size of their leaves.
 * Nothing is collected: tens of millions of leaves are no matter of memory. Part of a process
 * directory that cannot be read is a range of all addresses, RIOMMU_RANGE_UNREADABLE, of the first
 * process that it is about.
 *
 * 0: all was visited; a device without a valid context has no ranges. -ENODATA: capabilities, fctl,
 * ddtp or the context is not held (-EACCES, -EFAULT, ...: as its read went); -EBADMSG:
 * ddtp.iommu_mode is not defined; -EOVERFLOW: more table pages than the parameter max-pages allows;
 * -EINVAL: no such IOMMU, or DEVICE_ID is wider than 24 bits; else what VISIT returned. Since: 0.1
 */
int riommu_visit_device(struct riommu_system *sys, size_t iommu, uint32_t device_id,
			riommu_range_fn visit, void *arg);

/*
 * Visits every device, process and IOVA behind IOMMU that reaches the system physical addresses
 * FIRST to LAST; each range is cut to them. Where ddtp is Bare one range without a device stands
 * for all; a part of a directory that cannot be read is a range that is RIOMMU_RANGE_UNREADABLE, as
 * is the rest of a device's tables past the parameter max-pages (-EOVERFLOW is then told at the
 * end, after the other devices). Returns as riommu_visit_device(), and -ENOMEM; -EINVAL also where
 * FIRST is above LAST. Since: 0.1
 */
int riommu_visit_who_maps(struct riommu_system *sys, size_t iommu, uint64_t first, uint64_t last,
			  riommu_range_fn visit, void *arg);

/* What it is. Since: 0.1 */
enum riommu_range_kind riommu_range_kind(const struct riommu_range *range);

/*
 * Whose it is. False when it is every device's, or of a part of the device directory that cannot be
 * read. Since: 0.1
 */
bool riommu_range_device(const struct riommu_range *range, uint32_t *device_id);

/*
 * Of which process; of a part of a process directory that cannot be read, the first. False for
 * requests without a process_id and for translated requests. Since: 0.1
 */
bool riommu_range_process(const struct riommu_range *range, uint32_t *process_id);

/* True where translated requests (ATS) reach it. Since: 0.1 */
bool riommu_range_translated(const struct riommu_range *range);

/*
 * The first and the last address that the device uses: IOVAs, or what translated requests carry.
 * Since: 0.1
 */
uint64_t riommu_range_iova(const struct riommu_range *range);
uint64_t riommu_range_last(const struct riommu_range *range);

/*
 * Where the first address leads: system physical; and guest physical where there is a second stage,
 * else the same. An interrupt file that lies in memory (MRIF) is where its structure is. 0 for
 * UNREADABLE; of FAULTS only the guest physical address may be known. Since: 0.1
 */
uint64_t riommu_range_pa(const struct riommu_range *range);
uint64_t riommu_range_gpa(const struct riommu_range *range);

/*
 * The RIOMMU_PERM_* that both stages grant; those that pass are less where riommu_range_blocked()
 * is not 0. Since: 0.1
 */
unsigned riommu_range_permissions(const struct riommu_range *range);

/* The RIOMMU_BLOCKED_* that apply. Since: 0.1 */
unsigned riommu_range_blocked(const struct riommu_range *range);

/* The memory type of Svpbmt. Since: 0.1 */
enum riommu_memory_type riommu_range_memory_type(const struct riommu_range *range);

/* The sizes of the leaves, each a power of two, or'ed; 0 where no leaf limits it. Since: 0.1 */
uint64_t riommu_range_leaf_sizes(const struct riommu_range *range);

/*
 * RIOMMU_RANGE_UNREADABLE: why: -ENODATA (not held), -EACCES, -EFAULT (no such memory), -EOVERFLOW
 * (max-pages), -EBADMSG (ddtp.iommu_mode is not defined), -ELOOP (a directory page that was visited
 * before), ... Else 0. Since: 0.1
 */
int riommu_range_error(const struct riommu_range *range);

/* RIOMMU_RANGE_FAULTS: which rule decides, in words; else "". Since: 0.1 */
const char *riommu_range_reason(const struct riommu_range *range);

/*
 * The system physical address of the entry or table that decides, for MSI, UNREADABLE and malformed
 * entries; else 0. Since: 0.1
 */
uint64_t riommu_range_address(const struct riommu_range *range);

/* -- fault records (specification, 4.2 "Fault/Event-Queue") --------------------------------------- */

/* A record of the fault queue. Opaque; lives until the call that gave it returns. */
struct riommu_fault_record;

/*
 * Returns 0 to go on; another value ends the visit, which returns it. It may use the system, but
 * neither refresh nor close it.
 */
typedef int (*riommu_fault_fn)(void *arg, const struct riommu_fault_record *record);

/*
 * Visits the records in the ring of the fault queue, oldest first: those that were consumed and are
 * still in memory, then those that are pending. No index is moved. 0: all was visited. -ENODATA,
 * -EACCES, -EFAULT: fqb or fctl is not held, or entries are not, as their read went; -EBADMSG: the
 * registers contradict themselves; in both the other records are visited all the same. -EINVAL: no
 * such IOMMU; else what VISIT returned. Since: 0.1
 */
int riommu_visit_fault_records(struct riommu_system *sys, size_t iommu, riommu_fault_fn visit,
			       void *arg);

/*
 * True if software has not consumed it; false also where fqh, fqt or fqcsr is not held. Since: 0.1
 */
bool riommu_fault_record_pending(const struct riommu_fault_record *record);

/* CAUSE and TTYP, as numbers. Since: 0.1 */
unsigned riommu_fault_record_cause(const struct riommu_fault_record *record);
unsigned riommu_fault_record_ttyp(const struct riommu_fault_record *record);

/* DID, where the record is about a request of a device. Since: 0.1 */
bool riommu_fault_record_device(const struct riommu_fault_record *record, uint32_t *device_id);

/* PID, where PV says that there is one. Since: 0.1 */
bool riommu_fault_record_process(const struct riommu_fault_record *record, uint32_t *process_id);

/* iotval (the IOVA, in general) and iotval2. Since: 0.1 */
uint64_t riommu_fault_record_iotval(const struct riommu_fault_record *record);
uint64_t riommu_fault_record_iotval2(const struct riommu_fault_record *record);

/*
 * The request that it reports, to be translated again. False when it is about none; *REQUEST then
 * says nothing. Since: 0.1
 */
bool riommu_fault_record_request(const struct riommu_fault_record *record,
				 struct riommu_request *request);

/* -- findings ------------------------------------------------------------------------------------- */

enum riommu_severity { RIOMMU_INFO, RIOMMU_WARNING, RIOMMU_ERROR };

/* Something that a rule found. Opaque; lives until the call that gave it returns. */
struct riommu_finding;

/* Called for each finding. It must neither refresh nor close the system. */
typedef void (*riommu_finding_fn)(void *arg, const struct riommu_finding *finding);

/*
 * Applies all rules of `iommu-dump check` to IOMMU and tells what they find. *UNJUDGED, if not
 * NULL, gets how many rules could not look at all they have to judge: only where it is 0 silence
 * means that nothing is wrong. -EINVAL: no such IOMMU; -ENOMEM. Since: 0.1
 */
int riommu_check_iommu(struct riommu_system *sys, size_t iommu, riommu_finding_fn found, void *arg,
		       size_t *unjudged);

/*
 * The rule's stable name, as `iommu-dump check` has it; how bad it is; what was seen; and what to
 * do about it. Static strings, but for the message. Since: 0.1
 */
const char *riommu_finding_id(const struct riommu_finding *finding);
enum riommu_severity riommu_finding_severity(const struct riommu_finding *finding);
const char *riommu_finding_message(const struct riommu_finding *finding);
const char *riommu_finding_remedy(const struct riommu_finding *finding);

/*
 * Which device and which process it is about, and the system physical address of the register,
 * entry or memory. False, with the value left alone, where it is about none. Since: 0.1
 */
bool riommu_finding_device(const struct riommu_finding *finding, uint32_t *device_id);
bool riommu_finding_process(const struct riommu_finding *finding, uint32_t *process_id);
bool riommu_finding_address(const struct riommu_finding *finding, uint64_t *address);

/* -- captures --------------------------------------------------------------------------------------- */

/*
 * Saves registers, the pages that walks reach and the queues to the file PATH, mode 0600, all or
 * nothing; riommu_open() reads it again, on any machine (riscv-iommu-capture(5)). A file that was
 * there is replaced. Pages that cannot be read are left out. -ENODATA: there is nothing to save;
 * -EOVERFLOW: it was saved as far as the parameter max-pages allows; -ENOMEM; -errno of the file.
 * Since: 0.1
 */
int riommu_save(struct riommu_system *sys, const char *path);

#ifdef __cplusplus
}
#endif

#endif
