/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holds for every record and every byte of output, whatever the packets were. Each check ends the program where it
 * does not hold. Shares no code with what writes the output.
 */
#ifndef TCPFIN_FUZZ_CHECK_H
#define TCPFIN_FUZZ_CHECK_H

#include "user/format/format.h"

/* The verdict's parts agree with each other. */
void check_record(const struct record *r);
/* Text is UTF-8 without control characters; but newlines, CR before them with crlf, and SGR sequences with color. */
void check_printable(const char *text, size_t len, bool color, bool crlf);
/* Lines of JSON (RFC 8259), each one object without a name twice. Returns how many. */
unsigned check_json_lines(const char *text, size_t len);
/* Lines of CSV (RFC 4180) that all have as many fields as the first. Returns how many. */
unsigned check_csv_lines(const char *text, size_t len);
/* The record in every format. */
void check_formats(const struct record *r, const struct format_style *style);

#endif
