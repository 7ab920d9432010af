/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The views of one connection in the order in which its packets pass them, from the source on.
 */
#ifndef TCPFIN_ORDER_H
#define TCPFIN_ORDER_H

#include "user/join/clocks.h"
#include "user/join/sightings.h"

#define JOINED_VIEWS 16 /* views of one connection that are compared; more are counted */

/* Which end a view is at, or neither. */
enum place { PLACE_UNKNOWN, AT_SOURCE, AT_DESTINATION, BETWEEN };

/* "unknown", "source", "destination", "between" */
const char *place_name(enum place place);

struct joined_view {
	const struct view *view;
	struct sightings sightings;
	enum place place;
	bool placed; /* its neighbours are known, so that path speaks of it */
};

/*
 * The views of a connection: the placed ones first, from the source on. Behind them lie those of what a SYN began that
 * no end sent: what happened to their segments is the path's, but they have no say in how the connection ended.
 */
struct way {
	struct joined_view views[JOINED_VIEWS];
	unsigned count, placed;
	unsigned made;     /* views behind the first `count` */
	unsigned left_out; /* views beyond JOINED_VIEWS */
};

/* Takes the views of one connection, in the order of views_group. */
void way_begin(struct way *way, const struct view *views, size_t count);
/* Tells clocks of each segment that two of the views saw, where it is known which of them is nearer to the source. */
void way_sample(const struct way *way, struct clocks *clocks);
/* Places the views. clocks: with the samples of all connections. */
void way_order(struct way *way, const struct clocks *clocks);

#endif
