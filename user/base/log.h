/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages on stderr. Each call writes one whole line at once, "PROGRAM: MESSAGE", and escapes every control byte and
 * malformed character in it: arguments may be names from outside. Where stderr is systemd's journal, each line begins
 * with its priority as sd-daemon(3) has it: 3 errors, 4 warnings, 5 all else. Records on stdout have 6.
 */
#ifndef TCPFIN_LOG_H
#define TCPFIN_LOG_H

#include <stdbool.h>

#include "user/base/buffer.h"

/* program: the prefix of every line, not copied; "tcpfin-trace" before the call. quiet: log_note prints nothing. */
void log_init(const char *program, bool quiet);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes whole lines that are escaped already, such as a summary, and empties the buffer. */
void log_lines(struct buffer *lines);

#endif
