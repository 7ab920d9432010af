/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the listeners of this network namespace say while somebody's SYN is not answered: is there one, and has its
 * queue room? The kernel tells how it is, not how it was, so whoever asks keeps the time of the answer.
 */
#ifndef TCPFIN_LISTENERS_H
#define TCPFIN_LISTENERS_H

#include "bpf/core/packet.h"
#include "user/sockets/listener.h"
#include "user/sockets/sock_diag.h"

/* Where a SYN went to. */
struct listener_query {
	struct ip_address addr;
	uint16_t port; /* host byte order */
	uint8_t family;
	uint32_t ifindex; /* where it came in */
};

struct local_address {
	struct ip_address addr;
	uint8_t family;
};

/* Zeroes at first. */
struct listeners {
	struct tcp_sockets list;
	struct local_address *local; /* this host's addresses; owned */
	size_t local_count;
	uint64_t time; /* ns: when both were read; 0: never */
	bool failed;   /* they could not be read then */
	bool short_of_memory;
};

/* Where the kernel was last asked before `now` - 1 s, asks again. now: ns, CLOCK_MONOTONIC. */
void listeners_refresh(struct listeners *l, uint64_t now);
/*
 * The listener for a SYN. Where several listen to the same end (SO_REUSEPORT), the kernel chooses one by a hash: there
 * is an answer only if all of them are full, or none is.
 */
struct listener listeners_find(const struct listeners *l, const struct listener_query *q);
void listeners_free(struct listeners *l);

#endif
