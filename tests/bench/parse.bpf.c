// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What it costs to know a packet and no more: the product's parser, with all that it finds out, and nothing behind it.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "bpf/core/packet.h"

/* The segment is stored, as if somebody might read it. */
static __always_inline void parse_only(struct cursor *c, const struct packet_meta *meta)
{
	struct tcp_segment s;

	if (packet_parse_common(&s, c, meta) == PACKET_TCP)
		asm volatile("" : : "r"(&s) : "memory");
}

SEC("xdp.frags")
int bench_parse_xdp(struct xdp_md *ctx)
{
	struct packet_meta meta = {.wire_len = bpf_xdp_get_buff_len(ctx), .link = PACKET_LINK_ETHERNET};
	struct cursor c = {.pos = (const __u8 *)(long)ctx->data,
			   .end = (const __u8 *)(long)ctx->data_end,
			   .packet = ctx,
			   .load = (void *)bpf_xdp_load_bytes};

	parse_only(&c, &meta);
	return XDP_PASS;
}

SEC("tc")
int bench_parse_tc(struct __sk_buff *skb)
{
	struct packet_meta meta = {
		.wire_len = skb->len,
		.vlan_tci = skb->vlan_tci,
		.vlan_present = skb->vlan_present != 0,
		.gso = skb->gso_segs > 1,
		.link = PACKET_LINK_ETHERNET,
	};
	struct cursor c = {.pos = (const __u8 *)(long)skb->data,
			   .end = (const __u8 *)(long)skb->data_end,
			   .packet = skb,
			   .load = (void *)bpf_skb_load_bytes};

	parse_only(&c, &meta);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
