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

#include "bpf/core/log_writer.h"
#include "bpf/core/lost_connections.h"
#include "bpf/core/slots.h"

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
					const struct flow_slot *slot, __u64 word)
{
	w->proving = n;
	tables_remember(t, w, s, slot);
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
	prove_tuple(t, w, s, n, slot, word);
	tables_notice(t, n, next, NOTICE_OPEN, s->time);
	return 1;
}

/*
 * Is the SYN or SYN-ACK, which the connection was opened with, seen a second time? An answer to a SYN that comes again
 * follows the first one as closely, and has another IP id.
 */
static __always_inline flag_t is_twin_of_opening(const struct flow_slot *slot, const struct tcp_segment *s)
{
	__u64 first = either(s->flags & TCP_ACK, slot->open.t_synack, slot->open.t_syn);

	return of_side(slot->ip_id, s->flags & TCP_ACK) == s->ip_id && s->time - first < FLOW_DUPLICATE_NS;
}

recorder_code int visit_open_syn(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n)
{
	struct flow_slot *slot = tables_slot(t, n - 1);
	enum open_step step;
	flag_t first, twin;

	if (!w || !s || !slot)
		return 0;
	first = !(slot->open.seen & (OPEN_SYN | OPEN_SYNACK));
	step = s->flags & TCP_ACK ? open_synack(&slot->open, s, w->side) : open_syn(&slot->open, s, w->side);
	if (step == OPEN_FOREIGN && segment_opens(s))
		open_crossed(&slot->open, s, w->side);
	if (step == OPEN_FOREIGN)
		return log_opening(t, w, s, n);
	twin = of_side(slot->ip_id, s->flags & TCP_ACK) == s->ip_id && s->time - slot->open.t_ack < FLOW_DUPLICATE_NS;
	twin &= open_is_in_a_row(&slot->open, s);
	if (step == OPEN_COPY && (twin || (twin_is_known(s->flags, s->ip_id) && is_twin_of_opening(slot, s)))) {
		tables_twin(t, n);
		return 1;
	}
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
	flag_t again = slot->fin_end[0] == is && now - slot->fin_end[1] <= twin_within(s->flags, s->ip_id) >> 10;

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
		if (is_seen_again(slot, s) || is_twin_of_opening(slot, s))
			tables_twin(t, n);
		else
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

/* Does a FIN or RST belong to the connection that was reported, by its numbers? */
static __always_inline flag_t reported_takes(const struct flow_slot *slot, const struct work *w,
					     const struct tcp_segment *s)
{
	if (!(slot->open.idle & 1 << (w->side & 1))) /* nothing is known of its numbers */
		return 1;
	return s->seq - of_side(slot->fin_end, w->side) + LAST_SEEN_REORDER < 2 * LAST_SEEN_REORDER;
}

/*
 * What goes on is no further from the last numbers; an initial number is after 67 ms (RFC 6528). A power of two, so
 * that one comparison serves for both sides' numbers.
 */
#define HELD_NEAR (1u << 20)

/*
 * Is the segment one more of the connection that was reported, and whose log user space holds for that
 * (flow_tables_hold)? Both sides' numbers are known there. It is no SYN.
 */
static __always_inline flag_t held_takes(struct tables *t, const struct flow_slot *slot, const struct work *w,
					 const struct tcp_segment *s)
{
	const struct flow_block *b = tables_block(t, reload(slot->block) - 1);
	__u32 off;

	if (!b)
		return 0;
	off = s->seq - of_side(b->side, w->side).now.end + HELD_NEAR;
	if (s->flags & TCP_ACK)
		off |= s->ack - of_side(b->side, !w->side).now.end + HELD_NEAR;
	return off < 2 * HELD_NEAR;
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
	const struct flow_slot *slot;

	if (!w || !s)
		return 0;
	slot = tables_slot(t, w->reported - 1);
	if (segment_is_syn(s)) {
		if (slot && open_is_copy(&slot->open, s, w->side))
			return tables_count(t, COUNT_LATE);
		return begin_opening(t, w, s, 0);
	}
	if (slot && held_takes(t, slot, w, s))
		return append(w, w->reported);
	if (!(s->flags & (TCP_FIN | TCP_RST)))
		return 0;
	if (slot && reported_takes(slot, w, s))
		return tables_count(t, COUNT_LATE);
	return begin_from_end(t, w, s);
}

/* ---- a SYN ---- */

/* Does a SYN begin another attempt than the connection that opens? */
static __always_inline flag_t opening_is_over(const struct flow_slot *slot, __u32 phase, const struct tcp_segment *s,
					      __u32 side)
{
	/* Of the side that has sent none no number is known. */
	if ((side == slot->open.source || slot->open.seen & OPEN_SYNACK) && open_is_copy(&slot->open, s, side))
		return 0;
	/*
	 * Where it was refused, the next one may come from the other side, which opens none at the same time as a SYN
	 * that came inside another connection: that one was challenged, and may be forged.
	 */
	return phase_done(phase) || !(slot->open.seen & OPEN_SYN) || slot->open.seen & OPEN_INSIDE ||
	       side == slot->open.source;
}

/* A SYN where a connection opens already. n: slot + 1. inside: PHASE_INSIDE or 0, as that one is. */
recorder_code int syn_again(struct tables *t, struct work *w, const struct tcp_segment *s, __u32 n, __u32 inside)
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
