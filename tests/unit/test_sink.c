// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Output to files: whole blocks first, nothing lost or doubled, and whole lines only when a file can take no more.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/base/sink.h"

#define LINE 1000 /* bytes: no block ends with one */
#define LINES 100 /* more than one block, less than two */

static void add_lines(struct buffer *b)
{
	for (int i = 0; i < LINES; i++)
		buffer_printf(b, "%*d\n", LINE - 1, i);
}

static off_t position(FILE *f)
{
	return lseek(fileno(f), 0, SEEK_CUR);
}

/* What the file holds are the lines, in order, from `start` on, and nothing else. */
static void expect_lines(FILE *f, off_t start, int lines)
{
	char line[2 * LINE];

	assert_int_equal(lseek(fileno(f), 0, SEEK_END), start + lines * LINE);
	assert_int_equal(fseek(f, start, SEEK_SET), 0);
	for (int i = 0; i < lines; i++) {
		assert_non_null(fgets(line, sizeof(line), f));
		assert_int_equal(strlen(line), LINE);
		assert_int_equal(atoi(line), i % LINES);
	}
}

static void test_blocks_end_at_multiples(void **state)
{
	struct buffer b = {0}, head = {0};
	FILE *f = tmpfile();

	(void)state;
	buffer_text(&head, "what was there\n");
	assert_int_equal(sink_write(fileno(f), &head), 0);
	add_lines(&b);
	assert_int_equal(sink_write_blocks(fileno(f), &b), 0);
	assert_int_equal(position(f), SINK_BLOCK);
	assert_int_equal(b.len, 15 + LINES * LINE - SINK_BLOCK);
	assert_int_equal(sink_write_blocks(fileno(f), &b), 0); /* less than a block: nothing is due */
	assert_int_equal(position(f), SINK_BLOCK);
	add_lines(&b);
	assert_int_equal(sink_write_blocks(fileno(f), &b), 0);
	assert_int_equal(position(f), 3 * SINK_BLOCK);
	assert_int_equal(sink_write(fileno(f), &b), 0);
	assert_int_equal(b.len, 0);
	expect_lines(f, 15, 2 * LINES);
	buffer_free(&head);
	buffer_free(&b);
	fclose(f);
}

/* No byte of the second write fits: the line that the first one began must go. */
static void full_after(off_t bytes, int whole_lines)
{
	struct rlimit before;
	struct buffer b = {0};
	FILE *f = tmpfile();

	add_lines(&b);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)bytes, before.rlim_max});
	assert_int_equal(sink_write_blocks(fileno(f), &b), 0);
	assert_int_equal(position(f), SINK_BLOCK);
	assert_int_equal(sink_write(fileno(f), &b), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(b.len, 0);
	expect_lines(f, 0, whole_lines);
	buffer_free(&b);
	fclose(f);
}

static void test_full_disk_takes_half_a_line(void **state)
{
	(void)state;
	full_after(SINK_BLOCK, SINK_BLOCK / LINE);
	full_after(SINK_BLOCK + 10, SINK_BLOCK / LINE);
	full_after(SINK_BLOCK + 10 * LINE, SINK_BLOCK / LINE + 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_end_at_multiples),
		cmocka_unit_test(test_full_disk_takes_half_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
