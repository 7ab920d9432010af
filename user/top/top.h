/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --top: a table of groups at every interval, and one of the whole run at the end.
 *
 * Times are ns of one clock that does not go back: monotonic time, or a capture's.
 */
#ifndef TCPFIN_TOP_H
#define TCPFIN_TOP_H

#include "user/cli/options.h"
#include "user/record/record.h"

struct top;

/*
 * options must outlive it. width: of a line, 0 where it has no end. unicode: the locale's character set is UTF-8. Where
 * memory is short, exit(EXIT_RUNTIME) follows a message.
 */
struct top *top_new(const struct options *options, unsigned width, bool unicode);
void top_free(struct top *t);

/*
 * To be called before rights are dropped: where there is a terminal, tables are shown there as a whole, and keys are
 * read, and the first interval begins: what is seen on the screen has its summary, even where the run ends before time
 * came once. Without a terminal they are printed.
 */
void top_open_screen(struct top *t);

/* Counts a connection in its final record. */
void top_add(struct top *t, const struct record *r);
/* Counts a close that goes on when the table is made, by its record so far. stuck: it has stood still. */
void top_add_waiting(struct top *t, const struct record *r, bool stuck);

/*
 * Time has come to `now`. Returns when the table to be made ends, or 0 where the interval goes on. The first call
 * begins, unless the screen did. In a terminal, keys are answered; q asks to stop.
 */
uint64_t top_due(struct top *t, uint64_t now, int64_t wall_offset);
/* Appends the table that ends at `end`, and begins the next one. */
void top_table(struct top *t, uint64_t end, struct buffer *out);
/* Have as many tables been made as -c asks for? */
bool top_full(const struct top *t);
/* Appends the table of what came since the last one, and that of the whole run. */
void top_end(struct top *t, struct buffer *out);

#endif
