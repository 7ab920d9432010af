// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What --all-segments adds up, past the point where the packed counts are moved, also where two CPUs count one side.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bpf/core/traffic.h"

#define SEGMENTS 5000000U  /* the counts are moved twice */
#define LONGEST (1U << 19) /* BIG TCP */

static uint32_t length_of(uint32_t i)
{
	return i % 3 ? i % 1461 : LONGEST;
}

static uint64_t bytes_of(uint32_t segments)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < segments; i++)
		bytes += length_of(i);
	return bytes;
}

static void *add_all(void *side)
{
	for (uint32_t i = 0; i < SEGMENTS; i++)
		traffic_add(side, length_of(i));
	return NULL;
}

static void test_counts_are_moved(void **state)
{
	struct traffic_side t = {0};

	(void)state;
	add_all(&t);
	assert_int_equal(traffic_packets(&t), SEGMENTS);
	assert_int_equal(traffic_bytes(&t), bytes_of(SEGMENTS));
	assert_true(t.packets > 0 && t.packets < SEGMENTS);
}

static void test_longest_segments(void **state)
{
	struct traffic_side t = {0};

	(void)state;
	for (uint32_t i = 0; i < SEGMENTS; i++)
		traffic_add(&t, LONGEST);
	assert_int_equal(traffic_packets(&t), SEGMENTS);
	assert_int_equal(traffic_bytes(&t), (uint64_t)SEGMENTS * LONGEST);
}

static void test_two_cpus(void **state)
{
	struct traffic_side t = {0};
	pthread_t other;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, add_all, &t), 0);
	add_all(&t);
	pthread_join(other, NULL);
	assert_int_equal(traffic_packets(&t), 2 * SEGMENTS);
	assert_int_equal(traffic_bytes(&t), 2 * bytes_of(SEGMENTS));
}

/* Runs of flags: as long as there is room, and the rest is counted. */
static void test_runs(void **state)
{
	struct traffic_side t = {0};

	(void)state;
	for (uint32_t i = 0; i < 3 * TRAFFIC_RUNS; i++) {
		traffic_run_add(&t, i & 1 ? TCP_ACK : TCP_ACK | TCP_PSH, 1);
		traffic_run_add(&t, i & 1 ? TCP_ACK : TCP_ACK | TCP_PSH, 2);
	}
	assert_int_equal(t.runs, TRAFFIC_RUNS);
	for (uint32_t i = 0; i < TRAFFIC_RUNS; i++)
		assert_int_equal(t.run[i].count, 3);
	assert_int_equal(t.runs_lost, 2 * TRAFFIC_RUNS * 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_are_moved),
		cmocka_unit_test(test_longest_segments),
		cmocka_unit_test(test_two_cpus),
		cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
