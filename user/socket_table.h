/* SPDX-License-Identifier: GPL-2.0 */
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

#include "../bpf/core/flow.h"
#include "../bpf/socket_event.h"

#define SOCKET_STEPS 8 /* a close passes 4 states at most; what more there is, is dropped */

/* One socket's close. */
struct socket_story {
	struct socket_event close; /* the change by which it was closed; kind SOCKET_STATE, to 0 while it is not */
	struct socket_event last;  /* the latest one: numbers that go on changing */
	struct {
		uint64_t time;
		uint8_t state;
	} steps[SOCKET_STEPS];
	unsigned step_count;
	uint64_t reset_received;   /* ns, 0: none */
	const char *reset_reason;  /* of a reset of its own; NULL: none */
	bool joined;               /* a connection was reported with it */
};

/* What is known of a flow's two ends, by side. Pointers live until the next event. */
struct socket_join {
	const struct socket_story *side[2];
	const char *reset_reason; /* why this host sent the reset; NULL: not known */
};

struct socket_table;

/* netns: of the watched interfaces, its inode number. Sizes are powers of two. NULL: no memory. */
struct socket_table *socket_table_new(uint32_t netns, uint32_t stories, uint32_t answers);
void socket_table_free(struct socket_table *t);
/* reason: the name of e->reason, which must outlive the table; NULL where there is none. */
void socket_table_take(struct socket_table *t, const struct socket_event *e, const char *reason);
struct socket_join socket_table_find(struct socket_table *t, const struct flow_key *key, const struct flow *f);
/* Stories that have given way so far without having been joined. */
uint64_t socket_table_given_way(const struct socket_table *t);

#endif
