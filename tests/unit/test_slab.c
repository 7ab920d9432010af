// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects of a slab: none overlaps another, each keeps its bytes until it is put back, and what is put back is used
 * again.
 */
#include "tests/unit/assert.h"

#include <stdlib.h>
#include <string.h>

#include "user/base/slab.h"

#define OBJECTS 20000 /* of 152 bytes: the small blocks and a few of the largest */
#define SIZE 152

static void fill(uint32_t *object, uint32_t value)
{
	for (size_t i = 0; i < SIZE / sizeof(*object); i++)
		object[i] = value;
}

static void assert_filled(const uint32_t *object, uint32_t value)
{
	for (size_t i = 0; i < SIZE / sizeof(*object); i++)
		expect_int(object[i], value);
}

TEST(test_objects)
{
	static uint32_t *object[OBJECTS];
	struct slab s = {.size = SIZE};

	for (uint32_t i = 0; i < OBJECTS; i++) {
		object[i] = slab_get(&s);
		assert_non_null(object[i]);
		expect_int((uintptr_t)object[i] % 64, 0);
		fill(object[i], i);
	}
	for (uint32_t i = 1; i < OBJECTS; i += 2)
		slab_put(&s, object[i]);
	for (uint32_t i = 1; i < OBJECTS; i += 2) {
		object[i] = slab_get(&s);
		fill(object[i], i);
	}
	for (uint32_t i = 0; i < OBJECTS; i++)
		assert_filled(object[i], i);
	slab_free(&s);
}

TEST(test_last_put_is_next)
{
	struct slab s = {.size = SIZE};
	void *first = slab_get(&s), *second = slab_get(&s);

	slab_put(&s, first);
	slab_put(&s, second);
	assert_ptr_equal(slab_get(&s), second); /* it is likeliest to be in the cache */
	assert_ptr_equal(slab_get(&s), first);
	slab_free(&s);
}

TEST(test_free_and_again)
{
	struct slab s = {.size = SIZE};

	slab_free(&s);
	for (int round = 0; round < 2; round++) {
		fill(slab_get(&s), 1);
		slab_free(&s);
		assert_null(s.blocks);
	}
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
