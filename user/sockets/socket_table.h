/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket's side of connections that have an end on this host: what the kernel tells of sockets, kept until the
 * packets' side of the same connection is reported, and joined to it.
 *
 * A join needs the addresses, the ports and the initial sequence number of the handshake; where the handshake was not
 * seen, the network namespace instead of the number, and that no other socket comes into question. In doubt there is
 * none. What is kept is bounded: the oldest gives way, and is counted.
 */
#ifndef TCPFIN_SOCKET_TABLE_H
#define TCPFIN_SOCKET_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "bpf/core/flow.h"
#include "bpf/socket_event.h"

#define SOCKET_STEPS 5 /* a close passes 4 states at most; what more there is, is dropped */

/* The change by which a socket was closed. */
struct socket_close {
	uint64_t time;
	uint64_t cgroup;
	uint32_t pid, uid;
	uint32_t unread, unsent;
	char name[SOCKET_NAME];
	uint8_t from, to; /* to is 0 while it is not closed */
	uint8_t flags;
};

/*
 * One socket's close. There are many, so it is small: what every event looks at comes first, and takes a cache line's
 * length.
 */
struct closing_socket {
	struct socket_id id;
	uint32_t netns, isn;
	uint64_t time; /* of the latest event, as are: */
	uint32_t srtt, retransmits;
	bool own_isn; /* isn is this end's */
	bool joined;  /* a connection was reported with it */
	uint8_t step_count;
	uint8_t states[SOCKET_STEPS];   /* that it entered */
	uint64_t entered[SOCKET_STEPS]; /* when */
	uint64_t reset_received;        /* ns, 0: none */
	const char *reset_reason;       /* of a reset of its own; NULL: none */
	struct socket_close close;
};

/* What is known of a flow's two ends, by side. Pointers live until the next event. */
struct socket_join {
	const struct closing_socket *side[2];
	const char *reset_reason; /* why this host sent the reset; NULL: not known */
};

struct socket_table;

/*
 * netns: of the watched interfaces, its inode number. wait: ns, how long behind its end a connection may still be
 * reported. Sizes are powers of two. NULL: no memory.
 */
struct socket_table *socket_table_new(uint32_t netns, uint64_t wait, uint32_t sockets, uint32_t answers);
void socket_table_free(struct socket_table *t);
/* reason: the name of e->reason, which must outlive the table; NULL where there is none. */
void socket_table_take(struct socket_table *t, const struct socket_event *e, const char *reason);
struct socket_join socket_table_find(struct socket_table *t, const struct flow_key *key, const struct flow *f);
/*
 * Stories that have given way so far while a connection might still have been reported with them. The others that were
 * never joined are of sockets whose packets pass elsewhere: on other interfaces, in other namespaces.
 */
uint64_t socket_table_evicted(const struct socket_table *t);

#endif
