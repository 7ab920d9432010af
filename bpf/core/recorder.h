/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segment -> log: which connection a segment belongs to, and what of it is kept. One code for the kernel and for
 * captures.
 *
 * The recorder judges no more than it takes to know which segments matter. Whether an RST was acted on, which of two
 * FINs is forged and when a wait is over is decided from the log in user space (user/judge/).
 *
 * Whoever includes this file has defined the tables before: struct tables and the functions named tables_*. A pointer
 * into them is good until the next tables_take_* or tables_room, which may move them on the host.
 */
#ifndef TCPFIN_RECORDER_H
#define TCPFIN_RECORDER_H

#include "bpf/core/flow_event.h"
#include "bpf/core/flow_log.h"
#include "bpf/core/lost.h"

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
 * The ways that have the tuple's tag: their number above WAY_SLOT_MASK, and if it is 1, slot + 1. Without a branch a
 * way, since no processor foresees which way it is. A way that is free or BUSY names no slot.
 */
static __always_inline __u64 tagged_ways(const struct flow_set *set, __u64 tag)
{
	__u64 found = 0;
	__u32 i;

	unrolled for (i = 0; i < SET_WAYS; i++)
	{
		__u64 way = reload(set->way[i]), tagged = ((way ^ tag) >> WAY_TAG_SHIFT) - 1;

		found += (way_slot(way) | (WAY_SLOT_MASK + 1)) & (__u64)((__s64)tagged >> 63);
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
	if (found < 2 * (WAY_SLOT_MASK + 1)) {
		note_slot(t, w, s, found & WAY_SLOT_MASK);
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

/* ---- the log ---- */

/* A block for the slot. n: slot + 1. Returns index + 1; 0: there is none, which has been counted. */
recorder_code __u32 take_block(struct tables *t, __u32 n, __u64 now, enum block_pool pool)
{
	__u32 k = tables_take_block(t, pool), other;
	struct flow_block *b = tables_block(t, k - 1);
	struct flow_slot *slot = tables_slot(t, n - 1);

	if (!k || !b || !slot)
		return 0;
	b->slot = n;
	b->progress = now;
	b->partial = 0;
	b->before_synack = 0;
	b->before_ack = 0;
	b->no_socket = 0;
	__builtin_memset(b->rest, 0, sizeof(b->rest));
	other = __sync_val_compare_and_swap(&slot->block, 0, k);
	if (!other)
		return k;
	b->slot = 0; /* another CPU was first: user space finds this one */
	return other;
}

/* Writes the segment to place `at` of the log, if there is such a place. */
static __always_inline void entry_write(struct flow_block *b, const struct work *w, const struct tcp_segment *s,
					__u32 at)
{
	struct log_entry *e;
	__u32 bits;

	opaque(at); /* else clang works it out again, where the verifier does not know its bound */
	if (at >= BLOCK_ENTRIES)
		return;
	e = &element(b->entry, at);
	opaque(e); /* one addition to the pointer, not one a use */
	e->seq = s->seq;
	e->ack = s->ack;
	e->len = s->len;
	e->win = s->win;
	e->ip_id = s->ip_id;
	e->flags = s->flags;
	e->ttl = s->ttl;
	e->option = either(s->flags & TCP_RST, s->mptcp, s->wscale);
	e->time = s->time;
	bits = ENTRY_WHOLE | (w->side ? ENTRY_SIDE : 0) | (s->partial ? ENTRY_PARTIAL : 0);
	bits |= w->socket.known || w->socket.own ? ENTRY_SOCKET : 0;
	bits |= w->socket.filter ? ENTRY_FILTER : 0;
	paths_meet();
	*(volatile __u8 *)&e->bits = bits;
}

/* Counts a segment that finds no place. */
static __always_inline void rest_count(struct flow_block *b, const struct tcp_segment *s, __u32 side)
{
	struct block_rest *rest = &of_side(b->rest, side);

	if (s->flags & TCP_FIN)
		__sync_fetch_and_add(&rest->fins, 1);
	else if (s->flags & TCP_RST)
		__sync_fetch_and_add(&rest->resets, 1);
	else if (s->flags & TCP_SYN)
		__sync_fetch_and_add(&rest->others, 1);
	else
		__sync_fetch_and_add(&rest->plain, (1ULL << REST_SHIFT) + s->len);
}

/* Where a socket was asked, its numbers take the place of those in the work. */
recorder_code int take_numbers_of_socket(struct work *w)
{
	if (w)
		numbers_of_socket(w->numbers, &w->socket);
	return 0;
}

static __always_inline void use_socket(struct work *w)
{
	if (w->socket.known)
		take_numbers_of_socket(w);
}

/* Does the segment acknowledge the other side's FIN? Bits to be set. */
static __always_inline __u32 ack_step(struct flow_slot *slot, __u32 partial, const struct tcp_segment *s, __u32 side,
				      __u32 phase)
{
	__u32 fin = side ? PHASE_FIN : PHASE_FIN << 1, acked = side ? PHASE_FIN_ACKED : PHASE_FIN_ACKED << 1;
	__u32 beyond = s->ack - of_side(slot->fin_end, !side);

	if (!(s->flags & TCP_ACK) || !(phase & fin) || phase & acked)
		return 0;
	if (beyond && (!(partial & fin) || beyond >= 0xffff))
		return 0;
	of_side(slot->fin_end, !side) = s->ack; /* nothing can be acknowledged beyond a FIN */
	if (phase & PHASE_MIDSTREAM && phase & PHASE_OPENING)
		return acked | PHASE_OPEN; /* the other side knew the number, so the FIN is no stray */
	return acked;
}

/* Does the RST follow all that its side has sent? So it does where only that side was heard of a connection. */
static __always_inline flag_t is_behind_all(const struct numbers *me, const struct tcp_segment *s)
{
	return me->known & NUMBERS_END && s->seq == me->end;
}

static __always_inline __u32 reset_step(const struct flow_slot *slot, const struct work *w, const struct tcp_segment *s,
					__u32 side, __u32 phase)
{
	const struct block_side *sides = w->numbers;
	__u32 acked = side ? PHASE_FIN_ACKED << 1 : PHASE_FIN_ACKED;

	if (phase & PHASE_RESET)
		return 0;
	if (phase & PHASE_OPENING && !(phase & PHASE_MIDSTREAM))
		return (open_judge_reset(&slot->open, s, side) || is_behind_all(&of_side(sides, side).now, s)) &&
				       !reset_answers_challenge(&of_side(sides, !side).now, &slot->open, s, side)
			       ? PHASE_RESET
			       : 0;
	return reset_out_of_window(&of_side(sides, side).now, &of_side(sides, !side).now, &slot->open, s, side,
				   (phase & acked) != 0)
		       ? 0
		       : PHASE_RESET;
}

/* fin_end of the slot is set along with a FIN's bit. */
static __always_inline __u32 fin_step(struct flow_slot *slot, __u32 partial, const struct work *w,
				      const struct tcp_segment *s, __u32 side, __u32 phase)
{
	const struct block_side *sides = w->numbers;
	const struct numbers *me = &of_side(sides, side).now, *peer = &of_side(sides, !side).now;
	__u32 fin = side ? PHASE_FIN << 1 : PHASE_FIN, acked = side ? PHASE_FIN_ACKED << 1 : PHASE_FIN_ACKED;
	__u32 next = side ? PHASE_FIN_NEXT << 1 : PHASE_FIN_NEXT, end = segment_end(s), bits = 0;
	flag_t follows = fin_is_next(me, s);

	if (phase & fin && end == of_side(slot->fin_end, side)) {
		bits = phase_done(phase) ? PHASE_REPEATED : 0;
	} else {
		if (fin_is_old(me, s) ||
		    (!(phase & fin) && (fin_left_of_socket(&w->socket, s, side) || fin_left_of_window(me, peer, s))))
			return 0;
		/* Where nothing but a capture's numbers speak against the first one, its acknowledgment will tell. */
		if ((phase & fin || w->socket.known) &&
		    fin_is_ahead(me, peer, &slot->open, s, side,
				 phase & (PHASE_FINS ^ fin) && s->ack == of_side(slot->fin_end, !side)))
			return 0;
		/* Of two FINs with different ends one is forged: until an ACK, the one in sequence wins. */
		if (phase & fin && (phase & (acked | next) || !follows))
			return 0;
		of_side(slot->fin_end, side) = end;
		bits = follows ? fin | next : fin;
	}
	return bits | ack_step(slot, partial, s, side, phase);
}

/*
 * What a FIN or RST does to the phase of the slot: bits to be set. Judged by the block's numbers, or by the socket's
 * where it was asked.
 */
recorder_code __u32 end_step(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n, __u32 phase)
{
	struct flow_slot *slot = tables_slot(t, n - 1);
	const struct flow_block *b;

	if (!slot || !w || !s)
		return 0;
	b = tables_block(t, reload(slot->block) - 1);
	if (!b)
		return 0;
	w->numbers[0] = b->side[0];
	w->numbers[1] = b->side[1];
	use_socket(w);
	paths_meet();
	if (s->flags & TCP_RST)
		return reset_step(slot, w, s, w->side, phase);
	return fin_step(slot, b->partial, w, s, w->side, phase);
}

/* Has either end acknowledged the SYN or what came behind it? Then what opens may go on. n: slot + 1. */
recorder_code int opening_is_answered(struct tables *t, __u32 n)
{
	const struct flow_slot *slot = tables_slot(t, n - 1);
	const struct flow_block *b;

	if (!slot || !(slot->open.seen & OPEN_SYN))
		return 0;
	if (slot->open.seen & OPEN_SYNACK)
		return 1;
	b = tables_block(t, reload(slot->block) - 1);
	return b && (b->side[0].now.known | b->side[1].now.known) & NUMBERS_ACK;
}

/*
 * Are the segment's numbers near those of the handshake, or of what was listed behind it? Nothing of a connection is
 * left of its SYN (RFC 9293 section 3.4.1): what is belongs to an older one, as does an ACK that challenges the SYN. Of
 * a side whose SYN was not seen, what it acknowledges counts. n: slot + 1.
 */
recorder_code int opening_is_near(struct tables *t, const struct work *w, const struct tcp_segment *s, __u32 n)
{
	const struct flow_slot *slot = tables_slot(t, n - 1);
	const struct flow_block *b;
	__u32 side, isn, end;
	flag_t own;

	if (!slot || !w || !s)
		return 1;
	own = w->side == slot->open.source || slot->open.seen & OPEN_SYNACK;
	side = w->side ^ !own;
	isn = end = of_side(slot->open.isn, side);
	b = tables_block(t, reload(slot->block) - 1);
	if (b && of_side(b->side, side).now.known & NUMBERS_END)
		end = of_side(b->side, side).now.end;
	return either(own, s->seq, s->ack) - isn < end - isn + LAST_SEEN_REORDER;
}

/* Does a connection take the segment by its numbers? What does not open, or has no handshake, takes all. */
static __always_inline flag_t opening_takes(struct tables *t, const struct work *w, const struct tcp_segment *s,
					    const struct flow_slot *slot, __u32 n)
{
	return (slot->word & (PHASE_OPENING | PHASE_MIDSTREAM)) != PHASE_OPENING || opening_is_near(t, w, s, n);
}

/* The place of the segment's numbers by those of the block, which it has not raised yet. n: slot + 1. */
static __always_inline __u32 block_place(struct tables *t, const struct work *w, const struct tcp_segment *s,
					 const struct flow_slot *slot, struct flow_block *b, __u32 n)
{
	struct numbers *me = &of_side(b->side, w->side).now;
	const struct numbers *peer = &of_side(b->side, !w->side).now;

	if (!opening_takes(t, w, s, slot, n))
		return NUMBER_FOREIGN | NUMBER_ACK_FAR;
	return number_place(me, peer, &slot->open, s, w->side) | number_ack_far(me, peer, s);
}

static __always_inline __u32 phase_step(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n,
					struct flow_slot *slot, const struct flow_block *b, __u32 phase)
{
	if (segment_contradicts(s) || segment_is_syn(s))
		return 0;
	if (s->flags & (TCP_FIN | TCP_RST))
		return end_step(t, w, s, n, phase);
	return ack_step(slot, b->partial, s, w->side, phase);
}

/* Raises the block's numbers. Returns whether anything is new. */
static __always_inline flag_t advance(struct flow_block *b, const struct work *w, const struct tcp_segment *s,
				      __u32 place)
{
	struct numbers *me = &of_side(b->side, w->side).now;
	struct block_rest *rest = &of_side(b->rest, w->side);
	__u32 acked = me->ack;
	flag_t news;

	if (s->flags & TCP_RST || segment_contradicts(s) || (place & NUMBER_FOREIGN) == NUMBER_FOREIGN)
		return 0;
	news = numbers_advance(me, s, place);
	rest->acked = either(me->ack != acked, (__u32)(s->time >> REST_TIME_SHIFT), rest->acked);
	return news;
}

/* Is the connection to be watched? Once both FINs are acknowledged, ACKs say nothing more. */
static __always_inline flag_t phase_is_watched(__u32 phase)
{
	flag_t graceful = (phase & PHASE_FINS_ACKED) == PHASE_FINS_ACKED;

	return !graceful || phase & PHASE_REPEATED;
}

/* Tells user space what the step from one word to the next means to it. */
static __always_inline void append_notice(struct tables *t, __u32 n, __u64 word, __u64 next, __u64 now)
{
	/* With each entry more of a connection that a RST has ended: the wait may be shorter now. */
	if (phase_done(next) && (!phase_done(word) || next & PHASE_RESET) && next != word)
		tables_notice(t, n, next, NOTICE_ENDED, now);
	else if (next & PHASE_BEGUN && !(word & PHASE_BEGUN))
		tables_notice(t, n, next, NOTICE_BEGUN, now);
	if (next & PHASE_OPEN && next & PHASE_BEGUN && !(word & PHASE_OPEN && word & PHASE_BEGUN))
		tables_count(t, COUNT_CLOSES);
	if (is_established(word) && !is_established(next))
		tables_established(t, -1);
}

/* The word behind a step that sets these bits, and with `listed` takes a place in the log. */
static __always_inline __u64 word_step(__u64 word, __u32 bits, flag_t listed)
{
	__u64 next = (listed ? word + WORD_ENTRY : word) | bits;

	if (bits & PHASE_OPEN)
		next &= ~(__u64)PHASE_OPENING;
	if (phase_is_watched(word_phase(next)))
		return next | PHASE_WATCHED;
	return next & ~(__u64)PHASE_WATCHED;
}

/*
 * The segment is to be appended to the log of the slot, which has a block. It is appended where the recorder is done
 * with it otherwise (append_noted): so that code is there once, without a call. n: slot + 1.
 */
static __always_inline int append(struct work *w, __u32 n)
{
	w->append = n;
	return 1;
}

/* Appends the segment where `append` has noted it, and takes the step. */
static __always_inline int append_noted(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	__u32 n = w->append, bits, at, place;
	struct flow_slot *slot = tables_slot(t, n - 1);
	struct flow_block *b;
	__u64 word, next;

	if (!slot)
		return 0;
	b = tables_block(t, reload(slot->block) - 1);
	if (!b)
		return 0;
	word = reload(slot->word);
	if (!phase_is_watched(word_phase(word)) && !(s->flags & TCP_CONTROL))
		return 0;
	w->step = phase_step(t, w, s, n, slot, b, word_phase(word));
	paths_meet();
	w->lies = block_place(t, w, s, slot, b, n);
	paths_meet();
	place = reload(w->lies);
	bits = reload(w->step);
	if (place & NUMBER_FOREIGN)
		bits &= ~(PHASE_FINS_ACKED | PHASE_OPEN);
	at = word_entries(word);
	if (at >= BLOCK_ENTRIES || (at >= BLOCK_COMMON && !(bits & ~PHASE_REPEATED))) {
		rest_count(b, s, w->side);
		at = BLOCK_ENTRIES;
	}
	next = word_step(word, bits, at < BLOCK_ENTRIES);
	if (next & ~word & PHASE_WATCHED)
		tables_watch(t, slot->hash, 1); /* before it can be seen: the filter must never hide a step */
	if (next != word && __sync_val_compare_and_swap(&slot->word, word, next) != word) {
		if (next & ~word & PHASE_WATCHED)
			tables_watch(t, slot->hash, -1);
		w->again = 1;
		return 0;
	}
	b = tables_room(t, n, b, at);
	entry_write(b, w, s, at);
	if (bits & PHASE_FINS && s->partial)
		b->partial |= bits & PHASE_FINS;
	if (advance(b, w, s, place) || bits)
		b->progress = s->time;
	if (word & ~next & PHASE_WATCHED) {
		tables_forget(t, w->hash);
		tables_watch(t, slot->hash, -1);
	}
	append_notice(t, n, word, next, s->time);
	return 1;
}

/* ---- connections that are lost ---- */

/* lost_find in the tuple's set. */
recorder_code __u32 find_lost(struct tables *t, const struct work *w, __u32 tag)
{
	const struct lost_set *set;

	if (!w)
		return 0;
	set = tables_lost(t, w->hash);
	return set ? lost_find(set, tag) : 0;
}

/*
 * There was no room for the tuple's connection: it is counted, and nothing of it is taken for another one. Two CPUs at
 * one set at once may displace each other's entry unnoticed.
 */
recorder_code int note_lost(struct tables *t, const struct work *w, __u32 isn, __u64 now, __u32 counter)
{
	struct lost_set *set;
	__u32 at;

	if (!w)
		return 0;
	set = tables_lost(t, w->hash);
	if (!set)
		return 0;
	tables_count(t, counter);
	tables_lossy_until(t, now + ((__u64)LOST_KEPT << LOST_TIME_SHIFT));
	lost_begin(set, now);
	at = find_lost(t, w, last_seen_tag(w->hash));
	at = at ? at : find_lost(t, w, 0);
	at = at ? at : lost_displace(set);
	at--;
	opaque(at);
	if (at < LOST_WAYS)
		element(set->lost, at) = lost_entry(w->hash, isn);
	return 0;
}

/* Has a connection of the segment's tuple been lost, or may it be one whose entry was displaced? */
recorder_code int ask_lost(struct tables *t, const struct work *w, const struct tcp_segment *s)
{
	const struct lost_set *set;

	if (!w || !s)
		return 0;
	set = tables_lost(t, w->hash);
	if (!set || lost_is_over(set, s->time))
		return 0;
	return set->displaced || find_lost(t, w, last_seen_tag(w->hash));
}

/*
 * Is the SYN or SYN-ACK that of a connection that has been lost? A SYN of the tuple's next connection ends what was
 * remembered of that one.
 */
recorder_code int is_of_lost_syn(struct tables *t, const struct work *w, const struct tcp_segment *s)
{
	struct lost_set *set;
	__u32 at;

	if (!w || !s)
		return 0;
	set = tables_lost(t, w->hash);
	if (!set || lost_is_over(set, s->time))
		return 0;
	at = find_lost(t, w, last_seen_tag(w->hash)) - 1;
	opaque(at);
	if (at >= LOST_WAYS)
		return 0;
	if (lost_is_opened_by(element(set->lost, at), s))
		return 1;
	if (segment_opens(s))
		element(set->lost, at) = 0;
	return 0;
}

/*
 * The connection in slot n - 1 has just been marked as lost. The slot serves to recognise copies until another
 * connection wants it; one with a block is user space's, which alone can give that back.
 */
recorder_code int give_up(struct tables *t, const struct work *w, __u32 n, __u64 now, __u32 counter)
{
	const struct flow_slot *slot = tables_slot(t, n - 1);

	if (!w || !slot)
		return 0;
	note_lost(t, w, either(slot->open.source & 1, slot->open.isn[1], slot->open.isn[0]), now, counter);
	mark_way(t, w, n, slot->block ? WAY_HELD : WAY_REPORTED);
	tables_notice(t, n, slot->word, NOTICE_LOST, now);
	return 0;
}

/* ---- a segment of a connection ---- */

/* Appends to the log of a connection that opens; without a block it cannot be listed. */
recorder_code int log_opening(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	struct flow_slot *slot = tables_slot(t, n - 1);
	struct flow_block *b;
	__u32 k;

	if (!w || !s || !slot)
		return 0;
	if (!reload(slot->block)) {
		k = take_block(t, n, s->time, POOL_OPENING);
		slot = tables_slot(t, n - 1);
		b = tables_block(t, k - 1);
		if (!slot)
			return 0;
		if (!k || !b)
			return 0;
		mark_way(t, w, n, WAY_HELD);
		numbers_of_opening(b->side, &slot->open);
	}
	return append(w, n);
}

/* A connection is proven: what is remembered of its tuple is its own from now on, and an older one is over. */
static __always_inline void prove_tuple(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n,
					const struct flow_open *o, __u64 word)
{
	w->proving = n;
	tables_remember(t, w, s, o);
	if (word & PHASE_INSIDE && w->current)
		replace(t, w->current);
	w->current = n;
	w->inside = 0;
	if (!(s->flags & (TCP_FIN | TCP_RST)))
		tables_count(t, COUNT_ESTABLISHED);
}

/* The handshake is complete, but as many connections as may be are established already: see give_up. */
#define PROVE_FULL 2

/* The handshake is complete. n: slot + 1. Returns 1, 0 where another CPU was faster, or PROVE_FULL. */
recorder_code int prove(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	struct flow_slot *slot = tables_slot(t, n - 1);
	struct flow_open *o;
	__u64 word, next;

	if (!w || !s || !slot)
		return 0;
	o = &slot->open;
	word = reload(slot->word);
	next = (word & ~(__u64)(PHASE_OPENING | PHASE_INSIDE)) | PHASE_OPEN;
	if (!(word & PHASE_BEGUN)) {
		next &= ~(__u64)PHASE_WATCHED;
		next |= tables_establish(t) ? 0 : PHASE_LOST;
	}
	o->seen |= s->len || s->flags & ~TCP_ACK ? OPEN_ACK | OPEN_ACK_MORE : OPEN_ACK;
	o->t_ack = s->time;
	o->win[2] = s->win;
	if (__sync_val_compare_and_swap(&slot->word, word, next) != word) {
		if (is_established(next))
			tables_established(t, -1);
		o->seen &= ~OPEN_ACK;
		w->again = 1;
		return 0;
	}
	if (slot->block) {
		struct flow_block *b = tables_block(t, slot->block - 1);

		if (b)
			b->before_ack = word_entries(word);
	}
	if (word & ~next & PHASE_WATCHED)
		tables_watch(t, slot->hash, -1);
	if (is_lost(next)) {
		if (word & PHASE_INSIDE && w->current)
			replace(t, w->current); /* over all the same */
		return PROVE_FULL;
	}
	mark_way(t, w, n, WAY_HELD);
	prove_tuple(t, w, s, n, o, word);
	tables_notice(t, n, next, NOTICE_OPEN, s->time);
	return 1;
}

recorder_code int visit_open_syn(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	struct flow_slot *slot = tables_slot(t, n - 1);
	enum open_step step;
	flag_t first;

	if (!w || !s || !slot)
		return 0;
	first = !(slot->open.seen & (OPEN_SYN | OPEN_SYNACK));
	step = s->flags & TCP_ACK ? open_synack(&slot->open, s, w->side) : open_syn(&slot->open, s, w->side);
	if (step == OPEN_FOREIGN && segment_opens(s))
		open_crossed(&slot->open, s, w->side);
	if (step == OPEN_FOREIGN)
		return log_opening(t, w, s, n);
	if (open_is_in_a_row(&slot->open, s) && step == OPEN_COPY &&
	    of_side(slot->ip_id, s->flags & TCP_ACK) == s->ip_id && s->time - slot->open.t_ack < FLOW_DUPLICATE_NS)
		return 1;
	if (step == OPEN_COPY)
		open_count_copy(&slot->open, s);
	if (step == OPEN_TAKEN && s->flags & TCP_ACK && slot->block) {
		struct flow_block *b = tables_block(t, slot->block - 1);

		if (b)
			b->before_synack = word_entries(slot->word);
	}
	of_side(slot->ip_id, s->flags & TCP_ACK) = s->ip_id;
	slot->open.t_ack = s->time;
	if (first)
		tables_notice(t, n, slot->word, NOTICE_OPENING, s->time);
	return 1;
}

recorder_code int visit_open(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n);

/* A segment of a connection whose handshake is complete. n: slot + 1. */
static __always_inline int visit_proven(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	const struct flow_slot *slot = tables_slot(t, n - 1);

	if (!w || !s || !slot)
		return 0;
	return slot->word & PHASE_BEGUN ? append(w, n) : visit_open(t, w, s, n);
}

/*
 * Is the handshake inside an open connection forged? The socket of the open one lives, and its numbers are not those of
 * the SYN-ACK or ACK. It is asked about here because few handshakes are inside a connection. A client's socket knows no
 * number of the server before the SYN-ACK.
 */
static __always_inline flag_t inside_is_forged(struct work *w, const struct tcp_segment *s)
{
	flag_t sender = w->socket.side == w->side;

	if ((s->flags & (TCP_ACK | TCP_RST)) != TCP_ACK || !w->current)
		return 0;
	if (w->ask == ASK_MAY) {
		w->ask = ASK_NOW;
		w->again = 1;
		return 1;
	}
	if (!w->socket.known)
		return 0;
	return !last_seen_near(s->ack, either(sender, w->socket.rcv_nxt, w->socket.snd_una)) ||
	       !(s->flags & TCP_SYN || last_seen_near(s->seq, either(sender, w->socket.snd_una, w->socket.rcv_nxt)));
}

recorder_code int lose(struct tables *t, struct work *w, __u32 n, __u64 now, __u32 counter);

/*
 * An RST of a connection that opens. Where no block is free for it, and its receiver takes it (RFC 9293 section
 * 3.10.7.3), the connection is lost: else it would look like one that was never answered. n: slot + 1.
 */
static __always_inline int visit_opening_reset(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	int listed = log_opening(t, w, s, n);
	struct flow_slot *slot = tables_slot(t, n - 1);

	if (!slot || listed || reload(slot->block))
		return listed;
	if (!(slot->word & PHASE_MIDSTREAM) && open_judge_reset(&slot->open, s, w->side) == OPEN_RESET_EXACT)
		return lose(t, w, n, s->time, COUNT_CLOSING_FULL);
	slot->open.resets_ignored = saturating_inc(slot->open.resets_ignored);
	return 0;
}

/* A segment of a connection whose handshake is not complete. n: slot + 1. */
recorder_code int visit_opening(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	struct flow_slot *slot = tables_slot(t, n - 1);
	flag_t completes;
	__u32 phase, proven;

	if (!w || !s || !slot)
		return 0;
	phase = word_phase(slot->word);
	if (s->flags & TCP_RST)
		return visit_opening_reset(t, w, s, n);
	if (phase & PHASE_MIDSTREAM) /* a stray FIN has no handshake, whatever comes behind it */
		return log_opening(t, w, s, n);
	if (phase & PHASE_INSIDE && inside_is_forged(w, s))
		return 0;
	completes = open_completes(&slot->open, s, w->side) && !phase_done(phase);
	if (segment_is_syn(s) && !completes)
		return visit_open_syn(t, w, s, n);
	if (!completes)
		return log_opening(t, w, s, n);
	proven = prove(t, w, s, n);
	if (proven == PROVE_FULL)
		return give_up(t, w, n, s->time, COUNT_ESTABLISHED_FULL);
	if (proven && (s->flags & (TCP_FIN | TCP_SYN) || slot->word & PHASE_BEGUN))
		visit_proven(t, w, s, n);
	return 1;
}

/*
 * The close begins: takes a block with what is known of both sides' numbers, which stands in the work. n: slot + 1.
 * Returns whether it has one.
 */
recorder_code int begin_close(struct tables *t, const struct work *w, const struct tcp_segment *s, __u32 n)
{
	const struct flow_slot *slot = tables_slot(t, n - 1);
	struct flow_block *b;
	__u32 k;

	if (!w || !s || !slot)
		return 0;
	k = reload(slot->block); /* one that its handshake has left */
	if (!k)
		k = take_block(t, n, s->time, POOL_CLOSING);
	b = tables_block(t, k - 1);
	if (!k || !b)
		return 0;
	b->side[0] = w->numbers[0];
	b->side[1] = w->numbers[1];
	b->no_socket = w->socket.none;
	return 1;
}

/* No block is free: the close is lost, and so is the connection. n: slot + 1. now: ns. */
recorder_code int lose(struct tables *t, struct work *w, __u32 n, __u64 now, __u32 counter)
{
	struct flow_slot *slot = tables_slot(t, n - 1);
	__u64 word, next;

	if (!w || !slot)
		return 0;
	word = reload(slot->word);
	next = (word & ~(__u64)PHASE_WATCHED) | PHASE_LOST;
	slot->open.idle = 0; /* no number of it is known */
	if (__sync_val_compare_and_swap(&slot->word, word, next) != word) {
		w->again = 1;
		return 0;
	}
	if (word & PHASE_WATCHED)
		tables_watch(t, slot->hash, -1);
	if (is_established(word))
		tables_established(t, -1);
	return give_up(t, w, n, now, counter);
}

/*
 * Do the numbers in the work contradict the FIN or RST? n: slot + 1; 0: it has none, since no handshake was seen. A FIN
 * of a connection that is ahead of all that was seen is told by its acknowledgment, unless a socket was asked.
 */
recorder_code int numbers_contradict(struct tables *t, const struct work *w, const struct tcp_segment *s, __u32 n)
{
	static const struct flow_open unseen;
	const struct flow_slot *slot = tables_slot(t, n - 1);
	const struct flow_open *o = slot ? &slot->open : &unseen;
	const struct numbers *me, *peer;

	if (!w || !s)
		return 1;
	me = &of_side(w->numbers, w->side).now;
	peer = &of_side(w->numbers, !w->side).now;
	if (s->flags & TCP_RST)
		return reset_out_of_window(me, peer, o, s, w->side, 0);
	if (fin_is_old(me, s) || fin_left_of_window(me, peer, s) || fin_left_of_socket(&w->socket, s, w->side))
		return 1;
	return (!n || w->socket.known) && fin_is_ahead(me, peer, o, s, w->side, 0);
}

/*
 * Does what is known of the last segments contradict the FIN or RST of an open connection? Numbers that were regained
 * may be the forged ones: what they contradict begins the close without them, and the judge goes by what follows.
 */
static __always_inline flag_t open_contradicted(struct tables *t, struct work *w, const struct flow_slot *slot,
						const struct tcp_segment *s, __u32 n)
{
	const struct last_seen *last = tables_last_seen(t, w->hash);

	if (!last || segment_contradicts(s))
		return 1;
	numbers_read(w->numbers, last, &slot->open, w->hash);
	use_socket(w);
	if (!numbers_contradict(t, w, s, n))
		return 0;
	return !numbers_drop_regained(w->numbers);
}

/* The connection is not idle: a probe has done its work. */
static __always_inline void heard(struct tables *t, struct flow_slot *slot)
{
	__u64 word = reload(slot->word);

	if (!(word & PHASE_PROBE))
		return;
	slot->open.idle = 0;
	if (__sync_val_compare_and_swap(&slot->word, word, word & ~(__u64)(PHASE_PROBE | PHASE_WATCHED)) == word)
		tables_watch(t, slot->hash, -1);
}

/* So many segments beside the connection are listed; the others are counted. */
#define BESIDE_LISTED 4

/*
 * Lists a segment beside an open connection: a SYN-ACK with a foreign number, as another server has answered the same
 * SYN, or a FIN that what is known contradicts. It changes no phase, and the connection's data still passes unwatched.
 */
recorder_code int list_beside(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	const struct last_seen *last = tables_last_seen(t, w ? w->hash : 0);
	struct flow_slot *slot = tables_slot(t, n - 1);
	struct flow_block *b;
	flag_t first;
	__u64 word;
	__u32 at;

	if (!w || !s || !slot || !last)
		return 0;
	first = !reload(slot->block);
	if (first && !take_block(t, n, s->time, POOL_OPENING))
		return 0;
	slot = tables_slot(t, n - 1);
	if (!slot)
		return 0;
	b = tables_block(t, reload(slot->block) - 1);
	if (!b)
		return 0;
	if (first)
		numbers_read(b->side, last, &slot->open, w->hash);
	word = reload(slot->word);
	at = word_entries(word);
	opaque(at);                /* else the verifier does not see that the bound is that of the place */
	if (at >= BESIDE_LISTED) { /* no FIN that is one of the connection's */
		__sync_fetch_and_add(&of_side(b->rest, w->side).others, 1);
		return 1;
	}
	if (__sync_val_compare_and_swap(&slot->word, word, word + WORD_ENTRY) != word) {
		w->again = 1;
		return 0;
	}
	b = tables_room(t, n, b, at);
	entry_write(b, w, s, at);
	return 1;
}

/*
 * Is the segment, which changes nothing of an open connection, the one before of its kind, seen a second time? It is
 * noted for the next one.
 */
static __always_inline flag_t is_seen_again(struct flow_slot *slot, const struct tcp_segment *s)
{
	__u32 is = s->seq ^ (__u32)s->ip_id << 16, now = s->time >> 10;
	flag_t again = slot->fin_end[0] == is && now - slot->fin_end[1] <= FLOW_RESETS_NS >> 10;

	slot->fin_end[0] = is;
	slot->fin_end[1] = now;
	return again;
}

/* A segment of an open connection. n: slot + 1. */
recorder_code int visit_open(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	struct flow_slot *slot = tables_slot(t, n - 1);

	if (!w || !s || !slot)
		return 0;
	if (segment_is_syn(s)) {
		if (!open_is_copy(&slot->open, s, w->side))
			return s->flags & TCP_ACK ? list_beside(t, w, s, n) : 1;
		if (!is_seen_again(slot, s))
			open_count_copy(&slot->open, s);
		return 1;
	}
	if (!(s->flags & (TCP_FIN | TCP_RST))) {
		heard(t, slot);
		return 1;
	}
	if (open_contradicted(t, w, slot, s, n)) {
		if (s->flags & TCP_RST && !is_seen_again(slot, s))
			slot->open.resets_ignored = saturating_inc(slot->open.resets_ignored);
		if (!(s->flags & TCP_RST) && !segment_contradicts(s))
			list_beside(t, w, s, n);
		return 1;
	}
	heard(t, slot);
	tables_count(t, COUNT_CLOSED);
	if (!begin_close(t, w, s, n))
		return lose(t, w, n, s->time, COUNT_CLOSING_FULL);
	return append(w, n);
}

/* Is the segment surely that of the connection that opens inside an older one? */
static __always_inline flag_t inside_claims(struct tables *t, const struct work *w, const struct tcp_segment *s)
{
	const struct flow_slot *slot = tables_slot(t, w->inside - 1);

	if (!slot)
		return 0;
	return segment_is_syn(s) || open_completes(&slot->open, s, w->side) ||
	       (s->flags & TCP_RST && open_judge_reset(&slot->open, s, w->side) == OPEN_RESET_EXACT);
}

/*
 * Is the segment the answer of the older connection to the SYN of one that opens inside it (RFC 5961 section 4)? While
 * the older one closes, its ACKs are its own.
 */
static __always_inline flag_t inside_challenged(struct tables *t, const struct work *w, const struct tcp_segment *s)
{
	const struct flow_slot *slot = tables_slot(t, w->inside - 1), *older = tables_slot(t, w->current - 1);

	return slot && !(older && older->word & PHASE_BEGUN) && (s->flags & (TCP_CONTROL | TCP_ACK)) == TCP_ACK &&
	       !s->len && w->side != slot->open.source && (slot->open.seen & (OPEN_SYN | OPEN_SYNACK)) == OPEN_SYN;
}

/* ---- a segment of no connection yet ---- */

/* Does a segment without SYN belong to the connection that was reported, by its numbers? */
static __always_inline flag_t reported_takes(struct tables *t, const struct work *w, const struct tcp_segment *s)
{
	const struct flow_slot *slot = tables_slot(t, w->reported - 1);

	if (!slot)
		return 0;
	if (segment_is_syn(s))
		return open_is_copy(&slot->open, s, w->side);
	if (!(slot->open.idle & 1 << (w->side & 1))) /* nothing is known of its numbers */
		return 1;
	return s->seq - of_side(slot->fin_end, w->side) + LAST_SEEN_REORDER < 2 * LAST_SEEN_REORDER;
}

/* A SYN or SYN-ACK that begins a connection. inside: PHASE_INSIDE where the tuple has one that goes on. */
recorder_code int begin_opening(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 inside)
{
	if (!w || !s)
		return 0;
	if (tables_is_lossy(t, s->time) && is_of_lost_syn(t, w, s))
		return tables_count(t, COUNT_LATE);
	if (!insert(t, w, s, PHASE_OPENING | PHASE_WATCHED | inside)) {
		if (w->again || !segment_opens(s))
			return 0;
		return note_lost(t, w, s->seq, s->time, COUNT_ESTABLISHED_FULL);
	}
	if (inside)
		w->inside = w->taken;
	return visit_open_syn(t, w, s, w->taken);
}

/* A FIN or RST of a connection that was going on before the watch, as its numbers prove. */
recorder_code int begin_midstream(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	if (!w || !s)
		return 0;
	if (!insert(t, w, s, PHASE_OPEN | PHASE_MIDSTREAM))
		return w->again ? 0 : note_lost(t, w, 0, s->time, COUNT_MIDSTREAM_FULL);
	tables_established(t, 1);
	if (!begin_close(t, w, s, w->taken))
		return lose(t, w, w->taken, s->time, COUNT_MIDSTREAM_FULL);
	return append(w, w->taken);
}

/* A FIN of no connection: a stray one until the other side acknowledges it. */
recorder_code int begin_stray(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	if (!w || !s)
		return 0;
	if (!insert(t, w, s, PHASE_OPENING | PHASE_MIDSTREAM | PHASE_WATCHED))
		return w->again ? 0 : tables_count(t, COUNT_UNPROVEN_EVICTED);
	tables_notice(t, w->taken, PHASE_OPENING, NOTICE_OPENING, s->time);
	return log_opening(t, w, s, w->taken);
}

/*
 * Is the segment, of a connection that was going on before the watch, what the socket of this host has sent or
 * expects?
 */
static __always_inline flag_t socket_fits(const struct work *w, const struct tcp_segment *s)
{
	__u32 from = either(w->socket.side == w->side, w->socket.snd_una, w->socket.rcv_nxt);

	return s->seq - from + LAST_SEEN_REORDER < 2 * LAST_SEEN_REORDER;
}

/*
 * Is the FIN or RST the beginning of a close of the conversation that is remembered? One that it contradicts begins
 * none.
 */
recorder_code int begins_midstream(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	static const struct flow_open unseen; /* nothing is known of its handshake */
	const struct last_seen *last;

	if (!w || !s)
		return 0;
	w->numbers[0].now.known = w->numbers[1].now.known = 0;
	last = tables_last_seen(t, w->hash);
	if (!last || segment_contradicts(s) ||
	    !(w->socket.known
		      ? socket_fits(w, s)
		      : last_seen_fits(last, s, w->side, w->hash) || last_seen_answers(last, s, w->side, w->hash)))
		return 0;
	numbers_read(w->numbers, last, &unseen, w->hash);
	use_socket(w);
	return !numbers_contradict(t, w, s, 0);
}

/*
 * Is it a FIN left of what both sides of the conversation that is remembered have sent and acknowledged? Its receiver
 * drops it, and what it acknowledges then is no FIN. The work has the numbers where begins_midstream has read them.
 */
static __always_inline flag_t is_left_of_midstream(const struct work *w, const struct tcp_segment *s)
{
	return !s->partial &&
	       fin_left_of_window(&of_side(w->numbers, w->side).now, &of_side(w->numbers, !w->side).now, s);
}

/* A FIN or RST of no connection that the tables have. */
recorder_code int begin_from_end(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	if (!w || !s)
		return 0;
	if (tables_is_lossy(t, s->time) && ask_lost(t, w, s))
		return tables_count(t, COUNT_LATE);
	if (begins_midstream(t, w, s))
		return begin_midstream(t, w, s);
	if (s->flags & TCP_RST) { /* a lone RST is no close */
		w->stray = 1;
		return tables_count(t, COUNT_STRAY_RST);
	}
	if (segment_contradicts(s))
		return tables_count(t, COUNT_CONTRADICTORY);
	return is_left_of_midstream(w, s) ? 0 : begin_stray(t, w, s);
}

recorder_code int record_unknown(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	if (!w || !s)
		return 0;
	if (w->reported && s->flags & TCP_CONTROL && reported_takes(t, w, s))
		return tables_count(t, COUNT_LATE);
	if (segment_is_syn(s))
		return begin_opening(t, w, s, 0);
	return s->flags & (TCP_FIN | TCP_RST) ? begin_from_end(t, w, s) : 0;
}

/* ---- a SYN ---- */

/* Does a SYN begin another attempt than the connection that opens? */
static __always_inline flag_t opening_is_over(const struct flow_slot *slot, __u32 phase, const struct tcp_segment *s,
					      __u32 side)
{
	if (open_is_copy(&slot->open, s, side))
		return 0;
	/* Where it was refused, the next one may come from the other side. */
	return phase_done(phase) || !(slot->open.seen & OPEN_SYN) || side == slot->open.source;
}

/* A SYN where a connection opens already. n: slot + 1. inside: PHASE_INSIDE or 0, as that one is. */
static __always_inline int syn_again(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n,
				     __u32 inside)
{
	const struct flow_slot *slot = tables_slot(t, n - 1);

	if (!w || !s || !slot)
		return 0;
	if (!opening_is_over(slot, word_phase(slot->word), s, w->side))
		return visit_open_syn(t, w, s, n);
	replace(t, n);
	return begin_opening(t, w, s, inside);
}

/*
 * Is the SYN or SYN-ACK that of the tuple's next connection, where of the present one a single side was heard (the
 * other one passes elsewhere) and its close has begun? Nothing shows here that it is over.
 */
recorder_code int begins_next_half(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	const struct flow_slot *slot = tables_slot(t, w ? w->current - 1 : 0);
	__u32 seen;

	if (!w || !s || !slot || !segment_is_syn(s) || !(slot->word & PHASE_OPENING) || !(slot->word & PHASE_BEGUN) ||
	    open_is_copy(&slot->open, s, w->side))
		return 0;
	seen = slot->open.seen & (OPEN_SYN | OPEN_SYNACK);
	if (w->side == slot->open.source)
		return seen == OPEN_SYN && segment_opens(s);
	return seen == OPEN_SYNACK && s->ack - 1 != of_side(slot->open.isn, !w->side);
}

recorder_code int record_syn(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	const struct flow_slot *slot;
	__u32 phase;

	if (!w || !s)
		return 0;
	if (!w->current && w->inside)
		return syn_again(t, w, s, w->inside, 0);
	if (!w->current) {
		slot = tables_slot(t, w->reported - 1);
		if (w->reported && slot && !phase_done(slot->word) && open_is_copy(&slot->open, s, w->side))
			return tables_count(t, COUNT_LATE);
		return begin_opening(t, w, s, 0);
	}
	slot = tables_slot(t, w->current - 1);
	if (!slot)
		return 0;
	phase = word_phase(slot->word);
	/* A SYN takes no tuple from what may go on: a stray FIN or SYN-ACK, or a SYN that was answered. */
	if (phase & PHASE_OPENING && (open_is_copy(&slot->open, s, w->side) ||
				      (slot->open.seen & OPEN_SYN && !opening_is_answered(t, w->current))))
		return syn_again(t, w, s, w->current, 0);
	if (phase_done(phase) || begins_next_half(t, w, s)) {
		replace(t, w->current);
		w->current = 0;
		return w->inside ? syn_again(t, w, s, w->inside, 0) : begin_opening(t, w, s, 0);
	}
	if (open_is_copy(&slot->open, s, w->side))
		return visit_proven(t, w, s, w->current);
	return w->inside ? syn_again(t, w, s, w->inside, PHASE_INSIDE) : begin_opening(t, w, s, PHASE_INSIDE);
}

/* ---- every segment that the filter lets through ---- */

/*
 * A FIN or RST is far from the numbers of what opens. If nothing has answered that, it is inside the segment's
 * connection from now on. An RST proves that there is one if the last segments that were seen vouch for it. Returns
 * whether it is inside.
 */
recorder_code int move_inside(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	struct flow_slot *slot;
	__u64 word;

	if (!w || !s || opening_is_answered(t, w->current) || (s->flags & TCP_RST && !begins_midstream(t, w, s)))
		return 0;
	slot = tables_slot(t, w->current - 1);
	if (!slot)
		return 0;
	word = reload(slot->word);
	if (s->flags & TCP_RST)
		slot->open.seen |= OPEN_INSIDE;
	if (__sync_val_compare_and_swap(&slot->word, word, word | PHASE_INSIDE) != word)
		w->again = 1;
	w->inside = w->current;
	w->current = 0;
	return 1;
}

/*
 * A segment other than a SYN, of the tuple's connection in slot w->current - 1. Returns 0 if it is not of that one: a
 * FIN or RST far from the numbers of a SYN or SYN-ACK that nothing has answered. It is of an older connection, whose
 * handshake was not seen.
 */
static __always_inline flag_t visit_current(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	const struct flow_slot *slot = tables_slot(t, w->current - 1);

	if (!slot)
		return 1;
	if (s->flags & (TCP_FIN | TCP_RST) && !opening_takes(t, w, s, slot, w->current) && move_inside(t, w, s))
		return 0;
	if (slot->word & PHASE_OPENING)
		visit_opening(t, w, s, w->current);
	else if (slot->word & PHASE_BEGUN)
		append(w, w->current);
	else
		visit_open(t, w, s, w->current);
	return 1;
}

/* Once the older one is sure to be a connection, a SYN inside it may be forged. */
recorder_code int mark_inside(struct tables *t, const struct work *w)
{
	struct flow_slot *slot, *older;

	if (!w)
		return 0;
	slot = tables_slot(t, w->inside - 1);
	older = tables_slot(t, w->current - 1);
	if (slot && older && older->word & (PHASE_OPEN | PHASE_FINS_ACKED) && !phase_done(older->word))
		slot->open.seen |= OPEN_INSIDE;
	return 0;
}

/* Records the segment if it is of the connection that opens inside another one. Returns whether it is. */
recorder_code int record_inside(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	if (!w || !s)
		return 0;
	if (inside_claims(t, w, s))
		visit_opening(t, w, s, w->inside);
	else if (inside_challenged(t, w, s))
		log_opening(t, w, s, w->inside);
	else
		return 0;
	return 1;
}

/* Records the segment, whose connections seek() has found. See record_segment. */
static __always_inline void record_found(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	w->again = 0;
	w->stray = 0;
	w->append = 0;
	if (segment_is_syn(s) && segment_contradicts(s))
		tables_count(t, COUNT_CONTRADICTORY);
	else if (segment_opens(s) || (segment_is_syn(s) && begins_next_half(t, w, s)))
		record_syn(t, w, s);
	else if (!(w->inside && record_inside(t, w, s)) && !(w->current && visit_current(t, w, s)) && !w->again)
		record_unknown(t, w, s);
	if (w->append)
		append_noted(t, w, s);
	if (w->inside && w->current && !w->again)
		mark_inside(t, w);
}

/*
 * Records the segment: SYN, FIN, RST, or anything of a watched cell. w: hash, place, side and ifindex are the caller's.
 * Where w->again is set afterwards, another CPU was faster and nothing was recorded: to be called anew.
 */
static __always_inline void record_segment(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	seek(t, w, s);
	paths_meet();
	record_found(t, w, s);
}

/* ---- ICMP errors ---- */

/* Is the number between the last one that the other side acknowledged and the highest one sent? */
static __always_inline flag_t is_in_flight(const struct block_side sides[2], const struct tcp_segment *s, __u64 side)
{
	const struct numbers *me = &of_side(sides, side).now, *peer = &of_side(sides, !side).now;
	__u32 from = me->end - 0xffff;

	if (peer->known & NUMBERS_ACK && !seq_after(from, peer->ack))
		from = peer->ack;
	return me->known & NUMBERS_END && s->seq - from <= me->end - from;
}

/* The same of a connection that opens: its SYN or SYN-ACK, or what the SYN carried. */
static __always_inline flag_t opening_in_flight(const struct flow_open *o, const struct tcp_segment *s, __u64 side)
{
	__u32 known = side == o->source ? OPEN_SYN | OPEN_SYNACK : OPEN_SYNACK;

	return o->seen & known && s->seq - of_side(o->isn, side) <= o->syn_len + 1u;
}

/* The slot's block; one for what opens where it has none yet. n: slot + 1. Returns index + 1, or 0. */
static __always_inline __u32 block_for_quoted(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	struct flow_slot *slot = tables_slot(t, n - 1);
	struct flow_block *b;
	__u32 k;

	if (!slot)
		return 0;
	if (reload(slot->block))
		return reload(slot->block);
	k = take_block(t, n, s->time, POOL_OPENING);
	slot = tables_slot(t, n - 1);
	b = tables_block(t, k - 1);
	if (!k || !slot || !b)
		return 0;
	mark_way(t, w, n, WAY_HELD);
	numbers_of_opening(b->side, &slot->open);
	return k;
}

/* Lists the error among the connection's segments, while there is room that nothing is reserved for. n: slot + 1. */
static __always_inline int list_quoted(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	struct flow_block *b = tables_block(t, block_for_quoted(t, w, s, n) - 1);
	struct flow_slot *slot = tables_slot(t, n - 1);
	struct log_entry *e;
	__u64 word;
	__u32 at;

	if (!slot || !b)
		return 0;
	word = reload(slot->word);
	at = word_entries(word);
	opaque(at);
	if (at >= BLOCK_COMMON)
		return 0;
	if (__sync_val_compare_and_swap(&slot->word, word, word + WORD_ENTRY) != word) {
		w->again = 1;
		return 0;
	}
	e = &element(b->entry, at);
	opaque(e); /* one addition to the pointer, not one a use */
	e->time = s->time;
	e->by.hi = s->by.hi;
	e->by.lo = s->by.lo;
	e->win = s->icmp;
	e->ip_id = 0;
	e->flags = 0;
	e->ttl = 0;
	e->option = SEGMENT_NO_WSCALE;
	paths_meet();
	*(volatile __u8 *)&e->bits = ENTRY_WHOLE | ENTRY_ICMP | (w->side ? ENTRY_SIDE : 0);
	return 1;
}

/*
 * The same of an open connection, whose numbers are those that are remembered of its last segments: where they were
 * displaced, nothing is known of the error. A few are listed, as what else comes beside its data. n: slot + 1.
 */
recorder_code int quoted_open(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	const struct last_seen *last = tables_last_seen(t, w ? w->hash : 0);
	const struct flow_slot *slot = tables_slot(t, n - 1);

	if (!w || !s || !slot || !last || word_entries(reload(slot->word)) >= BESIDE_LISTED)
		return 0;
	numbers_read(w->numbers, last, &slot->open, w->hash);
	if (!(of_side(w->numbers, w->side).now.known & NUMBERS_END))
		return 0;
	return is_in_flight(w->numbers, s, w->side) ? list_quoted(t, w, s, n) : tables_count(t, COUNT_ICMP_FORGED);
}

/*
 * An ICMP error about a segment of a connection is listed and changes nothing; user space knows what it explains. w: as
 * for record_segment.
 */
static __always_inline int record_quoted(struct tables *t, struct work *w, const struct tcp_segment *s)
{
	const struct flow_slot *slot;
	const struct flow_block *b;
	__u32 n;

	w->again = 0;
	seek(t, w, s);
	paths_meet();
	n = w->inside ? w->inside : w->current;
	slot = tables_slot(t, n - 1);
	if (!n || !slot)
		return 0;
	b = tables_block(t, reload(slot->block) - 1);
	if (slot->word & PHASE_OPENING && !(slot->word & PHASE_MIDSTREAM))
		return opening_in_flight(&slot->open, s, w->side) ? list_quoted(t, w, s, n)
								  : tables_count(t, COUNT_ICMP_FORGED);
	if (!(slot->word & PHASE_BEGUN))
		return quoted_open(t, w, s, n);
	if (!b)
		return 0;
	return is_in_flight(b->side, s, w->side) ? list_quoted(t, w, s, n) : tables_count(t, COUNT_ICMP_FORGED);
}

#endif
