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

#include "bpf/track.bpf.h"
#include "bpf/sweep.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Where programs jump to. Filled by the loader: the programs of a kind that is not used are not loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, JUMPS);
	__type(key, __u32);
	__type(value, __u32);
} jumps_xdp SEC(".maps"), jumps_tc SEC(".maps");

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

static __always_inline __u32 ifindex_of(void *ctx, enum host host)
{
	return host == HOST_XDP ? ((struct xdp_md *)ctx)->ingress_ifindex : ((struct __sk_buff *)ctx)->ifindex;
}

/* ---- on the hooks: every packet ---- */

static __always_inline void count_packet(enum packet_verdict verdict)
{
	if (settings.count_packets)
		count(COUNT_PACKETS);
	if (verdict != PACKET_TCP || settings.count_packets)
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
	known = evidence_get(hash >> 32);
	if (known)
		last_seen_note(known, s, side, hash);
	return watch.live[watch_index(hash >> 32)] != 0;
}

/* Comes back only if there is no such program. */
static __always_inline void jump(void *ctx, enum host host, enum jump to)
{
	if (host == HOST_XDP)
		bpf_tail_call(ctx, &jumps_xdp, to);
	else
		bpf_tail_call(ctx, &jumps_tc, to);
}

/* Parses the whole of what a header chain can be; the segment goes into the work. */
static __always_inline enum packet_verdict work_parse(void *ctx, enum host host, __u8 link)
{
	struct packet_meta meta = meta_of(ctx, host, link);
	struct cursor c = cursor_of(ctx, host);
	struct work *w = work_get();

	return w ? packet_parse(&w->segment, &c, &meta) : PACKET_TRUNCATED;
}

__noinline int work_parse_xdp(struct xdp_md *xdp)
{
	return work_parse(xdp, HOST_XDP, PACKET_LINK_ETHERNET);
}

__noinline int work_parse_tc(struct __sk_buff *skb)
{
	return work_parse(skb, HOST_TC, PACKET_LINK_ETHERNET);
}

__noinline int work_parse_tc_l3(struct __sk_buff *skb)
{
	return work_parse(skb, HOST_TC, PACKET_LINK_IP);
}

static __always_inline enum packet_verdict work_parse_once(void *ctx, enum host host, __u8 link)
{
	if (host == HOST_XDP)
		return work_parse_xdp(ctx);
	return link == PACKET_LINK_IP ? work_parse_tc_l3(ctx) : work_parse_tc(ctx);
}

/* Bytes pulled into the linear part when a header was cut: every header chain that we walk fits. */
#define PULL_BYTES 512

/* The packet's segment. Nearly all need only what is inlined here. */
static __always_inline enum packet_verdict parse(struct tcp_segment *s, void *ctx, enum host host, __u8 link)
{
	struct packet_meta meta = meta_of(ctx, host, link);
	struct cursor c = cursor_of(ctx, host);
	enum packet_verdict verdict = packet_parse_common(s, &c, &meta);
	struct __sk_buff *skb = ctx;
	struct work *w;

	if (verdict != PACKET_UNCOMMON && (host == HOST_XDP || verdict != PACKET_TRUNCATED))
		return verdict;
	if (verdict == PACKET_UNCOMMON)
		verdict = work_parse_once(ctx, host, link);
	/* The header may lie in a page that the program cannot see yet. */
	if (host == HOST_TC && verdict == PACKET_TRUNCATED &&
	    !bpf_skb_pull_data(skb, skb->len < PULL_BYTES ? skb->len : PULL_BYTES))
		verdict = work_parse_once(ctx, host, link);
	if (verdict != PACKET_TCP)
		return verdict;
	w = work_get();
	if (!w)
		return PACKET_TRUNCATED;
	*s = w->segment;
	return PACKET_TCP;
}

/* Puts the packet's segment into the work and jumps to the tracking program; comes back only if that cannot be. */
static __always_inline void jump_to_tracking(void *ctx, enum host host, __u8 link, __u32 ifindex, __u64 side,
					     __u64 hash)
{
	struct work *w = work_get();

	if (!w)
		return;
	w->turn.side = side;
	w->key.hash = hash >> 32;
	w->key.check = (__u16)(hash >> 16);
	w->key.ifindex = ifindex;
	if (work_parse_once(ctx, host, link) != PACKET_TCP)
		return;
	count(COUNT_LOOKED_UP);
	w->segment.time = clock_now();
	w->tries = 0;
	jump(ctx, host, JUMP_TRACK);
}

/* Looks at a packet. Returns its verdict, if it returns: a segment that is to be tracked leaves from here. */
static __always_inline enum packet_verdict observe(void *ctx, enum host host, __u8 link, const flag_t all_segments)
{
	struct tcp_segment local, *s = &local;
	enum packet_verdict verdict;
	__u32 ifindex = ifindex_of(ctx, host);
	__u64 hash, side;
	struct work *w;

	if (all_segments) {
		w = work_get();
		if (!w)
			return PACKET_TCP;
		s = &w->segment;
	}
	verdict = parse(s, ctx, host, link);
	if (verdict != PACKET_TCP)
		return verdict;
	if (all_segments)
		paths_meet();
	hash = flow_hash(s, ifindex, settings.hash_seed);
	side = flow_side_of(s);
	if (all_segments) {
		traffic_count(s, side, ifindex, hash);
		paths_meet();
	}
	if (watch_wants(s, side, hash)) {
		count_packet(PACKET_TCP);
		/*
		 * It is parsed anew, from memory: what only the tracker asks for would else be worked out for every
		 * packet.
		 */
		paths_meet();
		jump_to_tracking(ctx, host, link, ifindex, side, hash);
	}
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

/* ---- behind them: what opens or closes a connection ---- */

/* Fetches the options of a SYN or RST; without them where the packet does not hold them all. */
static __always_inline void fetch_options(void *ctx, enum host host, struct work *w)
{
	__u32 len = w->segment.options_len - 1;
	long err;

	opaque(len);
	if (len >= PACKET_OPTIONS_MAX) /* none, too: that 0 is excluded, older verifiers learn only from a comparison */
		return;
	len++;
	if (host == HOST_XDP)
		err = bpf_xdp_load_bytes(ctx, w->segment.options_off, w->options.bytes, len);
	else
		err = bpf_skb_load_bytes(ctx, w->segment.options_off, w->options.bytes, len);
	w->options.len = len;
	w->options.at = 0;
	if (!err)
		bpf_loop(PACKET_OPTIONS_MAX, work_option, &w, 0);
}

#define TRACK_TRIES 4

/* The segment in the work. */
static __always_inline void track(void *ctx, enum host host)
{
	struct work *w = work_get();

	if (!w)
		return;
	w->next = NEXT_NOTHING;
	flow_key_fill(&w->key, &w->segment, w->turn.side, w->key.ifindex, flow_key_hash(&w->key));
	if (w->segment.flags & (TCP_SYN | TCP_RST))
		fetch_options(ctx, host, w);
	track_segment(w);
	if (w->next == NEXT_PROVEN)
		jump(ctx, host, JUMP_PROVEN);
	if (w->next != NEXT_TRACK)
		return;
	if (++w->tries < TRACK_TRIES)
		jump(ctx, host, JUMP_TRACK); /* no loop: unrolled, it would have the program in it so many times */
	count(COUNT_CONTENDED);
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

/* A flow that is proven, once in its life. */
static __always_inline void proven(void)
{
	struct work *w = work_get();

	if (w)
		track_proven(w);
}

SEC("xdp.frags")
int tcpfin_proven_xdp(struct xdp_md *ctx)
{
	proven();
	return XDP_PASS;
}

SEC("tc")
int tcpfin_proven_tc(struct __sk_buff *skb)
{
	proven();
	return TC_ACT_UNSPEC;
}

SEC("tc")
int tcpfin_sweep(struct __sk_buff *skb)
{
	return sweep_run();
}
