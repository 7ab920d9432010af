/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The connections of this host that were there before the watch: who opened them, which no packet will tell any more.
 */
#ifndef TCPFIN_KNOWN_H
#define TCPFIN_KNOWN_H

#include "../bpf/core/flow_key.h"
#include "services.h"

struct known_connection;

struct known {
	struct known_connection *list; /* by key, each once; owned */
	size_t count;
};

/* From the sockets of this network namespace. 0 or a negative errno; then nothing is known. */
int known_read(struct known *k);
/* From a snapshot. 0 or -ENOMEM. */
int known_from(struct known *k, const struct snapshot *snapshot);
/* The key's side that opened the connection, or -1 where this host cannot tell. */
int known_source(const struct known *k, const struct flow_key *key);
void known_free(struct known *k);

#endif
