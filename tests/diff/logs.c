// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Both recorders hand out slots in one order, so a connection has the same slot in both, in the same generation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/fields.h"
#include "tests/diff/logs.h"

/* ---- one connection ---- */

static const struct flow_block *block_of(const struct recorded *r, uint32_t n)
{
	uint32_t k = r->tables->slots[n].block;

	return k ? &r->tables->blocks[k - 1] : NULL;
}

static bool same_entries(const struct recorded *a, const struct recorded *b, uint32_t n, struct compared *compared,
			 bool explain)
{
	const struct flow_block *x = block_of(a, n), *y = block_of(b, n);
	uint32_t count = word_entries(a->tables->slots[n].word);
	bool same = true;

	for (uint32_t i = 0; i < count && i < BLOCK_ENTRIES; i++) {
		compared->entries++;
		if (fields_equal(FIELDS_ENTRY, &x->entry[i], &y->entry[i]))
			continue;
		same = false;
		if (explain) {
			printf("#    slot %u, entry %u of %u\n", n, i, count);
			fields_explain(FIELDS_ENTRY, &x->entry[i], &y->entry[i], a->name, b->name);
		}
	}
	return same;
}

static bool same_block(const struct recorded *a, const struct recorded *b, uint32_t n, struct compared *compared,
		       bool explain)
{
	const struct flow_block *x = block_of(a, n), *y = block_of(b, n);

	if (!x && !y)
		return true;
	if (!x || !y) {
		if (explain)
			printf("#    slot %u: %s has no log\n", n, x ? b->name : a->name);
		return false;
	}
	if (fields_equal(FIELDS_BLOCK, x, y))
		return same_entries(a, b, n, compared, explain);
	if (explain) {
		printf("#    slot %u, log\n", n);
		fields_explain(FIELDS_BLOCK, x, y, a->name, b->name);
	}
	return false;
}

static bool same_traffic(const struct recorded *a, const struct recorded *b, uint32_t n, bool explain)
{
	const struct traffic *x = a->traffic(a->context, n), *y = b->traffic(b->context, n);

	if ((!x && !y) || (x && y && !memcmp(x, y, sizeof(*x))))
		return true;
	if (explain)
		printf("#    slot %u: the traffic differs%s%s\n", n, x && y ? "" : ", not counted by ",
		       x && y ? "" : (x ? b->name : a->name));
	return false;
}

/* Compares what slot n holds. A slot without a connection has nothing but its generation. */
static bool same_slot(const struct recorded *a, const struct recorded *b, uint32_t n, struct compared *compared,
		      bool explain)
{
	const struct flow_slot *x = &a->tables->slots[n], *y = &b->tables->slots[n];

	if (x->word == y->word && !word_phase(x->word))
		return true;
	compared->slots++;
	if (!fields_equal(FIELDS_SLOT, x, y)) {
		if (explain) {
			printf("#    slot %u\n", n);
			fields_explain(FIELDS_SLOT, x, y, a->name, b->name);
		}
		return false;
	}
	return same_block(a, b, n, compared, explain) && same_traffic(a, b, n, explain);
}

/* Slots from there on have not been used since the tables were filled. */
static uint32_t slots_used(const struct recorded *r)
{
	uint32_t head = r->tables->free_slots.spares->head;

	return head < r->tables->slot_count ? head : r->tables->slot_count;
}

bool logs_equal(const struct recorded *a, const struct recorded *b, struct compared *compared, bool explain)
{
	uint32_t used = slots_used(a);
	bool equal = true;

	if (slots_used(b) != used || a->tables->slot_count != b->tables->slot_count ||
	    *a->tables->established != *b->tables->established) {
		if (explain)
			printf("#    used of slots: %s %u of %u, %s %u of %u; established: %s %u, %s %u\n", a->name,
			       used, a->tables->slot_count, b->name, slots_used(b), b->tables->slot_count, a->name,
			       *a->tables->established, b->name, *b->tables->established);
		return false;
	}
	for (uint32_t n = 0; n < used; n++)
		equal &= same_slot(a, b, n, compared, explain);
	return equal;
}

/* ---- nothing left ---- */

static bool complain(const struct recorded *r, bool explain, const char *what, uint32_t at)
{
	if (explain)
		printf("#    %s, when all is reported: %s %u\n", r->name, what, at);
	return false;
}

static uint32_t free_of(const struct free_list *l)
{
	return l->spares->tail - l->spares->head;
}

/* Does each set count the slots that should be in it but are in their second one? */
static bool spilled_is_right(const struct recorded *r, bool explain)
{
	const struct flow_tables *t = r->tables;
	uint64_t *spilled = calloc(t->set_mask + 1, sizeof(*spilled));
	uint32_t i;

	if (!spilled)
		abort();
	for (uint32_t n = 0; n < slots_used(r); n++)
		if (word_phase(t->slots[n].word) && t->slots[n].second)
			spilled[first_set(flow_tables_place(t, &t->slots[n])) & t->set_mask]++;
	for (i = 0; i <= t->set_mask && t->sets[i].spilled == spilled[i]; i++)
		;
	free(spilled);
	return i > t->set_mask || complain(r, explain, "a wrong count of spilled slots in set", i);
}

/* Does each way lead to a slot that was reported, and to none else? */
static bool ways_are_right(const struct recorded *r, bool explain)
{
	const struct flow_tables *t = r->tables;
	uint32_t ways = 0, reported = 0;

	for (uint32_t i = 0; i <= t->set_mask; i++)
		for (unsigned j = 0; j < SET_WAYS; j++) {
			if (!t->sets[i].way[j])
				continue;
			ways++;
			if (way_kind(t->sets[i].way[j]) != WAY_REPORTED)
				return complain(r, explain, "a way that is in use in set", i);
		}
	for (uint32_t n = 0; n < slots_used(r); n++) {
		reported += word_phase(t->slots[n].word) != 0;
		if (word_phase(t->slots[n].word) && !(t->slots[n].word & PHASE_REPORTED))
			return complain(r, explain, "a connection in slot", n);
		if (t->slots[n].block)
			return complain(r, explain, "a log at slot", n);
	}
	return ways == reported || complain(r, explain, "another number of ways than of reported slots:", ways);
}

bool logs_drained(const struct recorded *r, bool explain)
{
	const struct flow_tables *t = r->tables;

	if (*t->established)
		return complain(r, explain, "connections counted as established:", *t->established);
	if (free_of(&t->free_closing) + free_of(&t->free_opening) != t->block_count)
		return complain(r, explain, "blocks taken:", t->block_count - free_of(&t->free_closing));
	return ways_are_right(r, explain) && spilled_is_right(r, explain);
}
