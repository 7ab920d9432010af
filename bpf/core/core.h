/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ground everything in core/ stands on: fixed-width types, big-endian loads, serial arithmetic.
 *
 * core/ is compiled twice, into the BPF object and into the user-space binary. Nothing here may call a BPF
 * helper, libc or a clock, and nothing may know of a map.
 */
#ifndef TCPFIN_CORE_H
#define TCPFIN_CORE_H

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define CORE_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its size")

typedef _Bool flag_t; /* for locals and results only: never part of a shared struct */

/*
 * Hides a value's origin from the compiler, where an optimisation of its own would not pass the verifier. On the host
 * it costs nothing.
 */
#define opaque(value) asm volatile("" : "+r"(value))

/*
 * Reads memory again rather than a register that has the value. The verifier knows nothing of a value in memory, so
 * paths that differ in it alone are one path to it; a register would keep them apart.
 */
#define reload(place) (*(volatile __typeof__(place) *)&(place))

/*
 * The same for everything: what stands in memory is read again behind it. Set where paths meet, so that they are one to
 * the verifier from there on.
 */
#define paths_meet() asm volatile("" ::: "memory")

/* Before a loop that costs more BPF instructions unrolled than it saves time. */
#ifdef __bpf__
#define rolled _Pragma("clang loop unroll(disable)")
#else
#define rolled
#endif

/* Of a function that is large, rare, and called in several places: one copy of it in the program. */
#define shared_code __attribute__((noinline)) __attribute__((unused))

/* A word of any struct: stores of it are not moved across accesses to the members. */
typedef __u64 __attribute__((__may_alias__)) struct_word;

/*
 * Copies a struct (a multiple of 16 bytes, aligned to 8) in a loop: spelled out word by word, the copies would be a
 * fifth of the program.
 */
static __always_inline void copy_rolled(void *to, const void *from, __u32 bytes)
{
	const volatile struct_word *f = from; /* or clang makes a memcpy of it again */
	struct_word *t = to;
	__u32 i;

	rolled
	for (i = 0; i < bytes / 8; i += 2) {
		t[i] = f[i];
		t[i + 1] = f[i + 1];
	}
}

/* The same for zeroes. */
static __always_inline void zero_rolled(void *to, __u32 bytes)
{
	volatile struct_word *t = to;
	__u32 i;

	rolled
	for (i = 0; i < bytes / 8; i += 2) {
		t[i] = 0;
		t[i + 1] = 0;
	}
}

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
