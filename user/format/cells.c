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

void cell_spaces(struct buffer *out, unsigned n)
{
	memset(buffer_room(out, n), ' ', n);
	out->len += n;
}
