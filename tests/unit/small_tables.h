/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of a few slots, filled by hand: what user space does with them is tested without a recorder.
 */
#ifndef TCPFIN_TEST_SMALL_TABLES_H
#define TCPFIN_TEST_SMALL_TABLES_H

#include "user/judge/flow_tables.h"
#include "tests/unit/conversation.h"

#define SLOTS 8
#define SETS 4
#define BLOCKS 4

struct small_tables {
	struct flow_tables t;
	struct flow_set sets[SETS];
	struct flow_slot slots[SLOTS];
	struct flow_block blocks[BLOCKS];
	struct last_seen cells[1];
	struct spares spares[3];
	uint64_t rings[3][SLOTS];
	uint32_t watch[WATCH_CELLS];
	uint32_t established;
};

static inline void begin_tables(struct small_tables *s)
{
	memset(s, 0, sizeof(*s));
	s->t = (struct flow_tables){
		.sets = s->sets,
		.set_mask = SETS - 1,
		.slots = s->slots,
		.slot_count = SLOTS,
		.blocks = s->blocks,
		.block_count = BLOCKS,
		.closing_blocks = BLOCKS / 2,
		.watch = s->watch,
		.watch_mask = WATCH_CELLS - 1,
		.last_seen = s->cells,
		.established = &s->established,
		.free_slots = {&s->spares[0], s->rings[0], SLOTS - 1},
		.free_closing = {&s->spares[1], s->rings[1], SLOTS - 1},
		.free_opening = {&s->spares[2], s->rings[2], SLOTS - 1},
		.buried_max = 2,
	};
	flow_tables_fill(&s->t);
}

/* How many of a free list are there. */
static inline uint32_t free_in(const struct small_tables *s, unsigned list)
{
	return s->spares[list].tail - s->spares[list].head;
}

/* Takes the next slot for a connection whose handshake was seen, in the first or second of its sets. Returns it. */
static inline uint32_t put_connection(struct small_tables *s, uint64_t phase, bool second)
{
	uint32_t n = (uint32_t)s->rings[0][s->spares[0].head++ & (SLOTS - 1)] - 1;
	struct flow_slot *slot = &s->slots[n];
	uint64_t place = (uint64_t)(0x40 + n) << 32;
	struct flow_set *set = &s->sets[(second ? second_set(place) : first_set(place)) & (SETS - 1)];
	unsigned i = 0;

	slot->hash = 0x40 + n;
	slot->family = 4;
	slot->second = second;
	slot->word = (slot->word & ~0xffffffffULL) | phase;
	slot->open = (struct flow_open){
		.seen = OPEN_SYN | OPEN_SYNACK | OPEN_ACK,
		.t_syn = EPOCH,
		.t_synack = EPOCH + MS,
		.t_ack = EPOCH + 2 * MS,
		.isn = {1000, 2000},
		.wscale = {SEGMENT_NO_WSCALE, SEGMENT_NO_WSCALE},
		.syn_flags = SYN,
		.synack_flags = SYN | ACK,
	};
	while (set->way[i])
		i++;
	set->way[i] = way_make(way_tag(place), n + 1, WAY_HELD, 0);
	s->sets[first_set(place) & (SETS - 1)].spilled += second;
	s->watch[slot->hash] += (phase & PHASE_WATCHED) != 0;
	s->established += is_established(phase);
	return n;
}

/* Gives the slot a block of those for closes, without entries. */
static inline struct flow_block *put_block(struct small_tables *s, uint32_t n)
{
	uint32_t k = (uint32_t)s->rings[1][s->spares[1].head++ & (SLOTS - 1)];

	s->slots[n].block = k;
	s->blocks[k - 1].slot = n + 1;
	return &s->blocks[k - 1];
}

/* Adds an entry to the log. seq and ack are those of the header. */
static inline void put_entry(struct small_tables *s, uint32_t n, uint64_t time, unsigned side, uint8_t flags,
			     uint32_t seq, uint32_t ack)
{
	struct flow_block *b = &s->blocks[s->slots[n].block - 1];

	b->entry[word_entries(s->slots[n].word)] = (struct log_entry){
		.time = time,
		.seq = seq,
		.ack = ack,
		.win = 1000,
		.flags = flags,
		.ttl = 64,
		.option = SEGMENT_NO_WSCALE,
		.bits = ENTRY_WHOLE | (side ? ENTRY_SIDE : 0),
	};
	b->progress = time;
	s->slots[n].word += WORD_ENTRY;
}

static inline unsigned ways_used(const struct small_tables *s)
{
	unsigned used = 0;

	for (unsigned i = 0; i < SETS; i++)
		for (unsigned j = 0; j < SET_WAYS; j++)
			used += s->sets[i].way[j] != 0;
	return used;
}

#endif
