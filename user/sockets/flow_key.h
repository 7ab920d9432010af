/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection's ends: what tells it apart from all others of its time.
 */
#ifndef TCPFIN_FLOW_KEY_H
#define TCPFIN_FLOW_KEY_H

#include "bpf/core/flow_hash.h"

struct flow_key {
	struct ip_address addr[2]; /* by side, as the slot has them */
	__u16 port[2];
	__u32 ifindex; /* flows are kept per interface */
	__u32 hash;    /* of the fields above: bits 32 to 63 of flow_hash */
	__u8 family;   /* 4 or 6 */
	__u8 pad;      /* 0 */
	__u16 check;   /* bits 16 to 31 of flow_hash */
};
CORE_ASSERT_SIZE(struct flow_key, 48);

/* flow_hash, as far as the key knows it. */
static inline __u64 flow_key_hash(const struct flow_key *k)
{
	return (__u64)k->hash << 32 | (__u32)k->check << 16;
}

#endif
