// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The program decides when a new file is due; the helper knows the names and opens them, relative to the directory that
 * was opened at the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/stop.h"
#include "user/helper/directory.h"
#include "user/helper/helper.h"
#include "user/helper/output.h"
#include "user/helper/output_name.h"

static struct output {
	const char *path; /* NULL: standard output is as the caller left it */
	int directory;
	struct output_name name; /* the helper's copy goes on; the program's stays at the first file */
	uint64_t size, period;   /* bytes and ns after which the next file is due; 0: never */
	uint64_t began;          /* ns of CLOCK_MONOTONIC, when the present file was due */
	uint64_t not_before;     /* ns of CLOCK_MONOTONIC: after a failure */
	unsigned long failures;
	bool reopen; /* SIGHUP was received */
} output;

/* ---- the helper's side ---- */

static int open_file(const struct output *o, int flags)
{
	int fd = openat(o->directory, o->name.text, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);

	return fd < 0 ? -errno : fd;
}

/* The next name is taken only if its file can be opened: otherwise SIGHUP would open a file that was never written. */
static int open_next(struct output *o)
{
	struct output_name before = o->name;
	int fd = output_name_next(&o->name, time(NULL));

	fd = fd ? fd : open_file(o, O_TRUNC);
	if (fd < 0)
		o->name = before;
	return fd;
}

static int answer(void *context, const struct helper_question *question, struct helper_reply *reply)
{
	bool next = question->request == HELPER_NEXT_FILE;

	return helper_reply_descriptor(reply, next ? open_next(context) : open_file(context, O_APPEND));
}

/* ---- starting ---- */

static int replace_stdout(int fd)
{
	int err = dup2(fd, STDOUT_FILENO) < 0 ? -errno : 0;

	close(fd);
	return err;
}

/* The first file; those after it are the helper's. 0 or a negative errno. */
static int start(struct output *o, const struct options *options)
{
	int err, fd;

	o->directory = directory_of(options->output, &o->name.form);
	err = o->directory < 0 ? o->directory : 0;
	o->name.dated = o->period;
	fd = err ? err : open_next(o);
	err = fd < 0 ? fd : replace_stdout(fd);
	helper_offer(HELPER_NEXT_FILE, answer, o);
	helper_offer(HELPER_SAME_FILE, answer, o);
	helper_give(o->directory);
	return err;
}

int output_start(const struct options *options)
{
	int err;

	if (!options->output)
		return EXIT_FINE;
	output = (struct output){
		.size = options->file_size, .period = options->file_period, .began = clock_ns(CLOCK_MONOTONIC)};
	tzset(); /* the helper may not read the time zone's file later */
	err = start(&output, options);
	if (err) {
		log_error("%s: %s", options->output,
			  err == -EINVAL ? "a file's name is neither empty nor has it a slash in it" : strerror(-err));
		return EXIT_RUNTIME;
	}
	output.path = options->output;
	stop_hangup_reopens();
	return EXIT_FINE;
}

/* ---- the program's side ---- */

static bool is_full(size_t waiting)
{
	off_t at = output.size ? lseek(STDOUT_FILENO, 0, SEEK_CUR) : 0;

	return output.size && at >= 0 && (uint64_t)at + waiting >= output.size;
}

static bool is_over(uint64_t now)
{
	return output.period && now - output.began >= output.period;
}

bool output_hangup(void)
{
	output.reopen |= output.path && stop_hangup_taken();
	return output.reopen;
}

bool output_due(size_t waiting)
{
	uint64_t now;

	if (!output.path)
		return false;
	if (!output_hangup() && !output.period && !is_full(waiting))
		return false;
	now = clock_ns(CLOCK_MONOTONIC);
	return now >= output.not_before && (output.reopen || is_over(now) || is_full(waiting));
}

static bool turn_failed(int err)
{
	if (!output.failures++)
		log_error("cannot open the next file of %s: %s: records go on to the present one", output.path,
			  strerror(-err));
	output.not_before = clock_ns(CLOCK_MONOTONIC) + SECOND_NS;
	return false;
}

/* Periods follow each other without drift; those in which nothing was written have no file. */
static void begin_period(void)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (output.period)
		output.began += (now - output.began) / output.period * output.period;
}

bool output_turn(void)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	bool next = is_over(now) || is_full(0);
	const struct helper_question question = {.request = next ? HELPER_NEXT_FILE : HELPER_SAME_FILE};
	int fd = helper_ask_descriptor(&question);
	int err = fd < 0 ? fd : replace_stdout(fd);

	if (err)
		return turn_failed(err);
	output.reopen = false;
	if (next)
		begin_period();
	return lseek(STDOUT_FILENO, 0, SEEK_END) == 0;
}

void output_note_failures(void)
{
	if (output.failures)
		log_error("%lu times no new file of %s could be opened", output.failures, output.path);
}
