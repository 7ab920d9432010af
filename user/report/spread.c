// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bins of durations.
 */
#include "user/report/spread.h"

#include "user/base/clock.h"

uint64_t spread_start(unsigned bin)
{
	static const unsigned first[] = {1, 2, 5};
	uint64_t ns = US_NS * first[bin % 3];

	for (unsigned decade = bin / 3; decade; decade--)
		ns *= 10;
	return ns;
}

unsigned spread_bin(uint64_t ns)
{
	unsigned bin = 0;

	while (bin + 1 < SPREAD_BINS && spread_start(bin + 1) <= ns)
		bin++;
	return bin;
}

void spread_add(struct spread *s, uint64_t ns)
{
	s->bin[spread_bin(ns)]++;
	histogram_add(&s->all, ns);
}
