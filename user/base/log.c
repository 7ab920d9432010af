// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A message is formatted, escaped and written with one write.
 */
#define _GNU_SOURCE 1 /* vasprintf */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/base/buffer.h"
#include "user/base/log.h"

static const char *program = "tcpfin-trace";
static bool quiet;

void log_init(const char *name, bool no_notes)
{
	program = name;
	quiet = no_notes;
}

/* stderr is unbuffered: one fwrite is one write, so lines of several processes on one terminal do not mix. */
static void log_line(const char *format, va_list arguments)
{
	struct buffer line = {0};
	char *text;

	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
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
	log_line(format, arguments);
	va_end(arguments);
}

void log_warn(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(format, arguments);
	va_end(arguments);
}

void log_note(const char *format, ...)
{
	va_list arguments;

	if (quiet)
		return;
	va_start(arguments, format);
	log_line(format, arguments);
	va_end(arguments);
}
