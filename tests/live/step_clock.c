// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * To be preloaded: the wall clock is set back by an hour, STEP_AFTER seconds after it was first read. No other clock
 * is.
 */
#define _GNU_SOURCE 1 /* RTLD_NEXT */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	static time_t step_at;
	const char *after = getenv("STEP_AFTER");
	int err;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	err = real(clock, ts);
	if (err || clock != CLOCK_REALTIME)
		return err;
	if (!step_at)
		step_at = ts->tv_sec + (after ? strtol(after, NULL, 10) : 0);
	if (ts->tv_sec >= step_at)
		ts->tv_sec -= 3600;
	return 0;
}
