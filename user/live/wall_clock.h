/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times of day of what the kernel has stamped with CLOCK_MONOTONIC. Where the wall clock was set, or the machine slept
 * (which CLOCK_MONOTONIC leaves out), what happened before has the time of day of before, also if it is reported later.
 */
#ifndef TCPFIN_WALL_CLOCK_H
#define TCPFIN_WALL_CLOCK_H

#include <stdint.h>

#define WALL_CLOCK_STEPS 8 /* the last ones are known */

struct wall_clock {
	struct {
		uint64_t since;   /* ns of CLOCK_MONOTONIC */
		int64_t offset;   /* ns to add from then on */
	} step[WALL_CLOCK_STEPS]; /* the latest first */
	unsigned count;
};

/* Looks at the clocks. now: of CLOCK_MONOTONIC. */
void wall_clock_look(struct wall_clock *w, uint64_t now);
/* The same for an offset that was measured. */
void wall_clock_note(struct wall_clock *w, uint64_t now, int64_t offset);
/* ns to add to that time, which lies between looks or behind the last one. */
int64_t wall_clock_offset(const struct wall_clock *w, uint64_t time);

#endif
