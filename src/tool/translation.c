/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A translation as JSON (design 3.3) and as text. */
#include "config.h"

#include "line.h"
#include "translation.h"

#include <inttypes.h>

static const char *const access_names[] = {"r", "w", "x"};
static const char *const type_names[] = {"untranslated", "translated", "ats"};
static const char *const response_names[] = {"ur", "ca", "success"};
static const char *const memory_type_names[] = {"pma", "nc", "io"};
static const char *const msi_names[] = {"none", "flat", "mrif"};

static void permission_text(uint8_t permissions, char text[4])
{
	text[0] = permissions & RIOMMU_PERM_R ? 'r' : '-';
	text[1] = permissions & RIOMMU_PERM_W ? 'w' : '-';
	text[2] = permissions & RIOMMU_PERM_X ? 'x' : '-';
	text[3] = '\0';
}

/* -- JSON ----------------------------------------------------------------------------------------------------------- */

static void add_ok(struct json_object *obj, const struct riommu_request *q,
		   const struct riommu_translation *t)
{
	char permissions[4];

	permission_text(t->permissions, permissions);
	json_add(obj, "pa", json_hex(t->pa));
	json_add(obj, "page_size", t->page_size ? json_hex(t->page_size) : NULL);
	json_add(obj, "permissions", t->has_permissions ? json_text(permissions) : NULL);
	json_add(obj, "memory_type", json_text(memory_type_names[t->memory_type]));
	json_add(obj, "msi", json_text(msi_names[t->msi]));
	if (t->msi == RIOMMU_MSI_MRIF) {
		json_add(obj, "mrif_address", json_hex(t->mrif_address));
		json_add(obj, "notice_id", json_object_new_int((int)t->notice_id));
	}
	if (q->type == RIOMMU_ATS) {
		struct json_object *ats = json_object_new_object();

		json_add(ats, "privileged", json_object_new_boolean(t->ats_privileged));
		json_add(ats, "global", json_object_new_boolean(t->ats_global));
		json_add(ats, "untranslated_only",
			 json_object_new_boolean(t->ats_untranslated_only));
		json_add(obj, "ats", ats);
	}
}

static void add_fault(struct json_object *obj, const struct riommu_translation *t)
{
	json_add(obj, "cause", json_object_new_int(t->cause));
	json_add(obj, "cause_name", json_text(riommu_cause_name(t->cause)));
	json_add(obj, "iotval", json_hex(t->iotval));
	json_add(obj, "iotval2", json_hex(t->iotval2));
	json_add(obj, "reported", json_object_new_boolean(t->reported));
	json_add(obj, "response", json_text(response_names[t->response]));
}

static void add_steps(struct json_object *obj, const struct riommu_trace *trace)
{
	struct json_object *steps = json_object_new_array(), *writes = json_object_new_array();

	for (size_t i = 0; i < trace->step_count; i++) {
		const struct riommu_step *s = &trace->step[i];
		struct json_object *step = json_object_new_object(),
				   *value = json_object_new_array();

		json_add(step, "structure", json_text(riommu_structure_name(s->structure)));
		json_add(step, "level", json_object_new_int(s->level));
		json_add(step, "address", json_hex(s->address));
		for (unsigned v = 0; v < s->count; v++)
			json_object_array_add(value, json_hex(s->value[v]));
		json_add(step, "value", value);
		json_object_array_add(steps, step);
	}
	for (size_t i = 0; i < trace->update_count; i++) {
		const struct riommu_update *u = &trace->update[i];
		struct json_object *write = json_object_new_object();

		json_add(write, "address", json_hex(u->address));
		json_add(write, "size", json_object_new_int(u->size));
		json_add(write, "value", json_hex(u->raw));
		json_object_array_add(writes, write);
	}
	json_add(obj, "steps", steps);
	json_add(obj, "writes", writes);
}

void translation_walk(const struct riommu_system *sys, const struct riommu_walker *walker,
		      const struct riommu_request *request, struct riommu_translation *t,
		      struct riommu_trace *trace)
{
	if (sys->live)
		riommu_translate_live(walker, request, t, trace);
	else
		riommu_translate(walker, request, t, trace);
}

struct json_object *translation_json(size_t line, uint64_t base, const struct riommu_request *q,
				     const struct riommu_translation *t,
				     const struct riommu_trace *trace, const char *missing_register)
{
	struct json_object *obj = json_object_new_object();
	bool unknown = missing_register || t->result == RIOMMU_UNKNOWN;

	json_add(obj, "line", json_object_new_int64((int64_t)line));
	json_add(obj, "iommu", json_hex(base));
	json_add(obj, "device_id", json_hex(q->device_id));
	json_add(obj, "process_id", q->has_process_id ? json_hex(q->process_id) : NULL);
	json_add(obj, "iova", json_hex(q->iova));
	json_add(obj, "access", json_text(access_names[q->access]));
	json_add(obj, "privileged", json_object_new_boolean(q->privileged));
	json_add(obj, "type", json_text(type_names[q->type]));
	json_add(obj, "result",
		 json_text(unknown                  ? "unknown"
			   : t->result == RIOMMU_OK ? "ok"
						    : "fault"));
	if (missing_register)
		json_add(obj, "missing_register", json_text(missing_register));
	else if (t->result == RIOMMU_UNKNOWN && t->error == -EBADMSG)
		json_add(obj, "missing_register",
			 json_text("ddtp")); /* it is there, but its mode says nothing */
	else if (t->result == RIOMMU_UNKNOWN)
		json_add(obj, "missing", json_hex(t->missing));
	else if (t->result == RIOMMU_OK)
		add_ok(obj, q, t);
	else
		add_fault(obj, t);
	if (t->changed && !missing_register)
		json_add(obj, "changed", json_object_new_boolean(true));
	if (trace && !missing_register)
		add_steps(obj, trace);
	return obj;
}

/* -- JSON by hand, for a batch: tests/cli compares it with the above ----------------------------------------------- */

static void line_ok(struct line *l, const struct riommu_request *q,
		    const struct riommu_translation *t)
{
	line_hex_member(l, "pa", true, t->pa);
	line_hex_member(l, "page_size", t->page_size, t->page_size);
	line_key(l, "permissions");
	if (t->has_permissions) {
		line_add(l, "\"");
		line_permissions(l, t->permissions);
		line_add(l, "\"");
	} else {
		line_add(l, "null");
	}
	line_word_member(l, "memory_type", memory_type_names[t->memory_type]);
	line_word_member(l, "msi", msi_names[t->msi]);
	if (t->msi == RIOMMU_MSI_MRIF) {
		line_hex_member(l, "mrif_address", true, t->mrif_address);
		line_number_member(l, "notice_id", t->notice_id);
	}
	if (q->type == RIOMMU_ATS) {
		line_key(l, "ats");
		line_add(l, "{\"privileged\":");
		line_add(l, t->ats_privileged ? "true" : "false");
		line_bool_member(l, "global", t->ats_global);
		line_bool_member(l, "untranslated_only", t->ats_untranslated_only);
		line_add(l, "}");
	}
}

static void line_fault(struct line *l, const struct riommu_translation *t)
{
	line_number_member(l, "cause", t->cause);
	line_word_member(l, "cause_name", riommu_cause_name(t->cause));
	line_hex_member(l, "iotval", true, t->iotval);
	line_hex_member(l, "iotval2", true, t->iotval2);
	line_bool_member(l, "reported", t->reported);
	line_word_member(l, "response", response_names[t->response]);
}

void translation_print_json(size_t line, uint64_t base, const struct riommu_request *q,
			    const struct riommu_translation *t)
{
	static const char *const results[] = {
		[RIOMMU_OK] = "ok", [RIOMMU_FAULT] = "fault", [RIOMMU_UNKNOWN] = "unknown"};
	struct line l;

	line_begin(&l);
	line_add(&l, "{\"line\":");
	line_decimal(&l, line);
	line_hex_member(&l, "iommu", true, base);
	line_hex_member(&l, "device_id", true, q->device_id);
	line_hex_member(&l, "process_id", q->has_process_id, q->process_id);
	line_hex_member(&l, "iova", true, q->iova);
	line_word_member(&l, "access", access_names[q->access]);
	line_bool_member(&l, "privileged", q->privileged);
	line_word_member(&l, "type", type_names[q->type]);
	line_word_member(&l, "result", results[t->result]);
	if (t->result == RIOMMU_OK)
		line_ok(&l, q, t);
	else if (t->result == RIOMMU_FAULT)
		line_fault(&l, t);
	else if (t->error == -EBADMSG)
		line_word_member(&l, "missing_register", "ddtp");
	else
		line_hex_member(&l, "missing", true, t->missing);
	if (t->changed)
		line_bool_member(&l, "changed", true);
	line_add(&l, "}\n");
	fwrite(l.text, 1, l.len, stdout);
}

/* -- text ----------------------------------------------------------------------------------------------------------- */

const char *size_words(uint64_t size, char *buf, size_t n)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t unit = 0;

	if (!size)
		return "any size";
	while (size >= 1024 && size % 1024 == 0 && unit + 1 < RIOMMU_ARRAY_SIZE(units)) {
		size /= 1024;
		unit++;
	}
	snprintf(buf, n, "%" PRIu64 " %s", size, units[unit]);
	return buf;
}

static void pte_words(const struct riommu_step *s, char *buf, size_t size)
{
	static const char *const pbmt[] = {"", " NC", " IO", " PBMT=3"};
	uint64_t pte = s->value[0], target = riommu_ppn_upper(pte);
	char flags[9];

	if (!(pte & RIOMMU_PTE_V)) {
		snprintf(buf, size, "not valid");
		return;
	}
	for (unsigned bit = 0; bit < 8; bit++)
		flags[bit] = riommu_bit(pte, bit) ? "VRWXUGAD"[bit] : '-';
	flags[8] = '\0';
	/* the low bits of a NAPOT leaf's PPN say its size, not where it is (Svnapot) */
	if ((pte & RIOMMU_PTE_N) && s->level == 0)
		target &= ~(uint64_t)0xffff;
	snprintf(buf, size, "%s%s%s %s 0x%" PRIx64, flags, pte & RIOMMU_PTE_N ? " N" : "",
		 pbmt[riommu_bits(pte, 62, 61)], pte & (RIOMMU_PTE_R | RIOMMU_PTE_X) ? "=>" : "->",
		 target);
}

static void dc_words(const struct riommu_step *s, uint32_t fctl, char *buf, size_t size)
{
	uint64_t tc = s->value[RIOMMU_DC_TC];
	const char *first = riommu_fsc_mode_name(s->value[RIOMMU_DC_FSC], tc, false);
	const char *second = riommu_hgatp_mode_name(s->value[RIOMMU_DC_IOHGATP], fctl);

	if (!(tc & RIOMMU_TC_V))
		snprintf(buf, size, "not valid");
	else
		snprintf(buf, size, "valid, %s %s, second stage %s",
			 tc & RIOMMU_TC_PDTV ? "processes" : "first stage",
			 first ? first : "reserved", second ? second : "reserved");
}

uint64_t trace_tc(const struct riommu_trace *trace)
{
	for (size_t i = 0; i < trace->step_count; i++)
		if (trace->step[i].structure == RIOMMU_S_DC && trace->step[i].count)
			return trace->step[i].value[RIOMMU_DC_TC];
	return 0;
}

static void pc_words(const struct riommu_step *s, uint64_t tc, char *buf, size_t size)
{
	const char *mode = riommu_fsc_mode_name(s->value[1], tc, true);

	if (!(s->value[0] & RIOMMU_PC_V))
		snprintf(buf, size, "not valid");
	else
		snprintf(buf, size, "valid, first stage %s, PSCID %" PRIu64,
			 mode ? mode : "reserved", riommu_bits(s->value[0], 31, 12));
}

static void msi_words(const struct riommu_step *s, char *buf, size_t size)
{
	uint64_t dw0 = s->value[0];

	if (!riommu_bit(dw0, 0))
		snprintf(buf, size, "not valid");
	else if (riommu_bits(dw0, 2, 1) == 3)
		snprintf(buf, size, "V M=3 => 0x%" PRIx64, riommu_ppn_upper(dw0));
	else
		snprintf(buf, size, "V M=%u MRIF 0x%" PRIx64 " notice 0x%" PRIx64,
			 (unsigned)riommu_bits(dw0, 2, 1), riommu_mrif_address(dw0),
			 riommu_ppn_upper(s->value[1]));
}

void step_words(const struct riommu_step *s, uint64_t tc, uint32_t fctl, char *buf, size_t size)
{
	if (!s->count) {
		snprintf(buf, size, "could not be read");
		return;
	}
	switch (s->structure) {
	case RIOMMU_S_DC:
		dc_words(s, fctl, buf, size);
		return;
	case RIOMMU_S_PC:
		pc_words(s, tc, buf, size);
		return;
	case RIOMMU_S_MSI_PTE:
		msi_words(s, buf, size);
		return;
	case RIOMMU_S_DDTE:
	case RIOMMU_S_PDTE:
		if (riommu_bit(s->value[0], 0))
			snprintf(buf, size, "V -> 0x%" PRIx64, riommu_ppn_upper(s->value[0]));
		else
			snprintf(buf, size, "not valid");
		return;
	default:
		pte_words(s, buf, size);
	}
}

#define SCREEN     80
#define STEP_WORDS 15 /* where they begin when the line has no room for them: below the address */

static void print_steps(FILE *f, int indent, uint32_t fctl, const struct riommu_trace *trace)
{
	uint64_t tc = trace_tc(trace);
	char words[96];

	for (size_t i = 0; i < trace->step_count; i++) {
		const struct riommu_step *s = &trace->step[i];
		bool last = i + 1 == trace->step_count;
		int at = fprintf(f, "%*s%c %s%-7s %u  0x%-14" PRIx64, indent, "", last ? '>' : ' ',
				 s->implicit ? "  " : "", riommu_structure_name(s->structure),
				 s->level, s->address);

		step_words(s, tc, fctl, words, sizeof(words));
		if (s->count == 1)
			at += fprintf(f, " 0x%016" PRIx64, s->value[0]);
		if ((size_t)at + 1 + strlen(words) > SCREEN)
			fprintf(f, "\n%*s", indent + STEP_WORDS, "");
		fprintf(f, " %s\n", words);
	}
	for (size_t i = 0; i < trace->update_count; i++)
		fprintf(f,
			"%*s  the IOMMU would write 0x%" PRIx64 " to 0x%" PRIx64 " (A/D update)\n",
			indent, "", trace->update[i].value, trace->update[i].address);
}

static void print_ok(FILE *f, int indent, const struct riommu_request *q,
		     const struct riommu_translation *t)
{
	static const char *const types[] = {"PMA", "NC", "IO"};
	char permissions[4], size[32];

	permission_text(t->permissions, permissions);
	fprintf(f, "%*sok: 0x%" PRIx64 " -> 0x%" PRIx64 "  %s  %s  %s", indent, "", q->iova, t->pa,
		size_words(t->page_size, size, sizeof(size)),
		t->has_permissions ? permissions : "(no permissions apply)", types[t->memory_type]);
	if (t->msi == RIOMMU_MSI_FLAT)
		fprintf(f, "  MSI");
	fputc('\n', f);
	if (t->msi == RIOMMU_MSI_MRIF)
		fprintf(f, "%*s    MSI to the MRIF at 0x%" PRIx64 ", notice id %u\n", indent, "",
			t->mrif_address, t->notice_id);
	if (q->type == RIOMMU_ATS)
		fprintf(f, "%*s    ATS completion: Priv=%d Global=%d U=%d\n", indent, "",
			t->ats_privileged, t->ats_global, t->ats_untranslated_only);
}

static void print_fault(FILE *f, int indent, const struct riommu_translation *t)
{
	static const char *const responses[] = {"Unsupported Request", "Completer Abort",
						"Success with no permissions"};

	fprintf(f, "%*sfault %u: %s\n", indent, "", t->cause, riommu_cause_name(t->cause));
	print_wrapped(f, t->reason, (size_t)fprintf(f, "%*s    because", indent, ""),
		      (size_t)indent + 12);
	fprintf(f, "%*s    iotval 0x%" PRIx64 "  iotval2 0x%" PRIx64 "  %s\n", indent, "",
		t->iotval, t->iotval2,
		t->reported ? "goes to the fault queue" : "is not reported to the fault queue");
	fprintf(f, "%*s    the device is told: %s\n", indent, "", responses[t->response]);
}

void translation_print(FILE *f, int indent, uint32_t fctl, const struct riommu_request *q,
		       const struct riommu_translation *t, const struct riommu_trace *trace)
{
	if (trace)
		print_steps(f, indent, fctl, trace);
	if (t->result == RIOMMU_OK)
		print_ok(f, indent, q, t);
	else if (t->result == RIOMMU_FAULT)
		print_fault(f, indent, t);
	else if (t->error == -EBADMSG)
		fprintf(f, "%*sunknown: %s\n", indent, "", t->reason);
	else
		fprintf(f, "%*sunknown: the entry at 0x%" PRIx64 " is not to be had (%s)\n", indent,
			"", t->missing,
			t->error == -ENODATA ? "not in this source" : strerror(-t->error));
	if (t->changed)
		fprintf(f, "%*sthe tables changed during the walk: this is what they said last\n",
			indent, "");
}

void translation_print_missing(FILE *f, int indent, const char *missing_register)
{
	fprintf(f, "%*sunknown: a walk needs the register %s (supply it with --reg %s=VALUE)\n",
		indent, "", missing_register, missing_register);
}
