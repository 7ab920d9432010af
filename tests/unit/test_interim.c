// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections whose story goes on behind their record: the oldest is found, of all kinds or of one.
 */
#include "tests/unit/assert.h"

#include "user/judge/interim.h"

#define SLOTS 8
#define ALL ((1u << INTERIM_KINDS) - 1)

static struct interims t;

static void put(uint32_t slot, enum interim_kind kind, uint32_t generation)
{
	const struct interim what = {.generation = generation, .kind = kind};

	interims_put(&t, slot, &what);
}

static void set_up(void)
{
	memset(&t, 0, sizeof(t));
	assert_int_equal(interims_begin(&t, SLOTS), 0);
	put(3, INTERIM_CLOSING, 0);
	put(5, INTERIM_SLOT, 7);
	put(1, INTERIM_CLOSING, 9);
}

TEST(test_oldest_of_a_kind)
{
	set_up();
	expect_int(interims_oldest(&t, ALL), 3 + 1);
	expect_int(interims_oldest(&t, 1u << INTERIM_SLOT), 5 + 1);
	expect_int(interims_oldest(&t, 1u << INTERIM_OPENING), 0);
	interims_drop(&t, 3);
	expect_int(interims_oldest(&t, ALL), 5 + 1);
	expect_int(interims_oldest(&t, 1u << INTERIM_CLOSING), 1 + 1);
	interims_drop(&t, 1);
	interims_drop(&t, 1);
	interims_drop(&t, 5);
	expect_int(interims_oldest(&t, ALL), 0);
	interims_free(&t);
}

/* A second report makes it the newest, be it of another kind. */
TEST(test_reported_again)
{
	set_up();
	put(3, INTERIM_OPENING, 0);
	expect_int(interims_oldest(&t, ALL), 5 + 1);
	expect_int(interims_oldest(&t, 1u << INTERIM_CLOSING), 1 + 1);
	expect_int(interims_oldest(&t, 1u << INTERIM_OPENING), 3 + 1);
	interims_free(&t);
}

TEST(test_find)
{
	set_up();
	assert_non_null(interims_find(&t, 3, 0)); /* a slot's first use */
	assert_non_null(interims_find(&t, 5, 7));
	assert_null(interims_find(&t, 5, 8)); /* another connection has the slot */
	assert_null(interims_find(&t, 0, 0));
	interims_drop(&t, 5);
	assert_null(interims_find(&t, 5, 7));
	interims_free(&t);
	assert_null(interims_find(&t, 5, 7)); /* a file has none */
	interims_drop(&t, 5);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
