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
	__u32 last_seq, last_ack, last_len;
	__u64 t_last; /* ns, of the last packet, as exact as t_data; the fields around it are of that packet, too */
	__u16 last_id;
	__u8 last_flags;
	__u8 pad[5];
	struct traffic_run run[TRAFFIC_RUNS];
};

enum {
	TRAFFIC_HALF = 1,  /* from the first segment behind its SYN or SYN-ACK on: the other side may pass elsewhere */
	TRAFFIC_WHOLE = 2, /* from its complete handshake on */
};

struct traffic {
	__u64 begun;  /* TRAFFIC_; 0: nothing was counted */
	__u32 isn[2]; /* whose it is, as slot and tuple may be another connection's soon */
	struct traffic_side side[2];
	struct black_hole hole;
};
CORE_ASSERT_SIZE(struct traffic, 528);

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

/*
 * Is the packet the side's last one, seen a second time by another hook or at a mirrored port? Equal in all, IP id
 * included. Without one (IPv6, or an id of 0) an ACK may be a duplicate ACK, unless the peer's were seen twice or that
 * one has said nothing since the handshake. Notes it for the next one.
 */
recorder_code int traffic_seen_twice(struct traffic *traffic, const struct tcp_segment *s, __u32 side, __u64 now)
{
	const struct traffic_side *peer;
	struct traffic_side *t;
	flag_t twice;

	if (!traffic || !s)
		return 0;
	t = &of_side(traffic->side, side);
	peer = &of_side(traffic->side, !side);
	twice = t->last_id == s->ip_id && t->last_seq == s->seq && t->last_ack == s->ack && t->last_len == s->len &&
		t->last_flags == s->flags && now - t->t_last < FLOW_DUPLICATE_NS &&
		(s->ip_id || s->len || peer->twice || (traffic->begun == TRAFFIC_WHOLE && !peer->t_last));
	t->last_id = s->ip_id;
	t->last_seq = s->seq;
	t->last_ack = s->ack;
	t->last_len = s->len;
	t->last_flags = s->flags;
	t->t_last = now;
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

/* Adds a segment of the side. now: ns. */
static __always_inline void traffic_note(struct traffic *traffic, const struct tcp_segment *s, __u32 side, __u64 now)
{
	struct traffic_side *t = &of_side(traffic->side, side);

	if (traffic_seen_twice(traffic, s, side, now))
		return;
	black_hole_note(&traffic->hole, s, side);
	traffic_add(t, s->len);
	traffic_run_add(t, s->flags, 1);
	if (s->len)
		traffic_payload(t, s->seq, s->len, now);
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

/* Begins, in zeroed memory, with what was seen of the handshake. begun: TRAFFIC_. */
static __always_inline void traffic_begin(struct traffic *traffic, const struct flow_open *o, __u64 begun)
{
	__u32 source = o->source & 1;

	traffic->begun = begun;
	traffic->isn[0] = o->isn[0];
	traffic->isn[1] = o->isn[1];
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

/* The same once the handshake is complete with s, of that side. */
static __always_inline void traffic_begin_whole(struct traffic *traffic, const struct flow_open *o,
						const struct tcp_segment *s, __u32 side)
{
	traffic_begin(traffic, o, TRAFFIC_WHOLE);
	black_hole_begin(&traffic->hole, o, side);
	traffic_note(traffic, s, side, s->time);
}

#endif
