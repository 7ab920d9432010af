// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The recorder of the kernel around tables that grow, with packet time as the clock. What time ends is found by
 * timers: one is set when a wait begins, and when it fires the connection is judged as it is then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/core/flow_event.h"
#include "bpf/core/flow_log.h"
#include "bpf/core/lost.h"
#include "user/capture/close_payloads.h"
#include "user/capture/conversations.h"
#include "user/capture/flow_store.h"
#include "user/capture/flow_table.h"
#include "user/judge/due.h"
#include "user/judge/flow_memory.h"
#include "user/judge/related.h"

#ifndef FIRST_SIZES /* the differential test takes the kernel's */
#define FIRST_SIZES                                                                                                \
	{                                                                                                          \
		.slots = 1024, .sets = 256, .small = 256, .blocks = 64, .cells = 65536, .watch_cells = WATCH_CELLS \
	}
#endif

#define BURIED_MAX 8192

/* Tables that grow lose a connection only where the hash of too many is the same. A power of two. */
#define FILE_LOST_SETS 64

/* A segment, and where it belongs. */
struct arrival {
	const struct tcp_segment *s;
	uint64_t hash, place; /* see struct work */
	uint64_t side;
	uint32_t ifindex;
	uint32_t likely; /* slot + 1 that is probably its; 0: unknown */
	uint16_t interface;
	bool closes_only;
	bool placed; /* `place` is known: it is only needed where the segment is looked up */
};

/* The recorder's tables. */
struct tables {
	struct flow_table_config config;
	struct flow_hash_key hash_key, place_key; /* by the config's seeds */
	struct flow_store store;
	struct work work; /* of the segment at hand */
	struct lost_set lost[FILE_LOST_SETS];
	uint64_t lossy_until;            /* ns: nothing in `lost` counts after that */
	struct traffic **traffic;        /* by slot, with all_segments; else NULL */
	struct flow_interfaces *seen_at; /* by slot, once there is a second interface; else NULL: `interface` is all */
	uint16_t interface;              /* the first one */
	bool has_interface;              /* it is known */
	struct conversations conversations; /* by cell of last_seen; with all_segments `traffic` has the black holes */
	struct close_payloads close_payloads;
	struct due due;
	uint8_t *twins;                    /* by slot: see tables_twin; NULL: no connection had one */
	bool *closes_only;                 /* by slot: its first segment was so; NULL: no connection's was */
	uint64_t *begun;                   /* by slot, with config.begun; else NULL */
	uint64_t number;                   /* of the packet at hand */
	uint64_t came;                     /* connections that were put in; see also flow_tables.gone */
	uint64_t next_round;               /* of ageing open connections */
	uint64_t next_due;                 /* nothing is due before */
	uint64_t now;                      /* the last segment's time */
	const struct tcp_segment *segment; /* at hand */
	uint64_t clock;                    /* the latest time of all packets */
};

struct flow_table {
	struct tables tables;
};

static void grow_slots(struct tables *t)
{
	uint32_t old = t->store.tables.slot_count;

	flow_store_grow_slots(&t->store);
	conversations_grow(&t->conversations, t->store.tables.last_seen_mask + 1);
	if (t->seen_at)
		t->seen_at = must(realloc(t->seen_at, t->store.tables.slot_count * sizeof(*t->seen_at)));
	if (t->twins) {
		t->twins = must(realloc(t->twins, t->store.tables.slot_count));
		memset(t->twins + old, 0, t->store.tables.slot_count - old);
	}
	if (t->closes_only)
		t->closes_only = must(realloc(t->closes_only, t->store.tables.slot_count));
	if (t->begun)
		t->begun = must(realloc(t->begun, t->store.tables.slot_count * sizeof(*t->begun)));
	if (!t->config.all_segments)
		return;
	t->traffic = must(realloc(t->traffic, t->store.tables.slot_count * sizeof(*t->traffic)));
	memset(t->traffic + old, 0, (t->store.tables.slot_count - old) * sizeof(*t->traffic));
}

/* The small block of the slot is full. */
static struct flow_block *enlarge(struct tables *t, struct flow_slot *slot)
{
	uint32_t small = slot->block;

	flow_store_enlarge(&t->store, slot);
	close_payloads_move(&t->close_payloads, &t->store.tables, small, slot->block);
	return flow_tables_block(&t->store.tables, slot->block);
}

/* ---- what the recorder asks of its tables ---- */

static inline struct flow_set *tables_set(struct tables *t, uint32_t index)
{
	return &t->store.tables.sets[index & t->store.tables.set_mask];
}

/* NULL for -1: none. */
static inline struct flow_slot *tables_slot(struct tables *t, uint32_t n)
{
	return n < t->store.tables.slot_count ? &t->store.tables.slots[n] : NULL;
}

static inline struct flow_block *tables_block(struct tables *t, uint32_t n)
{
	return flow_tables_block(&t->store.tables, n + 1);
}

/* The block of the slot with room for an entry at `at`. n: slot + 1. */
static inline struct flow_block *tables_room(struct tables *t, uint32_t n, struct flow_block *b, uint32_t at)
{
	struct flow_slot *slot = &t->store.tables.slots[n - 1];

	return at < SMALL_ENTRIES || at >= BLOCK_ENTRIES || !block_is_small(slot->block) ? b : enlarge(t, slot);
}

/* Makes room for the tuple before a way is chosen: no connection of a file gives way to another. */
static inline void tables_reserve(struct tables *t, uint64_t place)
{
	const struct spares *slots = t->store.tables.free_slots.spares;

	if (slots->head == slots->tail)
		grow_slots(t);
	if (!flow_set_has_room(tables_set(t, first_set(place))))
		flow_store_free_way(&t->store, place);
}

/*
 * A SYN or SYN-ACK was seen a second time. With all_segments `traffic` counts those behind the handshake. n: slot + 1.
 */
static inline void tables_twin(struct tables *t, uint32_t n)
{
	if (t->config.all_segments && t->store.tables.slots[n - 1].open.seen & OPEN_ACK)
		return;
	if (!t->twins)
		t->twins = must(calloc(t->store.tables.slot_count, 1));
	t->twins[n - 1] = saturating_inc(t->twins[n - 1]);
}

static inline uint32_t tables_take_slot(struct tables *t)
{
	return flow_store_take(&t->store, &t->store.tables.free_slots);
}

static inline bool tables_spare(const struct tables *t)
{
	(void)t;
	return true; /* tables_reserve has seen to it */
}

static inline uint32_t tables_take_block(struct tables *t, unsigned pool)
{
	uint32_t k = flow_store_take_block(&t->store);

	(void)pool;
	close_payloads_clear(&t->close_payloads, &t->store.tables, k);
	return k;
}

/* The high half of the hash that chooses the slot's sets. */
static inline uint32_t tables_place(struct tables *t, const struct flow_slot *slot)
{
	return flow_tables_place(&t->store.tables, slot) >> 32;
}

/* Opening connections that a set may hold: here they give way to nothing. */
static inline uint32_t tables_openings(struct tables *t)
{
	(void)t;
	return SET_WAYS + 1;
}

static inline struct last_seen *tables_last_seen(struct tables *t, uint64_t hash)
{
	return &t->store.tables.last_seen[hash >> 32 & t->store.tables.last_seen_mask];
}

static inline void tables_forget(struct tables *t, uint64_t hash)
{
	last_seen_forget(tables_last_seen(t, hash), hash);
}

static inline struct lost_set *tables_lost(struct tables *t, uint64_t hash)
{
	return &t->lost[hash >> 32 & (FILE_LOST_SETS - 1)];
}

static inline void tables_lossy_until(struct tables *t, uint64_t time)
{
	t->lossy_until = time;
}

static inline bool tables_is_lossy(const struct tables *t, uint64_t now)
{
	return now < t->lossy_until;
}

static inline void tables_watch(struct tables *t, uint32_t hash, int by)
{
	t->store.tables.watch[hash & t->store.tables.watch_mask] += (uint32_t)by;
}

static inline void tables_established(struct tables *t, int by)
{
	t->store.established += (uint32_t)by;
}

static inline bool tables_establish(struct tables *t)
{
	t->store.established++;
	return true;
}

static inline int tables_count(struct tables *t, unsigned counter)
{
	t->config.counters[counter]++;
	return 0;
}

static void tables_notice(struct tables *t, uint32_t n, uint64_t word, unsigned kind, uint64_t time);
static void tables_remember(struct tables *t, const struct work *w, const struct tcp_segment *s,
			    const struct flow_slot *slot);

#include "bpf/core/recorder.h"

/* A handshake is complete: its numbers are where what is remembered begins, and its traffic is counted from here on. */
static void tables_remember(struct tables *t, const struct work *w, const struct tcp_segment *s,
			    const struct flow_slot *slot)
{
	last_seen_begin(tables_last_seen(t, w->hash), &slot->open, s, w->side, w->hash);
	conversations_begin(&t->conversations, &slot->open, s, w->side, w->hash);
	if (!t->config.all_segments)
		return;
	free(t->traffic[w->proving - 1]);
	t->traffic[w->proving - 1] = must(calloc(1, sizeof(struct traffic)));
	traffic_begin_whole(t->traffic[w->proving - 1], &slot->open, slot->ip_id, s, (uint32_t)w->side);
}

/* ---- reporting and time ---- */

/* What is known of the payload of a connection that has just been taken out. False: nothing. */
static bool payload_at_close(struct tables *t, const struct judged *j, struct last_payload *found)
{
	return j->block &&
	       close_payloads_find(&t->close_payloads, &t->store.tables, j->block, silence_end(&j->flow), found);
}

/*
 * Keeps what payload passed until the close of slot n began: with its first notice, with each first entry, and with
 * what may be the close where an RST came before it. The recorder gives a notice with each entry behind an RST.
 */
static void keep_payload(struct tables *t, uint32_t n, uint64_t word, unsigned kind)
{
	const struct flow_slot *slot = &t->store.tables.slots[n];
	const struct conversation_cell *now;
	uint64_t hash;
	bool unseen;

	if ((kind != NOTICE_BEGUN && kind != NOTICE_ENDED) || !slot->block)
		return;
	hash = flow_slot_hash(slot);
	now = conversations_find(&t->conversations, hash);
	unseen = conversations_shows_unseen(tables_last_seen(t, hash), t->segment, t->work.side, hash);
	if (kind != NOTICE_BEGUN && word_entries(word) > 1 &&
	    close_payloads_has_first(&t->close_payloads, &t->store.tables, slot->block))
		close_payloads_later(&t->close_payloads, &t->store.tables, slot->block, now, t->segment, unseen);
	else
		close_payloads_first(&t->close_payloads, &t->store.tables, slot->block, now, (word & PHASE_FINS) != 0,
				     unseen);
}

/* ns: the last segment of an open connection; 0: not known. */
static uint64_t last_heard(struct tables *t, const struct flow_key *key)
{
	const struct conversation_cell *cell = conversations_find(&t->conversations, flow_key_hash(key));

	return cell ? cell->any : 0;
}

static void report(void *context, const struct judged *j, uint32_t n, const struct due_report *how)
{
	struct tables *t = context;
	const struct flow_interfaces one = {{t->interface}};
	struct traffic *traffic = t->traffic ? t->traffic[n] : NULL;
	struct due_report with_payload = *how;
	struct last_payload payload;

	with_payload.payload = payload_at_close(t, j, &payload) ? &payload : NULL;
	with_payload.hole = conversations_hole(&t->conversations, flow_key_hash(&j->key));
	with_payload.seen_at = t->seen_at ? &t->seen_at[n] : &one;
	with_payload.twins = t->twins ? t->twins[n] : 0;
	with_payload.closes_only = t->closes_only && t->closes_only[n];
	if (t->begun) {
		with_payload.begun = t->begun[n];
		with_payload.until = t->number - 1; /* it is reported before the packet at hand is taken */
	}
	if (flow_wait_is_open(flow_waits_for(&j->flow)))
		with_payload.heard = last_heard(t, &j->key);
	if (!how->stray || t->config.strays)
		t->config.report(t->config.context, &j->key, &j->flow, j->log, traffic, &with_payload);
	if (how->glance)
		return;
	if (traffic) {
		free(traffic);
		t->traffic[n] = NULL;
	}
}

static void tables_notice(struct tables *t, uint32_t n, uint64_t word, unsigned kind, uint64_t time)
{
	const struct notice notice = {.time = time, .slot = n, .generation = word >> 32, .kind = kind};

	keep_payload(t, n - 1, word, kind);
	due_notice(&t->due, &notice, t->now);
	t->next_due = 0;
}

/* ns: when open connections age next. An idle time that has no end has no rounds either. */
static uint64_t after_round(uint64_t now, uint64_t idle)
{
	return idle == FLOW_FOR_EVER ? FLOW_FOR_EVER : flow_time_after(now, idle / FLOW_IDLE_ROUNDS);
}

static void expire(struct tables *t, uint64_t now)
{
	if (now > t->clock)
		t->clock = now;
	if (now < t->next_due)
		return;
	if (now >= t->next_round) {
		if (t->next_round)
			due_age(&t->due, 0, t->store.tables.slot_count);
		t->next_round = after_round(now, t->config.idle);
	}
	due_expire(&t->due, now);
	t->next_due = timers_next(&t->due.timers);
	if (t->next_round < t->next_due)
		t->next_due = t->next_round;
}

/* ---- a limit ---- */

/* One of so many connections is given up in a scan of all slots. */
#define LIMIT_BATCH 16

/* Timers of those that are gone are dropped where there are so many for each connection. */
#define LIMIT_TIMERS 4

/*
 * See struct due_limit. A cell has the time of the last segment of all connections that share it. So an open connection
 * may seem younger than it is, but never older.
 */
static uint64_t heard_until(const void *context, uint32_t n)
{
	const struct tables *t = context;
	const struct flow_slot *slot = &t->store.tables.slots[n];
	const struct flow_block *b = flow_tables_block(&t->store.tables, slot->block);
	uint64_t time = conversations_cell(&t->conversations, flow_slot_hash(slot))->any;

	if (slot->open.t_ack > time)
		time = slot->open.t_ack;
	if (b && b->progress > time)
		time = b->progress;
	for (unsigned i = 0; b && i < block_entries(slot->block); i++)
		if (b->entry[i].bits & ENTRY_WHOLE && b->entry[i].time > time)
			time = b->entry[i].time;
	return time;
}

static void make_room(struct tables *t)
{
	const uint32_t most = t->config.max_flows;
	const struct due_limit limit = {.most = most,
					.keep = most - most / LIMIT_BATCH,
					.slot = t->work.taken,
					.heard = heard_until,
					.context = t};
	uint64_t gone = t->store.tables.gone;
	uint32_t held;

	if (due_make_room(&t->due, &limit, t->clock, &held))
		must(NULL);
	t->came = gone + held; /* rarely one gives way in a set that its tuple fills, and is not among the gone */
}

/* A connection begins, or one that was open before shows itself by its end: there the lower port is the service's. */
static void note_begin(struct tables *t, const struct tcp_segment *s)
{
	bool opens = segment_opens(s), from_source = opens || s->sport >= s->dport;
	const struct related_peer peer = {
		.addr = {from_source ? s->src : s->dst, from_source ? s->dst : s->src},
		.port = {from_source ? s->sport : s->dport, from_source ? s->dport : s->sport},
		.family = s->family,
		.midstream = !opens,
		.isn = opens ? s->seq : 0,
		.start = s->time};

	if (opens || !segment_is_syn(s))
		related_note(t->config.related, &peer, false);
}

/* The first interface is that of all connections so far. From the second one on each connection has its own. */
static void begin_seen_at(struct tables *t, uint16_t interface)
{
	uint32_t count = t->store.tables.slot_count;

	if (t->seen_at || (t->has_interface && t->interface == interface))
		return;
	if (!t->has_interface) {
		t->interface = interface;
		t->has_interface = true;
		return;
	}
	t->seen_at = must(malloc(count * sizeof(*t->seen_at)));
	for (uint32_t n = 0; n < count; n++)
		t->seen_at[n] = (struct flow_interfaces){{t->interface}};
}

/* A segment of the connection was seen at the interface. n: slot + 1; 0: of none. */
static void note_interface(struct tables *t, uint32_t n, uint16_t interface)
{
	uint32_t *at;

	if (!t->seen_at || !n || !interface)
		return;
	at = t->seen_at[n - 1].number;
	for (unsigned i = 0; i < RECORD_INTERFACES; i++) {
		if (at[i] == interface)
			return;
		if (!at[i]) {
			at[i] = interface;
			return;
		}
	}
}

/* A connection has been put in. */
static void bound(struct tables *t)
{
	t->came++;
	if (!t->config.max_flows)
		return;
	if (t->came - t->store.tables.gone > t->config.max_flows)
		make_room(t);
	else if (timers_count(&t->due.timers) / LIMIT_TIMERS > t->config.max_flows)
		due_drop_timers(&t->due);
}

/* ---- a segment ---- */

static inline void arrive(const struct tables *t, struct arrival *a, const struct tcp_segment *s, uint32_t ifindex,
			  uint16_t interface)
{
	*a = (struct arrival){
		.s = s,
		.hash = flow_hash_tunnelled(s, ifindex, &t->hash_key),
		.side = flow_side_of(s),
		.ifindex = ifindex,
		.interface = interface,
	};
}

static inline bool is_looked_up(const struct tables *t, const struct arrival *a)
{
	return a->s->flags & TCP_CONTROL || a->s->icmp ||
	       t->store.tables.watch[a->hash >> 32 & t->store.tables.watch_mask];
}

static inline void find_place(const struct tables *t, struct arrival *a)
{
	a->place = flow_hash_tunnelled(a->s, a->ifindex, &t->place_key);
	a->placed = true;
}

/* The work of a segment that is looked up. A file has no socket to ask. */
static void begin_work(struct tables *t, struct arrival *a)
{
	struct work *w = &t->work;

	if (!a->placed)
		find_place(t, a);
	w->hash = a->hash;
	w->place = a->place;
	w->side = a->side;
	w->ifindex = a->ifindex;
	w->taken = 0;
	w->stray = 0;
	w->socket.known = w->socket.own = w->socket.filter = 0;
}

static void count_traffic(struct tables *t, struct arrival *a)
{
	struct traffic *traffic;

	begin_work(t, a);
	seek(t, &t->work, a->s);
	note_interface(t, t->work.current, a->interface);
	traffic = t->work.current ? t->traffic[t->work.current - 1] : NULL;
	if (traffic && traffic_takes(traffic, a->s, (uint32_t)a->side))
		traffic_note(traffic, a->s, (uint32_t)a->side, a->s->time, 0);
}

/* Of the segment that was just recorded. */
static inline void place_interface(struct tables *t, uint16_t interface)
{
	const struct work *w = &t->work;

	if (!t->seen_at)
		return;
	if (w->taken)
		t->seen_at[w->taken - 1] = (struct flow_interfaces){{0}};
	note_interface(t, w->taken ? w->taken : w->inside ? w->inside : w->current, interface);
}

/* A connection has begun with this segment. */
static void note_kind(struct tables *t, const struct arrival *a)
{
	if (!t->closes_only && !a->closes_only)
		return;
	if (!t->closes_only)
		t->closes_only = must(calloc(t->store.tables.slot_count, 1));
	t->closes_only[t->work.taken - 1] = a->closes_only;
}

/* The segment was an RST of no connection. */
static void report_stray(struct tables *t, const struct arrival *a)
{
	const struct flow_interfaces at = {{a->interface}};
	const struct due_report how = {.stray = true, .seen_at = &at};
	struct stray x = {.direction = STRAY_UNKNOWN, .filter = 0};

	if (!t->config.strays)
		return;
	stray_fill(&x, a->s, a->ifindex);
	t->config.stray(t->config.context, &x, &how);
}

static inline void take(struct tables *t, struct arrival *a)
{
	t->now = a->s->time;
	t->segment = a->s;
	if (t->config.all_segments && !a->s->icmp)
		count_traffic(t, a);
	conversations_note(&t->conversations, tables_last_seen(t, a->hash), a->s, a->side, a->hash);
	if (!(a->s->flags & TCP_CONTROL))
		last_seen_note(tables_last_seen(t, a->hash), a->s, a->side, a->hash);
	if (!is_looked_up(t, a))
		return;
	expire(t, a->s->time);
	tables_count(t, COUNT_LOOKED_UP);
	begin_work(t, a);
	if (a->closes_only) /* data may have passed since: what is remembered is no evidence against this segment */
		tables_forget(t, a->hash);
	if (a->s->icmp)
		record_quoted(t, &t->work, a->s);
	else
		record_segment(t, &t->work, a->s);
	place_interface(t, a->interface);
	if (t->work.stray && !a->s->icmp)
		report_stray(t, a);
	if (!t->work.taken)
		return;
	note_kind(t, a);
	if (t->twins)
		t->twins[t->work.taken - 1] = 0;
	if (t->begun)
		t->begun[t->work.taken - 1] = t->config.begun(t->config.context, a->s, t->number);
	note_begin(t, a->s);
	bound(t);
}

void flow_table_segment(struct flow_table *t, const struct tcp_segment *s, uint32_t ifindex)
{
	struct arrival a;

	arrive(&t->tables, &a, s, ifindex, 0);
	take(&t->tables, &a);
}

/* ---- a batch: what its segments need is fetched together, each in the next one's shadow ---- */

static inline void prefetch_cells(const struct tables *t, const struct arrival *a)
{
	const struct flow_tables *m = &t->store.tables;

	__builtin_prefetch(conversations_cell(&t->conversations, a->hash), 1);
	__builtin_prefetch(&conversations_cell(&t->conversations, a->hash)->tag, 1);
	__builtin_prefetch(&m->watch[a->hash >> 32 & m->watch_mask], 1);
	__builtin_prefetch(&m->last_seen[a->hash >> 32 & m->last_seen_mask].side[a->side & 1], 1);
}

static inline const struct flow_set *likely_set(const struct tables *t, const struct arrival *a)
{
	return &t->store.tables.sets[first_set(a->place) & t->store.tables.set_mask];
}

static inline void prefetch_set(const struct tables *t, struct arrival *a)
{
	if (!is_looked_up(t, a))
		return;
	find_place(t, a);
	__builtin_prefetch(likely_set(t, a));
}

/* A way of the first set with the tuple's tag names the slot, nearly always. */
static inline void prefetch_slot(const struct tables *t, struct arrival *a)
{
	const struct flow_set *set;
	const char *slot;

	if (!a->placed)
		return;
	set = likely_set(t, a);
	for (unsigned i = 0; i < SET_WAYS && !a->likely; i++)
		if (!((set->way[i] ^ a->place) >> WAY_TAG_SHIFT))
			a->likely = way_slot(set->way[i]);
	if (!a->likely)
		return;
	slot = (const char *)&t->store.tables.slots[a->likely - 1];
	__builtin_prefetch(slot, 1);
	__builtin_prefetch(slot + 64, 1);
}

static inline void prefetch_block(const struct tables *t, const struct arrival *a)
{
	const struct flow_slot *slot = a->likely ? &t->store.tables.slots[a->likely - 1] : NULL;
	const struct flow_block *b = slot ? flow_tables_block(&t->store.tables, slot->block) : NULL;

	if (!b)
		return;
	__builtin_prefetch(b, 1);
	__builtin_prefetch(&b->rest, 1);
	__builtin_prefetch(&b->entry[word_entries(slot->word) % block_entries(slot->block)], 1);
}

static void prefetch(const struct tables *t, struct arrival *a, const struct arrival *end)
{
	for (struct arrival *i = a; i < end; i++)
		prefetch_set(t, i);
	for (struct arrival *i = a; i < end; i++)
		prefetch_slot(t, i);
	for (struct arrival *i = a; i < end; i++)
		prefetch_block(t, i);
}

void flow_table_batch(struct flow_table *table, const struct flow_input *in, unsigned n)
{
	struct arrival arrivals[FLOW_BATCH], *end = arrivals, *next = arrivals;
	struct tables *t = &table->tables;

	for (unsigned i = 0; i < n; i++)
		if (in[i].tcp) {
			arrive(t, end, &in[i].segment, in[i].ifindex, in[i].interface);
			end->closes_only = in[i].closes_only;
			begin_seen_at(t, in[i].interface);
			prefetch_cells(t, end++);
		}
	prefetch(t, arrivals, end);
	for (unsigned i = 0; i < n; i++) {
		t->number++;
		if (in[i].tcp)
			take(t, next++);
		expire(t, in[i].segment.time);
	}
}

void flow_table_expire(struct flow_table *t, uint64_t now)
{
	expire(&t->tables, now);
}

uint64_t flow_table_clock(const struct flow_table *t)
{
	return t->tables.clock;
}

void flow_table_look_at_waiting(struct flow_table *t, uint64_t now)
{
	due_look_at_waiting(&t->tables.due, now);
}

void flow_table_finish(struct flow_table *t, bool open)
{
	t->tables.number++;
	if (due_finish(&t->tables.due, open, t->tables.clock))
		must(NULL);
}

static int allocate(struct tables *t)
{
	static const struct flow_store_sizes sizes = FIRST_SIZES;
	int err;

	t->hash_key = flow_hash_key_of(t->config.hash_seed);
	t->place_key = flow_hash_key_of(t->config.bucket_seed);
	err = flow_store_open(&t->store, &sizes, &t->place_key);
	if (err)
		return err;
	t->store.tables.buried_max = BURIED_MAX;
	err = conversations_open(&t->conversations, t->store.tables.last_seen_mask + 1, !t->config.all_segments);
	if (err)
		return err;
	if (t->config.all_segments)
		t->traffic = calloc(t->store.tables.slot_count, sizeof(*t->traffic));
	if (t->config.begun)
		t->begun = calloc(t->store.tables.slot_count, sizeof(*t->begun));
	return (t->traffic || !t->config.all_segments) && (t->begun || !t->config.begun) ? 0 : -ENOMEM;
}

struct flow_table *flow_table_new(const struct flow_table_config *config)
{
	struct flow_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->tables.config = *config;
	if (allocate(&table->tables)) {
		flow_table_free(table);
		return NULL;
	}
	table->tables.due = (struct due){
		.tables = &table->tables.store.tables,
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
	for (uint32_t n = 0; t->traffic && n < t->store.tables.slot_count; n++)
		free(t->traffic[n]);
	free(t->traffic);
	free(t->closes_only);
	free(t->twins);
	free(t->begun);
	free(t->seen_at);
	conversations_close(&t->conversations);
	close_payloads_free(&t->close_payloads);
	due_free(&t->due);
	flow_store_close(&t->store);
	free(table);
}
