// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes the plan's next packet and jumps to the program that is measured. See plan.h.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/plan.h"

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };

#define SERVER 0xc0a80001u
#define SERVER_PORT 443

struct plan plan = {};

const struct plan_step script[PLAN_SCRIPT] = {
	{.seq = 1, .ack = 1, .len = PLAN_PAYLOAD, .flags = PSH | ACK, .words = 8},
	{.seq = 1, .ack = 1 + PLAN_PAYLOAD, .flags = ACK, .words = 8, .server = 1},

	{.flags = SYN, .words = 10},
	{.ack = 1, .flags = SYN | ACK, .words = 10, .server = 1},
	{.seq = 1, .ack = 1, .flags = ACK, .words = 8},
	{.seq = 1, .ack = 1, .len = 100, .flags = PSH | ACK, .words = 8},
	{.seq = 1, .ack = 101, .flags = ACK, .words = 8, .server = 1},
	{.seq = 1, .ack = 101, .len = 500, .flags = PSH | ACK, .words = 8, .server = 1},
	{.seq = 101, .ack = 501, .flags = ACK, .words = 8},
	{.seq = 101, .ack = 501, .flags = FIN | ACK, .words = 8},
	{.seq = 501, .ack = 102, .flags = ACK, .words = 8, .server = 1},
	{.seq = 501, .ack = 102, .flags = FIN | ACK, .words = 8, .server = 1},
	{.seq = 102, .ack = 502, .flags = ACK, .words = 8},
};

/* The place of the program that is measured, for either kind of hook. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} measured_xdp SEC(".maps"), measured_tc SEC(".maps");

/* Each field is written as wide as a parser reads it, so that no load has to wait for two stores. */
static __always_inline void write_headers(void *ip, const struct plan_step *s, __u32 number, __u32 progress)
{
	__u32 client = 0x0a000000u + (number >> 12), seq = number * 2654435761u, ack = number * 40503u + 7;
	__u16 port = 1024 + (number & 0xfff);
	void *tcp = ip + 20;

	*(__u16 *)(ip + 2) = bpf_htons(20 + s->words * 4 + s->len);
	*(__u16 *)(ip + 4) = bpf_htons(plan.left + plan.step);
	*(__u32 *)(ip + 12) = bpf_htonl(s->server ? SERVER : client);
	*(__u32 *)(ip + 16) = bpf_htonl(s->server ? client : SERVER);
	*(__u16 *)tcp = bpf_htons(s->server ? SERVER_PORT : port);
	*(__u16 *)(tcp + 2) = bpf_htons(s->server ? port : SERVER_PORT);
	*(__u32 *)(tcp + 4) = bpf_htonl((s->server ? ack : seq + progress) + s->seq);
	*(__u32 *)(tcp + 8) = s->flags & ACK ? bpf_htonl((s->server ? seq + progress : ack) + s->ack) : 0;
	*(__u8 *)(tcp + 12) = s->words << 4;
	*(__u8 *)(tcp + 13) = s->flags;
}

static __always_inline void plan_advance(void)
{
	plan.slot += plan.stride;
	if (plan.slot >= plan.slots)
		plan.slot -= plan.slots;
	if (--plan.left)
		return;
	plan.left = plan.slots;
	if (++plan.step < plan.steps)
		return;
	plan.step = 0;
	plan.turn++;
}

/* Makes the buffer the next packet of the plan. Returns whether there is one. */
static __always_inline int next_packet(void *data, void *end)
{
	__u32 step = plan.step + (plan.slot & plan.leads), turn = plan.turn, number = plan.base + plan.slot;

	if (data + 54 > end)
		return 0;
	if (step >= plan.steps) {
		step -= plan.steps;
		turn++;
	}
	plan_advance();
	if (plan.renew && (turn < plan.begin || turn >= plan.end))
		return 0;
	write_headers(data + 14, &script[(plan.first + step) & (PLAN_SCRIPT - 1)],
		      plan.renew ? number + turn * plan.slots : number, plan.renew ? 0 : turn * PLAN_PAYLOAD);
	return 1;
}

SEC("xdp.frags")
int drive_xdp(struct xdp_md *ctx)
{
	if (next_packet((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		bpf_tail_call(ctx, &measured_xdp, 0);
	return XDP_PASS;
}

SEC("tc")
int drive_tc(struct __sk_buff *skb)
{
	if (next_packet((void *)(long)skb->data, (void *)(long)skb->data_end))
		bpf_tail_call(skb, &measured_tc, 0);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
