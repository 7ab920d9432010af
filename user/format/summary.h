/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary at the end: how many connections closed how, and how long the steps took. An accumulator of fixed size
 * that knows of no file and no clock; all zeroes is an empty one.
 */
#ifndef TCPFIN_SUMMARY_H
#define TCPFIN_SUMMARY_H

#include "user/base/buffer.h"
#include "user/base/histogram.h"
#include "user/record/counters.h"
#include "user/record/record.h"

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
	uint64_t black_holes;           /* connections whose large segments the path swallowed */
};

void summary_add(struct summary *s, const struct record *r);
void summary_print(struct buffer *out, const struct summary *s);
/* The counters that are not 0, a line each. all: also those that only explain how this program works. */
void summary_print_counters(struct buffer *out, const uint64_t counters[COUNTERS], const char *const names[COUNTERS],
			    bool all);

#endif
