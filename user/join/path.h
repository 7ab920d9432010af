/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the network did to the segments of a connection between two neighbouring views.
 */
#ifndef TCPFIN_PATH_H
#define TCPFIN_PATH_H

#include "user/join/order.h"

#define DELAYED_NS 10000000 /* ns behind the fastest segment of its direction: from here on it is delayed */

enum deed {
	DEED_LOST,      /* the view that it passed first saw it, the next one did not */
	DEED_REORDERED, /* one that was sent later came before it */
	DEED_DELAYED,   /* it took longer than the fastest one of its direction, by more than a round trip */
	DEED_MADE       /* a SYN, SYN-ACK, FIN or RST that the next view saw, and the one that it came from did not */
};

/* "lost", "reordered", "delayed", "made" */
const char *deed_name(enum deed deed);

struct path_entry {
	enum deed deed;
	struct sighting of; /* as the view saw it that saw it: of DEED_MADE the second one, else the first one */
	unsigned view;      /* that view, by its place in the way */
	unsigned near, far; /* between which views; near is nearer to the source */
	unsigned count;     /* how many equal segments */
	bool timed;         /* it is known when the view saw it: of several copies it may be any */
	int64_t delay;      /* of DEED_DELAYED and DEED_REORDERED: ns behind the fastest one */
};

#define PATH_MOST (2 * SIGHTINGS_MOST * (JOINED_VIEWS - 1))

struct path {
	struct path_entry entries[PATH_MOST];
	unsigned count;
};

/* views: with the time until which each vantage watched. way: in order. */
void path_find(struct path *path, const struct way *way, const struct views *views, const struct clocks *clocks);

#endif
