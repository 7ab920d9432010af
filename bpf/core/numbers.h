/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequence and acknowledgment numbers of a connection's two sides, and which FIN or RST they contradict. What they do
 * not know contradicts nothing.
 */
#ifndef TCPFIN_NUMBERS_H
#define TCPFIN_NUMBERS_H

#include "bpf/core/last_seen.h"
#include "bpf/core/opening.h"

/* Which numbers of a side are known, and what they rest on. */
enum {
	NUMBERS_END = 1,
	NUMBERS_ACK = 2,
	NUMBERS_REGAINED = 4,  /* on segments after a break, so that somebody may have forged them */
	NUMBERS_NO_WINDOW = 8, /* the window is not known */
};

struct numbers {
	__u32 end; /* highest sequence number sent, plus one: with NUMBERS_END */
	__u32 ack; /* highest acknowledgment number sent: with NUMBERS_ACK */
	__u16 win; /* last window, as in the header */
	__u8 known;
	__u8 far_acks; /* acknowledgments in a row that are far from all that is known */
};
CORE_ASSERT_SIZE(struct numbers, 12);

/* Numbers of a side: those of its last segment before the block, and the highest so far. */
struct block_side {
	struct numbers before, now;
};

/* The widest window (bytes) that a side can offer at that moment; at least 64 KiB, which needs no scaling. */
static __always_inline __u32 numbers_window(const struct numbers *of, const struct flow_open *o, __u32 side)
{
	__u32 window = open_window(o, side, of->win, 14);

	return window < 0xffff ? 0xffff : window;
}

/*
 * Copies what is remembered of both sides' last segments. Where the two contradict each other (one has sent what the
 * other is nowhere near to acknowledging), one of them is forged, and neither is believed.
 */
static __always_inline void numbers_read(struct block_side n[2], const struct last_seen *last,
					 const struct flow_open *o, __u64 hash)
{
	__u32 i;

	unrolled for (i = 0; i < 2; i++)
	{
		const struct last_seen_side *w = &last->side[i];
		struct numbers *me = &n[i].before;

		me->known = last_seen_is_of(w, hash) ? NUMBERS_END | NUMBERS_ACK : 0;
		if (me->known && w->strike & LAST_SEEN_REGAINED)
			me->known |= NUMBERS_REGAINED;
		me->end = w->end;
		me->ack = w->ack;
		me->win = w->win;
	}
	unrolled for (i = 0; i < 2; i++)
	{
		struct numbers *me = &n[i].before, *peer = &n[!i].before;
		__u32 window = open_window(o, !i, peer->win, 14);

		if (me->known & NUMBERS_END && peer->known & NUMBERS_ACK &&
		    me->end - peer->ack + LAST_SEEN_REORDER > window + LAST_SEEN_REORDER + 0xffff) {
			me->known &= ~NUMBERS_END;
			peer->known &= ~NUMBERS_ACK;
		}
	}
	n[0].now = n[0].before;
	n[1].now = n[1].before;
}

/* Forgets the numbers of both sides if those of either were regained. Returns whether they were. */
static __always_inline flag_t numbers_drop_regained(struct block_side n[2])
{
	if (!((n[0].before.known | n[1].before.known) & NUMBERS_REGAINED))
		return 0;
	n[0].before.known = n[0].now.known = 0;
	n[1].before.known = n[1].now.known = 0;
	return 1;
}

/*
 * Is the segment's number further ahead than its receiver's window allows? Counted from the highest byte that was seen
 * or that the receiver has acknowledged, where a capture has lost some; of a side that was not heard, from the latter.
 */
static __always_inline flag_t beyond_window(const struct numbers *me, const struct numbers *peer,
					    const struct flow_open *o, const struct tcp_segment *s, __u32 side)
{
	__u32 from = me->end;

	if (!((me->known & NUMBERS_END) | (peer->known & NUMBERS_ACK)))
		return 0;
	if (peer->known & NUMBERS_ACK && (!(me->known & NUMBERS_END) || seq_after(peer->ack, from)))
		from = peer->ack;
	return seq_diff(s->seq, from) > (__s32)numbers_window(peer, o, !side);
}

/* Is the FIN so far behind what its side has sent that it is from another time? */
static __always_inline flag_t fin_is_old(const struct numbers *me, const struct tcp_segment *s)
{
	return me->known & NUMBERS_END && seq_diff(me->end, segment_end(s)) > (__s32)LAST_SEEN_REORDER;
}

/* How a segment's numbers lie to what both sides have sent: bits. What is not known contradicts nothing. */
enum {
	NUMBER_OLD = 1,     /* its own is from another time, or forged */
	NUMBER_BEYOND = 2,  /* its own is forged, or a capture has lost what is before it */
	NUMBER_FOREIGN = 3, /* either of the two: it acknowledges no FIN */
	NUMBER_ACK_FAR = 4, /* what it acknowledges is forged, or a capture has lost much */
};

static __always_inline __u32 number_place(const struct numbers *me, const struct numbers *peer,
					  const struct flow_open *o, const struct tcp_segment *s, __u32 side)
{
	if (beyond_window(me, peer, o, s, side))
		return NUMBER_BEYOND;
	return fin_is_old(me, s) ? NUMBER_OLD : 0;
}

/*
 * Are the FIN's numbers beyond what either side can have offered or sent? Then it is forged, or a capture has lost what
 * is before it. of_peer_fin: it acknowledges the very end of the other side's FIN.
 */
static __always_inline flag_t fin_is_ahead(const struct numbers *me, const struct numbers *peer,
					   const struct flow_open *o, const struct tcp_segment *s, __u32 side,
					   flag_t of_peer_fin)
{
	if (beyond_window(me, peer, o, s, side))
		return 1;
	if (of_peer_fin || (me->known & NUMBERS_ACK && !seq_after(s->ack, me->ack)))
		return 0;
	return peer->known & NUMBERS_END && seq_diff(s->ack, peer->end) > (__s32)numbers_window(me, o, side);
}

/*
 * Has the receiver acknowledged more than the FIN, which is not new either? Then it is left of the window, and a TCP
 * drops it (RFC 9293 section 3.10.7.4). An ACK that was captured ahead of its FIN goes beyond what was sent.
 */
static __always_inline flag_t fin_left_of_window(const struct numbers *me, const struct numbers *peer,
						 const struct tcp_segment *s)
{
	return me->known & NUMBERS_END && peer->known & NUMBERS_ACK && !seq_after(segment_end(s), peer->ack) &&
	       !seq_after(segment_end(s), me->end);
}

/*
 * Is the FIN the next in sequence: no gap before it, and something new in it? Of two FINs with different ends this one
 * is believed.
 */
static __always_inline flag_t fin_is_next(const struct numbers *me, const struct tcp_segment *s)
{
	return me->known & NUMBERS_END && !seq_after(s->seq, me->end) && seq_after(segment_end(s), me->end);
}

/*
 * Is the RST's number what its receiver expects (RFC 9293 section 3.10.7.4, RFC 5961 section 3.2)? RCV.NXT lies between
 * the highest number that the receiver acknowledged and the highest that its peer sent, so both ends of that range
 * count; so does one less where it has received a FIN (Linux accepts it there).
 */
static __always_inline flag_t reset_is_exact(const struct numbers *me, const struct numbers *peer,
					     const struct flow_open *o, const struct tcp_segment *s, __u32 side,
					     flag_t fin_acked)
{
	__u32 ahead = s->seq - peer->ack;

	if (!(peer->known & NUMBERS_ACK))
		return me->known & NUMBERS_END && s->seq == me->end;
	if (!ahead || (fin_acked && ahead == ~0u))
		return 1;
	return me->known & NUMBERS_END && s->seq == me->end && ahead <= numbers_window(peer, o, !side);
}

/* Is the RST out of the widest window that its receiver can have? RFC 9293 section 3.10.7.4. */
static __always_inline flag_t reset_out_of_window(const struct numbers *me, const struct numbers *peer,
						  const struct flow_open *o, const struct tcp_segment *s, __u32 side,
						  flag_t fin_acked)
{
	if (!(peer->known & NUMBERS_ACK) || reset_is_exact(me, peer, o, s, side, fin_acked))
		return 0;
	return s->seq - peer->ack >= open_window(o, !side, peer->win, 14);
}

/*
 * Has the RST the number that the other side acknowledged, while nothing has accepted the SYN of its sender? In
 * SYN-SENT a TCP answers so the ACK of an older connection (RFC 9293 section 3.10.7.3, first step). It goes on waiting:
 * the RST is meant for that connection.
 */
static __always_inline flag_t reset_answers_challenge(const struct numbers *peer, const struct flow_open *o,
						      const struct tcp_segment *s, __u32 side)
{
	return (o->seen & (OPEN_SYN | OPEN_SYNACK)) == OPEN_SYN && side == o->source && !(s->flags & TCP_ACK) &&
	       peer->known & NUMBERS_ACK && s->seq == peer->ack;
}

/*
 * Is the acknowledgment number neither near the side's last one nor near what the other side has sent? NUMBER_ACK_FAR
 * or 0; of a segment without ACK it says nothing. After LAST_SEEN_STRIKES of its kind in a row, which are counted, it
 * is a capture's gap and not a forged one.
 */
static __always_inline __u32 number_ack_far(struct numbers *me, const struct numbers *peer, const struct tcp_segment *s)
{
	if (!(me->known & NUMBERS_ACK) || !(peer->known & NUMBERS_END) || last_seen_near(s->ack, me->ack) ||
	    last_seen_near(s->ack, peer->end) || me->far_acks >= LAST_SEEN_STRIKES) {
		me->far_acks = 0;
		return 0;
	}
	me->far_acks++;
	return NUMBER_ACK_FAR;
}

/*
 * Raises a side's highest numbers. Returns whether anything is new. A FIN behind a gap raises no end: the bytes before
 * it were not seen, and if it is forged the real one must still be the next in sequence. Nor does a FIN alone raise
 * anything: it proves no number.
 */
static __always_inline flag_t numbers_advance(struct numbers *me, const struct tcp_segment *s, __u32 place)
{
	__u32 end = segment_end(s);
	flag_t news = 0;

	if (!(place & NUMBER_BEYOND) && ((!(me->known & NUMBERS_END) && !(s->flags & TCP_FIN)) ||
					 (me->known & NUMBERS_END && end - me->end - 1 < FLOW_JUMP &&
					  !(s->flags & TCP_FIN && seq_after(s->seq, me->end))))) {
		me->end = end;
		me->known |= NUMBERS_END;
		news = 1;
	}
	if (s->flags & TCP_ACK && !(place & NUMBER_ACK_FAR)) {
		if (!(me->known & NUMBERS_ACK) || s->ack - me->ack - 1 < FLOW_JUMP) {
			me->ack = s->ack;
			me->known |= NUMBERS_ACK;
			news = 1;
		}
		me->win = s->win;
	}
	return news;
}

/* What the handshake says of both sides' numbers, for a block of a connection that opens. */
static __always_inline void numbers_of_opening(struct block_side n[2], const struct flow_open *o)
{
	__u32 source = o->source;

	__builtin_memset(n, 0, 2 * sizeof(*n));
	if (o->seen & OPEN_SYN) {
		of_side(n, source).now.end = of_side(o->isn, source) + 1 + o->syn_len;
		of_side(n, source).now.win = o->win[0];
		of_side(n, source).now.known = NUMBERS_END;
	}
	if (o->seen & OPEN_SYNACK) {
		of_side(n, !source).now.end = of_side(o->isn, !source) + 1;
		of_side(n, !source).now.ack = of_side(o->isn, source) + 1;
		of_side(n, !source).now.win = o->win[1];
		of_side(n, !source).now.known = NUMBERS_END | NUMBERS_ACK;
	}
}

/* What a socket of this host knows of the connection at the moment of a segment. */
struct socket_numbers {
	__u32 known; /* 0: no socket was found, or it is closed */
	__u32 side;  /* whose socket it is */
	__u32 rcv_nxt, snd_nxt, snd_una;
	__u32 own;    /* the segment was sent by the TCP of this host */
	__u32 filter; /* it is an RST that this host has sent by no socket */
	__u32 none;   /* neither end has a socket here */
};

/* A socket does not tell its window. What was remembered without a break serves, else the widest that there can be. */
static __always_inline void numbers_open_window(struct block_side *n)
{
	flag_t known = (n->before.known & (NUMBERS_ACK | NUMBERS_REGAINED)) == NUMBERS_ACK;

	n->before.known = known ? n->before.known : NUMBERS_NO_WINDOW;
	if (!known)
		n->before.win = n->now.win = 0xffff;
}

/*
 * Is the first FIN of a side left of what the socket has sent or received, as it stands now? No sender has sent
 * anything behind its FIN.
 */
static __always_inline flag_t fin_left_of_socket(const struct socket_numbers *socket, const struct tcp_segment *s,
						 __u32 side)
{
	__u32 from = either(socket->side == side, socket->snd_una, socket->rcv_nxt);

	return socket->known && !seq_after(segment_end(s), from);
}

/* Was a number of the side remembered without a break that is a little ahead of the socket's? */
static __always_inline flag_t numbers_ahead(const struct block_side *n, __u32 of_socket)
{
	return n->before.known == (NUMBERS_END | NUMBERS_ACK) && n->before.end - of_socket < LAST_SEEN_REORDER;
}

/*
 * The socket's numbers take the place of those that were remembered, but both ends are lower bounds: data between the
 * hook and the socket is not in rcv_nxt, and the kernel raises snd_nxt when it has handed the segment down, which on a
 * veth pair is after the answer has come. A higher number that was remembered without a break stands.
 */
static __always_inline void numbers_of_socket(struct block_side n[2], const struct socket_numbers *socket)
{
	struct block_side *mine = &of_side(n, socket->side), *other = &of_side(n, !socket->side);

	if (!numbers_ahead(other, socket->rcv_nxt))
		other->before.end = other->now.end = socket->rcv_nxt;
	if (!numbers_ahead(mine, socket->snd_nxt))
		mine->before.end = mine->now.end = socket->snd_nxt;
	numbers_open_window(mine);
	numbers_open_window(other);
	mine->before.ack = mine->now.ack = socket->rcv_nxt;
	other->before.ack = other->now.ack = socket->snd_una;
	mine->before.known = (mine->before.known & ~NUMBERS_REGAINED) | NUMBERS_END | NUMBERS_ACK;
	other->before.known = (other->before.known & ~NUMBERS_REGAINED) | NUMBERS_END | NUMBERS_ACK;
	mine->now.known = mine->before.known;
	other->now.known = other->before.known;
}

#endif
