// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Percentiles of small and large sets against sorted values, and what is left when parts are taken off.
 */
#include "tests/unit/assert.h"

#include "tests/diff/random.h"
#include "user/base/quantiles.h"

#define VALUES 20000

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Each percentile is the nearest rank's value within 1/part of it; part 0: exactly it. */
static void check(const struct quantiles *q, uint64_t *values, unsigned n, unsigned part)
{
	qsort(values, n, sizeof(*values), compare);
	expect_int(q->count, n);
	for (unsigned percent = 1; percent <= 100; percent++) {
		uint64_t want = values[((uint64_t)n * percent + 99) / 100 - 1], got = quantiles_percentile(q, percent);
		uint64_t error = got > want ? got - want : want - got;

		enter_row("percentile %u of %u values", percent, n);
		if (error > (part ? want / part : 0))
			expect_int(got, want);
	}
	leave_row(NULL);
}

static void fill(struct quantiles *q, uint64_t *values, unsigned n, struct random *random)
{
	for (unsigned i = 0; i < n; i++) {
		values[i] = random_next(random) >> random_below(random, 64);
		quantiles_add(q, values[i]);
	}
}

TEST(test_few_are_exact)
{
	struct random random = {0};
	uint64_t values[QUANTILES_FEW];

	for (unsigned n = 1; n <= QUANTILES_FEW; n++) {
		struct quantiles q = {0};

		fill(&q, values, n, &random);
		assert_null(q.bucket);
		check(&q, values, n, 0);
		quantiles_free(&q);
	}
}

TEST(test_many_are_near)
{
	static uint64_t values[VALUES];
	static const unsigned sizes[] = {QUANTILES_FEW + 1, 7, 100, 101, 1999, VALUES};
	struct random random = {0};

	for (unsigned i = 0; i < COUNT(sizes); i++) {
		struct quantiles q = {0};

		fill(&q, values, sizes[i], &random);
		check(&q, values, sizes[i], 16);
		expect_int(q.min, values[0]);
		expect_int(q.max, values[sizes[i] - 1]);
		quantiles_free(&q);
	}
}

TEST(test_reset_leaves_nothing)
{
	static uint64_t values[VALUES];
	struct random random = {0};
	struct quantiles q = {0};

	fill(&q, values, VALUES, &random);
	quantiles_reset(&q);
	expect_int(quantiles_percentile(&q, 50), 0);
	fill(&q, values, 100, &random);
	check(&q, values, 100, 16);
	quantiles_free(&q);
}

/* Sizes on both sides of what is kept as it is: few and few, few and many, many and many. */
static void check_sum(unsigned first, unsigned second)
{
	static uint64_t values[VALUES], more[VALUES];
	struct random random = {0};
	struct quantiles a = {0}, b = {0};

	fill(&a, values, first, &random);
	fill(&b, more, second, &random);
	quantiles_merge(&a, &b);
	memcpy(values + first, more, second * sizeof(*more));
	check(&a, values, first + second, first + second > QUANTILES_FEW ? 16 : 0);
	quantiles_free(&a);
	quantiles_free(&b);
}

TEST(test_sums)
{
	static const unsigned sizes[] = {1, QUANTILES_FEW, QUANTILES_FEW + 1, 1000};

	for (unsigned i = 0; i < COUNT(sizes); i++)
		for (unsigned j = 0; j < COUNT(sizes); j++)
			check_sum(sizes[i], sizes[j]);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
