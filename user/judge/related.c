// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An entry is named by a number that counts up; its place is the number modulo the ring's size. A link to a number that
 * the ring has passed is no link.
 */
#include "user/judge/related.h"

#include <stdlib.h>

#include "user/base/address.h"

struct entry {
	struct related_peer peer;
	bool apart;                    /* see related_note */
	bool counted;                  /* see related_counts */
	uint32_t older_isn, older_end; /* numbers of entries with the same hash */
};

struct related {
	struct entry entry[RELATED_KEPT];
	uint32_t by_isn[RELATED_KEPT], by_end[RELATED_KEPT]; /* numbers of the latest entries */
	uint32_t last;                                       /* number; 0: none yet */
};

struct related *related_new(void)
{
	return calloc(1, sizeof(struct related));
}

void related_free(struct related *r)
{
	free(r);
}

static uint32_t place_of(uint64_t hash)
{
	return (uint32_t)(hash * 0x9e3779b97f4a7c15 >> 32) % RELATED_KEPT;
}

static uint32_t isn_place(const struct related_peer *p)
{
	return place_of(p->isn);
}

static uint32_t end_place(const struct related_peer *p)
{
	return place_of((p->addr[0].hi ^ p->addr[0].lo * 3) + p->port[0]);
}

static const struct entry *entry_of(const struct related *r, uint32_t number)
{
	return number && r->last - number < RELATED_KEPT ? &r->entry[number % RELATED_KEPT] : NULL;
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

static struct entry *find_noted(struct related *r, const struct related_peer *peer)
{
	uint32_t number = r->by_end[end_place(peer)];
	struct entry *e = entry_of(r, number) ? &r->entry[number % RELATED_KEPT] : NULL;

	return e && same_tuple(&e->peer, peer) && e->peer.start == peer->start ? e : NULL;
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
	e->older_isn = r->by_isn[isn_place(peer)];
	e->older_end = r->by_end[end_place(peer)];
	r->by_isn[isn_place(peer)] = r->last;
	r->by_end[end_place(peer)] = r->last;
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
	const struct entry *e = r && !peer->midstream ? entry_of(r, r->by_isn[isn_place(peer)]) : NULL;

	for (unsigned steps = 0; e && steps < RELATED_CHAIN; steps++, e = entry_of(r, e->older_isn))
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

unsigned related_find(const struct related *r, const struct related_peer *peer, struct related_peer found[RELATED_MOST])
{
	const struct entry *e = r && !peer->midstream ? entry_of(r, r->by_isn[isn_place(peer)]) : NULL;
	unsigned n = 0, steps = 0;

	for (; e && n < RELATED_MOST && steps++ < RELATED_CHAIN; e = entry_of(r, e->older_isn))
		if (same_syn(peer, e))
			n = add(found, n, e);
	e = r ? entry_of(r, r->by_end[end_place(peer)]) : NULL;
	for (steps = 0; e && n < RELATED_MOST && steps++ < RELATED_CHAIN; e = entry_of(r, e->older_end))
		if (same_port(peer, &e->peer))
			n = add(found, n, e);
	return n;
}

/* Those of the source's port are added to the n that were found. Returns how many there are then. */
static unsigned find_port(const struct related *r, const struct related_peer *peer, unsigned n,
			  struct related_peer found[RELATED_MOST])
{
	const struct entry *e = entry_of(r, r->by_end[end_place(peer)]);

	for (unsigned steps = 0; e && n < RELATED_MOST && steps < RELATED_CHAIN; steps++, e = entry_of(r, e->older_end))
		if (same_port(peer, &e->peer))
			n = add(found, n, e);
	return n;
}

/* The same for those whose SYN has that number, between ends of which one is the segment's. */
static unsigned find_isn(const struct related *r, const struct related_peer *peer, uint32_t isn, unsigned n,
			 struct related_peer found[RELATED_MOST])
{
	const struct related_peer as_syn = {.isn = isn}, back = related_reversed(peer);
	const struct entry *e = entry_of(r, r->by_isn[isn_place(&as_syn)]);

	for (unsigned steps = 0; e && n < RELATED_MOST && steps < RELATED_CHAIN; steps++, e = entry_of(r, e->older_isn))
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
