/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table that fits the terminal: columns are as wide as their values. Where the line is too short, columns are left
 * out, and what is still too wide is cut.
 */
#ifndef TCPFIN_HOST_GRID_H
#define TCPFIN_HOST_GRID_H

#include <stdbool.h>

#include "user/base/buffer.h"

#define GRID_COLUMNS 12

struct grid_column {
	const char *title;
	unsigned usual; /* terminal columns that most values need */
	unsigned least; /* it is not cut to less */
	unsigned rank;  /* left out in this order, the highest first; 0: never */
};

struct grid {
	const struct grid_column *columns; /* count of them, at most GRID_COLUMNS */
	unsigned count;
	struct buffer text; /* the values, row after row, each with a NUL behind it */
	size_t values;
	unsigned need[GRID_COLUMNS]; /* terminal columns of the widest value, the title included */
	size_t begin;                /* of the value that is being written, in text */
};

void grid_begin(struct grid *g, const struct grid_column *columns, unsigned count);
/* What was appended to g->text is the value of the row's next column. */
void grid_next(struct grid *g);
/* Appends the title and all rows, and frees them. width: of the line, 0 for no end. unicode: see cell_mark. */
void grid_print(struct grid *g, struct buffer *out, unsigned width, bool unicode);

#endif
