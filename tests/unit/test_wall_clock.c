// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The time of day of what happened before the clock was set, or before the machine slept, does not change.
 */
#include "tests/unit/assert.h"

#include "user/base/clock.h"
#include "user/live/wall_clock.h"

#define HOUR (3600 * SECOND_NS)

TEST(test_sleep)
{
	struct wall_clock w = {0};

	wall_clock_note(&w, 100, 5000);
	wall_clock_note(&w, 200, 5000);
	wall_clock_note(&w, 300, 5000 + HOUR);
	wall_clock_note(&w, 400, 5000 + HOUR);
	expect_int(wall_clock_offset(&w, 50), 5000); /* before the first look */
	expect_int(wall_clock_offset(&w, 299), 5000);
	expect_int(wall_clock_offset(&w, 300), 5000 + HOUR);
	expect_int(wall_clock_offset(&w, 9000), 5000 + HOUR);
}

TEST(test_set_back)
{
	struct wall_clock w = {0};

	wall_clock_note(&w, 100, 0);
	wall_clock_note(&w, 200, -HOUR);
	expect_int(wall_clock_offset(&w, 150), 0);
	expect_int(wall_clock_offset(&w, 250), -HOUR);
}

/* A clock that is slewed makes no steps, however far it goes. */
TEST(test_slewed)
{
	struct wall_clock w = {0};

	for (int i = 0; i <= 1000; i++)
		wall_clock_note(&w, (uint64_t)i, i * MS_NS);
	expect_int(w.count, 1);
	expect_int(wall_clock_offset(&w, 500), 1000 * MS_NS);
}

/* Of more steps than there is room for, the last ones are known. */
TEST(test_many_steps)
{
	struct wall_clock w = {0};

	for (int i = 0; i < 3 * WALL_CLOCK_STEPS; i++)
		wall_clock_note(&w, (uint64_t)i * 100, i * HOUR);
	for (int i = 2 * WALL_CLOCK_STEPS; i < 3 * WALL_CLOCK_STEPS; i++)
		expect_int(wall_clock_offset(&w, (uint64_t)i * 100 + 1), i * HOUR);
	expect_int(wall_clock_offset(&w, 1), 2 * WALL_CLOCK_STEPS * HOUR);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
