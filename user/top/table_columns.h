/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The columns of a table of groups: which of them fit into a line of which width, and their values.
 */
#ifndef TCPFIN_TABLE_COLUMNS_H
#define TCPFIN_TABLE_COLUMNS_H

#include "user/top/span.h"

#define TABLE_NARROWEST 40

/* The columns of counts and durations, in the order in which they are printed; those of groups stand before them. */
enum table_column {
	TABLE_CONNECTIONS,
	TABLE_RATE,
	TABLE_SHARE,
	TABLE_GRACEFUL, /* the outcomes follow in the order of enum outcome */
	TABLE_RESET,
	TABLE_REFUSED,
	TABLE_HANDSHAKE_RESET,
	TABLE_UNANSWERED,
	TABLE_UNFINISHED,
	TABLE_OPEN,
	TABLE_UNKNOWN,
	TABLE_HALF_CLOSED,
	TABLE_STUCK,
	TABLE_BY_SOURCE, /* closers, in the order of enum role */
	TABLE_BY_DESTINATION,
	TABLE_BY_BOTH,
	TABLE_BY_NOBODY,
	TABLE_BY_NETWORK,
	TABLE_WAIT_SOURCE, /* who was left in TIME-WAIT */
	TABLE_WAIT_DESTINATION,
	TABLE_TIMINGS, /* two columns for each of enum timing: p50, p99 */
	TABLE_COLUMNS = TABLE_TIMINGS + 2 * TIMINGS
};

/* One column of a line. */
struct table_cell {
	unsigned begin, width; /* terminal columns */
	bool group;            /* `which` is the number of a group field in the list, else an enum table_column */
	unsigned which;
};

struct table_layout {
	unsigned width; /* of the line; 0: it has no end, and nothing is cut */
	struct table_cell cells[GROUP_FIELDS + TABLE_COLUMNS];
	unsigned count;
};

/* Chooses columns for the view's rows. A width below TABLE_NARROWEST is taken as that. */
void table_layout(struct table_layout *l, const struct span_view *v, unsigned width);

const char *table_title(const struct table_cell *cell, const struct span *s);
/* Appends the column's value of a group. total: what shares are of. */
void table_value(struct buffer *out, enum table_column column, const struct tally *t, const struct tally *total,
		 uint64_t duration);
/* Appends the cell of the row; "-" where the record does not know the value. */
void table_group(struct buffer *out, const struct span_view *v, unsigned row, unsigned field);

#endif
