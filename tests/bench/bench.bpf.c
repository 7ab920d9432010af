// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs that the packet path is measured with. `ours` runs the very code of the product on packets that are
 * written on the spot; the others are what it is compared with: nothing, writing the packet only, parsing it too, and a
 * tracker of the usual kind, which looks every segment up in one table.
 */
#include <linux/bpf.h>

/* The product's entry points: programs by themselves, and here part of others too. */
__attribute__((always_inline)) int tcpfin_xdp(struct xdp_md *ctx);
__attribute__((always_inline)) int tcpfin_xdp_all(struct xdp_md *ctx);
__attribute__((always_inline)) int tcpfin_tc(struct __sk_buff *skb);
__attribute__((always_inline)) int tcpfin_tc_all(struct __sk_buff *skb);

#include "bpf/tcpfin_trace.bpf.c"
#include "tests/bench/bench.h"

struct bench_plan plan = {};

const struct bench_step script[BENCH_STEPS] = {
	{.seq = 1, .ack = 1, .len = 100, .flags = TCP_PSH | TCP_ACK, .words = 8},
	{.seq = 1, .ack = 101, .flags = TCP_ACK, .words = 8, .server = 1},

	{.flags = TCP_SYN, .words = 10},
	{.ack = 1, .flags = TCP_SYN | TCP_ACK, .words = 10, .server = 1},
	{.seq = 1, .ack = 1, .flags = TCP_ACK, .words = 8},
	{.seq = 1, .ack = 1, .len = 100, .flags = TCP_PSH | TCP_ACK, .words = 8},
	{.seq = 1, .ack = 101, .flags = TCP_ACK, .words = 8, .server = 1},
	{.seq = 1, .ack = 101, .len = 500, .flags = TCP_PSH | TCP_ACK, .words = 8, .server = 1},
	{.seq = 101, .ack = 501, .flags = TCP_ACK, .words = 8},
	{.seq = 101, .ack = 501, .flags = TCP_FIN | TCP_ACK, .words = 8},
	{.seq = 501, .ack = 102, .flags = TCP_ACK, .words = 8, .server = 1},
	{.seq = 501, .ack = 102, .flags = TCP_FIN | TCP_ACK, .words = 8, .server = 1},
	{.seq = 102, .ack = 502, .flags = TCP_ACK, .words = 8},
};

/* ---- the packet ---- */

/* Network byte order; as wide as the parser's loads, so that none has to wait for two stores. */
static __always_inline void put16(__u8 *at, __u16 value)
{
	value = __builtin_bswap16(value);
	__builtin_memcpy(load_aligned(at, 2), &value, sizeof(value));
}

static __always_inline void put32(__u8 *at, __u32 value)
{
	value = __builtin_bswap32(value);
	__builtin_memcpy(load_aligned(at, 4), &value, sizeof(value));
}

static __always_inline void write_headers(__u8 *ip, const struct bench_step *s, __u32 flow)
{
	__u8 *tcp = ip + 20;
	__u32 client = BENCH_CLIENT(flow) + plan.net, seq = BENCH_CLIENT_ISN(flow), ack = BENCH_SERVER_ISN(flow);
	__u16 port = BENCH_CLIENT_PORT(flow);

	put16(ip + 2, 20 + s->words * 4 + s->len);
	put16(ip + 4, plan.flow + plan.step);
	put32(ip + 12, s->server ? BENCH_SERVER : client);
	put32(ip + 16, s->server ? client : BENCH_SERVER);
	put16(tcp, s->server ? BENCH_SERVER_PORT : port);
	put16(tcp + 2, s->server ? port : BENCH_SERVER_PORT);
	put32(tcp + 4, (s->server ? ack : seq) + s->seq);
	put32(tcp + 8, s->flags & TCP_ACK ? (s->server ? seq : ack) + s->ack : 0);
	tcp[12] = s->words << 4;
	tcp[13] = s->flags;
}

/* Makes the buffer the next packet of the plan. */
static __always_inline flag_t next_packet(__u8 *data, const __u8 *end)
{
	const struct bench_step *s = &script[plan.step & (BENCH_STEPS - 1)];

	if (data + 54 > end)
		return 0;
	write_headers(data + 14, s, plan.flow * BENCH_SHUFFLE & plan.flow_mask);
	plan.flow += plan.scatter;
	if (plan.step++ == plan.last) {
		plan.step = plan.first;
		plan.flow += !plan.scatter;
	}
	return 1;
}

#define packet_of(ctx) ((__u8 *)(long)(ctx)->data)
#define end_of(ctx) ((const __u8 *)(long)(ctx)->data_end)

/* ---- what it is compared with ---- */

SEC("xdp.frags")
int empty_xdp(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("tc")
int empty_tc(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("xdp.frags")
int write_xdp(struct xdp_md *ctx)
{
	next_packet(packet_of(ctx), end_of(ctx));
	return XDP_PASS;
}

SEC("tc")
int write_tc(struct __sk_buff *skb)
{
	next_packet(packet_of(skb), end_of(skb));
	return TC_ACT_UNSPEC;
}

/* The product's parser, with all that it finds out. */
static __always_inline void parse_only(void *ctx, enum host host)
{
	struct tcp_segment s;

	if (parse(&s, ctx, host, PACKET_LINK_ETHERNET) == PACKET_TCP)
		asm volatile("" : : "r"(&s) : "memory"); /* somebody might read it */
}

SEC("xdp.frags")
int parse_xdp(struct xdp_md *ctx)
{
	if (next_packet(packet_of(ctx), end_of(ctx)))
		parse_only(ctx, HOST_XDP);
	return XDP_PASS;
}

SEC("tc")
int parse_tc(struct __sk_buff *skb)
{
	if (next_packet(packet_of(skb), end_of(skb)))
		parse_only(skb, HOST_TC);
	return TC_ACT_UNSPEC;
}

/* ---- a tracker of the usual kind ---- */

struct table_flow {
	__u32 packets[2];
	__u64 bytes[2];
	__u64 t_first, t_last, t_fin[2];
	__u32 fin_end[2];
	__u8 flags[2];
	__u8 fins_acked;
};

struct table_value {
	struct bpf_spin_lock lock;
	struct table_flow flow;
};

struct table_record {
	struct bench_table_key key;
	struct table_flow flow;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct bench_table_key);
	__type(value, struct table_value);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} table_ring SEC(".maps");

static __always_inline void table_key_fill(struct bench_table_key *k, const struct tcp_segment *s, __u32 side,
					   __u32 ifindex)
{
	const struct ip_address *a = side ? &s->dst : &s->src, *b = side ? &s->src : &s->dst;

	k->address[0][0] = a->hi;
	k->address[0][1] = a->lo;
	k->address[1][0] = b->hi;
	k->address[1][1] = b->lo;
	k->port[0] = side ? s->dport : s->sport;
	k->port[1] = side ? s->sport : s->dport;
	k->ifindex = ifindex;
}

/* Returns whether both FINs have been acknowledged with this segment. Lock held. */
static __always_inline flag_t table_count(struct table_flow *f, const struct tcp_segment *s, __u32 side)
{
	__u32 me = side & 1, peer = !side;

	f->packets[me]++;
	f->bytes[me] += s->len;
	f->flags[me] |= s->flags;
	f->t_last = s->time;
	if (s->flags & TCP_FIN) {
		f->t_fin[me] = s->time;
		f->fin_end[me] = segment_end(s);
	}
	if (f->fin_end[peer] && s->ack == f->fin_end[peer])
		f->fins_acked |= 1 << me;
	return f->fins_acked == 3;
}

static __always_inline void table_report(const struct bench_table_key *key, const struct table_flow *f)
{
	struct table_record *r = bpf_ringbuf_reserve(&table_ring, sizeof(*r), 0);

	if (r) {
		r->key = *key;
		r->flow = *f;
		bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	}
	bpf_map_delete_elem(&table, key);
}

static __always_inline void table_track(void *ctx, enum host host)
{
	struct tcp_segment s;
	struct bench_table_key key;
	struct table_value *v;
	__u32 side;
	flag_t over;

	if (parse(&s, ctx, host, PACKET_LINK_ETHERNET) != PACKET_TCP)
		return;
	side = flow_side_of(&s);
	table_key_fill(&key, &s, side, ifindex_of(ctx, host));
	s.time = bpf_ktime_get_ns();
	if ((s.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		struct table_value new = {.flow.t_first = s.time};

		bpf_map_update_elem(&table, &key, &new, BPF_NOEXIST);
	}
	v = bpf_map_lookup_elem(&table, &key);
	if (!v)
		return;
	bpf_spin_lock(&v->lock);
	over = table_count(&v->flow, &s, side);
	bpf_spin_unlock(&v->lock);
	if (over)
		table_report(&key, &v->flow);
}

SEC("xdp.frags")
int table_xdp(struct xdp_md *ctx)
{
	if (next_packet(packet_of(ctx), end_of(ctx)))
		table_track(ctx, HOST_XDP);
	return XDP_PASS;
}

SEC("tc")
int table_tc(struct __sk_buff *skb)
{
	if (next_packet(packet_of(skb), end_of(skb)))
		table_track(skb, HOST_TC);
	return TC_ACT_UNSPEC;
}

/* ---- ours ---- */

SEC("xdp.frags")
int ours_xdp(struct xdp_md *ctx)
{
	return next_packet(packet_of(ctx), end_of(ctx)) ? tcpfin_xdp(ctx) : XDP_PASS;
}

SEC("tc")
int ours_tc(struct __sk_buff *skb)
{
	return next_packet(packet_of(skb), end_of(skb)) ? tcpfin_tc(skb) : TC_ACT_UNSPEC;
}

SEC("xdp.frags")
int ours_all_xdp(struct xdp_md *ctx)
{
	return next_packet(packet_of(ctx), end_of(ctx)) ? tcpfin_xdp_all(ctx) : XDP_PASS;
}

SEC("tc")
int ours_all_tc(struct __sk_buff *skb)
{
	return next_packet(packet_of(skb), end_of(skb)) ? tcpfin_tc_all(skb) : TC_ACT_UNSPEC;
}
