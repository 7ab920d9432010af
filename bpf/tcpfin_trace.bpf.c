// SPDX-License-Identifier: GPL-2.0
/*
 * The programs. A packet meets a small one on its hook, which parses it and lets it go: that is all for data and ACKs
 * of established flows. For the few others it jumps to a large one, which tracks the flow and is shared by the hooks of
 * its kind. Each is well within what older verifiers take. No kernel type is used, so the object loads on kernels
 * without BTF.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "track.bpf.h"
#include "sweep.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Where a hook jumps to. Filled by the loader: the programs of a kind that is not used are not loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} track_xdp SEC(".maps"), track_tc SEC(".maps");

/* ---- what the two kinds of hooks have in common ---- */

enum host { HOST_XDP, HOST_TC };

static __always_inline struct cursor cursor_of(void *ctx, enum host host)
{
	const struct xdp_md *xdp = ctx;
	const struct __sk_buff *skb = ctx;

	if (host == HOST_XDP)
		return (struct cursor){(const __u8 *)(long)xdp->data, (const __u8 *)(long)xdp->data_end};
	return (struct cursor){(const __u8 *)(long)skb->data, (const __u8 *)(long)skb->data_end};
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
static __always_inline flag_t watch_wants(const struct tcp_segment *s, __u32 side, __u64 hash)
{
	struct evidence *known;

	if (s->flags & TCP_CONTROL)
		return 1;
	known = evidence_get(hash >> 32);
	if (known)
		evidence_note(known, s, side, hash);
	return watch.live[watch_index(hash >> 32)] != 0;
}

/* Puts the packet's segment into the work and jumps to the tracking program; comes back only if that cannot be. */
static __always_inline void jump_to_tracking(void *ctx, enum host host, __u8 link, __u32 ifindex, __u32 side,
					     __u64 hash)
{
	struct packet_meta meta = meta_of(ctx, host, link);
	struct cursor c = cursor_of(ctx, host);
	struct work *w = work_get();

	if (!w)
		return;
	w->turn.side = side;
	w->key.hash = hash >> 32;
	w->key.check = (__u16)(hash >> 16);
	w->key.ifindex = ifindex;
	if (packet_parse(&w->segment, &c, &meta) != PACKET_TCP)
		return;
	if (host == HOST_XDP)
		bpf_tail_call(ctx, &track_xdp, 0);
	else
		bpf_tail_call(ctx, &track_tc, 0);
}

/* Looks at a packet. Returns its verdict, if it returns: a segment that is to be tracked leaves from here. */
static __always_inline enum packet_verdict observe_as(void *ctx, enum host host, __u8 link, const flag_t all_segments)
{
	struct packet_meta meta = meta_of(ctx, host, link);
	struct cursor c = cursor_of(ctx, host);
	struct tcp_segment s;
	enum packet_verdict verdict = packet_parse(&s, &c, &meta);
	__u32 ifindex = ifindex_of(ctx, host), side;
	__u64 hash;

	if (verdict != PACKET_TCP)
		return verdict;
	side = flow_side_of(&s);
	hash = flow_hash(&s, ifindex, settings.hash_seed);
	if (all_segments)
		traffic_count(&s, side, ifindex, hash);
	if (watch_wants(&s, side, hash)) {
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

/* Two copies of it, so that the one without --all-segments is what it would be if there were no such option. */
static __always_inline enum packet_verdict observe(void *ctx, enum host host, __u8 link)
{
	if (settings.all_segments)
		return observe_as(ctx, host, link, 1);
	return observe_as(ctx, host, link, 0);
}

SEC("xdp.frags")
int tcpfin_xdp(struct xdp_md *ctx)
{
	count_packet(observe(ctx, HOST_XDP, PACKET_LINK_ETHERNET));
	return XDP_PASS;
}

/* Bytes pulled into the linear part when a header was cut: every header chain that we walk fits. */
#define PULL_BYTES 512

static __always_inline int observe_skb(struct __sk_buff *skb, __u8 link)
{
	enum packet_verdict verdict = PACKET_TCP;
	int tries;

	rolled
	for (tries = 0; tries < 2; tries++) {
		verdict = observe(skb, HOST_TC, link);
		if (verdict != PACKET_TRUNCATED)
			break;
		/* The header may lie in a page that the program cannot see yet. */
		if (bpf_skb_pull_data(skb, skb->len < PULL_BYTES ? skb->len : PULL_BYTES))
			break;
	}
	count_packet(verdict);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int tcpfin_tc(struct __sk_buff *skb)
{
	return observe_skb(skb, PACKET_LINK_ETHERNET);
}

/* Devices without an Ethernet header: tun, wireguard, tunnels. */
SEC("tc")
int tcpfin_tc_l3(struct __sk_buff *skb)
{
	return observe_skb(skb, PACKET_LINK_IP);
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
	if (!err)
		work_options();
}

/* The segment in the work. */
static __always_inline void track(void *ctx, enum host host)
{
	struct work *w = work_get();

	if (!w)
		return;
	w->segment.time = clock_now();
	flow_key_fill(&w->key, &w->segment, w->turn.side, w->key.ifindex, flow_key_hash(&w->key));
	if (w->segment.flags & (TCP_SYN | TCP_RST))
		fetch_options(ctx, host, w);
	track_segment();
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

SEC("tc")
int tcpfin_sweep(struct __sk_buff *skb)
{
	return sweep_run();
}
