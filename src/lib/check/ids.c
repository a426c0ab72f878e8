/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tags of the caches. Translations are cached by GSCID and PSCID (specification, 2.2.2, 3.9): one that stands for two tables gives a
 * device what belongs to another. PSCIDs of different guests do not meet, nor do those of guests and of the host.
 */
#include "check/check-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_TAGS ((uint64_t)1 << 20) /* 48 MiB; more where more spaces are held at once */
#define HOST     ((uint32_t)-1)

/* One use of a tag. */
struct check_tag {
	uint32_t guest;  /* GSCID that a PSCID belongs to; HOST: none */
	uint32_t id;     /* PSCID, GSCID */
	bool second;     /* GSCID */
	bool process;    /* of a process context */
	uint16_t format; /* bits of tc that change what the tables mean */
	uint32_t device_id, process_id;
	uint64_t table; /* MODE and PPN */
};

static uint64_t max_tags(const struct check *c)
{
	uint64_t spaces = riommu_spaces_at_once(&c->w);

	return spaces > MAX_TAGS ? spaces : MAX_TAGS;
}

static void add(struct check *c, struct check_ids *ids, const struct check_tag *tag)
{
	struct check_tag *more;

	if (ids->count >= MAX_TAGS && ids->count >= max_tags(c)) {
		ids->full = true;
		return;
	}
	more = check_grow(c, ids->tags, ids->count, &ids->room, sizeof(*more));
	if (!more)
		return;
	ids->tags = more;
	ids->tags[ids->count++] = *tag;
}

void check_ids_add(struct check *c, struct check_ids *ids, const struct riommu_dc *dc,
		   const struct riommu_pc *pc)
{
	uint64_t tc = dc->dw[RIOMMU_DC_TC], iohgatp = dc->dw[RIOMMU_DC_IOHGATP];
	uint64_t fsc = pc ? pc->fsc : dc->dw[RIOMMU_DC_FSC],
		 ta = pc ? pc->ta : dc->dw[RIOMMU_DC_TA];
	bool guest = iohgatp >> 60;
	struct check_tag tag = {
		.guest = guest ? (uint32_t)riommu_bits(iohgatp, 59, 44) : HOST,
		.id = (uint32_t)riommu_bits(ta, 31, 12),
		.format = (uint16_t)(tc & (RIOMMU_TC_SBE | RIOMMU_TC_SXL)),
		.device_id = dc->device_id,
		.process = pc,
		.process_id = pc ? pc->process_id : 0,
		.table = fsc,
	};

	/* a process directory is no first stage; a stage that is Bare has no PSCID (2.2.2) */
	if ((pc || !(tc & RIOMMU_TC_PDTV)) && fsc >> 60)
		add(c, ids, &tag);
	if (pc || !guest)
		return;
	tag.second = true;
	tag.id = tag.guest;
	tag.guest = HOST;
	tag.format = 0;
	tag.table = iohgatp & ~riommu_mask(59, 44);
	add(c, ids, &tag);
}

/* The space that tags are unique in, the tag, then what it stands for. */
static int by_space(const struct check_tag *x, const struct check_tag *y)
{
	int order = riommu_order(x->second, y->second);

	return order ? order : riommu_order(x->guest, y->guest);
}

static int by_table(const struct check_tag *x, const struct check_tag *y)
{
	int order = riommu_order(x->table, y->table);

	return order ? order : riommu_order(x->format, y->format);
}

static int by_owner(const struct check_tag *x, const struct check_tag *y)
{
	int order = riommu_order(x->device_id, y->device_id);

	return order ? order : riommu_order(x->process_id, y->process_id);
}

static int by_id_then_table(const void *a, const void *b)
{
	const struct check_tag *x = a, *y = b;
	int order = by_space(x, y);

	order = order ? order : riommu_order(x->id, y->id);
	order = order ? order : by_table(x, y);
	return order ? order : by_owner(x, y);
}

static int by_table_then_id(const void *a, const void *b)
{
	const struct check_tag *x = a, *y = b;
	int order = by_space(x, y);

	order = order ? order : by_table(x, y);
	order = order ? order : riommu_order(x->id, y->id);
	return order ? order : by_owner(x, y);
}

static struct check_object owner(const struct check_tag *tag)
{
	return (struct check_object){.has_device = true,
				     .device_id = tag->device_id,
				     .has_process = tag->process,
				     .process_id = tag->process_id};
}

static const char *owner_words(const struct check_tag *tag, char *words, size_t size)
{
	if (tag->process)
		snprintf(words, size, "process 0x%" PRIx32 " of device 0x%" PRIx32, tag->process_id,
			 tag->device_id);
	else
		snprintf(words, size, "device 0x%" PRIx32, tag->device_id);
	return words;
}

static uint64_t root(const struct check_tag *tag)
{
	return riommu_ppn_lower(tag->table);
}

/* Neighbours with one id and different tables: one finding for each other table. */
static void find_conflicts(struct check *c, const struct check_ids *ids)
{
	const struct check_tag *first = ids->tags;

	for (size_t i = 1; i < ids->count; i++) {
		const struct check_tag *tag = &ids->tags[i];
		struct check_object about = owner(tag);
		char words[64];

		if (by_space(first, tag) || first->id != tag->id) {
			first = tag;
			continue;
		}
		if (!by_table(tag - 1, tag))
			continue;
		check_report(c, tag->second ? CHECK_GSCID_CONFLICT : CHECK_PSCID_CONFLICT, &about,
			     "%s 0x%" PRIx32 " stands for the table at 0x%" PRIx64
			     " and, for %s, for that at 0x%" PRIx64 "%s",
			     tag->second ? "GSCID" : "PSCID", tag->id, root(tag),
			     owner_words(first, words, sizeof(words)), root(first),
			     root(tag) == root(first) ? " in another format" : "");
	}
}

static void find_splits(struct check *c, const struct check_ids *ids)
{
	for (size_t i = 1; i < ids->count; i++) {
		const struct check_tag *before = &ids->tags[i - 1], *tag = &ids->tags[i];
		struct check_object about = owner(tag);
		char words[64];

		if (by_space(before, tag) || by_table(before, tag) || before->id == tag->id)
			continue;
		check_report(c, CHECK_TABLES_SEVERAL_IDS, &about,
			     "the table at 0x%" PRIx64 " has %s 0x%" PRIx32 " here and 0x%" PRIx32
			     " for %s",
			     root(tag), tag->second ? "GSCID" : "PSCID", tag->id, before->id,
			     owner_words(before, words, sizeof(words)));
	}
}

void check_ids_compare(struct check *c, struct check_ids *ids)
{
	if (ids->full)
		check_cannot(c, CHECK_PSCID_CONFLICT, CHECK_TABLES_SEVERAL_IDS, -EOVERFLOW,
			     "more than %" PRIu64
			     " contexts; -O spaces= sets how many, from there on",
			     max_tags(c));
	if (!ids->count)
		return;
	for (size_t i = 0; i < ids->count; i++)
		check_judge(c, ids->tags[i].second ? CHECK_GSCID_CONFLICT : CHECK_PSCID_CONFLICT);
	check_judge(c, CHECK_TABLES_SEVERAL_IDS);
	qsort(ids->tags, ids->count, sizeof(*ids->tags), by_id_then_table);
	find_conflicts(c, ids);
	qsort(ids->tags, ids->count, sizeof(*ids->tags), by_table_then_id);
	find_splits(c, ids);
}
