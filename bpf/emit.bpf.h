/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Telling user space. Of closing flows, the ring carries no more than notices: they stay in their table until user
 * space collects them (sweep.bpf.h), so a full ring delays a record and never loses it.
 *
 * No event wakes the reader, who comes by every few milliseconds: wake-ups would be the larger part of the cost.
 */
#ifndef TCPFIN_EMIT_BPF_H
#define TCPFIN_EMIT_BPF_H

#include "bpf/traffic.bpf.h"

/*
 * A notice about a closing flow. The flow stays in its table: without the notice, which is lost if the ring is full, a
 * sweep finds it.
 */
static __noinline int emit_notice(const struct flow_key *key, __u32 kind, __u64 time)
{
	struct flow_event *e;

	e = bpf_ringbuf_reserve(&ring, FLOW_NOTICE_BYTES, 0);
	if (!e) {
		count(COUNT_RING_FULL);
		return 0;
	}
	e->head.kind = kind;
	e->head.key = *key;
	e->time = time;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

/*
 * Reports an established flow that leaves its table without a close: another connection has taken its tuple
 * (FLOW_REPLACED), or it is idle, or watching ends (0). Returns 0 where the ring is full.
 */
static __noinline int emit_open(const struct flow_open *open, const struct flow_key *key, __u32 state)
{
	struct flow_event *e;

	e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (!e)
		return 0;
	e->head.kind = EVENT_UNPROVEN;
	e->head.key = *key;
	__builtin_memset(&e->body.flow, 0, sizeof(e->body.flow));
	flow_reopen(&e->body.flow, open);
	e->body.flow.state |= state;
	if (settings.all_segments)
		traffic_tell(key, e);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 1;
}

/* Reports the unproven flow at hand, which a new attempt has replaced. */
static __always_inline void emit_replaced_attempt(struct work *w)
{
	w->head.kind = EVENT_UNPROVEN;
	w->head.key = w->key;
	w->value.body.flow.state |= FLOW_REPLACED;
	if (bpf_ringbuf_output(&ring, &w->head, sizeof(struct flow_event), BPF_RB_NO_WAKEUP))
		count(COUNT_RECORDS_LOST);
}

#endif
