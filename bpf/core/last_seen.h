/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last sequence numbers each way, kept for whoever used a cell of a small array last.
 *
 * They serve when a close begins: is this FIN or RST next in sequence, or out of the window? Keeping them in the slots
 * would cost a look-up a segment. The newest connection of a cell owns it; a tag says whose it is, and "unknown" is an
 * answer. Two CPUs may write one side at once only when two connections collide; of a mix of both the sides hardly fit
 * each other (numbers_read), and it takes such a mix just before a forged reset to be misled.
 */
#ifndef TCPFIN_LAST_SEEN_H
#define TCPFIN_LAST_SEEN_H

#include "bpf/core/flow_hash.h"
#include "bpf/core/opening.h"

struct last_seen_side {
	__u32 end;    /* highest sequence number sent, plus one */
	__u32 ack;    /* last acknowledgment number sent */
	__u32 tag;    /* whose numbers these are: last_seen_tag; 0 before the first */
	__u16 win;    /* last window, not scaled */
	__u16 strike; /* segments in a row with numbers far from these; and the bits below */
};

/*
 * What is remembered does not go back to the handshake without a break: another flow had the cell, or numbers jumped.
 */
#define LAST_SEEN_REGAINED 0x8000
#define LAST_SEEN_DATA 0x4000 /* the side's last segment had payload */
#define LAST_SEEN_BITS (LAST_SEEN_REGAINED | LAST_SEEN_DATA)

struct last_seen {
	struct last_seen_side side[2];
};
CORE_ASSERT_SIZE(struct last_seen, 32);

/* Numbers this far from the last ones are from another time, or forged. */
#define LAST_SEEN_REORDER (16u << 20)

/*
 * Who acknowledges within so many bytes of what the other side said last has heard it. Narrow, since it lets numbers
 * in that are far from the last ones: a forged segment hits it once in 2,048 times.
 */
#define LAST_SEEN_FIT (1u << 20)

/*
 * Bits of flow_hash that do not choose the cell. Of two flows at once one would be judged by the other's numbers, and
 * its close not be believed, if they had the cell and the tag in common: odds of 2^-44 for each pair.
 */
static __always_inline __u32 last_seen_tag(__u64 hash)
{
	return (__u32)(hash >> 32 & 0xffff0000) | (__u16)(hash >> 16) | 1;
}

static __always_inline flag_t last_seen_is_of(const struct last_seen_side *w, __u64 hash)
{
	return w->tag == last_seen_tag(hash);
}

/* So many segments in a row with numbers far from the last ones, and none that fits: they are another connection's. */
#define LAST_SEEN_STRIKES 64

static __always_inline flag_t last_seen_near(__u32 number, __u32 last)
{
	return number - last + LAST_SEEN_REORDER < 2 * LAST_SEEN_REORDER;
}

/*
 * Does the segment acknowledge what its side is near to acknowledging (ack), or what the other side has sent? A forged
 * one that hits the sequence number by chance (once in 128) does not.
 */
static __always_inline flag_t last_seen_ack_fits(__u32 ack, __u32 tag, const struct last_seen_side *peer,
						 const struct tcp_segment *s)
{
	return last_seen_near(s->ack, ack) || peer->tag != tag || last_seen_near(s->ack, peer->end);
}

/*
 * Does the segment acknowledge less than its side has before (ack)? Then one that was sent later has overtaken it, and
 * it has nothing new. What was acknowledged beyond all that the other side has sent may be forged, and does not stand.
 */
static __always_inline flag_t last_seen_is_overtaken(__u32 ack, __u32 tag, const struct last_seen_side *peer,
						     const struct tcp_segment *s)
{
	return seq_after(ack, s->ack) && last_seen_near(s->ack, ack) && peer->tag == tag && !seq_after(ack, peer->end);
}

/* All ones where the side's numbers are another connection's, or nobody's; else 0. */
static __always_inline __u32 last_seen_foreign(const struct last_seen_side *w, __u32 tag)
{
	__u64 differs = w->tag ^ tag;

	opaque(differs); /* else clang makes a branch of it */
	return (__u64)((__s64)(0 - differs) >> 63);
}

/*
 * Notes the numbers of a segment without SYN, FIN or RST: those are judged by what is remembered. Numbers far from
 * the last ones are taken the second time in a row if they fit what the other side said last, or if nothing else
 * comes for long: forged segments do not displace what is known.
 *
 * Where the cell was another connection's, the segment is compared with itself. So there is no branch for it: with as
 * many connections as cells, no processor would foresee which way it goes.
 */
static __always_inline void last_seen_note(struct last_seen *last, const struct tcp_segment *s, __u64 side, __u64 hash)
{
	struct last_seen_side *w = &element(last->side, side & 1), *peer = &element(last->side, ~side & 1);
	__u32 tag = last_seen_tag(hash), end = s->seq + s->len, foreign, end_before, ack_before;
	__u64 data = s->len;

	if (!(s->flags & TCP_ACK)) /* nobody takes it (RFC 9293 section 3.10.7.4) */
		return;
	opaque(w); /* one addition to the pointer, not one a use */
	opaque(peer);
	opaque(data);
	data = (0 - data) >> 63 << 14; /* LAST_SEEN_DATA, if there is any, without a branch */
	foreign = last_seen_foreign(w, tag);
	end_before = w->end ^ ((w->end ^ end) & foreign);
	ack_before = w->ack ^ ((w->ack ^ s->ack) & foreign);
	if (!last_seen_near(end, end_before) || !last_seen_ack_fits(ack_before, tag, peer, s)) {
		flag_t fits = peer->tag != tag || s->ack - peer->end + LAST_SEEN_FIT < 2 * LAST_SEEN_FIT;

		if ((w->strike & ~LAST_SEEN_BITS) < (fits ? 1 : LAST_SEEN_STRIKES)) {
			w->strike++;
			return;
		}
		w->end = end;
		w->strike = LAST_SEEN_REGAINED | data;
	} else {
		w->end = seq_max(end, end_before);
		w->strike = ((w->strike | foreign) & LAST_SEEN_REGAINED) | data;
	}
	if (last_seen_is_overtaken(ack_before, tag, peer, s))
		return;
	w->tag = tag;
	w->win = s->win;
	w->ack = s->ack;
}

/*
 * A handshake was completed by the source's segment s: its numbers are where what is remembered begins. One inside an
 * older connection is a break all the same: it may be forged, and the older one go on.
 */
static __always_inline void last_seen_begin(struct last_seen *last, const struct flow_open *o,
					    const struct tcp_segment *s, __u64 side, __u64 hash)
{
	struct last_seen_side *me = &of_side(last->side, side), *peer = &of_side(last->side, !side);

	me->end = s->seq + s->len + !!(s->flags & TCP_SYN);
	me->ack = s->ack;
	me->win = s->win;
	me->tag = peer->tag = last_seen_tag(hash);
	me->strike = peer->strike = o->seen & OPEN_INSIDE ? LAST_SEEN_REGAINED : 0;
	peer->end = of_side(o->isn, !side) + 1;
	peer->ack = of_side(o->isn, side) + 1;
	peer->win = o->win[1];
}

/*
 * Is a FIN or RST of an unknown connection part of a conversation that was going on? Both sides were heard, each
 * answered the other, and this segment's numbers fit what they said last; a scan or backscatter has no such past.
 */
static __always_inline flag_t last_seen_fits(const struct last_seen *last, const struct tcp_segment *s, __u32 side,
					     __u64 hash)
{
	const struct last_seen_side *me = &of_side(last->side, side), *peer = &of_side(last->side, !side);

	return last_seen_is_of(me, hash) && last_seen_is_of(peer, hash) && last_seen_near(s->seq, me->end) &&
	       last_seen_near(me->ack, peer->end) && last_seen_near(peer->ack, me->end);
}

/*
 * Does an RST of an unknown connection answer the other side's last segment as a closed socket does, with the very
 * number that it acknowledges (RFC 9293 section 3.10.7.1)? Only if that one had payload: scans send ACKs without.
 */
static __always_inline flag_t last_seen_answers(const struct last_seen *last, const struct tcp_segment *s, __u32 side,
						__u64 hash)
{
	const struct last_seen_side *peer = &of_side(last->side, !side);

	return (s->flags & (TCP_RST | TCP_ACK)) == TCP_RST && last_seen_is_of(peer, hash) &&
	       peer->strike & LAST_SEEN_DATA && s->seq == peer->ack;
}

/*
 * The conversation has ended: what was said in it proves no FIN or RST any more. A copy that comes when nothing else
 * remembers the connection would begin another one.
 */
static __always_inline void last_seen_forget(struct last_seen *evidence, __u64 hash)
{
	__u32 i;

	for (i = 0; i < 2; i++)
		if (last_seen_is_of(&evidence->side[i], hash))
			evidence->side[i].tag = 0;
}

#endif
