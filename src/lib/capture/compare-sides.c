/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two lists side by side, neither of which is held: there may be 2^24 contexts. Of what cannot be looked at each side keeps the gaps. */
#include "capture/compare-internal.h"

#include <stdlib.h>

/* -- gaps ----------------------------------------------------------------------------------------------------- */

int compare_add_gap(struct compare_list *gaps, const struct compare_gap *gap)
{
	struct compare_gap *last =
		gaps->count ? (struct compare_gap *)gaps->v + gaps->count - 1 : NULL;

	if (last && last->error == gap->error && last->address == gap->address &&
	    last->last_id + 1 == gap->first_id) {
		last->last_id = gap->last_id;
		return 0;
	}
	return compare_add(gaps, gap, sizeof(*gap));
}

static int compare_gap_with_id(const void *key, const void *element)
{
	const struct compare_gap *gap = element;
	uint64_t id = *(const uint64_t *)key;

	return id < gap->first_id ? -1 : id > gap->last_id;
}

/* They are found in ascending order, and a hostile directory has as many as entries. */
static bool in_gap(const struct compare_list *gaps, uint64_t id)
{
	return gaps->count &&
	       bsearch(&id, gaps->v, gaps->count, sizeof(struct compare_gap), compare_gap_with_id);
}

/* -- two sides ------------------------------------------------------------------------------------------------ */

/* To the next element. A gap before it is known then. */
static int advance(struct compare_side *s)
{
	int found, err = 0;

	s->more = false;
	while (!err && !s->more && s->list && (found = s->next(s)) != 0) {
		if (found < 0)
			return found;
		s->more = !s->gap.error;
		if (!s->more && s->collects)
			err = compare_add_gap(s->gaps, &s->gap);
	}
	return err;
}

int compare_side_by_side(struct compare_side side[2],
			 int (*pair)(void *arg, const struct compare_side *const in[2]), void *arg)
{
	int err = advance(&side[0]);

	if (!err)
		err = advance(&side[1]);
	while (!err && (side[0].more || side[1].more)) {
		bool second = !side[0].more || (side[1].more && side[1].order < side[0].order);
		const struct compare_side *in[2] = {NULL, NULL};
		uint64_t order = side[second].order, id = side[second].id;
		bool known = true;

		for (unsigned i = 0; i < 2; i++)
			if (side[i].more && side[i].order == order)
				in[i] = &side[i];
			else
				known &= !in_gap(side[i].gaps, id);
		if (known)
			err = pair(arg, in);
		for (unsigned i = 0; i < 2 && !err; i++)
			if (in[i])
				err = advance(&side[i]);
	}
	return err;
}
