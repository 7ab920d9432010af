/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines on stderr. Each call is one whole line behind "PROGRAM: ", written at once, and every control byte or broken
 * character in it is escaped: arguments may be names from outside.
 */
#ifndef TCPFIN_LOG_H
#define TCPFIN_LOG_H

#include <stdbool.h>

/* program: the prefix of every line, not copied; "tcpfin-trace" before the call. quiet: log_note says nothing. */
void log_init(const char *program, bool quiet);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
