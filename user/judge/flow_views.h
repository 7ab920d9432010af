/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Views of one connection: the recorder keeps a slot for each interface that sees a connection (both sides of a router,
 * a bridge and its port, a VLAN and its parent). Which slots are views of one connection is told by addresses, ports
 * and initial sequence numbers, within one network namespace. They are found by an index of slots.
 */
#ifndef TCPFIN_FLOW_VIEWS_H
#define TCPFIN_FLOW_VIEWS_H

#include "user/judge/flow_tables.h"

struct flow_view {
	uint32_t next; /* slot + 1 of the next one with this hash; 0: none */
	uint32_t place;
	uint32_t generation; /* of the slot, and 1; 0: it is in no chain */
	bool counted;        /* another view of it was reported, which differed */
};

struct flow_views {
	uint32_t *first;      /* by hash: slot + 1; NULL: nobody asks for views */
	struct flow_view *of; /* by slot */
	uint32_t mask;
	uint32_t noted, taken; /* of the free slots that were taken: noted up to here, and as it was at the last look */
	uint32_t tried;        /* up to here those were noted that were written already */
	struct flow_hash_key key; /* random, so that nobody can foresee equal hashes */
	/* Are these two interfaces, as in keys, of one network namespace? */
	bool (*one_network)(const void *context, uint32_t a, uint32_t b);
	const void *context;
	struct half_answers *answers; /* half_views_begin */
};

/* one_network, context and key are the caller's. 0 or -ENOMEM. */
int flow_views_begin(struct flow_views *v, uint32_t slots);
void flow_views_free(struct flow_views *v);

/* Puts the connections into the index that took their slots before the last call. */
void flow_views_note_new(struct flow_views *v, const struct flow_tables *t);
/* The same of those that have taken their slots by now and are written. */
void flow_views_note_all(struct flow_views *v, const struct flow_tables *t);
/* Puts the connection in slot n into the index, unless it is there. */
void flow_views_note(struct flow_views *v, const struct flow_tables *t, uint32_t n);
/*
 * The slots of the same addresses and ports at other interfaces of the network, whether reported or not, one a call.
 * last: what the last call returned, at first 0. Returns slot + 1; 0: no more.
 */
uint32_t flow_views_next(const struct flow_views *v, const struct flow_tables *t, const struct flow_key *k,
			 uint32_t last);

/* Are they views of one connection? */
bool flow_views_same(const struct flow *a, const struct flow *b);
/* Did both see the same steps of it? Where a box lets one pass or makes one up, each view is a story of its own. */
bool flow_views_agree(const struct flow *a, const struct flow *b);
/* Completes j, which agrees with it, by what only the other one saw. The one that saw more of it, or first, is kept. */
void flow_views_merge(struct judged *j, struct judged *other);

#endif
