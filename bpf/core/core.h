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

/*
 * The BPF programs load without CAP_PERFMON. Then the verifier also follows each branch that it knows the outcome of as a
 * mispredicting processor would (Spectre v1), and wants a pointer's every addition to be of the same kind on every path. What
 * follows is for that, as are: no look-up's result is handed on where it may be NULL (see closing_segment), and what clang
 * may have to put on the stack is as wide as a register (Linux 6.1).
 */

/* Before each loop: it would be followed past the end of what it walks through. */
#ifdef __bpf__
#define unrolled _Pragma("clang loop unroll(full)")
#else
#define unrolled
#endif

/* One of two members of a struct. Loaded before it is chosen, or clang would work out its address from the condition. */
#define either(condition, one, other)                           \
	({                                                      \
		__u64 one_ = (one), other_ = (other);           \
		opaque(one_);                                   \
		opaque(other_);                                 \
		(__typeof__(one))((condition) ? one_ : other_); \
	})

/* The array's element of one side or the other. Likewise: a constant is added, in one branch only. */
#ifdef __bpf__
#define of_side(array, side)                               \
	(*({                                               \
		__typeof__(&(array)[0]) at_ = &(array)[0]; \
		if (side) {                                \
			at_ = &(array)[1];                 \
			opaque(at_);                       \
		}                                          \
		at_;                                       \
	}))
#else
#define of_side(array, side) ((array)[!!(side)])
#endif

/*
 * The array's element at a variable index, which the caller has found to be within it. Counted from the array's start: the
 * pointer must never be where nothing may be read, as at a lock in front of it.
 */
#ifdef __bpf__
#define element(array, index)                          \
	(*({                                           \
		__typeof__(&(array)[0]) at_ = (array); \
		opaque(at_);                           \
		at_ + (index);                         \
	}))
#else
#define element(array, index) ((array)[index])
#endif

/* Of a function that is large, rare, and called in several places: one copy of it in the program. */
#define shared_code __attribute__((noinline)) __attribute__((unused))

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
