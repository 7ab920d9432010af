/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --stuck: the connections of this host whose close began and does not go on, and who must act.
 */
#ifndef TCPFIN_STUCK_H
#define TCPFIN_STUCK_H

#include "user/host/host_table.h"
#include "user/sockets/socket_holders.h"
#include "user/sockets/socket_snapshot.h"

/* Whom the close waits for. "Peer": its kernel, or the path to it. */
enum waits_for { WAITS_FOR_APPLICATION, WAITS_FOR_PEER_APPLICATION, WAITS_FOR_PEER };

#define AGE_UNKNOWN (-1)

struct stuck_close {
	const struct snapshot_entry *entry;
	int64_t age; /* ns, AGE_UNKNOWN */
	enum waits_for waits_for;
	const struct process *process; /* that holds the socket, or has not accepted it; NULL: none, or not known */
	unsigned holders;              /* how many do */
};

struct stuck_report {
	struct socket_snapshot snapshot;
	struct socket_holders holders;
	struct stuck_close *closes; /* oldest first, unknown ages last; owned */
	size_t count;
	uint64_t least; /* ns: what counts as stuck */
};

/*
 * For how long the close has stood where it stands, as far as the kernel tells. fin_timeout: tcp_fin_timeout in ms, for
 * sockets that nobody holds.
 *
 * CLOSE-WAIT and FIN-WAIT-2 began with a segment of the peer: at least since its last one. In the other states our FIN,
 * or what is in front of it, is unacknowledged: the retransmission timer tells how often it has run, and how long that
 * takes.
 */
int64_t stuck_age(const struct tcp_socket *s, uint32_t fin_timeout);

/* Fills in the closes from the snapshot; processes are looked up below `proc`. 0, or -ENOMEM. */
int stuck_select(struct stuck_report *r, uint32_t fin_timeout, const char *proc);
void stuck_text(struct buffer *out, const struct stuck_report *r, uint64_t now, bool all);
void stuck_json(struct buffer *out, const struct stuck_report *r, uint64_t now);
void stuck_free(struct stuck_report *r);

/* The table of host_table_run. */
host_table_print stuck_print;

#endif
