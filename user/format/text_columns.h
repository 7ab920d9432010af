/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The columns of the text format, and which of them fit into a line of which width.
 */
#ifndef TCPFIN_TEXT_COLUMNS_H
#define TCPFIN_TEXT_COLUMNS_H

/* In the order in which they are printed. */
enum text_column {
	TEXT_DATE,
	TEXT_TIME,
	TEXT_INTERFACE,
	TEXT_SOURCE,
	TEXT_DESTINATION,
	TEXT_OUTCOME,
	TEXT_CLOSER,
	TEXT_FIN_TO_ACK,
	TEXT_HALF_CLOSED,
	TEXT_PEER_FIN_TO_ACK,
	TEXT_CLOSE,
	TEXT_LIFETIME,
	TEXT_SOURCE_BYTES,
	TEXT_DESTINATION_BYTES,
	TEXT_PROCESS,
	TEXT_UNIT,
	TEXT_CONTAINER,
	TEXT_NOTES,
	TEXT_FLAGS,
	TEXT_COLUMNS
};

#define TEXT_NARROWEST 40 /* columns of a terminal that are always used */
#define TEXT_ENDPOINT 21  /* columns of the longest IPv4 address with a port */

struct text_layout {
	unsigned width; /* of a line; 0: lines have no end, and values are never cut */
	unsigned count;
	struct text_cell {
		enum text_column column;
		unsigned begin, width; /* width 0: up to the line's end */
	} cells[TEXT_COLUMNS];
};

/* What --columns takes, and the heading. */
const char *text_column_name(unsigned column);
const char *text_column_title(enum text_column column);

/*
 * Lays out lines of at most `width` columns, 0: of any length. chosen: columns in the order wanted; none: as many as
 * fit, those first that matter most. without: bits 1 << column of those that are only there if chosen.
 */
void text_layout_fit(struct text_layout *l, unsigned width, const enum text_column *chosen, unsigned count,
		     unsigned without);

#endif
