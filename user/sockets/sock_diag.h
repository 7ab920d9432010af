/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCP sockets of this network namespace, as the kernel tells them over NETLINK_SOCK_DIAG: one reader for all uses.
 * It takes no privilege.
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

/* What the timer of a socket is for (idiag_timer). */
enum socket_timer { TIMER_NONE, TIMER_RETRANSMIT, TIMER_KEEPALIVE, TIMER_TIME_WAIT, TIMER_PROBE };

struct tcp_socket {
	struct socket_end local, peer;
	uint8_t family;      /* 4 or 6; an IPv4 address inside an IPv6 one is IPv4, as on the wire */
	uint8_t state;       /* the kernel's number. Of a closed socket's short form: what it stands for */
	uint8_t timer;       /* enum socket_timer */
	uint8_t retransmits; /* or probes, as the timer says */
	uint32_t expires;    /* the timer, ms from now */
	uint32_t uid;
	uint32_t inode;    /* 0: no process holds it, or none has accepted it yet */
	uint32_t unread;   /* sequence numbers received and not read: bytes, and the FIN */
	uint32_t unacked;  /* sequence numbers written and not acknowledged: bytes, and the FIN */
	bool detailed;     /* what follows is known: never of a closed socket's short form */
	uint8_t backoff;   /* how often `rto` was doubled */
	uint32_t rto, rtt; /* us */
	uint32_t last_data_sent, last_ack_received; /* ms ago. The second: any segment with an ACK */
};

struct tcp_sockets {
	struct tcp_socket *list; /* owned */
	size_t count, room;
};

#define SOCKETS_IN(state) (1u << (state))

/*
 * Adds the sockets in the states of the mask. The kernel walks its tables while connections come and go: what changes
 * meanwhile may be told in either state. 0 or a negative errno.
 */
int sock_diag_read(struct tcp_sockets *t, uint32_t states);
/* Adds those of one answer of the kernel. 0: more will come, 1: it was the last one; or a negative errno. */
int sock_diag_parse(struct tcp_sockets *t, const void *answer, size_t len);
void sock_diag_free(struct tcp_sockets *t);

#endif
