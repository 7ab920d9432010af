// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A message is formatted, escaped and written with one write.
 */
#define _GNU_SOURCE 1 /* vasprintf */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/buffer.h"
#include "user/base/log.h"
#include "user/base/sink.h"

static const char *program = "tcpfin-trace";
static bool quiet;

void log_init(const char *name, bool no_notes)
{
	program = name;
	quiet = no_notes;
}

enum priority { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5 };

/* Is stderr the stream to the journal that JOURNAL_STREAM names as DEVICE:INODE? */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char ours[48];

	if (!stream || fstat(STDERR_FILENO, &st))
		return false;
	(void)snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return !strcmp(stream, ours);
}

static void put_priority(struct buffer *b, enum priority priority)
{
	if (is_journal())
		buffer_printf(b, "<%d>", priority);
}

/* stderr is unbuffered: one fwrite is one write, so lines of several processes on one terminal do not mix. */
static void log_line(enum priority priority, const char *format, va_list arguments)
{
	struct buffer line = {0};
	char *text;

	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	put_priority(&line, priority);
	buffer_text(&line, program);
	buffer_text(&line, ": ");
	buffer_printable(&line, text ? text : format);
	buffer_char(&line, '\n');
	fwrite(line.data, 1, line.len, stderr);
	buffer_free(&line);
	free(text);
}

void log_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_ERROR, format, arguments);
	va_end(arguments);
}

void log_warn(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_WARNING, format, arguments);
	va_end(arguments);
}

void log_note(const char *format, ...)
{
	va_list arguments;

	if (quiet)
		return;
	va_start(arguments, format);
	log_line(LOG_NOTICE, format, arguments);
	va_end(arguments);
}

void log_lines(struct buffer *lines)
{
	struct buffer out = {0};
	const char *line = lines->data, *end = lines->data + lines->len;

	if (!is_journal()) {
		sink_write(STDERR_FILENO, lines);
		return;
	}
	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line)), *next = newline ? newline + 1 : end;

		buffer_printf(&out, "<%d>%.*s", LOG_NOTICE, (int)(next - line), line);
		line = next;
	}
	sink_write(STDERR_FILENO, &out);
	buffer_free(&out);
	lines->len = 0;
}
