// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Values are put into the histogram a few at a time, since it has left the caches until then.
 */
#include "user/base/quantiles.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"

/* Are there values in the histogram? */
static bool has_many(const struct quantiles *q)
{
	return q->count > q->waiting;
}

static void count_value(struct quantiles *q, uint64_t value)
{
	uint32_t *bucket = &q->bucket[log_bucket(value, QUANTILES_STEPS)];

	*bucket += *bucket < UINT32_MAX;
}

static void need_buckets(struct quantiles *q)
{
	if (!q->bucket)
		q->bucket = calloc(QUANTILES_BUCKETS, sizeof(*q->bucket));
	if (!q->bucket) {
		log_error("out of memory");
		exit(EXIT_RUNTIME);
	}
}

/* Puts those that wait into the histogram. */
static void empty_few(struct quantiles *q)
{
	need_buckets(q);
	for (unsigned i = 0; i < q->waiting; i++)
		count_value(q, q->few[i]);
	q->waiting = 0;
}

/* Of those that wait: the next value moves them there. */
static void fetch_buckets(const struct quantiles *q)
{
	for (unsigned i = 0; i < QUANTILES_FEW; i++)
		__builtin_prefetch(q->bucket + log_bucket(q->few[i], QUANTILES_STEPS), 1);
}

static void widen(struct quantiles *q, uint64_t min, uint64_t max)
{
	if (!q->count || min < q->min)
		q->min = min;
	if (!q->count || max > q->max)
		q->max = max;
}

void quantiles_add(struct quantiles *q, uint64_t value)
{
	widen(q, value, value);
	if (q->waiting == QUANTILES_FEW)
		empty_few(q);
	q->few[q->waiting++] = value;
	q->count++;
	if (q->waiting == QUANTILES_FEW && q->bucket)
		fetch_buckets(q);
}

/* Adds what is in the other histogram. */
static void merge_buckets(struct quantiles *q, const struct quantiles *more)
{
	unsigned last;

	need_buckets(q);
	widen(q, more->min, more->max);
	last = log_bucket(more->max, QUANTILES_STEPS);
	for (unsigned i = log_bucket(more->min, QUANTILES_STEPS); i <= last; i++) {
		uint64_t sum = (uint64_t)q->bucket[i] + more->bucket[i];

		q->bucket[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
	}
	q->count += more->count - more->waiting;
}

void quantiles_merge(struct quantiles *q, const struct quantiles *more)
{
	if (has_many(more))
		merge_buckets(q, more);
	for (unsigned i = 0; i < more->waiting; i++)
		quantiles_add(q, more->few[i]);
}

/* The value of that rank, from 1 on, of the few. */
static uint64_t few_ranked(const struct quantiles *q, uint64_t rank)
{
	for (unsigned i = 0; i < q->count; i++) {
		uint64_t below = 0, equal = 0;

		for (unsigned j = 0; j < q->count; j++) {
			below += q->few[j] < q->few[i];
			equal += q->few[j] == q->few[i];
		}
		if (below < rank && rank <= below + equal)
			return q->few[i];
	}
	return q->max;
}

static uint64_t many_ranked(const struct quantiles *q, uint64_t rank)
{
	unsigned waiting[QUANTILES_FEW];
	uint64_t below = 0;

	for (unsigned k = 0; k < q->waiting; k++)
		waiting[k] = log_bucket(q->few[k], QUANTILES_STEPS);
	for (unsigned i = 0; i < QUANTILES_BUCKETS; i++) {
		below += q->bucket[i];
		for (unsigned k = 0; k < q->waiting; k++)
			below += waiting[k] == i;
		if (below >= rank)
			return log_bucket_middle(i, QUANTILES_STEPS);
	}
	return q->max;
}

uint64_t quantiles_percentile(const struct quantiles *q, unsigned percent)
{
	uint64_t rank = q->count / 100 * percent + (q->count % 100 * percent + 99) / 100, value;

	if (!q->count)
		return 0;
	value = has_many(q) ? many_ranked(q, rank) : few_ranked(q, rank);
	if (value < q->min)
		return q->min;
	return value < q->max ? value : q->max;
}

void quantiles_reset(struct quantiles *q)
{
	unsigned first = log_bucket(q->min, QUANTILES_STEPS), last = log_bucket(q->max, QUANTILES_STEPS);

	if (has_many(q))
		memset(q->bucket + first, 0, (last - first + 1) * sizeof(*q->bucket));
	q->count = q->waiting = 0;
}

void quantiles_free(struct quantiles *q)
{
	free(q->bucket);
	*q = (struct quantiles){0};
}
