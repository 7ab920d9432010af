// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An entry is named by a number that counts up; its place is the number modulo the ring's size. A link to a number that
 * the ring has passed is no link. Links are a table of their own with the hashes of what they lead to, so that who
 * follows a chain reads no entry in vain.
 */
#include "user/judge/related.h"

#include <stdlib.h>

#include "bpf/core/flow_log.h"
#include "user/base/address.h"

struct entry {
	struct related_peer peer;
	bool apart;   /* see related_note */
	bool counted; /* see related_counts */
};

/*
 * Two chains of entries: by initial number, and by the source's end. In the latter, who was seen from the SYN on is
 * apart from who was not: each is searched for by the other alone, and nearly all are of the first kind.
 */
enum chain { BY_ISN, BY_END, CHAINS };

struct link {
	uint32_t hash[CHAINS];
	uint32_t older[CHAINS]; /* numbers of entries in the same place of the index */
};

#define RELATED_PLACES (4 * RELATED_KEPT) /* of the index: few of them lead to more than one entry */

struct related {
	struct entry entry[RELATED_KEPT];
	struct link link[RELATED_KEPT];
	uint32_t latest[CHAINS][RELATED_PLACES]; /* numbers of the latest entries */
	uint32_t last;                           /* number; 0: none yet */
};

struct related *related_new(void)
{
	return calloc(1, sizeof(struct related));
}

void related_free(struct related *r)
{
	free(r);
}

static uint32_t hash_number(uint64_t key)
{
	return (uint32_t)(key * 0x9e3779b97f4a7c15 >> 32);
}

static uint32_t hash_source(const struct ip_address *addr, uint16_t port)
{
	return hash_number((addr->hi ^ addr->lo * 3) + port);
}

/* The hash of the source's end where its SYN was seen, or of the same end where it was not. */
static uint32_t hash_end(const struct related_peer *p, bool midstream)
{
	return hash_source(&p->addr[0], p->port[0]) ^ midstream;
}

static uint32_t hash_of(const struct related_peer *p, enum chain chain)
{
	return chain == BY_ISN ? hash_number(p->isn) : hash_end(p, p->midstream);
}

static bool is_kept(const struct related *r, uint32_t number)
{
	return number && r->last - number < RELATED_KEPT;
}

static const uint32_t *latest_of(const struct related *r, enum chain chain, uint32_t hash)
{
	return &r->latest[chain][hash % RELATED_PLACES];
}

/* A way along a chain, the latest entry first. */
struct walk {
	const struct related *r;
	enum chain chain;
	uint32_t hash, next; /* number of the next entry */
	unsigned steps;
};

static struct walk begin_walk(const struct related *r, enum chain chain, uint32_t hash)
{
	return (struct walk){r, chain, hash, *latest_of(r, chain, hash), 0};
}

/* The next entry with the walk's hash. NULL: there are no more, or the chain is too long. */
static const struct entry *walk_on(struct walk *w)
{
	while (is_kept(w->r, w->next) && w->steps++ < RELATED_CHAIN) {
		uint32_t at = w->next % RELATED_KEPT;

		w->next = w->r->link[at].older[w->chain];
		if (w->r->link[at].hash[w->chain] == w->hash)
			return &w->r->entry[at];
	}
	return NULL;
}

static bool same_end(const struct related_peer *a, const struct related_peer *b, unsigned role)
{
	return a->port[role] == b->port[role] && address_equal(&a->addr[role], &b->addr[role]);
}

static bool same_tuple(const struct related_peer *a, const struct related_peer *b)
{
	return a->family == b->family && same_end(a, b, 0) && same_end(a, b, 1);
}

/*
 * NAT leaves the source's end as it was (a service's address, a redirected port), or changes an address and leaves
 * another or a port.
 */
static bool alike(const struct related_peer *a, const struct related_peer *b)
{
	bool source = address_equal(&a->addr[0], &b->addr[0]), destination = address_equal(&a->addr[1], &b->addr[1]);

	if (same_end(a, b, 0))
		return true;
	return source != destination || (!source && (a->port[0] == b->port[0] || a->port[1] == b->port[1]));
}

/* Equal addresses and ports at another interface are the same connection, and one record, unless it is said. */
static bool is_other(const struct related_peer *a, const struct entry *e)
{
	return !same_tuple(a, &e->peer) || (e->apart && a->interface != e->peer.interface);
}

static bool same_syn(const struct related_peer *a, const struct entry *e)
{
	const struct related_peer *b = &e->peer;
	uint64_t between = a->start > b->start ? a->start - b->start : b->start - a->start;

	return !a->midstream && !b->midstream && a->isn == b->isn && between < RELATED_WITHIN_NS && is_other(a, e) &&
	       alike(a, b);
}

/* One of them is known by a segment of no handshake only, and both have the same source's end. */
static bool same_port(const struct related_peer *a, const struct related_peer *b)
{
	return a->midstream != b->midstream && a->family == b->family && same_end(a, b, 0) && !same_tuple(a, b);
}

/* The peer with its ends exchanged. */
static struct related_peer related_reversed(const struct related_peer *p)
{
	struct related_peer back = *p;

	for (unsigned role = 0; role < 2; role++) {
		back.addr[role] = p->addr[!role];
		back.port[role] = p->port[!role];
	}
	return back;
}

/* ---- fetching ahead ---- */

/* The chain's first entry and its link. */
static void fetch_latest(const struct related *r, enum chain chain, uint32_t hash)
{
	uint32_t number = *latest_of(r, chain, hash), at = number % RELATED_KEPT;

	if (!is_kept(r, number))
		return;
	__builtin_prefetch(&r->link[at]);
	__builtin_prefetch(&r->entry[at]);
	__builtin_prefetch((const char *)&r->entry[at + 1] - 1);
}

void related_fetch(const struct related *r, const struct flow_slot *slot, bool near)
{
	unsigned source = slot->open.source & 1;
	uint32_t end = hash_source(&slot->addr[source], slot->port[source]), isn = hash_number(slot->open.isn[source]);

	if (!r)
		return;
	if (!near) {
		__builtin_prefetch(latest_of(r, BY_ISN, isn), 1);
		__builtin_prefetch(latest_of(r, BY_END, end), 1);
		return;
	}
	fetch_latest(r, BY_ISN, isn);
	fetch_latest(r, BY_END, end);
	fetch_latest(r, BY_END, end ^ 1);
}

/* ---- noting ---- */

static struct entry *find_noted(struct related *r, const struct related_peer *peer)
{
	uint32_t number = *latest_of(r, BY_END, hash_of(peer, BY_END));
	struct entry *e = is_kept(r, number) ? &r->entry[number % RELATED_KEPT] : NULL;

	return e && same_tuple(&e->peer, peer) && e->peer.start == peer->start ? e : NULL;
}

/* Puts the latest entry at the head of the chain. */
static void link_latest(struct related *r, enum chain chain, const struct related_peer *peer)
{
	uint32_t hash = hash_of(peer, chain), *latest = &r->latest[chain][hash % RELATED_PLACES];
	struct link *link = &r->link[r->last % RELATED_KEPT];

	link->hash[chain] = hash;
	link->older[chain] = *latest;
	*latest = r->last;
}

void related_note(struct related *r, const struct related_peer *peer, bool apart)
{
	struct entry *e = r ? find_noted(r, peer) : NULL;

	if (e) {
		e->apart |= apart;
		e->peer.answered = peer->answered;
		e->peer.answer = peer->answer;
	}
	if (!r || e)
		return;
	r->last += r->last == UINT32_MAX ? 2 : 1; /* 0 names no entry */
	e = &r->entry[r->last % RELATED_KEPT];
	e->peer = *peer;
	e->apart = apart;
	e->counted = false;
	link_latest(r, BY_ISN, peer);
	link_latest(r, BY_END, peer);
}

static bool is_translated(const struct related_peer *a, const struct entry *e)
{
	const struct related_peer *b = &e->peer;

	if (!same_syn(a, e) || a->answered != b->answered)
		return false;
	return a->answered ? a->answer == b->answer : a->interface != b->interface;
}

bool related_counts(struct related *r, const struct related_peer *peer)
{
	struct entry *me = r ? find_noted(r, peer) : NULL;
	const struct entry *e;

	if (r && !peer->midstream)
		for (struct walk w = begin_walk(r, BY_ISN, hash_number(peer->isn)); (e = walk_on(&w));)
			if (e->counted && is_translated(peer, e))
				return false;
	if (me)
		me->counted = true;
	return true;
}

/* Adds the entry to those found, of which there are n, unless it was noted twice. Returns how many there are then. */
static unsigned add(struct related_peer found[RELATED_MOST], unsigned n, const struct entry *e)
{
	for (unsigned i = 0; i < n; i++)
		if (same_tuple(&found[i], &e->peer) && found[i].start == e->peer.start)
			return n;
	found[n] = e->peer;
	return n + 1;
}

/* Those of the source's port are added to the n that were found. Returns how many there are then. */
static unsigned find_port(const struct related *r, const struct related_peer *peer, unsigned n,
			  struct related_peer found[RELATED_MOST])
{
	struct walk w = begin_walk(r, BY_END, hash_end(peer, !peer->midstream));
	const struct entry *e;

	while (n < RELATED_MOST && (e = walk_on(&w)))
		if (same_port(peer, &e->peer))
			n = add(found, n, e);
	return n;
}

unsigned related_find(const struct related *r, const struct related_peer *peer, struct related_peer found[RELATED_MOST])
{
	const struct entry *e;
	unsigned n = 0;

	if (!r)
		return 0;
	if (!peer->midstream)
		for (struct walk w = begin_walk(r, BY_ISN, hash_number(peer->isn));
		     n < RELATED_MOST && (e = walk_on(&w));)
			if (same_syn(peer, e))
				n = add(found, n, e);
	return find_port(r, peer, n, found);
}

/* The same for those whose SYN has that number, between ends of which one is the segment's. */
static unsigned find_isn(const struct related *r, const struct related_peer *peer, uint32_t isn, unsigned n,
			 struct related_peer found[RELATED_MOST])
{
	const struct related_peer back = related_reversed(peer);
	struct walk w = begin_walk(r, BY_ISN, hash_number(isn));
	const struct entry *e;

	while (n < RELATED_MOST && (e = walk_on(&w)))
		if (!e->peer.midstream && e->peer.isn == isn && e->peer.family == peer->family &&
		    peer->start - e->peer.start < RELATED_WITHIN_NS &&
		    (alike(peer, &e->peer) || alike(&back, &e->peer)))
			n = add(found, n, e);
	return n;
}

unsigned related_find_stray(const struct related *r, const struct related_peer *peer, uint32_t seq, uint32_t ack,
			    struct related_peer found[RELATED_MOST])
{
	const struct related_peer back = related_reversed(peer);
	unsigned n;

	if (!r)
		return 0;
	n = find_port(r, peer, 0, found);
	n = find_port(r, &back, n, found);
	n = find_isn(r, peer, seq - 1, n, found);
	return find_isn(r, peer, ack - 1, n, found);
}

struct related_peer related_of_flow(const struct flow_key *key, const struct flow *f, unsigned source)
{
	return (struct related_peer){
		.addr = {key->addr[source], key->addr[!source]},
		.port = {key->port[source], key->port[!source]},
		.family = key->family,
		.midstream = !(f->open.seen & (OPEN_SYN | OPEN_SYNACK)),
		.answered = f->open.seen & OPEN_SYNACK,
		.isn = f->open.isn[source],
		.answer = f->open.isn[!source],
		.interface = key->ifindex,
		.start = f->t_first,
	};
}
