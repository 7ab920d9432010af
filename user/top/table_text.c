// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Groups are set left, numbers right, each under its heading.
 */
#include "user/top/table_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/format/cells.h"
#include "user/format/duration.h"
#include "user/format/format_parts.h"
#include "user/top/table_columns.h"

/* ---- the head ---- */

static void put_time(struct buffer *out, uint64_t ns)
{
	time_t second = (time_t)(ns / SECOND_NS);
	struct tm tm;

	localtime_r(&second, &tm);
	format_clock(out, &tm);
}

/* Appends the part behind what stands there from `start` on, if all of it fits. */
static void add_part(struct buffer *out, size_t start, unsigned width, const char *part)
{
	if (!width || out->len - start + strlen(part) <= width)
		buffer_text(out, part);
}

static void add_number(struct buffer *out, size_t start, unsigned width, const char *format, uint64_t n)
{
	char part[80];

	snprintf(part, sizeof(part), format, n);
	add_part(out, start, width, part);
}

void table_head(struct buffer *out, const struct span_view *v, const struct table_style *style)
{
	const struct span *s = v->span;
	size_t start = out->len;

	put_time(out, s->end + (uint64_t)s->wall_offset);
	buffer_text(out, style->summary ? "  all " : "  last ");
	buffer_duration(out, (int64_t)(s->end - s->start));
	add_number(out, start, style->width,
		   v->total.connections == 1 ? ": %" PRIu64 " connection" : ": %" PRIu64 " connections",
		   v->total.connections);
	if (v->total.connections)
		add_number(out, start, style->width, ", %" PRIu64 " by RST", tally_resets(&v->total));
	if (v->total.half_closed)
		add_number(out, start, style->width, ", %" PRIu64 " half-closed", v->total.half_closed);
	if (v->total.stuck)
		add_number(out, start, style->width, ", %" PRIu64 " stuck", v->total.stuck);
	if (v->error)
		add_number(out, start, style->width, "; a row may lack %" PRIu64, v->error);
	buffer_char(out, '\n');
}

/* ---- lines ---- */

/* Appends the value under its heading and empties it. at: the line's width so far. Returns the width with the cell. */
static unsigned set_cell(struct buffer *out, const struct table_cell *cell, const struct table_style *style,
			 unsigned at, struct buffer *value)
{
	unsigned columns;
	bool fits = cell_fitting(value->data, value->len, cell->width, &columns) == value->len;

	if (!fits)
		columns = cell_cut(value, style->unicode, 0, cell->width);
	cell_spaces(out, cell->begin - at + (cell->group ? 0 : cell->width - columns));
	buffer_bytes(out, value->data, value->len);
	value->len = 0;
	return cell->begin + (cell->group ? columns : cell->width);
}

static void put_heading(struct buffer *out, const struct table_layout *l, const struct span *s,
			const struct table_style *style)
{
	struct buffer value = {0};
	unsigned at = 0;

	for (unsigned i = 0; i < l->count; i++) {
		buffer_text(&value, table_title(&l->cells[i], s));
		at = set_cell(out, &l->cells[i], style, at, &value);
	}
	buffer_char(out, '\n');
	buffer_free(&value);
}

/* A line of a tally. row: of the view; label: instead of a group, for what is none. */
static void put_line(struct buffer *out, const struct table_layout *l, const struct span_view *v,
		     const struct table_style *style, const struct tally *t, unsigned row, const char *label)
{
	const struct span *s = v->span;
	struct buffer value = {0};
	unsigned at = 0;

	for (unsigned i = 0; i < l->count; i++) {
		const struct table_cell *cell = &l->cells[i];

		if (!cell->group)
			table_value(&value, (enum table_column)cell->which, t, &v->total, s->end - s->start);
		else if (!label)
			table_group(&value, v, row, cell->which);
		else if (i == 0)
			buffer_text(&value, label);
		if (value.len)
			at = set_cell(out, cell, style, at, &value);
	}
	buffer_char(out, '\n');
	buffer_free(&value);
}

static bool is_empty(const struct tally *t)
{
	return !t->connections && !t->half_closed && !t->stuck;
}

void table_body(struct buffer *out, const struct span_view *v, const struct table_style *style)
{
	struct table_layout layout;

	if (is_empty(&v->total))
		return;
	table_layout(&layout, v, style->width);
	put_heading(out, &layout, v->span, style);
	for (unsigned row = 0; row < v->rows; row++)
		put_line(out, &layout, v, style, &v->span->tally[v->row[row]], row, NULL);
	if (!is_empty(&v->other))
		put_line(out, &layout, v, style, &v->other, 0, "(other)");
	put_line(out, &layout, v, style, &v->total, 0, "(total)");
}
