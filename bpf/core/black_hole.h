/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A path that swallows large segments (RFC 2923 section 2.1: "Black Hole Detection", RFC 8899 section 1): those of one
 * size are sent again and again without an answer, while smaller ones pass.
 *
 * The segment that its receiver waits for is followed. Its size is the reason if
 * - a smaller copy is acknowledged at last, or
 * - the receiver says something new between the copies, or answers a smaller segment by a duplicate ACK, and then two
 *   copies more are not answered. A host that is gone says nothing; one that hears nothing repeats what it said.
 */
#ifndef TCPFIN_BLACK_HOLE_H
#define TCPFIN_BLACK_HOLE_H

#include "bpf/core/opening.h"

struct black_hole_side {
	__u32 end, ack;      /* highest numbers sent (plus one) and acknowledged */
	__u32 seq, len;      /* the segment that the other side waits for, and its payload; len 0: none that is large */
	__u32 less;          /* payload of a smaller copy that was sent last; 0: none */
	__u32 bytes, passed; /* found: payload that was swallowed, and that of a copy that passed; 0: none */
	__u16 copies;        /* of `seq`: so often it was sent again */
	__u16 alive;         /* then: copies + 1 when the other side was heard; 0: it was not */
	__u16 repeated;      /* found: so often `bytes` were sent again */
	__u16 win;           /* last window, as in the header */
	__u8 known;          /* the side was heard: end, ack and win are valid */
	__u8 large;          /* its last segment was as large as `len` */
	__u8 pad[2];
};

/* Of one connection, by side. */
struct black_hole {
	struct black_hole_side side[2];
};
CORE_ASSERT_SIZE(struct black_hole, 80);

/* So many copies of one size tell that a smaller one behind them was made smaller on purpose. */
#define BLACK_HOLE_COPIES 3

/*
 * Payload that every path carries: the packet that a TCP sends where it knows nothing of the path (RFC 9293 section
 * 3.7.1), less headers without options.
 */
static __always_inline __u32 black_hole_least(__u8 family)
{
	return family == 4 ? 536 : 1220;
}

static __always_inline void black_hole_found(struct black_hole_side *me, __u32 passed)
{
	me->bytes = me->len;
	me->repeated = me->copies;
	me->passed = passed;
}

/* The other side has acknowledged the segment that it waited for. */
static __always_inline void black_hole_answered(struct black_hole_side *me)
{
	if (me->less)
		black_hole_found(me, me->less);
	else if (me->len == me->bytes) /* that size has come through: it was lost for another reason */
		me->bytes = 0;
	me->len = 0;
}

/* The side's first segment that the other one waits for. */
static __always_inline void black_hole_follow(struct black_hole_side *me, const struct tcp_segment *s)
{
	me->len = s->len > black_hole_least(s->family) ? s->len : 0;
	me->seq = s->seq;
	me->less = 0;
	me->alive = 0;
	me->copies = me->known && seq_after(me->end, s->seq);
}

/*
 * A copy of it. The first ones may be smaller than the segment that this host's kernel handed to its device, which cuts
 * it; what is smaller after some copies was made smaller on purpose (RFC 4821 section 7.7).
 */
static __always_inline void black_hole_copy(struct black_hole_side *me, const struct tcp_segment *s)
{
	if (s->len < me->len && me->copies >= BLACK_HOLE_COPIES) {
		me->less = s->len;
		return;
	}
	if (s->len < me->len)
		me->len = s->len > black_hole_least(s->family) ? s->len : 0;
	me->less = 0;
	me->copies += me->copies != 0xffff;
	if (me->alive && me->copies > me->alive)
		black_hole_found(me, 0);
}

/* The other side, `from`, sends a segment that does not acknowledge what it waits for. */
static __always_inline void black_hole_hear(struct black_hole_side *me, const struct black_hole_side *from,
					    const struct tcp_segment *s)
{
	flag_t says = s->len || s->flags & TCP_FIN;

	if (says && !seq_after(segment_end(s), from->end))
		me->alive = 0; /* again: it may hear nothing */
	else if (says && !me->alive && me->copies)
		me->alive = me->copies + 1;
	if (says || s->seq != from->end)
		return;
	/* A duplicate ACK (RFC 5681 section 2) answers the last segment. With another window it may answer nothing. */
	if (me->large)
		me->len = 0; /* it came through, and was not taken */
	else if (s->win == from->win && !me->alive && me->copies)
		me->alive = me->copies + 1;
}

/* The handshake of the source, `side`, is complete. b: zeroed. */
static __always_inline void black_hole_begin(struct black_hole *b, const struct flow_open *o, __u32 side)
{
	struct black_hole_side *destination = &of_side(b->side, !side);

	destination->end = of_side(o->isn, !side) + 1;
	destination->ack = of_side(o->isn, side) + 1;
	destination->win = o->win[1];
	destination->known = 1;
}

/* Takes a segment of either side, in the order in which they come. RSTs say nothing of sizes. side: its sender. */
recorder_code int black_hole_note(struct black_hole *b, const struct tcp_segment *s, __u32 side)
{
	struct black_hole_side *me, *peer;
	__u32 end;

	if (!b || !s || (s->flags & (TCP_RST | TCP_ACK)) != TCP_ACK)
		return 0;
	me = &of_side(b->side, side);
	peer = &of_side(b->side, !side);
	end = segment_end(s);
	if (!me->known || seq_after(s->ack, me->ack)) {
		me->ack = s->ack;
		if (peer->len && seq_after(s->ack, peer->seq))
			black_hole_answered(peer);
	} else if (peer->len) {
		black_hole_hear(peer, me, s);
	}
	if (s->len && peer->known && s->seq == peer->ack) {
		if (me->len && me->seq == s->seq)
			black_hole_copy(me, s);
		else
			black_hole_follow(me, s);
	}
	me->large = me->len && s->len >= me->len;
	if (!me->known || seq_after(end, me->end))
		me->end = end;
	me->win = s->win;
	me->known = 1;
	return 0;
}

#endif
