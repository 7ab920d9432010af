// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rows and the other groups always add up to the whole: a connection is in the tally of its group, and goes with it to
 * the rest once the group is followed no more.
 */
#include "user/top/span.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct span *span_new(void)
{
	return calloc(1, sizeof(struct span));
}

void span_free(struct span *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < SKETCH_KEYS; i++)
		tally_free(&s->tally[i]);
	tally_free(&s->rest);
	free(s);
}

void span_reset(struct span *s, const struct groups *groups, uint64_t start, int64_t wall_offset)
{
	uint64_t seed = (uintptr_t)s;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed ^= start; /* an address is random enough for what is left: longer lists in the hash table */
	s->groups = *groups;
	s->start = s->end = start;
	s->wall_offset = wall_offset;
	s->connections = 0;
	sketch_reset(&s->sketch, seed);
	tally_reset(&s->rest);
}

/* The tally of the group with that key, which is added so many times. *fresh: it was not followed before. */
static struct tally *tally_of(struct span *s, const struct group_key *key, uint64_t times, bool *fresh)
{
	unsigned n = sketch_add_times(&s->sketch, key, times, fresh);

	if (*fresh && s->sketch.entry[n].error) /* it was another group's, and not one of an earlier time */
		tally_merge(&s->rest, &s->tally[n]);
	if (*fresh)
		tally_reset(&s->tally[n]);
	return &s->tally[n];
}

bool span_add(struct span *s, const struct record *r)
{
	struct group_key key;
	bool fresh;

	groups_key(&s->groups, r, &key);
	s->connections++;
	tally_add(tally_of(s, &key, 1, &fresh), r);
	return fresh;
}

void span_add_waiting(struct span *s, const struct record *r, bool stuck)
{
	struct group_key key;
	bool fresh;

	groups_key(&s->groups, r, &key);
	tally_add_waiting(tally_of(s, &key, 1, &fresh), r, stuck);
}

bool span_has(const struct span *s, const struct record *r)
{
	struct group_key key;

	groups_key(&s->groups, r, &key);
	return sketch_has(&s->sketch, &key);
}

void span_merge(struct span *s, const struct span *more)
{
	bool fresh;

	s->connections += more->connections;
	tally_merge(&s->rest, &more->rest);
	for (unsigned i = 0; i < more->sketch.used; i++) {
		const struct sketch_entry *e = &more->sketch.entry[i];

		tally_merge(tally_of(s, &e->key, e->count, &fresh), &more->tally[i]);
	}
}

/* ---- the view ---- */

struct ranked {
	uint64_t rank, then; /* the larger ones come first */
	const struct sketch_entry *entry;
	uint16_t row;
};

static uint64_t rank_of(const struct tally *t, enum span_order order)
{
	switch (order) {
	case ORDER_RESETS:
		return tally_resets(t);
	case ORDER_WAITING:
		return t->half_closed + t->stuck;
	case ORDER_CLOSE:
		return quantiles_percentile(&t->timing[T_CLOSE], 99);
	default:
		return t->connections;
	}
}

static int by_key(const struct ranked *x, const struct ranked *y)
{
	const struct group_key *a = &x->entry->key, *b = &y->entry->key;
	int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

	return order ? order : a->len - b->len;
}

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? 1 : -1;
	if (x->then != y->then)
		return x->then < y->then ? 1 : -1;
	return by_key(x, y);
}

static bool has_text(const struct groups *g, const uint8_t *key, const char *filter)
{
	struct buffer text = {0};
	bool found = !*filter;

	for (unsigned i = 0; i < g->count && !found; i++) {
		text.len = 0;
		groups_text(g, key, i, &text);
		buffer_char(&text, '\0');
		found = strstr(text.data, filter);
	}
	buffer_free(&text);
	return found;
}

static unsigned rank_groups(struct ranked *list, const struct span *s, enum span_order order, const char *filter)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->sketch.used; i++) {
		const struct tally *t = &s->tally[i];
		const struct sketch_entry *e = &s->sketch.entry[i];

		if (!has_text(&s->groups, e->key.bytes, filter))
			continue;
		list[n] = (struct ranked){.entry = e, .row = (uint16_t)i};
		if (order != ORDER_GROUP) {
			list[n].rank = rank_of(t, order);
			list[n].then = t->connections + t->half_closed + t->stuck;
		}
		n++;
	}
	return n;
}

/* The tallies of what is in no row, and of all. */
static void add_up(struct span_view *v, const bool in_row[SKETCH_KEYS])
{
	const struct span *s = v->span;

	tally_reset(&v->other);
	tally_merge(&v->other, &s->rest);
	for (unsigned i = 0; i < s->sketch.used; i++)
		if (!in_row[i])
			tally_merge(&v->other, &s->tally[i]);
	tally_reset(&v->total);
	tally_merge(&v->total, &v->other);
	for (unsigned i = 0; i < v->rows; i++)
		tally_merge(&v->total, &s->tally[v->row[i]]);
}

void span_view(struct span_view *v, const struct span *s, enum span_order order, unsigned most, const char *filter)
{
	struct ranked list[SKETCH_KEYS];
	unsigned n = rank_groups(list, s, order, filter);
	bool in_row[SKETCH_KEYS] = {0};

	qsort(list, n, sizeof(*list), by_rank);
	v->span = s;
	v->rows = n < most ? n : most;
	v->error = 0;
	for (unsigned i = 0; i < v->rows; i++) {
		v->row[i] = list[i].row;
		in_row[list[i].row] = true;
		if (list[i].entry->error > v->error)
			v->error = list[i].entry->error;
	}
	add_up(v, in_row);
}

void span_view_free(struct span_view *v)
{
	tally_free(&v->other);
	tally_free(&v->total);
}
