/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --stuck: this host's connections whose close has begun and stands still, and who must act.
 */
#ifndef TCPFIN_STUCK_H
#define TCPFIN_STUCK_H

#include "user/filter/record_filter.h"
#include "user/host/host_table.h"
#include "user/sockets/socket_holders.h"
#include "user/sockets/socket_snapshot.h"

/* The states of a close that waits for someone. */
#define STUCK_STATES                                                                          \
	(SOCKETS_IN(TCP_FIN_WAIT1) | SOCKETS_IN(TCP_FIN_WAIT2) | SOCKETS_IN(TCP_CLOSE_WAIT) | \
	 SOCKETS_IN(TCP_LAST_ACK) | SOCKETS_IN(TCP_CLOSING))

/* Whom the close waits for. "Peer": its kernel, or the path to it. */
enum waits_for { WAITS_FOR_APPLICATION, WAITS_FOR_PEER_APPLICATION, WAITS_FOR_PEER };

#define AGE_UNKNOWN (-1)

struct stuck_close {
	const struct snapshot_entry *entry;
	int64_t age; /* ns, AGE_UNKNOWN */
	enum waits_for waits_for;
	bool accepted; /* false: it waits in its listener's queue */
	const struct process
		*process; /* that must act on the socket: its holder, or its listener's; NULL: none known */
	unsigned holders; /* number of processes that hold that socket */
};

struct stuck_report {
	struct socket_snapshot snapshot;
	struct socket_holders holders;
	struct stuck_close *closes; /* oldest first, unknown ages last; owned */
	size_t count;
	uint64_t least;                     /* ns: what counts as stuck */
	const struct record_filter *filter; /* its filters of holders are asked; NULL: none */
};

/*
 * How long the close has stood where it stands, in ns; AGE_UNKNOWN where it is not known. fin_timeout:
 * tcp_fin_timeout in ms, for sockets that nobody holds.
 *
 * CLOSE-WAIT and FIN-WAIT-2 began with a segment of the peer: they are at least as old as its last one. In the other
 * states our FIN, or what was sent before it, is not acknowledged: the age is the time that the retransmission timer's
 * runs took.
 */
int64_t stuck_age(const struct tcp_socket *s, uint32_t fin_timeout);

/*
 * Selects the closes from the snapshots: those that have stood still for long enough, and whose process passes the
 * filters of holders. Processes are looked up below `proc` ("/proc"). 0, or -ENOMEM.
 */
int stuck_select(struct stuck_report *r, const char *proc);
/* Compares two struct stuck_close for qsort: the older one comes first, an unknown age last. */
int stuck_oldest_first(const void *a, const void *b);
/* Append the report. now: wall clock, ns since 1970. all: no table is cut. */
void stuck_text(struct buffer *out, const struct stuck_report *r, uint64_t now, const struct host_style *style);
void stuck_json(struct buffer *out, const struct stuck_report *r, uint64_t now);
void stuck_free(struct stuck_report *r);

/* Asks for this host's sockets and prints those that are stuck: the table of host_table_run. */
host_table_print stuck_print;

#endif
