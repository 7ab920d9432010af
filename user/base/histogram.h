/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A histogram over every 64-bit value, of fixed size: percentiles within 1/32. All zeroes is an empty one.
 */
#ifndef TCPFIN_HISTOGRAM_H
#define TCPFIN_HISTOGRAM_H

#include <stdint.h>

#include "user/base/log_buckets.h"

#define HISTOGRAM_STEPS 16
#define HISTOGRAM_BUCKETS LOG_BUCKETS(HISTOGRAM_STEPS)

struct histogram {
	uint64_t values, min, max;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
/* The value, or what was added that is nearest to it. */
uint64_t histogram_within(const struct histogram *h, uint64_t value);
/*
 * By the nearest-rank rule, within 1/32 of it, and never outside of the values added. percent: 1 to 100. 0 without
 * values.
 */
uint64_t histogram_percentile(const struct histogram *h, unsigned percent);

#endif
