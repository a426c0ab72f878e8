/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A queue, a command and a page request in words. */
#include "config.h"

#include "queue-words.h"

#include <inttypes.h>

#define NAME_SIZE 96

/* -- queues ------------------------------------------------------------------------------------ */

/* Bits of cqcsr that the other queues lack. */
#define CQ_CMD_TO     ((uint32_t)1 << 9)
#define CQ_CMD_ILL    ((uint32_t)1 << 10)
#define CQ_FENCE_W_IP ((uint32_t)1 << 11)

static const struct {
	const char *noun, *prefix;
	const char *off; /* what follows from the queue being off */
} kinds[] = {
	[RIOMMU_CQ] = {"command queue", "cq", "the IOMMU takes no commands"},
	[RIOMMU_FQ] = {"fault queue", "fq", "faults are not recorded"},
	[RIOMMU_PQ] = {"page-request queue", "pq",
		       "page requests are answered with Response Failure"},
};

static const struct csr_bit {
	enum riommu_queue_kind kind;
	uint32_t mask;
	bool error;
	const char *name, *words;
} csr_bits[] = {
	{RIOMMU_CQ, RIOMMU_QUEUE_MF, true, "cqmf",
	 "memory could not be read or written: the command itself, or what an IOFENCE.C stores. "
	 "The queue stands still until software clears cqmf"},
	{RIOMMU_CQ, CQ_CMD_TO, true, "cmd_to",
	 "an ATS.INVAL got no answer in time, and an IOFENCE.C found it so. The queue stands still "
	 "until software clears cmd_to"},
	{RIOMMU_CQ, CQ_CMD_ILL, true, "cmd_ill",
	 "the IOMMU fetched a command that is illegal or that it does not support. The queue "
	 "stands "
	 "still until software clears cmd_ill"},
	{RIOMMU_CQ, CQ_FENCE_W_IP, false, "fence_w_ip",
	 "an IOFENCE.C with WSI is complete; this stops nothing"},
	{RIOMMU_FQ, RIOMMU_QUEUE_OF, true, "fqof",
	 "the queue was full when a record was due. Records are missing, how many is not known, "
	 "and "
	 "none is written until software clears fqof"},
	{RIOMMU_FQ, RIOMMU_QUEUE_MF, true, "fqmf",
	 "a record could not be stored at the queue's address. It is lost, and none is written "
	 "until software clears fqmf"},
	{RIOMMU_PQ, RIOMMU_QUEUE_OF, true, "pqof",
	 "the queue was full when a request came. Requests are not queued until software clears "
	 "pqof: the last of a group is answered with Success, so that the device asks again, "
	 "others "
	 "are dropped. How many is not known"},
	{RIOMMU_PQ, RIOMMU_QUEUE_MF, true, "pqmf",
	 "a request could not be stored at the queue's address. Until software clears pqmf the "
	 "last request of a group is answered with Response Failure, others are dropped"},
};

void queue_iommus(struct dump *d)
{
	size_t index = 0;

	out_list_begin(&d->out, "iommus");
	for (; in_json(&d->out) && dump_next_iommu(d, &index); index++) {
		struct json_object *obj = dump_iommu_json(d, index);

		json_add(obj, "queues", dump_queues_json(d, index));
		out_item(&d->out, obj);
	}
	out_list_end(&d->out);
}

bool queue_never_set_up(const struct riommu_queue *q)
{
	return !q->base && q->indexes_known && !(q->csr & RIOMMU_QUEUE_ON);
}

static void print_bits(const struct riommu_queue *q)
{
	const char *prefix = kinds[q->kind].prefix;
	char text[400];

	if (!(q->csr & RIOMMU_QUEUE_ON)) {
		snprintf(text, sizeof(text),
			 "the queue is off (%son is 0%s): %s; what follows is left from before",
			 prefix, q->csr & RIOMMU_QUEUE_EN ? ", although it was asked for" : "",
			 kinds[q->kind].off);
		print_wrapped(stdout, text, 0, 2);
	}
	if (q->csr & RIOMMU_QUEUE_BUSY) {
		snprintf(text, sizeof(text),
			 "busy is set: a write of %scsr is still going on, and what it says will "
			 "change",
			 prefix);
		print_wrapped(stdout, text, 0, 2);
	}
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(csr_bits); i++) {
		if (csr_bits[i].kind != q->kind || !(q->csr & csr_bits[i].mask))
			continue;
		snprintf(text, sizeof(text), "%s is set: %s", csr_bits[i].name, csr_bits[i].words);
		print_wrapped(stdout, text, 0, 2);
	}
}

static void queue_print(const struct riommu_iommu *iommu, const struct riommu_queue *q)
{
	const char *prefix = kinds[q->kind].prefix, *noun = kinds[q->kind].noun;
	uint32_t pending = riommu_queue_pending(q);
	char text[300];

	printf("%s at 0x%" PRIx64 ": ", iommu->name, iommu->base);
	if (queue_never_set_up(q)) {
		printf("no %s is set up (%sb, %son: 0)\n", noun, prefix, prefix);
		return;
	}
	printf("%s at 0x%" PRIx64 "\n  %" PRIu32 " entries", noun, q->base, q->entries);
	if (!q->indexes_known) {
		snprintf(
			text, sizeof(text),
			"%sh, %st or %scsr is not known: this is the ring as it lies in memory; "
			"which entry is the newest, which are pending and whether any were lost is "
			"unknown",
			prefix, prefix, prefix);
		print_wrapped(stdout, text, 2, 2);
		return;
	}
	printf(", head %" PRIu32 ", tail %" PRIu32 ", %" PRIu32 " pending%s\n", q->head, q->tail,
	       pending, pending == q->entries - 1 ? ": full" : "");
	print_bits(q);
}

bool queue_begin(struct dump *d, size_t iommu, enum riommu_queue_kind kind, struct riommu_queue *q)
{
	int err = riommu_queue_open(d->sys, iommu, kind, q);

	if (err)
		out_error(&d->out, err, "%s", riommu_error(d->ctx));
	if (err && err != -EBADMSG)
		return false;
	if (!in_json(&d->out))
		queue_print(&d->sys->iommus[iommu], q);
	return !queue_never_set_up(q);
}

void queue_unreadable(struct dump *d, size_t iommu, const struct riommu_queue *q, uint32_t index,
		      uint32_t skipped, int error)
{
	int err = error == -EFAULT || error == -EHWPOISON ? -EBADMSG : error;

	out_error(&d->out, err,
		  "%s: %" PRIu32 " entries of the %s from index %" PRIu32 " on (0x%" PRIx64
		  ") cannot be read: %s",
		  d->sys->iommus[iommu].name, skipped, kinds[q->kind].noun, index,
		  q->base + (uint64_t)index * q->entry_size,
		  error == -ENODATA ? "not in this source" : strerror(-error));
}

size_t queue_error_bits(const struct riommu_queue *q, const char *names[4])
{
	size_t n = 0;

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(csr_bits) && q->indexes_known; i++)
		if (csr_bits[i].kind == q->kind && csr_bits[i].error && (q->csr & csr_bits[i].mask))
			names[n++] = csr_bits[i].name;
	return n;
}

/* -- commands (4.1) ---------------------------------------------------------------------------- */

static uint64_t field(unsigned dword, const uint64_t dw[2], const char *name)
{
	return riommu_field_value(riommu_layout_field(riommu_layout_command(dword, dw[0]), name),
				  dw[dword]);
}

static const char *device_name(const struct dump *d, size_t iommu, uint32_t device_id, char *text,
			       size_t size)
{
	if (iommu != RIOMMU_NO_IOMMU)
		return dump_device_label(d, iommu, device_id, text, size);
	snprintf(text, size, "0x%x", device_id);
	return text;
}

const char *ats_device(const struct dump *d, size_t iommu, uint64_t dw0, char *text, size_t size)
{
	const uint64_t dw[2] = {dw0, 0};
	uint64_t segment = field(0, dw, "DSV") ? field(0, dw, "DSEG") : 0;

	return device_name(d, iommu, (uint32_t)(segment << 16 | field(0, dw, "RID")), text, size);
}

/* "0x1000", or "0x0-0x1fff" where S makes it a range. */
static void address_words(uint64_t address, bool range, char *text, size_t size)
{
	uint64_t start, last;

	if (!range)
		snprintf(text, size, "0x%" PRIx64, address);
	else if (!riommu_napot_range(address, &start, &last))
		snprintf(text, size, "a range that is not defined (ADDR all ones)");
	else if (!start && last == UINT64_MAX)
		snprintf(text, size, "all addresses");
	else
		snprintf(text, size, "0x%" PRIx64 "-0x%" PRIx64, start, last);
}

static void iotinval_words(const uint64_t dw[2], bool second, char *text, size_t size)
{
	bool guest = field(0, dw, "GV"), space = field(0, dw, "PSCV");
	/* without a guest IOTINVAL.GVMA looks at no address (4.1.1) */
	bool address = field(0, dw, "AV") && (guest || !second);
	char where[80], who[32] = "the host", which[64] = "";

	address_words(field(1, dw, "ADDR"), field(1, dw, "S"), where, sizeof(where));
	if (guest)
		snprintf(who, sizeof(who), "guest 0x%" PRIx64, field(0, dw, "GSCID"));
	else if (second)
		snprintf(who, sizeof(who), "every guest");
	if (!second && space)
		snprintf(which, sizeof(which),
			 ", address space 0x%" PRIx64 " but not global entries",
			 field(0, dw, "PSCID"));
	else if (!second)
		snprintf(which, sizeof(which), ", every address space and global entries");
	snprintf(text, size, "forget %s entries %s%s of %s%s",
		 second ? "second-stage" : "first-stage",
		 !address             ? "for all addresses"
		 : field(0, dw, "NL") ? "of every level for "
				      : "(leaf) for ",
		 address ? where : "", who, which);
}

static void iofence_words(const uint64_t dw[2], char *text, size_t size)
{
	static const char *const orders[] = {"", ", with earlier device reads done",
					     ", with earlier device writes done",
					     ", with earlier device reads and writes done"};
	char store[64] = "";

	if (field(0, dw, "AV"))
		snprintf(store, sizeof(store), "; then store 0x%" PRIx64 " at 0x%" PRIx64,
			 field(0, dw, "DATA"), field(1, dw, "ADDR"));
	snprintf(text, size, "wait for all commands before it%s%s%s",
		 orders[(field(0, dw, "PR") ? 1 : 0) + (field(0, dw, "PW") ? 2 : 0)], store,
		 field(0, dw, "WSI") ? "; then interrupt by wire" : "");
}

static void process_words(const uint64_t dw[2], char *text, size_t size)
{
	text[0] = '\0';
	if (field(0, dw, "PV"))
		snprintf(text, size, ", process 0x%" PRIx64, field(0, dw, "PID"));
}

static void ats_words(const struct dump *d, size_t iommu, const uint64_t dw[2], char *text,
		      size_t size)
{
	char device[NAME_SIZE], process[32], where[80];

	ats_device(d, iommu, dw[0], device, sizeof(device));
	process_words(dw, process, sizeof(process));
	if (riommu_command(dw[0]) == RIOMMU_COMMAND_ATS_PRGR) {
		const struct riommu_field *code =
			riommu_layout_field(riommu_layout_command(1, dw[0]), "response_code");
		const char *name = riommu_field_value_name(code, dw[1]);

		snprintf(text, size,
			 "answer page request group %" PRIu64 " of %s%s: %s (0x%" PRIx64 ")",
			 field(1, dw, "PRGI"), device, process, name ? name : "not defined",
			 riommu_field_get(code, dw[1]));
		return;
	}
	address_words(field(1, dw, "ADDR"), field(1, dw, "S"), where, sizeof(where));
	snprintf(text, size, "have %s forget translations for %s%s%s", device, where, process,
		 field(1, dw, "G") ? ", in every process" : "");
}

static void inval_words(const struct dump *d, size_t iommu, const uint64_t dw[2], char *text,
			size_t size)
{
	char device[NAME_SIZE];

	device_name(d, iommu, (uint32_t)field(0, dw, "DID"), device, sizeof(device));
	if (riommu_command(dw[0]) == RIOMMU_COMMAND_INVAL_PDT)
		snprintf(text, size, "forget the context of process 0x%" PRIx64 " of %s",
			 field(0, dw, "PID"), device);
	else if (field(0, dw, "DV"))
		snprintf(text, size, "forget the device context of %s and its process contexts",
			 device);
	else
		snprintf(text, size, "forget all device and process contexts");
}

void command_words(const struct dump *d, size_t iommu, const uint64_t dw[2], char *text,
		   size_t size)
{
	switch (riommu_command(dw[0])) {
	case RIOMMU_COMMAND_IOTINVAL_VMA:
	case RIOMMU_COMMAND_IOTINVAL_GVMA:
		iotinval_words(dw, riommu_command(dw[0]) == RIOMMU_COMMAND_IOTINVAL_GVMA, text,
			       size);
		break;
	case RIOMMU_COMMAND_IOFENCE_C:
		iofence_words(dw, text, size);
		break;
	case RIOMMU_COMMAND_INVAL_DDT:
	case RIOMMU_COMMAND_INVAL_PDT:
		inval_words(d, iommu, dw, text, size);
		break;
	case RIOMMU_COMMAND_ATS_INVAL:
	case RIOMMU_COMMAND_ATS_PRGR:
		ats_words(d, iommu, dw, text, size);
		break;
	case RIOMMU_COMMAND_RESERVED:
	case RIOMMU_COMMAND_CUSTOM:
		snprintf(text, size,
			 "opcode %" PRIu64 ", func3 %" PRIu64 ": 0x%" PRIx64 " 0x%" PRIx64,
			 riommu_bits(dw[0], 6, 0), riommu_bits(dw[0], 9, 7), dw[0], dw[1]);
		break;
	}
}

const char *command_label(uint64_t dw0)
{
	const char *name = riommu_command_name(dw0);

	if (name)
		return name;
	return riommu_command(dw0) == RIOMMU_COMMAND_CUSTOM ? "custom command" : "reserved command";
}

struct riommu_command_limits command_limits(const struct dump *d, size_t iommu)
{
	struct riommu_command_limits limits = {0};
	const struct riommu_iommu *unit;

	if (iommu == RIOMMU_NO_IOMMU)
		return limits;
	unit = &d->sys->iommus[iommu];
	if (!riommu_iommu_reg(unit, RIOMMU_REG_CAPABILITIES, &limits.capabilities))
		limits.known |= RIOMMU_LIMIT_CAPABILITIES;
	if (!riommu_iommu_reg(unit, RIOMMU_REG_FCTL, &limits.fctl))
		limits.known |= RIOMMU_LIMIT_FCTL;
	if (!riommu_iommu_reg(unit, RIOMMU_REG_DDTP, &limits.ddtp))
		limits.known |= RIOMMU_LIMIT_DDTP;
	return limits;
}

static struct json_object *values_json(const struct riommu_layout *const layouts[2],
				       const uint64_t dw[2], size_t count)
{
	struct json_object *values = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(values, json_layout(layouts[i], dw[i]));
	return values;
}

void command_members(struct json_object *obj, const struct dump *d, size_t iommu,
		     const uint64_t dw[2], size_t count)
{
	const struct riommu_layout *layouts[2] = {riommu_layout_command(0, dw[0]),
						  riommu_layout_command(1, dw[0])};
	struct riommu_command_limits limits = command_limits(d, iommu);
	const char *wrong[RIOMMU_COMMAND_RULES];
	size_t n = riommu_command_wrong(dw, &limits, wrong);
	struct json_object *illegal = json_object_new_array();
	char words[300];

	command_words(d, iommu, dw, words, sizeof(words));
	for (size_t i = 0; i < n; i++)
		json_object_array_add(illegal, json_text(wrong[i]));
	json_add(obj, "name", json_text(command_label(dw[0])));
	json_add(obj, "words", count == 2 ? json_text(words) : NULL);
	json_add(obj, "illegal", illegal);
	json_add(obj, "values", values_json(layouts, dw, count));
}

/* -- page requests (4.3) ----------------------------------------------------------------------- */

enum { REQUEST_R = 1 << 0, REQUEST_W = 1 << 1, REQUEST_L = 1 << 2 };

struct page_request {
	uint32_t did, pid;
	bool pv, priv, read, write, exec, last;
	unsigned prgi;
	uint64_t address, reserved;
};

static struct page_request request_decode(const uint64_t dw[2])
{
	return (struct page_request){
		.did = (uint32_t)riommu_bits(dw[0], 63, 40),
		.pid = (uint32_t)riommu_bits(dw[0], 31, 12),
		.pv = riommu_bit(dw[0], 32),
		.priv = riommu_bit(dw[0], 33),
		.exec = riommu_bit(dw[0], 34),
		.read = dw[1] & REQUEST_R,
		.write = dw[1] & REQUEST_W,
		.last = dw[1] & REQUEST_L,
		.prgi = (unsigned)riommu_bits(dw[1], 11, 3),
		.address = dw[1] & ~RIOMMU_PAGE_MASK,
		.reserved = riommu_layout_reserved(riommu_layout_page_request(0), dw[0]),
	};
}

/* PCIe: nothing is asked for; all requests of this PASID were sent before it. */
static bool is_stop_marker(const struct page_request *r)
{
	return r->pv && r->last && !r->read && !r->write;
}

uint32_t request_device(const uint64_t dw[2])
{
	return request_decode(dw).did;
}

void request_words(const uint64_t dw[2], char *text, size_t size)
{
	struct page_request r = request_decode(dw);
	char process[48] = "", reserved[60] = "";

	if (r.pv)
		snprintf(process, sizeof(process), ", process 0x%x%s", r.pid,
			 r.priv ? " privileged" : "");
	if (r.reserved)
		snprintf(reserved, sizeof(reserved), "; RESERVED BITS ARE SET: 0x%" PRIx64,
			 r.reserved);
	if (is_stop_marker(&r))
		snprintf(text, size, "stop marker%s: no request of it is under way%s", process,
			 reserved);
	else
		snprintf(text, size, "%c%c%c 0x%" PRIx64 "%s, group %u%s%s", r.read ? 'r' : '-',
			 r.write ? 'w' : '-', r.exec ? 'x' : '-', r.address, process, r.prgi,
			 r.last ? ", last" : "", reserved);
}

void request_members(struct json_object *obj, const struct dump *d, size_t iommu,
		     const uint64_t dw[2])
{
	const struct riommu_layout *layouts[2] = {riommu_layout_page_request(0),
						  riommu_layout_page_request(1)};
	struct page_request r = request_decode(dw);
	const char *name =
		iommu == RIOMMU_NO_IOMMU ? NULL : riommu_system_device_name(d->sys, iommu, r.did);

	json_add(obj, "device_id", json_hex(r.did));
	json_add(obj, "device", json_text(name));
	json_add(obj, "process_id", r.pv ? json_hex(r.pid) : NULL);
	json_add(obj, "privileged", json_object_new_boolean(r.priv));
	json_add(obj, "read", json_object_new_boolean(r.read));
	json_add(obj, "write", json_object_new_boolean(r.write));
	json_add(obj, "execute", json_object_new_boolean(r.exec));
	json_add(obj, "last", json_object_new_boolean(r.last));
	json_add(obj, "prgi", json_object_new_int((int)r.prgi));
	json_add(obj, "address", json_hex(r.address));
	json_add(obj, "stop_marker", json_object_new_boolean(is_stop_marker(&r)));
	json_add(obj, "values", values_json(layouts, dw, 2));
}
