/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log-linear buckets over every 64-bit value, the ground of histograms: values below 2 * steps have a bucket each,
 * every power of two above has `steps`. steps: a power of two. A bucket's middle is at most 1 / (2 * steps) away from
 * any value in it, relative to the value.
 */
#ifndef TCPFIN_LOG_BUCKETS_H
#define TCPFIN_LOG_BUCKETS_H

#include <stdint.h>

/* How many buckets there are. steps: a constant expression. */
#define LOG_BUCKETS(steps) ((steps) * (65 - __builtin_ctz(steps)))

/* How far a value is shifted right to leave a number below 2 * steps. */
static inline unsigned log_bucket_shift(uint64_t value, unsigned steps)
{
	return value < 2 * steps ? 0 : 63 - (unsigned)__builtin_ctz(steps) - (unsigned)__builtin_clzll(value);
}

static inline unsigned log_bucket(uint64_t value, unsigned steps)
{
	unsigned shift = log_bucket_shift(value, steps);

	return steps * shift + (unsigned)(value >> shift);
}

/* The middle of a bucket's values. */
static inline uint64_t log_bucket_middle(unsigned bucket, unsigned steps)
{
	unsigned shift = bucket < 2 * steps ? 0 : bucket / steps - 1;
	uint64_t first = (uint64_t)(bucket - steps * shift) << shift;

	return first + (1ULL << shift) / 2;
}

#endif
