/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Telling user space. The ring only carries news: a closing flow stays in its map until user space deletes it, so a
 * full ring delays a record and never loses it (the sweep announces it again).
 *
 * No event wakes the reader, who comes by every few milliseconds: wake-ups would be the larger part of the cost.
 */
#ifndef TCPFIN_EMIT_BPF_H
#define TCPFIN_EMIT_BPF_H

#include "traffic.bpf.h"

/* A short event about a closing flow that user space knows already. */
static __always_inline void emit_notice(const struct flow_key *key, __u32 kind)
{
	struct flow_event_head *e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);

	if (!e) {
		count(COUNT_RING_FULL); /* user space sees the count move and looks every record up again */
		return;
	}
	e->kind = kind;
	e->log_cap = 0;
	e->key = *key;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

/*
 * Announces a closing flow, whole. FLOW_ANNOUNCED is set by the caller, under the lock of the step that made the flow
 * worth announcing, so that one CPU only comes here; it is taken back when the ring is full.
 */
static __noinline int emit_closing(struct closing *c, const struct flow_key *key)
{
	struct flow_event *e;
	__u32 i;

	if (!c || !key)
		return 0;
	e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (!e) {
		bpf_spin_lock(&c->lock);
		c->body.flow.state &= ~FLOW_ANNOUNCED;
		c->body.flow.version++;
		bpf_spin_unlock(&c->lock);
		count(COUNT_RING_FULL);
		return 0;
	}
	e->head.kind = EVENT_CLOSING;
	e->head.log_cap = FLOW_LOG_CLOSING;
	e->head.key = *key;
	bpf_spin_lock(&c->lock);
	c->body.flow.state &= ~FLOW_NEWS; /* what changes from here on is news again */
	c->body.flow.version++;
	copy_rolled(&e->body.flow, &c->body.flow, sizeof(e->body.flow));
	rolled
	for (i = 0; i < FLOW_LOG_CLOSING && i < c->body.flow.log_len; i++)
		e->body.log[i] = c->body.log[i];
	bpf_spin_unlock(&c->lock);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 1;
}

/*
 * Reports an established flow that leaves its table without a close: another connection has taken its tuple
 * (FLOW_REPLACED), or it is idle (0).
 */
static __noinline int emit_open(const struct flow_open *open, const struct flow_key *key, __u32 state)
{
	struct flow_event *e;

	if (!open || !key)
		return 0;
	e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (!e) {
		count(COUNT_RECORDS_LOST);
		traffic_forget(key);
		return 0;
	}
	e->head.kind = EVENT_UNPROVEN;
	e->head.log_cap = FLOW_LOG_CLOSING;
	e->head.key = *key;
	zero_rolled(&e->body.flow, sizeof(e->body.flow));
	flow_reopen(&e->body.flow, open);
	e->body.flow.state |= state;
	if (settings.all_segments)
		traffic_tell(key, e);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Reports the unproven flow at hand, which a new attempt has replaced. */
static __always_inline void emit_replaced_attempt(struct work *w)
{
	w->head.kind = EVENT_UNPROVEN;
	w->head.log_cap = FLOW_LOG_UNPROVEN;
	w->head.key = w->key;
	w->value.body.flow.state |= FLOW_REPLACED;
	if (bpf_ringbuf_output(&ring, &w->head, sizeof(struct flow_event), BPF_RB_NO_WAKEUP))
		count(COUNT_RECORDS_LOST);
}

#endif
