/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the packet path's benchmark and its BPF programs agree on: which packets a run consists of.
 *
 * BPF_PROG_TEST_RUN repeats one packet, so the programs write the headers of the next one into it before they do their
 * work. All of them do, and the benchmark knows what it costs from a program that does nothing else.
 */
#ifndef TCPFIN_BENCH_H
#define TCPFIN_BENCH_H

#include <linux/types.h>

/* The next packet. Programs move it on; user space sets it before a run. */
struct bench_plan {
	__u32 flow;      /* of the next packet, before the mask */
	__u32 flow_mask; /* flows of the run, a power of two, minus 1 */
	__u32 net;       /* added to client addresses: sets of flows that do not meet */
	__u32 scatter;   /* every packet is another flow's; otherwise a flow is played from first to last step */
	__u32 step;      /* of the next packet */
	__u32 first, last;
};

/* One packet of a flow's script. */
struct bench_step {
	__u32 seq, ack; /* relative to the initial numbers */
	__u16 len;
	__u8 flags;
	__u8 words;  /* TCP header length, 32-bit words */
	__u8 server; /* it is the sender */
};

/* The script in bench.bpf.c. */
enum {
	BENCH_DATA_FIRST = 0, /* a segment with 100 bytes, and the other side's ACK */
	BENCH_DATA_LAST = 1,
	BENCH_CLOSE_FIRST = 2, /* a whole short connection: handshake, request, answer, four-way close */
	BENCH_CLOSE_LAST = 12,
	BENCH_STEPS = 16, /* room, a power of two */
};

#define BENCH_CONNECTION (BENCH_CLOSE_LAST - BENCH_CLOSE_FIRST + 1)

/* A flow's numbers. Successive flows must not be neighbours in memory: an odd factor visits all of them in no order. */
#define BENCH_SHUFFLE 0x9e3779b1u
#define BENCH_CLIENT(flow) (0x0a000000u + ((flow) >> 12))
#define BENCH_CLIENT_PORT(flow) (1024u + ((flow)&0xfff))
#define BENCH_CLIENT_ISN(flow) ((flow)*2654435761u)
#define BENCH_SERVER 0xc0a80001u
#define BENCH_SERVER_PORT 443
#define BENCH_SERVER_ISN(flow) ((flow)*40503u + 7)

/* The key of the tracker that looks every segment up; addresses as two words each, the lower end first. */
struct bench_table_key {
	__u64 address[2][2];
	__u16 port[2];
	__u32 ifindex;
};
_Static_assert(sizeof(struct bench_table_key) == 40, "the key's size is part of the comparison");

#define BENCH_LOOPBACK 1 /* interface index that test runs have */

#endif
