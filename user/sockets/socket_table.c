// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tracepoints write while we read: what lies in a place is copied, and used if its way says that it was whole.
 */
#include "user/sockets/socket_table.h"

#include <string.h>

#include "bpf/core/flow_log.h"
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

/* The ways that have the tag, a bit each. Without a branch for each: nearly always it is one of them. */
static unsigned tagged_ways(const struct socket_set *set, uint32_t hash)
{
	unsigned ways = 0;

	for (unsigned i = 0; i < SOCKET_WAYS; i++)
		ways |= (unsigned)!((__atomic_load_n(&set->way[i], __ATOMIC_RELAXED) ^ hash) & ~SOCKET_TURNS) << i;
	return ways;
}

/* Takes one of `ways`. Returns the place that it stands for if it has the tag; else mask + 1, which is none. */
static uint32_t take_tagged(const struct socket_set *set, unsigned *ways, uint32_t hash, uint32_t mask)
{
	uint32_t way = __atomic_load_n(&set->way[__builtin_ctz(*ways)], __ATOMIC_ACQUIRE);

	*ways &= *ways - 1;
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

/* The hashes of both sides' sockets. */
static void hash_ends(const struct socket_table *t, unsigned family, const struct ip_address addr[2],
		      const uint16_t port[2], uint32_t hash[2])
{
	for (unsigned side = 0; side < 2; side++)
		hash[side] = socket_hash(&(struct socket_hash){
			flow_ends_of(family, &addr[side], port[side], &addr[!side], port[!side], &t->key)});
}

/* ---- fetching ahead ---- */

static const struct socket_set *set_of(const struct socket_table *t, uint32_t hash)
{
	return &t->sets[hash & t->sets_mask];
}

static void fetch_places(const struct socket_table *t, uint32_t hash)
{
	for (unsigned ways = tagged_ways(set_of(t, hash), hash); ways;) {
		uint32_t n = take_tagged(set_of(t, hash), &ways, hash, t->sockets_mask);
		const char *place = (const char *)&t->sockets[n];

		if (n > t->sockets_mask)
			continue;
		for (size_t line = 0; line < sizeof(struct closing_socket); line += 64)
			__builtin_prefetch(place + line, 1);
	}
}

void socket_table_fetch(const struct socket_table *t, const struct flow_slot *slot, bool near)
{
	uint32_t hash[2];

	hash_ends(t, slot->family, slot->addr, slot->port, hash);
	for (unsigned side = 0; side < 2; side++)
		if (near)
			fetch_places(t, hash[side]);
		else
			__builtin_prefetch(set_of(t, hash[side]));
}

/* ---- finding ---- */

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

static const struct closing_socket *find_side(struct socket_table *t, const struct socket_query *q, uint32_t hash,
					      unsigned side)
{
	const struct socket_set *set = set_of(t, hash);
	const struct socket_id id = id_of(q->key, side);
	struct closing_socket *copy = &t->side[side], other;
	uint32_t found = t->sockets_mask + 1;
	uint64_t word, found_word = 0;

	for (unsigned ways = tagged_ways(set, hash); ways;) {
		uint32_t n = take_tagged(set, &ways, hash, t->sockets_mask);

		if (n > t->sockets_mask || !copy_place(copy, &t->sockets[n], sizeof(*copy), &word))
			continue;
		if (!socket_same_id(&copy->id, &id) || !is_of(copy, q, side))
			continue;
		if (found <= t->sockets_mask && found != n)
			return NULL; /* several fit */
		copy = &other;
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
 * 3.10.7.1: SEQ is SEG.ACK, or else ACK is SEG.SEQ + SEG.LEN). False: it is not known to have answered any.
 */
static bool find_answer(struct socket_table *t, const struct socket_query *q, uint32_t *reason)
{
	struct socket_id id = id_of(q->key, q->reset.side);
	struct socket_hash ends = socket_hash_of(&id, &t->key);
	uint32_t hash = socket_hash(&ends);
	const struct socket_set *set = &t->answer_sets[hash & t->answer_sets_mask];
	struct socket_answer copy;
	uint64_t word;

	for (unsigned ways = tagged_ways(set, hash); ways;) {
		uint32_t n = take_tagged(set, &ways, hash, t->answers_mask);

		if (n > t->answers_mask || !copy_place(&copy, &t->answers[n], sizeof(copy), &word) ||
		    !explains(&copy, q, &id))
			continue;
		mark_reported(&t->answers[n].place, word);
		*reason = copy.reason;
		return true;
	}
	return false;
}

/* ---- both ---- */

struct socket_join socket_table_find(struct socket_table *t, const struct socket_query *q)
{
	struct socket_join join = {.jiffy = t->jiffy};
	const struct closing_socket *sender;
	uint32_t hash[2];

	hash_ends(t, q->key->family, q->key->addr, q->key->port, hash);
	for (unsigned side = 0; side < 2; side++)
		join.side[side] = find_side(t, q, hash[side], side);
	sender = join.side[q->reset.side & 1];
	for (unsigned side = 0; side < 2; side++)
		join.lost[side] = join.side[side] && join.side[side]->lost && q->open->seen && q->t_first > t->since;
	if (!q->reset.seen)
		return join;
	join.answer = find_answer(t, q, &join.reason);
	if (!join.reason && sender)
		join.reason = sender->reset_reason;
	return join;
}
