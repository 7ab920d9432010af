// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lengths of slots are those that people divide time by. Each is a multiple of the one before, so that slots can be
 * added up.
 */
#include "user/report/timeline.h"

#include "user/base/clock.h"

#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS (60 * MINUTE_NS)
#define DAY_NS (24 * HOUR_NS)

static const uint64_t lengths[] = {
	MS_NS,          5 * MS_NS,      10 * MS_NS,     50 * MS_NS,     100 * MS_NS,  500 * MS_NS,
	SECOND_NS,      5 * SECOND_NS,  10 * SECOND_NS, 30 * SECOND_NS, MINUTE_NS,    5 * MINUTE_NS,
	10 * MINUTE_NS, 30 * MINUTE_NS, HOUR_NS,        6 * HOUR_NS,    12 * HOUR_NS, DAY_NS,
};
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

/* From a day on, each length is twice the one before. */
static uint64_t length_of(unsigned step)
{
	uint64_t length = DAY_NS;

	if (step < LENGTHS)
		return lengths[step];
	for (; step >= LENGTHS; step--)
		length *= 2;
	return length;
}

uint64_t timeline_length(const struct timeline *t)
{
	return length_of(t->step);
}

uint64_t timeline_start(const struct timeline *t, unsigned slot)
{
	return (t->first + slot) * timeline_length(t);
}

static void add_slot(struct timeline_slot *to, const struct timeline_slot *from)
{
	for (unsigned i = 0; i < OUTCOMES; i++)
		to->outcome[i] += from->outcome[i];
	for (unsigned i = 0; i <= NETWORK; i++)
		to->closer[i] += from->closer[i];
}

/* Makes slots longer by one step. */
static void lengthen(struct timeline *t)
{
	uint64_t factor = length_of(t->step + 1) / length_of(t->step), first = t->first / factor;
	struct timeline longer = {.step = t->step + 1, .first = first};

	for (unsigned i = 0; i < t->count; i++) {
		unsigned slot = (unsigned)((t->first + i) / factor - first);

		add_slot(&longer.slot[slot], &t->slot[i]);
		longer.count = slot + 1;
	}
	*t = longer;
}

/* The first slot is moved to an earlier time, which the slots have room for. */
static void begin_earlier(struct timeline *t, uint64_t first)
{
	unsigned by = (unsigned)(t->first - first);

	memmove(&t->slot[by], t->slot, t->count * sizeof(t->slot[0]));
	memset(t->slot, 0, by * sizeof(t->slot[0]));
	t->first = first;
	t->count += by;
}

/* The slot of a time; slots are as long as they must be for it. */
static struct timeline_slot *slot_at(struct timeline *t, uint64_t ns)
{
	uint64_t place = ns / timeline_length(t), first = t->first, last = t->first + t->count - 1;

	if (!t->count)
		first = last = place;
	for (;;) {
		first = place < first ? place : first;
		last = place > last ? place : last;
		if (last - first < TIMELINE_SLOTS)
			break;
		lengthen(t);
		place = ns / timeline_length(t);
		first = t->first;
		last = t->first + t->count - 1;
	}
	if (!t->count)
		t->first = place;
	if (place < t->first)
		begin_earlier(t, place);
	if (place - t->first >= t->count)
		t->count = (unsigned)(place - t->first) + 1;
	return &t->slot[place - t->first];
}

void timeline_add(struct timeline *t, const struct record *r)
{
	struct timeline_slot *slot = slot_at(t, r->finish);

	slot->outcome[r->outcome]++;
	slot->closer[r->closer]++;
}
