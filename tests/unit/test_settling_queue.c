// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The queue of ended connections: none is taken before it is due, and none is lost as the ring wraps and grows.
 */
#include "tests/unit/assert.h"

#include "user/live/settling_queue.h"

static struct flow_key key_of(uint32_t number)
{
	return (struct flow_key){.hash = number};
}

static void append(struct settling_queue *s, uint32_t number, uint64_t due)
{
	struct flow_key key = key_of(number);

	assert_true(settling_queue_append(s, &key, due));
}

static void expect_taken(struct settling_queue *s, uint64_t now, uint32_t number)
{
	struct flow_key key;

	assert_true(settling_queue_take(s, now, &key));
	expect_int(key.hash, number);
}

TEST(test_none_before_it_is_due)
{
	struct settling_queue s = {0};
	struct flow_key key;

	assert_false(settling_queue_take(&s, UINT64_MAX, &key));
	append(&s, 1, 100);
	append(&s, 2, 200);
	assert_false(settling_queue_take(&s, 99, &key));
	expect_taken(&s, 100, 1);
	assert_false(settling_queue_take(&s, 199, &key));
	expect_taken(&s, UINT64_MAX, 2);
	assert_false(settling_queue_take(&s, UINT64_MAX, &key));
	settling_queue_free(&s);
}

TEST(test_replaced_come_first)
{
	struct settling_queue s = {0};
	struct flow_key key = key_of(7);

	append(&s, 1, 100);
	assert_true(settling_queue_prepend(&s, &key));
	expect_taken(&s, 0, 7);
	expect_taken(&s, 100, 1);
	settling_queue_free(&s);
}

/* Both ends of the ring move while it grows: none is lost and the order stays. */
TEST(test_order_through_growth)
{
	struct settling_queue s = {0};
	uint32_t next = 0, first = 0;

	for (uint32_t round = 0; round < 200; round++) {
		for (uint32_t i = 0; i < 50; i++, next++)
			append(&s, next, next);
		if (round % 7 == 0) {
			struct flow_key key = key_of(--first);

			assert_true(settling_queue_prepend(&s, &key));
		}
		for (uint32_t i = 0; i < 20; i++, first++)
			expect_taken(&s, next, first);
	}
	expect_int(s.count, next - first);
	while (s.count)
		expect_taken(&s, next, first++);
	expect_int(first, next);
	settling_queue_free(&s);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
