/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Percentiles of one of many sets of values, each of them small: a few values are kept as they are, more of them in a
 * histogram of 2 KiB. Percentiles are exact for up to QUANTILES_FEW values, and within 1/16 for more. Sets can be added
 * up.
 */
#ifndef TCPFIN_QUANTILES_H
#define TCPFIN_QUANTILES_H

#include <stdint.h>

#include "user/base/log_buckets.h"

#define QUANTILES_FEW 4
#define QUANTILES_STEPS 8
#define QUANTILES_BUCKETS LOG_BUCKETS(QUANTILES_STEPS)

/* All zeroes is an empty one. */
struct quantiles {
	uint64_t count : 61, waiting : 3; /* all values, and those that are in no bucket yet */
	uint64_t min, max;
	uint64_t few[QUANTILES_FEW]; /* these, the latest ones */
	uint32_t *bucket;            /* the others; owned; NULL until there were any. A full one counts no further */
};

/* Where memory is short, exit(EXIT_RUNTIME) follows a message, as with a buffer. */
void quantiles_add(struct quantiles *q, uint64_t value);
/* Adds the values of `more`. */
void quantiles_merge(struct quantiles *q, const struct quantiles *more);
/* By the nearest-rank rule. percent: 1 to 100. 0 without values. */
uint64_t quantiles_percentile(const struct quantiles *q, unsigned percent);
/* Empties it, and keeps its memory. */
void quantiles_reset(struct quantiles *q);
void quantiles_free(struct quantiles *q);

#endif
