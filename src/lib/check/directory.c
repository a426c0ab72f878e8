/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device directory, and behind each context its process directory and its MSI page table (specification, 2.1 to 2.3). */
#include "check/check-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct visit {
	struct check *c;
	struct check_msi msi;
	struct check_ids ids;
	const struct riommu_dc *dc; /* whose processes are visited */
};

/* -- a part of a directory that cannot be looked at -------------------------------------------------------------- */

/* The rules that a failed read of a directory may break. */
struct directory_rules {
	const char *name, *ids; /* "device directory", "device ids" */
	enum check_rule reserved, address, loop;
	enum check_rule first, last; /* what is not judged for want of its contexts */
	size_t also_count;           /* and more of that */
	enum check_rule also[3];
};

static const struct directory_rules ddt_rules = {"device directory",
						 "device ids",
						 CHECK_DDT_RESERVED,
						 CHECK_DDT_ADDRESS,
						 CHECK_DDT_LOOP,
						 CHECK_DDT_RESERVED,
						 CHECK_REACH_RESERVED,
						 0,
						 {0}};
static const struct directory_rules pdt_rules = {
	"process directory",
	"process ids",
	CHECK_PDT_RESERVED,
	CHECK_PDT_ADDRESS,
	CHECK_PDT_LOOP,
	CHECK_PDT_RESERVED,
	CHECK_PC_ADDRESS,
	3,
	{CHECK_IDENTITY, CHECK_PSCID_CONFLICT, CHECK_TABLES_SEVERAL_IDS}};

/* Contexts are not seen: the rules about them have not looked at all. */
static void check_unseen(struct check *c, const struct directory_rules *rules, int error,
			 const char *what)
{
	check_cannot(c, rules->first, rules->last, error, "%s: %s", what, check_error_words(error));
	for (size_t i = 0; i < rules->also_count; i++)
		check_cannot(c, rules->also[i], rules->also[i], error, "%s: %s", what,
			     check_error_words(error));
}

static void check_gap(struct check *c, const struct directory_rules *rules,
		      struct check_object about, uint32_t first, uint32_t last, int error)
{
	char page[80];

	about.has_address = true;
	about.count = (uint64_t)last - first + 1;
	switch (error) {
	case -EBADMSG:
		check_report(c, rules->reserved, &about,
			     "the entry at 0x%" PRIx64 " of the %s, for %s 0x%" PRIx32
			     " to 0x%" PRIx32 ", has reserved bits set",
			     about.address, rules->name, rules->ids, first, last);
		return;
	case -ELOOP:
		check_report(c, rules->loop, &about,
			     "%s 0x%" PRIx32 " to 0x%" PRIx32 " have the page at 0x%" PRIx64
			     " of the %s, which others have too",
			     rules->ids, first, last, about.address, rules->name);
		return;
	case -EFAULT:
		check_report(c, rules->address, &about,
			     "the page at 0x%" PRIx64 " of the %s, for %s 0x%" PRIx32
			     " to 0x%" PRIx32 ", %s",
			     about.address, rules->name, rules->ids, first, last,
			     check_past_pas(c, about.address, RIOMMU_PAGE_SIZE)
				     ? "is beyond the physical address space"
				     : "cannot be reached");
		return;
	case -EHWPOISON:
		check_report(c, CHECK_MEMORY_CORRUPT, &about,
			     "the page at 0x%" PRIx64 " of the %s is corrupt", about.address,
			     rules->name);
		return;
	default:
		snprintf(page, sizeof(page), "the page at 0x%" PRIx64 " of the %s", about.address,
			 rules->name);
		check_unseen(c, rules, error, page);
	}
}

/* -- process contexts --------------------------------------------------------------------------------------------- */

static int visit_pc(void *arg, const struct riommu_pc_visit *v)
{
	struct visit *in = arg;
	struct check *c = in->c;
	struct check_object about = check_device(in->dc);

	for (unsigned rule = CHECK_PDT_RESERVED; rule <= CHECK_PDT_LOOP; rule++)
		check_judge(c, (enum check_rule)rule);
	if (!v->pc) {
		about.has_process = true;
		about.process_id = v->first_id;
		about.address = v->address;
		check_gap(c, &pdt_rules, about, v->first_id, v->last_id, v->error);
	} else if ((v->pc->ta & RIOMMU_PC_V) && check_pc(c, in->dc, v->pc)) {
		check_ids_add(c, &in->ids, in->dc, v->pc);
	}
	return c->error;
}

/* -- device contexts ---------------------------------------------------------------------------------------------- */

static int visit_dc(void *arg, const struct riommu_dc_visit *v)
{
	struct visit *in = arg;
	struct check *c = in->c;
	char directory[80];
	int err;

	if (!v->dc) {
		check_gap(c, &ddt_rules,
			  (struct check_object){.has_device = true,
						.device_id = v->first_id,
						.address = v->address},
			  v->first_id, v->last_id, v->error);
		return c->error;
	}
	if (!(v->dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_V) || !check_dc(c, v->dc))
		return c->error;
	check_ids_add(c, &in->ids, v->dc, NULL);
	check_msi(c, &in->msi, v->dc);
	in->dc = v->dc;
	if (v->dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_PDTV) {
		err = riommu_visit_pcs(&c->w, v->dc, visit_pc, in);
		snprintf(directory, sizeof(directory), "the process directory of device 0x%" PRIx32,
			 v->dc->device_id);
		if (err && !c->error)
			check_unseen(c, &pdt_rules, err, directory);
	}
	return c->error;
}

/* -- the root ------------------------------------------------------------------------------------------------------ */

/* All zero is what an empty directory looks like, and what /proc/kcore gives for a page that it cannot read. */
static void check_root(struct check *c)
{
	uint64_t root = riommu_ppn_upper(c->w.ddtp);
	struct check_object about = {.has_address = true, .address = root};
	bool kcore = !strcmp(c->w.memory->ops->name, "kcore");
	uint8_t bytes[RIOMMU_PAGE_SIZE];
	const uint8_t *data;

	if (check_past_pas(c, root, sizeof(bytes)) ||
	    riommu_source_entry(c->w.memory, root, sizeof(bytes), bytes, &data))
		return; /* the visit will meet it */
	check_judge(c, CHECK_DDT_ROOT_ZERO);
	if (data[0] || memcmp(data, data + 1, sizeof(bytes) - 1))
		return;
	check_report(c, CHECK_DDT_ROOT_ZERO, &about, "the page at 0x%" PRIx64 " is all zero%s",
		     root,
		     kcore ? ", and was read through /proc/kcore, which gives zeros for pages that "
			     "it cannot read"
			   : "");
	if (kcore)
		check_cannot(c, CHECK_DDT_RESERVED, CHECK_REACH_RESERVED, -ENODATA,
			     "the zeros of /proc/kcore at 0x%" PRIx64
			     " may not be what memory holds",
			     root);
}

void check_directory(struct check *c)
{
	struct visit in = {.c = c};
	int err;

	check_root(c);
	for (unsigned rule = CHECK_DDT_RESERVED; rule <= CHECK_MEMORY_CORRUPT; rule++)
		check_judge(c, (enum check_rule)rule);
	err = riommu_visit_dcs(&c->w, visit_dc, &in);
	if (err && !c->error)
		check_cannot(c, CHECK_DDT_RESERVED, CHECK_REACH_RESERVED, err,
			     "the device directory: %s", check_error_words(err));
	if (!c->error)
		check_ids_compare(c, &in.ids);
	base_set_free(&in.msi.seen);
	free(in.ids.tags);
}
