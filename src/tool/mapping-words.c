/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A mapping as JSON and as text; counting them. */
#include "config.h"

#include "line.h"
#include "mapping-words.h"

#include <inttypes.h>

#define LINE_WIDTH   80
#define CONTINUATION 6 /* column where a line goes on that does not fit */

static const char *const kind_names[] = {
	[RIOMMU_MAPPING_LEAVES] = "leaves",         [RIOMMU_MAPPING_IDENTITY] = "identity",
	[RIOMMU_MAPPING_MSI_FLAT] = "msi_flat",     [RIOMMU_MAPPING_MSI_MRIF] = "msi_mrif",
	[RIOMMU_MAPPING_GUEST_ONLY] = "guest_only", [RIOMMU_MAPPING_MALFORMED] = "malformed",
	[RIOMMU_MAPPING_UNREADABLE] = "unreadable",
};

static const char *const memory_type_names[] = {
	[RIOMMU_PMA] = "pma", [RIOMMU_NC] = "nc", [RIOMMU_IO] = "io"};

bool mapping_is_everything(const struct riommu_mapping *m)
{
	return m->kind == RIOMMU_MAPPING_IDENTITY && m->last - m->iova == UINT64_MAX;
}

static bool leads_on(const struct riommu_mapping *m)
{
	return m->kind <= RIOMMU_MAPPING_MSI_MRIF;
}

const char *mapping_space_name(enum riommu_space_kind kind)
{
	static const char *const names[] = {
		[RIOMMU_SPACE_DEVICE] = "device",
		[RIOMMU_SPACE_PROCESS] = "process",
		[RIOMMU_SPACE_TRANSLATED] = "translated",
	};

	return names[kind];
}

const char *mapping_stages_name(bool first, bool second)
{
	return first && second ? "both" : first ? "first" : second ? "second" : "none";
}

/* -- JSON ------------------------------------------------------------------------------------------- */

struct json_object *mapping_space_json(const struct dump *d, const struct mapping_space *s)
{
	struct json_object *obj = json_object_new_object();
	const char *name =
		s->has_device ? riommu_system_device_name(d->sys, s->iommu, s->device_id) : NULL;

	json_add(obj, "iommu", json_hex(d->sys->iommus[s->iommu].base));
	json_add(obj, "device_id", s->has_device ? json_hex(s->device_id) : NULL);
	json_add(obj, "device", json_text(name));
	json_add(obj, "process_id", s->has_process ? json_hex(s->process_id) : NULL);
	json_add(obj, "space", json_text(s->space));
	json_add(obj, "stages", json_text(s->stages));
	return obj;
}

void mapping_space_begin(const struct dump *d, struct mapping_space *s)
{
	s->owner = mapping_space_json(d, s);
	s->json = json_plain(s->owner);
}

void mapping_space_end(struct mapping_space *s)
{
	json_object_put(s->owner);
	s->owner = NULL;
	s->json = NULL;
}

static void add_leaf_sizes(struct line *l, uint64_t sizes)
{
	const char *before = "";

	line_add(l, ",\"leaf_sizes\":[");
	for (; sizes; sizes &= sizes - 1) {
		line_add(l, before);
		line_add(l, "\"");
		line_hex(l, sizes & -sizes);
		line_add(l, "\"");
		before = ",";
	}
	line_add(l, "]");
}

static void add_blocked(struct line *l, uint8_t blocked)
{
	static const char *const bits[] = {"\"A\"", "\"D\"", "\"U\""};
	const char *before = "";

	line_add(l, ",\"blocked_by\":[");
	for (unsigned i = 0; i < RIOMMU_ARRAY_SIZE(bits); i++) {
		if (!riommu_bit(blocked, i))
			continue;
		line_add(l, before);
		line_add(l, bits[i]);
		before = ",";
	}
	line_add(l, "]");
}

/* Members that only some kinds have. */
static void add_own_members(struct line *l, const struct riommu_mapping *m)
{
	const char *reason =
		m->kind == RIOMMU_MAPPING_UNREADABLE ? dump_gap_reason(m->error) : m->reason;

	if (m->kind == RIOMMU_MAPPING_MALFORMED || m->kind == RIOMMU_MAPPING_MSI_FLAT ||
	    m->kind == RIOMMU_MAPPING_MSI_MRIF)
		line_hex_member(l, "address", true, m->address);
	if (m->kind == RIOMMU_MAPPING_UNREADABLE)
		line_hex_member(l, "missing", m->error != -EOVERFLOW, m->address);
	if (m->kind == RIOMMU_MAPPING_MSI_MRIF) {
		line_number_member(l, "notice_id", m->notice_id);
		line_hex_member(l, "notice_pa", true, m->notice_pa);
	}
	if (!leads_on(m))
		line_text_member(l, "reason", reason);
}

void mapping_print_json(const struct mapping_space *s, const struct riommu_mapping *m)
{
	struct line l;
	bool ends = leads_on(m), has_gpa = ends || m->kind == RIOMMU_MAPPING_GUEST_ONLY;

	line_begin(&l);
	line_word_member(&l, "kind", kind_names[m->kind]);
	line_hex_member(&l, "iova", !s->guest, m->iova);
	line_hex_member(&l, "gpa", s->guest || (s->has_gpa && has_gpa),
			s->guest ? m->iova : m->gpa);
	line_hex_member(&l, "pa", ends, m->pa);
	/* all 2^64 bytes are more than 64 bits can say */
	line_hex_member(&l, "size", m->last - m->iova != UINT64_MAX, m->last - m->iova + 1);
	if (ends) {
		line_add(&l, ",\"permissions\":\"");
		line_permissions(&l, m->permissions);
		line_add(&l, "\"");
	} else {
		line_word_member(&l, "permissions", NULL);
	}
	line_word_member(&l, "memory_type", ends ? memory_type_names[m->memory_type] : NULL);
	add_leaf_sizes(&l, m->leaf_sizes);
	line_number_member(&l, "leaves", m->leaves);
	add_blocked(&l, m->blocked);
	line_bool_member(&l, "global", m->global);
	add_own_members(&l, m);
	line_add(&l, "}");
	/* an object of the space, but for its closing brace, and then ours */
	fwrite(s->json, 1, strlen(s->json) - 1, stdout);
	fwrite(l.text, 1, l.len, stdout);
}

void mapping_item(struct out *out, const struct mapping_space *s, const struct riommu_mapping *m)
{
	out_item_begin(out);
	mapping_print_json(s, m);
}

/* -- text ------------------------------------------------------------------------------------------- */

const char *amount_words(uint64_t bytes, char *buf, size_t n)
{
	static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
	struct line l;
	size_t unit = 0;
	uint64_t rest = 0;
	bool exact;

	line_begin(&l);
	for (; bytes && bytes % 1024 == 0; bytes /= 1024)
		unit++;
	exact = bytes < 10000;
	for (; !exact && bytes >= 1024; bytes /= 1024, unit++)
		rest = bytes % 1024 * 10 / 1024;
	line_decimal(&l, bytes);
	if (!exact) {
		line_add(&l, ".");
		line_decimal(&l, rest);
	}
	line_add(&l, units[unit]);
	snprintf(buf, n, "%s", line_text(&l));
	return buf;
}

/*
 * A row of columns that are aligned where their contents are as wide as usual (addresses of 39 bits). A cell that is too wide moves
 * those behind it, and one that would end behind column 80 goes to a line of its own: 80 columns hold for the widest addresses, too.
 */
struct row {
	struct line line;
	size_t begin; /* of the last line, in `line` */
	size_t stop;  /* column where the next cell begins if nothing was too wide */
};

static void row_begin(struct row *r)
{
	r->line.len = 0;
	r->begin = 0;
	r->stop = 2;
}

static void add_padding(struct row *r, size_t column)
{
	while (r->line.len - r->begin < column && r->line.len < sizeof(r->line.text) - 1)
		r->line.text[r->line.len++] = ' ';
}

static void break_line(struct row *r)
{
	line_add(&r->line, "\n");
	r->begin = r->line.len;
	add_padding(r, CONTINUATION);
}

/* A cell at the next stop; the one after it is WIDTH and a space further. RIGHT: aligned to the right. */
static void add_cell(struct row *r, const char *text, size_t width, bool right)
{
	size_t len = strlen(text), column = r->line.len - r->begin;
	size_t at = column ? column + 1 : 0;

	/* a line that goes on has no columns */
	if (!r->begin && at < r->stop)
		at = r->stop;
	if (!r->begin && right && len < width && at + len <= r->stop + width)
		at = r->stop + width - len;
	r->stop += width + 1;
	if (at + len > LINE_WIDTH)
		break_line(r);
	else
		add_padding(r, at);
	line_add(&r->line, text);
}

static void row_end(struct row *r, FILE *f)
{
	line_add(&r->line, "\n");
	fwrite(r->line.text, 1, r->line.len, f);
}

enum {
	WIDTH_IOVA = 25,
	WIDTH_PA = 12,
	WIDTH_SIZE = 8,
	WIDTH_PERM = 4,
	WIDTH_TYPE = 4,
	WIDTH_LEAVES = 4
};

void mapping_print_columns(FILE *f, const struct mapping_space *s)
{
	struct row r;

	row_begin(&r);
	add_cell(&r, s->guest ? "GUEST PHYSICAL" : "IOVA", WIDTH_IOVA, false);
	if (s->has_gpa && !s->guest)
		add_cell(&r, "GPA", WIDTH_PA, false);
	add_cell(&r, "PA", WIDTH_PA, false);
	add_cell(&r, "SIZE", WIDTH_SIZE, true);
	add_cell(&r, "PERM", WIDTH_PERM, false);
	add_cell(&r, "TYPE", WIDTH_TYPE, false);
	add_cell(&r, "LEAF", WIDTH_LEAVES, false);
	row_end(&r, f);
}

static void add_address_cell(struct row *r, bool known, uint64_t v)
{
	struct line l;

	line_begin(&l);
	if (known)
		line_hex(&l, v);
	else
		line_add(&l, "-");
	add_cell(r, line_text(&l), WIDTH_PA, false);
}

static void add_range_cell(struct row *r, const struct riommu_mapping *m)
{
	struct line l;

	line_begin(&l);
	line_hex(&l, m->iova);
	line_add(&l, "-");
	line_hex(&l, m->last);
	add_cell(r, line_text(&l), WIDTH_IOVA, false);
}

/* "4K", "2M+1G". */
static void add_leaves_cell(struct row *r, const struct riommu_mapping *m)
{
	struct line l;
	uint64_t sizes = m->leaf_sizes;

	line_begin(&l);
	if (m->kind == RIOMMU_MAPPING_MSI_FLAT || m->kind == RIOMMU_MAPPING_MSI_MRIF)
		line_add(&l, "MSI");
	else if (!sizes)
		line_add(&l, "any");
	for (; sizes && m->kind == RIOMMU_MAPPING_LEAVES; sizes &= sizes - 1) {
		unsigned log2 = (unsigned)__builtin_ctzll(sizes);

		line_add(&l, l.len ? "+" : "");
		line_decimal(&l, (uint64_t)1 << log2 % 10);
		line_add(&l, &"B\0K\0M\0G\0T\0P\0E"[log2 / 10 * 2]);
	}
	add_cell(r, line_text(&l), WIDTH_LEAVES, false);
}

static void add_note_cells(struct row *r, const struct riommu_mapping *m)
{
	char text[64];

	if (m->blocked & RIOMMU_BLOCKED_A)
		add_cell(r, "A=0", 0, false);
	if (m->blocked & RIOMMU_BLOCKED_D)
		add_cell(r, "D=0", 0, false);
	if (m->blocked & RIOMMU_BLOCKED_U)
		add_cell(r, "U=0", 0, false);
	if (m->global)
		add_cell(r, "G", 0, false);
	if (m->kind == RIOMMU_MAPPING_IDENTITY)
		add_cell(r, "identity", 0, false);
	if (m->kind != RIOMMU_MAPPING_MSI_MRIF)
		return;
	snprintf(text, sizeof(text), "MRIF, notice %" PRIu32 " to 0x%" PRIx64, m->notice_id,
		 m->notice_pa);
	add_cell(r, text, 0, false);
}

static char mark_of(const struct mapping_space *s)
{
	return s->mark ? s->mark : ' ';
}

/* Where it does not lead to memory, the reason stands in place of the columns. */
static void print_nowhere(FILE *f, const struct mapping_space *s, const struct riommu_mapping *m)
{
	char text[400];
	int column;

	if (m->kind == RIOMMU_MAPPING_UNREADABLE && m->error == -EOVERFLOW)
		snprintf(text, sizeof(text), "not known: it %s", dump_gap_reason(m->error));
	else if (m->kind == RIOMMU_MAPPING_UNREADABLE)
		snprintf(text, sizeof(text), "not known: the table at 0x%" PRIx64 " %s", m->address,
			 dump_gap_reason(m->error));
	else if (m->kind == RIOMMU_MAPPING_MALFORMED)
		snprintf(text, sizeof(text), "malformed, can only fault: %s (at 0x%" PRIx64 "%s)",
			 m->reason ? m->reason : "", m->address, m->leaves > 1 ? " and on" : "");
	else if (s->guest)
		snprintf(text, sizeof(text), "leads nowhere: %s", m->reason ? m->reason : "");
	else
		snprintf(text, sizeof(text), "leads to guest physical 0x%" PRIx64 ": %s", m->gpa,
			 m->reason ? m->reason : "");
	column = fprintf(f, "%c 0x%" PRIx64 "-0x%" PRIx64, mark_of(s), m->iova, m->last);
	print_wrapped(f, text, column > 0 ? (size_t)column : 0, 2 + WIDTH_IOVA + 1);
}

void mapping_print(FILE *f, const struct mapping_space *s, const struct riommu_mapping *m)
{
	struct row r;
	char size[32];
	uint64_t bytes = m->last - m->iova + 1;
	struct line permissions;

	line_begin(&permissions);
	if (mapping_is_everything(m)) {
		fprintf(f,
			"%c identity, reaches everything: no stage limits it, addresses pass as "
			"they are\n",
			mark_of(s));
		return;
	}
	if (!leads_on(m)) {
		print_nowhere(f, s, m);
		return;
	}
	row_begin(&r);
	add_range_cell(&r, m);
	if (s->has_gpa && !s->guest)
		add_address_cell(&r, true, m->gpa);
	add_address_cell(&r, true, m->pa);
	add_cell(&r, amount_words(bytes, size, sizeof(size)), WIDTH_SIZE, true);
	line_permissions(&permissions, m->permissions);
	add_cell(&r, line_text(&permissions), WIDTH_PERM, false);
	add_cell(&r, memory_type_names[m->memory_type], WIDTH_TYPE, false);
	add_leaves_cell(&r, m);
	add_note_cells(&r, m);
	r.line.text[0] = mark_of(s);
	row_end(&r, f);
}

/* -- counting --------------------------------------------------------------------------------------- */

void mapping_count(struct mapping_count *c, const struct riommu_mapping *m)
{
	c->any = true;
	c->ranges += m->kind == RIOMMU_MAPPING_LEAVES;
	c->blocked |= m->blocked;
	if (m->kind == RIOMMU_MAPPING_IDENTITY)
		c->identity = true;
	if (m->kind == RIOMMU_MAPPING_MALFORMED)
		c->malformed++;
	if (m->kind == RIOMMU_MAPPING_GUEST_ONLY)
		c->guest_only++;
	/* what the limit kept from being read is told by the totals */
	if (m->kind != RIOMMU_MAPPING_UNREADABLE || m->error == -EOVERFLOW)
		return;
	if (!c->unreadable++) {
		c->address = m->address;
		c->error = m->error;
	}
	c->refused |= m->error == -EACCES || m->error == -EPERM;
}

void mapping_count_add(struct mapping_count *sum, const struct mapping_count *c)
{
	struct riommu_mapping_totals *t = &sum->totals;

	sum->ranges += c->ranges;
	t->leaves += c->totals.leaves;
	if (!riommu_add(t->bytes, c->totals.bytes, &t->bytes))
		t->bytes = UINT64_MAX;
	t->pages += c->totals.pages;
	t->entered += c->totals.entered;
	t->loops += c->totals.loops;
	t->truncated |= c->totals.truncated;
	sum->any |= c->any;
	sum->identity |= c->identity;
	sum->malformed += c->malformed;
	sum->guest_only += c->guest_only;
	if (!sum->unreadable) {
		sum->address = c->address;
		sum->error = c->error;
	}
	sum->unreadable += c->unreadable;
	sum->blocked |= c->blocked;
	sum->refused |= c->refused;
}

static void add_count(struct json_object *obj, const char *key, uint64_t v)
{
	json_add(obj, key, json_object_new_int64(v > INT64_MAX ? INT64_MAX : (int64_t)v));
}

void mapping_count_json(struct json_object *obj, const struct mapping_count *c)
{
	add_count(obj, "ranges", c->ranges);
	add_count(obj, "leaves", c->totals.leaves);
	json_add(obj, "bytes", json_hex(c->totals.bytes));
	add_count(obj, "malformed", c->malformed);
	add_count(obj, "guest_only", c->guest_only);
	add_count(obj, "unreadable", c->unreadable);
	add_count(obj, "table_pages", c->totals.pages);
	add_count(obj, "loops", c->totals.loops);
	json_add(obj, "truncated", json_object_new_boolean(c->totals.truncated));
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void RIOMMU_PRINTF(3, 4) print_note(FILE *f, int indent, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	print_wrapped(f, text, 0, (size_t)indent);
}

void mapping_print_warnings(FILE *f, const struct mapping_count *c, int indent)
{
	if (c->malformed)
		print_note(f, indent,
			   "warning: %" PRIu64
			   " malformed range%s: entries that are valid and can only "
			   "fault",
			   c->malformed, plural(c->malformed));
	if (c->guest_only)
		print_note(f, indent,
			   "warning: %" PRIu64
			   " range%s that only the first stage maps: requests end in "
			   "guest page faults",
			   c->guest_only, plural(c->guest_only));
	if (c->totals.loops)
		print_note(f, indent,
			   "warning: tables lead back to themselves, %" PRIu64
			   " time%s: the IOMMU follows that all the same",
			   c->totals.loops, plural(c->totals.loops));
	if (c->unreadable)
		print_note(f, indent, "not complete: %" PRIu64 " range%s could not be read",
			   c->unreadable, plural(c->unreadable));
	if (c->totals.truncated)
		print_note(f, indent, "not complete: the limit of table pages was reached");
}

void mapping_print_count(FILE *f, const struct mapping_count *c, int indent)
{
	char bytes[32];

	if (!c->any && !c->totals.truncated)
		print_note(f, indent, "nothing is mapped");
	if (!c->identity || c->ranges)
		print_note(f, indent,
			   "%" PRIu64 " range%s, %" PRIu64 " lea%s, %s%s; %" PRIu64 " table page%s",
			   c->ranges, plural(c->ranges), c->totals.leaves,
			   c->totals.leaves == 1 ? "f" : "ves",
			   c->totals.bytes == UINT64_MAX ? "more than " : "",
			   amount_words(c->totals.bytes, bytes, sizeof(bytes)), c->totals.pages,
			   plural(c->totals.pages));
	if (c->blocked & RIOMMU_BLOCKED_A)
		print_note(f, indent, "A=0: requests fault until software sets the bit");
	if (c->blocked & RIOMMU_BLOCKED_D)
		print_note(f, indent, "D=0: writes fault until software sets the bit");
	if (c->blocked & RIOMMU_BLOCKED_U)
		print_note(f, indent,
			   "U=0: requests without supervisor privilege fault; without a process_id "
			   "none "
			   "has it");
	mapping_print_warnings(f, c, indent);
}

void mapping_report(struct out *out, const struct mapping_count *c, const char *whose)
{
	if (c->unreadable)
		out_error(out, dump_gap_error(c->refused ? -EACCES : c->error),
			  "%s: %" PRIu64 " range%s could not be read; the table at 0x%" PRIx64
			  " %s",
			  whose, c->unreadable, plural(c->unreadable), c->address,
			  dump_gap_reason(c->error));
	if (c->totals.truncated)
		out_error(out, -EBADMSG,
			  "%s: more than %s table pages, which loops may be the reason of: the "
			  "rest is "
			  "not shown; -O max-pages=N sets the limit",
			  whose, riommu_option(out->ctx, "max-pages"));
}
