/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps and settings of the BPF object. Sizes are set by the loader.
 *
 * Who may remove what: an opening connection, or a reported one, is evicted by a newer one of its set in the packet
 * programs; all else is taken out by user space, in one thread, by the compare-and-swap that core/flow_log.h
 * describes. No map is ever inserted into or deleted from, and nothing takes a lock.
 */
#ifndef TCPFIN_MAPS_BPF_H
#define TCPFIN_MAPS_BPF_H

#include "bpf/core/flow_event.h"
#include "bpf/core/flow_log.h"
#include "bpf/core/header_walk.h"
#include "bpf/core/last_seen.h"
#include "bpf/core/lost.h"
#include "bpf/core/traffic.h"
#include "bpf/core/watch.h"
#include "bpf/seen_packet.h"
#include "bpf/settings.h"

const volatile struct settings settings = {};
__u64 test_now = 0;

/* In memory that user space maps, too. */
struct watch watch = {};
struct spares spares[SPARES] = {};
__u32 notices_lost = 0; /* the ring was full */
__u32 established = 0;  /* connections that are open and whose close has not begun */
__u32 strays_told = 0;  /* --strays: in the second strays_second */
__u32 strays_second = 0;
__u64 packets_seen = 0; /* -w: that were put into tcpfin_packets */
__u64 lost_until = 0;   /* ns: tcpfin_lost has something to say until then */

#define MAPPED_ARRAY(name, type_)                  \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, 1);            \
		__type(key, __u32);                \
		__type(value, type_);              \
	} name SEC(".maps")

MAPPED_ARRAY(tcpfin_sets, struct flow_set);
MAPPED_ARRAY(tcpfin_slots, struct flow_slot);
MAPPED_ARRAY(tcpfin_blocks, struct flow_block);
MAPPED_ARRAY(tcpfin_numbers, struct last_seen);
MAPPED_ARRAY(tcpfin_lost, struct lost_set);
MAPPED_ARRAY(tcpfin_traffic, struct traffic);     /* --all-segments: by slot */
MAPPED_ARRAY(tcpfin_packets, struct seen_packet); /* -w: a ring */
/* Numbers + 1 of what is free: see struct spares. */
MAPPED_ARRAY(tcpfin_freeslot, __u64);
MAPPED_ARRAY(tcpfin_freeclos, __u64);
MAPPED_ARRAY(tcpfin_freeopen, __u64);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} tcpfin_ring SEC(".maps");

/*
 * The segment at hand, one a CPU: packet programs of one CPU never nest. In memory rather than on the stack, because
 * the verifier does not follow values through it.
 */
struct scratch {
	/*
	 * Stands for the interface that the packet is at, with settings.numbered: an ifindex is unique in its network
	 * namespace only. Written by the program that numbers the interface, which finds it at the beginning.
	 */
	__u32 number;
	__u32 tries;
	struct tcp_segment segment;
	struct work work;
	struct tcp_options options;
	struct packet_walk walk;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} tcpfin_scratch SEC(".maps");

struct counter_block {
	__u64 n[COUNTERS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter_block);
} tcpfin_counters SEC(".maps");

__noinline int count_any(__u32 counter)
{
	__u32 zero = 0;
	struct counter_block *c = bpf_map_lookup_elem(&tcpfin_counters, &zero);

	if (c && counter < COUNTERS)
		c->n[counter]++;
	return 0;
}

/* What each connection counts is counted in place, the rest by a call. */
static __always_inline int count(__u32 counter)
{
	__u32 zero = 0;
	struct counter_block *c;

	if (!__builtin_constant_p(counter) || (counter != COUNT_LOOKED_UP && counter != COUNT_ESTABLISHED &&
					       counter != COUNT_CLOSES && counter != COUNT_CLOSED))
		return count_any(counter);
	c = bpf_map_lookup_elem(&tcpfin_counters, &zero);
	if (c)
		c->n[counter]++;
	return 0;
}

/* ns since boot, suspend excluded. */
static __always_inline __u64 clock_now(void)
{
	return settings.test_clock ? test_now : bpf_ktime_get_ns();
}

static __always_inline struct scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tcpfin_scratch, &zero);
}

#endif
