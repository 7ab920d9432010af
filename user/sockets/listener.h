/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of the listener that a SYN was for.
 */
#ifndef TCPFIN_LISTENER_H
#define TCPFIN_LISTENER_H

#include <stdint.h>

enum listener_state {
	LISTENER_UNKNOWN, /* the address is not this host's, or the kernel does not tell */
	LISTENER_NONE,    /* nobody listens there */
	LISTENER_READY,   /* its queue has room */
	LISTENER_FULL,    /* more connections wait for accept() than its backlog allows: SYNs are dropped */
};

struct listener {
	uint64_t time; /* ns, CLOCK_MONOTONIC: when the kernel was asked */
	enum listener_state state;
	/* Only of LISTENER_READY and LISTENER_FULL: */
	uint32_t queue, backlog; /* connections that wait for accept(), and the limit that the kernel compares with */
	uint32_t uid, inode;     /* of the socket */
};

#endif
