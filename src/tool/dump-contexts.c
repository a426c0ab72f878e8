/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump devices, processes: device and process contexts. Lists stream: a directory may hold 2^24 of them. */
#include "config.h"

#include "dump.h"
#include "line.h"

#include <inttypes.h>
#include <stdlib.h>

#define ROWS_AT_ONCE 1024 /* of a text table; the next ones come in a table of their own */
#define GAPS_TOLD    32 /* directory pages that cannot be read, one by one; the rest as a number */

/* What is known about one id. */
enum context_state {
	CONTEXT_VALID,
	CONTEXT_NOT_VALID,
	CONTEXT_MISCONFIGURED,
	CONTEXT_NONE,
	CONTEXT_UNKNOWN
};

static const char *const state_names[] = {
	[CONTEXT_VALID] = "valid",
	[CONTEXT_NOT_VALID] = "not valid",
	[CONTEXT_MISCONFIGURED] = "misconfigured",
	[CONTEXT_NONE] = "no context",
	[CONTEXT_UNKNOWN] = "unknown",
};

/* A list under way: of an IOMMU's devices, or of a device's processes. */
struct listing {
	struct dump *d;
	size_t iommu;
	struct riommu_walker walker;
	const struct riommu_dc *dc; /* processes: whose */

	const char *const *columns;
	size_t column_count;
	struct table *table;
	size_t rows, total;
	uint64_t visited; /* contexts */

	/* Devices that the machine has, by ascending id, and the first that the directory has not yet reached */
	const struct riommu_device *devices;
	size_t device_count, next;
	enum context_state absent; /* what one is that the directory does not hold */

	/* Ids that a directory page would hold which could not be read; neighbours are told together */
	struct riommu_dc_visit gap;
	bool in_gap;
	unsigned gaps;
};

/* -- rows -------------------------------------------------------------------------------------- */

static void flush_table(struct listing *l)
{
	if (l->table)
		table_print_free(l->table, stdout);
	l->table = NULL;
	l->rows = 0;
}

static void add_row(struct listing *l, const char *const *cells)
{
	if (l->rows == ROWS_AT_ONCE)
		flush_table(l);
	if (!l->table)
		l->table = table_new(l->columns, l->column_count);
	table_row(l->table, cells);
	l->rows++;
	l->total++;
}

static const char *or_reserved(const char *name)
{
	return name ? name : "reserved";
}

static bool has_second_stage(const struct riommu_dc *dc)
{
	return dc->dw[RIOMMU_DC_IOHGATP] >> 60 != RIOMMU_HGATP_BARE;
}

static bool has_msi(const struct riommu_dc *dc)
{
	return dc->dwords == RIOMMU_DC_DWORDS &&
	       dc->dw[RIOMMU_DC_MSIPTP] >> 60 != RIOMMU_MSIPTP_OFF;
}

static const char *first_stage(const struct riommu_dc *dc)
{
	return riommu_fsc_mode_name(dc->dw[RIOMMU_DC_FSC], dc->dw[RIOMMU_DC_TC], false);
}

/* ta.PSCID is used by a first stage of the device itself only (facts 2.3). */
static bool has_pscid(const struct riommu_dc *dc)
{
	return !(dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_PDTV) &&
	       dc->dw[RIOMMU_DC_FSC] >> 60 != RIOMMU_FSC_BARE;
}

/* "Sv39 over Sv48x4", or the one stage that there is; "Bare" without any. FIRST: the name of a mode; NULL: reserved. */
static void two_stages_text(const char *first, bool has_first, const char *second, bool has_second,
			    char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", has_first || !has_second ? or_reserved(first) : "",
		 has_first && has_second ? " over " : "", has_second ? or_reserved(second) : "");
}

/* "Bare", "Sv57", "Sv39x4", "Sv39 over Sv48x4", "PD20", and "+ MSI" where interrupts are redirected. */
static void stages_text(const struct listing *l, const struct riommu_dc *dc, char *text,
			size_t size)
{
	size_t used;

	two_stages_text(first_stage(dc), dc->dw[RIOMMU_DC_FSC] >> 60 != RIOMMU_FSC_BARE,
			riommu_hgatp_mode_name(dc->dw[RIOMMU_DC_IOHGATP], l->walker.fctl),
			has_second_stage(dc), text, size);
	used = strlen(text);
	snprintf(text + used, size - used, "%s", has_msi(dc) ? " + MSI" : "");
}

/* The names of the flags that are set in VALUE, but not those in EXCEPT. */
static void flags_text(const struct riommu_layout *layout, uint64_t value, uint64_t except,
		       char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < layout->count; i++) {
		const struct riommu_field *f = &layout->fields[i];

		if (f->kind != RIOMMU_FIELD_FLAG || riommu_bit(except, f->lo) ||
		    !riommu_field_get(f, value) || used >= size)
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "",
					 f->name);
	}
}

/* Where nobody has written yet. */
static bool is_empty(const struct riommu_dc *dc)
{
	for (unsigned i = 0; i < dc->dwords; i++)
		if (dc->dw[i])
			return false;
	return true;
}

static enum context_state dc_state(const struct riommu_walker *w, const struct riommu_dc *dc,
				   const char **wrong, unsigned *rule)
{
	*rule = 0;
	*wrong = NULL;
	if (is_empty(dc))
		return CONTEXT_NONE;
	if (!(dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_V))
		return CONTEXT_NOT_VALID;
	*wrong = riommu_dc_misconfigured(w, dc, rule);
	return *wrong ? CONTEXT_MISCONFIGURED : CONTEXT_VALID;
}

/* With V=0 everything else is software's and no stage means anything. */
static bool has_stages(enum context_state state)
{
	return state == CONTEXT_VALID || state == CONTEXT_MISCONFIGURED;
}

/* -- one device -------------------------------------------------------------------------------- */

static const char *const device_columns[] = {"DEVICE_ID", "NAME",   "DRIVER", "STATE", "STAGES",
					     ">PSCID",    ">GSCID", "FLAGS",  "NOTE"};

static const char *or_null(const char *text)
{
	return text && text[0] ? text : NULL;
}

static void dc_row(struct listing *l, const struct riommu_dc *dc,
		   const struct riommu_device *device)
{
	const char *wrong;
	unsigned rule;
	enum context_state state = dc_state(&l->walker, dc, &wrong, &rule);
	char id[16], stages[48], pscid[16], gscid[16], flags[96], note[256] = "";

	snprintf(id, sizeof(id), "0x%" PRIx32, dc->device_id);
	stages_text(l, dc, stages, sizeof(stages));
	snprintf(pscid, sizeof(pscid), "%u", (unsigned)riommu_bits(dc->dw[RIOMMU_DC_TA], 31, 12));
	snprintf(gscid, sizeof(gscid), "%u",
		 (unsigned)riommu_bits(dc->dw[RIOMMU_DC_IOHGATP], 59, 44));
	flags_text(riommu_layout_dc(RIOMMU_DC_TC, 0, 0), dc->dw[RIOMMU_DC_TC],
		   RIOMMU_TC_V | RIOMMU_TC_PDTV, flags, sizeof(flags));
	if (wrong)
		snprintf(note, sizeof(note), "rule %u: %s", rule, wrong);
	else if (state == CONTEXT_NOT_VALID)
		snprintf(note, sizeof(note), "tc.V is 0, but the context is not empty");
	add_row(l, (const char *const[]){
			   id, device ? device->name : NULL,
			   device ? or_null(device->driver) : NULL, state_names[state],
			   has_stages(state) ? stages : NULL, has_pscid(dc) ? pscid : NULL,
			   has_second_stage(dc) ? gscid : NULL, or_null(flags), or_null(note)});
}

static const char *const dc_keys[RIOMMU_DC_DWORDS] = {
	[RIOMMU_DC_TC] = "tc",
	[RIOMMU_DC_IOHGATP] = "iohgatp",
	[RIOMMU_DC_TA] = "ta",
	[RIOMMU_DC_FSC] = "fsc",
	[RIOMMU_DC_MSIPTP] = "msiptp",
	[RIOMMU_DC_MSI_ADDR_MASK] = "msi_addr_mask",
	[RIOMMU_DC_MSI_ADDR_PATTERN] = "msi_addr_pattern",
	[RIOMMU_DC_RESERVED] = "reserved",
};

/* What JSON says about every device; where there is a context (DC), dc_members() adds what it says. */
static void device_members(struct line *t, const struct listing *l, uint32_t device_id,
			   const struct riommu_device *device, enum context_state state,
			   const struct riommu_dc *dc)
{
	line_hex_member(t, "iommu", true, l->d->sys->iommus[l->iommu].base);
	line_hex_member(t, "device_id", true, device_id);
	line_text_member(t, "name", device ? or_null(device->name) : NULL);
	line_text_member(t, "driver", device ? or_null(device->driver) : NULL);
	line_text_member(t, "group", device ? or_null(device->group) : NULL);
	line_text_member(t, "domain_type", device ? or_null(device->domain_type) : NULL);
	line_word_member(t, "state", state_names[state]);
	line_hex_member(t, "address", dc, dc ? dc->address : 0);
	if (state == CONTEXT_UNKNOWN)
		line_word_member(t, "valid", NULL);
	else
		line_bool_member(t, "valid", has_stages(state));
}

static void layout_member(struct line *t, const char *key, const struct riommu_layout *layout,
			  uint64_t value)
{
	size_t begin;

	line_key(t, key);
	begin = line_object_begin(t);
	line_layout(t, layout, value);
	line_object_end(t, begin);
}

static void dc_members(struct line *t, const struct listing *l, const struct riommu_dc *dc)
{
	uint64_t tc = dc->dw[RIOMMU_DC_TC], iohgatp = dc->dw[RIOMMU_DC_IOHGATP];

	line_word_member(t, "first_stage", first_stage(dc));
	line_word_member(t, "second_stage", riommu_hgatp_mode_name(iohgatp, l->walker.fctl));
	line_hex_member(t, "pscid", has_pscid(dc), riommu_bits(dc->dw[RIOMMU_DC_TA], 31, 12));
	line_hex_member(t, "gscid", has_second_stage(dc), riommu_bits(iohgatp, 59, 44));
	for (unsigned i = 0; i < dc->dwords; i++)
		layout_member(t, dc_keys[i], riommu_layout_dc(i, tc, l->walker.fctl), dc->dw[i]);
}

static void device_line(struct line *t, const struct listing *l, uint32_t device_id,
			const struct riommu_device *device, enum context_state state)
{
	size_t begin;

	line_begin(t);
	begin = line_object_begin(t);
	device_members(t, l, device_id, device, state, NULL);
	line_object_end(t, begin);
}

static void dc_line(struct line *t, const struct listing *l, const struct riommu_dc *dc,
		    const struct riommu_device *device)
{
	const char *wrong;
	unsigned rule;
	enum context_state state = dc_state(&l->walker, dc, &wrong, &rule);
	size_t begin;

	line_begin(t);
	begin = line_object_begin(t);
	device_members(t, l, dc->device_id, device, state, dc);
	line_word_member(t, "misconfigured", wrong);
	if (rule)
		line_number_member(t, "rule", rule);
	else
		line_word_member(t, "rule", NULL);
	dc_members(t, l, dc);
	line_object_end(t, begin);
}

static void print_item(const struct listing *l, const struct line *t)
{
	out_item_text(&l->d->out, t->text, t->len);
}

static void dc_item(const struct listing *l, const struct riommu_dc *dc,
		    const struct riommu_device *device)
{
	struct line t;

	dc_line(&t, l, dc, device);
	print_item(l, &t);
}

static void device_item(const struct listing *l, uint32_t device_id,
			const struct riommu_device *device, enum context_state state)
{
	struct line t;

	device_line(&t, l, device_id, device, state);
	print_item(l, &t);
}

static void show_dc(struct listing *l, const struct riommu_dc *dc,
		    const struct riommu_device *device)
{
	if (in_json(&l->d->out))
		dc_item(l, dc, device);
	else
		dc_row(l, dc, device);
}

/* Whether there is a directory, and what the IOMMU does with requests, is written down nowhere then. */
static bool is_undefined_mode(const struct listing *l)
{
	return riommu_bits(l->walker.ddtp, 3, 0) > RIOMMU_DDTP_3LVL;
}

bool dump_mode_defined(struct dump *d, size_t iommu, uint64_t ddtp)
{
	unsigned mode = (unsigned)riommu_bits(ddtp, 3, 0);

	if (mode <= RIOMMU_DDTP_3LVL)
		return true;
	out_error(&d->out, -EBADMSG,
		  "%s: ddtp.iommu_mode is 0x%x, a reserved or custom encoding: whether there is a "
		  "device directory is not defined",
		  d->sys->iommus[iommu].name, mode);
	return false;
}

static const char *absent_note(const struct listing *l, enum context_state state)
{
	unsigned mode = (unsigned)riommu_bits(l->walker.ddtp, 3, 0);

	if (is_undefined_mode(l))
		return "ddtp.iommu_mode is reserved or custom";
	if (state == CONTEXT_UNKNOWN)
		return "its part of the directory could not be read";
	if (mode == RIOMMU_DDTP_OFF)
		return "ddtp is Off: every request is refused";
	if (mode == RIOMMU_DDTP_BARE)
		return "ddtp is Bare: requests pass untranslated";
	return "every request is refused (cause 258, 259 or 260)";
}

/* A device of the machine that the directory says nothing about. */
static void show_absent(struct listing *l, const struct riommu_device *device,
			enum context_state state)
{
	char id[16];

	if (in_json(&l->d->out)) {
		device_item(l, device->device_id, device, state);
		return;
	}
	snprintf(id, sizeof(id), "0x%" PRIx32, device->device_id);
	add_row(l,
		(const char *const[]){id, device->name, or_null(device->driver), state_names[state],
				      NULL, NULL, NULL, NULL, absent_note(l, state)});
}

/* -- all devices of an IOMMU ------------------------------------------------------------------- */

/* The system has them by IOMMU, id and name. */
static void find_devices(struct listing *l)
{
	const struct riommu_system *sys = l->d->sys;

	for (size_t i = 0; i < sys->device_count; i++) {
		if (sys->devices[i].iommu != l->iommu)
			continue;
		if (!l->device_count++)
			l->devices = &sys->devices[i];
	}
}

/* Shows the devices of the machine before ID, which the directory has passed by. */
static void catch_up(struct listing *l, uint64_t id, enum context_state state)
{
	while (l->next < l->device_count && l->devices[l->next].device_id < id)
		show_absent(l, &l->devices[l->next++], state);
}

/* The context of all devices called ID: several where a bridge makes the requests behind it its own. */
static void show_dc_of_all(struct listing *l, const struct riommu_dc *dc)
{
	size_t first = l->next;

	while (l->next < l->device_count && l->devices[l->next].device_id == dc->device_id)
		show_dc(l, dc, &l->devices[l->next++]);
	if (l->next == first)
		show_dc(l, dc, NULL);
}

const char *dump_gap_reason(int error)
{
	switch (error) {
	case -ENODATA:
		return "is not in this source";
	case -EBADMSG:
		return "has reserved bits set (misconfigured)";
	case -ELOOP:
		return "was listed already: several entries lead to it";
	case -EFAULT:
		return "is not there: no memory, or not mapped by the second stage";
	case -EHWPOISON:
		return "answers \"data corruption\"";
	case -EACCES:
		return "may not be read";
	case -EOVERFLOW:
		return "was not read: the limit of table pages (-O max-pages) was reached";
	default:
		return strerror(-error);
	}
}

/* What the directory itself says wrongly is damaged data, not an error of ours. */
int dump_gap_error(int error)
{
	return error == -EFAULT || error == -EHWPOISON || error == -ELOOP ? -EBADMSG : error;
}

static void tell_gap(struct listing *l)
{
	const struct riommu_dc_visit *g = &l->gap;
	const char *what = l->dc ? "process_id" : "device_id";

	if (!l->in_gap)
		return;
	l->in_gap = false;
	if (l->gaps++ >= GAPS_TOLD)
		return;
	out_error(&l->d->out, dump_gap_error(g->error),
		  "%s: %s 0x%" PRIx32 "..0x%" PRIx32 ": %s at 0x%" PRIx64 " %s",
		  l->d->sys->iommus[l->iommu].name, what, g->first_id, g->last_id,
		  g->error == -EBADMSG ? "the directory entry" : "the directory page", g->address,
		  dump_gap_reason(g->error));
}

static void add_gap(struct listing *l, uint32_t first_id, uint32_t last_id, uint64_t address,
		    int error)
{
	struct riommu_dc_visit *g = &l->gap;

	if (l->in_gap && g->error == error && g->last_id + 1 == first_id && g->address == address) {
		g->last_id = last_id;
		return;
	}
	tell_gap(l);
	*g = (struct riommu_dc_visit){
		.first_id = first_id, .last_id = last_id, .address = address, .error = error};
	l->in_gap = true;
}

static void end_gaps(struct listing *l)
{
	tell_gap(l);
	if (l->gaps > GAPS_TOLD)
		out_error(&l->d->out, -ENODATA, "%s: %u more places of the directory were left out",
			  l->d->sys->iommus[l->iommu].name, l->gaps - GAPS_TOLD);
}

/* Whether the visit that returned ERR was one of all there is. Where it was not, no id is known to have no context. */
static bool visited(struct listing *l, int err)
{
	if (!err)
		return true;
	l->absent = CONTEXT_UNKNOWN;
	out_error(&l->d->out, err, "%s: the %s directory was not read whole: %s",
		  l->d->sys->iommus[l->iommu].name, l->dc ? "process" : "device", strerror(-err));
	return false;
}

static int list_dc(void *arg, const struct riommu_dc_visit *v)
{
	struct listing *l = arg;

	catch_up(l, v->first_id, l->absent);
	if (v->dc) {
		show_dc_of_all(l, v->dc);
		progress("devices", ++l->visited);
		return 0;
	}
	catch_up(l, (uint64_t)v->last_id + 1,
		 v->error == -EBADMSG ? CONTEXT_NONE : CONTEXT_UNKNOWN);
	add_gap(l, v->first_id, v->last_id, v->address, v->error);
	return 0;
}

static void print_heading(const struct listing *l)
{
	const struct riommu_iommu *iommu = &l->d->sys->iommus[l->iommu];
	const char *mode = riommu_ddtp_mode_name(l->walker.ddtp);

	printf("%s at 0x%" PRIx64 ", mode %s, device contexts of %u bytes\n", iommu->name,
	       iommu->base, or_reserved(mode),
	       l->walker.capabilities & RIOMMU_CAP_MSI_FLAT ? 64 : 32);
}

static void list_devices(struct dump *d, size_t iommu)
{
	struct listing l = {
		.d = d,
		.iommu = iommu,
		.columns = device_columns,
		.column_count = RIOMMU_ARRAY_SIZE(device_columns),
		.absent = CONTEXT_NONE,
	};
	const char *missing;
	bool walkable = dump_walker(d, iommu, &l.walker, &missing);

	walkable = walkable && dump_mode_defined(d, iommu, l.walker.ddtp);
	if (!walkable)
		l.absent = CONTEXT_UNKNOWN; /* what the machine has can be told all the same */
	else if (!in_json(&d->out))
		print_heading(&l);
	find_devices(&l);
	if (walkable)
		walkable = visited(&l, riommu_visit_dcs(&l.walker, list_dc, &l));
	catch_up(&l, UINT64_MAX, l.absent);
	flush_table(&l);
	progress_end();
	if (walkable && !in_json(&d->out) && !l.total)
		printf("no device contexts, and no devices are known\n");
	if (walkable && !in_json(&d->out) && dump_zero_root(d, l.walker.ddtp))
		print_wrapped(stdout, DUMP_ZERO_ROOT, 0, 0);
	end_gaps(&l);
}

/* -- one device, in full ----------------------------------------------------------------------- */

/* The next device with the id of DEVICE: the system lists them by id. NULL when there is none. */
static const struct riommu_device *next_alias(const struct dump *d,
					      const struct riommu_device *device)
{
	const struct riommu_device *next = device ? device + 1 : NULL;

	return next && next < d->sys->devices + d->sys->device_count &&
			       next->iommu == device->iommu && next->device_id == device->device_id
		       ? next
		       : NULL;
}

static void print_aliases(const struct listing *l, const struct riommu_device *device)
{
	for (device = next_alias(l->d, device); device; device = next_alias(l->d, device))
		printf("  also the device_id of %s, driver %s\n", device->name,
		       device->driver[0] ? device->driver : "none");
}

static void print_dword(const struct riommu_layout *layout, const char *name, uint64_t value)
{
	printf("  %s = 0x%" PRIx64 "  %s\n", name, value, layout->doc);
	print_layout(stdout, layout, value, 4, true);
}

static void print_dc(const struct listing *l, const struct riommu_dc *dc,
		     const struct riommu_device *device)
{
	const char *wrong;
	unsigned rule;
	enum context_state state = dc_state(&l->walker, dc, &wrong, &rule);
	char label[96], stages[48];

	stages_text(l, dc, stages, sizeof(stages));
	printf("%s on %s: %s%s%s, at 0x%" PRIx64 "\n",
	       dump_device_label(l->d, l->iommu, dc->device_id, label, sizeof(label)),
	       l->d->sys->iommus[l->iommu].name, state_names[state], has_stages(state) ? ", " : "",
	       has_stages(state) ? stages : "", dc->address);
	if (wrong)
		printf("  misconfigured, rule %u: %s\n", rule, wrong);
	if (device && (device->driver[0] || device->group[0]))
		printf("  driver %s, group %s %s\n", device->driver[0] ? device->driver : "none",
		       device->group[0] ? device->group : "-", device->domain_type);
	print_aliases(l, device);
	if (state == CONTEXT_NONE)
		printf("  all zero: %s\n", absent_note(l, state));
	for (unsigned i = 0; i < dc->dwords && state != CONTEXT_NONE; i++)
		print_dword(riommu_layout_dc(i, dc->dw[RIOMMU_DC_TC], l->walker.fctl), dc_keys[i],
			    dc->dw[i]);
}

static void print_no_dc(const struct listing *l, const char *label, enum riommu_result result,
			const struct riommu_translation *t)
{
	const char *iommu = l->d->sys->iommus[l->iommu].name;
	char text[500];

	if (result == RIOMMU_FAULT)
		snprintf(text, sizeof(text), "%s on %s: no context: cause %u, %s: %s", label, iommu,
			 t->cause, riommu_cause_name(t->cause), t->reason ? t->reason : "");
	else if (result == RIOMMU_OK)
		snprintf(text, sizeof(text), "%s on %s: no context: %s", label, iommu,
			 absent_note(l, CONTEXT_NONE));
	else
		return;
	print_wrapped(stdout, text, 0, 0);
}

/* The walk ended before a context. That is the answer for a device that is blocked, and missing data otherwise. */
static void no_dc(struct listing *l, uint32_t device_id, const struct riommu_device *device,
		  enum riommu_result result, const struct riommu_translation *t)
{
	enum context_state state = result == RIOMMU_UNKNOWN ? CONTEXT_UNKNOWN : CONTEXT_NONE;
	char label[96];

	dump_device_label(l->d, l->iommu, device_id, label, sizeof(label));
	if (!in_json(&l->d->out))
		print_no_dc(l, label, result, t);
	else if (!l->dc) /* a list of processes holds no device */
		device_item(l, device_id, device, state);
	if (dump_mode_defined(l->d, l->iommu, l->walker.ddtp) && result == RIOMMU_UNKNOWN)
		out_error(&l->d->out, dump_gap_error(t->error),
			  "%s: the entry at 0x%" PRIx64 " on the way to its context %s", label,
			  t->missing, dump_gap_reason(t->error));
}

/*
 * Finds the context of a device, whatever tc.V says. False, after saying why, when there is none. With ddtp Off or Bare
 * there is no directory, so that question ends here.
 */
static bool locate(struct listing *l, uint32_t device_id, struct riommu_dc *dc)
{
	unsigned mode = (unsigned)riommu_bits(l->walker.ddtp, 3, 0);
	const struct riommu_device *device = riommu_system_device(l->d->sys, l->iommu, device_id);
	struct riommu_translation t = {0};
	enum riommu_result result = RIOMMU_OK;

	if (mode != RIOMMU_DDTP_OFF && mode != RIOMMU_DDTP_BARE) {
		result = riommu_locate_dc(&l->walker, device_id, dc, &t, NULL);
		if (result == RIOMMU_OK)
			return true;
	}
	no_dc(l, device_id, device, result, &t);
	return false;
}

static void show_device(struct dump *d, const char *text)
{
	struct listing l = {.d = d};
	const struct riommu_device *device;
	struct riommu_device_ref ref;
	struct riommu_dc dc;
	const char *missing;

	if (!dump_device(d, text, &ref))
		return;
	l.iommu = ref.iommu;
	if (!dump_walker(d, ref.iommu, &l.walker, &missing) || !locate(&l, ref.device_id, &dc))
		return;
	device = riommu_system_device(d->sys, ref.iommu, ref.device_id);
	if (!in_json(&d->out))
		print_dc(&l, &dc, device);
	else
		do
			dc_item(&l, &dc, device);
		while ((device = next_alias(d, device)));
}

void dump_devices(struct dump *d, int argc, char **argv)
{
	size_t index = 0;

	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	dump_iommus(d);
	out_list_begin(&d->out, "devices");
	for (int i = 0; i < argc; i++) {
		if (i && !in_json(&d->out))
			putchar('\n');
		show_device(d, argv[i]);
	}
	for (bool first = true; !argc && dump_next_iommu(d, &index); index++, first = false) {
		if (!first && !in_json(&d->out))
			putchar('\n');
		list_devices(d, index);
	}
	out_list_end(&d->out);
}

/* -- for other commands ------------------------------------------------------------------------ */

void dump_space_stages(const struct riommu_walker *w, const struct riommu_space *s,
		       bool second_only, struct dump_stages *stages)
{
	uint64_t tc = s->dc.dw[RIOMMU_DC_TC], fsc = s->dc.dw[RIOMMU_DC_FSC];
	bool processes = tc & RIOMMU_TC_PDTV, translated = s->kind == RIOMMU_SPACE_TRANSLATED;

	/* without a context of a process, requests pass the first stage of a device that has processes */
	if (second_only || translated || (processes && !s->has_pc))
		fsc = 0;
	else if (s->has_pc)
		fsc = s->pc.fsc;
	stages->first = fsc >> 60 != RIOMMU_FSC_BARE;
	stages->second = has_second_stage(&s->dc) && (!translated || (tc & RIOMMU_TC_T2GPA));
	two_stages_text(riommu_fsc_mode_name(fsc, tc, true), stages->first,
			riommu_hgatp_mode_name(s->dc.dw[RIOMMU_DC_IOHGATP], w->fctl),
			stages->second, stages->text, sizeof(stages->text));
}

/* Says in text what keeps the requests of a device whose context was found; true when nothing does. */
static bool is_in_use(const struct listing *l, const struct riommu_dc *dc)
{
	const char *wrong;
	unsigned rule;
	enum context_state state = dc_state(&l->walker, dc, &wrong, &rule);
	char label[96], why[300], text[500];

	if (state == CONTEXT_VALID)
		return true;
	if (wrong)
		snprintf(why, sizeof(why), "rule %u: %s: every request is refused (cause 259)",
			 rule, wrong);
	else
		snprintf(why, sizeof(why), "tc.V is 0: every request is refused (cause 258)");
	snprintf(text, sizeof(text), "%s on %s: %s: %s",
		 dump_device_label(l->d, l->iommu, dc->device_id, label, sizeof(label)),
		 l->d->sys->iommus[l->iommu].name, state_names[state], why);
	if (!in_json(&l->d->out))
		print_wrapped(stdout, text, 0, 0);
	return false;
}

static enum dump_place_state find_place(struct listing *l, const char *text,
					struct dump_place *place)
{
	struct riommu_device_ref ref;
	const char *missing;

	if (!dump_device(l->d, text, &ref))
		return DUMP_PLACE_NONE;
	l->iommu = place->iommu = ref.iommu;
	place->device_id = ref.device_id;
	if (!dump_walker(l->d, ref.iommu, &l->walker, &missing))
		return DUMP_PLACE_NONE;
	place->walker = l->walker;
	if (!locate(l, ref.device_id, &place->dc))
		return riommu_bits(l->walker.ddtp, 3, 0) == RIOMMU_DDTP_BARE ? DUMP_PLACE_BARE
									     : DUMP_PLACE_NONE;
	if (in_json(&l->d->out))
		dc_item(l, &place->dc, riommu_system_device(l->d->sys, ref.iommu, ref.device_id));
	return is_in_use(l, &place->dc) ? DUMP_PLACE_CONTEXT : DUMP_PLACE_NONE;
}

enum dump_place_state dump_place(struct dump *d, const char *text, struct dump_place *place)
{
	struct listing l = {.d = d};
	enum dump_place_state state;

	dump_iommus(d);
	out_list_begin(&d->out, "devices");
	state = find_place(&l, text, place);
	out_list_end(&d->out);
	return state;
}

/* -- processes --------------------------------------------------------------------------------- */

static const char *const process_columns[] = {"PROCESS_ID", "STATE", "STAGE", "ROOT",
					      ">PSCID",     "FLAGS", "NOTE"};

static enum context_state pc_state(const struct listing *l, const struct riommu_pc *pc,
				   const char **wrong)
{
	*wrong = NULL;
	if (!(pc->ta & RIOMMU_PC_V))
		return CONTEXT_NOT_VALID;
	*wrong = riommu_pc_misconfigured(&l->walker, l->dc, pc);
	return *wrong ? CONTEXT_MISCONFIGURED : CONTEXT_VALID;
}

static void pc_row(struct listing *l, const struct riommu_pc *pc)
{
	bool bare = pc->fsc >> 60 == RIOMMU_FSC_BARE;
	char id[16], root[24], pscid[16], flags[64];
	const char *wrong;
	enum context_state state = pc_state(l, pc, &wrong);

	snprintf(id, sizeof(id), "0x%" PRIx32, pc->process_id);
	snprintf(root, sizeof(root), "0x%" PRIx64, riommu_ppn_lower(pc->fsc));
	snprintf(pscid, sizeof(pscid), "%u", (unsigned)riommu_bits(pc->ta, 31, 12));
	flags_text(riommu_layout_pc(0, 0), pc->ta, RIOMMU_PC_V, flags, sizeof(flags));
	add_row(l,
		(const char *const[]){
			id, state_names[state],
			or_reserved(riommu_fsc_mode_name(pc->fsc, l->dc->dw[RIOMMU_DC_TC], true)),
			bare ? NULL : root, bare ? NULL : pscid, or_null(flags), wrong});
}

static void pc_line(struct line *t, const struct listing *l, const struct riommu_pc *pc)
{
	const char *wrong;
	enum context_state state = pc_state(l, pc, &wrong);
	uint64_t tc = l->dc->dw[RIOMMU_DC_TC];
	size_t begin;

	line_begin(t);
	begin = line_object_begin(t);
	line_hex_member(t, "iommu", true, l->d->sys->iommus[l->iommu].base);
	line_hex_member(t, "device_id", true, l->dc->device_id);
	line_hex_member(t, "process_id", true, pc->process_id);
	line_word_member(t, "state", state_names[state]);
	line_hex_member(t, "address", true, pc->address);
	line_bool_member(t, "valid", state != CONTEXT_NOT_VALID);
	line_word_member(t, "misconfigured", wrong);
	line_word_member(t, "first_stage", riommu_fsc_mode_name(pc->fsc, tc, true));
	line_hex_member(t, "pscid", pc->fsc >> 60 != RIOMMU_FSC_BARE, riommu_bits(pc->ta, 31, 12));
	layout_member(t, "ta", riommu_layout_pc(0, tc), pc->ta);
	layout_member(t, "fsc", riommu_layout_pc(1, tc), pc->fsc);
	line_object_end(t, begin);
}

static void pc_item(const struct listing *l, const struct riommu_pc *pc)
{
	struct line t;

	pc_line(&t, l, pc);
	print_item(l, &t);
}

static int list_pc(void *arg, const struct riommu_pc_visit *v)
{
	struct listing *l = arg;

	if (v->pc)
		progress("processes", ++l->visited);
	if (!v->pc)
		add_gap(l, v->first_id, v->last_id, v->address, v->error);
	else if (in_json(&l->d->out))
		pc_item(l, v->pc);
	else
		pc_row(l, v->pc);
	return 0;
}

/* Why a device has no processes; NULL when it may have some. */
static const char *without_processes(const struct riommu_dc *dc)
{
	uint64_t tc = dc->dw[RIOMMU_DC_TC];

	if (!(tc & RIOMMU_TC_V))
		return "its context is not valid (tc.V is 0)";
	if (!(tc & RIOMMU_TC_PDTV))
		return "it has one address space for all requests (tc.PDTV is 0)";
	if (dc->dw[RIOMMU_DC_FSC] >> 60 == RIOMMU_PDTP_BARE)
		return "its process directory is Bare: requests with a process_id pass the first "
		       "stage untranslated";
	return NULL;
}

static void list_processes(struct listing *l)
{
	char label[96], stages[48];
	const char *wrong, *none = without_processes(l->dc);
	bool whole = !none;
	unsigned rule;

	dump_device_label(l->d, l->iommu, l->dc->device_id, label, sizeof(label));
	stages_text(l, l->dc, stages, sizeof(stages));
	wrong = riommu_dc_misconfigured(&l->walker, l->dc, &rule);
	if (!in_json(&l->d->out)) {
		printf("%s on %s: %s\n", label, l->d->sys->iommus[l->iommu].name, stages);
		if (wrong)
			printf("the device context is misconfigured, rule %u: %s\n", rule, wrong);
		if (none)
			printf("no process contexts: %s\n", none);
	}
	if (!none)
		whole = visited(l, riommu_visit_pcs(&l->walker, l->dc, list_pc, l));
	flush_table(l);
	progress_end();
	if (whole && !l->total && !in_json(&l->d->out))
		printf("the process directory is empty\n");
	end_gaps(l);
}

void dump_processes(struct dump *d, int argc, char **argv)
{
	struct listing l = {
		.d = d,
		.columns = process_columns,
		.column_count = RIOMMU_ARRAY_SIZE(process_columns),
	};
	struct riommu_device_ref ref;
	struct riommu_dc dc;
	const char *missing;

	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	if (argc != 1) {
		out_error(
			&d->out, -EINVAL,
			"processes takes one DEVICE: a device_id or a name ('devices' lists them)");
		return;
	}
	dump_iommus(d);
	out_list_begin(&d->out, "processes");
	if (dump_device(d, argv[0], &ref)) {
		l.iommu = ref.iommu;
		l.dc = &dc;
		if (dump_walker(d, ref.iommu, &l.walker, &missing) &&
		    locate(&l, ref.device_id, &dc))
			list_processes(&l);
	}
	out_list_end(&d->out);
}

/* -- for commands that show single contexts ---------------------------------------------------- */

const char *dump_dc_key(unsigned dword)
{
	return dc_keys[dword];
}

struct json_object *dump_dc_json(struct dump *d, size_t iommu, const struct riommu_walker *w,
				 const struct riommu_dc *dc)
{
	struct listing l = {.d = d, .iommu = iommu, .walker = *w};
	struct line t;

	dc_line(&t, &l, dc, riommu_system_device(d->sys, iommu, dc->device_id));
	return line_json(&t);
}

struct json_object *dump_pc_json(struct dump *d, size_t iommu, const struct riommu_walker *w,
				 const struct riommu_dc *dc, const struct riommu_pc *pc)
{
	struct listing l = {.d = d, .iommu = iommu, .walker = *w, .dc = dc};
	struct line t;

	pc_line(&t, &l, pc);
	return line_json(&t);
}

void dump_dc_words(const struct riommu_walker *w, const struct riommu_dc *dc, char *text,
		   size_t size)
{
	const struct listing l = {.walker = *w};
	const char *wrong;
	unsigned rule;
	enum context_state state = dc_state(w, dc, &wrong, &rule);
	char stages[48];

	stages_text(&l, dc, stages, sizeof(stages));
	snprintf(text, size, "%s%s%s", state_names[state], has_stages(state) ? ", " : "",
		 has_stages(state) ? stages : "");
}

void dump_pc_words(const struct riommu_walker *w, const struct riommu_dc *dc,
		   const struct riommu_pc *pc, char *text, size_t size)
{
	const struct listing l = {.walker = *w, .dc = dc};
	const char *wrong;
	enum context_state state = pc_state(&l, pc, &wrong);
	const char *mode = riommu_fsc_mode_name(pc->fsc, dc->dw[RIOMMU_DC_TC], true);

	snprintf(text, size, "%s, %s", state_names[state], or_reserved(mode));
}
