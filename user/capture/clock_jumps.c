// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A time stamp that is far from the last one believed has jumped if one of the next packets comes back. Else time has
 * passed, or the clock was set for good.
 */
#include <stdlib.h>
#include <string.h>

#include "user/capture/clock_jumps.h"

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Of a time far from the last one believed: does one of the packets behind it come back to that? */
static bool has_jumped(const struct clock_jumps *j, const struct flow_input *in, unsigned at, unsigned total)
{
	for (unsigned i = at + 1; i < total && i <= at + CLOCK_AHEAD; i++)
		if (distance(in[i].segment.time, j->last) <= CLOCK_JUMP_NS)
			return true;
	/* Nothing behind it can tell: time does not go back, and no capture pauses for so long. */
	return at + 1 == total && in[at].segment.time - j->last > CLOCK_PAUSE_NS;
}

/* Before the first packet: the time that two of the first three agree on, or the first one's. */
static uint64_t first_time(const struct flow_input *in, unsigned total)
{
	if (total > 2 && distance(in[0].segment.time, in[1].segment.time) > CLOCK_JUMP_NS &&
	    distance(in[1].segment.time, in[2].segment.time) <= CLOCK_JUMP_NS)
		return in[1].segment.time;
	return in[0].segment.time;
}

/* Where memory is short the time is not kept, as beyond CLOCK_JUMPS_KEPT. */
static void keep(struct clock_jumps *j, uint64_t time)
{
	size_t at = j->count;

	if (!j->at)
		j->at = malloc(CLOCK_JUMPS_KEPT * sizeof(*j->at));
	if (!j->at || j->count == CLOCK_JUMPS_KEPT)
		return;
	while (at && j->at[at - 1] > time)
		at--;
	memmove(j->at + at + 1, j->at + at, (j->count - at) * sizeof(*j->at));
	j->at[at] = time;
	j->count++;
}

void clock_jumps_take(struct clock_jumps *j, struct flow_input *in, unsigned n, unsigned total)
{
	if (n && !j->last)
		j->last = first_time(in, total);
	for (unsigned i = 0; i < n; i++) {
		__u64 *time = &in[i].segment.time;

		if (in[i].closes_only) /* its time is the kernel's; those of one connection follow those of another */
			continue;
		if (distance(*time, j->last) <= CLOCK_JUMP_NS || !has_jumped(j, in, i, total)) {
			j->last = *time;
			continue;
		}
		*time = j->last + 1; /* that of no other packet: few clocks count single ns */
		keep(j, *time);
		++*j->counter;
	}
}

void clock_jumps_free(struct clock_jumps *j)
{
	free(j->at);
}
