/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a unit test is written with. A failing test names the table's row that it was at, the expression, and what was
 * seen and expected in the words of the code:
 *
 *	in the row "802.1Q twice"
 *	s.vlan[1]: 65535 (0xffff), expected 101 (0x65)
 *
 * It includes cmocka, whose own assertions serve wherever they print enough (assert_string_equal, assert_memory_equal,
 * and assert_true for what has no two values). They name the row, too.
 */
#ifndef TCPFIN_TEST_ASSERT_H
#define TCPFIN_TEST_ASSERT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- rows ---- */

static char assert_row[160]; /* the row at hand; empty outside of tables */

static inline void leave_row(__attribute__((unused)) const void *row)
{
	assert_row[0] = '\0';
}

/* Names the row of a table that is computed, until the next one or the test's end. */
__attribute__((format(printf, 1, 2))) static inline void enter_row(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(assert_row, sizeof(assert_row), format, args);
	va_end(args);
}

/* A row without a name fails: a failure in it could not be found. */
static inline bool enter_named_row(const char *name, const char *file, int line)
{
	if (!name) {
		print_error("a row without a name follows the row \"%s\"\n", assert_row);
		_fail(file, line);
	}
	enter_row("%s", name);
	return true;
}

/* Loops over an array of structures that have a `name`. `row` points to each one in turn. */
#define FOR_EACH_ROW(table, row)                                                        \
	for (__attribute__((cleanup(leave_row))) __typeof__(&(table)[0]) row = (table); \
	     row < (table) + COUNT(table) && enter_named_row(row->name, __FILE__, __LINE__); row++)

/* ---- tests ---- */

struct unit_test {
	void (*function)(void);
};

static struct unit_test unit_tests[128];
static struct CMUnitTest unit_test_list[COUNT(unit_tests)];
static size_t unit_test_count;

/* The row's name is still there only if a failure jumped over its end. */
static inline void run_unit_test(void **state)
{
	const struct unit_test *test = *state;

	assert_row[0] = '\0';
	test->function();
	assert_row[0] = '\0';
}

static inline int print_failed_row(__attribute__((unused)) void **state)
{
	if (assert_row[0])
		print_error("in the row \"%s\"\n", assert_row);
	assert_row[0] = '\0';
	return 0;
}

static inline void add_unit_test(const char *name, void (*function)(void))
{
	struct unit_test *test = &unit_tests[unit_test_count];

	if (unit_test_count == COUNT(unit_tests)) {
		fprintf(stderr, "%s: more than %zu tests\n", name, COUNT(unit_tests));
		_Exit(1);
	}
	test->function = function;
	unit_test_list[unit_test_count++] = (struct CMUnitTest){
		.name = name,
		.test_func = run_unit_test,
		.teardown_func = print_failed_row,
		.initial_state = test,
	};
}

/* Defines a test, which run_unit_tests() runs: TEST(test_name) { ... } */
#define TEST(function)                                                   \
	static void function(void);                                      \
	__attribute__((constructor)) static void function##_is_run(void) \
	{                                                                \
		add_unit_test(#function, function);                      \
	}                                                                \
	static void function(void)

/* Runs all tests of the file in their order there. Either fixture may be NULL. Returns what main() does. */
static inline int run_unit_tests(CMFixtureFunction set_up, CMFixtureFunction tear_down)
{
	return _cmocka_run_group_tests("tests", unit_test_list, unit_test_count, set_up, tear_down);
}

/* ---- values in words ---- */

/* A constant and its name: an enumerator or a flag. */
struct word {
	uint64_t value;
	const char *name;
};

#define WORD(constant)              \
	{                           \
		constant, #constant \
	}

struct value_text {
	char text[256];
};

static inline struct value_text text_of_int(uint64_t value)
{
	struct value_text t;

	if (value > UINT64_MAX - UINT32_MAX) /* a negative number */
		snprintf(t.text, sizeof(t.text), "%" PRId64 " (%#" PRIx64 ")", (int64_t)value, value);
	else if (value > 9)
		snprintf(t.text, sizeof(t.text), "%" PRIu64 " (%#" PRIx64 ")", value, value);
	else
		snprintf(t.text, sizeof(t.text), "%" PRIu64, value);
	return t;
}

static inline struct value_text text_of_word(uint64_t value, const struct word *words, size_t count)
{
	struct value_text t = text_of_int(value);

	for (size_t i = 0; i < count; i++)
		if (words[i].value == value)
			snprintf(t.text, sizeof(t.text), "%s", words[i].name);
	return t;
}

/* FLAG|FLAG, then the bits without a name as one number; "none" where no bit is set. */
static inline struct value_text text_of_flags(uint64_t value, const struct word *words, size_t count)
{
	struct value_text t = {"none"};
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		if (!words[i].value || (value & words[i].value) != words[i].value)
			continue;
		len += (size_t)snprintf(t.text + len, sizeof(t.text) - len, "%s%s", len ? "|" : "", words[i].name);
		value &= ~words[i].value;
	}
	if (value)
		snprintf(t.text + len, sizeof(t.text) - len, "%s%#" PRIx64, len ? "|" : "", value);
	return t;
}

/* To the last nanosecond, in the unit that suits `like` (ns): "36.020 ms". */
static inline struct value_text text_of_ns(int64_t ns, int64_t like)
{
	static const struct {
		const char *name;
		uint64_t ns;
		int decimals;
	} units[] = {{"ns", 1, 0}, {"us", 1000, 3}, {"ms", 1000000, 6}, {"s", 1000000000, 9}};
	uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	struct value_text t;
	size_t u = 0;
	int len;

	while (u + 1 < COUNT(units) && like >= (int64_t)units[u + 1].ns)
		u++;
	len = snprintf(t.text, sizeof(t.text), "%s%" PRIu64, ns < 0 ? "-" : "", size / units[u].ns);
	if (u)
		len += snprintf(t.text + len, sizeof(t.text) - len, ".%0*" PRIu64, units[u].decimals,
				size % units[u].ns);
	for (int left = units[u].decimals; left > 3 && !strncmp(t.text + len - 3, "000", 3); left -= 3)
		len -= 3;
	snprintf(t.text + len, sizeof(t.text) - len, " %s", units[u].name);
	return t;
}

/* ---- expectations ---- */

static inline void fail_expectation(const char *what, struct value_text seen, struct value_text expected,
				    const char *file, int line)
{
	print_error("%s: %s, expected %s\n", what, seen.text, expected.text);
	_fail(file, line);
}

static inline void expect_int_at(uint64_t seen, uint64_t expected, const char *what, const char *file, int line)
{
	if (seen != expected)
		fail_expectation(what, text_of_int(seen), text_of_int(expected), file, line);
}

static inline void expect_word_at(uint64_t seen, uint64_t expected, const struct word *words, size_t count,
				  const char *what, const char *file, int line)
{
	if (seen != expected)
		fail_expectation(what, text_of_word(seen, words, count), text_of_word(expected, words, count), file,
				 line);
}

static inline void expect_flags_at(uint64_t seen, uint64_t expected, const struct word *words, size_t count,
				   const char *what, const char *file, int line)
{
	if (seen != expected)
		fail_expectation(what, text_of_flags(seen, words, count), text_of_flags(expected, words, count), file,
				 line);
}

static inline void expect_ns_at(int64_t seen, int64_t expected, const char *what, const char *file, int line)
{
	int64_t like = expected ? expected : seen;

	if (seen != expected)
		fail_expectation(what, text_of_ns(seen, like), text_of_ns(expected, like), file, line);
}

/* Integers. */
#define expect_int(seen, expected) expect_int_at((uint64_t)(seen), (uint64_t)(expected), #seen, __FILE__, __LINE__)

/* An enumerator. `words`: an array of struct word. */
#define expect_word(seen, expected, words) \
	expect_word_at((uint64_t)(seen), (uint64_t)(expected), words, COUNT(words), #seen, __FILE__, __LINE__)

/* A set of flags. `words`: an array of struct word. */
#define expect_flags(seen, expected, words) \
	expect_flags_at((uint64_t)(seen), (uint64_t)(expected), words, COUNT(words), #seen, __FILE__, __LINE__)

/* Durations in ns. */
#define expect_ns(seen, expected) expect_ns_at((int64_t)(seen), (int64_t)(expected), #seen, __FILE__, __LINE__)

#endif
