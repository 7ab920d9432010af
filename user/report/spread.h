/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a step took, by bins that lie evenly on a logarithmic scale: 1, 2 and 5 of each power of ten. All zeroes is
 * an empty one.
 */
#ifndef TCPFIN_SPREAD_H
#define TCPFIN_SPREAD_H

#include "user/base/histogram.h"

#define SPREAD_DECADES 11 /* from 1 us to 100,000 s */
#define SPREAD_BINS (3 * SPREAD_DECADES)

struct spread {
	uint64_t bin[SPREAD_BINS]; /* what is shorter or longer is in the first or the last one */
	struct histogram all;      /* for percentiles */
};

void spread_add(struct spread *s, uint64_t ns);
/* The bin of a duration. */
unsigned spread_bin(uint64_t ns);
/* ns that a bin begins with. */
uint64_t spread_start(unsigned bin);

#endif
