/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Closing flows that have ended and settle: their keys, in the order in which they are to be collected.
 */
#ifndef TCPFIN_SETTLING_H
#define TCPFIN_SETTLING_H

#include <stdbool.h>
#include <stdint.h>

#include "../bpf/core/flow_key.h"

struct settling_flow {
	struct flow_key key;
	uint64_t due; /* ns, kernel time */
};

/* A ring that grows; all zero is an empty one. */
struct settling {
	struct settling_flow *flow;
	uint32_t room, first, count; /* room: 0 or a power of two */
};

void settling_free(struct settling *s);
/* Behind all others, or before them: whose tuple is in use again. False without memory: a sweep of the table finds it. */
bool settling_append(struct settling *s, const struct flow_key *key, uint64_t due);
bool settling_prepend(struct settling *s, const struct flow_key *key);
/* Takes the first one out, if it is due. */
bool settling_take(struct settling *s, uint64_t now, struct flow_key *key);

#endif
