// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Widths are those of the locale's characters: an ideograph takes two columns, a combining mark none.
 */
#define _XOPEN_SOURCE 700 /* wcwidth */
#include "user/format/cells.h"

#include <wchar.h>

/* How many bytes the text begins with that are ASCII. Nearly always all. */
static size_t ascii(const char *text, size_t len)
{
	uint64_t eight;
	size_t n = 0;

	for (; n + sizeof(eight) <= len; n += sizeof(eight)) {
		memcpy(&eight, text + n, sizeof(eight));
		if (eight & 0x8080808080808080)
			break;
	}
	while (n < len && (unsigned char)text[n] < 0x80)
		n++;
	return n;
}

size_t cell_fitting(const char *text, size_t len, unsigned width, unsigned *columns)
{
	size_t done = ascii(text, len < width ? len : width);
	mbstate_t state = {0};

	*columns = (unsigned)done;
	while (done < len) {
		wchar_t c = 0;
		size_t n = (unsigned char)text[done] < 0x80 ? 1 : mbrtowc(&c, text + done, len - done, &state);
		int wide = 1;

		if (n == 0 || n > len - done) {
			memset(&state, 0, sizeof(state));
			n = 1;
		} else if (n > 1) {
			wide = wcwidth(c);
		}
		wide = wide < 0 ? 1 : wide;
		if (*columns + (unsigned)wide > width)
			break;
		*columns += (unsigned)wide;
		done += n;
	}
	return done;
}

const char *cell_mark(bool unicode)
{
	return unicode ? "\xe2\x80\xa6" : "+";
}

unsigned cell_cut(struct buffer *out, bool unicode, size_t start, unsigned width)
{
	unsigned columns;

	out->len = start + cell_fitting(out->data + start, out->len - start, width - 1, &columns);
	buffer_text(out, cell_mark(unicode));
	return columns + 1;
}

#define FEW_SPACES 16

/* A constant number is stored faster than one that is counted: what is behind them is written over. */
void cell_spaces(struct buffer *out, unsigned n)
{
	char *p = buffer_room(out, n < FEW_SPACES ? FEW_SPACES : n);

	memset(p, ' ', FEW_SPACES);
	if (n > FEW_SPACES)
		memset(p, ' ', n);
	out->len += n;
}

/* How many bytes of the line stand before a break, so that they take at most `width` columns. */
static size_t before_break(const char *line, size_t len, unsigned width)
{
	unsigned columns;
	size_t fits = cell_fitting(line, len, width, &columns), at = fits;

	if (fits == len)
		return len;
	while (at > 0 && line[at] != ' ')
		at--;
	while (at > 0 && line[at - 1] == ' ')
		at--;
	return at ? at : fits;
}

static void wrap_line(struct buffer *out, const char *line, size_t len, unsigned width, unsigned indent)
{
	size_t part = before_break(line, len, width);

	buffer_bytes(out, line, part);
	while (part < len) {
		while (part < len && line[part] == ' ')
			part++;
		line += part;
		len -= part;
		buffer_char(out, '\n');
		cell_spaces(out, indent);
		part = before_break(line, len, width - indent);
		buffer_bytes(out, line, part);
	}
}

void cell_wrap(struct buffer *out, size_t start, unsigned width, unsigned indent)
{
	struct buffer text = {0};
	const char *line, *end;

	if (width <= indent)
		return;
	buffer_bytes(&text, out->data + start, out->len - start);
	out->len = start;
	for (line = text.data, end = text.data + text.len; line < end; line++) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *stop = newline ? newline : end;

		wrap_line(out, line, (size_t)(stop - line), width, indent);
		if (newline)
			buffer_char(out, '\n');
		line = stop;
	}
	buffer_free(&text);
}
