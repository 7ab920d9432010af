/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing byte buffer and the few append operations that formats need. Where memory is short, exit(EXIT_RUNTIME)
 * follows a message: a record must never be cut silently.
 */
#ifndef TCPFIN_BUFFER_H
#define TCPFIN_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
	char *data; /* owned; not NUL-terminated */
	size_t len, cap;
	size_t begun; /* bytes of the first line that sink_write_blocks has already written */
};

void buffer_free(struct buffer *b);
/* Makes room for more than `more` bytes behind len. */
void buffer_grow(struct buffer *b, size_t more);

/*
 * Returns where the next `more` bytes go; the caller raises len. Inline, as the two functions below, because formats do
 * little else.
 */
static inline char *buffer_room(struct buffer *b, size_t more)
{
	if (b->cap - b->len <= more)
		buffer_grow(b, more);
	return b->data + b->len;
}

static inline void buffer_bytes(struct buffer *b, const void *data, size_t len)
{
	if (!len) /* data may be NULL then */
		return;
	memcpy(buffer_room(b, len), data, len);
	b->len += len;
}

static inline void buffer_char(struct buffer *b, char c)
{
	*buffer_room(b, 1) = c;
	b->len++;
}

/* Inline, so that the length of a constant is one. */
static inline void buffer_text(struct buffer *b, const char *text)
{
	buffer_bytes(b, text, strlen(text));
}

/* buffer_unsigned for numbers of any length. */
void buffer_long(struct buffer *b, uint64_t n);

static inline void buffer_unsigned(struct buffer *b, uint64_t n)
{
	if (n < 10) /* most are */
		buffer_char(b, (char)('0' + n));
	else
		buffer_long(b, n);
}

/* Appends the last `digits` decimal digits of n, with leading zeroes. */
void buffer_digits(struct buffer *b, uint64_t n, unsigned digits);
void buffer_signed(struct buffer *b, int64_t n);
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends spaces until the text from `start` on has `column` bytes; at least one space. */
void buffer_pad(struct buffer *b, size_t start, size_t column);
/*
 * The functions below are for text from outside (names). Invalid UTF-8, control characters and those that are not
 * seen but change what is (U+202E, U+2028) reach no output.
 *
 * buffer_printable: their bytes become \xNN.
 */
void buffer_printable(struct buffer *b, const char *text);
/* Appends a quoted JSON string (RFC 8259); invalid UTF-8 becomes U+FFFD, the others \uNNNN. */
void buffer_json_string(struct buffer *b, const char *text);
/* Appends a quoted CSV field (RFC 4180), as buffer_printable; an apostrophe comes before what would be a formula. */
void buffer_csv_string(struct buffer *b, const char *text);
/* Appends text of HTML, or of an attribute in quotes, as buffer_printable. */
void buffer_html(struct buffer *b, const char *text);
/* The same of bytes that were made printable already. */
void buffer_html_bytes(struct buffer *b, const char *bytes, size_t len);

#endif
