// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes cut into lines, and each line given to the reader of records. Memory is bounded by the longest line.
 */
#include "user/readback/record_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/input.h"
#include "user/base/stop.h"
#include "user/readback/record_reader.h"

struct record_file {
	int fd; /* -1: none, bytes come from elsewhere */
	record_bytes *read;
	void *context;
	const char *name; /* for errors: the path, not copied, or "standard input" */
	struct record_reader *reader;
	uint64_t line, others, unknown;
	char first_unknown[JSON_PATH];
	char *pos, *end; /* bytes that were read and are not taken yet */
	bool ended;
	char buffer[RECORD_LINE_MOST + 1]; /* and a NUL */
};

__attribute__((format(printf, 4, 5))) static int refuse(char *error, size_t size, int err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, size, format, arguments);
	va_end(arguments);
	return err;
}

int record_file_over(struct record_file **file, const char *name, record_bytes *read, void *context, char *error,
		     size_t error_size)
{
	struct record_file *f = calloc(1, sizeof(*f));

	*file = f;
	if (f) {
		f->pos = f->end = f->buffer;
		f->fd = -1;
		f->name = name;
		f->read = read;
		f->context = context;
		f->reader = record_reader_new();
		if (f->reader)
			return 0;
	}
	free(f);
	*file = NULL;
	refuse(error, error_size, -ENOMEM, "%s: %s", name, strerror(ENOMEM));
	return -ENOMEM; /* a static analyzer does not know what a function of varying arguments returns */
}

/* Of the file's own descriptor. */
static ssize_t read_descriptor(void *context, void *bytes, size_t size, const char **why)
{
	const struct record_file *f = context;
	ssize_t got = -1;

	(void)why;
	errno = EINTR;
	while (got < 0 && errno == EINTR && stop_go_on())
		got = read(f->fd, bytes, size);
	return got < 0 ? -errno : got;
}

int record_file_open(struct record_file **file, const char *path, char *error, size_t error_size)
{
	int err = record_file_over(file, path, read_descriptor, NULL, error, error_size);
	struct record_file *f = *file;

	if (err)
		return err;
	f->context = f;
	f->fd = input_open(path, &f->name);
	if (f->fd >= 0)
		return 0;
	err = -errno;
	record_file_close(f);
	*file = NULL;
	return refuse(error, error_size, err, "%s: %s", path, strerror(-err));
}

void record_file_close(struct record_file *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	record_reader_free(f->reader);
	free(f);
}

uint64_t record_file_others(const struct record_file *f)
{
	return f->others;
}

uint64_t record_file_unknown(const struct record_file *f, const char **first)
{
	*first = f->first_unknown;
	return f->unknown;
}

static void note_unknown(struct record_file *f)
{
	const char *path;
	unsigned count = record_reader_unknown(f->reader, &path);

	if (count && !f->unknown)
		memcpy(f->first_unknown, path, sizeof(f->first_unknown));
	f->unknown += count;
}

/* Reads behind what is there. 0, or a negative errno with a line in error. */
static int read_more(struct record_file *f, char *error, size_t size)
{
	size_t left = (size_t)(f->end - f->pos);
	const char *why = NULL;
	ssize_t got;

	memmove(f->buffer, f->pos, left);
	f->pos = f->buffer;
	f->end = f->buffer + left;
	got = f->read(f->context, f->end, RECORD_LINE_MOST - left, &why);
	if (got < 0)
		return refuse(error, size, (int)got, "%s: %s", f->name, why ? why : strerror((int)-got));
	f->ended = !got;
	f->end += got;
	return 0;
}

/* The next line, NUL-terminated, without its newline. 1, 0 at the end, or a negative errno. */
static int next_line(struct record_file *f, char **line, size_t *len, char *error, size_t size)
{
	char *newline;
	int err;

	while (!(newline = memchr(f->pos, '\n', (size_t)(f->end - f->pos))) && !f->ended) {
		if (f->end - f->pos == RECORD_LINE_MOST) {
			refuse(error, size, -EBADMSG, "%s:%llu: longer than 256 KiB, no line of JSON", f->name,
			       (unsigned long long)f->line + 1);
			return -EBADMSG; /* see record_file_over */
		}
		err = read_more(f, error, size);
		if (err)
			return err;
	}
	if (!newline && f->pos == f->end)
		return 0;
	*line = f->pos;
	*len = (size_t)((newline ? newline : f->end) - f->pos);
	f->pos = newline ? newline + 1 : f->end;
	(*line)[*len] = '\0';
	f->line++;
	return 1;
}
_Static_assert(RECORD_LINE_MOST == 256 * 1024, "number in a message");

int record_file_next(struct record_file *f, const struct record **record, char *error, size_t size)
{
	char *line = NULL, why[256];
	size_t len = 0;
	int got;

	while ((got = next_line(f, &line, &len, error, size)) > 0) {
		if (!line[strspn(line, " \t\r")])
			continue;
		switch (record_reader_take(f->reader, line, len, record, why, sizeof(why))) {
		case LINE_RECORD:
			note_unknown(f);
			return 1;
		case LINE_OTHER:
			f->others++;
			break;
		case LINE_BROKEN:
			return refuse(error, size, -EBADMSG, "%s:%llu: no readable record: %s", f->name,
				      (unsigned long long)f->line, why);
		}
	}
	return got;
}
