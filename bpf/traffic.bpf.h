/* SPDX-License-Identifier: GPL-2.0 */
/*
 * --all-segments: what the segments of each connection add up to, in a table of its own beside the flows. Without the
 * option all of this is dead code to the verifier, which takes it out.
 *
 * An entry is the tuple's current connection's from the end of its handshake to its report. When another connection takes
 * the tuple before that, it moves to a key of its own (TRAFFIC_MOVED), where user space finds it.
 */
#ifndef TCPFIN_TRAFFIC_BPF_H
#define TCPFIN_TRAFFIC_BPF_H

#include "maps.bpf.h"

/* ns, as exact as a clock tick: that is enough for an idle time, and costs a tenth of the exact clock. */
static __always_inline __u64 traffic_clock(void)
{
	return settings.test_clock ? test_now : bpf_ktime_get_coarse_ns();
}

static __always_inline void traffic_count(const struct tcp_segment *s, __u32 side, __u32 ifindex, __u32 hash)
{
	struct flow_key key;
	struct traffic *t;

	if (s->flags & TCP_SYN) /* perhaps of the tuple's next connection */
		return;
	flow_key_fill(&key, s, side, ifindex, hash);
	t = bpf_map_lookup_elem(&traffic, &key);
	if (t)
		traffic_note(&t->side[side & 1], s, s->len ? traffic_clock() : 0);
}

/* The flow at hand has been proven. */
static __noinline int traffic_enter(struct work *w)
{
	struct traffic *t;

	if (!w || !settings.all_segments)
		return 0;
	t = &w->traffic;
	zero_rolled(t, sizeof(*t));
	traffic_begin(t, &w->value.body.flow, w->value.body.log, FLOW_LOG_UNPROVEN);
	w->key.generation = 0;
	if (bpf_map_update_elem(&traffic, &w->key, t, BPF_ANY))
		count(COUNT_TRAFFIC_FULL);
	return 0;
}

/* The closing flow of `key` is not its tuple's current connection any more. */
static __noinline int traffic_move(const struct flow_key *key)
{
	struct flow_key k;
	struct traffic *t;

	if (!key || !settings.all_segments)
		return 0;
	k = *key;
	k.generation = 0;
	t = bpf_map_lookup_elem(&traffic, &k);
	if (!t)
		return 0;
	k.generation = TRAFFIC_MOVED | key->generation;
	bpf_map_update_elem(&traffic, &k, t, BPF_ANY);
	k.generation = 0;
	bpf_map_delete_elem(&traffic, &k);
	return 0;
}

/* Nobody will ask for the entry of `key`. */
static __noinline int traffic_forget(const struct flow_key *key)
{
	if (key && settings.all_segments)
		bpf_map_delete_elem(&traffic, key);
	return 0;
}

/* What was counted of the established flow of `key` goes into its event. */
static __always_inline void traffic_tell(const struct flow_key *key, struct flow_event *e)
{
	struct traffic *t = bpf_map_lookup_elem(&traffic, key);

	if (!t)
		return;
	e->head.kind = EVENT_OPEN;
	copy_rolled(e->body.log, t, sizeof(*t));
	traffic_forget(key);
}

#endif
