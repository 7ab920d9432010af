/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A read position in packet bytes. This is the only place that compares a pointer with the packet's end; the
 * comparison is written as the verifier recognises it (pos + n > end, never end - pos < n).
 */
#ifndef TCPFIN_CURSOR_H
#define TCPFIN_CURSOR_H

#include "core.h"

struct cursor {
	const __u8 *pos;
	const __u8 *end; /* one past the last byte that may be read */
};

/* The next n bytes without moving, or NULL when fewer are left. */
static __always_inline const __u8 *cursor_peek(const struct cursor *c, __u32 n)
{
	const __u8 *p = c->pos;

	return p + n > c->end ? (const __u8 *)0 : p;
}

/* The next n bytes; the cursor moves behind them. NULL, and no move, when fewer are left. */
static __always_inline const __u8 *cursor_pull(struct cursor *c, __u32 n)
{
	const __u8 *p = cursor_peek(c, n);

	if (p)
		c->pos = p + n;
	return p;
}

#endif
