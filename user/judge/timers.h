/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When connections are to be judged. Waits of one kind all take equally long, so each kind is a queue; a
 * timer that is set anew for another time goes into a heap.
 */
#ifndef TCPFIN_TIMERS_H
#define TCPFIN_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
	uint64_t due; /* ns */
	uint32_t slot, generation;
};

enum timer_kind { TIMER_SETTLE, TIMER_OPENING, TIMER_CLOSE, TIMER_KINDS };

struct timer_queue {
	struct timer *timer; /* a ring that grows */
	uint32_t room, first, count;
};

/* All zero: none. */
struct timers {
	struct timer_queue queue[TIMER_KINDS];
	struct timer *heap;
	uint32_t heap_room, heap_count;
};

/* Out of memory, the program ends. */
void timers_add(struct timers *t, enum timer_kind kind, uint32_t slot, uint32_t generation, uint64_t due);
void timers_again(struct timers *t, uint32_t slot, uint32_t generation, uint64_t due);
/* Takes the first of its kind, if it is due by then. */
bool timers_take_first(struct timers *t, enum timer_kind kind, uint64_t now, struct timer *timer);
/* Takes one that is due: of each queue in turn, then of the heap. */
bool timers_take(struct timers *t, uint64_t now, struct timer *timer);
/* The slot of the timer that follows so many others of its kind; `none` where there is none. */
static inline uint32_t timers_ahead(const struct timers *t, enum timer_kind kind, uint32_t ahead, uint32_t none)
{
	const struct timer_queue *q = &t->queue[kind];

	return ahead < q->count ? q->timer[(q->first + ahead) & (q->room - 1)].slot : none;
}

/* When the next one is due; UINT64_MAX: never. */
uint64_t timers_next(const struct timers *t);
/* How many there are. */
uint32_t timers_count(const struct timers *t);
/* Removes those that are over: a connection that is gone leaves its timers behind. */
void timers_drop(struct timers *t, bool (*is_over)(const void *context, const struct timer *timer),
		 const void *context);
void timers_free(struct timers *t);

#endif
