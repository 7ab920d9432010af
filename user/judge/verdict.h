/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts to verdict: what a flow's numbers and times mean, by the rules of RFC 9293, 5961, 6191 and 7323.
 */
#ifndef TCPFIN_VERDICT_H
#define TCPFIN_VERDICT_H

#include "bpf/core/traffic.h"
#include "user/record/record.h"
#include "user/sockets/socket_holders.h"
#include "user/judge/flow.h"
#include "user/judge/related.h"
#include "user/judge/silence.h"
#include "user/sockets/socket_table.h"

struct flight_packets;

/* Why a flow is reported now. */
enum report_reason {
	REPORT_ENDED,   /* it is done, or its time is over */
	REPORT_STOP,    /* the watch or the file ends while it goes on */
	REPORT_INTERIM, /* its wait is news, and its story goes on */
};

/* What the verdict needs beside the flow. */
struct verdict_context {
	const char *interfaces[RECORD_INTERFACES]; /* as in the record; must outlive it */
	const char *netns; /* name of their network namespace; NULL where none was asked for; must outlive the record */
	uint32_t netns_inode;
	int64_t wall_offset; /* ns to add to flow times for the wall clock */
	int64_t id_offset;   /* the same as it was when the watch began: what names a connection does not change */
	const char *host;    /* name of the host; NULL for a capture file; must outlive the record */
	bool nameless;       /* nobody asks for event.id, whose hash is dear */
	bool brief;          /* nobody asks for evidence, basis, completeness and Zeek's names, which are left out */
	enum report_reason reason;
	uint64_t quiet;                /* ns for which the connection was watched behind its last segment, at least */
	bool stray;                    /* a RST or FIN of no connection; opener is its sender */
	enum direction direction;      /* then */
	bool again;                    /* a final record of it was made before, which this one replaces */
	bool counted;                  /* what another interface saw of it was reported before, and was other */
	bool apart;                    /* what another interface sees of it is other */
	const struct traffic *traffic; /* with --all-segments; NULL where it was not counted */
	const struct last_payload *payload; /* when the close began; NULL where it is not known */
	const struct black_hole *hole;      /* of captures, where no traffic was counted; NULL where it is not known */
	struct socket_join sockets;         /* this host's ends; empty where nothing is known */
	struct verdict_holder {
		const struct process *process; /* NULL: not known */
		unsigned holders;              /* how many processes held the socket, at least 1 with a process */
	} holder[2]; /* by side: who held the sockets when the watch began; copied into the record */
	const struct listener *listener; /* the destination's, if it was asked; NULL: it was not */
	const struct process
		*listener_holder;           /* who called listen(), or held it when the watch began; NULL: not known */
	struct cgroup_names listener_names; /* what that process belongs to; must outlive the record */
	unsigned unclosed; /* bits of the sides whose sockets, of this host, had sent no FIN when the watch began */
	unsigned opener; /* without a handshake: the side that this host knows to have opened it, plus 1; 0: unknown */
	/* Of a capture: times, in ascending order, that packets bear whose own time stamp was wrong. */
	const uint64_t *jumped;
	size_t jumped_count;
	bool closes_only;        /* of a capture that lacks data, but no segment that opens or closes the connection */
	struct related *related; /* connections that began or were reported lately; NULL: they are not kept */
	const struct flight_packets *packets; /* with -w: where its packets are; not looked at, but handed on */
	bool order_by_time; /* live: two CPUs may log segments out of order. A file's order is taken as it is */
};

/* The side of the source, by the handshake, or as this host knows it, or as a guess. opener: of verdict_context. */
unsigned verdict_source(const struct flow_key *key, const struct flow *f, unsigned opener);
/* Fills *r completely. log: whole->log_len segments. */
void verdict(struct record *r, const struct flow_key *key, const struct flow *whole, const struct flow_segment *log,
	     const struct verdict_context *context);

/* What finds a flow's sockets. netns: inode number of its interface's namespace. key and f must outlive it. */
static inline struct socket_query socket_query_of(const struct flow_key *key, const struct flow *f, uint32_t netns)
{
	return (struct socket_query){
		.key = key,
		.open = &f->open,
		.t_first = f->t_first,
		.t_last = f->t_last,
		.netns = netns,
		.reset = {.seen = f->state & (FLOW_RESET | FLOW_LATE_RESET) || f->reset.time,
			  .side = f->reset.side & 1,
			  .time = f->reset.time,
			  .seq = f->reset.seq,
			  .ack = f->reset.ack},
	};
}

#endif
