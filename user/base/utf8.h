/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decodes UTF-8 (RFC 3629).
 */
#ifndef TCPFIN_UTF8_H
#define TCPFIN_UTF8_H

#include <stdint.h>

/*
 * Moves *p over one character in NUL-terminated text. Returns its code point, or -1 for a malformed one: *p then moves
 * over the longest part that could begin a character (Unicode, section 3.9), at least one byte.
 */
int32_t utf8_next(const unsigned char **p);

#endif
