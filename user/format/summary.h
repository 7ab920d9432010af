/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary at the end: how many connections closed how, and how long the steps took. An accumulator of fixed size
 * that knows of no file and no clock; all zeroes is an empty one.
 */
#ifndef TCPFIN_SUMMARY_H
#define TCPFIN_SUMMARY_H

#include "user/base/buffer.h"
#include "user/record/counters.h"
#include "user/record/record.h"

/*
 * A log-linear histogram over every 64-bit value: values below 32 have a bucket each, every power of two above has 16.
 * A bucket's middle is at most 1/32 away from any value in it.
 */
#define HISTOGRAM_STEPS 16
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * (64 - 3))

struct histogram {
	uint64_t values, min, max;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

#define SUMMARY_TIMINGS 5
#define SUMMARY_SILENCE 10000000000ULL /* ns: no answer of an application takes as long */

struct summary {
	uint64_t records;
	uint64_t outcome[OUTCOMES];
	uint64_t pattern[PATTERN_SIMULTANEOUS + 1]; /* of graceful closes */
	uint64_t closer[NETWORK + 1];               /* of graceful closes, by role */
	uint64_t reset_by[NETWORK + 1];             /* of resets, by role */
	struct histogram timing[SUMMARY_TIMINGS];
	struct histogram reset_silence; /* ns before resets, from SUMMARY_SILENCE on */
};

void histogram_add(struct histogram *h, uint64_t value);
/*
 * By the nearest-rank rule, within 1/32 of it, and never outside of the values added. percent: 1 to 100. 0 without
 * values.
 */
uint64_t histogram_percentile(const struct histogram *h, unsigned percent);

void summary_add(struct summary *s, const struct record *r);
void summary_print(struct buffer *out, const struct summary *s);
/* The counters that are not 0, a line each. all: also those that only explain how this program works. */
void summary_print_counters(struct buffer *out, const uint64_t counters[COUNTERS], const char *const names[COUNTERS],
			    bool all);

#endif
