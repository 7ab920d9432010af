// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Values are kept until all of them are known, so that each column is as wide as its widest one.
 */
#include <string.h>

#include "user/format/cells.h"
#include "user/host/host_grid.h"

#define GAP 2 /* blanks between columns */

static unsigned width_of(const char *text, size_t len)
{
	unsigned columns;

	cell_fitting(text, len, (unsigned)-1, &columns);
	return columns;
}

void grid_begin(struct grid *g, const struct grid_column *columns, unsigned count)
{
	*g = (struct grid){.columns = columns, .count = count};
	for (unsigned i = 0; i < count; i++)
		g->need[i] = (unsigned)strlen(columns[i].title);
}

void grid_next(struct grid *g)
{
	unsigned wide = width_of(g->text.data + g->begin, g->text.len - g->begin);
	unsigned *need = &g->need[g->values++ % g->count];

	*need = wide > *need ? wide : *need;
	buffer_char(&g->text, '\0');
	g->begin = g->text.len;
}

/* ---- which columns, and how wide ---- */

struct layout {
	unsigned width[GRID_COLUMNS]; /* 0: left out */
};

static unsigned line_width(const struct layout *l, unsigned count)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < count; i++)
		sum += l->width[i] ? l->width[i] + (sum ? GAP : 0) : 0;
	return sum;
}

static unsigned usual(const struct grid *g, unsigned i)
{
	return g->need[i] < g->columns[i].usual ? g->need[i] : g->columns[i].usual;
}

/* The column that is left out next; count: none. */
static unsigned least_wanted(const struct grid *g, const struct layout *l)
{
	unsigned found = g->count;

	for (unsigned i = 0; i < g->count; i++)
		if (l->width[i] && g->columns[i].rank &&
		    (found == g->count || g->columns[i].rank > g->columns[found].rank))
			found = i;
	return found;
}

/* The widest column that may be cut; count: none. */
static unsigned widest(const struct grid *g, const struct layout *l)
{
	unsigned found = g->count;

	for (unsigned i = 0; i < g->count; i++)
		if (l->width[i] > g->columns[i].least && (found == g->count || l->width[i] > l->width[found]))
			found = i;
	return found;
}

static struct layout lay_out(const struct grid *g, unsigned width)
{
	struct layout l = {0};
	unsigned i;

	for (i = 0; i < g->count; i++)
		l.width[i] = width ? usual(g, i) : g->need[i];
	while (width && line_width(&l, g->count) > width && (i = least_wanted(g, &l)) < g->count)
		l.width[i] = 0;
	for (i = 0; i < g->count; i++)
		l.width[i] = l.width[i] ? g->need[i] : 0;
	while (width && line_width(&l, g->count) > width && (i = widest(g, &l)) < g->count)
		l.width[i]--;
	return l;
}

/* ---- lines ---- */

/* blanks: to be put before it, and then before the next one. */
static void put_value(struct buffer *out, const char *text, unsigned width, bool unicode, unsigned *blanks)
{
	size_t len = strlen(text), start;
	unsigned columns;

	cell_spaces(out, *blanks);
	start = out->len;
	buffer_bytes(out, text, len);
	if (cell_fitting(text, len, width, &columns) < len)
		columns = cell_cut(out, unicode, start, width);
	*blanks = width - columns + GAP;
}

void grid_print(struct grid *g, struct buffer *out, unsigned width, bool unicode)
{
	const struct layout l = lay_out(g, width);
	const char *value = g->text.data;
	unsigned blanks = 0, i;

	for (i = 0; i < g->count; i++)
		if (l.width[i])
			put_value(out, g->columns[i].title, l.width[i], unicode, &blanks);
	buffer_char(out, '\n');
	i = 0;
	for (size_t n = 0; n < g->values; n++, value += strlen(value) + 1) {
		blanks = i ? blanks : 0;
		if (l.width[i])
			put_value(out, value, l.width[i], unicode, &blanks);
		if (++i < g->count)
			continue;
		buffer_char(out, '\n');
		i = 0;
	}
	buffer_free(&g->text);
}
