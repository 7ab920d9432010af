/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all segments of a connection add up to, for --all-segments: counted from its handshake on, each side by itself.
 *
 * No lock: a side's segments pass one CPU at a time as good as always (its sender's socket lock, its receiver's queue).
 * Where two CPUs do meet, packets and bytes stay exact, and the rest is off by one segment.
 */
#ifndef TCPFIN_TRAFFIC_H
#define TCPFIN_TRAFFIC_H

#include "bpf/core/black_hole.h"

#define TRAFFIC_RUNS 16

/* So many segments with the same flags, one after another. */
struct traffic_run {
	__u32 count;
	__u8 flags;
	__u8 pad[3];
};

/* A packet that was counted. */
struct traffic_packet {
	__u32 seq, sum; /* sum: of its other numbers, IP id included */
	__u32 time;     /* units of 1024 ns, as exact as t_data */
};

/* So many of a side are known again: a mirror port may send several packets before the copy of the first one. */
#define TRAFFIC_LAST 4

struct traffic_side {
	__u64 recent; /* packets and bytes that are not in these yet: see traffic_add */
	__u64 packets;
	__u64 bytes; /* payload, retransmissions included */
	__u64 retransmitted_bytes;
	__u64 t_data;      /* ns, last segment with payload; in the kernel as exact as a clock tick */
	__u32 retransmits; /* segments with payload below the highest byte sent before (or overtaken by it) */
	__u32 end;         /* the highest byte's sequence number, plus one */
	__u32 runs;        /* used */
	__u32 runs_lost;   /* segments that found no place in them */
	__u32 twice;       /* packets seen a second time, which count once */
	__u32 noted;       /* packets that were, since the handshake */
	struct traffic_packet last[TRAFFIC_LAST];
	struct traffic_run run[TRAFFIC_RUNS];
};

enum {
	TRAFFIC_HALF = 1,  /* from the first segment behind its SYN or SYN-ACK on: the other side may pass elsewhere */
	TRAFFIC_WHOLE = 2, /* from its complete handshake on */
};

struct traffic {
	__u32 begun;     /* TRAFFIC_; 0: nothing was counted */
	__u16 ip_id[2];  /* by side: of SYN or SYN-ACK */
	__u64 t_open[2]; /* ns, by side: of the same */
	__u32 isn[2];    /* whose it is, as slot and tuple may be another connection's soon */
	struct traffic_side side[2];
	struct black_hole hole;
};
CORE_ASSERT_SIZE(struct traffic, 592);

/* `count` segments with the same flags. */
static __always_inline void traffic_run_add(struct traffic_side *t, __u8 flags, __u32 count)
{
	__u32 last = t->runs - 1;

	opaque(last);
	if (last < TRAFFIC_RUNS && t->run[last].flags == flags && !t->runs_lost) {
		t->run[last].count += count;
		return;
	}
	last++;
	opaque(last);
	if (last >= TRAFFIC_RUNS || t->runs_lost) {
		t->runs_lost += count;
		return;
	}
	t->run[last].flags = flags;
	t->run[last].count = count;
	t->runs = last + 1;
}

/* Payload of `len` bytes from `seq` on. */
static __always_inline void traffic_payload(struct traffic_side *t, __u32 seq, __u32 len, __u64 now)
{
	__u32 old = t->end - seq; /* of its bytes, so many had been sent */

	t->t_data = now;
	if (seq_after(seq + len, t->end))
		t->end = seq + len;
	if ((__s32)old <= 0)
		return;
	t->retransmits++;
	t->retransmitted_bytes += old < len ? old : len;
}

/* Bits of traffic_side.recent: bytes, packets above them. Half the packets never fill the bytes (segments of 4 MiB). */
#define TRAFFIC_PACKET_SHIFT 42
#define TRAFFIC_RECENT_BYTES ((1ULL << TRAFFIC_PACKET_SHIFT) - 1)

/*
 * One atomic operation counts both. The segment that reaches half of the packets that there is room for, and no other
 * one, moves what it has seen to where there is more.
 */
static __always_inline void traffic_add(struct traffic_side *t, __u32 len)
{
	__u64 add = (1ULL << TRAFFIC_PACKET_SHIFT) + len, before = __sync_fetch_and_add(&t->recent, add);

	if (!(~before & (before + add) & 1ULL << 63))
		return;
	add += before;
	__sync_fetch_and_add(&t->packets, add >> TRAFFIC_PACKET_SHIFT);
	__sync_fetch_and_add(&t->bytes, add & TRAFFIC_RECENT_BYTES);
	__sync_fetch_and_add(&t->recent, 0 - add);
}

static inline __u64 traffic_packets(const struct traffic_side *t)
{
	return t->packets + (t->recent >> TRAFFIC_PACKET_SHIFT);
}

static inline __u64 traffic_bytes(const struct traffic_side *t)
{
	return t->bytes + (t->recent & TRAFFIC_RECENT_BYTES);
}

/* The packet as it is known again. now: ns. */
static __always_inline struct traffic_packet traffic_packet_of(const struct tcp_segment *s, __u64 now)
{
	return (struct traffic_packet){
		.seq = s->seq,
		.sum = s->ack + s->len * 0x9e3779b1 + s->ip_id * 0x85ebca6b + ((__u32)s->flags << 24),
		.time = (__u32)(now >> 10),
	};
}

/* Is every packet of the side seen twice, as by a mirror port? Then half of them are known again. */
static __always_inline flag_t traffic_is_mirrored(const struct traffic_side *t)
{
	return 3 * t->twice > t->noted;
}

/*
 * The handshake's ACK has its exact time, which the coarse clock reaches a tick later: so much (units of 1024 ns) a
 * packet may seem to come before it.
 */
#define TRAFFIC_CLOCK_BEHIND (1 << 14)

/* Is it the packet before, so many ns ago at most? In the top bit. */
static __always_inline __u64 traffic_is_same(const struct traffic_packet *p, const struct traffic_packet *before,
					     __u64 within)
{
	__u64 differs = (p->seq ^ before->seq) | (p->sum ^ before->sum);
	__u64 age = (__u32)(p->time - before->time + TRAFFIC_CLOCK_BEHIND);

	return (differs - 1) & (age - TRAFFIC_CLOCK_BEHIND - (within >> 10));
}

/*
 * Was it the side's last packet within so many ns, or with `any` one of the last? Without a branch a packet, since each
 * would double the verifier's paths.
 */
static __always_inline flag_t traffic_is_known(const struct traffic_side *t, const struct traffic_packet *p,
					       __u64 within, flag_t any)
{
	__u64 last = traffic_is_same(p, &t->last[0], within), others = 0;
	__u32 i;

	unrolled for (i = 1; i < TRAFFIC_LAST; i++) others |= traffic_is_same(p, &t->last[i], within);
	return last >> 63 || (any && others >> 63);
}

/* Is it the SYN or SYN-ACK that the connection was opened with? One that is sent again at once has another IP id. */
static __always_inline flag_t traffic_is_opening(const struct traffic *t, const struct tcp_segment *s, __u32 side,
						 __u64 now)
{
	return segment_is_syn(s) && of_side(t->ip_id, side) == s->ip_id &&
	       (__s64)(now - of_side(t->t_open, side)) < (__s64)FLOW_DUPLICATE_NS;
}

/*
 * Is the packet one of the side's last ones, seen a second time by another hook or at a mirrored port? Equal in all, IP
 * id included. Without one (IPv6, or an id of 0) data may be repeated as fast, and an ACK may be a duplicate ACK: only
 * the last one may be the same then, and of ACKs none, unless a side is mirrored or the peer has said nothing since the
 * handshake. Notes it for the next one. now: ns, as exact as a tick (ns): two sightings may seem to be a tick apart.
 */
recorder_code int traffic_seen_twice(struct traffic *traffic, const struct tcp_segment *s, __u32 side, __u64 now,
				     __u64 tick)
{
	const struct traffic_side *peer;
	flag_t mirrored, sure, twice;
	struct traffic_packet packet;
	struct traffic_side *t;
	__u64 within;
	__u32 i;

	if (!traffic || !s)
		return 0;
	t = &of_side(traffic->side, side);
	peer = &of_side(traffic->side, !side);
	packet = traffic_packet_of(s, now);
	mirrored = traffic_is_mirrored(t) || traffic_is_mirrored(peer);
	sure = s->ip_id || mirrored;
	within = twin_within(s->flags, s->ip_id) + (sure ? tick : 0);
	twice = (sure || s->len || segment_is_syn(s) || (traffic->begun == TRAFFIC_WHOLE && !peer->noted)) &&
		traffic_is_known(t, &packet, within, sure);
	if (traffic_is_opening(traffic, s, side, now))
		twice = 1;
	unrolled for (i = TRAFFIC_LAST - 1; i > 0; i--) t->last[i] = t->last[i - 1];
	t->last[0] = packet;
	t->noted += t->noted != ~0u;
	t->twice += twice;
	return twice;
}

/* Is it one of the connection? A SYN or SYN-ACK may be of the tuple's next one. */
static __always_inline flag_t traffic_takes(const struct traffic *t, const struct tcp_segment *s, __u32 side)
{
	return !segment_is_syn(s) || of_side(t->isn, side) == s->seq;
}

/* Is it the traffic of the connection that was opened so? */
static __always_inline flag_t traffic_is_of(const struct traffic *t, const struct flow_open *o)
{
	return t->begun && t->isn[0] == o->isn[0] && t->isn[1] == o->isn[1];
}

/* Adds a segment of the side that was not seen before. now: ns. */
static __always_inline void traffic_count(struct traffic *traffic, const struct tcp_segment *s, __u32 side, __u64 now)
{
	struct traffic_side *t = &of_side(traffic->side, side);

	black_hole_note(&traffic->hole, s, side);
	traffic_add(t, s->len);
	traffic_run_add(t, s->flags, 1);
	if (s->len)
		traffic_payload(t, s->seq, s->len, now);
}

/* Adds a segment of the side, unless it is seen twice. now: ns, as exact as a tick (ns). */
static __always_inline void traffic_note(struct traffic *traffic, const struct tcp_segment *s, __u32 side, __u64 now,
					 __u64 tick)
{
	if (!traffic_seen_twice(traffic, s, side, now, tick))
		traffic_count(traffic, s, side, now);
}

/* A SYN or SYN-ACK and its copies; the second one's end is that of its payload. */
static __always_inline void traffic_opening(struct traffic_side *t, __u32 isn, __u32 len, __u8 flags, __u32 copies)
{
	t->packets += 1 + copies;
	t->bytes += (__u64)len * (1 + copies);
	t->end = isn + 1 + len;
	traffic_run_add(t, flags, 1 + copies);
	if (!len)
		return;
	t->retransmits += copies;
	t->retransmitted_bytes += (__u64)len * copies;
}

/*
 * Begins, in zeroed memory, with what was seen of the handshake. ip_id: of SYN and SYN-ACK, as in flow_slot. begun:
 * TRAFFIC_.
 */
static __always_inline void traffic_begin(struct traffic *traffic, const struct flow_open *o, const __u16 ip_id[2],
					  __u32 begun)
{
	__u32 source = o->source & 1;

	traffic->begun = begun;
	traffic->isn[0] = o->isn[0];
	traffic->isn[1] = o->isn[1];
	of_side(traffic->t_open, source) = o->t_syn;
	of_side(traffic->t_open, !source) = o->t_synack;
	of_side(traffic->ip_id, source) = ip_id[0];
	of_side(traffic->ip_id, !source) = ip_id[1];
	if (o->seen & OPEN_SYN)
		traffic_opening(&of_side(traffic->side, source), of_side(o->isn, source), o->syn_len, o->syn_flags,
				o->syn_copies);
	else
		of_side(traffic->side, source).end = of_side(o->isn, source) + 1;
	if (o->seen & OPEN_SYN && o->syn_len)
		of_side(traffic->side, source).t_data = o->t_syn;
	if (o->seen & OPEN_SYNACK)
		traffic_opening(&of_side(traffic->side, !source), of_side(o->isn, !source), 0, o->synack_flags,
				o->synack_copies);
}

/* Notes the side's first packet behind the handshake, to know it again. Apart: prove() has little stack left. */
recorder_code int traffic_note_first(struct traffic *traffic, const struct tcp_segment *s, __u32 side)
{
	struct traffic_side *t;

	if (!traffic || !s)
		return 0;
	t = &of_side(traffic->side, side);
	t->last[0] = traffic_packet_of(s, s->time);
	t->noted = 1;
	return 0;
}

/* The same once the handshake is complete with s, of that side. */
static __always_inline void traffic_begin_whole(struct traffic *traffic, const struct flow_open *o,
						const __u16 ip_id[2], const struct tcp_segment *s, __u32 side)
{
	traffic_begin(traffic, o, ip_id, TRAFFIC_WHOLE);
	black_hole_begin(&traffic->hole, o, side);
	traffic_note_first(traffic, s, side);
	traffic_count(traffic, s, side, s->time);
}

#endif
