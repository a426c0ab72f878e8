/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What changed between two systems: IOMMUs, devices, memory map, registers. */
#include "capture/compare-internal.h"

#include <stdlib.h>

/* -- lists ---------------------------------------------------------------------------------------------------- */

int compare_add(struct compare_list *list, const void *element, size_t len)
{
	if (list->count == list->size) {
		size_t size = list->size ? list->size * 2 : 64;
		void *more = reallocarray(list->v, size, len);

		if (!more)
			return -ENOMEM;
		list->v = more;
		list->size = size;
	}
	memcpy((uint8_t *)list->v + list->count++ * len, element, len);
	return 0;
}

static const void *element_at(const struct compare_list *list, size_t i, size_t len)
{
	return i < list->count ? (const uint8_t *)list->v + i * len : NULL;
}

int compare_merge(const struct compare_list lists[2], size_t len,
		  int (*order)(const void *a, const void *b),
		  int (*pair)(void *arg, const void *const element[2]), void *arg)
{
	size_t i = 0, j = 0;
	int err = 0;

	while (!err && (i < lists[0].count || j < lists[1].count)) {
		const void *a = element_at(&lists[0], i, len), *b = element_at(&lists[1], j, len);
		int sign = !a ? 1 : !b ? -1 : order(a, b);
		const void *const element[2] = {sign <= 0 ? a : NULL, sign >= 0 ? b : NULL};

		i += sign <= 0;
		j += sign >= 0;
		err = pair(arg, element);
	}
	return err;
}

/* -- IOMMUs --------------------------------------------------------------------------------------------------- */

static bool is_paired(const struct riommu_iommu_pair *pairs, size_t count, size_t new)
{
	for (size_t i = 0; i < count; i++)
		if (pairs[i].iommu[RIOMMU_NEW] == new)
			return true;
	return false;
}

/* The first new one that has no partner yet and is at BASE, or is called NAME. */
static size_t find_partner(const struct riommu_system *new, const struct riommu_iommu_pair *pairs,
			   size_t count, const struct riommu_iommu *old, bool by_base)
{
	for (size_t i = 0; i < new->iommu_count; i++) {
		const struct riommu_iommu *iommu = &new->iommus[i];
		bool fits = by_base ? iommu->base == old->base : !strcmp(iommu->name, old->name);

		if (fits && !is_paired(pairs, count, i))
			return i;
	}
	return RIOMMU_NO_IOMMU;
}

int riommu_pair_iommus(const struct riommu_system *const sys[2], struct riommu_iommu_pair **pairs,
		       size_t *count)
{
	const struct riommu_system *old = sys[RIOMMU_OLD], *new = sys[RIOMMU_NEW];
	size_t n = old->iommu_count;
	struct riommu_iommu_pair *p = calloc(n + new->iommu_count + 1, sizeof(*p));

	*pairs = p;
	*count = 0;
	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		p[i] = (struct riommu_iommu_pair){{i, RIOMMU_NO_IOMMU}};
	for (unsigned by_base = 2; by_base--;) {
		for (size_t i = 0; i < n; i++)
			if (p[i].iommu[RIOMMU_NEW] == RIOMMU_NO_IOMMU)
				p[i].iommu[RIOMMU_NEW] =
					find_partner(new, p, n, &old->iommus[i], by_base);
	}
	*count = n;
	for (size_t i = 0; i < new->iommu_count; i++)
		if (!is_paired(p, n, i))
			p[(*count)++] = (struct riommu_iommu_pair){{RIOMMU_NO_IOMMU, i}};
	return 0;
}

/* -- the machine ---------------------------------------------------------------------------------------------- */

struct devices {
	int (*visit)(void *arg, const struct riommu_device *const device[2]);
	void *arg;
};

static int by_id_and_name(const void *a, const void *b)
{
	const struct riommu_device *x = a, *y = b;
	int order = riommu_order(x->device_id, y->device_id);

	return order ? order : strcmp(x->name, y->name);
}

static int device_pair(void *arg, const void *const element[2])
{
	const struct devices *all = arg;
	const struct riommu_device *a = element[0], *b = element[1];

	if (a && b && !strcmp(a->driver, b->driver) && !strcmp(a->group, b->group) &&
	    !strcmp(a->domain_type, b->domain_type))
		return 0;
	return all->visit(all->arg, (const struct riommu_device *const[2]){a, b});
}

/* The devices of an IOMMU are neighbours in the system's list, by id and name. */
static struct compare_list devices_of(const struct riommu_system *sys, size_t iommu)
{
	struct compare_list list = {.v = sys->devices};

	for (size_t i = sys->device_count; i--;) {
		if (sys->devices[i].iommu != iommu || iommu == RIOMMU_NO_IOMMU)
			continue;
		list.v = &sys->devices[i];
		list.count++;
	}
	return list;
}

int riommu_compare_devices(const struct riommu_system *const sys[2],
			   const struct riommu_iommu_pair *pair,
			   int (*visit)(void *arg, const struct riommu_device *const device[2]),
			   void *arg)
{
	struct devices all = {visit, arg};
	const struct compare_list lists[2] = {devices_of(sys[0], pair->iommu[0]),
					      devices_of(sys[1], pair->iommu[1])};

	return compare_merge(lists, sizeof(struct riommu_device), by_id_and_name, device_pair,
			     &all);
}

struct regions {
	int (*visit)(void *arg, const struct riommu_region *const region[2]);
	void *arg;
};

static int by_place_and_name(const void *a, const void *b)
{
	const struct riommu_region *x = a, *y = b;
	int order = riommu_order(x->start, y->start);

	if (!order)
		order = riommu_order(x->end, y->end);
	return order ? order : strcmp(x->name, y->name);
}

static int region_pair(void *arg, const void *const element[2])
{
	const struct regions *all = arg;

	if (element[0] && element[1])
		return 0;
	return all->visit(all->arg, (const struct riommu_region *const[2]){element[0], element[1]});
}

static int regions_of(const struct riommu_system *sys, struct compare_list *list)
{
	int err = 0;

	for (size_t i = 0; i < sys->region_count && !err; i++)
		err = compare_add(list, &sys->regions[i], sizeof(sys->regions[i]));
	if (list->count)
		qsort(list->v, list->count, sizeof(sys->regions[0]), by_place_and_name);
	return err;
}

int riommu_compare_regions(const struct riommu_system *const sys[2],
			   int (*visit)(void *arg, const struct riommu_region *const region[2]),
			   void *arg)
{
	struct regions all = {visit, arg};
	struct compare_list lists[2] = {{0}};
	int err = regions_of(sys[0], &lists[0]);

	if (!err)
		err = regions_of(sys[1], &lists[1]);
	if (!err)
		err = compare_merge(lists, sizeof(struct riommu_region), by_place_and_name,
				    region_pair, &all);
	free(lists[0].v);
	free(lists[1].v);
	return err;
}

/* -- registers ------------------------------------------------------------------------------------------------ */

static bool moves_as_a_whole(uint32_t offset)
{
	switch (offset) {
	case RIOMMU_REG_CQH:
	case RIOMMU_REG_CQT:
	case RIOMMU_REG_FQH:
	case RIOMMU_REG_FQT:
	case RIOMMU_REG_PQH:
	case RIOMMU_REG_PQT:
	case RIOMMU_REG_IPSR:
	case RIOMMU_REG_IOCOUNTOVF:
	case RIOMMU_REG_TR_REQ_IOVA:
	case RIOMMU_REG_TR_REQ_CTL:
	case RIOMMU_REG_TR_RESPONSE:
		return true;
	default:
		return offset >= RIOMMU_REG_IOHPMCYCLES && offset < RIOMMU_REG_IOHPMEVT;
	}
}

/* Bits that change while the IOMMU works, without anybody configuring it. */
static uint64_t moving_bits(const struct riommu_reg *reg)
{
	static const char *const names[] = {"busy", "fence_w_ip", "OF"};
	uint64_t bits = 0;

	if (moves_as_a_whole(reg->offset))
		return UINT64_MAX;
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(names); i++) {
		const struct riommu_field *f = riommu_layout_field(reg->layout, names[i]);

		bits |= f ? riommu_mask(f->hi, f->lo) : 0;
	}
	return bits;
}

int riommu_compare_registers(const struct riommu_iommu *const iommu[2],
			     int (*visit)(void *arg, const struct riommu_reg_change *change),
			     void *arg)
{
	int err = 0;

	for (size_t i = 0; i < RIOMMU_REG_COUNT && !err; i++) {
		bool known[2] = {iommu[0]->state[i] == RIOMMU_REG_KNOWN,
				 iommu[1]->state[i] == RIOMMU_REG_KNOWN};
		struct riommu_reg_change change = {.index = i, .comparable = known[0] && known[1]};

		if (change.comparable)
			change.differing = iommu[0]->value[i] ^ iommu[1]->value[i];
		change.moving = change.differing & moving_bits(&riommu_registers()[i]);
		if (change.differing || known[0] != known[1])
			err = visit(arg, &change);
	}
	return err;
}
