// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hash table finds a key's entry, a heap the entry with the smallest count.
 */
#include "user/top/sketch.h"

#include <string.h>

#define BUCKETS (2 * SKETCH_KEYS)

/* ---- finding ---- */

/* The high half of a product depends on all bits of its factors. */
static uint64_t mix(uint64_t h, uint64_t word)
{
	unsigned __int128 product = (unsigned __int128)(h ^ word) * 0x9e3779b97f4a7c15ULL;

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

uint64_t sketch_hash(const struct sketch *s, const struct group_key *key)
{
	uint64_t seed = s->seed, h = mix(seed, key->len), word;
	size_t at = 0;

	for (; at + sizeof(word) <= key->len; at += sizeof(word)) {
		memcpy(&word, key->bytes + at, sizeof(word));
		h = mix(h + seed, word);
	}
	word = 0;
	memcpy(&word, key->bytes + at, key->len - at);
	return mix(h + seed, word);
}

static bool is_key(const struct sketch_entry *e, const struct group_key *key, uint64_t hash)
{
	return e->hash == hash && e->key.len == key->len && !memcmp(e->key.bytes, key->bytes, key->len);
}

/* SKETCH_KEYS where it is not there. */
static unsigned find(const struct sketch *s, const struct group_key *key, uint64_t hash)
{
	for (unsigned n = s->bucket[hash % BUCKETS]; n; n = s->entry[n - 1].next)
		if (is_key(&s->entry[n - 1], key, hash))
			return n - 1;
	return SKETCH_KEYS;
}

bool sketch_has(const struct sketch *s, const struct group_key *key)
{
	return find(s, key, sketch_hash(s, key)) < SKETCH_KEYS;
}

static void put_into_bucket(struct sketch *s, unsigned n)
{
	uint16_t *bucket = &s->bucket[s->entry[n].hash % BUCKETS];

	s->entry[n].next = *bucket;
	*bucket = (uint16_t)(n + 1);
}

static void take_from_bucket(struct sketch *s, unsigned n)
{
	uint16_t *link = &s->bucket[s->entry[n].hash % BUCKETS];

	while (*link != n + 1)
		link = &s->entry[*link - 1].next;
	*link = s->entry[n].next;
}

/* ---- the smallest ---- */

static void heap_put(struct sketch *s, unsigned place, uint16_t n)
{
	s->heap[place] = n;
	s->entry[n].heap = (uint16_t)place;
}

/* The entry's count has grown: those below it that are smaller come up. */
static void heap_sink(struct sketch *s, uint16_t n)
{
	unsigned place = s->entry[n].heap, child;

	while ((child = 2 * place + 1) < s->used) {
		if (child + 1 < s->used && s->entry[s->heap[child + 1]].count < s->entry[s->heap[child]].count)
			child++;
		if (s->entry[s->heap[child]].count >= s->entry[n].count)
			break;
		heap_put(s, place, s->heap[child]);
		place = child;
	}
	heap_put(s, place, n);
}

/* A new entry is smaller than, or equal to, all that are there. */
static void heap_add(struct sketch *s, uint16_t n)
{
	unsigned place = n;

	for (; place && s->entry[s->heap[(place - 1) / 2]].count > s->entry[n].count; place = (place - 1) / 2)
		heap_put(s, place, s->heap[(place - 1) / 2]);
	heap_put(s, place, n);
}

/* ---- adding ---- */

void sketch_reset(struct sketch *s, uint64_t seed)
{
	s->seed = seed;
	s->added = 0;
	s->used = 0;
	memset(s->bucket, 0, sizeof(s->bucket));
}

/* The entry for a new key, its count and error set. */
static unsigned take_entry(struct sketch *s)
{
	unsigned n = s->used;

	if (n < SKETCH_KEYS) {
		s->entry[n].count = s->entry[n].error = 0;
		s->used++;
		heap_add(s, (uint16_t)n);
		return n;
	}
	n = s->heap[0];
	take_from_bucket(s, n);
	s->entry[n].error = s->entry[n].count;
	return n;
}

unsigned sketch_add_times(struct sketch *s, const struct group_key *key, uint64_t times, bool *fresh)
{
	uint64_t hash = sketch_hash(s, key);
	unsigned n = find(s, key, hash);

	s->added += times;
	*fresh = n == SKETCH_KEYS;
	if (*fresh) {
		n = take_entry(s);
		s->entry[n].hash = hash;
		s->entry[n].key.len = key->len;
		memcpy(s->entry[n].key.bytes, key->bytes, key->len);
		put_into_bucket(s, n);
	}
	s->entry[n].count += times;
	heap_sink(s, (uint16_t)n);
	return n;
}
