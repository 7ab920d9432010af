// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An offset that hardly differs from the last one is a clock that is slewed, and replaces it.
 */
#include "user/live/wall_clock.h"

#include <string.h>
#include <time.h>

#include "user/base/clock.h"

#define SLEWED_NS (10 * MS_NS)

void wall_clock_note(struct wall_clock *w, uint64_t now, int64_t offset)
{
	int64_t by = w->count ? offset - w->step[0].offset : INT64_MAX;

	if (by > (int64_t)SLEWED_NS || by < -(int64_t)SLEWED_NS) {
		memmove(&w->step[1], &w->step[0], sizeof(w->step) - sizeof(w->step[0]));
		w->step[0].since = now;
		w->count += w->count < WALL_CLOCK_STEPS;
	}
	w->step[0].offset = offset;
}

void wall_clock_look(struct wall_clock *w, uint64_t now)
{
	wall_clock_note(w, now, (int64_t)(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)));
}

int64_t wall_clock_offset(const struct wall_clock *w, uint64_t time)
{
	unsigned i = 0;

	while (i + 1 < w->count && w->step[i].since > time)
		i++;
	return w->step[i].offset;
}
