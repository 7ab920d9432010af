/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection's segments into its log: whether there is room, in which place, and what is counted instead.
 *
 * Part of the recorder, whose tables are defined before it is included: see recorder.h.
 */
#ifndef TCPFIN_LOG_WRITER_H
#define TCPFIN_LOG_WRITER_H

#include "bpf/core/slots.h"

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

/* So many places are there for the segment if it changes no phase. */
static __always_inline __u32 places_for(const struct flow_block *b, const struct tcp_segment *s, __u32 side)
{
	const struct numbers *peer = &of_side(b->side, !side).now;
	__u32 differs = (s->seq ^ peer->ack) | (~peer->known & NUMBERS_ACK) | (~s->flags & TCP_RST);

	return either(differs, BLOCK_COMMON, BLOCK_COMMON + BLOCK_EXACT_RESETS);
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
	if (at >= BLOCK_ENTRIES || (at >= places_for(b, s, w->side) && !(bits & ~PHASE_REPEATED))) {
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

#endif
