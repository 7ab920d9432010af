/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names that a mistyped word may stand for.
 */
#ifndef TCPFIN_NEAREST_H
#define TCPFIN_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

#define NEAREST_NAME 64 /* bytes of a name, its NUL included */

/* Writes the i-th name into text; returns false where there are no more. */
typedef bool nearest_name(unsigned i, char text[NEAREST_NAME]);

/*
 * Writes the up to three names nearest to the word into text, separated by ", ". Returns how many are near enough.
 */
unsigned nearest_names(const char *word, size_t len, nearest_name *name, char *text, size_t size);

#endif
