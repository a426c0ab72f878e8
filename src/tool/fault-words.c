/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fault or a cause in words: what it means, whom it is about, what to do next. */
#include "fault-words.h"

#include <inttypes.h>

/* -- what to do about a cause ----------------------------------------------------------------------- */

#define MISALIGNED                                                                                 \
	"look at the device and its driver: iotval is not a multiple of the size of this access, " \
	"an atomic one perhaps; tables have no part in it"

static const struct {
	unsigned first, last;
	const char *advice;
} advices[] = {
	/* the first that fits holds */
	{RIOMMU_CAUSE_READ_MISALIGNED, RIOMMU_CAUSE_READ_MISALIGNED, MISALIGNED},
	{RIOMMU_CAUSE_WRITE_MISALIGNED, RIOMMU_CAUSE_WRITE_MISALIGNED, MISALIGNED},
	{RIOMMU_CAUSE_INSTRUCTION_ACCESS_FAULT, RIOMMU_CAUSE_WRITE_ACCESS_FAULT,
	 "look at the addresses in the steps of the walk: one lies beyond capabilities.PAS, or PMA "
	 "or PMP "
	 "protects it"},
	{RIOMMU_CAUSE_INSTRUCTION_PAGE_FAULT, RIOMMU_CAUSE_WRITE_PAGE_FAULT,
	 "walk the address: not mapped (V), no permission (R, W, X), U is 0, A or D is 0 with "
	 "tc.SADE 0, PBMT or "
	 "bits 60:54 that this IOMMU does not know, or an address that is not canonical; often the "
	 "driver "
	 "unmapped it too early or never mapped it"},
	{RIOMMU_CAUSE_INSTRUCTION_GUEST_PAGE_FAULT, RIOMMU_CAUSE_WRITE_GUEST_PAGE_FAULT,
	 "walk the address: the second stage does not map the guest address in iotval2, or lacks a "
	 "permission, U, A "
	 "or D"},
	{RIOMMU_CAUSE_ALL_INBOUND_DISALLOWED, RIOMMU_CAUSE_ALL_INBOUND_DISALLOWED,
	 "expected while the IOMMU is blocked; otherwise the driver has not set ddtp yet, or "
	 "something set it to "
	 "Off: see 'regs ddtp'"},
	{RIOMMU_CAUSE_DDT_LOAD_ACCESS_FAULT, RIOMMU_CAUSE_DDT_LOAD_ACCESS_FAULT,
	 "check ddtp.PPN and the directory entries against capabilities.PAS and the memory map"},
	{RIOMMU_CAUSE_DDT_NOT_VALID, RIOMMU_CAUSE_DDT_NOT_VALID,
	 "the device is not attached, or the system blocks it; if 'devices' shows a valid context, "
	 "the IOMMU holds an "
	 "old one (an invalidation is missing) or the context is newer than the fault"},
	{RIOMMU_CAUSE_DDT_MISCONFIGURED, RIOMMU_CAUSE_DDT_MISCONFIGURED,
	 "'devices' with this device names the rule that its context breaks"},
	{RIOMMU_CAUSE_TYPE_DISALLOWED, RIOMMU_CAUSE_TYPE_DISALLOWED,
	 "one of: ATS or a translated request in mode Bare or with tc.EN_ATS 0; a process_id with "
	 "tc.PDTV 0 or too "
	 "wide for pdtp.MODE; a device_id too wide for ddtp.iommu_mode; supervisor privilege with "
	 "ENS 0; a page "
	 "request with tc.EN_PRI 0"},
	{RIOMMU_CAUSE_MSI_PTE_LOAD_ACCESS_FAULT, RIOMMU_CAUSE_MSI_PTE_MISCONFIGURED,
	 "look at msiptp, msi_addr_mask and msi_addr_pattern of the device context and at the MSI "
	 "page-table entry "
	 "in the steps of the walk"},
	{RIOMMU_CAUSE_MRIF_ACCESS_FAULT, RIOMMU_CAUSE_MRIF_ACCESS_FAULT,
	 "check the address in the MSI page-table entry against capabilities.PAS and the memory "
	 "map"},
	{RIOMMU_CAUSE_PDT_LOAD_ACCESS_FAULT, RIOMMU_CAUSE_PDT_LOAD_ACCESS_FAULT,
	 "check pdtp.PPN and the directory entries against capabilities.PAS and the memory map"},
	{RIOMMU_CAUSE_PDT_NOT_VALID, RIOMMU_CAUSE_PDT_NOT_VALID,
	 "the process was never bound, or its context was removed while the device still used it: "
	 "see 'processes'"},
	{RIOMMU_CAUSE_PDT_MISCONFIGURED, RIOMMU_CAUSE_PDT_MISCONFIGURED,
	 "walk the address: the last step shows the process context that breaks a rule"},
	{RIOMMU_CAUSE_DDT_CORRUPTION, RIOMMU_CAUSE_MRIF_CORRUPTION,
	 "memory answered with an error: look for it in the logs of EDAC, RAS or the firmware"},
	{RIOMMU_CAUSE_INTERNAL_DATA_PATH, RIOMMU_CAUSE_INTERNAL_DATA_PATH,
	 "an error of the hardware: look in the logs of EDAC, RAS or the firmware"},
	{RIOMMU_CAUSE_MSI_WRITE_ACCESS_FAULT, RIOMMU_CAUSE_MSI_WRITE_ACCESS_FAULT,
	 "interrupts of the IOMMU itself get lost: compare msi_addr_* ('regs msi_addr') with the "
	 "addresses of the "
	 "interrupt controller"},
	{RIOMMU_CAUSE_PT_CORRUPTION, RIOMMU_CAUSE_PT_CORRUPTION,
	 "memory answered with an error: look for it in the logs of EDAC, RAS or the firmware"},
};

static const char *advice_of(unsigned cause)
{
	if (!riommu_cause(cause))
		return NULL;
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(advices); i++)
		if (cause >= advices[i].first && cause <= advices[i].last)
			return advices[i].advice;
	return NULL;
}

static const char *meaning_of(unsigned cause)
{
	const struct riommu_cause *known = riommu_cause(cause);

	if (known)
		return known->meaning;
	return strcmp(riommu_cause_name(cause), "custom") == 0
		       ? "the implementation's own cause: ask its vendor"
		       : "not defined by the specification that this tool knows";
}

/* -- faults ------------------------------------------------------------------------------------------- */

static const char *message_name(uint64_t code)
{
	switch (code) {
	case 0x01:
		return "ATS invalidation request";
	case 0x02:
		return "ATS invalidation completion";
	case 0x04:
		return "page request";
	case 0x05:
		return "page request group response";
	default:
		return "not one of ATS or PRI";
	}
}

/* What iotval stands for (4.2). */
static const char *iotval_meaning(const struct known_fault *k)
{
	if (k->fault.cause == RIOMMU_CAUSE_MSI_WRITE_ACCESS_FAULT)
		return "address of the IOMMU's message";
	if (!k->has_header)
		return "address of the request";
	switch (k->fault.ttyp) {
	case RIOMMU_TTYP_NONE:
		return "not defined for this cause";
	case RIOMMU_TTYP_MESSAGE:
		return message_name(k->fault.iotval);
	case RIOMMU_TTYP_TRANSLATED_EXEC:
	case RIOMMU_TTYP_TRANSLATED_READ:
	case RIOMMU_TTYP_TRANSLATED_WRITE:
		return "translated address of the request";
	default:
		return "IOVA";
	}
}

static const char *implicit_words(uint64_t iotval2)
{
	if (!(iotval2 & 1))
		return "of the access itself";
	return iotval2 & 2 ? "of a first-stage entry whose A or D bit was to be set"
			   : "of a first-stage or process directory entry";
}

/* The request that failed, so that it can be walked. False when there is none, or its address is not known. */
static bool request_of(const struct known_fault *k, struct riommu_request *request)
{
	if (!k->has_iotval)
		return false;
	if (k->has_header)
		return riommu_fault_request(&k->fault, request);
	if (k->fault.cause == RIOMMU_CAUSE_MSI_WRITE_ACCESS_FAULT ||
	    k->fault.cause == RIOMMU_CAUSE_INTERNAL_DATA_PATH)
		return false;
	*request = (struct riommu_request){
		.device_id = k->fault.did,
		.access = riommu_cause_access(k->fault.cause, RIOMMU_READ),
		.type = RIOMMU_UNTRANSLATED,
		.iova = k->fault.iotval,
	};
	return true;
}

/* The command line that walks it; "" when there is nothing to walk. */
static void walk_command(const struct known_fault *k, char *text, size_t size)
{
	static const char access[] = {'r', 'w', 'x'};
	static const char *const types[] = {"", " --type translated", " --type ats"};
	struct riommu_request q;
	char process[32] = "";

	text[0] = '\0';
	if (!request_of(k, &q))
		return;
	if (q.has_process_id)
		snprintf(process, sizeof(process), " --process 0x%x%s", q.process_id,
			 q.privileged ? " --priv" : "");
	snprintf(text, size, "iommu-dump translate 0x%x 0x%" PRIx64 " --access %c%s%s", q.device_id,
		 q.iova, access[q.access], process, types[q.type]);
}

static bool has_device(const struct known_fault *k)
{
	return !k->has_header || riommu_fault_has_device(&k->fault);
}

static void add_transaction(struct json_object *obj, const struct known_fault *k)
{
	const struct riommu_fault *f = &k->fault;
	bool known = k->has_header;

	json_add(obj, "ttyp", known ? json_object_new_int(f->ttyp) : NULL);
	json_add(obj, "ttyp_name", known ? json_text(riommu_ttyp_name(f->ttyp)) : NULL);
	json_add(obj, "device_id", has_device(k) ? json_hex(f->did) : NULL);
	json_add(obj, "process_id", known && f->pv ? json_hex(f->pid) : NULL);
	json_add(obj, "privileged", known ? json_object_new_boolean(f->priv) : NULL);
}

void fault_members(struct json_object *obj, const struct known_fault *k)
{
	const struct riommu_fault *f = &k->fault;

	json_add(obj, "cause", json_object_new_int(f->cause));
	json_add(obj, "cause_name", json_text(riommu_cause_name(f->cause)));
	add_transaction(obj, k);
	json_add(obj, "iotval", k->has_iotval ? json_hex(f->iotval) : NULL);
	json_add(obj, "iotval2", k->has_iotval2 ? json_hex(f->iotval2) : NULL);
	if (k->has_iotval2 && riommu_cause_has_gpa(f->cause)) {
		json_add(obj, "gpa", json_hex(f->iotval2 & ~(uint64_t)3));
		json_add(obj, "implicit", json_object_new_boolean(f->iotval2 & 1));
		json_add(obj, "implicit_write", json_object_new_boolean((f->iotval2 & 3) == 3));
	}
	if (k->has_dw1) {
		json_add(obj, "custom", json_hex(f->custom));
		if (f->reserved)
			json_add(obj, "reserved_set", json_hex(f->reserved));
	}
}

static void add_words(struct json_object *obj, unsigned cause)
{
	json_add(obj, "meaning", json_text(meaning_of(cause)));
	json_add(obj, "advice", json_text(advice_of(cause)));
}

struct json_object *fault_json(const struct known_fault *k)
{
	struct json_object *obj = json_object_new_object();
	char command[160];

	walk_command(k, command, sizeof(command));
	json_add(obj, "kind", json_text("fault"));
	json_add(obj, "iommu_name", json_text(k->iommu[0] ? k->iommu : NULL));
	fault_members(obj, k);
	add_words(obj, k->fault.cause);
	json_add(obj, "walk_command", json_text(command[0] ? command : NULL));
	return obj;
}

#define LABEL      "  %-12s "
#define LABEL_SIZE 15

void print_words(FILE *f, const char *label, const char *text)
{
	if (!text)
		return;
	print_wrapped(f, text, (size_t)fprintf(f, "  %s", label), LABEL_SIZE);
}

static void print_device(FILE *f, const struct known_fault *k)
{
	const struct riommu_fault *r = &k->fault;

	if (k->iommu[0])
		fprintf(f, LABEL "%s\n", "IOMMU", k->iommu);
	if (k->has_header)
		fprintf(f, LABEL "%s\n", "transaction", riommu_ttyp_name(r->ttyp));
	if (!has_device(k))
		return;
	fprintf(f, LABEL "0x%x, as PCI function %02x:%02x.%x%s\n", "device", r->did,
		r->did >> 8 & 0xff, r->did >> 3 & 0x1f, r->did & 7,
		r->did >> 16 ? " of another segment" : "");
	if (k->has_header && r->pv)
		fprintf(f, LABEL "0x%x%s\n", "process", r->pid, r->priv ? ", supervisor" : "");
}

static void print_addresses(FILE *f, const struct known_fault *k)
{
	const struct riommu_fault *r = &k->fault;
	char text[160];

	if (k->has_iotval) {
		snprintf(text, sizeof(text), "0x%" PRIx64 ": %s", r->iotval, iotval_meaning(k));
		print_words(f, "iotval", text);
	}
	if (!k->has_iotval2)
		return;
	if (riommu_cause_has_gpa(r->cause))
		snprintf(text, sizeof(text), "0x%" PRIx64 ": guest address 0x%" PRIx64 ", %s",
			 r->iotval2, r->iotval2 & ~(uint64_t)3, implicit_words(r->iotval2));
	else
		snprintf(text, sizeof(text), "0x%" PRIx64 ": means nothing with this cause",
			 r->iotval2);
	print_words(f, "iotval2", text);
}

void fault_print(FILE *f, const struct known_fault *k)
{
	const struct riommu_fault *r = &k->fault;
	char command[160];

	fprintf(f, "Fault %u: %s\n", r->cause, riommu_cause_name(r->cause));
	print_words(f, "meaning", meaning_of(r->cause));
	print_device(f, k);
	print_addresses(f, k);
	if (k->has_dw1 && r->custom)
		fprintf(f, LABEL "0x%x\n", "custom", r->custom);
	if (k->has_dw1 && r->reserved)
		fprintf(f, LABEL "0x%x  RESERVED BITS ARE SET in doubleword 1\n", "reserved",
			r->reserved);
	print_words(f, "next", advice_of(r->cause));
	walk_command(k, command, sizeof(command));
	if (command[0])
		fprintf(f, LABEL "%s\n", "walk it", command);
}

struct json_object *cause_json(unsigned code)
{
	const struct riommu_cause *cause = riommu_cause(code);
	struct json_object *obj = json_object_new_object();

	json_add(obj, "kind", json_text("cause"));
	json_add(obj, "cause", json_object_new_int((int)code));
	json_add(obj, "cause_name", json_text(riommu_cause_name(code)));
	add_words(obj, code);
	json_add(obj, "despite_dtf", cause ? json_object_new_boolean(cause->despite_dtf) : NULL);
	return obj;
}

void cause_print(FILE *f, unsigned code)
{
	const struct riommu_cause *cause = riommu_cause(code);

	fprintf(f, "Cause %u: %s\n", code, riommu_cause_name(code));
	print_words(f, "meaning", meaning_of(code));
	if (cause)
		print_words(f, "with DTF 1",
			    cause->despite_dtf ? "reported all the same" : "not reported");
	print_words(f, "next", advice_of(code));
}

/* -- in tables ------------------------------------------------------------------------------------------ */

const char *fault_gpa_text(const struct riommu_fault *f, char *text, size_t size)
{
	if (!riommu_cause_has_gpa(f->cause))
		return NULL;
	snprintf(text, size, "0x%" PRIx64 "%s", f->iotval2 & ~(uint64_t)3,
		 !riommu_bit(f->iotval2, 0)  ? ""
		 : riommu_bit(f->iotval2, 1) ? " (updating A/D in a table)"
					     : " (reading a table)");
	return text;
}

const char *fault_type_word(const struct riommu_fault *f)
{
	static const char *const words[] = {
		[RIOMMU_TTYP_NONE] = "none",
		[RIOMMU_TTYP_UNTRANSLATED_EXEC] = "exec",
		[RIOMMU_TTYP_UNTRANSLATED_READ] = "read",
		[RIOMMU_TTYP_UNTRANSLATED_WRITE] = "write",
		[RIOMMU_TTYP_TRANSLATED_EXEC] = "exec, translated",
		[RIOMMU_TTYP_TRANSLATED_READ] = "read, translated",
		[RIOMMU_TTYP_TRANSLATED_WRITE] = "write, translated",
		[RIOMMU_TTYP_ATS] = "ATS",
		[RIOMMU_TTYP_MESSAGE] = "message",
	};

	return f->ttyp < RIOMMU_ARRAY_SIZE(words) && words[f->ttyp] ? words[f->ttyp]
								    : riommu_ttyp_name(f->ttyp);
}

const char *fault_process_text(const struct riommu_fault *f, char *text, size_t size)
{
	if (!f->pv)
		return NULL;
	snprintf(text, size, "0x%" PRIx32 "%s", f->pid, f->priv ? " privileged" : "");
	return text;
}
