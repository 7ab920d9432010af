// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables that grow: every slot stays in one of its two sets, and the filter goes on counting who is watched.
 */
#include "tests/unit/assert.h"

#include <stdlib.h>

#include "user/capture/flow_store.h"

#define SLOTS 20000
static const struct flow_hash_key key = {{7, 11, 13, 17}};

static const struct flow_store_sizes small = {.slots = 16, .sets = 4, .blocks = 4, .cells = 16, .watch_cells = 8};

/* A slot for the n-th tuple, in the first of its sets that has room. Returns slot + 1. */
static uint32_t add(struct flow_store *s, uint32_t n)
{
	struct flow_tables *t = &s->tables;
	struct flow_slot *slot;
	struct flow_set *set;
	uint64_t place;
	uint32_t k = flow_store_take(s, &t->free_slots);

	if (!k) {
		flow_store_grow_slots(s);
		k = flow_store_take(s, &t->free_slots);
	}
	slot = &t->slots[k - 1];
	*slot = (struct flow_slot){.addr[0].lo = n, .addr[1].lo = ~0ULL, .family = 4, .hash = n * 2654435761u};
	slot->word = PHASE_OPEN | (n & 1 ? PHASE_WATCHED : 0);
	t->watch[slot->hash & t->watch_mask] += n & 1;
	place = flow_tables_place(t, slot);
	flow_store_free_way(s, place);
	set = &t->sets[first_set(place) & t->set_mask];
	slot->second = !flow_set_has_room(set);
	if (slot->second) {
		set->spilled++;
		set = &t->sets[second_set(place) & t->set_mask];
	}
	for (unsigned i = 0; i < SET_WAYS; i++)
		if (!set->way[i]) {
			set->way[i] = way_make(way_tag(place), k, WAY_HELD, 0);
			return k;
		}
	fail_msg("no way is free for tuple %u", n);
	return 0;
}

/* Each way is in the set that its slot says, and each set counts those of its slots that are in their second one. */
static void check(const struct flow_tables *t, uint32_t count)
{
	uint64_t *spilled = calloc(t->set_mask + 1UL, sizeof(*spilled));
	uint32_t ways = 0;

	assert_non_null(spilled);
	for (uint32_t i = 0; i <= t->set_mask; i++)
		for (unsigned j = 0; j < SET_WAYS; j++) {
			const struct flow_slot *slot = &t->slots[way_slot(t->sets[i].way[j]) - 1];
			uint64_t place;

			if (!t->sets[i].way[j])
				continue;
			place = flow_tables_place(t, slot);
			expect_int((slot->second ? second_set(place) : first_set(place)) & t->set_mask, i);
			spilled[first_set(place) & t->set_mask] += slot->second;
			ways++;
		}
	expect_int(ways, count);
	for (uint32_t i = 0; i <= t->set_mask; i++)
		expect_int(t->sets[i].spilled, spilled[i]);
	free(spilled);
}

static uint64_t watched(const struct flow_tables *t)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i <= t->watch_mask; i++)
		sum += t->watch[i];
	return sum;
}

TEST(test_tables_grow)
{
	struct flow_store s;

	expect_int(flow_store_open(&s, &small, &key), 0);
	for (uint32_t n = 0; n < SLOTS; n++) {
		uint32_t k = add(&s, n); /* which may move the slots */

		expect_int(s.tables.slots[k - 1].addr[0].lo, n);
		if (n % 1000 == 0 || n < 40)
			check(&s.tables, n + 1);
	}
	check(&s.tables, SLOTS);
	expect_int(watched(&s.tables), SLOTS / 2);
	assert_true(s.tables.watch_mask + 1 >= SLOTS && s.tables.last_seen_mask + 1 >= SLOTS);
	assert_true((s.tables.set_mask + 1UL) * SET_WAYS < 4 * SLOTS); /* of the places half are in use at least */
	flow_store_close(&s);
}

/* What is given back last is taken first, unless the kernel's order is asked for. */
TEST(test_order_of_free_places)
{
	struct flow_store_sizes sizes = small;
	struct flow_store s;

	for (int oldest_first = 0; oldest_first < 2; oldest_first++) {
		uint32_t k;

		sizes.oldest_first = oldest_first;
		expect_int(flow_store_open(&s, &sizes, &key), 0);
		k = flow_store_take(&s, &s.tables.free_slots);
		s.tables.free_slots.ring[s.spares[0].tail++ & s.tables.free_slots.mask] = k;
		assert_true((flow_store_take(&s, &s.tables.free_slots) == k) == !oldest_first);
		flow_store_close(&s);
	}
}

/* A growing table keeps what it holds, zeroed behind it. */
TEST(test_blocks_grow)
{
	struct flow_store s;

	expect_int(flow_store_open(&s, &small, &key), 0);
	for (uint32_t n = 1; n <= 1000; n++) {
		uint32_t k = flow_store_take(&s, &s.tables.free_closing);

		if (!k) {
			flow_store_grow_blocks(&s);
			k = flow_store_take(&s, &s.tables.free_closing);
		}
		expect_int(s.tables.blocks[k - 1].slot, 0);
		s.tables.blocks[k - 1].slot = n;
	}
	flow_store_close(&s);
}

/* Small blocks come first. One that is full goes on in a large one, with what it holds, and is free again. */
TEST(test_small_blocks)
{
	struct flow_store_sizes sizes = small;
	struct flow_slot slot = {0};
	struct flow_block *b;
	struct flow_store s;
	uint32_t first;

	sizes.small = 2;
	expect_int(flow_store_open(&s, &sizes, &key), 0);
	for (uint32_t n = 1; n <= 1000; n++) {
		uint32_t k = flow_store_take_block(&s);

		assert_true(block_is_small(k));
		b = flow_tables_block(&s.tables, k);
		expect_int(b->slot, 0);
		b->slot = n;
		b->entry[SMALL_ENTRIES - 1].seq = n;
		slot.block = first = k;
	}
	flow_store_enlarge(&s, &slot);
	assert_false(block_is_small(slot.block));
	b = flow_tables_block(&s.tables, slot.block);
	expect_int(b->slot, 1000);
	expect_int(b->entry[SMALL_ENTRIES - 1].seq, 1000);
	expect_int(b->entry[SMALL_ENTRIES].bits, 0);
	expect_int(flow_store_take_block(&s), first);
	expect_int(flow_tables_block(&s.tables, first)->slot, 0);
	flow_store_close(&s);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
