/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A span of time: the connections that ended in it, by group. Memory is bounded, whatever the number of groups: the
 * groups that a sketch follows have tallies of their own, and all connections together have one.
 */
#ifndef TCPFIN_SPAN_H
#define TCPFIN_SPAN_H

#include "user/top/sketch.h"
#include "user/top/tally.h"

struct span {
	struct groups groups;
	uint64_t start, end;  /* ns, monotonic time or a capture's; end: once it is over */
	int64_t wall_offset;  /* ns to add for the wall clock */
	uint64_t connections; /* that have ended */
	struct sketch sketch;
	struct tally tally[SKETCH_KEYS]; /* by entry of the sketch: of what came while it was followed */
	struct tally rest;               /* of what came of groups that are followed no more */
};

enum span_order { ORDER_CONNECTIONS, ORDER_RESETS, ORDER_WAITING, ORDER_CLOSE, ORDER_GROUP, ORDERS };

/* A span to be shown: its groups in an order, those that a filter leaves out, and the rest in one tally. */
struct span_view {
	const struct span *span;
	uint16_t row[SKETCH_KEYS]; /* entries of the sketch */
	unsigned rows;             /* to be shown */
	struct tally other, total; /* all connections that are in none of them; all */
	uint64_t error;            /* at most so many connections and waiting closes are missing in a row */
};

/* NULL where memory is short. */
struct span *span_new(void);
void span_free(struct span *s);
/* Empties it, to begin at `start`. */
void span_reset(struct span *s, const struct groups *groups, uint64_t start, int64_t wall_offset);
/* Counts a connection that has ended. Returns whether its group was not followed before. */
bool span_add(struct span *s, const struct record *r);
/* Is the group of the record followed? */
bool span_has(const struct span *s, const struct record *r);
/* Adds what has been counted in another span of the same groups. */
void span_merge(struct span *s, const struct span *more);
/* Counts a close that goes on at the span's end. */
void span_add_waiting(struct span *s, const struct record *r, bool stuck);

/*
 * Chooses at most `most` groups, the first ones in that order. filter: text that a part of the group must contain; ""
 * for all. v: all zeroes, or of an earlier call; to be freed by span_view_free.
 */
void span_view(struct span_view *v, const struct span *s, enum span_order order, unsigned most, const char *filter);
void span_view_free(struct span_view *v);

#endif
