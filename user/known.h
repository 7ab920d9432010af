/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The connections of this host that were there before the watch: who opened them, which no packet will tell any more,
 * and which processes held their sockets then. Whoever held one need not be the one who closes it.
 */
#ifndef TCPFIN_KNOWN_H
#define TCPFIN_KNOWN_H

#include "../bpf/core/flow_key.h"
#include "processes.h"
#include "services.h"

struct known_connection;

struct known {
	struct known_connection *list; /* by key, each once; owned */
	size_t count;
	struct processes processes; /* the sockets' holders, once they were looked for */
};

/* From the sockets of this network namespace. 0 or a negative errno; then nothing is known. */
int known_read(struct known *k);
/* From a snapshot. 0 or -ENOMEM. */
int known_from(struct known *k, const struct snapshot *snapshot);
/* Looks up who holds the sockets. proc: "/proc". 0, or a negative errno where that cannot be read. */
int known_find_holders(struct known *k, const char *proc);
/* The key's side that opened the connection, or -1 where this host cannot tell. */
int known_source(const struct known *k, const struct flow_key *key);
/* The first process found to hold the socket of that side, and how many hold it. NULL: nobody was found. */
const struct process *known_holder(const struct known *k, const struct flow_key *key, unsigned side, unsigned *holders);
/* The connection is over: of the next one between the same ends nothing is known. */
void known_ended(struct known *k, const struct flow_key *key);
void known_free(struct known *k);

#endif
