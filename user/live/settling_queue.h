/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closing flows that have ended and settle: their keys, in the order in which they are to be collected.
 */
#ifndef TCPFIN_SETTLING_QUEUE_H
#define TCPFIN_SETTLING_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/core/flow_key.h"

struct settling_flow {
	struct flow_key key;
	uint64_t due; /* ns, kernel time */
};

/* A ring that grows; all zero is an empty one. */
struct settling_queue {
	struct settling_flow *flow;
	uint32_t room, first, count; /* room: 0 or a power of two */
};

void settling_queue_free(struct settling_queue *s);
/*
 * Behind all others, or before them: whose tuple is in use again. False without memory: a sweep of the table finds it.
 */
bool settling_queue_append(struct settling_queue *s, const struct flow_key *key, uint64_t due);
bool settling_queue_prepend(struct settling_queue *s, const struct flow_key *key);
/* Takes the first one out, if it is due. */
bool settling_queue_take(struct settling_queue *s, uint64_t now, struct flow_key *key);

#endif
