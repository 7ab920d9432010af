// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The names of output files: the time, and a number where that does not tell them apart.
 */
#include "tests/unit/assert.h"

#include <errno.h>
#include <string.h>

#include "user/helper/output_name.h"

static void expect_next(struct output_name *n, time_t now, const char *text)
{
	expect_int(output_name_next(n, now), 0);
	assert_string_equal(n->text, text);
}

TEST(test_numbered)
{
	struct output_name n = {.form = "closes.json"};

	expect_next(&n, 0, "closes.json");
	expect_next(&n, 1, "closes.json1");
	expect_next(&n, 2, "closes.json2");
}

/* Without a period, a '%' is a character as any other. */
TEST(test_not_dated)
{
	struct output_name n = {.form = "100%S"};

	expect_next(&n, 0, "100%S");
	expect_next(&n, 7, "100%S1");
}

TEST(test_dated)
{
	struct output_name n = {.form = "t%S", .dated = true};

	expect_next(&n, 0, "t00");
	expect_next(&n, 7, "t07");
	expect_next(&n, 7, "t071");
	expect_next(&n, 7, "t072");
	expect_next(&n, 8, "t08");
}

/* What cannot be a name changes nothing. */
TEST(test_refused)
{
	struct output_name slash = {.form = "%D", .dated = true}, empty = {.form = ""}, same = {.form = "a"};
	char form[NAME_MAX + 2];
	struct output_name full = {.form = form};

	expect_int(output_name_next(&slash, 0), -EINVAL);
	expect_int(output_name_next(&empty, 0), -EINVAL);
	memset(form, 'x', sizeof(form));
	form[NAME_MAX + 1] = '\0';
	expect_int(output_name_next(&full, 0), -ENAMETOOLONG);
	form[NAME_MAX] = '\0';
	expect_next(&full, 0, form);
	expect_int(output_name_next(&full, 0), -ENAMETOOLONG); /* there is no room for the number */
	assert_string_equal(full.text, form);
	expect_next(&same, 0, "a");
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
