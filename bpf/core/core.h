/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ground everything in core/ stands on: fixed-width types, big-endian loads, serial arithmetic.
 *
 * core/ is compiled twice, into the BPF object and into the user-space binary. Nothing here may call a BPF
 * helper, libc or a clock, and nothing may know of a map.
 */
#ifndef TCPFIN_CORE_H
#define TCPFIN_CORE_H

#include <linux/types.h>

#include "bpf/core/verifier.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

#define CORE_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its size")

typedef _Bool flag_t; /* for locals and results only: never part of a shared struct */

/*
 * Loads of network byte order from any alignment. BPF loads need none, but clang would split a load from a byte pointer
 * into bytes unless it is told otherwise.
 */
#ifdef __bpf__
#define load_aligned(p, size) __builtin_assume_aligned(p, size)
#else
#define load_aligned(p, size) (p)
#endif

static __always_inline __u16 load_be16(const void *p)
{
	__u16 v;

	__builtin_memcpy(&v, load_aligned(p, 2), sizeof(v));
	return __builtin_bswap16(v);
}

static __always_inline __u32 load_be32(const void *p)
{
	__u32 v;

	__builtin_memcpy(&v, load_aligned(p, 4), sizeof(v));
	return __builtin_bswap32(v);
}

static __always_inline __u64 load_be64(const void *p)
{
	__u64 v;

	__builtin_memcpy(&v, load_aligned(p, 8), sizeof(v));
	return __builtin_bswap64(v);
}

/* Serial number arithmetic (RFC 1982, RFC 9293 section 3.4): the signed distance from b to a modulo 2^32. */
static __always_inline __s32 seq_diff(__u32 a, __u32 b)
{
	return (__s32)(a - b);
}

static __always_inline flag_t seq_after(__u32 a, __u32 b)
{
	return seq_diff(a, b) > 0;
}

static __always_inline __u32 seq_max(__u32 a, __u32 b)
{
	return seq_after(a, b) ? a : b;
}

#endif
