/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The socket's side of connections that have an end on this host: what the kernel tells of sockets, kept until the
 * packets' side of the same connection is reported, and joined to it.
 *
 * A join needs the addresses, the ports and the initial sequence number of the handshake; where the handshake was not
 * seen, the network namespace instead of the number, and that no other socket comes into question. In doubt there is
 * none. What is kept is bounded: the oldest gives way, and is counted.
 */
#ifndef TCPFIN_SOCKETS_H
#define TCPFIN_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "../bpf/core/flow.h"
#include "../bpf/socket_event.h"

#define SOCKET_STEPS 8 /* a close passes 4 states at most; what more there is, is dropped */

/* One socket's close. */
struct socket_story {
	struct socket_event close; /* the change by which it was closed; kind SOCKET_STATE, to 0 while it is not */
	struct socket_event last;  /* the latest one: numbers that go on changing */
	struct {
		uint64_t time;
		uint8_t state;
	} steps[SOCKET_STEPS];
	unsigned step_count;
	uint64_t reset_received;   /* ns, 0: none */
	const char *reset_reason;  /* of a reset of its own; NULL: none */
};

/* What is known of a flow's two ends, by side. Pointers live until the next sockets_poll. */
struct socket_join {
	const struct socket_story *side[2];
	const char *reset_reason; /* why this host sent the reset; NULL: not known */
};

struct sockets;

/* Loads and attaches all that this kernel has. NULL: nothing, the reason has been said. */
struct sockets *sockets_start(void);
void sockets_stop(struct sockets *s);
/* Takes what the kernel has told since the last time. */
void sockets_poll(struct sockets *s);
struct socket_join sockets_find(const struct sockets *s, const struct flow_key *key, const struct flow *f);
/* Says on stderr what was lost, if anything was. */
void sockets_note_losses(const struct sockets *s);

#endif
