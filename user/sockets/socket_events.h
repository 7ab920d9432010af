/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF programs at the kernel's socket tracepoints: loads them, maps their tables, and joins connections to what the
 * tables hold.
 */
#ifndef TCPFIN_SOCKET_EVENTS_H
#define TCPFIN_SOCKET_EVENTS_H

#include "user/sockets/socket_holders.h"
#include "user/sockets/socket_table.h"

struct socket_events;

/* What the packet programs have for the sockets' programs. */
struct socket_packets {
	int sets;                 /* descriptor of tcpfin_sets: which connections interfaces have seen */
	uint32_t set_mask;        /* sets - 1 */
	struct flow_hash_key key; /* of the hash that they use */
};

/*
 * Loads and attaches the programs whose tracepoints this kernel has. settle: ns, as in options. NULL: none could be
 * attached; the reason was logged.
 */
struct socket_events *socket_events_start(const struct socket_packets *packets, uint64_t settle);
void socket_events_stop(struct socket_events *s);

/*
 * As socket_events_start, but silent. 0 or a negative errno, of which socket_events_error is the text. *s: to be given
 * to socket_events_stop either way.
 */
int socket_events_try(struct socket_events **s, const struct socket_packets *packets, uint64_t settle);
const char *socket_events_error(int err);

/* What the attached programs tell. */
struct socket_tells {
	bool processes, resets_sent, resets_received;
	bool reasons; /* the kernel has names for the reasons of resets */
};

struct socket_tells socket_events_tells(const struct socket_events *s);
/*
 * Tells the programs what stands in keys for the interfaces that are watched: a socket of a network namespace that is
 * not watched counts if one of them has seen its connection. Cheap: may be called again and again.
 */
void socket_events_watch(struct socket_events *s, const uint32_t *interfaces, unsigned count);
/* Tells the programs which network namespaces are watched, by inode number: all of their sockets count. */
void socket_events_watch_namespaces(struct socket_events *s, const uint32_t *inodes, unsigned count);
/* Takes up which cgroups came and went. To be called several times a second. */
void socket_events_poll(struct socket_events *s);
/* As socket_table_fetch. */
void socket_events_fetch(const struct socket_events *s, const struct flow_slot *slot, bool near);
/* The sockets of the flow's ends, as socket_table_find, the reason's name, and those of what they run in. */
struct socket_join socket_events_find(struct socket_events *s, const struct socket_query *q);
/*
 * Who called listen() for the socket with that inode, since the programs run, and what that process runs in: names stay
 * valid until the next poll. False: it is not known, and names is as it was.
 */
bool socket_events_listener(struct socket_events *s, uint32_t inode, struct process *p, struct cgroup_names *names);
/* How many sockets and answers of watched connections were lost: their tables were full. */
uint64_t socket_events_lost(const struct socket_events *s);
/* Logs how many were lost, if any were. */
void socket_events_note_losses(const struct socket_events *s);

#endif
