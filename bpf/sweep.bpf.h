/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is to be reported because its time has come: closing flows that have settled, whose keys user space has from the
 * notices, and what only a look at all finds: handshakes that nobody answered, closes that nobody finished, ends whose
 * notice found the ring full. User space runs the sweep through BPF_PROG_TEST_RUN; it needs no timer in the kernel (a
 * bpf_timer a flow fails with ENOMEM in bursts) and no copy of the tables in user space.
 */
#ifndef TCPFIN_SWEEP_BPF_H
#define TCPFIN_SWEEP_BPF_H

#include "bpf/track.bpf.h"

struct sweep {
	struct sweep_request request;
	/*
	 * Whole words, and no padding between them: see core/verifier.h. Without CAP_PERFMON nothing is passed on that
	 * was not written.
	 */
	__u64 now;
	__u64 emitted;
	__u64 slots; /* used */
	__u64 full;  /* the ring is: go on later */
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

/* Should the closing flow be reported now? */
static __always_inline flag_t sweep_closing_due(const struct sweep *s, const struct flow *f)
{
	return f->state & FLOW_REPLACED || sweep_wants(s, f);
}

/* Takes a due entry out and reports it. Entries of a full ring stay. */
__noinline int sweep_unproven_entry(struct sweep *s, __u32 index, __u32 i)
{
	struct unproven_set *set = bpf_map_lookup_elem(&unproven, &index);
	struct flow_event *event;
	struct unproven *e;
	__u32 way = i & (UNPROVEN_WAYS - 1);
	flag_t due = 0, stray = 0;
	struct flow_key key = {};

	if (!s || !set)
		return 0;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		s->full = 1;
		return 0;
	}
	e = &element(set->entry, way);
	bpf_spin_lock(&set->lock);
	if (element(set->tag, way) && sweep_unproven_due(s, &e->flow)) {
		due = 1;
		key = e->key;
		stray = flow_is_stray(&e->flow);
		if (stray) /* never reported, so nothing is to be recognised */
			unproven_assign(set, way, 0);
		e->flow.state |= FLOW_TOMBSTONE;
		e->flow.version++;
		event->head.key = key;
		event->body.flow = e->flow;
		__builtin_memcpy(event->body.log, e->log, sizeof(e->log));
	}
	bpf_spin_unlock(&set->lock);
	if (!due || stray) {
		if (due)
			count(COUNT_STRAY);
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
	} else {
		if (!bpf_map_lookup_elem(&established, &key)) /* the conversation around it would go on */
			conversation_ended(&key);
		event->head.kind = EVENT_UNPROVEN;
		bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
		s->emitted++;
	}
	if (due)
		watch_lower(key.hash);
	return 0;
}

static long sweep_unproven_set(__u32 n, struct sweep *s)
{
	__u32 index = (s->request.first_set + n) & settings.unproven_mask, i;
	struct unproven_set *set = bpf_map_lookup_elem(&unproven, &index);

	if (!set)
		return 1;
	unrolled for (i = 0; i < UNPROVEN_WAYS; i++)
	{
		/* A glance without the lock; what looks due is judged again under it. */
		if (set->tag[i] && sweep_unproven_due(s, &set->entry[i].flow))
			sweep_unproven_entry(s, index, i);
	}
	return s->full ? 1 : 0;
}

/* Copies the flow of the slot's key into it, if it is due, and bars it from further steps. Returns whether it was. */
static __always_inline flag_t collect_body(const struct sweep *s, struct closing *c, struct flow_event *e)
{
	flag_t due;
	__u32 i;

	bpf_spin_lock(&c->lock);
	due = c->hash == e->head.key.hash && sweep_closing_due(s, &c->body.flow);
	if (due) {
		c->hash = ~c->hash;
		e->body.flow = c->body.flow;
		unrolled for (i = 0; i < FLOW_LOG_CLOSING && i < c->body.flow.log_len; i++)
			e->body.log[i] = c->body.log[i];
	}
	bpf_spin_unlock(&c->lock);
	return due;
}

/* Moves the closing flow of the slot's key from its table into the slot, if it is due. */
static __noinline void collect(struct sweep *s, struct collect_slot *slot)
{
	struct flow_event *e;
	struct closing *c;

	e = &slot->event;
	e->head.kind = EVENT_NONE;
	slot->counted = 0;
	c = bpf_map_lookup_elem(&closing, &e->head.key);
	if (!c || !collect_body(s, c, e))
		return;
	traffic_collect(slot);
	if (!(e->body.flow.state & (FLOW_DONE | FLOW_REPLACED))) /* an end that came with no step */
		closing_bury(&e->head.key, &e->body.flow);
	bpf_map_delete_elem(&closing, &e->head.key);
	/* Never before it is gone from its table: the filter must never hide a step. */
	if (e->body.flow.state & FLOW_SETTLING)
		__sync_fetch_and_add(&watch.settling[watch_index(e->head.key.hash)], -1);
	else
		watch_lower(e->head.key.hash);
	if (e->head.key.generation)
		__sync_fetch_and_add(&reused_tuples, -1);
	e->head.kind = EVENT_COLLECTED;
	s->emitted++;
}

static long sweep_slot(__u32 n, struct sweep *s)
{
	struct collect_slot *slot = bpf_map_lookup_elem(&slots, &n);

	if (!slot)
		return 1;
	collect(s, slot);
	return 0;
}

static long sweep_closing(void *map, struct flow_key *key, struct closing *value, struct sweep *s)
{
	struct collect_slot *slot;

	if (!sweep_closing_due(s, &value->body.flow))
		return 0;
	slot = bpf_map_lookup_elem(&slots, &s->slots);
	if (!slot) /* no more of them: go on later */
		return 1;
	slot->event.head.key = *key;
	collect(s, slot);
	s->slots++;
	return 0;
}

/*
 * Takes an established flow out of its table, and reports it if it is to be shown. One that finds the ring full stays
 * for the next round.
 */
static __noinline int established_leave(struct sweep *s, struct established *e, const struct flow_key *key)
{
	flag_t armed;

	if (!s->request.show_open)
		traffic_forget(key);
	else if (!emit_open(&e->open, key, 0))
		return 0;
	else
		s->emitted++;
	armed = (e->open.idle & FLOW_IDLE_PROBE) != 0;
	if (bpf_map_delete_elem(&established, key))
		return 1; /* it has begun to close meanwhile */
	if (armed)
		watch_lower(key->hash);
	if (!s->request.flush)
		count(COUNT_IDLE_FORGOTTEN);
	return 1;
}

static long sweep_established(void *map, struct flow_key *key, struct established *value, struct sweep *s)
{
	enum flow_idle idle = FLOW_IDLE_FORGET;
	struct flow_key k = *key;
	struct established *e = bpf_map_lookup_elem(&established, &k);

	if (!e)
		return 0;
	if (!s->request.flush) {
		bpf_spin_lock(&e->lock);
		idle = flow_idle_round(&e->open);
		bpf_spin_unlock(&e->lock);
	}
	if (idle == FLOW_IDLE_ARMED)
		watch_raise(k.hash);
	if (idle != FLOW_IDLE_FORGET)
		return 0;
	return !established_leave(s, e, &k);
}

/* Returns the number of flows that were reported. */
static __always_inline __u32 sweep_run(void)
{
	struct sweep s = {.request = sweep_request, .now = clock_now()};

	s.slots = s.request.collect;
	bpf_loop(s.request.collect, sweep_slot, &s, 0);
	bpf_loop(s.request.sets, sweep_unproven_set, &s, 0);
	if (s.request.closing)
		bpf_for_each_map_elem(&closing, sweep_closing, &s, 0);
	if (s.request.established)
		bpf_for_each_map_elem(&established, sweep_established, &s, 0);
	slots_used = s.slots;
	return s.emitted;
}

#endif
