/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel reported of this host's sockets as they closed, kept until the same connection, as packets showed it,
 * is reported, and then joined to it.
 *
 * A join needs the same addresses, ports and initial sequence number (RFC 9293, section 3.4.1). Where the handshake was
 * not seen, it needs the watched network namespace and the flow's time instead of the number. Where several sockets
 * fit, there is no join. The table's size is fixed: the oldest socket is evicted, and counted if it may still have been
 * wanted.
 */
#ifndef TCPFIN_SOCKET_TABLE_H
#define TCPFIN_SOCKET_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "bpf/core/flow_key.h"
#include "bpf/core/opening.h"
#include "bpf/socket_event.h"

#define SOCKET_STEPS 5 /* states kept: a close enters 4 at most (RFC 9293, figure 5); more are dropped */

/* The change of state by which a socket was closed, with the process that was running. Times: ns, CLOCK_MONOTONIC. */
struct socket_close {
	uint64_t time;
	uint64_t cgroup;
	uint32_t pid, uid;
	uint32_t unread, unsent;
	char name[SOCKET_NAME];
	uint8_t from, to; /* SOCKET_ states of bpf/socket_event.h; to: 0 while the socket is not closed */
	uint8_t flags;
};

/* One socket's close. Fields that every event reads come first, in one cache line. */
struct closing_socket {
	struct socket_id id;
	uint32_t netns, isn;
	uint64_t time; /* of the latest event, like the next two fields */
	uint32_t srtt, retransmits;
	bool own_isn; /* isn is this end's own, not the peer's */
	bool joined;  /* a connection was reported with it */
	uint8_t step_count;
	uint8_t states[SOCKET_STEPS];   /* entered, in this order */
	uint64_t entered[SOCKET_STEPS]; /* ns, when each was entered */
	uint64_t reset_received;        /* ns, 0: none */
	const char *reset_reason;       /* why it sent a RST; NULL: it sent none */
	struct socket_close close;
};

/*
 * The sockets of a flow's two ends, by side; NULL: none on this host, or several fit. Pointers live until the next
 * event.
 */
/* What is known of a connection by its packets, for finding its sockets. Times: ns, CLOCK_MONOTONIC. */
struct socket_query {
	const struct flow_key *key;
	const struct flow_open *open;
	uint64_t t_first, t_last; /* its first and last segment */
	struct {
		bool seen;
		unsigned side; /* sender */
		uint64_t time;
		uint32_t seq, ack;
	} reset;
};

struct socket_join {
	const struct closing_socket *side[2];
	const char *reset_reason; /* why this host sent the reset; NULL: not known */
};

struct socket_table;

/*
 * netns: inode number of the watched interfaces' network namespace. wait: ns after a socket's end in which its
 * connection may still be reported. sockets, answers: how many of each are kept, powers of two. NULL: no memory.
 */
struct socket_table *socket_table_new(uint32_t netns, uint64_t wait, uint32_t sockets, uint32_t answers);
void socket_table_free(struct socket_table *t);
/* Takes an event. reason: the name of e->reason, which must outlive the table; NULL where there is none. */
void socket_table_take(struct socket_table *t, const struct socket_event *e, const char *reason);
/* Finds the sockets of the connection's ends, and marks them as joined. */
struct socket_join socket_table_find(struct socket_table *t, const struct socket_query *q);
/*
 * How many sockets were evicted while a connection might still have been reported with them. Sockets that were never
 * joined for another reason are not counted: their packets pass other interfaces or namespaces.
 */
uint64_t socket_table_evicted(const struct socket_table *t);

#endif
