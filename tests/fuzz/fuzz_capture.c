// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A capture file of any bytes, through all of `-r FILE`: reader, link headers, parser, flow table, verdict, format and
 * sink. Standard output is well-formed, and stderr has at most one printable line: notes are off.
 *
 * Input: the file. Its length chooses the format, so that golden captures are seeds without a change.
 */
#define _GNU_SOURCE 1 /* memfd_create */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/capture/replay.h"
#include "user/helper/output.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

static int file_fd = -1;
static char path[32];
static char *said; /* text on stderr */
static size_t said_len;

/* Replaces the program's: the fuzzer has to write files. */
int privileges_drop_all(void)
{
	return 0;
}

/* Replace the program's, which would bring its dropping of rights along: there is no -C, -G and SIGHUP here. */
bool output_due(enum output_file which, size_t waiting)
{
	(void)which;
	(void)waiting;
	return false;
}

bool output_hangup(enum output_file which)
{
	(void)which;
	return false;
}

bool output_turn(enum output_file which)
{
	(void)which;
	return false;
}

int output_descriptor(enum output_file which)
{
	(void)which;
	return -1;
}

static void start(void)
{
	file_fd = memfd_create("capture", 0);
	expect(file_fd >= 0 && dup2(memfd_create("output", 0), STDOUT_FILENO) == STDOUT_FILENO);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	log_init("fuzz_capture", true);
}

static void rewrite(int fd, const void *data, size_t size)
{
	expect(!ftruncate(fd, 0) && lseek(fd, 0, SEEK_SET) == 0);
	expect(write(fd, data, size) == (ssize_t)size);
}

/* The source takes these signals for itself; they must go on ending the fuzzer. */
static int run_source(struct reporter *reporter, const struct options *options, uint64_t *counters)
{
	sigset_t signals, before;
	int code;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	code = replay_run(reporter, options, counters);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return code;
}

/* A translated connection is printed again without being counted; each such record names another one. */
static unsigned may_be_uncounted(const char *text, size_t len)
{
	static const char related[] = "\"related\":[";
	const char *end = text + len;
	unsigned n = 0;

	for (; (text = memmem(text, (size_t)(end - text), related, sizeof(related) - 1)); text++)
		n++;
	return n;
}

static void check_output(const struct options *options, unsigned records)
{
	off_t len = lseek(STDOUT_FILENO, 0, SEEK_END);
	char *text = len ? mmap(NULL, (size_t)len, PROT_READ, MAP_SHARED, STDOUT_FILENO, 0) : NULL;
	unsigned lines;

	expect(text != MAP_FAILED);
	if (!len) {
		expect(!records);
	} else if (options->format == FORMAT_JSON) {
		lines = check_json_lines(text, (size_t)len);
		expect(lines >= records && lines <= records + may_be_uncounted(text, (size_t)len));
	} else if (options->format == FORMAT_CSV) {
		expect(check_csv_lines(text, (size_t)len) > records);
	} else {
		check_printable(text, (size_t)len, false, false);
	}
	if (text)
		munmap(text, (size_t)len);
	rewrite(STDOUT_FILENO, "", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *paths[] = {path};
	struct options options = {
		.files = {.paths = paths, .count = 1},
		.format = size & 3,
		.show_open = size & 4,
		.verbose = size & 8,
		.settle = 500000000,
		.syn_timeout = 10000000000,
		.close_timeout = 60000000000,
		.idle_timeout = 7200000000000,
	};
	uint64_t counters[COUNTERS] = {0};
	FILE *console = stderr;
	struct reporter reporter;
	int code;

	if (file_fd < 0)
		start();
	rewrite(file_fd, data, size);
	reporter_init(&reporter, &options);
	stderr = open_memstream(&said, &said_len);
	code = run_source(&reporter, &options, counters);
	fclose(stderr);
	stderr = console;
	expect(code == (said_len ? EXIT_RUNTIME : EXIT_FINE));
	expect(!said_len || memchr(said, '\n', said_len) == said + said_len - 1);
	check_printable(said, said_len, false, false);
	free(said);
	check_output(&options, (unsigned)reporter.summary.records);
	reporter_free(&reporter);
	return 0;
}
