// SPDX-License-Identifier: GPL-2.0
/*
 * Entry points of the packet path. Each turns its context into a cursor and what is known beside the bytes; all else
 * is shared. No kernel type is used, so the object loads on kernels without BTF.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "track.bpf.h"
#include "sweep.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum host { HOST_XDP, HOST_TC };

/* Fetches the options of a SYN or RST; without them where the packet does not hold them all. */
static __always_inline void fetch_options(void *ctx, enum host host, struct work *w)
{
	__u32 len = w->segment.options_len;
	long err;

	opaque(len);
	if (len == 0 || len > PACKET_OPTIONS_MAX)
		return;
	if (host == HOST_XDP)
		err = bpf_xdp_load_bytes(ctx, w->segment.options_off, w->options.bytes, len);
	else
		err = bpf_skb_load_bytes(ctx, w->segment.options_off, w->options.bytes, len);
	w->options.len = len;
	if (!err)
		work_options();
}

/*
 * The TCP segment that was parsed into the work. Data and ACKs of established flows leave here, having touched two small arrays.
 */
static __always_inline void observe(void *ctx, enum host host, struct work *w, __u32 ifindex)
{
	struct tcp_segment *s = &w->segment;
	__u32 side = flow_side_of(s), hash = flow_hash(s, side, ifindex, settings.hash_seed);
	struct evidence *known;

	if (s->flags & TCP_CONTROL || watch.live[watch_index(hash)]) {
		s->time = clock_now();
		w->turn.side = side;
		flow_key_fill(&w->key, s, side, ifindex, hash);
		if (s->flags & (TCP_SYN | TCP_RST))
			fetch_options(ctx, host, w);
		track_segment();
	}
	if (!(s->flags & TCP_CONTROL)) {
		known = evidence_get(hash);
		if (known)
			evidence_note(known, s, side, hash);
	}
}

/* Every packet, parsed: the verdict lies in memory, so that all of them are one path to the verifier. */
static __always_inline void take(void *ctx, enum host host, struct work *w, __u32 ifindex)
{
	paths_meet();
	if (settings.count_packets)
		count(COUNT_PACKETS);
	if (w->verdict != PACKET_TCP || settings.count_packets)
		count(COUNT_VERDICT + w->verdict);
	if (w->verdict == PACKET_TCP)
		observe(ctx, host, w, ifindex);
}

SEC("xdp.frags")
int tcpfin_xdp(struct xdp_md *ctx)
{
	struct cursor c = {(const __u8 *)(long)ctx->data, (const __u8 *)(long)ctx->data_end};
	struct packet_meta meta = {
		.wire_len = bpf_xdp_get_buff_len(ctx),
		.link = PACKET_LINK_ETHERNET,
	};

	struct work *w = work_get();

	if (w) {
		w->verdict = packet_parse(&w->segment, &c, &meta);
		take(ctx, HOST_XDP, w, ctx->ingress_ifindex);
	}
	return XDP_PASS;
}

/* Bytes pulled into the linear part when a header was cut: every header chain that we walk fits. */
#define PULL_BYTES 512

static __always_inline int observe_skb(struct __sk_buff *skb, __u8 link)
{
	struct packet_meta meta = {
		.wire_len = skb->len,
		.vlan_tci = skb->vlan_tci,
		.vlan_present = skb->vlan_present != 0,
		.gso = skb->gso_segs > 1,
		.link = link,
	};
	struct work *w = work_get();
	int tries;

	if (!w)
		return TC_ACT_UNSPEC;
	for (tries = 0; tries < 2; tries++) {
		struct cursor c = {(const __u8 *)(long)skb->data, (const __u8 *)(long)skb->data_end};

		w->verdict = packet_parse(&w->segment, &c, &meta);
		if (w->verdict != PACKET_TRUNCATED || tries)
			break;
		/* The header may lie in a page that the program cannot see yet. */
		if (bpf_skb_pull_data(skb, skb->len < PULL_BYTES ? skb->len : PULL_BYTES))
			break;
	}
	take(skb, HOST_TC, w, skb->ifindex);
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

SEC("tc")
int tcpfin_sweep(struct __sk_buff *skb)
{
	return sweep_run();
}
