// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A column is taken with its least width while the line has room, in the order of rank. What is left over goes to those
 * that can use more, in an order of its own.
 */
#include "user/format/text_columns.h"

#include <stddef.h>

#define WIDE 100 /* lines from there on have two blanks between columns */
#define LONGEST_ENDPOINT 47
#define LAST_NEEDED 3 /* rank */
#define REST 1000     /* as much as there is */

static const struct {
	const char *name, *title;
	unsigned least, most; /* width */
	unsigned rank;        /* the least is taken first; 0: only if chosen */
} columns[TEXT_COLUMNS] = {
	[TEXT_DATE] = {"date", "DATE", 10, 10, 0},
	[TEXT_TIME] = {"time", "TIME", 8, 15, 4},
	[TEXT_INTERFACE] = {"interface", "INTERFACE", 9, 15, 6},
	[TEXT_SOURCE] = {"source", "SOURCE", TEXT_ENDPOINT, LONGEST_ENDPOINT, 1},
	[TEXT_DESTINATION] = {"destination", "DESTINATION", TEXT_ENDPOINT, LONGEST_ENDPOINT, 2},
	[TEXT_OUTCOME] = {"outcome", "OUTCOME", 15, 36, 3},
	[TEXT_CLOSER] = {"closer", "CLOSER", 7, 11, 5},
	[TEXT_FIN_TO_ACK] = {"fin_to_ack", "FIN>ACK", 7, 7, 11},
	[TEXT_HALF_CLOSED] = {"half_closed", "HALF-CLOSED", 11, 11, 10},
	[TEXT_PEER_FIN_TO_ACK] = {"peer_fin_to_ack", "FIN2>ACK", 8, 8, 12},
	[TEXT_CLOSE] = {"close", "CLOSE", 7, 7, 0},
	[TEXT_LIFETIME] = {"lifetime", "LIFETIME", 8, 8, 8},
	[TEXT_SOURCE_BYTES] = {"source_bytes", ">BYTES", 7, 7, 13},
	[TEXT_DESTINATION_BYTES] = {"destination_bytes", "<BYTES", 7, 7, 14},
	[TEXT_PROCESS] = {"process", "PROCESS", 16, 32, 7},
	[TEXT_UNIT] = {"unit", "UNIT", 16, 40, 0},
	[TEXT_CONTAINER] = {"container", "CONTAINER", 13, 27, 0},
	[TEXT_NOTES] = {"notes", "NOTES", 18, 24, 15},
	[TEXT_FLAGS] = {"flags", "FLAGS", 27, REST, 9},
};

static const enum text_column growing[] = {TEXT_OUTCOME,   TEXT_CLOSER,    TEXT_PROCESS, TEXT_UNIT,
					   TEXT_CONTAINER, TEXT_NOTES,     TEXT_SOURCE,  TEXT_DESTINATION,
					   TEXT_TIME,      TEXT_INTERFACE, TEXT_FLAGS};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *text_column_name(unsigned column)
{
	return columns[column].name;
}

const char *text_column_title(enum text_column column)
{
	return columns[column].title;
}

static unsigned gap(const struct text_layout *l)
{
	return l->width && l->width < WIDE ? 1 : 2;
}

/* Columns that the cells take with the gaps between them. */
static unsigned used(const struct text_layout *l)
{
	unsigned sum = l->count ? (l->count - 1) * gap(l) : 0;

	for (unsigned i = 0; i < l->count; i++)
		sum += l->cells[i].width;
	return sum;
}

static unsigned room(const struct text_layout *l)
{
	unsigned taken = used(l);

	return taken < l->width ? l->width - taken : 0;
}

static void add(struct text_layout *l, enum text_column column)
{
	l->cells[l->count++] = (struct text_cell){.column = column, .width = columns[column].least};
}

/* The ends and the outcome are there on every line; another column if the line has room for it. */
static void add_if_fits(struct text_layout *l, enum text_column column)
{
	struct text_layout with = *l;

	add(&with, column);
	if (!l->width || used(&with) <= l->width || columns[column].rank <= LAST_NEEDED)
		*l = with;
}

/* Puts the cells into the order of enum text_column. */
static void sort(struct text_layout *l)
{
	for (unsigned i = 1; i < l->count; i++)
		for (unsigned j = i; j && l->cells[j - 1].column > l->cells[j].column; j--) {
			struct text_cell cell = l->cells[j];

			l->cells[j] = l->cells[j - 1];
			l->cells[j - 1] = cell;
		}
}

static void take_ranked(struct text_layout *l, unsigned without)
{
	for (unsigned rank = 1; rank <= TEXT_COLUMNS; rank++)
		for (unsigned column = 0; column < TEXT_COLUMNS; column++)
			if (columns[column].rank == rank && !(without & 1u << column))
				add_if_fits(l, column);
	if (!l->width) /* it has no line of its own where the day changes */
		add(l, TEXT_DATE);
	sort(l);
}

static struct text_cell *find(struct text_layout *l, enum text_column column)
{
	for (unsigned i = 0; i < l->count; i++)
		if (l->cells[i].column == column)
			return &l->cells[i];
	return NULL;
}

/* On a line that is too narrow for two addresses they share what the outcome leaves. */
static void shrink(struct text_layout *l)
{
	static const enum text_column ends[] = {TEXT_SOURCE, TEXT_DESTINATION};

	for (unsigned i = 0; i < COUNT(ends); i++) {
		struct text_cell *cell = find(l, ends[i]);
		unsigned over = used(l) > l->width ? used(l) - l->width : 0;

		if (cell && i == 0)
			over = (over + 1) / 2;
		if (cell && over)
			cell->width = over + 11 < cell->width ? cell->width - over : 11;
	}
}

/* Gives what is left over to the columns that can use it. */
static void grow(struct text_layout *l)
{
	for (unsigned i = 0; i < COUNT(growing); i++) {
		struct text_cell *cell = find(l, growing[i]);
		unsigned most = columns[growing[i]].most, more;

		if (!cell)
			continue;
		more = most - cell->width;
		cell->width += more < room(l) ? more : room(l);
	}
}

/* Without an end of the line, what people compare has its full width; addresses have the one of IPv4. */
static void widen(struct text_layout *l)
{
	for (unsigned i = 0; i < l->count; i++)
		if (l->cells[i].column != TEXT_SOURCE && l->cells[i].column != TEXT_DESTINATION)
			l->cells[i].width = columns[l->cells[i].column].most;
}

static void place(struct text_layout *l)
{
	unsigned at = 0;

	for (unsigned i = 0; i < l->count; i++) {
		l->cells[i].begin = at;
		at += l->cells[i].width + gap(l);
		if (l->width && l->cells[i].begin + l->cells[i].width > l->width)
			l->cells[i].width = l->cells[i].begin < l->width ? l->width - l->cells[i].begin : 0;
		if (l->width && l->cells[i].begin >= l->width)
			l->count = i; /* no room for it and those that follow */
	}
	if (l->count && !l->width)
		l->cells[l->count - 1].width = 0;
}

void text_layout_fit(struct text_layout *l, unsigned width, const enum text_column *chosen, unsigned count,
		     unsigned without)
{
	*l = (struct text_layout){.width = width && width < TEXT_NARROWEST ? TEXT_NARROWEST : width};
	for (unsigned i = 0; i < count; i++)
		add(l, chosen[i]);
	if (!count)
		take_ranked(l, without);
	if (l->width) {
		shrink(l);
		grow(l);
	} else {
		widen(l);
	}
	place(l);
}
