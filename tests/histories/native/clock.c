// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "tests/histories/native/clock.h"
#include "user/capture/clock_jumps.h"

#define SETS_MAX 4
#define YEARS_10 (10 * 365 * 86400 * SECOND)
#define APART_FRAMES (2 * CLOCK_AHEAD) /* a clock that is set again sooner is taken for wrong stamps */
#define BUSY SECOND /* where pauses are longer, nothing behind a frame tells that its stamp is wrong */

struct setting {
	size_t at; /* the first frame behind it */
	int64_t by;
};

static uint64_t below(struct random *r, uint64_t n)
{
	return random_next(r) % n;
}

/* ms to hours, either way. */
static int64_t step(struct random *r)
{
	static const uint64_t most[] = {SECOND, 60 * SECOND, 36000 * SECOND};
	uint64_t by = MS + below(r, most[below(r, 3)]);

	return below(r, 2) ? (int64_t)by : -(int64_t)by;
}

/* Ascending; those that are too near to each other are left out. Returns how many. */
static unsigned choose_settings(struct setting *settings, size_t n, struct random *r)
{
	unsigned wanted = 1 + (unsigned)below(r, SETS_MAX), count = 0;
	size_t at = 0;

	for (unsigned i = 0; i < wanted && at + APART_FRAMES + 1 < n; i++) {
		at += APART_FRAMES + below(r, (n - at - APART_FRAMES) / (wanted - i) + 1);
		if (at < n)
			settings[count++] = (struct setting){at, step(r)};
	}
	return count;
}

/* Is the frame among others, and no setting of the clock near it? */
static bool is_busy(const struct frame *frames, size_t n, size_t at, const struct setting *settings, unsigned count)
{
	if (!at || at + CLOCK_AHEAD >= n || frames[at].time - frames[at - 1].time > BUSY ||
	    frames[at + CLOCK_AHEAD].time - frames[at].time > BUSY)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (at + APART_FRAMES > settings[i].at && at < settings[i].at + APART_FRAMES)
			return false;
	return true;
}

/* A wrong stamp: more than CLOCK_JUMP_NS away, with room for the pauses. */
static uint64_t wrong_stamp(uint64_t stamp, struct random *r)
{
	uint64_t by = CLOCK_JUMP_NS + 2 * BUSY + below(r, below(r, 2) ? 36000 * SECOND : YEARS_10);

	return below(r, 2) ? stamp + by : stamp - by;
}

struct history_clock clock_stamp(struct frame *frames, size_t n, struct random *random, bool *spans, bool *jumps)
{
	static unsigned
		sets[CLOCK_HISTORIES]; /* by history: how often the clock had been set at its last frame, plus 1 */
	struct setting settings[SETS_MAX];
	unsigned count = choose_settings(settings, n, random), set = 0;
	struct history_clock clock = {.sets = count};
	int64_t ahead = 0;

	memset(sets, 0, sizeof(sets));
	for (size_t i = 0; i < n; i++) {
		if (set < count && i == settings[set].at)
			ahead += settings[set++].by;
		spans[frames[i].history] |= sets[frames[i].history] && sets[frames[i].history] != set + 1;
		sets[frames[i].history] = set + 1;
		frames[i].stamp = frames[i].time + (uint64_t)ahead;
		if (below(random, 100) || !is_busy(frames, n, i, settings, count))
			continue;
		frames[i].stamp = wrong_stamp(frames[i].stamp, random);
		frames[i].wrong = jumps[frames[i].history] = true;
		clock.wrong++;
	}
	return clock;
}

uint32_t clock_fields(const struct fields *t)
{
	uint32_t fields = FIELDS_OF_TIME;

	if (t->value[FIELD_OUTCOME] == OUTCOME_GRACEFUL && t->value[FIELD_RESET_BY] != NOTHING) /* may come too late */
		fields |= 1u << FIELD_TIME_WAIT | 7u << FIELD_RESET_BY;
	if (t->value[FIELD_RESET_FORGED] == YES)
		fields |= 1u << FIELD_CLOSER | 1u << FIELD_RESET_FORGED;
	return fields;
}
