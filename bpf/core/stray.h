/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An RST of no known connection, as --strays tells of it: it leaves nothing in the tables. A stray FIN has a slot, as
 * the beginning of a close that was open before, until it is certain that nothing confirms it.
 */
#ifndef TCPFIN_STRAY_H
#define TCPFIN_STRAY_H

#include "bpf/core/flow_event.h"

/* At most so many come from the kernel in about a second (2^30 ns), so that a flood of them costs no more. */
#define STRAYS_A_SECOND 100
#define STRAYS_SECOND_SHIFT 30

enum stray_direction { STRAY_UNKNOWN, STRAY_IN, STRAY_OUT };

struct stray {
	struct notice head; /* NOTICE_STRAY; slot 0 */
	struct ip_address src, dst;
	__u32 seq, ack, len;
	__u32 ifindex;
	__u32 tags; /* as in struct tcp_segment: VLAN identifiers, or tunnel_id with TUNNEL_HAS_ID */
	__u16 sport, dport;
	__u16 win, ip_id;
	__u8 family; /* 4 or 6 */
	__u8 flags, ttl;
	__u8 direction; /* enum stray_direction: at the interface */
	__u8 tunnel;    /* enum packet_tunnel, with TUNNEL_HAS_ID */
	__u8 filter;    /* this host has sent it by no socket */
	__u8 pad[6];
};
CORE_ASSERT_SIZE(struct stray, 96);

/* Fills all but direction and filter. */
static __always_inline void stray_fill(struct stray *x, const struct tcp_segment *s, __u32 ifindex)
{
	x->head.time = s->time;
	x->head.slot = 0;
	x->head.generation = 0;
	x->head.kind = NOTICE_STRAY;
	x->head.pad = 0;
	x->src.hi = s->src.hi;
	x->src.lo = s->src.lo;
	x->dst.hi = s->dst.hi;
	x->dst.lo = s->dst.lo;
	x->seq = s->seq;
	x->ack = s->ack;
	x->len = s->len;
	x->ifindex = ifindex;
	x->tags = s->tunnel_id;
	x->sport = s->sport;
	x->dport = s->dport;
	x->win = s->win;
	x->ip_id = s->ip_id;
	x->family = s->family;
	x->flags = s->flags;
	x->ttl = s->ttl;
	x->tunnel = s->tunnel;
}

#endif
