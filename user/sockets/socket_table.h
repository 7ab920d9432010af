/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joins a connection, as packets showed it, to what the kernel noted of this host's sockets as they closed
 * (bpf/socket_sets.h).
 *
 * A join needs the same addresses, ports and initial sequence number (RFC 9293, section 3.4.1). Where the handshake was
 * not seen, it needs the watched network namespace and the flow's time instead of the number. Where several sockets
 * fit, there is no join.
 */
#ifndef TCPFIN_SOCKET_TABLE_H
#define TCPFIN_SOCKET_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "bpf/core/opening.h"
#include "bpf/socket_sets.h"
#include "user/sockets/cgroup_paths.h"
#include "user/sockets/flow_key.h"

struct flow_slot;

/* The kernel's tables, mapped. Counts are powers of two; masks are counts - 1. */
struct socket_table {
	struct socket_set *sets, *answer_sets;
	struct closing_socket *sockets;
	struct socket_answer *answers;
	uint32_t sets_mask, answer_sets_mask, sockets_mask, answers_mask;
	struct flow_hash_key key;      /* of the hash */
	uint64_t since;                /* ns: from then on the tracepoints see all that happens */
	uint64_t jiffy;                /* ns */
	struct closing_socket side[2]; /* of the last join */
};

/* What is known of a connection by its packets, for finding its sockets. Times: ns, CLOCK_MONOTONIC. */
struct socket_query {
	const struct flow_key *key;
	const struct flow_open *open;
	uint64_t t_first, t_last; /* its first and last segment */
	uint32_t netns;           /* inode number of its interface's network namespace */
	struct {
		bool seen;
		unsigned side; /* sender */
		uint64_t time;
		uint32_t seq, ack;
	} reset;
};

/* The sockets of a flow's two ends, by side, until the next join; NULL: none on this host, or several fit. */
struct socket_join {
	const struct closing_socket *side[2];
	bool lost[2];             /* earlier events of that socket are missing, which the watch should have seen */
	uint32_t reason;          /* why this host sent the reset: enum sk_rst_reason; 0: not known */
	bool answer;              /* the reset answers a segment for which this host's TCP has no socket */
	bool no_answer;           /* it does not: this host's TCP has told of each such reset since */
	const char *reset_reason; /* its name; NULL: not known */
	struct cgroup_names
		names[2]; /* by side: what the process, or else the socket, belongs to; until the next poll */
	uint64_t jiffy;   /* ns: in which the kernel counts the time since payload passed */
};

/* When the first event of the socket came: ns; 0: not known. */
uint64_t socket_first_event(const struct closing_socket *s);

/*
 * Fetches what socket_table_find will read of the connection in that slot: the sets or, with `near`, the places that
 * they lead to.
 */
void socket_table_fetch(const struct socket_table *t, const struct flow_slot *slot, bool near);
/* Finds the sockets of the connection's ends, and marks those that are closed as reported. Leaves reset_reason NULL. */
struct socket_join socket_table_find(struct socket_table *t, const struct socket_query *q);

#endif
