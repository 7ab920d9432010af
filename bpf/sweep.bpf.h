/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What only time can end: handshakes that nobody answered, closes that nobody finished, records that found the ring
 * full. User space runs the sweep through BPF_PROG_TEST_RUN every now and then; it needs no timer in the kernel (a
 * bpf_timer a flow fails with ENOMEM in bursts) and no copy of the tables in user space.
 */
#ifndef TCPFIN_SWEEP_BPF_H
#define TCPFIN_SWEEP_BPF_H

#include "track.bpf.h"

struct sweep {
	struct sweep_request request;
	__u64 now;
	__u32 emitted;
	__u32 full; /* the ring is: go on later */
};

static __always_inline flag_t sweep_wants(const struct sweep *s, const struct flow *f)
{
	return s->request.flush || flow_is_due(f, s->now, &s->request.timeouts);
}

/* Should the unproven flow be reported and forgotten now? */
static __always_inline flag_t sweep_unproven_due(const struct sweep *s, const struct flow *f)
{
	return !(f->state & FLOW_TOMBSTONE) && sweep_wants(s, f);
}

/*
 * Should the closing flow be announced now? Finished ones are announced at once (user space waits for them to settle),
 * so those found here had met a full ring.
 */
static __always_inline flag_t sweep_closing_due(const struct sweep *s, const struct flow *f)
{
	return !(f->state & FLOW_ANNOUNCED) && (f->state & (FLOW_DONE | FLOW_REPLACED) || sweep_wants(s, f));
}

/* Takes a due entry out and reports it. Entries of a full ring stay. */
__noinline int sweep_unproven_entry(struct sweep *s, __u32 index, __u32 i)
{
	struct unproven_set *set = bpf_map_lookup_elem(&unproven, &index);
	struct flow_event *event;
	struct unproven *e;
	flag_t due = 0, stray = 0;
	__u32 hash = 0;

	if (!s || !set)
		return 0;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		s->full = 1;
		return 0;
	}
	e = &set->entry[i & (UNPROVEN_WAYS - 1)];
	bpf_spin_lock(&set->lock);
	if (set->tag[i & (UNPROVEN_WAYS - 1)] && sweep_unproven_due(s, &e->flow)) {
		due = 1;
		hash = e->key.hash;
		stray = flow_is_stray(&e->flow);
		if (stray) /* never reported, so nothing is to be recognised */
			set->tag[i & (UNPROVEN_WAYS - 1)] = 0;
		e->flow.state |= FLOW_TOMBSTONE;
		e->flow.version++;
		event->head.key = e->key;
		event->body.flow = e->flow;
		__builtin_memcpy(event->body.log, e->log, sizeof(e->log));
	}
	bpf_spin_unlock(&set->lock);
	if (!due || stray) {
		if (due)
			count(COUNT_STRAY);
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
	} else {
		event->head.kind = EVENT_UNPROVEN;
		event->head.log_cap = FLOW_LOG_UNPROVEN;
		bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
		s->emitted++;
	}
	if (due)
		watch_lower(hash);
	return 0;
}

static long sweep_unproven_set(__u32 n, struct sweep *s)
{
	__u32 index = (s->request.first_set + n) & settings.unproven_mask, i;
	struct unproven_set *set = bpf_map_lookup_elem(&unproven, &index);

	if (!set)
		return 1;
	for (i = 0; i < UNPROVEN_WAYS; i++) {
		/* A glance without the lock; what looks due is judged again under it. */
		if (set->tag[i] && sweep_unproven_due(s, &set->entry[i].flow))
			sweep_unproven_entry(s, index, i);
	}
	return s->full ? 1 : 0;
}

static long sweep_closing(void *map, struct flow_key *key, struct closing *value, struct sweep *s)
{
	struct flow_key k = *key;
	struct closing *c;
	flag_t due;

	if (!sweep_closing_due(s, &value->body.flow))
		return 0;
	c = bpf_map_lookup_elem(&closing, &k); /* kernel 6.1 takes no lock in a callback's value */
	if (!c)
		return 0;
	bpf_spin_lock(&c->lock);
	due = sweep_closing_due(s, &c->body.flow);
	if (due)
		c->body.flow.state |= FLOW_ANNOUNCED;
	c->body.flow.version++;
	bpf_spin_unlock(&c->lock);
	if (!due)
		return 0;
	if (!emit_closing(c, &k))
		return 1;
	unproven_bury(&k, &c->body.flow);
	s->emitted++;
	return 0;
}

static long sweep_established(void *map, struct flow_key *key, struct established *value, struct sweep *s)
{
	struct flow_key k = *key;
	struct established *e = bpf_map_lookup_elem(&established, &k);
	enum flow_idle idle;

	if (!e)
		return 0;
	bpf_spin_lock(&e->lock);
	idle = flow_idle_round(&e->open);
	bpf_spin_unlock(&e->lock);
	if (idle == FLOW_IDLE_ARMED)
		watch_raise(k.hash);
	if (idle != FLOW_IDLE_FORGET)
		return 0;
	if (s->request.show_open)
		emit_open(&e->open, &k, 0);
	else
		traffic_forget(&k);
	count(COUNT_IDLE_FORGOTTEN);
	if (!bpf_map_delete_elem(&established, &k))
		watch_lower(k.hash);
	return 0;
}

/* Returns the number of records that were reported. */
static __always_inline __u32 sweep_run(void)
{
	struct sweep s = {.request = sweep_request, .now = clock_now()};

	bpf_loop(s.request.sets, sweep_unproven_set, &s, 0);
	if (s.request.closing)
		bpf_for_each_map_elem(&closing, sweep_closing, &s, 0);
	if (s.request.established)
		bpf_for_each_map_elem(&established, sweep_established, &s, 0);
	return s.emitted;
}

#endif
