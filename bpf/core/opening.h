/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handshake: what is kept of it, and what a segment means to it (RFC 9293 sections 3.5 and 3.10.7).
 */
#ifndef TCPFIN_OPENING_H
#define TCPFIN_OPENING_H

#include "bpf/core/packet.h"

/*
 * Numbers further from the last ones than a window can be wide are not believed; a handshake's ACK may be ahead of the
 * numbers expected by the second figure, where the first one was lost before us.
 */
#define FLOW_JUMP (1u << 30)
#define FLOW_HANDSHAKE_SLACK (1u << 20)

/* An identical segment this soon (ns) is the same one seen twice: no sender retransmits so fast. */
#define FLOW_DUPLICATE_NS 1000000ULL

/* An RST is sent for each segment that deserves one, so two equal ones may follow each other closely (ns). */
#define FLOW_RESETS_NS 50000ULL

/* ns: an equal segment that comes sooner is the same one. IP ids tell equal RSTs apart, but for 0 (RFC 6864). */
static __always_inline __u64 twin_within(__u8 flags, __u16 ip_id)
{
	return flags & TCP_RST && !ip_id ? FLOW_RESETS_NS : FLOW_DUPLICATE_NS;
}

/*
 * Is an equal segment that comes as soon the same one, whatever stands between the two? IP ids tell so, and no TCP
 * repeats a SYN or FIN within FLOW_DUPLICATE_NS: no retransmission timer is as short (RFC 6298, RFC 8985). A SYN-ACK
 * answers each copy of the SYN.
 */
static __always_inline flag_t twin_is_known(__u8 flags, __u16 ip_id)
{
	return ip_id || (flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_SYN || (flags & (TCP_FIN | TCP_RST)) == TCP_FIN;
}

static __always_inline __u8 saturating_inc(__u8 n)
{
	return n == 255 ? n : n + 1;
}

static __always_inline __u32 segment_end(const struct tcp_segment *s)
{
	return s->seq + s->len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
}

/*
 * Is it a SYN or SYN-ACK? With RST it is an RST: a receiver checks that bit ahead of SYN in every state (RFC 9293
 * sections 3.10.7.2 to 3.10.7.4; so does Linux, tcp_validate_incoming).
 */
static __always_inline flag_t segment_is_syn(const struct tcp_segment *s)
{
	return (s->flags & (TCP_SYN | TCP_RST)) == TCP_SYN;
}

/*
 * SYN+FIN, which contradict each other, or none of SYN, RST and ACK (RFC 9293 section 3.10.7.4): no receiver acts on
 * them.
 */
static __always_inline flag_t segment_contradicts(const struct tcp_segment *s)
{
	if (segment_is_syn(s))
		return (s->flags & TCP_FIN) != 0;
	return !(s->flags & (TCP_RST | TCP_ACK));
}

static __always_inline flag_t segment_opens(const struct tcp_segment *s)
{
	return (s->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_SYN;
}

enum {
	OPEN_SYN = 1,           /* a SYN was seen: isn[source], t_syn */
	OPEN_SYNACK = 2,        /* a matching SYN-ACK: isn of both sides */
	OPEN_ACK = 4,           /* the handshake was completed with matching numbers */
	OPEN_CROSSED = 8,       /* both sides sent a SYN (RFC 9293 section 3.5, simultaneous open) */
	OPEN_SYN_DATA = 16,     /* the SYN-ACK acknowledged the SYN's payload (RFC 7413) */
	OPEN_INSIDE = 32,       /* the SYN came while the tuple had a connection (RFC 5961 section 4) */
	OPEN_ACK_MORE = 64,     /* the segment that completed the handshake was more than an ACK */
	OPEN_LAST_SYNACK = 128, /* of SYN and SYN-ACK, the SYN-ACK was seen last */
};

struct flow_open {
	__u64 t_syn, t_synack; /* ns; first copies; meaningful with their OPEN_ bit */
	__u64 t_ack;           /* ns; with OPEN_ACK the handshake's last step, before that its last segment */
	__u32 isn[2];          /* by side; both with OPEN_SYNACK, the source's with OPEN_SYN */
	__u16 win[3];          /* windows of SYN, SYN-ACK and ACK, as in the header */
	__u16 syn_len;         /* payload of the SYN (TCP Fast Open) */
	union {
		__u16 vlan[PACKET_MAX_TAGS];
		__u32 tunnel_id; /* as in struct tcp_segment: the slot says which of the two */
	};
	__u8 syn_flags, synack_flags;
	__u8 syn_copies, synack_copies; /* retransmissions; 255 means at least that */
	__u8 wscale[2];      /* by side, SEGMENT_NO_WSCALE where not offered or not seen, or SEGMENT_CUT_WSCALE */
	__u8 ttl[2];         /* by side, of the handshake */
	__u8 seen;           /* OPEN_ bits */
	__u8 source;         /* side that opened the connection */
	__u8 resets_ignored; /* RSTs that their receiver would not accept */
	__u8 idle;           /* rounds of ageing without a segment: user space's */
};
CORE_ASSERT_SIZE(struct flow_open, 56);

/* Is the SYN or SYN-ACK one of the handshake that opened this connection? */
static __always_inline flag_t open_is_copy(const struct flow_open *o, const struct tcp_segment *s, __u32 side)
{
	return o->seen & (OPEN_SYN | OPEN_SYNACK) && s->seq == of_side(o->isn, side);
}

/*
 * Notes that a SYN or SYN-ACK was seen. Returns whether the one before was of the same kind: then t_ack is its time, if
 * the handshake is not complete.
 */
static __always_inline flag_t open_is_in_a_row(struct flow_open *o, const struct tcp_segment *s)
{
	__u8 last = s->flags & TCP_ACK ? OPEN_LAST_SYNACK : 0, before = o->seen & OPEN_LAST_SYNACK;

	o->seen = (o->seen & ~OPEN_LAST_SYNACK) | last;
	return last == before;
}

static __always_inline void open_count_copy(struct flow_open *o, const struct tcp_segment *s)
{
	if (s->flags & TCP_ACK)
		o->synack_copies = saturating_inc(o->synack_copies);
	else
		o->syn_copies = saturating_inc(o->syn_copies);
}

/*
 * The window (bytes) that a side offered. win: as in its header. Scaling holds only if both SYNs offered it (RFC 7323);
 * where that was not seen, `unknown` is the shift to assume: 0 for the least, 14 for the most that the window can be.
 */
static __always_inline __u32 open_window(const struct flow_open *o, __u32 side, __u32 win, __u32 unknown)
{
	__u32 scale = unknown;

	if ((o->seen & OPEN_SYNACK) && of_side(o->wscale, !o->source) == SEGMENT_NO_WSCALE)
		scale = 0; /* the destination declined, whatever the source offered */
	else if ((o->seen & (OPEN_SYN | OPEN_SYNACK)) == (OPEN_SYN | OPEN_SYNACK) &&
		 o->wscale[0] != SEGMENT_CUT_WSCALE && o->wscale[1] != SEGMENT_CUT_WSCALE)
		scale = of_side(o->wscale, o->source) > 14 ? 0 : of_side(o->wscale, side);
	return win << (scale & 15);
}

/* What became of a SYN or SYN-ACK. */
enum open_step { OPEN_TAKEN, OPEN_COPY, OPEN_FOREIGN };

/*
 * RFC 9293 sections 3.5 and 3.10.7.3. A SYN behind its SYN-ACK, which two CPUs have swapped, is the first SYN all the
 * same.
 */
static __always_inline enum open_step open_syn(struct flow_open *o, const struct tcp_segment *s, __u32 side)
{
	if (!(o->seen & OPEN_SYN) &&
	    (!(o->seen & OPEN_SYNACK) || (side == o->source && s->seq == of_side(o->isn, side)))) {
		o->seen |= OPEN_SYN;
		o->source = side;
		o->t_syn = s->time;
		of_side(o->isn, side) = s->seq;
		o->win[0] = s->win;
		o->syn_len = s->len > 0xffff ? 0xffff : s->len;
		o->syn_flags = s->flags;
		of_side(o->wscale, side) = s->wscale;
		of_side(o->ttl, side) = s->ttl;
		return OPEN_TAKEN;
	}
	return s->seq == of_side(o->isn, side) && side == o->source ? OPEN_COPY : OPEN_FOREIGN;
}

static __always_inline enum open_step open_synack(struct flow_open *o, const struct tcp_segment *s, __u32 side)
{
	__u32 source = !side;

	if (o->seen & OPEN_SYNACK)
		return s->seq == of_side(o->isn, side) && side != o->source ? OPEN_COPY : OPEN_FOREIGN;
	if (o->seen & OPEN_SYN) {
		if (side == o->source || s->ack - (of_side(o->isn, source) + 1) > o->syn_len)
			return OPEN_FOREIGN;
		if (o->seen & OPEN_CROSSED && s->seq != of_side(o->isn, side))
			return OPEN_FOREIGN;
	} else {
		o->source = source;
		of_side(o->isn, source) = s->ack - 1;
	}
	o->seen |= OPEN_SYNACK;
	if (s->ack != of_side(o->isn, source) + 1)
		o->seen |= OPEN_SYN_DATA;
	o->t_synack = s->time;
	of_side(o->isn, side) = s->seq;
	o->win[1] = s->win;
	o->synack_flags = s->flags;
	of_side(o->wscale, side) = s->wscale;
	of_side(o->ttl, side) = s->ttl;
	return OPEN_TAKEN;
}

/* Does this segment complete the handshake? Only the source can prove that it heard the SYN-ACK. */
static __always_inline flag_t open_completes(const struct flow_open *o, const struct tcp_segment *s, __u32 side)
{
	return (o->seen & (OPEN_SYNACK | OPEN_ACK)) == OPEN_SYNACK && side == o->source &&
	       (s->flags & (TCP_ACK | TCP_RST)) == TCP_ACK &&
	       s->ack - (of_side(o->isn, !side) + 1) < FLOW_HANDSHAKE_SLACK &&
	       (s->seq + !!(s->flags & TCP_SYN)) - (of_side(o->isn, side) + 1) < FLOW_HANDSHAKE_SLACK;
}

/* How an RST fits a handshake that is not complete: RFC 9293 section 3.10.7.3. */
enum open_reset { OPEN_RESET_FOREIGN, OPEN_RESET_IN_WINDOW, OPEN_RESET_EXACT };

static __always_inline enum open_reset open_judge_reset(const struct flow_open *o, const struct tcp_segment *s,
							__u32 side)
{
	__u32 next = of_side(o->isn, side) + 1;

	if (side != o->source && (s->flags & TCP_ACK) && s->ack - (of_side(o->isn, o->source) + 1) <= o->syn_len)
		return OPEN_RESET_EXACT; /* acceptable if the ACK is of our SYN */
	if (side != o->source && !(o->seen & OPEN_SYNACK))
		return OPEN_RESET_FOREIGN;
	if (s->seq - next <= o->syn_len || (side == o->source && s->seq == next - 1))
		return OPEN_RESET_EXACT;
	return s->seq - next < 0xffff ? OPEN_RESET_IN_WINDOW : OPEN_RESET_FOREIGN;
}

/*
 * A SYN from the side that was to answer one: both open at once (RFC 9293 section 3.5). It is listed; the opening
 * itself has room for the source's only.
 */
static __always_inline void open_crossed(struct flow_open *o, const struct tcp_segment *s, __u32 side)
{
	if (side == o->source || o->seen & (OPEN_SYNACK | OPEN_CROSSED) || !(o->seen & OPEN_SYN))
		return;
	o->seen |= OPEN_CROSSED;
	of_side(o->isn, side) = s->seq;
	of_side(o->wscale, side) = s->wscale;
	of_side(o->ttl, side) = s->ttl;
}

#endif
