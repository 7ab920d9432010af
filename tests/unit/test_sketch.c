// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sketch against exact counts: few keys, a million random ones with some that stand out, and one after the other.
 */
#include "tests/unit/assert.h"

#include "user/top/sketch.h"
#include "tests/diff/random.h"

#define KEYS 1000000

static struct sketch sketch;
static uint32_t truth[KEYS];

/* A key of 3 to 10 bytes, so that whole words and rests are hashed. */
static struct group_key key_of(uint32_t n)
{
	struct group_key key = {.len = (uint16_t)(3 + n % 8)};

	memcpy(key.bytes, &n, 3);
	return key;
}

static uint32_t number_of(const struct group_key *key)
{
	uint32_t n = 0;

	memcpy(&n, key->bytes, 3);
	return n;
}

static void add(uint32_t n)
{
	struct group_key key = key_of(n);
	bool fresh;

	truth[n]++;
	sketch_add(&sketch, &key, &fresh);
}

static void begin(void)
{
	memset(truth, 0, sizeof(truth));
	sketch_reset(&sketch, 42);
}

/* What sketch.h promises of every entry and of every key that is none. */
static void check(void)
{
	static bool followed[KEYS];
	uint64_t sum = 0;

	memset(followed, 0, sizeof(followed));
	for (unsigned i = 0; i < sketch.used; i++) {
		const struct sketch_entry *e = &sketch.entry[i];
		uint32_t n = number_of(&e->key);

		assert_false(followed[n]);
		followed[n] = true;
		sum += e->count;
		assert_true(e->count >= truth[n] && e->count - e->error <= truth[n]);
		assert_true(e->error <= sketch.added / SKETCH_KEYS);
	}
	expect_int(sum, sketch.added);
	for (uint32_t n = 0; n < KEYS; n++)
		assert_true(followed[n] || truth[n] <= sketch.added / SKETCH_KEYS);
}

TEST(test_exact_for_few)
{
	struct random random = {0};

	begin();
	for (unsigned i = 0; i < 100000; i++)
		add((uint32_t)(random_next(&random) % SKETCH_KEYS));
	check();
	for (unsigned i = 0; i < sketch.used; i++) {
		expect_int(sketch.entry[i].error, 0);
		expect_int(sketch.entry[i].count, truth[number_of(&sketch.entry[i].key)]);
	}
}

/* A million peers, each as often as the others; and ten that have a hundredth each. */
TEST(test_a_million_peers)
{
	struct random random = {0};
	unsigned found = 0;

	begin();
	for (unsigned i = 0; i < 3000000; i++)
		add((uint32_t)(i % 10 ? random_next(&random) % KEYS : i / 10 % 10));
	check();
	for (unsigned i = 0; i < sketch.used; i++)
		found += number_of(&sketch.entry[i].key) < 10;
	expect_int(found, 10);
}

/* Each key once: the worst case, in which every addition displaces a key. */
TEST(test_every_key_once)
{
	begin();
	for (uint32_t n = 0; n < KEYS; n++)
		add(n);
	expect_int(sketch.used, SKETCH_KEYS);
	check();
}

/* Keys that are equal but for their length are different ones. */
TEST(test_lengths)
{
	bool fresh;

	begin();
	for (uint16_t len = 0; len < 20; len++) {
		struct group_key key = {.len = len};

		sketch_add(&sketch, &key, &fresh);
		assert_true(fresh);
		sketch_add(&sketch, &key, &fresh);
		assert_false(fresh);
	}
	expect_int(sketch.used, 20);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
