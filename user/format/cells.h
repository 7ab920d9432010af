/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values in columns of a terminal: how many columns a text takes, and cutting what is too wide.
 */
#ifndef TCPFIN_CELLS_H
#define TCPFIN_CELLS_H

#include <stdbool.h>

#include "user/base/buffer.h"

/*
 * How many bytes of text take at most `width` columns of a terminal, all of them in *columns. Bytes that are no
 * character of the locale take a column each.
 */
size_t cell_fitting(const char *text, size_t len, unsigned width, unsigned *columns);
/* What stands for what was cut: one column. unicode: the locale's character set is UTF-8. */
const char *cell_mark(bool unicode);
/* Cuts the text from `start` on, which is too wide, to `width` columns with a mark. Returns how many it takes. */
unsigned cell_cut(struct buffer *out, bool unicode, size_t start, unsigned width);
void cell_spaces(struct buffer *out, unsigned n);
/*
 * Breaks the lines that out has from `start` on at blanks, so that none takes more than `width` columns; what follows a
 * break is set `indent` columns in. A word that is longer is broken as well. width: 0 for no end.
 */
void cell_wrap(struct buffer *out, size_t start, unsigned width, unsigned indent);

#endif
