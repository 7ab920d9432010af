// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Output to files: whole blocks first, nothing lost or doubled, and whole lines only when a file can take no more.
 * Output to pipes that nobody reads for a while.
 */
#define _GNU_SOURCE 1 /* F_GETPIPE_SZ */
#include "tests/unit/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

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

	expect_int(lseek(fileno(f), 0, SEEK_END), start + lines * LINE);
	expect_int(fseek(f, start, SEEK_SET), 0);
	for (int i = 0; i < lines; i++) {
		assert_non_null(fgets(line, sizeof(line), f));
		expect_int(strlen(line), LINE);
		expect_int(strtol(line, NULL, 10), i % LINES);
	}
}

TEST(test_blocks_end_at_multiples)
{
	struct buffer b = {0}, head = {0};
	FILE *f = tmpfile();

	buffer_text(&head, "what was there\n");
	expect_int(sink_write(fileno(f), &head), 0);
	add_lines(&b);
	expect_int(sink_write_blocks(fileno(f), &b), 0);
	expect_int(position(f), SINK_BLOCK);
	expect_int(b.len, 15 + LINES * LINE - SINK_BLOCK);
	expect_int(sink_write_blocks(fileno(f), &b), 0); /* less than a block: nothing is due */
	expect_int(position(f), SINK_BLOCK);
	add_lines(&b);
	expect_int(sink_write_blocks(fileno(f), &b), 0);
	expect_int(position(f), 3 * SINK_BLOCK);
	expect_int(sink_write(fileno(f), &b), 0);
	expect_int(b.len, 0);
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
	expect_int(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)bytes, before.rlim_max});
	expect_int(sink_write_blocks(fileno(f), &b), 0);
	expect_int(position(f), SINK_BLOCK);
	expect_int(sink_write(fileno(f), &b), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &before);
	expect_int(b.len, 0);
	expect_lines(f, 0, whole_lines);
	buffer_free(&b);
	fclose(f);
}

TEST(test_full_disk_takes_half_a_line)
{
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
		expect_int(ioctl(pipe, FIONREAD, &filled), 0);
	}
	expect_int(kill(writer, SIGUSR1), 0);
	while (signal_pending(writer))
		usleep(1000);
}

static void expect_text(int fd, const char *text)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char got[sizeof(stats)] = "";

	expect_int(poll(&ready, 1, 10000), 1);
	expect_int(read(fd, got, sizeof(got) - 1), strlen(text));
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
		expect_int(strtol(line, NULL, 10), i);
		expect_int(line[LINE - 1], '\n');
	}
}

static void expect_end(pid_t writer)
{
	int status = -1;

	expect_int(waitpid(writer, &status, 0), writer);
	expect_int(status, 0);
}

/* SIGUSR1 is answered while the output waits for its reader. */
TEST(test_statistics_while_waiting)
{
	int output[2], error[2];
	pid_t writer;

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
TEST(test_statistics_between_lines)
{
	int both[2];
	pid_t writer;

	expect_int(pipe2(both, O_CLOEXEC), 0);
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
	return run_unit_tests(NULL, NULL);
}
