// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times of a file that runs back may put a later time before an earlier one in a queue: that one fires a little late.
 */
#include "user/judge/timers.h"

#include <stdlib.h>

#include "user/judge/flow_memory.h"

static void queue_grow(struct timer_queue *q)
{
	uint32_t room = q->room ? q->room * 2 : 256;
	struct timer *ring = must(malloc(room * sizeof(*ring)));

	for (uint32_t i = 0; i < q->count; i++)
		ring[i] = q->timer[(q->first + i) & (q->room - 1)];
	free(q->timer);
	*q = (struct timer_queue){.timer = ring, .room = room, .count = q->count};
}

void timers_add(struct timers *t, enum timer_kind kind, uint32_t slot, uint32_t generation, uint64_t due)
{
	struct timer_queue *q = &t->queue[kind];

	if (q->count == q->room)
		queue_grow(q);
	q->timer[(q->first + q->count++) & (q->room - 1)] = (struct timer){due, slot, generation};
}

static void swap(struct timer *a, struct timer *b)
{
	struct timer c = *a;

	*a = *b;
	*b = c;
}

void timers_again(struct timers *t, uint32_t slot, uint32_t generation, uint64_t due)
{
	uint32_t at = t->heap_count++;

	if (at == t->heap_room) {
		t->heap_room = at ? at * 2 : 256;
		t->heap = must(realloc(t->heap, t->heap_room * sizeof(*t->heap)));
	}
	t->heap[at] = (struct timer){due, slot, generation};
	for (; at && t->heap[(at - 1) / 2].due > t->heap[at].due; at = (at - 1) / 2)
		swap(&t->heap[at], &t->heap[(at - 1) / 2]);
}

static void heap_take(struct timers *t, struct timer *timer)
{
	uint32_t at = 0, child;

	*timer = t->heap[0];
	t->heap[0] = t->heap[--t->heap_count];
	while ((child = 2 * at + 1) < t->heap_count) {
		if (child + 1 < t->heap_count && t->heap[child + 1].due < t->heap[child].due)
			child++;
		if (t->heap[at].due <= t->heap[child].due)
			return;
		swap(&t->heap[at], &t->heap[child]);
		at = child;
	}
}

bool timers_take_first(struct timers *t, enum timer_kind kind, uint64_t now, struct timer *timer)
{
	struct timer_queue *q = &t->queue[kind];

	if (!q->count || q->timer[q->first & (q->room - 1)].due > now)
		return false;
	*timer = q->timer[q->first++ & (q->room - 1)];
	q->count--;
	return true;
}

bool timers_take(struct timers *t, uint64_t now, struct timer *timer)
{
	for (unsigned kind = 0; kind < TIMER_KINDS; kind++)
		if (timers_take_first(t, kind, now, timer))
			return true;
	if (!t->heap_count || t->heap[0].due > now)
		return false;
	heap_take(t, timer);
	return true;
}

uint64_t timers_next(const struct timers *t)
{
	uint64_t next = t->heap_count ? t->heap[0].due : UINT64_MAX;

	for (unsigned kind = 0; kind < TIMER_KINDS; kind++) {
		const struct timer_queue *q = &t->queue[kind];

		if (q->count && q->timer[q->first & (q->room - 1)].due < next)
			next = q->timer[q->first & (q->room - 1)].due;
	}
	return next;
}

uint32_t timers_count(const struct timers *t)
{
	uint32_t count = t->heap_count;

	for (unsigned kind = 0; kind < TIMER_KINDS; kind++)
		count += t->queue[kind].count;
	return count;
}

static void queue_drop(struct timer_queue *q, bool (*is_over)(const void *context, const struct timer *timer),
		       const void *context)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < q->count; i++) {
		struct timer timer = q->timer[(q->first + i) & (q->room - 1)];

		if (!is_over(context, &timer))
			q->timer[(q->first + kept++) & (q->room - 1)] = timer;
	}
	q->count = kept;
}

void timers_drop(struct timers *t, bool (*is_over)(const void *context, const struct timer *timer), const void *context)
{
	uint32_t count = t->heap_count;

	for (unsigned kind = 0; kind < TIMER_KINDS; kind++)
		queue_drop(&t->queue[kind], is_over, context);
	t->heap_count = 0;
	for (uint32_t i = 0; i < count; i++) { /* what is put back takes no more places than were read */
		struct timer timer = t->heap[i];

		if (!is_over(context, &timer))
			timers_again(t, timer.slot, timer.generation, timer.due);
	}
}

void timers_free(struct timers *t)
{
	for (unsigned kind = 0; kind < TIMER_KINDS; kind++)
		free(t->queue[kind].timer);
	free(t->heap);
}
