// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Samples of each pair of vantages in order of time, with what each can say at best once its neighbours are heard.
 */
#include "user/join/clocks.h"

#include <stdlib.h>

#include "user/join/memory.h"

void clocks_free(struct clocks *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->pairs[i]->from_low.list);
		free(c->pairs[i]->from_high.list);
	}
	tree_free(c->tree);
	free(c->pairs);
	*c = (struct clocks){0};
}

static int by_vantages(const void *a, const void *b)
{
	const struct clock_pair *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return (x->high > y->high) - (x->high < y->high);
}

static struct clock_pair *find_pair(const struct clocks *c, unsigned a, unsigned b)
{
	struct clock_pair key = {.low = a < b ? a : b, .high = a < b ? b : a};

	return tree_find(&c->tree, &key, by_vantages);
}

static struct clock_pair *make_pair(struct clocks *c, unsigned a, unsigned b, int64_t rough)
{
	struct clock_pair *pair = find_pair(c, a, b);

	if (pair)
		return pair;
	pair = memory_array(1, sizeof(*pair));
	*pair = (struct clock_pair){.low = a < b ? a : b, .high = a < b ? b : a, .rough = a < b ? rough : -rough};
	tree_add(&c->tree, pair, by_vantages);
	c->pairs = memory_grown(c->pairs, c->count, &c->room, sizeof(struct clock_pair *));
	c->pairs[c->count++] = pair;
	return pair;
}

void clocks_add(struct clocks *c, unsigned first, unsigned second, uint64_t at_first, uint64_t at_second)
{
	int64_t value = (int64_t)(at_second - at_first);
	struct clock_pair *pair = make_pair(c, first, second, value);
	struct clock_samples *s = first < second ? &pair->from_low : &pair->from_high;

	s->list = memory_grown(s->list, s->count, &s->room, sizeof(*s->list));
	s->list[s->count++] = (struct clock_sample){.time = first < second ? at_first : at_second, .value = value};
}

static int by_time(const void *a, const void *b)
{
	const struct clock_sample *x = a, *y = b;

	return (x->time > y->time) - (x->time < y->time);
}

int64_t clocks_drift(uint64_t from, uint64_t to)
{
	return (int64_t)((to > from ? to - from : from - to) / (1000000 / DRIFT_PPM));
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void sort_samples(struct clock_samples *s)
{
	struct clock_sample *l = s->list;

	if (s->count)
		qsort(l, s->count, sizeof(*l), by_time);
	for (size_t i = 0; i < s->count; i++)
		l[i].best = i ? least(l[i].value, l[i - 1].best + clocks_drift(l[i - 1].time, l[i].time)) : l[i].value;
	for (size_t i = s->count; i-- > 1;)
		l[i - 1].best = least(l[i - 1].best, l[i].best + clocks_drift(l[i - 1].time, l[i].time));
}

void clocks_sort(struct clocks *c)
{
	for (size_t i = 0; i < c->count; i++) {
		sort_samples(&c->pairs[i]->from_low);
		sort_samples(&c->pairs[i]->from_high);
	}
}

/* The least value that samples say of that time. False without samples. */
static bool least_at(const struct clock_samples *s, uint64_t time, int64_t *value)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->list[middle].time < time)
			low = middle + 1;
		else
			high = middle;
	}
	*value = INT64_MAX;
	if (low < s->count)
		*value = s->list[low].best + clocks_drift(s->list[low].time, time);
	if (low)
		*value = least(*value, s->list[low - 1].best + clocks_drift(s->list[low - 1].time, time));
	return s->count;
}

bool clocks_fastest(const struct clocks *c, unsigned first, unsigned second, uint64_t time, int64_t *ahead)
{
	const struct clock_pair *pair = find_pair(c, first, second);

	if (!pair)
		return false;
	if (first < second)
		return least_at(&pair->from_low, time, ahead);
	return least_at(&pair->from_high, time - (uint64_t)pair->rough, ahead);
}

struct clock_offset clocks_offset(const struct clocks *c, unsigned a, unsigned b, uint64_t time)
{
	int64_t there, back, rough;
	const struct clock_pair *pair = find_pair(c, a, b);

	if (a == b)
		return (struct clock_offset){.known = true};
	rough = !pair ? 0 : a < b ? pair->rough : -pair->rough;
	if (!clocks_fastest(c, a, b, time, &there) || !clocks_fastest(c, b, a, time + (uint64_t)rough, &back))
		return (struct clock_offset){.known = false};
	if (there + back < 0)
		return (struct clock_offset){.set = true};
	return (struct clock_offset){
		.known = true, .ahead = there - (there + back) / 2, .error = (there + back + 1) / 2};
}
