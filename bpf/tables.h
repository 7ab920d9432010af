/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's tables hold, for the BPF object and for its loader.
 */
#ifndef TCPFIN_TABLES_H
#define TCPFIN_TABLES_H

#include <linux/bpf.h>

#include "bpf/core/flow_event.h"

#define UNPROVEN_WAYS 8

struct unproven {
	struct flow_key key;
	struct flow flow;
	struct flow_segment log[FLOW_LOG_UNPROVEN];
};
CORE_ASSERT_SIZE(struct unproven, 448);

struct unproven_set {
	struct bpf_spin_lock lock;
	__u64 changes;            /* so many times an entry has come to its place or has left it */
	__u32 tag[UNPROVEN_WAYS]; /* hash of the entry with its lowest bit set, 0 where free */
	struct unproven entry[UNPROVEN_WAYS];
};
CORE_ASSERT_SIZE(struct unproven_set, 3632);

/*
 * `hash` is the key's: an element may be freed and taken for another flow between a look-up and the lock, and then it
 * differs.
 */
struct established {
	struct bpf_spin_lock lock;
	__u32 hash;
	struct flow_open open;
};
CORE_ASSERT_SIZE(struct established, 64);

struct closing {
	struct bpf_spin_lock lock;
	__u32 hash;
	struct closing_body body;
};
CORE_ASSERT_SIZE(struct closing, 728);

/* With --all-segments. */
struct traffic_key {
	__u64 place; /* see traffic.bpf.h */
};

/* One number, as on the stack Linux 6.1 takes no half of a word beside another without CAP_PERFMON. */
static __always_inline struct traffic_key traffic_place(__u32 hash, __u32 place)
{
	return (struct traffic_key){.place = (__u64)place << 32 | hash};
}

struct traffic_entry {
	struct flow_key key;
	struct traffic traffic;
};

#endif
