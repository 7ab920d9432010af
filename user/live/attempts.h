/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attempts to connect that wait: this host's listener is asked soon after each SYN that had to be repeated, since ten
 * seconds later, in the record, it would tell of another time.
 */
#ifndef TCPFIN_ATTEMPTS_H
#define TCPFIN_ATTEMPTS_H

#include "user/judge/flow.h"
#include "user/judge/flow_tables.h"
#include "user/sockets/listeners.h"

struct attempt {
	uint64_t t_syn; /* ns: of which connection this is; 0: none */
	uint32_t copies;
	struct listener listener;
};

struct attempts {
	struct attempt *list; /* by slot; owned */
	struct listeners listeners;
};

/* 0 or -ENOMEM. */
int attempts_begin(struct attempts *a, uint32_t slots);
/* Looks at these slots, and asks for those that have had to repeat a SYN or SYN-ACK. now: ns, CLOCK_MONOTONIC. */
void attempts_scan(struct attempts *a, const struct flow_tables *t, uint32_t first, uint32_t end, uint64_t now);
/* What was answered for the connection in that slot; NULL: nothing. */
const struct listener *attempts_listener(const struct attempts *a, uint32_t slot, const struct flow *f);
void attempts_free(struct attempts *a);

#endif
