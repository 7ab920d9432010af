// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A list for each kind, in the order of the reports, linked through an array by slot: a connection leaves it at once.
 */
#include <errno.h>
#include <stdlib.h>

#include "user/judge/interim.h"

int interims_begin(struct interims *t, uint32_t slots)
{
	t->of = calloc(slots, sizeof(*t->of));
	return t->of ? 0 : -ENOMEM;
}

void interims_free(struct interims *t)
{
	free(t->of);
	t->of = NULL;
}

const struct interim *interims_find(const struct interims *t, uint32_t slot, uint32_t generation)
{
	const struct interim *e = t->of ? &t->of[slot] : NULL;

	return e && e->held && e->generation == generation ? e : NULL;
}

void interims_drop(struct interims *t, uint32_t slot)
{
	struct interim *e = t->of ? &t->of[slot] : NULL;

	if (!e || !e->held)
		return;
	*(e->older ? &t->of[e->older - 1].newer : &t->oldest[e->kind]) = e->newer;
	*(e->newer ? &t->of[e->newer - 1].older : &t->newest[e->kind]) = e->older;
	e->held = false;
}

void interims_put(struct interims *t, uint32_t slot, const struct interim *what)
{
	struct interim *e = &t->of[slot];
	bool final = what->complete || interims_final(t, slot, what->generation);

	interims_drop(t, slot);
	*e = *what;
	e->final = final;
	e->held = true;
	e->order = ++t->reports;
	e->newer = 0;
	e->older = t->newest[e->kind];
	*(e->older ? &t->of[e->older - 1].newer : &t->oldest[e->kind]) = slot + 1;
	t->newest[e->kind] = slot + 1;
}

void interims_end(struct interims *t, uint32_t slot, uint32_t generation, uint32_t fate)
{
	if (!t->of)
		return;
	interims_drop(t, slot);
	t->of[slot].generation = generation;
	t->of[slot].final = true;
	t->of[slot].fate = fate;
}

const struct interim *interims_final(const struct interims *t, uint32_t slot, uint32_t generation)
{
	const struct interim *e = t->of ? &t->of[slot] : NULL;

	return e && e->final && e->generation == generation ? e : NULL;
}

uint32_t interims_oldest(const struct interims *t, unsigned kinds)
{
	uint32_t found = 0;

	for (unsigned kind = 0; kind < INTERIM_KINDS; kind++) {
		uint32_t slot = kinds >> kind & 1 ? t->oldest[kind] : 0;

		if (slot && (!found || t->of[slot - 1].order < t->of[found - 1].order))
			found = slot;
	}
	return found;
}
