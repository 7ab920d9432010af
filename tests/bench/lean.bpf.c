// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tracker that ours is measured against: the least that can say which connections have closed. Each segment is
 * looked up once in one preallocated hash map, and what it changes is changed in place without a lock; a close is
 * deleted from the map and leaves by the ring buffer, whose reader is not woken.
 *
 * It is wrong where being right costs: it judges no numbers, races miscount, and what falls silent stays for ever. Any
 * segment begins a connection, as with trackers that know no states: the ACK behind the second FIN begins one, too.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ROOM (1u << 20)
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define TCP 6

enum { FIN = 1, SYN = 2, RST = 4, CONTROL = FIN | SYN | RST };

/* Both ends, the lower one first; an IPv4 address as IPv6 maps it. */
struct ends {
	__u32 address[2][4];
	__u16 port[2];
};
_Static_assert(sizeof(struct ends) == 36, "the key's size is part of the comparison");

struct connection {
	__u64 began, last; /* ns */
	__u64 story;       /* 4 bits a control segment, the latest lowest: its flags, and 8 for the higher end */
	__u32 segments;
	__u32 fins; /* bit 0: by the lower end, bit 1: by the higher one */
};

struct closed {
	struct ends ends;
	struct connection connection;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ROOM);
	__type(key, struct ends);
	__type(value, struct connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} closes SEC(".maps");

/* The first `n` bytes at `offset` are there. */
#define has(data, end, offset, n) ((data) + (offset) + (n) <= (end))

/* Puts both ends in order. Returns whether the sender is the higher one. */
static __always_inline __u32 order(struct ends *ends, const __u32 *from, const __u32 *to, const __u16 *ports)
{
	__u32 higher = ports[0] > ports[1];

	for (int i = 3; i >= 0; i--)
		if (from[i] != to[i])
			higher = from[i] > to[i];
	__builtin_memcpy(ends->address[0], higher ? to : from, 16);
	__builtin_memcpy(ends->address[1], higher ? from : to, 16);
	ends->port[0] = ports[higher ? 1 : 0];
	ends->port[1] = ports[higher ? 0 : 1];
	return higher;
}

/* An IPv4 key differs in one word an end, so one comparison puts it in order. */
static __always_inline __u32 order_ipv4(struct ends *ends, __u32 from, __u32 to, const __u16 *ports)
{
	__u32 higher = from == to ? ports[0] > ports[1] : from > to;

	*(__u64 *)ends->address[0] = 0;
	*(__u64 *)ends->address[1] = 0;
	ends->address[0][2] = bpf_htonl(0xffff);
	ends->address[1][2] = bpf_htonl(0xffff);
	ends->address[0][3] = higher ? to : from;
	ends->address[1][3] = higher ? from : to;
	ends->port[0] = ports[higher ? 1 : 0];
	ends->port[1] = ports[higher ? 0 : 1];
	return higher;
}

/* Returns the TCP flags and `*higher`, or a negative number for what is no TCP segment. */
static __always_inline int parse(void *data, void *end, struct ends *ends, __u32 *higher)
{
	__u8 *ip = data + 14, *tcp;

	if (!has(data, end, 0, 54))
		return -1;
	if (*(__u16 *)(data + 12) == bpf_htons(ETHERTYPE_IPV4)) {
		__u32 words = ip[0] & 15;

		tcp = ip + words * 4;
		if (ip[9] != TCP || words < 5 || *(__u16 *)(ip + 6) & bpf_htons(0x1fff) ||
		    !has((void *)tcp, end, 0, 20))
			return -1;
		*higher = order_ipv4(ends, *(__u32 *)(ip + 12), *(__u32 *)(ip + 16), (__u16 *)tcp);
		return tcp[13];
	}
	tcp = ip + 40;
	if (*(__u16 *)(data + 12) != bpf_htons(ETHERTYPE_IPV6) || !has(data, end, 0, 74) || ip[6] != TCP)
		return -1;
	*higher = order(ends, (__u32 *)(ip + 8), (__u32 *)(ip + 24), (__u16 *)tcp);
	return tcp[13];
}

static __always_inline void begin(const struct ends *ends, int flags, __u32 higher, __u64 now)
{
	struct connection new = {.began = now, .last = now, .segments = 1, .story = (flags & CONTROL) | higher << 3};

	bpf_map_update_elem(&connections, ends, &new, BPF_ANY);
}

static __always_inline void close(const struct ends *ends, const struct connection *c)
{
	struct closed *closed = bpf_ringbuf_reserve(&closes, sizeof(*closed), 0);

	if (closed) {
		closed->ends = *ends;
		closed->connection = *c;
		bpf_ringbuf_submit(closed, BPF_RB_NO_WAKEUP);
	}
	bpf_map_delete_elem(&connections, ends);
}

/* A connection is over with a RST, or with the second FIN. */
static __always_inline void track(void *data, void *end)
{
	struct connection *c;
	struct ends ends;
	__u32 higher;
	__u64 now;
	int flags = parse(data, end, &ends, &higher);

	if (flags < 0)
		return;
	now = bpf_ktime_get_ns();
	c = bpf_map_lookup_elem(&connections, &ends);
	if (!c) {
		begin(&ends, flags, higher, now);
		return;
	}
	c->last = now;
	c->segments++;
	if (!(flags & CONTROL))
		return;
	c->story = c->story << 4 | (flags & CONTROL) | higher << 3;
	if (flags & FIN)
		c->fins |= 1 << (higher & 1);
	if (flags & RST || c->fins == 3)
		close(&ends, c);
}

SEC("xdp.frags")
int bench_lean_xdp(struct xdp_md *ctx)
{
	track((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	return XDP_PASS;
}

SEC("tc")
int bench_lean_tc(struct __sk_buff *skb)
{
	track((void *)(long)skb->data, (void *)(long)skb->data_end);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
