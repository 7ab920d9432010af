// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts values by log-linear buckets.
 */
#include "user/base/histogram.h"

void histogram_add(struct histogram *h, uint64_t value)
{
	h->bucket[log_bucket(value, HISTOGRAM_STEPS)]++;
	if (!h->values || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->values++;
}

uint64_t histogram_within(const struct histogram *h, uint64_t value)
{
	if (value < h->min)
		return h->min;
	return value < h->max ? value : h->max;
}

uint64_t histogram_percentile(const struct histogram *h, unsigned percent)
{
	uint64_t rank = (h->values * percent + 99) / 100, below = 0;
	unsigned i;

	if (!h->values)
		return 0;
	for (i = 0; below + h->bucket[i] < rank; i++)
		below += h->bucket[i];
	return histogram_within(h, log_bucket_middle(i, HISTOGRAM_STEPS));
}
