// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The counts of --all-segments: exact beyond the point where the packed ones are moved, and where two CPUs count one
 * side.
 */
#include "tests/unit/assert.h"

#include <pthread.h>

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

TEST(test_counts_are_moved)
{
	struct traffic_side t = {0};

	add_all(&t);
	expect_int(traffic_packets(&t), SEGMENTS);
	expect_int(traffic_bytes(&t), bytes_of(SEGMENTS));
	assert_true(t.packets > 0 && t.packets < SEGMENTS);
}

TEST(test_longest_segments)
{
	struct traffic_side t = {0};

	for (uint32_t i = 0; i < SEGMENTS; i++)
		traffic_add(&t, LONGEST);
	expect_int(traffic_packets(&t), SEGMENTS);
	expect_int(traffic_bytes(&t), (uint64_t)SEGMENTS * LONGEST);
}

TEST(test_two_cpus)
{
	struct traffic_side t = {0};
	pthread_t other;

	expect_int(pthread_create(&other, NULL, add_all, &t), 0);
	add_all(&t);
	pthread_join(other, NULL);
	expect_int(traffic_packets(&t), 2 * SEGMENTS);
	expect_int(traffic_bytes(&t), 2 * bytes_of(SEGMENTS));
}

/* Runs of equal flags are kept while there is room; further segments are counted as lost. */
TEST(test_runs)
{
	struct traffic_side t = {0};

	for (uint32_t i = 0; i < 3 * TRAFFIC_RUNS; i++) {
		traffic_run_add(&t, i & 1 ? TCP_ACK : TCP_ACK | TCP_PSH, 1);
		traffic_run_add(&t, i & 1 ? TCP_ACK : TCP_ACK | TCP_PSH, 2);
	}
	expect_int(t.runs, TRAFFIC_RUNS);
	for (uint32_t i = 0; i < TRAFFIC_RUNS; i++)
		expect_int(t.run[i].count, 3);
	expect_int(t.runs_lost, 2 * TRAFFIC_RUNS * 3);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
