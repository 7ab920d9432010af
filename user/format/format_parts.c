// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What several formats print alike. Times and addresses are written by hand: a record has up to twenty of them, and the
 * C library takes several times as long.
 */
#include "user/format/format_parts.h"

#include <arpa/inet.h>
#include <string.h>

#include "user/base/clock.h"

#define SECONDS_PER_DAY 86400U
#define CONTAINER_ID 64 /* digits */
#define CONTAINER_SHORT 12

/* ---- times ---- */

/* `width` digits of n, at p. */
static void put_digits(char *p, int width, uint32_t n)
{
	while (width--) {
		p[width] = '0' + n % 10;
		n /= 10;
	}
}

/*
 * The date of a day since 1970 as YYYY-MM-DD, at p. Years are counted from March on, so that the leap day is a year's
 * last day; the lengths of the months repeat every 153 days = 5 months.
 */
static void put_date(char *p, uint32_t days)
{
	uint32_t day = days + 719468; /* since 0000-03-01 */
	uint32_t century = (4 * day + 3) / 146097, year, month;

	day -= 146097 * century / 4;
	year = (4 * day + 3) / 1461;
	day -= 1461 * year / 4;
	month = (5 * day + 2) / 153; /* 0 is March */
	day -= (153 * month + 2) / 5;
	put_digits(p, 4, 100 * century + year + (month >= 10));
	put_digits(p + 5, 2, month < 10 ? month + 3 : month - 9);
	put_digits(p + 8, 2, day + 1);
}

/* Most times of a record fall into one second, so the last second's text is kept. */
void format_time(struct buffer *out, uint64_t ns)
{
	static char text[] = "1970-01-01T00:00:00.nnnnnnnnnZ";
	static uint64_t second;

	if (ns / SECOND_NS != second) {
		uint32_t of_day;

		second = ns / SECOND_NS;
		of_day = second % SECONDS_PER_DAY;
		put_date(text, second / SECONDS_PER_DAY);
		put_digits(text + 11, 2, of_day / 3600);
		put_digits(text + 14, 2, of_day / 60 % 60);
		put_digits(text + 17, 2, of_day % 60);
	}
	put_digits(text + 20, 9, ns % SECOND_NS);
	buffer_bytes(out, text, sizeof(text) - 1);
}

void format_clock(struct buffer *out, const struct tm *tm)
{
	char *p = buffer_room(out, 8);

	put_digits(p, 2, (uint32_t)tm->tm_hour);
	p[2] = ':';
	put_digits(p + 3, 2, (uint32_t)tm->tm_min);
	p[5] = ':';
	put_digits(p + 6, 2, (uint32_t)tm->tm_sec);
	out->len += 8;
}

/* Many records end in one second, so the last second's local time is kept, and what is printed of it. */
static struct {
	time_t second;
	struct tm tm;
	char date[10], clock[8];
} local = {.second = -1};

const struct tm *format_local_time(uint64_t ns)
{
	struct buffer text = {.data = local.clock, .cap = sizeof(local.clock) + 1};

	if (local.second == (time_t)(ns / SECOND_NS))
		return &local.tm;
	local.second = (time_t)(ns / SECOND_NS);
	localtime_r(&local.second, &local.tm);
	format_clock(&text, &local.tm);
	put_digits(local.date, 4, (uint32_t)local.tm.tm_year + 1900);
	local.date[4] = local.date[7] = '-';
	put_digits(local.date + 5, 2, (uint32_t)local.tm.tm_mon + 1);
	put_digits(local.date + 8, 2, (uint32_t)local.tm.tm_mday);
	return &local.tm;
}

void format_date(struct buffer *out, uint64_t ns)
{
	format_local_time(ns);
	buffer_bytes(out, local.date, sizeof(local.date));
}

void format_time_of_day(struct buffer *out, uint64_t ns)
{
	char *p = buffer_room(out, sizeof(local.clock) + 7);

	format_local_time(ns);
	memcpy(p, local.clock, sizeof(local.clock));
	p[sizeof(local.clock)] = '.';
	put_digits(p + sizeof(local.clock) + 1, 6, (uint32_t)(ns % SECOND_NS / US_NS));
	out->len += sizeof(local.clock) + 7;
}

/* ---- addresses ---- */

/* The digits of a byte at p. Returns what is behind them. */
static char *put_byte(char *p, uint8_t n)
{
	if (n >= 100)
		*p++ = (char)('0' + n / 100);
	if (n >= 10)
		*p++ = (char)('0' + n / 10 % 10);
	*p++ = (char)('0' + n % 10);
	return p;
}

void format_address(struct buffer *out, int family, const uint8_t *ip)
{
	char text[INET6_ADDRSTRLEN], *p;

	if (family == 6) {
		buffer_text(out, inet_ntop(AF_INET6, ip, text, sizeof(text)));
		return;
	}
	p = buffer_room(out, INET_ADDRSTRLEN);
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = put_byte(p, ip[i]);
	}
	out->len = (size_t)(p - out->data);
}

void format_endpoint(struct buffer *out, int family, const uint8_t *ip, uint16_t port)
{
	if (family == 6)
		buffer_char(out, '[');
	format_address(out, family, ip);
	if (family == 6)
		buffer_char(out, ']');
	buffer_char(out, ':');
	buffer_unsigned(out, port);
}

/* ---- FLAGS ---- */

/* How many of the leading segments are the handshake. All later ones belong to the close. */
static unsigned handshake_count(const struct record *r)
{
	const struct record_segment *s = r->segments, *end = s + r->segment_count;

	bool answered = false; /* an ACK without a SYN-ACK before it is no part of a handshake */

	while (s < end && (s->flags & TCP_SYN)) {
		answered |= s->flags & TCP_ACK;
		s++;
	}
	if (answered && s < end && s->from == SOURCE && !(s->flags & TCP_CONTROL) && !(s->mark & SEGMENT_FOLDED))
		s++;
	return s - r->segments;
}

/* A space between parts of FLAGS. start: where FLAGS begins in the buffer. */
static void put_space(struct buffer *out, size_t start)
{
	if (out->len > start)
		buffer_char(out, ' ');
}

static void put_segment(struct buffer *out, size_t start, const struct record_segment *s)
{
	char text[10];
	const char *flags = flags_text(s->flags, text);
	char *p = buffer_room(out, sizeof(text) + 2);

	if (out->len > start)
		*p++ = ' ';
	*p++ = s->from == SOURCE ? '>' : '<';
	while (*flags)
		*p++ = *flags++;
	out->len = (size_t)(p - out->data);
	if (s->count > 1) {
		buffer_char(out, '*');
		buffer_unsigned(out, s->count);
	}
	if (s->mark & SEGMENT_COPY)
		buffer_char(out, '~');
	if (s->mark & SEGMENT_IGNORED)
		buffer_char(out, '!');
}

void format_flags(struct buffer *out, const struct record *r)
{
	unsigned handshake = handshake_count(r), i;
	size_t start = out->len;

	for (i = 0; i < handshake; i++)
		put_segment(out, start, &r->segments[i]);
	if (r->midstream || record_unlisted_bytes(r, SOURCE) || record_unlisted_bytes(r, DESTINATION)) {
		put_space(out, start);
		buffer_text(out, "...");
	}
	for (; i < r->segment_count; i++)
		put_segment(out, start, &r->segments[i]);
	if (r->segments_lost) {
		put_space(out, start);
		buffer_printf(out, "(%u lost)", r->segments_lost);
	}
}

/* ---- words ---- */

void format_names(struct buffer *out, const char *const *names, char between)
{
	for (unsigned i = 0; i < RECORD_INTERFACES && names[i]; i++) {
		if (i)
			buffer_char(out, between);
		buffer_text(out, names[i]);
	}
}

void format_words(struct buffer *out, const char *word, char instead)
{
	size_t len = strlen(word);
	char *p = buffer_room(out, len);

	for (size_t i = 0; i < len; i++)
		p[i] = word[i] == '_' ? instead : word[i];
	out->len += len;
}

void format_deed(struct buffer *out, const struct record_socket *s)
{
	buffer_char(out, '[');
	buffer_unsigned(out, s->process.pid);
	buffer_char(out, ']');
	if (s->process.holders > 1) {
		buffer_char(out, '+');
		buffer_unsigned(out, s->process.holders - 1);
	}
	buffer_char(out, ' ');
	buffer_text(out, s->process.holders ? "held" : how_name(s->how));
}

void format_container(struct buffer *out, const char *container)
{
	size_t len = strlen(container);

	if (len == CONTAINER_ID && strspn(container, "0123456789abcdef") == len)
		buffer_bytes(out, container, CONTAINER_SHORT);
	else
		buffer_printable(out, container);
}
