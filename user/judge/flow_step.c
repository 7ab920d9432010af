// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A segment is first asked whether it shows that an RST did not end the connection, then judged as its receiver would
 * (RFC 9293 section 3.10.7), then listed or counted.
 */
#include <string.h>

#include "user/judge/flow_step.h"
#include "user/judge/reset_fate.h"

/* A step in progress. */
struct turn {
	struct flow *f;
	struct flow_segment *log;
	const struct tcp_segment *s;
	unsigned cap;  /* segments that the log can hold */
	unsigned side; /* the sender */
	unsigned step; /* STEP_ bits */
	__u8 mark;     /* SEGMENT_ bits of the segment */
	bool listed;   /* the segment is worth a line of its own in the log */
};

/* ---- the log ---- */

static bool log_equal(const struct flow_segment *e, const struct turn *t)
{
	const struct tcp_segment *s = t->s;

	return e->seq == s->seq && e->ack == s->ack && e->flags == s->flags && e->side == t->side && e->len == s->len;
}

/*
 * The same packet seen a second time: equal in all, IP id included, within FLOW_DUPLICATE_NS of the first sighting. An
 * id of 0 tells nothing (RFC 6864), and IPv6 has none: then hardly anything may stand between the two, unless no TCP
 * repeats such a segment so soon.
 */
static bool seen_twice(const struct turn *t)
{
	const struct flow *f = t->f;
	__u64 within = twin_within(t->s->flags, t->s->ip_id);
	unsigned back = twin_is_known(t->s->flags, t->s->ip_id) ? f->log_len : within == FLOW_RESETS_NS ? 1 : 2;

	for (unsigned i = 0; i < back && i < f->log_len; i++) {
		const struct flow_segment *e = &t->log[f->log_len - 1 - i];

		if (log_equal(e, t) && e->ip_id == t->s->ip_id && e->win == t->s->win &&
		    t->s->time - e->latest < within)
			return true;
	}
	return false;
}

/* May the segment be counted in the entry instead of getting its own? */
static bool log_takes(const struct flow_segment *e, const struct turn *t)
{
	if (t->mark & SEGMENT_FOLDED)
		return e->mark & SEGMENT_FOLDED && e->side == t->side && !e->len == !t->s->len;
	return (t->f->log_len >= FLOW_LOG_FOLD || t->cap < FLOW_LOG_FOLD) && log_equal(e, t);
}

/* One of the last two entries, if the segment may be counted in it; else NULL. */
static struct flow_segment *log_fold(const struct turn *t)
{
	for (unsigned i = 0; i < 2 && i < t->f->log_len; i++) {
		struct flow_segment *e = &t->log[t->f->log_len - 1 - i];

		if (!log_takes(e, t))
			continue;
		if (t->mark & SEGMENT_FOLDED)
			e->len += t->s->len;
		e->flags |= t->s->flags;
		e->count += e->count != ~0u;
		return e;
	}
	return NULL;
}

/* Is the segment a step of the opening or of the close? */
static bool decides(const struct turn *t)
{
	return t->listed || (t->s->flags & (TCP_FIN | TCP_RST) && !(t->mark & (SEGMENT_COPY | SEGMENT_IGNORED)));
}

/* Takes the last entry that decides nothing out of the full log. */
static void make_room(const struct turn *t)
{
	struct flow *f = t->f;

	for (unsigned i = f->log_len; i-- > 0;) {
		if (!(t->log[i].mark & (SEGMENT_FOLDED | SEGMENT_COPY)))
			continue;
		f->lost += t->log[i].count;
		f->log_len--;
		memmove(&t->log[i], &t->log[i + 1], (f->log_len - i) * sizeof(*t->log));
		return;
	}
}

static void log_add(const struct turn *t)
{
	struct flow_segment *e = log_fold(t);
	const struct tcp_segment *s = t->s;

	if (!e && t->f->log_len >= t->cap && decides(t))
		make_room(t);
	if (!e && t->f->log_len >= t->cap) {
		t->f->lost += t->f->lost != ~0u;
		return;
	}
	if (!e) {
		e = &t->log[t->f->log_len++];
		*e = (struct flow_segment){
			.time = s->time,
			.seq = s->seq,
			.len = s->len,
			.count = 1,
			.flags = s->flags,
			.ttl = s->ttl,
			.side = (__u8)t->side,
			.mark = t->mark,
		};
	}
	e->latest = s->time;
	e->ack = s->ack;
	e->win = s->win;
	e->ip_id = s->ip_id;
}

/* ---- the opening ---- */

/* Both sides have sent a SYN (RFC 9293 section 3.5). Returns the segment's mark. */
static __u8 take_crossed_syn(struct flow_open *o, const struct turn *t)
{
	bool copy = o->seen & OPEN_CROSSED;

	if (copy && t->s->seq != o->isn[t->side])
		return SEGMENT_IGNORED;
	o->seen |= OPEN_CROSSED;
	o->isn[t->side] = t->s->seq;
	o->wscale[t->side] = t->s->wscale;
	o->ttl[t->side] = t->s->ttl;
	return copy ? SEGMENT_COPY : 0;
}

/*
 * Returns the segment's mark. Behind its SYN-ACK, where two queues or CPUs have swapped them, a SYN is the first one
 * all the same; but not behind the whole handshake, whose part of the log is over.
 */
static __u8 take_syn(const struct turn *t)
{
	const struct tcp_segment *s = t->s;
	struct flow_open *o = &t->f->open;

	if (!(o->seen & OPEN_SYN) && !(t->f->state & FLOW_REOPENED) &&
	    (!(o->seen & OPEN_SYNACK) || (t->side == o->source && s->seq == o->isn[t->side]))) {
		if (t->f->state & FLOW_MIDSTREAM)
			return SEGMENT_IGNORED;
		if (s->time < t->f->t_first)
			t->f->t_first = s->time;
		open_syn(o, s, t->side);
		return 0;
	}
	if (s->seq == o->isn[t->side] && t->side == o->source) {
		o->syn_copies = saturating_inc(o->syn_copies);
		return SEGMENT_COPY;
	}
	if (t->side != o->source && !(o->seen & OPEN_SYNACK))
		return take_crossed_syn(o, t);
	return SEGMENT_IGNORED; /* a SYN in a synchronized state: challenge ACK (RFC 5961 section 4) */
}

/* A SYN-ACK behind the first one. Returns the segment's mark. */
static __u8 take_synack_again(struct flow_open *o, const struct turn *t)
{
	if (t->s->seq != o->isn[t->side])
		return SEGMENT_IGNORED;
	if (t->side == o->source)
		return 0;
	o->synack_copies = saturating_inc(o->synack_copies);
	return SEGMENT_COPY;
}

/* Returns the segment's mark. */
static __u8 take_synack(const struct turn *t)
{
	struct flow_open *o = &t->f->open;

	if (o->seen & OPEN_SYNACK)
		return take_synack_again(o, t);
	if (o->seen & OPEN_SYN && t->side == o->source) /* crossed SYNs: this one acknowledges the other's */
		return o->seen & OPEN_CROSSED ? 0 : SEGMENT_IGNORED;
	if (!(o->seen & OPEN_SYN) && t->f->state & FLOW_MIDSTREAM)
		return SEGMENT_IGNORED;
	if (t->f->state & FLOW_GRACEFUL || (t->f->state & FLOW_RESET && t->side != t->f->reset.side))
		return SEGMENT_IGNORED; /* too late: what is known of the opening stays as it was reported */
	if (t->f->state & FLOW_RESET)
		t->f->reset.fate |= RESET_DENIED; /* whoever refuses does not accept */
	if (!(o->seen & OPEN_SYN))
		o->wscale[!t->side] = SEGMENT_NO_WSCALE;
	return open_synack(o, t->s, t->side) == OPEN_TAKEN ? 0 : SEGMENT_IGNORED;
}

/* Does this segment complete the handshake? Only the source can prove that it heard the SYN-ACK. */
static bool completes_handshake(const struct turn *t)
{
	return !(t->f->state & FLOW_PROVEN) && open_completes(&t->f->open, t->s, t->side);
}

static void take_handshake_ack(struct turn *t)
{
	struct flow_open *o = &t->f->open;

	if (!reset_fate_handshake(t->f, t->s))
		return;
	o->t_ack = t->s->time;
	o->seen |= t->s->len || t->s->flags & ~TCP_ACK ? OPEN_ACK | OPEN_ACK_MORE : OPEN_ACK;
	o->win[2] = t->s->win;
	t->f->state |= FLOW_PROVEN;
	t->step |= STEP_PROVEN;
	t->listed = true;
}

/* ---- resets ---- */

/*
 * Has the source had an answer that was not captured? In SYN-SENT it acknowledges nothing: what does not fit its SYN it
 * answers by an RST (RFC 9293 section 3.10.7.3).
 */
static bool synack_was_missed(const struct flow *f)
{
	return flow_lacks_synack(f) && f->side[f->open.source].now.known & NUMBERS_ACK;
}

/*
 * Does the source's RST refuse a SYN-ACK that answers none of its SYNs? It stays in SYN-SENT (RFC 9293 section
 * 3.10.7.3), and so the RST ends nothing.
 */
static bool refuses_synack(const struct turn *t)
{
	const struct flow_open *o = &t->f->open;

	if ((o->seen & (OPEN_SYN | OPEN_SYNACK)) != OPEN_SYN || t->side != o->source || t->s->flags & TCP_ACK)
		return false;
	for (unsigned i = 0; i < t->f->log_len; i++) {
		const struct flow_segment *e = &t->log[i];

		if (e->side != t->side && (e->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) &&
		    e->mark & SEGMENT_IGNORED && e->ack == t->s->seq)
			return true;
	}
	return false;
}

/* Has the RST the number that the other side's FIN acknowledged? A closed socket answers so. */
static bool answers_fin(const struct turn *t)
{
	const struct flow_side *peer = &t->f->side[!t->side];

	return t->f->state & FLOW_BARE && peer->seen & SIDE_FIN && t->s->seq == peer->fin_ack;
}

/*
 * Of a connection that a filter for SYN, FIN and RST has left no data of: has the RST numbers that only data leads to?
 * Then the handshake was complete.
 */
static bool shows_data(const struct turn *t)
{
	const struct flow_open *o = &t->f->open;
	__u32 sent = t->s->seq - (o->isn[t->side] + 1), got = t->s->ack - (o->isn[!t->side] + 1);

	if (t->s->flags & TCP_ACK)
		return sent < FLOW_JUMP && got < FLOW_JUMP && (sent > o->syn_len || got > o->syn_len);
	return sent < FLOW_JUMP && sent > o->syn_len;
}

/* enum reset_validity. RFC 9293 section 3.10.7.4, RFC 5961 section 3.2. */
static __u8 judge_reset(const struct turn *t)
{
	static const __u8 of_handshake[] = {
		[OPEN_RESET_FOREIGN] = RESET_OUT_OF_WINDOW,
		[OPEN_RESET_IN_WINDOW] = RESET_IN_WINDOW,
		[OPEN_RESET_EXACT] = RESET_EXACT,
	};
	const struct flow *f = t->f;
	const struct flow_side *me = &f->side[t->side], *peer = &f->side[!t->side];
	bool fin_acked = me->seen & SIDE_FIN_ACKED;

	if ((f->challenged && reset_answers_challenge(&peer->now, &f->open, t->s, t->side)) || refuses_synack(t))
		return RESET_OUT_OF_WINDOW;
	if (!(f->state & (FLOW_PROVEN | FLOW_MIDSTREAM)) && !synack_was_missed(f) && !flow_destination_is_open(f))
		return of_handshake[open_judge_reset(&f->open, t->s, t->side)];
	if (reset_is_exact(&me->now, &peer->now, &f->open, t->s, t->side, fin_acked) || answers_fin(t))
		return RESET_EXACT;
	if (!(peer->now.known & NUMBERS_ACK) || f->state & FLOW_BARE)
		return RESET_UNKNOWN;
	if (reset_out_of_window(&me->now, &peer->now, &f->open, t->s, t->side, fin_acked))
		return RESET_OUT_OF_WINDOW;
	return t->s->seq - peer->now.ack < flow_window(f, !t->side, 0) && !(f->doubt & DOUBT_WINDOW) ? RESET_IN_WINDOW
												     : RESET_UNKNOWN;
}

static void prove(struct turn *t)
{
	t->f->state |= FLOW_PROVEN;
	t->step |= STEP_PROVEN;
}

/* number_place of the segment, which has not raised its side's numbers yet. */
static unsigned place_of(const struct turn *t)
{
	return number_place(&t->f->side[t->side].now, &t->f->side[!t->side].now, &t->f->open, t->s, t->side);
}

/* The log's entry of a FIN that was not believed is believed now. */
static void clear_ignored(const struct turn *t, unsigned side, __u32 fin_end)
{
	for (unsigned i = 0; i < t->f->log_len; i++) {
		struct flow_segment *e = &t->log[i];

		if (e->side == side && e->flags & TCP_FIN && e->seq + e->len + 1 == fin_end)
			e->mark &= (__u8)~SEGMENT_IGNORED;
	}
}

/* The other side's FIN was ahead of all; now it is known to be real. */
static void take_far_fin(struct turn *t)
{
	struct flow_side *me = &t->f->side[t->side], *peer = &t->f->side[!t->side];

	if ((me->seen & (SIDE_FIN | SIDE_FIN_ACKED)) == SIDE_FIN && peer->far_ack == me->fin_end) {
		me->seen |= SIDE_FIN_ACKED;
		me->t_fin_acked = peer->t_far;
		peer->seen |= SIDE_FIN_ANSWERS;
		peer->end_at_ack = peer->far_end - 1;
	}
	peer->seen |= SIDE_FIN;
	peer->t_fin = peer->t_far;
	peer->fin_end = peer->far_end;
	peer->fin_ack = peer->far_ack;
	peer->now.end = peer->text_end = peer->far_end;
	peer->now.known |= NUMBERS_END;
	t->step |= t->f->state & FLOW_BEGUN ? 0 : STEP_BEGUN;
	t->f->state |= FLOW_BEGUN;
	clear_ignored(t, !t->side, peer->far_end);
}

/* The segment acknowledges the very number of a FIN of the other side that was ahead of all: its receiver knew it. */
static void believe_far_fin(struct turn *t)
{
	const struct flow_side *peer = &t->f->side[!t->side];

	if (peer->t_far && !(peer->seen & SIDE_FIN) && t->s->flags & TCP_ACK && t->s->ack == peer->far_end &&
	    !(place_of(t) & NUMBER_FOREIGN))
		take_far_fin(t);
}

/* What an RST tells of the connection before it, where nothing but SYNs, FINs and RSTs was captured. */
static void believe_by_reset(struct turn *t)
{
	const struct flow_side *peer = &t->f->side[!t->side];
	bool knows = t->s->flags & TCP_ACK ? t->s->ack == peer->far_end : t->s->seq == peer->far_ack;

	if (peer->t_far && !(peer->seen & SIDE_FIN) && knows)
		take_far_fin(t);
	if (!(t->f->state & FLOW_PROVEN) && shows_data(t))
		prove(t);
}

/* An RST behind the first one. */
static void take_reset_again(struct turn *t, __u8 validity)
{
	struct flow_reset *r = &t->f->reset;

	if (t->side == r->side && validity == RESET_EXACT)
		r->validity = validity;
	if (t->side != r->side)
		return;
	r->copies = saturating_inc(r->copies);
	t->mark = SEGMENT_COPY;
}

/*
 * Is it an RST with the number expected, behind one of its side without? That one was challenged, or dropped (RFC 5961
 * section 3.2): its receiver has not taken it.
 */
static bool decides_over_first(const struct turn *t, __u8 validity)
{
	const struct flow_reset *first = &t->f->reset;

	return t->f->state & FLOW_RESET && first->side == t->side && validity == RESET_EXACT &&
	       (first->validity == RESET_IN_WINDOW ||
		(first->validity == RESET_UNKNOWN && first->seq != t->s->seq && !(t->f->state & FLOW_BARE)));
}

/* The first RST that its receiver would take. */
static void note_reset(struct turn *t, __u8 validity)
{
	const struct tcp_segment *s = t->s;
	const struct numbers *me = &t->f->side[t->side].now;
	bool ahead = me->known & NUMBERS_END && seq_after(s->seq, me->end);
	struct flow *f = t->f;

	f->reset = (struct flow_reset){
		.time = s->time,
		.seq = s->seq,
		.ack = s->ack,
		.win = s->win,
		.ip_id = s->ip_id,
		.side = (__u8)t->side,
		.flags = s->flags,
		.validity = validity,
		.ttl = s->ttl,
		.mptcp = s->mptcp,
		.copies = f->reset.copies,
		.fate = ahead ? RESET_AHEAD : 0,
	};
	if (f->state & FLOW_GRACEFUL) {
		f->state |= FLOW_LATE_RESET;
		return;
	}
	f->state |= FLOW_RESET | FLOW_BEGUN;
	t->step |= STEP_DONE;
}

static void take_reset(struct turn *t)
{
	struct flow *f = t->f;
	__u8 validity;

	if (f->state & FLOW_BARE)
		believe_by_reset(t);
	validity = judge_reset(t);
	if (validity == RESET_OUT_OF_WINDOW) {
		t->mark = SEGMENT_IGNORED;
		f->open.resets_ignored = saturating_inc(f->open.resets_ignored);
		return;
	}
	f->t_progress = t->s->time;
	if (decides_over_first(t, validity))
		reset_fate_challenged(f);
	if (f->state & (FLOW_RESET | FLOW_LATE_RESET)) {
		take_reset_again(t, validity);
	} else if (reset_fate_restore(f, t->s, t->side)) {
		t->step |= STEP_DONE;
		take_reset_again(t, validity);
	} else {
		note_reset(t, validity);
	}
}

/* ---- FINs and their acknowledgments ---- */

/* Does the segment come after the RST that ended the connection? Of equal time stamps the log's order decides. */
static bool is_after_reset(const struct turn *t)
{
	return t->f->state & FLOW_RESET && flow_is_behind_reset(t->f, t->s->time);
}

/*
 * A TCP that gets no answer waits longer each time (RFC 6298 section 5.5); a scan does not. So a FIN that is repeated
 * with growing pauses is one of a connection, although nothing else of it was seen.
 */
static void watch_backoff(struct turn *t)
{
	struct flow_side *me = &t->f->side[t->side];
	__u64 last = me->t_copy ? me->t_copy : me->t_fin, pause = t->s->time > last ? t->s->time - last : 0;

	if (me->pause && pause > me->pause + me->pause / 2)
		me->backoffs = saturating_inc(me->backoffs);
	me->pause = pause;
	me->t_copy = t->s->time;
	if (me->backoffs >= FLOW_BACKOFFS && !(t->f->state & FLOW_PROVEN) && t->f->state & FLOW_MIDSTREAM)
		prove(t);
}

static void take_fin_again(struct turn *t)
{
	struct flow_side *me = &t->f->side[t->side];

	watch_backoff(t);

	me->fin_copies = saturating_inc(me->fin_copies);
	t->mark = SEGMENT_COPY;
	if (t->f->state & FLOW_GRACEFUL)
		t->f->state |= FLOW_REPEATED;
	/* Two CPUs have logged them in another order; but not where this one acknowledges more. */
	if (t->s->time < me->t_fin && !seq_after(t->s->ack, me->fin_ack)) {
		me->t_fin = t->s->time;
		me->fin_ack = t->s->ack;
	}
}

/* fin_left_of_window; but for a copy of a FIN that was not captured, though what came behind it was. */
static bool fin_is_left(const struct turn *t)
{
	const struct flow_side *me = &t->f->side[t->side], *peer = &t->f->side[!t->side];
	struct numbers text = me->now;

	text.end = me->text_end;
	return fin_left_of_window(&text, &peer->now, t->s);
}

/*
 * Is the FIN forged, or from another time? Of two with different ends the one wins that the log shows to be
 * acknowledged; if none is, the next in sequence.
 */
static bool fin_is_foreign(const struct turn *t)
{
	const struct flow_side *me = &t->f->side[t->side];

	if (t->f->real_fin_known[t->side] && !t->s->partial)
		return segment_end(t->s) != t->f->real_fin[t->side];
	if (fin_is_old(&me->now, t->s) || (!(me->seen & SIDE_FIN) && fin_is_left(t)))
		return true;
	return me->seen & SIDE_FIN && (me->seen & (SIDE_FIN_ACKED | SIDE_FIN_NEXT) || !fin_is_next(&me->now, t->s));
}

/*
 * Is the FIN ahead of all that was seen? It is forged, or the capture lacks what is before it. Its acknowledgment is to
 * show which: see believe_far_fin.
 */
static bool fin_is_far(const struct turn *t)
{
	struct flow_side *me = &t->f->side[t->side], *peer = &t->f->side[!t->side];
	bool of_peer_fin = peer->seen & SIDE_FIN && t->s->ack == peer->fin_end;

	if (!fin_is_ahead(&me->now, &peer->now, &t->f->open, t->s, t->side, of_peer_fin))
		return false;
	if (!(me->seen & SIDE_FIN) && !(t->f->state & FLOW_RESET)) {
		me->t_far = t->s->time;
		me->far_end = segment_end(t->s);
		me->far_ack = t->s->ack;
	}
	return true;
}

static void end_graceful(struct turn *t)
{
	reset_fate_graceful(t->f);
	t->f->state |= FLOW_GRACEFUL;
	t->step |= STEP_DONE;
}

/* Does the entry count what found no place in the recorder's log? Its number is that of the last of it. */
static bool stands_for_rest(const struct turn *t, const struct flow_segment *e)
{
	return e->mark & SEGMENT_FOLDED && t->f->state & FLOW_ABRIDGED && e->latest >= t->s->time;
}

/*
 * The log's first acknowledgment of the segment, a FIN, that stands ahead of it: two CPUs have swapped them, or an
 * earlier copy of the FIN was not captured. NULL: there is none. Of an entry that counts several, the last one's number
 * is known and the first one's time: timed tells whether its time is that of the acknowledgment.
 */
static const struct flow_segment *early_ack(const struct turn *t, bool timed)
{
	const struct flow_segment *found = NULL;

	for (unsigned i = 0; i < t->f->log_len; i++) {
		const struct flow_segment *e = &t->log[i];

		if (e->side == t->side || (e->flags & (TCP_ACK | TCP_RST)) != TCP_ACK || e->mark & SEGMENT_IGNORED ||
		    e->ack != segment_end(t->s) || stands_for_rest(t, e) ||
		    (timed && e->count > 1 && e->time + FLOW_DUPLICATE_NS < t->s->time))
			continue;
		if (!found || e->time < found->time)
			found = e;
	}
	return found;
}

/*
 * Had the other side acknowledged the FIN before the log began? So its numbers say, of which no segment of the log has
 * raised any: the ACK stands ahead of the FIN in the capture.
 */
static bool was_acked_before(const struct turn *t)
{
	const struct numbers *peer = &t->f->side[!t->side].now;

	for (unsigned i = 0; i < t->f->log_len; i++)
		if (t->log[i].side != t->side)
			return false;
	return peer->known & NUMBERS_ACK && peer->ack == segment_end(t->s) && !t->s->partial;
}

/* ack: the entry; NULL where the time of the acknowledgment is not known, so that nothing is measured from the FIN. */
static void note_early_ack(struct turn *t, const struct flow_segment *ack)
{
	struct flow_side *me = &t->f->side[t->side], *peer = &t->f->side[!t->side];

	if (!ack || ack->time + FLOW_DUPLICATE_NS < t->s->time)
		t->f->fin_missed |= (__u8)(1u << t->side);
	me->seen |= SIDE_FIN_ACKED;
	me->t_fin_acked = ack ? ack->time : t->s->time;
	peer->end_at_ack = ack ? ack->seq : peer->now.end;
	if (peer->seen & SIDE_FIN_ACKED)
		end_graceful(t);
}

/* Who acknowledges a number has all before it (RFC 9293 section 3.4), wherever the log has the FIN. */
static void take_early_ack(struct turn *t)
{
	const struct flow_segment *ack = early_ack(t, true);
	bool untimed = !(t->f->state & FLOW_ABRIDGED) && (early_ack(t, false) || was_acked_before(t));

	if (ack && ack->flags & TCP_FIN && !(ack->mark & SEGMENT_COPY))
		t->f->side[!t->side].seen |= SIDE_FIN_ANSWERS;
	if (ack || untimed)
		note_early_ack(t, ack);
}

static void take_fin(struct turn *t)
{
	struct flow_side *me = &t->f->side[t->side];

	if (me->seen & SIDE_FIN && segment_end(t->s) == me->fin_end) {
		take_fin_again(t);
		return;
	}
	if (fin_is_foreign(t) || fin_is_far(t)) {
		t->mark = SEGMENT_IGNORED;
		return;
	}
	if (!(t->f->state & FLOW_BEGUN))
		t->step |= STEP_BEGUN;
	me->seen &= (__u8) ~(SIDE_FIN_NEXT | SIDE_FIN_PARTIAL | SIDE_FIN_ANSWERS | SIDE_FIN_DATA);
	me->seen |= SIDE_FIN;
	me->seen |= fin_is_next(&me->now, t->s) ? SIDE_FIN_NEXT : 0;
	me->seen |= t->s->partial ? SIDE_FIN_PARTIAL : 0;
	me->seen |= t->s->len ? SIDE_FIN_DATA : 0;
	me->t_fin = t->s->time;
	me->fin_end = segment_end(t->s);
	me->fin_ack = t->s->ack;
	me->seen |= is_after_reset(t) ? SIDE_FIN_AFTER_RESET : 0;
	t->f->state |= FLOW_BEGUN;
	if (!(t->f->state & FLOW_RESET))
		take_early_ack(t);
}

/* The first acknowledgment of the other side's FIN. */
static void take_fin_ack(struct turn *t)
{
	struct flow_side *me = &t->f->side[t->side], *peer = &t->f->side[!t->side];
	const struct tcp_segment *s = t->s;
	bool in_order = me->now.known & NUMBERS_END && !seq_after(s->seq, me->now.end);

	t->listed = true;
	if (s->flags & TCP_FIN && !(t->mark & SEGMENT_COPY))
		me->seen |= SIDE_FIN_ANSWERS;
	peer->fin_end = s->ack;
	peer->seen |= is_after_reset(t) ? SIDE_FIN_ACKED | SIDE_ACKED_AFTER_RESET : SIDE_FIN_ACKED;
	peer->t_fin_acked = s->time;
	me->end_at_ack = in_order ? me->now.end : s->seq;
	if (me->seen & SIDE_FIN_ACKED)
		end_graceful(t);
	/* The other side knew the FIN's number, so the FIN is no stray. */
	if (!(t->f->state & FLOW_PROVEN) && (t->f->state & (FLOW_MIDSTREAM | FLOW_GRACEFUL)))
		prove(t);
}

/*
 * Was it sent ahead of its side's FIN, which the capture has first? What is sent after a FIN begins at its end (RFC
 * 9293 section 3.10.4), but for copies, which are payload or the FIN, and probes of a window, which come later.
 */
static bool is_older_than_fin(const struct turn *t)
{
	const struct flow_side *me = &t->f->side[t->side];

	return me->seen & SIDE_FIN && !(t->s->flags & TCP_CONTROL) && !t->s->len && seq_after(me->fin_end, t->s->seq) &&
	       t->s->time < me->t_fin + FLOW_OVERTAKEN_NS;
}

/* place: as place_of says. */
static void take_ack(struct turn *t, unsigned place)
{
	struct flow_side *me = &t->f->side[t->side], *peer = &t->f->side[!t->side];
	__u32 beyond = t->s->ack - peer->fin_end;

	if (!(peer->seen & SIDE_FIN) || place & NUMBER_FOREIGN)
		return;
	if (peer->seen & SIDE_FIN_ACKED) {
		if (beyond == 0 && t->s->time < peer->t_fin_acked)
			peer->t_fin_acked = t->s->time;
		if (beyond == 0 && is_older_than_fin(t))
			me->seen &= (__u8)~SIDE_FIN_ANSWERS;
		return;
	}
	/* Nothing can be acknowledged beyond a FIN, so only the very number is its acknowledgment. */
	if (beyond == 0 || (peer->seen & SIDE_FIN_PARTIAL && beyond < 0xffff))
		take_fin_ack(t);
}

/* Raises text_end, ahead of the sender's highest numbers. */
static void advance_text(const struct turn *t, unsigned place)
{
	struct flow_side *me = &t->f->side[t->side];
	bool known = me->now.known & NUMBERS_END;

	if (!known || (!(place & NUMBER_FOREIGN) && (t->s->len || t->s->flags & (TCP_SYN | TCP_FIN)) &&
		       seq_after(segment_end(t->s), me->text_end)))
		me->text_end = segment_end(t->s);
}

/*
 * Raises the sender's highest numbers. A FIN that is the first segment of its side is all that is known of its end.
 * place: as place_of says.
 */
static bool advance(const struct turn *t, unsigned place)
{
	struct numbers *me = &t->f->side[t->side].now;
	bool first_is_fin = !(me->known & NUMBERS_END) && t->s->flags & TCP_FIN;

	place |= number_ack_far(me, &t->f->side[!t->side].now, t->s);
	advance_text(t, place);
	if (first_is_fin) {
		me->end = segment_end(t->s);
		me->known |= NUMBERS_END;
	}
	return numbers_advance(me, t->s, place) || first_is_fin;
}

/* ---- the step ---- */

/* Does the segment go on where the other side's numbers end, and acknowledge what that one has sent? */
static bool answers_in_sequence(const struct turn *t)
{
	const struct numbers *peer = &t->f->side[!t->side].now;

	return t->s->flags & TCP_ACK && (peer->known & (NUMBERS_END | NUMBERS_ACK)) == (NUMBERS_END | NUMBERS_ACK) &&
	       last_seen_near(t->s->seq, peer->ack) && peer->end - t->s->ack < LAST_SEEN_REORDER;
}

/* Do both sides' numbers fit each other, without a handshake? Then the FIN that the log began with is no stray. */
static bool proves_midstream(const struct turn *t)
{
	return (t->f->state & (FLOW_MIDSTREAM | FLOW_PROVEN)) == FLOW_MIDSTREAM &&
	       t->f->side[!t->side].seen & SIDE_FIN && answers_in_sequence(t);
}

/*
 * Does the source answer in sequence what the destination sends and acknowledges, behind a SYN whose SYN-ACK was not
 * captured?
 */
static bool proves_open(const struct turn *t)
{
	const struct flow_open *o = &t->f->open;
	__u32 acked = t->f->side[!t->side].now.ack;

	return !(t->f->state & FLOW_PROVEN) && flow_lacks_synack(t->f) && !(o->seen & (OPEN_CROSSED | OPEN_INSIDE)) &&
	       !t->f->challenged && t->side == o->source && !(t->s->flags & TCP_SYN) && answers_in_sequence(t) &&
	       acked - (o->isn[o->source] + 1) < LAST_SEEN_REORDER;
}

/* Does an ACK of an older connection answer the SYN (RFC 5961 section 4)? */
static bool challenges_syn(const struct turn *t)
{
	const struct flow_open *o = &t->f->open;

	return !(t->f->state & FLOW_PROVEN) && (o->seen & (OPEN_SYN | OPEN_SYNACK)) == OPEN_SYN &&
	       !synack_was_missed(t->f) && t->side != o->source && (t->s->flags & (TCP_CONTROL | TCP_ACK)) == TCP_ACK &&
	       !t->s->len && t->s->ack - (o->isn[o->source] + 1) > o->syn_len;
}

/* Is it data from before a FIN that has got no answer? */
static bool repeats_data(const struct turn *t)
{
	const struct flow_side *me = &t->f->side[t->side];

	return (me->seen & (SIDE_FIN | SIDE_FIN_ACKED)) == SIDE_FIN && t->s->len && !(t->s->flags & TCP_FIN) &&
	       !seq_after(segment_end(t->s), me->fin_end - 1);
}

/* What the segment says of the connection beside its own step. */
static void look_around(struct turn *t)
{
	if (proves_midstream(t) || proves_open(t))
		prove(t);
	if (challenges_syn(t))
		t->f->challenged++;
	if (repeats_data(t))
		t->f->side[t->side].data_copies = saturating_inc(t->f->side[t->side].data_copies);
}

/*
 * Asks whether the RST stands. One that its alleged sender denies in the handshake proves the connection. Foreign
 * numbers may be those of the tuple's next connection.
 */
static void doubt_reset(struct turn *t)
{
	unsigned proven = t->f->state & FLOW_PROVEN;

	if (proven && !(t->s->flags & TCP_RST) && place_of(t) & NUMBER_FOREIGN)
		return;
	reset_fate_step(t->f, t->s, t->side);
	if (!proven && t->f->state & FLOW_PROVEN)
		t->step |= STEP_PROVEN;
}

/* The part of a step that its receiver would act on. */
static void accept(struct turn *t)
{
	unsigned place;

	if (t->s->flags & TCP_SYN) {
		t->mark = t->s->flags & TCP_ACK ? take_synack(t) : take_syn(t);
		if (t->mark & SEGMENT_IGNORED)
			return;
	}
	look_around(t);
	believe_far_fin(t);
	if (completes_handshake(t))
		take_handshake_ack(t);
	if (t->s->flags & TCP_FIN) {
		take_fin(t);
		if (t->mark & SEGMENT_IGNORED)
			return;
	}
	place = place_of(t);
	if (t->s->flags & TCP_ACK)
		take_ack(t, place);
	if (advance(t, place) || t->listed)
		t->f->t_progress = t->s->time;
}

unsigned flow_step(struct flow *f, struct flow_segment *log, unsigned cap, const struct tcp_segment *s, unsigned side)
{
	struct turn t = {.f = f, .log = log, .s = s, .cap = cap, .side = side & 1};

	/* Once both FINs are acknowledged, ACKs say nothing more, and the watch filter need not let them through. */
	if ((f->state & (FLOW_GRACEFUL | FLOW_REPEATED)) == FLOW_GRACEFUL && !(s->flags & TCP_CONTROL))
		return 0;
	if (seen_twice(&t)) {
		f->duplicates += f->duplicates != ~0u;
		return 0;
	}
	if (s->time > f->t_last)
		f->t_last = s->time;
	if (f->state & FLOW_RESET)
		doubt_reset(&t);
	if (segment_contradicts(s))
		t.mark = SEGMENT_IGNORED;
	else if (s->flags & TCP_RST)
		take_reset(&t);
	else
		accept(&t);
	if (!(s->flags & TCP_CONTROL) && !t.listed)
		t.mark |= SEGMENT_FOLDED;
	log_add(&t);
	return t.step;
}
