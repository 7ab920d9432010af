/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of groups as text: a line that says of what, a heading, a line for each group, for the others and for all.
 */
#ifndef TCPFIN_TABLE_TEXT_H
#define TCPFIN_TABLE_TEXT_H

#include "user/top/span.h"

struct table_style {
	unsigned width; /* of the line; 0: it has no end, and nothing is cut */
	bool unicode;   /* the locale's character set is UTF-8 */
	bool summary;   /* the span is the whole run */
};

/* The line that says when and how many; no line is wider than the style's width. */
void table_head(struct buffer *out, const struct span_view *v, const struct table_style *style);
/* Heading, groups, others, all; nothing where nothing was counted. */
void table_body(struct buffer *out, const struct span_view *v, const struct table_style *style);

#endif
