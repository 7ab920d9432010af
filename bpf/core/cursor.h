/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A read position in packet bytes. This is the only place that compares a pointer with the packet's end; the
 * comparison is written as the verifier recognises it (pos + n > end, never end - pos < n).
 */
#ifndef TCPFIN_CURSOR_H
#define TCPFIN_CURSOR_H

#include "bpf/core/core.h"

struct cursor {
	const __u8 *pos;
	const __u8 *end; /* one past the last byte that may be read */
#ifdef __bpf__
	/* For cursor_copy. */
	__u32 off;                                                /* of pos, from the packet's start */
	void *packet;                                             /* the hook's context */
	long (*load)(void *packet, __u32 off, void *to, __u32 n); /* the helper that reads its bytes */
#endif
};

/* Are there n more bytes? */
static __always_inline flag_t cursor_has(const struct cursor *c, __u32 n)
{
	return c->pos + n <= c->end;
}

/*
 * Moves over the next n bytes (a constant), whose start goes to *bytes; no move when there are fewer. Whether there
 * were is the result rather than a NULL pointer: comparing a packet pointer with NULL takes CAP_PERFMON.
 */
static __always_inline flag_t cursor_pull(struct cursor *c, __u32 n, const __u8 **bytes)
{
	const __u8 *p = c->pos;

	if (p + n > c->end)
		return 0;
	*bytes = p;
	c->pos = p + n;
#ifdef __bpf__
	c->off += n;
#endif
	return 1;
}

/*
 * Copies n bytes that begin `ahead` bytes behind the position. Returns whether there are so many. For what lies behind
 * something of variable length: without CAP_PERFMON the verifier lets no variable be added to a packet's pointer.
 */
static __always_inline flag_t cursor_copy(const struct cursor *c, __u32 ahead, void *to, __u32 n)
{
#ifdef __bpf__
	return !c->load(c->packet, c->off + ahead, to, n);
#else
	if (c->end - c->pos < (long)ahead + n)
		return 0;
	__builtin_memcpy(to, c->pos + ahead, n);
	return 1;
#endif
}

#endif
