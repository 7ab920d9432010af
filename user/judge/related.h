/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which connections are one: those whose SYN passed twice with other addresses or ports (NAT, a service's address) have
 * the same initial sequence number. A segment of no known connection belongs to one that its end has at the same port.
 *
 * The last connections that began are kept, in a ring with an index by number and one by the source's end.
 */
#ifndef TCPFIN_RELATED_H
#define TCPFIN_RELATED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/judge/flow.h"
#include "user/sockets/flow_key.h"

#define RELATED_KEPT 16384 /* connections; a power of two */
#define RELATED_MOST 4     /* that one is told to be related to */
#define RELATED_CHAIN 32   /* entries of a hash that are looked at: more are an attack */
#define RELATED_WITHIN_NS \
	135000000000ULL /* between their first segments: one attempt lasts no longer without a packet */

/* A connection, by role: 0 is the source. */
struct related_peer {
	struct ip_address addr[2];
	uint16_t port[2];
	uint8_t family;
	bool midstream;     /* its SYN was not seen: isn is none */
	bool answered;      /* its SYN-ACK was seen */
	uint32_t isn;       /* the source's */
	uint32_t answer;    /* the destination's, if it was answered */
	uint32_t interface; /* live: what stands for it in keys */
	uint64_t start;     /* ns: its first segment */
};

struct flow_slot;
struct related;

struct related *related_new(void); /* NULL: out of memory */
void related_free(struct related *r);
/*
 * Notes a connection, unless it is the last one noted. apart: it has a record of its own though another interface sees
 * the same addresses and ports, because what was seen there is other. r may be NULL.
 */
void related_note(struct related *r, const struct related_peer *peer, bool apart);
/* Copies those that are related to it to found, the latest first. Returns how many. r may be NULL. */
unsigned related_find(const struct related *r, const struct related_peer *peer,
		      struct related_peer found[RELATED_MOST]);
/*
 * Fetches what is read when the connection in that slot is noted or searched for: its places in the index or, with
 * `near`, what those lead to. r may be NULL.
 */
void related_fetch(const struct related *r, const struct flow_slot *slot, bool near);
/*
 * The same for a segment of no connection, from peer's source to its destination, whose start is its time: connections
 * that either of its ends has at the same port, and those to which one of its numbers is the first one after the SYN.
 */
unsigned related_find_stray(const struct related *r, const struct related_peer *peer, uint32_t seq, uint32_t ack,
			    struct related_peer found[RELATED_MOST]);
/*
 * Does the connection count? Not if it has been counted with other addresses or ports. It was noted before. Such a pair
 * has both initial sequence numbers; without an answer a stranger may use one number for many, so that the two must be
 * seen at different interfaces. r may be NULL.
 */
bool related_counts(struct related *r, const struct related_peer *peer);
/* The connection of a flow as its verdict has it. source: side. */
struct related_peer related_of_flow(const struct flow_key *key, const struct flow *f, unsigned source);

#endif
