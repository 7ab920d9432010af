// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A chain of the index may hold slots that have another connection by now: the slot's generation tells, and the entry
 * is moved when the slot is noted again.
 */
#include <errno.h>
#include <stdlib.h>

#include "user/base/address.h"
#include "user/judge/flow_views.h"

#define CHAIN_MOST 64 /* entries that are looked at: more than interfaces see one connection */

/* ---- the index ---- */

int flow_views_begin(struct flow_views *v, uint32_t slots)
{
	uint32_t places = 1024;

	while (places < slots)
		places *= 2;
	v->mask = places - 1;
	v->first = calloc(places, sizeof(*v->first));
	v->of = calloc(slots, sizeof(*v->of));
	if (v->first && v->of)
		return 0;
	flow_views_free(v);
	return -ENOMEM;
}

void flow_views_free(struct flow_views *v)
{
	free(v->first);
	free(v->of);
	free(v->answers);
	v->answers = NULL;
	v->first = NULL;
	v->of = NULL;
}

/* By addresses and ports alone: a tunnel that one interface sees is opened at another. */
static uint32_t place_of(const struct flow_views *v, unsigned family, const struct ip_address addr[2],
			 const uint16_t port[2])
{
	struct flow_ends ends = flow_ends_of(family, &addr[0], port[0], &addr[1], port[1], &v->key);

	return (uint32_t)(flow_hash_of(ends.hash, 0) >> 32) & v->mask;
}

static void take_off(struct flow_views *v, uint32_t n)
{
	uint32_t *link = &v->first[v->of[n].place];

	while (*link && *link != n + 1)
		link = &v->of[*link - 1].next;
	if (*link)
		*link = v->of[n].next;
	v->of[n].generation = 0;
}

void flow_views_note(struct flow_views *v, const struct flow_tables *t, uint32_t n)
{
	const struct flow_slot *slot = &t->slots[n];
	struct flow_view *me;
	uint32_t generation;

	if (!v->first)
		return;
	me = &v->of[n];
	generation = (uint32_t)(__atomic_load_n(&slot->word, __ATOMIC_ACQUIRE) >> 32) + 1;
	if (me->generation == generation)
		return;
	if (me->generation)
		take_off(v, n);
	me->place = place_of(v, slot->family, slot->addr, slot->port);
	me->generation = generation;
	me->counted = false;
	me->next = v->first[me->place];
	v->first[me->place] = n + 1;
}

/* Of the free slots that were taken, those from *from to `to`. */
static void note_taken(struct flow_views *v, const struct flow_tables *t, uint32_t *from, uint32_t to)
{
	const struct free_list *l = &t->free_slots;

	for (; *from != to; ++*from) {
		uint32_t n = (uint32_t)l->ring[*from & l->mask] - 1;

		if (n < t->slot_count && word_phase(__atomic_load_n(&t->slots[n].word, __ATOMIC_ACQUIRE)))
			flow_views_note(v, t, n);
	}
}

void flow_views_note_all(struct flow_views *v, const struct flow_tables *t)
{
	if (v->first)
		note_taken(v, t, &v->tried, __atomic_load_n(&t->free_slots.spares->head, __ATOMIC_ACQUIRE));
}

/* The recorder writes a slot after it has taken it: so those are read again that were taken before the last look. */
void flow_views_note_new(struct flow_views *v, const struct flow_tables *t)
{
	uint32_t last = v->taken;

	if (!v->first)
		return;
	v->taken = __atomic_load_n(&t->free_slots.spares->head, __ATOMIC_ACQUIRE);
	note_taken(v, t, &v->noted, last);
	v->tried = v->taken - v->tried > v->taken - v->noted ? v->noted : v->tried;
}

static bool same_ends(const struct flow_slot *slot, const struct flow_key *k)
{
	return slot->family == k->family && slot->port[0] == k->port[0] && slot->port[1] == k->port[1] &&
	       address_equal(&slot->addr[0], &k->addr[0]) && address_equal(&slot->addr[1], &k->addr[1]);
}

uint32_t flow_views_next(const struct flow_views *v, const struct flow_tables *t, const struct flow_key *k,
			 uint32_t last)
{
	uint32_t n;

	if (!v->first)
		return 0;
	n = last ? v->of[last - 1].next : v->first[place_of(v, k->family, k->addr, k->port)];
	for (unsigned steps = 0; n && steps < CHAIN_MOST; steps++, n = v->of[n - 1].next) {
		const struct flow_slot *slot = &t->slots[n - 1];
		uint32_t generation = (uint32_t)(__atomic_load_n(&slot->word, __ATOMIC_ACQUIRE) >> 32) + 1;

		if (v->of[n - 1].generation == generation && slot->ifindex != k->ifindex && same_ends(slot, k) &&
		    v->one_network(v->context, slot->ifindex, k->ifindex))
			return n;
	}
	return 0;
}

/* ---- views of one connection ---- */

/* Steps of the handshake that both saw: OPEN_ bits. */
static unsigned both_saw(const struct flow_open *a, const struct flow_open *b)
{
	return a->seen & b->seen & (OPEN_SYN | OPEN_SYNACK);
}

/* steps: both_saw, not 0. */
static bool same_opening(const struct flow_open *a, const struct flow_open *b, unsigned steps)
{
	unsigned source = a->source & 1;

	return a->source == b->source && (!(steps & OPEN_SYN) || a->isn[source] == b->isn[source]) &&
	       (!(steps & OPEN_SYNACK) || a->isn[!source] == b->isn[!source]);
}

static bool same_reset(const struct flow_reset *a, const struct flow_reset *b)
{
	return a->time && b->time && a->side == b->side && a->seq == b->seq;
}

/* Do they share what ends a connection? */
static bool same_end(const struct flow *a, const struct flow *b)
{
	for (unsigned i = 0; i < 2; i++)
		if (a->side[i].seen & b->side[i].seen & SIDE_FIN && a->side[i].fin_end == b->side[i].fin_end)
			return true;
	return same_reset(&a->reset, &b->reset);
}

bool flow_views_same(const struct flow *a, const struct flow *b)
{
	unsigned steps = both_saw(&a->open, &b->open);

	return steps ? same_opening(&a->open, &b->open, steps) : same_end(a, b);
}

/* An interface whose watch began in the middle of a connection says nothing of what was before. */
static bool same_handshake(const struct flow *a, const struct flow *b)
{
	return (a->state | b->state) & FLOW_MIDSTREAM ||
	       !((a->open.seen ^ b->open.seen) & OPEN_SYNACK || (a->state ^ b->state) & FLOW_PROVEN);
}

static bool same_fin(const struct flow_side *a, const struct flow_side *b)
{
	return !((a->seen ^ b->seen) & (SIDE_FIN | SIDE_FIN_ACKED)) &&
	       (!(a->seen & SIDE_FIN) || a->fin_end == b->fin_end);
}

bool flow_views_agree(const struct flow *a, const struct flow *b)
{
	const unsigned steps = FLOW_BEGUN | FLOW_GRACEFUL | FLOW_RESET | FLOW_LATE_RESET;

	return flow_views_same(a, b) && same_handshake(a, b) && !((a->state ^ b->state) & steps) &&
	       same_fin(&a->side[0], &b->side[0]) && same_fin(&a->side[1], &b->side[1]) &&
	       (same_reset(&a->reset, &b->reset) || (!a->reset.time && !b->reset.time)) &&
	       !a->set_aside.time == !b->set_aside.time;
}

/* ---- one of two ---- */

/* A copy of a segment that only one interface saw was lost between them. */
static uint8_t more(uint8_t a, uint8_t b)
{
	return a > b ? a : b;
}

static void merge_copies(struct flow *f, const struct flow *other)
{
	f->open.syn_copies = more(f->open.syn_copies, other->open.syn_copies);
	f->open.synack_copies = more(f->open.synack_copies, other->open.synack_copies);
	f->open.resets_ignored = more(f->open.resets_ignored, other->open.resets_ignored);
	f->reset.copies = more(f->reset.copies, other->reset.copies);
	for (unsigned i = 0; i < 2; i++) {
		f->side[i].fin_copies = more(f->side[i].fin_copies, other->side[i].fin_copies);
		f->side[i].data_copies = more(f->side[i].data_copies, other->side[i].data_copies);
	}
	f->challenged = f->challenged > other->challenged ? f->challenged : other->challenged;
	f->t_last = f->t_last > other->t_last ? f->t_last : other->t_last;
}

static void merge_headers(struct flow *f, const struct flow *other)
{
	if (f->open.vlan[0] == PACKET_NO_TAG) {
		f->open.vlan[0] = other->open.vlan[0];
		f->open.vlan[1] = other->open.vlan[1];
	}
	if (!f->tunnel) {
		f->tunnel = other->tunnel;
		f->tunnel_has_id = other->tunnel_has_id;
		f->tunnel_id = other->tunnel_id;
	}
}

static void merge_icmp(struct flow *f, const struct flow *other)
{
	if (f->icmp)
		return;
	f->icmp = other->icmp;
	f->icmp_side = other->icmp_side;
	f->icmp_by = other->icmp_by;
}

/* Numbers of one interface may have been displaced where those of the other were not. */
static void merge_reset(struct flow *f, const struct flow *other)
{
	if (!f->reset.time || f->reset.validity != RESET_UNKNOWN || other->reset.validity == RESET_UNKNOWN)
		return;
	f->reset.validity = other->reset.validity;
	f->doubt = other->doubt;
}

static bool is_better(const struct flow *a, const struct flow *b)
{
	if ((a->state ^ b->state) & FLOW_MIDSTREAM)
		return !(a->state & FLOW_MIDSTREAM);
	return a->t_first < b->t_first;
}

void flow_views_merge(struct judged *j, struct judged *other)
{
	if (is_better(&other->flow, &j->flow)) {
		struct judged first = *other;

		*other = *j;
		*j = first;
	}
	merge_copies(&j->flow, &other->flow);
	merge_headers(&j->flow, &other->flow);
	merge_icmp(&j->flow, &other->flow);
	merge_reset(&j->flow, &other->flow);
}
