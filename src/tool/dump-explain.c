/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iommu-dump explain: a kernel log line, a fault record, a register, a structure, a command or a cause in words.
 * Offline: everything comes from the text.
 */
#include "dump.h"
#include "fault-words.h"
#include "queue-words.h"
#include "translation.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#define TEXT_SIZE   4096 /* of one line; what is longer is cut */
#define MAX_DWORDS  8
#define QUOTED_SIZE 100 /* of a text that is quoted in a message */

static const char forms[] =
	"understood are a kernel log line ('Fault 13 devid: 0x8 iotval: 777000 iotval2: 0'), a "
	"fault record "
	"(one or four doublewords in hex), NAME=VALUE of a register (ddtp=0x20080004) or a "
	"structure "
	"(dc.tc, dc, pc, ddte, pdte, pte, msi_pte, fault, page_request, command=DW0,DW1), "
	"and a cause (13 or cause=13)";

/* TEXT as a message may quote it: short, and without bytes that steer a terminal. */
static const char *quoted(const char *text, char buf[QUOTED_SIZE])
{
	riommu_copy_name(buf, QUOTED_SIZE, text, strlen(text));
	return buf;
}

enum parsed { NOT_MINE, UNDERSTOOD, WRONG /* reported */ };

static void show_fault(struct dump *d, const struct known_fault *k)
{
	if (in_json(&d->out))
		out_item(&d->out, fault_json(k));
	else
		fault_print(stdout, k);
}

static void show_cause(struct dump *d, unsigned code)
{
	if (in_json(&d->out))
		out_item(&d->out, cause_json(code));
	else
		cause_print(stdout, code);
}

/* -- kernel log lines ------------------------------------------------------------------------------------ */

/* A number behind LABEL; *P moves past both. HEX: the kernel prints it in hex without 0x. */
static enum parsed labelled(const char **p, const char *label, bool hex, uint64_t *value)
{
	const char *at = *p + strspn(*p, " \t");
	size_t digits;
	char text[24];

	if (strncmp(at, label, strlen(label)) != 0)
		return NOT_MINE;
	at += strlen(label);
	at += strspn(at, " \t");
	if (hex && at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
		at += 2;
	digits = strspn(at, "0123456789abcdefABCDEFxX");
	if (!digits || digits + 3 > sizeof(text))
		return WRONG;
	snprintf(text, sizeof(text), "%s%.*s", hex ? "0x" : "", (int)digits, at);
	*p = at + digits;
	return riommu_parse_u64(text, value) ? WRONG : UNDERSTOOD;
}

/* "riscv-iommu 3010000.iommu: Fault": the word before the colon. */
static void iommu_before(const char *line, const char *fault, struct known_fault *k)
{
	const char *end = fault, *start;

	while (end > line && end[-1] == ' ')
		end--;
	if (end == line || end[-1] != ':')
		return;
	start = --end;
	while (start > line && start[-1] != ' ' && start[-1] != ']')
		start--;
	riommu_copy_name(k->iommu, sizeof(k->iommu), start, (size_t)(end - start));
}

/*
 * Linux 7.2 prints cause in decimal, devid in hex with 0x, the values in hex without; older drivers print devid in
 * decimal.
 */
static enum parsed parse_fault_at(struct dump *d, const char *line, const char *fault)
{
	uint64_t cause = 0, did = 0, iotval = 0, iotval2 = 0;
	enum parsed parsed[4] = {NOT_MINE, NOT_MINE, NOT_MINE, NOT_MINE};
	struct known_fault k = {0};
	const char *p = fault;
	char quote[QUOTED_SIZE];

	parsed[0] = labelled(&p, "Fault", false, &cause);
	if (parsed[0] != UNDERSTOOD || strncmp(p + strspn(p, " "), "devid:", 6) != 0)
		return NOT_MINE;
	parsed[1] = labelled(&p, "devid:", false, &did);
	parsed[2] = labelled(&p, "iotval:", true, &iotval);
	if (parsed[2] == UNDERSTOOD)
		parsed[3] = labelled(&p, "iotval2:", true, &iotval2);
	if (parsed[1] != UNDERSTOOD || parsed[2] == WRONG || parsed[3] == WRONG || cause > 0xfff ||
	    did > RIOMMU_DEVICE_ID_MAX) {
		out_error(&d->out, -EINVAL,
			  "'%s': not what the kernel prints: a cause of 12 bits, a devid of 24, "
			  "two values of 64",
			  quoted(fault, quote));
		return WRONG;
	}
	k.has_iotval = parsed[2] == UNDERSTOOD;
	k.has_iotval2 = parsed[3] == UNDERSTOOD;
	k.fault = (struct riommu_fault){
		.cause = (uint16_t)cause,
		.did = (uint32_t)did,
		.iotval = iotval,
		.iotval2 = iotval2,
	};
	iommu_before(line, fault, &k);
	show_fault(d, &k);
	return UNDERSTOOD;
}

/* The kernel prints ten lines in five seconds, then only how many there would have been. */
static enum parsed parse_suppressed(struct dump *d, const char *line)
{
	static const char who[] = "riscv_iommu_fault:";
	const char *p = strstr(line, who);
	uint64_t count;

	if (!p || labelled(&p, who, false, &count) != UNDERSTOOD ||
	    strncmp(p + strspn(p, " "), "callbacks suppressed", 20) != 0)
		return NOT_MINE;
	if (in_json(&d->out)) {
		struct json_object *obj = json_object_new_object();

		json_add(obj, "kind", json_text("suppressed"));
		json_add(obj, "count", json_object_new_int64((int64_t)(count & INT64_MAX)));
		out_item(&d->out, obj);
		return UNDERSTOOD;
	}
	printf("%" PRIu64 " more faults were not logged (rate limit)\n", count);
	print_words(stdout, "next", "the fault queue may still hold them: see 'faults'");
	return UNDERSTOOD;
}

static enum parsed parse_log_line(struct dump *d, const char *line)
{
	for (const char *p = line; (p = strstr(p, "Fault")); p++) {
		enum parsed parsed = parse_fault_at(d, line, p);

		if (parsed != NOT_MINE)
			return parsed;
	}
	return parse_suppressed(d, line);
}

/* -- values by name ------------------------------------------------------------------------------------------ */

enum structure_kind { DC, PC, DDTE, PDTE, PTE, PTE32, MSI_PTE, PAGE_REQUEST, COMMAND };

static const char with_gxl[] = "as with fctl.GXL 0; with GXL 1, MODE 8 is Sv32x4";
static const char with_sxl[] = "as with tc.SXL 0; with SXL 1, MODE 8 is Sv32";
static const char with_pdtv[] = "as with tc.PDTV 0 and SXL 0; with PDTV 1 it is pdtp";

/* Structures by the names that NAME=VALUE takes. "dc." may be left out where nothing else has the name. */
static const struct structure {
	const char *name;
	enum structure_kind kind;
	unsigned first, count; /* doublewords */
	uint64_t tc;           /* where it is not among the values */
	const char *note;
} structures[] = {
	{"dc", DC, 0, RIOMMU_DC_DWORDS, 0, with_gxl},
	{"dc.tc", DC, RIOMMU_DC_TC, 1, 0, NULL},
	{"dc.iohgatp", DC, RIOMMU_DC_IOHGATP, 1, 0, with_gxl},
	{"dc.ta", DC, RIOMMU_DC_TA, 1, 0, NULL},
	{"dc.fsc", DC, RIOMMU_DC_FSC, 1, 0, with_pdtv},
	{"dc.iosatp", DC, RIOMMU_DC_FSC, 1, 0, with_sxl},
	{"dc.pdtp", DC, RIOMMU_DC_FSC, 1, RIOMMU_TC_PDTV, NULL},
	{"dc.msiptp", DC, RIOMMU_DC_MSIPTP, 1, 0, NULL},
	{"dc.msi_addr_mask", DC, RIOMMU_DC_MSI_ADDR_MASK, 1, 0, NULL},
	{"dc.msi_addr_pattern", DC, RIOMMU_DC_MSI_ADDR_PATTERN, 1, 0, NULL},
	{"pc", PC, 0, 2, 0, with_sxl},
	{"pc.ta", PC, 0, 1, 0, NULL},
	{"pc.fsc", PC, 1, 1, 0, with_sxl},
	{"ddte", DDTE, 0, 1, 0, NULL},
	{"pdte", PDTE, 0, 1, 0, NULL},
	{"pte", PTE, 0, 1, 0, NULL},
	{"gpte", PTE, 0, 1, 0, NULL},
	{"pte32", PTE32, 0, 1, 0, NULL},
	{"msi_pte", MSI_PTE, 0, 2, 0, NULL},
	{"page_request", PAGE_REQUEST, 0, 2, 0, NULL},
	{"command", COMMAND, 0, 2, 0, NULL},
};

static const struct riommu_layout *layout_of(const struct structure *s, unsigned i,
					     const uint64_t *dw)
{
	switch (s->kind) {
	case DC:
		return riommu_layout_dc(s->first + i, s->count > 1 ? dw[0] : s->tc, 0);
	case PC:
		return riommu_layout_pc(s->first + i, s->tc);
	case DDTE:
		return riommu_layout_ddte();
	case PDTE:
		return riommu_layout_pdte();
	case PTE:
	case PTE32:
		return riommu_layout_pte(s->kind == PTE32);
	case MSI_PTE:
		return riommu_layout_msi_pte(i, dw[0]);
	case PAGE_REQUEST:
		return riommu_layout_page_request(i);
	case COMMAND:
		return riommu_layout_command(i, dw[0]);
	}
	return NULL;
}

static const struct structure *find_structure(const char *name)
{
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(structures); i++) {
		const char *full = structures[i].name;

		if (strcasecmp(full, name) == 0)
			return &structures[i];
		if (strncmp(full, "dc.", 3) == 0 && strcasecmp(full + 3, name) == 0)
			return &structures[i];
	}
	return NULL;
}

static bool fits(struct dump *d, const char *name, const struct riommu_layout *layout,
		 uint64_t value)
{
	if (layout->width == 8 || value <= UINT32_MAX)
		return true;
	out_error(&d->out, -EINVAL, "%s=0x%" PRIx64 ": it has only 32 bits", name, value);
	return false;
}

static void show_dwords(struct dump *d, const char *kind, const char *name, const char *note,
			const struct riommu_layout *const *layouts, const uint64_t *dw, size_t n)
{
	if (in_json(&d->out)) {
		struct json_object *obj = json_object_new_object(),
				   *values = json_object_new_array();

		json_add(obj, "kind", json_text(kind));
		json_add(obj, "name", json_text(name));
		json_add(obj, "note", json_text(note));
		for (size_t i = 0; i < n; i++)
			json_object_array_add(values, json_layout(layouts[i], dw[i]));
		json_add(obj, "values", values);
		out_item(&d->out, obj);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int at = printf("%s = 0x%" PRIx64, n > 1 ? layouts[i]->name : name, dw[i]);

		print_wrapped(stdout, layouts[i]->doc, (size_t)at, (size_t)at + 2);
		print_layout(stdout, layouts[i], dw[i], 2, true);
	}
	if (note)
		printf("  (%s)\n", note);
}

/* An entry of a queue: what it says in words, then its fields. */
static void show_entry(struct dump *d, const struct structure *s,
		       const struct riommu_layout *const *layouts, const uint64_t *dw, size_t n)
{
	const uint64_t both[2] = {dw[0], n > 1 ? dw[1] : 0};
	const struct riommu_command_limits any = {0};
	const char *wrong[RIOMMU_COMMAND_RULES];
	bool command = s->kind == COMMAND;
	char words[400];

	if (in_json(&d->out)) {
		struct json_object *obj = json_object_new_object();

		json_add(obj, "kind", json_text(s->name));
		json_add(obj, "note", NULL);
		if (command)
			command_members(obj, d, RIOMMU_NO_IOMMU, both, n);
		else
			request_members(obj, d, RIOMMU_NO_IOMMU, both);
		out_item(&d->out, obj);
		return;
	}
	if (n > 1 && command)
		command_words(d, RIOMMU_NO_IOMMU, both, words, sizeof(words));
	else if (n > 1)
		request_words(both, words, sizeof(words));
	printf("%s\n", command ? command_label(dw[0]) : "Page request");
	if (n > 1)
		print_words(stdout, command ? "asks to" : "asks for", words);
	for (size_t i = 0; command && i < riommu_command_wrong(both, &any, wrong); i++)
		printf("  ILLEGAL: %s\n", wrong[i]);
	show_dwords(d, s->name, s->name, s->note, layouts, dw, n);
}

static enum parsed show_structure(struct dump *d, const struct structure *s, const uint64_t *dw,
				  size_t n)
{
	const struct riommu_layout *layouts[MAX_DWORDS];

	if (n > s->count) {
		out_error(&d->out, -EINVAL, "%s has %u value%s, not %zu", s->name, s->count,
			  s->count == 1 ? "" : "s", n);
		return WRONG;
	}
	for (size_t i = 0; i < n; i++) {
		layouts[i] = layout_of(s, (unsigned)i, dw);
		if (!fits(d, s->name, layouts[i], dw[i]))
			return WRONG;
	}
	if (s->kind == COMMAND || (s->kind == PAGE_REQUEST && n == 2))
		show_entry(d, s, layouts, dw, n);
	else
		show_dwords(d, "structure", s->name, s->note, layouts, dw, n);
	return UNDERSTOOD;
}

/* What a superpage in tr_response means, which is not to be read off its bits; NULL otherwise. */
static const char *superpage_note(const struct riommu_reg *reg, uint64_t value, char *buf, size_t n)
{
	uint64_t base, bytes;
	char size[32];

	if (reg->offset != RIOMMU_REG_TR_RESPONSE || value & 1 ||
	    !riommu_tr_response_range(value, &base, &bytes) || bytes == RIOMMU_PAGE_SIZE)
		return NULL;
	snprintf(buf, n, "%s at 0x%" PRIx64, size_words(bytes, size, sizeof(size)), base);
	return buf;
}

static enum parsed show_register(struct dump *d, const struct riommu_reg *reg, const uint64_t *dw,
				 size_t n)
{
	char note[64];

	if (n != 1) {
		out_error(&d->out, -EINVAL, "%s has 1 value, not %zu", reg->name, n);
		return WRONG;
	}
	if (!fits(d, reg->name, reg->layout, dw[0]))
		return WRONG;
	show_dwords(d, "register", reg->name, superpage_note(reg, dw[0], note, sizeof(note)),
		    &reg->layout, dw, 1);
	return UNDERSTOOD;
}

static enum parsed show_record(struct dump *d, const uint64_t *dw, size_t n)
{
	struct known_fault k = {0};
	uint64_t record[4] = {0};

	if (n != 1 && n != 4) {
		out_error(&d->out, -EINVAL,
			  "a fault record has 4 doublewords (the first alone will do), not %zu", n);
		return WRONG;
	}
	memcpy(record, dw, n * sizeof(*dw));
	riommu_fault_decode(record, &k.fault);
	k.has_header = true;
	k.has_iotval = k.has_iotval2 = k.has_dw1 = n == 4;
	show_fault(d, &k);
	return UNDERSTOOD;
}

static enum parsed show_cause_value(struct dump *d, const uint64_t *dw, size_t n)
{
	if (n != 1 || dw[0] > 0xfff) {
		out_error(&d->out, -EINVAL, "a cause is one number of 12 bits (0 to 4095)");
		return WRONG;
	}
	show_cause(d, (unsigned)dw[0]);
	return UNDERSTOOD;
}

/* VALUE[,VALUE...]: numbers as everywhere, 0x hex or decimal. Cuts TEXT up. */
static bool parse_values(struct dump *d, const char *name, char *text, uint64_t *dw, size_t *n)
{
	char *rest = text, *value, quote[QUOTED_SIZE];

	*n = 0;
	while ((value = strsep(&rest, ","))) {
		value += strspn(value, " ");
		if (*n == MAX_DWORDS) {
			out_error(&d->out, -EINVAL, "%s: more than %d values", name, MAX_DWORDS);
			return false;
		}
		if (riommu_parse_u64(value, &dw[(*n)++])) {
			out_error(&d->out, -EINVAL,
				  "%s=%s: not a number of 64 bits (hexadecimal ones begin with 0x)",
				  name, quoted(value, quote));
			return false;
		}
	}
	return true;
}

static void report_name(struct dump *d, const char *name)
{
	const char *near = dump_nearest_register(name);
	char quote[QUOTED_SIZE];

	out_error(&d->out, -EINVAL, "'%s' is neither a register nor a structure%s%s%s; %s",
		  quoted(name, quote), near ? "; did you mean '" : "", near ? near : "",
		  near ? "'" : "", forms);
}

/* Not ALONE, a name that means nothing here is one of those that logs hold. */
static enum parsed parse_assignment(struct dump *d, const char *text, bool alone)
{
	char copy[TEXT_SIZE], *values, *name;
	const struct structure *s;
	uint64_t dw[MAX_DWORDS];
	size_t n;
	int reg;

	snprintf(copy, sizeof(copy), "%s", text);
	name = copy;
	values = strchr(copy, '=');
	if (!values || values == copy)
		return NOT_MINE;
	*values++ = '\0';
	if (name[strcspn(name, " \t:[]")])
		return NOT_MINE;
	reg = riommu_reg_by_name(name);
	s = find_structure(name);
	if (reg < 0 && !s && strcasecmp(name, "cause") != 0 && strcasecmp(name, "fault") != 0) {
		if (!alone)
			return NOT_MINE;
		report_name(d, name);
		return WRONG;
	}
	if (!parse_values(d, name, values, dw, &n))
		return WRONG;
	if (reg >= 0)
		return show_register(d, &riommu_registers()[reg], dw, n);
	if (s)
		return show_structure(d, s, dw, n);
	return strcasecmp(name, "cause") == 0 ? show_cause_value(d, dw, n) : show_record(d, dw, n);
}

/* A register as `regs` prints it, "0x010  ddtp = 0x20080004  ...", and as people type it, "ddtp 0x20080004" or "ddtp: 0x20080004". */
static enum parsed parse_register_words(struct dump *d, const char *text)
{
	char name[32], value[32];
	int offset = 0, reg;
	uint64_t dw;

	sscanf(text, "0x%*3x %n", &offset);
	text += offset;
	if (sscanf(text, "%31[A-Za-z0-9_] %*1[=:] %31s", name, value) != 2 &&
	    sscanf(text, "%31[A-Za-z0-9_] %31s", name, value) != 2)
		return NOT_MINE;
	reg = riommu_reg_by_name(name);
	if (reg < 0 || riommu_parse_u64(value, &dw))
		return NOT_MINE;
	return show_register(d, &riommu_registers()[reg], &dw, 1);
}

/* -- bare numbers ------------------------------------------------------------------------------------------------ */

/* Doublewords of a record are hex, with 0x or without, as tools that dump memory print them. */
static bool parse_hex(const char *word, uint64_t *value)
{
	char text[24];

	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X'))
		word += 2;
	if (strlen(word) + 3 > sizeof(text))
		return false;
	snprintf(text, sizeof(text), "0x%s", word);
	return riommu_parse_u64(text, value) == 0;
}

/* One number: a cause when it is as small as one and written like a number, else the head of a record. */
static enum parsed parse_single(struct dump *d, const char *word, bool alone)
{
	uint64_t value;

	if (riommu_parse_u64(word, &value) == 0 && value <= 0xfff)
		return alone || riommu_cause((unsigned)value) ? show_cause_value(d, &value, 1)
							      : NOT_MINE;
	if (strlen(word) >= 8 && parse_hex(word, &value))
		return show_record(d, &value, 1);
	return NOT_MINE;
}

static enum parsed parse_record(struct dump *d, const char *text, bool alone)
{
	char copy[TEXT_SIZE], *rest = copy, *word;
	char *words[4];
	uint64_t dw[4];
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&rest, " \t,"))) {
		if (!*word)
			continue;
		if (n == 4 || !parse_hex(word, &dw[n]))
			return NOT_MINE;
		words[n++] = word;
	}
	if (n == 1)
		return parse_single(d, words[0], alone);
	return n == 4 ? show_record(d, dw, n) : NOT_MINE;
}

/* -- the command ------------------------------------------------------------------------------------------------------ */

/* ALONE: the text is all there is; else it is a line among others, and what it looks like may be chance. */
static enum parsed explain_text(struct dump *d, const char *text, bool alone)
{
	enum parsed parsed = parse_log_line(d, text);

	if (parsed == NOT_MINE)
		parsed = parse_assignment(d, text, alone);
	if (parsed == NOT_MINE)
		parsed = parse_register_words(d, text);
	if (parsed == NOT_MINE)
		parsed = parse_record(d, text, alone);
	return parsed;
}

/* Ends LINE before what ends it in the text, and skips spaces before it. */
static char *trim(char *line)
{
	size_t len;

	line += strspn(line, " \t");
	len = strlen(line);
	while (len && isspace((unsigned char)line[len - 1]))
		line[--len] = '\0';
	return line;
}

static void explain_stream(struct dump *d)
{
	FILE *f = open_lines("-");
	char line[TEXT_SIZE];
	bool any = false;
	size_t len = 0;

	if (!f) {
		out_error(&d->out, -errno, "standard input: %s", strerror(errno));
		return;
	}
	while (read_line(f, line, sizeof(line), &len) && len < NO_LINE)
		any |= explain_text(d, trim(line), false) != NOT_MINE;
	if (len >= NO_LINE)
		out_error(&d->out, -EINVAL,
			  "standard input: a line of more than 64 MiB: this is no text");
	else if (ferror(f))
		out_error(&d->out, -errno, "standard input: %s", strerror(errno));
	else if (!any)
		out_error(&d->out, -EINVAL,
			  "standard input holds nothing that can be explained; %s", forms);
	fclose(f);
}

/* Several lines in one argument are several texts. True when one of them was understood. */
static bool explain_lines(struct dump *d, char *text)
{
	bool several = strchr(text, '\n') != NULL, any = false;
	char *line;

	while ((line = strsep(&text, "\n")))
		any |= explain_text(d, trim(line), !several) != NOT_MINE;
	return any;
}

static char *joined(int argc, char **argv)
{
	size_t size = 1;
	char *text;

	for (int i = 0; i < argc; i++)
		size += strlen(argv[i]) + 1;
	text = need(malloc(size));
	text[0] = '\0';
	for (int i = 0; i < argc; i++) {
		strcat(text, i ? " " : "");
		strcat(text, argv[i]);
	}
	return text;
}

/* An assignment with a space behind it is not one text: "ddtp=1 fqcsr=2". */
static bool are_assignments(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strchr(argv[i], '=') || strchr(argv[i], ' '))
			return false;
	return argc > 1;
}

static void explain_arguments(struct dump *d, int argc, char **argv)
{
	char *text;

	if (are_assignments(argc, argv)) {
		for (int i = 0; i < argc; i++)
			explain_text(d, argv[i], true);
		return;
	}
	text = joined(argc, argv); /* a log line without quotes comes as many words */
	if (!explain_lines(d, text))
		out_error(&d->out, -EINVAL, "this cannot be explained; %s", forms);
	free(text);
}

void dump_explain(struct dump *d, int argc, char **argv)
{
	out_begin(&d->out, DUMP_SCHEMA, NULL);
	out_list_begin(&d->out, "explained");
	if (argc == 0)
		out_error(&d->out, -EINVAL, "explain needs a text, or '-' for standard input; %s",
			  forms);
	else if (argc == 1 && strcmp(argv[0], "-") == 0)
		explain_stream(d);
	else
		explain_arguments(d, argc, argv);
	out_list_end(&d->out);
}
