/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * splitmix64: every test of a run follows from one seed.
 */
#ifndef TCPFIN_TEST_RANDOM_H
#define TCPFIN_TEST_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* 0 ... n - 1; n is not 0. */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

/* True once in n. */
static inline bool random_once_in(struct random *r, uint32_t n)
{
	return random_below(r, n) == 0;
}

#endif
