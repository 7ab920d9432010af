/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --all-segments: what the segments of each connection add up to, in a table of its own beside the flows. Without the
 * option all of this is dead code to the verifier, which takes it out.
 *
 * Every segment looks here, so the key is short: the flow's hash, and a place. At place 0 is the tuple's current
 * connection, from the end of its handshake to its report; at 1 that of another tuple with the same hash. When another
 * connection takes the tuple before the report, the old one moves to a place made of its closing flow's generation.
 */
#ifndef TCPFIN_TRAFFIC_BPF_H
#define TCPFIN_TRAFFIC_BPF_H

#include "bpf/maps.bpf.h"

#define TRAFFIC_MOVED 0x80

/* ns, as exact as a clock tick: that is enough for an idle time, and costs a tenth of the exact clock. */
static __always_inline __u64 traffic_clock(void)
{
	return settings.test_clock ? test_now : bpf_ktime_get_coarse_ns();
}

/* Is the entry there, and that of `key`? */
static __always_inline flag_t traffic_is_at(const struct traffic_key *at, const struct flow_key *key)
{
	const struct traffic_entry *e = bpf_map_lookup_elem(&traffic, at);

	return e && flow_key_equal(&e->key, key);
}

/*
 * Finds where the tuple's current connection has its entry. Returns whether it has one. The entry itself is looked up
 * by who needs it: see closing_segment.
 */
static __noinline int traffic_seek(const struct flow_key *key, struct traffic_key *at)
{
	*at = traffic_place(key->hash, 0);
	if (traffic_is_at(at, key))
		return 1;
	if (!traffic_twins)
		return 0;
	*at = traffic_place(key->hash, 1);
	return traffic_is_at(at, key);
}

static __always_inline void traffic_delete(const struct traffic_key *at)
{
	if (!bpf_map_delete_elem(&traffic, at) && at->place >> 32 == 1)
		__sync_fetch_and_add(&traffic_twins, -1);
}

/* Counts the segment if the entry is there, and that of `key`. Returns whether it is. */
static __always_inline flag_t traffic_count_at(const struct traffic_key *at, const struct flow_key *key,
					       const struct tcp_segment *s, __u64 side)
{
	struct traffic_entry *e = bpf_map_lookup_elem(&traffic, at);

	if (!e || !flow_key_equal(&e->key, key))
		return 0;
	traffic_note(&of_side(e->traffic.side, side), s, s->len ? traffic_clock() : 0);
	return 1;
}

static __always_inline void traffic_count(const struct tcp_segment *s, __u64 side, __u32 ifindex, __u64 hash)
{
	struct traffic_key at = traffic_place(hash >> 32, 0);
	struct work *w;

	if (s->flags & TCP_SYN) /* perhaps of the tuple's next connection */
		return;
	w = work_get();
	if (!w)
		return;
	flow_key_fill(&w->key, s, side, ifindex, hash);
	if (traffic_count_at(&at, &w->key, s, side) || !traffic_twins)
		return;
	at = traffic_place(hash >> 32, 1);
	traffic_count_at(&at, &w->key, s, side);
}

/* The flow at hand has been proven. */
static __noinline int traffic_enter(struct work *w)
{
	struct traffic_entry *e;
	struct traffic_key at;

	if (!settings.all_segments)
		return 0;
	e = &w->traffic;
	__builtin_memset(e, 0, sizeof(*e));
	e->key = w->key;
	traffic_begin(&e->traffic, &w->value.body.flow, w->value.body.log, FLOW_LOG_UNPROVEN);
	if (traffic_seek(&w->key, &at)) { /* of a connection that was lost */
		bpf_map_update_elem(&traffic, &at, e, BPF_EXIST);
		return 0;
	}
	at = traffic_place(w->key.hash, 0);
	if (!bpf_map_update_elem(&traffic, &at, e, BPF_NOEXIST))
		return 0;
	at = traffic_place(w->key.hash, 1);
	__sync_fetch_and_add(&traffic_twins, 1);
	if (!bpf_map_update_elem(&traffic, &at, e, BPF_NOEXIST))
		return 0;
	__sync_fetch_and_add(&traffic_twins, -1);
	count(COUNT_TRAFFIC_FULL);
	return 0;
}

/* The closing flow of `key` is not its tuple's current connection any more. */
static __noinline int traffic_move(const struct flow_key *key)
{
	struct traffic_key at, moved;
	struct traffic_entry *e;

	if (!settings.all_segments || !traffic_seek(key, &at))
		return 0;
	e = bpf_map_lookup_elem(&traffic, &at);
	if (!e)
		return 0;
	moved = traffic_place(key->hash, TRAFFIC_MOVED | key->generation);
	if (bpf_map_update_elem(&traffic, &moved, e, BPF_NOEXIST))
		count(COUNT_TRAFFIC_FULL);
	traffic_delete(&at);
	return 0;
}

/* Nobody will ask for the current connection of `key`. */
static __noinline int traffic_forget(const struct flow_key *key)
{
	struct traffic_key at;

	if (settings.all_segments && traffic_seek(key, &at))
		traffic_delete(&at);
	return 0;
}

/* What was counted of the established flow of `key` goes into its event. */
static __always_inline void traffic_tell(const struct flow_key *key, struct flow_event *e)
{
	struct traffic_entry *t;
	struct traffic_key at;

	if (!traffic_seek(key, &at))
		return;
	t = bpf_map_lookup_elem(&traffic, &at);
	if (!t)
		return;
	e->head.kind = EVENT_OPEN;
	__builtin_memcpy(e->body.log, &t->traffic, sizeof(t->traffic));
	traffic_delete(&at);
}

/* ... and of a closing flow into its slot, if the entry is its. Returns whether it is. */
static __noinline int traffic_collect_at(struct collect_slot *slot, const struct traffic_key *at)
{
	struct traffic_entry *e = bpf_map_lookup_elem(&traffic, at);

	if (!e || !traffic_is_of(&e->traffic, &slot->event.body.flow.open))
		return 0;
	slot->traffic = e->traffic;
	slot->counted = 1;
	traffic_delete(at);
	return 1;
}

/* The tuple's current connection may be a later one than the slot's: which is ours is told by its handshake. */
static __noinline void traffic_collect(struct collect_slot *slot)
{
	const struct flow_key *key;
	struct traffic_key at;

	if (!settings.all_segments)
		return;
	key = &slot->event.head.key;
	if (traffic_seek(key, &at) && traffic_collect_at(slot, &at))
		return;
	at = traffic_place(key->hash, TRAFFIC_MOVED | key->generation);
	if (traffic_is_at(&at, key))
		traffic_collect_at(slot, &at);
}

#endif
