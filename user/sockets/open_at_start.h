/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections of this host that were there before the watch: who opened them, which no packet will tell any more,
 * and which processes held their sockets then. Whoever held one need not be the one who closes it.
 */
#ifndef TCPFIN_OPEN_AT_START_H
#define TCPFIN_OPEN_AT_START_H

#include "bpf/core/flow_key.h"
#include "user/sockets/socket_holders.h"
#include "user/sockets/socket_snapshot.h"

struct open_connection;

struct open_at_start {
	struct open_connection *list; /* by key, each once; owned */
	size_t count;
	struct socket_holders holders; /* the sockets' holders, once they were looked for */
};

/* From the sockets of this network namespace. 0 or a negative errno; then nothing is known. */
int open_at_start_read(struct open_at_start *o);
/* From a snapshot. 0 or -ENOMEM. */
int open_at_start_from(struct open_at_start *o, const struct socket_snapshot *snapshot);
/* Looks up who holds the sockets. proc: "/proc". 0, or a negative errno where that cannot be read. */
int open_at_start_find_holders(struct open_at_start *o, const char *proc);
/* The key's side that opened the connection, or -1 where this host cannot tell. */
int open_at_start_source(const struct open_at_start *o, const struct flow_key *key);
/* The first process found to hold the socket of that side, and how many hold it. NULL: nobody was found. */
const struct process *open_at_start_holder(const struct open_at_start *o, const struct flow_key *key, unsigned side,
					   unsigned *holders);
/* The connection is over: of the next one between the same ends nothing is known. */
void open_at_start_ended(struct open_at_start *o, const struct flow_key *key);
void open_at_start_free(struct open_at_start *o);

#endif
