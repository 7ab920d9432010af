/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Units of time, all in ns, and reading a clock.
 */
#ifndef TCPFIN_CLOCK_H
#define TCPFIN_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Signed, so that a product has the sign of its other factor; one with a uint64_t is unsigned. */
#define US_NS 1000LL
#define MS_NS 1000000LL
#define SECOND_NS 1000000000LL

/* The clock's reading in ns since its epoch. */
static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

#endif
