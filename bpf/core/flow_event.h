/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel tells user space beside the tables: notices of the ring buffer, and counters.
 */
#ifndef TCPFIN_FLOW_EVENT_H
#define TCPFIN_FLOW_EVENT_H

#include "bpf/core/packet.h"

/* What a notice says of a slot. The first three come through the ring; the others are for a capture's timers. */
enum notice_kind {
	NOTICE_ENDED,    /* the connection has ended, as far as the recorder can tell */
	NOTICE_REPLACED, /* another one has taken its tuple: to be reported now */
	NOTICE_LOST,     /* nothing of it can be reported, which has been counted: its slot is free to be used again */
	NOTICE_OPENING,
	NOTICE_OPEN,
	NOTICE_BEGUN,
	NOTICE_STRAY, /* through the ring: a struct stray, of no slot */
};

struct notice {
	__u64 time; /* ns */
	__u32 slot; /* index + 1 */
	__u32 generation;
	__u32 kind; /* enum notice_kind */
	__u32 pad;
};
CORE_ASSERT_SIZE(struct notice, 24);

/* Counters, one array a CPU. Each has a name in user/record/counters.c, in this order. */
enum counter {
	COUNT_PACKETS,   /* every packet a hook saw; live, counted only with --stats */
	COUNT_LOOKED_UP, /* segments whose slot was looked for */
	COUNT_VERDICT,   /* PACKET_VERDICTS counters: packets that were no TCP segment, by reason */
	COUNT_ESTABLISHED = COUNT_VERDICT + PACKET_VERDICTS, /* handshakes completed */
	COUNT_CLOSES,                                        /* closes begun, of open connections */
	COUNT_CLOSED,                                        /* open ones that began to close or were replaced */
	COUNT_STRAY_RST,                                     /* RSTs of no known connection */
	COUNT_STRAY,            /* FINs and SYN-ACKs of no known connection that nothing confirmed */
	COUNT_LATE,             /* copies and RSTs of connections that were reported, or lost, already */
	COUNT_CONTRADICTORY,    /* contradicting flags of no known connection */
	COUNT_RING_FULL,        /* notices that found the ring full: a look at all slots finds their connections */
	COUNT_UNPROVEN_EVICTED, /* opening connections that gave way to newer ones, stray FINs that found no slot */
	COUNT_ESTABLISHED_FULL, /* handshakes not remembered: max_established are open, or no slot for the SYN */
	COUNT_CLOSING_FULL,     /* connections whose close, or refusal, was lost: no block was free */
	COUNT_MIDSTREAM_FULL,   /* the same, or no slot, of those older than the watch or evicted while they opened */
	COUNT_IDLE_FORGOTTEN,   /* open connections forgotten as idle */
	COUNT_CONTENDED,        /* segments not recorded: their slot changed under every try */
	COUNT_SOCKETS_LOST,     /* ends of watched connections whose socket, or answer, found its table full */
	COUNT_INTERIM_LIMITED,  /* user space: waits without an interim record, since there were too many at once */
	COUNT_INTERIM_EVICTED,  /* user space: connections given up behind their interim record: the tables were full */
	COUNT_SETTLED_EARLY,    /* user space: ends reported before they had settled: few blocks were free */
	COUNT_FLOWS_FORGOTTEN,  /* captures: open connections forgotten, since there were max_flows */
	COUNT_FLOWS_CUT,        /* captures: others reported before the file's end, for the same cause */
	COUNT_CLOCK_JUMPS,      /* captures: packets whose time stamp was far from those around them */
	COUNT_ICMP_FORGED,      /* ICMP errors with a number that their connection never had in flight */
	COUNT_STRAYS_LIMITED,   /* --strays: those that there were too many of at once to tell */
	COUNT_VIEWS_JOINED,     /* user space: what further interfaces saw of connections that are in a record */
	COUNT_IPFIX_LOST,       /* --ipfix: records that are known not to have reached the collector */
	COUNT_KAFKA_LOST,       /* --kafka: records that no broker has taken */
	COUNT_PACKETS_NOT_KEPT, /* -w: packets of connections reported that are not in its file */
	COUNTERS,
};

#endif
