/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which slot a tuple's connection has: finding it, making one for a new connection, and saying what becomes of it.
 *
 * Part of the recorder, whose tables are defined before it is included: see recorder.h.
 */
#ifndef TCPFIN_SLOTS_H
#define TCPFIN_SLOTS_H

#include "bpf/core/flow_event.h"
#include "bpf/core/flow_log.h"

/* ---- finding a slot ---- */

static __always_inline flag_t slot_is(const struct flow_slot *slot, const struct work *w, const struct tcp_segment *s)
{
	if (slot->hash != (__u32)(w->hash >> 32) || slot->ifindex != w->ifindex || slot->family != s->family)
		return 0;
	if (w->side)
		return slot->addr[1].lo == s->src.lo && slot->addr[0].lo == s->dst.lo && slot->port[1] == s->sport &&
		       slot->port[0] == s->dport && slot->addr[1].hi == s->src.hi && slot->addr[0].hi == s->dst.hi;
	return slot->addr[0].lo == s->src.lo && slot->addr[1].lo == s->dst.lo && slot->port[0] == s->sport &&
	       slot->port[1] == s->dport && slot->addr[0].hi == s->src.hi && slot->addr[1].hi == s->dst.hi;
}

/* Notes in the work what the slot is to the segment, if it is of its tuple. n: slot + 1. */
static __always_inline int note_slot(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	const struct flow_slot *slot = tables_slot(t, n - 1);
	__u32 phase;

	if (!slot)
		return 0;
	phase = word_phase(reload(slot->word));
	if (!slot_is(slot, w, s) || phase & PHASE_REPLACED || !phase)
		return 0;
	if (phase & PHASE_REPORTED && (!w->reported || slot->open.t_ack >= w->reported_at)) {
		w->reported = n; /* the tuple's latest */
		w->reported_at = slot->open.t_ack;
	} else if (phase & PHASE_REPORTED)
		return 0;
	else if (!(phase & PHASE_INSIDE))
		w->current = n;
	else if (n > w->inside) /* of several, whose numbers differ, it is one and the same for every segment */
		w->inside = n;
	return 0;
}

/* note_slot, for a tuple whose tag several ways have. */
recorder_code int note_each(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	return w && s ? note_slot(t, w, s, n) : 0;
}

/*
 * The ways that have the tuple's tag: their number in place of the tag, and if it is 1, what that way is beside it.
 * Without a branch a way, since no processor foresees which way it is. A way that is free or BUSY names no slot.
 */
static __always_inline __u64 tagged_ways(const struct flow_set *set, __u64 tag)
{
	__u64 found = 0;
	__u32 i;

	unrolled for (i = 0; i < SET_WAYS; i++)
	{
		__u64 way = reload(set->way[i]) ^ tag, tagged = (way >> WAY_TAG_SHIFT) - 1;

		found += (way | 1ULL << WAY_TAG_SHIFT) & (__u64)((__s64)tagged >> 63);
	}
	return found;
}

recorder_code int seek_set(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 index)
{
	const struct flow_set *set = tables_set(t, index);
	__u64 tag, found;
	__u32 i;

	if (!w || !s)
		return 0;
	tag = way_tag(w->place);
	if (!set)
		return 0;
	found = tagged_ways(set, tag);
	if (found >> WAY_TAG_SHIFT < 2) {
		note_slot(t, w, s, way_slot(found));
		return reload(set->spilled) != 0;
	}
	unrolled for (i = 0; i < SET_WAYS; i++)
	{
		__u64 way = reload(set->way[i]);

		if (!((way ^ tag) >> WAY_TAG_SHIFT) && way_slot(way))
			note_each(t, w, s, way_slot(way));
	}
	return reload(set->spilled) != 0;
}

/* The tuple's connections, into the work. */
static __always_inline void seek(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	w->current = 0;
	w->inside = 0;
	w->reported = 0;
	if (seek_set(t, w, s, first_set(w->place)))
		seek_set(t, w, s, second_set(w->place));
}

/* ---- making a slot ---- */

/* Of a set: the best way for a new connection. 0: none may be taken. Its number stands in the lowest three bits. */
#define WAY_CHOSEN (1u << 31)
#define WAY_UNUSED_BIT 30
#define WAY_UNUSED (1u << WAY_UNUSED_BIT) /* it is free */
#define WAY_SECOND 8                      /* added to a way: of the second set */

/* The larger of two numbers below 2^63, without a branch. */
static __always_inline __u64 larger(__u64 a, __u64 b)
{
	__u64 more = b - a;

	opaque(more);
	return a + (more & ~(__u64)((__s64)more >> 63));
}

/*
 * A free way is best if there is a slot for it (spare), then the oldest reported one. Where the set has as many opening
 * connections as it may have, or no other place, the oldest of those is evicted, so that a flood of SYNs evicts its own
 * kind only. Ages and numbers stand in one word, and the largest is found without a branch a way: each would double the
 * verifier's paths.
 */
recorder_code __u32 choose_way(struct tables *t, __u32 index, __u64 now, __u32 spare)
{
	const struct flow_set *set = tables_set(t, index);
	__u64 opening = 0, oldest = 0, best = 0;
	__u32 i;

	if (!set)
		return 0;
	unrolled for (i = 0; i < SET_WAYS; i++)
	{
		__u64 way = reload(set->way[i]), kind = way_kind(way);
		__u64 age = ((now >> WAY_TIME_SHIFT) - way) & ((1 << WAY_TIME_BITS) - 1),
		      worth = WAY_CHOSEN | age << 4 | i;
		__u64 opens = (1ULL << WAY_OPENING) >> kind & 1,
		      may = ((__u64)spare << WAY_FREE | 1ULL << WAY_REPORTED) >> kind & 1;

		worth |= ((1ULL << WAY_FREE) >> kind & 1) << WAY_UNUSED_BIT;
		opening += opens;
		oldest = larger(oldest, worth & (0 - opens));
		best = larger(best, worth & (0 - may));
	}
	if (opening < tables_openings(t))
		return best || !spare ? best : oldest;
	return oldest;
}

static __always_inline void slot_fill(struct flow_slot *slot, const struct work *w, const struct tcp_segment *s)
{
	__u64 side = w->side;

	slot->addr[0].hi = either(side, s->dst.hi, s->src.hi);
	slot->addr[0].lo = either(side, s->dst.lo, s->src.lo);
	slot->addr[1].hi = either(side, s->src.hi, s->dst.hi);
	slot->addr[1].lo = either(side, s->src.lo, s->dst.lo);
	slot->port[0] = either(side, s->dport, s->sport);
	slot->port[1] = either(side, s->sport, s->dport);
	slot->ifindex = w->ifindex;
	slot->hash = w->hash >> 32;
	slot->check = (__u16)(w->hash >> 16);
	slot->family = s->family;
	slot->block = 0;
	slot->fin_end[0] = 0;
	slot->fin_end[1] = 0;
	slot->ip_id[0] = 0;
	slot->ip_id[1] = 0;
	__builtin_memset(&slot->open, 0, sizeof(slot->open));
	slot->open.wscale[0] = SEGMENT_NO_WSCALE;
	slot->open.wscale[1] = SEGMENT_NO_WSCALE;
	slot->open.vlan[0] = s->vlan[0];
	slot->open.vlan[1] = s->vlan[1];
	slot->tunnel = s->tunnel;
	slot->open.source = side;
	slot->open.t_ack = s->time;
}

/* A slot has left its second set. place: its first set's. */
static __always_inline void unspill(struct tables *t, __u32 place)
{
	struct flow_set *set = tables_set(t, place);

	if (set)
		__sync_fetch_and_add(&set->spilled, -1);
}

/*
 * Takes the slot from the way it is in, and the way with it: a way belongs to whoever changes the word of its slot.
 * Returns slot + 1, or 0: it changed meanwhile.
 */
static __always_inline __u32 take_over(struct tables *t, __u64 way)
{
	struct flow_slot *slot = tables_slot(t, way_slot(way) - 1);
	__u64 word;

	if (!slot)
		return 0;
	word = reload(slot->word);
	if (way_kind(way) == WAY_REPORTED ? !(word & PHASE_REPORTED)
					  : (word & (PHASE_OPENING | PHASE_OPEN | PHASE_BEGUN)) != PHASE_OPENING)
		return 0;
	if (slot->block ||
	    __sync_val_compare_and_swap(&slot->word, word, (word & ~0xffffffffULL) + WORD_GENERATION) != word)
		return 0;
	if (word & PHASE_WATCHED)
		tables_watch(t, slot->hash, -1);
	if (way_kind(way) == WAY_OPENING)
		tables_count(t, COUNT_UNPROVEN_EVICTED);
	if (slot->second)
		unspill(t, tables_place(t, slot));
	return way_slot(way);
}

/* A slot for a way that is free: the way is BUSY then. Returns slot + 1, or 0: another CPU was faster. */
static __always_inline __u32 take_spare(struct tables *t, __u64 *way)
{
	__u32 n;

	if (__sync_val_compare_and_swap(way, 0, way_make(0, 0, WAY_BUSY, 0)))
		return 0;
	n = tables_take_slot(t);
	if (!n)
		*way = 0;
	return n;
}

/*
 * Puts the segment's new connection into the way of the set. Returns slot + 1, or 0 where another CPU was faster: the
 * segment is to be recorded anew.
 */
static __always_inline int insert_at(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 phase)
{
	__u32 index, i, n;
	struct flow_slot *slot;
	struct flow_set *set;
	__u64 was, tag;

	if (!w || !s)
		return 0;
	index = w->way & WAY_SECOND ? second_set(w->place) : first_set(w->place);
	i = w->way & 7;
	tag = way_tag(w->place);
	set = tables_set(t, index);
	if (!set || i >= SET_WAYS)
		return 0;
	was = reload(element(set->way, i));
	n = 0;
	if (!was)
		n = take_spare(t, &element(set->way, i));
	else if (way_slot(was))
		n = take_over(t, was);
	slot = tables_slot(t, n - 1);
	set = tables_set(t, index);
	if (!n || !slot || !set) {
		w->again = 1;
		return 0;
	}
	if (phase & PHASE_WATCHED)
		tables_watch(t, w->hash >> 32, 1);
	slot_fill(slot, w, s);
	slot->second = (w->way & WAY_SECOND) != 0;
	if (slot->second) {
		struct flow_set *first = tables_set(t, first_set(w->place));

		if (first)
			__sync_fetch_and_add(&first->spilled, 1);
	}
	slot->word = (slot->word & ~0xffffffffULL) | phase;
	element(set->way, i) = way_make(tag, n, phase & PHASE_OPENING ? WAY_OPENING : WAY_HELD, s->time);
	w->taken = n;
	return n;
}

/*
 * A slot for the tuple's new connection, in the better one of its sets. Returns slot + 1, or 0: there is no room, or
 * w->again says that another CPU was faster.
 */
recorder_code int insert(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 phase)
{
	__u32 first, second, spare;

	if (!w || !s)
		return 0;
	tables_reserve(t, w->place);
	spare = tables_spare(t);
	first = choose_way(t, first_set(w->place), s->time, spare);
	w->way = first & 7;
	if (!(first & WAY_UNUSED)) { /* it has no free way, or there is no slot for it */
		second = choose_way(t, second_set(w->place), s->time, spare);
		if (!first && !second)
			return 0;
		if (second & WAY_UNUSED || !first)
			w->way = (second & 7) | WAY_SECOND;
	}
	return insert_at(t, w, s, phase);
}

/* ---- a connection among others ---- */

/* The slot's way is of that kind from now on, unless user space has freed it. n: slot + 1. */
recorder_code int mark_in(struct tables *t, __u32 index, __u32 n, __u32 kind)
{
	struct flow_set *set = tables_set(t, index);
	__u32 i;

	if (!set)
		return 0;
	unrolled for (i = 0; i < SET_WAYS; i++)
	{
		__u64 way = reload(set->way[i]);

		if (way_slot(way) == n)
			__sync_val_compare_and_swap(&set->way[i], way,
						    way ^ (way_kind(way) ^ (__u64)kind) << WAY_KIND_SHIFT);
	}
	return 0;
}

/* WAY_HELD: no new connection may take the slot. WAY_REPORTED: any may. */
static __always_inline void mark_way(struct tables *t, const struct work *w, __u32 n, enum way_kind kind)
{
	struct flow_slot *slot = tables_slot(t, n - 1);

	if (slot)
		mark_in(t, slot->second ? second_set(w->place) : first_set(w->place), n, kind);
}

/* Another connection has taken the tuple: user space is to report this one now. n: slot + 1. */
recorder_code int replace(struct tables *t, __u32 n)
{
	struct flow_slot *slot = tables_slot(t, n - 1);
	__u64 word;

	if (!slot)
		return 0;
	word = reload(slot->word);
	if (word & PHASE_REPLACED || __sync_val_compare_and_swap(&slot->word, word, word | PHASE_REPLACED) != word)
		return 0;
	if (word & PHASE_OPEN && !(word & PHASE_BEGUN))
		tables_count(t, COUNT_CLOSED);
	tables_notice(t, n, word | PHASE_REPLACED, NOTICE_REPLACED, 0);
	return 0;
}

#endif
