// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Closing sockets lie in a ring in the order of their first event, so that the slot of a new one is the oldest one's,
 * and in hash chains by their tuple. RSTs that answered stray segments have a ring of their own: any host can cause
 * them, and they must not evict sockets.
 */
#include "user/sockets/socket_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/address.h"
#include "user/base/clock.h"

#define NOWHERE UINT32_MAX

struct slot {
	uint32_t next; /* in its chain */
	uint32_t hash; /* of its tuple; compared first, because the tuple is in another cache line */
};

/* Finds slots by tuple, and the oldest slot. What a slot holds is in an array beside it, at the same index. */
struct tuple_index {
	struct slot *slots;
	uint32_t *heads;
	uint32_t size; /* of both; a power of two */
	uint64_t made; /* slots given out so far */
	uint64_t seed; /* random, so that a peer who chooses addresses and ports cannot fill one chain */
};

struct reset_answer {
	struct socket_id id;
	uint32_t number;
	bool by_ack;
	uint64_t time;
	const char *reason;
};

struct socket_table {
	uint32_t netns;
	uint64_t wait;
	struct tuple_index socket_index, answer_index;
	struct closing_socket *sockets;
	struct reset_answer *answers;
	uint64_t evicted;
};

/* ---- the index ---- */

static uint32_t hash_of(const struct tuple_index *x, const struct socket_id *id)
{
	uint64_t words[5] = {}, h = 0;

	_Static_assert(sizeof(*id) == sizeof(words), "no padding, and all of it");
	memcpy(words, id, sizeof(words));
	for (unsigned i = 0; i < 5; i++)
		h = flow_hash_mix(h, words[i], i % 2 ? FLOW_HASH_KEY_B(x->seed) : FLOW_HASH_KEY_A(x->seed));
	return h * FLOW_HASH_PRIME >> 32;
}

static uint32_t *chain_of(const struct tuple_index *x, uint32_t hash)
{
	return &x->heads[hash & (x->size - 1)];
}

/* The first slot of the chain with that hash, from slot i on; NOWHERE if there is none. */
static uint32_t with_hash(const struct tuple_index *x, uint32_t i, uint32_t hash)
{
	while (i != NOWHERE && x->slots[i].hash != hash)
		i = x->slots[i].next;
	return i;
}

static uint32_t first_slot(const struct tuple_index *x, const struct socket_id *id)
{
	uint32_t hash = hash_of(x, id);

	return with_hash(x, *chain_of(x, hash), hash);
}

static uint32_t next_slot(const struct tuple_index *x, uint32_t i)
{
	return with_hash(x, x->slots[i].next, x->slots[i].hash);
}

static int tuple_index_init(struct tuple_index *x, uint32_t size)
{
	x->size = size;
	x->slots = calloc(size, sizeof(*x->slots));
	x->heads = malloc(size * sizeof(*x->heads));
	if (!x->slots || !x->heads)
		return -ENOMEM;
	memset(x->heads, 0xff, size * sizeof(*x->heads)); /* NOWHERE */
	return getentropy(&x->seed, sizeof(x->seed)) ? -errno : 0;
}

static void tuple_index_free(struct tuple_index *x)
{
	free(x->slots);
	free(x->heads);
}

/* The slot that the next entry takes. If it is in use, it holds the oldest entry. */
static uint32_t oldest_slot(const struct tuple_index *x)
{
	return x->made & (x->size - 1);
}

static bool in_use(const struct tuple_index *x, uint32_t slot)
{
	return x->made > slot;
}

static void unlink_slot(struct tuple_index *x, uint32_t slot)
{
	uint32_t *at = chain_of(x, x->slots[slot].hash);

	while (*at != slot)
		at = &x->slots[*at].next;
	*at = x->slots[slot].next;
}

static void link_slot(struct tuple_index *x, uint32_t slot, const struct socket_id *id)
{
	uint32_t hash = hash_of(x, id), *chain = chain_of(x, hash);

	x->slots[slot] = (struct slot){.next = *chain, .hash = hash};
	*chain = slot;
	x->made++;
}

static bool same_id(const struct socket_id *a, const struct socket_id *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* ---- events ---- */

static struct closing_socket *find_socket(const struct socket_table *t, const struct socket_event *e)
{
	const struct tuple_index *x = &t->socket_index;

	for (uint32_t i = first_slot(x, &e->id); i != NOWHERE; i = next_slot(x, i)) {
		struct closing_socket *socket = &t->sockets[i];

		if (same_id(&socket->id, &e->id) && socket->netns == e->netns && socket->isn == e->isn &&
		    socket->own_isn == !!(e->flags & SOCKET_OWN_ISN))
			return socket;
	}
	return NULL;
}

/* May a connection still be reported with this socket? */
static bool is_wanted(const struct socket_table *t, const struct closing_socket *socket, uint64_t now)
{
	bool closed = socket->step_count && socket->states[socket->step_count - 1] == SOCKET_CLOSE;

	return !socket->joined && (!closed || socket->time + t->wait > now);
}

static struct closing_socket *add_socket(struct socket_table *t, const struct socket_event *e)
{
	uint32_t slot = oldest_slot(&t->socket_index);
	struct closing_socket *socket = &t->sockets[slot];

	if (in_use(&t->socket_index, slot)) {
		unlink_slot(&t->socket_index, slot);
		t->evicted += is_wanted(t, socket, e->time);
	}
	*socket = (struct closing_socket){
		.id = e->id,
		.netns = e->netns,
		.isn = e->isn,
		.own_isn = e->flags & SOCKET_OWN_ISN,
	};
	link_slot(&t->socket_index, slot, &e->id);
	return socket;
}

static void add_step(struct closing_socket *socket, uint64_t time, uint8_t state)
{
	if (socket->step_count == SOCKET_STEPS)
		return;
	socket->entered[socket->step_count] = time;
	socket->states[socket->step_count++] = state;
}

static void set_close(struct socket_close *close, const struct socket_event *e)
{
	*close = (struct socket_close){
		.time = e->time,
		.cgroup = e->cgroup,
		.pid = e->pid,
		.uid = e->uid,
		.unread = e->unread,
		.unsent = e->unsent,
		.from = e->from,
		.to = e->to,
		.flags = e->flags,
	};
	memcpy(close->name, e->name, sizeof(close->name));
}

/* Does this event close the socket? The first call by a process does; without a call, the change to CLOSE. */
static bool closes(const struct closing_socket *socket, const struct socket_event *e)
{
	return !socket->close.to && (e->flags & SOCKET_PROCESS || e->to == SOCKET_CLOSE);
}

static void take_change(struct socket_table *t, const struct socket_event *e, const char *reason)
{
	struct closing_socket *socket = find_socket(t, e);

	if (!socket)
		socket = add_socket(t, e);
	socket->time = e->time;
	socket->srtt = e->srtt;
	socket->retransmits = e->retransmits;
	switch (e->kind) {
	case SOCKET_STATE:
		add_step(socket, e->time, e->to);
		if (closes(socket, e))
			set_close(&socket->close, e);
		break;
	case SOCKET_RESET_SENT:
		socket->reset_reason = reason;
		break;
	case SOCKET_RESET_RECEIVED:
		socket->reset_received = e->time;
		break;
	}
}

static void take_answer(struct socket_table *t, const struct socket_event *e, const char *reason)
{
	uint32_t slot = oldest_slot(&t->answer_index);
	struct reset_answer *a = &t->answers[slot];

	if (in_use(&t->answer_index, slot))
		unlink_slot(&t->answer_index, slot);
	*a = (struct reset_answer){e->id, e->number, e->flags & SOCKET_BY_ACK, e->time, reason};
	link_slot(&t->answer_index, slot, &a->id);
}

void socket_table_take(struct socket_table *t, const struct socket_event *e, const char *reason)
{
	if (e->kind == SOCKET_RESET_ANSWER)
		take_answer(t, e, reason);
	else
		take_change(t, e, reason);
}

/* ---- joining ---- */

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

static bool knows_isn(const struct flow_open *open, unsigned side)
{
	return open->seen & OPEN_SYNACK || (open->seen & OPEN_SYN && side == open->source);
}

/* Is this the socket of that side of the connection? One taken up midstream has no ISN to compare: its time decides. */
static bool is_of(const struct socket_table *t, const struct closing_socket *socket, const struct socket_query *q,
		  unsigned side)
{
	unsigned whose = socket->own_isn ? side : !side;

	if (knows_isn(q->open, whose))
		return socket->isn == q->open->isn[whose];
	return !q->open->seen && socket->netns == t->netns && socket->time + SECOND_NS > q->t_first &&
	       socket->time < q->t_last + SECOND_NS;
}

static const struct closing_socket *find_side(struct socket_table *t, const struct socket_query *q, unsigned side)
{
	const struct tuple_index *x = &t->socket_index;
	struct closing_socket *found = NULL;
	struct socket_id id = id_of(q->key, side);

	for (uint32_t i = first_slot(x, &id); i != NOWHERE; i = next_slot(x, i)) {
		struct closing_socket *socket = &t->sockets[i];

		if (!same_id(&socket->id, &id) || !is_of(t, socket, q, side))
			continue;
		if (found)
			return NULL; /* several fit */
		found = socket;
	}
	if (found)
		found->joined = true;
	return found;
}

/*
 * Why the flow's RST was sent, if it answered a segment: RST and answer have the same number (RFC 9293, section
 * 3.10.7.1: SEQ is SEG.ACK, or else ACK is SEG.SEQ + SEG.LEN). NULL: not known.
 */
static const char *answer_reason(const struct socket_table *t, const struct socket_query *q)
{
	const struct tuple_index *x = &t->answer_index;
	struct socket_id id = id_of(q->key, q->reset.side);

	for (uint32_t i = first_slot(x, &id); i != NOWHERE; i = next_slot(x, i)) {
		const struct reset_answer *a = &t->answers[i];

		if (same_id(&a->id, &id) && a->time < q->reset.time + SECOND_NS &&
		    q->reset.time < a->time + SECOND_NS && a->number == (a->by_ack ? q->reset.ack : q->reset.seq))
			return a->reason;
	}
	return NULL;
}

struct socket_join socket_table_find(struct socket_table *t, const struct socket_query *q)
{
	struct socket_join join = {.side = {find_side(t, q, 0), find_side(t, q, 1)}};
	const struct closing_socket *sender = join.side[q->reset.side & 1];

	if (!q->reset.seen)
		return join;
	join.reset_reason = answer_reason(t, q);
	if (!join.reset_reason && sender)
		join.reset_reason = sender->reset_reason;
	return join;
}

/* ---- the table ---- */

struct socket_table *socket_table_new(uint32_t netns, uint64_t wait, uint32_t sockets, uint32_t answers)
{
	struct socket_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->netns = netns;
	t->wait = wait;
	t->sockets = calloc(sockets, sizeof(*t->sockets));
	t->answers = calloc(answers, sizeof(*t->answers));
	if (t->sockets && t->answers && !tuple_index_init(&t->socket_index, sockets) &&
	    !tuple_index_init(&t->answer_index, answers))
		return t;
	socket_table_free(t);
	return NULL;
}

void socket_table_free(struct socket_table *t)
{
	if (!t)
		return;
	tuple_index_free(&t->socket_index);
	tuple_index_free(&t->answer_index);
	free(t->sockets);
	free(t->answers);
	free(t);
}

uint64_t socket_table_evicted(const struct socket_table *t)
{
	return t->evicted;
}
