/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What several formats print alike: times, addresses, the FLAGS column, names. Each function appends to the buffer.
 */
#ifndef TCPFIN_FORMAT_PARTS_H
#define TCPFIN_FORMAT_PARTS_H

#include <time.h>

#include "user/base/buffer.h"
#include "user/record/record.h"

/* ns since 1970 as RFC 3339 has it, in UTC, with nine digits of the second: 2026-11-22T06:07:35.565665123Z. */
void format_time(struct buffer *out, uint64_t ns);
/* HH:MM:SS */
void format_clock(struct buffer *out, const struct tm *tm);
/* ns since 1970 as local time; good until the next call. The zone must stay what it was at the first one. */
const struct tm *format_local_time(uint64_t ns);
/* ns since 1970 as the local date: YYYY-MM-DD */
void format_date(struct buffer *out, uint64_t ns);
/* ns since 1970 as local time of day: HH:MM:SS.microseconds */
void format_time_of_day(struct buffer *out, uint64_t ns);

/* family: 4 or 6; ip: network byte order, 4 or 16 bytes. IPv6 as RFC 5952 has it. */
void format_address(struct buffer *out, int family, const uint8_t *ip);
/* Address and port: 10.0.0.1:443, [2001:db8::1]:443. port: host byte order. */
void format_endpoint(struct buffer *out, int family, const uint8_t *ip, uint16_t port);

/*
 * The FLAGS column: the segments in order. ">" is from the source, "<" from the destination, then come tcpdump's
 * letters of the flags, then
 *	*N	N plain data segments or ACKs, or N equal copies
 *	~	a retransmission
 *	!	a segment that its receiver would not act on
 * "..." stands once, between the handshake and the close, for payload that no listed segment carries, or for a
 * handshake that was not seen; "(N lost)" at the end for segments that found no place in the log.
 */
void format_flags(struct buffer *out, const struct record *r);

/* Names of a list that NULL ends where it has fewer than RECORD_INTERFACES, `between` them. Any bytes: not escaped. */
void format_names(struct buffer *out, const char *const *names, char between);
/* One of the contract's words with `instead` for each of its underscores. */
void format_words(struct buffer *out, const char *word, char instead);
/*
 * What follows the name of the process that a record names at an end (socket_process): "[1234] close", "[77]+2 held".
 */
void format_deed(struct buffer *out, const struct record_socket *s);
/* A container's name, escaped for a terminal; of an identifier in hexadecimal the twelve digits that managers show. */
void format_container(struct buffer *out, const char *container);

#endif
