/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's list of this host's sockets, with client and server told apart.
 */
#ifndef TCPFIN_SOCKET_SNAPSHOT_H
#define TCPFIN_SOCKET_SNAPSHOT_H

#include "user/base/filter.h"
#include "user/sockets/local_ports.h"
#include "user/sockets/sock_diag.h"

/*
 * What connections of one client to one port of one server have in common. Compared with memcmp: no padding. As in
 * records, the client is the source. IP addresses: network byte order; IPv4 uses the first four bytes, the others are
 * 0.
 */
struct host_pair {
	uint8_t family; /* 4 or 6 */
	uint8_t local_is_source;
	uint16_t port; /* the destination's, host byte order */
	uint8_t source[16], destination[16];
};

/* A socket, and which end of its connection is which. */
struct snapshot_entry {
	struct host_pair pair;
	const struct tcp_socket *socket;
	const struct tcp_socket *listener; /* that listens on the local port; NULL: none */
};

struct socket_snapshot {
	struct tcp_sockets sockets, listeners; /* listeners: sorted by port */
	struct snapshot_entry *entries;        /* one for each socket that the filter lets pass; owned */
	size_t count;
	struct local_ports ports;
};

/* Reads the sockets in the states of the mask (SOCKETS_IN). 0 or a negative errno; to be freed either way. */
int socket_snapshot_take(struct socket_snapshot *s, uint32_t states, const struct filter *filter);
/* Makes the entries of a snapshot whose sockets, listeners and ports are filled in. 0 or -ENOMEM. */
int socket_snapshot_sort(struct socket_snapshot *s, const struct filter *filter);
void socket_snapshot_free(struct socket_snapshot *s);

/* JSON's network.type: "ipv4" or "ipv6". */
const char *host_pair_type(const struct host_pair *pair);

#endif
