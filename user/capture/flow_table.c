// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hash table of flows with the same three kinds as in the kernel. An established flow keeps its opening only;
 * unproven and closing flows have a body with their log. Flows that wait for the same thing are queued in the order in
 * which they began to, so that what is due stands at a queue's head.
 */
#include <stdlib.h>
#include <string.h>

#include "user/capture/flow_table.h"
#include "user/base/log.h"
#include "user/base/slab.h"

enum kind { UNPROVEN, ESTABLISHED, CLOSING, TOMBSTONE };

/* The queues: enum flow_wait, the established flows, and reported ones that stay to recognise late copies. */
enum { QUEUE_ESTABLISHED = FLOW_WAITS, QUEUE_TOMBSTONES, QUEUES };

/* They go when there are more, the oldest first; their numbers tell late segments from those of another connection. */
#define TOMBSTONES_MAX 8192

#define FIRST_BUCKETS 1024 /* a power of two, as what follows */

/* Evidence grows with the table, so that few flows share a cell, but a small file does not pay for many. */
#define EVIDENCE_PER_BUCKET 8
#ifndef FILE_EVIDENCE_CELLS /* at most: 32 MiB. The differential test takes the kernel's number */
#define FILE_EVIDENCE_CELLS (1u << 20)
#endif

struct entry {
	struct entry *chain; /* next of the same bucket */
	uint32_t place;      /* the bucket's number, unmasked; here, so that a walk touches one cache line each */
	uint8_t kind;        /* enum kind */
	uint8_t queue;
	struct entry *prev, *next; /* its queue */
	struct closing_body *body; /* NULL while established */
	uint64_t since;            /* ns: since when it waits */
	struct flow_key key;
	struct flow_open open;   /* established: all that is kept */
	struct traffic *traffic; /* with all_segments, from the end of the handshake on; else NULL */
};

/* A segment, and where it belongs. */
struct arrival {
	const struct tcp_segment *s;
	uint32_t ifindex, side;
	uint64_t hash;       /* flow_hash */
	uint32_t place;      /* as in struct entry */
	struct flow_key key; /* filled only if it is looked up */
};

struct queue {
	struct entry *head, *tail;
};

struct flow_table {
	struct flow_table_config config;
	struct watch watch;
	struct last_seen *evidence;
	uint32_t evidence_mask;
	struct entry **bucket;
	uint32_t bucket_mask;
	uint32_t entries, tombstones;
	uint64_t next_round; /* of ageing established flows */
	uint64_t next_due;   /* nothing is due before */
	struct queue queue[QUEUES];
	struct slab entry_slab, body_slab;
};

static void *must(void *memory)
{
	if (!memory) {
		log_error("out of memory for flows");
		exit(1);
	}
	return memory;
}

/* ---- memory ---- */

static struct entry *entry_new(struct flow_table *t)
{
	struct entry *e = must(slab_get(&t->entry_slab));

	memset(e, 0, sizeof(*e));
	return e;
}

static struct closing_body *body_new(struct flow_table *t)
{
	struct closing_body *b = must(slab_get(&t->body_slab));

	memset(&b->flow, 0, sizeof(b->flow));
	return b;
}

static void body_free(struct flow_table *t, struct closing_body *b)
{
	if (b)
		slab_put(&t->body_slab, b);
}

/* All of an object that may be NULL. Inlined, as its callers are: a call that only prefetches looks useless to gcc. */
static __always_inline void prefetch(const void *object, size_t size)
{
	for (const char *p = object; p && p < (const char *)object + size; p += 64)
		__builtin_prefetch(p, 1);
}

/* ---- queues and buckets ---- */

static void queue_remove(struct flow_table *t, struct entry *e)
{
	struct queue *q = &t->queue[e->queue];

	*(e->prev ? &e->prev->next : &q->head) = e->next;
	*(e->next ? &e->next->prev : &q->tail) = e->prev;
}

static void queue_append(struct flow_table *t, struct entry *e, unsigned queue, uint64_t since)
{
	struct queue *q = &t->queue[queue];

	if (!q->head) /* its first one may be due before all others */
		t->next_due = 0;
	e->queue = queue;
	e->since = since;
	e->prev = q->tail;
	e->next = NULL;
	*(q->tail ? &q->tail->next : &q->head) = e;
	q->tail = e;
}

/* After a change: to the end of the queue that it belongs to now. */
static void requeue(struct flow_table *t, struct entry *e)
{
	unsigned queue = e->body ? flow_waits_for(&e->body->flow) : QUEUE_ESTABLISHED;
	uint64_t since = e->body ? flow_waits_since(&e->body->flow) : e->open.t_ack;

	if (queue == e->queue && since == e->since)
		return;
	queue_remove(t, e);
	queue_append(t, e, queue, since);
}

/* Each cell becomes two that its flow may have now; both get what it holds, since the tag tells whose it is. */
static void grow_evidence(struct flow_table *t)
{
	size_t cells = (size_t)t->evidence_mask + 1;
	struct last_seen *evidence;

	if (cells >= FILE_EVIDENCE_CELLS)
		return;
	evidence = must(malloc(2 * cells * sizeof(*evidence)));
	prefer_huge_pages(evidence, 2 * cells * sizeof(*evidence));
	memcpy(evidence, t->evidence, cells * sizeof(*evidence));
	memcpy(evidence + cells, t->evidence, cells * sizeof(*evidence));
	free(t->evidence);
	t->evidence = evidence;
	t->evidence_mask = (uint32_t)(2 * cells - 1);
}

static void grow(struct flow_table *t)
{
	uint32_t size = (t->bucket_mask + 1) * 2;
	struct entry **bucket = must(calloc(size, sizeof(*bucket)));

	for (uint32_t i = 0; i <= t->bucket_mask; i++)
		while (t->bucket[i]) {
			struct entry *e = t->bucket[i];

			t->bucket[i] = e->chain;
			e->chain = bucket[e->place & (size - 1)];
			bucket[e->place & (size - 1)] = e;
		}
	free(t->bucket);
	t->bucket = bucket;
	t->bucket_mask = size - 1;
	grow_evidence(t);
}

/* hash: of flow_key. */
static struct last_seen *evidence_of(struct flow_table *t, uint32_t hash)
{
	return &t->evidence[hash & t->evidence_mask];
}

/* The filter's count that holds an entry, or NULL: see closing_move and flow_idle_round in bpf/. */
static uint32_t *watch_count(struct flow_table *t, const struct entry *e)
{
	uint32_t index = e->key.hash & (WATCH_CELLS - 1);

	if (e->kind == TOMBSTONE || (e->kind == ESTABLISHED && !(e->open.idle & FLOW_IDLE_PROBE)))
		return NULL;
	if (e->kind == CLOSING && e->body->flow.state & FLOW_SETTLING)
		return &t->watch.settling[index];
	return &t->watch.live[index];
}

static void watch_raise(struct flow_table *t, const struct entry *e)
{
	uint32_t *n = watch_count(t, e);

	if (n)
		++*n;
}

static void watch_lower(struct flow_table *t, const struct entry *e)
{
	uint32_t *n = watch_count(t, e);

	if (n)
		--*n;
}

/* unproven: the tuple's unproven flow or tombstone, rather than its established or closing flow. */
static struct entry *find(struct flow_table *t, const struct flow_key *key, uint32_t place, bool unproven)
{
	struct entry *e = t->bucket[place & t->bucket_mask];

	while (e && !(e->place == place && (e->kind == UNPROVEN || e->kind == TOMBSTONE) == unproven &&
		      flow_key_equal(&e->key, key)))
		e = e->chain;
	return e;
}

static void set_kind(struct flow_table *t, struct entry *e, enum kind kind)
{
	watch_lower(t, e);
	e->kind = kind;
	watch_raise(t, e);
}

/* Takes the body; the entry is queued by it. */
static struct entry *insert(struct flow_table *t, const struct arrival *a, enum kind kind, struct closing_body *body)
{
	struct entry *e = entry_new(t);
	struct entry **bucket;

	if (t->entries > t->bucket_mask / 2)
		grow(t);
	bucket = &t->bucket[a->place & t->bucket_mask];
	e->key = a->key;
	e->place = a->place;
	e->kind = kind;
	e->body = body;
	e->chain = *bucket;
	*bucket = e;
	t->entries++;
	queue_append(t, e, flow_waits_for(&body->flow), flow_waits_since(&body->flow));
	watch_raise(t, e);
	return e;
}

static void delete (struct flow_table *t, struct entry *e)
{
	struct entry **at = &t->bucket[e->place & t->bucket_mask];

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	t->entries--;
	t->tombstones -= e->kind == TOMBSTONE;
	queue_remove(t, e);
	watch_lower(t, e);
	free(e->traffic);
	body_free(t, e->body);
	slab_put(&t->entry_slab, e);
}

static void count(struct flow_table *t, enum counter counter)
{
	t->config.counters[counter]++;
}

/* ---- reporting ---- */

/* replaced: a new connection has taken the tuple, so this one is over, whether we saw its end or not. */
static void report(struct flow_table *t, struct entry *e, bool replaced)
{
	struct closing_body body;

	if (e->kind == ESTABLISHED) {
		memset(&body, 0, sizeof(body));
		flow_reopen(&body.flow, &e->open);
		if (replaced) { /* and the evidence is the new connection's */
			body.flow.state |= FLOW_REPLACED;
			count(t, COUNT_CLOSED);
		} else {
			flow_lend_last_seen(&body.flow, evidence_of(t, e->key.hash), flow_key_hash(&e->key));
		}
		t->config.report(t->config.context, &e->key, &body.flow, body.log, e->traffic);
	} else if (e->kind == UNPROVEN && flow_is_stray(&e->body->flow)) {
		count(t, COUNT_STRAY);
	} else {
		e->body->flow.state |= replaced ? FLOW_REPLACED : 0;
		t->config.report(t->config.context, &e->key, &e->body->flow, e->body->log, e->traffic);
	}
}

static void replace(struct flow_table *t, struct entry *e)
{
	if (e->queue != QUEUE_TOMBSTONES)
		report(t, e, true);
	delete (t, e);
}

static void conversation_ended(struct flow_table *t, const struct entry *e)
{
	last_seen_forget(evidence_of(t, e->key.hash), flow_key_hash(&e->key));
}

/* Is its report the end of a conversation? Not where that ended with a step, or goes on around an unproven flow. */
static bool ends_with_report(struct flow_table *t, const struct entry *e)
{
	const struct entry *around;

	if (e->kind == CLOSING)
		return !(e->body->flow.state & FLOW_DONE);
	around = find(t, &e->key, e->place, false);
	return !around || around->kind != ESTABLISHED;
}

/* Reported, but its last segments may be repeated: stays as an unproven flow that takes them. */
static void bury(struct flow_table *t, struct entry *e, uint64_t now)
{
	struct entry *older = e->kind == CLOSING ? find(t, &e->key, e->place, true) : NULL;

	if (ends_with_report(t, e))
		conversation_ended(t, e);
	if (older && older->kind == UNPROVEN) { /* no live flow gives way to a tombstone */
		delete (t, e);
		return;
	}
	if (older)
		delete (t, older);
	e->body->flow.state |= FLOW_TOMBSTONE;
	set_kind(t, e, TOMBSTONE);
	queue_remove(t, e);
	queue_append(t, e, QUEUE_TOMBSTONES, now);
	if (++t->tombstones > TOMBSTONES_MAX)
		delete (t, t->queue[QUEUE_TOMBSTONES].head);
}

/* ---- from a segment to its flow: as bpf/track.bpf.h ---- */

static uint32_t step(struct closing_body *b, uint32_t cap, const struct tcp_segment *s, uint32_t side)
{
	struct flow_turn turn;

	flow_turn_begin(&turn, &b->flow, b->log, cap, side);
	flow_step(&b->flow, &turn, s);
	flow_turn_end(&turn, b->log, cap);
	return turn.step;
}

/* The flow has come to closing, with its last step perhaps. */
static void begun(struct flow_table *t, struct entry *e)
{
	count(t, COUNT_CLOSES);
	set_kind(t, e, CLOSING);
	if (e->body->flow.state & FLOW_DONE)
		conversation_ended(t, e);
}

static void proven(struct flow_table *t, struct entry *e, struct entry *older)
{
	if (older)
		replace(t, older);
	if (t->config.all_segments && e->body->flow.open.seen & OPEN_ACK) {
		e->traffic = must(calloc(1, sizeof(*e->traffic)));
		traffic_begin(e->traffic, &e->body->flow, e->body->log, FLOW_LOG_UNPROVEN);
	}
	if (e->body->flow.state & FLOW_BEGUN) {
		begun(t, e);
	} else {
		flow_leave_last_seen(&e->body->flow, evidence_of(t, e->key.hash), flow_key_hash(&e->key));
		e->open = e->body->flow.open;
		body_free(t, e->body);
		e->body = NULL;
		set_kind(t, e, ESTABLISHED);
		count(t, COUNT_ESTABLISHED);
	}
	requeue(t, e);
}

/*
 * Returns whether the segment was the unproven flow's. other: the tuple's established or closing flow. buried: a
 * tombstone may take it.
 */
static bool take_unproven(struct flow_table *t, const struct arrival *a, struct entry *other, bool create, bool buried)
{
	struct entry *e = find(t, &a->key, a->place, true);
	const struct tcp_segment *s = a->s;
	uint32_t side = a->side;

	if (e && e->kind == TOMBSTONE && !buried)
		return false;

	if (e && flow_is_new_attempt(&e->body->flow, s, side)) {
		replace(t, e);
		e = NULL;
	}
	if (e && e->kind == TOMBSTONE) {
		if (!(s->flags & TCP_SYN) && !flow_is_late(&e->body->flow, s, side))
			return false;
		count(t, COUNT_LATE);
		return true;
	}
	if (!e) {
		struct closing_body *b;

		if (!create)
			return false;
		b = body_new(t);
		flow_init(&b->flow, s, side, other);
		e = insert(t, a, UNPROVEN, b);
	} else if (!flow_claims(&e->body->flow, s, side)) {
		return false;
	}
	if (step(e->body, FLOW_LOG_UNPROVEN, s, side) & STEP_PROVEN)
		proven(t, e, other);
	else
		requeue(t, e);
	return true;
}

/* Disarms the idle probe. */
static void heard(struct flow_table *t, struct entry *e)
{
	watch_lower(t, e);
	flow_idle_disarm(&e->open);
	watch_raise(t, e);
}

/* A FIN or RST of a connection that is not closing yet. Returns false for a stray one. */
static bool begin(struct flow_table *t, const struct arrival *a, struct entry *e)
{
	const struct last_seen *evidence = evidence_of(t, a->hash >> 32);
	struct closing_body *b;

	if (!e && !flow_evident(evidence, a->s, a->side, a->hash))
		return false;
	b = body_new(t);
	if (e) {
		flow_reopen(&b->flow, &e->open);
	} else {
		flow_init(&b->flow, a->s, a->side, false);
		b->flow.state |= FLOW_PROVEN;
	}
	flow_lend_last_seen(&b->flow, evidence, a->hash);
	step(b, FLOW_LOG_CLOSING, a->s, a->side);
	if (!(b->flow.state & FLOW_BEGUN)) {
		if (e)
			e->open.resets_ignored = b->flow.open.resets_ignored;
		body_free(t, b);
		return e;
	}
	if (!e) {
		begun(t, insert(t, a, CLOSING, b));
		return true;
	}
	count(t, COUNT_CLOSED);
	heard(t, e);
	e->body = b;
	begun(t, e);
	requeue(t, e);
	return true;
}

static void step_closing(struct flow_table *t, struct entry *e, const struct tcp_segment *s, uint32_t side)
{
	struct flow *f = &e->body->flow;
	bool done;

	watch_lower(t, e);
	done = step(e->body, FLOW_LOG_CLOSING, s, side) & STEP_DONE;
	if ((f->state & (FLOW_GRACEFUL | FLOW_REPEATED)) != FLOW_GRACEFUL)
		f->state &= ~FLOW_SETTLING;
	else if (done)
		f->state |= FLOW_SETTLING;
	watch_raise(t, e);
	if (done)
		conversation_ended(t, e);
	requeue(t, e);
}

static bool take_syn_copy(struct entry *e, const struct tcp_segment *s, uint32_t side)
{
	uint8_t *copies;

	if (!e || !flow_is_copy(&e->open, s, side))
		return false;
	copies = s->flags & TCP_ACK ? &e->open.synack_copies : &e->open.syn_copies;
	*copies = saturating_inc(*copies);
	return true;
}

static void track(struct flow_table *t, const struct arrival *a)
{
	const struct tcp_segment *s = a->s;
	struct entry *e, *c = NULL;
	uint32_t side = a->side;
	bool opens = (s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;

	count(t, COUNT_LOOKED_UP);
	if (s->flags & TCP_SYN && segment_contradicts(s)) {
		count(t, COUNT_CONTRADICTORY);
		return;
	}
	e = find(t, &a->key, a->place, false);
	if (!opens && take_unproven(t, a, e, false, false))
		return;
	if (e && e->kind == CLOSING) {
		c = e;
		e = NULL;
	}
	if (opens) {
		if (c && c->body->flow.state & FLOW_DONE) {
			struct entry *older = find(t, &a->key, a->place, true);

			if (older && older->kind == TOMBSTONE) /* of a connection before the one that is done */
				delete (t, older);
			replace(t, c);
			c = NULL;
		}
		if (take_syn_copy(e, s, side))
			return;
		if (!c || !flow_is_copy(&c->body->flow.open, s, side)) {
			take_unproven(t, a, c ? c : e, true, true);
			return;
		}
	}
	if (c) {
		step_closing(t, c, s, side);
		return;
	}
	if (s->flags & TCP_SYN) { /* a SYN-ACK */
		if (!e)
			take_unproven(t, a, NULL, true, true);
		else
			take_syn_copy(e, s, side);
		return;
	}
	if (!(s->flags & (TCP_FIN | TCP_RST))) {
		if (e)
			heard(t, e);
		return;
	}
	if (!e && take_unproven(t, a, NULL, false, true))
		return;
	if (begin(t, a, e))
		return;
	if (s->flags & TCP_RST)
		count(t, COUNT_STRAY_RST);
	else if (segment_contradicts(s))
		count(t, COUNT_CONTRADICTORY);
	else
		take_unproven(t, a, NULL, true, true);
}

/* ---- from a packet to its segment's places ---- */

static void arrive(const struct flow_table *t, struct arrival *a, const struct tcp_segment *s, uint32_t ifindex)
{
	a->s = s;
	a->ifindex = ifindex;
	a->side = flow_side_of(s);
	a->hash = flow_hash(s, ifindex, t->config.hash_seed);
	a->place = flow_hash(s, ifindex, t->config.bucket_seed) >> 32;
}

static bool is_looked_up(const struct flow_table *t, const struct arrival *a)
{
	return a->s->flags & TCP_CONTROL || t->watch.live[a->hash >> 32 & (WATCH_CELLS - 1)];
}

static void count_traffic(struct flow_table *t, struct arrival *a)
{
	struct entry *e;

	if (a->s->flags & TCP_SYN) /* perhaps of the tuple's next connection */
		return;
	flow_key_fill(&a->key, a->s, a->side, a->ifindex, a->hash);
	e = find(t, &a->key, a->place, false);
	if (e && e->traffic)
		traffic_note(&e->traffic->side[a->side & 1], a->s, a->s->time);
}

static void take(struct flow_table *t, struct arrival *a)
{
	if (t->config.all_segments)
		count_traffic(t, a);
	if (!(a->s->flags & TCP_CONTROL))
		last_seen_note(evidence_of(t, a->hash >> 32), a->s, a->side, a->hash);
	if (is_looked_up(t, a)) {
		flow_table_expire(t, a->s->time);
		flow_key_fill(&a->key, a->s, a->side, a->ifindex, a->hash);
		track(t, a);
	}
}

void flow_table_segment(struct flow_table *t, const struct tcp_segment *s, uint32_t ifindex)
{
	struct arrival a;

	arrive(t, &a, s, ifindex);
	take(t, &a);
}

/* What an arrival is likely to need, in the order in which one leads to the other. */
static __always_inline void prefetch_arrays(const struct flow_table *t, const struct arrival *a)
{
	__builtin_prefetch(&t->evidence[a->hash >> 32 & t->evidence_mask].side[a->side & 1], 1);
	__builtin_prefetch(&t->bucket[a->place & t->bucket_mask]);
}

static __always_inline void prefetch_entry(const struct flow_table *t, const struct arrival *a)
{
	if (is_looked_up(t, a))
		prefetch(t->bucket[a->place & t->bucket_mask], sizeof(struct entry));
}

static __always_inline void prefetch_flow(const struct flow_table *t, const struct arrival *a)
{
	const struct entry *e = t->bucket[a->place & t->bucket_mask];

	if (e && is_looked_up(t, a))
		prefetch(e->body, sizeof(struct flow) + 3 * sizeof(struct flow_segment));
}

/*
 * Connections are many and their segments are mixed, so what a segment needs is seldom in the cache. The misses of a
 * whole batch are waited for together.
 */
void flow_table_batch(struct flow_table *t, const struct flow_input *in, unsigned n)
{
	struct arrival arrivals[FLOW_BATCH], *end = arrivals, *next = arrivals;

	for (unsigned i = 0; i < n; i++)
		if (in[i].tcp) {
			arrive(t, end, &in[i].segment, in[i].ifindex);
			prefetch_arrays(t, end++);
		}
	for (const struct arrival *a = arrivals; a < end; a++)
		prefetch_entry(t, a);
	for (const struct arrival *a = arrivals; a < end; a++)
		prefetch_flow(t, a);
	for (unsigned i = 0; i < n; i++) {
		if (in[i].tcp)
			take(t, next++);
		flow_table_expire(t, in[i].segment.time);
	}
}

/* ---- time ---- */

static void age_established(struct flow_table *t)
{
	struct entry *e, *next;

	for (e = t->queue[QUEUE_ESTABLISHED].head; e; e = next) {
		enum flow_idle idle;

		next = e->next;
		watch_lower(t, e);
		idle = flow_idle_round(&e->open);
		watch_raise(t, e);
		if (idle != FLOW_IDLE_FORGET)
			continue;
		count(t, COUNT_IDLE_FORGOTTEN);
		report(t, e, false);
		delete (t, e);
	}
}

/* How long a queue's entries wait; never for those that wait for nothing. */
static uint64_t wait_of(const struct flow_table *t, int queue)
{
	switch (queue) {
	case FLOW_WAIT_SETTLE:
		return t->config.timeouts.settle;
	case FLOW_WAIT_SYN:
		return t->config.timeouts.syn;
	case FLOW_WAIT_CLOSE:
		return t->config.timeouts.close;
	default:
		return UINT64_MAX;
	}
}

static uint64_t earliest(const struct flow_table *t)
{
	uint64_t first = t->next_round;

	for (int queue = 0; queue < QUEUES; queue++) {
		const struct entry *e = t->queue[queue].head;
		uint64_t wait = wait_of(t, queue);

		if (e && wait < UINT64_MAX - e->since && e->since + wait < first)
			first = e->since + wait;
	}
	return first;
}

/* While one flow is reported, the next one's memory comes: it has waited for long, and so is in no cache any more. */
static __always_inline void prefetch_next(const struct entry *e)
{
	if (!e->next)
		return;
	prefetch(e->next->body, sizeof(*e->body));
	prefetch(e->next->next, sizeof(*e));
}

void flow_table_expire(struct flow_table *t, uint64_t now)
{
	if (now < t->next_due)
		return;
	if (now >= t->next_round) {
		if (t->next_round)
			age_established(t);
		t->next_round = now + t->config.idle / FLOW_IDLE_ROUNDS;
	}
	for (int queue = 0; queue < FLOW_WAITS; queue++) {
		struct entry *e;

		while ((e = t->queue[queue].head) && flow_is_due(&e->body->flow, now, &t->config.timeouts)) {
			bool stray = e->kind == UNPROVEN && flow_is_stray(&e->body->flow);

			prefetch_next(e);
			report(t, e, false);
			if (stray)
				delete (t, e);
			else
				bury(t, e, now);
		}
	}
	t->next_due = earliest(t);
}

void flow_table_finish(struct flow_table *t, bool open)
{
	for (int queue = 0; queue < QUEUES; queue++) {
		struct entry *e;

		while ((e = t->queue[queue].head)) {
			if (queue != QUEUE_TOMBSTONES && (queue != QUEUE_ESTABLISHED || open))
				report(t, e, false);
			delete (t, e);
		}
	}
}

struct flow_table *flow_table_new(const struct flow_table_config *config)
{
	struct flow_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->config = *config;
	t->entry_slab.size = sizeof(struct entry);
	t->body_slab.size = sizeof(struct closing_body);
	t->bucket_mask = FIRST_BUCKETS - 1;
	t->bucket = calloc(FIRST_BUCKETS, sizeof(*t->bucket));
	t->evidence_mask = FIRST_BUCKETS * EVIDENCE_PER_BUCKET - 1;
	t->evidence = calloc(FIRST_BUCKETS * EVIDENCE_PER_BUCKET, sizeof(*t->evidence));
	if (t->bucket && t->evidence)
		return t;
	flow_table_free(t);
	return NULL;
}

void flow_table_free(struct flow_table *t)
{
	if (!t)
		return;
	slab_free(&t->entry_slab);
	slab_free(&t->body_slab);
	free(t->bucket);
	free(t->evidence);
	free(t);
}
