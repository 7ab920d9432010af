// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Timers: none is lost as rings and heap grow, and what is due comes in the order of time.
 */
#include "tests/unit/assert.h"

#include "user/judge/timers.h"

TEST(test_none)
{
	struct timers t = {0};
	struct timer timer;

	assert_true(timers_next(&t) == UINT64_MAX);
	assert_false(timers_take(&t, UINT64_MAX, &timer));
	timers_free(&t);
}

/* A ring grows while it is in the middle of its memory. */
TEST(test_queue_grows)
{
	struct timers t = {0};
	struct timer timer;
	uint32_t taken = 0, added = 0;

	for (; added < 5000; added++) {
		timers_add(&t, TIMER_CLOSE, added, 7, 1000 + added);
		if (added % 3 == 0) {
			assert_true(timers_take(&t, UINT64_MAX, &timer));
			expect_int(timer.slot, taken);
			taken++;
		}
	}
	expect_int(timers_next(&t), 1000 + taken);
	assert_false(timers_take(&t, 999 + taken, &timer));
	for (; taken < added; taken++) {
		assert_true(timers_take(&t, 1000 + taken, &timer));
		expect_int(timer.slot, taken);
		expect_int(timer.generation, 7);
	}
	assert_false(timers_take(&t, UINT64_MAX, &timer));
	timers_free(&t);
}

/* Those that are set anew come by their times, whatever their order. */
TEST(test_set_anew)
{
	struct timers t = {0};
	struct timer timer;

	for (uint32_t i = 0; i < 1000; i++)
		timers_again(&t, i, 0, i * 7919 % 1000);
	for (uint64_t due = 0; due < 1000; due++) {
		expect_int(timers_next(&t), due);
		assert_true(timers_take(&t, due, &timer));
		expect_int(timer.due, due);
		expect_int(timer.slot * 7919 % 1000, due);
	}
	timers_free(&t);
}

static bool is_odd(const void *context, const struct timer *timer)
{
	(void)context;
	return timer->slot & 1;
}

/* What stays after others were dropped comes in its order, from a queue and from the heap. */
TEST(test_drop)
{
	struct timers t = {0};
	struct timer timer;

	for (uint32_t i = 0; i < 1000; i++) {
		timers_add(&t, TIMER_SETTLE, i, 0, i);
		timers_again(&t, i * 7919 % 1000, 0, i * 7919 % 1000);
	}
	expect_int(timers_count(&t), 2000);
	timers_drop(&t, is_odd, NULL);
	expect_int(timers_count(&t), 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_true(timers_take(&t, i / 2 * 2, &timer));
		expect_int(timer.slot, i / 2 * 2);
	}
	expect_int(timers_count(&t), 0);
	timers_free(&t);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
