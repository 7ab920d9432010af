// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Slots and blocks are added in steps, since memory that nobody has touched costs nothing. What is found by a hash
 * (sets, cells of numbers, cells of the watch filter) doubles: what is in place i belongs to i or to i + size from then
 * on, as the next bit of its hash says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/capture/flow_store.h"
#include "user/judge/flow_memory.h"

#define MOST_AT_ONCE 65536 /* slots or blocks added in one step */
#define SLOTS_A_SET 4      /* at most: a set of 7 ways is seldom full then */
#define SETS_A_SLOT 8      /* at most: it is the hash's fault then, or a tuple's that is used again and again */

/* ---- free places ---- */

/* The ring of a list that is empty, for so many places. */
static void grow_ring(struct free_list *l, uint32_t places)
{
	uint64_t old = (uint64_t)l->mask + 1, room = old;

	while (room < places)
		room *= 2;
	l->ring = must_grow(l->ring, old * sizeof(*l->ring), room * sizeof(*l->ring));
	l->mask = (uint32_t)(room - 1);
	l->spares->head = l->spares->tail = 0;
}

/* The lowest one will be taken first. */
static void free_from(struct free_list *l, uint32_t first, uint32_t end)
{
	for (uint32_t n = end; n-- > first;)
		l->ring[l->spares->tail++ & l->mask] = n + 1;
}

static uint32_t more_than(uint32_t old)
{
	return old + (old < MOST_AT_ONCE ? old : MOST_AT_ONCE);
}

/* ---- sets ---- */

/* The set that a slot is in. */
static uint32_t set_of(const struct flow_tables *t, const struct flow_slot *slot)
{
	uint64_t place = flow_tables_place(t, slot);

	return (slot->second ? second_set(place) : first_set(place)) & t->set_mask;
}

static void prefetch_slots(const struct flow_tables *t, const struct flow_set *set)
{
	for (unsigned i = 0; i < SET_WAYS; i++)
		if (set->way[i])
			__builtin_prefetch(&t->slots[way_slot(set->way[i]) - 1]);
}

#define SETS_AHEAD 4

/* Moves to its new half of the table what belongs there. */
static void split_sets(struct flow_tables *t, uint32_t old)
{
	for (uint32_t i = 0; i < old; i++) {
		if (i + SETS_AHEAD < old)
			prefetch_slots(t, &t->sets[i + SETS_AHEAD]);
		t->sets[i].spilled = 0;
		for (unsigned j = 0; j < SET_WAYS; j++) {
			uint64_t way = t->sets[i].way[j];

			if (!way || set_of(t, &t->slots[way_slot(way) - 1]) == i)
				continue;
			t->sets[i + old].way[j] = way;
			t->sets[i].way[j] = 0;
		}
	}
}

/* Moves a way into the first set of its slot, if there is room. */
static bool return_to(struct flow_set *first, struct flow_slot *slot, __u64 *way)
{
	for (unsigned i = 0; i < SET_WAYS; i++)
		if (!first->way[i]) {
			first->way[i] = *way;
			*way = 0;
			slot->second = 0;
			return true;
		}
	return false;
}

/* Each set counts those of its slots that are in their second one. */
static void return_spilled(struct flow_tables *t)
{
	for (uint32_t i = 0; i <= t->set_mask; i++)
		for (unsigned j = 0; j < SET_WAYS; j++) {
			__u64 *way = &t->sets[i].way[j];
			struct flow_slot *slot = *way ? &t->slots[way_slot(*way) - 1] : NULL;
			struct flow_set *first;

			if (i + SETS_AHEAD <= t->set_mask && !j)
				prefetch_slots(t, &t->sets[i + SETS_AHEAD]);
			if (!slot || !slot->second)
				continue;
			first = &t->sets[first_set(flow_tables_place(t, slot)) & t->set_mask];
			if (!return_to(first, slot, way))
				first->spilled++;
		}
}

void flow_store_grow_sets(struct flow_store *s)
{
	struct flow_tables *t = &s->tables;
	uint32_t old = t->set_mask + 1;

	t->sets = must_grow(t->sets, old * sizeof(*t->sets), 2UL * old * sizeof(*t->sets));
	t->set_mask = 2 * old - 1;
	split_sets(t, old);
	return_spilled(t);
}

/* ---- room in a set ---- */

/* Moves the way to the other set of its slot, if there is room. */
static bool move_way(struct flow_tables *t, __u64 *way)
{
	struct flow_slot *slot = &t->slots[way_slot(*way) - 1];
	uint64_t place = flow_tables_place(t, slot);
	struct flow_set *first = &t->sets[first_set(place) & t->set_mask];
	struct flow_set *other = slot->second ? first : &t->sets[second_set(place) & t->set_mask];

	for (unsigned i = 0; i < SET_WAYS; i++)
		if (!other->way[i]) {
			other->way[i] = *way;
			*way = 0;
			slot->second = !slot->second;
			first->spilled += slot->second ? 1 : -1ULL;
			return true;
		}
	return false;
}

static bool make_room(struct flow_tables *t, struct flow_set *set)
{
	for (unsigned i = 0; i < SET_WAYS; i++)
		if (move_way(t, &set->way[i]))
			return true;
	return false;
}

/* Are all ways of the set the tuple's own? More sets would be no help. */
static bool is_of_tuple(const struct flow_set *set, uint64_t place)
{
	for (unsigned i = 0; i < SET_WAYS; i++)
		if ((set->way[i] ^ place) >> WAY_TAG_SHIFT)
			return false;
	return true;
}

void flow_store_free_way(struct flow_store *s, uint64_t place)
{
	struct flow_tables *t = &s->tables;

	for (;;) {
		struct flow_set *first = &t->sets[first_set(place) & t->set_mask];
		struct flow_set *second = &t->sets[second_set(place) & t->set_mask];

		if (flow_set_has_room(first) || flow_set_has_room(second) || make_room(t, first) ||
		    make_room(t, second))
			return;
		if (is_of_tuple(first, place) && is_of_tuple(second, place))
			return;
		if (t->set_mask / SETS_A_SLOT >= t->slot_count)
			return;
		flow_store_grow_sets(s);
	}
}

/* ---- small arrays ---- */

/* Each cell becomes two that its connection may have now; both get what it holds, since the tag says whose it is. */
static void grow_last_seen(struct flow_tables *t)
{
	size_t old = (size_t)t->last_seen_mask + 1, bytes = old * sizeof(*t->last_seen);

	t->last_seen = must_grow(t->last_seen, bytes, 2 * bytes);
	memcpy(t->last_seen + old, t->last_seen, bytes);
	t->last_seen_mask = (uint32_t)(2 * old - 1);
}

/* The filter counts anew who is watched. */
static void grow_watch(struct flow_tables *t, uint32_t slots)
{
	size_t old = (size_t)t->watch_mask + 1;

	t->watch = must_grow(t->watch, old * sizeof(*t->watch), 2 * old * sizeof(*t->watch));
	memset(t->watch, 0, old * sizeof(*t->watch));
	t->watch_mask = (uint32_t)(2 * old - 1);
	for (uint32_t n = 0; n < slots; n++)
		if (t->slots[n].word & PHASE_WATCHED)
			t->watch[t->slots[n].hash & t->watch_mask]++;
}

/* ---- slots and blocks ---- */

void flow_store_grow_slots(struct flow_store *s)
{
	struct flow_tables *t = &s->tables;
	uint32_t old = t->slot_count, new = more_than(old);

	t->slots = must_grow(t->slots, old * sizeof(*t->slots), new * sizeof(*t->slots));
	grow_ring(&t->free_slots, new);
	t->slot_count = new;
	free_from(&t->free_slots, old, new);
	while (new > ((uint64_t)t->set_mask + 1) * SLOTS_A_SET)
		flow_store_grow_sets(s);
	while (new > (uint64_t)t->last_seen_mask + 1)
		grow_last_seen(t);
	while (new > (uint64_t)t->watch_mask + 1)
		grow_watch(t, old);
}

void flow_store_grow_blocks(struct flow_store *s)
{
	struct flow_tables *t = &s->tables;
	uint32_t old = t->block_count, new = more_than(old);

	t->blocks = must_grow(t->blocks, old * sizeof(*t->blocks), new * sizeof(*t->blocks));
	grow_ring(&t->free_closing, new);
	t->block_count = t->closing_blocks = new;
	free_from(&t->free_closing, old, new);
}

static void grow_small(struct flow_tables *t)
{
	uint32_t old = t->small_count, new = more_than(old);

	t->small = must_grow(t->small, old * SMALL_BYTES, new *SMALL_BYTES);
	grow_ring(&t->free_small, new);
	t->small_count = new;
	free_from(&t->free_small, SMALL_BLOCK + old, SMALL_BLOCK + new);
}

static uint32_t take_large(struct flow_store *s)
{
	uint32_t k = flow_store_take(s, &s->tables.free_closing);

	if (k)
		return k;
	flow_store_grow_blocks(s);
	return flow_store_take(s, &s->tables.free_closing);
}

uint32_t flow_store_take_block(struct flow_store *s)
{
	uint32_t k;

	if (!s->tables.small_count)
		return take_large(s);
	k = flow_store_take(s, &s->tables.free_small);
	if (k)
		return k;
	grow_small(&s->tables);
	return flow_store_take(s, &s->tables.free_small);
}

void flow_store_enlarge(struct flow_store *s, struct flow_slot *slot)
{
	struct flow_tables *t = &s->tables;
	uint32_t small = slot->block, k = take_large(s);
	struct flow_block *from = flow_tables_block(t, small);

	memcpy(flow_tables_block(t, k), from, SMALL_BYTES);
	memset(from, 0, SMALL_BYTES);
	slot->block = k;
	t->free_small.ring[t->free_small.spares->tail++ & t->free_small.mask] = small;
}

/* ---- from beginning to end ---- */

static bool allocate(struct flow_tables *t)
{
	t->slots = pages_grow(NULL, 0, t->slot_count * sizeof(*t->slots));
	t->blocks = pages_grow(NULL, 0, t->block_count * sizeof(*t->blocks));
	t->sets = pages_grow(NULL, 0, (t->set_mask + 1UL) * sizeof(*t->sets));
	t->last_seen = pages_grow(NULL, 0, (t->last_seen_mask + 1UL) * sizeof(*t->last_seen));
	t->watch = pages_grow(NULL, 0, (t->watch_mask + 1UL) * sizeof(*t->watch));
	t->free_slots.ring = pages_grow(NULL, 0, t->slot_count * sizeof(uint64_t));
	t->free_closing.ring = pages_grow(NULL, 0, t->block_count * sizeof(uint64_t));
	if (t->small_count) {
		t->small = pages_grow(NULL, 0, t->small_count * SMALL_BYTES);
		t->free_small.ring = pages_grow(NULL, 0, t->small_count * sizeof(uint64_t));
	}
	return t->slots && t->blocks && t->sets && t->last_seen && t->watch && t->free_slots.ring &&
	       t->free_closing.ring && (!t->small_count || (t->small && t->free_small.ring));
}

int flow_store_open(struct flow_store *s, const struct flow_store_sizes *sizes, const struct flow_hash_key *key)
{
	*s = (struct flow_store){.oldest_first = sizes->oldest_first};
	s->tables = (struct flow_tables){
		.slot_count = sizes->slots,
		.block_count = sizes->blocks,
		.closing_blocks = sizes->blocks,
		.set_mask = sizes->sets - 1,
		.last_seen_mask = sizes->cells - 1,
		.watch_mask = sizes->watch_cells - 1,
		.free_slots = {.spares = &s->spares[0], .mask = sizes->slots - 1},
		.free_closing = {.spares = &s->spares[1], .mask = sizes->blocks - 1},
		.free_opening = {.spares = &s->spares[2]},
		.small_count = sizes->small,
		.free_small = {.spares = &s->spares[3], .mask = sizes->small - 1},
		.established = &s->established,
		.place_key = key,
	};
	if (!allocate(&s->tables))
		return -ENOMEM;
	if (s->oldest_first) {
		flow_tables_fill(&s->tables);
		return 0;
	}
	free_from(&s->tables.free_slots, 0, sizes->slots);
	free_from(&s->tables.free_closing, 0, sizes->blocks);
	free_from(&s->tables.free_small, SMALL_BLOCK, SMALL_BLOCK + sizes->small);
	return 0;
}

void flow_store_close(struct flow_store *s)
{
	struct flow_tables *t = &s->tables;

	flow_tables_free(t);
	pages_free(t->slots, t->slot_count * sizeof(*t->slots));
	pages_free(t->blocks, t->block_count * sizeof(*t->blocks));
	pages_free(t->sets, (t->set_mask + 1UL) * sizeof(*t->sets));
	pages_free(t->last_seen, (t->last_seen_mask + 1UL) * sizeof(*t->last_seen));
	pages_free(t->watch, (t->watch_mask + 1UL) * sizeof(*t->watch));
	pages_free(t->free_slots.ring, (t->free_slots.mask + 1UL) * sizeof(uint64_t));
	pages_free(t->free_closing.ring, (t->free_closing.mask + 1UL) * sizeof(uint64_t));
	pages_free(t->small, t->small_count * SMALL_BYTES);
	pages_free(t->free_small.ring, (t->free_small.mask + 1UL) * sizeof(uint64_t));
}
