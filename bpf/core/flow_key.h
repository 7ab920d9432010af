/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which flow a segment belongs to, and which of its two sides sent it.
 *
 * A key holds the endpoints in ascending order, so both directions of a connection have the same key. "Side" 0 or 1 is
 * an index into that order everywhere in core/; who opened the connection is a property of the flow (flow_open.source).
 *
 * VLAN tags are not part of the key: with hardware tag stripping the two directions of one connection can reach the
 * hooks with and without their tag. Nor is a tunnel without an identifier: a load balancer may send one direction
 * through it (IP in IP to a server that answers directly). The identifier of a tunnel is part of the key, as its hash:
 * equal addresses and ports in two virtual networks are two connections.
 */
#ifndef TCPFIN_FLOW_KEY_H
#define TCPFIN_FLOW_KEY_H

#include "bpf/core/packet.h"

struct flow_key {
	struct ip_address addr[2];
	__u16 port[2];
	__u32 ifindex;   /* flows are kept per interface */
	__u32 hash;      /* of the fields above, by flow_hash: chooses the sets, and the cells of the small arrays */
	__u8 family;     /* 4 or 6 */
	__u8 generation; /* always 0 */
	__u16 check;     /* more bits of the hash, for who needs to tell flows apart without their keys */
};
CORE_ASSERT_SIZE(struct flow_key, 48);

/* Index of the sender's side. A connection of a socket with itself has only side 0. */
static __always_inline __u64 flow_side_of(const struct tcp_segment *s)
{
	__u64 larger = 1;

	/* A whole word: without CAP_PERFMON Linux 6.1 lets no half of one on the stack be written twice. */
	opaque(larger);
	if (s->src.hi != s->dst.hi)
		return s->src.hi > s->dst.hi ? larger : 0;
	if (s->src.lo != s->dst.lo)
		return s->src.lo > s->dst.lo ? larger : 0;
	return s->sport > s->dport ? larger : 0;
}

#define FLOW_HASH_PRIME 0x9e3779b97f4a7c15ULL

/* Two keys of one seed, neither of them 0 for a seed of 0. */
#define FLOW_HASH_KEY_A(seed) ((seed) ^ 0xa0761d6478bd642fULL)
#define FLOW_HASH_KEY_B(seed) (((seed) << 32 | (seed) >> 32) ^ 0xe7037ed1a0b428dbULL)

/*
 * A round: the product of the two halves of a word, each behind a part of the key. What two words differ by before a
 * round does not tell what they differ by behind it unless the key is known (NH, RFC 4418 section 5.2), so no two
 * inputs have equal hashes whatever the key, as they had where a word was only multiplied by a constant.
 */
static __always_inline __u64 flow_hash_mix(__u64 h, __u64 word, __u64 key)
{
	__u64 x = h + word;

	return (__u64)((__u32)x + (__u32)key) * ((__u32)(x >> 32) + (__u32)(key >> 32)) + x;
}

/* Of an endpoint. The last round of each makes the sum of two ends as hard to foresee as each of them. */
static __always_inline __u64 flow_hash_end(__u32 family, const struct ip_address *a, __u16 port, __u64 seed)
{
	__u64 key = FLOW_HASH_KEY_A(seed), other = FLOW_HASH_KEY_B(seed), h = a->lo << 16 | port;

	if (family != 4)
		h = flow_hash_mix(flow_hash_mix(flow_hash_mix(0, a->hi, key), a->lo, other), port, key);
	return flow_hash_mix(flow_hash_mix(0, h, key), h << 32 | h >> 32, other);
}

/* ends: a sum of two flow_hash_end. The high half of a product depends on all bits of its factors. */
static __always_inline __u64 flow_hash_of(__u64 ends, __u32 ifindex)
{
	return (ends ^ (__u64)ifindex << 32) * FLOW_HASH_PRIME;
}

/*
 * Hash of the flow, the same for both directions: flow_key's hash in bits 32 to 63, its check in bits 16 to 31. The
 * seed is random for each run. A sum is the same whichever end comes first, so nothing here waits for who the sender
 * is.
 */
static __always_inline __u64 flow_hash(const struct tcp_segment *s, __u32 ifindex, __u64 seed)
{
	return flow_hash_of(flow_hash_end(s->family, &s->src, s->sport, seed) +
				    flow_hash_end(s->family, &s->dst, s->dport, seed),
			    ifindex);
}

/* flow_hash, as far as the key knows it. */
static __always_inline __u64 flow_key_hash(const struct flow_key *k)
{
	return (__u64)k->hash << 32 | (__u32)k->check << 16;
}

/*
 * Sets what a tunnel with this identifier carries apart from what equal addresses and ports carry outside or in another
 * tunnel: goes into flow_hash_of with the interface. Two identifiers of one kind never give one number, so the hashes
 * differ. The tunnel's ends are no part of it: they move, and may differ between the two directions.
 */
static __always_inline __u32 flow_tunnel_salt(__u32 tunnel, __u32 id)
{
	return tunnel & TUNNEL_HAS_ID ? (id + tunnel * 0x5bd1e995u) * 0x9e3779b1u : 0;
}

/* flow_hash of a segment that may have been in a tunnel. */
static __always_inline __u64 flow_hash_tunnelled(const struct tcp_segment *s, __u32 ifindex, __u64 seed)
{
	return flow_hash(s, ifindex ^ flow_tunnel_salt(s->tunnel, s->tunnel_id), seed);
}

static __always_inline void flow_key_fill(struct flow_key *k, const struct tcp_segment *s, __u64 side, __u32 ifindex,
					  __u64 hash)
{
	k->addr[0].hi = either(side, s->dst.hi, s->src.hi);
	k->addr[0].lo = either(side, s->dst.lo, s->src.lo);
	k->addr[1].hi = either(side, s->src.hi, s->dst.hi);
	k->addr[1].lo = either(side, s->src.lo, s->dst.lo);
	k->port[0] = either(side, s->dport, s->sport);
	k->port[1] = either(side, s->sport, s->dport);
	k->ifindex = ifindex;
	k->hash = hash >> 32;
	k->family = s->family;
	k->generation = 0;
	k->check = (__u16)(hash >> 16);
}

static __always_inline flag_t flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
	return a->hash == b->hash && a->addr[0].lo == b->addr[0].lo && a->addr[1].lo == b->addr[1].lo &&
	       a->addr[0].hi == b->addr[0].hi && a->addr[1].hi == b->addr[1].hi && a->port[0] == b->port[0] &&
	       a->port[1] == b->port[1] && a->ifindex == b->ifindex && a->family == b->family;
}

#endif
