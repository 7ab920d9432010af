// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which function prints a record in which format.
 */
#include "user/format/format.h"

void format_header(struct buffer *out, enum format format, const struct format_style *style)
{
	if (format == FORMAT_TEXT)
		format_text_header(out, style);
	else if (format == FORMAT_CSV)
		format_csv_header(out);
}

void format_record(struct buffer *out, enum format format, const struct format_style *style, const struct record *r)
{
	switch (format) {
	case FORMAT_TEXT:
		format_text(out, style, r);
		break;
	case FORMAT_JSON:
		format_json(out, r);
		break;
	case FORMAT_CSV:
		format_csv(out, r);
		break;
	case FORMAT_LADDER:
		format_ladder(out, style, r);
		break;
	}
}
