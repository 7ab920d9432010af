// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The packets of a slot are a chain, from the last one back. A number that the ring has no longer ends it.
 */
#include "user/live/seen_packets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int seen_packets_begin(struct seen_packets *s, const struct seen_packet *ring, const __u64 *seen, uint32_t slots)
{
	s->ring = ring;
	s->seen = seen;
	s->slots = slots;
	s->last = calloc(slots, sizeof(*s->last));
	return s->last ? 0 : -ENOMEM;
}

void seen_packets_free(struct seen_packets *s)
{
	free(s->last);
}

static const struct seen_packet *place_of(const struct seen_packets *s, uint64_t number)
{
	return &s->ring[(number - 1) & (SEEN_PACKETS - 1)];
}

/* Copies the packet of that number. False: it is being written, or another one has its place. */
static bool copy_packet(const struct seen_packets *s, uint64_t number, struct seen_packet *to)
{
	const struct seen_packet *from = place_of(s, number);

	if (__atomic_load_n(&from->number, __ATOMIC_ACQUIRE) != number)
		return false;
	memcpy(to, from, sizeof(*to));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&from->number, __ATOMIC_RELAXED) == number;
}

/* One that is still being written is waited for until the next poll, unless newer ones have come round to its place. */
void seen_packets_poll(struct seen_packets *s)
{
	uint64_t seen = s->ring ? *s->seen : 0;

	if (seen > s->noted + SEEN_PACKETS)
		s->noted = seen - SEEN_PACKETS;
	while (s->noted < seen) {
		uint64_t number = s->noted + 1;
		const struct seen_packet *p = place_of(s, number);
		uint64_t there = __atomic_load_n(&p->number, __ATOMIC_ACQUIRE);
		uint32_t slot = p->slot - 1;

		if (there < number && seen - number < SEEN_PACKETS / 2)
			return;
		s->noted = number;
		if (there != number || slot >= s->slots)
			continue;
		s->before[(number - 1) & (SEEN_PACKETS - 1)] = s->last[slot];
		s->last[slot] = number;
	}
}

/* Two CPUs may have put packets in out of order. */
static int by_time(const void *a, const void *b)
{
	const struct seen_packet *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

unsigned seen_packets_of(const struct seen_packets *s, uint32_t slot, uint64_t since, struct seen_packet of[SEEN_MOST])
{
	uint64_t number = s->last ? s->last[slot] : 0;
	unsigned count = 0;

	while (number && count < SEEN_MOST && copy_packet(s, number, &of[count])) {
		const struct seen_packet *p = &of[count];

		if (p->slot != slot + 1 || p->time < since)
			break;
		count++;
		number = s->before[(number - 1) & (SEEN_PACKETS - 1)];
	}
	qsort(of, count, sizeof(of[0]), by_time);
	while (count && of[count - 1].generation != of[0].generation) /* of who has the slot by now */
		count--;
	return count;
}
