/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This host's connections that are older than the watch: which end opened them, which later packets do not show, and
 * which processes held their sockets at the start. The holder at the start need not be the one who closes.
 */
#ifndef TCPFIN_OPEN_AT_START_H
#define TCPFIN_OPEN_AT_START_H

#include "user/sockets/flow_key.h"
#include "user/sockets/socket_holders.h"
#include "user/sockets/socket_snapshot.h"

struct open_connection;

struct open_at_start {
	struct open_connection *list; /* sorted by key, each once; owned */
	size_t count;
	bool by_namespace; /* they are of the namespaces that were asked for; else of this one, and netns is ignored */
	struct socket_holders holders; /* filled in by open_at_start_find_holders */
};

/*
 * Asks the kernel for the sockets of the network namespaces `which` (net_namespaces_visit), or with NULL of this one,
 * listeners too. 0, or a negative errno and no connections.
 */
int open_at_start_read(struct open_at_start *o, const char *which);
/* Takes the connections from a snapshot. 0 or -ENOMEM. */
int open_at_start_from(struct open_at_start *o, const struct socket_snapshot *snapshot);
/* Searches for the processes that hold the sockets. proc: "/proc". 0, or a negative errno where that cannot be read. */
int open_at_start_find_holders(struct open_at_start *o, const char *proc);
/* In what follows netns is the inode number of the namespace in which the key was seen. */

/* The key's side that opened the connection, or -1 if this host's sockets do not show it. */
int open_at_start_source(const struct open_at_start *o, const struct flow_key *key, uint32_t netns);
/* Bits of the key's sides whose sockets, of this host, had sent no FIN at the start. */
unsigned open_at_start_unclosed(const struct open_at_start *o, const struct flow_key *key, uint32_t netns);
/* The first process found to hold the socket of that side, NULL for none. Sets *holders to how many hold it. */
const struct process *open_at_start_holder(const struct open_at_start *o, const struct flow_key *key, uint32_t netns,
					   unsigned side, unsigned *holders);
/* The first process found to hold the listener whose socket has that inode, NULL for none. */
const struct process *open_at_start_listener(const struct open_at_start *o, uint32_t inode);
/* The connection has ended: forgets it, so that nothing is said of the next one between the same ends. */
void open_at_start_ended(struct open_at_start *o, const struct flow_key *key, uint32_t netns);
void open_at_start_free(struct open_at_start *o);

#endif
