/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/set.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_SIZE 256

/* The slot that holds (A, B), or the free one where it would go. */
static struct base_set_item *slot_of(const struct base_set *set, uint64_t a, uint64_t b)
{
	uint64_t hash = (a ^ (b * 0xff51afd7ed558ccdu)) * 0x9e3779b97f4a7c15u;
	size_t i = (size_t)(hash >> 24) & (set->size - 1);

	while (set->slots[i].a && (set->slots[i].a != a || set->slots[i].b != b))
		i = (i + 1) & (set->size - 1);
	return &set->slots[i];
}

static int grow(struct base_set *set)
{
	struct base_set bigger = {.size = set->size ? set->size * 2 : FIRST_SIZE,
				  .used = set->used};

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->size; i++)
		if (set->slots[i].a)
			*slot_of(&bigger, set->slots[i].a, set->slots[i].b) = set->slots[i];
	free(set->slots);
	*set = bigger;
	return 0;
}

int base_set_add(struct base_set *set, uint64_t a, uint64_t b, uint64_t max)
{
	struct base_set_item *slot;

	if (set->used * 2 >= set->size && grow(set))
		return -ENOMEM;
	slot = slot_of(set, a, b);
	if (slot->a)
		return 0;
	if (set->used >= max)
		return -EOVERFLOW;
	*slot = (struct base_set_item){a, b};
	set->used++;
	return 1;
}

void base_set_free(struct base_set *set)
{
	free(set->slots);
	*set = (struct base_set){0};
}
