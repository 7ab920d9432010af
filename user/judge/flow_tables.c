// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A slot goes from the recorder to the judge by one compare-and-swap of its word: whoever changed it first has won,
 * and the other one looks again. What follows (block, way, counts) belongs to the winner alone.
 */
#include <stdlib.h>
#include <string.h>

#include "user/judge/flow_tables.h"

/* ---- free places ---- */

static void give_back(struct free_list *l, uint32_t n)
{
	uint32_t tail = l->spares->tail;

	l->ring[tail & l->mask] = n + 1;
	__atomic_store_n(&l->spares->tail, tail + 1, __ATOMIC_RELEASE);
}

static uint32_t free_count(const struct free_list *l)
{
	return l->spares->tail - __atomic_load_n(&l->spares->head, __ATOMIC_ACQUIRE);
}

static struct free_list *pool_of(struct flow_tables *t, uint32_t block)
{
	if (block & SMALL_BLOCK)
		return &t->free_small;
	return block < t->closing_blocks ? &t->free_closing : &t->free_opening;
}

void flow_tables_fill(struct flow_tables *t)
{
	for (uint32_t n = 0; n < t->slot_count; n++)
		give_back(&t->free_slots, n);
	for (uint32_t n = 0; n < t->block_count; n++)
		give_back(pool_of(t, n), n);
}

void flow_tables_free(struct flow_tables *t)
{
	free(t->buried);
	t->buried = NULL;
}

/* ---- places ---- */

uint64_t flow_tables_place(const struct flow_tables *t, const struct flow_slot *slot)
{
	if (!t->place_key)
		return (uint64_t)slot->hash << 32;
	return flow_hash_of(
		flow_ends_of(slot->family, &slot->addr[0], slot->port[0], &slot->addr[1], slot->port[1], t->place_key)
			.hash,
		slot->ifindex ^ flow_tunnel_salt(slot->tunnel, slot->open.tunnel_id));
}

/* place: of the slot's tuple. */
static __u64 *way_of(const struct flow_tables *t, uint32_t n, uint64_t place)
{
	struct flow_set *set = &t->sets[(t->slots[n].second ? second_set(place) : first_set(place)) & t->set_mask];

	for (unsigned i = 0; i < SET_WAYS; i++)
		if (way_slot(set->way[i]) == n + 1)
			return &set->way[i];
	return NULL;
}

/*
 * The way's kind, and with WAY_FREE its slot, too. The recorder may be looking at it, and takes it only by the same
 * means.
 */
static void set_way(const struct flow_tables *t, uint32_t n, uint64_t place, enum way_kind kind)
{
	__u64 *way = way_of(t, n, place), old, new;

	if (!way)
		return;
	old = __atomic_load_n(way, __ATOMIC_ACQUIRE);
	do {
		if (way_slot(old) != n + 1)
			return;
		new = kind == WAY_FREE ? 0 : (old & ~(7ULL << WAY_KIND_SHIFT)) | (uint64_t)kind << WAY_KIND_SHIFT;
	} while (!__atomic_compare_exchange_n(way, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

/*
 * The slot, which holds `word`, is nobody's any more. False: it has changed; a new connection may have taken it over.
 */
static bool free_placed_slot(struct flow_tables *t, uint32_t n, uint64_t word, uint64_t place)
{
	struct flow_slot *slot = &t->slots[n];
	bool second = slot->second;
	__u64 expected = word;

	if (!__atomic_compare_exchange_n(&slot->word, &expected, (word >> 32 << 32) + WORD_GENERATION, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return false;
	set_way(t, n, place, WAY_FREE);
	if (second)
		__atomic_fetch_sub(&t->sets[first_set(place) & t->set_mask].spilled, 1, __ATOMIC_RELAXED);
	give_back(&t->free_slots, n);
	return true;
}

static bool free_slot(struct flow_tables *t, uint32_t n, uint64_t word)
{
	return free_placed_slot(t, n, word, flow_tables_place(t, &t->slots[n]));
}

static void free_block(struct flow_tables *t, struct flow_slot *slot)
{
	uint32_t k = slot->block;
	struct flow_block *b = flow_tables_block(t, k);

	if (!b)
		return;
	for (unsigned i = 0; i < block_entries(k) && b->entry[i].bits; i++)
		b->entry[i].bits = 0;
	b->slot = 0;
	slot->block = 0;
	give_back(pool_of(t, k - 1), k - 1);
}

static void lower_watch(struct flow_tables *t, const struct flow_slot *slot)
{
	__atomic_fetch_sub(&t->watch[slot->hash & t->watch_mask], 1, __ATOMIC_RELAXED);
}

/* ---- reported ones ---- */

#define BURIED_AHEAD 4

/* Slots and sets of those that were reported long ago have left the caches. */
static void fetch_buried(const struct flow_tables *t)
{
	const struct buried *b = &t->buried[(t->buried_first + BURIED_AHEAD) & (t->buried_room - 1)];

	__builtin_prefetch(&t->slots[b->slot], 1);
	__builtin_prefetch(&t->slots[b->slot].open.isn, 1);
	__builtin_prefetch(&t->sets[b->place & t->set_mask], 1);
}

/* The oldest one goes. */
static void unbury(struct flow_tables *t)
{
	struct buried b = t->buried[t->buried_first & (t->buried_room - 1)];
	uint64_t word = __atomic_load_n(&t->slots[b.slot].word, __ATOMIC_ACQUIRE);

	if (t->buried_count > BURIED_AHEAD)
		fetch_buried(t);
	t->buried_first++;
	t->buried_count--;
	if (word >> 32 == b.generation && word & PHASE_REPORTED)
		free_placed_slot(t, b.slot, word, (uint64_t)b.place << 32);
}

static bool buried_grow(struct flow_tables *t)
{
	uint32_t room = t->buried_room ? t->buried_room * 2 : 1024;
	struct buried *ring = malloc(room * sizeof(*ring));

	if (!ring)
		return false;
	for (uint32_t i = 0; i < t->buried_count; i++)
		ring[i] = t->buried[(t->buried_first + i) & (t->buried_room - 1)];
	free(t->buried);
	t->buried = ring;
	t->buried_room = room;
	t->buried_first = 0;
	return true;
}

/* The slot of a reported connection goes into the ring, whose oldest ones are freed where slots are scarce. */
static void put_in_ring(struct flow_tables *t, uint32_t n, uint64_t word, uint64_t place)
{
	if (t->buried_count == t->buried_room && !buried_grow(t)) {
		free_placed_slot(t, n, word, place);
		return;
	}
	t->buried[(t->buried_first + t->buried_count++) & (t->buried_room - 1)] =
		(struct buried){n, (uint32_t)(word >> 32), (uint32_t)(place >> 32)};
	while (t->buried_count > t->buried_max || (t->buried_count && free_count(&t->free_slots) < t->spare_slots))
		unbury(t);
}

/* Call last: from here on the recorder may take the slot for a new connection. */
static void bury(struct flow_tables *t, uint32_t n, uint64_t word)
{
	uint64_t place = flow_tables_place(t, &t->slots[n]);

	set_way(t, n, place, WAY_REPORTED);
	put_in_ring(t, n, word, place);
}

/* What tells copies of its segments from those of another connection. */
static void keep_numbers(struct flow_slot *slot, const struct flow *f)
{
	slot->open.idle = 0;
	for (unsigned i = 0; i < 2; i++) {
		const struct flow_side *me = &f->side[i];

		slot->fin_end[i] = me->seen & SIDE_FIN ? me->fin_end : me->now.end;
		slot->open.idle |= me->now.known & NUMBERS_END ? 1u << i : 0;
	}
}

/*
 * The recorder itself takes over a lost slot that has no block. One with a block waits for us: it is the connection's
 * own, since it was read before the word was changed.
 */
void flow_tables_bury_lost(struct flow_tables *t, uint32_t n)
{
	struct flow_slot *slot = &t->slots[n];
	__u64 word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);
	uint64_t next = (word & ~(uint64_t)PHASE_LOST) | PHASE_REPORTED;
	uint32_t block = __atomic_load_n(&slot->block, __ATOMIC_ACQUIRE);

	if (!is_lost(word) ||
	    !__atomic_compare_exchange_n(&slot->word, &word, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	t->gone++;
	if (!block) {
		put_in_ring(t, n, next, flow_tables_place(t, slot));
		return;
	}
	free_block(t, slot);
	bury(t, n, next);
}

uint32_t flow_tables_closing(const struct flow_tables *t)
{
	uint32_t used = t->closing_blocks - free_count(&t->free_closing);

	return used > t->held ? used - t->held : 0; /* those that are held have closed, as far as is known */
}

/* ---- room for what opens ---- */

/* An eighth of a pool of blocks is to be free, as `spare_slots` are. */
static bool blocks_scarce(const struct free_list *l, uint32_t blocks)
{
	return blocks && free_count(l) <= blocks / 8;
}

bool flow_tables_scarce(struct flow_tables *t, enum tables_room room)
{
	if (room == TABLES_CLOSING)
		return blocks_scarce(&t->free_closing, t->closing_blocks);
	if (room == TABLES_OPENING)
		return blocks_scarce(&t->free_opening, t->block_count - t->closing_blocks);
	while (t->buried_count && free_count(&t->free_slots) < t->spare_slots)
		unbury(t);
	return free_count(&t->free_slots) < t->spare_slots;
}

/* May the connection give its slot to others? It is opening, and nothing but its handshake is known of it. */
static bool may_give_way(const struct flow_slot *slot, uint64_t word)
{
	return (word & (PHASE_OPENING | PHASE_BEGUN | PHASE_REPORTED | PHASE_REPLACED)) == PHASE_OPENING &&
	       !slot->block;
}

/*
 * The mean of the times at which opening connections were last heard of. 0: there are no more than may be, so that it
 * is not they who leave no slot free.
 */
static uint64_t mean_opening_time(const struct flow_tables *t)
{
	uint64_t base = 0, sum = 0, count = 0;

	for (uint32_t n = 0; n < t->slot_count; n++) {
		const struct flow_slot *slot = &t->slots[n];

		if (!may_give_way(slot, __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE)))
			continue;
		base = base ? base : slot->open.t_ack;
		sum += slot->open.t_ack - base;
		count++;
	}
	return count > t->openings_max ? base + (uint64_t)((int64_t)sum / (int64_t)count) : 0;
}

unsigned flow_tables_relieve(struct flow_tables *t)
{
	uint64_t before = free_count(&t->free_slots) < t->spare_slots ? mean_opening_time(t) : 0;
	unsigned evicted = 0;

	for (uint32_t n = 0; before && n < t->slot_count; n++) {
		struct flow_slot *slot = &t->slots[n];
		uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);

		if (!may_give_way(slot, word) || slot->open.t_ack > before || !free_slot(t, n, word))
			continue;
		if (word & PHASE_WATCHED)
			lower_watch(t, slot);
		evicted++;
	}
	return evicted;
}

/* ---- fetching ahead ---- */

void flow_tables_prefetch_slot(const struct flow_tables *t, uint32_t n)
{
	__builtin_prefetch(&t->slots[n], 1);
	__builtin_prefetch(&t->slots[n].open.isn, 1);
}

void flow_tables_prefetch_rest(const struct flow_tables *t, uint32_t n)
{
	const struct flow_slot *slot = &t->slots[n];
	const struct flow_block *b = flow_tables_block(t, slot->block);
	uint64_t place = flow_tables_place(t, slot);

	__builtin_prefetch(&t->sets[(slot->second ? second_set(place) : first_set(place)) & t->set_mask], 1);
	__builtin_prefetch(&t->last_seen[slot->hash & t->last_seen_mask], 1);
	for (unsigned line = 0; b && line < 5; line++)
		__builtin_prefetch((const char *)b + 64UL * line, 1);
}

/* ---- judged ones ---- */

/* An open connection has no log: its numbers are those that are remembered of its last segments. */
static void lend_last_seen(const struct flow_tables *t, const struct flow_slot *slot, struct flow *f)
{
	struct block_side numbers[2];

	numbers_read(numbers, &t->last_seen[slot->hash & t->last_seen_mask], &slot->open, flow_slot_hash(slot));
	for (unsigned i = 0; i < 2; i++)
		flow_lend(f, i, &numbers[i].before);
}

/*
 * Of a connection that is older than the watch one side's FIN was seen. Does that side talk, and was the other one
 * never heard? Then that one passes elsewhere, and will not prove the FIN.
 */
static void note_half(const struct flow_tables *t, const struct flow_slot *slot, struct flow *f)
{
	const struct last_seen *last = &t->last_seen[slot->hash & t->last_seen_mask];
	uint64_t hash = flow_slot_hash(slot);

	for (unsigned i = 0; i < 2; i++)
		if (f->side[i].seen & SIDE_FIN && last_seen_is_of(&last->side[i], hash) &&
		    !last_seen_is_of(&last->side[!i], hash) && last_seen_near(f->side[i].fin_end, last->side[i].end))
			f->heard_before |= 1u << i;
}

static bool judge_at(const struct flow_tables *t, uint32_t n, struct judged *j, uint64_t word)
{
	const struct flow_slot *slot = &t->slots[n];

	j->slot = n;
	j->block = slot->block;
	return judge(j, slot, word, flow_tables_block(t, j->block), t->by_time);
}

bool flow_tables_judge(const struct flow_tables *t, uint32_t n, struct judged *j, uint64_t *word)
{
	const struct flow_slot *slot = &t->slots[n];

	*word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);
	if (!word_phase(*word) || *word & PHASE_REPORTED || !judge_at(t, n, j, *word))
		return false;
	if (*word & PHASE_OPEN && !(*word & (PHASE_BEGUN | PHASE_REPLACED)))
		lend_last_seen(t, slot, &j->flow);
	if (*word & PHASE_OPENING && *word & PHASE_MIDSTREAM)
		note_half(t, slot, &j->flow);
	return true;
}

/* The conversation is over: what was said in it proves no FIN or RST any more. */
static void forget_numbers(struct flow_tables *t, const struct flow_slot *slot)
{
	last_seen_forget(&t->last_seen[slot->hash & t->last_seen_mask], flow_slot_hash(slot));
}

bool flow_tables_take(struct flow_tables *t, uint32_t n, uint64_t word, const struct flow *f, bool keep)
{
	struct flow_slot *slot = &t->slots[n];
	uint64_t next = (word & ~(uint64_t)PHASE_WATCHED) | PHASE_REPORTED;
	__u64 expected = word;

	if (!__atomic_compare_exchange_n(&slot->word, &expected, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return false;
	t->gone++;
	if (word & PHASE_WATCHED)
		lower_watch(t, slot);
	if (is_established(word))
		__atomic_fetch_sub(t->established, 1, __ATOMIC_RELAXED);
	if (!(word & (PHASE_REPLACED | PHASE_INSIDE)))
		forget_numbers(t, slot);
	free_block(t, slot);
	keep_numbers(slot, f);
	if (keep)
		bury(t, n, next);
	else
		free_slot(t, n, next);
	return true;
}

/* ---- reported ones that may go on ---- */

bool flow_tables_hold(struct flow_tables *t, uint32_t n, uint64_t word, const struct flow *f)
{
	struct flow_slot *slot = &t->slots[n];
	__u64 expected = word;

	if (!__atomic_compare_exchange_n(&slot->word, &expected, word | PHASE_REPORTED, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return false;
	t->gone++;
	t->held++;
	forget_numbers(t, slot);
	keep_numbers(slot, f);
	return true;
}

bool flow_tables_judge_held(const struct flow_tables *t, uint32_t n, struct judged *j, uint64_t *word)
{
	*word = __atomic_load_n(&t->slots[n].word, __ATOMIC_ACQUIRE);
	return judge_at(t, n, j, *word);
}

/* Has a set a slot of the same tuple that is not reported? */
static bool set_has_other(const struct flow_tables *t, uint32_t set, uint32_t n)
{
	const struct flow_slot *me = &t->slots[n];

	for (unsigned i = 0; i < SET_WAYS; i++) {
		uint32_t other = way_slot(__atomic_load_n(&t->sets[set & t->set_mask].way[i], __ATOMIC_ACQUIRE)) - 1;
		const struct flow_slot *slot = &t->slots[other];

		if (other < t->slot_count && other != n && slot->hash == me->hash && slot->check == me->check &&
		    word_phase(slot->word) && !(slot->word & PHASE_REPORTED))
			return true;
	}
	return false;
}

bool flow_tables_resume(struct flow_tables *t, uint32_t n, uint64_t word)
{
	struct flow_slot *slot = &t->slots[n];
	uint64_t place = flow_tables_place(t, slot);
	__u64 expected = word;

	if (set_has_other(t, first_set(place), n) || set_has_other(t, second_set(place), n))
		return false;
	if (!__atomic_compare_exchange_n(&slot->word, &expected, word & ~(uint64_t)PHASE_REPORTED, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return false;
	slot->open.idle = 0;
	t->gone--;
	t->held--;
	return true;
}

void flow_tables_release(struct flow_tables *t, uint32_t n)
{
	struct flow_slot *slot = &t->slots[n];
	uint64_t word = __atomic_fetch_and(&slot->word, ~(__u64)PHASE_WATCHED, __ATOMIC_ACQ_REL);

	if (word & PHASE_WATCHED)
		lower_watch(t, slot);
	t->held--;
	free_block(t, slot);
	bury(t, n, word & ~(uint64_t)PHASE_WATCHED);
}

/* Its handshake was completed behind the RST that was not acted on. */
static void open_at_last(struct flow_tables *t, uint32_t n, const struct flow *f)
{
	uint8_t copies[2] = {t->slots[n].open.syn_copies, t->slots[n].open.synack_copies};

	t->slots[n].open = f->open;
	t->slots[n].open.syn_copies = copies[0];
	t->slots[n].open.synack_copies = copies[1];
	set_way(t, n, flow_tables_place(t, &t->slots[n]), WAY_HELD);
}

/*
 * The segments that the recorder lists until the word is changed are seen: the word is another one then. One that it
 * only counts changes no word, and may be counted in the block after it was given back.
 */
bool flow_tables_go_on(struct flow_tables *t, uint32_t n, uint64_t word, const struct flow *f)
{
	struct flow_slot *slot = &t->slots[n];
	uint64_t next = (word >> 32 << 32) |
			(word & PHASE_MIDSTREAM ? PHASE_REPORTED | (word & PHASE_OPEN) : PHASE_OPEN);
	__u64 expected = word;

	if (!__atomic_compare_exchange_n(&slot->word, &expected, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return false;
	if (word & PHASE_WATCHED)
		lower_watch(t, slot);
	if (is_established(next))
		__atomic_fetch_add(t->established, 1, __ATOMIC_RELAXED);
	slot->open.resets_ignored = f->open.resets_ignored;
	free_block(t, slot);
	if (word & PHASE_MIDSTREAM) { /* without its log nothing is known of it: its next FIN or RST begins it anew */
		t->gone++;
		free_slot(t, n, next);
	} else if (word & PHASE_OPENING) {
		open_at_last(t, n, f);
	}
	return true;
}

static bool note_survived(const struct flow_tables *t, const struct flow_slot *slot, const struct flow_reset *reset)
{
	struct flow_block *b = flow_tables_block(t, slot->block);
	unsigned entries = b ? block_entries(slot->block) : 0;

	for (unsigned i = 0; i < entries; i++) {
		struct log_entry *e = &b->entry[i];

		if (e->time != reset->time || !(e->flags & TCP_RST) || (e->bits & ENTRY_SIDE) != (reset->side & 1) ||
		    (e->bits & (ENTRY_WHOLE | ENTRY_SURVIVED)) != ENTRY_WHOLE)
			continue;
		__atomic_fetch_or(&e->bits, ENTRY_SURVIVED, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

bool flow_tables_note_survived(const struct flow_tables *t, uint32_t n, uint32_t half, const struct flow *f)
{
	return note_survived(t, &t->slots[n], &f->reset) || (half && note_survived(t, &t->slots[half - 1], &f->reset));
}

/* ---- idle ones ---- */

bool flow_tables_age(struct flow_tables *t, uint32_t n)
{
	struct flow_slot *slot = &t->slots[n];
	__u64 word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);

	if ((word & (PHASE_OPEN | PHASE_BEGUN | PHASE_REPLACED | PHASE_REPORTED)) != PHASE_OPEN)
		return false;
	if (word & PHASE_PROBE)
		return slot->open.idle == FLOW_IDLE_ROUNDS - 1 || !++slot->open.idle;
	slot->open.idle = 0;
	__atomic_fetch_add(&t->watch[slot->hash & t->watch_mask], 1, __ATOMIC_RELAXED);
	if (!__atomic_compare_exchange_n(&slot->word, &word, word | PHASE_PROBE | PHASE_WATCHED, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		lower_watch(t, slot);
	return false;
}
