// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs. A packet meets a small one on its hook, which parses it and lets it go: that is all for data and ACKs
 * of established flows. For the few others it jumps to a large one, which tracks the flow and is shared by the hooks of
 * its kind. Each is well within what older verifiers take. No kernel type is used, so the object loads on kernels
 * without BTF.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "bpf/tables.bpf.h"
#include "bpf/core/header_walk.h"
#include "bpf/core/recorder.h"
#include "bpf/core/stray.h"

char LICENSE[] SEC("license") = "GPL";

/* Where programs jump to. Filled by the loader: the programs of a kind that is not used are not loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, JUMPS);
	__type(key, __u32);
	__type(value, __u32);
} tcpfin_jumps_x SEC(".maps"), tcpfin_jumps_t SEC(".maps");

#ifndef NULL
#define NULL ((void *)0)
#endif

/* ---- what the two kinds of hooks have in common ---- */

enum host { HOST_XDP, HOST_TC };

static __always_inline struct cursor cursor_of(void *ctx, enum host host)
{
	const struct xdp_md *xdp = ctx;
	const struct __sk_buff *skb = ctx;

	if (host == HOST_XDP)
		return (struct cursor){(const __u8 *)(long)xdp->data, (const __u8 *)(long)xdp->data_end, 0, ctx,
				       (void *)bpf_xdp_load_bytes};
	return (struct cursor){(const __u8 *)(long)skb->data, (const __u8 *)(long)skb->data_end, 0, ctx,
			       (void *)bpf_skb_load_bytes};
}

static __always_inline struct packet_meta meta_of(void *ctx, enum host host, __u8 link)
{
	const struct __sk_buff *skb = ctx;

	if (host == HOST_XDP)
		return (struct packet_meta){.wire_len = bpf_xdp_get_buff_len(ctx), .link = link};
	return (struct packet_meta){
		.wire_len = skb->len,
		.vlan_tci = skb->vlan_tci,
		.vlan_present = skb->vlan_present != 0,
		.gso = skb->gso_segs > 1,
		.link = link,
	};
}

/* What stands for the interface in keys: its ifindex, or its number where those of several namespaces are watched. */
static __always_inline __u32 interface_of(void *ctx, enum host host)
{
	if (settings.numbered) {
		const struct scratch *w = scratch_get();

		return w ? w->number : 0;
	}
	return host == HOST_XDP ? ((struct xdp_md *)ctx)->ingress_ifindex : ((struct __sk_buff *)ctx)->ifindex;
}

static __always_inline long load_bytes(void *ctx, enum host host, __u32 off, void *to, __u32 len)
{
	return host == HOST_XDP ? bpf_xdp_load_bytes(ctx, off, to, len) : bpf_skb_load_bytes(ctx, off, to, len);
}

/* ---- on the hooks: every packet ---- */

static __always_inline void count_packet(enum packet_verdict verdict)
{
	flag_t all = settings.count_packets;

	if (all)
		count(COUNT_PACKETS);
	if (all || verdict != PACKET_TCP)
		count(COUNT_VERDICT + verdict);
}

/*
 * Must the segment be tracked? It opens or closes a connection, or its cell is watched. All others have touched two
 * small arrays then.
 */
static __always_inline flag_t watch_wants(const struct tcp_segment *s, __u64 side, __u64 hash)
{
	struct last_seen *known;

	if (s->flags & TCP_CONTROL)
		return 1;
	known = tables_last_seen(NULL, hash);
	if (known)
		last_seen_note(known, s, side, hash);
	return watch.live[hash >> 32 & (WATCH_CELLS - 1)] != 0;
}

/* Comes back only if there is no such program. */
static __always_inline void jump(void *ctx, enum host host, enum jump to)
{
	if (host == HOST_XDP)
		bpf_tail_call(ctx, &tcpfin_jumps_x, to);
	else
		bpf_tail_call(ctx, &tcpfin_jumps_t, to);
}

/*
 * Is the Ethernet header missing, on a device that has one? An XDP program with frags in generic mode, anybody's,
 * leaves every program at tc ingress behind it without.
 */
static __always_inline flag_t header_is_gone(const struct __sk_buff *skb)
{
	const __u8 *data = (const __u8 *)(long)skb->data;

	return data + 14 <= (const __u8 *)(long)skb->data_end && *(const __u16 *)(data + 12) != (__u16)skb->protocol;
}

/*
 * Leaves the packet to the program that walks from header to header; comes back only if that cannot be. link: how the
 * packet begins.
 */
static __always_inline void jump_to_walk(void *ctx, enum host host, __u8 link)
{
	struct scratch *w = scratch_get();

	if (!w)
		return;
	w->walk.meta.link = link;
	jump(ctx, host, JUMP_WALK);
}

/*
 * The packet's segment. What packet_parse_common cannot read leaves from here; at tc, also what it finds cut: the
 * header may lie in a page that the program does not see.
 */
static __always_inline enum packet_verdict parse(struct tcp_segment *s, void *ctx, enum host host, __u8 link)
{
	struct packet_meta meta = meta_of(ctx, host, link);
	struct cursor c = cursor_of(ctx, host);
	enum packet_verdict verdict;

	if (host == HOST_TC && link == PACKET_LINK_ETHERNET && header_is_gone(ctx)) {
		jump_to_walk(ctx, host, PACKET_LINK_TYPED);
		return PACKET_TRUNCATED;
	}
	paths_meet();
	verdict = packet_parse_common(s, &c, &meta);
	if (verdict != PACKET_UNCOMMON && (host == HOST_XDP || verdict != PACKET_TRUNCATED))
		return verdict;
	jump_to_walk(ctx, host, link);
	return PACKET_TRUNCATED;
}

/*
 * Takes the time of a segment that is tracked, and asks for what the tracker reads first, all at once: these loads are
 * on their way while the segment is made ready. The clock is read before, because its fence would wait for them.
 */
static __always_inline void begin_tracking(struct scratch *w, __u64 hash, __u32 flags)
{
	const struct last_seen *known = tables_last_seen(NULL, hash);
	const struct flow_set *set = tables_set(NULL, first_set(hash));

	w->segment.time = clock_now();
	if (set)
		(void)reload(set->spilled);
	if (known)
		(void)reload(known->side[0].tag);
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		touch_next_slot();
	if (flags & TCP_CONTROL && (flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK))
		touch_next_block(); /* a SYN's wait for its slot is time enough to bring the next close's block, too */
}

/* The packet's segment into the scratch memory. It was one to packet_parse_common before. */
static __always_inline void fill_scratch(struct scratch *w, void *ctx, enum host host, __u8 link)
{
	struct packet_meta meta = meta_of(ctx, host, link);
	struct cursor c = cursor_of(ctx, host);

	packet_parse_common(&w->segment, &c, &meta);
}

/* Leaves the segment in the scratch memory to the tracking program; comes back only if that cannot be. */
static __always_inline void jump_to_track(void *ctx, enum host host, struct scratch *w, __u32 ifindex, __u64 side,
					  __u64 hash)
{
	w->work.hash = hash;
	w->work.place = hash;
	w->work.side = side;
	w->work.ifindex = ifindex;
	w->work.ask = host == HOST_TC ? ASK_MAY : ASK_NOT; /* XDP programs have no bpf_tcp_sock */
	w->tries = 0;
	count(COUNT_LOOKED_UP);
	jump(ctx, host, w->segment.icmp ? JUMP_QUOTED : JUMP_TRACK);
}

/* ns, as exact as a clock tick: that is enough for an idle time, and costs a tenth of the exact clock. */
static __always_inline __u64 traffic_clock(void)
{
	return settings.test_clock ? test_now : bpf_ktime_get_coarse_ns();
}

/*
 * A segment behind a SYN or a SYN-ACK alone: the other side may pass elsewhere, and each is counted where it passes. In
 * a capture file a connection is one, whichever interface each side passes. n: the slot.
 */
recorder_code int begin_half(const struct tcp_segment *s, __u32 n)
{
	struct traffic *traffic = bpf_map_lookup_elem(&tcpfin_traffic, &n);
	const struct flow_slot *slot = tables_slot(NULL, n);
	__u32 seen;

	if (!traffic || !slot || !s)
		return 0;
	seen = slot->open.seen & (OPEN_SYN | OPEN_SYNACK);
	if ((seen != OPEN_SYN && seen != OPEN_SYNACK) || segment_is_syn(s) || traffic_is_of(traffic, &slot->open))
		return 0;
	__builtin_memset(traffic, 0, sizeof(*traffic));
	traffic_begin(traffic, &slot->open, slot->ip_id, TRAFFIC_HALF);
	return 0;
}

/* --all-segments: adds the segment to what its connection carried. */
static __always_inline void count_traffic(struct scratch *w, __u64 side, __u32 ifindex, __u64 hash)
{
	struct tcp_segment *s = &w->segment;
	const struct flow_slot *slot;
	struct traffic *traffic;
	__u32 n;

	w->work.hash = hash;
	w->work.place = hash;
	w->work.side = side;
	w->work.ifindex = ifindex;
	seek(NULL, &w->work, s);
	n = w->work.current - 1;
	slot = tables_slot(NULL, n);
	traffic = bpf_map_lookup_elem(&tcpfin_traffic, &n);
	if (!slot || !traffic)
		return;
	if (slot->word & PHASE_OPENING)
		begin_half(s, n);
	if (traffic->begun && traffic_takes(traffic, s, side))
		traffic_note(traffic, s, side, traffic_clock(), settings.tick);
}

/* Looks at a packet. Returns its verdict, if it returns: a segment that is to be tracked leaves from here. */
static __always_inline enum packet_verdict observe(void *ctx, enum host host, __u8 link, const flag_t all_segments)
{
	struct tcp_segment local, *s = &local;
	enum packet_verdict verdict;
	__u32 ifindex = interface_of(ctx, host), flags;
	struct flow_ends ends;
	__u64 hash, side;
	struct scratch *w;

	if (all_segments) {
		w = scratch_get();
		if (!w)
			return PACKET_TCP;
		s = &w->segment;
	}
	verdict = parse(s, ctx, host, link);
	if (verdict != PACKET_TCP)
		return verdict;
	if (all_segments)
		paths_meet();
	ends = flow_ends_of_segment(s, hidden(&settings.hash_key));
	side = ends.side;
	hash = flow_hash_of(ends.hash, ifindex);
	if (all_segments) {
		count_traffic(w, side, ifindex, hash);
		paths_meet();
	}
	if (!watch_wants(s, side, hash))
		return verdict;
	if (host == HOST_XDP && settings.close_at_tc && s->flags & (TCP_FIN | TCP_RST))
		return verdict;
	flags = s->flags;
	count_packet(PACKET_TCP);
	w = scratch_get();
	if (!w)
		return verdict;
	begin_tracking(w, hash, flags);
	if (!all_segments) /* anew: what only the tracker asks for would else be worked out for every packet */
		fill_scratch(w, ctx, host, link);
	jump_to_track(ctx, host, w, ifindex, side, hash);
	return verdict;
}

/*
 * For --all-segments there are programs of their own, so that without it they are what they would be if there were
 * none.
 */

SEC("xdp.frags")
int tcpfin_xdp(struct xdp_md *xdp)
{
	count_packet(observe(xdp, HOST_XDP, PACKET_LINK_ETHERNET, 0));
	return XDP_PASS;
}

SEC("xdp.frags")
int tcpfin_xdp_all(struct xdp_md *xdp)
{
	count_packet(observe(xdp, HOST_XDP, PACKET_LINK_ETHERNET, 1));
	return XDP_PASS;
}

SEC("tc")
int tcpfin_tc(struct __sk_buff *skb)
{
	count_packet(observe(skb, HOST_TC, PACKET_LINK_ETHERNET, 0));
	return TC_ACT_UNSPEC;
}

SEC("tc")
int tcpfin_tc_all(struct __sk_buff *skb)
{
	count_packet(observe(skb, HOST_TC, PACKET_LINK_ETHERNET, 1));
	return TC_ACT_UNSPEC;
}

/* Devices without an Ethernet header: tun, wireguard, tunnels. */
SEC("tc")
int tcpfin_tc_l3(struct __sk_buff *skb)
{
	count_packet(observe(skb, HOST_TC, PACKET_LINK_IP, 0));
	return TC_ACT_UNSPEC;
}

SEC("tc")
int tcpfin_tc_l3_all(struct __sk_buff *skb)
{
	count_packet(observe(skb, HOST_TC, PACKET_LINK_IP, 1));
	return TC_ACT_UNSPEC;
}

/* ---- behind them: packets with more headers than nearly all have ---- */

/* A step of the walk whose state is in the scratch memory. */
static __always_inline int walk_step(void *ctx, enum host host)
{
	struct cursor c = cursor_of(ctx, host);
	struct scratch *w = scratch_get();

	return w ? packet_walk_step(&w->walk, &w->segment, &c) : 0;
}

__noinline int walk_step_xdp(struct xdp_md *xdp)
{
	return walk_step(xdp, HOST_XDP);
}

__noinline int walk_step_tc(struct __sk_buff *skb)
{
	return walk_step(skb, HOST_TC);
}

static __always_inline void walk_all(void *ctx, enum host host)
{
	__u32 n;

	unrolled for (n = 0; n < PACKET_WALK_STEPS; n++)
	{
		if (!(host == HOST_XDP ? walk_step_xdp(ctx) : walk_step_tc(ctx)))
			return;
	}
}

/* Walks to the packet's segment and looks at it as the programs on the hooks do. Returns the verdict, if it returns. */
static __always_inline enum packet_verdict observe_walked(void *ctx, enum host host)
{
	struct scratch *w = scratch_get();
	struct packet_meta meta;
	__u32 ifindex = interface_of(ctx, host);
	__u64 hash, side;

	if (!w)
		return PACKET_TRUNCATED;
	meta = meta_of(ctx, host, w->walk.meta.link);
	if (host == HOST_TC) /* for a packet whose Ethernet header is gone */
		meta.ethertype = __builtin_bswap16(((struct __sk_buff *)ctx)->protocol);
	packet_walk_begin(&w->walk, &w->segment, &meta);
	walk_all(ctx, host);
	if (w->walk.verdict != PACKET_TCP && w->walk.verdict != PACKET_QUOTED)
		return w->walk.verdict;
	hash = flow_hash_tunnelled(&w->segment, ifindex, hidden(&settings.hash_key));
	side = flow_side_of(&w->segment);
	if (settings.all_segments && !w->segment.icmp) {
		count_traffic(w, side, ifindex, hash);
		paths_meet();
	}
	if (!w->segment.icmp && !watch_wants(&w->segment, side, hash))
		return w->walk.verdict;
	count_packet(w->walk.verdict);
	begin_tracking(w, hash, w->segment.flags);
	jump_to_track(ctx, host, w, ifindex, side, hash);
	return w->walk.verdict;
}

SEC("xdp.frags")
int tcpfin_walk_xdp(struct xdp_md *xdp)
{
	count_packet(observe_walked(xdp, HOST_XDP));
	return XDP_PASS;
}

SEC("tc")
int tcpfin_walk_tc(struct __sk_buff *skb)
{
	count_packet(observe_walked(skb, HOST_TC));
	return TC_ACT_UNSPEC;
}

/* The headers that are looked for here, in bytes: Ethernet, two tags, IPv6 and TCP with all its options. */
#define CLOSE_HEADERS 122

/*
 * The packet's segment, if XDP has left it to tc: it records what has to be walked to, whatever its flags are. A header
 * that lies in a page is fetched.
 */
static __always_inline enum packet_verdict parse_left_by_xdp(struct tcp_segment *s, struct __sk_buff *skb)
{
	/* Generic XDP leaves some packets without their Ethernet header. */
	struct packet_meta meta = meta_of(skb, HOST_TC, header_is_gone(skb) ? PACKET_LINK_IP : PACKET_LINK_ETHERNET);
	struct cursor c = cursor_of(skb, HOST_TC);
	enum packet_verdict verdict = packet_parse_common(s, &c, &meta);

	if (verdict != PACKET_TRUNCATED || bpf_skb_pull_data(skb, skb->len < CLOSE_HEADERS ? skb->len : CLOSE_HEADERS))
		return verdict;
	c = cursor_of(skb, HOST_TC);
	return packet_parse_common(s, &c, &meta);
}

/*
 * At tc ingress behind an XDP program, which cannot ask a socket. FINs and RSTs are recorded here and nothing else is;
 * XDP passes them unrecorded (settings.close_at_tc). So each segment is recorded once, by its flags alone, and no entry
 * is amended after another CPU may have read it. The time is tc's, some microseconds later than XDP's.
 */
SEC("tc")
int tcpfin_tc_close(struct __sk_buff *skb)
{
	struct scratch *w = scratch_get();
	__u32 interface;
	__u64 hash, side;

	/* Into memory: of a segment of which only the flags are read, clang makes code that needs CAP_PERFMON. */
	if (!w || parse_left_by_xdp(&w->segment, skb) != PACKET_TCP)
		return TC_ACT_UNSPEC;
	paths_meet();
	if (!(w->segment.flags & (TCP_FIN | TCP_RST)))
		return TC_ACT_UNSPEC;
	interface = interface_of(skb, HOST_TC);
	hash = flow_hash(&w->segment, interface, hidden(&settings.hash_key));
	side = flow_side_of(&w->segment);
	begin_tracking(w, hash, w->segment.flags);
	jump_to_track(skb, HOST_TC, w, interface, side, hash);
	return TC_ACT_UNSPEC;
}

/* ---- behind them: what opens or closes a connection ---- */

/* Reads one option of the segment in the scratch memory. Returns whether there may be another one. */
__noinline __attribute__((weak)) int read_option(void)
{
	struct scratch *w = scratch_get();

	return w ? packet_option(&w->segment, &w->options) : 0;
}

/* Has the SYN the options that Linux sends? MSS, SACK permitted, time stamps, a filler, and window scale at the end. */
static __always_inline flag_t options_are_usual(const struct tcp_options *o)
{
	return o->len == 20 && load_be16(o->bytes) == 0x0204 && load_be32(o->bytes + 4) == 0x0402080a &&
	       load_be32(o->bytes + 16) >> 8 == 0x010303;
}

/* The verifier checks read_option() once; bpf_loop() would need Linux 5.17. */
static __always_inline void read_options(struct scratch *w)
{
	__u32 n;

	if (options_are_usual(&w->options)) {
		w->segment.wscale = w->options.bytes[19] > 14 ? 14 : w->options.bytes[19];
		return;
	}
	unrolled for (n = 0; n < PACKET_OPTIONS_MAX; n++)
	{
		if (!read_option())
			return;
	}
}

/* Fetches the options of a SYN or RST; without them where the packet does not hold them all. */
static __always_inline void fetch_options(void *ctx, enum host host, struct scratch *w)
{
	__u32 len = w->segment.options_len - 1;
	long err;

	opaque(len);
	if (len >= PACKET_OPTIONS_MAX) /* none, too: that 0 is excluded, older verifiers learn only from a comparison */
		return;
	len++;
	err = load_bytes(ctx, host, w->segment.options_off, w->options.bytes, len);
	w->options.len = len;
	w->options.at = 0;
	if (!err)
		read_options(w);
}

/* ---- asking this host's sockets ---- */

#define IPPROTO_TCP_ 6

/* The tuple as the socket of the segment's receiver has it, or of its sender. */
static __always_inline void socket_tuple(struct bpf_sock_tuple *t, const struct tcp_segment *s, flag_t receiver)
{
	__u64 shi = either(receiver, s->src.hi, s->dst.hi), slo = either(receiver, s->src.lo, s->dst.lo);
	__u64 dhi = either(receiver, s->dst.hi, s->src.hi), dlo = either(receiver, s->dst.lo, s->src.lo);
	__u32 sport = either(receiver, s->sport, s->dport), dport = either(receiver, s->dport, s->sport);

	if (s->family == 4) {
		t->ipv4.saddr = __builtin_bswap32(slo);
		t->ipv4.daddr = __builtin_bswap32(dlo);
		t->ipv4.sport = __builtin_bswap16(sport);
		t->ipv4.dport = __builtin_bswap16(dport);
		return;
	}
	t->ipv6.saddr[0] = __builtin_bswap32(shi >> 32);
	t->ipv6.saddr[1] = __builtin_bswap32(shi);
	t->ipv6.saddr[2] = __builtin_bswap32(slo >> 32);
	t->ipv6.saddr[3] = __builtin_bswap32(slo);
	t->ipv6.daddr[0] = __builtin_bswap32(dhi >> 32);
	t->ipv6.daddr[1] = __builtin_bswap32(dhi);
	t->ipv6.daddr[2] = __builtin_bswap32(dlo >> 32);
	t->ipv6.daddr[3] = __builtin_bswap32(dlo);
	t->ipv6.sport = __builtin_bswap16(sport);
	t->ipv6.dport = __builtin_bswap16(dport);
}

/* Asks the socket of one end, if it is of this network namespace. receiver: that of the segment's receiver. */
__noinline int ask_socket(struct __sk_buff *skb, __u32 receiver)
{
	struct scratch *w = scratch_get();
	struct bpf_sock_tuple tuple = {};
	struct bpf_tcp_sock *tcp;
	struct bpf_sock *sk;

	if (!w)
		return 0;
	socket_tuple(&tuple, &w->segment, receiver != 0);
	if (w->segment.family == 4)
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	if (sk->state != BPF_TCP_LISTEN)
		w->work.socket.none = 0;
	/* A socket that resets has left the table already: its listener is found instead, and knows nothing. */
	tcp = sk->state == BPF_TCP_LISTEN || sk->state == BPF_TCP_CLOSE ? NULL : bpf_tcp_sock(sk);
	if (tcp) {
		w->work.socket.known = 1;
		w->work.socket.side = receiver ? !w->work.side : w->work.side;
		w->work.socket.rcv_nxt = tcp->rcv_nxt;
		w->work.socket.snd_nxt = tcp->snd_nxt;
		w->work.socket.snd_una = tcp->snd_una;
	}
	bpf_sk_release(sk);
	return tcp != NULL;
}

/*
 * Was the packet sent by the TCP of this host, and not through a raw or packet socket? An RST's own connection has
 * left the table by then.
 */
static __always_inline flag_t sent_by_tcp(const struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	return sk && sk->protocol == IPPROTO_TCP_;
}

/*
 * Was the packet made on this host, but by no socket? A packet filter rejects so; a router's packets have come in. Over
 * IPv6 TCP itself does, where it has no socket: user space asks its tracepoint (filter_made_it).
 */
static __always_inline flag_t sent_by_filter(const struct __sk_buff *skb)
{
	return !skb->ingress_ifindex && !skb->sk;
}

#define LOOPBACK_IFINDEX 1 /* in every network namespace */

/*
 * Asks the receiver's socket, and then the sender's: what comes in may be forged in the name of this host. Of what this
 * host sends through another interface than loopback the receiver is elsewhere. ingress_ifindex is 0 for what it sends.
 */
static __always_inline int ask_either_socket(struct __sk_buff *skb)
{
	if ((skb->ingress_ifindex || skb->ifindex == LOOPBACK_IFINDEX) && ask_socket(skb, 1))
		return 1;
	return ask_socket(skb, 0);
}

static __always_inline void ask_no_socket(struct scratch *w)
{
	w->work.socket.known = 0;
	w->work.socket.own = 0;
	w->work.socket.filter = 0;
	w->work.socket.none = 0;
}

/* Had this host no socket of the connection when its close began? */
static __always_inline flag_t is_elsewhere(const struct work *w)
{
	const struct flow_slot *slot = tables_slot(NULL, w->current - 1);
	const struct flow_block *b = slot ? tables_block(NULL, reload(slot->block) - 1) : NULL;

	return b && b->no_socket;
}

/* What this host's sockets know of the segment in the scratch memory, into that. */
__noinline int ask_sockets(struct __sk_buff *skb)
{
	struct scratch *w = scratch_get();

	if (!w)
		return 0;
	w->work.socket.filter = w->segment.flags & TCP_RST && sent_by_filter(skb);
	if (w->segment.tunnel & TUNNEL_HAS_ID) /* addresses in a virtual network may be others' here */
		return 0;
	if (!is_elsewhere(&w->work)) {
		w->work.socket.none = 1;
		if (ask_either_socket(skb))
			return 0;
	}
	if (w->segment.flags & TCP_RST)
		w->work.socket.own = sent_by_tcp(skb);
	return 0;
}

/* ---- RSTs of no connection ---- */

/* May one more be told? A CPU that overtakes another at the second's turn can let a few more pass. */
static __always_inline flag_t stray_allowed(__u64 now)
{
	__u32 second = now >> STRAYS_SECOND_SHIFT;

	if (reload(strays_second) != second) {
		strays_second = second;
		strays_told = 0;
	}
	return reload(strays_told) < STRAYS_A_SECOND && __sync_fetch_and_add(&strays_told, 1) < STRAYS_A_SECOND;
}

/*
 * Tells user space of the stray RST in the scratch memory. direction: enum stray_direction. Static, unlike other
 * functions: the verifier removes a static one that nothing calls, and keeps a global one.
 */
static __noinline int tell_stray(__u32 direction)
{
	struct scratch *w = scratch_get();
	struct stray *x;

	if (!w)
		return 0;
	x = stray_allowed(w->segment.time) ? bpf_ringbuf_reserve(&tcpfin_ring, sizeof(*x), 0) : NULL;
	if (!x)
		return settings.strays ? count(COUNT_STRAYS_LIMITED) : 0;
	stray_fill(x, &w->segment, w->work.ifindex);
	x->direction = direction;
	x->filter = w->work.socket.filter;
	bpf_ringbuf_submit(x, BPF_RB_NO_WAKEUP);
	return 0;
}

/* A packet at ingress has come in by the interface that it is at; XDP sees no others. */
static __always_inline __u32 direction_of(void *ctx, enum host host)
{
	const struct __sk_buff *skb = ctx;

	return host == HOST_XDP || skb->ingress_ifindex == skb->ifindex ? STRAY_IN : STRAY_OUT;
}

/* ---- packets that are kept ---- */

/* How many bytes of the packet are kept, at least 1: its headers, or as much as there is room for of an ICMP error. */
static __always_inline __u32 bytes_kept(const struct tcp_segment *s, __u32 length)
{
	__u32 len = (s->icmp ? length : (__u32)s->options_off + s->options_len) - 1;

	opaque(len);
	return (len < SEEN_BYTES ? len : SEEN_BYTES - 1) + 1;
}

/*
 * Keeps the packet whose segment has just been recorded: it opens or closes a connection. Where two CPUs are a whole
 * round of the ring apart, they may write to one place; then its number is none that user space looks for.
 */
static __always_inline int keep_packet(void *ctx, enum host host)
{
	struct scratch *w = scratch_get();
	struct seen_packet *p;
	struct flow_slot *slot;
	__u64 number;
	__u32 n, at, len;

	if (!w || w->work.again)
		return 0;
	n = w->work.taken ? w->work.taken : w->work.inside ? w->work.inside : w->work.current;
	n = n ? n : w->work.append;
	slot = tables_slot(NULL, n - 1);
	if (!slot)
		return 0;
	number = __sync_fetch_and_add(&packets_seen, 1);
	at = number & (SEEN_PACKETS - 1);
	p = bpf_map_lookup_elem(&tcpfin_packets, &at);
	if (!p)
		return 0;
	*(volatile __u64 *)&p->number = 0;
	p->time = w->segment.time;
	p->slot = n;
	p->generation = slot->word >> 32;
	p->interface = w->work.ifindex;
	p->length = host == HOST_XDP ? (__u32)bpf_xdp_get_buff_len(ctx) : ((struct __sk_buff *)ctx)->len;
	p->outgoing = direction_of(ctx, host) == STRAY_OUT;
	p->headless = host == HOST_TC && header_is_gone(ctx);
	len = bytes_kept(&w->segment, p->length);
	p->captured = load_bytes(ctx, host, 0, p->bytes, len) ? 0 : len;
	*(volatile __u64 *)&p->number = number + 1;
	return 0;
}

/* Static: see tell_stray. */
static __noinline int keep_packet_xdp(struct xdp_md *xdp)
{
	return keep_packet(xdp, HOST_XDP);
}

static __noinline int keep_packet_tc(struct __sk_buff *skb)
{
	return keep_packet(skb, HOST_TC);
}

#define TRACK_TRIES 4

/*
 * Runs the program again if another CPU overtook its step. No loop: unrolled, it would have the program in it so many
 * times.
 */
static __always_inline void try_again(void *ctx, enum host host, struct scratch *w, enum jump program)
{
	if (!w->work.again)
		return;
	if (++w->tries < TRACK_TRIES)
		jump(ctx, host, program);
	count(COUNT_CONTENDED);
}

/* Records the segment in the scratch memory. */
static __always_inline void track(void *ctx, enum host host)
{
	struct scratch *w = scratch_get();

	if (!w)
		return;
	if (w->segment.flags & (TCP_SYN | TCP_RST))
		fetch_options(ctx, host, w);
	seek(NULL, &w->work, &w->segment);
	paths_meet();
	ask_no_socket(w);
	if (host == HOST_TC && (w->segment.flags & (TCP_FIN | TCP_RST) || w->work.ask == ASK_NOW))
		ask_sockets(ctx);
	if (settings.packets)
		w->work.taken = 0;
	record_found(NULL, &w->work, &w->segment);
	if (settings.packets && !w->work.again)
		host == HOST_XDP ? keep_packet_xdp(ctx) : keep_packet_tc(ctx);
	if (w->work.stray && (settings.strays || (settings.answers && w->segment.flags & TCP_ACK)))
		tell_stray(direction_of(ctx, host));
	try_again(ctx, host, w, JUMP_TRACK);
}

SEC("xdp.frags")
int tcpfin_track_xdp(struct xdp_md *ctx)
{
	track(ctx, HOST_XDP);
	return XDP_PASS;
}

SEC("tc")
int tcpfin_track_tc(struct __sk_buff *skb)
{
	track(skb, HOST_TC);
	return TC_ACT_UNSPEC;
}

/* Records what the ICMP error in the scratch memory says of a connection. */
static __always_inline void track_quoted(void *ctx, enum host host)
{
	struct scratch *w = scratch_get();

	if (!w)
		return;
	ask_no_socket(w);
	if (settings.packets)
		w->work.taken = 0;
	record_quoted(NULL, &w->work, &w->segment);
	if (settings.packets)
		host == HOST_XDP ? keep_packet_xdp(ctx) : keep_packet_tc(ctx);
	try_again(ctx, host, w, JUMP_QUOTED);
}

SEC("xdp.frags")
int tcpfin_track_quoted_xdp(struct xdp_md *ctx)
{
	track_quoted(ctx, HOST_XDP);
	return XDP_PASS;
}

SEC("tc")
int tcpfin_track_quoted_tc(struct __sk_buff *skb)
{
	track_quoted(skb, HOST_TC);
	return TC_ACT_UNSPEC;
}
