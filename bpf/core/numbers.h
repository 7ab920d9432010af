/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequence and acknowledgment numbers of a connection's two sides, and which FIN or RST they contradict. What they do
 * not know contradicts nothing.
 */
#ifndef TCPFIN_NUMBERS_H
#define TCPFIN_NUMBERS_H

#include "bpf/core/last_seen.h"
#include "bpf/core/opening.h"

/*
 * Which numbers of a side are known; and that they rest on segments after a break, so that somebody may have forged
 * them, or that the window is not known.
 */
enum { BLOCK_END = 1, BLOCK_ACK = 2, BLOCK_REGAINED = 4, BLOCK_NO_WINDOW = 8 };

/* Numbers of a side: those of its last segment before the block, and the highest so far. */
struct block_side {
	__u32 end, ack;         /* `known` */
	__u32 now_end, now_ack; /* `now_known` */
	__u16 win, now_win;     /* as in the header */
	__u8 known, now_known;  /* BLOCK_ bits */
	__u16 pad;
};

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

		n[i].known = last_seen_is_of(w, hash) ? BLOCK_END | BLOCK_ACK : 0;
		if (n[i].known && w->strike & LAST_SEEN_REGAINED)
			n[i].known |= BLOCK_REGAINED;
		n[i].end = n[i].now_end = w->end;
		n[i].ack = n[i].now_ack = w->ack;
		n[i].win = n[i].now_win = w->win;
	}
	unrolled for (i = 0; i < 2; i++)
	{
		__u32 window = open_window(o, !i, n[!i].win, 14);

		if (n[i].known & BLOCK_END && n[!i].known & BLOCK_ACK &&
		    n[i].end - n[!i].ack + LAST_SEEN_REORDER > window + LAST_SEEN_REORDER + 0xffff) {
			n[i].known &= ~BLOCK_END;
			n[!i].known &= ~BLOCK_ACK;
		}
	}
	n[0].now_known = n[0].known;
	n[1].now_known = n[1].known;
}

/* Is the number further ahead than its receiver's window allows, from the highest byte seen or acknowledged on? */
static __always_inline flag_t beyond_window(const struct block_side *me, const struct block_side *peer,
					    const struct flow_open *o, const struct tcp_segment *s, __u32 side)
{
	__u32 window = open_window(o, !side, peer->now_win, 14), from = me->now_end;

	if (!(me->now_known & BLOCK_END))
		return 0;
	if (peer->now_known & BLOCK_ACK && seq_after(peer->now_ack, from))
		from = peer->now_ack;
	return seq_diff(s->seq, from) > (__s32)(window < 0xffff ? 0xffff : window);
}

/* Are the FIN's numbers beyond what either side can have offered or sent? Then it is forged, or from another time. */
static __always_inline flag_t fin_implausible(const struct block_side *me, const struct block_side *peer,
					      const struct flow_open *o, const struct tcp_segment *s, __u32 side,
					      flag_t of_peer_fin)
{
	__u32 window = open_window(o, side, me->now_win, 14);

	if (beyond_window(me, peer, o, s, side))
		return 1;
	if (me->now_known & BLOCK_END && seq_diff(me->now_end, segment_end(s)) > (__s32)LAST_SEEN_REORDER)
		return 1;
	if (of_peer_fin || (me->now_known & BLOCK_ACK && !seq_after(s->ack, me->now_ack)))
		return 0;
	return peer->now_known & BLOCK_END &&
	       seq_diff(s->ack, peer->now_end) > (__s32)(window > 0xffff ? window : 0xffff);
}

/* Is the RST out of the widest window that its receiver can have? RFC 9293 section 3.10.7.4. */
static __always_inline flag_t reset_out_of_window(const struct block_side *me, const struct block_side *peer,
						  const struct flow_open *o, const struct tcp_segment *s, __u32 side,
						  flag_t fin_acked)
{
	__u32 most = open_window(o, !side, peer->now_win, 14), ahead = s->seq - peer->now_ack;

	if (!(peer->now_known & BLOCK_ACK) || !ahead || (fin_acked && ahead == ~0u))
		return 0;
	if (me->now_known & BLOCK_END && s->seq == me->now_end && ahead <= (most > 0xffff ? most : 0xffff))
		return 0;
	return ahead >= most;
}

/*
 * Raises a side's highest numbers. Returns whether anything is new. A FIN behind a gap raises nothing: it may be
 * forged.
 */
static __always_inline flag_t numbers_advance(struct block_side *me, const struct block_side *peer,
					      const struct flow_open *o, const struct tcp_segment *s, __u32 side)
{
	__u32 end = segment_end(s);
	flag_t news = 0;

	if ((!(me->now_known & BLOCK_END) && !(s->flags & TCP_FIN)) || /* a FIN alone proves no number */
	    (me->now_known & BLOCK_END && end - me->now_end - 1 < FLOW_JUMP &&
	     !(s->flags & TCP_FIN && seq_after(s->seq, me->now_end)) && !beyond_window(me, peer, o, s, side))) {
		me->now_end = end;
		me->now_known |= BLOCK_END;
		news = 1;
	}
	if (s->flags & TCP_ACK) {
		if (!(me->now_known & BLOCK_ACK) || s->ack - me->now_ack - 1 < FLOW_JUMP) {
			me->now_ack = s->ack;
			me->now_known |= BLOCK_ACK;
			news = 1;
		}
		me->now_win = s->win;
	}
	return news;
}

/* What the handshake says of both sides' numbers, for a block of a connection that opens. */
static __always_inline void numbers_of_opening(struct block_side n[2], const struct flow_open *o)
{
	__u32 source = o->source;

	__builtin_memset(n, 0, 2 * sizeof(*n));
	if (o->seen & OPEN_SYN) {
		of_side(n, source).now_end = of_side(o->isn, source) + 1 + o->syn_len;
		of_side(n, source).now_win = o->win[0];
		of_side(n, source).now_known = BLOCK_END;
	}
	if (o->seen & OPEN_SYNACK) {
		of_side(n, !source).now_end = of_side(o->isn, !source) + 1;
		of_side(n, !source).now_ack = of_side(o->isn, source) + 1;
		of_side(n, !source).now_win = o->win[1];
		of_side(n, !source).now_known = BLOCK_END | BLOCK_ACK;
	}
}

/* What a socket of this host knows of the connection at the moment of a segment. */
struct socket_numbers {
	__u32 known; /* 0: no socket was found, or it is closed */
	__u32 side;  /* whose socket it is */
	__u32 rcv_nxt, snd_nxt, snd_una;
	__u32 own; /* the segment was sent by the TCP of this host */
};

/* A socket does not tell its window. What was remembered without a break serves, else the widest that there can be. */
static __always_inline void numbers_open_window(struct block_side *n)
{
	flag_t known = (n->known & (BLOCK_ACK | BLOCK_REGAINED)) == BLOCK_ACK;

	n->known = known ? n->known : BLOCK_NO_WINDOW;
	if (!known)
		n->win = n->now_win = 0xffff;
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

/*
 * The socket's numbers take the place of those that were remembered. rcv_nxt is a lower bound of what the other side
 * has sent: data between the hook and the socket is not in it, so a higher number that was remembered without a break
 * stands.
 */
static __always_inline void numbers_of_socket(struct block_side n[2], const struct socket_numbers *socket)
{
	struct block_side *mine = &of_side(n, socket->side), *other = &of_side(n, !socket->side);

	if (other->known != (BLOCK_END | BLOCK_ACK) || other->end - socket->rcv_nxt >= LAST_SEEN_REORDER)
		other->end = other->now_end = socket->rcv_nxt;
	numbers_open_window(mine);
	numbers_open_window(other);
	mine->end = mine->now_end = socket->snd_nxt;
	mine->ack = mine->now_ack = socket->rcv_nxt;
	other->ack = other->now_ack = socket->snd_una;
	mine->known = (mine->known & ~BLOCK_REGAINED) | BLOCK_END | BLOCK_ACK;
	other->known = (other->known & ~BLOCK_REGAINED) | BLOCK_END | BLOCK_ACK;
	mine->now_known = mine->known;
	other->now_known = other->known;
}

#endif
