// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The byte buffer behind every format. Integers are printed by hand, two digits a step, because records are mostly
 * integers; text from outside goes through one UTF-8 decoder, whatever it is escaped for.
 */
#include "user/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/exit_code.h"
#include "user/base/utf8.h"

#define FIRST_CAPACITY 4096

static _Noreturn void buffer_out_of_memory(void)
{
	fputs("tcpfin-trace: out of memory\n", stderr);
	exit(EXIT_RUNTIME);
}

void buffer_grow(struct buffer *b, size_t more)
{
	size_t cap = b->cap ? b->cap : FIRST_CAPACITY;
	char *data;

	while (cap - b->len <= more) {
		if (cap > SIZE_MAX / 2)
			buffer_out_of_memory();
		cap *= 2;
	}
	data = realloc(b->data, cap);
	if (!data)
		buffer_out_of_memory();
	b->data = data;
	b->cap = cap;
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}

/* n bits make n * log10(2) digits or one more; 1233 / 4096 is log10(2), exact enough for 64 bits. */
static unsigned decimal_digits(uint64_t n)
{
	/* powers[n] is the least number of n + 1 digits */
	static const uint64_t powers[] = {
		0,
		10,
		100,
		1000,
		10000,
		100000,
		1000000,
		10000000,
		100000000,
		1000000000,
		10000000000,
		100000000000,
		1000000000000,
		10000000000000,
		100000000000000,
		1000000000000000,
		10000000000000000,
		100000000000000000,
		1000000000000000000,
		10000000000000000000U,
	};
	unsigned bits = 64 - (unsigned)__builtin_clzll(n | 1), digits = bits * 1233 / 4096;

	return digits + (n >= powers[digits]);
}

void buffer_long(struct buffer *b, uint64_t n)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	unsigned digits = decimal_digits(n);
	char *p = buffer_room(b, digits) + digits;

	b->len += digits;
	while (n >= 10) {
		p -= 2;
		memcpy(p, pairs + n % 100 * 2, 2);
		n /= 100;
	}
	if (digits & 1)
		*--p = '0' + n;
}

void buffer_digits(struct buffer *b, uint64_t n, unsigned digits)
{
	char *first = buffer_room(b, digits), *p = first + digits;

	b->len += digits;
	for (; p > first; n /= 10)
		*--p = '0' + n % 10;
}

void buffer_signed(struct buffer *b, int64_t n)
{
	if (n < 0)
		buffer_char(b, '-');
	buffer_unsigned(b, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	char *end = buffer_room(b, 0);
	va_list first, again;
	int len;

	va_start(first, format);
	va_copy(again, first);
	len = vsnprintf(end, b->cap - b->len, format, first);
	if (len < 0)
		buffer_out_of_memory();
	if ((size_t)len >= b->cap - b->len)
		vsnprintf(buffer_room(b, len), (size_t)len + 1, format, again);
	b->len += len;
	va_end(again);
	va_end(first);
}

void buffer_pad(struct buffer *b, size_t start, size_t column)
{
	size_t at = b->len - start, spaces = at < column ? column - at : 1;

	memset(buffer_room(b, spaces), ' ', spaces);
	b->len += spaces;
}

/*
 * What text from outside must not bring into any output: the only list of it. Terminals act on C0, DEL and C1; the
 * others are not seen, and change the order or the lines of what is (Unicode's Bidi_Control, line and paragraph
 * separators, joiners, fillers, tags).
 */
static const struct {
	int32_t first, last;
} harmful[] = {
	{0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x115f, 0x1160},
	{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
	{0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
};

static bool is_harmful(int32_t c)
{
	if (c >= 0x20 && c < 0x7f) /* most are */
		return false;
	for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++)
		if (c >= harmful[i].first && c <= harmful[i].last)
			return true;
	return false;
}

/* As JSON has it: above U+FFFF as two surrogates. */
static void json_escape(struct buffer *b, uint32_t c)
{
	if (c > 0xffff) {
		c -= 0x10000;
		buffer_printf(b, "\\u%04x", 0xd800 | c >> 10);
		c = 0xdc00 | (c & 0x3ff);
	}
	buffer_printf(b, "\\u%04x", c);
}

void buffer_printable(struct buffer *b, const char *text)
{
	const unsigned char *p = (const unsigned char *)text, *from;
	int32_t c;

	while (*p) {
		from = p;
		c = utf8_next(&p);
		if (c >= 0 && !is_harmful(c)) {
			buffer_bytes(b, from, p - from);
			continue;
		}
		for (; from < p; from++)
			buffer_printf(b, "\\x%02x", *from);
	}
}

/* RFC 8259 asks for less to be escaped, but the reader of a JSON line may be a terminal. */
void buffer_json_string(struct buffer *b, const char *text)
{
	const unsigned char *p = (const unsigned char *)text, *from;
	int32_t c;

	buffer_char(b, '"');
	while (*p) {
		from = p;
		c = utf8_next(&p);
		if (c < 0) {
			buffer_text(b, "\xef\xbf\xbd"); /* U+FFFD */
		} else if (is_harmful(c)) {
			json_escape(b, (uint32_t)c);
		} else {
			if (c == '"' || c == '\\')
				buffer_char(b, '\\');
			buffer_bytes(b, from, p - from);
		}
	}
	buffer_char(b, '"');
}

/*
 * Spreadsheets take such a cell for a formula (=1+1, @SUM(1)), the full-width forms of the signs included. An
 * apostrophe makes it text.
 */
static bool is_formula(const char *text)
{
	static const char *const signs[] = {"=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (!strncmp(text, signs[i], strlen(signs[i])))
			return true;
	return false;
}

void buffer_csv_string(struct buffer *b, const char *text)
{
	size_t start = b->len + 1, quotes = 0;

	buffer_char(b, '"');
	if (is_formula(text + strspn(text, " ")))
		buffer_char(b, '\'');
	buffer_printable(b, text);
	for (size_t i = start; i < b->len; i++)
		quotes += b->data[i] == '"';
	buffer_room(b, quotes);
	b->len += quotes;
	for (size_t from = b->len - quotes, to = b->len; quotes;) {
		b->data[--to] = b->data[--from];
		if (b->data[from] == '"') {
			b->data[--to] = '"';
			quotes--;
		}
	}
	buffer_char(b, '"');
}

/* These characters begin and end what is not text: HTML Standard, section 13.2.5. */
void buffer_html_bytes(struct buffer *b, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		switch (bytes[i]) {
		case '&':
			buffer_text(b, "&amp;");
			break;
		case '<':
			buffer_text(b, "&lt;");
			break;
		case '>':
			buffer_text(b, "&gt;");
			break;
		case '"':
			buffer_text(b, "&quot;");
			break;
		case '\'':
			buffer_text(b, "&#39;");
			break;
		default:
			buffer_char(b, bytes[i]);
		}
	}
}

void buffer_html(struct buffer *b, const char *text)
{
	struct buffer printable = {0};

	buffer_printable(&printable, text);
	buffer_html_bytes(b, printable.data, printable.len);
	buffer_free(&printable);
}
