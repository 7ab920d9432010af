/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which packets a test run consists of: the agreement between packet_path.c and driver.bpf.c.
 *
 * BPF_PROG_TEST_RUN repeats one packet. The driver therefore writes the headers of the plan's next packet into it and
 * jumps to the program that is measured, which thereby is the very program that a tracer has loaded. What the driver
 * costs is known from its jumps to a program that does nothing.
 *
 * A run has slots. A slot plays the steps of a part of the script; all slots take a step before any takes its next one.
 */
#ifndef TCPFIN_BENCH_PLAN_H
#define TCPFIN_BENCH_PLAN_H

#include <linux/types.h>

struct plan {
	__u32 slots;
	__u32 stride; /* from the slot of one packet to that of the next; no divisor in common with `slots` */
	__u32 slot;   /* of the next packet */
	__u32 left;   /* packets until each slot has taken its step */
	__u32 first;  /* of the script's steps */
	__u32 steps;  /* how many of them are played */
	__u32 step;   /* the next one of a slot without a lead, from `first` on */
	__u32 turn;   /* how often the steps have been played to the end, by a slot without a lead */
	__u32 leads;  /* slots lead by 0 to `leads` steps; a power of two minus 1, below `steps` */
	__u32 renew;  /* each turn of a slot is a new connection; otherwise a slot is one flow, and its numbers go on */
	__u32 base;   /* number of the first connection */
	__u32 begin, end; /* with `renew`: turns that are played, `end` not included; packets of others are left out */
};

/* One packet of a flow. */
struct plan_step {
	__u32 seq, ack; /* relative to the initial numbers */
	__u16 len;
	__u8 flags;
	__u8 words;  /* TCP header length, 32-bit words */
	__u8 server; /* it is the sender */
};

/* The script in driver.bpf.c. */
enum {
	PLAN_DATA = 0, /* a segment with PLAN_PAYLOAD bytes, and the other side's ACK */
	PLAN_DATA_STEPS = 2,
	PLAN_CONNECTION = 2, /* a short connection: handshake, request, answer, four-way close */
	PLAN_CONNECTION_STEPS = 11,
	PLAN_HANDSHAKE_STEPS = 3, /* of the connection */
	PLAN_SCRIPT = 16,         /* room, a power of two */
};

#define PLAN_PAYLOAD 100
#define PLAN_FRAME_BYTES 666 /* the longest packet of the script; shorter ones look padded */

#endif
