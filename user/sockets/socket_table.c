// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tracepoints write while we read: what lies in a place is copied, and used if its way says that it was whole.
 */
#include "user/sockets/socket_table.h"

#include <string.h>

#include "user/base/address.h"
#include "user/base/clock.h"

/* ---- one place ---- */

static uint64_t read_word(const struct socket_place *p)
{
	return __atomic_load_n(&p->word, __ATOMIC_ACQUIRE);
}

/* Copies a place. False: it is being written all the time, or holds nothing. *word: its word as it was. */
static bool copy_place(void *to, const void *from, size_t size, uint64_t *word)
{
	const struct socket_place *p = from;

	for (int tries = 0; tries < 1000; tries++) {
		*word = read_word(p);
		if (!(*word & SOCKET_USED))
			return false;
		if (*word & SOCKET_BUSY)
			continue;
		memcpy(to, from, size);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (read_word(p) == *word)
			return true;
	}
	return false;
}

/* No event is to come: its place may be used again at once. One that an event has changed stays as it is. */
static void mark_reported(struct socket_place *p, uint64_t word)
{
	__u64 seen = word;

	if (word & SOCKET_CLOSED)
		__atomic_compare_exchange_n(&p->word, &seen, word | SOCKET_REPORTED, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}

/* The place that a way stands for if it has the tag; else mask + 1, which is none. */
static uint32_t tagged(const struct socket_set *set, unsigned i, uint32_t hash, uint32_t mask)
{
	uint32_t way = __atomic_load_n(&set->way[i], __ATOMIC_ACQUIRE);

	return socket_has_tag(way, hash) ? way & mask : mask + 1;
}

/* ---- sockets ---- */

static struct socket_id id_of(const struct flow_key *key, unsigned side)
{
	struct socket_id id = {
		.local_port = key->port[side],
		.remote_port = key->port[!side],
		.family = key->family,
	};

	address_to_bytes(id.local, &key->addr[side], key->family);
	address_to_bytes(id.remote, &key->addr[!side], key->family);
	return id;
}

static uint32_t hash_of(const struct socket_table *t, const struct socket_id *id)
{
	struct socket_hash h = socket_hash_of(id, t->seed);

	return socket_hash(&h);
}

/* A side's socket, as it is looked for. */
struct wanted {
	struct socket_id id;
	uint32_t hash;
};

static struct wanted search_for(const struct socket_table *t, const struct flow_key *key, unsigned side)
{
	struct wanted socket = {.id = id_of(key, side)};

	socket.hash = hash_of(t, &socket.id);
	return socket;
}

/* Sets and places have left the caches by the time of the report: those of both sides are waited for at once. */
static void fetch(const struct socket_table *t, const struct wanted socket[2])
{
	for (unsigned i = 0; i < 2; i++)
		__builtin_prefetch(&t->sets[socket[i].hash & t->sets_mask]);
	for (unsigned i = 0; i < 2 * SOCKET_WAYS; i++) {
		uint32_t hash = socket[i / SOCKET_WAYS].hash;
		uint32_t n = tagged(&t->sets[hash & t->sets_mask], i % SOCKET_WAYS, hash, t->sockets_mask);
		const char *place = (const char *)&t->sockets[n];

		if (n > t->sockets_mask)
			continue;
		for (size_t line = 0; line < sizeof(struct closing_socket); line += 64)
			__builtin_prefetch(place + line, 1);
	}
}

static bool knows_isn(const struct flow_open *open, unsigned side)
{
	return open->seen & OPEN_SYNACK || (open->seen & OPEN_SYN && side == open->source);
}

uint64_t socket_first_event(const struct closing_socket *s)
{
	uint64_t entered = s->step_count ? s->entered[0] : 0;

	return s->reset_received && (!entered || s->reset_received < entered) ? s->reset_received : entered;
}

static uint64_t last_event(const struct closing_socket *s)
{
	uint64_t time = s->step_count ? s->entered[s->step_count - 1] : 0;

	return time > s->reset_received ? time : s->reset_received;
}

/* Is this the socket of that side of the connection? One taken up midstream has no ISN to compare: its time decides. */
static bool is_of(const struct closing_socket *socket, const struct socket_query *q, unsigned side)
{
	unsigned whose = socket->own_isn ? side : !side;

	if (knows_isn(q->open, whose))
		return socket->isn == q->open->isn[whose];
	return !q->open->seen && socket->netns == q->netns && last_event(socket) + SECOND_NS > q->t_first &&
	       last_event(socket) < q->t_last + SECOND_NS;
}

static const struct closing_socket *find_side(struct socket_table *t, const struct socket_query *q,
					      const struct wanted *socket, unsigned side)
{
	const struct socket_set *set = &t->sets[socket->hash & t->sets_mask];
	uint32_t found = t->sockets_mask + 1;
	uint64_t word, found_word = 0;
	struct closing_socket copy;

	for (unsigned i = 0; i < SOCKET_WAYS; i++) {
		uint32_t n = tagged(set, i, socket->hash, t->sockets_mask);

		if (n > t->sockets_mask || !copy_place(&copy, &t->sockets[n], sizeof(copy), &word))
			continue;
		if (!socket_same_id(&copy.id, &socket->id) || !is_of(&copy, q, side))
			continue;
		if (found <= t->sockets_mask && found != n)
			return NULL; /* several fit */
		t->side[side] = copy;
		found = n;
		found_word = word;
	}
	if (found > t->sockets_mask)
		return NULL;
	mark_reported(&t->sockets[found].place, found_word);
	return &t->side[side];
}

/* ---- answers ---- */

static bool explains(const struct socket_answer *a, const struct socket_query *q, const struct socket_id *id)
{
	return socket_same_id(&a->id, id) && a->time < q->reset.time + SECOND_NS &&
	       q->reset.time < a->time + SECOND_NS && a->number == (a->by_ack ? q->reset.ack : q->reset.seq);
}

/*
 * Why the flow's RST was sent, if it answered a segment: RST and answer have the same number (RFC 9293, section
 * 3.10.7.1: SEQ is SEG.ACK, or else ACK is SEG.SEQ + SEG.LEN). 0: not known.
 */
static uint32_t answer_reason(struct socket_table *t, const struct socket_query *q)
{
	struct socket_id id = id_of(q->key, q->reset.side);
	uint32_t hash = hash_of(t, &id);
	const struct socket_set *set = &t->answer_sets[hash & t->answer_sets_mask];
	struct socket_answer copy;
	uint64_t word;

	for (unsigned i = 0; i < SOCKET_WAYS; i++) {
		uint32_t n = tagged(set, i, hash, t->answers_mask);

		if (n > t->answers_mask || !copy_place(&copy, &t->answers[n], sizeof(copy), &word) ||
		    !explains(&copy, q, &id))
			continue;
		mark_reported(&t->answers[n].place, word);
		return copy.reason;
	}
	return 0;
}

/* ---- both ---- */

struct socket_join socket_table_find(struct socket_table *t, const struct socket_query *q)
{
	const struct wanted socket[2] = {search_for(t, q->key, 0), search_for(t, q->key, 1)};
	struct socket_join join = {.jiffy = t->jiffy};
	const struct closing_socket *sender;

	fetch(t, socket);
	for (unsigned side = 0; side < 2; side++)
		join.side[side] = find_side(t, q, &socket[side], side);
	sender = join.side[q->reset.side & 1];
	for (unsigned side = 0; side < 2; side++)
		join.lost[side] = join.side[side] && join.side[side]->lost && q->open->seen && q->t_first > t->since;
	if (!q->reset.seen)
		return join;
	join.reason = answer_reason(t, q);
	if (!join.reason && sender)
		join.reason = sender->reset_reason;
	return join;
}
