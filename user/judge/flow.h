/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection as its log tells it. A flow keeps facts (first copies, numbers, times, the segments in order); what
 * they mean is decided from them (user/judge/verdict.c). Time is the segment's.
 */
#ifndef TCPFIN_FLOW_H
#define TCPFIN_FLOW_H

#include <stdbool.h>

#include "bpf/core/numbers.h"
#include "user/record/record.h"

/* ---- the log ---- */

struct flow_segment {
	__u64 time;   /* ns, of the first one */
	__u64 latest; /* ns, of the last one */
	__u32 seq;    /* of the first one */
	__u32 ack;    /* of the last one */
	__u32 len;
	__u32 count;
	__u16 win;
	__u16 ip_id;
	__u8 flags;
	__u8 ttl;
	__u8 side; /* sender */
	__u8 mark; /* SEGMENT_ bits */
};
CORE_ASSERT_SIZE(struct flow_segment, 40);

#define FLOW_LOG_CLOSING RECORD_CLOSING /* segments a closing flow remembers */
#define FLOW_LOG_UNPROVEN 6             /* segments an unproven flow remembers */
#define FLOW_BACKOFFS 2                 /* pauses that grow show that a TCP waits for an answer */
/* Nothing is overtaken for longer (ns): of two segments of a side, so far apart, the first was sent first. */
#define FLOW_OVERTAKEN_NS 100000000ULL
#define FLOW_LOG_FOLD 12 /* from here on, equal copies are counted instead of listed */

/* ---- the close ---- */

enum {
	SIDE_FIN = 1,          /* a FIN was accepted: t_fin, fin_end, fin_ack */
	SIDE_FIN_ACKED = 2,    /* the other side acknowledged it: t_fin_acked */
	SIDE_FIN_NEXT = 4,     /* the FIN's first copy followed the side's highest byte: no copy before it was missed */
	SIDE_FIN_PARTIAL = 8,  /* the FIN came in a first fragment: fin_end is a lower bound until acknowledged */
	SIDE_FIN_ANSWERS = 16, /* the FIN is the first acknowledgment of the other side's FIN, by its number */
	SIDE_FIN_AFTER_RESET = 32,   /* the FIN came after the RST that ended the connection */
	SIDE_ACKED_AFTER_RESET = 64, /* so did its acknowledgment */
	SIDE_FIN_DATA = 128,         /* the FIN's first copy carried payload */
};

struct flow_side {
	__u64 t_fin;       /* ns, first copy */
	__u64 t_fin_acked; /* ns, first acknowledgment that covers it */
	__u32 fin_end;     /* sequence number behind the FIN */
	__u32 fin_ack;     /* acknowledgment number that the FIN's first copy carried */
	__u32 end_at_ack;  /* now.end at the moment this side first acknowledged the other's FIN */
	struct numbers now;
	__u64 t_far; /* ns: a FIN ahead of all that was seen; 0: none. Its acknowledgment shows whether it was real */
	__u32 far_end, far_ack;
	__u64 t_copy, pause; /* ns: the FIN's last copy, and the time from the one before */
	__u8 backoffs;       /* pauses between copies that were longer than the one before */
	__u8 data_copies; /* segments from before the FIN that came after it, without an answer; 255: at least that */
	__u8 fin_copies;  /* retransmissions of the FIN; 255 means at least that */
	__u8 seen;        /* SIDE_ bits */
	__u32 text_end;   /* now.end, but not for ACKs alone: a FIN that was not captured may stand between the two */
};

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
	__u8 fate;   /* RESET_ bits */
	__u8 pad;
};
CORE_ASSERT_SIZE(struct flow_reset, 32);

enum {
	RESET_DENIED = 1,    /* its alleged sender went on as if it had sent none */
	RESET_ANSWERED = 2,  /* its receiver has sent an RST since, as a closed socket does */
	RESET_PROVOKED = 4,  /* its receiver has sent another segment since */
	RESET_GONE = 8,      /* its alleged sender has answered that as a closed socket does */
	RESET_FILTERED = 16, /* no socket of this host has sent it, but this host; see filter_made_it */
	RESET_OUTLIVED = 32, /* its receiver has sent what it cannot have sent before the RST arrived */
	RESET_AHEAD = 64,    /* its number is ahead of all that its side had sent in the capture */
};

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
	FLOW_PAIRED = 512,    /* each side was heard at another interface: for the recorder both are opening still */
	FLOW_ABRIDGED = 1024, /* what found no place in the log was added: numbers may be ahead of what follows */
	FLOW_BARE = 2048,     /* a filter for SYN, FIN and RST left nothing else of it: its numbers jump */
};
#define FLOW_DONE (FLOW_GRACEFUL | FLOW_RESET)

struct flow {
	struct flow_open open;
	struct flow_side side[2];
	struct flow_reset reset;
	struct flow_reset set_aside; /* one that its receiver seemed to survive; time 0: none */
	__u64 t_first;               /* first segment seen */
	__u64 t_last;                /* last segment seen */
	__u64 t_progress;            /* last time anything new was sent or acknowledged: copies are no progress */
	__u32 lost;                  /* segments that found no place in the log */
	__u32 challenged;            /* SYNs that an ACK of an older connection answered */
	__u32 duplicates; /* sightings of one segment twice (two hooks, mirrored ports), not retransmissions */
	__u16 state;      /* FLOW_ bits */
	__u16 log_len;
	__u8 heard_before;     /* bits of the sides that had been heard before the log began; of a half, or since */
	__u8 doubt;            /* DOUBT_ bits: of the numbers that the log began with */
	__u8 tunnel;           /* enum packet_tunnel */
	__u8 tunnel_has_id;    /* tunnel_id is known */
	__u8 icmp_side;        /* sender of the segment that the error is about */
	__u16 icmp;            /* type and code of an ICMP error that quotes a segment; 0: none */
	__u8 fin_missed;       /* bits of the sides whose FIN was captured as a copy alone, behind its acknowledgment */
	__u8 begun_late;       /* bits of the sides that were heard from their FIN on: an ACK may have passed before */
	__u8 reset_challenged; /* bit of the side whose last inexact RST was challenged: challenged_seq */
	__u32 challenged_seq;
	__u32 tunnel_id;
	/* Of a side that sent FINs with different ends: the end of the real one, which was acknowledged. */
	__u8 real_fin_known[2];
	__u32 real_fin[2];
	struct ip_address icmp_by; /* who sent it */
};

/* Does an ICMP error, type and code, say that the packet could not be delivered? RFC 792, RFC 4443 section 3.1. */
static inline bool icmp_unreachable(__u16 icmp, int family)
{
	if (family == 4)
		return icmp >> 8 == 3 && (icmp & 0xff) != 4; /* 4: too large, which is no matter of the destination */
	return icmp >> 8 == 1;
}

/* What they say of an RST is not certain before the connection has shown what it does afterwards. */
enum {
	DOUBT_NUMBERS = 1, /* they may be forged */
	DOUBT_WINDOW = 2,  /* the windows are not known */
};

/* The window (bytes) that a side offered last; see open_window. */
static inline __u32 flow_window(const struct flow *f, __u32 side, __u32 unknown)
{
	return open_window(&f->open, side, f->side[side].now.win, unknown);
}

/* ---- beginnings ---- */

/*
 * Prepares zeroed memory for a flow whose first segment this is; flow_step is to take the segment then. inside: the
 * tuple has a connection already.
 */
static inline void flow_init(struct flow *f, const struct tcp_segment *s, __u32 side, bool inside)
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

/* Takes over what is known of a side's numbers from somewhere else. */
static inline void flow_lend(struct flow *f, __u32 side, const struct numbers *n)
{
	struct numbers *me = &f->side[side].now;

	if (n->known & NUMBERS_END)
		me->end = f->side[side].text_end = n->end;
	if (n->known & NUMBERS_ACK)
		me->ack = n->ack;
	if (n->known)
		me->win = n->win;
	me->known |= n->known & (NUMBERS_END | NUMBERS_ACK);
}

/* ---- endings ---- */

/* Was anything seen of the side that the RST was sent to? Else nobody can say that it was taken. */
static inline bool flow_hears_receiver(const struct flow *f)
{
	return f->side[!f->reset.side].now.known || f->heard_before >> !f->reset.side & 1;
}

/*
 * Of what stands behind the RST in the log, does it come later? Two CPUs or queues swap what is close together. What
 * bears a time from long before came behind a clock that was set back.
 */
static inline bool flow_is_behind_reset(const struct flow *f, __u64 time)
{
	return time >= f->reset.time || f->reset.time - time > FLOW_OVERTAKEN_NS;
}

/* When a finished connection took its last step: the second FIN's acknowledgment, or the RST. */
static inline __u64 flow_end_time(const struct flow *f)
{
	__u64 a = f->side[0].t_fin_acked, b = f->side[1].t_fin_acked;

	if (f->state & FLOW_GRACEFUL)
		return a > b ? a : b;
	return f->reset.time;
}

/* Was of the handshake a SYN seen, and no SYN-ACK? */
static inline bool flow_lacks_synack(const struct flow *f)
{
	return (f->open.seen & (OPEN_SYN | OPEN_SYNACK)) == OPEN_SYN;
}

/* Does the destination send or acknowledge more than its SYN-ACK does? Then it has had the source's answer. */
static inline bool flow_destination_is_open(const struct flow *f)
{
	unsigned source = f->open.source & 1;
	const struct numbers *n = &f->side[!source].now;

	return f->open.seen & OPEN_SYNACK && n->known & NUMBERS_END && n->known & NUMBERS_ACK &&
	       (seq_after(n->end, f->open.isn[!source] + 1) ||
		seq_after(n->ack, f->open.isn[source] + 1 + f->open.syn_len));
}

/*
 * An unproven flow that nothing but a stray FIN or SYN-ACK speaks for, or a SYN inside a connection that goes on:
 * counted, never reported as a connection. A FIN is none where its sender was heard before, and the other side passes
 * elsewhere. A SYN that is repeated is reported: its sender waits for a connection, and
 * the other end still has an older one, or the numbers of that one were forged, so that it was over.
 */
static inline bool flow_is_stray(const struct flow *f)
{
	if (f->state & FLOW_PROVEN)
		return 0;
	if (f->state & FLOW_MIDSTREAM)
		return !f->heard_before;
	if (!(f->open.seen & OPEN_SYN))
		return !flow_destination_is_open(f);
	return !(f->state & FLOW_DONE) && (f->open.seen & (OPEN_INSIDE | OPEN_SYNACK)) == OPEN_INSIDE &&
	       !f->open.syn_copies;
}

/*
 * A closing flow's beginning, in zeroed memory, from what the established one kept. Its log begins after the handshake.
 */
static inline void flow_reopen(struct flow *f, const struct flow_open *o)
{
	f->open = *o;
	f->state = FLOW_PROVEN | FLOW_REOPENED;
	f->t_first = o->seen & OPEN_SYN ? o->t_syn : o->t_synack;
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
						 .count = 1u + o->syn_copies,
						 .win = o->win[0],
						 .flags = o->syn_flags,
						 .ttl = o->ttl[source],
						 .side = source,
						 .mark = SEGMENT_RECALLED};
	log[n++] = (struct flow_segment){.time = o->t_synack,
					 .seq = o->isn[!source],
					 .ack = after_syn,
					 .count = 1u + o->synack_copies,
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
