/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which flow a segment belongs to, and which of its two sides sent it.
 *
 * The endpoints are kept in ascending order, so both directions of a connection give the same ones. "Side" 0 or 1 is
 * an index into that order everywhere in core/; who opened the connection is a property of the flow (flow_open.source).
 *
 * VLAN tags do not tell connections apart: with hardware tag stripping the two directions of one connection can reach
 * the hooks with and without their tag. Nor does a tunnel without an identifier: a load balancer may send one direction
 * through it (IP in IP to a server that answers directly). The identifier of a tunnel does, as part of the hash: equal
 * addresses and ports in two virtual networks are two connections.
 */
#ifndef TCPFIN_FLOW_HASH_H
#define TCPFIN_FLOW_HASH_H

#include "bpf/core/packet.h"

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
 * Hash of the flow, the same for both directions: bits 32 to 63 choose sets and cells, bits 16 to 31 are a check. The
 * seed is random for each run. A sum is the same whichever end comes first, so nothing here waits for who the sender
 * is.
 */
static __always_inline __u64 flow_hash(const struct tcp_segment *s, __u32 ifindex, __u64 seed)
{
	return flow_hash_of(flow_hash_end(s->family, &s->src, s->sport, seed) +
				    flow_hash_end(s->family, &s->dst, s->dport, seed),
			    ifindex);
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

#endif
