/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records to bytes. Formats are pure: they append to a buffer and know of no file, terminal or clock.
 */
#ifndef TCPFIN_FORMAT_H
#define TCPFIN_FORMAT_H

#include "user/base/buffer.h"
#include "user/format/formats.h"
#include "user/format/text_columns.h"
#include "user/record/record.h"

struct format_style {
	bool color;                /* colour only repeats what the text says */
	bool unicode;              /* the locale's character set is UTF-8 */
	bool verbose;              /* text and ladder: the sentence that explains the verdict */
	unsigned columns;          /* ladder: width to fit, at least 60 */
	struct text_layout layout; /* text; without cells: lines have no end */
};

/* The header line of text and CSV; nothing for JSON and ladder. */
void format_header(struct buffer *out, enum format format, const struct format_style *style);
/* One record, its last newline included. */
void format_record(struct buffer *out, enum format format, const struct format_style *style, const struct record *r);

/*
 * Text has a line with the date between records of different days, unless a column has it. *day: of the record before,
 * 0 before the first one; set to that of r.
 */
void format_text_day(struct buffer *out, const struct format_style *style, const struct record *r, int *day);

void format_text_header(struct buffer *out, const struct format_style *style);
void format_text(struct buffer *out, const struct format_style *style, const struct record *r);
void format_json(struct buffer *out, const struct record *r);
void format_csv_header(struct buffer *out);
void format_csv(struct buffer *out, const struct record *r);
void format_ladder(struct buffer *out, const struct format_style *style, const struct record *r);
/* One sentence (no newline) that explains the verdict from its numbers. */
void format_explanation(struct buffer *out, const struct record *r);

#endif
