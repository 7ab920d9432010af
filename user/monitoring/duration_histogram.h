/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Durations by buckets of 1, 2 and 5 in each power of ten, from 10 microseconds to 5,000 seconds: the bounds are the
 * same in every run, so that histograms of several hosts add up. All zeroes is an empty one.
 */
#ifndef TCPFIN_DURATION_HISTOGRAM_H
#define TCPFIN_DURATION_HISTOGRAM_H

#include "user/monitoring/exposition.h"

#define DURATION_BOUNDS 27

struct duration_histogram {
	uint64_t bucket[DURATION_BOUNDS + 1]; /* not cumulative; the last one: beyond all bounds */
	metric_ns sum;
};

void duration_histogram_add(struct duration_histogram *h, uint64_t ns);
/* Appends the samples, cumulative as the formats want them. label: NULL, or one that all samples have. */
void duration_histogram_print(struct exposition *e, const struct duration_histogram *h,
			      const struct metric_label *label);

#endif
