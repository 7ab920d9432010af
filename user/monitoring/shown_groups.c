// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A sketch says which groups stand out. What it follows is not what is shown: the sketch begins anew each hour, so
 * that a group can come up after months as well.
 */
#include "user/monitoring/shown_groups.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "user/base/clock.h"

#define FULLEST 20                   /* groups that may come up at a time */
#define LEAST_SHARE 100              /* a group of less than 1 / LEAST_SHARE does not stand out */
#define SKETCH_NS (3600 * SECOND_NS) /* how long a sketch is used */
#define UNKNOWN "unknown"            /* the label of connections that lack the value */

void shown_groups_begin(struct shown_groups *g, enum group_field by, uint64_t now)
{
	uint64_t seed = (uintptr_t)g;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed ^= now; /* an address is random enough for what is left: longer lists in the hash table */
	g->by = (struct groups){{by}, 1};
	g->since = now;
	sketch_reset(&g->sketch, seed);
}

/* The group with that key; SHOWN_GROUPS where it is not shown. */
static unsigned find(const struct shown_groups *g, const struct group_key *key, uint64_t hash)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->hash[i] == hash && g->group[i].key.len == key->len &&
		    !memcmp(g->group[i].key.bytes, key->bytes, key->len))
			return i;
	return SHOWN_GROUPS;
}

static void look_up(struct shown_groups *g, const struct group_key *key)
{
	if (g->last.key.len == key->len && !memcmp(g->last.key.bytes, key->bytes, key->len))
		return;
	g->last.key.len = key->len;
	memcpy(g->last.key.bytes, key->bytes, key->len);
	g->last.shown = find(g, key, sketch_hash(&g->sketch, key));
}

void shown_groups_add(struct shown_groups *g, const struct record *r)
{
	struct group_key key;
	bool fresh;

	groups_key(&g->by, r, &key);
	look_up(g, &key);
	if (g->last.shown < SHOWN_GROUPS) {
		g->group[g->last.shown].connections[r->outcome]++;
		return;
	}
	g->other[r->outcome]++;
	sketch_add(&g->sketch, &key, &fresh);
}

/* ---- coming up ---- */

struct candidate {
	uint64_t count; /* at least so many connections */
	unsigned entry;
};

static int by_count(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : (int)x->entry - (int)y->entry;
}

static unsigned find_candidates(const struct shown_groups *g, struct candidate list[SKETCH_KEYS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->sketch.used; i++) {
		const struct sketch_entry *e = &g->sketch.entry[i];
		uint64_t count = e->count - e->error;

		if (count && count >= g->sketch.added / LEAST_SHARE && find(g, &e->key, e->hash) == SHOWN_GROUPS)
			list[n++] = (struct candidate){count, i};
	}
	qsort(list, n, sizeof(*list), by_count);
	return n < FULLEST ? n : FULLEST;
}

static void label_of(const struct shown_groups *g, const struct group_key *key, char label[4 * GROUP_PART + 1])
{
	struct buffer text = {0};
	size_t len;

	if (!groups_text(&g->by, key->bytes, 0, &text))
		buffer_text(&text, UNKNOWN);
	len = text.len < 4 * GROUP_PART ? text.len : 4 * GROUP_PART;
	memcpy(label, text.data, len);
	label[len] = '\0';
	buffer_free(&text);
}

/* A process may call itself "other", or by the escapes of another one: two series of one name would be refused. */
static bool is_taken(const struct shown_groups *g, const char *label)
{
	for (unsigned i = 0; i < g->count; i++)
		if (!strcmp(g->group[i].label, label))
			return true;
	return !strcmp(label, SHOWN_OTHER);
}

static void admit(struct shown_groups *g, const struct sketch_entry *e)
{
	struct shown_group *group = &g->group[g->count];

	if (g->count == SHOWN_GROUPS)
		return;
	label_of(g, &e->key, group->label);
	if (is_taken(g, group->label))
		return;
	group->key.len = e->key.len;
	memcpy(group->key.bytes, e->key.bytes, e->key.len);
	memset(group->connections, 0, sizeof(group->connections));
	g->hash[g->count++] = e->hash;
}

void shown_groups_admit(struct shown_groups *g, uint64_t now)
{
	struct candidate list[SKETCH_KEYS];
	unsigned n = find_candidates(g, list);

	g->last.key.len = 0; /* its group may be shown now */
	for (unsigned i = 0; i < n; i++)
		admit(g, &g->sketch.entry[list[i].entry]);
	if (now - g->since < SKETCH_NS)
		return;
	g->since = now;
	sketch_reset(&g->sketch, g->sketch.seed); /* the hashes of the shown groups stay valid */
}

/* ---- printing ---- */

static void print(struct exposition *e, const char *name, const char *label, const uint64_t connections[OUTCOMES])
{
	for (unsigned outcome = 0; outcome < OUTCOMES; outcome++) {
		struct metric_label labels[] = {{name, label}, {"outcome", outcome_name(outcome)}};

		exposition_number(e, labels, 2, connections[outcome]);
	}
}

void shown_groups_print(struct exposition *e, const struct shown_groups *g)
{
	const char *name = group_name(g->by.field[0]);

	for (unsigned i = 0; i < g->count; i++)
		print(e, name, g->group[i].label, g->group[i].connections);
	print(e, name, SHOWN_OTHER, g->other);
}
