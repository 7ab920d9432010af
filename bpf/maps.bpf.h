/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps and settings of the BPF object. user/capture/flow_table.c is the twin for capture files.
 *
 * Who may remove what: unproven flows are removed by the packet programs and the sweep, established flows by them when
 * they begin to close or are idle, closing flows by the sweep only. It is run by one thread of user space. Single
 * ownership is what makes removing free of races without a lock over several maps.
 */
#ifndef TCPFIN_MAPS_BPF_H
#define TCPFIN_MAPS_BPF_H

#include "bpf/core/flow_event.h"
#include "bpf/core/traffic.h"
#include "bpf/settings.h"
#include "bpf/tables.h"

const volatile struct settings settings = {};
struct sweep_request sweep_request = {};
__u64 test_now = 0;

/* Closing flows of a generation above 0: while there are none, one look-up finds a closing flow. */
__u32 reused_tuples = 0;

struct watch watch = {};

/* Slots that the last sweep has used. */
__u32 slots_used = 0;

/* User space maps them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, COLLECT_SLOTS);
	__type(key, __u32);
	__type(value, struct collect_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LAST_SEEN_CELLS);
	__type(key, __u32);
	__type(value, struct last_seen);
} last_seen SEC(".maps");

/* Sizes of the tables are set by the loader. */

/*
 * Unproven flows: a set-associative cache of our own instead of an LRU map. It evicts exactly the oldest of a set, so
 * that the watch count of what was evicted can be lowered, and inserting never allocates.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unproven_set);
} unproven SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow_key);
	__type(value, struct established);
} established SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow_key);
	__type(value, struct closing);
} closing SEC(".maps");

/* With --all-segments; see traffic.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct traffic_key);
	__type(value, struct traffic_entry);
} traffic SEC(".maps");

/* Its entries at place 1: while there are none, one look-up finds a tuple's current connection. */
__u32 traffic_twins = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

/*
 * The segment at hand and the flow it changes. Steps are taken on a copy outside the lock: kernels before 6.9 allow no
 * call while one is held, and the step is too large to be inlined wherever a flow is changed. In memory rather than on
 * the stack, because global functions share it and because the verifier does not follow values through it.
 *
 * Packet programs of one CPU never nest. A sweep may be interrupted by one, and does not use it.
 */
struct work {
	struct tcp_segment segment;
	struct flow_key key;
	struct flow_turn turn;
	__u32 found;   /* UNPROVEN_ bits */
	__u32 evicted; /* hash of the unproven flow that gave way */
	__u32 way;     /* in the set, of the flow at hand */
	__u32 tag;     /* what the set had there */
	__u32 moved;   /* MOVED_: between the filter's counts */
	__u64 changes; /* of the set, when the way was chosen */
	__u32 next;    /* NEXT_ */
	__u32 tries;
	struct tcp_options options;
	struct traffic_entry traffic; /* on its way into its table */
	struct flow_event_head head;  /* with what follows, a struct flow_event */
	struct {
		__u32 lock; /* laid out as struct closing: a value that holds a lock cannot lie in a per-CPU map */
		__u32 hash;
		struct closing_body body;
	} value;
};

/* What is left to be done with the work, by which program. */
enum {
	NEXT_NOTHING,
	NEXT_TRACK,  /* another CPU has changed the flow at hand: the segment is to be tracked anew */
	NEXT_PROVEN, /* the flow at hand is proven: it goes to its next table */
};

enum { MOVED_NOT, MOVED_TO_SETTLING, MOVED_TO_LIVE };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} works SEC(".maps");

struct counter_block {
	__u64 n[COUNTERS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter_block);
} counters SEC(".maps");

__noinline int count(__u32 counter)
{
	__u32 zero = 0;
	struct counter_block *c = bpf_map_lookup_elem(&counters, &zero);

	if (c && counter < COUNTERS)
		c->n[counter]++; /* a packet program interrupting a sweep may cost one count; none is a loss count */
	return 0;
}

/* ns since boot, suspend excluded. */
static __always_inline __u64 clock_now(void)
{
	return settings.test_clock ? test_now : bpf_ktime_get_ns();
}

static __always_inline struct work *work_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&works, &zero);
}

static __always_inline __u32 watch_index(__u32 hash)
{
	return hash & (WATCH_CELLS - 1);
}

static __always_inline struct last_seen *evidence_get(__u32 hash)
{
	__u32 index = hash & (LAST_SEEN_CELLS - 1);

	return bpf_map_lookup_elem(&last_seen, &index);
}

static __always_inline void watch_raise(__u32 hash)
{
	__sync_fetch_and_add(&watch.live[watch_index(hash)], 1);
}

static __always_inline void watch_lower(__u32 hash)
{
	__sync_fetch_and_add(&watch.live[watch_index(hash)], -1);
}

/* From one count to the other; first up, then down, so that the flow is counted throughout. */
static __always_inline void watch_settle(__u32 hash)
{
	__sync_fetch_and_add(&watch.settling[watch_index(hash)], 1);
	watch_lower(hash);
}

static __always_inline void watch_unsettle(__u32 hash)
{
	watch_raise(hash);
	__sync_fetch_and_add(&watch.settling[watch_index(hash)], -1);
}

#endif
