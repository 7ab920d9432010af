/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which end of a socket's connection is the server, and which sockets have the same client, server and service port.
 */
#ifndef TCPFIN_SOCKET_SNAPSHOT_H
#define TCPFIN_SOCKET_SNAPSHOT_H

#include "user/base/filter.h"
#include "user/sockets/local_ports.h"
#include "user/sockets/sock_diag.h"

/* Bytes without padding: compared as they are. As in records, the source is the client. */
struct host_pair {
	uint8_t family; /* 4 or 6 */
	uint8_t local_is_source;
	uint16_t port; /* the destination's */
	uint8_t source[16], destination[16];
};

/* A socket with what is known of it. */
struct snapshot_entry {
	struct host_pair pair;
	const struct tcp_socket *socket;
	const struct tcp_socket *listener; /* of the local port; NULL: nobody listens there */
};

/* What this host tells of its sockets at a time. */
struct socket_snapshot {
	struct tcp_sockets sockets, listeners; /* the second by port */
	struct snapshot_entry *entries;        /* of all sockets that the filter lets pass; owned */
	size_t count;
	struct local_ports ports;
};

/* Sockets in the states of the mask. 0 or a negative errno; to be freed either way. */
int socket_snapshot_take(struct socket_snapshot *s, uint32_t states, const struct filter *filter);
/* The same, of sockets and listeners that are in it already. */
int socket_snapshot_sort(struct socket_snapshot *s, const struct filter *filter);
void socket_snapshot_free(struct socket_snapshot *s);

/* "ipv4" or "ipv6"; for JSON's network.type */
const char *host_pair_type(const struct host_pair *pair);

#endif
