/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection as its log tells it: flow_step() adds one segment. A flow keeps facts (first copies, numbers, times,
 * the segments in order); what they mean is decided from them (user/judge/verdict.c). Time is the segment's.
 */
#ifndef TCPFIN_FLOW_H
#define TCPFIN_FLOW_H

#include "bpf/core/last_seen.h"
#include "bpf/core/opening.h"
#include "user/record/record.h"

/* ---- the log ---- */

struct flow_segment {
	__u64 time; /* ns, of the first one */
	__u32 seq;  /* of the first one */
	__u32 ack;  /* of the last one */
	__u32 len;
	__u32 count;
	__u16 win;
	__u16 ip_id;
	__u8 flags;
	__u8 ttl;
	__u8 side; /* sender */
	__u8 mark; /* SEGMENT_ bits */
};
CORE_ASSERT_SIZE(struct flow_segment, 32);

#define FLOW_LOG_CLOSING RECORD_CLOSING /* segments a closing flow remembers */
#define FLOW_LOG_UNPROVEN 6             /* segments an unproven flow remembers */
#define FLOW_LOG_FOLD 12                /* from here on, equal copies are counted instead of listed */

/* ---- the close ---- */

enum {
	SIDE_END = 1,          /* end is known */
	SIDE_ACK = 2,          /* ack is known */
	SIDE_FIN = 4,          /* a FIN was accepted: t_fin, fin_end, fin_ack */
	SIDE_FIN_ACKED = 8,    /* the other side acknowledged it: t_fin_acked */
	SIDE_FIN_NEXT = 16,    /* the FIN's first copy followed the side's highest byte: no copy before it was missed */
	SIDE_FIN_PARTIAL = 32, /* the FIN came in a first fragment: fin_end is a lower bound until acknowledged */
	SIDE_FIN_ANSWERS = 64, /* the FIN's first copy was the first acknowledgment of the other side's FIN */
};

struct flow_side {
	__u64 t_fin;       /* ns, first copy */
	__u64 t_fin_acked; /* ns, first acknowledgment that covers it */
	__u32 fin_end;     /* sequence number behind the FIN */
	__u32 fin_ack;     /* acknowledgment number that the FIN's first copy carried */
	__u32 end;         /* highest sequence number sent, plus one */
	__u32 ack;         /* highest acknowledgment number sent */
	__u32 end_at_ack;  /* `end` at the moment this side first acknowledged the other's FIN */
	__u16 win;         /* last window, not scaled */
	__u8 fin_copies;   /* retransmissions of the FIN; 255 means at least that */
	__u8 seen;         /* SIDE_ bits */
};
CORE_ASSERT_SIZE(struct flow_side, 40);

struct flow_reset {
	__u64 time;
	__u32 seq, ack;
	__u16 win, ip_id;
	__u8 side;     /* sender */
	__u8 flags;    /* of the segment */
	__u8 validity; /* enum reset_validity */
	__u8 ttl;
	__u8 mptcp;  /* subtype of its MPTCP option (RFC 8684: 7 fast close, 8 reset) */
	__u8 copies; /* further RSTs of this side */
	__u8 pad[2];
};
CORE_ASSERT_SIZE(struct flow_reset, 32);

enum {
	FLOW_PROVEN = 1,      /* both sides took part, with matching numbers */
	FLOW_MIDSTREAM = 2,   /* no part of the handshake was seen */
	FLOW_BEGUN = 4,       /* a close began: a FIN or an acceptable RST */
	FLOW_GRACEFUL = 8,    /* both FINs were acknowledged */
	FLOW_RESET = 16,      /* an acceptable RST ended the connection */
	FLOW_LATE_RESET = 32, /* an RST after both FINs were acknowledged */
	FLOW_REPLACED = 64,   /* a new connection took the tuple */
	FLOW_REPEATED = 128,  /* a FIN came again after the end: its acknowledgment belongs to the record */
	FLOW_REOPENED = 256,  /* the log begins after the handshake */
};
#define FLOW_DONE (FLOW_GRACEFUL | FLOW_RESET)

struct flow {
	struct flow_open open;
	struct flow_side side[2];
	struct flow_reset reset;
	__u64 t_first;    /* first segment seen */
	__u64 t_last;     /* last segment seen */
	__u64 t_progress; /* last time anything new was sent or acknowledged: copies are no progress */
	__u32 lost;       /* segments that found no place in the log */
	__u32 duplicates; /* sightings of one segment twice (two hooks, mirrored ports), not retransmissions */
	__u16 state;      /* FLOW_ bits */
	__u16 log_len;
	__u8 doubt; /* DOUBT_ bits: of the numbers that the log began with */
};

/* What they say of an RST is not certain before the connection has shown what it does afterwards. */
enum {
	DOUBT_NUMBERS = 1, /* they may be forged */
	DOUBT_WINDOW = 2,  /* the windows are not known */
};

/*
 * One step's input and output beside the flow: what it needs of the log, and what it adds to it.
 */
struct flow_turn {
	struct flow_segment last[2]; /* in: the log's last two entries, the last one first */
	struct flow_segment entry;   /* out: goes to log[at] */
	__u32 at;                    /* out: FLOW_LOG_NOWHERE when the log does not change */
	__u32 cap;                   /* in: segments that the log can hold */
	__u32 step;                  /* out: STEP_ bits */
	__u32 side;                  /* in: the segment's sender */
	__u8 mark;                   /* SEGMENT_ bits of the segment */
	__u8 listed;                 /* the segment is worth a line of its own in the log */
	__u8 pad[6];
};
CORE_ASSERT_SIZE(struct flow_turn, 120);
#define FLOW_LOG_NOWHERE (~0u)

/* What flow_step tells its caller. */
enum {
	STEP_PROVEN = 1, /* became FLOW_PROVEN */
	STEP_BEGUN = 2,  /* became FLOW_BEGUN */
	STEP_DONE = 4,   /* became FLOW_GRACEFUL or FLOW_RESET: the record is complete, settling starts */
};

/* The window (bytes) that a side offered last; see open_window. */
static inline __u32 flow_window(const struct flow *f, __u32 side, __u32 unknown)
{
	return open_window(&f->open, side, of_side(f->side, side).win, unknown);
}

/* ---- adding to the log ---- */

static __always_inline flag_t log_equal(const struct flow_segment *e, const struct tcp_segment *s, __u32 side)
{
	return e->seq == s->seq && e->ack == s->ack && e->flags == s->flags && e->side == side && e->len == s->len;
}

/* The same packet seen a second time: equal in all, IP id included, within FLOW_DUPLICATE_NS of the first sighting. */
static __always_inline flag_t flow_seen_twice(const struct flow *f, const struct flow_turn *t,
					      const struct tcp_segment *s)
{
	__u32 i;

	for (i = 0; i < 2; i++) {
		const struct flow_segment *e = &t->last[i];
		__u64 seen;

		if (f->log_len <= i)
			return 0;
		/* an entry's time is its first segment's; of the last entry's last one, t_last is the best guess */
		seen = i == 0 && e->count > 1 && !f->lost ? f->t_last : e->time;
		if (log_equal(e, s, t->side) && (i == 0 || e->count == 1) && e->ip_id == s->ip_id && e->win == s->win &&
		    s->time - seen < FLOW_DUPLICATE_NS)
			return 1;
	}
	return 0;
}

/* May the segment be counted in the entry instead of getting its own? */
static __always_inline flag_t log_takes(const struct flow_segment *e, const struct flow_turn *t,
					const struct tcp_segment *s, __u32 len)
{
	if (t->mark & SEGMENT_FOLDED)
		return e->mark & SEGMENT_FOLDED && e->side == t->side && !e->len == !s->len;
	return (len >= FLOW_LOG_FOLD || t->cap < FLOW_LOG_FOLD) && log_equal(e, s, t->side);
}

static __always_inline void flow_log(struct flow *f, struct flow_turn *t, const struct tcp_segment *s)
{
	__u32 n = f->log_len, back = 2;
	struct flow_segment *e = &t->entry;

	if (n > 0 && log_takes(&t->last[0], t, s, n))
		back = 0;
	else if (n > 1 && log_takes(&t->last[1], t, s, n))
		back = 1;
	if (back < 2) {
		*e = back ? t->last[1] : t->last[0];
		t->at = n - 1 - back;
		if (t->mark & SEGMENT_FOLDED)
			e->len += s->len;
		e->flags |= s->flags;
		e->count += e->count != ~0u;
	} else if (n < t->cap) {
		t->at = n;
		e->time = s->time;
		e->seq = s->seq;
		e->len = s->len;
		e->count = 1;
		e->flags = s->flags;
		e->ttl = s->ttl;
		e->side = t->side;
		e->mark = t->mark;
		f->log_len = n + 1;
	} else {
		f->lost += f->lost != ~0u;
		return;
	}
	e->ack = s->ack;
	e->win = s->win;
	e->ip_id = s->ip_id;
}

/* ---- the opening ---- */

/*
 * Returns the segment's mark. Behind its SYN-ACK, where two queues or CPUs have swapped them, a SYN is the first one
 * all the same; but not behind the whole handshake, whose part of the log is over.
 */
static __always_inline __u8 flow_syn(struct flow *f, const struct tcp_segment *s, __u32 side)
{
	struct flow_open *o = &f->open;

	if (!(o->seen & OPEN_SYN) && !(f->state & FLOW_REOPENED) &&
	    (!(o->seen & OPEN_SYNACK) || (side == o->source && s->seq == of_side(o->isn, side)))) {
		if (f->state & FLOW_MIDSTREAM)
			return SEGMENT_IGNORED;
		if (s->time < f->t_first)
			f->t_first = s->time;
		o->seen |= OPEN_SYN;
		o->source = side;
		o->t_syn = s->time;
		of_side(o->isn, side) = s->seq;
		o->win[0] = s->win;
		o->syn_len = s->len > 0xffff ? 0xffff : s->len;
		o->syn_flags = s->flags;
		of_side(o->wscale, side) = s->wscale;
		of_side(o->ttl, side) = s->ttl;
		return 0;
	}
	if (s->seq == of_side(o->isn, side) && side == o->source) {
		o->syn_copies = saturating_inc(o->syn_copies);
		return SEGMENT_COPY;
	}
	if (side != o->source && !(o->seen & OPEN_SYNACK)) {
		flag_t copy = (o->seen & OPEN_CROSSED) != 0;

		if (copy && s->seq != of_side(o->isn, side))
			return SEGMENT_IGNORED;
		o->seen |= OPEN_CROSSED;
		of_side(o->isn, side) = s->seq;
		of_side(o->wscale, side) = s->wscale;
		of_side(o->ttl, side) = s->ttl;
		return copy ? SEGMENT_COPY : 0;
	}
	return SEGMENT_IGNORED; /* a SYN in a synchronized state: challenge ACK (RFC 5961 section 4) */
}

static __always_inline __u8 flow_synack(struct flow *f, const struct tcp_segment *s, __u32 side)
{
	struct flow_open *o = &f->open;
	__u32 source = !side;

	if (o->seen & OPEN_SYNACK) {
		if (s->seq != of_side(o->isn, side))
			return SEGMENT_IGNORED;
		if (side != o->source)
			o->synack_copies = saturating_inc(o->synack_copies);
		return side != o->source ? SEGMENT_COPY : 0;
	}
	if (o->seen & OPEN_SYN) {
		if (side == o->source) /* crossed SYNs: this one acknowledges the other's */
			return o->seen & OPEN_CROSSED ? 0 : SEGMENT_IGNORED;
		if (s->ack - (of_side(o->isn, source) + 1) > o->syn_len)
			return SEGMENT_IGNORED;
		if (o->seen & OPEN_CROSSED && s->seq != of_side(o->isn, side))
			return SEGMENT_IGNORED;
	} else {
		if (f->state & FLOW_MIDSTREAM)
			return SEGMENT_IGNORED;
		o->source = source;
		of_side(o->isn, source) = s->ack - 1;
		of_side(o->wscale, source) = SEGMENT_NO_WSCALE;
	}
	if (f->state & FLOW_DONE) /* too late: what is known of the opening stays as it was reported */
		return SEGMENT_IGNORED;
	o->seen |= OPEN_SYNACK;
	if (s->ack != of_side(o->isn, source) + 1)
		o->seen |= OPEN_SYN_DATA;
	o->t_synack = s->time;
	of_side(o->isn, side) = s->seq;
	o->win[1] = s->win;
	o->synack_flags = s->flags;
	of_side(o->wscale, side) = s->wscale;
	of_side(o->ttl, side) = s->ttl;
	return 0;
}

/* Does this segment complete the handshake? Only the source can prove that it heard the SYN-ACK. */
static __always_inline flag_t flow_completes_handshake(const struct flow *f, const struct tcp_segment *s, __u32 side)
{
	return !(f->state & FLOW_PROVEN) && open_completes(&f->open, s, side);
}

/* ---- resets ---- */

/*
 * The receiver's RCV.NXT lies between the highest number it acknowledged and the highest its peer sent, so both ends of
 * that range count as exact; so does one less where it has received a FIN (Linux accepts it there).
 */
static shared_code __u8 flow_judge_reset(const struct flow *f, const struct tcp_segment *s, __u32 side)
{
	static const __u8 of_handshake[] = {
		[OPEN_RESET_FOREIGN] = RESET_OUT_OF_WINDOW,
		[OPEN_RESET_IN_WINDOW] = RESET_IN_WINDOW,
		[OPEN_RESET_EXACT] = RESET_EXACT,
	};
	const struct flow_side *me = &of_side(f->side, side), *peer = &of_side(f->side, !side);
	__u32 most, ahead;

	if (!(f->state & (FLOW_PROVEN | FLOW_MIDSTREAM)))
		return of_handshake[open_judge_reset(&f->open, s, side)];
	if (!(peer->seen & SIDE_ACK)) {
		if (!(me->seen & SIDE_END))
			return RESET_UNKNOWN;
		return s->seq == me->end ? RESET_EXACT : RESET_UNKNOWN;
	}
	if (s->seq == peer->ack)
		return RESET_EXACT;
	if ((me->seen & SIDE_FIN_ACKED) && s->seq == peer->ack - 1)
		return RESET_EXACT;
	most = flow_window(f, !side, 14);
	ahead = s->seq - peer->ack;
	if ((me->seen & SIDE_END) && s->seq == me->end && ahead <= (most > 0xffff ? most : 0xffff))
		return RESET_EXACT;
	if (ahead < flow_window(f, !side, 0) && !(f->doubt & DOUBT_WINDOW))
		return RESET_IN_WINDOW;
	return ahead < most ? RESET_UNKNOWN : RESET_OUT_OF_WINDOW;
}

static __always_inline void flow_rst(struct flow *f, struct flow_turn *t, const struct tcp_segment *s, const __u32 side)
{
	__u8 validity = flow_judge_reset(f, s, side);
	struct flow_reset *r = &f->reset;

	if (validity == RESET_OUT_OF_WINDOW) {
		t->mark = SEGMENT_IGNORED;
		f->open.resets_ignored = saturating_inc(f->open.resets_ignored);
		return;
	}
	f->t_progress = s->time;
	if (f->state & (FLOW_RESET | FLOW_LATE_RESET)) {
		/* The exact one that follows a challenge ACK decides over the first. */
		if (r->validity == RESET_IN_WINDOW && validity == RESET_EXACT)
			r->validity = validity;
		r->copies = saturating_inc(r->copies);
		if (side == r->side)
			t->mark = SEGMENT_COPY;
		return;
	}
	r->time = s->time;
	r->seq = s->seq;
	r->ack = s->ack;
	r->win = s->win;
	r->ip_id = s->ip_id;
	r->side = side;
	r->flags = s->flags;
	r->validity = validity;
	r->ttl = s->ttl;
	r->mptcp = s->mptcp;
	if (f->state & FLOW_GRACEFUL) {
		f->state |= FLOW_LATE_RESET;
		return;
	}
	f->state |= FLOW_RESET | FLOW_BEGUN;
	t->step |= STEP_DONE;
}

/*
 * Does this segment show that the RST did not end the connection? Either its alleged sender goes on beyond it, or its
 * receiver answers it as a challenge (RFC 5961 section 3.2) or acknowledges more than it.
 */
static __always_inline flag_t flow_survived_reset(const struct flow *f, const struct tcp_segment *s, __u32 side)
{
	const struct flow_reset *r = &f->reset;
	const struct flow_side *me = &of_side(f->side, side);

	if (s->flags & (TCP_SYN | TCP_RST) || s->time <= r->time)
		return 0;
	if (side == r->side) {
		if (r->validity == RESET_UNKNOWN && s->flags & TCP_ACK && (s->len || s->flags & TCP_FIN))
			return 1; /* whoever sends on has not reset anything */
		if (!(s->flags & TCP_ACK) || !(me->seen & SIDE_END) || !(me->seen & SIDE_ACK))
			return 0;
		return (seq_after(segment_end(s), me->end) && seq_after(segment_end(s), r->seq)) ||
		       (seq_after(s->ack, me->ack) && (!(r->flags & TCP_ACK) || seq_after(s->ack, r->ack)));
	}
	if (!(s->flags & TCP_ACK))
		return 0;
	if (r->validity == RESET_IN_WINDOW)
		return s->len == 0 && !(s->flags & TCP_FIN) && s->ack != r->seq;
	return r->validity == RESET_UNKNOWN && seq_after(s->ack, r->seq);
}

/* ---- FINs and their acknowledgments ---- */

/*
 * Is the segment's number further ahead than its receiver's window allows? Counted from the highest byte that was seen
 * or that the receiver has acknowledged, where a capture has lost some.
 */
static __always_inline flag_t flow_beyond_window(const struct flow *f, const struct tcp_segment *s, __u32 side)
{
	const struct flow_side *me = &of_side(f->side, side), *peer = &of_side(f->side, !side);
	__u32 window = flow_window(f, !side, 14), from = me->end;

	if (!(me->seen & SIDE_END))
		return 0;
	if (peer->seen & SIDE_ACK && seq_after(peer->ack, from))
		from = peer->ack;
	return seq_diff(s->seq, from) > (__s32)(window < 0xffff ? 0xffff : window);
}

/* Are the FIN's numbers beyond what either side can have offered or sent? Then it is forged or from another time. */
static __always_inline flag_t flow_fin_implausible(const struct flow *f, const struct tcp_segment *s, __u32 side)
{
	const struct flow_side *me = &of_side(f->side, side), *peer = &of_side(f->side, !side);
	__u32 window;

	if (flow_beyond_window(f, s, side))
		return 1;
	if (me->seen & SIDE_END && seq_diff(me->end, segment_end(s)) > (__s32)LAST_SEEN_REORDER)
		return 1;
	if (peer->seen & SIDE_FIN && s->ack == peer->fin_end)
		return 0;
	if (me->seen & SIDE_ACK && !seq_after(s->ack, me->ack))
		return 0;
	window = flow_window(f, side, 14);
	return peer->seen & SIDE_END && seq_diff(s->ack, peer->end) > (__s32)(window > 0xffff ? window : 0xffff);
}

static __always_inline void flow_fin(struct flow *f, struct flow_turn *t, const struct tcp_segment *s, const __u32 side)
{
	struct flow_side *me = &of_side(f->side, side);
	__u32 end = segment_end(s);
	flag_t next = me->seen & SIDE_END && !seq_after(s->seq, me->end) && seq_after(end, me->end);

	if (me->seen & SIDE_FIN && end == me->fin_end) {
		me->fin_copies = saturating_inc(me->fin_copies);
		t->mark = SEGMENT_COPY;
		if (f->state & FLOW_GRACEFUL)
			f->state |= FLOW_REPEATED;
		if (s->time < me->t_fin) { /* the other CPU was first to the lock */
			me->t_fin = s->time;
			me->fin_ack = s->ack;
		}
		return;
	}
	/* Of two FINs with different ends one is forged: the one in sequence wins while neither is acknowledged. */
	if (flow_fin_implausible(f, s, side) ||
	    (me->seen & SIDE_FIN && (me->seen & (SIDE_FIN_ACKED | SIDE_FIN_NEXT) || !next))) {
		t->mark = SEGMENT_IGNORED;
		return;
	}
	if (!(f->state & FLOW_BEGUN))
		t->step |= STEP_BEGUN;
	me->seen |= SIDE_FIN;
	me->seen &= ~(SIDE_FIN_NEXT | SIDE_FIN_PARTIAL | SIDE_FIN_ANSWERS);
	if (next)
		me->seen |= SIDE_FIN_NEXT;
	if (s->partial)
		me->seen |= SIDE_FIN_PARTIAL;
	me->t_fin = s->time;
	me->fin_end = end;
	me->fin_ack = s->ack;
	f->state |= FLOW_BEGUN;
}

/* Is this the first acknowledgment of the other side's FIN? If so, both sides are known to take part. */
static __always_inline void flow_ack(struct flow *f, struct flow_turn *t, const struct tcp_segment *s, const __u32 side)
{
	struct flow_side *me = &of_side(f->side, side), *peer = &of_side(f->side, !side);
	__u32 beyond = s->ack - peer->fin_end;

	if (!(peer->seen & SIDE_FIN))
		return;
	if (peer->seen & SIDE_FIN_ACKED) {
		if (beyond == 0 && s->time < peer->t_fin_acked)
			peer->t_fin_acked = s->time;
		return;
	}
	/* Nothing can be acknowledged beyond a FIN, so only the very number is its acknowledgment. */
	if (beyond != 0 && !(peer->seen & SIDE_FIN_PARTIAL && beyond < 0xffff))
		return;
	t->listed = 1;
	if (s->flags & TCP_FIN && !(t->mark & SEGMENT_COPY))
		me->seen |= SIDE_FIN_ANSWERS;
	peer->fin_end = s->ack;
	peer->seen |= SIDE_FIN_ACKED;
	peer->t_fin_acked = s->time;
	me->end_at_ack = me->seen & SIDE_END && !seq_after(s->seq, me->end) ? me->end : s->seq;
	if (me->seen & SIDE_FIN_ACKED) {
		if (f->state & FLOW_RESET) { /* nobody had acted on it */
			f->state &= ~FLOW_RESET;
			f->open.resets_ignored = saturating_inc(f->open.resets_ignored);
		}
		f->state |= FLOW_GRACEFUL;
		t->step |= STEP_DONE;
	}
	/* The other side knew the FIN's number, so the FIN is no stray. */
	if (!(f->state & FLOW_PROVEN) && (f->state & (FLOW_MIDSTREAM | FLOW_GRACEFUL))) {
		f->state |= FLOW_PROVEN;
		t->step |= STEP_PROVEN;
	}
}

/*
 * Raises the side's highest numbers. Returns whether anything is new. A FIN behind a gap raises nothing: the bytes
 * before it were not seen, and if it is forged the real one must still be the next in sequence.
 */
static __always_inline flag_t flow_advance(struct flow *f, const struct tcp_segment *s, __u32 side)
{
	struct flow_side *me = &of_side(f->side, side);
	__u32 end = segment_end(s);
	flag_t news = 0;

	if (!(me->seen & SIDE_END) ||
	    (end - me->end - 1 < FLOW_JUMP && !(s->flags & TCP_FIN && seq_after(s->seq, me->end)) &&
	     !flow_beyond_window(f, s, side))) {
		me->end = end;
		me->seen |= SIDE_END;
		news = 1;
	}
	if (s->flags & TCP_ACK) {
		if (!(me->seen & SIDE_ACK) || s->ack - me->ack - 1 < FLOW_JUMP) {
			me->ack = s->ack;
			me->seen |= SIDE_ACK;
			news = 1;
		}
		me->win = s->win;
	}
	return news;
}

/* The part of a step that its receiver would act on. */
static __always_inline void flow_accept(struct flow *f, struct flow_turn *t, const struct tcp_segment *s,
					const __u32 side)
{
	if (s->flags & TCP_SYN) {
		t->mark = s->flags & TCP_ACK ? flow_synack(f, s, side) : flow_syn(f, s, side);
		if (t->mark & SEGMENT_IGNORED)
			return;
	}
	paths_meet();
	if (flow_completes_handshake(f, s, side)) {
		f->open.seen |= s->len || s->flags & ~TCP_ACK ? OPEN_ACK | OPEN_ACK_MORE : OPEN_ACK;
		f->open.t_ack = s->time;
		f->open.win[2] = s->win;
		f->state |= FLOW_PROVEN;
		t->step |= STEP_PROVEN;
		t->listed = 1;
	}
	paths_meet();
	if (s->flags & TCP_FIN) {
		flow_fin(f, t, s, side);
		if (t->mark & SEGMENT_IGNORED)
			return;
	}
	paths_meet();
	if (s->flags & TCP_ACK)
		flow_ack(f, t, s, side);
	paths_meet();
	if (flow_advance(f, s, side) || t->listed)
		f->t_progress = s->time;
}

/*
 * Exchanges the names of the sides. A step is taken with the sender as side 0, so that its indexes are constants.
 */
static shared_code void flow_mirror(struct flow *f)
{
	struct flow_side side = f->side[0];
	struct flow_open *o = &f->open;
	__u32 isn = o->isn[0];
	__u8 wscale = o->wscale[0], ttl = o->ttl[0];

	f->side[0] = f->side[1];
	f->side[1] = side;
	o->isn[0] = o->isn[1];
	o->isn[1] = isn;
	o->wscale[0] = o->wscale[1];
	o->wscale[1] = wscale;
	o->ttl[0] = o->ttl[1];
	o->ttl[1] = ttl;
	o->source ^= 1;
	f->reset.side ^= 1;
}

/*
 * Adds one segment to the flow. The caller fills the turn's inputs (last, cap, side) and stores its entry in the log
 * afterwards (flow_turn_begin and flow_turn_end do both); turn->step tells what happened. A new flow is prepared by
 * flow_init or flow_reopen. The same packet seen twice changes nothing but `duplicates`.
 */
static __always_inline void flow_step(struct flow *f, struct flow_turn *t, const struct tcp_segment *s)
{
	const __u32 sender = 0;

	t->at = FLOW_LOG_NOWHERE;
	t->step = 0;
	t->mark = 0;
	t->listed = 0;
	/* Once both FINs are acknowledged, ACKs say nothing more, and the watch filter need not let them through. */
	if ((f->state & (FLOW_GRACEFUL | FLOW_REPEATED)) == FLOW_GRACEFUL && !(s->flags & TCP_CONTROL))
		return;
	if (flow_seen_twice(f, t, s)) {
		f->duplicates += f->duplicates != ~0u;
		return;
	}
	if (s->time > f->t_last)
		f->t_last = s->time;
	if (t->side)
		flow_mirror(f);
	paths_meet();
	if (f->state & FLOW_RESET && flow_survived_reset(f, s, sender)) {
		f->state &= ~FLOW_RESET;
		if (!((f->side[0].seen | f->side[1].seen) & SIDE_FIN))
			f->state &= ~FLOW_BEGUN;
		f->open.resets_ignored = saturating_inc(f->open.resets_ignored);
	}
	paths_meet();
	if (segment_contradicts(s))
		t->mark = SEGMENT_IGNORED;
	else if (s->flags & TCP_RST)
		flow_rst(f, t, s, sender);
	else
		flow_accept(f, t, s, sender);
	paths_meet();
	if (t->side)
		flow_mirror(f);
	if (!(s->flags & TCP_CONTROL) && !t->listed)
		t->mark |= SEGMENT_FOLDED;
	flow_log(f, t, s);
}

/* Fills a turn from the log it goes to. cap is the log's room. */
static __always_inline void flow_turn_begin(struct flow_turn *t, const struct flow *f, const struct flow_segment *log,
					    const __u32 cap, __u32 side)
{
	__u32 last = reload(f->log_len) - 1, before = reload(f->log_len) - 2;

	opaque(last);
	opaque(before);
	t->cap = cap;
	t->side = side;
	if (last < cap)
		t->last[0] = element(log, last);
	if (before < cap)
		t->last[1] = element(log, before);
}

static __always_inline void flow_turn_end(const struct flow_turn *t, struct flow_segment *log, const __u32 cap)
{
	__u32 at = t->at;

	opaque(at);
	if (at < cap)
		element(log, at) = t->entry;
}

/* ---- beginnings ---- */

/*
 * Prepares zeroed memory for a flow whose first segment this is. The caller steps the segment then. inside: the tuple
 * has a connection already.
 */
static __always_inline void flow_init(struct flow *f, const struct tcp_segment *s, __u32 side, flag_t inside)
{
	f->open.seen = inside ? OPEN_INSIDE : 0;
	f->open.wscale[0] = f->open.wscale[1] = SEGMENT_NO_WSCALE;
	f->open.vlan[0] = s->vlan[0];
	f->open.vlan[1] = s->vlan[1];
	f->open.source = side;
	f->t_first = f->t_last = f->t_progress = s->time;
	if (!(s->flags & TCP_SYN))
		f->state = FLOW_MIDSTREAM;
}

/* ---- endings that only time brings ---- */

struct flow_timeouts {
	__u64 settle; /* ns from the last step of a finished connection to its report */
	__u64 syn;    /* ns from the last SYN that nobody answered */
	__u64 close;  /* ns without progress of a close that began */
};

/* When a finished connection took its last step: the second FIN's acknowledgment, or the RST. */
static __always_inline __u64 flow_end_time(const struct flow *f)
{
	__u64 a = f->side[0].t_fin_acked, b = f->side[1].t_fin_acked;

	if (f->state & FLOW_GRACEFUL)
		return a > b ? a : b;
	return f->reset.time;
}

/* What an unproven or closing flow waits for. */
enum flow_wait {
	FLOW_WAIT_SETTLE,  /* it is done: for stragglers */
	FLOW_WAIT_DOUBT,   /* its RST is not certain: for what it does afterwards */
	FLOW_WAIT_SYN,     /* for an answer */
	FLOW_WAIT_CLOSE,   /* for the next step of its close, be it for hours: a half open side may go on sending */
	FLOW_WAIT_NOTHING, /* it goes on: its reset was not accepted */
	FLOW_WAITS,
};

/* An RST ended it, as far as is known; but what is known is not enough to tell whether its receiver took it. */
static inline flag_t flow_is_in_doubt(const struct flow *f)
{
	return (f->state & (FLOW_DONE | FLOW_PROVEN)) == (FLOW_RESET | FLOW_PROVEN) &&
	       (f->reset.validity == RESET_UNKNOWN || f->doubt);
}

static __always_inline enum flow_wait flow_waits_for(const struct flow *f)
{
	if (flow_is_in_doubt(f))
		return FLOW_WAIT_DOUBT;
	if (f->state & FLOW_DONE)
		return FLOW_WAIT_SETTLE;
	if (f->state & FLOW_BEGUN)
		return FLOW_WAIT_CLOSE;
	return f->state & FLOW_PROVEN ? FLOW_WAIT_NOTHING : FLOW_WAIT_SYN;
}

/* Since when it waits. */
static __always_inline __u64 flow_waits_since(const struct flow *f)
{
	if (flow_is_in_doubt(f))
		return f->t_last;
	if (f->state & FLOW_DONE)
		return flow_end_time(f);
	return either(f->state & FLOW_BEGUN, f->t_progress, f->t_last);
}

/*
 * ns that it waits for what flow_waits_for says; UINT64_MAX: for ever. Never 0: what comes at the same time belongs
 * to it.
 */
static inline __u64 flow_wait_time(const struct flow *f, const struct flow_timeouts *t)
{
	static const __u64 for_ever = ~0ULL;

	switch (flow_waits_for(f)) {
	case FLOW_WAIT_SETTLE:
		return t->settle ? t->settle : 1;
	case FLOW_WAIT_SYN:
	case FLOW_WAIT_DOUBT: /* as long as for an answer: a connection that goes on is seldom silent for longer */
		return t->syn;
	case FLOW_WAIT_CLOSE:
		return t->close;
	default:
		return for_ever;
	}
}

/* When it is to be reported, if nothing comes; UINT64_MAX: never. */
static inline __u64 flow_due(const struct flow *f, const struct flow_timeouts *t)
{
	__u64 since = flow_waits_since(f), wait = flow_wait_time(f, t);

	return wait > ~0ULL - since ? ~0ULL : since + wait;
}

/* Is it to be reported at `now`? */
static inline flag_t flow_is_due(const struct flow *f, __u64 now, const struct flow_timeouts *t)
{
	return now >= flow_due(f, t);
}

/*
 * An unproven flow that nothing but a stray FIN or SYN-ACK speaks for, or a SYN inside a connection that goes on:
 * counted, never reported as a connection.
 */
static __always_inline flag_t flow_is_stray(const struct flow *f)
{
	if (f->state & FLOW_PROVEN)
		return 0;
	return f->state & FLOW_MIDSTREAM || !(f->open.seen & OPEN_SYN) ||
	       (!(f->state & FLOW_DONE) && (f->open.seen & (OPEN_INSIDE | OPEN_SYNACK)) == OPEN_INSIDE);
}

/*
 * A closing flow's beginning, in zeroed memory, from what the established one kept. Its log begins after the handshake.
 */
static __always_inline void flow_reopen(struct flow *f, const struct flow_open *o)
{
	f->open = *o;
	f->state = FLOW_PROVEN | FLOW_REOPENED;
	f->t_first = either(o->seen & OPEN_SYN, o->t_syn, o->t_synack);
	f->t_last = f->t_progress = o->t_ack;
}

#define FLOW_LOG_HANDSHAKE RECORD_HANDSHAKE

/* The handshake's segments that the log of a FLOW_REOPENED flow lacks, from its opening. Returns how many. */
static inline __u32 flow_handshake_log(const struct flow_open *o, struct flow_segment log[FLOW_LOG_HANDSHAKE])
{
	__u32 source = o->source & 1, next = o->isn[source] + 1, n = 0;
	__u32 after_syn = o->seen & OPEN_SYN_DATA ? next + o->syn_len : next;

	if (o->seen & OPEN_SYN)
		log[n++] = (struct flow_segment){.time = o->t_syn,
						 .seq = o->isn[source],
						 .len = o->syn_len,
						 .count = 1,
						 .win = o->win[0],
						 .flags = o->syn_flags,
						 .ttl = o->ttl[source],
						 .side = source,
						 .mark = SEGMENT_RECALLED};
	log[n++] = (struct flow_segment){.time = o->t_synack,
					 .seq = o->isn[!source],
					 .ack = after_syn,
					 .count = 1,
					 .win = o->win[1],
					 .flags = o->synack_flags,
					 .ttl = o->ttl[!source],
					 .side = !source,
					 .mark = SEGMENT_RECALLED};
	if (o->seen & OPEN_ACK_MORE) /* and how much more was not kept */
		return n;
	log[n++] = (struct flow_segment){.time = o->t_ack,
					 .seq = after_syn,
					 .ack = o->isn[!source] + 1,
					 .count = 1,
					 .win = o->win[2],
					 .flags = TCP_ACK,
					 .ttl = o->ttl[source],
					 .side = source,
					 .mark = SEGMENT_RECALLED};
	return n;
}

#endif
