/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recorder around tables of a few places that do not grow, as in the kernel, so that they overflow. Notices wait
 * for user space in a ring of a few places.
 */
#ifndef TCPFIN_TEST_BOUNDED_TABLES_H
#define TCPFIN_TEST_BOUNDED_TABLES_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/core/flow_event.h"
#include "bpf/core/lost.h"
#include "user/judge/due.h"

#define BOUNDED_SLOTS 32 /* powers of two */
#define BOUNDED_SETS 16
#define BOUNDED_CLOSING 8
#define BOUNDED_OPENING 4
#define BOUNDED_CELLS 4096
#define BOUNDED_LOST_SETS 64
#define BOUNDED_NOTICES 8

struct tables {
	struct flow_tables memory;
	struct flow_set sets[BOUNDED_SETS];
	struct flow_slot slots[BOUNDED_SLOTS];
	struct flow_block blocks[BOUNDED_CLOSING + BOUNDED_OPENING];
	struct last_seen cells[BOUNDED_CELLS];
	struct lost_set lost[BOUNDED_LOST_SETS];
	struct spares spares[3];
	uint64_t rings[3][BOUNDED_SLOTS];
	uint32_t watch[WATCH_CELLS];
	uint32_t established, max_established;
	uint64_t lossy_until;
	uint64_t counters[COUNTERS];
	struct notice notices[BOUNDED_NOTICES];
	unsigned notice_count;
	bool notice_lost;
};

static inline struct flow_set *tables_set(struct tables *t, uint32_t index)
{
	return &t->sets[index & (BOUNDED_SETS - 1)];
}

static inline struct flow_slot *tables_slot(struct tables *t, uint32_t n)
{
	return n < BOUNDED_SLOTS ? &t->slots[n] : NULL;
}

static inline struct flow_block *tables_block(struct tables *t, uint32_t n)
{
	return n < COUNT(t->blocks) ? &t->blocks[n] : NULL;
}

static inline struct flow_block *tables_room(struct tables *t, uint32_t n, struct flow_block *b, uint32_t at)
{
	(void)t, (void)n, (void)at;
	return b;
}

static inline struct last_seen *tables_last_seen(struct tables *t, uint64_t hash)
{
	return &t->cells[hash >> 32 & (BOUNDED_CELLS - 1)];
}

static inline struct lost_set *tables_lost(struct tables *t, uint64_t hash)
{
	return &t->lost[hash >> 32 & (BOUNDED_LOST_SETS - 1)];
}

static inline void tables_lossy_until(struct tables *t, uint64_t time)
{
	t->lossy_until = time;
}

static inline bool tables_is_lossy(const struct tables *t, uint64_t now)
{
	return now < t->lossy_until;
}

static inline uint32_t take_from(struct free_list *l)
{
	return l->spares->head == l->spares->tail ? 0 : (uint32_t)l->ring[l->spares->head++ & l->mask];
}

static inline bool tables_spare(const struct tables *t)
{
	return t->spares[0].head != t->spares[0].tail;
}

static inline void tables_twin(struct tables *t, uint32_t n)
{
	(void)t;
	(void)n;
}

static inline uint32_t tables_take_slot(struct tables *t)
{
	return take_from(&t->memory.free_slots);
}

static inline uint32_t tables_take_block(struct tables *t, unsigned pool)
{
	return take_from(pool ? &t->memory.free_opening : &t->memory.free_closing);
}

static inline void tables_reserve(struct tables *t, uint64_t place)
{
	(void)t;
	(void)place;
}

static inline uint32_t tables_place(struct tables *t, const struct flow_slot *slot)
{
	(void)t;
	return slot->hash;
}

static inline uint32_t tables_openings(const struct tables *t)
{
	(void)t;
	return SET_WAYS + 1; /* no opening connection is evicted while the set has another place */
}

static inline int tables_count(struct tables *t, unsigned counter)
{
	t->counters[counter]++;
	return 0;
}

static inline void tables_watch(struct tables *t, uint32_t hash, int by)
{
	t->watch[hash & (WATCH_CELLS - 1)] += (uint32_t)by;
}

static inline void tables_established(struct tables *t, int by)
{
	t->established += (uint32_t)by;
}

static inline bool tables_establish(struct tables *t)
{
	bool room = t->established < t->max_established;

	t->established += room;
	return room;
}

static inline void tables_forget(struct tables *t, uint64_t hash)
{
	last_seen_forget(tables_last_seen(t, hash), hash);
}

static inline void tables_notice(struct tables *t, uint32_t n, uint64_t word, unsigned kind, uint64_t time)
{
	if (kind > NOTICE_LOST)
		return;
	if (t->notice_count == BOUNDED_NOTICES) {
		t->notice_lost = true;
		return;
	}
	t->notices[t->notice_count++] =
		(struct notice){.time = time, .slot = n, .generation = (uint32_t)(word >> 32), .kind = kind};
}

static inline void tables_remember(struct tables *t, const struct work *w, const struct tcp_segment *s,
				   const struct flow_slot *slot);

#include "bpf/core/recorder.h"

static inline void tables_remember(struct tables *t, const struct work *w, const struct tcp_segment *s,
				   const struct flow_slot *slot)
{
	last_seen_begin(tables_last_seen(t, w->hash), &slot->open, s, w->side, w->hash);
}

static inline void bounded_begin(struct tables *t, uint32_t max_established, uint32_t openings_max)
{
	struct flow_tables *m = &t->memory;

	memset(t, 0, sizeof(*t));
	t->max_established = max_established;
	*m = (struct flow_tables){
		.sets = t->sets,
		.set_mask = BOUNDED_SETS - 1,
		.slots = t->slots,
		.slot_count = BOUNDED_SLOTS,
		.blocks = t->blocks,
		.block_count = COUNT(t->blocks),
		.closing_blocks = BOUNDED_CLOSING,
		.watch = t->watch,
		.watch_mask = WATCH_CELLS - 1,
		.last_seen = t->cells,
		.last_seen_mask = BOUNDED_CELLS - 1,
		.established = &t->established,
		.free_slots = {&t->spares[0], t->rings[0], BOUNDED_SLOTS - 1},
		.free_closing = {&t->spares[1], t->rings[1], BOUNDED_SLOTS - 1},
		.free_opening = {&t->spares[2], t->rings[2], BOUNDED_SLOTS - 1},
		.buried_max = BOUNDED_SLOTS,
		.spare_slots = BOUNDED_SLOTS / 8,
		.openings_max = openings_max,
	};
	flow_tables_fill(m);
}

/* A packet of the hook: the filter, then the recorder. */
static inline void bounded_segment(struct tables *t, const struct tcp_segment *s)
{
	const struct flow_hash_key key = flow_hash_key_of(42);
	struct work w = {.side = flow_side_of(s), .hash = flow_hash(s, 0, &key)};

	w.place = w.hash;
	if (!(s->flags & TCP_CONTROL))
		last_seen_note(tables_last_seen(t, w.hash), s, w.side, w.hash);
	if (s->flags & TCP_CONTROL || t->watch[w.hash >> 32 & (WATCH_CELLS - 1)])
		record_segment(t, &w, s);
	assert_false(w.again); /* there is no other CPU */
}

/* User space's turn. */
static inline void bounded_poll(struct tables *t, struct due *d, uint64_t now)
{
	for (unsigned i = 0; i < t->notice_count; i++)
		due_notice(d, &t->notices[i], now);
	t->notice_count = 0;
	due_scan(d, 0, BOUNDED_SLOTS, now);
	due_expire(d, now);
	t->counters[COUNT_UNPROVEN_EVICTED] += flow_tables_relieve(&t->memory);
}

#endif
