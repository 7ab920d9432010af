// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What assert.h prints of a failure. Each failing test runs in a child, because a failure ends its test.
 */
#include "tests/unit/assert.h"

#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000LL

enum { FIRST = 1, SECOND = 2, BOTH = 3, THIRD = 4 };

static const struct word flags[] = {WORD(FIRST), WORD(SECOND), WORD(THIRD)};
static const struct word numbers[] = {WORD(FIRST), WORD(SECOND), WORD(BOTH)};

/* ---- failures, one a function ---- */

static const struct {
	const char *name;
	int number;
} table[] = {{"one", 1}, {"two", 2}, {"three", 3}};

static void fail_in_a_row(void)
{
	FOR_EACH_ROW(table, row)
		expect_int(row->number * 8, row->number == 2 ? 17 : row->number * 8);
}

static void fail_by_cmocka_in_a_row(void)
{
	FOR_EACH_ROW(table, row)
		assert_true(row->number < 3);
}

static void fail_behind_a_table(void)
{
	FOR_EACH_ROW(table, row)
		if (row->number == 2)
			break;
	expect_int(-2, 1);
}

static void fail_in_a_computed_row(void)
{
	for (int i = 0; i < 3; i++) {
		enter_row("round %d", i);
		expect_int(i, i == 2 ? 3 : i);
	}
}

static void fail_without_a_name(void)
{
	static const struct {
		const char *name;
	} nameless[] = {{"first"}, {NULL}};

	FOR_EACH_ROW(nameless, row)
		assert_non_null(row->name);
}

static void fail_a_flag(void)
{
	expect_flags(FIRST | THIRD | 0x40, FIRST, flags);
}

static void fail_no_flag(void)
{
	expect_flags(0, BOTH, flags);
}

static void fail_a_word(void)
{
	expect_word(BOTH, FIRST, numbers);
}

static void fail_an_unknown_word(void)
{
	expect_word(77, FIRST, numbers);
}

static void fail_milliseconds(void)
{
	expect_ns(36020 * MS / 1000, 36 * MS);
}

static void fail_nanoseconds(void)
{
	expect_ns(36 * MS + 7, 36 * MS);
}

static void fail_a_time_unseen(void)
{
	expect_ns(-1, 1500 * MS);
}

static void fail_a_time_seen(void)
{
	expect_ns(68000, 0);
}

/* ---- what is printed ---- */

/* What a run of that one test prints, on both streams. */
static const char *output_of(void (*function)(void))
{
	static char text[8192];
	size_t len = 0;
	int ends[2], status;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		unit_test_count = 0;
		add_unit_test("broken", function);
		exit(run_unit_tests(NULL, NULL));
	}
	close(ends[1]);
	while ((got = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	expect_int(WEXITSTATUS(status), 1); /* tests that failed */
	return text;
}

TEST(test_failures_in_words)
{
	static const struct {
		const char *name;
		void (*function)(void);
		const char *printed;
	} cases[] = {
		{"an integer", fail_in_a_row, "\nrow->number * 8: 16 (0x10), expected 17 (0x11)\n"},
		{"behind a table", fail_behind_a_table, "\n-2: -2 (0xfffffffffffffffe), expected 1\n"},
		{"flags", fail_a_flag, ": FIRST|THIRD|0x40, expected FIRST\n"},
		{"no flags", fail_no_flag, "\n0: none, expected FIRST|SECOND\n"},
		{"a word", fail_a_word, "\nBOTH: BOTH, expected FIRST\n"},
		{"a word without a name", fail_an_unknown_word, "\n77: 77 (0x4d), expected FIRST\n"},
		{"milliseconds", fail_milliseconds, ": 36.020 ms, expected 36.000 ms\n"},
		{"nanoseconds", fail_nanoseconds, ": 36.000007 ms, expected 36.000 ms\n"},
		{"a time unseen", fail_a_time_unseen, "\n-1: -0.000000001 s, expected 1.500 s\n"},
		{"a time where none is expected", fail_a_time_seen, "\n68000: 68.000 us, expected 0.000 us\n"},
	};

	FOR_EACH_ROW(cases, row) {
		const char *text = output_of(row->function);

		if (!strstr(text, row->printed))
			fail_msg("no \"%s\" in: %s", row->printed, text);
	}
}

TEST(test_failures_name_the_row)
{
	static const struct {
		const char *name;
		void (*function)(void);
		const char *row; /* NULL: none */
	} cases[] = {
		{"expect_int", fail_in_a_row, "in the row \"two\"\n"},
		{"assert_true", fail_by_cmocka_in_a_row, "in the row \"three\"\n"},
		{"enter_row", fail_in_a_computed_row, "in the row \"round 2\"\n"},
		{"a row without a name", fail_without_a_name, "a row without a name follows the row \"first\"\n"},
		{"behind a table", fail_behind_a_table, NULL},
		{"no table", fail_a_word, NULL},
	};

	FOR_EACH_ROW(cases, row) {
		const char *text = output_of(row->function), *found = strstr(text, "row \"");

		if (row->row ? !strstr(text, row->row) : found != NULL)
			fail_msg("no \"%s\" in: %s", row->row ? row->row : "text without a row", text);
	}
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
