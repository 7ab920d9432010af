// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The summary's percentiles against sorted values, its lines, and the counters' names.
 */
#include "tests/unit/assert.h"

#include <stdlib.h>
#include <string.h>

#include "user/record/counters.h"
#include "user/format/summary.h"
#include "tests/unit/sample_record.h"
#include "tests/diff/random.h"

#define VALUES 20000

static void expect(struct buffer *b, const char *want)
{
	buffer_char(b, '\0');
	assert_string_equal(b->data, want);
	buffer_free(b);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Every percentile of the n values: the nearest rank's value, within 1/32 and inside the range. */
static void check_percentiles(uint64_t *values, unsigned n)
{
	struct histogram h = {0};
	unsigned percent, i;

	for (i = 0; i < n; i++)
		histogram_add(&h, values[i]);
	qsort(values, n, sizeof(*values), compare);
	expect_int(h.values, n);
	expect_int(h.min, values[0]);
	expect_int(h.max, values[n - 1]);
	for (percent = 1; percent <= 100; percent++) {
		uint64_t want = values[(n * percent + 99) / 100 - 1], got = histogram_percentile(&h, percent);
		uint64_t error = got > want ? got - want : want - got;

		assert_true(error <= want / 32);
		assert_true(got >= values[0] && got <= values[n - 1]);
	}
}

TEST(test_percentiles)
{
	static uint64_t values[VALUES];
	struct random random = {0};
	unsigned n, bits, i;

	/* log-uniform: all magnitudes alike */
	for (i = 0; i < VALUES; i++)
		values[i] = random_next(&random) >> random_next(&random) % 64;
	check_percentiles(values, VALUES);
	/* one magnitude at a time, the small exact ones included */
	for (bits = 1; bits <= 64; bits++) {
		for (i = 0; i < 500; i++)
			values[i] = random_next(&random) >> (64 - bits);
		check_percentiles(values, 500);
	}
	/* few values: where the rank rule shows */
	for (n = 1; n <= 120; n++) {
		for (i = 0; i < n; i++)
			values[i] = random_next(&random) % 1000000;
		check_percentiles(values, n);
	}
}

TEST(test_histogram_edges)
{
	struct histogram h = {0};
	uint64_t value;
	int bit;

	expect_int(histogram_percentile(&h, 50), 0);
	for (value = 0; value < 32; value++) {
		h = (struct histogram){0};
		histogram_add(&h, 0);
		histogram_add(&h, value);
		histogram_add(&h, 31);
		expect_int(histogram_percentile(&h, 50), value);
	}
	/* around every power of two, among neighbours that do not hide the error by the range */
	for (bit = 6; bit < 64; bit++) {
		uint64_t power = 1ULL << bit, around[3] = {power - 1, power, power + 1};
		int i;

		for (i = 0; i < 3; i++) {
			uint64_t got;

			h = (struct histogram){0};
			histogram_add(&h, 0);
			histogram_add(&h, around[i]);
			histogram_add(&h, UINT64_MAX);
			got = histogram_percentile(&h, 50);
			assert_true((got > around[i] ? got - around[i] : around[i] - got) <= around[i] / 32);
		}
	}
	h = (struct histogram){0};
	histogram_add(&h, UINT64_MAX);
	expect_int(histogram_percentile(&h, 1), UINT64_MAX);
	expect_int(h.bucket[HISTOGRAM_BUCKETS - 1], 1);
}

TEST(test_empty)
{
	static const struct summary empty;
	struct buffer b = {0};

	summary_print(&b, &empty);
	expect(&b, "0 connections\n");
}

TEST(test_lines)
{
	static struct summary s;
	struct buffer b = {0};
	struct record r;
	int i;

	sample_graceful(&r);
	summary_add(&s, &r);
	summary_print(&b, &s);
	expect(&b, "1 connection\n"
		   "  graceful                  1  four_way 1; closer source 1\n"
		   "timing                  seen     p50     p90     p99     max\n"
		   "  initial_rtt              1  44.9ms  44.9ms  44.9ms  44.9ms\n"
		   "  fin_to_ack               1  36.0ms  36.0ms  36.0ms  36.0ms\n"
		   "  half_closed              1  1.97ms  1.97ms  1.97ms  1.97ms\n"
		   "  close                    1  38.1ms  38.1ms  38.1ms  38.1ms\n"
		   "  lifetime                 1   3m16s   3m16s   3m16s   3m16s\n");

	for (i = 0; i < 8; i++)
		summary_add(&s, &r);
	r.pattern = PATTERN_THREE_WAY;
	r.closer = DESTINATION;
	r.timing[T_HALF_CLOSED] = 0;
	summary_add(&s, &r);
	r.pattern = PATTERN_SIMULTANEOUS;
	r.closer = BOTH;
	summary_add(&s, &r);
	r.closer = NOBODY;
	summary_add(&s, &r);
	sample_reset(&r);
	summary_add(&s, &r);
	r.reset.by = SOURCE;
	summary_add(&s, &r);
	sample_unanswered(&r);
	summary_add(&s, &r);
	r.outcome = OUTCOME_HANDSHAKE_RESET;
	summary_add(&s, &r);
	summary_print(&b, &s);
	expect(&b, "16 connections\n"
		   "  graceful                 12  four_way 9, three_way 1, simultaneous 2; "
		   "closer source 9, destination 1, both 1, unknown 1\n"
		   "  reset                     2  by source 1, destination 1\n"
		   "  handshake_reset           1\n"
		   "  unanswered                1\n"
		   "timing                  seen     p50     p90     p99     max\n"
		   "  initial_rtt             12  44.9ms  44.9ms  44.9ms  44.9ms\n"
		   "  fin_to_ack              12  36.0ms  36.0ms  36.0ms  36.0ms\n"
		   "  half_closed             12  1.93ms  1.93ms  1.93ms  1.97ms\n"
		   "  close                   12  38.1ms  38.1ms  38.1ms  38.1ms\n"
		   "  lifetime                14   3m16s  23h49m  23h49m   1d00h\n");
}

TEST(test_counters)
{
	static const uint64_t none[COUNTERS];
	uint64_t counters[COUNTERS] = {0};
	struct buffer b = {0};

	summary_print_counters(&b, none, counter_names, true);
	expect(&b, "");
	counters[COUNT_VERDICT + PACKET_TCP] = 7;
	counters[COUNT_VERDICT + PACKET_DEEP_CHAIN] = 123456;
	counters[COUNT_CLOSING_FULL] = UINT64_MAX;
	summary_print_counters(&b, counters, counter_names, false);
	expect(&b, "  too_many_extension_headers      123456\n"
		   "  closing_full                18446744073709551615\n");
	summary_print_counters(&b, counters, counter_names, true);
	expect(&b, "  tcp_segments                         7\n"
		   "  too_many_extension_headers      123456\n"
		   "  closing_full                18446744073709551615\n");
}

TEST(test_counter_names)
{
	int i, j;

	for (i = 0; i < COUNTERS; i++) {
		assert_non_null(counter_names[i]);
		for (j = 0; j < i; j++)
			assert_string_not_equal(counter_names[i], counter_names[j]);
	}
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
