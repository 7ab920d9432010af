/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heavy hitters in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi, 2005). It follows SKETCH_KEYS keys at a
 * time. A key that is not among them takes the place of the one with the smallest count, and inherits that count as its
 * error.
 *
 * After n additions every key that was added more than n / SKETCH_KEYS times is among them, and no error is larger than
 * n / SKETCH_KEYS. Exact while there have been at most SKETCH_KEYS keys.
 */
#ifndef TCPFIN_SKETCH_H
#define TCPFIN_SKETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "user/record/groups.h"

#define SKETCH_KEYS 512

struct sketch_entry {
	uint64_t count; /* at most so often the key was added */
	uint64_t error; /* and at least so many times less */
	uint64_t hash;
	uint16_t heap; /* its place there */
	uint16_t next; /* entry + 1 with the same bucket; 0: none */
	struct group_key key;
};

struct sketch {
	uint64_t seed; /* of the hash: nobody outside can choose keys that meet */
	uint64_t added;
	unsigned used;
	struct sketch_entry entry[SKETCH_KEYS];
	uint16_t heap[SKETCH_KEYS];       /* entries, the smallest count first */
	uint16_t bucket[2 * SKETCH_KEYS]; /* by hash: entry + 1 */
};

/* Empties it. */
void sketch_reset(struct sketch *s, uint64_t seed);
/* The hash of a key, which is the same until the seed is another one. */
uint64_t sketch_hash(const struct sketch *s, const struct group_key *key);
/* Is the key followed? */
bool sketch_has(const struct sketch *s, const struct group_key *key);
/* Adds the key so many times. Returns its entry; *fresh: that was another key's, or nobody's, before. */
unsigned sketch_add_times(struct sketch *s, const struct group_key *key, uint64_t times, bool *fresh);

/* Adds the key once. */
static inline unsigned sketch_add(struct sketch *s, const struct group_key *key, bool *fresh)
{
	return sketch_add_times(s, key, 1, fresh);
}

#endif
