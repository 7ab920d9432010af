/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCPFIN_CLOCK_H
#define TCPFIN_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SECOND_NS 1000000000ULL

/* What the clock says, in ns. */
static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

#endif
