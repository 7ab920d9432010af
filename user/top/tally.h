/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is counted of a group of connections. Tallies add up.
 */
#ifndef TCPFIN_TALLY_H
#define TCPFIN_TALLY_H

#include "user/base/quantiles.h"
#include "user/record/record.h"

struct tally {
	uint64_t connections;
	uint64_t outcome[OUTCOMES];
	uint64_t closer[NETWORK + 1];     /* by role; NOBODY: unknown */
	uint64_t time_wait[NOBODY];       /* by role: who was left in TIME-WAIT */
	struct quantiles timing[TIMINGS]; /* ns */
	uint64_t half_closed;             /* gauge: one side has closed, and the other side goes on */
	uint64_t stuck;                   /* gauge: closes that stand still */
};

/* Counts a connection that has ended. */
void tally_add(struct tally *t, const struct record *r);
/* Counts a close that goes on, by its record so far. stuck: it has stood still. */
void tally_add_waiting(struct tally *t, const struct record *r, bool stuck);
void tally_merge(struct tally *t, const struct tally *more);
/* Connections that an RST ended, in the handshake or later. */
uint64_t tally_resets(const struct tally *t);
/* Empties it, and keeps its memory. */
void tally_reset(struct tally *t);
void tally_free(struct tally *t);

#endif
