// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Few values stand in the order in which they came; the histogram replaces them once there is one more.
 */
#include "user/base/quantiles.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"

/* Are the values in the histogram? */
static bool has_many(const struct quantiles *q)
{
	return q->count > QUANTILES_FEW;
}

static void count_value(struct quantiles *q, uint64_t value)
{
	uint32_t *bucket = &q->bucket[log_bucket(value, QUANTILES_STEPS)];

	*bucket += *bucket < UINT32_MAX;
}

/* Puts the few values into a histogram. */
static void become_many(struct quantiles *q)
{
	if (!q->bucket)
		q->bucket = calloc(QUANTILES_BUCKETS, sizeof(*q->bucket));
	if (!q->bucket) {
		log_error("out of memory");
		exit(EXIT_RUNTIME);
	}
	for (unsigned i = 0; i < q->count; i++)
		count_value(q, q->few[i]);
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
	if (q->count < QUANTILES_FEW) {
		q->few[q->count++] = value;
		return;
	}
	if (q->count == QUANTILES_FEW)
		become_many(q);
	count_value(q, value);
	q->count++;
}

void quantiles_merge(struct quantiles *q, const struct quantiles *more)
{
	unsigned last;

	if (!has_many(more)) {
		for (unsigned i = 0; i < more->count; i++)
			quantiles_add(q, more->few[i]);
		return;
	}
	if (!has_many(q))
		become_many(q);
	widen(q, more->min, more->max);
	last = log_bucket(more->max, QUANTILES_STEPS);
	for (unsigned i = log_bucket(more->min, QUANTILES_STEPS); i <= last; i++) {
		uint64_t sum = (uint64_t)q->bucket[i] + more->bucket[i];

		q->bucket[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
	}
	q->count += more->count;
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
	uint64_t below = 0;

	for (unsigned i = 0; i < QUANTILES_BUCKETS; i++) {
		below += q->bucket[i];
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
	if (has_many(q))
		memset(q->bucket, 0, QUANTILES_BUCKETS * sizeof(*q->bucket));
	q->count = 0;
}

void quantiles_free(struct quantiles *q)
{
	free(q->bucket);
	*q = (struct quantiles){0};
}
