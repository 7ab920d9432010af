/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recorder's tables for a capture file: they begin small and grow, and no connection gives way to another.
 *
 * Whatever grows may move: a pointer into the tables is good until the next call of a function of this file.
 */
#ifndef TCPFIN_FLOW_STORE_H
#define TCPFIN_FLOW_STORE_H

#include "user/judge/flow_tables.h"

/* Where they begin: powers of two. */
struct flow_store_sizes {
	uint32_t slots, sets, blocks, cells, watch_cells;
	uint32_t small; /* blocks of SMALL_BYTES; 0: there are none */
	/*
	 * Free slots and blocks are given out oldest first, as by the kernel. Else the one that was given back last is
	 * the next: the caches still have it.
	 */
	bool oldest_first;
};

struct flow_store {
	struct flow_tables tables;
	struct spares spares[4]; /* slots, blocks for closes, for what opens (none here), small ones */
	uint32_t established;
	bool oldest_first;
};

/*
 * key: of the hash that chooses the sets; it must outlive the store. -ENOMEM where memory is short; flow_store_close in
 * both cases. Functions that make a store grow end the program then.
 */
int flow_store_open(struct flow_store *s, const struct flow_store_sizes *sizes, const struct flow_hash_key *key);
void flow_store_close(struct flow_store *s);
/* More slots; the other tables grow along. */
void flow_store_grow_slots(struct flow_store *s);
void flow_store_grow_blocks(struct flow_store *s);
/* A block, a small one if there are such: its number + 1. */
uint32_t flow_store_take_block(struct flow_store *s);
/* Moves the log of the slot from a small block to a large one. */
void flow_store_enlarge(struct flow_store *s, struct flow_slot *slot);
/* Twice as many sets: each is split in place. */
void flow_store_grow_sets(struct flow_store *s);

/*
 * Makes a way free in one of the two sets of a tuple, so that no connection gives its way to another. It fails where
 * too many connections of one tuple fill them. place: see struct work.
 */
void flow_store_free_way(struct flow_store *s, uint64_t place);

static inline bool flow_set_has_room(const struct flow_set *set)
{
	for (unsigned i = 0; i < SET_WAYS; i++)
		if (!set->way[i])
			return true;
	return false;
}

/* Takes a free slot or block: its number + 1; 0: there is none. */
static inline uint32_t flow_store_take(const struct flow_store *s, struct free_list *l)
{
	if (l->spares->head == l->spares->tail)
		return 0;
	return (uint32_t)l->ring[(s->oldest_first ? l->spares->head++ : --l->spares->tail) & l->mask];
}

#endif
