/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What leaves the kernel: events of the ring buffer, and the closing flows that user space collects. Sizes are asserted
 * where they are compiled, in both worlds.
 */
#ifndef TCPFIN_FLOW_EVENT_H
#define TCPFIN_FLOW_EVENT_H

#include "bpf/core/traffic.h"

enum flow_event_kind {
	EVENT_NONE,
	EVENT_ENDED,     /* a notice: a closing flow has ended at `time`; to be collected once it has settled */
	EVENT_REPLACED,  /* a notice: a closing flow's tuple is in use again; to be collected now */
	EVENT_UNPROVEN,  /* a flow that never came to closing, whole */
	EVENT_OPEN,      /* like EVENT_UNPROVEN, with a struct traffic in the place of the log, which is empty */
	EVENT_COLLECTED, /* a closing flow, whole: in a slot, never in the ring */
};

struct flow_event_head {
	__u32 kind; /* enum flow_event_kind */
	__u32 pad;
	struct flow_key key;
};
CORE_ASSERT_SIZE(struct flow_event_head, 56);

/* A closing flow as the map and the slots hold it. */
struct closing_body {
	struct flow flow;
	struct flow_segment log[FLOW_LOG_CLOSING];
};
CORE_ASSERT_SIZE(struct closing_body, 720);

/* Of the body's log, only the flow's log_len entries are filled. */
struct flow_event {
	struct flow_event_head head;
	__u64 time; /* ns, of notices (in others that a flow at hand can be sent as it lies there, see struct work) */
	struct closing_body body;
};

#define FLOW_NOTICE_BYTES __builtin_offsetof(struct flow_event, body)

/*
 * Where user space and the kernel meet over a closing flow. It writes the key; tcpfin_sweep takes the flow out of its
 * table into the slot, if it is to be reported, and says so in the event's kind.
 */
struct collect_slot {
	struct flow_event event;
	struct traffic traffic; /* with --all-segments; if it was counted */
	__u32 counted;
	__u32 pad;
};
#define COLLECT_SLOTS 64

/* Bytes of a body that are in use. */
static __always_inline __u32 closing_body_used(const struct closing_body *b)
{
	__u32 n = b->flow.log_len < FLOW_LOG_CLOSING ? b->flow.log_len : FLOW_LOG_CLOSING;

	return sizeof(b->flow) + n * sizeof(b->log[0]);
}

/* Counters, one array a CPU. Each has a name in user/record/counters.c, in this order. */
enum counter {
	COUNT_PACKETS,   /* every packet a hook saw; live, counted only with --stats */
	COUNT_LOOKED_UP, /* segments that went to the flow tables */
	COUNT_VERDICT,   /* PACKET_VERDICTS counters: packets that were no TCP segment, by reason */
	COUNT_ESTABLISHED = COUNT_VERDICT + PACKET_VERDICTS, /* handshakes completed */
	COUNT_CLOSES,                                        /* closing flows begun */
	COUNT_CLOSED,                                        /* established flows whose close has begun, or was lost */
	COUNT_STRAY_RST,                                     /* RSTs of no known connection */
	COUNT_STRAY,            /* FINs and SYN-ACKs of no known connection that nothing confirmed */
	COUNT_LATE,             /* copies and RSTs of connections that were reported already */
	COUNT_CONTRADICTORY,    /* contradicting flags of no known connection */
	COUNT_RING_FULL,        /* notices that found the ring full: a sweep finds their flows */
	COUNT_UNPROVEN_EVICTED, /* unproven flows that gave way to newer ones */
	COUNT_RECORDS_LOST,     /* connections that ended and gave way before they could be reported */
	COUNT_ESTABLISHED_FULL, /* handshakes not remembered: the table of established flows was full */
	COUNT_CLOSING_FULL,     /* connections whose close was lost: the table of closing flows was full */
	COUNT_MIDSTREAM_FULL,   /* the same of what may be connections older than the start, or were lost before */
	COUNT_IDLE_FORGOTTEN,   /* established flows forgotten as idle */
	COUNT_TRAFFIC_FULL,     /* --all-segments: connections not counted, the table was full */
	COUNT_CONTENDED,        /* segments not recorded: their flow changed under every try */
	COUNTERS,
};

#endif
