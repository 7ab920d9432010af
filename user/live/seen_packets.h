/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -w: the packets in the ring of the packet programs (bpf/seen_packet.h), by connection. They lie where they are until
 * newer ones take their place.
 */
#ifndef TCPFIN_SEEN_PACKETS_H
#define TCPFIN_SEEN_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/seen_packet.h"

#define SEEN_MOST 64 /* packets of one connection that are handed out: more than its log lists */

struct seen_packets {
	const struct seen_packet *ring; /* mapped: SEEN_PACKETS of them; NULL: there is none */
	const volatile __u64 *seen;     /* how many were put in */
	uint64_t noted;                 /* how many are in the chains */
	uint32_t slots;
	uint64_t *last;                /* by slot: number of its last packet; 0: none */
	uint64_t before[SEEN_PACKETS]; /* by place in the ring: number of the packet before it of the same slot */
	struct seen_packet
		of[2 * SEEN_MOST]; /* of one slot, or of two that are one connection's: see seen_packets_of */
};

/* slots: how many there are. 0 or -ENOMEM. */
int seen_packets_begin(struct seen_packets *s, const struct seen_packet *ring, const __u64 *seen, uint32_t slots);
void seen_packets_free(struct seen_packets *s);
/* Takes note of what is new. Call before connections are reported, once a poll. */
void seen_packets_poll(struct seen_packets *s);
/*
 * Copies the packets of the connection that has been in that slot since `since` (ns), in their order, to `of`; the last
 * ones if there are more than SEEN_MOST. Returns how many.
 */
unsigned seen_packets_of(const struct seen_packets *s, uint32_t slot, uint64_t since, struct seen_packet of[SEEN_MOST]);

#endif
