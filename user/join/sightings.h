/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The segments of a connection that two views can be compared by: SYN, SYN-ACK, FIN, RST, and ACKs that complete a
 * handshake or acknowledge a FIN. What the network may change of a segment (addresses, TTL, how data is cut) is not
 * compared: the numbers are.
 */
#ifndef TCPFIN_SIGHTINGS_H
#define TCPFIN_SIGHTINGS_H

#include "user/join/views.h"

enum segment_kind { KIND_SYN, KIND_SYN_ACK, KIND_FIN, KIND_RST, KIND_ACK };

/* A segment, the same at every view. Plain data has the number behind its payload, as a FIN has. */
struct segment_key {
	enum segment_kind kind;
	enum role from; /* the connection's */
	uint32_t number, ack;
};

/* A segment of a view, or several equal ones: a view folds copies that follow each other into one entry. */
struct sighting {
	struct segment_key key;
	const struct record_segment *segment; /* the view's */
	uint64_t time;                        /* ns since 1970 by the view's clock, of the first one */
	bool timed;                           /* false: its time stamp was wrong */
	bool made;                            /* of a connection that a made SYN began */
	unsigned count;
};

#define SIGHTINGS_MOST (2 * RECORD_SEGMENTS)

struct sightings {
	struct sighting list[SIGHTINGS_MOST];
	unsigned count;
	bool folded_acks[2]; /* by the connection's role: ACKs of that side that are not listed one by one */
};

/* Adds the view's, as long as there is room. */
void sightings_add(struct sightings *s, const struct view *view);
/* How many segments of that key there are; *first: the entry of the first one, NULL without one. */
unsigned sightings_find(const struct sightings *s, const struct segment_key *key, const struct sighting **first);
bool segment_key_equal(const struct segment_key *a, const struct segment_key *b);
/* Is it the first entry of its key? */
bool sightings_is_first(const struct sightings *s, const struct sighting *of);

#endif
