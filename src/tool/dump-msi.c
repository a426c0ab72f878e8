/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump msi: the MSI page table of a device, entry by entry. */
#include "config.h"

#include "dump.h"

#include <inttypes.h>

static const char *const kind_names[] = {
	[RIOMMU_MSI_ENTRY_FLAT] = "flat",
	[RIOMMU_MSI_ENTRY_MRIF] = "mrif",
	[RIOMMU_MSI_ENTRY_INVALID] = "invalid",
	[RIOMMU_MSI_ENTRY_MALFORMED] = "malformed",
	[RIOMMU_MSI_ENTRY_UNREADABLE] = "unreadable",
};

struct listing {
	struct dump *d;
	struct dump_place place;
	uint64_t count[RIOMMU_ARRAY_SIZE(kind_names)];
	struct riommu_msi_entry unread; /* the first */
	bool any, shown;
};

/* -- the window ----------------------------------------------------------------------------------- */

/* The guest physical pages of interrupt files: all that the mask leaves alike with the pattern. */
struct window {
	uint64_t table, mask, pattern;
	uint64_t first, last; /* pages' addresses */
	uint64_t files;       /* entries of the table */
	bool whole;           /* without gaps */
};

static struct window find_window(const struct riommu_dc *dc)
{
	uint64_t page = riommu_mask(51, 0), mask = dc->dw[RIOMMU_DC_MSI_ADDR_MASK] & page,
		 pattern = dc->dw[RIOMMU_DC_MSI_ADDR_PATTERN] & page;

	return (struct window){
		.table = riommu_ppn_lower(dc->dw[RIOMMU_DC_MSIPTP]),
		.mask = mask,
		.pattern = pattern,
		.first = (pattern & ~mask) << RIOMMU_PAGE_SHIFT,
		.last = (pattern | mask) << RIOMMU_PAGE_SHIFT,
		.files = (uint64_t)1 << __builtin_popcountll(mask),
		.whole = (mask & (mask + 1)) == 0,
	};
}

static void show_window(struct listing *l)
{
	struct window w = find_window(&l->place.dc);
	struct json_object *obj = json_object_new_object(); /* mask and pattern are in "devices" */
	char text[128];

	json_add(obj, "address", json_hex(w.table));
	json_add(obj, "first_gpa", json_hex(w.first));
	json_add(obj, "last_gpa", json_hex(w.last));
	json_add(obj, "contiguous", json_object_new_boolean(w.whole));
	json_add(obj, "files", json_object_new_int64((int64_t)w.files));
	out_member(&l->d->out, "msi_table", obj);
	if (in_json(&l->d->out))
		return;
	printf("  MSI page table at 0x%" PRIx64 ", %" PRIu64 " entr%s of 16 bytes\n", w.table,
	       w.files, w.files == 1 ? "y" : "ies");
	printf("  address mask 0x%" PRIx64 ", pattern 0x%" PRIx64 " (guest page numbers)\n", w.mask,
	       w.pattern);
	snprintf(text, sizeof(text), "files at guest physical 0x%" PRIx64 "..0x%" PRIx64 "%s",
		 w.first, w.last | RIOMMU_PAGE_MASK, w.whole ? "" : ", not all pages of it");
	print_wrapped(stdout, text, (size_t)printf("  interrupt"), 12);
}

/* -- entries -------------------------------------------------------------------------------------- */

static struct json_object *entry_json(const struct listing *l, const struct riommu_msi_entry *e)
{
	struct json_object *obj = json_object_new_object(), *raw = NULL;
	bool flat = e->kind == RIOMMU_MSI_ENTRY_FLAT, mrif = e->kind == RIOMMU_MSI_ENTRY_MRIF,
	     malformed = e->kind == RIOMMU_MSI_ENTRY_MALFORMED,
	     unread = e->kind == RIOMMU_MSI_ENTRY_UNREADABLE;

	if (!unread) {
		raw = json_object_new_array();
		json_object_array_add(raw, json_hex(e->dw[0]));
		json_object_array_add(raw, json_hex(e->dw[1]));
	}
	json_add(obj, "iommu", json_hex(l->d->sys->iommus[l->place.iommu].base));
	json_add(obj, "device_id", json_hex(l->place.device_id));
	json_add(obj, "index", json_object_new_int64((int64_t)e->index));
	json_add(obj, "count", json_object_new_int64((int64_t)e->count));
	json_add(obj, "kind", json_text(kind_names[e->kind]));
	json_add(obj, "gpa", json_hex(e->gpa));
	json_add(obj, unread ? "missing" : "address", json_hex(e->address));
	json_add(obj, "pa", flat || mrif ? json_hex(e->pa) : NULL);
	json_add(obj, "notice_pa", mrif ? json_hex(e->notice_pa) : NULL);
	json_add(obj, "notice_id", mrif ? json_object_new_int64(e->notice_id) : NULL);
	json_add(obj, "cause", malformed ? json_object_new_int(e->cause) : NULL);
	json_add(obj, "cause_name", malformed ? json_text(riommu_cause_name(e->cause)) : NULL);
	json_add(obj, "reason",
		 malformed ? json_text(e->reason)
		 : unread  ? json_text(dump_gap_reason(e->error))
			   : NULL);
	json_add(obj, "raw", raw);
	return obj;
}

static void entry_words(const struct riommu_msi_entry *e, char *text, size_t size)
{
	switch (e->kind) {
	case RIOMMU_MSI_ENTRY_FLAT:
		snprintf(text, size, "flat       0x%" PRIx64, e->pa);
		return;
	case RIOMMU_MSI_ENTRY_MRIF:
		snprintf(text, size,
			 "mrif       0x%" PRIx64 ", notice: %" PRIu32 " written to 0x%" PRIx64,
			 e->pa, e->notice_id, e->notice_pa);
		return;
	case RIOMMU_MSI_ENTRY_INVALID:
		snprintf(text, size, "invalid    V is 0, but it is not empty");
		return;
	case RIOMMU_MSI_ENTRY_MALFORMED:
		snprintf(text, size, "malformed  cause %u: %s", e->cause,
			 e->reason ? e->reason : "");
		return;
	default:
		snprintf(text, size, "not known  %" PRIu64 " entr%s from 0x%" PRIx64 " on: %s",
			 e->count, e->count == 1 ? "y" : "ies", e->address,
			 dump_gap_reason(e->error));
	}
}

/* The word for the kind and what follows it are columns; what is too long goes on under the second. */
static void print_entry(const struct riommu_msi_entry *e)
{
	char text[400];
	int column;

	entry_words(e, text, sizeof(text));
	column = printf("  %5" PRIu64 "  0x%-14" PRIx64 "  %.10s", e->index, e->gpa, text);
	print_wrapped(stdout, text + 11, column > 0 ? (size_t)column : 0, 38);
}

static int list_entry(void *arg, const struct riommu_msi_entry *e)
{
	struct listing *l = arg;

	if (e->kind == RIOMMU_MSI_ENTRY_UNREADABLE && !l->count[e->kind])
		l->unread = *e;
	if (!in_json(&l->d->out) && !l->any)
		printf("  INDEX  GPA               ENTRY\n");
	l->any = true;
	l->count[e->kind] += e->count;
	if (in_json(&l->d->out))
		out_item(&l->d->out, entry_json(l, e));
	else
		print_entry(e);
	return 0;
}

/* ERR: the table was not gone over to its end, so that silence says nothing of the rest. */
static void print_summary(const struct listing *l, int err)
{
	char text[200];
	size_t used = 0;

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(kind_names); i++)
		if (l->count[i])
			used += (size_t)snprintf(text + used, sizeof(text) - used,
						 "%s%" PRIu64 " %s", used ? ", " : "", l->count[i],
						 kind_names[i]);
	snprintf(text + used, sizeof(text) - used, "%s%s",
		 used  ? ""
		 : err ? "no entry so far"
		       : "every entry is zero",
		 err ? "; the rest is not known"
		     : "; messages to other interrupt files fault (cause 262)");
	print_wrapped(stdout, text, 0, 2);
}

static void list_table(struct listing *l)
{
	int err;

	show_window(l);
	out_list_begin(&l->d->out, "msi");
	err = riommu_visit_msi(&l->place.walker, &l->place.dc, list_entry, l);
	out_list_end(&l->d->out);
	if (!in_json(&l->d->out))
		print_summary(l, err);
	if (l->count[RIOMMU_MSI_ENTRY_UNREADABLE])
		out_error(&l->d->out, dump_gap_error(l->unread.error),
			  "%" PRIu64
			  " entries of the MSI page table are not known: that at 0x%" PRIx64 " %s",
			  l->count[RIOMMU_MSI_ENTRY_UNREADABLE], l->unread.address,
			  dump_gap_reason(l->unread.error));
	if (err == -EOVERFLOW)
		out_error(&l->d->out, -EBADMSG,
			  "the MSI page table has more than %s pages, by its mask: the rest is not "
			  "shown; -O max-pages=N sets the limit",
			  riommu_option(l->d->ctx, "max-pages"));
	else if (err)
		out_error(&l->d->out, err, "the MSI page table cannot be read: %s", strerror(-err));
}

/* -- the command ---------------------------------------------------------------------------------- */

/* Why a device has no MSI page table; NULL when it has one. */
static const char *without_table(const struct riommu_dc *dc)
{
	if (dc->dwords != RIOMMU_DC_DWORDS)
		return "no MSI page table: the IOMMU has none (capabilities.MSI_FLAT is 0)";
	if (dc->dw[RIOMMU_DC_MSIPTP] >> 60 == RIOMMU_MSIPTP_OFF)
		return "no MSI page table: msiptp is Off, messages are translated as other writes "
		       "are";
	return NULL;
}

static void show_table(struct listing *l)
{
	const char *none = without_table(&l->place.dc);
	char label[96], text[200];

	if (!in_json(&l->d->out)) {
		snprintf(text, sizeof(text), "%s on %s%s%s",
			 dump_device_label(l->d, l->place.iommu, l->place.device_id, label,
					   sizeof(label)),
			 l->d->sys->iommus[l->place.iommu].name, none ? ": " : "",
			 none ? none : "");
		print_wrapped(stdout, text, 0, 0);
	}
	if (!none)
		list_table(l);
	l->shown = !none;
}

void dump_msi(struct dump *d, int argc, char **argv)
{
	struct listing l = {.d = d};

	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	if (argc != 1) {
		out_error(&d->out, -EINVAL,
			  "msi takes one DEVICE: a device_id or a name ('devices' lists them)");
		return;
	}
	if (dump_place(d, argv[0], &l.place) == DUMP_PLACE_CONTEXT)
		show_table(&l);
	if (l.shown)
		return;
	out_member(&d->out, "msi_table", NULL);
	out_list_begin(&d->out, "msi");
	out_list_end(&d->out);
}
