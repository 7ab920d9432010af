/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's list of this host's sockets, with client and server told apart, for one network namespace or several.
 */
#ifndef TCPFIN_SOCKET_SNAPSHOT_H
#define TCPFIN_SOCKET_SNAPSHOT_H

#include "user/base/buffer.h"
#include "user/base/filter.h"
#include "user/sockets/local_ports.h"
#include "user/sockets/net_namespaces.h"
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
	const struct socket_snapshot *of;  /* the namespace's */
};

/* What is set in /proc/sys/net/ipv4 of a namespace; 0: not known. */
struct snapshot_settings {
	uint32_t fin_timeout; /* ms */
	long max_tw_buckets, tw_reuse;
};

struct socket_snapshot {
	struct tcp_sockets sockets, listeners; /* listeners: sorted by port */
	struct snapshot_entry *entries;        /* one for each socket that the filter lets pass; owned */
	size_t count;
	struct local_ports ports;
	struct snapshot_settings settings;
	struct net_namespace namespace; /* its name is "" where none was asked for */
	struct socket_snapshot *next;   /* of another namespace; owned; NULL: the last one */
};

/*
 * Reads the sockets in the states of the mask (SOCKETS_IN). netns: of which namespaces, as net_namespaces_visit has it;
 * NULL: of this one. 0 or a negative errno, -ENOENT and -EPERM as there; to be freed either way.
 */
int socket_snapshot_take(struct socket_snapshot *s, uint32_t states, const struct filter *filter, const char *netns);
/* Makes the entries of a snapshot whose sockets, listeners and ports are filled in. 0 or -ENOMEM. */
int socket_snapshot_sort(struct socket_snapshot *s, const struct filter *filter);
void socket_snapshot_free(struct socket_snapshot *s);
/* How many entries all namespaces have together. */
size_t socket_snapshot_count(const struct socket_snapshot *s);
/* Appends the JSON member netns with a comma before it, where a namespace was asked for. */
void socket_snapshot_json(struct buffer *out, const struct socket_snapshot *s);

/* JSON's network.type: "ipv4" or "ipv6". */
const char *host_pair_type(const struct host_pair *pair);

#endif
