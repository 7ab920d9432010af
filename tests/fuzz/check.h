/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Promises about every record and every byte of output, whatever the packets were. A check that fails ends the program.
 * The checks share no code with the writers.
 */
#ifndef TCPFIN_FUZZ_CHECK_H
#define TCPFIN_FUZZ_CHECK_H

#include "user/format/format.h"

/* The verdict's parts agree with each other. */
void check_record(const struct record *r);
/* UTF-8 without control characters except newlines, with `crlf` CR before them, and with `color` SGR sequences. */
void check_printable(const char *text, size_t len, bool color, bool crlf);
/* Lines of JSON (RFC 8259), each one object without a name twice. Returns how many. */
unsigned check_json_lines(const char *text, size_t len);
/* Lines of CSV (RFC 4180) that all have as many fields as the first. Returns how many. */
unsigned check_csv_lines(const char *text, size_t len);
/* The record in every format. */
void check_formats(const struct record *r, const struct format_style *style);

#endif
