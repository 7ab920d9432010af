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

#define FLOW_HASH_PRIME 0x9e3779b97f4a7c15ULL

/* Random words that hashes are keyed with. Two hashes with different keys have nothing in common. */
struct flow_hash_key {
	__u32 word[10];
};

/* The key that follows from a seed: splitmix64. */
static inline struct flow_hash_key flow_hash_key_of(__u64 seed)
{
	struct flow_hash_key key;
	__u32 i;

	for (i = 0; i < 10; i += 2) {
		__u64 x = seed += FLOW_HASH_PRIME;

		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
		x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
		x ^= x >> 31;
		key.word[i] = x;
		key.word[i + 1] = x >> 32;
	}
	return key;
}

/* Both ends of a flow: a hash that is the same in both directions, and which side the first one is. */
struct flow_ends {
	__u64 hash, side;
};

/*
 * One of the products whose sum is the hash: of the two halves of a word, each behind a word of the key. For any two
 * inputs the sums differ by a given number with odds of 2^-32, the key being random (NH, RFC 4418 section 5.2): so no
 * two inputs have equal hashes whatever the key. No product waits for another one.
 */
static __always_inline __u64 flow_hash_product(__u64 word, const __u32 key[2])
{
	return (__u64)((__u32)word + key[0]) * ((__u32)(word >> 32) + key[1]);
}

/* The products of a word of each end, the lower end's first. swap: all ones where that is the second one; else 0. */
static __always_inline __u64 flow_hash_pair(__u64 a, __u64 b, __u64 swap, const __u32 key[4])
{
	__u64 d = (b - a) & swap;

	return flow_hash_product(a + d, key) + flow_hash_product(b - d, key + 2);
}

/*
 * The borrow of b - a - before: is a larger than b? Without a branch: to the verifier a result of two branches would be
 * two numbers, and without CAP_PERFMON no pointer may be moved by either of them in one place.
 */
static __always_inline __u64 flow_borrow(__u64 a, __u64 b, __u64 before)
{
	return ((a & ~b) | (~(a ^ b) & (b - a - before))) >> 63;
}

/* Is the first end the higher one? By address, then port. */
static __always_inline __u64 flow_ends_side(const struct ip_address *a, __u64 aport, const struct ip_address *b,
					    __u64 bport)
{
	return flow_borrow(a->hi, b->hi, flow_borrow(a->lo, b->lo, (bport - aport) >> 63));
}

/* An IPv4 end is one word, which is put in order by a subtraction, without a branch that no processor foresees. */
static __always_inline struct flow_ends flow_ends_of(__u32 family, const struct ip_address *a, __u64 aport,
						     const struct ip_address *b, __u64 bport,
						     const struct flow_hash_key *key)
{
	struct flow_ends ends;
	__u64 swap, ports;

	if (family == 4) {
		__u64 first = a->lo << 16 | aport, second = b->lo << 16 | bport;

		ends.side = (second - first) >> 63;
		ends.hash = flow_hash_pair(first, second, 0 - ends.side, key->word);
		return ends;
	}
	ends.side = flow_ends_side(a, aport, b, bport);
	swap = 0 - ends.side;
	ports = (bport - aport) & swap;
	ends.hash = flow_hash_pair(a->lo, b->lo, swap, key->word) + flow_hash_pair(a->hi, b->hi, swap, key->word + 4) +
		    flow_hash_product((aport + ports) << 32 | (bport - ports), key->word + 8);
	return ends;
}

/* Of the segment, the sender first. A connection of a socket with itself has only side 0. */
static __always_inline struct flow_ends flow_ends_of_segment(const struct tcp_segment *s,
							     const struct flow_hash_key *key)
{
	return flow_ends_of(s->family, &s->src, s->sport, &s->dst, s->dport, key);
}

/* Index of the sender's side. */
static __always_inline __u64 flow_side_of(const struct tcp_segment *s)
{
	return flow_ends_side(&s->src, s->sport, &s->dst, s->dport);
}

/*
 * Hash of the flow at an interface: bits 32 to 63 choose sets and cells, bits 16 to 31 are a check. ends: of flow_ends.
 * Folding spreads sums of products that are in a row. Two interfaces never give one number with the same ends.
 */
static __always_inline __u64 flow_hash_of(__u64 ends, __u32 ifindex)
{
	return (ends ^ ends >> 32) * FLOW_HASH_PRIME ^ (__u64)(ifindex * 0x9e3779b1u) << 32;
}

static __always_inline __u64 flow_hash(const struct tcp_segment *s, __u32 ifindex, const struct flow_hash_key *key)
{
	return flow_hash_of(flow_ends_of_segment(s, key).hash, ifindex);
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
static __always_inline __u64 flow_hash_tunnelled(const struct tcp_segment *s, __u32 ifindex,
						 const struct flow_hash_key *key)
{
	return flow_hash(s, ifindex ^ flow_tunnel_salt(s->tunnel, s->tunnel_id), key);
}

#endif
