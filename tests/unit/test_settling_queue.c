// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The queue of ended connections: none comes before it is due, none is lost, whatever the ends of the ring do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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
	assert_int_equal(key.hash, number);
}

static void test_none_before_it_is_due(void **state)
{
	struct settling_queue s = {0};
	struct flow_key key;

	(void)state;
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

static void test_replaced_come_first(void **state)
{
	struct settling_queue s = {0};
	struct flow_key key = key_of(7);

	(void)state;
	append(&s, 1, 100);
	assert_true(settling_queue_prepend(&s, &key));
	expect_taken(&s, 0, 7);
	expect_taken(&s, 100, 1);
	settling_queue_free(&s);
}

/* Around the end of the ring and through its growth, with both ends moving, none is lost and the order stays. */
static void test_order_through_growth(void **state)
{
	struct settling_queue s = {0};
	uint32_t next = 0, first = 0;

	(void)state;
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
	assert_int_equal(s.count, next - first);
	while (s.count)
		expect_taken(&s, next, first++);
	assert_int_equal(first, next);
	settling_queue_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_before_it_is_due),
		cmocka_unit_test(test_replaced_come_first),
		cmocka_unit_test(test_order_through_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
