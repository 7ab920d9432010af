/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stray RST as a flow of one segment, so that it takes the way of every other record.
 */
#ifndef TCPFIN_STRAY_FLOW_H
#define TCPFIN_STRAY_FLOW_H

#include "bpf/core/stray.h"
#include "user/judge/flow.h"
#include "user/sockets/flow_key.h"

/* Side 0 is the sender: nothing else knows this key. */
static inline struct flow_key stray_key(const struct stray *x)
{
	return (struct flow_key){
		.addr = {x->src, x->dst}, .port = {x->sport, x->dport}, .ifindex = x->ifindex, .family = x->family};
}

/* Fills *f, and log with its only segment. */
static inline void stray_flow(const struct stray *x, struct flow *f, struct flow_segment log[1])
{
	*f = (struct flow){.state = FLOW_MIDSTREAM | FLOW_BEGUN | FLOW_RESET, .log_len = 1};
	f->t_first = f->t_last = f->t_progress = x->head.time;
	f->open.wscale[0] = f->open.wscale[1] = SEGMENT_NO_WSCALE;
	f->open.vlan[0] = x->tunnel & TUNNEL_HAS_ID ? PACKET_NO_TAG : (__u16)x->tags;
	f->open.vlan[1] = x->tunnel & TUNNEL_HAS_ID ? PACKET_NO_TAG : (__u16)(x->tags >> 16);
	f->tunnel = x->tunnel & ~TUNNEL_HAS_ID;
	f->tunnel_has_id = (x->tunnel & TUNNEL_HAS_ID) != 0;
	f->tunnel_id = f->tunnel_has_id ? x->tags : 0;
	f->reset = (struct flow_reset){.time = x->head.time,
				       .seq = x->seq,
				       .ack = x->ack,
				       .win = x->win,
				       .ip_id = x->ip_id,
				       .flags = x->flags,
				       .validity = RESET_UNKNOWN,
				       .ttl = x->ttl,
				       .mptcp = SEGMENT_NO_MPTCP,
				       .fate = x->filter ? RESET_FILTERED : 0};
	log[0] = (struct flow_segment){.time = x->head.time,
				       .seq = x->seq,
				       .ack = x->ack,
				       .len = x->len,
				       .count = 1,
				       .win = x->win,
				       .ip_id = x->ip_id,
				       .flags = x->flags,
				       .ttl = x->ttl};
}

/* The side that sent the first FIN or RST of a flow to which nothing else belongs; -1: there is none. */
static inline int stray_sender(const struct flow *f, const struct flow_segment *log)
{
	for (unsigned i = 0; i < f->log_len; i++)
		if (log[i].flags & (TCP_FIN | TCP_RST))
			return log[i].side;
	return -1;
}

#endif
