// SPDX-License-Identifier: GPL-2.0
/*
 * A chained hash with a queue through it. Entries are kept for reuse: their number is that of the busiest moment.
 */
#include <stdlib.h>
#include <string.h>

#include "pending.h"

#define BUCKETS 65536

struct pending_table {
	struct pending *bucket[BUCKETS];
	struct pending *head, *tail;
	struct pending *spare; /* chained by next */
	uint32_t count;
};

struct pending_table *pending_table_new(void)
{
	return calloc(1, sizeof(struct pending_table));
}

static void free_chain(struct pending *p)
{
	while (p) {
		struct pending *next = p->next;

		free(p);
		p = next;
	}
}

void pending_table_free(struct pending_table *t)
{
	if (!t)
		return;
	free_chain(t->head);
	free_chain(t->spare);
	free(t);
}

static struct pending **bucket_of(struct pending_table *t, const struct flow_key *key)
{
	return &t->bucket[key->hash & (BUCKETS - 1)];
}

struct pending *pending_find(struct pending_table *t, const struct flow_key *key)
{
	struct pending *p = *bucket_of(t, key);

	while (p && memcmp(&p->key, key, sizeof(*key)) != 0)
		p = p->chain;
	return p;
}

static void unqueue(struct pending_table *t, struct pending *p)
{
	*(p->prev ? &p->prev->next : &t->head) = p->next;
	*(p->next ? &p->next->prev : &t->tail) = p->prev;
}

static void enqueue(struct pending_table *t, struct pending *p)
{
	p->prev = t->tail;
	p->next = NULL;
	*(t->tail ? &t->tail->next : &t->head) = p;
	t->tail = p;
}

struct pending *pending_put(struct pending_table *t, const struct flow_key *key)
{
	struct pending *p = pending_find(t, key);

	if (p) {
		unqueue(t, p);
		enqueue(t, p);
		return p;
	}
	p = t->spare;
	if (p)
		t->spare = p->next;
	else
		p = malloc(sizeof(*p));
	if (!p)
		return NULL;
	p->key = *key;
	p->chain = *bucket_of(t, key);
	*bucket_of(t, key) = p;
	enqueue(t, p);
	t->count++;
	return p;
}

void pending_remove(struct pending_table *t, struct pending *p)
{
	struct pending **at = bucket_of(t, &p->key);

	while (*at != p)
		at = &(*at)->chain;
	*at = p->chain;
	unqueue(t, p);
	p->next = t->spare;
	t->spare = p;
	t->count--;
}

struct pending *pending_first(struct pending_table *t)
{
	return t->head;
}

uint32_t pending_count(const struct pending_table *t)
{
	return t->count;
}
