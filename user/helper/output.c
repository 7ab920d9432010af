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
	const char *path; /* NULL: there is no such file; standard output is as the caller left it */
	const char *what; /* goes there, in messages */
	int fd;           /* stays the same: each next file is put in its place */
	int directory;
	struct output_name name; /* the helper's copy goes on; the program's stays at the first file */
	uint64_t size, period;   /* bytes and ns after which the next file is due; 0: never */
	uint64_t began;          /* ns of CLOCK_MONOTONIC, when the present file was due */
	uint64_t not_before;     /* ns of CLOCK_MONOTONIC: after a failure */
	unsigned long failures;
	bool reopen; /* SIGHUP was received */
} outputs[OUTPUTS];

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
	struct output *o = context;
	bool next = question->request == HELPER_NEXT_FILE;

	if (question->file >= OUTPUTS || !o[question->file].path)
		return -EINVAL;
	o += question->file;
	return helper_reply_descriptor(reply, next ? open_next(o) : open_file(o, O_APPEND));
}

/* ---- starting ---- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return S_ISREG(a->st_mode) && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_read(const struct stat *file, const struct options *options)
{
	struct stat other;

	for (unsigned i = 0; i < options->files.count; i++)
		if (!stat(options->files.paths[i], &other) && is_same_file(file, &other))
			return true;
	return false;
}

static bool is_open_as(const struct stat *file, int fd)
{
	struct stat other;

	return fd >= 0 && !fstat(fd, &other) && is_same_file(file, &other);
}

/* Is it a file that the program reads, or writes something else to? */
static bool is_in_use(const struct output *o, int fd, const struct options *options)
{
	struct stat file;

	if (fstat(fd, &file))
		return false;
	return is_read(&file, options) || (o != &outputs[OUTPUT_RECORDS] && is_open_as(&file, STDOUT_FILENO));
}

bool output_is_in_use(const struct stat *file, const struct options *options)
{
	return is_read(file, options) || is_open_as(file, STDOUT_FILENO) ||
	       is_open_as(file, output_descriptor(OUTPUT_PACKETS));
}

/* The first file is emptied only when it is known to be nothing else. A descriptor or a negative errno. */
static int open_first(struct output *o, const struct options *options)
{
	int err = output_name_next(&o->name, time(NULL)), fd = err ? err : open_file(o, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	err = is_in_use(o, fd, options) ? -EBUSY : 0;
	if (!err && !fstat(fd, &st) && S_ISREG(st.st_mode) && ftruncate(fd, 0))
		err = -errno;
	if (err)
		close(fd);
	return err ? err : fd;
}

/* Standard output keeps its number; another file's lies above, where the helper closes nothing. */
static int take_descriptor(struct output *o, int fd)
{
	int to = o->fd < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : dup2(fd, o->fd);
	int err = to < 0 ? -errno : 0;

	close(fd);
	if (!err)
		o->fd = to;
	return err;
}

/* The first file; those after it are the helper's. 0 or a negative errno. */
static int start(struct output *o, const struct options *options)
{
	int err, fd;

	o->directory = directory_of(o->path, &o->name.form);
	err = o->directory < 0 ? o->directory : 0;
	o->name.dated = o->period;
	fd = err ? err : open_first(o, options);
	err = fd < 0 ? fd : take_descriptor(o, fd);
	helper_offer(HELPER_NEXT_FILE, answer, outputs);
	helper_offer(HELPER_SAME_FILE, answer, outputs);
	helper_give(o->directory);
	return err;
}

const char *output_fault(int err)
{
	if (err == -EINVAL)
		return "a file's name is neither empty nor has it a slash in it";
	if (err == -ENOTSUP)
		return "is no regular file";
	return err == -EBUSY ? "is read, or written to for something else; give another file" : strerror(-err);
}

static int start_output(enum output_file which, const char *path, const char *what, const struct options *options)
{
	struct output *o = &outputs[which];
	int err;

	*o = (struct output){.what = what,
			     .fd = which == OUTPUT_RECORDS ? STDOUT_FILENO : -1,
			     .size = options->file_size,
			     .period = options->file_period,
			     .began = clock_ns(CLOCK_MONOTONIC)};
	if (!path)
		return EXIT_FINE;
	tzset(); /* the helper may not read the time zone's file later */
	o->path = path;
	err = start(o, options);
	if (err) {
		log_error("%s: %s", path, output_fault(err));
		return EXIT_RUNTIME;
	}
	stop_hangup_reopens();
	return EXIT_FINE;
}

int output_start(const struct options *options)
{
	int code = start_output(OUTPUT_RECORDS, options->output, "records go", options);

	return code ? code : start_output(OUTPUT_PACKETS, options->packets, "packets go", options);
}

int output_descriptor(enum output_file which)
{
	return outputs[which].fd;
}

/* ---- the program's side ---- */

static bool is_full(const struct output *o, size_t waiting)
{
	off_t at = o->size ? lseek(o->fd, 0, SEEK_CUR) : 0;

	return o->size && at >= 0 && (uint64_t)at + waiting >= o->size;
}

static bool is_over(const struct output *o, uint64_t now)
{
	return o->period && now - o->began >= o->period;
}

/* A signal is for all files, whichever asks first. */
bool output_hangup(enum output_file which)
{
	if (outputs[which].path && stop_hangup_taken())
		for (unsigned i = 0; i < OUTPUTS; i++)
			outputs[i].reopen = outputs[i].path;
	return outputs[which].reopen;
}

bool output_due(enum output_file which, size_t waiting)
{
	const struct output *o = &outputs[which];
	uint64_t now;

	if (!o->path)
		return false;
	if (!output_hangup(which) && !o->period && !is_full(o, waiting))
		return false;
	now = clock_ns(CLOCK_MONOTONIC);
	return now >= o->not_before && (o->reopen || is_over(o, now) || is_full(o, waiting));
}

static bool turn_failed(struct output *o, int err)
{
	if (!o->failures++)
		log_error("cannot open the next file of %s: %s: %s on to the present one", o->path, strerror(-err),
			  o->what);
	o->not_before = clock_ns(CLOCK_MONOTONIC) + SECOND_NS;
	return false;
}

/* Periods follow each other without drift; those in which nothing was written have no file. */
static void begin_period(struct output *o)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (o->period)
		o->began += (now - o->began) / o->period * o->period;
}

bool output_turn(enum output_file which)
{
	struct output *o = &outputs[which];
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	bool next = is_over(o, now) || is_full(o, 0);
	const struct helper_question question = {.request = next ? HELPER_NEXT_FILE : HELPER_SAME_FILE, .file = which};
	int fd = helper_ask_descriptor(&question);
	int err = fd < 0 ? fd : take_descriptor(o, fd);

	if (err)
		return turn_failed(o, err);
	o->reopen = false;
	if (next)
		begin_period(o);
	return lseek(o->fd, 0, SEEK_END) == 0;
}

void output_note_failures(void)
{
	for (const struct output *o = outputs; o < outputs + OUTPUTS; o++)
		if (o->failures)
			log_error("%lu times no new file of %s could be opened", o->failures, o->path);
}
