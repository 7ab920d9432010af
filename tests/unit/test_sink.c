// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Output to files: whole blocks first, nothing lost or doubled, and whole lines only when a file can take no more.
 * Output to pipes that nobody reads for a while.
 */
#define _GNU_SOURCE 1 /* F_GETPIPE_SZ */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/base/sink.h"
#include "user/base/stop.h"

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
		assert_int_equal(strtol(line, NULL, 10), i % LINES);
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

/* ---- a reader that does not read ---- */

static const char stats[] = "stats\n";

static bool print_stats(void *context)
{
	(void)context;
	return write(STDERR_FILENO, stats, strlen(stats)) == (ssize_t)strlen(stats);
}

/* Starts a process that writes all lines to `output`, and answers SIGUSR1 on `error`. */
static pid_t start_writer(int output, int error)
{
	struct buffer b = {0};
	pid_t child = fork();
	int err;

	assert_true(child >= 0);
	if (child)
		return child;
	if (dup2(error, STDERR_FILENO) < 0)
		_exit(1);
	stop_catch_signals(NULL);
	stats_on_signal(print_stats, NULL);
	add_lines(&b);
	err = sink_write(output, &b);
	stats_answer();
	_exit(err ? 1 : 0);
}

/* Has the process still to take a signal that was sent to it? */
static bool signal_pending(pid_t process)
{
	unsigned long long pending = 0;
	char line[256];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/status", process);
	f = fopen(line, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && sscanf(line, "ShdPnd: %llx", &pending) != 1)
		;
	fclose(f);
	return pending;
}

/* Waits until no more fits into the pipe, sends SIGUSR1, and waits until the writer has taken it. */
static void ask_when_full(int pipe, pid_t writer)
{
	int size = fcntl(pipe, F_GETPIPE_SZ), filled = 0;

	for (int ms = 0; filled < size; ms++) {
		assert_true(ms < 10000);
		usleep(1000);
		assert_int_equal(ioctl(pipe, FIONREAD, &filled), 0);
	}
	assert_int_equal(kill(writer, SIGUSR1), 0);
	while (signal_pending(writer))
		usleep(1000);
}

static void expect_text(int fd, const char *text)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char got[sizeof(stats)] = "";

	assert_int_equal(poll(&ready, 1, 10000), 1);
	assert_int_equal(read(fd, got, sizeof(got) - 1), strlen(text));
	assert_string_equal(got, text);
}

static void expect_all_lines(int fd)
{
	char line[LINE + 1];

	for (int i = 0; i < LINES; i++) {
		for (size_t n = 0; n < LINE;) {
			ssize_t more = read(fd, line + n, LINE - n);

			assert_true(more > 0);
			n += (size_t)more;
		}
		line[LINE] = '\0';
		assert_int_equal(strtol(line, NULL, 10), i);
		assert_int_equal(line[LINE - 1], '\n');
	}
}

static void expect_end(pid_t writer)
{
	int status = -1;

	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
}

/* SIGUSR1 is answered while the output waits for its reader. */
static void test_statistics_while_waiting(void **state)
{
	int output[2], error[2];
	pid_t writer;

	(void)state;
	assert_true(!pipe2(output, O_CLOEXEC) && !pipe2(error, O_CLOEXEC));
	writer = start_writer(output[1], error[1]);
	close(output[1]);
	ask_when_full(output[0], writer);
	expect_text(error[0], stats);
	expect_all_lines(output[0]);
	expect_end(writer);
	close(output[0]);
	close(error[0]);
	close(error[1]);
}

/* Where records and messages go to one pipe, the answer comes after the record at hand, not into the middle of it. */
static void test_statistics_between_lines(void **state)
{
	int both[2];
	pid_t writer;

	(void)state;
	assert_int_equal(pipe2(both, O_CLOEXEC), 0);
	writer = start_writer(both[1], both[1]);
	close(both[1]);
	ask_when_full(both[0], writer);
	expect_all_lines(both[0]);
	expect_text(both[0], stats);
	expect_end(writer);
	close(both[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_end_at_multiples),
		cmocka_unit_test(test_full_disk_takes_half_a_line),
		cmocka_unit_test(test_statistics_while_waiting),
		cmocka_unit_test(test_statistics_between_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
