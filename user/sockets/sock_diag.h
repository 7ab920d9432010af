/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's list of the TCP sockets of this network namespace, read over NETLINK_SOCK_DIAG (sock_diag(7)). No
 * privilege is needed.
 */
#ifndef TCPFIN_SOCK_DIAG_H
#define TCPFIN_SOCK_DIAG_H

#include <netinet/tcp.h> /* TCP_ESTABLISHED ... */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct socket_end {
	uint8_t ip[16]; /* network byte order; IPv4 uses the first four, the others are 0 */
	uint16_t port;  /* host byte order */
};

/* What a socket's timer waits for: the kernel's numbers in idiag_timer. */
enum socket_timer { TIMER_NONE, TIMER_RETRANSMIT, TIMER_KEEPALIVE, TIMER_TIME_WAIT, TIMER_PROBE };

struct tcp_socket {
	struct socket_end local, peer;
	uint8_t family;      /* 4 or 6; an IPv4-mapped IPv6 address counts as IPv4, as on the wire */
	uint8_t state;       /* TCP_ESTABLISHED ... TCP_CLOSING */
	uint8_t timer;       /* enum socket_timer */
	uint8_t retransmits; /* with TIMER_PROBE and TIMER_KEEPALIVE: probes */
	uint32_t expires;    /* ms until the timer expires */
	uint32_t uid;
	uint32_t inode;  /* 0: no process holds the socket, or none has accepted it yet */
	uint32_t device; /* the interface that it is bound to; 0: none */
	/* Of a listener, unread is its accept queue, and unacked its backlog. */
	uint32_t unread;   /* sequence numbers received and not read: bytes, and the FIN */
	uint32_t unacked;  /* sequence numbers written and not acknowledged: bytes, and the FIN */
	bool v6only;       /* of a listener: it takes no IPv4 */
	bool detailed;     /* what follows is filled in: never for TIME-WAIT and orphaned FIN-WAIT-2 sockets */
	uint8_t backoff;   /* how often `rto` was doubled */
	uint32_t rto, rtt; /* us */
	uint32_t last_data_sent, last_ack_received; /* ms ago; the second: any segment with an ACK */
};

struct tcp_sockets {
	struct tcp_socket *list; /* owned */
	size_t count, room;
};

#define SOCKETS_IN(state) (1u << (state))

/*
 * Adds the sockets in the states of the mask (SOCKETS_IN). The kernel's list is no snapshot: a socket that changes its
 * state meanwhile may be listed in either state, in both, or not at all. 0 or a negative errno.
 */
int sock_diag_read(struct tcp_sockets *t, uint32_t states);
/*
 * The state of the socket with these ends; 0: there is none; or a negative errno. family: 4 or 6, as on the wire.
 */
int sock_diag_state(uint8_t family, const struct socket_end *local, const struct socket_end *peer);
/*
 * Adds the sockets of one answer of the kernel. 0: more answers follow, 1: this was the last one; or a negative errno.
 */
int sock_diag_parse(struct tcp_sockets *t, const void *answer, size_t len);
void sock_diag_free(struct tcp_sockets *t);

#endif
