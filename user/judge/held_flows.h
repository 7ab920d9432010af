/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that an RST has ended on their way through this host, as their final record says. No socket here tells
 * whether the RST was taken and who made it, so their logs are held for a while: what comes later may tell.
 *
 * The watch filter lets through all segments of a cell that one of them has. So they are few, whatever is sent.
 */
#ifndef TCPFIN_HELD_FLOWS_H
#define TCPFIN_HELD_FLOWS_H

#include "user/judge/flow_tables.h"

/* At most so many, the last ones: a sixty-fourth of the watch filter's cells. */
#define HELD_MOST (WATCH_CELLS / 64)

struct held_flow {
	uint64_t word, progress; /* of slot and block when it was looked at last */
	uint64_t changed;        /* ns: when one of the two was first found to be another; 0: neither is */
	uint64_t since;          /* ns: it is held since then, or since its last segment */
	uint32_t slot;           /* + 1; 0: none */
};

struct held_flows {
	struct held_flow *of; /* `room` of them; NULL: none are held */
	uint32_t *hash;       /* of their slots, beside each other to be searched */
	uint32_t room, next, count;
	uint64_t looked; /* ns */
};

/* As many as the tables can spare. */
static inline uint32_t held_flows_room(const struct flow_tables *t)
{
	uint32_t spare = t->closing_blocks / 8 < t->slot_count / 16 ? t->closing_blocks / 8 : t->slot_count / 16;

	return spare < HELD_MOST ? spare : HELD_MOST;
}

/* room: for so many, up to HELD_MOST. 0 or -ENOMEM. */
int held_flows_begin(struct held_flows *h, uint32_t room);
void held_flows_free(struct held_flows *h);

/*
 * Adds the one of that slot, see flow_tables_hold. Its tuple's former one gives way, and where there are too many the
 * oldest one. since: ns.
 */
void held_flows_put(struct held_flows *h, struct flow_tables *t, uint32_t slot, uint64_t since);
/* The oldest one gives way. There is one. */
void held_flows_relieve(struct held_flows *h, struct flow_tables *t);
/*
 * Releases those of which nothing has come for `most` ns. Returns the slot + 1 of the next one, from the *at-th on, of
 * which a segment came, but none that was found in the last `settle` ns; 0: none is left.
 */
uint32_t held_flows_changed(struct held_flows *h, struct flow_tables *t, uint32_t *at, uint64_t now, uint64_t settle,
			    uint64_t most);
/* Is the slot's connection among them? */
bool held_flows_has(const struct held_flows *h, uint32_t slot);
/* It is none of them any more; flow_tables_resume has taken it. */
void held_flows_drop(struct held_flows *h, uint32_t slot);

#endif
