// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A ring: the place that comes next is that of the oldest one. Those that are released earlier leave gaps.
 */
#include <errno.h>
#include <stdlib.h>

#include "user/judge/held_flows.h"

int held_flows_begin(struct held_flows *h, uint32_t room)
{
	if (!room)
		return 0;
	h->room = room;
	h->of = calloc(h->room, sizeof(*h->of));
	h->hash = calloc(h->room, sizeof(*h->hash));
	if (h->of && h->hash)
		return 0;
	held_flows_free(h);
	return -ENOMEM;
}

void held_flows_free(struct held_flows *h)
{
	free(h->of);
	free(h->hash);
	*h = (struct held_flows){0};
}

static uint32_t place_after(const struct held_flows *h, uint32_t i)
{
	return i + 1 < h->room ? i + 1 : 0;
}

static void release(struct held_flows *h, struct flow_tables *t, uint32_t i)
{
	if (!h->of[i].slot)
		return;
	flow_tables_release(t, h->of[i].slot - 1);
	h->of[i].slot = 0;
	h->count--;
}

static uint64_t progress_of(const struct flow_tables *t, uint32_t slot)
{
	return __atomic_load_n(&flow_tables_block(t, t->slots[slot].block)->progress, __ATOMIC_RELAXED);
}

static void note(const struct flow_tables *t, struct held_flow *e)
{
	e->word = __atomic_load_n(&t->slots[e->slot - 1].word, __ATOMIC_ACQUIRE);
	e->progress = progress_of(t, e->slot - 1);
	e->changed = 0;
}

void held_flows_put(struct held_flows *h, struct flow_tables *t, uint32_t slot, uint64_t since)
{
	uint32_t hash = t->slots[slot].hash, i;

	for (i = 0; i < h->room; i++)
		if (h->hash[i] == hash)
			release(h, t, i);
	i = h->next;
	h->next = place_after(h, i);
	release(h, t, i);
	h->hash[i] = hash;
	h->of[i] = (struct held_flow){.slot = slot + 1, .since = since};
	note(t, &h->of[i]);
	h->count++;
}

void held_flows_relieve(struct held_flows *h, struct flow_tables *t)
{
	uint32_t i = h->next;

	while (!h->of[i].slot)
		i = place_after(h, i);
	release(h, t, i);
}

static bool has_changed(const struct flow_tables *t, struct held_flow *e, uint64_t now)
{
	if (!e->changed && (__atomic_load_n(&t->slots[e->slot - 1].word, __ATOMIC_ACQUIRE) != e->word ||
			    progress_of(t, e->slot - 1) != e->progress))
		e->changed = now;
	return e->changed;
}

uint32_t held_flows_changed(struct held_flows *h, struct flow_tables *t, uint32_t *at, uint64_t now, uint64_t settle,
			    uint64_t most)
{
	while (h->count && *at < h->room) {
		uint32_t i = (*at)++;
		struct held_flow *e = &h->of[i];

		if (!e->slot)
			continue;
		if (has_changed(t, e, now) && now - e->changed >= settle) {
			e->since = e->changed;
			note(t, e);
			return e->slot;
		}
		if (!e->changed && now > e->since && now - e->since >= most)
			release(h, t, i);
	}
	return 0;
}

/* Its place; `room`: it has none. */
static uint32_t place_of(const struct held_flows *h, uint32_t slot)
{
	uint32_t i = 0;

	while (i < h->room && h->of[i].slot != slot + 1)
		i++;
	return i;
}

bool held_flows_has(const struct held_flows *h, uint32_t slot)
{
	return place_of(h, slot) < h->room;
}

void held_flows_drop(struct held_flows *h, uint32_t slot)
{
	uint32_t i = place_of(h, slot);

	if (i == h->room)
		return;
	h->of[i].slot = 0;
	h->count--;
}
