/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every trick that exists for the BPF verifier or for clang's BPF back end: what it does, who needs it, what breaks
 * without it. On the host each costs nothing.
 *
 * The programs load with CAP_BPF and CAP_NET_ADMIN alone. Without CAP_PERFMON the verifier also walks each branch whose
 * outcome it knows, as a processor that mispredicts it would (Spectre v1), and every addition to a pointer must be of
 * the same kind on every path. Four rules follow:
 * - loops are unrolled (`unrolled`);
 * - an element of an array, or one of two members, is chosen by `element`, `of_side` or `either`;
 * - the result of a map look-up is used where it was looked up, never returned where it may be NULL;
 * - what clang may put on the stack is as wide as a register (Linux 6.1 allows no half of a word beside another there).
 */
#ifndef TCPFIN_VERIFIER_H
#define TCPFIN_VERIFIER_H

/* Hides a value's origin from clang, where an optimisation based on it would not pass the verifier. */
#define opaque(value) asm volatile("" : "+r"(value))

/*
 * The address of a constant that the loader sets, for a function to read it: without it clang would read what the
 * object has there before.
 */
#define hidden(address)                                    \
	({                                                 \
		const void *at_ = (const void *)(address); \
		opaque(at_);                               \
		at_;                                       \
	})

/*
 * Reads memory again instead of using the register that has its value. The verifier knows nothing of a value in memory:
 * paths that differ in it alone are one path to the verifier. A register would keep them apart.
 */
#define reload(place) (*(volatile __typeof__(place) *)&(place))

/*
 * Makes clang forget all that it has read from memory. Set where paths meet: to the verifier they are one path from
 * there on. Without it every branch multiplies the paths behind it.
 */
#define paths_meet() asm volatile("" ::: "memory")

/* Set before each loop. Without CAP_PERFMON the verifier would follow a loop past the end of what it walks through. */
#ifdef __bpf__
#define unrolled _Pragma("clang loop unroll(full)")
#else
#define unrolled
#endif

/*
 * A function of the recorder. In the kernel it is a global one: the verifier checks it once, by itself, instead of at
 * every call. It takes its pointers for NULL until they are tested. It is weak because clang else leaves an argument
 * undefined that it sees nobody use, which the verifier refuses. On the host the compiler decides.
 */
#ifdef __bpf__
#define recorder_code __attribute__((noinline, weak))
#else
#define recorder_code static __attribute__((unused))
#endif

/*
 * One of two members of a struct. Both are loaded before one is chosen: clang would work out an address from the
 * condition.
 */
#define either(condition, one, other)                           \
	({                                                      \
		__u64 one_ = (one), other_ = (other);           \
		opaque(one_);                                   \
		opaque(other_);                                 \
		(__typeof__(one))((condition) ? one_ : other_); \
	})

/* The array's element of side 0 or 1. A constant is added to the pointer, in one branch only. */
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
 * The array's element at a variable index; the caller has checked that it is within the array. The offset is added to
 * the array's start, never to the struct around it: without CAP_PERFMON no intermediate pointer may leave the map's
 * value, even if nothing is read there.
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

#endif
