/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far two clocks are apart, and which of two vantages is nearer to a connection's source.
 *
 * A segment from the source passes the nearer vantage first. Its two time stamps differ by the offset of the clocks
 * plus the way between; of one from the destination they differ by the offset less the way. A way takes no negative
 * time, so each of the first kind says what the offset is at most, and each of the second kind what it is at least. In
 * between it is unknown: half of that is the error. The same segments of other connections between the two vantages say
 * the same of their own time; a clock that runs DRIFT_PPM too fast or slow says less of times far away.
 */
#ifndef TCPFIN_CLOCKS_H
#define TCPFIN_CLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRIFT_PPM 500 /* the most that Linux slews a clock by (adjtimex(2)); quartz drifts by less than 100 */

/* A segment that passed both: by the clock of the vantage with the lower number at `time`. */
struct clock_sample {
	uint64_t time;
	int64_t value; /* ns: of the offset and the way together */
	int64_t best;  /* the least value that holds at `time` by all samples, drift allowed for; set by clocks_sort */
};

struct clock_samples {
	struct clock_sample *list;
	size_t count, room;
};

/* Two vantages, low < high. */
struct clock_pair {
	unsigned low, high;
	int64_t rough;                  /* ns that the clock of high is ahead, way included: to find times by */
	struct clock_samples from_low;  /* of segments that passed low first: offset plus way */
	struct clock_samples from_high; /* of the others: way less offset */
};

struct clocks {
	struct clock_pair **pairs;
	size_t count, room;
	void *tree; /* of the pairs */
};

struct clock_offset {
	bool known;
	bool set;      /* one of the clocks was set, so that samples contradict each other: then it is not known */
	int64_t ahead; /* ns */
	int64_t error; /* ns that it may be more or less */
};

void clocks_free(struct clocks *c);
/* A segment passed the vantage `first`, and then `second`, each at a time (ns since 1970) by its own clock. */
void clocks_add(struct clocks *c, unsigned first, unsigned second, uint64_t at_first, uint64_t at_second);
/* ns that a clock may drift by between two times. */
int64_t clocks_drift(uint64_t from, uint64_t to);
/* After the last sample, before the first question. */
void clocks_sort(struct clocks *c);
/* How far the clock of `b` is ahead of that of `a`. time: ns since 1970 by the clock of `a`. */
struct clock_offset clocks_offset(const struct clocks *c, unsigned a, unsigned b, uint64_t time);
/*
 * By how much the time stamps of the fastest segment around that time differ, of those that passed `first` and then
 * `second`: second's less first's. time: by the clock of `first`. False: none is known.
 */
bool clocks_fastest(const struct clocks *c, unsigned first, unsigned second, uint64_t time, int64_t *ahead);

#endif
