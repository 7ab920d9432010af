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

#include "user/base/stop.h"
#include "user/readback/record_reader.h"

struct record_file {
	struct input_file *in, own; /* in: own, or the caller's */
	bool packed;                /* it may be: its first bytes have not been looked at */
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

static struct record_file *record_file_new(struct input_file *in)
{
	struct record_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->pos = f->end = f->buffer;
	f->in = in ? in : &f->own;
	f->packed = !in;
	f->own.fd = f->own.spool = -1;
	f->reader = record_reader_new();
	if (f->reader)
		return f;
	free(f);
	return NULL;
}

int record_file_over(struct record_file **file, struct input_file *in, char *error, size_t error_size)
{
	*file = record_file_new(in);
	if (*file)
		return 0;
	refuse(error, error_size, -ENOMEM, "%s: %s", in->name, strerror(ENOMEM));
	return -ENOMEM; /* a static analyzer does not know what a function of varying arguments returns */
}

int record_file_open(struct record_file **file, const char *path, char *error, size_t error_size)
{
	struct record_file *f = *file = record_file_new(NULL);
	int err;

	if (!f)
		return refuse(error, error_size, -ENOMEM, "%s: %s", path, strerror(ENOMEM));
	err = input_file_open(f->in, path);
	if (!err)
		return 0;
	input_file_error(f->in, err, error, error_size);
	record_file_close(f);
	*file = NULL;
	return err;
}

void record_file_close(struct record_file *f)
{
	if (!f)
		return;
	input_file_close(&f->own);
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
	size_t left = (size_t)(f->end - f->pos), n;
	int got = f->packed ? input_file_unpack(f->in) : 0;

	f->packed = false;
	memmove(f->buffer, f->pos, left);
	f->pos = f->buffer;
	f->end = f->buffer + left;
	got = got < 0 ? got : input_file_fill(f->in, 1);
	if (got < 0)
		return input_file_error(f->in, got, error, size);
	f->ended = !got;
	n = input_file_left(f->in) < RECORD_LINE_MOST - left ? input_file_left(f->in) : RECORD_LINE_MOST - left;
	memcpy(f->end, f->in->pos, n);
	f->in->pos += n;
	f->end += n;
	return 0;
}

/* The next line, NUL-terminated, without its newline. 1, 0 at the end, or a negative errno. */
static int next_line(struct record_file *f, char **line, size_t *len, char *error, size_t size)
{
	char *newline;
	int err;

	while (!(newline = memchr(f->pos, '\n', (size_t)(f->end - f->pos))) && !f->ended) {
		if (f->end - f->pos == RECORD_LINE_MOST) {
			refuse(error, size, -EBADMSG, "%s:%llu: longer than 256 KiB, no line of JSON", f->in->name,
			       (unsigned long long)f->line + 1);
			return -EBADMSG; /* see record_file_over */
		}
		err = read_more(f, error, size);
		if (err < 0)
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
			return refuse(error, size, -EBADMSG, "%s:%llu: no readable record: %s", f->in->name,
				      (unsigned long long)f->line, why);
		}
	}
	return got;
}
