// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The recorder of the kernel around tables that grow, with packet time as the clock. What time ends is found by
 * timers: one is set when a wait begins, and when it fires the connection is judged as it is then.
 */
#include <stdlib.h>
#include <string.h>

#include "bpf/core/flow_event.h"
#include "bpf/core/flow_log.h"
#include "user/base/log.h"
#include "user/base/slab.h"
#include "user/capture/flow_table.h"
#include "user/judge/due.h"

#ifndef FIRST_SLOTS      /* the differential test takes the kernel's numbers */
#define FIRST_SLOTS 1024 /* a power of two, as what follows */
#define FIRST_BLOCKS 256
#endif
#define SETS_A_SLOT 8 /* at most */
#define SLOTS_A_SET 2 /* at most: so a set of 7 ways is seldom full */

/* The numbers' cells grow with the table, so that few connections share one, but a small file does not pay for many. */
#define CELLS_A_SLOT 4
#ifndef FILE_LAST_SEEN_CELLS /* at most: 32 MiB. The differential test takes the kernel's number */
#define FILE_LAST_SEEN_CELLS (1u << 20)
#endif

#define BURIED_MAX 8192

/* A segment, and where it belongs. */
struct arrival {
	const struct tcp_segment *s;
	struct work work;
};

/* The recorder's tables. */
struct tables {
	struct flow_table_config config;
	struct flow_tables memory;
	struct spares spares[3]; /* slots, blocks for closes, blocks for what opens: the last are none here */
	struct watch watch;
	uint32_t established;
	struct traffic **traffic; /* by slot, with all_segments; else NULL */
	struct due due;
	uint64_t next_round; /* of ageing open connections */
	uint64_t next_due;   /* nothing is due before */
	uint64_t now;        /* the last segment's time */
	uint64_t clock;      /* the latest time of all packets */
};

struct flow_table {
	struct tables tables;
};

static void *must(void *memory)
{
	if (!memory) {
		log_error("out of memory for flows");
		exit(1);
	}
	return memory;
}

/* ---- tables that grow ---- */

static void grow_array(void *array, uint32_t old, uint32_t new, size_t size)
{
	char **place = array;

	*place = must(realloc(*place, new *size));
	memset(*place + old * size, 0, (new - old) * size);
}

/* The ring of a free list that is empty. */
static void grow_free(struct free_list *l, uint32_t room)
{
	free(l->ring);
	l->ring = must(malloc(room * sizeof(*l->ring)));
	l->mask = room - 1;
	l->spares->head = l->spares->tail = 0;
}

static void free_from(struct free_list *l, uint32_t first, uint32_t end)
{
	for (uint32_t n = first; n < end; n++)
		l->ring[l->spares->tail++ & l->mask] = n + 1;
}

/* Puts a slot's way into one of its sets. False: both are full. */
static bool place_way(struct flow_tables *m, uint32_t n, uint64_t way)
{
	struct flow_slot *slot = &m->slots[n];
	uint64_t place = flow_tables_place(m, slot);

	for (unsigned second = 0; second < 2; second++) {
		struct flow_set *set = &m->sets[(second ? second_set(place) : first_set(place)) & m->set_mask];

		for (unsigned i = 0; i < SET_WAYS; i++)
			if (!set->way[i]) {
				set->way[i] = way;
				slot->second = (uint8_t)second;
				m->sets[first_set(place) & m->set_mask].spilled += second;
				return true;
			}
	}
	return false;
}

static bool place_ways(struct flow_tables *m, const struct flow_set *old, uint32_t old_sets)
{
	for (uint32_t i = 0; i < old_sets; i++)
		for (unsigned j = 0; j < SET_WAYS; j++)
			if (old[i].way[j] && !place_way(m, way_slot(old[i].way[j]) - 1, old[i].way[j]))
				return false;
	return true;
}

static void grow_sets(struct flow_tables *m)
{
	uint32_t old_sets = m->set_mask + 1, sets = old_sets;
	struct flow_set *old = m->sets;

	do {
		if (m->sets != old)
			free(m->sets);
		sets *= 2;
		m->sets = must(calloc(sets, sizeof(*m->sets)));
		m->set_mask = sets - 1;
	} while (!place_ways(m, old, old_sets));
	free(old);
}

/* Each cell becomes two that its connection may have now; both get what it holds, since the tag says whose it is. */
static void grow_last_seen(struct flow_tables *m)
{
	size_t cells = (size_t)m->last_seen_mask + 1;

	if (cells >= FILE_LAST_SEEN_CELLS)
		return;
	m->last_seen = must(realloc(m->last_seen, 2 * cells * sizeof(*m->last_seen)));
	prefer_huge_pages(m->last_seen, 2 * cells * sizeof(*m->last_seen));
	memcpy(m->last_seen + cells, m->last_seen, cells * sizeof(*m->last_seen));
	m->last_seen_mask = (uint32_t)(2 * cells - 1);
}

static void grow_slots(struct tables *t)
{
	struct flow_tables *m = &t->memory;
	uint32_t old = m->slot_count, new = old * 2;

	grow_array(&m->slots, old, new, sizeof(*m->slots));
	if (t->config.all_segments)
		grow_array(&t->traffic, old, new, sizeof(*t->traffic));
	grow_free(&m->free_slots, new);
	m->slot_count = new;
	free_from(&m->free_slots, old, new);
	while (new > (m->set_mask + 1) * SLOTS_A_SET)
		grow_sets(m);
	grow_last_seen(m);
}

static void grow_blocks(struct tables *t)
{
	struct flow_tables *m = &t->memory;
	uint32_t old = m->block_count, new = old * 2;

	grow_array(&m->blocks, old, new, sizeof(*m->blocks));
	grow_free(&m->free_closing, new);
	m->block_count = m->closing_blocks = new;
	free_from(&m->free_closing, old, new);
}

static uint32_t take_free(struct free_list *l)
{
	return l->spares->head == l->spares->tail ? 0 : (uint32_t)l->ring[l->spares->head++ & l->mask];
}

/* ---- what the recorder asks of its tables ---- */

static inline struct flow_set *tables_set(struct tables *t, uint32_t index)
{
	return &t->memory.sets[index & t->memory.set_mask];
}

/* NULL for -1: none. */
static inline struct flow_slot *tables_slot(struct tables *t, uint32_t n)
{
	return n < t->memory.slot_count ? &t->memory.slots[n] : NULL;
}

static inline struct flow_block *tables_block(struct tables *t, uint32_t n)
{
	return n < t->memory.block_count ? &t->memory.blocks[n] : NULL;
}

/* A reported connection gives its way: those of one tuple stay together however many sets there are. */
static bool has_free_way(const struct flow_tables *m, uint32_t index)
{
	const struct flow_set *set = &m->sets[index & m->set_mask];

	for (unsigned i = 0; i < SET_WAYS; i++)
		if (!set->way[i] || way_kind(set->way[i]) == WAY_REPORTED)
			return true;
	return false;
}

/*
 * Makes room for the tuple before a way is chosen: no connection of a file gives way to another, unless the hash is to
 * blame for so many in one set.
 */
static inline void tables_reserve(struct tables *t, uint64_t place)
{
	struct flow_tables *m = &t->memory;

	if (m->free_slots.spares->head == m->free_slots.spares->tail)
		grow_slots(t);
	while (!has_free_way(m, first_set(place)) && !has_free_way(m, second_set(place)) &&
	       m->set_mask < m->slot_count * SETS_A_SLOT)
		grow_sets(m);
}

static inline uint32_t tables_take_slot(struct tables *t)
{
	return take_free(&t->memory.free_slots);
}

static inline uint32_t tables_take_block(struct tables *t, unsigned pool)
{
	uint32_t n = take_free(&t->memory.free_closing);

	(void)pool;
	if (n)
		return n;
	grow_blocks(t);
	return take_free(&t->memory.free_closing);
}

/* The high half of the hash that chooses the slot's sets. */
static inline uint32_t tables_place(struct tables *t, const struct flow_slot *slot)
{
	return flow_tables_place(&t->memory, slot) >> 32;
}

/* Opening connections that a set may hold: here they give way to nothing. */
static inline uint32_t tables_openings(struct tables *t)
{
	(void)t;
	return SET_WAYS + 1;
}

static inline struct last_seen *tables_last_seen(struct tables *t, uint64_t hash)
{
	return &t->memory.last_seen[hash >> 32 & t->memory.last_seen_mask];
}

static inline void tables_forget(struct tables *t, uint64_t hash)
{
	last_seen_forget(tables_last_seen(t, hash), hash);
}

static inline void tables_watch(struct tables *t, uint32_t hash, int by)
{
	t->watch.live[hash & (WATCH_CELLS - 1)] += (uint32_t)by;
}

static inline void tables_established(struct tables *t, int by)
{
	t->established += (uint32_t)by;
}

static inline bool tables_establish(struct tables *t)
{
	t->established++;
	return true;
}

static inline int tables_count(struct tables *t, unsigned counter)
{
	t->config.counters[counter]++;
	return 0;
}

static void tables_notice(struct tables *t, uint32_t n, uint64_t word, unsigned kind, uint64_t time);
static void tables_remember(struct tables *t, const struct work *w, const struct tcp_segment *s,
			    const struct flow_open *o);

#include "bpf/core/recorder.h"

/* A handshake is complete: its numbers are where what is remembered begins, and its traffic is counted from here on. */
static void tables_remember(struct tables *t, const struct work *w, const struct tcp_segment *s,
			    const struct flow_open *o)
{
	last_seen_begin(tables_last_seen(t, w->hash), o, s, w->side, w->hash);
	if (!t->config.all_segments)
		return;
	free(t->traffic[w->proving - 1]);
	t->traffic[w->proving - 1] = must(calloc(1, sizeof(struct traffic)));
	traffic_begin(t->traffic[w->proving - 1], o, s, (uint32_t)w->side);
}

/* ---- reporting and time ---- */

static void report(void *context, const struct judged *j, uint32_t n, const struct due_report *how)
{
	struct tables *t = context;
	struct traffic *traffic = t->traffic ? t->traffic[n] : NULL;

	if (!how->stray)
		t->config.report(t->config.context, &j->key, &j->flow, j->log, traffic, how);
	if (traffic) {
		free(traffic);
		t->traffic[n] = NULL;
	}
}

static void tables_notice(struct tables *t, uint32_t n, uint64_t word, unsigned kind, uint64_t time)
{
	const struct notice notice = {.time = time, .slot = n, .generation = word >> 32, .kind = kind};

	due_notice(&t->due, &notice, t->now);
	t->next_due = 0;
}

static void expire(struct tables *t, uint64_t now)
{
	if (now > t->clock)
		t->clock = now;
	if (now < t->next_due)
		return;
	if (now >= t->next_round) {
		if (t->next_round)
			due_age(&t->due, 0, t->memory.slot_count);
		t->next_round = now + t->config.idle / FLOW_IDLE_ROUNDS;
	}
	due_expire(&t->due, now);
	t->next_due = timers_next(&t->due.timers);
	if (t->next_round < t->next_due)
		t->next_due = t->next_round;
}

/* ---- from a packet to its segment's places ---- */

static void arrive(const struct tables *t, struct arrival *a, const struct tcp_segment *s, uint32_t ifindex)
{
	a->s = s;
	a->work.ifindex = ifindex;
	a->work.socket.known = a->work.socket.own = 0; /* a file has none to ask */
	a->work.side = flow_side_of(s);
	a->work.hash = flow_hash(s, ifindex, t->config.hash_seed);
	a->work.place = flow_hash(s, ifindex, t->config.bucket_seed);
}

static bool is_looked_up(const struct tables *t, const struct arrival *a)
{
	return a->s->flags & TCP_CONTROL || t->watch.live[a->work.hash >> 32 & (WATCH_CELLS - 1)];
}

static void count_traffic(struct tables *t, struct arrival *a)
{
	struct traffic *traffic;

	if (a->s->flags & TCP_SYN) /* perhaps of the tuple's next connection */
		return;
	seek(t, &a->work, a->s);
	traffic = a->work.current ? t->traffic[a->work.current - 1] : NULL;
	if (traffic)
		traffic_note(&traffic->side[a->work.side & 1], a->s, a->s->time);
}

static void take(struct tables *t, struct arrival *a)
{
	t->now = a->s->time;
	if (t->config.all_segments)
		count_traffic(t, a);
	if (!(a->s->flags & TCP_CONTROL))
		last_seen_note(tables_last_seen(t, a->work.hash), a->s, a->work.side, a->work.hash);
	if (!is_looked_up(t, a))
		return;
	expire(t, a->s->time);
	tables_count(t, COUNT_LOOKED_UP);
	record_segment(t, &a->work, a->s);
}

void flow_table_segment(struct flow_table *t, const struct tcp_segment *s, uint32_t ifindex)
{
	struct arrival a;

	arrive(&t->tables, &a, s, ifindex);
	take(&t->tables, &a);
}

/* ---- a batch: what its segments need is fetched together ---- */

static __always_inline void prefetch_arrays(const struct tables *t, const struct arrival *a)
{
	__builtin_prefetch(&t->memory.last_seen[a->work.hash >> 32 & t->memory.last_seen_mask].side[a->work.side & 1],
			   1);
	__builtin_prefetch(&t->memory.sets[first_set(a->work.place) & t->memory.set_mask]);
}

/* The slot in the first set, or NULL. */
static __always_inline struct flow_slot *likely_slot(const struct tables *t, const struct arrival *a)
{
	const struct flow_set *set = &t->memory.sets[first_set(a->work.place) & t->memory.set_mask];

	for (unsigned i = 0; i < SET_WAYS; i++)
		if (!((set->way[i] ^ way_tag(a->work.place)) >> WAY_TAG_SHIFT) && way_slot(set->way[i]))
			return &t->memory.slots[way_slot(set->way[i]) - 1];
	return NULL;
}

static __always_inline void prefetch_slot(const struct tables *t, const struct arrival *a)
{
	const struct flow_slot *slot = is_looked_up(t, a) ? likely_slot(t, a) : NULL;

	if (!slot)
		return;
	__builtin_prefetch(slot, 1);
	__builtin_prefetch((const char *)slot + 64, 1);
}

static __always_inline void prefetch_block(const struct tables *t, const struct arrival *a)
{
	const struct flow_slot *slot = is_looked_up(t, a) ? likely_slot(t, a) : NULL;
	const char *block = slot && slot->block ? (const char *)&t->memory.blocks[slot->block - 1] : NULL;

	for (unsigned i = 0; block && i < 4; i++)
		__builtin_prefetch(block + 64 * i, 1);
}

void flow_table_batch(struct flow_table *table, const struct flow_input *in, unsigned n)
{
	struct arrival arrivals[FLOW_BATCH], *end = arrivals, *next = arrivals;
	struct tables *t = &table->tables;

	for (unsigned i = 0; i < n; i++)
		if (in[i].tcp) {
			arrive(t, end, &in[i].segment, in[i].ifindex);
			prefetch_arrays(t, end++);
		}
	for (const struct arrival *a = arrivals; a < end; a++)
		prefetch_slot(t, a);
	for (const struct arrival *a = arrivals; a < end; a++)
		prefetch_block(t, a);
	for (unsigned i = 0; i < n; i++) {
		if (in[i].tcp)
			take(t, next++);
		expire(t, in[i].segment.time);
	}
}

void flow_table_expire(struct flow_table *t, uint64_t now)
{
	expire(&t->tables, now);
}

void flow_table_finish(struct flow_table *t, bool open)
{
	if (due_finish(&t->tables.due, open, t->tables.clock))
		must(NULL);
}

static bool allocate(struct tables *t)
{
	struct flow_tables *m = &t->memory;

	m->free_slots.spares = &t->spares[0];
	m->free_closing.spares = &t->spares[1];
	m->free_opening.spares = &t->spares[2];
	m->slot_count = FIRST_SLOTS;
	m->block_count = m->closing_blocks = FIRST_BLOCKS;
	m->set_mask = FIRST_SLOTS / SLOTS_A_SET - 1;
	m->last_seen_mask = FIRST_SLOTS * CELLS_A_SLOT - 1;
	m->buried_max = BURIED_MAX;
	m->watch = t->watch.live;
	m->established = &t->established;
	m->place_seed = t->config.bucket_seed;
	m->slots = calloc(m->slot_count, sizeof(*m->slots));
	m->blocks = calloc(m->block_count, sizeof(*m->blocks));
	m->sets = calloc(m->set_mask + 1, sizeof(*m->sets));
	m->last_seen = calloc(m->last_seen_mask + 1, sizeof(*m->last_seen));
	m->free_slots.ring = malloc(m->slot_count * sizeof(uint64_t));
	m->free_slots.mask = m->slot_count - 1;
	m->free_closing.ring = malloc(m->block_count * sizeof(uint64_t));
	m->free_closing.mask = m->block_count - 1;
	if (t->config.all_segments)
		t->traffic = calloc(m->slot_count, sizeof(*t->traffic));
	return m->slots && m->blocks && m->sets && m->last_seen && m->free_slots.ring && m->free_closing.ring &&
	       (t->traffic || !t->config.all_segments);
}

struct flow_table *flow_table_new(const struct flow_table_config *config)
{
	struct flow_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->tables.config = *config;
	if (!allocate(&table->tables)) {
		flow_table_free(table);
		return NULL;
	}
	flow_tables_fill(&table->tables.memory);
	table->tables.due = (struct due){
		.tables = &table->tables.memory,
		.wait = config->timeouts,
		.report = report,
		.context = &table->tables,
		.counters = config->counters,
	};
	return table;
}

void flow_table_free(struct flow_table *table)
{
	struct tables *t = &table->tables;

	if (!table)
		return;
	for (uint32_t n = 0; t->traffic && n < t->memory.slot_count; n++)
		free(t->traffic[n]);
	free(t->traffic);
	due_free(&t->due);
	flow_tables_free(&t->memory);
	free(t->memory.slots);
	free(t->memory.blocks);
	free(t->memory.sets);
	free(t->memory.last_seen);
	free(t->memory.free_slots.ring);
	free(t->memory.free_closing.ring);
	free(table);
}
