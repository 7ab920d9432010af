/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections over time in a bounded number of slots, whatever the span: a slot becomes longer when one would be too
 * many. All zeroes is an empty one.
 */
#ifndef TCPFIN_TIMELINE_H
#define TCPFIN_TIMELINE_H

#include "user/record/record.h"

#define TIMELINE_SLOTS 120

struct timeline {
	unsigned step;  /* which length a slot has */
	uint64_t first; /* the first slot's time, in lengths of a slot since 1970 */
	unsigned count; /* slots from the first to the last one that holds a connection; 0: none yet */
	struct timeline_slot {
		uint64_t outcome[OUTCOMES];
		uint64_t closer[NETWORK + 1]; /* by role; NOBODY: unknown */
	} slot[TIMELINE_SLOTS];
};

/* Adds a connection at its last step. */
void timeline_add(struct timeline *t, const struct record *r);
/* ns that a slot is long. */
uint64_t timeline_length(const struct timeline *t);
/* ns since 1970: when the slot begins. */
uint64_t timeline_start(const struct timeline *t, unsigned slot);

#endif
